//! How files change: replaced whole, created once, appended to by one write, removed. A failure leaves the old content
//! and no temporary file.
//!
//! Everything created here is the owner's alone: files 0600, directories 0700, whatever the umask says.

#[cfg(feature = "cli")]
pub mod next;

use std::ffi::OsString;
use std::fs::{File, Permissions};
use std::io::Write;
use std::os::fd::{AsRawFd, IntoRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{Access, CWD, FileType, Mode, OFlags, RenameFlags, Stat};
use rustix::io::Errno;
use tempfile::{Builder, NamedTempFile, TempPath};

use super::error::{Error, Result, Unsafe};
use super::{clock, file};
use crate::model::Timestamp;

/// Every temporary file's name starts with this. It must not match `claude_session_*`: other tools sweep that pattern.
pub const TEMPORARY: &str = ".ccsession-tmp-";
/// A temporary file that is older belongs to a process that died.
pub const ORPHANED: Duration = Duration::from_secs(10 * 60);

/// What a power failure leaves of a file that was replaced or created.
///
/// | | replaced | created |
/// |---|---|---|
/// | [`Self::Cached`] | the old file or the new one | the file, or nothing |
/// | [`Self::Synced`] | the new file | the file |
///
/// This holds once the call has returned, on file systems that write a file's bytes out before its size, as ext4 does in its
/// default mode (`data=ordered`) and with `data=journal`. On others, and for what `create_small` and `begin` write, a new name
/// may have an empty file, zeros or a beginning: readers of the state take that for none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// The bytes are sent on their way to the disk before the file gets its name, and nobody waits for them. Ext4 by itself
    /// does so only where the name replaces another file's, and not under `noauto_da_alloc`.
    Cached,
    /// It is waited until bytes and name are on the disk. What replaces a file is there before it takes its place; what is
    /// created gets its name first, and one wait does for both.
    Synced,
}

/// Replaces `path` by a file with `bytes`, mode 0600, in one step: a reader sees the old file or the new one.
///
/// # Errors
/// [`Error::Io`]; then `path` is as it was and the temporary file is gone.
///
/// # Security
/// The temporary file has an unpredictable name and is created exclusively, in the same directory. Whether whoever owns
/// the present file may be replaced is the caller's to check.
pub fn replace(path: &Path, bytes: &[u8], durability: Durability) -> Result<()> {
    let temporary = prepared(path, bytes, durability, 0o600)?;
    place(temporary, path, durability)
}

/// Gives a complete temporary file the name `path`, replacing what is there.
fn place(temporary: NamedTempFile, path: &Path, durability: Durability) -> Result<()> {
    temporary
        .persist(path)
        .map_err(|err| Error::io("replace", path)(err.error))?;
    keep_name(path, durability)
}

/// The folder that `path` is in: of a name alone, the one that the process is in.
fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(dir) if dir == Path::new("") => Path::new("."),
        Some(dir) => dir,
        None => Path::new("/"),
    }
}

/// Waits, where that is wanted, until the name that a file has got is on the disk.
///
/// # Errors
/// [`Error::Io`]; the file has its name.
pub(super) fn keep_name(path: &Path, durability: Durability) -> Result<()> {
    match durability {
        Durability::Cached => Ok(()),
        Durability::Synced => sync_dir(folder(path)),
    }
}

/// As [`replace`], for content that means nothing after the next boot. The disk is not kept busy with it: where a file
/// takes the name of another, ext4 writes it out at once, but not where two exchange their names.
///
/// # Errors
/// As [`replace`].
pub fn replace_until_boot(path: &Path, bytes: &[u8]) -> Result<()> {
    let temporary = written(path, bytes, 0o600)?;
    match rustix::fs::renameat_with(CWD, temporary.path(), CWD, path, RenameFlags::EXCHANGE) {
        // The old file has the temporary name now, and goes with it.
        Ok(()) => Ok(()),
        Err(_) => temporary
            .persist(path)
            .map(drop)
            .map_err(|err| Error::io("replace", path)(err.error)),
    }
}

