//! What a session did: its calls, prompts, subagents, compactions and segments, from its events in order. Pure; any order
//! of arrival gives the same answer, because a [`Trace`](super::Trace) has its events in order.
//!
//! [`OpenActivity::of`] folds a trace. What comes out is an [`Activity`] once somebody has said which processes still have
//! the session ([`OpenActivity::close`]), or that it does not matter ([`OpenActivity::leave_open`]).

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
pub use parts::{Activity, Agent, Compaction, Notified, Prompt, Run, Segment, TurnEnd};
