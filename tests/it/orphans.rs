//! What the doctor reports of files whose counterpart is missing, that `ccsession cleanup` repairs what the doctor says it
//! repairs, and what the doctor reports about who runs the cleanup.

use std::fs;
use std::os::unix::fs::symlink;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use crate::support::files::write_private;
use crate::support::settings::{ccsession, check, doctor, findings, healthy, put};
use crate::support::states::age_file;
use crate::support::states::start_and_die;
use crate::support::transcripts::copy_tree;
use crate::support::{ID, SESSION_START, Sandbox, as_client, data, event, walk, write_program};

const CLEAN_UP: &str = "run `ccsession cleanup`";
const DAILY: &str = "run `ccsession cleanup`; it checks folders of ended sessions once a day";
const HOUR: u64 = 60 * 60;

fn clean_up(sandbox: &Sandbox) {
    let _ = fs::remove_file(sandbox.state().join("daily"));
    ccsession(sandbox, ["cleanup", "--quiet"]).silent();
}

#[test]
fn a_record_without_a_journal_is_noted_unless_a_start_is_under_way() {
    let sandbox = healthy();
    let folder = sandbox.session(ID);
    fs::remove_file(folder.join("events.jsonl")).unwrap();
    let mut record = sandbox.record(ID);
    let found = findings(doctor(&sandbox));
    assert!(
        found
            .iter()
            .all(|it| it["check"] != "orphans" || it["grade"] == "ok")
    );
    record["started_at"] = json!("2026-11-20T14:00:00.000000Z");
    write_private(&folder.join("session.json"), &record.to_string());
    let nothing_happened = (
        "note",
        "last event",
        "none was ever recorded",
        "start a session, in a folder that Claude Code trusts",
    );
    let found = format!("1 record has no journal: {}", folder.display());
    let remedy = "no action is needed: the session's next event creates one, and `ccsession cleanup` takes it off the live index";
    check(
        doctor(&sandbox),
        &[nothing_happened, ("note", "orphans", &found, remedy)],
    );
    sandbox
        .hook(&event("UserPromptSubmit", ID, json!({"prompt": "x"})))
        .silent();
    check(doctor(&sandbox), &[]);
}

#[test]
fn an_imported_session_needs_no_journal() {
    let sandbox = healthy();
    let projects = sandbox.home().join(".claude/projects");
    fs::create_dir_all(&projects).unwrap();
    copy_tree(&data("transcripts/c"), &projects);
    let before_any_hook = SystemTime::now() - Duration::from_secs(24 * 60 * 60);
    walk(&projects, &mut |path| {
        let file = fs::File::options().write(true).open(path).unwrap();
        file.set_modified(before_any_hook).unwrap();
    });
    ccsession(&sandbox, ["import"]).output();
    assert!(
        sandbox
            .files()
            .iter()
            .any(|it| it.ends_with("transcript.jsonl"))
    );
    check(doctor(&sandbox), &[]);
}

#[test]
fn a_journal_without_a_record_is_a_fault_that_an_import_repairs() {
    let run_c = "65dd02b6-7134-4576-a982-e8658c4175aa";
    let sandbox = healthy();
    sandbox
        .hook(&event("SessionStart", run_c, json!({"source": "startup"})))
        .silent();
    let folder = sandbox.session(run_c);
    fs::remove_file(folder.join("session.json")).unwrap();
    let found = format!("1 journal has no record: {}", folder.display());
    let index = sandbox.state().join("projects");
    let key = fs::read_dir(index).unwrap().next().unwrap().unwrap().path();
    let entry = format!(
        "1 index entry belongs to no session or to a dead process: {}",
        key.join(run_c).display()
    );
    let remedy = "run `ccsession import`, which rebuilds its record if Claude Code still has the transcript; else remove the folder";
    let fault = ("fault", "orphans", found.as_str(), remedy);
    check(
        doctor(&sandbox),
        &[fault, ("note", "orphans", &entry, CLEAN_UP)],
    );
    clean_up(&sandbox);
    check(doctor(&sandbox), &[fault]);
    let projects = sandbox.home().join(".claude/projects");
    fs::create_dir_all(&projects).unwrap();
    copy_tree(&data("transcripts/c"), &projects);
    ccsession(&sandbox, ["import"]).output();
    let found = "hooks recorded 0 of 12 calls in the transcripts of the last 1 sessions";
    let remedy = format!("see `ccsession show {run_c}`; `ccsession import` adds the rest");
    check(doctor(&sandbox), &[("note", "coverage", found, &remedy)]);
    assert_eq!(sandbox.journal(run_c).len(), 1);
}

