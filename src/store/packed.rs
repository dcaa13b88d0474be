//! Full parts of a journal that are compressed: how one is made, and how any part is opened. What reads them does not
//! know which it has.
//!
//! Hooks rotate journals, and neither compress nor decompress one: their state directory is opened without a way to
//! ([`super::State::open_plain`]), so that they link nothing that could. To them a compressed part is one that cannot be read,
//! as a damaged one.

use std::fmt;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use super::error::{Error, Result};
use super::file;
#[cfg(feature = "cli")]
use super::write::Growing;

#[cfg(feature = "cli")]
pub use with_zstd::Unpacked;
#[cfg(feature = "cli")]
pub(super) use with_zstd::{compress, size};

/// What is added to the name of a part that is compressed.
pub(super) const ENDING: &str = ".zst";
/// What is wrong with a file of which not even the beginning is as it should be.
const NO_SIZE: &str = "it does not say how long it is when it is not compressed";

/// How a compressed file is read: what it says, and how long it says that this is.
pub(super) type Unpack = fn(File) -> io::Result<(Text, Option<u64>)>;
/// What a compressed file says.
pub(super) type Text = Box<dyn Read + Send>;

/// How this program reads compressed files, where it can.
#[cfg(feature = "cli")]
pub(super) const UNPACK: Option<Unpack> = Some(with_zstd::unpack);
/// How this program reads compressed files, where it can.
#[cfg(not(feature = "cli"))]
pub(super) const UNPACK: Option<Unpack> = None;

/// Whether the file at `path` is named as one that is compressed.
pub(super) fn is_packed(path: &Path) -> bool {
    path.as_os_str()
        .as_encoded_bytes()
        .ends_with(ENDING.as_bytes())
}

/// A file of a journal, compressed or not, from where it is read on.
pub(super) enum Source {
    /// As it was written.
    Plain(File),
    /// Compressed: what it says, and how long it says that this is.
    Packed(Text, u64),
    /// Compressed, and damaged from its beginning, or nothing here can decompress it.
    Sealed,
}

impl Source {
    /// Opens the file at `path`, decompressed by `unpack` if it is compressed; nothing where there is none.
    ///
    /// # Errors
    /// As [`file::open_own`].
    pub(super) fn open(path: &Path, unpack: Option<Unpack>) -> Result<Option<Self>> {
        let Some(file) = file::open_own(path)? else {
            return Ok(None);
        };
        if !is_packed(path) {
            return Ok(Some(Self::Plain(file)));
        }
        let unpacked = unpack.map(|unpack| unpack(file)).transpose();
        Ok(Some(
            match unpacked.map_err(Error::io("decompress", path))? {
                Some((text, Some(size))) => Self::Packed(text, size),
                Some((_, None)) | None => Self::Sealed,
            },
        ))
    }

    /// Whether it is compressed.
    pub(super) fn is_packed(&self) -> bool {
        !matches!(self, Self::Plain(_))
    }

    /// How many bytes can be read of it; nothing where that cannot be told.
    ///
    /// # Errors
    /// What the system said.
    pub(super) fn size(&self) -> io::Result<Option<u64>> {
        match self {
            Self::Plain(file) => Ok(Some(file.metadata()?.len())),
            Self::Packed(_, size) => Ok(Some(*size)),
            Self::Sealed => Ok(None),
        }
    }

    /// Goes on `bytes` after the start of one that was not read yet.
    ///
    /// # Errors
    /// Where it cannot be read up to there.
    pub(super) fn skip(&mut self, bytes: u64) -> io::Result<()> {
        match self {
            Self::Plain(file) => file.seek(SeekFrom::Start(bytes)).map(drop),
            Self::Packed(..) | Self::Sealed => {
                io::copy(&mut self.take(bytes), &mut io::sink()).map(drop)
            }
        }
    }
}

impl Read for Source {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(file) => file::read_some(file, room),
            Self::Packed(text, _) => file::read_some(text, room),
            Self::Sealed => Err(io::Error::other(NO_SIZE)),
        }
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plain(file) => f.debug_tuple("Plain").field(file).finish(),
            Self::Packed(_, size) => f.debug_tuple("Packed").field(size).finish(),
            Self::Sealed => f.write_str("Sealed"),
        }
    }
}

#[cfg(feature = "cli")]
mod with_zstd {
    use std::io::Write;
    use std::os::unix::fs::FileExt;

    use zstd::stream::read::Decoder;
    use zstd::stream::write::Encoder;
    use zstd::zstd_safe::get_frame_content_size;

    use super::*;
    use crate::store::file::Meta;
    use crate::store::write;

