//! `ccsession export`: the tables and the trace say what `timeline` and `stats` say.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};

use serde_json::{Value, json};

use crate::support::pointers::put;
use crate::support::recordings::{play, recordings};
use crate::support::transcripts::{copy_tree, put_lines};
use crate::support::{ID, Sandbox, data, event, text};

/// A recording with subagents, failures and a call that was left in the background.
const RUN_C: &str = "65dd02b6-7134-4576-a982-e8658c4175aa";
const OTHER_ID: &str = "5b484999-1111-4222-8333-444455556666";

impl Sandbox {
    /// What `export --all` prints.
    #[track_caller]
    fn exported(&self, arguments: &[&str]) -> String {
        let run = self.ccsession(["export", "--all"]);
        arguments.iter().fold(run, |run, it| run.arg(it)).stdout()
    }

    /// The lines of a table as objects.
    #[track_caller]
    fn rows(&self, arguments: &[&str]) -> Vec<Value> {
        let text = self.exported(&[&["--format", "jsonl"], arguments].concat());
        let lines = text.lines();
        lines.map(|it| serde_json::from_str(it).unwrap()).collect()
    }

    fn ids(&self) -> Vec<String> {
        let listed = self.ccsession(["list", "--all", "--json"]).json();
        let sessions = listed["sessions"].as_array().unwrap().iter();
        let ids = sessions.map(|it| it["session_id"].as_str().unwrap().to_owned());
        ids.collect()
    }

    fn timeline_of(&self, id: &str) -> Value {
        self.ccsession(["timeline", id, "--json"]).json()
    }
}

#[test]
fn leftovers_of_a_killed_export_are_removed_by_the_next() {
    const MINUTE: i64 = 60;
    let sandbox = Sandbox::new();
    sandbox
        .hook(&event("SessionStart", ID, json!({"source": "startup"})))
        .silent();
    let table = ["export", "--all", "--format", "csv", "--output"];
    let lines = ["export", "--all", "--format", "otlp-jsonl", "--state"];
    for (name, arguments) in [("tables", table), ("exports", lines)] {
        let dir = sandbox.path(name);
        fs::create_dir(&dir).unwrap();
        let old = dir.join(".ccsession-tmp-0123456789abcdef");
        let young = dir.join(".ccsession-tmp-fedcba9876543210");
        let other = dir.join(".else");
        put(&old, "", 11 * MINUTE);
        put(&young, "", 9 * MINUTE);
        put(&other, "", 11 * MINUTE);
        sandbox.ccsession(arguments).arg(dir.join("file")).stdout();
        assert!(dir.join("file").exists(), "{name}");
        assert!(!old.exists() && young.exists() && other.exists(), "{name}");
    }
}

/// A time as the tables have it: `2026-11-20T14:27:52.467733Z` with milliseconds.
fn millis(time: &Value) -> Value {
    let short = |time: &str| format!("{}Z", &time[..time.len() - 4]);
    time.as_str().map_or(Value::Null, |it| short(it).into())
}

/// The rows of a CSV by the names in its first line, read as RFC 4180 says.
fn csv(text: &str) -> Vec<HashMap<String, String>> {
    let mut rows = vec![vec![String::new()]];
    let mut is_quoted = false;
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        let row = rows.last_mut().unwrap();
        match c {
            '"' if is_quoted && characters.peek() == Some(&'"') => {
                characters.next();
                row.last_mut().unwrap().push('"');
            }
            '"' => is_quoted = !is_quoted,
            ',' if !is_quoted => row.push(String::new()),
            '\n' if !is_quoted => rows.push(vec![String::new()]),
            c => row.last_mut().unwrap().push(c),
        }
    }
    assert_eq!(rows.pop(), Some(vec![String::new()]), "no line is cut");
    let names = rows.remove(0);
    let row = |cells: Vec<String>| {
        assert_eq!(cells.len(), names.len(), "{cells:?}");
        names.iter().cloned().zip(cells).collect()
    };
    rows.into_iter().map(row).collect()
}

/// The objects among which order does not matter.
fn sorted(mut values: Vec<Value>) -> Vec<Value> {
    values.sort_by_key(ToString::to_string);
    values
}

