//! What the hooks' journal knows of a session: none of it is imported, so that where both exist, the numbers are those
//! of the hooks.

use std::collections::HashSet;

use super::events::Subject;
use crate::model::event::name;
use crate::model::{Event, Timestamp};

/// What a journal knows.
#[derive(Debug, Default)]
pub(super) struct Known {
    calls: HashSet<(Option<String>, String)>,
    prompts: HashSet<String>,
    turn_ends: HashSet<String>,
    compactions: HashSet<String>,
    agents: HashSet<String>,
    has_start: bool,
    span: Option<(Timestamp, Timestamp)>,
}

impl Known {
    /// What these events, as hooks recorded them, know.
    pub(super) fn of(events: impl Iterator<Item = Event>) -> Self {
        let mut known = Self::default();
        for event in events.filter(|event| event.origin.is_none()) {
            known.add(event);
        }
        known
    }

    fn add(&mut self, event: Event) {
        if let Some(at) = event.ts {
            let (first, last) = self.span.unwrap_or((at, at));
            self.span = Some((first.min(at), last.max(at)));
        }
        let in_batch = event.calls.into_iter().filter_map(|call| call.tool_use_id);
        for call in in_batch.chain(event.tool_use_id) {
            self.calls.insert((event.agent_id.clone(), call));
        }
        if let Some(prompt) = event.prompt_id.filter(|_| event.agent_id.is_none()) {
            match event.event.as_str() {
                name::USER_PROMPT_SUBMIT | "UserPromptExpansion" => {
                    self.prompts.insert(prompt);
                }
                name::STOP | name::STOP_FAILURE => {
                    self.turn_ends.insert(prompt);
                }
                name::PRE_COMPACT | name::POST_COMPACT => {
                    self.compactions.insert(prompt);
                }
                _ => {}
            }
        }
        self.agents.extend(event.agent_id);
        self.has_start |= event.event == name::SESSION_START;
    }

    /// Whether an event of `subject` at `at` is known. What has no id is taken for known while hooks were recording.
    pub(super) fn has(&self, subject: &Subject, at: Timestamp) -> bool {
        let is_within = || {
            self.span
                .is_some_and(|(first, last)| first <= at && at <= last)
        };
        match subject {
            Subject::Start => self.has_start,
            Subject::Prompt(Some(id)) => self.prompts.contains(id),
            Subject::TurnEnd(Some(id)) => self.turn_ends.contains(id),
            Subject::Agent(id) => self.agents.contains(id),
            // Hooks of old clients do not say which subagent a call is of.
            Subject::Call(agent, id) => [agent.clone(), None]
                .into_iter()
                .any(|agent| self.calls.contains(&(agent, id.clone()))),
            // What started one by hand has an id of its own.
            Subject::Compaction(Some(id)) => self.compactions.contains(id) || is_within(),
            Subject::Other => false,
            Subject::Prompt(None) | Subject::TurnEnd(None) | Subject::Compaction(None) => {
                is_within()
            }
        }
    }
}
