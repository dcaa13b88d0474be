//! The tables of `ccsession export`: calls, sessions, prompts, tokens and commits. Each row begins
//! with the columns of its session, project and machine; the table's own columns follow. The same
//! rows become CSV or lines of JSON.

mod cell;

use crate::model::activity::{Agent, Prompt};
use crate::model::commit::CommitNote;
use crate::model::event::TRANSCRIPT;
use crate::model::usage::{ModelUsage, UsageOfDay};
use crate::model::{Activity, Call, Record, Timestamp, Usage};
use crate::view::commit_makers::{CommitEvidence, Doer};
use crate::view::json::{CallView, PromptView};
use crate::view::stats::StatsSummary;
pub use cell::{Cell, csv_cell, csv_line, json_line};

/// A table of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is what its name says")]
pub enum Table {
    Calls,
    Sessions,
    Prompts,
    Tokens,
    Commits,
}

/// The columns with which every table begins. They identify the session and where it ran.
const OF_SESSION: [&str; 8] = [
    "session_id",
    "title",
    "project",
    "root",
    "branch",
    "machine",
    "machine_id",
    "user_name",
];

const OF_CALLS: [&str; 22] = [
    "tool_use_id",
    "tool",
    "what",
    "state",
    "error",
    "started_at",
    "ended_at",
    "duration_ms",
    "elapsed_ms",
    "wait_ms",
    "permission_ms",
    "closed",
    "agent_id",
    "agent_type",
    "prompt_id",
    "pid",
    "input_bytes",
    "output_bytes",
    "background",
    "background_ended_at",
    "spawned_agent",
    "origin",
];

const OF_SESSIONS: [&str; 30] = [
    "state",
    "role",
    "focus",
    "source",
    "model",
    "started_at",
    "ended_at",
    "last_activity",
    "events",
    "prompts",
    "agents",
    "compactions",
    "duplicates",
    "calls",
    "ok",
    "failed",
    "denied",
    "abandoned",
    "backgrounded",
    "running",
    "imported_calls",
    "total_ms",
    "wait_ms",
    "permission_ms",
    "messages",
    "input",
    "output",
    "cache_read",
    "cache_creation",
    "cost_usd",
];

const OF_PROMPTS: [&str; 9] = [
    "prompt_id",
    "what",
    "at",
    "ended_at",
    "duration_ms",
    "end",
    "error",
    "notification",
    "task_id",
];

const OF_TOKENS: [&str; 9] = [
    "day",
    "agent_id",
    "agent_type",
    "model",
    "messages",
    "input",
    "output",
    "cache_read",
    "cache_creation",
];

const OF_COMMITS: [&str; 7] = [
    "commit_id",
    "how",
    "at",
    "replaces",
    "evidence",
    "tool_use_id",
    "prompt_id",
];

impl Table {
    /// All tables.
    pub const ALL: [Self; 5] = [
        Self::Calls,
        Self::Sessions,
        Self::Prompts,
        Self::Tokens,
        Self::Commits,
    ];

    /// Returns the names of all columns of the table, in order.
    pub fn columns(self) -> impl Iterator<Item = &'static str> {
        let own: &[&str] = match self {
            Self::Calls => &OF_CALLS,
            Self::Sessions => &OF_SESSIONS,
            Self::Prompts => &OF_PROMPTS,
            Self::Tokens => &OF_TOKENS,
            Self::Commits => &OF_COMMITS,
        };
        OF_SESSION.iter().chain(own).copied()
    }

    /// Returns the first line of the CSV file: the names of the columns.
    pub fn heading(self) -> String {
        let names: Vec<&str> = self.columns().collect();
        names.join(",") + "\n"
    }
}

/// A session from which rows are made.
#[derive(Debug, Clone, Copy)]
pub struct TabledSession<'s, 'a> {
    /// The session's record.
    pub record: &'s Record,
    /// The session's title.
    pub title: Option<&'s str>,
    /// The name of the machine the session ran on.
    pub machine: Option<&'s str>,
    /// The id of that machine.
    pub machine_id: Option<&'s str>,
    /// The session's calls, prompts, subagents and segments.
    pub activity: &'s Activity<'a>,
}

