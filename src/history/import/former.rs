//! Finds the sessions on record whose transcripts are gone. Their lines may be the first lines of
//! another transcript, and stay theirs.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::TranscriptContent;
use super::events::{ImportedEvent, Subject};
use super::merge::leave_out_copies;
use crate::model::{Event, SessionId, Timestamp};
use crate::store::{Result, StateDir};

/// The sessions whose transcripts are gone, by the time at which the first session of their lineage
/// started, and then by their own.
#[derive(Debug, Default)]
pub(super) struct FormerSessions {
    by_start: HashMap<Timestamp, BTreeSet<(Timestamp, SessionId)>>,
}

impl FormerSessions {
    /// Finds the sessions on record that are not among those `present`.
    pub(super) fn of(state: &StateDir, present: &[SessionId]) -> Result<Self> {
        let mut known: HashMap<SessionId, (Timestamp, Option<SessionId>)> = HashMap::new();
        for id in state.session_ids()? {
            if let Ok(Some(record)) = state.session(&id).record() {
                known.insert(id, (record.started_at, record.previous));
            }
        }
        let present: HashSet<&SessionId> = present.iter().collect();
        let mut former = Self::default();
        for (id, (own, _)) in &known {
            if present.contains(id) {
                continue;
            }
            let (mut first, mut at) = (*own, id);
            // Records that name each other in a circle have no first one.
            for _ in 0..known.len() {
                let Some((started, previous)) = known.get(at) else {
                    break;
                };
                first = *started;
                match previous {
                    Some(previous) => at = previous,
                    None => break,
                }
            }
            let of_start = former.by_start.entry(first).or_default();
            of_start.insert((*own, id.clone()));
        }
        Ok(former)
    }

    /// Removes what is on record in one of these sessions from a transcript that starts at `first`.
    pub(super) fn keep_theirs(
        &self,
        state: &StateDir,
        first: Timestamp,
        read: &mut TranscriptContent,
    ) -> Result<()> {
        let mut is_changed = false;
        for id in self
            .by_start
            .get(&first)
            .into_iter()
            .flatten()
            .map(|(_, id)| id)
        {
            let dir = state.session(id);
            let events = dir.imported_events()?.chain(dir.journal().events()?);
            let theirs: Vec<ImportedEvent> = events
                .filter_map(|event| ImportedEvent::again(&event))
                .collect();
            if leave_out_copies(&mut read.made, &theirs) {
                read.facts.forked_from = Some(id.clone());
                is_changed = true;
            }
        }
        if !is_changed {
            return Ok(());
        }
        let own = read
            .made
            .iter()
            .filter(|made| made.subject != Subject::Start);
        let Some(began) = own.map(|made| made.at).min() else {
            read.made.clear();
            return Ok(());
        };
        read.facts.started_at = Some(began);
        for made in read
            .made
            .iter_mut()
            .filter(|made| made.subject == Subject::Start)
        {
            if let Ok(mut event) = Event::decode(&made.line) {
                event.ts = Some(began);
                if let Some(again) = ImportedEvent::again(&event) {
                    *made = again;
                }
            }
        }
        Ok(())
    }
}
