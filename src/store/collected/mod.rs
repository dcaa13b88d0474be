//! State directories that were collected from other machines, merged into one for reading.
//!
//! The merged directory is private and temporary, so every view can read it like the user's own
//! state directory. It consists of copies, so nothing in a collected directory changes, and it does
//! not matter who owns those files. A session that was collected several times, partly or cut off
//! in the middle, appears with each event once.

mod archives;
mod copy;
mod machines;
pub(super) mod merge;
pub(super) mod remains;
mod source;
pub mod transfer;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::error::Result;
use super::journal::compressed::Decompressor;
use super::lock::{self, Lock};
use super::processors::on_all_processors;
use super::session::SessionDir;
use super::state::StateDir;
use super::write::{self, Durability, TemporaryDir};
use super::{file, index, shown};
use crate::model::record::VERSION;
use crate::model::{Project, SessionId, Timestamp};
use copy::copy_session;
use machines::{MergedSession, is_ahead};
pub use source::Machine;
use source::{Source, sources_in};

/// The beginning of the name of a merged directory.
const PREFIX: &str = "collected-";
/// The file whose lock a process holds while it creates a merged directory and removes old ones.
const TURN: &str = "collected.lock";
/// How many bytes at the end of a journal are searched for the last event.
const END: u64 = 1 << 20;
/// How long after its last event a session without a recorded end counts as possibly live.
const MAY_BE_LIVE: Duration = Duration::from_secs(24 * 60 * 60);

/// Collected state directories, merged into one that is removed when this is dropped.
#[derive(Debug)]
pub struct CollectedState {
    /// The lock that shows other processes that the directory is in use.
    _lock: Lock,
    dir: TemporaryDir,
    left_out: Vec<String>,
}

/// The result of merging a session.
#[derive(Debug)]
enum MergeOutcome<'s> {
    /// The session was merged. The texts are messages about files that were skipped.
    Merged(MergedSession, Vec<String>),
    /// The session's record has this format version, which this program does not know.
    Newer(&'s Source, u64),
}

impl CollectedState {
    /// Merges the state directories in `dirs` into one below `cache`. Each of `dirs` is a state
    /// directory, a home directory that contains one, or a directory whose subdirectories are
    /// either.
    ///
    /// Skips what cannot be read: see [`Self::left_out`].
    ///
    /// # Errors
    /// Returns [`Error::Content`] if one of `dirs` contains no state directory, and [`Error::Io`]
    /// if the merged directory cannot be written.
    pub fn merge(cache: &Path, dirs: &[PathBuf], now: Timestamp) -> Result<Self> {
        let mut sources = Vec::new();
        for dir in dirs {
            sources.extend(sources_in(dir)?);
        }
        write::make_private_dir(cache)?;
        // Hold this lock until the new directory has its own. Another process would otherwise take
        // the directory for a leftover of a killed process.
        let turn = lock::acquire(&cache.join(TURN), lock::CLI_PATIENCE)?;
        let dir = TemporaryDir::create(cache, PREFIX)?;
        let lock = lock::acquire(&dir.path().join(remains::IN_USE), Duration::ZERO)?;
        remains::discard(cache, PREFIX, &dir)?;
        drop(turn);
        let mut collected = Self {
            _lock: lock,
            dir,
            left_out: Vec::new(),
        };
        collected.left_out = collected.fill(&sources, now)?;
        Ok(collected)
    }

    /// Returns the path of the merged state directory.
    pub fn root(&self) -> PathBuf {
        self.dir.path().join("state")
    }

    /// Returns a message for everything that was skipped.
    pub fn left_out(&self) -> &[String] {
        &self.left_out
    }

