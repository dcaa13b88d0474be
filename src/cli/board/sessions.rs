//! The live sessions as they were last observed. Pure.

use std::collections::{HashMap, HashSet};

use super::facts::{CallCounts, SessionFacts};
use super::session::BoardSession;
use crate::model::{SessionId, Timestamp};

/// The live sessions, in no order.
#[derive(Debug, Default)]
pub(in crate::cli) struct BoardSessions {
    sessions: HashMap<SessionId, BoardSession>,
    /// The sessions that changed since [`Self::take_changed`] was last called.
    changed: HashSet<SessionId>,
}

impl BoardSessions {
    /// Takes in what was observed of some sessions at `now`.
    pub(in crate::cli) fn observe(&mut self, observed: Vec<SessionFacts>, now: Timestamp) {
        for facts in observed {
            let before = self.sessions.remove(&facts.id);
            let session = BoardSession::new(facts, before, now);
            self.changed.insert(session.facts.id.clone());
            self.sessions.insert(session.facts.id.clone(), session);
        }
    }

    /// Removes every session that is not in `live`.
    pub(in crate::cli) fn keep(&mut self, live: &HashSet<SessionId>) {
        let gone = self.sessions.extract_if(|id, _| !live.contains(id));
        self.changed.extend(gone.map(|(id, _)| id));
    }

    pub(in crate::cli) fn set_counts(&mut self, id: &SessionId, counts: CallCounts) {
        if let Some(session) = self.sessions.get_mut(id) {
            session.counts = Some(counts);
            self.changed.insert(id.clone());
        }
    }

    pub(in crate::cli) fn set_tokens(&mut self, id: &SessionId, tokens: u64) {
        if let Some(session) = self.sessions.get_mut(id) {
            session.tokens = Some(tokens);
            self.changed.insert(id.clone());
        }
    }

    /// Returns the sessions that changed since the last call, including those that are gone.
    pub(in crate::cli) fn take_changed(&mut self) -> HashSet<SessionId> {
        std::mem::take(&mut self.changed)
    }

    pub(in crate::cli) fn get(&self, id: &SessionId) -> Option<&BoardSession> {
        self.sessions.get(id)
    }

    pub(in crate::cli) fn iter(&self) -> impl Iterator<Item = &BoardSession> {
        self.sessions.values()
    }

    pub(in crate::cli) fn len(&self) -> usize {
        self.sessions.len()
    }
}
