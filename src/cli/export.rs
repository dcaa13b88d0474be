//! `ccsession export`: writes what sessions did, for other programs.

mod otlp;
mod output_file;
mod slowest;
mod state;
mod tables;
mod trace;

use std::num::NonZeroUsize;
use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, ValueEnum, ValueHint};

use super::amount::above_zero;
use super::bundle;
use super::collected::FromArgs;
use super::context::{Context, period};
use super::gather::{Count, GatherResult, GatheredSession, SessionSelection, gather};
use super::hints::{filled, say_not_recorded, wider};
use super::output;
use super::scope::{Scope, ScopeArgs, selected};
use super::status::{Status, refusal};
use super::title::title;
use crate::model::Capture;
use crate::model::when::Period;
use crate::store::{Environment, MachineHash, StateDir, machine_id, machine_name, shown};
use crate::view::otlp::OtlpMachine;
use crate::view::tables::Table;
use crate::view::timeline::CallFilter;
use otlp::{OtlpChoice, OtlpTurns};
pub(super) use otlp::{SignalArg, SpansArg};
use output_file::{DayFiles, InTurn, OutputFile};
use slowest::Slowest;

#[derive(Debug, Args)]
#[command(
    after_help = "Nothing is sent anywhere: the output goes to stdout or to FILE, which only you can read.\n\n\
    Examples:\n  ccsession export --all --format csv -o calls.csv    # every call of every session\n  \
    ccsession export --all --format csv --slowest 20    # the slowest calls of all sessions\n  \
    ccsession export --format jsonl --table sessions    # the sessions of this project\n  \
    ccsession export 3f2a --format chrome-trace -o trace.json    # for Perfetto or speedscope\n  \
    ccsession export --all --format otlp-jsonl -o traces.jsonl    # for an OpenTelemetry Collector\n  \
    ccsession export --all --format bundle -o all.bundle    # for `ccsession import` on another machine"
)]
pub(super) struct ExportArgs {
    /// Export only this session: a unique prefix of its id, or its title
    #[arg(conflicts_with_all = ["project", "all"])]
    pub(super) id: Option<String>,
    #[command(flatten)]
    pub(super) scope: ScopeArgs,
    /// Export only what began since then: `today`, `monday`, `7d`, `2026-11`
    #[arg(long, short, value_name = "WHEN")]
    pub(super) since: Option<String>,
    /// Export only what began before then: the forms of --since; `2026-11` excludes November
    #[arg(long, value_name = "WHEN")]
    pub(super) until: Option<String>,
    /// What to write
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub(super) format: ExportFormat,
    /// Which table to write; `calls` without it
    #[arg(long, value_enum, value_name = "TABLE")]
    pub(super) table: Option<TableArg>,
    /// Export only calls of this tool; repeatable
    #[arg(long, value_name = "NAME")]
    pub(super) tool: Vec<String>,
    /// Export only calls that failed, were denied or never returned
    #[arg(long)]
    pub(super) failed: bool,
    /// Export only calls of this subagent, by id prefix or type; `main` is the main thread
    #[arg(long, value_name = "AGENT")]
    pub(super) agent: Option<String>,
    /// Export only the N calls of all sessions that took longest, the longest first
    #[arg(long, value_name = "N", value_parser = above_zero)]
    pub(super) slowest: Option<NonZeroUsize>,
    /// Which signal of OpenTelemetry to write; `traces` without it
    #[arg(long, value_enum, value_name = "SIGNAL")]
    pub(super) signal: Option<SignalArg>,
    /// Which spans to write, because Claude Code may trace turns itself; `auto` without it
    #[arg(long, value_enum, value_name = "WHICH")]
    pub(super) spans: Option<SpansArg>,
    /// Write what calls were given and what they returned, too; needs `capture = "full"`
    #[arg(long)]
    pub(super) content: bool,
    /// Write a file for each day (in UTC) into the directory that --output names
    #[arg(long, requires = "output")]
    pub(super) by_day: bool,
    /// Write only what is new since the last export with this file, which remembers it
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with_all = ["by_day", "content", "from"])]
    pub(super) state: Option<PathBuf>,
    #[command(flatten)]
    pub(super) from: FromArgs,
    /// Write hashes instead of names and ids of machines
    #[arg(long)]
    pub(super) hash_machine: bool,
    /// Put Claude Code's transcripts into the bundle, too, so that the sessions can be resumed
    #[arg(long)]
    pub(super) transcripts: bool,
    /// Write to this file instead of stdout
    #[arg(long, short, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
}

