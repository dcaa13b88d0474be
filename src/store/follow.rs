//! Follows journals while they grow: each call of `look` returns the lines that were added since
//! the last one.
//!
//! It takes a few system calls for each session, so several calls a second cost next to nothing. It
//! works on every file system, and needs no change reports of the operating system.
//! [`super::journal`] (`tail`) follows a single journal.

use std::collections::BTreeMap;
use std::time::Duration;

use super::error::{Error, Result};
use super::journal::tail::Tail;
use super::state::StateDir;
use super::{clock, index};
use crate::model::{SessionId, Timestamp};

/// How many bytes at the end of a session are read first: about a hundred events.
const END: u64 = 64 * 1024;
/// For how many calls of `look` a session that is no longer live is still checked each time,
/// because late events come soon after the end.
const LINGER: u64 = 240;
/// How many of the sessions that are not live each call of `look` checks, in rotation. They are
/// checked because a session may continue without a new start.
const IN_TURN: usize = 500;
/// For how long after a change of a directory another change may have the same timestamp.
const SAME_TIME: Duration = Duration::from_secs(1);

/// Follows the journals of one session or of all sessions.
#[derive(Debug)]
pub struct Follower {
    state: StateDir,
    followed: BTreeMap<SessionId, FollowedSession>,
    scope: FollowScope,
    looks: u64,
}

#[derive(Debug)]
enum FollowScope {
    One,
    All {
        /// When the folder of all sessions last changed, as of its last listing; `None` to list it
        /// again.
        listed: Option<Timestamp>,
    },
}

#[derive(Debug)]
struct FollowedSession {
    tail: Tail,
    /// The number of the last call of `look` that must check the session.
    until: u64,
    /// Whether the session could not be read the last time.
    has_failed: bool,
}

impl Follower {
    /// Follows one session, starting about a hundred events before its end.
    ///
    /// # Errors
    /// Returns [`Error::Io`] if the journal cannot be inspected.
    pub fn of_one(state: &StateDir, id: &SessionId) -> Result<Self> {
        let tail = Tail::ending(state.session(id).journal(), END)?;
        Ok(Self {
            state: state.clone(),
            followed: BTreeMap::from([(id.clone(), FollowedSession::new(tail))]),
            scope: FollowScope::One,
            looks: 0,
        })
    }

    /// Follows all sessions, each from its beginning.
    pub fn of_all(state: &StateDir) -> Self {
        Self {
            state: state.clone(),
            followed: BTreeMap::new(),
            scope: FollowScope::All { listed: None },
            looks: 0,
        }
    }

    /// Does the same as [`Self::of_all`], but starts at the ends of the existing sessions.
    ///
    /// # Errors
    /// Returns [`Error::Io`] if the sessions cannot be listed.
    pub fn of_all_from_now(state: &StateDir) -> Result<Self> {
        let mut follower = Self::of_all(state);
        for id in state.session_ids()? {
            // If a session cannot be inspected, the first call of `look` reports that.
            if let Ok(tail) = Tail::at_end(state.session(&id).journal()) {
                follower.followed.insert(id, FollowedSession::new(tail));
            }
        }
        Ok(follower)
    }

    /// Passes each line that was added since the last call to `reader`, without its line break. The
    /// lines of one session are in order.
    ///
    /// Returns an error for each session that could not be read, and tries it again with the next
    /// call. Does not repeat the error.
    ///
    /// # Errors
    /// Returns [`Error::Io`] if the sessions cannot be listed.
    pub fn look(&mut self, mut reader: impl FnMut(&SessionId, &[u8])) -> Result<Vec<Error>> {
        self.looks += 1;
        self.find_sessions()?;
        let turns = self.followed.len().div_ceil(IN_TURN).max(1) as u64;
        let turn = self.looks % turns;
        let mut failed = Vec::new();
        for (place, (id, followed)) in self.followed.iter_mut().enumerate() {
            if followed.until < self.looks && place as u64 % turns != turn {
                continue;
            }
            let looked = followed.tail.look(&mut |line| reader(id, line));
            let had_failed = std::mem::replace(&mut followed.has_failed, looked.is_err());
            failed.extend(looked.err().filter(|_| !had_failed));
        }
        Ok(failed)
    }

    /// Finds sessions that are new or live.
    fn find_sessions(&mut self) -> Result<()> {
        let FollowScope::All { listed } = &mut self.scope else {
            return Ok(());
        };
        let mut due: Vec<SessionId> = index::live_candidates(&self.state)?
            .into_iter()
            .map(|(_, id)| id)
            .collect();
        // Also list all sessions: one that began and ended since the last call is in no index.
        let changed = self.state.sessions_changed()?;
        if changed.is_none() || changed != *listed {
            let is_new = |id: &SessionId| !self.followed.contains_key(id);
            due.extend(self.state.session_ids()?.filter(is_new));
            let now = clock::now();
            *listed = changed.filter(|changed| changed.age(now) > SAME_TIME);
        }
        for id in due {
            let new = || FollowedSession::new(Tail::at_start(self.state.session(&id).journal()));
            let followed = self.followed.entry(id.clone()).or_insert_with(new);
            followed.until = self.looks + LINGER;
        }
        Ok(())
    }
}

impl FollowedSession {
    fn new(tail: Tail) -> Self {
        Self {
            tail,
            until: 0,
            has_failed: false,
        }
    }
}
