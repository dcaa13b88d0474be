//! Finds the sessions that were open when the machine went down.

use super::liveness::{Judge, SessionState};
use super::process::Life;
use crate::model::record::ABANDONED;
use crate::model::{Record, Timestamp};
use crate::store::{Result, SessionDir, clock};

/// A session that was open when the machine went down.
#[derive(Debug)]
pub struct LostSession {
    /// The session's record.
    pub record: Record,
    /// The time of its last event.
    pub last: Timestamp,
    /// The boot in which the session's last process ran.
    boot: String,
}

/// The sessions that were open when the machine went down, divided by the time when it did.
#[derive(Debug, Default)]
pub struct LostSessions {
    /// Sessions that were open when the machine last went down, most recently active first.
    pub last: Vec<LostSession>,
    /// Sessions that were open when it went down earlier, most recently active first.
    pub earlier: Vec<LostSession>,
}

/// Returns the sessions of this machine whose end no process reported, and whose last process ran
/// before this boot. Omits sessions that a cleanup had marked as abandoned before this boot.
///
/// # Errors
/// Fails if the sessions cannot be listed.
pub fn lost(judge: &Judge<'_>) -> Result<LostSessions> {
    let mut all: Vec<LostSession> = judge
        .state
        .session_ids()?
        .filter_map(|id| {
            let dir = judge.state.session(&id);
            of_session(judge, &dir, dir.record().ok()??)
        })
        .collect();
    all.sort_by_key(|lost| std::cmp::Reverse(lost.last));
    let boot = all.first().map(|newest| newest.boot.clone());
    let is_last = |lost: &LostSession| Some(&lost.boot) == boot.as_ref();
    let (last, earlier) = all.into_iter().partition(is_last);
    Ok(LostSessions { last, earlier })
}

fn of_session(judge: &Judge<'_>, dir: &SessionDir, record: Record) -> Option<LostSession> {
    let viewpoint = judge.viewpoint.as_ref()?;
    // Check the owner first, because judging the session costs more.
    let owner = dir.last_owner()?;
    if viewpoint.is_of_this_boot(&owner) || viewpoint.judge(&owner) != Life::Dead {
        return None;
    }
    let finding = judge.find(&record.session_id, &record);
    if finding.state != SessionState::Abandoned || was_known_before(dir, &record) {
        return None;
    }
    let last = finding.last_activity.unwrap_or(record.started_at);
    Some(LostSession {
        record,
        last,
        boot: owner.boot,
    })
}

/// Returns whether a cleanup marked the session as abandoned before this boot.
fn was_known_before(dir: &SessionDir, record: &Record) -> bool {
    let up = i64::try_from(clock::since_boot()).unwrap_or(i64::MAX);
    let booted = Timestamp::from_micros(clock::now().micros().saturating_sub(up));
    let is_noted = record.end_reason.as_deref() == Some(ABANDONED);
    is_noted && dir.record_changed().is_some_and(|at| at < booted)
}
