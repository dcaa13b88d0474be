//! Sessions of a few events, told as OpenTelemetry has them.

use std::collections::{HashMap, HashSet};

use super::*;
use crate::model::{JournalLine, OpenActivity, Project, TraceBuilder};
use proptest::prelude::*;

const NATIVE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

fn record() -> Record {
    let project = Project::at("/home/dev/shop".into());
    let started = Timestamp::from_unix(1_800_000_000, 0);
    Record::new("s-1".parse().unwrap(), &project, started)
}

/// Tells of these events, each a second after the one before. The process goes on.
fn told<R>(
    lines: &[&str],
    change: impl FnOnce(&mut Record),
    use_it: impl FnOnce(&OtlpSession<'_, '_>) -> R,
) -> R {
    told_if(true, lines, change, use_it)
}

/// Tells of these events, whose process goes on or is dead.
fn told_if<R>(
    is_alive: bool,
    lines: &[&str],
    change: impl FnOnce(&mut Record),
    use_it: impl FnOnce(&OtlpSession<'_, '_>) -> R,
) -> R {
    let mut builder = TraceBuilder::with_events();
    for (at, members) in lines.iter().enumerate() {
        let ts = Timestamp::from_unix(1_800_000_000 + i64::try_from(at).unwrap(), 0);
        let line = format!(
            r#"{{"v":1,"ts":"{ts}","mono":{},"pid":7,{members}}}"#,
            1_000_000 * (at + 1)
        );
        JournalLine::read(line.as_bytes(), |line| builder.push(line)).unwrap();
    }
    let trace = builder.finish();
    let activity = OpenActivity::of(&trace).close(|_| is_alive);
    let mut record = record();
    change(&mut record);
    let machine = OtlpMachine {
        name: Some("box".to_owned()),
        id: None,
    };
    use_it(&OtlpSession {
        record: &record,
        title: Some("A title"),
        machine: &machine,
        remote: None,
        trace: &trace,
        activity: &activity,
        commits: &[],
        usage: None,
        capture: Capture::Summary,
    })
}

/// Returns each span as `name < name of the span above`.
fn tree(telemetry: &Telemetry<'_>) -> Vec<String> {
    let names: HashMap<_, _> = telemetry
        .spans
        .iter()
        .map(|span| (span.id(), span.name.as_ref()))
        .collect();
    assert_eq!(names.len(), telemetry.spans.len(), "two spans of one id");
    let of = |span: &Span<'_>| {
        let above = span.parent_span_id.map(|id| {
            let known = names.get(&(span.trace_id, id)).copied();
            known.map_or_else(|| id.to_string(), str::to_owned)
        });
        format!("{} < {}", span.name, above.unwrap_or_default())
    };
    telemetry.spans.iter().map(of).collect()
}

const TURN: &[&str] = &[
    r#""event":"SessionStart","session_id":"s-1","source":"startup","model":"opus""#,
    r#""event":"UserPromptSubmit","session_id":"s-1","prompt_id":"p-1","what":"do it","branch":"main","revision":"0123456789012345678901234567890123456789""#,
    r#""event":"PreToolUse","session_id":"s-1","tool":"Agent","tool_use_id":"t-1","prompt_id":"p-1""#,
    r#""event":"SubagentStart","session_id":"s-1","agent_id":"a-1","agent_type":"Explore","prompt_id":"p-1""#,
    r#""event":"PreToolUse","session_id":"s-1","tool":"Bash","tool_use_id":"t-2","agent_id":"a-1","agent_type":"Explore","prompt_id":"p-1","what":"ls""#,
    r#""event":"PermissionRequest","session_id":"s-1","tool":"Bash","agent_id":"a-1","prompt_id":"p-1""#,
    r#""event":"PostToolUseFailure","session_id":"s-1","tool":"Bash","tool_use_id":"t-2","agent_id":"a-1","prompt_id":"p-1","error":"exit:3","duration_ms":100"#,
    r#""event":"SubagentStop","session_id":"s-1","agent_id":"a-1","prompt_id":"p-1""#,
    r#""event":"PostToolUse","session_id":"s-1","tool":"Agent","tool_use_id":"t-1","prompt_id":"p-1","spawned_agent":"a-1","duration_ms":5000"#,
    r#""event":"Stop","session_id":"s-1","prompt_id":"p-1""#,
    r#""event":"SessionEnd","session_id":"s-1","reason":"clear""#,
];

