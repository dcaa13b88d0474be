//! The activity of a session: its calls, prompts, subagents, compactions and segments, from its
//! events in order. Pure. The order in which events arrived does not matter, because a
//! [`Trace`](super::Trace) sorts them.
//!
//! [`OpenActivity::of`] folds a trace. The result becomes an [`Activity`] when the caller states
//! which processes still own the session ([`OpenActivity::close`]), or that it does not matter
//! ([`OpenActivity::leave_open`]).

mod by_process;
mod copies;
mod fold;
mod link;
mod open;
mod parts;
mod running;
mod segments;
#[cfg(test)]
mod tests;

pub use open::OpenActivity;
pub use parts::{Activity, Agent, AgentRun, Compaction, Notification, Prompt, Segment, TurnEnd};
