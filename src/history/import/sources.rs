//! Finds the transcripts, the sessions that they belong to, and the order of the sessions by age.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};

use super::claims::hash;
use crate::claude::transcript::{AgentFile, agents_below, agents_beside, records};
use crate::model::{SessionId, Timestamp};
use crate::store::lines::{LineReader, NextLine};
use crate::store::{Result, file};

/// How many lines at the beginning of a transcript are searched for its age.
const OPENING: usize = 100;

/// A session and its transcripts.
#[derive(Debug)]
pub struct ImportSource {
    /// The session that the transcript's file name states.
    pub id: SessionId,
    /// The session's own transcripts; several if it was continued in another folder.
    pub mains: Vec<PathBuf>,
    /// The transcripts of its subagents.
    pub agents: Vec<AgentFile>,
    /// The age, which decides the reading order.
    pub age: Age,
    /// The size of all its files together, in bytes.
    pub size: u64,
    /// True if the import of this session was requested. Other sessions are read, too, because a
    /// fork may have copied lines from them.
    pub is_wanted: bool,
}

/// The age of a session, compared field by field. The time alone does not decide: a fork begins
/// with copies of its origin's lines, with the same times.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Age {
    /// The time of the session's first line.
    pub first: Timestamp,
    /// True if the session is known to be a fork.
    pub is_fork: bool,
    /// How many sessions with the same first line have no message that this one lacks. Claude Code
    /// began old sessions that were resumed with a copy of the former ones.
    pub contains: usize,
    /// When the session's transcript was created.
    pub born: Timestamp,
}

/// A file that was skipped.
#[derive(Debug)]
pub struct ExcludedFile {
    /// The file's path.
    pub path: PathBuf,
    /// The reason, in words.
    pub why: String,
}

/// The result of [`find`].
#[derive(Debug, Default)]
pub struct ImportSources {
    /// The sessions, ordered by id.
    pub sessions: Vec<ImportSource>,
    /// The files that belong to no session.
    pub left_out: Vec<ExcludedFile>,
}

/// Finds the transcripts at `path`: Claude Code's folder of all projects, the folder of one
/// project, or one transcript.
///
/// # Errors
/// Fails if `path` does not exist or cannot be listed. A file that cannot be read is skipped.
pub fn find(path: &Path) -> Result<ImportSources> {
    let path = file::canonical(path)?;
    let is_dir = |path: &Path| matches!(file::look(path), Ok(Some(look)) if look.is_dir());
    let mut mains: BTreeMap<SessionId, Vec<PathBuf>> = BTreeMap::new();
    let mut found = ImportSources::default();
    let mut agents: BTreeMap<String, Vec<AgentFile>> = BTreeMap::new();
    let only = (!is_dir(&path)).then_some(path.as_path());
    for folder in folders(&path, only, &mut found)? {
        let mut names: Vec<_> = match file::names(&folder) {
            Ok(names) => names.collect(),
            Err(err) => {
                found.leave_out(folder, err.to_string());
                continue;
            }
        };
        names.sort();
        for main in names.into_iter().map(|name| folder.join(name)) {
            let is_transcript = main.extension().is_some_and(|ending| ending == "jsonl");
            // The session's own transcript may be in another folder, or nowhere.
            if let Some(id) = session_of_folder(&main).filter(|_| !is_transcript) {
                agents.entry(id).or_default().extend(agents_below(&main));
            }
            if !is_transcript || AgentFile::at(main.clone()).is_some() || is_dir(&main) {
                continue;
            }
            match main
                .file_stem()
                .and_then(|stem| stem.to_str()?.parse().ok())
            {
                Some(id) => mains.entry(id).or_default().push(main),
                None => found.leave_out(main, "its name is not a session id"),
            }
        }
        for (id, found) in agents_beside(&folder) {
            agents.entry(id).or_default().extend(found);
        }
    }
    for (id, mains) in mains {
        let agents = agents.remove(id.as_str()).unwrap_or_default();
        found.add(id, mains, agents, only);
    }
    for agent in agents.into_values().flatten().filter(|_| only.is_none()) {
        found.leave_out(agent.path, "there is no transcript of its session");
    }
    found.compare();
    Ok(found)
}

