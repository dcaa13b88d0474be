//! Power failures: a file whose name reached the disk before its bytes is empty, zeros or cut off afterwards. A session's next
//! event recreates what the session needs; what cannot be recreated is written to the disk before it gets its name.

use std::fs;
use std::path::Path;

use ccsession::store::write::Durability;
use ccsession::store::{Decompressor, Places, StateDir};
use serde_json::{Value, json};

use crate::support::archives::{begun, said, write};
use crate::support::files::write_private;
use crate::support::tracing::can_inject;
use crate::support::{CCSESSION, ID, Run, Sandbox, as_client, event};

/// What a power failure leaves of a file.
const LOST: [&[u8]; 4] = [
    b"",
    b"\0\0\0\0",
    b"{\n  \"v\": 1,\0\0\0\0",
    b"{\n  \"v\": 1,\n  \"session_id\": \"5b",
];

fn payload(name: &str) -> Value {
    let more = match name {
        "SessionStart" => json!({"source": "resume"}),
        "UserPromptSubmit" => json!({"prompt": "go on"}),
        _ => json!({"tool_name": "Bash", "tool_use_id": "t9"}),
    };
    event(name, ID, more)
}

/// The session [`ID`] with a call, and what its record said.
fn recorded() -> (Sandbox, Value) {
    let sandbox = Sandbox::just_swept();
    let start = event("SessionStart", ID, json!({"source": "startup"}));
    sandbox.hook(&start).env("CLAUDE_PID", as_client()).silent();
    sandbox
        .hook(&event(
            "PreToolUse",
            ID,
            json!({"tool_name": "Bash", "tool_use_id": "t1"}),
        ))
        .silent();
    let record = sandbox.record(ID);
    (sandbox, record)
}

#[track_caller]
fn check(lost: Option<&[u8]>, is_journal_lost: bool, next: &str) {
    let case = format!("{lost:?}, {is_journal_lost}, {next}");
    let (sandbox, before) = recorded();
    let path = sandbox.session(ID).join("session.json");
    match lost {
        Some(bytes) => fs::write(&path, bytes).unwrap(),
        None => fs::remove_file(&path).unwrap(),
    }
    if is_journal_lost {
        fs::write(sandbox.session(ID).join("events.jsonl"), b"").unwrap();
    }
    sandbox
        .hook(&payload(next))
        .env("CLAUDE_PID", as_client())
        .silent();
    let record = sandbox.record(ID);
    assert_eq!(record["session_id"], ID, "{case}");
    assert_eq!(record["project"], before["project"], "{case}");
    if !is_journal_lost {
        // As the journal began, to the microsecond.
        assert_eq!(record["started_at"], before["started_at"], "{case}");
        assert_eq!(record["source"], "startup", "{case}");
    }
    let events = if is_journal_lost { 1 } else { 3 };
    assert_eq!(sandbox.journal(ID).len(), events, "{case}");
    sandbox.ccsession(["show", ID]).stdout();
    let listed = sandbox.ccsession(["list", "--json"]).json();
    assert_eq!(listed["sessions"][0]["state"], "active", "{case}");
    let archived = sandbox.ccsession(["clock-out", ID]).output();
    assert_eq!(archived.status.code(), Some(0), "{case}: {archived:?}");
    sandbox.assert_no_leftovers();
}

#[test]
fn a_lost_record_is_recreated_by_any_next_event() {
    for next in ["SessionStart", "UserPromptSubmit", "PreToolUse"] {
        for is_journal_lost in [false, true] {
            for lost in LOST {
                check(Some(lost), is_journal_lost, next);
            }
            check(None, is_journal_lost, next);
        }
    }
}

/// A record that somebody has damaged, or a newer version wrote, is theirs to correct.
#[test]
fn a_record_that_says_something_else_is_left_as_it_is() {
    for other in ["[]\n", "{\"v\": 99}\n", "{bad", "no JSON"] {
        let (sandbox, _) = recorded();
        let path = sandbox.session(ID).join("session.json");
        write_private(&path, other);
        sandbox.hook(&payload("UserPromptSubmit")).silent();
        assert_eq!(fs::read_to_string(&path).unwrap(), other);
    }
}

#[test]
fn a_lost_record_is_recreated_by_an_import() {
    let sandbox = Sandbox::just_swept();
    let transcript = begun(&sandbox, json!({}));
    let line = json!({"type": "user", "sessionId": ID, "uuid": "u-1", "timestamp": "2026-11-20T10:00:00.000Z", "cwd": sandbox.project(), "message": {"role": "user", "content": "one"}});
    write(&transcript, format!("{line}\n"));
    fs::write(sandbox.session(ID).join("session.json"), b"").unwrap();
    sandbox.ccsession(["import"]).output();
    sandbox.ccsession(["show", ID]).stdout();
}