#[test]
fn the_calls_and_prompts_of_each_recording_are_those_of_timeline() {
    let mut seen = 0;
    for name in recordings() {
        let sandbox = play(&name);
        for (table, times) in [
            ("calls", ["started_at", "ended_at", "background_ended_at"]),
            ("prompts", ["at", "ended_at", "at"]),
        ] {
            let rows = sandbox.rows(&["--table", table]);
            let mut expected = Vec::new();
            for id in sandbox.ids() {
                let timeline = sandbox.timeline_of(&id);
                for call in timeline[table].as_array().unwrap() {
                    let mut call = call.clone();
                    for time in times.iter().take(if table == "calls" { 3 } else { 2 }) {
                        call[*time] = millis(&call[*time]);
                    }
                    call["session_id"] = id.clone().into();
                    call["project"] = timeline["project"]["name"].clone();
                    call["root"] = timeline["project"]["root"].clone();
                    call["title"] = timeline["title"]["text"].clone();
                    expected.push(call);
                }
            }
            let strange = |row: &Value| {
                let mut row = row.clone();
                let members = row.as_object_mut().unwrap();
                assert!(members.remove("machine").unwrap().is_string());
                members.remove("machine_id").unwrap();
                members.remove("user_name").unwrap();
                let branch = members.remove("branch").unwrap();
                if table == "prompts" {
                    members.insert("branch".to_owned(), branch);
                }
                if table == "calls" {
                    members.remove("agent_type").unwrap();
                    assert_eq!(members.remove("origin").unwrap(), "hook");
                }
                row
            };
            seen += rows.len();
            let rows = rows.iter().map(strange).collect();
            assert_eq!(sorted(rows), sorted(expected), "{name}: {table}");
        }
    }
    assert!(seen > 120, "{seen}");
}

#[test]
fn the_sums_of_each_recording_are_those_of_stats() {
    for name in recordings() {
        let sandbox = play(&name);
        let rows = sandbox.rows(&["--table", "sessions"]);
        let calls = sandbox.rows(&[]);
        let stats = sandbox.ccsession(["stats", "--all", "--json"]).json();
        assert_eq!(rows.len() as u64, stats["sessions"], "{name}");
        let sum =
            |column: &str| -> u64 { rows.iter().map(|it| it[column].as_u64().unwrap()).sum() };
        for (column, member) in [
            ("events", "events"),
            ("prompts", "prompts"),
            ("agents", "agents"),
            ("compactions", "compactions"),
            ("duplicates", "duplicates"),
            ("calls", "calls"),
            ("failed", "failed"),
            ("abandoned", "abandoned"),
            ("running", "open"),
            ("total_ms", "total_ms"),
            ("wait_ms", "wait_ms"),
            ("permission_ms", "permission_ms"),
        ] {
            assert_eq!(sum(column), stats[member], "{name}: {column}");
        }
        for row in &rows {
            let of_session = calls
                .iter()
                .filter(|it| it["session_id"] == row["session_id"]);
            assert_eq!(of_session.count() as u64, row["calls"], "{name}");
        }
    }
}

#[test]
fn the_tokens_are_those_of_stats() {
    let sandbox = play("c");
    let projects = sandbox.home().join(".claude/projects");
    fs::create_dir_all(&projects).unwrap();
    copy_tree(&data("transcripts/c"), &projects);
    let stats = sandbox.ccsession(["stats", RUN_C, "--json"]).json();
    let printed = sandbox.ccsession(["export", RUN_C, "--format", "jsonl", "--table", "tokens"]);
    let rows: Vec<Value> = printed
        .stdout()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let known = stats["tokens"].as_array().unwrap();
    // The recording is of one day.
    assert_eq!((rows.len(), known.len() > 2), (known.len(), true));
    for (row, known) in rows.iter().zip(known) {
        assert!(row["day"].as_str().unwrap().starts_with("2026-"), "{row}");
        for (name, value) in known.as_object().unwrap() {
            assert_eq!(&row[name], value, "{name}");
        }
    }
    let sessions = sandbox.rows(&["--table", "sessions"]);
    let sum = |of: &str| -> u64 { known.iter().map(|it| it[of].as_u64().unwrap()).sum() };
    for column in [
        "messages",
        "input",
        "output",
        "cache_read",
        "cache_creation",
    ] {
        assert_eq!(sessions[0][column], sum(column), "{column}");
    }
    assert_eq!(sessions[0]["cost_usd"], stats["cost_usd"]);
    assert_eq!(
        sandbox.rows(&["--table", "tokens"]),
        rows,
        "of all, the same"
    );
}

