//! Tests of the fold, from events to activities.

mod clocks;
mod properties;

use std::time::Duration;

use super::{Activity, OpenActivity};
use crate::model::call::{CallState, Moment};
use crate::model::event::CallOutcome;
use crate::model::line::JournalLine;
use crate::model::time::Timestamp;
use crate::model::trace::{Trace, TraceBuilder};

/// Returns an event of process 7 at this millisecond.
fn line(event: &'static str, at: i64) -> JournalLine<'static> {
    JournalLine {
        kind: event.into(),
        event,
        ts: Some(Timestamp::from_micros(1_800_000_000_000_000 + at * 1000)),
        mono: u64::try_from(5_000_000_000 + at * 1000).ok(),
        pid: Some(7),
        ..JournalLine::default()
    }
}

fn call(event: &'static str, id: &'static str, at: i64) -> JournalLine<'static> {
    JournalLine {
        tool: Some("Bash"),
        tool_use_id: Some(id),
        ..line(event, at)
    }
}

fn post(id: &'static str, at: i64, ran: u64) -> JournalLine<'static> {
    JournalLine {
        duration_ms: Some(ran),
        ..call("PostToolUse", id, at)
    }
}

fn trace(lines: &[JournalLine<'_>]) -> Trace {
    let mut trace = TraceBuilder::with_labels();
    lines.iter().for_each(|line| trace.push(line));
    trace.finish()
}

fn activity(trace: &Trace) -> Activity<'_> {
    OpenActivity::of(trace).leave_open()
}

/// Checks the states of the calls, in order.
#[track_caller]
fn check(lines: &[JournalLine<'_>], states: &[CallState]) {
    let trace = trace(lines);
    let found: Vec<CallState> = activity(&trace)
        .calls
        .iter()
        .map(|call| call.state)
        .collect();
    assert_eq!(found, states);
}

#[test]
fn a_call_is_open_until_something_ends_it() {
    let pre = call("PreToolUse", "t1", 0);
    check(std::slice::from_ref(&pre), &[CallState::Running]);
    check(&[pre.clone(), post("t1", 9, 3)], &[CallState::Ok]);
    check(
        &[pre.clone(), post("t2", 9, 3)],
        &[CallState::Running, CallState::Ok],
    );
    check(
        &[pre.clone(), call("PostToolUseFailure", "t1", 9)],
        &[CallState::Failed],
    );
    check(
        &[pre.clone(), call("PermissionDenied", "t1", 9)],
        &[CallState::Denied],
    );
    for end in ["Stop", "StopFailure", "UserPromptSubmit", "SessionEnd"] {
        check(&[pre.clone(), line(end, 9)], &[CallState::Abandoned]);
    }
    check(
        &[pre.clone(), line("Notification", 9)],
        &[CallState::Running],
    );
    let background = JournalLine {
        background: Some("b1"),
        ..post("t1", 9, 3)
    };
    check(&[pre, background], &[CallState::Backgrounded]);
}

#[test]
fn a_late_event_overrides_a_conclusion() {
    let pre = call("PreToolUse", "t1", 0);
    check(
        &[pre.clone(), line("Stop", 5), post("t1", 9, 3)],
        &[CallState::Ok],
    );
    check(
        &[
            pre,
            line("SessionEnd", 5),
            call("PostToolUseFailure", "t1", 9),
        ],
        &[CallState::Failed],
    );
}

#[test]
fn the_end_of_a_turn_ends_only_calls_of_its_process_and_thread() {
    let of_agent = |line: JournalLine<'static>| JournalLine {
        agent_id: Some("a1"),
        ..line
    };
    let pre = of_agent(call("PreToolUse", "t1", 0));
    check(&[pre.clone(), line("Stop", 5)], &[CallState::Running]);
    check(
        &[pre.clone(), of_agent(line("SubagentStop", 5))],
        &[CallState::Abandoned],
    );
    let other = JournalLine {
        pid: Some(8),
        ..line("Stop", 5)
    };
    check(&[call("PreToolUse", "t1", 0), other], &[CallState::Running]);
}

#[test]
fn a_call_that_never_ran_is_known_by_its_batch() {
    let batch = |outcome| JournalLine {
        calls: vec![crate::model::event::BatchCall {
            tool_use_id: Some("t1".to_owned()),
            tool: Some("Bash".to_owned()),
            outcome,
        }]
        .into(),
        ..line("PostToolBatch", 9)
    };
    let pre = call("PreToolUse", "t1", 0);
    check(&[batch(Some(CallOutcome::Failed))], &[CallState::Failed]);
    check(&[batch(None)], &[CallState::Ok]);
    check(
        &[pre.clone(), batch(Some(CallOutcome::Denied))],
        &[CallState::Denied],
    );
    check(&[pre.clone(), batch(None)], &[CallState::Denied]);
    check(&[pre, post("t1", 5, 3), batch(None)], &[CallState::Ok]);
}

#[test]
fn calls_of_clients_that_send_no_ids_end_in_their_order() {
    let old = |event, at| JournalLine {
        tool_use_id: None,
        ..call(event, "", at)
    };
    let lines = [
        old("PreToolUse", 0),
        old("PreToolUse", 10),
        old("PostToolUse", 20),
        old("PostToolUseFailure", 30),
    ];
    check(&lines, &[CallState::Ok, CallState::Failed]);
}

#[test]
fn an_end_before_its_beginning_is_of_the_same_call() {
    let late = |id: &'static str, at| JournalLine {
        what: Some(crate::model::line::Label::Plain("work")),
        ..call("PreToolUse", id, at)
    };
    for (id, at) in [("t1", 10), ("toolu_1", 3_600_000)] {
        let lines = [post(id, 5, 3), late(id, at), line("Stop", at + 5)];
        check(&lines, &[CallState::Ok]);
        let trace = trace(&lines);
        let activity = activity(&trace);
        let call = &activity.calls[0];
        assert_eq!((call.has_begun, call.what), (true, Some("work")));
        assert!(call.began.at <= call.ended.unwrap().at);
    }
    // Only an id of the API's cannot be that of another call.
    let lines = [post("t1", 5, 3), late("t1", 3_600_000)];
    check(&lines, &[CallState::Ok, CallState::Running]);
    let again = [
        post("toolu_1", 5, 3),
        late("toolu_1", 10),
        late("toolu_1", 20),
    ];
    check(&again, &[CallState::Ok]);
}

