//! The parts of an activity: calls, prompts, subagents, compactions and segments. Only the fold
//! creates them.

use crate::model::call::{Call, CallState, Moment};
use crate::model::time::Timestamp;

/// The activity of a session. Each list is in the order in which its members began.
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
    /// The stretches in which one process owned the session.
    pub segments: Vec<Segment<'a>>,
    /// The first and the last event.
    pub span: Option<(Moment, Moment)>,
    /// The number of events.
    pub events: u64,
    /// The number of events that were recorded again because hooks are registered more than once.
    pub duplicates: u64,
    /// The indices in the trace of the events that `duplicates` counts, in order.
    pub copies: Vec<usize>,
}

/// A prompt, and the turn that followed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prompt<'a> {
    /// The prompt's id; `None` from versions of Claude Code that send none.
    pub prompt_id: Option<&'a str>,
    /// The beginning of what the person wrote, on one line.
    pub what: Option<&'a str>,
    /// The branch that was checked out.
    pub branch: Option<&'a str>,
    /// When the prompt was given.
    pub at: Moment,
    /// The report of a background task's end that the prompt consists of; `None` if a person wrote
    /// the prompt.
    pub notifies: Option<Notification<'a>>,
    /// The end of the turn.
    pub ended: Option<Moment>,
    /// How the turn ended.
    pub end: TurnEnd<'a>,
    /// The pid of the Claude Code process.
    pub pid: Option<u32>,
}

/// What Claude Code reports with a prompt that no person wrote: a background task has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Notification<'a> {
    /// The background task that has ended.
    pub task_id: Option<&'a str>,
}

/// How a turn ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TurnEnd<'a> {
    /// The turn has not ended.
    Open,
    /// The model finished.
    Stopped,
    /// The model failed, for this reason.
    Failed(Option<&'a str>),
    /// The turn was interrupted: no event ended it before the next prompt or the session's end.
    Interrupted,
}

/// A subagent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agent<'a> {
    /// The id that names it in events.
    pub agent_id: &'a str,
    /// The type of agent that the call requested, such as `general-purpose`.
    pub agent_type: Option<&'a str>,
    /// When its first event happened.
    pub began: Moment,
    /// When the subagent last stopped; `None` while it runs.
    pub ended: Option<Moment>,
    /// The subagent's runs, at least one. There are several if it was resumed after it had stopped.
    pub runs: Vec<AgentRun>,
    /// The pid of the process that recorded its last event.
    pub pid: Option<u32>,
}

/// A stretch in which a subagent ran, from its start to its stop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentRun {
    /// The time of its start, or of its first event.
    pub began: Moment,
    /// The time at which it stopped.
    pub ended: Option<Moment>,
    /// The index of the call that started this run.
    pub call: Option<usize>,
    /// True if the result of that call named the subagent. Otherwise `call` is a guess by the order
    /// of events.
    pub is_linked: bool,
    /// True if the `SubagentStart` of this run was recorded.
    pub(super) has_begun: bool,
    /// True if the run is known from an import rather than from a hook.
    pub(super) is_imported: bool,
}

impl Agent<'_> {
    pub(super) fn end(&mut self, now: Moment) {
        self.ended = Some(now);
        if let Some(run) = self.runs.last_mut() {
            run.ended = Some(now);
        }
    }

    /// Returns the end of a run. If no event reported it, the run ended when the next one began.
    pub fn end_of_run(&self, run: usize) -> Option<Moment> {
        let next = self.runs.get(run + 1).map(|next| next.began);
        self.runs.get(run)?.ended.or(next)
    }

    /// Returns the index of the run that was under way at `at`: the last one that had begun.
    pub fn run_at(&self, at: Moment) -> usize {
        let begun = self.runs.partition_point(|run| run.began.at <= at.at);
        begun.saturating_sub(1)
    }
}

/// A compaction of the context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compaction<'a> {
    /// The time at which it began.
    pub began: Moment,
    /// When the compaction was complete.
    pub ended: Option<Moment>,
    /// `manual` or `auto`.
    pub trigger: Option<&'a str>,
}

/// A stretch in which one process owned the session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment<'a> {
    /// When the segment's `SessionStart` happened, or else its first event.
    pub began: Moment,
    /// When the segment ended; `None` if it has not ended.
    pub ended: Option<Moment>,
    /// How the segment began (`startup`, `resume`, `clear`, …); `None` if its beginning was not
    /// recorded.
    pub source: Option<&'a str>,
    /// Why the segment ended, as Claude Code reported.
    pub reason: Option<&'a str>,
    /// The pid of the Claude Code process.
    pub pid: Option<u32>,
    /// The time of the segment's last event.
    pub(super) last: Moment,
    /// True while all its events are of kinds that may precede a `SessionStart`, such as `Setup`
    /// and `InstructionsLoaded`.
    pub(super) is_before_start: bool,
}

impl<'a> Activity<'a> {
    /// Returns the branch that was checked out at `at`: that of the last earlier prompt with a
    /// branch, else of the first later one.
    pub fn branch_at(&self, at: Timestamp) -> Option<&'a str> {
        let before = self.prompts.partition_point(|prompt| prompt.at.ts <= at);
        let (before, after) = self.prompts.split_at_checked(before).unwrap_or_default();
        let mut prompts = before.iter().rev().chain(after);
        prompts.find_map(|prompt| prompt.branch)
    }

    /// Returns the calls that have begun and not ended.
    pub fn open_calls(&self) -> impl Iterator<Item = &Call<'a>> {
        self.calls
            .iter()
            .filter(|call| call.state == CallState::Running)
    }
}
