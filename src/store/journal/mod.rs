//! The journal: a file of JSON Lines. Many processes append to it at the same time without a lock,
//! and it is never truncated.
//!
//! Each record is one `write(2)` of `\n{…}\n`. A process that is killed during its write leaves a
//! fragment in the file; the leading line break separates the next record from it. Readers skip
//! blank lines and count torn ones.
//!
//! A journal that exceeds its limit continues in a new file ([`Journal::rotate`]). The full files,
//! called parts, are compressed later ([`compressed`]). Readers see one stream of lines
//! ([`JournalLines`]).

pub mod compressed;
#[cfg(feature = "cli")]
mod extent;
mod lines;
mod parts;
#[cfg(feature = "cli")]
mod pieces;
pub(super) mod tail;

use std::io;
use std::path::{Path, PathBuf};

#[cfg(feature = "cli")]
use compressed::Compression;
use compressed::{Decompressor, PartReader, is_compressed};
#[cfg(feature = "cli")]
pub use extent::JournalExtent;
#[cfg(feature = "cli")]
pub(super) use lines::beginning_of_file;
pub use lines::{Damage, Events, JournalLines};
pub(super) use lines::{framed, of_file};
use parts::{JournalParts, MAX_PARTS};
#[cfg(feature = "cli")]
pub use pieces::JournalFile;

use super::error::{Error, Result};
use super::file::{self, Meta};
use super::lock;
use super::write::{self, AppendFile, AppendOutcome, Exchange};
use crate::model::{Event, Timestamp};

/// How often an append to a journal with several hard links first continues it in a new file, to
/// spare the backup that made the link. After that, it appends anyway.
const MAX_BACKUPS: u32 = 4;

/// The journal of one session, which may not exist.
#[derive(Debug, Clone)]
pub struct Journal {
    parts: JournalParts,
    /// The way to read compressed parts.
    decompressor: Decompressor,
}

/// The outcome of continuing a journal in a new file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Rotation {
    /// The journal continues in a new file.
    Done,
    /// The journal does not exist, or is not larger than the limit.
    NotDue,
    /// The file system cannot exchange two names; nothing changed.
    Unsupported,
    /// The highest part number is in use.
    TooManyParts,
}

impl Journal {
    pub(super) fn in_folder(folder: &Path, decompressor: Decompressor) -> Self {
        Self {
            parts: JournalParts::in_folder(folder),
            decompressor,
        }
    }

    /// Returns the path of `events.jsonl`, the file to which events are appended.
    pub fn path(&self) -> &Path {
        self.parts.current()
    }

    /// Returns the metadata of the file being written, or `None` if it does not exist.
    ///
    /// As long as they are the same, so is the journal: an event makes that file longer, and a
    /// rotation replaces it. Only a process that was stopped while it appended may still write to
    /// the part before it.
    pub fn meta(&self) -> Option<Meta> {
        Some(file::look(self.path()).ok()??.meta)
    }

    /// Creates the journal, beginning with `event`. Returns whether it was created; an existing
    /// journal is left unchanged.
    ///
    /// # Errors
    /// Returns [`Error::Io`] if the journal cannot be created or written.
    pub fn begin(&self, event: &Event) -> Result<bool> {
        write::begin(self.path(), &framed(&event.encode()))
    }

    /// Appends an event. A missing journal means that the session is new.
    ///
    /// If the file has another hard link, for example from a backup, the journal first continues in
    /// a new file, so that the backup does not change.
    ///
    /// # Errors
    /// Returns [`Error::Untrusted`] if another user may have written the file. Returns
    /// [`Error::Io`] if it cannot be written; a fragment of the line may then be in the file.
    ///
    /// # Durability
    /// Does not sync. If the process is killed, at most this record is lost. A power failure may
    /// lose the last seconds.
    pub fn append(&self, event: &Event) -> Result<AppendOutcome> {
        self.append_lines(&framed(&event.encode()))
    }

