//! All events of one session, in the order in which they happened, in little memory.
//!
//! A journal's lines are in the order of writing, which is nearly that of the events. But hooks of
//! the same moment run in parallel, and somebody may set the clock while a session runs. Within a
//! boot, `mono` (the boot clock) gives the order. So a [`TraceBuilder`] collects the events, and
//! only a [`Trace`], which has sorted them, can be read.

use super::boots::{TimeLine, role};
use super::line::{EventKind, JournalLine};
use super::step::{BatchedCall, FurtherMember, Span, Step};

/// The events of one session, in order.
#[derive(Debug, Default)]
pub struct Trace {
    collected: TraceBuilder,
}

/// The texts that every trace keeps of an event. An absent text is `None`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "docs/formats.md describes the fields")]
pub struct StepWords<'a> {
    pub tool: Option<&'a str>,
    pub tool_use_id: Option<&'a str>,
    pub agent_id: Option<&'a str>,
    pub agent_type: Option<&'a str>,
    pub prompt_id: Option<&'a str>,
    pub branch: Option<&'a str>,
    pub what: Option<&'a str>,
    /// The event's `background`, else its `task_id`.
    pub task: Option<&'a str>,
    pub spawned_agent: Option<&'a str>,
}

/// Collects the events of one session, in any order.
#[derive(Debug, Default)]
pub struct TraceBuilder {
    text: String,
    steps: Vec<Step>,
    batches: Vec<BatchedCall>,
    rest: Vec<(FurtherMember, Span)>,
    /// The last texts of each member whose text neighbouring events often share. Equal texts among
    /// them are stored only once.
    recent: [[Span; RECENT]; Shared::COUNT],
    has_labels: bool,
    has_rest: bool,
    /// The least and the greatest distance between the clock and the boot clock, in microseconds.
    offsets: Option<(i64, i64)>,
    /// True if at least one event has no boot clock.
    has_unclocked: bool,
}

/// With how many recent texts of the same member a new one is compared. Up to this many calls may
/// run at once without their ids being stored twice.
const RECENT: usize = 4;

/// A member of which neighbouring events often have the same text.
#[derive(Debug, Clone, Copy)]
enum Shared {
    Tool,
    ToolUseId,
    AgentId,
    AgentType,
    PromptId,
    Branch,
    Further,
}

impl Shared {
    const COUNT: usize = Self::Further as usize + 1;
}

impl TraceBuilder {
    /// Creates a builder that keeps all labels, for views that show single calls. Without this,
    /// only events that name no call keep their labels, so that copies of events can be recognised.
    pub fn with_labels() -> Self {
        Self {
            has_labels: true,
            ..Self::default()
        }
    }

    /// Creates a builder that also keeps all labels and each event's further members, for views
    /// that show single events.
    pub fn with_events() -> Self {
        Self {
            has_labels: true,
            has_rest: true,
            ..Self::default()
        }
    }

