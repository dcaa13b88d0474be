//! Compresses the full parts of a journal, and opens parts of both kinds, so that readers need not
//! know whether a part is compressed.
//!
//! Hooks rotate journals, but neither compress nor decompress them. They open the state directory
//! with [`Decompressor::NONE`], so that their executable contains no compression library.

use std::fmt;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use crate::store::error::{Error, Result};
use crate::store::file::{self, Meta};
#[cfg(feature = "cli")]
use crate::store::write::GrowingFile;

#[cfg(feature = "cli")]
pub use with_zstd::DecompressedFile;
#[cfg(feature = "cli")]
pub(super) use with_zstd::{compress, size};

/// The suffix of a compressed part's name.
pub(super) const ENDING: &str = ".zst";
/// Why a compressed file with an invalid header is unreadable.
const NO_SIZE: &str = "its header does not state its uncompressed length";

/// A way to read compressed parts of journals, or none. The caller passes it when it opens the
/// state directory. Hooks pass none; to them a compressed part is unreadable, like a damaged one.
#[derive(Debug, Clone, Copy)]
pub struct Decompressor {
    open: Option<OpenCompressed>,
}

/// A function that opens a compressed file. It returns the content, and the uncompressed length in
/// bytes if the file states it.
type OpenCompressed = fn(File) -> io::Result<(ContentReader, Option<u64>)>;
/// The content of a compressed file, decompressed while it is read.
type ContentReader = Box<dyn Read + Send>;

impl Decompressor {
    /// Reads no compressed parts. An executable that uses only this one contains no compression
    /// library.
    pub const NONE: Self = Self { open: None };

    /// Reads the compressed parts that this program writes. Without the feature `cli`, it writes
    /// none, and this is [`Self::NONE`].
    #[cfg(feature = "cli")]
    pub const BUILT_IN: Self = Self {
        open: Some(with_zstd::decompress),
    };

    /// Reads the compressed parts that this program writes. Without the feature `cli`, it writes
    /// none, and this is [`Self::NONE`].
    #[cfg(not(feature = "cli"))]
    pub const BUILT_IN: Self = Self::NONE;
}

/// Returns whether a file with this name is a compressed part.
pub(super) fn is_compressed(path: &Path) -> bool {
    path.as_os_str()
        .as_encoded_bytes()
        .ends_with(ENDING.as_bytes())
}

/// A file of a journal, compressed or not, open for reading.
pub(super) enum PartReader {
    /// An uncompressed file.
    Plain(File),
    /// The content of a compressed file, and the uncompressed length that it states.
    Compressed(ContentReader, u64),
    /// A compressed file that is damaged from its beginning, or for which there is no decompressor.
    Unreadable,
    /// A file that is opened when it is read, so that a journal of thousands of parts needs few
    /// descriptors.
    Later(LaterPart),
    /// A file of which at most this many further bytes are read.
    #[cfg(feature = "cli")]
    Within(Box<PartReader>, u64),
}

/// A full part of a journal that was examined and closed again.
#[derive(Debug)]
pub(super) struct LaterPart {
    plain: PathBuf,
    compressed: PathBuf,
    /// The device and inode of the uncompressed file, or `None` if the part is compressed.
    identity: Option<(u64, u64)>,
    /// The uncompressed length in bytes, if the file states it.
    size: Option<u64>,
    /// How many bytes at the beginning are skipped.
    skipped: u64,
    decompressor: Decompressor,
}

impl LaterPart {
    /// Describes an uncompressed part with this metadata. `compressed` is the name that it gets when
    /// it is compressed.
    pub(super) fn plain(
        plain: PathBuf,
        compressed: PathBuf,
        meta: Meta,
        decompressor: Decompressor,
    ) -> Self {
        Self {
            plain,
            compressed,
            identity: Some(meta.identity),
            size: Some(meta.size),
            skipped: 0,
            decompressor,
        }
    }

