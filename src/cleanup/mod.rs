//! Cleans up: removes stale pointers and what killed processes left behind, archives sessions that
//! ended, and once a day compresses and prunes. It may run at any moment beside everything else.
//!
//! A cleanup is a list of tasks ([`task`]). A dry run prints the list and performs nothing. The cost
//! of a due cleanup does not grow with the number of ended sessions; only its daily part looks at
//! every session on record.

pub mod compression;
pub mod deletion;
pub mod plan;
pub mod report;
mod sweep;
pub mod task;

use serde_json::{Map, Value};

pub use self::report::CleanupReport;
use self::sweep::Sweep;
use self::task::Task;
use crate::identity::liveness::{Judge, LOST, has_gone_process};
use crate::model::Timestamp;
use crate::store::index::ProcessNames;
use crate::store::log::{self, Log, LogLine};
use crate::store::pointer::SweepReason;
use crate::store::{Error, Host, Result, StateDir, archive_queue};

/// Why a cleanup runs, which decides what it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CleanupMode {
    /// Somebody asked for the cleanup. It also tries sessions again whose archiving was postponed.
    Asked,
    /// The cleanup was due. Sessions whose archiving was postponed still wait.
    Due,
    /// The cleanup changes nothing, and reports what it would do.
    DryRun,
}

/// Cleans up. Claude Code keeps transcripts for `keeps` days.
///
/// # Errors
/// Fails if the pointer directory is not safe or cannot be listed. The report names what fails
/// after that, and the next cleanup tries it again.
pub fn run(host: &Host<'_>, keeps: f64, mode: CleanupMode) -> Result<CleanupReport> {
    let pointers = host.pointers();
    let sweeping = pointers.sweep(mode == CleanupMode::DryRun)?;
    let mut report = CleanupReport::default();
    report.state_left_alone = host.state_fault.map(ToString::to_string);
    for swept in sweeping.swept {
        report.add(match swept.why {
            SweepReason::Orphaned => Task::RemoveTemporary(swept.path),
            SweepReason::Stale | SweepReason::Unreadable => Task::RemovePointer(swept),
        });
    }
    sweeping.failed.iter().for_each(|err| report.fail(err));
    if let Some(judge) = Judge::of(host) {
        let sweep = Sweep::new(host, judge, mode);
        sweep.state(&pointers, keeps, &mut report);
    }
    Ok(report)
}

/// The part of a cleanup that is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DueWork {
    /// The whole cleanup, and this process has claimed it.
    All,
    /// Only archiving sessions that have ended.
    Archiving,
    /// Nothing.
    Nothing,
}

/// Returns what is due. A whole cleanup is due once in every `cleanup_interval`, and when a Claude
/// Code process died without reporting its end. Claims a whole cleanup for this process.
///
/// # Errors
/// Fails if the state directory is not safe, or if the time of this cleanup cannot be recorded.
pub fn claim(host: &Host<'_>) -> Result<DueWork> {
    // Without a state directory, the time of the last cleanup is unknown, and there is little to
    // do. So a cleanup is always due.
    let Some(state) = host.state else {
        return Ok(DueWork::All);
    };
    let (auto, now) = (host.config.archive_auto, host.now);
    let rest = match auto && archive_queue::is_any_due(state, now) {
        true => DueWork::Archiving,
        false => DueWork::Nothing,
    };
    let is_lost = || auto && has_gone_process(state, &ProcessNames::default());
    if !state.sweep_is_due(host.config.cleanup_interval, now) && !is_lost() {
        return Ok(rest);
    }
    match state.claim_sweep(state.last_sweep()) {
        Ok(true) => Ok(DueWork::All),
        // Another process has claimed the cleanup, or holds the lock and probably cleans up.
        Ok(false) | Err(Error::Locked { .. }) => Ok(rest),
        Err(err) => Err(err),
    }
}

/// Archives the queued sessions that are due, and does nothing else.
pub fn archive_ended(host: &Host<'_>) -> CleanupReport {
    let mut report = CleanupReport::default();
    if let Some(judge) = Judge::of(host) {
        Sweep::new(host, judge, CleanupMode::Due).archive_queued(&mut report);
    }
    report
}

/// The name of the log line for a failure of a cleanup.
pub const FAILED: &str = "cleanup failed";
/// The most failures of one cleanup that are logged.
const MAX_LOGGED: usize = 20;

/// Logs the failures of a cleanup, each at most once a day. A log that cannot be written is
/// ignored, because there is no other place to report that.
pub fn log_failures(state: &StateDir, failed: &[String], now: Timestamp) {
    if failed.is_empty() {
        return;
    }
    let known = failures_of_a_day(state, now);
    let new = failed.iter().filter(|why| !known.contains(why));
    for why in new.take(MAX_LOGGED) {
        let line = LogLine::new(FAILED).detail("why", why.as_str());
        let _ = log::append(state, Log::Operations, &line);
    }
}

/// Returns the failures of the last day that cleanups logged, the latest last.
pub fn failures_of_a_day(state: &StateDir, now: Timestamp) -> Vec<String> {
    let failure = |line: Map<String, Value>| {
        let text = |name: &str| line.get(name).and_then(Value::as_str);
        let at = Timestamp::parse(text("ts")?).ok()?;
        let is_recent = text("what") == Some(FAILED) && at.age(now) < LOST;
        is_recent.then(|| text("why").map(str::to_owned)).flatten()
    };
    let lines = log::read(state, Log::Operations).into_iter();
    lines.filter_map(failure).collect()
}
