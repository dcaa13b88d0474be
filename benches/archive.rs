//! Measures what archiving a long transcript costs: the whole process, beside `zstd -3` with two
//! threads on the same file.
//!
//! ```text
//! cargo bench --bench archive                  500 MB, five rounds in turn, exit status 1 if a budget is missed
//! cargo bench --bench archive -- --mb 50       another size
//! cargo bench --bench archive -- --no-budget   prints, judges nothing
//! ```
//!
//! The transcript resembles real sessions: source text that tools read, between short messages. The
//! text comes from the libraries that cargo has unpacked on this machine. If there are few, it
//! repeats itself, and the result means little.
//!
//! Each round archives the session for the first time, and a clean `archive verify` proves it. The
//! rate is judged by the median. Memory is the peak resident size, if the system reports it
//! (Linux).

#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark whose setting up fails has nothing to degrade to: it stops and says where"
)]

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;

const CCSESSION: &str = env!("CARGO_BIN_EXE_ccsession");
const HOOK: &str = env!("CARGO_BIN_EXE_session-event");
const ID: &str = "5b48472b-1111-4222-8333-444455556666";
const ROUNDS: usize = 5;
/// The lowest allowed rate, as a multiple of the rate of `zstd`.
const LEAST_RATE: f64 = 0.5;
/// The highest allowed peak memory, in KiB.
const MOST_MEMORY: u64 = 64 << 10;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if !words.iter().any(|word| word == "--bench") {
        // `cargo test --all-targets` starts benches too, but would measure a debug build.
        eprintln!("archive: nothing measured, this is not `cargo bench`");
        return ExitCode::SUCCESS;
    }
    let size = words.iter().position(|word| word == "--mb");
    let size = size.map_or(Some(500), |at| words.get(at + 1)?.parse().ok());
    let Some(megabytes) = size else {
        eprintln!("usage: cargo bench --bench archive -- [--mb N] [--no-budget]");
        return ExitCode::FAILURE;
    };
    let place = tempfile::Builder::new()
        .prefix("ccsession-bench-")
        .tempdir_in(env!("CARGO_TARGET_TMPDIR"))
        .unwrap();
    let root = place.path();
    let transcript = write_transcript(root, megabytes * 1_000_000);
    let (mut ours, mut theirs, mut memory) = (Vec::new(), Vec::new(), 0);
    for _ in 0..ROUNDS {
        let (time, peak) = archive(root, &transcript);
        ours.push(time);
        memory = memory.max(peak);
        theirs.extend(zstd(root, &transcript));
    }
    let ours = median(ours);
    println!(
        "{megabytes} MB archived in {} ms, {} MiB of memory",
        ours.as_millis(),
        memory >> 10
    );
    let mut kept = memory <= MOST_MEMORY;
    if theirs.is_empty() {
        println!("no zstd here: not compared");
    } else {
        let theirs = median(theirs);
        let rate = theirs.as_secs_f64() / ours.as_secs_f64();
        println!(
            "zstd -3 -T2: {} ms, so {rate:.2} of its rate",
            theirs.as_millis()
        );
        kept &= rate >= LEAST_RATE;
    }
    println!(
        "at least {LEAST_RATE:.2} in at most {} MiB: {}",
        MOST_MEMORY >> 10,
        if kept { "ok" } else { "OVER" }
    );
    match kept || words.iter().any(|word| word == "--no-budget") {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

/// Archives the session for the first time. Returns how long that took, and its peak memory.
fn archive(root: &Path, transcript: &Path) -> (Duration, u64) {
    let _ = fs::remove_dir_all(root.join("state"));
    let start = json!({"hook_event_name": "SessionStart", "session_id": ID, "source": "startup", "cwd": root, "transcript_path": transcript});
    let mut hook = prepare(root, HOOK, &[])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = hook.stdin.take().unwrap();
    stdin.write_all(start.to_string().as_bytes()).unwrap();
    drop(stdin);
    assert!(hook.wait().unwrap().success());
    let began = Instant::now();
    let mut child = prepare(root, CCSESSION, &["clock-out", ID])
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let peak = peak_memory(&mut child);
    let time = began.elapsed();
    let verify = prepare(root, CCSESSION, &["archive", "verify"])
        .output()
        .unwrap();
    assert!(verify.status.success(), "{verify:?}");
    (time, peak)
}

/// Waits for a process. Returns its peak memory in KiB.
fn peak_memory(child: &mut Child) -> u64 {
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            assert!(status.success());
            return peak;
        }
        let status = fs::read_to_string(&status).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let now = line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse().ok());
        peak = peak.max(now.unwrap_or(0));
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Returns how long `zstd` takes, if it is installed.
fn zstd(root: &Path, transcript: &Path) -> Option<Duration> {
    let began = Instant::now();
    let mut command = Command::new("zstd");
    command
        .args(["-3", "-T2", "-q", "-f", "-o"])
        .arg(root.join("zst"))
        .arg(transcript);
    let status = command.status().ok()?;
    assert!(status.success());
    Some(began.elapsed())
}

