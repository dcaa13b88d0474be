//! Who archives a session, and when: at its end, by the next start, by a cleanup.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use serde_json::{Value, json};

use crate::support::archives::{
    NONE, begun, clock_out, decompressed, ended, files, manifest, said, write,
};
use crate::support::{ID, Sandbox, as_client, event, text, wait_until};

/// Waits for what the hooks have left behind.
fn wait_for(sandbox: &Sandbox, what: &str) {
    println!("{what}");
    wait_until(|| {
        files(sandbox)
            .iter()
            .any(|path| path.to_str().unwrap().ends_with(".manifest.json"))
    });
}

/// The start of another session, by a client that runs.
fn another_start(sandbox: &Sandbox) {
    let start = event("SessionStart", "another", json!({"source": "startup"}));
    sandbox.hook(&start).env("CLAUDE_PID", as_client()).silent();
}

#[test]
fn however_a_session_ends_it_is_archived_at_the_next_start() {
    for reason in ["prompt_input_exit", "clear", "logout", "other"] {
        let sandbox = Sandbox::archiving();
        let transcript = begun(&sandbox, json!({}));
        write(&transcript, said(&["remember me"]));
        ended(&sandbox, reason);
        assert_eq!(files(&sandbox), NONE, "the hook only marks it");
        assert!(sandbox.state().join("ended").join(ID).exists());
        another_start(&sandbox);
        wait_for(&sandbox, reason);
        let record = sandbox.record(ID);
        assert_eq!(record["end_reason"], reason);
        assert!(record["ended_at"].is_string());
    }
}

#[test]
fn a_session_whose_client_was_killed_is_archived_at_the_next_start() {
    let sandbox = Sandbox::archiving();
    let path = sandbox
        .home()
        .join(format!(".claude/projects/-shop/{ID}.jsonl"));
    write(&path, said(&["remember me"]));
    let start = event(
        "SessionStart",
        ID,
        json!({"source": "startup", "transcript_path": path}),
    );
    // It says nothing any more.
    let script = format!(
        "CLAUDE_PID=$$ {}; exit $?",
        env!("CARGO_BIN_EXE_session-start")
    );
    let client = sandbox.run("/bin/sh").arg("-c").arg(script);
    client.stdin(start.to_string()).silent();
    another_start(&sandbox);
    wait_for(&sandbox, "killed");
    assert_eq!(sandbox.record(ID)["end_reason"], "abandoned");
    let list = sandbox
        .ccsession(["list", "--state", "abandoned", "--json"])
        .json();
    assert_eq!(list["sessions"][0]["session_id"], ID);
}

/// The time of the journal's file comes from a clock that ticks seldom, and whoever copies files may lose it.
#[test]
fn a_session_whose_client_was_killed_ended_with_its_last_event() {
    let sandbox = Sandbox::archiving();
    let script = format!(
        "CLAUDE_PID=$$ {}; exit $?",
        env!("CARGO_BIN_EXE_session-start")
    );
    let client = sandbox.run("/bin/sh").arg("-c").arg(script);
    let start = event("SessionStart", ID, json!({"source": "startup"}));
    client.stdin(start.to_string()).silent();
    crate::support::states::age(&sandbox, ID, 60);
    sandbox.ccsession(["cleanup", "--quiet"]).silent();
    let told = sandbox.journal(ID).pop().unwrap();
    for noted in [&sandbox.record(ID), &manifest(&sandbox)] {
        assert_eq!(noted["ended_at"], told["ts"]);
    }
    assert_eq!(sandbox.record(ID)["end_reason"], "abandoned");
}

