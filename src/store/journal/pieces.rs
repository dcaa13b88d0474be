//! The files of a session's events as an archive lists them: with the names and sizes from before
//! compression.

use std::io;
use std::path::PathBuf;

use super::compressed::{Decompressor, PartReader};
use crate::model::Timestamp;
use crate::store::error::{Error, Result};

/// A file of a session's events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalFile {
    /// The present path of the file.
    pub path: PathBuf,
    /// The path that the file had before [`Journal::put_aside`](super::Journal::put_aside) renamed
    /// it and it was compressed.
    pub name: PathBuf,
    /// The uncompressed size in bytes.
    pub size: u64,
    /// When the file was last written.
    pub modified: Timestamp,
}

impl JournalFile {
    /// Counts the lines of the file, including blank ones. Returns 0 if the file no longer exists.
    ///
    /// # Errors
    /// Returns [`Error::Untrusted`] if the file cannot be trusted, and [`Error::Io`] if it cannot
    /// be read, or is compressed and damaged.
    pub fn count_lines(&self) -> Result<u64> {
        let Some(mut source) = PartReader::open(&self.path, Decompressor::BUILT_IN)? else {
            return Ok(0);
        };
        let mut piece = vec![0; 64 * 1024];
        let (mut count, mut is_unfinished) = (0, false);
        loop {
            match io::Read::read(&mut source, &mut piece) {
                Ok(0) => return Ok(count + u64::from(is_unfinished)),
                Ok(read) => {
                    let read = piece.get(..read).unwrap_or_default();
                    count += memchr::memchr_iter(b'\n', read).count() as u64;
                    is_unfinished = read.last() != Some(&b'\n');
                }
                Err(err) if err.kind() == io::ErrorKind::Interrupted => {}
                Err(err) => return Err(Error::io("read", &self.path)(err)),
            }
        }
    }
}
