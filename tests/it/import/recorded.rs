//! Real transcripts: an import gives what the hooks of the same run recorded, and nothing twice.

use std::fs;

use serde_json::{Value, json};

use super::{RUN_A, RUN_C, all, calls, text};
use crate::support::transcripts::{copy_tree, put_lines};
use crate::support::{ID, Sandbox, data, event, json_lines};

#[test]
fn importing_a_real_transcript_equals_what_the_hooks_recorded() {
    for (run, id) in [("a", RUN_A), ("c", RUN_C)] {
        let (hooks, past) = (Sandbox::new(), Sandbox::new());
        hooks.play(run);
        copy_tree(&data("transcripts").join(run), &past.projects());
        past.import();
        let (recorded, imported) = (hooks.recorded(id), past.imported(id));
        assert!(calls(&recorded).len() >= 4, "{run}");
        assert_eq!(calls(&imported), calls(&recorded), "{run}");
        for (name, key) in [
            ("UserPromptSubmit", "prompt_id"),
            ("UserPromptSubmit", "source"),
            ("UserPromptSubmit", "task_id"),
            ("Stop", "prompt_id"),
            ("SubagentStart", "agent_id"),
            ("SubagentStart", "agent_type"),
            ("SubagentStop", "agent_id"),
            ("PreToolUse", "what"),
            ("PreToolUse", "prompt_id"),
            ("PostToolUseFailure", "error"),
            ("PostToolUse", "background"),
        ] {
            assert_eq!(
                all(&imported, name, key),
                all(&recorded, name, key),
                "{run}: {name}, {key}"
            );
        }
        let sizes = |events: &[Value]| -> Vec<Value> {
            let begun = events.iter().filter(|event| event["event"] == "PreToolUse");
            let mut sizes: Vec<(String, Value)> = begun
                .map(|event| (text(event, "tool_use_id"), event["input_bytes"].clone()))
                .collect();
            sizes.sort_by(|a, b| a.0.cmp(&b.0));
            sizes.into_iter().map(|(_, size)| size).collect()
        };
        assert_eq!(sizes(&imported), sizes(&recorded), "{run}");
        let record = past.record(id);
        assert_eq!(record["source"], "transcript");
        assert_eq!(record["model"], "claude-opus-5-5");
        assert_eq!(record["head"]["branch"], "main");
        assert_eq!(record["project"]["root"], "/home/dev/shop");
        assert_eq!(record["started_at"], imported[0]["ts"]);
        assert_eq!(imported[0]["event"], "SessionStart");
        for event in &imported {
            assert_eq!(event["origin"], "transcript");
            assert_eq!((event.get("mono"), event.get("pid")), (None, None));
        }
    }
}

#[test]
fn what_hooks_have_recorded_is_not_imported() {
    for (run, id) in [("a", RUN_A), ("c", RUN_C)] {
        let sandbox = Sandbox::new();
        sandbox.play(run);
        copy_tree(&data("transcripts").join(run), &sandbox.projects());
        let before = sandbox.snapshot(&sandbox.session(id));
        assert_eq!(
            sandbox.import(),
            "imported 0 sessions, 0 events; 1 was complete already\n"
        );
        // Only the tokens are counted.
        fs::remove_file(sandbox.session(id).join("usage.json")).unwrap();
        assert_eq!(sandbox.snapshot(&sandbox.session(id)), before, "{run}");
    }
}

#[test]
fn a_second_import_changes_nothing_and_the_originals_are_only_read() {
    let sandbox = Sandbox::new();
    copy_tree(&data("transcripts/a"), &sandbox.projects());
    copy_tree(&data("transcripts/c"), &sandbox.projects());
    let originals = sandbox.snapshot(&sandbox.projects());
    assert_eq!(sandbox.import(), "imported 2 sessions, 50 events\n");
    let state = sandbox.snapshot(&sandbox.state());
    assert_eq!(
        sandbox.import(),
        "imported 0 sessions, 0 events; 2 were complete already\n"
    );
    assert_eq!(sandbox.snapshot(&sandbox.state()), state);
    assert_eq!(sandbox.snapshot(&sandbox.projects()), originals);
    let path = sandbox.session(RUN_A).join("transcript.jsonl");
    let last = sandbox.imported(RUN_A).pop().unwrap();
    let modified = fs::metadata(&path).unwrap().modified().unwrap();
    let modified = chrono::DateTime::<chrono::Utc>::from(modified);
    assert!(text(&last, "ts").starts_with(&modified.format("%Y-%m-%dT%H:%M:%S%.6f").to_string()));
    assert_eq!(crate::support::mode(&path), 0o600);
    let log = json_lines(&sandbox.state().join("log.jsonl"));
    assert_eq!(
        (&log[0]["what"], &log[0]["sessions"], &log[0]["events"]),
        (&json!("imported"), &json!(2), &json!(50))
    );
    assert_eq!(log.len(), 1);
}

#[test]
fn a_session_that_was_just_imported_is_not_live_until_a_hook_records_it() {
    let sandbox = Sandbox::just_swept();
    let git = sandbox.project().join(".git");
    fs::create_dir_all(git.join("refs/heads")).unwrap();
    fs::write(git.join("HEAD"), "ref: refs/heads/main\n").unwrap();
    fs::write(git.join("refs/heads/main"), "a".repeat(40) + "\n").unwrap();
    let now = chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
    let line = json!({"type": "user", "uuid": "u1", "sessionId": ID, "cwd": sandbox.project(), "promptId": "p",
        "gitBranch": "main", "timestamp": now, "message": {"content": "hello"}});
    put_lines(
        &sandbox.projects().join("shop").join(format!("{ID}.jsonl")),
        &[line],
    );
    sandbox.import();
    let shown = || sandbox.ccsession(["show", ID, "--json"]).json();
    let imported = shown();
    assert_eq!(imported["state"], "imported");
    // What is checked out now says nothing about that session.
    assert_eq!(
        imported["session"]["head"],
        json!({"branch": "main", "revision": null})
    );
    let plan = sandbox.ccsession(["cleanup", "--dry-run"]).stdout();
    assert!(!plan.contains("back on the live index"), "{plan}");
    let prompt = event("UserPromptSubmit", ID, json!({"prompt": "go on"}));
    sandbox.hook(&prompt).silent();
    assert_eq!(shown()["state"], "active");
}
