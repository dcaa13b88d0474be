//! `ccsession clock-out` where older tools went wrong: another session's transcript, names that collide or are too long,
//! damaged transcripts, secrets, what an interrupted removal left.

use std::collections::BTreeSet;
use std::fs;

use serde_json::{Value, json};

use crate::archive::{NONE, begun, clock_out, decompressed, files, manifest, said, write};
use crate::support::{ID, Sandbox, event, text};

fn verified(sandbox: &Sandbox, archives: &str) {
    let said = format!("{archives} as written\n");
    sandbox
        .ccsession(["archive", "verify"])
        .expect(0, &said, "");
}

#[test]
fn an_archive_is_not_replaced_by_one_with_less_of_the_journal() {
    let sandbox = Sandbox::archiving();
    let transcript = begun(&sandbox, json!({}));
    write(&transcript, said(&["one"]));
    let first = clock_out(&sandbox, &[]);
    let events = first.with_extension("events.jsonl.zst");
    let journal = decompressed(&events);
    assert!(text(&journal).contains("SessionStart"));
    // A removal that was interrupted took it; or it was cut.
    fs::remove_file(sandbox.session(ID).join("events.jsonl")).unwrap();
    assert_eq!(clock_out(&sandbox, &["--description", "later"]), first);
    assert_eq!(decompressed(&events), journal);
    // What is said from then on is not lost for that.
    write(&transcript, said(&["one", "two"]));
    assert_eq!(clock_out(&sandbox, &[]), first);
    assert_eq!(manifest(&sandbox)["messages"], 2);
    verified(&sandbox, "1 archive");
}

#[test]
fn a_removal_that_was_interrupted_is_ended_by_the_next_look() {
    let sandbox = Sandbox::archiving();
    let transcript = begun(&sandbox, json!({}));
    write(&transcript, said(&["one"]));
    let path = clock_out(&sandbox, &[]).with_extension("manifest.json");
    let killed_while_it_removed = path.with_extension("json.gone");
    fs::rename(&path, &killed_while_it_removed).unwrap();
    fs::remove_file(path.with_extension("").with_extension("txt")).unwrap();
    let listed = sandbox.ccsession(["archive", "list", "--json"]).json();
    assert_eq!(listed["archives"], json!([]));
    assert_eq!(files(&sandbox), NONE);
}

#[test]
fn what_a_killed_process_wrote_under_a_temporary_name_goes_with_the_next_archive() {
    let sandbox = Sandbox::archiving();
    let transcript = begun(&sandbox, json!({}));
    write(&transcript, said(&["one"]));
    let path = clock_out(&sandbox, &[]);
    let left = path.with_file_name(".ccsession-tmp-0123456789abcdef");
    write(&left, "a part of something");
    write(&transcript, said(&["one", "two"]));
    clock_out(&sandbox, &[]);
    assert_eq!(files(&sandbox).len(), 4);
    assert!(!left.exists());
}

/// The name of an archive is made of the day, the focus and the id: `x-1` and `2` come to the same as `x` and `1-2`.
#[test]
fn two_sessions_whose_archives_would_have_one_name_have_two() {
    let sandbox = Sandbox::archiving();
    for (id, focus) in [("1-2", "x"), ("2", "x-1"), ("1-2", "x")] {
        let transcript = sandbox
            .home()
            .join(format!(".claude/projects/-shop/{id}.jsonl"));
        let line = json!({"type": "user", "sessionId": id, "message": {"role": "user", "content": format!("said in {id}")}});
        write(&transcript, format!("{line}\n"));
        let start = json!({"source": "startup", "transcript_path": transcript});
        sandbox.hook(&event("SessionStart", id, start)).silent();
        let clocked_in = ["clock-in", "--session", id, "--focus", focus, "--quiet"];
        sandbox.ccsession(clocked_in).stdout();
        let path = sandbox.ccsession(["clock-out", id]).stdout();
        let shown = fs::read_to_string(path.trim_end()).unwrap();
        assert!(shown.contains(&format!("said in {id}\n")), "{shown}");
    }
    assert_eq!(files(&sandbox).len(), 8);
    verified(&sandbox, "2 archives");
}

