//! Reads the lines of all files of a journal as one stream, and counts the damage.

use std::io::{ErrorKind, Read};
use std::ops::AddAssign;
use std::path::{Path, PathBuf};

use super::compressed::PartReader;
use crate::model::event::BadLine;
use crate::model::{Event, JournalLine};
use crate::store::error::{Error, Result};
use crate::store::file;

/// The longest line that is read, in bytes. A longer one counts as torn.
const MAX_LINE: usize = 1 << 20;
/// How many bytes are read at once. They fit into a processor's cache.
const PIECE: usize = 64 * 1024;
/// The fewest bytes that are read at once.
const LEAST_PIECE: usize = 4 * 1024;

/// Reads the lines of one file. A missing file counts as empty.
///
/// # Errors
/// Returns [`Error::Untrusted`](crate::store::Error::Untrusted) if another user may have written
/// the file, and [`Error::Io`](crate::store::Error::Io) if it cannot be opened.
pub(in crate::store) fn of_file(path: &Path) -> Result<JournalLines> {
    let file = file::open_own(path)?.map(PartReader::Plain);
    Ok(JournalLines::of(file.into_iter().collect()))
}

/// Does the same as [`of_file`] for the first `length` bytes of the file.
///
/// # Errors
/// Returns [`Error::Untrusted`](crate::store::Error::Untrusted) if another user may have written
/// the file, and [`Error::Io`](crate::store::Error::Io) if it cannot be opened.
#[cfg(feature = "cli")]
pub(in crate::store) fn beginning_of_file(path: &Path, length: u64) -> Result<JournalLines> {
    let file = file::open_own(path)?.map(PartReader::Plain);
    let within = file.map(|file| PartReader::Within(Box::new(file), length));
    Ok(JournalLines::of(within.into_iter().collect()))
}

/// Returns a line as it is written to a journal: with a line break before and after it.
pub(in crate::store) fn framed(line: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(line.len() + 2);
    bytes.push(b'\n');
    bytes.extend_from_slice(line);
    bytes.push(b'\n');
    bytes
}

/// Counts of the lines and files in which a reader found something other than events.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Damage {
    /// Lines that are not a JSON object. They come from writes that were cut short.
    pub torn: u64,
    /// Lines that are JSON objects, but not events.
    pub foreign: u64,
    /// Lines from a newer version of ccsession that this one does not understand.
    pub newer: u64,
    /// Last lines without a line break. A process may still be writing them.
    pub in_flight: u64,
    /// Compressed files that could be read only in part, or not at all.
    #[serde(skip_serializing_if = "is_none")]
    pub unreadable: u64,
    /// Files that could not be read to their end because of a system error. Another try may
    /// succeed.
    #[serde(skip_serializing_if = "is_none")]
    pub failed: u64,
}

#[allow(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
fn is_none(count: &u64) -> bool {
    *count == 0
}

impl Damage {
    /// Returns the count and the name of each kind of damaged line that was found. A line that is
    /// still being written is not damaged.
    pub fn named(&self) -> impl Iterator<Item = (u64, &'static str)> + use<> {
        let kinds = [
            (self.torn, "torn"),
            (self.foreign, "not an event"),
            (self.newer, "of a newer version"),
        ];
        kinds.into_iter().filter(|(count, _)| *count > 0)
    }

    /// Returns whether every file was read to its end.
    pub fn is_complete(&self) -> bool {
        self.unreadable == 0 && self.failed == 0
    }

    /// Returns an error about `path` if a file could not be read to its end because of a system
    /// error. Callers use it to avoid writing or sending a result that lacks events.
    ///
    /// # Errors
    /// Returns [`Error::Content`] if a file could not be read to its end.
    pub fn or_retry(self, path: &Path) -> Result<Self> {
        match self.failed {
            0 => Ok(self),
            _ => Err(Error::Content {
                path: path.to_owned(),
                why: "the system refused to read it to its end; try again".to_owned(),
            }),
        }
    }

    fn count(&mut self, bad: &BadLine) {
        match bad {
            BadLine::Torn => self.torn += 1,
            BadLine::Foreign => self.foreign += 1,
            BadLine::Newer(_) => self.newer += 1,
        }
    }
}

impl AddAssign for Damage {
    fn add_assign(&mut self, other: Self) {
        self.torn += other.torn;
        self.foreign += other.foreign;
        self.newer += other.newer;
        self.in_flight += other.in_flight;
        self.unreadable += other.unreadable;
        self.failed += other.failed;
    }
}

