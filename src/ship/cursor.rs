//! A cursor records what a destination has, in the file `ship/NAME.jsonl` of the state directory.
//! Lines are appended to the file; when it has grown, it is rewritten. A sender holds the lock
//! beside it.

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::mark::{Counts, Mark, SessionKey, UnderWay};
use crate::model::project::to_hex;
use crate::model::{SessionId, Timestamp};
use crate::store::lines::{LineReader, NextLine};
use crate::store::lock::{self, Lock};
use crate::store::write::{self, Durability};
use crate::store::{Error, StateDir, file};

/// The version of the file that this ccsession writes.
const VERSION: u64 = 1;
/// The folder of the cursors, in the state directory.
const FOLDER: &str = "ship";
/// How many lines more than necessary the file may have before it is rewritten.
const SURPLUS: usize = 10_000;

/// What a destination has.
#[derive(Debug, Default)]
pub struct CursorState {
    /// When and how sending began; `None` if nothing was ever sent.
    pub began: Option<Beginning>,
    /// The sessions of which the destination has at least a part.
    pub sessions: HashMap<SessionKey, SessionCursor>,
    /// The results of all runs, added up.
    pub history: ShipHistory,
    /// How many lines the file has.
    lines: usize,
}

/// How sending to a destination began.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Beginning {
    v: u64,
    /// When sending to the destination began.
    pub at: Timestamp,
    /// Only sessions that began at this time or later are sent from their beginning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// The machine that sends.
    #[serde(flatten)]
    pub sender: Sender,
    /// What is sent: the signals, and which spans. In the words of the settings.
    pub what: String,
}

/// The machine that sends.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sender {
    /// The name of the machine.
    pub machine: Option<String>,
    /// The id of the machine.
    pub machine_id: Option<String>,
}

/// What a destination has of one session.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionCursor {
    /// The state of the session up to which the destination has everything. It has no events if the
    /// destination has nothing yet.
    pub has: Mark,
    /// What was sent beyond that state, if only a part was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub under_way: Option<UnderWay>,
}

/// The results of all runs to a destination, added up.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShipHistory {
    /// When the destination last had everything.
    pub complete_at: Option<Timestamp>,
    /// When the destination last accepted something.
    pub taken_at: Option<Timestamp>,
    /// Why the last run did not send everything.
    pub trouble: Option<Trouble>,
    /// How many items the destination has accepted since sending began.
    pub sent: Counts,
    /// The size of these items before compression, in bytes.
    pub bytes: u64,
    /// How many items the destination has rejected.
    pub rejected: u64,
    /// How many sessions were removed before they were sent completely.
    pub lost: u64,
}

/// Why not everything can be sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trouble {
    /// Since when this has been so.
    pub since: Timestamp,
    /// The reason, on one line.
    pub why: String,
}

/// The result of one run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunResult {
    /// When the run ended.
    pub at: Timestamp,
    /// How many items the destination accepted.
    pub sent: Counts,
    /// The size of these items before compression, in bytes.
    pub bytes: u64,
    /// How many items the destination rejected.
    pub rejected: u64,
    /// How many sessions were removed before they were sent completely.
    pub lost: u64,
    /// Why not everything was sent.
    pub trouble: Option<String>,
}

/// A line of a cursor's file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum CursorLine {
    Begin(Beginning),
    History(ShipHistory),
    Session {
        key: SessionKey,
        #[serde(flatten)]
        cursor: Box<SessionCursor>,
    },
    Gone(SessionKey),
    Run(RunResult),
}

/// Why a cursor cannot be used.
#[derive(Debug)]
pub enum CursorFault {
    /// Another process sends to the destination.
    InUse,
    /// A newer version of ccsession wrote the cursor's file.
    Newer(PathBuf),
    /// The state directory cannot be used.
    Store(Error),
}

impl fmt::Display for CursorFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InUse => f.write_str("another `ccsession ship` is sending to it"),
            Self::Newer(path) => write!(
                f,
                "`{}` is from a newer version of ccsession; update ccsession here",
                crate::store::shown(path)
            ),
            Self::Store(err) => err.fmt(f),
        }
    }
}

impl From<Error> for CursorFault {
    fn from(err: Error) -> Self {
        Self::Store(err)
    }
}

impl CursorState {
    /// Reads what a destination has. Takes no lock.
    ///
    /// # Errors
    /// Returns [`CursorFault::Newer`] or [`CursorFault::Store`] if the file cannot be used.
    pub fn read(state: &StateDir, name: &str) -> Result<Self, CursorFault> {
        Self::read_file(path(state, name))
    }

