//! The journal: JSON Lines, appended to by many processes at once, never locked, never truncated.
//!
//! Each record is one `write(2)` of `\n{…}\n`. A process that is killed inside its write leaves a fragment in the middle
//! of the file; the leading line break keeps the next record off it. Readers skip blank lines and count what is torn.
//!
//! A journal that outgrows its limit goes on in a new file ([`super::SessionDir::rotate`]). Readers see one stream.

use std::fs::File;
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::ops::AddAssign;
use std::path::Path;

use super::error::Result;
use super::file;
use super::write::{self, Appended};
use crate::model::event::BadLine;
use crate::model::{Event, Line};

/// The longest line that is read; a longer one counts as torn.
const MAX_LINE: usize = 1 << 20;
/// How much is read at once: what a processor keeps close.
const PIECE: usize = 64 * 1024;

/// Appends one event. The file must be there: a missing one means a session first heard of now.
///
/// # Errors
/// As [`write::append`]: [`Error::Unsafe`], or [`Error::Io`], after which a fragment may be in the file.
///
/// # Durability
/// No fsync. Killing the process loses at most this record, and no other; a power failure may lose the last seconds.
pub fn append(path: &Path, event: &Event) -> Result<Appended> {
    write::append(path, &framed(&event.encode()))
}

/// Reads one file of events from its start; no events where there is none.
///
/// # Errors
/// [`super::Error::Unsafe`] where the file is not ours alone, [`super::Error::Io`] where it cannot be opened.
pub fn read(path: &Path) -> Result<Events> {
    let file = file::open_own(path)?;
    Ok(Events::of(Lines::of(file.into_iter().collect())))
}

/// A line as it is written: a line break before it and one after.
pub(super) fn framed(line: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(line.len() + 2);
    bytes.push(b'\n');
    bytes.extend_from_slice(line);
    bytes.push(b'\n');
    bytes
}

/// What a reader found besides events.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Damage {
    /// Lines that are no JSON object: writes that were cut short.
    pub torn: u64,
    /// Lines that are JSON but no event.
    pub foreign: u64,
    /// Lines of a newer version in a form this one cannot understand.
    pub newer: u64,
    /// An unterminated last line: a write that is in flight.
    pub in_flight: u64,
}

impl Damage {
    /// Each kind of damage that was met: how many lines, and what they are. A line in flight is none.
    pub fn named(&self) -> impl Iterator<Item = (u64, &'static str)> + use<> {
        let kinds = [
            (self.torn, "torn"),
            (self.foreign, "not an event"),
            (self.newer, "of a newer version"),
        ];
        kinds.into_iter().filter(|(count, _)| *count > 0)
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
    }
}

/// The lines of a session's journals, one after the other, and the damage met so far. A journal that becomes unreadable
/// on the way ends there.
#[derive(Debug)]
pub struct Lines {
    /// The files to be read, the first one last.
    files: Vec<File>,
    buffer: Vec<u8>,
    /// What has been read and not been looked at: from here to there in the buffer.
    start: usize,
    end: usize,
    /// Whether the line is not to be looked at, because it began before the place where reading began.
    is_cut: bool,
    /// Whether the line is longer than any record.
    is_too_long: bool,
    damage: Damage,
}

impl Lines {
    /// Reads these files, in this order.
    pub(super) fn of(mut files: Vec<File>) -> Self {
        files.reverse();
        Self {
            files,
            buffer: Vec::new(),
            start: 0,
            end: 0,
            is_cut: false,
            is_too_long: false,
            damage: Damage::default(),
        }
    }

    /// Reads the end of these files: from the first line that starts within the last `bytes` bytes of them all.
    pub(super) fn of_tail(mut files: Vec<File>, bytes: u64) -> std::io::Result<Self> {
        let mut left = bytes;
        let mut is_cut = false;
        let mut first = 0;
        for (place, file) in files.iter_mut().enumerate().rev() {
            let size = file.metadata()?.len();
            first = place;
            if size >= left {
                file.seek(SeekFrom::Start(size - left))?;
                is_cut = size > left;
                break;
            }
            left -= size;
        }
        files.drain(..first);
        let mut lines = Self::of(files);
        lines.is_cut = is_cut;
        Ok(lines)
    }

    /// Reads all events, one by one, and returns the damage met.
    pub fn for_each(mut self, mut event: impl FnMut(&Line<'_>)) -> Damage {
        while let Some((start, end)) = self.next_line() {
            let line = self.buffer.get(start..end).unwrap_or_default();
            if let Err(bad) = Line::read(line, &mut event) {
                self.damage.count(&bad);
            }
        }
        self.damage
    }

    /// Where in the buffer the next line is that is not blank, without its line break; nothing at the end.
    fn next_line(&mut self) -> Option<(usize, usize)> {
        loop {
            let unread = self.buffer.get(self.start..self.end).unwrap_or_default();
            let Some(length) = memchr::memchr(b'\n', unread) else {
                self.read_on()?;
                continue;
            };
            let start = self.start;
            self.start += length + 1;
            if std::mem::take(&mut self.is_cut) {
                continue;
            }
            if std::mem::take(&mut self.is_too_long) {
                self.damage.torn += 1;
            } else if length > 0 {
                return Some((start, start + length));
            }
        }
    }

    /// Reads another piece behind what has not been looked at.
    fn read_on(&mut self) -> Option<()> {
        if self.end - self.start > MAX_LINE {
            self.is_too_long = true;
            self.start = self.end;
        }
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        if self.buffer.len() < self.end + PIECE {
            self.buffer.resize(self.end + PIECE, 0);
        }
        loop {
            let room = self.buffer.get_mut(self.end..).unwrap_or_default();
            match self.files.last_mut()?.read(room) {
                Err(err) if err.kind() == ErrorKind::Interrupted => {}
                Ok(read) if read > 0 => {
                    self.end += read;
                    return Some(());
                }
                Ok(_) | Err(_) => self.next_file(),
            }
        }
    }

    /// Goes on with the next file. A line without an end is in flight in the last one, and torn in one before it.
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
        self.end = 0;
        self.is_cut = false;
        self.is_too_long = false;
    }
}

/// The events of a session, one by one, with all that they say.
#[derive(Debug)]
pub struct Events {
    lines: Lines,
}

impl Events {
    pub(super) fn of(lines: Lines) -> Self {
        Self { lines }
    }

    /// The damage met up to here.
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
