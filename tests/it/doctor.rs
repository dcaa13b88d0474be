//! `ccsession doctor`: each fault is provoked, and named with its remedy.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::files::write_private;
use crate::support::settings::{
    ccsession, check, client, doctor, findings, healthy, libexec, no_client, put, record_one,
    sandbox, user_settings,
};
use crate::support::states::age;
use crate::support::{CCSESSION, ID, Run, Sandbox, as_client, event};

/// Sets these members in the user's settings.
fn settings_with(sandbox: &Sandbox, more: &Value) {
    let path = user_settings(sandbox);
    let mut settings: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    settings
        .as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    fs::write(path, settings.to_string()).unwrap();
}

#[test]
fn in_a_healthy_installation_every_check_is_ok() {
    let sandbox = healthy();
    check(doctor(&sandbox), &[]);
    let said = ccsession(&sandbox, ["doctor"]).stdout();
    let lines: Vec<&str> = said.lines().collect();
    let expected = [
        format!(
            "ok    program: ccsession {}, {}",
            env!("CARGO_PKG_VERSION"),
            fs::canonicalize(CCSESSION).unwrap().display()
        ),
        "ok    client: Claude Code 2.1.329".to_owned(),
        format!(
            "ok    hooks: all four executables are in {}",
            sandbox.path("libexec").display()
        ),
        "ok    installed: 20 events in the user settings".to_owned(),
        format!("ok    state: {} is yours alone", sandbox.state().display()),
    ];
    assert_eq!(lines[..5], expected);
    let event = lines[5].strip_prefix("ok    last event: ").unwrap();
    assert!(
        event.ends_with(&format!("s ago, in session {ID}")),
        "{event}"
    );
    let pointers = format!(
        "ok    pointers: {} is safe to share",
        sandbox.pointers().display()
    );
    assert_eq!(
        lines[6..],
        [
            "ok    orphans: none",
            "ok    waiting: no work is blocked",
            "ok    transcripts: Claude Code keeps them for 30 days; none of those on record that are not archived will be deleted within a week",
            "ok    cleanup: by the hooks, when a session starts",
            "ok    archive: nothing is archived automatically: archive.auto is false, from $CCSESSION_ARCHIVE_AUTO",
            &pointers
        ]
    );
}

#[test]
fn it_is_said_how_many_ended_sessions_are_archived() {
    let sandbox = healthy();
    for name in ["SessionStart", "SessionEnd"] {
        let run = sandbox.hook(&event(name, "s-2", json!({"source": "startup"})));
        run.env("CLAUDE_PID", as_client()).silent();
    }
    let counted = || {
        let found = findings(doctor(&sandbox)).into_iter();
        let mut found = found.filter(|finding| finding["check"] == "archive");
        let found = found.next().unwrap()["found"].as_str().unwrap().to_owned();
        found.rsplit("; ").next().unwrap().to_owned()
    };
    assert_eq!(
        counted(),
        "0 of 1 ended sessions are archived, 1 has no transcript"
    );
    let archived = ccsession(&sandbox, ["clock-out", "s-2"]).output();
    assert_eq!(archived.status.code(), Some(0));
    assert_eq!(counted(), "1 of 1 ended sessions is archived");
}

#[test]
fn a_fault_and_its_remedy_are_two_lines() {
    let sandbox = healthy();
    ccsession(&sandbox, ["uninstall"]).stdout();
    let output = ccsession(&sandbox, ["doctor"]).output();
    assert_eq!(output.status.code(), Some(5));
    let said = crate::support::text(&output.stdout);
    let fault = "\nFAULT installed: no settings file registers the hooks\n      remedy: run `ccsession install`\nok    state";
    assert!(said.contains(fault), "{said}");
}

