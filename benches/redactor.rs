//! Measures the redactor's time for hostile texts and for ordinary text.
//!
//! ```text
//! cargo bench --bench redactor                    a million texts, exit status 1 if a promise is broken
//! cargo bench --bench redactor -- --texts 100000000 --seed 7
//! cargo bench --bench redactor -- --no-budget     prints, judges nothing
//! ```
//!
//! Each text repeats a few random pieces of the beginnings that rules look for. It is redacted
//! twice, and the second time must change nothing. For one text in eight, the time per byte is
//! measured on 16 KiB of it. The slowest are measured five times again before they are judged,
//! because other work on the machine may have delayed them. The slowest of all is then measured at
//! 64 MiB.

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

#[path = "../tests/data/redaction/grammar.rs"]
mod grammar;

use std::fs;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use ccsession::model::redact::{Redactor, redact};

/// The most pieces of a text.
const PIECES: u64 = 16;
/// The length of a measured text, in bytes.
const LENGTH: usize = 16 << 10;
/// One text in this many is measured.
const MEASURED: u64 = 8;
/// How many of the slowest are measured again.
const AGAIN: usize = 200;
/// The highest time per byte, as a multiple of the median.
const MOST: f64 = 4.0;
/// The longest time for 64 MiB of the slowest text, in seconds.
const MOST_SECONDS: f64 = 2.0;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if !words.iter().any(|word| word == "--bench") {
        // `cargo test --all-targets` starts benches too, but would measure a debug build.
        eprintln!("redactor: nothing measured, this is not `cargo bench`");
        return ExitCode::SUCCESS;
    }
    let number = |name: &str, or: u64| {
        let at = words.iter().position(|word| word == name);
        at.map_or(Some(or), |at| words.get(at + 1)?.parse().ok())
    };
    let (Some(texts), Some(seed)) = (number("--texts", 1_000_000), number("--seed", 1)) else {
        eprintln!("usage: cargo bench --bench redactor -- [--texts N] [--seed N] [--no-budget]");
        return ExitCode::FAILURE;
    };
    let found = search(texts, seed);
    let mut kept = found.changed_again.is_empty();
    for text in &found.changed_again {
        println!("not the same when it is redacted again: {text:?}");
    }
    println!("{texts} texts: median {:.1} ns a byte", found.median);
    for (time, text) in found.slowest.iter().take(10) {
        println!(
            "{:>8.1} ns a byte, {:.2} of the median: {text:?}",
            time,
            time / found.median
        );
    }
    if let Some((time, text)) = found.slowest.first() {
        kept &= time / found.median <= MOST;
        let long = text.repeat((64 << 20) / text.len() + 1);
        let seconds = seconds(&long);
        kept &= seconds <= MOST_SECONDS;
        println!("64 MiB of the slowest: {seconds:.2} s");
    }
    ordinary();
    let judge = !words.iter().any(|word| word == "--no-budget");
    ExitCode::from(u8::from(judge && !kept))
}

/// The result of a search.
struct Found {
    /// Texts that the second redaction changed again.
    changed_again: Vec<String>,
    /// The median time per byte, in nanoseconds.
    median: f64,
    /// The slowest texts, the slowest first.
    slowest: Vec<(f64, String)>,
}

fn search(texts: u64, seed: u64) -> Found {
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let mut times: Vec<f64> = Vec::new();
    let mut slowest: Vec<(f64, String)> = Vec::new();
    let mut changed_again = Vec::new();
    for number in 0..texts {
        let pieces = 1 + random.below(PIECES);
        let text: String = (0..pieces)
            .map(|_| grammar::TOKENS[random.below(grammar::TOKENS.len() as u64) as usize])
            .collect();
        let once = redact(&text).into_owned();
        if redact(&once) != once {
            changed_again.push(text.clone());
        }
        if number % MEASURED != 0 {
            continue;
        }
        let long = text.repeat(LENGTH / text.len() + 1);
        let time = seconds(&long) * 1e9 / long.len() as f64;
        times.push(time);
        slowest.push((time, text));
        if slowest.len() > 2 * AGAIN {
            slowest.sort_by(|a, b| b.0.total_cmp(&a.0));
            slowest.truncate(AGAIN);
        }
    }
    for (time, text) in &mut slowest {
        let long = text.repeat(LENGTH / text.len() + 1);
        let again = (0..5).map(|_| seconds(&long) * 1e9 / long.len() as f64);
        *time = again.fold(*time, f64::min);
    }
    slowest.sort_by(|a, b| b.0.total_cmp(&a.0));
    times.sort_by(f64::total_cmp);
    Found {
        changed_again,
        median: times.get(times.len() / 2).copied().unwrap_or_default(),
        slowest,
    }
}

fn seconds(text: &str) -> f64 {
    let started = Instant::now();
    black_box(Redactor::default().text(black_box(text)));
    started.elapsed().as_secs_f64()
}

/// Times source text of the libraries that cargo has unpacked on this machine.
fn ordinary() {
    const SIZE: usize = 64 << 20;
    let home = std::env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cargo")));
    let mut text = String::new();
    if let Some(home) = home {
        collect(&home.join("registry/src"), &mut text, SIZE);
    }
    if text.is_empty() {
        println!("no source text here: not measured");
        return;
    }
    let mut best = f64::MAX;
    for _ in 0..3 {
        best = best.min(seconds(&text));
    }
    println!(
        "{} MB of source text: {:.0} MB/s",
        text.len() / 1_000_000,
        text.len() as f64 / best / 1e6
    );
}

fn collect(dir: &Path, text: &mut String, size: usize) {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    for entry in entries {
        let path = entry.path();
        if text.len() >= size {
            return;
        }
        if path.is_dir() {
            collect(&path, text, size);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            text.push_str(&fs::read_to_string(&path).unwrap_or_default());
        }
    }
}

/// Xorshift: the same texts for the same seed.
struct Random(u64);

impl Random {
    fn below(&mut self, most: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % most
    }
}
