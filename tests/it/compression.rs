//! Journals that are compressed once they are old: every verb prints the same as before, at every moment and whichever process
//! is killed, and a resumed session continues its journal.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use ccsession::store::follow::Follower;
use ccsession::store::journal::compressed::Compression;
use ccsession::store::journal::{Damage, Rotation};
use ccsession::store::{Decompressor, Places, SessionDir, StateDir};
use serde_json::{Value, json};

use crate::support::files::{everything, write_private};
use crate::support::journals::record;
use crate::support::settings::{check, doctor, findings, healthy, put};
use crate::support::torture::{in_parallel, is_torture};
use crate::support::tracing::can_inject;
use crate::support::{CCSESSION, ID, Run, SESSION_START, Sandbox, as_client, event, mode, text};

const DAY: u64 = 24 * 60 * 60;
/// How many calls each part of a journal has: more than the size from which on one is compressed.
const CALLS: u64 = 40;

fn state(sandbox: &Sandbox) -> StateDir {
    let places = Places {
        state: Some(sandbox.state()),
        pointers: sandbox.pointers(),
        config: None,
    };
    StateDir::open(&places, Decompressor::BUILT_IN)
        .unwrap()
        .unwrap()
}

fn dir(sandbox: &Sandbox) -> SessionDir {
    state(sandbox).session(&ID.parse().unwrap())
}

fn hook(sandbox: &Sandbox, name: &str, more: Value) {
    let run = sandbox.hook(&event(name, ID, more));
    run.env("CLAUDE_PID", as_client()).silent();
}

fn add(dir: &SessionDir, name: &str, count: u64) {
    for number in 0..count {
        dir.journal().append(&record(name, number)).unwrap();
    }
}

/// Some calls.
fn work(sandbox: &Sandbox, name: &str) {
    add(&dir(sandbox), name, CALLS);
    let call = json!({"tool_name": "Bash", "tool_use_id": format!("{name}-real"), "tool_input": {"command": "ls", "description": "List"}});
    hook(sandbox, "PreToolUse", call.clone());
    hook(sandbox, "PostToolUse", call);
}

/// A session in so many files.
fn worked(parts: usize) -> Sandbox {
    let sandbox = Sandbox::just_swept();
    begin(&sandbox, parts);
    sandbox
}

fn begin(sandbox: &Sandbox, parts: usize) {
    hook(sandbox, "SessionStart", json!({"source": "startup"}));
    hook(sandbox, "UserPromptSubmit", json!({"prompt_id": "p-1"}));
    for part in 0..parts {
        if part > 0 {
            assert_eq!(dir(sandbox).journal().rotate(0).unwrap(), Rotation::Done);
        }
        work(sandbox, &format!("w{part}"));
    }
}

/// As [`worked`], ended and left alone for eight days.
fn over(parts: usize) -> Sandbox {
    let sandbox = worked(parts);
    end(&sandbox);
    age(&sandbox, 8);
    sandbox
}

fn end(sandbox: &Sandbox) {
    hook(sandbox, "SessionEnd", json!({"reason": "other"}));
}

/// Makes every plain file of the journal that old.
fn age(sandbox: &Sandbox, days: u64) {
    let then = SystemTime::now() - Duration::from_secs(days * DAY + 60);
    for path in files(sandbox) {
        if path.extension().unwrap() == "jsonl" {
            let file = fs::File::options().write(true).open(path).unwrap();
            file.set_modified(then).unwrap();
        }
    }
}

/// The files of the journal.
fn files(sandbox: &Sandbox) -> Vec<PathBuf> {
    let entries = fs::read_dir(sandbox.session(ID)).unwrap();
    let mut found: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    found.retain(|path| {
        let name = path.file_name().unwrap().to_str().unwrap();
        name.starts_with("events.")
    });
    found.sort();
    found
}

fn names(sandbox: &Sandbox) -> Vec<String> {
    let name = |path: PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
    files(sandbox).into_iter().map(name).collect()
}

fn file(sandbox: &Sandbox, name: &str) -> PathBuf {
    sandbox.session(ID).join(name)
}

/// A cleanup that does the day's work.
fn daily(sandbox: &Sandbox) -> Run {
    let _ = fs::remove_file(sandbox.state().join("daily"));
    sandbox.ccsession(["cleanup", "--json"])
}