#[test]
fn sessions_that_hooks_recorded_elsewhere_are_named() {
    let sandbox = healthy();
    let start = json!({"session_id": ID, "hook_event_name": "SessionStart", "source": "startup", "cwd": sandbox.project()});
    sandbox
        .hook(&start)
        .without_env("CCSESSION_STATE_DIR")
        .silent();
    let elsewhere = sandbox.home().join(".local/state/ccsession");
    let named = |run: Run| {
        let found = findings(run).into_iter();
        let mut found = found.filter(|finding| finding["check"] == "state elsewhere");
        found.next().map(|finding| finding["found"].to_string())
    };
    let here = sandbox.path("xdg");
    let by_xdg = doctor(&sandbox)
        .without_env("CCSESSION_STATE_DIR")
        .env("XDG_STATE_HOME", &here);
    for run in [by_xdg, doctor(&sandbox)] {
        let found = named(run).unwrap();
        assert!(found.contains(elsewhere.to_str().unwrap()), "{found}");
    }
    // What is older than the last event here is another matter.
    sandbox.hook(&start).silent();
    assert_eq!(named(doctor(&sandbox)), None);
}

#[test]
fn the_doctor_changes_nothing() {
    for sandbox in [sandbox(), healthy()] {
        let before = (sandbox.files(), sandbox.state().exists());
        let _ = ccsession(&sandbox, ["doctor"]).output();
        assert_eq!((sandbox.files(), sandbox.state().exists()), before);
    }
}

#[test]
fn before_the_install_it_is_said_what_comes_next() {
    check(
        doctor(&sandbox()),
        &[
            (
                "fault",
                "installed",
                "no settings file registers the hooks",
                "run `ccsession install`",
            ),
            (
                "note",
                "state",
                "there is no state directory yet: no event was ever recorded",
                "start a session",
            ),
        ],
    );
}

#[test]
fn an_install_without_any_recorded_event_is_noted() {
    let sandbox = sandbox();
    ccsession(&sandbox, ["install"]).stdout();
    check(
        doctor(&sandbox),
        &[(
            "note",
            "last event",
            "none was ever recorded",
            "start a session, in a folder that Claude Code trusts",
        )],
    );
}

#[test]
fn executables_that_cannot_serve_are_named() {
    let spoiled = |spoil: &dyn Fn(&Path), why: &str| {
        let sandbox = healthy();
        let hook = sandbox.path("libexec/session-event");
        spoil(&hook);
        check(
            doctor(&sandbox),
            &[(
                "fault",
                "hooks",
                &format!("{} {why}", hook.display()),
                "run install.sh again, or set CCSESSION_LIBEXEC",
            )],
        );
    };
    spoiled(&|hook| fs::remove_file(hook).unwrap(), "is missing");
    spoiled(
        &|hook| fs::set_permissions(hook, fs::Permissions::from_mode(0o600)).unwrap(),
        "cannot be run",
    );
    spoiled(
        &|hook| fs::write(hook, "ccsession hook 0.0.1").unwrap(),
        "is of another version",
    );
}

#[test]
fn every_executable_that_is_missing_is_named() {
    let sandbox = healthy();
    fs::remove_dir_all(sandbox.path("libexec")).unwrap();
    let faults = findings(doctor(&sandbox));
    let missing = faults.iter().filter(|finding| finding["check"] == "hooks");
    assert_eq!(missing.count(), 4);
}

#[test]
fn executables_of_another_installation_are_named() {
    let sandbox = healthy();
    let other = sandbox.path("v2/libexec/ccsession");
    libexec(&other);
    check(
        doctor(&sandbox).env("CCSESSION_LIBEXEC", &other),
        &[(
            "fault",
            "settings",
            &format!(
                "{} runs {} at SessionStart, but that executable is not part of this installation",
                user_settings(&sandbox).display(),
                sandbox.path("libexec/session-start").display()
            ),
            "run `ccsession install` again",
        )],
    );
    ccsession(&sandbox, ["install"])
        .env("CCSESSION_LIBEXEC", &other)
        .stdout();
    check(
        doctor(&sandbox),
        &[(
            "fault",
            "settings",
            &format!(
                "{} runs {} at SessionStart, but that executable is not part of this installation",
                user_settings(&sandbox).display(),
                other.join("session-start").display()
            ),
            "run `ccsession install` again",
        )],
    );
}

#[test]
fn registered_twice_is_a_note() {
    let sandbox = healthy();
    ccsession(&sandbox, ["install", "--scope", "project"]).stdout();
    ccsession(&sandbox, ["install", "--scope", "local"]).stdout();
    let found = findings(doctor(&sandbox));
    assert!(found.contains(&json!({
        "check": "installed",
        "grade": "ok",
        "found": "20 events in the user settings, 20 events in the project settings, 20 events in the local settings",
        "remedy": null,
    })));
    check(
        doctor(&sandbox),
        &[(
            "note",
            "twice",
            "the hooks are registered in several settings, by the same paths: user, project, local",
            "Claude Code runs identical handlers once; keep one all the same: `ccsession uninstall --scope …`",
        )],
    );
}

