//! `ccsession list`: the live sessions, or all of them.

use anyhow::Result;
use serde::Serialize;
use serde_json::json;

use super::args::ListArgs;
use super::context::Context;
use super::output;
use super::status::Status;
use super::table::Table;
use crate::identity::liveness::SessionState;
use crate::model::{Record, SessionId, Timestamp};
use crate::store::{State, index, project};

/// A session in the list; as JSON the record, and what was derived.
#[derive(Serialize)]
struct Listed {
    #[serde(flatten)]
    record: Record,
    state: SessionState,
    last_activity: Timestamp,
}

pub(super) fn run(context: &Context, args: ListArgs) -> Result<Status> {
    let config = context.config()?;
    let root = args.project.as_deref().map(project::existing).transpose()?;
    let mut sessions = Vec::new();
    if let Some(state) = context.state()? {
        let judge = context.judge(&config, &state);
        for id in ids(&state, args.all)? {
            let record = match state.session(&id).record() {
                Ok(Some(record)) => record,
                Ok(None) => continue,
                Err(err) => {
                    output::complain(&format!("{err}; it was left out"));
                    continue;
                }
            };
            let finding = judge.find(&id, &record);
            let wanted = args.all || finding.state.is_live();
            if wanted
                && root
                    .as_ref()
                    .is_none_or(|project| finding.is_in(&record, project.root()))
            {
                let last_activity = finding.last_activity.unwrap_or(record.started_at);
                sessions.push(Listed {
                    record,
                    state: finding.state,
                    last_activity,
                });
            }
        }
    }
    sessions.sort_by_key(|listed| std::cmp::Reverse(listed.last_activity));
    print(context, &args, &sessions);
    Ok(Status::Done)
}

fn ids(state: &State, all: bool) -> Result<Vec<SessionId>> {
    if all {
        return Ok(state.session_ids()?.collect());
    }
    let mut ids: Vec<SessionId> = index::live_candidates(state)?
        .into_iter()
        .map(|(_, id)| id)
        .collect();
    ids.sort();
    ids.dedup();
    Ok(ids)
}

fn print(context: &Context, args: &ListArgs, sessions: &[Listed]) {
    if args.json {
        return output::json(&json!({"v": 1, "sessions": sessions}));
    }
    if sessions.is_empty() {
        if output::is_for_people() {
            output::line(if args.all {
                "no session is on record"
            } else {
                "no session is live"
            });
        }
        return;
    }
    let mut table = Table::new(&[
        "STATE", "SESSION", "AGE", "IDLE", "PROJECT", "BRANCH", "ROOT",
    ]);
    for listed in sessions {
        let record = &listed.record;
        let branch = record.head.as_ref().and_then(|head| head.branch.clone());
        table.row([
            listed.state.as_str().to_owned(),
            record.session_id.to_string(),
            span(record.started_at, context.now),
            span(listed.last_activity, context.now),
            record.project.name.clone(),
            branch.unwrap_or_default(),
            record.project.root.clone(),
        ]);
    }
    output::print(&table.to_string());
}

/// How long ago `from` was, in its one or two largest units: `3m 20s`, `2h 5m`, `4days 2h`.
pub(super) fn span(from: Timestamp, now: Timestamp) -> String {
    let seconds = std::time::Duration::from_secs(from.age(now).as_secs());
    let text = humantime::format_duration(seconds).to_string();
    text.split(' ').take(2).collect::<Vec<_>>().join(" ")
}
