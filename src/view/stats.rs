//! Statistics over the calls of one session or many: how often, how long, what failed, what waited, when.

mod percentile;
mod wall_clock;

use std::collections::{BTreeMap, HashMap};
use std::ops::AddAssign;
use std::time::Duration;

use chrono::{NaiveDate, NaiveDateTime};
use serde::Serialize;

use crate::model::call::State;
use crate::model::{Activity, Call, Timestamp, Trace};
use percentile::nearest_rank;
pub use wall_clock::WallClock;

/// What stands for a tool whose name is not on record.
const NO_TOOL: &str = "?";

/// What is counted of sessions. Several threads count for themselves, and their counts are added up.
#[derive(Debug, Default)]
pub struct Stats {
    counts: Counts,
    tools: Vec<Tool>,
    /// Where each tool is among the tools.
    places: HashMap<String, usize>,
    hours: [u64; 24],
    days: BTreeMap<NaiveDate, u64>,
}

/// What is counted over all tools.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Sessions in which anything happened.
    pub sessions: u64,
    /// Events, copies included.
    pub events: u64,
    /// Prompts that people gave.
    pub prompts: u64,
    /// Subagents.
    pub agents: u64,
    /// Compactions of the context.
    pub compactions: u64,
    /// Events that were told more than once.
    pub duplicates: u64,
}

/// How many calls are in each state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "each is the state of that name")]
pub struct ByState {
    pub ok: u64,
    pub failed: u64,
    pub denied: u64,
    pub abandoned: u64,
    pub backgrounded: u64,
    pub running: u64,
}

/// What is counted of one tool.
#[derive(Debug, Default)]
struct Tool {
    name: String,
    by_state: ByState,
    /// All of them, in milliseconds, so that percentiles are exact.
    durations: Vec<u64>,
    wait: Duration,
    permission: Duration,
}

/// What all that was counted comes to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// What is counted over all tools.
    #[serde(flatten)]
    pub counts: Counts,
    /// The tools, the one that was called most often first.
    pub tools: Vec<ToolSummary>,
    /// How many calls there were.
    pub calls: u64,
    /// How many of them failed.
    pub failed: u64,
    /// How many of them are running.
    pub open: u64,
    /// How many of them never came back.
    pub abandoned: u64,
    /// How long all of them took together, in milliseconds.
    pub total_ms: u64,
    /// How long they waited for anything but permission, in milliseconds.
    pub wait_ms: u64,
    /// How long they waited for permission, in milliseconds.
    pub permission_ms: u64,
    /// How many calls began in each hour of the day, by local clocks.
    pub hours: [u64; 24],
    /// How many sessions began on each day on which one did, by local clocks.
    pub days: Vec<Day>,
}

/// What the calls of one tool come to. Durations are those that are known: as the client measured them, else from a
/// call's first event to its last.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ToolSummary {
    /// The tool.
    pub tool: String,
    /// How often it was called.
    pub calls: u64,
    /// How those calls stand.
    #[serde(flatten)]
    pub by_state: ByState,
    /// The duration that half of the calls stayed within, by nearest rank; none where no duration is known.
    pub p50_ms: Option<u64>,
    /// The duration that 95 of 100 calls stayed within, by nearest rank.
    pub p95_ms: Option<u64>,
    /// The longest duration.
    pub max_ms: Option<u64>,
    /// All durations together.
    pub total_ms: u64,
    /// The part that it has in the durations of all tools, from 0 to 1.
    pub share: f64,
    /// How long its calls waited for anything but permission.
    pub wait_ms: u64,
    /// How long its calls waited for permission.
    pub permission_ms: u64,
}

/// A day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Day {
    /// As `2026-11-20`.
    pub day: String,
    /// How many sessions began on it.
    pub sessions: u64,
}

impl Stats {
    /// Counts a session: what of it began at `since` or later. Where nothing did, the session is not counted either;
    /// whether it was is the answer.
    pub fn add(
        &mut self,
        trace: &Trace,
        activity: &Activity<'_>,
        since: Option<Timestamp>,
        clock: &mut WallClock<impl Fn(Timestamp) -> NaiveDateTime>,
    ) -> bool {
        let is_counted = |time: Timestamp| since.is_none_or(|since| time >= since);
        let events = trace.steps().iter().filter(|step| is_counted(step.ts));
        let events = events.count() as u64;
        let Some((first, _)) = activity.span.filter(|_| events > 0) else {
            return false;
        };
        let people = activity.prompts.iter().filter(|it| it.notifies.is_none());
        let prompts = people.filter(|it| is_counted(it.at.ts)).count();
        let agents = activity.agents.iter().filter(|it| is_counted(it.began.ts));
        let compactions = activity.compactions.iter();
        let compactions = compactions.filter(|it| is_counted(it.began.ts)).count();
        self.counts += Counts {
            sessions: 1,
            events,
            prompts: prompts as u64,
            agents: agents.count() as u64,
            compactions: compactions as u64,
            duplicates: activity.duplicates,
        };
        if is_counted(first.ts) {
            *self.days.entry(clock.day(first.ts)).or_default() += 1;
        }
        for call in activity.calls.iter().filter(|it| is_counted(it.began.ts)) {
            if let Some(hour) = self.hours.get_mut(clock.hour(call.began.ts)) {
                *hour += 1;
            }
            if let Some(tool) = self.tool(call.tool.unwrap_or(NO_TOOL)) {
                tool.add(call);
            }
        }
        true
    }