#[test]
fn csv_and_jsonl_say_the_same() {
    let sandbox = play("c");
    sandbox.session_with(ID, "shop", &varied());
    for table in ["calls", "sessions", "prompts", "tokens", "commits"] {
        let lines = sandbox.rows(&["--table", table]);
        let rows = csv(&sandbox.exported(&["--format", "csv", "--table", table]));
        assert_eq!(rows.len(), lines.len(), "{table}");
        for (row, line) in rows.iter().zip(&lines) {
            let members = line.as_object().unwrap();
            assert_eq!(row.len(), members.len(), "{table}");
            for (name, value) in members {
                let cell = match value {
                    Value::Null => String::new(),
                    Value::String(text) => text.clone(),
                    other => other.to_string(),
                };
                assert_eq!(row[name], cell, "{table}: {name}");
            }
        }
    }
}

#[test]
fn a_commit_is_in_the_row_of_the_call_that_may_have_made_it() {
    let sandbox = Sandbox::new();
    sandbox.session_with(ID, "shop", &varied());
    let rows = sandbox.rows(&["--table", "commits"]);
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0]["commit_id"], "1a2b3c4d".repeat(5));
    assert_eq!(rows[0]["at"], "2026-11-20T14:00:02.000Z");
    assert_eq!(
        (&rows[0]["how"], &rows[0]["replaces"]),
        (&json!("commit"), &Value::Null)
    );
    assert_eq!(
        (&rows[0]["tool_use_id"], &rows[0]["prompt_id"]),
        (&json!("t1"), &Value::Null)
    );
    assert_eq!(rows[0]["evidence"], "ran");
    let later = ["--table", "commits", "--since", "2026-11-20T14:00:03Z"];
    assert_eq!(sandbox.rows(&later), Vec::<Value>::new());
}

#[test]
fn a_call_that_only_an_import_knows_says_so() {
    let sandbox = Sandbox::new();
    let hooks = [
        at(0, "SessionStart", json!({})),
        at(100, "PreToolUse", call("t1", "Bash")),
        at(200, "PreToolUse", call("t2", "Bash")),
        at(300, "PostToolUse", call("t2", "Bash")),
    ];
    sandbox.session_with(ID, "shop", &hooks);
    let imported = [
        at(250, "PostToolUse", call("t1", "Bash")),
        at(400, "PreToolUse", call("t3", "Bash")),
        at(500, "PostToolUse", call("t3", "Bash")),
    ];
    let imported = imported.map(|mut line| {
        let members = line.as_object_mut().unwrap();
        members.remove("pid");
        members.insert("origin".to_owned(), "transcript".into());
        format!("{line}\n")
    });
    let file = sandbox.session(ID).join("transcript.jsonl");
    fs::write(&file, imported.concat()).unwrap();
    fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
    let rows = sandbox.rows(&[]);
    let origins: Vec<(&Value, &Value)> = rows
        .iter()
        .map(|it| (&it["tool_use_id"], &it["origin"]))
        .collect();
    let names = [
        (json!("t1"), json!("hook")),
        (json!("t2"), json!("hook")),
        (json!("t3"), json!("transcript")),
    ];
    assert_eq!(
        origins,
        names.iter().map(|(a, b)| (a, b)).collect::<Vec<_>>()
    );
    let session = &sandbox.rows(&["--table", "sessions"])[0];
    assert_eq!(
        (&session["calls"], &session["imported_calls"]),
        (&json!(3), &json!(1))
    );
}

