//! A past from the client's own transcripts: real ones, and generated ones of every shape.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::transcripts::{copy_tree, put, put_lines};
use crate::support::within::Within;
use crate::support::{ID, SESSION_START, Sandbox, data, event, json_lines};

const RUN_A: &str = "2f09356b-a939-40a2-8915-584394440829";
const RUN_C: &str = "65dd02b6-7134-4576-a982-e8658c4175aa";

impl Sandbox {
    /// The client's folder of projects.
    fn projects(&self) -> PathBuf {
        self.home().join(".claude/projects")
    }

    fn import(&self) -> String {
        self.ccsession(["import"]).stdout()
    }

    /// The events that were imported for a session; none where there is no file.
    fn imported(&self, id: &str) -> Vec<Value> {
        let path = self.session(id).join("transcript.jsonl");
        if path.exists() {
            json_lines(&path)
        } else {
            Vec::new()
        }
    }

    /// What hooks have recorded of a session; nothing where they recorded nothing.
    fn recorded(&self, id: &str) -> Vec<Value> {
        let path = self.session(id).join("events.jsonl");
        if path.exists() {
            json_lines(&path)
        } else {
            Vec::new()
        }
    }

    /// Every file below `dir` with its bytes and the time of its last change.
    fn snapshot(&self, dir: &Path) -> BTreeMap<PathBuf, (Vec<u8>, i64, i64)> {
        let mut found = BTreeMap::new();
        let mut left = vec![dir.to_owned()];
        while let Some(dir) = left.pop() {
            for entry in fs::read_dir(dir).unwrap() {
                let path = entry.unwrap().path();
                let meta = fs::symlink_metadata(&path).unwrap();
                if meta.is_dir() {
                    left.push(path);
                } else if meta.is_file() {
                    let bytes = fs::read(&path).unwrap();
                    found.insert(path, (bytes, meta.mtime(), meta.mtime_nsec()));
                }
            }
        }
        found
    }

    /// Plays the recorded hook calls of a run.
    fn play(&self, run: &str) {
        for call in json_lines(&data(&format!("payloads/sessions/{run}.jsonl"))) {
            self.play_payload(&call["stdin"]);
        }
    }

    fn play_payload(&self, payload: &Value) {
        Within::new(self).feed(payload);
    }
}

fn text(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap_or_default().to_owned()
}

/// The calls in these events: agent, id and tool, and whether each failed. A batch's are among them.
fn calls(events: &[Value]) -> BTreeMap<(String, String, String), bool> {
    let mut calls = BTreeMap::new();
    for event in events {
        if event["tool_use_id"].is_string() {
            let key = (
                text(event, "agent_id"),
                text(event, "tool_use_id"),
                text(event, "tool"),
            );
            *calls.entry(key).or_insert(false) |= event["event"] == "PostToolUseFailure";
        }
    }
    calls
}

/// The values of `key` in the events of this name, sorted.
fn all(events: &[Value], name: &str, key: &str) -> Vec<String> {
    let of_name = events.iter().filter(|event| event["event"] == name);
    let mut values: Vec<String> = of_name.map(|event| text(event, key)).collect();
    values.sort();
    values
}

