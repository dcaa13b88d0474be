//! Links each run of a subagent to the call that started it.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, HashMap};

use super::copies::SAME_MOMENT;
use super::parts::{Agent, AgentRun};
use crate::model::Call;

/// Links each run of a subagent to the call that started it. That is the last call before the run
/// whose result named the subagent. If there is none, it is the oldest running call that could have
/// started a subagent.
pub(super) fn agents<'a>(calls: &[Call<'a>], agents: &mut [Agent<'a>]) {
    let mut told: HashMap<&str, Vec<usize>> = HashMap::new();
    let mut could_have: Vec<usize> = Vec::new();
    for (place, call) in calls.iter().enumerate() {
        match call.spawned_agent {
            // A subagent never starts itself.
            Some(agent) if call.agent_id != Some(agent) => {
                told.entry(agent).or_default().push(place);
            }
            None if matches!(call.tool, Some("Agent" | "Task")) => could_have.push(place),
            _ => {}
        }
    }
    let began = |place: usize| calls.get(place).map_or(0, |call| call.began.at);
    told.values_mut()
        .for_each(|places| places.sort_by_key(|place| began(*place)));
    could_have.sort_by_key(|place| began(*place));
    let mut untold: Vec<(&str, &mut AgentRun)> = Vec::new();
    for agent in agents {
        let places = told.get(agent.agent_id).map_or(&[][..], Vec::as_slice);
        for run in &mut agent.runs {
            // If only the end of a call is known, its computed beginning may be slightly too late.
            let before = |place: &usize| began(*place) <= run.began.at.saturating_add(SAME_MOMENT);
            let last = places.partition_point(before).checked_sub(1);
            run.call = last.and_then(|last| places.get(last).copied());
            run.is_linked = run.call.is_some();
            // Do not guess for an imported run: a transcript names the call if it is known, and its
            // order of events proves nothing.
            if run.call.is_none() && !run.is_imported {
                untold.push((agent.agent_id, run));
            }
        }
    }
    untold.sort_by_key(|(_, run)| run.began.at);
    let mut could_have = could_have.into_iter().enumerate().peekable();
    let mut starters = Starters::default();
    for (agent_id, run) in untold {
        let at = run.began.at;
        while let Some((order, place)) = could_have.next_if(|(_, place)| began(*place) <= at) {
            if let Some(call) = calls.get(place) {
                starters.add((order, place), call);
            }
        }
        starters.forget_ended_before(at);
        run.call = starters.take(agent_id);
    }
}

/// A call that could have started a subagent: its rank among those calls, and its index among all
/// calls.
type StarterRank = (usize, usize);

/// The running calls that could have started a subagent, and are not yet linked to one.
#[derive(Default)]
struct Starters<'a> {
    by_agent: HashMap<Option<&'a str>, BTreeSet<StarterRank>>,
    /// The oldest call of each thread, with the thread's agent.
    firsts: BTreeSet<(StarterRank, Option<&'a str>)>,
    /// The times at which the calls ended, if they are known, with the earliest on top.
    ends: BinaryHeap<Reverse<(i64, StarterRank, Option<&'a str>)>>,
}

impl<'a> Starters<'a> {
    fn add(&mut self, order: StarterRank, call: &Call<'a>) {
        let agent = call.agent_id;
        let of_agent = self.by_agent.entry(agent).or_default();
        // Calls are added in order, so the first that is added for a thread is its oldest.
        if of_agent.is_empty() {
            self.firsts.insert((order, agent));
        }
        of_agent.insert(order);
        if let Some(ended) = call.ended {
            self.ends.push(Reverse((ended.at, order, agent)));
        }
    }

    fn forget_ended_before(&mut self, at: i64) {
        while let Some(Reverse((ended, order, agent))) = self.ends.peek().copied()
            && ended < at
        {
            self.ends.pop();
            self.remove(order, agent);
        }
    }

    /// Removes and returns the oldest call that the subagent did not make itself.
    fn take(&mut self, agent_id: &str) -> Option<usize> {
        let mut firsts = self.firsts.iter();
        let (order, agent) = *firsts.find(|(_, agent)| *agent != Some(agent_id))?;
        self.remove(order, agent);
        Some(order.1)
    }

    fn remove(&mut self, order: StarterRank, agent: Option<&'a str>) {
        let Some(of_agent) = self.by_agent.get_mut(&agent) else {
            return;
        };
        of_agent.remove(&order);
        if self.firsts.remove(&(order, agent))
            && let Some(next) = of_agent.first()
        {
            self.firsts.insert((*next, agent));
        }
    }
}