/// What is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum ExportFormat {
    /// Everything on record in one file, for `import` on another machine
    Bundle,
    /// A picture for Perfetto, chrome://tracing and speedscope
    ChromeTrace,
    /// Comma-separated values, with a line of names
    Csv,
    /// A JSON object on each line
    Jsonl,
    /// OpenTelemetry: a request on each line, as the Collector's file exporter writes it
    OtlpJsonl,
}

/// Which table is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum TableArg {
    /// A line for each call
    Calls,
    /// A line for each session
    Sessions,
    /// A line for each prompt
    Prompts,
    /// A line for each day and model of each agent of a session
    Tokens,
    /// A line for each commit that a session made, or may have made
    Commits,
}

impl From<TableArg> for Table {
    fn from(table: TableArg) -> Self {
        match table {
            TableArg::Calls => Self::Calls,
            TableArg::Sessions => Self::Sessions,
            TableArg::Prompts => Self::Prompts,
            TableArg::Tokens => Self::Tokens,
            TableArg::Commits => Self::Commits,
        }
    }
}

/// What to export, and how.
#[derive(Debug)]
struct ExportRequest<'a> {
    env: &'a Environment,
    state: &'a StateDir,
    capture: Capture,
    /// This machine, for records that name none.
    here: OtlpMachine,
    /// The function that replaces names and ids of machines by hashes, if the user wants that.
    hash: Option<MachineHash>,
    format: ExportFormat,
    table: Table,
    filter: CallFilter,
    period: Period,
    slowest: Option<NonZeroUsize>,
    /// True if a single session was requested. Then its transcript is searched for in every folder.
    is_one: bool,
}

pub(super) fn run(context: &Context, args: ExportArgs) -> Result<Status> {
    check(&args)?;
    if args.format == ExportFormat::Bundle {
        return bundle::export(context, &args);
    }
    let mut period = period(args.since.as_deref(), args.until.as_deref(), context.now)?;
    if args.by_day {
        // The file of the first day must have everything that began on that day.
        period.since = period.since.map(otlp::whole_day);
    }
    let config = context.config()?;
    if args.content && config.capture != Capture::Full {
        let text = "--content needs `capture = \"full\"` in the configuration: else the journal has no content";
        return Err(refusal(Status::Usage, text));
    }
    let state = context.state()?;
    let id = args.id.as_deref();
    let (which, scope) = selected(context, state.as_ref(), id, &args.scope, &args.from)?;
    if let (Some(path), Some(state)) = (&args.state, &state) {
        let status = state::run(context, &args, path, state, &which)?;
        if let Some(scope) = &scope {
            scope.say(&context.env);
        }
        return Ok(status);
    }
    let days = args.output.as_deref().filter(|_| args.by_day);
    let mut file = OutputFile::begin(args.output.as_deref().filter(|_| !args.by_day))?;
    let here = OtlpMachine {
        name: machine_name(),
        id: machine_id(),
    };
    let hash = context.machine_hash(args.hash_machine)?;
    let shown_here = shown_machine(hash.as_ref(), here.clone());
    if args.signal == Some(SignalArg::Metrics) {
        file.write(&otlp::metrics_line(
            context,
            &config,
            state.as_ref(),
            &shown_here,
        )?)?;
        file.end()?;
        return Ok(Status::Done);
    }
    let table = args.table.map_or(Table::Calls, Table::from);
    file.write(&beginning(args.format, table))?;
    let Some(state) = state else {
        file.write(&end(args.format, None))?;
        file.end()?;
        say_empty(context, None, &args, scope.as_ref());
        return Ok(Status::Done);
    };
    let request = ExportRequest {
        env: &context.env,
        state: &state,
        capture: config.capture,
        here,
        hash,
        format: args.format,
        table,
        filter: CallFilter {
            period,
            tools: args.tool.clone(),
            failed: args.failed,
            agent: args.agent.clone(),
            at_least: None,
        },
        period,
        slowest: args.slowest,
        is_one: matches!(which, SessionSelection::One(_)),
    };
    let judge = context.judge(&config, &state);
    let separator = match args.format {
        ExportFormat::ChromeTrace => trace::SEPARATOR,
        ExportFormat::Csv
        | ExportFormat::Jsonl
        | ExportFormat::OtlpJsonl
        | ExportFormat::Bundle => "",
    };
    let turns = InTurn::new(file, separator);
    let signal = args.signal.unwrap_or_default();
    let days = days
        .map(|dir| DayFiles::begin(dir, signal.as_str()))
        .transpose()?;
    let days = days.map(|files| InTurn::new(files, ""));
    let (slowest, sessions) = if args.format == ExportFormat::OtlpJsonl {
        let choice = OtlpChoice {
            signal,
            spans: args.spans.unwrap_or_default(),
            has_content: args.content,
        };
        let to = days
            .as_ref()
            .map_or(OtlpTurns::One(&turns), OtlpTurns::Days);
        let sessions = otlp::write(&request, choice, &judge, &which, to)?;
        (Slowest::new(None), sessions)
    } else {
        let gathered = gather(&judge, &which, || Exporter::new(&request, &turns))?;
        complain(&gathered);
        (gathered.counts.slowest, gathered.counts.sessions)
    };
    let mut file = turns.finish()?;
    file.write(&slowest.text())?;
    file.write(&end(args.format, shown_here.name.as_deref()))?;
    file.end()?;
    if let Some(days) = days {
        days.finish()?.end()?;
    }
    if sessions == 0 {
        say_empty(context, Some(&state), &args, scope.as_ref());
    }
    if let Some(scope) = scope.as_ref().filter(|_| sessions > 0) {
        scope.say(&context.env);
    }
    if !request.is_one {
        say_not_recorded(&context.host(&config, Some(&state)), None);
    }
    Ok(Status::Done)
}

