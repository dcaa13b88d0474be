//! What sessions did, in numbers: compared with the handwritten tables of the recordings, and as `stats` prints them.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};
use unicode_width::UnicodeWidthStr;

use crate::support::recordings::{play, recordings, table};
use crate::support::transcripts::copy_tree;
use crate::support::{ID, Sandbox, as_client, data, event, text};

/// A recording with subagents, failures and a call that was left in the background.
const RUN_C: &str = "65dd02b6-7134-4576-a982-e8658c4175aa";
const OTHER_ID: &str = "5b484999-1111-4222-8333-444455556666";

impl Sandbox {
    fn stats(&self, arguments: &[&str]) -> Value {
        let json = self.ccsession(["stats", "--json"]).env("TZ", "UTC");
        arguments.iter().fold(json, |run, it| run.arg(it)).json()
    }

    /// A session of the project at `dir`, whose journal has these lines after its start.
    pub(crate) fn session_with(&self, id: &str, dir: &str, lines: &[Value]) {
        fs::create_dir_all(self.path(dir)).unwrap();
        self.hook(&event("SessionStart", id, json!({"source": "startup"})))
            .env("CLAUDE_PROJECT_DIR", self.path(dir))
            .env("CLAUDE_PID", as_client())
            .silent();
        let _ = fs::remove_dir_all(self.session(id).join("owners"));
        let start = json!({"v": 1, "ts": "2026-11-20T08:00:00.000000Z", "event": "SessionStart", "session_id": id, "source": "startup"});
        let lines = std::iter::once(&start).chain(lines);
        let lines: String = lines.map(|line| format!("\n{line}\n")).collect();
        fs::write(self.session(id).join("events.jsonl"), lines).unwrap();
    }

    fn append(&self, id: &str, file: &str, bytes: &[u8]) {
        let path = self.session(id).join(file);
        let mut file = OpenOptions::new()
            .append(true)
            .create(true)
            .open(&path)
            .unwrap();
        file.write_all(bytes).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    }
}

/// The lines of a call that began at `at` on 2026-11-20 and that the client measured.
fn call(tool: &str, at: &str, duration_ms: u64) -> [Value; 2] {
    let ts = format!("2026-11-20T{at}.000000Z");
    let line = |event: &str| json!({"v": 1, "ts": ts, "event": event, "tool": tool, "tool_use_id": format!("{tool}{at}")});
    let mut end = line("PostToolUse");
    end["duration_ms"] = duration_ms.into();
    end["ok"] = true.into();
    [line("PreToolUse"), end]
}

/// The value that so many of 100 do not exceed, as a person would look for it.
fn percentile(sorted: &[u64], percent: usize) -> Value {
    let enough = |place: &usize| (place + 1) * 100 >= percent * sorted.len();
    (0..sorted.len())
        .find(enough)
        .map_or(Value::Null, |place| sorted[place].into())
}

#[test]
fn the_numbers_of_each_recording_are_those_of_its_tables() {
    let mut seen = 0;
    for name in recordings() {
        let sandbox = play(&name);
        let stats = sandbox.stats(&["--all"]);
        let rows = table(&data("calls").join(format!("{name}.tsv")));
        seen += rows.len();
        let mut tools: BTreeMap<String, (BTreeMap<String, u64>, Vec<u64>)> = BTreeMap::new();
        for row in &rows {
            let (states, durations) = tools.entry(row["tool"].clone()).or_default();
            *states.entry(row["state"].clone()).or_default() += 1;
            durations.extend(row["duration_ms"].parse::<u64>());
        }
        let found = stats["tools"].as_array().unwrap();
        assert_eq!(found.len(), tools.len(), "{name}");
        for tool in found {
            let (states, durations) = tools.get_mut(tool["tool"].as_str().unwrap()).unwrap();
            durations.sort_unstable();
            let calls: u64 = states.values().sum();
            assert_eq!(tool["calls"], calls, "{name}: {tool}");
            for state in [
                "ok",
                "failed",
                "denied",
                "abandoned",
                "backgrounded",
                "running",
            ] {
                let count = states.get(state).copied().unwrap_or_default();
                assert_eq!(tool[state], count, "{name}: {tool}: {state}");
            }
            assert_eq!(tool["p50_ms"], percentile(durations, 50), "{name}: {tool}");
            assert_eq!(tool["p95_ms"], percentile(durations, 95), "{name}: {tool}");
            assert_eq!(tool["max_ms"], percentile(durations, 100), "{name}: {tool}");
            let total: u64 = durations.iter().sum();
            assert_eq!(tool["total_ms"], total, "{name}: {tool}");
        }
        let sessions = table(&data("calls").join(format!("{name}.sessions.tsv")));
        assert_eq!(stats["sessions"], sessions.len(), "{name}");
        for column in ["prompts", "agents", "compactions", "duplicates"] {
            let sum: u64 = sessions
                .iter()
                .map(|row| row[column].parse::<u64>().unwrap())
                .sum();
            assert_eq!(stats[column], sum, "{name}: {column}");
        }
        let hours = stats["hours"].as_array().unwrap();
        let calls: u64 = hours.iter().map(|hour| hour.as_u64().unwrap()).sum();
        assert_eq!((hours.len(), calls), (24, rows.len() as u64), "{name}");
        assert_eq!(
            stats["days"],
            json!([{"day": "2026-11-20", "sessions": sessions.len()}])
        );
        assert_eq!(stats["open"], 0, "{name}");
    }
    assert_eq!(seen, 87);
}

