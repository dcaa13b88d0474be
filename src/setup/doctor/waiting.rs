//! Reports work that is blocked, and why: ended sessions that could not be archived, archives that
//! cannot be completed, failures of background cleanups. Nothing else reports them, because a
//! cleanup that a hook starts has no stderr.

use std::time::Duration;

use super::Finding;
use crate::cleanup;
use crate::identity::liveness::Judge;
use crate::store::archive::Archives;
use crate::store::lock::{HOOK_PATIENCE, LockMechanism};
use crate::store::{Error, archive_queue, shown};

/// How long an ended session may wait to be archived before it is reported.
const LONG: Duration = Duration::from_secs(24 * 60 * 60);
/// How many items of a kind the report names at most.
const MAX_NAMED: usize = 3;

/// Finds and reports blocked work.
pub(super) fn examine(judge: &Judge<'_>, is_auto: bool) -> Vec<Finding> {
    let mut findings: Vec<Finding> = locks(judge).into_iter().collect();
    findings.extend(failures(judge));
    if is_auto {
        findings.extend(sessions(judge));
    }
    findings.extend(archives(judge));
    if findings.is_empty() {
        let found = "no work is blocked";
        findings.push(Finding::ok("waiting", found));
    }
    findings
}

/// Reports a state directory whose file system has no locks.
fn locks(judge: &Judge<'_>) -> Option<Finding> {
    match judge.state.try_lock(HOOK_PATIENCE) {
        Ok(Some(lock)) if lock.means() == LockMechanism::File => Some(Finding::note(
            "waiting",
            format!(
                "{} is on a file system without locks: processes take turns by a file, `lock.turn`, instead",
                shown(judge.state.root())
            ),
            "nothing to do; a cleanup that is killed on another machine delays the next by an hour",
        )),
        Ok(_) | Err(Error::Locked { .. }) => None,
        Err(err) => Some(Finding::fault(
            "waiting",
            format!("{err}: nothing is cleaned up or archived"),
            "set CCSESSION_STATE_DIR to a directory on a file system that has locks (flock)",
        )),
    }
}

fn failures(judge: &Judge<'_>) -> Option<Finding> {
    let failures = cleanup::failures_of_a_day(judge.state, judge.now);
    let last = failures.last()?;
    let found = format!(
        "cleanups failed {} times in the last 24 hours; the last: {last}",
        failures.len()
    );
    let remedy =
        "fix what the error names, then run `ccsession cleanup`; it stays listed for a day";
    Some(Finding::fault("waiting", found, remedy))
}

/// Reports ended sessions that are not archived although a cleanup tried to, or although a day has
/// passed.
fn sessions(judge: &Judge<'_>) -> Vec<Finding> {
    let state = judge.state;
    let mut waiting: Vec<_> = archive_queue::entries(state)
        .into_iter()
        .flatten()
        .filter_map(|mark| match mark.postponement(state) {
            Some(waiting) => Some((mark.id, Some(waiting))),
            None if mark.modified().age(judge.now) >= LONG => Some((mark.id, None)),
            None => None,
        })
        .collect();
    waiting.sort_by(|one, other| one.0.cmp(&other.0));
    let more = waiting.len().saturating_sub(MAX_NAMED);
    let findings = waiting.into_iter().take(MAX_NAMED).map(|(id, waiting)| {
        let why = match waiting {
            Some(waiting) => format!("tried {} times: {}", waiting.tries, waiting.why),
            None => "no cleanup has tried in the last 24 hours".to_owned(),
        };
        let found = format!("session {id} has ended and is not archived; {why}");
        let remedy = "correct what is in the way; `ccsession cleanup` tries again at once";
        Finding::fault("waiting", found, remedy)
    });
    let mut findings: Vec<_> = findings.collect();
    if more > 0 {
        let found = format!("{more} more sessions have ended and are not archived");
        findings.push(Finding::fault("waiting", found, "run `ccsession cleanup`"));
    }
    findings
}

/// Reports archives that a killed process left unfinished and that cannot be completed.
fn archives(judge: &Judge<'_>) -> Vec<Finding> {
    let stuck = Archives::of(judge.state).stuck().unwrap_or_default();
    let finding = |err: Error| {
        let remedy = "if a newer version wrote it, use that version; else remove the file and run `ccsession clock-out` for the session";
        Finding::fault("waiting", err.to_string(), remedy)
    };
    stuck.into_iter().take(MAX_NAMED).map(finding).collect()
}
