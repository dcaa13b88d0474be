//! Measures what a view costs over a year of sessions, against tools that answer the same question
//! from the same files.
//!
//! ```text
//! cargo bench --bench views                   1,000,000 events, exit status 1 if a floor is missed
//! cargo bench --bench views -- --quick        100,000 events
//! cargo bench --bench views -- --rounds 9
//! cargo bench --bench views -- --no-budget    prints, judges nothing
//! ```
//!
//! How to read the numbers: seconds differ from machine to machine and from minute to minute, the
//! **ratio** does not. It is the median of a rival over ours, measured in turn in the same run. The
//! unit is the whole process, from spawn to reaped exit. The judged number is its processor time,
//! user and system, of all threads. On a busy machine that is more reliable than the wall clock,
//! which is printed beside it.
//!
//! The rivals are DuckDB, twice, and jq. `DuckDB, as ours` joins both ends of each call, as `stats`
//! does, so that it knows what waited and what never came back. Ours is judged by it. `DuckDB,
//! finished calls` only groups the events that end calls. That is less than `stats` must do, and is
//! shown for comparison. Ours does everything that `stats` prints. Before anything is timed, all
//! must have found the same numbers for each tool.
//!
//! DuckDB is installed with pip, once, below the target directory. A rival that cannot be installed
//! is reported as missing, and nothing is judged by it.

#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark whose setting up fails has nothing to degrade to: it stops and says where"
)]

#[path = "views/contender.rs"] // a sibling of this file would be taken for a benchmark of its own
mod contender;
#[path = "views/journals.rs"]
mod journals;
#[path = "views/rivals.rs"]
mod rivals;

use std::path::Path;
use std::process::ExitCode;

use crate::contender::{Contender, measure_and_report};
use crate::journals::Journals;

const CCSESSION: &str = env!("CARGO_BIN_EXE_ccsession");

// Floors: what the project promises.
/// How much longer than ours DuckDB must take, as a multiple of our time.
const DUCKDB: f64 = 2.0;
/// How much longer than ours jq must take, as a multiple of our time.
const JQ: f64 = 30.0;
/// How long a timeline of 100,000 events may take, as a multiple of the time of `wc -l`.
const TIMELINE: f64 = 40.0;
/// How long the metrics may take, as a multiple of the time of `stats`. They read the same files,
/// and also judge each session.
const METRICS: f64 = 1.3;
/// The highest allowed peak memory of `stats`, in KiB.
const MEMORY: u64 = 64 * 1024;
/// The tolerance for linear growth: ten times the events take ten times as long, give or take this
/// share.
const LINEARITY: f64 = 0.15;

/// The number of events in each session.
const EVENTS_OF_A_SESSION: usize = 5_000;
/// The events of the one session that a timeline shows.
const EVENTS_OF_A_TIMELINE: usize = 100_000;
/// The number of rounds in which a slow rival takes part. It costs as much as all the others
/// together.
const ROUNDS_OF_THE_SLOW: usize = 2;

struct Options {
    sessions: usize,
    rounds: usize,
    judge: bool,
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let Some(("--measure", command)) = words
        .split_first()
        .map(|(word, rest)| (word.as_str(), rest))
    {
        return measure_and_report(command);
    }
    if !words.iter().any(|word| word == "--bench") {
        // `cargo test --all-targets` starts benches too, but would measure a debug build.
        eprintln!("views: nothing measured, this is not `cargo bench`");
        return ExitCode::SUCCESS;
    }
    let Some(options) = parse(&words) else {
        eprintln!("usage: cargo bench --bench views -- [--quick] [--rounds N] [--no-budget]");
        return ExitCode::FAILURE;
    };

    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("views");
    std::fs::create_dir_all(&cache).unwrap();
    // `TempDir` removes what it made when `main` returns or panics.
    let place = tempfile::tempdir_in(&cache).unwrap();
    let many = Journals::write(
        &place.path().join("many"),
        options.sessions,
        EVENTS_OF_A_SESSION,
    );
    let few = Journals::write(
        &place.path().join("few"),
        options.sessions / 10,
        EVENTS_OF_A_SESSION,
    );
    let long = Journals::write(&place.path().join("long"), 1, EVENTS_OF_A_TIMELINE);
    println!("{many}\n");

