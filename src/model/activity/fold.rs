//! The fold: computes an activity from events in order, one event at a time.

use std::collections::HashMap;
use std::time::Duration;

use super::by_process::ByProcess;
use super::copies::{
    SAME_MOMENT, SAME_WHILE, is_prompt_again, is_run_again, is_same_moment, is_start_again,
};
use super::parts::{Activity, Agent, AgentRun, Compaction, Notification, Prompt, TurnEnd};
use super::running::{CallScope, Running, ToolUse};
use super::segments::Segments;
use crate::claude::words::is_clients_own_agent;
use crate::model::call::{Call, CallState, ClosingEvent, Moment, has_unique_id};
use crate::model::event::{CallOutcome, tasks_in};
use crate::model::line::EventKind;
use crate::model::step::{BatchedCall, Span, Step};
use crate::model::time::Timestamp;
use crate::model::trace::Trace;

/// How many of the last calls are searched linearly, before the index of all calls is used.
const NEAR: usize = 16;

/// Computes the activity from the events of `trace`. Searches up to `few` running calls linearly,
/// and more by an index.
pub(super) fn fold(trace: &Trace, few: usize) -> Activity<'_> {
    let mut fold = Fold::new(trace, few);
    for (place, step) in trace.steps().iter().enumerate() {
        fold.step(place, step);
    }
    Activity {
        segments: fold.segments.into_vec(),
        ..fold.activity
    }
}

struct Fold<'a> {
    trace: &'a Trace,
    /// The index in the trace of the event that is being folded.
    place: usize,
    activity: Activity<'a>,
    /// The id and the agent of each call, at the same index as the call.
    ids: Vec<(Span, Span)>,
    /// The running calls.
    open: Running<'a>,
    /// The index of each call by id and agent. It is filled only when a search goes back more than
    /// `NEAR` calls.
    index: HashMap<(&'a str, &'a str), usize>,
    indexed: usize,
    /// The index of each call whose end came before its beginning, by id and agent.
    unbegun: HashMap<(&'a str, &'a str), usize>,
    /// The index of each subagent, by its id.
    agents: HashMap<&'a str, usize>,
    /// The index of the last call that left a background task running, by the task's id.
    left_behind: HashMap<&'a str, usize>,
    /// The index of the prompts by process.
    prompts: ByProcess,
    segments: Segments<'a>,
}

impl<'a> Fold<'a> {
    fn new(trace: &'a Trace, few: usize) -> Self {
        Self {
            trace,
            place: 0,
            activity: Activity::default(),
            ids: Vec::new(),
            open: Running::new(few),
            index: HashMap::new(),
            indexed: 0,
            unbegun: HashMap::new(),
            agents: HashMap::new(),
            left_behind: HashMap::new(),
            prompts: ByProcess::default(),
            segments: Segments::default(),
        }
    }

