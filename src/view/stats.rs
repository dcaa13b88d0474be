//! Statistics over the calls of one session or many: their number, duration, failures, waits and
//! times of day.

pub mod groups;
pub mod hooks;
mod percentile;
mod wall_clock;

use std::collections::{BTreeMap, HashMap};
use std::ops::AddAssign;
use std::time::Duration;

use chrono::{NaiveDate, NaiveDateTime};
use serde::Serialize;

use crate::model::call::CallState;
use crate::model::when::Period;
use crate::model::{Activity, Call, Timestamp, Trace};
use percentile::nearest_rank;
pub use wall_clock::WallClock;

/// The name for tools whose name was not recorded.
const NO_TOOL: &str = "?";

/// Counts the calls of sessions. Several worker threads count separately; their counts are then
/// added.
#[derive(Debug, Default)]
pub struct Stats {
    counts: CallCounts,
    tools: Vec<ToolTally>,
    /// The index of each tool in `tools`.
    places: HashMap<String, usize>,
    hours: [u64; 24],
    days: BTreeMap<NaiveDate, u64>,
}

/// The counts over all tools.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct CallCounts {
    /// The number of sessions that had an event.
    pub sessions: u64,
    /// The number of events, including those that were recorded more than once.
    pub events: u64,
    /// The number of prompts from people; notifications do not count.
    pub prompts: u64,
    /// The number of subagents.
    pub agents: u64,
    /// The number of compactions of the context.
    pub compactions: u64,
    /// The number of events that repeat an event recorded before.
    pub duplicates: u64,
}

/// The number of calls in each state.
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

/// The counts of one tool.
#[derive(Debug, Default)]
struct ToolTally {
    name: String,
    by_state: ByState,
    /// All durations in milliseconds, so that percentiles are exact.
    durations: Vec<u64>,
    wait: Duration,
    permission: Duration,
}

/// The statistics that result from counting.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StatsSummary {
    /// The counts over all tools.
    #[serde(flatten)]
    pub counts: CallCounts,
    /// The tools, the most frequently called first.
    pub tools: Vec<ToolStats>,
    /// The number of calls.
    pub calls: u64,
    /// The number of failed calls.
    pub failed: u64,
    /// The number of running calls.
    pub open: u64,
    /// The number of calls that have no result although they no longer run.
    pub abandoned: u64,
    /// The total duration of all calls, in milliseconds.
    pub total_ms: u64,
    /// How long calls waited for anything but permission in total, in milliseconds.
    pub wait_ms: u64,
    /// How long calls waited for permission in total, in milliseconds.
    pub permission_ms: u64,
    /// The number of calls that began in each hour of the day, by the local clock.
    pub hours: [u64; 24],
    /// The number of sessions that began on each day, by the local clock. Days without a session
    /// are left out.
    pub days: Vec<Day>,
}

/// The statistics of one tool's calls. The duration of a call is the one that Claude Code measured,
/// or else the time from the call's first event to its last.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ToolStats {
    /// The name of the tool.
    pub tool: String,
    /// The number of calls.
    pub calls: u64,
    /// The number of calls in each state.
    #[serde(flatten)]
    pub by_state: ByState,
    /// The median of the durations in milliseconds, by nearest rank; `None` if no duration is
    /// known.
    pub p50_ms: Option<u64>,
    /// The 95th percentile of the durations in milliseconds, by nearest rank.
    pub p95_ms: Option<u64>,
    /// The longest duration, in milliseconds.
    pub max_ms: Option<u64>,
    /// The sum of the durations, in milliseconds.
    pub total_ms: u64,
    /// The tool's share of the total duration of all tools, from 0 to 1.
    pub share: f64,
    /// How long calls waited for anything but permission in total, in milliseconds.
    pub wait_ms: u64,
    /// How long calls waited for permission in total, in milliseconds.
    pub permission_ms: u64,
}

/// A day on which sessions began.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Day {
    /// The date, as in `2026-11-20`.
    pub day: String,
    /// The number of sessions that began on this day.
    pub sessions: u64,
}

impl Stats {
    /// Counts a session's events, prompts, subagents, compactions and calls that began in the
    /// period. Returns false, and does not count the session, if it has no event in the period.
    pub fn add(
        &mut self,
        trace: &Trace,
        activity: &Activity<'_>,
        period: Period,
        clock: &mut WallClock<impl Fn(Timestamp) -> NaiveDateTime>,
    ) -> bool {
        let is_counted = |time: Timestamp| period.has(time);
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
        self.counts += CallCounts {
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

    /// Returns the counts of the tool with this name, and adds empty ones for a new tool.
    fn tool(&mut self, name: &str) -> Option<&mut ToolTally> {
        let place = match self.places.get(name) {
            Some(place) => *place,
            None => {
                self.places.insert(name.to_owned(), self.tools.len());
                self.tools.push(ToolTally {
                    name: name.to_owned(),
                    ..ToolTally::default()
                });
                self.tools.len() - 1
            }
        };
        self.tools.get_mut(place)
    }

    /// Returns the statistics over all sessions that were counted.
    pub fn summary(self) -> StatsSummary {
        let mut tools: Vec<ToolStats> = self.tools.into_iter().map(ToolTally::summary).collect();
        let sum = |of: fn(&ToolStats) -> u64| tools.iter().map(of).fold(0, u64::saturating_add);
        let total_ms = sum(|tool| tool.total_ms);
        let days = self.days.into_iter().map(|(day, sessions)| Day {
            day: day.to_string(),
            sessions,
        });
        let summary = StatsSummary {
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
        StatsSummary { tools, ..summary }
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

impl AddAssign for CallCounts {
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
    fn count(&mut self, state: CallState) {
        let count = match state {
            CallState::Running => &mut self.running,
            CallState::Ok => &mut self.ok,
            CallState::Failed => &mut self.failed,
            CallState::Denied => &mut self.denied,
            CallState::Abandoned => &mut self.abandoned,
            CallState::Backgrounded => &mut self.backgrounded,
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

impl ToolTally {
    fn add(&mut self, call: &Call<'_>) {
        self.by_state.count(call.state);
        self.durations.extend(call.duration().map(millis));
        let wait = call.wait().unwrap_or_default();
        let permission = call.permission().unwrap_or_default();
        self.wait = self.wait.saturating_add(wait);
        self.permission = self.permission.saturating_add(permission);
    }

    fn summary(mut self) -> ToolStats {
        let durations = self.durations.as_mut_slice();
        ToolStats {
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

impl AddAssign for ToolTally {
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