/// Reads the lines of a journal's files in order, and counts the damage. If a file cannot be read
/// to its end, reading continues with the next file.
#[derive(Debug)]
pub struct JournalLines {
    /// The files still to be read, the next one last.
    files: Vec<PartReader>,
    buffer: Vec<u8>,
    /// How many bytes are read at once.
    piece: usize,
    /// The bytes of the buffer from `start` to `end` are not yet split into lines.
    start: usize,
    end: usize,
    /// How many bytes of the journal precede the buffer.
    passed: u64,
    /// Whether to skip the next line, because its beginning was not read.
    is_cut: bool,
    /// Whether the present line is longer than [`MAX_LINE`].
    is_too_long: bool,
    damage: Damage,
    /// Files that are missing from the journal.
    missing: Vec<PathBuf>,
    /// Whether the first line is the first of the journal.
    is_whole: bool,
}

impl JournalLines {
    /// Reads these files, in this order.
    pub(super) fn of(mut files: Vec<PartReader>) -> Self {
        files.reverse();
        Self {
            files,
            buffer: Vec::new(),
            piece: PIECE,
            start: 0,
            end: 0,
            passed: 0,
            is_cut: false,
            is_too_long: false,
            damage: Damage::default(),
            missing: Vec::new(),
            is_whole: true,
        }
    }

    /// Sets the files that are missing from the journal.
    pub(super) fn without(self, missing: Vec<PathBuf>) -> Self {
        Self { missing, ..self }
    }

    /// Returns the files that are missing from the journal.
    pub fn missing(&self) -> &[PathBuf] {
        &self.missing
    }

    /// Returns whether all lines of the files are read, and not only the last ones.
    pub fn is_whole(&self) -> bool {
        self.is_whole
    }

    /// Reads the last lines of these files: from the first line that starts within the last `bytes`
    /// bytes of all files together.
    pub(super) fn of_tail(mut files: Vec<PartReader>, bytes: u64) -> std::io::Result<Self> {
        let mut left = bytes;
        let (mut is_cut, mut is_whole) = (false, true);
        let mut first = 0;
        for (place, file) in files.iter_mut().enumerate().rev() {
            let Some(size) = file.size()? else {
                // The length of a damaged file is unknown, so start after it.
                first = place + 1;
                is_whole = false;
                break;
            };
            first = place;
            if size >= left {
                is_whole = false;
                is_cut = size > left;
                // Keep one byte more: it shows whether a line starts at this position. Ignore
                // damage now: it is found again when the file is read.
                match file.skip((size - left).saturating_sub(1)) {
                    Err(err) if !file.is_compressed() => return Err(err),
                    _ => {}
                }
                break;
            }
            left -= size;
        }
        files.drain(..first);
        let mut lines = Self::of(files);
        lines.is_cut = is_cut;
        lines.is_whole = is_whole;
        // Use a small buffer if that is enough: for many short journals, zeroing larger ones would
        // take longer than reading.
        let wanted = if is_whole { bytes - left } else { bytes };
        let wanted = usize::try_from(wanted).map_or(PIECE, |wanted| wanted + 2);
        lines.piece = wanted.clamp(LEAST_PIECE, PIECE);
        Ok(lines)
    }

    /// Reads these files from `position`, in bytes from the start of the first file. A line must
    /// start there. Also returns the total length of the files in bytes. Returns `None` if the
    /// position does not exist or cannot be determined.
    pub(super) fn of_rest(
        mut files: Vec<PartReader>,
        position: u64,
    ) -> std::io::Result<Option<(Self, u64)>> {
        let mut total = 0;
        let mut first = None;
        for (place, file) in files.iter_mut().enumerate() {
            let Some(size) = file.size()? else {
                return Ok(None);
            };
            if first.is_none() && position < total + size {
                let skipped = file.open_now().and_then(|()| file.skip(position - total));
                if skipped.is_err() {
                    return Ok(None);
                }
                first = Some(place);
            }
            total += size;
        }
        if position > total {
            return Ok(None);
        }
        files.drain(..first.unwrap_or(files.len()));
        let mut lines = Self::of(files);
        lines.passed = position;
        lines.is_whole = position == 0;
        Ok(Some((lines, total)))
    }

