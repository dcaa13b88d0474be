//! A journal that continues in a new file: nothing is lost or repeated, and readers see one stream, at every moment and
//! whichever process is killed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use ccsession::model::Event;
use ccsession::store::journal::{Damage, Rotation};
use ccsession::store::write::AppendOutcome;
use ccsession::store::{Decompressor, Places, StateDir};
use serde_json::{Value, json};

use crate::support::journals::{WORKER, Worker, acknowledge, record};
use crate::support::states::assert_sound;
use crate::support::torture::{in_parallel, is_torture};
use crate::support::tracing::{can_inject, traced};
use crate::support::within::Within;
use crate::support::{ID, PRE_TOOL_USE, Run, SESSION_EVENT, Sandbox, event, json_lines};

/// The least limit that can be set.
const LIMIT: u64 = 64 * 1024;

fn begun() -> Sandbox {
    let sandbox = Sandbox::just_swept();
    sandbox
        .hook(&event("SessionStart", ID, json!({"source": "startup"})))
        .silent();
    sandbox
}

fn state(dir: PathBuf) -> StateDir {
    let places = Places {
        state: Some(dir),
        pointers: PathBuf::from("/tmp"),
        config: None,
    };
    StateDir::open(&places, Decompressor::BUILT_IN)
        .unwrap()
        .unwrap()
}

/// A tool call's beginning, long enough that few fill a journal.
fn call(number: impl std::fmt::Display) -> Value {
    let description = "Look through every file there is. ".repeat(8);
    let input = json!({"description": description, "command": "ls"});
    event(
        "PreToolUse",
        ID,
        json!({"tool_name": "Bash", "tool_use_id": format!("t-{number}"), "tool_input": input}),
    )
}

/// The hook of that call, under the least limit.
fn hook(sandbox: &Sandbox, number: impl std::fmt::Display) -> Run {
    sandbox
        .hook(&call(number))
        .env("CCSESSION_JOURNAL_LIMIT", "64KiB")
}

fn part(sandbox: &Sandbox, number: usize) -> PathBuf {
    sandbox.session(ID).join(format!("events.{number}.jsonl"))
}

/// The files of the journal, the oldest first.
fn files(sandbox: &Sandbox) -> Vec<PathBuf> {
    let full = (1..).map(|number| part(sandbox, number));
    let mut files: Vec<PathBuf> = full.take_while(|path| path.exists()).collect();
    files.push(sandbox.session(ID).join("events.jsonl"));
    files
}

fn size(path: &Path) -> u64 {
    fs::metadata(path).unwrap().len()
}

/// Makes the journal so large that the next event makes it full.
fn fill(sandbox: &Sandbox) {
    let path = sandbox.session(ID).join("events.jsonl");
    let filler = format!(
        "\n{{\"v\":1,\"event\":\"Filler\",\"what\":\"{}\"}}\n",
        "x".repeat(900)
    );
    let times = LIMIT / filler.len() as u64 + 1;
    let mut file = fs::File::options().append(true).open(path).unwrap();
    file.write_all(filler.repeat(usize::try_from(times).unwrap()).as_bytes())
        .unwrap();
}

/// The ids of the calls, as a reader has them, in order.
#[track_caller]
fn ids(sandbox: &Sandbox) -> Vec<String> {
    let mut events = sandbox.events(ID);
    let ids = events.by_ref().filter_map(|event| event.tool_use_id);
    let ids = ids.collect();
    assert_eq!(events.damage(), Damage::default());
    ids
}

/// How many calls of each writer are in the journal. Of none may be one twice, or one before an earlier one.
#[track_caller]
fn counts(events: impl Iterator<Item = Event>) -> BTreeMap<String, usize> {
    let mut last: BTreeMap<String, usize> = BTreeMap::new();
    let mut counts = BTreeMap::new();
    for id in events.filter_map(|event| event.tool_use_id) {
        let (writer, number) = id.rsplit_once('-').unwrap();
        let number: usize = number.parse().unwrap();
        let before = last.insert(writer.to_owned(), number);
        assert!(
            before.is_none_or(|before| before < number),
            "{id} after {before:?}"
        );
        *counts.entry(writer.to_owned()).or_default() += 1;
    }
    counts
}