    /// Describes a compressed part. Returns `None` if the file does not exist.
    ///
    /// # Errors
    /// Returns [`Error::Untrusted`] if another user may have written the file, and [`Error::Io`] if
    /// it cannot be opened.
    pub(super) fn compressed(
        plain: PathBuf,
        compressed: PathBuf,
        decompressor: Decompressor,
    ) -> Result<Option<Self>> {
        let Some(opened) = PartReader::open(&compressed, decompressor)? else {
            return Ok(None);
        };
        let size = opened.size().map_err(Error::io("inspect", &compressed))?;
        Ok(Some(Self {
            plain,
            compressed,
            identity: None,
            size,
            skipped: 0,
            decompressor,
        }))
    }

    /// Opens the part. If it was compressed since it was examined, opens the compressed file.
    ///
    /// # Errors
    /// Fails if the part cannot be opened, was removed or was replaced.
    pub(super) fn open(&self) -> io::Result<PartReader> {
        let mut opened = self.open_at_start()?;
        if self.skipped > 0 {
            opened.skip(self.skipped)?;
        }
        Ok(opened)
    }

    fn open_at_start(&self) -> io::Result<PartReader> {
        if let Some(identity) = self.identity
            && let Some((file, stat)) = file::opened_own(&self.plain).map_err(as_io)?
        {
            return match Meta::from(&stat).identity == identity {
                true => Ok(PartReader::Plain(file)),
                false => Err(io::Error::other("it was replaced meanwhile")),
            };
        }
        let opened = PartReader::open(&self.compressed, self.decompressor).map_err(as_io)?;
        opened.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
    }
}

/// Keeps the number of a system error.
fn as_io(err: Error) -> io::Error {
    match err {
        Error::Io { source, .. } => source,
        other => io::Error::other(other.to_string()),
    }
}

impl PartReader {
    /// Opens the file at `path`, through `decompressor` if it is compressed. Returns `None` if it
    /// does not exist.
    ///
    /// # Errors
    /// Returns [`Error::Untrusted`] if another user may have written the file, and [`Error::Io`] if
    /// it cannot be opened.
    pub(super) fn open(path: &Path, decompressor: Decompressor) -> Result<Option<Self>> {
        let Some(file) = file::open_own(path)? else {
            return Ok(None);
        };
        if !is_compressed(path) {
            return Ok(Some(Self::Plain(file)));
        }
        let opened = decompressor.open.map(|open| open(file)).transpose();
        Ok(Some(
            match opened.map_err(Error::io("decompress", path))? {
                Some((content, Some(size))) => Self::Compressed(content, size),
                Some((_, None)) | None => Self::Unreadable,
            },
        ))
    }

    /// Returns whether the file is compressed.
    pub(super) fn is_compressed(&self) -> bool {
        match self {
            Self::Plain(_) => false,
            Self::Compressed(..) | Self::Unreadable => true,
            Self::Later(part) => part.identity.is_none(),
            #[cfg(feature = "cli")]
            Self::Within(part, _) => part.is_compressed(),
        }
    }

    /// Returns how many bytes can be read, or `None` if the file does not state it.
    ///
    /// # Errors
    /// The error of the system call.
    pub(super) fn size(&self) -> io::Result<Option<u64>> {
        match self {
            Self::Plain(file) => Ok(Some(file.metadata()?.len())),
            Self::Compressed(_, size) => Ok(Some(*size)),
            Self::Unreadable => Ok(None),
            Self::Later(part) => Ok(part.size),
            #[cfg(feature = "cli")]
            Self::Within(part, left) => Ok(part.size()?.map(|size| size.min(*left))),
        }
    }

    /// Opens the file if it was to be opened later.
    ///
    /// # Errors
    /// Fails if the file cannot be opened.
    pub(super) fn open_now(&mut self) -> io::Result<()> {
        if let Self::Later(part) = self {
            *self = part.open()?;
        }
        Ok(())
    }

