//! Sums of calls, times, tokens and costs, grouped by day, project, branch, model or the like.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::AddAssign;
use std::time::Duration;

use chrono::{Datelike, NaiveDateTime};
use serde::Serialize;

use super::{NO_TOOL, WallClock, millis};
use crate::model::activity::{Activity, Prompt};
use crate::model::call::CallState;
use crate::model::prices::Prices;
use crate::model::usage::{ModelUsage, UsageByMessage, UsedMessage};
use crate::model::when::Period;
use crate::model::{Call, Record, SessionId, Timestamp};

/// The group of the main thread, if sums are grouped by agent.
const MAIN: &str = "main";
/// The group of sessions or calls whose branch, model or type of subagent is unknown.
const UNKNOWN: &str = "unknown";

/// What sums are grouped by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is what its name says")]
pub enum GroupBy {
    Day,
    Week,
    Month,
    Project,
    Branch,
    Model,
    Session,
    Tool,
    Agent,
}

impl GroupBy {
    /// Returns the name of the grouping, as in `--by`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
            Self::Project => "project",
            Self::Branch => "branch",
            Self::Model => "model",
            Self::Session => "session",
            Self::Tool => "tool",
            Self::Agent => "agent",
        }
    }

    /// Returns true for days, weeks and months, which have an order in time.
    pub fn is_of_time(self) -> bool {
        matches!(self, Self::Day | Self::Week | Self::Month)
    }
}

/// Identifies a group.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct GroupKey {
    /// The day, week, month, project, branch, model, tool or type of agent; for a session, its
    /// title.
    pub name: String,
    /// The project of the branch or session, if the group is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// The root directory of the project, if the group is one: two projects may have the same name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub root: Option<String>,
    /// The session's id, if the group is a session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_id: Option<SessionId>,
}

/// The sums of one group.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct GroupSums {
    /// The number of sessions with at least one prompt, call or message in this group.
    pub sessions: u64,
    /// The number of prompts from people.
    pub prompts: u64,
    /// The number of calls.
    pub calls: u64,
    /// The number of calls that failed.
    pub failed: u64,
    /// How long calls waited for permission.
    pub permission: Duration,
    /// How long Claude Code worked: the total of its turns or, for a subagent, of its runs.
    pub work: Duration,
    /// The total duration of all calls.
    pub in_calls: Duration,
    /// The tokens.
    pub used: ModelUsage,
    /// The cost that Claude Code stated, in US dollars.
    pub stated_usd: Option<f64>,
    /// The cost of the messages whose cost is not in `stated_usd`, by the prices in the user's
    /// configuration, in US dollars.
    pub estimated_usd: Option<f64>,
}

/// A session whose prompts, calls and messages are added to groups.
#[derive(Debug)]
pub struct GroupedSession<'a> {
    /// The session's record.
    pub record: &'a Record,
    /// The session's title.
    pub title: Option<String>,
    /// The session's calls, prompts, subagents and segments.
    pub activity: &'a Activity<'a>,
    /// The tokens of each message of the session.
    pub usage: &'a UsageByMessage,
}

/// Sums by group. Several worker threads sum separately; their sums are then added.
#[derive(Debug, Default)]
pub struct Groups {
    by: BTreeMap<GroupKey, GroupSums>,
    /// The sums over everything, including what is in no group. A session counts once, even if it
    /// is in several groups.
    total: GroupSums,
}

