//! What follows from how long the client keeps transcripts: whether anything is archived, who reports that, that no cleanup
//! runs in vain, and when the next transcript that is not archived will be deleted.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use crate::support::settings::{ccsession, doctor, findings, healthy, put, sandbox, user_settings};
use crate::support::{
    CCSESSION, ID, Run, SESSION_START, Sandbox, as_client, copy_program, event, wait_until,
    write_program,
};

/// The name under which tests choose whether anything is archived.
const AUTO: &str = "CCSESSION_ARCHIVE_AUTO";

/// A sandbox whose user told the client to keep transcripts for so long.
fn keeping(days: &Value) -> Sandbox {
    let sandbox = sandbox();
    let settings = json!({"cleanupPeriodDays": days}).to_string();
    put(&user_settings(&sandbox), &settings);
    sandbox
}

/// What the doctor says of a check: the grade, what was found, and the remedy.
fn says(run: Run, check: &str) -> [String; 3] {
    let found = findings(run);
    let of_check: Vec<&Value> = found.iter().filter(|it| it["check"] == check).collect();
    assert_eq!(of_check.len(), 1, "{found:?}");
    ["grade", "found", "remedy"].map(|key| of_check[0][key].as_str().unwrap_or_default().to_owned())
}

/// The effective `archive.auto`, and where it comes from.
fn effective(run: Run) -> [String; 2] {
    let config = run.json();
    let mut settings = config["settings"].as_array().unwrap().iter();
    let auto = settings.find(|it| it["key"] == "archive.auto").unwrap();
    ["value", "source"].map(|key| auto[key].as_str().unwrap().to_owned())
}

/// With these days nothing is archived automatically, or everything; and whoever is asked says the same.
#[track_caller]
fn check(days: &Value, is_little: bool) {
    let sandbox = keeping(days);
    let settings = user_settings(&sandbox).display().to_string();
    let found =
        format!("nothing is archived automatically: cleanupPeriodDays is {days} in {settings}");
    let config = sandbox.home().join(".config/ccsession/config.toml");
    let remedy = format!("set `archive.auto = true` in {}", config.display());
    let sentence = format!("{found}; to have sessions archived all the same, {remedy}");
    let run = |verb: &[&str]| {
        let run = ccsession(&sandbox, []).without_env(AUTO);
        verb.iter().fold(run, |run, word| run.arg(word))
    };
    for _ in ["installed", "installed already"] {
        let said = run(&["install"]).stdout();
        assert_eq!(
            said.lines().any(|line| line == sentence),
            is_little,
            "{said}"
        );
        assert_eq!(said.contains("archived"), is_little, "{said}");
    }
    let (auto, doctor) = match is_little {
        true => (
            [
                "false".to_owned(),
                format!("cleanupPeriodDays in {settings}"),
            ],
            ["note".to_owned(), found, remedy],
        ),
        false => (
            ["true", "default"].map(str::to_owned),
            ["ok", "ended sessions are archived automatically", ""].map(str::to_owned),
        ),
    };
    assert_eq!(effective(run(&["config", "--json"])), auto);
    assert_eq!(says(run(&["doctor", "--json"]), "archive"), doctor);
}

#[test]
fn with_a_short_retention_the_user_is_told_that_nothing_is_archived() {
    for days in [json!(0), json!(0.5), json!(7), json!(29)] {
        check(&days, true);
    }
}

#[test]
fn with_the_default_retention_or_longer_sessions_are_archived() {
    for days in [json!(30), json!(99999), json!(1e300)] {
        check(&days, false);
    }
}

#[test]
fn an_invalid_number_of_days_changes_nothing() {
    for days in [json!(-1), json!("7"), json!(null), json!([7])] {
        check(&days, false);
    }
}

#[test]
fn an_explicit_archive_setting_is_obeyed_without_a_notice() {
    let sandbox = keeping(&json!(7));
    let config = sandbox.home().join(".config/ccsession/config.toml");
    for auto in ["true", "false"] {
        put(&config, &format!("[archive]\nauto = {auto}\n"));
        let said = ccsession(&sandbox, ["install"]).without_env(AUTO).stdout();
        assert!(!said.contains("archived"), "{said}");
        let shown = ccsession(&sandbox, ["config", "--json"]).without_env(AUTO);
        assert_eq!(effective(shown), [auto, config.to_str().unwrap()]);
        let found = says(doctor(&sandbox).without_env(AUTO), "archive");
        assert_eq!(found[0], "ok");
        let is_named = found[1].ends_with(&format!("from {}", config.display()));
        assert_eq!(is_named, auto == "false", "{}", found[1]);
    }
}