    /// Skips the first `bytes` bytes. Must be called before anything is read. A file that is opened
    /// later is not read yet.
    ///
    /// # Errors
    /// Fails if the file cannot be read up to that position.
    pub(super) fn skip(&mut self, bytes: u64) -> io::Result<()> {
        match self {
            Self::Later(part) => {
                part.skipped = bytes;
                Ok(())
            }
            Self::Plain(file) => file.seek(SeekFrom::Start(bytes)).map(drop),
            _ => io::copy(&mut self.take(bytes), &mut io::sink()).map(drop),
        }
    }
}

impl Read for PartReader {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        self.open_now()?;
        match self {
            Self::Plain(file) => file::read_some(file, room),
            Self::Compressed(content, _) => file::read_some(content, room),
            Self::Unreadable => Err(io::Error::other(NO_SIZE)),
            // It was opened above.
            Self::Later(_) => Ok(0),
            #[cfg(feature = "cli")]
            Self::Within(_, 0) => Ok(0),
            #[cfg(feature = "cli")]
            Self::Within(part, left) => {
                let most = usize::try_from(*left).unwrap_or(usize::MAX).min(room.len());
                let read = part.read(room.get_mut(..most).unwrap_or_default())?;
                *left -= read as u64;
                Ok(read)
            }
        }
    }
}

impl fmt::Debug for PartReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plain(file) => f.debug_tuple("Plain").field(file).finish(),
            Self::Compressed(_, size) => f.debug_tuple("Compressed").field(size).finish(),
            Self::Unreadable => f.write_str("Unreadable"),
            Self::Later(part) => f.debug_tuple("Later").field(part).finish(),
            #[cfg(feature = "cli")]
            Self::Within(part, left) => f.debug_tuple("Within").field(part).field(left).finish(),
        }
    }
}

/// The outcome of compressing a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
#[cfg(feature = "cli")]
pub enum Compression {
    /// The part was compressed, and the original removed.
    Done,
    /// A process wrote to the original meanwhile. Both files exist, and readers use the original.
    Changed,
    /// The part does not exist, or another process removed it.
    Absent,
}

#[cfg(feature = "cli")]
mod with_zstd {
    use std::io::Write;
    use std::os::unix::fs::FileExt;

    use zstd::stream::read::Decoder;
    use zstd::stream::write::Encoder;
    use zstd::zstd_safe::get_frame_content_size;

    use super::*;
    use crate::store::write;

    /// The compression level: the library's default.
    const LEVEL: i32 = 3;
    /// The largest header of a compressed file, in bytes. The header states the uncompressed
    /// length.
    const HEAD: usize = 18;
    /// How many bytes are compared at once.
    const PIECE: usize = 256 * 1024;

    /// Opens a compressed file: the function of type [`OpenCompressed`] that this program uses.
    pub(super) fn decompress(file: File) -> io::Result<(ContentReader, Option<u64>)> {
        let (mut head, mut length) = ([0; HEAD], 0);
        while length < HEAD {
            match file.read_at(head.get_mut(length..).unwrap_or_default(), length as u64) {
                Ok(0) => break,
                Ok(read) => length += read,
                Err(err) if err.kind() == io::ErrorKind::Interrupted => {}
                Err(err) => return Err(err),
            }
        }
        let size = get_frame_content_size(head.get(..length).unwrap_or_default());
        let content = Decoder::new(file)?;
        Ok((Box::new(content), size.ok().flatten()))
    }

    /// Returns the decompressed length of the part at `path` in bytes, or `None` if it does not
    /// exist.
    ///
    /// # Errors
    /// Returns [`Error::Untrusted`] or [`Error::Io`] if the file cannot be trusted or opened, and
    /// [`Error::Content`] if it does not state its decompressed length.
    pub(in crate::store) fn size(path: &Path) -> Result<Option<u64>> {
        let Some(source) = PartReader::open(path, Decompressor::BUILT_IN)? else {
            return Ok(None);
        };
        let size = source.size().map_err(Error::io("inspect", path))?;
        size.map(Some).ok_or_else(|| Error::Content {
            path: path.to_owned(),
            why: NO_SIZE.to_owned(),
        })
    }

