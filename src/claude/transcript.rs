//! The client's own transcript of a session: where it is, and of which files it is made.

pub mod line;
pub mod records;
pub mod said;

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::path::{Component, Path, PathBuf};

use crate::model::event::{TRANSCRIPT, name};
use crate::model::line::Kind;
use crate::model::{Record, SessionId, Timestamp};
use crate::store::file::Meta;
use crate::store::lines::{Found, Lines};
use crate::store::{Environment, Result, SessionDir, file};
use line::Line;

use super::dirs::projects_dir;
use super::words::StartSource;

/// How deep below a session's folder its files are looked for.
const MAX_DEPTH: usize = 4;
/// The most bytes that are read of what the client noted of a subagent.
pub const MAX_META: usize = 1 << 16;
/// The largest transcript that is believed to be one on the word of a payload.
const MAX_BYTES: u64 = 4 << 30;
/// How many lines at its beginning tell whose transcript a file is.
const OPENING: usize = 20;
/// The longest journal of which it is asked whether a client wrote to it: launchers alone write little.
const SHORT: u64 = 1 << 20;

/// The transcript of a session, if there is one: where its record says or, since a client that moves into a worktree
/// takes it along, its last event; else by its name in any of the client's project folders.
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

/// All transcripts by the sessions that they are named after, wherever the client put them: one walk, for whoever looks for
/// many.
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

/// The client's project folders.
pub fn folders(env: &Environment) -> impl Iterator<Item = PathBuf> {
    projects_dir(env).into_iter().flat_map(files)
}

/// What is in a folder, if it can be listed.
fn files(folder: PathBuf) -> impl Iterator<Item = PathBuf> {
    let names = file::names(&folder).into_iter().flatten();
    names.map(move |name| folder.join(name))
}

/// A search for the transcripts of several sessions, in which none is opened twice.
#[derive(Debug)]
pub struct Search<'a> {
    env: &'a Environment,
    /// The sessions' own transcripts by the session that their first lines name, once one had to be looked for so.
    by_lines: OnceCell<BTreeMap<String, Vec<PathBuf>>>,
}

impl<'a> Search<'a> {
    /// A search where the client of this environment keeps its transcripts.
    pub fn new(env: &'a Environment) -> Self {
        Self {
            env,
            by_lines: OnceCell::new(),
        }
    }

    /// All files of a session: its transcripts where its record and its events say, and those of its name in any project
    /// folder, else those whose own lines name the session as theirs, whatever they are called; a mention of the id proves
    /// nothing. Where its transcript is `given`, only what lies beside that.
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

/// A file of the client's that belongs to a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientFile {
    /// Where it is.
    pub path: PathBuf,
    /// Where it is from the client's folder of all projects on.
    pub place: String,
    /// Its size in bytes.
    pub size: u64,
    /// When it was last written.
    pub modified: Timestamp,
}

/// All files that the client keeps of one session.
#[derive(Debug, Clone, Default)]
pub struct SessionFiles {
    /// The session's own transcripts, the largest first; several where it has gone on in another folder, or was copied.
    pub mains: Vec<ClientFile>,
    /// Its subagents' transcripts, in the order of their names.
    pub agents: Vec<(AgentFile, ClientFile)>,
    /// What else is in the session's folder: outputs of tools that were too long for a transcript, notes.
    pub others: Vec<ClientFile>,
}

impl SessionFiles {
    /// The files of a session whose transcripts may be at `paths`, and some of whose subagents may lie in the folders
    /// `beside`, as older clients put them.
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
        // Of copies the largest counts.
        files.agents.sort_by(|one, other| {
            let name =
                |agent: &(AgentFile, ClientFile)| agent.0.path.file_name().map(OsStr::to_owned);
            name(one)
                .cmp(&name(other))
                .then(other.1.size.cmp(&one.1.size))
        });
        files
            .agents
            .dedup_by(|later, first| later.0.path.file_name() == first.0.path.file_name());
        files
            .others
            .sort_by(|one, other| one.place.cmp(&other.place));
        files
    }

    /// The session's own transcripts and its subagents'.
    pub fn transcripts(&self) -> impl Iterator<Item = &ClientFile> {
        let agents = self.agents.iter().map(|(_, file)| file);
        self.mains.iter().chain(agents)
    }

    /// How many bytes these have together.
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

/// A file in a `project` folder of the client's.
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

/// All sessions' own transcripts, by the session that the first lines of each name.
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

/// Whether a client may have had the session: not where a launcher or a clock-in began it and nothing else was heard of it.
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
        is_heard |= !matches!(line.kind, Kind::RunStart | Kind::RunEnd | Kind::ClockIn);
    });
    is_heard
}

/// As [`find`], for whoever has read the journal: where the record says or, since then, the last event that named a
/// `moved` transcript. Not looked for by its name, which is a long search if it is done for many sessions.
pub fn find_named(env: &Environment, record: &Record, moved: Option<&str>) -> Option<PathBuf> {
    let mut paths = believed(env, record, moved.into_iter());
    paths.find(|path| is_there(path))
}