#[test]
fn a_real_transcript_says_what_the_hooks_of_the_same_run_recorded() {
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
fn one_transcript_a_project_and_all_of_them_can_be_named() {
    let sandbox = Sandbox::new();
    copy_tree(&data("transcripts/a"), &sandbox.path("kept"));
    copy_tree(&data("transcripts/c"), &sandbox.path("kept"));
    let project = sandbox.path("kept/-home-dev-shop");
    let one = project.join(format!("{RUN_A}.jsonl"));
    let dry = |path: &Path| {
        let run = sandbox
            .ccsession(["import", "--dry-run", "--json"])
            .arg(path);
        let report = run.json();
        assert_eq!(report["dry_run"], true);
        report["sessions"].clone()
    };
    assert_eq!(dry(&one), 1);
    assert_eq!(dry(&project), 2);
    assert_eq!(dry(&sandbox.path("kept")), 2);
    assert!(!sandbox.state().exists(), "a dry run writes nothing");
    sandbox
        .ccsession(["import"])
        .arg(&one)
        .expect(0, "imported 1 session, 11 events\n", "");
}

#[test]
fn sessions_are_chosen_by_project_and_by_time() {
    let sandbox = Sandbox::new();
    for (name, id, day) in [("shop", "s-1", "01"), ("else", "s-2", "20")] {
        let cwd = sandbox.path(name);
        fs::create_dir_all(&cwd).unwrap();
        let line = json!({"type": "user", "uuid": id, "sessionId": id, "cwd": cwd, "promptId": "p",
            "timestamp": format!("2026-03-{day}T12:00:00Z"), "message": {"content": "hello"}});
        put_lines(
            &sandbox.projects().join(name).join(format!("{id}.jsonl")),
            &[line],
        );
    }
    let chosen = |option: &str, value: &str| {
        let run = sandbox.ccsession(["import", "--dry-run", "--json", option, value]);
        run.json()["sessions"].clone()
    };
    assert_eq!(chosen("--project", "."), 1);
    fs::remove_dir(sandbox.path("else")).unwrap();
    assert_eq!(chosen("--project", "../else"), 1);
    assert_eq!(chosen("--since", "2026-03-10"), 1);
    assert_eq!(chosen("--since", "2026-03-01T12:00:00Z"), 2);
    assert_eq!(chosen("--since", "1000000d"), 2);
    let refused = sandbox.ccsession(["import", "--since", "soon"]).refused(64);
    assert_eq!(
        refused,
        "ccsession: invalid --since `soon`: expected a duration (`2h`, `30d`) or a date (`2026-11-01`)"
    );
}

#[test]
fn a_path_without_transcripts_is_refused() {
    let sandbox = Sandbox::new();
    let missing = sandbox.path("missing");
    let said = sandbox.ccsession(["import"]).arg(&missing).refused(3);
    assert_eq!(
        said,
        format!(
            "ccsession: could not find `{}`; give the PATH of a transcript or of a folder of them",
            missing.display()
        )
    );
    let said = sandbox.ccsession(["import"]).refused(3);
    assert_eq!(
        said,
        format!(
            "ccsession: could not find a transcript: there is no folder `{}`, which Claude Code creates with its first session; if its transcripts are elsewhere, give their PATH",
            sandbox.home().join(".claude/projects").display()
        )
    );
    let empty = sandbox.project();
    let said = sandbox.ccsession(["import"]).arg(&empty).refused(3);
    assert_eq!(
        said,
        format!(
            "ccsession: could not find a transcript in `{}`; if they are elsewhere, give the PATH of a transcript or of a folder of them",
            empty.display()
        )
    );
}

#[test]
fn labels_follow_the_capture_level() {
    let sandbox = Sandbox::new();
    copy_tree(&data("transcripts/a"), &sandbox.projects());
    sandbox
        .ccsession(["import"])
        .env("CCSESSION_CAPTURE", "metadata")
        .expect(0, "imported 1 session, 11 events\n", "");
    assert!(
        sandbox
            .imported(RUN_A)
            .iter()
            .all(|event| event.get("what").is_none())
    );
    sandbox
        .ccsession(["import"])
        .expect(0, "imported 1 session, 0 events\n", "");
    assert_eq!(
        all(&sandbox.imported(RUN_A), "PreToolUse", "what")[0],
        "/home/dev/shop/new.txt"
    );
}

#[test]
fn what_is_no_transcript_is_left_out_and_said() {
    let sandbox = Sandbox::new();
    copy_tree(&data("transcripts/a"), &sandbox.projects());
    let folder = sandbox.projects().join("-home-dev-shop");
    let real = folder.join(format!("{RUN_A}.jsonl"));
    put(&folder.join("nuls.jsonl"), [0; 5000]);
    put(&folder.join("bad name.jsonl"), "{}\n");
    put(&folder.join("copied.jsonl"), fs::read(&real).unwrap());
    std::os::unix::fs::symlink(&real, folder.join("link.jsonl")).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        folder.join("fifo.jsonl"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR,
        0,
    )
    .unwrap();
    put(
        &folder.join("agent-a1.jsonl"),
        "{\"type\":\"user\",\"sessionId\":\"gone\"}\n",
    );
    put(&folder.join("empty.jsonl"), "");
    let output = sandbox.ccsession(["import"]).output();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(
        String::from_utf8(output.stdout).unwrap(),
        "imported 1 session, 11 events; 7 files were left out\n",
        "{said}"
    );
    for (name, why) in [
        ("nuls.jsonl", "it has no line of a conversation"),
        ("bad name.jsonl", "its name is no session id"),
        ("copied.jsonl", "its lines are of the session"),
        ("link.jsonl", "it is a symbolic link"),
        ("fifo.jsonl", "it is not a regular file"),
        ("agent-a1.jsonl", "there is no transcript of its session"),
        ("empty.jsonl", "it has no line of a conversation"),
    ] {
        let line = said.lines().find(|line| line.contains(name));
        assert!(
            line.is_some_and(|line| line.contains(why)),
            "{name}: {said}"
        );
    }
}

#[test]
fn transcripts_with_a_second_hard_link_are_read() {
    let sandbox = Sandbox::new();
    copy_tree(&data("transcripts/c"), &sandbox.projects());
    let plain = Sandbox::new();
    copy_tree(&data("transcripts/c"), &plain.projects());
    plain.import();
    // A backup as `cp -al` makes it.
    let backup = sandbox.path("backup");
    for path in transcripts(&sandbox.projects()).into_keys() {
        let copy = backup.join(path.strip_prefix(sandbox.projects()).unwrap());
        fs::create_dir_all(copy.parent().unwrap()).unwrap();
        fs::hard_link(&path, copy).unwrap();
    }
    for path in [&sandbox.projects(), &backup] {
        sandbox.ccsession(["import"]).arg(path).stdout();
        check_same(&sandbox.imported(RUN_C), &plain.imported(RUN_C), "linked");
    }
    assert_eq!(messages(&sandbox, RUN_C), messages(&plain, RUN_C));
    let others = sandbox.projects().join("-home-dev-shop/writable.jsonl");
    put(&others, "{}\n");
    fs::set_permissions(&others, fs::Permissions::from_mode(0o666)).unwrap();
    let said = sandbox.ccsession(["import"]).output().stderr;
    let said = String::from_utf8(said).unwrap();
    assert!(said.contains("others may write to it"), "{said}");
}

/// A prompt or an answer of the session [`ID`], as the client writes it.
fn said(number: u32, kind: &str, text: &str) -> String {
    json!({"parentUuid": null, "type": kind, "uuid": format!("u{number}"), "sessionId": ID, "cwd": "/home/dev/shop",
        "timestamp": format!("2026-03-01T12:00:{number:02}Z"), "message": {"id": format!("m{number}"), "role": kind,
            "model": "claude-opus-5-5", "content": text, "usage": {"input_tokens": 1, "output_tokens": 2}}})
    .to_string()
}

#[test]
fn whole_records_are_read_whatever_surrounds_them() {
    let ask = |number| {
        said(
            number,
            "user",
            &format!("question {number} with \u{2028} and \u{85}"),
        )
    };
    let tell = |number| said(number, "assistant", &format!("answer {number}"));
    let half = |record: String| record[..record.len() / 2].to_owned();
    let zeros = "\0".repeat(5000);
    let lines = [
        format!("\u{feff}{}\r\n", ask(1)),
        format!("{}{}\n", tell(2), ask(3)),
        format!("{}{}\n", half(tell(4)), ask(5)),
        format!("{zeros}{}{zeros}\n", tell(6)),
        format!(
            "{}\n",
            ask(7).replace("question", r"\ud83d question \udc00")
        ),
        format!("{}\u{feff}{}", tell(8), ask(9)),
    ];
    let mut text = lines.concat().into_bytes();
    // One byte that is not UTF-8.
    let place = text
        .windows(8)
        .position(|bytes| bytes == b"answer 8")
        .unwrap();
    text[place] = 0xff;
    let sandbox = Sandbox::new();
    put(&sandbox.projects().join(format!("shop/{ID}.jsonl")), &text);
    let run = sandbox.ccsession(["import"]);
    let told = run.output();
    assert_eq!(
        String::from_utf8_lossy(&told.stderr),
        "ccsession: passed over 1 line damaged\n"
    );
    let prompts = all(&sandbox.imported(ID), "UserPromptSubmit", "ts");
    assert_eq!(prompts.len(), 5);
    assert_eq!(messages(&sandbox, ID), 3);
    let archived = sandbox.ccsession(["clock-out", ID]).stdout();
    let archived = fs::read_to_string(archived.trim_end()).unwrap();
    for words in [
        "question 1",
        "answer 2",
        "question 3",
        "question 5",
        "answer 6",
        "7 with",
        "nswer 8",
        "question 9",
    ] {
        assert!(archived.contains(words), "{words}");
    }
}

/// One line of the session [`ID`] with these members besides the usual ones; the seconds are its place in the session.
fn old_line(uuid: &str, parent: Option<&str>, seconds: u32, more: Value) -> Value {
    let mut line = json!({"uuid": uuid, "parentUuid": parent, "sessionId": ID, "cwd": "/home/dev/shop", "version": "1.0.98",
        "isSidechain": false, "timestamp": format!("2026-03-01T12:{:02}:{:02}.000Z", seconds / 60, seconds % 60)});
    line.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    line
}

fn asked(prompt: &str) -> Value {
    json!({"type": "user", "message": {"role": "user", "content": prompt}})
}

fn answered(text: &str) -> Value {
    json!({"type": "assistant", "message": {"role": "assistant", "content": [{"type": "text", "text": text}]}})
}

fn called(id: &str, tool: &str, input: Value) -> Value {
    json!({"type": "assistant", "message": {"role": "assistant",
        "content": [{"type": "tool_use", "id": id, "name": tool, "input": input}]}})
}

fn came_back(id: &str, text: &str) -> Value {
    json!({"type": "user", "message": {"role": "user",
        "content": [{"type": "tool_result", "tool_use_id": id, "content": text}]}})
}

fn on_the_side(mut line: Value) -> Value {
    line["isSidechain"] = true.into();
    line
}

impl Sandbox {
    fn put_session(&self, lines: &[Value]) {
        put_lines(&self.projects().join(format!("shop/{ID}.jsonl")), lines);
    }

    fn timeline(&self) -> Value {
        self.ccsession(["timeline", ID, "--json"]).json()
    }

    /// The calls of the session, by their ids, and how each ended.
    fn states(&self) -> BTreeMap<String, String> {
        let timeline = self.timeline();
        let calls = timeline["calls"].as_array().unwrap().iter();
        calls
            .map(|call| (text(call, "tool_use_id"), text(call, "state")))
            .collect()
    }

    /// Imports once more, and makes sure that nothing changes.
    #[track_caller]
    fn import_again(&self) {
        let before = self.snapshot(&self.state());
        assert!(self.import().starts_with("imported 0 sessions, 0 events"));
        assert_eq!(self.snapshot(&self.state()), before);
    }
}

#[test]
fn a_result_ends_its_call_wherever_it_stands() {
    let sandbox = Sandbox::new();
    let agent = |line: Value| {
        let mut line = on_the_side(line);
        line["agentId"] = "a1".into();
        line
    };
    let main = [
        old_line("u1", None, 1, asked("go")),
        old_line("u9", Some("u8"), 9, came_back("toolu_far", "done")),
        old_line("u3", Some("u2"), 3, came_back("toolu_near", "done")),
        old_line("u2", Some("u1"), 2, called("toolu_near", "Edit", json!({}))),
        old_line("u4", Some("u3"), 4, came_back("toolu_others", "done")),
        old_line("u5", Some("u4"), 5, came_back("toolu_nobodys", "done")),
        old_line("u8", Some("u7"), 8, called("toolu_far", "Bash", json!({}))),
        old_line("u10", Some("u9"), 10, answered("all done")),
    ];
    sandbox.put_session(&main);
    let others = [
        agent(old_line("v1", None, 2, asked("help"))),
        agent(old_line(
            "v2",
            Some("v1"),
            3,
            called("toolu_others", "Read", json!({})),
        )),
        agent(old_line("v3", Some("v2"), 5, answered("helped"))),
    ];
    let below = format!("shop/{ID}/subagents/agent-a1.jsonl");
    put_lines(&sandbox.projects().join(below), &others);
    sandbox.import();
    let ok = |id: &str| (id.to_owned(), "ok".to_owned());
    let expected = ["toolu_far", "toolu_near", "toolu_others"].map(ok);
    assert_eq!(sandbox.states(), BTreeMap::from(expected));
    assert_eq!(sandbox.timeline()["prompts"][0]["end"], "stopped");
    sandbox.import_again();
}

/// Three subagents of an old client in the session's own transcript, whose lines come in turns and in no order.
/// A copy that was made without the times of its original, or a clock that stands still.
#[test]
fn records_that_all_have_one_time_are_imported_once() {
    let sandbox = Sandbox::new();
    sandbox.put_session(&[
        old_line("u1", None, 1, asked("go")),
        old_line("u2", Some("u1"), 1, called("toolu_1", "Bash", json!({}))),
        old_line("u3", Some("u2"), 1, came_back("toolu_1", "done")),
        old_line("u4", Some("u3"), 1, answered("all done")),
    ]);
    for agent in ["a1", "a2"] {
        let said = [asked("help"), answered("helped")];
        let line = |(number, said)| {
            let uuid = format!("{agent}-{number}");
            let mut line = on_the_side(old_line(&uuid, None, 1, said));
            line["agentId"] = agent.into();
            line
        };
        let lines: Vec<Value> = (0..).zip(said).map(line).collect();
        let below = format!("shop/{ID}/subagents/agent-{agent}.jsonl");
        put_lines(&sandbox.projects().join(below), &lines);
    }
    sandbox.import();
    let ends = |name| all(&sandbox.imported(ID), name, "event").len();
    assert_eq!((ends("Stop"), ends("SubagentStop")), (1, 2));
    sandbox.import_again();
}

fn parallel_sidechains() -> Vec<Value> {
    let side = |uuid: &str, parent: Option<&str>, seconds, more| {
        on_the_side(old_line(uuid, parent, seconds, more))
    };
    let task = |prompt: &str| json!({"prompt": prompt, "description": "help", "subagent_type": "general-purpose"});
    vec![
        old_line("u1", None, 1, asked("three helpers")),
        old_line(
            "u2",
            Some("u1"),
            2,
            called("toolu_T1", "Task", task("write the types")),
        ),
        old_line(
            "u3",
            Some("u2"),
            2,
            called("toolu_T2", "Task", task("write the tests")),
        ),
        old_line(
            "u4",
            Some("u3"),
            2,
            called("toolu_T3", "Task", task("write the tests")),
        ),
        side("c1", None, 3, asked("write the tests")),
        side("b1", None, 3, asked("write the tests")),
        side("a3", Some("a2"), 6, came_back("toolu_a", "done")),
        side("a1", None, 3, asked("write the types")),
        side("b2", Some("b1"), 5, called("toolu_b", "Write", json!({}))),
        side("a2", Some("a1"), 4, called("toolu_a", "Write", json!({}))),
        side("a4", Some("a3"), 8, answered("types done")),
        side("b3", Some("b2"), 9, came_back("toolu_b", "done")),
        side("c2", Some("c1"), 10, answered("other tests done")),
        side("b4", Some("b3"), 11, answered("tests done")),
        side("w1", None, 11, asked("Warmup")),
        side("w2", Some("w1"), 11, answered("ready")),
        side("s1", None, 11, asked("nobody asked for this")),
        side("s2", Some("s1"), 12, answered("still done")),
        old_line("u5", Some("u4"), 12, came_back("toolu_T3", "tests done")),
        old_line("u6", Some("u5"), 12, came_back("toolu_T1", "types done")),
        old_line(
            "u7",
            Some("u6"),
            13,
            came_back("toolu_T2", "other tests done"),
        ),
        old_line("u8", Some("u7"), 700, answered("all done")),
    ]
}

#[test]
fn parallel_sidechains_belong_to_the_calls_whose_prompts_they_carry() {
    let sandbox = Sandbox::new();
    sandbox.put_session(&parallel_sidechains());
    sandbox.import();
    let of = |agent: &Value| {
        let end = text(agent, "ended_at");
        (
            text(agent, "agent_id"),
            text(agent, "tool_use_id"),
            end[14..19].to_owned(),
        )
    };
    let timeline = sandbox.timeline();
    let mut agents: Vec<_> = timeline["agents"]
        .as_array()
        .unwrap()
        .iter()
        .map(of)
        .collect();
    agents.sort();
    let agent =
        |id: &str, call: &str, end: &str| (format!("side-{id}"), call.to_owned(), end.to_owned());
    let expected = [
        agent("a1", "toolu_T1", "00:08"),
        agent("b1", "toolu_T3", "00:11"),
        agent("c1", "toolu_T2", "00:10"),
        // Of no call, and never of one by their order.
        agent("s1", "", "00:12"),
    ];
    assert_eq!(agents, expected);
    assert_eq!(sandbox.states().len(), 5);
    sandbox.import_again();
}

#[test]
fn a_part_of_parallel_sidechains_and_the_rest_are_as_the_whole() {
    let lines = parallel_sidechains();
    let whole = Sandbox::new();
    whole.put_session(&lines);
    whole.import();
    for (from, to) in [(0, 9), (0, 12), (9, 22), (11, 22)] {
        let sandbox = Sandbox::new();
        sandbox.put_session(&lines[from..to]);
        sandbox.import();
        sandbox.import_again();
        sandbox.put_session(&lines);
        sandbox.import();
        assert_eq!(
            sandbox.timeline()["agents"],
            whole.timeline()["agents"],
            "{from}..{to}"
        );
        sandbox.import_again();
    }
}

#[test]
fn what_was_refused_is_denied_by_the_clients_words_or_by_its_field() {
    let refusals = [
        (
            "The user doesn't want to proceed with this tool use. The tool use was rejected.",
            None,
        ),
        (
            "The user doesn't want to take this action right now. STOP what you are doing.",
            None,
        ),
        (
            "Permission for this action was denied by the Claude Code auto mode classifier. Reason: no.",
            None,
        ),
        (
            "Permission for this tool use was denied. It requires approval.",
            None,
        ),
        (
            "Permission to use Bash with command cd /x\nrm -r y has been denied.",
            None,
        ),
        (
            "Claude requested permissions to write to /x,\nbut you haven't granted it yet.",
            None,
        ),
        ("This command requires approval", None),
        (
            "ls in '/x' was blocked. For security, Claude Code may only list files in the allowed directories.",
            None,
        ),
        (
            "the model is temporarily unavailable, so auto mode cannot determine the safety of Bash.",
            None,
        ),
        ("not today", Some("permission-rule")),
        ("not today", Some("automode-blocked")),
        ("not today", Some("automode-unavailable")),
        ("not today", Some("a-kind-of-tomorrow")),
    ];
    let kept = [
        (
            "Exit code 1\nThis command requires approval",
            None,
            "failed",
        ),
        (
            "<tool_use_error>File does not exist.</tool_use_error>",
            None,
            "failed",
        ),
        (
            "<tool_use_error>Sibling tool call errored</tool_use_error>",
            Some("cancelled"),
            "failed",
        ),
        ("Request failed with status code 403", None, "failed"),
        (
            "[Tool call skipped: the turn was stopped before this call ran.]",
            Some("cancelled"),
            "abandoned",
        ),
        (
            "[Request interrupted by user for tool use]",
            Some("interrupted"),
            "abandoned",
        ),
    ];
    let denied = refusals
        .into_iter()
        .map(|(text, kind)| (text, kind, "denied"));
    let mut lines = vec![old_line("u0", None, 0, asked("go"))];
    let mut expected = BTreeMap::new();
    for (number, (text, kind, state)) in denied.chain(kept).enumerate() {
        let id = format!("toolu_{number:02}");
        lines.push(old_line(
            &format!("c{number}"),
            None,
            1,
            called(&id, "Bash", json!({})),
        ));
        let mut result = old_line(&format!("r{number}"), None, 2, came_back(&id, text));
        result["message"]["content"][0]["is_error"] = true.into();
        if let Some(kind) = kind {
            result["toolDenialKind"] = kind.into();
        }
        lines.push(result);
        expected.insert(id, state.to_owned());
    }
    lines.push(old_line("u99", None, 3, answered("so be it")));
    let sandbox = Sandbox::new();
    sandbox.put_session(&lines);
    sandbox.import();
    assert_eq!(sandbox.states(), expected);
}

/// The client has the same words for a call that the user did not allow and for one that Esc broke off. Clients after 2.1.322
/// say which of them ran; of others only the interruption that follows tells, which names the message that it broke off.
#[test]
fn what_was_rejected_was_refused_or_broken_off_as_what_follows_tells() {
    const REJECTED: &str =
        "The user doesn't want to proceed with this tool use. The tool use was rejected.";
    let words = format!("{REJECTED} To tell you how to proceed, the user said:\nnot here");
    let interrupted = |id: Option<&str>| {
        let text = "[Request interrupted by user for tool use]";
        let mut line = asked("");
        line["message"]["content"] = json!([{"type": "text", "text": text}]);
        if let Some(id) = id {
            line["interruptedMessageId"] = id.into();
        }
        Some(line)
    };
    let goes_on = || Some(answered("so be it"));
    let (old, new) = ("2.1.197", "2.1.332");
    let (kind, none) = (json!({"toolDenialKind": "user-rejected"}), json!({}));
    let by_tool = json!({"toolDenialKind": "user-rejected", "toolUseResult": "Error: not now"});
    let before_run = json!({"toolDenialKind": "user-rejected", "toolDenialBeforeRun": true});
    let table = [
        // "No", or Esc where it was asked.
        (old, REJECTED, &kind, interrupted(None), "denied"),
        (old, REJECTED, &none, interrupted(None), "denied"),
        (new, REJECTED, &before_run, interrupted(None), "denied"),
        (new, REJECTED, &before_run, interrupted(Some("m")), "denied"),
        // Esc while it ran.
        (old, REJECTED, &kind, interrupted(Some("m")), "abandoned"),
        (old, REJECTED, &none, interrupted(Some("m")), "abandoned"),
        (new, REJECTED, &kind, interrupted(Some("m")), "abandoned"),
        (new, REJECTED, &kind, interrupted(None), "abandoned"),
        // In words, or by a rule or a program: the turn goes on.
        (old, &words, &kind, goes_on(), "denied"),
        (new, &words, &kind, interrupted(None), "denied"),
        (old, "not now", &kind, goes_on(), "denied"),
        (new, "not now", &kind, goes_on(), "denied"),
        (new, "not now", &by_tool, interrupted(Some("m")), "denied"),
        // The client was gone before anything followed.
        (old, REJECTED, &kind, None, "denied"),
        (new, REJECTED, &kind, None, "abandoned"),
    ];
    for is_on_the_side in [false, true] {
        for (version, words, more, follows, state) in &table {
            let mut result = came_back("toolu_1", words);
            result["message"]["content"][0]["is_error"] = true.into();
            let more = more.as_object().unwrap().clone();
            result.as_object_mut().unwrap().extend(more);
            let lines = [asked("go"), called("toolu_1", "Bash", json!({})), result];
            let lines = lines.into_iter().chain(follows.clone()).enumerate();
            let lines: Vec<Value> = lines
                .map(|(place, line)| {
                    let mut line = old_line(&format!("u{place}"), None, 1, line);
                    line["version"] = (*version).into();
                    line["isSidechain"] = is_on_the_side.into();
                    line["agentId"] = "a1".into();
                    line
                })
                .collect();
            let sandbox = Sandbox::new();
            sandbox.put_session(&lines);
            sandbox.import();
            let expected = BTreeMap::from([("toolu_1".to_owned(), (*state).to_owned())]);
            assert_eq!(sandbox.states(), expected, "{lines:#?}");
            sandbox.import_again();
        }
    }
}

/// The end of a turn may have the time of what comes after it.
#[test]
fn what_happened_at_one_moment_stays_in_its_order() {
    let lines: Vec<Value> = [
        asked("go"),
        called("toolu_1", "Bash", json!({})),
        came_back("toolu_1", "done"),
        asked("[Request interrupted by user]"),
        called("toolu_2", "Bash", json!({})),
        came_back("toolu_2", "done"),
    ]
    .into_iter()
    .enumerate()
    .map(|(place, line)| old_line(&format!("u{place}"), None, 1, line))
    .collect();
    let sandbox = Sandbox::new();
    sandbox.put_session(&lines);
    sandbox.import();
    sandbox.import_again();
}

#[test]
fn the_end_of_a_background_task_is_taken_from_where_it_stands() {
    let notice = |task: &str, status: &str| {
        format!(
            "<task-notification>\n<task-id>{task}</task-id>\n<status>{status}</status>\n</task-notification>"
        )
    };
    let mut lines = vec![old_line("u0", None, 0, asked("go"))];
    for task in ["b1", "b2", "b3", "b4"] {
        let id = format!("toolu_{task}");
        lines.push(old_line(
            &format!("c{task}"),
            None,
            1,
            called(&id, "Bash", json!({})),
        ));
        let mut result = old_line(
            &format!("r{task}"),
            None,
            2,
            came_back(&id, "in the background"),
        );
        result["toolUseResult"] = json!({"backgroundTaskId": task});
        lines.push(result);
    }
    let queued = |uuid: &str, seconds, prompt: Value| {
        let attachment =
            json!({"type": "queued_command", "commandMode": "task-notification", "prompt": prompt});
        old_line(
            uuid,
            None,
            seconds,
            json!({"type": "attachment", "attachment": attachment}),
        )
    };
    let both = notice("b1", "completed") + &notice("b2", "failed");
    lines.push(queued("q1", 30, json!([{"type": "text", "text": both}])));
    // It goes on.
    lines.push(queued("q2", 40, notice("b3", "running").into()));
    // The client heard of it, and the model never did.
    lines.push(
        json!({"type": "queue-operation", "operation": "enqueue", "sessionId": ID,
        "timestamp": "2026-03-01T12:00:50.000Z", "content": notice("b4", "killed")}),
    );
    lines.push(old_line("u99", None, 60, answered("done")));
    let sandbox = Sandbox::new();
    sandbox.put_session(&lines);
    sandbox.import();
    let timeline = sandbox.timeline();
    let end = |call: &Value| {
        text(call, "background_ended_at")
            .get(17..19)
            .map(str::to_owned)
    };
    let ends: Vec<_> = timeline["calls"]
        .as_array()
        .unwrap()
        .iter()
        .map(end)
        .collect();
    let at = |seconds: &str| Some(seconds.to_owned());
    assert_eq!(ends, [at("30"), at("30"), None, at("50")]);
    assert_eq!(timeline["prompts"].as_array().unwrap().len(), 1);
    sandbox.import_again();
}

#[test]
fn what_the_client_runs_for_itself_is_no_subagent() {
    let sandbox = Sandbox::new();
    let task = json!({"prompt": "Warmup", "subagent_type": "general-purpose"});
    sandbox.put_session(&[
        old_line("u0", None, 0, asked("go")),
        old_line("u1", Some("u0"), 1, called("toolu_T", "Task", task)),
        old_line("u2", Some("u1"), 9, came_back("toolu_T", "warm")),
    ]);
    let agents = [
        ("acompact-1f2e3d", "anything", 2),
        (
            "aprompt_suggestion-1f2e3d",
            "[SUGGESTION MODE: suggest what the user might type]",
            2,
        ),
        ("a0000001", "Warmup", 20),
        // These two the model has started.
        ("a0000002", "Warmup", 3),
        ("acompact-report", "write a report", 2),
    ];
    for (id, prompt, seconds) in agents {
        let line = |uuid: String, seconds, more| {
            let mut line = on_the_side(old_line(&uuid, None, seconds, more));
            line["agentId"] = id.into();
            line
        };
        let lines = [
            line(format!("{id}-1"), seconds, asked(prompt)),
            line(format!("{id}-2"), seconds + 1, answered("yes")),
        ];
        let path = format!("shop/{ID}/subagents/agent-{id}.jsonl");
        put_lines(&sandbox.projects().join(path), &lines);
    }
    sandbox.import();
    let timeline = sandbox.timeline();
    let agents = timeline["agents"].as_array().unwrap().iter();
    let agents: BTreeSet<String> = agents.map(|agent| text(agent, "agent_id")).collect();
    let expected = ["a0000002", "acompact-report"].map(str::to_owned);
    assert_eq!(agents, BTreeSet::from(expected));
}

#[test]
fn a_folder_that_is_a_link_is_followed_once_and_named_where_it_leads_nowhere() {
    use std::os::unix::fs::symlink;
    let sandbox = Sandbox::new();
    let disk = sandbox.path("disk");
    copy_tree(&data("transcripts/a"), &disk.join("projects"));
    copy_tree(&data("transcripts/c"), &disk.join("shared"));
    let projects = disk.join("projects");
    symlink(disk.join("shared/-home-dev-shop"), projects.join("linked")).unwrap();
    symlink(projects.join("-home-dev-shop"), projects.join("again")).unwrap();
    symlink(&projects, projects.join("loop")).unwrap();
    symlink(projects.join("circle"), projects.join("circle")).unwrap();
    symlink(disk.join("gone"), projects.join("nowhere")).unwrap();
    fs::create_dir_all(sandbox.home().join(".claude")).unwrap();
    symlink(&projects, sandbox.projects()).unwrap();
    let told = sandbox.ccsession(["import", "--json"]).output();
    let report: Value = serde_json::from_slice(&told.stdout).unwrap();
    assert_eq!(report["sessions"], 2);
    let left_out = report["left_out"].as_array().unwrap().iter();
    let names: Vec<String> = left_out
        .map(|left| text(left, "path").rsplit('/').next().unwrap().to_owned())
        .collect();
    assert_eq!(names, ["circle", "nowhere"]);
}

#[test]
fn a_session_on_windows_has_a_place_and_a_project() {
    let sandbox = Sandbox::new();
    for (id, cwd, name) in [
        ("s-1", "C:\\Users\\dev\\My Shop", "My Shop"),
        ("s-2", "d:/work/shop/", "shop"),
        ("s-3", "\\\\server\\share\\shop", "shop"),
    ] {
        let line = json!({"type": "user", "uuid": id, "sessionId": id, "cwd": cwd, "promptId": "p",
            "timestamp": "2026-03-01T12:00:00Z", "message": {"content": "hello"}});
        put_lines(
            &sandbox.projects().join("p").join(format!("{id}.jsonl")),
            &[line],
        );
        sandbox.import();
        let record = sandbox.record(id);
        assert_eq!(
            (&record["project"]["name"], &record["project"]["root"]),
            (&json!(name), &json!(cwd))
        );
    }
}

#[test]
fn a_line_too_long_to_be_held_is_passed_over() {
    let sandbox = Sandbox::new();
    let path = sandbox.projects().join("p").join(format!("{ID}.jsonl"));
    let mut session = Script::new(ID, "p");
    session.prompt();
    let mut text: Vec<u8> = session.text();
    text.extend(br#"{"type":"user","x":""#);
    text.resize(text.len() + (65 << 20), b'x');
    text.extend(b"\"}\n");
    session.lines.clear();
    session.prompt();
    text.extend(session.text());
    put(&path, text);
    sandbox.ccsession(["import"]).expect(
        0,
        "imported 1 session, 3 events\n",
        "ccsession: passed over 1 line longer than 64 MiB\n",
    );
    let archived = sandbox.ccsession(["clock-out", ID]).output();
    let said = crate::support::text(&archived.stderr);
    assert!(archived.status.success());
    let expected = format!("ccsession: left out 1 line of session {ID}: longer than 64 MiB");
    assert!(said.starts_with(&expected), "{said}");
}

#[test]
fn subagents_of_old_clients_are_found_beside_and_within() {
    let sandbox = Sandbox::new();
    let folder = sandbox.projects().join("p");
    let mut session = Script::new(ID, "p");
    session.prompt();
    let main = session.call(None, "Task", Ending::Ok);
    let within = session.sidechain("chain-one");
    put(&folder.join(format!("{ID}.jsonl")), session.text());
    session.lines.clear();
    let beside = session.call(Some("a1"), "Bash", Ending::Ok);
    put(&folder.join("agent-a1.jsonl"), session.text());
    sandbox.import();
    let events = sandbox.imported(ID);
    assert_eq!(
        all(&events, "SubagentStart", "agent_id"),
        ["a1", "side-chain-on"]
    );
    let found: Vec<_> = calls(&events).into_keys().collect();
    let key = |agent: &str, id: String, tool: &str| (agent.to_owned(), id, tool.to_owned());
    assert_eq!(
        found,
        [
            key("", main, "Task"),
            key("a1", beside, "Bash"),
            key("side-chain-on", within, "Bash")
        ]
    );
}

#[test]
fn a_subagent_whose_transcript_was_deleted_stays() {
    let sandbox = Sandbox::new();
    copy_tree(&data("transcripts/c"), &sandbox.projects());
    sandbox.import();
    let imported = sandbox.imported(RUN_C);
    let agents = sandbox
        .projects()
        .join("-home-dev-shop")
        .join(RUN_C)
        .join("subagents");
    fs::remove_dir_all(agents).unwrap();
    assert_eq!(
        sandbox.import(),
        "imported 0 sessions, 0 events; 1 was complete already\n"
    );
    assert_eq!(sandbox.imported(RUN_C), imported);
}

/// The transcripts below `dir` and their lines.
fn transcripts(dir: &Path) -> BTreeMap<PathBuf, Vec<Value>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(transcripts(&path));
        } else if path.extension().is_some_and(|ending| ending == "jsonl") {
            let lines = json_lines(&path);
            found.insert(path, lines);
        }
    }
    found
}

