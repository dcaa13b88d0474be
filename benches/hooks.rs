//! Measures what a hook costs the user: the whole process, from spawn to reaped exit.
//!
//! ```text
//! cargo bench --bench hooks                       1000 rounds, exit status 1 if a budget is missed
//! cargo bench --bench hooks -- --quick            150 rounds
//! cargo bench --bench hooks -- --rounds 5000
//! cargo bench --bench hooks -- --no-budget        prints, judges nothing
//! ```
//!
//! How to read the numbers: microseconds differ from machine to machine and from minute to minute,
//! the **ratio** does not. It is the median of a case over the median of a static C program that
//! does nothing (`nop.c`), measured in turn in the same run. `control` is that same program a
//! second time. Its distance from 1.00 is the error that any other ratio may have.
//!
//! The measured programs are those that `install.sh --build-only` builds, not those of `cargo
//! bench`. The hooks are as it installs them: one file under four names.
//!
//! Every round runs every case once. The order differs from round to round, so that no case always
//! inherits the cold caches of the same neighbour. All get the same environment, and a payload that
//! waits in a pipe already closed. Each has its own state and pointer directories, so the cases do
//! not share sessions.
//!
//! A hook that fails is fast, and silent by contract. So the run ends with a proof: status 0,
//! nothing on stdout or stderr, one more journal line (or record) for every run, no error file. The
//! run removes its files at the end. After Ctrl-C, remove `ccsession-bench-*` in `/dev/shm` and in
//! the target directory by hand.

#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark whose setting up fails has nothing to degrade to: it stops and says where"
)]

#[path = "hooks/case.rs"] // a sibling of this file would be taken for a benchmark of its own
mod case;
#[path = "hooks/crowd.rs"]
mod crowd;
#[path = "hooks/surroundings.rs"]
mod surroundings;
#[path = "hooks/sweeping.rs"]
mod sweeping;

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use tempfile::TempDir;

use crate::case::Proof::JournalLine;
use crate::case::{Budget, Case, Proof};
use crate::crowd::Crowd;
use crate::surroundings::{
    build_programs, ccsession, compile_nop, disk_share, enter_project, install_hooks, python,
    temp_dir, temp_dir_on_disk,
};

const PRE_PAYLOAD: &str = "PreToolUse-Bash";
const POST_PAYLOAD: &str = "PostToolUse-Bash";
const START_PAYLOAD: &str = "SessionStart-startup";
const CONFIG: &str = "ttl = \"24h\"\ncapture = \"summary\"\nsession_timeout = \"1h\"\n";

// Budgets: what the prototypes reached, plus room for noise.
/// Prototype: 1.08 to 1.11.
const TOOL_HOOK: Budget = Budget::TimesNop(1.15);
/// The same append, on a file system that keeps metadata.
const ON_DISK: Budget = Budget::TimesNop(1.25);
/// Prototype: 1.17 with a configuration file to read.
const CONFIGURED: Budget = Budget::TimesNop(1.20);
/// Prototype: 1.19.
const START: Budget = Budget::TimesNop(1.4);
/// Prototype: 1.87 with one fsync, each further one costs 0.3.
const START_ON_DISK: Budget = Budget::TimesNop(2.2);
/// A question from inside a session.
const CURRENT: Budget = Budget::TimesNop(1.6);
/// A cleanup with `--if-due`, which timers and hooks start often.
const IF_DUE: Budget = Budget::TimesNop(1.6);
/// A cleanup that finds nothing to do, however many sessions have ended.
const CLEANUP: Budget = Budget::TimesNop(2.0);
/// The project's promise compared with a hook written in Python. Prototype: 57.
const PYTHON: Budget = Budget::AtLeastTimesToolHook(25.0);
/// The promise of the systems that this one replaces. They made it for one file operation; here it
/// covers the whole process. It applies to every hook, whatever its ratio.
const HOOK_P99: Duration = Duration::from_millis(5);

/// Python takes part only in every tenth round, because it costs as much as all the others
/// together.
const PYTHON_EVERY: u32 = 10;
/// Rounds before the measuring, for page cache and dentries.
const WARM_UP: u32 = 5;

struct Options {
    rounds: u32,
    judge: bool,
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if !words.iter().any(|word| word == "--bench") {
        // `cargo test --all-targets` starts benches too, but would measure a debug build.
        eprintln!("hooks: nothing measured, this is not `cargo bench`");
        return ExitCode::SUCCESS;
    }
    let Some(options) = parse(&words) else {
        eprintln!("usage: cargo bench --bench hooks -- [--quick | --rounds N] [--no-budget]");
        eprintln!("N is at least {PYTHON_EVERY}");
        return ExitCode::FAILURE;
    };

