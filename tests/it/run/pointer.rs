//! The pointer while `run` runs a command, and afterwards.

use std::fs;

use rustix::process::Signal;
use serde_json::json;

use super::{OTHER, assert_put_back, clean_up, kill, started, with_id};
use crate::support::{ID, Sandbox, event, text};

#[test]
fn the_pointer_says_afterwards_what_it_said_before() {
    let sandbox = Sandbox::just_swept();
    let pointer = sandbox.pointer("shop");
    let show = "cat $CCSESSION_POINTER_DIR/claude_session_shop; rm -rf gone";
    // Before there was none.
    let within = with_id(&sandbox, ID, show).stdout();
    assert_eq!(within.lines().next(), Some(ID));
    assert!(!pointer.exists());
    // Before it named a live session, of a client elsewhere: it does again, and is no fresher than it was.
    let start = event("SessionStart", "s-1", json!({"source": "startup"}));
    sandbox.hook(&start).silent();
    let before = fs::read(&pointer).unwrap();
    let within = with_id(&sandbox, ID, show).stdout();
    assert_eq!(within.lines().next(), Some(ID));
    assert_eq!(fs::read(&pointer).unwrap(), before);
    // It ended meanwhile: then there is none.
    let end = event("SessionEnd", "s-1", json!({"reason": "other"}));
    fs::write(sandbox.path("end.json"), end.to_string()).unwrap();
    let script = format!(
        "{} < {}",
        crate::support::SESSION_EVENT,
        sandbox.path("end.json").display()
    );
    with_id(&sandbox, ID, &script).silent();
    assert_eq!(
        sandbox.ccsession(["show", "s-1", "--json"]).json()["state"],
        "ended"
    );
    assert!(!pointer.exists());
    // Another session has become current meanwhile: it stays.
    with_id(&sandbox, ID, "$CCSESSION store s-2").silent();
    assert_eq!(
        text(&fs::read(&pointer).unwrap()).lines().next(),
        Some("s-2")
    );
}

#[test]
fn the_last_of_overlapping_runs_restores_the_original_pointer() {
    let sandbox = Sandbox::just_swept();
    sandbox.ccsession(["store", "s-before"]).silent();
    let before = fs::read(sandbox.pointer("shop")).unwrap();
    let pointed = || {
        text(&fs::read(sandbox.pointer("shop")).unwrap())
            .lines()
            .next()
            .unwrap()
            .to_owned()
    };
    let mut first = started(with_id(&sandbox, ID, "echo; exec sleep 60"));
    let mut second = started(with_id(&sandbox, OTHER, "echo; exec sleep 60"));
    assert_eq!(pointed(), OTHER);
    kill(first.id(), Signal::TERM);
    first.wait().unwrap();
    assert_eq!(pointed(), OTHER);
    kill(second.id(), Signal::TERM);
    second.wait().unwrap();
    assert_eq!(fs::read(sandbox.pointer("shop")).unwrap(), before);
    // One that is killed has it restored by the cleanup.
    let mut killed = started(with_id(&sandbox, ID, "echo; exec cat"));
    kill(killed.id(), Signal::KILL);
    killed.wait().unwrap();
    clean_up(&sandbox);
    assert_eq!(fs::read(sandbox.pointer("shop")).unwrap(), before);
}

#[test]
fn a_nested_run_restores_the_outer_one_and_names_it_as_parent() {
    let sandbox = Sandbox::just_swept();
    let script = format!(
        "$CCSESSION current
         $CCSESSION run --session-id {OTHER} -- /bin/sh -c '$CCSESSION current; cat $CCSESSION_POINTER_DIR/claude_session_shop | head -n 1'
         $CCSESSION current; echo $CCSESSION_ID
         env -u CCSESSION_ID $CCSESSION current"
    );
    let said = with_id(&sandbox, ID, &script).stdout();
    assert_eq!(
        said.lines().collect::<Vec<_>>(),
        [ID, OTHER, ID, ID, ID, ID]
    );
    assert_eq!(sandbox.record(OTHER)["parent"], ID);
    assert_put_back(&sandbox);
}

#[test]
fn a_run_in_another_project_than_its_parents_is_current_there() {
    let sandbox = Sandbox::just_swept();
    let elsewhere = sandbox.path("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    let script = format!(
        "cd {}
         $CCSESSION run --session-id {OTHER} -- /bin/sh -c 'cd $CCSESSION_POINTER_DIR; head -qn 1 claude_session_*'",
        elsewhere.display()
    );
    let said = with_id(&sandbox, ID, &script).stdout();
    assert_eq!(said.lines().collect::<Vec<_>>(), [OTHER, ID]);
    assert_eq!(sandbox.record(OTHER)["parent"], ID);
    assert_put_back(&sandbox);
}

#[test]
fn a_pointer_that_cannot_be_moved_stops_nothing() {
    let sandbox = Sandbox::just_swept();
    fs::create_dir(sandbox.pointer("shop")).unwrap();
    let output = with_id(&sandbox, ID, "echo run").output();
    assert_eq!(
        (output.status.code(), text(&output.stdout)),
        (Some(0), "run\n".to_owned())
    );
    let said = text(&output.stderr);
    assert!(said.starts_with("ccsession: could not"), "{said}");
    assert_eq!(sandbox.record(ID)["outcome"], "completed");
}
