//! The gate: delays the command until the launcher knows which signals the command's process has
//! received.
//!
//! The gate is a pipe of the launcher. The command's process waits until the writing end is closed,
//! so the gate also opens if the launcher dies.

use std::io::{self, PipeReader, PipeWriter};
use std::os::fd::AsRawFd;

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

/// Waits until the parent process opens its gate. Returns at once if the gate cannot be found: on
/// macOS, or if the parent is dead.
pub(super) fn wait(gate: &str) {
    let Some(gate) = process::open_file_of(process::parent(), gate) else {
        return;
    };
    let mut fds = [PollFd::new(&gate, PollFlags::IN)];
    let _ = rustix::io::retry_on_intr(|| poll(&mut fds, Some(&PATIENCE)));
}
