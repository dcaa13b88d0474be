//! What the server shows while sessions work: the board, the list of all sessions, a search.

use std::fs;

use serde_json::{Value, json};

use super::{bash, begin, hook};
use crate::support::Sandbox;
use crate::support::clients::Client;
use crate::support::dashboard::Dashboard;

/// Returns the rows by the ids of their sessions.
#[track_caller]
fn row<'a>(rows: &'a Value, id: &str) -> &'a Value {
    let rows = rows.as_array().unwrap();
    let row = rows.iter().find(|row| row["session_id"] == id);
    row.unwrap_or_else(|| panic!("{id} is not in {rows:?}"))
}

#[test]
fn an_empty_board_says_what_would_fill_it() {
    let sandbox = Sandbox::new();
    let dashboard = Dashboard::start(&sandbox);
    let board = dashboard.get("/api/board").json();
    assert_eq!(
        (&board["live"], &board["sessions"]),
        (&json!(true), &json!([]))
    );
    assert!(
        board["hint"]
            .as_str()
            .unwrap()
            .starts_with("no session is live: "),
        "{board}"
    );
    let all = dashboard.get("/api/sessions").json();
    assert_eq!(all["sessions"], json!([]));
    assert!(
        all["hint"]
            .as_str()
            .unwrap()
            .starts_with("no session is on record: "),
        "{all}"
    );
    // The first session of all is seen without a restart.
    let mut listening = dashboard.listen("/api/events");
    listening.next();
    begin(&sandbox, "s-1", "Begin");
    let rows = listening
        .until(|name, rows| name == "rows" && !rows["changed"].as_array().unwrap().is_empty());
    assert_eq!(
        (&rows["changed"][0]["session_id"], &rows["hint"]),
        (&json!("s-1"), &Value::Null)
    );
}

#[test]
fn the_board_follows_what_sessions_do() {
    let sandbox = Sandbox::new();
    begin(&sandbox, "s-1", "Speed up the search");
    hook(&sandbox, "s-1", "PreToolUse", bash("t1", "Run the tests"));
    let dashboard = Dashboard::start(&sandbox);
    let mut listening = dashboard.listen("/api/events");
    assert_eq!(
        listening.headers["content-type"],
        "text/event-stream; charset=utf-8"
    );
    let (name, board) = listening.next();
    assert_eq!((name.as_str(), &board["v"]), ("board", &json!(1)));
    let first = row(&board["sessions"], "s-1");
    for (member, value) in [
        ("title", json!("Speed up the search")),
        ("state", json!("active")),
        ("column", json!("working")),
        ("doing", json!("Bash: Run the tests")),
        ("waits_for", Value::Null),
        ("subagents", json!(0)),
    ] {
        assert_eq!(first[member], value, "{member}: {first}");
    }
    assert_eq!(first["project"]["name"], "shop");
    assert_eq!(
        first["project"]["directory"],
        sandbox.project().to_str().unwrap()
    );
    let mut until = |is_it: &dyn Fn(&Value) -> bool| {
        let is_it = |name: &str, rows: &Value| {
            let changed = rows["changed"].as_array();
            name == "rows" && changed.is_some_and(|rows| rows.iter().any(is_it))
        };
        listening.until(is_it)
    };
    let mut asked = bash("", "Run the tests");
    asked.as_object_mut().unwrap().remove("tool_use_id");
    hook(&sandbox, "s-1", "PermissionRequest", asked);
    until(&|row| row["column"] == "needs" && row["waits_for"] == "permission");
    hook(&sandbox, "s-1", "PostToolUseFailure", bash("t1", ""));
    until(&|row| row["column"] == "working" && row["failed"] == 1 && row["calls"] == 1);
    hook(&sandbox, "s-1", "Stop", json!({}));
    until(&|row| row["column"] == "done" && row["waits_for"] == "your turn");
    hook(&sandbox, "s-1", "SessionEnd", json!({"reason": "other"}));
    listening.until(|name, rows| name == "rows" && rows["gone"] == json!(["s-1"]));
    let all = dashboard.get("/api/sessions").json();
    let ended = row(&all["sessions"], "s-1");
    assert_eq!(
        (&ended["state"], &ended["column"]),
        (&json!("ended"), &Value::Null)
    );
    assert_eq!(ended["title"], "Speed up the search");
    assert!(ended["ended_at"].is_string() || ended["ended_at"].is_null());
}

