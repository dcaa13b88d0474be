//! `ccsession cleanup`: remove what is stale, say how much.

use anyhow::Result;
use serde_json::json;

use super::args::CleanupArgs;
use super::context::Context;
use super::output;
use super::status::{Status, refusal};
use crate::lifecycle::cleanup::{self, Due, Report};
use crate::model::config::duration;
use crate::setup::retention::{self, Keeping};
use crate::store::pointer::{Swept, Why};

/// So many stale pointers at once say that something does not clean up after itself.
const MANY: usize = 10;

pub(super) fn run(context: &Context, args: CleanupArgs) -> Result<Status> {
    if args.detach {
        // Fails only where this process leads a session of its own already.
        let _ = rustix::process::setsid();
    }
    let mut loaded = context.loaded()?;
    if let Some(ttl) = &args.ttl {
        let wrong = |why| refusal(Status::Usage, format!("could not use --ttl: {why}"));
        loaded.config.ttl = duration(ttl).map_err(wrong)?;
    }
    // By the same settings as the hook that left this cleanup behind: what it marked is due, whether it is archived or only
    // noted. Else each start would leave another one behind.
    let due = match args.if_due && !args.dry_run {
        true => cleanup::claim(&context.places, &loaded.config, context.now)?,
        false => Due::All,
    };
    if due != Due::Nothing {
        retention::settle(&mut loaded, &Keeping::of_client(&context.env));
    }
    let config = &loaded.config;
    let report = match due {
        Due::All => cleanup::run(
            &context.env,
            &context.places,
            config,
            context.now,
            args.dry_run,
        )?,
        Due::Archiving => {
            cleanup::archive_ended(&context.env, &context.places, config, context.now)?
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
