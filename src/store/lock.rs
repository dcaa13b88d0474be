//! The lock: the file `lock` in the state directory, which a process holds for a few renames at a
//! time. It serializes cleanups, changes of pointers, and the CLI's changes of records. Reading,
//! and appending to journals, needs no lock.
//!
//! Some file systems have no locks (NFS without its lock daemon, some Lustre mounts). There, a file
//! beside the lock serves instead, the turn file, which only one process can create. It names its
//! holder, so that others can remove it if that process was killed.

use std::cell::RefCell;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::OFlags;
use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};

use super::error::{Error, Result};
use super::file::Meta;
use super::write::RenameOutcome;
use super::{clock, file, write};
use crate::model::Timestamp;

/// How long a hook waits for the lock. Then it continues without it, because a stopped holder must
/// not stop a session.
pub const HOOK_PATIENCE: Duration = Duration::from_millis(50);

/// How long most commands wait for the lock before they fail.
pub const CLI_PATIENCE: Duration = Duration::from_secs(2);

/// How long a launcher waits for the lock. Hundreds may start at once, and all should succeed.
pub const LAUNCHER_PATIENCE: Duration = Duration::from_secs(20);

/// The age from which a turn file counts as abandoned. Even archiving takes only minutes.
const LONGEST_TURN: Duration = Duration::from_secs(60 * 60);
/// The largest turn file that is read, in bytes.
const MAX_TURN: usize = 1024;

const FIRST_PAUSE: Duration = Duration::from_micros(200);
const LONGEST_PAUSE: Duration = Duration::from_millis(5);

/// The held lock. Dropping this releases it; the system releases it when the process dies.
#[derive(Debug)]
pub struct Lock {
    held: LockGuard,
    _noted: HeldLock,
}

#[derive(Debug)]
enum LockGuard {
    BySystem { _file: File },
    ByFile { _turn: LockFile },
}

/// How a lock is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockMechanism {
    /// The system's file locks.
    System,
    /// A file, because the file system has no locks.
    File,
}

impl Lock {
    fn held(held: LockGuard, path: &Path) -> Self {
        Self {
            held,
            _noted: HeldLock::note(path),
        }
    }

    /// Returns how this lock is held.
    pub fn means(&self) -> LockMechanism {
        match self.held {
            LockGuard::BySystem { .. } => LockMechanism::System,
            LockGuard::ByFile { .. } => LockMechanism::File,
        }
    }
}

/// Acquires the state directory's lock for a write to the session in `folder`. Waits only briefly,
/// because the holder may be a stopped process, or the one that called the hook.
///
/// Returns `None` if the lock cannot be acquired, or if this thread holds it already. The write then
/// goes on without.
pub(super) fn of_session(folder: &Path) -> Option<Lock> {
    briefly(folder.ancestors().nth(2).unwrap_or(folder))
}

/// Acquires the lock of the state directory `state` for at most [`HOOK_PATIENCE`]. Returns `None` if
/// it cannot be acquired, or if this thread holds it already.
pub(super) fn briefly(state: &Path) -> Option<Lock> {
    let path = state.join("lock");
    if HeldLock::is_noted(&path) {
        return None;
    }
    acquire(&path, HOOK_PATIENCE).ok()
}

