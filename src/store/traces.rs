//! Finds the files and log lines that contain a session's id, besides its folder and its archives.
//! Only a deletion needs them.

use std::path::PathBuf;

use super::error::Result;
use super::log::{self, Log};
use super::state::StateDir;
use super::{file, index, write};
use crate::model::SessionId;

/// Returns the small files that are named after the session's id.
///
/// # Errors
/// Returns [`super::Error::Io`] if a folder cannot be listed.
pub fn files(state: &StateDir, id: &SessionId) -> Result<Vec<PathBuf>> {
    let projects = state.path("projects");
    let keys = file::names(&projects)?.map(|key| projects.join(key));
    let folders = ["ended", "leases", "archive-ids"].map(|name| state.path(name));
    let mut found = Vec::new();
    for folder in folders.into_iter().chain(keys) {
        let path = folder.join(id.as_str());
        if file::look(&path)?.is_some() {
            found.push(path);
        }
    }
    Ok(found)
}

/// Removes one of [`files`]. If it is in the folder of a project in the live index, also removes
/// that folder if it is now empty.
///
/// # Errors
/// Returns [`super::Error::Io`] if a file cannot be removed.
pub fn remove(state: &StateDir, path: &std::path::Path) -> Result<()> {
    write::remove(path)?;
    match path.parent() {
        Some(dir) if dir.parent() == Some(&state.path("projects")) => {
            write::remove_empty_dir(dir).map(drop)
        }
        _ => Ok(()),
    }
}

/// Counts the entries of the process index that name the session.
///
/// # Errors
/// Returns [`super::Error::Io`] if the folder cannot be listed.
pub fn processes(state: &StateDir, id: &SessionId) -> Result<usize> {
    let names = |entry: &index::ProcessEntry| {
        entry.session_id == *id || entry.before.iter().any(|stay| stay.session_id == *id)
    };
    Ok(index::processes(state)?
        .iter()
        .filter(|entry| names(entry))
        .count())
}

const LOGS: [Log; 4] = [
    Log::Operations,
    Log::HookErrors,
    Log::Unattributed,
    Log::Tombstones,
];

/// Counts the lines of all logs that name the session.
pub fn log_lines(state: &StateDir, id: &SessionId) -> usize {
    let names = |line: &&[u8]| is_named(line, id);
    let count = |log| {
        let mut count = 0;
        log::for_each(state, log, |line| count += usize::from(names(&line)));
        count
    };
    LOGS.into_iter().map(count).sum()
}

/// Removes the lines of all logs that name the session.
///
/// # Errors
/// Returns [`super::Error::Io`] if the log cannot be replaced; the other lines stay.
pub fn remove_log_lines(state: &StateDir, id: &SessionId) -> Result<()> {
    LOGS.into_iter()
        .try_for_each(|log| log::retain(state, log, |line| !is_named(line, id)))
}

/// Returns whether the text contains this id, rather than a longer one that contains it.
fn is_named(text: &[u8], id: &SessionId) -> bool {
    let id = id.as_str().as_bytes();
    let goes_on = |byte: Option<&u8>| {
        byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(byte))
    };
    text.windows(id.len()).enumerate().any(|(at, window)| {
        let before = at.checked_sub(1).and_then(|before| text.get(before));
        window == id && !goes_on(before) && !goes_on(text.get(at + id.len()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_id_counts_as_named() {
        let id: SessionId = "s-1".parse().unwrap();
        for (text, expected) in [
            (r#"{"session_id":"s-1"}"#, true),
            ("could not open /x/sessions/s-1/events.jsonl", true),
            ("s-1", true),
            (r#"{"session_id":"s-12"}"#, false),
            (r#"{"session_id":"as-1"}"#, false),
            ("", false),
        ] {
            assert_eq!(is_named(text.as_bytes(), &id), expected, "{text}");
        }
    }
}
