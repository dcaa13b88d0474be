//! Finds the transcripts that Claude Code keeps of a session, and the other files that belong to
//! it.

pub mod everywhere;
pub mod hook_runs;
pub mod line;
pub mod records;
pub mod said;
mod times;
pub mod titles;

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::path::{Component, Path, PathBuf};

use crate::model::event::{TRANSCRIPT, name};
use crate::model::line::EventKind;
use crate::model::{Record, SessionId, Timestamp};
use crate::store::file::{Inspection, Meta};
use crate::store::lines::{LineReader, NextLine};
use crate::store::{Environment, Result, SessionDir, file};
use line::TranscriptLine;

use super::dirs::projects_dir;
use super::words::StartSource;

/// How many levels of folders below a session's folder are searched for the session's files.
const MAX_DEPTH: usize = 4;
/// How much of Claude Code's `.meta.json` file about a subagent is read, in bytes.
pub const MAX_META: usize = 1 << 16;
/// The largest file that is accepted as a transcript if only a payload names it, in bytes.
const MAX_BYTES: u64 = 4 << 30;
/// How many lines at the beginning of a transcript are searched for the session's id.
const OPENING: usize = 20;
/// The longest journal that is searched for events of Claude Code, in bytes. A longer one must have
/// some, because launchers and clock-ins write little.
const SHORT: u64 = 1 << 20;

/// Returns the transcript of a session, if there is one. Tries the path in the record, and the
/// later paths that events report: if Claude Code moves into a worktree, the transcript moves
/// along. Otherwise looks for a file with the session's name in all of Claude Code's project
/// folders.
pub fn find(env: &Environment, dir: &SessionDir, id: &SessionId) -> Option<PathBuf> {
    let record = dir.record().ok().flatten();
    let named = record.map(|record| named(env, dir, &record));
    let named = named.unwrap_or_default();
    named.into_iter().find(|path| is_there(path)).or_else(|| {
        let name = format!("{id}.jsonl");
        let mut paths = folders(env).map(|folder| folder.join(&name));
        paths.find(|path| is_there(path))
    })
}

/// Returns all transcripts in all project folders, by the session id in their file names. Reads
/// each folder once, for callers that need the transcripts of many sessions.
pub fn by_name(env: &Environment) -> BTreeMap<SessionId, Vec<PathBuf>> {
    let of = |path: &Path| {
        let id = path.file_name()?.to_str()?.strip_suffix(".jsonl")?;
        id.parse().ok()
    };
    let mut all: BTreeMap<SessionId, Vec<PathBuf>> = BTreeMap::new();
    for path in folders(env).flat_map(files) {
        if let Some(id) = of(&path) {
            all.entry(id).or_default().push(path);
        }
    }
    all
}

/// Returns Claude Code's project folders.
pub fn folders(env: &Environment) -> impl Iterator<Item = PathBuf> {
    projects_dir(env).into_iter().flat_map(files)
}

/// Returns the paths in a folder, or none if it cannot be listed.
fn files(folder: PathBuf) -> impl Iterator<Item = PathBuf> {
    let names = file::names(&folder).into_iter().flatten();
    names.map(move |name| folder.join(name))
}

/// A search for the transcripts of several sessions that opens no file twice.
#[derive(Debug)]
pub struct Search<'a> {
    env: &'a Environment,
    /// The sessions' own transcripts, by the session id in their first lines. Filled when the first
    /// session needs it.
    by_lines: OnceCell<BTreeMap<String, Vec<PathBuf>>>,
}

impl<'a> Search<'a> {
    /// Creates a search in the transcripts of this environment's Claude Code.
    pub fn new(env: &'a Environment) -> Self {
        Self {
            env,
            by_lines: OnceCell::new(),
        }
    }

