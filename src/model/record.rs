//! The record of one session, as it is stored in `session.json`, and the owner files beside it.
//!
//! A hook writes a record once. Only commands rewrite it, or a hook that stops or resumes the
//! recording. So values that change during a session (activity, owners, its end as a hook saw it)
//! are not in the record. They are in the journal and in the owner files.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::id::SessionId;
use super::project::{Project, from_hex, to_hex};
use super::redact::Redactor;
use super::time::Timestamp;

/// The version of `session.json` and of owner files that this ccsession writes.
pub const VERSION: u64 = 1;

/// The `end_reason` of a session whose end no process reported.
pub const ABANDONED: &str = "abandoned";

/// A session's record. An absent value is null, never a guess.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "docs/formats.md describes the fields")]
pub struct Record {
    pub v: u64,
    pub session_id: SessionId,
    pub project: ProjectRef,
    pub cwd: Option<String>,
    pub transcript_path: Option<String>,
    pub source: Option<String>,
    pub model: Option<String>,
    pub agent_type: Option<String>,
    pub head: Option<Head>,
    /// The URL of the repository on a server, without user and password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote: Option<String>,
    pub started_at: Timestamp,
    pub ended_at: Option<Timestamp>,
    pub end_reason: Option<String>,
    pub outcome: Option<String>,
    pub exit_status: Option<i64>,
    pub previous: Option<SessionId>,
    pub parent: Option<SessionId>,
    pub name: Option<String>,
    pub role: Option<String>,
    pub focus: Option<String>,
    pub notes: Option<Value>,
    pub description: Option<String>,
    pub machine: Option<String>,
    /// The operating system's machine id, see machine-id(5).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine_id: Option<String>,
    pub archive: Option<Value>,
    /// When the recording stopped because the project was excluded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped_at: Option<Timestamp>,
    /// Members that another version wrote and this one does not know.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// A reference to the project, as a record stores it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProjectRef {
    /// The last component of the root, for people.
    pub name: String,
    /// The root, with invalid UTF-8 replaced.
    pub root: String,
    /// The root's bytes in hex, if it is not UTF-8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root_hex: Option<String>,
}

impl ProjectRef {
    /// Returns the root directory, byte for byte.
    pub fn root(&self) -> PathBuf {
        let exact = self
            .root_hex
            .as_deref()
            .and_then(from_hex)
            .map(OsString::from_vec);
        exact.map_or_else(|| PathBuf::from(&self.root), PathBuf::from)
    }
}

impl From<&Project> for ProjectRef {
    fn from(project: &Project) -> Self {
        let root = project.root();
        Self {
            name: project.name().display(),
            root: root.to_string_lossy().into_owned(),
            root_hex: root
                .to_str()
                .is_none()
                .then(|| to_hex(root.as_os_str().as_bytes())),
        }
    }
}

/// The branch and the commit that were checked out when the session started, from git's files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The branch; null on a detached head.
    pub branch: Option<String>,
    /// The commit; null in a repository without one.
    pub revision: Option<String>,
}

/// The reason why a file's text is not a record.
#[derive(Debug)]
pub enum InvalidRecord {
    /// A newer version of ccsession wrote the record in a form that this one cannot read.
    Newer(u64),
    /// The text is not a record, for this reason.
    Malformed(String),
}

impl fmt::Display for InvalidRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Newer(version) => {
                write!(
                    f,
                    "it has format version {version}, this program knows {VERSION}; update ccsession here"
                )
            }
            Self::Malformed(why) => f.write_str(why),
        }
    }
}

impl Record {
    /// Creates a record of `id` with nothing else known.
    pub fn new(id: SessionId, project: &Project, started_at: Timestamp) -> Self {
        Self {
            v: VERSION,
            session_id: id,
            project: project.into(),
            cwd: None,
            transcript_path: None,
            source: None,
            model: None,
            agent_type: None,
            head: None,
            remote: None,
            started_at,
            ended_at: None,
            end_reason: None,
            outcome: None,
            exit_status: None,
            previous: None,
            parent: None,
            name: None,
            role: None,
            focus: None,
            notes: None,
            description: None,
            machine: None,
            machine_id: None,
            archive: None,
            stopped_at: None,
            extra: Map::new(),
        }
    }

    /// Removes secrets from every text that comes from outside ccsession. Paths and the session id
    /// stay as they are, because they identify the session.
    ///
    /// # Security
    /// The creator of a record must call this before the record is written.
    pub fn redact_words(&mut self) {
        let branch = self.head.as_mut().map(|head| &mut head.branch);
        let words = [
            &mut self.source,
            &mut self.model,
            &mut self.agent_type,
            &mut self.name,
            &mut self.remote,
        ];
        for word in words.into_iter().chain(branch).flatten() {
            Redactor::default().word(word);
        }
    }

    /// Reads `session.json`.
    ///
    /// # Errors
    /// Returns [`InvalidRecord`] if the format is newer, or if the text is not a record.
    pub fn decode(bytes: &[u8]) -> Result<Self, InvalidRecord> {
        match serde_json::from_slice::<Self>(bytes) {
            Ok(record) if record.v == VERSION => Ok(record),
            // Only the version tells why.
            read => {
                check_version(bytes)?;
                read.map_err(|err| InvalidRecord::Malformed(err.to_string()))
            }
        }
    }

