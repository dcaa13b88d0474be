//! Properties of the fold, for any events in any order.

use proptest::prelude::*;

use super::clocks::{set_by, told};
use super::{activity, call, line, trace};
use crate::model::activity::{OpenActivity, TurnEnd};
use crate::model::event::BatchCall;
use crate::model::line::{EventKind, JournalLine, Label};
use crate::model::step::{FurtherMember, Step};
use crate::model::trace::{Trace, TraceBuilder};

fn any_line() -> impl Strategy<Value = JournalLine<'static>> {
    let kinds = prop::sample::select(vec![
        "SessionStart",
        "UserPromptSubmit",
        "PreToolUse",
        "PreToolUse",
        "PreToolUse",
        "PermissionRequest",
        "PermissionDenied",
        "PostToolUse",
        "PostToolUse",
        "PostToolUseFailure",
        "PostToolBatch",
        "SubagentStart",
        "SubagentStop",
        "Stop",
        "StopFailure",
        "SessionEnd",
        "PreCompact",
        "PostCompact",
        "Notification",
    ]);
    let ids = prop::sample::select(vec!["t1", "t2", "t3", "t4", "t5"]);
    let agents = prop::option::of(prop::sample::select(vec!["a1", "a2"]));
    (kinds, ids, agents, 0..20_000i64, 7..9u32).prop_map(|(kind, id, agent, at, pid)| {
        let mut event = if kind.contains("Tool") || kind.starts_with("Permission") {
            call(kind, id, at)
        } else {
            line(kind, at)
        };
        event.agent_id = agent;
        event.pid = Some(pid);
        if kind == "PostToolBatch" {
            let batched = BatchCall {
                tool_use_id: Some(id.to_owned()),
                ..Default::default()
            };
            event.calls = vec![batched].into();
        }
        event
    })
}

/// Generates a line by any of several clocks, or with only one.
fn any_set_line() -> impl Strategy<Value = JournalLine<'static>> {
    let ahead = prop::sample::select(vec![0, 0, 500_000, -7_200_000_000, 8_000_000_000]);
    (any_line(), ahead, prop::bool::weighted(0.1)).prop_map(|(line, ahead, is_unclocked)| {
        let line = set_by(line, ahead);
        let mono = line.mono.filter(|_| !is_unclocked);
        JournalLine { mono, ..line }
    })
}

/// Folds `lines` under a clock that is set at each of these milliseconds to be ahead by so many
/// microseconds.
fn under(lines: &[JournalLine<'static>], settings: &[(i64, i64)]) -> Trace {
    let ahead = |line: &JournalLine<'_>| {
        let since = line.mono.unwrap_or_default() / 1000;
        let earlier = settings
            .iter()
            .filter(|(at, _)| since >= (5_000_000 + at).unsigned_abs());
        earlier
            .max_by_key(|(at, _)| at)
            .map_or(0, |(_, ahead)| *ahead)
    };
    let lines: Vec<_> = lines
        .iter()
        .map(|line| set_by(line.clone(), ahead(line)))
        .collect();
    trace(&lines)
}

/// Generates a line whose call has no id, or whose process is unknown, and calls with inputs of
/// several sizes.
fn any_vague_line() -> impl Strategy<Value = JournalLine<'static>> {
    let rare = prop::bool::weighted(0.3);
    (any_line(), rare, rare, prop::option::of(1..3u64)).prop_map(
        |(line, is_unnamed, is_of_any, input_bytes)| JournalLine {
            tool_use_id: line.tool_use_id.filter(|_| !is_unnamed),
            pid: line.pid.filter(|_| !is_of_any),
            input_bytes,
            ..line
        },
    )
}

/// Generates an event of one moment in which any member may differ from another event's.
fn any_line_of_a_moment() -> impl Strategy<Value = JournalLine<'static>> {
    let kinds = prop::sample::select(vec!["UserPromptSubmit", "PostToolBatch", "CwdChanged"]);
    (kinds, 0..13_usize).prop_map(|(kind, member)| {
        let mut event = line(kind, 0);
        let other = Some("other");
        match member {
            0 => event.what = Some(Label::Plain("other")),
            1 => event.branch = other,
            2 => event.agent_type = other,
            3 => event.spawned_agent = other,
            4 => event.task_id = other,
            5 => event.cwd = other,
            6 => event.new_cwd = other,
            7 => event.model = other,
            8 => event.revision = other,
            9 => event.previous = other,
            10 => event.output_bytes = Some(7),
            11 => event.calls = vec![BatchCall::default()].into(),
            _ => {}
        }
        event
    })
}

