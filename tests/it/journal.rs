//! The journal under concurrent writers and kills: each acknowledged record is there once, and torn lines are counted and
//! reported. And the logs, which are written in the same way.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::Duration;

use ccsession::store::journal::Damage;
use ccsession::store::log::{self, Log, LogLine};
use ccsession::store::write::AppendOutcome;
use ccsession::store::{Decompressor, Places, StateDir};
use serde_json::{Value, json};

use crate::support::journals::{WORKER, Worker, acknowledge, record};
use crate::support::states::{assert_sound, make_state};
use crate::support::torture::{in_parallel, is_torture};
use crate::support::tracing::{can_inject, traced};
use crate::support::{
    ID, PRE_TOOL_USE, Sandbox, as_client, event, holding, json_lines, text, wait_until,
};

/// A process of [`no_kill_loses_or_mixes_an_acknowledged_record`], and no test of its own: it appends until it is killed,
/// and acknowledges each record on stderr.
#[test]
fn append_worker() {
    let Some(task) = std::env::var_os(WORKER) else {
        return;
    };
    let task = task.into_string().unwrap();
    let (path, name) = task.split_once('\n').unwrap();
    let places = Places {
        state: Path::new(path).ancestors().nth(3).map(Path::to_owned),
        pointers: PathBuf::new(),
        config: None,
    };
    let state = StateDir::open(&places, Decompressor::BUILT_IN)
        .unwrap()
        .unwrap();
    let session = state.session(&ID.parse().unwrap());
    for number in 0.. {
        let appended = session.journal().append(&record(name, number)).unwrap();
        assert!(matches!(appended, AppendOutcome::Done { .. }));
        acknowledge(number);
    }
}

#[test]
fn no_kill_loses_or_mixes_an_acknowledged_record() {
    let (workers, records) = if is_torture() { (50, 2000) } else { (8, 300) };
    let sandbox = Sandbox::new();
    make_state(&sandbox.state());
    sandbox
        .hook(&event("SessionStart", ID, json!({"source": "startup"})))
        .silent();
    let path = sandbox.session(ID).join("events.jsonl");

    let acknowledged = std::sync::Mutex::new(Vec::new());
    let kills = std::sync::atomic::AtomicU64::new(0);
    in_parallel(workers, workers, |worker| {
        let mut own = 0;
        for life in 0.. {
            let name = format!("{worker}.{life}");
            // From at once to some dozen records later, differently for every life.
            let after =
                Duration::from_micros(u64::try_from(worker * 7717 + life * 4241).unwrap() % 1500);
            let numbers = Worker::start("journal::append_worker", &path, &name).kill(after);
            kills.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            own += numbers.len();
            let ids = numbers.into_iter().map(|number| format!("{name}/{number}"));
            acknowledged.lock().unwrap().extend(ids);
            if own >= records {
                return;
            }
        }
    });
    let acknowledged = acknowledged.into_inner().unwrap();
    let kills = kills.into_inner();
    assert!(acknowledged.len() >= workers * records);

    let mut events = sandbox.events(ID);
    let mut seen = BTreeSet::new();
    for event in events.by_ref().skip(1) {
        let id = event.tool_use_id.clone().unwrap();
        let (name, number) = id.split_once('/').unwrap();
        assert_eq!(
            event,
            record(name, number.parse().unwrap()),
            "a record with parts of another"
        );
        assert!(seen.insert(id), "twice: {:?}", event.tool_use_id);
    }
    let lost: Vec<&String> = acknowledged
        .iter()
        .filter(|id| !seen.contains(*id))
        .collect();
    assert_eq!(lost, [""; 0]);

    // What the reader says is torn is all that is: counted here without it.
    let damage = events.damage();
    let bytes = fs::read(&path).unwrap();
    let lines = bytes
        .split_inclusive(|&b| b == b'\n')
        .filter(|line| *line != b"\n");
    let (whole, broken): (Vec<&[u8]>, Vec<&[u8]>) =
        lines.partition(|line| serde_json::from_slice::<Value>(line).is_ok());
    let unfinished = u64::from(bytes.last() != Some(&b'\n'));
    assert_eq!(
        damage,
        Damage {
            torn: damage.torn,
            in_flight: unfinished,
            ..Damage::default()
        }
    );
    assert_eq!(
        whole.len() + broken.len(),
        1 + seen.len() + usize::try_from(damage.torn + unfinished).unwrap()
    );
    assert!(damage.torn <= kills, "{damage:?} of {kills} kills");
    check_shown(&sandbox, damage);
    println!(
        "{} records, {kills} kills, {} torn, 0 lost",
        seen.len(),
        damage.torn
    );
}