#[test]
fn hooks_registered_under_two_paths_are_reported_and_fixed_in_their_scope() {
    let sandbox = healthy();
    let other = sandbox.path("v2/libexec/ccsession");
    libexec(&other);
    ccsession(&sandbox, ["install", "--scope", "project"])
        .env("CCSESSION_LIBEXEC", &other)
        .stdout();
    check(
        doctor(&sandbox),
        &[
            (
                "fault",
                "settings",
                &format!(
                    "{} runs {} at SessionStart, but that executable is not part of this installation",
                    sandbox.project().join(".claude/settings.json").display(),
                    other.join("session-start").display()
                ),
                "run `ccsession install --scope project` again",
            ),
            (
                "note",
                "twice",
                "events are recorded twice: the hooks are registered under several paths, in the user, project settings",
                "keep one: `ccsession uninstall --scope …`",
            ),
        ],
    );
    // What is advised helps.
    ccsession(&sandbox, ["install", "--scope", "project"]).stdout();
    let grades = findings(doctor(&sandbox));
    assert!(
        grades.iter().all(|found| found["grade"] != "fault"),
        "{grades:#?}"
    );
}

#[test]
fn in_the_home_directory_the_users_settings_are_not_counted_twice() {
    let sandbox = healthy();
    check(doctor(&sandbox).dir(sandbox.home()), &[]);
}

#[test]
fn a_plugin_beside_the_registered_hooks_is_noted() {
    let sandbox = healthy();
    settings_with(
        &sandbox,
        &json!({"enabledPlugins": {"ccsession@market": true, "other@market": true}}),
    );
    let path = user_settings(&sandbox);
    let remedy = "uninstall the plugin, or run `ccsession uninstall`";
    let found = format!(
        "events are recorded twice: also by the plugin ccsession@market, enabled in {}",
        path.display()
    );
    check(doctor(&sandbox), &[("note", "twice", &found, remedy)]);

    settings_with(
        &sandbox,
        &json!({"enabledPlugins": {"ccsession@market": false}}),
    );
    check(doctor(&sandbox), &[]);

    settings_with(
        &sandbox,
        &json!({"enabledPlugins": {"ccsession@market": true}, "hooks": {}}),
    );
    let found = format!(
        "no settings file registers the hooks; events are recorded by the plugin ccsession@market, enabled in {}",
        path.display()
    );
    let remedy = "leave it as it is, or run `ccsession install` instead";
    check(doctor(&sandbox), &[("note", "installed", &found, remedy)]);
}

#[test]
fn a_handler_by_hand_beside_the_registered_hooks_is_noted() {
    let sandbox = healthy();
    let project = sandbox.project().join(".claude/settings.json");
    let by_hand = json!({"hooks": {"Stop": [{"hooks": [{"type": "command", "command": "ccsession hook Stop"}]}]}});
    put(&project, &by_hand.to_string());
    let by = format!("`ccsession hook Stop` at Stop, in {}", project.display());
    check(
        doctor(&sandbox),
        &[(
            "note",
            "twice",
            &format!("events are recorded twice: also by {by}"),
            "remove that handler, or run `ccsession uninstall`",
        )],
    );
    ccsession(&sandbox, ["uninstall"]).stdout();
    check(
        doctor(&sandbox),
        &[(
            "note",
            "installed",
            &format!("no settings file registers the hooks; events are recorded by {by}"),
            "leave it as it is, or run `ccsession install` instead",
        )],
    );
}

#[test]
fn hooks_that_are_switched_off_are_a_fault() {
    let sandbox = healthy();
    settings_with(&sandbox, &json!({"disableAllHooks": true}));
    check(
        doctor(&sandbox),
        &[(
            "fault",
            "armed",
            &format!(
                "disableAllHooks is true in {}: Claude Code runs no hook",
                user_settings(&sandbox).display()
            ),
            "take disableAllHooks out of that file",
        )],
    );
    settings_with(&sandbox, &json!({"disableAllHooks": false}));
    check(doctor(&sandbox), &[]);
}

