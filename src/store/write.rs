//! Functions that change files: replace them as a whole, create them, append with a single write,
//! remove them. After a failure, the old content is unchanged and there is no temporary file.
//!
//! Everything they create is private to the user, whatever the umask: files have mode 0600,
//! directories 0700.

#[cfg(feature = "cli")]
pub mod next;
mod temporary;
#[cfg(feature = "cli")]
mod temporary_dir;

use std::fs::{File, Permissions};
use std::io::Write;
use std::os::fd::{AsRawFd, IntoRawFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, CWD, FileType, Mode, OFlags, RenameFlags, Stat};
use rustix::io::Errno;
use tempfile::{Builder, NamedTempFile, TempPath};

use super::error::{Error, Result, Untrusted};
use super::file;
use crate::model::Timestamp;
use temporary::sweep_beside;
pub use temporary::{ORPHANED, TEMPORARY, is_orphan, is_temporary};
#[cfg(feature = "cli")]
pub use temporary_dir::TemporaryDir;

/// What is on disk after a power failure, if a file was replaced or created before.
///
/// | | replaced | created |
/// |---|---|---|
/// | [`Self::Cached`] | the old file or the new one | the file, or nothing |
/// | [`Self::Synced`] | the new file | the file |
///
/// The table is valid after the call has returned, on file systems that write a file's bytes before
/// its size. Ext4 does so in its default mode (`data=ordered`) and with `data=journal`. On other
/// file systems, and for files from `create_small` and `begin`, a file with a new name may be
/// empty, full of zeros or truncated. Readers of the state directory treat such files as missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// Starts to write the bytes to disk before the file gets its name, and does not wait. Ext4
    /// does so without being asked only if the name replaces another file, and not with the option
    /// `noauto_da_alloc`.
    Cached,
    /// Waits until the bytes and the name are on disk. A replacement is synced before it gets the
    /// name. A new file gets its name first, so that one sync is enough for both.
    Synced,
}

/// Atomically replaces `path` with a file that contains `bytes`, with mode 0600. A reader sees
/// either the old file or the new one.
///
/// # Errors
/// Returns [`Error::Io`] if the file cannot be written. `path` is then unchanged and no temporary
/// file remains. Only if syncing the directory failed, the new file is already in place.
///
/// # Security
/// The temporary file has an unpredictable name and is created exclusively, in the same directory.
/// The caller must check that the owner of the existing file may be replaced.
pub fn replace(path: &Path, bytes: &[u8], durability: Durability) -> Result<()> {
    let temporary = prepared(path, bytes, durability, 0o600)?;
    place(temporary, path, durability)
}

/// Renames a complete temporary file to `path`, replacing any existing file.
fn place(temporary: NamedTempFile, path: &Path, durability: Durability) -> Result<()> {
    temporary
        .persist(path)
        .map_err(|err| Error::io("replace", path)(err.error))?;
    keep_name(path, durability)
}

/// Returns the directory that contains `path`: `.` for a bare name.
fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(dir) if dir == Path::new("") => Path::new("."),
        Some(dir) => dir,
        None => Path::new("/"),
    }
}

/// Waits until a file's new name is on disk, if `durability` requires that.
///
/// # Errors
/// Returns [`Error::Io`] if the directory cannot be synced; the file keeps its name.
pub(super) fn keep_name(path: &Path, durability: Durability) -> Result<()> {
    match durability {
        Durability::Cached => Ok(()),
        Durability::Synced => sync_dir(folder(path)),
    }
}

/// Does the same as [`replace`], for content that is worthless after the next boot.
///
/// Avoids disk writes: ext4 writes a file at once if it is renamed over another one, but not if two
/// files exchange their names.
///
/// # Errors
/// Returns [`Error::Io`] if the file cannot be written; `path` is then unchanged.
pub fn replace_until_boot(path: &Path, bytes: &[u8]) -> Result<()> {
    let temporary = written(path, bytes, 0o600)?;
    match rustix::fs::renameat_with(CWD, temporary.path(), CWD, path, RenameFlags::EXCHANGE) {
        // The old file now has the temporary name, and is removed with it.
        Ok(()) => Ok(()),
        Err(_) => temporary
            .persist(path)
            .map(drop)
            .map_err(|err| Error::io("replace", path)(err.error)),
    }
}