/// Returns the folders that contain transcripts. For a single transcript (`only`), returns its
/// folder, because its neighbours are examined, too. A folder may be a link, for example to a
/// shared disk. A folder that several links lead to is returned once.
fn folders(path: &Path, only: Option<&Path>, found: &mut ImportSources) -> Result<Vec<PathBuf>> {
    if let Some(only) = only {
        return Ok(only.parent().map(Path::to_owned).into_iter().collect());
    }
    let mut names: Vec<PathBuf> = file::names(path)?.map(|name| path.join(name)).collect();
    names.sort();
    let (mut folders, mut links) = (vec![path.to_owned()], Vec::new());
    for name in names {
        match file::look(&name) {
            Ok(Some(look)) if look.is_dir() => folders.push(name),
            Ok(Some(look)) if look.is_link() => links.push(name),
            Ok(_) => {}
            Err(err) => found.leave_out(name, err.to_string()),
        }
    }
    let mut places: HashSet<PathBuf> = HashSet::new();
    for folder in &folders {
        places.extend(file::canonical(folder).ok());
    }
    for link in links {
        match file::canonical(&link) {
            Ok(place) if !matches!(file::look(&place), Ok(Some(look)) if look.is_dir()) => {}
            Ok(place) if places.insert(place.clone()) => folders.push(link),
            Ok(_) => {}
            Err(err) => found.leave_out(link, err.to_string()),
        }
    }
    folders.sort();
    Ok(folders)
}

impl ImportSources {
    /// Compares the sessions with the same first time. The messages of one may begin with all
    /// messages of another.
    fn compare(&mut self) {
        let mut by_first: HashMap<Timestamp, Vec<usize>> = HashMap::new();
        for (place, source) in self.sessions.iter().enumerate() {
            by_first.entry(source.age.first).or_default().push(place);
        }
        for places in by_first.into_values().filter(|places| places.len() > 1) {
            let messages = |place: &usize| Some(messages_in(&self.sessions.get(*place)?.mains));
            let all: Vec<HashSet<u64>> = places.iter().filter_map(messages).collect();
            for (place, its) in places.iter().zip(&all) {
                let is_within = |other: &&HashSet<u64>| {
                    !other.is_empty() && other.len() < its.len() && other.is_subset(its)
                };
                if let Some(source) = self.sessions.get_mut(*place) {
                    source.age.contains = all.iter().filter(is_within).count();
                }
            }
        }
    }

    fn leave_out(&mut self, path: PathBuf, why: impl Into<String>) {
        let why = why.into();
        self.left_out.push(ExcludedFile { path, why });
    }

    fn add(
        &mut self,
        id: SessionId,
        mains: Vec<PathBuf>,
        agents: Vec<AgentFile>,
        only: Option<&Path>,
    ) {
        let is_wanted = only.is_none_or(|only| mains.iter().any(|main| main == only));
        let mut source = ImportSource {
            id,
            mains: Vec::new(),
            agents,
            age: Age::NEWEST,
            size: 0,
            is_wanted,
        };
        for main in mains {
            match opening(&main) {
                Ok(Some((age, size))) => {
                    source.age = source.age.min(age);
                    source.size += size;
                    source.mains.push(main);
                }
                Ok(None) => {}
                Err(err) if is_wanted => self.leave_out(main, err.to_string()),
                Err(_) => {}
            }
        }
        if source.mains.is_empty() {
            return;
        }
        let size_of = |agent: &AgentFile| Some(file::look(&agent.path).ok()??.meta.size);
        source.size += source.agents.iter().filter_map(size_of).sum::<u64>();
        self.sessions.push(source);
    }
}

impl Age {
    /// An age that sorts after all others, for a session about which nothing is known.
    const NEWEST: Self = Self {
        first: Timestamp::MAX,
        is_fork: true,
        contains: 0,
        born: Timestamp::MAX,
    };
}

/// Returns the session whose folder is at `path`.
fn session_of_folder(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_str()?;
    name.parse::<SessionId>().ok()?;
    Some(name.to_owned())
}

/// Returns the hashes of the ids of all messages in these transcripts.
fn messages_in(mains: &[PathBuf]) -> HashSet<u64> {
    let mut messages = HashSet::new();
    for main in mains {
        let Ok(Some(mut lines)) = LineReader::open(main) else {
            continue;
        };
        while let Ok(Some(found)) = lines.next_line() {
            if let NextLine::Line(bytes) | NextLine::Unfinished(bytes) = found {
                records::read(bytes, |line| {
                    let kind = line.kind.text();
                    if matches!(kind.as_deref(), Some("user" | "assistant")) {
                        messages.extend(line.uuid.text().map(|uuid| hash(&uuid)));
                    }
                });
            }
        }
    }
    messages
}

/// Returns the age of the transcript at `path`, and its size. Returns `None` if it does not exist.
fn opening(path: &Path) -> Result<Option<(Age, u64)>> {
    let Some(mut lines) = LineReader::open(path)? else {
        return Ok(None);
    };
    let mut age = Age {
        is_fork: false,
        born: lines.born(),
        ..Age::NEWEST
    };
    for _ in 0..OPENING {
        match lines.next_of_beginning()? {
            Some(NextLine::Line(bytes) | NextLine::Unfinished(bytes)) => {
                records::read(bytes, |line| {
                    age.first = line.at().map_or(age.first, |at| at.min(age.first));
                    age.is_fork |= line.forked_from.json().is_some();
                });
            }
            Some(NextLine::TooLong) => {}
            None => break,
        }
    }
    Ok(Some((age, lines.meta().size)))
}