    /// Compresses the file `plain` to `compressed`, with the same modification time, and removes
    /// the original. `plain` must be a full part, to which no process writes any more.
    ///
    /// At least one of the two exists and is complete at every moment, even if the process is
    /// killed. If both exist, they have the same content, and readers use `plain`. It is removed
    /// only after the compressed file was synced, decompressed and compared with it byte by byte.
    ///
    /// # Errors
    /// Returns [`Error::Untrusted`] or [`Error::Io`] if a file cannot be trusted, read or written,
    /// and [`Error::Content`] if the compressed file reads differently. `plain` is then unchanged
    /// and no temporary file remains.
    pub(in crate::store) fn compress(plain: &Path, compressed: &Path) -> Result<Compression> {
        let Some((file, stat)) = file::opened_own(plain)? else {
            return Ok(Compression::Absent);
        };
        let before = Meta::from(&stat);
        let mut growing = GrowingFile::beside(compressed)?;
        let written = write_compressed(&file, before.size, growing.file());
        written.map_err(Error::io("compress", plain))?;
        if !is_same(&growing, &file).map_err(Error::io("compare", plain))? {
            return Err(Error::Content {
                path: plain.to_owned(),
                why: "its compressed copy reads differently, or it is being written to".to_owned(),
            });
        }
        growing.set_modified(before.modified)?;
        growing.sync()?;
        growing.replace(compressed)?;
        write::sync_dir(compressed.parent().unwrap_or(compressed))?;
        // A process that opened this file before the rotation may have written to it until now.
        if file::look(plain)?.map(|found| found.meta) != Some(before) {
            return Ok(Compression::Changed);
        }
        Ok(match write::remove(plain)? {
            true => Compression::Done,
            false => Compression::Absent,
        })
    }

    fn write_compressed(plain: &File, size: u64, compressed: &mut File) -> io::Result<()> {
        let mut encoder = Encoder::new(compressed, LEVEL)?;
        encoder.set_pledged_src_size(Some(size))?;
        encoder.include_checksum(true)?;
        io::copy(&mut plain.take(size), &mut encoder)?;
        encoder.finish()?.flush()
    }

    /// Returns whether the compressed file has the content of the plain one.
    fn is_same(compressed: &GrowingFile, mut plain: &File) -> io::Result<bool> {
        plain.rewind()?;
        let (mut content, _) = decompress(compressed.reopened()?)?;
        let (mut one, mut other) = (Vec::new(), Vec::new());
        loop {
            one.clear();
            other.clear();
            (&mut content).take(PIECE as u64).read_to_end(&mut one)?;
            plain.take(PIECE as u64).read_to_end(&mut other)?;
            if one != other {
                return Ok(false);
            }
            if one.is_empty() {
                return Ok(true);
            }
        }
    }

    /// The content of a compressed part in a temporary file beside it, for callers that need a
    /// file. Dropping this removes the file.
    #[derive(Debug)]
    pub struct DecompressedFile {
        growing: GrowingFile,
    }

    impl DecompressedFile {
        /// Decompresses the part at `path`. Returns `None` if it is not compressed or does not
        /// exist.
        ///
        /// # Errors
        /// Returns [`Error::Untrusted`] if the part cannot be trusted, and [`Error::Io`] if it
        /// cannot be read, is damaged, or the disk is full.
        pub fn of(path: &Path) -> Result<Option<Self>> {
            let Some(mut source) =
                PartReader::open(path, Decompressor::BUILT_IN)?.filter(PartReader::is_compressed)
            else {
                return Ok(None);
            };
            let mut growing = GrowingFile::beside(path)?;
            let copied = io::copy(&mut source, growing.file());
            copied.map_err(Error::io("decompress", path))?;
            Ok(Some(Self { growing }))
        }

        /// Returns the path of the temporary file.
        pub fn path(&self) -> &Path {
            self.growing.path()
        }
    }
}