#[test]
fn tokens_of_several_days_are_several_rows() {
    let sandbox = Sandbox::new();
    let message = |number: i64, day: i64| {
        json!({
            "type": "assistant", "uuid": format!("u{number}"), "sessionId": ID, "cwd": sandbox.project(),
            "timestamp": format!("2026-11-{:02}T23:59:00.000Z", 20 + day), "requestId": format!("r{number}"),
            "message": {"id": format!("m{number}"), "role": "assistant", "model": "claude-a-1", "content": [],
                "usage": {"input_tokens": number, "output_tokens": 10 * number}},
        })
    };
    let lines: Vec<Value> = [(1, 0), (2, 0), (3, 1), (4, 9)]
        .iter()
        .map(|(number, day)| message(*number, *day))
        .collect();
    let folder = sandbox.home().join(".claude/projects/-p");
    put_lines(&folder.join(format!("{ID}.jsonl")), &lines);
    sandbox.ccsession(["import"]).stdout();
    let of = |arguments: &[&str]| -> Vec<(String, u64, u64)> {
        let rows = sandbox.rows(&[&["--table", "tokens"], arguments].concat());
        let row = |it: &Value| {
            let day = it["day"].as_str().unwrap().to_owned();
            let number = |name: &str| it[name].as_u64().unwrap();
            (day, number("messages"), number("output"))
        };
        rows.iter().map(row).collect()
    };
    let day = |day: &str, messages, output| (day.to_owned(), messages, output);
    let later = [day("2026-11-21", 1, 30), day("2026-11-29", 1, 40)];
    let all = [&[day("2026-11-20", 2, 30)], &later[..]].concat();
    assert_eq!(of(&[]), all);
    assert_eq!(of(&["--since", "2026-11-21"]), later);
    assert_eq!(of(&["--until", "2026-11-21"]), all[..1]);
    let both = ["--since", "2026-11-21", "--until", "2026-11-29"];
    assert_eq!(of(&both), later[..1]);
    let stats = sandbox.ccsession(["stats", "--all", "--json"]).json();
    assert_eq!(stats["tokens"][0]["output"], 100);
}

#[test]
fn sessions_come_in_the_order_in_which_they_began() {
    let sandbox = play("mcp");
    let rows = sandbox.rows(&["--table", "sessions"]);
    let began: Vec<&str> = rows
        .iter()
        .map(|it| it["started_at"].as_str().unwrap())
        .collect();
    assert!(began.len() > 1 && began.is_sorted(), "{began:?}");
    let order = |rows: &[Value]| -> Vec<String> {
        let mut ids: Vec<String> = rows.iter().map(|it| it["session_id"].to_string()).collect();
        ids.dedup();
        ids
    };
    let calls = order(&sandbox.rows(&[]));
    let known: BTreeSet<&String> = calls.iter().collect();
    assert_eq!(
        known.len(),
        calls.len(),
        "the calls of a session are together"
    );
    let sessions = order(&rows).into_iter();
    let with_calls: Vec<String> = sessions.filter(|it| known.contains(it)).collect();
    assert_eq!(calls, with_calls);
}

/// Asserts that what a trace says of a session is what `timeline` says.
fn check_trace(of: &str, events: &[&Value], timeline: &Value) {
    let number = |event: &Value, name: &str| event[name].as_i64().unwrap();
    let phase = |event: &Value, wanted: &str| event["ph"] == wanted;
    let mut threads: BTreeMap<i64, Vec<&Value>> = BTreeMap::new();
    for event in events.iter().filter(|it| !phase(it, "M")) {
        threads.entry(number(event, "tid")).or_default().push(event);
    }
    let names: Vec<i64> = events
        .iter()
        .filter(|it| it["name"] == "thread_name")
        .map(|it| number(it, "tid"))
        .collect();
    assert_eq!(names, (1..=names.len() as i64).collect::<Vec<_>>(), "{of}");
    for (tid, events) in &threads {
        assert!(names.contains(tid), "{of}: thread {tid} has no name");
        let begins: Vec<i64> = events.iter().map(|it| number(it, "ts")).collect();
        assert!(begins.is_sorted(), "{of}: thread {tid}");
        let mut open: Vec<(i64, &Value)> = Vec::new();
        for event in events.iter().filter(|it| phase(it, "X")) {
            let (began, took) = (number(event, "ts"), number(event, "dur"));
            assert!(took >= 0, "{of}: {event}");
            open.retain(|(end, _)| *end > began);
            for (end, around) in &open {
                assert!(began + took <= *end, "{of}: {event} cuts {around}");
                // A call is never shown as a part of another one.
                let are_calls = event["cat"] == "call" && around["cat"] == "call";
                assert!(!are_calls, "{of}: {event} in {around}");
            }
            open.push((began + took, event));
        }
    }
    let calls = events.iter().filter(|it| it["cat"] == "call");
    let of_trace = |name: &str| -> Vec<Value> {
        let values = calls.clone().map(|it| it["args"].get(name).cloned());
        sorted(values.map(Option::unwrap_or_default).collect())
    };
    let of_timeline = |name: &str| -> Vec<Value> {
        let calls = timeline["calls"].as_array().unwrap().iter();
        sorted(calls.map(|it| it[name].clone()).collect())
    };
    for name in [
        "tool_use_id",
        "what",
        "state",
        "error",
        "duration_ms",
        "wait_ms",
        "permission_ms",
        "agent_id",
    ] {
        assert_eq!(of_trace(name), of_timeline(name), "{of}: {name}");
    }
    for call in calls.clone() {
        let id = &call["args"]["tool_use_id"];
        let mut known = timeline["calls"].as_array().unwrap().iter();
        let known = known.find(|it| !id.is_null() && it["tool_use_id"] == *id);
        if let Some(elapsed) = known.and_then(|it| it["elapsed_ms"].as_i64()) {
            assert_eq!(number(call, "dur") / 1000, elapsed, "{of}: {call}");
        }
    }
    let prompts = events.iter().filter(|it| it["cat"] == "prompt");
    let known = timeline["prompts"].as_array().unwrap();
    assert_eq!(prompts.count(), known.len(), "{of}");
    let compactions = events.iter().filter(|it| it["cat"] == "compaction");
    let known = timeline["compactions"].as_array().unwrap();
    assert_eq!(compactions.count(), known.len(), "{of}");
}

