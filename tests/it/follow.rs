//! `ccsession timeline --follow`: it prints every event once and soon, whatever happens to the journals meanwhile, and ends
//! when its reader is gone.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use ccsession::identity::process::ignores;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::support::journals::{WORKER, Worker};
use crate::support::torture::in_parallel;
use crate::support::within::Within;
use crate::support::{ID, PATIENCE, Sandbox, event};

const OTHER: &str = "7824bc9f-8371-4784-aa1c-5143effdf51c";
/// A test that nothing comes looks for so long. A slow machine may hide a fault from it, but never makes it fail.
const QUIET: Duration = Duration::from_millis(700);

/// A running `ccsession timeline --follow`, and the lines that it prints.
struct Follow {
    child: Child,
    lines: Receiver<String>,
}

impl Follow {
    /// Starts it, and waits until it looks: what comes then, it prints.
    fn start(sandbox: &Sandbox, arguments: &[&str]) -> Self {
        let mut run = sandbox
            .ccsession(["timeline", "--follow"])
            .env("TZ", "UTC0");
        let command = run.command.args(arguments).stdin(Stdio::null());
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in stdout.lines() {
                let Ok(()) = sender.send(line.unwrap()) else {
                    return;
                };
            }
        });
        wait_until_it_looks(&child);
        Self { child, lines }
    }

    #[track_caller]
    fn next(&self) -> String {
        self.lines.recv_timeout(PATIENCE).unwrap()
    }

    /// The next event, of `--jsonl`: its name, and the id of its call.
    #[track_caller]
    fn event(&self) -> String {
        let line: Value = serde_json::from_str(&self.next()).unwrap();
        let text = |name: &str| line[name].as_str().unwrap_or_default().to_owned();
        format!("{} {}", text("event"), text("tool_use_id"))
    }

    #[track_caller]
    fn assert_quiet(&self) {
        assert_eq!(
            self.lines.recv_timeout(QUIET),
            Err(RecvTimeoutError::Timeout)
        );
    }

    /// The next lines, `count` of them, after which nothing more comes.
    #[track_caller]
    fn rest(&self, count: usize) -> Vec<String> {
        let lines = (0..count).map(|_| self.next()).collect();
        self.assert_quiet();
        lines
    }
}

