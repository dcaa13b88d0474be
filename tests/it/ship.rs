//! `ship`, which sends new events to the destinations in the settings.

mod killed;
mod state;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Stdio;

use opentelemetry_proto::tonic::{logs, trace};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::support::recordings::play;
use crate::support::sessions::WrittenSession;
use crate::support::sink::{Answer, Collected, Sink};
use crate::support::{PATIENCE, Run, Sandbox, end_of, text, wait_until};

/// 2026-11-01, in seconds since the epoch: before any test runs.
const NOVEMBER: i64 = 1_793_500_000;

/// Writes the settings of a destination for each collector.
fn destinations(sandbox: &Sandbox, sinks: &[(&str, &Sink)]) {
    let table = |(name, sink): &(&str, &Sink)| {
        let url = sink.url();
        format!("[ship.{name}]\nendpoint = \"{url}\"\ncompression = \"none\"\nbatch = \"64KiB\"\n")
    };
    let tables: String = sinks.iter().map(table).collect();
    let dir = sandbox.home().join(".config/ccsession");
    fs::create_dir_all(&dir).unwrap();
    fs::write(dir.join("config.toml"), tables).unwrap();
}

fn ship(sandbox: &Sandbox, arguments: &[&str]) -> Run {
    sandbox.ccsession(["ship"].iter().chain(arguments))
}

/// Returns the output of a run that has to end well.
#[track_caller]
fn shipped(sandbox: &Sandbox) -> String {
    ship(sandbox, &[]).stdout()
}

/// Returns the names of the spans, sorted.
fn names(collected: &Collected) -> Vec<String> {
    let names = collected
        .spans
        .values()
        .map(|span| span["name"].to_string());
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

#[test]
fn everything_recorded_is_sent_once_and_then_only_what_is_new() {
    let sandbox = play("c");
    let sink = Sink::new();
    destinations(&sandbox, &[("team", &sink)]);
    let said = shipped(&sandbox);
    assert!(said.starts_with("team: sent "), "{said}");
    let all = sink.collected();
    // Each event has a record of its own, and each call that is over another one.
    let table = |table: &str| {
        let arguments = ["export", "--all", "--format", "jsonl", "--table", table];
        sandbox.ccsession(arguments).stdout()
    };
    let calls = table("calls").lines().count();
    assert!(calls > 3);
    let is_call = |name: &&String| name.starts_with("\"execute_tool ");
    assert_eq!(names(&all).iter().filter(is_call).count(), calls);
    assert_eq!(all.items, all.spans.len() + all.logs.len());
    assert_eq!(shipped(&sandbox), "team: nothing new\n");
    assert_eq!(sink.collected().items, all.items);

    let mut session = WrittenSession::begin(&sandbox, 1, NOVEMBER);
    session.call(3);
    session.end();
    shipped(&sandbox);
    let more = sink.collected();
    // A turn and three calls; six events of calls, five others... each once.
    assert_eq!(more.spans.len(), all.spans.len() + 4);
    assert_eq!(
        more.items - all.items,
        more.spans.len() + more.logs.len() - all.items
    );
}

#[test]
fn a_session_that_grows_is_sent_as_it_grows_and_ends_as_if_sent_at_once() {
    let sandbox = Sandbox::new();
    let (sink, other) = (Sink::new(), Sink::new());
    destinations(&sandbox, &[("team", &sink)]);
    let mut session = WrittenSession::begin(&sandbox, 1, NOVEMBER);
    let mut items = 0;
    for calls in [1, 0, 5, 40, 1] {
        session.call(calls);
        shipped(&sandbox);
        let now = sink.collected().items;
        assert!(
            now - items <= 4 * usize::try_from(calls).unwrap() + 4,
            "{calls}: {now}"
        );
        items = now;
    }
    session.end();
    shipped(&sandbox);
    destinations(&sandbox, &[("all", &other)]);
    shipped(&sandbox);
    let (grown, at_once) = (sink.collected(), other.collected());
    assert_eq!(grown.spans, at_once.spans);
    assert_eq!(grown.logs, at_once.logs);
}

#[test]
fn one_destination_that_is_down_does_not_stop_the_others() {
    let sandbox = Sandbox::new();
    let (sink, down) = (Sink::new(), Sink::new());
    down.answer(|| Answer::Status(400));
    destinations(&sandbox, &[("down", &down), ("team", &sink)]);
    let mut session = WrittenSession::begin(&sandbox, 1, NOVEMBER);
    session.call(3);
    session.end();
    let output = ship(&sandbox, &[]).output();
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stdout).starts_with("team: sent 1 session"));
    let said = text(&output.stderr);
    assert!(said.starts_with("ccsession: down: "), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    assert_eq!(down.collected().items, 0);
    let all = sink.collected();
    assert_eq!(all.spans.len(), 4);
    down.answer(|| Answer::Taken);
    shipped(&sandbox);
    assert_eq!(down.collected().spans, all.spans);
    assert_eq!(down.collected().logs, all.logs);
    assert_eq!(sink.collected().items, all.items);
}

