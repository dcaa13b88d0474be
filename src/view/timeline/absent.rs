//! Explains an empty timeline: says which tools and subagents of the filter do not occur in the
//! session, and lists those that do.

use std::collections::BTreeSet;

use super::CallFilter;
use crate::model::Activity;
use crate::model::text::one_line;

/// How many existing tools or subagents a sentence lists at most.
const MAX_LISTED: usize = 20;
/// The length in characters to which listed names are cut.
const MAX_NAME: usize = 60;

impl CallFilter {
    /// Returns a sentence for each tool and subagent in the filter that does not occur in the
    /// session.
    pub fn absent(&self, activity: &Activity<'_>) -> Vec<String> {
        let tools: BTreeSet<&str> = activity.calls.iter().filter_map(|call| call.tool).collect();
        let is_there =
            |wanted: &&String| tools.iter().any(|tool| wanted.eq_ignore_ascii_case(tool));
        let absent = self.tools.iter().filter(|wanted| !is_there(wanted));
        let mut said: Vec<String> = absent
            .map(|wanted| sentence("tool", wanted, tools.iter().copied()))
            .collect();
        let agents = &activity.agents;
        let types: BTreeSet<&str> = agents.iter().filter_map(|it| it.agent_type).collect();
        let wanted = self.agent.as_deref().filter(|wanted| {
            *wanted != "main"
                && !types.contains(wanted)
                && !agents.iter().any(|it| it.agent_id.starts_with(wanted))
        });
        said.extend(wanted.map(|wanted| {
            let untyped = agents.iter().filter(|it| it.agent_type.is_none());
            let names = types.iter().copied().chain(untyped.map(|it| it.agent_id));
            sentence("subagent", wanted, ["main"].into_iter().chain(names))
        }));
        said
    }
}

fn sentence<'n>(kind: &str, wanted: &str, there: impl Iterator<Item = &'n str>) -> String {
    let there: Vec<&str> = there.collect();
    let name = |name: &&str| format!("`{}`", one_line(name, MAX_NAME));
    let listed: Vec<String> = there.iter().take(MAX_LISTED).map(name).collect();
    let more = match there.len().saturating_sub(MAX_LISTED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let there = match listed.is_empty() {
        true => "the session has no calls".to_owned(),
        false => format!("there are {}{more}", listed.join(", ")),
    };
    format!(
        "no {kind} `{}` in this session; {there}",
        one_line(wanted, MAX_NAME)
    )
}