/// As [`replace`], with the permission bits `mode`, in another program's directory, where nobody may ever come to remove what a
/// killed process leaves: the file has a temporary name only for the moment between two calls.
///
/// # Errors
/// As [`replace`].
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

/// Opens a file without a name in the directory that `path` is in, mode 0600: nothing is left of it where the process is
/// killed. Nothing where the system cannot do that.
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
            // A umask may have taken from the owner what was asked for.
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

/// Gives a file without a name this one, which must be free.
fn link(file: &File, name: &Path) -> rustix::io::Result<()> {
    let own = format!("/proc/self/fd/{}", file.as_raw_fd());
    rustix::fs::linkat(CWD, own, CWD, name, rustix::fs::AtFlags::SYMLINK_FOLLOW)
}

/// Replaces `path` by a file with `bytes` that everybody may read, mode 0644, in one step and synchronised: for what other
/// users' programs read. What is there must be a regular file of ours.
///
/// # Errors
/// [`Error::Unsafe`] where it is a link, another user's or no regular file; else as [`replace`]. Then `path` is as it was.
///
/// # Security
/// Whoever may write to the directory can still exchange what is there: a rename replaces a name and follows no link, so
/// that costs them their file and nobody else's. Afterwards the name is looked at: what it leads to is ours.
pub fn publish(path: &Path, bytes: &[u8]) -> Result<()> {
    refuse_others(path)?;
    replace_nameless(path, bytes, 0o644, Durability::Synced)?;
    sweep_beside(path);
    refuse_others(path)
}

/// Refuses where something else is at `path` than a regular file of ours.
fn refuse_others(path: &Path) -> Result<()> {
    let why = file::look(path)?.and_then(|found| match found.kind {
        FileType::Symlink => Some(Unsafe::Symlink),
        FileType::RegularFile if found.owner == file::me() => None,
        FileType::RegularFile => Some(Unsafe::ForeignOwner(found.owner)),
        _ => Some(Unsafe::NotRegular),
    });
    match why {
        Some(why) => Err(Error::Unsafe {
            path: path.to_owned(),
            why,
        }),
        None => Ok(()),
    }
}

/// Removes the temporary files of ours in the directory that `path` is in whose processes have died: for a place that no
/// cleanup knows.
fn sweep_beside(path: &Path) {
    let dir = folder(path);
    let names = file::names(dir).into_iter().flatten();
    let is_temporary = |name: &OsString| name.as_bytes().starts_with(TEMPORARY.as_bytes());
    for left in names.filter(is_temporary).map(|name| dir.join(name)) {
        let is_orphan = |found: file::Look| {
            let is_ours = found.is_file() && found.owner == file::me();
            is_ours && found.meta.modified.age(clock::now()) > ORPHANED
        };
        // What cannot be removed now is left to the next.
        if matches!(file::look(&left), Ok(Some(found)) if is_orphan(found)) {
            let _ = remove(&left);
        }
    }
}

/// As [`replace`], as if it had been written at `modified`.
///
/// # Errors
/// As [`replace`].
pub fn replace_as_of(path: &Path, bytes: &[u8], modified: Timestamp) -> Result<()> {
    let temporary = prepared(path, bytes, Durability::Cached, 0o600)?;
    let dated = temporary.as_file().set_modified(modified.to_utc().into());
    dated.map_err(Error::io("write", path))?;
    place(temporary, path, Durability::Cached)
}

/// Creates `path` with `bytes`, mode 0600, complete or not at all. Whether it was created is the answer; an existing
/// file stays as it is.
///
/// # Errors
/// [`Error::Io`]; then nothing was created.
pub fn create(path: &Path, bytes: &[u8], durability: Durability) -> Result<bool> {
    created(path, bytes, durability, 0o600)
}

/// As [`create`], with the permission bits `mode`, and synchronised.
///
/// # Errors
/// As [`create`].
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
        // What the disk would not take is not there: it must not be believed until the next boot.
        remove(path)?;
        return Err(Error::io("write", path)(err));
    }
    Ok(true)
}

/// A complete temporary file beside `path`, to be given its name later; dropped, it is gone.
///
/// # Errors
/// [`Error::Io`]; then the temporary file is gone.
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

