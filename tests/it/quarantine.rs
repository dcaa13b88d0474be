//! An unreadable record among readable ones: it is named, skipped and kept byte for byte, and the other sessions are handled as
//! usual.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use crate::support::archives::{a_day_later, begun, clock_out, files, said, write};
use crate::support::files::{Snapshot, snapshot, write_private};
use crate::support::settings::{doctor, findings, healthy};
use crate::support::{ID, Run, Sandbox, as_client, event, text};

/// The session whose record is bad. It has ended: nobody counts on it, and nobody may throw it away.
const BAD: &str = "s-bad";
/// One that has ended and is to be archived.
const ENDED: &str = "s-ended";

/// A live session, one that has ended, and one whose record `spoil` spoils.
fn three(sandbox: &Sandbox, spoil: fn(&Path)) -> PathBuf {
    let transcript = begun(sandbox, json!({}));
    write(&transcript, said(&["one"]));
    let live = event("SessionStart", ID, json!({"source": "resume"}));
    sandbox.hook(&live).env("CLAUDE_PID", as_client()).silent();
    for id in [ENDED, BAD] {
        let start = event("SessionStart", id, json!({"source": "startup"}));
        sandbox.hook(&start).silent();
        let focus = ["clock-in", "--session", id, "--focus", "cart", "--quiet"];
        sandbox.ccsession(focus).output();
    }
    let end = event("SessionEnd", ENDED, json!({"reason": "other"}));
    sandbox.hook(&end).silent();
    let record = sandbox.session(BAD).join("session.json");
    spoil(&record);
    record
}

/// What is in the folder of the bad session.
fn kept(sandbox: &Sandbox) -> Snapshot {
    let mut all = snapshot(sandbox);
    all.retain(|name, _| name.starts_with(&format!("state/sessions/{BAD}/")));
    all
}

/// Runs, asserts status 0 and that stderr names `bad` in one line, and returns stdout as JSON.
#[track_caller]
fn named(run: Run, bad: &Path) -> Value {
    let output = run.output();
    let warned = text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{warned}");
    assert!(
        warned.contains(bad.to_str().unwrap()) && warned.lines().count() == 1,
        "{warned}"
    );
    serde_json::from_slice(&output.stdout).unwrap()
}

#[track_caller]
fn check(spoil: fn(&Path)) {
    check_with(spoil, |run| {
        run(&["clock-in", "--session", BAD, "--role", "x"]).refused(1)
    });
}

/// Acts as [`check`] for a record that a power failure may have left. To clock in to its session would recreate it.
#[track_caller]
fn check_lost(spoil: fn(&Path)) {
    check_with(spoil, |run| run(&["show", BAD]).refused(1));
}

