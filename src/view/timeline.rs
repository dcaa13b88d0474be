//! Arranges what a session did as rows for display: each turn is a heading with its calls below,
//! and the calls of a subagent are below the call that started the subagent.

mod absent;
pub mod text;

use std::collections::{HashMap, HashSet};
use std::num::NonZeroUsize;
use std::time::Duration;

use crate::model::activity::{Agent, AgentRun, Compaction, Prompt, Segment};
use crate::model::call::{CallState, Moment};
use crate::model::when::Period;
use crate::model::{Activity, Call};

/// How many levels of nested subagents are indented. Claude Code allows far fewer; more can come
/// only from a damaged journal.
const MAX_DEPTH: usize = 32;

/// A row or a heading of a timeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TimelineEntry<'s, 'a> {
    /// The heading above everything that happened before the first prompt.
    Opening,
    /// The heading of a turn: the prompt that began it.
    Turn {
        /// The prompt's number among those that a person wrote, from 1; `None` for a notification.
        number: Option<usize>,
        /// The prompt that began the turn.
        prompt: &'s Prompt<'a>,
    },
    /// Another process of Claude Code continued the session.
    Segment(&'s Segment<'a>),
    /// The context was compacted.
    Compaction(&'s Compaction<'a>),
    /// A run of a subagent that no known call started.
    Agent(&'s Agent<'a>, &'s AgentRun),
    /// A call and its indentation: how many subagents lie between the call and the main thread.
    Call(usize, &'s Call<'a>),
}

/// Selects the calls that a timeline shows.
#[derive(Debug, Default)]
pub struct CallFilter {
    /// Shows only calls that began in this period.
    pub period: Period,
    /// Shows only calls of these tools, whose names are compared without case; empty means all
    /// tools.
    pub tools: Vec<String>,
    /// Shows only calls that failed, were denied, or have no result although they no longer run.
    pub failed: bool,
    /// Shows only calls of these subagents: a prefix of their ids, or their type. `main` means the
    /// main thread.
    pub agent: Option<String>,
    /// Shows only calls that took at least this long.
    pub at_least: Option<Duration>,
}

impl CallFilter {
    /// Returns true if the filter hides nothing.
    pub fn is_open(&self) -> bool {
        self.period.is_all_time() && self.shows_all_calls()
    }

    /// Returns true if the filter selects all failed calls of the session and has no other
    /// condition.
    pub fn shows_all_failures(&self) -> bool {
        let others = Self {
            failed: false,
            tools: self.tools.clone(),
            agent: self.agent.clone(),
            ..*self
        };
        self.failed && others.is_open()
    }

    fn shows_all_calls(&self) -> bool {
        self.tools.is_empty() && !self.failed && self.agent.is_none() && self.at_least.is_none()
    }

    /// Returns a filter that shows only the `count` slowest of the calls that this filter shows,
    /// and any others of the same duration as the last of these. A call without a duration is not
    /// shown.
    #[must_use]
    pub fn slowest(self, activity: &Activity<'_>, count: NonZeroUsize) -> Self {
        let of_type = self.agents_of_type(activity);
        let shown = activity
            .calls
            .iter()
            .filter(|call| self.shows(call, &of_type));
        let mut durations: Vec<Duration> = shown.filter_map(Call::duration).collect();
        durations.sort_unstable_by(|one, other| other.cmp(one));
        let last = durations.get(count.get() - 1).or(durations.last());
        let at_least = Some(last.copied().unwrap_or(Duration::ZERO));
        Self { at_least, ..self }
    }

    /// Returns the calls that the filter shows, in the order in which they began.
    pub fn calls<'s, 'a>(
        &self,
        activity: &'s Activity<'a>,
    ) -> impl Iterator<Item = &'s Call<'a>> + use<'s, 'a, '_> {
        let of_type = self.agents_of_type(activity);
        let calls = activity.calls.iter();
        calls.filter(move |call| self.shows(call, &of_type))
    }

    /// Returns true if the filter shows entries other than calls, such as a compaction, that began
    /// at `began`, even if no call is shown with them.
    fn shows_events_of(&self, began: Moment) -> bool {
        self.period.has(began.ts) && self.shows_all_calls()
    }

    /// Returns the ids of the subagents whose type is the one in the filter.
    fn agents_of_type<'a>(&self, activity: &Activity<'a>) -> HashSet<&'a str> {
        let is_wanted =
            |agent: &&Agent<'a>| self.agent.is_some() && agent.agent_type == self.agent.as_deref();
        let of_type = activity.agents.iter().filter(is_wanted);
        of_type.map(|agent| agent.agent_id).collect()
    }

    /// Returns true if the filter shows this call. `of_type` has the ids of the subagents whose
    /// type is the one in the filter.
    fn shows(&self, call: &Call<'_>, of_type: &HashSet<&str>) -> bool {
        let is_in_time = self.period.has(call.began.ts);
        let tool = call.tool.unwrap_or_default();
        let is_tool = self.tools.is_empty()
            || self
                .tools
                .iter()
                .any(|wanted| wanted.eq_ignore_ascii_case(tool));
        let has_failed = matches!(
            call.state,
            CallState::Failed | CallState::Denied | CallState::Abandoned
        );
        let is_agents = self
            .agent
            .as_deref()
            .is_none_or(|wanted| is_of_agent(call, wanted, of_type));
        let is_slow = self
            .at_least
            .is_none_or(|least| call.duration().is_some_and(|took| took >= least));
        is_in_time && is_tool && (!self.failed || has_failed) && is_agents && is_slow
    }
}