#[test]
fn each_recording_fits_eighty_columns() {
    for name in recordings() {
        let sandbox = play(&name);
        let printed = sandbox.ccsession(["stats", "--all"]).stdout();
        assert!(
            printed.lines().all(|line| line.width() <= 80),
            "{name}\n{printed}"
        );
    }
}

#[test]
fn one_session_is_shown_with_its_tokens_by_agent() {
    let sandbox = play("c");
    let projects = sandbox.home().join(".claude/projects");
    fs::create_dir_all(&projects).unwrap();
    copy_tree(&data("transcripts/c"), &projects);
    sandbox
        .ccsession(["stats", "65dd"])
        .env("TZ", "Asia/Tokyo")
        .expect(0, RUN_C_PRINTED, "");
    let json = sandbox.stats(&[RUN_C]);
    assert_eq!(json["cost_sessions"], 1);
    let first = &json["tokens"][0];
    assert_eq!(first["session_id"], RUN_C);
    assert_eq!(
        (&first["agent_id"], &first["messages"], &first["input"]),
        (&Value::Null, &json!(6), &json!(6000))
    );
    // Over many sessions, what was counted before is there without a search for the transcript.
    fs::remove_dir_all(&projects).unwrap();
    assert_eq!(sandbox.stats(&["--all"])["tokens"], json["tokens"]);
}

const RUN_C_PRINTED: &str = "\
1 session, 51 events, 1 prompt, 12 calls, 5 subagents, 0 compactions

TOOL   CALLS  OK  FAILED  BACKGROUNDED
Bash   7      6   1       -
Agent  5      4   -       1

TOOL   P50    P95    MAX    TOTAL  WAIT   SHARE
Bash   50ms   2.04s  2.04s  4.31s  304ms   51% █████
Agent  987ms  1.48s  1.48s  4.16s  258ms   49% ████

HOUR   CALLS
00:00  12     ████████████████████

DAY         SESSIONS
2026-11-21  1         ████████████████████

MODEL            AGENT            MESSAGES  INPUT  OUTPUT  CACHE READ  CACHE NEW
claude-opus-5-5  main             6         6,000  300     0           0
claude-opus-5-5  Explore          2         2,000  100     0           0
claude-opus-5-5  general-purpose  10        10.0k  500     0           0
cost: $0.09
";

#[test]
fn a_transcript_that_moved_is_found_among_many_sessions() {
    let sandbox = play("c");
    copy_tree(&data("transcripts/c"), &sandbox.path("moved/projects"));
    let moved = sandbox
        .path("moved/projects/-home-dev-shop")
        .join(format!("{RUN_C}.jsonl"));
    let line = json!({"v": 1, "ts": "2026-11-20T23:00:00.000000Z", "event": "Notification", "transcript_path": moved});
    sandbox.append(RUN_C, "events.jsonl", format!("\n{line}\n").as_bytes());
    let messages = &sandbox.stats(&["--all"])["tokens"][0]["messages"];
    assert_eq!(messages, 6);
}

