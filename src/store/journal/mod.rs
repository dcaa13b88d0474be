//! The journal: JSON Lines, appended to by many processes at once, never locked, never truncated.
//!
//! Each record is one `write(2)` of `\n{…}\n`. A process killed inside its write leaves a fragment
//! in the file. The leading line break separates the next record from it. Readers skip blank lines
//! and count torn ones.
//!
//! A journal that outgrows its limit continues in a new file ([`Journal::rotate`]). The full files,
//! its parts, are compressed later ([`compressed`]). Readers see one stream ([`Lines`]).

pub mod compressed;
mod lines;
mod parts;
#[cfg(feature = "cli")]
mod pieces;
pub(super) mod tail;

use std::io;
use std::path::{Path, PathBuf};

#[cfg(feature = "cli")]
use compressed::Compression;
use compressed::{Decompressor, Source, is_compressed};
pub use lines::{Damage, Events, Lines};
pub(super) use lines::{framed, of_file};
use parts::{MAX_PARTS, Parts};
#[cfg(feature = "cli")]
pub use pieces::Piece;

use super::error::{Error, Result};
use super::file::{self, Meta};
use super::lock;
use super::write::{self, Appended, Appending, Exchange};
use crate::model::{Event, Timestamp};

/// How often a journal is left to backups that are made at this very moment, before one is appended to.
const MAX_BACKUPS: u32 = 4;

/// The journal of one session, which may not exist.
#[derive(Debug, Clone)]
pub struct Journal {
    parts: Parts,
    /// What opens its compressed parts.
    decompressor: Decompressor,
}

/// Whether a journal goes on in a new file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Rotation {
    /// It does.
    Done,
    /// It does not exist, or is not larger than the limit.
    NotDue,
    /// The file system cannot exchange two names. Nothing has changed.
    Unsupported,
    /// There are as many parts as there can be.
    TooManyParts,
}

impl Journal {
    pub(super) fn in_folder(folder: &Path, decompressor: Decompressor) -> Self {
        Self {
            parts: Parts::in_folder(folder),
            decompressor,
        }
    }

    /// Returns the file that is being written.
    pub fn path(&self) -> &Path {
        self.parts.current()
    }

    /// Creates the journal, beginning with `event`. Returns whether it was created: an existing one stays as it is.
    ///
    /// # Errors
    /// As [`write::begin`].
    pub fn begin(&self, event: &Event) -> Result<bool> {
        write::begin(self.path(), &framed(&event.encode()))
    }

    /// Appends an event. A missing journal means a session first heard of now. A journal that has another name, as after a
    /// backup by hard links, goes on in a new file first: the backup stays as it is.
    ///
    /// # Errors
    /// As [`write::append`]: [`Error::Unsafe`], or [`Error::Io`], after which a fragment may be in the file.
    ///
    /// # Durability
    /// No fsync. Killing the process loses at most this record, and no other; a power failure may lose the last seconds.
    pub fn append(&self, event: &Event) -> Result<Appended> {
        let bytes = framed(&event.encode());
        for _ in 0..MAX_BACKUPS {
            match Appending::open(self.path())? {
                None => return Ok(Appended::Missing),
                Some(file) if !file.has_other_names() => return file.append(&bytes),
                // Where that fails, the event is worth more than the copy.
                Some(_) if self.leave_to_backup().is_err() => break,
                Some(_) => {}
            }
        }
        write::append(self.path(), &bytes)
    }

    /// Lets a journal that has another name go on in a new file.
    fn leave_to_backup(&self) -> Result<()> {
        // Who holds the lock may be about to do the same. Where that takes too long, both do: one part more, and no loss.
        let _lock = lock::of_session(self.parts.folder());
        let found = file::look(self.path())?;
        if found.is_some_and(|found| found.names > 1) {
            let _ = self.go_on_in_new(None, exchange)?;
        }
        Ok(())
    }

