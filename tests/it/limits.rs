//! How many sessions may be live: at the limit `clock-in` and `run` are refused, hooks never are.

use std::fs;
use std::io::Write;
use std::process::{Child, Stdio};
use std::time::{Duration, SystemTime};

use rustix::fs::{FlockOperation, flock};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::support::states::age;
use crate::support::torture::is_torture;
use crate::support::{ID, Run, Sandbox, as_client, event, json_lines, text, wait_until};

/// `ccsession clock-in` as the session `id`, where so many may be live.
fn clock_in(sandbox: &Sandbox, id: &str, limit: usize) -> Run {
    let run = sandbox.ccsession(["clock-in", "--session", id, "--quiet"]);
    limited(run, limit)
}

fn limited(run: Run, limit: usize) -> Run {
    run.env("CCSESSION_MAX_CONCURRENT_SESSIONS", limit.to_string())
}

fn refusal(limit: usize) -> String {
    format!(
        "ccsession: Maximum concurrent sessions ({limit}) exceeded; end a session of `ccsession list`, or raise max_concurrent_sessions"
    )
}

/// As many sessions, `s-0` and so on.
fn crowd(sandbox: &Sandbox, size: usize) {
    for number in 0..size {
        let id = format!("s-{number}");
        let words = format!("{id}\n");
        let run = clock_in(sandbox, &id, size).arg("--focus").arg(&id);
        run.expect(0, &words, "");
    }
}

fn set_age(sandbox: &Sandbox, id: &str, time: SystemTime) {
    let journal = sandbox.session(id).join("events.jsonl");
    let journal = fs::File::options().write(true).open(journal).unwrap();
    journal.set_modified(time).unwrap();
}

fn live(sandbox: &Sandbox) -> Vec<String> {
    let listed = sandbox.ccsession(["list", "--json"]).json();
    let sessions = listed["sessions"].as_array().unwrap().iter();
    let mut ids: Vec<String> = sessions
        .map(|session| session["session_id"].as_str().unwrap().to_owned())
        .collect();
    ids.sort();
    ids
}

fn logged(sandbox: &Sandbox, what: &str) -> Vec<Value> {
    let log = json_lines(&sandbox.state().join("log.jsonl"));
    log.into_iter()
        .filter(|line| line["what"] == what)
        .collect()
}

/// A session whose client is this process, or nobody.
fn start(sandbox: &Sandbox, id: &str, has_client: bool) {
    let mut hook = sandbox.hook(&event("SessionStart", id, json!({"source": "startup"})));
    if has_client {
        hook = hook.env("CLAUDE_PID", as_client());
    }
    hook.silent();
}

fn sessions(sandbox: &Sandbox) -> usize {
    fs::read_dir(sandbox.state().join("sessions"))
        .unwrap()
        .count()
}

/// In the older tools, one way to create a session knew no limit. At the limit every creation failed, with room or without.
#[test]
fn one_session_more_than_the_limit_is_refused_and_leaves_nothing() {
    let sandbox = Sandbox::just_swept();
    crowd(&sandbox, 3);
    let before = sandbox.files();
    assert_eq!(clock_in(&sandbox, "s-3", 3).refused(1), refusal(3));
    let run = limited(
        sandbox.ccsession(["run", "--session-id", "s-3", "--", "/bin/echo", "run"]),
        3,
    );
    assert_eq!(run.refused(1), refusal(3));
    assert_eq!(sandbox.files(), before);
    assert_eq!(live(&sandbox), ["s-0", "s-1", "s-2"]);
    let refused = logged(&sandbox, "session refused: limit");
    assert_eq!(
        json!([refused.len(), refused[0]["limit"], refused[0]["live"]]),
        json!([2, 3, 3])
    );
    // One that is live already is no new one.
    clock_in(&sandbox, "s-1", 3).stdout();
    limited(
        sandbox.ccsession(["run", "--session-id", "s-2", "--", "/bin/true"]),
        3,
    )
    .silent();
    // That one has ended now: there is room.
    clock_in(&sandbox, "s-3", 3).stdout();
    assert_eq!(clock_in(&sandbox, "s-4", 3).refused(1), refusal(3));
}