#[test]
fn names_of_strangers_break_no_table() {
    let sandbox = Sandbox::just_swept();
    let long = "x".repeat(500);
    let wide = "日本語".repeat(50);
    let marks = format!("e{}", "\u{301}".repeat(500));
    let names = [
        "\u{1b}[2J\u{1b}]0;x\u{7}",
        "a\u{202e}b\nc\td",
        "",
        &long,
        &wide,
        &marks,
    ];
    let lines: Vec<Value> = names
        .iter()
        .flat_map(|name| call(name, "09:00:00", 5))
        .collect();
    sandbox.session_with(ID, "shop", &lines);
    let printed = sandbox.ccsession(["stats", ID]);
    let printed = printed.env("COLUMNS", "80").stdout();
    let is_safe = |c: char| c == '\n' || !(c.is_control() || c == '\u{202e}');
    assert!(printed.chars().all(is_safe), "{printed}");
    for line in printed.lines() {
        assert!(line.width() <= 80, "{line}");
    }
    let csv = sandbox.ccsession(["stats", ID, "--csv"]).stdout();
    assert!(csv.chars().all(is_safe), "{csv}");
    assert_eq!(csv.lines().count(), 1 + names.len());
    assert_eq!(
        sandbox.stats(&[ID])["tools"].as_array().unwrap().len(),
        names.len()
    );
}

/// On a terminal they are cut where that leaves them different; in a pipe they are whole.
#[test]
fn names_that_begin_alike_are_told_apart() {
    let sandbox = Sandbox::new();
    let names = ["updates", "members", "labels"];
    let names = names.map(|name| format!("mcp__linear-server__list_project_{name}"));
    let lines: Vec<Value> = names
        .iter()
        .flat_map(|name| call(name, "09:00:00", 5))
        .collect();
    sandbox.session_with(ID, "shop", &lines);
    let first_words = |text: &str| {
        let words = text.lines().filter_map(|line| line.split(' ').next());
        let words = words.filter(|word| word.starts_with("mcp"));
        words.map(str::to_owned).collect::<Vec<_>>()
    };
    let whole = sandbox.ccsession(["stats", ID]).stdout();
    assert!(first_words(&whole).iter().all(|word| names.contains(word)));
    for columns in ["40", "60", "80"] {
        let stats = sandbox.ccsession(["stats", ID]);
        let cut = first_words(&stats.env("COLUMNS", columns).stdout());
        for table in cut.chunks(3) {
            let different: std::collections::BTreeSet<_> = table.iter().collect();
            assert_eq!(different.len(), 3, "{cut:?}");
        }
    }
    let timeline = |columns: Option<&str>| {
        let run = sandbox.ccsession(["timeline", ID]);
        match columns {
            Some(columns) => run.env("COLUMNS", columns).stdout(),
            None => run.stdout(),
        }
    };
    let whole = timeline(None);
    assert!(names.iter().all(|name| whole.contains(name)), "{whole}");
    let tools: std::collections::BTreeSet<String> = timeline(Some("80"))
        .split_whitespace()
        .filter(|word| word.starts_with("mcp"))
        .map(str::to_owned)
        .collect();
    assert_eq!(tools.len(), 3, "{tools:?}");
}

/// Where it is asked for, nothing is drawn: what bars show is said.
#[test]
fn bars_become_words_if_the_locale_or_the_terminal_needs_it() {
    let sandbox = play("a");
    let views: [&[&str]; 4] = [&["timeline"], &["stats", "--all"], &["metrics"], &["show"]];
    let id = sandbox.ccsession(["list", "--all", "--json"]).json();
    let id = id["sessions"][0]["session_id"].as_str().unwrap().to_owned();
    for view in views {
        let view = match view {
            ["timeline" | "show"] => [view, &[id.as_str()]].concat(),
            _ => view.to_vec(),
        };
        for (name, value) in [
            ("LC_ALL", "C"),
            ("LANG", "POSIX"),
            ("TERM", "dumb"),
            ("TERM", "linux"),
            ("CLAUDE_AX_SCREEN_READER", "1"),
        ] {
            let run = sandbox.ccsession(view.iter().copied());
            let printed = run.env(name, value).stdout();
            assert!(printed.is_ascii(), "{view:?} {name}\n{printed}");
        }
        if view[0] == "timeline" || view[0] == "stats" {
            let drawn = |bars: &str| {
                let run = sandbox.ccsession(view.iter().copied());
                run.arg("--bars").arg(bars).env("LC_ALL", "C").stdout()
            };
            assert!(drawn("never").is_ascii() && !drawn("always").is_ascii());
        }
    }
    let printed = sandbox
        .ccsession(["timeline", &id])
        .env("LC_ALL", "C")
        .stdout();
    assert!(printed.contains("  +"), "{printed}");
}