/// The values of a session that only the table of sessions has.
#[derive(Debug)]
pub struct SessionNumbers<'s> {
    /// The session's state.
    pub state: &'static str,
    /// When the session's last event happened.
    pub last_activity: Option<Timestamp>,
    /// When the session ended; `None` if it has not ended.
    pub ended_at: Option<Timestamp>,
    /// The number of calls that are known only from the transcript, because no hook recorded them.
    pub imported_calls: u64,
    /// The session's statistics.
    pub stats: &'s StatsSummary,
    /// The tokens that the session used; `None` if they could not be counted.
    pub usage: Option<&'s Usage>,
}

impl<'s> TabledSession<'s, '_> {
    /// Returns the cells of the columns that every table begins with. `branch` is the branch at the
    /// time that the row is about.
    fn begin(&self, branch: Option<&'s str>) -> Vec<Cell<'s>> {
        vec![
            Cell::text(self.record.session_id.as_str()),
            Cell::of_text(self.title),
            Cell::text(&self.record.project.name),
            Cell::text(&self.record.project.root),
            Cell::of_text(branch),
            Cell::of_text(self.machine),
            Cell::of_text(self.machine_id),
            Cell::of_text(user_name(self.record)),
        ]
    }

    /// Returns the branch that was checked out at `at`, by the rule of `stats --by branch`.
    fn branch(&self, at: Timestamp) -> Option<&'s str> {
        let head = self.record.head.as_ref();
        let at_start = head.and_then(|head| head.branch.as_deref());
        self.activity.branch_at(at).or(at_start)
    }

    /// Returns the row of a call.
    pub fn call(&self, call: &'s Call<'_>) -> Vec<Cell<'s>> {
        let view = CallView::from(call);
        let mut row = self.begin(self.branch(call.began.ts));
        row.extend([
            Cell::of_text(view.tool_use_id),
            Cell::of_text(view.tool),
            Cell::of_text(view.what),
            Cell::text(view.state.as_str()),
            Cell::of_text(view.error),
            Cell::Time(view.started_at.ts),
            Cell::of_time(view.ended_at.map(|at| at.ts)),
            Cell::of_number(view.duration_ms),
            Cell::of_number(view.elapsed_ms),
            Cell::of_number(view.wait_ms),
            Cell::of_number(view.permission_ms),
            Cell::of_text(view.closed.map(|closed| closed.as_str())),
            Cell::of_text(view.agent_id),
            Cell::of_text(view.agent_id.and_then(|id| self.agent_type(id))),
            Cell::of_text(view.prompt_id),
            Cell::of_number(view.pid.map(u64::from)),
            Cell::of_number(view.input_bytes),
            Cell::of_number(view.output_bytes),
            Cell::of_text(view.background),
            Cell::of_time(view.background_ended_at.map(|at| at.ts)),
            Cell::of_text(view.spawned_agent),
            Cell::text(if call.is_recorded { "hook" } else { TRANSCRIPT }),
        ]);
        row
    }

    /// Returns the row of a prompt.
    pub fn prompt(&self, prompt: &'s Prompt<'_>) -> Vec<Cell<'s>> {
        let view = PromptView::from(prompt);
        let mut row = self.begin(self.branch(prompt.at.ts));
        row.extend([
            Cell::of_text(view.prompt_id),
            Cell::of_text(view.what),
            Cell::Time(view.at.ts),
            Cell::of_time(view.ended_at.map(|at| at.ts)),
            Cell::of_number(view.duration_ms),
            Cell::text(view.end),
            Cell::of_text(view.error),
            Cell::Flag(view.notification),
            Cell::of_text(view.task_id),
        ]);
        row
    }

    /// Returns the row of the tokens of one model that one agent used on one day.
    pub fn tokens(&self, of_day: &'s UsageOfDay) -> Vec<Cell<'s>> {
        let used = &of_day.used;
        let agent = used.agent_id.as_deref();
        let mut row = self.begin(self.last_branch());
        row.extend([
            of_day.day.map_or(Cell::Nothing, Cell::Day),
            Cell::of_text(agent),
            Cell::of_text(agent.and_then(|id| self.agent_type(id))),
            Cell::text(&used.model),
        ]);
        row.extend(numbers(Some(used)));
        row
    }

    /// Returns the row of a commit with the call or command that may have made it.
    pub fn commit(
        &self,
        note: &'s CommitNote,
        (evidence, doer): (CommitEvidence, Doer<'s, '_>),
    ) -> Vec<Cell<'s>> {
        let call = match doer {
            Doer::Call(call) => Some(call),
            Doer::Command(_) => None,
        };
        let mut row = self.begin(self.branch(note.ts));
        row.extend([
            Cell::text(&note.id),
            Cell::text(note.how.as_str()),
            Cell::Time(note.ts),
            Cell::of_text(note.replaces.as_deref()),
            Cell::text(evidence.as_str()),
            Cell::of_text(call.and_then(|call| call.tool_use_id)),
            Cell::of_text(call.and_then(|call| call.prompt_id)),
        ]);
        row
    }

    /// Returns the row of the session.
    pub fn session(&self, known: &SessionNumbers<'s>) -> Vec<Cell<'s>> {
        let record = self.record;
        let stats = known.stats;
        let by_state = |of: fn(&crate::view::stats::ByState) -> u64| {
            let counts = stats.tools.iter().map(|tool| of(&tool.by_state));
            Cell::Number(counts.sum())
        };
        let mut row = self.begin(self.last_branch());
        row.extend([
            Cell::text(known.state),
            Cell::of_text(record.role.as_deref()),
            Cell::of_text(record.focus.as_deref()),
            Cell::of_text(record.source.as_deref()),
            Cell::of_text(record.model.as_deref()),
            Cell::Time(record.started_at),
            Cell::of_time(known.ended_at),
            Cell::of_time(known.last_activity),
            Cell::Number(stats.counts.events),
            Cell::Number(stats.counts.prompts),
            Cell::Number(stats.counts.agents),
            Cell::Number(stats.counts.compactions),
            Cell::Number(stats.counts.duplicates),
            Cell::Number(stats.calls),
            by_state(|it| it.ok),
            by_state(|it| it.failed),
            by_state(|it| it.denied),
            by_state(|it| it.abandoned),
            by_state(|it| it.backgrounded),
            by_state(|it| it.running),
            Cell::Number(known.imported_calls),
            Cell::Number(stats.total_ms),
            Cell::Number(stats.wait_ms),
            Cell::Number(stats.permission_ms),
        ]);
        let total = known.usage.map(Usage::total);
        row.extend(numbers(total.as_ref()));
        let cost = known.usage.and_then(|usage| usage.cost_usd);
        row.push(cost.map_or(Cell::Nothing, Cell::Amount));
        row
    }

    /// Returns the branch of the last prompt that has one, or else the branch at the session's
    /// start.
    fn last_branch(&self) -> Option<&'s str> {
        self.branch(Timestamp::MAX)
    }

    fn agent_type(&self, id: &str) -> Option<&'s str> {
        let is_it = |agent: &&Agent<'_>| agent.agent_id == id;
        let agent = self.activity.agents.iter().find(is_it);
        agent.and_then(|agent| agent.agent_type)
    }
}