/// How many messages of the session's are counted, whatever became of its transcript.
fn messages(sandbox: &Sandbox, id: &str) -> u64 {
    let stats = sandbox.ccsession(["stats", id, "--json"]).json();
    let tokens = stats["tokens"].as_array().unwrap();
    tokens
        .iter()
        .map(|used| used["messages"].as_u64().unwrap())
        .sum()
}

#[test]
fn tokens_are_counted_by_an_import_and_kept() {
    let sandbox = Sandbox::new();
    copy_tree(&data("transcripts/a"), &sandbox.projects());
    sandbox.ccsession(["import", "--dry-run"]).stdout();
    assert!(!sandbox.state().exists());
    sandbox.import();
    let transcript = sandbox
        .projects()
        .join(format!("-home-dev-shop/{RUN_A}.jsonl"));
    let lines = json_lines(&transcript);
    put_lines(&transcript, &lines[..lines.len() / 2]);
    sandbox.import();
    assert_eq!(messages(&sandbox, RUN_A), 5);
    fs::remove_file(transcript).unwrap();
    assert_eq!(messages(&sandbox, RUN_A), 5);
    put(&sandbox.session(RUN_A).join("usage.json"), "{bad");
    let output = sandbox.ccsession(["stats", RUN_A]).output();
    let said = String::from_utf8(output.stderr).unwrap();
    let begins = format!(
        "ccsession: could not read `{}`: ",
        sandbox.session(RUN_A).join("usage.json").display()
    );
    let ends = format!("; the tokens of session `{RUN_A}` were left out\n");
    assert!(said.starts_with(&begins) && said.ends_with(&ends), "{said}");
}