    fn step(&mut self, place: usize, step: &Step) {
        let now = step.moment();
        self.place = place;
        self.activity.events += 1;
        let (_, last) = self.activity.span.get_or_insert((now, now));
        *last = now;
        if self.is_copy(place, step) {
            self.note_copy();
            return;
        }
        self.segments.note(step, self.trace.text(step.word), now);
        // Ignore the SubagentStop of a subagent that never started: every compaction ends with one.
        if let Some(agent_id) = self
            .trace
            .text(step.agent_id)
            .filter(|_| step.kind != EventKind::SubagentStop)
        {
            self.agent(agent_id, step, now);
        }
        match step.kind {
            EventKind::PreToolUse => self.begin(step, now),
            EventKind::PermissionRequest => self.ask(step, now),
            EventKind::PermissionDenied => self.end(step, now, CallState::Denied),
            EventKind::PostToolUse if self.is_left_behind(step) => {
                self.end(step, now, CallState::Backgrounded)
            }
            EventKind::PostToolUse => self.end(step, now, CallState::Ok),
            EventKind::PostToolUseFailure => self.end(step, now, CallState::Failed),
            EventKind::PostToolBatch => self.batch(step, now),
            EventKind::UserPromptSubmit => self.prompt(step, now),
            // An import writes this word if a person interrupted the turn.
            EventKind::Stop if self.trace.text(step.word) == Some("interrupted") => {
                self.turn_over(step, now, TurnEnd::Interrupted)
            }
            EventKind::Stop => self.turn_over(step, now, TurnEnd::Stopped),
            EventKind::StopFailure => {
                self.turn_over(step, now, TurnEnd::Failed(self.trace.text(step.word)))
            }
            EventKind::SubagentStop => self.agent_ends(step, now),
            EventKind::SessionEnd => self.session_ends(step, now),
            EventKind::PreCompact => self.activity.compactions.push(Compaction {
                began: now,
                ended: None,
                trigger: self.trace.text(step.word),
            }),
            EventKind::PostCompact => {
                if let Some(last) = self.activity.compactions.last_mut() {
                    last.ended.get_or_insert(now);
                }
            }
            // An imported report that a background task has ended, from the middle of a turn.
            EventKind::Other => {
                let task = self.notifies(step).and_then(|notified| notified.task_id);
                self.background_over(task, now);
            }
            EventKind::SubagentStart
            | EventKind::SessionStart
            | EventKind::RunStart
            | EventKind::RunEnd
            | EventKind::ClockIn
            | EventKind::CwdChanged
            | EventKind::Notification
            | EventKind::Elicitation
            | EventKind::ElicitationResult => {}
        }
    }

    /// Counts the present event as a copy of another one.
    fn note_copy(&mut self) {
        self.activity.duplicates += 1;
        self.activity.copies.push(self.place);
    }

    /// Returns true if this is a copy of an event that another hook recorded. Does not handle
    /// events that name a call: the functions that handle them recognise copies by the call's id.
    fn is_copy(&self, place: usize, step: &Step) -> bool {
        match step.kind {
            // Imported events have no copies: two prompts with the same time are different ones.
            _ if step.is_imported() => false,
            EventKind::UserPromptSubmit if self.is_prompt_again(step) => true,
            EventKind::SubagentStart if self.is_run_again(step) => true,
            EventKind::SessionStart if self.is_start_again(step) => true,
            EventKind::SessionStart
            | EventKind::SessionEnd
            | EventKind::UserPromptSubmit
            | EventKind::SubagentStart
            | EventKind::SubagentStop
            | EventKind::Stop
            | EventKind::StopFailure
            | EventKind::PreCompact
            | EventKind::PostCompact
            | EventKind::CwdChanged
            | EventKind::PermissionRequest => is_same_moment(self.trace, place, step),
            EventKind::PreToolUse
            | EventKind::PostToolUse
            | EventKind::PostToolUseFailure
            | EventKind::PermissionDenied
                if self.trace.text(step.tool_use_id).is_none() =>
            {
                // Two calls of the same tool may run in parallel, and only details distinguish
                // them. Without details, an event that ends a running call is not a copy.
                let is_distinct = self.trace.text(step.what).is_some()
                    || step.input_bytes.is_some()
                    || step.output_bytes.is_some()
                    || step.duration_ms.is_some();
                let ends_none =
                    step.kind != EventKind::PreToolUse && self.find_unnamed(step).is_none();
                (is_distinct || ends_none) && is_same_moment(self.trace, place, step)
            }
            _ => false,
        }
    }

    fn is_prompt_again(&self, step: &Step) -> bool {
        let last = self.prompts.last(step.pid);
        let last = last.and_then(|place| self.activity.prompts.get(place));
        last.is_some_and(|last| is_prompt_again(last, &self.new_prompt(step), step))
    }

    fn is_run_again(&self, step: &Step) -> bool {
        let id = self.trace.text(step.agent_id);
        let place = id.and_then(|id| self.agents.get(id));
        let agent = place.and_then(|place| self.activity.agents.get(*place));
        agent.is_some_and(|agent| is_run_again(agent, step))
    }

