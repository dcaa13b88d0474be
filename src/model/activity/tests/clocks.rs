//! Clocks that are set, machines that are booted, and events without a boot clock.

use super::{activity, call, check, line, post, trace};
use crate::model::call::{Call, CallState, Moment};
use crate::model::line::JournalLine;
use crate::model::time::Timestamp;
use crate::model::trace::Trace;

/// Returns the session of the next two tests: two calls, with the clock set by `jump` milliseconds
/// between them.
fn with_jump(jump: i64) -> Vec<JournalLine<'static>> {
    let mut lines = vec![
        line("SessionStart", 0),
        line("UserPromptSubmit", 10),
        call("PreToolUse", "t1", 20),
        post("t1", 2020, 2000),
        call("PreToolUse", "t2", 3000),
        post("t2", 7000, 4000),
        line("Stop", 7100),
    ];
    for late in lines.iter_mut().skip(3) {
        late.ts = late
            .ts
            .map(|ts| Timestamp::from_micros(ts.micros() + jump * 1000));
    }
    lines
}

#[test]
fn a_clock_that_is_set_changes_neither_order_nor_duration() {
    let plain = with_jump(0);
    for jump in [-86_400_000, -5000, 5000, 86_400_000] {
        let jumped = with_jump(jump);
        let (plain, jumped) = (trace(&plain), trace(&jumped));
        let told = |trace| {
            let activity = activity(trace);
            let call = |call: &Call<'_>| {
                (
                    call.tool_use_id.map(str::to_owned),
                    call.state,
                    call.elapsed(),
                )
            };
            activity.calls.iter().map(call).collect::<Vec<_>>()
        };
        assert_eq!(told(&jumped), told(&plain), "{jump}");
    }
}

