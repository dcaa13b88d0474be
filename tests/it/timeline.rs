//! `ccsession timeline`, as people and programs read it.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};

use serde_json::{Value, json};
use unicode_width::UnicodeWidthStr;

use crate::support::recordings::play;
use crate::support::transcripts::copy_tree;
use crate::support::{ID, Sandbox, data, text};

/// A session with this journal, ended; each event at so many milliseconds after 14:00 UTC.
fn session(sandbox: &Sandbox, id: &str, events: &[(i64, &str, Value)]) {
    let mut journal = String::new();
    for (at, event, more) in events {
        let ts = chrono::DateTime::from_timestamp_millis(1_795_183_200_000 + at).unwrap();
        let mut line = json!({
            "v": 1, "ts": ts.to_rfc3339_opts(chrono::SecondsFormat::Micros, true), "mono": 1_000_000_000 + at * 1000,
            "event": event, "session_id": id, "pid": 7,
        });
        line.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        writeln!(journal, "\n{line}").unwrap();
    }
    raw(sandbox, id, &journal);
}

/// A session with this text for a journal.
fn raw(sandbox: &Sandbox, id: &str, journal: &str) {
    let dir = sandbox.session(id);
    let mut builder = fs::DirBuilder::new();
    builder.mode(0o700).recursive(true).create(&dir).unwrap();
    let record = json!({
        "v": 1, "session_id": id, "project": {"name": "shop", "root": "/home/dev/shop"}, "cwd": null, "transcript_path": null, "source": "startup",
        "model": null, "agent_type": null, "head": null, "started_at": "2026-11-20T14:00:00.000000Z", "ended_at": null, "end_reason": null,
        "outcome": null, "exit_status": null, "previous": null, "parent": null, "name": null, "role": null, "focus": null, "notes": null,
        "description": null, "machine": null, "archive": null,
    });
    for (name, content) in [
        ("session.json", record.to_string()),
        ("events.jsonl", journal.to_owned()),
    ] {
        let path = dir.join(name);
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        // Nothing happened for long: a session of which no process is known is abandoned then.
        let long_ago =
            std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_700_000_000);
        fs::File::open(&path)
            .unwrap()
            .set_modified(long_ago)
            .unwrap();
    }
}

fn call(id: &str, tool: &str, what: &str) -> Value {
    json!({"tool": tool, "tool_use_id": id, "what": what})
}

fn with(mut value: Value, more: Value) -> Value {
    value
        .as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    value
}

/// A session with a little of everything.
fn varied(sandbox: &Sandbox) {
    let sub = json!({"agent_id": "a1", "agent_type": "explorer"});
    session(
        sandbox,
        ID,
        &[
            (0, "SessionStart", json!({"source": "startup"})),
            (1000, "UserPromptSubmit", json!({"prompt_id": "p1"})),
            (2000, "PreToolUse", call("t1", "Bash", "Run the tests")),
            (2500, "PermissionRequest", json!({"tool": "Bash"})),
            (
                9000,
                "PostToolUseFailure",
                with(
                    call("t1", "Bash", "Run the tests"),
                    json!({"error": "exit:101", "duration_ms": 3000}),
                ),
            ),
            (10_000, "PreToolUse", call("t2", "Agent", "Look around")),
            (10_100, "SubagentStart", sub.clone()),
            (
                10_200,
                "PreToolUse",
                with(
                    call("t3", "Read", "/home/dev/shop/src/checkout.rs"),
                    sub.clone(),
                ),
            ),
            (
                10_300,
                "PostToolUse",
                with(
                    call("t3", "Read", ""),
                    with(sub.clone(), json!({"duration_ms": 80})),
                ),
            ),
            (12_000, "SubagentStop", sub),
            (
                12_100,
                "PostToolUse",
                with(
                    call("t2", "Agent", ""),
                    json!({"duration_ms": 2050, "spawned_agent": "a1"}),
                ),
            ),
            (13_000, "PreToolUse", call("t4", "Bash", "Serve")),
            (
                13_050,
                "PostToolUse",
                with(
                    call("t4", "Bash", ""),
                    json!({"duration_ms": 20, "background": "b1"}),
                ),
            ),
            (14_000, "Stop", json!({"prompt_id": "p1"})),
            (
                15_000,
                "UserPromptSubmit",
                json!({"prompt_id": "p2", "source": "task-notification", "task_id": "b1"}),
            ),
            (15_500, "Stop", json!({"prompt_id": "p2"})),
            (60_000, "PreCompact", json!({"trigger": "auto"})),
            (72_000, "PostCompact", json!({"trigger": "auto"})),
            (3_600_000, "UserPromptSubmit", json!({"prompt_id": "p3"})),
            (3_601_000, "PreToolUse", call("t5", "WebFetch", "docs.rs")),
            (
                3_640_000,
                "SessionEnd",
                json!({"reason": "prompt_input_exit"}),
            ),
        ],
    );
}

