//! Cleaning up: stale pointers, temporary files of processes that died, and index entries of sessions and processes
//! that are gone. Safe at any moment beside everything else, and cheap: what it looks at does not grow with the number
//! of ended sessions.

use std::path::Path;
use std::time::Duration;

use crate::identity::liveness::{Judge, SessionState};
use crate::identity::process::Life;
use crate::lifecycle::{lease, usage};
use crate::model::{Config, Project, SessionId, Timestamp};
use crate::store::log::{self, Line, Log};
use crate::store::pointer::{ORPHANED, Pointers, Swept, Why};
use crate::store::write::TEMPORARY;
use crate::store::{Environment, Error, Places, Result, State, file, index, write};

/// How long after its last event a transcript is looked for that is not where it began: some daily cleanups.
const SEARCHED: Duration = Duration::from_secs(3 * 24 * 60 * 60);

/// What a cleanup did, or would do.
#[derive(Debug, Default)]
pub struct Report {
    /// Pointers that were removed.
    pub pointers: Vec<Swept>,
    /// Temporary files that were removed.
    pub orphans: Vec<Swept>,
    /// Sessions that were found ended or abandoned and taken off the live ones.
    pub retired: usize,
    /// Leases whose holder had died.
    pub leases: usize,
    /// Why the state directory was left alone, where it was.
    pub state_left_alone: Option<Error>,
}

/// Cleans up; with `dry_run`, only says what would go.
///
/// # Errors
/// Where the pointer directory is not safe or cannot be listed, or the state directory is not safe. What fails on the
/// way is left to the next cleanup.
pub fn run(
    env: &Environment,
    places: &Places,
    config: &Config,
    now: Timestamp,
    dry_run: bool,
) -> Result<Report> {
    let (state, broken) = match State::open(places) {
        Ok(state) => (state, None),
        Err(Error::NoStateDir) => (None, None),
        Err(err) => (None, Some(err)),
    };
    let pointers = Pointers {
        dir: &places.pointers,
        state: state.as_ref(),
        ttl: config.ttl,
        now,
    };
    let (orphans, removed) = pointers
        .sweep(dry_run)?
        .into_iter()
        .partition(|swept| swept.why == Why::Orphaned);
    let mut report = Report {
        pointers: removed,
        orphans,
        retired: 0,
        leases: 0,
        state_left_alone: broken,
    };
    if let Some(state) = &state {
        let judge = Judge::new(state, config, now);
        sweep_state(env, &judge, &pointers, dry_run, &mut report)?;
    }
    Ok(report)
}

/// Whether a sweep is due, and this process the one that makes it.
///
/// # Errors
/// Where the state directory is not safe or the stamp cannot be written.
pub fn claim(places: &Places, config: &Config, now: Timestamp) -> Result<bool> {
    // Without a state directory there is no stamp, and little to look at: that is always due.
    let Ok(Some(state)) = State::open(places) else {
        return Ok(true);
    };
    if !state.sweep_is_due(config.cleanup_interval, now) {
        return Ok(false);
    }
    match state.claim_sweep(state.last_sweep()) {
        // Whoever has the lock is likely to sweep.
        Err(Error::Locked { .. }) => Ok(false),
        claimed => claimed,
    }
}