/// Has the system begin to write a file's bytes out: what is said not to be needed any more, Linux writes. Where it does not,
/// nothing is lost but the promise.
#[cfg(target_os = "linux")]
fn begin_writing(file: &File) {
    let _ = rustix::fs::fadvise(file, 0, None, rustix::fs::Advice::DontNeed);
}

#[cfg(not(target_os = "linux"))]
fn begin_writing(_file: &File) {}

/// Sends a file's bytes to the disk, and waits for them where that is wanted.
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

/// A file that grows under a temporary name and gets its own when it is complete; dropped, it is gone.
#[derive(Debug)]
pub struct Growing {
    temporary: NamedTempFile,
    /// What it is to be called, for people.
    path: PathBuf,
}

impl Growing {
    /// Begins a file in the directory that `path` is in, mode 0600.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn beside(path: &Path) -> Result<Self> {
        Ok(Self {
            temporary: written(path, b"", 0o600)?,
            path: path.to_owned(),
        })
    }

    /// Adds bytes.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let written = self.temporary.as_file_mut().write_all(bytes);
        written.map_err(Error::io("write", &self.path))
    }

    /// The file itself, for whoever writes to it as a stream.
    #[cfg(feature = "cli")]
    pub(super) fn file(&mut self) -> &mut File {
        self.temporary.as_file_mut()
    }

    /// The file, opened once more, from its start.
    #[cfg(feature = "cli")]
    pub(super) fn reopened(&self) -> std::io::Result<File> {
        self.temporary.reopen()
    }

    /// Where it is as long as it grows.
    #[cfg(feature = "cli")]
    pub(super) fn path(&self) -> &Path {
        self.temporary.path()
    }

    /// Makes it look as if it had been written at `modified`.
    ///
    /// # Errors
    /// [`Error::Io`].
    #[cfg(feature = "cli")]
    pub(super) fn set_modified(&self, modified: Timestamp) -> Result<()> {
        let dated = self
            .temporary
            .as_file()
            .set_modified(modified.to_utc().into());
        dated.map_err(Error::io("write", self.temporary.path()))
    }

    /// Waits until it is on the disk, and closes it.
    ///
    /// # Errors
    /// [`Error::Io`]; then it is gone.
    pub(super) fn close(self) -> Result<Closed> {
        self.sync()?;
        Ok(Closed {
            temporary: self.temporary.into_temp_path(),
        })
    }

    /// Waits until it is on the disk.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn sync(&self) -> Result<()> {
        let synced = self.temporary.as_file().sync_all();
        synced.map_err(Error::io("write", &self.path))
    }

    /// Gives it the name `path`, replacing what is there.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn replace(self, path: &Path) -> Result<()> {
        let named = self.temporary.persist(path);
        named
            .map(drop)
            .map_err(|err| Error::io("replace", path)(err.error))
    }

    /// Gives it the name `path`, unless that is taken. Whether it was free is the answer.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn create(self, path: &Path) -> Result<bool> {
        match self.temporary.persist_noclobber(path) {
            Ok(_) => Ok(true),
            Err(err) if err.error.kind() == std::io::ErrorKind::AlreadyExists => Ok(false),
            Err(err) => Err(Error::io("create", path)(err.error)),
        }
    }
}

/// A file that grows in another program's directory and gets its name when it is complete. Until then it has none, where the
/// system can do that: whoever is killed leaves nothing.
#[cfg(feature = "cli")]
#[derive(Debug)]
pub struct Guest {
    file: File,
    /// Where it has a temporary name all the same.
    named: Option<TempPath>,
    path: PathBuf,
}

#[cfg(feature = "cli")]
impl Guest {
    /// Begins the file that is to be at `path`, mode 0600.
    ///
    /// # Errors
    /// [`Error::Io`].
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

    /// Adds bytes.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let written = self.file.write_all(bytes);
        written.map_err(Error::io("write", &self.path))
    }

    /// Waits until it is on the disk, and gives it its name, unless that is taken. Returns whether it was free.
    ///
    /// # Errors
    /// [`Error::Io`]; then nothing of it is left.
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
}

