//! Backups of the state directory by hard links (`cp -al`, `jdupes -L`): nothing that is recorded afterwards is lost, and the
//! backup stays as it was.

use std::fs;
use std::path::PathBuf;

use serde_json::json;

use crate::support::{ID, Sandbox, as_client, event, json_lines, text, walk};

/// Gives every file below the state directory a second name, and returns where those are, with their content.
fn backed_up(sandbox: &Sandbox, name: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let (from, to) = (sandbox.state(), sandbox.path(name));
    let mut copies = Vec::new();
    walk(&from, &mut |path| {
        let copy = to.join(path.strip_prefix(&from).unwrap());
        fs::create_dir_all(copy.parent().unwrap()).unwrap();
        fs::hard_link(path, &copy).unwrap();
        copies.push((copy.clone(), fs::read(&copy).unwrap()));
    });
    copies
}

#[track_caller]
fn assert_unchanged(copies: &[(PathBuf, Vec<u8>)]) {
    for (copy, before) in copies {
        assert_eq!(&fs::read(copy).unwrap(), before, "{copy:?}");
    }
}

fn call(sandbox: &Sandbox, event_name: &str, call: &str) {
    let more = json!({"tool_name": "Bash", "tool_use_id": call});
    sandbox.hook(&event(event_name, ID, more)).silent();
}

/// The calls that the journal's files have, one after the other.
fn calls(sandbox: &Sandbox, files: &[&str]) -> Vec<String> {
    let lines = files
        .iter()
        .flat_map(|file| json_lines(&sandbox.session(ID).join(file)));
    let calls = lines.filter_map(|line| line["tool_use_id"].as_str().map(str::to_owned));
    calls.collect()
}

#[test]
fn events_after_a_backup_are_recorded_and_the_backup_stays_unchanged() {
    let sandbox = Sandbox::just_swept();
    let start = event("SessionStart", ID, json!({"source": "startup"}));
    sandbox.hook(&start).env("CLAUDE_PID", as_client()).silent();
    call(&sandbox, "PreToolUse", "t1");
    let first = backed_up(&sandbox, "first");
    call(&sandbox, "PostToolUse", "t1");
    call(&sandbox, "PreToolUse", "t2");
    let second = backed_up(&sandbox, "second");
    call(&sandbox, "PostToolUse", "t2");

    let files = ["events.1.jsonl", "events.2.jsonl", "events.jsonl"];
    assert_eq!(calls(&sandbox, &files), ["t1", "t1", "t2", "t2"]);
    assert_unchanged(&first);
    assert_unchanged(&second);
    let errors = sandbox.state().join("hook-errors.jsonl");
    assert!(!errors.exists());
}

#[test]
fn hard_linked_files_are_read_changed_and_archived_as_before() {
    let sandbox = Sandbox::just_swept();
    let start = event("SessionStart", ID, json!({"source": "startup"}));
    sandbox.hook(&start).env("CLAUDE_PID", as_client()).silent();
    call(&sandbox, "PreToolUse", "t1");
    sandbox.ccsession(["clock-out", ID]).output();
    let copies = backed_up(&sandbox, "backup");

    let listed = sandbox.ccsession(["list", "--json"]).json();
    assert_eq!(listed["sessions"][0]["state"], "active");
    assert_eq!(
        listed["sessions"][0]["owners"][0]["pid"],
        std::process::id()
    );
    sandbox.ccsession(["timeline", ID]).stdout();
    sandbox
        .ccsession(["clock-in", "--session", ID, "--note", "a note"])
        .output();
    assert_eq!(sandbox.record(ID)["notes"][0]["text"], "a note");
    sandbox
        .ccsession(["archive", "verify"])
        .expect(0, "1 archive is complete and undamaged\n", "");
    sandbox.ccsession(["clock-out", ID]).output();
    let run = sandbox.ccsession(["run", "--session-id", "s-2", "--", "true"]);
    run.silent();
    sandbox.ccsession(["cleanup"]).stdout();
    assert_unchanged(&copies);
}

/// A log that is in the backup, too, goes on in a file of its own.
#[test]
fn a_hard_linked_log_loses_no_line() {
    let sandbox = Sandbox::just_swept();
    let start = |id: &str| {
        let start = event("SessionStart", id, json!({"source": "startup"}));
        sandbox.hook(&start).silent();
    };
    start(ID);
    let copies = backed_up(&sandbox, "backup");
    start("s-2");
    let log = json_lines(&sandbox.state().join("log.jsonl"));
    let created = log.iter().filter(|line| line["what"] == "session created");
    assert_eq!(created.count(), 2);
    assert_unchanged(&copies);
}

/// In the folder of pointers another user can give our files further names: there it stays an objection.
#[test]
fn a_hard_linked_pointer_is_still_not_believed() {
    let sandbox = Sandbox::just_swept();
    let start = event("SessionStart", ID, json!({"source": "startup"}));
    sandbox.hook(&start).silent();
    fs::hard_link(sandbox.pointer("shop"), sandbox.path("another")).unwrap();
    fs::remove_dir_all(sandbox.state()).unwrap();
    let said = sandbox.ccsession(["current", "--explain"]).output();
    assert!(!text(&said.stdout).starts_with(ID), "{said:?}");
}