#[test]
fn transcripts_that_are_deleted_early_are_noted() {
    let sandbox = healthy();
    for days in [1, 7, 29] {
        settings_with(&sandbox, &json!({"cleanupPeriodDays": days}));
        check(
            doctor(&sandbox),
            &[(
                "note",
                "retention",
                &format!(
                    "cleanupPeriodDays is {days} in {}: Claude Code deletes transcripts after {days} days",
                    user_settings(&sandbox).display()
                ),
                "raise cleanupPeriodDays if you want to keep transcripts longer",
            )],
        );
    }
    for days in [json!(30), json!(99999)] {
        settings_with(&sandbox, &json!({"cleanupPeriodDays": days}));
        check(doctor(&sandbox), &[]);
    }
    // What is no number of days costs the client the whole file.
    for days in [json!(0), json!("7")] {
        settings_with(&sandbox, &json!({"cleanupPeriodDays": days}));
        let found = findings(doctor(&sandbox));
        let ignored = found.iter().find(|it| it["check"] == "settings").unwrap();
        let why = "`cleanupPeriodDays` is not a whole number, 1 or more";
        assert!(
            ignored["found"].as_str().unwrap().ends_with(why),
            "{ignored}"
        );
    }
}

#[test]
fn settings_that_claude_code_cannot_read_are_a_fault() {
    let sandbox = healthy();
    let project = sandbox.project().join(".claude/settings.json");
    put(&project, "{\n  \"model\": \"opus\",\n}\n");
    check(
        doctor(&sandbox),
        &[(
            "fault",
            "settings",
            &format!("{}: trailing comma at line 2, column 18", project.display()),
            "remove the comma: Claude Code reads strict JSON only",
        )],
    );
    fs::remove_file(&project).unwrap();
    fs::create_dir(&project).unwrap();
    check(
        doctor(&sandbox),
        &[(
            "fault",
            "settings",
            &format!(
                "could not trust `{}`: it is not a regular file",
                project.display()
            ),
            "fix the file by hand",
        )],
    );
}

#[test]
fn events_that_the_client_knows_and_the_settings_do_not_are_noted() {
    let sandbox = sandbox();
    client(&sandbox, "echo 2.1.131");
    ccsession(&sandbox, ["install"]).stdout();
    record_one(&sandbox);
    check(doctor(&sandbox), &[]);
    client(&sandbox, "echo 2.1.329");
    check(
        doctor(&sandbox),
        &[(
            "note",
            "settings",
            &format!(
                "{} registers 19 of 20 events; missing: PostModelSwitch",
                user_settings(&sandbox).display()
            ),
            "run `ccsession install` again",
        )],
    );
}

#[test]
fn unknown_events_are_a_fault_if_the_client_then_ignores_all_settings() {
    let sandbox = healthy();
    let path = user_settings(&sandbox);
    let remedy = "run `ccsession install` again";
    client(&sandbox, "echo 2.1.131");
    let found = format!(
        "{} registers events that Claude Code 2.1.131 may not know: PostModelSwitch",
        path.display()
    );
    check(doctor(&sandbox), &[("note", "settings", &found, remedy)]);
    client(&sandbox, "echo 2.1.80");
    let found = format!(
        "{} registers events that Claude Code 2.1.80 may not know: PostToolBatch, PermissionDenied, CwdChanged, \
         PostModelSwitch, TaskCreated; one unknown name makes it ignore the whole file",
        path.display()
    );
    check(doctor(&sandbox), &[("fault", "settings", &found, remedy)]);
    ccsession(&sandbox, ["install"]).stdout();
    check(doctor(&sandbox), &[]);
}

#[test]
fn a_client_that_is_too_old_or_has_no_version_is_named() {
    let sandbox = sandbox();
    client(&sandbox, "exit 1");
    ccsession(&sandbox, ["install"]).stdout();
    record_one(&sandbox);
    let unknown = (
        "note",
        "client",
        "no `claude` that prints its version was found; only the events that every version supports are registered",
        "put `claude` on the PATH and run `ccsession install` again",
    );
    check(doctor(&sandbox), &[unknown]);
    no_client(&sandbox);
    check(doctor(&sandbox), &[unknown]);
    client(&sandbox, "echo 1.0.127");
    let found = findings(doctor(&sandbox));
    assert_eq!(
        found[1],
        json!({"check": "client", "grade": "fault", "found": "Claude Code 1.0.127 is older than 1.0.128", "remedy": "update Claude Code"})
    );
}

