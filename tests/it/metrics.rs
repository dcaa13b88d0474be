//! `ccsession metrics`: what is counted, in which form, and into which file. Five keys have the names and meanings of an older
//! session manager; this file also has its tests, and tests for its bugs.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};
use unicode_width::UnicodeWidthStr;

use crate::support::files::write_private;
use crate::support::recordings::{play, recordings, table};
use crate::support::{
    CCSESSION, ID, PATIENCE, Sandbox, as_client, data, event, hook_for, json_lines, mode, text,
};

const OTHER_ID: &str = "5b484999-1111-4222-8333-444455556666";
/// A shell that stands for a client: it runs the hooks that it is told to, as long as the test lets it.
pub(crate) struct Client {
    shell: Child,
    acknowledged: BufReader<ChildStdout>,
}

impl Client {
    pub(crate) fn new(sandbox: &Sandbox) -> Self {
        let script = "while read -r hook payload; do printf '%s\\n' \"$payload\" | CLAUDE_PID=$$ \"$hook\"; echo \"$?\"; done";
        let mut run = sandbox.run("/bin/sh").arg("-c").arg(script);
        let (stdin, stdout) = (Stdio::piped(), Stdio::piped());
        let mut shell = run.command.stdin(stdin).stdout(stdout).spawn().unwrap();
        let acknowledged = BufReader::new(shell.stdout.take().unwrap());
        Self {
            shell,
            acknowledged,
        }
    }

    /// An event of the session `id`, which this client has.
    #[track_caller]
    pub(crate) fn tell(&mut self, id: &str, name: &str, more: Value) {
        let line = format!("{} {}\n", hook_for(name), event(name, id, more));
        let stdin = self.shell.stdin.as_mut().unwrap();
        stdin.write_all(line.as_bytes()).unwrap();
        let mut status = String::new();
        self.acknowledged.read_line(&mut status).unwrap();
        assert_eq!(status, "0\n", "{name}");
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.shell.kill();
        let _ = self.shell.wait();
    }
}

impl Sandbox {
    fn metrics(&self) -> Value {
        self.ccsession(["metrics", "--json"]).json()
    }

    /// What Prometheus reads, which must be in its format.
    #[track_caller]
    fn series(&self) -> BTreeMap<String, f64> {
        parse(&self.ccsession(["metrics", "--prometheus"]).stdout())
    }

    fn begin(&self, id: &str) -> Client {
        let mut client = Client::new(self);
        client.tell(id, "SessionStart", json!({"source": "startup"}));
        client
    }

    /// A session of which no process is on record.
    fn begin_unowned(&self, id: &str) {
        self.hook(&event("SessionStart", id, json!({"source": "startup"})))
            .silent();
    }

    /// Makes a session's last event that old; one from the future is of a clock that was set back.
    fn quiet_since(&self, id: &str, time: SystemTime) {
        let journal = self.session(id).join("events.jsonl");
        let journal = fs::File::options().write(true).open(journal).unwrap();
        journal.set_modified(time).unwrap();
    }

    fn started(&self, id: &str, seconds_ago: i64) {
        let mut record = self.record(id);
        let time = chrono::Local::now() - chrono::TimeDelta::seconds(seconds_ago);
        record["started_at"] = json!(time.to_rfc3339());
        write_private(&self.session(id).join("session.json"), &record.to_string());
    }

    fn active(&self) -> Value {
        self.metrics()["active_sessions"].clone()
    }
}

fn ago(seconds: u64) -> SystemTime {
    SystemTime::now() - Duration::from_secs(seconds)
}

// A strict reader of the text format, by its specification: what it does not know fails the test.

/// The samples by name and labels, of a text in which every rule is kept.
#[track_caller]
fn parse(text: &str) -> BTreeMap<String, f64> {
    assert!(text.ends_with('\n'), "the last line has no end");
    let mut samples = BTreeMap::new();
    let mut families: BTreeMap<&str, &str> = BTreeMap::new();
    let mut described = None;
    let mut family = "";
    for line in text.lines() {
        assert!(!line.is_empty() && line.trim() == line, "{line:?}");
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (name, help) = help.split_once(' ').unwrap();
            assert!(!help.contains('\\') && help.ends_with('.'), "{line}");
            described = Some(name);
        } else if let Some(kind) = line.strip_prefix("# TYPE ") {
            let (name, kind) = kind.split_once(' ').unwrap();
            assert_eq!(described.take(), Some(name), "HELP comes before TYPE");
            assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
            assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
            assert!(name.starts_with("ccsession_") && is_name(name), "{line}");
            assert_eq!(families.insert(name, kind), None, "{name} comes twice");
            family = name;
        } else {
            assert!(!line.starts_with('#'), "{line}");
            assert_eq!(described, None, "{line}: HELP without TYPE");
            let (name, labels, value) = sample(line);
            let ending = name.strip_prefix(family);
            let endings = match families[family] {
                "histogram" => &["_bucket", "_sum", "_count"][..],
                _ => &[""],
            };
            assert!(ending.is_some_and(|it| endings.contains(&it)), "{line}");
            let key = format!("{name}{labels:?}");
            assert_eq!(samples.insert(key, value), None, "{line}: comes twice");
        }
    }
    for (name, _) in families.iter().filter(|(_, kind)| **kind == "histogram") {
        check_histogram(text, name);
    }
    samples
}

