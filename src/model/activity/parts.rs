//! What an activity consists of: calls, prompts, subagents, compactions and segments. Only the fold makes them.

use crate::model::call::{Call, Moment, State};

/// What a session did. Each list is in the order in which its members began.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Activity<'a> {
    /// The tool calls.
    pub calls: Vec<Call<'a>>,
    /// The prompts, and the turns that followed them.
    pub prompts: Vec<Prompt<'a>>,
    /// The subagents.
    pub agents: Vec<Agent<'a>>,
    /// The compactions of the context.
    pub compactions: Vec<Compaction<'a>>,
    /// The stretches in which one client had the session.
    pub segments: Vec<Segment<'a>>,
    /// The first and the last event.
    pub span: Option<(Moment, Moment)>,
    /// How many events there are.
    pub events: u64,
    /// How many events were recorded again because hooks are registered more than once.
    pub duplicates: u64,
}

/// A prompt, and the turn that followed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prompt<'a> {
    /// Its id; none from clients that send none.
    pub prompt_id: Option<&'a str>,
    /// When it was given.
    pub at: Moment,
    /// The background task that has ended; none for a person's prompt.
    pub notifies: Option<Notified<'a>>,
    /// When the turn was over.
    pub ended: Option<Moment>,
    /// How it ended.
    pub end: TurnEnd<'a>,
    pub(super) pid: Option<u32>,
}

/// What a prompt is about that no person wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Notified<'a> {
    /// The background task that has ended.
    pub task_id: Option<&'a str>,
}

/// How a turn ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TurnEnd<'a> {
    /// It has not ended.
    Open,
    /// The model was done.
    Stopped,
    /// The model could not go on, for this reason.
    Failed(Option<&'a str>),
    /// It was interrupted: no event ended it before the next prompt or the session's end.
    Interrupted,
}

/// A subagent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agent<'a> {
    /// Its id.
    pub agent_id: &'a str,
    /// Its type.
    pub agent_type: Option<&'a str>,
    /// When its first event was.
    pub began: Moment,
    /// When it last stopped; none while it runs.
    pub ended: Option<Moment>,
    /// Its runs, at least one: a subagent that has stopped may be taken up again.
    pub runs: Vec<Run>,
    /// The client's process in its last event.
    pub(super) pid: Option<u32>,
}

/// A time in which a subagent ran.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// When it began, or its first event was.
    pub began: Moment,
    /// When it stopped.
    pub ended: Option<Moment>,
    /// The call that started it, by its place among the calls.
    pub call: Option<usize>,
    /// Whether that call returned the subagent's id, so that it is not a guess by the order of events.
    pub is_linked: bool,
    /// Whether its SubagentStart is on record.
    pub(super) has_begun: bool,
    /// Whether it is known from a transcript and not from a hook.
    pub(super) is_imported: bool,
}

impl Agent<'_> {
    pub(super) fn end(&mut self, now: Moment) {
        self.ended = Some(now);
        if let Some(run) = self.runs.last_mut() {
            run.ended = Some(now);
        }
    }

    /// Returns which of its runs, by its place among them, was under way at `at`: the last one that had begun.
    pub fn run_at(&self, at: Moment) -> usize {
        let begun = self.runs.partition_point(|run| run.began.at <= at.at);
        begun.saturating_sub(1)
    }
}

/// A compaction of the context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compaction<'a> {
    /// When it began.
    pub began: Moment,
    /// When it was done.
    pub ended: Option<Moment>,
    /// `manual` or `auto`.
    pub trigger: Option<&'a str>,
}

/// A stretch in which one client had the session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment<'a> {
    /// When it began: at its SessionStart, or with its first event.
    pub began: Moment,
    /// When it ended.
    pub ended: Option<Moment>,
    /// What began it (`startup`, `resume`, `clear`, …); none where its beginning was not recorded.
    pub source: Option<&'a str>,
    /// Why it ended, as the client said.
    pub reason: Option<&'a str>,
    /// The client's process.
    pub pid: Option<u32>,
    /// Its last event.
    pub(super) last: Moment,
    /// Whether all its events so far may come before a start (Setup, InstructionsLoaded).
    pub(super) is_before_start: bool,
}

impl<'a> Activity<'a> {
    /// Returns the calls that have begun and not ended.
    pub fn open_calls(&self) -> impl Iterator<Item = &Call<'a>> {
        self.calls
            .iter()
            .filter(|call| call.state == State::Running)
    }
}