#[test]
fn a_run_counts_as_long_as_its_command_runs() {
    let sandbox = Sandbox::just_swept();
    let inner = "\"$0\" clock-in --session s-inner --quiet; exit 7";
    let run = sandbox.ccsession([
        "run",
        "--session-id",
        "s-run",
        "--",
        "/bin/sh",
        "-c",
        inner,
        crate::support::CCSESSION,
    ]);
    let output = limited(run, 1).output();
    assert_eq!(
        (output.status.code(), text(&output.stderr)),
        (Some(7), refusal(1) + "\n")
    );
    clock_in(&sandbox, "s-after", 1).stdout();
}

/// In the older tools, what was stale counted, and was never evicted.
#[test]
fn stale_ones_are_retired_before_anybody_is_refused() {
    let sandbox = Sandbox::just_swept();
    crowd(&sandbox, 3);
    for id in ["s-0", "s-1", "s-2"] {
        age(&sandbox, id, 3601);
    }
    clock_in(&sandbox, "s-new", 3).stdout();
    assert_eq!(live(&sandbox), ["s-new"]);
    for id in ["s-0", "s-1", "s-2"] {
        let record = sandbox.record(id);
        assert!(record["ended_at"].is_string(), "{record}");
        assert_eq!(record["end_reason"], "idle");
        assert_eq!(
            sandbox.ccsession(["show", id, "--json"]).json()["state"],
            "ended"
        );
    }
    let index: Vec<String> = sandbox
        .files()
        .into_iter()
        .filter(|file| file.contains("/projects/"))
        .collect();
    assert!(
        index.len() == 1 && index[0].ends_with("/s-new"),
        "{index:?}"
    );
    let retired = logged(&sandbox, "session retired");
    assert_eq!(retired.len(), 3);
    assert_eq!(retired[0]["reason"], "idle");
}

#[test]
fn as_long_as_there_is_room_nobody_is_retired() {
    let sandbox = Sandbox::just_swept();
    crowd(&sandbox, 2);
    age(&sandbox, "s-0", 3601);
    clock_in(&sandbox, "s-new", 4).stdout();
    assert_eq!(sandbox.record("s-0")["ended_at"], Value::Null);
    assert_eq!(logged(&sandbox, "session retired").len(), 0);
}

/// At exactly the timeout a session is idle, one moment before it is not.
#[test]
fn sessions_active_within_the_timeout_survive_and_count() {
    let sandbox = Sandbox::just_swept();
    crowd(&sandbox, 2);
    age(&sandbox, "s-0", 3540);
    age(&sandbox, "s-1", 3540);
    assert_eq!(clock_in(&sandbox, "s-new", 2).refused(1), refusal(2));
    age(&sandbox, "s-1", 3600);
    clock_in(&sandbox, "s-new", 2).stdout();
    assert_eq!(live(&sandbox), ["s-0", "s-new"]);
}

/// In the older tools, a session that had timed out was handed back as it was.
#[test]
fn a_retired_session_that_is_clocked_in_again_is_live_if_there_is_room() {
    let sandbox = Sandbox::just_swept();
    crowd(&sandbox, 1);
    age(&sandbox, "s-0", 3601);
    clock_in(&sandbox, "s-1", 1).stdout();
    assert_eq!(clock_in(&sandbox, "s-0", 1).refused(1), refusal(1));
    assert_eq!(sandbox.record("s-0")["end_reason"], "idle");
    clock_in(&sandbox, "s-0", 2).stdout();
    let record = sandbox.record("s-0");
    assert_eq!(
        json!([record["ended_at"], record["end_reason"]]),
        json!([null, null])
    );
    assert_eq!(live(&sandbox), ["s-0", "s-1"]);
}

