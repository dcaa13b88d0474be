//! `ccsession cleanup`: remove what is stale, say how much.

use anyhow::Result;
use serde_json::{Value, json};

use super::args::CleanupArgs;
use super::context::Context;
use super::output;
use super::status::{Status, refusal};
use crate::lifecycle::cleanup::{self, Due, Report};
use crate::lifecycle::transcript;
use crate::model::config::{Key, duration};
use crate::store::config::{Source, load};
use crate::store::file;
use crate::store::pointer::{Swept, Why};

/// For how many days the client keeps transcripts by itself.
const USUAL_DAYS: f64 = 30.0;
/// The most bytes of the client's settings that are read.
const MAX_SETTINGS: usize = 16 << 20;
/// So many stale pointers at once say that something does not clean up after itself.
const MANY: usize = 10;

pub(super) fn run(context: &Context, args: CleanupArgs) -> Result<Status> {
    if args.detach {
        // Fails only where this process leads a session of its own already.
        let _ = rustix::process::setsid();
    }
    let mut config = context.config()?;
    if let Some(ttl) = &args.ttl {
        let wrong = |why| refusal(Status::Usage, format!("could not use --ttl: {why}"));
        config.ttl = duration(ttl).map_err(wrong)?;
    }
    config.archive_auto &= !client_keeps_little(context);
    let due = match args.if_due && !args.dry_run {
        true => cleanup::claim(&context.places, &config, context.now)?,
        false => Due::All,
    };
    let report = match due {
        Due::All => cleanup::run(
            &context.env,
            &context.places,
            &config,
            context.now,
            args.dry_run,
        )?,
        Due::Archiving => {
            cleanup::archive_ended(&context.env, &context.places, &config, context.now)?
        }
        Due::Nothing => Report::default(),
    };
    if let Some(why) = &report.state_left_alone {
        output::complain(&format!("{why}; only pointers were cleaned up"));
    }
    report.failed.iter().for_each(|why| output::complain(why));
    print(&args, &report);
    Ok(if report.failed.is_empty() {
        Status::Done
    } else {
        Status::Failed
    })
}

/// Whether the client was told to keep its transcripts for less than it would by itself. Whoever says so wants no archive of
/// them, unless `archive.auto` is set.
fn client_keeps_little(context: &Context) -> bool {
    let is_set =
        |(key, source): &(Key, Source)| *key == Key::ArchiveAuto && *source != Source::Default;
    let days = || {
        let path = transcript::claude_dir(&context.env)?.join("settings.json");
        let settings = file::read_any(&path, MAX_SETTINGS).ok()??;
        let settings: Value = serde_json::from_slice(&settings.bytes).ok()?;
        settings.get("cleanupPeriodDays")?.as_f64()
    };
    days().is_some_and(|days| days < USUAL_DAYS)
        && !load(&context.places).sources.iter().any(is_set)
}

fn print(args: &CleanupArgs, report: &Report) {
    let removed = report.pointers.len();
    if args.dry_run {
        report
            .pointers
            .iter()
            .chain(&report.orphans)
            .for_each(|swept| output::warn(&would_remove(swept)));
        for id in &report.archived {
            output::warn(&format!("would archive session {id}: it has ended"));
        }
        for what in &report.pruned {
            output::warn(&format!("would remove {what}: it was kept for long enough"));
        }
    } else if removed > MANY {
        output::warn(&format!(
            "ccsession: warning: removed {removed} stale pointers at once; see `ccsession doctor`"
        ));
    }
    if args.json {
        let orphans = report.orphans.len();
        output::json(
            &json!({"v": 1, "removed": removed, "orphans": orphans, "retired": report.retired, "archived": report.archived.len(), "pruned": report.pruned.len(), "leases": report.leases, "dry_run": args.dry_run}),
        );
    } else if !args.quiet {
        output::line(&removed.to_string());
    }
}

fn would_remove(swept: &Swept) -> String {
    let why = match swept.why {
        Why::Stale => "stale",
        Why::Unreadable => "no pointer, and untouched for longer than the ttl",
        Why::Orphaned => "left behind by a process that died",
    };
    format!("would remove {}: {why}", crate::store::shown(&swept.path))
}