    /// The tool of this name; a new one where there was none.
    fn tool(&mut self, name: &str) -> Option<&mut Tool> {
        let place = match self.places.get(name) {
            Some(place) => *place,
            None => {
                self.places.insert(name.to_owned(), self.tools.len());
                self.tools.push(Tool {
                    name: name.to_owned(),
                    ..Tool::default()
                });
                self.tools.len() - 1
            }
        };
        self.tools.get_mut(place)
    }

    /// What it all comes to.
    pub fn summary(self) -> Summary {
        let mut tools: Vec<ToolSummary> = self.tools.into_iter().map(Tool::summary).collect();
        let sum = |of: fn(&ToolSummary) -> u64| tools.iter().map(of).fold(0, u64::saturating_add);
        let total_ms = sum(|tool| tool.total_ms);
        let days = self.days.into_iter().map(|(day, sessions)| Day {
            day: day.to_string(),
            sessions,
        });
        let summary = Summary {
            counts: self.counts,
            calls: sum(|tool| tool.calls),
            failed: sum(|tool| tool.by_state.failed),
            open: sum(|tool| tool.by_state.running),
            abandoned: sum(|tool| tool.by_state.abandoned),
            total_ms,
            wait_ms: sum(|tool| tool.wait_ms),
            permission_ms: sum(|tool| tool.permission_ms),
            hours: self.hours,
            days: days.collect(),
            tools: Vec::new(),
        };
        for tool in tools.iter_mut().filter(|_| total_ms > 0) {
            tool.share = tool.total_ms as f64 / total_ms as f64;
        }
        tools.sort_by(|one, other| (other.calls, &one.tool).cmp(&(one.calls, &other.tool)));
        Summary { tools, ..summary }
    }
}

impl AddAssign for Stats {
    fn add_assign(&mut self, other: Self) {
        self.counts += other.counts;
        for more in other.tools {
            if let Some(tool) = self.tool(&more.name) {
                *tool += more;
            }
        }
        for (hour, more) in self.hours.iter_mut().zip(other.hours) {
            *hour += more;
        }
        for (day, more) in other.days {
            *self.days.entry(day).or_default() += more;
        }
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.sessions += other.sessions;
        self.events += other.events;
        self.prompts += other.prompts;
        self.agents += other.agents;
        self.compactions += other.compactions;
        self.duplicates += other.duplicates;
    }
}

impl ByState {
    fn count(&mut self, state: State) {
        let count = match state {
            State::Running => &mut self.running,
            State::Ok => &mut self.ok,
            State::Failed => &mut self.failed,
            State::Denied => &mut self.denied,
            State::Abandoned => &mut self.abandoned,
            State::Backgrounded => &mut self.backgrounded,
        };
        *count += 1;
    }

    fn sum(&self) -> u64 {
        let ended = self.ok + self.failed + self.denied + self.abandoned;
        ended + self.backgrounded + self.running
    }
}

impl AddAssign for ByState {
    fn add_assign(&mut self, other: Self) {
        self.ok += other.ok;
        self.failed += other.failed;
        self.denied += other.denied;
        self.abandoned += other.abandoned;
        self.backgrounded += other.backgrounded;
        self.running += other.running;
    }
}

impl Tool {
    fn add(&mut self, call: &Call<'_>) {
        self.by_state.count(call.state);
        self.durations.extend(call.duration().map(millis));
        let wait = call.wait().unwrap_or_default();
        let permission = call.permission().unwrap_or_default();
        self.wait = self.wait.saturating_add(wait);
        self.permission = self.permission.saturating_add(permission);
    }

    fn summary(mut self) -> ToolSummary {
        let durations = self.durations.as_mut_slice();
        ToolSummary {
            calls: self.by_state.sum(),
            by_state: self.by_state,
            total_ms: durations.iter().copied().fold(0, u64::saturating_add),
            max_ms: durations.iter().copied().max(),
            p95_ms: nearest_rank(durations, 95),
            p50_ms: nearest_rank(durations, 50),
            share: 0.0,
            wait_ms: millis(self.wait),
            permission_ms: millis(self.permission),
            tool: self.name,
        }
    }
}

impl AddAssign for Tool {
    fn add_assign(&mut self, mut other: Self) {
        self.by_state += other.by_state;
        self.durations.append(&mut other.durations);
        self.wait = self.wait.saturating_add(other.wait);
        self.permission = self.permission.saturating_add(other.permission);
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
