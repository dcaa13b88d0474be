//! Where the client keeps transcripts for less than it would by itself: whether anything is archived then, who says so, and
//! that nobody works in vain.

use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use crate::doctor::{doctor, findings, healthy};
use crate::install::{ccsession, put, sandbox, user_settings, write_executable};
use crate::support::{CCSESSION, ID, Run, SESSION_START, Sandbox, as_client, event};

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

/// With these days nothing is archived by itself, or everything; and whoever is asked says the same.
#[track_caller]
fn check(days: &Value, is_little: bool) {
    let sandbox = keeping(days);
    let settings = user_settings(&sandbox).display().to_string();
    let found = format!("nothing is archived by itself: cleanupPeriodDays is {days} in {settings}");
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
            [
                "ok",
                "sessions that have ended are archived by themselves",
                "",
            ]
            .map(str::to_owned),
        ),
    };
    assert_eq!(effective(run(&["config", "--json"])), auto);
    assert_eq!(says(run(&["doctor", "--json"]), "archive"), doctor);
}

#[test]
fn whoever_has_transcripts_deleted_early_is_told_that_nothing_is_archived() {
    for days in [json!(0), json!(0.5), json!(7), json!(29)] {
        check(&days, true);
    }
}

#[test]
fn by_the_client_s_own_measure_and_beyond_sessions_are_archived() {
    for days in [json!(30), json!(99999), json!(1e300)] {
        check(&days, false);
    }
}

#[test]
fn what_says_nothing_of_days_changes_nothing() {
    for days in [json!(-1), json!("7"), json!(null), json!([7])] {
        check(&days, false);
    }
}

#[test]
fn who_has_said_whether_to_archive_is_obeyed_and_not_told() {
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
fn settings_of_a_project_are_not_the_user_s() {
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
fn a_start_leaves_no_cleanup_behind_again_and_again_where_nothing_is_archived() {
    let sandbox = Sandbox::archiving();
    put(&user_settings(&sandbox), "{\"cleanupPeriodDays\": 7}");
    let hook = sandbox.path("prefix/libexec/ccsession/session-start");
    fs::create_dir_all(hook.parent().unwrap()).unwrap();
    fs::create_dir_all(sandbox.path("prefix/bin")).unwrap();
    fs::copy(SESSION_START, &hook).unwrap();
    let noted = sandbox.path("cleanups");
    let script = format!(
        "#!/bin/sh\n{CCSESSION} \"$@\"\necho \"$*\" >> {}\n",
        noted.display()
    );
    write_executable(&sandbox.path("prefix/bin/ccsession"), &script);

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
    wait_for(&noted);
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

fn wait_for(path: &Path) {
    for _ in 0..200 {
        if path.exists() {
            return;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("{path:?} did not come");
}
