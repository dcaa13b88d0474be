//! Metrics over all recorded sessions, for monitoring systems. No counter is stored: each request
//! counts the existing records and journals again.

mod exposition;
mod histogram;

use std::collections::HashMap;
use std::ops::AddAssign;
use std::time::Duration;

use serde::Serialize;

use crate::model::attention::Need;
use crate::model::call::CallState;
use crate::model::{Activity, Call};
pub use histogram::{Bucket, Durations};
use histogram::{Histogram, seconds};

/// The name for tools whose name was not recorded.
const NO_TOOL: &str = "?";

/// The state of a session. For a live one, contains the time since its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionStanding {
    /// Live, with an event within the idle timeout.
    Active(Duration),
    /// Live, but without an event for the idle timeout.
    Idle(Duration),
    /// The session's last process reported the end.
    Ended,
    /// No process owns the session, and none reported the end.
    Abandoned,
    /// Like abandoned, but known only from an import.
    Imported,
}

/// Counts sessions. Several worker threads count separately; their counts are then added.
#[derive(Debug, Default)]
pub struct Metrics {
    sessions: SessionCounts,
    ages: Ages,
    tools: HashMap<String, ToolCounter>,
}

/// The number of sessions in each state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct SessionCounts {
    /// All sessions on record, each counted once. It is the sum of the next five numbers.
    pub started: u64,
    /// Live, with an event within the idle timeout.
    pub active: u64,
    /// Live, but without an event for the idle timeout.
    pub idle: u64,
    /// Sessions whose last process reported the end.
    pub ended: u64,
    /// Sessions that no process owns and whose end no process reported.
    pub abandoned: u64,
    /// Sessions that are known only from an import.
    pub imported: u64,
    /// The live sessions that wait for a person, by what they wait for.
    pub waiting: Waiting,
    /// How often an end of a session was reported. A resumed session ends again.
    pub ends: u64,
}

/// How many live sessions wait for a person, by what they wait for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Waiting {
    /// Sessions that wait for permission to run a tool.
    pub permission: u64,
    /// Sessions that wait for an answer to a question.
    pub question: u64,
    /// Sessions that wait for the approval of a plan.
    pub plan: u64,
    /// Sessions that wait for a prompt after a failed turn.
    pub error: u64,
    /// Sessions that wait for a prompt after a finished turn.
    pub prompt: u64,
}

impl Waiting {
    fn add(&mut self, need: Need) {
        match need {
            Need::Permission => self.permission += 1,
            Need::Question => self.question += 1,
            Need::Plan => self.plan += 1,
            Need::Error => self.error += 1,
            Need::Prompt => self.prompt += 1,
            Need::None => {}
        }
    }

    /// Returns the counts with their names, the most urgent first.
    pub fn named(self) -> [(&'static str, u64); 5] {
        [
            (Need::Permission.as_str(), self.permission),
            (Need::Question.as_str(), self.question),
            (Need::Plan.as_str(), self.plan),
            (Need::Error.as_str(), self.error),
            (Need::Prompt.as_str(), self.prompt),
        ]
    }
}

/// The ages of live sessions.
#[derive(Debug, Clone, Copy, Default)]
struct Ages {
    count: u32,
    sum: Duration,
    oldest: Duration,
    newest: Option<Duration>,
}

/// The counts of one tool.
#[derive(Debug, Default)]
struct ToolCounter {
    calls: u64,
    failed: u64,
    durations: Histogram,
}

/// Counts that are not computed from the activity of sessions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct StoreCounts {
    /// The errors in the hooks' log. Because the log is limited in size, old errors are missing.
    pub hook_errors: u64,
    /// Lines in journals that are not events.
    pub damaged_lines: u64,
    /// The counts of leases.
    pub leases: Leases,
    /// The number and size of archives.
    pub archives: ArchiveTotals,
}

/// How often leases were refused, or their holders died.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Leases {
    /// Leases that were refused, because another process held the id.
    pub refused: u64,
    /// Leases that were taken over from a dead holder.
    pub taken_over: u64,
    /// Leases whose holder was found dead. They were then taken over or ended.
    pub crashed: u64,
}

