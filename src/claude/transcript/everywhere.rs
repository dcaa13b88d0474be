//! Lists all transcripts that Claude Code has, and the files beside them, with the session of each.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::{AgentFile, ClientFile, MAX_DEPTH, client_file, session_in};
use crate::model::SessionId;
use crate::store::{Error, Result, file};

/// What a file of Claude Code contains.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientFileKind {
    /// A session's own transcript.
    Main,
    /// The transcript of the subagent with this id.
    Agent(String),
    /// Another file in a session's folder, such as the output of a tool that was too long for a
    /// transcript.
    Other,
}

/// A file of Claude Code, and the session that it belongs to.
#[derive(Debug, Clone)]
pub struct OwnedFile {
    /// The session.
    pub session: SessionId,
    /// What is in the file.
    pub kind: ClientFileKind,
    /// The file.
    pub file: ClientFile,
}

/// All files of sessions, and what could not be listed.
#[derive(Debug, Default)]
pub struct ClientFiles {
    /// The files, unordered.
    pub files: Vec<OwnedFile>,
    /// Transcripts that are symbolic links. No reader follows them.
    pub links: Vec<PathBuf>,
    /// Why folders could not be listed, or files not inspected.
    pub failed: Vec<Error>,
}

impl ClientFiles {
    /// Lists the files in the folder `projects`, which has one folder for each directory that
    /// Claude Code was started in. A folder that cannot be listed does not hide the others.
    pub fn below(projects: &Path) -> Self {
        let mut all = Self::default();
        for name in all.names(projects) {
            let folder = projects.join(name);
            let names = all.names(&folder);
            let mains: BTreeSet<_> = names.iter().filter_map(|name| stem(name)).collect();
            for name in &names {
                let path = folder.join(name);
                let is_session = |name: &&str| mains.contains(*name) || is_uuid(name);
                let session = name.to_str().filter(is_session);
                all.add(path, &folder, session, MAX_DEPTH);
            }
        }
        all
    }

    fn names(&mut self, folder: &Path) -> Vec<OsString> {
        let mut names: Vec<OsString> = self
            .kept(file::names(folder))
            .into_iter()
            .flatten()
            .collect();
        names.sort();
        names
    }

    fn kept<T>(&mut self, result: Result<T>) -> Option<T> {
        result.map_err(|err| self.failed.push(err)).ok()
    }

    /// Adds the file at `path`. If `path` is a session's folder or within one, adds all files below
    /// it. `session` is the session to which that folder belongs; `None` outside such folders.
    fn add(&mut self, path: PathBuf, project: &Path, session: Option<&str>, depth: usize) {
        let Some(found) = self.kept(file::look(&path)).flatten() else {
            return;
        };
        let is_lines = path.extension().is_some_and(|ending| ending == "jsonl");
        if found.is_link() && is_lines {
            self.links.push(path);
        } else if found.is_dir() && session.is_some() && depth > 0 {
            for name in self.names(&path) {
                self.add(path.join(name), project, session, depth - 1);
            }
        } else if found.is_file() {
            let is_below = path.parent() != Some(project);
            let (kind, session) = match AgentFile::at(path.clone()) {
                // Older versions put a subagent's transcript beside the session's own.
                Some(agent) if !is_below => {
                    (ClientFileKind::Agent(agent.agent_id), session_in(&path))
                }
                Some(agent) => (
                    ClientFileKind::Agent(agent.agent_id),
                    session.map(str::to_owned),
                ),
                None if is_below && !is_note(&path) => {
                    (ClientFileKind::Other, session.map(str::to_owned))
                }
                None if !is_below && is_lines => {
                    let named = path.file_name().and_then(stem);
                    (
                        ClientFileKind::Main,
                        named.map(str::to_owned).or_else(|| session_in(&path)),
                    )
                }
                None => return,
            };
            let session = session.and_then(|session| session.parse().ok());
            let file = client_file(&path, Some(project), found.meta);
            let owned = session.zip(file);
            self.files.extend(owned.map(|(session, file)| OwnedFile {
                session,
                kind,
                file,
            }));
        }
    }
}

/// Returns the session that a transcript is named after.
fn stem(name: &std::ffi::OsStr) -> Option<&str> {
    let stem = name.to_str()?.strip_suffix(".jsonl")?;
    (!stem.starts_with("agent-") && crate::model::id::is_valid(stem)).then_some(stem)
}

/// Returns true if a session's folder may have this name: a UUID.
fn is_uuid(name: &str) -> bool {
    let is_hex = |part: &str| part.bytes().all(|byte| byte.is_ascii_hexdigit());
    name.split('-').map(str::len).eq([8, 4, 4, 4, 12]) && name.split('-').all(is_hex)
}

/// Returns true if the file is Claude Code's `.meta.json` about a subagent.
fn is_note(path: &Path) -> bool {
    path.to_str()
        .is_some_and(|path| path.ends_with(".meta.json"))
}
