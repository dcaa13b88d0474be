//! Compressing journals: of sessions that are gone, once nothing was added for a week. What is read of them stays the same, and
//! so does when they were last heard of.

use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use crate::identity::liveness::{Departure, Judge};
use crate::model::{SessionId, Timestamp};
use crate::store::archive::Archives;
use crate::store::journal::Rotation;
use crate::store::journal::compressed::Compression;
use crate::store::lock::CLI_PATIENCE;
use crate::store::{Result, SessionDir, StateDir};

/// For how long nothing was added to a journal that is compressed.
const QUIET: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// The least size of a file that is compressed, in bytes: a smaller one takes up as much of the disk all the same.
const LEAST: u64 = 4096;
/// How long a process may go on writing to the journal that it opened before that was put aside: twice as long as a hook
/// lives.
const LATE: Duration = Duration::from_secs(2);

/// A session whose journal is to be compressed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuietSession {
    /// The session.
    pub id: SessionId,
    /// How it is gone.
    pub how: Departure,
    /// For how long nothing has been added.
    pub quiet: Duration,
}

/// The session, if it is gone, and its journal is to be compressed. What cannot be looked at is left alone.
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

/// Compresses the journals of these sessions. Those of which it could are the answer; why it could not is told to `failed`, and
/// the next day's cleanup goes on.
pub(super) fn compress(
    state: &StateDir,
    due: Vec<QuietSession>,
    now: Timestamp,
    mut failed: impl FnMut(String),
) -> Vec<QuietSession> {
    let mut aside = Vec::new();
    let mut is_new = false;
    for quiet in due {
        match put_aside(state, &quiet.id, now) {
            Ok(rotation) => {
                is_new |= rotation == Rotation::Done;
                aside.push(quiet);
            }
            Err(err) => failed(err.to_string()),
        }
    }
    if is_new {
        thread::sleep(LATE);
    }
    aside.retain(|quiet| match compress_parts(state, &quiet.id, now) {
        Ok(is_compressed) => is_compressed,
        Err(err) => {
            failed(err.to_string());
            false
        }
    });
    aside
}

/// Lets a journal that is worth it go on in a new file.
fn put_aside(state: &StateDir, id: &SessionId, now: Timestamp) -> Result<Rotation> {
    let dir = state.session(id);
    // Who archives the session reads its files one after the other.
    let _archives = Archives::of(state).lock(CLI_PATIENCE)?;
    let _lock = state.lock(CLI_PATIENCE)?;
    // It may have gone on since.
    let journal = dir.journal();
    if files(&dir, now)?.iter().any(|path| path == journal.path()) {
        journal.put_aside()
    } else {
        Ok(Rotation::NotDue)
    }
}

/// Compresses the parts of a journal to which nothing was added meanwhile either. Returns whether there were any.
fn compress_parts(state: &StateDir, id: &SessionId, now: Timestamp) -> Result<bool> {
    let dir = state.session(id);
    let mut is_any = false;
    for part in files(&dir, now)? {
        if part != dir.journal().path() {
            let _archives = Archives::of(state).lock(CLI_PATIENCE)?;
            is_any |= dir.journal().compress(&part)? == Compression::Done;
        }
    }
    Ok(is_any)
}
