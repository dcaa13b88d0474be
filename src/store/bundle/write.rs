//! Writes a bundle.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use sha2::{Digest, Sha256};

use super::super::archive::Archive;
use super::super::collected::transfer::{Contents, kept_path};
use super::super::error::{Error, Result};
use super::super::file::{self, Meta};
use super::super::state::StateDir;
use super::super::write::{GuestFile, refuse_others};
use super::{BundleHead, CHECKSUMS, Checksums, FileSum, HEAD, TRANSCRIPTS, bundled_path};
use crate::model::archive::Manifest;
use crate::model::project::to_hex;
use crate::model::{SessionId, Timestamp};
use crate::store::lock;

/// The compression level. This one is as fast as a disk.
const LEVEL: i32 = 3;

/// A bundle that is being written. The file appears at its path only once it is complete.
pub struct BundleWriter {
    tar: tar::Builder<zstd::stream::write::Encoder<'static, GuestFile>>,
    sums: Vec<FileSum>,
}

impl BundleWriter {
    /// Begins a bundle that will appear at `path`, with mode 0600.
    ///
    /// # Errors
    /// Returns [`Error::Untrusted`] if `path` is another user's file or not a regular file, and
    /// [`Error::Io`] if the bundle cannot be written.
    pub fn begin(path: &Path, head: &BundleHead) -> Result<Self> {
        refuse_others(path)?;
        let failed = |err| Error::io("write", path)(err);
        let zstd = zstd::stream::write::Encoder::new(GuestFile::begin(path)?, LEVEL);
        let mut zstd = zstd.map_err(failed)?;
        zstd.include_checksum(true).map_err(failed)?;
        let mut bundle = Self {
            tar: tar::Builder::new(zstd),
            sums: Vec::new(),
        };
        let head = serde_json::to_vec(head).map_err(|err| failed(err.into()))?;
        bundle.add(
            HEAD,
            head.as_slice(),
            head.len() as u64,
            Timestamp::from_unix(0, 0),
        )?;
        Ok(bundle)
    }

    /// Adds the files of a session as they are now. Returns a message for each that could not be
    /// read.
    ///
    /// # Errors
    /// Returns [`Error::Io`] if the bundle cannot be written, or a file became shorter meanwhile.
    pub fn add_session(&mut self, state: &StateDir, id: &SessionId) -> Result<Vec<String>> {
        let dir = state.session(id);
        let mut left_out = Vec::new();
        let mut opened: Vec<(String, File, Meta)> = Vec::new();
        {
            // Hold the lock, because a rotation could rename files of the journal meanwhile.
            let _lock = lock::of_session(dir.path());
            let mut names: Vec<_> = file::names(dir.path())?.collect();
            names.sort();
            for name in names.iter().filter_map(|name| name.to_str()) {
                let path = format!("sessions/{id}/{name}");
                if bundled_path(&path).is_none() {
                    continue;
                }
                match file::open_plain(&dir.path().join(name)) {
                    Ok(Some((file, meta))) => opened.push((path, file, meta)),
                    Ok(None) => {}
                    Err(err) => left_out.push(format!("{err}; skipped")),
                }
            }
        }
        for (path, file, meta) in opened {
            self.add(&path, file, meta.size, meta.modified)?;
        }
        Ok(left_out)
    }

