//! The ladder through `ccsession current`: each rung, and why one is skipped.

use std::fs;

use serde_json::{Value, json};

use crate::support::pointers::{in_utc, place};
use crate::support::states::{start, start_and_die};
use crate::support::terminal::with_stderr_on_a_terminal;
use crate::support::{CCSESSION, ID, Sandbox, as_client, event, text};

fn current(sandbox: &Sandbox) -> Value {
    sandbox.ccsession(["current", "--json"]).json()
}

#[track_caller]
fn check(answer: &Value, id: Option<&str>, rung: &str, trust: &str) {
    assert_eq!(
        (&answer["session_id"], &answer["rung"], &answer["trust"]),
        (&json!(id), &json!(rung), &json!(trust))
    );
}

#[test]
fn nothing_known_is_an_honest_unknown() {
    let sandbox = Sandbox::new();
    sandbox.ccsession(["current"]).expect(0, "unknown\n", "");
    sandbox
        .ccsession(["current", "--strict"])
        .expect(3, "unknown\n", "");
    check(&current(&sandbox), None, "unknown", "none");
}

#[test]
fn an_explicit_id_wins_and_a_malformed_one_is_an_error() {
    let sandbox = Sandbox::new();
    start(&sandbox, ID);
    sandbox
        .ccsession(["current", "--session", ID])
        .expect(0, &format!("{ID}\n"), "");
    sandbox.ccsession(["current", "--session", "s-9"]).expect(
        0,
        "s-9\n",
        "ccsession: session `s-9` is not on record; see `ccsession list --all`\n",
    );
    let said = sandbox
        .ccsession(["current", "--session", "../x"])
        .refused(64);
    assert!(
        said.starts_with("ccsession: could not use `../x` as a session id: "),
        "{said}"
    );
}

#[test]
fn the_beginning_of_an_explicit_id_is_enough_if_one_session_has_it() {
    let sandbox = Sandbox::new();
    for id in ["7f1b-one", "7f1c-two"] {
        start(&sandbox, id);
    }
    let asked = |given: &str| sandbox.ccsession(["current", "--session", given]);
    for given in ["7f1b", "7f1b-one"] {
        asked(given).expect(0, "7f1b-one\n", "");
        let answer = asked(given).arg("--json").json();
        check(&answer, Some("7f1b-one"), "explicit", "exact");
    }
    let output = asked("7f1").output();
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(4), "{said}");
    assert!(
        said.contains("7f1b-one") && said.contains("7f1c-two"),
        "{said}"
    );
}

#[test]
fn an_explicit_id_that_is_not_on_record_is_not_trusted() {
    let sandbox = Sandbox::new();
    start(&sandbox, ID);
    let output = sandbox
        .ccsession(["current", "--session", "zzz", "--json"])
        .output();
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    check(&answer, Some("zzz"), "explicit", "none");
    let strict = ["current", "--session", "zzz", "--strict"];
    assert_eq!(sandbox.ccsession(strict).output().status.code(), Some(3));
}

#[test]
fn a_person_who_stores_an_unknown_id_is_warned() {
    let sandbox = Sandbox::new();
    start(&sandbox, ID);
    for (id, is_warned) in [("zzz", true), (ID, false)] {
        let told = with_stderr_on_a_terminal(sandbox.ccsession(["store", id]));
        assert_eq!(told.status, Some(0));
        let is_said = told.terminal.contains("session `zzz` is not on record");
        assert_eq!(is_said, is_warned, "{}", told.terminal);
    }
    sandbox.ccsession(["store", "zzz"]).expect(0, "", "");
}

#[test]
fn a_hooks_stdin_is_used_on_request() {
    let sandbox = Sandbox::new();
    let payload = event("Stop", "s-9", json!({})).to_string();
    sandbox
        .ccsession(["current", "--hook-input"])
        .stdin(payload)
        .expect(0, "s-9\n", "");
    sandbox
        .ccsession(["current", "--hook-input"])
        .stdin("garbage")
        .expect(0, "unknown\n", "");
}

