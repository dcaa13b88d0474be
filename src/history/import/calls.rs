//! Matches the calls of a session with their results by id, in whatever order the lines are read. A
//! fast tool's result may be read before its call, or be in the file of another thread.

use std::collections::{HashMap, HashSet};

use super::thread::{FirstPrompt, Thread, ThreadAgent};
use crate::model::call::has_unique_id;
use crate::model::{Event, Timestamp};

/// The calls so far, and the results whose call has not come yet.
#[derive(Debug, Default)]
pub(super) struct Calls {
    known: HashMap<String, Vec<BegunCall>>,
    early: HashMap<String, Vec<Event>>,
    /// The calls that may have started a subagent.
    spawning: Vec<SpawningCall>,
    /// The index in `spawning` of the last call with each id.
    spawning_by_id: HashMap<String, usize>,
}

/// A call whose beginning was read.
#[derive(Debug)]
struct BegunCall {
    agent: Option<ThreadAgent>,
    prompt_id: Option<String>,
    tool: String,
    /// The turn of its thread, counted from zero.
    turn: usize,
    is_open: bool,
    /// True if a line says that it has no result. The result may still come.
    is_lost: bool,
}

/// A call that may have started a subagent.
#[derive(Debug)]
struct SpawningCall {
    id: String,
    agent: Option<String>,
    at: Timestamp,
    /// The hash of the prompt for the subagent.
    prompt: u64,
    /// The time of the call's result, and the hash of the result's text.
    ended: Option<(Timestamp, Option<u64>)>,
}

/// Which call a result belongs to.
#[derive(Debug)]
pub(super) enum ResultMatch {
    /// A call of the result's own thread.
    Own,
    /// A call of another thread.
    Others,
    /// A call that has not been read yet, and may be missing.
    Early,
    /// A call that already has a result: this one is a copy.
    Again,
}

impl Calls {
    /// Records that a call of `thread` begins. Returns whether it is new, rather than a copy.
    pub(super) fn begin(&mut self, id: &str, tool: &str, thread: &Thread) -> bool {
        let known = self.known.entry(id.to_owned()).or_default();
        let is_copy = |call: &BegunCall| {
            // A subagent that begins with its session's conversation repeats that conversation's
            // calls. A gateway may number the calls of each message anew: then a call has ended
            // before the next one has its id.
            let is_running = call.is_open && !call.is_lost && call.turn == thread.turn;
            has_unique_id(id) || is_running && is_of(call, thread.agent_id())
        };
        if known.iter().any(is_copy) {
            return false;
        }
        known.push(BegunCall {
            agent: thread.agent.clone(),
            prompt_id: thread.prompt_id.clone(),
            tool: tool.to_owned(),
            turn: thread.turn,
            is_open: true,
            is_lost: false,
        });
        true
    }

    /// Records that a line says of a call that it has no result. Another call may get its id then.
    pub(super) fn has_no_result(&mut self, id: &str, agent: Option<&str>) {
        let known = self.known.get_mut(id).into_iter().flatten();
        for call in known.filter(|call| is_of(call, agent)) {
            call.is_lost = true;
        }
    }

    /// Returns whether several calls have the id.
    pub(super) fn is_shared(&self, id: &str) -> bool {
        self.known.get(id).is_some_and(|calls| calls.len() > 1)
    }

    /// Returns the time of the result that came before the call `id` of this agent.
    pub(super) fn early_at(&self, id: &str, agent: Option<&str>) -> Option<Timestamp> {
        let events = self.early.get(id)?;
        let own = events
            .iter()
            .find(|event| event.agent_id.as_deref() == agent);
        own.or(events.first())?.ts
    }

    /// Records the prompt with which a call starts a subagent.
    pub(super) fn spawns(&mut self, id: &str, agent: Option<&str>, at: Timestamp, prompt: u64) {
        self.spawning_by_id
            .insert(id.to_owned(), self.spawning.len());
        self.spawning.push(SpawningCall {
            id: id.to_owned(),
            agent: agent.map(str::to_owned),
            at,
            prompt,
            ended: None,
        });
    }

