//! The command line as scripts and people meet it: `list`, `show`, `store`, `config`, help, wrong usage, and broken streams.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use crate::support::files::write_private;
use crate::support::states::no_sweep;
use crate::support::states::{start, start_and_die};
use crate::support::{ID, SESSION_START, Sandbox, as_client, event, text};

const VERBS: [&str; 14] = [
    "current",
    "store",
    "list",
    "show",
    "metrics",
    "clock-in",
    "clock-out",
    "archive",
    "cleanup",
    "run",
    "config",
    "install",
    "uninstall",
    "doctor",
];

/// A sandbox in which no hook leaves a cleanup behind, since one was made just now.
fn swept() -> Sandbox {
    let sandbox = Sandbox::new();
    fs::create_dir(sandbox.state()).unwrap();
    fs::set_permissions(sandbox.state(), fs::Permissions::from_mode(0o700)).unwrap();
    no_sweep(&sandbox);
    sandbox
}

/// A session of this process, started in `dir`.
fn start_in(sandbox: &Sandbox, id: &str, dir: &Path) {
    sandbox
        .hook(&event("SessionStart", id, json!({"source": "startup"})))
        .env("CLAUDE_PID", as_client())
        .dir(dir)
        .silent();
}

fn end(sandbox: &Sandbox, id: &str) {
    sandbox
        .hook(&event("SessionEnd", id, json!({"reason": "other"})))
        .env("CLAUDE_PID", as_client())
        .silent();
}

/// A session without a process that can be judged.
fn start_unowned(sandbox: &Sandbox, id: &str) {
    sandbox
        .hook(&event("SessionStart", id, json!({"source": "startup"})))
        .silent();
}

fn record_path(sandbox: &Sandbox, id: &str) -> PathBuf {
    sandbox.session(id).join("session.json")
}

/// Changes a record as an editor could.
fn edit_record(sandbox: &Sandbox, id: &str, change: impl FnOnce(&mut Value)) {
    let mut record = sandbox.record(id);
    change(&mut record);
    fs::write(record_path(sandbox, id), record.to_string()).unwrap();
}

/// Makes a session this old: its start, and its last event.
fn age(sandbox: &Sandbox, id: &str, started: u64, active: u64) {
    let time = chrono::Local::now() - chrono::TimeDelta::seconds(started.try_into().unwrap());
    edit_record(sandbox, id, |record| {
        record["started_at"] = json!(time.to_rfc3339())
    });
    let journal = fs::File::options()
        .write(true)
        .open(sandbox.session(id).join("events.jsonl"))
        .unwrap();
    journal
        .set_modified(SystemTime::now() - Duration::from_secs(active))
        .unwrap();
}

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;

/// Three sessions: live, ended, and abandoned by a client that died; the live one is the last to have done anything.
fn three() -> Sandbox {
    let sandbox = swept();
    start(&sandbox, "s-ended");
    end(&sandbox, "s-ended");
    start_and_die(&sandbox, "s-abandoned");
    start(&sandbox, "s-live");
    age(&sandbox, "s-abandoned", 50 * HOUR + 30, 49 * HOUR + 30);
    age(
        &sandbox,
        "s-ended",
        5 * HOUR + 9 * MINUTE + 30,
        3 * HOUR + 5 * MINUTE + 30,
    );
    age(
        &sandbox,
        "s-live",
        2 * HOUR + 5 * MINUTE + 30,
        HOUR + 2 * MINUTE + 30,
    );
    sandbox
}

