//! The page of a session: what it has, and how it follows the session.

use std::fs;

use serde_json::{Value, json};

use super::{bash, begin, hook};
use crate::support::Sandbox;
use crate::support::dashboard::Dashboard;

/// A call as the page has it: tool, label, state and the place of its start.
type PageCall = (Value, Value, Value, i64);

/// Reads the columns of calls.
#[track_caller]
fn calls(columns: &Value) -> Vec<PageCall> {
    let text = |column: &str, row: usize| {
        let index = columns[column][row].as_i64().unwrap();
        usize::try_from(index).map_or(Value::Null, |index| columns["strings"][index].clone())
    };
    let count = columns["tool"].as_array().unwrap().len();
    let mut at = 0;
    let calls = (0..count).map(|row| {
        at += columns["start"][row].as_i64().unwrap();
        (text("tool", row), text("what", row), text("state", row), at)
    });
    calls.collect()
}

/// Applies a change to a page, as the page's script does.
#[track_caller]
fn apply(page: &mut Value, known: &mut Vec<PageCall>, mut change: Value) {
    let change = change.as_object_mut().unwrap();
    let from = change.remove("from").unwrap().as_u64().unwrap();
    known.truncate(usize::try_from(from).unwrap());
    known.extend(calls(&change.remove("calls").unwrap()));
    page.as_object_mut().unwrap().append(change);
}

/// Returns a page without what may differ between two answers about the same state.
fn settled(mut page: Value) -> Value {
    let members = page.as_object_mut().unwrap();
    for changing in ["now", "calls", "v"] {
        members.remove(changing);
    }
    page
}

#[test]
fn a_page_says_what_the_commands_say() {
    let sandbox = Sandbox::new();
    begin(&sandbox, "s-1", "Speed up the search");
    for (id, end) in [
        ("t1", "PostToolUse"),
        ("t2", "PostToolUseFailure"),
        ("t3", ""),
    ] {
        hook(&sandbox, "s-1", "PreToolUse", bash(id, "Run the tests"));
        if !end.is_empty() {
            hook(&sandbox, "s-1", end, bash(id, "Run the tests"));
        }
    }
    let dashboard = Dashboard::start(&sandbox);
    let page = dashboard.get("/api/session/s-1").json();
    for (member, value) in [
        ("v", json!(1)),
        ("session_id", json!("s-1")),
        (
            "title",
            json!({"text": "Speed up the search", "source": "prompt"}),
        ),
        ("state", json!("active")),
        ("left_out", json!([])),
    ] {
        assert_eq!(page[member], value, "{member}");
    }
    assert_eq!(page["project"]["name"], "shop");
    let timeline = sandbox.ccsession(["timeline", "s-1", "--json"]).json();
    let expected: Vec<(Value, Value, Value)> = timeline["calls"]
        .as_array()
        .unwrap()
        .iter()
        .map(|call| {
            (
                call["tool"].clone(),
                call["what"].clone(),
                call["state"].clone(),
            )
        })
        .collect();
    let shown = calls(&page["calls"]).into_iter();
    let shown: Vec<_> = shown
        .map(|(tool, what, state, _)| (tool, what, state))
        .collect();
    assert_eq!(shown, expected);
    assert_eq!(shown.len(), 3);
    let stats = sandbox.ccsession(["stats", "s-1", "--json"]).json();
    assert_eq!(page["stats"]["calls"], stats["calls"]);
}

#[test]
fn a_page_follows_its_session_call_by_call() {
    let sandbox = Sandbox::new();
    begin(&sandbox, "s-1", "Speed up the search");
    hook(&sandbox, "s-1", "PreToolUse", bash("t1", "Run the tests"));
    let dashboard = Dashboard::start(&sandbox);
    let mut listening = dashboard.listen("/api/session/s-1/events");
    let (name, mut page) = listening.next();
    assert_eq!(name, "session");
    let mut known = calls(&page["calls"]);
    assert_eq!((&known[0].2, known.len()), (&json!("running"), 1));
    let steps: [(&str, Value, &str); 5] = [
        ("PostToolUse", bash("t1", "Run the tests"), "ok"),
        ("PreToolUse", bash("t2", "Build it"), "running"),
        ("PreToolUse", bash("t3", "Look at it"), "running"),
        ("PostToolUseFailure", bash("t2", "Build it"), "running"),
        ("PostToolUse", bash("t3", "Look at it"), "ok"),
    ];
    for (event, payload, last) in steps {
        hook(&sandbox, "s-1", event, payload);
        let now = page["events"].as_u64().unwrap() + 1;
        while page["events"].as_u64().unwrap() < now {
            let (name, change) = listening.next();
            assert_eq!(name, "change");
            apply(&mut page, &mut known, change);
        }
        assert_eq!(known.last().unwrap().2, last, "{event}");
    }
    let states: Vec<&Value> = known.iter().map(|call| &call.2).collect();
    assert_eq!(states, ["ok", "failed", "ok"]);
    hook(&sandbox, "s-1", "SessionEnd", json!({"reason": "other"}));
    while page["state"] != "ended" {
        apply(&mut page, &mut known, listening.next().1);
    }
    // All changes together are what a new visitor is given.
    let whole = dashboard.get("/api/session/s-1").json();
    assert_eq!(known, calls(&whole["calls"]));
    assert_eq!(settled(page), settled(whole));
}