    /// Returns the text of `session.json`.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec_pretty(self).unwrap_or_default();
        bytes.push(b'\n');
        bytes
    }

    /// Returns the values that events have by default. A hook leaves such a value out of an event
    /// if the event has the same.
    pub fn scope(&self) -> EventDefaults {
        EventDefaults {
            cwd: self.cwd.clone(),
            transcript_path: self.transcript_path.clone(),
            stopped_at: self.stopped_at.map(|at| at.to_string()),
        }
    }

    /// Returns true if the record's session is in the project at `root`.
    pub fn is_in(&self, root: &Path) -> bool {
        self.project.root() == root
    }
}

pub(super) fn check_version(bytes: &[u8]) -> Result<(), InvalidRecord> {
    #[derive(Deserialize)]
    #[serde(expecting = "a record")]
    struct Versioned {
        v: u64,
    }
    match serde_json::from_slice(bytes) {
        Ok(Versioned { v: VERSION }) => Ok(()),
        Ok(Versioned { v }) if v > VERSION => Err(InvalidRecord::Newer(v)),
        Ok(Versioned { v }) => Err(InvalidRecord::Malformed(format!(
            "there is no format version {v}"
        ))),
        Err(err) => Err(InvalidRecord::Malformed(err.to_string())),
    }
}

/// The values of a record that events have by default. A hook leaves such a value out of an event
/// if the event has the same.
#[derive(Debug, Default, Deserialize)]
pub struct EventDefaults {
    /// The directory in which the session started.
    pub cwd: Option<String>,
    /// The path of the transcript, as Claude Code reported it.
    pub transcript_path: Option<String>,
    /// When the recording stopped; later events are not recorded.
    #[serde(default)]
    pub stopped_at: Option<String>,
}

/// A process that owns, or owned, a session: Claude Code, or a launcher (`ccsession run`).
///
/// A pid alone proves nothing. It is the same process only with the same start time, on the same
/// boot of the same machine, seen from the same pid namespace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// The version of the format.
    pub v: u64,
    /// The process id within its own pid namespace.
    pub pid: u32,
    /// The start of the process in clock ticks since boot, from `/proc/{pid}/stat`.
    pub start: u64,
    /// The kernel's boot id.
    pub boot: String,
    /// The pid namespace's inode.
    pub pidns: u64,
    /// The machine's name when the process started, for people.
    pub machine: Option<String>,
    /// The machine's unique id, if it is known. Older versions of ccsession stored only the name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine_id: Option<String>,
    /// The root of the project in which the process was started.
    #[serde(default)]
    pub root: Option<String>,
    /// True for a launcher, which holds the session for the command that it started. A Claude Code
    /// that this command starts may move to another session.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub launcher: bool,
}

impl Owner {
    /// Returns the name of the owner's file: `{pid}-{start}`.
    pub fn file_name(&self) -> String {
        format!("{}-{}", self.pid, self.start)
    }

    /// Returns the pid and the start time in the name of an owner's file.
    pub fn of_file_name(name: &OsStr) -> Option<(u32, u64)> {
        let (pid, start) = name.to_str()?.split_once('-')?;
        Some((pid.parse().ok()?, start.parse().ok()?))
    }

    /// Returns true if both are the same process.
    pub fn is_process_of(&self, other: &Self) -> bool {
        let process = |owner: &Self| (owner.pid, owner.start, owner.pidns, owner.boot.clone());
        process(self) == process(other)
    }

    /// Reads an owner file. Returns `None` if it is not an owner that this version can read.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes)
            .ok()
            .filter(|owner: &Self| owner.v == VERSION)
    }

    /// Returns the text of an owner file.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec(self).unwrap_or_default();
        bytes.push(b'\n');
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> Record {
        let project = Project::at("/home/dev/shop".into());
        Record::new(
            "s-1".parse().unwrap(),
            &project,
            Timestamp::from_unix(1_800_000_000, 0),
        )
    }

    #[test]
    fn absent_is_null_and_nothing_is_left_out() {
        let value: Value = serde_json::from_slice(&record().encode()).unwrap();
        let keys: Vec<_> = value.as_object().unwrap().keys().cloned().collect();
        assert_eq!(keys.len(), 23, "{keys:?}");
        assert_eq!(value["ended_at"], Value::Null);
        assert_eq!(value["started_at"], "2027-01-15T08:00:00.000000Z");
        assert_eq!(value["project"]["root"], "/home/dev/shop");
    }

    #[test]
    fn what_another_version_wrote_is_kept() {
        let mut value: Value = serde_json::from_slice(&record().encode()).unwrap();
        value["colour"] = "blue".into();
        let read = Record::decode(value.to_string().as_bytes()).unwrap();
        let again: Value = serde_json::from_slice(&read.encode()).unwrap();
        assert_eq!(again, value);
    }

    #[test]
    fn a_newer_format_is_refused_by_name() {
        let text = String::from_utf8(record().encode())
            .unwrap()
            .replace("\"v\": 1", "\"v\": 2");
        assert!(matches!(
            Record::decode(text.as_bytes()),
            Err(InvalidRecord::Newer(2))
        ));
        for bad in ["[]", "{}", "", "null", r#"{"v":1}"#, r#"{"v":0}"#] {
            assert!(
                matches!(
                    Record::decode(bad.as_bytes()),
                    Err(InvalidRecord::Malformed(_))
                ),
                "{bad}"
            );
        }
    }

    #[test]
    fn a_root_that_is_not_utf8_survives() {
        let root = PathBuf::from(OsString::from_vec(b"/tmp/\xff\xfe".to_vec()));
        let record = Record::new(
            "s-1".parse().unwrap(),
            &Project::at(root.clone()),
            Timestamp::from_unix(0, 0),
        );
        let read = Record::decode(&record.encode()).unwrap();
        assert!(read.is_in(&root));
        assert_eq!(read, record);
    }
}
