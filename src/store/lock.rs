//! The one lock: `lock` in the state directory, held for a few renames at a time. It orders cleanup against stores and
//! the CLI's rewrites against each other; appends and reads never take it.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::OFlags;

use super::error::{Error, Result};
use super::{file, write};

/// How long a hook waits for the lock before it goes on without: a stopped holder must not stop a session.
pub const HOOK_PATIENCE: Duration = Duration::from_millis(50);

/// How long the CLI waits before it gives up.
pub const CLI_PATIENCE: Duration = Duration::from_secs(2);

/// How long a launcher waits: hundreds may start at once, and none may fail for that.
pub const LAUNCHER_PATIENCE: Duration = Duration::from_secs(20);

const FIRST_PAUSE: Duration = Duration::from_micros(200);
const LONGEST_PAUSE: Duration = Duration::from_millis(5);

/// The lock, held until dropped; the system frees it when the process dies.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

/// Takes the lock file at `path`, created where missing, waiting at most `patience`.
///
/// # Errors
/// [`Error::Locked`] where another process held it all the while; [`Error::Io`] where the system refused.
///
/// # Security
/// Only for a path in a private directory: anybody who can open a lock file can hold it.
pub fn acquire(path: &Path, patience: Duration) -> Result<Lock> {
    let started = Instant::now();
    let file = open(path)?;
    let mut pause = FIRST_PAUSE;
    loop {
        // Written out, since std's own `File::try_lock` would shadow it.
        match fs2::FileExt::try_lock_exclusive(&file) {
            Ok(()) => return Ok(Lock { _file: file }),
            Err(err) if err.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(err) => return Err(Error::io("lock", path)(err)),
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

fn open(path: &Path) -> Result<File> {
    let flags = OFlags::RDWR | OFlags::NOFOLLOW;
    if let Some(file) = file::open(path, flags)? {
        return Ok(file);
    }
    write::create_small(path, b"")?;
    let gone = || Error::io("open", path)(std::io::Error::from(std::io::ErrorKind::NotFound));
    file::open(path, flags)?.ok_or_else(gone)
}
