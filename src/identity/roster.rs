//! Creates sessions, adds their owners and removes ended ones from the live index. No other module
//! may write to the live index.
//!
//! The live index (`projects/{key}/{id}`) only says where to look; the owners and the journal prove
//! that a session is live. A process that joins a session writes the proof first and the index
//! entry second. A process that removes a session from the index removes the entry first and checks
//! the proof second. So a session that is resumed at that very moment ends up on the index in
//! either case.

use std::io;

use super::liveness::Judge;
use crate::model::{Event, Owner, Project, Record, SessionId};
use crate::store::write::{AppendOutcome, Durability};
use crate::store::{Error, Result, SessionDir, StateDir, archive_queue, index};

/// How often appending an event is tried if the journal is missing. A rotation makes it disappear
/// for a moment if the file system cannot exchange two names.
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
    /// The session was removed from the index.
    Retired,
    /// A process resumed the session meanwhile, so it is on the index again.
    Resumed,
}

/// Whether a session that leaves the live index is archived.
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

/// Appends `event` to the session's journal. Creates the session with `record` if it is not on
/// record yet.
///
/// If the session is already on record, `merge` runs before the event is appended. Hooks pass an
/// empty `merge`; commands replace the record in it, under the lock.
///
/// # Errors
/// Fails if the record or the journal cannot be written, or `merge` fails. What was already written
/// stays, and the next event adds the rest.
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
/// The event that leads to this call must already be in the journal. A change that fails does not
/// stop the others.
///
/// # Errors
/// Returns the first error if the owner or an index entry cannot be written.
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

/// Restores the lost index entries of a live session. An owner that the process index lists in
/// another session stays there.
///
/// # Errors
/// Fails if an index entry cannot be written.
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
/// Fails if the session cannot be queued for archiving, or an index entry cannot be removed. A
/// session that cannot be queued stays on the index.
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
