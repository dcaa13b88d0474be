//! What became of a session: which one it follows, who has it, and when nobody has it any more.

use rustix::process::{WaitId, WaitIdOptions};
use serde_json::{Value, json};

use super::{Call, Client, check, check_state, current_in, listed, outside, quoted, repository};
use crate::support::{CCSESSION, SESSION_START, Sandbox, event, text};

fn owners(sandbox: &Sandbox, id: &str) -> usize {
    std::fs::read_dir(sandbox.session(id).join("owners"))
        .unwrap()
        .count()
}

#[track_caller]
fn check_lineage(sandbox: &Sandbox, id: &str, previous: Option<&str>, parent: Option<&str>) {
    let record = sandbox.record(id);
    assert_eq!(
        (&record["previous"], &record["parent"]),
        (&json!(previous), &json!(parent)),
        "{id}"
    );
}

#[test]
fn each_clear_names_the_session_before_it() {
    let sandbox = Sandbox::just_swept();
    let project = repository(&sandbox.project());
    let mut client = Client::in_session(&sandbox, "s-0", &project);
    // Another client's sessions are nobody's predecessors here.
    let _other = Client::in_session(&sandbox, "other", &project);
    for (old, new) in [("s-0", "s-1"), ("s-1", "s-2")] {
        client.end(old, "clear", &project);
        client.begin(new, "clear", &project);
        check_state(&sandbox, old, "ended");
        check(&client.current_in(&project), Some(new), "process", "exact");
    }
    // The end of the old one never came.
    client.begin("s-3", "clear", &project);
    check_state(&sandbox, "s-2", "abandoned");
    check(
        &client.current_in(&project),
        Some("s-3"),
        "process",
        "exact",
    );
    check_lineage(&sandbox, "s-0", None, None);
    check_lineage(&sandbox, "s-1", Some("s-0"), None);
    check_lineage(&sandbox, "s-2", Some("s-1"), None);
    check_lineage(&sandbox, "s-3", Some("s-2"), None);
    check_lineage(&sandbox, "other", None, None);
}

#[test]
fn a_session_resumed_in_a_second_process_ends_with_the_last_of_them() {
    let sandbox = Sandbox::just_swept();
    let project = repository(&sandbox.project());
    let mut first = Client::in_session(&sandbox, "s-1", &project);
    let mut second = Client::start(&sandbox);
    second.begin("s-1", "resume", &project);
    assert_eq!(owners(&sandbox, "s-1"), 2);
    for client in [&mut first, &mut second] {
        check(
            &client.current_in(&project),
            Some("s-1"),
            "process",
            "exact",
        );
    }
    check(
        &current_in(&sandbox, &project),
        Some("s-1"),
        "project",
        "exact",
    );

    first.end("s-1", "other", &project);
    assert_eq!(owners(&sandbox, "s-1"), 1);
    check_state(&sandbox, "s-1", "active");
    assert!(sandbox.pointer("shop").exists());
    check(
        &second.current_in(&project),
        Some("s-1"),
        "process",
        "exact",
    );
    check(
        &current_in(&sandbox, &project),
        Some("s-1"),
        "project",
        "exact",
    );

    second.end("s-1", "other", &project);
    check_state(&sandbox, "s-1", "ended");
    assert!(!sandbox.pointer("shop").exists());
    check(&second.current_in(&project), None, "unknown", "none");
    check(&current_in(&sandbox, &project), None, "unknown", "none");
    check_lineage(&sandbox, "s-1", None, None);
}

/// Nobody can say where it is, but that it is live; so it is not left out.
#[test]
fn the_session_of_a_process_counts_even_if_its_record_is_unreadable() {
    let sandbox = Sandbox::just_swept();
    let project = repository(&sandbox.project());
    let bad = Client::in_session(&sandbox, "s-bad", &project);
    let _good = Client::in_session(&sandbox, "s-good", &project);
    let path = sandbox.session("s-bad").join("session.json");
    std::fs::write(&path, "{\"v\": 99}").unwrap();
    let current = |outcome: &str| {
        let output = sandbox.ccsession(["current", "--json"]).output();
        let said = text(&output.stderr);
        assert!(said.contains(path.to_str().unwrap()), "{said}");
        assert!(said.ends_with(outcome), "{said}");
        super::answer(&text(&output.stdout))
    };
    let ambiguous = current("; a process owns its session, so it counts as live\n");
    check(&ambiguous, None, "project", "ambiguous");
    bad.kill();
    let good = current("; skipped\n");
    check(&good, Some("s-good"), "project", "exact");
}

