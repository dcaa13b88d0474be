//! A tool call: from the event that opened it to the one that closed it, and what it did in
//! between.

use std::time::Duration;

use serde::Serialize;

use super::time::Timestamp;

/// The state of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CallState {
    /// It has begun, and nothing has ended it.
    Running,
    /// The call succeeded.
    Ok,
    /// It ran and failed, or never passed validation.
    Failed,
    /// It was not allowed to run.
    Denied,
    /// It never came back: it was interrupted, or its process died.
    Abandoned,
    /// It was started, and left running in the background.
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

/// The event that showed that a call was over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ClosingEvent {
    /// The call's own event: PostToolUse, PostToolUseFailure, PermissionDenied.
    ByItself,
    /// Its entry in a PostToolBatch.
    ByBatch,
    /// The end of the subagent that made it.
    BySubagent,
    /// The end of the turn.
    ByTurn,
    /// The user's next prompt.
    ByPrompt,
    /// The end of the session.
    BySession,
    /// The process died, and nothing shows when.
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

/// A moment of a session.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Moment {
    /// The time that the clock showed at that moment.
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
    /// The prompt to which the call belongs.
    pub prompt_id: Option<&'a str>,
    /// The process of Claude Code.
    pub pid: Option<u32>,
    /// The time of its PreToolUse. Without one, its end minus the time that the tool ran.
    pub began: Moment,
    /// True if its PreToolUse was recorded. A call that never passed validation has none.
    pub has_begun: bool,
    /// The time at which it ended.
    pub ended: Option<Moment>,
    /// The current state.
    pub state: CallState,
    /// The event that showed its end.
    pub closed: Option<ClosingEvent>,
    /// The class of its failure.
    pub error: Option<&'a str>,
    /// How long the tool ran, as Claude Code measured it.
    pub execution: Option<Duration>,
    /// The time at which permission was asked for.
    pub asked: Option<Moment>,
    /// The size of the input in bytes.
    pub input_bytes: Option<u64>,
    /// The size of the output in bytes.
    pub output_bytes: Option<u64>,
    /// The background task that it left running.
    pub background: Option<&'a str>,
    /// The time at which that task ended.
    pub background_ended: Option<Moment>,
    /// The subagent that it started.
    pub spawned_agent: Option<&'a str>,
    /// True if a hook recorded an event of it. Otherwise only an import knows of it.
    pub is_recorded: bool,
    pub(super) in_batch: bool,
}

impl Call<'_> {
    /// Returns the time from its beginning to its end.
    pub fn elapsed(&self) -> Option<Duration> {
        Some(self.began.until(self.ended?))
    }

    /// Returns the duration: as Claude Code measured it, or else from the beginning to the end if
    /// the call's own event reported the end.
    pub fn duration(&self) -> Option<Duration> {
        let is_told = self.has_begun && self.closed == Some(ClosingEvent::ByItself);
        self.execution.or_else(|| {
            self.elapsed()
                .filter(|_| is_told && self.state != CallState::Denied)
        })
    }

    /// Returns how long it waited for permission: from the request until it began to run, or was
    /// denied.
    pub fn permission(&self) -> Option<Duration> {
        let waited = self.asked?.until(self.ended?);
        Some(waited.saturating_sub(self.execution.unwrap_or_default()))
    }

    /// Returns the time in which the call neither ran nor waited for permission: other hooks,
    /// Claude Code's own work, earlier calls.
    pub fn wait(&self) -> Option<Duration> {
        let known = self.execution? + self.permission().unwrap_or_default();
        self.has_begun
            .then(|| self.elapsed())?
            .map(|elapsed| elapsed.saturating_sub(known))
    }
}
