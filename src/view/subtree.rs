//! What each subagent did together with its descendants: the subagents that it started, that these
//! started, and so on.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use serde::Serialize;

use super::json::millis;
use crate::model::Activity;
use crate::model::call::CallState;
use crate::model::usage::Usage;

/// The sums over a subagent and its descendants.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct SubtreeSums {
    /// The number of descendants.
    pub agents: u64,
    /// The number of calls.
    pub calls: u64,
    /// The number of calls that failed.
    pub failed: u64,
    /// The total duration of all calls, in milliseconds.
    pub calls_ms: u64,
    /// The tokens of all kinds, including those of the cache.
    pub tokens: u64,
}

/// The sums of each subagent of a session.
#[derive(Debug, Default)]
pub struct Subtrees<'a> {
    by_agent: BTreeMap<&'a str, SubtreeSums>,
    /// The first subagent that each call started, by the call's id.
    by_call: HashMap<&'a str, &'a str>,
}

impl<'a> Subtrees<'a> {
    /// Sums the calls and tokens of a session's subagents.
    pub fn of(activity: &Activity<'a>, usage: &Usage) -> Self {
        let mut parents: HashMap<&str, &str> = HashMap::new();
        let mut all = Self::default();
        for agent in &activity.agents {
            all.by_agent.entry(agent.agent_id).or_default();
            let starts = agent
                .runs
                .iter()
                .filter_map(|run| activity.calls.get(run.call?));
            for call in starts.take(1) {
                parents.extend(call.agent_id.map(|parent| (agent.agent_id, parent)));
                if let Some(id) = call.tool_use_id {
                    all.by_call.entry(id).or_insert(agent.agent_id);
                }
            }
        }
        for call in &activity.calls {
            let its = call.agent_id.and_then(|agent| all.by_agent.get_mut(agent));
            let Some(sums) = its else {
                continue;
            };
            let took = millis(call.duration().unwrap_or(Duration::ZERO));
            sums.calls += 1;
            sums.failed += u64::from(call.state == CallState::Failed);
            sums.calls_ms = sums.calls_ms.saturating_add(took);
        }
        for used in &usage.by {
            let known = used.agent_id.as_deref();
            let Some(sums) = known.and_then(|id| all.by_agent.get_mut(id)) else {
                continue;
            };
            let tokens = [
                used.input,
                used.output,
                used.cache_read,
                used.cache_creation,
            ];
            let tokens = tokens.into_iter().fold(0, u64::saturating_add);
            sums.tokens = sums.tokens.saturating_add(tokens);
        }
        all.add_up(&parents);
        all
    }

    /// Adds the sums of each subagent to those of its ancestors, in one pass from the last
    /// descendants up. If subagents started one another in a circle, as only a damaged journal
    /// says, each of them is an ancestor of all others.
    fn add_up(&mut self, parents: &HashMap<&'a str, &'a str>) {
        let mut waiting: HashMap<&str, usize> = self.by_agent.keys().map(|id| (*id, 0)).collect();
        for parent in parents.values() {
            if let Some(children) = waiting.get_mut(parent) {
                *children += 1;
            }
        }
        let mut ready: Vec<&str> = waiting
            .iter()
            .filter(|(_, children)| **children == 0)
            .map(|(id, _)| *id)
            .collect();
        while let Some(agent) = ready.pop() {
            waiting.remove(agent);
            let Some(parent) = parents.get(agent) else {
                continue;
            };
            let below = self.of_agent(agent).with_itself();
            if let Some(sums) = self.by_agent.get_mut(parent) {
                sums.add(&below);
            }
            if let Some(children) = waiting.get_mut(parent) {
                *children -= 1;
                if *children == 0 {
                    ready.push(parent);
                }
            }
        }
        // What is left is in circles.
        while let Some(first) = waiting.keys().next().copied() {
            let (mut circle, mut next) = (Vec::new(), Some(first));
            while let Some(agent) = next.filter(|agent| waiting.remove(agent).is_some()) {
                circle.push(agent);
                next = parents.get(agent).copied();
            }
            let mut all = SubtreeSums::default();
            for agent in &circle {
                all.add(&self.of_agent(agent).with_itself());
            }
            all.agents -= 1;
            for agent in circle {
                self.by_agent.insert(agent, all);
            }
        }
    }

