//! Reads the lines of a file of any size in bounded memory, from its beginning or from where an
//! earlier reading ended. Only this user may have written the file.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use rustix::fs::Stat;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::error::{Error, Result};
use super::file::{self, Meta};
use crate::model::Timestamp;
use crate::model::project::to_hex;

/// The longest line that is read, in bytes. Longer ones are skipped.
pub const MAX_LINE: usize = 64 << 20;
/// How many bytes of a file are read at once.
const BUFFER: usize = 256 * 1024;
/// How many bytes before a position are hashed, to detect that the file was rewritten.
const MARKED: u64 = 256;
/// How many bytes before a position are searched for the start of its line.
const NEAR: u64 = 64 * 1024;

/// What a reader finds next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NextLine<'a> {
    /// A line, without its line break.
    Line(&'a [u8]),
    /// The last line, which has no line break yet. A process may still be writing it.
    Unfinished(&'a [u8]),
    /// A line longer than [`MAX_LINE`].
    TooLong,
}

/// How far a file was read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadPosition {
    /// The offset of the next line, in bytes.
    pub offset: u64,
    /// A digest of the bytes before `offset`. It differs if the file was rewritten.
    pub mark: String,
}

/// Reads the lines of an open file one by one.
#[derive(Debug)]
pub struct LineReader {
    path: PathBuf,
    reader: BufReader<File>,
    meta: Meta,
    line: Vec<u8>,
    offset: u64,
}

/// Returns the digest of these bytes, which precede a position.
fn mark_of(bytes: &[u8]) -> String {
    let mut mark = to_hex(&Sha256::digest(bytes));
    mark.truncate(16);
    mark
}

/// Returns the index after the last line break in `bytes`.
fn after_last_break(bytes: &[u8]) -> usize {
    memchr::memrchr(b'\n', bytes).map_or(0, |at| at + 1)
}

impl LineReader {
    /// Opens the file at `path`; returns `None` if it does not exist.
    ///
    /// # Errors
    /// Returns [`Error::Untrusted`] or [`Error::Io`] if the file cannot be
    /// trusted or opened.
    pub fn open(path: &Path) -> Result<Option<Self>> {
        Ok(file::opened_own(path)?.map(|opened| Self::of(path, opened)))
    }

    fn of(path: &Path, (file, stat): (File, Stat)) -> Self {
        Self {
            path: path.to_owned(),
            reader: BufReader::with_capacity(BUFFER, file),
            meta: Meta::from(&stat),
            line: Vec::new(),
            offset: 0,
        }
    }

    /// Returns the metadata that the file had when it was opened.
    pub fn meta(&self) -> Meta {
        self.meta
    }

    /// Converts an I/O error about this file.
    pub fn failure(&self, action: &'static str, source: std::io::Error) -> Error {
        Error::io(action, &self.path)(source)
    }

    /// Returns when the file was created, if the system knows that. Returns the time of the last
    /// change if it is earlier: a restored copy is newer than its content.
    pub fn born(&self) -> Timestamp {
        let created = self
            .reader
            .get_ref()
            .metadata()
            .and_then(|meta| meta.created());
        let created = created.map(|time| Timestamp::from(DateTime::<Utc>::from(time)));
        created.map_or(self.meta.modified, |created| {
            created.min(self.meta.modified)
        })
    }

    /// Returns the offset of the next line, in bytes.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Continues at the position where an earlier reading ended, if the file before that position
    /// is unchanged. Returns whether it does. Otherwise the reader stays at the start.
    ///
    /// # Errors
    /// Returns [`Error::Io`] if the file cannot be read.
    pub fn go_on(&mut self, position: &ReadPosition) -> Result<bool> {
        if position.offset > self.meta.size || self.mark(position.offset)? != position.mark {
            return Ok(false);
        }
        self.reader
            .seek(SeekFrom::Start(position.offset))
            .map_err(Error::io("read", &self.path))?;
        self.offset = position.offset;
        Ok(true)
    }

