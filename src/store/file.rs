//! Opens files and directories for reading, and checks that they can be trusted before their
//! content is used.
//!
//! A file is opened first and then checked by its descriptor, so that nobody can replace it in
//! between. Opening never blocks, not even on a FIFO, a file lease or a terminal.

use std::ffi::OsString;
use std::fs::File;
use std::io::Read;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use rustix::fs::{Dir, DirEntry, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use super::error::{Error, Result, Untrusted};
use crate::model::Timestamp;

/// A file's metadata when it was opened or inspected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Meta {
    /// The time of the last change to the content.
    pub modified: Timestamp,
    /// The size in bytes.
    pub size: u64,
    /// The device and the inode, which identify the file.
    pub identity: (u64, u64),
}

/// A file's bytes and metadata.
#[derive(Debug, Clone)]
pub struct FileContent {
    /// The whole content.
    pub bytes: Vec<u8>,
    /// The metadata of the same open file.
    pub meta: Meta,
}

/// Returns the effective user id.
pub fn me() -> u32 {
    // Cached, because every check of a file needs it, and it never changes while the program runs.
    static ME: OnceLock<u32> = OnceLock::new();
    *ME.get_or_init(|| rustix::process::geteuid().as_raw())
}

/// Returns the effective group id.
#[cfg(feature = "cli")]
pub fn my_group() -> u32 {
    rustix::process::getegid().as_raw()
}

impl From<&Stat> for Meta {
    #[allow(
        clippy::unnecessary_cast,
        clippy::cast_sign_loss,
        reason = "the fields' types differ between systems"
    )]
    fn from(stat: &Stat) -> Self {
        Self {
            modified: Timestamp::from_unix(stat.st_mtime as i64, stat.st_mtime_nsec as i64),
            size: stat.st_size as u64,
            identity: (stat.st_dev as u64, stat.st_ino as u64),
        }
    }
}

#[allow(
    clippy::useless_conversion,
    reason = "the field's type differs between systems"
)]
pub(super) fn permissions(stat: &Stat) -> u32 {
    u32::from(stat.st_mode) & 0o7777
}

/// Returns the number of hard links.
#[allow(
    clippy::useless_conversion,
    reason = "the field's type differs between systems"
)]
pub(super) fn names_of(stat: &Stat) -> u64 {
    u64::from(stat.st_nlink)
}

fn kind(stat: &Stat) -> FileType {
    FileType::from_raw_mode(stat.st_mode)
}

/// Checks an open file in a directory that others may write to. Does the same as [`judge_own`], and
/// also rejects a file with several hard links, because another user may have made one. In a
/// private directory, only this user can, for example for a backup.
fn judge_shared(stat: &Stat) -> std::result::Result<(), Untrusted> {
    judge_own(stat)?;
    // A file that was replaced after it was opened has no link left. Its content is still valid.
    if stat.st_nlink > 1 {
        return Err(Untrusted::HardLinked);
    }
    Ok(())
}

/// Checks that only this user can have written an open file: it is regular, belongs to this user,
/// and is not writable by others.
///
/// Accepts any number of hard links. Backups make them, and a user who can link a file still cannot
/// write it.
pub(super) fn judge_own(stat: &Stat) -> std::result::Result<(), Untrusted> {
    if kind(stat) != FileType::RegularFile {
        return Err(Untrusted::NotRegular);
    }
    if stat.st_uid != me() {
        return Err(Untrusted::ForeignOwner(stat.st_uid));
    }
    let mode = permissions(stat);
    if mode & 0o022 != 0 {
        return Err(Untrusted::WritableByOthers(mode));
    }
    Ok(())
}

