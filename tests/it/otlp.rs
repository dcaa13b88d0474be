//! `ccsession export --format otlp-jsonl`: the official decoders read it, and it says what `timeline`
//! and `metrics` say.

use std::collections::{HashMap, HashSet};
use std::fs;

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::metrics::v1::{metric, number_data_point};
use opentelemetry_proto::tonic::trace::v1::Span;
use serde_json::{Value, json};

use crate::support::recordings::{play, recordings};
use crate::support::states::age;
use crate::support::{ID, Sandbox, event, json_lines};

const NATIVE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

impl Sandbox {
    #[track_caller]
    fn otlp(&self, arguments: &[&str]) -> String {
        let all = self.ccsession(["export", "--all", "--format", "otlp-jsonl"]);
        arguments.iter().fold(all, |run, it| run.arg(it)).stdout()
    }

    #[track_caller]
    fn spans(&self, arguments: &[&str]) -> Vec<Span> {
        let text = self.otlp(arguments);
        let requests = text.lines().map(|line| {
            let request: ExportTraceServiceRequest = serde_json::from_str(line).unwrap();
            knows_all(line, &serde_json::to_value(&request).unwrap());
            request
        });
        let resources = requests.flat_map(|it| it.resource_spans);
        let scopes = resources.flat_map(|it| it.scope_spans);
        scopes.flat_map(|it| it.spans).collect()
    }

    #[track_caller]
    fn records(&self, arguments: &[&str]) -> Vec<LogRecord> {
        let text = self.otlp(&[&["--signal", "logs"], arguments].concat());
        let requests = text.lines().map(|line| {
            let request: ExportLogsServiceRequest = serde_json::from_str(line).unwrap();
            knows_all(line, &serde_json::to_value(&request).unwrap());
            request
        });
        let resources = requests.flat_map(|it| it.resource_logs);
        let scopes = resources.flat_map(|it| it.scope_logs);
        scopes.flat_map(|it| it.log_records).collect()
    }
}

/// Checks that the official types know every member of a line.
#[track_caller]
fn knows_all(line: &str, official: &Value) {
    #[track_caller]
    fn check(ours: &Value, official: &Value) {
        match (ours, official) {
            (Value::Object(ours), Value::Object(official)) => {
                for (name, value) in ours {
                    let known = official.get(name);
                    check(value, known.unwrap_or_else(|| panic!("unknown: {name}")));
                }
            }
            (Value::Array(ours), Value::Array(official)) => {
                assert_eq!(ours.len(), official.len());
                ours.iter()
                    .zip(official)
                    .for_each(|(one, it)| check(one, it));
            }
            _ => {}
        }
    }
    check(&serde_json::from_str(line).unwrap(), official);
}

fn attributes(all: &[KeyValue]) -> HashMap<String, Value> {
    let value = |it: &KeyValue| match it.value.clone().unwrap().value.unwrap() {
        any_value::Value::StringValue(text) => json!(text),
        any_value::Value::IntValue(number) => json!(number),
        any_value::Value::BoolValue(flag) => json!(flag),
        other => panic!("{other:?}"),
    };
    let pairs: HashMap<_, _> = all.iter().map(|it| (it.key.clone(), value(it))).collect();
    assert_eq!(pairs.len(), all.len(), "a name is there twice: {all:?}");
    pairs
}

fn get(all: &[KeyValue], name: &str) -> Value {
    attributes(all).remove(name).unwrap_or(Value::Null)
}

/// A time of `timeline --json` in nanoseconds.
fn nanos(time: &Value) -> u64 {
    let time: ccsession::model::Timestamp = time.as_str().unwrap().parse_time();
    u64::try_from(time.micros()).unwrap() * 1000
}

trait ParseTime {
    fn parse_time(&self) -> ccsession::model::Timestamp;
}

impl ParseTime for str {
    fn parse_time(&self) -> ccsession::model::Timestamp {
        ccsession::model::Timestamp::parse(self).unwrap()
    }
}

