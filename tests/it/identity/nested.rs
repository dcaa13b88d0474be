//! Clients within a call of another client whose process name does not identify them: old versions that are run by the path of
//! the version, renamed ones, scripts.

use std::fs;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::Stdio;

use serde_json::{Value, json};

use super::{Call, Client, answer, check, check_state, listed, quoted, repository};
use crate::support::{
    CCSESSION, PRE_TOOL_USE, SESSION_EVENT, SESSION_START, Sandbox, copy_program, event,
    write_program,
};

/// What a client of the session `inner` does that is started within another: each line that it prints is what `current` says.
const INNER: &str = r#"
"$START" <"$1/start.json" && "$EVENT" <"$1/prompt.json"
"$CCSESSION" current --json
CLAUDE_CODE_SESSION_ID=inner "$CCSESSION" current --json
"$CCSESSION" list --json
"$CALL" <"$1/call.json"
"$CCSESSION" timeline inner --json
"$EVENT" <"$1/end.json"
:"#;

/// Runs `program`, a copy of a shell, as a client of the session `inner` within a call of `outer`, and returns what it said.
fn within(sandbox: &Sandbox, outer: &mut Client, program: &str, source: &str) -> Vec<Value> {
    let path = sandbox.path(program);
    copy_program("/bin/sh", &path);
    for (name, payload) in [
        (
            "start",
            event("SessionStart", "inner", json!({"source": source})),
        ),
        (
            "prompt",
            event("UserPromptSubmit", "inner", json!({"prompt": "go"})),
        ),
        (
            "call",
            event(
                "PreToolUse",
                "inner",
                json!({"tool_name": "Bash", "tool_use_id": "t2"}),
            ),
        ),
        (
            "end",
            event("SessionEnd", "inner", json!({"reason": "other"})),
        ),
    ] {
        fs::write(sandbox.path(&format!("{name}.json")), payload.to_string()).unwrap();
    }
    let script = sandbox.path("inner.sh");
    fs::write(&script, INNER).unwrap();
    let words = [&path, &script, &sandbox.path("")].map(|path| quoted(path.to_str().unwrap()));
    let said = outer.say(&format!(
        "(cd {}; export CLAUDE_PID=$$ CLAUDE_CODE_SESSION_ID=outer START={SESSION_START} CALL={PRE_TOOL_USE} EVENT={SESSION_EVENT} CCSESSION={CCSESSION}
        sh -c '\"$@\"; :' sh {})",
        quoted(sandbox.project().to_str().unwrap()),
        words.join(" ")
    ));
    serde_json::Deserializer::from_str(&said)
        .into_iter()
        .map(|value| value.unwrap_or_else(|_| panic!("{said}")))
        .collect()
}