    fn read_file(path: PathBuf) -> Result<Self, CursorFault> {
        let mut read = Self::default();
        let Some(mut lines) = LineReader::open(&path)? else {
            return Ok(read);
        };
        while let Some(line) = lines.next_line()? {
            // A killed process left an incomplete line. What the line was to record is sent again.
            let NextLine::Line(line) = line else {
                continue;
            };
            let Ok(line) = serde_json::from_slice(line) else {
                if is_newer(line) {
                    return Err(CursorFault::Newer(path));
                }
                continue;
            };
            read.lines += 1;
            match line {
                CursorLine::Begin(began) if began.v > VERSION => {
                    return Err(CursorFault::Newer(path));
                }
                CursorLine::Begin(began) => read.began = Some(began),
                CursorLine::History(history) => read.history = history,
                CursorLine::Session { key, cursor } => {
                    read.sessions.insert(key, *cursor);
                }
                CursorLine::Gone(key) => drop(read.sessions.remove(&key)),
                CursorLine::Run(run) => read.history.add(&run),
            }
        }
        Ok(read)
    }

    /// Returns the content of a cursor's file for this state.
    fn encode(&self) -> Vec<u8> {
        let began = self.began.clone().map(CursorLine::Begin);
        let history = CursorLine::History(self.history.clone());
        let mut bytes = Vec::new();
        for line in began.into_iter().chain([history]) {
            bytes.extend(line.encode());
        }
        for (key, cursor) in &self.sessions {
            let line = CursorLine::Session {
                key: key.clone(),
                cursor: Box::new(cursor.clone()),
            };
            bytes.extend(line.encode());
        }
        bytes
    }
}

impl SessionCursor {
    /// Returns whether the session is over and was sent completely.
    pub(super) fn is_complete(&self) -> bool {
        self.has.is_over && self.under_way.is_none()
    }

    /// Returns whether nothing of the session was ever sent.
    pub(super) fn is_new(&self) -> bool {
        *self == Self::default()
    }
}

impl ShipHistory {
    fn add(&mut self, run: &RunResult) {
        self.sent.spans += run.sent.spans;
        self.sent.logs += run.sent.logs;
        self.bytes += run.bytes;
        self.rejected += run.rejected;
        self.lost += run.lost;
        if run.sent != Counts::default() {
            self.taken_at = Some(run.at);
        }
        let before = self.trouble.take();
        match &run.trouble {
            Some(why) => {
                let since = before.map_or(run.at, |before| before.since);
                let why = why.clone();
                self.trouble = Some(Trouble { since, why });
            }
            None => self.complete_at = Some(run.at),
        }
    }
}

/// Returns the names of the destinations that have a part of a session.
pub fn holders(state: &StateDir, id: &SessionId) -> Vec<String> {
    let key = SessionKey::from(id);
    let names = file::names(&state.path(FOLDER)).into_iter().flatten();
    let mut holders: Vec<String> = names
        .filter_map(|name| Some(name.to_str()?.strip_suffix(".jsonl")?.to_owned()))
        .filter(|name| {
            let read = CursorState::read(state, name).ok();
            read.is_some_and(|read| read.sessions.get(&key).is_some_and(|it| !it.is_new()))
        })
        .collect();
    holders.sort();
    holders
}

/// The cursor of a destination. Only this process may use it, because it holds the lock.
#[derive(Debug)]
pub struct Cursor {
    path: PathBuf,
    /// What the destination has.
    pub state: CursorState,
    _lock: Lock,
}

impl Cursor {
    /// Takes the cursor of the destination called `name`, and holds its lock.
    ///
    /// # Errors
    /// Returns a [`CursorFault`] if another process holds the lock, or if the file cannot be used.
    pub fn take(state: &StateDir, name: &str) -> Result<Self, CursorFault> {
        Self::take_at(state, name, path(state, name))
    }

    /// Takes the cursor in a file that the user chose, and holds its lock.
    ///
    /// # Errors
    /// Returns a [`CursorFault`] if another process holds the lock, or if the file cannot be used.
    pub fn take_file(state: &StateDir, path: &Path) -> Result<Self, CursorFault> {
        write::refuse_others(path)?;
        // Anyone who can open a lock file can hold the lock, so the lock is not beside the user's
        // file.
        let mut name = to_hex(&Sha256::digest(path.as_os_str().as_encoded_bytes()));
        name.truncate(16);
        Self::take_at(state, &format!("file-{name}"), path.to_owned())
    }