    /// Does the same as [`Self::append`], for lines that each begin and end with a line break.
    ///
    /// # Errors
    /// Returns [`Error::Untrusted`] if another user may have written the file. Returns
    /// [`Error::Io`] if it cannot be written; a part of the lines may then be in the file.
    pub(in crate::store) fn append_lines(&self, bytes: &[u8]) -> Result<AppendOutcome> {
        for _ in 0..MAX_BACKUPS {
            match AppendFile::open(self.path())? {
                None => return Ok(AppendOutcome::Missing),
                Some(file) if !file.has_other_names() => return file.append(bytes),
                // If that fails, append anyway: the event matters more than the backup.
                Some(_) if self.leave_to_backup().is_err() => break,
                Some(_) => {}
            }
        }
        write::append(self.path(), bytes)
    }

    /// If the file still has another hard link, continues the journal in a new file.
    fn leave_to_backup(&self) -> Result<()> {
        // Wait for the lock, because its holder may be doing the same. If that takes too long, both
        // do it. That only makes one more part, and loses nothing.
        let _lock = lock::of_session(self.parts.folder());
        let found = file::look(self.path())?;
        if found.is_some_and(|found| found.names > 1) {
            let _ = self.go_on_in_new(None, exchange)?;
        }
        Ok(())
    }

    /// Continues the journal in a new file if it is larger than `limit` bytes. The caller must hold
    /// the lock.
    ///
    /// The new file and the old one exchange names, so a journal exists at every moment. A process
    /// that had opened the old one writes its record there: nothing is lost, and no record is
    /// split.
    ///
    /// # Errors
    /// Returns [`Error::Io`] if a file cannot be created or renamed; the journal is then unchanged.
    pub fn rotate(&self, limit: u64) -> Result<Rotation> {
        if file::look(self.path())?.is_none_or(|found| found.meta.size <= limit) {
            return Ok(Rotation::NotDue);
        }
        self.go_on_in_new(None, exchange)
    }

    /// Continues a journal that was not used for a long time in a new file, so that the old file
    /// can be compressed. The caller must hold the lock.
    ///
    /// The new file gets the modification time of the old one. If the file system cannot exchange
    /// names, nothing changes.
    ///
    /// # Errors
    /// Returns [`Error::Io`] if a file cannot be created or renamed; the journal is then unchanged.
    pub fn put_aside(&self) -> Result<Rotation> {
        let Some(found) = file::look(self.path())?.filter(|found| found.meta.size > 0) else {
            return Ok(Rotation::NotDue);
        };
        let modified = found.meta.modified;
        self.go_on_in_new(Some(modified), |journal, full| {
            if write::exchange(journal, full)? == Exchange::Unsupported {
                return Ok(Rotation::Unsupported);
            }
            // If an event was appended just before the exchange, use its time.
            let last = file::look(full)?.map_or(modified, |full| full.meta.modified);
            let is_unused = file::look(journal)?.is_some_and(|found| found.meta.size == 0);
            if last > modified && is_unused {
                write::set_modified(journal, last)?;
            }
            Ok(Rotation::Done)
        })
    }

    /// Continues the journal in a new file, with the modification time `modified` if given.
    /// `exchange` must swap the names of the journal and of an empty file at the path of the new
    /// part.
    fn go_on_in_new(
        &self,
        modified: Option<Timestamp>,
        exchange: impl Fn(&Path, &Path) -> Result<Rotation>,
    ) -> Result<Rotation> {
        // Number the part after the last one, even if an earlier number is missing.
        let last = self.parts.numbers()?.last().copied().unwrap_or(0);
        for number in last + 1..=MAX_PARTS {
            let full = self.parts.plain(number);
            if write::create_small(&full, b"")? {
                let dated = modified.map(|modified| write::set_modified(&full, modified));
                let exchanged = dated.transpose().and_then(|_| exchange(self.path(), &full));
                if !matches!(exchanged, Ok(Rotation::Done))
                    && file::look(&full)?.is_some_and(|full| full.meta.size == 0)
                {
                    // Remove the unused file, or each later event would leave another one.
                    write::remove(&full)?;
                }
                return exchanged;
            }
        }
        Ok(Rotation::TooManyParts)
    }