/// To a hook that sees the client end, the launcher still has the session.
#[test]
fn a_session_of_a_launcher_is_archived_when_its_command_has_ended() {
    for (command, status, outcome) in [("true", 0, "completed"), ("false", 1, "failed")] {
        let sandbox = Sandbox::archiving();
        let run = sandbox.ccsession(["run", "--session-id", ID, "--focus", "r", "--", command]);
        run.expect(status, "", "");
        let report = sandbox.ccsession(["cleanup", "--json"]).json();
        assert_eq!(report["archived"], 1);
        let manifest = manifest(&sandbox);
        let kept = (&manifest["focus"], &manifest["record"]["outcome"]);
        assert_eq!(kept, (&json!("r"), &json!(outcome)));
        assert_eq!(manifest["ended_at"], sandbox.record(ID)["ended_at"]);
    }
}

#[test]
fn a_retired_session_is_archived() {
    let sandbox = Sandbox::archiving();
    let clock_in = |id: &str| {
        let run = sandbox.ccsession(["clock-in", "--quiet", "--session", id]);
        run.env("CCSESSION_MAX_CONCURRENT_SESSIONS", "1").stdout();
    };
    clock_in(ID);
    crate::support::states::age(&sandbox, ID, 2 * 60 * 60);
    clock_in("another");
    let report = sandbox.ccsession(["cleanup", "--if-due", "--json"]).json();
    assert_eq!(report["archived"], 1);
    let manifest = manifest(&sandbox);
    let kept = (&manifest["session_id"], &manifest["record"]["end_reason"]);
    assert_eq!(kept, (&json!(ID), &json!("idle")));
}

#[test]
fn a_cleanup_archives_what_has_ended_and_says_so_before() {
    let sandbox = Sandbox::archiving();
    let transcript = begun(&sandbox, json!({}));
    write(&transcript, said(&["remember me"]));
    ended(&sandbox, "other");
    let output = sandbox.ccsession(["cleanup", "--dry-run"]).output();
    assert!(text(&output.stderr).contains(&format!("would archive session {ID}: it has ended")));
    assert_eq!(files(&sandbox), NONE);
    let report = sandbox.ccsession(["cleanup", "--if-due", "--json"]).json();
    assert_eq!(report["archived"], 1);
    assert_eq!(files(&sandbox).len(), 4);
    assert_eq!(
        sandbox.ccsession(["cleanup", "--json"]).json()["archived"],
        0
    );
}

/// The client writes what a session cost some 170 ms after the hook of its end, while the next session's start has it archived.
#[test]
fn what_the_client_writes_after_the_end_is_archived_by_the_next_cleanup() {
    let sandbox = Sandbox::archiving();
    let transcript = begun(&sandbox, json!({}));
    let mark = sandbox.state().join("ended").join(ID);
    let archives = || {
        let cleanup = sandbox.ccsession(["cleanup", "--if-due", "--json"]);
        cleanup.json()["archived"] == 1
    };
    write(&transcript, said(&["remember me"]));
    ended(&sandbox, "clear");
    assert!(archives());
    let late = format!("{}{{\"type\":\"cost-state\"}}\n", said(&["remember me"]));
    write(&transcript, &late);
    assert!(archives());
    let copy = files(&sandbox).into_iter();
    let copy = copy.map(|path| path.display().to_string());
    let copy = copy.filter(|path| path.ends_with(&format!("{ID}.jsonl.zst")));
    let copies: Vec<String> = copy.collect();
    assert_eq!(decompressed(Path::new(&copies[0])), late.as_bytes());
    // Where nothing has changed, nothing is written again, and soon nobody looks any more.
    let before = manifest(&sandbox);
    assert!(!archives() && mark.exists());
    assert_eq!(manifest(&sandbox), before);
    crate::support::states::age(&sandbox, ID, 11);
    archives();
    assert!(!mark.exists());
}