/// Returns the name of the user: that of the home directory that contains the transcript. A record
/// has no other trace of the user.
fn user_name(record: &Record) -> Option<&str> {
    let (home, _) = record.transcript_path.as_deref()?.split_once("/.claude/")?;
    home.rsplit('/').next().filter(|name| !name.is_empty())
}

/// Returns the cells of the columns for tokens; empty cells if they are unknown.
fn numbers<'s>(used: Option<&ModelUsage>) -> [Cell<'s>; 5] {
    let of = |number: fn(&ModelUsage) -> u64| Cell::of_number(used.map(number));
    [
        of(|it| it.messages),
        of(|it| it.input),
        of(|it| it.output),
        of(|it| it.cache_read),
        of(|it| it.cache_creation),
    ]
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::model::Project;

    #[test]
    fn a_person_is_known_by_the_home_directory_of_the_transcript() {
        let project = Project::at(PathBuf::from("/src/shop"));
        let mut record = Record::new("s-1".parse().unwrap(), &project, Timestamp::default());
        for (path, name) in [
            (
                Some("/home/anna/.claude/projects/-src-shop/s-1.jsonl"),
                Some("anna"),
            ),
            (
                Some("/root/.claude/projects/-src-shop/s-1.jsonl"),
                Some("root"),
            ),
            (Some("/.claude/projects/-src-shop/s-1.jsonl"), None),
            (Some("/data/claude/projects/-src-shop/s-1.jsonl"), None),
            (None, None),
        ] {
            record.transcript_path = path.map(str::to_owned);
            assert_eq!(user_name(&record), name, "{path:?}");
        }
    }
}
