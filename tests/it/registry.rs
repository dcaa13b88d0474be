//! The registry of sessions has one file per session: of many that register at once none is lost, and a damaged one affects no
//! other.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Stdio};

use serde_json::json;

use crate::support::files::write_private;
use crate::support::{ID, SESSION_START, Sandbox, event, mode, text};

/// How many sessions register at once.
const MANY: usize = 240;

fn ids() -> Vec<String> {
    let mut ids: Vec<String> = (0..MANY).map(|number| format!("s-{number}")).collect();
    ids.sort();
    ids
}

fn live(sandbox: &Sandbox) -> Vec<String> {
    let listed = sandbox.ccsession(["list", "--json"]).json();
    let sessions = listed["sessions"].as_array().unwrap().iter();
    let mut ids: Vec<String> = sessions
        .map(|session| session["session_id"].as_str().unwrap().to_owned())
        .collect();
    ids.sort();
    ids
}

/// Registers each of these at once: every other by its client's first event, the rest by clocking in.
fn register(sandbox: &Sandbox, ids: &[String]) {
    let payload = |id: &String| {
        let path = sandbox.path(&format!("payload-{id}"));
        let payload = event("SessionStart", id, json!({"source": "startup"}));
        fs::write(&path, payload.to_string()).unwrap();
        fs::File::open(path).unwrap()
    };
    let payloads: Vec<fs::File> = ids.iter().map(payload).collect();
    let begin = |(number, (id, payload)): (usize, (&String, fs::File))| {
        let mut run = match number % 2 {
            0 => sandbox.ccsession(["clock-in", "--session", id, "--focus", id, "--quiet"]),
            _ => sandbox.run(SESSION_START),
        };
        let run = run.command.env("CCSESSION_MAX_CONCURRENT_SESSIONS", "1000");
        let streams = run.stdin(payload).stdout(Stdio::null());
        streams.stderr(Stdio::piped()).spawn().unwrap()
    };
    let children: Vec<Child> = ids.iter().zip(payloads).enumerate().map(begin).collect();
    for (id, child) in ids.iter().zip(children) {
        let output = child.wait_with_output().unwrap();
        let ended = (output.status.code(), text(&output.stderr));
        assert_eq!(ended, (Some(0), String::new()), "{id}");
    }
}

/// In the older tools, of 240 that registered at once, two were kept; the file was open to others.
#[test]
fn of_240_concurrent_registrations_every_one_is_kept() {
    let sandbox = Sandbox::just_swept();
    register(&sandbox, &ids());
    assert_eq!(live(&sandbox), ids());
    for id in ids() {
        assert_eq!(sandbox.record(&id)["session_id"], *id);
        assert_eq!(sandbox.journal(&id).len(), 1, "{id}");
    }
    for file in sandbox.files() {
        assert_eq!(mode(&sandbox.path(&file)), 0o600, "{file}");
    }
    sandbox.assert_no_leftovers();
    // A cleanup takes none for stale.
    sandbox.ccsession(["cleanup"]).stdout();
    assert_eq!(live(&sandbox), ids());
}

/// In the older tools, whoever wrote next after the registry was damaged wiped out all others.
#[test]
fn a_damaged_entry_affects_no_other() {
    let sandbox = Sandbox::just_swept();
    let few = &ids()[..8];
    register(&sandbox, few);
    let keys = sandbox.state().join("projects");
    let key: PathBuf = fs::read_dir(keys).unwrap().next().unwrap().unwrap().path();
    // What is in an entry says nothing; its name does.
    write_private(&key.join("s-0"), "[");
    write_private(&key.join("not an id"), "{\"active_sessions\":");
    write_private(&key.join("s-nobody"), "");
    fs::create_dir(key.join("s-folder")).unwrap();
    let procs = sandbox.state().join("procs");
    fs::create_dir_all(&procs).unwrap();
    write_private(&procs.join("1-1"), "[]");
    write_private(&procs.join("x"), "\0");
    let more: Vec<String> = few.iter().map(|id| format!("{id}-more")).collect();
    register(&sandbox, &more);
    let mut all: Vec<String> = few.iter().chain(&more).cloned().collect();
    all.sort();
    assert_eq!(live(&sandbox), all);
    sandbox.ccsession(["cleanup"]).output();
    assert_eq!(live(&sandbox), all);
    let end = event("SessionEnd", &more[0], json!({"reason": "other"}));
    sandbox.hook(&end).silent();
    all.retain(|id| *id != more[0]);
    assert_eq!(live(&sandbox), all);
}

/// In the older tools, a registry without the expected key, or without anything, was an error.
#[test]
fn a_lost_registry_is_recreated_and_nothing_is_lost() {
    let sandbox = Sandbox::just_swept();
    let few = &ids()[..8];
    register(&sandbox, few);
    for folder in ["projects", "procs", "leases"] {
        let _ = fs::remove_dir_all(sandbox.state().join(folder));
    }
    register(&sandbox, &[ID.to_owned()]);
    sandbox.ccsession(["cleanup"]).stdout();
    let mut all = few.to_vec();
    all.push(ID.to_owned());
    all.sort();
    assert_eq!(live(&sandbox), all);
}
