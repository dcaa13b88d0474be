//! What is archived before it is removed, and what once a day.

use std::fs;

use serde_json::json;

use crate::support::archives::{
    NONE, a_day_later, begun, clock_out, ended, files, manifest, said, write,
};
use crate::support::{ID, Sandbox, as_client, event};

#[test]
fn messages_after_the_last_archiving_are_archived_before_removal() {
    let sandbox = Sandbox::archiving();
    let transcript = begun(&sandbox, json!({}));
    write(&transcript, said(&["one"]));
    let text = clock_out(&sandbox, &[]);
    write(&transcript, said(&["one", "and another"]));
    ended(&sandbox, "other");
    let cleanup = |retention: &str| {
        a_day_later(&sandbox);
        let run = sandbox.ccsession(["cleanup", "--json"]);
        let run = run.env("CCSESSION_ARCHIVE_AUTO", "false");
        run.env("CCSESSION_RETENTION_SESSIONS", retention).json()["pruned"].clone()
    };
    assert_eq!(cleanup("90d"), 0);
    assert!(!fs::read_to_string(&text).unwrap().contains("and another"));
    // Somebody has noted the end; only then is it known how long it is kept.
    let mut record = sandbox.record(ID);
    record["ended_at"] = json!("2026-01-01T00:00:00.000000Z");
    record["end_reason"] = json!("other");
    write(
        &sandbox.session(ID).join("session.json"),
        record.to_string(),
    );
    assert_eq!(cleanup("1us"), 1);
    assert!(fs::read_to_string(&text).unwrap().contains("and another"));
}

/// In the older tools, what was old went without being archived. So did what could not be archived.
#[test]
fn an_expired_session_is_removed_only_after_it_is_archived() {
    let sandbox = Sandbox::archiving();
    let transcript = begun(&sandbox, json!({}));
    write(&transcript, said(&["one"]));
    ended(&sandbox, "other");
    let cleanup = |auto: &str, retention: &str| {
        a_day_later(&sandbox);
        sandbox
            .ccsession(["cleanup", "--json"])
            .env("CCSESSION_ARCHIVE_AUTO", auto)
            .env("CCSESSION_RETENTION_SESSIONS", retention)
            .json()
    };
    assert_eq!(cleanup("false", "1us")["pruned"], 0, "it is not archived");
    assert!(sandbox.session(ID).exists());
    ended(&sandbox, "other");
    assert_eq!(cleanup("true", "90d")["pruned"], 0, "not yet");
    let text = files(&sandbox)
        .into_iter()
        .find(|path| path.extension().unwrap() == "txt")
        .unwrap();
    let good = fs::read(&text).unwrap();
    fs::write(&text, "changed").unwrap();
    assert_eq!(
        cleanup("true", "1us")["pruned"],
        0,
        "the archive is not whole"
    );
    fs::write(&text, good).unwrap();
    assert_eq!(cleanup("true", "1us")["pruned"], 1);
    assert!(!sandbox.session(ID).exists());
    assert_eq!(clock_out(&sandbox, &[]), text, "the archive is there");

    a_day_later(&sandbox);
    let cleanup = sandbox
        .ccsession(["cleanup"])
        .env("CCSESSION_RETENTION_ARCHIVE", "1us");
    cleanup.stdout();
    assert_eq!(files(&sandbox), NONE);
    sandbox.ccsession(["clock-out", ID]).refused(7);
}

#[test]
fn new_messages_of_live_sessions_are_archived_once_a_day() {
    let sandbox = Sandbox::archiving();
    let transcript = begun(&sandbox, json!({}));
    let start = event(
        "SessionStart",
        ID,
        json!({"source": "resume", "transcript_path": transcript}),
    );
    sandbox.hook(&start).env("CLAUDE_PID", as_client()).silent();
    for texts in [&["one"][..], &["one", "two"]] {
        write(&transcript, said(texts));
        a_day_later(&sandbox);
        sandbox.ccsession(["cleanup"]).stdout();
        assert_eq!(manifest(&sandbox)["messages"], texts.len());
    }
    assert_eq!(sandbox.ccsession(["current"]).stdout(), format!("{ID}\n"));
}

/// The first cleanup of a day is left behind by a start, so it meets a session that has just begun.
#[test]
fn a_silent_live_session_is_archived_only_on_request() {
    let sandbox = Sandbox::archiving();
    begun(&sandbox, json!({}));
    for arguments in [
        &["cleanup", "--json", "--dry-run"][..],
        &["cleanup", "--json"],
    ] {
        assert_eq!(sandbox.ccsession(arguments).json()["archived"], 0);
    }
    assert_eq!(files(&sandbox), NONE);
    let output = sandbox.ccsession(["clock-out", ID]).output();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(files(&sandbox).len(), 3);
}
