//! The exit statuses, which scripts rely on. 2 is never used: when a hook exits with 2, Claude Code
//! blocks the user's tool call.

use std::fmt;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    /// Done; also if the answer is `unknown` and `--strict` was not given.
    Done = 0,
    /// Failed; stderr says why.
    Failed = 1,
    /// Nothing found; with `--strict`, the session is unknown.
    NotFound = 3,
    /// Several sessions match.
    Ambiguous = 4,
    /// `ccsession doctor` found a fault.
    Fault = 5,
    /// With `--strict`, the answer is only the last known one.
    LastKnown = 6,
    /// The session's archive existed, and was pruned.
    Pruned = 7,
    /// The command line is invalid.
    Usage = 64,
    /// Another process holds the session's id.
    Held = 75,
}

/// An error with an exit status of its own.
#[derive(Debug)]
pub(super) struct StatusError {
    /// The exit status.
    pub(super) status: Status,
    /// One line: what, why, and the remedy.
    pub(super) text: String,
}

impl fmt::Display for StatusError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for StatusError {}

/// Returns an error that ends the command with `status`.
pub(super) fn refusal(status: Status, text: impl Into<String>) -> anyhow::Error {
    StatusError {
        status,
        text: text.into(),
    }
    .into()
}

/// Returns the status with which an error ends the command.
pub(super) fn of(err: &anyhow::Error) -> Status {
    err.downcast_ref::<StatusError>()
        .map_or(Status::Failed, |refusal| refusal.status)
}
