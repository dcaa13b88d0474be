//! The data of a session's prompts, subagents, compactions and segments on a page.

use serde::{Serialize, Serializer};

use super::shown;
use crate::model::Activity;
use crate::model::activity::{Agent, AgentRun, Compaction, Prompt, Segment, TurnEnd};
use crate::model::call::{ClosingEvent, Moment};
use crate::view::subtree::{SubtreeSums, Subtrees};

/// The time of an event by two clocks. In JSON it is the pair `[ts, at]`, both in microseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PageMoment {
    /// The time of the wall clock, since 1970 in UTC.
    pub ts: i64,
    /// The time without jumps: that since the session's first event, correct even if the clock was
    /// set meanwhile.
    pub at: i64,
}

impl PageMoment {
    /// Converts a moment of a session. `zero` is `Moment::at` of the session's first event.
    pub fn new(moment: Moment, zero: i64) -> Self {
        Self {
            ts: moment.ts.micros(),
            at: moment.at.saturating_sub(zero),
        }
    }

    /// Returns how far the wall clock is ahead of the time without jumps.
    pub(super) fn ahead(self) -> i64 {
        self.ts.saturating_sub(self.at)
    }
}

impl Serialize for PageMoment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        [self.ts, self.at].serialize(serializer)
    }
}

/// A prompt, and the turn that followed it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[allow(
    missing_docs,
    reason = "docs/json.md describes the members of a prompt"
)]
pub struct PagePrompt {
    pub prompt_id: Option<String>,
    pub what: Option<String>,
    pub branch: Option<String>,
    pub at: PageMoment,
    pub notification: bool,
    pub task_id: Option<String>,
    pub ended: Option<PageMoment>,
    pub end: &'static str,
    pub error: Option<String>,
}

impl PagePrompt {
    pub(super) fn new(prompt: &Prompt<'_>, zero: i64) -> Self {
        let (end, error) = match prompt.end {
            TurnEnd::Open => ("open", None),
            TurnEnd::Stopped => ("stopped", None),
            TurnEnd::Failed(why) => ("failed", why),
            TurnEnd::Interrupted => ("interrupted", None),
        };
        Self {
            prompt_id: prompt.prompt_id.map(shown),
            what: prompt.what.map(shown),
            branch: prompt.branch.map(shown),
            at: PageMoment::new(prompt.at, zero),
            notification: prompt.notifies.is_some(),
            task_id: prompt.notifies.and_then(|it| it.task_id).map(shown),
            ended: prompt.ended.map(|ended| PageMoment::new(ended, zero)),
            end,
            error: error.map(shown),
        }
    }
}

/// A subagent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[allow(
    missing_docs,
    reason = "docs/json.md describes the members of a subagent"
)]
pub struct PageAgent {
    pub agent_id: String,
    pub agent_type: Option<String>,
    pub started: PageMoment,
    pub ended: Option<PageMoment>,
    pub parent: Option<String>,
    pub linked: bool,
    pub subtree: SubtreeSums,
    pub runs: Vec<PageRun>,
}

/// A stretch in which a subagent ran, from its start to its stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "as those of PageAgent")]
pub struct PageRun {
    pub started: PageMoment,
    pub ended: Option<PageMoment>,
    /// The index of the call that started the run, if a known call did.
    pub call: Option<usize>,
}

impl PageAgent {
    pub(super) fn new(
        activity: &Activity<'_>,
        agent: &Agent<'_>,
        subtrees: &Subtrees<'_>,
        zero: i64,
    ) -> Self {
        let moment = |moment| PageMoment::new(moment, zero);
        let run = |run: &AgentRun| PageRun {
            started: moment(run.began),
            ended: run.ended.map(moment),
            call: run.call,
        };
        let first = agent.runs.first();
        let starter = first.and_then(|run| activity.calls.get(run.call?));
        Self {
            agent_id: shown(agent.agent_id),
            agent_type: agent.agent_type.map(shown),
            started: moment(agent.began),
            ended: agent.ended.map(moment),
            parent: starter.and_then(|call| call.agent_id).map(shown),
            linked: first.is_some_and(|run| run.is_linked),
            subtree: subtrees.of_agent(agent.agent_id),
            runs: agent.runs.iter().map(run).collect(),
        }
    }
}

/// A compaction of the session's context.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "as those of PageAgent")]
pub struct PageCompaction {
    pub started: PageMoment,
    pub ended: Option<PageMoment>,
    pub trigger: Option<String>,
}

impl PageCompaction {
    pub(super) fn new(compaction: &Compaction<'_>, zero: i64) -> Self {
        Self {
            started: PageMoment::new(compaction.began, zero),
            ended: compaction.ended.map(|ended| PageMoment::new(ended, zero)),
            trigger: compaction.trigger.map(shown),
        }
    }
}

/// A segment: a stretch in which one Claude Code process ran the session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "as those of PageAgent")]
pub struct PageSegment {
    pub started: PageMoment,
    pub ended: Option<PageMoment>,
    pub source: Option<String>,
    pub reason: Option<String>,
    pub pid: Option<u32>,
}

impl PageSegment {
    pub(super) fn new(segment: &Segment<'_>, zero: i64) -> Self {
        Self {
            started: PageMoment::new(segment.began, zero),
            ended: segment.ended.map(|ended| PageMoment::new(ended, zero)),
            source: segment.source.map(shown),
            reason: segment.reason.map(shown),
            pid: segment.pid,
        }
    }
}

/// Returns `timeline --json`'s word for the event that ended a call.
pub(super) fn closing(closed: ClosingEvent) -> &'static str {
    match closed {
        ClosingEvent::ByItself => "by_itself",
        ClosingEvent::ByBatch => "by_batch",
        ClosingEvent::BySubagent => "by_subagent",
        ClosingEvent::ByTurn => "by_turn",
        ClosingEvent::ByPrompt => "by_prompt",
        ClosingEvent::BySession => "by_session",
        ClosingEvent::ByDeath => "by_death",
    }
}
