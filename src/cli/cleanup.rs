//! `ccsession cleanup`: removes stale files and reports how many.

use anyhow::Result;
use serde_json::json;

use super::amount::plural;
use super::args::CleanupArgs;
use super::context::Context;
use super::output;
use super::status::{Status, refusal};
use crate::claude::retention::{self, Keeping, here};
use crate::cleanup::task::Kind;
use crate::cleanup::{self, Due, Mode, Report};
use crate::model::config::duration;

/// So many stale pointers at once show that some program does not clean up after itself.
const MANY: usize = 10;

pub(super) fn run(context: &Context, args: CleanupArgs) -> Result<Status> {
    if !args.detach {
        return clean_up(context, &args).map(|report| done(&args, &report));
    }
    // It fails only if this process already leads a session.
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

fn clean_up(context: &Context, args: &CleanupArgs) -> Result<Report> {
    let mut loaded = context.loaded()?;
    if let Some(ttl) = &args.ttl {
        let wrong = |why| refusal(Status::Usage, format!("could not use --ttl: {why}"));
        loaded.config.ttl = duration(ttl).map_err(wrong)?;
    }
    // Use the same settings as the hook that started this cleanup. What the hook marked is due
    // then, whether it is archived or only noted. Otherwise each start would start another cleanup.
    let due = match args.if_due && !args.dry_run {
        true => cleanup::claim(&context.places, &loaded.config, context.now)?,
        false => Due::All,
    };
    let keeping = match due {
        Due::Nothing => Keeping::default(),
        Due::All if does_daily_work(context) => {
            let state = context.state()?;
            Keeping::of_all(&context.env, here(&context.env).as_deref(), state.as_ref())
        }
        Due::All | Due::Archiving => Keeping::of_client(&context.env),
    };
    let config = &retention::settled(loaded, &keeping).config;
    let report = match due {
        Due::All => cleanup::run(
            &context.env,
            &context.places,
            config,
            keeping.days,
            context.now,
            match (args.dry_run, args.if_due) {
                (true, _) => Mode::DryRun,
                (false, true) => Mode::Due,
                (false, false) => Mode::Asked,
            },
        )?,
        Due::Archiving => {
            cleanup::archive_ended(&context.env, &context.places, config, context.now)?
        }
        Due::Nothing => Report::default(),
    };
    Ok(report)
}

/// Reports what was done, and what failed.
fn done(args: &CleanupArgs, report: &Report) -> Status {
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

/// Returns whether this cleanup examines all transcripts, and so all settings for their retention.
fn does_daily_work(context: &Context) -> bool {
    let state = context.state().ok().flatten();
    state.is_some_and(|state| state.daily_is_due(context.now).unwrap_or(true))
}

fn print(args: &CleanupArgs, report: &Report) {
    let count = |kind| report.count(kind);
    let removed = count(Kind::Pointers);
    if args.dry_run {
        let due = report.all().filter(|task| task.kind() != Kind::Noted);
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
            "orphans": count(Kind::Orphans),
            "processes": count(Kind::Processes),
            "retired": count(Kind::Retired),
            "listed": count(Kind::Listed),
            "archived": count(Kind::Archived),
            "compressed": count(Kind::Compressed),
            "owners": count(Kind::Owners),
            "pruned": count(Kind::PrunedSessions) + count(Kind::PrunedArchives),
            "leases": count(Kind::Leases),
            "dry_run": args.dry_run,
        }));
    } else if !args.quiet {
        if !args.dry_run && output::are_warnings_for_people() {
            besides(report).iter().for_each(|line| output::warn(line));
        }
        output::line(&removed.to_string());
    }
}

/// Returns one line about what a cleanup did besides removing pointers, if anything.
fn besides(report: &Report) -> Option<String> {
    let count = |kind| report.count(kind);
    let traces = count(Kind::Orphans) + count(Kind::Processes) + count(Kind::Owners);
    let done = [
        (count(Kind::Archived), "session", "archived"),
        (count(Kind::Compressed), "journal", "compressed"),
        (count(Kind::Retired), "session", "taken off the live index"),
        (count(Kind::Listed), "session", "listed again"),
        (count(Kind::Leases), "lease", "returned"),
        (traces, "trace", "of dead processes removed"),
        (count(Kind::PrunedSessions), "session", "pruned"),
        (count(Kind::PrunedArchives), "archive", "pruned"),
    ];
    let done = done.into_iter().filter(|(count, ..)| *count > 0);
    let said = done.map(|(count, noun, did)| format!("{} {did}", plural(count as u64, noun)));
    let said: Vec<String> = said.collect();
    (!said.is_empty()).then(|| format!("besides pointers: {}", said.join(", ")))
}
