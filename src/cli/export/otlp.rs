//! Writes sessions as OpenTelemetry, in the format of the Collector's file exporter: one request on
//! each line, one signal in each file.

use std::collections::BTreeMap;

use anyhow::Result;
use clap::ValueEnum;

use super::output_file::{DayFiles, InTurn};
use super::trace::commits;
use super::{ExportRequest, complain, shown_machine};
use crate::cli::context::Context;
use crate::cli::gather::{Count, GatheredSession, SessionSelection, gather};
use crate::cli::metrics::{CountedMetrics, counted};
use crate::cli::stats::counting::used;
use crate::cli::title::title;
use crate::identity::liveness::Judge;
use crate::model::when::Period;
use crate::model::{Config, Timestamp};
use crate::store::{self, StateDir, remote};
use crate::view::otlp::{
    CallContents, OtlpMachine, OtlpSession, Remote, Resource, SpanPolicy, Telemetry, json, metrics,
};

/// The most spans or log records on a line.
const MOST_ON_A_LINE: usize = 256;
/// The length of a line, in bytes, from which the next span or record begins a new line. By
/// default, the Collector reads lines of up to 1 MiB.
const LONGEST_LINE: usize = 512 << 10;

/// Which signal is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum SignalArg {
    /// A span for each turn, subagent and call that has ended
    #[default]
    Traces,
    /// A record for each event, and for each call that has ended
    Logs,
    /// The numbers of `ccsession metrics`, over all sessions
    Metrics,
}

/// Which spans are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum SpansArg {
    /// Write spans only for turns that Claude Code does not trace itself, so that no call is there
    /// twice
    #[default]
    Auto,
    /// Write spans for all turns; where Claude Code traces a turn itself, they are children of its
    /// spans
    Always,
    /// Write no spans at all
    Never,
}

impl From<SpansArg> for SpanPolicy {
    fn from(spans: SpansArg) -> Self {
        match spans {
            SpansArg::Auto => Self::Auto,
            SpansArg::Always => Self::Always,
            SpansArg::Never => Self::Never,
        }
    }
}

/// Which parts of each session are written.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct OtlpChoice {
    pub(super) signal: SignalArg,
    pub(super) spans: SpansArg,
    /// True if spans contain the arguments and results of calls.
    pub(super) has_content: bool,
}

impl SignalArg {
    /// Returns the name of the signal, for file names.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Traces => "traces",
            Self::Logs => "logs",
            Self::Metrics => "metrics",
        }
    }
}

/// Where the lines go: to one file, or to one for each day.
#[derive(Debug, Clone, Copy)]
pub(super) enum OtlpTurns<'a> {
    One(&'a InTurn),
    Days(&'a InTurn<DayFiles>),
}

/// One thread's share of the export.
struct OtlpExporter<'a> {
    request: &'a ExportRequest<'a>,
    choice: OtlpChoice,
    turns: OtlpTurns<'a>,
    /// The lines of the current session by day. If all lines go to one file, the day is an empty
    /// string.
    texts: BTreeMap<String, String>,
    sessions: u64,
}

impl Count for OtlpExporter<'_> {
    const WITH_EVENTS: bool = true;
    const CLOSES_ALL: bool = true;
    const IN_ORDER: bool = true;

    fn session(&mut self, session: &GatheredSession<'_>) -> Result<(), String> {
        let has_failed = match self.turns {
            OtlpTurns::One(turns) => turns.has_failed(),
            OtlpTurns::Days(turns) => turns.has_failed(),
        };
        if has_failed {
            return Ok(());
        }
        let request = self.request;
        let record = session.record;
        let title = title(request.env, request.state, record, request.capture);
        let machine = OtlpMachine::of(record, &request.here);
        let machine = shown_machine(request.hash.as_ref(), machine);
        let remote = match &record.remote {
            Some(url) => Remote::parse(url),
            // Old records and those of imported sessions have no remote URL, so ask git here. For a
            // session of another machine, the same path may be another repository here.
            None if record.machine.is_none() || record.machine == request.here.name => {
                remote::remote(&record.project.root())
            }
            None => None,
        };
        let contents = match self.choice.has_content {
            true => contents(session).map_err(|err| err.to_string())?,
            false => CallContents::default(),
        };
        let commits = commits(session);
        // Of all spans, only those of subagents contain token counts.
        let has_tokens =
            self.choice.signal == SignalArg::Logs || !session.activity.agents.is_empty();
        let usage =
            has_tokens.then(|| used(request.env, request.is_one, Period::default(), session));
        let (usage, left_out) = match usage.transpose() {
            Ok(usage) => (usage, Ok(())),
            Err(why) => (None, Err(why)),
        };
        let tell = match self.choice.signal {
            SignalArg::Logs => Telemetry::logs,
            SignalArg::Traces | SignalArg::Metrics => Telemetry::traces,
        };
        let mut telemetry = tell(
            &OtlpSession {
                record,
                title: title.as_ref().map(|title| title.text.as_str()),
                machine: &machine,
                remote: remote.as_ref(),
                trace: session.trace,
                activity: &session.activity,
                commits: &commits,
                usage: usage.as_ref(),
                capture: request.capture,
            },
            self.choice.spans.into(),
        );
        if !request.period.is_all_time() {
            telemetry.retain_within(request.period);
        }
        for span in &mut telemetry.spans {
            contents.add_to(span);
        }
        let resource = &telemetry.resource;
        match self.choice.signal {
            SignalArg::Traces => self.lines(
                telemetry.spans,
                |span| (span.start_time, span.attributes.size()),
                |some| json::traces(&[(resource, some)]),
            ),
            SignalArg::Logs => self.lines(
                telemetry.logs,
                |record| (record.time, record.attributes.size()),
                |some| json::logs(&[(resource, some)]),
            ),
            SignalArg::Metrics => {}
        }
        self.sessions += u64::from(session.activity.span.is_some());
        left_out
    }

    fn pass(&mut self, place: usize) {
        match self.turns {
            OtlpTurns::One(turns) => {
                let text = self.texts.get("").map(String::as_str);
                turns.put(place, text.unwrap_or_default());
            }
            OtlpTurns::Days(turns) => turns.put_days(place, &self.texts),
        }
        self.texts.clear();
    }

    fn add(&mut self, other: Self) {
        self.sessions += other.sessions;
    }
}