    /// Adds an event.
    pub fn push(&mut self, line: &JournalLine<'_>) {
        let ts = line.ts.or_else(|| Some(self.steps.last()?.ts));
        let word = line.error.or(line.source).or(line.reason);
        let word = word.or(line.trigger).or(line.notification_type);
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
            tool: self.share(Shared::Tool, line.tool),
            tool_use_id: self.share(Shared::ToolUseId, line.tool_use_id),
            agent_id: self.share(Shared::AgentId, line.agent_id),
            agent_type: self.share(Shared::AgentType, line.agent_type),
            prompt_id: self.share(Shared::PromptId, line.prompt_id),
            branch: self.share(Shared::Branch, line.branch),
            what: label.map_or(Span::default(), |label| self.add(&label.text())),
            word: self.keep(word),
            task: self.keep(line.background.or(line.task_id)),
            spawned_agent: self.keep(line.spawned_agent),
            batch: self.keep_batch(line),
            rest: self.keep_rest(line),
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

    /// Stores a text, unless one of the last events had the same.
    fn share(&mut self, member: Shared, text: Option<&str>) -> Span {
        let Some(text) = text else {
            return Span::default();
        };
        let recent = self.recent.get(member as usize).copied();
        let recent = recent.unwrap_or_default();
        if let Some(same) = recent.iter().find(|span| self.slice(**span) == text) {
            return *same;
        }
        let added = self.add(text);
        if let Some(recent) = self.recent.get_mut(member as usize) {
            recent.rotate_right(1);
            recent[0] = added;
        }
        added
    }

    fn add(&mut self, text: &str) -> Span {
        let start = self.text.len();
        let place = |length: usize| u32::try_from(length).ok();
        // A text that does not fit within 4 GiB is dropped, as if the line did not have it.
        let (Some(start), Some(end)) = (place(start), place(start + text.len())) else {
            return Span::default();
        };
        self.text.push_str(text);
        Span { start, end }
    }

    fn keep_batch(&mut self, line: &JournalLine<'_>) -> (u32, u32) {
        let start = self.batches.len();
        for call in line.calls.iter() {
            let tool_use_id = self.share(Shared::ToolUseId, call.tool_use_id.as_deref());
            let tool = self.share(Shared::Tool, call.tool.as_deref());
            self.batches.push(BatchedCall {
                tool_use_id,
                tool,
                outcome: call.outcome,
            });
        }
        let place = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
        (place(start), place(self.batches.len()))
    }

    fn keep_rest(&mut self, line: &JournalLine<'_>) -> (u32, u32) {
        if !self.has_rest {
            return (0, 0);
        }
        let start = self.rest.len();
        let members = [
            (
                FurtherMember::Event,
                Some(line.event).filter(|_| line.kind == EventKind::Other),
            ),
            (FurtherMember::Error, line.error),
            (FurtherMember::Source, line.source),
            (FurtherMember::Previous, line.previous),
            (FurtherMember::Reason, line.reason),
            (FurtherMember::Trigger, line.trigger),
            (FurtherMember::NotificationType, line.notification_type),
            (FurtherMember::Model, line.model),
            (FurtherMember::Revision, line.revision),
            (FurtherMember::Cwd, line.cwd),
            (FurtherMember::NewCwd, line.new_cwd),
            (FurtherMember::TraceParent, line.traceparent),
        ];
        for (member, text) in members {
            if text.is_some() {
                let text = self.share(Shared::Further, text);
                self.rest.push((member, text));
            }
        }
        let place = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
        (place(start), place(self.rest.len()))
    }

    /// Returns the number of events.
    pub fn len(&self) -> usize {
        self.steps.len()
    }

    /// Returns true if no event was added.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// Puts the events into the order in which they happened, whatever the order of their arrival.
    pub fn finish(mut self) -> Trace {
        let time_line = TimeLine::of(&self.steps, self.offsets, !self.has_unclocked, |step| {
            role(step.kind, self.text(step.word))
        });
        for step in &mut self.steps {
            step.at = time_line.place(step);
        }
        if !self
            .steps
            .is_sorted_by(|one, next| (one.at, one.mono) < (next.at, next.mono))
        {
            let mut steps = std::mem::take(&mut self.steps);
            steps.sort_by(|one, other| self.compare(one, other));
            self.steps = steps;
        }
        Trace { collected: self }
    }

    /// Compares two steps by time, kind, process, texts and numbers, and then by their batches and
    /// further members. Only identical steps compare as equal, and imported ones of one moment and
    /// thread: an import knows their order, which is that of their arrival.
    fn compare(&self, one: &Step, other: &Step) -> std::cmp::Ordering {
        let moment = |step: &Step| (step.at, step.mono, !step.is_imported());
        if moment(one) == moment(other) && one.is_imported() {
            return self.slice(one.agent_id).cmp(self.slice(other.agent_id));
        }
        let rank = |step: &Step| (step.kind, step.pid);
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
                step.agent_type,
                step.spawned_agent,
                step.branch,
                step.what,
            ]
            .map(|span| self.slice(span))
        };
        let batch = |step: &Step| {
            self.batch(step).iter().map(|call| {
                let texts = [call.tool_use_id, call.tool].map(|span| self.slice(span));
                (texts, call.outcome)
            })
        };
        let rest = |step: &Step| {
            let members = self.rest(step).iter();
            members.map(|(member, text)| (*member, self.slice(*text)))
        };
        moment(one)
            .cmp(&moment(other))
            .then_with(|| rank(one).cmp(&rank(other)))
            .then_with(|| texts(one).cmp(&texts(other)))
            .then_with(|| numbers(one).cmp(&numbers(other)))
            .then_with(|| batch(one).cmp(batch(other)))
            .then_with(|| rest(one).cmp(rest(other)))
    }

    fn batch(&self, step: &Step) -> &[BatchedCall] {
        let (start, end) = step.batch;
        let calls = self.batches.get(start as usize..end as usize);
        calls.unwrap_or_default()
    }

    fn rest(&self, step: &Step) -> &[(FurtherMember, Span)] {
        let (start, end) = step.rest;
        let members = self.rest.get(start as usize..end as usize);
        members.unwrap_or_default()
    }

    fn slice(&self, span: Span) -> &str {
        self.text
            .get(span.start as usize..span.end as usize)
            .unwrap_or_default()
    }

    fn text(&self, span: Span) -> Option<&str> {
        Some(self.slice(span)).filter(|text| !text.is_empty())
    }
}

