//! The end of a session, noted in its record: when a hook saw it or, where nobody said so, when it was last heard of.
//!
//! Hooks never rewrite a record. So a session that has ended says so only in its journal, until it is looked at here.

use crate::identity::liveness::{Judge, SessionState};
use crate::model::line::Kind;
use crate::model::record::ABANDONED;
use crate::model::{Record, SessionId, Timestamp};
use crate::store::lock::CLI_PATIENCE;
use crate::store::{Result, SessionDir};

/// How much of a journal's end is looked at.
const TAIL: u64 = 1 << 20;

/// Notes the end of a session that is not live any more, and returns its record; nothing where it is live or unknown.
///
/// # Errors
/// Where the record cannot be read or replaced.
pub fn note(judge: &Judge<'_>, id: &SessionId) -> Result<Option<Record>> {
    let session = judge.state.session(id);
    let is_noted = |record: &Record, (at, reason): &(Timestamp, String)| {
        // What a launcher noted after the last event is the end.
        record.ended_at.is_some_and(|noted| noted >= *at) && record.end_reason.is_some()
            || record.ended_at == Some(*at) && record.end_reason.as_ref() == Some(reason)
    };
    let Some(record) = session.record()? else {
        return Ok(None);
    };
    let Some(end) = end_of(judge, &session, &record) else {
        return Ok(None);
    };
    if is_noted(&record, &end) {
        return Ok(Some(record));
    }
    let _lock = judge.state.lock(CLI_PATIENCE)?;
    let Some(mut record) = session.record()? else {
        return Ok(None);
    };
    // It may have been resumed meanwhile.
    let Some(end) = end_of(judge, &session, &record) else {
        return Ok(None);
    };
    if !is_noted(&record, &end) {
        (record.ended_at, record.end_reason) = (Some(end.0), Some(end.1));
        session.replace_record(&record)?;
    }
    Ok(Some(record))
}

/// When and how a session ended, if it is not live.
fn end_of(judge: &Judge<'_>, session: &SessionDir, record: &Record) -> Option<(Timestamp, String)> {
    let finding = judge.find(&record.session_id, record);
    if finding.state.is_live()
        || finding.state == SessionState::Abandoned && finding.may_go_on(judge.now)
    {
        return None;
    }
    let mut said = None;
    if let Ok(lines) = session.last_lines(TAIL) {
        lines.for_each(|line| match line.kind {
            Kind::SessionEnd => {
                said = line
                    .ts
                    .map(|at| (at, line.reason.unwrap_or("other").to_owned()))
            }
            Kind::SessionStart | Kind::UserPromptSubmit => said = None,
            _ => {}
        });
    }
    let silent = || {
        (
            finding.last_activity.unwrap_or(record.started_at),
            ABANDONED.to_owned(),
        )
    };
    match finding.state {
        SessionState::Abandoned => Some(silent()),
        _ => said
            .or_else(|| record.ended_at.is_none().then(silent))
            .or_else(|| {
                let reason = record.end_reason.clone();
                Some((
                    record.ended_at?,
                    reason.unwrap_or_else(|| "other".to_owned()),
                ))
            }),
    }
}