#[test]
fn claude_codes_variable_is_nearer_than_ours() {
    let sandbox = Sandbox::new();
    let run = || {
        sandbox
            .ccsession(["current", "--json"])
            .env("CCSESSION_ID", "ours")
    };
    check(&run().json(), Some("ours"), "environment", "exact");
    check(
        &run().env("CLAUDE_CODE_SESSION_ID", "claudes").json(),
        Some("claudes"),
        "environment",
        "exact",
    );
    check(
        &run().env("CCSESSION_ID", "not an id").json(),
        None,
        "unknown",
        "none",
    );
}

#[test]
fn a_variable_of_an_ended_session_is_ignored() {
    let sandbox = Sandbox::new();
    start(&sandbox, ID);
    sandbox
        .hook(&event("SessionEnd", ID, json!({"reason": "other"})))
        .env("CLAUDE_PID", as_client())
        .silent();
    let explained = sandbox
        .ccsession(["current", "--explain"])
        .env("CLAUDE_CODE_SESSION_ID", ID)
        .stdout();
    assert!(
        explained.contains("environment passed over: CLAUDE_CODE_SESSION_ID names"),
        "{explained}"
    );
    assert!(explained.contains("which has ended"), "{explained}");
    assert!(
        explained.ends_with("answer      unknown (nothing is known)\n"),
        "{explained}"
    );
}

#[test]
fn the_process_tree_beats_an_inherited_variable() {
    let sandbox = Sandbox::new();
    start(&sandbox, ID);
    let answer = sandbox
        .ccsession(["current", "--json"])
        .env("CLAUDE_CODE_SESSION_ID", "days-old")
        .json();
    check(&answer, Some(ID), "process", "exact");
}

#[test]
fn the_one_live_session_of_the_project_answers_from_anywhere_in_it() {
    let sandbox = Sandbox::new();
    fs::create_dir_all(sandbox.project().join(".git")).unwrap();
    fs::create_dir_all(sandbox.project().join("src/deep")).unwrap();
    sandbox
        .hook(&event("SessionStart", ID, json!({"source": "startup"})))
        .silent();
    check(&current(&sandbox), Some(ID), "project", "exact");
    let deep = sandbox
        .ccsession(["current", "--json"])
        .dir(sandbox.project().join("src/deep"));
    check(&deep.json(), Some(ID), "project", "exact");
    let elsewhere = sandbox
        .ccsession(["current", "--json", "--project"])
        .arg(sandbox.home());
    check(&elsewhere.json(), None, "unknown", "none");
}

#[test]
fn two_live_sessions_are_ambiguous_and_never_guessed() {
    let sandbox = Sandbox::new();
    for id in ["s-1", "s-2"] {
        sandbox
            .hook(&event("SessionStart", id, json!({"source": "startup"})))
            .silent();
    }
    let journal = fs::File::options()
        .write(true)
        .open(sandbox.session("s-2").join("events.jsonl"))
        .unwrap();
    journal
        .set_modified(std::time::SystemTime::now() - std::time::Duration::from_secs(60))
        .unwrap();
    let answer = current(&sandbox);
    check(&answer, None, "project", "ambiguous");
    let ids: Vec<&str> = answer["candidates"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| c["session_id"].as_str().unwrap())
        .collect();
    assert_eq!(ids, ["s-1", "s-2"], "the most recently active first");
    sandbox.ccsession(["current"]).expect(0, "unknown\n", "");
    sandbox
        .ccsession(["current", "--strict"])
        .expect(4, "unknown\n", "");
    sandbox
        .ccsession(["current", "--guess"])
        .expect(0, "s-1\n", "");
    sandbox
        .ccsession(["current", "--guess", "--strict"])
        .expect(4, "s-1\n", "");
}

