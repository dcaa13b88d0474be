//! What the system refuses: locks, threads, descriptors, memory. Each refusal leads to an answer, never to a panic, and loses
//! nothing that was there.

use std::fs;
use std::path::Path;
use std::process::Output;

use serde_json::json;

use crate::support::archives::{decompressed, files, said, write};
use crate::support::files::write_private;
use crate::support::pointers::place;
use crate::support::tracing::can_inject;
use crate::support::{CCSESSION, ID, Sandbox, event, hook_for, text};

const DAY: i64 = 24 * 60 * 60;

/// A session that has ended, with its transcript.
fn ended(sandbox: &Sandbox, id: &str) {
    let path = sandbox
        .home()
        .join(format!(".claude/projects/-shop/{id}.jsonl"));
    write(&path, said(&["a word"]).replace(ID, id));
    let start = json!({"source": "startup", "transcript_path": path});
    sandbox.hook(&event("SessionStart", id, start)).silent();
    let end = json!({"reason": "other"});
    sandbox.hook(&event("SessionEnd", id, end)).silent();
}

/// The CLI where each of these calls fails so.
fn injected(sandbox: &Sandbox, faults: &[&str], arguments: &[&str]) -> Output {
    let mut run = sandbox.run("strace");
    run.command.args(["-f", "-qq", "-o", "/dev/null"]);
    // No other call stops, such as those of a wait.
    let calls: Vec<&str> = faults
        .iter()
        .map(|fault| fault.split_once(':').unwrap().0)
        .collect();
    let trace = format!("trace={}", calls.join(","));
    run.command.args(["--seccomp-bpf", "-e", &trace]);
    for fault in faults {
        run.command.args(["-e", &format!("inject={fault}")]);
    }
    run.command.arg(CCSESSION).args(arguments);
    run.output()
}

#[track_caller]
fn succeeds(output: &Output) -> String {
    assert_eq!(
        (output.status.code(), text(&output.stderr)),
        (Some(0), String::new())
    );
    text(&output.stdout)
}

// Lists

/// Part of a list, or none, is not the answer that there is no such session.
#[test]
fn a_session_is_not_called_unknown_if_sessions_cannot_be_listed() {
    if !can_inject() {
        return;
    }
    let sandbox = Sandbox::archiving();
    ended(&sandbox, ID);
    for errno in ["EMFILE", "ENOSPC", "EIO"] {
        for when in ["1+", "2+"] {
            let fault = format!("getdents64:error={errno}:when={when}");
            for verb in ["clock-out", "show"] {
                let output = injected(&sandbox, &[&fault], &[verb, ID]);
                let status = output.status.code().unwrap();
                assert!(matches!(status, 0 | 1), "{verb} {fault}: {output:?}");
            }
        }
    }
}

// Locks

#[test]
fn without_locks_processes_take_turns_and_the_doctor_says_so() {
    if !can_inject() {
        return;
    }
    for errno in ["ENOLCK", "EOPNOTSUPP", "ENOSYS"] {
        let sandbox = Sandbox::archiving();
        ended(&sandbox, ID);
        // What a hook has left behind may have come first.
        let _ = fs::remove_dir_all(sandbox.state().join("archive"));
        let old = place(&sandbox, "old", "s-old", 3 * DAY);
        let fault = format!("flock:error={errno}");
        let with = |arguments: &[&str]| injected(&sandbox, &[&fault], arguments);
        assert_eq!(succeeds(&with(&["cleanup"])), "1\n", "{errno}");
        assert!(!old.exists());
        succeeds(&with(&["clock-out", ID]));
        succeeds(&with(&["clock-in", "--session", ID, "--role", "x"]));
        assert_eq!(sandbox.record(ID)["role"], "x");
        let doctor = text(&with(&["doctor"]).stdout);
        assert!(doctor.contains("take turns by a file"), "{doctor}");
        let is_turn = |name: &String| name.contains(".turn");
        assert!(!sandbox.files().iter().any(is_turn), "{errno}");
    }
}

