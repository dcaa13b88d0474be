//! `ccsession metrics`: every recorded session in a few numbers, for people, for programs and for
//! Prometheus.

mod print;

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;

use super::args::BarsArg;
use super::collected::FromArgs;
use super::context::Context;
use super::gather::{Count, GatherResult, GatheredSession, SessionSelection, gather};
use super::hints::say_nothing;
use super::output;
use super::pager::ScreenArgs;
use super::status::{Status, refusal};
use super::table::TableLayout;
use crate::identity::attention::of_events;
use crate::identity::liveness::SessionState;
use crate::model::{Config, Timestamp};
use crate::store::log::{self, Log};
use crate::store::{Environment, Error, StateDir, lease, shown, tree, write};
use crate::view::metrics::{
    ArchiveTotals, Leases, Metrics, MetricsSummary, SessionStanding, StoreCounts,
};

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  ccsession metrics --json\n  ccsession metrics --prometheus --output /tmp/ccsession.prom"
)]
pub(super) struct MetricsArgs {
    #[command(flatten)]
    pub(super) from: FromArgs,
    #[command(flatten)]
    pub(super) screen: ScreenArgs,
    /// Print one JSON object
    #[arg(long, short)]
    pub(super) json: bool,
    /// Print in the Prometheus text format
    #[arg(long, conflicts_with = "json")]
    pub(super) prometheus: bool,
    /// Write atomically to this file, readable by everyone
    #[arg(long, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
}

/// The ending of a manifest's name. The manifest is written last, so an archive that has one is
/// complete.
const MANIFEST: &str = ".manifest.json";

pub(super) fn run(context: &Context, args: MetricsArgs) -> Result<Status> {
    let is_for_prometheus = |path: &PathBuf| path.extension().is_some_and(|it| it == "prom");
    if let Some(path) = args.output.as_ref().filter(|path| is_for_prometheus(path))
        && !args.prometheus
    {
        let text = format!(
            "could not write `{}`: Prometheus reads files with this ending; add --prometheus, or use another ending",
            shown(path)
        );
        return Err(refusal(Status::Usage, text));
    }
    let config = context.config()?;
    let state = context.state()?;
    let CountedMetrics { summary, .. } = counted(context, &config, state.as_ref())?;
    let text = if args.prometheus {
        summary.exposition()
    } else if args.json {
        print::as_json(&summary)?
    } else {
        print::as_text(
            &summary,
            TableLayout::of(BarsArg::Auto, args.screen.screen()),
        )
    };
    match &args.output {
        Some(path) => publish(path, &text)?,
        None if args.json => output::print_json(&text),
        None if args.prometheus => output::print(&text),
        None => {
            args.screen.print(&text, true);
            let ids = state.as_ref().and_then(|state| state.session_ids().ok());
            if ids.is_none_or(|mut ids| ids.next().is_none()) {
                say_nothing("no session is on record", context, state.as_ref(), |_| None);
            }
        }
    }
    Ok(Status::Done)
}

/// The metrics of all sessions.
pub(super) struct CountedMetrics {
    pub(super) summary: MetricsSummary,
    /// When the first session began; `None` without sessions.
    pub(super) since: Option<Timestamp>,
}

/// Counts all sessions. Warns of everything that could not be counted.
pub(super) fn counted(
    context: &Context,
    config: &Config,
    state: Option<&StateDir>,
) -> Result<CountedMetrics> {
    let counting = || MetricsCounter {
        env: &context.env,
        now: context.now,
        metrics: Metrics::default(),
        since: None,
    };
    let gathered = match state {
        Some(state) => gather(
            &context.judge(config, state),
            &SessionSelection::All,
            counting,
        )?,
        None => GatherResult::new(counting()),
    };
    for left_out in &gathered.left_out {
        output::complain(left_out);
    }
    let mut surroundings = state.map(around).transpose()?.unwrap_or_default();
    surroundings.damaged_lines = gathered.damaged_lines();
    Ok(CountedMetrics {
        summary: gathered.counts.metrics.summary(surroundings),
        since: gathered.counts.since,
    })
}

/// The counts of one thread.
struct MetricsCounter<'a> {
    env: &'a Environment,
    now: Timestamp,
    metrics: Metrics,
    since: Option<Timestamp>,
}

impl Count for MetricsCounter<'_> {
    fn session(&mut self, session: &GatheredSession<'_>) -> Result<(), String> {
        let began = session.record.started_at;
        self.since = Some(self.since.map_or(began, |since| since.min(began)));
        let age = began.age(self.now);
        let finding = session.finding();
        let standing = match finding.state {
            SessionState::Active => SessionStanding::Active(age),
            SessionState::Idle => SessionStanding::Idle(age),
            SessionState::Ended => SessionStanding::Ended,
            SessionState::Abandoned => SessionStanding::Abandoned,
            SessionState::Imported => SessionStanding::Imported,
        };
        let events = (session.trace, &session.activity);
        let attention = of_events(self.env, session.record, &finding, events, self.now);
        self.metrics
            .add(standing, attention.state, &session.activity);
        Ok(())
    }

    fn add(&mut self, other: Self) {
        self.metrics += other.metrics;
        self.since = match (self.since, other.since) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
    }
}

/// Counts hook errors, leases and archives.
fn around(state: &StateDir) -> Result<StoreCounts, Error> {
    let counts = lease::counts(state);
    let mut archives = ArchiveTotals::default();
    tree::files_below(&state.path("archive"), &mut |name, meta| {
        archives.bytes += meta.size;
        let is_manifest = name.as_encoded_bytes().ends_with(MANIFEST.as_bytes());
        archives.count += u64::from(is_manifest);
    })?;
    Ok(StoreCounts {
        hook_errors: log::count(state, Log::HookErrors),
        damaged_lines: 0,
        leases: Leases {
            refused: counts.refused,
            taken_over: counts.taken_over,
            crashed: counts.crashed,
        },
        archives,
    })
}

/// Writes the text to a file that other users' programs can read, such as the textfile collector of
/// Prometheus' node exporter.
fn publish(path: &Path, text: &str) -> Result<()> {
    write::publish(path, text.as_bytes()).map_err(|err| match err {
        Error::Untrusted { path, why } => {
            let path = shown(&path);
            let text = format!(
                "could not write `{path}`: {why}; choose a regular file that you own, or a new one"
            );
            refusal(Status::Failed, text)
        }
        err => err.into(),
    })
}
