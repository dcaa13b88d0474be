//! Unusual content and places: background tasks, links, other systems, long lines, subagents of old clients.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::{
    Ending, RUN_C, Script, all, answered, asked, called, calls, came_back, old_line, on_the_side,
    text,
};
use crate::support::transcripts::{copy_tree, put, put_lines};
use crate::support::{ID, Sandbox, data, event};

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
fn the_end_of_a_background_task_is_found_in_each_form() {
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
fn one_message_with_the_notices_of_several_tasks_ends_them_all() {
    let notice = |task: &str, status: &str| {
        format!(
            "<task-notification>\n<task-id>{task}</task-id>\n{status}<summary>s</summary>\n</task-notification>"
        )
    };
    let done = |task| notice(task, "<status>completed</status>\n");
    let joined = vec![json!(done("b1") + "\n\n" + &done("b2"))];
    let blocks = ["b1", "b2"].map(|task| json!({"type": "text", "text": done(task)}));
    let waits = json!(notice("b1", ""));
    let cases = [
        (joined, 2),
        (vec![json!(blocks)], 2),
        (vec![json!(done("b1")), json!(done("b2"))], 2),
        (vec![waits.clone()], 0),
        (vec![waits, json!(done("b2"))], 1),
    ];
    for (messages, expected) in cases {
        let mut lines = vec![old_line("u0", None, 0, asked("go"))];
        for task in ["b1", "b2"] {
            let id = format!("toolu_{task}");
            let call = called(&id, "Bash", json!({}));
            lines.push(old_line(&format!("c{task}"), None, 1, call));
            let mut result = old_line(&format!("r{task}"), None, 2, came_back(&id, "it runs"));
            result["toolUseResult"] = json!({"backgroundTaskId": task});
            lines.push(result);
        }
        for (place, message) in messages.iter().enumerate() {
            let mut line = old_line(&format!("n{place}"), None, 30, asked(""));
            line["message"]["content"] = message.clone();
            line["promptId"] = "p2".into();
            lines.push(line);
        }
        let sandbox = Sandbox::new();
        sandbox.put_session(&lines);
        sandbox.import();
        let timeline = sandbox.timeline();
        let calls = timeline["calls"].as_array().unwrap().iter();
        let ended = calls.filter(|call| call["background_ended_at"].is_string());
        assert_eq!(ended.count(), expected, "{messages:?}");
        sandbox.import_again();
    }
}

#[test]
fn a_prompt_is_what_a_person_typed_even_if_it_quotes_claude_code() {
    let block = |text: &str| json!({"type": "text", "text": text});
    let typed = [
        (
            json!("[Request interrupted by user] is in the log, why?"),
            "[Request interrupted by user] is in the log, why?",
        ),
        (
            json!("<bash-stdout> is what I see; why?"),
            "<bash-stdout> is what I see; why?",
        ),
        (
            json!([
                block("<ide_opened_file>a.rs is open</ide_opened_file>"),
                block("fix the parser")
            ]),
            "fix the parser",
        ),
        (
            json!([
                block("<system-reminder>\nx\n</system-reminder>"),
                block("and this")
            ]),
            "and this",
        ),
    ];
    let mut lines = Vec::new();
    for (place, (content, _)) in typed.iter().enumerate() {
        let at = u32::try_from(place).unwrap() * 10;
        let mut line = old_line(&format!("u{place}"), None, at, asked(""));
        line["message"]["content"] = content.clone();
        lines.push(line);
        lines.push(old_line(
            &format!("a{place}"),
            None,
            at + 1,
            answered("yes"),
        ));
    }
    let sandbox = Sandbox::new();
    sandbox.put_session(&lines);
    sandbox.import();
    let timeline = sandbox.timeline();
    let labels: Vec<_> = timeline["prompts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| text(it, "what"))
        .collect();
    assert_eq!(labels, typed.map(|(_, label)| label));
}

#[test]
fn what_the_client_runs_for_itself_is_not_a_subagent() {
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
fn a_linked_folder_is_followed_once_and_a_dangling_link_is_named() {
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
fn an_overlong_line_is_skipped() {
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
        "ccsession: skipped 1 line longer than 64 MiB\n",
    );
    let archived = sandbox.ccsession(["clock-out", ID]).output();
    let said = crate::support::text(&archived.stderr);
    assert!(archived.status.success());
    let expected = format!("ccsession: left out 1 line of session {ID}: longer than 64 MiB");
    assert!(said.starts_with(&expected), "{said}");
}

#[test]
fn subagents_of_old_clients_are_found_in_their_own_files_and_in_the_session() {
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

#[test]
fn a_session_that_cannot_be_written_stops_no_other() {
    for broken in ["journal", "folder", "log"] {
        let sandbox = Sandbox::just_swept();
        let ids = ["aaaa-1", "bbbb-2", "cccc-3"];
        for id in ids {
            let path = sandbox
                .home()
                .join(format!(".claude/projects/-{id}/{id}.jsonl"));
            let line = json!({"type": "user", "sessionId": id, "uuid": format!("u-{id}"),
                "timestamp": "2026-11-20T10:00:00.000Z", "cwd": sandbox.project(),
                "message": {"role": "user", "content": "hi"}});
            put(&path, format!("{line}\n"));
        }
        sandbox
            .hook(&event("SessionStart", ids[1], json!({"source": "startup"})))
            .silent();
        let replace = |path: &Path, by_folder: bool| {
            let _ = fs::remove_file(path);
            let _ = fs::remove_dir_all(path);
            match by_folder {
                true => fs::create_dir(path).unwrap(),
                false => fs::write(path, "").unwrap(),
            }
        };
        match broken {
            "journal" => replace(&sandbox.session(ids[1]).join("events.jsonl"), true),
            "folder" => replace(&sandbox.session(ids[1]), false),
            _ => replace(&sandbox.state().join("log.jsonl"), true),
        }
        let output = sandbox.ccsession(["import"]).output();
        assert_eq!(output.status.code(), Some(1), "{broken} {output:?}");
        let stdout = crate::support::text(&output.stdout);
        let expected = match broken {
            "log" => "imported 3 sessions, 5 events; 1 file was left out\n",
            _ => "imported 2 sessions, 4 events; 1 file was left out\n",
        };
        assert_eq!(stdout, expected, "{broken}");
        assert_eq!(
            crate::support::text(&output.stderr).lines().count(),
            1,
            "{broken} {output:?}"
        );
        for id in [ids[0], ids[2]] {
            sandbox.ccsession(["show", id]).stdout();
        }
    }
}