/// A complete file under a temporary name, on the disk and not open: thousands of them may wait for their names. Dropped,
/// it is gone.
#[derive(Debug)]
pub(super) struct Closed {
    temporary: TempPath,
}

impl Closed {
    /// Gives it the name `path`, replacing what is there.
    ///
    /// # Errors
    /// [`Error::Io`]; then it is gone.
    pub(super) fn replace(self, path: &Path) -> Result<()> {
        let named = self.temporary.persist(path);
        named.map_err(|err| Error::io("replace", path)(err.error))
    }
}

/// Waits until the names in a directory are on the disk. A file system that keeps names in another way has nothing to wait for.
///
/// # Errors
/// [`Error::Io`].
pub fn sync_dir(path: &Path) -> Result<()> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let dir = rustix::fs::open(path, flags, Mode::empty()).map_err(Error::io("open", path))?;
    match rustix::fs::fsync(&dir) {
        Err(Errno::INVAL | Errno::NOTSUP) => Ok(()),
        other => other.map_err(Error::io("write", path)),
    }
}

/// Creates a small file by one exclusive open, mode 0600. Whether it was created is the answer.
///
/// # Errors
/// [`Error::Io`]; then it was not created. A process that is killed while it writes may leave a part of `bytes`, so
/// readers judge the content.
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

/// Creates a file that others append to, beginning with `bytes`, mode 0600. Whether it was created is the answer.
///
/// # Errors
/// [`Error::Io`]. Where writing failed the file is there, with a part of `bytes` and maybe with what another process has
/// appended since.
pub fn begin(path: &Path, bytes: &[u8]) -> Result<bool> {
    let Some(mut file) = open_new(path)? else {
        return Ok(false);
    };
    file.write_all(bytes).map_err(Error::io("write", path))?;
    Ok(true)
}

/// Opens a file that was not there before; nothing where there is one.
fn open_new(path: &Path) -> Result<Option<File>> {
    // Appending, since another process may append as soon as the file is there.
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
    // A umask may have taken from the owner what was asked for; it never gives to others.
    let _ = rustix::fs::fchmod(&fd, mode);
    Ok(Some(File::from(fd)))
}

/// What became of an append.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Appended {
    /// All bytes are in the file, which now has this size or more.
    Done {
        /// The file's size before.
        size_before: u64,
    },
    /// There is no such file; nothing was created.
    Missing,
}

/// Appends `bytes` by one `write(2)` to a file that is there: appends of several processes never interleave.
///
/// # Errors
/// [`Error::Unsafe`] where the file is not ours alone; [`Error::Io`] where the system refused or twice took only a part. What
/// it took stays: cutting it off could cut off another process's record.
pub fn append(path: &Path, bytes: &[u8]) -> Result<Appended> {
    match Appending::open(path)? {
        Some(file) => file.append(bytes),
        None => Ok(Appended::Missing),
    }
}

/// A file that is open to be appended to, as [`append`] does.
#[derive(Debug)]
pub(super) struct Appending<'a> {
    path: &'a Path,
    file: File,
    stat: Stat,
}

impl<'a> Appending<'a> {
    /// Opens the file at `path`; nothing where there is none.
    ///
    /// # Errors
    /// [`Error::Unsafe`] where the file is not ours alone; [`Error::Io`] where the system refused.
    pub(super) fn open(path: &'a Path) -> Result<Option<Self>> {
        let flags = OFlags::WRONLY | OFlags::APPEND | OFlags::NOFOLLOW;
        let Some(file) = file::open(path, flags)? else {
            return Ok(None);
        };
        let stat = rustix::fs::fstat(&file).map_err(Error::io("inspect", path))?;
        file::judge_own(&stat).map_err(|why| Error::Unsafe {
            path: path.to_owned(),
            why,
        })?;
        Ok(Some(Self { path, file, stat }))
    }

    /// Returns whether the file has another name, as after a backup by hard links: what is appended is in the backup, too.
    pub(super) fn has_other_names(&self) -> bool {
        file::names_of(&self.stat) > 1
    }

