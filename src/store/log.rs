//! The logs in the state directory, which are limited in size: operations, hook errors, events
//! without a session, and pruned sessions.
//!
//! They are JSON Lines, written like a journal. A log that exceeds its limit is moved to
//! `{name}.1.jsonl`, and replaces the old file there. So at most twice the limit is kept.

use std::collections::HashMap;
use std::io::Read;
use std::path::Path;

use serde::Serialize;
use serde::de::IgnoredAny;
use serde_json::{Map, Value};

use super::error::{Error, Result};
use super::journal::framed;
use super::state::StateDir;
use super::write::{self, AppendFile, AppendOutcome, Durability};
use super::{clock, file, lock};
use crate::model::{SessionId, Timestamp};

/// The size in bytes at which a log is moved aside.
pub const LIMIT: u64 = 1 << 20;

/// The logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Log {
    /// Changes that users may want to know of: sessions that were created or ended, files that were
    /// removed.
    Operations,
    /// Errors of hooks. They are logged because nobody sees a hook's stderr.
    HookErrors,
    /// Events without a valid session id.
    Unattributed,
    /// Sessions that were pruned.
    Tombstones,
}

impl Log {
    /// Returns the file name without its extension.
    fn stem(self) -> &'static str {
        match self {
            Self::Operations => "log",
            Self::HookErrors => "hook-errors",
            Self::Unattributed => "unattributed",
            Self::Tombstones => "tombstones",
        }
    }
}

/// One line of a log.
#[derive(Debug, Serialize)]
pub struct LogLine<'a> {
    v: u64,
    ts: Timestamp,
    /// What was done, or what went wrong.
    what: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    session_id: Option<&'a SessionId>,
    pid: u32,
    #[serde(flatten)]
    details: Map<String, Value>,
}

impl<'a> LogLine<'a> {
    /// Creates a line that says `what`, with the present time and this process.
    pub fn new(what: &'a str) -> Self {
        Self {
            v: 1,
            ts: clock::now(),
            what,
            session_id: None,
            pid: std::process::id(),
            details: Map::new(),
        }
    }

    /// Adds the session that the line is about.
    #[must_use]
    pub fn session(mut self, id: &'a SessionId) -> Self {
        self.session_id = Some(id);
        self
    }

    /// Adds a detail.
    #[must_use]
    pub fn detail(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.details.insert(name.to_owned(), value.into());
        self
    }
}

/// Appends a line to a log, creating the file if it is missing.
///
/// # Errors
/// Returns [`Error::Untrusted`] if another user may have written the log,
/// and [`Error::Io`] if it cannot be written.
pub fn append(state: &StateDir, log: Log, line: &LogLine<'_>) -> Result<()> {
    let path = state.path(&format!("{}.jsonl", log.stem()));
    let bytes = framed(&serde_json::to_vec(line).unwrap_or_default());
    let appended = match AppendFile::open(&path)? {
        Some(file) if !file.has_other_names() => file.append(&bytes)?,
        Some(_) => {
            leave_to_backup(state, &path)?;
            write::append(&path, &bytes)?
        }
        None => AppendOutcome::Missing,
    };
    let appended = match appended {
        AppendOutcome::Missing => {
            write::create_small(&path, b"")?;
            write::append(&path, &bytes)?
        }
        done @ AppendOutcome::Done { .. } => done,
    };
    if matches!(appended, AppendOutcome::Done { size_before } if size_before > LIMIT) {
        // Rotate under the lock, or two processes could do it, and the second would overwrite the
        // old log. If the lock is not available, the next append tries again.
        if let Some(_lock) = lock::briefly(state.root())
            && file::look(&path)?.is_some_and(|found| found.meta.size > LIMIT)
        {
            write::rename(&path, &state.path(&format!("{}.1.jsonl", log.stem())))?;
        }
    }
    Ok(())
}

/// Continues a log with several hard links, for example from a backup, in a copy, so that the
/// backup does not change.
fn leave_to_backup(state: &StateDir, path: &Path) -> Result<()> {
    // Wait for the lock, because its holder may be doing the same. If that takes too long, the log
    // is copied twice.
    let _lock = lock::briefly(state.root());
    let Some(mut log) = file::open_own(path)? else {
        return Ok(());
    };
    let mut read = || {
        let mut bytes = Vec::new();
        let read = log.read_to_end(&mut bytes).map(|_| bytes);
        read.map_err(Error::io("read", path))
    };
    write::replace(path, &read()?, Durability::Cached)?;
    // Also keep what other processes have appended meanwhile.
    let rest = read()?;
    if !rest.is_empty() {
        write::append(path, &rest)?;
    }
    Ok(())
}

/// Reads the lines of a log as JSON, oldest first, skipping torn ones.
pub fn read(state: &StateDir, log: Log) -> Vec<Map<String, Value>> {
    let mut lines = Vec::new();
    for_each(state, log, |line| {
        lines.extend(serde_json::from_slice::<Map<String, Value>>(line));
    });
    lines
}

/// Counts the lines of a log, skipping torn ones.
pub fn count(state: &StateDir, log: Log) -> u64 {
    let mut count = 0;
    for_each(state, log, |line| {
        let is_whole = serde_json::from_slice::<HashMap<&str, IgnoredAny>>(line).is_ok();
        count += u64::from(is_whole);
    });
    count
}

/// Keeps only the lines of a log for which `keep` returns true. Lines that other processes append
/// meanwhile stay.
///
/// # Errors
/// Returns [`Error::Untrusted`] or [`Error::Io`] if the file cannot be trusted, read or replaced;
/// it is unchanged then.
pub(super) fn retain(state: &StateDir, log: Log, keep: impl Fn(&[u8]) -> bool) -> Result<()> {
    let stem = log.stem();
    for name in [format!("{stem}.1.jsonl"), format!("{stem}.jsonl")] {
        let path = state.path(&name);
        let Some(mut file) = file::open_own(&path)? else {
            continue;
        };
        let mut read = || {
            let mut bytes = Vec::new();
            let read = file.read_to_end(&mut bytes).map(|_| bytes);
            read.map_err(Error::io("read", &path))
        };
        let before = read()?;
        let lines = before.split(|&byte| byte == b'\n');
        if lines.clone().all(&keep) {
            continue;
        }
        let kept: Vec<&[u8]> = lines.filter(|line| keep(line)).collect();
        write::replace(&path, &kept.join(&b'\n'), Durability::Synced)?;
        let rest = read()?;
        if !rest.is_empty() {
            write::append(&path, &rest)?;
        }
    }
    Ok(())
}

pub(super) fn for_each(state: &StateDir, log: Log, mut visit: impl FnMut(&[u8])) {
    let stem = log.stem();
    for name in [format!("{stem}.1.jsonl"), format!("{stem}.jsonl")] {
        let content = file::read_own(&state.path(&name), 4 * LIMIT as usize);
        if let Ok(Some(content)) = content {
            content.bytes.split(|&b| b == b'\n').for_each(&mut visit);
        }
    }
}
