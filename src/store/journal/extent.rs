//! Remembers which part of a journal existed at some moment, so that exactly those events can be
//! read again later.
//!
//! This works because the files of a journal only grow, and their order never changes, even if they
//! are rotated or compressed meanwhile.

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

/// By how many bytes at its beginning a journal is recognized.
const BEGINNING: usize = 256;
/// How many bytes are searched at once for the end of the last whole line.
const PIECE: u64 = 4096;

/// The part of a journal that existed at some moment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalExtent {
    /// The length of each file up to the end of its last whole line, oldest file first. Empty files
    /// are omitted.
    #[serde(rename = "bytes")]
    lengths: Vec<u64>,
    /// A digest of the journal's first bytes.
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

    /// Returns the digest that `begins` must equal if the journal starts with `beginning`. Only
    /// bytes within the recorded length of the first file are hashed.
    fn digest_of(&self, beginning: &[u8]) -> String {
        let length = self.lengths.first().copied().unwrap_or(0);
        let length = usize::try_from(length).unwrap_or(BEGINNING);
        digest(beginning.get(..length).unwrap_or(beginning))
    }
}

impl Journal {
    /// Returns the extent that the journal has now, without a line that is still being written.
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
        // Drop the last files if they contain only the beginning of a line.
        while extent.lengths.pop_if(|length| *length == 0).is_some() {}
        if !extent.is_empty() {
            extent.begins = extent.digest_of(&self.beginning(&mut files)?);
        }
        Ok(extent)
    }

    /// Reads the events that are within `to` but not within `from`. Returns `None` if the journal
    /// was replaced since, for example because the session was deleted.
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
                // Ignore damage now: it is found again, and counted, when the file is read.
                _ => files.push(PartReader::Within(Box::new(part), end - start)),
            }
        }
        Ok(Some(JournalLines::of(files)))
    }

    /// Does the same as [`Self::lines_between`], but reads all members of each event.
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

    /// Opens the files of the journal that are not empty, oldest first.
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

/// Returns the length of a file up to the end of its last whole line.
fn whole_length(part: &PartReader) -> std::io::Result<u64> {
    let file = match part {
        PartReader::Plain(file) => file,
        // It is closed again, because there may be thousands.
        PartReader::Later(later) if !part.is_compressed() => return whole_length(&later.open()?),
        _ => return Ok(part.size()?.unwrap_or(0)),
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
