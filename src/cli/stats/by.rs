//! `ccsession stats --by`: sums by day, project, branch and so on.

use std::time::Duration;

use anyhow::Result;
use chrono::NaiveDateTime;
use clap::ValueEnum;
use serde::Serialize;

use super::counting::messages;
use crate::cli::amount::brief;
use crate::cli::gather::{Count, GatheredSession};
use crate::cli::table::{TableLayout, TextTable};
use crate::cli::title::title;
use crate::model::prices::Prices;
use crate::model::usage::UsageByMessage;
use crate::model::when::Period;
use crate::model::{Capture, Timestamp};
use crate::store::{Environment, StateDir, clock};
use crate::view::stats::WallClock;
use crate::view::stats::groups::{GroupBy, GroupKey, GroupSums, GroupView, GroupedSession, Groups};
use crate::view::tables::csv_cell;
use crate::view::timeline::text::duration;

/// The width of the longest bar, in columns.
const BAR: u64 = 12;

/// What sums are grouped by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum GroupByArg {
    /// Each day, by the local clock
    Day,
    /// Each week, from Monday
    Week,
    /// Each month
    Month,
    /// Each project
    Project,
    /// Each branch, one session on several branches included
    Branch,
    /// Each model
    Model,
    /// Each session
    Session,
    /// Each tool
    Tool,
    /// Each kind of subagent, and the main thread
    Agent,
}

impl From<GroupByArg> for GroupBy {
    fn from(by: GroupByArg) -> Self {
        match by {
            GroupByArg::Day => Self::Day,
            GroupByArg::Week => Self::Week,
            GroupByArg::Month => Self::Month,
            GroupByArg::Project => Self::Project,
            GroupByArg::Branch => Self::Branch,
            GroupByArg::Model => Self::Model,
            GroupByArg::Session => Self::Session,
            GroupByArg::Tool => Self::Tool,
            GroupByArg::Agent => Self::Agent,
        }
    }
}

/// What is counted, and how.
#[derive(Debug, Clone, Copy)]
pub(super) struct GroupRequest<'a> {
    pub(super) env: &'a Environment,
    pub(super) state: &'a StateDir,
    pub(super) by: GroupBy,
    pub(super) period: Period,
    pub(super) prices: &'a Prices,
    pub(super) capture: Capture,
    /// True if a single session was requested. Only then is a missing transcript worth a search in
    /// the folders of all projects.
    pub(super) is_one: bool,
}

/// The sums that one worker thread of `stats` computes.
pub(super) struct GroupCounter<'a> {
    request: GroupRequest<'a>,
    clock: WallClock<fn(Timestamp) -> NaiveDateTime>,
    groups: Groups,
}

impl<'a> GroupCounter<'a> {
    pub(super) fn new(request: GroupRequest<'a>) -> Self {
        Self {
            request,
            clock: WallClock::new(clock::to_civil),
            groups: Groups::default(),
        }
    }
}

impl Count for GroupCounter<'_> {
    fn session(&mut self, session: &GatheredSession<'_>) -> Result<(), String> {
        let request = self.request;
        let used = messages(request.env, request.is_one, session);
        let titled = || title(request.env, request.state, session.record, request.capture);
        let title = (request.by == GroupBy::Session).then(titled).flatten();
        let nothing = UsageByMessage::default();
        let grouped = GroupedSession {
            record: session.record,
            title: title.map(|title| title.text),
            activity: &session.activity,
            usage: used.as_ref().unwrap_or(&nothing),
        };
        let GroupRequest {
            by, period, prices, ..
        } = request;
        self.groups.add(by, &grouped, prices, period, &self.clock);
        used.map(drop)
    }

    fn add(&mut self, other: Self) {
        self.groups += other.groups;
    }
}

/// The sums as they are printed.
pub(super) struct GroupReport {
    by: GroupBy,
    groups: Vec<(GroupKey, GroupSums)>,
    total: GroupSums,
}

/// The sums as JSON.
#[derive(Serialize)]
struct GroupOutput {
    v: u64,
    by: &'static str,
    groups: Vec<GroupView>,
    total: TotalView,
}

/// The sum over all groups.
#[derive(Serialize)]
struct TotalView {
    sessions: u64,
    prompts: u64,
    calls: u64,
    failed: u64,
    messages: u64,
    input: u64,
    output: u64,
    cache_read: u64,
    cache_creation: u64,
    cost_usd: Option<f64>,
    estimated_cost_usd: Option<f64>,
}