/// The revival of a session that is cleaned up at the same moment was a race.
#[test]
fn a_retired_session_whose_client_starts_is_live_again() {
    let sandbox = Sandbox::just_swept();
    crowd(&sandbox, 1);
    age(&sandbox, "s-0", 3601);
    clock_in(&sandbox, "s-1", 1).stdout();
    start(&sandbox, "s-0", true);
    assert_eq!(live(&sandbox), ["s-0", "s-1"]);
    assert_eq!(sandbox.record("s-0")["focus"], "s-0");
}

/// A hook notes its time, may wait for the lock, and writes: by then its session may be retired.
#[test]
fn a_client_that_starts_while_its_session_is_retired_wins() {
    let sandbox = Sandbox::just_swept();
    crowd(&sandbox, 1);
    let journal = sandbox.session("s-0").join("events.jsonl");
    let utc = |time: chrono::DateTime<chrono::Utc>| {
        time.to_rfc3339_opts(chrono::SecondsFormat::Micros, true)
    };
    let began = chrono::Utc::now();
    let old = json!({"v": 1, "ts": utc(began - chrono::TimeDelta::hours(2)), "event": "ClockIn", "session_id": "s-0"});
    fs::write(&journal, format!("\n{old}\n")).unwrap();
    age(&sandbox, "s-0", 7200);
    clock_in(&sandbox, "s-1", 1).stdout();
    let ended = sandbox.record("s-0")["ended_at"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(
        ended <= utc(began - chrono::TimeDelta::minutes(59)),
        "it ended when it became idle: {ended}"
    );
    let start = json!({"v": 1, "ts": utc(began), "event": "SessionStart", "session_id": "s-0"});
    let mut file = fs::File::options().append(true).open(&journal).unwrap();
    file.write_all(format!("\n{start}\n").as_bytes()).unwrap();
    let shown = sandbox.ccsession(["show", "s-0", "--json"]).json();
    assert_eq!(shown["state"], "active");
}

/// In the older tools, a session with a client was dropped because it was quiet.
#[test]
fn a_session_with_a_living_owner_is_never_retired() {
    let sandbox = Sandbox::just_swept();
    start(&sandbox, ID, true);
    age(&sandbox, ID, 48 * 3600);
    assert_eq!(clock_in(&sandbox, "s-new", 1).refused(1), refusal(1));
    assert_eq!(live(&sandbox), [ID]);
    assert_eq!(sandbox.record(ID)["ended_at"], Value::Null);
}

/// In the older tools, sessions with calls in flight were dropped.
#[test]
fn one_with_an_open_call_is_never_retired_and_counts() {
    let sandbox = Sandbox::just_swept();
    start(&sandbox, ID, false);
    let call = json!({"tool_name": "Bash", "tool_use_id": "t-1", "tool_input": {}});
    sandbox.hook(&event("PreToolUse", ID, call)).silent();
    age(&sandbox, ID, 2 * 3600);
    assert_eq!(clock_in(&sandbox, "s-new", 1).refused(1), refusal(1));
    assert_eq!(sandbox.record(ID)["ended_at"], Value::Null);
    let done = json!({"tool_name": "Bash", "tool_use_id": "t-1", "tool_response": {}});
    sandbox.hook(&event("PostToolUse", ID, done)).silent();
    age(&sandbox, ID, 2 * 3600);
    clock_in(&sandbox, "s-new", 1).stdout();
    assert_eq!(sandbox.record(ID)["end_reason"], "idle");
}

#[test]
fn a_session_with_an_invisible_owner_is_not_retired_and_stops_nobody() {
    let sandbox = Sandbox::just_swept();
    start(&sandbox, ID, true);
    let owners = sandbox.session(ID).join("owners");
    let owner = fs::read_dir(owners)
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    let mut elsewhere: Value = serde_json::from_slice(&fs::read(&owner).unwrap()).unwrap();
    elsewhere["pidns"] = json!(1);
    crate::support::files::write_private(&owner, &elsewhere.to_string());
    let run = || clock_in(&sandbox, "s-new", 1).env("CCSESSION_ID", "s-new");
    assert_eq!(
        run().refused(1),
        refusal(1),
        "while something happens it counts"
    );
    age(&sandbox, ID, 2 * 3600);
    run().stdout();
    assert_eq!(sandbox.record(ID)["ended_at"], Value::Null);
}

/// In the older tools, an activity in the future never expired.
#[test]
fn a_last_activity_in_the_future_does_not_protect_a_session() {
    let sandbox = Sandbox::just_swept();
    crowd(&sandbox, 1);
    set_age(
        &sandbox,
        "s-0",
        SystemTime::now() + Duration::from_secs(7200),
    );
    clock_in(&sandbox, "s-new", 1).stdout();
    assert_eq!(live(&sandbox), ["s-new"]);
    let shown = sandbox.ccsession(["show", "s-0", "--json"]).json();
    assert_eq!(shown["state"], "abandoned");
    // A clock that is a little ahead is nobody's death.
    set_age(
        &sandbox,
        "s-new",
        SystemTime::now() + Duration::from_secs(120),
    );
    assert_eq!(clock_in(&sandbox, "s-more", 1).refused(1), refusal(1));
}

#[test]
fn ended_dead_and_unrecorded_sessions_are_not_counted() {
    let sandbox = Sandbox::just_swept();
    start(&sandbox, "s-ended", false);
    sandbox
        .hook(&event("SessionEnd", "s-ended", json!({"reason": "other"})))
        .silent();
    let script = format!("CLAUDE_PID=$$ {}; exit $?", crate::support::SESSION_START);
    let payload = event("SessionStart", "s-dead", json!({"source": "startup"}));
    sandbox
        .run("/bin/sh")
        .arg("-c")
        .arg(script)
        .stdin(payload.to_string())
        .silent();
    start(&sandbox, "s-broken", false);
    crate::support::files::write_private(&sandbox.session("s-broken").join("session.json"), "[]");
    let output = clock_in(&sandbox, "s-new", 1).output();
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(
        fs::read(sandbox.session("s-broken").join("session.json")).unwrap(),
        b"[]"
    );
    // One that cannot be read and that a process has is live.
    let sandbox = Sandbox::just_swept();
    start(&sandbox, ID, true);
    crate::support::files::write_private(&sandbox.session(ID).join("session.json"), "[]");
    let output = clock_in(&sandbox, "s-new", 1).output();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        text(&output.stderr).ends_with(&(refusal(1) + "\n")),
        "{}",
        text(&output.stderr)
    );
}

