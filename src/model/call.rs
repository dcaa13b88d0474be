//! A tool call: from the event that opened it to the one that closed it, and what it did in between.

use std::time::Duration;

use serde::Serialize;

use super::time::Timestamp;

/// How a call stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It has begun, and nothing has ended it.
    Running,
    /// It ran, and the tool was content.
    Ok,
    /// It ran and failed, or never passed validation.
    Failed,
    /// It was not allowed to run.
    Denied,
    /// It never came back: interrupted, or its client is gone.
    Abandoned,
    /// It was started, and left running in the background.
    Backgrounded,
}

impl State {
    /// The state as one word.
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

/// What told that a call is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Closed {
    /// An event of its own: PostToolUse, PostToolUseFailure, PermissionDenied.
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
    /// The client is gone, and nothing says when it went.
    ByDeath,
}

/// A moment of a session.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Moment {
    /// By the clock of then.
    pub ts: Timestamp,
    /// On the session's time line without jumps, in microseconds.
    #[serde(skip)]
    pub at: i64,
}

impl Moment {
    /// How long it was from this moment to `later`; zero for an earlier one.
    pub fn until(self, later: Self) -> Duration {
        Duration::from_micros(u64::try_from(later.at.saturating_sub(self.at)).unwrap_or(0))
    }
}

/// One tool call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call<'a> {
    /// Its id; none from clients that send none.
    pub tool_use_id: Option<&'a str>,
    /// The tool.
    pub tool: Option<&'a str>,
    /// The label, where the capture level keeps one.
    pub what: Option<&'a str>,
    /// The subagent that makes it; none for the main thread.
    pub agent_id: Option<&'a str>,
    /// The prompt that it serves.
    pub prompt_id: Option<&'a str>,
    /// The client's process.
    pub pid: Option<u32>,
    /// When it began: at its PreToolUse, or as long before its end as it ran.
    pub began: Moment,
    /// Whether its PreToolUse is on record. A call that never passed validation has none.
    pub has_begun: bool,
    /// When it ended.
    pub ended: Option<Moment>,
    /// How it stands.
    pub state: State,
    /// What told that it is over.
    pub closed: Option<Closed>,
    /// The class of its failure.
    pub error: Option<&'a str>,
    /// How long the tool ran, as the client measured it.
    pub execution: Option<Duration>,
    /// When permission was asked for.
    pub asked: Option<Moment>,
    /// The size of the input in bytes.
    pub input_bytes: Option<u64>,
    /// The size of the output in bytes.
    pub output_bytes: Option<u64>,
    /// The background task that it left behind.
    pub background: Option<&'a str>,
    /// When that task ended.
    pub background_ended: Option<Moment>,
    /// The subagent that it started.
    pub spawned_agent: Option<&'a str>,
    pub(super) in_batch: bool,
}

impl Call<'_> {
    /// From its beginning to its end.
    pub fn elapsed(&self) -> Option<Duration> {
        Some(self.began.until(self.ended?))
    }

    /// How long it took: the client's own measure, else from its beginning to its end where an event of its own tells
    /// that.
    pub fn duration(&self) -> Option<Duration> {
        let is_told = self.has_begun && self.closed == Some(Closed::ByItself);
        self.execution.or_else(|| {
            self.elapsed()
                .filter(|_| is_told && self.state != State::Denied)
        })
    }

    /// How long it waited for permission: from the question to where it began to run, or was denied.
    pub fn permission(&self) -> Option<Duration> {
        let waited = self.asked?.until(self.ended?);
        Some(waited.saturating_sub(self.execution.unwrap_or_default()))
    }

    /// What was neither execution nor permission: other hooks, the client's own work, other calls before it.
    pub fn wait(&self) -> Option<Duration> {
        let known = self.execution? + self.permission().unwrap_or_default();
        self.has_begun
            .then(|| self.elapsed())?
            .map(|elapsed| elapsed.saturating_sub(known))
    }
}