#[test]
fn csv_has_one_line_per_tool() {
    let sandbox = Sandbox::just_swept();
    let mut lines = Vec::new();
    for (tool, at, ms) in [
        ("Bash", "09:00:00", 10),
        ("Bash", "09:00:01", 30),
        ("=cmd,\"x\"", "09:00:02", 60),
    ] {
        lines.extend(call(tool, at, ms));
    }
    sandbox.session_with(ID, "shop", &lines);
    let expected = "\
        tool,calls,ok,failed,denied,abandoned,backgrounded,running,p50_ms,p95_ms,max_ms,total_ms,share,wait_ms,permission_ms\n\
        Bash,2,2,0,0,0,0,0,10,30,30,40,0.4,0,0\n\
        \"'=cmd,\"\"x\"\"\",1,1,0,0,0,0,0,60,60,60,60,0.6,0,0\n";
    sandbox
        .ccsession(["stats", "--csv"])
        .expect(0, expected, "");
}

#[test]
fn damaged_lines_are_named_and_everything_else_is_counted() {
    let sandbox = Sandbox::just_swept();
    sandbox.session_with(ID, "shop", &call("Bash", "09:00:00", 10));
    sandbox.append(
        ID,
        "events.jsonl",
        b"\n{\"v\":1,\"ts\n{\"a\":1}\n{\"v\":1,\"ev",
    );
    sandbox.append(ID, "transcript.jsonl", b"{]\n");
    let stats = sandbox.stats(&[]);
    assert_eq!((&stats["calls"], &stats["events"]), (&json!(1), &json!(3)));
    let journal = sandbox.session(ID).join("events.jsonl");
    let imported = sandbox.session(ID).join("transcript.jsonl");
    assert_eq!(
        stats["damage"],
        json!({"torn": 2, "foreign": 1, "newer": 0, "in_flight": 1, "files": [
            {"path": journal, "torn": 1, "foreign": 1, "newer": 0, "in_flight": 1},
            {"path": imported, "torn": 1, "foreign": 0, "newer": 0, "in_flight": 0},
        ]})
    );
    let output = sandbox.ccsession(["stats"]).output();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(
        text(&output.stderr),
        format!(
            "ccsession: left out lines of `{}`: 1 torn, 1 not an event\n\
             ccsession: left out lines of `{}`: 1 torn\n",
            journal.display(),
            imported.display()
        )
    );
}

#[test]
fn what_cannot_be_read_is_named_and_left_out() {
    let sandbox = Sandbox::just_swept();
    sandbox.session_with(ID, "shop", &call("Bash", "09:00:00", 10));
    sandbox.session_with(OTHER_ID, "shop", &call("Bash", "09:00:00", 10));
    let record = sandbox.session(OTHER_ID).join("session.json");
    fs::write(&record, "{").unwrap();
    let output = sandbox.ccsession(["stats", "--all", "--json"]).output();
    let stats: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (output.status.code(), &stats["sessions"]),
        (Some(0), &json!(1))
    );
    let stderr = text(&output.stderr);
    assert!(
        stderr.contains(record.to_str().unwrap()) && stderr.ends_with("; skipped\n"),
        "{stderr}"
    );
    sandbox.ccsession(["stats", OTHER_ID]).refused(1);
}

#[test]
fn an_unreadable_session_is_refused_as_timeline_does() {
    let sandbox = Sandbox::just_swept();
    sandbox.session_with(ID, "shop", &call("Bash", "09:00:00", 10));
    let journal = sandbox.session(ID).join("events.jsonl");
    fs::set_permissions(&journal, fs::Permissions::from_mode(0o666)).unwrap();
    let said = sandbox.ccsession(["timeline", ID]).refused(1);
    assert!(said.contains(journal.to_str().unwrap()), "{said}");
    for options in [&[][..], &["--json"], &["--csv"]] {
        let stats = sandbox.ccsession(["stats", ID].iter().chain(options));
        assert_eq!(stats.refused(1), said);
    }
}