    /// Reads the journal, but only the members of each event that a
    /// [`JournalLine`](crate::model::JournalLine) has.
    ///
    /// # Errors
    /// Returns [`Error::Untrusted`] or [`Error::Io`] if a file of the journal cannot be trusted or
    /// opened.
    pub fn lines(&self) -> Result<JournalLines> {
        let (files, numbers) = self.parts.open(self.decompressor, JournalParts::numbers)?;
        Ok(JournalLines::of(files).without(self.parts.missing(&numbers)))
    }

    /// Returns the paths of parts that are missing from the journal.
    ///
    /// # Errors
    /// Returns [`Error::Io`] if the folder cannot be listed.
    #[cfg(feature = "cli")]
    pub(super) fn missing(&self) -> Result<Vec<PathBuf>> {
        Ok(self.parts.missing(&self.parts.numbers_if_any()?))
    }

    /// Reads the journal with all members of each event.
    ///
    /// # Errors
    /// Returns [`Error::Untrusted`] or [`Error::Io`] if a file of the journal cannot be trusted or
    /// opened.
    pub fn events(&self) -> Result<Events> {
        self.lines().map(Events::of)
    }

    /// Reads the last lines of the journal, at most `bytes` bytes in total.
    ///
    /// # Errors
    /// Returns [`Error::Untrusted`] or [`Error::Io`] if a file of the journal cannot be trusted or
    /// opened.
    pub fn last_lines(&self, bytes: u64) -> Result<JournalLines> {
        let files = self.parts.open_end(self.decompressor, bytes)?;
        JournalLines::of_tail(files, bytes).map_err(Error::io("read", self.path()))
    }

    /// Reads the lines from `position` on, in bytes from the beginning of the journal. A line must
    /// start there. Also returns the journal's length in bytes. Compressing parts changes neither
    /// positions nor the length.
    ///
    /// Returns `None` if that position does not exist, or a part is missing or damaged.
    ///
    /// # Errors
    /// Returns [`Error::Untrusted`] or [`Error::Io`] if a file of the journal cannot be trusted or
    /// opened.
    pub(crate) fn lines_from(&self, position: u64) -> Result<Option<(JournalLines, u64)>> {
        let (files, numbers) = self
            .parts
            .open(self.decompressor, JournalParts::numbers_if_any)?;
        if !self.parts.missing(&numbers).is_empty() {
            return Ok(None);
        }
        JournalLines::of_rest(files, position).map_err(Error::io("read", self.path()))
    }

    /// Counts the damage in each file of the journal. Omits files without damage.
    ///
    /// # Errors
    /// Returns [`Error::Untrusted`] or [`Error::Io`] if a file of the journal cannot be trusted or
    /// opened.
    pub fn damage_by_file(&self) -> Result<Vec<(PathBuf, Damage)>> {
        let mut files = Vec::new();
        for number in self.parts.numbers()? {
            files.extend(self.parts.find(number)?.map(|(path, _)| path));
        }
        files.push(self.path().to_owned());
        let mut damaged = Vec::new();
        for path in files {
            let source = PartReader::open(&path, self.decompressor)?;
            let mut damage = JournalLines::of(source.into_iter().collect()).for_each(|_| {});
            if path != self.path() {
                // No process writes to a full part any more, so an unfinished last line is torn.
                damage.torn += std::mem::take(&mut damage.in_flight);
            }
            if damage != Damage::default() {
                damaged.push((path, damage));
            }
        }
        Ok(damaged)
    }