/// Does the same as [`replace`], with permission bits `mode`, in another program's directory.
///
/// No cleanup visits that directory, so a killed process should leave no temporary file there.
/// Therefore the file has a temporary name only between two system calls.
///
/// # Errors
/// Returns [`Error::Io`] if the file cannot be written. `path` is then unchanged, unless only
/// syncing the directory failed.
pub fn replace_nameless(
    path: &Path,
    bytes: &[u8],
    mode: u32,
    durability: Durability,
) -> Result<()> {
    let Some(mut file) = open_nameless(path)? else {
        let temporary = prepared(path, bytes, durability, mode)?;
        return place(temporary, path, durability);
    };
    let written = file
        .set_permissions(Permissions::from_mode(mode))
        .and_then(|()| file.write_all(bytes));
    let written = written.and_then(|()| send(&file, durability));
    written.map_err(Error::io("write", path))?;
    let dir = folder(path);
    let temporary = Builder::new()
        .prefix(TEMPORARY)
        .rand_bytes(16)
        .make_in(dir, |name| link(&file, name).map_err(std::io::Error::from))
        .map_err(Error::io("create a temporary file in", dir))?;
    let named = temporary.into_temp_path().persist(path);
    named.map_err(|err| Error::io("replace", path)(err.error))?;
    keep_name(path, durability)
}

/// Opens an unnamed file, mode 0600, in the directory of `path`. It disappears if the process is
/// killed. Returns `None` if the system has no unnamed files.
#[cfg(target_os = "linux")]
fn open_nameless(path: &Path) -> Result<Option<File>> {
    let dir = folder(path);
    let (flags, mode) = (
        OFlags::WRONLY | OFlags::TMPFILE | OFlags::CLOEXEC,
        Mode::RUSR | Mode::WUSR,
    );
    if file::look(Path::new("/proc/self/fd"))
        .ok()
        .flatten()
        .is_none()
    {
        return Ok(None);
    }
    match rustix::fs::open(dir, flags, mode) {
        Ok(fd) => {
            // A umask may have removed some of the owner's permissions.
            let _ = rustix::fs::fchmod(&fd, mode);
            Ok(Some(File::from(fd)))
        }
        Err(Errno::NOTSUP | Errno::ISDIR | Errno::INVAL | Errno::NOENT) => Ok(None),
        Err(errno) => Err(Error::io("create a temporary file in", dir)(errno)),
    }
}

#[cfg(not(target_os = "linux"))]
fn open_nameless(_path: &Path) -> Result<Option<File>> {
    Ok(None)
}

/// Links an unnamed file to `name`, which must be free.
fn link(file: &File, name: &Path) -> rustix::io::Result<()> {
    let own = format!("/proc/self/fd/{}", file.as_raw_fd());
    rustix::fs::linkat(CWD, own, CWD, name, rustix::fs::AtFlags::SYMLINK_FOLLOW)
}

/// Does the same as [`replace`], in a directory of the user's choice, which no cleanup visits. A
/// process leaves a temporary file there only if it is killed between two system calls, and the
/// next call removes that file.
///
/// # Errors
/// Returns [`Error::Io`] if the file cannot be written. `path` is then unchanged, unless only
/// syncing the directory failed.
#[cfg(feature = "cli")]
pub fn replace_beside_others(path: &Path, bytes: &[u8], durability: Durability) -> Result<()> {
    replace_nameless(path, bytes, 0o600, durability)?;
    sweep_beside(path);
    Ok(())
}

/// Atomically replaces `path` with a synced file that contains `bytes` and that everybody may read,
/// with mode 0644. Made for files that other users' programs read. An existing file must be regular
/// and belong to this user.
///
/// # Errors
/// Returns [`Error::Untrusted`] if `path` is a link, another user's, or not a regular file, and
/// [`Error::Io`] if the file cannot be written.
///
/// # Security
/// Another user with write access to the directory may still swap the file between the check and
/// the rename. The rename follows no link, so only that user's own file is lost. The name is
/// checked again afterwards.
pub fn publish(path: &Path, bytes: &[u8]) -> Result<()> {
    refuse_others(path)?;
    replace_nameless(path, bytes, 0o644, Durability::Synced)?;
    sweep_beside(path);
    refuse_others(path)
}

