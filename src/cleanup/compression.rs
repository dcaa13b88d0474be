//! Compresses the journals of sessions that are over, a week after their last event. Readers see the
//! same events as before, and the same time of the last one.

use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use crate::identity::liveness::{Departure, Judge};
use crate::model::{SessionId, Timestamp};
use crate::store::archive::Archives;
use crate::store::journal::Rotation;
use crate::store::journal::compressed::Compression;
use crate::store::lock::CLI_PATIENCE;
use crate::store::{Error, Result, SessionDir, StateDir};

/// How long a journal must be unchanged before it is compressed.
const QUIET: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// The smallest file that is compressed, in bytes. A smaller one takes up one block of the disk in
/// any case.
const LEAST: u64 = 4096;
/// How long a process may still write to a journal that it opened before the rotation: twice the
/// longest life of a hook.
const LATE: Duration = Duration::from_secs(2);

/// A session whose journal should be compressed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuietSession {
    /// The session.
    pub id: SessionId,
    /// How the session ended.
    pub how: Departure,
    /// The time since the session's last event.
    pub quiet: Duration,
}

/// Returns the session if it is over and its journal should be compressed. A journal that cannot be
/// examined is left for a later day.
pub(super) fn due(judge: &Judge<'_>, id: &SessionId) -> Option<QuietSession> {
    let dir = judge.state.session(id);
    let quiet = dir.last_activity()?.age(judge.now);
    if quiet < QUIET || files(&dir, judge.now).ok()?.is_empty() {
        return None;
    }
    let how = judge
        .departure(id)
        .filter(|how| *how != Departure::Unrecorded)?;
    let id = id.clone();
    Some(QuietSession { id, how, quiet })
}

fn files(dir: &SessionDir, now: Timestamp) -> Result<Vec<PathBuf>> {
    dir.journal()
        .compressible(LEAST, |modified| modified.age(now) >= QUIET)
}

/// Lets these sessions continue their journals in new files, so that no hook writes to the files
/// that will be compressed. Returns the sessions for which that worked, and passes the errors of
/// the others to `failed`.
pub(super) fn set_aside(
    state: &StateDir,
    due: Vec<QuietSession>,
    now: Timestamp,
    mut failed: impl FnMut(&Error),
) -> Vec<QuietSession> {
    // Take the lock of the archives: archiving reads a session's files one after the other, so none
    // may be renamed meanwhile.
    let archives = match Archives::of(state).lock() {
        Ok(lock) => lock,
        Err(err) => {
            failed(&err);
            return Vec::new();
        }
    };
    let mut is_new = false;
    let mut set_aside = |quiet: &QuietSession| match put_aside(state, &quiet.id, now) {
        Ok(rotation) => {
            is_new |= rotation == Rotation::Done;
            true
        }
        Err(err) => {
            failed(&err);
            false
        }
    };
    let aside = due.into_iter().filter(|quiet| set_aside(quiet)).collect();
    drop(archives);
    if is_new {
        thread::sleep(LATE);
    }
    aside
}

/// Lets a journal continue in a new file, if the present file is worth compressing. The caller
/// holds the lock of the archives.
fn put_aside(state: &StateDir, id: &SessionId, now: Timestamp) -> Result<Rotation> {
    let dir = state.session(id);
    let _lock = state.lock(CLI_PATIENCE)?;
    // The session may have continued since it was examined.
    let journal = dir.journal();
    if files(&dir, now)?.iter().any(|path| path == journal.path()) {
        journal.put_aside()
    } else {
        Ok(Rotation::NotDue)
    }
}

/// Compresses the parts of a journal that are still unchanged. Returns whether there were any.
///
/// # Errors
/// Fails if a part cannot be read or its compressed form cannot be written. The next day's cleanup
/// tries again.
pub(super) fn compress(state: &StateDir, id: &SessionId, now: Timestamp) -> Result<bool> {
    let dir = state.session(id);
    let mut is_any = false;
    for part in files(&dir, now)? {
        if part != dir.journal().path() {
            let _archives = Archives::of(state).lock()?;
            is_any |= dir.journal().compress(&part)? == Compression::Done;
        }
    }
    Ok(is_any)
}