#[test]
fn the_trace_of_each_recording_says_what_timeline_says() {
    for name in recordings() {
        let sandbox = play(&name);
        let printed = sandbox.exported(&["--format", "chrome-trace"]);
        let trace: Value = serde_json::from_str(&printed).unwrap();
        assert_eq!(trace["displayTimeUnit"], "ms");
        let events = trace["traceEvents"].as_array().unwrap();
        let mut sessions = 0;
        for id in sandbox.ids() {
            let short = format!("({})", &id[..8]);
            let is_it = |it: &&Value| {
                let title = it["args"]["name"].as_str().unwrap_or_default();
                it["name"] == "process_name" && title.ends_with(&short)
            };
            let timeline = sandbox.timeline_of(&id);
            let Some(process) = events.iter().find(is_it) else {
                assert_eq!(timeline["events"], 0, "{name}: {id}");
                continue;
            };
            sessions += 1;
            let own = events.iter().filter(|it| it["pid"] == process["pid"]);
            let own: Vec<&Value> = own.collect();
            check_trace(&format!("{name}: {id}"), &own, &timeline);
        }
        let pids: BTreeSet<String> = events.iter().map(|it| it["pid"].to_string()).collect();
        assert_eq!(pids.len(), sessions, "{name}");
    }
}

/// A line of a journal, so many milliseconds after 14:00 UTC.
fn at(ms: i64, event: &str, more: Value) -> Value {
    let ts = chrono::DateTime::from_timestamp_millis(1_795_183_200_000 + ms).unwrap();
    let ts = ts.to_rfc3339_opts(chrono::SecondsFormat::Micros, true);
    let mut line = json!({"v": 1, "ts": ts, "event": event, "pid": 7});
    let members = line.as_object_mut().unwrap();
    members.extend(more.as_object().unwrap().clone());
    line
}

fn call(id: &str, tool: &str) -> Value {
    json!({"tool": tool, "tool_use_id": id, "what": format!("{tool} {id}")})
}