/// Returns an error if `path` exists and is not a regular file of this user.
///
/// # Errors
/// Returns [`Error::Untrusted`] if `path` is a link, another user's, or not a regular file.
pub fn refuse_others(path: &Path) -> Result<()> {
    let why = file::look(path)?.and_then(|found| match found.kind {
        FileType::Symlink => Some(Untrusted::Symlink),
        FileType::RegularFile if found.owner == file::me() => None,
        FileType::RegularFile => Some(Untrusted::ForeignOwner(found.owner)),
        _ => Some(Untrusted::NotRegular),
    });
    match why {
        Some(why) => Err(Error::Untrusted {
            path: path.to_owned(),
            why,
        }),
        None => Ok(()),
    }
}

/// Does the same as [`replace`], and sets the modification time to `modified`.
///
/// # Errors
/// Returns [`Error::Io`] if the file cannot be written; `path` is then unchanged.
pub fn replace_as_of(path: &Path, bytes: &[u8], modified: Timestamp) -> Result<()> {
    let temporary = prepared(path, bytes, Durability::Cached, 0o600)?;
    let dated = temporary.as_file().set_modified(modified.to_utc().into());
    dated.map_err(Error::io("write", path))?;
    place(temporary, path, Durability::Cached)
}

/// Creates `path` with `bytes`, mode 0600, completely or not at all. Returns whether it was
/// created; an existing file is left unchanged.
///
/// # Errors
/// Returns [`Error::Io`] if the file cannot be written; nothing was created then.
pub fn create(path: &Path, bytes: &[u8], durability: Durability) -> Result<bool> {
    created(path, bytes, durability, 0o600)
}

/// Does the same as [`create`], with permission bits `mode`, and syncs the file.
///
/// # Errors
/// Returns [`Error::Io`] if the file cannot be written; nothing was created then.
pub fn create_with_mode(path: &Path, bytes: &[u8], mode: u32) -> Result<bool> {
    created(path, bytes, Durability::Synced, mode)
}

fn created(path: &Path, bytes: &[u8], durability: Durability, mode: u32) -> Result<bool> {
    let temporary = prepared(path, bytes, Durability::Cached, mode)?;
    let file = match temporary.persist_noclobber(path) {
        Ok(file) => file,
        Err(err) if err.error.kind() == std::io::ErrorKind::AlreadyExists => return Ok(false),
        Err(err) => return Err(Error::io("create", path)(err.error)),
    };
    if durability == Durability::Synced
        && let Err(err) = file.sync_all()
    {
        // Remove the file: its bytes may not be on disk.
        remove(path)?;
        return Err(Error::io("write", path)(err));
    }
    Ok(true)
}

/// Writes a complete temporary file beside `path`, to be renamed later. Dropping it removes the
/// file.
///
/// # Errors
/// Returns [`Error::Io`] if the file cannot be written; no temporary file remains then.
pub(super) fn prepared(
    path: &Path,
    bytes: &[u8],
    durability: Durability,
    mode: u32,
) -> Result<NamedTempFile> {
    let temporary = written(path, bytes, mode)?;
    send(temporary.as_file(), durability).map_err(Error::io("write", path))?;
    Ok(temporary)
}

/// Makes the system start to write a file's bytes to disk: Linux writes pages that are declared
/// unneeded. If that fails, [`Durability::Cached`] is only weaker.
#[cfg(target_os = "linux")]
fn begin_writing(file: &File) {
    let _ = rustix::fs::fadvise(file, 0, None, rustix::fs::Advice::DontNeed);
}

#[cfg(not(target_os = "linux"))]
fn begin_writing(_file: &File) {}

/// Starts to write a file's bytes to disk, and waits for that if `durability` requires it.
fn send(file: &File, durability: Durability) -> std::io::Result<()> {
    match durability {
        Durability::Synced => file.sync_all(),
        Durability::Cached => {
            begin_writing(file);
            Ok(())
        }
    }
}

fn written(path: &Path, bytes: &[u8], mode: u32) -> Result<NamedTempFile> {
    let dir = folder(path);
    let mut temporary = Builder::new()
        .prefix(TEMPORARY)
        .rand_bytes(16)
        .tempfile_in(dir)
        .map_err(Error::io("create a temporary file in", dir))?;
    let file = temporary.as_file_mut();
    let written = file
        .set_permissions(Permissions::from_mode(mode))
        .and_then(|()| file.write_all(bytes));
    written.map_err(Error::io("write", path))?;
    Ok(temporary)
}

