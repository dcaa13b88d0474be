//! What `list` says: which sessions, in which state, of which project.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::{HOUR, age, ids, record_path, start_in, start_unowned, swept, three};
use crate::support::states::start;
use crate::support::{ID, Sandbox, event};

#[test]
fn an_empty_list_is_empty() {
    let sandbox = Sandbox::new();
    sandbox.ccsession(["list"]).expect(0, "", "");
    sandbox.ccsession(["list", "--all"]).expect(0, "", "");
    let none = "{\n  \"sessions\": [],\n  \"v\": 1\n}\n";
    sandbox.ccsession(["list", "--json"]).expect(0, none, "");
    assert_eq!(sandbox.files(), [""; 0], "and nothing was created");
}

#[test]
fn only_live_sessions_are_listed_unless_all_are_asked_for() {
    let sandbox = three();
    let root = fs::canonicalize(sandbox.project()).unwrap();
    let root = root.display();
    // The process is this one.
    let pid = std::process::id().to_string();
    let (head, none) = (
        format!("{:<1$}", "PID", pid.len().max(3)),
        format!("{:<1$}", "-", pid.len().max(3)),
    );
    let live = format!(
        "STATE  WAITS         SESSION  AGE    IDLE   PROJECT  BRANCH  {head}  ROOT\n\
         idle   your turn 0s  s-live   2h 5m  1h 2m  shop     -       {pid}  {root}\n"
    );
    // The event itself is as old as this test.
    let shown = |arguments: &[&str]| {
        let text = sandbox.ccsession(arguments).stdout();
        let (before, after) = text.split_once("turn ").unwrap();
        format!("{before}turn 0{}", after.get(1..).unwrap())
    };
    assert_eq!(shown(&["list"]), live);
    let all = format!(
        "STATE      WAITS         SESSION      AGE    IDLE   PROJECT  BRANCH  {head}  ROOT\n\
         idle       your turn 0s  s-live       2h 5m  1h 2m  shop     -       {pid}  {root}\n\
         ended      -             s-ended      5h 9m  3h 5m  shop     -       {none}  {root}\n\
         abandoned  -             s-abandoned  2d 2h  2d 1h  shop     -       {none}  {root}\n"
    );
    assert_eq!(shown(&["list", "--all"]), all);
}

#[test]
fn a_limit_of_nothing_is_refused_in_words() {
    let sandbox = Sandbox::new();
    for verb in [
        "list -n 0",
        "search x -n 0",
        "archive list -n 0",
        "timeline --slowest 0",
        "export --format csv --slowest none",
    ] {
        let refused = sandbox.ccsession(verb.split(' ')).refused(64);
        assert!(refused.contains("expected a number above 0"), "{refused}");
    }
}

#[test]
fn an_id_in_upper_case_is_found() {
    let sandbox = three();
    for given in ["S-LIVE", "S-Li"] {
        let shown = sandbox.ccsession(["show", given, "--json"]).json();
        assert_eq!(shown["session"]["session_id"], "s-live", "{given}");
    }
}

#[test]
fn a_limit_keeps_the_first_ones() {
    let sandbox = three();
    let listed = |words: &[&str]| {
        let sessions = sandbox.ccsession(words).json();
        ids(&sessions).join(" ")
    };
    assert_eq!(listed(&["ls", "-ajn2"]), "s-live s-ended");
    assert_eq!(
        listed(&["list", "--all", "--json", "--limit", "9"]),
        "s-live s-ended s-abandoned"
    );
    sandbox.ccsession(["list", "-n", "0"]).refused(64);
}