#[test]
fn a_reused_id_is_another_call_and_a_repeated_event_is_not() {
    let again = [
        call("PreToolUse", "t1", 0),
        post("t1", 9, 3),
        call("PreToolUse", "t1", 5000),
        post("t1", 5009, 3),
    ];
    check(&again, &[CallState::Ok, CallState::Ok]);
    let twice = [0, 1].map(|at| call("PreToolUse", "t1", at));
    let lines = [&twice[..], &[post("t1", 9, 3), post("t1", 10, 3)]].concat();
    let trace = trace(&lines);
    let activity = activity(&trace);
    assert_eq!((activity.calls.len(), activity.duplicates), (1, 2));
}

/// Checks the numbers of calls, prompts and repeated events.
#[track_caller]
fn check_copies(lines: &[JournalLine<'_>], calls: usize, prompts: usize, duplicates: u64) {
    let trace = trace(lines);
    let activity = activity(&trace);
    let found = (
        activity.calls.len(),
        activity.prompts.len(),
        activity.duplicates,
    );
    assert_eq!(found, (calls, prompts, duplicates), "{:#?}", activity.calls);
    assert!(
        activity
            .calls
            .iter()
            .all(|call| call.state == CallState::Ok)
    );
}

#[test]
fn a_question_reported_twice_counts_once() {
    let ask = |at, input_bytes| JournalLine {
        tool: Some("Bash"),
        input_bytes,
        ..line("PermissionRequest", at)
    };
    let asked = |second: JournalLine<'static>| {
        let lines = [
            call("PreToolUse", "t1", 0),
            JournalLine {
                input_bytes: Some(30),
                ..call("PreToolUse", "t2", 1)
            },
            ask(100, None),
            second,
            post("t2", 9000, 10),
            post("t1", 9900, 10),
        ];
        let trace = trace(&lines);
        let activity = activity(&trace);
        (
            activity
                .calls
                .iter()
                .map(|call| call.asked.is_some())
                .collect::<Vec<_>>(),
            activity.duplicates,
        )
    };
    assert_eq!(asked(ask(105, None)), (vec![true, false], 1));
    assert_eq!(asked(ask(105, Some(30))), (vec![true, true], 0));
    assert_eq!(asked(ask(900, None)), (vec![true, true], 0));
    let first = [
        ask(100, Some(30)),
        call("PreToolUse", "t1", 0),
        JournalLine {
            input_bytes: Some(30),
            ..call("PreToolUse", "t2", 1)
        },
    ];
    let trace = trace(&first);
    let activity = activity(&trace);
    assert_eq!(
        activity.calls[1].asked.map(|asked| asked.at),
        Some(trace.steps()[2].at)
    );
}