#[test]
fn a_session_that_cannot_be_retired_stops_nobody() {
    let sandbox = Sandbox::just_swept();
    crowd(&sandbox, 2);
    for id in ["s-0", "s-1"] {
        age(&sandbox, id, 3601);
    }
    // One journal has a second name, which is not believed; one record cannot be written.
    let journal = sandbox.session("s-0").join("events.jsonl");
    fs::hard_link(journal, sandbox.path("second-name")).unwrap();
    let mut record = sandbox.record("s-1");
    let room = (1 << 22) - record.to_string().len();
    record["description"] = json!("x".repeat(room));
    let path = sandbox.session("s-1").join("session.json");
    crate::support::files::write_private(&path, &record.to_string());
    clock_in(&sandbox, "s-new", 1).stdout();
    assert_eq!(sandbox.record("s-0")["end_reason"], "idle");
    assert_eq!(sandbox.record("s-1")["ended_at"], Value::Null);
    assert_eq!(live(&sandbox), ["s-new"]);
}

#[test]
fn a_hook_never_refuses_and_a_cleanup_logs_it_once_where_that_is_wanted() {
    let sandbox = Sandbox::just_swept();
    let warned = || logged(&sandbox, "Maximum concurrent sessions (2) exceeded");
    for number in 0..3 {
        let hook = sandbox.hook(&event(
            "SessionStart",
            &format!("s-{number}"),
            json!({"source": "startup"}),
        ));
        limited(hook, 2)
            .env("CCSESSION_LIMIT_WARNING", "true")
            .silent();
    }
    assert_eq!(sessions(&sandbox), 3);
    assert_eq!(warned().len(), 0);
    let cleanup = |wanted: &str, options: &[&str]| {
        let run = limited(
            sandbox.ccsession(["cleanup", "--quiet"].iter().chain(options)),
            2,
        );
        run.env("CCSESSION_LIMIT_WARNING", wanted).silent();
    };
    cleanup("false", &[]);
    assert_eq!(warned().len(), 0);
    cleanup("true", &[]);
    let lines = warned();
    assert_eq!(
        json!([lines.len(), lines[0]["limit"], lines[0]["live"]]),
        json!([1, 2, 3])
    );
    // No sweep is due, so none warns.
    cleanup("true", &["--if-due"]);
    assert_eq!(warned().len(), 1);
    sandbox
        .hook(&event("SessionEnd", "s-0", json!({"reason": "other"})))
        .silent();
    cleanup("true", &[]);
    assert_eq!(warned().len(), 1);
}