/// Reads a file that only this user may have written, without following links or blocking. Returns
/// `None` if it does not exist.
///
/// # Errors
/// Returns [`Error::Untrusted`] if the file is not regular, not this user's, writable by others or
/// larger than `limit` bytes. Returns [`Error::Io`] if it cannot be opened or read.
///
/// # Security
/// Do not use this in a directory that others may write to: see [`read_shared`].
pub fn read_own(path: &Path, limit: usize) -> Result<Option<FileContent>> {
    opened_own(path)?
        .map(|(file, stat)| read_judged(file, &stat, path, limit))
        .transpose()
}

/// Does the same as [`read_own`], for a file in a directory that others may write to.
///
/// # Errors
/// Returns [`Error::Untrusted`] if the file is not regular, not this user's, writable by others,
/// larger than `limit` bytes, or has several hard links. Returns [`Error::Io`] if it cannot be
/// opened or read.
///
/// # Security
/// This is safe in `/tmp`: it rejects another user's hard link to one of this user's files.
pub fn read_shared(path: &Path, limit: usize) -> Result<Option<FileContent>> {
    opened(path, judge_shared)?
        .map(|(file, stat)| read_judged(file, &stat, path, limit))
        .transpose()
}

/// Reads any user's regular file, following links, without blocking. Returns `None` if it does not
/// exist.
///
/// # Errors
/// Returns [`Error::Untrusted`] if the file is not regular or larger than `limit` bytes, and
/// [`Error::Io`] if it cannot be opened or read.
pub fn read_any(path: &Path, limit: usize) -> Result<Option<FileContent>> {
    read_followed(path, limit, |_| None)
}

/// Returns the first bytes of any user's file, at most `limit`. Returns no bytes if it does not
/// exist.
///
/// # Errors
/// Returns [`Error::Untrusted`] or [`Error::Io`] if the file cannot be opened or read.
pub fn beginning(path: &Path, limit: usize) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if let Some(file) = open(path, OFlags::RDONLY)? {
        let read = file.take(limit as u64).read_to_end(&mut bytes);
        read.map_err(Error::io("read", path))?;
    }
    Ok(bytes)
}

/// Does the same as [`read_any`], for a file that controls this program. It must belong to this
/// user or root, and must not be world-writable.
///
/// # Errors
/// Returns [`Error::Untrusted`] if the file is not regular, larger than `limit` bytes, another
/// user's (as under `sudo -E`) or world-writable. Returns [`Error::Io`] if it cannot be opened or
/// read.
pub fn read_trusted(path: &Path, limit: usize) -> Result<Option<FileContent>> {
    read_followed(path, limit, foreign)
}

/// Reads a file with secrets, following links. It must belong to this user or root, and nobody else
/// may read or write it. Returns `None` if it does not exist.
///
/// # Errors
/// Returns [`Error::Untrusted`] if the file is not regular, larger than `limit` bytes, another
/// user's, or readable or writable by others. Returns [`Error::Io`] if it cannot be opened or read.
#[cfg(feature = "cli")]
pub fn read_secret(path: &Path, limit: usize) -> Result<Option<FileContent>> {
    read_followed(path, limit, |stat| {
        let mode = permissions(stat);
        let is_open = || (mode & 0o077 != 0).then_some(Untrusted::ReadableByOthers(mode));
        foreign(stat).or_else(is_open)
    })
}

/// Returns why a file is not trusted: it belongs neither to this user nor to root, or it is
/// world-writable.
fn foreign(stat: &Stat) -> Option<Untrusted> {
    let mode = permissions(stat);
    if ![0, me()].contains(&stat.st_uid) {
        Some(Untrusted::ForeignOwner(stat.st_uid))
    } else {
        (mode & 0o002 != 0).then_some(Untrusted::WritableByOthers(mode))
    }
}