fn is_name(name: &str) -> bool {
    name.chars().all(|c| c.is_ascii_lowercase() || c == '_')
}

/// A line's name, labels and value.
#[track_caller]
fn sample(line: &str) -> (&str, Vec<(String, String)>, f64) {
    let end = line.find(['{', ' ']).unwrap();
    let (name, mut rest) = line.split_at(end);
    assert!(is_name(name), "{line}");
    let mut labels = Vec::new();
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside;
        loop {
            let (label, after) = rest.split_once("=\"").unwrap();
            assert!(is_name(label), "{line}");
            let mut value = String::new();
            let mut chars = after.char_indices();
            let end = loop {
                match chars.next().unwrap() {
                    (at, '"') => break at,
                    (_, '\\') => value.push(match chars.next().unwrap().1 {
                        'n' => '\n',
                        c @ ('\\' | '"') => c,
                        c => panic!("{line}: there is no escape \\{c}"),
                    }),
                    (_, c) => value.push(c),
                }
            };
            labels.push((label.to_owned(), value));
            rest = &after[end + 1..];
            match rest.strip_prefix(',') {
                Some(more) => rest = more,
                None => break rest = rest.strip_prefix('}').unwrap(),
            }
        }
    }
    let value = rest.strip_prefix(' ').unwrap();
    assert!(!value.contains(' '), "{line}: no sample has a time");
    (name, labels, value.parse().unwrap())
}

/// Buckets grow to the bound that is infinite, which holds as many as there are.
#[track_caller]
fn check_histogram(text: &str, name: &str) {
    let mut by_tool: BTreeMap<String, Vec<(f64, f64)>> = BTreeMap::new();
    let mut counts = BTreeMap::new();
    let mut sums = BTreeSet::new();
    for line in text.lines().filter(|line| line.starts_with(name)) {
        let (name, labels, value) = sample(line);
        let tool = labels[0].1.clone();
        if name.ends_with("_bucket") {
            assert_eq!(labels[1].0, "le");
            let bound = labels[1].1.replace("+Inf", "inf").parse().unwrap();
            by_tool.entry(tool).or_default().push((bound, value));
        } else if name.ends_with("_count") {
            counts.insert(tool, value);
        } else {
            sums.insert(tool);
        }
    }
    assert!(counts.keys().eq(sums.iter()) && counts.keys().eq(by_tool.keys()));
    for (tool, buckets) in by_tool {
        assert!(buckets.is_sorted_by(|one, next| one.0 < next.0 && one.1 <= next.1));
        assert_eq!(buckets.last(), Some(&(f64::INFINITY, counts[&tool])));
    }
}

// What is counted.

#[test]
fn where_nothing_is_recorded_everything_is_zero() {
    let sandbox = Sandbox::new();
    let metrics = sandbox.metrics();
    let expected = json!({
        "v": 1,
        "total_sessions": 0,
        "active_sessions": 0,
        "oldest_session_age": 0.0,
        "newest_session_age": 0.0,
        "avg_session_age": 0.0,
        "sessions": {"started": 0, "active": 0, "idle": 0, "ended": 0, "abandoned": 0, "imported": 0, "ends": 0, "waiting": nobody()},
        "tools": [],
        "hook_errors": 0,
        "damaged_lines": 0,
        "leases": {"refused": 0, "taken_over": 0, "crashed": 0},
        "archives": {"count": 0, "bytes": 0},
    });
    assert_eq!(metrics, expected);
    assert!(sandbox.series().values().all(|value| *value == 0.0));
    assert!(!sandbox.state().exists(), "looking creates nothing");
}

/// The counts where no session waits for a person.
fn nobody() -> Value {
    json!({"permission": 0, "question": 0, "plan": 0, "error": 0, "prompt": 0})
}

