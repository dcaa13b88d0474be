//! The activity of a session as JSON for programs. Times are in UTC, durations in milliseconds, and
//! absent values are null.

use std::time::Duration;

use serde::Serialize;

use super::subtree::{SubtreeSums, Subtrees};
use crate::model::activity::{Agent, AgentRun, Compaction, Prompt, Segment, TurnEnd};
use crate::model::call::{CallState, ClosingEvent, Moment};
use crate::model::{Activity, Call};

/// A tool call.
#[derive(Debug, Serialize)]
#[allow(missing_docs, reason = "docs/json.md describes the fields")]
pub struct CallView<'a> {
    pub tool_use_id: Option<&'a str>,
    pub tool: Option<&'a str>,
    pub what: Option<&'a str>,
    pub state: CallState,
    pub error: Option<&'a str>,
    pub started_at: Moment,
    pub ended_at: Option<Moment>,
    /// The duration that Claude Code measured, or else the time between the call's own first and
    /// last event.
    pub duration_ms: Option<u64>,
    pub elapsed_ms: Option<u64>,
    pub wait_ms: Option<u64>,
    pub permission_ms: Option<u64>,
    pub closed: Option<ClosingEvent>,
    pub agent_id: Option<&'a str>,
    pub prompt_id: Option<&'a str>,
    pub pid: Option<u32>,
    pub input_bytes: Option<u64>,
    pub output_bytes: Option<u64>,
    pub background: Option<&'a str>,
    pub background_ended_at: Option<Moment>,
    pub spawned_agent: Option<&'a str>,
}

impl<'a> From<&Call<'a>> for CallView<'a> {
    fn from(call: &Call<'a>) -> Self {
        Self {
            tool_use_id: call.tool_use_id,
            tool: call.tool,
            what: call.what,
            state: call.state,
            error: call.error,
            started_at: call.began,
            ended_at: call.ended,
            duration_ms: call.duration().map(millis),
            elapsed_ms: call.elapsed().map(millis),
            wait_ms: call.wait().map(millis),
            permission_ms: call.permission().map(millis),
            closed: call.closed,
            agent_id: call.agent_id,
            prompt_id: call.prompt_id,
            pid: call.pid,
            input_bytes: call.input_bytes,
            output_bytes: call.output_bytes,
            background: call.background,
            background_ended_at: call.background_ended,
            spawned_agent: call.spawned_agent,
        }
    }
}

/// A prompt, and the turn that followed it.
#[derive(Debug, Serialize)]
#[allow(missing_docs, reason = "as those of CallView")]
pub struct PromptView<'a> {
    pub prompt_id: Option<&'a str>,
    pub what: Option<&'a str>,
    pub branch: Option<&'a str>,
    pub at: Moment,
    /// True if no person wrote the prompt: Claude Code reports the end of a background task with
    /// it.
    pub notification: bool,
    pub task_id: Option<&'a str>,
    pub ended_at: Option<Moment>,
    /// `open`, `stopped`, `failed` or `interrupted`.
    pub end: &'static str,
    pub error: Option<&'a str>,
    pub duration_ms: Option<u64>,
}

impl<'a> From<&Prompt<'a>> for PromptView<'a> {
    fn from(prompt: &Prompt<'a>) -> Self {
        let (end, error) = match prompt.end {
            TurnEnd::Open => ("open", None),
            TurnEnd::Stopped => ("stopped", None),
            TurnEnd::Failed(why) => ("failed", why),
            TurnEnd::Interrupted => ("interrupted", None),
        };
        Self {
            prompt_id: prompt.prompt_id,
            what: prompt.what,
            branch: prompt.branch,
            at: prompt.at,
            notification: prompt.notifies.is_some(),
            task_id: prompt.notifies.and_then(|notified| notified.task_id),
            ended_at: prompt.ended,
            end,
            error,
            duration_ms: prompt.ended.map(|ended| millis(prompt.at.until(ended))),
        }
    }
}

