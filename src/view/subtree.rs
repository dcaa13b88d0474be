//! What each subagent did together with all subagents below it.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use serde::Serialize;

use super::json::millis;
use crate::model::Activity;
use crate::model::call::CallState;
use crate::model::usage::Usage;

/// The sums over a subagent and all subagents below it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct SubtreeSums {
    /// The subagents below it.
    pub agents: u64,
    /// Calls.
    pub calls: u64,
    /// Calls that failed.
    pub failed: u64,
    /// The durations of all calls, in milliseconds.
    pub calls_ms: u64,
    /// All tokens, those of the cache included.
    pub tokens: u64,
}

/// The sums of each subagent of a session.
#[derive(Debug, Default)]
pub struct Subtrees<'a> {
    by_agent: BTreeMap<&'a str, SubtreeSums>,
    /// The subagent that a call started first, by the call's id.
    by_call: HashMap<&'a str, &'a str>,
}

impl<'a> Subtrees<'a> {
    /// Sums up what the subagents of a session did and used.
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

    /// Returns the sums of a subagent.
    pub fn of_agent(&self, agent: &str) -> SubtreeSums {
        self.by_agent.get(agent).copied().unwrap_or_default()
    }

    /// Returns the sums of the subagent that a call started.
    pub fn of_call(&self, tool_use_id: &str) -> Option<SubtreeSums> {
        let agent = self.by_call.get(tool_use_id)?;
        Some(self.of_agent(agent))
    }
}

/// Returns a subagent and all subagents above it. In a cycle, which a damaged journal may have, it
/// stops where it began.
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
