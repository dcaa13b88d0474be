//! The exit statuses, which scripts rely on. Never 2: from a hook line it would veto the user's tool call.

use std::fmt;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    /// Done, an honest `unknown` included.
    Done = 0,
    /// Failed; stderr says why.
    Failed = 1,
    /// Nothing found; with `--strict`, the session is unknown.
    NotFound = 3,
    /// Several could be meant.
    Ambiguous = 4,
    /// The doctor found a fault.
    Fault = 5,
    /// With `--strict`, the answer is only the last known one.
    LastKnown = 6,
    /// It was there, and was pruned.
    Pruned = 7,
    /// The command line cannot be understood.
    Usage = 64,
    /// Another holds the session's id.
    Held = 75,
}

/// A refusal that has its own exit status.
#[derive(Debug)]
pub(super) struct Refusal {
    /// The status.
    pub(super) status: Status,
    /// One line: what, why, and the remedy.
    pub(super) text: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Refusal {}

/// An error that ends the command with `status`.
pub(super) fn refusal(status: Status, text: impl Into<String>) -> anyhow::Error {
    Refusal {
        status,
        text: text.into(),
    }
    .into()
}

/// The status that an error ends the command with.
pub(super) fn of(err: &anyhow::Error) -> Status {
    err.downcast_ref::<Refusal>()
        .map_or(Status::Failed, |refusal| refusal.status)
}
