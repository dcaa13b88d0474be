//! A session as slices on threads, in the trace event format that Perfetto, `chrome://tracing` and
//! speedscope read.
//!
//! A viewer shows a slice within another one on the same thread as a part of it. So calls that ran
//! at the same time are on separate lanes, and each lane is a thread.

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

/// A session to draw.
#[derive(Debug, Clone, Copy)]
pub struct TracedSession<'s, 'a> {
    /// The number that stands for the session in the trace.
    pub number: u64,
    /// Its id.
    pub id: &'s SessionId,
    /// What it is called.
    pub title: Option<&'s str>,
    /// The name of its project.
    pub project: &'s str,
    /// Its state.
    pub state: &'static str,
    /// What it did.
    pub activity: &'s Activity<'a>,
    /// The commits that were made while it ran calls.
    pub commits: &'s [CommitNote],
    /// Only what began in this period is drawn.
    pub period: Period,
}

/// One event of a trace.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TraceEvent {
    /// What it is, on one safe line.
    pub name: String,
    /// Its kind, for filters. For a slice: `call`, `permission`, `background`, `run` or `turn`.
    #[serde(rename = "cat", skip_serializing_if = "str::is_empty")]
    pub category: &'static str,
    /// How the viewer draws it.
    #[serde(rename = "ph")]
    pub phase: Phase,
    /// When it begins: microseconds since 1970, by the clock of the session's first event.
    pub ts: i64,
    /// How long a slice is, in microseconds.
    #[serde(rename = "dur", skip_serializing_if = "Option::is_none")]
    pub length: Option<i64>,
    /// The number of the session.
    pub pid: u64,
    /// The number of the lane.
    pub tid: u64,
    /// How far the line of an instant reaches.
    #[serde(rename = "s", skip_serializing_if = "Option::is_none")]
    pub scope: Option<&'static str>,
    /// A colour by its name in `chrome://tracing`.
    #[serde(rename = "cname", skip_serializing_if = "Option::is_none")]
    pub colour: Option<&'static str>,
    /// What a viewer lists below it.
    #[serde(skip_serializing_if = "TraceArgs::is_empty")]
    pub args: TraceArgs,
}

/// How a viewer draws an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Phase {
    /// A time with a beginning and a length.
    #[serde(rename = "X")]
    Slice,
    /// A moment.
    #[serde(rename = "i")]
    Instant,
    /// Not drawn: the name of a session or of a thread, or its place in the order.
    #[serde(rename = "M")]
    Metadata,
}

/// What a viewer lists below an event, by name. Absent values are left out.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TraceArgs(pub Vec<(&'static str, Value)>);

impl TraceArgs {
    /// Returns these arguments with one more, unless it is absent.
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

/// Returns the events of a session: first the names, then each thread's events in the order in which
/// they began. Of two that began together, the one that contains the other comes first.
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
