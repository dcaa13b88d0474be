//! Unpacks a bundle into a private folder. Nothing in it is used before all checksums match.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::OFlags;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::super::collected::{remains, transfer};
use super::super::error::{Error, Untrusted};
use super::super::file;
use super::super::lock::{self, Lock};
use super::super::write::{GrowingFile, TemporaryDir};
use super::{
    BundleError, BundleHead, CHECKSUMS, Checksums, FileSum, HEAD, MAX_ENTRY, PIECE, TRANSCRIPTS,
    VERSION, bundled_path,
};
use crate::model::archive::Stem;
use crate::model::project::to_hex;
use crate::model::text::one_line;
use crate::model::{SessionId, Timestamp};

/// The beginning of the name of a folder into which a bundle is unpacked.
const PREFIX: &str = "incoming-";
/// The lock file for creating such a folder and removing old ones.
const TURN: &str = "incoming.lock";
/// The most characters of a path that a message shows.
const MAX_SHOWN: usize = 80;
/// The first bytes of a Zstandard frame.
const MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

type Result<T> = std::result::Result<T, BundleError>;

/// An unpacked bundle whose checksums all match. Dropping it removes its folder.
#[derive(Debug)]
pub struct StagedBundle {
    /// The lock that shows other processes that the folder is in use.
    _lock: Lock,
    dir: TemporaryDir,
    /// What is in the bundle.
    pub head: BundleHead,
    paths: Vec<PathBuf>,
}

/// Returns whether the file at `path` begins like a bundle, rather than like a transcript.
///
/// # Errors
/// Returns [`Error::Io`] if the file cannot be inspected or read.
pub fn is_bundle(path: &Path) -> crate::store::Result<bool> {
    if file::look(path)?.is_none_or(|found| found.is_dir()) {
        return Ok(false);
    }
    match file::beginning(path, MAGIC.len()) {
        Ok(bytes) => Ok(bytes == MAGIC),
        Err(err @ Error::Io { .. }) => Err(err),
        Err(_) => Ok(false),
    }
}

impl StagedBundle {
    /// Unpacks the bundle at `path` into a new folder in `root`, which must be private to this
    /// user. `root` must be the state directory if sessions are to be taken over.
    ///
    /// # Errors
    /// Returns [`BundleError`] if the file is not a complete, unchanged bundle of a known version,
    /// or a file on this machine cannot be read or written. No unpacked file is left then.
    ///
    /// # Security
    /// The author of the bundle controls the contents and sizes of files, but not where they are
    /// written: only allowed paths below the new folder.
    pub fn read(path: &Path, root: &Path) -> Result<Self> {
        let file = file::open(path, OFlags::RDONLY)?
            .ok_or_else(|| Error::io("open", path)(io::Error::from(io::ErrorKind::NotFound)))?;
        let is_regular = file.metadata().is_ok_and(|meta| meta.is_file());
        if !is_regular {
            return Err(BundleError::Here(Error::Untrusted {
                path: path.to_owned(),
                why: Untrusted::NotRegular,
            }));
        }
        let turn = lock::acquire(&root.join(TURN), lock::CLI_PATIENCE)?;
        let dir = TemporaryDir::create(root, PREFIX)?;
        let lock = lock::acquire(&dir.path().join(remains::IN_USE), Duration::ZERO)?;
        remains::discard(root, PREFIX, &dir)?;
        drop(turn);
        let (head, paths) = extract(file, dir.path())?;
        // Sync now: files that are taken over are only renamed.
        rustix::fs::sync();
        Ok(Self {
            _lock: lock,
            dir,
            head,
            paths,
        })
    }

    /// Returns the folder with the unpacked files.
    pub(super) fn root(&self) -> &Path {
        self.dir.path()
    }

    /// Returns the ids of the sessions that have files under `sessions/` in the bundle.
    pub fn session_ids(&self) -> BTreeSet<SessionId> {
        let id = |path: &PathBuf| {
            let below = path.strip_prefix("sessions").ok()?;
            below.iter().next()?.to_str()?.parse().ok()
        };
        self.paths.iter().filter_map(id).collect()
    }

    /// Returns the project folder and the name of each archive.
    pub(super) fn archives(&self) -> Vec<(String, Stem)> {
        let archive = |path: &PathBuf| {
            let below = path.strip_prefix("archive").ok()?.to_str()?;
            let (project, name) = below.split_once('/')?;
            let stem = Stem::of_manifest(name)?;
            Some((project.to_owned(), stem))
        };
        self.paths.iter().filter_map(archive).collect()
    }

    /// Returns the path of each transcript below Claude Code's `projects` folder, and the path of
    /// the unpacked file.
    pub fn transcripts(&self) -> Vec<(PathBuf, PathBuf)> {
        let place = |path: &PathBuf| {
            let place = path.strip_prefix(TRANSCRIPTS).ok()?;
            Some((place.to_owned(), self.root().join(path)))
        };
        self.paths.iter().filter_map(place).collect()
    }
}