    /// Returns all files of a session. If `given` names the transcript, only files beside that one
    /// count.
    ///
    /// Otherwise takes the transcripts that the record and the events name, and those with the
    /// session's name in any project folder. If there are none, takes the transcripts whose first
    /// lines belong to the session. A mention of the id proves nothing.
    pub fn files(&self, dir: &SessionDir, record: &Record, given: Option<&Path>) -> SessionFiles {
        let id = &record.session_id;
        let mut paths = match given {
            Some(given) => vec![given.to_owned()],
            None => named(self.env, dir, record),
        };
        let beside: Vec<PathBuf> = paths
            .iter()
            .filter_map(|path| Some(path.parent()?.to_owned()))
            .collect();
        if given.is_none() {
            let name = format!("{id}.jsonl");
            paths.extend(folders(self.env).map(|folder| folder.join(&name)));
            if !paths.iter().any(|path| is_there(path)) && may_have_client(dir, record) {
                let by_lines = self.by_lines.get_or_init(|| by_lines(self.env));
                paths.extend(by_lines.get(id.as_str()).cloned().unwrap_or_default());
            }
        }
        SessionFiles::of(id, paths, &beside)
    }
}

/// A file of Claude Code that belongs to a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientFile {
    /// The path of the file.
    pub path: PathBuf,
    /// The path relative to Claude Code's folder of all projects.
    pub place: String,
    /// The size in bytes.
    pub size: u64,
    /// The time of the last write.
    pub modified: Timestamp,
}

/// All files that Claude Code keeps of one session.
#[derive(Debug, Clone, Default)]
pub struct SessionFiles {
    /// The session's own transcripts, the largest first. There are several if the session went on
    /// in another folder, or was copied.
    pub mains: Vec<ClientFile>,
    /// The transcripts of its subagents, sorted by name, the largest first. A subagent has several
    /// if the session went on in another folder, or was copied.
    pub agents: Vec<(AgentFile, ClientFile)>,
    /// The other files in the session's folder: outputs of tools that were too long for a
    /// transcript, and notes of Claude Code.
    pub others: Vec<ClientFile>,
}

impl SessionFiles {
    /// Collects the files of a session. Its transcripts may be at `paths`; those of its subagents
    /// may also be in the folders `beside`, where older versions of Claude Code put them.
    pub fn of(id: &SessionId, paths: Vec<PathBuf>, beside: &[PathBuf]) -> Self {
        let mut files = Self::default();
        let (mut seen, mut folders) = (BTreeSet::new(), Vec::new());
        for path in paths {
            if let Ok(Some(found)) = file::look(&path)
                && found.is_file()
                && seen.insert(found.meta.identity)
            {
                folders.extend(path.parent().map(Path::to_owned));
                files
                    .mains
                    .extend(client_file(&path, path.parent(), found.meta));
            }
            let folder = path.with_extension("");
            if let Ok(Some(found)) = file::look(&folder)
                && found.is_dir()
                && seen.insert(found.meta.identity)
            {
                files.walk(&folder, path.parent(), MAX_DEPTH);
            }
        }
        folders.extend(beside.iter().cloned());
        folders.sort();
        folders.dedup();
        for folder in &folders {
            let agents = agents_beside(folder).remove(id.as_str());
            for agent in agents.unwrap_or_default() {
                if let Ok(Some(found)) = file::look(&agent.path)
                    && seen.insert(found.meta.identity)
                {
                    let its = client_file(&agent.path, Some(folder), found.meta);
                    files.agents.extend(its.map(|its| (agent, its)));
                }
            }
        }
        files.mains.sort_by(|one, other| {
            let by_size = other
                .size
                .cmp(&one.size)
                .then(other.modified.cmp(&one.modified));
            by_size.then_with(|| one.path.cmp(&other.path))
        });
        files.agents.sort_by(|one, other| {
            let name =
                |agent: &(AgentFile, ClientFile)| agent.0.path.file_name().map(OsStr::to_owned);
            name(one)
                .cmp(&name(other))
                .then(other.1.size.cmp(&one.1.size))
                .then_with(|| one.1.place.cmp(&other.1.place))
        });
        files
            .others
            .sort_by(|one, other| one.place.cmp(&other.place));
        files
    }