/// The number and size of all archives.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct ArchiveTotals {
    /// Complete archives.
    pub count: u64,
    /// The size of all files of the archives, in bytes.
    pub bytes: u64,
}

/// The metrics of all sessions that were counted. Ages and durations are in seconds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MetricsSummary {
    /// All recorded sessions.
    pub total_sessions: u64,
    /// Live sessions with an event within the idle timeout.
    pub active_sessions: u64,
    /// The time since the start of the live session that started first; zero if none is live.
    pub oldest_session_age: f64,
    /// The time since the start of the live session that started last; zero if none is live.
    pub newest_session_age: f64,
    /// The mean time since the start of live sessions; zero if none is live.
    pub avg_session_age: f64,
    /// The sessions by state.
    pub sessions: SessionCounts,
    /// The tools, the most frequently called first.
    pub tools: Vec<ToolMetrics>,
    /// The counts that are not computed from the activity of sessions.
    #[serde(flatten)]
    pub surroundings: StoreCounts,
}

/// The counts of one tool's calls.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ToolMetrics {
    /// The name of the tool.
    pub tool: String,
    /// The number of calls.
    pub calls: u64,
    /// The number of failed calls.
    pub failed: u64,
    /// The durations of the calls whose duration is known.
    pub durations: Durations,
}

impl Metrics {
    /// Counts a session.
    pub fn add(&mut self, standing: SessionStanding, need: Need, activity: &Activity<'_>) {
        let sessions = &mut self.sessions;
        sessions.started += 1;
        sessions.waiting.add(need);
        match standing {
            SessionStanding::Active(age) => {
                sessions.active += 1;
                self.ages.add(age);
            }
            SessionStanding::Idle(age) => {
                sessions.idle += 1;
                self.ages.add(age);
            }
            SessionStanding::Ended => sessions.ended += 1,
            SessionStanding::Abandoned => sessions.abandoned += 1,
            SessionStanding::Imported => sessions.imported += 1,
        }
        let is_told = activity.segments.iter().filter(|it| it.reason.is_some());
        sessions.ends += is_told.count() as u64;
        for call in &activity.calls {
            let name = call.tool.unwrap_or(NO_TOOL);
            // Copy the name only for the first call of a tool.
            match self.tools.get_mut(name) {
                Some(tool) => tool.add(call),
                None => self.tools.entry(name.to_owned()).or_default().add(call),
            }
        }
    }

    /// Returns the result of counting.
    pub fn summary(self, surroundings: StoreCounts) -> MetricsSummary {
        let tools = self.tools.into_iter().map(|(tool, counted)| ToolMetrics {
            tool,
            calls: counted.calls,
            failed: counted.failed,
            durations: counted.durations.summary(),
        });
        let mut tools: Vec<ToolMetrics> = tools.collect();
        tools.sort_by(|one, other| (other.calls, &one.tool).cmp(&(one.calls, &other.tool)));
        let Ages {
            count,
            sum,
            oldest,
            newest,
        } = self.ages;
        MetricsSummary {
            total_sessions: self.sessions.started,
            active_sessions: self.sessions.active,
            oldest_session_age: seconds(oldest),
            newest_session_age: seconds(newest.unwrap_or_default()),
            avg_session_age: seconds(sum.checked_div(count).unwrap_or_default()),
            sessions: self.sessions,
            tools,
            surroundings,
        }
    }
}

impl MetricsSummary {
    /// Formats the summary for Prometheus, in its exposition format, version 0.0.4.
    pub fn exposition(&self) -> String {
        exposition::of(self)
    }
}

impl AddAssign for Metrics {
    fn add_assign(&mut self, other: Self) {
        self.sessions += other.sessions;
        self.ages += other.ages;
        for (name, more) in other.tools {
            let tool = self.tools.entry(name).or_default();
            tool.calls += more.calls;
            tool.failed += more.failed;
            tool.durations += more.durations;
        }
    }
}

impl AddAssign for SessionCounts {
    fn add_assign(&mut self, other: Self) {
        self.started += other.started;
        self.active += other.active;
        self.idle += other.idle;
        self.ended += other.ended;
        self.abandoned += other.abandoned;
        self.imported += other.imported;
        self.waiting += other.waiting;
        self.ends += other.ends;
    }
}

