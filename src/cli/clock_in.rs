//! `ccsession clock-in`: sets what a session is for.

use clap::Args;
use serde_json::json;

use super::context::Context;
use super::current::valid;
use super::list::span;
use super::output;
use super::status::{Status, refusal};
use super::table::TextTable;
use crate::lifecycle::clock_in::{self, ClockIn, ClockInError, ClockInRequest};
use crate::lifecycle::purpose::Purpose;
use crate::model::purpose::notes;
use crate::store::clock;

#[derive(Debug, Args)]
#[command(
    after_help = "Without --focus, a session keeps its focus. A new one gets it from the branch (`issue-12` from 12-fix-it, #12 or issue/12; \
    `feat: login` from feat/login), or `general`. Pass a new id to `claude --session-id ID`.\n\n\
    Examples:\n  ccsession clock-in --role reviewer --focus login\n  ccsession clock-in --focus deploy --exclusive"
)]
pub(super) struct ClockInArgs {
    /// The session's role, such as `reviewer`
    #[arg(long, value_name = "TEXT")]
    pub(super) role: Option<String>,
    /// What the session works on
    #[arg(long, value_name = "TEXT")]
    pub(super) focus: Option<String>,
    /// The session, known or new; without it this shell's, else a new one
    #[arg(long, value_name = "ID")]
    pub(super) session: Option<String>,
    /// Add a note to the session's record; repeatable
    #[arg(long, value_name = "TEXT")]
    pub(super) note: Vec<String>,
    /// Exit with 75, changing nothing, if another live session of the project has this focus
    #[arg(long)]
    pub(super) exclusive: bool,
    /// Print only the session id
    #[arg(long, short)]
    pub(super) quiet: bool,
    /// Print one JSON object
    #[arg(long, short, conflicts_with = "quiet")]
    pub(super) json: bool,
}

pub(super) fn run(context: &Context, args: ClockInArgs) -> anyhow::Result<Status> {
    let config = context.config()?;
    let request = ClockInRequest {
        id: args.session.as_deref().map(valid).transpose()?,
        purpose: Purpose {
            name: None,
            role: args.role,
            focus: args.focus,
        },
        notes: args.note,
        exclusive: args.exclusive,
    };
    let host = context.host(&config, None);
    let done = clock_in::clock_in(&host, &request, &output::complain)
        .map_err(|err| refusal(status_of(&err), err.to_string()))?;
    for conflict in &done.conflicts {
        output::complain(&format!(
            "{conflict} ({} ago): {}",
            span(conflict.started_at, context.now),
            conflict.session_id
        ));
    }
    if args.json {
        output::json(&json!({
            "v": 1,
            "session_id": done.record.session_id,
            "role": done.record.role,
            "focus": done.record.focus,
            "focus_source": done.focus_source,
            "created": done.created,
            "conflicts": done.conflicts,
        }));
    } else if args.quiet {
        output::line(done.record.session_id.as_str());
    } else {
        let until = clock::local_text(context.now.after(config.session_timeout));
        output::print(&facts(&done, &until).to_string());
    }
    Ok(Status::Done)
}

fn status_of(err: &ClockInError) -> Status {
    match err {
        ClockInError::Shared(_) => Status::Held,
        ClockInError::Full(_) | ClockInError::Excluded(_) | ClockInError::Store(_) => {
            Status::Failed
        }
    }
}

/// Returns the table that describes the clock-in. `until` is the time until which a session counts
/// as live without a Claude Code process.
fn facts(done: &ClockIn, until: &str) -> TextTable {
    let record = &done.record;
    let mut facts = TextTable::new(&["SESSION", record.session_id.as_str()]);
    let mut fact = |name: &str, value: String| facts.row([name.to_owned(), value]);
    let focus = record.focus.as_deref().unwrap_or_default();
    let state = match (done.state.is_live(), done.is_owned) {
        (true, false) => format!("live until {until}, or as long as Claude Code runs it"),
        _ => done.state.as_str().to_owned(),
    };
    let source = done.focus_source.for_people();
    fact("role", record.role.clone().unwrap_or_default());
    fact("focus", format!("{focus} ({source})"));
    fact("notes", notes(record.notes.as_ref()).len().to_string());
    fact("state", state);
    fact("conflicts", done.conflicts.len().to_string());
    facts
}
