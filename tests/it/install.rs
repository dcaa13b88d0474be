//! `ccsession install` and `uninstall` on real settings files: what is registered, what stays as it was, what is refused.

mod client;
mod files;
mod links;
mod others;
mod past;
mod programs;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::Sandbox;

/// The settings that the library's own properties are tried on.
#[path = "../../src/setup/edit/generate.rs"]
#[allow(dead_code, reason = "not all of them are needed here")]
mod generate;

/// The events and the first client that is known to know them.
const EVENTS: [(&str, &[&str]); 7] = [
    (
        "1.0.128",
        &[
            "SessionStart",
            "SessionEnd",
            "UserPromptSubmit",
            "PreToolUse",
            "PostToolUse",
            "Notification",
            "SubagentStop",
            "Stop",
            "PreCompact",
        ],
    ),
    (
        "2.0.77",
        &["PostToolUseFailure", "PermissionRequest", "SubagentStart"],
    ),
    ("2.1.50", &["TaskCompleted"]),
    ("2.1.80", &["StopFailure", "PostCompact"]),
    (
        "2.1.110",
        &["PermissionDenied", "CwdChanged", "TaskCreated"],
    ),
    ("2.1.131", &["PostToolBatch"]),
    ("2.1.280", &["PostModelSwitch"]),
];

/// What a new session sees of an install, and what says so.
const RECORDED: &str = "sessions that start from now on are recorded; `ccsession doctor` says when the first event came\n\
    next: start `claude`, then type `ccsession list`, `ccsession timeline` or `ccsession stats`\n";

fn events_up_to(version: &str) -> Vec<&'static str> {
    let last = EVENTS.iter().position(|(since, _)| *since == version);
    let known = EVENTS.iter().take(last.unwrap() + 1);
    known
        .flat_map(|(_, events)| events.iter().copied())
        .collect()
}

fn executable_for(event: &str) -> &'static str {
    match event {
        "SessionStart" => "session-start",
        "PreToolUse" => "pre-tool-use",
        "PostToolUse" | "PostToolUseFailure" | "PostToolBatch" => "post-tool-use",
        _ => "session-event",
    }
}

/// The backups, the oldest first.
fn backups(sandbox: &Sandbox) -> Vec<PathBuf> {
    let dir = sandbox.state().join("backups");
    names(&dir).iter().map(|name| dir.join(name)).collect()
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap()
}

/// The names in a folder, sorted; none where there is no folder.
fn names(dir: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(dir) else {
        return Vec::new();
    };
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// Every handler in a settings file, with its event.
fn handlers(settings: &Value) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    for (event, groups) in settings["hooks"].as_object().into_iter().flatten() {
        for group in groups.as_array().unwrap() {
            for handler in group["hooks"].as_array().unwrap() {
                found.push((event.clone(), handler.clone()));
            }
        }
    }
    found
}

/// The handlers that run something in the folder `dir`, as one would write them.
fn ours_in(settings: &Value, dir: &Path) -> BTreeMap<String, Value> {
    let begins = |handler: &Value| {
        let command = handler["command"].as_str().unwrap_or_default();
        command
            .trim_start_matches('\'')
            .starts_with(dir.to_str().unwrap())
    };
    let mut ours = BTreeMap::new();
    for (event, handler) in handlers(settings) {
        if begins(&handler) {
            assert_eq!(
                ours.insert(event.clone(), handler),
                None,
                "{event} is there twice"
            );
        }
    }
    ours
}

/// What an install writes for these events.
fn wanted(dir: &Path, events: &[&str]) -> BTreeMap<String, Value> {
    let handler = |event: &&str| {
        let command = dir.join(executable_for(event));
        let handler = json!({"type": "command", "command": command, "args": [], "timeout": 5});
        ((*event).to_owned(), handler)
    };
    events.iter().map(handler).collect()
}

/// Asserts that the settings at `path` register exactly these events, each once and as it should be.
#[track_caller]
fn check_registered(sandbox: &Sandbox, path: &Path, events: &[&str]) {
    let dir = sandbox.path("libexec");
    let text = read(path);
    let settings = serde_json::from_str(text.trim_start_matches('\u{feff}')).unwrap();
    assert_eq!(ours_in(&settings, &dir), wanted(&dir, events));
}

/// The settings without the handlers of `dir`, and without what is empty for want of them.
fn without(mut settings: Value, dir: &Path, before: &Value) -> Value {
    let is_ours = |handler: &Value| {
        handler["command"]
            .as_str()
            .is_some_and(|command| command.starts_with(dir.to_str().unwrap()))
    };
    if let Some(hooks) = settings.get_mut("hooks").and_then(Value::as_object_mut) {
        for (event, groups) in hooks.iter_mut() {
            let old = before["hooks"][event].as_array().map_or(0, Vec::len);
            let groups = groups.as_array_mut().unwrap();
            // What an install adds is one group of one handler, after all others.
            if groups.len() > old {
                let added = groups.pop().unwrap();
                let handlers = added["hooks"].as_array().unwrap();
                assert!(
                    handlers.len() == 1 && handlers.iter().all(is_ours),
                    "{event}: {added}"
                );
            }
        }
        hooks.retain(|event, groups| *groups != json!([]) || before["hooks"].get(event).is_some());
        if hooks.is_empty() && before.get("hooks").is_none() {
            settings.as_object_mut().unwrap().remove("hooks");
        }
    }
    settings
}