impl AddAssign for Waiting {
    fn add_assign(&mut self, other: Self) {
        self.permission += other.permission;
        self.question += other.question;
        self.plan += other.plan;
        self.error += other.error;
        self.prompt += other.prompt;
    }
}

impl ToolCounter {
    fn add(&mut self, call: &Call<'_>) {
        self.calls += 1;
        self.failed += u64::from(call.state == CallState::Failed);
        if let Some(duration) = call.duration() {
            self.durations.add(duration);
        }
    }
}

impl Ages {
    fn add(&mut self, age: Duration) {
        *self += Self {
            count: 1,
            sum: age,
            oldest: age,
            newest: Some(age),
        };
    }
}

impl AddAssign for Ages {
    fn add_assign(&mut self, other: Self) {
        self.count += other.count;
        self.sum = self.sum.saturating_add(other.sum);
        self.oldest = self.oldest.max(other.oldest);
        self.newest = self.newest.into_iter().chain(other.newest).min();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::line::JournalLine;
    use crate::model::{OpenActivity, TraceBuilder};

    fn counted(standings: &[SessionStanding]) -> Metrics {
        let mut metrics = Metrics::default();
        for standing in standings {
            metrics.add(*standing, Need::None, &Activity::default());
        }
        metrics
    }

    #[test]
    fn ages_are_those_of_the_live_ones() {
        let old = Duration::from_secs(3600);
        let new = Duration::from_millis(1500);
        let all = [
            SessionStanding::Active(new),
            SessionStanding::Abandoned,
            SessionStanding::Idle(old),
            SessionStanding::Ended,
        ];
        let summary = counted(&all).summary(StoreCounts::default());
        assert_eq!((summary.total_sessions, summary.active_sessions), (4, 1));
        let ages = [
            summary.oldest_session_age,
            summary.newest_session_age,
            summary.avg_session_age,
        ];
        assert_eq!(ages, [3600.0, 1.5, 1800.75]);
    }

    #[test]
    fn where_none_is_live_every_age_is_zero() {
        for standings in [
            &[][..],
            &[SessionStanding::Ended, SessionStanding::Abandoned],
        ] {
            let summary = counted(standings).summary(StoreCounts::default());
            let ages = [
                summary.oldest_session_age,
                summary.newest_session_age,
                summary.avg_session_age,
            ];
            assert_eq!((summary.active_sessions, ages), (0, [0.0; 3]));
        }
    }

    #[test]
    fn counts_of_several_threads_are_those_of_one() {
        let lines = [
            r#"{"v":1,"ts":"2026-11-20T14:00:00.000000Z","event":"PreToolUse","tool":"Bash","tool_use_id":"a"}"#,
            r#"{"v":1,"ts":"2026-11-20T14:00:01.000000Z","event":"PostToolUseFailure","tool":"Bash","tool_use_id":"a","duration_ms":900}"#,
            r#"{"v":1,"ts":"2026-11-20T14:00:02.000000Z","event":"PreToolUse","tool_use_id":"b"}"#,
            r#"{"v":1,"ts":"2026-11-20T14:00:03.000000Z","event":"SessionEnd","reason":"other"}"#,
        ];
        let mut trace = TraceBuilder::default();
        for line in lines {
            JournalLine::read(line.as_bytes(), |line| trace.push(line)).unwrap();
        }
        let trace = trace.finish();
        let activity = OpenActivity::of(&trace).leave_open();
        let live = SessionStanding::Active(Duration::from_secs(10));
        let mut together = Metrics::default();
        let mut apart = Metrics::default();
        for standing in [live, SessionStanding::Ended] {
            together.add(standing, Need::Plan, &activity);
            let mut other = Metrics::default();
            other.add(standing, Need::Plan, &activity);
            apart += other;
        }
        let together = together.summary(StoreCounts::default());
        assert_eq!(together, apart.summary(StoreCounts::default()));
        let tools: Vec<_> = together
            .tools
            .iter()
            .map(|it| (it.tool.as_str(), it.calls, it.failed, it.durations.count))
            .collect();
        assert_eq!(tools, [("?", 2, 0, 0), ("Bash", 2, 2, 2)]);
        assert_eq!(together.sessions.ends, 2);
    }
}