#[track_caller]
fn compress(sandbox: &Sandbox, expected: u64) {
    assert_eq!(daily(sandbox).json()["compressed"], expected);
}

/// As [`compress`], where an earlier cleanup put the journal aside and was then killed. This one need not wait for late writers.
#[track_caller]
fn compress_set_aside(sandbox: &Sandbox) {
    assert_eq!(dir(sandbox).journal().put_aside().unwrap(), Rotation::Done);
    compress(sandbox, 1);
}

/// The ids of all calls, in order, as a reader has them.
#[track_caller]
fn ids(sandbox: &Sandbox) -> Vec<String> {
    let mut events = sandbox.events(ID);
    let ids = events.by_ref().filter_map(|event| event.tool_use_id);
    let ids = ids.collect();
    assert_eq!(events.damage(), Damage::default());
    ids
}

/// What each view says, and when the session was last heard of.
fn said(sandbox: &Sandbox) -> Vec<String> {
    let run = |arguments: &[&str]| sandbox.ccsession(arguments).stdout();
    let mut said: Vec<String> = [
        &["timeline", ID, "--json"][..],
        &["timeline", ID, "--jsonl"],
        &["stats", ID, "--json"],
        &["stats", "--all", "--json"],
        &["show", ID, "--json"],
        &["list", "--all", "--json"],
        &["current", "--last", "--json"],
    ]
    .iter()
    .map(|arguments| run(arguments))
    .collect();
    let mut metrics: Value = serde_json::from_str(&run(&["metrics", "--json"])).unwrap();
    // How long it took, and when a cleanup was made.
    for varying in ["scrape", "at", "generated_at", "cleanup"] {
        metrics.as_object_mut().unwrap().remove(varying);
    }
    said.push(metrics.to_string());
    said.push(format!("{:?}", dir(sandbox).last_activity()));
    let mut all = followed(&mut Follower::of_all(&state(sandbox)));
    let mut last = followed(&mut last_lines(sandbox));
    // As many as are shown.
    last.drain(..last.len().saturating_sub(10));
    said.append(&mut all);
    said.append(&mut last);
    said
}

fn last_lines(sandbox: &Sandbox) -> Follower {
    Follower::of_one(&state(sandbox), &ID.parse().unwrap()).unwrap()
}

/// The lines that have come since the last look.
fn followed(follower: &mut Follower) -> Vec<String> {
    let mut lines = Vec::new();
    let failed = follower.look(|_, line| lines.push(text(line))).unwrap();
    assert!(failed.is_empty(), "{failed:?}");
    lines.retain(|line| !line.is_empty());
    lines
}

#[track_caller]
fn same(before: &[String], after: &[String]) {
    for (before, after) in before.iter().zip(after) {
        assert_eq!(before, after);
    }
    assert_eq!(before.len(), after.len());
}

#[test]
fn compression_changes_no_verbs_output() {
    for parts in [1, 3] {
        let sandbox = over(parts);
        let old = fs::read(file(&sandbox, "events.jsonl")).unwrap();
        let modified = |name: &str| {
            let time = fs::metadata(file(&sandbox, name))
                .unwrap()
                .modified()
                .unwrap();
            time.duration_since(SystemTime::UNIX_EPOCH)
                .unwrap()
                .as_micros()
        };
        let (before, written) = (said(&sandbox), modified("events.jsonl"));
        if parts == 1 {
            compress_set_aside(&sandbox);
        } else {
            compress(&sandbox, 1);
        }
        let packed: Vec<String> = (1..=parts)
            .map(|part| format!("events.{part}.jsonl.zst"))
            .collect();
        let mut expected = packed.clone();
        expected.push("events.jsonl".to_owned());
        assert_eq!(names(&sandbox), expected);
        same(&before, &said(&sandbox));
        let last = packed.last().unwrap();
        assert_eq!(
            (modified("events.jsonl"), modified(last)),
            (written, written)
        );
        assert_eq!(
            fs::metadata(file(&sandbox, "events.jsonl")).unwrap().len(),
            0
        );
        for path in files(&sandbox) {
            assert_eq!(mode(&path), 0o600);
        }
        let bytes = fs::read(file(&sandbox, last)).unwrap();
        assert!(
            bytes.len() * 3 < old.len(),
            "{} of {}",
            bytes.len(),
            old.len()
        );
        assert_eq!(zstd::decode_all(&bytes[..]).unwrap(), old);
        sandbox.assert_no_leftovers();
        // Once is enough.
        let files = everything(&sandbox.session(ID));
        compress(&sandbox, 0);
        assert_eq!(everything(&sandbox.session(ID)), files);
    }
}

