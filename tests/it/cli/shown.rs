//! What `show` says of a session and where it came from, and of records and journals that cannot be read.

use std::fs;

use serde_json::{Value, json};

use super::{HOUR, MINUTE, age, edit_record, ids, record_path, swept, three};
use crate::support::files::write_private;
use crate::support::states::{start, start_and_die};
use crate::support::{ID, SESSION_START, Sandbox, as_client, event, text};

#[test]
fn a_lineage_is_drawn_from_its_first_session_down() {
    let sandbox = swept();
    let next = |id: &str, source: &str| {
        sandbox
            .hook(&event("SessionStart", id, json!({"source": source})))
            .env("CLAUDE_PID", as_client())
            .silent();
    };
    next("s-first", "startup");
    // A nested client: the shell is its process, this one is above it.
    let payload = event("SessionStart", "s-nested", json!({"source": "startup"}));
    sandbox
        .run("/bin/sh")
        .arg("-c")
        .arg(format!("CLAUDE_PID=$$ {SESSION_START}; exit $?"))
        .stdin(payload.to_string())
        .silent();
    next("s-second", "clear");
    next("s-third", "fork");
    let shown = sandbox.ccsession(["show", "s-second"]).stdout();
    let drawn: Vec<String> = shown
        .lines()
        .skip_while(|line| !line.starts_with("LINEAGE"))
        .take_while(|line| !line.is_empty())
        .map(|line| {
            let cells: Vec<&str> = line
                .split("  ")
                .map(str::trim)
                .filter(|cell| !cell.is_empty())
                .collect();
            format!("{}|{}|{}", cells[0], cells[1], cells[3])
        })
        .collect();
    let expected = [
        "LINEAGE|STATE|HOW",
        "s-first|abandoned|startup",
        "└ s-nested|abandoned|startup, within",
        "s-second *|abandoned|clear",
        "s-third|active|fork",
    ];
    assert_eq!(drawn, expected, "{shown}");
    let kin = sandbox.ccsession(["show", "s-third", "--json"]).json()["lineage"].clone();
    let depths: Vec<u64> = kin
        .as_array()
        .unwrap()
        .iter()
        .map(|kin| kin["depth"].as_u64().unwrap())
        .collect();
    assert_eq!(depths, [0, 1, 0, 0]);
    assert_eq!(sandbox.journal("s-third")[0]["previous"], "s-second");
}

/// Puts down a record as `ID`'s, of another session that hangs on `above`.
fn put_below(sandbox: &Sandbox, id: &str, relation: &str, above: &str) {
    let mut record = sandbox.record(ID);
    record["session_id"] = json!(id);
    record[relation] = json!(above);
    fs::create_dir(sandbox.session(id)).unwrap();
    write_private(&record_path(sandbox, id), &record.to_string());
}

#[test]
fn a_large_lineage_shows_the_path_to_the_session_and_counts_the_rest() {
    let sandbox = swept();
    start(&sandbox, ID);
    // All of these are drawn before what went on after the first one.
    for number in 0..250 {
        put_below(&sandbox, &format!("nested-{number}"), "parent", ID);
    }
    let mut way = vec![ID.to_owned()];
    for number in 0..60 {
        let (above, id) = (way[number].clone(), format!("clear-{number}"));
        put_below(&sandbox, &id, "previous", &above);
        way.push(id);
    }
    let last = way.last().unwrap().as_str();
    let shown = sandbox.ccsession(["show", last, "--json"]).json();
    let kin: Vec<&str> = shown["lineage"]
        .as_array()
        .unwrap()
        .iter()
        .map(|kin| kin["session_id"].as_str().unwrap())
        .collect();
    let (nested, on_the_way): (Vec<&str>, Vec<&str>) =
        kin.into_iter().partition(|id| id.starts_with("nested-"));
    assert_eq!(on_the_way, way);
    assert_eq!((nested.len(), &shown["lineage_more"]), (200, &json!(50)));
    let shown = sandbox.ccsession(["show", last]).stdout();
    assert!(shown.contains(&format!("{last} *")), "{shown}");
    assert!(shown.contains("\n… and 50 more\n\nEVENT"), "{shown}");
}

#[test]
fn sessions_that_name_each_other_in_a_circle_are_drawn_once() {
    let sandbox = swept();
    start(&sandbox, ID);
    put_below(&sandbox, "s-2", "previous", ID);
    edit_record(&sandbox, ID, |record| record["previous"] = json!("s-2"));
    let shown = sandbox.ccsession(["show", ID, "--json"]).json();
    let kin = shown["lineage"].as_array().unwrap();
    assert_eq!((kin.len(), &shown["lineage_more"]), (2, &json!(0)));
}