#[test]
fn a_start_over_the_limit_is_logged_by_the_cleanup_that_it_starts() {
    let sandbox = Sandbox::new();
    let hook = |id: &str| {
        let hook = sandbox.hook(&event("SessionStart", id, json!({"source": "startup"})));
        limited(hook, 1).env("CCSESSION_LIMIT_WARNING", "true")
    };
    for id in ["s-0", "s-1"] {
        crate::support::states::make_state(&sandbox.state());
        crate::support::states::no_sweep(&sandbox);
        hook(id).silent();
    }
    fs::remove_file(sandbox.state().join("sweep")).unwrap();
    hook("s-2").silent();
    wait_until(|| !logged(&sandbox, "Maximum concurrent sessions (1) exceeded").is_empty());
}

/// In the older tools, a limit of zero, a negative or a huge one was taken as it came, an empty one or one with a
/// comment stopped the import.
#[test]
fn an_invalid_limit_is_refused_by_name_and_a_trailing_comment_is_allowed() {
    let sandbox = Sandbox::new();
    let value = |run: Run| {
        let config = run.json();
        let settings = config["settings"].as_array().unwrap();
        let found = settings
            .iter()
            .find(|setting| setting["key"] == "max_concurrent_sessions")
            .unwrap();
        (
            found["value"].as_str().unwrap().to_owned(),
            found["source"].as_str().unwrap().to_owned(),
        )
    };
    let config = || sandbox.ccsession(["config", "--json"]);
    let is = |value: &str, source: &str| (value.to_owned(), source.to_owned());
    let inherited = |text: &str| config().env("SESSION_MAX_CONCURRENT", text);
    assert_eq!(value(config()), is("100", "default"));
    assert_eq!(
        value(inherited("7  # Session limit")),
        is("7", "$SESSION_MAX_CONCURRENT")
    );
    assert_eq!(value(inherited("")), is("100", "default"));
    let ours = inherited("7").env("CCSESSION_MAX_CONCURRENT_SESSIONS", "9");
    assert_eq!(value(ours), is("9", "$CCSESSION_MAX_CONCURRENT_SESSIONS"));
    let ours = inherited("7").env("CCSESSION_MAX_CONCURRENT_SESSIONS", "");
    assert_eq!(value(ours), is("7", "$SESSION_MAX_CONCURRENT"));
    for bad in ["0", "-1", "100001", "1e3", "99999999999999999999", "many"] {
        for variable in [
            "CCSESSION_MAX_CONCURRENT_SESSIONS",
            "SESSION_MAX_CONCURRENT",
        ] {
            let said = sandbox
                .ccsession(["clock-in"])
                .env(variable, bad)
                .refused(1);
            assert_eq!(
                said,
                format!(
                    "ccsession: could not use max_concurrent_sessions from ${variable}: `{bad}` is not a whole number from 1 to 100000"
                )
            );
        }
        // A hook goes on with the default.
        sandbox
            .hook(&event("SessionStart", ID, json!({})))
            .env("SESSION_MAX_CONCURRENT", bad)
            .silent();
    }
    crate::support::states::no_sweep(&sandbox);
    let path = sandbox.path("config.toml");
    fs::write(&path, "max_concurrent_sessions = 1\nlimit_warning = true\n").unwrap();
    let in_file = config().env("CCSESSION_CONFIG", &path);
    assert_eq!(value(in_file), is("1", path.to_str().unwrap()));
}