#[test]
fn a_projects_retention_is_not_the_users() {
    let sandbox = healthy();
    put(
        &sandbox.project().join(".claude/settings.json"),
        "{\"cleanupPeriodDays\": 7}",
    );
    let run = ccsession(&sandbox, ["config", "--json"]).without_env(AUTO);
    assert_eq!(effective(run), ["true", "default"]);
}

/// A start leaves a cleanup behind for what has ended and for clients that are gone. Where nothing is archived, one is enough.
#[test]
fn without_archiving_starts_do_not_keep_launching_cleanups() {
    let sandbox = Sandbox::archiving();
    put(&user_settings(&sandbox), "{\"cleanupPeriodDays\": 7}");
    let hook = sandbox.path("prefix/libexec/ccsession/session-start");
    fs::create_dir_all(hook.parent().unwrap()).unwrap();
    fs::create_dir_all(sandbox.path("prefix/bin")).unwrap();
    copy_program(SESSION_START, &hook);
    let noted = sandbox.path("cleanups");
    let script = format!(
        "#!/bin/sh\n{CCSESSION} \"$@\"\necho \"$*\" >> {}\n",
        noted.display()
    );
    write_program(sandbox.path("prefix/bin/ccsession"), &script);

    // One client said that its session ends, another one says nothing any more.
    let start = |id: &str| event("SessionStart", id, json!({"source": "startup"})).to_string();
    let begin = sandbox.run(SESSION_START).stdin(start(ID));
    begin.env("CLAUDE_PID", as_client()).silent();
    let dies = format!("CLAUDE_PID=$$ {SESSION_START}; exit $?");
    let client = sandbox.run("/bin/sh").arg("-c").arg(dies);
    client.stdin(start("s-killed")).silent();
    let end = event("SessionEnd", ID, json!({"reason": "other"}));
    sandbox.hook(&end).env("CLAUDE_PID", as_client()).silent();
    assert!(sandbox.state().join("ended").join(ID).exists());

    let another = |id: &str| {
        let run = sandbox.run(&hook).stdin(start(id));
        run.env("CLAUDE_PID", as_client()).silent();
    };
    another("s-1");
    wait_until(|| noted.exists());
    assert!(!sandbox.state().join("ended").join(ID).exists());
    assert!(!sandbox.state().join("archive").exists());
    for id in ["s-2", "s-3", "s-4"] {
        another(id);
    }
    // One that was left behind would have come by now.
    std::thread::sleep(Duration::from_millis(500));
    let cleanups = fs::read_to_string(&noted).unwrap();
    assert_eq!(cleanups, "cleanup --if-due --quiet --detach\n");
}

// What goes soon.

const DAY: u64 = 24 * 60 * 60;
const CLEAN_UP: &str = "run `ccsession cleanup`";

/// As [`healthy`], where everything is archived as it is for users.
fn archiving() -> Sandbox {
    let sandbox = healthy();
    let path = sandbox.home().join(".config/ccsession/config.toml");
    put(&path, "[archive]\nauto = true\n");
    sandbox
}

/// Where the transcript of a session is.
fn transcript(sandbox: &Sandbox, id: &str) -> PathBuf {
    let projects = sandbox.home().join(".claude/projects");
    projects.join(format!("-shop/{id}.jsonl"))
}

/// A session of a client that runs, and its transcript, which was last written to so many days ago.
fn begin(sandbox: &Sandbox, id: &str, days: f64) -> PathBuf {
    let path = transcript(sandbox, id);
    let more = json!({"source": "startup", "transcript_path": path});
    let start = sandbox.hook(&event("SessionStart", id, more));
    start.env("CLAUDE_PID", as_client()).silent();
    put(&path, "");
    say(&path, days);
    path
}