#[test]
fn a_session_without_events_is_mentioned() {
    let sandbox = Sandbox::just_swept();
    sandbox.session_with(ID, "shop", &call("Bash", "09:00:00", 10));
    sandbox
        .ccsession(["stats", ID, "--since", "2026-11-21"])
        .expect(
            0,
            "the session is on record, without an event in that time\n",
            "",
        );
    fs::remove_file(sandbox.session(ID).join("events.jsonl")).unwrap();
    sandbox
        .ccsession(["stats", ID])
        .expect(0, "the session is on record, without an event\n", "");
}

#[test]
fn a_journal_without_a_record_is_named() {
    let sandbox = Sandbox::just_swept();
    sandbox.session_with(ID, "shop", &call("Bash", "09:00:00", 10));
    sandbox.session_with(OTHER_ID, "shop", &call("Bash", "09:00:00", 10));
    fs::remove_file(sandbox.session(OTHER_ID).join("session.json")).unwrap();
    for options in [&["--all"][..], &[]] {
        let output = sandbox.ccsession(["stats"].iter().chain(options)).output();
        assert_eq!(output.status.code(), Some(0));
        assert_eq!(
            text(&output.stderr),
            format!("ccsession: could not find the record of session `{OTHER_ID}`; skipped\n")
        );
    }
}

#[test]
fn since_counts_what_began_at_that_moment_or_later() {
    let sandbox = Sandbox::just_swept();
    let lines = [call("Bash", "09:00:00", 10), call("Read", "10:00:00", 20)].concat();
    sandbox.session_with(ID, "shop", &lines);
    let calls = |since: &str| {
        let stats = sandbox.stats(&["--since", since]);
        ["sessions", "events", "calls"].map(|name| stats[name].as_u64().unwrap())
    };
    assert_eq!(calls("2026-11-20T08:00:00Z"), [1, 5, 2]);
    assert_eq!(calls("2026-11-20T09:00:00Z"), [1, 4, 2]);
    assert_eq!(calls("2026-11-20T10:00:00.000001+00:00"), [0, 0, 0]);
    assert_eq!(calls("2026-11-20T11:00:00+01:00"), [1, 2, 1]);
    assert_eq!(calls("2026-11-20"), [1, 5, 2]);
    assert_eq!(calls("2026-11-21"), [0, 0, 0]);
    let days = &sandbox.stats(&["--since", "2026-11-20T08:00:00.000001Z"])["days"];
    assert_eq!(days, &json!([]));
    let refused = sandbox.ccsession(["stats", "--since", "soon"]).refused(64);
    assert!(refused.contains("invalid --since `soon`"), "{refused}");
}

#[test]
fn a_session_in_which_nothing_happened_counts_where_it_began() {
    let sandbox = Sandbox::just_swept();
    sandbox.session_with(ID, "shop", &call("Bash", "09:00:00", 10));
    sandbox.session_with("s-2", "shop", &[]);
    for by in ["day", "week", "month", "project"] {
        let stats = sandbox.stats(&["--by", by]);
        assert_eq!(stats["total"]["sessions"], 2, "{by}");
        assert_eq!(stats["groups"][0]["sessions"], 2, "{by}");
        let none = sandbox.stats(&["--by", by, "--since", "2026-11-20T08:30:00Z"]);
        assert_eq!(none["total"]["sessions"], 1, "{by}");
    }
    assert_eq!(sandbox.stats(&[])["sessions"], 2);
}

#[test]
fn an_hour_without_calls_between_others_is_shown() {
    let sandbox = Sandbox::just_swept();
    let lines = [call("Bash", "09:00:00", 10), call("Read", "11:00:00", 20)].concat();
    sandbox.session_with(ID, "shop", &lines);
    for bars in ["always", "never"] {
        let run = sandbox.ccsession(["stats", "--bars", bars]);
        let text = run.env("TZ", "UTC").stdout();
        assert!(text.contains("\n10:00  0\n11:00  1"), "{text}");
    }
}

#[test]
fn until_counts_what_began_before_that_moment() {
    let sandbox = Sandbox::just_swept();
    let lines = [call("Bash", "09:00:00", 10), call("Read", "10:00:00", 20)].concat();
    sandbox.session_with(ID, "shop", &lines);
    let counted = |period: &[&str]| {
        let stats = sandbox.stats(period);
        ["sessions", "calls"].map(|name| stats[name].as_u64().unwrap())
    };
    assert_eq!(counted(&["--until", "2026-11-20"]), [0, 0]);
    assert_eq!(counted(&["--until", "2026-11-20T10:00:00Z"]), [1, 1]);
    assert_eq!(counted(&["--until", "2026-11-21"]), [1, 2]);
    let day = ["--since", "2026-11-20", "--until", "2026-11-21"];
    assert_eq!(counted(&day), [1, 2]);
    let refused = ["stats", "--since", "2026-11-21", "--until", "2026-11-21"];
    let refused = sandbox.ccsession(refused).refused(64);
    assert!(refused.contains("it is not after --since"), "{refused}");
}

