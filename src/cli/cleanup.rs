//! `ccsession cleanup`: remove what is stale, say how much.

use anyhow::Result;
use serde_json::json;

use super::args::CleanupArgs;
use super::context::Context;
use super::output;
use super::status::{Status, refusal};
use crate::lifecycle::cleanup::{self, Report};
use crate::model::config::duration;
use crate::store::pointer::{Swept, Why};

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
    let skip =
        args.if_due && !args.dry_run && !cleanup::claim(&context.places, &config, context.now)?;
    let report = if skip {
        Report::default()
    } else {
        cleanup::run(
            &context.env,
            &context.places,
            &config,
            context.now,
            args.dry_run,
        )?
    };
    if let Some(why) = &report.state_left_alone {
        output::complain(&format!("{why}; only pointers were cleaned up"));
    }
    print(&args, &report);
    Ok(Status::Done)
}

fn print(args: &CleanupArgs, report: &Report) {
    let removed = report.pointers.len();
    if args.dry_run {
        report
            .pointers
            .iter()
            .chain(&report.orphans)
            .for_each(|swept| output::warn(&would_remove(swept)));
    } else if removed > MANY {
        output::warn(&format!(
            "ccsession: warning: removed {removed} stale pointers at once; see `ccsession doctor`"
        ));
    }
    if args.json {
        let orphans = report.orphans.len();
        output::json(
            &json!({"v": 1, "removed": removed, "orphans": orphans, "retired": report.retired, "leases": report.leases, "dry_run": args.dry_run}),
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
