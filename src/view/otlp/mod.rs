//! What a session did, as OpenTelemetry's traces, logs and metrics, and their two encodings. Pure.
//!
//! Only what is final is reported: a call, a turn or a run of a subagent once it has ended. Ids are
//! hashes of what they name, so whatever is sent again has the same id. `docs/telemetry.md`
//! explains the mapping; `names.tsv` says where each name is from.

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

/// The name of our instrumentation scope.
const SCOPE: &str = "ccsession";

/// A session to report.
#[derive(Debug, Clone, Copy)]
pub struct OtlpSession<'s, 'a> {
    /// Its record.
    pub record: &'s Record,
    /// What it is called.
    pub title: Option<&'s str>,
    /// The machine it ran on.
    pub machine: &'s OtlpMachine,
    /// The repository it worked in, if that is on a server.
    pub remote: Option<&'s Remote>,
    /// Its events, from a builder made by `TraceBuilder::with_events`.
    pub trace: &'s Trace,
    /// What it did.
    pub activity: &'s Activity<'a>,
    /// The commits that were made while it ran calls.
    pub commits: &'s [CommitNote],
    /// What it used, if that was counted.
    pub usage: Option<&'s Usage>,
    /// How much may be reported. `metadata` excludes labels and titles.
    pub capture: Capture,
}

/// The machine that a session ran on. Either may be unknown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OtlpMachine {
    /// Its name.
    pub name: Option<String>,
    /// Its id, which becomes `host.id`.
    pub id: Option<String>,
}

impl OtlpMachine {
    /// Returns the machine of a session. What its record does not say is taken from `here`, this
    /// machine, unless the session ran on another one.
    pub fn of(record: &Record, here: &Self) -> Self {
        let is_here = record.machine.is_none() || record.machine == here.name;
        Self {
            name: record.machine.clone().or_else(|| here.name.clone()),
            id: (record.machine_id.clone()).or_else(|| here.id.clone().filter(|_| is_here)),
        }
    }
}

/// Which spans are written, since Claude Code may trace turns itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SpanPolicy {
    /// Only those of turns that Claude Code does not trace itself, so that no call appears twice.
    #[default]
    Auto,
    /// Those of all turns. Where Claude Code traces a turn itself, ours become children of its
    /// spans.
    Always,
    /// No spans at all.
    Never,
}

/// What a session did.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Telemetry<'s> {
    /// Where it was recorded.
    pub resource: Resource<'s>,
    /// Its turns, runs and calls.
    pub spans: Vec<Span<'s>>,
    /// Its events, and what follows from several of them.
    pub logs: Vec<LogRecord<'s>>,
}

impl<'s> Telemetry<'s> {
    /// Reports what a session did, as far as it is final. The order is always the same.
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

    /// Leaves out what did not begin in the period.
    pub fn retain_within(&mut self, period: Period) {
        let since = period.since.map_or(0, nanos);
        let until = period.until.map_or(u64::MAX, nanos);
        self.spans
            .retain(|span| (since..until).contains(&span.start_time));
        self.logs
            .retain(|record| (since..until).contains(&record.time));
    }
}

/// Reports what a session did item by item, so that it is never in memory as a whole.
pub struct Teller<'s> {
    session: OtlpSession<'s, 's>,
    policy: SpanPolicy,
    facts: Facts<'s>,
    places: Places<'s>,
}

impl<'s> Teller<'s> {
    /// Finds out where everything in a session belongs.
    pub fn of(session: &OtlpSession<'s, 's>, policy: SpanPolicy) -> Self {
        Self {
            session: *session,
            policy,
            facts: Facts::of(session),
            places: Places::of(session),
        }
    }

    /// Passes each span to `each`. The order is always the same.
    pub fn each_span(&self, each: impl FnMut(Span<'s>)) {
        spans::each_span(&self.session, &self.facts, &self.places, self.policy, each);
    }

    /// Passes each log record to `each`. The order is always the same, but it is not that of their
    /// times.
    pub fn each_log(&self, each: impl FnMut(LogRecord<'s>)) {
        logs::each_log(&self.session, &self.facts, &self.places, self.policy, each);
    }
}

/// Returns a time in nanoseconds since 1970, or 0 for one before.
fn nanos(time: Timestamp) -> u64 {
    let micros = u64::try_from(time.micros()).unwrap_or(0);
    micros.saturating_mul(1000)
}