fn sweep_state(
    env: &Environment,
    judge: &Judge<'_>,
    pointers: &Pointers<'_>,
    dry_run: bool,
    report: &mut Report,
) -> Result<()> {
    let (state, now) = (judge.state, judge.now);
    if let Some(viewpoint) = judge.viewpoint.as_ref().filter(|_| !dry_run) {
        for entry in index::processes(state)? {
            if viewpoint.judge(&entry.owner) == Life::Dead {
                index::forget_process(state, &entry.owner)?;
            }
        }
    }
    for (key, id) in index::live_candidates(state)? {
        sweep_orphans(state.session(&id).path(), now, dry_run, report)?;
        let Some(how) = gone(judge, &id) else {
            continue;
        };
        report.retired += 1;
        if dry_run {
            continue;
        }
        index::remove_from_project(state, &key, &id)?;
        if gone(judge, &id).is_none() {
            // It was resumed at this very moment.
            index::add_to_project(state, &key, &id)?;
            continue;
        }
        if how == Gone::Abandoned {
            log::append(
                state,
                Log::Operations,
                &Line::new("session abandoned").session(&id),
            )?;
        }
        count_tokens(env, judge, &id);
    }
    report.leases = lease::sweep(judge, pointers, dry_run)?;
    for dir in ["", "procs", "leases"].map(|name| state.root().join(name)) {
        sweep_orphans(&dir, now, dry_run, report)?;
    }
    if !dry_run && state.claim_daily(now)? {
        rebuild_indexes(judge)?;
        // A hook that was killed while it created a session left it in no index.
        for id in state.session_ids()? {
            sweep_orphans(state.session(&id).path(), now, dry_run, report)?;
            // A session that ended is on no list of live ones any more.
            count_tokens(env, judge, &id);
        }
    }
    let removed = report.pointers.len();
    if removed > 0 && !dry_run {
        log::append(
            state,
            Log::Operations,
            &Line::new("pointers removed").detail("count", removed),
        )?;
    }
    Ok(())
}

/// Counts the tokens of a session while its transcript is there: the client deletes it some day. What fails is left to
/// whoever asks for them.
fn count_tokens(env: &Environment, judge: &Judge<'_>, id: &SessionId) {
    let dir = judge.state.session(id);
    if let Ok(Some(record)) = dir.record() {
        let _ = usage::count_due(env, &dir, &record, judge.now, SEARCHED);
    }
}

/// How a session is gone.
#[derive(PartialEq, Eq)]
enum Gone {
    Unrecorded,
    Ended,
    Abandoned,
}

/// How the session is gone, if it is. One that has a record which another version may understand is not.
fn gone(judge: &Judge<'_>, id: &SessionId) -> Option<Gone> {
    let Some(record) = judge.state.session(id).record().ok()? else {
        return Some(Gone::Unrecorded);
    };
    let finding = judge.find(id, &record);
    match finding.state {
        SessionState::Active | SessionState::Idle => None,
        SessionState::Ended => Some(Gone::Ended),
        SessionState::Abandoned if finding.may_go_on(judge.now) => None,
        SessionState::Abandoned => Some(Gone::Abandoned),
    }
}

/// Enters every live session into the indexes again, from its record and its owners: an entry that was lost would hide
/// it. The most recently active session of a process comes first, and the first entry stays.
fn rebuild_indexes(judge: &Judge<'_>) -> Result<()> {
    let known = |id: SessionId| {
        let record = judge.state.session(&id).record().ok()??;
        let finding = judge.find(&id, &record);
        finding.state.is_live().then_some((record, finding))
    };
    let mut live: Vec<_> = judge.state.session_ids()?.filter_map(known).collect();
    live.sort_by_key(|(_, finding)| std::cmp::Reverse(finding.last_activity));
    for (record, finding) in live {
        let project = Project::at(record.project.root());
        index::add_to_project(judge.state, &project.key(), &record.session_id)?;
        for owner in &finding.owners {
            if index::session_of_process(judge.state, owner).is_none() {
                index::set_session_of_process(judge.state, owner, &record.session_id)?;
            }
        }
    }
    Ok(())
}

fn sweep_orphans(dir: &Path, now: Timestamp, dry_run: bool, report: &mut Report) -> Result<()> {
    for name in file::names(dir)? {
        if !name
            .to_str()
            .is_some_and(|name| name.starts_with(TEMPORARY))
        {
            continue;
        }
        let path = dir.join(name);
        let old = file::look(&path)?.is_some_and(|found| found.meta.modified.age(now) > ORPHANED);
        if old && (dry_run || write::remove(&path)?) {
            report.orphans.push(Swept {
                path,
                why: Why::Orphaned,
            });
        }
    }
    Ok(())
}
