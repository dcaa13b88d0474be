//! Leases: a launcher holds the id of its session, so that no other launcher uses the id. A new
//! launcher can take over from a dead one.
//!
//! Leases are read, changed and written only under the lock.

use std::path::Path;

use crate::identity::liveness::{Judge, LOST};
use crate::identity::process::Life;
use crate::model::{Owner, Project, ProjectName, SessionId};
use crate::store::lease::{self, Lease, PointerContent};
use crate::store::lock::{CLI_PATIENCE, LAUNCHER_PATIENCE};
use crate::store::log::{self, Log, LogLine};
use crate::store::pointer::{PointerReading, Pointers};
use crate::store::write::Durability;
use crate::store::{Error, Result, StateDir};

/// The result of [`take`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum LeaseAttempt {
    /// The caller now holds the id, with this lease.
    Taken(Lease),
    /// Another process holds the id, with this lease.
    Refused(Lease),
}

/// Writes the lease `wanted`, unless another process holds the id: a running launcher, or the
/// command of a killed one. If the former holder is dead, the new lease inherits the pointer value
/// that will be restored at the end.
///
/// # Errors
/// Returns [`crate::store::Error::Locked`] if other processes hold the lock too long. Fails if the
/// present lease cannot be read or the new one cannot be written.
pub fn take(judge: &Judge<'_>, mut wanted: Lease) -> Result<LeaseAttempt> {
    let state = judge.state;
    let _lock = state.lock(LAUNCHER_PATIENCE)?;
    let present = lease::read(state, &wanted.session_id)?;
    match present {
        Some(present) if is_held(judge, &present) => {
            lease::count(state, |counts| counts.refused += 1)?;
            note(state, "lease refused", &present);
            return Ok(LeaseAttempt::Refused(present));
        }
        Some(dead) => {
            lease::count(state, |counts| {
                counts.taken_over += 1;
                counts.crashed += 1;
            })?;
            note(state, "lease taken over", &dead);
            remove_dead_owners(judge, &dead);
            wanted.moved_pointer = dead.moved_pointer;
            wanted.before = dead.before;
            lease::write(state, &wanted)?;
        }
        None => {
            lease::write(state, &wanted)?;
            note(state, "lease taken", &wanted);
        }
    }
    Ok(LeaseAttempt::Taken(wanted))
}

/// Removes the owner entries that a dead launcher left behind. They would accumulate in a session
/// that is run again and again. Ignores failures: the next cleanup removes the entries.
fn remove_dead_owners(judge: &Judge<'_>, dead: &Lease) {
    let session = judge.state.session(&dead.session_id);
    for owner in std::iter::once(&dead.holder).chain(&dead.child) {
        if judge.life(owner, &session) == Life::Dead {
            let _ = session.remove_owner(owner);
        }
    }
}

/// Changes the lease of `id` if `holder` holds it, and returns the changed lease. Returns `None` if
/// another process holds it.
///
/// # Errors
/// Returns [`crate::store::Error::Locked`] if other processes hold the lock too long. Fails if the
/// lease cannot be read or written.
pub fn change(
    state: &StateDir,
    id: &SessionId,
    holder: &str,
    change: impl FnOnce(&mut Lease),
) -> Result<Option<Lease>> {
    let _lock = state.lock(LAUNCHER_PATIENCE)?;
    let present = lease::read(state, id)?;
    let Some(mut own) = present.filter(|present| present.holder.file_name() == holder) else {
        return Ok(None);
    };
    change(&mut own);
    lease::write(state, &own)?;
    Ok(Some(own))
}

/// Makes the pointer name the session of the lease, and stores the pointer's former content in the
/// lease.
///
/// # Errors
/// Fails if the lease cannot be changed (see [`change`]) or the pointer cannot be written.
pub fn point(
    pointers: &Pointers<'_>,
    name: &ProjectName,
    state: &StateDir,
    own: &Lease,
) -> Result<()> {
    let id = &own.session_id;
    let reading = pointers.read(name);
    change(state, id, &own.holder.file_name(), |own| {
        match reading {
            // A dead holder has already moved the pointer, and stored its former value.
            PointerReading::Pointer { id: named, .. } if named == *id => {}
            PointerReading::Pointer {
                id: named, written, ..
            } => {
                own.before = Some(PointerContent {
                    session_id: named,
                    written,
                });
            }
            _ => own.before = None,
        }
        own.moved_pointer = true;
    })?;
    pointers.store(name, id, Durability::Cached)
}

/// Ends the lease with which `holder` holds the id, and returns whether there was one. The lease of
/// another holder stays.
///
/// Restores the pointer's former value, unless another session has written the pointer since. If
/// another lease would restore the pointer to this session, it gets the value from before this
/// session instead.
///
/// # Errors
/// Fails if a lease cannot be read or written, or the pointer cannot be restored.
pub fn release(
    judge: &Judge<'_>,
    pointers: &Pointers<'_>,
    name: &ProjectName,
    id: &SessionId,
    holder: &Owner,
) -> Result<bool> {
    let state = judge.state;
    let is_own = |lease: &Lease| lease.holder == *holder;
    let own = {
        // If the lock is not available, go on without it: nobody takes a lease from a living
        // holder.
        let _lock = state.lock(LAUNCHER_PATIENCE).ok();
        let Some(own) = lease::read(state, id)?.filter(is_own) else {
            return Ok(false);
        };
        for other in lease::held(state)? {
            let Ok(Some(mut other)) = lease::read(state, &other) else {
                continue;
            };
            if other
                .before
                .as_ref()
                .is_some_and(|before| before.session_id == *id)
            {
                other.before.clone_from(&own.before);
                lease::write(state, &other)?;
            }
        }
        own
    };
    let restored = restore_pointer(judge, pointers, name, &own);
    let _lock = state.lock(LAUNCHER_PATIENCE).ok();
    let is_still_own = lease::read(state, id)?.as_ref().is_some_and(is_own);
    if is_still_own {
        lease::remove(state, id)?;
        note(state, "lease released", &own);
    }
    restored.map(|()| is_still_own)
}

