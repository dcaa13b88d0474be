//! Which files a journal consists of: the one that is being written, and the full parts before it, compressed or not.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::compressed::{Decompressor, ENDING, Source, is_compressed};
use crate::store::error::{Error, Result};
use crate::store::file::{self, Meta};

/// The name of the file that is being written.
const CURRENT: &str = "events.jsonl";
/// The highest number of a part; parts are large, so no journal comes near. A file of a higher number is not ours.
pub(super) const MAX_PARTS: u32 = 1_000_000;
/// The most missing files that are named.
const MAX_MISSING: usize = 100;
/// The most parts that are asked for by name, where a listing has not shown them.
const MAX_BETWEEN: usize = 10_000;

/// The files of one journal, all in one folder.
#[derive(Debug, Clone)]
pub(super) struct Parts {
    current: PathBuf,
}

/// A file's device and inode.
type Identity = (u64, u64);

impl Parts {
    /// Names the files of the journal in `folder`, which may not exist.
    pub(super) fn in_folder(folder: &Path) -> Self {
        Self {
            current: folder.join(CURRENT),
        }
    }

    /// Returns the file that is being written.
    pub(super) fn current(&self) -> &Path {
        &self.current
    }

    /// Returns the folder that the files are in.
    pub(super) fn folder(&self) -> &Path {
        self.current.parent().unwrap_or(&self.current)
    }

    /// Returns where the full part of this number is; the first one is the oldest.
    pub(super) fn plain(&self, number: u32) -> PathBuf {
        self.current.with_file_name(plain_name(number))
    }

    /// Returns where that part is once it is compressed.
    fn compressed(&self, number: u32) -> PathBuf {
        self.current
            .with_file_name(format!("events.{number}.jsonl{ENDING}"))
    }

    /// Finds the part of this number, compressed or not. If both exist, the plain one is authoritative: compression removes
    /// it last, and nothing ever decompresses in place.
    pub(super) fn find(&self, number: u32) -> Result<Option<(PathBuf, Meta)>> {
        for path in [self.plain(number), self.compressed(number)] {
            if let Some(found) = file::look(&path)? {
                return Ok(Some((path, found.meta)));
            }
        }
        Ok(None)
    }

    /// Returns the numbers of the full parts that exist, in order.
    pub(super) fn numbers(&self) -> Result<Vec<u32>> {
        let number = |name: OsString| {
            let plain = name.to_str()?;
            let plain = plain.strip_suffix(ENDING).unwrap_or(plain);
            let number = plain.strip_prefix("events.")?.strip_suffix(".jsonl")?;
            let number: u32 = number.parse().ok()?;
            // Written in one way only.
            let is_ours = (1..=MAX_PARTS).contains(&number);
            (is_ours && plain_name(number) == plain).then_some(number)
        };
        let mut numbers: Vec<u32> = file::names(self.folder())?.filter_map(number).collect();
        numbers.sort_unstable();
        numbers.dedup();
        // A listing may miss a file that is created meanwhile. So those between are asked for by name, and those since.
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

    /// As [`Self::numbers`], for readers of many journals' ends: the folder is not listed where neither of the first two
    /// parts exists.
    pub(super) fn numbers_if_any(&self) -> Result<Vec<u32>> {
        for number in [1, 2] {
            if self.find(number)?.is_some() {
                return self.numbers();
            }
        }
        Ok(Vec::new())
    }

    /// Returns where the full parts are and what is known of each, the oldest first: those before the one that is `newest`.
    ///
    /// # Errors
    /// [`Error::Io`].
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

    /// Returns the full parts that are missing where those of `numbers` exist.
    pub(super) fn missing(&self, numbers: &[u32]) -> Vec<PathBuf> {
        let last = numbers.last().copied().unwrap_or(0);
        let missing = (1..last).filter(|number| numbers.binary_search(number).is_err());
        let missing = missing.map(|number| self.plain(number));
        missing.take(MAX_MISSING).collect()
    }

    /// Opens all files, the oldest first, and returns with them the numbers of the full parts, which `numbers` lists.
    pub(super) fn open(
        &self,
        decompressor: Decompressor,
        numbers: impl Fn(&Self) -> Result<Vec<u32>>,
    ) -> Result<(Vec<Source>, Vec<u32>)> {
        loop {
            // The newest comes first: if it is rotated meanwhile, it is found among the full ones, and the last of them.
            let newest = file::opened_own(&self.current)?;
            let numbers = numbers(self)?;
            let Some((newest, stat)) = newest else {
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
            // Without a name here it was compressed meanwhile, and is among the full ones in another form.
            if names == 1 || is_current()? {
                files.push(Source::Plain(newest));
                return Ok((files, numbers));
            }
        }
    }

    /// Opens the full parts of these numbers up to the one that is `newest`, and returns whether that one is among them.
    fn open_before(
        &self,
        decompressor: Decompressor,
        newest: Option<Identity>,
        numbers: &[u32],
    ) -> Result<(Vec<Source>, bool)> {
        let mut files = Vec::new();
        for number in numbers {
            let path = self.plain(*number);
            if let Some((file, stat)) = file::opened_own(&path)? {
                let part = Some(Meta::from(&stat).identity);
                let named = file::look(&path)?.map(|found| found.meta.identity);
                // One without content, or whose name another has by now, is not full: it is about to become the journal.
                if stat.st_size > 0 && (named == part || part == newest) {
                    files.push(Source::Plain(file));
                }
                if part == newest {
                    return Ok((files, true));
                }
                if named.is_some() {
                    continue;
                }
                // It was compressed at this very moment.
            }
            files.extend(Source::open(&self.compressed(*number), decompressor)?);
        }
        Ok((files, false))
    }
}

fn plain_name(number: u32) -> String {
    format!("events.{number}.jsonl")
}

/// Returns whether a part has any content, as in [`Parts::open_before`]. A compressed one that is empty is damaged.
pub(super) fn has_content((path, meta): &(PathBuf, Meta)) -> bool {
    meta.size > 0 || is_compressed(path)
}