#[test]
fn tokens_of_a_session_that_has_ended_are_counted_by_a_cleanup_and_kept() {
    let sandbox = Sandbox::just_swept();
    copy_tree(&data("transcripts/a"), &sandbox.projects());
    sandbox.play("a");
    sandbox.ccsession(["cleanup", "--dry-run"]).stdout();
    assert!(!sandbox.session(RUN_A).join("usage.json").exists());
    sandbox.ccsession(["cleanup"]).stdout();
    fs::remove_dir_all(sandbox.projects()).unwrap();
    assert_eq!(messages(&sandbox, RUN_A), 5);
}

#[test]
fn tokens_of_a_session_that_was_abandoned_are_counted_by_a_cleanup_and_kept() {
    let sandbox = Sandbox::just_swept();
    // Not by the daily look at all sessions.
    put(&sandbox.state().join("daily"), "");
    copy_tree(&data("transcripts/a"), &sandbox.projects());
    // The shell is the client, and gone afterwards.
    let start = event("SessionStart", RUN_A, json!({"source": "startup"}));
    sandbox
        .run("/bin/sh")
        .arg("-c")
        .arg(format!("CLAUDE_PID=$$ {SESSION_START}; exit $?"))
        .stdin(start.to_string())
        .silent();
    sandbox.ccsession(["cleanup"]).stdout();
    fs::remove_dir_all(sandbox.projects()).unwrap();
    assert_eq!(messages(&sandbox, RUN_A), 5);
}

