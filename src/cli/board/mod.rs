//! What is known of the live sessions, kept up to date: for the board of `top` and for the dashboard.
//!
//! `facts`, `session` and `sessions` are pure. `observer` looks at the sessions, and `counts` counts
//! their calls; both read only what changed.

mod counts;
mod facts;
mod observer;
mod session;
mod sessions;

#[cfg(test)]
pub(super) use facts::CallCounts;
pub(super) use facts::SessionFacts;
pub(super) use observer::Observer;
pub(super) use session::{BoardSession, Group, SortKey};
pub(super) use sessions::BoardSessions;
