//! Which events are registered depends on the client; a dry run changes nothing.

use std::fs;
use std::time::Duration;

use ccsession::claude::versions::Version;
use ccsession::setup::programs::version_of;

use super::{RECORDED, check_registered, events_up_to, read};
use crate::support::files::everything;
use crate::support::settings::{ccsession, client, no_client, put, sandbox, user_settings};

/// What a client says, the events that are registered for it, and how that is told.
#[track_caller]
fn check_client(script: Option<&str>, version: &str, known: &str) {
    let sandbox = sandbox();
    match script {
        Some(script) => client(&sandbox, script),
        None => no_client(&sandbox),
    }
    let path = user_settings(&sandbox);
    let events = events_up_to(version);
    let said = format!(
        "registered {} events in {} ({known})\n{RECORDED}",
        events.len(),
        path.display()
    );
    ccsession(&sandbox, ["install"]).expect(0, &said, "");
    check_registered(&sandbox, &path, &events);
}

#[test]
fn only_events_that_the_client_knows_are_registered() {
    for (said, version) in [
        ("1.0.128", "1.0.128"),
        ("2.0.77", "2.0.77"),
        ("2.1.49", "2.0.77"),
        ("2.1.50", "2.1.50"),
        ("2.1.80", "2.1.80"),
        ("2.1.110", "2.1.110"),
        ("2.1.131", "2.1.131"),
        ("2.1.329", "2.1.280"),
        ("3.0.0", "2.1.280"),
    ] {
        let script = format!("echo '{said} (Claude Code)'");
        let known = format!("all that Claude Code {said} supports");
        check_client(Some(&script), version, &known);
    }
}

#[test]
fn an_unknown_client_gets_what_every_client_knows() {
    let unknown = "`claude` was not found: only the 9 that every version supports; put `claude` on the PATH and run `ccsession install` again for the rest";
    check_client(None, "1.0.128", unknown);
    for script in [
        "echo 'command not found'",
        "echo 'Claude Code 2.1.329'",
        "printf '\\377\\n'",
        "exit 1",
        ":",
        "echo; echo 2.1.329",
    ] {
        check_client(Some(script), "1.0.128", unknown);
    }
}

#[test]
fn all_of_a_talkative_clients_output_is_read() {
    let known = "all that Claude Code 2.1.329 supports";
    let script = "echo '2.1.329 (Claude Code)'; i=0; while [ $i -lt 5000 ]; do echo 'and more than fits into a pipe'; i=$((i+1)); done";
    check_client(Some(script), "2.1.280", known);
    check_client(Some("echo noise >&2; echo 2.1.329"), "2.1.280", known);
}

#[test]
fn what_the_client_leaves_running_is_not_waited_for() {
    let sandbox = sandbox();
    client(&sandbox, "/bin/sleep 20 & echo '2.1.329 (Claude Code)'");
    ccsession(&sandbox, ["install"]).stdout();
    check_registered(&sandbox, &user_settings(&sandbox), &events_up_to("2.1.280"));
}

#[test]
fn a_client_that_does_not_answer_is_given_up_on() {
    let sandbox = sandbox();
    for script in ["exec /bin/sleep 20", "/bin/sleep 20", "/bin/sleep 20 &"] {
        client(&sandbox, script);
        let version = version_of(&sandbox.path("client/claude"), Duration::from_millis(200));
        assert_eq!(version, None, "{script}");
    }
}

#[test]
fn a_client_that_is_just_being_written_is_waited_for() {
    let sandbox = sandbox();
    let path = sandbox.path("client/claude");
    let updating = fs::File::options().write(true).open(&path).unwrap();
    let update = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(200));
        drop(updating);
    });
    let version = version_of(&path, Duration::from_secs(10));
    assert_eq!(version, Some(Version(2, 1, 329)));
    update.join().unwrap();
}

