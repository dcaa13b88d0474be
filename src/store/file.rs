//! How a file or a directory is opened for reading, and judged before anything in it is believed.
//!
//! A file is opened first and judged by its descriptor, so that nobody can exchange it in between. Opening never
//! blocks: not on a FIFO, not on a file lease, not on a terminal.

use std::ffi::OsString;
use std::fs::File;
use std::io::Read;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use rustix::fs::{Dir, DirEntry, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;

use super::error::{Error, Result, Unsafe};
use crate::model::Timestamp;

/// What is known of a file besides its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Meta {
    /// When its content last changed.
    pub modified: Timestamp,
    /// Its size in bytes.
    pub size: u64,
    /// Device and inode: which file it is.
    pub identity: (u64, u64),
}

/// A file's bytes and what is known of it.
#[derive(Debug, Clone)]
pub struct Content {
    /// All bytes.
    pub bytes: Vec<u8>,
    /// The file they are from.
    pub meta: Meta,
}

/// The effective user.
pub fn me() -> u32 {
    // It does not change while the program runs, and each file is judged by it.
    static ME: OnceLock<u32> = OnceLock::new();
    *ME.get_or_init(|| rustix::process::geteuid().as_raw())
}

/// The effective group.
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

/// How many names a file has.
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

/// Judges an open file in a directory that others may write to: as [`judge_own`], and with one name. Elsewhere only we
/// can have given it another one, as a backup by hard links does.
fn judge_shared(stat: &Stat) -> std::result::Result<(), Unsafe> {
    judge_own(stat)?;
    // A file that was replaced after it was opened has no name left; that is no objection to what is in it.
    if stat.st_nlink > 1 {
        return Err(Unsafe::HardLinked);
    }
    Ok(())
}

/// Judges an open file that only we should have written: regular, ours, no writing by others. How many names it has is no
/// objection: backups by hard links give it more, and whoever could have made one could not have written it.
pub(super) fn judge_own(stat: &Stat) -> std::result::Result<(), Unsafe> {
    if kind(stat) != FileType::RegularFile {
        return Err(Unsafe::NotRegular);
    }
    if stat.st_uid != me() {
        return Err(Unsafe::ForeignOwner(stat.st_uid));
    }
    let mode = permissions(stat);
    if mode & 0o022 != 0 {
        return Err(Unsafe::WritableByOthers(mode));
    }
    Ok(())
}

/// Reads a file that only we should have written, without following a link or blocking; nothing where there is none.
///
/// # Errors
/// [`Error::Unsafe`] where the file is not regular, not ours, may be written by others or has more than `limit` bytes;
/// [`Error::Io`] where the system refused.
///
/// # Security
/// Not for a directory that others may write to: see [`read_shared`].
pub fn read_own(path: &Path, limit: usize) -> Result<Option<Content>> {
    opened_own(path)?
        .map(|(file, stat)| read_judged(file, &stat, path, limit))
        .transpose()
}

/// As [`read_own`], in a directory that others may write to.
///
/// # Errors
/// As [`read_own`], and [`Error::Unsafe`] where the file has several names.
///
/// # Security
/// Safe in `/tmp`: a hard link of another user's to one of our files is no answer.
pub fn read_shared(path: &Path, limit: usize) -> Result<Option<Content>> {
    opened(path, judge_shared)?
        .map(|(file, stat)| read_judged(file, &stat, path, limit))
        .transpose()
}

/// Reads a regular file of anybody's, links followed, without blocking; nothing where there is none.
///
/// # Errors
/// [`Error::Unsafe`] where it is not regular or has more than `limit` bytes; [`Error::Io`] where the system refused.
pub fn read_any(path: &Path, limit: usize) -> Result<Option<Content>> {
    read_followed(path, limit, |_| None)
}

/// As [`read_any`], of a file that decides what this program does: ours or root's, that not everybody may write to.
///
/// # Errors
/// As [`read_any`], and [`Error::Unsafe`] where it is another user's, as under `sudo -E`, or everybody's to write to.
pub fn read_trusted(path: &Path, limit: usize) -> Result<Option<Content>> {
    read_followed(path, limit, |stat| {
        let mode = permissions(stat);
        if ![0, me()].contains(&stat.st_uid) {
            Some(Unsafe::ForeignOwner(stat.st_uid))
        } else {
            (mode & 0o002 != 0).then_some(Unsafe::WritableByOthers(mode))
        }
    })
}

fn read_followed(
    path: &Path,
    limit: usize,
    objection: impl FnOnce(&Stat) -> Option<Unsafe>,
) -> Result<Option<Content>> {
    let Some(file) = open(path, OFlags::RDONLY)? else {
        return Ok(None);
    };
    let stat = rustix::fs::fstat(&file).map_err(Error::io("inspect", path))?;
    let why = match kind(&stat) {
        FileType::RegularFile => objection(&stat),
        _ => Some(Unsafe::NotRegular),
    };
    match why {
        Some(why) => Err(Error::Unsafe {
            path: path.to_owned(),
            why,
        }),
        None => read_judged(file, &stat, path, limit).map(Some),
    }
}