pub(super) fn set_by(mut line: JournalLine<'static>, micros: i64) -> JournalLine<'static> {
    line.ts = line
        .ts
        .map(|ts| Timestamp::from_micros(ts.micros() + micros));
    line
}

/// Returns everything except the time of day, in microseconds from the first event on.
pub(super) fn told(trace: &Trace) -> Vec<String> {
    let activity = activity(trace);
    let start = activity.span.map_or(0, |(first, _)| first.at);
    let at = |moment: Moment| moment.at - start;
    let end = |moment: Option<Moment>| moment.map(at);
    let calls = activity.calls.iter().map(|it| {
        let times = (at(it.began), end(it.asked), end(it.ended), it.duration());
        format!(
            "{:?} {:?} {:?} {:?} {times:?}",
            it.agent_id, it.tool_use_id, it.state, it.closed
        )
    });
    let prompts = activity
        .prompts
        .iter()
        .map(|it| format!("{:?} {} {:?}", it.end, at(it.at), end(it.ended)));
    let agents = activity
        .agents
        .iter()
        .map(|it| format!("{} {} {:?}", it.agent_id, at(it.began), end(it.ended)));
    let compactions = activity
        .compactions
        .iter()
        .map(|it| format!("{} {:?}", at(it.began), end(it.ended)));
    let segments = activity
        .segments
        .iter()
        .map(|it| format!("{:?} {} {:?}", it.pid, at(it.began), end(it.ended)));
    let numbers = format!(
        "{} {} {:?}",
        activity.events,
        activity.duplicates,
        activity.span.map(|(_, last)| at(last))
    );
    let lists = calls
        .chain(prompts)
        .chain(agents)
        .chain(compactions)
        .chain(segments);
    lists.chain([numbers]).collect()
}

#[test]
fn a_clock_that_is_set_and_set_back_changes_neither_order_nor_duration() {
    const HOUR: i64 = 3_600_000_000;
    let plain = [
        line("SessionStart", 0),
        line("UserPromptSubmit", 10),
        call("PreToolUse", "t1", 20),
        call("PreToolUse", "t2", 30),
        post("t1", 2020, 2000),
        call("PreToolUse", "t3", 3000),
        post("t3", 7000, 4000),
        post("t2", 8000, 7000),
        line("Stop", 9000),
    ];
    let settings: [[i64; 9]; 4] = [
        [0, 0, 0, 0, 2, 2, 0, 0, 0],
        [0, 0, 0, 0, -2, -2, 0, 0, 0],
        [0, 0, 0, -1, 1, -1, -2, 0, 9000],
        [-200_000, 0, 1, 2, 3, 4, 5, 6, 200_000],
    ];
    for setting in settings {
        let lines = plain.iter().cloned().zip(setting);
        let lines: Vec<_> = lines
            .map(|(line, hours)| set_by(line, hours * HOUR))
            .collect();
        assert_eq!(told(&trace(&lines)), told(&trace(&plain)), "{setting:?}");
    }
}

#[test]
fn a_clock_that_is_set_back_by_less_than_a_second_ends_no_call_before_it_begins() {
    let plain = [
        line("UserPromptSubmit", 0),
        call("PreToolUse", "t1", 20),
        post("t1", 70, 40),
        line("Stop", 90),
    ];
    let mut lines = plain.clone();
    for late in lines.iter_mut().skip(2) {
        *late = set_by(late.clone(), -900_000);
    }
    check(&lines, &[CallState::Ok]);
    assert_eq!(told(&trace(&lines)), told(&trace(&plain)));
}

/// Returns the milliseconds between the first event of `lines` and the last event of a process in
/// another boot, which begins after `pause` milliseconds.
fn with_reboot(pid: u32, mono: u64, pause: i64) -> i64 {
    let mut lines = vec![
        line("SessionStart", 0),
        line("UserPromptSubmit", 10),
        call("PreToolUse", "t1", 20),
    ];
    for (place, event) in ["SessionStart", "UserPromptSubmit", "Stop"]
        .into_iter()
        .enumerate()
    {
        let after = i64::try_from(place).unwrap() * 10;
        lines.push(JournalLine {
            mono: Some(mono + after.unsigned_abs() * 1000),
            pid: Some(pid),
            source: Some("resume").filter(|_| place == 0),
            ..line(event, pause + after)
        });
    }
    let trace = trace(&lines);
    let order: Vec<_> = trace.steps().iter().map(|step| step.pid).collect();
    assert_eq!(order[3..], [Some(pid); 3], "{pid} {mono} {pause}");
    let (first, last) = activity(&trace).span.unwrap();
    i64::try_from(first.until(last).as_millis()).unwrap()
}

#[test]
fn a_reboot_and_a_clock_change_are_told_apart() {
    const DAY: i64 = 86_400_000;
    for pid in [7, 8] {
        for mono in [1_000_000, 5_000_005_000, 6_000_000_000, 80_000_000_000] {
            assert_eq!(with_reboot(pid, mono, DAY), DAY + 20, "{pid} {mono}");
        }
        // By its clocks, the machine was booted an hour before the first event. It was booted a
        // minute after it, and the clock is wrong.
        assert_eq!(with_reboot(pid, 5_060_000_000, 1_060_000), 60_020);
        assert_eq!(with_reboot(pid, 5_060_000_000, -1_060_000), 60_020);
    }
    // A clock is never set that far back: this is another machine.
    assert_eq!(with_reboot(8, 900_000_000_000, DAY), DAY + 20);
}

#[test]
fn events_without_a_boot_clock_are_ordered_by_their_wall_clock() {
    const HOUR: i64 = 3_600_000;
    let unclocked = |line: JournalLine<'static>| JournalLine { mono: None, ..line };
    let plain = [
        line("SessionStart", 0),
        unclocked(line("UserPromptSubmit", 10)),
        call("PreToolUse", "t1", 20),
        unclocked(post("t1", 2020, 2000)),
        call("PreToolUse", "t2", 3000),
        unclocked(post("t2", 4000, 900)),
        line("Stop", 5000),
    ];
    for jump in [-HOUR, -500, 500, HOUR] {
        let mut lines = plain.clone();
        for late in lines.iter_mut().skip(4) {
            *late = set_by(late.clone(), jump * 1000);
        }
        assert_eq!(told(&trace(&lines)), told(&trace(&plain)), "{jump}");
    }
}

#[test]
fn after_a_reboot_the_boot_clock_starts_over() {
    let mut lines = with_jump(0);
    let again = [
        line("SessionStart", 0),
        line("UserPromptSubmit", 10),
        call("PreToolUse", "t3", 20),
        post("t3", 50, 20),
    ];
    for (place, mut line) in again.into_iter().enumerate() {
        line.ts = line
            .ts
            .map(|ts| Timestamp::from_micros(ts.micros() + 3_600_000_000));
        line.mono = u64::try_from(1_000_000 + 10_000 * place).ok();
        line.pid = Some(9);
        lines.push(line);
    }
    let trace = trace(&lines);
    let activity = activity(&trace);
    let ids: Vec<_> = activity
        .calls
        .iter()
        .filter_map(|call| call.tool_use_id)
        .collect();
    assert_eq!(ids, ["t1", "t2", "t3"]);
    assert_eq!(activity.segments.len(), 2);
}