#[test]
fn what_was_rejected_is_named_and_not_sent_again() {
    let sandbox = Sandbox::new();
    let sink = Sink::new();
    destinations(&sandbox, &[("team", &sink)]);
    let mut session = WrittenSession::begin(&sandbox, 1, NOVEMBER);
    session.call(3);
    session.end();
    sink.answer(|| Answer::TakenInPart);
    let output = ship(&sandbox, &[]).output();
    assert_eq!(output.status.code(), Some(0));
    let said = text(&output.stderr);
    assert!(said.contains("rejected 2 items"), "{said}");
    assert!(said.contains("one is odd"), "{said}");
    sink.answer(|| Answer::Taken);
    assert_eq!(shipped(&sandbox), "team: nothing new\n");
    let status = ship(&sandbox, &["--status", "--json"]).json();
    assert_eq!(status["destinations"][0]["rejected"], 2);
}

#[test]
fn a_dry_run_says_what_would_be_sent_and_sends_nothing() {
    let sandbox = Sandbox::new();
    let sink = Sink::new();
    destinations(&sandbox, &[("team", &sink)]);
    let mut session = WrittenSession::begin(&sandbox, 1, NOVEMBER);
    session.call(3);
    session.end();
    let before = sandbox.files();
    let said = ship(&sandbox, &["--dry-run"]).stdout();
    assert!(
        said.starts_with("team: would send 1 session, 4 spans, "),
        "{said}"
    );
    assert_eq!(sandbox.files(), before);
    assert_eq!(sink.collected().requests, 0);
    shipped(&sandbox);
    let said = ship(&sandbox, &["--dry-run"]).stdout();
    assert!(said.starts_with("team: nothing new"), "{said}");
}

#[test]
fn with_since_only_sessions_that_begin_later_and_new_events_are_sent() {
    let sandbox = Sandbox::new();
    let sink = Sink::new();
    destinations(&sandbox, &[("team", &sink)]);
    let mut old = WrittenSession::begin(&sandbox, 1, NOVEMBER - 100_000);
    old.call(3);
    let mut new = WrittenSession::begin(&sandbox, 2, NOVEMBER);
    new.call(1);
    ship(&sandbox, &["--since", "2026-11-01"]).stdout();
    let sent = sink.collected();
    assert_eq!(sent.resources.keys().collect::<Vec<_>>(), [&new.id]);
    old.call(1);
    shipped(&sandbox);
    let more = sink.collected();
    let calls: BTreeSet<String> = names(&more).into_iter().collect();
    assert!(calls.contains("\"execute_tool Bash\""));
    assert_eq!(more.spans.len(), sent.spans.len() + 1);
    let said = ship(&sandbox, &["--since", "2026-11-01"]).refused(64);
    assert!(said.contains("--again"), "{said}");
}

#[test]
fn a_session_deleted_before_it_was_sent_is_reported() {
    let sandbox = Sandbox::new();
    let sink = Sink::new();
    destinations(&sandbox, &[("team", &sink)]);
    sink.answer(|| Answer::Status(400));
    let session = WrittenSession::begin(&sandbox, 1, NOVEMBER);
    assert_eq!(ship(&sandbox, &[]).output().status.code(), Some(1));
    fs::remove_dir_all(session.path()).unwrap();
    sink.answer(|| Answer::Taken);
    let output = ship(&sandbox, &[]).output();
    let said = text(&output.stderr);
    assert_eq!(
        said,
        "ccsession: team: 1 session was deleted before all of it was sent\n"
    );
    assert_eq!(ship(&sandbox, &[]).stdout(), "team: nothing new\n");
}