/// How many of a writer's events are real hooks at least, where many hooks rotate at once; the others are those of
/// [`hook_worker`].
const REAL: usize = 25;
const EVENTS: usize = 200;
/// How often readers look meanwhile, and more.
const READS: usize = 20;

/// A process of that test, and no test of its own: it records events as hooks do, one after the other.
#[test]
fn hook_worker() {
    let Some(task) = std::env::var_os(WORKER) else {
        return;
    };
    let task = task.into_string().unwrap();
    let (dir, writer) = task.split_once('\n').unwrap();
    let hook = Within::at(Path::new(dir)).journal_limit(LIMIT);
    for number in REAL..EVENTS {
        hook.feed(&call(format!("{writer}-{number}")));
    }
}

#[test]
fn concurrent_hooks_are_each_recorded_once_and_readers_see_one_stream() {
    let writers = if is_torture() { 16 } else { 12 };
    let all = Mutex::new(BTreeMap::new());
    let sandbox = begun();
    let done = AtomicBool::new(false);
    let reads = AtomicUsize::new(0);
    let until_done = |count: &dyn Fn() -> BTreeMap<String, usize>| {
        let mut before = BTreeMap::new();
        while !done.load(Ordering::Relaxed) {
            let now = count();
            for (writer, count) in &before {
                assert!(now.get(writer) >= Some(count), "{before:?}, then {now:?}");
            }
            before = now;
            reads.fetch_add(1, Ordering::Relaxed);
            // Readers that never rest take the processors from the writers.
            thread::sleep(Duration::from_millis(20));
        }
    };
    let by_library = || {
        let mut events = sandbox.events(ID);
        let counts = counts(events.by_ref());
        assert_eq!(events.damage().torn, 0);
        counts
    };
    let by_command = || {
        let shown = sandbox.ccsession(["show", ID, "--json"]).json();
        let count = shown["events"]["PreToolUse"].as_u64().unwrap_or(0);
        BTreeMap::from([("all".to_owned(), usize::try_from(count).unwrap())])
    };
    thread::scope(|scope| {
        scope.spawn(|| until_done(&by_library));
        scope.spawn(|| until_done(&by_command));
        in_parallel(writers, writers, |writer| {
            let name = format!("w{writer}");
            let worker = Worker::start("rotation::hook_worker", &sandbox.path(""), &name);
            let mut number = 0;
            // The readers have had their turn as well, unless something is wrong with them.
            while number < REAL || number < EVENTS && reads.load(Ordering::Relaxed) <= READS {
                hook(&sandbox, format!("{writer}-{number}")).silent();
                number += 1;
            }
            worker.finish();
            let mut all = all.lock().unwrap();
            all.insert(format!("t-{writer}"), number);
            all.insert(format!("t-w{writer}"), EVENTS - REAL);
        });
        done.store(true, Ordering::Relaxed);
    });

    let files = files(&sandbox);
    // So that the order of ten and more counts.
    assert!(files.len() > 11, "{}", files.len());
    let mut seen = BTreeSet::new();
    for path in &files {
        for line in json_lines(path) {
            let id = line["tool_use_id"].as_str().unwrap_or("start").to_owned();
            assert!(seen.insert(id), "twice: {line}");
        }
    }
    let all = all.into_inner().unwrap();
    assert_eq!(seen.len(), 1 + all.values().sum::<usize>());
    assert!(seen.len() > writers * EVENTS);
    let (newest, full) = files.split_last().unwrap();
    for path in full {
        assert!(size(path) > LIMIT, "{}", path.display());
    }
    assert!(size(newest) <= LIMIT + 16 * 1024, "{}", size(newest));
    assert_eq!(by_library(), all);
    assert!(!sandbox.state().join("hook-errors.jsonl").exists());
    assert_sound(&sandbox, "rotated");
    let reads = reads.into_inner();
    println!("{} files, {reads} reads meanwhile", files.len());
    assert!(reads > READS, "{reads}");
}