/// In the older tools, a timeout of zero made every session stale, negative and huge ones were not looked at.
#[test]
fn an_invalid_timeout_is_refused_by_name() {
    let sandbox = Sandbox::new();
    for (variable, bad) in [
        ("CCSESSION_SESSION_TIMEOUT", "0s"),
        ("CCSESSION_SESSION_TIMEOUT", "-1h"),
        ("SESSION_TIMEOUT_SECS", "0"),
        ("SESSION_TIMEOUT_SECS", "-3600"),
        ("SESSION_TIMEOUT_SECS", "99999999999999999999"),
    ] {
        let said = sandbox
            .ccsession(["clock-in"])
            .env(variable, bad)
            .refused(1);
        assert!(
            said.starts_with(&format!(
                "ccsession: could not use session_timeout from ${variable}: `{bad}` is not "
            )),
            "{said}"
        );
    }
    // The longest that there is only keeps everybody alive.
    let sandbox = Sandbox::just_swept();
    crowd(&sandbox, 1);
    age(&sandbox, "s-0", 30 * 24 * 3600);
    let run =
        clock_in(&sandbox, "s-new", 1).env("SESSION_TIMEOUT_SECS", "4294967295  # a long time");
    assert_eq!(run.refused(1), refusal(1));
}

/// Starts all at once and waits for all; how many ended with 0, and what the others said.
fn race(runs: impl Iterator<Item = Run>) -> (usize, Vec<String>) {
    outcome(at_once(runs))
}

fn at_once(runs: impl Iterator<Item = Run>) -> Vec<Child> {
    runs.map(|mut run| {
        let command = run.command.stdin(Stdio::null()).stdout(Stdio::null());
        command.stderr(Stdio::piped()).spawn().unwrap()
    })
    .collect()
}

fn outcome(children: Vec<Child>) -> (usize, Vec<String>) {
    let (mut done, mut refused) = (0, Vec::new());
    for child in children {
        let output = child.wait_with_output().unwrap();
        match output.status.code() {
            Some(0) => done += 1,
            Some(1) => refused.push(text(&output.stderr)),
            other => panic!("{other:?}: {}", text(&output.stderr)),
        }
    }
    (done, refused)
}

/// The older tools had tests of races at the limit, which were skipped.
#[test]
fn of_two_hundred_at_once_exactly_a_hundred_begin() {
    let rounds = if is_torture() { 100 } else { 1 };
    for round in 0..rounds {
        let sandbox = Sandbox::just_swept();
        let runs = (0..200).map(|number| {
            let id = format!("s-{number}");
            clock_in(&sandbox, &id, 100).arg("--focus").arg(id)
        });
        let (done, refused) = race(runs);
        assert_eq!(
            (done, refused.len(), sessions(&sandbox)),
            (100, 100, 100),
            "round {round}"
        );
        assert!(
            refused.iter().all(|said| *said == refusal(100) + "\n"),
            "{refused:?}"
        );
        assert_eq!(live(&sandbox).len(), 100);
        sandbox.assert_no_leftovers();
    }
}