    /// Lets the journal go on in a new file where it is larger than `limit` bytes.
    ///
    /// The new file and the old one exchange their names, so that there is a journal at every moment. A process that
    /// opened the old one before writes its record there: nothing is lost, and no record is split.
    ///
    /// # Errors
    /// [`Error::Io`]; the journal is as it was. The caller holds the lock.
    pub fn rotate(&self, limit: u64) -> Result<Rotation> {
        if file::look(self.path())?.is_none_or(|found| found.meta.size <= limit) {
            return Ok(Rotation::NotDue);
        }
        self.go_on_in_new(None, exchange)
    }

    /// Puts a journal aside to which nothing was added for long, so that it can be compressed: it goes on in a new file,
    /// which is as old. Where the file system cannot exchange names, it stays where it is.
    ///
    /// # Errors
    /// As [`Self::rotate`]. The caller holds the lock.
    pub fn put_aside(&self) -> Result<Rotation> {
        let Some(found) = file::look(self.path())?.filter(|found| found.meta.size > 0) else {
            return Ok(Rotation::NotDue);
        };
        let modified = found.meta.modified;
        self.go_on_in_new(Some(modified), |journal, full| {
            if write::exchange(journal, full)? == Exchange::Unsupported {
                return Ok(Rotation::Unsupported);
            }
            // An event that came just before is the last activity.
            let last = file::look(full)?.map_or(modified, |full| full.meta.modified);
            let is_unused = file::look(journal)?.is_some_and(|found| found.meta.size == 0);
            if last > modified && is_unused {
                write::set_modified(journal, last)?;
            }
            Ok(Rotation::Done)
        })
    }

    /// Lets the journal go on in a new file, as old as `modified` if that is given: `exchange` gives the journal the name of
    /// a full part and the empty file there the journal's.
    fn go_on_in_new(
        &self,
        modified: Option<Timestamp>,
        exchange: impl Fn(&Path, &Path) -> Result<Rotation>,
    ) -> Result<Rotation> {
        // After the last one: a number that is missing stays so.
        let last = self.parts.numbers()?.last().copied().unwrap_or(0);
        for number in last + 1..=MAX_PARTS {
            let full = self.parts.plain(number);
            if write::create_small(&full, b"")? {
                let dated = modified.map(|modified| write::set_modified(&full, modified));
                let exchanged = dated.transpose().and_then(|_| exchange(self.path(), &full));
                if !matches!(exchanged, Ok(Rotation::Done))
                    && file::look(&full)?.is_some_and(|full| full.meta.size == 0)
                {
                    // Otherwise each later event would leave another one.
                    write::remove(&full)?;
                }
                return exchanged;
            }
        }
        Ok(Rotation::TooManyParts)
    }

    /// Reads the journal for views: what they need of each event.
    ///
    /// # Errors
    /// [`Error::Unsafe`], [`Error::Io`].
    pub fn lines(&self) -> Result<Lines> {
        let (files, numbers) = self.parts.open(self.decompressor, Parts::numbers)?;
        Ok(Lines::of(files).without(self.parts.missing(&numbers)))
    }

    /// Reads the journal: all that each event says.
    ///
    /// # Errors
    /// [`Error::Unsafe`], [`Error::Io`].
    pub fn events(&self) -> Result<Events> {
        self.lines().map(Events::of)
    }

    /// Reads the last lines, at most `bytes` of them.
    ///
    /// # Errors
    /// [`Error::Unsafe`], [`Error::Io`].
    pub fn last_lines(&self, bytes: u64) -> Result<Lines> {
        let (files, _) = self.parts.open(self.decompressor, Parts::numbers_if_any)?;
        Lines::of_tail(files, bytes).map_err(Error::io("read", self.path()))
    }

    /// Reads the lines from a place on at which one starts, `position` bytes after the journal's beginning, and returns with
    /// them how many bytes the journal has: the same whether its parts are compressed or not. Returns nothing where there is
    /// no such place, or a part is missing or damaged.
    ///
    /// # Errors
    /// [`Error::Unsafe`], [`Error::Io`].
    pub(crate) fn lines_from(&self, position: u64) -> Result<Option<(Lines, u64)>> {
        let (files, numbers) = self.parts.open(self.decompressor, Parts::numbers_if_any)?;
        if !self.parts.missing(&numbers).is_empty() {
            return Ok(None);
        }
        Lines::of_rest(files, position).map_err(Error::io("read", self.path()))
    }