#[test]
fn a_turn_that_nobody_ended_is_waited_for_or_taken_over() {
    if !can_inject() {
        return;
    }
    let sandbox = Sandbox::just_swept();
    let start = event("SessionStart", ID, json!({"source": "startup"}));
    sandbox.hook(&start).silent();
    let turn = sandbox.state().join("lock.turn");
    let fault = ["flock:error=ENOLCK"];
    let machine = fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    let (machine, boot) = (machine.trim(), boot.trim());
    let me = std::process::id();
    write(&turn, format!("{machine}\n{boot}\n{me}\n"));
    // Of all verbs, one that waits only briefly.
    let refused = injected(&sandbox, &fault, &["clock-out", ID]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(text(&refused.stderr).contains("another process holds it"));
    assert!(turn.exists());
    // A hook goes on without.
    let mut run = sandbox.run("strace");
    run.command
        .args([
            "-f",
            "-qq",
            "-o",
            "/dev/null",
            "--seccomp-bpf",
            "-e",
            "trace=flock",
            "-e",
            "inject=flock:error=ENOLCK",
        ])
        .arg(hook_for("SessionStart"));
    run.stdin(start.to_string()).silent();
    let mut dead = std::process::Command::new("true").spawn().unwrap();
    dead.wait().unwrap();
    write(&turn, format!("{machine}\n{boot}\n{}\n", dead.id()));
    let clock_in = ["clock-in", "--session", ID, "--role", "x"];
    succeeds(&injected(&sandbox, &fault, &clock_in));
    assert!(!turn.exists());
}

// Threads

#[test]
fn without_further_threads_one_thread_does_everything() {
    if !can_inject() {
        return;
    }
    let faults = ["clone:error=EAGAIN", "clone3:error=EAGAIN"];
    for some in ["", ":when=2+"] {
        let sandbox = Sandbox::just_swept();
        let other = "6c58472b-1111-4222-8333-444455556666";
        for id in [ID, other] {
            ended(&sandbox, id);
        }
        let faults = faults.map(|fault| format!("{fault}{some}"));
        let faults: Vec<&str> = faults.iter().map(String::as_str).collect();
        let with = |arguments: &[&str]| injected(&sandbox, &faults, arguments);
        let archived = succeeds(&with(&["clock-out", ID]));
        let text = fs::read_to_string(archived.trim_end()).unwrap();
        assert!(text.contains("a word"), "{text}");
        let is_copy = |path: &&std::path::PathBuf| path.to_string_lossy().ends_with(".jsonl.zst");
        let copies = files(&sandbox);
        let copy = copies.iter().find(is_copy).unwrap();
        assert!(!decompressed(copy).is_empty());
        for arguments in [
            &["stats", "--all"][..],
            &["metrics"],
            &["list"],
            &["timeline", ID],
            &["archive", "verify"],
            &["cleanup"],
        ] {
            succeeds(&with(arguments));
        }
        let doctor = with(&["doctor"]);
        assert!(matches!(doctor.status.code(), Some(0 | 5)), "{doctor:?}");
        sandbox.assert_no_leftovers();
    }
}

// Descriptors and memory

/// A program under limits that the shell sets.
fn limited(
    sandbox: &Sandbox,
    limits: &str,
    program: &Path,
    arguments: &[&str],
) -> crate::support::Run {
    let run = sandbox.run("/bin/sh").arg("-c");
    let run = run
        .arg(format!("{limits} && exec \"$0\" \"$@\""))
        .arg(program);
    arguments
        .iter()
        .fold(run, |run, argument| run.arg(argument))
}

#[test]
fn with_few_descriptors_a_verb_succeeds_or_says_why_not() {
    let sandbox = Sandbox::just_swept();
    ended(&sandbox, ID);
    let before = sandbox.record(ID);
    // Below that a program that is linked dynamically cannot be started.
    for count in [4, 5, 6, 8, 12] {
        let limits = format!("ulimit -n {count}");
        for arguments in [
            &["current"][..],
            &["list"],
            &["show", ID],
            &["stats", "--all"],
            &["clock-out", ID],
            &["archive", "list"],
            &["archive", "verify"],
            &["import"],
            &["cleanup"],
            &["store", "s-7"],
            &["doctor"],
        ] {
            let output = limited(&sandbox, &limits, Path::new(CCSESSION), arguments).output();
            let status = output.status.code();
            assert!(
                matches!(status, Some(0 | 1 | 5)),
                "{count} {arguments:?} {output:?}"
            );
            let stderr = text(&output.stderr);
            assert!(
                !stderr.contains("please report it"),
                "{count} {arguments:?} {stderr}"
            );
        }
        for name in ["SessionStart", "PreToolUse", "SessionEnd"] {
            let hook = Path::new(hook_for(name));
            let payload = event(name, ID, json!({"source": "startup"})).to_string();
            limited(&sandbox, &limits, hook, &[])
                .stdin(payload)
                .silent();
        }
    }
    assert_eq!(sandbox.record(ID)["started_at"], before["started_at"]);
    sandbox.assert_no_leftovers();
}

#[test]
fn without_memory_a_verb_fails_and_no_signal_ends_it() {
    let sandbox = Sandbox::just_swept();
    ended(&sandbox, ID);
    let limit = |mib: u32| format!("ulimit -v {}", mib * 1024);
    let starts = |mib: &u32| {
        let version = limited(&sandbox, &limit(*mib), Path::new(CCSESSION), &["--version"]);
        version.output().status.success()
    };
    // With less, the system cannot start a program that is linked dynamically.
    let least = (16..400).step_by(4).find(starts).unwrap();
    for mib in [0, 12, 28, 60, 124, 364].map(|more| least + more) {
        let limits = limit(mib);
        for arguments in [
            &["list"][..],
            &["stats", "--all"],
            &["clock-out", ID],
            &["archive", "show", ID, "--transcript"],
            &["import"],
            &["doctor"],
        ] {
            let output = limited(&sandbox, &limits, Path::new(CCSESSION), arguments).output();
            let status = output.status.code();
            assert!(
                matches!(status, Some(0 | 1 | 3 | 5)),
                "{mib} {arguments:?} {output:?}"
            );
        }
    }
}

#[test]
fn a_line_of_any_length_is_shown_whole() {
    let sandbox = Sandbox::just_swept();
    ended(&sandbox, ID);
    let path = sandbox
        .home()
        .join(format!(".claude/projects/-shop/{ID}.jsonl"));
    // A character of three bytes is cut at the end of some piece.
    let long = said(&[&"€ and more ".repeat(300_000), "short"]);
    write(&path, &long);
    sandbox.ccsession(["clock-out", ID]).stdout();
    let shown = sandbox
        .ccsession(["archive", "show", ID, "--transcript"])
        .stdout();
    assert!(shown == long, "{} {}", shown.len(), long.len());
    let found = sandbox.ccsession(["archive", "search", "short"]).stdout();
    let text = sandbox
        .ccsession(["archive", "show", ID, "--no-pager"])
        .stdout();
    let line = text
        .lines()
        .position(|line| line.contains("short"))
        .unwrap()
        + 1;
    assert!(found.contains(&format!("{ID}:{line}: ")), "{found}");
}

#[test]
fn a_journal_of_more_parts_than_descriptors_is_read_to_its_end() {
    const PARTS: usize = 200;
    let sandbox = Sandbox::just_swept();
    ended(&sandbox, ID);
    let folder = sandbox.session(ID);
    for number in 1..=PARTS {
        let call = json!({"v": 1, "ts": "2026-11-20T10:00:00.000000Z", "event": "PreToolUse",
            "session_id": ID, "tool_name": "Bash", "tool_use_id": format!("t{number}")});
        let part = folder.join(format!("events.{number}.jsonl"));
        write_private(&part, &format!("\n{call}\n"));
    }
    for arguments in [
        &["show", ID][..],
        &["timeline", ID],
        &["stats", ID],
        &["export", ID, "--format", "csv", "--table", "calls"],
        &["clock-out", ID],
        &["archive", "verify"],
        &["list", "--all"],
        &["cleanup"],
    ] {
        let run = limited(&sandbox, "ulimit -n 64", Path::new(CCSESSION), arguments);
        let output = run.output();
        assert!(output.status.success(), "{arguments:?} {output:?}");
        assert_eq!(text(&output.stderr), "", "{arguments:?}");
        if arguments[0] == "export" {
            let rows = text(&output.stdout).lines().count();
            assert_eq!(rows, PARTS + 1);
        }
    }
}