/// A file that grows under a temporary name and is renamed once complete. Dropping it removes the
/// file.
#[derive(Debug)]
pub struct GrowingFile {
    temporary: NamedTempFile,
    /// The final path, for error messages.
    path: PathBuf,
}

impl GrowingFile {
    /// Creates an empty temporary file, mode 0600, in the directory of `path`.
    ///
    /// # Errors
    /// Returns [`Error::Io`] if the file cannot be created.
    pub fn beside(path: &Path) -> Result<Self> {
        Ok(Self {
            temporary: written(path, b"", 0o600)?,
            path: path.to_owned(),
        })
    }

    /// Appends bytes.
    ///
    /// # Errors
    /// Returns [`Error::Io`] if the file cannot be written.
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let written = self.temporary.as_file_mut().write_all(bytes);
        written.map_err(Error::io("write", &self.path))
    }

    /// Returns the open file, for callers that write a stream.
    #[cfg(feature = "cli")]
    pub(super) fn file(&mut self) -> &mut File {
        self.temporary.as_file_mut()
    }

    /// Opens the file again for reading, from its start.
    #[cfg(feature = "cli")]
    pub(super) fn reopened(&self) -> std::io::Result<File> {
        self.temporary.reopen()
    }

    /// Returns the temporary path.
    #[cfg(feature = "cli")]
    pub(super) fn path(&self) -> &Path {
        self.temporary.path()
    }

    /// Sets the modification time.
    ///
    /// # Errors
    /// Returns [`Error::Io`] if the time cannot be set.
    #[cfg(feature = "cli")]
    pub(super) fn set_modified(&self, modified: Timestamp) -> Result<()> {
        let dated = self
            .temporary
            .as_file()
            .set_modified(modified.to_utc().into());
        dated.map_err(Error::io("write", self.temporary.path()))
    }

    /// Syncs the file and closes it.
    ///
    /// # Errors
    /// Returns [`Error::Io`] if the file cannot be synced; it is then removed.
    pub(super) fn close(self) -> Result<FinishedFile> {
        self.sync()?;
        Ok(FinishedFile {
            temporary: self.temporary.into_temp_path(),
        })
    }

    /// Waits until the bytes are on disk.
    ///
    /// # Errors
    /// Returns [`Error::Io`] if the file cannot be synced.
    pub fn sync(&self) -> Result<()> {
        let synced = self.temporary.as_file().sync_all();
        synced.map_err(Error::io("write", &self.path))
    }

    /// Renames the file to `path`, replacing any existing file.
    ///
    /// # Errors
    /// Returns [`Error::Io`] if the file cannot be renamed.
    pub fn replace(self, path: &Path) -> Result<()> {
        let named = self.temporary.persist(path);
        named
            .map(drop)
            .map_err(|err| Error::io("replace", path)(err.error))
    }

    /// Renames the file to `path` unless that name is taken. Returns whether it was free.
    ///
    /// # Errors
    /// Returns [`Error::Io`] if the file cannot be renamed.
    pub fn create(self, path: &Path) -> Result<bool> {
        match self.temporary.persist_noclobber(path) {
            Ok(_) => Ok(true),
            Err(err) if err.error.kind() == std::io::ErrorKind::AlreadyExists => Ok(false),
            Err(err) => Err(Error::io("create", path)(err.error)),
        }
    }
}

/// A file that is written in another program's directory and gets its name once it is complete.
/// Until then it has no name, if the system supports that, so a killed process leaves nothing
/// behind.
#[cfg(feature = "cli")]
#[derive(Debug)]
pub struct GuestFile {
    file: File,
    /// The temporary name, on systems without unnamed files.
    named: Option<TempPath>,
    path: PathBuf,
}

#[cfg(feature = "cli")]
impl GuestFile {
    /// Begins the file that is to be at `path`, mode 0600.
    ///
    /// # Errors
    /// Returns [`Error::Io`] if the file cannot be created.
    pub fn begin(path: &Path) -> Result<Self> {
        let (file, named) = match open_nameless(path)? {
            Some(file) => (file, None),
            None => {
                let (file, named) = written(path, b"", 0o600)?.into_parts();
                (file, Some(named))
            }
        };
        let path = path.to_owned();
        Ok(Self { file, named, path })
    }