    if let Err(why) = build_programs() {
        eprintln!("hooks: could not build what is measured: {why}");
        return ExitCode::FAILURE;
    }
    // `TempDir` removes what it made when `main` returns or panics.
    let disk = temp_dir_on_disk(Path::new(env!("CARGO_TARGET_TMPDIR")));
    let shm = Path::new("/dev/shm");
    let tmpfs = shm.is_dir().then(|| temp_dir(shm));
    let nop = match compile_nop(disk.path()) {
        Ok(nop) => nop,
        Err(why) => {
            eprintln!("hooks: could not build the reference program: {why}");
            return ExitCode::FAILURE;
        }
    };
    let hooks = disk.path().join("hooks");
    install_hooks(&hooks);
    enter_project(&disk.path().join("shop"));

    let mut cases = cases(&nop, &hooks, disk.path(), tmpfs.as_ref().map(TempDir::path));
    let _crowds = crowded(
        &mut cases,
        tmpfs.as_ref().map_or(disk.path(), TempDir::path),
    );
    measure(&mut cases, options.rounds);
    cases.iter().for_each(Case::assert_proof);
    let mut kept = report(&cases, &options);
    kept &= sweeping::report(disk.path(), options.judge);
    let share = disk_share(disk.path()).as_micros();
    println!("\nat least {share} µs of `session-start, disk` are the disk's");
    match kept {
        false if options.judge => ExitCode::FAILURE,
        _ => ExitCode::SUCCESS,
    }
}

fn parse(words: &[String]) -> Option<Options> {
    let mut options = Options {
        rounds: 1000,
        judge: true,
    };
    let mut words = words.iter().map(String::as_str);
    while let Some(word) = words.next() {
        match word {
            "--bench" => {} // cargo's own
            "--quick" => options.rounds = 150,
            "--rounds" => options.rounds = words.next()?.parse().ok()?,
            "--no-budget" => options.judge = false,
            _ => return None,
        }
    }
    (options.rounds >= PYTHON_EVERY).then_some(options)
}

/// Returns every case, the reference first. Omits those for tmpfs if there is none.
fn cases(nop: &str, hooks: &Path, disk: &Path, tmpfs: Option<&Path>) -> Vec<Case> {
    let fast = tmpfs.unwrap_or(disk);
    let [start, pre, post] =
        ["session-start", "pre-tool-use", "post-tool-use"].map(|name| hooks.join(name));
    let nothing = || Proof::Stdout(String::new());
    let mut cases = vec![
        Case::new(fast, "nop", &[nop], PRE_PAYLOAD, nothing()),
        Case::new(fast, "control", &[nop], PRE_PAYLOAD, nothing()),
    ];
    if let Some(tmpfs) = tmpfs {
        cases.extend([
            hook(tmpfs, "pre-tool-use, tmpfs", &pre, TOOL_HOOK),
            hook(tmpfs, "post-tool-use, tmpfs", &post, TOOL_HOOK),
            hook(tmpfs, "pre-tool-use, configured", &pre, CONFIGURED).config(CONFIG),
            hook(tmpfs, "session-start, tmpfs", &start, START),
        ]);
    } else {
        println!("no /dev/shm here: the cases on tmpfs are skipped");
    }
    cases.extend([
        hook(disk, "pre-tool-use, disk", &pre, ON_DISK),
        hook(disk, "post-tool-use, disk", &post, ON_DISK),
        hook(disk, "session-start, disk", &start, START_ON_DISK),
    ]);
    if let Some(python) = python() {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/hook.py");
        let command = [python.as_str(), script];
        let mut case = Case::new(fast, "python3 hook.py", &command, PRE_PAYLOAD, JournalLine);
        case.budget = PYTHON;
        case.every = PYTHON_EVERY;
        cases.push(case);
    } else {
        println!("no python3 here: its case is skipped");
    }
    cases.push(verb(fast, &["current"]));
    for (arguments, budget) in [
        (&["cleanup", "--if-due"][..], IF_DUE),
        (&["cleanup"], CLEANUP),
    ] {
        let mut case = verb(fast, arguments);
        case.name = format!("{}, 10000 ended", case.name);
        case.budget = budget;
        crowd::ended(&case, 10_000);
        cases.push(case);
    }
    cases
}