#[test]
fn a_state_directory_that_others_can_change_is_a_fault() {
    let sandbox = healthy();
    let remedy = "fix the directory, or set CCSESSION_STATE_DIR";
    fs::set_permissions(sandbox.state(), fs::Permissions::from_mode(0o755)).unwrap();
    let found = format!(
        "could not trust `{}`: others may enter it (mode 0755); run chmod 700 on it",
        sandbox.state().display()
    );
    check(doctor(&sandbox), &[("fault", "state", &found, remedy)]);

    let file = sandbox.path("file");
    fs::write(&file, "").unwrap();
    let found = format!(
        "could not trust `{}`: it is not a directory",
        file.display()
    );
    check(
        doctor(&sandbox).env("CCSESSION_STATE_DIR", &file),
        &[("fault", "state", &found, remedy)],
    );
}

#[test]
fn without_a_home_there_is_no_place_for_anything() {
    let sandbox = healthy();
    let run = doctor(&sandbox)
        .env("HOME", "relative")
        .without_env("CCSESSION_STATE_DIR");
    check(
        run,
        &[
            (
                "fault",
                "settings",
                "Claude Code's directory is not known",
                "set HOME or CLAUDE_CONFIG_DIR",
            ),
            (
                "fault",
                "state",
                "could not find a state directory: HOME is not an absolute path; set HOME or CCSESSION_STATE_DIR",
                "fix the directory, or set CCSESSION_STATE_DIR",
            ),
        ],
    );
}

#[test]
fn a_pointer_directory_in_which_anybody_may_replace_files_is_a_fault() {
    let sandbox = healthy();
    let remedy = "ask the machine's administrator to fix it";
    fs::set_permissions(sandbox.pointers(), fs::Permissions::from_mode(0o777)).unwrap();
    let found = format!(
        "could not trust `{}`: everybody may write to it and it is not sticky (as chmod 1777 makes it)",
        sandbox.pointers().display()
    );
    check(doctor(&sandbox), &[("fault", "pointers", &found, remedy)]);
    fs::set_permissions(sandbox.pointers(), fs::Permissions::from_mode(0o1777)).unwrap();
    check(doctor(&sandbox), &[]);
    let gone = sandbox.path("gone");
    let found = format!(
        "could not inspect `{}`: No such file or directory",
        gone.display()
    );
    check(
        doctor(&sandbox).env("CCSESSION_POINTER_DIR", &gone),
        &[("fault", "pointers", &found, remedy)],
    );
}

#[test]
fn the_last_event_is_the_newest_of_all_sessions() {
    let sandbox = healthy();
    let other = event("SessionStart", "s-2", json!({"source": "startup"}));
    sandbox.hook(&other).silent();
    age(&sandbox, ID, 3 * 60 * 60);
    age(&sandbox, "s-2", 2 * 60 * 60 + 30);
    let found = findings(doctor(&sandbox));
    let last = found
        .iter()
        .find(|finding| finding["check"] == "last event")
        .unwrap();
    let last = last["found"].as_str().unwrap();
    assert!(
        last.starts_with("2h ") && last.ends_with("s ago, in session s-2"),
        "{last}"
    );
}

#[test]
fn hook_errors_are_a_fault_for_a_day() {
    let sandbox = healthy();
    let errors = |errors: &[(i64, &str)]| {
        let line = |(hours, what): &(i64, &str)| {
            let time = chrono::Local::now() - chrono::TimeDelta::hours(*hours);
            let line = json!({"v": 1, "ts": time.to_rfc3339(), "what": what, "pid": 1});
            format!("\n{line}\n")
        };
        let text: String = errors.iter().map(line).collect();
        write_private(&sandbox.state().join("hook-errors.jsonl"), &text);
    };
    errors(&[(25, "old"), (24, "as old")]);
    check(doctor(&sandbox), &[]);
    errors(&[
        (25, "old"),
        (23, "could not a"),
        (0, "could not write `/x\u{1b}[2J`\nat all"),
    ]);
    check(
        doctor(&sandbox),
        &[(
            "fault",
            "hook errors",
            "2 in the last 24 hours; the last: could not write `/x\\u{1b}[2J`\\u{a}at all",
            "fix what the error names; it stays listed for a day",
        )],
    );
}

