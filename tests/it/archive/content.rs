//! What is in an archive: the text as it was said, subagents, the journal, no secrets; and what is added later.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::{RUN_A, RUN_C, check_golden, recorded};
use crate::support::archives::{begun, clock_out, decompressed, files, manifest, said, write};
use crate::support::{ID, Sandbox, data, event, json_lines, mode, text};

/// In the older tools, the messages of users were lost.
#[test]
fn the_text_of_a_recorded_session_is_what_was_said() {
    let sandbox = recorded("a");
    let path = sandbox
        .ccsession([
            "clock-out",
            RUN_A,
            "--description",
            "A look around\nat notes",
        ])
        .env("TZ", "UTC")
        .stdout();
    let path = Path::new(path.trim_end());
    assert_eq!(
        path.file_name().unwrap(),
        &*format!("2026-11-20-general-{RUN_A}.txt")
    );
    let golden = fs::read_to_string(data("archives/a.txt")).unwrap();
    check_golden(&fs::read_to_string(path).unwrap(), &golden);
    assert_eq!(mode(path), 0o600);
}

/// In the older tools, the calls of real transcripts were lost.
#[test]
fn tool_calls_are_in_the_text_on_request() {
    let sandbox = recorded("a");
    let path = sandbox
        .ccsession(["clock-out", RUN_A, "--tools"])
        .env("TZ", "UTC")
        .stdout();
    let golden = fs::read_to_string(data("archives/a.tools.txt")).unwrap();
    check_golden(&fs::read_to_string(path.trim_end()).unwrap(), &golden);
}