    /// Appends bytes.
    ///
    /// # Errors
    /// Returns [`Error::Io`] if the file cannot be written.
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let written = self.file.write_all(bytes);
        written.map_err(Error::io("write", &self.path))
    }

    /// Syncs the file and links it to its path unless that is taken. Returns whether the path was
    /// free.
    ///
    /// # Errors
    /// Returns [`Error::Io`] if the file cannot be synced or linked. The file exists then only if
    /// just syncing the directory failed.
    pub fn end(self) -> Result<bool> {
        let Self { file, named, path } = self;
        file.sync_all().map_err(Error::io("write", &path))?;
        let placed = match named {
            Some(named) => named.persist_noclobber(&path).map_err(|err| err.error),
            None => link(&file, &path).map_err(std::io::Error::from),
        };
        match placed {
            Ok(()) => keep_name(&path, Durability::Synced).map(|()| true),
            Err(err) if err.kind() == std::io::ErrorKind::AlreadyExists => Ok(false),
            Err(err) => Err(Error::io("create", &path)(err)),
        }
    }

    /// Renames the file to its path, replacing an existing file of this user. Removes temporary
    /// files that killed processes left beside it. Does not sync the file, because it can be
    /// created again.
    ///
    /// # Errors
    /// Returns [`Error::Untrusted`] if the path is a link, another user's, or not a regular file,
    /// and [`Error::Io`] if the file cannot be renamed. The path is unchanged then.
    pub fn replace(self) -> Result<()> {
        let Self { file, named, path } = self;
        refuse_others(&path)?;
        let dir = folder(&path);
        let named = match named {
            Some(named) => named,
            None => Builder::new()
                .prefix(TEMPORARY)
                .rand_bytes(16)
                .make_in(dir, |name| link(&file, name).map_err(std::io::Error::from))
                .map_err(Error::io("create a temporary file in", dir))?
                .into_temp_path(),
        };
        let replaced = named.persist(&path);
        replaced.map_err(|err| Error::io("replace", &path)(err.error))?;
        sweep_beside(&path);
        Ok(())
    }
}

#[cfg(feature = "cli")]
impl Write for GuestFile {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.file.flush()
    }
}

/// A complete, synced and closed file under a temporary name. Because it is closed, thousands can
/// exist at once. Dropping this removes the file.
#[derive(Debug)]
pub(super) struct FinishedFile {
    temporary: TempPath,
}

impl FinishedFile {
    /// Renames the file to `path`, replacing any existing file.
    ///
    /// # Errors
    /// Returns [`Error::Io`] if the file cannot be renamed; it is then removed.
    pub(super) fn replace(self, path: &Path) -> Result<()> {
        let named = self.temporary.persist(path);
        named.map_err(|err| Error::io("replace", path)(err.error))
    }
}

/// Waits until the names in a directory are on disk. Does nothing on file systems that cannot sync
/// a directory.
///
/// # Errors
/// Returns [`Error::Io`] if the directory cannot be opened or synced.
pub fn sync_dir(path: &Path) -> Result<()> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let dir = rustix::fs::open(path, flags, Mode::empty()).map_err(Error::io("open", path))?;
    match rustix::fs::fsync(&dir) {
        Err(Errno::INVAL | Errno::NOTSUP) => Ok(()),
        other => other.map_err(Error::io("write", path)),
    }
}

/// Creates a small file directly under its name, with mode 0600. Returns whether it was created; an
/// existing file is left unchanged.
///
/// # Errors
/// Returns [`Error::Io`] if the file cannot be written; nothing was created then. A process that is
/// killed while it writes may leave a part of `bytes`, so readers must validate the content.
pub fn create_small(path: &Path, bytes: &[u8]) -> Result<bool> {
    let Some(mut file) = open_new(path)? else {
        return Ok(false);
    };
    if let Err(err) = file.write_all(bytes) {
        remove(path)?;
        return Err(Error::io("write", path)(err));
    }
    Ok(true)
}

/// Creates a file that other processes append to, starting with `bytes`, mode 0600. Returns whether
/// it was created.
///
/// # Errors
/// Returns [`Error::Io`] if the file cannot be created or written. If writing failed, the file
/// exists with a part of `bytes`, and maybe with what another process has appended since.
pub fn begin(path: &Path, bytes: &[u8]) -> Result<bool> {
    let Some(mut file) = open_new(path)? else {
        return Ok(false);
    };
    file.write_all(bytes).map_err(Error::io("write", path))?;
    Ok(true)
}

