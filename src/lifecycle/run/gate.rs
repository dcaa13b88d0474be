//! Holds the command back until the launcher knows which signals it has received.
//!
//! The gate is a pipe that the launcher keeps. The command's process waits until the writing end is
//! closed, so a launcher that dies opens the gate, too.

use std::io::{self, PipeReader, PipeWriter};
use std::os::fd::AsRawFd;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::identity::process;

/// The longest wait. The launcher opens the gate within milliseconds, or after two seconds if its
/// bystander is stopped.
const PATIENCE: Timespec = Timespec {
    tv_sec: 5,
    tv_nsec: 0,
};

/// A gate, as the launcher holds it.
pub(super) struct Gate {
    /// Stays open, since the command's process opens it by its number.
    waiting: PipeReader,
    closed: Option<PipeWriter>,
}

impl Gate {
    /// Creates a closed gate.
    ///
    /// # Errors
    /// Fails if the system has no more pipes.
    pub(super) fn closed() -> io::Result<Self> {
        let (waiting, closed) = io::pipe()?;
        Ok(Self {
            waiting,
            closed: Some(closed),
        })
    }

    /// Returns what [`wait`] needs to find the gate.
    pub(super) fn name(&self) -> String {
        self.waiting.as_raw_fd().to_string()
    }

    /// Opens the gate, so that the command can start.
    pub(super) fn open(&mut self) {
        self.closed = None;
    }
}

/// Waits until the process that started this one opens its gate. Returns at once if the gate cannot
/// be seen: on macOS, or if that process is dead.
pub(super) fn wait(gate: &str) {
    let Some(gate) = process::open_file_of(process::parent(), gate) else {
        return;
    };
    let mut fds = [PollFd::new(&gate, PollFlags::IN)];
    let _ = rustix::io::retry_on_intr(|| poll(&mut fds, Some(&PATIENCE)));
}