/// Reads the last bytes of a file, at most `limit`, with the checks of [`read_trusted`]. The file
/// may have any size. Returns `None` if it does not exist.
///
/// # Errors
/// Returns [`Error::Untrusted`] if the file is not regular, another user's (as under `sudo -E`) or
/// world-writable, and [`Error::Io`] if it cannot be opened or read.
pub fn read_trusted_end(path: &Path, limit: usize) -> Result<Option<FileContent>> {
    let Some((file, stat)) = opened_followed(path, foreign)? else {
        return Ok(None);
    };
    let meta = Meta::from(&stat);
    let start = meta.size.saturating_sub(limit as u64);
    let length = usize::try_from(meta.size - start).unwrap_or(limit);
    let mut bytes = vec![0; length];
    file.read_exact_at(&mut bytes, start)
        .map_err(Error::io("read", path))?;
    Ok(Some(FileContent { bytes, meta }))
}

fn read_followed(
    path: &Path,
    limit: usize,
    objection: impl FnOnce(&Stat) -> Option<Untrusted>,
) -> Result<Option<FileContent>> {
    opened_followed(path, objection)?
        .map(|(file, stat)| read_judged(file, &stat, path, limit))
        .transpose()
}

/// Opens any user's regular file for reading, without following a link. Returns `None` if it does not
/// exist.
///
/// # Errors
/// Returns [`Error::Untrusted`] if the file is not regular, and [`Error::Io`] if it cannot be
/// opened.
#[cfg(feature = "cli")]
pub(super) fn open_plain(path: &Path) -> Result<Option<(File, Meta)>> {
    let Some(file) = open(path, OFlags::RDONLY | OFlags::NOFOLLOW)? else {
        return Ok(None);
    };
    let stat = rustix::fs::fstat(&file).map_err(Error::io("inspect", path))?;
    match kind(&stat) {
        FileType::RegularFile => Ok(Some((file, Meta::from(&stat)))),
        _ => Err(Error::Untrusted {
            path: path.to_owned(),
            why: Untrusted::NotRegular,
        }),
    }
}

/// Reads any user's regular file, without following a link. Returns `None` if it does not exist.
///
/// # Errors
/// Returns [`Error::Untrusted`] if the file is not regular or larger than `limit` bytes, and
/// [`Error::Io`] if it cannot be opened or read.
#[cfg(feature = "cli")]
pub(super) fn read_plain(path: &Path, limit: usize) -> Result<Option<FileContent>> {
    let Some((mut file, meta)) = open_plain(path)? else {
        return Ok(None);
    };
    if meta.size > limit as u64 {
        return Err(Error::Untrusted {
            path: path.to_owned(),
            why: Untrusted::TooLarge(meta.size),
        });
    }
    let mut bytes = Vec::new();
    let read = (&mut file).take(limit as u64).read_to_end(&mut bytes);
    read.map_err(Error::io("read", path))?;
    Ok(Some(FileContent { bytes, meta }))
}

fn opened_followed(
    path: &Path,
    objection: impl FnOnce(&Stat) -> Option<Untrusted>,
) -> Result<Option<(File, Stat)>> {
    let Some(file) = open(path, OFlags::RDONLY)? else {
        return Ok(None);
    };
    let stat = rustix::fs::fstat(&file).map_err(Error::io("inspect", path))?;
    let why = match kind(&stat) {
        FileType::RegularFile => objection(&stat),
        _ => Some(Untrusted::NotRegular),
    };
    match why {
        Some(why) => Err(Error::Untrusted {
            path: path.to_owned(),
            why,
        }),
        None => Ok(Some((file, stat))),
    }
}

/// Reads a file that the kernel generates, such as those in `/proc`, or another short system file.
/// Its content must fit into one read of 4096 bytes. Returns `None` if it cannot be read.
pub fn read_kernel(path: &str) -> Option<String> {
    const LONGEST: usize = 4096;
    let file = open(Path::new(path), OFlags::RDONLY).ok()??;
    let mut bytes = Vec::with_capacity(LONGEST);
    rustix::io::read(&file, rustix::buffer::spare_capacity(&mut bytes)).ok()?;
    let text = String::from_utf8_lossy(&bytes);
    Some(text.trim_end().to_owned())
}

