//! Imports of past sessions from the client's own transcripts: real ones, and generated ones of every shape.

mod chosen;
mod ends;
mod generated;
mod odd;
mod old;
mod order;
mod parts;
mod recorded;
mod tokens;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::transcripts::put_lines;
use crate::support::within::Within;
use crate::support::{ID, Sandbox, data, event, json_lines};

const RUN_A: &str = "2f09356b-a939-40a2-8915-584394440829";
const RUN_C: &str = "65dd02b6-7134-4576-a982-e8658c4175aa";

impl Sandbox {
    /// The client's folder of projects.
    pub(crate) fn projects(&self) -> PathBuf {
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

/// A prompt or an answer of the session [`ID`], as the client writes it.
fn said(number: u32, kind: &str, text: &str) -> String {
    json!({"parentUuid": null, "type": kind, "uuid": format!("u{number}"), "sessionId": ID, "cwd": "/home/dev/shop",
        "timestamp": format!("2026-03-01T12:00:{number:02}Z"), "message": {"id": format!("m{number}"), "role": kind,
            "model": "claude-opus-5-5", "content": text, "usage": {"input_tokens": 1, "output_tokens": 2}}})
    .to_string()
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
