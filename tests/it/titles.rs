//! The titles of sessions, and how they find a session.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use super::support::states::{start, start_and_die};
use super::support::transcripts::put_lines;
use super::support::{Sandbox, as_client, event, json_lines, text};

const ID: &str = "3f2a0000-1111-4222-8333-444455556666";

fn transcript(sandbox: &Sandbox, id: &str) -> PathBuf {
    sandbox
        .home()
        .join(".claude/projects/p")
        .join(format!("{id}.jsonl"))
}

fn prompt_line(id: &str, prompt: &str) -> Value {
    json!({
        "type": "user", "uuid": format!("u-{prompt}"), "sessionId": id,
        "timestamp": "2026-11-20T10:00:00.000Z", "cwd": "/tmp",
        "message": {"role": "user", "content": prompt},
    })
}

fn renamed(id: &str, title: &str) -> Value {
    json!({"type": "custom-title", "customTitle": title, "sessionId": id})
}

fn made_up(id: &str, title: &str) -> Value {
    json!({"type": "ai-title", "aiTitle": title, "sessionId": id})
}

/// A live session of this process with this transcript.
fn session(sandbox: &Sandbox, id: &str, lines: &[Value]) {
    let path = transcript(sandbox, id);
    put_lines(&path, lines);
    let payload = event(
        "SessionStart",
        id,
        json!({"source": "startup", "transcript_path": path}),
    );
    let run = sandbox.hook(&payload);
    run.env("CLAUDE_PID", as_client()).silent();
}

fn listed(sandbox: &Sandbox, id: &str) -> Value {
    let list = sandbox.ccsession(["list", "--json", "--all"]).json();
    let sessions = list["sessions"].as_array().unwrap();
    let listed = sessions.iter().find(|it| it["session_id"] == id);
    listed.unwrap()["title"].clone()
}

#[track_caller]
fn is_called(sandbox: &Sandbox, title: Value) {
    assert_eq!(listed(sandbox, ID), title);
    for verb in [["show", ID, "--json"], ["timeline", ID, "--json"]] {
        assert_eq!(sandbox.ccsession(verb).json()["title"], title, "{verb:?}");
    }
    let current = ["current", "--session", ID, "--json"];
    assert_eq!(sandbox.ccsession(current).json()["title"], title);
}

#[test]
fn a_session_has_the_title_that_a_person_gave_it_last() {
    let sandbox = Sandbox::new();
    let mut lines = vec![prompt_line(ID, "Fix the webhook\nplease")];
    session(&sandbox, ID, &lines);
    is_called(
        &sandbox,
        json!({"text": "Fix the webhook please", "source": "prompt"}),
    );
    let mut then = |line: Value, title: Value| {
        lines.push(line);
        put_lines(&transcript(&sandbox, ID), &lines);
        is_called(&sandbox, title);
    };
    then(
        made_up(ID, "Webhook retries"),
        json!({"text": "Webhook retries", "source": "client"}),
    );
    then(
        renamed(ID, "webhook hunt"),
        json!({"text": "webhook hunt", "source": "rename"}),
    );
    then(
        made_up(ID, "Something newer"),
        json!({"text": "webhook hunt", "source": "rename"}),
    );
    then(
        renamed(ID, "hunt 2"),
        json!({"text": "hunt 2", "source": "rename"}),
    );
    // Claude Code deletes its transcripts. The title stays.
    fs::remove_file(transcript(&sandbox, ID)).unwrap();
    is_called(&sandbox, json!({"text": "hunt 2", "source": "rename"}));
    sandbox
        .ccsession(["current", "--session", ID, "--format", "{title}"])
        .expect(0, "hunt 2\n", "");
}