/// Asserts that `ccsession show` names the damage.
#[track_caller]
fn check_shown(sandbox: &Sandbox, damage: Damage) {
    let shown = sandbox.ccsession(["show", ID, "--json"]).json();
    let counts = ["torn", "foreign", "newer"].map(|name| shown[name].as_u64().unwrap());
    assert_eq!(counts, [damage.torn, damage.foreign, damage.newer]);
    let shown = sandbox.ccsession(["show", ID]).stdout();
    let said: Vec<&str> = shown
        .lines()
        .filter_map(|line| line.strip_prefix("lines left out"))
        .map(str::trim)
        .collect();
    let names = [
        (damage.torn, "torn"),
        (damage.foreign, "not an event"),
        (damage.newer, "of a newer version"),
    ];
    let expected: Vec<String> = names
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, name)| format!("{count} {name}"))
        .collect();
    assert_eq!(said, expected);
}

/// Asserts which events a journal of these bytes holds, and what else the reader and the CLI say of it.
#[track_caller]
fn check_damage(bytes: &[u8], events: &[&str], damage: Damage) {
    let sandbox = Sandbox::new();
    make_state(&sandbox.state());
    sandbox
        .hook(&event("SessionStart", ID, json!({"source": "startup"})))
        .silent();
    let path = sandbox.session(ID).join("events.jsonl");
    fs::write(&path, bytes).unwrap();
    let mut read = sandbox.events(ID);
    let names: Vec<String> = read.by_ref().map(|event| event.event).collect();
    let opening = String::from_utf8_lossy(&bytes[..bytes.len().min(200)]);
    assert_eq!(
        (names, read.damage()),
        (
            events.iter().map(|name| (*name).to_owned()).collect(),
            damage
        ),
        "{opening}"
    );
    assert_eq!(fs::read(&path).unwrap(), bytes, "a reader writes nothing");
    check_shown(&sandbox, damage);
}