#[test]
fn of_many_the_first_are_named_and_the_rest_counted() {
    let sandbox = healthy();
    let ids = ["s-1", "s-2", "s-3", "s-4", "s-5"];
    for id in ids {
        sandbox
            .hook(&event("SessionStart", id, json!({"source": "startup"})))
            .silent();
        fs::remove_file(sandbox.session(id).join("session.json")).unwrap();
    }
    let found = findings(doctor(&sandbox));
    let fault = found.iter().find(|it| it["grade"] == "fault").unwrap();
    let expected = format!(
        "5 journals have no record: {}, {}, {} and 2 more",
        sandbox.session("s-1").display(),
        sandbox.session("s-2").display(),
        sandbox.session("s-3").display()
    );
    assert_eq!(fault["found"], expected);
}

#[test]
fn a_record_that_cannot_be_read_is_a_fault() {
    let sandbox = healthy();
    let record = sandbox.session(ID).join("session.json");
    write_private(&record, "{");
    let found = findings(doctor(&sandbox));
    let fault = found.iter().find(|it| it["grade"] == "fault").unwrap();
    assert_eq!(fault["check"], "orphans");
    let said = fault["found"].as_str().unwrap();
    assert!(
        said.starts_with(&format!("could not read `{}`: ", record.display())),
        "{said}"
    );
}

#[test]
fn a_lease_without_its_holder_is_removed_by_a_cleanup() {
    let sandbox = healthy();
    let lease = sandbox.state().join("leases/s-1");
    fs::create_dir_all(lease.parent().unwrap()).unwrap();
    let script = format!("CLAUDE_PID=$$ {SESSION_START}; exit $?");
    let payload = event("SessionStart", "s-dead", json!({"source": "startup"}));
    sandbox
        .run("/bin/sh")
        .arg("-c")
        .arg(script)
        .stdin(payload.to_string())
        .silent();
    let owners = sandbox.session("s-dead").join("owners");
    let owner = fs::read_dir(&owners)
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    let holder: Value = serde_json::from_slice(&fs::read(owner).unwrap()).unwrap();
    let held = json!({"v": 1, "session_id": "s-1", "holder": holder, "child": null, "command": "x", "since": "2026-11-20T14:00:00Z"});
    write_private(&lease, &held.to_string());
    let found = format!("1 lease has lost its holder: {}", lease.display());
    let notes = orphans(&sandbox);
    assert!(notes.contains(&(found, CLEAN_UP.to_owned())), "{notes:?}");
    clean_up(&sandbox);
    assert!(!lease.exists());
    assert_eq!(orphans(&sandbox), []);
}

/// What is found of orphans: what, and the remedy. None may be a fault.
#[track_caller]
fn orphans(sandbox: &Sandbox) -> Vec<(String, String)> {
    let found = findings(doctor(sandbox));
    assert!(found.iter().all(|it| it["grade"] != "fault"), "{found:?}");
    let notes = found
        .iter()
        .filter(|it| it["check"] == "orphans" && it["grade"] == "note");
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    notes
        .map(|it| (text(&it["found"]), text(&it["remedy"])))
        .collect()
}

#[test]
fn owners_of_long_ended_sessions_are_removed_and_those_of_abandoned_ones_stay() {
    let sandbox = healthy();
    start_and_die(&sandbox, "s-abandoned");
    start_and_die(&sandbox, "s-ended");
    let end = event("SessionEnd", "s-ended", json!({"reason": "other"}));
    sandbox.hook(&end).env("CLAUDE_PID", as_client()).silent();
    clean_up(&sandbox);
    let owners = |id: &str| {
        fs::read_dir(sandbox.session(id).join("owners"))
            .unwrap()
            .count()
    };
    assert_eq!((owners("s-abandoned"), owners("s-ended")), (1, 1));
    assert_eq!(orphans(&sandbox), []);
    for id in ["s-abandoned", "s-ended"] {
        age_file(&sandbox.session(id).join("events.jsonl"), 25 * HOUR);
    }
    let found = format!(
        "1 session has owners that exited and are no longer needed: {}",
        sandbox.session("s-ended").display()
    );
    assert_eq!(orphans(&sandbox), [(found, DAILY.to_owned())]);
    let states = || {
        let listed = ccsession(&sandbox, ["list", "--all", "--json"]).json();
        let sessions = listed["sessions"].as_array().unwrap().iter();
        let mut states: Vec<String> = sessions
            .map(|it| format!("{} {}", it["session_id"], it["state"]))
            .collect();
        states.sort();
        states
    };
    let before = states();
    clean_up(&sandbox);
    assert_eq!((owners("s-abandoned"), owners("s-ended")), (1, 0));
    assert_eq!((orphans(&sandbox), states()), (vec![], before));
    // Its dead owner is what keeps an old variable from being believed.
    let run = ccsession(&sandbox, ["current", "--project"]).arg(sandbox.home());
    run.env("CLAUDE_CODE_SESSION_ID", "s-abandoned")
        .expect(0, "unknown\n", "");
}

