//! Recorded payloads and sessions of the real client, played through the real hooks.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::pointers::place;
use crate::support::recordings::recordings;
use crate::support::within::Within;
use crate::support::{
    ID, POST_TOOL_USE, SESSION_EVENT, Sandbox, as_client, data, event, json_lines, mode, payload,
};

fn recorded_events() -> Vec<(String, Value)> {
    let mut names: Vec<String> = fs::read_dir(data("payloads/events"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter_map(|name| name.strip_suffix(".json").map(str::to_owned))
        .collect();
    names.sort();
    names
        .into_iter()
        .map(|name| (name.clone(), payload(&name)))
        .collect()
}

#[test]
fn every_recorded_payload_is_one_line_in_its_sessions_journal() {
    let events = recorded_events();
    assert!(events.len() >= 49, "{}", events.len());
    for (name, payload) in events {
        let sandbox = Sandbox::just_swept();
        let id = payload["session_id"].as_str().unwrap();
        sandbox.hook(&payload).silent();
        if payload["hook_event_name"] == "MessageDisplay" {
            assert_eq!(sandbox.files(), ["state/sweep"], "{name}");
            continue;
        }
        let journal = sandbox.journal(id);
        assert_eq!(journal.len(), 1, "{name}");
        assert_eq!(journal[0]["event"], payload["hook_event_name"], "{name}");
        assert_eq!(journal[0]["session_id"], id, "{name}");
        for same in [
            "tool_use_id",
            "agent_id",
            "agent_type",
            "prompt_id",
            "duration_ms",
        ] {
            assert_eq!(journal[0].get(same), payload.get(same), "{name}: {same}");
        }
        assert!(
            !sandbox.state().join("hook-errors.jsonl").exists(),
            "{name}"
        );
        assert!(
            !sandbox.state().join("unattributed.jsonl").exists(),
            "{name}"
        );
        sandbox.assert_no_leftovers();
    }
}

#[test]
fn every_recorded_session_is_journaled_event_by_event() {
    let mut played = 0;
    for name in recordings() {
        let path = data("payloads/sessions").join(format!("{name}.jsonl"));
        let sandbox = Sandbox::just_swept();
        let within = Within::new(&sandbox);
        let mut expected: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for call in json_lines(&path) {
            let payload = &call["stdin"];
            let event = payload["hook_event_name"].as_str().unwrap();
            // The executables of one recording stand for those of all.
            if name == "c" {
                sandbox
                    .hook(payload)
                    .env("CLAUDE_PROJECT_DIR", sandbox.project())
                    .env("CLAUDE_PID", as_client())
                    .silent();
            } else {
                within.feed(payload);
            }
            if event != "MessageDisplay" {
                let id = payload["session_id"].as_str().unwrap();
                expected
                    .entry(id.to_owned())
                    .or_default()
                    .push(event.to_owned());
            }
        }
        for (id, events) in expected {
            let journaled: Vec<String> = sandbox
                .journal(&id)
                .iter()
                .map(|line| line["event"].as_str().unwrap().to_owned())
                .collect();
            assert_eq!(journaled, events, "{} {id}", path.display());
            played += events.len();
        }
        assert!(
            !sandbox.state().join("hook-errors.jsonl").exists(),
            "{}",
            path.display()
        );
    }
    assert!(played > 500, "{played}");
}

#[test]
fn a_start_writes_record_journal_owner_indexes_and_pointer() {
    let sandbox = Sandbox::just_swept();
    let start = event(
        "SessionStart",
        ID,
        json!({"source": "startup", "cwd": sandbox.project(), "model": "m-1"}),
    );
    sandbox.hook(&start).env("CLAUDE_PID", as_client()).silent();

    let record = sandbox.record(ID);
    assert_eq!(record["source"], "startup");
    assert_eq!(record["model"], "m-1");
    assert_eq!(record["project"]["name"], "shop");
    assert_eq!(
        record["project"]["root"],
        sandbox.project().to_str().unwrap()
    );
    assert_eq!(record["ended_at"], Value::Null);
    let pointer = fs::read_to_string(sandbox.pointer("shop")).unwrap();
    assert_eq!(pointer.lines().next(), Some(ID));
    assert_eq!(pointer.lines().count(), 2);
    assert_eq!(
        fs::read_dir(sandbox.session(ID).join("owners"))
            .unwrap()
            .count(),
        1
    );
    assert_eq!(
        fs::read_dir(sandbox.state().join("procs")).unwrap().count(),
        1
    );
    for file in sandbox.files() {
        assert_eq!(mode(&sandbox.path(&file)), 0o600, "{file}");
    }
    for dir in ["state", "state/sessions", "state/procs", "state/projects"] {
        assert_eq!(mode(&sandbox.path(dir)), 0o700, "{dir}");
    }
}

#[test]
fn modes_are_exact_under_any_umask() {
    for umask in ["0000", "0777"] {
        let sandbox = Sandbox::just_swept();
        let start = event("SessionStart", ID, json!({"source": "startup"}));
        let script = format!("umask {umask}; exec {}", crate::support::SESSION_START);
        sandbox
            .run("/bin/sh")
            .arg("-c")
            .arg(script)
            .stdin(start.to_string())
            .silent();
        assert_eq!(sandbox.journal(ID).len(), 1);
        for file in sandbox.files() {
            assert_eq!(mode(&sandbox.path(&file)), 0o600, "umask {umask}: {file}");
        }
        assert_eq!(mode(&sandbox.session(ID)), 0o700, "umask {umask}");
    }
}

#[test]
fn a_session_first_heard_of_in_the_middle_gets_its_record_then() {
    let sandbox = Sandbox::new();
    let call = event(
        "PreToolUse",
        ID,
        json!({"tool_name": "Bash", "tool_use_id": "t1"}),
    );
    sandbox.hook(&call).silent();
    assert_eq!(sandbox.record(ID)["source"], "late");
    assert_eq!(sandbox.journal(ID).len(), 1);
    assert!(
        !sandbox.pointer("shop").exists(),
        "a tool call moves no pointer"
    );
}

#[test]
fn an_end_without_a_start_is_recorded_and_leaves_no_pointer() {
    let sandbox = Sandbox::new();
    sandbox
        .hook(&event("SessionEnd", ID, json!({"reason": "other"})))
        .silent();
    assert_eq!(sandbox.journal(ID)[0]["reason"], "other");
    sandbox.ccsession(["current"]).expect(0, "unknown\n", "");
}

#[test]
fn an_end_removes_the_pointer_only_if_it_names_the_session() {
    let sandbox = Sandbox::new();
    sandbox
        .hook(&event("SessionStart", "s-1", json!({"source": "startup"})))
        .silent();
    sandbox
        .hook(&event("SessionStart", "s-2", json!({"source": "startup"})))
        .silent();
    sandbox
        .hook(&event("SessionEnd", "s-1", json!({"reason": "other"})))
        .silent();
    assert!(
        fs::read_to_string(sandbox.pointer("shop"))
            .unwrap()
            .starts_with("s-2\n")
    );
    sandbox
        .hook(&event("SessionEnd", "s-2", json!({"reason": "other"})))
        .silent();
    assert!(!sandbox.pointer("shop").exists());
}

#[test]
fn only_some_events_move_the_pointer() {
    let start = |id, source| event("SessionStart", id, json!({"source": source}));
    let prompt = |id, text| event("UserPromptSubmit", id, json!({"prompt": text}));
    let cases = [
        (start("s-2", "startup"), "s-2"),
        (start("s-2", "resume"), "s-2"),
        (start("s-2", "clear"), "s-2"),
        (start("s-2", "fork"), "s-2"),
        (start("s-2", "compact"), "s-1"),
        (prompt("s-2", "hello"), "s-2"),
        (
            prompt("s-2", "<task-notification>\n<task-id>b1</task-id>"),
            "s-1",
        ),
        (event("Stop", "s-2", json!({})), "s-1"),
        (
            event(
                "Notification",
                "s-2",
                json!({"notification_type": "idle_prompt"}),
            ),
            "s-1",
        ),
        (
            event("PreToolUse", "s-2", json!({"tool_name": "Bash"})),
            "s-1",
        ),
        (
            event(
                "UserPromptSubmit",
                "s-2",
                json!({"prompt": "hello", "agent_id": "a1"}),
            ),
            "s-1",
        ),
    ];
    for (payload, owner) in cases {
        let sandbox = Sandbox::new();
        sandbox.hook(&start("s-1", "startup")).silent();
        sandbox.hook(&payload).silent();
        let pointer = fs::read_to_string(sandbox.pointer("shop")).unwrap();
        assert_eq!(pointer.lines().next(), Some(owner), "{payload}");
    }
}

#[test]
fn a_turns_end_refreshes_the_sessions_own_old_pointer() {
    let sandbox = Sandbox::new();
    let write = |id: &str, minutes: i64| {
        let path = place(&sandbox, "shop", id, minutes * 60);
        fs::read_to_string(path).unwrap()
    };
    let read = || fs::read_to_string(sandbox.pointer("shop")).unwrap();
    let stop = event("Stop", ID, json!({}));

    let old = write(ID, 11);
    sandbox.hook(&stop).env("TZ", "UTC0").silent();
    assert_ne!(read(), old);
    assert!(read().starts_with(ID));

    let young = write(ID, 5);
    sandbox.hook(&stop).env("TZ", "UTC0").silent();
    assert_eq!(read(), young);

    let others = write("s-2", 11);
    sandbox.hook(&stop).env("TZ", "UTC0").silent();
    assert_eq!(read(), others);
}

#[test]
fn a_late_event_reopens_nothing_and_a_prompt_does() {
    let sandbox = Sandbox::new();
    let client = |payload: Value| {
        sandbox
            .hook(&payload)
            .env("CLAUDE_PID", as_client())
            .silent()
    };
    let state = || sandbox.ccsession(["show", ID, "--json"]).json()["state"].clone();
    client(event("SessionStart", ID, json!({"source": "startup"})));
    assert_eq!(state(), "active");
    client(event("SessionEnd", ID, json!({"reason": "other"})));
    assert_eq!(state(), "ended");
    client(event("SubagentStop", ID, json!({"agent_id": "a1"})));
    client(event(
        "PostToolUse",
        ID,
        json!({"tool_name": "Bash", "tool_use_id": "t1"}),
    ));
    assert_eq!(state(), "ended");
    assert_eq!(sandbox.journal(ID).len(), 4);
    client(event("UserPromptSubmit", ID, json!({"prompt": "go on"})));
    assert_eq!(state(), "active");
}

#[test]
fn a_clear_links_the_new_session_to_the_one_before_it() {
    let sandbox = Sandbox::new();
    let client = |payload: Value| {
        sandbox
            .hook(&payload)
            .env("CLAUDE_PID", as_client())
            .silent()
    };
    client(event("SessionStart", "s-1", json!({"source": "startup"})));
    client(event("SessionEnd", "s-1", json!({"reason": "clear"})));
    client(event("SessionStart", "s-2", json!({"source": "clear"})));
    assert_eq!(sandbox.record("s-2")["previous"], "s-1");
    assert_eq!(sandbox.record("s-2")["parent"], Value::Null);
    sandbox.ccsession(["current"]).expect(0, "s-2\n", "");
}

#[test]
fn a_nested_client_does_not_take_the_pointer_and_names_its_parent() {
    let sandbox = Sandbox::new();
    sandbox
        .hook(&event(
            "SessionStart",
            "outer",
            json!({"source": "startup"}),
        ))
        .env("CLAUDE_PID", as_client())
        .silent();
    // The shell is the nested client: the hook's parent, and a child of the outer client.
    let nested = event("SessionStart", "nested", json!({"source": "startup"}));
    let script = format!("CLAUDE_PID=$$ {}; exit $?", crate::support::SESSION_START);
    sandbox
        .run("/bin/sh")
        .arg("-c")
        .arg(script)
        .stdin(nested.to_string())
        .silent();
    assert_eq!(sandbox.record("nested")["parent"], "outer");
    assert!(
        fs::read_to_string(sandbox.pointer("shop"))
            .unwrap()
            .starts_with("outer\n")
    );
}

#[test]
fn an_old_clients_bash_calls_are_given_the_id() {
    let sandbox = Sandbox::new();
    let folder = sandbox.home().join(".claude/session-env").join(ID);
    fs::create_dir_all(&folder).unwrap();
    let file = folder.join("sessionstart-hook-0.sh");
    fs::write(&file, "export OTHER=1\n").unwrap();
    let start = event("SessionStart", ID, json!({"source": "resume"}));
    sandbox
        .hook(&start)
        .env("CLAUDE_ENV_FILE", &file)
        .env("CLAUDE_CODE_SESSION_ID", ID)
        .silent();
    assert_eq!(
        fs::read_to_string(&file).unwrap(),
        "export OTHER=1\n",
        "a new client does it itself"
    );
    sandbox.hook(&start).env("CLAUDE_ENV_FILE", &file).silent();
    assert_eq!(
        fs::read_to_string(&file).unwrap(),
        format!("export OTHER=1\nexport CLAUDE_CODE_SESSION_ID={ID}\n")
    );
}

#[test]
fn the_model_is_told_the_id_only_if_the_user_wants_it() {
    let sandbox = Sandbox::new();
    let start = event("SessionStart", ID, json!({"source": "startup"}));
    sandbox.hook(&start).silent();
    let output = sandbox
        .hook(&start)
        .env("CCSESSION_CONTEXT_LINE", "true")
        .json();
    assert_eq!(
        output["hookSpecificOutput"]["hookEventName"],
        "SessionStart"
    );
    assert!(
        output["hookSpecificOutput"]["additionalContext"]
            .as_str()
            .unwrap()
            .contains(ID)
    );
}

#[test]
fn the_payload_decides_and_the_executable_is_only_the_fallback() {
    let sandbox = Sandbox::new();
    let stop = event("Stop", ID, json!({}));
    sandbox.run(POST_TOOL_USE).stdin(stop.to_string()).silent();
    sandbox
        .run(POST_TOOL_USE)
        .stdin(json!({"session_id": ID}).to_string())
        .silent();
    sandbox
        .run(SESSION_EVENT)
        .arg("--help")
        .stdin(stop.to_string())
        .silent();
    sandbox.ccsession(["hook"]).stdin(stop.to_string()).silent();
    sandbox
        .ccsession(["hook", "PreCompact", "--nonsense"])
        .stdin(json!({"session_id": ID}).to_string())
        .silent();
    let events: Vec<Value> = sandbox
        .journal(ID)
        .iter()
        .map(|line| line["event"].clone())
        .collect();
    assert_eq!(
        events,
        ["Stop", "PostToolUse", "Stop", "Stop", "PreCompact"]
    );
}

#[test]
fn an_event_without_a_valid_id_is_recorded_as_unattributed() {
    let sandbox = Sandbox::new();
    for bad in [
        json!({}),
        json!({"session_id": "../../x"}),
        json!({"session_id": 7}),
        json!({"session_id": "unknown"}),
    ] {
        let mut payload = bad.clone();
        payload["hook_event_name"] = "Stop".into();
        sandbox.hook(&payload).silent();
    }
    let lines = json_lines(&sandbox.state().join("unattributed.jsonl"));
    assert_eq!(lines.len(), 4);
    assert!(lines.iter().all(|line| line["event"] == "Stop"));
    assert!(!sandbox.state().join("sessions").exists());
}

#[test]
fn the_ladder_attributes_an_event_without_an_id() {
    let sandbox = Sandbox::just_swept();
    let start = |id: &str| event("SessionStart", id, json!({"source": "startup"}));
    let stop = json!({"hook_event_name": "Stop"});
    sandbox
        .hook(&start(ID))
        .env("CLAUDE_PID", as_client())
        .silent();
    // Its client is above; the project's one live session; a variable; a start begins something else.
    sandbox.hook(&stop).silent();
    sandbox
        .hook(&json!({"hook_event_name": "SessionStart"}))
        .silent();
    // A second session in the project, without a process to tell it by: this process still has the first.
    sandbox.hook(&start("s-2")).env("CLAUDE_PID", "1").silent();
    sandbox.hook(&stop).silent();
    let variable = sandbox
        .hook(&stop)
        .env("CLAUDE_CODE_SESSION_ID", "elsewhere");
    variable.silent();
    let rungs: Vec<Value> = sandbox
        .journal(ID)
        .iter()
        .map(|line| line["rung"].clone())
        .collect();
    assert_eq!(
        rungs,
        [
            json!(null),
            json!("process"),
            json!("process"),
            json!("process")
        ]
    );
    let lines = json_lines(&sandbox.state().join("unattributed.jsonl"));
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert_eq!(lines[0]["event"], "SessionStart");
}

#[test]
fn an_unknown_event_is_journaled_by_its_name() {
    let sandbox = Sandbox::new();
    sandbox
        .hook(&event("QuantumLeap", ID, json!({"reason": "why not"})))
        .silent();
    assert_eq!(sandbox.journal(ID)[0]["event"], "QuantumLeap");
}

#[test]
fn an_event_repeats_only_what_differs_from_the_record() {
    let sandbox = Sandbox::new();
    let at = |cwd: &str, transcript: &str| json!({"source": "startup", "cwd": cwd, "transcript_path": transcript});
    sandbox
        .hook(&event("SessionStart", ID, at("/a", "/t/1.jsonl")))
        .silent();
    sandbox
        .hook(&event("Stop", ID, at("/a", "/t/1.jsonl")))
        .silent();
    sandbox
        .hook(&event("Stop", ID, at("/a/b", "/t/2.jsonl")))
        .silent();
    let journal = sandbox.journal(ID);
    assert_eq!(
        (journal[1].get("cwd"), journal[1].get("transcript_path")),
        (None, None)
    );
    assert_eq!(journal[2]["cwd"], "/a/b");
    assert_eq!(journal[2]["transcript_path"], "/t/2.jsonl");
}

#[test]
fn capture_decides_about_labels() {
    let sandbox = Sandbox::new();
    let call = event(
        "PreToolUse",
        ID,
        json!({"tool_name": "Bash", "tool_input": {"command": "x", "description": "List files"}}),
    );
    sandbox.hook(&call).silent();
    sandbox
        .hook(&call)
        .env("CCSESSION_CAPTURE", "metadata")
        .silent();
    let journal = sandbox.journal(ID);
    assert_eq!(journal[0]["what"], "List files");
    assert_eq!(journal[1].get("what"), None);
    assert!(!journal[0].to_string().contains("command"));
}

#[test]
fn an_unreadable_capture_level_counts_as_the_lowest() {
    let config = |text: &'static str| move |path: &Path| fs::write(path, text).unwrap();
    type Arrange = Box<dyn Fn(&Path)>;
    let least: [(&str, Arrange); 8] = [
        ("no TOML", Box::new(config("ttl = 24h\n"))),
        (
            "another line is no TOML",
            Box::new(config("capture = \"full\"\nttl = 24h\n")),
        ),
        ("no level", Box::new(config("capture = \"meta\"\n"))),
        ("no text", Box::new(config("capture = 1\n"))),
        (
            "a table",
            Box::new(config("[capture]\nlevel = \"metadata\"\n")),
        ),
        (
            "no UTF-8",
            Box::new(|path| fs::write(path, [0xff; 9]).unwrap()),
        ),
        ("a folder", Box::new(|path| fs::create_dir(path).unwrap())),
        (
            "a link to nothing",
            Box::new(|path| symlink("nowhere", path).unwrap()),
        ),
    ];
    let start = event(
        "SessionStart",
        ID,
        json!({"source": "startup", "session_title": "About a secret"}),
    );
    let call = event(
        "PreToolUse",
        ID,
        json!({"tool_name": "Bash", "tool_input": {"command": "x", "description": "List files"}}),
    );
    let recorded = |arrange: &dyn Fn(&Path), variables: &[(&str, &str)]| {
        let sandbox = Sandbox::just_swept();
        let path = sandbox.path("config.toml");
        arrange(&path);
        for payload in [&start, &call] {
            let mut run = sandbox.hook(payload).env("CCSESSION_CONFIG", &path);
            for (name, value) in variables {
                run = run.env(name, value);
            }
            run.silent();
        }
        let labels = [
            sandbox.record(ID)["name"].clone(),
            sandbox.journal(ID)[1]["what"].clone(),
        ];
        (labels, sandbox)
    };
    for (what, arrange) in &least {
        let (labels, sandbox) = recorded(arrange, &[]);
        assert_eq!(labels, [json!(null), json!(null)], "{what}");
        assert_eq!(
            json_lines(&sandbox.state().join("hook-errors.jsonl")).len(),
            2,
            "{what}"
        );
        let path = sandbox.path("config.toml");
        let config = sandbox
            .ccsession(["config"])
            .env("CCSESSION_CONFIG", &path)
            .output();
        let shown = String::from_utf8(config.stdout).unwrap();
        let row = shown.lines().find(|line| line.starts_with("capture "));
        let row: Vec<&str> = row.unwrap().split_whitespace().collect();
        assert_eq!(
            row,
            ["capture", "metadata", "bad", "configuration"],
            "{shown}"
        );
        // A variable wins over any file.
        let (labels, _) = recorded(arrange, &[("CCSESSION_CAPTURE", "summary")]);
        assert_eq!(
            labels,
            [json!("About a secret"), json!("List files")],
            "{what}"
        );
    }
    let good = config("capture = \"full\"\n");
    let bad: [&[(&str, &str)]; 2] = [
        &[("CCSESSION_CAPTURE", "none")],
        &[("CCSESSION_CONFIG", "config.toml")],
    ];
    for variables in bad {
        let (labels, _) = recorded(&good, variables);
        assert_eq!(labels, [json!(null), json!(null)], "{variables:?}");
    }
    // A key of another version's, and any other bad value, say nothing about it.
    let (labels, _) = recorded(&config("ttl = \"soon\"\ncolour = \"blue\"\n"), &[]);
    assert_eq!(labels, [json!("About a secret"), json!("List files")]);
}

#[test]
fn errors_are_printed_when_debugging_and_logged_otherwise() {
    let sandbox = Sandbox::new();
    let start = event("SessionStart", ID, json!({"source": "startup"}));
    let broken = |sandbox: &Sandbox| sandbox.hook(&start).env("CCSESSION_TTL", "soon");
    broken(&sandbox).silent();
    let errors = json_lines(&sandbox.state().join("hook-errors.jsonl"));
    assert_eq!(errors.len(), 1);
    assert!(
        errors[0]["what"]
            .as_str()
            .unwrap()
            .contains("`soon` is not a duration")
    );
    let output = broken(&sandbox).env("HOOK_DEBUG", "true").output();
    assert_eq!((output.status.code(), output.stdout.len()), (Some(0), 0));
    assert!(crate::support::text(&output.stderr).contains("could not use ttl from $CCSESSION_TTL"));
    assert_eq!(
        json_lines(&sandbox.state().join("hook-errors.jsonl")).len(),
        1
    );
}

#[test]
fn an_owner_that_cannot_be_seen_from_here_is_not_dead() {
    let sandbox = Sandbox::just_swept();
    let start = event("SessionStart", ID, json!({"source": "startup"}));
    sandbox.hook(&start).env("CLAUDE_PID", as_client()).silent();
    let owners = sandbox.session(ID).join("owners");
    let own = fs::read_dir(&owners).unwrap().next().unwrap().unwrap();
    let mut other: Value = serde_json::from_slice(&fs::read(own.path()).unwrap()).unwrap();
    other["pidns"] = 1.into();
    crate::support::files::write_private(&owners.join("1-1"), &other.to_string());

    let end = event("SessionEnd", ID, json!({"reason": "other"}));
    sandbox.hook(&end).env("CLAUDE_PID", as_client()).silent();
    let state = || sandbox.ccsession(["show", ID, "--json"]).json()["state"].clone();
    assert_eq!(state(), "active");
    assert!(sandbox.pointer("shop").exists());
    assert_eq!(sandbox.ccsession(["current"]).stdout().trim_end(), ID);

    fs::remove_file(owners.join("1-1")).unwrap();
    assert_eq!(state(), "ended");
    assert_eq!(
        sandbox.ccsession(["current"]).stdout().trim_end(),
        "unknown"
    );
}

/// A start asks which client it is, whose process tree that is in, and who is gone. It looks once for all three.
#[test]
fn a_start_reads_each_process_and_the_process_index_once() {
    if !crate::support::tracing::can_inject() {
        return;
    }
    let sandbox = Sandbox::just_swept();
    let outer = "11111111-1111-4111-8111-111111111111";
    let start = |id: &str| event("SessionStart", id, json!({"source": "startup"}));
    // Another session is on record, so that the processes above the client are looked at, too.
    let first = sandbox.hook(&start(outer)).env("CLAUDE_PID", "1");
    first.silent();
    let trace = sandbox.path("trace");
    let mut run = sandbox.run("strace").env("CLAUDE_PID", as_client());
    run.command
        .args(["-f", "-qq", "-s", "300", "-e", "trace=open,openat", "-o"])
        .arg(&trace)
        .arg(crate::support::SESSION_START);
    run.stdin(start(ID).to_string()).silent();
    let mut opened: BTreeMap<String, usize> = BTreeMap::new();
    for line in fs::read_to_string(trace).unwrap().lines() {
        if let Some(path) = line.split('"').nth(1) {
            *opened.entry(path.to_owned()).or_default() += 1;
        }
    }
    let of_client = format!("/proc/{}/stat", std::process::id());
    assert_eq!(opened.get(&of_client), Some(&1), "{opened:?}");
    let list = sandbox.state().join("procs").display().to_string();
    assert_eq!(opened.get(&list), Some(&1), "{opened:?}");
    let is_twice = |(path, times): &(&String, &usize)| {
        let is_looked_at = path.starts_with("/proc/") || path.ends_with(".git/HEAD");
        (is_looked_at || path.ends_with("log.jsonl")) && **times > 1
    };
    assert_eq!(opened.iter().find(is_twice), None);
}
