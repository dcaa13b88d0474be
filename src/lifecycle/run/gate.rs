//! The gate: delays the command until the launcher knows which signals the command's process has
//! received.
//!
//! The gate is a pipe of the launcher. The command's process waits until the writing end is closed,
//! so the gate also opens if the launcher dies. A second pipe tells the launcher that the process
//! did not become the command.

use std::io::{self, PipeReader, PipeWriter, Read};
use std::os::fd::{AsRawFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::identity::process;

/// How long the command's process waits at most. The launcher opens the gate within milliseconds,
/// or after two seconds if its bystander is stopped.
const PATIENCE: Timespec = Timespec {
    tv_sec: 5,
    tv_nsec: 0,
};

/// The launcher's side of a gate.
pub(super) struct Gate {
    /// The reading end. The launcher keeps it open, because the command's process opens it by its
    /// file descriptor number.
    waiting: PipeReader,
    closed: Option<PipeWriter>,
}

impl Gate {
    /// Creates a closed gate.
    ///
    /// # Errors
    /// Fails if the system cannot create a pipe.
    pub(super) fn closed() -> io::Result<Self> {
        let (waiting, closed) = io::pipe()?;
        Ok(Self {
            waiting,
            closed: Some(closed),
        })
    }

    /// Returns the name by which [`wait`] finds the gate: the number of a file descriptor of this
    /// process.
    pub(super) fn name(&self) -> String {
        self.waiting.as_raw_fd().to_string()
    }

    /// Opens the gate, so that the command can start.
    pub(super) fn open(&mut self) {
        self.closed = None;
    }
}

/// The launcher's side of the pipe on which the command's process reports that it did not become
/// the command.
pub(super) struct FailureReport {
    reports: PipeReader,
    /// Kept open, because the command's process opens it by its file descriptor number.
    writing: PipeWriter,
}

impl FailureReport {
    /// Creates the pipe.
    ///
    /// # Errors
    /// Fails if the system cannot create a pipe.
    pub(super) fn new() -> io::Result<Self> {
        let (reports, writing) = io::pipe()?;
        Ok(Self { reports, writing })
    }

    /// Returns the name by which [`FailureReporter::of`] finds the pipe.
    pub(super) fn name(&self) -> String {
        self.writing.as_raw_fd().to_string()
    }

    /// Returns whether the command's process, which has ended, reported a failure.
    pub(super) fn has_come(self) -> bool {
        let Self {
            mut reports,
            writing,
        } = self;
        // No other process has the writing end: it is closed on exec, and that process has ended.
        drop(writing);
        matches!(reports.read(&mut [0]), Ok(1))
    }
}

/// The command's side of a [`FailureReport`]. A successful exec closes it.
pub(super) struct FailureReporter(Option<OwnedFd>);

impl FailureReporter {
    /// Opens the parent's pipe with this name. On macOS, or if the parent is dead, nobody is told.
    pub(super) fn of(name: &str) -> Self {
        Self(process::writing_end_of(process::parent(), name))
    }

    /// Reports that this process does not become the command.
    pub(super) fn fail(self) {
        if let Some(pipe) = self.0 {
            let _ = rustix::io::write(&pipe, b"!");
        }
    }
}

/// Waits until the parent process opens its gate. Returns at once if the gate cannot be found: on
/// macOS, or if the parent is dead.
pub(super) fn wait(gate: &str) {
    let Some(gate) = process::open_file_of(process::parent(), gate) else {
        return;
    };
    let mut fds = [PollFd::new(&gate, PollFlags::IN)];
    let _ = rustix::io::retry_on_intr(|| poll(&mut fds, Some(&PATIENCE)));
}