/// Reads a file that the kernel makes up, as those in `/proc`, or another short one of the system's: one read has it whole. Nothing where it cannot be read.
pub fn read_kernel(path: &str) -> Option<String> {
    const LONGEST: usize = 4096;
    let file = open(Path::new(path), OFlags::RDONLY).ok()??;
    let mut bytes = Vec::with_capacity(LONGEST);
    rustix::io::read(&file, rustix::buffer::spare_capacity(&mut bytes)).ok()?;
    let text = String::from_utf8_lossy(&bytes);
    Some(text.trim_end().to_owned())
}

/// Opens a file that only we should have written, for reading as a stream; nothing where there is none.
///
/// # Errors
/// As [`read_own`], without a limit of size.
pub fn open_own(path: &Path) -> Result<Option<File>> {
    Ok(opened_own(path)?.map(|(file, _)| file))
}

pub(super) fn opened_own(path: &Path) -> Result<Option<(File, Stat)>> {
    opened(path, judge_own)
}

fn opened(
    path: &Path,
    judge: fn(&Stat) -> std::result::Result<(), Unsafe>,
) -> Result<Option<(File, Stat)>> {
    let Some(file) = open(path, OFlags::RDONLY | OFlags::NOFOLLOW)? else {
        return Ok(None);
    };
    let stat = rustix::fs::fstat(&file).map_err(Error::io("inspect", path))?;
    judge(&stat).map_err(|why| Error::Unsafe {
        path: path.to_owned(),
        why,
    })?;
    Ok(Some((file, stat)))
}

/// Opens `path` with what every open of ours has; nothing where there is none.
pub(crate) fn open(path: &Path, flags: OFlags) -> Result<Option<File>> {
    let flags = flags | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let refused = |why| {
        Err(Error::Unsafe {
            path: path.to_owned(),
            why,
        })
    };
    match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(fd) => Ok(Some(File::from(fd))),
        Err(Errno::NOENT | Errno::NOTDIR) => Ok(None),
        Err(Errno::LOOP) => refused(Unsafe::Symlink),
        Err(Errno::AGAIN) => refused(Unsafe::Leased),
        // What the system answers to a non-blocking open of a socket, or of a FIFO that nobody reads.
        Err(Errno::NXIO) => refused(Unsafe::NotRegular),
        Err(errno) => Err(Error::io("open", path)(errno)),
    }
}

fn read_judged(mut file: File, stat: &Stat, path: &Path, limit: usize) -> Result<Content> {
    let meta = Meta::from(stat);
    let too_large = |size| Error::Unsafe {
        path: path.to_owned(),
        why: Unsafe::TooLarge(size),
    };
    if meta.size > limit as u64 {
        return Err(too_large(meta.size));
    }
    let size = usize::try_from(meta.size).unwrap_or(limit);
    let mut bytes = vec![0; size];
    match file.read_exact(&mut bytes) {
        Ok(()) => Ok(Content { bytes, meta }),
        Err(err) => Err(Error::io("read", path)(err)),
    }
}