#[track_caller]
fn check_same(found: &[Value], expected: &[Value], what: &str) {
    let lines = |events: &[Value]| events.iter().map(Value::to_string).collect::<BTreeSet<_>>();
    let (found_lines, expected_lines) = (lines(found), lines(expected));
    let lost: Vec<_> = expected_lines.difference(&found_lines).collect();
    let added: Vec<_> = found_lines.difference(&expected_lines).collect();
    assert!(
        lost.is_empty() && added.is_empty(),
        "{what}: lost {lost:#?}, added {added:#?}"
    );
    assert_eq!(found.len(), expected.len(), "{what}");
}

#[test]
fn a_part_of_a_transcript_takes_nothing_away_and_the_rest_adds_what_is_missing() {
    for (run, id) in [("a", RUN_A), ("c", RUN_C)] {
        let sandbox = Sandbox::just_swept();
        copy_tree(&data("transcripts").join(run), &sandbox.projects());
        let whole = transcripts(&sandbox.projects());
        sandbox.import();
        let imported = sandbox.imported(id);
        for cut in 0..=20 {
            for (path, lines) in &whole {
                put_lines(path, &lines[..lines.len() * cut / 20]);
            }
            sandbox.ccsession(["import"]).output();
            check_same(
                &sandbox.imported(id),
                &imported,
                &format!("{run}: the first {cut}/20"),
            );
            for (path, lines) in &whole {
                put_lines(path, &lines[lines.len() * cut / 20..]);
            }
            sandbox.ccsession(["import"]).output();
            check_same(
                &sandbox.imported(id),
                &imported,
                &format!("{run}: without {cut}/20"),
            );

            // The other way round: first a part, then all.
            let grown = Sandbox::just_swept();
            for (path, lines) in &whole {
                let path = grown
                    .projects()
                    .join(path.strip_prefix(sandbox.projects()).unwrap());
                put_lines(&path, &lines[..lines.len() * cut / 20]);
            }
            grown.ccsession(["import"]).output();
            for (path, lines) in &whole {
                let path = grown
                    .projects()
                    .join(path.strip_prefix(sandbox.projects()).unwrap());
                put_lines(&path, lines);
            }
            grown.import();
            check_same(
                &grown.imported(id),
                &imported,
                &format!("{run}: {cut}/20, then all"),
            );
        }
    }
}