    fn fill(&self, sources: &[Source], now: Timestamp) -> Result<Vec<String>> {
        let mut sessions: BTreeMap<SessionId, Vec<(&Source, PathBuf)>> = BTreeMap::new();
        for source in sources {
            let folder = source.state.join("sessions");
            for name in file::names(&folder)? {
                let Some(id) = name.to_str().and_then(|name| name.parse().ok()) else {
                    continue;
                };
                let copies = sessions.entry(id).or_default();
                copies.push((source, folder.join(name)));
            }
        }
        let root = self.root();
        for dir in [
            &root,
            &root.join("sessions"),
            &self.dir.path().join("copies"),
        ] {
            write::make_dir(dir)?;
        }
        let state = StateDir::at(root, Decompressor::BUILT_IN);
        let sessions: Vec<_> = sessions.into_iter().collect();
        let merged = on_all_processors(&sessions, |(id, copies)| {
            self.session(&state, id, copies, now)
        });
        let mut left_out = Vec::new();
        let mut known = Vec::new();
        let mut newer: BTreeMap<(&Path, u64), u64> = BTreeMap::new();
        for outcome in merged {
            match outcome? {
                MergeOutcome::Merged(session, why) => {
                    known.push(session);
                    left_out.extend(why);
                }
                MergeOutcome::Newer(source, version) => {
                    *newer.entry((&source.state, version)).or_default() += 1;
                }
            }
        }
        for ((path, version), count) in newer {
            let (path, sessions) = (shown(path), if count == 1 { "session" } else { "sessions" });
            left_out.push(format!(
                "left out {count} {sessions} of `{path}`: they have format version {version}, this program knows {VERSION}; update ccsession here"
            ));
        }
        left_out.extend(archives::merge(sources, state.root())?);
        left_out.extend(machines::tell_apart(&state, &known, now)?);
        left_out.sort();
        left_out.dedup();
        Ok(left_out)
    }

    /// Merges the copies of one session.
    fn session<'s>(
        &self,
        state: &StateDir,
        id: &SessionId,
        found: &[(&'s Source, PathBuf)],
        now: Timestamp,
    ) -> Result<MergeOutcome<'s>> {
        let mut left_out = Vec::new();
        let target = state.session(id);
        let mut copies = Vec::new();
        for (number, (source, folder)) in found.iter().enumerate() {
            let copy = match found.len() {
                1 => target.clone(),
                _ => self.place_of_copy(id, number)?,
            };
            left_out.extend(copy_session(folder, copy.path())?);
            copies.push((*source, copy));
        }
        if copies.len() > 1 {
            write::make_dir(target.path())?;
            left_out.extend(merge::merge(&copies, &target)?);
            for (_, copy) in &copies {
                copy::discard(copy.path())?;
            }
        }
        let sources: Vec<&Source> = copies.iter().map(|(source, _)| *source).collect();
        if let Some(source) = found.first().map(|(source, _)| *source)
            && let Some(version) = target.newer_version()
        {
            copy::discard(target.path())?;
            return Ok(MergeOutcome::Newer(source, version));
        }
        let session = settle(state, id, &sources, now)?;
        Ok(MergeOutcome::Merged(session, left_out))
    }

    /// Returns the folder for a copy of a session. The folder is named after the session id,
    /// because a record is accepted only in such a folder.
    fn place_of_copy(&self, id: &SessionId, number: usize) -> Result<SessionDir> {
        let mut path = self.dir.path().join("copies");
        for name in [id.as_str(), &number.to_string(), id.as_str()] {
            path.push(name);
            write::make_dir(&path)?;
        }
        Ok(SessionDir::new(path, Decompressor::BUILT_IN))
    }
}

/// Completes a merged session. Sets the journal's modification time to that of its last event,
/// because copying may have lost it. Adds the machine's name to a record without one, and the
/// session to the live index if it may be live.
fn settle(
    state: &StateDir,
    id: &SessionId,
    sources: &[&Source],
    now: Timestamp,
) -> Result<MergedSession> {
    let dir = state.session(id);
    let mut last = None;
    for lines in [dir.journal().last_lines(END), dir.imported_lines()] {
        if let (None, Ok(lines)) = (last, lines) {
            lines.for_each(|line| last = last.max(line.ts));
        }
    }
    if let Some(last) = last
        && file::look(dir.journal().path())?.is_some()
    {
        write::set_modified(dir.journal().path(), last)?;
    }
    let mut session = MergedSession {
        id: id.clone(),
        machine: None,
        machine_id: None,
        last,
    };
    let Ok(Some(record)) = dir.record() else {
        // Ignore a damaged record: the command that reads it reports the damage.
        return Ok(session);
    };
    let mut named = match sources.first() {
        Some(source) => source.attributed(record.clone()),
        None => record.clone(),
    };
    session.machine.clone_from(&named.machine);
    session.machine_id.clone_from(&named.machine_id);
    if named.machine.is_none() {
        // Choose the alphabetically first directory, so that the order of the sources does not
        // matter.
        let directories = sources.iter().map(|source| &source.directory);
        named.machine = directories.min().cloned();
    }
    if named != record {
        dir.put_record(&named, Durability::Cached)?;
    }
    let may_be_live = |last: Timestamp| last.age(now) < MAY_BE_LIVE && !is_ahead(last, now);
    if record.ended_at.is_none() && last.is_some_and(may_be_live) {
        let key = Project::at(record.project.root()).key();
        index::add_to_project(state, &key, id)?;
    }
    Ok(session)
}
