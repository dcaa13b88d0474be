//! Removes temporary directories that killed processes left behind.

use std::path::Path;
use std::time::Duration;

use super::super::error::Result;
use super::super::write::{self, TemporaryDir};
use super::super::{file, lock};

/// The lock file in a temporary directory. A process that uses the directory holds the lock.
pub(in crate::store) const IN_USE: &str = "in-use";

/// Moves directories that no process uses into `dir`, with which they will be removed. They are in
/// `parent`, and their names begin with `prefix`.
///
/// # Errors
/// Returns [`Error::Io`](crate::store::Error::Io) if `parent` cannot be listed, or a directory
/// cannot be moved.
pub(in crate::store) fn discard(parent: &Path, prefix: &str, dir: &TemporaryDir) -> Result<()> {
    for name in file::names(parent)? {
        let path = parent.join(&name);
        let is_ours = name.as_encoded_bytes().starts_with(prefix.as_bytes());
        let is_dir = || file::look(&path).is_ok_and(|it| it.is_some_and(|it| it.is_dir()));
        if !is_ours || path == dir.path() || !is_dir() {
            continue;
        }
        // If the lock is free, the process that used the directory is gone.
        if lock::acquire(&path.join(IN_USE), Duration::ZERO).is_ok() {
            write::rename(&path, &dir.path().join(name))?;
        }
    }
    Ok(())
}