#[test]
fn a_listed_session_is_its_record_its_state_and_its_last_activity() {
    let sandbox = three();
    let live = sandbox.ccsession(["list", "--json"]).json();
    assert_eq!((ids(&live), &live["v"]), (vec!["s-live"], &json!(1)));
    let all = sandbox.ccsession(["list", "--all", "--json"]).json();
    assert_eq!(ids(&all), ["s-live", "s-ended", "s-abandoned"]);
    let mut session = all["sessions"][1].clone();
    let session = session.as_object_mut().unwrap();
    assert_eq!(session.remove("state"), Some(json!("ended")));
    let active = session.remove("last_activity").unwrap();
    let active = chrono::DateTime::parse_from_rfc3339(active.as_str().unwrap()).unwrap();
    let ago = chrono::Local::now()
        .signed_duration_since(active)
        .num_minutes();
    assert_eq!(ago, 3 * 60 + 5);
    assert_eq!(session.remove("owners"), Some(json!([])));
    assert_eq!(session.remove("open_calls"), Some(json!([])));
    let attention = session.remove("attention").unwrap();
    assert_eq!(attention["state"], "none");
    assert_eq!(session.remove("title"), Some(Value::Null));
    let mut record = sandbox.record("s-ended");
    record["started_at"] = session["started_at"].clone();
    assert_eq!(json!(session), record);
}

#[test]
fn sessions_are_listed_by_their_state() {
    let sandbox = three();
    let listed = |states: &[&str]| {
        let run = sandbox.ccsession(["list", "--json"].iter().chain(states));
        ids(&run.json()).join(" ")
    };
    assert_eq!(listed(&["--state", "idle"]), "s-live");
    assert_eq!(listed(&["--state", "active"]), "");
    assert_eq!(listed(&["--state", "ended"]), "s-ended");
    assert_eq!(
        listed(&["--state", "abandoned", "--state", "idle"]),
        "s-live s-abandoned"
    );
    sandbox.ccsession(["list", "--state", "asleep"]).refused(64);
}

#[test]
fn a_list_says_what_a_session_does_now() {
    let sandbox = swept();
    start(&sandbox, ID);
    for (number, tool, input) in [
        (1, "Task", json!({"description": "Look into it"})),
        (
            2,
            "Bash",
            json!({"command": "cargo test", "description": "Run the tests"}),
        ),
    ] {
        let call =
            json!({"tool_name": tool, "tool_use_id": format!("t{number}"), "tool_input": input});
        sandbox.hook(&event("PreToolUse", ID, call)).silent();
    }
    let list = sandbox.ccsession(["list"]).stdout();
    assert!(list.contains("Bash: Run the tests +1"), "{list}");
    let listed = &sandbox.ccsession(["list", "--json"]).json()["sessions"][0];
    assert_eq!(listed["open_calls"][1]["what"], "Run the tests");
    assert_eq!(listed["owners"][0]["pid"], std::process::id());
    for id in ["t1", "t2"] {
        let call = json!({"tool_use_id": id});
        sandbox.hook(&event("PostToolUse", ID, call)).silent();
    }
    assert!(!sandbox.ccsession(["list"]).stdout().contains("NOW"));
}

/// A journal at rest is read once. An answer from its note must not outlive the next event.
#[test]
fn a_list_sees_what_happens_after_it_has_noted_the_end_of_a_journal() {
    let sandbox = swept();
    start(&sandbox, ID);
    // Two requests of one moment that are the same count once.
    let call = |hours: u64| {
        let input = json!({"command": "l".repeat(1 + hours as usize)});
        json!({"tool_name": "Bash", "tool_use_id": format!("toolu_{hours}"), "tool_input": input})
    };
    sandbox.hook(&event("PreToolUse", ID, call(0))).silent();
    let note = sandbox.session(ID).join("present.json");
    let listed = || {
        let listed = &sandbox.ccsession(["list", "--json"]).json()["sessions"][0];
        let state = listed["state"].as_str().unwrap().to_owned();
        let open = listed["open_calls"].as_array().unwrap().len();
        let need = listed["attention"]["state"].as_str().unwrap().to_owned();
        (state, open, need)
    };
    let expected = |state: &str, open, need: &str| (state.to_owned(), open, need.to_owned());
    assert_eq!(listed(), expected("active", 1, "none"));
    assert!(!note.exists());
    for hours in [0, 2] {
        // Two hours without an event make a session idle, if no call is open.
        let quiet = if hours == 0 { "active" } else { "idle" };
        let rest = || age(&sandbox, ID, 3 * HOUR, hours * HOUR + 120);
        rest();
        assert_eq!(listed(), expected("active", 1, "none"));
        assert!(note.exists());
        assert_eq!(listed(), expected("active", 1, "none"));
        sandbox
            .hook(&event("PermissionRequest", ID, call(hours)))
            .silent();
        assert_eq!(listed(), expected("active", 1, "permission"));
        rest();
        assert_eq!(listed(), expected("active", 1, "permission"));
        assert_eq!(listed(), expected("active", 1, "permission"));
        sandbox
            .hook(&event("PostToolUse", ID, call(hours)))
            .silent();
        assert_eq!(listed(), expected("active", 0, "none"));
        sandbox.hook(&event("Stop", ID, json!({}))).silent();
        rest();
        assert_eq!(listed(), expected(quiet, 0, "prompt"));
        assert_eq!(listed(), expected(quiet, 0, "prompt"));
        sandbox
            .hook(&event("PreToolUse", ID, call(hours + 2)))
            .silent();
        assert_eq!(listed(), expected("active", 1, "none"));
    }
}

