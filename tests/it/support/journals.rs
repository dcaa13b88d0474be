//! Records of a journal, and processes that write them.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use ccsession::model::Event;

/// The variable that makes a worker work: its value is a path and the worker's name. The path is the journal for
/// [`append_worker`], and the sandbox for a worker that runs hooks.
pub(crate) const WORKER: &str = "CCSESSION_TEST_WORKER";

/// The record `number` of the worker `name`: up to some pages long, and different from every other by its text.
pub(crate) fn record(name: &str, number: u64) -> Event {
    let size = usize::try_from(number * 7919 % 6000).unwrap();
    let letter = char::from(b'a' + u8::try_from((number + name.len() as u64) % 26).unwrap());
    Event {
        v: 1,
        event: "Appended".to_owned(),
        tool_use_id: Some(format!("{name}/{number}")),
        what: Some(String::from(letter).repeat(size)),
        ..Event::default()
    }
}

/// Reports with a single write that a record is in the journal.
pub(crate) fn acknowledge(number: u64) {
    let line = format!("{number}\n");
    rustix::io::write(rustix::stdio::stderr(), line.as_bytes()).unwrap();
}

/// A worker, killed at the latest when it goes out of scope.
pub(crate) struct Worker(Child);

impl Worker {
    /// Starts the test `test` as a worker in a separate process.
    pub(crate) fn start(test: &str, place: &Path, name: &str) -> Self {
        let task = format!("{}\n{name}", place.display());
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .args(["--exact", test, "--nocapture"])
            .env(WORKER, task)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        Self(command.spawn().unwrap())
    }

    /// Waits until the worker has done its task.
    #[track_caller]
    pub(crate) fn finish(mut self) {
        let mut said = String::new();
        let mut stderr = self.0.stderr.take().unwrap();
        stderr.read_to_string(&mut said).unwrap();
        assert!(self.0.wait().unwrap().success(), "{said}");
    }

    /// Kills the worker `after` its first acknowledgement, and returns the numbers of all records it acknowledged.
    pub(crate) fn kill(mut self, after: Duration) -> Vec<u64> {
        let mut acknowledgements = BufReader::new(self.0.stderr.take().unwrap());
        let mut text = String::new();
        acknowledgements.read_line(&mut text).unwrap();
        std::thread::sleep(after);
        self.0.kill().unwrap();
        acknowledgements.read_to_string(&mut text).unwrap();
        // Each acknowledgement is written whole or not at all.
        assert!(text.ends_with('\n'), "{text:?}");
        text.lines().map(|number| number.parse().unwrap()).collect()
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