impl Groups {
    /// Adds the prompts, calls, runs and messages of a session that began in the period to their
    /// groups.
    pub fn add<F: Fn(Timestamp) -> NaiveDateTime>(
        &mut self,
        by: GroupBy,
        session: &GroupedSession<'_>,
        prices: &Prices,
        period: Period,
        clock: &WallClock<F>,
    ) {
        let keys = Keys {
            by,
            session,
            clock,
            messages: MessagesByAgent::of(session.usage),
        };
        let is_counted = |at: Timestamp| period.has(at);
        let mut of_session = Self::default();
        let activity = session.activity;
        for prompt in activity.prompts.iter().filter(|it| is_counted(it.at.ts)) {
            of_session.add_to(keys.of_turn(prompt.at.ts), |sums| sums.add_prompt(prompt));
        }
        if by == GroupBy::Agent {
            for agent in &activity.agents {
                let runs = agent.runs.iter().filter(|run| is_counted(run.began.ts));
                for run in runs {
                    let worked = run.ended.map(|ended| run.began.until(ended));
                    let sums = of_session.sums(keys.of_agent(Some(agent.agent_id)));
                    sums.work = sums.work.saturating_add(worked.unwrap_or_default());
                }
            }
        }
        for call in activity.calls.iter().filter(|it| is_counted(it.began.ts)) {
            of_session.add_to(Some(keys.of_call(call)), |sums| sums.add_call(call));
        }
        let is_whole = period.is_all_time();
        let states_all = session.usage.cost_usd.is_some() && is_whole;
        let has_stated = matches!(by, GroupBy::Session | GroupBy::Project) && states_all;
        let messages = session.usage.messages.iter();
        for message in messages.filter(|it| period.may_have(it.at)) {
            of_session.add_to(None, |sums| {
                sums.add_message(message, (!states_all).then_some(prices));
            });
            if let Some(key) = keys.of_message(message) {
                let sums = of_session.sums(key);
                sums.add_message(message, (!has_stated).then_some(prices));
            }
        }
        if states_all {
            let stated = session.usage.cost_usd;
            of_session.add_to(None, |sums| add_some(&mut sums.stated_usd, stated));
            if has_stated && let Some(key) = keys.of_turn(session.record.started_at) {
                add_some(&mut of_session.sums(key).stated_usd, stated);
            }
        }
        // A session without prompts, calls and messages counts in the group of its start.
        let began = activity.span.map(|(first, _)| first.ts);
        if let Some(began) = began.filter(|at| of_session.total.sessions == 0 && is_counted(*at)) {
            of_session.add_to(keys.at(began), |_| {});
        }
        of_session
            .by
            .values_mut()
            .for_each(|sums| sums.sessions = 1);
        *self += of_session;
    }

    /// Applies `add` to the total and, if `key` names a group, to the sums of that group.
    fn add_to(&mut self, key: Option<GroupKey>, add: impl Fn(&mut GroupSums)) {
        self.total.sessions = 1;
        add(&mut self.total);
        if let Some(key) = key {
            add(self.sums(key));
        }
    }

    fn sums(&mut self, key: GroupKey) -> &mut GroupSums {
        self.by.entry(key).or_default()
    }

    /// Returns the groups and the total. Days, weeks and months are in the order of time. Other
    /// groups are ordered by tokens, then calls, then prompts, the most first.
    pub fn in_order(self, by: GroupBy) -> (Vec<(GroupKey, GroupSums)>, GroupSums) {
        let mut groups: Vec<(GroupKey, GroupSums)> = self.by.into_iter().collect();
        if !by.is_of_time() {
            let weight = |sums: &GroupSums| (sums.tokens(), sums.calls, sums.prompts);
            groups.sort_by_key(|(_, sums)| std::cmp::Reverse(weight(sums)));
        }
        (groups, self.total)
    }
}

impl AddAssign for Groups {
    fn add_assign(&mut self, other: Self) {
        for (key, more) in other.by {
            *self.sums(key) += more;
        }
        self.total += other.total;
    }
}

impl GroupSums {
    /// Returns the sum of all kinds of tokens.
    pub fn tokens(&self) -> u64 {
        let used = &self.used;
        [
            used.input,
            used.output,
            used.cache_read,
            used.cache_creation,
        ]
        .into_iter()
        .fold(0, u64::saturating_add)
    }

    fn add_prompt(&mut self, prompt: &Prompt<'_>) {
        self.prompts += u64::from(prompt.notifies.is_none());
        let worked = prompt.ended.map(|ended| prompt.at.until(ended));
        self.work = self.work.saturating_add(worked.unwrap_or_default());
    }