/// A subagent.
#[derive(Debug, Serialize)]
#[allow(missing_docs, reason = "as those of CallView")]
pub struct AgentView<'a> {
    pub agent_id: &'a str,
    pub agent_type: Option<&'a str>,
    pub started_at: Moment,
    pub ended_at: Option<Moment>,
    /// The id of the call that started the subagent.
    pub tool_use_id: Option<&'a str>,
    /// The id of the subagent that made that call.
    pub parent: Option<&'a str>,
    /// True if the result of the call named the subagent; otherwise the call is a guess by the
    /// order of events.
    pub linked: bool,
    /// Sums over the subagent and all subagents below it.
    pub subtree: SubtreeSums,
    pub runs: Vec<RunView<'a>>,
}

/// A stretch in which a subagent ran, from its start to its stop.
#[derive(Debug, Serialize)]
#[allow(missing_docs, reason = "as those of CallView")]
pub struct RunView<'a> {
    pub started_at: Moment,
    pub ended_at: Option<Moment>,
    /// The id of the call that started the subagent.
    pub tool_use_id: Option<&'a str>,
}

impl<'a> AgentView<'a> {
    fn of(activity: &Activity<'a>, agent: &Agent<'a>, subtrees: &Subtrees<'_>) -> Self {
        let call = |run: &AgentRun| activity.calls.get(run.call?);
        let run = |run: &AgentRun| RunView {
            started_at: run.began,
            ended_at: run.ended,
            tool_use_id: call(run).and_then(|call| call.tool_use_id),
        };
        let first = agent.runs.first();
        let starter = first.and_then(call);
        Self {
            agent_id: agent.agent_id,
            agent_type: agent.agent_type,
            started_at: agent.began,
            ended_at: agent.ended,
            tool_use_id: starter.and_then(|call| call.tool_use_id),
            parent: starter.and_then(|call| call.agent_id),
            linked: first.is_some_and(|run| run.is_linked),
            subtree: subtrees.of_agent(agent.agent_id),
            runs: agent.runs.iter().map(run).collect(),
        }
    }
}

/// A compaction of the context.
#[derive(Debug, Serialize)]
#[allow(missing_docs, reason = "as those of CallView")]
pub struct CompactionView<'a> {
    pub started_at: Moment,
    pub ended_at: Option<Moment>,
    pub trigger: Option<&'a str>,
}

impl<'a> From<&Compaction<'a>> for CompactionView<'a> {
    fn from(compaction: &Compaction<'a>) -> Self {
        Self {
            started_at: compaction.began,
            ended_at: compaction.ended,
            trigger: compaction.trigger,
        }
    }
}

/// A stretch in which one process owned the session.
#[derive(Debug, Serialize)]
#[allow(missing_docs, reason = "as those of CallView")]
pub struct SegmentView<'a> {
    pub started_at: Moment,
    pub ended_at: Option<Moment>,
    pub source: Option<&'a str>,
    pub reason: Option<&'a str>,
    pub pid: Option<u32>,
}

impl<'a> From<&Segment<'a>> for SegmentView<'a> {
    fn from(segment: &Segment<'a>) -> Self {
        Self {
            started_at: segment.began,
            ended_at: segment.ended,
            source: segment.source,
            reason: segment.reason,
            pid: segment.pid,
        }
    }
}

/// The activity of a session, with a selection of its calls.
#[derive(Debug, Serialize)]
#[allow(missing_docs, reason = "as those of CallView")]
pub struct ActivityView<'a> {
    pub calls: Vec<CallView<'a>>,
    pub prompts: Vec<PromptView<'a>>,
    pub agents: Vec<AgentView<'a>>,
    pub compactions: Vec<CompactionView<'a>>,
    pub segments: Vec<SegmentView<'a>>,
    pub events: u64,
    pub duplicates: u64,
}

impl<'a> ActivityView<'a> {
    /// Creates the view of `activity` with `calls`.
    pub fn new(activity: &Activity<'a>, calls: Vec<CallView<'a>>, subtrees: &Subtrees<'_>) -> Self {
        let agent = |agent| AgentView::of(activity, agent, subtrees);
        Self {
            calls,
            prompts: activity.prompts.iter().map(PromptView::from).collect(),
            agents: activity.agents.iter().map(agent).collect(),
            compactions: activity
                .compactions
                .iter()
                .map(CompactionView::from)
                .collect(),
            segments: activity.segments.iter().map(SegmentView::from).collect(),
            events: activity.events,
            duplicates: activity.duplicates,
        }
    }
}

pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
