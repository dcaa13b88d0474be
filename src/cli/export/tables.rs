//! The rows of one session, for `csv` and `jsonl`.

use chrono::NaiveDateTime;

use super::slowest::Slowest;
use super::{ExportFormat, ExportRequest};
use crate::cli::gather::GatheredSession;
use crate::cli::stats::counting::used;
use crate::model::{Call, Timestamp, Usage};
use crate::store::clock;
use crate::view::stats::{Stats, WallClock};
use crate::view::tables::{Cell, SessionNumbers, Table, TabledSession, csv_line, json_line};

/// Writes the rows of a session. The error says what is missing from them.
pub(super) fn write(
    request: &ExportRequest<'_>,
    session: &GatheredSession<'_>,
    title: Option<&str>,
    slowest: &mut Slowest,
    text: &mut String,
) -> Result<(), String> {
    let activity = &session.activity;
    let tabled = TabledSession {
        record: session.record,
        title,
        machine: request.here.name.as_deref(),
        activity,
    };
    let is_shown = |at: Timestamp| request.since.is_none_or(|since| at >= since);
    match request.table {
        Table::Calls => {
            let calls = request.filter.calls(activity);
            let row = |call: &Call<'_>| line(request, &tabled.call(call));
            match request.slowest {
                None => calls.for_each(|call| text.push_str(&row(call))),
                Some(_) => {
                    for (number, call) in calls.enumerate() {
                        let Some(took) = call.duration() else {
                            continue;
                        };
                        let place = (session.id, number);
                        slowest.offer(took, call.began.ts, place, || row(call));
                    }
                }
            }
            Ok(())
        }
        Table::Prompts => {
            let prompts = activity.prompts.iter().filter(|it| is_shown(it.at.ts));
            prompts.for_each(|prompt| text.push_str(&line(request, &tabled.prompt(prompt))));
            Ok(())
        }
        Table::Tokens => {
            let used = used(request.env, request.is_one, request.since, session)?;
            let rows = used.by.iter().map(|it| line(request, &tabled.tokens(it)));
            text.extend(rows);
            Ok(())
        }
        Table::Sessions => write_session(request, session, &tabled, text),
    }
}

fn write_session(
    request: &ExportRequest<'_>,
    session: &GatheredSession<'_>,
    tabled: &TabledSession<'_, '_>,
    text: &mut String,
) -> Result<(), String> {
    let mut stats = Stats::default();
    let mut clock: WallClock<fn(Timestamp) -> NaiveDateTime> = WallClock::new(clock::to_civil);
    let (trace, activity) = (session.trace, &session.activity);
    if !stats.add(trace, activity, request.since, &mut clock) {
        return Ok(());
    }
    let finding = session.finding();
    let stats = stats.summary();
    let (usage, left_out): (Option<Usage>, _) =
        match used(request.env, request.is_one, request.since, session) {
            Ok(usage) => (Some(usage), Ok(())),
            Err(why) => (None, Err(why)),
        };
    let ended = session.record.ended_at;
    let known = SessionNumbers {
        state: finding.state.as_str(),
        last_activity: finding.last_activity,
        // A session that was resumed since still has its former end on record.
        ended_at: ended.filter(|_| !finding.state.is_live()),
        stats: &stats,
        usage: usage.as_ref(),
    };
    text.push_str(&line(request, &tabled.session(&known)));
    left_out
}

fn line(request: &ExportRequest<'_>, row: &[Cell<'_>]) -> String {
    match request.format {
        ExportFormat::Csv => csv_line(row),
        _ => json_line(request.table.columns(), row),
    }
}