#[test]
fn a_reader_during_a_rotation_sees_each_event_once_and_in_order() {
    let (sessions, events) = (if is_torture() { 200 } else { 20 }, 60);
    let sandbox = Sandbox::just_swept();
    let state = state(sandbox.state());
    for session in 0..sessions {
        let id = format!("s-{session}");
        sandbox
            .hook(&event("SessionStart", &id, json!({})))
            .silent();
        let dir = state.session(&id.parse().unwrap());
        let done = AtomicBool::new(false);
        let read = || {
            let mut read = dir.journal().events().unwrap();
            let ids: Vec<String> = read
                .by_ref()
                .filter_map(|event| event.tool_use_id)
                .collect();
            assert_eq!(read.damage().torn, 0);
            ids
        };
        let expected = |count: usize| (0..count).map(|number| format!("w/{number}"));
        thread::scope(|scope| {
            scope.spawn(|| {
                let mut before = 0;
                while !done.load(Ordering::Relaxed) {
                    let ids = read();
                    assert!(ids.len() >= before, "{} after {before}", ids.len());
                    assert_eq!(ids, expected(ids.len()).collect::<Vec<_>>());
                    before = ids.len();
                }
            });
            for number in 0..events {
                dir.journal().append(&record("w", number)).unwrap();
                assert_eq!(dir.journal().rotate(0).unwrap(), Rotation::Done);
            }
            done.store(true, Ordering::Relaxed);
        });
        let all: Vec<String> = expected(usize::try_from(events).unwrap()).collect();
        assert_eq!(read(), all);
    }
}

/// A process of [`killed_writers_lose_no_acknowledged_record`], and no test of its own: it appends and rotates, as hooks do,
/// until it is killed, and acknowledges each record on stderr.
#[test]
fn rotate_worker() {
    let Some(task) = std::env::var_os(WORKER) else {
        return;
    };
    let task = task.into_string().unwrap();
    let (dir, name) = task.split_once('\n').unwrap();
    let state = state(PathBuf::from(dir));
    let session = state.session(&ID.parse().unwrap());
    for number in 0.. {
        match session.journal().append(&record(name, number)).unwrap() {
            AppendOutcome::Done { size_before } if size_before >= LIMIT => {
                if let Ok(_lock) = state.lock(Duration::ZERO) {
                    let _ = session.journal().rotate(LIMIT).unwrap();
                }
            }
            AppendOutcome::Done { .. } => {}
            AppendOutcome::Missing => panic!("there is no journal"),
        }
        acknowledge(number);
    }
}

#[test]
fn killed_writers_lose_no_acknowledged_record() {
    let (workers, records) = if is_torture() { (50, 2000) } else { (8, 250) };
    let sandbox = begun();
    let acknowledged = Mutex::new(Vec::new());
    in_parallel(workers, workers, |worker| {
        let mut own = 0;
        for life in 0.. {
            let name = format!("{worker}.{life}");
            let after = u64::try_from(worker * 7717 + life * 4241).unwrap() % 1500;
            let worker = Worker::start("rotation::rotate_worker", &sandbox.state(), &name);
            let numbers = worker.kill(Duration::from_micros(after));
            own += numbers.len();
            let ids = numbers.into_iter().map(|number| format!("{name}/{number}"));
            acknowledged.lock().unwrap().extend(ids);
            if own >= records {
                return;
            }
        }
    });
    let mut seen = BTreeSet::new();
    let mut events = sandbox.events(ID);
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
    let acknowledged = acknowledged.into_inner().unwrap();
    let lost: Vec<&String> = acknowledged
        .iter()
        .filter(|id| !seen.contains(*id))
        .collect();
    assert_eq!(lost, [""; 0]);
    let files = files(&sandbox);
    assert!(files.len() > 3, "{}", files.len());
    println!(
        "{} records, {} files, {:?}, 0 lost",
        seen.len(),
        files.len(),
        events.damage()
    );
}