#[track_caller]
fn check(sandbox: &Sandbox, arguments: &[&str], columns: &str, expected: &str) {
    let run = sandbox.ccsession([&["timeline", ID][..], arguments].concat());
    let printed = run.env("TZ", "UTC").env("COLUMNS", columns).stdout();
    assert_eq!(printed, expected, "{printed}");
}

const EIGHTY: &str = "\
5b48472b-1111-4222-8333-444455556666  shop  ended
2026-11-20 14:00:00, 1h 00m
2 prompts, 5 calls (1 failed, 1 abandoned, 1 backgrounded), 1 subagent

14:00:01  prompt 1: 13.00s, 4 calls
14:00:02   ░░░░░████          3.00s  failed      Bash      exit:101 · Run the t…
14:00:10             ███      2.05s  ok          Agent     Look around
14:00:10             █         80ms  ok          └ Read    /home/dev/shop/src/c…
14:00:13                █┄     20ms  background  Bash      Serve

14:00:15  notice of b1: 500ms
14:01:00                     12.00s  context compacted (auto)

15:00:00  prompt 2: interrupted, at the latest after 40.00s, 1 call
15:00:01  ████████████████           abandoned   WebFetch  docs.rs
";

#[test]
fn a_timeline_fits_eighty_columns() {
    let sandbox = Sandbox::new();
    varied(&sandbox);
    check(&sandbox, &[], "80", EIGHTY);
}

const WIDE: &str = "\
5b48472b-1111-4222-8333-444455556666  shop  ended
2026-11-20 14:00:00, 1h 00m
2 prompts, 5 calls (1 failed, 1 abandoned, 1 backgrounded), 1 subagent

