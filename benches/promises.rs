//! Measures what the documents promise in seconds. That is how long a hook may take for any input,
//! how soon a follower prints, and how long the redactor may take for a hostile text.
//!
//! ```text
//! cargo bench --bench promises                    exit status 1 if a promise is broken
//! cargo bench --bench promises -- --no-budget     prints, judges nothing
//! ```
//!
//! The tests check results, on machines under any load; this checks how long they take. Run it on a
//! quiet machine. The median of several tries counts.

#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark whose setting up fails has nothing to degrade to: it stops and says where"
)]

#[allow(
    clippy::indexing_slicing,
    dead_code,
    reason = "the tests' support, of which this uses a part; tests fail by panicking"
)]
#[path = "../tests/it/support/mod.rs"]
mod support;

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{ChildStdin, ExitCode, Stdio};
use std::time::{Duration, Instant};

use ccsession::model::redact::Redactor;
use rustix::fs::{FlockOperation, flock};
use serde_json::{Value, json};

use crate::support::{ID, Sandbox, event};

/// A promise: what is timed, how long it may take, and how long it took each time.
struct Promise {
    what: String,
    at_most: Duration,
    took: Vec<Duration>,
}

/// Returns the directory for sandboxes: on a disk, as users have it.
fn scratch() -> std::path::PathBuf {
    std::env::temp_dir()
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if !words.iter().any(|word| word == "--bench") {
        // `cargo test --all-targets` starts benches too, but would measure a debug build.
        eprintln!("promises: nothing measured, this is not `cargo bench`");
        return ExitCode::SUCCESS;
    }
    let judge = !words.iter().any(|word| word == "--no-budget");
    let mut promises = redactor();
    promises.extend([
        open_stdin(),
        endless_stdin(),
        huge_body(),
        held_lock(),
        follower(),
        idle_follower(),
    ]);
    let mut broken = 0;
    println!("{:>10} {:>10}  what", "median", "at most");
    for Promise {
        what,
        at_most,
        took,
    } in &mut promises
    {
        took.sort();
        let median = took.get(took.len() / 2).copied().unwrap_or_default();
        let verdict = if median > *at_most { "  BROKEN" } else { "" };
        broken += usize::from(median > *at_most);
        println!("{median:>10.1?} {at_most:>10.1?}  {what}{verdict}");
    }
    ExitCode::from(u8::from(judge && broken > 0))
}

fn timed(times: usize, mut what: impl FnMut()) -> Vec<Duration> {
    let one = |_| {
        let started = Instant::now();
        what();
        started.elapsed()
    };
    (0..times).map(one).collect()
}

/// Times texts of 64 KiB that repeat the beginning of a rule. The redactor must read each byte a
/// bounded number of times.
fn redactor() -> Vec<Promise> {
    let beginnings = [
        "sk-ant-",
        "eyJ",
        "/eyJ",
        "token=\"",
        "auth:'",
        "-----BEGIN PRIVATE KEY-----",
        "a://",
        "pwd:",
        "pwd=",
        "password: ",
        "Authorization:",
        "<token>",
        "--token ",
        "=",
        "M.",
        "\\",
        "password='$",
        "Bearer ",
        "Cookie:",
        "Cookie:a=a1B2c3D4e5F6g7H8;",
        "curl -u ",
        "curl -u 12:34Private-Lines",
        "machine ",
        "machine a login ",
        "IDENTIFIED BY '",
        "Private-Lines: 2 ",
        "value:",
        "keys:[",
        concat!("ke", "y-3f8a1c9e0b7d24653f8a1c9e0b7d2465"),
    ];
    let promise = |part: &&str| {
        let text = part.repeat((1 << 16) / part.len());
        Promise {
            what: format!("redact 64 KiB of `{part}`"),
            at_most: Duration::from_millis(300),
            took: timed(3, || {
                Redactor::default().text(&text);
            }),
        }
    };
    beginnings.iter().map(promise).collect()
}

fn call() -> Value {
    let more = json!({"tool_name": "Bash", "tool_use_id": "t1", "tool_input": {"command": "ls"}});
    event("PreToolUse", ID, more)
}