/// Creates and opens a file; returns `None` if it already exists.
fn open_new(path: &Path) -> Result<Option<File>> {
    // Append mode, because another process may append as soon as the file exists.
    let flags = OFlags::WRONLY
        | OFlags::APPEND
        | OFlags::CREATE
        | OFlags::EXCL
        | OFlags::NOFOLLOW
        | OFlags::CLOEXEC;
    let mode = Mode::RUSR | Mode::WUSR;
    let fd = match rustix::fs::open(path, flags, mode) {
        Ok(fd) => fd,
        Err(Errno::EXIST) => return Ok(None),
        Err(errno) => return Err(Error::io("create", path)(errno)),
    };
    // A umask may have removed some of the owner's permissions. It never grants any to others.
    let _ = rustix::fs::fchmod(&fd, mode);
    Ok(Some(File::from(fd)))
}

/// The outcome of an append.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AppendOutcome {
    /// All bytes are in the file.
    Done {
        /// Size in bytes before the append. Other processes may have appended since.
        size_before: u64,
    },
    /// The file does not exist; nothing was created.
    Missing,
}

/// Appends `bytes` to an existing file by one `write(2)`: appends of several processes never
/// interleave.
///
/// # Errors
/// Returns [`Error::Untrusted`] if another user may have written the file. Returns [`Error::Io`] if
/// it cannot be written, or twice only a part could be written. That part stays, because truncating
/// the file could cut off another process's record.
pub fn append(path: &Path, bytes: &[u8]) -> Result<AppendOutcome> {
    match AppendFile::open(path)? {
        Some(file) => file.append(bytes),
        None => Ok(AppendOutcome::Missing),
    }
}

/// A file that is open for appending.
#[derive(Debug)]
pub(super) struct AppendFile<'a> {
    path: &'a Path,
    file: File,
    stat: Stat,
}

impl<'a> AppendFile<'a> {
    /// Opens the file at `path`; returns `None` if it does not exist.
    ///
    /// # Errors
    /// Returns [`Error::Untrusted`] if another user may have written the file, and [`Error::Io`] if
    /// it cannot be opened.
    pub(super) fn open(path: &'a Path) -> Result<Option<Self>> {
        let flags = OFlags::WRONLY | OFlags::APPEND | OFlags::NOFOLLOW;
        let Some(file) = file::open(path, flags)? else {
            return Ok(None);
        };
        let stat = rustix::fs::fstat(&file).map_err(Error::io("inspect", path))?;
        file::judge_own(&stat).map_err(|why| Error::Untrusted {
            path: path.to_owned(),
            why,
        })?;
        Ok(Some(Self { path, file, stat }))
    }

    /// Returns whether the file has another hard link, for example from a backup. Appending would
    /// then change the backup, too.
    pub(super) fn has_other_names(&self) -> bool {
        file::names_of(&self.stat) > 1
    }

    /// Appends `bytes`, which must begin and end with a line break.
    ///
    /// If the system writes only a part, appends all bytes once more. The part then is a torn line,
    /// and the following lines are whole.
    ///
    /// # Errors
    /// Returns [`Error::Io`] if the file cannot be written, or twice only a part could be written.
    pub(super) fn append(mut self, bytes: &[u8]) -> Result<AppendOutcome> {
        let done = AppendOutcome::Done {
            size_before: file::Meta::from(&self.stat).size,
        };
        let written = self.write(bytes)?;
        // A missing final line break does no harm, because the next append begins with one.
        let is_whole = |written: usize| written + 1 >= bytes.len();
        if is_whole(written) || self.write(bytes).is_ok_and(is_whole) {
            return Ok(done);
        }
        let full = std::io::Error::from(std::io::ErrorKind::StorageFull);
        Err(Error::io("append all to", self.path)(full))
    }

    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        loop {
            match self.file.write(bytes) {
                Err(err) if err.kind() == std::io::ErrorKind::Interrupted => {}
                other => return other.map_err(Error::io("append to", self.path)),
            }
        }
    }
}

