//! Two indexes. The process index says which session a Claude Code process is in. The live index
//! says which sessions of a project may be live.
//!
//! They are derived from records and owners, and a cleanup restores lost entries. An entry only
//! says where to look; the records and owners decide.

use std::cell::OnceCell;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::clock;
use super::error::Result;
use super::file;
use super::state::StateDir;
use super::write;
use crate::model::{Owner, SessionId};

/// The most sessions of one project that are read.
const MAX_LIVE: usize = 10_000;
/// The most sessions of one project that are counted. It is more than may be live at once, because
/// the index also contains sessions that no cleanup has removed yet.
const MAX_COUNTED: usize = 200_000;
const MAX_ENTRY: usize = 16 * 1024;
/// The most earlier sessions that an entry of the process index contains.
const MAX_STAYS: usize = 16;

/// An entry of the process index (`procs/`): the session that a process is in now, and those
/// before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessEntry {
    pub session_id: SessionId,
    /// The process, with what distinguishes it from others with the same pid.
    #[serde(flatten)]
    pub owner: Owner,
    /// The sessions that the process was in before, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub before: Vec<Stay>,
    /// When the process left the last session that `before` no longer contains.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forgotten_until: Option<u64>,
}

/// A session that a process was in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stay {
    pub session_id: SessionId,
    /// When the process left it, in microseconds on the clock of process start times
    /// ([`clock::of_processes`]).
    pub until: u64,
}

impl ProcessEntry {
    /// Returns the session that the process was in at `time`, in microseconds on the clock of
    /// [`Stay::until`]. Returns `None` if the entry does not go back that far.
    pub fn session_at(&self, time: u64) -> Option<&SessionId> {
        if self.forgotten_until.is_some_and(|until| time <= until) {
            return None;
        }
        let stay = self.before.iter().find(|stay| time <= stay.until);
        Some(stay.map_or(&self.session_id, |stay| &stay.session_id))
    }
}

/// Returns the session that the process `owner` is in, according to the index.
pub fn session_of_process(state: &StateDir, owner: &Owner) -> Option<SessionId> {
    process_entry(state, owner).map(|entry| entry.session_id)
}

/// Returns the entry of the process `owner`.
pub fn process_entry(state: &StateDir, owner: &Owner) -> Option<ProcessEntry> {
    let entry = entry_of_name(state, OsStr::new(&owner.file_name()))?;
    (entry.owner.boot == owner.boot && entry.owner.pidns == owner.pidns).then_some(entry)
}

/// Returns the entry in the file with this name. [`ProcessNames`] lists these names.
pub fn entry_of_name(state: &StateDir, name: &OsStr) -> Option<ProcessEntry> {
    let content = file::read_own(&state.path("procs").join(name), MAX_ENTRY).ok()??;
    serde_json::from_slice(&content.bytes).ok()
}

/// Records that the process `owner` is in the session `id` from now on.
///
/// # Errors
/// Returns [`super::Error::Io`] if the entry cannot be written; the old entry then stays.
pub fn set_session_of_process(state: &StateDir, owner: &Owner, id: &SessionId) -> Result<()> {
    let present = process_entry(state, owner);
    let is_known = |present: &ProcessEntry| {
        present.session_id == *id && present.owner.launcher <= owner.launcher
    };
    if present.as_ref().is_some_and(is_known) {
        return Ok(());
    }
    let is_new = present.is_none();
    let mut entry = ProcessEntry {
        session_id: id.clone(),
        owner: owner.clone(),
        before: Vec::new(),
        forgotten_until: None,
    };
    if let Some(present) = present {
        entry.before = present.before;
        entry.forgotten_until = present.forgotten_until;
        if present.session_id != *id {
            entry.before.push(Stay {
                session_id: present.session_id,
                until: clock::of_processes(),
            });
        }
        let surplus = entry.before.len().saturating_sub(MAX_STAYS);
        if let Some(last) = entry.before.drain(..surplus).next_back() {
            entry.forgotten_until = Some(last.until);
        }
    }
    let dir = state.path("procs");
    let path = dir.join(owner.file_name());
    let bytes = serde_json::to_vec(&entry).unwrap_or_default();
    if is_new && create_in(&[&dir], &path, &bytes)? {
        return Ok(());
    }
    write::replace_until_boot(&path, &bytes)
}

/// The file names of all process entries, listed on first use. Searching this list is cheaper than
/// trying to open an entry for each ancestor of a process.
#[derive(Debug, Default)]
pub struct ProcessNames(OnceCell<Vec<OsString>>);

impl ProcessNames {
    /// Returns all names.
    pub fn list(&self, state: &StateDir) -> &[OsString] {
        self.0.get_or_init(|| {
            let names = file::names(&state.path("procs")).into_iter().flatten();
            names.filter(|name| !write::is_temporary(name)).collect()
        })
    }

    /// Returns the entry of the process `owner`, if the list has it.
    pub fn entry(&self, state: &StateDir, owner: &Owner) -> Option<ProcessEntry> {
        let name = owner.file_name();
        let is_there = self.list(state).iter().any(|known| **known == *name);
        is_there.then(|| process_entry(state, owner))?
    }
}

/// Returns all entries of the process index, for a cleanup.
///
/// # Errors
/// Returns [`super::Error::Io`] if the folder cannot be listed.
pub fn processes(state: &StateDir) -> Result<Vec<ProcessEntry>> {
    let dir = state.path("procs");
    let read = |name| {
        let content = file::read_own(&dir.join(name), MAX_ENTRY).ok()??;
        serde_json::from_slice(&content.bytes).ok()
    };
    let names = file::names(&dir)?.filter(|name| !write::is_temporary(name));
    Ok(names.filter_map(read).collect())
}