/// B3.8: a name that was too long made the archive fail.
#[test]
fn the_longest_names_that_there_can_be_are_archived() {
    let sandbox = Sandbox::archiving();
    let id = "s".repeat(128);
    let path = sandbox
        .home()
        .join(format!(".claude/projects/-shop/{id}.jsonl"));
    let line = |text: &str| {
        json!({"type": "user", "sessionId": id, "message": {"role": "user", "content": text}})
            .to_string()
            + "\n"
    };
    write(&path, line("one"));
    let agents = ["a".repeat(64), "a".repeat(65), "a".repeat(66)];
    for agent in &agents {
        let name = format!("subagents/agent-{agent}.jsonl");
        write(&path.with_extension("").join(name), line(agent));
    }
    let start = json!({"source": "startup", "transcript_path": path});
    sandbox.hook(&event("SessionStart", &id, start)).silent();
    let long = "f".repeat(120);
    let clocked_in = ["clock-in", "--session", &id, "--focus", &long, "--quiet"];
    sandbox.ccsession(clocked_in).stdout();
    sandbox.ccsession(["clock-out", &id]).stdout();
    let manifest = manifest(&sandbox);
    let parts = manifest["parts"].as_array().unwrap().iter();
    let copied: BTreeSet<String> = parts
        .filter(|part| part["kind"] == "subagent")
        .map(|part| {
            let name = part["name"].as_str().unwrap();
            text(&decompressed(
                &sandbox.state().join("archive/shop").join(name),
            ))
        })
        .collect();
    let said: BTreeSet<String> = agents.iter().map(|agent| line(agent)).collect();
    assert_eq!(copied, said);
    verified(&sandbox, "1 archive");
}

/// B3.10: calls were looked for where the client does not write them, and every message of a user was dropped. The tests of
/// the older tool for messages of any form are here, too.
#[test]
fn what_is_no_message_is_passed_over_and_every_message_is_there() {
    let sandbox = Sandbox::archiving();
    let transcript = begun(&sandbox, json!({}));
    let user = |content: Value| json!({"type": "user", "sessionId": ID, "message": {"role": "user", "content": content}});
    let model = |content: Value| json!({"type": "assistant", "sessionId": ID, "message": {"role": "assistant", "content": content}});
    let lines = [
        user(json!("a text")),
        user(json!("")),
        model(json!([{"type": "text", "text": "one"}, {"type": "text", "text": "two"}])),
        model(json!([{"type": "image", "source": {}}, {"type": "thinking", "thinking": "hm"}])),
        model(json!([{"type": "text", "text": null}, {"type": "text"}])),
        model(json!(["no block", 7, null, [], {"type": "text", "text": "OK"}])),
        user(json!(7)),
        user(json!({"type": "text", "text": "no list"})),
        user(Value::Null),
        json!({"type": "user", "sessionId": ID}),
        json!({"type": "user", "sessionId": ID, "message": "text"}),
        model(
            json!([{"type": "tool_use", "id": "t1", "name": "Bash", "input": {"command": "ls"}}]),
        ),
        user(
            json!([{"type": "tool_result", "tool_use_id": "t1", "content": [{"type": "text", "text": "a.txt"}]}]),
        ),
        json!({"type": "tool_use", "name": "TopLevel", "input": {}}),
        json!({"type": "system", "sessionId": ID, "content": "a notice"}),
        user(json!("the last")),
    ];
    let mut all: Vec<String> = lines.iter().map(Value::to_string).collect();
    all.insert(
        3,
        "{\"type\":\"user\",\"message\":{\"content\":\"broken off".to_owned(),
    );
    all.insert(4, "[]".to_owned());
    write(&transcript, all.join("\n"));
    let path = clock_out(&sandbox, &["--tools"]);
    let shown = fs::read_to_string(&path).unwrap();
    let messages = shown.split_once("\n\n").unwrap().1;
    let rule = "=".repeat(80);
    assert_eq!(
        messages,
        format!(
            "[user]\na text\n\n[assistant]\none\ntwo\n\n[assistant]\nOK\n\n\
             [tool: Bash]\n{{\"command\":\"ls\"}}\n\n[tool result]\na.txt\n\n[user]\nthe last\n\n\
             {rule}\nEnd of session (4 messages)\n{rule}"
        )
    );
    let copy = text(&decompressed(&path.with_extension("jsonl.zst")));
    assert_eq!(copy, all.join("\n") + "\n", "the copy has every line");
}

#[test]
fn a_transcript_with_a_second_name_is_archived_and_a_link_is_not_followed() {
    let sandbox = Sandbox::archiving();
    let transcript = begun(&sandbox, json!({}));
    write(&transcript, said(&["one"]));
    // As backups make them.
    fs::hard_link(&transcript, sandbox.path("backup.jsonl")).unwrap();
    let shown = fs::read_to_string(clock_out(&sandbox, &[])).unwrap();
    assert!(shown.contains("[user]\none\n"), "{shown}");

    let sandbox = Sandbox::archiving();
    let transcript = begun(&sandbox, json!({}));
    let elsewhere = sandbox.path("elsewhere.jsonl");
    write(&elsewhere, said(&["another's"]));
    write(&transcript, "");
    fs::remove_file(&transcript).unwrap();
    std::os::unix::fs::symlink(&elsewhere, &transcript).unwrap();
    let output = sandbox.ccsession(["clock-out", ID]).output();
    assert!(text(&output.stderr).contains("found no transcript"));
    let shown = fs::read_to_string(text(&output.stdout).trim_end()).unwrap();
    assert!(!shown.contains("another's"), "{shown}");
}