#[test]
fn index_entries_without_a_session_or_process_are_removed_by_a_cleanup() {
    let sandbox = healthy();
    start_and_die(&sandbox, "s-dead");
    let entry = sandbox.state().join("projects/0123456789abcdef/s-nobody");
    fs::create_dir_all(entry.parent().unwrap()).unwrap();
    write_private(&entry, "");
    let procs = sandbox.state().join("procs");
    let names: Vec<String> = fs::read_dir(&procs)
        .unwrap()
        .map(|it| it.unwrap().path().display().to_string())
        .collect();
    let dead = names
        .iter()
        .find(|name| fs::read_to_string(name).unwrap().contains("s-dead"));
    let found = format!(
        "2 index entries belong to no session or to dead processes: {}, {}",
        dead.unwrap(),
        entry.display()
    );
    assert_eq!(orphans(&sandbox), [(found, CLEAN_UP.to_owned())]);
    clean_up(&sandbox);
    assert_eq!(orphans(&sandbox), []);
    assert!(!entry.exists());
}

#[test]
fn temporary_files_are_named_once_their_process_must_be_dead() {
    let sandbox = healthy();
    let mut files = Vec::new();
    for dir in [
        sandbox.state(),
        sandbox.state().join("procs"),
        sandbox.state().join("backups"),
        sandbox.session(ID),
        sandbox.pointers(),
    ] {
        fs::create_dir_all(&dir).unwrap();
        let file = dir.join(".ccsession-tmp-0123456789abcdef");
        write_private(&file, "half");
        files.push(file);
    }
    assert_eq!(orphans(&sandbox), []);
    for file in &files {
        age_file(file, 11 * 60);
    }
    let mut named: Vec<String> = files
        .iter()
        .map(|file| file.display().to_string())
        .collect();
    named.sort();
    let found = format!(
        "5 temporary files were left behind by processes that were killed: {} and 2 more",
        named[..3].join(", ")
    );
    assert_eq!(orphans(&sandbox), [(found, DAILY.to_owned())]);
    clean_up(&sandbox);
    assert_eq!(orphans(&sandbox), []);
    sandbox.assert_no_leftovers();
}

// Who cleans up.

#[track_caller]
fn cleanup_is(sandbox: &Sandbox, expected: &[&str; 2]) {
    let found = findings(doctor(sandbox));
    let cleanup = found.iter().find(|it| it["check"] == "cleanup").unwrap();
    let remedy = cleanup["remedy"].as_str().unwrap_or_default();
    assert_eq!([cleanup["found"].as_str().unwrap(), remedy], *expected);
    assert!(found.iter().all(|it| it["grade"] != "fault"));
}

const HOOKS: &str = "by the hooks, when a session starts";

#[test]
fn a_line_for_cron_is_information() {
    let sandbox = healthy();
    cleanup_is(&sandbox, &[HOOKS, ""]);
    let crontab = |line: &str| {
        let script = format!("#!/bin/sh\n[ \"$*\" = -l ] && echo '{line}'\n");
        write_program(sandbox.path("client/crontab"), &script);
    };
    crontab("* * * * * $HOME/.local/bin/ccsession cleanup --if-due --quiet");
    cleanup_is(&sandbox, &[&format!("{HOOKS}, and by cron"), ""]);
    crontab("* * * * * $HOME/.local/bin/ccsession metrics");
    cleanup_is(&sandbox, &[HOOKS, ""]);
    write_program(
        sandbox.path("client/crontab"),
        "#!/bin/sh\necho 'no crontab for dev' >&2\nexit 1\n",
    );
    cleanup_is(&sandbox, &[HOOKS, ""]);
}

#[test]
fn a_timer_is_information_and_one_that_cannot_work_is_noted() {
    let sandbox = healthy();
    write_program(sandbox.path("client/systemctl"), "#!/bin/sh\nexit 0\n");
    ccsession(&sandbox, ["install", "--timer"]).stdout();
    let dir = sandbox.home().join(".config/systemd/user");
    let timer = dir.join("ccsession-cleanup.timer");
    let enable = "run `systemctl --user enable --now ccsession-cleanup.timer`";
    cleanup_is(
        &sandbox,
        &[&format!("{} is not enabled", timer.display()), enable],
    );
    fs::create_dir(dir.join("timers.target.wants")).unwrap();
    symlink(
        &timer,
        dir.join("timers.target.wants/ccsession-cleanup.timer"),
    )
    .unwrap();
    cleanup_is(
        &sandbox,
        &[&format!("{HOOKS}, and by a timer, {}", timer.display()), ""],
    );
    let service = dir.join("ccsession-cleanup.service");
    let text = fs::read_to_string(&service).unwrap();
    let program = fs::canonicalize(crate::support::CCSESSION).unwrap();
    let moved = text.replace(program.to_str().unwrap(), "/old/ccsession");
    put(&service, &moved);
    cleanup_is(
        &sandbox,
        &[
            "the timer starts /old/ccsession, which is not part of this installation",
            "run `ccsession install --timer` again",
        ],
    );
    ccsession(&sandbox, ["install", "--timer"]).stdout();
    cleanup_is(
        &sandbox,
        &[&format!("{HOOKS}, and by a timer, {}", timer.display()), ""],
    );
}
