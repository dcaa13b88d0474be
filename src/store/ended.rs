//! Sessions that have ended and are not put away yet: a file `ended/{id}` each, made empty by the hook that saw the end,
//! which has no time for more, and removed once the session is archived with all that its client wrote.
//!
//! The mark of a session that could not be put away says why, and its modification time is when it is tried again: after an
//! hour, then once a day. So one that stays makes no start leave a cleanup behind for it.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::error::Result;
use super::file::{self, Meta};
use super::state::State;
use super::write;
use crate::model::{SessionId, Timestamp};

const FOLDER: &str = "ended";
const VERSION: u64 = 1;
/// The most bytes of a mark that are read, and of what it says why.
const MAX_MARK: usize = 16 * 1024;
const MAX_WHY: usize = 4 * 1024;
/// When a session is tried again that could not be put away once.
const SOON: Duration = Duration::from_secs(60 * 60);
/// When it is tried again after that.
const LATER: Duration = Duration::from_secs(24 * 60 * 60);

/// A session's mark, as it was when it was looked at.
#[derive(Debug, Clone)]
pub struct Mark {
    /// The session.
    pub id: SessionId,
    meta: Meta,
}

/// Why a session waits that could not be put away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    v: u64,
    /// When that was found first.
    pub since: Timestamp,
    /// How often it was tried.
    pub tries: u32,
    /// What was in the way the last time.
    pub why: String,
}

impl Mark {
    /// Returns whether the session is to be tried at `now`.
    pub fn is_due(&self, now: Timestamp) -> bool {
        // A time that is too far away says that the clock was set back.
        let at = self.meta.modified;
        self.meta.size == 0 || at <= now || at.ahead(now) > LATER
    }

    /// Reads why it waits; nothing where it was not tried yet.
    pub fn waiting(&self, state: &State) -> Option<Waiting> {
        let content = file::read_own(&path(state, &self.id), MAX_MARK).ok()??;
        serde_json::from_slice(&content.bytes).ok()
    }

    /// When it was made or, where it waits, when it is tried again.
    pub fn modified(&self) -> Timestamp {
        self.meta.modified
    }

    /// Returns whether the session has not been marked again since.
    fn is_same(&self, state: &State) -> Result<bool> {
        let found = file::look(&path(state, &self.id))?;
        Ok(found.is_some_and(|found| found.meta == self.meta))
    }
}

/// Marks a session as ended. Where it was marked before, it ended again: it is tried at once.
///
/// # Errors
/// [`super::Error::Io`].
pub fn mark(state: &State, id: &SessionId) -> Result<()> {
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

/// Takes the mark off a session, unless it was marked again meanwhile.
///
/// # Errors
/// [`super::Error::Io`].
pub fn unmark(state: &State, mark: &Mark) -> Result<()> {
    if mark.is_same(state)? {
        write::remove(&path(state, &mark.id))?;
    }
    Ok(())
}

/// Notes that a session could not be put away at `now`, and why, unless it was marked again meanwhile.
///
/// # Errors
/// [`super::Error::Io`]; the mark is as it was.
pub fn put_off(state: &State, mark: &Mark, why: &str, now: Timestamp) -> Result<()> {
    if !mark.is_same(state)? {
        return Ok(());
    }
    let before = mark.waiting(state);
    let delay = before.as_ref().map_or(SOON, |_| LATER);
    let why: String = why.chars().take(MAX_WHY / 4).collect();
    let waiting = Waiting {
        v: VERSION,
        since: before.as_ref().map_or(now, |before| before.since),
        tries: before.map_or(0, |before| before.tries).saturating_add(1),
        why,
    };
    let bytes = serde_json::to_vec(&waiting).unwrap_or_default();
    write::replace_as_of(&path(state, &mark.id), &bytes, now.after(delay))
}

/// The marks of all sessions that have one, in no order.
///
/// # Errors
/// [`super::Error::Io`] where they cannot be listed.
pub fn all(state: &State) -> Result<Vec<Mark>> {
    let names = file::names(&state.path(FOLDER))?;
    let ids = names.filter_map(|name| name.to_str()?.parse().ok());
    Ok(ids.filter_map(|id| look(state, id)).collect())
}

/// Returns whether any session that is marked is to be tried at `now`.
pub fn is_any_due(state: &State, now: Timestamp) -> bool {
    let Ok(mut names) = file::names(&state.path(FOLDER)) else {
        return false;
    };
    let is_due = |id| look(state, id).is_some_and(|mark| mark.is_due(now));
    names.any(|name| {
        name.to_str()
            .and_then(|name| name.parse().ok())
            .is_some_and(is_due)
    })
}

fn look(state: &State, id: SessionId) -> Option<Mark> {
    let meta = file::look(&path(state, &id)).ok()??.meta;
    Some(Mark { id, meta })
}

fn path(state: &State, id: &SessionId) -> PathBuf {
    state.path(FOLDER).join(id.as_str())
}
