//! The command line as scripts and people meet it: `list`, `show`, `store`, `config`, help, wrong usage, and broken streams.

mod destinations;
mod empty;
mod listed;
mod screen;
mod settings;
mod shown;
mod streams;
mod times;
mod usage;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use crate::support::states::{no_sweep, start, start_and_die};
use crate::support::{Sandbox, as_client, event};

const VERBS: [&str; 17] = [
    "current",
    "store",
    "list",
    "show",
    "timeline",
    "stats",
    "import",
    "metrics",
    "clock-in",
    "clock-out",
    "archive",
    "cleanup",
    "run",
    "config",
    "install",
    "uninstall",
    "doctor",
];

/// A sandbox in which no hook leaves a cleanup behind, since one was made just now.
fn swept() -> Sandbox {
    let sandbox = Sandbox::new();
    fs::create_dir(sandbox.state()).unwrap();
    fs::set_permissions(sandbox.state(), fs::Permissions::from_mode(0o700)).unwrap();
    no_sweep(&sandbox);
    sandbox
}

/// A session of this process, started in `dir`.
fn start_in(sandbox: &Sandbox, id: &str, dir: &Path) {
    sandbox
        .hook(&event("SessionStart", id, json!({"source": "startup"})))
        .env("CLAUDE_PID", as_client())
        .dir(dir)
        .silent();
}

fn end(sandbox: &Sandbox, id: &str) {
    sandbox
        .hook(&event("SessionEnd", id, json!({"reason": "other"})))
        .env("CLAUDE_PID", as_client())
        .silent();
}

/// A session without a process that can be judged.
fn start_unowned(sandbox: &Sandbox, id: &str) {
    sandbox
        .hook(&event("SessionStart", id, json!({"source": "startup"})))
        .silent();
}

fn record_path(sandbox: &Sandbox, id: &str) -> PathBuf {
    sandbox.session(id).join("session.json")
}

/// Changes a record as an editor could.
fn edit_record(sandbox: &Sandbox, id: &str, change: impl FnOnce(&mut Value)) {
    let mut record = sandbox.record(id);
    change(&mut record);
    fs::write(record_path(sandbox, id), record.to_string()).unwrap();
}

/// Makes a session this old: its start, and its last event.
fn age(sandbox: &Sandbox, id: &str, started: u64, active: u64) {
    let time = chrono::Local::now() - chrono::TimeDelta::seconds(started.try_into().unwrap());
    edit_record(sandbox, id, |record| {
        record["started_at"] = json!(time.to_rfc3339())
    });
    let journal = fs::File::options()
        .write(true)
        .open(sandbox.session(id).join("events.jsonl"))
        .unwrap();
    journal
        .set_modified(SystemTime::now() - Duration::from_secs(active))
        .unwrap();
}

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;

/// Three sessions: live, ended, and abandoned by a client that died; the live one is the last to have done anything.
fn three() -> Sandbox {
    let sandbox = swept();
    start(&sandbox, "s-ended");
    end(&sandbox, "s-ended");
    start_and_die(&sandbox, "s-abandoned");
    start(&sandbox, "s-live");
    age(&sandbox, "s-abandoned", 50 * HOUR + 30, 49 * HOUR + 30);
    age(
        &sandbox,
        "s-ended",
        5 * HOUR + 9 * MINUTE + 30,
        3 * HOUR + 5 * MINUTE + 30,
    );
    age(
        &sandbox,
        "s-live",
        2 * HOUR + 5 * MINUTE + 30,
        HOUR + 2 * MINUTE + 30,
    );
    sandbox
}

fn ids(answer: &Value) -> Vec<&str> {
    let sessions = answer["sessions"].as_array().unwrap().iter();
    sessions
        .map(|session| session["session_id"].as_str().unwrap())
        .collect()
}