#[test]
fn an_abandoned_session_stays_abandoned_since_the_same_moment() {
    let sandbox = Sandbox::just_swept();
    let script = format!("CLAUDE_PID=$$ {}; exit $?", SESSION_START);
    let start = event("SessionStart", ID, json!({"source": "startup"}));
    let run = sandbox.run("/bin/sh").arg("-c").arg(script);
    run.stdin(start.to_string()).silent();
    add(&dir(&sandbox), "w", CALLS);
    // It is found abandoned, and that is logged.
    compress(&sandbox, 0);
    age(&sandbox, 9);
    let before = said(&sandbox);
    let dry = daily(&sandbox).arg("--dry-run").env("TZ", "UTC").output();
    let since = chrono::DateTime::<chrono::Utc>::from(
        fs::metadata(file(&sandbox, "events.jsonl"))
            .unwrap()
            .modified()
            .unwrap(),
    );
    let line = format!(
        "would compress the journal of session {ID}: abandoned since {}",
        since.format("%Y-%m-%d %H:%M:%S")
    );
    assert!(
        text(&dry.stderr).lines().any(|said| said == line),
        "{}",
        text(&dry.stderr)
    );
    compress(&sandbox, 1);
    same(&before, &said(&sandbox));
}

#[test]
fn a_dry_run_names_the_journals_and_changes_nothing() {
    let sandbox = over(1);
    let before = everything(&sandbox.path(""));
    let _ = fs::remove_file(sandbox.state().join("daily"));
    let dry = sandbox
        .ccsession(["cleanup", "--dry-run", "--json"])
        .output();
    assert_eq!(everything(&sandbox.path("")), before);
    let said = format!("would compress the journal of session {ID}: it ended 8 days ago\n");
    assert_eq!(text(&dry.stderr), said);
    let mut expected: Value = serde_json::from_slice(&dry.stdout).unwrap();
    expected["dry_run"] = json!(false);
    assert_eq!(daily(&sandbox).json(), expected);
    assert_eq!(expected["compressed"], 1);
}

#[test]
fn what_is_young_live_or_small_is_left_alone() {
    let young = worked(1);
    end(&young);
    age(&young, 6);
    let live = worked(3);
    age(&live, 30);
    let small = Sandbox::just_swept();
    hook(&small, "SessionStart", json!({}));
    end(&small);
    age(&small, 30);
    for sandbox in [young, live, small] {
        let before = everything(&sandbox.session(ID));
        compress(&sandbox, 0);
        assert_eq!(everything(&sandbox.session(ID)), before);
    }
}

#[test]
fn an_archive_is_unchanged_by_compression_and_not_rewritten() {
    for parts in [1, 3] {
        let sandbox = over(parts);
        let clock_out = |more: &[&str]| {
            let run = sandbox.ccsession(["clock-out", ID]);
            more.iter()
                .fold(run, |run, argument| run.arg(argument))
                .output()
                .status
                .success()
        };
        let archive = || everything(&sandbox.state().join("archive"));
        let journal = || {
            let mut paths = archive().into_keys();
            let is_it = |path: &PathBuf| path.to_str().unwrap().ends_with(".events.jsonl.zst");
            fs::read(
                sandbox
                    .state()
                    .join("archive")
                    .join(paths.find(is_it).unwrap()),
            )
            .unwrap()
        };
        assert!(clock_out(&[]));
        let (before, held) = (archive(), journal());
        compress_set_aside(&sandbox);
        assert!(clock_out(&[]));
        assert_eq!(archive(), before);
        // Made anew for another reason, it holds the same journal.
        assert!(clock_out(&["--description", "What it was"]));
        assert_ne!(archive(), before);
        assert_eq!(journal(), held);
        sandbox.assert_no_leftovers();
    }
}

