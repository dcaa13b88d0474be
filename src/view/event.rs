//! Formats single events for people: each as a row with the same columns as a timeline.

use std::collections::HashMap;
use std::time::Duration;

use chrono::NaiveDate;
use unicode_width::UnicodeWidthStr;

use super::timeline::text::{TimelineLayout, colour, cut, duration, fitted, short};
use crate::model::call::CallState;
use crate::model::event::{BatchCall, CallOutcome};
use crate::model::line::EventKind;
use crate::model::text::escaped;
use crate::model::{Event, SessionId};

/// The width of a project's name in columns, from which it is cut.
const MAX_PROJECT: usize = 16;
/// How many unfinished calls, agents, turns and compactions are remembered at most. In a damaged
/// journal their ends may be missing.
const MAX_BEGUN: usize = 10_000;

/// Selects the events to show.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct EventFilter {
    /// The tools whose calls are shown, ignoring case; empty means all.
    pub tools: Vec<String>,
    /// Shows only events that report a failure or a denial.
    pub failed: bool,
    /// The subagents whose events are shown: a prefix of their ids, or their type; `main` means the
    /// main thread.
    pub agent: Option<String>,
}

impl EventFilter {
    /// Returns whether this event is shown.
    pub fn shows(&self, event: &Event) -> bool {
        let is_wanted = |tool: &str| {
            self.tools
                .iter()
                .any(|wanted| wanted.eq_ignore_ascii_case(tool))
        };
        let mut tools = event.calls.iter().filter_map(|call| call.tool.as_deref());
        let is_tool = self.tools.is_empty()
            || event.tool.as_deref().is_some_and(is_wanted)
            || tools.any(is_wanted);
        let is_agents = match (self.agent.as_deref(), event.agent_id.as_deref()) {
            (None, _) => true,
            (Some(wanted), None) => wanted == "main",
            (Some(wanted), Some(id)) => {
                id.starts_with(wanted) || event.agent_type.as_deref() == Some(wanted)
            }
        };
        is_tool && is_agents && (!self.failed || tells_of_failure(event))
    }
}

fn tells_of_failure(event: &Event) -> bool {
    matches!(state(event), Some(CallState::Failed | CallState::Denied))
        || event.calls.iter().any(|call| call.outcome.is_some())
}

/// Returns the state of a call that the event reports. The failure of a turn counts as a failed
/// call.
fn state(event: &Event) -> Option<CallState> {
    match EventKind::from(event.event.as_str()) {
        EventKind::PreToolUse => Some(CallState::Running),
        EventKind::PostToolUse if event.background.is_some() => Some(CallState::Backgrounded),
        EventKind::PostToolUse => Some(CallState::Ok),
        EventKind::PostToolUseFailure | EventKind::StopFailure => Some(CallState::Failed),
        EventKind::PermissionDenied => Some(CallState::Denied),
        _ => None,
    }
}

/// Formats events as rows. Remembers start events, so that the row of an end can show the duration.
#[derive(Debug, Default)]
pub struct Rows {
    begun: HashMap<(SessionId, String), u64>,
    project_width: usize,
}

impl Rows {
    /// Returns the row of an event of the session `id`. The row contains the session and the
    /// `project` only if a project is given, and the date only if it is not `today`.
    pub fn row(
        &mut self,
        id: &SessionId,
        event: &Event,
        project: Option<&str>,
        today: NaiveDate,
        layout: &TimelineLayout<'_>,
    ) -> String {
        let took = self.took(id, event).map(duration).unwrap_or_default();
        let state = state(event);
        let head = format!(
            "{}  {}{took:>7}  {:<10}  {}",
            time(event, today, layout),
            self.who(id, project),
            state.map(short).unwrap_or_default(),
            agent(event),
        );
        let line = format!("{head}{}  {}", name(event), about(event));
        let line = line.trim_end();
        let cut = layout.width.map(|width| cut(line, width));
        let line = cut.as_deref().unwrap_or(line);
        match state.and_then(colour).filter(|_| layout.colour) {
            Some(colour) => format!("\u{1b}[{colour}m{line}\u{1b}[0m"),
            None => line.to_owned(),
        }
    }

    fn who(&mut self, id: &SessionId, project: Option<&str>) -> String {
        let Some(project) = project else {
            return String::new();
        };
        let short: String = id.as_str().chars().take(8).collect();
        let project = cut(&escaped(project), MAX_PROJECT);
        self.project_width = self.project_width.max(project.width());
        format!("{short:<8} {}  ", fitted(&project, self.project_width))
    }