    /// Records that a call ends with the result `event`, which was read in the thread of `agent`.
    /// If the call is known, completes `event` with the call's tool and agent; otherwise keeps the
    /// event until the call is read.
    pub(super) fn end(
        &mut self,
        id: &str,
        agent: Option<&str>,
        event: &mut Event,
        text: Option<u64>,
    ) -> ResultMatch {
        let spawning = self.spawning_by_id.get(id);
        let spawning = spawning.and_then(|place| self.spawning.get_mut(*place));
        if let (Some(at), Some(spawning)) = (event.ts, spawning) {
            spawning.ended.get_or_insert((at, text));
        }
        let known = self
            .known
            .get_mut(id)
            .map_or(&mut [][..], Vec::as_mut_slice);
        let own = known
            .iter()
            .rposition(|call| call.is_open && is_of(call, agent));
        let place = own.or_else(|| known.iter().rposition(|call| call.is_open));
        let Some(call) = place.and_then(|place| known.get_mut(place)) else {
            if !known.is_empty() {
                return ResultMatch::Again;
            }
            self.early
                .entry(id.to_owned())
                .or_default()
                .push(event.clone());
            return ResultMatch::Early;
        };
        call.is_open = false;
        adopt(event, call);
        if own.is_some() {
            ResultMatch::Own
        } else {
            ResultMatch::Others
        }
    }

    /// Removes and returns the result that was read before its call `id`, which has just begun.
    pub(super) fn early(&mut self, id: &str, agent: Option<&str>) -> Option<Event> {
        let events = self.early.get_mut(id)?;
        let own = events
            .iter()
            .position(|event| event.agent_id.as_deref() == agent);
        let mut event = events.remove(own.unwrap_or(0));
        if events.is_empty() {
            self.early.remove(id);
        }
        let mut known = self.known.get_mut(id)?.iter_mut();
        let call = known.find(|call| call.is_open && is_of(call, agent))?;
        call.is_open = false;
        adopt(&mut event, call);
        Some(event)
    }

    /// Returns which subagent each call started: a map from the call's id to the subagent's.
    ///
    /// A subagent's first message repeats the prompt of its call word for word. If several calls
    /// have that prompt, the one that was open when the subagent began is chosen, or the one whose
    /// result is the subagent's last message. If several remain, none is chosen, because their
    /// order proves nothing.
    pub(super) fn of_agents(
        &self,
        agents: &[SpawnedAgent],
        mut taken: HashSet<String>,
    ) -> HashMap<String, String> {
        let mut found: HashMap<String, String> = HashMap::new();
        for is_open_asked in [true, false] {
            let linked: HashSet<&String> = found.values().collect();
            let left = agents.iter().filter(|(id, ..)| !linked.contains(id));
            let left: Vec<&SpawnedAgent> = left.collect();
            let free = self
                .spawning
                .iter()
                .filter(|call| !taken.contains(&call.id));
            let index = SpawnIndex::of(free, &left, is_open_asked);
            let mut links = Vec::new();
            for (id, asked, said) in left.iter().copied() {
                let call = match index.candidates(id, asked, None).as_slice() {
                    [] => None,
                    [only] if index.claims(only) == 1 => Some(*only),
                    _ => said.and_then(|said| {
                        match index.candidates(id, asked, Some(said)).as_slice() {
                            [only] => Some(*only),
                            _ => None,
                        }
                    }),
                };
                links.extend(call.map(|call| (call.id.clone(), id.clone())));
            }
            for (call, agent) in links {
                if taken.insert(call.clone()) {
                    found.insert(call, agent);
                }
            }
        }
        found
    }
}

/// A subagent: its id, its first prompt, and the hash of its last message.
type SpawnedAgent = (String, FirstPrompt, Option<u64>);

/// Finds the calls that may have started a subagent, and the other way round. Many calls may have
/// the same prompt, so neither is a search through all of them.
struct SpawnIndex<'a> {
    is_open_asked: bool,
    /// The calls by their prompts and, in a second entry, also by their results.
    calls: HashMap<(u64, Option<u64>), OpenPeriods<'a>>,
    /// When the subagents with each first prompt began, in order.
    asked: HashMap<u64, Vec<Timestamp>>,
    /// The subagents with each first prompt, and when they began.
    agents: HashMap<(u64, &'a str), Timestamp>,
    by_id: HashMap<&'a str, Vec<&'a SpawningCall>>,
}

