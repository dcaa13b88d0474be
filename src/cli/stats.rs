//! `ccsession stats`: what sessions did, in numbers.

mod by;
mod calendar;
pub(super) mod counting;
mod hooks;
mod print;

use anyhow::Result;
use clap::Args;

use super::args::BarsArg;
use super::collected::FromArgs;
use super::context::{Context, period};
use super::gather::{GatherResult, SessionSelection, gather};
use super::hints::{say_not_recorded, say_nothing, wider};
use super::output;
use super::pager::ScreenArgs;
use super::scope::{Scope, ScopeArgs, selected};
use super::status::Status;
use super::table::TableLayout;
use crate::model::when::Period;
use crate::store::StateDir;
use crate::store::config::prices;
use crate::view::stats::groups::GroupBy;
use by::{GroupByArg, GroupCounter, GroupReport, GroupRequest};
use counting::StatsCounter;
use hooks::{HookCounter, HookReport};
use print::{StatsReport, StatsSubject};

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  ccsession stats                         # this project\n  ccsession stats --all --since 7d\n  ccsession stats --csv\n\n\
    PERMISSION is how long calls waited for a person to allow them. WAIT is time that was neither execution nor permission, such as other \
    hooks. With --by, WORK is the time from prompts to the ends of their turns, and IN CALLS the sum of how long calls took. Calls that ran \
    at the same time each count in full."
)]
pub(super) struct StatsArgs {
    /// Count only this session: a unique prefix of its id, or its title
    #[arg(conflicts_with_all = ["project", "all"])]
    pub(super) id: Option<String>,
    #[command(flatten)]
    pub(super) scope: ScopeArgs,
    /// Count only what began since then: `today`, `monday`, `7d`, `2026-11`
    #[arg(long, short, value_name = "WHEN")]
    pub(super) since: Option<String>,
    /// Count only what began before then: the forms of --since; `2026-11` excludes November
    #[arg(long, value_name = "WHEN")]
    pub(super) until: Option<String>,
    /// Sum by day, project, branch and so on
    #[arg(long, value_enum, value_name = "WHAT")]
    pub(super) by: Option<GroupByArg>,
    /// Show how often each registered hook ran and how long it took; Claude Code notes this for the
    /// hooks at the end of a turn
    #[arg(long, conflicts_with = "by")]
    pub(super) hooks: bool,
    /// When to draw bars
    #[arg(long, value_enum, value_name = "WHEN", default_value = "auto")]
    pub(super) bars: BarsArg,
    #[command(flatten)]
    pub(super) from: FromArgs,
    #[command(flatten)]
    pub(super) screen: ScreenArgs,
    /// Print one JSON object
    #[arg(long, short)]
    pub(super) json: bool,
    /// Print a line of comma-separated values for each tool
    #[arg(long, conflicts_with = "json")]
    pub(super) csv: bool,
}

pub(super) fn run(context: &Context, args: StatsArgs) -> Result<Status> {
    let period = period(args.since.as_deref(), args.until.as_deref(), context.now)?;
    let config = context.config()?;
    let state = context.state()?;
    let id = args.id.as_deref();
    let (which, scope) = selected(context, state.as_ref(), id, &args.scope, &args.from)?;
    let is_one = matches!(which, SessionSelection::One(_));
    let asked = match which {
        SessionSelection::One(_) => StatsSubject::One {
            period: !period.is_all_time(),
        },
        _ => StatsSubject::Several,
    };
    if args.hooks {
        return run_hooks(context, &args, &which, scope.as_ref(), period);
    }
    if let Some(by) = args.by {
        return run_by(context, &args, by.into(), &which, scope.as_ref(), period);
    }
    let counting = || StatsCounter::new(&context.env, is_one, period);
    let gathered = match &state {
        Some(state) => gather(&context.judge(&config, state), &which, counting)?,
        None => GatherResult::new(counting()),
    };
    for left_out in &gathered.left_out {
        output::complain(left_out);
    }
    let report = StatsReport::new(gathered);
    if args.json {
        output::json_of(&report)?;
        return Ok(Status::Done);
    }
    if args.csv {
        output::print(&report.as_csv());
    } else if report.is_empty() && !is_one && output::is_for_people() {
        print_nothing(context, state.as_ref(), &args, scope.as_ref());
    } else {
        let layout = TableLayout::of(args.bars, args.screen.screen());
        args.screen
            .print(&report.as_text(asked, layout), layout.bars);
    }
    if let Some(scope) = scope.as_ref().filter(|_| !report.is_empty()) {
        scope.say(&context.env);
    }
    for damaged in report.damage.sentences() {
        output::complain(&damaged);
    }
    if !is_one {
        say_not_recorded(&context.host(&config, state.as_ref()), None);
    }
    Ok(Status::Done)
}

