//! Sessions as OpenTelemetry, in the form of the Collector's file exporter: one request on each line,
//! one signal in each file.

use anyhow::Result;
use clap::ValueEnum;

use super::output_file::InTurn;
use super::trace::commits;
use super::{ExportRequest, complain};
use crate::cli::context::Context;
use crate::cli::gather::{Count, GatheredSession, SessionSelection, gather};
use crate::cli::metrics::{CountedMetrics, counted};
use crate::cli::stats::counting::used;
use crate::cli::title::title;
use crate::identity::liveness::Judge;
use crate::model::Config;
use crate::store::{StateDir, remote};
use crate::view::otlp::{
    OtlpMachine, OtlpSession, Remote, Resource, SpanPolicy, Telemetry, json, metrics,
};

/// The most spans or records on a line. With labels of the usual length it stays below 1 MiB, the
/// longest line that the Collector reads unless it is told otherwise.
const MOST_ON_A_LINE: usize = 256;

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

/// Which spans are written of turns that Claude Code traces itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum SpansArg {
    /// None, so that no call is there twice; all of other turns
    #[default]
    Auto,
    /// All, below those of Claude Code
    Always,
    /// No spans at all
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

/// What of a session is written, and how.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct OtlpChoice {
    pub(super) signal: SignalArg,
    pub(super) spans: SpansArg,
}

/// One thread's part of the work.
struct OtlpExporter<'a> {
    request: &'a ExportRequest<'a>,
    choice: OtlpChoice,
    turns: &'a InTurn,
    text: String,
    sessions: u64,
}

impl Count for OtlpExporter<'_> {
    const WITH_EVENTS: bool = true;
    const IN_ORDER: bool = true;

    fn session(&mut self, session: &GatheredSession<'_>) -> Result<(), String> {
        if self.turns.has_failed() {
            return Ok(());
        }
        let request = self.request;
        let record = session.record;
        let title = title(request.env, request.state, record, request.capture);
        let machine = OtlpMachine::of(record, &request.here);
        let remote = match &record.remote {
            Some(url) => Remote::parse(url),
            // Of a session from before this was recorded, and of one that was imported.
            None => remote::remote(&record.project.root()),
        };
        let commits = commits(session);
        // Without subagents, no span says what was used.
        let has_tokens =
            self.choice.signal == SignalArg::Logs || !session.activity.agents.is_empty();
        let usage = has_tokens.then(|| used(request.env, request.is_one, None, session));
        let (usage, left_out) = match usage.transpose() {
            Ok(usage) => (usage, Ok(())),
            Err(why) => (None, Err(why)),
        };
        let mut telemetry = Telemetry::of(
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
        if let Some(since) = request.since {
            telemetry.retain_since(since);
        }
        let resource = &telemetry.resource;
        match self.choice.signal {
            SignalArg::Traces => {
                let lines = telemetry.spans.chunks(MOST_ON_A_LINE);
                lines.for_each(|some| self.line(&json::traces(&[(resource, some)])));
            }
            SignalArg::Logs => {
                let lines = telemetry.logs.chunks(MOST_ON_A_LINE);
                lines.for_each(|some| self.line(&json::logs(&[(resource, some)])));
            }
            SignalArg::Metrics => {}
        }
        self.sessions += u64::from(session.activity.span.is_some());
        left_out
    }

    fn pass(&mut self, place: usize) {
        self.turns.put(place, &self.text);
        self.text.clear();
    }

    fn add(&mut self, other: Self) {
        self.sessions += other.sessions;
    }
}

impl OtlpExporter<'_> {
    fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }
}

/// Writes the traces or the logs of sessions, and returns how many sessions there were.
pub(super) fn write(
    request: &ExportRequest<'_>,
    choice: OtlpChoice,
    judge: &Judge<'_>,
    which: &SessionSelection,
    turns: &InTurn,
) -> Result<u64> {
    let exporter = || OtlpExporter {
        request,
        choice,
        turns,
        text: String::new(),
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
