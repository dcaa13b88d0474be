//! Claude Code as the command, or as whoever has the session already.

use std::fs;

use serde_json::{Value, json};

use super::{OTHER, assert_put_back, leases, run, with_id};
use crate::support::{ID, SESSION_START, Sandbox, event, write_program};

/// A client that treats ids as Claude Code does: a transcript makes an id used.
const CLIENT: &str = r#"#!/bin/sh
transcript=$HOME/.claude/projects/shop/$2.jsonl
case $1 in
    --session-id) [ ! -e "$transcript" ] || { echo "Error: Session ID $2 is already in use." >&2; exit 1; } ;;
    --resume) [ -e "$transcript" ] || { echo "No conversation found with session ID: $2" >&2; exit 1; } ;;
    *) echo "no id: $*"; exit 0 ;;
esac
mkdir -p "$HOME/.claude/projects/shop"
[ "$3" = unsaid ] || echo line >> "$transcript"
echo "$*"
[ "$3" != crash ] || kill -9 $$
"#;

#[test]
fn the_client_is_told_its_id_in_the_way_that_it_takes() {
    let sandbox = Sandbox::just_swept();
    let client = sandbox.path("bin/claude");
    fs::create_dir(sandbox.path("bin")).unwrap();
    write_program(&client, CLIENT);
    let claude = |options: &[&str], arguments: &[&str]| {
        let mut run = sandbox.ccsession(["run"].iter().chain(options));
        run.command.arg("--").arg(&client).args(arguments);
        run
    };
    let fresh = format!("--session-id {ID} hello\n");
    let resumed = format!("--resume {ID} hello\n");
    // It ended before it wrote anything; so the id is still a new one to it.
    claude(&["--session-id", ID], &["unsaid"]).expect(
        0,
        &format!("--session-id {ID} unsaid\n"),
        "",
    );
    claude(&["--resume", ID], &["hello"]).expect(0, &fresh, "");
    claude(&["--session-id", ID], &["hello"]).expect(0, &resumed, "");
    claude(&["--resume", ID], &["hello"]).expect(0, &resumed, "");
    // After a crash, too, and of an id that only the client has ever heard of.
    claude(&["--session-id", OTHER], &["crash"]).expect(
        137,
        &format!("--session-id {OTHER} crash\n"),
        "",
    );
    claude(&["--session-id", OTHER], &["hello"]).expect(
        0,
        &format!("--resume {OTHER} hello\n"),
        "",
    );
    let foreign = "7d6a694d-1111-4222-8333-444455556666";
    fs::write(
        sandbox
            .home()
            .join(format!(".claude/projects/shop/{foreign}.jsonl")),
        "x\n",
    )
    .unwrap();
    claude(&["--resume", foreign], &["hello"]).expect(
        0,
        &format!("--resume {foreign} hello\n"),
        "",
    );
    // Its verbs start no session.
    claude(&[], &["mcp", "list"]).expect(0, "no id: mcp list\n", "");
    for (options, arguments, why) in [
        (
            &["--session-id", "s-1"][..],
            &["hello"][..],
            "it accepts only UUIDs",
        ),
        (
            &[],
            &["-p", "--resume", ID],
            "the command has its own `--resume`",
        ),
        (&[], &["--continue"], "the command has its own `--continue`"),
    ] {
        let said = claude(options, arguments).refused(64);
        assert!(said.contains(why), "{said}");
    }
    assert_put_back(&sandbox);
}

#[test]
fn a_session_that_is_live_in_a_client_is_not_started_in_a_second_one() {
    let sandbox = Sandbox::just_swept();
    let start = event("SessionStart", ID, json!({"source": "startup"}));
    sandbox
        .hook(&start)
        .env("CLAUDE_PID", crate::support::as_client())
        .silent();
    let said = sandbox
        .ccsession(["run", "--session-id", ID, "--", "claude"])
        .refused(75);
    let pid = std::process::id();
    assert!(
        said.contains(&format!("it is live in process {pid}")),
        "{said}"
    );
    assert_eq!(leases(&sandbox), [""; 0]);
    // Any other command may be run as part of it.
    with_id(&sandbox, ID, "echo run").expect(0, "run\n", "");
    assert_eq!(
        sandbox.ccsession(["show", ID, "--json"]).json()["state"],
        "active"
    );
}

#[test]
fn a_command_within_a_live_session_does_not_end_it() {
    let sandbox = Sandbox::just_swept();
    let start = event("SessionStart", ID, json!({"source": "startup"}));
    sandbox
        .hook(&start)
        .env("CLAUDE_PID", crate::support::as_client())
        .silent();
    with_id(&sandbox, ID, "exit 9").expect(9, "", "");
    let record = sandbox.record(ID);
    assert_eq!(
        json!([record["ended_at"], record["outcome"]]),
        json!([null, null])
    );
    assert_eq!(
        sandbox.ccsession(["show", ID, "--json"]).json()["state"],
        "active"
    );
}

#[test]
fn a_session_left_by_a_clear_is_live_while_run_holds_it() {
    let sandbox = Sandbox::just_swept();
    for (name, more) in [
        ("SessionStart", json!({"source": "startup"})),
        ("SessionEnd", json!({"reason": "clear"})),
    ] {
        sandbox.hook(&event(name, ID, more)).silent();
    }
    let script = "$CCSESSION current; $CCSESSION list --state active | wc -l";
    let said = run(&sandbox, &["--resume", ID], script).stdout();
    assert_eq!(said.split_whitespace().collect::<Vec<_>>(), [ID, "2"]);
    assert_put_back(&sandbox);
}

#[test]
fn a_shell_that_becomes_a_client_is_a_client() {
    let sandbox = Sandbox::just_swept();
    let start = event("SessionStart", ID, json!({"source": "startup"})).to_string();
    // The shell is the command of the run; what its hook names as the client is this very process.
    let script = format!(
        "CLAUDE_PID=$$; export CLAUDE_PID; printf %s '{start}' | {SESSION_START}; cat {}/sessions/{ID}/owners/$$-*",
        sandbox.state().display()
    );
    let owner: Value = with_id(&sandbox, ID, &script).json();
    assert_eq!(owner.get("launcher"), None);
    assert_put_back(&sandbox);
}