#[test]
fn runs_and_clock_ins_race_for_the_same_places() {
    let sandbox = Sandbox::just_swept();
    let (begun, over) = (sandbox.path("begun"), sandbox.path("over"));
    fs::create_dir(&begun).unwrap();
    // It outlives the race.
    let script = format!(
        "> {}/$CCSESSION_ID; until [ -e {} ]; do sleep 0.05; done",
        begun.display(),
        over.display()
    );
    let runs = (0..24).map(|number| {
        let id = format!("s-{number}");
        if number % 2 == 0 {
            clock_in(&sandbox, &id, 8).arg("--focus").arg(id)
        } else {
            let command = ["run", "--session-id", &id, "--", "/bin/sh", "-c", &script];
            limited(sandbox.ccsession(command), 8)
        }
    });
    let mut children = at_once(runs);
    wait_until(|| {
        let running = fs::read_dir(&begun).unwrap().count();
        let is_over = |child: &mut Child| child.try_wait().unwrap().is_some();
        let ended = children.iter_mut().map(is_over).filter(|it| *it).count();
        running + ended >= 24
    });
    fs::write(over, "").unwrap();
    let (done, refused) = outcome(children);
    assert_eq!((done, refused.len(), sessions(&sandbox)), (8, 16, 8));
    let leases = fs::read_dir(sandbox.state().join("leases"))
        .unwrap()
        .count();
    assert_eq!(leases, 0);
}

/// Whether the process holds the lock now.
fn holds_lock(sandbox: &Sandbox, pid: u32) -> bool {
    use std::os::unix::fs::MetadataExt;
    let Ok(lock) = fs::metadata(sandbox.state().join("lock")) else {
        return false;
    };
    let locks = fs::read_to_string("/proc/locks").unwrap();
    let inode = format!(":{} ", lock.ino());
    locks.lines().any(|line| {
        let is_waiting = line.contains("->");
        !is_waiting && line.contains(&format!(" {pid} ")) && line.contains(&inode)
    })
}

#[test]
fn a_clock_in_suspended_with_the_lock_stops_no_hook() {
    if !fs::exists("/proc/locks").unwrap() {
        return; // where the holder of a lock cannot be seen, it cannot be stopped while it is one
    }
    let sandbox = Sandbox::just_swept();
    // At the limit each of them is looked at, under the lock.
    crowd(&sandbox, 60);
    let pid = |child: &Child| Pid::from_raw(child.id().try_into().unwrap()).unwrap();
    let stopped = (0..200).find_map(|number| {
        let mut run = clock_in(&sandbox, &format!("s-new-{number}"), 60);
        let command = run.command.stdin(Stdio::null()).stdout(Stdio::null());
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        while child.try_wait().unwrap().is_none() {
            if holds_lock(&sandbox, child.id()) {
                kill_process(pid(&child), Signal::STOP).unwrap();
                std::thread::sleep(Duration::from_millis(20));
                if holds_lock(&sandbox, child.id()) {
                    return Some(child);
                }
                kill_process(pid(&child), Signal::CONT).unwrap();
            }
        }
        None
    });
    let stopped = stopped.expect("none could be stopped while it held the lock");
    let lock = fs::File::open(sandbox.state().join("lock")).unwrap();
    assert!(flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err());
    start(&sandbox, ID, true);
    let call = json!({"tool_name": "Bash", "tool_use_id": "t-1", "tool_input": {}});
    sandbox.hook(&event("PreToolUse", ID, call)).silent();
    assert!(
        flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err(),
        "it is still held"
    );
    let events: Vec<Value> = sandbox
        .journal(ID)
        .iter()
        .map(|line| line["event"].clone())
        .collect();
    assert_eq!(events, ["SessionStart", "PreToolUse"]);
    let pointer = fs::read_to_string(sandbox.pointer("shop")).unwrap();
    assert!(pointer.starts_with(ID), "{pointer}");
    drop(lock);
    kill_process(pid(&stopped), Signal::CONT).unwrap();
    let output = stopped.wait_with_output().unwrap();
    assert_eq!(
        (output.status.code(), text(&output.stderr)),
        (Some(1), refusal(60) + "\n")
    );
}