/// Reads once, and again where a signal interrupted that.
///
/// # Errors
/// What the system said.
pub fn read_some(file: &mut (impl Read + ?Sized), room: &mut [u8]) -> std::io::Result<usize> {
    loop {
        match file.read(room) {
            Err(err) if err.kind() == std::io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}

/// Whether this is a socket.
pub fn is_socket(fd: impl AsFd) -> bool {
    rustix::fs::fstat(fd).is_ok_and(|stat| kind(&stat) == FileType::Socket)
}

/// Whether these bytes are what a power failure leaves of a JSON file whose name was on the disk before its bytes: nothing,
/// zeros, or a beginning.
pub(super) fn is_lost(bytes: &[u8]) -> bool {
    let is_beginning = || {
        let read = serde_json::from_slice::<serde::de::IgnoredAny>(bytes);
        read.is_err_and(|err| err.is_eof())
    };
    bytes.last().is_none_or(|last| *last == 0) || is_beginning()
}

/// The terminal that this process belongs to, if it does to one.
pub fn terminal() -> Option<File> {
    open(Path::new("/dev/tty"), OFlags::RDONLY).ok()?
}

/// What is at `path` itself, links not followed; nothing where there is nothing.
///
/// # Errors
/// [`Error::Io`] where the system refused.
pub fn look(path: &Path) -> Result<Option<Look>> {
    match rustix::fs::lstat(path) {
        Ok(stat) => Ok(Some(Look {
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

/// What is at a path.
#[derive(Debug, Clone, Copy)]
pub struct Look {
    /// Whose it is.
    pub owner: u32,
    /// Which group's it is.
    pub group: u32,
    /// What it is.
    pub kind: FileType,
    /// Its permission bits.
    pub mode: u32,
    /// How many names it has.
    pub names: u64,
    /// The rest.
    pub meta: Meta,
}

impl Look {
    /// Whether it is a regular file.
    pub fn is_file(&self) -> bool {
        self.kind == FileType::RegularFile
    }

    /// Whether it is a symbolic link.
    pub fn is_link(&self) -> bool {
        self.kind == FileType::Symlink
    }

    /// Whether it is a directory.
    pub fn is_dir(&self) -> bool {
        self.kind == FileType::Directory
    }
}

/// Checks that `path` is a directory of ours that nobody else can enter. Whether it is there at all is the answer.
///
/// # Errors
/// [`Error::Unsafe`] where it is a link, no directory, not ours or open to others.
///
/// # Security
/// What tmux and sudo ask of their directories: with it, the names inside can be opened by path.
pub fn check_private_dir(path: &Path) -> Result<bool> {
    let Some(found) = look(path)? else {
        return Ok(false);
    };
    let why = match found.kind {
        FileType::Directory if found.owner != me() => Unsafe::ForeignOwner(found.owner),
        FileType::Directory if found.mode & 0o077 != 0 => Unsafe::OpenToOthers(found.mode),
        FileType::Directory => return Ok(true),
        FileType::Symlink => Unsafe::Symlink,
        _ => Unsafe::NotDirectory,
    };
    Err(Error::Unsafe {
        path: path.to_owned(),
        why,
    })
}

/// Checks that `path` is a directory in which others cannot replace our files: root's or ours, and sticky where others
/// may write to it. A link to one will do (`/tmp` is one on macOS).
///
/// # Errors
/// [`Error::Unsafe`] where it is not; [`Error::Io`] where it is not there.
pub fn check_shared_dir(path: &Path) -> Result<()> {
    let stat = rustix::fs::stat(path).map_err(Error::io("inspect", path))?;
    let mode = permissions(&stat);
    let why = if kind(&stat) != FileType::Directory {
        Unsafe::NotDirectory
    } else if stat.st_uid != 0 && stat.st_uid != me() {
        Unsafe::ForeignOwner(stat.st_uid)
    } else if mode & 0o022 != 0 && mode & 0o1000 == 0 {
        Unsafe::NotSticky
    } else {
        return Ok(());
    };
    Err(Error::Unsafe {
        path: path.to_owned(),
        why,
    })
}

/// Checks that what is there of the directories from `base` down to the one that `path` is in is ours and no link. `base` itself
/// may be a link; it is not looked at where `is_given`, since a person chose it.
///
/// # Errors
/// [`Error::Unsafe`] where one is not; [`Error::Io`] where the system refused.
///
/// # Security
/// In directories of ours nobody else puts a link between this look and what is done then.
pub fn check_own_way(base: &Path, path: &Path, is_given: bool) -> Result<()> {
    let objection = |owner: u32, is_dir: bool, is_link: bool| match (is_link, is_dir) {
        (true, _) => Some(Unsafe::Symlink),
        (_, false) => Some(Unsafe::NotDirectory),
        _ => (owner != me()).then_some(Unsafe::ForeignOwner(owner)),
    };
    let judged = |path: &Path, why: Option<Unsafe>| match why {
        Some(why) => Err(Error::Unsafe {
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

/// How many bytes a user may still write on the file system that `path` is on.
///
/// # Errors
/// [`Error::Io`] where the system refused.
pub fn free_space(path: &Path) -> Result<u64> {
    let found = rustix::fs::statvfs(path).map_err(Error::io("inspect", path))?;
    Ok(found.f_bavail.saturating_mul(found.f_frsize))
}

/// The names in a directory, in no order; none where there is no directory.
///
/// # Errors
/// [`Error::Io`] where the system refused, also in the middle: part of a list is not an answer.
pub fn names(dir: &Path) -> Result<impl Iterator<Item = OsString> + use<>> {
    Ok(first_names(dir, usize::MAX)?.into_iter())
}

/// The first `limit` names in a directory, as [`names`]: for one that others may fill.
///
/// # Errors
/// As [`names`].
pub fn first_names(dir: &Path, limit: usize) -> Result<Vec<OsString>> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NONBLOCK;
    // Not std's own listing: its end panics where the system reports an error of closing.
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

/// `path` without links, `.` and `..`.
///
/// # Errors
/// [`Error::Io`] where it is not there or cannot be looked at.
pub fn canonical(path: &Path) -> Result<PathBuf> {
    #[expect(
        clippy::disallowed_methods,
        reason = "store is the room that opens files"
    )]
    std::fs::canonicalize(path).map_err(Error::io("find", path))
}

/// What the link at `path` says; nothing where it is no link.
pub fn link_target(path: &Path) -> Option<PathBuf> {
    #[expect(
        clippy::disallowed_methods,
        reason = "store is the room that opens files"
    )]
    std::fs::read_link(path).ok()
}
