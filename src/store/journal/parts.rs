//! Finds the files of a journal: `events.jsonl`, to which events are appended, and the full parts
//! before it, compressed or not.

use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};

use rustix::fs::Stat;

use super::compressed::{Decompressor, ENDING, LaterPart, PartReader, is_compressed};
use crate::store::error::{Error, Result};
use crate::store::file::{self, Meta};

/// The name of the file to which events are appended.
const CURRENT: &str = "events.jsonl";
/// The highest part number. Parts are large, so no journal reaches it. A file with a higher number
/// is ignored.
pub(super) const MAX_PARTS: u32 = 1_000_000;
/// The most missing parts that are listed.
const MAX_MISSING: usize = 100;
/// The most parts that are looked up by name because the listing of the folder did not show them.
const MAX_BETWEEN: usize = 10_000;

/// The files of one journal, all in one folder.
#[derive(Debug, Clone)]
pub(super) struct JournalParts {
    current: PathBuf,
}

/// A file's device and inode.
type Identity = (u64, u64);

impl JournalParts {
    /// Creates the names for the journal in `folder`, which may not exist.
    pub(super) fn in_folder(folder: &Path) -> Self {
        Self {
            current: folder.join(CURRENT),
        }
    }

    /// Returns the path of the file to which events are appended.
    pub(super) fn current(&self) -> &Path {
        &self.current
    }

    /// Returns the folder of the files.
    pub(super) fn folder(&self) -> &Path {
        self.current.parent().unwrap_or(&self.current)
    }

    /// Returns the path of the uncompressed part with this number. The oldest part has number 1.
    pub(super) fn plain(&self, number: u32) -> PathBuf {
        self.current.with_file_name(plain_name(number))
    }

    /// Returns the path of the compressed part with this number.
    fn compressed(&self, number: u32) -> PathBuf {
        self.current
            .with_file_name(format!("events.{number}.jsonl{ENDING}"))
    }

    /// Finds the part with this number, compressed or not. If both files exist, returns the
    /// uncompressed one, because compression removes it last.
    pub(super) fn find(&self, number: u32) -> Result<Option<(PathBuf, Meta)>> {
        for path in [self.plain(number), self.compressed(number)] {
            if let Some(found) = file::look(&path)? {
                return Ok(Some((path, found.meta)));
            }
        }
        Ok(None)
    }