#[test]
fn an_older_copy_in_another_folder_takes_nothing_away() {
    let sandbox = Sandbox::new();
    let mut random = Random(5);
    let mut script = Script::new("s-1", "p");
    for _ in 0..3 {
        script.turn(&mut random);
    }
    put(&sandbox.projects().join("p/s-1.jsonl"), script.text());
    sandbox.import();
    let state = sandbox.snapshot(&sandbox.session("s-1"));
    let backup = sandbox.path("backup");
    for kept in 1..script.lines.len() {
        put_lines(&backup.join("p/s-1.jsonl"), &script.lines[..kept]);
        sandbox.ccsession(["import"]).arg(&backup).output();
        assert!(sandbox.snapshot(&sandbox.session("s-1")) == state, "{kept}");
    }
}

#[test]
fn a_turn_that_went_on_has_not_ended_where_it_seemed_to() {
    let sandbox = Sandbox::new();
    let mut script = Script::new("s-1", "p");
    let path = sandbox.projects().join("p/s-1.jsonl");
    script.prompt();
    // Old clients write no reason, so that this may be the last word.
    script.line(
        None,
        "assistant",
        json!({"message": {"content": [{"type": "text", "text": "let me see"}]}}),
    );
    put(&path, script.text());
    sandbox.import();
    let ends = || all(&sandbox.imported("s-1"), "Stop", "ts");
    let early = ends();
    assert_eq!(early.len(), 1);
    script.call(None, "Bash", Ending::Ok);
    put(&path, script.text());
    sandbox.import();
    assert_eq!(ends(), [""; 0]);
    script.word(None);
    put(&path, script.text());
    sandbox.import();
    let late = ends();
    assert!(late.len() == 1 && late != early, "{late:?}");
}

#[test]
fn copies_of_a_session_that_is_imported_later_are_its_own_then() {
    let sandbox = Sandbox::new();
    let mut origin = Script::new("a-origin", "p");
    origin.prompt();
    origin.call(None, "Bash", Ending::Ok);
    let mut fork = origin.fork("b-fork");
    fork.prompt();
    let calls_of = |id: &str| calls(&sandbox.imported(id)).len();
    let folder = sandbox.projects().join("p");
    put(&folder.join("b-fork.jsonl"), fork.text());
    sandbox.import();
    assert_eq!(calls_of("b-fork"), 1);
    put(&folder.join("a-origin.jsonl"), origin.text());
    let modified = UNIX_EPOCH + Duration::from_secs(1);
    let file = fs::File::options()
        .write(true)
        .open(folder.join("a-origin.jsonl"));
    file.unwrap().set_modified(modified).unwrap();
    sandbox.import();
    assert_eq!((calls_of("a-origin"), calls_of("b-fork")), (1, 0));
}

/// A client that is killed leaves calls without results, and of two subagents that one message started either may write first.
#[test]
fn a_subagent_is_below_the_call_that_its_meta_names_though_that_never_came_back() {
    let sandbox = Sandbox::new();
    let mut session = Script::new(ID, "p");
    session.prompt();
    let calls = [(); 2].map(|()| session.open(None, "Agent"));
    let folder = sandbox.projects().join("p");
    let subagents = folder.join(ID).join("subagents");
    let agents = [("late", &calls[0]), ("early", &calls[1])];
    for (agent, call) in agents.iter().rev() {
        session.open(Some(agent), "Bash");
        let meta = json!({"agentType": "general-purpose", "toolUseId": call});
        put(
            &subagents.join(format!("agent-{agent}.meta.json")),
            meta.to_string(),
        );
        put_lines(
            &subagents.join(format!("agent-{agent}.jsonl")),
            &session.agents[*agent],
        );
    }
    put(&folder.join(format!("{ID}.jsonl")), session.text());
    sandbox.import();
    let starters = || {
        let shown = sandbox.ccsession(["timeline", ID, "--json"]).json();
        let of = |agent: &Value| {
            ["agent_id", "tool_use_id"].map(|key| agent[key].as_str().unwrap().to_owned())
        };
        let agents = shown["agents"].as_array().unwrap();
        agents.iter().map(of).collect::<BTreeSet<_>>()
    };
    let expected = agents.map(|(agent, call)| [agent.to_owned(), call.to_owned()]);
    assert_eq!(starters(), BTreeSet::from(expected.clone()));
    // What the client noted stays, where it has deleted that.
    let imported = sandbox.imported(ID);
    fs::remove_file(subagents.join("agent-late.meta.json")).unwrap();
    fs::remove_file(subagents.join("agent-early.meta.json")).unwrap();
    sandbox.import();
    assert_eq!(starters(), BTreeSet::from(expected));
    assert_eq!(sandbox.imported(ID), imported);
}

#[test]
fn calls_that_were_broken_off_are_abandoned_and_not_failed_or_denied() {
    let sandbox = Sandbox::new();
    let mut session = Script::new(ID, "p");
    let rejected =
        "The user doesn't want to proceed with this tool use. The tool use was rejected.";
    let lost = "[Tool call interrupted: the session ended before this call's result was recorded.]";
    let endings = [
        // Esc while it ran.
        (rejected, json!({"toolDenialKind": "user-rejected"})),
        // The user said no.
        (
            rejected,
            json!({"toolDenialKind": "user-rejected", "toolDenialBeforeRun": true}),
        ),
        // Nobody was there to be asked.
        (
            "you haven't granted it yet",
            json!({"toolDenialKind": "user-rejected",
            "permissionDecision": {"decision": "reject"}}),
        ),
        // The client was killed: the next one writes this when it resumes the session.
        (lost, json!({"toolDenialKind": "interrupted"})),
        // Likewise, before the client said so in a word.
        (lost, json!({})),
        ("[Request interrupted by user for tool use]", json!({})),
    ];
    for (text, more) in endings {
        session.prompt();
        let id = session.open(None, "Bash");
        let block =
            json!({"type": "tool_result", "tool_use_id": id, "content": text, "is_error": true});
        let mut line =
            json!({"promptId": session.prompt, "message": {"role": "user", "content": [block]}});
        line.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        session.line(None, "user", line);
        if text == lost {
            // A day later.
            session.clock += 86_400_000;
            session.no_response_requested();
        } else {
            let said = json!({"content": [{"type": "text", "text": "[Request interrupted by user for tool use]"}]});
            session.line(None, "user", json!({"message": said}));
        }
    }
    // Another client resumed the session while the call ran, and then it came back.
    session.prompt();
    let id = session.open(None, "Bash");
    let block =
        json!({"type": "tool_result", "tool_use_id": id, "content": lost, "is_error": true});
    let message = json!({"role": "user", "content": [block]});
    session.line(
        None,
        "user",
        json!({"message": message, "toolDenialKind": "interrupted"}),
    );
    session.no_response_requested();
    session.close(None, "Bash", &id, Ending::Ok);
    session.word(None);
    // The client was killed before the model had said anything.
    session.prompt();
    session.clock += 86_400_000;
    session.no_response_requested();
    session.prompt();
    session.word(None);
    put(
        &sandbox.projects().join("p").join(format!("{ID}.jsonl")),
        session.text(),
    );
    sandbox.import();
    let said = sandbox.ccsession(["timeline", ID, "--json"]).stdout();
    let timeline: Value = serde_json::from_str(&said).unwrap();
    let calls = timeline["calls"].as_array().unwrap();
    let states: Vec<String> = calls.iter().map(|call| text(call, "state")).collect();
    let expected = [
        "abandoned",
        "denied",
        "denied",
        "abandoned",
        "abandoned",
        "abandoned",
        "ok",
    ];
    assert_eq!(states, expected);
    assert!(calls[..6].iter().all(|call| call["duration_ms"].is_null()));
    let prompts = timeline["prompts"].as_array().unwrap();
    let ends: Vec<String> = prompts.iter().map(|prompt| text(prompt, "end")).collect();
    assert_eq!(ends[..6], ["interrupted"; 6]);
    assert_eq!(ends[6..], ["stopped", "interrupted", "stopped"]);
}

#[test]
fn a_turn_ends_by_its_last_word_an_interruption_or_an_error() {
    let sandbox = Sandbox::new();
    let mut session = Script::new(ID, "p");
    let said = |text: &str| json!({"message": {"content": [{"type": "text", "text": text}]}});
    session.prompt();
    session.call(None, "Bash", Ending::Denied);
    session.line(
        None,
        "user",
        said("[Request interrupted by user for tool use]"),
    );
    session.prompt();
    session.line(
        None,
        "assistant",
        json!({"isApiErrorMessage": true, "error": "rate_limit",
        "message": {"model": "<synthetic>", "content": []}}),
    );
    session.line(None, "system", json!({"subtype": "turn_duration"}));
    // An old client says neither why a message ended nor that a turn did.
    session.prompt();
    session.line(None, "assistant", said("done"));
    for not_a_prompt in [
        "<command-name>/clear</command-name>",
        "<local-command-stdout></local-command-stdout>",
        "<bash-input>ls</bash-input>",
    ] {
        session.line(None, "user", said(not_a_prompt));
    }
    session.line(
        None,
        "user",
        json!({"isMeta": true, "message": {"content": "by the client"}}),
    );
    put(
        &sandbox.projects().join("p").join(format!("{ID}.jsonl")),
        session.text(),
    );
    sandbox.import();
    let events: Vec<_> = sandbox
        .imported(ID)
        .iter()
        .map(|event| (text(event, "event"), text(event, "error")))
        .collect();
    let expected = [
        ("SessionStart", ""),
        ("UserPromptSubmit", ""),
        ("PreToolUse", ""),
        ("PermissionDenied", ""),
        ("Stop", "interrupted"),
        ("UserPromptSubmit", ""),
        ("StopFailure", "rate_limit"),
        ("UserPromptSubmit", ""),
        ("Stop", ""),
    ];
    assert_eq!(
        events,
        expected.map(|(event, error)| (event.to_owned(), error.to_owned()))
    );
}

