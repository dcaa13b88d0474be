//! One measured command: its surroundings, a run, and the proof that it worked.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::surroundings::{ccsession, hook};

const PAYLOADS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/payloads/events");
/// The session and the project in the recorded payloads. Each run replaces them with its own.
const RECORDED_SESSION: &str = "2f09356b-a939-40a2-8915-584394440829";
const RECORDED_PROJECT: &str = "/home/dev/shop";

#[derive(Clone, Copy)]
pub(crate) enum Budget {
    /// No budget: for information.
    None,
    /// A hook of ours. Its median is at most this multiple of that of `nop`, its p99 below
    /// `HOOK_P99`.
    TimesNop(f64),
    /// A rival. Its median is at least this multiple of that of our first tool hook.
    AtLeastTimesToolHook(f64),
}

/// What every run must leave behind, so that a run that did nothing does not count as a fast one.
pub(crate) enum Proof {
    /// These bytes on stdout.
    Stdout(String),
    /// One more line in the journal of the case's session.
    JournalLine,
    /// One more session. Each run gets a new id, and its session is ended outside the measurement.
    /// So each measured start finds few live sessions and many ended ones.
    Record,
}

pub(crate) struct Case {
    pub(crate) name: String,
    command: Vec<String>,
    payload: String,
    pub(crate) proof: Proof,
    pub(crate) budget: Budget,
    pub(crate) every: u32,
    /// Contains `state`, `pointers`, the optional `config.toml`, and the output of the runs.
    root: PathBuf,
    pub(crate) session: String,
    stdout: File,
    stderr: File,
    runs: u32,
    pub(crate) times: Vec<Duration>,
}

impl Case {
    /// Creates the directories of a case and starts its session, so that there is one to write to.
    pub(crate) fn new(
        place: &Path,
        name: &str,
        command: &[&str],
        payload: &str,
        proof: Proof,
    ) -> Self {
        let root = place.join(name.replace([' ', ','], "-"));
        fs::create_dir_all(root.join("pointers")).unwrap();
        let case = Self {
            name: name.to_owned(),
            command: command.iter().map(|&word| word.to_owned()).collect(),
            payload: recorded(payload),
            proof,
            budget: Budget::None,
            every: 1,
            session: session_id(),
            stdout: File::create(root.join("stdout")).unwrap(),
            stderr: File::create(root.join("stderr")).unwrap(),
            root,
            runs: 0,
            times: Vec::new(),
        };
        case.aside(&[hook()], &recorded("SessionStart-startup"));
        // Marks a cleanup as done. Otherwise session-start would start one that runs beside the
        // measurement.
        case.aside(&[ccsession(), "cleanup"], "");
        case
    }

    /// Gives the case a configuration file. The others look for one that does not exist.
    pub(crate) fn config(self, text: &str) -> Self {
        fs::write(self.root.join("config.toml"), text).unwrap();
        self
    }

    /// Runs the case's command once and notes how long it took.
    pub(crate) fn run(&mut self) {
        if matches!(self.proof, Proof::Record) {
            self.session = session_id();
        }
        let words: Vec<&str> = self.command.iter().map(String::as_str).collect();
        let mut command = self.prepare(&words, &self.payload);
        command.stdout(self.stdout.try_clone().unwrap());
        command.stderr(self.stderr.try_clone().unwrap());

        let begin = Instant::now();
        let status = command.status();
        self.times.push(begin.elapsed());

        let status = status.unwrap_or_else(|error| panic!("could not run {}: {error}", self.name));
        assert!(status.success(), "{} ended with {status}", self.name);
        self.runs += 1;
        if matches!(self.proof, Proof::Record) {
            self.aside(&[hook()], &recorded("SessionEnd-other"));
            // A start that finds a session to archive would start a process for it.
            let _ = fs::remove_dir_all(self.path("state/ended"));
        }
    }

    /// Runs another command in the case's surroundings, unmeasured, and returns what it printed.
    pub(crate) fn aside(&self, command: &[&str], payload: &str) -> String {
        let output = self.prepare(command, payload).output().unwrap();
        assert!(
            output.status.success(),
            "{command:?} for {}: {output:?}",
            self.name
        );
        String::from_utf8(output.stdout).unwrap()
    }

    /// Returns the path of a file or folder of the case.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// Prepares a command with the start of the session `id` waiting on stdin.
    pub(crate) fn prepare_start(&self, command: &[&str], id: &str) -> Command {
        let payload = recorded("SessionStart-startup").replace(RECORDED_SESSION, id);
        self.prepare(command, &payload)
    }