    /// Returns the numbers of the existing full parts, in order.
    pub(super) fn numbers(&self) -> Result<Vec<u32>> {
        let number = |name: OsString| {
            let plain = name.to_str()?;
            let plain = plain.strip_suffix(ENDING).unwrap_or(plain);
            let number = plain.strip_prefix("events.")?.strip_suffix(".jsonl")?;
            let number: u32 = number.parse().ok()?;
            // Accept only the spelling that this program writes, without leading zeros.
            let is_ours = (1..=MAX_PARTS).contains(&number);
            (is_ours && plain_name(number) == plain).then_some(number)
        };
        let mut numbers: Vec<u32> = file::names(self.folder())?.filter_map(number).collect();
        numbers.sort_unstable();
        numbers.dedup();
        // A listing may miss a file that is created meanwhile. So look up the missing numbers and
        // the next ones by name.
        let last = numbers.last().copied().unwrap_or(0);
        let between: Vec<u32> = (1..last)
            .filter(|number| numbers.binary_search(number).is_err())
            .take(MAX_BETWEEN)
            .collect();
        for number in between.into_iter().chain(last + 1..=MAX_PARTS) {
            if self.find(number)?.is_some() {
                numbers.push(number);
            } else if number > last {
                break;
            }
        }
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// Does the same as [`Self::numbers`], but does not list the folder if neither of the first two
    /// parts exists. Made for callers that read the ends of many journals.
    pub(super) fn numbers_if_any(&self) -> Result<Vec<u32>> {
        for number in [1, 2] {
            if self.find(number)?.is_some() {
                return self.numbers();
            }
        }
        Ok(Vec::new())
    }

    /// Returns the path and metadata of the full parts before the file `newest`, oldest first.
    ///
    /// # Errors
    /// Returns [`Error::Io`] if the folder cannot be listed.
    pub(super) fn before(&self, newest: Identity) -> Result<Vec<(PathBuf, Meta)>> {
        let mut parts = Vec::new();
        for number in self.numbers()? {
            match self.find(number)? {
                Some((_, meta)) if meta.identity == newest => break,
                Some(part) => parts.push(part),
                None => {}
            }
        }
        parts.retain(has_content);
        Ok(parts)
    }

    /// Returns the paths of the parts whose numbers are missing in the sequence `numbers`.
    pub(super) fn missing(&self, numbers: &[u32]) -> Vec<PathBuf> {
        let last = numbers.last().copied().unwrap_or(0);
        let missing = (1..last).filter(|number| numbers.binary_search(number).is_err());
        let missing = missing.map(|number| self.plain(number));
        missing.take(MAX_MISSING).collect()
    }

    /// Opens all files of the journal, oldest first. `numbers` lists the full parts; its result is
    /// returned, too. A full part is checked now, and opened again when it is read.
    pub(super) fn open(
        &self,
        decompressor: Decompressor,
        numbers: impl Fn(&Self) -> Result<Vec<u32>>,
    ) -> Result<(Vec<PartReader>, Vec<u32>)> {
        let newest = file::opened_own(&self.current)?;
        self.open_with(newest, decompressor, numbers)
    }

    /// Opens the files, oldest first, that contain the last `bytes` bytes of the journal and one
    /// byte before. If `events.jsonl` is long enough, does not look for parts.
    pub(super) fn open_end(
        &self,
        decompressor: Decompressor,
        bytes: u64,
    ) -> Result<Vec<PartReader>> {
        let newest = file::opened_own(&self.current)?;
        match newest {
            Some((file, stat)) if Meta::from(&stat).size > bytes => {
                Ok(vec![PartReader::Plain(file)])
            }
            newest => {
                let numbers = Self::numbers_if_any;
                let (files, _) = self.open_with(newest, decompressor, numbers)?;
                Ok(files)
            }
        }
    }

    /// Does the same as [`Self::open`] for a caller that has already opened `events.jsonl`.
    ///
    /// If that file is rotated meanwhile, it is found as the last of the full parts.
    fn open_with(
        &self,
        mut opened: Option<(File, Stat)>,
        decompressor: Decompressor,
        numbers: impl Fn(&Self) -> Result<Vec<u32>>,
    ) -> Result<(Vec<PartReader>, Vec<u32>)> {
        loop {
            let numbers = numbers(self)?;
            let Some((newest, stat)) = opened else {
                let (files, _) = self.open_before(decompressor, None, &numbers)?;
                return Ok((files, numbers));
            };
            let identity = Meta::from(&stat).identity;
            let (mut files, has_newest) =
                self.open_before(decompressor, Some(identity), &numbers)?;
            if has_newest {
                return Ok((files, numbers));
            }
            let stat = rustix::fs::fstat(&newest);
            let names = stat.map_err(Error::io("inspect", &self.current))?;
            let names = file::names_of(&names);
            let is_current = || {
                let found = file::look(&self.current)?;
                Ok::<_, Error>(found.is_some_and(|found| found.meta.identity == identity))
            };
            // If the opened file is no longer the journal and is not among the parts, it was
            // compressed meanwhile; then start again.
            if names == 1 || is_current()? {
                files.push(PartReader::Plain(newest));
                return Ok((files, numbers));
            }
            opened = file::opened_own(&self.current)?;
        }
    }

    /// Opens the full parts with these numbers, up to the file `newest`. Also returns whether that
    /// file is among them.
    fn open_before(
        &self,
        decompressor: Decompressor,
        newest: Option<Identity>,
        numbers: &[u32],
    ) -> Result<(Vec<PartReader>, bool)> {
        let mut files = Vec::new();
        for number in numbers {
            let path = self.plain(*number);
            if let Some((_, stat)) = file::opened_own(&path)? {
                let part = Some(Meta::from(&stat).identity);
                let named = file::look(&path)?.map(|found| found.meta.identity);
                // Skip a file that is empty or was replaced meanwhile: a rotation has just created
                // it, and it becomes the journal.
                if stat.st_size > 0 && (named == part || part == newest) {
                    let compressed = self.compressed(*number);
                    let part = LaterPart::plain(path, compressed, Meta::from(&stat), decompressor);
                    files.push(PartReader::Later(part));
                }
                if part == newest {
                    return Ok((files, true));
                }
                if named.is_some() {
                    continue;
                }
                // The part was compressed between the two calls.
            }
            let (plain, compressed) = (self.plain(*number), self.compressed(*number));
            let part = LaterPart::compressed(plain, compressed, decompressor)?;
            files.extend(part.map(PartReader::Later));
        }
        Ok((files, false))
    }
}

fn plain_name(number: u32) -> String {
    format!("events.{number}.jsonl")
}

/// Returns whether a file counts as a part of the journal: an empty file does not. An empty
/// compressed file does, because it is a damaged part.
pub(super) fn has_content((path, meta): &(PathBuf, Meta)) -> bool {
    meta.size > 0 || is_compressed(path)
}