#[test]
fn a_lost_lease_holds_nothing_and_is_removed_by_a_cleanup() {
    for lost in LOST {
        let sandbox = Sandbox::just_swept();
        let lease = sandbox.state().join("leases/s-1");
        write(&lease, lost);
        fs::set_permissions(
            lease.parent().unwrap(),
            std::os::unix::fs::PermissionsExt::from_mode(0o700),
        )
        .unwrap();
        sandbox.ccsession(["cleanup"]).stdout();
        assert!(!lease.exists());
        write(&lease, lost);
        sandbox
            .ccsession(["run", "--session-id", "s-1", "--", "true"])
            .silent();
    }
}

#[test]
fn an_owner_that_is_lost_is_written_again() {
    let (sandbox, _) = recorded();
    let owners = sandbox.session(ID).join("owners");
    let owner = fs::read_dir(&owners)
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    let before = fs::read(&owner).unwrap();
    for lost in LOST {
        fs::write(&owner, lost).unwrap();
        sandbox
            .hook(&payload("UserPromptSubmit"))
            .env("CLAUDE_PID", as_client())
            .silent();
        assert_eq!(fs::read(&owner).unwrap(), before);
    }
}

/// The calls of a command that send bytes to the disk, wait for it or give a file its name, in order.
fn calls_of(run: Run, sandbox: &Sandbox, arguments: &[&str]) -> Vec<String> {
    let trace = sandbox.path("trace");
    let mut run = run;
    let traced = "trace=fsync,fdatasync,fadvise64,rename,renameat,renameat2,link,linkat";
    run.command
        .args(["-f", "-qq", "-y", "-s", "4096", "-e", traced, "-o"]);
    run.command.arg(&trace).args(arguments);
    let output = run.output();
    assert!(output.status.success(), "{output:?}");
    let lines = fs::read_to_string(trace).unwrap();
    lines.lines().map(str::to_owned).collect()
}

fn calls(sandbox: &Sandbox, payload: &Value) -> Vec<String> {
    let hook = crate::support::hook_for(payload["hook_event_name"].as_str().unwrap());
    let run = sandbox.run("strace").stdin(payload.to_string());
    calls_of(run, sandbox, &[hook])
}

fn is_sync(call: &&String) -> bool {
    call.contains("fsync(") || call.contains("fdatasync(")
}

/// Where the call is that has all of these in it.
#[track_caller]
fn place_of(calls: &[String], parts: &[&str]) -> usize {
    let place = calls
        .iter()
        .position(|call| parts.iter().all(|part| call.contains(part)));
    place.unwrap_or_else(|| panic!("{parts:?} in {calls:#?}"))
}

/// A start waits for the disk once: for its record, which has its name then, so that the name is there, too.
#[test]
fn the_record_of_a_start_and_its_name_are_on_the_disk_before_the_hook_ends() {
    if !can_inject() {
        return;
    }
    let sandbox = Sandbox::just_swept();
    let start = event("SessionStart", ID, json!({"source": "startup"}));
    let calls_of_start = calls(&sandbox, &start);
    assert_eq!(calls_of_start.iter().filter(is_sync).count(), 1);
    let record = format!("/sessions/{ID}/session.json");
    let named = place_of(&calls_of_start, &["rename", &format!("{record}\"")]);
    let synced = place_of(&calls_of_start, &["sync(", &format!("{record}>")]);
    assert!(named < synced, "{calls_of_start:#?}");
    for name in ["PreToolUse", "PostToolUse", "UserPromptSubmit"] {
        let calls = calls(&sandbox, &payload(name));
        assert!(
            !calls.iter().any(|call| is_sync(&call)),
            "{name}: {calls:?}"
        );
    }
    for name in ["PreToolUse", "PostToolUse"] {
        let calls = calls(&sandbox, &payload(name));
        assert_eq!(calls, [""; 0], "{name}");
    }
}

/// What nobody waits for is on its way to the disk before it gets a name that was free: the pointer, and the record of a session
/// that is first heard of in the middle.
#[test]
fn a_new_file_is_being_written_out_before_it_gets_its_name() {
    if !can_inject() {
        return;
    }
    let sandbox = Sandbox::just_swept();
    let calls = calls(&sandbox, &payload("UserPromptSubmit"));
    assert!(!calls.iter().any(|call| is_sync(&call)), "{calls:?}");
    for name in [
        format!("/sessions/{ID}/session.json"),
        "/claude_session_shop".to_owned(),
    ] {
        let named = place_of(&calls, &["rename", &format!("{name}\"")]);
        let temporary = calls[named].split('"').nth(1).unwrap();
        let sent = place_of(
            &calls,
            &[
                "fadvise64(",
                &format!("{temporary}>"),
                "POSIX_FADV_DONTNEED",
            ],
        );
        assert!(sent < named, "{calls:#?}");
    }
}