#[test]
fn a_turn_is_a_trace_and_what_it_did_is_below_it() {
    told(
        TURN,
        |_| {},
        |session| {
            let telemetry = Telemetry::of(session, SpanPolicy::Auto);
            assert_eq!(
                tree(&telemetry),
                [
                    "invoke_agent < ",
                    "invoke_agent Explore < execute_tool Agent",
                    "execute_tool Agent < invoke_agent",
                    "execute_tool Bash < invoke_agent Explore",
                    "ccsession.blocked_on_user < execute_tool Bash",
                ]
            );
            let traces: HashSet<_> = telemetry.spans.iter().map(|span| span.trace_id).collect();
            assert_eq!(traces.len(), 1);
            let root = &telemetry.spans[0];
            let text = |span: &Span<'_>, name: &str| match span.attributes.get(name) {
                Some(Value::Text(text)) => text.to_string(),
                Some(Value::Int(number)) => number.to_string(),
                other => format!("{other:?}"),
            };
            assert_eq!(text(root, "session.id"), "s-1");
            assert_eq!(text(root, "vcs.ref.head.name"), "main");
            assert_eq!(text(root, "vcs.ref.head.revision"), "0123456789".repeat(4));
            assert_eq!(text(root, "host.name"), "box");
            assert_eq!(text(root, "ccsession.turn.label"), "do it");
            assert_eq!(root.end_time - root.start_time, 8_000_000_000);
            let bash = &telemetry.spans[3];
            assert!(bash.is_error && !root.is_error);
            assert_eq!(text(bash, "error.type"), "tool_error");
            assert_eq!(text(bash, "process.exit.code"), "3");
            assert_eq!(text(bash, "gen_ai.conversation.id"), "a-1");
            assert_eq!(text(bash, "ccsession.call.label"), "ls");
            assert_eq!(text(bash, "ccsession.call.permission_ms"), "900");
        },
    );
}

#[test]
fn ids_are_the_same_for_ever() {
    // Whoever has sent spans with these ids would have them twice.
    told(
        TURN,
        |_| {},
        |session| {
            let telemetry = Telemetry::of(session, SpanPolicy::Auto);
            let ids: Vec<String> = telemetry
                .spans
                .iter()
                .map(|it| it.span_id.to_string())
                .collect();
            let trace = telemetry.spans[0].trace_id.to_string();
            let uid = telemetry.logs[0].id().to_string();
            assert_eq!(
            (ids.join(" "), trace.as_str(), uid.as_str()),
            (
                "22792676d6231781 bd894f9618c0a122 eead2558a2e56709 ac1afef3e7d689ef 612083f307731531".to_owned(),
                "1a27306b08085f225bb23f758d1f6b61",
                "d60872cd285ac878a4e40ba413f7594d"
            )
        );
        },
    );
}

#[test]
fn every_event_and_every_call_is_in_the_logs_once() {
    told(
        TURN,
        |_| {},
        |session| {
            let logs = Telemetry::of(session, SpanPolicy::Never).logs;
            let names: Vec<&str> = logs.iter().map(|it| it.event_name.as_ref()).collect();
            assert_eq!(
                names,
                [
                    "session.start",
                    "ccsession.user_prompt_submit",
                    "ccsession.pre_tool_use",
                    "ccsession.subagent_start",
                    "ccsession.pre_tool_use",
                    "ccsession.permission_request",
                    "ccsession.post_tool_use_failure",
                    "ccsession.call",
                    "ccsession.subagent_stop",
                    "ccsession.post_tool_use",
                    "ccsession.call",
                    "ccsession.stop",
                    "session.end",
                ]
            );
            let uids: HashSet<_> = logs.iter().map(LogRecord::id).collect();
            assert_eq!(uids.len(), logs.len());
        },
    );
}