#[test]
fn get_session_metrics() {
    let sandbox = Sandbox::just_swept();
    let _clients = [sandbox.begin(ID), sandbox.begin(OTHER_ID)];
    sandbox.started(ID, 3600);
    sandbox.started(OTHER_ID, 60);
    let metrics = sandbox.metrics();
    assert_eq!(
        (&metrics["total_sessions"], &metrics["active_sessions"]),
        (&json!(2), &json!(2))
    );
    let ages = ["oldest", "newest", "avg"].map(|which| {
        let age = metrics[format!("{which}_session_age")].as_f64().unwrap();
        age.round() as u64
    });
    let [oldest, newest, avg] = ages;
    // Older by what the test itself has taken.
    let patience = PATIENCE.as_secs();
    assert!((3600..3600 + patience).contains(&oldest), "{ages:?}");
    assert!((60..60 + patience).contains(&newest), "{ages:?}");
    assert!((1830..1830 + patience).contains(&avg), "{ages:?}");
}

#[test]
fn session_duration_tracking() {
    let sandbox = Sandbox::just_swept();
    let _client = sandbox.begin(ID);
    let before = sandbox.metrics()["oldest_session_age"].as_f64().unwrap();
    std::thread::sleep(Duration::from_millis(500));
    let after = sandbox.metrics()["oldest_session_age"].as_f64().unwrap();
    assert!(before > 0.0 && after - before >= 0.5, "{before} {after}");
}

#[test]
fn metrics_after_cleanup() {
    let sandbox = Sandbox::just_swept();
    let ids = ["s-1", "s-2", "s-3"];
    for id in ids {
        sandbox.begin_unowned(id);
    }
    assert_eq!(sandbox.active(), 3);
    for id in ids {
        sandbox.quiet_since(id, ago(25 * 60 * 60));
    }
    assert_eq!(sandbox.active(), 0);
    sandbox.ccsession(["cleanup"]).stdout();
    let metrics = sandbox.metrics();
    assert_eq!(
        metrics["sessions"],
        json!({"started": 3, "active": 0, "idle": 0, "ended": 0, "abandoned": 3, "imported": 0, "ends": 0, "waiting": nobody()})
    );
    assert_eq!(metrics["oldest_session_age"], 0.0);
}

#[test]
fn a_session_is_active_until_the_timeout_and_idle_from_then_on() {
    let sandbox = Sandbox::just_swept();
    let mut client = sandbox.begin(ID);
    let within = |timeout: &str| {
        let run = sandbox.ccsession(["metrics", "--json"]);
        let metrics = run.env("SESSION_TIMEOUT_SECS", timeout).json();
        let sessions = &metrics["sessions"];
        let live = metrics["oldest_session_age"].as_f64().unwrap() > 0.0;
        (sessions["active"].clone(), sessions["idle"].clone(), live)
    };
    sandbox.quiet_since(ID, ago(100));
    assert_eq!(within("90"), (json!(0), json!(1), true));
    assert_eq!(within("3600"), (json!(1), json!(0), true));
    // What happens in it prevents the timeout.
    client.tell(ID, "Notification", json!({}));
    assert_eq!(within("90"), (json!(1), json!(0), true));
}

#[test]
fn another_state_directory_does_not_see_the_session() {
    let (one, other) = (Sandbox::just_swept(), Sandbox::just_swept());
    let _client = one.begin(ID);
    assert_eq!((one.active(), other.active()), (json!(1), json!(0)));
}

// Bugs of the older manager, none of which may come back.

/// In the older tools, stale sessions counted.
#[test]
fn stale_sessions_are_not_counted_as_active() {
    let sandbox = Sandbox::just_swept();
    sandbox.begin_unowned(ID);
    sandbox.quiet_since(ID, ago(2 * 60 * 60));
    let _client = sandbox.begin(OTHER_ID);
    let metrics = sandbox.metrics();
    assert_eq!(
        (&metrics["active_sessions"], &metrics["total_sessions"]),
        (&json!(1), &json!(2))
    );
}

/// In the older tools, a cleanup dropped sessions with calls under way.
#[test]
fn a_busy_session_does_not_time_out() {
    let sandbox = Sandbox::just_swept();
    let mut client = sandbox.begin(ID);
    let call = json!({"tool_name": "Bash", "tool_use_id": "t1", "tool_input": {}});
    client.tell(ID, "PreToolUse", call);
    sandbox.quiet_since(ID, ago(5 * 60 * 60));
    assert_eq!(sandbox.active(), 1);
    sandbox.ccsession(["cleanup"]).stdout();
    assert_eq!(sandbox.active(), 1);
}