/// Acquires the lock of the file at `path`, and creates the file if necessary. Waits at most
/// `patience`.
///
/// # Errors
/// Returns [`Error::Locked`] if another process holds the lock for all that time, and [`Error::Io`]
/// if the lock file cannot be created or locked.
///
/// # Security
/// `path` must be in a private directory, because anyone who can open a lock file can hold the
/// lock.
pub fn acquire(path: &Path, patience: Duration) -> Result<Lock> {
    debug_assert!(
        !HeldLock::is_noted(path),
        "this thread would wait for itself: it holds {}",
        path.display()
    );
    let started = Instant::now();
    let file = open(path)?;
    let mut pause = FIRST_PAUSE;
    loop {
        // Name the trait, because `File` in std has a method of the same kind.
        let taken = match fs2::FileExt::try_lock_exclusive(&file) {
            Ok(()) => return Ok(Lock::held(LockGuard::BySystem { _file: file }, path)),
            Err(err) if err.kind() == std::io::ErrorKind::WouldBlock => None,
            Err(err) if knows_no_locks(&err) => LockFile::take(path)?,
            Err(err) => return Err(Error::io("lock", path)(err)),
        };
        if let Some(turn) = taken {
            return Ok(Lock::held(LockGuard::ByFile { _turn: turn }, path));
        }
        if started.elapsed() + pause > patience {
            return Err(Error::Locked {
                path: PathBuf::from(path),
            });
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// A lock that this thread holds, noted so that it does not wait for itself.
#[derive(Debug)]
struct HeldLock(PathBuf);

thread_local! {
    static HELD: RefCell<Vec<PathBuf>> = const { RefCell::new(Vec::new()) };
}

impl HeldLock {
    fn note(path: &Path) -> Self {
        HELD.with_borrow_mut(|held| held.push(path.to_owned()));
        Self(path.to_owned())
    }

    fn is_noted(path: &Path) -> bool {
        HELD.with_borrow(|held| held.iter().any(|held| held == path))
    }
}

impl Drop for HeldLock {
    fn drop(&mut self) {
        // Fails only while the thread ends.
        let _ = HELD.try_with(|held| held.borrow_mut().retain(|path| *path != self.0));
    }
}

fn knows_no_locks(err: &std::io::Error) -> bool {
    const WITHOUT: [Errno; 5] = [
        Errno::NOLCK,
        Errno::OPNOTSUPP,
        Errno::NOTSUP,
        Errno::NOSYS,
        Errno::INVAL,
    ];
    Errno::from_io_error(err).is_some_and(|errno| WITHOUT.contains(&errno))
}

/// A lock that is held by the existence of a turn file, `{lock file}.turn`. The file names the
/// machine, boot and process. Dropping this removes it.
#[derive(Debug)]
struct LockFile {
    path: PathBuf,
    said: String,
}

impl LockFile {
    /// Creates the turn file, if there is none or its holder is dead.
    fn take(lock: &Path) -> Result<Option<Self>> {
        let mut path = lock.as_os_str().to_owned();
        path.push(".turn");
        let path = PathBuf::from(path);
        let said = holder();
        for _ in 0..2 {
            if write::create_small(&path, said.as_bytes())? {
                return Ok(Some(Self { path, said }));
            }
            if !leave_to_nobody(&path)? {
                break;
            }
        }
        Ok(None)
    }
}

impl Drop for LockFile {
    fn drop(&mut self) {
        // Remove the file only if it is still this process's own: after a long stop, another
        // process may have replaced it.
        if reads(&self.path).is_some_and(|(said, _)| said == self.said) {
            let _ = write::remove(&self.path);
        }
    }
}

/// Describes this process for the turn file, so that others can find out whether it still runs.
fn holder() -> String {
    let machine = rustix::system::uname();
    let machine = machine.nodename().to_string_lossy().into_owned();
    let boot = file::read_kernel("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    format!("{machine}\n{boot}\n{}\n", std::process::id())
}

fn reads(path: &Path) -> Option<(String, Meta)> {
    let content = file::read_own(path, MAX_TURN).ok()??;
    Some((String::from_utf8(content.bytes).ok()?, content.meta))
}

/// Removes the turn file if its holder is dead. Returns whether there is none now, so that a
/// process may try to create one.
fn leave_to_nobody(path: &Path) -> Result<bool> {
    let Some((said, judged)) = reads(path) else {
        return Ok(file::look(path)?.is_none());
    };
    if !is_over(&said, judged.modified) {
        return Ok(false);
    }
    // Another process may have removed it and created its own meanwhile. So move the file aside,
    // and check it again.
    let mut aside = path.as_os_str().to_owned();
    aside.push(format!(".{}", std::process::id()));
    let aside = PathBuf::from(aside);
    if write::rename_to_free(path, &aside)? != RenameOutcome::Done {
        return Ok(file::look(path)?.is_none());
    }
    let is_judged = reads(&aside).is_some_and(|(_, meta)| meta == judged);
    if is_judged || write::rename_to_free(&aside, path)? != RenameOutcome::Done {
        write::remove(&aside)?;
    }
    Ok(is_judged)
}

/// Returns whether a turn file with this text, from the time `since`, is abandoned.
fn is_over(said: &str, since: Timestamp) -> bool {
    let own = holder();
    let (mut said, mut own) = (said.lines(), own.lines());
    let is_here = said.next() == own.next();
    let boot = (said.next(), own.next());
    let is_too_long = since.age(clock::now()) > LONGEST_TURN;
    // A process on another machine cannot be seen, so only the age of its file decides.
    if !is_here || is_too_long {
        return is_too_long;
    }
    if boot.0 != boot.1 {
        return true;
    }
    let pid = said.next().and_then(|pid| Pid::from_raw(pid.parse().ok()?));
    pid.is_none_or(|pid| test_kill_process(pid) == Err(Errno::SRCH))
}

fn open(path: &Path) -> Result<File> {
    let flags = OFlags::RDWR | OFlags::NOFOLLOW;
    if let Some(file) = file::open(path, flags)? {
        return Ok(file);
    }
    write::create_small(path, b"")?;
    let gone = || Error::io("open", path)(std::io::Error::from(std::io::ErrorKind::NotFound));
    file::open(path, flags)?.ok_or_else(gone)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(machine: &str, boot: &str, pid: u32) -> String {
        let own = holder();
        let mut own = own.lines();
        let (own_machine, own_boot) = (own.next().unwrap(), own.next().unwrap());
        let (machine, boot) = (
            machine.replace("own", own_machine),
            boot.replace("own", own_boot),
        );
        format!("{machine}\n{boot}\n{pid}\n")
    }

    #[test]
    fn a_turn_is_over_when_its_holder_is_dead() {
        let now = clock::now();
        let long_ago = Timestamp::from_micros(now.micros() - 2 * 3_600_000_000);
        let me = std::process::id();
        #[expect(clippy::disallowed_methods, reason = "a process that has ended")]
        let mut child = std::process::Command::new("true").spawn().unwrap();
        child.wait().unwrap();
        for (said, since, expected) in [
            (said("own", "own", me), now, false),
            (said("own", "own", me), long_ago, true),
            (said("own", "own", child.id()), now, true),
            (said("own", "before", me), now, true),
            (said("elsewhere", "other", child.id()), now, false),
            (said("elsewhere", "other", me), long_ago, true),
            (String::new(), now, false),
        ] {
            assert_eq!(is_over(&said, since), expected, "{said:?}");
        }
    }

    #[test]
    fn one_turn_at_a_time_and_none_is_left() {
        let dir = tempfile::TempDir::new().unwrap();
        let lock = dir.path().join("lock");
        let turn = LockFile::take(&lock).unwrap().unwrap();
        assert!(LockFile::take(&lock).unwrap().is_none());
        drop(turn);
        assert!(!dir.path().join("lock.turn").exists());
        // A turn file that a killed process left behind.
        write::create_small(
            &dir.path().join("lock.turn"),
            said("own", "before", 1).as_bytes(),
        )
        .unwrap();
        assert!(LockFile::take(&lock).unwrap().is_some());
    }
}
