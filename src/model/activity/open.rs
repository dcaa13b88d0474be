//! The activity that follows from the events alone. No event reports that a process died, so the
//! calls, turns and segments of dead processes are still open.

use std::collections::HashSet;

use super::by_process::ByProcess;
use super::fold::fold;
use super::link;
use super::parts::{Activity, TurnEnd};
use super::running::FEW;
use crate::model::call::{Call, CallState, ClosingEvent};
use crate::model::event::{Event, VERSION, name};
use crate::model::line::EventKind;
use crate::model::step::Step;
use crate::model::trace::Trace;

/// The activity that follows from the events of a trace alone. The calls, turns and segments of
/// dead processes have no end yet.
#[derive(Debug)]
pub struct OpenActivity<'a> {
    trace: &'a Trace,
    activity: Activity<'a>,
}

impl<'a> OpenActivity<'a> {
    /// Computes the activity from the events of `trace`.
    pub fn of(trace: &'a Trace) -> Self {
        Self::with_few(trace, FEW)
    }

    /// Does the same as [`Self::of`] with another threshold: up to `few` running calls are searched
    /// linearly, and more of them through an index.
    pub(super) fn with_few(trace: &'a Trace, few: usize) -> Self {
        let mut activity = fold(trace, few);
        link::agents(&activity.calls, &mut activity.agents);
        Self { trace, activity }
    }

    /// Ends everything that is still open in processes that no longer own the session. `has_it`
    /// must return whether the process with this pid owns the session, and for `None`, whether any
    /// process does.
    pub fn close(self, has_it: impl Fn(Option<u32>) -> bool) -> Activity<'a> {
        let mut activity = self.activity;
        let Some((_, last)) = activity.span else {
            return activity;
        };
        let segments = &mut activity.segments;
        for segment in segments.iter_mut().filter(|segment| !has_it(segment.pid)) {
            segment.ended.get_or_insert(segment.last);
        }
        let mut by_process = ByProcess::default();
        segments.iter().for_each(|it| by_process.push(it.pid));
        let last_of = |pid: Option<u32>| {
            let of_pid = by_process.latest(pid).next();
            let segment = of_pid.and_then(|place| segments.get(place));
            segment.and_then(|segment| segment.ended).unwrap_or(last)
        };
        for call in &mut activity.calls {
            if call.state == CallState::Running && !has_it(call.pid) {
                call.state = CallState::Abandoned;
                call.closed = Some(ClosingEvent::ByDeath);
                call.ended = Some(last_of(call.pid));
            }
        }
        for agent in &mut activity.agents {
            if agent.ended.is_none() && !has_it(agent.pid) {
                agent.end(last_of(agent.pid));
            }
        }
        for prompt in &mut activity.prompts {
            if prompt.end == TurnEnd::Open && !has_it(prompt.pid) {
                prompt.end = TurnEnd::Interrupted;
                prompt.ended = Some(last_of(prompt.pid));
            }
        }
        activity
    }

    /// Returns whether anything is open: a call, a turn, a subagent or a segment.
    pub fn is_open(&self) -> bool {
        let activity = &self.activity;
        self.open_calls().next().is_some()
            || activity.segments.iter().any(|it| it.ended.is_none())
            || activity.agents.iter().any(|it| it.ended.is_none())
            || activity.prompts.iter().any(|it| it.end == TurnEnd::Open)
    }

    /// Returns the activity with everything left open that no event has ended.
    pub fn leave_open(self) -> Activity<'a> {
        self.activity
    }

    /// Returns the calls that have begun and not ended.
    pub fn open_calls(&self) -> impl Iterator<Item = &Call<'a>> {
        self.activity.open_calls()
    }

    /// Returns the events with which the open calls began, and their permission requests, in order.
    pub fn beginnings(&self) -> Vec<Event> {
        let key = |call: &Call<'_>| {
            let id = call.tool_use_id.unwrap_or_default().to_owned();
            (call.began.at, id)
        };
        let mut running: HashSet<(i64, String)> = self.open_calls().map(key).collect();
        let asked = |call: &Call<'_>| call.asked.map(|asked| asked.at);
        let mut asked: HashSet<i64> = self.open_calls().filter_map(asked).collect();
        let mut beginnings = Vec::new();
        for step in self.trace.steps() {
            if running.is_empty() && asked.is_empty() {
                break;
            }
            let is_kept = match step.kind {
                EventKind::PreToolUse => {
                    let id = self.trace.text(step.tool_use_id).unwrap_or_default();
                    running.remove(&(step.at, id.to_owned()))
                }
                EventKind::PermissionRequest => asked.remove(&step.at),
                _ => false,
            };
            if is_kept {
                beginnings.push(self.event(step));
            }
        }
        beginnings
    }

    /// Rebuilds the start event or permission request of a call from its step.
    fn event(&self, step: &Step) -> Event {
        let owned = |span| self.trace.text(span).map(str::to_owned);
        let name = match step.kind {
            EventKind::PermissionRequest => name::PERMISSION_REQUEST,
            _ => name::PRE_TOOL_USE,
        };
        Event {
            v: VERSION,
            ts: Some(step.ts),
            mono: step.mono,
            event: name.to_owned(),
            pid: step.pid,
            tool: owned(step.tool),
            tool_use_id: owned(step.tool_use_id),
            agent_id: owned(step.agent_id),
            agent_type: owned(step.agent_type),
            prompt_id: owned(step.prompt_id),
            input_bytes: step.input_bytes,
            what: owned(step.what),
            ..Event::default()
        }
    }
}