    fn is_start_again(&self, step: &Step) -> bool {
        let source = self.trace.text(step.word);
        let last = self.segments.last(step.pid);
        last.is_some_and(|last| is_start_again(last, source, step))
    }

    /// Returns the index of the running call of this agent with this id.
    fn find_open(&self, agent: Span, id: Span) -> Option<usize> {
        let is_it = |place: usize| {
            self.ids
                .get(place)
                .is_some_and(|ids| self.is_same(*ids, (id, agent)))
        };
        self.open
            .find(is_it, || (self.trace.text(id), self.trace.text(agent)))
    }

    fn is_same(&self, one: (Span, Span), other: (Span, Span)) -> bool {
        self.trace.is_same(one.0, other.0) && self.trace.is_same(one.1, other.1)
    }

    /// Returns the index of the last call of this agent with this id.
    fn find(&mut self, agent: Span, id: Span) -> Option<usize> {
        if let Some(open) = self.find_open(agent, id) {
            return Some(open);
        }
        let near = self.ids.len().saturating_sub(NEAR);
        let recent = self.ids.get(near..).unwrap_or_default();
        if let Some(place) = recent
            .iter()
            .rposition(|ids| self.is_same(*ids, (id, agent)))
        {
            return Some(near + place);
        }
        let trace = self.trace;
        let key = |id: Span, agent: Span| {
            (
                trace.text(id).unwrap_or_default(),
                trace.text(agent).unwrap_or_default(),
            )
        };
        for (place, (id, agent)) in self.ids.iter().enumerate().take(near).skip(self.indexed) {
            self.index.insert(key(*id, *agent), place);
        }
        self.indexed = self.indexed.max(near);
        self.index.get(&key(id, agent)).copied()
    }

    fn find_call(&mut self, step: &Step) -> Option<usize> {
        if self.trace.text(step.tool_use_id).is_some() {
            return self.find(step.agent_id, step.tool_use_id);
        }
        self.find_unnamed(step)
    }

    /// Returns the index of the call that an event without a call id belongs to. Old versions of
    /// Claude Code send no ids. The calls of a tool are then assumed to end in the order in which
    /// they began.
    fn find_unnamed(&self, step: &Step) -> Option<usize> {
        self.open
            .oldest_unnamed(&self.activity.calls, self.tool_use(step))
    }