#[test]
fn what_is_known_of_a_session_is_shown() {
    let sandbox = swept();
    start(&sandbox, ID);
    let call = json!({"tool_name": "Bash", "tool_use_id": "t1"});
    sandbox
        .hook(&event("PreToolUse", ID, call))
        .env("CLAUDE_PID", as_client())
        .silent();
    age(
        &sandbox,
        ID,
        2 * HOUR + 5 * MINUTE + 30,
        HOUR + 2 * MINUTE + 30,
    );
    let root = fs::canonicalize(sandbox.project()).unwrap();
    let shown = sandbox.ccsession(["show", ID]).env("TZ", "UTC").stdout();
    let time = |text: &str| -> String {
        let time = text.split_once("-").unwrap();
        format!("{}-{}", time.0, &time.1[..14])
    };
    let lines: Vec<String> = shown
        .lines()
        .map(|line| match line.find("20") {
            Some(at) if line.starts_with("started") || line.starts_with("last event") => {
                line.replace(&time(&line[at..]), "TIME")
            }
            _ => line.to_owned(),
        })
        .collect();
    let expected = [
        format!("SESSION     {ID}"),
        "state       active".to_owned(),
        "project     shop".to_owned(),
        format!("root        {}", root.display()),
        "started     TIME (startup)".to_owned(),
        "last event  TIME (1h 2m ago)".to_owned(),
        format!("processes   {}", std::process::id()),
        "now         Bash".to_owned(),
        format!(
            "journal     {}",
            sandbox.session(ID).join("events.jsonl").display()
        ),
        String::new(),
        "EVENT         COUNT".to_owned(),
        "PreToolUse    1".to_owned(),
        "SessionStart  1".to_owned(),
        String::new(),
    ];
    assert_eq!(lines[..14], expected);
    assert!(lines[14].starts_with("WHEN"), "{shown}");
}

#[test]
fn a_session_that_was_resumed_shows_no_end() {
    let sandbox = swept();
    let has_end = || {
        let shown = sandbox.ccsession(["show", ID]).stdout();
        shown.lines().any(|line| line.starts_with("ended "))
    };
    sandbox
        .ccsession(["run", "--session-id", ID, "--", "true"])
        .silent();
    assert!(has_end());
    start(&sandbox, ID);
    assert!(!has_end());
}

#[test]
fn a_shown_session_is_one_object() {
    let sandbox = three();
    let shown = sandbox.ccsession(["show", "s-ended", "--json"]).json();
    let keys: Vec<&String> = shown.as_object().unwrap().keys().collect();
    let expected = [
        "attention",
        "commits",
        "coverage",
        "events",
        "foreign",
        "journal",
        "last_activity",
        "lineage",
        "lineage_more",
        "log",
        "newer",
        "open_calls",
        "owners",
        "session",
        "state",
        "title",
        "torn",
        "v",
    ];
    assert_eq!(keys, expected);
    assert_eq!(shown["state"], "ended");
    assert_eq!(shown["events"], json!({"SessionEnd": 1, "SessionStart": 1}));
    assert_eq!(shown["session"]["session_id"], "s-ended");
    assert_eq!((&shown["v"], &shown["torn"]), (&json!(1), &json!(0)));
}

#[test]
fn a_session_shows_its_own_part_of_the_operations_log() {
    let sandbox = swept();
    for id in ["s-1", "s-2"] {
        start_and_die(&sandbox, id);
    }
    sandbox.ccsession(["cleanup"]).expect(0, "0\n", "");
    let log = sandbox.ccsession(["show", "s-1", "--json"]).json()["log"].clone();
    let log: Vec<(&Value, &Value)> = log
        .as_array()
        .unwrap()
        .iter()
        .map(|line| (&line["session_id"], &line["what"]))
        .collect();
    assert!(
        log.contains(&(&json!("s-1"), &json!("session abandoned"))),
        "{log:?}"
    );
    assert!(log.iter().all(|(id, _)| **id == "s-1"), "{log:?}");
    let shown = sandbox.ccsession(["show", "s-1"]).stdout();
    assert_eq!(shown.matches("session abandoned\n").count(), 1, "{shown}");
}

#[test]
fn an_id_may_be_given_by_a_unique_prefix() {
    let sandbox = swept();
    for id in ["abc-1", "abc-12", "abd"] {
        start(&sandbox, id);
    }
    let shown = |prefix: &str| {
        let shown = sandbox.ccsession(["show", prefix, "--json"]).json();
        shown["session"]["session_id"].as_str().unwrap().to_owned()
    };
    assert_eq!(shown("abd"), "abd");
    assert_eq!(shown("abc-12"), "abc-12");
    assert_eq!(shown("abc-1"), "abc-1", "a whole id is no beginning");
    let several = |prefix: &str, count: usize| {
        let (candidates, why) = sandbox.ccsession(["show", prefix]).refused_to_choose();
        assert_eq!(
            why,
            format!(
                "ccsession: could not choose a session: `{prefix}` matches {count}; use a longer prefix"
            )
        );
        assert_eq!(candidates.len(), count, "{candidates:?}");
    };
    several("abc", 2);
    several("a", 3);
    for (prefix, status, why) in [
        (
            "x",
            3,
            "could not find session `x`: no session on record has this id or title; see `ccsession list --all`",
        ),
        (
            "unknown",
            3,
            "could not find session `unknown`: no session on record has this id or title; see `ccsession list --all`",
        ),
        (
            "../x",
            64,
            "could not use `../x`: it is neither a session id nor a title on record; see `ccsession list --all`",
        ),
        (
            "",
            64,
            "could not use ``: it is neither a session id nor a title on record; see `ccsession list --all`",
        ),
        (
            "a\u{1b}[2J\n",
            64,
            "could not use `a\\u{1b}[2J\\u{a}`: it is neither a session id nor a title on record; see `ccsession list --all`",
        ),
    ] {
        let said = sandbox.ccsession(["show", prefix]).refused(status);
        assert_eq!(said, format!("ccsession: {why}"));
    }
}