/// Prints that there is no session to count, with a hint.
fn print_nothing(
    context: &Context,
    state: Option<&StateDir>,
    args: &StatsArgs,
    scope: Option<&Scope>,
) {
    let is_narrow = scope.is_some_and(Scope::is_narrow);
    say_nothing("no session to count", context, state, |sessions| {
        Some(match (wider(&args.since, &args.until), is_narrow) {
            (Some(wider), true) => format!("{wider}, or --all, counts more of the {sessions}"),
            (Some(wider), false) => format!("{wider} counts more of the {sessions}"),
            (None, true) => format!("`ccsession stats --all` counts the {sessions} on record"),
            (None, false) => return None,
        })
    });
}

/// Prints how often each hook ran and how long it took.
fn run_hooks(
    context: &Context,
    args: &StatsArgs,
    which: &SessionSelection,
    scope: Option<&Scope>,
    period: Period,
) -> Result<Status> {
    let config = context.config()?;
    let is_one = matches!(which, SessionSelection::One(_));
    let counting = || HookCounter::new(&context.env, period, is_one);
    let counter = match &context.state()? {
        Some(state) => {
            let gathered = gather(&context.judge(&config, state), which, counting)?;
            for left_out in &gathered.left_out {
                output::complain(left_out);
            }
            gathered.counts
        }
        None => counting(),
    };
    let report = HookReport::new(counter);
    if args.json {
        output::json_of(&report)?;
    } else if args.csv {
        output::print(&report.as_csv());
    } else if report.is_empty() {
        output::line("Claude Code has noted no run of a hook in these transcripts");
    } else {
        let layout = TableLayout::of(args.bars, args.screen.screen());
        args.screen.print(&report.as_text(layout), false);
    }
    if let Some(scope) = scope.filter(|_| !args.json) {
        scope.say(&context.env);
    }
    Ok(Status::Done)
}

/// Prints the sums that `--by` requests.
fn run_by(
    context: &Context,
    args: &StatsArgs,
    by: GroupBy,
    which: &SessionSelection,
    scope: Option<&Scope>,
    period: Period,
) -> Result<Status> {
    let config = context.config()?;
    let prices = prices(&context.places)?;
    let Some(state) = context.state()? else {
        print_none(context, None, args, scope);
        return Ok(Status::Done);
    };
    let request = GroupRequest {
        env: &context.env,
        state: &state,
        by,
        period,
        prices: &prices,
        capture: config.capture,
        is_one: matches!(which, SessionSelection::One(_)),
    };
    let judge = context.judge(&config, &state);
    let gathered = gather(&judge, which, || GroupCounter::new(request))?;
    for left_out in &gathered.left_out {
        output::complain(left_out);
    }
    let report = GroupReport::new(by, gathered.counts);
    if args.json {
        output::json_of(&report.as_json())?;
    } else if args.csv {
        output::print(&report.as_csv());
    } else if report.is_empty() {
        print_none(context, Some(&state), args, scope);
    } else {
        let layout = TableLayout::of(args.bars, args.screen.screen());
        args.screen.print(&report.as_text(layout), layout.bars);
    }
    if let Some(scope) = scope.filter(|_| !report.is_empty() && !args.json) {
        scope.say(&context.env);
    }
    Ok(Status::Done)
}

fn print_none(
    context: &Context,
    state: Option<&StateDir>,
    args: &StatsArgs,
    scope: Option<&Scope>,
) {
    match output::is_for_people() {
        true => print_nothing(context, state, args, scope),
        false => output::line("no session to count"),
    }
}
