//! Finds what killed processes left behind. The cleanup and the doctor share this module, so that
//! the doctor reports exactly what a cleanup removes.

use std::path::{Path, PathBuf};

use crate::identity::liveness::{Judge, LOST, SessionState};
use crate::identity::process::Life;
use crate::model::{Owner, Record, SessionId, Timestamp};
use crate::store::write::{is_orphan, is_temporary};
use crate::store::{Error, Result, file, index};

/// Finds the processes in the index that have exited.
///
/// # Errors
/// Returns [`crate::store::Error::Io`] if the index cannot be listed.
pub fn dead_processes(judge: &Judge<'_>) -> Result<Vec<Owner>> {
    let is_dead = |entry: &index::ProcessEntry| {
        let session = judge.state.session(&entry.session_id);
        judge.life(&entry.owner, &session) == Life::Dead
    };
    let entries = index::processes(judge.state)?.into_iter();
    let dead = entries.filter(is_dead);
    Ok(dead.map(|entry| entry.owner).collect())
}

/// The result of a search through a folder. One entry that cannot be examined does not hide the
/// others.
#[derive(Debug)]
pub struct Walk<T> {
    /// What was found.
    pub found: Vec<T>,
    /// Why entries could not be examined.
    pub failed: Vec<Error>,
}

impl<T> Default for Walk<T> {
    fn default() -> Self {
        Self {
            found: Vec::new(),
            failed: Vec::new(),
        }
    }
}

impl<T> Walk<T> {
    /// Adds an entry that was found, or the reason why it could not be examined.
    fn add(&mut self, entry: Result<Option<T>>) {
        match entry {
            Ok(found) => self.found.extend(found),
            Err(err) => self.failed.push(err),
        }
    }
}

/// Finds the temporary files in a folder that killed processes left.
///
/// # Errors
/// Returns [`crate::store::Error::Io`] if the folder cannot be listed.
pub fn temporary_files(dir: &Path, now: Timestamp) -> Result<Walk<PathBuf>> {
    let mut walk = Walk::default();
    for name in file::names(dir)? {
        if !is_temporary(&name) {
            continue;
        }
        let path = dir.join(name);
        let looked = file::look(&path);
        walk.add(looked.map(|found| found.is_some_and(|it| is_orphan(&it, now)).then_some(path)));
    }
    Ok(walk)
}

/// Finds the owners of a session that have exited and are not needed as evidence.
///
/// Unless the session ended long ago, the owner that started last is kept. It proves that the
/// session's Claude Code has exited. Without that proof, a process below another Claude Code could
/// count as part of the session.
pub fn forgotten_owners(judge: &Judge<'_>, id: &SessionId, record: &Record) -> Vec<Owner> {
    let dir = judge.state.session(id);
    let mut dead = dir.owner_list(|_, _| false);
    dead.retain(|owner| judge.life(owner, &dir) == Life::Dead);
    if dead.is_empty() {
        return dead;
    }
    let is_long_ago = |last: Timestamp| last.age(judge.now) >= LOST;
    if !dir.last_activity().is_some_and(is_long_ago)
        || judge.find(id, record).state != SessionState::Ended
    {
        dead.sort_by_key(|owner| (owner.launcher, owner.start));
        // Keep a Claude Code process rather than a launcher, because it proves more.
        let first_launcher = dead.iter().position(|owner| owner.launcher);
        let kept = first_launcher.filter(|at| *at > 0).unwrap_or(dead.len()) - 1;
        dead.remove(kept);
    }
    dead
}