#[test]
fn every_whole_record_is_read_and_everything_else_is_counted() {
    const A: &str = "\n{\"v\":1,\"event\":\"A\"}\n";
    const B: &str = "\n{\"v\":1,\"event\":\"B\"}\n";
    let none = Damage::default();
    let torn = |torn| Damage { torn, ..none };
    let foreign = |foreign| Damage { foreign, ..none };
    let newer = |newer| Damage { newer, ..none };
    let in_flight = Damage {
        in_flight: 1,
        ..none
    };
    let between = |bytes: &[u8]| [A.as_bytes(), bytes, B.as_bytes()].concat();
    let nul = [0; 4096];

    check_damage(b"", &[], none);
    check_damage(b"\n\n\n", &[], none);
    check_damage(&between(b""), &["A", "B"], none);
    check_damage(
        b"{\"v\":1,\"event\":\"A\"}\r\n{\"v\":1,\"event\":\"B\",\"new\":[1]}\n",
        &["A", "B"],
        none,
    );

    check_damage(&between(b"\n{\"v\":1,\"event\":\"X"), &["A", "B"], torn(1));
    check_damage(
        &between(b"\n{\"v\":1,\"event\":\"X\"}"),
        &["A", "X", "B"],
        none,
    );
    check_damage(
        &between(b"\n{\n{\"v\"\n{\"v\":1,\"event\":\"X\""),
        &["A", "B"],
        torn(3),
    );
    check_damage(
        &between(b"\n{\"v\":1,\"ev{\"v\":1,\"event\":\"X\"}\n"),
        &["A", "B"],
        torn(1),
    );
    check_damage(&between(&nul), &["A", "B"], torn(1));
    check_damage(
        &between(b"\n{\"v\":1,\"event\":\"\xff\"}\n"),
        &["A", "B"],
        torn(1),
    );

    check_damage(
        &between(&[A.as_bytes(), &nul].concat()[..]),
        &["A", "A", "B"],
        torn(1),
    );
    check_damage(&[A.as_bytes(), &nul].concat(), &["A"], in_flight);
    check_damage(
        &[A, "\n{\"v\":1,\"event\":\"X"].concat().into_bytes(),
        &["A"],
        in_flight,
    );
    check_damage(
        &[A, "\n{\"v\":1,\"event\":\"X\"}"].concat().into_bytes(),
        &["A"],
        in_flight,
    );

    check_damage(&between(b"\n{}\n[1]\n7\n\"x\"\nnull\n{\"v\":1}\n{\"v\":1,\"event\":7}\n{\"v\":0,\"event\":\"X\"}\n"), &["A", "B"], foreign(8));
    check_damage(
        &between(b"\n{\"v\":2,\"event\":\"X\"}\n\n{\"v\":9,\"event\":{\"x\":1}}\n"),
        &["A", "B"],
        newer(2),
    );

    let long = format!(
        "\n{{\"v\":1,\"event\":\"X\",\"what\":\"{}\"}}\n",
        "x".repeat(2 << 20)
    );
    check_damage(&between(long.as_bytes()), &["A", "B"], torn(1));
    check_damage(&between(&vec![0; 2 << 20]), &["A", "B"], torn(1));
    let longest = format!(
        "\n{{\"v\":1,\"event\":\"X\",\"what\":\"{}\"}}\n",
        "x".repeat((1 << 20) - 40)
    );
    check_damage(&between(longest.as_bytes()), &["A", "X", "B"], none);

    let all = between(b"\n{\"v\":1,\n{}\n\n{\"v\":2}\n\n{\n[]\n\0\n{\"v\":1,\"event\":\"C\"}\n{");
    check_damage(
        &all,
        &["A", "C", "B"],
        Damage {
            torn: 4,
            foreign: 2,
            newer: 1,
            in_flight: 0,
            unreadable: 0,
            failed: 0,
        },
    );
}

/// The ids of all tool calls in a session's journal, each with how often it is there.
#[track_caller]
fn calls(sandbox: &Sandbox, id: &str) -> BTreeMap<String, usize> {
    let mut events = sandbox.events(id);
    let mut calls = BTreeMap::new();
    for event in events.by_ref() {
        *calls.entry(event.tool_use_id.unwrap()).or_default() += 1;
    }
    assert_eq!(events.damage(), Damage::default());
    calls
}

fn call(id: &str, number: impl std::fmt::Display) -> Value {
    event(
        "PreToolUse",
        id,
        json!({"tool_name": "Bash", "tool_use_id": format!("t-{number}")}),
    )
}

/// Asserts that a session has its record, and exactly these calls, once each.
#[track_caller]
fn check_calls(sandbox: &Sandbox, id: &str, numbers: impl Iterator<Item = String>) {
    let expected: BTreeMap<String, usize> =
        numbers.map(|number| (format!("t-{number}"), 1)).collect();
    assert_eq!(calls(sandbox, id), expected, "{id}");
    assert_eq!(sandbox.record(id)["session_id"], id);
}