/// A record that nobody can read, and that no process has, stands in nobody's way; and it is named.
#[track_caller]
fn check_unreadable(record: &str, why: &str) {
    // A cleanup that a start leaves behind could take the session off the live ones before its record is spoiled.
    let sandbox = Sandbox::just_swept();
    start_and_die(&sandbox, "s-bad");
    let path = sandbox.session("s-bad").join("session.json");
    fs::write(&path, record).unwrap();
    sandbox
        .hook(&event("SessionStart", ID, json!({"source": "startup"})))
        .silent();
    let path = path.display();
    let said = format!("ccsession: could not read `{path}`: {why}; skipped\n");
    let asked = |arguments: &[&str]| sandbox.ccsession(["current"].iter().chain(arguments));
    let answer = format!("{ID}\n");
    for arguments in [&[][..], &["--strict"], &["--live"]] {
        asked(arguments).expect(0, &answer, &said);
    }
    let output = asked(&["--json"]).output();
    assert_eq!(text(&output.stderr), said);
    let answer = serde_json::from_slice(&output.stdout).unwrap();
    check(&answer, Some(ID), "project", "exact");
    // A hook that asks the same says nothing of it.
    sandbox.hook(&json!({"hook_event_name": "Stop"})).silent();
    assert_eq!(sandbox.journal(ID).last().unwrap()["rung"], "project");
}

#[test]
fn an_unreadable_record_is_named_and_stops_nothing() {
    check_unreadable("not JSON", "expected ident at line 1 column 2");
    check_unreadable(
        "{\"v\": 99}",
        "it has format version 99, this program knows 1; update ccsession here",
    );
    check_unreadable(
        "[]",
        "invalid length 0, expected a record at line 1 column 2",
    );
}

#[test]
fn a_session_whose_client_died_is_abandoned_and_not_the_current_one() {
    let sandbox = Sandbox::new();
    start_and_die(&sandbox, ID);
    assert_eq!(
        sandbox.ccsession(["show", ID, "--json"]).json()["state"],
        "abandoned"
    );
    let answer = sandbox.ccsession(["current", "--json", "--explain"]).json();
    check(&answer, None, "unknown", "none");
    let last = answer["steps"].as_array().unwrap().last().unwrap()["saw"]
        .as_str()
        .unwrap();
    assert!(last.contains("which is abandoned"), "{last}");
    sandbox
        .ccsession(["current", "--last"])
        .expect(0, &format!("{ID}\n"), "");
    sandbox
        .ccsession(["current", "--last", "--strict"])
        .expect(6, &format!("{ID}\n"), "");
}

#[test]
fn the_pointer_is_the_last_known_answer() {
    let sandbox = Sandbox::new();
    sandbox.ccsession(["store", "s-7"]).silent();
    check(&current(&sandbox), Some("s-7"), "pointer", "last_known");
    sandbox
        .ccsession(["current", "--strict"])
        .expect(6, "s-7\n", "");
    sandbox
        .ccsession(["current", "--name", "shop"])
        .expect(0, "s-7\n", "");
    sandbox
        .ccsession(["current", "--name", "other"])
        .expect(0, "unknown\n", "");
}

#[test]
fn a_pointer_of_another_project_of_the_same_name_is_not_believed() {
    let sandbox = Sandbox::new();
    let twin = sandbox.path("twin/shop");
    fs::create_dir_all(&twin).unwrap();
    sandbox
        .hook(&event("SessionStart", ID, json!({"source": "startup"})))
        .dir(&twin)
        .silent();
    assert!(
        fs::read_to_string(sandbox.pointer("shop"))
            .unwrap()
            .starts_with(ID)
    );
    check(&current(&sandbox), None, "unknown", "none");
    sandbox
        .ccsession(["current"])
        .dir(&twin)
        .expect(0, &format!("{ID}\n"), "");
}

#[test]
fn a_stale_pointer_is_unknown_and_gone() {
    let sandbox = Sandbox::new();
    place(&sandbox, "shop", "s-1", 25 * 60 * 60);
    in_utc(&sandbox, ["current"]).expect(0, "unknown\n", "");
    assert!(!sandbox.pointer("shop").exists());
}