/// Returns how the output names a machine: with a hash instead of its name and id, if there is a
/// `hash`.
fn shown_machine(hash: Option<&MachineHash>, machine: OtlpMachine) -> OtlpMachine {
    let Some(hash) = hash else {
        return machine;
    };
    let hidden = |text: Option<String>| text.map(|text| hash.hash(&text));
    OtlpMachine {
        name: hidden(machine.name),
        id: hidden(machine.id),
    }
}

/// Refuses options that do not apply to the chosen format.
fn check(args: &ExportArgs) -> Result<()> {
    let usage = |text: &str| Err(refusal(Status::Usage, text));
    let is_bundle = args.format == ExportFormat::Bundle;
    if is_bundle && args.table.is_some() {
        return usage("a bundle has whole sessions: leave --table out");
    }
    if is_bundle && args.hash_machine {
        return usage("a bundle has records as they are: leave --hash-machine out");
    }
    if args.transcripts && !is_bundle {
        return usage("--transcripts belongs to --format bundle");
    }
    let is_otlp = args.format == ExportFormat::OtlpJsonl;
    let is_trace = is_otlp || args.format == ExportFormat::ChromeTrace;
    if is_trace && args.table.is_some() {
        return usage(if is_otlp {
            "OpenTelemetry has no tables: choose with --signal, or use --format csv or jsonl"
        } else {
            "a chrome-trace has no tables: leave --table out, or use --format csv or jsonl"
        });
    }
    let is_for_otlp = args.spans.is_some() || args.by_day || args.state.is_some();
    if !is_otlp && (args.signal.is_some() || is_for_otlp) {
        return usage("--signal, --spans, --by-day and --state are for --format otlp-jsonl");
    }
    if args.state.is_some() && args.signal == Some(SignalArg::Metrics) {
        return usage("the metrics are of this moment: leave --state out");
    }
    let has_spans = is_otlp && args.signal.is_none_or(|it| it == SignalArg::Traces);
    if args.content && !has_spans {
        return usage(
            "only spans have content: use --content with --format otlp-jsonl and --signal traces",
        );
    }
    if args.by_day && args.signal == Some(SignalArg::Metrics) {
        return usage("the metrics are of this moment: leave --by-day out");
    }
    let is_all =
        (args.scope.all || args.from.is_given()) && args.since.is_none() && args.until.is_none();
    if args.signal == Some(SignalArg::Metrics) && !is_all {
        return usage("the metrics are over all sessions: use --all, without --since and --until");
    }
    if args.until.is_some() && args.state.is_some() {
        return usage("--state continues where the last export ended: leave --until out");
    }
    let selects = [
        ("--tool", !args.tool.is_empty()),
        ("--failed", args.failed),
        ("--agent", args.agent.is_some()),
        ("--slowest", args.slowest.is_some()),
    ];
    let has_calls =
        !is_trace && !is_bundle && args.table.is_none_or(|table| table == TableArg::Calls);
    match selects.iter().find(|(_, given)| *given && !has_calls) {
        Some((option, _)) => {
            let text = format!(
                "{option} selects calls: use it with --format csv or jsonl and --table calls"
            );
            Err(refusal(Status::Usage, text))
        }
        None => Ok(()),
    }
}

