//! Generated sessions of every shape, and invalid lines.

use std::collections::BTreeSet;
use std::fs;
use std::time::{Duration, UNIX_EPOCH};

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Random, Script, all, calls, text};
use crate::support::transcripts::{put, put_lines};
use crate::support::{ID, Sandbox};

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
        let options = ImportOptions { since: None, root: None, capture: Capture::Summary, dry_run: false, env: Default::default(), exclude: Default::default() };
        let import = || run(Some(&state), find(&sandbox.projects()).unwrap(), &options, &mut |_| {});
        import();
        prop_assert_eq!(import().imported, 0);
        let made = fs::read(sandbox.session(ID).join("transcript.jsonl")).unwrap_or_default();
        for line in made.split(|&b| b == b'\n').filter(|line| !line.is_empty()) {
            prop_assert!(Event::decode(line).is_ok());
        }
    }
}