#[test]
fn only_what_has_ended_is_exported_and_its_ids_stay() {
    for length in 0..TURN.len() {
        let (before, ids) = told(
            &TURN[..length],
            |_| {},
            |session| {
                let telemetry = Telemetry::of(session, SpanPolicy::Auto);
                let spans: Vec<_> = telemetry.spans.iter().map(Span::id).collect();
                let logs: Vec<_> = telemetry.logs.iter().map(LogRecord::id).collect();
                ((spans.len(), logs.len()), (spans, logs))
            },
        );
        assert_eq!(before.0 > 0, length > 6, "{length}");
        told(
            TURN,
            |_| {},
            |session| {
                let telemetry = Telemetry::of(session, SpanPolicy::Auto);
                let spans: Vec<_> = telemetry.spans.iter().map(Span::id).collect();
                let logs: Vec<_> = telemetry.logs.iter().map(LogRecord::id).collect();
                assert!(ids.0.iter().all(|id| spans.contains(id)), "{length}");
                assert!(ids.1.iter().all(|id| logs.contains(id)), "{length}");
            },
        );
    }
}

/// Returns `TURN` with the span of another program in its events.
fn in_span(header: &str, also_at_start: bool) -> Vec<String> {
    let lines = TURN.iter().enumerate();
    let with = |(at, line): (usize, &&str)| match at {
        0 if !also_at_start => (*line).to_owned(),
        _ => format!("{line},\"traceparent\":\"{header}\""),
    };
    lines.map(with).collect()
}

#[test]
fn a_turn_that_the_client_traces_is_exported_once() {
    let lines = in_span(NATIVE, false);
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    told(
        &lines,
        |_| {},
        |session| {
            let auto = Telemetry::of(session, SpanPolicy::Auto);
            assert_eq!(tree(&auto), [""; 0]);
            let call = auto
                .logs
                .iter()
                .find(|it| it.event_name == "ccsession.call")
                .unwrap();
            let (trace, span) = call.span.unwrap();
            assert_eq!(trace.to_string(), &NATIVE[3..35]);
            assert_eq!(span.to_string(), &NATIVE[36..52]);
            let always = Telemetry::of(session, SpanPolicy::Always);
            assert_eq!(tree(&always)[0], "invoke_agent < b7ad6b7169203331");
            assert!(always.spans.iter().all(|span| span.trace_id == trace));
            let remote = always.spans.iter().filter(|span| span.is_parent_remote);
            assert_eq!(remote.count(), 1);
            assert!(Telemetry::of(session, SpanPolicy::Never).spans.is_empty());
        },
    );
}

#[test]
fn a_span_in_which_the_client_was_started_is_above_ours() {
    for (header, also_at_start) in [
        (NATIVE, true),
        (NATIVE.replace("-01", "-00").as_str(), false),
    ] {
        let lines = in_span(header, also_at_start);
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        told(
            &lines,
            |_| {},
            |session| {
                let auto = Telemetry::of(session, SpanPolicy::Auto);
                assert_eq!(tree(&auto).len(), 5);
                assert_eq!(tree(&auto)[0], "invoke_agent < b7ad6b7169203331");
            },
        );
    }
}

#[test]
fn calls_without_a_recorded_turn_get_a_parent() {
    told(
        &[
            r#""event":"PreToolUse","session_id":"s-1","tool":"Bash","tool_use_id":"t-1","prompt_id":"p-0""#,
            r#""event":"PostToolUse","session_id":"s-1","tool":"Bash","tool_use_id":"t-1","prompt_id":"p-0""#,
            r#""event":"PreToolUse","session_id":"s-1","tool":"Read","tool_use_id":"t-2""#,
            r#""event":"PostToolUse","session_id":"s-1","tool":"Read","tool_use_id":"t-2""#,
            r#""event":"PostToolUse","session_id":"s-1","tool":"Read","duration_ms":10"#,
        ],
        |_| {},
        |session| {
            let telemetry = Telemetry::of(session, SpanPolicy::Auto);
            assert_eq!(
                tree(&telemetry),
                [
                    "invoke_agent < ",
                    "invoke_agent < ",
                    "execute_tool Bash < invoke_agent",
                    "execute_tool Read < invoke_agent",
                    "execute_tool Read < invoke_agent",
                ]
            );
        },
    );
}