impl Trace {
    /// Returns the text at `span`, or `None` if the event did not have it.
    pub(super) fn text(&self, span: Span) -> Option<&str> {
        self.collected.text(span)
    }

    /// Returns true if both are the same text.
    pub(super) fn is_same(&self, one: Span, other: Span) -> bool {
        one == other || self.collected.slice(one) == self.collected.slice(other)
    }

    /// Returns the calls of a batch.
    pub(super) fn batch(&self, step: &Step) -> &[BatchedCall] {
        self.collected.batch(step)
    }

    /// Returns the texts of an event. The label is among them if the builder kept labels.
    pub fn words(&self, step: &Step) -> StepWords<'_> {
        StepWords {
            tool: self.text(step.tool),
            tool_use_id: self.text(step.tool_use_id),
            agent_id: self.text(step.agent_id),
            agent_type: self.text(step.agent_type),
            prompt_id: self.text(step.prompt_id),
            branch: self.text(step.branch),
            what: self.text(step.what),
            task: self.text(step.task),
            spawned_agent: self.text(step.spawned_agent),
        }
    }

    /// Returns a further member of an event, if the builder kept such members.
    pub fn further(&self, step: &Step, member: FurtherMember) -> Option<&str> {
        let mut members = self.collected.rest(step).iter();
        let found = members.find(|(it, _)| *it == member);
        found.and_then(|(_, span)| self.text(*span))
    }

    /// Returns the ids of the calls that a batch reports.
    pub fn batched(&self, step: &Step) -> impl Iterator<Item = Option<&str>> {
        let calls = self.batch(step).iter();
        calls.map(|call| self.text(call.tool_use_id))
    }

    /// Returns the events, in order.
    pub fn steps(&self) -> &[Step] {
        &self.collected.steps
    }

    /// Returns a builder with the same events, so that more events can be added.
    pub fn reopen(self) -> TraceBuilder {
        self.collected
    }

    /// Returns an empty builder that reuses the memory, for another session.
    pub fn recycle(self) -> TraceBuilder {
        let TraceBuilder {
            mut text,
            mut steps,
            mut batches,
            mut rest,
            has_labels,
            has_rest,
            ..
        } = self.collected;
        text.clear();
        steps.clear();
        batches.clear();
        rest.clear();
        TraceBuilder {
            text,
            steps,
            batches,
            rest,
            has_labels,
            has_rest,
            ..TraceBuilder::default()
        }
    }
}