#[test]
fn with_automatic_archiving_off_nothing_is_archived_unasked() {
    for (file, content) in [
        (
            "home/.config/ccsession/config.toml",
            "[archive]\nauto = false\n",
        ),
        ("home/.claude/settings.json", r#"{"cleanupPeriodDays": 7}"#),
    ] {
        let sandbox = Sandbox::archiving();
        write(&sandbox.path(file), content);
        let transcript = begun(&sandbox, json!({}));
        write(&transcript, said(&["forget me"]));
        ended(&sandbox, "other");
        sandbox.ccsession(["cleanup"]).stdout();
        assert_eq!(files(&sandbox), NONE, "{file}");
        assert!(clock_out(&sandbox, &[]).exists(), "asked for, it is");
    }
    let sandbox = Sandbox::archiving();
    write(
        &sandbox.path("home/.claude/settings.json"),
        r#"{"cleanupPeriodDays": 7}"#,
    );
    let transcript = begun(&sandbox, json!({}));
    write(&transcript, said(&["remember me"]));
    ended(&sandbox, "other");
    sandbox
        .ccsession(["cleanup"])
        .env("CCSESSION_ARCHIVE_AUTO", "true")
        .stdout();
    assert_eq!(files(&sandbox).len(), 4);
}

#[test]
fn an_archive_folder_that_is_not_ours_alone_is_refused() {
    for bad in ["a link", "open to others"] {
        let sandbox = Sandbox::archiving();
        begun(&sandbox, json!({}));
        let folder = sandbox.state().join("archive");
        if bad == "a link" {
            fs::create_dir(sandbox.path("elsewhere")).unwrap();
            symlink(sandbox.path("elsewhere"), &folder).unwrap();
        } else {
            fs::create_dir(&folder).unwrap();
            fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).unwrap();
        }
        let refused = sandbox.ccsession(["clock-out", ID]).refused(1);
        assert!(refused.contains(folder.to_str().unwrap()), "{refused}");
        assert_eq!(sandbox.record(ID)["archive"], Value::Null);
    }
}

#[test]
fn a_live_session_is_archived_and_goes_on() {
    let sandbox = Sandbox::archiving();
    let transcript = begun(&sandbox, json!({}));
    write(&transcript, said(&["one"]));
    let start = event(
        "SessionStart",
        ID,
        json!({"source": "resume", "transcript_path": transcript}),
    );
    sandbox.hook(&start).env("CLAUDE_PID", as_client()).silent();
    clock_out(&sandbox, &[]);
    assert_eq!(sandbox.ccsession(["current"]).stdout(), format!("{ID}\n"));
    assert_eq!(sandbox.record(ID)["ended_at"], Value::Null);
}

/// Two hooks of one SessionEnd, registered twice, append in any order.
#[test]
fn of_two_ends_the_later_counts_in_any_order() {
    let sandbox = Sandbox::archiving();
    let transcript = begun(&sandbox, json!({}));
    write(&transcript, said(&["one"]));
    ended(&sandbox, "logout");
    let later = sandbox.journal(ID).pop().unwrap();
    let mut earlier = later.clone();
    earlier["ts"] = json!("2026-01-01T00:00:00.000000Z");
    earlier["reason"] = json!("other");
    let journal = sandbox.session(ID).join("events.jsonl");
    let text = fs::read_to_string(&journal).unwrap();
    fs::write(&journal, format!("{text}{earlier}\n")).unwrap();
    clock_out(&sandbox, &[]);
    let record = sandbox.record(ID);
    let end = (&record["ended_at"], &record["end_reason"]);
    assert_eq!(end, (&later["ts"], &later["reason"]));
}

#[test]
fn a_clock_out_records_the_end_of_an_ended_session() {
    let sandbox = Sandbox::archiving();
    let transcript = begun(&sandbox, json!({}));
    write(&transcript, said(&["one"]));
    ended(&sandbox, "logout");
    let told = sandbox.journal(ID).pop().unwrap();
    let first = clock_out(&sandbox, &[]);
    for noted in [&sandbox.record(ID), &manifest(&sandbox)["record"]] {
        let end = (&noted["ended_at"], &noted["end_reason"]);
        assert_eq!(end, (&told["ts"], &told["reason"]));
    }
    assert_eq!(manifest(&sandbox)["ended_at"], told["ts"]);
    assert_eq!(clock_out(&sandbox, &[]), first);
    let report = sandbox.ccsession(["cleanup", "--json"]).json();
    assert_eq!(report["archived"], 0);
}