/// Opens stdin, stdout and stderr on /dev/null if they are closed. Otherwise a file that is opened
/// later would become one of them.
pub fn open_closed_streams() {
    let streams = [
        rustix::stdio::stdin(),
        rustix::stdio::stdout(),
        rustix::stdio::stderr(),
    ];
    // Usually all are open; checking that is much cheaper than opening a file.
    if streams
        .iter()
        .all(|stream| rustix::io::fcntl_getfd(stream).is_ok())
    {
        return;
    }
    while let Ok(fd) = rustix::fs::open("/dev/null", OFlags::RDWR, Mode::empty()) {
        if fd.as_raw_fd() > 2 {
            return;
        }
        // Keep it open until the process ends.
        let _ = fd.into_raw_fd();
    }
}

/// Redirects stderr to /dev/null. Returns a duplicate of the old stderr, or `None` if there is
/// none.
pub fn lead_stderr_away() -> Option<OwnedFd> {
    let before = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stderr(), 3).ok();
    if let Ok(null) = rustix::fs::open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty()) {
        let _ = rustix::stdio::dup2_stderr(&null);
    }
    before
}

/// Removes the file at `path`. Returns whether it existed.
///
/// # Errors
/// Returns [`Error::Io`] if the file cannot be removed.
pub fn remove(path: &Path) -> Result<bool> {
    match rustix::fs::unlink(path) {
        Ok(()) => Ok(true),
        Err(Errno::NOENT | Errno::NOTDIR) => Ok(false),
        Err(errno) => Err(Error::io("remove", path)(errno)),
    }
}

/// Removes the directory at `path` if it is empty. Returns whether it was removed.
///
/// # Errors
/// Returns [`Error::Io`] if the directory is empty but cannot be removed.
pub fn remove_empty_dir(path: &Path) -> Result<bool> {
    match rustix::fs::rmdir(path) {
        Ok(()) => Ok(true),
        Err(Errno::NOENT | Errno::NOTEMPTY | Errno::EXIST) => Ok(false),
        Err(errno) => Err(Error::io("remove", path)(errno)),
    }
}

/// The result of [`rename_to_free`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum RenameOutcome {
    /// The file has the new name.
    Done,
    /// Another file has the name; nothing changed.
    Taken,
    /// The file does not exist, or another process removed it meanwhile.
    Missing,
}

/// Renames `from` to `to` unless that name is taken.
///
/// # Errors
/// Returns [`Error::Io`] if the file cannot be renamed.
pub fn rename_to_free(from: &Path, to: &Path) -> Result<RenameOutcome> {
    let mut renamed = rustix::fs::renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE);
    // On file systems without RENAME_NOREPLACE, a hard link is just as exclusive.
    if let Err(Errno::INVAL | Errno::NOSYS) = renamed {
        renamed = rustix::fs::link(from, to);
        if renamed.is_ok() && !remove(from)? {
            return Ok(RenameOutcome::Missing);
        }
    }
    match renamed {
        Ok(()) => Ok(RenameOutcome::Done),
        Err(Errno::EXIST) => Ok(RenameOutcome::Taken),
        Err(Errno::NOENT) => Ok(RenameOutcome::Missing),
        Err(errno) => Err(Error::io("rename", from)(errno)),
    }
}

/// The outcome of [`exchange`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Exchange {
    /// The two files swapped names.
    Done,
    /// The file system cannot swap names; nothing changed.
    Unsupported,
}

/// Atomically swaps the names of two files; both names exist at every moment.
///
/// # Errors
/// Returns [`Error::Io`] if the files cannot be renamed.
pub fn exchange(one: &Path, other: &Path) -> Result<Exchange> {
    match rustix::fs::renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE) {
        Ok(()) => Ok(Exchange::Done),
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => Ok(Exchange::Unsupported),
        Err(errno) => Err(Error::io("rename", one)(errno)),
    }
}

/// Sets the modification time of the file at `path`, if it exists.
///
/// # Errors
/// Returns [`Error::Untrusted`] if the file is a link, and [`Error::Io`] if the time cannot be set.
pub(super) fn set_modified(path: &Path, modified: Timestamp) -> Result<()> {
    let dated = file::open(path, OFlags::WRONLY | OFlags::NOFOLLOW)?
        .map(|file| file.set_modified(modified.to_utc().into()));
    dated
        .transpose()
        .map(drop)
        .map_err(Error::io("write", path))
}

/// Renames `from` to `to`, replacing any existing file.
///
/// # Errors
/// Returns [`Error::Io`] if the file cannot be renamed.
pub fn rename(from: &Path, to: &Path) -> Result<()> {
    rustix::fs::rename(from, to).map_err(Error::io("rename", from))
}

