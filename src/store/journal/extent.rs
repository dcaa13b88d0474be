//! How much of a journal there was at some moment, so that exactly those events can be read again.
//!
//! The files that a journal consists of only grow, and their order never changes, whether they are
//! rotated, put aside or compressed meanwhile.

use std::io::Read;
use std::os::unix::fs::FileExt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::Journal;
use super::compressed::PartReader;
use super::lines::{Events, JournalLines};
use super::parts::JournalParts;
use crate::model::project::to_hex;
use crate::store::error::{Error, Result};

/// How many bytes at a journal's beginning show that it is the same journal.
const BEGINNING: usize = 256;
/// How many bytes are searched at a time for the end of the last whole line.
const PIECE: u64 = 4096;

/// How much of a journal there was at some moment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalExtent {
    /// The length of each file up to the end of its last whole line, oldest first. Empty files do
    /// not count.
    #[serde(rename = "bytes")]
    lengths: Vec<u64>,
    /// A digest of the first bytes.
    begins: String,
}

impl JournalExtent {
    /// Returns whether there was no event.
    pub fn is_empty(&self) -> bool {
        self.lengths.is_empty()
    }

    /// Returns the length of all files in bytes.
    pub fn bytes(&self) -> u64 {
        self.lengths.iter().sum()
    }

    /// Returns what `begins` must be if the journal starts with `beginning`, of which only the
    /// first file's length counts.
    fn digest_of(&self, beginning: &[u8]) -> String {
        let length = self.lengths.first().copied().unwrap_or(0);
        let length = usize::try_from(length).unwrap_or(BEGINNING);
        digest(beginning.get(..length).unwrap_or(beginning))
    }
}

impl Journal {
    /// Returns how much of the journal there is now. A line that is being written does not count.
    ///
    /// # Errors
    /// Returns [`Error::Untrusted`] or [`Error::Io`] if a file of the journal cannot be trusted or
    /// read.
    pub fn extent(&self) -> Result<JournalExtent> {
        let mut files = self.files()?;
        let length = |part: &PartReader| whole_length(part).map_err(Error::io("read", self.path()));
        let mut extent = JournalExtent {
            lengths: files.iter().map(length).collect::<Result<_>>()?,
            begins: String::new(),
        };
        // The last files may contain only the beginning of a first line.
        while extent.lengths.pop_if(|length| *length == 0).is_some() {}
        if !extent.is_empty() {
            extent.begins = extent.digest_of(&self.beginning(&mut files)?);
        }
        Ok(extent)
    }

    /// Reads the events that were recorded after `from` and not after `to`. Returns `None` if the
    /// journal was replaced since, as after a deletion.
    ///
    /// # Errors
    /// Returns [`Error::Untrusted`] or [`Error::Io`] if a file of the journal cannot be trusted or
    /// read.
    pub fn lines_between(
        &self,
        from: &JournalExtent,
        to: &JournalExtent,
    ) -> Result<Option<JournalLines>> {
        if to.is_empty() {
            return Ok(from.is_empty().then(|| JournalLines::of(Vec::new())));
        }
        let beginning = self.beginning(&mut self.files()?)?;
        let is_other = |it: &JournalExtent| !it.is_empty() && it.digest_of(&beginning) != it.begins;
        if is_other(from) || is_other(to) || from.lengths.len() > to.lengths.len() {
            return Ok(None);
        }
        let mut files = Vec::new();
        let mut opened = self.files()?.into_iter();
        for (place, end) in to.lengths.iter().copied().enumerate() {
            let start = from.lengths.get(place).copied().unwrap_or(0);
            let Some(mut part) = opened.next() else {
                return Ok(None);
            };
            let size = part.size().map_err(Error::io("read", self.path()))?;
            if start > end || size.is_some_and(|size| size < end) {
                return Ok(None);
            }
            match part.skip(start) {
                Err(err) if !part.is_compressed() => {
                    return Err(Error::io("read", self.path())(err));
                }
                // A damaged file fails again when it is read, and is counted then.
                _ => files.push(PartReader::Within(Box::new(part), end - start)),
            }
        }
        Ok(Some(JournalLines::of(files)))
    }

    /// Acts as [`Self::lines_between`], with all members of each event.
    ///
    /// # Errors
    /// Returns [`Error::Untrusted`] or [`Error::Io`] if a file of the journal cannot be trusted or
    /// read.
    pub fn events_between(
        &self,
        from: &JournalExtent,
        to: &JournalExtent,
    ) -> Result<Option<Events>> {
        Ok(self.lines_between(from, to)?.map(Events::of))
    }

    /// Opens the files that have content, oldest first.
    fn files(&self) -> Result<Vec<PartReader>> {
        let (mut files, _) = self
            .parts
            .open(self.decompressor, JournalParts::numbers_if_any)?;
        files.retain(|part| part.is_compressed() || !matches!(part.size(), Ok(Some(0))));
        Ok(files)
    }

    /// Reads the beginning of the first of `files`. If that file is compressed and damaged, returns
    /// the bytes before the damage.
    fn beginning(&self, files: &mut [PartReader]) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let Some(first) = files.first_mut() else {
            return Ok(bytes);
        };
        match first.take(BEGINNING as u64).read_to_end(&mut bytes) {
            Err(err) if !first.is_compressed() => Err(Error::io("read", self.path())(err)),
            _ => Ok(bytes),
        }
    }
}

fn digest(bytes: &[u8]) -> String {
    let mut digest = to_hex(&Sha256::digest(bytes));
    digest.truncate(16);
    digest
}

/// Returns how long a file is up to the end of its last whole line.
fn whole_length(part: &PartReader) -> std::io::Result<u64> {
    let PartReader::Plain(file) = part else {
        return Ok(part.size()?.unwrap_or(0));
    };
    let mut end = file.metadata()?.len();
    while end > 0 {
        let start = end.saturating_sub(PIECE);
        let mut piece = vec![0; usize::try_from(end - start).unwrap_or(0)];
        file.read_exact_at(&mut piece, start)?;
        if let Some(last) = memchr::memrchr(b'\n', &piece) {
            return Ok(start + last as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}