/// The beginning of a journal is destroyed after it was read once: an answer that is still the same did not read it again.
#[test]
fn a_long_journal_is_read_once_to_tell_idle_from_active_and_by_current_never() {
    let sandbox = swept();
    start(&sandbox, ID);
    let journal = sandbox.session(ID).join("events.jsonl");
    let mut text = fs::read_to_string(&journal).unwrap();
    let call = |kind: &str, id: &str, second: u64| {
        let ts = format!("2026-11-20T10:{:02}:{:02}Z", second / 60 % 60, second % 60);
        let mono = 1_000_000 * (1 + second);
        let call = json!({"v": 1, "ts": ts, "mono": mono, "event": kind, "session_id": ID, "tool": "Bash", "tool_use_id": id});
        format!("\n{call}\n")
    };
    text += &call("PreToolUse", "old", 0);
    for second in 1..1500 {
        let id = format!("toolu_{second:020}");
        text += &call("PreToolUse", &id, second);
        text += &call("PostToolUse", &id, second);
    }
    assert!(text.len() > 400_000);
    let rewrite = |text: &str| {
        fs::write(&journal, text).unwrap();
        age(&sandbox, ID, 3 * HOUR, 2 * HOUR);
    };
    let answers = || {
        let listed = &sandbox.ccsession(["list", "--json"]).json()["sessions"][0];
        (
            listed["state"].as_str().unwrap().to_owned(),
            listed["open_calls"].as_array().unwrap().len(),
            sandbox
                .ccsession(["current", "--format", "{id} {state}"])
                .stdout(),
        )
    };
    let active = ("active".to_owned(), 1, format!("{ID} active\n"));
    rewrite(&text);
    assert_eq!(answers(), active);
    let without_beginning = |text: &str| "x".repeat(100_000) + &text[100_000..];
    rewrite(&without_beginning(&text));
    assert_eq!(answers(), active);
    text += &call("PostToolUse", "old", 1500);
    rewrite(&without_beginning(&text));
    assert_eq!(answers(), ("idle".to_owned(), 0, format!("{ID} idle\n")));
    // Whether it is live is not asked of the journal at all.
    rewrite(&"x".repeat(text.len()));
    assert_eq!(sandbox.ccsession(["current"]).stdout(), format!("{ID}\n"));
}