/// Creates the directory `path`, mode 0700. Returns whether it was created.
///
/// # Errors
/// Returns [`Error::Io`] if the directory cannot be created.
pub fn make_dir(path: &Path) -> Result<bool> {
    match rustix::fs::mkdir(path, Mode::RWXU) {
        Ok(()) => {
            // A umask may have removed some of the owner's permissions.
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let allowed = match rustix::fs::open(path, flags, Mode::empty()) {
                Ok(made) => rustix::fs::fchmod(&made, Mode::RWXU),
                // The umask removed even the owner's right to open the directory.
                Err(Errno::ACCESS) => rustix::fs::chmod(path, Mode::RWXU),
                Err(errno) => Err(errno),
            };
            allowed.map_err(Error::io("create", path))?;
            Ok(true)
        }
        Err(Errno::EXIST) => Ok(false),
        Err(errno) => Err(Error::io("create", path)(errno)),
    }
}

/// Creates the directory `path` with the permissions that the umask allows, as mkdir(1) does. Made
/// for directories of other programs. Returns whether it was created.
///
/// # Errors
/// Returns [`Error::Io`] if the directory cannot be created.
pub fn make_plain_dir(path: &Path) -> Result<bool> {
    match rustix::fs::mkdir(path, Mode::RWXU | Mode::RWXG | Mode::RWXO) {
        Ok(()) => Ok(true),
        Err(Errno::EXIST) => Ok(false),
        Err(errno) => Err(Error::io("create", path)(errno)),
    }
}

/// Creates the private directory `path` and its missing parents, each with mode 0700. Checks that
/// the directory is private.
///
/// # Errors
/// Returns [`Error::Untrusted`] if `path` is not a directory that is private to this user, or if
/// the nearest existing directory belongs to another user. Returns [`Error::Io`] if a directory
/// cannot be created.
pub fn make_private_dir(path: &Path) -> Result<()> {
    if file::check_private_dir(path)? {
        return Ok(());
    }
    make_missing_dirs(path)?;
    file::check_private_dir(path).map(drop)
}

/// Creates the directory `path` and its missing parents, each mode 0700. Existing directories are
/// left unchanged. Returns the created ones, topmost first.
///
/// # Errors
/// Returns [`Error::Untrusted`] if the nearest existing directory belongs to another user, as under
/// `sudo -E`: nothing is created in another user's home. Returns [`Error::Io`] if a directory
/// cannot be created.
pub fn make_missing_dirs(path: &Path) -> Result<Vec<PathBuf>> {
    let (mut missing, _) = missing_dirs(path)?;
    missing.reverse();
    let mut made = Vec::new();
    for dir in missing {
        if make_dir(&dir)? {
            made.push(dir);
        }
    }
    Ok(made)
}

/// Returns the missing directories on the way to `path`, lowest first, and the nearest existing
/// one.
fn missing_dirs(path: &Path) -> Result<(Vec<PathBuf>, &Path)> {
    let mut missing: Vec<PathBuf> = Vec::new();
    for dir in path.ancestors() {
        match rustix::fs::stat(dir) {
            Ok(stat) if stat.st_uid == file::me() || stat.st_uid == 0 => return Ok((missing, dir)),
            Ok(stat) => {
                let why = Untrusted::ForeignOwner(stat.st_uid);
                return Err(Error::Untrusted {
                    path: dir.to_owned(),
                    why,
                });
            }
            Err(_) => missing.push(dir.to_owned()),
        }
    }
    Ok((missing, Path::new("/")))
}

/// Checks that the missing directory `path` could be created, without writing anything.
///
/// # Errors
/// Returns [`Error::Untrusted`] if the nearest existing directory belongs to another user or is not
/// a directory, and [`Error::Io`] if this user may not create files there.
pub fn check_could_make(path: &Path) -> Result<()> {
    let (missing, above) = missing_dirs(path)?;
    let highest = missing.last().map_or(path, PathBuf::as_path);
    let stat = rustix::fs::stat(above).map_err(Error::io("inspect", above))?;
    if !FileType::from_raw_mode(stat.st_mode).is_dir() {
        return Err(Error::Untrusted {
            path: above.to_owned(),
            why: Untrusted::NotDirectory,
        });
    }
    let wanted = Access::WRITE_OK | Access::EXEC_OK;
    rustix::fs::access(above, wanted).map_err(Error::io("create", highest))
}
