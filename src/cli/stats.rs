//! `ccsession stats`: what sessions did, in numbers.

mod counting;
mod print;

use anyhow::Result;

use super::args::StatsArgs;
use super::context::{Context, find_session, no_record, project_asked, since};
use super::gather::{Gathered, Which, gather};
use super::output;
use super::status::Status;
use super::table::Layout;
use crate::identity::ladder::project_here;
use crate::model::SessionId;
use crate::store::StateDir;
use crate::store::env::Screen;
use counting::Counting;
use print::{Asked, Report};

pub(super) fn run(context: &Context, args: StatsArgs) -> Result<Status> {
    let since = args
        .since
        .as_deref()
        .map(|when| since(when, context.now))
        .transpose()?;
    let config = context.config()?;
    let state = context.state()?;
    let which = which(context, state.as_ref(), &args)?;
    let is_one = matches!(which, Which::One(_));
    let asked = match which {
        Which::One(_) => Asked::One {
            since: since.is_some(),
        },
        Which::Project(_) | Which::All => Asked::Several,
    };
    let counting = || Counting::new(&context.env, is_one, since);
    let gathered = match &state {
        Some(state) => gather(&context.judge(&config, state), &which, counting)?,
        None => Gathered::new(counting()),
    };
    for left_out in &gathered.left_out {
        output::complain(left_out);
    }
    let report = Report::new(gathered);
    if args.json {
        output::json_of(&report)?;
        return Ok(Status::Done);
    }
    if args.csv {
        output::print(&report.as_csv());
    } else {
        let layout = Layout::of(args.bars, Screen::read());
        output::print_drawn(&report.as_text(asked, layout), layout.bars);
    }
    for damaged in report.damage.sentences() {
        output::complain(&damaged);
    }
    Ok(Status::Done)
}

fn which(context: &Context, state: Option<&StateDir>, args: &StatsArgs) -> Result<Which> {
    Ok(match (&args.id, &args.project) {
        (Some(id), _) => Which::One(one(state, id)?),
        (None, Some(path)) => Which::Project(project_asked(state, path)?.root().to_owned()),
        (None, None) if args.all => Which::All,
        (None, None) => Which::Project(project_here(&context.env, state)?.root().to_owned()),
    })
}

/// Returns the session that the user named. If it cannot be read, that is an error instead of an
/// omission.
fn one(state: Option<&StateDir>, given: &str) -> Result<SessionId> {
    let id = find_session(state, given)?;
    let record = state.map(|state| state.session(&id).record()).transpose()?;
    record.flatten().ok_or_else(|| no_record(&id))?;
    Ok(id)
}