#[test]
fn without_a_state_directory_no_verb_pretends_that_there_is_nothing() {
    let sandbox = swept();
    let closed = sandbox.path("file");
    fs::write(&closed, "").unwrap();
    let numbers = sandbox.path("numbers.prom");
    let verbs: [&[&str]; 20] = [
        &["list"],
        &["list", "--all", "--json"],
        &["show", ID],
        &["timeline"],
        &["timeline", ID],
        &["timeline", "--follow"],
        &["stats"],
        &["stats", "--all"],
        &["stats", ID],
        &["metrics"],
        &["metrics", "--json"],
        &[
            "metrics",
            "--prometheus",
            "--output",
            numbers.to_str().unwrap(),
        ],
        &["archive", "list"],
        &["archive", "verify"],
        &["archive", "search", "x"],
        &["archive", "show", ID],
        &["clock-out", ID],
        &["clock-in", "--role", "x"],
        &["current", "--live"],
        &["current", "--last"],
    ];
    let homes = [
        (None, "HOME is not an absolute path; set HOME or"),
        (Some("".as_ref()), "HOME is not an absolute path"),
        (Some("home".as_ref()), "HOME is not an absolute path"),
        (Some(closed.as_os_str()), "ot a directory"),
    ];
    for (home, why) in homes {
        let run = |arguments: &[&str]| {
            let run = sandbox.ccsession(arguments.iter().copied());
            let run = run.without_env("CCSESSION_STATE_DIR").without_env("HOME");
            let output = match home {
                Some(home) => run.env("HOME", home).output(),
                None => run.output(),
            };
            let said = String::from_utf8(output.stderr).unwrap();
            let printed = String::from_utf8(output.stdout).unwrap();
            (output.status.code(), printed, said)
        };
        for verb in verbs {
            let (status, printed, said) = run(verb);
            assert_eq!((status, printed.as_str()), (Some(1), ""), "{verb:?}");
            assert!(said.contains(why), "{verb:?}: {said}");
        }
        // Pointers are cleaned up without it.
        let (status, printed, said) = run(&["cleanup"]);
        assert_eq!((status, printed.as_str()), (Some(1), "0\n"));
        assert!(
            said.contains(why) && said.contains("only pointers"),
            "{said}"
        );
        let (status, printed, said) = run(&["current"]);
        assert_eq!((status, printed.as_str()), (Some(0), "unknown\n"));
        let is_absent = said.contains(why) == why.contains("HOME");
        assert!(is_absent, "{said}");
        assert!(run(&["current", "--explain"]).1.contains(why));
        let doctor = run(&["doctor"]).1;
        assert!(doctor.contains(why), "{doctor}");
    }
    assert!(!numbers.exists());
}

#[test]
fn a_list_names_a_session_without_a_record() {
    let sandbox = swept();
    start(&sandbox, ID);
    fs::remove_file(record_path(&sandbox, ID)).unwrap();
    let said = format!("ccsession: could not find the record of session `{ID}`; skipped\n");
    sandbox.ccsession(["list"]).expect(0, "", &said);
}

#[test]
fn every_view_handles_thousands_of_unfinished_calls() {
    let sandbox = swept();
    start(&sandbox, ID);
    let journal = sandbox.session(ID).join("events.jsonl");
    let mut text = fs::read_to_string(&journal).unwrap();
    for mono in 1..=30_000 {
        let call = json!({"v": 1, "ts": "2026-11-20T10:00:00Z", "mono": mono, "event": "PreToolUse", "session_id": ID, "tool": "Bash", "tool_use_id": format!("t{mono}")});
        text += &format!("\n{call}\n");
    }
    fs::write(&journal, text).unwrap();
    age(&sandbox, ID, 3 * HOUR, 2 * HOUR);
    let list = || sandbox.ccsession(["list", "--json"]).json()["sessions"][0].clone();
    for _ in 0..2 {
        assert_eq!(list()["state"], "active");
    }
    let stats = sandbox.ccsession(["stats", ID, "--json"]).json();
    assert_eq!(stats["open"], 30_000);
}

