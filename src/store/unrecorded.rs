//! Small files about sessions that are not recorded: `unrecorded/{hash of the id}`, called notes in
//! this module. With them, the hook of a tool call need not search for the reason, and a deleted
//! session is not recorded again.
//!
//! A note contains one word, and not the session's id. Only somebody who knows the id can find it.

use std::path::PathBuf;
use std::time::Duration;

use super::error::Result;
use super::file;
use super::state::StateDir;
use super::write::{self, Durability};
use crate::model::project::fingerprint;
use crate::model::{SessionId, Timestamp};

const FOLDER: &str = "unrecorded";
const MAX_NOTE: usize = 64;
const EXCLUDED: &[u8] = b"excluded\n";
const DELETED: &[u8] = b"deleted\n";
/// How long a note about an excluded session is kept. If the session goes on, its next event writes
/// the note again.
const KEPT: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Why a session is not recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unrecorded {
    /// The session's project is excluded. The next start or prompt checks that again.
    Excluded,
    /// Somebody deleted the session. It stays unrecorded until a person imports it again.
    Deleted,
}

/// Returns why the session is not recorded, or `None` if there is no note. A note that cannot be
/// read counts as one about a deletion.
pub fn of(state: &StateDir, id: &SessionId) -> Option<Unrecorded> {
    match file::read_own(&path(state, id), MAX_NOTE) {
        Ok(None) => None,
        Ok(Some(content)) if content.bytes == EXCLUDED => Some(Unrecorded::Excluded),
        Ok(Some(_)) | Err(_) => Some(Unrecorded::Deleted),
    }
}

/// Writes a note about why a session is not recorded. Keeps an existing note about a deletion.
///
/// # Errors
/// Returns [`super::Error::Untrusted`] if the folder cannot be trusted, and [`super::Error::Io`] if
/// the note cannot be written.
pub fn note(state: &StateDir, id: &SessionId, why: Unrecorded) -> Result<()> {
    let path = path(state, id);
    match why {
        Unrecorded::Excluded => {
            if write::create_small(&path, EXCLUDED).is_err() {
                write::make_dir(&state.path(FOLDER))?;
                write::create_small(&path, EXCLUDED)?;
            }
            Ok(())
        }
        Unrecorded::Deleted => {
            write::make_dir(&state.path(FOLDER))?;
            write::replace(&path, DELETED, Durability::Synced)
        }
    }
}

/// Removes the note about a session. Returns whether there was one.
///
/// # Errors
/// Returns [`super::Error::Io`] if the note cannot be removed.
pub fn forget(state: &StateDir, id: &SessionId) -> Result<bool> {
    write::remove(&path(state, id))
}

/// Removes the notes about excluded sessions that are older than 30 days.
///
/// # Errors
/// Returns [`super::Error::Io`] if the folder cannot be listed or a note cannot be removed.
pub fn remove_old(state: &StateDir, now: Timestamp) -> Result<()> {
    let dir = state.path(FOLDER);
    for path in file::names(&dir)?.map(|name| dir.join(name)) {
        let is_old = file::look(&path)?.is_some_and(|found| found.meta.modified.age(now) > KEPT);
        let is_excluded = || {
            let content = file::read_own(&path, MAX_NOTE);
            matches!(content, Ok(Some(content)) if content.bytes == EXCLUDED)
        };
        if is_old && is_excluded() {
            write::remove(&path)?;
        }
    }
    Ok(())
}

fn path(state: &StateDir, id: &SessionId) -> PathBuf {
    state
        .path(FOLDER)
        .join(fingerprint("unrecorded", id.as_str()))
}