#[test]
fn hours_and_days_are_those_of_local_clocks() {
    let sandbox = Sandbox::just_swept();
    let mut lines = Vec::new();
    // In Berlin, summer time ends at 01:00 UTC of that day: twice it is past two there.
    for at in [
        "2026-10-25T00:30:00Z",
        "2026-10-25T01:30:00Z",
        "2026-10-25T02:30:00Z",
    ] {
        lines.push(
            json!({"v": 1, "ts": at, "event": "PreToolUse", "tool": "Bash", "tool_use_id": at}),
        );
    }
    sandbox.session_with(ID, "shop", &lines);
    let run = sandbox.ccsession(["stats", "--json"]);
    let stats = run.env("TZ", "Europe/Berlin").json();
    let hours = stats["hours"].as_array().unwrap();
    assert_eq!((&hours[2], &hours[3]), (&json!(2), &json!(1)));
    let run = sandbox.ccsession(["stats", "--json"]);
    let stats = run.env("TZ", "Pacific/Kiritimati").json();
    assert_eq!(stats["days"], json!([{"day": "2026-10-25", "sessions": 1}]));
}

#[test]
fn without_arguments_the_sessions_of_the_project_here_are_counted() {
    let sandbox = Sandbox::just_swept();
    sandbox.session_with(ID, "shop", &call("Bash", "09:00:00", 10));
    sandbox.session_with(OTHER_ID, "other", &call("Read", "09:00:00", 10));
    let tools = |arguments: &[&str]| {
        let stats = sandbox.stats(arguments);
        let tools = stats["tools"].as_array().unwrap().iter();
        let names: Vec<String> = tools
            .map(|it| it["tool"].as_str().unwrap().to_owned())
            .collect();
        names.join(" ")
    };
    assert_eq!(tools(&[]), "Bash");
    assert_eq!(tools(&["--project", "../other"]), "Read");
    assert_eq!(tools(&["--all"]), "Bash Read");
    assert_eq!(tools(&["5b4849"]), "Read");
}

#[test]
fn a_call_is_running_only_while_a_process_may_have_it() {
    let sandbox = Sandbox::just_swept();
    sandbox.session_with(ID, "shop", &call("Bash", "09:00:00", 10)[..1]);
    let dead = sandbox.stats(&[]);
    sandbox
        .hook(&event("UserPromptSubmit", ID, json!({"prompt": "x"})))
        .env("CLAUDE_PROJECT_DIR", sandbox.project())
        .env("CLAUDE_PID", as_client())
        .silent();
    let pre = event(
        "PreToolUse",
        ID,
        json!({"tool_name": "Read", "tool_use_id": "t2", "tool_input": {}}),
    );
    sandbox.hook(&pre).env("CLAUDE_PID", as_client()).silent();
    let live = sandbox.stats(&[]);
    assert_eq!((&live["open"], &live["abandoned"]), (&json!(1), &json!(1)));
    assert_eq!(dead["calls"], 1);
}

#[test]
fn an_ambiguous_session_is_refused() {
    let sandbox = Sandbox::just_swept();
    sandbox
        .ccsession(["stats"])
        .expect(0, "no session to count\n", "");
    let empty = sandbox.stats(&["--all"]);
    assert_eq!(
        (&empty["sessions"], &empty["tools"]),
        (&json!(0), &json!([]))
    );
    sandbox.ccsession(["stats", "5b48"]).refused(3);
    sandbox.session_with(ID, "shop", &[]);
    sandbox.session_with(OTHER_ID, "shop", &[]);
    sandbox.ccsession(["stats", "5b48"]).refused_to_choose();
    sandbox.ccsession(["stats", "../x"]).refused(64);
    sandbox.ccsession(["stats", ID, "--all"]).refused(64);
    sandbox.ccsession(["stats", "--json", "--csv"]).refused(64);
}