/// A session with parallel calls, a subagent, permission, the background, a commit and no end.
fn varied() -> Vec<Value> {
    let of_agent = |mut call: Value| {
        call["agent_id"] = "a1b2c3d4e5".into();
        call["agent_type"] = "Explore".into();
        call
    };
    let commit =
        json!({"id": "1a2b3c4d".repeat(5), "ts": "2026-11-20T14:00:02.000000Z", "how": "commit"});
    let mut told = call("t1", "Bash");
    told["commits"] = json!([commit]);
    let mut left = call("t3", "Bash");
    left["background"] = "b1".into();
    vec![
        at(0, "SessionStart", json!({"source": "clear"})),
        at(
            1000,
            "UserPromptSubmit",
            json!({"prompt_id": "p1", "what": "Do it"}),
        ),
        at(1100, "PreToolUse", call("t1", "Bash")),
        at(1200, "PreToolUse", call("t2", "Read")),
        at(1200, "PermissionRequest", call("t1", "Bash")),
        at(1400, "PostToolUse", call("t2", "Read")),
        at(2600, "PostToolUse", told),
        at(3000, "PreToolUse", call("t3", "Bash")),
        at(3100, "PostToolUse", left),
        at(3200, "PreToolUse", call("t4", "Agent")),
        at(
            3300,
            "SubagentStart",
            json!({"agent_id": "a1b2c3d4e5", "agent_type": "Explore"}),
        ),
        at(3400, "PreToolUse", of_agent(call("t5", "Grep"))),
        at(3500, "PreToolUse", of_agent(call("t6", "Grep"))),
        at(3600, "PostToolUseFailure", of_agent(call("t5", "Grep"))),
        at(3700, "PostToolUse", of_agent(call("t6", "Grep"))),
        at(3800, "PreCompact", json!({"trigger": "auto"})),
        at(3900, "SubagentStop", json!({"agent_id": "a1b2c3d4e5"})),
        at(5000, "PreToolUse", call("t7", "Bash")),
        at(6000, "Notification", json!({})),
    ]
}

#[test]
fn a_trace_shows_lanes_waits_failures_and_gaps() {
    let sandbox = Sandbox::new();
    sandbox.session_with(ID, "shop", &varied());
    let trace: Value =
        serde_json::from_str(&sandbox.exported(&["--format", "chrome-trace"])).unwrap();
    let events = trace["traceEvents"].as_array().unwrap();
    let own: Vec<&Value> = events.iter().collect();
    check_trace("varied", &own, &sandbox.timeline_of(ID));
    let threads: Vec<&str> = events
        .iter()
        .filter(|it| it["name"] == "thread_name")
        .map(|it| it["args"]["name"].as_str().unwrap())
        .collect();
    assert_eq!(
        threads,
        [
            "turns",
            "main",
            "main 2",
            "main, background",
            "Explore a1b2c3d4",
            "Explore a1b2c3d4 2"
        ]
    );
    let shown = |it: &Value| {
        let name = it["name"].as_str().unwrap();
        (it["tid"].as_i64().unwrap(), name.to_owned())
    };
    let of = |phase: &str| -> Vec<(i64, String)> {
        let of_phase = events.iter().filter(|it| it["ph"] == phase);
        of_phase.map(shown).collect()
    };
    let named = |all: &[(i64, &str)]| -> Vec<(i64, String)> {
        all.iter()
            .map(|(tid, name)| (*tid, (*name).to_owned()))
            .collect()
    };
    assert_eq!(
        of("i"),
        named(&[
            (1, "start (startup)"),
            (1, "end"),
            (1, "/clear"),
            (1, "prompt"),
            (1, "commit 1a2b3c4d"),
            (1, "compaction"),
        ])
    );
    assert_eq!(
        of("X"),
        named(&[
            (1, "turn (open)"),
            (2, "Bash"),
            (2, "waiting for permission"),
            (2, "Bash (backgrounded)"),
            (2, "Agent (running)"),
            (3, "Read"),
            (3, "Bash (running)"),
            (4, "Bash (background)"),
            (5, "Explore"),
            (5, "Grep (failed)"),
            (6, "Grep"),
        ])
    );
    let failed = events
        .iter()
        .find(|it| it["name"] == "Grep (failed)")
        .unwrap();
    assert_eq!(failed["cname"], "terrible");
    let unknown = events.iter().filter(|it| it["args"]["end"] == "unknown");
    assert!(unknown.count() >= 2);
}

