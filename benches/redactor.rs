//! Measures the redactor's time for hostile texts and for ordinary text.
//!
//! ```text
//! cargo bench --bench redactor                    a million texts, exit status 1 if a promise is broken
//! cargo bench --bench redactor -- --texts 100000000 --seed 7
//! cargo bench --bench redactor -- --no-budget     prints, judges nothing
//! ```
//!
//! Each text repeats a few random pieces of the beginnings that rules look for. It is redacted
//! twice, and the second time must change nothing. Then the time per byte is measured on a few
//! repetitions of it. A text that is among the slowest is measured again at once, because other
//! work on the machine may have delayed it.
//!
//! In the end the slowest are measured on more repetitions, in turns with a sample of all texts,
//! whose median is the unit: so other work on the machine affects both alike. The slowest of all is
//! then measured at 64 MiB. Times are processor times. Memory does not grow with the number of
//! texts.

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

use std::collections::HashMap;
use std::fs;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use ccsession::model::redact::{Redactor, redact};

/// The largest number of pieces in a text.
const PIECES: u64 = 16;
/// The length of a text that is measured to find the slowest, in bytes.
const SHORT: usize = 1 << 10;
/// How often such a text is measured before its time counts.
const TIMES: usize = 5;
/// The length of a text whose time is judged, in bytes.
const LENGTH: usize = 16 << 10;
/// How often each text whose time is judged is measured.
const ROUNDS: usize = 20;
/// How many of the slowest texts are kept and compared with the median.
const SLOWEST: usize = 200;
/// The number of texts in the sample whose median the slowest are compared with.
const SAMPLE: u64 = 1000;
/// The highest allowed time per byte, as a multiple of the median.
const MOST: f64 = 4.0;
/// The longest allowed time for 64 MiB of the slowest text, in seconds.
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
        println!("a second redaction changes it again: {text:?}");
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
    let mut sample: Vec<(f64, String)> = Vec::new();
    let mut slowest = Slowest::default();
    let mut changed_again = Vec::new();
    for number in 0..texts {
        let pieces = 1 + random.below(PIECES);
        let text: String = (0..pieces)
            .map(|_| grammar::TOKENS[random.below(grammar::TOKENS.len() as u64) as usize])
            .collect();
        let once = redact(&text).into_owned();
        if redact(&once) != once && changed_again.len() < SLOWEST {
            changed_again.push(text.clone());
        }
        if number % (texts / SAMPLE).max(1) == 0 {
            sample.push((f64::MAX, text.clone()));
        }
        slowest.measure(text);
    }
    let mut slowest: Vec<(f64, String)> = slowest
        .times
        .into_keys()
        .map(|text| (f64::MAX, text))
        .collect();
    for _ in 0..ROUNDS {
        for (time, text) in slowest.iter_mut().chain(&mut sample) {
            *time = time.min(nanoseconds(&repeated(text, LENGTH)));
        }
    }
    slowest.sort_by(|a, b| b.0.total_cmp(&a.0));
    sample.sort_by(|a, b| a.0.total_cmp(&b.0));
    let median = sample.get(sample.len() / 2).map(|(time, _)| *time);
    Found {
        changed_again,
        median: median.unwrap_or_default(),
        slowest,
    }
}

/// The slowest texts so far, each once, with its time per byte in nanoseconds.
#[derive(Default)]
struct Slowest {
    times: HashMap<String, f64>,
    /// A text must take longer than this per byte, in nanoseconds, to be among the slowest.
    bar: f64,
}

impl Slowest {
    fn measure(&mut self, text: String) {
        // A text of few pieces occurs many times.
        if self.times.contains_key(&text) {
            return;
        }
        let long = repeated(&text, SHORT);
        let mut time = f64::MAX;
        for _ in 0..TIMES {
            time = time.min(nanoseconds(&long));
            if time <= self.bar {
                return;
            }
        }
        self.times.insert(text, time);
        if self.times.len() >= 2 * SLOWEST {
            let mut times: Vec<f64> = self.times.values().copied().collect();
            times.sort_by(f64::total_cmp);
            self.bar = times[times.len() - SLOWEST];
            self.times.retain(|_, time| *time > self.bar);
        }
    }
}

fn repeated(text: &str, length: usize) -> String {
    text.repeat(length / text.len() + 1)
}

/// Returns the time per byte in which `text` is redacted, in nanoseconds.
fn nanoseconds(text: &str) -> f64 {
    seconds(text) * 1e9 / text.len() as f64
}

/// Returns the processor time in which `text` is redacted, in seconds. Other work on the machine
/// affects it only through the caches.
fn seconds(text: &str) -> f64 {
    let started = processor_time();
    black_box(Redactor::default().text(black_box(text)));
    (processor_time() - started).as_secs_f64()
}

fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
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