/// The same, and it ended then. `auto` is what the hook that saw the end had read of `archive.auto`.
fn end(sandbox: &Sandbox, id: &str, days: f64, auto: &str) -> PathBuf {
    let path = begin(sandbox, id, days);
    let end = sandbox.hook(&event("SessionEnd", id, json!({"reason": "other"})));
    end.env("CLAUDE_PID", as_client()).env(AUTO, auto).silent();
    written(&sandbox.session(id).join("events.jsonl"), days);
    path
}

/// Writes another line to a transcript, so many days ago.
fn say(path: &Path, days: f64) {
    let line = json!({"type": "user", "message": {"role": "user", "content": "remember me"}});
    let text = fs::read_to_string(path).unwrap();
    fs::write(path, format!("{text}{line}\n")).unwrap();
    written(path, days);
}

/// Makes a file as old as one that was written so many days ago.
fn written(path: &Path, days: f64) {
    let file = fs::File::options().write(true).open(path).unwrap();
    let then = SystemTime::now() - Duration::from_secs_f64(days * DAY as f64);
    file.set_modified(then).unwrap();
}

fn transcripts(sandbox: &Sandbox) -> [String; 3] {
    says(doctor(sandbox).without_env(AUTO), "transcripts")
}

#[track_caller]
fn goes(sandbox: &Sandbox, found: &str, remedy: &str) {
    assert_eq!(transcripts(sandbox), ["note", found, remedy]);
}

#[track_caller]
fn nothing_goes(sandbox: &Sandbox) {
    let [grade, found, _] = transcripts(sandbox);
    let is_said = found.ends_with(
        " days; none of those on record that are not archived will be deleted within a week",
    );
    assert!(grade == "ok" && is_said, "{found}");
}

fn clean_up(sandbox: &Sandbox) {
    let run = ccsession(sandbox, ["cleanup", "--quiet"]);
    run.without_env(AUTO).silent();
}

fn not_archived(id: &str, when: &str) -> String {
    format!("that of session {id} is not fully archived, and Claude Code deletes it {when}")
}

#[test]
fn a_transcript_is_mentioned_from_a_week_before_its_deletion() {
    for (age, when) in [
        (22.9, None),
        (23.1, Some("in 6 days")),
        (27.5, Some("in 2 days")),
        (28.5, Some("in 1 day")),
        (29.5, Some("within a day")),
        (30.5, Some("when it starts next")),
        (4000.0, Some("when it starts next")),
    ] {
        let sandbox = archiving();
        end(&sandbox, "s-1", age, "true");
        let Some(when) = when else {
            nothing_goes(&sandbox);
            continue;
        };
        goes(&sandbox, &not_archived("s-1", when), CLEAN_UP);
        clean_up(&sandbox);
        nothing_goes(&sandbox);
    }
}

#[test]
fn sessions_that_no_cleanup_archives_need_a_clock_out() {
    let sandbox = archiving();
    // It ended when nothing was to be archived, and the day's long work is done.
    end(&sandbox, "s-1", 27.5, "false");
    put(&sandbox.state().join("daily"), "");
    let remedy = "run `ccsession clock-out s-1`";
    goes(&sandbox, &not_archived("s-1", "in 2 days"), remedy);
    clean_up(&sandbox);
    goes(&sandbox, &not_archived("s-1", "in 2 days"), remedy);
    ccsession(&sandbox, ["clock-out", "s-1"]).stdout();
    nothing_goes(&sandbox);

    let sandbox = healthy();
    end(&sandbox, "s-1", 27.5, "true");
    let config = sandbox.home().join(".config/ccsession/config.toml");
    put(&config, "[archive]\nauto = false\n");
    goes(&sandbox, &not_archived("s-1", "in 2 days"), remedy);
}

/// What a cleanup would archive now, and what it archives then.
#[track_caller]
fn saves(sandbox: &Sandbox, expected: &[&str]) {
    let cleanup = |more: &[&str]| {
        let run = ccsession(sandbox, ["cleanup", "--json"]).without_env(AUTO);
        more.iter().fold(run, |run, word| run.arg(word)).output()
    };
    let would = cleanup(&["--dry-run"]).stderr;
    let would = String::from_utf8(would).unwrap();
    let ids = would.lines().filter_map(|line| {
        let line = line.strip_prefix("would archive session ")?;
        Some(line.split_once(": ")?.0)
    });
    assert_eq!(ids.collect::<Vec<_>>(), expected);
    let report: Value = serde_json::from_slice(&cleanup(&[]).stdout).unwrap();
    assert_eq!(report["archived"], expected.len(), "{would}");
}