/// Asserts that each of these sessions was created once, and that no hook had anything to complain of.
#[track_caller]
fn check_created(sandbox: &Sandbox, ids: impl Iterator<Item = String>) {
    let line = |id: String| ("session created".to_owned(), id);
    let expected: BTreeSet<(String, String)> = ids.map(line).collect();
    let text = |line: &Value, name: &str| line[name].as_str().unwrap_or_default().to_owned();
    let lines = json_lines(&sandbox.state().join("log.jsonl"));
    let logged: BTreeSet<(String, String)> = lines
        .iter()
        .map(|line| (text(line, "what"), text(line, "session_id")))
        .collect();
    assert_eq!((logged, lines.len()), (expected.clone(), expected.len()));
    assert!(!sandbox.state().join("hook-errors.jsonl").exists());
    assert_sound(sandbox, "created");
}

/// Starts a hook for each payload, and lets all of them have theirs at the same time.
#[track_caller]
fn all_at_once(sandbox: &Sandbox, payloads: &[Value]) {
    let start = |payload: &Value| {
        let mut run = sandbox.hook(payload).env("CLAUDE_PID", as_client());
        let fed = run.command.stdin(holding(payload.to_string().as_bytes()));
        let piped = fed.stdout(Stdio::piped()).stderr(Stdio::piped());
        piped.spawn().unwrap()
    };
    // All of them are there before the first is waited for.
    let hooks: Vec<Child> = payloads.iter().map(start).collect();
    for hook in hooks {
        let output = hook.wait_with_output().unwrap();
        let said = (text(&output.stdout), text(&output.stderr));
        assert_eq!((output.status.code(), said), (Some(0), <_>::default()));
    }
}

#[test]
fn hooks_of_one_session_in_parallel_are_all_recorded_once() {
    let (hooks, rounds) = (16, 50);
    let sandbox = Sandbox::new();
    make_state(&sandbox.state());
    let numbers = |round| (0..hooks).map(move |hook| format!("{hook}-{round}"));
    for round in 0..rounds {
        let payloads: Vec<Value> = numbers(round).map(|number| call(ID, number)).collect();
        all_at_once(&sandbox, &payloads);
    }
    check_calls(&sandbox, ID, (0..rounds).flat_map(numbers));
    check_created(&sandbox, [ID.to_owned()].into_iter());
}

#[test]
fn the_first_events_of_a_session_in_parallel_begin_it_once() {
    let (hooks, sessions) = (8, if is_torture() { 500 } else { 40 });
    let sandbox = Sandbox::new();
    make_state(&sandbox.state());
    let ids = || (0..sessions).map(|session| format!("s-{session}"));
    for id in ids() {
        let payloads: Vec<Value> = (0..hooks).map(|hook| call(&id, hook)).collect();
        all_at_once(&sandbox, &payloads);
        check_calls(&sandbox, &id, (0..hooks).map(|hook| hook.to_string()));
    }
    check_created(&sandbox, ids());
}

#[test]
fn who_begins_a_journal_slowly_overwrites_nobody() {
    if !can_inject() {
        return;
    }
    let sandbox = Sandbox::new();
    make_state(&sandbox.state());
    let path = sandbox.session(ID).join("events.jsonl");
    std::thread::scope(|scope| {
        // Each of its writes takes a while, that of the journal's first record too.
        scope.spawn(|| {
            traced(
                &sandbox,
                PRE_TOOL_USE,
                "write:delay_enter=200000",
                &call(ID, "slow"),
            )
            .silent()
        });
        wait_until(|| path.exists());
        for number in 0..5 {
            sandbox.hook(&call(ID, number)).silent();
        }
    });
    let numbers = (0..5).map(|number| number.to_string());
    check_calls(&sandbox, ID, numbers.chain(["slow".to_owned()]));
    check_created(&sandbox, [ID.to_owned()].into_iter());
}

/// The sizes of a log and of the one before it.
fn sizes(sandbox: &Sandbox, name: &str) -> (u64, u64) {
    let size = |ending| {
        fs::metadata(sandbox.state().join(format!("{name}{ending}"))).map_or(0, |found| found.len())
    };
    (size(".jsonl"), size(".1.jsonl"))
}