fn restore_pointer(
    judge: &Judge<'_>,
    pointers: &Pointers<'_>,
    name: &ProjectName,
    own: &Lease,
) -> Result<()> {
    let id = &own.session_id;
    if !own.moved_pointer {
        return Ok(());
    }
    let before = own.before.as_ref();
    match before.filter(|before| may_be_live(judge, &before.session_id)) {
        Some(before) => {
            // Restore the pointer with its original time, so that it does not seem newer than it
            // is.
            let then = Pointers {
                now: before.written,
                ..*pointers
            };
            then.put_back(name, id, &before.session_id)
        }
        None => pointers.remove_if_names(name, id).map(drop),
    }
}

/// Returns whether a session may be live, so that a pointer may name it again.
fn may_be_live(judge: &Judge<'_>, id: &SessionId) -> bool {
    match judge.state.session(id).record() {
        Ok(Some(record)) => judge.find(id, &record).state.is_live(),
        Ok(None) => true,
        Err(_) => false,
    }
}

/// Returns the leases whose holders are dead. Skips leases that cannot be read.
///
/// # Errors
/// Returns [`crate::store::Error::Io`] if the folder cannot be listed.
pub fn of_dead(judge: &Judge<'_>) -> Result<Vec<Lease>> {
    let state = judge.state;
    let held = lease::held(state)?.into_iter();
    let leases = held.filter_map(|id| lease::read(state, &id).ok()?);
    Ok(leases.filter(|lease| !is_held(judge, lease)).collect())
}

/// Removes the lease files that a power failure left empty. Returns an error for each that could
/// not be removed.
pub fn remove_lost(state: &StateDir) -> Vec<Error> {
    match lease::held(state) {
        Ok(held) => {
            let removed = held.iter().map(|id| remove_if_lost(state, id));
            removed.filter_map(Result::err).collect()
        }
        Err(err) => vec![err],
    }
}

/// Removes a lease file if a power failure left it empty.
fn remove_if_lost(state: &StateDir, id: &SessionId) -> Result<()> {
    let is_lost = || matches!(lease::read(state, id), Ok(None));
    if is_lost() {
        let _lock = state.lock(CLI_PATIENCE)?;
        // Check again under the lock: a process may have written the lease meanwhile.
        if is_lost() {
            lease::remove(state, id)?;
        }
    }
    Ok(())
}

/// The outcome of [`give_back`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum LeaseReturn {
    /// The id is free.
    Done,
    /// The launcher's command still runs, and holds the id.
    Held,
    /// Another cleanup or the next holder ended the lease first, and counted it in the statistics.
    DoneByAnother,
}

/// Ends a lease whose holder is dead.
///
/// # Errors
/// Fails if the lock is not available, a lease cannot be read or written, or the pointer cannot be
/// restored. The next cleanup tries again.
pub fn give_back(judge: &Judge<'_>, pointers: &Pointers<'_>, dead: &Lease) -> Result<LeaseReturn> {
    let (state, id) = (judge.state, &dead.session_id);
    {
        // Read the lease again: the launcher's command may have entered itself meanwhile, and holds
        // the id then.
        let _lock = state.lock(CLI_PATIENCE)?;
        match lease::read(state, id)? {
            Some(now) if is_held(judge, &now) => return Ok(LeaseReturn::Held),
            Some(_) => {}
            None => return Ok(LeaseReturn::DoneByAnother),
        }
    }
    let root = dead.holder.root.as_deref().unwrap_or("/");
    let name = Project::at(Path::new(root).to_owned()).name();
    if !release(judge, pointers, &name, id, &dead.holder)? {
        return Ok(LeaseReturn::DoneByAnother);
    }
    let _lock = state.lock(CLI_PATIENCE)?;
    lease::count(state, |counts| counts.crashed += 1)?;
    Ok(LeaseReturn::Done)
}

/// Returns whether the launcher or its command still runs. A process that cannot be seen from here
/// counts as running until its session has been inactive for [`LOST`].
pub fn is_held(judge: &Judge<'_>, lease: &Lease) -> bool {
    let may_run = |owner: &Owner| {
        let dir = judge.state.session(&lease.session_id);
        match judge.life(owner, &dir) {
            Life::Alive => true,
            Life::Dead => false,
            Life::Unseen => {
                let last = dir.last_activity();
                last.unwrap_or(lease.since).age(judge.now) < LOST
            }
        }
    };
    may_run(&lease.holder) || lease.child.as_ref().is_some_and(may_run)
}

/// Logs an operation. Ignores a failure to log.
fn note(state: &StateDir, what: &str, lease: &Lease) {
    let line = LogLine::new(what)
        .session(&lease.session_id)
        .detail("holder", lease.holder.pid);
    let _ = log::append(state, Log::Operations, &line);
}