    /// Prepares a command in the same environment as every other, its payload already waiting on
    /// stdin.
    fn prepare(&self, command: &[&str], payload: &str) -> Command {
        let (program, arguments) = command.split_first().expect("a command has a program");
        let project = std::env::current_dir().unwrap();
        let payload = payload
            .replace(RECORDED_SESSION, &self.session)
            .replace(RECORDED_PROJECT, project.to_str().unwrap());
        // Written and closed before the process exists. So it never waits for us, and a program
        // that reads nothing causes no broken pipe. One page fits any pipe.
        assert!(
            payload.len() <= 4096,
            "the payload of {} could fill its pipe",
            self.name
        );
        let (stdin, mut writer) = io::pipe().unwrap();
        writer.write_all(payload.as_bytes()).unwrap();

        let mut command = Command::new(program);
        command
            .args(arguments)
            .stdin(stdin)
            .env_clear()
            .env("HOME", &self.root)
            .env("PATH", "/usr/bin:/bin")
            .env("CCSESSION_STATE_DIR", self.root.join("state"))
            .env("CCSESSION_POINTER_DIR", self.root.join("pointers"))
            .env("CCSESSION_CONFIG", self.root.join("config.toml"))
            .env("CLAUDE_PROJECT_DIR", project)
            .env("CLAUDE_PID", std::process::id().to_string())
            .env("CLAUDE_CODE_SESSION_ID", &self.session)
            .env("CLAUDECODE", "1");
        command
    }

    /// Panics unless each run did what it was measured for.
    pub(crate) fn assert_proof(&self) {
        let name = &self.name;
        let printed = |stream: &str| fs::read_to_string(self.root.join(stream)).unwrap();
        let runs = self.runs as usize;
        let state = self.root.join("state");
        let expected = match &self.proof {
            Proof::Stdout(text) => text.repeat(runs),
            Proof::JournalLine => {
                let lines = journal_lines(&state.join("sessions").join(&self.session));
                assert_eq!(lines, 1 + runs, "{name}: SessionStart, one line a run");
                String::new()
            }
            Proof::Record => {
                let sessions = fs::read_dir(state.join("sessions")).unwrap();
                let records = sessions
                    .map(|session| session.unwrap().path().join("session.json"))
                    .filter(|record| record.is_file())
                    .count();
                assert_eq!(records, 1 + runs, "{name}: the first record, one a run");
                String::new()
            }
        };
        assert_eq!(printed("stdout"), expected, "{name}: stdout");
        assert_eq!(printed("stderr"), "", "{name}: stderr");
        for complaint in ["hook-errors.jsonl", "unattributed.jsonl"] {
            let text = fs::read_to_string(state.join(complaint)).unwrap_or_default();
            assert_eq!(text, "", "{name}: {complaint}");
        }
    }

    /// Returns the time that this share of the runs stayed below.
    pub(crate) fn quantile(&self, share: f64) -> Duration {
        let mut times = self.times.clone();
        times.sort_unstable();
        let index = (times.len() as f64 * share) as usize;
        times
            .get(index)
            .or(times.last())
            .copied()
            .expect("every case ran")
    }

    pub(crate) fn times_as_long_as(&self, other: &Self) -> f64 {
        self.quantile(0.5).as_secs_f64() / other.quantile(0.5).as_secs_f64()
    }
}

/// Returns a recorded payload on one line, as Claude Code sends it.
fn recorded(name: &str) -> String {
    let path = format!("{PAYLOADS}/{name}.json");
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    // JSON strings contain no newlines, so the white space around one is indentation.
    text.lines().map(str::trim).collect::<String>() + "\n"
}

/// Returns a new session id in Claude Code's form.
pub(crate) fn session_id() -> String {
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64;
    format!(
        "{:08x}-0000-4000-8000-{:012x}",
        now >> 48,
        now & 0xffff_ffff_ffff
    )
}

/// Counts the records of a journal, including its rotated files.
fn journal_lines(session: &Path) -> usize {
    let files = fs::read_dir(session)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let journals = files.filter(|path| path.extension().is_some_and(|e| e == "jsonl"));
    let text: String = journals
        .map(|path| fs::read_to_string(path).unwrap())
        .collect();
    text.lines().filter(|line| !line.is_empty()).count()
}
