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
            has_unique_id(id) || is_of(call, thread.agent_id()) && is_running
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
        if let (Some(at), Some(spawning)) = (
            event.ts,
            self.spawning.iter_mut().rev().find(|call| call.id == id),
        ) {
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
        agents: &[(String, FirstPrompt, Option<u64>)],
        mut taken: HashSet<String>,
    ) -> HashMap<String, String> {
        let mut found: HashMap<String, String> = HashMap::new();
        for is_open_asked in [true, false] {
            let linked: HashSet<String> = found.values().cloned().collect();
            let left = agents.iter().filter(|(id, ..)| !linked.contains(id));
            let candidates: Vec<(&str, Option<u64>, Vec<&SpawningCall>)> = left
                .map(|(id, asked, said)| {
                    let calls = self.spawning.iter().filter(|call| {
                        !taken.contains(&call.id)
                            && call.could_have(id, asked)
                            && (!is_open_asked || call.is_open_at(asked.at))
                    });
                    (id.as_str(), *said, calls.collect())
                })
                .collect();
            let mut claims: HashMap<&str, usize> = HashMap::new();
            for call in candidates.iter().flat_map(|(_, _, calls)| calls) {
                *claims.entry(&call.id).or_default() += 1;
            }
            for (id, said, calls) in &candidates {
                let only = match calls.as_slice() {
                    [only] if claims.get(only.id.as_str()) == Some(&1) => Some(*only),
                    several => only_answer(several, *said),
                };
                if let Some(call) = only.filter(|call| taken.insert(call.id.clone())) {
                    found.insert(call.id.clone(), (*id).to_owned());
                }
            }
        }
        found
    }
}

impl SpawningCall {
    /// Returns whether this call may have started the subagent: it has the same prompt, and another
    /// thread made it.
    fn could_have(&self, agent: &str, asked: &FirstPrompt) -> bool {
        asked.texts.contains(&self.prompt) && self.agent.as_deref() != Some(agent)
    }

    fn is_open_at(&self, at: Timestamp) -> bool {
        self.at <= at && self.ended.is_none_or(|(ended, _)| at <= ended)
    }
}

/// Returns the call whose result is the subagent's last message, or `None` if there is none or
/// several.
fn only_answer<'a>(calls: &[&'a SpawningCall], said: Option<u64>) -> Option<&'a SpawningCall> {
    let is_answer =
        |call: &&&SpawningCall| said.is_some() && call.ended.is_some_and(|(_, text)| text == said);
    let mut answers = calls.iter().filter(is_answer);
    let first = answers.next()?;
    answers.next().is_none().then_some(*first)
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