#[test]
fn a_branch_names_its_origin_and_a_title_is_the_name() {
    let sandbox = Sandbox::new();
    let mut origin = Script::new("origin", "p");
    origin.prompt();
    let mut branch = origin.fork("branch");
    branch.lines[0]["forkedFrom"] = json!({"sessionId": "origin", "messageUuid": "u"});
    branch.prompt();
    branch.line(None, "custom-title", json!({"customTitle": "second try"}));
    branch.line(None, "agent-setting", json!({"agentSetting": "reviewer"}));
    // The origin's own transcript is gone.
    put(&sandbox.projects().join("p/branch.jsonl"), branch.text());
    sandbox.import();
    let record = sandbox.record("branch");
    assert_eq!(record["previous"], "origin");
    assert_eq!(record["name"], "second try");
    assert_eq!(record["agent_type"], "reviewer");
    assert_eq!(
        all(&sandbox.imported("branch"), "UserPromptSubmit", "prompt_id"),
        [branch.prompt]
    );
}

/// How a generated call ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ending {
    Ok,
    Failed,
    Denied,
    /// There is no result.
    Lost,
}

/// A generated session: the client's transcript and the hook calls of the same run.
struct Script {
    id: String,
    cwd: String,
    clock: i64,
    serial: u64,
    prompt: String,
    lines: Vec<Value>,
    agents: BTreeMap<String, Vec<Value>>,
    hooks: Vec<Value>,
}

impl Script {
    fn new(id: &str, cwd: &str) -> Self {
        Self {
            id: id.to_owned(),
            cwd: format!("/gone/{cwd}"),
            clock: 1_790_000_000_000,
            serial: 0,
            prompt: String::new(),
            lines: Vec::new(),
            agents: BTreeMap::new(),
            hooks: Vec::new(),
        }
    }

    fn text(&self) -> Vec<u8> {
        let lines = self.lines.iter().map(|line| format!("{line}\n"));
        lines.collect::<String>().into_bytes()
    }

    fn next(&mut self, what: &str) -> String {
        self.serial += 1;
        format!("{what}-{}-{}", self.id, self.serial)
    }

    fn line(&mut self, agent: Option<&str>, kind: &str, more: Value) {
        self.clock += 1000;
        let at = chrono::DateTime::from_timestamp_millis(self.clock).unwrap();
        let mut line = json!({"type": kind, "uuid": self.next("u"), "sessionId": self.id, "cwd": self.cwd,
            "timestamp": at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true), "isSidechain": agent.is_some()});
        if let Some(agent) = agent {
            line["agentId"] = agent.into();
        }
        line.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        match agent {
            Some(agent) if agent != "a1" => {
                self.agents.entry(agent.to_owned()).or_default().push(line)
            }
            _ => self.lines.push(line),
        }
    }

    fn hook(&mut self, agent: Option<&str>, name: &str, more: Value) {
        let mut payload = event(
            name,
            &self.id,
            json!({"cwd": self.cwd, "prompt_id": self.prompt}),
        );
        let members = payload.as_object_mut().unwrap();
        members.extend(more.as_object().unwrap().clone());
        if let Some(agent) = agent {
            members.insert("agent_id".to_owned(), agent.into());
        }
        self.hooks.push(payload);
    }

    fn prompt(&mut self) {
        self.prompt = self.next("p");
        self.hook(None, "UserPromptSubmit", json!({"prompt": "go"}));
        let more = json!({"promptId": self.prompt, "message": {"role": "user", "content": "go"}});
        self.line(None, "user", more);
    }

    fn open(&mut self, agent: Option<&str>, tool: &str) -> String {
        let id = self.next("toolu");
        let input = json!({"description": "do it"});
        let more = json!({"tool_name": tool, "tool_use_id": id, "tool_input": input});
        self.hook(agent, "PreToolUse", more);
        let block = json!({"type": "tool_use", "id": id, "name": tool, "input": input});
        self.line(
            agent,
            "assistant",
            json!({"message": {"id": "m", "model": "opus", "content": [block]}}),
        );
        id
    }

    fn close(&mut self, agent: Option<&str>, tool: &str, id: &str, ending: Ending) {
        let call = json!({"tool_name": tool, "tool_use_id": id});
        let (text, hook) = match ending {
            Ending::Ok => ("fine", Some("PostToolUse")),
            Ending::Failed => ("Exit code 7\nno", Some("PostToolUseFailure")),
            Ending::Denied => ("The user doesn't want to proceed with this tool use.", None),
            Ending::Lost => return,
        };
        if let Some(name) = hook {
            let mut more = call;
            more["error"] = text.into();
            self.hook(agent, name, more);
        }
        let block = json!({"type": "tool_result", "tool_use_id": id, "content": text, "is_error": ending != Ending::Ok});
        let more =
            json!({"promptId": self.prompt, "message": {"role": "user", "content": [block]}});
        self.line(agent, "user", more);
    }

    fn call(&mut self, agent: Option<&str>, tool: &str, ending: Ending) -> String {
        let id = self.open(agent, tool);
        self.close(agent, tool, &id, ending);
        id
    }

    /// A subagent's call, as an old client has it in the session's own transcript.
    fn sidechain(&mut self, root: &str) -> String {
        let first = self.lines.len();
        self.line(None, "user", json!({"message": {"content": "do it"}}));
        self.lines[first]["uuid"] = root.into();
        let id = self.call(None, "Bash", Ending::Ok);
        for index in first..self.lines.len() {
            self.lines[index]["isSidechain"] = true.into();
            self.lines[index]["parentUuid"] = match index - first {
                0 => Value::Null,
                _ => self.lines[index - 1]["uuid"].clone(),
            };
        }
        id
    }

    fn agent(&mut self, depth: u64, random: &mut Random) {
        let id = self.open(None, "Agent");
        let agent = self.next("a");
        self.hook(
            Some(&agent),
            "SubagentStart",
            json!({"agent_type": "Explore"}),
        );
        let more = json!({"promptId": self.prompt, "attributionAgent": "Explore", "message": {"content": "do it"}});
        self.line(Some(&agent), "user", more);
        for _ in 0..random.below(3) {
            self.call(Some(&agent), "Bash", random.ending());
        }
        if depth > 0 && random.below(2) == 0 {
            self.agent(depth - 1, random);
        }
        self.word(Some(&agent));
        self.hook(
            Some(&agent),
            "SubagentStop",
            json!({"agent_type": "Explore"}),
        );
        self.close(None, "Agent", &id, Ending::Ok);
    }

    fn word(&mut self, agent: Option<&str>) {
        let message = json!({"id": "m", "model": "opus", "stop_reason": "end_turn", "content": [{"type": "text", "text": "done"}]});
        self.line(agent, "assistant", json!({"message": message}));
    }

    /// What a client puts after a turn that was cut off, when it resumes the session.
    fn no_response_requested(&mut self) {
        let message = json!({"model": "<synthetic>", "stop_reason": "stop_sequence",
            "content": [{"type": "text", "text": "No response requested."}]});
        self.line(None, "assistant", json!({"message": message}));
    }

    fn turn(&mut self, random: &mut Random) {
        self.prompt();
        // Parallel calls: all begin before the first ends.
        let calls: Vec<(String, Ending)> = (0..random.below(4))
            .map(|_| (self.open(None, "Bash"), random.ending()))
            .collect();
        for (id, ending) in calls {
            self.close(None, "Bash", &id, ending);
        }
        if random.below(3) == 0 {
            self.agent(1, random);
        }
        if random.below(6) == 0 {
            self.line(
                None,
                "system",
                json!({"subtype": "compact_boundary", "compactMetadata": {"trigger": "auto"}}),
            );
            self.hook(None, "PreCompact", json!({"trigger": "auto"}));
            self.hook(None, "PostCompact", json!({"trigger": "auto"}));
            let more =
                json!({"isCompactSummary": true, "message": {"content": "This session continues"}});
            self.line(None, "user", more);
        }
        self.word(None);
        self.hook(None, "Stop", json!({}));
        self.line(None, "system", json!({"subtype": "stop_hook_summary"}));
        self.line(
            None,
            "system",
            json!({"subtype": "turn_duration", "durationMs": 5}),
        );
    }

    /// A fork: copies of all lines, with the same uuids, and then its own.
    fn fork(&self, id: &str) -> Self {
        let mut lines = self.lines.clone();
        lines
            .iter_mut()
            .for_each(|line| line["sessionId"] = id.into());
        Self {
            id: id.to_owned(),
            cwd: self.cwd.clone(),
            clock: self.clock + 60_000,
            serial: 0,
            prompt: String::new(),
            lines,
            agents: BTreeMap::new(),
            hooks: Vec::new(),
        }
    }
}