#[test]
fn the_slowest_calls_of_all_sessions_come_first() {
    let sandbox = Sandbox::new();
    let session = |took: &[i64]| -> Vec<Value> {
        let calls = took.iter().enumerate().flat_map(|(place, took)| {
            let (begun, id) = (place as i64 * 60_000, format!("t{place}"));
            let mut call = call(&id, if place == 0 { "Read" } else { "Bash" });
            let before = at(begun, "PreToolUse", call.clone());
            call["duration_ms"] = (*took).into();
            [before, at(begun + took, "PostToolUse", call)]
        });
        calls.collect()
    };
    sandbox.session_with(ID, "shop", &session(&[900, 20, 3000]));
    sandbox.session_with(OTHER_ID, "library", &session(&[1000, 10, 5]));
    let slowest = |arguments: &[&str]| -> Vec<(String, u64)> {
        let rows = sandbox.rows(&[&["--slowest", "3"], arguments].concat());
        let row = |it: &Value| {
            let project = it["project"].as_str().unwrap().to_owned();
            (project, it["duration_ms"].as_u64().unwrap())
        };
        rows.iter().map(row).collect()
    };
    let expected = |all: &[(&str, u64)]| -> Vec<(String, u64)> {
        all.iter()
            .map(|(name, took)| ((*name).to_owned(), *took))
            .collect()
    };
    let all = [("shop", 3000), ("library", 1000), ("shop", 900)];
    assert_eq!(slowest(&[]), expected(&all));
    let bash = [("shop", 3000), ("shop", 20), ("library", 10)];
    assert_eq!(slowest(&["--tool", "bash"]), expected(&bash));
    assert_eq!(slowest(&["--failed"]), expected(&[]));
    let late = slowest(&["--since", "2026-11-20T14:01:00Z", "--agent", "main"]);
    assert_eq!(
        late,
        expected(&[("shop", 3000), ("shop", 20), ("library", 10)])
    );
}

#[test]
fn a_spreadsheet_finds_no_formula_and_a_terminal_no_cursor() {
    let sandbox = Sandbox::new();
    let hostile = [
        "=HYPERLINK(\"x\")",
        "+1",
        "-1",
        "@SUM(A1)",
        "a\u{202e}b\u{1b}[2J",
        "\t=1",
    ];
    let lines: Vec<Value> = hostile
        .iter()
        .enumerate()
        .map(|(place, tool)| at(place as i64, "PreToolUse", call(&format!("t{place}"), tool)))
        .collect();
    sandbox.session_with(ID, "shop", &lines);
    for format in ["csv", "jsonl", "chrome-trace"] {
        let text = sandbox.exported(&["--format", format]);
        let is_safe = |c: char| c == '\n' || !c.is_control() && c != '\u{202e}';
        assert!(text.chars().all(is_safe), "{format}: {text}");
    }
    for row in csv(&sandbox.exported(&["--format", "csv"])) {
        let tool = &row["tool"];
        assert!(!tool.starts_with(['=', '+', '-', '@', '\t']), "{tool}");
        assert!(tool.contains("SUM") || tool.len() < 30, "{tool}");
    }
    let tools: Vec<Value> = sandbox
        .rows(&[])
        .iter()
        .map(|it| it["tool"].clone())
        .collect();
    assert_eq!(tools, hostile.map(Value::from), "as JSON, they are whole");
}