/// Returns everything that a view for single events can show, in order.
fn events(lines: &[JournalLine<'_>]) -> Vec<String> {
    let mut builder = TraceBuilder::with_events();
    lines.iter().for_each(|line| builder.push(line));
    let trace = builder.finish();
    let members = [
        FurtherMember::Cwd,
        FurtherMember::NewCwd,
        FurtherMember::Model,
        FurtherMember::Revision,
        FurtherMember::Previous,
    ];
    let event = |step: &Step| {
        let further = members.map(|member| trace.further(step, member));
        let batched = trace.batched(step).count();
        let words = trace.words(step);
        format!("{:?} {words:?} {further:?} {batched}", step.kind)
    };
    trace.steps().iter().map(event).collect()
}

proptest! {
    #[test]
    fn any_order_of_arrival_gives_the_same_events(
        (lines, shuffled) in prop::collection::vec(any_line_of_a_moment(), 0..20).prop_flat_map(|lines| (Just(lines.clone()), Just(lines).prop_shuffle())),
    ) {
        prop_assert_eq!(events(&lines), events(&shuffled));
    }

    #[test]
    fn calls_are_found_and_ended_alike_however_many_are_running(
        lines in prop::collection::vec(any_vague_line(), 0..60),
        few in 0..6_usize,
    ) {
        let trace = trace(&lines);
        let of = |few| OpenActivity::with_few(&trace, few).leave_open();
        prop_assert_eq!(of(few), of(usize::MAX));
    }

    #[test]
    fn no_clock_change_changes_what_a_client_did(
        lines in prop::collection::vec(any_line(), 0..60),
        settings in prop::collection::vec((0..20_000i64, prop_oneof![-2_000_000..2_000_000i64, -4_000_000_000_000_000..4_000_000_000_000_000i64]), 0..8),
    ) {
        let mut lines: Vec<_> = lines.into_iter().filter(|line| line.kind != EventKind::SessionStart).collect();
        lines.iter_mut().for_each(|line| line.pid = Some(7));
        lines.push(line("SessionStart", 0));
        prop_assert_eq!(told(&under(&lines, &settings)), told(&trace(&lines)));
    }

    #[test]
    fn a_setting_of_the_clock_changes_nothing_of_several_clients(
        lines in prop::collection::vec(any_line(), 0..60),
        setting in (0..20_000i64, prop_oneof![-2_000_000..2_000_000i64, -4_900_000_000..4_900_000_000i64]),
    ) {
        prop_assert_eq!(told(&under(&lines, &[setting])), told(&trace(&lines)));
    }

    #[test]
    fn any_order_of_arrival_gives_the_same_calls(
        (lines, shuffled) in prop::collection::vec(any_set_line(), 0..60).prop_flat_map(|lines| (Just(lines.clone()), Just(lines).prop_shuffle())),
    ) {
        let (lines, shuffled) = (trace(&lines), trace(&shuffled));
        prop_assert_eq!(activity(&lines), activity(&shuffled));
    }

    #[test]
    fn no_call_is_counted_twice_and_none_is_left_running_in_an_ended_session(lines in prop::collection::vec(any_line(), 0..60)) {
        let trace = trace(&lines);
        let activity = OpenActivity::of(&trace).close(|_| false);
        prop_assert_eq!(activity.open_calls().count(), 0);
        prop_assert!(activity.prompts.iter().all(|prompt| prompt.end != TurnEnd::Open && prompt.ended.is_some()));
        prop_assert!(activity.segments.iter().all(|segment| segment.ended.is_some()));
        let told = lines.iter().filter(|line| line.tool_use_id.is_some() || !line.calls.is_empty()).count();
        prop_assert!(activity.calls.len() <= told);
        prop_assert_eq!(activity.events, lines.len() as u64);
    }
}