impl<'a> SpawnIndex<'a> {
    fn of(
        calls: impl Iterator<Item = &'a SpawningCall>,
        agents: &[&'a SpawnedAgent],
        is_open_asked: bool,
    ) -> Self {
        let mut index = Self {
            is_open_asked,
            calls: HashMap::new(),
            asked: HashMap::new(),
            agents: HashMap::new(),
            by_id: HashMap::new(),
        };
        let mut grouped: HashMap<(u64, Option<u64>), Vec<&SpawningCall>> = HashMap::new();
        for call in calls {
            index.by_id.entry(&call.id).or_default().push(call);
            grouped.entry((call.prompt, None)).or_default().push(call);
            if let Some(text) = call.ended.and_then(|(_, text)| text) {
                grouped
                    .entry((call.prompt, Some(text)))
                    .or_default()
                    .push(call);
            }
        }
        let periods = grouped.into_iter();
        index.calls = periods
            .map(|(key, calls)| (key, OpenPeriods::of(calls)))
            .collect();
        for (id, asked, _) in agents {
            for text in &asked.texts {
                if index.agents.insert((*text, id), asked.at).is_none() {
                    index.asked.entry(*text).or_default().push(asked.at);
                }
            }
        }
        index
            .asked
            .values_mut()
            .for_each(|times| times.sort_unstable());
        index
    }

    /// Returns the first two calls that may have started this subagent. With `said`, only calls
    /// whose result is this text count.
    fn candidates(
        &self,
        id: &str,
        asked: &FirstPrompt,
        said: Option<u64>,
    ) -> Vec<&'a SpawningCall> {
        let at = self.is_open_asked.then_some(asked.at);
        let mut found = Vec::new();
        for text in &asked.texts {
            if let Some(periods) = self.calls.get(&(*text, said)) {
                periods.first_two(at, id, &mut found);
            }
        }
        found
    }

    /// Returns how many subagents the call may have started.
    fn claims(&self, call: &SpawningCall) -> usize {
        let its = self.by_id.get(call.id.as_str()).into_iter().flatten();
        its.map(|call| self.claims_of(call)).sum()
    }

    fn claims_of(&self, call: &SpawningCall) -> usize {
        let times = self.asked.get(&call.prompt).map_or(&[][..], Vec::as_slice);
        let within = |at: &Timestamp| !self.is_open_asked || call.is_open_at(*at);
        let end = call.ended.map(|(ended, _)| ended);
        let count = match self.is_open_asked {
            false => times.len(),
            true => {
                let first = times.partition_point(|at| *at < call.at);
                let end = end.map_or(times.len(), |end| times.partition_point(|at| *at <= end));
                end.saturating_sub(first)
            }
        };
        // A subagent does not start itself.
        let own = call.agent.as_deref();
        let own = own.and_then(|own| self.agents.get(&(call.prompt, own)));
        count - usize::from(own.is_some_and(within))
    }
}

/// The calls with one prompt, and when each was open.
struct OpenPeriods<'a> {
    /// In the order in which they began.
    calls: Vec<&'a SpawningCall>,
    /// A binary tree with the latest end below each node: the root is at 1, the children of `n` at
    /// `2 * n` and `2 * n + 1`, and the second half has the calls. `None` has no end.
    latest: Vec<(bool, Option<Timestamp>)>,
}

impl<'a> OpenPeriods<'a> {
    fn of(mut calls: Vec<&'a SpawningCall>) -> Self {
        calls.sort_by_key(|call| call.at);
        let leaves = calls.len().next_power_of_two();
        let end = |call: &SpawningCall| match call.ended {
            Some((ended, _)) => (false, Some(ended)),
            None => (true, None),
        };
        let mut latest = vec![(false, None); leaves];
        latest.extend(calls.iter().map(|call| end(call)));
        latest.resize(2 * leaves, (false, None));
        for node in (1..leaves).rev() {
            let children = latest.get(2 * node..2 * node + 2).unwrap_or_default();
            let later = children.iter().max().copied().unwrap_or_default();
            if let Some(parent) = latest.get_mut(node) {
                *parent = later;
            }
        }
        Self { calls, latest }
    }

    /// Adds calls to `found` until it has two: those that were open at `at`, or all. Skips calls of
    /// the subagent `id` itself.
    fn first_two(&self, at: Option<Timestamp>, id: &str, found: &mut Vec<&'a SpawningCall>) {
        let begun = at.map_or(self.calls.len(), |at| {
            self.calls.partition_point(|call| call.at <= at)
        });
        self.search(1, 0, self.latest.len() / 2, begun, at, &mut |call| {
            let is_known = found.iter().any(|known| std::ptr::eq(*known, call));
            if call.agent.as_deref() != Some(id) && !is_known && found.len() < 2 {
                found.push(call);
            }
            found.len() < 2
        });
    }