#[test]
fn without_a_transcript_the_first_recorded_prompt_is_the_title() {
    let sandbox = Sandbox::new();
    start(&sandbox, ID);
    is_called(&sandbox, Value::Null);
    for prompt in [
        "<task-notification><task-id>a</task-id></task-notification>",
        "First words",
        "Second",
    ] {
        let payload = event("UserPromptSubmit", ID, json!({"prompt": prompt}));
        sandbox
            .hook(&payload)
            .env("CLAUDE_PID", as_client())
            .silent();
    }
    is_called(&sandbox, json!({"text": "First words", "source": "prompt"}));
    let timeline = sandbox.ccsession(["timeline", ID]).stdout();
    assert!(timeline.contains("  First words\n"), "{timeline}");
    assert!(timeline.contains("  Second\n"), "{timeline}");
    let prompts = sandbox.ccsession(["timeline", ID, "--json"]).json();
    let whats: Vec<&Value> = prompts["prompts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| &it["what"])
        .collect();
    assert_eq!(
        whats,
        [&Value::Null, &json!("First words"), &json!("Second")]
    );
}

#[test]
fn a_name_from_the_start_counts_more_than_what_claude_code_made_up() {
    let sandbox = Sandbox::new();
    let path = transcript(&sandbox, ID);
    put_lines(&path, &[prompt_line(ID, "p"), made_up(ID, "made up")]);
    let more = json!({"source": "startup", "transcript_path": path, "session_title": "nightly"});
    let run = sandbox.hook(&event("SessionStart", ID, more));
    run.env("CLAUDE_PID", as_client()).silent();
    is_called(&sandbox, json!({"text": "nightly", "source": "name"}));
    // At this level nothing that was said is read, noted or shown.
    let metadata = [("CCSESSION_CAPTURE", "metadata")];
    let shown = |id: &str| {
        let mut run = sandbox.ccsession(["show", id, "--json"]);
        for (name, value) in metadata {
            run = run.env(name, value);
        }
        run.json()["title"].clone()
    };
    assert_eq!(shown(ID), json!({"text": "nightly", "source": "name"}));
    let other = "4f2a0000-1111-4222-8333-444455556666";
    session(
        &sandbox,
        other,
        &[prompt_line(other, "secret plan"), renamed(other, "plan")],
    );
    assert_eq!(shown(other), Value::Null);
    let payload = event("UserPromptSubmit", other, json!({"prompt": "secret plan"}));
    let run = sandbox.hook(&payload).env("CCSESSION_CAPTURE", "metadata");
    run.env("CLAUDE_PID", as_client()).silent();
    for name in sandbox.files() {
        let content = fs::read(sandbox.path(&name)).unwrap();
        assert!(
            !text(&content).contains("secret plan") || !name.contains("state"),
            "{name}"
        );
    }
    assert!(!sandbox.session(other).join("title.json").exists());
}

#[test]
fn a_session_is_found_by_its_title() {
    let sandbox = Sandbox::new();
    let others = [
        "5f2a0000-1111-4222-8333-444455556666",
        "6f2a0000-1111-4222-8333-444455556666",
    ];
    session(&sandbox, ID, &[renamed(ID, "Webhook hunt")]);
    for (id, title) in others.iter().zip(["release", "Release"]) {
        session(&sandbox, id, &[renamed(id, title)]);
    }
    for given in ["webhook hunt", "Webhook", ID, "3f2a"] {
        let shown = sandbox.ccsession(["show", given, "--json"]).json();
        assert_eq!(shown["session"]["session_id"], ID, "{given}");
    }
    for verb in ["timeline", "stats"] {
        sandbox.ccsession([verb, "webhook hunt"]).stdout();
    }
    let missing = sandbox.ccsession(["show", "no such title"]).refused(64);
    assert!(
        missing.contains("`no such title`: it is neither a session id nor a title on record"),
        "{missing}"
    );
    // Two characters may stand for anything.
    sandbox.ccsession(["show", "we"]).refused(3);
    let (candidates, why) = sandbox.ccsession(["show", "release"]).refused_to_choose();
    assert_eq!(
        why,
        "ccsession: could not choose a session: `release` matches 2; use a session id"
    );
    assert_eq!(candidates.len(), 2, "{candidates:?}");
    // The process has moved on from the first to the second.
    for (id, state) in others.iter().zip(["abandoned", "active"]) {
        let line = candidates.iter().find(|line| line.contains(id));
        let line = line.unwrap_or_else(|| panic!("{candidates:?}"));
        let line = line.to_lowercase();
        assert!(line.starts_with(&format!("  {id}  {state}  ")), "{line}");
        assert!(line.ends_with("ago  shop  release"), "{line}");
    }
}

#[test]
fn of_many_candidates_ten_are_listed() {
    let sandbox = Sandbox::new();
    for number in 10..23 {
        let id = format!("5f2a00{number}-1111-4222-8333-444455556666");
        session(&sandbox, &id, &[]);
    }
    let (candidates, _) = sandbox.ccsession(["show", "5f2a"]).refused_to_choose();
    assert_eq!(candidates.len(), 11, "{candidates:?}");
    assert_eq!(candidates[10], "  … and 3 more");
}

#[test]
fn a_hostile_title_is_one_safe_short_line() {
    let sandbox = Sandbox::new();
    let huge = "x".repeat(1 << 20);
    for title in [
        "\u{1b}[2Jgone\u{202e}evil\nline".to_owned(),
        "\u{1f600}".repeat(400_000),
        huge,
        "key sk-ant-api03-abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
            .to_owned(),
    ] {
        session(&sandbox, ID, &[renamed(ID, &title)]);
        let shown = listed(&sandbox, ID)["text"].as_str().unwrap().to_owned();
        assert!(shown.chars().count() <= 160, "{shown}");
        assert!(
            !shown.contains(char::is_control) && !shown.contains("abcdefghij"),
            "{shown}"
        );
        let list = sandbox.ccsession(["list"]).stdout();
        assert!(
            !list
                .trim_end_matches('\n')
                .replace('\n', "")
                .contains(char::is_control)
        );
    }
}

#[test]
fn imported_sessions_are_imported_and_not_abandoned() {
    let sandbox = Sandbox::new();
    let mut answer = prompt_line(ID, "");
    answer["type"] = json!("assistant");
    answer["uuid"] = json!("u-2");
    answer["message"] =
        json!({"role": "assistant", "model": "m", "content": [{"type": "text", "text": "Done."}]});
    put_lines(
        &transcript(&sandbox, ID),
        &[prompt_line(ID, "Old work"), answer],
    );
    sandbox.ccsession(["import"]).stdout();
    start_and_die(&sandbox, "dead");
    let list = sandbox.ccsession(["list", "--json", "--all"]).json();
    let states: Vec<(&str, &str)> = list["sessions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| {
            (
                it["session_id"].as_str().unwrap(),
                it["state"].as_str().unwrap(),
            )
        })
        .collect();
    assert!(
        states.contains(&(ID, "imported")) && states.contains(&("dead", "abandoned")),
        "{states:?}"
    );
    let only = sandbox.ccsession(["list", "--state", "imported"]).stdout();
    assert!(
        only.contains(ID) && !only.contains("dead") && only.contains("Old work"),
        "{only}"
    );
    let metrics = sandbox.ccsession(["metrics", "--prometheus"]).stdout();
    assert!(
        metrics.contains("sessions{state=\"imported\"} 1"),
        "{metrics}"
    );
    let imported = json_lines(&sandbox.session(ID).join("transcript.jsonl"));
    assert!(imported.iter().any(|event| event["what"] == "Old work"));
    // A hook that hears of it makes it a session like any other.
    start_and_die(&sandbox, ID);
    let state = sandbox.ccsession(["show", ID, "--json"]).json()["state"].clone();
    assert_eq!(state, "abandoned");
}

#[test]
fn an_archive_keeps_the_title() {
    let sandbox = Sandbox::new();
    session(
        &sandbox,
        ID,
        &[prompt_line(ID, "Fix it"), renamed(ID, "the fix")],
    );
    sandbox.ccsession(["clock-out", ID]).stdout();
    let list = sandbox.ccsession(["archive", "list"]).stdout();
    assert!(list.contains("the fix"), "{list}");
    let shown = sandbox
        .ccsession(["archive", "show", "The Fix", "--manifest"])
        .json();
    assert_eq!(
        (&shown["session_id"], &shown["title"]),
        (&json!(ID), &json!("the fix"))
    );
}