    /// Returns the session's own transcripts and its subagents'.
    pub fn transcripts(&self) -> impl Iterator<Item = &ClientFile> {
        let agents = self.agents.iter().map(|(_, file)| file);
        self.mains.iter().chain(agents)
    }

    /// Returns the total size of all transcripts in bytes.
    pub fn bytes(&self) -> u64 {
        self.transcripts().map(|file| file.size).sum()
    }

    fn walk(&mut self, dir: &Path, project: Option<&Path>, depth: usize) {
        let names = file::names(dir).into_iter().flatten();
        for path in names.map(|name| dir.join(name)) {
            match file::look(&path) {
                Ok(Some(found)) if found.is_file() => {
                    let Some(its) = client_file(&path, project, found.meta) else {
                        continue;
                    };
                    let is_note = path
                        .to_str()
                        .is_some_and(|path| path.ends_with(".meta.json"))
                        && is_there(&path.with_extension("").with_extension("jsonl"));
                    match AgentFile::at(path) {
                        Some(agent) => self.agents.push((agent, its)),
                        None if is_note => {}
                        None => self.others.push(its),
                    }
                }
                Ok(Some(found)) if found.is_dir() && depth > 0 => {
                    self.walk(&path, project, depth - 1)
                }
                _ => {}
            }
        }
    }
}

/// Describes a file in a `project` folder of Claude Code.
fn client_file(path: &Path, project: Option<&Path>, meta: Meta) -> Option<ClientFile> {
    let project = project?;
    let projects = project.parent().unwrap_or(project);
    Some(ClientFile {
        place: path
            .strip_prefix(projects)
            .ok()?
            .to_string_lossy()
            .into_owned(),
        path: path.to_owned(),
        size: meta.size,
        modified: meta.modified,
    })
}

/// Returns all sessions' own transcripts, by the session in the first lines of each.
fn by_lines(env: &Environment) -> BTreeMap<String, Vec<PathBuf>> {
    let is_main = |path: &PathBuf| {
        path.extension().is_some_and(|ending| ending == "jsonl")
            && AgentFile::at(path.clone()).is_none()
    };
    let mut found: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
    for path in folders(env).flat_map(files).filter(is_main) {
        if let Some(session) = session_in(&path) {
            found.entry(session).or_default().push(path);
        }
    }
    found
}

/// Returns true if Claude Code may have run in the session. It has not if a launcher or a clock-in
/// created the session and the journal has no other events.
fn may_have_client(dir: &SessionDir, record: &Record) -> bool {
    if !matches!(record.source.as_deref(), Some("run" | "clock-in")) {
        return true;
    }
    let lines = match dir.journal().lines_from(0) {
        Ok(Some((lines, bytes))) if bytes <= SHORT => lines,
        _ => return true,
    };
    let mut is_heard = dir.imported_stamp().is_some();
    lines.for_each(|line| {
        is_heard |= !matches!(
            line.kind,
            EventKind::RunStart | EventKind::RunEnd | EventKind::ClockIn
        );
    });
    is_heard
}

/// Returns the transcript that the record or `moved` names, if it exists. `moved` is the last path
/// that an event reported. Unlike [`find`], this reads no journal, and does not search all project
/// folders.
pub fn find_named(env: &Environment, record: &Record, moved: Option<&str>) -> Option<PathBuf> {
    let mut paths = believed(env, record, moved.into_iter());
    paths.find(|path| is_there(path))
}

/// Returns the transcript that the record names, with its size and times. Examines the file only
/// once.
pub fn find_inspected(env: &Environment, record: &Record) -> Option<(PathBuf, Meta)> {
    let path = PathBuf::from(record.transcript_path.as_deref()?);
    if !is_given(record) && !is_clients_place(env, &path) {
        return None;
    }
    let found = file::look(&path).ok()?.filter(Inspection::is_file)?;
    let is_it = is_given(record) || is_clients_file(&record.session_id, &path, &found);
    is_it.then_some((path, found.meta))
}

/// Returns true if a file is at `path`.
pub(super) fn is_there(path: &Path) -> bool {
    matches!(file::look(path), Ok(Some(found)) if found.is_file())
}