14:00:01  prompt 1: 13.00s, 4 calls
\u{1b}[31m14:00:02    ░░░░░░░░░░████████                3.00s  failed      Bash      exit:101 · Run the tests · asked for permission, 3.50s\u{1b}[0m
14:00:10                        ██████        2.05s  ok          Agent     Look around
14:00:10                        █              80ms  ok          └ Read    /home/dev/shop/src/checkout.rs
\u{1b}[34m14:00:13                               █┄┄     20ms  background  Bash      Serve\u{1b}[0m

14:00:15  notice of b1: 500ms
14:01:00                                     12.00s  context compacted (auto)

15:00:00  prompt 2: interrupted, at the latest after 40.00s, 1 call
\u{1b}[35m15:00:01  ████████████████████████████████           abandoned   WebFetch  docs.rs\u{1b}[0m
";

#[test]
fn a_wide_terminal_has_longer_bars_and_colour_is_asked_for() {
    let sandbox = Sandbox::new();
    varied(&sandbox);
    check(&sandbox, &["--color", "always"], "200", WIDE);
    let plain = WIDE
        .replace("\u{1b}[31m", "")
        .replace("\u{1b}[34m", "")
        .replace("\u{1b}[35m", "")
        .replace("\u{1b}[0m", "");
    check(&sandbox, &[], "200", &plain);
    check(&sandbox, &["--color", "never"], "200", &plain);
}

/// The tools of the calls that these arguments show.
fn shown(sandbox: &Sandbox, arguments: &[&str]) -> Vec<String> {
    let run = sandbox.ccsession([&["timeline", ID, "--jsonl"][..], arguments].concat());
    let lines = run.stdout();
    let tool = |line: &str| {
        serde_json::from_str::<Value>(line).unwrap()["tool"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    lines.lines().map(tool).collect()
}

#[test]
fn a_tool_and_a_subagent_that_are_not_there_are_named_with_those_that_are() {
    let sandbox = Sandbox::new();
    varied(&sandbox);
    let said = |words: &[&str]| {
        let run = sandbox.ccsession([&["timeline", ID], words].concat());
        let output = run.output();
        assert_eq!(output.status.code(), Some(0));
        text(&output.stderr)
    };
    let tools = "there are `Agent`, `Bash`, `Read`, `WebFetch`\n";
    let no = |tool: &str| format!("ccsession: no tool `{tool}` in this session; {tools}");
    assert_eq!(said(&["--tool", "Bsh"]), no("Bsh"));
    assert_eq!(
        said(&["--tool", "bash", "--tool", "x\u{1b}", "--json"]),
        no("x")
    );
    assert_eq!(
        said(&["--agent", "foo", "--jsonl"]),
        "ccsession: no subagent `foo` in this session; there are `main`, `explorer`\n"
    );
    for there in ["main", "a1", "explorer"] {
        assert_eq!(said(&["--agent", there]), "");
    }
}

#[test]
fn calls_are_chosen_by_time_tool_outcome_and_subagent() {
    let sandbox = Sandbox::new();
    varied(&sandbox);
    assert_eq!(
        shown(&sandbox, &[]),
        ["Bash", "Agent", "Read", "Bash", "WebFetch"]
    );
    assert_eq!(shown(&sandbox, &["--failed"]), ["Bash", "WebFetch"]);
    for (options, said) in [
        (
            &["--failed", "--since", "2026-11-30"][..],
            "no call matches",
        ),
        (&["--until", "2026-11-01"], "no call matches"),
        (&["--slowest", "1"], ""),
    ] {
        let text = sandbox.ccsession([&["timeline", ID], options].concat());
        let text = text.stdout();
        assert_eq!(
            text.ends_with("\n\nno call matches\n"),
            !said.is_empty(),
            "{text}"
        );
    }
    let calm = "5f2a0000-1111-4222-8333-444455556666";
    let events = [
        (0, "PreToolUse", call("t1", "Bash", "ls")),
        (9, "PostToolUse", call("t1", "Bash", "ls")),
    ];
    session(&sandbox, calm, &events);
    let text = sandbox.ccsession(["timeline", calm, "--failed"]).stdout();
    assert!(text.ends_with("\n\nnothing failed\n"), "{text}");
    // The log of operations has nothing of this session.
    let text = sandbox.ccsession(["show", calm]).stdout();
    assert!(text.ends_with("PreToolUse   1\n"), "{text}");
    assert_eq!(
        shown(&sandbox, &["--tool", "read", "--tool", "Agent"]),
        ["Agent", "Read"]
    );
    assert_eq!(shown(&sandbox, &["--slowest", "1"]), ["Bash"]);
    assert_eq!(shown(&sandbox, &["--slowest", "2"]), ["Bash", "Agent"]);
    let slowest_read = ["--tool", "Read", "--slowest", "1"];
    assert_eq!(shown(&sandbox, &slowest_read), ["Read"]);
    assert_eq!(shown(&sandbox, &["--agent", "explorer"]), ["Read"]);
    assert_eq!(shown(&sandbox, &["--agent", "a1", "--failed"]), [""; 0]);
    assert_eq!(
        shown(&sandbox, &["--agent", "main", "--tool", "Bash"]),
        ["Bash", "Bash"]
    );
    assert_eq!(
        shown(&sandbox, &["--since", "2026-11-20T14:30:00Z"]),
        ["WebFetch"]
    );
    let only = "14:00:10  └ Read";
    let printed = sandbox
        .ccsession(["timeline", ID, "--tool", "Read"])
        .env("TZ", "UTC")
        .stdout();
    assert!(
        !printed.contains("prompt 2") && printed.contains("└ Read"),
        "{only}: {printed}"
    );
}

#[test]
fn json_has_every_call_with_its_times() {
    let sandbox = Sandbox::new();
    varied(&sandbox);
    let view = sandbox.ccsession(["timeline", ID, "--json"]).json();
    assert_eq!(
        view["calls"][0],
        json!({
            "tool_use_id": "t1", "tool": "Bash", "what": "Run the tests", "state": "failed", "error": "exit:101",
            "started_at": "2026-11-20T14:00:02.000000Z", "ended_at": "2026-11-20T14:00:09.000000Z",
            "duration_ms": 3000, "elapsed_ms": 7000, "wait_ms": 500, "permission_ms": 3500, "closed": "by_itself", "agent_id": null,
            "prompt_id": null, "pid": 7, "input_bytes": null, "output_bytes": null, "background": null, "background_ended_at": null,
            "spawned_agent": null,
        })
    );
    assert_eq!(
        view["calls"][3]["background_ended_at"],
        "2026-11-20T14:00:15.000000Z"
    );
    assert_eq!(
        (
            &view["v"],
            &view["session_id"],
            &view["state"],
            &view["events"]
        ),
        (&json!(1), &json!(ID), &json!("ended"), &json!(21))
    );
    assert_eq!(view["agents"][0]["tool_use_id"], "t2");
    assert_eq!(view["prompts"][2]["end"], "interrupted");
}

#[test]
fn sessions_with_nothing_or_little_in_them_look_right() {
    let sandbox = Sandbox::new();
    raw(&sandbox, ID, "");
    check(
        &sandbox,
        &[],
        "80",
        &format!("{ID}  shop  abandoned\n0 prompts, 0 calls, 0 events\n"),
    );
    session(
        &sandbox,
        ID,
        &[(0, "SessionStart", json!({"source": "startup"}))],
    );
    let one = "2026-11-20 14:00:00, 0ms\n0 prompts, 0 calls, 1 event\n";
    check(
        &sandbox,
        &[],
        "80",
        &format!("{ID}  shop  abandoned\n{one}"),
    );
    session(
        &sandbox,
        ID,
        &[(0, "PreToolUse", call("t1", "Bash", "List"))],
    );
    let one = "2026-11-20 14:00:00, 0ms\n0 prompts, 1 call (1 abandoned)\n\n14:00:00  before the first prompt, 1 call\n\
        14:00:00  █                          abandoned   Bash  List\n";
    check(
        &sandbox,
        &[],
        "80",
        &format!("{ID}  shop  abandoned\n{one}"),
    );
}

/// A subagent that was started, stopped, and was taken up again; and one of which nobody knows who started it.
fn resumed(sandbox: &Sandbox) {
    let of =
        |agent: &str, more: Value| with(more, json!({"agent_id": agent, "agent_type": "explorer"}));
    session(
        sandbox,
        ID,
        &[
            (0, "SessionStart", json!({"source": "startup"})),
            (1000, "UserPromptSubmit", json!({"prompt_id": "p1"})),
            (2000, "PreToolUse", call("t1", "Agent", "Look")),
            (2100, "SubagentStart", of("a1", json!({}))),
            (2200, "PreToolUse", of("a1", call("t2", "Read", "one"))),
            (
                2300,
                "PostToolUse",
                of("a1", json!({"tool": "Read", "tool_use_id": "t2"})),
            ),
            (3000, "SubagentStop", of("a1", json!({}))),
            (
                3100,
                "PostToolUse",
                with(call("t1", "Agent", ""), json!({"spawned_agent": "a1"})),
            ),
            (4000, "Stop", json!({})),
            (86_400_000, "UserPromptSubmit", json!({"prompt_id": "p2"})),
            (86_401_000, "PreToolUse", call("t3", "Agent", "Look again")),
            (86_401_100, "SubagentStart", of("a1", json!({}))),
            (
                86_401_200,
                "PreToolUse",
                of("a1", call("t4", "Read", "two")),
            ),
            (
                86_401_300,
                "PostToolUseFailure",
                of(
                    "a1",
                    json!({"tool": "Read", "tool_use_id": "t4", "error": "other"}),
                ),
            ),
            (86_402_000, "SubagentStop", of("a1", json!({}))),
            (
                86_402_100,
                "PostToolUse",
                with(call("t3", "Agent", ""), json!({"spawned_agent": "a1"})),
            ),
            (86_402_200, "SubagentStart", of("b1", json!({}))),
            (
                86_402_300,
                "PreToolUse",
                of("b1", call("t5", "Grep", "three")),
            ),
            (
                86_402_400,
                "PostToolUse",
                of("b1", json!({"tool": "Grep", "tool_use_id": "t5"})),
            ),
            (86_402_500, "SubagentStop", of("b1", json!({}))),
            (122_400_000, "PreCompact", json!({"trigger": "auto"})),
            (122_401_000, "PostCompact", json!({"trigger": "auto"})),
            (122_402_000, "Stop", json!({})),
            (122_403_000, "SessionEnd", json!({"reason": "other"})),
        ],
    );
}

const RESUMED: &str = "\
5b48472b-1111-4222-8333-444455556666  shop  ended
2026-11-20 14:00:00, 1d 10h
2 prompts, 5 calls (1 failed), 2 subagents

14:00:01  prompt 1: 3.00s, 2 calls
14:00:02       ███████        1.10s  ok          Agent   Look · 2 calls, 1 fail…
14:00:02        █             100ms  ok          └ Read  one

2026-11-21 14:00:00  prompt 2: 10h 00m, 3 calls
14:00:01  █                   1.10s  ok          Agent   Look again
14:00:01  █                   100ms  failed      └ Read  other · two
14:00:02                      300ms  subagent explorer (b1)
14:00:02  █                   100ms  ok          └ Grep  three
2026-11-22
00:00:00                      1.00s  context compacted (auto)
";

#[test]
fn a_subagents_calls_are_below_the_call_that_resumed_it_and_a_new_day_is_named() {
    let sandbox = Sandbox::new();
    resumed(&sandbox);
    check(&sandbox, &[], "80", RESUMED);
    let view = sandbox.ccsession(["timeline", ID, "--json"]).json();
    let runs = &view["agents"][0]["runs"];
    assert_eq!(runs[0]["tool_use_id"], "t1");
    assert_eq!(
        (&runs[1]["tool_use_id"], &runs[1]["started_at"]),
        (&json!("t3"), &json!("2026-11-21T14:00:01.100000Z"))
    );
    assert_eq!(view["agents"].as_array().unwrap().len(), 2);
}

#[test]
fn a_filter_leaves_only_what_it_asks_for() {
    let sandbox = Sandbox::new();
    resumed(&sandbox);
    for (filter, rows) in [
        (
            &["--tool", "Agent"][..],
            &["Look · 2 calls, 1 failed", "Look again"][..],
        ),
        (&["--failed"], &["other · two"]),
        (
            &["--agent", "main"],
            &["Look · 2 calls, 1 failed", "Look again"],
        ),
        (&["--agent", "a1"], &["one", "other · two"]),
        (&["--agent", "b1"], &["subagent explorer (b1)", "three"]),
        (
            &["--since", "2026-11-22T00:00:00Z"],
            &["context compacted (auto)"],
        ),
    ] {
        let run = sandbox.ccsession([&["timeline", ID][..], filter].concat());
        let printed = run.env("TZ", "UTC").stdout();
        let is_row =
            |line: &&str| !line.is_empty() && !line.contains("prompt ") && !line.starts_with("20");
        let shown: Vec<&str> = printed.lines().skip(3).filter(is_row).collect();
        assert_eq!(shown.len(), rows.len(), "{filter:?}: {printed}");
        for (line, row) in shown.iter().zip(rows) {
            assert!(line.ends_with(row), "{filter:?}: {printed}");
        }
    }
}

#[test]
fn every_call_has_a_row_whatever_started_what() {
    let agent = |id: &str, by: &str| with(call(id, "Agent", id), json!({"agent_id": by}));
    let end =
        |id: &str, by: &str, spawned: &str| with(agent(id, by), json!({"spawned_agent": spawned}));
    let sandbox = Sandbox::new();
    // Two that started each other, one that started itself, and one far below.
    let mut events = vec![
        (0, "UserPromptSubmit", json!({})),
        (10, "PreToolUse", agent("c1", "x")),
        (20, "PreToolUse", agent("c2", "y")),
        (30, "PreToolUse", agent("c3", "z")),
        (40, "PostToolUse", end("c1", "x", "y")),
        (50, "PostToolUse", end("c2", "y", "x")),
        (60, "PostToolUse", end("c3", "z", "z")),
    ];
    let names: Vec<String> = (0..60).map(|deep| format!("deep-{deep}")).collect();
    for (deep, pair) in names.windows(2).enumerate() {
        let at = 100 + i64::try_from(deep).unwrap() * 10;
        let id = format!("d{deep}");
        events.push((at, "PreToolUse", agent(&id, &pair[0])));
        events.push((at + 5, "PostToolUse", end(&id, &pair[0], &pair[1])));
    }
    session(&sandbox, ID, &events);
    let lines = sandbox.ccsession(["timeline", ID, "--jsonl"]).stdout();
    assert_eq!(lines.lines().count(), 62, "{lines}");
    let printed = sandbox.ccsession(["timeline", ID]).stdout();
    assert!(
        printed.contains("subagent of unknown type (x)"),
        "{printed}"
    );
    assert!(!printed.contains("(y)"), "{printed}");
}

#[test]
fn lines_that_are_not_events_are_counted_and_the_rest_is_shown() {
    let sandbox = Sandbox::new();
    let good = r#"{"v":1,"ts":"2026-11-20T14:00:00.000000Z","event":"PreToolUse","session_id":"s","tool":"Bash","tool_use_id":"t1"}"#;
    let journal = format!(
        "\n{{\"v\":1,\"ts\":\n\n\0\0\0\0\n\n[1]\n\n{{\"v\":7,\"event\":{{}}}}\n\n{good}\n\n{{\"v\":1"
    );
    raw(&sandbox, ID, &journal);
    let output = sandbox.ccsession(["timeline", ID]).output();
    assert_eq!(output.status.code(), Some(0));
    assert!(text(&output.stdout).contains("1 call (1 abandoned)"));
    assert_eq!(
        text(&output.stderr),
        format!(
            "ccsession: left out 2 lines of session {ID}: torn\nccsession: left out 1 line of session {ID}: not an event\n\
             ccsession: left out 1 line of session {ID}: of a newer version\n"
        )
    );
    let view = sandbox.ccsession(["timeline", ID, "--json"]).json();
    assert_eq!(
        view["damage"],
        json!({"torn": 2, "foreign": 1, "newer": 1, "in_flight": 1})
    );
}

#[test]
fn text_of_strangers_never_moves_a_cursor_nor_breaks_a_row() {
    let hostile = [
        "\u{1b}[2J\u{1b}[H",
        "\u{9b}31m",
        "\u{202e}gnp.exe",
        "a\r\nb\u{2028}c",
        "\u{7}\u{8}\u{7f}",
        "日本語日本語日本語日本語日本語日本語",
        "\u{200b}\u{200d}\u{feff}",
        "e\u{301}\u{301}\u{301}",
        "👩‍👩‍👧‍👦👩‍👩‍👧‍👦",
    ];
    for text in hostile {
        let sandbox = Sandbox::new();
        let long = text.repeat(30);
        let sub = json!({"agent_id": long, "agent_type": long});
        session(
            &sandbox,
            ID,
            &[
                (0, "SessionStart", json!({"source": long})),
                (
                    1,
                    "UserPromptSubmit",
                    json!({"prompt_id": long, "source": "task-notification", "task_id": long}),
                ),
                (2, "PreToolUse", call(&long, &long, &long)),
                (
                    3,
                    "PostToolUseFailure",
                    with(call(&long, &long, &long), json!({"error": long})),
                ),
                (4, "PreToolUse", with(call("t2", &long, &long), sub.clone())),
                (5, "PreCompact", json!({"trigger": long})),
                (6, "SubagentStop", sub),
                (7, "StopFailure", json!({"error": long})),
                (8, "SessionStart", json!({"source": long, "pid": 8})),
            ],
        );
        for columns in [20, 40, 80, 200] {
            let printed = sandbox
                .ccsession(["timeline", ID])
                .env("COLUMNS", columns.to_string())
                .stdout();
            for line in printed.lines() {
                assert!(line.width() <= columns, "{columns}: {line:?}");
                assert!(
                    !line.chars().any(|c| c.is_control()
                        || ('\u{200b}'..='\u{200f}').contains(&c)
                        || ('\u{202a}'..='\u{202e}').contains(&c)
                        || c == '\u{feff}'),
                    "{line:?}"
                );
            }
            assert!(printed.lines().count() < 20, "{printed}");
        }
        sandbox.ccsession(["timeline", ID, "--json"]).json();
    }
}

#[test]
fn which_session_is_meant() {
    let sandbox = Sandbox::new();
    let none = sandbox.ccsession(["timeline"]).refused(3);
    assert_eq!(
        none,
        "ccsession: could not find a session of this project: start `claude`; if nothing is recorded then, `ccsession doctor` says why"
    );
    session(&sandbox, "abc-1", &[]);
    session(&sandbox, "abc-2", &[]);
    assert!(
        sandbox
            .ccsession(["timeline", "nope"])
            .refused(3)
            .contains("could not find session `nope`")
    );
    assert!(
        sandbox
            .ccsession(["timeline", "abc"])
            .refused_to_choose()
            .1
            .contains("`abc` matches 2")
    );
    assert!(
        sandbox
            .ccsession(["timeline", "../x"])
            .refused(64)
            .contains("neither a session id")
    );
    assert!(
        sandbox
            .ccsession(["timeline", "abc-1", "--since", "soon"])
            .refused(64)
            .contains("--since `soon`")
    );
    let own = sandbox
        .ccsession(["timeline"])
        .env("CLAUDE_CODE_SESSION_ID", "abc-2")
        .stdout();
    assert!(own.starts_with("abc-2  shop"), "{own}");
}

/// A subagent's sums are those of its own calls and tokens, and of all subagents below it.
#[test]
fn a_subagent_has_the_sums_of_all_that_is_below_it() {
    let sandbox = play("c");
    let projects = sandbox.home().join(".claude/projects");
    copy_tree(&data("transcripts/c"), &projects);
    sandbox.ccsession(["import"]).stdout();
    let list = sandbox.ccsession(["list", "--all", "--json"]).json();
    let id = list["sessions"][0]["session_id"].as_str().unwrap();
    let timeline = sandbox.ccsession(["timeline", id, "--json"]).json();
    let agents = timeline["agents"].as_array().unwrap();
    assert!(agents.iter().any(|agent| agent["parent"].is_string()));
    let stats = sandbox.ccsession(["stats", id, "--json"]).json();
    let tokens = |agent: &str| -> u64 {
        let used = stats["tokens"].as_array().unwrap().iter();
        let used = used.filter(|used| used["agent_id"] == agent);
        let kinds = ["input", "output", "cache_read", "cache_creation"];
        used.map(|used| {
            kinds
                .iter()
                .map(|kind| used[kind].as_u64().unwrap())
                .sum::<u64>()
        })
        .sum()
    };
    let is_below = |agent: &str, above: &str| {
        let mut at = Some(agent);
        while let Some(agent) = at {
            if agent == above {
                return true;
            }
            let found = agents.iter().find(|it| it["agent_id"] == agent).unwrap();
            at = found["parent"].as_str();
        }
        false
    };
    for agent in agents {
        let above = agent["agent_id"].as_str().unwrap();
        let below = agents.iter().map(|it| it["agent_id"].as_str().unwrap());
        let below: Vec<&str> = below.filter(|agent| is_below(agent, above)).collect();
        let calls = timeline["calls"].as_array().unwrap().iter();
        let calls: Vec<&Value> = calls
            .filter(|call| {
                call["agent_id"]
                    .as_str()
                    .is_some_and(|it| below.contains(&it))
            })
            .collect();
        let failed = calls
            .iter()
            .filter(|call| call["state"] == "failed")
            .count();
        let sums = &agent["subtree"];
        assert_eq!(sums["agents"], below.len() - 1, "{agent}");
        assert_eq!(sums["calls"], calls.len(), "{agent}");
        assert_eq!(sums["failed"], failed, "{agent}");
        assert_eq!(
            sums["tokens"],
            below.iter().map(|it| tokens(it)).sum::<u64>(),
            "{agent}"
        );
        assert!(sums["tokens"].as_u64().unwrap() > 0);
    }
    let text = sandbox.ccsession(["timeline", id]).stdout();
    assert!(
        text.contains("fg helper · 4 calls, 1 failed, 6300 tokens\n"),
        "{text}"
    );
}