#[test]
fn a_resumed_session_continues_and_is_compressed_again() {
    let sandbox = over(1);
    compress(&sandbox, 1);
    let old = ids(&sandbox);
    hook(&sandbox, "SessionStart", json!({"source": "resume"}));
    let listed = sandbox.ccsession(["list", "--json"]).json();
    assert_eq!(listed["sessions"][0]["state"], "active");
    work(&sandbox, "again");
    let all = ids(&sandbox);
    assert!(all.starts_with(&old) && all.len() > old.len());
    // A journal that is full takes no number that was used.
    assert_eq!(dir(&sandbox).journal().rotate(0).unwrap(), Rotation::Done);
    work(&sandbox, "more");
    assert_eq!(
        names(&sandbox),
        ["events.1.jsonl.zst", "events.2.jsonl", "events.jsonl"]
    );
    end(&sandbox);
    age(&sandbox, 7);
    let before = said(&sandbox);
    compress_set_aside(&sandbox);
    let packed = [
        "events.1.jsonl.zst",
        "events.2.jsonl.zst",
        "events.3.jsonl.zst",
        "events.jsonl",
    ];
    assert_eq!(names(&sandbox), packed);
    same(&before, &said(&sandbox));
}

#[test]
fn an_import_knows_what_a_compressed_journal_knows() {
    let sandbox = over(1);
    let path = sandbox
        .home()
        .join(format!(".claude/projects/-shop/{ID}.jsonl"));
    let call =
        json!({"type": "tool_use", "id": "w0-real", "name": "Bash", "input": {"command": "ls"}});
    let line = json!({
        "type": "assistant", "sessionId": ID, "cwd": sandbox.project(), "uuid": "u-1",
        "timestamp": "2026-01-01T00:00:00.000Z",
        "message": {"role": "assistant", "id": "m-1", "content": [call]},
    });
    put(&path, &format!("{line}\n"));
    sandbox.ccsession(["import"]).stdout();
    let before = said(&sandbox);
    compress_set_aside(&sandbox);
    sandbox.ccsession(["import"]).stdout();
    same(&before, &said(&sandbox));
    // One that cannot be read is no reason to import a second time what it says.
    damage(&sandbox, Damaged::Cut);
    let output = sandbox.ccsession(["import"]).output();
    assert_ne!(output.status.code(), Some(0));
    let stderr = text(&output.stderr);
    assert!(stderr.contains("events.1.jsonl.zst"), "{stderr}");
}

#[test]
fn who_follows_meanwhile_sees_each_line_once() {
    let sandbox = over(2);
    let state = state(&sandbox);
    let mut one = last_lines(&sandbox);
    let mut all = Follower::of_all(&state);
    let mut from_now = Follower::of_all_from_now(&state).unwrap();
    followed(&mut one);
    followed(&mut from_now);
    let before = followed(&mut all);
    assert_eq!(
        before.len(),
        2 + 2 * usize::try_from(CALLS + 2).unwrap() + 1
    );
    compress_set_aside(&sandbox);
    for follower in [&mut one, &mut all, &mut from_now] {
        assert_eq!(followed(follower), [""; 0]);
    }
    hook(&sandbox, "SessionStart", json!({"source": "resume"}));
    for follower in [&mut one, &mut all, &mut from_now] {
        assert_eq!(followed(follower).len(), 1);
    }
}

#[test]
fn a_reader_at_any_moment_has_each_event_once_and_in_order() {
    let (sessions, events) = (if is_torture() { 100 } else { 10 }, 40);
    let sandbox = Sandbox::just_swept();
    let state = state(&sandbox);
    for session in 0..sessions {
        let id = format!("s-{session}");
        sandbox
            .hook(&event("SessionStart", &id, json!({})))
            .silent();
        let dir = state.session(&id.parse().unwrap());
        let done = AtomicBool::new(false);
        let read = |of_end: bool| {
            let mut ids = Vec::new();
            let lines = match of_end {
                true => dir.journal().last_lines(1 << 20),
                false => dir.journal().lines(),
            };
            let lines = lines.unwrap();
            assert_eq!(lines.missing(), [""; 0].map(PathBuf::from));
            let damage = lines.for_each(|line| ids.extend(line.tool_use_id.map(str::to_owned)));
            // A file system may show a write that is under way up to the end of a page.
            assert!(damage.in_flight <= 1, "{damage:?}");
            let in_flight = damage.in_flight;
            assert_eq!(
                damage,
                Damage {
                    in_flight,
                    ..Damage::default()
                }
            );
            ids
        };
        let expected = |count: usize| (0..count).map(|number| format!("w/{number}"));
        thread::scope(|scope| {
            for of_end in [false, true] {
                let (read, done) = (&read, &done);
                scope.spawn(move || {
                    let mut before = 0;
                    while !done.load(Ordering::Relaxed) {
                        let ids = read(of_end);
                        assert!(ids.len() >= before, "{} after {before}", ids.len());
                        assert_eq!(ids, expected(ids.len()).collect::<Vec<_>>());
                        before = ids.len();
                    }
                });
            }
            for number in 0..events {
                dir.journal().append(&record("w", number)).unwrap();
                assert_eq!(dir.journal().put_aside().unwrap(), Rotation::Done);
                let part = dir.path().join(format!("events.{}.jsonl", number + 1));
                let compressed = dir.journal().compress(&part).unwrap();
                assert_eq!(compressed, Compression::Done);
            }
            done.store(true, Ordering::Relaxed);
        });
        let all: Vec<String> = expected(usize::try_from(events).unwrap()).collect();
        assert_eq!(read(false), all);
        assert_eq!(read(true), all);
    }
}

