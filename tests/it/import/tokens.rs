//! Tokens, counted by an import or a cleanup.

use std::fs;

use serde_json::json;

use super::{RUN_A, messages};
use crate::support::transcripts::{copy_tree, put, put_lines};
use crate::support::{SESSION_START, Sandbox, data, event, json_lines};

#[test]
fn tokens_are_counted_by_an_import_and_kept() {
    let sandbox = Sandbox::new();
    copy_tree(&data("transcripts/a"), &sandbox.projects());
    sandbox.ccsession(["import", "--dry-run"]).stdout();
    assert!(!sandbox.state().exists());
    sandbox.import();
    let transcript = sandbox
        .projects()
        .join(format!("-home-dev-shop/{RUN_A}.jsonl"));
    let lines = json_lines(&transcript);
    put_lines(&transcript, &lines[..lines.len() / 2]);
    sandbox.import();
    assert_eq!(messages(&sandbox, RUN_A), 5);
    fs::remove_file(transcript).unwrap();
    assert_eq!(messages(&sandbox, RUN_A), 5);
    put(&sandbox.session(RUN_A).join("usage.json"), "{bad");
    let output = sandbox.ccsession(["stats", RUN_A]).output();
    let said = String::from_utf8(output.stderr).unwrap();
    let begins = format!(
        "ccsession: could not read `{}`: ",
        sandbox.session(RUN_A).join("usage.json").display()
    );
    let ends = format!("; the tokens of session `{RUN_A}` were left out\n");
    assert!(said.starts_with(&begins) && said.ends_with(&ends), "{said}");
}

#[test]
fn tokens_of_a_session_that_has_ended_are_counted_by_a_cleanup_and_kept() {
    let sandbox = Sandbox::just_swept();
    copy_tree(&data("transcripts/a"), &sandbox.projects());
    sandbox.play("a");
    sandbox.ccsession(["cleanup", "--dry-run"]).stdout();
    assert!(!sandbox.session(RUN_A).join("usage.json").exists());
    sandbox.ccsession(["cleanup"]).stdout();
    fs::remove_dir_all(sandbox.projects()).unwrap();
    assert_eq!(messages(&sandbox, RUN_A), 5);
}

#[test]
fn tokens_of_a_session_that_was_abandoned_are_counted_by_a_cleanup_and_kept() {
    let sandbox = Sandbox::just_swept();
    // Not by the daily look at all sessions.
    put(&sandbox.state().join("daily"), "");
    copy_tree(&data("transcripts/a"), &sandbox.projects());
    // The shell is the client, and gone afterwards.
    let start = event("SessionStart", RUN_A, json!({"source": "startup"}));
    sandbox
        .run("/bin/sh")
        .arg("-c")
        .arg(format!("CLAUDE_PID=$$ {SESSION_START}; exit $?"))
        .stdin(start.to_string())
        .silent();
    sandbox.ccsession(["cleanup"]).stdout();
    fs::remove_dir_all(sandbox.projects()).unwrap();
    assert_eq!(messages(&sandbox, RUN_A), 5);
}
