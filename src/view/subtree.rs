//! What each subagent did together with its descendants: the subagents that it started, that these
//! started, and so on.

use std::collections::{BTreeMap, HashMap, HashSet};
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
        for agent in &activity.agents {
            let above = above(agent.agent_id, &parents);
            all.add(above.skip(1), |sums| sums.agents += 1);
        }
        for call in &activity.calls {
            let Some(agent) = call.agent_id else {
                continue;
            };
            let took = millis(call.duration().unwrap_or(Duration::ZERO));
            all.add(above(agent, &parents), |sums| {
                sums.calls += 1;
                sums.failed += u64::from(call.state == CallState::Failed);
                sums.calls_ms = sums.calls_ms.saturating_add(took);
            });
        }
        for used in &usage.by {
            let known = used.agent_id.as_deref();
            let Some((agent, _)) = known.and_then(|id| all.by_agent.get_key_value(id)) else {
                continue;
            };
            let tokens = [
                used.input,
                used.output,
                used.cache_read,
                used.cache_creation,
            ];
            let tokens = tokens.into_iter().fold(0, u64::saturating_add);
            all.add(above(agent, &parents), |sums| {
                sums.tokens = sums.tokens.saturating_add(tokens);
            });
        }
        all
    }

    fn add(&mut self, agents: impl Iterator<Item = &'a str>, change: impl Fn(&mut SubtreeSums)) {
        for agent in agents {
            self.by_agent.get_mut(agent).into_iter().for_each(&change);
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

/// Returns a subagent and its ancestors, each once, the nearest first. If subagents started one
/// another in a cycle, as only a damaged journal says, each of them is an ancestor.
fn above<'a>(
    agent: &'a str,
    parents: &HashMap<&'a str, &'a str>,
) -> impl Iterator<Item = &'a str> + use<'a> {
    let mut seen = HashSet::new();
    let mut chain = Vec::new();
    let mut next = Some(agent);
    while let Some(agent) = next.filter(|agent| seen.insert(*agent)) {
        chain.push(agent);
        next = parents.get(agent).copied();
    }
    chain.into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_circle_of_subagents_ends() {
        let parents = [("a", "b"), ("b", "c"), ("c", "a")].into_iter().collect();
        assert_eq!(above("a", &parents).collect::<Vec<_>>(), ["a", "b", "c"]);
        assert_eq!(above("d", &parents).collect::<Vec<_>>(), ["d"]);
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