/// In the older tools, an activity in the future never expired.
#[test]
fn activity_from_the_future_does_not_keep_a_session_for_ever() {
    let sandbox = Sandbox::just_swept();
    sandbox.begin_unowned(ID);
    let year = Duration::from_secs(365 * 24 * 60 * 60);
    sandbox.quiet_since(ID, SystemTime::now() + year);
    assert_eq!(sandbox.active(), 0);
    let client = sandbox.begin(OTHER_ID);
    sandbox.quiet_since(OTHER_ID, SystemTime::now() + year);
    let sessions = sandbox.metrics()["sessions"].clone();
    assert_eq!(
        (&sessions["idle"], &sessions["abandoned"]),
        (&json!(1), &json!(1))
    );
    // A clock that is a little off is nothing to doubt.
    sandbox.quiet_since(OTHER_ID, SystemTime::now() + Duration::from_secs(60));
    assert_eq!(sandbox.active(), 1);
    sandbox.started(OTHER_ID, -3600);
    assert_eq!(sandbox.metrics()["oldest_session_age"], 0.0);
    drop(client);
}

/// In the older tools, a value with a trailing comment, or an empty one, stopped the import.
#[test]
fn a_timeout_with_a_comment_or_without_a_value_stops_nothing() {
    let sandbox = Sandbox::just_swept();
    let _client = sandbox.begin(ID);
    for timeout in ["", "3600", "3600  # Session timeout"] {
        let run = sandbox.ccsession(["metrics", "--json"]);
        let metrics = run.env("SESSION_TIMEOUT_SECS", timeout).json();
        assert_eq!(metrics["active_sessions"], 1, "{timeout}");
    }
    for timeout in ["0", "-1", "soon", "99999999999999999999999"] {
        let run = sandbox
            .ccsession(["metrics"])
            .env("SESSION_TIMEOUT_SECS", timeout);
        let said = run.refused(1);
        assert!(said.contains("SESSION_TIMEOUT_SECS"), "{said}");
    }
}

/// In the older tools, nothing was noted as activity, and a session that had timed out was handed back as it was.
#[test]
fn a_session_that_timed_out_is_active_again_with_its_next_event() {
    let sandbox = Sandbox::just_swept();
    let mut client = sandbox.begin(ID);
    sandbox.quiet_since(ID, ago(2 * 60 * 60));
    assert_eq!(sandbox.active(), 0);
    client.tell(ID, "UserPromptSubmit", json!({"prompt": "x"}));
    assert_eq!(sandbox.active(), 1);
}

#[test]
fn an_end_is_counted_each_time_and_a_session_once() {
    let sandbox = Sandbox::just_swept();
    let mut client = sandbox.begin(ID);
    let counts = || {
        let sessions = sandbox.metrics()["sessions"].clone();
        ["started", "active", "ended", "ends"].map(|key| sessions[key].as_u64().unwrap())
    };
    assert_eq!(counts(), [1, 1, 0, 0]);
    client.tell(ID, "SessionEnd", json!({"reason": "other"}));
    assert_eq!(counts(), [1, 0, 1, 1]);
    client.tell(ID, "SessionStart", json!({"source": "resume"}));
    assert_eq!(counts(), [1, 1, 0, 1]);
    client.tell(ID, "SessionEnd", json!({"reason": "logout"}));
    assert_eq!(counts(), [1, 0, 1, 2]);
}

/// In the older tools, to ask for the sessions always failed. There were no numbers of single sessions.
#[test]
fn metrics_and_list_agree_on_every_session() {
    for name in recordings() {
        let sandbox = play(&name);
        let listed = sandbox.ccsession(["list", "--all", "--json"]).json();
        let sessions = sandbox.metrics()["sessions"].clone();
        for state in ["active", "idle", "ended", "abandoned"] {
            let listed = listed["sessions"].as_array().unwrap().iter();
            let count = listed.filter(|session| session["state"] == state).count();
            assert_eq!(sessions[state], count, "{name}: {state}");
        }
    }
}