/// Opens a file that only this user may have written, for reading as a stream. Returns `None` if it
/// does not exist.
///
/// # Errors
/// Returns [`Error::Untrusted`] if the file is not regular, not this user's or writable by others,
/// and [`Error::Io`] if it cannot be opened.
pub fn open_own(path: &Path) -> Result<Option<File>> {
    Ok(opened_own(path)?.map(|(file, _)| file))
}

pub(super) fn opened_own(path: &Path) -> Result<Option<(File, Stat)>> {
    opened(path, judge_own)
}

fn opened(
    path: &Path,
    judge: fn(&Stat) -> std::result::Result<(), Untrusted>,
) -> Result<Option<(File, Stat)>> {
    let Some(file) = open(path, OFlags::RDONLY | OFlags::NOFOLLOW)? else {
        return Ok(None);
    };
    let stat = rustix::fs::fstat(&file).map_err(Error::io("inspect", path))?;
    judge(&stat).map_err(|why| Error::Untrusted {
        path: path.to_owned(),
        why,
    })?;
    Ok(Some((file, stat)))
}

/// Opens `path` with `flags` and with those that prevent blocking. Returns `None` if it does not
/// exist.
pub(crate) fn open(path: &Path, flags: OFlags) -> Result<Option<File>> {
    let flags = flags | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let refused = |why| {
        Err(Error::Untrusted {
            path: path.to_owned(),
            why,
        })
    };
    match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(fd) => Ok(Some(File::from(fd))),
        Err(Errno::NOENT | Errno::NOTDIR) => Ok(None),
        Err(Errno::LOOP) => refused(Untrusted::Symlink),
        Err(Errno::AGAIN) => refused(Untrusted::Leased),
        // The system reports this error for a socket, and for a FIFO without a reader.
        Err(Errno::NXIO) => refused(Untrusted::NotRegular),
        Err(errno) => Err(Error::io("open", path)(errno)),
    }
}

fn read_judged(mut file: File, stat: &Stat, path: &Path, limit: usize) -> Result<FileContent> {
    let meta = Meta::from(stat);
    let too_large = |size| Error::Untrusted {
        path: path.to_owned(),
        why: Untrusted::TooLarge(size),
    };
    if meta.size > limit as u64 {
        return Err(too_large(meta.size));
    }
    let size = usize::try_from(meta.size).unwrap_or(limit);
    let mut bytes = vec![0; size];
    match file.read_exact(&mut bytes) {
        Ok(()) => Ok(FileContent { bytes, meta }),
        Err(err) => Err(Error::io("read", path)(err)),
    }
}

