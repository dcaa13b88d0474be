//! The one place where a session is created, joined and left.
//!
//! The live index (`projects/{key}/{id}`) only says where to look; the owners and the journal are the evidence. A process that
//! joins writes the evidence first and the index entry second. Whoever takes a session off removes the entry first and looks at
//! the evidence second. So a session that is resumed at that very moment is on the index afterwards, in whatever order the two
//! act. Nothing else may write to the live index.

use std::io;

use super::liveness::Judge;
use crate::model::{Event, Owner, Project, Record, SessionId};
use crate::store::write::{Appended, Durability};
use crate::store::{Error, Result, SessionDir, State, archive_queue, index};

/// How often a journal is begun that disappears before the event is in it, as while it is rotated without an exchange of names.
const MAX_ATTEMPTS: u32 = 3;

/// What [`open_or_create`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opened {
    /// The session was not on record; its record is the one given.
    Created,
    /// The session was on record already; its record is its own.
    Known,
}

/// What became of a session that was taken off the live index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Left {
    /// It is off the index.
    Retired,
    /// A process resumed it meanwhile: it is on the index.
    Resumed,
}

/// Whether a session that leaves is to be archived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Archiving {
    /// It joins the archive queue.
    Queued,
    /// It does not: automatic archiving is off, or there is nothing to archive.
    Off,
}

impl Archiving {
    /// Queued if `archive.auto` is on.
    pub fn by(archive_auto: bool) -> Self {
        match archive_auto {
            true => Self::Queued,
            false => Self::Off,
        }
    }
}

/// Enters `event` into the session, which is created with `record` if it is not on record yet. For one that is, `merge` runs
/// before the event is entered; only the CLI replaces a record there, and holds the lock.
///
/// # Errors
/// [`Error`] of the step that failed. What was done before it stays, and the next event completes it.
pub fn open_or_create(
    session: &SessionDir,
    record: &Record,
    event: &Event,
    durability: Durability,
    merge: impl FnOnce() -> Result<()>,
) -> Result<Opened> {
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
            Appended::Done { .. } => true,
            Appended::Missing => session.create(record, event, durability)?.journal,
        };
    }
    match (is_entered, created.record) {
        (false, _) => {
            let missing = io::Error::from(io::ErrorKind::NotFound);
            Err(Error::io("find", session.journal().path())(missing))
        }
        (true, true) => Ok(Opened::Created),
        (true, false) => Ok(Opened::Known),
    }
}

/// Makes `owner`, if there is one, an owner of the session, and lists the session as one of `project` that may be live. The
/// event that began this must be in the journal already. Every step is taken, whatever became of the others.
///
/// # Errors
/// The first step that failed.
pub fn join(state: &State, id: &SessionId, project: &Project, owner: Option<&Owner>) -> Result<()> {
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

/// Puts a live session back on the indexes where an entry was lost. A process that is on record as being in a session stays in
/// that one.
///
/// # Errors
/// The step that failed.
pub fn restore(state: &State, id: &SessionId, project: &Project, owners: &[Owner]) -> Result<()> {
    index::add_to_project(state, &project.key(), id)?;
    for owner in owners {
        if index::session_of_process(state, owner).is_none() {
            index::set_session_of_process(state, owner, id)?;
        }
    }
    Ok(())
}

/// Takes a session that ended off the live index of the projects with these keys, unless it is resumed meanwhile.
///
/// The session is queued for archiving first: no cleanup would find one that is on neither list.
///
/// # Errors
/// The step that failed. If the session could not be queued, it stays on the index.
pub fn leave(
    judge: &Judge<'_>,
    id: &SessionId,
    keys: impl IntoIterator<Item = String>,
    archiving: Archiving,
) -> Result<Left> {
    let state = judge.state;
    if archiving == Archiving::Queued {
        archive_queue::enqueue(state, id)?;
    }
    let keys: Vec<String> = keys.into_iter().collect();
    let removed: Vec<Result<()>> = keys
        .iter()
        .map(|key| index::remove_from_project(state, key, id))
        .collect();
    let left = match judge.again().departure(id) {
        Some(_) => Left::Retired,
        None => Left::Resumed,
    };
    if left == Left::Resumed {
        for key in &keys {
            index::add_to_project(state, key, id)?;
        }
    }
    removed.into_iter().collect::<Result<()>>()?;
    Ok(left)
}