    let ours = Contender::new(
        "ccsession stats --all",
        &many,
        &[CCSESSION, "stats", "--all", "--json"],
    );
    let mut all = vec![ours];
    all.extend(rivals::all(&cache, &many));
    let answers: Vec<_> = all.iter().map(|it| (it, it.answer())).collect();
    rivals::assert_agreement(&answers);
    let tenth = Contender::new(
        "the same, a tenth",
        &few,
        &[CCSESSION, "stats", "--all", "--json"],
    );
    let metrics = Contender::new(
        "ccsession metrics",
        &many,
        &[CCSESSION, "metrics", "--prometheus"],
    );
    let timeline = Contender::new(
        "ccsession timeline",
        &long,
        &[CCSESSION, "timeline", long.first_id()],
    );
    let count = Contender::new("wc -l", &long, &["wc", "-l", long.first_journal()]);
    drop(answers);
    all.extend([tenth, metrics, timeline, count]);

    for round in 0..options.rounds {
        for contender in &mut all {
            if !contender.is_slow || round < ROUNDS_OF_THE_SLOW {
                contender.run();
            }
        }
    }
    match report(&all, &options) {
        false if options.judge => ExitCode::FAILURE,
        _ => ExitCode::SUCCESS,
    }
}

fn parse(words: &[String]) -> Option<Options> {
    let mut options = Options {
        sessions: 200,
        rounds: 5,
        judge: true,
    };
    let mut words = words.iter().map(String::as_str);
    while let Some(word) = words.next() {
        match word {
            "--bench" => {} // cargo's own
            "--quick" => options.sessions = 20,
            "--rounds" => options.rounds = words.next()?.parse().ok()?,
            "--no-budget" => options.judge = false,
            _ => return None,
        }
    }
    (options.rounds > 0).then_some(options)
}

/// Prints the table and the floors, and returns whether every floor was kept.
fn report(all: &[Contender], options: &Options) -> bool {
    println!(
        "{} rounds, medians; the ratio is by processor time\n",
        options.rounds
    );
    println!(
        "{:<28}{:>9}{:>9}{:>11}{:>9}",
        "command", "cpu ms", "wall ms", "peak KiB", "ratio"
    );
    let named = |name: &str| all.iter().find(|it| it.name.starts_with(name));
    let ours = named("ccsession stats").expect("ours takes part");
    for contender in all {
        println!(
            "{:<28}{:>9.1}{:>9.1}{:>11}{:>9.2}",
            contender.name,
            contender.cpu_ms(),
            contender.wall_ms(),
            contender.peak_kib(),
            contender.cpu_ms() / ours.cpu_ms(),
        );
    }
    println!();
    let times = |name: &str, other: &str| Some(named(name)?.cpu_ms() / named(other)?.cpu_ms());
    let rival = |name| times(name, "ccsession stats");
    let memory = ours.peak_kib();
    let tenfold = times("ccsession stats", "the same");
    let metrics = times("ccsession metrics", "ccsession stats");
    let timeline = times("ccsession timeline", "wc");
    let floors = [
        (
            format!("DuckDB, as ours, ≥ {DUCKDB} ×"),
            rival("DuckDB, as ours"),
            rival("DuckDB, as ours") >= Some(DUCKDB),
        ),
        (format!("jq ≥ {JQ} ×"), rival("jq"), rival("jq") >= Some(JQ)),
        (
            format!("peak memory ≤ {MEMORY} KiB"),
            Some(memory as f64),
            memory <= MEMORY,
        ),
        (
            format!("ten times the events: 10 × ± {:.0} %", LINEARITY * 100.0),
            tenfold,
            tenfold.is_some_and(|times| (times / 10.0 - 1.0).abs() <= LINEARITY),
        ),
        (
            format!("metrics ≤ {METRICS} × stats"),
            metrics,
            metrics <= Some(METRICS),
        ),
        (
            format!("timeline ≤ {TIMELINE} × wc -l"),
            timeline,
            timeline <= Some(TIMELINE),
        ),
    ];
    let mut all_kept = true;
    for (floor, value, kept) in floors {
        let (value, verdict) = match value {
            None => ("missing".to_owned(), ""),
            Some(value) => (format!("{value:.1}"), if kept { "ok" } else { "MISSED" }),
        };
        all_kept &= verdict != "MISSED";
        println!(
            "{}",
            format!("{floor:<40}{value:>10}   {verdict}").trim_end()
        );
    }
    all_kept
}
