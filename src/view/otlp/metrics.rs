//! The values of `ccsession metrics` as OpenTelemetry metrics. They are cumulative and count all
//! sessions together, so they have no session id.

use super::names::*;
use super::nanos;
use super::value::Attributes;
use crate::model::Timestamp;
use crate::view::metrics::{Durations, MetricsSummary};

/// A metric: its name, unit and data points.
#[derive(Debug, Clone, PartialEq)]
pub struct Metric<'s> {
    /// The metric's name.
    pub name: &'static str,
    /// What the metric counts.
    pub description: &'static str,
    /// The metric's unit, as a UCUM code such as `By`.
    pub unit: &'static str,
    /// The data points; the variant is the kind of the metric.
    pub points: Points<'s>,
}

/// The data points of a metric. All sums and histograms are cumulative.
#[derive(Debug, Clone, PartialEq)]
pub enum Points<'s> {
    /// How much there is now.
    Gauge(Vec<Point<'s, f64>>),
    /// How much there is now. The values of several machines can be added.
    Sum(Vec<Point<'s, u64>>),
    /// How much there has been since the start.
    Counter(Vec<Point<'s, u64>>),
    /// How many durations, in seconds, fell into each range since the start.
    Histogram(Vec<Point<'s, Buckets>>),
}

/// A data point of a metric.
#[derive(Debug, Clone, PartialEq)]
pub struct Point<'s, T> {
    /// What the point counts, such as the calls of one tool.
    pub attributes: Attributes<'s>,
    /// When the count began: nanoseconds since 1970, like `time`.
    pub start_time: u64,
    /// When the point was counted.
    pub time: u64,
    /// The value.
    pub value: T,
}

/// The counts of a histogram.
#[derive(Debug, Clone, PartialEq)]
pub struct Buckets {
    /// The number of all values.
    pub count: u64,
    /// The sum of all values.
    pub sum: f64,
    /// The upper bounds of the buckets, inclusive, in increasing order.
    pub bounds: Vec<f64>,
    /// The number of values in each bucket: above the previous bound and up to its own. One more
    /// bucket follows for the values above the last bound.
    pub counts: Vec<u64>,
}

impl From<&Durations> for Buckets {
    fn from(durations: &Durations) -> Self {
        let mut before = 0;
        let mut counts = Vec::new();
        for bucket in &durations.buckets {
            counts.push(bucket.count.saturating_sub(before));
            before = bucket.count;
        }
        counts.push(durations.count.saturating_sub(before));
        Self {
            count: durations.count,
            sum: durations.sum,
            bounds: durations.buckets.iter().map(|it| it.le).collect(),
            counts,
        }
    }
}

/// Converts a summary that was counted at `now`. `since` is the start of the first session, from
/// which counters count.
pub fn metrics(summary: &MetricsSummary, since: Timestamp, now: Timestamp) -> Vec<Metric<'_>> {
    let times = (nanos(since.min(now)), nanos(now));
    let sessions = &summary.sessions;
    let around = &summary.surroundings;
    let states = [
        ("active", sessions.active),
        ("idle", sessions.idle),
        ("ended", sessions.ended),
        ("abandoned", sessions.abandoned),
        ("imported", sessions.imported),
    ];
    let states = states.map(|(state, count)| point(times, SESSION_STATE, state, count));
    let waiting = sessions.waiting.named();
    let waiting = waiting.map(|(need, count)| point(times, ATTENTION, need, count));
    let ages = [
        ("oldest", summary.oldest_session_age),
        ("newest", summary.newest_session_age),
        ("mean", summary.avg_session_age),
    ];
    let ages = ages.map(|(which, age)| point(times, AGE_OF, which, age));
    let leases = [
        ("refused", around.leases.refused),
        ("taken_over", around.leases.taken_over),
        ("crashed", around.leases.crashed),
    ];
    let leases = leases.map(|(what, count)| point(times, LEASE, what, count));
    let mut all = vec![
        metric(
            SESSIONS,
            "Sessions on record, by what they are now",
            "{session}",
            Points::Sum(states.into()),
        ),
        metric(
            SESSIONS_WAITING,
            "Live sessions that wait for a person, by what they wait for",
            "{session}",
            Points::Sum(waiting.into()),
        ),
        metric(
            SESSIONS_STARTED,
            "Sessions on record, each counted once",
            "{session}",
            Points::Counter(vec![bare(times, sessions.started)]),
        ),
        metric(
            SESSION_ENDS,
            "Ends of sessions that Claude Code reported",
            "{end}",
            Points::Counter(vec![bare(times, sessions.ends)]),
        ),
        metric(
            SESSION_AGE,
            "Time since the start of live sessions",
            "s",
            Points::Gauge(ages.into()),
        ),
        metric(
            HOOK_ERRORS,
            "Errors in the bounded log of the hooks",
            "{error}",
            Points::Counter(vec![bare(times, around.hook_errors)]),
        ),
        metric(
            DAMAGED_LINES,
            "Lines of journals that are not events",
            "{line}",
            Points::Sum(vec![bare(times, around.damaged_lines)]),
        ),
        metric(
            LEASES,
            "What became of session ids that `run` held",
            "{lease}",
            Points::Counter(leases.into()),
        ),
        metric(
            ARCHIVES,
            "Complete archives",
            "{archive}",
            Points::Sum(vec![bare(times, around.archives.count)]),
        ),
        metric(
            ARCHIVE_SIZE,
            "Size of all archives",
            "By",
            Points::Sum(vec![bare(times, around.archives.bytes)]),
        ),
    ];
    let tools = summary.tools.as_slice();
    if !tools.is_empty() {
        let of = |count: fn(&crate::view::metrics::ToolMetrics) -> u64| {
            let points = tools
                .iter()
                .map(|tool| point(times, TOOL_NAME, &tool.tool, count(tool)));
            Points::Counter(points.collect())
        };
        let durations = tools.iter().map(|tool| {
            let mut its = point(times, TOOL_NAME, &tool.tool, Buckets::from(&tool.durations));
            its.attributes.put(OPERATION, "execute_tool");
            its
        });
        let durations = Points::Histogram(durations.collect());
        all.push(metric(
            TOOL_CALLS,
            "Calls that began",
            "{call}",
            of(|it| it.calls),
        ));
        all.push(metric(
            TOOL_FAILURES,
            "Calls that failed",
            "{call}",
            of(|it| it.failed),
        ));
        all.push(metric(TOOL_DURATION, "How long calls ran", "s", durations));
    }
    all
}

fn metric<'s>(
    name: &'static str,
    description: &'static str,
    unit: &'static str,
    points: Points<'s>,
) -> Metric<'s> {
    Metric {
        name,
        description,
        unit,
        points,
    }
}

fn bare<'s, T>((start_time, time): (u64, u64), value: T) -> Point<'s, T> {
    Point {
        attributes: Attributes::default(),
        start_time,
        time,
        value,
    }
}

fn point<'s, T>(times: (u64, u64), name: &'static str, of: &'s str, value: T) -> Point<'s, T> {
    let mut point = bare(times, value);
    point.attributes.put(name, of);
    point
}
