//! Tombstones: one line for each pruned session, so that a command can say that the session was
//! pruned.

use serde_json::Value;

use super::error::Result;
use super::log::{self, Log, LogLine};
use super::state::StateDir;
use crate::model::{SessionId, Timestamp};

/// Records that a session or its archive was pruned. `what` is `session pruned` or `archive
/// pruned`.
///
/// # Errors
/// Fails if the tombstones cannot be trusted or written.
pub fn add(state: &StateDir, id: &SessionId, what: &str) -> Result<()> {
    log::append(state, Log::Tombstones, &LogLine::new(what).session(id))
}

/// Returns the pruned sessions whose ids start with `given`, latest first, and when each was
/// pruned.
pub fn of(state: &StateDir, given: &str) -> Vec<(SessionId, Timestamp)> {
    let entry = |line: &serde_json::Map<String, Value>| {
        let text = |name: &str| line.get(name).and_then(Value::as_str);
        let id: SessionId = text("session_id")?.parse().ok()?;
        let at = Timestamp::parse(text("ts")?).ok()?;
        id.as_str().starts_with(given).then_some((id, at))
    };
    let lines = log::read(state, Log::Tombstones);
    lines.iter().rev().filter_map(entry).collect()
}