    /// Adds the tokens of a message and, if `prices` are given, its cost: the stated one, or else
    /// an estimate by these prices.
    fn add_message(&mut self, message: &UsedMessage, prices: Option<&Prices>) {
        self.used.add(&message.used);
        let Some(prices) = prices else {
            return;
        };
        match message.cost_usd {
            Some(cost) => add_some(&mut self.stated_usd, Some(cost)),
            None => add_some(&mut self.estimated_usd, prices.cost(&message.used)),
        }
    }

    fn add_call(&mut self, call: &Call<'_>) {
        self.calls += 1;
        self.failed += u64::from(call.state == CallState::Failed);
        let permission = call.permission().unwrap_or_default();
        self.permission = self.permission.saturating_add(permission);
        let took = call.duration().unwrap_or_default();
        self.in_calls = self.in_calls.saturating_add(took);
    }
}

impl AddAssign for GroupSums {
    fn add_assign(&mut self, other: Self) {
        self.sessions += other.sessions;
        self.prompts += other.prompts;
        self.calls += other.calls;
        self.failed += other.failed;
        self.permission = self.permission.saturating_add(other.permission);
        self.work = self.work.saturating_add(other.work);
        self.in_calls = self.in_calls.saturating_add(other.in_calls);
        self.used.add(&other.used);
        add_some(&mut self.stated_usd, other.stated_usd);
        add_some(&mut self.estimated_usd, other.estimated_usd);
    }
}

fn add_some(sum: &mut Option<f64>, more: Option<f64>) {
    if let Some(more) = more {
        *sum.get_or_insert(0.0) += more;
    }
}

/// Finds the group of each prompt, call and message of a session.
struct Keys<'a, F> {
    by: GroupBy,
    session: &'a GroupedSession<'a>,
    clock: &'a WallClock<F>,
    messages: MessagesByAgent<'a>,
}

impl<F: Fn(Timestamp) -> NaiveDateTime> Keys<'_, F> {
    /// Returns the group of anything that the session did at `at`. Returns `None` if the grouping
    /// is by model, tool or agent, which depend on more than the time.
    fn at(&self, at: Timestamp) -> Option<GroupKey> {
        let record = self.session.record;
        let project = || Some(record.project.name.clone());
        Some(match self.by {
            GroupBy::Day => named(&self.clock.day(at).to_string()),
            GroupBy::Week => {
                let week = self.clock.day(at).iso_week();
                named(&format!("{}-W{:02}", week.year(), week.week()))
            }
            GroupBy::Month => named(&self.clock.day(at).format("%Y-%m").to_string()),
            GroupBy::Project => GroupKey {
                root: Some(record.project.root.clone()),
                ..named(&record.project.name)
            },
            GroupBy::Branch => GroupKey {
                project: project(),
                ..named(&self.branch(at))
            },
            GroupBy::Session => GroupKey {
                name: self.session.title.clone().unwrap_or_default(),
                project: project(),
                session_id: Some(record.session_id.clone()),
                root: None,
            },
            GroupBy::Model | GroupBy::Tool | GroupBy::Agent => return None,
        })
    }

    /// Returns the branch that was checked out at `at`: that of the last prompt before `at` that
    /// has one, else of the first later prompt, else of the session's start.
    fn branch(&self, at: Timestamp) -> String {
        let head = self.session.record.head.as_ref();
        let activity = self.session.activity;
        activity
            .branch_at(at)
            .or_else(|| head.and_then(|head| head.branch.as_deref()))
            .unwrap_or(UNKNOWN)
            .to_owned()
    }

    fn of_turn(&self, at: Timestamp) -> Option<GroupKey> {
        match self.by {
            GroupBy::Agent => Some(self.of_agent(None)),
            _ => self.at(at),
        }
    }

    fn of_agent(&self, agent: Option<&str>) -> GroupKey {
        let agents = &self.session.activity.agents;
        let kind = |id: &str| {
            let agent = agents.iter().find(|agent| agent.agent_id == id);
            agent.and_then(|agent| agent.agent_type).unwrap_or(UNKNOWN)
        };
        named(agent.map_or(MAIN, kind))
    }

    fn of_call(&self, call: &Call<'_>) -> GroupKey {
        match self.by {
            GroupBy::Tool => named(call.tool.unwrap_or(NO_TOOL)),
            GroupBy::Agent => self.of_agent(call.agent_id),
            GroupBy::Model => named(self.messages.model_of(call)),
            _ => self.at(call.began.ts).unwrap_or_else(|| named(UNKNOWN)),
        }
    }

    /// Returns the group of a message; `None` if sums are grouped by tool, because tokens belong to
    /// no tool.
    fn of_message(&self, message: &UsedMessage) -> Option<GroupKey> {
        match self.by {
            GroupBy::Tool => None,
            GroupBy::Agent => Some(self.of_agent(message.used.agent_id.as_deref())),
            GroupBy::Model => Some(named(&message.used.model)),
            _ => self.at(message.at.unwrap_or(self.session.record.started_at)),
        }
    }
}