impl Drop for Follow {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits until the process has begun: then it sleeps, nearly always.
fn wait_until_it_looks(child: &Child) {
    let started = Instant::now();
    let mut asleep = 0;
    while asleep < 5 {
        assert!(started.elapsed() < PATIENCE, "it never looks");
        std::thread::sleep(Duration::from_millis(20));
        asleep = match fs::read_to_string(format!("/proc/{}/stat", child.id())) {
            Ok(stat) if stat.contains(") S ") => asleep + 1,
            Ok(_) => 0,
            // Where there is no /proc, a second is long enough.
            Err(_) if started.elapsed() > Duration::from_secs(1) => return,
            Err(_) => 0,
        };
    }
}

fn start(sandbox: &Sandbox, id: &str) {
    sandbox
        .hook(&event("SessionStart", id, json!({"source": "startup"})))
        .silent();
}

fn end(sandbox: &Sandbox, id: &str) {
    sandbox
        .hook(&event("SessionEnd", id, json!({"reason": "other"})))
        .silent();
}

fn call(id: &str, number: impl std::fmt::Display) -> Value {
    let input = json!({"description": "List files", "command": "ls"});
    event(
        "PreToolUse",
        id,
        json!({"tool_name": "Bash", "tool_use_id": format!("t{number}"), "tool_input": input}),
    )
}

fn append(sandbox: &Sandbox, id: &str, bytes: &str) {
    let path = sandbox.session(id).join("events.jsonl");
    let mut file = fs::File::options().append(true).open(path).unwrap();
    file.write_all(bytes.as_bytes()).unwrap();
}

#[test]
fn of_all_sessions_each_event_is_a_line_from_now_on() {
    let sandbox = Sandbox::just_swept();
    start(&sandbox, OTHER);
    let follow = Follow::start(&sandbox, &[]);
    start(&sandbox, ID);
    let without_time = |line: String| line[8..].to_owned();
    assert_eq!(
        without_time(follow.next()),
        "  5b48472b shop                       SessionStart  startup"
    );
    let explore = json!({"tool_name": "Read", "tool_use_id": "t2", "agent_id": "a1", "agent_type": "Explore"});
    sandbox
        .hook(&event("PostToolUseFailure", OTHER, explore))
        .silent();
    assert_eq!(
        without_time(follow.next()),
        "  7824bc9f shop           failed      └ Explore: Read  other"
    );
    end(&sandbox, ID);
    assert_eq!(
        without_time(follow.next()),
        "  5b48472b shop                       SessionEnd  other"
    );
}

#[test]
fn a_session_begins_with_its_last_events_and_goes_on_after_its_end() {
    let sandbox = Sandbox::just_swept();
    start(&sandbox, ID);
    start(&sandbox, OTHER);
    for number in 0..12 {
        sandbox.hook(&call(ID, number)).silent();
    }
    let follow = Follow::start(&sandbox, &["5b48", "--jsonl"]);
    for number in 2..12 {
        assert_eq!(follow.event(), format!("PreToolUse t{number}"));
    }
    sandbox.hook(&call(OTHER, 1)).silent();
    end(&sandbox, ID);
    assert_eq!(follow.event(), "SessionEnd ");
    follow.assert_quiet();
    start(&sandbox, ID);
    assert_eq!(follow.event(), "SessionStart ");
}

#[test]
fn lines_of_jsonl_are_the_journals_own() {
    let sandbox = Sandbox::just_swept();
    start(&sandbox, ID);
    let follow = Follow::start(&sandbox, &["--jsonl"]);
    let line = r#"{"v":1, "event":"New","more":{"x":[1,2]},"what":"\u001b[2J"}"#;
    append(
        &sandbox,
        ID,
        &format!("\n{{\"v\":1,\"eve\n{line}\n\n[1]\n\n{{\"v\":9,\"event\":\"X\"}}\n"),
    );
    assert_eq!(follow.next(), line);
    follow.assert_quiet();
    let people = Follow::start(&sandbox, &[ID]);
    people.next();
    assert!(people.next().ends_with(r"  New  \u{1b}[2J"));
}

#[test]
fn filters_are_those_of_the_timeline() {
    let sandbox = Sandbox::just_swept();
    start(&sandbox, ID);
    let follow = Follow::start(&sandbox, &["--jsonl", "--tool", "bash"]);
    let failed = Follow::start(&sandbox, &["--jsonl", "--failed"]);
    let read = json!({"tool_name": "Read", "tool_use_id": "t9"});
    sandbox
        .hook(&event("PostToolUseFailure", ID, read))
        .silent();
    sandbox.hook(&call(ID, 1)).silent();
    assert_eq!(follow.event(), "PreToolUse t1");
    assert_eq!(failed.event(), "PostToolUseFailure t9");
    failed.assert_quiet();
}

#[test]
fn a_line_is_printed_only_once_it_is_complete() {
    let sandbox = Sandbox::just_swept();
    start(&sandbox, ID);
    append(&sandbox, ID, "\n{\"v\":1,\"event\":\"Fir");
    let follow = Follow::start(&sandbox, &["--jsonl"]);
    append(&sandbox, ID, "st\"}\n\n{\"v\":1,\"event\":\"Sec");
    assert_eq!(follow.event(), "First ");
    follow.assert_quiet();
    append(&sandbox, ID, "ond\"}");
    follow.assert_quiet();
    append(&sandbox, ID, "\n");
    assert_eq!(follow.event(), "Second ");
    follow.assert_quiet();
}

#[test]
fn a_session_that_had_ended_is_followed_when_it_is_resumed() {
    let sandbox = Sandbox::just_swept();
    start(&sandbox, ID);
    end(&sandbox, ID);
    let follow = Follow::start(&sandbox, &["--jsonl"]);
    for _ in 0..3 {
        start(&sandbox, ID);
        assert_eq!(follow.event(), "SessionStart ");
        end(&sandbox, ID);
        assert_eq!(follow.event(), "SessionEnd ");
        // A late event, of a session that no index has.
        sandbox.hook(&call(ID, 7)).silent();
        assert_eq!(follow.event(), "PreToolUse t7");
    }
    follow.assert_quiet();
}

#[test]
fn a_session_that_continues_without_a_start_event_is_seen_too() {
    let sandbox = Sandbox::just_swept();
    start(&sandbox, ID);
    end(&sandbox, ID);
    let follow = Follow::start(&sandbox, &["--jsonl"]);
    // It is in no index, and nothing starts it again. Several events, since looks are counted.
    for number in 0..5 {
        sandbox.hook(&call(ID, number)).silent();
        assert_eq!(follow.event(), format!("PreToolUse t{number}"));
    }
}

#[test]
fn sessions_that_begin_and_end_at_once_are_all_seen() {
    let sandbox = Sandbox::just_swept();
    start(&sandbox, ID);
    let follow = Follow::start(&sandbox, &["--jsonl"]);
    in_parallel(60, 3, |number| {
        let id = format!("s-{number}");
        start(&sandbox, &id);
        end(&sandbox, &id);
    });
    let mut seen: Vec<(String, String)> = follow
        .rest(2 * 60)
        .iter()
        .map(|line| {
            let line: Value = serde_json::from_str(line).unwrap();
            let text = |name: &str| line[name].as_str().unwrap().to_owned();
            (text("session_id"), text("event"))
        })
        .collect();
    // Of each session in order; how those of several sessions lie is left open.
    seen.sort_by(|one, other| one.0.cmp(&other.0));
    let mut expected: Vec<(String, String)> = (0..60)
        .flat_map(|number| {
            ["SessionStart", "SessionEnd"].map(|event| (format!("s-{number}"), event.to_owned()))
        })
        .collect();
    expected.sort_by(|one, other| one.0.cmp(&other.0));
    assert_eq!(seen, expected);
}

#[test]
fn it_waits_for_the_very_first_session() {
    let sandbox = Sandbox::new();
    let follow = Follow::start(&sandbox, &["--jsonl"]);
    assert!(!sandbox.state().exists(), "a reader creates nothing");
    start(&sandbox, ID);
    assert_eq!(follow.event(), "SessionStart ");
}

#[test]
fn a_folder_that_is_removed_or_recreated_stops_nothing() {
    let sandbox = Sandbox::just_swept();
    start(&sandbox, ID);
    start(&sandbox, OTHER);
    let all = Follow::start(&sandbox, &["--jsonl"]);
    let one = Follow::start(&sandbox, &[ID, "--jsonl"]);
    assert_eq!(one.event(), "SessionStart ");
    fs::remove_dir_all(sandbox.session(ID)).unwrap();
    sandbox.hook(&call(OTHER, 1)).silent();
    assert_eq!(all.event(), "PreToolUse t1");
    for number in 2..5 {
        sandbox.hook(&call(ID, number)).silent();
        for follow in [&all, &one] {
            assert_eq!(follow.event(), format!("PreToolUse t{number}"));
        }
    }
    // At once: the new journal may well get the old one's inode.
    fs::remove_dir_all(sandbox.session(ID)).unwrap();
    for number in 5..9 {
        sandbox.hook(&call(ID, number)).silent();
    }
    for follow in [&all, &one] {
        for number in 5..9 {
            assert_eq!(follow.event(), format!("PreToolUse t{number}"));
        }
        follow.assert_quiet();
    }
}

#[test]
fn a_journal_that_is_replaced_is_read_from_its_start() {
    let sandbox = Sandbox::just_swept();
    start(&sandbox, ID);
    let follow = Follow::start(&sandbox, &["--jsonl"]);
    sandbox.hook(&call(ID, 1)).silent();
    assert_eq!(follow.event(), "PreToolUse t1");
    let path = sandbox.session(ID).join("events.jsonl");
    let other = sandbox.session(ID).join("other");
    fs::write(&other, "\n{\"v\":1,\"event\":\"Other\"}\n").unwrap();
    fs::rename(&other, &path).unwrap();
    assert_eq!(follow.event(), "Other ");
    // In place, and longer than before.
    fs::write(&path, "\n{\"v\":1,\"event\":\"Longer\"}\n".repeat(40)).unwrap();
    for _ in 0..40 {
        assert_eq!(follow.event(), "Longer ");
    }
    follow.assert_quiet();
}

/// How many of a writer's events are real hooks in [`rotation_loses_nothing_and_repeats_nothing`].
const REAL: usize = 30;
const EVENTS: usize = 150;

/// A process of that test, and no test of its own: it records the other events as hooks do, one after the other.
#[test]
fn hook_worker() {
    let Some(task) = std::env::var_os(WORKER) else {
        return;
    };
    let task = task.into_string().unwrap();
    let (dir, writer) = task.split_once('\n').unwrap();
    let hook = Within::at(Path::new(dir)).journal_limit(64 * 1024);
    for number in REAL..EVENTS {
        hook.feed(&call(ID, format!("{writer}-{number}")));
    }
}

#[test]
fn rotation_loses_nothing_and_repeats_nothing() {
    let (writers, events) = (8, EVENTS);
    let sandbox = Sandbox::just_swept();
    start(&sandbox, ID);
    let all = Follow::start(&sandbox, &["--jsonl"]);
    let one = Follow::start(&sandbox, &[ID, "--jsonl"]);
    assert_eq!(one.event(), "SessionStart ");
    in_parallel(writers, writers, |writer| {
        let (place, name) = (sandbox.path(""), writer.to_string());
        let worker = Worker::start("follow::hook_worker", &place, &name);
        for number in 0..REAL {
            sandbox
                .hook(&call(ID, format!("{writer}-{number}")))
                .env("CCSESSION_JOURNAL_LIMIT", "64KiB")
                .silent();
        }
        worker.finish();
    });
    let rotated = sandbox.session(ID).join("events.2.jsonl");
    assert!(rotated.exists(), "the test rotates too little");
    let mut expected: Vec<String> = (0..writers)
        .flat_map(|writer| (0..events).map(move |number| format!("t{writer}-{number}")))
        .collect();
    expected.sort();
    for follow in [all, one] {
        let id = |line: &String| {
            let line: Value = serde_json::from_str(line).unwrap();
            line["tool_use_id"].as_str().unwrap().to_owned()
        };
        let mut seen: Vec<String> = follow.rest(expected.len()).iter().map(id).collect();
        seen.sort();
        assert_eq!(seen, expected);
    }
}

#[test]
fn what_a_late_writer_adds_to_a_full_journal_is_printed() {
    let sandbox = Sandbox::just_swept();
    start(&sandbox, ID);
    let follow = Follow::start(&sandbox, &["--jsonl"]);
    let path = sandbox.session(ID).join("events.jsonl");
    let mut late = fs::File::options().append(true).open(&path).unwrap();
    let filler = format!(
        "\n{{\"v\":1,\"event\":\"Filler\",\"what\":\"{}\"}}\n",
        "x".repeat(70_000)
    );
    append(&sandbox, ID, &filler);
    assert_eq!(follow.event(), "Filler ");
    let rotate = || {
        sandbox
            .hook(&call(ID, 1))
            .env("CCSESSION_JOURNAL_LIMIT", "64KiB")
            .silent();
    };
    rotate();
    assert!(sandbox.session(ID).join("events.1.jsonl").exists());
    assert_eq!(follow.event(), "PreToolUse t1");
    sandbox.hook(&call(ID, 2)).silent();
    assert_eq!(follow.event(), "PreToolUse t2");
    late.write_all(b"\n{\"v\":1,\"event\":\"Late\"}\n").unwrap();
    assert_eq!(follow.event(), "Late ");
    follow.assert_quiet();
}

#[test]
fn an_untrusted_journal_is_reported_once_and_stops_no_other() {
    let sandbox = Sandbox::just_swept();
    start(&sandbox, ID);
    start(&sandbox, OTHER);
    let mut run = sandbox.ccsession(["timeline", "--follow", "--jsonl"]);
    let command = run.command.stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    wait_until_it_looks(&child);
    let path = sandbox.session(ID).join("events.jsonl");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o620)).unwrap();
    append(&sandbox, ID, "\n");
    let mut said = String::new();
    BufReader::new(child.stderr.take().unwrap())
        .read_line(&mut said)
        .unwrap();
    assert!(said.contains("events.jsonl"), "{said}");
    sandbox.hook(&call(OTHER, 1)).silent();
    let mut line = String::new();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    stdout.read_line(&mut line).unwrap();
    assert!(line.contains("t1"), "{line}");
    child.kill().unwrap();
    child.wait().unwrap();
}

