//! Deletes sessions: everything that ccsession keeps of them. The list of steps is made first, and
//! a dry run only prints it.
//!
//! The first step records that the session was deleted. From then on, neither a late hook nor an
//! import brings the session back. Each step can be repeated, so the next deletion completes what a
//! killed one began.

use std::fmt;
use std::path::PathBuf;

use crate::identity::liveness::{Departure, Judge};
use crate::lifecycle::lease::is_held;
use crate::model::{ProjectName, Record, SessionId};
use crate::store::archive::{Archive, Archives};
use crate::store::lock::{CLI_PATIENCE, Lock};
use crate::store::log::{self, Log, LogLine};
use crate::store::pointer::{PointerReading, Pointers};
use crate::store::unrecorded::{self, Unrecorded};
use crate::store::{Error, Host, Result, StateDir, file, index, lease, shown, traces};

/// The beginning of a pointer's file name.
const POINTER: &str = "claude_session_";

/// One thing that a deletion removes.
#[derive(Debug, Clone)]
pub enum DeletionStep {
    /// The folder with record, journal, imported events and tokens.
    Session(PathBuf),
    /// An archive, with all its parts.
    Archive(Archive),
    /// An entry of an index or a queue, or a lease.
    Entry(PathBuf),
    /// The session's id in the process index, in the entries of this many processes.
    Processes(usize),
    /// The session's id in the record of this session, as its predecessor or parent.
    Lineage(SessionId),
    /// A pointer that names the session. It belongs to the projects with this name.
    Pointer(ProjectName, PathBuf),
    /// The lines of logs that name the session; this many.
    LogLines(usize),
}

impl fmt::Display for DeletionStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Session(path) => {
                write!(
                    f,
                    "remove {}: record, journal, imported events and tokens",
                    shown(path)
                )
            }
            Self::Archive(archive) => {
                write!(f, "remove the archive {}", shown(&archive.manifest_path()))
            }
            Self::Entry(path) => write!(f, "remove {}", shown(path)),
            Self::Processes(count) => {
                write!(
                    f,
                    "remove the session from the index entries of processes: {count}"
                )
            }
            Self::Lineage(other) => write!(
                f,
                "remove the session's id from the record of session {other}; that session's journal and archive may still contain the id"
            ),
            Self::Pointer(_, path) => write!(f, "remove the pointer {}", shown(path)),
            Self::LogLines(count) => {
                write!(f, "remove the lines of logs that name the session: {count}")
            }
        }
    }
}

/// Why a session cannot be deleted now.
#[derive(Debug)]
pub enum Obstruction {
    /// The session is live, or a process that cannot be seen may own it.
    Live,
    /// A launcher or its command holds the session's id.
    Held,
    /// The session may be live, and its record cannot be read to decide.
    Unreadable(Error),
}

/// Returns why the session cannot be deleted now, or `None` if it can.
///
/// # Errors
/// Fails if its lease cannot be read.
pub fn obstruction(judge: &Judge<'_>, id: &SessionId) -> Result<Option<Obstruction>> {
    let lease = lease::read(judge.state, id)?;
    if lease.is_some_and(|lease| is_held(judge, &lease)) {
        return Ok(Some(Obstruction::Held));
    }
    let session = judge.state.session(id);
    // A record that cannot be read does not prove that the session is over. Then the session counts
    // as over only if it is idle and has no owners.
    Ok(match session.record() {
        Ok(_) => judge.departure(id).is_none().then_some(Obstruction::Live),
        Err(err) => (!judge.is_at_rest(id)).then_some(Obstruction::Unreadable(err)),
    })
}

/// Returns the steps of a deletion: everything that ccsession keeps of the session.
///
/// # Errors
/// Fails if a folder cannot be listed.
pub fn plan(host: &Host<'_>, state: &StateDir, id: &SessionId) -> Result<Vec<DeletionStep>> {
    let mut steps = Vec::new();
    let dir = state.session(id).path().to_owned();
    if file::look(&dir)?.is_some() {
        steps.push(DeletionStep::Session(dir));
    }
    for aside in state.set_aside()? {
        if aside.session() == id.as_str() {
            steps.push(DeletionStep::Session(aside.path()));
        }
    }
    steps.extend(
        archives_of(state, id)?
            .into_iter()
            .map(DeletionStep::Archive),
    );
    steps.extend(
        traces::files(state, id)?
            .into_iter()
            .map(DeletionStep::Entry),
    );
    let processes = traces::processes(state, id)?;
    steps.extend((processes > 0).then_some(DeletionStep::Processes(processes)));
    for other in state.session_ids()?.filter(|other| other != id) {
        if let Ok(Some(record)) = state.session(&other).record()
            && names(&record, id)
        {
            steps.push(DeletionStep::Lineage(other));
        }
    }
    for (name, path) in pointers_of(&host.pointers(), id)? {
        steps.push(DeletionStep::Pointer(name, path));
    }
    let lines = traces::log_lines(state, id);
    steps.extend((lines > 0).then_some(DeletionStep::LogLines(lines)));
    Ok(steps)
}

