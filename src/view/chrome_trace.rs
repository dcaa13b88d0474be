//! Converts a session to the trace event format, which Perfetto, `chrome://tracing` and speedscope
//! read. A session becomes slices of time on threads.
//!
//! If a slice lies within another one on the same thread, a viewer shows it as a part of that one.
//! So calls that ran at the same time are put on separate threads, called lanes.

mod lanes;
mod threads;

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashSet};

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::Value;

use crate::model::commit::CommitNote;
use crate::model::text::escaped;
use crate::model::when::Period;
use crate::model::{Activity, SessionId};
use threads::Threads;

/// How many characters of an id or a hash are shown to people.
const SHORT: usize = 8;

/// A session to convert.
#[derive(Debug, Clone, Copy)]
pub struct TracedSession<'s, 'a> {
    /// The number of the session in the trace, which viewers show as its pid.
    pub number: u64,
    /// The session's id.
    pub id: &'s SessionId,
    /// The session's title.
    pub title: Option<&'s str>,
    /// The name of the session's project.
    pub project: &'s str,
    /// The session's state, as one word.
    pub state: &'static str,
    /// The session's activity.
    pub activity: &'s Activity<'a>,
    /// The commits that were made while the session ran calls.
    pub commits: &'s [CommitNote],
    /// Only what began in this period is converted.
    pub period: Period,
}

/// One event of a trace.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TraceEvent {
    /// The text that viewers show, as one line without control characters.
    pub name: String,
    /// The kind of event, for filters. For a slice: `call`, `permission`, `background`, `run` or
    /// `turn`.
    #[serde(rename = "cat", skip_serializing_if = "str::is_empty")]
    pub category: &'static str,
    /// How viewers show the event.
    #[serde(rename = "ph")]
    pub phase: Phase,
    /// When the event begins, in microseconds since 1970, by the clock of the session's first
    /// event.
    pub ts: i64,
    /// How long a slice is, in microseconds.
    #[serde(rename = "dur", skip_serializing_if = "Option::is_none")]
    pub length: Option<i64>,
    /// The number of the session.
    pub pid: u64,
    /// The number of the thread (lane).
    pub tid: u64,
    /// For an instant: over which threads viewers draw its line.
    #[serde(rename = "s", skip_serializing_if = "Option::is_none")]
    pub scope: Option<&'static str>,
    /// The colour, by its name in `chrome://tracing`.
    #[serde(rename = "cname", skip_serializing_if = "Option::is_none")]
    pub colour: Option<&'static str>,
    /// The details that viewers list for a selected event.
    #[serde(skip_serializing_if = "TraceArgs::is_empty")]
    pub args: TraceArgs,
}

/// How viewers show an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Phase {
    /// A time with a beginning and a length.
    #[serde(rename = "X")]
    Slice,
    /// A moment.
    #[serde(rename = "i")]
    Instant,
    /// Not shown as an event: the name of a session or thread, or its position among the others.
    #[serde(rename = "M")]
    Metadata,
}

/// The details of an event, by name. Absent values are omitted.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TraceArgs(pub Vec<(&'static str, Value)>);

impl TraceArgs {
    /// Returns these details with one more, unless its value is absent.
    #[must_use]
    fn with<T: Into<Value>>(mut self, name: &'static str, value: Option<T>) -> Self {
        self.0.extend(value.map(|value| (name, value.into())));
        self
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Serialize for TraceArgs {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

/// Returns the events of a session: first the names, then the events of each thread in the order in
/// which they began. If two began at the same time, the longer one comes first, because it contains
/// the other.
pub fn trace_events(session: &TracedSession<'_, '_>) -> Vec<TraceEvent> {
    let Some(span) = session.activity.span else {
        return Vec::new();
    };
    let mut threads = Threads::new(*session, span);
    threads.add_turns();
    threads.add_calls(None, None);
    let agents = &session.activity.agents;
    for agent in agents {
        threads.add_calls(Some(agent.agent_id), Some(agent));
    }
    let known: HashSet<&str> = agents.iter().map(|agent| agent.agent_id).collect();
    let calls = session.activity.calls.iter();
    let others = calls.filter_map(|call| call.agent_id.filter(|id| !known.contains(id)));
    for id in others.collect::<BTreeSet<&str>>() {
        threads.add_calls(Some(id), None);
    }
    let (names, mut events) = threads.finish();
    events.sort_by_key(|event| (event.tid, event.ts, Reverse(event.length)));
    let mut all = heading(session);
    all.extend(names);
    all.extend(events);
    all
}

/// Returns the events that name the session.
fn heading(session: &TracedSession<'_, '_>) -> Vec<TraceEvent> {
    let short: String = session.id.as_str().chars().take(SHORT).collect();
    let name = match session.title {
        Some(title) => format!("{}: {title} ({short})", session.project),
        None => format!("{} ({short})", session.project),
    };
    let args = TraceArgs::default;
    let number = session.number;
    vec![
        metadata(
            "process_name",
            (number, 0),
            args().with("name", Some(escaped(&name))),
        ),
        metadata(
            "process_labels",
            (number, 0),
            args().with("labels", Some(session.state)),
        ),
        metadata(
            "process_sort_index",
            (number, 0),
            args().with("sort_index", Some(number)),
        ),
    ]
}

fn metadata(name: &str, (pid, tid): (u64, u64), args: TraceArgs) -> TraceEvent {
    TraceEvent {
        name: name.to_owned(),
        category: "",
        phase: Phase::Metadata,
        ts: 0,
        length: None,
        pid,
        tid,
        scope: None,
        colour: None,
        args,
    }
}
