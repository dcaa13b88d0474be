//! One event of a session, as it is stored in the journal: one JSON object a line.
//!
//! Prompts, assistant text, tool input and output are stored only under `capture = "full"`, bounded
//! and redacted. From the environment, only the span of Claude Code's telemetry is stored.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::commit::CommitNote;
use super::id::SessionId;
use super::redact::{Counts, Redactor};
use super::time::Timestamp;

/// The version of a journal line that this ccsession writes.
pub const VERSION: u64 = 1;

/// Between the ids in the `task_id` of an event that reports the end of several tasks.
const BETWEEN_TASKS: char = ',';

/// Returns the `task_id` of an event that reports the end of these tasks.
pub fn task_id_of(ended: &[String]) -> Option<String> {
    (!ended.is_empty()).then(|| ended.join(&BETWEEN_TASKS.to_string()))
}

/// Returns the tasks in the `task_id` of an event.
pub fn tasks_in(task_id: &str) -> impl Iterator<Item = &str> {
    task_id.split(BETWEEN_TASKS)
}

/// The `source` of a prompt with which Claude Code itself reports the end of a background task.
pub const TASK_NOTIFICATION: &str = "task-notification";
/// The `origin` of an event that an import read from Claude Code's transcript. Also the `source` of
/// a record that an import wrote.
pub const TRANSCRIPT: &str = "transcript";

/// Names of Claude Code's hook events that ccsession interprets. An event with any other name is
/// recorded under that name.
pub mod name {
    #![allow(missing_docs, reason = "each is the name of Claude Code's event")]
    pub const SESSION_START: &str = "SessionStart";
    pub const SESSION_END: &str = "SessionEnd";
    pub const USER_PROMPT_SUBMIT: &str = "UserPromptSubmit";
    pub const PRE_TOOL_USE: &str = "PreToolUse";
    pub const POST_TOOL_USE: &str = "PostToolUse";
    pub const POST_TOOL_USE_FAILURE: &str = "PostToolUseFailure";
    pub const POST_TOOL_BATCH: &str = "PostToolBatch";
    pub const PERMISSION_REQUEST: &str = "PermissionRequest";
    pub const PERMISSION_DENIED: &str = "PermissionDenied";
    pub const SUBAGENT_START: &str = "SubagentStart";
    pub const SUBAGENT_STOP: &str = "SubagentStop";
    pub const STOP: &str = "Stop";
    pub const STOP_FAILURE: &str = "StopFailure";
    pub const PRE_COMPACT: &str = "PreCompact";
    pub const POST_COMPACT: &str = "PostCompact";
    pub const CWD_CHANGED: &str = "CwdChanged";
    pub const NOTIFICATION: &str = "Notification";
    pub const ELICITATION: &str = "Elicitation";
    pub const ELICITATION_RESULT: &str = "ElicitationResult";
    pub const MESSAGE_DISPLAY: &str = "MessageDisplay";
    /// Written by an import, when a transcript reports in the middle of a turn that a background
    /// task has ended.
    pub const TASK_NOTIFICATION: &str = "TaskNotification";
    /// Written by `ccsession run` before it starts a command.
    pub const RUN_START: &str = "RunStart";
    /// Written by `ccsession run` after its command has ended.
    pub const RUN_END: &str = "RunEnd";
    /// Written by `ccsession clock-in`, which sets the session's role or focus.
    pub const CLOCK_IN: &str = "ClockIn";
}

/// One event. A field that does not apply is not written.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "docs/formats.md describes the fields")]
pub struct Event {
    pub v: u64,
    pub ts: Option<Timestamp>,
    /// Microseconds on the boot clock, which goes on evenly when the system's clock is set. It
    /// gives the order of events within one boot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mono: Option<u64>,
    pub event: String,
    pub session_id: Option<SessionId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// The rung of the ladder that named the session, if the payload did not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rung: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool_use_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prompt_id: Option<String>,
    /// The span of Claude Code's own telemetry in which the event happened (`TRACEPARENT`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cwd: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transcript_path: Option<String>,
    /// The branch that is checked out. This field and the next are set at a prompt, at the end of a
    /// turn and at the end of the session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// The commits that anybody made in the working tree since the last event that could have this
    /// field: a prompt, or the end of a turn or of the session.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub commits: Vec<CommitNote>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ok: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub what: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The session that the same Claude Code process had before this start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previous: Option<SessionId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trigger: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub calls: Vec<BatchCall>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub old_cwd: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub new_cwd: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from_model: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to_model: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notification_type: Option<String>,
    /// The id of the background task that the call left running.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub background: Option<String>,
    /// The id of the subagent that the call started.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spawned_agent: Option<String>,
    /// The id of the task that a TaskCreated, TaskCompleted or `<task-notification>` prompt is
    /// about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task_id: Option<String>,
    /// The source of the event if no hook recorded it: [`TRANSCRIPT`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
    /// A tool's input. This field and the next four are kept only under `capture = "full"`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prompt: Option<Value>,
    /// The model's last message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_text: Option<Value>,
    /// Which of the five fields from `input` to `error_text` were cut because they were too long.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cut: Vec<String>,
    /// The number of secrets that each rule of the redactor removed from this line.
    #[serde(skip_serializing_if = "Counts::is_empty")]
    pub redacted: Counts,
    /// True if the payload ended too early. The members that had arrived are kept.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub incomplete: bool,
    /// Members that another version wrote and this one does not know.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// One call in a PostToolBatch. No other event contains every call, including refused and invalid
/// ones.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct BatchCall {
    /// The id of the call.
    pub tool_use_id: Option<String>,
    /// The tool's name, as the model wrote it.
    pub tool: Option<String>,
    /// The outcome, if the result's text reports one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<CallOutcome>,
}

