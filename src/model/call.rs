//! A tool call: from its first event to the event that ended it, and what it did in between.

use std::time::Duration;

use serde::Serialize;

use super::time::Timestamp;

/// The prefix of the ids that the API assigns, each only once.
const UNIQUE: &str = "toolu_";

/// Returns true if no other call can have the id. Gateways to other models may number the calls of
/// each message anew.
pub fn has_unique_id(id: &str) -> bool {
    id.starts_with(UNIQUE)
}

/// The state of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CallState {
    /// The call has begun, and no event has ended it.
    Running,
    /// The call succeeded.
    Ok,
    /// The call ran and failed, or its input was invalid.
    Failed,
    /// The call was not allowed to run.
    Denied,
    /// The call has no result: it was interrupted, or its process died.
    Abandoned,
    /// The call left its work running in the background.
    Backgrounded,
}

impl CallState {
    /// Returns the state as one word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Ok => "ok",
            Self::Failed => "failed",
            Self::Denied => "denied",
            Self::Abandoned => "abandoned",
            Self::Backgrounded => "backgrounded",
        }
    }
}

/// The event that ended a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ClosingEvent {
    /// The call's own end event: `PostToolUse`, `PostToolUseFailure` or `PermissionDenied`.
    ByItself,
    /// The call's entry in a `PostToolBatch` event.
    ByBatch,
    /// The end of the subagent that made the call.
    BySubagent,
    /// The end of the turn.
    ByTurn,
    /// The user's next prompt.
    ByPrompt,
    /// The end of the session.
    BySession,
    /// No event: the process died, and the time is unknown.
    ByDeath,
}

impl ClosingEvent {
    /// Returns the event as one word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ByItself => "by_itself",
            Self::ByBatch => "by_batch",
            Self::BySubagent => "by_subagent",
            Self::ByTurn => "by_turn",
            Self::ByPrompt => "by_prompt",
            Self::BySession => "by_session",
            Self::ByDeath => "by_death",
        }
    }
}

/// A point in time within a session.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Moment {
    /// The time that the wall clock showed.
    pub ts: Timestamp,
    /// The place on the session's time line, which has no jumps, in microseconds.
    #[serde(skip)]
    pub at: i64,
}

impl Moment {
    /// Returns the time from this moment to `later`, or zero if `later` comes first.
    pub fn until(self, later: Self) -> Duration {
        Duration::from_micros(u64::try_from(later.at.saturating_sub(self.at)).unwrap_or(0))
    }
}

/// One tool call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call<'a> {
    /// The call's id; `None` from versions of Claude Code that send none.
    pub tool_use_id: Option<&'a str>,
    /// The name of the tool.
    pub tool: Option<&'a str>,
    /// The label, if the capture level keeps one.
    pub what: Option<&'a str>,
    /// The subagent that makes the call; `None` for the main thread.
    pub agent_id: Option<&'a str>,
    /// The id of the prompt to which the call belongs.
    pub prompt_id: Option<&'a str>,
    /// The pid of the Claude Code process.
    pub pid: Option<u32>,
    /// The time of the call's `PreToolUse`. Without one, the time of its end minus the time that
    /// the tool ran.
    pub began: Moment,
    /// True if the call's `PreToolUse` was recorded. A call with invalid input has none.
    pub has_begun: bool,
    /// When the call ended.
    pub ended: Option<Moment>,
    /// The state of the call after all events.
    pub state: CallState,
    /// The event that ended the call.
    pub closed: Option<ClosingEvent>,
    /// The class of the error, if the call failed.
    pub error: Option<&'a str>,
    /// How long the tool ran, as Claude Code measured it.
    pub execution: Option<Duration>,
    /// When Claude Code asked a person for permission.
    pub asked: Option<Moment>,
    /// The size of the input in bytes.
    pub input_bytes: Option<u64>,
    /// The size of the output in bytes.
    pub output_bytes: Option<u64>,
    /// The id of the background task that the call left running.
    pub background: Option<&'a str>,
    /// When that task ended.
    pub background_ended: Option<Moment>,
    /// The id of the subagent that the call started.
    pub spawned_agent: Option<&'a str>,
    /// True if a hook recorded an event of the call. Otherwise it is known only from an import.
    pub is_recorded: bool,
    pub(super) in_batch: bool,
}

impl Call<'_> {
    /// Returns the time from the beginning of the call to its end.
    pub fn elapsed(&self) -> Option<Duration> {
        Some(self.began.until(self.ended?))
    }

    /// Returns how long the call took, as Claude Code measured it. Without a measurement, returns
    /// the time from the beginning to the end, but only if the call's own event reported the end.
    pub fn duration(&self) -> Option<Duration> {
        let is_told = self.has_begun && self.closed == Some(ClosingEvent::ByItself);
        self.execution.or_else(|| {
            self.elapsed()
                .filter(|_| is_told && self.state != CallState::Denied)
        })
    }

    /// Returns how long the call waited for permission: from the request until the tool ran, or the
    /// call was denied.
    pub fn permission(&self) -> Option<Duration> {
        let waited = self.asked?.until(self.ended?);
        Some(waited.saturating_sub(self.execution.unwrap_or_default()))
    }

    /// Returns how long the call waited for other things than permission: other hooks, Claude
    /// Code's own work, earlier calls.
    pub fn wait(&self) -> Option<Duration> {
        let known = self.execution? + self.permission().unwrap_or_default();
        self.has_begun
            .then(|| self.elapsed())?
            .map(|elapsed| elapsed.saturating_sub(known))
    }
}
