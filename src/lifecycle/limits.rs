//! Limits how many sessions may be live. Commands that start a session ask here and are refused if
//! the limit is reached. A hook never asks.

use std::collections::BTreeMap;
use std::fmt;

use crate::identity::liveness::{Assessment, Judge, SessionState};
use crate::identity::open_calls::open_calls;
use crate::identity::roster::{self, ArchiveDecision, LeaveOutcome};
use crate::model::{Config, Record, SessionId};
use crate::store::lock::Lock;
use crate::store::log::{self, Log, LogLine};
use crate::store::{Result, index};

/// The `end_reason` of a session that was retired to make room, because no process owned it.
pub const IDLE: &str = "idle";

/// How much of a journal's end is searched for its last times, in bytes.
const TAIL: u64 = 64 << 10;

/// No session may begin because this many are live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LimitReached(pub u32);

impl fmt::Display for LimitReached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(limit) = self;
        write!(
            f,
            "{}; end one of those in `ccsession list`, or raise max_concurrent_sessions",
            exceeded(*limit)
        )
    }
}

fn exceeded(limit: u32) -> String {
    format!("Maximum concurrent sessions ({limit}) exceeded")
}

/// How a session that may be live counts towards the limit.
enum Occupancy {
    /// The session counts.
    Taken,
    /// The session counts until room is needed. No process owns it, nothing happened for the idle
    /// timeout, and no call is open.
    Idle(Box<Assessment>),
    /// The session does not count.
    Free,
}

/// Makes room for the session `new` by retiring idle sessions that no process owns. If that is not
/// enough, returns [`LimitReached`], and `new` must not begin.
///
/// The caller holds the lock until `new` itself is counted. So of many simultaneous starts, only as
/// many succeed as there is room for.
///
/// # Errors
/// Returns [`crate::store::Error::Io`] if the sessions cannot be listed.
pub fn make_room(
    judge: &Judge<'_>,
    config: &Config,
    new: &SessionId,
    held: &Lock,
) -> Result<std::result::Result<(), LimitReached>> {
    let limit = config.max_concurrent_sessions;
    let most = usize::try_from(limit).unwrap_or(usize::MAX);
    let mut listed = candidates(judge)?;
    listed.remove(new);
    // Usually the list is short enough, and no session needs to be examined.
    if listed.len() < most {
        return Ok(Ok(()));
    }
    let (mut taken, mut idle) = (0, Vec::new());
    for (id, keys) in listed {
        match place(judge, &id) {
            Occupancy::Taken => taken += 1,
            Occupancy::Idle(finding) => idle.push((id, keys, finding)),
            Occupancy::Free => {}
        }
    }
    if taken + idle.len() >= most {
        for (id, keys, finding) in idle {
            // A session that cannot be retired is not counted, so it blocks nothing.
            let _ = retire(judge, config, &id, &keys, &finding, held);
        }
    }
    if taken < most {
        return Ok(Ok(()));
    }
    let line = LogLine::new("session refused: limit").session(new);
    // A failure to log does not admit the session.
    let _ = log::append(
        judge.state,
        Log::Operations,
        &line.detail("limit", limit).detail("live", taken),
    );
    Ok(Err(LimitReached(limit)))
}

/// Logs, if the settings ask for it, that more sessions are live than the limit allows. Hooks can
/// cause that.
///
/// # Errors
/// Returns [`crate::store::Error::Io`] if the sessions cannot be listed, or the line cannot be
/// written.
pub fn warn(judge: &Judge<'_>, config: &Config) -> Result<()> {
    if !config.limit_warning {
        return Ok(());
    }
    let limit = config.max_concurrent_sessions;
    let most = usize::try_from(limit).unwrap_or(usize::MAX);
    let listed = candidates(judge)?;
    if listed.len() <= most {
        return Ok(());
    }
    let is_taken = |id: &&SessionId| matches!(place(judge, id), Occupancy::Taken);
    let live = listed.keys().filter(is_taken).count();
    if live <= most {
        return Ok(());
    }
    let what = exceeded(limit);
    let line = LogLine::new(&what)
        .detail("limit", limit)
        .detail("live", live);
    log::append(judge.state, Log::Operations, &line)
}

/// Returns the sessions that may be live, each with the projects that list it.
fn candidates(judge: &Judge<'_>) -> Result<BTreeMap<SessionId, Vec<String>>> {
    let mut listed: BTreeMap<_, Vec<String>> = BTreeMap::new();
    for (key, id) in index::live_candidates(judge.state)? {
        listed.entry(id).or_default().push(key);
    }
    Ok(listed)
}

fn place(judge: &Judge<'_>, id: &SessionId) -> Occupancy {
    let dir = judge.state.session(id);
    let record = match dir.record() {
        Ok(Some(record)) => record,
        Ok(None) => return Occupancy::Free,
        // A session whose record cannot be read counts while a process owns it.
        Err(_) if judge.is_owned(id, false) => return Occupancy::Taken,
        Err(_) => return Occupancy::Free,
    };
    let finding = judge.find(id, &record);
    match finding.state {
        SessionState::Active | SessionState::Idle => Occupancy::Taken,
        SessionState::Ended => Occupancy::Free,
        state if state.is_silent() && !finding.may_go_on(judge) => Occupancy::Free,
        state if state.is_silent() && !open_calls(&dir).is_empty() => Occupancy::Taken,
        // A process that cannot be seen from here may own it.
        state if state.is_silent() && finding.unseen > 0 => Occupancy::Free,
        SessionState::Abandoned | SessionState::Imported => Occupancy::Idle(Box::new(finding)),
    }
}

/// Ends an idle session that no process owns. The end is the time at which it became idle. So a
/// later start or prompt makes it live again.
fn retire(
    judge: &Judge<'_>,
    config: &Config,
    id: &SessionId,
    keys: &[String],
    finding: &Assessment,
    held: &Lock,
) -> Result<()> {
    let state = judge.state;
    state.update_record_locked(held, id, |record| {
        let last = finding.last_activity.unwrap_or(record.started_at);
        let mut end = last.after(judge.idle_timeout);
        // A file's modification time may be before the last event in it.
        if let Ok(lines) = state.session(id).journal().last_lines(TAIL) {
            lines.for_each(|line| end = line.ts.map_or(end, |at| end.max(at)));
        }
        Some(Record {
            ended_at: Some(end.min(judge.now)),
            end_reason: Some(IDLE.to_owned()),
            ..record.clone()
        })
    })?;
    let archiving = ArchiveDecision::by(config.archive_auto);
    if roster::leave(judge, id, keys.iter().cloned(), archiving)? == LeaveOutcome::Resumed {
        return Ok(());
    }
    let line = LogLine::new("session retired").session(id);
    // A failure to log does not undo the retirement.
    let _ = log::append(state, Log::Operations, &line.detail("reason", IDLE));
    Ok(())
}