    fn tool_use(&self, step: &Step) -> ToolUse<'a> {
        ToolUse {
            agent: self.trace.text(step.agent_id),
            tool: self.trace.text(step.tool),
            pid: step.pid,
        }
    }

    fn add(&mut self, call: Call<'a>, id: Span, agent: Span) {
        let is_running = call.state == CallState::Running;
        self.activity.calls.push(call);
        self.ids.push((id, agent));
        if is_running {
            self.open.push(&self.activity.calls);
        }
    }

    fn new_call(&self, step: &Step, now: Moment) -> Call<'a> {
        let text = |span| self.trace.text(span);
        Call {
            tool_use_id: text(step.tool_use_id),
            tool: text(step.tool),
            what: text(step.what),
            agent_id: text(step.agent_id),
            prompt_id: text(step.prompt_id),
            pid: step.pid,
            began: now,
            has_begun: false,
            ended: None,
            state: CallState::Running,
            closed: None,
            error: None,
            execution: None,
            asked: None,
            input_bytes: step.input_bytes,
            output_bytes: None,
            background: None,
            background_ended: None,
            spawned_agent: text(step.spawned_agent),
            is_recorded: !step.is_imported(),
            in_batch: false,
        }
    }

    fn begin(&mut self, step: &Step, now: Moment) {
        let has_id = self.trace.text(step.tool_use_id).is_some();
        if has_id && self.find_open(step.agent_id, step.tool_use_id).is_some() {
            self.note_copy();
            return;
        }
        if self.begins_late(step, now) {
            return;
        }
        let call = Call {
            has_begun: true,
            ..self.new_call(step, now)
        };
        self.add(call, step.tool_use_id, step.agent_id);
    }

    /// Gives a call that has already ended its beginning. Hooks of one moment run in parallel, and a
    /// clock may be set back, so that the end has the earlier time. Ids that are not unique may be
    /// those of another call, unless both events are of one moment. Returns false if there is no
    /// such call.
    fn begins_late(&mut self, step: &Step, now: Moment) -> bool {
        if self.unbegun.is_empty() {
            return false;
        }
        let key = self.call_key(step);
        let Some(place) = self.unbegun.get(&key).copied() else {
            return false;
        };
        let begun = self.new_call(step, now);
        let Some(call) = self.activity.calls.get_mut(place) else {
            return false;
        };
        let is_near = call
            .ended
            .is_some_and(|ended| now.at - ended.at <= SAME_MOMENT);
        if !is_near && !has_unique_id(key.0) {
            return false;
        }
        if call.has_begun {
            self.note_copy();
            return true;
        }
        call.has_begun = true;
        call.is_recorded |= begun.is_recorded;
        call.tool = call.tool.or(begun.tool);
        call.what = call.what.or(begun.what);
        call.prompt_id = call.prompt_id.or(begun.prompt_id);
        call.input_bytes = call.input_bytes.or(begun.input_bytes);
        call.spawned_agent = call.spawned_agent.or(begun.spawned_agent);
        true
    }

    fn call_key(&self, step: &Step) -> (&'a str, &'a str) {
        let text = |span| self.trace.text(span).unwrap_or_default();
        (text(step.tool_use_id), text(step.agent_id))
    }

    /// Records a permission request. The event names no call, so it is assigned to the oldest call
    /// of the same tool that has no request yet, if possible to one with the same size of input.
    fn ask(&mut self, step: &Step, now: Moment) {
        let calls = &self.activity.calls;
        let place = self.open.ask(calls, self.tool_use(step), step.input_bytes);
        if let Some(call) = place.and_then(|place| self.activity.calls.get_mut(place)) {
            call.asked = Some(now);
            call.is_recorded |= !step.is_imported();
        }
    }

    fn is_left_behind(&self, step: &Step) -> bool {
        self.trace.text(step.task).is_some()
    }

    /// Ends a call with its own end event.
    fn end(&mut self, step: &Step, now: Moment, state: CallState) {
        let trace = self.trace;
        let execution = step.duration_ms.map(Duration::from_millis);
        let place = self.find_call(step).unwrap_or_else(|| {
            let ran = i64::try_from(step.duration_ms.unwrap_or(0))
                .unwrap_or(0)
                .saturating_mul(1000);
            let began = Moment {
                ts: Timestamp::from_micros(now.ts.micros().saturating_sub(ran)),
                at: now.at.saturating_sub(ran),
            };
            self.add(self.new_call(step, began), step.tool_use_id, step.agent_id);
            let place = self.activity.calls.len() - 1;
            let key = self.call_key(step);
            if !key.0.is_empty() {
                self.unbegun.insert(key, place);
            }
            place
        });
        let closed = self.activity.calls.get(place).map(|call| call.closed);
        if closed == Some(Some(ClosingEvent::ByItself)) {
            self.note_copy();
            return;
        }
        self.open.remove(place, &self.activity.calls);
        let Some(call) = self.activity.calls.get_mut(place) else {
            return;
        };
        call.is_recorded |= !step.is_imported();
        call.state = state;
        call.closed = Some(ClosingEvent::ByItself);
        call.ended = Some(now);
        call.error = trace.text(step.word).filter(|_| state == CallState::Failed);
        call.execution = execution;
        call.input_bytes = call.input_bytes.or(step.input_bytes);
        call.output_bytes = step.output_bytes;
        call.background = trace.text(step.task);
        call.spawned_agent = trace.text(step.spawned_agent).or(call.spawned_agent);
        if let Some(task) = call.background {
            self.left_behind.insert(task, place);
        }
    }

    /// Ends all calls of a message, because its `PostToolBatch` has come. Calls that were refused
    /// or invalid appear only in this event.
    fn batch(&mut self, step: &Step, now: Moment) {
        let mut news = 0;
        for batched in self.trace.batch(step) {
            if self.batched(step, now, batched) {
                news += 1;
            }
        }
        if news == 0 && !self.trace.batch(step).is_empty() {
            self.note_copy();
        }
    }

    /// Ends one call of a batch, unless its own event has ended it. Returns true if no earlier
    /// batch event contained the call.
    fn batched(&mut self, step: &Step, now: Moment, batched: &BatchedCall) -> bool {
        let trace = self.trace;
        let known = self.find(step.agent_id, batched.tool_use_id);
        let place = known.unwrap_or_else(|| {
            let call = Call {
                tool_use_id: trace.text(batched.tool_use_id),
                tool: trace.text(batched.tool),
                ..self.new_call(step, now)
            };
            self.add(call, batched.tool_use_id, step.agent_id);
            self.activity.calls.len() - 1
        });
        let Some(call) = self.activity.calls.get_mut(place) else {
            return false;
        };
        call.is_recorded |= !step.is_imported();
        if std::mem::replace(&mut call.in_batch, true) {
            return false;
        }
        if call.closed != Some(ClosingEvent::ByItself) {
            self.open.remove(place, &self.activity.calls);
            let Some(call) = self.activity.calls.get_mut(place) else {
                return false;
            };
            call.state = match batched.outcome {
                Some(CallOutcome::Failed) => CallState::Failed,
                Some(CallOutcome::Denied) => CallState::Denied,
                // A call that ran has its own end event before the batch. This call has none, so it
                // was denied, whatever its result says.
                None if call.has_begun => CallState::Denied,
                None => CallState::Ok,
            };
            call.closed = Some(ClosingEvent::ByBatch);
            call.error = Some("other").filter(|_| call.state == CallState::Failed);
            call.ended = Some(now);
        }
        true
    }

    /// Returns the report of a background task's end that the prompt consists of, or `None` if a
    /// person wrote the prompt.
    fn notifies(&self, step: &Step) -> Option<Notification<'a>> {
        let task_id = self.trace.text(step.task);
        let word = self.trace.text(step.word);
        (word == Some("task-notification")).then_some(Notification { task_id })
    }

    fn prompt(&mut self, step: &Step, now: Moment) {
        let notifies = self.notifies(step);
        if let Some(notified) = notifies {
            self.background_over(notified.task_id, now);
        } else {
            self.abandon(
                now,
                ClosingEvent::ByPrompt,
                CallScope::Thread(None, step.pid),
            );
            self.end_turns(step.pid, now, TurnEnd::Interrupted);
        }
        self.prompts.push(step.pid);
        self.activity.prompts.push(self.new_prompt(step));
    }

    fn new_prompt(&self, step: &Step) -> Prompt<'a> {
        Prompt {
            prompt_id: self.trace.text(step.prompt_id),
            what: self.trace.text(step.what),
            branch: self.trace.text(step.branch),
            at: step.moment(),
            notifies: self.notifies(step),
            ended: None,
            end: TurnEnd::Open,
            pid: step.pid,
        }
    }

    fn turn_over(&mut self, step: &Step, now: Moment, end: TurnEnd<'a>) {
        let agent = self.trace.text(step.agent_id);
        let closed = if agent.is_some() {
            ClosingEvent::BySubagent
        } else {
            ClosingEvent::ByTurn
        };
        self.abandon(now, closed, CallScope::Thread(agent, step.pid));
        if agent.is_none() {
            self.end_turns(step.pid, now, end);
        }
    }

    /// Ends the open turns of a process. If the last turn has already ended, gives it the new end:
    /// a Stop hook may make the model continue, so that the turn ends again.
    fn end_turns(&mut self, pid: Option<u32>, now: Moment, end: TurnEnd<'a>) {
        let prompts = &mut self.activity.prompts;
        let mut of_client = self.prompts.latest(pid);
        let last = of_client.next().and_then(|place| prompts.get_mut(place));
        let Some(last) = last else {
            return;
        };
        if last.end == TurnEnd::Open || end != TurnEnd::Interrupted {
            last.end = end;
            last.ended = Some(now);
        }
        for place in of_client {
            match prompts.get_mut(place) {
                Some(earlier) if earlier.end == TurnEnd::Open => {
                    earlier.end = end;
                    earlier.ended = Some(now);
                }
                _ => break,
            }
        }
    }

    /// Records an event of a subagent. The event begins a new run if it is a start, the subagent's
    /// first event, or a call after the last run has ended.
    fn agent(&mut self, agent_id: &'a str, step: &Step, now: Moment) {
        if is_clients_own_agent(agent_id) {
            return;
        }
        let agents = &mut self.activity.agents;
        let place = *self.agents.entry(agent_id).or_insert(agents.len());
        if place == agents.len() {
            agents.push(Agent {
                agent_id,
                agent_type: None,
                began: now,
                ended: None,
                runs: Vec::new(),
                pid: None,
            });
        }
        let Some(agent) = agents.get_mut(place) else {
            return;
        };
        agent.pid = step.pid.or(agent.pid);
        agent.agent_type = agent
            .agent_type
            .or_else(|| self.trace.text(step.agent_type));
        let is_start = step.kind == EventKind::SubagentStart;
        match agent.runs.last_mut() {
            // Another event of this run may have been recorded before its start.
            Some(run)
                if is_start
                    && !run.has_begun
                    && run.ended.is_none()
                    && now.at - run.began.at <= SAME_WHILE =>
            {
                run.has_begun = true;
            }
            Some(run)
                if !is_start && (step.kind != EventKind::PreToolUse || run.ended.is_none()) => {}
            _ => {
                agent.ended = None;
                agent.runs.push(AgentRun {
                    began: now,
                    ended: None,
                    call: None,
                    is_linked: false,
                    has_begun: is_start,
                    is_imported: step.is_imported(),
                });
            }
        }
    }

    fn agent_ends(&mut self, step: &Step, now: Moment) {
        let Some(agent_id) = self.trace.text(step.agent_id) else {
            return;
        };
        let whose = CallScope::Thread(Some(agent_id), None);
        self.abandon(now, ClosingEvent::BySubagent, whose);
        let place = self.agents.get(agent_id);
        if let Some(agent) = place.and_then(|place| self.activity.agents.get_mut(*place)) {
            agent.end(now);
        }
        self.background_over(Some(agent_id), now);
    }

    fn background_over(&mut self, task_id: Option<&str>, now: Moment) {
        for task in task_id.into_iter().flat_map(tasks_in) {
            let place = self.left_behind.get(task);
            if let Some(call) = place.and_then(|place| self.activity.calls.get_mut(*place)) {
                call.background_ended.get_or_insert(now);
            }
        }
    }

    fn session_ends(&mut self, step: &Step, now: Moment) {
        self.abandon(now, ClosingEvent::BySession, CallScope::Process(step.pid));
        self.end_turns(step.pid, now, TurnEnd::Interrupted);
        self.segments.end(step.pid, self.trace.text(step.word), now);
    }

    /// Marks running calls as abandoned.
    fn abandon(&mut self, now: Moment, closed: ClosingEvent, whose: CallScope<'_>) {
        for place in self.open.take(&self.activity.calls, whose) {
            if let Some(call) = self.activity.calls.get_mut(place) {
                call.state = CallState::Abandoned;
                call.closed = Some(closed);
                call.ended = Some(now);
            }
        }
    }
}
