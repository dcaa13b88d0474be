//! One measured command.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};

use crate::journals::Journals;

/// The cost of one run.
struct Cost {
    cpu: Duration,
    wall: Duration,
    peak_kib: u64,
}

/// A command that reads some journals.
pub(crate) struct Contender {
    pub(crate) name: String,
    pub(crate) is_slow: bool,
    command: Vec<String>,
    state: PathBuf,
    output: PathBuf,
    runs: Vec<Cost>,
}

impl Contender {
    pub(crate) fn new(name: &str, journals: &Journals, command: &[&str]) -> Self {
        Self {
            name: name.to_owned(),
            is_slow: false,
            command: command.iter().map(|&word| word.to_owned()).collect(),
            state: journals.state.clone(),
            output: journals.state.with_extension("out"),
            runs: Vec::new(),
        }
    }

    /// Runs the command once, unmeasured, and returns what it printed.
    pub(crate) fn answer(&self) -> String {
        self.start();
        fs::read_to_string(&self.output).unwrap()
    }

    pub(crate) fn run(&mut self) {
        let cost = self.start();
        self.runs.push(cost);
    }

    /// Runs the command below a process without other children, because the system reports the cost
    /// of children only as a sum.
    fn start(&self) -> Cost {
        let cost = self.output.with_extension("cost");
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.arg("--measure").arg(&cost).args(&self.command);
        command
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin");
        command
            .env("HOME", &self.state)
            .env("CCSESSION_STATE_DIR", &self.state);
        command
            .stdin(Stdio::null())
            .stdout(File::create(&self.output).unwrap());
        let status = command.status().unwrap();
        assert!(status.success(), "{} ended with {status}", self.name);
        let text = fs::read_to_string(cost).unwrap();
        let mut numbers = text.split(' ').map(|number| number.parse().unwrap());
        let mut next = || numbers.next().expect("a cost has three numbers");
        Cost {
            cpu: Duration::from_micros(next()),
            wall: Duration::from_micros(next()),
            peak_kib: next(),
        }
    }

    pub(crate) fn cpu_ms(&self) -> f64 {
        self.median(|cost| cost.cpu)
    }

    pub(crate) fn wall_ms(&self) -> f64 {
        self.median(|cost| cost.wall)
    }

    /// Returns the highest peak memory of all runs.
    pub(crate) fn peak_kib(&self) -> u64 {
        let peaks = self.runs.iter().map(|cost| cost.peak_kib);
        peaks.max().expect("every contender ran")
    }

    fn median(&self, of: impl Fn(&Cost) -> Duration) -> f64 {
        let mut times: Vec<Duration> = self.runs.iter().map(of).collect();
        times.sort_unstable();
        let median = times.get(times.len() / 2).expect("every contender ran");
        median.as_secs_f64() * 1000.0
    }
}

/// Runs the command that follows the name of a file, and writes its cost to that file.
pub(crate) fn measure_and_report(words: &[String]) -> ExitCode {
    let [report, program, arguments @ ..] = words else {
        return ExitCode::FAILURE;
    };
    let begin = Instant::now();
    let status = Command::new(program).args(arguments).status().unwrap();
    let wall = begin.elapsed().as_micros();
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).unwrap();
    let (user, system) = (usage.user_time(), usage.system_time());
    let micros = |time: nix::sys::time::TimeVal| time.tv_sec() * 1_000_000 + time.tv_usec();
    let cpu = micros(user) + micros(system);
    fs::write(report, format!("{cpu} {wall} {}", usage.max_rss())).unwrap();
    if status.success() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