fn is_of_agent(call: &Call<'_>, wanted: &str, of_type: &HashSet<&str>) -> bool {
    match call.agent_id {
        Some(id) => id.starts_with(wanted) || of_type.contains(id),
        None => wanted == "main",
    }
}

/// Returns the rows and headings of a session, without the calls that `filter` hides, and without
/// the headings below which nothing is left.
pub fn entries<'s, 'a>(
    activity: &'s Activity<'a>,
    filter: &CallFilter,
) -> Vec<TimelineEntry<'s, 'a>> {
    let mut turns: Vec<TurnRows<'s, 'a>> = vec![TurnRows {
        heading: TimelineEntry::Opening,
        rows: Vec::new(),
    }];
    let mut number = 0;
    for prompt in &activity.prompts {
        number += usize::from(prompt.notifies.is_none());
        let heading = TimelineEntry::Turn {
            number: prompt.notifies.is_none().then_some(number),
            prompt,
        };
        turns.push(TurnRows {
            heading,
            rows: Vec::new(),
        });
    }
    let by_id: HashMap<&str, usize> = activity
        .prompts
        .iter()
        .enumerate()
        .filter_map(|(place, prompt)| Some((prompt.prompt_id?, place + 1)))
        .collect();
    let by_time = |at: Moment| {
        activity
            .prompts
            .partition_point(|prompt| prompt.at.at <= at.at)
    };
    let mut put = |turn: usize, at: Moment, row: Row<'s, 'a>| {
        if let Some(turn) = turns.get_mut(turn) {
            turn.rows.push((at.at, row));
        }
    };
    for (place, call) in activity.calls.iter().enumerate() {
        if call.agent_id.is_none() {
            let turn = call.prompt_id.and_then(|id| by_id.get(id).copied());
            let turn = turn.unwrap_or_else(|| by_time(call.began));
            put(turn, call.began, Row::Call(place));
        }
    }
    let mut tree = CallTree::of(activity, filter);
    for place in tree.unreachable() {
        if let Some((_, run)) = tree.runs.get(place) {
            put(by_time(run.began), run.began, Row::Run(place));
        }
    }
    let is_shown = |began: Moment| filter.shows_events_of(began);
    let compactions = activity.compactions.iter();
    for compaction in compactions.filter(|it| is_shown(it.began)) {
        let row = Row::Event(TimelineEntry::Compaction(compaction));
        put(by_time(compaction.began), compaction.began, row);
    }
    let segments = activity.segments.iter().skip(1);
    for segment in segments.filter(|it| is_shown(it.began)) {
        let row = Row::Event(TimelineEntry::Segment(segment));
        put(by_time(segment.began), segment.began, row);
    }
    for mut turn in turns {
        turn.rows.sort_by_key(|(at, _)| *at);
        tree.put_turn(turn);
    }
    tree.shown
}

struct TurnRows<'s, 'a> {
    heading: TimelineEntry<'s, 'a>,
    rows: Vec<(i64, Row<'s, 'a>)>,
}

/// A row directly below a heading. A call or a run brings more rows: those of the subagents below
/// it.
enum Row<'s, 'a> {
    /// A call, by its index among the session's calls.
    Call(usize),
    /// A run of a subagent, by its index among the runs of all subagents.
    Run(usize),
    Event(TimelineEntry<'s, 'a>),
}

/// The calls and the runs of subagents as a tree: a call has the runs that it started, a run has
/// its calls. Collects the entries to show in the order of the tree.
struct CallTree<'s, 'f, 'a> {
    activity: &'s Activity<'a>,
    filter: &'f CallFilter,
    /// The ids of the subagents whose type is the one in the filter.
    of_type: HashSet<&'a str>,
    runs: Vec<(&'s Agent<'a>, &'s AgentRun)>,
    /// The indices of the runs that a call started, by the call's index.
    started: HashMap<usize, Vec<usize>>,
    /// The indices of the calls of each run. A run's list is emptied when its calls are shown, so
    /// that no call is shown twice.
    made: Vec<Vec<usize>>,
    shown: Vec<TimelineEntry<'s, 'a>>,
}

