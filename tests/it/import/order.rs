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
fn a_clock_that_is_set_back_splits_no_call_and_reorders_no_turn() {
    for back in [
        "2026-03-01T12:00:01.999Z",
        "2026-03-01T11:00:00Z",
        "2026-02-01T00:00:00Z",
    ] {
        let sandbox = Sandbox::new();
        sandbox.put_session(&[
            stamped("u1", "2026-03-01T12:00:01Z", asked("first")),
            stamped(
                "u2",
                "2026-03-01T12:00:02Z",
                called("toolu_1", "Bash", json!({})),
            ),
            stamped("u3", back, came_back("toolu_1", "done")),
            stamped("u4", back, answered("all done")),
            stamped("u5", back, asked("second")),
            stamped("u6", back, called("toolu_2", "Read", json!({}))),
            stamped("u7", back, came_back("toolu_2", "done")),
            stamped("u8", back, answered("done again")),
        ]);
        sandbox.import();
        let calls = pairs(&[("Bash", "ok"), ("Read", "ok")]);
        assert_eq!(sandbox.calls_in_order(), calls, "{back}");
        let prompts = pairs(&[("first", "stopped"), ("second", "stopped")]);
        assert_eq!(sandbox.prompts_in_order(), prompts, "{back}");
        sandbox.import_again();
    }
}

#[test]
fn a_call_whose_result_comes_first_begins_at_its_own_time() {
    let sandbox = Sandbox::new();
    sandbox.put_session(&[
        old_line("u1", None, 1, asked("go")),
        old_line("u3", None, 3, came_back("toolu_1", "done")),
        old_line("u2", None, 2, called("toolu_1", "Bash", json!({}))),
        old_line("u4", None, 4, answered("all done")),
    ]);
    sandbox.import();
    let call = &sandbox.timeline()["calls"][0];
    let seconds = |key: &str| text(call, key)[14..19].to_owned();
    assert_eq!(
        (seconds("started_at"), seconds("ended_at")),
        ("00:02".to_owned(), "00:03".to_owned())
    );
}

#[test]
fn two_prompts_of_one_moment_are_two_in_the_order_of_the_transcript() {
    for ids in [None, Some(["p1", "p2"])] {
        let sandbox = Sandbox::new();
        let mut lines = [
            old_line("u1", None, 5, asked("second to none")),
            old_line("u2", None, 5, answered("yes")),
            old_line("u3", None, 5, asked("first of all")),
            old_line("u4", None, 5, answered("no")),
        ];
        for (place, id) in ids.into_iter().flatten().enumerate() {
            lines[2 * place]["promptId"] = id.into();
        }
        sandbox.put_session(&lines[..2]);
        sandbox.import();
        sandbox.put_session(&lines);
        sandbox.import();
        let expected = pairs(&[("second to none", "stopped"), ("first of all", "stopped")]);
        assert_eq!(sandbox.prompts_in_order(), expected, "{ids:?}");
        sandbox.import_again();
    }
}

#[test]
fn a_call_id_that_repeats_is_another_call() {
    let sandbox = Sandbox::new();
    let mut failed = came_back("call_0", "Exit code 1");
    failed["message"]["content"][0]["is_error"] = true.into();
    let call = |tool| called("call_0", tool, json!({}));
    let lines = [
        old_line("u0", None, 0, asked("go")),
        old_line("u1", None, 1, call("Bash")),
        old_line("u2", None, 2, came_back("call_0", "done")),
        old_line("u3", None, 3, call("Read")),
        old_line("u4", None, 4, failed),
        old_line("u5", None, 5, call("Edit")),
        // The client was killed here.
        old_line("u6", None, 6, asked("go on")),
        old_line("u7", None, 7, call("Grep")),
        old_line("u8", None, 8, came_back("call_0", "done")),
        old_line("u9", None, 9, answered("all done")),
    ];
    for end in [4, 6, 8, 10] {
        sandbox.put_session(&lines[..end]);
        sandbox.import();
    }
    let expected = [
        ("Bash", "ok"),
        ("Read", "failed"),
        ("Edit", "abandoned"),
        ("Grep", "ok"),
    ];
    assert_eq!(sandbox.calls_in_order(), pairs(&expected));
    sandbox.import_again();
}

/// Hooks of clients before 2.0 send no ids of calls.
#[test]
fn calls_that_hooks_recorded_without_ids_are_not_imported() {
    let sandbox = Sandbox::new();
    let now = || {
        std::thread::yield_now();
        chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Micros, true)
    };
    let hook = |name: &str, more: Value| {
        let mut payload = event(name, ID, json!({"cwd": sandbox.project()}));
        payload
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        sandbox.hook(&payload).silent();
    };
    let called_now =
        |uuid: &str, id: &str, tool: &str| stamped(uuid, now(), called(id, tool, json!({})));
    let back_now = |uuid: &str, id: &str| stamped(uuid, now(), came_back(id, "done"));
    let mut lines = vec![
        stamped("u1", "2026-03-01T12:00:01Z", asked("go")),
        // From before the installation.
        stamped(
            "u2",
            "2026-03-01T12:00:02Z",
            called("toolu_0", "Bash", json!({})),
        ),
        stamped("u3", "2026-03-01T12:00:03Z", came_back("toolu_0", "done")),
    ];
    hook("SessionStart", json!({"source": "startup"}));
    for (number, tool) in ["Bash", "Read", "Bash"].into_iter().enumerate() {
        let id = format!("toolu_{}", number + 1);
        lines.push(called_now(&format!("c{number}"), &id, tool));
        // Two equal events of one moment would be one that was recorded twice.
        let step = "step".repeat(number + 1);
        let input = json!({"tool_name": tool, "tool_input": {"description": step}});
        hook("PreToolUse", input.clone());
        let mut output = input;
        output["tool_response"] = json!({"stdout": step});
        hook("PostToolUse", output);
        lines.push(back_now(&format!("r{number}"), &id));
    }
    // The hooks missed this one.
    lines.push(called_now("c9", "toolu_9", "Edit"));
    lines.push(back_now("r9", "toolu_9"));
    hook("Stop", json!({}));
    lines.push(stamped("u9", now(), answered("all done")));
    sandbox.put_session(&lines);
    sandbox.import();
    let imported = sandbox.imported(ID);
    let begun = super::all(&imported, "PreToolUse", "tool_use_id");
    assert_eq!(begun, ["toolu_0", "toolu_9"]);
    assert_eq!(super::all(&imported, "PostToolUse", "tool_use_id"), begun);
    assert_eq!(sandbox.calls_in_order().len(), 5);
    sandbox.import_again();
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

