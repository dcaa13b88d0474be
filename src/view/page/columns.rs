//! The calls of a session as columns: one list for each property of a call. So ten thousand calls
//! need little JSON, and a browser reads them without building ten thousand objects.

use std::collections::HashMap;

use serde::Serialize;

use super::{PageMoment, shown};
use crate::model::Call;
use crate::model::call::Moment;
use crate::view::json::millis;

/// The calls of a session, one column for each property of a call.
///
/// A text is an index into `strings`; -1 means none. Durations are in milliseconds; -1 means
/// unknown. Columns of pairs, `[index of the call, value]`, have only the calls with a value. Times
/// without jumps count microseconds and are as in `PageMoment::at`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "docs/json.md describes the members of a call")]
pub struct CallColumns {
    /// All texts of the other columns, each once.
    pub strings: Vec<String>,
    pub id: Vec<Option<String>>,
    pub tool: Vec<i64>,
    pub what: Vec<i64>,
    pub state: Vec<i64>,
    pub closed: Vec<i64>,
    pub agent: Vec<i64>,
    pub prompt: Vec<i64>,
    /// The start of the call as a time without jumps, minus the start of the previous call.
    pub start: Vec<i64>,
    /// How far the wall clock was ahead of the time without jumps when the call started, minus the
    /// same of the previous call.
    pub start_clock: Vec<i64>,
    /// The end of the call minus its start, both as times without jumps; `None` while the call
    /// runs.
    pub end: Vec<Option<i64>>,
    /// How far the wall clock was ahead of the time without jumps when the call ended, minus the
    /// same at its start.
    pub end_clock: Vec<i64>,
    pub duration: Vec<i64>,
    pub wait: Vec<i64>,
    pub permission: Vec<i64>,
    pub input_bytes: Vec<i64>,
    pub output_bytes: Vec<i64>,
    /// When Claude Code requested permission for the call, in microseconds after the call's start.
    pub asked: Vec<[i64; 2]>,
    pub error: Vec<[i64; 2]>,
    pub background: Vec<[i64; 2]>,
    /// When the call's background work ended: `[index of the call, wall clock, time without
    /// jumps]`.
    pub background_ended: Vec<[i64; 3]>,
    pub spawned: Vec<[i64; 2]>,
    /// The id of the Claude Code process, only for calls whose process is not that of the previous
    /// call; -1 means unknown.
    pub pid: Vec<[i64; 2]>,
}

/// A call as one row: its values in all columns.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct CallRow<'a> {
    pub(super) id: Option<&'a str>,
    pub(super) tool: Option<&'a str>,
    pub(super) what: Option<&'a str>,
    pub(super) state: &'a str,
    pub(super) closed: Option<&'a str>,
    pub(super) agent: Option<&'a str>,
    pub(super) prompt: Option<&'a str>,
    /// The start of the call as a time without jumps.
    pub(super) start: i64,
    /// How far the wall clock was ahead of the time without jumps when the call started.
    pub(super) clock: i64,
    pub(super) end: Option<i64>,
    pub(super) end_clock: i64,
    pub(super) duration: i64,
    pub(super) wait: i64,
    pub(super) permission: i64,
    pub(super) input_bytes: i64,
    pub(super) output_bytes: i64,
    pub(super) asked: Option<i64>,
    pub(super) error: Option<&'a str>,
    pub(super) background: Option<&'a str>,
    pub(super) background_ended: Option<[i64; 2]>,
    pub(super) spawned: Option<&'a str>,
    pub(super) pid: Option<i64>,
}

impl<'a> CallRow<'a> {
    fn of(call: &Call<'a>, zero: i64) -> Self {
        let began = PageMoment::new(call.began, zero);
        let ended = call.ended.map(|ended| PageMoment::new(ended, zero));
        let asked = |asked: Moment| asked.at.saturating_sub(call.began.at);
        let background_ended = call.background_ended.map(|ended| {
            let ended = PageMoment::new(ended, zero);
            [ended.ts, ended.at]
        });
        Self {
            id: call.tool_use_id,
            tool: call.tool,
            what: call.what,
            state: call.state.as_str(),
            closed: call.closed.map(super::parts::closing),
            agent: call.agent_id,
            prompt: call.prompt_id,
            start: began.at,
            clock: began.ahead(),
            end: ended.map(|ended| ended.at - began.at),
            end_clock: ended.map_or(0, |ended| ended.ahead() - began.ahead()),
            duration: known(call.duration().map(millis)),
            wait: known(call.wait().map(millis)),
            permission: known(call.permission().map(millis)),
            input_bytes: known(call.input_bytes),
            output_bytes: known(call.output_bytes),
            asked: call.asked.map(asked),
            error: call.error,
            background: call.background,
            background_ended,
            spawned: call.spawned_agent,
            pid: call.pid.map(|pid| known(Some(u64::from(pid)))),
        }
    }
}

