//! What old clients wrote: results in any order, sidechains, refusals.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{all, answered, asked, called, came_back, old_line, on_the_side, text};
use crate::support::transcripts::put_lines;
use crate::support::{ID, Sandbox};

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

/// Old clients note the type of a subagent nowhere but in the call.
#[test]
fn a_subagent_has_the_type_that_its_call_asked_for() {
    let sandbox = Sandbox::new();
    sandbox.put_session(&parallel_sidechains());
    sandbox.import();
    let timeline = sandbox.timeline();
    let agents = timeline["agents"].as_array().unwrap().iter();
    let mut types: Vec<_> = agents
        .map(|agent| (text(agent, "agent_id"), text(agent, "agent_type")))
        .collect();
    types.sort();
    let of = |id: &str, kind: &str| (format!("side-{id}"), kind.to_owned());
    let asked = "general-purpose";
    assert_eq!(
        types,
        [
            of("a1", asked),
            of("b1", asked),
            of("c1", asked),
            of("s1", "")
        ]
    );
}

#[test]
fn importing_parallel_sidechains_in_parts_equals_importing_them_whole() {
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
fn a_refused_call_is_denied_by_the_clients_words_or_by_its_field() {
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
fn the_following_lines_decide_if_a_rejected_call_was_denied_or_abandoned() {
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