impl GroupReport {
    pub(super) fn new(by: GroupBy, counter: GroupCounter<'_>) -> Self {
        let (groups, total) = counter.groups.in_order(by);
        Self { by, groups, total }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    fn views(&self) -> Vec<GroupView> {
        let groups = self.groups.iter();
        groups
            .map(|(key, sums)| GroupView::from((key.clone(), sums)))
            .collect()
    }

    pub(super) fn as_json(&self) -> impl Serialize {
        let total = &self.total;
        GroupOutput {
            v: 1,
            by: self.by.as_str(),
            groups: self.views(),
            total: TotalView {
                sessions: total.sessions,
                prompts: total.prompts,
                calls: total.calls,
                failed: total.failed,
                messages: total.used.messages,
                input: total.used.input,
                output: total.used.output,
                cache_read: total.used.cache_read,
                cache_creation: total.used.cache_creation,
                cost_usd: total.stated_usd,
                estimated_cost_usd: total.estimated_usd,
            },
        }
    }

    /// Returns a line of comma-separated values for each group.
    pub(super) fn as_csv(&self) -> String {
        let mut text = format!(
            "{},project,session_id,sessions,prompts,calls,failed,permission_ms,work_ms,calls_ms,messages,\
             input,output,cache_read,cache_creation,cost_usd,estimated_cost_usd\n",
            self.by.as_str()
        );
        for view in self.views() {
            let id = view.key.session_id.as_ref();
            let known = |cost: Option<f64>| cost.map_or_else(String::new, |cost| cost.to_string());
            let cells = [
                csv_cell(&view.key.name),
                csv_cell(view.key.project.as_deref().unwrap_or_default()),
                id.map_or_else(String::new, ToString::to_string),
                view.sessions.to_string(),
                view.prompts.to_string(),
                view.calls.to_string(),
                view.failed.to_string(),
                view.permission_ms.to_string(),
                view.work_ms.to_string(),
                view.calls_ms.to_string(),
                view.messages.to_string(),
                view.input.to_string(),
                view.output.to_string(),
                view.cache_read.to_string(),
                view.cache_creation.to_string(),
                known(view.cost_usd),
                known(view.estimated_cost_usd),
            ];
            text += &cells.join(",");
            text.push('\n');
        }
        text
    }

    pub(super) fn as_text(&self, layout: TableLayout) -> String {
        let name = self.by.as_str().to_uppercase();
        let mut table = TextTable::new(&[
            &name,
            "PROJECT",
            "SESSION",
            "SESSIONS",
            "PROMPTS",
            "CALLS",
            "FAILED",
            "PERMISSION",
            "WORK",
            "IN CALLS",
            "INPUT",
            "OUTPUT",
            "CACHE READ",
            "CACHE NEW",
            "COST",
            "",
        ]);
        let most = self.groups.iter().map(|(_, sums)| self.weight(sums)).max();
        for (key, sums) in &self.groups {
            let bar = layout.bar(self.weight(sums), most.unwrap_or_default(), BAR);
            table.row(self.row(key, sums, bar));
        }
        if self.groups.len() > 1 {
            let key = GroupKey {
                name: "all".to_owned(),
                project: None,
                root: None,
                session_id: None,
            };
            // A blank keeps the table from showing `-`, its sign for a missing value.
            table.row(self.row(&key, &self.sum_of_columns(), " ".to_owned()));
        }
        if self.by == GroupBy::Session {
            table.drop_column("SESSIONS");
        }
        table.drop_empty(&[
            "PROJECT",
            "SESSION",
            "PROMPTS",
            "FAILED",
            "PERMISSION",
            "WORK",
            "INPUT",
            "OUTPUT",
            "CACHE READ",
            "CACHE NEW",
            "COST",
            "",
        ]);
        layout.fit(&mut table, &name);
        let mut text = table.to_string();
        if self
            .groups
            .iter()
            .any(|(_, sums)| sums.estimated_usd.is_some())
        {
            text += "~ is an estimate by your price table\n";
        }
        let has_cost = self
            .groups
            .iter()
            .any(|(_, sums)| sums.stated_usd.is_some());
        if let Some(stated) = self.total.stated_usd.filter(|_| !has_cost) {
            text += &format!("cost, as Claude Code states it for whole sessions: ${stated:.2}\n");
        }
        text
    }

    /// Returns the sums for the last row. A session in several rows counts once.
    fn sum_of_columns(&self) -> GroupSums {
        let mut sum = GroupSums::default();
        for (_, sums) in &self.groups {
            sum += sums.clone();
        }
        sum.sessions = self.total.sessions;
        sum
    }

    /// Returns the number that the bar of a group shows: its tokens, or its calls if no tokens are
    /// known.
    fn weight(&self, sums: &GroupSums) -> u64 {
        match self.total.tokens() {
            0 => sums.calls,
            _ if self.by == GroupBy::Tool => sums.calls,
            _ => sums.tokens(),
        }
    }

    fn row(&self, key: &GroupKey, sums: &GroupSums, bar: String) -> [String; 16] {
        let count = |number: u64| match number {
            0 => String::new(),
            number => brief(number),
        };
        let took = |time: Duration| match time.is_zero() {
            true => String::new(),
            false => duration(time),
        };
        let id = key.session_id.as_ref();
        let used = &sums.used;
        [
            key.name.clone(),
            key.project.clone().unwrap_or_default(),
            id.map_or_else(String::new, |id| id.as_str().chars().take(8).collect()),
            brief(sums.sessions),
            count(sums.prompts),
            count(sums.calls),
            count(sums.failed),
            took(sums.permission),
            took(sums.work),
            took(sums.in_calls),
            count(used.input),
            count(used.output),
            count(used.cache_read),
            count(used.cache_creation),
            cost(sums),
            bar,
        ]
    }
}

/// Formats the cost of a group, with `~` before it if any of it is an estimate.
fn cost(sums: &GroupSums) -> String {
    match (sums.stated_usd, sums.estimated_usd) {
        (None, None) => String::new(),
        (Some(stated), None) => format!("${stated:.2}"),
        (stated, Some(estimated)) => format!("~${:.2}", stated.unwrap_or_default() + estimated),
    }
}