#[test]
fn the_numbers_of_each_recording_are_those_of_its_tables() {
    let mut seen = 0;
    for name in recordings() {
        let sandbox = play(&name);
        let rows = table(&data("calls").join(format!("{name}.tsv")));
        let mut tools: BTreeMap<&str, (u64, u64, Vec<u64>)> = BTreeMap::new();
        for row in &rows {
            seen += 1;
            let (calls, failed, durations) = tools.entry(&row["tool"]).or_default();
            *calls += 1;
            *failed += u64::from(row["state"] == "failed");
            durations.extend(row["duration_ms"].parse::<u64>());
        }
        let metrics = sandbox.metrics();
        let found = metrics["tools"].as_array().unwrap();
        assert_eq!(found.len(), tools.len(), "{name}");
        for tool in found {
            let (calls, failed, durations) = &tools[tool["tool"].as_str().unwrap()];
            assert_eq!(
                (&tool["calls"], &tool["failed"]),
                (&json!(calls), &json!(failed))
            );
            assert_eq!(
                tool["durations"]["count"],
                durations.len(),
                "{name}: {tool}"
            );
            let sum = durations.iter().sum::<u64>() as f64 / 1000.0;
            let told = tool["durations"]["sum"].as_f64().unwrap();
            assert!((told - sum).abs() < 1e-9, "{name}: {tool}");
            for bucket in tool["durations"]["buckets"].as_array().unwrap() {
                let bound = bucket["le"].as_f64().unwrap() * 1000.0;
                let within = durations.iter().filter(|it| **it as f64 <= bound).count();
                assert_eq!(bucket["count"], within, "{name}: {tool}: {bucket}");
            }
        }
        let sessions = table(&data("calls").join(format!("{name}.sessions.tsv")));
        assert_eq!(metrics["total_sessions"], sessions.len(), "{name}");
    }
    assert_eq!(seen, 87);
}

#[test]
fn a_file_for_prometheus_needs_its_format() {
    let sandbox = Sandbox::new();
    let path = sandbox.path("ccsession.prom");
    for format in [&[][..], &["--json"]] {
        let run = sandbox.ccsession([&["metrics"], format].concat());
        let refused = run.arg("--output").arg(&path).refused(64);
        assert!(refused.contains("add --prometheus"), "{refused}");
        assert!(!path.exists());
    }
    let run = sandbox.ccsession(["metrics", "--prometheus", "--output"]);
    run.arg(&path).stdout();
    assert!(path.exists());
}

#[test]
fn prometheus_reads_the_same_numbers() {
    let sandbox = play("c");
    let metrics = sandbox.metrics();
    let series = sandbox.series();
    let tool =
        |name: &str, tool: &str| series[&format!("ccsession_{name}[(\"tool\", \"{tool}\")]")];
    for told in metrics["tools"].as_array().unwrap() {
        let name = told["tool"].as_str().unwrap();
        assert_eq!(told["calls"].as_f64(), Some(tool("tool_calls_total", name)));
        assert_eq!(
            told["failed"].as_f64(),
            Some(tool("tool_failures_total", name))
        );
        let durations = &told["durations"];
        let histogram = "tool_call_duration_seconds";
        for (key, ending) in [("count", "count"), ("sum", "sum")] {
            let told = durations[key].as_f64();
            assert_eq!(told, Some(tool(&format!("{histogram}_{ending}"), name)));
        }
        for bucket in durations["buckets"].as_array().unwrap() {
            let le = bucket["le"].as_f64().unwrap();
            let key =
                format!("ccsession_{histogram}_bucket[(\"tool\", \"{name}\"), (\"le\", \"{le}\")]");
            assert_eq!(bucket["count"].as_f64(), Some(series[&key]), "{key}");
        }
    }
    for state in ["active", "idle", "ended", "abandoned"] {
        let key = format!("ccsession_sessions[(\"state\", \"{state}\")]");
        assert_eq!(metrics["sessions"][state].as_f64(), Some(series[&key]));
    }
    let started = series["ccsession_sessions_started_total[]"];
    assert_eq!(metrics["total_sessions"].as_f64(), Some(started));
    assert!(started > 0.0);
}

#[test]
fn counters_only_grow_while_sessions_go_on() {
    let sandbox = Sandbox::just_swept();
    let mut before = BTreeMap::new();
    let mut grown = BTreeSet::new();
    for (place, call) in json_lines(&data("payloads/sessions/c.jsonl"))
        .iter()
        .enumerate()
    {
        let payload = &call["stdin"];
        let hook = hook_for(payload["hook_event_name"].as_str().unwrap());
        let run = sandbox.run(hook).stdin(payload.to_string());
        run.env("CLAUDE_PID", as_client()).silent();
        if place % 3 != 0 {
            continue;
        }
        let series = sandbox.series();
        for (name, value) in &series {
            let is_counter = ["_total[", "_bucket[", "_count[", "_sum["]
                .iter()
                .any(|ending| name.contains(ending));
            let earlier = before.get(name).copied().unwrap_or(0.0);
            assert!(
                !is_counter || *value >= earlier,
                "{name}: {value} after {earlier}"
            );
            if is_counter && *value > earlier {
                grown.insert(name.clone());
            }
        }
        assert!(before.keys().all(|name| series.contains_key(name)));
        before = series;
    }
    assert!(grown.len() > 10, "{grown:?}");
}