    /// Moves to the start of the line that contains the byte at `offset`, or to `offset` itself if
    /// the start is too far away. If the file is shorter than `offset`, it is a different file, and
    /// the reader stays at the start.
    ///
    /// # Errors
    /// Returns [`Error::Io`] if the file cannot be read.
    pub fn go_near(&mut self, offset: u64) -> Result<()> {
        let offset = if offset <= self.meta.size { offset } else { 0 };
        let start = offset.saturating_sub(NEAR);
        let mut before = vec![0; usize::try_from(offset - start).unwrap_or_default()];
        let read = self.reader.get_ref().read_exact_at(&mut before, start);
        read.map_err(Error::io("read", &self.path))?;
        let last_break = before.iter().rposition(|byte| *byte == b'\n');
        self.offset = match last_break {
            Some(place) => start + place as u64 + 1,
            None if start == 0 => 0,
            None => offset,
        };
        self.reader
            .seek(SeekFrom::Start(self.offset))
            .map_err(Error::io("read", &self.path))?;
        Ok(())
    }

    /// Returns how far the file was read: to the end of its last whole line.
    ///
    /// # Errors
    /// Returns [`Error::Io`] if the file cannot be read.
    pub fn position(&self) -> Result<ReadPosition> {
        Ok(ReadPosition {
            offset: self.offset,
            mark: self.mark(self.offset)?,
        })
    }

    /// Returns a digest of the bytes before `offset`, by which a continued file is distinguished
    /// from a rewritten one.
    ///
    /// # Errors
    /// Returns [`Error::Io`] if the file cannot be read, or is shorter.
    pub fn mark_at(&self, offset: u64) -> Result<String> {
        self.mark(offset)
    }

    fn mark(&self, offset: u64) -> Result<String> {
        Ok(mark_of(&self.before(offset)?))
    }

    /// Reads the bytes before `offset` that the digest is computed from.
    fn before(&self, offset: u64) -> Result<Vec<u8>> {
        let start = offset.saturating_sub(MARKED);
        let mut bytes = vec![0; usize::try_from(offset - start).unwrap_or_default()];
        let read = self.reader.get_ref().read_exact_at(&mut bytes, start);
        read.map_err(Error::io("read", &self.path))?;
        Ok(bytes)
    }

    /// Passes every whole line from the current position on to `reader`, up to the end that the
    /// file had when it was opened. Returns how far the file was read.
    ///
    /// The returned position is right even if the file is rewritten meanwhile, because its digest
    /// is of the bytes that were read. A later call of [`Self::position`] would read them again.
    ///
    /// # Errors
    /// Returns [`Error::Io`] if the file cannot be read.
    pub fn read_rest(&mut self, mut reader: impl FnMut(&[u8])) -> Result<ReadPosition> {
        let mut last = self.before(self.offset)?;
        // Do not read further: later bytes may come from a rewrite of the file.
        while self.offset < self.meta.size {
            match self.next_line()? {
                Some(NextLine::Line(line)) => {
                    last.extend_from_slice(line);
                    last.push(b'\n');
                    let surplus = last.len().saturating_sub(MARKED as usize);
                    last.drain(..surplus);
                    reader(line);
                }
                Some(NextLine::TooLong) => last = self.before(self.offset)?,
                Some(NextLine::Unfinished(_)) | None => break,
            }
        }
        Ok(ReadPosition {
            offset: self.offset,
            mark: mark_of(&last),
        })
    }

    /// Reads whole lines of about `size` bytes in total. Also returns how many too-long lines were
    /// skipped between them.
    ///
    /// At the end, returns no bytes. The last line has a line break unless a process is still
    /// writing it.
    ///
    /// # Errors
    /// Returns [`Error::Io`] if the file cannot be read.
    pub fn next_lines(&mut self, size: usize) -> Result<(Vec<u8>, u64)> {
        let mut lines = Vec::with_capacity(size + BUFFER);
        let mut too_long = 0;
        let failed = |source| Error::io("read", &self.path)(source);
        while lines.is_empty() {
            let reader = &mut self.reader;
            let read = reader.take(size as u64).read_to_end(&mut lines);
            if read.map_err(failed)? == 0 {
                break;
            }
            let whole = after_last_break(&lines);
            if whole < lines.len() {
                let most = (MAX_LINE + whole).saturating_sub(lines.len());
                let mut rest = reader.take(most as u64);
                rest.read_until(b'\n', &mut lines).map_err(failed)?;
            }
            if lines.last() != Some(&b'\n') && lines.len() - whole >= MAX_LINE {
                let rest = reader.skip_until(b'\n').map_err(failed)?;
                self.offset += (lines.len() - whole + rest) as u64;
                lines.truncate(whole);
                too_long += 1;
            }
            self.offset += after_last_break(&lines) as u64;
        }
        Ok((lines, too_long))
    }

