//! The temporary files that are renamed once they are complete: their names, and the removal of
//! those that killed processes left.

use std::ffi::OsStr;
use std::path::Path;
use std::time::Duration;

use super::{folder, remove};
use crate::model::Timestamp;
use crate::store::{clock, file};

/// The prefix of all temporary files' names. The names must not match `claude_session_*`, because
/// other tools clean up files of that pattern.
pub const TEMPORARY: &str = ".ccsession-tmp-";
/// The age from which a temporary file must belong to a process that has died.
pub const ORPHANED: Duration = Duration::from_secs(10 * 60);

/// Returns whether a file with this name is a temporary one.
pub fn is_temporary(name: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(TEMPORARY.as_bytes())
}

/// Returns whether a temporary file was left behind by a killed process: it is a regular file of
/// this user, and has not changed for [`ORPHANED`].
pub fn is_orphan(found: &file::Inspection, now: Timestamp) -> bool {
    let is_ours = found.is_file() && found.owner == file::me();
    is_ours && found.meta.modified.age(now) > ORPHANED
}

/// Removes temporary files of this user that killed processes left in the directory of `path`. Made
/// for directories that no cleanup visits.
pub(super) fn sweep_beside(path: &Path) {
    let dir = folder(path);
    let names = file::names(dir).into_iter().flatten();
    let temporary = names.filter(|name| is_temporary(name));
    for left in temporary.map(|name| dir.join(name)) {
        // Ignore a failure: the next call tries again.
        if matches!(file::look(&left), Ok(Some(found)) if is_orphan(&found, clock::now())) {
            let _ = remove(&left);
        }
    }
}