#[test]
fn a_circle_of_subagents_ends() {
    told(
        &[
            r#""event":"PreToolUse","session_id":"s-1","tool":"Agent","tool_use_id":"t-1","agent_id":"a-1""#,
            r#""event":"PreToolUse","session_id":"s-1","tool":"Agent","tool_use_id":"t-2","agent_id":"a-2""#,
            r#""event":"PostToolUse","session_id":"s-1","tool":"Agent","tool_use_id":"t-1","agent_id":"a-1","spawned_agent":"a-2""#,
            r#""event":"PostToolUse","session_id":"s-1","tool":"Agent","tool_use_id":"t-2","agent_id":"a-2","spawned_agent":"a-1""#,
            r#""event":"SubagentStop","session_id":"s-1","agent_id":"a-1""#,
            r#""event":"SubagentStop","session_id":"s-1","agent_id":"a-2""#,
        ],
        |_| {},
        |session| {
            let telemetry = Telemetry::of(session, SpanPolicy::Auto);
            assert_eq!(tree(&telemetry).len(), 5);
            let ids: HashSet<_> = telemetry.spans.iter().map(|span| span.span_id).collect();
            let parents = telemetry
                .spans
                .iter()
                .filter_map(|span| span.parent_span_id);
            assert!(parents.into_iter().all(|parent| ids.contains(&parent)));
        },
    );
}

#[test]
fn a_start_names_the_session_before_it_unless_that_is_the_same() {
    for (previous, expected) in [("s-0", Some("s-0")), ("s-1", None)] {
        let start = format!(
            r#""event":"SessionStart","session_id":"s-1","source":"clear","previous":"{previous}""#
        );
        told(
            &[&start],
            |_| {},
            |session| {
                let logs = Telemetry::logs(session, SpanPolicy::Auto).logs;
                assert_eq!(logs[0].event_name, "session.start");
                let told = logs[0].attributes.get("session.previous_id");
                let expected = expected.map(|id| Value::Text(id.into()));
                assert_eq!(told, expected.as_ref());
            },
        );
    }
}

#[test]
fn metadata_has_no_content() {
    told(
        TURN,
        |_| {},
        |session| {
            let session = OtlpSession {
                capture: Capture::Metadata,
                ..*session
            };
            let telemetry = Telemetry::of(&session, SpanPolicy::Auto);
            let json = json::traces(&[(&telemetry.resource, &telemetry.spans)]);
            let logs = json::logs(&[(&telemetry.resource, &telemetry.logs)]);
            for content in ["do it", "A title", "\"ls\""] {
                assert!(
                    !json.contains(content) && !logs.contains(content),
                    "{content}"
                );
            }
        },
    );
}

#[test]
fn the_official_decoders_read_both_encodings_alike() {
    use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
    use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
    use prost::Message;
    told(
        TURN,
        |record| record.cwd = Some("/home/dev/gr\u{f6}\u{df}e \"\\\u{1b}[2J\u{202e}".to_owned()),
        |session| {
            let telemetry = Telemetry::of(session, SpanPolicy::Auto);
            let groups = [(&telemetry.resource, telemetry.spans.as_slice())];
            let json = json::traces(&groups);
            assert!(!json.contains(['\n', '\u{1b}', '\u{202e}']));
            let read: ExportTraceServiceRequest = serde_json::from_str(&json).unwrap();
            let decoded = ExportTraceServiceRequest::decode(protobuf::traces(&groups).as_slice());
            assert_eq!(decoded.unwrap(), read);
            assert_eq!(
                read.resource_spans[0].scope_spans[0].spans.len(),
                telemetry.spans.len()
            );
            knows_all(&json, &serde_json::to_value(&read).unwrap());

            let groups = [(&telemetry.resource, telemetry.logs.as_slice())];
            let json = json::logs(&groups);
            let read: ExportLogsServiceRequest = serde_json::from_str(&json).unwrap();
            let decoded = ExportLogsServiceRequest::decode(protobuf::logs(&groups).as_slice());
            assert_eq!(decoded.unwrap(), read);
            assert_eq!(
                read.resource_logs[0].scope_logs[0].log_records.len(),
                telemetry.logs.len()
            );
            knows_all(&json, &serde_json::to_value(&read).unwrap());
        },
    );
}

