//! The order of lines, and their times: clocks that were set back, times in other forms, ids that repeat.

use std::fs;

use serde_json::{Value, json};

use super::{answered, asked, called, came_back, old_line, text};
use crate::support::transcripts::put_lines;
use crate::support::{ID, Sandbox, event};

fn stamped(uuid: &str, time: impl Into<Value>, more: Value) -> Value {
    let mut line = old_line(uuid, None, 0, more);
    line["timestamp"] = time.into();
    line
}

impl Sandbox {
    /// Each call of the session: its tool and its state, in order.
    fn calls_in_order(&self) -> Vec<(String, String)> {
        let timeline = self.timeline();
        let calls = timeline["calls"].as_array().unwrap().iter();
        calls
            .map(|call| (text(call, "tool"), text(call, "state")))
            .collect()
    }

    /// Each prompt of the session: its text and how its turn ended, in order.
    fn prompts_in_order(&self) -> Vec<(String, String)> {
        let timeline = self.timeline();
        let prompts = timeline["prompts"].as_array().unwrap().iter();
        prompts
            .map(|prompt| (text(prompt, "what"), text(prompt, "end")))
            .collect()
    }
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    let owned = |(one, other): &(&str, &str)| ((*one).to_owned(), (*other).to_owned());
    expected.iter().map(owned).collect()
}

#[test]
fn a_time_in_another_form_or_none_loses_no_line() {
    let sandbox = Sandbox::new();
    let times = [
        json!("2026-11-20T12:00:01+0000"),
        json!("2026-11-20T14:00:02+02"),
        json!("2026-11-20T12:00:03,500Z"),
        json!(1_795_176_004_000_u64),
        json!(1_795_176_005.5),
        Value::Null,
        json!("at noon"),
    ];
    let line = |(number, time): (usize, &Value)| {
        stamped(
            &format!("u{number}"),
            time.clone(),
            asked(&format!("prompt {number}")),
        )
    };
    let lines: Vec<Value> = times.iter().enumerate().map(line).collect();
    sandbox.put_session(&lines);
    sandbox
        .ccsession(["import"])
        .expect(0, "imported 1 session, 8 events\n", "");
    let timeline = sandbox.timeline();
    let prompts = timeline["prompts"].as_array().unwrap().iter();
    let told: Vec<String> = prompts
        .map(|prompt| format!("{} {}", text(prompt, "what"), &text(prompt, "at")[14..23]))
        .collect();
    let seconds = [
        "01.000", "02.000", "03.500", "04.000", "05.500", "05.500", "05.500",
    ];
    let expected = seconds.into_iter().enumerate();
    let expected: Vec<String> = expected
        .map(|(number, seconds)| format!("prompt {number} 00:{seconds}"))
        .collect();
    assert_eq!(told, expected);
    sandbox.import_again();
}
