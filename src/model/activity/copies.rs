//! Recognises copies of events. If hooks are registered more than once, each of them records every
//! event.

use super::parts::{Agent, Prompt, Segment, TurnEnd};
use crate::claude::words::StartSource;
use crate::model::step::Step;
use crate::model::trace::Trace;

/// How close in time equal events must be, in microseconds, to count as one event that several
/// hooks recorded.
pub(super) const SAME_MOMENT: i64 = 250_000;
/// The same limit, in microseconds, for prompts and for starts of subagents and sessions. It can be
/// longer, because these events name their subject. A copy comes late if its hook had to wait.
pub(super) const SAME_WHILE: i64 = 10_000_000;
/// The most earlier events that an event is compared with.
const MOST_IN_A_MOMENT: usize = 1000;

/// Returns true if an equal event happened at most [`SAME_MOMENT`] before `step`, which is at the
/// index `place`.
pub(super) fn is_same_moment(trace: &Trace, place: usize, step: &Step) -> bool {
    let earlier = trace.steps().get(..place).unwrap_or_default();
    let is_copy = |other: &Step| {
        let texts = |step: &Step| {
            [
                step.agent_id,
                step.prompt_id,
                step.word,
                step.task,
                step.tool,
                step.what,
            ]
        };
        let numbers = |step: &Step| (step.duration_ms, step.input_bytes, step.output_bytes);
        let pairs = texts(other).into_iter().zip(texts(step));
        other.kind == step.kind
            && other.pid == step.pid
            && numbers(other) == numbers(step)
            && pairs
                .into_iter()
                .all(|(one, other)| trace.is_same(one, other))
    };
    earlier
        .iter()
        .rev()
        .take(MOST_IN_A_MOMENT)
        .take_while(|other| step.at - other.at <= SAME_MOMENT)
        .any(is_copy)
}

/// Returns true if `prompt`, made from `step`, is a copy of the `last` prompt of the process. The
/// turn of that one must be open, or must have begun at most [`SAME_WHILE`] before.
pub(super) fn is_prompt_again(last: &Prompt<'_>, prompt: &Prompt<'_>, step: &Step) -> bool {
    let is_same = prompt.prompt_id.is_some()
        && last.prompt_id == prompt.prompt_id
        && last.notifies == prompt.notifies;
    is_same && (last.end == TurnEnd::Open || step.at - last.at.at <= SAME_WHILE)
}

/// Returns true if `step`, the start of `agent`, is a copy: the subagent began at most
/// [`SAME_WHILE`] before, and has not stopped since.
pub(super) fn is_run_again(agent: &Agent<'_>, step: &Step) -> bool {
    agent.runs.last().is_some_and(|run| {
        let is_open = run.ended.is_none() && run.has_begun;
        is_open && agent.pid == step.pid && step.at - run.began.at <= SAME_WHILE
    })
}

/// Returns true if `step`, the start of a segment, is a copy: the process began its `last` segment
/// at most [`SAME_WHILE`] before, and has not ended it since. The start after a compaction is never
/// a copy.
pub(super) fn is_start_again(last: &Segment<'_>, source: Option<&str>, step: &Step) -> bool {
    let is_open = last.ended.is_none() && !last.is_before_start;
    step.pid.is_some()
        && is_open
        && source.is_some_and(|source| StartSource::of(source) != StartSource::Compact)
        && last.source == source
        && step.at - last.began.at <= SAME_WHILE
}