impl OtlpExporter<'_> {
    /// Adds items as lines. All items on a line are of one day. `measure` returns the time and the
    /// size of an item.
    fn lines<T>(
        &mut self,
        items: Vec<T>,
        measure: impl Fn(&T) -> (u64, usize),
        line: impl Fn(&[T]) -> String,
    ) {
        let mut by_day: BTreeMap<String, Vec<(usize, T)>> = BTreeMap::new();
        for item in items {
            let (time, size) = measure(&item);
            let day = match self.turns {
                OtlpTurns::One(_) => String::new(),
                OtlpTurns::Days(_) => day(time),
            };
            by_day.entry(day).or_default().push((size, item));
        }
        for (day, items) in by_day {
            let text = self.texts.entry(day).or_default();
            let mut put = |some: &mut Vec<T>| {
                if !some.is_empty() {
                    text.push_str(&line(some));
                    text.push('\n');
                    some.clear();
                }
            };
            let (mut some, mut length) = (Vec::new(), 0);
            for (size, item) in items {
                if some.len() == MOST_ON_A_LINE || length + size > LONGEST_LINE {
                    put(&mut some);
                    length = 0;
                }
                some.push(item);
                length += size;
            }
            put(&mut some);
        }
    }
}

/// Reads the arguments and results of a session's calls.
fn contents(session: &GatheredSession<'_>) -> store::Result<CallContents> {
    let mut contents = CallContents::default();
    let events = session.dir.journal().events()?;
    events.for_each(|event| contents.hear(&event));
    Ok(contents)
}

/// Returns the day of a time in nanoseconds, in UTC.
pub(super) fn day(nanos: u64) -> String {
    let micros = i64::try_from(nanos / 1000).unwrap_or(i64::MAX);
    let time = Timestamp::from_micros(micros).to_utc();
    time.format("%Y-%m-%d").to_string()
}

/// Returns the beginning of the day of `time`, in UTC.
pub(super) fn whole_day(time: Timestamp) -> Timestamp {
    const DAY: i64 = 86_400_000_000;
    let micros = time.micros();
    Timestamp::from_micros(micros - micros.rem_euclid(DAY))
}

/// Writes the traces or the logs of sessions, and returns how many sessions there were.
pub(super) fn write(
    request: &ExportRequest<'_>,
    choice: OtlpChoice,
    judge: &Judge<'_>,
    which: &SessionSelection,
    turns: OtlpTurns<'_>,
) -> Result<u64> {
    let exporter = || OtlpExporter {
        request,
        choice,
        turns,
        texts: BTreeMap::new(),
        sessions: 0,
    };
    let gathered = gather(judge, which, exporter)?;
    complain(&gathered);
    Ok(gathered.counts.sessions)
}

/// Returns the metrics of all sessions, on one line.
pub(super) fn metrics_line(
    context: &Context,
    config: &Config,
    state: Option<&StateDir>,
    here: &OtlpMachine,
) -> Result<String> {
    let CountedMetrics { summary, since } = counted(context, config, state)?;
    let since = since.unwrap_or(context.now);
    let resource = Resource::of_machine(here.name.as_deref(), here.id.as_deref());
    let all = metrics(&summary, since, context.now);
    Ok(json::metrics(&[(&resource, &all)]) + "\n")
}
