//! A session in order: turns as headings, below each its calls, and below the call that started a subagent what that
//! subagent did.

pub mod text;

use std::collections::HashMap;

use crate::model::activity::{Agent, Compaction, Prompt, Segment};
use crate::model::call::{Moment, State};
use crate::model::{Activity, Call, Timestamp};

/// How deep subagents are followed. The client allows far less; a longer chain can only come from a damaged journal.
const MAX_DEPTH: usize = 32;

/// One row of a timeline, or a heading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry<'s, 'a> {
    /// What came before the first prompt.
    Opening,
    /// A prompt, and the turn that followed it.
    Turn {
        /// Its number among the person's prompts; none for a notification.
        number: Option<usize>,
        /// The prompt.
        prompt: &'s Prompt<'a>,
    },
    /// A client took up the session again.
    Segment(&'s Segment<'a>),
    /// The context was compacted.
    Compaction(&'s Compaction<'a>),
    /// A subagent of which no call is known that started it.
    Agent(&'s Agent<'a>),
    /// A call, so many subagents deep.
    Call(usize, &'s Call<'a>),
}

/// Which calls are shown.
#[derive(Debug, Default)]
pub struct Filter {
    /// Those that began then or later.
    pub since: Option<Timestamp>,
    /// Those of one of these tools, in any case of letters; none means all.
    pub tools: Vec<String>,
    /// Those that failed, were denied or never came back.
    pub failed: bool,
    /// Those of the subagents whose id begins so, or whose type this is; `main` for the main thread.
    pub agent: Option<String>,
}

impl Filter {
    /// Whether everything is shown.
    pub fn is_open(&self) -> bool {
        self.since.is_none() && self.tools.is_empty() && !self.failed && self.agent.is_none()
    }

    /// Whether this call of `activity` is shown.
    pub fn shows(&self, activity: &Activity<'_>, call: &Call<'_>) -> bool {
        let is_late = self.since.is_none_or(|since| call.began.ts >= since);
        let tool = call.tool.unwrap_or_default();
        let is_tool = self.tools.is_empty()
            || self
                .tools
                .iter()
                .any(|wanted| wanted.eq_ignore_ascii_case(tool));
        let has_failed = matches!(call.state, State::Failed | State::Denied | State::Abandoned);
        let is_agents = self
            .agent
            .as_deref()
            .is_none_or(|wanted| is_of_agent(activity, call, wanted));
        is_late && is_tool && (!self.failed || has_failed) && is_agents
    }
}

fn is_of_agent(activity: &Activity<'_>, call: &Call<'_>, wanted: &str) -> bool {
    let Some(id) = call.agent_id else {
        return wanted == "main";
    };
    let is_type = |agent: &Agent<'_>| agent.agent_id == id && agent.agent_type == Some(wanted);
    id.starts_with(wanted) || activity.agents.iter().any(is_type)
}

/// The rows of a session, those calls left out that `filter` does not show, and headings that nothing is left below.
pub fn entries<'s, 'a>(activity: &'s Activity<'a>, filter: &Filter) -> Vec<Entry<'s, 'a>> {
    let mut turns: Vec<Turn<'s, 'a>> = vec![Turn {
        heading: Entry::Opening,
        rows: Vec::new(),
    }];
    let mut number = 0;
    for prompt in &activity.prompts {
        number += usize::from(prompt.notifies.is_none());
        let heading = Entry::Turn {
            number: prompt.notifies.is_none().then_some(number),
            prompt,
        };
        turns.push(Turn {
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
    for agent in activity.agents.iter().filter(|agent| agent.call.is_none()) {
        put(by_time(agent.began), agent.began, Row::Agent(agent));
    }
    for compaction in &activity.compactions {
        let row = Row::Event(Entry::Compaction(compaction));
        put(by_time(compaction.began), compaction.began, row);
    }
    for segment in activity.segments.iter().skip(1) {
        let row = Row::Event(Entry::Segment(segment));
        put(by_time(segment.began), segment.began, row);
    }
    let mut tree = Tree::of(activity, filter);
    for mut turn in turns {
        turn.rows.sort_by_key(|(at, _)| *at);
        tree.put_turn(turn);
    }
    tree.shown
}

struct Turn<'s, 'a> {
    heading: Entry<'s, 'a>,
    rows: Vec<(i64, Row<'s, 'a>)>,
}

/// What is below a heading; below a call or a subagent may be more.
enum Row<'s, 'a> {
    /// The call at this place among the calls.
    Call(usize),
    Agent(&'s Agent<'a>),
    Event(Entry<'s, 'a>),
}

/// Which subagents each call started and which calls each subagent made, and what is shown of them so far.
struct Tree<'s, 'f, 'a> {
    activity: &'s Activity<'a>,
    filter: &'f Filter,
    started: HashMap<usize, Vec<&'a str>>,
    made: HashMap<&'a str, Vec<usize>>,
    shown: Vec<Entry<'s, 'a>>,
}

impl<'s, 'f, 'a> Tree<'s, 'f, 'a> {
    fn of(activity: &'s Activity<'a>, filter: &'f Filter) -> Self {
        let mut started: HashMap<usize, Vec<&'a str>> = HashMap::new();
        for agent in &activity.agents {
            if let Some(call) = agent.call {
                started.entry(call).or_default().push(agent.agent_id);
            }
        }
        let mut made: HashMap<&'a str, Vec<usize>> = HashMap::new();
        for (place, call) in activity.calls.iter().enumerate() {
            if let Some(agent) = call.agent_id {
                made.entry(agent).or_default().push(place);
            }
        }
        Self {
            activity,
            filter,
            started,
            made,
            shown: Vec::new(),
        }
    }

    /// Adds a turn: its heading, unless nothing is left below it, and its rows.
    fn put_turn(&mut self, turn: Turn<'s, 'a>) {
        let heading = self.shown.len();
        let may_be_empty = self.filter.is_open() && turn.heading != Entry::Opening;
        self.shown.push(turn.heading);
        for (_, row) in turn.rows {
            match row {
                Row::Call(place) => self.put_call(place, 0),
                Row::Agent(agent) => {
                    self.shown.push(Entry::Agent(agent));
                    self.put_calls_of(agent.agent_id, 1);
                }
                Row::Event(entry) => self.shown.push(entry),
            }
        }
        let below = self.shown.get(heading + 1..).unwrap_or_default();
        let has_calls = below.iter().any(|entry| matches!(entry, Entry::Call(..)));
        if !may_be_empty && (below.is_empty() || !self.filter.is_open() && !has_calls) {
            self.shown.truncate(heading);
        }
    }

    fn put_call(&mut self, place: usize, depth: usize) {
        let Some(call) = self.activity.calls.get(place) else {
            return;
        };
        if self.filter.shows(self.activity, call) {
            self.shown.push(Entry::Call(depth, call));
        }
        // Each is taken out as it is shown, so that not even a damaged journal shows one twice.
        for agent in self.started.remove(&place).unwrap_or_default() {
            self.put_calls_of(agent, depth + 1);
        }
    }

    fn put_calls_of(&mut self, agent: &str, depth: usize) {
        if depth > MAX_DEPTH {
            return;
        }
        for place in self.made.remove(agent).unwrap_or_default() {
            self.put_call(place, depth);
        }
    }
}