    /// Counts the damage in each of its files, for those that have any.
    ///
    /// # Errors
    /// [`Error::Unsafe`], [`Error::Io`].
    pub fn damage_by_file(&self) -> Result<Vec<(PathBuf, Damage)>> {
        let mut files = Vec::new();
        for number in self.parts.numbers()? {
            files.extend(self.parts.find(number)?.map(|(path, _)| path));
        }
        files.push(self.path().to_owned());
        let mut damaged = Vec::new();
        for path in files {
            let source = Source::open(&path, self.decompressor)?;
            let mut damage = Lines::of(source.into_iter().collect()).for_each(|_| {});
            if path != self.path() {
                // Nobody writes to it any more, so a line without an end is torn.
                damage.torn += std::mem::take(&mut damage.in_flight);
            }
            if damage != Damage::default() {
                damaged.push((path, damage));
            }
        }
        Ok(damaged)
    }

    /// Lists its files as they were before the journal was put aside and its parts were compressed: that changes nothing of
    /// what is on record.
    ///
    /// # Errors
    /// [`Error::Unsafe`], [`Error::Io`], [`Error::Content`] where a compressed part is damaged.
    #[cfg(feature = "cli")]
    pub fn pieces(&self) -> Result<Vec<Piece>> {
        let mut pieces = Vec::new();
        for number in self.parts.numbers()? {
            let Some((path, meta)) = self.parts.find(number)?.filter(parts::has_content) else {
                continue;
            };
            let size = match is_compressed(&path) {
                true => compressed::size(&path)?.unwrap_or(0),
                false => meta.size,
            };
            pieces.push(Piece {
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
            _ => pieces.push(Piece {
                name: path.clone(),
                size: meta.size,
                modified: meta.modified,
                path,
            }),
        }
        Ok(pieces)
    }

    /// Lists the plain files that could be compressed: of at least `least` bytes, and last written when `is_old` says yes. The
    /// one that is being written may be among them, as the last.
    ///
    /// # Errors
    /// [`Error::Io`].
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

    /// Compresses one of the full parts. Whenever a process is killed, nothing is lost and nothing is read twice.
    ///
    /// # Errors
    /// [`Error::Unsafe`], [`Error::Io`], as where the disk is full; then the part is as it was.
    #[cfg(feature = "cli")]
    pub fn compress(&self, part: &Path) -> Result<Compression> {
        let mut compressed = part.as_os_str().to_owned();
        compressed.push(compressed::ENDING);
        compressed::compress(part, Path::new(&compressed))
    }

    /// Returns for each damaged compressed part why it cannot be read to its end.
    ///
    /// # Errors
    /// [`Error::Io`] where the folder cannot be listed.
    pub fn unreadable(&self) -> Result<Vec<Error>> {
        let mut unreadable = Vec::new();
        for number in self.parts.numbers()? {
            let found = self.parts.find(number)?;
            let Some((path, _)) = found.filter(|(path, _)| is_compressed(path)) else {
                continue;
            };
            let read = Source::open(&path, self.decompressor).and_then(|source| {
                let copied = source.map(|mut source| io::copy(&mut source, &mut io::sink()));
                copied.transpose().map_err(Error::io("decompress", &path))
            });
            unreadable.extend(read.err());
        }
        Ok(unreadable)
    }
}

/// Gives the full journal at `journal` the name of the empty file at `full`, and an empty one its name.
fn exchange(journal: &Path, full: &Path) -> Result<Rotation> {
    if write::exchange(journal, full)? == Exchange::Done {
        return Ok(Rotation::Done);
    }
    // For a moment there is no journal: an event that comes then begins one.
    write::rename(journal, full)?;
    write::begin(journal, b"").map(|_| Rotation::Done)
}