#[test]
fn a_prompt_is_known_by_its_id_however_late_its_copy_is() {
    let prompt = |id, at| JournalLine {
        prompt_id: Some(id),
        ..line("UserPromptSubmit", at)
    };
    let lines = |second| {
        [
            prompt("p1", 0),
            call("PreToolUse", "t1", 10),
            second,
            post("t1", 900, 800),
            line("Stop", 950),
        ]
    };
    check_copies(&lines(prompt("p1", 400)), 1, 1, 1);
    check_copies(&lines(line("UserPromptSubmit", 400)), 1, 2, 0);
    let after = [
        prompt("p1", 0),
        line("Stop", 300),
        prompt("p1", 400),
        prompt("p1", 60_000),
    ];
    check_copies(&after, 0, 2, 1);
}

#[test]
fn a_repeated_start_begins_nothing_again() {
    let start = |at| JournalLine {
        source: Some("startup"),
        ..line("SessionStart", at)
    };
    let lines = [
        start(0),
        start(400),
        subagent("a1", 1000),
        subagent("a1", 1400),
        line("Stop", 2000),
    ];
    let trace = trace(&lines);
    let activity = activity(&trace);
    assert_eq!(
        (
            activity.segments.len(),
            activity.agents[0].runs.len(),
            activity.duplicates
        ),
        (1, 1, 2)
    );
    let early = [
        JournalLine {
            agent_id: Some("a1"),
            ..call("PreToolUse", "t1", 0)
        },
        subagent("a1", 400),
        post("t1", 900, 10),
    ];
    assert_eq!(self::activity(&self::trace(&early)).agents[0].runs.len(), 1);
}

#[test]
fn calls_without_ids_are_repetitions_if_they_did_the_same() {
    let old = |event, what, at| JournalLine {
        tool_use_id: None,
        what: Some(super::super::line::Label::Plain(what)),
        ..call(event, "", at)
    };
    let end = |output_bytes, at| JournalLine {
        tool_use_id: None,
        output_bytes,
        ..call("PostToolUse", "", at)
    };
    let one = [
        old("PreToolUse", "List", 0),
        old("PreToolUse", "List", 5),
        end(None, 900),
        end(None, 905),
    ];
    check_copies(&one, 1, 0, 2);
    let two = [
        old("PreToolUse", "List", 0),
        old("PreToolUse", "List", 5),
        old("PreToolUse", "Show", 6),
        old("PreToolUse", "Show", 8),
        end(Some(10), 900),
        end(Some(10), 905),
        end(Some(20), 910),
        end(Some(20), 915),
    ];
    check_copies(&two, 2, 0, 4);
    let bare = |event, at| JournalLine {
        tool_use_id: None,
        ..call(event, "", at)
    };
    let unlike = [
        bare("PreToolUse", 0),
        bare("PreToolUse", 5),
        bare("PostToolUse", 900),
        bare("PostToolUse", 905),
    ];
    check_copies(&unlike, 2, 0, 0);
}

#[test]
fn waiting_running_and_permission_are_told_apart() {
    let asked = JournalLine {
        tool: Some("Bash"),
        ..line("PermissionRequest", 100)
    };
    let trace = trace(&[call("PreToolUse", "t1", 0), asked, post("t1", 1000, 300)]);
    let activity = activity(&trace);
    let told = &activity.calls[0];
    let millis = |took: Option<Duration>| took.map(|took| took.as_millis());
    assert_eq!(millis(told.duration()), Some(300));
    assert_eq!(millis(told.permission()), Some(600));
    assert_eq!(millis(told.wait()), Some(100));
}

fn subagent(agent_id: &'static str, at: i64) -> JournalLine<'static> {
    JournalLine {
        agent_id: Some(agent_id),
        ..line("SubagentStart", at)
    }
}

#[test]
fn calls_of_a_dead_process_end_with_its_last_event() {
    let lines = [
        line("SessionStart", 0),
        subagent("a1", 9),
        call("PreToolUse", "t1", 10),
        JournalLine {
            pid: Some(8),
            ..line("SessionStart", 60_000)
        },
        JournalLine {
            pid: Some(8),
            ..call("PreToolUse", "t2", 61_000)
        },
        JournalLine {
            pid: Some(8),
            ..subagent("a2", 61_001)
        },
    ];
    let trace = trace(&lines);
    let activity = OpenActivity::of(&trace).close(|pid| pid == Some(8));
    let states: Vec<CallState> = activity.calls.iter().map(|call| call.state).collect();
    assert_eq!(states, [CallState::Abandoned, CallState::Running]);
    assert_eq!(activity.calls[0].elapsed(), Some(Duration::ZERO));
    let ends: Vec<Option<Moment>> = activity.agents.iter().map(|agent| agent.ended).collect();
    assert_eq!(ends, [activity.calls[0].ended, None]);
}