#[test]
fn without_a_home_a_plain_shell_gets_the_pointers_answer_and_is_told_so() {
    let sandbox = Sandbox::new();
    sandbox.ccsession(["store", "s-7"]).silent();
    let run = sandbox
        .run(CCSESSION)
        .arg("current")
        .without_env("HOME")
        .without_env("CCSESSION_STATE_DIR");
    run.expect(
        0,
        "s-7\n",
        "ccsession: could not find a state directory: HOME is not an absolute path; set HOME or CCSESSION_STATE_DIR; \
         recorded sessions are unknown\n",
    );
}

#[test]
fn lost_indexes_are_rebuilt_by_a_cleanup() {
    let sandbox = Sandbox::just_swept();
    start(&sandbox, ID);
    fs::remove_file(sandbox.pointer("shop")).unwrap();
    for index in ["projects", "procs"] {
        fs::remove_dir_all(sandbox.state().join(index)).unwrap();
    }
    check(&current(&sandbox), None, "unknown", "none");
    sandbox.ccsession(["cleanup"]).expect(0, "0\n", "");
    check(&current(&sandbox), Some(ID), "process", "exact");
    assert_eq!(
        fs::read_dir(sandbox.state().join("projects"))
            .unwrap()
            .count(),
        1
    );
}

#[test]
fn every_live_session_of_the_project_can_be_asked_for() {
    let sandbox = Sandbox::just_swept();
    sandbox.ccsession(["current", "--live"]).expect(0, "", "");
    sandbox
        .ccsession(["current", "--live", "--strict"])
        .expect(3, "", "");
    start(&sandbox, "s-1");
    sandbox
        .hook(&event("SessionStart", "s-2", json!({})))
        .silent();
    sandbox
        .ccsession(["current", "--live"])
        .expect(0, "s-2\ns-1\n", "");
    let all = sandbox.ccsession(["current", "--live", "--json"]).json();
    assert_eq!(all["sessions"][1]["session_id"], "s-1");
    sandbox
        .ccsession(["current", "--live", "--format", "{short} {state}"])
        .expect(0, "s-2 active\ns-1 active\n", "");
}

#[test]
fn another_process_can_be_asked_about() {
    let sandbox = Sandbox::just_swept();
    start(&sandbox, ID);
    let mut child = sandbox
        .run("/bin/sleep")
        .arg("60")
        .dir("/")
        .command
        .spawn()
        .unwrap();
    let pid = child.id().to_string();
    // From elsewhere, where nothing else could answer; and what is set here says nothing of that process.
    let asked = |arguments: &[&str]| {
        sandbox
            .ccsession(["current"].iter().chain(arguments))
            .env("CLAUDE_CODE_SESSION_ID", "s-9")
            .dir("/")
    };
    let answer = asked(&["--json", "--pid", &pid]).json();
    check(&answer, Some(ID), "process", "exact");
    child.kill().unwrap();
    child.wait().unwrap();
    let said = asked(&["--pid", &pid]).refused(3);
    let why = "it does not run, or cannot be seen from here";
    assert_eq!(
        said,
        format!("ccsession: could not find process {pid}: {why}")
    );
    asked(&["--pid", "0"]).refused(3);
}

#[test]
fn a_format_is_filled_in_and_what_is_unknown_is_empty() {
    let sandbox = Sandbox::just_swept();
    let formatted = |format: &str| sandbox.ccsession(["current", "--format", format]);
    formatted("cc:{short}{role}").expect(0, "cc:unknown\n", "");
    start(&sandbox, ID);
    formatted("{{{short}}} {id} {trust} by {rung}: {project} {state}{branch}{count}").expect(
        0,
        &format!("{{5b48472b}} {ID} exact by process: shop active1\n"),
        "",
    );
    let said = formatted("{colour}").refused(64);
    assert!(
        said.starts_with("ccsession: could not use --format: unknown field `colour`"),
        "{said}"
    );
}