/// How a call ended, if its result's text shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallOutcome {
    /// The call ran and failed, or its input was invalid.
    Failed,
    /// The call was not allowed to run.
    Denied,
}

/// The reason why a journal line is not an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BadLine {
    /// The line is not a JSON object, for example because only a part of it was written.
    Torn,
    /// The line is JSON, but not an event.
    Foreign,
    /// A newer version of ccsession wrote the line in a form that this one cannot read.
    Newer(u64),
}

impl fmt::Display for BadLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Torn => f.write_str("torn"),
            Self::Foreign => f.write_str("not an event"),
            Self::Newer(version) => write!(f, "format version {version}"),
        }
    }
}

impl Event {
    /// Encodes the event as one line of JSON, without the line break.
    pub fn encode(&self) -> Vec<u8> {
        // Strings, integers, booleans and JSON values always serialise.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Removes secrets from every text that comes from outside ccsession, and counts them. Paths
    /// and the session id stay as they are, because they identify the session. Labels and bodies
    /// are redacted where they are created.
    ///
    /// # Security
    /// The creator of an event must call this once, before anything is written.
    pub fn redact_words(&mut self) {
        let mut redactor = Redactor::default();
        redactor.word(&mut self.event);
        let words = [
            &mut self.tool,
            &mut self.tool_use_id,
            &mut self.agent_id,
            &mut self.agent_type,
            &mut self.prompt_id,
            &mut self.branch,
            &mut self.error,
            &mut self.source,
            &mut self.reason,
            &mut self.trigger,
            &mut self.model,
            &mut self.from_model,
            &mut self.to_model,
            &mut self.notification_type,
            &mut self.background,
            &mut self.spawned_agent,
            &mut self.task_id,
        ];
        let calls = self.calls.iter_mut();
        let of_calls = calls.flat_map(|call| [&mut call.tool, &mut call.tool_use_id]);
        for word in words.into_iter().chain(of_calls).flatten() {
            redactor.word(word);
        }
        for (rule, count) in redactor.into_counts() {
            *self.redacted.entry(rule).or_default() += count;
        }
    }

    /// Reads one line of a journal.
    ///
    /// # Errors
    /// Returns a [`BadLine`] if the line is not an event that this version can read. A part of a
    /// JSON object is never valid JSON, so a line that was not written to its end is always
    /// recognised.
    pub fn decode(line: &[u8]) -> Result<Self, BadLine> {
        #[derive(Deserialize)]
        struct VersionedEvent {
            v: u64,
        }
        match serde_json::from_slice::<Self>(line) {
            Ok(event) if event.v == VERSION && !event.event.is_empty() => Ok(event),
            Ok(event) if event.v > VERSION => Err(BadLine::Newer(event.v)),
            Ok(_) => Err(BadLine::Foreign),
            Err(err) if err.is_data() => match serde_json::from_slice(line) {
                Ok(VersionedEvent { v }) if v > VERSION => Err(BadLine::Newer(v)),
                _ => Err(BadLine::Foreign),
            },
            Err(_) => Err(BadLine::Torn),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn event() -> Event {
        Event {
            v: VERSION,
            ts: Some(Timestamp::from_unix(1_800_000_000, 0)),
            mono: Some(17),
            event: name::PRE_TOOL_USE.to_owned(),
            session_id: Some("s-1".parse().unwrap()),
            tool: Some("Bash".to_owned()),
            ..Event::default()
        }
    }

    #[test]
    fn only_what_applies_is_written() {
        assert_eq!(
            String::from_utf8(event().encode()).unwrap(),
            r#"{"v":1,"ts":"2027-01-15T08:00:00.000000Z","mono":17,"event":"PreToolUse","session_id":"s-1","tool":"Bash"}"#
        );
    }

    #[test]
    fn every_proper_prefix_of_a_line_is_torn() {
        let line = event().encode();
        for end in 0..line.len() {
            assert_eq!(Event::decode(&line[..end]), Err(BadLine::Torn), "{end}");
        }
        assert_eq!(Event::decode(&line), Ok(event()));
    }

    #[test]
    fn foreign_and_newer_lines_are_told_apart() {
        assert_eq!(Event::decode(b"{}"), Err(BadLine::Foreign));
        assert_eq!(Event::decode(b"[1]"), Err(BadLine::Foreign));
        assert_eq!(
            Event::decode(br#"{"v":1,"event":7}"#),
            Err(BadLine::Foreign)
        );
        assert_eq!(
            Event::decode(br#"{"v":7,"event":{"new":1}}"#),
            Err(BadLine::Newer(7))
        );
        assert_eq!(Event::decode(b"\0\0\0\0"), Err(BadLine::Torn));
    }

    proptest! {
        #[test]
        fn decoding_never_panics(line in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Event::decode(&line);
        }

        #[test]
        fn a_line_has_no_line_break(text in any::<String>()) {
            let event = Event { what: Some(text), ..event() };
            let line = event.encode();
            prop_assert!(!line.contains(&b'\n'));
            prop_assert_eq!(Event::decode(&line), Ok(event));
        }
    }
}