    /// Appends `bytes`, which begin and end with a line break. Where the system takes only a part, they are appended once
    /// more: the part is a torn line then, and what comes behind it is whole.
    ///
    /// # Errors
    /// As [`append`].
    pub(super) fn append(mut self, bytes: &[u8]) -> Result<Appended> {
        let done = Appended::Done {
            size_before: file::Meta::from(&self.stat).size,
        };
        let written = self.write(bytes)?;
        // Only the last line break is missing: whatever comes next begins with one.
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

/// Opens stdin, stdout and stderr on /dev/null where they are closed, so that no file opened later takes their place.
pub fn open_closed_streams() {
    let streams = [
        rustix::stdio::stdin(),
        rustix::stdio::stdout(),
        rustix::stdio::stderr(),
    ];
    // Asking is much cheaper than opening.
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
        // It stays open to the end of the process.
        let _ = fd.into_raw_fd();
    }
}

/// Leads stderr to /dev/null. Where it was is the answer, if that could be kept.
pub fn lead_stderr_away() -> Option<OwnedFd> {
    let before = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stderr(), 3).ok();
    if let Ok(null) = rustix::fs::open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty()) {
        let _ = rustix::stdio::dup2_stderr(&null);
    }
    before
}

/// Removes the file at `path`. Whether it was there is the answer.
///
/// # Errors
/// [`Error::Io`] where the system refused.
pub fn remove(path: &Path) -> Result<bool> {
    match rustix::fs::unlink(path) {
        Ok(()) => Ok(true),
        Err(Errno::NOENT | Errno::NOTDIR) => Ok(false),
        Err(errno) => Err(Error::io("remove", path)(errno)),
    }
}

/// Removes the directory at `path` if it is empty. Whether it was removed is the answer.
///
/// # Errors
/// [`Error::Io`] where the system refused for another reason than its content.
pub fn remove_empty_dir(path: &Path) -> Result<bool> {
    match rustix::fs::rmdir(path) {
        Ok(()) => Ok(true),
        Err(Errno::NOENT | Errno::NOTEMPTY | Errno::EXIST) => Ok(false),
        Err(errno) => Err(Error::io("remove", path)(errno)),
    }
}

/// What became of a file that was to get a name that no other file has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Renamed {
    /// It has the name.
    Done,
    /// Another file has the name. Nothing has changed.
    Taken,
    /// The file does not exist, or another process removed it meanwhile.
    Missing,
}

/// Gives the file at `from` the name `to`, unless that name is taken.
///
/// # Errors
/// [`Error::Io`] where the system refused.
pub fn rename_to_free(from: &Path, to: &Path) -> Result<Renamed> {
    let mut renamed = rustix::fs::renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE);
    // File systems without RENAME_NOREPLACE: a hard link is as exclusive.
    if let Err(Errno::INVAL | Errno::NOSYS) = renamed {
        renamed = rustix::fs::link(from, to);
        if renamed.is_ok() && !remove(from)? {
            return Ok(Renamed::Missing);
        }
    }
    match renamed {
        Ok(()) => Ok(Renamed::Done),
        Err(Errno::EXIST) => Ok(Renamed::Taken),
        Err(Errno::NOENT) => Ok(Renamed::Missing),
        Err(errno) => Err(Error::io("rename", from)(errno)),
    }
}

/// Whether two files have exchanged their names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Exchange {
    /// They have.
    Done,
    /// The file system cannot do that. Nothing has changed.
    Unsupported,
}

/// Exchanges the names of two files in one step: both names exist at every moment.
///
/// # Errors
/// [`Error::Io`] where the system refused.
pub fn exchange(one: &Path, other: &Path) -> Result<Exchange> {
    match rustix::fs::renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE) {
        Ok(()) => Ok(Exchange::Done),
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => Ok(Exchange::Unsupported),
        Err(errno) => Err(Error::io("rename", one)(errno)),
    }
}

