//! `ccsession cleanup`: remove what is stale, say how much.

use anyhow::Result;
use serde_json::json;

use super::amount::plural;
use super::args::CleanupArgs;
use super::context::Context;
use super::output;
use super::status::{Status, refusal};
use crate::claude::retention::{self, Keeping, here};
use crate::cleanup::compression::Quiet;
use crate::cleanup::{self, Due, Mode, Pruned, Report};
use crate::identity::liveness::Departure;
use crate::model::config::duration;
use crate::store::clock;
use crate::store::pointer::{Swept, Why};

/// So many stale pointers at once say that something does not clean up after itself.
const MANY: usize = 10;
/// In seconds.
const DAY: u64 = 24 * 60 * 60;

pub(super) fn run(context: &Context, args: CleanupArgs) -> Result<Status> {
    if !args.detach {
        return clean_up(context, &args).map(|report| done(&args, &report));
    }
    // Fails only where this process leads a session of its own already.
    let _ = rustix::process::setsid();
    let report = clean_up(context, &args);
    // Nobody reads the stderr of a process that a hook has left behind.
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
    // By the same settings as the hook that left this cleanup behind: what it marked is due, whether it is archived or only
    // noted. Else each start would leave another one behind.
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

/// Says what was done, and what could not be.
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

/// Whether this cleanup looks at all transcripts, and so at all settings that say when the client deletes them.
fn does_daily_work(context: &Context) -> bool {
    let state = context.state().ok().flatten();
    state.is_some_and(|state| state.daily_is_due(context.now).unwrap_or(true))
}

fn print(args: &CleanupArgs, report: &Report) {
    let removed = report.pointers.len();
    if args.dry_run {
        would(report).iter().for_each(|line| output::warn(line));
    } else if removed > MANY {
        output::warn(&format!(
            "ccsession: warning: removed {removed} stale pointers at once; see `ccsession doctor`"
        ));
    }
    if args.json {
        output::json(&json!({
            "v": 1,
            "removed": removed,
            "orphans": report.orphans.len(),
            "processes": report.processes.len(),
            "retired": report.retired.len(),
            "listed": report.listed.len(),
            "archived": report.archived.len(),
            "compressed": report.compressed.len(),
            "owners": report.owners.len(),
            "pruned": report.pruned.len(),
            "leases": report.leases.len(),
            "dry_run": args.dry_run,
        }));
    } else if !args.quiet {
        if !args.dry_run && output::are_warnings_for_people() {
            besides(report).iter().for_each(|line| output::warn(line));
        }
        output::line(&removed.to_string());
    }
}

/// What a cleanup would do, and why: a line for each.
fn would(report: &Report) -> Vec<String> {
    let mut lines = Vec::new();
    let swept = report.pointers.iter().chain(&report.orphans);
    lines.extend(swept.map(would_remove));
    lines.extend(report.processes.iter().map(|owner| {
        let pid = owner.pid;
        format!("would remove the index entry of process {pid}: it has exited")
    }));
    lines.extend(report.retired.iter().map(|(id, how)| {
        let why = why_gone(*how);
        format!("would take session {id} off the live index: {why}")
    }));
    let listed = report.listed.iter();
    lines.extend(listed.map(|id| format!("would list session {id} again: it is live")));
    lines.extend(report.archived.iter().map(|(id, how)| {
        let why = how.map_or_else(|| "it is live and has new messages".to_owned(), why_gone);
        format!("would archive session {id}: {why}")
    }));
    lines.extend(report.compressed.iter().map(|Quiet { id, how, quiet }| {
        let why = match how {
            Departure::Ended => format!("it ended {} days ago", quiet.as_secs() / DAY),
            Departure::Abandoned(_) | Departure::Unrecorded => why_gone(*how),
        };
        format!("would compress the journal of session {id}: {why}")
    }));
    lines.extend(
        report
            .leases
            .iter()
            .map(|id| format!("would return the lease of session {id}: its holder is gone")),
    );
    lines.extend(report.owners.iter().map(|(id, owner)| {
        let pid = owner.pid;
        format!(
            "would remove process {pid} from session {id}: it has exited and is no longer needed as evidence"
        )
    }));
    let pruned = report.pruned.iter();
    lines.extend(
        pruned.map(|what| format!("would remove {what}: it is older than the retention limit")),
    );
    lines
}

fn why_gone(how: Departure) -> String {
    match how {
        Departure::Unrecorded => "it has no record".to_owned(),
        Departure::Ended => "it has ended".to_owned(),
        Departure::Abandoned(None) => "abandoned".to_owned(),
        Departure::Abandoned(Some(since)) => {
            format!("abandoned since {}", clock::local_text(since))
        }
    }
}

/// What a cleanup did besides removing pointers, in one line, if it did anything.
fn besides(report: &Report) -> Option<String> {
    let traces = report.orphans.len() + report.processes.len() + report.owners.len();
    let pruned = report.pruned.iter();
    let is_session = |what: &&Pruned| matches!(what, Pruned::Session(_));
    let sessions = pruned.filter(is_session).count();
    let done = [
        (report.archived.len(), "session", "archived"),
        (report.compressed.len(), "journal", "compressed"),
        (report.retired.len(), "session", "taken off the live index"),
        (report.listed.len(), "session", "listed again"),
        (report.leases.len(), "lease", "given back"),
        (traces, "trace", "of dead processes removed"),
        (sessions, "session", "pruned"),
        (report.pruned.len() - sessions, "archive", "pruned"),
    ];
    let done = done.into_iter().filter(|(count, ..)| *count > 0);
    let said = done.map(|(count, noun, did)| format!("{} {did}", plural(count as u64, noun)));
    let said: Vec<String> = said.collect();
    (!said.is_empty()).then(|| format!("besides pointers: {}", said.join(", ")))
}

fn would_remove(swept: &Swept) -> String {
    let why = match swept.why {
        Why::Stale => "stale",
        Why::Unreadable => "not a pointer, and unchanged for longer than the ttl",
        Why::Orphaned => "left behind by a process that was killed",
    };
    format!("would remove {}: {why}", crate::store::shown(&swept.path))
}
