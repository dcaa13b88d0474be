//! Temporary directories that killed processes left.

use std::path::Path;
use std::time::Duration;

use super::super::error::Result;
use super::super::write::{self, TemporaryDir};
use super::super::{file, lock};

/// The file whose lock shows that a temporary directory is in use.
pub(in crate::store) const IN_USE: &str = "in-use";

/// Moves the directories in `parent` whose names begin with `prefix` and that no process uses into
/// `dir`, which is removed as a whole.
///
/// # Errors
/// [`Error::Io`](crate::store::Error::Io).
pub(in crate::store) fn discard(parent: &Path, prefix: &str, dir: &TemporaryDir) -> Result<()> {
    for name in file::names(parent)? {
        let path = parent.join(&name);
        let is_ours = name.as_encoded_bytes().starts_with(prefix.as_bytes());
        let is_dir = || file::look(&path).is_ok_and(|it| it.is_some_and(|it| it.is_dir()));
        if !is_ours || path == dir.path() || !is_dir() {
            continue;
        }
        // Its process holds the lock as long as it runs.
        if lock::acquire(&path.join(IN_USE), Duration::ZERO).is_ok() {
            write::rename(&path, &dir.path().join(name))?;
        }
    }
    Ok(())
}