/// Times a hook whose stdin stays open after `write`.
fn left_open(name: &str, write: impl Fn(&mut ChildStdin)) -> Promise {
    let sandbox = Sandbox::just_swept();
    let took = timed(3, || {
        let mut run = sandbox.run(support::PRE_TOOL_USE);
        let mut child = run.command.stdin(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        write(&mut stdin);
        assert!(child.wait().unwrap().success());
    });
    Promise {
        what: format!("a hook with {name}"),
        at_most: Duration::from_secs(1),
        took,
    }
}

fn open_stdin() -> Promise {
    left_open("a payload and a stdin that stays open", |stdin| {
        serde_json::to_writer(stdin, &call()).unwrap();
    })
}

fn endless_stdin() -> Promise {
    left_open("a stdin that never ends", |stdin| {
        use std::io::Write;
        while stdin.write_all(b"[\"x\",").is_ok() {}
    })
}

fn huge_body() -> Promise {
    let sandbox = Sandbox::just_swept();
    let lines = vec!["PASSWORD=abc \"quoted\" \\ größe"; 100_000];
    let more =
        json!({"tool_input": {"content": "x".repeat(1 << 20)}, "tool_response": {"lines": lines}});
    let call = event("PostToolUse", ID, more);
    Promise {
        what: "a hook with 5 MB under `capture = \"full\"`".to_owned(),
        at_most: Duration::from_secs(1),
        took: timed(5, || {
            let hook = sandbox.hook(&call);
            hook.env("CCSESSION_CAPTURE", "full").silent();
        }),
    }
}

/// Times a hook while another process holds the lock. It waits at most 50 ms.
fn held_lock() -> Promise {
    let sandbox = Sandbox::just_swept();
    let start = event("SessionStart", ID, json!({"source": "startup"}));
    sandbox.hook(&start).silent();
    let lock = fs::File::options()
        .write(true)
        .create(true)
        .truncate(false)
        .open(sandbox.state().join("lock"))
        .unwrap();
    flock(&lock, FlockOperation::LockExclusive).unwrap();
    Promise {
        what: "a start while another process holds the lock".to_owned(),
        at_most: Duration::from_millis(200),
        took: timed(5, || sandbox.hook(&start).silent()),
    }
}

/// Times how soon `timeline --follow` prints an event, from the end of its hook.
fn follower() -> Promise {
    let sandbox = Sandbox::just_swept();
    let start = event("SessionStart", ID, json!({"source": "startup"}));
    sandbox.hook(&start).silent();
    let mut run = sandbox.ccsession(["timeline", "--follow", "--jsonl"]);
    let command = run.command.stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    std::thread::sleep(Duration::from_millis(500));
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut next = |number: u64| {
        std::thread::sleep(Duration::from_millis(300 + number * 37));
        sandbox.hook(&call()).silent();
        let started = Instant::now();
        stdout.read_line(&mut String::new()).unwrap();
        started.elapsed()
    };
    let took = (0..9).map(&mut next).collect();
    child.kill().unwrap();
    child.wait().unwrap();
    Promise {
        what: "a follower prints an event".to_owned(),
        at_most: Duration::from_millis(300),
        took,
    }
}

/// Measures the processor time of a follower in two idle seconds, beside 100 live sessions and
/// 1,000 ended ones.
fn idle_follower() -> Promise {
    let sandbox = Sandbox::just_swept();
    for number in 0..100 {
        let project = sandbox.path(&format!("project-{}", number % 20));
        let _ = fs::create_dir(&project);
        let start = event("SessionStart", &format!("live-{number}"), json!({}));
        sandbox.hook(&start).dir(project).silent();
    }
    let journal = sandbox.session("live-0").join("events.jsonl");
    for number in 0..1000 {
        let dir = sandbox.session(&format!("ended-{number}"));
        fs::create_dir(&dir).unwrap();
        fs::copy(&journal, dir.join("events.jsonl")).unwrap();
    }
    let mut run = sandbox.ccsession(["timeline", "--follow"]);
    let command = run.command.stdin(Stdio::null()).stdout(Stdio::null());
    let mut child = command.spawn().unwrap();
    std::thread::sleep(Duration::from_secs(1));
    let mut quiet = |_| {
        let before = processor_time(child.id());
        std::thread::sleep(Duration::from_secs(2));
        processor_time(child.id()).saturating_sub(before)
    };
    let took = (0..3).map(&mut quiet).collect();
    child.kill().unwrap();
    child.wait().unwrap();
    Promise {
        what: "processor time of a follower in two quiet seconds".to_owned(),
        at_most: Duration::from_millis(20),
        took,
    }
}

/// Returns a process's processor time from `/proc`, in steps of a clock tick. Returns zero without
/// `/proc`.
fn processor_time(pid: u32) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
    let ticks: u64 = fields
        .split_whitespace()
        .skip(11)
        .take(2)
        .filter_map(|field| field.parse::<u64>().ok())
        .sum();
    Duration::from_millis(ticks * 1000 / rustix::param::clock_ticks_per_second())
}