/// Makes the file at `path`, if there is one, look as if it had been written at `modified`.
///
/// # Errors
/// As [`file::open_own`].
pub(super) fn set_modified(path: &Path, modified: Timestamp) -> Result<()> {
    let dated = file::open(path, OFlags::WRONLY | OFlags::NOFOLLOW)?
        .map(|file| file.set_modified(modified.to_utc().into()));
    dated
        .transpose()
        .map(drop)
        .map_err(Error::io("write", path))
}

/// Gives the file at `from` the name `to`, replacing what is there.
///
/// # Errors
/// [`Error::Io`] where the system refused.
pub fn rename(from: &Path, to: &Path) -> Result<()> {
    rustix::fs::rename(from, to).map_err(Error::io("rename", from))
}

/// Creates the directory `path`, mode 0700. Whether it was created is the answer.
///
/// # Errors
/// [`Error::Io`] where the system refused.
pub fn make_dir(path: &Path) -> Result<bool> {
    match rustix::fs::mkdir(path, Mode::RWXU) {
        Ok(()) => {
            // A umask may have taken from the owner what mkdir was asked for.
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let allowed = match rustix::fs::open(path, flags, Mode::empty()) {
                Ok(made) => rustix::fs::fchmod(&made, Mode::RWXU),
                // It took even the right to look inside.
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

/// Creates the directory `path` for whoever the umask lets in, as `mkdir` does: for directories of other programs. Whether
/// it was created is the answer.
///
/// # Errors
/// [`Error::Io`] where the system refused.
pub fn make_plain_dir(path: &Path) -> Result<bool> {
    match rustix::fs::mkdir(path, Mode::RWXU | Mode::RWXG | Mode::RWXO) {
        Ok(()) => Ok(true),
        Err(Errno::EXIST) => Ok(false),
        Err(errno) => Err(Error::io("create", path)(errno)),
    }
}

/// Creates the private directory `path` and what is missing above it, each mode 0700, and checks it.
///
/// # Errors
/// As [`make_missing_dirs`], and [`Error::Unsafe`] where what is there is not a directory of ours alone.
pub fn make_private_dir(path: &Path) -> Result<()> {
    if file::check_private_dir(path)? {
        return Ok(());
    }
    make_missing_dirs(path)?;
    file::check_private_dir(path).map(drop)
}

/// Creates the directory `path` and what is missing above it, each mode 0700; what is there stays as it is. Those that were
/// created are the answer, the highest first.
///
/// # Errors
/// [`Error::Unsafe`] where the nearest directory that exists belongs to another user (as under `sudo -E`): nothing is
/// created in another user's home. [`Error::Io`] where the system refused.
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

/// The directories that are missing on the way to `path`, the lowest first, and the nearest one that is there.
fn missing_dirs(path: &Path) -> Result<(Vec<PathBuf>, &Path)> {
    let mut missing: Vec<PathBuf> = Vec::new();
    for dir in path.ancestors() {
        match rustix::fs::stat(dir) {
            Ok(stat) if stat.st_uid == file::me() || stat.st_uid == 0 => return Ok((missing, dir)),
            Ok(stat) => {
                let why = Unsafe::ForeignOwner(stat.st_uid);
                return Err(Error::Unsafe {
                    path: dir.to_owned(),
                    why,
                });
            }
            Err(_) => missing.push(dir.to_owned()),
        }
    }
    Ok((missing, Path::new("/")))
}

/// Checks that the directory `path`, which is missing, could be made. Nothing is written.
///
/// # Errors
/// As [`make_missing_dirs`].
pub fn check_could_make(path: &Path) -> Result<()> {
    let (missing, above) = missing_dirs(path)?;
    let highest = missing.last().map_or(path, PathBuf::as_path);
    let stat = rustix::fs::stat(above).map_err(Error::io("inspect", above))?;
    if !FileType::from_raw_mode(stat.st_mode).is_dir() {
        return Err(Error::Unsafe {
            path: above.to_owned(),
            why: Unsafe::NotDirectory,
        });
    }
    let wanted = Access::WRITE_OK | Access::EXEC_OK;
    rustix::fs::access(above, wanted).map_err(Error::io("create", highest))
}