/// The same numbers in each run: a linear congruential generator.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }

    fn ending(&mut self) -> Ending {
        match self.below(8) {
            0 => Ending::Failed,
            1 => Ending::Denied,
            2 => Ending::Lost,
            _ => Ending::Ok,
        }
    }
}

/// Which of a generated session's hook calls arrived.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Armed {
    Never,
    Always,
    /// From the second prompt on.
    Late,
}

#[test]
fn two_hundred_sessions_are_complete_and_nothing_is_there_twice() {
    let sandbox = Sandbox::just_swept();
    let mut random = Random(17);
    let mut scripts: Vec<(Script, Armed)> = Vec::new();
    for number in 0..200u64 {
        let id = format!("s-{number:03}");
        let mut script = match scripts.last() {
            Some((origin, _)) if number % 10 == 9 => origin.fork(&id),
            _ => Script::new(&id, &format!("p{}", number % 7)),
        };
        script.clock += i64::try_from(number).unwrap() * 1_000_000;
        for _ in 0..=random.below(3) {
            script.turn(&mut random);
        }
        let armed = match number % 4 {
            0 => Armed::Always,
            2 => Armed::Late,
            _ => Armed::Never,
        };
        scripts.push((script, armed));
    }
    for (script, armed) in &scripts {
        let path = sandbox
            .projects()
            .join(&script.cwd[6..])
            .join(format!("{}.jsonl", script.id));
        let mut text = script.text();
        if script.serial % 3 == 0 {
            text.extend(br#"{"type":"assistant","uuid":"torn","mess"#);
        }
        put(&path, text);
        for (agent, lines) in &script.agents {
            put_lines(
                &path
                    .with_extension("")
                    .join(format!("subagents/agent-{agent}.jsonl")),
                lines,
            );
        }
        // A file system may not say when a file was created; then its last change says which session is older.
        let modified = UNIX_EPOCH + Duration::from_millis(script.clock.try_into().unwrap());
        fs::File::options()
            .write(true)
            .open(&path)
            .unwrap()
            .set_modified(modified)
            .unwrap();
        let prompts = script
            .hooks
            .iter()
            .filter(|payload| payload["hook_event_name"] == "UserPromptSubmit");
        let second = prompts.map(|payload| payload["prompt_id"].clone()).nth(1);
        let mut has_come = *armed == Armed::Always;
        for payload in &script.hooks {
            has_come |= *armed == Armed::Late && second.as_ref() == Some(&payload["prompt_id"]);
            if has_come {
                sandbox.play_payload(payload);
            }
        }
    }
    let originals = sandbox.snapshot(&sandbox.projects());
    let journals: Vec<_> = scripts
        .iter()
        .map(|(script, _)| sandbox.recorded(&script.id))
        .collect();
    sandbox.import();
    for ((script, armed), journal) in scripts.iter().zip(journals) {
        let imported = sandbox.imported(&script.id);
        assert_eq!(
            sandbox.recorded(&script.id),
            journal,
            "the journal is the hooks' own"
        );
        check_complete(script, *armed, &journal, &imported);
    }
    let fork = sandbox.record("s-009");
    assert_eq!(fork["previous"], "s-008");
    assert_eq!(sandbox.snapshot(&sandbox.projects()), originals);
    let state = sandbox.snapshot(&sandbox.state());
    assert_eq!(
        sandbox.import(),
        "imported 0 sessions, 0 events; 200 were complete already\n"
    );
    assert_eq!(sandbox.snapshot(&sandbox.state()), state);
    sandbox.assert_no_leftovers();
}

#[track_caller]
fn check_complete(script: &Script, armed: Armed, journal: &[Value], imported: &[Value]) {
    let id = &script.id;
    let named = |payload: &Value| -> Value {
        let mut event = payload.clone();
        event["event"] = payload["hook_event_name"].clone();
        event["tool"] = payload["tool_name"].clone();
        event
    };
    let expected: Vec<Value> = script.hooks.iter().map(named).collect();
    let both: Vec<Value> = journal.iter().chain(imported).cloned().collect();
    assert_eq!(calls(&both), calls(&expected), "{id}");
    for (name, key) in [
        ("UserPromptSubmit", "prompt_id"),
        ("Stop", "prompt_id"),
        ("SubagentStart", "agent_id"),
        ("SubagentStop", "agent_id"),
        ("PreToolUse", "tool_use_id"),
        ("PostToolUse", "tool_use_id"),
        ("PostToolUseFailure", "tool_use_id"),
    ] {
        let mut wanted = all(&expected, name, key);
        if name == "SubagentStop" {
            // A subagent that leaves a call open did not end, as far as its transcript tells.
            let ended: BTreeSet<String> = all(&both, name, key).into_iter().collect();
            wanted.retain(|agent| ended.contains(agent));
        }
        assert_eq!(all(&both, name, key), wanted, "{id}: {name}");
    }
    if armed == Armed::Always {
        let kinds: BTreeSet<String> = imported.iter().map(|event| text(event, "event")).collect();
        assert!(
            kinds.is_subset(&BTreeSet::from(["SessionStart".to_owned()])),
            "{id}: {kinds:?}"
        );
    }
}

/// Any JSON, and the members that mean something with values that do not.
fn some_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
        Just(json!("toolu_1")),
        Just(json!("2026-11-20T12:00:00Z")),
        Just(json!("9999-99-99")),
        Just(json!("tool_use")),
        Just(json!("tool_result")),
        Just(json!(ID)),
    ];
    let key = prop_oneof![
        Just("type"),
        Just("message"),
        Just("content"),
        Just("id"),
        Just("name"),
        Just("input"),
        Just("timestamp"),
        Just("sessionId"),
        Just("uuid"),
        Just("parentUuid"),
        Just("isSidechain"),
        Just("agentId"),
        Just("promptId"),
        Just("tool_use_id"),
        Just("is_error"),
        Just("toolUseResult"),
        Just("subtype"),
        Just("forkedFrom"),
        Just("cwd"),
        Just("usage"),
        Just("model"),
        Just("compactMetadata"),
        Just("permissionDecision"),
        Just("gitBranch"),
    ];
    leaf.prop_recursive(4, 40, 8, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map(key.clone().prop_map(str::to_owned), inner, 0..8)
                .prop_map(|map| Value::from(serde_json::Map::from_iter(map))),
        ]
    })
}

fn some_line() -> impl Strategy<Value = Vec<u8>> {
    let kinds = prop_oneof![
        Just("user"),
        Just("assistant"),
        Just("system"),
        Just("custom-title")
    ];
    let shaped = (kinds, some_json()).prop_map(|(kind, more)| {
        let mut line = json!({"timestamp": "2026-11-20T12:00:00Z", "cwd": "/gone"});
        if let Some(more) = more.as_object() {
            line.as_object_mut().unwrap().extend(more.clone());
        }
        line["type"] = kind.into();
        line.to_string().into_bytes()
    });
    prop_oneof![
        4 => shaped,
        1 => proptest::collection::vec(any::<u8>(), 0..100),
        1 => some_json().prop_map(|json| json.to_string().into_bytes()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn no_transcript_stops_the_import(lines in proptest::collection::vec(some_line(), 0..12)) {
        use ccsession::history::import::{ImportOptions, run, sources::find};
        use ccsession::model::{Capture, Event};
        use ccsession::store::{Decompressor, Places, StateDir};

        let sandbox = Sandbox::new();
        let path = sandbox.projects().join("p").join(format!("{ID}.jsonl"));
        put(&path, lines.join(&b'\n'));
        let places = Places { state: Some(sandbox.state()), pointers: sandbox.pointers(), config: None };
        let state = StateDir::create(&places, Decompressor::BUILT_IN).unwrap();
        let options = ImportOptions { since: None, root: None, capture: Capture::Summary, dry_run: false };
        let import = || run(Some(&state), find(&sandbox.projects()).unwrap(), &options, &mut |_| {}).unwrap();
        import();
        prop_assert_eq!(import().imported, 0);
        let made = fs::read(sandbox.session(ID).join("transcript.jsonl")).unwrap_or_default();
        for line in made.split(|&b| b == b'\n').filter(|line| !line.is_empty()) {
            prop_assert!(Event::decode(line).is_ok());
        }
    }
}
