//! The calls of a session as columns: a list for each member, so that ten thousand calls stay small
//! and are read without building as many objects.

use std::collections::HashMap;

use serde::Serialize;

use super::{PageMoment, shown};
use crate::model::Call;
use crate::view::json::millis;

/// The calls, a column for each member.
///
/// A text is an index into `strings`, and -1 is none. Durations are milliseconds, and -1 is unknown.
/// Columns with two members a row, `[call, value]`, have only the calls with a value.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "docs/json.md describes the members of a call")]
pub struct CallColumns {
    /// All texts, each once.
    pub strings: Vec<String>,
    pub id: Vec<Option<String>>,
    pub tool: Vec<i64>,
    pub what: Vec<i64>,
    pub state: Vec<i64>,
    pub closed: Vec<i64>,
    pub agent: Vec<i64>,
    pub prompt: Vec<i64>,
    /// The place of the start on the time line, less that of the call before.
    pub start: Vec<i64>,
    /// How far the wall clock at the start is ahead of that place, less that of the call before.
    pub start_clock: Vec<i64>,
    /// The place of the end on the time line, less that of the start; `None` while it runs.
    pub end: Vec<Option<i64>>,
    /// How far the wall clock at the end is ahead, less that at the start.
    pub end_clock: Vec<i64>,
    pub duration: Vec<i64>,
    pub wait: Vec<i64>,
    pub permission: Vec<i64>,
    pub input_bytes: Vec<i64>,
    pub output_bytes: Vec<i64>,
    /// When permission was asked for, in microseconds after the start.
    pub asked: Vec<[i64; 2]>,
    pub error: Vec<[i64; 2]>,
    pub background: Vec<[i64; 2]>,
    /// `[call, wall clock, place]`.
    pub background_ended: Vec<[i64; 3]>,
    pub spawned: Vec<[i64; 2]>,
    /// The process, for each call that has another one than the call before; -1 is unknown.
    pub pid: Vec<[i64; 2]>,
}

impl CallColumns {
    /// Returns the columns of `calls`. `zero` is the place of the session's first event. The columns
    /// stand for themselves, so a page that changes can be given only its last calls.
    pub fn of<'a>(calls: &'a [Call<'a>], zero: i64) -> Self {
        let mut columns = Self::default();
        let mut texts = Texts::default();
        let (mut place, mut clock, mut pid) = (0, 0, None);
        for (index, call) in calls.iter().enumerate() {
            let index = i64::try_from(index).unwrap_or(i64::MAX);
            let began = PageMoment::new(call.began, zero);
            columns.start.push(began.at - place);
            columns.start_clock.push(began.ahead() - clock);
            (place, clock) = (began.at, began.ahead());
            let ended = call.ended.map(|ended| PageMoment::new(ended, zero));
            columns.end.push(ended.map(|ended| ended.at - began.at));
            let end_clock = ended.map_or(0, |ended| ended.ahead() - began.ahead());
            columns.end_clock.push(end_clock);
            columns.id.push(call.tool_use_id.map(shown));
            columns.tool.push(texts.maybe(call.tool));
            columns.what.push(texts.maybe(call.what));
            columns.state.push(texts.index(call.state.as_str()));
            let closed = call.closed.map(super::parts::closing);
            columns.closed.push(texts.maybe(closed));
            columns.agent.push(texts.maybe(call.agent_id));
            columns.prompt.push(texts.maybe(call.prompt_id));
            columns.duration.push(known(call.duration().map(millis)));
            columns.wait.push(known(call.wait().map(millis)));
            columns
                .permission
                .push(known(call.permission().map(millis)));
            columns.input_bytes.push(known(call.input_bytes));
            columns.output_bytes.push(known(call.output_bytes));
            if let Some(asked) = call.asked {
                let asked = asked.at.saturating_sub(call.began.at);
                columns.asked.push([index, asked]);
            }
            let mut sparse = |column: &mut Vec<[i64; 2]>, text: Option<&'a str>| {
                column.extend(text.map(|text| [index, texts.index(text)]));
            };
            sparse(&mut columns.error, call.error);
            sparse(&mut columns.background, call.background);
            sparse(&mut columns.spawned, call.spawned_agent);
            if let Some(ended) = call.background_ended {
                let ended = PageMoment::new(ended, zero);
                columns.background_ended.push([index, ended.ts, ended.at]);
            }
            if pid != Some(call.pid) {
                pid = Some(call.pid);
                columns.pid.push([index, known(call.pid.map(u64::from))]);
            }
        }
        columns.strings = texts.all;
        columns
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

/// Returns a number, or -1 for none. Numbers come from files that others write, so they are kept
/// below what a script can count exactly.
fn known(number: Option<u64>) -> i64 {
    const EXACT: u64 = (1 << 53) - 1;
    number.map_or(-1, |number| {
        i64::try_from(number.min(EXACT)).unwrap_or(i64::MAX)
    })
}

/// Texts, each once.
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