    /// Passes the calls before `begun` that did not end before `at` to `each`, until that returns
    /// false. Returns whether to go on.
    fn search(
        &self,
        node: usize,
        first: usize,
        count: usize,
        begun: usize,
        at: Option<Timestamp>,
        each: &mut impl FnMut(&'a SpawningCall) -> bool,
    ) -> bool {
        let (is_endless, end) = self.latest.get(node).copied().unwrap_or_default();
        let is_over = at.is_some() && !is_endless && end < at;
        if first >= begun || is_over {
            return true;
        }
        if count == 1 {
            return self.calls.get(first).is_none_or(|call| each(call));
        }
        let half = count / 2;
        self.search(2 * node, first, half, begun, at, each)
            && self.search(2 * node + 1, first + half, half, begun, at, each)
    }
}

impl SpawningCall {
    fn is_open_at(&self, at: Timestamp) -> bool {
        self.at <= at && self.ended.is_none_or(|(ended, _)| at <= ended)
    }
}

fn is_of(call: &BegunCall, agent: Option<&str>) -> bool {
    call.agent.as_ref().map(|agent| agent.id.as_str()) == agent
}

/// Copies the tool, the agent and the prompt of a call to the event of its result.
fn adopt(event: &mut Event, call: &BegunCall) {
    event.tool = Some(call.tool.clone());
    event.agent_id = call.agent.as_ref().map(|agent| agent.id.clone());
    event.agent_type = call.agent.as_ref().and_then(|agent| agent.kind.clone());
    event.prompt_id = call.prompt_id.clone().or(event.prompt_id.take());
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000)
    }

    /// Does the same as [`Calls::of_agents`], as simply as possible.
    fn naive(
        calls: &Calls,
        agents: &[SpawnedAgent],
        mut taken: HashSet<String>,
    ) -> HashMap<String, String> {
        let mut found: HashMap<String, String> = HashMap::new();
        for is_open_asked in [true, false] {
            let linked: HashSet<String> = found.values().cloned().collect();
            let left = agents.iter().filter(|(id, ..)| !linked.contains(id));
            let candidates: Vec<_> = left
                .map(|(id, asked, said)| {
                    let calls = calls.spawning.iter().filter(|call| {
                        !taken.contains(&call.id)
                            && asked.texts.contains(&call.prompt)
                            && call.agent.as_deref() != Some(id)
                            && (!is_open_asked || call.is_open_at(asked.at))
                    });
                    (id, *said, calls.collect::<Vec<_>>())
                })
                .collect();
            let claims = |id: &str| {
                let all = candidates.iter().flat_map(|(.., calls)| calls);
                all.filter(|call| call.id == id).count()
            };
            for (id, said, calls) in &candidates {
                let answers = calls
                    .iter()
                    .filter(|call| said.is_some() && call.ended.is_some_and(|it| it.1 == *said));
                let answers: Vec<_> = answers.collect();
                let only = match (calls.as_slice(), answers.as_slice()) {
                    ([only], _) if claims(&only.id) == 1 => Some(*only),
                    (_, [only]) => Some(**only),
                    _ => None,
                };
                if let Some(call) = only.filter(|call| taken.insert(call.id.clone())) {
                    found.insert(call.id.clone(), (*id).clone());
                }
            }
        }
        found
    }

    fn calls() -> impl Strategy<Value = Calls> {
        let end = prop::option::of((0..20_i64, prop::option::of(0..3_u64)));
        let call = (
            0..12_u8,
            prop::option::of(0..4_u8),
            0..20_i64,
            0..3_u64,
            end,
        );
        prop::collection::vec(call, 0..12).prop_map(|all| {
            let mut calls = Calls::default();
            for (id, agent, began, prompt, end) in all {
                let agent = agent.map(|agent| format!("a{agent}"));
                let id = format!("t{id}");
                calls.spawns(&id, agent.as_deref(), at(began), prompt);
                if let (Some((ended, text)), Some(call)) = (end, calls.spawning.last_mut()) {
                    call.ended = Some((at(ended), text));
                }
            }
            calls
        })
    }

    fn agents() -> impl Strategy<Value = Vec<SpawnedAgent>> {
        let texts = prop::collection::vec(0..3_u64, 0..3);
        let agent = (texts, 0..20_i64, prop::option::of(0..3_u64));
        prop::collection::vec(agent, 0..8).prop_map(|all| {
            let agents = all.into_iter().enumerate();
            let agent = |(number, (texts, asked, said))| {
                let asked = FirstPrompt {
                    at: at(asked),
                    texts,
                };
                (format!("a{number}"), asked, said)
            };
            agents.map(agent).collect()
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn subagents_get_the_calls_that_a_simple_search_finds(
            calls in calls(), agents in agents(), taken in 0..12_u8
        ) {
            let taken: HashSet<String> = [format!("t{taken}")].into();
            let expected = naive(&calls, &agents, taken.clone());
            prop_assert_eq!(calls.of_agents(&agents, taken), expected);
        }
    }
}