#[test]
fn the_status_says_how_far_behind_and_why() {
    let sandbox = Sandbox::new();
    let sink = Sink::new();
    destinations(&sandbox, &[("team", &sink)]);
    let mut session = WrittenSession::begin(&sandbox, 1, NOVEMBER);
    session.call(3);
    sink.answer(|| Answer::Status(400));
    assert_eq!(ship(&sandbox, &[]).output().status.code(), Some(1));
    let status = ship(&sandbox, &["--status", "--json"]).json();
    let team = &status["destinations"][0];
    assert_eq!(team["behind"]["sessions"], 1);
    assert!(team["trouble"]["why"].as_str().unwrap().contains("400"));
    let said = ship(&sandbox, &["--status"]).stdout();
    assert!(said.contains("behind     1 session"), "{said}");
    sink.answer(|| Answer::Taken);
    shipped(&sandbox);
    let status = ship(&sandbox, &["--status", "--json"]).json();
    let team = &status["destinations"][0];
    assert_eq!(team["behind"]["sessions"], 0);
    assert!(team["trouble"].is_null());
    assert_eq!(team["spans"], 3);
}

/// Adds to the settings of the destination that is written last.
fn setting(sandbox: &Sandbox, line: &str) {
    let config = sandbox.home().join(".config/ccsession/config.toml");
    let settings = fs::read_to_string(&config).unwrap() + line + "\n";
    fs::write(&config, settings).unwrap();
}

#[test]
fn both_encodings_bring_the_same() {
    let sandbox = play("c");
    let (json, protobuf) = (Sink::new(), Sink::new());
    destinations(&sandbox, &[("json", &json), ("protobuf", &protobuf)]);
    setting(&sandbox, "protocol = \"http/protobuf\"");
    setting(&sandbox, "signals = [\"traces\", \"logs\", \"metrics\"]");
    let mut session = WrittenSession::begin(&sandbox, 1, NOVEMBER);
    session.call(300);
    session.end();
    shipped(&sandbox);
    let (json, protobuf) = (json.collected(), protobuf.collected());
    assert_eq!(json.types.iter().collect::<Vec<_>>(), ["application/json"]);
    let types: Vec<_> = protobuf.types.iter().collect();
    assert_eq!(types, ["application/x-protobuf"]);
    assert!(protobuf.spans.len() > 300 && protobuf.requests > 4);
    assert_eq!(protobuf.metrics.len(), 1);
    fn same<M>(one: &BTreeMap<String, Value>, other: &BTreeMap<String, Value>)
    where
        M: serde::de::DeserializeOwned + PartialEq + std::fmt::Debug,
    {
        assert!(one.keys().eq(other.keys()));
        for (one, other) in one.values().zip(other.values()) {
            let of = |item: &Value| serde_json::from_value::<M>(item.clone()).unwrap();
            assert_eq!(of(one), of(other));
        }
    }
    same::<trace::v1::Span>(&json.spans, &protobuf.spans);
    same::<logs::v1::LogRecord>(&json.logs, &protobuf.logs);
}

#[test]
fn a_dashboard_has_each_recorded_event_once_and_in_order() {
    let sandbox = play("c");
    let sink = Sink::new();
    let url = sink.url();
    let settings = format!("[ship.board]\nendpoint = \"{url}\"\nprotocol = \"observability\"\n");
    let dir = sandbox.home().join(".config/ccsession");
    fs::create_dir_all(&dir).unwrap();
    fs::write(dir.join("config.toml"), settings).unwrap();
    let mut session = WrittenSession::begin(&sandbox, 1, NOVEMBER);
    session.call(100);
    session.end();
    shipped(&sandbox);
    let ids = |table: &str| {
        let arguments = ["export", "--all", "--format", "jsonl", "--table", table];
        let lines = sandbox.ccsession(arguments).stdout();
        let of = |line: &str| serde_json::from_str::<Value>(line).unwrap();
        lines.lines().map(of).collect::<Vec<_>>()
    };
    let sessions = ids("sessions");
    assert_eq!(sessions.len(), 2);
    let events = sink.collected().events;
    for its in &sessions {
        let id = its["session_id"].as_str().unwrap();
        let journal = sandbox
            .state()
            .join("sessions")
            .join(id)
            .join("events.jsonl");
        let lines = fs::read_to_string(journal).unwrap();
        let lines = lines.lines().filter(|line| !line.is_empty());
        let recorded: Vec<Value> = lines.map(|it| serde_json::from_str(it).unwrap()).collect();
        let sent = events.iter().filter(|event| event["session_id"] == id);
        let kinds: Vec<&Value> = sent.map(|event| &event["hook_event_type"]).collect();
        let expected: Vec<&Value> = recorded.iter().map(|event| &event["event"]).collect();
        assert_eq!(kinds, expected);
    }
    let first = events
        .iter()
        .find(|event| event["session_id"] == *session.id);
    let first = first.unwrap();
    assert_eq!(first["hook_event_type"], "SessionStart");
    assert_eq!(first["payload"]["source"], "startup");
    assert_eq!(first["timestamp"], NOVEMBER * 1000);
    assert_eq!(shipped(&sandbox), "board: nothing new\n");
    assert_eq!(sink.collected().events.len(), events.len());
    // What comes later is sent alone.
    session.call(1);
    shipped(&sandbox);
    let more = sink.collected().events;
    let kinds: Vec<&Value> = more[events.len()..]
        .iter()
        .map(|event| &event["hook_event_type"])
        .collect();
    assert_eq!(kinds, ["PreToolUse", "PostToolUse"]);
}

