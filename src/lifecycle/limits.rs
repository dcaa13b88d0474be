//! How many sessions may be live: whoever starts one asks here, and is refused where there is no room. A hook never asks.

use std::collections::BTreeMap;
use std::fmt;

use crate::identity::liveness::{Finding, Judge, SessionState};
use crate::identity::open_calls::open_calls;
use crate::identity::roster::{self, Archiving, Left};
use crate::model::{Config, Record, SessionId};
use crate::store::lock::Lock;
use crate::store::log::{self, Line, Log};
use crate::store::{Result, index};

/// The `end_reason` of a session that nobody had any more when room was needed.
pub const IDLE: &str = "idle";

/// How much of a journal's end is asked for its last times.
const TAIL: u64 = 64 << 10;

/// Why no session may begin: so many are live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full(pub u32);

impl fmt::Display for Full {
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

/// What a session that may be live is to the limit.
enum Place {
    /// It counts.
    Taken,
    /// It counts until room is needed: nobody has it, nothing happened for the idle timeout, and nothing is under way.
    Idle(Box<Finding>),
    /// It does not count.
    Free,
}

/// Makes room for the session `new`: whoever is idle and had by nobody is retired if there is none. Who is refused was
/// not to begin.
///
/// The caller holds the lock, and keeps it until `new` is where it is counted; so of many at once only as many begin as
/// there is room for.
///
/// # Errors
/// [`crate::store::Error::Io`] where the sessions cannot be listed.
pub fn make_room(
    judge: &Judge<'_>,
    config: &Config,
    new: &SessionId,
    held: &Lock,
) -> Result<std::result::Result<(), Full>> {
    let limit = config.max_concurrent_sessions;
    let most = usize::try_from(limit).unwrap_or(usize::MAX);
    let mut listed = candidates(judge)?;
    listed.remove(new);
    // Most often nobody needs to be looked at.
    if listed.len() < most {
        return Ok(Ok(()));
    }
    let (mut taken, mut idle) = (0, Vec::new());
    for (id, keys) in listed {
        match place(judge, &id) {
            Place::Taken => taken += 1,
            Place::Idle(finding) => idle.push((id, keys, finding)),
            Place::Free => {}
        }
    }
    if taken + idle.len() >= most {
        for (id, keys, finding) in idle {
            // One that cannot be ended is in nobody's way: it is not counted.
            let _ = retire(judge, config, &id, &keys, &finding, held);
        }
    }
    if taken < most {
        return Ok(Ok(()));
    }
    let line = Line::new("session refused: limit").session(new);
    // That it could not be noted is no reason to begin it.
    let _ = log::append(
        judge.state,
        Log::Operations,
        &line.detail("limit", limit).detail("live", taken),
    );
    Ok(Err(Full(limit)))
}

/// Logs, where the settings ask for it, that more sessions are live than may be, as hooks can bring about.
///
/// # Errors
/// [`crate::store::Error::Io`] where the sessions cannot be listed, or the line cannot be written.
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
    let is_taken = |id: &&SessionId| matches!(place(judge, id), Place::Taken);
    let live = listed.keys().filter(is_taken).count();
    if live <= most {
        return Ok(());
    }
    let what = exceeded(limit);
    let line = Line::new(&what).detail("limit", limit).detail("live", live);
    log::append(judge.state, Log::Operations, &line)
}

/// The sessions that may be live, each with the projects that it is listed for.
fn candidates(judge: &Judge<'_>) -> Result<BTreeMap<SessionId, Vec<String>>> {
    let mut listed: BTreeMap<_, Vec<String>> = BTreeMap::new();
    for (key, id) in index::live_candidates(judge.state)? {
        listed.entry(id).or_default().push(key);
    }
    Ok(listed)
}

fn place(judge: &Judge<'_>, id: &SessionId) -> Place {
    let dir = judge.state.session(id);
    let record = match dir.record() {
        Ok(Some(record)) => record,
        Ok(None) => return Place::Free,
        // One that cannot be read is live as long as a process has it.
        Err(_) if judge.is_owned(id, false) => return Place::Taken,
        Err(_) => return Place::Free,
    };
    let finding = judge.find(id, &record);
    match finding.state {
        SessionState::Active | SessionState::Idle => Place::Taken,
        SessionState::Ended => Place::Free,
        SessionState::Abandoned if !finding.may_go_on(judge) => Place::Free,
        SessionState::Abandoned if !open_calls(&dir).is_empty() => Place::Taken,
        // A process that cannot be seen from here may have it.
        SessionState::Abandoned if finding.unseen > 0 => Place::Free,
        SessionState::Abandoned => Place::Idle(Box::new(finding)),
    }
}

/// Ends a session that is idle and had by nobody, as of the time at which it became idle: whatever its client does from
/// then on is later, and makes it live again.
fn retire(
    judge: &Judge<'_>,
    config: &Config,
    id: &SessionId,
    keys: &[String],
    finding: &Finding,
    held: &Lock,
) -> Result<()> {
    let state = judge.state;
    state.update_record_locked(held, id, |record| {
        let last = finding.last_activity.unwrap_or(record.started_at);
        let mut end = last.after(judge.idle_timeout);
        // A file that was touched may say less than is in it.
        if let Ok(lines) = state.session(id).journal().last_lines(TAIL) {
            lines.for_each(|line| end = line.ts.map_or(end, |at| end.max(at)));
        }
        Some(Record {
            ended_at: Some(end.min(judge.now)),
            end_reason: Some(IDLE.to_owned()),
            ..record.clone()
        })
    })?;
    let archiving = Archiving::by(config.archive_auto);
    if roster::leave(judge, id, keys.iter().cloned(), archiving)? == Left::Resumed {
        return Ok(());
    }
    let line = Line::new("session retired").session(id);
    // That it could not be noted is no reason to keep it.
    let _ = log::append(state, Log::Operations, &line.detail("reason", IDLE));
    Ok(())
}