#[test]
fn the_file_is_private_and_appears_when_it_is_complete() {
    let sandbox = play("c");
    let path = sandbox.path("calls.csv");
    fs::write(&path, "old").unwrap();
    let to_file = |path: &std::path::Path| {
        let run = sandbox.ccsession(["export", "--all", "--format", "csv", "-o"]);
        run.arg(path)
    };
    to_file(&path).silent();
    let printed = sandbox.exported(&["--format", "csv"]);
    assert_eq!(fs::read_to_string(&path).unwrap(), printed);
    assert_eq!(
        fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let dash = sandbox.ccsession(["export", "--all", "--format", "csv", "-o", "-"]);
    assert_eq!(dash.stdout(), printed);

    let link = sandbox.path("link.csv");
    symlink(&path, &link).unwrap();
    assert!(to_file(&link).refused(1).contains("symbolic link"));
    assert!(
        to_file(&sandbox.path("shop"))
            .refused(1)
            .contains("not a regular file")
    );
    let nowhere = to_file(&sandbox.path("no/such/calls.csv")).refused(1);
    assert!(nowhere.contains("could not"), "{nowhere}");
    assert_eq!(fs::read_to_string(&path).unwrap(), printed);
    let left: Vec<_> = fs::read_dir(sandbox.path("")).unwrap().collect();
    assert!(left.iter().all(|it| {
        let name = it.as_ref().unwrap().file_name();
        !name.to_string_lossy().starts_with(".ccsession")
    }));
}

#[test]
fn wrong_and_meaningless_options_are_refused() {
    let sandbox = play("c");
    let refused = |words: &[&str]| sandbox.ccsession([&["export"], words].concat()).refused(64);
    assert!(refused(&["--all"]).contains("--format"));
    assert!(refused(&["--format", "xml"]).contains("chrome-trace"));
    assert!(refused(&["--format", "csv", "--table", "tools"]).contains("prompts"));
    assert!(refused(&["--format", "chrome-trace", "--table", "calls"]).contains("--table"));
    assert!(refused(&["--format", "chrome-trace", "--failed"]).contains("--failed"));
    let table = ["--format", "csv", "--table", "sessions", "--slowest", "3"];
    assert!(refused(&table).contains("--slowest"));
    assert!(refused(&["--format", "csv", "--since", "soon"]).contains("--since"));
    assert!(refused(&["--format", "csv", "--slowest", "0"]).contains("--slowest"));
    let unknown = sandbox
        .ccsession(["export", "0000000", "--format", "csv"])
        .refused(3);
    assert!(unknown.contains("0000000"), "{unknown}");
}

#[test]
fn without_a_session_there_is_an_empty_table_and_an_empty_trace() {
    let sandbox = Sandbox::new();
    let lines = sandbox.exported(&["--format", "csv"]);
    assert_eq!(lines.lines().count(), 1);
    assert!(lines.starts_with("session_id,title,project,"), "{lines}");
    assert_eq!(sandbox.exported(&["--format", "jsonl"]), "");
    let trace: Value =
        serde_json::from_str(&sandbox.exported(&["--format", "chrome-trace"])).unwrap();
    assert_eq!(trace["traceEvents"], json!([]));
}

#[test]
fn a_damaged_session_is_named_and_the_others_are_exported() {
    let sandbox = Sandbox::new();
    sandbox.session_with(ID, "shop", &varied());
    sandbox.session_with(OTHER_ID, "shop", &varied());
    let record = sandbox.session(OTHER_ID).join("session.json");
    fs::write(record, "{").unwrap();
    let run = sandbox.ccsession(["export", "--all", "--format", "csv"]);
    let output = run.output();
    let stderr = text(&output.stderr);
    assert_eq!((output.status.code(), stderr.lines().count()), (Some(0), 1));
    assert!(stderr.contains(OTHER_ID), "{stderr}");
    let rows = csv(&text(&output.stdout));
    assert_eq!(rows.len(), 7);
    assert!(rows.iter().all(|row| row["session_id"] == ID));
}

#[test]
fn a_deleted_session_is_not_exported() {
    let sandbox = play("c");
    assert!(!sandbox.rows(&[]).is_empty());
    let delete = sandbox.ccsession(["delete", RUN_C, "--yes"]).output();
    assert!(delete.status.success(), "{}", text(&delete.stderr));
    for table in ["calls", "sessions", "prompts", "tokens"] {
        assert_eq!(sandbox.rows(&["--table", table]), [json!(null); 0]);
    }
}

#[test]
fn with_capture_metadata_no_title_is_exported() {
    let sandbox = play("c");
    let projects = sandbox.home().join(".claude/projects");
    fs::create_dir_all(&projects).unwrap();
    copy_tree(&data("transcripts/c"), &projects);
    let titles = |level: &str| -> Vec<Value> {
        let run = sandbox.ccsession(["export", "--all", "--format", "jsonl"]);
        let printed = run.env("CCSESSION_CAPTURE", level).stdout();
        let lines = printed
            .lines()
            .map(|it| serde_json::from_str::<Value>(it).unwrap());
        lines.map(|it| it["title"].clone()).collect()
    };
    assert!(titles("summary").iter().all(Value::is_string));
    assert!(titles("metadata").iter().all(Value::is_null));
}

#[test]
fn the_pages_name_every_column() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("docs/export.md")).unwrap();
    let sandbox = Sandbox::new();
    for table in ["calls", "sessions", "prompts", "tokens"] {
        let heading = sandbox.exported(&["--format", "csv", "--table", table]);
        for column in heading.trim_end().split(',') {
            assert!(page.contains(&format!("`{column}`")), "{table}: {column}");
        }
    }
}
