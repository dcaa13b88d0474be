//! An install offers to import past sessions, and says what is kept.

use std::fs;
use std::path::Path;

use serde_json::json;

use crate::support::settings::{ccsession, sandbox, user_settings};
use crate::support::transcripts::put_lines;
use crate::support::{CCSESSION, PATIENCE, Sandbox, text};

/// The variable that turns archiving off in sandboxes.
const AUTO: &str = "CCSESSION_ARCHIVE_AUTO";
/// What runs a command on a terminal.
const SCRIPT: &str = "/usr/bin/script";

/// Puts down the transcript of a past session, last written so many days ago.
fn past(sandbox: &Sandbox, id: &str, days: u64) {
    let path = sandbox.projects().join(format!("-shop/{id}.jsonl"));
    let line = json!({"type": "user", "uuid": id, "sessionId": id, "cwd": sandbox.project(), "promptId": "p",
        "timestamp": "2026-03-01T12:00:00Z", "message": {"content": "hello"}});
    put_lines(&path, &[line]);
    let written = std::time::SystemTime::now() - std::time::Duration::from_secs(days * 24 * 3600);
    fs::File::options()
        .append(true)
        .open(&path)
        .unwrap()
        .set_modified(written)
        .unwrap();
}

fn found(count: &str) -> String {
    format!("{count} found: `ccsession import` puts them on record\n")
}

#[test]
fn an_install_names_the_sessions_that_can_be_imported() {
    let sandbox = sandbox();
    past(&sandbox, "s-1", 1);
    past(&sandbox, "s-2", 1);
    // These are none: a subagent's, an empty one, and no transcript.
    for name in ["agent-a1.jsonl", "s-3.jsonl", "notes.txt"] {
        fs::write(sandbox.projects().join("-shop").join(name), "").unwrap();
    }
    fs::write(sandbox.projects().join("-shop/agent-a2.jsonl"), "{}\n").unwrap();
    let said = ccsession(&sandbox, ["install"]).stdout();
    assert!(said.contains(&found("2 past sessions")), "{said}");
    assert!(said.ends_with("or `ccsession stats`\n"), "{said}");
    ccsession(&sandbox, ["uninstall"]).stdout();
    ccsession(&sandbox, ["import"]).output();
    let said = ccsession(&sandbox, ["install"]).stdout();
    assert!(!said.contains("ccsession import"), "{said}");
}

#[test]
fn an_install_on_a_terminal_asks_whether_to_import() {
    if !Path::new(SCRIPT).exists() {
        println!("skipped: script is missing");
        return;
    }
    for (answer, is_imported) in [
        ("\n", true),
        ("y\n", true),
        ("n\n", false),
        ("later\n", false),
        ("\u{4}", false),
    ] {
        let sandbox = sandbox();
        past(&sandbox, "s-1", 1);
        let mut run = ccsession(&sandbox, [""; 0]);
        let environment: Vec<_> = run
            .command
            .get_envs()
            .map(|(name, value)| (name.to_owned(), value.map(ToOwned::to_owned)))
            .collect();
        run.command = std::process::Command::new(SCRIPT);
        run.command.env_clear().current_dir(sandbox.project());
        for (name, value) in environment {
            run.command.env(name, value.unwrap_or_default());
        }
        let run = run
            .arg("-qec")
            .arg(format!("{CCSESSION} install"))
            .arg("/dev/null");
        let Some(output) = run.stdin(answer).output_within(PATIENCE) else {
            panic!("the install hangs");
        };
        let said = text(&output.stdout);
        assert!(said.contains("Import them now? [Y/n] "), "{said}");
        assert_eq!(
            sandbox.session("s-1").exists(),
            is_imported,
            "{answer:?}: {said}"
        );
    }
}

#[test]
fn an_install_says_what_is_kept_and_how_to_change_that() {
    let sandbox = sandbox();
    let said = ccsession(&sandbox, ["install"]).without_env(AUTO).stdout();
    let kept = format!(
        "after its end, a redacted copy of each conversation is kept in {}/archive, until you remove it; \
         to turn that off, set `archive.auto = false` in ",
        sandbox.state().display()
    );
    assert!(said.contains(&kept), "{said}");
    ccsession(&sandbox, ["uninstall"]).stdout();
    let kept_for = ccsession(&sandbox, ["install"]).without_env(AUTO);
    let said = kept_for.env("CCSESSION_RETENTION_ARCHIVE", "365d").stdout();
    assert!(said.contains("/archive, for 365d; "), "{said}");
    ccsession(&sandbox, ["uninstall"]).stdout();
    let said = ccsession(&sandbox, ["install"]).stdout();
    assert!(!said.contains("redacted copy"), "{said}");
    assert!(Path::new(&user_settings(&sandbox)).exists());
}

#[test]
fn what_an_import_leaves_out_is_not_said_to_be_importable() {
    let sandbox = sandbox();
    let put = |id: &str, more: serde_json::Value| {
        let mut line = json!({"type": "user", "uuid": id, "sessionId": id, "cwd": sandbox.project(), "promptId": "p",
            "timestamp": "2026-03-01T12:00:00Z", "message": {"content": "hello"}});
        let members = line.as_object_mut().unwrap();
        members.extend(more.as_object().unwrap().clone());
        let path = sandbox.projects().join(format!("-shop/{id}.jsonl"));
        put_lines(&path, &[line]);
    };
    let other = sandbox.path("private");
    fs::create_dir_all(&other).unwrap();
    fs::write(other.join(".ccsession-off"), "").unwrap();
    put("s-1", json!({"type": "summary", "summary": "A title"}));
    put("s-2", json!({"type": "file-history-snapshot"}));
    put("s-3", json!({"sessionId": "s-9"}));
    put("s-4", json!({"cwd": "nowhere"}));
    put("s-5", json!({"forkedFrom": {"sessionId": "s-9"}}));
    put("s-6", json!({"cwd": other}));
    let doctor = || text(&ccsession(&sandbox, ["doctor"]).output().stdout);
    assert!(!doctor().contains(" past: "), "{}", doctor());
    let said = ccsession(&sandbox, ["import"]).output();
    assert!(text(&said.stdout).starts_with("imported 0 sessions, 0 events"));
    put("s-7", json!({}));
    assert!(
        doctor().contains("note  past: 1 session has"),
        "{}",
        doctor()
    );
}

#[test]
fn the_doctor_names_sessions_not_yet_imported_and_how_long_they_remain() {
    let sandbox = sandbox();
    let doctor = || text(&ccsession(&sandbox, ["doctor"]).output().stdout);
    assert!(!doctor().contains(" past: "));
    past(&sandbox, "s-1", 1);
    let remedy = "      remedy: run `ccsession import`\n";
    let one = format!("note  past: 1 session has a transcript and is not on record\n{remedy}");
    assert!(doctor().contains(&one), "{}", doctor());
    past(&sandbox, "s-2", 25);
    let two = format!(
        "note  past: 2 sessions have a transcript and are not on record; Claude Code deletes the oldest transcript in 4 days\n{remedy}"
    );
    assert!(doctor().contains(&two), "{}", doctor());
    ccsession(&sandbox, ["import"]).stdout();
    assert!(!doctor().contains(" past: "), "{}", doctor());
}
