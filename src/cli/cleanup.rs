//! `ccsession cleanup`: removes stale files and reports how many.

use anyhow::Result;
use clap::Args;
use serde_json::json;

use super::amount::plural;
use super::context::Context;
use super::output;
use super::status::{Status, refusal};
use crate::claude::retention::{self, Retention, here};
use crate::cleanup::task::TaskKind;
use crate::cleanup::{self, CleanupMode, CleanupReport, DueWork};
use crate::model::config::duration;
use crate::store::{Host, StateDir};

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  ccsession cleanup --dry-run\n  ccsession cleanup --if-due --quiet      # for cron"
)]
pub(super) struct CleanupArgs {
    /// Treat pointers older than this as stale, instead of the `ttl` setting
    #[arg(long, value_name = "DURATION")]
    pub(super) ttl: Option<String>,
    /// Print to stderr what would be done, and why; change nothing
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Do nothing if a cleanup ran within `cleanup_interval`
    #[arg(long)]
    pub(super) if_due: bool,
    /// Print only warnings
    #[arg(long, short)]
    pub(super) quiet: bool,
    /// Print one JSON object
    #[arg(long, short, conflicts_with = "quiet")]
    pub(super) json: bool,
    /// Leave the session of the process that started this
    #[arg(long, hide = true)]
    pub(super) detach: bool,
}

/// A cleanup that removes more stale pointers than this at once warns: some program does not clean
/// up after itself.
const MANY: usize = 10;

pub(super) fn run(context: &Context, args: CleanupArgs) -> Result<Status> {
    if !args.detach {
        return clean_up(context, &args).map(|report| done(&args, &report));
    }
    // This fails only if the process already leads a process group.
    let _ = rustix::process::setsid();
    let report = clean_up(context, &args);
    // A detached process has no reader for its stderr, so failures go to the log.
    if let Ok(Some(state)) = context.state() {
        let failed = match &report {
            Ok(report) => report.failed.clone(),
            Err(err) => vec![format!("{err:#}")],
        };
        cleanup::log_failures(&state, &failed, context.now);
    }
    report.map(|report| done(&args, &report))
}

fn clean_up(context: &Context, args: &CleanupArgs) -> Result<CleanupReport> {
    let mut loaded = context.loaded()?;
    if let Some(ttl) = &args.ttl {
        let wrong = |why| refusal(Status::Usage, format!("could not use --ttl: {why}"));
        loaded.config.ttl = duration(ttl).map_err(wrong)?;
    }
    // The hook that started this cleanup decided by these settings that it is due. By other
    // settings, nothing might be due. Then the start of every session would start another cleanup.
    let (state, fault) = context.state_or_fault();
    let due = match args.if_due && !args.dry_run {
        true => cleanup::claim(&context.host(&loaded.config, state.as_ref()))?,
        false => DueWork::All,
    };
    let keeping = match due {
        DueWork::Nothing => Retention::default(),
        DueWork::All if does_daily_work(context, state.as_ref()) => {
            Retention::of_all(&context.env, here(&context.env).as_deref(), state.as_ref())
        }
        DueWork::All | DueWork::Archiving => Retention::of_client(&context.env),
    };
    let config = &retention::settled(loaded, &keeping).config;
    let host = Host {
        state_fault: fault.as_ref(),
        ..context.host(config, state.as_ref())
    };
    let report = match due {
        DueWork::All => cleanup::run(
            &host,
            keeping.days,
            match (args.dry_run, args.if_due) {
                (true, _) => CleanupMode::DryRun,
                (false, true) => CleanupMode::Due,
                (false, false) => CleanupMode::Asked,
            },
        )?,
        DueWork::Archiving => cleanup::archive_ended(&host),
        DueWork::Nothing => CleanupReport::default(),
    };
    Ok(report)
}

/// Reports what was done, and what failed.
fn done(args: &CleanupArgs, report: &CleanupReport) -> Status {
    if let Some(why) = &report.state_left_alone {
        output::complain(&format!("{why}; only pointers were cleaned up"));
    }
    report.failed.iter().for_each(|why| output::complain(why));
    print(args, report);
    if report.failed.is_empty() && report.state_left_alone.is_none() {
        Status::Done
    } else {
        Status::Failed
    }
}

/// Returns whether this cleanup examines all transcripts, for which it needs all retention
/// settings.
fn does_daily_work(context: &Context, state: Option<&StateDir>) -> bool {
    state.is_some_and(|state| state.daily_is_due(context.now).unwrap_or(true))
}

fn print(args: &CleanupArgs, report: &CleanupReport) {
    let count = |kind| report.count(kind);
    let removed = count(TaskKind::Pointers);
    if args.dry_run {
        let due = report.all().filter(|task| task.kind() != TaskKind::Noted);
        due.for_each(|task| output::warn(&format!("would {}: {}", task.what(), task.why())));
    } else if removed > MANY {
        output::warn(&format!(
            "ccsession: warning: removed {removed} stale pointers at once; see `ccsession doctor`"
        ));
    }
    if args.json {
        output::json(&json!({
            "v": 1,
            "removed": removed,
            "orphans": count(TaskKind::Orphans),
            "processes": count(TaskKind::Processes),
            "retired": count(TaskKind::Retired),
            "listed": count(TaskKind::Listed),
            "archived": count(TaskKind::Archived),
            "compressed": count(TaskKind::Compressed),
            "owners": count(TaskKind::Owners),
            "pruned": count(TaskKind::PrunedSessions) + count(TaskKind::PrunedArchives),
            "leases": count(TaskKind::Leases),
            "dry_run": args.dry_run,
        }));
    } else if !args.quiet {
        if !args.dry_run && output::are_warnings_for_people() {
            besides(report).iter().for_each(|line| output::warn(line));
        }
        output::line(&match output::is_for_people() {
            true if args.dry_run => format!("{} would be removed", stale_pointers(removed)),
            true => format!("{} removed", stale_pointers(removed)),
            // Scripts read the number alone.
            false => removed.to_string(),
        });
    }
}

fn stale_pointers(count: usize) -> String {
    plural(count as u64, "stale pointer")
}

/// Returns one line about what a cleanup did besides removing pointers, if anything.
fn besides(report: &CleanupReport) -> Option<String> {
    let count = |kind| report.count(kind);
    let traces = count(TaskKind::Orphans) + count(TaskKind::Processes) + count(TaskKind::Owners);
    let done = [
        (count(TaskKind::Archived), "session", "archived"),
        (count(TaskKind::Compressed), "journal", "compressed"),
        (
            count(TaskKind::Retired),
            "session",
            "taken off the live index",
        ),
        (
            count(TaskKind::Listed),
            "session",
            "put back on the live index",
        ),
        (count(TaskKind::Leases), "lease", "returned"),
        (traces, "trace", "of dead processes removed"),
        (count(TaskKind::PrunedSessions), "session", "pruned"),
        (count(TaskKind::PrunedArchives), "archive", "pruned"),
    ];
    let done = done.into_iter().filter(|(count, ..)| *count > 0);
    let said = done.map(|(count, noun, did)| format!("{} {did}", plural(count as u64, noun)));
    let said: Vec<String> = said.collect();
    (!said.is_empty()).then(|| format!("besides pointers: {}", said.join(", ")))
}