#[test]
fn two_visitors_of_a_page_see_the_same() {
    let sandbox = Sandbox::new();
    begin(&sandbox, "s-1", "Speed up the search");
    let dashboard = Dashboard::start(&sandbox);
    let mut visitors = [(); 2].map(|()| dashboard.listen("/api/session/s-1/events"));
    for visitor in &mut visitors {
        assert_eq!(visitor.next().0, "session");
    }
    hook(&sandbox, "s-1", "PreToolUse", bash("t1", "Run the tests"));
    let is_first_call = |name: &str, change: &Value| {
        name == "change" && change["from"] == 0 && !calls(&change["calls"]).is_empty()
    };
    let changes = visitors.map(|mut visitor| visitor.until(is_first_call));
    assert_eq!(changes[0], changes[1]);
}

#[test]
fn an_unknown_session_has_no_page_and_no_stream() {
    let sandbox = Sandbox::new();
    let dashboard = Dashboard::start(&sandbox);
    for _ in 0..2 {
        for target in ["/api/session/s-9", "/api/session/s-9/events"] {
            let error = dashboard.get(target).error(404);
            assert!(error.contains("could not find session `s-9`"), "{error}");
        }
        begin(&sandbox, "s-1", "Another one");
    }
}

#[test]
fn a_session_that_is_removed_while_it_is_shown_says_so() {
    let sandbox = Sandbox::new();
    begin(&sandbox, "s-1", "Speed up the search");
    let dashboard = Dashboard::start(&sandbox);
    let mut listening = dashboard.listen("/api/session/s-1/events");
    assert_eq!(listening.next().0, "session");
    fs::remove_dir_all(sandbox.session("s-1")).unwrap();
    let gone = listening.until(|name, _| name == "gone");
    let error = gone["error"].as_str().unwrap();
    assert!(error.contains("could not find session `s-1`"), "{error}");
    assert!(listening.try_next().is_none());
    dashboard.get("/api/session/s-1").error(404);
    // It begins again.
    begin(&sandbox, "s-1", "Once more");
    let mut listening = dashboard.listen("/api/session/s-1/events");
    assert_eq!(listening.next().0, "session");
}

#[test]
fn a_record_that_becomes_unreadable_is_named_and_the_stream_goes_on() {
    let sandbox = Sandbox::new();
    begin(&sandbox, "s-1", "Speed up the search");
    let dashboard = Dashboard::start(&sandbox);
    let mut listening = dashboard.listen("/api/session/s-1/events");
    assert_eq!(listening.next().0, "session");
    let record = sandbox.session("s-1").join("session.json");
    let before = fs::read(&record).unwrap();
    fs::write(&record, "no record").unwrap();
    let fault = listening.until(|name, _| name == "fault");
    assert!(
        fault["error"].as_str().unwrap().contains("session.json"),
        "{fault}"
    );
    let error = dashboard.get("/api/session/s-1").error(500);
    assert!(error.contains("session.json"), "{error}");
    fs::write(&record, before).unwrap();
    let page = listening.until(|name, _| name == "session");
    assert_eq!(page["session_id"], "s-1");
}

#[test]
fn a_hostile_label_stays_text_on_a_page() {
    let sandbox = Sandbox::new();
    let hostile = "</script><img src=x onerror=alert(1)>\u{1b}[2J\u{202e}javascript:x";
    begin(&sandbox, "s-1", hostile);
    hook(&sandbox, "s-1", "PreToolUse", bash("t1", hostile));
    let dashboard = Dashboard::start(&sandbox);
    let answer = dashboard.get("/api/session/s-1");
    let shown = calls(&answer.json()["calls"]);
    let what = shown[0].1.as_str().unwrap();
    assert!(what.contains("<img src=x onerror=alert(1)>"), "{what}");
    assert!(
        !answer.body.contains(['\n', '\u{1b}', '\u{202e}']),
        "{answer:?}"
    );
    assert_eq!(answer.headers["x-content-type-options"], "nosniff");
}