/// Warns about everything that the output lacks.
fn complain<C>(gathered: &GatherResult<C>) {
    for left_out in &gathered.left_out {
        output::complain(left_out);
    }
    for (path, damage) in &gathered.damaged {
        for (count, what) in damage.named() {
            let lines = if count == 1 { "line" } else { "lines" };
            let path = shown(path);
            output::complain(&format!("left out {count} {lines} of `{path}`: {what}"));
        }
    }
}

/// Warns on a terminal that nothing was exported, with a hint.
fn say_empty(
    context: &Context,
    state: Option<&StateDir>,
    args: &ExportArgs,
    scope: Option<&Scope>,
) {
    if !output::are_warnings_for_people() {
        return;
    }
    let is_narrow = scope.is_some_and(Scope::is_narrow);
    let text = filled("no session to export", context, state, |sessions| {
        match (wider(&args.since, &args.until), is_narrow) {
            (Some(wider), true) => {
                Some(format!("{wider}, or --all, exports more of the {sessions}"))
            }
            (Some(wider), false) => Some(format!("{wider} exports more of the {sessions}")),
            (None, true) => Some(format!("--all exports the {sessions} on record")),
            (None, false) => None,
        }
    });
    output::warn(&text);
}

/// Returns the text before the first session.
fn beginning(format: ExportFormat, table: Table) -> String {
    match format {
        ExportFormat::Csv => table.heading(),
        ExportFormat::Jsonl | ExportFormat::OtlpJsonl | ExportFormat::Bundle => String::new(),
        ExportFormat::ChromeTrace => trace::beginning(),
    }
}

/// Returns the text after the last session.
fn end(format: ExportFormat, machine: Option<&str>) -> String {
    match format {
        ExportFormat::Csv
        | ExportFormat::Jsonl
        | ExportFormat::OtlpJsonl
        | ExportFormat::Bundle => String::new(),
        ExportFormat::ChromeTrace => trace::end(machine),
    }
}

/// One thread's share of the export. The sessions are written in the order in which they began, so
/// each thread has at most one session in memory.
#[derive(Debug)]
struct Exporter<'a> {
    request: &'a ExportRequest<'a>,
    turns: &'a InTurn,
    /// The text of the current session, until it is written.
    text: String,
    slowest: Slowest,
    sessions: u64,
}

impl Count for Exporter<'_> {
    const WITH_LABELS: bool = true;
    const IN_ORDER: bool = true;

    fn session(&mut self, session: &GatheredSession<'_>) -> Result<(), String> {
        if self.turns.has_failed() {
            return Ok(());
        }
        let request = self.request;
        let title = title(request.env, request.state, session.record, request.capture);
        let title = title.as_ref().map(|title| title.text.as_str());
        let exported = match request.format {
            ExportFormat::ChromeTrace => {
                self.text = trace::text(request, session, title);
                Ok(())
            }
            ExportFormat::Bundle => Ok(()),
            ExportFormat::Csv | ExportFormat::Jsonl | ExportFormat::OtlpJsonl => {
                let slowest = &mut self.slowest;
                tables::write(request, session, title, slowest, &mut self.text)
            }
        };
        self.sessions += u64::from(session.activity.span.is_some());
        exported
    }

    fn pass(&mut self, place: usize) {
        self.turns.put(place, &self.text);
        self.text.clear();
    }

    fn add(&mut self, other: Self) {
        self.slowest.add(other.slowest);
        self.sessions += other.sessions;
    }
}

impl<'a> Exporter<'a> {
    fn new(request: &'a ExportRequest<'a>, turns: &'a InTurn) -> Self {
        Self {
            request,
            turns,
            text: String::new(),
            slowest: Slowest::new(request.slowest),
            sessions: 0,
        }
    }
}