/// Asserts that a spoiled record affects no other session. `refused` runs a verb that names the record.
#[track_caller]
fn check_with(spoil: fn(&Path), refused: impl Fn(&dyn Fn(&[&str]) -> Run) -> String) {
    let sandbox = Sandbox::archiving();
    let bad = three(&sandbox, spoil);
    let before = kept(&sandbox);
    assert!(before.len() > 1, "{before:?}");
    let run = |arguments: &[&str]| sandbox.ccsession(arguments);

    let clock_in = ["clock-in", "--session", ID, "--focus", "cart", "--json"];
    let clocked_in = named(run(&clock_in), &bad);
    assert_eq!(
        (&clocked_in["focus"], &clocked_in["conflicts"]),
        (&json!("cart"), &json!([]))
    );
    let refused = refused(&|arguments| run(arguments));
    assert!(refused.contains(bad.to_str().unwrap()), "{refused}");

    let archived = clock_out(&sandbox, &[]);
    assert!(
        fs::read_to_string(archived)
            .unwrap()
            .contains("[user]\none\n")
    );
    let refused = run(&["clock-out", BAD]).refused(1);
    assert!(refused.contains(bad.to_str().unwrap()), "{refused}");
    assert_eq!(files(&sandbox).len(), 4, "nothing of the bad one");

    let listed = named(run(&["list", "--all", "--json"]), &bad);
    let states: Vec<(&Value, &Value)> = listed["sessions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|session| (&session["session_id"], &session["state"]))
        .collect();
    assert_eq!(states.len(), 2, "{states:?}");
    assert!(
        states.contains(&(&json!(ID), &json!("active"))),
        "{states:?}"
    );
    assert!(
        states.contains(&(&json!(ENDED), &json!("ended"))),
        "{states:?}"
    );
    let metrics = named(run(&["metrics", "--json"]), &bad);
    let sessions = &metrics["sessions"];
    assert_eq!(
        json!([sessions["started"], sessions["active"], sessions["ended"]]),
        json!([2, 1, 1])
    );

    // Long after, with all that is done once a day.
    for _ in 0..2 {
        let journal = sandbox.session(BAD).join("events.jsonl");
        let journal = fs::File::options().append(true).open(journal).unwrap();
        let old = SystemTime::now() - Duration::from_secs(400 * 24 * 60 * 60);
        journal.set_modified(old).unwrap();
        a_day_later(&sandbox);
        let cleanup = run(&["cleanup", "--json"])
            .env("CCSESSION_RETENTION_SESSIONS", "1us")
            .env("CCSESSION_RETENTION_ARCHIVE", "1d")
            .output();
        assert_eq!(cleanup.status.code(), Some(0), "{}", text(&cleanup.stderr));
        assert_eq!(kept(&sandbox), before);
    }
    assert!(!sandbox.session(ENDED).exists(), "archived and pruned");
    assert!(sandbox.session(ID).exists());
    let archives = run(&["archive", "list", "--json"]).json();
    let mut ids: Vec<&str> = archives["archives"]
        .as_array()
        .unwrap()
        .iter()
        .map(|archive| archive["manifest"]["session_id"].as_str().unwrap())
        .collect();
    ids.sort();
    assert_eq!(ids, [ID, ENDED]);
    run(&["archive", "verify"]).expect(0, "2 archives are complete and undamaged\n", "");
    run(&["current"])
        .env("CCSESSION_ID", ID)
        .expect(0, &format!("{ID}\n"), "");
    assert_eq!(kept(&sandbox), before);
}

/// In the older tools, one record that is an array made every clock-in of the project fail.
#[test]
fn an_array_as_a_record_affects_no_other_session() {
    check(|record| write_private(record, "[]\n"));
}

#[test]
fn a_record_of_a_newer_version_affects_no_other_session() {
    check(|record| write_private(record, "{\"v\": 99, \"focus\": {\"is\": \"cart\"}}\n"));
}

/// In the older tools, a record that could not be read was never cleaned up, and never named.
#[test]
fn an_empty_record_affects_no_other_session() {
    check_lost(|record| write_private(record, ""));
}

#[test]
fn a_record_that_is_not_json_affects_no_other_session() {
    check_lost(|record| write_private(record, "{\"v\": 1, \"session_id\": \"s-b"));
}

#[test]
fn binary_bytes_as_a_record_affect_no_other_session() {
    check(|record| fs::write(record, b"\xff\xfe\0{").unwrap());
}

#[test]
fn an_oversized_record_affects_no_other_session() {
    check(|record| {
        let mut value: Value = serde_json::from_slice(&fs::read(record).unwrap()).unwrap();
        value["description"] = json!("x".repeat(1 << 22));
        write_private(record, &value.to_string());
    });
}

/// In the older tools, `focus: null` made a clock-out fail; here it is what nobody named, but a list is no focus.
#[test]
fn a_record_whose_focus_is_not_text_affects_no_other_session() {
    check(|record| {
        let mut value: Value = serde_json::from_slice(&fs::read(record).unwrap()).unwrap();
        value["focus"] = json!(["cart"]);
        write_private(record, &value.to_string());
    });
}

#[test]
fn a_directory_as_a_record_affects_no_other_session() {
    check(|record| {
        fs::remove_file(record).unwrap();
        fs::create_dir(record).unwrap();
        write_private(&record.join("within"), "something");
    });
}

#[test]
fn the_record_of_another_session_affects_no_other_session() {
    check(|record| {
        let others = record.parent().unwrap().with_file_name(ID);
        fs::write(record, fs::read(others.join("session.json")).unwrap()).unwrap();
    });
}

/// In the older tools, `focus: null` made a clock-out fail.
#[test]
fn a_record_whose_focus_is_null_is_archived_as_general() {
    let sandbox = Sandbox::archiving();
    let transcript = begun(&sandbox, json!({}));
    write(&transcript, said(&["one"]));
    let path = sandbox.session(ID).join("session.json");
    let mut record = sandbox.record(ID);
    for nobody_said in ["role", "focus", "name", "notes", "model", "description"] {
        record[nobody_said] = Value::Null;
    }
    write_private(&path, &record.to_string());
    let archived = clock_out(&sandbox, &[]);
    let name = archived.file_name().unwrap().to_str().unwrap();
    assert!(name.ends_with(&format!("-general-{ID}.txt")), "{name}");
    let shown = fs::read_to_string(archived).unwrap();
    assert!(
        shown.contains("\nRole: unknown\nFocus: general\n"),
        "{shown}"
    );
}

/// Dates to come are a clock's that was set back: what is readable is handled as ever, and nothing is kept for ever or
/// thrown away for them.
#[test]
fn a_record_from_the_future_is_archived_listed_counted_and_removed_in_time() {
    let sandbox = Sandbox::archiving();
    let transcript = begun(&sandbox, json!({}));
    write(&transcript, said(&["one"]));
    let end = event("SessionEnd", ID, json!({"reason": "other"}));
    sandbox.hook(&end).silent();
    let path = sandbox.session(ID).join("session.json");
    let set = |field: &str, at: &str| {
        let mut record = sandbox.record(ID);
        record[field] = json!(at);
        write_private(&path, &record.to_string());
    };
    set("started_at", "2096-01-01T00:00:00.000000Z");
    set("ended_at", "2096-01-02T00:00:00.000000Z");
    set("end_reason", "other");
    let listed = sandbox.ccsession(["list", "--all", "--json"]).json();
    assert_eq!(listed["sessions"][0]["state"], "ended");
    let metrics = sandbox.ccsession(["metrics", "--json"]).json();
    assert_eq!(metrics["sessions"]["ended"], 1);
    assert_eq!(metrics["oldest_session_age"], 0.0);
    let archived = clock_out(&sandbox, &[]);
    let name = archived.file_name().unwrap().to_str().unwrap();
    assert!(name.starts_with("2096-01-01-general-"), "{name}");
    let cleanup = || {
        a_day_later(&sandbox);
        let run = sandbox.ccsession(["cleanup", "--json"]);
        run.env("CCSESSION_RETENTION_SESSIONS", "1us").json()["pruned"].clone()
    };
    assert_eq!(cleanup(), 0);
    assert_eq!(
        sandbox.record(ID)["started_at"],
        "2096-01-01T00:00:00.000000Z"
    );
    set("ended_at", "2026-01-02T00:00:00+02:00");
    a_day_later(&sandbox);
    assert_eq!(cleanup(), 1, "with whatever offset its end was written");
    assert_eq!(clock_out(&sandbox, &[]), archived);
}

#[test]
fn the_doctor_names_a_record_that_cannot_be_read_whatever_it_is() {
    let spoilers: [fn(&Path); 5] = [
        |record| write_private(record, "[]"),
        |record| write_private(record, "{\"v\": 99}"),
        |record| write_private(record, ""),
        |record| write_private(record, "no JSON"),
        |record| {
            fs::remove_file(record).unwrap();
            fs::create_dir(record).unwrap();
        },
    ];
    for spoil in spoilers {
        let sandbox = healthy();
        let record = sandbox.session(ID).join("session.json");
        spoil(&record);
        let before = snapshot(&sandbox);
        let findings = findings(doctor(&sandbox));
        let faults: Vec<&str> = findings
            .iter()
            .filter(|it| it["grade"] == "fault")
            .map(|it| it["found"].as_str().unwrap())
            .collect();
        assert!(
            faults.len() == 1 && faults[0].contains(record.to_str().unwrap()),
            "{faults:?}"
        );
        assert_eq!(snapshot(&sandbox), before);
    }
}

/// The mark of a session that is still to be archived was lost where its record could not be read for a while.
#[test]
fn a_session_whose_record_is_repaired_later_is_archived_then() {
    let sandbox = Sandbox::archiving();
    let transcript = begun(&sandbox, json!({}));
    write(&transcript, said(&["one"]));
    let end = event("SessionEnd", ID, json!({"reason": "other"}));
    sandbox.hook(&end).silent();
    let record = sandbox.session(ID).join("session.json");
    let good = fs::read_to_string(&record).unwrap();
    write_private(&record, "[]");
    a_day_later(&sandbox);
    sandbox.ccsession(["cleanup"]).stdout();
    write_private(&record, &good);
    sandbox.ccsession(["cleanup"]).stdout();
    assert_eq!(files(&sandbox).len(), 4);
}
