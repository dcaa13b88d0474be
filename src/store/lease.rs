//! Leases (`leases/{id}`): a lease records that a launcher holds a session's id, so that no other
//! launcher uses it. `lease-counts.json` counts how often leases were refused or their holders
//! died. Both kinds of file change only under the lock.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::error::{Error, Result};
use super::file;
use super::state::StateDir;
use super::write::{self, Durability};
use crate::model::{Owner, SessionId, Timestamp};

/// The format version of leases and of `lease-counts.json`.
const VERSION: u64 = 1;
const MAX_LEASE: usize = 16 * 1024;

/// The content of a lease.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// The format version.
    pub v: u64,
    /// The session whose id is held.
    pub session_id: SessionId,
    /// The launcher that holds the id.
    pub holder: Owner,
    /// The process of the launcher's command. It holds the id, too, in case the launcher is killed.
    pub child: Option<Owner>,
    /// The name of the command.
    pub command: String,
    /// When the lease began.
    pub since: Timestamp,
    /// Whether the launcher has made the project's pointer name this session.
    #[serde(default)]
    pub moved_pointer: bool,
    /// What the pointer contained before, to be restored at the end.
    #[serde(default)]
    pub before: Option<PointerContent>,
}

/// The content of a pointer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PointerContent {
    /// The session that the pointer named.
    pub session_id: SessionId,
    /// When the pointer was written.
    pub written: Timestamp,
}

impl Lease {
    /// Creates the lease of a launcher that is about to start `command`.
    pub fn new(session_id: SessionId, holder: Owner, command: String, since: Timestamp) -> Self {
        Self {
            v: VERSION,
            session_id,
            holder,
            child: None,
            command,
            since,
            moved_pointer: false,
            before: None,
        }
    }
}

/// How often leases were refused or their holders died, since the state directory was created.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LeaseFailures {
    v: u64,
    /// How often a lease was refused because another process held the id.
    pub refused: u64,
    /// How often a launcher took over a lease from a dead holder.
    pub taken_over: u64,
    /// How often the holder of a lease was found dead. The lease was then taken over or ended.
    pub crashed: u64,
}

/// Reads the lease of a session; returns `None` if no process holds the session's id.
///
/// # Errors
/// Returns [`Error::Content`] if the lease is invalid, and [`Error::Untrusted`] or [`Error::Io`] if
/// the file cannot be trusted or read.
pub fn read(state: &StateDir, id: &SessionId) -> Result<Option<Lease>> {
    let path = path(state, id);
    let Some(content) = file::read_own(&path, MAX_LEASE)? else {
        return Ok(None);
    };
    // A power failure emptied the file, and also ended the holder.
    if file::is_lost(&content.bytes) {
        return Ok(None);
    }
    match serde_json::from_slice::<Lease>(&content.bytes) {
        Ok(lease) if lease.v == VERSION => Ok(Some(lease)),
        Ok(lease) => Err(Error::Content {
            path,
            why: format!("it has format version {}; update ccsession here", lease.v),
        }),
        Err(err) => Err(Error::Content {
            path,
            why: err.to_string(),
        }),
    }
}

/// Writes a lease, and replaces the existing one of the same session.
///
/// # Errors
/// Returns [`Error::Io`] if the file cannot be written; the old lease then stays.
pub fn write(state: &StateDir, lease: &Lease) -> Result<()> {
    write::make_dir(&state.path("leases"))?;
    let bytes = serde_json::to_vec(lease).unwrap_or_default();
    write::replace(&path(state, &lease.session_id), &bytes, Durability::Cached)
}

/// Removes a lease. Returns whether it existed.
///
/// # Errors
/// Returns [`Error::Io`] if the file cannot be removed.
pub fn remove(state: &StateDir, id: &SessionId) -> Result<bool> {
    write::remove(&path(state, id))
}

/// Returns the sessions that have leases.
///
/// # Errors
/// Returns [`Error::Io`] if the folder cannot be listed.
pub fn held(state: &StateDir) -> Result<Vec<SessionId>> {
    let names = file::names(&state.path("leases"))?;
    Ok(names
        .filter_map(|name| name.to_str()?.parse().ok())
        .collect())
}

/// Returns the counts; all zero if none are stored.
pub fn counts(state: &StateDir) -> LeaseFailures {
    let content = file::read_own(&state.path("lease-counts.json"), MAX_LEASE);
    let content = content.ok().flatten();
    content
        .and_then(|content| serde_json::from_slice(&content.bytes).ok())
        .unwrap_or_default()
}

/// Changes the counts of refused, taken-over and crashed leases.
///
/// # Errors
/// Returns [`Error::Io`] if the file cannot be written; the old counts then stay.
pub fn count(state: &StateDir, change: impl FnOnce(&mut LeaseFailures)) -> Result<()> {
    let mut counts = counts(state);
    counts.v = VERSION;
    change(&mut counts);
    let bytes = serde_json::to_vec(&counts).unwrap_or_default();
    write::replace(&state.path("lease-counts.json"), &bytes, Durability::Cached)
}

fn path(state: &StateDir, id: &SessionId) -> PathBuf {
    state.path("leases").join(id.as_str())
}
