//! What the recorded sessions did, compared with handwritten tables in `tests/data/calls`.
//!
//! The hooks run without the recorded pauses. Afterwards the journals get the times and processes of the recording, because
//! both decide how calls and turns ended.

use std::collections::HashMap;

use serde_json::Value;

use crate::support::recordings::{play, recordings, table};
use crate::support::{data, text};

fn shown(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[test]
fn every_call_is_as_a_person_reads_it() {
    let mut seen = 0;
    for name in recordings() {
        let sandbox = play(&name);
        let mut expected: HashMap<String, Vec<Vec<String>>> = HashMap::new();
        for row in table(&data("calls").join(format!("{name}.tsv"))) {
            let columns = [
                "agent",
                "tool_use_id",
                "tool",
                "state",
                "error",
                "duration_ms",
                "permission",
                "spawned",
            ];
            let cells = columns.map(|column| row.get(column).cloned().unwrap_or_default());
            expected
                .entry(row["session"].clone())
                .or_default()
                .push(cells.to_vec());
        }
        for session in table(&data("calls").join(format!("{name}.sessions.tsv"))) {
            let id = &session["session"];
            let view = sandbox.ccsession(["timeline", id, "--json"]).json();
            let calls = view["calls"].as_array().unwrap();
            let cells = |call: &Value| {
                let is_measured = call["closed"] == "by_itself" && call["state"] != "denied";
                let took = if is_measured {
                    shown(&call["duration_ms"])
                } else {
                    String::new()
                };
                let asked = if call["permission_ms"].is_null() {
                    ""
                } else {
                    "yes"
                };
                vec![
                    shown(&call["agent_id"]),
                    shown(&call["tool_use_id"]),
                    shown(&call["tool"]),
                    shown(&call["state"]),
                    shown(&call["error"]),
                    took,
                    asked.to_owned(),
                    shown(&call["spawned_agent"]),
                ]
            };
            // The recording has no time finer than a millisecond: calls of one are in no order.
            let sorted = |mut rows: Vec<Vec<String>>| {
                rows.sort();
                rows
            };
            let found: Vec<Vec<String>> = calls.iter().map(cells).collect();
            seen += found.len();
            let expected = expected.remove(id).unwrap_or_default();
            assert_eq!(sorted(found), sorted(expected), "{name}: {id}");
            assert!(
                calls.iter().all(|call| call["state"] != "running"),
                "{name}: {id}"
            );
        }
        assert!(expected.is_empty(), "{name}: {expected:?}");
    }
    assert_eq!(seen, 87);
}

#[test]
fn every_session_is_as_a_person_reads_it() {
    for name in recordings() {
        let sandbox = play(&name);
        for session in table(&data("calls").join(format!("{name}.sessions.tsv"))) {
            let id = &session["session"];
            let view = sandbox.ccsession(["timeline", id, "--json"]).json();
            let count = |list: &str, is_it: &dyn Fn(&Value) -> bool| {
                view[list]
                    .as_array()
                    .unwrap()
                    .iter()
                    .filter(|item| is_it(item))
                    .count()
                    .to_string()
            };
            let all = |_: &Value| true;
            let reasons: Vec<String> = view["segments"]
                .as_array()
                .unwrap()
                .iter()
                .map(|s| shown(&s["reason"]))
                .filter(|r| !r.is_empty())
                .collect();
            let found = [
                ("prompts", count("prompts", &|p| p["notification"] == false)),
                (
                    "notifications",
                    count("prompts", &|p| p["notification"] == true),
                ),
                ("agents", count("agents", &all)),
                ("compactions", count("compactions", &all)),
                ("segments", count("segments", &all)),
                ("end_reasons", reasons.join(",")),
                ("duplicates", view["duplicates"].to_string()),
            ];
            for (column, value) in found {
                assert_eq!(value, session[column], "{name}: {id}: {column}");
            }
        }
    }
}

#[test]
fn a_timeline_of_each_recording_fits_eighty_columns() {
    for name in recordings() {
        let sandbox = play(&name);
        for session in table(&data("calls").join(format!("{name}.sessions.tsv"))) {
            let output = sandbox
                .ccsession(["timeline", &session["session"]])
                .env("COLUMNS", "80")
                .output();
            let printed = text(&output.stdout);
            assert_eq!(output.status.code(), Some(0));
            assert!(
                printed.lines().all(|line| line.chars().count() <= 80),
                "{printed}"
            );
            if std::env::var_os("SHOW").is_some() {
                println!("{name}\n{printed}{}", text(&output.stderr));
            }
        }
    }
}