#[test]
fn what_a_late_writer_adds_is_kept_and_read() {
    let sandbox = over(1);
    let before = ids(&sandbox);
    let late = fs::File::options()
        .append(true)
        .open(file(&sandbox, "events.jsonl"));
    assert_eq!(dir(&sandbox).journal().put_aside().unwrap(), Rotation::Done);
    let line = json!({"v": 1, "event": "PreToolUse", "tool_use_id": "t-late"});
    late.unwrap()
        .write_all(format!("\n{line}\n").as_bytes())
        .unwrap();
    compress(&sandbox, 0);
    assert_eq!(names(&sandbox), ["events.1.jsonl", "events.jsonl"]);
    let mut expected = before;
    expected.push("t-late".to_owned());
    assert_eq!(ids(&sandbox), expected);
    age(&sandbox, 8);
    compress(&sandbox, 1);
    assert_eq!(ids(&sandbox), expected);
}

#[test]
fn if_both_forms_exist_the_plain_one_counts_until_the_next_day() {
    for other in ["the same", "half of it", "something else", "nothing"] {
        let sandbox = over(2);
        let part = file(&sandbox, "events.1.jsonl");
        let plain = fs::read(&part).unwrap();
        let before = said(&sandbox);
        compress_set_aside(&sandbox);
        let packed = file(&sandbox, "events.1.jsonl.zst");
        let good = fs::read(&packed).unwrap();
        write_private(&part, &text(&plain));
        age(&sandbox, 8);
        let bytes: &[u8] = match other {
            "the same" => &good,
            "half of it" => &good[..good.len() / 2],
            "something else" => b"{}",
            _ => b"",
        };
        fs::write(&packed, bytes).unwrap();
        assert_eq!(
            ids(&sandbox).len(),
            2 * usize::try_from(CALLS + 2).unwrap(),
            "{other}"
        );
        compress(&sandbox, 1);
        assert!(!part.exists(), "{other}");
        assert_eq!(
            zstd::decode_all(fs::File::open(&packed).unwrap()).unwrap(),
            plain
        );
        // What was last heard of it is that of its journal, which is younger now.
        assert_eq!(said(&sandbox)[..4], before[..4], "{other}");
    }
}

/// How a compressed part is damaged.
#[derive(Debug, Clone, Copy)]
enum Damaged {
    Cut,
    Changed,
    Emptied,
    Foreign,
}

fn damage(sandbox: &Sandbox, how: Damaged) {
    let path = file(sandbox, "events.1.jsonl.zst");
    let mut bytes = fs::read(&path).unwrap();
    match how {
        Damaged::Cut => bytes.truncate(bytes.len() - 9),
        Damaged::Changed => {
            let middle = bytes.len() / 2;
            bytes[middle] ^= 0x55;
        }
        Damaged::Emptied => bytes.clear(),
        Damaged::Foreign => bytes = b"{\"v\":1}\n".to_vec(),
    }
    fs::write(&path, bytes).unwrap();
}

