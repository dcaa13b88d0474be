//! Writes the rows of one session, for `csv` and `jsonl`.

use chrono::NaiveDateTime;

use super::slowest::Slowest;
use super::{ExportFormat, ExportRequest, shown_machine};
use crate::cli::commit_search::SoughtBySession;
use crate::cli::gather::GatheredSession;
use crate::cli::stats::counting::{messages, used};
use crate::model::{Call, Timestamp, Usage};
use crate::store::clock;
use crate::view::otlp::OtlpMachine;
use crate::view::stats::{Stats, WallClock};
use crate::view::tables::{Cell, SessionNumbers, Table, TabledSession, csv_line, json_line};

/// Appends the rows of a session to `text`. The error says what the rows lack.
pub(super) fn write(
    request: &ExportRequest<'_>,
    session: &GatheredSession<'_>,
    title: Option<&str>,
    slowest: &mut Slowest,
    text: &mut String,
) -> Result<(), String> {
    let activity = &session.activity;
    let hidden = request.hash.as_ref();
    let hidden = hidden.map(|hash| hash.hidden(session.record));
    let record = hidden.as_ref().unwrap_or(session.record);
    let here = shown_machine(request.hash.as_ref(), request.here.clone());
    let machine = OtlpMachine::of(record, &here);
    let tabled = TabledSession {
        record,
        title,
        machine: machine.name.as_deref(),
        machine_id: machine.id.as_deref(),
        activity,
    };
    let is_shown = |at: Timestamp| request.period.has(at);
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
            let messages = messages(request.env, request.is_one, session)?;
            for used in messages.by_day(request.period) {
                text.push_str(&line(request, &tabled.tokens(&used)));
            }
            Ok(())
        }
        Table::Commits => {
            let suspect = session.suspect();
            let sought = SoughtBySession::new(session.record, suspect, session.noted);
            for note in sought.commits.iter().map(|commit| &commit.note) {
                if is_shown(note.ts)
                    && let Some(made) = suspect.evidence(note.ts)
                {
                    text.push_str(&line(request, &tabled.commit(note, made)));
                }
            }
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
    if !stats.add(trace, activity, request.period, &mut clock) {
        return Ok(());
    }
    let finding = session.finding();
    let stats = stats.summary();
    let (usage, left_out): (Option<Usage>, _) =
        match used(request.env, request.is_one, request.period, session) {
            Ok(usage) => (Some(usage), Ok(())),
            Err(why) => (None, Err(why)),
        };
    let is_counted = |call: &&Call<'_>| request.period.has(call.began.ts);
    let imported = activity.calls.iter().filter(is_counted);
    let imported = imported.filter(|call| !call.is_recorded).count();
    let ended = session.record.ended_at;
    let known = SessionNumbers {
        state: finding.state.as_str(),
        last_activity: finding.last_activity,
        // The record of a resumed session still contains the former end.
        ended_at: ended.filter(|_| !finding.state.is_live()),
        imported_calls: imported as u64,
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
