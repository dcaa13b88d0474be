//! Limits how many sessions may be live. Only commands that start a session are refused if the
//! limit is reached; a hook never is.

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

/// How many bytes at the end of a journal are searched for the time of the last event.
const TAIL: u64 = 64 << 10;

/// The error if no session may begin, because this many are live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LimitReached(pub u32);

impl fmt::Display for LimitReached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(limit) = self;
        write!(
            f,
            "{}; end a session of `ccsession list`, or raise max_concurrent_sessions",
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
    /// The session counts, but can be retired to make room: no process owns it, no event happened
    /// for the idle timeout, and no call is open.
    Idle(Box<Assessment>),
    /// The session does not count.
    Free,
}

/// Makes room for the session `new` by retiring idle sessions that no process owns. If that is not
/// enough, returns [`LimitReached`], and `new` must not begin.
///
/// The caller must hold the lock until `new` itself is on the live index. So only as many
/// simultaneous starts succeed as the limit allows.
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
    // Usually so few sessions are listed that none needs to be examined.
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
            // Ignore a failure: a session that cannot be retired does not count anyway.
            let _ = retire(judge, config, &id, &keys, &finding, held);
        }
    }
    if taken < most {
        return Ok(Ok(()));
    }
    let line = LogLine::new("session refused: limit").session(new);
    // Ignore a failure to log: the session is refused anyway.
    let _ = log::append(
        judge.state,
        Log::Operations,
        &line.detail("limit", limit).detail("live", taken),
    );
    Ok(Err(LimitReached(limit)))
}

/// Logs that more sessions are live than the limit allows, if the setting `limit_warning` is on.
/// Sessions that hooks record can exceed the limit.
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
        // A session with an unreadable record counts while a process owns it.
        Err(_) if judge.is_owned(id, false) => return Occupancy::Taken,
        Err(_) => return Occupancy::Free,
    };
    let finding = judge.find(id, &record);
    match finding.state {
        SessionState::Active | SessionState::Idle => Occupancy::Taken,
        SessionState::Ended => Occupancy::Free,
        state if state.is_silent() && !finding.may_go_on(judge) => Occupancy::Free,
        state if state.is_silent() && !open_calls(&dir).is_empty() => Occupancy::Taken,
        // Do not retire it: a process that cannot be seen from here may own it.
        state if state.is_silent() && finding.unseen > 0 => Occupancy::Free,
        SessionState::Abandoned | SessionState::Imported => Occupancy::Idle(Box::new(finding)),
    }
}

/// Ends an idle session that no process owns. The end is set to the time at which the session
/// became idle, so that a later start or prompt makes it live again.
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
        // The end must not be before the last event, and `last_activity` is a coarser file time.
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
    // Ignore a failure to log: the session is retired anyway.
    let _ = log::append(state, Log::Operations, &line.detail("reason", IDLE));
    Ok(())
}