impl<'s, 'f, 'a> CallTree<'s, 'f, 'a> {
    fn of(activity: &'s Activity<'a>, filter: &'f CallFilter) -> Self {
        let mut runs = Vec::new();
        let mut started: HashMap<usize, Vec<usize>> = HashMap::new();
        let mut agents: HashMap<&str, (&Agent<'a>, usize)> = HashMap::new();
        for agent in &activity.agents {
            agents.insert(agent.agent_id, (agent, runs.len()));
            for run in &agent.runs {
                if let Some(call) = run.call {
                    started.entry(call).or_default().push(runs.len());
                }
                runs.push((agent, run));
            }
        }
        let mut made = vec![Vec::new(); runs.len()];
        for (place, call) in activity.calls.iter().enumerate() {
            let agent = call.agent_id.and_then(|id| agents.get(id));
            let run = agent.map(|(agent, first)| first + agent.run_at(call.began));
            if let Some(made) = run.and_then(|run| made.get_mut(run)) {
                made.push(place);
            }
        }
        Self {
            activity,
            filter,
            of_type: filter.agents_of_type(activity),
            runs,
            started,
            made,
            shown: Vec::new(),
        }
    }

    /// Returns the runs that are not below any call of the main thread, and so need a place of
    /// their own: every run that no known call started, and the earliest run of each cycle of runs
    /// that started one another.
    fn unreachable(&self) -> Vec<usize> {
        let mut is_reached = vec![false; self.runs.len()];
        let calls = self.activity.calls.iter().enumerate();
        let of_main = calls.filter(|(_, call)| call.agent_id.is_none());
        self.reach(&mut is_reached, of_main.map(|(place, _)| place).collect());
        let by_call = |place: &usize| {
            let run = self.runs.get(*place);
            run.map(|(_, run)| (run.call.is_some(), run.began.at))
        };
        let mut runs: Vec<usize> = (0..self.runs.len()).collect();
        runs.sort_by_key(by_call);
        runs.retain(|run| {
            let is_below = is_reached.get(*run) != Some(&false);
            if !is_below {
                let made = self.made.get(*run).cloned();
                self.reach(&mut is_reached, made.unwrap_or_default());
            }
            !is_below
        });
        runs
    }

    /// Sets `is_reached` of all runs below these calls.
    fn reach(&self, is_reached: &mut [bool], mut calls: Vec<usize>) {
        while let Some(call) = calls.pop() {
            for run in self.started.get(&call).into_iter().flatten() {
                if let Some(is_reached) = is_reached.get_mut(*run)
                    && !std::mem::replace(is_reached, true)
                {
                    calls.extend(self.made.get(*run).into_iter().flatten());
                }
            }
        }
    }

    /// Adds a turn: its heading and the rows below it. Drops the heading if the filter hides all
    /// its rows.
    fn put_turn(&mut self, turn: TurnRows<'s, 'a>) {
        let heading = self.shown.len();
        let may_be_empty = self.filter.is_open() && turn.heading != TimelineEntry::Opening;
        self.shown.push(turn.heading);
        for (_, row) in turn.rows {
            match row {
                Row::Call(place) => self.put_calls(vec![(place, 0)]),
                Row::Run(place) => self.put_run(place),
                Row::Event(entry) => self.shown.push(entry),
            }
        }
        if !may_be_empty && self.shown.len() == heading + 1 {
            self.shown.truncate(heading);
        }
    }

    /// Adds a run that no known call started, with its calls, unless the filter hides all of them.
    fn put_run(&mut self, place: usize) {
        let Some((agent, run)) = self.runs.get(place).copied() else {
            return;
        };
        let row = self.shown.len();
        self.shown.push(TimelineEntry::Agent(agent, run));
        let calls = self.made.get_mut(place).map(std::mem::take);
        let calls = calls.unwrap_or_default().into_iter().rev();
        self.put_calls(calls.map(|call| (call, 1)).collect());
        if self.shown.len() == row + 1 && !self.filter.shows_events_of(run.began) {
            self.shown.truncate(row);
        }
    }

    /// Adds calls, and below each call those of the subagents that it started. `calls` is a stack
    /// of calls with their indentation: the last one is added first.
    fn put_calls(&mut self, mut calls: Vec<(usize, usize)>) {
        while let Some((place, depth)) = calls.pop() {
            let Some(call) = self.activity.calls.get(place) else {
                continue;
            };
            if self.filter.shows(call, &self.of_type) {
                self.shown
                    .push(TimelineEntry::Call(depth.min(MAX_DEPTH), call));
            }
            for run in self
                .started
                .remove(&place)
                .unwrap_or_default()
                .into_iter()
                .rev()
            {
                let made = self.made.get_mut(run).map(std::mem::take);
                let made = made.unwrap_or_default().into_iter().rev();
                calls.extend(made.map(|call| (call, depth + 1)));
            }
        }
    }
}