#[test]
fn a_hook_killed_during_a_rotation_does_no_harm() {
    if !can_inject() {
        return;
    }
    // Once the empty file is there, and before it is exchanged.
    for fault in ["fchmod:signal=SIGKILL", "renameat2:signal=SIGKILL"] {
        let sandbox = begun();
        fill(&sandbox);
        let mut run = traced(&sandbox, PRE_TOOL_USE, fault, &call(1));
        run = run.env("CCSESSION_JOURNAL_LIMIT", "64KiB");
        assert_eq!(run.output().status.signal(), Some(9), "{fault}");
        assert_eq!(size(&part(&sandbox, 1)), 0, "{fault}");
        assert_eq!(ids(&sandbox), ["t-1"], "{fault}");
        for number in 2..5 {
            hook(&sandbox, number).silent();
        }
        assert_eq!(ids(&sandbox), ["t-1", "t-2", "t-3", "t-4"], "{fault}");
        let full: Vec<u64> = files(&sandbox).iter().map(|path| size(path)).collect();
        assert!(
            full[..full.len() - 1].iter().any(|size| *size > LIMIT),
            "{fault}: {full:?}"
        );
        assert_sound(&sandbox, fault);
    }
}

#[test]
fn without_an_atomic_exchange_it_still_rotates() {
    if !can_inject() {
        return;
    }
    for error in ["EINVAL", "ENOSYS"] {
        let sandbox = begun();
        fill(&sandbox);
        let fault = format!("renameat2:error={error}");
        let run = traced(&sandbox, PRE_TOOL_USE, &fault, &call(1));
        run.env("CCSESSION_JOURNAL_LIMIT", "64KiB").silent();
        assert!(size(&part(&sandbox, 1)) > LIMIT, "{error}");
        assert_eq!(
            size(&sandbox.session(ID).join("events.jsonl")),
            0,
            "{error}"
        );
        hook(&sandbox, 2).silent();
        assert_eq!(ids(&sandbox), ["t-1", "t-2"], "{error}");
        assert!(!sandbox.state().join("hook-errors.jsonl").exists());
        assert_sound(&sandbox, error);
    }
}

#[test]
fn a_rotation_that_fails_leaves_the_journal_and_no_file_behind() {
    if !can_inject() {
        return;
    }
    for (fault, others) in [
        ("renameat2:error=EIO", "rename:error=EIO"),
        // Neither way of renaming.
        ("renameat2:error=EINVAL", "rename:error=EACCES"),
    ] {
        let sandbox = begun();
        fill(&sandbox);
        for number in 1..4 {
            let mut run = sandbox
                .run("strace")
                .env("CCSESSION_JOURNAL_LIMIT", "64KiB");
            let options = ["-f", "-qq", "--seccomp-bpf", "-o", "/dev/null", "-e"];
            let trace = "trace=renameat2,rename,renameat";
            let also = others.replace("rename:", "rename,renameat:");
            let injected = [fault.to_owned(), also].map(|fault| format!("inject={fault}"));
            run.command.args(options).arg(trace);
            run.command
                .args(["-e", &injected[0], "-e", &injected[1], PRE_TOOL_USE]);
            run.stdin(call(number).to_string()).silent();
        }
        assert_eq!(ids(&sandbox), ["t-1", "t-2", "t-3"], "{fault}");
        assert_eq!(files(&sandbox).len(), 1, "{fault}");
        assert!(
            sandbox.state().join("hook-errors.jsonl").exists(),
            "{fault}"
        );
        hook(&sandbox, 4).silent();
        assert_eq!(ids(&sandbox), ["t-1", "t-2", "t-3", "t-4"], "{fault}");
        assert_eq!(files(&sandbox).len(), 2, "{fault}");
    }
}