#[test]
fn settings_reach_the_board_while_it_is_shown() {
    let sandbox = Sandbox::new();
    begin(&sandbox, "s-1", "Speed up the search");
    let dashboard = Dashboard::start(&sandbox);
    let mut listening = dashboard.listen("/api/events");
    let (_, board) = listening.next();
    assert_eq!(board["sessions"][0]["title"], "Speed up the search");
    // Many keep their settings elsewhere, and link to them.
    let elsewhere = sandbox.path("dotfiles.toml");
    let write = |text: &str| fs::write(&elsewhere, text).unwrap();
    write("capture = \"metadata\"\n");
    let config = sandbox.path("home").join(".config/ccsession/config.toml");
    fs::create_dir_all(config.parent().unwrap()).unwrap();
    std::os::unix::fs::symlink(&elsewhere, &config).unwrap();
    listening.until(|_, rows| rows["changed"][0]["title"] == Value::Null);
    write("capture = \"everything\"\n");
    listening.until(|_, rows| {
        let fault = rows["fault"].as_str();
        rows["live"] == false && fault.is_some_and(|fault| fault.contains("capture"))
    });
    fs::remove_file(&config).unwrap();
    listening.until(|_, rows| {
        rows["live"] == true && rows["changed"][0]["title"] == "Speed up the search"
    });
}

#[test]
fn a_program_that_only_polls_sees_the_present() {
    let sandbox = Sandbox::new();
    begin(&sandbox, "s-1", "Speed up the search");
    let dashboard = Dashboard::start(&sandbox);
    let doing = || dashboard.get("/api/board").json()["sessions"][0]["doing"].clone();
    assert_eq!(doing(), Value::Null);
    hook(&sandbox, "s-1", "PreToolUse", bash("t1", "Run the tests"));
    assert_eq!(doing(), "Bash: Run the tests");
    hook(&sandbox, "s-1", "PostToolUse", bash("t1", ""));
    assert_eq!(doing(), Value::Null);
}

#[test]
fn hostile_text_is_shown_on_one_line_and_as_json() {
    let sandbox = Sandbox::new();
    let hostile = "</script><script>alert(1)</script>\u{1b}[2J\u{202e}\u{2028}\r\n\"'javascript:x";
    begin(&sandbox, "s-1", hostile);
    hook(&sandbox, "s-1", "PreToolUse", bash("t1", hostile));
    let dashboard = Dashboard::start(&sandbox);
    for target in ["/api/board", "/api/sessions"] {
        let answer = dashboard.get(target);
        let rows = answer.json();
        for member in ["title", "doing"] {
            let text = rows["sessions"][0][member].as_str().unwrap();
            assert!(
                text.contains("</script><script>alert(1)</script>"),
                "{text}"
            );
            let is_unsafe = |c: char| c.is_control() || matches!(c, '\u{202e}' | '\u{2028}');
            assert!(!text.contains(is_unsafe), "{text:?}");
        }
        // Line breaks of the JSON itself would end an event too early.
        assert!(
            !answer.body.contains(['\n', '\r', '\u{1b}', '\u{202e}']),
            "{answer:?}"
        );
    }
}

