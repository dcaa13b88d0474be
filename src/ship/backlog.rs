//! Computes how far behind a destination is: what is recorded and not yet sent to it.

use serde::Serialize;

use super::cursor::CursorState;
use super::mark::SessionKey;
use crate::identity::liveness::Judge;
use crate::model::Timestamp;
use crate::store::{Error, Extent, Host, StateDir, exclusion};

/// How far behind a destination is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Backlog {
    /// How many sessions have something that was not sent.
    pub sessions: u64,
    /// How many bytes of events were not sent.
    pub bytes: u64,
    /// The earliest time since which a session has waited to be sent. A session of which nothing
    /// was sent has waited since it began, any other one since the last run that sent everything.
    pub since: Option<Timestamp>,
}

/// Returns how far behind the destination with this `cursor` is.
///
/// # Errors
/// Fails if the sessions cannot be listed.
pub fn of(host: &Host<'_>, state: &StateDir, cursor: &CursorState) -> Result<Backlog, Error> {
    let judge = Judge::new(state, host.config, host.now);
    let begins_at = cursor.began.as_ref().and_then(|began| began.since);
    let mut backlog = Backlog::default();
    for id in state.session_ids()? {
        let dir = state.session(&id);
        let known = cursor.sessions.get(&SessionKey::from(&id));
        if known.is_some_and(|it| it.is_complete() && it.has.stamp == dir.events_stamp()) {
            continue;
        }
        let Ok(Some(record)) = dir.record() else {
            continue;
        };
        let is_new = known.is_none_or(super::cursor::SessionCursor::is_new);
        let is_before = begins_at.is_some_and(|since| record.started_at < since);
        let excluded = exclusion::of_record(host.env, &host.config.exclude, &record);
        if excluded.is_some() || is_new && is_before {
            continue;
        }
        // If the journal cannot be read, nothing of it is sent either. The run that skips it
        // reports that.
        let extent = Extent::of(&dir).unwrap_or_default();
        let has = known.map(|it| &it.has);
        let sent = has.map_or(0, |has| has.extent.bytes());
        let is_over = !judge.find(&id, &record).state.is_live();
        let has_all = has.is_some_and(|has| has.extent == extent && has.is_over == is_over);
        if has_all && known.is_some_and(|it| it.under_way.is_none()) {
            continue;
        }
        backlog.sessions += 1;
        backlog.bytes += extent.bytes().saturating_sub(sent);
        let since = match is_new {
            true => Some(record.started_at),
            false => cursor.history.complete_at,
        };
        backlog.since = [backlog.since, since].into_iter().flatten().min();
    }
    Ok(backlog)
}