/// The transcript of an old client's session, its resumption and the resumption of that, each with all lines of the former.
fn chain() -> Vec<(&'static str, Vec<Value>)> {
    let mut lines: Vec<Value> = Vec::new();
    let mut chain = Vec::new();
    for (number, id) in (1..).zip(["s-9", "s-5", "s-1"]) {
        let call = format!("toolu_{number}");
        let own = [
            asked(&format!("question {number}")),
            called(&call, "Bash", json!({})),
            came_back(&call, "done"),
            answered("there"),
        ];
        for (place, more) in (0..).zip(own) {
            let uuid = format!("u{number}-{place}");
            let mut line = old_line(&uuid, None, 60 * number + place, more);
            if line["type"] == "assistant" {
                line["message"]["id"] = format!("m{uuid}").into();
                line["message"]["usage"] = json!({"input_tokens": 1, "output_tokens": 1});
                line["message"]["model"] = "opus".into();
            }
            lines.push(line);
        }
        lines
            .iter_mut()
            .for_each(|line| line["sessionId"] = id.into());
        chain.push((id, lines.clone()));
    }
    chain
}

#[test]
fn resumptions_of_old_clients_are_told_apart_in_whatever_order_they_are_imported() {
    let chain = chain();
    let orders = [
        [0, 1, 2],
        [0, 2, 1],
        [1, 0, 2],
        [1, 2, 0],
        [2, 0, 1],
        [2, 1, 0],
    ];
    for order in orders {
        let sandbox = Sandbox::new();
        for place in order {
            let (id, lines) = &chain[place];
            put_lines(&sandbox.projects().join(format!("shop/{id}.jsonl")), lines);
            sandbox.import();
        }
        for _ in 0..2 {
            for (number, (id, _)) in (1..).zip(&chain) {
                let prompts = super::all(&sandbox.imported(id), "UserPromptSubmit", "what");
                assert_eq!(prompts, [format!("question {number}")], "{order:?}: {id}");
                assert_eq!(super::messages(&sandbox, id), 2, "{order:?}: {id}");
            }
            sandbox.import_again();
        }
    }
}

#[test]
fn lines_of_a_session_on_record_stay_that_sessions_once_its_transcript_is_gone() {
    let chain = chain();
    let sandbox = Sandbox::new();
    let path = |id: &str| sandbox.projects().join(format!("shop/{id}.jsonl"));
    for (place, (id, lines)) in chain.iter().enumerate() {
        put_lines(&path(id), lines);
        sandbox.import();
        fs::remove_file(path(id)).unwrap();
        for (number, (id, _)) in (1..).zip(&chain[..=place]) {
            let prompts = super::all(&sandbox.imported(id), "UserPromptSubmit", "what");
            assert_eq!(prompts, [format!("question {number}")], "{place}: {id}");
            assert_eq!(super::messages(&sandbox, id), 2, "{place}: {id}");
        }
    }
    let (last, lines) = &chain[2];
    assert_eq!(sandbox.record(last)["previous"], chain[1].0);
    put_lines(&path(last), lines);
    assert!(
        sandbox
            .import()
            .starts_with("imported 0 sessions, 0 events")
    );
    sandbox.import_again();
}

#[test]
fn a_subagent_without_its_sessions_transcript_is_named() {
    let sandbox = Sandbox::new();
    let mut line = super::on_the_side(old_line("v1", None, 1, asked("help")));
    line["agentId"] = "a1".into();
    let path = sandbox
        .projects()
        .join(format!("shop/{ID}/subagents/agent-a1.jsonl"));
    put_lines(&path, &[line]);
    let report = || -> Value {
        let said = sandbox.ccsession(["import", "--json"]).output();
        serde_json::from_slice(&said.stdout).unwrap()
    };
    let left_out = &report()["left_out"];
    assert_eq!(left_out[0]["path"], path.to_str().unwrap());
    assert_eq!(left_out[0]["why"], "there is no transcript of its session");
    // The session's own transcript may be in another folder.
    let main = sandbox.projects().join(format!("other/{ID}.jsonl"));
    put_lines(&main, &[old_line("u1", None, 1, asked("go"))]);
    assert_eq!(report()["left_out"], json!([]));
    assert_eq!(
        super::all(&sandbox.imported(ID), "SubagentStart", "agent_id"),
        ["a1"]
    );
    assert!(fs::exists(path).unwrap());
}
