//! The temporary files through which everything is written: their names, and what killed processes
//! left of them.

use std::ffi::OsStr;
use std::path::Path;
use std::time::Duration;

use super::{folder, remove};
use crate::model::Timestamp;
use crate::store::{clock, file};

/// Prefix of every temporary file's name. It must not match `claude_session_*`, because other tools
/// sweep that pattern.
pub const TEMPORARY: &str = ".ccsession-tmp-";
/// Age beyond which a temporary file must belong to a process that died.
pub const ORPHANED: Duration = Duration::from_secs(10 * 60);

/// Returns whether a file with this name is a temporary one.
pub fn is_temporary(name: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(TEMPORARY.as_bytes())
}

/// Returns whether a temporary file was left behind: a regular file of ours that has not changed
/// for [`ORPHANED`].
pub fn is_orphan(found: &file::Inspection, now: Timestamp) -> bool {
    let is_ours = found.is_file() && found.owner == file::me();
    is_ours && found.meta.modified.age(now) > ORPHANED
}

/// Removes our orphaned temporary files from the directory of `path`. It is for places that no
/// cleanup knows.
pub(super) fn sweep_beside(path: &Path) {
    let dir = folder(path);
    let names = file::names(dir).into_iter().flatten();
    let temporary = names.filter(|name| is_temporary(name));
    for left in temporary.map(|name| dir.join(name)) {
        // The next call retries what cannot be removed now.
        if matches!(file::look(&left), Ok(Some(found)) if is_orphan(&found, clock::now())) {
            let _ = remove(&left);
        }
    }
}