#[test]
fn errors_and_refusals_recorded_elsewhere_are_counted() {
    let sandbox = Sandbox::just_swept();
    let state = sandbox.state();
    let error = "\n{\"v\":1,\"ts\":\"2026-11-20T14:00:00Z\",\"what\":\"x\",\"pid\":1}\n";
    write_private(&state.join("hook-errors.1.jsonl"), error);
    write_private(
        &state.join("hook-errors.jsonl"),
        &format!("{error}{error}\n{{\"v\":1,"),
    );
    let counts = json!({"v": 1, "refused": 4, "taken_over": 2, "crashed": 3});
    write_private(&state.join("lease-counts.json"), &counts.to_string());
    let metrics = sandbox.metrics();
    assert_eq!(metrics["hook_errors"], 3);
    assert_eq!(
        metrics["leases"],
        json!({"refused": 4, "taken_over": 2, "crashed": 3})
    );
    let series = sandbox.series();
    assert_eq!(series["ccsession_hook_errors_total[]"], 3.0);
    assert_eq!(series["ccsession_leases_refused_total[]"], 4.0);
    assert_eq!(series["ccsession_leases_taken_over_total[]"], 2.0);
    assert_eq!(series["ccsession_leases_crashed_total[]"], 3.0);
}

#[test]
fn archives_are_counted_by_manifest_with_all_their_bytes() {
    let sandbox = Sandbox::just_swept();
    let shop = sandbox.state().join("archive/shop");
    fs::create_dir_all(&shop).unwrap();
    for (name, size) in [
        ("2026-11-20-x-a.txt", 1000),
        ("2026-11-20-x-a.jsonl.zst", 200),
        ("2026-11-20-x-a.manifest.json", 30),
        ("2026-11-21-y-b.manifest.json", 4),
    ] {
        write_private(&shop.join(name), &"x".repeat(size));
    }
    // What is elsewhere is not ours to count, and a circle has no end.
    fs::write(sandbox.path("elsewhere.manifest.json"), "xxx").unwrap();
    symlink(
        sandbox.path("elsewhere.manifest.json"),
        shop.join("l.manifest.json"),
    )
    .unwrap();
    symlink(sandbox.state(), shop.join("circle")).unwrap();
    assert_eq!(
        sandbox.metrics()["archives"],
        json!({"count": 2, "bytes": 1234})
    );
    let series = sandbox.series();
    assert_eq!(series["ccsession_archives[]"], 2.0);
    assert_eq!(series["ccsession_archive_bytes[]"], 1234.0);
}

#[test]
fn what_cannot_be_read_is_named_left_out_or_counted() {
    let sandbox = Sandbox::just_swept();
    let _clients = [sandbox.begin(ID), sandbox.begin(OTHER_ID)];
    let record = sandbox.session(OTHER_ID).join("session.json");
    write_private(&record, "{");
    let journal = sandbox.session(ID).join("events.jsonl");
    let lines = fs::read_to_string(&journal).unwrap();
    fs::write(&journal, format!("{lines}\n{{\"v\":1\n{{\"a\":1}}\n")).unwrap();
    let output = sandbox.ccsession(["metrics", "--json"]).output();
    let metrics: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (
            output.status.code(),
            &metrics["total_sessions"],
            &metrics["damaged_lines"]
        ),
        (Some(0), &json!(1), &json!(2))
    );
    let said = text(&output.stderr);
    assert!(
        said.contains(record.to_str().unwrap()) && said.ends_with("; skipped\n"),
        "{said}"
    );
}

// How it is printed.

const RUN_C_PRINTED: &str = "\
SESSIONS  ACTIVE  IDLE  ENDED  ABANDONED  IMPORTED
1         0       0     1      0          0

TOOL   CALLS  FAILED
Bash   7      1
Agent  5      -

TIME      CALLS
to 10ms   2      ████████
to 50ms   3      ████████████
to 500ms  1      ████
to 1.00s  1      ████
to 2.50s  5      ████████████████████

OTHERS             COUNT
hook errors        0
damaged lines      0
leases refused     0
leases taken over  0
leases crashed     0
archives           0
bytes archived     0
";