/// The first of two processes leaves the session by `/clear`, without a word about the old one.
#[test]
fn if_one_of_two_processes_switches_sessions_the_other_keeps_the_session() {
    let sandbox = Sandbox::just_swept();
    let project = repository(&sandbox.project());
    let mut first = Client::in_session(&sandbox, "s-1", &project);
    let mut second = Client::start(&sandbox);
    second.begin("s-1", "resume", &project);
    first.begin("s-2", "clear", &project);
    check(&first.current_in(&project), Some("s-2"), "process", "exact");
    check(
        &second.current_in(&project),
        Some("s-1"),
        "process",
        "exact",
    );
    check(
        &current_in(&sandbox, &project),
        None,
        "project",
        "ambiguous",
    );
    // The variable of its last session, in which only the other process is now.
    let call = Call::current(&[], &project).env("CLAUDE_CODE_SESSION_ID", "s-1");
    check(
        &super::answer(&first.run(&call)),
        Some("s-2"),
        "process",
        "exact",
    );
    second.kill();
    check_state(&sandbox, "s-1", "abandoned");
    check(
        &current_in(&sandbox, &project),
        Some("s-2"),
        "project",
        "exact",
    );
}

#[test]
fn a_session_of_two_processes_outlives_the_one_that_is_killed() {
    let sandbox = Sandbox::just_swept();
    let project = repository(&sandbox.project());
    let first = Client::in_session(&sandbox, "s-1", &project);
    let mut second = Client::start(&sandbox);
    second.begin("s-1", "resume", &project);
    first.kill();
    check_state(&sandbox, "s-1", "active");
    sandbox.ccsession(["cleanup"]).expect(0, "0\n", "");
    check(
        &second.current_in(&project),
        Some("s-1"),
        "process",
        "exact",
    );
    check(
        &current_in(&sandbox, &project),
        Some("s-1"),
        "project",
        "exact",
    );
    // The killed one is no reason to wait.
    second.end("s-1", "other", &project);
    check_state(&sandbox, "s-1", "ended");

    let mut third = Client::start(&sandbox);
    third.begin("s-1", "resume", &project);
    check_state(&sandbox, "s-1", "active");
    third.kill();
    check_state(&sandbox, "s-1", "abandoned");
    check(&current_in(&sandbox, &project), None, "unknown", "none");
}

/// What started the client has not asked yet how it ended.
#[test]
fn a_killed_client_that_is_still_a_zombie_has_no_session() {
    let sandbox = Sandbox::just_swept();
    let project = repository(&sandbox.project());
    let mut client = Client::in_session(&sandbox, "s-1", &project);
    client.shell.kill().unwrap();
    let pid = rustix::process::Pid::from_child(&client.shell);
    let left_as_it_is = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
    rustix::process::waitid(WaitId::Pid(pid), left_as_it_is).unwrap();
    check_state(&sandbox, "s-1", "abandoned");
    check(&current_in(&sandbox, &project), None, "unknown", "none");
}

#[test]
fn the_end_of_an_unknown_session_is_recorded_as_such() {
    let sandbox = Sandbox::just_swept();
    let project = repository(&sandbox.project());
    let mut client = Client::in_session(&sandbox, "s-1", &project);
    let mut other = Client::start(&sandbox);
    other.end("late", "other", &project);
    let late = listed(&sandbox, "late");
    assert_eq!(
        (&late["source"], &late["state"]),
        (&json!("late"), &json!("ended"))
    );
    check_lineage(&sandbox, "late", None, None);
    assert_eq!(owners(&sandbox, "late"), 0);
    check(&other.current_in(&sandbox.home()), None, "unknown", "none");
    check(
        &client.current_in(&project),
        Some("s-1"),
        "process",
        "exact",
    );
    check(
        &current_in(&sandbox, &project),
        Some("s-1"),
        "project",
        "exact",
    );
}