    /// Returns the sums of the subagent with this id; zeros if it is unknown.
    pub fn of_agent(&self, agent: &str) -> SubtreeSums {
        self.by_agent.get(agent).copied().unwrap_or_default()
    }

    /// Returns the sums of the subagent that the call with this id started; `None` if it started
    /// none.
    pub fn of_call(&self, tool_use_id: &str) -> Option<SubtreeSums> {
        let agent = self.by_call.get(tool_use_id)?;
        Some(self.of_agent(agent))
    }
}

impl SubtreeSums {
    /// Returns these sums of a subagent, counted as a descendant.
    fn with_itself(self) -> Self {
        Self {
            agents: self.agents + 1,
            ..self
        }
    }

    fn add(&mut self, other: &Self) {
        self.agents += other.agents;
        self.calls += other.calls;
        self.failed += other.failed;
        self.calls_ms = self.calls_ms.saturating_add(other.calls_ms);
        self.tokens = self.tokens.saturating_add(other.tokens);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checks how many agents and calls each of these subagents has, itself included, if each made
    /// as many calls as the table says.
    #[track_caller]
    fn check(
        own: &[(&'static str, u64)],
        started: &[(&'static str, &'static str)],
        expected: &[(u64, u64)],
    ) {
        let mut all = Subtrees::default();
        for (agent, calls) in own {
            let calls = *calls;
            let sums = SubtreeSums {
                calls,
                ..SubtreeSums::default()
            };
            all.by_agent.insert(agent, sums);
        }
        all.add_up(
            &started
                .iter()
                .map(|(parent, child)| (*child, *parent))
                .collect(),
        );
        let sums = own.iter().map(|(agent, _)| all.of_agent(agent));
        let sums: Vec<(u64, u64)> = sums.map(|sums| (sums.agents, sums.calls)).collect();
        assert_eq!(sums, expected);
    }

    #[test]
    fn a_subagent_has_the_sums_of_all_below_it() {
        let own = [("a", 1), ("b", 10), ("c", 100), ("d", 1000)];
        check(&own, &[], &[(0, 1), (0, 10), (0, 100), (0, 1000)]);
        let tree = [("a", "b"), ("b", "c"), ("a", "d")];
        check(&own, &tree, &[(3, 1111), (1, 110), (0, 100), (0, 1000)]);
        // Unknown subagents have no sums.
        check(
            &own,
            &[("x", "a"), ("a", "y")],
            &[(0, 1), (0, 10), (0, 100), (0, 1000)],
        );
    }

    #[test]
    fn a_circle_of_subagents_ends() {
        let own = [("a", 1), ("b", 10), ("c", 100), ("d", 1000)];
        let circle = [("a", "b"), ("b", "c"), ("c", "a"), ("b", "d")];
        check(&own, &circle, &[(3, 1111), (3, 1111), (3, 1111), (0, 1000)]);
        check(&own, &[("a", "a")], &[(0, 1), (0, 10), (0, 100), (0, 1000)]);
    }

    #[test]
    fn sums_are_short() {
        let sums = |calls, failed, tokens| SubtreeSums {
            calls,
            failed,
            tokens,
            ..SubtreeSums::default()
        };
        use crate::view::timeline::text::subtree;
        assert_eq!(subtree(sums(0, 0, 0)), "");
        assert_eq!(subtree(sums(1, 0, 9_999)), "1 call, 9999 tokens");
        assert_eq!(
            subtree(sums(12, 3, 12_345)),
            "12 calls, 3 failed, 12k tokens"
        );
        assert_eq!(subtree(sums(0, 0, 12_345_678)), "12M tokens");
    }
}
