//! What was pruned: a line for each session, so that a question for one has an honest answer.

use serde_json::Value;

use super::error::Result;
use super::log::{self, Line, Log};
use super::state::State;
use crate::model::{SessionId, Timestamp};

/// Notes that `what` of a session was pruned.
///
/// # Errors
/// As [`log::append`].
pub fn add(state: &State, id: &SessionId, what: &str) -> Result<()> {
    log::append(state, Log::Tombstones, &Line::new(what).session(id))
}

/// The pruned sessions whose ids begin with `given`, the last first, and when that was.
pub fn of(state: &State, given: &str) -> Vec<(SessionId, Timestamp)> {
    let entry = |line: &serde_json::Map<String, Value>| {
        let text = |name: &str| line.get(name).and_then(Value::as_str);
        let id: SessionId = text("session_id")?.parse().ok()?;
        let at = Timestamp::parse(text("ts")?).ok()?;
        id.as_str().starts_with(given).then_some((id, at))
    };
    let lines = log::read(state, Log::Tombstones);
    lines.iter().rev().filter_map(entry).collect()
}