    /// If the event ends a call, agent, turn or compaction, returns how long that took: the
    /// duration that Claude Code measured, else the time since the start event.
    fn took(&mut self, id: &SessionId, event: &Event) -> Option<Duration> {
        let agent = event.agent_id.as_deref().unwrap_or_default();
        let call = event.tool_use_id.as_deref().unwrap_or_default();
        let (what, begins) = match EventKind::from(event.event.as_str()) {
            EventKind::PreToolUse => (format!("call {call} {agent}"), true),
            EventKind::PostToolUse | EventKind::PostToolUseFailure => {
                (format!("call {call} {agent}"), false)
            }
            EventKind::SubagentStart => (format!("agent {agent}"), true),
            EventKind::SubagentStop => (format!("agent {agent}"), false),
            EventKind::UserPromptSubmit => ("turn".to_owned(), true),
            EventKind::Stop | EventKind::StopFailure => ("turn".to_owned(), false),
            EventKind::PreCompact => ("compaction".to_owned(), true),
            EventKind::PostCompact => ("compaction".to_owned(), false),
            _ => return None,
        };
        let key = (id.clone(), what);
        if !begins {
            let begun = self.begun.remove(&key);
            let elapsed = || Some(Duration::from_micros(event.mono?.checked_sub(begun?)?));
            return event
                .duration_ms
                .map(Duration::from_millis)
                .or_else(elapsed);
        }
        if self.begun.len() >= MAX_BEGUN {
            self.begun.clear();
        }
        self.begun.extend(event.mono.map(|mono| (key, mono)));
        None
    }
}

/// Returns the time of the event, with its date if that is not `today`.
fn time(event: &Event, today: NaiveDate, layout: &TimelineLayout<'_>) -> String {
    let Some(ts) = event.ts else {
        return " ".repeat(8);
    };
    let time = (layout.local)(ts);
    if time.date() == today {
        time.format("%H:%M:%S").to_string()
    } else {
        time.format("%Y-%m-%d %H:%M:%S").to_string()
    }
}

/// Returns the prefix of a subagent's events, such as `└ Explore: `, or an empty text for the main
/// thread.
fn agent(event: &Event) -> String {
    let Some(id) = event.agent_id.as_deref() else {
        return String::new();
    };
    let kind = event.agent_type.as_deref().filter(|kind| !kind.is_empty());
    format!("└ {}: ", escaped(kind.unwrap_or(id)))
}

/// Returns the name of the tool if the event reports the state of a call, and the name of the event
/// otherwise.
fn name(event: &Event) -> String {
    let tool = event.tool.as_deref().filter(|_| {
        let kind = EventKind::from(event.event.as_str());
        kind != EventKind::StopFailure && state(event).is_some()
    });
    escaped(tool.unwrap_or(&event.event))
}

/// Returns the details at the end of the row: the source, the reason or the error, and the label.
fn about(event: &Event) -> String {
    let tool = event.tool.as_deref().filter(|_| state(event).is_none());
    let models = event.from_model.as_deref().zip(event.to_model.as_deref());
    let models = models.map(|(from, to)| format!("{from} → {to}"));
    let said = [
        event.source.as_deref(),
        event.reason.as_deref(),
        event.trigger.as_deref(),
        event.notification_type.as_deref(),
        event.error.as_deref(),
        models.as_deref(),
        event.new_cwd.as_deref(),
        tool,
        event.what.as_deref(),
    ];
    let mut parts: Vec<String> = said.into_iter().flatten().map(escaped).collect();
    if !event.calls.is_empty() {
        parts.push(calls(&event.calls));
    }
    parts.join(" · ")
}