fn extract(file: File, to: &Path) -> Result<(BundleHead, Vec<PathBuf>)> {
    let zstd = zstd::stream::read::Decoder::new(file).map_err(|_| BundleError::NotABundle)?;
    let mut tar = tar::Archive::new(zstd);
    let mut entries = tar.entries().map_err(|_| BundleError::NotABundle)?;
    let mut head: Option<BundleHead> = None;
    let mut seen = BTreeSet::new();
    let mut files = Vec::new();
    let mut paths = Vec::new();
    let mut sums: Option<Checksums> = None;
    for entry in &mut entries {
        let is_begun = head.is_some();
        let mut entry = entry.map_err(|err| match is_begun {
            true => unreadable(&err),
            false => BundleError::NotABundle,
        })?;
        let name = match entry.path() {
            Ok(path) => path.to_string_lossy().into_owned(),
            Err(_) => return Err(BundleError::Changed(None)),
        };
        let foreign = || BundleError::Foreign(one_line(&name, MAX_SHOWN));
        if sums.is_some() || entry.header().entry_type() != tar::EntryType::Regular {
            return Err(foreign());
        }
        let size = entry.size();
        let modified = entry.header().mtime().unwrap_or(0);
        if head.is_none() {
            let (bytes, sum) = read_small(&mut entry, &name, size)?;
            if name != HEAD {
                return Err(BundleError::NotABundle);
            }
            head = Some(read_head(&bytes)?);
            files.push(sum);
            continue;
        }
        if name == CHECKSUMS {
            let (bytes, _) = read_small(&mut entry, &name, size)?;
            let read = serde_json::from_slice(&bytes);
            sums = Some(read.map_err(|_| BundleError::Changed(Some(CHECKSUMS.to_owned())))?);
            continue;
        }
        let path = bundled_path(&name).ok_or_else(foreign)?;
        if !seen.insert(path.clone()) {
            return Err(foreign());
        }
        files.push(extract_file(
            &mut entry,
            &to.join(&path),
            to,
            (&name, size, modified),
        )?);
        paths.push(path);
    }
    let (Some(head), Some(sums)) = (head, sums) else {
        return Err(BundleError::Truncated);
    };
    end(tar.into_inner())?;
    if let Some(wrong) = first_difference(&files, &sums.files) {
        return Err(BundleError::Changed(Some(wrong)));
    }
    if Checksums::of(files).whole != sums.whole {
        return Err(BundleError::Changed(None));
    }
    Ok((head, paths))
}

/// Reads what follows the last entry: zeros, and the checksum of the compressed bytes.
fn end(mut rest: impl Read) -> Result<()> {
    let mut piece = vec![0; PIECE];
    loop {
        let read = file::read_some(&mut rest, &mut piece).map_err(|err| unreadable(&err))?;
        let bytes = piece.get(..read).unwrap_or_default();
        if bytes.is_empty() {
            return Ok(());
        }
        if bytes.iter().any(|byte| *byte != 0) {
            return Err(BundleError::Changed(None));
        }
    }
}

/// Returns why a bundle could not be decompressed.
fn unreadable(err: &io::Error) -> BundleError {
    match err.kind() {
        io::ErrorKind::UnexpectedEof => BundleError::Truncated,
        _ => BundleError::Changed(None),
    }
}

/// Returns the path of the first file that differs from the checksums.
fn first_difference(found: &[FileSum], written: &[FileSum]) -> Option<String> {
    let differs = |(found, written): &(&FileSum, &FileSum)| found != written;
    let pairs = found.iter().zip(written);
    let changed = pairs.clone().find(differs).map(|(found, _)| found);
    let longer = if found.len() > written.len() {
        found.get(written.len())
    } else {
        written.get(found.len())
    };
    let path = &changed.or(longer)?.path;
    Some(one_line(path, MAX_SHOWN))
}

fn read_head(bytes: &[u8]) -> Result<BundleHead> {
    #[derive(Deserialize)]
    struct Versioned {
        v: u64,
    }
    match serde_json::from_slice(bytes) {
        Ok(Versioned { v }) if v > VERSION => Err(BundleError::OtherVersion(v)),
        Ok(_) => {
            let head = serde_json::from_slice::<BundleHead>(bytes);
            head.map_err(|_| BundleError::Changed(Some(HEAD.to_owned())))
        }
        Err(_) => Err(BundleError::NotABundle),
    }
}

/// Reads the first or the last entry, which describe the others.
fn read_small(entry: &mut impl Read, name: &str, size: u64) -> Result<(Vec<u8>, FileSum)> {
    if size > MAX_ENTRY {
        return Err(BundleError::Changed(Some(one_line(name, MAX_SHOWN))));
    }
    let mut bytes = Vec::new();
    let read = entry.take(size).read_to_end(&mut bytes);
    if read.map_err(|err| unreadable(&err))? as u64 != size {
        return Err(BundleError::Truncated);
    }
    let sum = FileSum {
        path: name.to_owned(),
        bytes: size,
        sha256: to_hex(&Sha256::digest(&bytes)),
    };
    Ok((bytes, sum))
}

/// Writes an entry to a new file at `path`, with the entry's modification time in whole seconds.
fn extract_file(
    entry: &mut impl Read,
    path: &Path,
    root: &Path,
    (name, size, modified): (&str, u64, u64),
) -> Result<FileSum> {
    transfer::make_folders(root, path)?;
    let mut file = GrowingFile::beside(path)?;
    let mut digest = Sha256::new();
    let mut piece = vec![0; PIECE];
    let mut bytes = 0;
    loop {
        let read = file::read_some(entry, &mut piece).map_err(|err| unreadable(&err))?;
        let Some(read) = piece.get(..read).filter(|read| !read.is_empty()) else {
            break;
        };
        digest.update(read);
        file.write(read)?;
        bytes += read.len() as u64;
    }
    if bytes != size {
        return Err(BundleError::Truncated);
    }
    file.set_modified(Timestamp::from_unix(modified.cast_signed(), 0))?;
    // Equal paths were refused before. If the file exists nevertheless, the file system treats two
    // paths as the same, for example because it ignores case.
    if !file.create(path)? {
        return Err(BundleError::Foreign(one_line(name, MAX_SHOWN)));
    }
    Ok(FileSum {
        path: name.to_owned(),
        bytes,
        sha256: to_hex(&digest.finalize()),
    })
}
