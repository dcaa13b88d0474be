//! Sessions that have ended and are not put away yet: an empty file `ended/{id}` each, made by the hook that saw the end,
//! which has no time for more, and removed once the session is archived with all that its client wrote.

use super::error::Result;
use super::file;
use super::state::State;
use super::write;
use crate::model::SessionId;

const FOLDER: &str = "ended";

/// Marks a session as ended.
///
/// # Errors
/// [`super::Error::Io`].
pub fn mark(state: &State, id: &SessionId) -> Result<()> {
    let dir = state.path(FOLDER);
    if file::look(&dir)?.is_none() {
        write::make_dir(&dir)?;
    }
    write::create_small(&dir.join(id.as_str()), b"").map(drop)
}

/// Takes the mark off a session.
///
/// # Errors
/// [`super::Error::Io`].
pub fn unmark(state: &State, id: &SessionId) -> Result<()> {
    write::remove(&state.path(FOLDER).join(id.as_str())).map(drop)
}

/// The sessions that are marked, in no order.
///
/// # Errors
/// [`super::Error::Io`] where they cannot be listed.
pub fn all(state: &State) -> Result<Vec<SessionId>> {
    let names = file::names(&state.path(FOLDER))?;
    Ok(names
        .filter_map(|name| name.to_str()?.parse().ok())
        .collect())
}

/// Whether any session is marked.
pub fn is_any(state: &State) -> bool {
    file::names(&state.path(FOLDER)).is_ok_and(|mut names| names.next().is_some())
}