#[test]
fn a_record_that_cannot_be_read_hides_no_other() {
    let sandbox = Sandbox::new();
    let _one = Client::start(&sandbox, "s-1");
    let mut two = Client::start(&sandbox, "s-2");
    let dashboard = Dashboard::start(&sandbox);
    assert_eq!(
        dashboard.get("/api/board").json()["sessions"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    fs::write(sandbox.session("s-1").join("session.json"), "no record").unwrap();
    two.hook(&sandbox, "s-2", "PreToolUse", bash("t1", "Run the tests"));
    let board = dashboard.get("/api/board").json();
    assert_eq!(
        row(&board["sessions"], "s-2")["doing"],
        "Bash: Run the tests",
        "{board}"
    );
    let all = dashboard.get("/api/sessions").json();
    row(&all["sessions"], "s-2");
    // All that was recorded is removed while it is shown.
    fs::remove_dir_all(sandbox.state()).unwrap();
    let board = dashboard.get("/api/board");
    assert_eq!((board.status, &board.json()["sessions"]), (200, &json!([])));
    assert_eq!(dashboard.get("/api/sessions").json()["sessions"], json!([]));
}

#[test]
fn a_search_finds_every_project_wherever_the_server_was_started() {
    let sandbox = Sandbox::just_swept();
    begin(&sandbox, "s-1", "Speed up the search");
    let call = json!({"v": 1, "ts": "2026-11-20T09:00:00Z", "event": "PreToolUse", "tool": "Bash", "tool_use_id": "t1",
        "what": "Measure the kitchen"});
    sandbox.session_with("s-2", "other", &[call]);
    let dashboard = Dashboard::start(&sandbox);
    let found = dashboard.get("/api/search?q=kitchen").json();
    assert_eq!(found["sessions"][0]["session_id"], "s-2");
    let here = dashboard.get("/api/search?q=kitchen&project=shop").json();
    assert_eq!(here["sessions"], json!([]));
    sandbox.ccsession(["search", "kitchen"]).refused(3);
}

#[test]
fn a_search_finds_what_the_command_finds() {
    let sandbox = Sandbox::new();
    begin(&sandbox, "s-1", "Speed up the search");
    hook(
        &sandbox,
        "s-1",
        "PreToolUse",
        bash("t1", "Measure the index"),
    );
    hook(
        &sandbox,
        "s-1",
        "PostToolUse",
        bash("t1", "Measure the index"),
    );
    let dashboard = Dashboard::start(&sandbox);
    for (query, words) in [
        ("q=measure+index", &["measure", "index"] as &[&str]),
        (
            "q=%22the+index%22&tool=Bash",
            &["the index", "--tool", "Bash"],
        ),
        ("q=/ind.x/&role=tool", &["/ind.x/", "--role", "tool"]),
    ] {
        let found = dashboard.get(&format!("/api/search?{query}")).json();
        let command = sandbox
            .ccsession(["search", "--json"].iter().chain(words))
            .json();
        assert_eq!(found, command, "{query}");
        assert_eq!(found["sessions"][0]["session_id"], "s-1", "{query}");
    }
    let nothing = dashboard.get("/api/search?q=nowhere");
    assert_eq!(
        (nothing.status, &nothing.json()["sessions"]),
        (200, &json!([]))
    );
    for (query, part) in [
        ("", "could not search"),
        ("q=", "could not search"),
        ("q=/(/", "regular expression"),
        ("q=x&role=evil", "could not search: invalid value 'evil'"),
        ("q=x&since=someday", "invalid --since"),
        ("q=x&limit=0", "could not search"),
        ("q=x&color=always", "no parameter `color`"),
        ("q=x&session=s-9", "could not find session"),
    ] {
        let answer = dashboard.get(&format!("/api/search?{query}"));
        let status = if query.contains("session") { 404 } else { 400 };
        let error = answer.error(status);
        assert!(error.contains(part), "{query}: {error}");
    }
}

#[test]
fn a_confirmed_clock_out_archives_the_session() {
    let sandbox = Sandbox::new();
    begin(&sandbox, "s-1", "Speed up the search");
    let dashboard = Dashboard::start(&sandbox);
    let path = "/api/session/s-1/clock-out";
    let done = dashboard.post(path, "{\"confirm\": \"s-1\"}");
    assert_eq!(done.status, 200, "{done:?}");
    let done = done.json();
    assert_eq!(
        (&done["session_id"], &done["was_there"]),
        (&json!("s-1"), &json!(false))
    );
    let again = dashboard.post(path, "{\"confirm\": \"s-1\"}").json();
    let command = sandbox.ccsession(["clock-out", "s-1", "--json"]).json();
    assert_eq!(again, command);
    let unknown = dashboard.post("/api/session/s-9/clock-out", "{\"confirm\": \"s-9\"}");
    let error = unknown.error(404);
    assert!(error.contains("s-9"), "{error}");
}