    /// Passes each event to `event`, and returns the damage that was found.
    pub fn for_each(self, mut event: impl FnMut(&JournalLine<'_>)) -> Damage {
        self.for_each_at(|_, line| event(line))
    }

    /// Passes each complete line to `line`, unchanged, whether or not it is an event. Returns the
    /// damage of files; damaged lines are not counted.
    #[cfg(feature = "cli")]
    pub(in crate::store) fn for_each_whole(mut self, mut line: impl FnMut(&[u8])) -> Damage {
        while let Some((start, end)) = self.next_line() {
            line(self.buffer.get(start..end).unwrap_or_default());
        }
        self.damage
    }

    /// Does the same as [`Self::for_each`], and also passes the position of each line, in bytes
    /// from the start of the journal.
    pub(crate) fn for_each_at(mut self, mut event: impl FnMut(u64, &JournalLine<'_>)) -> Damage {
        while let Some((start, end)) = self.next_line() {
            let line = self.buffer.get(start..end).unwrap_or_default();
            let position = self.passed + start as u64;
            if let Err(bad) = JournalLine::read(line, |line| event(position, line)) {
                self.damage.count(&bad);
            }
        }
        self.damage
    }

    /// Finds the next line that is not blank. Returns where it begins and ends in the buffer,
    /// without its line break. Returns `None` at the end.
    fn next_line(&mut self) -> Option<(usize, usize)> {
        loop {
            let unread = self.buffer.get(self.start..self.end).unwrap_or_default();
            let Some(length) = memchr::memchr(b'\n', unread) else {
                self.read_on()?;
                continue;
            };
            let start = self.start;
            self.start += length + 1;
            let is_too_long = std::mem::take(&mut self.is_too_long) || length > MAX_LINE;
            if std::mem::take(&mut self.is_cut) {
                continue;
            }
            if is_too_long {
                self.damage.torn += 1;
            } else if length > 0 {
                return Some((start, start + length));
            }
        }
    }

    /// Reads more bytes into the buffer. Returns `None` at the end of the last file.
    fn read_on(&mut self) -> Option<()> {
        if self.end - self.start > MAX_LINE {
            self.is_too_long = true;
            self.start = self.end;
        }
        self.buffer.copy_within(self.start..self.end, 0);
        self.passed += self.start as u64;
        self.end -= self.start;
        self.start = 0;
        if self.buffer.is_empty() {
            // Allocate it instead of filling it with zeros: fresh memory is already zero, and a
            // short journal touches little of it.
            self.buffer = vec![0; self.piece];
        } else if self.buffer.len() < self.end + self.piece {
            self.buffer.resize(self.end + self.piece, 0);
        }
        loop {
            let room = self.buffer.get_mut(self.end..).unwrap_or_default();
            match self.files.last_mut()?.read(room) {
                Err(err) if err.kind() == ErrorKind::Interrupted => {}
                Ok(read) if read > 0 => {
                    self.end += read;
                    return Some(());
                }
                Ok(_) => self.next_file(),
                Err(err) => {
                    let is_compressed = self.files.last().is_some_and(PartReader::is_compressed);
                    // Without a system error number, the decompressor has failed: the file is
                    // damaged.
                    match err.raw_os_error() {
                        None if is_compressed => self.damage.unreadable += 1,
                        _ => self.damage.failed += 1,
                    }
                    // Do not also count the line in which the file ends.
                    self.is_cut = true;
                    self.next_file();
                }
            }
        }
    }

    /// Continues with the next file. An unfinished last line counts as still being written in the
    /// last file, and as torn in an earlier one.
    fn next_file(&mut self) {
        self.files.pop();
        let has_rest = self.end > 0 || self.is_too_long;
        if has_rest && !self.is_cut {
            if self.files.is_empty() {
                self.damage.in_flight += 1;
            } else {
                self.damage.torn += 1;
            }
        }
        self.passed += self.end as u64;
        self.end = 0;
        self.is_cut = false;
        self.is_too_long = false;
    }
}

/// The events of a journal, one by one, with all their members.
#[derive(Debug)]
pub struct Events {
    lines: JournalLines,
}

impl Events {
    /// Reads the events of `lines`.
    pub(in crate::store) fn of(lines: JournalLines) -> Self {
        Self { lines }
    }

    /// Returns the damage found so far.
    pub fn damage(&self) -> Damage {
        self.lines.damage
    }
}

impl Iterator for Events {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        loop {
            let (start, end) = self.lines.next_line()?;
            match Event::decode(self.lines.buffer.get(start..end).unwrap_or_default()) {
                Ok(event) => return Some(event),
                Err(bad) => self.lines.damage.count(&bad),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Seek, Write};

    use proptest::prelude::*;

    use super::*;

    fn file(bytes: &[u8]) -> PartReader {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        file.rewind().unwrap();
        PartReader::Plain(file)
    }

    fn read(mut lines: JournalLines) -> (Vec<Vec<u8>>, Damage) {
        let mut found = Vec::new();
        while let Some((start, end)) = lines.next_line() {
            found.push(lines.buffer[start..end].to_vec());
        }
        (found, lines.damage)
    }

    /// Computes what [`JournalLines`] should find in these files, as simply as possible.
    fn naive(files: &[Vec<u8>]) -> (Vec<Vec<u8>>, Damage) {
        let mut found = Vec::new();
        let mut damage = Damage::default();
        for (place, bytes) in files.iter().enumerate() {
            let mut lines = Vec::new();
            let mut rest = bytes.as_slice();
            while let Some(end) = memchr::memchr(b'\n', rest) {
                lines.push(&rest[..end]);
                rest = &rest[end + 1..];
            }
            match (rest.is_empty(), place + 1 == files.len()) {
                (true, _) => {}
                (false, true) => damage.in_flight += 1,
                (false, false) => damage.torn += 1,
            }
            for line in lines.into_iter().filter(|line| !line.is_empty()) {
                if line.len() > MAX_LINE {
                    damage.torn += 1;
                } else {
                    found.push(line.to_vec());
                }
            }
        }
        (found, damage)
    }

    #[test]
    #[allow(
        clippy::disallowed_methods,
        reason = "what cannot be read is opened on purpose"
    )]
    fn a_file_that_the_system_does_not_let_be_read_is_counted() {
        // A directory opens, and cannot be read.
        let dir = tempfile::tempdir().unwrap();
        let refused = std::fs::File::open(dir.path()).unwrap();
        let files = vec![
            file(b"one\n"),
            PartReader::Plain(refused),
            file(b"two\nthr"),
        ];
        let (found, damage) = read(JournalLines::of(files));
        assert_eq!(found, [b"one".to_vec(), b"two".to_vec()]);
        let expected = Damage {
            failed: 1,
            in_flight: 1,
            ..Damage::default()
        };
        assert_eq!(damage, expected);
        assert!(!damage.is_complete());
        let err = damage.or_retry(dir.path()).unwrap_err().to_string();
        assert!(err.ends_with("try again"), "{err}");
    }

    #[track_caller]
    fn check(files: &[Vec<u8>]) {
        let opened = files.iter().map(|bytes| file(bytes)).collect();
        let (found, damage) = read(JournalLines::of(opened));
        let (expected, expected_damage) = naive(files);
        let sizes = |lines: &[Vec<u8>]| lines.iter().map(Vec::len).collect::<Vec<_>>();
        assert_eq!(sizes(&found), sizes(&expected));
        assert!(found == expected, "other bytes");
        assert_eq!(damage, expected_damage);
    }

    fn line(length: usize) -> Vec<u8> {
        ("x".repeat(length) + "\n").into_bytes()
    }

    #[test]
    fn a_line_of_any_length_is_read_or_counted_wherever_pieces_end() {
        let near = |size: usize| size - 3..size + 3;
        let lengths = near(PIECE).chain(near(2 * PIECE)).chain(near(MAX_LINE));
        let longer = near(MAX_LINE + PIECE).chain(near(2 * MAX_LINE));
        for length in lengths.chain(longer) {
            for before in [0, 1, PIECE - 1, PIECE] {
                check(&[[line(before), line(length), line(7)].concat()]);
            }
            let unfinished = "x".repeat(length).into_bytes();
            check(std::slice::from_ref(&unfinished));
            check(&[unfinished, line(7)]);
        }
    }

    #[test]
    fn a_file_without_a_last_line_break_ends_its_line_all_the_same() {
        let files = [&b"\n{1}\n\n{2"[..], b"", b"3}\n\n", b"\0\0\0", b"{4}\n\0"];
        check(&files.map(<[u8]>::to_vec));
    }

    #[test]
    fn a_tail_begins_with_the_first_line_that_starts_in_it() {
        let files = [b"\n{11}\n\n{12}\n".to_vec(), b"\n{21}\n\n{22}\n".to_vec()];
        let starts: [(&str, u64); 4] = [("{11}", 23), ("{12}", 17), ("{21}", 11), ("{22}", 5)];
        for bytes in 0..40 {
            let opened = files.iter().map(|bytes| file(bytes)).collect();
            let (found, damage) = read(JournalLines::of_tail(opened, bytes).unwrap());
            let expected: Vec<Vec<u8>> = starts
                .iter()
                .filter(|(_, start)| *start <= bytes)
                .map(|(text, _)| text.as_bytes().to_vec())
                .collect();
            assert_eq!((found, damage), (expected, Damage::default()), "{bytes}");
        }
    }

    #[test]
    fn a_tail_that_begins_within_an_overlong_line_loses_no_other_line() {
        let bytes = [line(3 * MAX_LINE), line(5)].concat();
        let size = u64::try_from(2 * MAX_LINE).unwrap();
        let (found, damage) = read(JournalLines::of_tail(vec![file(&bytes)], size).unwrap());
        assert_eq!(
            (found, damage),
            (vec![b"xxxxx".to_vec()], Damage::default())
        );
    }

    fn journal() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            4 => (0..300_usize).prop_map(line),
            2 => Just(b"\n".to_vec()),
            1 => (PIECE - 2..PIECE + 2).prop_map(line),
            1 => (MAX_LINE - 2..MAX_LINE + 2).prop_map(line),
            1 => (0..200_usize).prop_map(|length| vec![0; length]),
            1 => prop::collection::vec(any::<u8>(), 0..100),
        ];
        prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn lines_are_those_of_a_naive_reader(files in prop::collection::vec(journal(), 1..4)) {
            check(&files);
        }
    }
}