#[test]
fn people_see_tables_that_fit_eighty_columns() {
    let sandbox = play("c");
    sandbox.ccsession(["metrics"]).expect(0, RUN_C_PRINTED, "");
    for name in recordings() {
        let printed = play(&name).ccsession(["metrics"]).stdout();
        assert!(printed.lines().all(|line| line.width() <= 80), "{printed}");
    }
}

#[test]
fn names_of_strangers_break_no_line_and_no_series() {
    let sandbox = Sandbox::just_swept();
    let mut client = sandbox.begin(ID);
    let names = [
        "say \"hi\"\\",
        "two\nlines",
        "a} 1",
        "\u{1b}[2J",
        "\\u{1b}[2J",
        "日本",
        &"x".repeat(500),
        "",
    ];
    for (place, name) in names.iter().enumerate() {
        let call = json!({"tool_name": name, "tool_use_id": place.to_string(), "tool_input": {}});
        client.tell(ID, "PreToolUse", call);
    }
    let series = sandbox.series();
    let calls = |label: &str| {
        let key = format!("ccsession_tool_calls_total{:?}", [("tool", label)]);
        series.get(&key).copied()
    };
    for name in ["say \"hi\"\\", "two\nlines", "a} 1", "日本", "?"] {
        assert_eq!(calls(name), Some(1.0), "{name}");
    }
    // Two names that would be written alike are one series.
    assert_eq!(calls("\\u{1b}[2J"), Some(2.0));
    for arguments in [&["metrics"][..], &["metrics", "--prometheus"]] {
        let printed = sandbox.ccsession(arguments).stdout();
        let is_safe = |c: char| c == '\n' || !c.is_control();
        assert!(printed.chars().all(is_safe), "{printed}");
    }
    let printed = sandbox.ccsession(["metrics"]).env("COLUMNS", "80").stdout();
    assert!(printed.lines().all(|line| line.width() <= 80), "{printed}");
}

#[test]
fn promtool_finds_nothing_to_complain_about() {
    let is_there = Command::new("promtool").arg("--version").output();
    if !is_there.is_ok_and(|output| output.status.success()) {
        println!("skipped: promtool is missing");
        return;
    }
    for sandbox in [Sandbox::new(), play("c"), play("mcp")] {
        let file = sandbox.path("metrics.prom");
        let run = sandbox.ccsession(["metrics", "--prometheus", "--output"]);
        run.arg(&file).silent();
        let checked = Command::new("promtool")
            .args(["check", "metrics"])
            .stdin(fs::File::open(&file).unwrap())
            .output()
            .unwrap();
        let said = text(&checked.stderr) + &text(&checked.stdout);
        assert_eq!((checked.status.code(), said.as_str()), (Some(0), ""));
    }
}

#[test]
fn one_form_at_a_time() {
    let sandbox = Sandbox::new();
    sandbox
        .ccsession(["metrics", "--json", "--prometheus"])
        .refused(64);
    sandbox.ccsession(["metrics", "extra"]).refused(64);
}

// Into a file.

/// What is in the directory of the sandbox's output.
fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn a_file_is_replaced_whole_for_everybody_to_read() {
    let sandbox = play("c");
    let dir = sandbox.path("collector");
    fs::create_dir(&dir).unwrap();
    let file = dir.join("ccsession.prom");
    let arguments = ["metrics", "--prometheus", "--output"];
    for umask in ["077", "000"] {
        let script =
            format!("umask {umask}; exec {CCSESSION} metrics --prometheus --output \"$0\"");
        let run = sandbox.run("/bin/sh").arg("-c").arg(script).arg(&file);
        run.silent();
        assert_eq!(mode(&file), 0o644);
        assert_eq!(names(&dir), ["ccsession.prom"]);
        parse(&fs::read_to_string(&file).unwrap());
    }
    // A private one that was there before is one that everybody may read afterwards, and it is another file.
    write_private(&file, "old");
    let old = fs::File::open(&file).unwrap();
    sandbox.ccsession(arguments).arg(&file).silent();
    assert_eq!(mode(&file), 0o644);
    assert_eq!(std::io::read_to_string(old).unwrap(), "old");

    sandbox
        .ccsession(["metrics", "--json", "--output", "m.json"])
        .dir(&dir)
        .silent();
    let written: Value = serde_json::from_slice(&fs::read(dir.join("m.json")).unwrap()).unwrap();
    assert_eq!(written["v"], 1);
    sandbox
        .ccsession(["metrics", "--output", "m.txt"])
        .dir(&dir)
        .silent();
    assert!(
        fs::read_to_string(dir.join("m.txt"))
            .unwrap()
            .starts_with("SESSIONS")
    );
}