/// Returns the acceptable paths that the record and the events report for the transcript, the
/// latest first.
fn named(env: &Environment, dir: &SessionDir, record: &Record) -> Vec<PathBuf> {
    let mut said: Vec<String> = Vec::new();
    if let Ok(lines) = dir.journal().lines() {
        lines.for_each(|line| {
            if let Some(path) = line.transcript_path
                && said.last().is_none_or(|last| last != path)
            {
                said.push(path.to_owned());
            }
        });
    }
    let mut paths: Vec<PathBuf> = believed(env, record, said.iter().map(String::as_str)).collect();
    paths.reverse();
    paths
}

/// Returns the paths of the session's transcript that the record and the later events, `moved`,
/// report, in this order. Skips a path from a payload unless Claude Code puts transcripts there.
/// Accepts the path of an imported transcript, because the user gave it.
///
/// # Security
/// A payload may name any file of the user, and a path that is returned is read, archived and
/// shown.
pub fn believed<'a>(
    env: &'a Environment,
    record: &'a Record,
    moved: impl Iterator<Item = &'a str> + 'a,
) -> impl Iterator<Item = PathBuf> + 'a {
    let recorded = record.transcript_path.as_deref().map(PathBuf::from);
    let recorded =
        recorded.filter(move |path| is_given(record) || is_clients(env, &record.session_id, path));
    let moved = moved.map(PathBuf::from);
    let moved = moved.filter(move |path| is_clients(env, &record.session_id, path));
    recorded.into_iter().chain(moved)
}

/// Returns true if the user gave the transcript's path to an import.
fn is_given(record: &Record) -> bool {
    record.source.as_deref() == Some(TRANSCRIPT)
}

/// Returns true if Claude Code may have put a transcript of the session at `path`. The path must be
/// in a folder of `projects/`, in this user's Claude Code directory or in another directory of this
/// user. The file must be named after the session, or its first lines must contain the session's
/// id. If the file does not exist, only its path counts.
fn is_clients(env: &Environment, id: &SessionId, path: &Path) -> bool {
    let is_its = |found: Inspection| is_clients_file(id, path, &found);
    is_clients_place(env, path) && file::look(path).is_ok_and(|found| found.is_none_or(is_its))
}

/// Returns true if Claude Code may put transcripts in the folder of `path`.
fn is_clients_place(env: &Environment, path: &Path) -> bool {
    let is_plain = path.is_absolute()
        && path
            .components()
            .all(|part| matches!(part, Component::RootDir | Component::Normal(_)));
    let (Some(folder), Some(projects)) = (path.parent(), path.ancestors().nth(2)) else {
        return false;
    };
    let is_transcript = path.extension() == Some(OsStr::new("jsonl"));
    if !is_plain || !is_transcript || projects.file_name() != Some(OsStr::new("projects")) {
        return false;
    }
    let is_known = projects_dir(env).as_deref() == Some(projects);
    if !is_known && ![projects, folder].into_iter().all(is_own_dir) {
        return false;
    }
    // The folder may be a link to a larger disk, which belongs to the same user.
    !matches!(file::look(folder), Ok(Some(found)) if found.owner != file::me())
}

/// Returns true if the file at `path` may be the session's transcript.
fn is_clients_file(id: &SessionId, path: &Path, found: &Inspection) -> bool {
    let is_ours = found.is_file() && found.owner == file::me();
    let is_named = path.file_stem() == Some(OsStr::new(id.as_str()));
    is_ours
        && found.meta.size <= MAX_BYTES
        && (is_named || session_in(path).as_deref() == Some(id.as_str()))
}

fn is_own_dir(path: &Path) -> bool {
    let found = file::look(path).ok().flatten();
    found.is_none_or(|found| found.is_dir() && found.owner == file::me())
}