    fn take_at(state: &StateDir, name: &str, path: PathBuf) -> Result<Self, CursorFault> {
        write::make_dir(&state.path(FOLDER))?;
        let lock = state.path(FOLDER).join(format!("{name}.lock"));
        let lock = lock::acquire(&lock, Duration::ZERO).map_err(|err| match err {
            Error::Locked { .. } => CursorFault::InUse,
            err => CursorFault::Store(err),
        })?;
        let mut cursor = Self {
            state: CursorState::read_file(path.clone())?,
            path,
            _lock: lock,
        };
        if cursor.state.lines > 2 * cursor.state.sessions.len() + SURPLUS {
            cursor.rewrite()?;
        }
        Ok(cursor)
    }

    /// Begins sending, or begins again. The destination then counts as having nothing.
    ///
    /// # Errors
    /// Returns [`Error::Io`]; the file then keeps its former content.
    pub fn begin(
        &mut self,
        at: Timestamp,
        since: Option<Timestamp>,
        sender: Sender,
        what: String,
    ) -> Result<(), Error> {
        self.state = CursorState {
            began: Some(Beginning {
                v: VERSION,
                at,
                since,
                sender,
                what,
            }),
            ..CursorState::default()
        };
        self.rewrite()
    }

    /// Writes the whole present state. If sending has not begun, it begins at `at`.
    ///
    /// # Errors
    /// Returns [`Error::Io`]; the file then keeps its former content.
    pub fn keep(
        &mut self,
        at: Timestamp,
        since: Option<Timestamp>,
        sender: Sender,
        what: String,
    ) -> Result<(), Error> {
        self.state.began.get_or_insert(Beginning {
            v: VERSION,
            at,
            since,
            sender,
            what,
        });
        self.rewrite()
    }

    /// Records which machine sends now, and what it sends.
    ///
    /// # Errors
    /// Fails as [`write::append`] does.
    pub fn continue_as(&mut self, sender: Sender, what: String) -> Result<(), Error> {
        let Some(began) = self.state.began.clone() else {
            return Ok(());
        };
        let began = Beginning {
            sender,
            what,
            ..began
        };
        self.state.began = Some(began.clone());
        self.append(&[CursorLine::Begin(began)])
    }

    /// Records what the destination has of some sessions.
    ///
    /// # Errors
    /// Fails as [`write::append`] does.
    pub fn note(&mut self, sessions: Vec<(SessionKey, SessionCursor)>) -> Result<(), Error> {
        let lines: Vec<CursorLine> = sessions
            .iter()
            .map(|(key, cursor)| CursorLine::Session {
                key: key.clone(),
                cursor: Box::new(cursor.clone()),
            })
            .collect();
        self.state.sessions.extend(sessions);
        self.append(&lines)
    }

    /// Forgets sessions that no longer exist.
    ///
    /// # Errors
    /// Fails as [`write::append`] does.
    pub fn forget(&mut self, keys: &[SessionKey]) -> Result<(), Error> {
        let lines: Vec<CursorLine> = keys.iter().cloned().map(CursorLine::Gone).collect();
        for key in keys {
            self.state.sessions.remove(key);
        }
        self.append(&lines)
    }

    /// Records the result of a run.
    ///
    /// # Errors
    /// Fails as [`write::append`] does.
    pub fn end_run(&mut self, run: RunResult) -> Result<(), Error> {
        self.state.history.add(&run);
        self.append(&[CursorLine::Run(run)])
    }

    fn append(&mut self, lines: &[CursorLine]) -> Result<(), Error> {
        if lines.is_empty() {
            return Ok(());
        }
        let bytes: Vec<u8> = lines.iter().flat_map(CursorLine::encode).collect();
        self.state.lines += lines.len();
        match write::append(&self.path, &bytes)? {
            write::AppendOutcome::Done { .. } => Ok(()),
            // Somebody removed the file meanwhile, so write all of it.
            write::AppendOutcome::Missing => self.rewrite(),
        }
    }

    fn rewrite(&mut self) -> Result<(), Error> {
        write::replace_beside_others(&self.path, &self.state.encode(), Durability::Synced)?;
        self.state.lines = self.state.sessions.len() + 2;
        Ok(())
    }
}

impl CursorLine {
    /// Encodes the line, with a line break before and after it. If a killed process left an
    /// incomplete line, the first line break ends that line.
    fn encode(&self) -> Vec<u8> {
        let json = serde_json::to_vec(self).unwrap_or_default();
        [b"\n".as_slice(), &json, b"\n"].concat()
    }
}

fn path(state: &StateDir, name: &str) -> PathBuf {
    state.path(FOLDER).join(format!("{name}.jsonl"))
}

/// Returns whether an unreadable line is the `begin` line of a newer version.
fn is_newer(line: &[u8]) -> bool {
    let line: Option<serde_json::Value> = serde_json::from_slice(line).ok();
    let version = line.and_then(|line| line.get("begin")?.get("v")?.as_u64());
    version.is_some_and(|version| version > VERSION)
}
