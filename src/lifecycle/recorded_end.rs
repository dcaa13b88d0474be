//! Writes to a session's record when it ended: the time at which a hook saw the end, or else the
//! time of the last event.
//!
//! Hooks rewrite no record, except to stop recording an excluded project. Until this module writes
//! the end, only the journal contains it.

use crate::identity::liveness::{Judge, SessionState};
use crate::model::line::EventKind;
use crate::model::record::ABANDONED;
use crate::model::{Record, SessionId, Timestamp};
use crate::store::lock::CLI_PATIENCE;
use crate::store::state::RecordUpdate;
use crate::store::{Result, SessionDir};

/// How many bytes at the end of a journal are read.
const TAIL: u64 = 1 << 20;

/// Writes the end of a session to its record if the session is no longer live, and returns the
/// record. Returns `None` if the session is live or unknown.
///
/// # Errors
/// Fails if the record cannot be read or replaced.
pub fn note(judge: &Judge<'_>, id: &SessionId) -> Result<Option<Record>> {
    let session = judge.state.session(id);
    let Some((record, end)) = foresee(judge, &session)? else {
        return Ok(None);
    };
    if is_noted(&record, &end) {
        return Ok(Some(record));
    }
    let mut is_resumed = false;
    let updated = judge.state.update_record(id, CLI_PATIENCE, |record| {
        let end = end_of(judge, &session, record);
        is_resumed = end.is_none();
        let end = end.filter(|end| !is_noted(record, end))?;
        Some(with(record.clone(), end))
    })?;
    match updated {
        RecordUpdate::Replaced(record) => Ok(Some(record)),
        RecordUpdate::Unchanged(record) => Ok((!is_resumed).then_some(record)),
        RecordUpdate::Missing => Ok(None),
    }
}

/// Returns the record that [`note`] would return, but writes nothing.
///
/// # Errors
/// Fails if the record cannot be read.
pub fn foreseen(judge: &Judge<'_>, id: &SessionId) -> Result<Option<Record>> {
    let found = foresee(judge, &judge.state.session(id))?;
    Ok(found.map(|(record, end)| with(record, end)))
}

/// When and why a session ended.
struct EndNote {
    at: Timestamp,
    reason: String,
}

/// Returns the record and the end of a session that is not live.
fn foresee(judge: &Judge<'_>, session: &SessionDir) -> Result<Option<(Record, EndNote)>> {
    let Some(record) = session.record()? else {
        return Ok(None);
    };
    let end = end_of(judge, session, &record);
    Ok(end.map(|end| (record, end)))
}

fn is_noted(record: &Record, end: &EndNote) -> bool {
    // A launcher may have written a later end to the record. That end is kept.
    record.ended_at.is_some_and(|noted| noted >= end.at) && record.end_reason.is_some()
        || record.ended_at == Some(end.at) && record.end_reason.as_ref() == Some(&end.reason)
}

/// Returns the record with its end, unless it already contains one.
fn with(mut record: Record, end: EndNote) -> Record {
    if !is_noted(&record, &end) {
        (record.ended_at, record.end_reason) = (Some(end.at), Some(end.reason));
    }
    record
}

/// Returns when and why a session ended, or `None` if it is live.
fn end_of(judge: &Judge<'_>, session: &SessionDir, record: &Record) -> Option<EndNote> {
    let finding = judge.find(&record.session_id, record);
    if finding.state.is_live() || finding.state.is_silent() && finding.may_go_on(judge) {
        return None;
    }
    let (mut said, mut last) = (None, None);
    if let Ok(lines) = session.journal().last_lines(TAIL) {
        lines.for_each(|line| {
            let is_past = |at: &Timestamp| !judge.is_to_come(*at);
            last = last.max(line.ts.filter(is_past));
            match line.kind {
                // Prefer the end that Claude Code has reported.
                EventKind::RunEnd if said.is_some() => {}
                EventKind::SessionEnd | EventKind::RunEnd => {
                    // If hooks are registered twice, their events may be in any order. The later
                    // end is right.
                    let end = line.ts.map(|at| EndNote {
                        at,
                        reason: line.reason.unwrap_or("other").to_owned(),
                    });
                    said = said.take().into_iter().chain(end).max_by_key(|end| end.at);
                }
                EventKind::SessionStart | EventKind::UserPromptSubmit => said = None,
                _ => {}
            }
        });
    }
    let silent = || {
        // Prefer the time in the event: the modification time of the journal (`last_activity`) is
        // coarser, and may be earlier.
        let last = last.or(finding.last_activity);
        EndNote {
            at: last.unwrap_or(record.started_at),
            reason: ABANDONED.to_owned(),
        }
    };
    match finding.state {
        SessionState::Abandoned | SessionState::Imported => Some(silent()),
        _ => said
            .or_else(|| record.ended_at.is_none().then(silent))
            .or_else(|| {
                let reason = record.end_reason.clone();
                Some(EndNote {
                    at: record.ended_at?,
                    reason: reason.unwrap_or_else(|| "other".to_owned()),
                })
            }),
    }
}
