//! What a session did, as OpenTelemetry's traces, logs and metrics, and their two encodings, JSON
//! and protobuf. Reads no file and no clock.
//!
//! A call, a turn or a run of a subagent gets its span once it has ended, because a span cannot be
//! changed after it was sent. Ids are hashes of what they identify, so a span that is sent again
//! has the same id. `docs/telemetry.md` explains the mapping; `names.tsv` says where each name is
//! from.

mod content;
mod ids;
pub mod json;
mod logs;
mod metrics;
mod names;
mod places;
pub mod protobuf;
mod resource;
mod spans;
#[cfg(test)]
mod tests;
mod value;

use crate::model::commit::CommitNote;
pub use crate::model::remote::Remote;
use crate::model::when::Period;
use crate::model::{Activity, Capture, Record, Timestamp, Trace, Usage};
pub use content::CallContents;
pub use ids::{RecordUid, SpanId, TraceId};
pub use logs::{LogRecord, Severity};
pub use metrics::{Buckets, Metric, Point, Points, metrics};
use places::Places;
pub use resource::Resource;
use spans::Facts;
pub use spans::Span;
pub use value::{Attributes, Value};

/// The name of ccsession's instrumentation scope.
const SCOPE: &str = "ccsession";

/// A session whose telemetry is made, with all that is known about it.
#[derive(Debug, Clone, Copy)]
pub struct OtlpSession<'s, 'a> {
    /// The session's record.
    pub record: &'s Record,
    /// The session's title.
    pub title: Option<&'s str>,
    /// The machine the session ran on.
    pub machine: &'s OtlpMachine,
    /// The remote of the repository that the session worked in, if the repository has one.
    pub remote: Option<&'s Remote>,
    /// The session's events. They come from a builder made by `TraceBuilder::with_events`.
    pub trace: &'s Trace,
    /// The session's calls, prompts, subagents and segments.
    pub activity: &'s Activity<'a>,
    /// The commits that were made while the session ran calls.
    pub commits: &'s [CommitNote],
    /// The tokens that the session used, if they were counted.
    pub usage: Option<&'s Usage>,
    /// How much content may be sent: `metadata` excludes labels and titles.
    pub capture: Capture,
}

/// The machine that a session ran on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OtlpMachine {
    /// The machine's name, if known; becomes `host.name`.
    pub name: Option<String>,
    /// The machine's id, if known; becomes `host.id`.
    pub id: Option<String>,
}

impl OtlpMachine {
    /// Returns the machine that a session ran on. A name or id that the session's record lacks is
    /// that of `here`, this machine, unless the session ran on another one.
    pub fn of(record: &Record, here: &Self) -> Self {
        let is_here = record.machine.is_none() || record.machine == here.name;
        Self {
            name: record.machine.clone().or_else(|| here.name.clone()),
            id: (record.machine_id.clone()).or_else(|| here.id.clone().filter(|_| is_here)),
        }
    }
}

/// For which turns ccsession sends spans, because Claude Code may trace a turn itself and send its
/// own spans.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SpanPolicy {
    /// For the turns that Claude Code does not trace itself, so that no call appears twice.
    #[default]
    Auto,
    /// For all turns. If Claude Code traces a turn itself, ccsession's spans become children of
    /// Claude Code's.
    Always,
    /// For none.
    Never,
}

/// The telemetry of a session.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Telemetry<'s> {
    /// Where and by what program the session was recorded.
    pub resource: Resource<'s>,
    /// The spans of the session's turns, subagents and calls.
    pub spans: Vec<Span<'s>>,
    /// The log records of the session's events, ended calls, commits and tokens.
    pub logs: Vec<LogRecord<'s>>,
}

impl<'s> Telemetry<'s> {
    /// Returns the spans and log records of a session, in an order that is always the same.
    #[cfg(test)]
    pub fn of(session: &OtlpSession<'s, 's>, policy: SpanPolicy) -> Self {
        Self {
            logs: Self::logs(session, policy).logs,
            ..Self::traces(session, policy)
        }
    }

    /// Returns only the spans.
    pub fn traces(session: &OtlpSession<'s, 's>, policy: SpanPolicy) -> Self {
        let mut spans = Vec::new();
        Teller::of(session, policy).each_span(|span| spans.push(span));
        Self {
            resource: Resource::of(session),
            spans,
            logs: Vec::new(),
        }
    }

    /// Returns only the log records, in the order of their times.
    pub fn logs(session: &OtlpSession<'s, 's>, policy: SpanPolicy) -> Self {
        let mut logs = Vec::new();
        Teller::of(session, policy).each_log(|record| logs.push(record));
        logs.sort_by_key(|record| record.time);
        Self {
            resource: Resource::of(session),
            spans: Vec::new(),
            logs,
        }
    }

    /// Keeps only the spans that began, and the log records whose event happened, in the period.
    pub fn retain_within(&mut self, period: Period) {
        let since = period.since.map_or(0, nanos);
        let until = period.until.map_or(u64::MAX, nanos);
        self.spans
            .retain(|span| (since..until).contains(&span.start_time));
        self.logs
            .retain(|record| (since..until).contains(&record.time));
    }
}

/// Makes the spans and log records of a session one by one, so that they are never all in memory.
pub struct Teller<'s> {
    session: OtlpSession<'s, 's>,
    policy: SpanPolicy,
    facts: Facts<'s>,
    places: Places<'s>,
}

impl<'s> Teller<'s> {
    /// Prepares the spans and log records: finds the trace and the parent span of each turn, run
    /// and call.
    pub fn of(session: &OtlpSession<'s, 's>, policy: SpanPolicy) -> Self {
        Self {
            session: *session,
            policy,
            facts: Facts::of(session),
            places: Places::of(session),
        }
    }

    /// Calls `each` with each span, in an order that is always the same.
    pub fn each_span(&self, each: impl FnMut(Span<'s>)) {
        spans::each_span(&self.session, &self.facts, &self.places, self.policy, each);
    }

    /// Calls `each` with each log record. The order is always the same, but it is not the order of
    /// time.
    pub fn each_log(&self, each: impl FnMut(LogRecord<'s>)) {
        logs::each_log(&self.session, &self.facts, &self.places, self.policy, each);
    }
}

/// Returns a time in nanoseconds since 1970, or 0 for a time before 1970.
fn nanos(time: Timestamp) -> u64 {
    let micros = u64::try_from(time.micros()).unwrap_or(0);
    micros.saturating_mul(1000)
}