#[test]
fn while_another_holds_the_lock_the_next_event_rotates() {
    let sandbox = begun();
    fill(&sandbox);
    let state = state(sandbox.state());
    let lock = state.lock(Duration::from_secs(1)).unwrap();
    hook(&sandbox, 1).silent();
    assert!(!part(&sandbox, 1).exists());
    drop(lock);
    // What another test starts in this moment has the lock until it is the program that it becomes.
    let mut last = 1;
    while !part(&sandbox, 1).exists() {
        last += 1;
        assert!(last < 50, "no event rotates");
        hook(&sandbox, last).silent();
    }
    let all: Vec<String> = (1..=last).map(|number| format!("t-{number}")).collect();
    assert_eq!(ids(&sandbox), all);
    assert!(!sandbox.state().join("hook-errors.jsonl").exists());
}

#[test]
fn what_a_late_writer_adds_to_a_full_file_is_read() {
    let sandbox = begun();
    fill(&sandbox);
    let path = sandbox.session(ID).join("events.jsonl");
    let mut late = fs::File::options().append(true).open(path).unwrap();
    hook(&sandbox, 1).silent();
    hook(&sandbox, 2).silent();
    let line = json!({"v": 1, "event": "PreToolUse", "tool_use_id": "t-late"});
    late.write_all(format!("\n{line}\n").as_bytes()).unwrap();
    assert_eq!(ids(&sandbox), ["t-1", "t-late", "t-2"]);
    let shown = sandbox.ccsession(["show", ID, "--json"]).json();
    assert_eq!(shown["events"]["PreToolUse"], 3);
}

#[test]
fn full_files_that_are_missing_are_named_and_hide_no_other() {
    for gone in [&[1][..], &[2], &[1, 2], &[1, 2, 3], &[1, 3]] {
        let sandbox = begun();
        for number in 1..=4 {
            fill(&sandbox);
            hook(&sandbox, number).silent();
        }
        hook(&sandbox, 5).silent();
        let mut expected: Vec<String> = (1..=5).map(|number| format!("t-{number}")).collect();
        let mut said = String::new();
        for number in gone {
            fs::remove_file(part(&sandbox, *number)).unwrap();
            expected.retain(|id| *id != format!("t-{number}"));
            said += &format!(
                "ccsession: could not find `{}`: a journal file is missing; the rest was read\n",
                part(&sandbox, *number).display()
            );
        }
        assert_eq!(ids(&sandbox), expected, "without {gone:?}");
        for verb in ["timeline", "show", "stats"] {
            let output = sandbox.ccsession([verb, ID]).output();
            let stderr = String::from_utf8(output.stderr).unwrap();
            let is_damage = |line: &&str| line.contains("not an event");
            let stderr: String = stderr
                .lines()
                .filter(|line| !is_damage(line))
                .map(|line| format!("{line}\n"))
                .collect();
            assert_eq!(
                (output.status.code(), stderr),
                (Some(0), said.clone()),
                "{verb}"
            );
        }
        // The next full file comes after all of them.
        fill(&sandbox);
        hook(&sandbox, 6).silent();
        expected.push("t-6".to_owned());
        assert_eq!(ids(&sandbox), expected, "without {gone:?}");
        assert!(part(&sandbox, 5).exists());
    }
}

#[test]
fn the_end_of_a_session_is_found_behind_a_full_file_that_is_missing() {
    let sandbox = begun();
    fill(&sandbox);
    hook(&sandbox, 1).silent();
    fill(&sandbox);
    let end = event("SessionEnd", ID, json!({"reason": "other"}));
    let run = sandbox.run(SESSION_EVENT).stdin(end.to_string());
    run.env("CCSESSION_JOURNAL_LIMIT", "64KiB").silent();
    fs::remove_file(part(&sandbox, 1)).unwrap();
    assert!(part(&sandbox, 2).exists());
    let listed = sandbox.ccsession(["list", "--all", "--json"]).json();
    assert_eq!(listed["sessions"][0]["state"], "ended");
}