#[test]
fn subagents_transcripts_and_the_journal_are_in_the_archive_too() {
    let sandbox = recorded("c");
    let path = sandbox
        .ccsession(["clock-out", RUN_C])
        .env("TZ", "UTC")
        .stdout();
    let golden = fs::read_to_string(data("archives/c.txt")).unwrap();
    check_golden(&fs::read_to_string(path.trim_end()).unwrap(), &golden);

    let manifest = manifest(&sandbox);
    let kinds: Vec<&str> = manifest["parts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|part| part["kind"].as_str().unwrap())
        .collect();
    let count = |kind| kinds.iter().filter(|it| **it == kind).count();
    assert_eq!(
        [
            count("text"),
            count("transcript"),
            count("subagent"),
            count("journal")
        ],
        [1, 1, 5, 1]
    );
    for part in manifest["parts"].as_array().unwrap() {
        let path = files(&sandbox)[0].with_file_name(part["name"].as_str().unwrap());
        let Some(original) = part["original"].as_str() else {
            continue;
        };
        let original = sandbox.home().join(".claude/projects").join(original);
        assert_eq!(decompressed(&path), fs::read(original).unwrap());
    }
    let journal = files(&sandbox)
        .into_iter()
        .find(|path| path.to_str().unwrap().ends_with(".events.jsonl.zst"));
    let journal = text(&decompressed(&journal.unwrap()));
    let events = journal.lines().filter(|line| !line.is_empty()).count();
    assert_eq!(
        events,
        json_lines(&sandbox.session(RUN_C).join("transcript.jsonl")).len()
    );
    assert_eq!(manifest["messages"], 6);
    sandbox
        .ccsession(["archive", "verify"])
        .expect(0, "1 archive is complete and undamaged\n", "");
}

/// In the older tools, the copy of the transcript was not redacted.
#[test]
fn secrets_are_taken_out_of_the_copy_and_the_text_and_every_line_stays_json() {
    let sandbox = Sandbox::archiving();
    let path = begun(&sandbox, json!({}));
    let key = format!("ghp_{}", "a1B2c3D4e5F6".repeat(3));
    let lines = [
        json!({"type": "user", "uuid": "u-1", "message": {"role": "user", "content": format!("use {key} here")}}),
        json!({"type": "assistant", "uuid": "u-2", "signature": "sig", "message": {"content": [{"type": "text", "text": "done"}], "id": "msg_1"}}),
    ];
    let text_of = |lines: &[Value]| {
        lines
            .iter()
            .map(|line| format!("{line}\n"))
            .collect::<String>()
    };
    write(&path, text_of(&lines));
    let archived = clock_out(&sandbox, &["--description", &format!("with {key}")]);
    let copy = text(&decompressed(&archived.with_extension("jsonl.zst")));
    let copied: Vec<Value> = copy
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(
        copied[0]["message"]["content"],
        "use [redacted:github] here"
    );
    assert_eq!(copied[1], lines[1], "ids and signatures stay");
    for path in files(&sandbox) {
        let bytes = match path.extension().unwrap() == "zst" {
            true => decompressed(&path),
            false => fs::read(&path).unwrap(),
        };
        assert!(!text(&bytes).contains(&key), "{path:?}");
    }
    assert_eq!(manifest(&sandbox)["redacted"], json!({"github": 1}));
}

/// In the older tools, clocked out from another directory or again, a session was not found.
#[test]
fn archiving_again_gives_the_same_answer_and_writes_nothing() {
    let sandbox = Sandbox::archiving();
    let transcript = begun(&sandbox, json!({}));
    write(&transcript, said(&["one"]));
    let first = clock_out(&sandbox, &[]);
    let before = sandbox.files();
    let content = fs::read(&first).unwrap();
    assert_eq!(clock_out(&sandbox, &[]), first);
    assert_eq!(
        sandbox
            .ccsession(["clock-out", ID])
            .dir("/")
            .stdout()
            .trim_end(),
        first.to_str().unwrap()
    );
    assert_eq!(sandbox.files(), before);
    assert_eq!(fs::read(&first).unwrap(), content);
    let answer = sandbox.ccsession(["clock-out", ID, "--json"]).json();
    assert_eq!(
        (&answer["was_there"], &answer["messages"]),
        (&json!(true), &json!(1))
    );
}

/// In the older tools, a second attempt overwrote the first, file by file.
#[test]
fn what_has_grown_is_archived_anew_under_the_same_name() {
    let sandbox = Sandbox::archiving();
    let transcript = begun(&sandbox, json!({}));
    write(&transcript, said(&["one"]));
    let first = clock_out(&sandbox, &[]);
    write(&transcript, said(&["one", "two"]));
    assert_eq!(clock_out(&sandbox, &["--description", "both"]), first);
    let shown = fs::read_to_string(&first).unwrap();
    assert!(
        shown.contains("two") && shown.contains("Description: both\n"),
        "{shown}"
    );
    sandbox
        .ccsession(["archive", "verify"])
        .expect(0, "1 archive is complete and undamaged\n", "");
    assert_eq!(files(&sandbox).len(), 4);
}

#[test]
fn a_transcript_that_the_client_deleted_or_cut_stays_archived() {
    let sandbox = Sandbox::archiving();
    let transcript = begun(&sandbox, json!({}));
    write(&transcript, said(&["one", "two"]));
    let first = clock_out(&sandbox, &[]);
    let content = fs::read(&first).unwrap();
    write(&transcript, said(&["one"]));
    assert_eq!(clock_out(&sandbox, &[]), first);
    fs::remove_file(&transcript).unwrap();
    assert_eq!(clock_out(&sandbox, &["--description", "later"]), first);
    assert_eq!(fs::read(&first).unwrap(), content);
    assert_eq!(sandbox.record(ID)["description"], "later");
}

/// A process can be killed between the two: the archive is there, and the record does not say so yet.
#[test]
fn an_archive_that_the_record_does_not_name_is_not_replaced_by_less() {
    let sandbox = Sandbox::archiving();
    let transcript = begun(&sandbox, json!({}));
    write(&transcript, said(&["one", "two"]));
    let first = clock_out(&sandbox, &[]);
    let content = fs::read(&first).unwrap();
    let mut record = sandbox.record(ID);
    record["archive"] = Value::Null;
    record["focus"] = json!("named since");
    write(
        &sandbox.session(ID).join("session.json"),
        record.to_string(),
    );
    fs::remove_file(&transcript).unwrap();
    assert_eq!(clock_out(&sandbox, &[]), first);
    assert_eq!(fs::read(&first).unwrap(), content);
    assert!(sandbox.record(ID)["archive"]["place"].is_string());
}

/// In the older tools, without a transcript it was a success, nothing was archived, and the session was deleted.
#[test]
fn without_a_transcript_the_archive_says_so_and_holds_what_was_recorded() {
    let sandbox = Sandbox::archiving();
    begun(&sandbox, json!({}));
    let call = json!({"tool_name": "Bash", "tool_use_id": "t1", "tool_input": {"command": "ls", "description": "List files"}});
    sandbox
        .hook(&event("PreToolUse", ID, call.clone()))
        .silent();
    let mut done = call;
    done["duration_ms"] = json!(38);
    done["tool_response"] = json!({"stdout": ""});
    sandbox.hook(&event("PostToolUse", ID, done)).silent();
    let output = sandbox.ccsession(["clock-out", ID]).output();
    assert_eq!(output.status.code(), Some(0));
    assert!(
        text(&output.stderr).contains("found no transcript"),
        "{}",
        text(&output.stderr)
    );
    let shown = fs::read_to_string(text(&output.stdout).trim_end()).unwrap();
    assert!(shown.contains("[no transcript was found"), "{shown}");
    assert!(shown.contains("  Bash: ok, 38 ms, List files\n"), "{shown}");
    assert!(
        shown.ends_with("End of session (0 messages)\n".to_owned().as_str())
            || shown.contains("End of session (0 messages)")
    );
    assert_eq!(manifest(&sandbox)["transcript"]["path"], Value::Null);
}

#[test]
fn several_transcripts_are_all_archived_and_one_can_be_given() {
    let sandbox = Sandbox::archiving();
    begun(&sandbox, json!({}));
    let projects = sandbox.home().join(".claude/projects");
    let [one, two] =
        ["-one", "-two"].map(|folder| projects.join(folder).join(format!("{ID}.jsonl")));
    write(&one, said(&["in one"]));
    write(&two, said(&["in two"]));
    let shown = fs::read_to_string(clock_out(&sandbox, &[])).unwrap();
    assert!(
        shown.contains("in one") && shown.contains("in two"),
        "{shown}"
    );
    let third = sandbox.path("elsewhere/three.jsonl");
    write(&third, said(&["in three"]));
    let path = clock_out(&sandbox, &["--transcript", third.to_str().unwrap()]);
    let shown = fs::read_to_string(path).unwrap();
    for words in ["in one", "in two", "in three"] {
        assert!(shown.contains(words), "{shown}");
    }
}

/// The first file that mentions the id is not taken for the transcript; the long form is in `clock_out`.
#[test]
fn a_transcript_is_found_by_its_own_lines_and_never_by_a_mention() {
    let sandbox = Sandbox::archiving();
    begun(&sandbox, json!({}));
    let folder = sandbox.home().join(".claude/projects/-elsewhere");
    for number in 0..20 {
        let id = format!("aaaaaaaa-0000-4000-8000-{number:012}");
        let line = json!({"type": "user", "sessionId": id, "message": {"content": format!("what about {ID}?")}});
        write(&folder.join(format!("{id}.jsonl")), format!("{line}\n"));
    }
    write(&folder.join("renamed.jsonl"), said(&["mine"]));
    let path = clock_out(&sandbox, &[]);
    assert!(fs::read_to_string(path).unwrap().contains("mine"));
}

#[test]
fn a_command_without_a_client_searches_no_transcript() {
    let sandbox = Sandbox::archiving();
    let folder = sandbox.home().join(".claude/projects/-elsewhere");
    write(&folder.join("renamed.jsonl"), said(&["mine"]));
    sandbox
        .ccsession(["run", "--session-id", ID, "--", "true"])
        .stdout();
    let archived = |sandbox: &Sandbox| {
        let archived = sandbox.ccsession(["clock-out", ID]).output();
        assert_eq!(archived.status.code(), Some(0));
        let shown = sandbox.ccsession(["archive", "show", ID]).stdout();
        shown.contains("mine")
    };
    assert!(!archived(&sandbox));
    sandbox
        .hook(&event("UserPromptSubmit", ID, json!({"prompt": "x"})))
        .silent();
    sandbox
        .hook(&event("SessionEnd", ID, json!({"reason": "other"})))
        .silent();
    assert!(archived(&sandbox));
}

#[test]
fn a_transcript_that_moved_into_a_worktree_is_followed() {
    let sandbox = Sandbox::archiving();
    begun(&sandbox, json!({}));
    let moved = sandbox
        .home()
        .join(format!(".claude/projects/-shop-worktree/{ID}.jsonl"));
    write(&moved, said(&["over here"]));
    let other = sandbox
        .home()
        .join(format!(".claude/projects/-other/{ID}.jsonl"));
    write(&other, said(&["not this"]));
    sandbox
        .hook(&event("Stop", ID, json!({"transcript_path": moved})))
        .silent();
    let path = clock_out(&sandbox, &[]);
    assert!(fs::read_to_string(path).unwrap().contains("over here"));
}

/// Backups make such links, of the session's own files, too.
#[test]
fn a_transcript_with_a_second_hard_link_is_archived() {
    let sandbox = Sandbox::archiving();
    let transcript = begun(&sandbox, json!({}));
    let agent = transcript
        .with_extension("")
        .join("subagents/agent-a1.jsonl");
    for path in [&transcript, &agent] {
        write(path, said(&["linked"]));
        fs::hard_link(path, path.with_extension("backup")).unwrap();
    }
    let text = clock_out(&sandbox, &[]);
    assert!(fs::read_to_string(&text).unwrap().contains("linked"));
    let copy = text.with_extension("agent-a1.jsonl.zst");
    assert_eq!(decompressed(&copy), said(&["linked"]).as_bytes());
    let journal = sandbox.session(ID).join("events.jsonl");
    fs::hard_link(&journal, sandbox.path("linked")).unwrap();
    write(&transcript, said(&["linked", "and more"]));
    let text = clock_out(&sandbox, &[]);
    assert!(fs::read_to_string(&text).unwrap().contains("and more"));
}