/// Removes the entry of a process. Returns whether it existed.
///
/// # Errors
/// Returns [`super::Error::Io`] if the entry cannot be removed.
pub fn forget_process(state: &StateDir, owner: &Owner) -> Result<bool> {
    write::remove(&state.path("procs").join(owner.file_name()))
}

/// Removes the session from the entries of all processes.
///
/// # Errors
/// Returns [`super::Error::Io`] if an entry cannot be read or removed.
pub fn forget_session(state: &StateDir, id: &SessionId) -> Result<()> {
    for mut entry in processes(state)? {
        let path = state.path("procs").join(entry.owner.file_name());
        if entry.session_id == *id {
            write::remove(&path)?;
            continue;
        }
        let stays = entry.before.iter().filter(|stay| stay.session_id == *id);
        let Some(last) = stays.map(|stay| stay.until).max() else {
            continue;
        };
        // It is no longer known in which session the process was before then.
        entry.before.retain(|stay| stay.until > last);
        entry.forgotten_until = entry.forgotten_until.max(Some(last));
        let bytes = serde_json::to_vec(&entry).unwrap_or_default();
        write::replace_until_boot(&path, &bytes)?;
    }
    Ok(())
}

/// Records that the session `id` of the project with this key may be live.
///
/// # Errors
/// Returns [`super::Error::Io`] if the entry cannot be created.
pub fn add_to_project(state: &StateDir, key: &str, id: &SessionId) -> Result<()> {
    let projects = state.path("projects");
    let dir = projects.join(key);
    create_in(&[&projects, &dir], &dir.join(id.as_str()), b"").map(drop)
}

/// Creates a small file, and the folders `dirs` if they are missing. Returns whether the file was
/// created.
fn create_in(dirs: &[&Path], path: &Path, bytes: &[u8]) -> Result<bool> {
    if let Ok(created) = write::create_small(path, bytes) {
        return Ok(created);
    }
    for dir in dirs {
        write::make_dir(dir)?;
    }
    write::create_small(path, bytes)
}

/// Records that the session `id` of the project with this key is no longer live.
///
/// # Errors
/// Returns [`super::Error::Io`] if the entry cannot be removed.
pub fn remove_from_project(state: &StateDir, key: &str, id: &SessionId) -> Result<()> {
    let dir = state.path("projects").join(key);
    write::remove(&dir.join(id.as_str()))?;
    write::remove_empty_dir(&dir).map(drop)
}

/// Returns the sessions of the project with this key that may be live.
///
/// # Errors
/// Returns [`super::Error::Io`] if the folder cannot be listed.
pub fn sessions_of_project(state: &StateDir, key: &str) -> Result<Vec<SessionId>> {
    listed(state, key, MAX_LIVE)
}

fn listed(state: &StateDir, key: &str, most: usize) -> Result<Vec<SessionId>> {
    let names = file::names(&state.path("projects").join(key))?;
    Ok(names
        .take(most)
        .filter_map(|name| name.to_str()?.parse().ok())
        .collect())
}

/// Returns every session that may be live, with its project's key. A project folder that cannot be
/// listed does not hide the others: see [`unlistable`].
///
/// # Errors
/// Returns [`super::Error::Io`] if the folder of all projects cannot be listed.
pub fn live_candidates(state: &StateDir) -> Result<Vec<(String, SessionId)>> {
    let mut found = Vec::new();
    for key in keys(state)? {
        let ids = listed(state, &key, MAX_COUNTED).unwrap_or_default();
        found.extend(ids.into_iter().map(|id| (key.clone(), id)));
    }
    Ok(found)
}

/// Returns the folders of the live index. If the result of [`live_candidates`] changes, one of them
/// has changed.
pub fn live_folders(state: &StateDir) -> impl Iterator<Item = PathBuf> + use<> {
    let projects = state.path("projects");
    let keys = keys(state).into_iter().flatten();
    let folders: Vec<PathBuf> = keys.map(|key| projects.join(key)).collect();
    std::iter::once(projects).chain(folders)
}

/// Returns the errors of all project folders that cannot be listed.
pub fn unlistable(state: &StateDir) -> Vec<super::Error> {
    let keys = keys(state).into_iter().flatten();
    keys.filter_map(|key| listed(state, &key, 1).err())
        .collect()
}

fn keys(state: &StateDir) -> Result<impl Iterator<Item = String> + use<>> {
    let names = file::names(&state.path("projects"))?;
    Ok(names.filter_map(|name| name.into_string().ok()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_session_of_a_process_at_a_time_follows_its_stays_and_is_unknown_before() {
        let id = |text: &str| -> SessionId { text.parse().unwrap() };
        let stay = |text: &str, until| Stay {
            session_id: id(text),
            until,
        };
        let mut entry = ProcessEntry {
            session_id: id("s-3"),
            owner: serde_json::from_str(
                r#"{"v":1,"pid":1,"start":1,"boot":"b","pidns":1,"machine":null}"#,
            )
            .unwrap(),
            before: vec![stay("s-1", 100), stay("s-2", 200)],
            forgotten_until: None,
        };
        let at = |entry: &ProcessEntry, time| entry.session_at(time).map(ToString::to_string);
        for (time, session) in [(0, "s-1"), (100, "s-1"), (101, "s-2"), (201, "s-3")] {
            assert_eq!(at(&entry, time).as_deref(), Some(session), "{time}");
        }
        entry.forgotten_until = Some(50);
        assert_eq!(at(&entry, 50), None);
        assert_eq!(at(&entry, 51).as_deref(), Some("s-1"));
    }
}
