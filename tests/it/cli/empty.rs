//! An empty answer says on a terminal what would fill it, and prints nothing more for programs.

use std::fs;

use serde_json::json;

use crate::support::terminal::on_a_terminal;
use crate::support::transcripts::put_lines;
use crate::support::{ID, Sandbox};

const OTHER: &str = "7824bc9f-8371-4784-aa1c-5143effdf51c";

fn told(sandbox: &Sandbox, words: &[&str]) -> String {
    on_a_terminal(sandbox.ccsession(words), 100, 200).terminal
}

/// Puts down the transcript of a session that is not on record.
fn past(sandbox: &Sandbox) {
    let line = json!({"type": "user", "uuid": "u", "sessionId": "old", "cwd": sandbox.project(), "promptId": "p",
        "timestamp": "2026-03-01T12:00:00Z", "message": {"content": "hello"}});
    put_lines(&sandbox.projects().join("-shop/old.jsonl"), &[line]);
}

/// The verbs with what each says first.
const VERBS: [(&[&str], &str); 7] = [
    (&["list"], "no session is live"),
    (&["list", "--all"], "no session is on record"),
    (&["list", "--waiting"], "no session waits for you"),
    (&["stats"], "no session to count"),
    (
        &["timeline"],
        "ccsession: could not find a session of this project",
    ),
    (&["archive", "list"], "no session is archived"),
    (&["resume"], "ccsession: could not find a session to resume"),
];

#[test]
fn with_nothing_on_record_the_first_step_is_named() {
    let sandbox = Sandbox::just_swept();
    let start = "start `claude`; if nothing is recorded then, `ccsession doctor` says why";
    let import = "`ccsession import` brings in 1 past session";
    for remedy in [start, import] {
        for (verb, nothing) in VERBS {
            assert_eq!(
                told(&sandbox, verb),
                format!("{nothing}: {remedy}\n"),
                "{verb:?}"
            );
        }
        let metrics = told(&sandbox, &["metrics"]);
        assert!(
            metrics.ends_with(&format!("no session is on record: {remedy}\n")),
            "{metrics}"
        );
        past(&sandbox);
    }
    // Programs get the same as ever.
    for verb in [&["list"][..], &["list", "--all"], &["archive", "list"]] {
        sandbox.ccsession(verb).expect(0, "", "");
    }
    sandbox
        .ccsession(["stats"])
        .expect(0, "no session to count\n", "");
}

#[test]
fn an_empty_answer_mentions_the_sessions_that_it_leaves_out() {
    let sandbox = Sandbox::just_swept();
    for id in [ID, OTHER] {
        sandbox.session_with(
            id,
            "other",
            &[json!({"v": 1, "ts": "2026-11-20T09:00:00Z", "event": "SessionEnd"})],
        );
    }
    for (verb, said) in [
        (
            &["list"][..],
            "no session is live: `ccsession list --all` shows the 2 sessions on record\n",
        ),
        (
            &["list", "--ended", "--project", "."],
            "no session of this project is on record: without --project, the 2 sessions of other projects are listed\n",
        ),
        (
            &["stats", "--project", "."],
            "no session to count: `ccsession stats --all` counts the 2 sessions on record\n",
        ),
        (
            &["stats", "--all", "--since", "1s"],
            "no session to count: an earlier --since counts more of the 2 sessions\n",
        ),
        (
            &["stats", "-p", ".", "--since", "1s"],
            "no session to count: an earlier --since, or --all, counts more of the 2 sessions\n",
        ),
        (
            &["timeline"],
            "ccsession: could not find a session of this project: `ccsession list --all` lists the 2 sessions of other projects\n",
        ),
        (
            &["archive", "list"],
            "no session is archived: `ccsession clock-out ID` archives one of the 2 sessions on record\n",
        ),
        (
            &["archive", "search", "x"],
            "nothing found in 0 archives; 2 sessions on record not searched: not archived, or left out by an option\n",
        ),
    ] {
        assert_eq!(told(&sandbox, verb), said, "{verb:?}");
    }
    sandbox.ccsession(["clock-out", ID]).output();
    let none = told(&sandbox, &["archive", "list", "--role", "x"]);
    assert_eq!(
        none,
        "no archive matches: `ccsession archive list` lists 1 archive\n"
    );
    let run = sandbox.ccsession(["archive", "search", "no such words"]);
    run.expect(3, "", "");
    assert!(fs::exists(sandbox.state()).unwrap());
}

#[test]
fn the_numbers_of_one_project_say_on_a_terminal_that_there_may_be_more() {
    let sandbox = Sandbox::just_swept();
    let line = json!({"v": 1, "ts": "2026-11-20T09:00:00Z", "event": "SessionEnd"});
    sandbox.session_with(ID, "shop", &[line]);
    let note = format!(
        "these are the sessions of {}; use --all for those of every project\n",
        sandbox.project().display()
    );
    assert!(told(&sandbox, &["stats"]).ends_with(&note));
    for more in [
        &["stats", "--all"][..],
        &["stats", "-p", "."],
        &["stats", ID],
        &["stats", "-j"],
    ] {
        assert!(!told(&sandbox, more).contains(&note), "{more:?}");
    }
    // `stdout` fails where something is on stderr.
    sandbox.ccsession(["stats"]).stdout();
}

#[test]
fn a_session_that_is_missing_names_the_nearest() {
    let sandbox = Sandbox::just_swept();
    sandbox.session_with(ID, "other", &[]);
    sandbox.session_with(OTHER, "other", &[]);
    let mut record = sandbox.record(OTHER);
    record["name"] = json!("the webhook hunt");
    let path = sandbox.session(OTHER).join("session.json");
    fs::write(path, record.to_string()).unwrap();
    for (given, nearest) in [
        ("5b4x", format!("did you mean `{ID}` (other)?")),
        (
            "7824ff",
            format!("did you mean `{OTHER}` (other, the webhook hunt)?"),
        ),
        (
            "webhook",
            format!("did you mean `{OTHER}` (other, the webhook hunt)?"),
        ),
        ("zzz", "see `ccsession list --all`".to_owned()),
    ] {
        let said = sandbox.ccsession(["show", given]).refused(3);
        assert!(said.ends_with(&format!("; {nearest}")), "{given}: {said}");
    }
}
