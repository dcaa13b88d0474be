//! Checks that questions about one session take no longer as its journal grows. Asks the same
//! questions about a session of 1,000 events and about one of 1,000,000, in turn.
//!
//! ```text
//! cargo bench --bench growth                   exit status 1 if the long one takes more than 1.2 times as long
//! cargo bench --bench growth -- --rounds 101
//! cargo bench --bench growth -- --no-budget    prints, judges nothing
//! ```
//!
//! The unit is the whole process, from spawn to reaped exit. Medians are compared. Other work on
//! the machine matters little, because both sessions are asked at the same moments.

#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
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

use std::fmt::Write;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant, UNIX_EPOCH};

use chrono::DateTime;
use serde_json::{Value, json};

use crate::support::{ID, Sandbox, as_client, event};

/// How long a question about the long session may take, as a multiple of that for the short one.
const AT_MOST: f64 = 1.2;
const FEW: u64 = 1_000;
const MANY: u64 = 1_000_000;
/// The size at which a journal continues in another file.
const PART: usize = 60 << 20;
/// The age of the last event. The session is quiet then, so the question is whether a call is open.
const QUIET: Duration = Duration::from_secs(2 * 3600);

/// A question, as a row of the table.
struct Question {
    what: &'static str,
    ask: fn(&Sandbox),
}

const QUESTIONS: [Question; 6] = [
    Question {
        what: "current",
        ask: |sandbox| assert_eq!(sandbox.ccsession(["current"]).stdout().trim_end(), ID),
    },
    Question {
        what: "current --format '{id} {state}'",
        ask: |sandbox| {
            let asked = ["current", "--format", "{id} {state}"];
            let said = sandbox.ccsession(asked).stdout();
            assert_eq!(said.trim_end(), format!("{ID} active"));
        },
    },
    Question {
        what: "list",
        ask: |sandbox| assert!(sandbox.ccsession(["list"]).stdout().contains(ID)),
    },
    Question {
        what: "list --json",
        ask: |sandbox| {
            let listed = sandbox.ccsession(["list", "--json"]).json();
            let open = listed["sessions"][0]["open_calls"].as_array();
            assert_eq!(open.map(Vec::len), Some(1), "{listed}");
        },
    },
    Question {
        what: "clock-in",
        ask: |sandbox| {
            let said = sandbox.ccsession(["clock-in", "--session", ID, "--focus", "growth"]);
            said.stdout();
        },
    },
    Question {
        what: "a hook at a tool call",
        ask: |sandbox| {
            let more = json!({"tool_name": "Bash", "tool_use_id": "toolu_now", "tool_input": {"command": "ls"}});
            for name in ["PreToolUse", "PostToolUse"] {
                sandbox.hook(&event(name, ID, more.clone())).silent();
            }
        },
    },
];

/// Returns the directory for sandboxes: on a disk, as users have it.
fn scratch() -> std::path::PathBuf {
    std::env::temp_dir()
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if !words.iter().any(|word| word == "--bench") {
        // `cargo test --all-targets` starts benches too, but would measure a debug build.
        eprintln!("growth: nothing measured, this is not `cargo bench`");
        return ExitCode::SUCCESS;
    }
    let judge = !words.iter().any(|word| word == "--no-budget");
    let number = |at: usize| words.get(at + 1)?.parse().ok();
    let rounds = words.iter().position(|word| word == "--rounds");
    let rounds: usize = rounds.and_then(number).unwrap_or(41);

    let sandboxes = [FEW, MANY].map(session);
    println!("{rounds} rounds, medians of milliseconds\n");
    println!("{:<34}{FEW:>12}{MANY:>12}{:>9}", "events", "ratio");
    let mut has_grown = false;
    for Question { what, ask } in &QUESTIONS {
        // The first question after a change continues from the note that the last one left.
        sandboxes.iter().for_each(ask);
        let mut took = [Vec::new(), Vec::new()];
        for _ in 0..rounds {
            for (sandbox, took) in sandboxes.iter().zip(&mut took) {
                be_quiet(sandbox);
                let started = Instant::now();
                ask(sandbox);
                took.push(started.elapsed());
            }
        }
        let [few, many] = took.map(median);
        let ratio = many / few;
        has_grown |= ratio > AT_MOST;
        let verdict = if ratio > AT_MOST { "  GROWN" } else { "" };
        println!("{what:<34}{few:>12.2}{many:>12.2}{ratio:>9.2}{verdict}");
    }
    ExitCode::from(u8::from(judge && has_grown))
}

fn median(mut took: Vec<Duration>) -> f64 {
    took.sort();
    let middle = took.get(took.len() / 2).copied().unwrap_or_default();
    middle.as_secs_f64() * 1000.0
}

/// Creates a session with `events` events, whose first call never ended.
fn session(events: u64) -> Sandbox {
    let sandbox = Sandbox::just_swept();
    let start = event("SessionStart", ID, json!({"source": "startup"}));
    sandbox.hook(&start).env("CLAUDE_PID", as_client()).silent();
    let dir = sandbox.session(ID);
    let journal = dir.join("events.jsonl");
    let mut text = fs::read_to_string(&journal).unwrap();
    let now = UNIX_EPOCH.elapsed().unwrap() - QUIET;
    let (mut full, mut number) = (0, 0);
    while number + 1 < events {
        let before = Duration::from_millis(events - number);
        let at = i64::try_from((now - before).as_micros()).unwrap();
        let call = number / 2;
        let (name, id) = match number {
            0 => ("PreToolUse", "toolu_open".to_owned()),
            odd if odd % 2 == 1 => ("PreToolUse", format!("toolu_{call:020}")),
            _ => ("PostToolUse", format!("toolu_{:020}", call - 1)),
        };
        line(&mut text, name, &id, at, number);
        number += 1;
        if text.len() > PART {
            full += 1;
            put(&dir.join(format!("events.{full}.jsonl")), &text);
            text.clear();
        }
    }
    put(&journal, &text);
    be_quiet(&sandbox);
    sandbox
}

/// Sets the journal's modification time back, so that the session's last event is [`QUIET`] ago.
fn be_quiet(sandbox: &Sandbox) {
    let modified = std::time::SystemTime::now() - QUIET;
    let journal = sandbox.session(ID).join("events.jsonl");
    let file = fs::File::options().write(true).open(journal).unwrap();
    let times = fs::FileTimes::new().set_modified(modified);
    file.set_times(times).unwrap();
}

fn line(text: &mut String, name: &str, id: &str, at: i64, number: u64) {
    let ts = DateTime::from_timestamp_micros(at).unwrap();
    let ts = ts.format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string();
    let event: Value = json!({"v": 1, "ts": ts, "mono": 1_000_000 + number * 1000, "event": name, "session_id": ID,
        "tool": "Bash", "tool_use_id": id, "what": "cargo test --locked"});
    write!(text, "\n{event}\n").unwrap();
}

fn put(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, Permissions::from_mode(0o600)).unwrap();
}