    /// How hard to compress.
    const LEVEL: i32 = 3;
    /// The longest beginning of a compressed file that tells how long it is.
    const HEAD: usize = 18;
    /// How much is compared at once.
    const PIECE: usize = 256 * 1024;

    /// What the compressed file says, and how long it says that this is.
    pub(super) fn unpack(file: File) -> io::Result<(Text, Option<u64>)> {
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
        let text = Decoder::new(file)?;
        Ok((Box::new(text), size.ok().flatten()))
    }

    /// How long the part at `path` is when it is not compressed; nothing where there is none.
    ///
    /// # Errors
    /// As [`Source::open`], and where it does not say so.
    pub(in crate::store) fn size(path: &Path) -> Result<Option<u64>> {
        let Some(source) = Source::open(path, UNPACK)? else {
            return Ok(None);
        };
        let size = source.size().map_err(Error::io("inspect", path))?;
        size.map(Some).ok_or_else(|| Error::Content {
            path: path.to_owned(),
            why: NO_SIZE.to_owned(),
        })
    }

    /// Makes of the part at `plain`, to which nobody writes any more, one at `packed` that is compressed and was last
    /// written at the same time, and removes it. Whether it did is the answer: not where something was written meanwhile, or
    /// where there is nothing.
    ///
    /// At every moment, whoever is killed, one of the two is there, whole; where both are, they say the same and the plain one
    /// counts. It goes once the other one is on the disk and was decompressed and compared, byte by byte.
    ///
    /// # Errors
    /// [`Error::Unsafe`], [`Error::Io`], [`Error::Content`] where it reads otherwise than it was written. Then the plain one is
    /// as it was, and no temporary file is left.
    pub(in crate::store) fn compress(plain: &Path, packed: &Path) -> Result<bool> {
        let Some((file, stat)) = file::opened_own(plain)? else {
            return Ok(false);
        };
        let before = Meta::from(&stat);
        let mut growing = Growing::beside(packed)?;
        let written = write_packed(&file, before.size, growing.file());
        written.map_err(Error::io("compress", plain))?;
        if !says(&growing, &file).map_err(Error::io("compare", plain))? {
            return Err(Error::Content {
                path: plain.to_owned(),
                why: "it reads otherwise once it is compressed, or is being written to".to_owned(),
            });
        }
        growing.set_modified(before.modified)?;
        growing.sync()?;
        growing.replace(packed)?;
        write::sync_dir(packed.parent().unwrap_or(packed))?;
        // Whoever opened it while it was the journal may have written to it until now.
        if file::look(plain)?.map(|found| found.meta) != Some(before) {
            return Ok(false);
        }
        write::remove(plain)
    }

    fn write_packed(plain: &File, size: u64, packed: &mut File) -> io::Result<()> {
        let mut encoder = Encoder::new(packed, LEVEL)?;
        encoder.set_pledged_src_size(Some(size))?;
        encoder.include_checksum(true)?;
        io::copy(&mut plain.take(size), &mut encoder)?;
        encoder.finish()?.flush()
    }

    /// Whether the compressed file says what the plain one does.
    fn says(packed: &Growing, mut plain: &File) -> io::Result<bool> {
        plain.rewind()?;
        let (mut text, _) = unpack(packed.reopened()?)?;
        let (mut one, mut other) = (Vec::new(), Vec::new());
        loop {
            one.clear();
            other.clear();
            (&mut text).take(PIECE as u64).read_to_end(&mut one)?;
            plain.take(PIECE as u64).read_to_end(&mut other)?;
            if one != other {
                return Ok(false);
            }
            if one.is_empty() {
                return Ok(true);
            }
        }
    }

    /// A part that is decompressed, in a temporary file beside it, for those who need one; dropped, that is gone.
    #[derive(Debug)]
    pub struct Unpacked {
        growing: Growing,
    }

    impl Unpacked {
        /// Decompresses the part at `path`; nothing where it is not compressed, or there is none.
        ///
        /// # Errors
        /// As [`file::open_own`], and where it is damaged or there is no room for it.
        pub fn of(path: &Path) -> Result<Option<Self>> {
            let Some(mut source) = Source::open(path, UNPACK)?.filter(Source::is_packed) else {
                return Ok(None);
            };
            let mut growing = Growing::beside(path)?;
            let copied = io::copy(&mut source, growing.file());
            copied.map_err(Error::io("decompress", path))?;
            Ok(Some(Self { growing }))
        }

        /// Where it is.
        pub fn path(&self) -> &Path {
            self.growing.path()
        }
    }
}