#[test]
fn events_that_belong_to_no_session_are_noted() {
    let sandbox = healthy();
    let nobodys = json!({"hook_event_name": "Stop", "session_id": "../x"});
    sandbox.hook(&nobodys).silent();
    check(
        doctor(&sandbox),
        &[(
            "note",
            "unattributed",
            "events without a valid session id: 1",
            &format!(
                "see {}",
                sandbox.state().join("unattributed.jsonl").display()
            ),
        )],
    );
}

#[test]
fn a_configuration_that_cannot_be_used_is_a_fault() {
    let sandbox = healthy();
    let path = sandbox.home().join(".config/ccsession/config.toml");
    put(&path, "ttl = \"soon\"\ncolour = \"blue\"\n");
    let remedy = "correct it; `ccsession config --example` shows every key";
    let (ttl, colour) = (
        format!(
            "could not use ttl from {}: `soon` is not a duration above zero, such as `90s`, `5m` or `24h`",
            path.display()
        ),
        format!("could not use colour from {}: no such key", path.display()),
    );
    check(
        doctor(&sandbox),
        &[
            ("fault", "configuration", &colour, remedy),
            ("fault", "configuration", &ttl, remedy),
        ],
    );
    put(&path, "ttl = \n");
    let found = findings(doctor(&sandbox));
    let last = found.last().unwrap()["found"].as_str().unwrap();
    assert!(
        last.starts_with(&format!("could not read `{}`: ", path.display()))
            && last.ends_with("(line 1)"),
        "{last}"
    );
    fs::remove_file(&path).unwrap();
    check(
        doctor(&sandbox).env("CCSESSION_CAPTURE", "all"),
        &[(
            "fault",
            "configuration",
            "could not use capture from $CCSESSION_CAPTURE: `all` is not `metadata`, `summary` or `full`",
            "correct it; until then hooks record as under `capture = \"metadata\"`",
        )],
    );
}

/// What others could change of what the client runs. Each is named with its place.
#[track_caller]
fn check_access(grade: &str, place: &str, why: &str, prepare: impl Fn(&Path)) {
    let sandbox = healthy();
    let path = sandbox.path(place);
    prepare(&path);
    let found = findings(doctor(&sandbox));
    let named: Vec<&Value> = found.iter().filter(|it| it["check"] == "access").collect();
    assert_eq!(named.len(), 1, "{place}: {named:?}");
    assert_eq!(named[0]["grade"], grade, "{place}");
    let said = named[0]["found"].as_str().unwrap();
    let real = fs::canonicalize(&path).unwrap();
    assert!(said.contains(real.to_str().unwrap()), "{place}: {said}");
    assert!(said.contains(why), "{place}: {said}");
}

#[test]
fn users_who_could_change_what_the_client_runs_are_named() {
    let mode = |mode: u32| {
        move |path: &Path| {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        }
    };
    let everybody = "everybody may write to";
    check_access("fault", "libexec", everybody, mode(0o777));
    check_access("fault", "libexec", everybody, mode(0o757));
    check_access("fault", "libexec/pre-tool-use", everybody, mode(0o777));
    check_access("fault", "", everybody, mode(0o777));
    check_access("fault", "home/.claude", everybody, mode(0o777));
    check_access(
        "fault",
        "home/.claude/settings.json",
        everybody,
        mode(0o666),
    );
    // In a sticky folder nobody replaces what is another's.
    let sandbox = healthy();
    mode(0o1777)(&sandbox.path("libexec"));
    check(doctor(&sandbox), &[]);

    let given = |user: Option<u32>, group: Option<u32>| {
        move |path: &Path| {
            std::os::unix::fs::chown(path, user, group).unwrap();
            mode(0o775)(path);
        }
    };
    if rustix::process::geteuid().is_root() {
        let another = "belongs to another user (uid 1001)";
        for place in ["libexec", "libexec/session-start", "home/.claude"] {
            check_access("fault", place, another, given(Some(1001), None));
        }
        let group = "the group 1001 may write to";
        check_access("note", "libexec", group, given(None, Some(1001)));
    }
}