#[test]
fn where_nothing_was_ever_recorded_no_session_is_found() {
    let sandbox = Sandbox::new();
    let said = sandbox.ccsession(["show", ID]).refused(3);
    assert_eq!(
        said,
        format!(
            "ccsession: could not find session `{ID}`: no session on record has this id or title; see `ccsession list --all`"
        )
    );
    let sandbox = swept();
    fs::create_dir_all(sandbox.session("empty")).unwrap();
    let said = sandbox.ccsession(["show", "empty"]).refused(3);
    assert_eq!(
        said,
        "ccsession: could not find session `empty`: it has no record"
    );
    sandbox.ccsession(["list", "--all"]).expect(0, "", "");
}

/// What is said of a record that cannot be understood, and that it stays.
#[track_caller]
fn check_unreadable(record: &str, why: &str) {
    let sandbox = swept();
    start(&sandbox, "s-bad");
    start(&sandbox, "s-good");
    let path = record_path(&sandbox, "s-bad");
    fs::write(&path, record).unwrap();
    let said = format!("ccsession: could not read `{}`: {why}", path.display());
    assert_eq!(sandbox.ccsession(["show", "s-bad"]).refused(1), said);
    for arguments in [&["list", "--json"][..], &["list", "--all", "--json"]] {
        let output = sandbox.ccsession(arguments).output();
        assert_eq!(output.status.code(), Some(0));
        assert_eq!(text(&output.stderr), format!("{said}; skipped\n"));
        let listed = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(ids(&listed), ["s-good"]);
    }
    sandbox.ccsession(["cleanup"]).expect(0, "0\n", "");
    assert_eq!(fs::read_to_string(&path).unwrap(), record);
    assert_eq!(sandbox.journal("s-bad").len(), 1);
}

#[test]
fn a_corrupt_record_is_named_and_never_removed() {
    let torn = "it is empty or torn, as a power failure leaves it; the session's next event, `ccsession import`, `run` or `clock-in` makes it again";
    check_unreadable("", torn);
    check_unreadable("{\"v\": 1", torn);
    check_unreadable(
        "{\"v\": 1}",
        "missing field `session_id` at line 1 column 8",
    );
    check_unreadable("{\"v\": 0}", "there is no format version 0");
}

#[test]
fn a_record_of_a_newer_version_is_named_and_never_removed() {
    check_unreadable(
        "{\"v\": 2, \"future\": true}",
        "it has format version 2, this program knows 1; update ccsession here",
    );
}

#[test]
fn torn_and_newer_journal_lines_are_counted() {
    let sandbox = swept();
    start(&sandbox, ID);
    let journal = sandbox.session(ID).join("events.jsonl");
    let mut lines = fs::read_to_string(&journal).unwrap();
    lines.push_str("\n{\"v\":1,\"ts\":\n\n[]\n\n{\"v\":99,\"event\":\"Stop\"}\n");
    fs::write(&journal, lines).unwrap();
    let shown = sandbox.ccsession(["show", ID]).stdout();
    let left_out: Vec<&str> = shown
        .lines()
        .filter(|line| line.starts_with("lines left out"))
        .collect();
    let json = sandbox.ccsession(["show", ID, "--json"]).json();
    let counts = ["torn", "foreign", "newer"].map(|what| json[what].as_u64().unwrap());
    assert_eq!(counts.iter().sum::<u64>(), 3, "{json}");
    assert_eq!(
        left_out.len(),
        counts.iter().filter(|count| **count > 0).count(),
        "{shown}"
    );
    assert_eq!(json["events"], json!({"SessionStart": 1}));
}

#[test]
fn visible_changes_are_logged_and_printed_when_debugging() {
    let sandbox = swept();
    let stored = || sandbox.ccsession(["store", ID]);
    stored().silent();
    let said = format!("ccsession: [SESSION_MANAGER] pointer stored {ID}\n");
    stored().env("HOOK_DEBUG", "true").expect(0, "", &said);
    let log = crate::support::json_lines(&sandbox.state().join("log.jsonl"));
    let stored = json!(["pointer stored", ID, "shop"]);
    for line in &log {
        assert_eq!(
            json!([line["what"], line["session_id"], line["project"]]),
            stored
        );
    }
    assert_eq!(log.len(), 2);
}