/// Returns when a fork began; `None` if the session is not a fork. A fork's transcript begins with
/// copies of another session's lines, with their original times. Lines before the returned time are
/// not the session's own.
///
/// # Errors
/// Fails if the journal cannot be opened.
pub fn own_since(dir: &SessionDir, record: &Record) -> Result<Option<Timestamp>> {
    let is_word = |word: &str| StartSource::of(word) == StartSource::Fork;
    let is_fork = match record.source.as_deref() {
        Some(word) if is_word(word) => true,
        // An import reads only some of the sessions. It treats a session as a fork only if it found
        // the session that the first lines were copied from.
        Some(TRANSCRIPT) => record.previous.is_some(),
        // The launcher wrote the record before Claude Code reported how the session started.
        Some("run") => dir
            .journal()
            .events()?
            .find(|event| event.event == name::SESSION_START)
            .is_some_and(|start| start.source.as_deref().is_some_and(is_word)),
        _ => false,
    };
    Ok(is_fork.then_some(record.started_at))
}

/// A transcript of a subagent.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct AgentFile {
    /// The path of the transcript.
    pub path: PathBuf,
    /// The id of the subagent, from the file's name.
    pub agent_id: String,
}

impl AgentFile {
    /// Returns the file at `path` if it has the name of a subagent's transcript:
    /// `agent-{id}.jsonl`.
    pub fn at(path: PathBuf) -> Option<Self> {
        let name = path.file_name()?.to_str()?;
        let agent_id = name.strip_prefix("agent-")?.strip_suffix(".jsonl")?;
        let agent_id = agent_id.to_owned();
        Some(Self { path, agent_id })
    }

    /// Returns the path of Claude Code's `.meta.json` file about the subagent: its type and model,
    /// and the call that started it.
    pub fn meta(&self) -> PathBuf {
        self.path.with_extension("meta.json")
    }
}

/// Returns the subagents' transcripts in a session's folder, sorted by name. Current versions of
/// Claude Code put them there. The folder has the name of the session's own transcript, without
/// `.jsonl`.
pub fn agents_below(folder: &Path) -> Vec<AgentFile> {
    let mut found = Vec::new();
    collect(&folder.join("subagents"), MAX_DEPTH, &mut found);
    found.sort();
    found
}

fn collect(dir: &Path, depth: usize, found: &mut Vec<AgentFile>) {
    let Ok(names) = file::names(dir) else {
        return;
    };
    for path in names.map(|name| dir.join(name)) {
        if let Some(agent) = AgentFile::at(path.clone()) {
            found.push(agent);
        } else if depth > 1 && matches!(file::look(&path), Ok(Some(look)) if look.is_dir()) {
            collect(&path, depth - 1, found);
        }
    }
}

/// Returns the subagents' transcripts that are in `folder` beside the sessions' own, by the session
/// id in their first lines. Older versions of Claude Code put them there.
pub fn agents_beside(folder: &Path) -> BTreeMap<String, Vec<AgentFile>> {
    let mut by_session: BTreeMap<String, Vec<AgentFile>> = BTreeMap::new();
    let names = file::names(folder).into_iter().flatten();
    let agents = names.filter_map(|name| AgentFile::at(folder.join(name)));
    for agent in agents {
        if let Some(session) = session_in(&agent.path) {
            by_session.entry(session).or_default().push(agent);
        }
    }
    by_session.values_mut().for_each(|agents| agents.sort());
    by_session
}

/// Returns the session id in the first lines of the transcript at `path`.
fn session_in(path: &Path) -> Option<String> {
    first(path, OPENING, |line| line.session_id.owned())
}

/// Returns the first value that `said` finds in a record, among the first `lines` lines of the
/// transcript.
pub fn first<T>(
    path: &Path,
    lines: usize,
    mut said: impl FnMut(&TranscriptLine<'_>) -> Option<T>,
) -> Option<T> {
    let mut reader = LineReader::open(path).ok()??;
    let mut found = None;
    for _ in 0..lines {
        if let NextLine::Line(bytes) | NextLine::Unfinished(bytes) =
            reader.next_of_beginning().ok()??
        {
            records::read(bytes, |line| found = found.take().or_else(|| said(line)));
        }
        if found.is_some() {
            break;
        }
    }
    found
}
