//! The tasks of a cleanup: the effect of each, its object and its reason. A dry run only lists them.

use std::path::PathBuf;

use super::compression::QuietSession;
use crate::identity::liveness::Departure;
use crate::model::{Owner, SessionId};
use crate::store::pointer::{SweepReason, SweptFile};
use crate::store::{clock, shown};

/// The length of a day in seconds.
const DAY: u64 = 24 * 60 * 60;

/// One change that a cleanup makes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Task {
    /// Removes a pointer.
    RemovePointer(SweptFile),
    /// Removes a temporary file whose process was killed.
    RemoveTemporary(PathBuf),
    /// Removes the index entry of a process that has exited.
    ForgetProcess(Owner),
    /// Takes a session that is over off the live index.
    Retire {
        /// The session.
        id: SessionId,
        /// How the session ended.
        how: Departure,
    },
    /// Puts a live session back on the live index.
    List(SessionId),
    /// Records the end of a session that is over in its record.
    NoteEnd(SessionId),
    /// Archives a session.
    Archive {
        /// The session.
        id: SessionId,
        /// How the session ended; `None` if it is live.
        how: Option<Departure>,
    },
    /// Compresses the journal of a session that ended long ago.
    Compress(QuietSession),
    /// Returns the lease of a holder that was killed.
    ReturnLease(SessionId),
    /// Removes an owner that has exited and is not needed as evidence.
    RemoveOwner {
        /// The session.
        id: SessionId,
        /// The owner.
        owner: Owner,
    },
    /// Removes the record and the journal of a session that is older than `retention.sessions`.
    PruneSession(SessionId),
    /// Removes an archive that is older than `retention.archive`.
    PruneArchive(SessionId),
}

/// The kinds of tasks, in the order of reports. A report counts the tasks of each kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TaskKind {
    /// Pointers removed.
    Pointers,
    /// Temporary files removed.
    Orphans,
    /// Processes forgotten.
    Processes,
    /// Sessions taken off the live index.
    Retired,
    /// Sessions put back on the live index.
    Listed,
    /// Ends noted in records.
    Noted,
    /// Sessions archived.
    Archived,
    /// Journals compressed.
    Compressed,
    /// Leases returned.
    Leases,
    /// Owners removed.
    Owners,
    /// Sessions pruned.
    PrunedSessions,
    /// Archives pruned.
    PrunedArchives,
}

impl Task {
    /// Returns the kind of the task.
    pub fn kind(&self) -> TaskKind {
        match self {
            Self::RemovePointer(_) => TaskKind::Pointers,
            Self::RemoveTemporary(_) => TaskKind::Orphans,
            Self::ForgetProcess(_) => TaskKind::Processes,
            Self::Retire { .. } => TaskKind::Retired,
            Self::List(_) => TaskKind::Listed,
            Self::NoteEnd(_) => TaskKind::Noted,
            Self::Archive { .. } => TaskKind::Archived,
            Self::Compress(_) => TaskKind::Compressed,
            Self::ReturnLease(_) => TaskKind::Leases,
            Self::RemoveOwner { .. } => TaskKind::Owners,
            Self::PruneSession(_) => TaskKind::PrunedSessions,
            Self::PruneArchive(_) => TaskKind::PrunedArchives,
        }
    }

    /// Returns the session that the task changes, if it changes one.
    pub fn session(&self) -> Option<&SessionId> {
        match self {
            Self::RemovePointer(_) | Self::RemoveTemporary(_) | Self::ForgetProcess(_) => None,
            Self::Retire { id, .. }
            | Self::List(id)
            | Self::NoteEnd(id)
            | Self::Archive { id, .. }
            | Self::Compress(QuietSession { id, .. })
            | Self::ReturnLease(id)
            | Self::RemoveOwner { id, .. }
            | Self::PruneSession(id)
            | Self::PruneArchive(id) => Some(id),
        }
    }

    /// Returns the effect of the task, as a dry run prints it in `would {what}: {why}`.
    pub fn what(&self) -> String {
        match self {
            Self::RemovePointer(swept) => format!("remove {}", shown(&swept.path)),
            Self::RemoveTemporary(path) => format!("remove {}", shown(path)),
            Self::ForgetProcess(owner) => {
                format!("remove the index entry of process {}", owner.pid)
            }
            Self::Retire { id, .. } => format!("take session {id} off the live index"),
            Self::List(id) => format!("put session {id} back on the live index"),
            Self::NoteEnd(id) => format!("note the end of session {id}"),
            Self::Archive { id, .. } => format!("archive session {id}"),
            Self::Compress(quiet) => format!("compress the journal of session {}", quiet.id),
            Self::ReturnLease(id) => format!("return the lease of session {id}"),
            Self::RemoveOwner { id, owner } => {
                format!("remove process {} from session {id}", owner.pid)
            }
            Self::PruneSession(id) => format!("remove session {id}"),
            Self::PruneArchive(id) => format!("remove the archive of session {id}"),
        }
    }

    /// Returns why the task is due, as a dry run prints it.
    pub fn why(&self) -> String {
        let fixed = match self {
            Self::RemovePointer(swept) => match swept.why {
                SweepReason::Stale => "stale",
                SweepReason::Unreadable => "not a pointer, and unchanged for longer than the ttl",
                SweepReason::Orphaned => ORPHANED,
            },
            Self::RemoveTemporary(_) => ORPHANED,
            Self::ForgetProcess(_) => "it has exited",
            Self::Retire { how, .. } => return why_over(*how),
            Self::List(_) => "it is live",
            Self::NoteEnd(_) => "it is over",
            Self::Archive { how: None, .. } => "it is live and has new messages",
            Self::Archive { how: Some(how), .. } => return why_over(*how),
            Self::Compress(QuietSession { how, quiet, .. }) => {
                return match how {
                    Departure::Ended => format!("it ended {} days ago", quiet.as_secs() / DAY),
                    Departure::Abandoned(_) | Departure::Unrecorded => why_over(*how),
                };
            }
            Self::ReturnLease(_) => "its holder is gone",
            Self::RemoveOwner { .. } => {
                "it has exited, and the session's state no longer depends on it"
            }
            Self::PruneSession(_) | Self::PruneArchive(_) => "it is older than the retention limit",
        };
        fixed.to_owned()
    }
}

const ORPHANED: &str = "left behind by a process that was killed";

fn why_over(how: Departure) -> String {
    match how {
        Departure::Unrecorded => "it has no record".to_owned(),
        Departure::Ended => "it has ended".to_owned(),
        Departure::Abandoned(None) => "abandoned".to_owned(),
        Departure::Abandoned(Some(since)) => {
            format!("abandoned since {}", clock::local_text(since))
        }
    }
}