#[test]
fn only_the_projects_own_sessions_are_listed() {
    let sandbox = swept();
    let twin = sandbox.path("twin/shop");
    let deep = sandbox.project().join("src/deep");
    for dir in [&twin, &deep, &sandbox.project().join(".git")] {
        fs::create_dir_all(dir).unwrap();
    }
    start_in(&sandbox, "s-shop", &deep);
    start_in(&sandbox, "s-twin", &twin);
    let listed = |project: &Path| {
        let run = sandbox
            .ccsession(["list", "--ended", "--json", "--project"])
            .arg(project);
        ids(&run.json()).join(" ")
    };
    assert_eq!(listed(&sandbox.project()), "s-shop");
    assert_eq!(listed(&deep), "s-shop");
    assert_eq!(listed(&twin), "s-twin");
    assert_eq!(listed(Path::new(".")), "s-shop");
    assert_eq!(listed(&sandbox.home()), "");
    let nowhere = sandbox.path("nowhere");
    let said = format!(
        "ccsession: could not find `{}`: no project with this name or directory is on record",
        nowhere.display()
    );
    assert_eq!(
        sandbox
            .ccsession(["list", "--project"])
            .arg(&nowhere)
            .refused(1),
        said
    );
}

#[test]
fn sessions_of_a_removed_directory_are_still_listed() {
    let sandbox = swept();
    // As of a removed worktree in a repository.
    let worktree = sandbox.project().join("wt/one");
    for dir in [&worktree, &sandbox.project().join(".git")] {
        fs::create_dir_all(dir).unwrap();
    }
    fs::write(worktree.join(".git"), "gitdir: elsewhere\n").unwrap();
    start_in(&sandbox, "s-one", &worktree);
    fs::remove_dir_all(sandbox.project().join("wt")).unwrap();
    let link = sandbox.path("link");
    std::os::unix::fs::symlink(sandbox.project(), &link).unwrap();
    for given in [
        worktree,
        "wt/one".into(),
        "./src/../wt/one/".into(),
        link.join("wt/one"),
    ] {
        let asked = |arguments: &[&str]| {
            let run = sandbox.ccsession(arguments).arg("--project").arg(&given);
            run.stdout()
        };
        assert_eq!(asked(&["current", "--last"]), "s-one\n", "{given:?}");
        assert_eq!(asked(&["current", "--live"]), "s-one\n", "{given:?}");
        assert_eq!(asked(&["current"]), "s-one\n", "{given:?}");
        let listed: Value = serde_json::from_str(&asked(&["list", "--ended", "--json"])).unwrap();
        assert_eq!(ids(&listed), ["s-one"], "{given:?}");
        let stats: Value = serde_json::from_str(&asked(&["stats", "--json"])).unwrap();
        assert_eq!(stats["sessions"], 1, "{given:?}");
    }
    for verb in ["current", "stats", "list", "store"] {
        let run = sandbox.ccsession([verb, "--project"]).arg("wt/two");
        let run = if verb == "store" { run.arg(ID) } else { run };
        let said = run.refused(1);
        assert!(said.starts_with("ccsession: could not find `"), "{said}");
    }
}

#[test]
fn a_branch_is_listed_where_there_is_one() {
    let sandbox = swept();
    fs::create_dir(sandbox.project().join(".git")).unwrap();
    fs::write(
        sandbox.project().join(".git/HEAD"),
        "ref: refs/heads/topic/x\n",
    )
    .unwrap();
    start(&sandbox, ID);
    let list = sandbox.ccsession(["list"]).stdout();
    let row: Vec<&str> = list.lines().nth(1).unwrap().split_whitespace().collect();
    assert_eq!((row[0], row[4], row[8]), ("active", ID, "topic/x"));
}

#[test]
fn a_session_that_cannot_be_judged_is_live_as_long_as_it_is_active() {
    let sandbox = swept();
    start_unowned(&sandbox, ID);
    assert_eq!(ids(&sandbox.ccsession(["list", "--json"]).json()), [ID]);
    age(&sandbox, ID, 2 * HOUR, HOUR + 5);
    assert_eq!(ids(&sandbox.ccsession(["list", "--json"]).json()), [""; 0]);
    let all = sandbox.ccsession(["list", "--all", "--json"]).json();
    assert_eq!(all["sessions"][0]["state"], "abandoned");
    let longer = sandbox
        .ccsession(["list", "--json"])
        .env("CCSESSION_SESSION_TIMEOUT", "3h");
    assert_eq!(ids(&longer.json()), [ID]);
}