/// Whether a file is at `path`.
pub(super) fn is_there(path: &Path) -> bool {
    matches!(file::look(path), Ok(Some(found)) if found.is_file())
}

/// Where the record and the events say that the transcript is, or was: what was said last comes first.
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

/// The places that the record and `moved`, what events have said since, name for the session's transcript, in this order. What
/// a payload says is believed only where a client puts transcripts; where an import found one, somebody gave it.
///
/// # Security
/// A payload may name any file of the user's, and what is believed here is read, archived and shown.
pub fn believed<'a>(
    env: &'a Environment,
    record: &'a Record,
    moved: impl Iterator<Item = &'a str> + 'a,
) -> impl Iterator<Item = PathBuf> + 'a {
    let is_given = record.source.as_deref() == Some(TRANSCRIPT);
    let recorded = record.transcript_path.as_deref().map(PathBuf::from);
    let recorded =
        recorded.filter(move |path| is_given || is_clients(env, &record.session_id, path));
    let moved = moved.map(PathBuf::from);
    let moved = moved.filter(move |path| is_clients(env, &record.session_id, path));
    recorded.into_iter().chain(moved)
}

/// Returns whether a client may have put a transcript of the session at `path`: in a folder of `projects/` of its own
/// directory, which is known or, where the client had another one, ours. It is called after the session, or its lines name it. Where
/// nothing is there, its name and place decide.
fn is_clients(env: &Environment, id: &SessionId, path: &Path) -> bool {
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
    // A folder may be a link of ours to where there is more room.
    if matches!(file::look(folder), Ok(Some(found)) if found.owner != file::me()) {
        return false;
    }
    match file::look(path) {
        Ok(Some(found)) => {
            let is_ours = found.is_file() && found.owner == file::me();
            let is_named = path.file_stem() == Some(OsStr::new(id.as_str()));
            is_ours
                && found.meta.size <= MAX_BYTES
                && (is_named || session_in(path).as_deref() == Some(id.as_str()))
        }
        Ok(None) => true,
        Err(_) => false,
    }
}

fn is_own_dir(path: &Path) -> bool {
    let found = file::look(path).ok().flatten();
    found.is_none_or(|found| found.is_dir() && found.owner == file::me())
}

/// The time before which lines are no message of this session's: a fork's transcript begins with copies of another's,
/// with their times. Nothing where all lines are its own, as after a resume.
///
/// # Errors
/// Where the journal cannot be opened.
pub fn own_since(dir: &SessionDir, record: &Record) -> Result<Option<Timestamp>> {
    let is_word = |word: &str| StartSource::of(word) == StartSource::Fork;
    let is_fork = match record.source.as_deref() {
        Some(word) if is_word(word) => true,
        // What an import began with was the session's own, unless it saw whose else; it may have seen a part only.
        Some(TRANSCRIPT) => record.previous.is_some(),
        // A launcher's record was made before the client said how it starts.
        Some("run") => dir
            .journal()
            .events()?
            .find(|event| event.event == name::SESSION_START)
            .is_some_and(|start| start.source.as_deref().is_some_and(is_word)),
        _ => false,
    };
    Ok(is_fork.then_some(record.started_at))
}

/// A subagent's transcript.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct AgentFile {
    /// Its file.
    pub path: PathBuf,
    /// The subagent, as the file is named after it.
    pub agent_id: String,
}

impl AgentFile {
    /// The file at `path`, if it is named as subagents' transcripts are: `agent-{id}.jsonl`.
    pub fn at(path: PathBuf) -> Option<Self> {
        let name = path.file_name()?.to_str()?;
        let agent_id = name.strip_prefix("agent-")?.strip_suffix(".jsonl")?;
        let agent_id = agent_id.to_owned();
        Some(Self { path, agent_id })
    }

    /// Where the client notes what the subagent is: its type and model, and the call that started it.
    pub fn meta(&self) -> PathBuf {
        self.path.with_extension("meta.json")
    }
}

/// The transcripts of the subagents of the session whose own is at `main`: in `{main without .jsonl}/subagents`, as the
/// client puts them now. In the order of their names.
pub fn agents_below(main: &Path) -> Vec<AgentFile> {
    let mut found = Vec::new();
    collect(
        &main.with_extension("").join("subagents"),
        MAX_DEPTH,
        &mut found,
    );
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

/// The transcripts of subagents that lie beside the sessions' own in `folder`, as older clients put them, by the session
/// that they name.
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

/// The session that the first lines of the transcript at `path` name.
fn session_in(path: &Path) -> Option<String> {
    first(path, OPENING, |line| line.session_id.owned())
}

/// What the first of the transcript's records says that says something, among those of its first lines.
pub fn first<T>(
    path: &Path,
    lines: usize,
    mut said: impl FnMut(&Line<'_>) -> Option<T>,
) -> Option<T> {
    let mut reader = Lines::open(path).ok()??;
    let mut found = None;
    for _ in 0..lines {
        if let Found::Line(bytes) | Found::Unfinished(bytes) = reader.next_of_beginning().ok()?? {
            records::read(bytes, |line| found = found.take().or_else(|| said(line)));
        }
        if found.is_some() {
            break;
        }
    }
    found
}
