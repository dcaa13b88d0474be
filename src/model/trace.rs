//! All events of one session, in the order in which they happened: what the lines of a journal say, kept small.
//!
//! Lines come in the order of their writing, which is nearly that of the events: hooks of one moment run side by side, and
//! a clock may be set while a session runs. `mono`, the boot clock, tells the order, as far as it reaches.

use std::collections::HashSet;

use super::activity::Activity;
use super::boots::{TimeLine, role};
use super::call::Call;
use super::event::{Event, Outcome, VERSION, name};
use super::line::{Kind, Line};
use super::time::Timestamp;

/// The longest time since a boot that is believed, in microseconds: three hundred years.
const LONGEST_UP: u64 = 10_000_000_000_000_000;

/// The events of one session, in order.
#[derive(Debug, Default)]
pub struct Trace {
    text: String,
    steps: Vec<Step>,
    batches: Vec<Batched>,
    has_labels: bool,
    /// The least and the greatest distance between the clock and the boot clock.
    offsets: Option<(i64, i64)>,
    /// Whether there is an event without a boot clock.
    has_unclocked: bool,
}

/// One event. Its texts are in the trace.
#[derive(Debug, Clone, Copy, Default)]
pub struct Step {
    /// What it is.
    pub kind: Kind,
    /// When it was, by the clock of then.
    pub ts: Timestamp,
    /// Its place on a time line without jumps, in microseconds.
    pub at: i64,
    mono: Option<u64>,
    /// The client's process.
    pub pid: Option<u32>,
    /// How long the tool ran, as the client measured it, in milliseconds.
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
    /// `error`, `source`, `reason` or `trigger`: of these an event has one.
    pub(super) word: Span,
    /// `background`, or the task or agent that the event is about.
    pub(super) task: Span,
    pub(super) spawned_agent: Span,
    /// Where the calls of a batch are, and how many.
    batch: (u32, u32),
}

/// Where a text is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Span {
    start: u32,
    end: u32,
}

/// One call in a PostToolBatch.
#[derive(Debug, Clone, Copy)]
pub(super) struct Batched {
    pub(super) tool_use_id: Span,
    pub(super) tool: Span,
    pub(super) outcome: Option<Outcome>,
}

impl Trace {
    /// A trace that keeps all labels, for views that show single calls. Any keeps those of events that name no call: a
    /// copy is told by them.
    pub fn with_labels() -> Self {
        Self {
            has_labels: true,
            ..Self::default()
        }
    }

    /// Adds an event.
    pub fn push(&mut self, line: &Line<'_>) {
        let ts = line.ts.or_else(|| Some(self.steps.last()?.ts));
        let word = line.error.or(line.source).or(line.reason).or(line.trigger);
        let names_no_call = line.tool_use_id.is_none();
        let label = line.what.filter(|_| self.has_labels || names_no_call);
        let step = Step {
            kind: line.kind,
            ts: ts.unwrap_or_default(),
            at: 0,
            mono: line.mono,
            pid: line.pid,
            duration_ms: line.duration_ms,
            input_bytes: line.input_bytes,
            output_bytes: line.output_bytes,
            tool: self.keep(line.tool),
            tool_use_id: self.keep(line.tool_use_id),
            agent_id: self.keep(line.agent_id),
            agent_type: self.keep(line.agent_type),
            prompt_id: self.keep(line.prompt_id),
            what: label.map_or(Span::default(), |label| self.add(&label.text())),
            word: self.keep(word),
            task: self.keep(line.background.or(line.task_id)),
            spawned_agent: self.keep(line.spawned_agent),
            batch: self.keep_batch(line),
        };
        match step.clocks() {
            Some((offset, _)) => {
                let (least, greatest) = self.offsets.unwrap_or((offset, offset));
                self.offsets = Some((least.min(offset), greatest.max(offset)));
            }
            None => self.has_unclocked = true,
        }
        self.steps.push(step);
    }

    fn keep(&mut self, text: Option<&str>) -> Span {
        text.map_or(Span::default(), |text| self.add(text))
    }

    fn add(&mut self, text: &str) -> Span {
        let start = self.text.len();
        let place = |length: usize| u32::try_from(length).ok();
        // What does not fit below 4 GiB is left out, as if the line did not say it.
        let (Some(start), Some(end)) = (place(start), place(start + text.len())) else {
            return Span::default();
        };
        self.text.push_str(text);
        Span { start, end }
    }

    fn keep_batch(&mut self, line: &Line<'_>) -> (u32, u32) {
        let start = self.batches.len();
        for call in line.calls.iter() {
            let tool_use_id = self.keep(call.tool_use_id.as_deref());
            let tool = self.keep(call.tool.as_deref());
            self.batches.push(Batched {
                tool_use_id,
                tool,
                outcome: call.outcome,
            });
        }
        let place = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
        (place(start), place(self.batches.len()))
    }