#[test]
fn an_end_in_a_full_file_is_the_sessions_end() {
    let sandbox = begun();
    fill(&sandbox);
    let end = event("SessionEnd", ID, json!({"reason": "other"}));
    let run = sandbox.run(SESSION_EVENT).stdin(end.to_string());
    run.env("CCSESSION_JOURNAL_LIMIT", "64KiB").silent();
    assert!(part(&sandbox, 1).exists());
    assert_eq!(size(&sandbox.session(ID).join("events.jsonl")), 0);
    let listed = sandbox.ccsession(["list", "--all", "--json"]).json();
    assert_eq!(listed["sessions"][0]["state"], "ended");
    // And what came before it is still there for every view.
    hook(&sandbox, 1).silent();
    let listed = sandbox.ccsession(["list", "--all", "--json"]).json();
    assert_eq!(listed["sessions"][0]["state"], "ended");
}

#[test]
fn what_is_open_in_a_full_file_is_open() {
    let sandbox = begun();
    hook(&sandbox, "open").silent();
    for number in 0..11 {
        fill(&sandbox);
        hook(&sandbox, number).silent();
        let done = json!({"tool_name": "Bash", "tool_use_id": format!("t-{number}")});
        sandbox.hook(&event("PostToolUse", ID, done)).silent();
    }
    assert!(part(&sandbox, 11).exists());
    let shown = sandbox.ccsession(["show", ID, "--json"]).json();
    let open = shown["open_calls"].as_array().unwrap();
    let ids: Vec<&str> = open
        .iter()
        .map(|call| call["tool_use_id"].as_str().unwrap())
        .collect();
    assert_eq!(ids, ["t-open"]);
}

#[test]
fn the_limit_is_shown_and_a_bad_one_is_refused() {
    let sandbox = begun();
    let value = |sandbox: &Sandbox, given: &str| {
        let run = sandbox.ccsession(["config", "--json"]);
        let shown = run.env("CCSESSION_JOURNAL_LIMIT", given).json();
        let settings = shown["settings"].as_array().unwrap().clone();
        let is_it = |setting: &&Value| setting["key"] == "journal_limit";
        let found = settings.iter().find(is_it).unwrap();
        found["value"].as_str().unwrap().to_owned()
    };
    for (given, shown) in [
        ("", "64MiB"),
        ("64KiB", "64KiB"),
        ("65536", "64KiB"),
        ("1 GiB", "1GiB"),
        ("65537", "65537"),
    ] {
        assert_eq!(value(&sandbox, given), shown, "{given}");
    }
    for bad in [
        "63KiB",
        "65535",
        "0",
        "-1",
        "64",
        "64kb",
        "GiB",
        "99999999999GiB",
        "1.5MiB",
    ] {
        let run = sandbox.ccsession(["list"]);
        let said = run.env("CCSESSION_JOURNAL_LIMIT", bad).refused(1);
        let expected = format!("`{bad}` is not a size of at least 64 KiB");
        assert!(said.contains(&expected), "{said}");
    }
    // A hook takes the default instead, and says so.
    fill(&sandbox);
    let run = sandbox.hook(&call(1));
    run.env("CCSESSION_JOURNAL_LIMIT", "1").silent();
    assert!(!part(&sandbox, 1).exists());
    let errors = json_lines(&sandbox.state().join("hook-errors.jsonl"));
    assert!(
        errors[0]["what"]
            .as_str()
            .unwrap()
            .contains("CCSESSION_JOURNAL_LIMIT")
    );
}

/// Numbers in names end somewhere: a file that is called as a part of a number that none can have is no part.
#[test]
fn a_part_with_an_impossible_number_is_ignored_and_stops_no_rotation() {
    let sandbox = Sandbox::just_swept();
    let start = event("SessionStart", ID, json!({"source": "startup"}));
    sandbox.hook(&start).silent();
    for number in [
        "4294967295",
        "4294967296",
        "18446744073709551615",
        "1000001",
        "007",
    ] {
        let path = sandbox.session(ID).join(format!("events.{number}.jsonl"));
        crate::support::files::write_private(&path, "");
    }
    for number in 1..=2 {
        fill(&sandbox);
        hook(&sandbox, number).silent();
        assert!(part(&sandbox, number).exists(), "{number}");
    }
    sandbox.ccsession(["timeline", ID]).stdout();
    sandbox.ccsession(["show", ID]).stdout();
}
