//! `ccsession ship`: sends what is new in all sessions to the destinations in the settings.

pub(super) mod facts;
mod numbers;
pub(super) mod sending;
mod status;

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread;

use anyhow::Result;
use clap::Args;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use super::context::{Context, since};
use super::output;
use super::status::{Status, refusal};
use crate::model::Timestamp;
use crate::model::text::escaped;
use crate::ship::Destination;
use crate::ship::destination::Destinations;
use crate::store::shown;
use sending::Sending;

/// The exit status after a second signal: what a shell reports for an interrupt.
const INTERRUPTED: i32 = 130;

#[derive(Debug, Args)]
#[command(
    after_help = "A destination is a table [ship.NAME] of the configuration file; see docs/ship.md.\n\
    ccsession remembers what it has sent. Nothing is lost while a destination is down, or if ccsession is killed.\n\n\
    Examples:\n  ccsession ship --dry-run    # what would go where\n  \
    ccsession ship    # send what is new, and end\n  \
    ccsession ship team --since today    # the first run: only from today on\n  \
    ccsession ship --follow    # keep running, and send new events\n  \
    ccsession ship --status    # how far behind each destination is, and why"
)]
pub(super) struct ShipArgs {
    /// The destinations, by their names in the settings; all if omitted
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// Send what is new, and end; this is what happens without --follow, too
    #[arg(long, conflicts_with = "follow")]
    once: bool,
    /// Keep running, and send new events until interrupted
    #[arg(long, short)]
    follow: bool,
    /// Print what would be sent; send nothing
    #[arg(long, conflicts_with = "follow")]
    dry_run: bool,
    /// Print what each destination has, how far behind it is, since when and why
    #[arg(long, conflicts_with_all = ["once", "follow", "dry_run", "since", "again", "skip_refused"])]
    status: bool,
    /// On the first run, or with --again: send sessions that began since then in full, and older
    /// ones only from now on: `today`, `7d`, `2026-11`
    #[arg(long, short, value_name = "WHEN")]
    since: Option<String>,
    /// Send everything again: for a destination that lost data, or whose settings now ask for more
    #[arg(long)]
    again: bool,
    /// Leave out what a destination refuses to take, and send the rest
    #[arg(long)]
    skip_refused: bool,
    /// Print the status as one JSON object
    #[arg(long, short, requires = "status")]
    json: bool,
}

/// The options that apply to all destinations.
#[derive(Debug, Clone, Copy)]
struct ShipOptions {
    follow: bool,
    dry_run: bool,
    again: bool,
    skip_refused: bool,
    since: Option<Timestamp>,
}

pub(super) fn run(context: &Context, args: &ShipArgs) -> Result<Status> {
    let since = args.since.as_deref();
    let since = since.map(|when| since_when(when, context)).transpose()?;
    let (destinations, are_wrong) = destinations(context, &args.names)?;
    if args.status {
        return status::run(context, &destinations, are_wrong, args.json);
    }
    let options = ShipOptions {
        follow: args.follow,
        dry_run: args.dry_run,
        again: args.again,
        skip_refused: args.skip_refused,
        since,
    };
    let stop = stopped_by_signals()?;
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let threads = (threads / destinations.len().max(1)).max(1);
    let is_alone = destinations.len() == 1;
    let statuses: Vec<Result<Status>> = thread::scope(|scope| {
        let begin = |destination| {
            let sending = Sending {
                context,
                destination,
                options,
                threads,
                stop: &stop,
                shows_progress: is_alone && output::are_warnings_for_people(),
                numbers_sent: Cell::new(None),
            };
            scope.spawn(move || sending.run())
        };
        let running: Vec<_> = destinations.iter().map(begin).collect();
        let ended = running.into_iter().map(|thread| match thread.join() {
            Ok(status) => status,
            // Not reached: a panic ends the process.
            Err(_) => Ok(Status::Failed),
        });
        ended.collect()
    });
    let mut status = match are_wrong {
        true => Status::Failed,
        false => Status::Done,
    };
    for ended in statuses {
        match ended? {
            Status::Done => {}
            // `Failed` outranks `Held`, which only says that another process sends to the
            // destination.
            other if status != Status::Failed => status = other,
            _ => {}
        }
    }
    Ok(status)
}

fn since_when(when: &str, context: &Context) -> Result<Timestamp> {
    since(when, context.now)
}

/// Returns the destinations with these names, or all of them if `names` is empty. The flag is true
/// if the settings of any of them are wrong; that destination is left out.
fn destinations(context: &Context, names: &[String]) -> Result<(Vec<Destination>, bool)> {
    let all = Destinations::read(&context.places, &context.env)?;
    let is_wanted = |name: &str| names.is_empty() || names.iter().any(|it| it == name);
    let known: Vec<&str> = all
        .usable
        .iter()
        .map(|it| it.name.as_str())
        .chain(all.wrong.iter().map(|(name, _)| name.as_str()))
        .collect();
    if let Some(name) = names.iter().find(|it| !known.contains(&it.as_str())) {
        let text = match known.as_slice() {
            [] => none_configured(context),
            known => format!(
                "there is no destination `{}`; there is {}",
                escaped(name),
                known
                    .iter()
                    .map(|it| escaped(it))
                    .collect::<Vec<_>>()
                    .join(", ")
            ),
        };
        return Err(refusal(Status::Usage, text));
    }
    if known.is_empty() {
        return Err(refusal(Status::Failed, none_configured(context)));
    }
    for complaint in &all.unknown {
        output::complain(&complaint.to_string());
    }
    let wrong = all.wrong.iter().filter(|(name, _)| is_wanted(name));
    let mut are_wrong = false;
    for (_, why) in wrong {
        output::complain(&why.to_string());
        are_wrong = true;
    }
    let mut usable = all.usable;
    usable.retain(|it| is_wanted(&it.name));
    Ok((usable, are_wrong))
}

fn none_configured(context: &Context) -> String {
    let file = context.places.config.as_deref().map_or_else(
        || "the configuration file".to_owned(),
        |path| format!("`{}`", shown(path)),
    );
    format!(
        "no destination is configured; add a table [ship.NAME] with an `endpoint` to {file}, as docs/ship.md shows"
    )
}

/// Returns a flag that an interrupt, termination or hangup sets. The second signal ends the process
/// at once.
fn stopped_by_signals() -> Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        signal_hook::flag::register_conditional_shutdown(signal, INTERRUPTED, stop.clone())?;
        signal_hook::flag::register(signal, stop.clone())?;
    }
    Ok(stop)
}
