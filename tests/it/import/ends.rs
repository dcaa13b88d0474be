//! How calls, turns and sessions end, and how they are named.

use std::collections::BTreeSet;
use std::fs;

use serde_json::{Value, json};

use super::{Ending, Script, all, text};
use crate::support::transcripts::{put, put_lines};
use crate::support::{ID, Sandbox};

/// A client that is killed leaves calls without results, and of two subagents that one message started either may write first.
#[test]
fn a_subagent_is_below_the_call_that_its_meta_file_names_even_if_unfinished() {
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
fn interrupted_calls_are_abandoned_and_not_failed_or_denied() {
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
fn a_forked_session_names_its_origin_and_a_title_becomes_its_name() {
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