fn ids_of(sandbox: &Sandbox) -> Vec<String> {
    let listed = sandbox.ccsession(["list", "--all", "--json"]).json();
    let sessions = listed["sessions"].as_array().unwrap().iter();
    let ids = sessions.map(|it| it["session_id"].as_str().unwrap().to_owned());
    ids.collect()
}

/// What is expected of a call, and what its span says.
type CallFacts = (Value, Value, Value, u64, Value, Value, Value);

#[test]
fn the_tree_of_spans_of_each_recording_is_that_of_timeline() {
    let mut seen = (0, 0);
    for name in recordings() {
        let sandbox = play(&name);
        let spans = sandbox.spans(&[]);
        let by_id: HashMap<_, _> = spans.iter().map(|it| (it.span_id.clone(), it)).collect();
        assert_eq!(by_id.len(), spans.len(), "{name}: two spans of one id");
        let of = |span: &Span, attribute: &str| get(&span.attributes, attribute);
        let mut found: HashMap<Value, Vec<&Span>> = HashMap::new();
        for span in &spans {
            assert_eq!((span.trace_id.len(), span.span_id.len()), (16, 8));
            assert_eq!(span.kind, 1);
            assert!(span.start_time_unix_nano <= span.end_time_unix_nano);
            found.entry(of(span, "session.id")).or_default().push(span);
            if span.parent_span_id.is_empty() {
                assert_eq!(of(span, "gen_ai.operation.name"), "invoke_agent");
                assert!(!of(span, "host.name").is_null());
                continue;
            }
            // The turn above may still go on.
            if let Some(above) = by_id.get(&span.parent_span_id) {
                assert_eq!(above.trace_id, span.trace_id, "{name}");
            }
        }
        for id in ids_of(&sandbox) {
            let timeline = sandbox.ccsession(["timeline", &id, "--json"]).json();
            let its = found.remove(&json!(id)).unwrap_or_default();
            let above = |span: &Span| by_id.get(&span.parent_span_id).copied();

            let calls = timeline["calls"].as_array().unwrap().iter();
            let over = calls.filter(|call| call["state"] != "running");
            let mut expected: Vec<CallFacts> = over
                .map(|call| {
                    (
                        call["tool_use_id"].clone(),
                        call["tool"].clone(),
                        call["state"].clone(),
                        nanos(&call["started_at"]),
                        call["duration_ms"].clone(),
                        call["agent_id"].clone(),
                        call["what"].clone(),
                    )
                })
                .collect();
            let calls = its.iter().filter(|it| it.name.starts_with("execute_tool"));
            let mut told: Vec<CallFacts> = calls
                .clone()
                .map(|span| {
                    let above = above(span);
                    // What is right above a call is the run of its subagent, or a turn.
                    let above_id = above.map_or(Value::Null, |it| of(it, "agent_id"));
                    let agent = of(span, "agent_id");
                    if above.is_some() {
                        assert_eq!(above_id, agent, "{name}: {span:?}");
                    }
                    (
                        of(span, "gen_ai.tool.call.id"),
                        of(span, "gen_ai.tool.name"),
                        of(span, "ccsession.call.state"),
                        span.start_time_unix_nano,
                        of(span, "ccsession.call.duration_ms"),
                        agent,
                        of(span, "ccsession.call.label"),
                    )
                })
                .collect();
            let key = |it: &CallFacts| format!("{it:?}");
            expected.sort_by_key(key);
            told.sort_by_key(key);
            assert_eq!(told, expected, "{name}");
            seen.0 += told.len();

            let mut expected = Vec::new();
            for agent in timeline["agents"].as_array().unwrap() {
                for run in agent["runs"].as_array().unwrap() {
                    if !run["ended_at"].is_null() {
                        let started = nanos(&run["started_at"]);
                        let (by, kind) = (&run["tool_use_id"], &agent["agent_type"]);
                        expected.push((
                            agent["agent_id"].clone(),
                            started,
                            by.clone(),
                            kind.clone(),
                        ));
                    }
                }
            }
            let runs = its
                .iter()
                .filter(|it| it.name.starts_with("invoke_agent") && !of(it, "agent_id").is_null());
            let mut told: Vec<_> = runs
                .map(|span| {
                    let by = above(span).map_or(Value::Null, |it| of(it, "gen_ai.tool.call.id"));
                    let kind = of(span, "gen_ai.agent.name");
                    (of(span, "agent_id"), span.start_time_unix_nano, by, kind)
                })
                .collect();
            expected.sort_by_key(|it| format!("{it:?}"));
            told.sort_by_key(|it| format!("{it:?}"));
            assert_eq!(told, expected, "{name}");
            seen.1 += told.len();

            let prompts = timeline["prompts"].as_array().unwrap().iter();
            let over = prompts.filter(|it| it["end"] != "open");
            let mut expected: Vec<_> = over.map(|it| it["prompt_id"].to_string()).collect();
            let turns = its.iter().filter(|it| {
                let end = of(it, "ccsession.turn.end");
                !end.is_null() && end != "unknown"
            });
            let mut told: Vec<_> = turns.map(|it| of(it, "prompt.id").to_string()).collect();
            expected.sort();
            told.sort();
            assert_eq!(told, expected, "{name}");
        }
        assert!(found.is_empty(), "{name}: {:?}", found.keys());
        assert_eq!(sandbox.otlp(&[]), sandbox.otlp(&[]), "{name}");
    }
    assert!(seen.0 >= 80 && seen.1 >= 5, "{seen:?}");
}