impl CallColumns {
    /// Returns the columns of `calls`. `zero` is the time without jumps of the session's first
    /// event.
    pub fn of(calls: &[Call<'_>], zero: i64) -> Self {
        let rows: Vec<CallRow<'_>> = calls.iter().map(|call| CallRow::of(call, zero)).collect();
        Self::of_rows(&rows)
    }

    /// Returns the columns of `rows`. They can be read without any columns sent before, so an update
    /// of an open page sends just the newest calls.
    pub(super) fn of_rows<'a>(rows: &[CallRow<'a>]) -> Self {
        let mut columns = Self::default();
        let mut texts = Texts::default();
        let (mut place, mut clock, mut pid) = (0, 0, None);
        for (index, row) in rows.iter().enumerate() {
            let index = i64::try_from(index).unwrap_or(i64::MAX);
            columns.start.push(row.start - place);
            columns.start_clock.push(row.clock - clock);
            (place, clock) = (row.start, row.clock);
            columns.end.push(row.end);
            columns.end_clock.push(row.end_clock);
            columns.id.push(row.id.map(shown));
            columns.tool.push(texts.maybe(row.tool));
            columns.what.push(texts.maybe(row.what));
            columns.state.push(texts.index(row.state));
            columns.closed.push(texts.maybe(row.closed));
            columns.agent.push(texts.maybe(row.agent));
            columns.prompt.push(texts.maybe(row.prompt));
            columns.duration.push(row.duration);
            columns.wait.push(row.wait);
            columns.permission.push(row.permission);
            columns.input_bytes.push(row.input_bytes);
            columns.output_bytes.push(row.output_bytes);
            columns.asked.extend(row.asked.map(|asked| [index, asked]));
            let mut sparse = |column: &mut Vec<[i64; 2]>, text: Option<&'a str>| {
                column.extend(text.map(|text| [index, texts.index(text)]));
            };
            sparse(&mut columns.error, row.error);
            sparse(&mut columns.background, row.background);
            sparse(&mut columns.spawned, row.spawned);
            let ended = row.background_ended.map(|[clock, at]| [index, clock, at]);
            columns.background_ended.extend(ended);
            if pid != Some(row.pid) {
                pid = Some(row.pid);
                columns.pid.push([index, row.pid.unwrap_or(-1)]);
            }
        }
        columns.strings = texts.all;
        columns
    }

    /// Returns the rows from which the columns were made.
    pub(super) fn rows(&self) -> Vec<CallRow<'_>> {
        let text = |index: i64| {
            let index = usize::try_from(index).ok()?;
            self.strings.get(index).map(String::as_str)
        };
        let at = |column: &[i64], index: usize| column.get(index).copied().unwrap_or(-1);
        let mut rows = Vec::with_capacity(self.len());
        let (mut start, mut clock) = (0, 0);
        for index in 0..self.len() {
            start += at(&self.start, index);
            clock += at(&self.start_clock, index);
            rows.push(CallRow {
                id: self.id.get(index).and_then(Option::as_deref),
                tool: text(at(&self.tool, index)),
                what: text(at(&self.what, index)),
                state: text(at(&self.state, index)).unwrap_or_default(),
                closed: text(at(&self.closed, index)),
                agent: text(at(&self.agent, index)),
                prompt: text(at(&self.prompt, index)),
                start,
                clock,
                end: self.end.get(index).copied().flatten(),
                end_clock: at(&self.end_clock, index),
                duration: at(&self.duration, index),
                wait: at(&self.wait, index),
                permission: at(&self.permission, index),
                input_bytes: at(&self.input_bytes, index),
                output_bytes: at(&self.output_bytes, index),
                ..CallRow::default()
            });
        }
        for [index, asked] in &self.asked {
            if let Some(row) = row_at(&mut rows, *index) {
                row.asked = Some(*asked);
            }
        }
        for [index, error] in &self.error {
            if let Some(row) = row_at(&mut rows, *index) {
                row.error = text(*error);
            }
        }
        for [index, task] in &self.background {
            if let Some(row) = row_at(&mut rows, *index) {
                row.background = text(*task);
            }
        }
        for [index, agent] in &self.spawned {
            if let Some(row) = row_at(&mut rows, *index) {
                row.spawned = text(*agent);
            }
        }
        for [index, clock, place] in &self.background_ended {
            if let Some(row) = row_at(&mut rows, *index) {
                row.background_ended = Some([*clock, *place]);
            }
        }
        // `pid` has the index of each process's first call. The process applies until the index of
        // the next entry.
        for (place, [index, pid]) in self.pid.iter().enumerate() {
            let from = usize::try_from(*index).unwrap_or(usize::MAX);
            let next = self.pid.get(place + 1);
            let to = next.and_then(|[next, _]| usize::try_from(*next).ok());
            for row in rows.iter_mut().take(to.unwrap_or(usize::MAX)).skip(from) {
                row.pid = (*pid >= 0).then_some(*pid);
            }
        }
        rows
    }

    /// Returns the number of calls.
    pub fn len(&self) -> usize {
        self.tool.len()
    }

    /// Returns whether there is no call.
    pub fn is_empty(&self) -> bool {
        self.tool.is_empty()
    }
}

/// Returns the row of the call with this index.
fn row_at<'r, 'a>(rows: &'r mut [CallRow<'a>], index: i64) -> Option<&'r mut CallRow<'a>> {
    rows.get_mut(usize::try_from(index).ok()?)
}

/// Returns a number as it stands in a column: -1 for none, and at most 2^53 - 1, the largest
/// integer that JavaScript represents exactly. A larger number may come from another program.
fn known(number: Option<u64>) -> i64 {
    const EXACT: u64 = (1 << 53) - 1;
    number.map_or(-1, |number| {
        i64::try_from(number.min(EXACT)).unwrap_or(i64::MAX)
    })
}

/// Collects the texts of the columns, each once, with their indices.
#[derive(Debug, Default)]
struct Texts<'a> {
    all: Vec<String>,
    places: HashMap<&'a str, i64>,
}

impl<'a> Texts<'a> {
    fn index(&mut self, text: &'a str) -> i64 {
        if let Some(place) = self.places.get(text) {
            return *place;
        }
        let place = i64::try_from(self.all.len()).unwrap_or(i64::MAX);
        self.all.push(shown(text));
        self.places.insert(text, place);
        place
    }

    fn maybe(&mut self, text: Option<&'a str>) -> i64 {
        text.map_or(-1, |text| self.index(text))
    }
}