#[cfg(feature = "tls")]
#[test]
fn a_certificate_of_a_private_authority_is_accepted_only_if_configured() {
    let sandbox = Sandbox::new();
    let sink = Sink::encrypted();
    destinations(&sandbox, &[("team", &sink)]);
    let mut session = WrittenSession::begin(&sandbox, 1, NOVEMBER);
    session.call(3);
    session.end();
    let file = |name: &str| format!("{}/tests/data/tls/{name}", env!("CARGO_MANIFEST_DIR"));
    let authority = file("ca.pem");
    // The certificate has not issued itself.
    let refused = ship(&sandbox, &[]).env("SSL_CERT_FILE", file("server.pem"));
    let said = refused.refused(1);
    assert!(said.contains("the certificate of https://"), "{said}");
    assert_eq!(sink.collected().requests, 0);
    let said = ship(&sandbox, &[]).env("SSL_CERT_FILE", authority).stdout();
    assert!(said.starts_with("team: sent 1 session, 4 spans"), "{said}");
    assert_eq!(sink.collected().spans.len(), 4);
}

/// Edits the cursor of `team`.
fn edit_cursor(sandbox: &Sandbox, from: &str, to: &str) {
    let path = sandbox.state().join("ship/team.jsonl");
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{text}");
    fs::write(&path, text.replace(from, to)).unwrap();
}

#[test]
fn odd_machines_clocks_and_versions_are_reported() {
    let sandbox = Sandbox::new();
    let sink = Sink::new();
    destinations(&sandbox, &[("team", &sink)]);
    WrittenSession::begin(&sandbox, 1, NOVEMBER).end();
    shipped(&sandbox);
    let path = sandbox.state().join("ship/team.jsonl");
    let began: Value = fs::read_to_string(&path)
        .unwrap()
        .lines()
        .find_map(|line| Some(serde_json::from_str::<Value>(line).ok()?["begin"].clone()))
        .unwrap();
    let said = |status| {
        let output = ship(&sandbox, &[]).output();
        assert_eq!(output.status.code(), Some(status));
        text(&output.stderr)
    };
    let machine = format!("\"machine\":{}", began["machine"]);
    edit_cursor(&sandbox, &machine, "\"machine\":\"twin\"");
    let twin = said(0);
    assert!(twin.contains("called twin"), "{twin}");
    assert_eq!(said(0), "");
    if let Some(id) = began["machine_id"].as_str() {
        edit_cursor(&sandbox, id, "00000000000000000000000000000001");
        let copied = said(0);
        assert!(
            copied.contains("has sent from this state directory"),
            "{copied}"
        );
    }
    // A session of next year is kept back, and the others are sent.
    let year = 365 * 24 * 60 * 60;
    let future = WrittenSession::begin(&sandbox, 2, NOVEMBER + 10 * year);
    future.end();
    WrittenSession::begin(&sandbox, 3, NOVEMBER).end();
    let late = said(1);
    assert!(
        late.contains("1 session has events of up to 2036-"),
        "{late}"
    );
    let sessions = sink.collected().resources;
    assert_eq!(
        (sessions.len(), sessions.contains_key(&future.id)),
        (2, false)
    );
    fs::remove_dir_all(future.path()).unwrap();
    assert!(said(0).contains("1 session was deleted"));
    // An event of a newer version keeps its session back.
    let newer = WrittenSession::begin(&sandbox, 4, NOVEMBER);
    newer.append(&ccsession::model::Event {
        v: 99,
        ..crate::support::sessions::event(NOVEMBER, "Notification")
    });
    assert!(said(1).contains("newer version of ccsession"));
    fs::remove_dir_all(newer.path()).unwrap();
    edit_cursor(&sandbox, "{\"begin\":{\"v\":1,", "{\"begin\":{\"v\":2,");
    let cursor = said(1);
    assert!(
        cursor.contains("from a newer version of ccsession"),
        "{cursor}"
    );
    let status = ship(&sandbox, &["--status", "--json"]).output();
    assert_eq!(status.status.code(), Some(1));
}