    /// Adds the archive of a session. Returns a message for each part that was skipped.
    ///
    /// # Errors
    /// Returns [`Error::Io`] if the bundle cannot be written, or a file became shorter meanwhile.
    pub fn add_archive(&mut self, archive: &Archive, manifest: &Manifest) -> Result<Vec<String>> {
        let place = archive.place();
        let Some((project, name)) = place.rsplit_once('/') else {
            return Ok(Vec::new());
        };
        let mut left_out = Vec::new();
        for part in &manifest.parts {
            let path = format!("archive/{project}/{}", part.name);
            if kept_path(&path, Contents::WithArchives).is_none() {
                left_out.push(format!(
                    "left out `{path}`: a bundle cannot contain a file with that name"
                ));
                continue;
            }
            match archive.open(part) {
                Ok(Some(file)) => {
                    let meta = file
                        .metadata()
                        .map_err(Error::io("inspect", Path::new(&path)))?;
                    let modified = meta.modified().map_or(manifest.archived_at, |at| {
                        let since = at.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
                        Timestamp::from_unix(since.as_secs().cast_signed(), 0)
                    });
                    self.add(&path, file, meta.len(), modified)?;
                }
                Ok(None) => left_out.push(format!("could not find `{path}`; skipped")),
                Err(err) => left_out.push(format!("{err}; skipped")),
            }
        }
        let path = format!("archive/{project}/{name}");
        if kept_path(&path, Contents::WithArchives).is_some() {
            let bytes = manifest.encode();
            let length = bytes.len() as u64;
            self.add(&path, bytes.as_slice(), length, manifest.archived_at)?;
        }
        Ok(left_out)
    }

    /// Adds a file of Claude Code. `place` is its path below the `projects` folder. Returns a
    /// message if the file was skipped.
    ///
    /// # Errors
    /// Returns [`Error::Io`] if the bundle cannot be written, or the file became shorter meanwhile.
    pub fn add_transcript(&mut self, place: &str, path: &Path) -> Result<Option<String>> {
        let name = format!("{TRANSCRIPTS}/{place}");
        if bundled_path(&name).is_none() {
            let shown = crate::store::shown(path);
            return Ok(Some(format!(
                "left out `{shown}`: a bundle cannot contain a file with that name"
            )));
        }
        match file::open_plain(path) {
            Ok(Some((file, meta))) => {
                self.add(&name, file, meta.size, meta.modified)?;
                Ok(None)
            }
            Ok(None) => Ok(None),
            Err(err) => Ok(Some(format!("{err}; skipped"))),
        }
    }

    /// Adds an entry with the first `size` bytes of `content`.
    fn add(
        &mut self,
        path: &str,
        content: impl Read,
        size: u64,
        modified: Timestamp,
    ) -> Result<()> {
        let failed = |err| Error::io("add to the bundle", Path::new(path))(err);
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Regular);
        header.set_mode(0o600);
        header.set_size(size);
        let seconds = modified.micros().max(0) / 1_000_000;
        header.set_mtime(seconds.cast_unsigned());
        let mut content = HashingReader {
            content: content.take(size),
            digest: Sha256::new(),
            bytes: 0,
        };
        self.tar
            .append_data(&mut header, path, &mut content)
            .map_err(failed)?;
        if content.bytes != size {
            return Err(failed(io::ErrorKind::UnexpectedEof.into()));
        }
        self.sums.push(FileSum {
            path: path.to_owned(),
            bytes: size,
            sha256: to_hex(&content.digest.finalize()),
        });
        Ok(())
    }

    /// Completes the bundle and renames it to its path. Returns how many files it contains.
    ///
    /// # Errors
    /// Returns [`Error::Io`] if the bundle cannot be written. No file is left at its path then.
    pub fn end(mut self) -> Result<u64> {
        let failed = |err: io::Error| Error::io("write", Path::new(CHECKSUMS))(err);
        let sums = Checksums::of(std::mem::take(&mut self.sums));
        // The first entry describes the others and does not count.
        let files = sums.files.len() as u64 - 1;
        let bytes = serde_json::to_vec(&sums).map_err(|err| failed(err.into()))?;
        self.add(
            CHECKSUMS,
            bytes.as_slice(),
            bytes.len() as u64,
            Timestamp::from_unix(0, 0),
        )?;
        let zstd = self.tar.into_inner().map_err(failed)?;
        zstd.finish().map_err(failed)?.replace()?;
        Ok(files)
    }
}

/// Computes the SHA-256 of what is read through it.
struct HashingReader<R> {
    content: R,
    digest: Sha256,
    bytes: u64,
}

impl<R: Read> Read for HashingReader<R> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let read = self.content.read(room)?;
        self.digest.update(room.get(..read).unwrap_or_default());
        self.bytes += read as u64;
        Ok(read)
    }
}
