//! The one place where a session is created, joined and left. Nothing else may write to the live
//! index.
//!
//! The live index (`projects/{key}/{id}`) only says where to look; the owners and the journal are
//! the evidence. A process that joins writes the evidence first and the index entry second. A
//! process that removes a session from the index removes the entry first and checks the evidence
//! second. So a session resumed at that very moment ends up on the index in either order.

use std::io;

use super::liveness::Judge;
use crate::model::{Event, Owner, Project, Record, SessionId};
use crate::store::write::{AppendOutcome, Durability};
use crate::store::{Error, Result, SessionDir, StateDir, archive_queue, index};

/// How often an event is tried if its journal is missing. It may be missing for a moment during a
/// rotation, if the file system cannot exchange two names.
const MAX_ATTEMPTS: u32 = 3;

/// The outcome of [`open_or_create`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenOutcome {
    /// The session was new; it has the given record.
    Created,
    /// The session was on record already and keeps its record.
    Known,
}

/// The outcome of removing a session from the live index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum LeaveOutcome {
    /// The session is off the index.
    Retired,
    /// A process resumed it meanwhile, so it is back on the index.
    Resumed,
}

/// Whether a session that leaves is archived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ArchiveDecision {
    /// The session joins the archive queue.
    Queued,
    /// The session is not queued: automatic archiving is off, or there is nothing to archive.
    Off,
}

impl ArchiveDecision {
    /// Returns [`Self::Queued`] if `archive.auto` is on.
    pub fn by(archive_auto: bool) -> Self {
        match archive_auto {
            true => Self::Queued,
            false => Self::Off,
        }
    }
}

/// Adds `event` to the session, creating it with `record` if it is not on record yet.
///
/// If it is on record already, `merge` runs before the event is added. Only the CLI replaces the
/// record in `merge`, and it holds the lock.
///
/// # Errors
/// Returns the error of the failed step. Earlier steps stay, and the next event completes them.
pub fn open_or_create(
    session: &SessionDir,
    record: &Record,
    event: &Event,
    durability: Durability,
    merge: impl FnOnce() -> Result<()>,
) -> Result<OpenOutcome> {
    let created = session.create(record, event, durability)?;
    if !created.record {
        merge()?;
    }
    let mut is_entered = created.journal;
    for _ in 0..MAX_ATTEMPTS {
        if is_entered {
            break;
        }
        is_entered = match session.journal().append(event)? {
            AppendOutcome::Done { .. } => true,
            AppendOutcome::Missing => session.create(record, event, durability)?.journal,
        };
    }
    match (is_entered, created.record) {
        (false, _) => {
            let missing = io::Error::from(io::ErrorKind::NotFound);
            Err(Error::io("find", session.journal().path())(missing))
        }
        (true, true) => Ok(OpenOutcome::Created),
        (true, false) => Ok(OpenOutcome::Known),
    }
}

/// Makes `owner`, if given, an owner of the session, and adds the session to the live index of
/// `project`.
///
/// The event that leads to this call must already be in the journal. If one change fails, the
/// others are still made.
///
/// # Errors
/// Returns the error of the first failed step.
pub fn join(
    state: &StateDir,
    id: &SessionId,
    project: &Project,
    owner: Option<&Owner>,
) -> Result<()> {
    let (added, indexed) = match owner {
        Some(owner) => (
            state.session(id).add_owner(owner),
            index::set_session_of_process(state, owner, id),
        ),
        None => (Ok(()), Ok(())),
    };
    let listed = index::add_to_project(state, &project.key(), id);
    added.and(indexed).and(listed)
}

/// Restores a live session's lost index entries. A process that the index lists in another session
/// stays there.
///
/// # Errors
/// Returns the error of the failed step.
pub fn restore(
    state: &StateDir,
    id: &SessionId,
    project: &Project,
    owners: &[Owner],
) -> Result<()> {
    index::add_to_project(state, &project.key(), id)?;
    for owner in owners {
        if index::session_of_process(state, owner).is_none() {
            index::set_session_of_process(state, owner, id)?;
        }
    }
    Ok(())
}

/// Removes an ended session from the live index of the projects with these keys, unless it is
/// resumed meanwhile.
///
/// The session is queued for archiving first, because no cleanup would find it if it were neither
/// queued nor on the index.
///
/// # Errors
/// Returns the error of the failed step. If the session could not be queued, it stays on the index.
pub fn leave(
    judge: &Judge<'_>,
    id: &SessionId,
    keys: impl IntoIterator<Item = String>,
    archiving: ArchiveDecision,
) -> Result<LeaveOutcome> {
    let state = judge.state;
    if archiving == ArchiveDecision::Queued {
        archive_queue::enqueue(state, id)?;
    }
    let keys: Vec<String> = keys.into_iter().collect();
    let removed: Vec<Result<()>> = keys
        .iter()
        .map(|key| index::remove_from_project(state, key, id))
        .collect();
    let left = match judge.again().departure(id) {
        Some(_) => LeaveOutcome::Retired,
        None => LeaveOutcome::Resumed,
    };
    if left == LeaveOutcome::Resumed {
        for key in &keys {
            index::add_to_project(state, key, id)?;
        }
    }
    removed.into_iter().collect::<Result<()>>()?;
    Ok(left)
}
