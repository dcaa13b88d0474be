//! `ccsession show`: what is known of one session.

use std::collections::BTreeMap;

use anyhow::Result;
use serde_json::{Map, Value, json};

use super::args::ShowArgs;
use super::context::{Context, find_session};
use super::list::span;
use super::output;
use super::status::{Status, refusal};
use super::table::Table;
use crate::identity::liveness::{Finding, open_calls};
use crate::model::Record;
use crate::store::journal::Damage;
use crate::store::log::{self, Log};
use crate::store::{SessionDir, State, clock, shown};

/// What the journal holds, counted.
struct Counted {
    by_event: BTreeMap<String, u64>,
    damage: Damage,
}

pub(super) fn run(context: &Context, args: ShowArgs) -> Result<Status> {
    let config = context.config()?;
    let state = context.state()?;
    let id = find_session(state.as_ref(), &args.id)?;
    let gone = || {
        refusal(
            Status::NotFound,
            format!("could not find session `{id}`: it has no record"),
        )
    };
    let state = state.as_ref().ok_or_else(gone)?;
    let dir = state.session(&id);
    let record = dir.record()?.ok_or_else(gone)?;
    let finding = context.judge(&config, state).find(&id, &record);
    let counted = count(&dir)?;
    let log = operations(state, &record);
    if args.json {
        output::json(&as_json(&dir, &record, &finding, &counted, log));
    } else {
        output::print(&as_text(context, &dir, &record, &finding, &counted, &log));
    }
    Ok(Status::Done)
}

fn count(dir: &SessionDir) -> Result<Counted> {
    let mut events = dir.events()?;
    let mut by_event = BTreeMap::new();
    for event in events.by_ref() {
        *by_event.entry(event.event).or_default() += 1;
    }
    Ok(Counted {
        by_event,
        damage: events.damage(),
    })
}

/// The session's part of the operations log.
fn operations(state: &State, record: &Record) -> Vec<Map<String, Value>> {
    let of_session =
        |line: &Map<String, Value>| line.get("session_id") == Some(&json!(record.session_id));
    log::read(state, Log::Operations)
        .into_iter()
        .filter(of_session)
        .collect()
}

fn as_json(
    dir: &SessionDir,
    record: &Record,
    finding: &Finding,
    counted: &Counted,
    log: Vec<Map<String, Value>>,
) -> Value {
    json!({
        "v": 1,
        "session": record,
        "state": finding.state,
        "last_activity": finding.last_activity,
        "owners": finding.owners,
        "open_calls": open_calls(dir),
        "journal": dir.journal().to_string_lossy(),
        "events": counted.by_event,
        "torn": counted.damage.torn,
        "foreign": counted.damage.foreign,
        "newer": counted.damage.newer,
        "log": log,
    })
}

fn as_text(
    context: &Context,
    dir: &SessionDir,
    record: &Record,
    finding: &Finding,
    counted: &Counted,
    log: &[Map<String, Value>],
) -> String {
    let mut facts = Table::new(&["SESSION", record.session_id.as_str()]);
    let mut fact = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            facts.row([name.to_owned(), value]);
        }
    };
    fact("state", Some(finding.state.as_str().to_owned()));
    fact("name", record.name.clone());
    fact("project", Some(record.project.name.clone()));
    fact("root", Some(record.project.root.clone()));
    fact(
        "branch",
        record.head.as_ref().and_then(|head| head.branch.clone()),
    );
    fact(
        "revision",
        record.head.as_ref().and_then(|head| head.revision.clone()),
    );
    fact(
        "started",
        Some(format!(
            "{} ({})",
            clock::local_text(record.started_at),
            record.source.as_deref().unwrap_or("-")
        )),
    );
    let active = |last| {
        format!(
            "{} ({} ago)",
            clock::local_text(last),
            span(last, context.now)
        )
    };
    fact("last event", finding.last_activity.map(active));
    fact("ended", record.ended_at.map(clock::local_text));
    fact(
        "previous",
        record.previous.as_ref().map(ToString::to_string),
    );
    fact("parent", record.parent.as_ref().map(ToString::to_string));
    let pids: Vec<String> = finding
        .owners
        .iter()
        .map(|owner| owner.pid.to_string())
        .collect();
    fact(
        "processes",
        Some(pids.join(", ")).filter(|pids| !pids.is_empty()),
    );
    fact(
        "open calls",
        Some(open_calls(dir))
            .filter(|open| *open > 0)
            .map(|open| open.to_string()),
    );
    fact("transcript", record.transcript_path.clone());
    fact("journal", Some(shown(&dir.journal())));
    let damage = counted.damage;
    let damaged = [
        (damage.torn, "torn"),
        (damage.foreign, "foreign"),
        (damage.newer, "of a newer version"),
    ];
    for (count, what) in damaged.into_iter().filter(|(count, _)| *count > 0) {
        fact("lines left out", Some(format!("{count} {what}")));
    }
    let mut events = Table::new(&["EVENT", "COUNT"]);
    for (event, count) in &counted.by_event {
        events.row([event.clone(), count.to_string()]);
    }
    let mut operations = Table::new(&["WHEN", "WHAT"]);
    for line in log {
        let text = |name: &str| {
            line.get(name)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        operations.row([text("ts"), text("what")]);
    }
    format!("{facts}\n{events}\n{operations}")
}