fn named(name: &str) -> GroupKey {
    GroupKey {
        name: name.to_owned(),
        project: None,
        root: None,
        session_id: None,
    }
}

/// The times and models of each agent's messages, the earliest first.
struct MessagesByAgent<'a> {
    by: BTreeMap<Option<&'a str>, Vec<(Timestamp, &'a str)>>,
    models: BTreeSet<&'a str>,
}

impl<'a> MessagesByAgent<'a> {
    fn of(usage: &'a UsageByMessage) -> Self {
        let mut all = Self {
            by: BTreeMap::new(),
            models: BTreeSet::new(),
        };
        for UsedMessage { at, used, .. } in &usage.messages {
            all.models.insert(&used.model);
            if let Some(at) = at {
                let agent = used.agent_id.as_deref();
                all.by.entry(agent).or_default().push((*at, &used.model));
            }
        }
        all
    }

    /// Returns the model that made a call: the model of the agent's last message that began before
    /// the call, because that message contains the call.
    fn model_of(&self, call: &Call<'_>) -> &str {
        let messages = self.by.get(&call.agent_id).map(Vec::as_slice);
        let messages = messages.unwrap_or_default();
        let before = messages.partition_point(|(at, _)| *at <= call.began.ts);
        let nearest = messages.get(before.saturating_sub(1));
        let only = || self.models.first().filter(|_| self.models.len() == 1);
        let model = nearest.map(|(_, model)| *model);
        model.or_else(|| only().copied()).unwrap_or(UNKNOWN)
    }
}

/// A group as `stats --json` prints it.
#[derive(Debug, Serialize)]
#[allow(missing_docs, reason = "docs/json.md describes the fields")]
pub struct GroupView {
    #[serde(flatten)]
    pub key: GroupKey,
    pub sessions: u64,
    pub prompts: u64,
    pub calls: u64,
    pub failed: u64,
    pub permission_ms: u64,
    pub work_ms: u64,
    pub calls_ms: u64,
    pub messages: u64,
    pub input: u64,
    pub output: u64,
    pub cache_read: u64,
    pub cache_creation: u64,
    pub cost_usd: Option<f64>,
    pub estimated_cost_usd: Option<f64>,
}

impl From<(GroupKey, &GroupSums)> for GroupView {
    fn from((key, sums): (GroupKey, &GroupSums)) -> Self {
        let used = &sums.used;
        Self {
            key,
            sessions: sums.sessions,
            prompts: sums.prompts,
            calls: sums.calls,
            failed: sums.failed,
            permission_ms: millis(sums.permission),
            work_ms: millis(sums.work),
            calls_ms: millis(sums.in_calls),
            messages: used.messages,
            input: used.input,
            output: used.output,
            cache_read: used.cache_read,
            cache_creation: used.cache_creation,
            cost_usd: sums.stated_usd,
            estimated_cost_usd: sums.estimated_usd,
        }
    }
}