fn prepare(root: &Path, program: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .current_dir(root)
        .env_clear()
        .env("HOME", root)
        .env("PATH", "/usr/bin:/bin")
        .env("CCSESSION_STATE_DIR", root.join("state"))
        .env("CCSESSION_POINTER_DIR", root);
    command
}

/// Writes a transcript of this size to Claude Code's folder.
fn write_transcript(root: &Path, size: usize) -> PathBuf {
    let folder = root.join(".claude/projects/-bench");
    fs::create_dir_all(&folder).unwrap();
    let path = folder.join(format!("{ID}.jsonl"));
    let mut file_of_lines = BufWriter::new(File::create(&path).unwrap());
    let mut sources = Vec::new();
    collect(&libraries(), &mut sources);
    assert!(
        !sources.is_empty(),
        "no sources below {}",
        libraries().display()
    );
    sources.sort();
    let (mut written, mut turn) = (0, 0_usize);
    while written < size {
        let source = sources.get(turn * 7919 % sources.len()).unwrap();
        let text = fs::read_to_string(source).unwrap_or_default();
        let from = turn * 31 % text.lines().count().max(1);
        let read: Vec<&str> = text.lines().skip(from).take(20 + turn % 400).collect();
        let [uuid, answer, call] = ["u", "a", "toolu_"].map(|kind| format!("{kind}{turn:030x}"));
        let told = json!({
            "role": "assistant", "id": format!("msg_{turn}"), "model": "claude-opus-4-1", "usage": {"input_tokens": 3, "output_tokens": 120},
            "content": [
                {"type": "text", "text": "Let me look at how the value is computed."},
                {"type": "tool_use", "id": call, "name": "Read", "input": {"file_path": "/home/dev/shop/src/lib.rs"}},
            ],
        });
        let result = json!({
            "role": "user",
            "content": [{"type": "tool_result", "tool_use_id": call, "content": numbered(&read, from)}],
        });
        let file = json!({"type": "text", "file": {"filePath": "/home/dev/shop/src/lib.rs", "content": read.join("\n")}});
        // Members in the order in which Claude Code writes them.
        let head = format!(
            r#""isSidechain":false,"cwd":"/home/dev/shop","sessionId":"{ID}","version":"2.1.329""#
        );
        let at = r#""timestamp":"2026-11-20T14:27:50.000Z""#;
        for line in [
            format!(
                r#"{{"parentUuid":null,{head},"message":{told},"type":"assistant","uuid":"{uuid}",{at}}}"#
            ),
            format!(
                r#"{{"parentUuid":"{uuid}",{head},"type":"user","message":{result},"uuid":"{answer}",{at},"toolUseResult":{file}}}"#
            ),
        ] {
            let line = line + "\n";
            file_of_lines.write_all(line.as_bytes()).unwrap();
            written += line.len();
        }
        turn += 1;
    }
    file_of_lines.flush().unwrap();
    path
}

/// Formats lines as Claude Code's tools show them.
fn numbered(lines: &[&str], from: usize) -> String {
    let number = |(at, line): (usize, &&str)| format!("{:6}\t{line}\n", from + at + 1);
    lines.iter().enumerate().map(number).collect()
}

/// Returns the folder into which cargo unpacks libraries.
fn libraries() -> PathBuf {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cargo")));
    home.unwrap_or_default().join("registry/src")
}

/// Collects the source files below `dir` that a tool would show whole.
fn collect(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs")
            && path.metadata().is_ok_and(|meta| meta.len() < 60_000)
        {
            found.push(path);
        }
    }
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times
        .get(times.len() / 2)
        .copied()
        .expect("every round was measured")
}