#[test]
fn a_link_or_what_is_not_ours_is_refused_and_stays() {
    let sandbox = Sandbox::new();
    let dir = sandbox.path("collector");
    fs::create_dir(&dir).unwrap();
    let target = sandbox.path("target");
    fs::write(&target, "precious").unwrap();
    let refused = |file: &Path, why: &str| {
        let run = sandbox.ccsession(["metrics", "--prometheus", "--output"]);
        let said = run.arg(file).refused(1);
        let expected = format!(
            "ccsession: could not write `{}`: {why}; choose a regular file that you own, or a new one",
            file.display()
        );
        assert_eq!(said, expected);
    };
    let link = dir.join("link");
    symlink(&target, &link).unwrap();
    refused(&link, "it is a symbolic link");
    let dangling = dir.join("dangling");
    symlink(sandbox.path("nowhere"), &dangling).unwrap();
    refused(&dangling, "it is a symbolic link");
    assert!(!sandbox.path("nowhere").exists());
    refused(&dir, "it is not a regular file");
    let fifo = dir.join("fifo");
    assert!(
        Command::new("mkfifo")
            .arg(&fifo)
            .status()
            .unwrap()
            .success()
    );
    refused(&fifo, "it is not a regular file");
    refused(Path::new("/dev/null"), "it is not a regular file");
    assert_eq!(fs::read_to_string(&target).unwrap(), "precious");
    let foreign = dir.join("foreign");
    fs::write(&foreign, "theirs").unwrap();
    if chown(&foreign, Some(65534), None).is_ok() {
        refused(&foreign, "it belongs to another user (uid 65534)");
        assert_eq!(fs::read_to_string(&foreign).unwrap(), "theirs");
    } else {
        println!("skipped: only root can give files away");
    }
    assert_eq!(names(&dir), ["dangling", "fifo", "foreign", "link"]);
}

#[test]
fn a_failed_write_leaves_the_file_as_it_was() {
    let sandbox = play("c");
    let dir = sandbox.path("collector");
    fs::create_dir(&dir).unwrap();
    let file = dir.join("ccsession.prom");
    fs::write(&file, "old\n").unwrap();
    // A limit on the size of files, which stops a write in its midst as a full disk does.
    let script = format!("ulimit -f 1; exec {CCSESSION} metrics --prometheus --output \"$0\"");
    let run = sandbox.run("/bin/sh").arg("-c").arg(script).arg(&file);
    let said = run.refused(1);
    assert!(said.starts_with("ccsession: could not write `"), "{said}");
    assert_eq!(fs::read_to_string(&file).unwrap(), "old\n");
    assert_eq!(names(&dir), ["ccsession.prom"]);

    let nowhere = sandbox.path("no/such/dir/x.prom");
    let run = sandbox
        .ccsession(["metrics", "--prometheus", "--output"])
        .arg(&nowhere);
    let said = run.refused(1);
    assert!(said.contains("No such file or directory"), "{said}");
}

#[test]
fn a_concurrent_reader_sees_a_whole_file() {
    let sandbox = play("c");
    let file = sandbox.path("ccsession.prom");
    let arguments = ["metrics", "--prometheus", "--output"];
    sandbox.ccsession(arguments).arg(&file).silent();
    let mut writers = Vec::new();
    for _ in 0..2 {
        let script = format!(
            "for i in 1 2 3 4 5 6 7 8; do {CCSESSION} metrics --prometheus --output \"$0\" || exit 1; done"
        );
        let mut run = sandbox.run("/bin/sh").arg("-c").arg(script).arg(&file);
        writers.push(run.command.stdin(Stdio::null()).spawn().unwrap());
    }
    let mut reads = 0;
    while writers
        .iter_mut()
        .any(|it| it.try_wait().unwrap().is_none())
    {
        parse(&fs::read_to_string(&file).unwrap());
        reads += 1;
    }
    assert!(reads > 10, "{reads}");
    for mut writer in writers {
        assert!(writer.wait().unwrap().success());
    }
}

#[test]
fn a_private_state_directory_stays_private() {
    let sandbox = Sandbox::just_swept();
    fs::set_permissions(sandbox.state(), fs::Permissions::from_mode(0o755)).unwrap();
    let said = sandbox.ccsession(["metrics"]).refused(1);
    assert!(said.contains("chmod 700"), "{said}");
}
