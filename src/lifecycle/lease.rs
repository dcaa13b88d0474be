//! Holding a session's id: one holder at a time, and what a holder that died left behind is taken over.

use crate::identity::liveness::Judge;
use crate::identity::process::Life;
use crate::model::{Owner, SessionId};
use crate::store::lease::{self, Lease};
use crate::store::lock::{CLI_PATIENCE, LAUNCHER_PATIENCE};
use crate::store::log::{self, Line, Log};
use crate::store::{Result, State};

/// What became of a wish to hold an id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Taking {
    /// It is held now.
    Taken,
    /// It is held now; this holder had died.
    TakenOver(Lease),
    /// This one holds it.
    Refused(Lease),
}

/// Takes `wanted`, unless another holds that id: a launcher that runs, or the command of one that was killed.
///
/// # Errors
/// [`crate::store::Error::Locked`], and where the present lease cannot be read or the new one not be written.
pub fn take(judge: &Judge<'_>, wanted: &Lease) -> Result<Taking> {
    let state = judge.state;
    let id = &wanted.session_id;
    let _lock = state.lock(LAUNCHER_PATIENCE)?;
    let present = lease::read(state, id)?;
    if let Some(present) = present.as_ref().filter(|present| is_held(judge, present)) {
        lease::count(state, |counts| counts.refused += 1)?;
        log(state, "lease refused", id, Some(&present.holder))?;
        return Ok(Taking::Refused(present.clone()));
    }
    lease::write(state, wanted)?;
    let Some(dead) = present else {
        log(state, "lease taken", id, None)?;
        return Ok(Taking::Taken);
    };
    lease::count(state, |counts| {
        counts.taken_over += 1;
        counts.crashed += 1;
    })?;
    log(state, "lease taken over", id, Some(&dead.holder))?;
    Ok(Taking::TakenOver(dead))
}

/// Gives back an id that `holder` holds; another's lease stays.
///
/// # Errors
/// As [`take`].
pub fn release(state: &State, id: &SessionId, holder: &Owner) -> Result<()> {
    // Nobody takes over from a holder that lives, so without the lock it is its own lease, too.
    let _lock = state.lock(LAUNCHER_PATIENCE).ok();
    if lease::read(state, id)?.is_some_and(|present| present.holder == *holder) {
        lease::remove(state, id)?;
        log(state, "lease released", id, None)?;
    }
    Ok(())
}

/// Removes, or with `dry_run` only counts, the leases that nobody holds any more.
///
/// # Errors
/// As [`take`]. A lease that cannot be read stays.
pub fn sweep(judge: &Judge<'_>, dry_run: bool) -> Result<usize> {
    let state = judge.state;
    let is_left = |id: &SessionId| {
        let present = lease::read(state, id).ok().flatten();
        present.is_some_and(|present| !is_held(judge, &present))
    };
    let mut left: Vec<SessionId> = lease::held(state)?.into_iter().filter(is_left).collect();
    if dry_run || left.is_empty() {
        return Ok(left.len());
    }
    let _lock = state.lock(CLI_PATIENCE)?;
    left.retain(is_left);
    for id in &left {
        lease::remove(state, id)?;
        lease::count(state, |counts| counts.crashed += 1)?;
        log(state, "lease of a dead holder removed", id, None)?;
    }
    Ok(left.len())
}

/// Whether the launcher or its command still runs. What cannot be seen from here is not dead.
pub fn is_held(judge: &Judge<'_>, lease: &Lease) -> bool {
    let may_run = |owner: &Owner| {
        let life = judge
            .viewpoint
            .as_ref()
            .map(|viewpoint| viewpoint.judge(owner));
        life != Some(Life::Dead)
    };
    may_run(&lease.holder) || lease.child.as_ref().is_some_and(may_run)
}

fn log(state: &State, what: &str, id: &SessionId, holder: Option<&Owner>) -> Result<()> {
    let mut line = Line::new(what).session(id);
    if let Some(holder) = holder {
        line = line.detail("holder", holder.pid);
    }
    log::append(state, Log::Operations, &line)
}
