//! One event of a session, of small and fixed size. The `Trace` that contains it stores the event's
//! texts.

use super::call::Moment;
use super::event::CallOutcome;
use super::line::EventKind;
use super::time::Timestamp;

/// The longest time since a boot that is accepted, in microseconds: about three hundred years.
const LONGEST_UP: u64 = 10_000_000_000_000_000;

/// One event of a session.
#[derive(Debug, Clone, Copy, Default)]
pub struct Step {
    /// The kind of the event.
    pub kind: EventKind,
    /// The time on the system's clock when the event happened.
    pub ts: Timestamp,
    /// The time of the event on a time line without jumps, in microseconds.
    pub at: i64,
    pub(super) mono: Option<u64>,
    /// The process id of Claude Code.
    pub pid: Option<u32>,
    /// How long the tool ran, as Claude Code measured it, in milliseconds.
    pub duration_ms: Option<u64>,
    /// The size of the tool's input in bytes.
    pub input_bytes: Option<u64>,
    /// The size of the tool's output in bytes.
    pub output_bytes: Option<u64>,
    pub(super) tool: Span,
    pub(super) tool_use_id: Span,
    pub(super) agent_id: Span,
    pub(super) agent_type: Span,
    pub(super) prompt_id: Span,
    pub(super) what: Span,
    /// The branch at a prompt or at the end of a turn.
    pub(super) branch: Span,
    /// `error`, `source`, `reason`, `trigger` or `notification_type`, the first that the event
    /// has.
    pub(super) word: Span,
    /// The event's `background`, or else the task or agent that the event is about.
    pub(super) task: Span,
    pub(super) spawned_agent: Span,
    /// The range of a PostToolBatch's calls in the trace: first index and end.
    pub(super) batch: (u32, u32),
    /// The range of the event's further members in the trace: first index and end.
    pub(super) rest: (u32, u32),
}

/// Where a text is in the trace, in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) start: u32,
    pub(super) end: u32,
}

/// A member of an event that only some views need.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "docs/formats.md describes the fields")]
pub enum FurtherMember {
    /// The name of an event that affects neither calls nor turns.
    Event,
    Error,
    Source,
    Previous,
    Reason,
    Trigger,
    NotificationType,
    Model,
    Revision,
    Cwd,
    NewCwd,
    TraceParent,
}

/// One call in a PostToolBatch.
#[derive(Debug, Clone, Copy)]
pub(super) struct BatchedCall {
    pub(super) tool_use_id: Span,
    pub(super) tool: Span,
    pub(super) outcome: Option<CallOutcome>,
}

impl Step {
    /// Returns the boot clock, in microseconds.
    pub fn mono(&self) -> Option<u64> {
        self.mono
    }

    /// Returns when the event happened, by the clock and on the time line.
    pub(super) fn moment(&self) -> Moment {
        Moment {
            ts: self.ts,
            at: self.at,
        }
    }

    /// Returns true if an import created the event. An event of a hook has a boot clock and a
    /// process id.
    pub(super) fn is_imported(&self) -> bool {
        self.mono.is_none() && self.pid.is_none()
    }

    /// Returns how far the system's clock was ahead of the boot clock, and the boot clock itself,
    /// in microseconds.
    pub(super) fn clocks(&self) -> Option<(i64, i64)> {
        let mono = self.mono.filter(|mono| *mono <= LONGEST_UP)?;
        let mono = i64::try_from(mono).ok()?;
        Some((self.ts.micros().checked_sub(mono)?, mono))
    }
}