/// What a command has said to be done is on the disk, and so is its name.
#[track_caller]
fn check_kept(arguments: &[&str], file: &str) {
    let (sandbox, _) = recorded();
    let mut command = vec![CCSESSION];
    command.extend(arguments);
    let calls = calls_of(sandbox.run("strace"), &sandbox, &command);
    let name = format!("{file}\"");
    let is_named = |call: &String| call.contains("rename") && call.contains(&name);
    let named = calls
        .iter()
        .rposition(is_named)
        .unwrap_or_else(|| panic!("{calls:#?}"));
    let temporary = calls[named].split('"').nth(1).unwrap();
    let synced = place_of(&calls, &["sync(", &format!("{temporary}>")]);
    assert!(synced < named, "{calls:#?}");
    let dir = sandbox.path(file.trim_start_matches('/'));
    let dir = format!("{}>", dir.parent().unwrap().display());
    let kept = calls[named..]
        .iter()
        .any(|call| call.contains("fsync(") && call.contains(&dir));
    assert!(kept, "{dir}: {calls:#?}");
}

#[test]
fn the_result_of_a_command_is_on_the_disk_with_its_name() {
    if !can_inject() {
        return;
    }
    check_kept(&["store", "s-7"], "/pointers/claude_session_shop");
    let record = format!("/state/sessions/{ID}/session.json");
    check_kept(
        &["clock-in", "--session", ID, "--note", "x", "--quiet"],
        &record,
    );
    check_kept(&["install"], "/home/.claude/settings.json");
}

/// What is created can be read: all notes that one command line holds make a record that is, and one that would be too large
/// is refused, and nothing is there.
#[test]
fn a_record_that_would_be_too_large_to_be_read_is_not_created() {
    let sandbox = Sandbox::just_swept();
    let note = "日".repeat(2000);
    let mut run = sandbox.ccsession(["clock-in", "--session", ID, "--quiet"]);
    for _ in 0..190 {
        run = run.arg("--note").arg(&note);
    }
    assert_eq!(run.output().status.code(), Some(0));
    sandbox.ccsession(["show", ID]).stdout();

    let places = Places {
        state: Some(sandbox.state()),
        pointers: sandbox.pointers(),
        config: None,
    };
    let state = StateDir::open(&places, Decompressor::BUILT_IN)
        .unwrap()
        .unwrap();
    let session = state.session(&"s-2".parse().unwrap());
    let mut record = state
        .session(&ID.parse().unwrap())
        .record()
        .unwrap()
        .unwrap();
    record.session_id = "s-2".parse().unwrap();
    record.description = Some("x".repeat(1 << 22));
    let refused = session
        .create_record(&record, Durability::Cached)
        .unwrap_err();
    let said = refused.to_string();
    assert!(said.contains("too large to be read again"), "{said}");
    assert!(!session.path().exists());
}

/// A count of tokens that is too large to be read is counted again.
#[test]
fn a_count_of_tokens_that_is_too_large_is_counted_again() {
    let sandbox = Sandbox::just_swept();
    let transcript = begun(&sandbox, json!({}));
    write(&transcript, said(&["one"]));
    let usage = sandbox.session(ID).join("usage.json");
    write(&usage, "");
    let file = fs::File::options().write(true).open(&usage).unwrap();
    file.set_len(300 << 20).unwrap();
    sandbox.ccsession(["clock-out", ID]).stdout();
    let size = |path: &Path| fs::metadata(path).unwrap().len();
    assert!(size(&usage) < 1 << 20);
}

/// No event of Claude Code follows in such a session, and no transcript exists.
#[test]
fn a_lost_record_of_a_session_without_claude_code_is_recreated_by_run_and_clock_in() {
    let mends: [&[&str]; 3] = [
        &["run", "--session-id", ID, "--", "true"],
        &["run", "--resume", ID, "--", "true"],
        &["clock-in", "--session", ID, "--role", "reviewer"],
    ];
    for begin in [mends[0], mends[2]] {
        for mend in mends {
            for lost in LOST {
                let sandbox = Sandbox::just_swept();
                let case = format!("{begin:?} {mend:?} {lost:?}");
                let done = |arguments: &[&str]| {
                    let output = sandbox.ccsession(arguments).output();
                    assert!(output.status.success(), "{case}: {output:?}");
                };
                done(begin);
                let before = sandbox.record(ID);
                let events = sandbox.journal(ID).len();
                fs::write(sandbox.session(ID).join("session.json"), lost).unwrap();
                done(mend);
                let after = sandbox.record(ID);
                let first = sandbox.journal(ID)[0]["ts"].clone();
                assert_eq!(after["started_at"], first, "{case}");
                assert_eq!(after["project"], before["project"], "{case}");
                assert!(sandbox.journal(ID).len() > events, "{case}");
                done(&["show", ID]);
            }
        }
    }
}

/// What somebody has damaged is theirs to correct.
#[test]
fn run_and_clock_in_leave_a_damaged_record_as_it_is() {
    let (sandbox, _) = recorded();
    let path = sandbox.session(ID).join("session.json");
    write_private(&path, "{bad");
    for arguments in [
        &["run", "--session-id", ID, "--", "true"][..],
        &["clock-in", "--session", ID],
    ] {
        sandbox.ccsession(arguments).refused(1);
        assert_eq!(fs::read_to_string(&path).unwrap(), "{bad");
    }
}