/// A fork is made from the session that its process was in (`/branch`); of one in another process nobody says from which.
#[test]
fn a_fork_has_no_invented_predecessor() {
    let sandbox = Sandbox::just_swept();
    let project = repository(&sandbox.project());
    let mut client = Client::in_session(&sandbox, "s-1", &project);
    client.begin("s-2", "fork", &project);
    let mut other = Client::start(&sandbox);
    other.begin("s-3", "fork", &project);
    check_lineage(&sandbox, "s-2", Some("s-1"), None);
    check_lineage(&sandbox, "s-3", None, None);
    check(
        &client.current_in(&project),
        Some("s-2"),
        "process",
        "exact",
    );
    check_state(&sandbox, "s-1", "abandoned");

    // Back in the session that it was forked from.
    client.end("s-2", "resume", &project);
    client.begin("s-1", "resume", &project);
    check_state(&sandbox, "s-1", "active");
    check_state(&sandbox, "s-2", "ended");
    check(
        &client.current_in(&project),
        Some("s-1"),
        "process",
        "exact",
    );
    check_lineage(&sandbox, "s-1", None, None);
}

#[test]
fn a_nested_client_names_its_outer_session_and_has_its_own() {
    let sandbox = Sandbox::just_swept();
    let project = repository(&sandbox.project());
    let mut outer = Client::in_session(&sandbox, "outer", &project);
    let start =
        |id, source| quoted(&event("SessionStart", id, json!({"source": source})).to_string());
    let script = format!(
        "export CLAUDE_PID=$$
        printf %s {} | {SESSION_START}; {CCSESSION} current --json
        CLAUDE_CODE_SESSION_ID=outer {CCSESSION} current --json
        printf %s {} | {SESSION_START}; {CCSESSION} current --json
        exit",
        start("nested", "startup"),
        start("cleared", "clear"),
    );
    let mut call = Call::new("sh", &project);
    call.arguments = vec!["-c".to_owned(), script];
    let said = outer.run(&call.through(2));
    let answers: Vec<Value> = serde_json::Deserializer::from_str(&said)
        .into_iter()
        .map(Result::unwrap)
        .collect();
    let [nested, stale, cleared] = &answers[..] else {
        panic!("{said}")
    };
    check(nested, Some("nested"), "process", "exact");
    check(cleared, Some("cleared"), "process", "exact");
    // The variable is the outer client's, which is above, too; the nearest one is the session.
    check(stale, Some("nested"), "process", "exact");
    check_lineage(&sandbox, "outer", None, None);
    check_lineage(&sandbox, "nested", None, Some("outer"));
    check_lineage(&sandbox, "cleared", Some("nested"), Some("outer"));
    // The nested client has ended without a word.
    check(
        &outer.current_in(&project),
        Some("outer"),
        "process",
        "exact",
    );
    check_state(&sandbox, "cleared", "abandoned");
    check(
        &current_in(&sandbox, &project),
        Some("outer"),
        "project",
        "exact",
    );
    let pointer = Call::current(&["--name", "shop"], &project);
    check(
        &super::answer(&outside(&sandbox, &pointer)),
        Some("outer"),
        "pointer",
        "last_known",
    );
}

/// A nested client that is on no record is not the session around it: its events are nobody's.
#[test]
fn an_unrecorded_nested_client_is_not_in_the_outer_session() {
    let sandbox = Sandbox::just_swept();
    let project = repository(&sandbox.project());
    let mut outer = Client::in_session(&sandbox, "outer", &project);
    let script = format!(
        "export CLAUDE_PID=$$
        for event in Stop PreToolUse UserPromptSubmit; do
            echo \"{{\\\"hook_event_name\\\": \\\"$event\\\"}}\" | {}
        done
        {CCSESSION} current --json
        exit",
        crate::support::SESSION_EVENT
    );
    let mut call = Call::new("sh", &project);
    call.arguments = vec!["-c".to_owned(), script];
    let answer = super::answer(&outer.run(&call));
    assert_eq!(sandbox.journal("outer").len(), 1);
    assert_ne!(answer["trust"], "exact", "{answer}");
}