fn ids(answer: &Value) -> Vec<&str> {
    let sessions = answer["sessions"].as_array().unwrap().iter();
    sessions
        .map(|session| session["session_id"].as_str().unwrap())
        .collect()
}

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
        "STATE      WAITS         SESSION      AGE       IDLE      PROJECT  BRANCH  {head}  ROOT\n\
         idle       your turn 0s  s-live       2h 5m     1h 2m     shop     -       {pid}  {root}\n\
         ended      -             s-ended      5h 9m     3h 5m     shop     -       {none}  {root}\n\
         abandoned  -             s-abandoned  2days 2h  2days 1h  shop     -       {none}  {root}\n"
    );
    assert_eq!(shown(&["list", "--all"]), all);
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
fn where_no_state_directory_can_be_no_verb_answers_that_there_is_nothing() {
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
        &["current", "--all"],
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
    let said = format!("ccsession: could not find the record of session `{ID}`; it was left out\n");
    sandbox.ccsession(["list"]).expect(0, "", &said);
}

#[test]
fn of_thousands_of_calls_that_never_end_each_view_tells() {
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
fn of_a_large_lineage_the_way_to_the_session_is_kept_and_the_rest_counted() {
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
fn of_a_project_only_its_own_sessions_are_listed() {
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
            .ccsession(["list", "--all", "--json", "--project"])
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
        "ccsession: could not find `{}`: No such file or directory (os error 2)",
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
fn the_sessions_of_a_directory_that_is_gone_are_still_its_own() {
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
        assert_eq!(asked(&["current", "--all"]), "s-one\n", "{given:?}");
        assert_eq!(asked(&["current"]), "s-one\n", "{given:?}");
        let listed: Value = serde_json::from_str(&asked(&["list", "--all", "--json"])).unwrap();
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
fn of_the_operations_log_a_session_shows_its_own_part() {
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
fn an_id_may_be_given_by_its_beginning_if_only_one_begins_so() {
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
        assert_eq!(
            sandbox.ccsession(["show", prefix]).refused(4),
            format!(
                "ccsession: could not choose a session: `{prefix}` matches {count}; use a longer prefix"
            )
        );
    };
    several("abc", 2);
    several("a", 3);
    for (prefix, status, why) in [
        (
            "x",
            3,
            "could not find session `x`: no recorded session starts with it; see `ccsession list --all`",
        ),
        (
            "unknown",
            3,
            "could not find session `unknown`: no recorded session starts with it; see `ccsession list --all`",
        ),
        (
            "../x",
            64,
            "could not use `../x`: it is neither a session id nor a prefix of one",
        ),
        (
            "",
            64,
            "could not use ``: it is neither a session id nor a prefix of one",
        ),
        (
            "a\u{1b}[2J\n",
            64,
            "could not use `a\\u{1b}[2J\\u{a}`: it is neither a session id nor a prefix of one",
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
            "ccsession: could not find session `{ID}`: no recorded session starts with it; see `ccsession list --all`"
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
        assert_eq!(text(&output.stderr), format!("{said}; it was left out\n"));
        let listed = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(ids(&listed), ["s-good"]);
    }
    sandbox.ccsession(["cleanup"]).expect(0, "0\n", "");
    assert_eq!(fs::read_to_string(&path).unwrap(), record);
    assert_eq!(sandbox.journal("s-bad").len(), 1);
}

#[test]
fn a_corrupt_record_is_named_and_never_removed() {
    let torn = "it is empty or torn, as a power failure leaves it; the session's next event, or `ccsession import`, makes it again";
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
        "it has format version 2, this program knows 1; upgrade it",
    );
}

#[test]
fn what_is_torn_or_new_in_a_journal_is_counted() {
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
fn a_stored_session_is_the_projects_current_one() {
    let sandbox = Sandbox::new();
    sandbox.ccsession(["store", "s-1"]).silent();
    assert!(
        fs::read_to_string(sandbox.pointer("shop"))
            .unwrap()
            .starts_with("s-1\n")
    );
    assert_eq!(crate::support::mode(&sandbox.pointer("shop")), 0o600);
    let other = sandbox.path("other");
    fs::create_dir(&other).unwrap();
    sandbox
        .ccsession(["store", "s-2", "--project"])
        .arg(&other)
        .silent();
    assert!(
        fs::read_to_string(sandbox.pointer("other"))
            .unwrap()
            .starts_with("s-2\n")
    );
    assert!(
        fs::read_to_string(sandbox.pointer("shop"))
            .unwrap()
            .starts_with("s-1\n")
    );
    sandbox.assert_no_leftovers();
}

#[test]
fn only_a_whole_session_id_is_stored() {
    let sandbox = Sandbox::new();
    for (id, why) in [
        ("unknown", "`unknown` stands for no session"),
        ("", "it is empty"),
        (
            "../x",
            "it may hold only letters, digits, `.`, `_` and `-`, and starts with a letter or a digit",
        ),
        (&"x".repeat(129), "it is longer than 128 bytes"),
    ] {
        let said = sandbox.ccsession(["store", id]).refused(64);
        assert_eq!(
            said,
            format!("ccsession: could not use `{id}` as a session id: {why}")
        );
    }
    let nowhere = sandbox.path("nowhere");
    let said = sandbox
        .ccsession(["store", "s-1", "--project"])
        .arg(&nowhere)
        .refused(1);
    assert!(said.starts_with("ccsession: could not find `"), "{said}");
    assert_eq!(sandbox.files(), [""; 0]);
}

/// A setting's value and source, as `ccsession config --json` has them.
fn setting(config: &Value, key: &str) -> (String, String) {
    let settings = config["settings"].as_array().unwrap();
    let setting = settings
        .iter()
        .find(|setting| setting["key"] == key)
        .unwrap();
    let text = |name: &str| setting[name].as_str().unwrap().to_owned();
    (text("value"), text("source"))
}

fn config_file(sandbox: &Sandbox, text: &str) -> PathBuf {
    let path = sandbox.home().join(".config/ccsession/config.toml");
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, text).unwrap();
    path
}

#[test]
fn each_setting_is_shown_with_its_source() {
    let sandbox = Sandbox::new();
    let shown = |run: crate::support::Run, key: &str| setting(&run.json(), key);
    let run = || sandbox.ccsession(["config", "--json"]);
    let is = |value: &str, source: &str| (value.to_owned(), source.to_owned());

    assert_eq!(shown(run(), "ttl"), is("1day", "default"));
    assert_eq!(shown(run(), "capture"), is("summary", "default"));
    let old = || run().env("SESSION_TIMEOUT_SECS", "90  # Session timeout");
    assert_eq!(
        shown(old(), "session_timeout"),
        is("1m 30s", "$SESSION_TIMEOUT_SECS")
    );
    let path = config_file(&sandbox, "session_timeout = \"2h\"\ncontext_line = true\n");
    let file = path.to_str().unwrap();
    assert_eq!(shown(old(), "session_timeout"), is("2h", file));
    assert_eq!(shown(run(), "context_line"), is("true", file));
    let ours = || old().env("CCSESSION_SESSION_TIMEOUT", "3h");
    assert_eq!(
        shown(ours(), "session_timeout"),
        is("3h", "$CCSESSION_SESSION_TIMEOUT")
    );
    let empty = old().env("CCSESSION_SESSION_TIMEOUT", "");
    assert_eq!(shown(empty, "session_timeout"), is("2h", file));
    let interval = run().env("SESSION_CLEANUP_INTERVAL", "600");
    assert_eq!(
        shown(interval, "cleanup_interval"),
        is("10m", "$SESSION_CLEANUP_INTERVAL")
    );
}

#[test]
fn the_configuration_file_may_be_elsewhere() {
    let sandbox = Sandbox::new();
    let xdg = sandbox.path("xdg/ccsession/config.toml");
    let own = sandbox.path("own.toml");
    fs::create_dir_all(xdg.parent().unwrap()).unwrap();
    fs::write(&xdg, "ttl = \"1h\"").unwrap();
    fs::write(&own, "ttl = \"2h\"").unwrap();
    let run = || {
        sandbox
            .ccsession(["config", "--json"])
            .env("XDG_CONFIG_HOME", sandbox.path("xdg"))
    };
    assert_eq!(setting(&run().json(), "ttl").0, "1h");
    let config = run().env("CCSESSION_CONFIG", &own).json();
    assert_eq!(setting(&config, "ttl").0, "2h");
    assert_eq!(config["places"]["config"], own.to_str().unwrap());
}

#[test]
fn every_place_is_shown() {
    let sandbox = Sandbox::new();
    let libexec = sandbox.path("libexec");
    let run = |arguments: &[&str]| {
        sandbox
            .ccsession(arguments)
            .env("CCSESSION_LIBEXEC", &libexec)
            .without_env("CCSESSION_ARCHIVE_AUTO")
    };
    let program = fs::canonicalize(crate::support::CCSESSION).unwrap();
    let places = json!({
        "state": sandbox.state(),
        "pointers": sandbox.pointers(),
        "config": sandbox.home().join(".config/ccsession/config.toml"),
        "program": program,
        "hooks": libexec,
        "claude": sandbox.home().join(".claude"),
    });
    let config = run(&["config", "--json"]).json();
    assert_eq!((&config["places"], &config["v"]), (&places, &json!(1)));
    let place = |name: &str| places[name].as_str().unwrap();
    let settings = [
        ["SETTING", "VALUE", "FROM"],
        ["ttl", "1day", "default"],
        ["session_timeout", "1h", "default"],
        ["max_concurrent_sessions", "100", "default"],
        ["cleanup_interval", "5m", "default"],
        ["capture", "summary", "default"],
        ["journal_limit", "64MiB", "default"],
        ["archive.auto", "true", "default"],
        ["retention.sessions", "never", "default"],
        ["retention.archive", "never", "default"],
        ["context_line", "false", "default"],
        ["limit_warning", "false", "default"],
    ];
    let widest = settings.iter().map(|row| row[0].len()).max().unwrap() + 2;
    let settings: String = settings
        .map(|[key, value, from]| format!("{key:<widest$}{value:<9}{from}\n"))
        .concat();
    let expected = format!(
        "PLACE     PATH\n\
         state     {}\n\
         pointers  {}\n\
         config    {}\n\
         program   {}\n\
         hooks     {}\n\
         claude    {}\n\
         \n\
         {settings}",
        place("state"),
        place("pointers"),
        place("config"),
        place("program"),
        place("hooks"),
        place("claude"),
    );
    run(&["config"]).expect(0, &expected, "");
    assert_eq!(sandbox.files(), [""; 0], "and nothing was created");
}

/// What `config` says of this file and this variable; the other verbs stop with the same words.
#[track_caller]
fn check_bad_setting(file: &str, variable: Option<(&str, &str)>, said: &str) {
    let sandbox = Sandbox::new();
    let path = config_file(&sandbox, file);
    let said = said.replace("FILE", path.to_str().unwrap()) + "\n";
    let run = |verb: &str| {
        let run = sandbox.ccsession([verb]);
        match variable {
            Some((name, value)) => run.env(name, value),
            None => run,
        }
    };
    let output = run("config").output();
    assert_eq!(
        (output.status.code(), text(&output.stderr)),
        (Some(1), said.clone())
    );
    assert!(
        text(&output.stdout).contains("\nttl  ") && text(&output.stdout).contains("  1day  "),
        "the default is shown"
    );
    for verb in ["list", "current", "cleanup"] {
        run(verb).expect(1, "", &said);
    }
}

#[test]
fn a_bad_value_is_named_with_its_key_its_source_and_what_is_expected() {
    const DURATION: &str = "is not a duration above zero, such as `90s`, `5m` or `24h`";
    check_bad_setting(
        "ttl = \"soon\"",
        None,
        &format!("ccsession: could not use ttl from FILE: `soon` {DURATION}"),
    );
    check_bad_setting(
        "",
        Some(("CCSESSION_TTL", "0s")),
        &format!("ccsession: could not use ttl from $CCSESSION_TTL: `0s` {DURATION}"),
    );
    check_bad_setting(
        "",
        Some(("SESSION_TIMEOUT_SECS", "1h # an hour")),
        "ccsession: could not use session_timeout from $SESSION_TIMEOUT_SECS: `1h # an hour` is not a whole number of seconds above zero",
    );
    check_bad_setting(
        "context_line = \"yes\"",
        None,
        "ccsession: could not use context_line from FILE: `yes` is not `true` or `false`",
    );
    check_bad_setting(
        "capture = \"a\\u001b[2J\\n\"",
        None,
        "ccsession: could not use capture from FILE: `a\\u{1b}[2J\\u{a}` is not `metadata`, `summary` or `full`",
    );
}

#[test]
fn an_unknown_key_is_told_by_config_and_stops_nobody_else() {
    let sandbox = Sandbox::new();
    let path = config_file(
        &sandbox,
        "\"colour\\u001b\" = \"blue\"\n[ship]\nurl = \"x\"\n",
    );
    let said = format!(
        "ccsession: could not use colour\\u{{1b}} from {path}: no such key\n\
         ccsession: could not use ship.url from {path}: no such key\n",
        path = path.display()
    );
    let output = sandbox.ccsession(["config"]).output();
    assert_eq!(
        (output.status.code(), text(&output.stderr)),
        (Some(0), said)
    );
    sandbox.ccsession(["list"]).expect(0, "", "");
}

#[test]
fn a_configuration_that_is_no_toml_is_named_with_its_line() {
    let sandbox = Sandbox::new();
    let path = config_file(&sandbox, "ttl = \"1h\"\ncapture = summary\n");
    let said = sandbox.ccsession(["list"]).refused(1);
    let start = format!("ccsession: could not read `{}`: ", path.display());
    assert!(
        said.starts_with(&start) && said.ends_with(" (line 2)"),
        "{said}"
    );
}

#[test]
fn the_example_is_toml_and_without_its_marks_it_is_the_default() {
    let sandbox = Sandbox::archiving();
    let example = sandbox.ccsession(["config", "--example"]).stdout();
    assert_eq!(
        example.parse::<toml::Table>().unwrap().len(),
        0,
        "all of it is comment"
    );
    config_file(&sandbox, &example);
    let defaults = sandbox.ccsession(["config", "--json"]).json();
    let bare: Vec<&str> = example
        .lines()
        .filter_map(|line| line.strip_prefix("# "))
        .filter(|line| line.contains(" = "))
        .collect();
    let path = config_file(&sandbox, &bare.join("\n"));
    let config = sandbox.ccsession(["config", "--json"]).json();
    for default in defaults["settings"].as_array().unwrap() {
        let key = default["key"].as_str().unwrap();
        let (value, source) = setting(&config, key);
        assert_eq!(
            (value.as_str(), source.as_str()),
            (default["value"].as_str().unwrap(), path.to_str().unwrap())
        );
        assert!(example.contains(&format!(
            "# In the environment: CCSESSION_{}\n",
            key.to_uppercase().replace('.', "_")
        )));
    }
    assert_eq!(bare.len(), 11);
}

#[test]
fn wrong_usage_is_one_line_and_never_status_2() {
    let table: [(&[&str], &str); 14] = [
        (&["frobnicate"], "unrecognized subcommand 'frobnicate'"),
        (
            &["lst"],
            "unrecognized subcommand 'lst'; a similar subcommand exists: 'list'",
        ),
        (&["--nope"], "unexpected argument '--nope' found"),
        (&["help"], "unrecognized subcommand 'help'"),
        (&["list", "--nope"], "unexpected argument '--nope' found"),
        (&["list", "extra"], "unexpected argument 'extra' found"),
        (
            &["show"],
            "the following required arguments were not provided: <ID>",
        ),
        (&["store", "a", "b"], "unexpected argument 'b' found"),
        (
            &["current", "--session"],
            "a value is required for '--session <ID>' but none was supplied",
        ),
        (
            &["current", "--name", "a", "--project", "b"],
            "the argument '--name <NAME>' cannot be used with '--project <PATH>'",
        ),
        (
            &["config", "--example", "--json"],
            "the argument '--example' cannot be used with '--json'",
        ),
        (
            &["install", "--scope", "x"],
            "invalid value 'x' for '--scope <SCOPE>' [possible values: user, project, local]",
        ),
        (
            &["cleanup", "--json=1"],
            "unexpected value '1' for '--json' found; no more were expected",
        ),
        (
            &["fr\u{202e}ob\n\u{9b}x"],
            "unrecognized subcommand 'fr\\u{202e}ob \\u{9b}x'",
        ),
    ];
    let sandbox = Sandbox::new();
    for (arguments, why) in table {
        let said = sandbox.ccsession(arguments).refused(64);
        let page = match arguments[0] {
            verb if VERBS.contains(&verb) => format!("ccsession {verb} --help"),
            _ => "ccsession --help".to_owned(),
        };
        assert_eq!(
            said,
            format!("ccsession: {why}; see `{page}`"),
            "{arguments:?}"
        );
    }
    let wrong = sandbox.ccsession(["cleanup", "--ttl", "soon"]).refused(64);
    assert_eq!(
        wrong,
        "ccsession: could not use --ttl: `soon` is not a duration above zero, such as `90s`, `5m` or `24h`"
    );
}

#[test]
fn an_argument_that_is_not_utf8_is_wrong_usage() {
    use std::os::unix::ffi::OsStrExt;
    let sandbox = Sandbox::new();
    let odd = std::ffi::OsStr::from_bytes(b"\xff");
    for verb in ["show", "store"] {
        let said = sandbox.ccsession([verb]).arg(odd).refused(64);
        assert!(said.starts_with("ccsession: invalid UTF-8"), "{said}");
    }
    let said = sandbox.ccsession([odd]).refused(64);
    assert!(said.starts_with("ccsession: "), "{said}");
    sandbox
        .ccsession(["current", "--name"])
        .arg(odd)
        .expect(0, "unknown\n", "");
}

#[test]
fn without_a_verb_the_help_is_shown_as_wrong_usage() {
    let sandbox = Sandbox::new();
    let help = sandbox.ccsession(["--help"]).stdout();
    sandbox.ccsession([""; 0]).expect(64, "", &help);
}

/// Every line fits, and no description of a verb or an option ends in a full stop.
#[track_caller]
fn check_help(help: &str) {
    for line in help.lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
    let options = help.split("  -h, --help").next().unwrap();
    for line in options.lines() {
        assert!(!line.ends_with('.') || line.ends_with("..."), "{line}");
    }
}

#[test]
fn help_is_on_stdout_and_reads_well() {
    let sandbox = Sandbox::new();
    let help = |words: &[&str]| {
        let run = sandbox.ccsession(words).env("COLUMNS", "80");
        run.stdout()
    };
    let front = help(&["--help"]);
    check_help(&front);
    assert_eq!(help(&["-h"]), front);
    for verb in VERBS {
        assert!(front.contains(&format!("\n  {verb} ")), "{verb}");
        let page = help(&[verb, "--help"]);
        check_help(&page);
        assert!(
            page.contains(&format!("\nUsage: ccsession {verb}")),
            "{page}"
        );
    }
    let status = front.split_once("\nExit status: ").unwrap().1;
    for number in ["0", "1", "3", "4", "5", "6", "64", "75"] {
        assert!(
            status.split_whitespace().any(|word| word == number),
            "{number}"
        );
    }
}

#[test]
fn the_verb_hook_answers_no_question_because_its_stdout_is_the_models() {
    let sandbox = Sandbox::new();
    for argument in ["--help", "--version", "--nope", "-h"] {
        sandbox.ccsession(["hook", argument]).stdin("{}").silent();
    }
}

#[test]
fn the_version_is_the_packages() {
    let sandbox = Sandbox::new();
    let version = format!("ccsession {}\n", env!("CARGO_PKG_VERSION"));
    for flag in ["--version", "-V"] {
        sandbox.ccsession([flag]).expect(0, &version, "");
    }
}

/// Command lines that print, fail to find, and fail to understand, each with its exit status.
const TALKATIVE: [(&[&str], i32); 9] = [
    (&["--help"], 0),
    (&["list", "--help"], 0),
    (&["--version"], 0),
    (&["current"], 0),
    (&["list", "--json"], 0),
    (&["config"], 0),
    (&["config", "--example"], 0),
    (&["show", "nope"], 3),
    (&["list", "--nope"], 64),
];

/// Runs it with these streams instead of pipes; the exit status is the answer.
#[track_caller]
fn status(sandbox: &Sandbox, arguments: &[&str], stdout: Stdio, stderr: Stdio) -> i32 {
    let mut command = sandbox.ccsession(arguments).command;
    command.stdin(Stdio::null()).stdout(stdout).stderr(stderr);
    command.status().unwrap().code().unwrap()
}

/// A pipe that nobody reads any more.
fn unread() -> Stdio {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    writer.into()
}

#[test]
fn a_reader_that_has_read_enough_is_no_failure() {
    let sandbox = Sandbox::new();
    for (arguments, expected) in TALKATIVE {
        let ended = status(&sandbox, arguments, unread(), Stdio::null());
        assert_eq!(ended, expected, "{arguments:?}");
    }
}

#[test]
fn a_failure_keeps_its_status_where_nobody_hears_why() {
    let sandbox = Sandbox::new();
    for (arguments, expected) in TALKATIVE {
        let ended = status(&sandbox, arguments, Stdio::null(), unread());
        assert_eq!(ended, expected, "{arguments:?}");
    }
}

#[test]
fn closed_streams_are_no_failure() {
    let sandbox = Sandbox::new();
    for (arguments, expected) in TALKATIVE {
        let script = format!(
            "{} {} <&- >&- 2>&-",
            crate::support::CCSESSION,
            arguments.join(" ")
        );
        sandbox
            .run("/bin/sh")
            .arg("-c")
            .arg(script)
            .expect(expected, "", "");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn an_answer_that_could_not_be_written_is_a_failure() {
    let sandbox = Sandbox::new();
    let full = || Stdio::from(fs::File::options().write(true).open("/dev/full").unwrap());
    for (arguments, expected) in TALKATIVE {
        let unwritten = if expected == 0 { 1 } else { expected };
        let ended = status(&sandbox, arguments, full(), Stdio::null());
        assert_eq!(ended, unwritten, "{arguments:?}");
        let said = sandbox.ccsession(arguments).output_to(full());
        let is_said = said.contains("could not write the output: No space left on device");
        assert_eq!(is_said, expected == 0, "{arguments:?}: {said}");
        let ended = status(&sandbox, arguments, Stdio::null(), full());
        assert_eq!(ended, expected, "{arguments:?}");
    }
}

/// What a stranger can bring into a name: colours, a cleared screen, a second line, reversed and hidden text, C1.
const HOSTILE: &str = "a\u{1b}[31m\u{202e}b\u{9b}2J\u{200b}\u{2028}\r\nc\u{7f}";

#[track_caller]
fn check_safe(output: &std::process::Output) {
    for stream in [&output.stdout, &output.stderr] {
        let said = text(stream);
        let hostile = said
            .chars()
            .find(|c| *c != '\n' && HOSTILE.contains(*c) && !c.is_ascii_graphic());
        assert_eq!(hostile, None, "{said:?}");
    }
}

#[test]
fn nothing_that_a_terminal_obeys_comes_through() {
    let sandbox = swept();
    let dir = sandbox.path(HOSTILE);
    fs::create_dir_all(dir.join(".git")).unwrap();
    fs::create_dir_all(dir.join(".claude")).unwrap();
    fs::write(dir.join(".claude/settings.json"), format!("{{{HOSTILE}")).unwrap();
    fs::write(
        dir.join(".git/HEAD"),
        format!("ref: refs/heads/{}\n", HOSTILE.replace(['\n', '\r'], "")),
    )
    .unwrap();
    start_in(&sandbox, ID, &dir);
    let odd = event(
        HOSTILE,
        ID,
        json!({"source": HOSTILE, "model": HOSTILE, "transcript_path": HOSTILE, "tool_name": HOSTILE}),
    );
    sandbox
        .hook(&odd)
        .env("CLAUDE_PID", as_client())
        .dir(&dir)
        .silent();
    edit_record(&sandbox, ID, |record| {
        for key in [
            "name",
            "role",
            "focus",
            "source",
            "model",
            "transcript_path",
        ] {
            record[key] = json!(HOSTILE);
        }
        record["notes"] = json!([{"at": record["started_at"], "text": HOSTILE}, HOSTILE]);
    });
    let line = json!({"v": 1, "ts": HOSTILE, "what": HOSTILE, "session_id": ID});
    let error = json!({"v": 1, "ts": chrono::Local::now().to_rfc3339(), "what": HOSTILE});
    for (name, line) in [("log.jsonl", line), ("hook-errors.jsonl", error)] {
        write_private(&sandbox.state().join(name), &format!("\n{line}\n"));
    }
    for arguments in [
        &["list"][..],
        &["list", "--all"],
        &["show", ID],
        &["doctor"],
        &["config"],
        &["current", "--explain"],
        &["clock-in", "--session", ID],
        &["clock-in", "--session", "s-2", "--focus", HOSTILE],
        &["install", "--scope", "project"],
        &["uninstall", "--scope", "project"],
    ] {
        let run = sandbox
            .ccsession(arguments)
            .dir(&dir)
            .env("CLAUDE_CONFIG_DIR", dir.join("x"));
        let output = run.output();
        let shows_it =
            text(&output.stdout).contains("[31m") || text(&output.stderr).contains("[31m");
        assert!(
            shows_it || arguments[0] == "current",
            "the test shows nothing: {output:?}"
        );
        check_safe(&output);
    }
    fs::write(
        record_path(&sandbox, ID),
        json!({"v": 1, "session_id": HOSTILE}).to_string(),
    )
    .unwrap();
    check_safe(&sandbox.ccsession(["list", "--all"]).output());
    check_safe(&sandbox.ccsession(["show", ID]).output());
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

#[test]
fn a_place_that_is_not_absolute_is_refused_and_never_passed_over() {
    let sandbox = Sandbox::new();
    for variable in [
        "CCSESSION_STATE_DIR",
        "CCSESSION_POINTER_DIR",
        "CCSESSION_CONFIG",
        "CCSESSION_LIBEXEC",
    ] {
        let refused = sandbox
            .ccsession(["current"])
            .env(variable, "somewhere/else")
            .refused(1);
        let why = "it is not an absolute path; correct or unset it";
        assert_eq!(
            refused,
            format!("ccsession: could not use {variable}: {why}")
        );
    }
    sandbox
        .hook(&event("SessionStart", ID, json!({})))
        .env("CCSESSION_CONFIG", "config.toml")
        .env("HOOK_DEBUG", "true")
        .expect(
            0,
            "",
            &format!(
                "ccsession: [SESSION_MANAGER] session created: {ID}\n\
                 ccsession: could not use CCSESSION_CONFIG: it is not an absolute path\n"
            ),
        );
}

#[test]
fn what_others_see_changed_is_logged_and_said_to_whoever_debugs() {
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