    /// Lists the files of the journal with the names and sizes that they had before
    /// [`Self::put_aside`] renamed them and they were compressed. So the list stays the same if
    /// only the way of storage changes.
    ///
    /// # Errors
    /// Returns [`Error::Untrusted`] or [`Error::Io`] if a file of the journal cannot be trusted or
    /// read, and [`Error::Content`] if a compressed part is damaged.
    #[cfg(feature = "cli")]
    pub fn pieces(&self) -> Result<Vec<JournalFile>> {
        let mut pieces = Vec::new();
        for number in self.parts.numbers()? {
            let Some((path, meta)) = self.parts.find(number)?.filter(parts::has_content) else {
                continue;
            };
            let size = match is_compressed(&path) {
                true => compressed::size(&path)?.unwrap_or(0),
                false => meta.size,
            };
            pieces.push(JournalFile {
                name: self.parts.plain(number),
                size,
                modified: meta.modified,
                path,
            });
        }
        let Some(meta) = file::look(self.path())?.map(|found| found.meta) else {
            return Ok(pieces);
        };
        let path = self.path().to_owned();
        match pieces.last_mut() {
            Some(last) if meta.size == 0 && last.modified == meta.modified => last.name = path,
            _ => pieces.push(JournalFile {
                name: path.clone(),
                size: meta.size,
                modified: meta.modified,
                path,
            }),
        }
        Ok(pieces)
    }

    /// Lists the uncompressed files that are worth compressing: at least `least` bytes long, and
    /// with a modification time for which `is_old` returns true. The last one may be
    /// `events.jsonl`.
    ///
    /// # Errors
    /// Returns [`Error::Io`] if the folder cannot be listed.
    pub fn compressible(
        &self,
        least: u64,
        is_old: impl Fn(Timestamp) -> bool,
    ) -> Result<Vec<PathBuf>> {
        let numbers = self.parts.numbers()?.into_iter();
        let paths = numbers.map(|number| self.parts.plain(number));
        let mut found = Vec::new();
        for path in paths.chain([self.path().to_owned()]) {
            let meta = file::look(&path)?.map(|found| found.meta);
            let is_worth_it = |meta: &Meta| meta.size >= least && is_old(meta.modified);
            found.extend(meta.filter(is_worth_it).map(|_| path));
        }
        Ok(found)
    }

    /// Compresses a full part. If the process is killed at any moment, no event is lost, and none
    /// is read twice.
    ///
    /// # Errors
    /// Returns [`Error::Untrusted`] if the part cannot be trusted, and [`Error::Io`] if it cannot
    /// be read or written, for example because the disk is full. The part is unchanged then.
    #[cfg(feature = "cli")]
    pub fn compress(&self, part: &Path) -> Result<Compression> {
        let mut compressed = part.as_os_str().to_owned();
        compressed.push(compressed::ENDING);
        compressed::compress(part, Path::new(&compressed))
    }

    /// Returns an error for each compressed part that cannot be read to its end.
    ///
    /// # Errors
    /// Returns [`Error::Io`] if the folder cannot be listed.
    pub fn unreadable(&self) -> Result<Vec<Error>> {
        let mut unreadable = Vec::new();
        for number in self.parts.numbers()? {
            let found = self.parts.find(number)?;
            let Some((path, _)) = found.filter(|(path, _)| is_compressed(path)) else {
                continue;
            };
            let read = PartReader::open(&path, self.decompressor).and_then(|source| {
                let copied = source.map(|mut source| io::copy(&mut source, &mut io::sink()));
                copied.transpose().map_err(Error::io("decompress", &path))
            });
            unreadable.extend(read.err());
        }
        Ok(unreadable)
    }
}

/// Swaps the full journal at `journal` with the empty file at `full`. If the file system cannot
/// swap names, renames the journal and creates an empty one.
fn exchange(journal: &Path, full: &Path) -> Result<Rotation> {
    if write::exchange(journal, full)? == Exchange::Done {
        return Ok(Rotation::Done);
    }
    // Between these two calls no journal exists; an event that arrives then creates one.
    write::rename(journal, full)?;
    write::begin(journal, b"").map(|_| Rotation::Done)
}