/// Checks that the official types know every member that is written.
fn knows_all(json: &str, official: &serde_json::Value) {
    fn check(ours: &serde_json::Value, official: &serde_json::Value, path: &str) {
        use serde_json::Value::{Array, Object};
        match (ours, official) {
            (Object(ours), Object(official)) => {
                for (name, value) in ours {
                    let known = official.get(name);
                    let known = known.unwrap_or_else(|| panic!("unknown: {path}.{name}"));
                    check(value, known, &format!("{path}.{name}"));
                }
            }
            (Array(ours), Array(official)) => {
                assert_eq!(ours.len(), official.len(), "{path}");
                for (one, other) in ours.iter().zip(official) {
                    check(one, other, path);
                }
            }
            _ => {}
        }
    }
    check(&serde_json::from_str(json).unwrap(), official, "");
}

const KINDS: [&str; 10] = [
    "SessionStart",
    "UserPromptSubmit",
    "PreToolUse",
    "PermissionRequest",
    "PostToolUse",
    "PostToolUseFailure",
    "SubagentStart",
    "SubagentStop",
    "Stop",
    "SessionEnd",
];

prop_compose! {
    /// An event with few ids, so that they meet in every way.
    fn event()(
        kind in 0..KINDS.len(), call in 0..4, agent in 0..3, prompt in 0..3, spawned in 0..4, header in 0..4,
    ) -> String {
        let mut members = format!(r#""event":"{}","session_id":"s-1""#, KINDS[kind]);
        let is_tool = KINDS[kind].contains("Tool");
        for (name, number) in [
            ("prompt_id", prompt),
            ("agent_id", agent),
            ("tool", i32::from(is_tool)),
            ("tool_use_id", if is_tool { call } else { 0 }),
        ] {
            if number > 0 {
                members += &format!(r#","{name}":"{name}-{number}""#);
            }
        }
        if KINDS[kind] == "PostToolUse" && spawned > 1 {
            members += &format!(r#","spawned_agent":"agent_id-{}""#, spawned - 1);
        }
        if header > 1 {
            members += &format!(r#","traceparent":"{}""#, NATIVE.replace("31-01", &format!("3{header}-01")));
        }
        members
    }
}

proptest! {
    #[test]
    fn for_any_journal_each_span_has_a_parent_and_each_event_one_record(
        events in proptest::collection::vec(event(), 0..40),
    ) {
        let lines: Vec<&str> = events.iter().map(String::as_str).collect();
        told_if(false, &lines, |_| {}, |session| {
            let telemetry = Telemetry::of(session, SpanPolicy::Always);
            let ids: HashSet<_> = telemetry.spans.iter().map(Span::id).collect();
            assert_eq!(ids.len(), telemetry.spans.len());
            let roots = telemetry.spans.iter().filter(|it| it.parent_span_id.is_none() || it.is_parent_remote);
            assert!(roots.clone().count() > 0 || telemetry.spans.is_empty());
            for span in &telemetry.spans {
                if let Some(parent) = span.parent_span_id.filter(|_| !span.is_parent_remote) {
                    assert!(ids.contains(&(span.trace_id, parent)), "{span:?}");
                }
            }
            let uids: HashSet<_> = telemetry.logs.iter().map(LogRecord::id).collect();
            assert_eq!(uids.len(), telemetry.logs.len());
            let calls = session.activity.calls.len();
            let events = lines.len() - session.activity.copies.len();
            assert_eq!(telemetry.logs.len(), events + calls);
            let told = telemetry.spans.iter().filter(|it| it.name.starts_with("execute_tool"));
            assert_eq!(told.count(), calls);
            let auto = Telemetry::of(session, SpanPolicy::Auto);
            assert!(auto.spans.iter().all(|span| ids.contains(&span.id())));
            assert_eq!(auto.logs.len(), telemetry.logs.len());
        });
    }
}