#[test]
fn transcripts_about_to_be_deleted_are_archived_once_a_day_however_recorded() {
    let sandbox = archiving();
    let day = sandbox.state().join("daily");
    // Imported.
    for (id, age) in [("s-late", 22.5), ("s-soon", 24.0)] {
        let path = transcript(&sandbox, id);
        let line = json!({"type": "user", "sessionId": id, "timestamp": "2026-10-01T12:00:00.000Z", "uuid": id, "cwd": sandbox.project(), "message": {"role": "user", "content": "remember me"}});
        put(&path, &format!("{line}\n"));
        written(&path, age);
    }
    ccsession(&sandbox, ["import"]).stdout();
    // Ended while nothing was archived, and at a time when it was.
    end(&sandbox, "s-unmarked", 25.5, "false");
    let path = end(&sandbox, "s-more", 26.5, "true");
    assert_eq!(transcripts(&sandbox)[2], CLEAN_UP);
    saves(&sandbox, &["s-more", "s-soon", "s-unmarked"]);
    nothing_goes(&sandbox);
    for id in ["s-more", "s-soon", "s-unmarked"] {
        assert!(sandbox.record(id)["ended_at"].is_string(), "{id}");
    }
    say(&path, 26.5);
    saves(&sandbox, &[]);
    written(&day, 1.1);
    goes(&sandbox, &not_archived("s-more", "in 3 days"), CLEAN_UP);
    saves(&sandbox, &["s-more"]);
    written(&day, 1.1);
    saves(&sandbox, &[]);
    // Not where nothing is to be archived.
    say(&path, 26.5);
    written(&day, 1.1);
    let config = sandbox.home().join(".config/ccsession/config.toml");
    put(&config, "[archive]\nauto = false\n");
    saves(&sandbox, &[]);
}