    fn slice(&self, span: Span) -> &str {
        self.text
            .get(span.start as usize..span.end as usize)
            .unwrap_or_default()
    }

    /// The text at `span`; nothing where the event did not say it.
    pub(super) fn text(&self, span: Span) -> Option<&str> {
        Some(self.slice(span)).filter(|text| !text.is_empty())
    }

    /// Whether both are the same text.
    pub(super) fn is_same(&self, one: Span, other: Span) -> bool {
        one == other || self.slice(one) == self.slice(other)
    }

    /// The calls of a batch.
    pub(super) fn batch(&self, step: &Step) -> &[Batched] {
        let (start, end) = step.batch;
        self.batches
            .get(start as usize..end as usize)
            .unwrap_or_default()
    }

    /// How many events there are.
    pub fn len(&self) -> usize {
        self.steps.len()
    }

    /// Whether there is no event.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// The events, in order once [`Self::order`] was called.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// The events with which the running calls of `activity`, which is what this trace tells, began.
    pub fn beginnings(&self, activity: &Activity<'_>) -> Vec<Event> {
        let key = |call: &Call<'_>| {
            let id = call.tool_use_id.unwrap_or_default().to_owned();
            (call.began.at, id)
        };
        let mut running: HashSet<(i64, String)> = activity.open_calls().map(key).collect();
        let owned = |span| self.text(span).map(str::to_owned);
        let mut beginnings = Vec::new();
        for step in self.steps.iter().filter(|it| it.kind == Kind::PreToolUse) {
            if running.is_empty() {
                break;
            }
            let id = owned(step.tool_use_id).unwrap_or_default();
            if running.remove(&(step.at, id)) {
                beginnings.push(Event {
                    v: VERSION,
                    ts: Some(step.ts),
                    mono: step.mono,
                    event: name::PRE_TOOL_USE.to_owned(),
                    pid: step.pid,
                    tool: owned(step.tool),
                    tool_use_id: owned(step.tool_use_id),
                    agent_id: owned(step.agent_id),
                    agent_type: owned(step.agent_type),
                    prompt_id: owned(step.prompt_id),
                    input_bytes: step.input_bytes,
                    what: owned(step.what),
                    ..Event::default()
                });
            }
        }
        beginnings
    }

    /// Forgets everything, and keeps the memory for another session.
    pub fn clear(&mut self) {
        self.text.clear();
        self.steps.clear();
        self.batches.clear();
        self.offsets = None;
        self.has_unclocked = false;
    }

    /// Brings the events into the order in which they happened, whatever the order of their arrival.
    pub fn order(&mut self) {
        let time_line = TimeLine::of(&self.steps, self.offsets, !self.has_unclocked, |step| {
            role(step.kind, self.text(step.word))
        });
        for step in &mut self.steps {
            step.at = time_line.place(step);
        }
        if self
            .steps
            .is_sorted_by(|one, next| (one.at, one.mono) < (next.at, next.mono))
        {
            return;
        }
        let mut steps = std::mem::take(&mut self.steps);
        steps.sort_by(|one, other| self.compare(one, other));
        self.steps = steps;
    }

    /// The order of two steps: a total one, in which only what is equal is equal.
    fn compare(&self, one: &Step, other: &Step) -> std::cmp::Ordering {
        let rank = |step: &Step| (step.at, step.mono, step.kind, step.pid);
        let numbers = |step: &Step| {
            (
                step.ts,
                step.duration_ms,
                step.input_bytes,
                step.output_bytes,
            )
        };
        let texts = |step: &Step| {
            [
                step.agent_id,
                step.tool_use_id,
                step.tool,
                step.prompt_id,
                step.word,
                step.task,
            ]
            .map(|span| self.slice(span))
        };
        rank(one)
            .cmp(&rank(other))
            .then_with(|| texts(one).cmp(&texts(other)))
            .then_with(|| numbers(one).cmp(&numbers(other)))
    }
}

impl Step {
    /// Whether no hook told of it: a hook has a clock and knows its client.
    pub(super) fn is_imported(&self) -> bool {
        self.mono.is_none() && self.pid.is_none()
    }

    /// By how much the clock was ahead of the boot clock, and the boot clock, in microseconds.
    pub(super) fn clocks(&self) -> Option<(i64, i64)> {
        let mono = self.mono.filter(|mono| *mono <= LONGEST_UP)?;
        let mono = i64::try_from(mono).ok()?;
        Some((self.ts.micros().checked_sub(mono)?, mono))
    }
}