#[test]
fn every_event_of_each_recording_is_in_the_logs_once() {
    for name in recordings() {
        let sandbox = play(&name);
        let records = sandbox.records(&[]);
        let uid = |it: &LogRecord| get(&it.attributes, "log.record.uid").to_string();
        let uids: HashSet<String> = records.iter().map(uid).collect();
        assert_eq!(uids.len(), records.len(), "{name}");
        for id in ids_of(&sandbox) {
            let is_its = |it: &&LogRecord| get(&it.attributes, "session.id") == json!(id);
            let its: Vec<_> = records.iter().filter(is_its).collect();
            let events = its.iter().filter_map(|it| {
                let event = get(&it.attributes, "ccsession.event");
                event.as_str().map(str::to_owned)
            });
            let mut told: HashMap<String, i64> = HashMap::new();
            events.for_each(|event| *told.entry(event).or_default() += 1);
            let journal = sandbox.session(&id).join("events.jsonl");
            let mut expected: HashMap<String, i64> = HashMap::new();
            for line in json_lines(&journal) {
                let event = line["event"].as_str().unwrap().to_owned();
                *expected.entry(event).or_default() += 1;
            }
            let timeline = sandbox.ccsession(["timeline", &id, "--json"]).json();
            let copies = timeline["duplicates"].as_i64().unwrap();
            let sum = |all: &HashMap<String, i64>| all.values().sum::<i64>();
            assert_eq!(sum(&told), sum(&expected) - copies, "{name}");
            if copies == 0 {
                assert_eq!(told, expected, "{name}");
            }
            let calls = timeline["calls"].as_array().unwrap().iter();
            let over = calls.filter(|call| call["state"] != "running").count();
            let ended = its.iter().filter(|it| it.event_name == "ccsession.call");
            assert_eq!(ended.count(), over, "{name}");
        }
    }
}