fn names(record: &Record, id: &SessionId) -> bool {
    record.previous.as_ref() == Some(id) || record.parent.as_ref() == Some(id)
}

fn archives_of(state: &StateDir, id: &SessionId) -> Result<Vec<Archive>> {
    let mut listed = Archives::of(state).all()?.archives;
    listed.retain(|archive| {
        archive.may_be_of(id.as_str())
            && matches!(archive.manifest(), Ok(Some(manifest)) if manifest.session_id == *id)
    });
    Ok(listed)
}

fn pointers_of(pointers: &Pointers<'_>, id: &SessionId) -> Result<Vec<(ProjectName, PathBuf)>> {
    let mut found = Vec::new();
    for name in file::names(pointers.dir)? {
        let Some(name) = name.to_str().and_then(|name| name.strip_prefix(POINTER)) else {
            continue;
        };
        let name = ProjectName::new(name.into());
        if matches!(pointers.read(&name), PointerReading::Pointer { id: named, .. } if named == *id)
        {
            let path = pointers.path(&name);
            found.push((name, path));
        }
    }
    Ok(found)
}

/// Deletes the session by the steps of [`plan`]. If the session has become live meanwhile, deletes
/// nothing and returns the obstruction.
///
/// # Errors
/// Returns the error of the step that failed. The steps before it are done, and a repeated deletion
/// does the rest.
pub fn delete(
    host: &Host<'_>,
    judge: &Judge<'_>,
    id: &SessionId,
    steps: &[DeletionStep],
) -> Result<Option<Obstruction>> {
    let state = judge.state;
    let archives = Archives::of(state);
    if steps
        .iter()
        .any(|step| matches!(step, DeletionStep::Archive(_)))
        || archives.are_there()?
    {
        let _lock = archives.lock()?;
        archives.finish_pending()?;
        let lock = state.lock(CLI_PATIENCE)?;
        if let Some(why) = begin(judge, id, steps, &lock)? {
            return Ok(Some(why));
        }
        for archive in archives_of(state, id)? {
            if let Some(manifest) = archive.manifest()? {
                archive.remove(&manifest)?;
            }
        }
        rest(host, state, id, steps, &lock)?;
    } else {
        let lock = state.lock(CLI_PATIENCE)?;
        if let Some(why) = begin(judge, id, steps, &lock)? {
            return Ok(Some(why));
        }
        rest(host, state, id, steps, &lock)?;
    }
    log::append(state, Log::Operations, &LogLine::new("session deleted"))?;
    Ok(None)
}

/// Records that the session is deleted, and removes its folder. If the session has become live,
/// removes nothing and returns the obstruction. The caller holds the lock of the state directory.
fn begin(
    judge: &Judge<'_>,
    id: &SessionId,
    steps: &[DeletionStep],
    _held: &Lock,
) -> Result<Option<Obstruction>> {
    let state = judge.state;
    let judge = judge.again();
    if let Some(why) = obstruction(&judge, id)? {
        return Ok(Some(why));
    }
    unrecorded::note(state, id, Unrecorded::Deleted)?;
    let is_folder = |step: &DeletionStep| matches!(step, DeletionStep::Session(_));
    if !steps.iter().any(is_folder) {
        return Ok(None);
    }
    let session = state.session(id);
    let seen = session.trace_of_hooks();
    if file::look(session.path())?.is_some() {
        let aside = session.set_aside()?;
        if aside.trace_of_hooks() != seen && judge.departure(id) != Some(Departure::Unrecorded) {
            aside.put_back()?;
            unrecorded::forget(state, id)?;
            return Ok(Some(Obstruction::Live));
        }
        aside.remove()?;
    }
    for aside in state.set_aside()? {
        if aside.session() == id.as_str() {
            aside.remove()?;
        }
    }
    Ok(None)
}

/// Performs the remaining steps: removes what names the session outside its own folder and
/// archives.
fn rest(
    host: &Host<'_>,
    state: &StateDir,
    id: &SessionId,
    steps: &[DeletionStep],
    lock: &Lock,
) -> Result<()> {
    for step in steps {
        match step {
            DeletionStep::Session(_) | DeletionStep::Archive(_) => {}
            DeletionStep::Entry(path) => traces::remove(state, path)?,
            DeletionStep::Processes(_) => index::forget_session(state, id)?,
            DeletionStep::Lineage(other) => {
                state.update_record_locked(lock, other, |record| {
                    let keep =
                        |named: &Option<SessionId>| named.clone().filter(|named| named != id);
                    let record = Record {
                        previous: keep(&record.previous),
                        parent: keep(&record.parent),
                        ..record.clone()
                    };
                    Some(record)
                })?;
            }
            DeletionStep::Pointer(name, _) => {
                let pointers = host.pointers();
                let _ = pointers.remove_if_names_locked(lock, name, id)?;
            }
            DeletionStep::LogLines(_) => traces::remove_log_lines(state, id)?,
        }
    }
    Ok(())
}
