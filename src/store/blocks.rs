//! Reads a file of any size in blocks of whole lines, always into the same buffer. Made for readers
//! that examine much and keep little, such as a search.

use std::fs::File;
use std::io::{Read, Take};
use std::path::{Path, PathBuf};

use super::error::{Error, Result};
use super::file;
use super::lines::MAX_LINE;

/// The buffer of [`LineBlocks`], to be used again for the next file.
#[derive(Debug, Default)]
pub struct BlockBuffer(Vec<u8>);

/// Reads whole lines block by block.
#[derive(Debug)]
pub struct LineBlocks<R> {
    source: R,
    path: PathBuf,
    buffer: Vec<u8>,
    /// How many bytes of the buffer were returned by the last call of `next_block`.
    taken: usize,
    /// How many bytes of the buffer are filled.
    filled: usize,
    is_at_end: bool,
    too_long: u64,
}

/// Opens a file that only this user may have written; returns `None` if it does not exist. Bytes
/// that are appended later are not read, so that reading a growing file ends.
///
/// # Errors
/// Returns [`Error::Untrusted`] if another user may have written the file,
/// and [`Error::Io`] if it cannot be opened.
pub fn open(path: &Path) -> Result<Option<Take<File>>> {
    let opened = file::opened_own(path)?;
    Ok(opened.map(|(file, stat)| file.take(file::Meta::from(&stat).size)))
}

impl<R: Read> LineBlocks<R> {
    /// Reads blocks of at most `size` bytes from `source`. A longer line is returned as a block of
    /// its own. Errors name `path`.
    pub fn of(source: R, path: &Path, size: usize, buffer: BlockBuffer) -> Self {
        let BlockBuffer(mut buffer) = buffer;
        // A long line in the previous file may have made the buffer grow.
        buffer.truncate(size);
        buffer.shrink_to(size);
        let size = size.clamp(1, MAX_LINE);
        if buffer.is_empty() {
            // Allocate a new one instead of filling it with zeros: fresh memory is already zero.
            buffer = vec![0; size];
        } else {
            buffer.resize(size, 0);
        }
        Self {
            source,
            path: path.to_owned(),
            buffer,
            taken: 0,
            filled: 0,
            is_at_end: false,
            too_long: 0,
        }
    }

    /// Returns the buffer for the next file.
    pub fn into_buffer(self) -> BlockBuffer {
        BlockBuffer(self.buffer)
    }

    /// Returns how many lines longer than [`MAX_LINE`] were skipped so far.
    pub fn too_long(&self) -> u64 {
        self.too_long
    }

    /// Returns the next block of whole lines, or `None` at the end. Only the last line of the file
    /// may lack its line break.
    ///
    /// # Errors
    /// Returns [`Error::Io`] if the file cannot be read.
    pub fn next_block(&mut self) -> Result<Option<&[u8]>> {
        self.drop_first(self.taken);
        loop {
            self.fill()?;
            let read = self.buffer.get(..self.filled).unwrap_or_default();
            self.taken = match memchr::memrchr(b'\n', read) {
                Some(last) => last + 1,
                None if self.is_at_end => self.filled,
                None if self.filled < MAX_LINE => {
                    let longer = (self.buffer.len() * 2).min(MAX_LINE);
                    self.buffer.resize(longer, 0);
                    continue;
                }
                None => {
                    self.skip_line()?;
                    continue;
                }
            };
            let block = self.buffer.get(..self.taken);
            return Ok(block.filter(|block| !block.is_empty()));
        }
    }

    /// Reads until the buffer is full or the file is at its end.
    fn fill(&mut self) -> Result<()> {
        while !self.is_at_end
            && let Some(room) = self.buffer.get_mut(self.filled..)
            && !room.is_empty()
        {
            let read = file::read_some(&mut self.source, room);
            let read = read.map_err(Error::io("read", &self.path))?;
            self.filled += read;
            self.is_at_end = read == 0;
        }
        Ok(())
    }

    /// Skips a line that is longer than [`MAX_LINE`].
    fn skip_line(&mut self) -> Result<()> {
        self.too_long += 1;
        loop {
            let read = self.buffer.get(..self.filled).unwrap_or_default();
            if let Some(end) = memchr::memchr(b'\n', read) {
                self.drop_first(end + 1);
                return Ok(());
            }
            self.filled = 0;
            self.fill()?;
            if self.filled == 0 {
                return Ok(());
            }
        }
    }

    fn drop_first(&mut self, count: usize) {
        self.buffer.copy_within(count..self.filled, 0);
        self.filled -= count;
        self.taken = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blocks(content: &[u8], size: usize) -> (Vec<Vec<u8>>, u64) {
        let mut reader = LineBlocks::of(content, Path::new("lines"), size, BlockBuffer::default());
        let mut found = Vec::new();
        while let Some(block) = reader.next_block().unwrap() {
            found.push(block.to_vec());
        }
        assert!(
            reader.next_block().unwrap().is_none(),
            "it stays at its end"
        );
        (found, reader.too_long())
    }

    #[test]
    fn blocks_are_whole_lines_whatever_their_size() {
        for content in [
            "",
            "\n",
            "one\ntwo\n",
            "one\n\n\nanother\nunfinished",
            "unfinished",
            "é\nü\n",
        ] {
            for size in 1..content.len() + 2 {
                let (found, too_long) = blocks(content.as_bytes(), size);
                assert_eq!(found.concat(), content.as_bytes(), "by {size}");
                assert_eq!(too_long, 0);
                let ends = found.iter().map(|block| block.ends_with(b"\n"));
                let whole = ends.filter(|ends| *ends).count();
                let unfinished = usize::from(!content.is_empty() && !content.ends_with('\n'));
                assert_eq!(whole + unfinished, found.len(), "by {size}");
            }
        }
    }

    #[test]
    fn a_line_that_is_too_long_is_skipped_and_hides_no_other() {
        let long = vec![b'x'; MAX_LINE + 10];
        let content = [b"one\n".as_slice(), &long, b"\ntwo\n"].concat();
        let (found, too_long) = blocks(&content, 1 << 20);
        assert_eq!(found.concat(), b"one\ntwo\n");
        assert_eq!(too_long, 1);
        let (found, too_long) = blocks(&long, 1 << 20);
        assert_eq!((found.len(), too_long), (0, 1));
    }

    #[test]
    #[allow(clippy::disallowed_methods, reason = "a test lays the file down")]
    fn what_is_appended_meanwhile_is_not_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lines");
        std::fs::write(&path, "one\n").unwrap();
        let opened = open(&path).unwrap().unwrap();
        let mut reader = LineBlocks::of(opened, &path, 1024, BlockBuffer::default());
        std::fs::write(&path, "one\ntwo\n").unwrap();
        assert_eq!(reader.next_block().unwrap(), Some(b"one\n".as_slice()));
        assert_eq!(reader.next_block().unwrap(), None);
    }
}
