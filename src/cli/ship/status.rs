//! `ccsession ship --status`: what each destination has, how far behind it is, since when and why.

use anyhow::Result;
use serde::Serialize;

use crate::cli::amount::{bytes, grouped, plural};
use crate::cli::context::Context;
use crate::cli::output;
use crate::cli::status::Status;
use crate::model::text::escaped;
use crate::model::{Timestamp, duration};
use crate::ship::Destination;
use crate::ship::backlog::{self, Backlog};
use crate::ship::cursor::{CursorState, Trouble};

/// The status of all destinations, as `ship --status --json` prints it.
#[derive(Debug, Serialize)]
struct StatusOutput<'a> {
    v: u32,
    destinations: Vec<DestinationStatus<'a>>,
}

#[derive(Debug, Serialize)]
struct DestinationStatus<'a> {
    name: &'a str,
    endpoint: String,
    protocol: &'static str,
    began_at: Option<Timestamp>,
    complete_at: Option<Timestamp>,
    taken_at: Option<Timestamp>,
    spans: u64,
    events: u64,
    bytes: u64,
    rejected: u64,
    lost_sessions: u64,
    behind: Option<Backlog>,
    trouble: Option<Trouble>,
    error: Option<String>,
}

pub(super) fn run(
    context: &Context,
    destinations: &[Destination],
    are_wrong: bool,
    as_json: bool,
) -> Result<Status> {
    let state = context.state()?;
    let config = context.config()?;
    let mut all = Vec::new();
    for destination in destinations {
        let read = match &state {
            Some(state) => CursorState::read(state, &destination.name).map(|cursor| {
                let host = context.host(&config, Some(state));
                backlog::of(&host, state, &cursor).map(|behind| (cursor, behind))
            }),
            None => Ok(Ok((CursorState::default(), Backlog::default()))),
        };
        let read = match read {
            Ok(Ok(read)) => Ok(read),
            Ok(Err(err)) => Err(err.to_string()),
            Err(fault) => Err(fault.to_string()),
        };
        let (cursor, behind, error) = match read {
            Ok((cursor, behind)) => (cursor, Some(behind), None),
            Err(why) => (CursorState::default(), None, Some(why)),
        };
        let history = cursor.history;
        all.push(DestinationStatus {
            name: &destination.name,
            endpoint: destination.endpoint.to_string(),
            protocol: destination.protocol.name(),
            began_at: cursor.began.map(|began| began.at),
            complete_at: history.complete_at,
            taken_at: history.taken_at,
            spans: history.sent.spans,
            events: history.sent.logs,
            bytes: history.bytes,
            rejected: history.rejected,
            lost_sessions: history.lost,
            behind,
            trouble: history.trouble,
            error,
        });
    }
    let is_bad = are_wrong || all.iter().any(|it| it.error.is_some());
    if as_json {
        output::json_of(&StatusOutput {
            v: 1,
            destinations: all,
        })?;
    } else {
        for destination in &all {
            output::print(&text(destination, context.now));
        }
    }
    Ok(match is_bad {
        true => Status::Failed,
        false => Status::Done,
    })
}

fn text(it: &DestinationStatus<'_>, now: Timestamp) -> String {
    let mut lines = vec![format!("{}: {} ({})", it.name, it.endpoint, it.protocol)];
    let ago = |at: Timestamp| format!("{} ago", duration::brief(at.age(now)));
    match (&it.error, &it.behind) {
        (Some(why), _) => lines.push(format!("  error      {why}")),
        (None, Some(behind)) if behind.sessions > 0 => {
            let since = behind.since.map(|at| format!(", since {}", ago(at)));
            lines.push(format!(
                "  behind     {} ({} of events){}",
                plural(behind.sessions, "session"),
                bytes(behind.bytes),
                since.unwrap_or_default()
            ));
        }
        (None, _) => lines.push("  behind     nothing".to_owned()),
    }
    if let Some(trouble) = &it.trouble {
        let since = ago(trouble.since);
        lines.push(format!(
            "  trouble    {} (first {since})",
            escaped(&trouble.why)
        ));
    }
    match (it.began_at, it.taken_at) {
        (None, _) => lines.push("  sent       nothing yet".to_owned()),
        (Some(_), None) => {
            lines.push("  sent       nothing yet, although sending was tried".to_owned())
        }
        (Some(_), Some(at)) => lines.push(format!(
            "  sent       {}, {} ({}), the last {}",
            plural(it.spans, "span"),
            plural(it.events, "event"),
            bytes(it.bytes),
            ago(at)
        )),
    }
    if it.rejected > 0 {
        lines.push(format!("  rejected   {}", grouped(it.rejected)));
    }
    if it.lost_sessions > 0 {
        let sessions = plural(it.lost_sessions, "session");
        lines.push(format!(
            "  lost       {sessions}, deleted before all of it was sent"
        ));
    }
    lines.join("\n") + "\n"
}