#[test]
fn a_transcript_about_to_be_deleted_that_cannot_be_archived_is_reported_once() {
    let sandbox = archiving();
    end(&sandbox, "s-1", 27.5, "true");
    let journal = sandbox.session("s-1").join("events.jsonl");
    fs::set_permissions(&journal, fs::Permissions::from_mode(0o620)).unwrap();
    let output = ccsession(&sandbox, ["cleanup"]).without_env(AUTO).output();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(said.contains(journal.to_str().unwrap()), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
}

#[test]
fn new_messages_of_a_live_session_count_as_not_archived() {
    let sandbox = archiving();
    let settings = json!({"cleanupPeriodDays": 5}).to_string();
    put(&user_settings(&sandbox), &settings);
    let path = begin(&sandbox, "s-1", 0.0);
    let found = || transcripts(&sandbox);
    let is = |remedy: &str| ["note", &not_archived("s-1", "in 4 days"), remedy].map(str::to_owned);
    assert_eq!(found(), is(CLEAN_UP));
    clean_up(&sandbox);
    nothing_goes(&sandbox);
    say(&path, 0.5);
    // Into sessions that go on a cleanup looks once a day.
    assert_eq!(found(), is("run `ccsession clock-out s-1`"));
    written(&sandbox.state().join("daily"), 1.1);
    assert_eq!(found(), is(CLEAN_UP));
    clean_up(&sandbox);
    nothing_goes(&sandbox);
}

#[test]
fn of_several_transcripts_the_first_to_be_deleted_is_named() {
    let sandbox = archiving();
    put(&sandbox.state().join("daily"), "");
    for (id, age) in [("s-1", 24.5), ("s-2", 29.2), ("s-3", 26.5), ("s-4", 3.0)] {
        end(&sandbox, id, age, "true");
    }
    end(&sandbox, "s-5", 25.5, "false");
    let first = "the next one that Claude Code deletes is that of session";
    let found = format!("4 are not fully archived; {first} s-2, within a day");
    let remedy = "run `ccsession cleanup`, and `ccsession clock-out s-5`";
    goes(&sandbox, &found, remedy);
    clean_up(&sandbox);
    let remedy = "run `ccsession clock-out s-5`";
    goes(&sandbox, &not_archived("s-5", "in 4 days"), remedy);
    let said = ccsession(&sandbox, ["doctor"]).without_env(AUTO).stdout();
    let lines = format!(
        "\nnote  transcripts: {}\n      remedy: {remedy}\n",
        not_archived("s-5", "in 4 days")
    );
    assert!(said.contains(&lines), "{said}");
}

#[test]
fn the_client_s_own_number_of_days_counts_if_it_is_one() {
    let sandbox = archiving();
    end(&sandbox, "s-1", 27.5, "true");
    for (days, when) in [
        (json!(0), Some("when it starts next")),
        (json!(28), Some("within a day")),
        (json!(30.4), Some("in 2 days")),
        (json!(-1), Some("in 2 days")),
        (json!("7"), Some("in 2 days")),
        (json!(null), Some("in 2 days")),
        (json!(60), None),
        (json!(99999), None),
        (json!(1e300), None),
    ] {
        let settings = json!({"cleanupPeriodDays": days}).to_string();
        put(&user_settings(&sandbox), &settings);
        match when {
            Some(when) => goes(&sandbox, &not_archived("s-1", when), CLEAN_UP),
            None => nothing_goes(&sandbox),
        }
    }
}

#[test]
fn an_archived_or_unrecorded_transcript_is_not_mentioned() {
    let sandbox = archiving();
    let path = end(&sandbox, "s-1", 27.5, "true");
    put(&path.with_file_name("s-unknown.jsonl"), "{}\n");
    written(&path.with_file_name("s-unknown.jsonl"), 27.5);
    clean_up(&sandbox);
    nothing_goes(&sandbox);
    // The record says nothing of the archive yet, when whoever made it is killed.
    let record = sandbox.session("s-1").join("session.json");
    let mut unnamed = sandbox.record("s-1");
    let named = std::mem::take(&mut unnamed["archive"]);
    crate::support::files::write_private(&record, &unnamed.to_string());
    nothing_goes(&sandbox);
    // An archive that was kept for long enough is not missed, until something is said again.
    unnamed["archive"] = named;
    crate::support::files::write_private(&record, &unnamed.to_string());
    written(&path, 27.6);
    let prune = ["archive", "prune", "--older-than", "1us", "--yes"];
    ccsession(&sandbox, prune).stdout();
    nothing_goes(&sandbox);
    fs::remove_file(sandbox.state().join("tombstones.jsonl")).unwrap();
    let remedy = "run `ccsession clock-out s-1`";
    goes(&sandbox, &not_archived("s-1", "in 2 days"), remedy);
}

#[test]
fn transcripts_of_subagents_and_moved_ones_count_too() {
    for agent in ["s-1/subagents/agent-a1.jsonl", "agent-a1.jsonl"] {
        let sandbox = archiving();
        let path = end(&sandbox, "s-1", 27.5, "true");
        let agent = path.with_file_name(agent);
        put(&agent, "{\"sessionId\":\"s-1\",\"agentId\":\"a1\"}\n");
        clean_up(&sandbox);
        nothing_goes(&sandbox);
        say(&agent, 27.5);
        let found = not_archived("s-1", "in 2 days");
        goes(&sandbox, &found, "run `ccsession clock-out s-1`");
        ccsession(&sandbox, ["clock-out", "s-1"]).stdout();
        nothing_goes(&sandbox);
        // What the client has deleted does not make up for what was said since.
        fs::remove_file(&agent).unwrap();
        nothing_goes(&sandbox);
        say(&path, 27.5);
        goes(&sandbox, &found, "run `ccsession clock-out s-1`");
    }
    let sandbox = archiving();
    let path = end(&sandbox, "s-1", 27.5, "true");
    let moved = sandbox.home().join(".claude/projects/-elsewhere");
    fs::create_dir(&moved).unwrap();
    fs::rename(&path, moved.join("s-1.jsonl")).unwrap();
    goes(&sandbox, &not_archived("s-1", "in 2 days"), CLEAN_UP);
}

#[test]
fn the_deletion_warning_reads_no_transcript() {
    let sandbox = archiving();
    let path = end(&sandbox, "s-1", 0.0, "true");
    fs::File::options()
        .write(true)
        .open(&path)
        .unwrap()
        .set_len(1 << 40)
        .unwrap();
    written(&path, 27.5);
    goes(&sandbox, &not_archived("s-1", "in 2 days"), CLEAN_UP);
}