#[test]
fn a_client_older_than_any_tested_is_refused() {
    for version in ["1.0.127", "0.2.9"] {
        let sandbox = sandbox();
        client(&sandbox, &format!("echo '{version} (Claude Code)'"));
        let before = everything(&sandbox.path(""));
        let said = format!(
            "ccsession: could not register hooks: Claude Code {version} is older than 1.0.128; update it"
        );
        assert_eq!(ccsession(&sandbox, ["install"]).refused(1), said);
        assert_eq!(everything(&sandbox.path("")), before);
    }
}

#[test]
fn a_new_client_gets_the_events_that_the_old_one_did_not_know() {
    let sandbox = sandbox();
    let path = user_settings(&sandbox);
    let before = "{\n  \"hooks\": {\n    \"Stop\": [ ]\n  }\n}";
    put(&path, before);
    client(&sandbox, "echo 2.1.80");
    ccsession(&sandbox, ["install"]).stdout();
    check_registered(&sandbox, &path, &events_up_to("2.1.80"));
    client(&sandbox, "echo 2.1.329");
    ccsession(&sandbox, ["install"]).stdout();
    check_registered(&sandbox, &path, &events_up_to("2.1.280"));
    client(&sandbox, "echo 2.0.77");
    ccsession(&sandbox, ["install"]).stdout();
    check_registered(&sandbox, &path, &events_up_to("2.0.77"));
    ccsession(&sandbox, ["uninstall"]).stdout();
    assert_eq!(read(&path), before);
}

#[test]
fn a_dry_run_shows_the_change_and_makes_none() {
    let sandbox = sandbox();
    let path = user_settings(&sandbox);
    let before = everything(&sandbox.path(""));
    let shown = ccsession(&sandbox, ["install", "--dry-run"]).stdout();
    let head = format!(
        "--- {path}\n+++ {path}\n@@ -0,0 +1,244 @@\n+{{\n+  \"hooks\": {{\n+    \"SessionStart\": [\n",
        path = path.display()
    );
    assert!(shown.starts_with(&head), "{shown}");
    assert!(
        shown.lines().skip(3).all(|line| line.starts_with('+')),
        "{shown}"
    );
    ccsession(&sandbox, ["uninstall", "--dry-run"]).expect(0, "", "");
    assert_eq!(everything(&sandbox.path("")), before, "not even a folder");

    put(&path, "{\n  \"model\": \"opus\"\n}\n");
    let before = everything(&sandbox.path(""));
    let shown = ccsession(&sandbox, ["install", "--dry-run"]).stdout();
    let head = format!(
        "--- {path}\n+++ {path}\n@@ -1,3 +1,245 @@\n {{\n-  \"model\": \"opus\"\n+  \"model\": \"opus\",\n+  \"hooks\": {{\n",
        path = path.display()
    );
    assert!(shown.starts_with(&head), "{shown}");
    assert_eq!(everything(&sandbox.path("")), before);

    ccsession(&sandbox, ["install"]).stdout();
    let before = everything(&sandbox.path(""));
    ccsession(&sandbox, ["install", "--dry-run"]).expect(0, "", "");
    let back = ccsession(&sandbox, ["uninstall", "--dry-run"]).stdout();
    let removed = shown.lines().filter(|line| line.starts_with('+')).count();
    let added = back.lines().filter(|line| line.starts_with('-')).count();
    assert_eq!(added, removed, "{back}");
    assert_eq!(everything(&sandbox.path("")), before);
}

#[test]
fn a_dry_run_sends_no_control_sequence_to_the_terminal() {
    let sandbox = sandbox();
    put(
        &user_settings(&sandbox),
        "{\n  \"a\u{202e}\u{9b}\": \"\u{7f}\"\n}\n",
    );
    let shown = ccsession(&sandbox, ["install", "--dry-run"]).stdout();
    assert!(shown.contains("\\u{202e}\\u{9b}"), "{shown}");
    assert!(!shown.contains(['\u{202e}', '\u{9b}', '\u{7f}']), "{shown}");
}