#[test]
fn the_metrics_are_those_of_metrics() {
    let sandbox = play(&recordings()[0]);
    let text = sandbox.otlp(&["--signal", "metrics"]);
    let request: ExportMetricsServiceRequest = serde_json::from_str(text.trim_end()).unwrap();
    knows_all(text.trim_end(), &serde_json::to_value(&request).unwrap());
    let told = &request.resource_metrics[0].scope_metrics[0].metrics;
    let expected = sandbox.ccsession(["metrics", "--json"]).json();
    let find = |name: &str| told.iter().find(|it| it.name == name).unwrap();
    let metric::Data::Sum(calls) = find("ccsession.tool.calls").data.clone().unwrap() else {
        panic!("no sum");
    };
    assert!(calls.is_monotonic && calls.aggregation_temporality == 2);
    let of = |tool: &Value| {
        let points = calls.data_points.iter();
        let mut its = points.filter(|it| get(&it.attributes, "gen_ai.tool.name") == tool["tool"]);
        its.next().unwrap().value.unwrap()
    };
    let tools = expected["tools"].as_array().unwrap();
    assert_eq!(tools.len(), calls.data_points.len());
    for tool in tools {
        let calls = tool["calls"].as_i64().unwrap();
        assert_eq!(of(tool), number_data_point::Value::AsInt(calls));
    }
    let metric::Data::Histogram(durations) =
        find("gen_ai.execute_tool.duration").data.clone().unwrap()
    else {
        panic!("no histogram");
    };
    for (point, tool) in durations.data_points.iter().zip(tools) {
        assert_eq!(json!(point.count), tool["durations"]["count"]);
        assert_eq!(json!(point.sum.unwrap()), tool["durations"]["sum"]);
        assert_eq!(point.bucket_counts.iter().sum::<u64>(), point.count);
        assert_eq!(point.bucket_counts.len(), point.explicit_bounds.len() + 1);
        assert!(get(&point.attributes, "session.id").is_null());
    }
}

/// A session with a turn of one call, of a client with this variable.
fn traced(header: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    traced_into(&sandbox, header);
    sandbox
}

fn traced_into(sandbox: &Sandbox, header: &str) {
    let prompt = json!({"prompt": "go on", "prompt_id": "p-1"});
    let call = json!({"tool_name": "Bash", "tool_use_id": "toolu_1", "prompt_id": "p-1", "tool_input": {"command": "ls -l", "description": "List the files"}});
    sandbox
        .hook(&event("SessionStart", ID, json!({"source": "startup"})))
        .silent();
    for (name, more) in [
        ("UserPromptSubmit", prompt),
        ("PreToolUse", call.clone()),
        ("PostToolUse", call),
        ("Stop", json!({"prompt_id": "p-1"})),
    ] {
        let run = sandbox.hook(&event(name, ID, more));
        run.env("TRACEPARENT", header).silent();
    }
}

#[test]
fn a_call_that_the_client_traces_itself_is_exported_once() {
    let sandbox = traced(NATIVE);
    let kept = sandbox
        .journal(ID)
        .into_iter()
        .map(|it| it["traceparent"].clone());
    let kept: Vec<Value> = kept.collect();
    assert_eq!(
        kept,
        [
            json!(null),
            json!(NATIVE),
            json!(NATIVE),
            json!(NATIVE),
            json!(NATIVE)
        ]
    );
    assert_eq!(sandbox.spans(&[]), []);
    assert_eq!(sandbox.spans(&["--spans", "never"]), []);
    let spans = sandbox.spans(&["--spans", "always"]);
    let hex = |id: &[u8]| ccsession::model::project::to_hex(id);
    let names: Vec<_> = spans
        .iter()
        .map(|it| (it.name.as_str(), hex(&it.trace_id), hex(&it.parent_span_id)))
        .collect();
    let turn = hex(&spans[0].span_id);
    let trace = NATIVE[3..35].to_owned();
    assert_eq!(
        names,
        [
            ("invoke_agent", trace.clone(), NATIVE[36..52].to_owned()),
            ("execute_tool Bash", trace.clone(), turn),
        ]
    );
    for record in sandbox.records(&[]) {
        let is_start = record.event_name == "session.start";
        assert_eq!(record.trace_id.is_empty(), is_start);
        if !is_start {
            assert_eq!(
                (hex(&record.trace_id), hex(&record.span_id)),
                (trace.clone(), NATIVE[36..52].to_owned())
            );
        }
    }
}

#[test]
fn an_invalid_traceparent_is_not_recorded() {
    for bad in [
        "",
        "00-0",
        &NATIVE.to_uppercase(),
        "00-00000000000000000000000000000000-b7ad6b7169203331-01",
        &format!("{NATIVE}-x"),
    ] {
        let sandbox = traced(bad);
        let kept = sandbox
            .journal(ID)
            .into_iter()
            .filter(|it| it.get("traceparent").is_some());
        assert_eq!(kept.count(), 0, "{bad}");
        assert_eq!(sandbox.spans(&[]).len(), 2, "{bad}");
    }
}

