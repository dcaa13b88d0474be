//! The file that each running Claude Code writes about itself, `sessions/{pid}.json`: what is on
//! its screen, and what the session is called. Not documented by Claude Code, so everything that is
//! missing or unknown here counts as not said.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use super::dirs::claude_dir;
use super::words::ClientStatus;
use crate::model::attention::AttentionStatus;
use crate::model::{Owner, SessionId, Timestamp};
use crate::store::{Environment, file};

/// The largest file that is read, in bytes. Usual ones have less than 2 KiB.
const LIMIT: usize = 64 * 1024;
/// Claude Code rewrites the file in place, so a reader may see half of it. A moment later it is
/// whole.
const AGAIN_AFTER: Duration = Duration::from_millis(20);

/// What a running Claude Code says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// What is on its screen.
    pub status: AttentionStatus,
    /// What the session is called, unless Claude Code made the name of the folder's.
    pub name: Option<String>,
}

/// The members that are read.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Written {
    session_id: String,
    #[serde(default)]
    proc_start: Option<String>,
    #[serde(default)]
    entrypoint: Option<String>,
    #[serde(default)]
    status: Option<String>,
    #[serde(default)]
    waiting_for: Option<String>,
    #[serde(default)]
    status_updated_at: Option<i64>,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    name_source: Option<String>,
}

/// Returns the folder in which the Claude Code of a session with this transcript writes, or that of
/// this user's Claude Code.
pub fn folder(env: &Environment, transcript: Option<&str>) -> Option<PathBuf> {
    // {config}/projects/{slug}/{id}.jsonl
    let config = transcript.map(Path::new).and_then(|path| {
        let projects = path.parent()?.parent()?;
        (projects.file_name()? == "projects").then(|| projects.parent())?
    });
    let config = config.map(Path::to_owned).or_else(|| claude_dir(env))?;
    Some(config.join("sessions"))
}

/// Reads what the running process `owner` says, if it says it about session `id`.
///
/// The caller knows that the process runs: the file of a killed one stays.
///
/// # Security
/// Only this user's own file is read, and only up to 64 KiB of it.
pub fn read(folder: &Path, owner: &Owner, id: &SessionId) -> Option<Entry> {
    let path = folder.join(format!("{}.json", owner.pid));
    let written = parse(&path).or_else(|| {
        file::look(&path).ok()??;
        std::thread::sleep(AGAIN_AFTER);
        parse(&path)
    })?;
    let is_its = |start: &str| {
        start
            .parse()
            .map_or(true, |start: u64| start == owner.start)
    };
    let is_same = written.proc_start.as_deref().is_none_or(is_its);
    if written.session_id != id.as_str() || !is_same {
        return None;
    }
    let status = written.status.as_deref();
    let since = written
        .status_updated_at
        .and_then(|millis| millis.checked_mul(1000));
    Some(Entry {
        status: AttentionStatus {
            status: status.and_then(|it| ClientStatus::of(it, written.waiting_for.as_deref())),
            since: since.map(Timestamp::from_micros),
            is_headless: written.entrypoint.as_deref() == Some("sdk-cli"),
        },
        name: written
            .name
            .filter(|_| written.name_source.as_deref() != Some("derived")),
    })
}

/// Returns when process `pid` last wrote about itself.
pub fn changed(folder: &Path, pid: u32) -> Option<Timestamp> {
    let look = file::look(&folder.join(format!("{pid}.json"))).ok()?;
    Some(look?.meta.modified)
}

fn parse(path: &Path) -> Option<Written> {
    let content = file::read_own(path, LIMIT).ok()??;
    serde_json::from_slice(&content.bytes).ok()
}
