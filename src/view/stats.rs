//! Statistics over the calls of one session or many: how often, how long, what failed, what waited, when.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use chrono::{NaiveDate, NaiveDateTime, Timelike};

use crate::model::{Activity, Call, Timestamp};

/// Which time local clocks show at a moment.
pub trait LocalTime {
    /// `time` on local clocks.
    fn local(&mut self, time: Timestamp) -> NaiveDateTime;
}

impl<F: FnMut(Timestamp) -> NaiveDateTime> LocalTime for F {
    fn local(&mut self, time: Timestamp) -> NaiveDateTime {
        self(time)
    }
}

/// What is counted of sessions; those of several threads can be added up.
#[derive(Debug, Default)]
pub struct Stats {
    sessions: u64,
    events: u64,
    duplicates: u64,
    prompts: u64,
    agents: u64,
    compactions: u64,
    tools: Vec<Tool>,
    /// Where each tool is.
    places: HashMap<String, usize>,
    hours: [u64; 24],
    days: BTreeMap<NaiveDate, u64>,
}

/// What is counted of one tool.
#[derive(Debug, Clone, Default)]
struct Tool {
    by_state: [u64; 6],
    /// In milliseconds.
    durations: Vec<u32>,
    wait: Duration,
    permission: Duration,
}

impl Stats {
    /// Counts a session: what of it began at `since` or later. Nothing of it is counted where nothing did.
    pub fn add(
        &mut self,
        activity: &Activity<'_>,
        since: Option<Timestamp>,
        clocks: &mut impl LocalTime,
    ) {
        let is_counted = |time: Timestamp| since.is_none_or(|since| time >= since);
        let Some((first, last)) = activity.span else {
            return;
        };
        if !is_counted(last.ts) {
            return;
        }
        self.sessions += 1;
        self.events += activity.events;
        self.duplicates += activity.duplicates;
        let count = |moments: &mut dyn Iterator<Item = Timestamp>| {
            moments.filter(|time| is_counted(*time)).count() as u64
        };
        let people = activity
            .prompts
            .iter()
            .filter(|prompt| prompt.notifies.is_none());
        self.prompts += count(&mut people.map(|prompt| prompt.at.ts));
        self.agents += count(&mut activity.agents.iter().map(|agent| agent.began.ts));
        self.compactions += count(
            &mut activity
                .compactions
                .iter()
                .map(|compaction| compaction.began.ts),
        );
        if is_counted(first.ts) {
            *self.days.entry(clocks.local(first.ts).date()).or_default() += 1;
        }
        for call in activity
            .calls
            .iter()
            .filter(|call| is_counted(call.began.ts))
        {
            let hour = clocks.local(call.began.ts).hour() as usize;
            if let Some(count) = self.hours.get_mut(hour) {
                *count += 1;
            }
            let place = self.tool(call.tool.unwrap_or(NO_TOOL));
            if let Some(tool) = self.tools.get_mut(place) {
                tool.add(call);
            }
        }
    }

    /// Where a tool is among the tools.
    fn tool(&mut self, name: &str) -> usize {
        if let Some(place) = self.places.get(name) {
            return *place;
        }
        self.tools.push(Tool::default());
        self.places.insert(name.to_owned(), self.tools.len() - 1);
        self.tools.len() - 1
    }
}

/// What stands for a tool whose name is not on record.
const NO_TOOL: &str = "?";

impl Tool {
    fn add(&mut self, call: &Call<'_>) {
        if let Some(count) = self.by_state.get_mut(call.state as usize) {
            *count += 1;
        }
        let millis = |duration: Duration| u32::try_from(duration.as_millis()).unwrap_or(u32::MAX);
        self.durations.extend(call.duration().map(millis));
        self.wait += call.wait().unwrap_or_default();
        self.permission += call.permission().unwrap_or_default();
    }
}