/// Counts calls and their outcomes, as in `3 calls, 1 failed`.
fn calls(calls: &[BatchCall]) -> String {
    let count = |outcome| {
        calls
            .iter()
            .filter(|call| call.outcome == Some(outcome))
            .count()
    };
    let mut text = match calls.len() {
        1 => "1 call".to_owned(),
        many => format!("{many} calls"),
    };
    for (outcome, word) in [
        (CallOutcome::Failed, "failed"),
        (CallOutcome::Denied, "denied"),
    ] {
        match count(outcome) {
            0 => {}
            count => text.push_str(&format!(", {count} {word}")),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::model::Timestamp;

    fn event(members: Value) -> Event {
        let mut event = json!({"v": 1, "ts": "2026-11-20T14:27:52.467733Z", "session_id": "s-1"});
        let members = members.as_object().unwrap().clone();
        event.as_object_mut().unwrap().extend(members);
        serde_json::from_value(event).unwrap()
    }

    fn call(name: &str, mono: u64, more: Value) -> Event {
        let mut members = json!({"event": name, "mono": mono, "tool": "Bash", "tool_use_id": "t"});
        let more = more.as_object().unwrap().clone();
        members.as_object_mut().unwrap().extend(more);
        event(members)
    }

    fn utc(time: Timestamp) -> chrono::NaiveDateTime {
        time.to_utc().naive_utc()
    }

    const LAYOUT: TimelineLayout<'_> = TimelineLayout {
        width: None,
        colour: false,
        bars: true,
        local: &utc,
    };

    #[track_caller]
    fn check(rows: &mut Rows, event: &Event, expected: &str) {
        let id = "5b48472b-1111".parse().unwrap();
        let today = NaiveDate::from_ymd_opt(2026, 11, 20).unwrap();
        assert_eq!(rows.row(&id, event, None, today, &LAYOUT), expected);
    }

    #[test]
    fn a_row_says_what_happened() {
        let rows = &mut Rows::default();
        let begun = call("PreToolUse", 1_000_000, json!({"what": "List files"}));
        check(
            rows,
            &begun,
            "14:27:52           running     Bash  List files",
        );
        let done = call("PostToolUse", 2_000_000, json!({"duration_ms": 38}));
        check(rows, &done, "14:27:52     38ms  ok          Bash");
        let failed = json!({"error": "exit:3", "what": "Run\u{1b}[2J", "agent_id": "a", "agent_type": "Explore"});
        check(
            rows,
            &call("PostToolUseFailure", 2_000_000, failed),
            "14:27:52           failed      └ Explore: Bash  exit:3 · Run\\u{1b}[2J",
        );
        let batch = json!({"event": "PostToolBatch", "calls": [{"tool": "Read"}, {"tool": "Bash", "outcome": "denied"}]});
        check(
            rows,
            &event(batch),
            "14:27:52                       PostToolBatch  2 calls, 1 denied",
        );
        let asked = call("PermissionRequest", 0, json!({}));
        check(
            rows,
            &asked,
            "14:27:52                       PermissionRequest  Bash",
        );
    }

    #[test]
    fn an_end_says_how_long_it_took_since_its_beginning() {
        let rows = &mut Rows::default();
        let at = |name: &str, mono: u64| event(json!({"event": name, "mono": mono}));
        check(
            rows,
            &at("UserPromptSubmit", 5_000_000),
            "14:27:52                       UserPromptSubmit",
        );
        check(
            rows,
            &at("Stop", 6_240_000),
            "14:27:52    1.24s              Stop",
        );
        check(
            rows,
            &at("Stop", 7_000_000),
            "14:27:52                       Stop",
        );
        assert!(rows.begun.is_empty());
    }

    #[test]
    fn a_row_of_all_sessions_says_whose_it_is_and_on_which_day() {
        let rows = &mut Rows::default();
        let id = "5b48472b-1111".parse().unwrap();
        let today = NaiveDate::from_ymd_opt(2026, 11, 21).unwrap();
        let layout = TimelineLayout {
            width: Some(50),
            colour: true,
            ..LAYOUT
        };
        let end = call("PreToolUse", 0, json!({}));
        assert_eq!(
            rows.row(&id, &end, Some("日本"), today, &layout),
            "\u{1b}[36m2026-11-20 14:27:52  5b48472b 日本           runn…\u{1b}[0m"
        );
    }

    #[test]
    fn filters_look_at_the_event_and_at_the_calls_of_a_batch() {
        let failed = call(
            "PostToolUseFailure",
            0,
            json!({"agent_id": "a1", "agent_type": "Explore"}),
        );
        let batch = event(
            json!({"event": "PostToolBatch", "calls": [{"tool": "Read", "outcome": "failed"}]}),
        );
        let begun = call("PreToolUse", 0, json!({}));
        let check = |filter: EventFilter, shown: [bool; 3]| {
            let shows = [&failed, &batch, &begun].map(|event| filter.shows(event));
            assert_eq!(shows, shown, "{filter:?}");
        };
        let tool = |tool: &str| EventFilter {
            tools: vec![tool.to_owned()],
            ..EventFilter::default()
        };
        let agent = |agent: &str| EventFilter {
            agent: Some(agent.to_owned()),
            ..EventFilter::default()
        };
        check(EventFilter::default(), [true, true, true]);
        check(tool("bash"), [true, false, true]);
        check(tool("read"), [false, true, false]);
        check(agent("Explore"), [true, false, false]);
        check(agent("a"), [true, false, false]);
        check(agent("main"), [false, true, true]);
        let failed_only = EventFilter {
            failed: true,
            ..EventFilter::default()
        };
        check(failed_only, [true, true, false]);
    }
}
