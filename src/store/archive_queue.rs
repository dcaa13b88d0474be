//! The archive queue: one file `ended/{id}` for each session that has ended and still has to be
//! archived.
//!
//! The hook that sees the end has no time to archive, so it only creates an empty file. A cleanup
//! removes the file once the session is archived with everything that Claude Code wrote.
//!
//! If archiving fails, the reason is written to the file, and its modification time is set to the
//! time of the next attempt: after an hour, then once a day. So a session that cannot be archived
//! does not cause a cleanup at every start of a session.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::error::Result;
use super::file::{self, Meta};
use super::state::StateDir;
use super::write;
use crate::model::{SessionId, Timestamp};

/// The folder's name on disk.
const FOLDER: &str = "ended";
const VERSION: u64 = 1;
/// The most bytes of an entry that are read.
const MAX_ENTRY: usize = 16 * 1024;
/// The most bytes of the reason that an entry keeps.
const MAX_WHY: usize = 4 * 1024;
/// The delay after the first failure.
const FIRST_RETRY: Duration = Duration::from_secs(60 * 60);
/// The delay after every later failure.
const LATER_RETRY: Duration = Duration::from_secs(24 * 60 * 60);

/// A queued session, with the state of its file when the queue was listed.
#[derive(Debug, Clone)]
pub struct QueueEntry {
    /// The session to archive.
    pub id: SessionId,
    meta: Meta,
}

/// Why a session could not be archived so far.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Postponement {
    v: u64,
    /// When the first attempt failed.
    pub since: Timestamp,
    /// The number of attempts.
    pub tries: u32,
    /// The error of the last attempt.
    pub why: String,
}

impl QueueEntry {
    /// Returns whether to archive the session now.
    pub fn is_due(&self, now: Timestamp) -> bool {
        // A time further in the future than any delay means that the clock was set back.
        let at = self.meta.modified;
        self.meta.size == 0 || at <= now || at.ahead(now) > LATER_RETRY
    }

    /// Reads why the session could not be archived so far; `None` before the first failure.
    pub fn postponement(&self, state: &StateDir) -> Option<Postponement> {
        let content = file::read_own(&path(state, &self.id), MAX_ENTRY).ok()??;
        serde_json::from_slice(&content.bytes).ok()
    }

    /// Returns when the session was queued or, after a failure, when to try it again.
    pub fn modified(&self) -> Timestamp {
        self.meta.modified
    }

    /// Returns whether the entry's file is unchanged, which means that the session was not queued
    /// again.
    fn is_unchanged(&self, state: &StateDir) -> Result<bool> {
        let found = file::look(&path(state, &self.id))?;
        Ok(found.is_some_and(|found| found.meta == self.meta))
    }
}

/// Queues a session that has ended. If it is already queued, it was resumed and has ended again;
/// then the next cleanup tries it without delay.
///
/// # Errors
/// Returns [`super::Error::Io`] if the folder or the entry cannot be written.
pub fn enqueue(state: &StateDir, id: &SessionId) -> Result<()> {
    let dir = state.path(FOLDER);
    if file::look(&dir)?.is_none() {
        write::make_dir(&dir)?;
    }
    let path = path(state, id);
    if write::create_small(&path, b"")? {
        return Ok(());
    }
    write::replace(&path, b"", write::Durability::Cached)
}

/// Removes an entry, unless the session was queued again since the entry was read.
///
/// # Errors
/// Returns [`super::Error::Io`] if the entry cannot be inspected or removed.
pub fn dequeue(state: &StateDir, entry: &QueueEntry) -> Result<()> {
    if entry.is_unchanged(state)? {
        write::remove(&path(state, &entry.id))?;
    }
    Ok(())
}

/// Records that an attempt failed at `now`, and why, unless the session was queued again since the
/// entry was read.
///
/// # Errors
/// Returns [`super::Error::Io`] if the entry cannot be inspected or replaced; the old entry then
/// stays.
pub fn postpone(state: &StateDir, entry: &QueueEntry, why: &str, now: Timestamp) -> Result<()> {
    if !entry.is_unchanged(state)? {
        return Ok(());
    }
    let before = entry.postponement(state);
    let delay = before.as_ref().map_or(FIRST_RETRY, |_| LATER_RETRY);
    let why: String = why.chars().take(MAX_WHY / 4).collect();
    let postponement = Postponement {
        v: VERSION,
        since: before.as_ref().map_or(now, |before| before.since),
        tries: before.map_or(0, |before| before.tries).saturating_add(1),
        why,
    };
    let bytes = serde_json::to_vec(&postponement).unwrap_or_default();
    write::replace_as_of(&path(state, &entry.id), &bytes, now.after(delay))
}

/// Lists the queue, in no order.
///
/// # Errors
/// Returns [`super::Error::Io`] if the folder cannot be listed.
pub fn entries(state: &StateDir) -> Result<Vec<QueueEntry>> {
    let names = file::names(&state.path(FOLDER))?;
    let ids = names.filter_map(|name| name.to_str()?.parse().ok());
    Ok(ids.filter_map(|id| entry(state, id)).collect())
}

/// Returns whether any entry is due at `now`.
pub fn is_any_due(state: &StateDir, now: Timestamp) -> bool {
    let Ok(mut names) = file::names(&state.path(FOLDER)) else {
        return false;
    };
    let is_due = |id| entry(state, id).is_some_and(|entry| entry.is_due(now));
    names.any(|name| {
        name.to_str()
            .and_then(|name| name.parse().ok())
            .is_some_and(is_due)
    })
}

fn entry(state: &StateDir, id: SessionId) -> Option<QueueEntry> {
    let meta = file::look(&path(state, &id)).ok()??.meta;
    Some(QueueEntry { id, meta })
}

fn path(state: &StateDir, id: &SessionId) -> PathBuf {
    state.path(FOLDER).join(id.as_str())
}
