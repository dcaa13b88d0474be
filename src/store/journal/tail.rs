//! Follows the end of a journal while it grows: each call of [`Tail::look`] returns the lines that
//! were added since the last one.
//!
//! A rotated file is recognized by its device and inode, so that no line is lost or returned twice.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;

use super::Journal;
use super::compressed::{Decompressor, PartReader, is_compressed};
use crate::store::error::{Error, Result};
use crate::store::file::{self, Meta};
use crate::store::lines::{LineReader, ReadPosition};

/// How many files of a journal are followed. More than one, because a process that opened a file
/// before its rotation may still write to it a moment later.
const MAX_PARTS: usize = 4;

/// The journal of a session, and how far it was read.
#[derive(Debug)]
pub(in crate::store) struct Tail {
    journal: Journal,
    /// The files that are followed, oldest first. The last one was `events.jsonl` at the last call
    /// of `look`.
    parts: Vec<TailFile>,
}

/// A file of a journal, and how far it was read.
#[derive(Debug)]
struct TailFile {
    path: PathBuf,
    identity: (u64, u64),
    place: TailPosition,
    /// The file's metadata when it was last read to its end.
    read: Option<Meta>,
}

/// The position at which reading continues.
#[derive(Debug)]
enum TailPosition {
    /// The start of the line that contains this byte.
    Near(u64),
    /// The start of the line this many bytes before the end, in a compressed part.
    BeforeEnd(u64),
    /// The position at which the last call of `look` ended.
    After(ReadPosition),
}

impl Tail {
    /// Follows the journal from its beginning.
    pub(in crate::store) fn at_start(journal: &Journal) -> Self {
        Self {
            journal: journal.clone(),
            parts: Vec::new(),
        }
    }

    /// Follows the journal from its end.
    ///
    /// # Errors
    /// Returns [`Error::Io`](crate::store::Error::Io) if the journal cannot be inspected.
    pub(in crate::store) fn at_end(journal: &Journal) -> Result<Self> {
        let mut tail = Self::at_start(journal);
        let path = journal.path().to_owned();
        if let Some(found) = file::look(&path)? {
            tail.parts.push(TailFile {
                read: Some(found.meta),
                ..TailFile::before_end(path, found.meta, 0)
            });
        }
        Ok(tail)
    }

    /// Follows the journal from `bytes` bytes before its end on. Also returns the last `bytes`
    /// bytes of the full part before it, because `events.jsonl` may be short after a rotation. An
    /// empty `events.jsonl`, which [`Journal::put_aside`] leaves behind, does not count as a file.
    ///
    /// # Errors
    /// Returns [`Error::Io`](crate::store::Error::Io) if the journal cannot be inspected or read.
    pub(in crate::store) fn ending(journal: &Journal, bytes: u64) -> Result<Self> {
        let mut tail = Self::at_start(journal);
        let path = journal.path().to_owned();
        if let Some(found) = file::look(&path)? {
            let mut before = journal.parts.before(found.meta.identity)?;
            let wanted = if found.meta.size == 0 { 2 } else { 1 };
            let parts = before.split_off(before.len().saturating_sub(wanted));
            let parts = parts.into_iter().chain([(path, found.meta)]);
            tail.parts = parts
                .map(|(path, meta)| TailFile::before_end(path, meta, bytes))
                .collect();
        }
        Ok(tail)
    }

    /// Passes each line that was added since the last call to `reader`, without its line break.
    ///
    /// # Errors
    /// Returns [`Error::Untrusted`](crate::store::Error::Untrusted) if another user may have
    /// written the journal, and [`Error::Io`](crate::store::Error::Io) if it cannot be read.
    pub(in crate::store) fn look(&mut self, reader: &mut impl FnMut(&[u8])) -> Result<()> {
        self.follow_rotation()?;
        for part in &mut self.parts {
            part.read_on(self.journal.decompressor, reader)?;
        }
        let surplus = self.parts.len().saturating_sub(MAX_PARTS);
        self.parts.drain(..surplus);
        Ok(())
    }

    /// Finds the followed files again if `events.jsonl` is now another file.
    fn follow_rotation(&mut self) -> Result<()> {
        let path = self.journal.path().to_owned();
        let Some(found) = file::look(&path)? else {
            return Ok(());
        };
        let newest = found.meta.identity;
        let last = self.parts.last_mut();
        if last.as_ref().is_some_and(|last| last.identity == newest) {
            return Ok(());
        }
        let mut rotated = self.journal.parts.before(newest)?.into_iter();
        if let Some(last) = last {
            match rotated.find(|(_, meta)| meta.identity == last.identity) {
                Some((path, _)) => last.path = path,
                // It is a different journal: the session was removed and began again.
                None => self.parts.clear(),
            }
        }
        let between = rotated.map(|(path, meta)| TailFile::new(path, meta.identity));
        self.parts.extend(between);
        self.parts.push(TailFile::new(path, newest));
        Ok(())
    }
}

impl TailFile {
    fn new(path: PathBuf, identity: (u64, u64)) -> Self {
        Self {
            path,
            identity,
            place: TailPosition::Near(0),
            read: None,
        }
    }

    fn before_end(path: PathBuf, meta: Meta, bytes: u64) -> Self {
        let place = match is_compressed(&path) {
            true => TailPosition::BeforeEnd(bytes),
            false => TailPosition::Near(meta.size.saturating_sub(bytes)),
        };
        Self {
            place,
            ..Self::new(path, meta.identity)
        }
    }

    /// Reads the lines that were completed since the last call. Reads a rewritten file from its
    /// start.
    fn read_on(
        &mut self,
        decompressor: Decompressor,
        reader: &mut impl FnMut(&[u8]),
    ) -> Result<()> {
        let found = file::look(&self.path)?.map(|found| found.meta);
        // If another file has this name now, read nothing; the next call finds the followed file.
        let is_it = |meta: &Meta| meta.identity == self.identity;
        if found == self.read || !found.as_ref().is_some_and(is_it) {
            return Ok(());
        }
        if is_compressed(&self.path) {
            self.read = found;
            return self.read_compressed(decompressor, reader);
        }
        let Some(mut lines) = LineReader::open(&self.path)?.filter(|lines| is_it(&lines.meta()))
        else {
            return Ok(());
        };
        match &self.place {
            TailPosition::Near(offset) => lines.go_near(*offset)?,
            TailPosition::After(position) => drop(lines.go_on(position)?),
            TailPosition::BeforeEnd(_) => {}
        }
        self.place = TailPosition::After(lines.read_rest(reader)?);
        self.read = Some(lines.meta());
        Ok(())
    }

    /// Reads the lines of a compressed part.
    fn read_compressed(
        &self,
        decompressor: Decompressor,
        reader: &mut impl FnMut(&[u8]),
    ) -> Result<()> {
        let failed = Error::io("decompress", &self.path);
        let Some(source) = PartReader::open(&self.path, decompressor)? else {
            return Ok(());
        };
        let size = source.size().ok().flatten().unwrap_or(0);
        let start = match self.place {
            TailPosition::BeforeEnd(bytes) => size.saturating_sub(bytes),
            TailPosition::Near(_) | TailPosition::After(_) => 0,
        };
        let mut source = BufReader::new(source);
        let (mut line, mut end) = (Vec::new(), 0);
        loop {
            line.clear();
            match source.read_until(b'\n', &mut line) {
                Ok(0) => return Ok(()),
                Ok(length) => end += length as u64,
                Err(err) => return Err(failed(err)),
            }
            if end > start && line.pop_if(|last| *last == b'\n').is_some() {
                reader(&line);
            }
        }
    }
}
