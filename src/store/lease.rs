//! Leases, `leases/{id}`: who holds a session's id for a command, so that nobody else does; and how often that was
//! refused or went wrong, in `lease-counts.json`. Both change only under the lock.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::error::{Error, Result};
use super::file;
use super::state::State;
use super::write::{self, Durability};
use crate::model::{Owner, SessionId, Timestamp};

/// The version of both files that this program writes.
const VERSION: u64 = 1;
const MAX_LEASE: usize = 16 * 1024;

/// Who holds a session's id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// The format's version.
    pub v: u64,
    /// The session.
    pub session_id: SessionId,
    /// The launcher.
    pub holder: Owner,
    /// The command that it started. It holds the id, too, should the launcher be killed.
    pub child: Option<Owner>,
    /// The command's name.
    pub command: String,
    /// Since when it is held.
    pub since: Timestamp,
    /// Whether the project's pointer was moved to the session.
    #[serde(default)]
    pub moved_pointer: bool,
    /// What the pointer said before, if it said something.
    #[serde(default)]
    pub before: Option<Pointed>,
}

/// What a pointer said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pointed {
    /// The session.
    pub session_id: SessionId,
    /// When that was written.
    pub written: Timestamp,
}

impl Lease {
    /// The lease of a launcher that is about to start `command`.
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

/// How often holding went wrong, since the state directory was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Counts {
    v: u64,
    /// Refused, because another held the id.
    pub refused: u64,
    /// Taken over from a holder that had died.
    pub taken_over: u64,
    /// Found without their holder, taken over or cleaned up.
    pub crashed: u64,
}

/// Reads the lease of a session; nothing where nobody holds it.
///
/// # Errors
/// [`Error::Content`] where it cannot be understood, [`Error::Unsafe`], [`Error::Io`].
pub fn read(state: &State, id: &SessionId) -> Result<Option<Lease>> {
    let path = path(state, id);
    let Some(content) = file::read_own(&path, MAX_LEASE)? else {
        return Ok(None);
    };
    // Whoever held the id did not outlive the power failure.
    if file::is_lost(&content.bytes) {
        return Ok(None);
    }
    match serde_json::from_slice::<Lease>(&content.bytes) {
        Ok(lease) if lease.v == VERSION => Ok(Some(lease)),
        Ok(lease) => Err(Error::Content {
            path,
            why: format!("it has format version {}; upgrade this program", lease.v),
        }),
        Err(err) => Err(Error::Content {
            path,
            why: err.to_string(),
        }),
    }
}

/// Writes a lease, over the one that is there.
///
/// # Errors
/// [`Error::Io`]; the old lease stays.
pub fn write(state: &State, lease: &Lease) -> Result<()> {
    write::make_dir(&state.path("leases"))?;
    let bytes = serde_json::to_vec(lease).unwrap_or_default();
    write::replace(&path(state, &lease.session_id), &bytes, Durability::Cached)
}

/// Removes a lease. Whether it was there is the answer.
///
/// # Errors
/// [`Error::Io`].
pub fn remove(state: &State, id: &SessionId) -> Result<bool> {
    write::remove(&path(state, id))
}

/// The sessions that are held.
///
/// # Errors
/// [`Error::Io`] where the folder cannot be listed.
pub fn held(state: &State) -> Result<Vec<SessionId>> {
    let names = file::names(&state.path("leases"))?;
    Ok(names
        .filter_map(|name| name.to_str()?.parse().ok())
        .collect())
}

/// The counts; all zero where there are none.
pub fn counts(state: &State) -> Counts {
    let content = file::read_own(&state.path("lease-counts.json"), MAX_LEASE);
    let content = content.ok().flatten();
    content
        .and_then(|content| serde_json::from_slice(&content.bytes).ok())
        .unwrap_or_default()
}

/// Changes the counts.
///
/// # Errors
/// [`Error::Io`]; the old counts stay.
pub fn count(state: &State, change: impl FnOnce(&mut Counts)) -> Result<()> {
    let mut counts = counts(state);
    counts.v = VERSION;
    change(&mut counts);
    let bytes = serde_json::to_vec(&counts).unwrap_or_default();
    write::replace(&state.path("lease-counts.json"), &bytes, Durability::Cached)
}

fn path(state: &State, id: &SessionId) -> PathBuf {
    state.path("leases").join(id.as_str())
}