#[test]
fn an_excluded_project_is_not_sent() {
    let sandbox = Sandbox::new();
    let sink = Sink::new();
    destinations(&sandbox, &[("team", &sink)]);
    WrittenSession::begin(&sandbox, 1, NOVEMBER).end();
    let run = ship(&sandbox, &[]).env("CCSESSION_EXCLUDE", sandbox.project());
    assert_eq!(run.stdout(), "team: nothing new\n");
    assert_eq!(sink.collected().items, 0);
}

#[test]
fn a_deletion_says_where_the_session_was_sent_and_the_doctor_what_is_unsent() {
    let sandbox = Sandbox::new();
    let sink = Sink::new();
    destinations(&sandbox, &[("team", &sink)]);
    let session = WrittenSession::begin(&sandbox, 1, NOVEMBER);
    session.end();
    let doctor = || {
        let findings = sandbox.ccsession(["doctor", "--json"]).output().stdout;
        let findings: Value = serde_json::from_slice(&findings).unwrap();
        let all = findings["findings"].as_array().unwrap().clone();
        let of_ship = all.into_iter().find(|it| it["check"] == "ship").unwrap();
        (of_ship["grade"].clone(), of_ship["found"].to_string())
    };
    assert_eq!(doctor().0, "note");
    sink.answer(|| Answer::Status(400));
    ship(&sandbox, &[]).output();
    let (grade, found) = doctor();
    assert_eq!(grade, "fault");
    assert!(found.contains("1 session not sent"), "{found}");
    sink.answer(|| Answer::Taken);
    shipped(&sandbox);
    assert_eq!(doctor().0, "ok");
    let output = sandbox.ccsession(["delete", &session.id, "--yes"]).output();
    let said = text(&output.stderr);
    assert!(said.contains("has sent to team stays there"), "{said}");
    let cursor = fs::read_to_string(sandbox.state().join("ship/team.jsonl")).unwrap();
    assert!(!cursor.contains(&session.id));
}

#[test]
fn with_follow_new_events_are_sent_until_a_signal() {
    let sandbox = Sandbox::new();
    let sink = Sink::new();
    destinations(&sandbox, &[("team", &sink)]);
    let mut session = WrittenSession::begin(&sandbox, 1, NOVEMBER);
    session.call(2);
    let mut run = ship(&sandbox, &["--follow"]);
    run.command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let child = run.command.spawn().unwrap();
    let pid = Pid::from_child(&child);
    let guard = KillOnDrop(pid);
    wait_until(|| sink.collected().spans.len() == 2);
    let held = ship(&sandbox, &[]).output();
    assert_eq!(held.status.code(), Some(75));
    assert!(text(&held.stderr).contains("another `ccsession ship`"));
    session.call(3);
    wait_until(|| sink.collected().spans.len() == 5);
    kill_process(pid, Signal::TERM).unwrap();
    let output = end_of(child, PATIENCE).unwrap();
    // Its pid may be another process's by now.
    std::mem::forget(guard);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(
        (text(&output.stdout), text(&output.stderr)),
        (String::new(), String::new())
    );
    assert_eq!(shipped(&sandbox), "team: nothing new\n");
}

/// Kills a process that a failed test left.
struct KillOnDrop(Pid);

impl Drop for KillOnDrop {
    fn drop(&mut self) {
        let _ = kill_process(self.0, Signal::KILL);
    }
}

#[test]
fn metrics_are_sent_once_a_run_if_they_are_wanted() {
    let sandbox = Sandbox::new();
    let sink = Sink::new();
    destinations(&sandbox, &[("team", &sink)]);
    setting(&sandbox, "signals = [\"logs\", \"metrics\"]");
    WrittenSession::begin(&sandbox, 1, NOVEMBER).end();
    shipped(&sandbox);
    shipped(&sandbox);
    let sent = sink.collected();
    assert_eq!((sent.spans.len(), sent.metrics.len()), (0, 2));
    assert!(
        sent.metrics[0]["resourceMetrics"][0]["scopeMetrics"][0]["metrics"][0]["name"].is_string()
    );
}
