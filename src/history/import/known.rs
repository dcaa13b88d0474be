//! What hooks have recorded of a session. An import omits these events, so that nothing is recorded
//! twice and the hooks' more exact numbers count.

use std::collections::HashSet;

use super::events::Subject;
use crate::model::event::{name, tasks_in};
use crate::model::{Event, Timestamp};

/// The ids of everything that hooks have recorded.
#[derive(Debug, Default)]
pub(super) struct RecordedIds {
    calls: HashSet<(Option<String>, String)>,
    prompts: HashSet<String>,
    turn_ends: HashSet<String>,
    compactions: HashSet<String>,
    agents: HashSet<String>,
    has_start: bool,
    /// The ids of background tasks whose end a prompt reported.
    notified: HashSet<String>,
    /// The times of the first and the last event that a hook of Claude Code recorded.
    span: Option<(Timestamp, Timestamp)>,
}

impl RecordedIds {
    /// Collects the ids from a session's events. Ignores imported events.
    pub(super) fn of(events: impl Iterator<Item = Event>) -> Self {
        let mut known = Self::default();
        for event in events.filter(|event| event.origin.is_none()) {
            known.add(event);
        }
        known
    }

    fn add(&mut self, event: Event) {
        let is_ours =
            [name::RUN_START, name::RUN_END, name::CLOCK_IN].contains(&event.event.as_str());
        if let Some(at) = event.ts.filter(|_| !is_ours) {
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
        if event.event == name::USER_PROMPT_SUBMIT {
            let tasks = event.task_id.iter().flat_map(|ids| tasks_in(ids));
            self.notified.extend(tasks.map(str::to_owned));
        }
        self.has_start |= event.event == name::SESSION_START;
    }

    /// Returns whether hooks recorded an event of `subject` at `at`. An event without an id counts
    /// as recorded if its time is between the first and the last event of a hook.
    pub(super) fn has(&self, subject: &Subject, at: Timestamp) -> bool {
        let is_within = || {
            self.span
                .is_some_and(|(first, last)| first <= at && at <= last)
        };
        match subject {
            Subject::Start => self.has_start,
            Subject::Prompt(Some(id)) => self.prompts.contains(id),
            Subject::TurnEnd(Some(id)) => self.turn_ends.contains(id),
            Subject::Notice(task) => self.notified.contains(task),
            Subject::Agent(id) => self.agents.contains(id),
            // An old version may have recorded the call without its subagent.
            Subject::Call(agent, id) => [agent.clone(), None]
                .into_iter()
                .any(|agent| self.calls.contains(&(agent, id.clone()))),
            // If a person starts a compaction, the hooks' event has a prompt id of its own. Then
            // the time decides.
            Subject::Compaction(Some(id)) => self.compactions.contains(id) || is_within(),
            Subject::Other => false,
            Subject::Prompt(None) | Subject::TurnEnd(None) | Subject::Compaction(None) => {
                is_within()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_events_do_not_count_as_hooks() {
        let at = |seconds| Timestamp::from_unix(seconds, 0);
        let event = |event: &str, seconds| Event {
            event: event.to_owned(),
            ts: Some(at(seconds)),
            ..Event::default()
        };
        let ours = [name::CLOCK_IN, name::RUN_START, name::RUN_END];
        let ours = ours.into_iter().zip([10, 20, 50]);
        let ours: Vec<Event> = ours.map(|(name, at)| event(name, at)).collect();
        let prompt = Subject::Prompt(None);
        assert!(!RecordedIds::of(ours.iter().cloned()).has(&prompt, at(30)));
        let hooks = [event("Notification", 25), event("Notification", 35)];
        let both = RecordedIds::of(ours.into_iter().chain(hooks));
        for (seconds, is_known) in [(15, false), (30, true), (40, false)] {
            assert_eq!(both.has(&prompt, at(seconds)), is_known, "{seconds}");
        }
    }
}
