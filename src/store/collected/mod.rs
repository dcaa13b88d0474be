//! State directories that were collected from other machines, merged into one for reading.
//!
//! The merged one is a private temporary directory, so every view reads it as its own. It is made
//! of copies: nothing in a collected directory is changed, and whose files they are does not matter.
//! A session that was collected several times, in part or torn, has each event once.

mod copy;
mod merge;
pub mod transfer;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::error::{Error, Result};
use super::journal::compressed::Decompressor;
use super::lock::{self, Lock};
use super::processors::on_all_processors;
use super::session::SessionDir;
use super::state::StateDir;
use super::write::{self, Durability, TemporaryDir};
use super::{file, index};
use crate::model::{Project, Record, SessionId, Timestamp};
use copy::copy_session;

/// Where a state directory may be below the directory that a user names.
const BELOW: [&str; 3] = ["", "ccsession", ".local/state/ccsession"];
/// The beginning of the name of a merged directory.
const PREFIX: &str = "collected-";
/// The file whose lock a process holds while it creates such a directory and removes others.
const TURN: &str = "collected.lock";
/// The file whose lock shows that a merged directory is in use.
const IN_USE: &str = "in-use";
/// Bytes at the end of a journal that are searched for its last event.
const END: u64 = 1 << 20;
/// Time after its last event within which a session without a known end may still be live.
const MAY_BE_LIVE: Duration = Duration::from_secs(24 * 60 * 60);

/// Collected state directories, merged into one that is removed when this is dropped.
#[derive(Debug)]
pub struct CollectedState {
    /// Held until the directory is removed.
    _lock: Lock,
    dir: TemporaryDir,
    left_out: Vec<String>,
}

/// A state directory, and the name of the machine that it was collected from.
#[derive(Debug, Clone)]
struct Source {
    state: PathBuf,
    machine: String,
}

impl CollectedState {
    /// Merges the state directories in `dirs` into one below `cache`. Each of `dirs` is a state
    /// directory, a home directory with one, or a directory of those.
    ///
    /// What cannot be read is left out and named: see [`Self::left_out`].
    ///
    /// # Errors
    /// [`Error::Content`] if one of `dirs` has no state directory; [`Error::Io`] if the merged
    /// directory cannot be written.
    pub fn merge(cache: &Path, dirs: &[PathBuf], now: Timestamp) -> Result<Self> {
        let mut sources = Vec::new();
        for dir in dirs {
            sources.extend(sources_in(dir)?);
        }
        write::make_private_dir(cache)?;
        // Until it is locked, another process would take the directory for what a killed one left.
        let turn = lock::acquire(&cache.join(TURN), lock::CLI_PATIENCE)?;
        let dir = TemporaryDir::create(cache, PREFIX)?;
        let lock = lock::acquire(&dir.path().join(IN_USE), Duration::ZERO)?;
        discard_remains(cache, &dir)?;
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

    /// Returns what was left out and why, in words for people.
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
        for why in merged {
            left_out.extend(why?);
        }
        left_out.sort();
        Ok(left_out)
    }

    /// Merges the copies of one session. Returns what was left out.
    fn session(
        &self,
        state: &StateDir,
        id: &SessionId,
        found: &[(&Source, PathBuf)],
        now: Timestamp,
    ) -> Result<Vec<String>> {
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
        let machine = copies.first().map(|(source, _)| source.machine.as_str());
        settle(state, id, machine, now)?;
        Ok(left_out)
    }

    /// Returns the folder for a copy of a session. Its name is the session's id, as a record requires.
    fn place_of_copy(&self, id: &SessionId, number: usize) -> Result<SessionDir> {
        let mut path = self.dir.path().join("copies");
        for name in [id.as_str(), &number.to_string(), id.as_str()] {
            path.push(name);
            write::make_dir(&path)?;
        }
        Ok(SessionDir::new(path, Decompressor::BUILT_IN))
    }
}

/// Dates the journal by its last event, because copying may not have kept the time. Names the
/// machine if the record does not, and puts the session into the live index if it may be live.
fn settle(state: &StateDir, id: &SessionId, machine: Option<&str>, now: Timestamp) -> Result<()> {
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
    let Ok(Some(record)) = dir.record() else {
        // The view that reads the session says what is wrong with its record.
        return Ok(());
    };
    if record.machine.is_none() {
        let machine = machine.map(str::to_owned);
        let named = Record {
            machine,
            ..record.clone()
        };
        dir.put_record(&named, Durability::Cached)?;
    }
    let may_be_live = |last: Timestamp| last.age(now) < MAY_BE_LIVE;
    if record.ended_at.is_none() && last.is_some_and(may_be_live) {
        let key = Project::at(record.project.root()).key();
        index::add_to_project(state, &key, id)?;
    }
    Ok(())
}

/// Finds the state directories that `dir` stands for.
fn sources_in(dir: &Path) -> Result<Vec<Source>> {
    let own = source_at(dir)?;
    if let Some(source) = own {
        return Ok(vec![source]);
    }
    let mut names: Vec<_> = file::names(dir)?.collect();
    names.sort();
    let mut sources = Vec::new();
    for name in names {
        sources.extend(source_at(&dir.join(name))?);
    }
    if sources.is_empty() {
        return Err(Error::Content {
            path: dir.to_owned(),
            why: "it is no state directory, and none of its subdirectories is one; copy \
                  `~/.local/state/ccsession` of a machine there"
                .to_owned(),
        });
    }
    Ok(sources)
}

/// Returns the state directory at `dir`, or where a home directory has it.
fn source_at(dir: &Path) -> Result<Option<Source>> {
    for below in BELOW {
        let state = match below {
            "" => dir.to_owned(),
            _ => dir.join(below),
        };
        let sessions = file::look(&state.join("sessions"))?;
        if sessions.is_some_and(|found| found.is_dir()) {
            let name = file::canonical(dir).unwrap_or_else(|_| dir.to_owned());
            let name = name.file_name().unwrap_or(OsStr::new("unknown"));
            let machine = name.to_string_lossy().into_owned();
            return Ok(Some(Source { state, machine }));
        }
    }
    Ok(None)
}

/// Removes the merged directories of killed processes: they move into `dir`, which is removed as a
/// whole.
fn discard_remains(cache: &Path, dir: &TemporaryDir) -> Result<()> {
    for name in file::names(cache)? {
        let path = cache.join(&name);
        let is_ours = name.as_encoded_bytes().starts_with(PREFIX.as_bytes());
        if !is_ours || path == dir.path() {
            continue;
        }
        // Its process holds the lock as long as it runs.
        if lock::acquire(&path.join(IN_USE), Duration::ZERO).is_ok() {
            write::rename(&path, &dir.path().join(name))?;
        }
    }
    Ok(())
}