/// Reads once, retrying if a signal interrupts the read.
///
/// # Errors
/// Returns the system's error if reading fails.
pub fn read_some(file: &mut (impl Read + ?Sized), room: &mut [u8]) -> std::io::Result<usize> {
    loop {
        match file.read(room) {
            Err(err) if err.kind() == std::io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}

/// Returns whether `fd` is a socket.
pub fn is_socket(fd: impl AsFd) -> bool {
    rustix::fs::fstat(fd).is_ok_and(|stat| kind(&stat) == FileType::Socket)
}

/// Returns whether `bytes` look like a JSON file whose content was lost in a power failure: empty,
/// zeros, or truncated.
pub(super) fn is_lost(bytes: &[u8]) -> bool {
    let is_beginning = || {
        let read = serde_json::from_slice::<serde::de::IgnoredAny>(bytes);
        read.is_err_and(|err| err.is_eof())
    };
    bytes.last().is_none_or(|last| *last == 0) || is_beginning()
}

/// Opens the controlling terminal of this process, if it has one.
pub fn terminal() -> Option<File> {
    open(Path::new("/dev/tty"), OFlags::RDONLY).ok()?
}

/// Inspects `path` without following links; returns `None` if nothing exists there.
///
/// # Errors
/// Returns [`Error::Io`] if the path cannot be inspected.
pub fn look(path: &Path) -> Result<Option<Inspection>> {
    inspected(rustix::fs::lstat(path), path)
}

/// Does the same as [`look`], but follows links.
///
/// # Errors
/// Returns [`Error::Io`] if the path cannot be inspected.
pub(super) fn look_through(path: &Path) -> Result<Option<Inspection>> {
    inspected(rustix::fs::stat(path), path)
}

fn inspected(stat: rustix::io::Result<Stat>, path: &Path) -> Result<Option<Inspection>> {
    match stat {
        Ok(stat) => Ok(Some(Inspection {
            owner: stat.st_uid,
            group: stat.st_gid,
            kind: kind(&stat),
            mode: permissions(&stat),
            names: names_of(&stat),
            meta: Meta::from(&stat),
        })),
        Err(Errno::NOENT | Errno::NOTDIR) => Ok(None),
        Err(errno) => Err(Error::io("inspect", path)(errno)),
    }
}

/// The result of inspecting a path.
#[derive(Debug, Clone, Copy)]
pub struct Inspection {
    /// The owner's user id.
    pub owner: u32,
    /// The group id.
    pub group: u32,
    /// The file type.
    pub kind: FileType,
    /// The permission bits, including setuid, setgid and sticky.
    pub mode: u32,
    /// The number of hard links.
    pub names: u64,
    /// The size, the modification time and the identity.
    pub meta: Meta,
}

impl Inspection {
    /// Returns whether it is a regular file.
    pub fn is_file(&self) -> bool {
        self.kind == FileType::RegularFile
    }

    /// Returns whether it is a symbolic link.
    pub fn is_link(&self) -> bool {
        self.kind == FileType::Symlink
    }

    /// Returns whether it is a directory.
    pub fn is_dir(&self) -> bool {
        self.kind == FileType::Directory
    }
}

/// Checks that `path` is a private directory: it belongs to this user, and nobody else can enter
/// it. Returns whether it exists.
///
/// # Errors
/// Returns [`Error::Untrusted`] if `path` is a link, not a directory, not this user's, or
/// accessible to others.
///
/// # Security
/// tmux and sudo require the same of their directories. After this check, files in the directory
/// can safely be opened by path.
pub fn check_private_dir(path: &Path) -> Result<bool> {
    let Some(found) = look(path)? else {
        return Ok(false);
    };
    let why = match found.kind {
        FileType::Directory if found.owner != me() => Untrusted::ForeignOwner(found.owner),
        FileType::Directory if found.mode & 0o077 != 0 => Untrusted::OpenToOthers(found.mode),
        FileType::Directory => return Ok(true),
        FileType::Symlink => Untrusted::Symlink,
        _ => Untrusted::NotDirectory,
    };
    Err(Error::Untrusted {
        path: path.to_owned(),
        why,
    })
}

/// Checks that other users cannot replace this user's files in the directory `path`. It must belong
/// to root or this user, and be sticky if others may write to it. A link to such a directory is
/// accepted (`/tmp` is one on macOS).
///
/// # Errors
/// Returns [`Error::Untrusted`] if the check fails, and [`Error::Io`] if the directory cannot be
/// inspected.
pub fn check_shared_dir(path: &Path) -> Result<()> {
    let stat = rustix::fs::stat(path).map_err(Error::io("inspect", path))?;
    let mode = permissions(&stat);
    let why = if kind(&stat) != FileType::Directory {
        Untrusted::NotDirectory
    } else if stat.st_uid != 0 && stat.st_uid != me() {
        Untrusted::ForeignOwner(stat.st_uid)
    } else if mode & 0o022 != 0 && mode & 0o1000 == 0 {
        Untrusted::NotSticky
    } else {
        return Ok(());
    };
    Err(Error::Untrusted {
        path: path.to_owned(),
        why,
    })
}

/// Checks that each existing directory from `base` down to the parent of `path` belongs to this
/// user and is not a link. `base` itself may be a link. With `is_given`, `base` is not checked,
/// because a person chose it.
///
/// # Errors
/// Returns [`Error::Untrusted`] if a directory fails the check, and [`Error::Io`] if one cannot be
/// inspected.
///
/// # Security
/// Nobody else can put a link into this user's directories between this check and the later use.
pub fn check_own_way(base: &Path, path: &Path, is_given: bool) -> Result<()> {
    let objection = |owner: u32, is_dir: bool, is_link: bool| match (is_link, is_dir) {
        (true, _) => Some(Untrusted::Symlink),
        (_, false) => Some(Untrusted::NotDirectory),
        _ => (owner != me()).then_some(Untrusted::ForeignOwner(owner)),
    };
    let judged = |path: &Path, why: Option<Untrusted>| match why {
        Some(why) => Err(Error::Untrusted {
            path: path.to_owned(),
            why,
        }),
        None => Ok(()),
    };
    if !is_given && let Ok(stat) = rustix::fs::stat(base) {
        judged(base, objection(stat.st_uid, kind(&stat).is_dir(), false))?;
    }
    let below: Vec<&Path> = path
        .ancestors()
        .skip(1)
        .take_while(|dir| *dir != base)
        .collect();
    for dir in below.into_iter().rev() {
        let Some(found) = look(dir)? else {
            break;
        };
        judged(dir, objection(found.owner, found.is_dir(), found.is_link()))?;
    }
    Ok(())
}

/// Returns how many bytes an unprivileged user may still write to the file system of `path`.
///
/// # Errors
/// Returns [`Error::Io`] if the file system cannot be inspected.
pub fn free_space(path: &Path) -> Result<u64> {
    let found = rustix::fs::statvfs(path).map_err(Error::io("inspect", path))?;
    Ok(found.f_bavail.saturating_mul(found.f_frsize))
}

/// Lists the names in a directory, in no order. Returns an empty list if the directory does not
/// exist.
///
/// # Errors
/// Returns [`Error::Io`] if the directory cannot be listed to its end: a partial list is never
/// returned.
pub fn names(dir: &Path) -> Result<impl Iterator<Item = OsString> + use<>> {
    Ok(first_names(dir, usize::MAX)?.into_iter())
}

/// Does the same as [`names`], but returns at most `limit` names: for directories that others may
/// fill.
///
/// # Errors
/// Returns [`Error::Io`] if the directory cannot be listed.
pub fn first_names(dir: &Path, limit: usize) -> Result<Vec<OsString>> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NONBLOCK;
    // Do not use `std::fs::read_dir`: dropping it panics if closing fails.
    let opened = match rustix::fs::open(dir, flags, Mode::empty()) {
        Ok(fd) => Dir::new(fd),
        Err(Errno::NOENT | Errno::NOTDIR) => return Ok(Vec::new()),
        Err(errno) => Err(errno),
    };
    let name = |entry: DirEntry| {
        let name = entry.file_name().to_bytes();
        (!matches!(name, b"." | b"..")).then(|| OsString::from_vec(name.to_vec()))
    };
    let listed = opened.and_then(|entries| {
        let names = entries.filter_map(|entry| entry.map(name).transpose());
        names.take(limit).collect()
    });
    listed.map_err(Error::io("list", dir))
}

/// Resolves links, `.` and `..` in `path`.
///
/// # Errors
/// Returns [`Error::Io`] if `path` does not exist or cannot be inspected.
pub fn canonical(path: &Path) -> Result<PathBuf> {
    #[expect(
        clippy::disallowed_methods,
        reason = "store is the room that opens files"
    )]
    std::fs::canonicalize(path).map_err(Error::io("find", path))
}

/// Returns the target of the link at `path`, or `None` if it is not a link.
pub fn link_target(path: &Path) -> Option<PathBuf> {
    #[expect(
        clippy::disallowed_methods,
        reason = "store is the room that opens files"
    )]
    std::fs::read_link(path).ok()
}