/// Waits until the process has ended by itself.
#[track_caller]
fn ended(child: &mut Child) -> std::process::ExitStatus {
    let started = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        assert!(started.elapsed() < PATIENCE, "it goes on");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn it_ends_when_its_reader_is_gone_even_without_events() {
    let sandbox = Sandbox::just_swept();
    start(&sandbox, ID);
    for arguments in [&["timeline", "--follow"][..], &["timeline", "--follow", ID]] {
        let mut run = sandbox.ccsession(arguments);
        let command = run.command.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        wait_until_it_looks(&child);
        assert_eq!(child.try_wait().unwrap(), None);
        drop(child.stdout.take());
        assert_eq!(ended(&mut child).code(), Some(0));
    }
    // And where nothing has ever been recorded.
    let empty = Sandbox::new();
    let mut run = empty.ccsession(["timeline", "--follow"]);
    let command = run.command.stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    drop(child.stdout.take());
    assert_eq!(ended(&mut child).code(), Some(0));
}

#[test]
fn signals_end_it_as_they_end_tail() {
    let sandbox = Sandbox::just_swept();
    start(&sandbox, ID);
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        // A shell's background jobs ignore interrupts, and `nohup` a hangup; what they start does, too.
        if ignores(signal.as_raw()) {
            println!("skipped: {signal:?}, which this process ignores");
            continue;
        }
        let mut follow = Follow::start(&sandbox, &[]);
        let pid = Pid::from_child(&follow.child);
        kill_process(pid, signal).unwrap();
        let status = ended(&mut follow.child);
        assert_eq!(status.signal(), Some(signal.as_raw()));
    }
}

#[test]
fn what_cannot_be_followed_is_refused() {
    let sandbox = Sandbox::just_swept();
    let text = sandbox
        .ccsession(["timeline", "--follow", "none"])
        .refused(3);
    assert!(text.contains("could not find session `none`"), "{text}");
    sandbox
        .ccsession(["timeline", "--follow", "--json"])
        .refused(64);
}