/// Whatever it begins by, and whether or not the outer one waits for it: with `is_open`, in the middle of a call.
#[track_caller]
fn check_nested(program: &str, source: &str, is_open: bool) {
    let sandbox = Sandbox::just_swept();
    let project = repository(&sandbox.project());
    let mut outer = Client::in_session(&sandbox, "outer", &project);
    if is_open {
        let call = json!({"tool_name": "Bash", "tool_use_id": "t1"});
        outer.hook("PreToolUse", "outer", call, &project);
    }
    let said = within(&sandbox, &mut outer, program, source);
    let [by_process, by_variable, list, timeline] = &said[..] else {
        panic!("{said:#?}")
    };
    check(by_process, Some("inner"), "process", "exact");
    check(by_variable, Some("inner"), "environment", "exact");
    let live: Vec<&str> = list["sessions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|session| session["session_id"].as_str().unwrap())
        .collect();
    assert!(live.contains(&"outer") && live.contains(&"inner"), "{list}");
    // Its events are not of the process that the variable names which it inherited: that one does not run its calls.
    assert_eq!(timeline["calls"][0]["state"], "running", "{timeline}");
    let of_outer = outer.shell.id();
    let journal = sandbox.journal("inner");
    assert_eq!(journal.len(), 4);
    assert!(journal.iter().all(|line| line["pid"] != of_outer));
    assert_eq!(sandbox.record("inner")["parent"], "outer");
    check_state(&sandbox, "inner", "ended");
    check_state(&sandbox, "outer", "active");
    check(
        &outer.current_in(&project),
        Some("outer"),
        "process",
        "exact",
    );
    let pointer = fs::read_to_string(sandbox.pointer("shop")).unwrap();
    assert!(pointer.starts_with("outer\n"), "{pointer}");
}

#[test]
fn a_client_of_any_name_within_a_call_is_not_the_client_around_it() {
    for program in ["2.1.197", "my-claude", "node"] {
        check_nested(program, "startup", true);
    }
    check_nested("2.1.197", "resume", true);
    check_nested("2.1.197", "clear", true);
    check_nested("claude", "startup", true);
}

#[test]
fn a_background_client_of_any_name_is_not_the_outer_client() {
    check_nested("2.1.197", "startup", false);
    check_nested("2.1.197", "resume", false);
}

/// Its own hooks come through a wrapper that is no shell; what it goes on with is its own all the same.
#[test]
fn a_wrapped_client_that_switches_sessions_is_still_recognised() {
    let sandbox = Sandbox::just_swept();
    let project = repository(&sandbox.project());
    let wrapper = sandbox.path("wrapper");
    copy_program("/bin/sh", &wrapper);
    let wrapped = |payload: &Value| {
        let hook = Call::hook(payload, &project);
        Call {
            arguments: vec!["-c".to_owned(), format!("{}; :", hook.program)],
            program: wrapper.to_str().unwrap().to_owned(),
            ..hook
        }
    };
    let mut client = Client::start(&sandbox);
    let events = [
        event("SessionStart", "s-1", json!({"source": "startup"})),
        event("SessionEnd", "s-1", json!({"reason": "clear"})),
        event("SessionStart", "s-2", json!({"source": "clear"})),
        // The end of this one never came.
        event("SessionStart", "s-3", json!({"source": "clear"})),
        event("SessionEnd", "s-3", json!({"reason": "resume"})),
        event("SessionStart", "s-1", json!({"source": "resume"})),
    ];
    for payload in &events {
        assert_eq!(client.run(&wrapped(payload)), "");
        if payload["hook_event_name"] == "SessionStart" {
            let id = payload["session_id"].as_str();
            check(&client.current_in(&project), id, "process", "exact");
        }
    }
    let pid = listed(&sandbox, "s-1")["pid"].clone();
    assert_eq!(listed(&sandbox, "s-1")["state"], "active", "{pid}");
}

/// A client without hooks that nothing tells but the id which it sets.
#[test]
fn an_id_that_was_set_below_the_known_client_wins() {
    let sandbox = Sandbox::just_swept();
    let project = repository(&sandbox.project());
    let program = sandbox.path("2.1.197");
    copy_program("/bin/sh", &program);
    let mut outer = Client::in_session(&sandbox, "outer", &project);
    let within = |variable: &str, program: &str| Call {
        arguments: [
            "-c",
            &format!("{variable}={} {CCSESSION} current --json; :", "inner"),
        ]
        .map(str::to_owned)
        .to_vec(),
        ..Call::new(program, &project).env("CLAUDE_CODE_SESSION_ID", "outer")
    };
    let id = "CLAUDE_CODE_SESSION_ID";
    let said = outer.run(&within(id, program.to_str().unwrap()));
    check(&answer(&said), Some("inner"), "environment", "exact");
    // A shell is no client: what it sets is not believed over the process tree.
    let said = outer.run(&within(id, "/bin/sh"));
    check(&answer(&said), Some("outer"), "process", "exact");
}

/// An old one, which sets nothing, and whose name is the client's.
#[test]
fn an_unrecorded_client_does_not_get_the_variable_of_the_outer_client() {
    let sandbox = Sandbox::just_swept();
    let project = repository(&sandbox.project());
    let program = sandbox.path("claude");
    copy_program("/bin/sh", &program);
    let mut outer = Client::in_session(&sandbox, "outer", &project);
    let ask = |program: &str| Call {
        arguments: ["-c", &format!("{CCSESSION} current --json; :")]
            .map(str::to_owned)
            .to_vec(),
        ..Call::new(program, &project).env("CLAUDE_CODE_SESSION_ID", "outer")
    };
    let said = outer.run(&ask(program.to_str().unwrap()));
    check(&answer(&said), None, "unknown", "none");
    // A script of that name is no client.
    let script = sandbox.path("script/claude");
    fs::create_dir(script.parent().unwrap()).unwrap();
    write_program(
        &script,
        &format!("#!/bin/sh\n{CCSESSION} current --json; :\n"),
    );
    let call = Call::new(script.to_str().unwrap(), &project);
    check(
        &answer(&outer.run(&call)),
        Some("outer"),
        "process",
        "exact",
    );
}

/// As in a terminal server that another client's hook started: what it starts has that client's variables.
#[test]
fn an_old_client_does_not_get_the_variable_of_a_sibling() {
    let sandbox = Sandbox::just_swept();
    let project = repository(&sandbox.project());
    let beside = Client::in_session(&sandbox, "beside", &project);
    let mut old = Client::by_name(&sandbox);
    let begun = event("SessionStart", "old", json!({"source": "startup"}));
    let called = json!({"tool_name": "Bash", "tool_use_id": "t1"});
    let called = event("PreToolUse", "old", called);
    for (hook, payload) in [(SESSION_START, begun), (PRE_TOOL_USE, called)] {
        let (dir, pid) = (quoted(project.to_str().unwrap()), beside.shell.id());
        let said = old.say(&format!(
            "(cd {dir}; CLAUDE_PID={pid} {hook}) <<'@@'\n{payload}\n@@"
        ));
        assert_eq!(said, "");
    }
    let journal = sandbox.journal("old");
    assert_eq!(journal.len(), 2);
    assert!(
        journal.iter().all(|line| line["pid"].is_null()),
        "{journal:?}"
    );
    let timeline = sandbox.ccsession(["timeline", "old", "--json"]).json();
    assert_eq!(timeline["calls"][0]["state"], "running", "{timeline}");
}

/// As of 2.1.197 that is run by the path of its version, and has outlived what started it: its hooks have a session of processes
/// of their own, and a socket.
#[cfg(target_os = "linux")]
#[test]
fn without_other_evidence_an_old_client_is_the_one_that_started_its_hook() {
    let sandbox = Sandbox::just_swept();
    let project = repository(&sandbox.project());
    let program = sandbox.path("2.1.197");
    copy_program("/bin/sh", &program);
    let (mut ours, theirs) = UnixStream::pair().unwrap();
    let begun = event("SessionStart", "old", json!({"source": "startup"}));
    ours.write_all(begun.to_string().as_bytes()).unwrap();
    drop(ours);
    let mut command = sandbox.run(&program).dir(&project).command;
    let script = r#"setsid "$0"; echo; exec sleep 600"#;
    let mut client = command
        .args(["-c", script, SESSION_START])
        .stdin(OwnedFd::from(theirs))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = [0];
    client
        .stdout
        .as_mut()
        .unwrap()
        .read_exact(&mut said)
        .unwrap();
    let owner = listed(&sandbox, "old")["owners"][0]["pid"].clone();
    client.kill().unwrap();
    client.wait().unwrap();
    assert_eq!((said, owner), ([b'\n'], json!(client.id())));
}
