//! Reads `sessions/{pid}.json`, the file that each running Claude Code writes about itself: what is
//! on its screen, and since when. Claude Code does not document the file, so an unknown value
//! counts as missing.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use super::dirs::claude_dir;
use super::transcript;
use super::words::ClientStatus;
use crate::model::attention::AttentionStatus;
use crate::model::{Owner, Record, SessionId, Timestamp};
use crate::store::{Environment, file};

/// The largest file that is read, in bytes. Usual ones have less than 2 KiB.
const LIMIT: usize = 64 * 1024;
/// How long to wait before an incomplete file is read again. Claude Code rewrites the file in
/// place, so a reader may see half of it.
const AGAIN_AFTER: Duration = Duration::from_millis(20);

/// The members of Claude Code's `sessions/{pid}.json` that ccsession uses.
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
}

/// Returns the folder in which this session's Claude Code writes its file. It is in the directory
/// that has the session's transcript, or else in this user's Claude Code directory.
///
/// # Security
/// A path from a payload is used only if [`transcript::believed`] accepts it.
pub fn folder(env: &Environment, record: &Record) -> Option<PathBuf> {
    // The path of a transcript is `{config}/projects/{slug}/{id}.jsonl`.
    let config_of = |path: &Path| {
        let projects = path.ancestors().nth(2)?;
        let is_clients = projects.file_name()? == "projects";
        is_clients.then(|| projects.parent().map(Path::to_owned))?
    };
    let own = claude_dir(env);
    let recorded = record.transcript_path.as_deref();
    let recorded = recorded.and_then(|path| config_of(Path::new(path)));
    // Beside this user's transcripts, it is the same folder whether or not the path is believed.
    if recorded.is_none() || recorded == own {
        return Some(own?.join("sessions"));
    }
    let mut believed = transcript::believed(env, record, std::iter::empty());
    let beside = believed.find_map(|path| config_of(&path));
    Some(beside.or(own)?.join("sessions"))
}

/// Reads what the running process `owner` reports about itself, if it is in session `id`.
///
/// The caller must know that the process runs, because the file of a killed process stays.
///
/// # Security
/// Only this user's own file is read, and only up to 64 KiB of it.
pub fn read(folder: &Path, owner: &Owner, id: &SessionId) -> Option<AttentionStatus> {
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
    Some(AttentionStatus {
        status: status.and_then(|it| ClientStatus::of(it, written.waiting_for.as_deref())),
        since: since.map(Timestamp::from_micros),
        is_headless: written.entrypoint.as_deref() == Some("sdk-cli"),
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