    /// Returns the next line, or `None` at the end.
    ///
    /// # Errors
    /// Returns [`Error::Io`] if the file cannot be read.
    pub fn next_line(&mut self) -> Result<Option<NextLine<'_>>> {
        self.next(LongLine::Skipped)
    }

    /// Does the same as [`Self::next_line`] for callers that read only the beginning of a file. A
    /// line longer than [`MAX_LINE`] ends the reading, because a file without line breaks may have
    /// any size.
    ///
    /// # Errors
    /// Returns [`Error::Io`] if the file cannot be read.
    pub fn next_of_beginning(&mut self) -> Result<Option<NextLine<'_>>> {
        self.next(LongLine::Left)
    }

    fn next(&mut self, beyond: LongLine) -> Result<Option<NextLine<'_>>> {
        self.line.clear();
        let failed = |source| Error::io("read", &self.path)(source);
        let reader = &mut self.reader;
        let read = reader
            .take(MAX_LINE as u64)
            .read_until(b'\n', &mut self.line)
            .map_err(failed)?;
        if read == 0 {
            return Ok(None);
        }
        if self.line.pop_if(|last| *last == b'\n').is_some() {
            self.offset += read as u64;
            return Ok(Some(NextLine::Line(&self.line)));
        }
        if read < MAX_LINE {
            return Ok(Some(NextLine::Unfinished(&self.line)));
        }
        if beyond == LongLine::Left {
            return Ok(None);
        }
        let rest = self.reader.skip_until(b'\n').map_err(failed)?;
        self.offset += (read + rest) as u64;
        Ok(Some(NextLine::TooLong))
    }
}

/// What to do with the rest of a line that is too long.
#[derive(Clone, Copy, PartialEq, Eq)]
enum LongLine {
    /// It is skipped, so that the next line can be read.
    Skipped,
    /// It is left unread.
    Left,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    #[allow(clippy::disallowed_methods, reason = "a test lays the file down")]
    fn check(content: &str) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lines");
        std::fs::write(&path, content).unwrap();
        for size in 1..content.len() + 2 {
            let mut lines = LineReader::open(&path).unwrap().unwrap();
            let (mut read, mut is_whole) = (Vec::new(), true);
            loop {
                let (batch, too_long) = lines.next_lines(size).unwrap();
                assert_eq!(too_long, 0);
                if batch.is_empty() {
                    break;
                }
                assert!(is_whole, "more after an unfinished line");
                is_whole = batch.ends_with(b"\n");
                read.extend(batch);
                assert_eq!(lines.offset(), after_last_break(&read) as u64);
            }
            assert_eq!(String::from_utf8(read).unwrap(), content, "by {size}");
        }
    }

    #[test]
    fn lines_are_read_whole_whatever_the_size_of_a_piece() {
        check("");
        check("\n");
        check("one\ntwo\n");
        check("one\n\n\nanother one\nunfinished");
        check("unfinished");
        check("é\nü\n");
    }

    #[test]
    #[allow(clippy::disallowed_methods, reason = "a test lays the file down")]
    fn a_file_that_is_rewritten_while_it_is_read_is_read_again_from_its_start() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lines");
        std::fs::write(&path, "one\n").unwrap();
        let mut lines = LineReader::open(&path).unwrap().unwrap();
        let rewrite = |_: &[u8]| std::fs::write(&path, "a\nb\nc\n").unwrap();
        let position = lines.read_rest(rewrite).unwrap();
        assert_eq!(position.offset, 4);
        let mut again = LineReader::open(&path).unwrap().unwrap();
        assert!(!again.go_on(&position).unwrap());
        let position = again.read_rest(|_| ()).unwrap();
        let mut again = LineReader::open(&path).unwrap().unwrap();
        assert!(again.go_on(&position).unwrap());
        assert_eq!(position, again.position().unwrap());
    }
}