/// Returns a case for one of our hooks, with the recorded payload of one of its events.
fn hook(place: &Path, name: &str, program: &Path, budget: Budget) -> Case {
    let program = program
        .to_str()
        .expect("the target directory's name is text");
    let (payload, proof) = if program.ends_with("session-start") {
        (START_PAYLOAD, Proof::Record)
    } else if program.ends_with("post-tool-use") {
        (POST_PAYLOAD, JournalLine)
    } else {
        (PRE_PAYLOAD, JournalLine)
    };
    let mut case = Case::new(place, name, &[program], payload, proof);
    case.budget = budget;
    case
}

/// Returns a case for a verb of the CLI, for information. It expects the output of a first run in
/// every run.
fn verb(place: &Path, arguments: &[&str]) -> Case {
    let name = arguments.join(" ");
    let command = [&[ccsession()], arguments].concat();
    let nothing = Proof::Stdout(String::new());
    let mut case = Case::new(place, &name, &command, PRE_PAYLOAD, nothing);
    let answer = case.aside(&command, "");
    if name == "current" {
        assert_eq!(answer.trim_end(), case.session, "current");
    }
    case.proof = Proof::Stdout(answer);
    case
}

/// Adds the cases of `current` among a hundred live sessions in twenty projects, with few and with
/// many ended sessions.
fn crowded(cases: &mut Vec<Case>, place: &Path) -> Vec<Crowd> {
    let mut crowds = Vec::new();
    for (name, ended) in [
        ("current, 100 live, 10 ended", 10),
        ("current, 100 live, 10000 ended", 10_000),
    ] {
        let command = [ccsession(), "current"];
        let mut case = Case::new(
            place,
            name,
            &command,
            PRE_PAYLOAD,
            Proof::Stdout(String::new()),
        );
        crowds.push(crowd::live(&case, 100, 20));
        crowd::ended(&case, ended);
        case.proof = Proof::Stdout(format!("{}\n", case.session));
        case.budget = CURRENT;
        cases.push(case);
    }
    crowds
}

fn measure(cases: &mut [Case], rounds: u32) {
    let mut order: Vec<usize> = (0..cases.len()).collect();
    for round in 0..WARM_UP + rounds {
        if round == WARM_UP {
            cases.iter_mut().for_each(|case| case.times.clear());
        }
        order.sort_by_cached_key(|case| {
            let mut hasher = DefaultHasher::new();
            (round, case).hash(&mut hasher);
            hasher.finish()
        });
        for &index in &order {
            let case = cases.get_mut(index).expect("the order is of these cases");
            if round % case.every == 0 {
                case.run();
            }
        }
    }
}

/// Prints the table, and returns whether every budget was kept.
fn report(cases: &[Case], options: &Options) -> bool {
    let nop = cases.first().expect("the reference is the first case");
    let is_hook = |case: &&Case| matches!(case.budget, Budget::TimesNop(_));
    let tool_hook = cases.iter().find(is_hook).expect("there is a tool hook");
    let mut all_kept = true;

    println!(
        "{} rounds, spawn to reaped exit; ratios of medians to nop\n",
        options.rounds
    );
    println!(
        "{:<32}{:>11}{:>9}{:>9}   budget",
        "case", "median µs", "p99 µs", "ratio"
    );
    for case in cases {
        let (median, p99) = (case.quantile(0.5), case.quantile(0.99));
        let ratio = case.times_as_long_as(nop);
        let (budget, kept) = match case.budget {
            Budget::None => (String::new(), true),
            Budget::TimesNop(most) => {
                let text = format!("≤ {most:.2}, p99 < {} ms", HOOK_P99.as_millis());
                (text, ratio <= most && p99 < HOOK_P99)
            }
            Budget::AtLeastTimesToolHook(least) => {
                let times = case.times_as_long_as(tool_hook);
                let text = format!("≥ {least} × {}: {times:.1}", tool_hook.name);
                (text, times >= least)
            }
        };
        let verdict = match kept {
            _ if budget.is_empty() || !options.judge => "",
            true => "ok",
            false => "OVER",
        };
        let (median, p99) = (median.as_micros(), p99.as_micros());
        let row = format!("{:<32}{median:>11}{p99:>9}{ratio:>9.2}", case.name);
        println!("{}", format!("{row}   {budget:<34} {verdict}").trim_end());
        all_kept &= kept;
    }
    all_kept
}