#[test]
fn a_damaged_part_is_named_and_hides_no_other() {
    for how in [
        Damaged::Cut,
        Damaged::Changed,
        Damaged::Emptied,
        Damaged::Foreign,
    ] {
        let sandbox = healthy();
        add(&dir(&sandbox), "w", CALLS);
        assert_eq!(dir(&sandbox).journal().rotate(0).unwrap(), Rotation::Done);
        add(&dir(&sandbox), "x", CALLS);
        let part = file(&sandbox, "events.1.jsonl");
        let compressed = dir(&sandbox).journal().compress(&part).unwrap();
        assert_eq!(compressed, Compression::Done);
        check(doctor(&sandbox), &[]);
        damage(&sandbox, how);
        let path = file(&sandbox, "events.1.jsonl.zst");
        let named = format!("could not decompress `{}`", path.display());
        for verb in ["timeline", "show", "stats"] {
            let output = sandbox.ccsession([verb, ID]).output();
            let stderr = text(&output.stderr);
            assert_eq!(output.status.code(), Some(0), "{how:?} {verb}");
            assert_eq!(
                stderr.matches(&named).count(),
                1,
                "{how:?} {verb}: {stderr}"
            );
        }
        let mut events = sandbox.events(ID);
        let read: Vec<String> = events
            .by_ref()
            .filter_map(|event| event.tool_use_id)
            .collect();
        assert_eq!(events.damage().unreadable, 1, "{how:?}");
        let rest: Vec<String> = (0..CALLS).map(|number| format!("x/{number}")).collect();
        assert!(read.ends_with(&rest), "{how:?}");
        let found = findings(doctor(&sandbox));
        let faults: Vec<&Value> = found.iter().filter(|it| it["grade"] == "fault").collect();
        assert_eq!(faults.len(), 1, "{how:?}: {faults:?}");
        assert_eq!(faults[0]["check"], "journals");
        let found = faults[0]["found"].as_str().unwrap();
        assert!(found.starts_with(&named), "{how:?}: {found}");
        // Nor is an archive made without it.
        let refused = sandbox.ccsession(["clock-out", ID]).output();
        assert_eq!(refused.status.code(), Some(1), "{how:?}");
        assert!(
            text(&refused.stderr).contains("events.1.jsonl.zst"),
            "{how:?}"
        );
        sandbox.assert_no_leftovers();
    }
}

#[test]
fn where_the_disk_is_full_all_stays_as_it_is_and_the_rest_goes_on() {
    if !can_inject() {
        return;
    }
    let sandbox = over(1);
    let before = ids(&sandbox);
    let output = injected(&sandbox, "fsync", "fsync:error=ENOSPC").output();
    assert_eq!(output.status.code(), Some(1));
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(said["compressed"], 0);
    assert!(text(&output.stderr).contains("No space left on device"));
    assert_eq!(names(&sandbox), ["events.1.jsonl", "events.jsonl"]);
    sandbox.assert_no_leftovers();
    assert_eq!(ids(&sandbox), before);
    compress(&sandbox, 1);
    assert_eq!(ids(&sandbox), before);
}

#[test]
fn without_an_atomic_exchange_the_journal_stays_uncompressed() {
    if !can_inject() {
        return;
    }
    let sandbox = over(2);
    let before = said(&sandbox);
    let run = injected(&sandbox, "renameat2", "renameat2:error=EINVAL");
    assert_eq!(run.json()["compressed"], 1);
    assert_eq!(names(&sandbox), ["events.1.jsonl.zst", "events.jsonl"]);
    same(&before, &said(&sandbox));
}

/// Copies of the files of a session's folder, to begin again with.
fn put_back(sandbox: &Sandbox, kept: &[(PathBuf, Vec<u8>)]) {
    files(sandbox)
        .iter()
        .for_each(|path| fs::remove_file(path).unwrap());
    for (path, bytes) in kept {
        write_private(path, &text(bytes));
    }
    age(sandbox, 8);
}