/// What a log may outgrow its limit by: the lines of those who write at once.
const SLACK: u64 = 64 * 1024;

#[test]
fn a_log_never_grows_beyond_about_twice_its_limit() {
    let sandbox = Sandbox::new();
    make_state(&sandbox.state());
    let places = Places {
        state: Some(sandbox.state()),
        pointers: sandbox.pointers(),
        config: None,
    };
    let state = StateDir::open(&places, Decompressor::BUILT_IN)
        .unwrap()
        .unwrap();
    let long = "x".repeat(500);
    for number in 0..12_000 {
        let line = LogLine::new("what came")
            .detail("number", number)
            .detail("text", long.as_str());
        log::append(&state, Log::Unattributed, &line).unwrap();
        if number % 100 == 0 {
            let (now, before) = sizes(&sandbox, "unattributed");
            assert!(
                now <= log::LIMIT + SLACK && before <= log::LIMIT + SLACK,
                "{now} {before}"
            );
        }
    }
    let (now, before) = sizes(&sandbox, "unattributed");
    assert!(before > log::LIMIT, "{now} {before}");
    // The newest are kept without a gap.
    let numbers: Vec<u64> = log::read(&state, Log::Unattributed)
        .iter()
        .map(|line| line["number"].as_u64().unwrap())
        .collect();
    let expected: Vec<u64> = (12_000 - numbers.len() as u64..12_000).collect();
    assert_eq!(numbers, expected);
}

/// Fills a log with lines, up to so many bytes before its limit.
fn fill(path: &PathBuf, room: u64) {
    let line = format!(
        "\n{}\n",
        json!({"v": 1, "what": "filler", "text": "x".repeat(1000)})
    );
    let present = fs::metadata(path).map_or(0, |found| found.len());
    let times = (log::LIMIT - room - present) / line.len() as u64;
    let mut file = fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .unwrap();
    file.write_all(line.repeat(usize::try_from(times).unwrap()).as_bytes())
        .unwrap();
    fs::set_permissions(path, Permissions::from_mode(0o600)).unwrap();
}

#[test]
fn hooks_that_move_a_full_log_aside_lose_no_line_of_it() {
    let sandbox = Sandbox::new();
    make_state(&sandbox.state());
    let path = sandbox.state().join("unattributed.jsonl");
    let (hooks, rounds) = (8, 15);
    for turn in ["First", "Second", "Third"] {
        fill(&path, 4096);
        in_parallel(hooks, hooks, |hook| {
            for round in 0..rounds {
                let name = format!("{turn}x{hook}x{round}");
                sandbox
                    .run(PRE_TOOL_USE)
                    .stdin(json!({"hook_event_name": name}).to_string())
                    .silent();
            }
        });
        let (now, before) = sizes(&sandbox, "unattributed");
        assert!(
            now <= log::LIMIT && before > log::LIMIT && before <= log::LIMIT + SLACK,
            "{now} {before}"
        );
        let mut names = BTreeMap::new();
        for file in ["unattributed.1.jsonl", "unattributed.jsonl"] {
            for line in json_lines(&sandbox.state().join(file)) {
                if let Some(name) = line["event"].as_str().filter(|name| name.starts_with(turn)) {
                    *names.entry(name.to_owned()).or_default() += 1;
                }
            }
        }
        let expected: BTreeMap<String, usize> = (0..hooks)
            .flat_map(|hook| (0..rounds).map(move |round| (format!("{turn}x{hook}x{round}"), 1)))
            .collect();
        assert_eq!(names, expected, "{turn}");
    }
    assert_sound(&sandbox, "logs");
    assert!(
        !sandbox.state().join("hook-errors.jsonl").exists(),
        "{}",
        text(&fs::read(sandbox.state().join("hook-errors.jsonl")).unwrap_or_default())
    );
}
