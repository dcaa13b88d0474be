//! Finds sessions that are not on record but have a transcript, from before the installation or
//! from a time without hooks.

use std::collections::HashSet;

use crate::claude::transcript::{self, AgentFile};
use crate::model::{SessionId, Timestamp};
use crate::store::unrecorded::{self, Unrecorded};
use crate::store::{Environment, StateDir, file};

/// The sessions that an import would probably add. No transcript is read: names and sizes decide,
/// so an import may find that a file contains nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnrecordedPast {
    /// How many sessions have a transcript and are not on record. Never 0.
    pub sessions: u64,
    /// When the oldest of these transcripts was last written.
    pub oldest: Timestamp,
}

impl UnrecordedPast {
    /// Counts the sessions that have a transcript and are not on record. Returns `None` if there
    /// are none.
    pub fn of(env: &Environment, state: Option<&StateDir>) -> Option<Self> {
        let ids = state.and_then(|state| state.session_ids().ok());
        let on_record: HashSet<SessionId> = ids.into_iter().flatten().collect();
        let mut past: Option<Self> = None;
        for (id, paths) in transcript::by_name(env) {
            let is_deleted = || {
                let noted = state.and_then(|state| unrecorded::of(state, &id));
                noted == Some(Unrecorded::Deleted)
            };
            if on_record.contains(&id) || is_deleted() {
                continue;
            }
            let mains = paths
                .into_iter()
                .filter(|path| AgentFile::at(path.clone()).is_none());
            let looks = mains.filter_map(|path| file::look(&path).ok()?);
            let written = looks.filter(|look| look.meta.size > 0 && !look.is_dir());
            let Some(oldest) = written.map(|look| look.meta.modified).min() else {
                continue;
            };
            past = Some(past.map_or(
                Self {
                    sessions: 1,
                    oldest,
                },
                |past| Self {
                    sessions: past.sessions + 1,
                    oldest: past.oldest.min(oldest),
                },
            ));
        }
        past
    }
}