#[test]
fn a_kill_at_any_moment_loses_and_repeats_no_event() {
    let kills = if is_torture() { 1000 } else { 20 };
    let sandbox = over(2);
    // So large that it takes a while.
    let big = dir(&sandbox);
    assert_eq!(big.journal().rotate(0).unwrap(), Rotation::Done);
    add(&big, "big", 2000);
    age(&sandbox, 8);
    let keep = |path: PathBuf| {
        let bytes = fs::read(&path).unwrap();
        (path, bytes)
    };
    let fresh: Vec<_> = files(&sandbox).into_iter().map(keep).collect();
    assert_eq!(dir(&sandbox).journal().put_aside().unwrap(), Rotation::Done);
    let aside: Vec<_> = files(&sandbox).into_iter().map(keep).collect();
    let (expected, last) = (ids(&sandbox), dir(&sandbox).last_activity());
    let mut takes = Duration::MAX;
    for _ in 0..2 {
        put_back(&sandbox, &aside);
        let started = Instant::now();
        compress(&sandbox, 1);
        takes = takes.min(started.elapsed());
    }
    let mut seen = BTreeSet::new();
    for kill in 0..kills {
        put_back(&sandbox, if kill % 4 == 0 { &fresh } else { &aside });
        let mut run = daily(&sandbox);
        let command = run
            .command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        // From the start until it has likely ended.
        thread::sleep(takes.mul_f64(f64::from(kill * 7717 % 400) / 300.0));
        let _ = child.kill();
        let _ = child.wait();
        seen.insert(names(&sandbox));
        assert_eq!(ids(&sandbox), expected, "{:?}", names(&sandbox));
        assert!(last.unwrap() <= dir(&sandbox).last_activity().unwrap());
        age_leftovers(&sandbox);
        if kill % 4 > 0 {
            assert_eq!(daily(&sandbox).output().status.code(), Some(0));
            assert_eq!(ids(&sandbox), expected);
            let plain = names(&sandbox)
                .into_iter()
                .filter(|name| name.ends_with(".jsonl"));
            assert_eq!(plain.collect::<Vec<_>>(), ["events.jsonl"]);
            sandbox.assert_no_leftovers();
        }
    }
    println!("{kills} kills: {seen:?}");
    assert!(seen.len() > 2, "{seen:?}");
}

#[test]
fn a_compression_killed_at_any_change_is_completed_the_next_day() {
    if !can_inject() {
        return;
    }
    let calls = ["renameat2", "utimensat", "fsync", "rename", "unlink"];
    let times = if is_torture() { 8 } else { 3 };
    in_parallel(calls.len() * times, 5, |case| {
        let (call, nth) = (calls[case % calls.len()], case / calls.len() + 1);
        let sandbox = over(2);
        let (expected, last) = (ids(&sandbox), dir(&sandbox).last_activity());
        let fault = format!("{call}:signal=SIGKILL:when={nth}");
        let mut run = injected(&sandbox, call, &fault);
        let command = run.command.stdin(Stdio::null()).stderr(Stdio::null());
        let _ = command.output().unwrap();
        let now = (ids(&sandbox), dir(&sandbox).last_activity());
        assert_eq!(now, (expected.clone(), last), "{fault}");
        age_leftovers(&sandbox);
        assert_eq!(daily(&sandbox).output().status.code(), Some(0), "{fault}");
        let now = (ids(&sandbox), dir(&sandbox).last_activity());
        assert_eq!(now, (expected, last), "{fault}");
        let mut files = files(&sandbox);
        files.retain(|path| path.extension().unwrap() == "jsonl");
        let sizes = files.iter().map(|path| fs::metadata(path).unwrap().len());
        assert_eq!(sizes.sum::<u64>(), 0, "{fault}: {files:?}");
        sandbox.assert_no_leftovers();
    });
}

/// A cleanup that does the day's work under strace, which injects `fault`.
fn injected(sandbox: &Sandbox, call: &str, fault: &str) -> Run {
    let _ = fs::remove_file(sandbox.state().join("daily"));
    let mut run = sandbox.run("strace");
    let command = run.command.args(["-f", "-qq", "-o", "/dev/null"]);
    command.args(["-e", &format!("trace={call}")]);
    command.args(["-e", &format!("inject={fault}"), CCSESSION]);
    run.arg("cleanup").arg("--json")
}

/// What a killed process left is removed once it is an hour old.
fn age_leftovers(sandbox: &Sandbox) {
    // Of the state directory, too: the stamp of the day's work is replaced.
    let dirs = [sandbox.session(ID), sandbox.state()];
    let entries = dirs.iter().flat_map(|dir| fs::read_dir(dir).unwrap());
    for entry in entries {
        let path = entry.unwrap().path();
        if path
            .file_name()
            .unwrap()
            .to_str()
            .unwrap()
            .starts_with(".ccsession-")
        {
            old(&path);
        }
    }
}

fn old(path: &Path) {
    let file = fs::File::options().write(true).open(path).unwrap();
    file.set_modified(SystemTime::now() - Duration::from_secs(2 * DAY))
        .unwrap();
}