#[test]
fn the_repository_is_recorded_at_the_start_without_a_secret() {
    let sandbox = Sandbox::new();
    let git = sandbox.project().join(".git");
    fs::create_dir_all(git.join("refs/heads")).unwrap();
    fs::write(git.join("HEAD"), "ref: refs/heads/main\n").unwrap();
    let config = "[remote \"origin\"]\n\turl = https://me:hunter2@GitHub.com/Acme/Shop.git\n";
    fs::write(git.join("config"), config).unwrap();
    sandbox
        .hook(&event("SessionStart", ID, json!({"source": "startup"})))
        .silent();
    let prompt = json!({"prompt": "go on", "prompt_id": "p-1"});
    sandbox
        .hook(&event("UserPromptSubmit", ID, prompt))
        .silent();
    sandbox
        .hook(&event("Stop", ID, json!({"prompt_id": "p-1"})))
        .silent();
    assert_eq!(sandbox.record(ID)["remote"], "https://github.com/acme/shop");
    for gone in [false, true] {
        if gone {
            fs::remove_dir_all(&git).unwrap();
        }
        let text = sandbox.otlp(&[]) + &sandbox.otlp(&["--signal", "logs"]);
        assert!(!text.contains("hunter2"));
        let spans = sandbox.spans(&[]);
        let of = |name| get(&spans[0].attributes, name);
        assert_eq!(
            of("vcs.repository.url.full"),
            "https://github.com/acme/shop"
        );
        assert_eq!(of("vcs.repository.name"), "shop");
        assert_eq!(of("vcs.owner.name"), "acme");
        assert_eq!(of("vcs.provider.name"), "github");
        assert_eq!(of("vcs.ref.head.name"), "main");
    }
}

#[test]
fn metadata_has_no_labels_and_no_titles() {
    let sandbox = traced("");
    let both = || sandbox.otlp(&[]) + &sandbox.otlp(&["--signal", "logs"]);
    assert!(both().contains("go on") && both().contains("List the files"));
    let config = sandbox.home().join(".config/ccsession");
    fs::create_dir_all(&config).unwrap();
    fs::write(config.join("config.toml"), "capture = \"metadata\"\n").unwrap();
    let text = both();
    assert!(
        !text.contains("go on") && !text.contains("List the files"),
        "{text}"
    );
}

#[test]
fn content_is_written_only_if_it_is_wanted_and_recorded() {
    let sandbox = Sandbox::new();
    let config = sandbox.home().join(".config/ccsession");
    fs::create_dir_all(&config).unwrap();
    fs::write(config.join("config.toml"), "capture = \"full\"\n").unwrap();
    traced_into(&sandbox, "");
    assert!(!sandbox.otlp(&[]).contains("ls -l"));
    let spans = sandbox.spans(&["--content"]);
    let call = spans
        .iter()
        .find(|it| it.name == "execute_tool Bash")
        .unwrap();
    let arguments = get(&call.attributes, "gen_ai.tool.call.arguments");
    let arguments: Value = serde_json::from_str(arguments.as_str().unwrap()).unwrap();
    assert_eq!(arguments["command"], "ls -l");
    fs::write(config.join("config.toml"), "capture = \"summary\"\n").unwrap();
    let all = ["export", "--all", "--format", "otlp-jsonl", "--content"];
    assert!(sandbox.ccsession(all).refused(64).contains("capture"));
}

#[test]
fn an_abandoned_turn_is_exported_even_without_an_open_call() {
    let sandbox = Sandbox::just_swept();
    sandbox
        .hook(&event("SessionStart", ID, json!({"source": "startup"})))
        .silent();
    let prompt = json!({"prompt": "Fix it", "prompt_id": "p-1"});
    sandbox
        .hook(&event("UserPromptSubmit", ID, prompt))
        .silent();
    assert_eq!(sandbox.spans(&[]), []);
    age(&sandbox, ID, 3601);
    let spans = sandbox.spans(&[]);
    let ends: Vec<Value> = spans
        .iter()
        .map(|span| get(&span.attributes, "ccsession.turn.end"))
        .collect();
    assert_eq!(ends, ["interrupted"]);
}

#[test]
fn what_began_before_is_left_out() {
    let sandbox = play(&recordings()[0]);
    assert!(!sandbox.otlp(&[]).is_empty());
    assert_eq!(sandbox.otlp(&["--since", "1m"]), "");
}

#[test]
fn a_file_for_each_day_has_what_began_on_it() {
    let sandbox = Sandbox::new();
    let journal = sandbox.session(ID).join("events.jsonl");
    traced_into(&sandbox, "");
    // As if its turn had begun on the evening before.
    let first = fs::read_to_string(&journal).unwrap();
    let today = &first[first.find("\"ts\":\"").unwrap() + 6..][..10];
    let moved = first
        .replace(today, "2026-11-01")
        .replacen("2026-11-01", "2026-10-31", 2);
    let moved: String = moved.lines().map(without_boot_clock).collect();
    fs::write(&journal, moved).unwrap();
    let dir = sandbox.path("days");
    for signal in ["traces", "logs"] {
        // A second time, the same files are there in place of the first ones.
        for _ in 0..2 {
            sandbox
                .ccsession([
                    "export",
                    "--all",
                    "--format",
                    "otlp-jsonl",
                    "--signal",
                    signal,
                    "--by-day",
                    "-o",
                ])
                .arg(&dir)
                .silent();
        }
    }
    let mut names: Vec<String> = fs::read_dir(&dir)
        .unwrap()
        .map(|it| it.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(
        names,
        [
            "logs-2026-10-31.jsonl",
            "logs-2026-11-01.jsonl",
            "traces-2026-10-31.jsonl",
            "traces-2026-11-01.jsonl"
        ]
    );
    let mut days: Vec<String> = Vec::new();
    for name in &names {
        let text = fs::read_to_string(dir.join(name)).unwrap();
        days.extend(text.lines().map(str::to_owned));
    }
    let all = sandbox.otlp(&["--signal", "logs"]) + &sandbox.otlp(&[]);
    let count =
        |text: &str| text.matches("\"spanId\"").count() + text.matches("\"eventName\"").count();
    assert_eq!(days.iter().map(|it| count(it)).sum::<usize>(), count(&all));
}

/// A line of a journal without the clock that would show that the wall clock was set.
fn without_boot_clock(line: &str) -> String {
    let Ok(mut event) = serde_json::from_str::<Value>(line) else {
        return "\n".to_owned();
    };
    event.as_object_mut().unwrap().remove("mono");
    format!("{event}\n")
}

#[test]
fn meaningless_options_are_refused() {
    let sandbox = Sandbox::new();
    for (arguments, expected) in [
        (
            ["csv", "--signal", "logs"].as_slice(),
            "are for --format otlp-jsonl",
        ),
        (
            &["jsonl", "--spans", "never"],
            "are for --format otlp-jsonl",
        ),
        (
            &["csv", "--by-day", "-o", "x"],
            "are for --format otlp-jsonl",
        ),
        (
            &["otlp-jsonl", "--signal", "metrics", "--by-day", "-o", "x"],
            "leave --by-day out",
        ),
        (
            &["otlp-jsonl", "--table", "calls"],
            "OpenTelemetry has no tables",
        ),
        (&["otlp-jsonl", "--slowest", "3"], "--slowest selects calls"),
        (
            &["otlp-jsonl", "--signal", "metrics", "--since", "1d"],
            "the metrics are over all sessions",
        ),
    ] {
        let run = sandbox.ccsession(["export", "--all", "--format"]);
        let said = arguments
            .iter()
            .fold(run, |run, it| run.arg(it))
            .refused(64);
        assert!(said.contains(expected), "{said}");
    }
}
