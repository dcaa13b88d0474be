//! What hooks have recorded of a session. An import omits these events, so that nothing is recorded
//! twice and the hooks' more exact numbers count.

use std::collections::{HashMap, HashSet};

use super::events::{ImportedEvent, Subject};
use crate::model::call::has_unique_id;
use crate::model::event::{name, tasks_in};
use crate::model::{Event, Timestamp};

/// The ids of everything that hooks have recorded.
#[derive(Debug, Default)]
pub(super) struct RecordedIds {
    calls: HashSet<(Option<String>, String)>,
    /// The calls of each tool without an id, by their beginnings and by their ends.
    unnamed: HashMap<String, UnnamedCalls>,
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
        if let (None, Some(tool), Some(at)) = (&event.tool_use_id, event.tool, event.ts) {
            let calls = self.unnamed.entry(tool).or_default();
            match event.event.as_str() {
                name::PRE_TOOL_USE => calls.begun.push(at),
                name::POST_TOOL_USE | name::POST_TOOL_USE_FAILURE => calls.ended.push(at),
                _ => {}
            }
        }
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

    /// Removes the events that hooks have recorded.
    pub(super) fn leave_out(&self, events: &mut Vec<ImportedEvent>) {
        let shared = shared_ids(events);
        let is_recorded = |made: &ImportedEvent| {
            let is_shared = matches!(&made.subject, Subject::Call(_, id) if shared.contains(id));
            self.has(&made.subject, made.at) && (!is_shared || self.is_within(made.at))
        };
        events.retain(|made| !is_recorded(made));
        let recorded = self.recorded_without_ids(events);
        let mut place = 0;
        events.retain(|_| {
            place += 1;
            !recorded.contains(&(place - 1))
        });
    }

    /// Returns the places of the events whose calls hooks recorded without ids, as hooks of old
    /// versions of Claude Code do. Such a call is the transcript's call of the same tool in the
    /// same order, from the time when hooks were recording.
    fn recorded_without_ids(&self, events: &[ImportedEvent]) -> HashSet<usize> {
        let mut recorded = HashSet::new();
        if self.unnamed.is_empty() {
            return recorded;
        }
        let mut by_tool: HashMap<String, Vec<TranscriptCall>> = HashMap::new();
        let mut last: HashMap<(&Option<String>, &String), (String, usize)> = HashMap::new();
        for (place, made) in events.iter().enumerate() {
            let Subject::Call(agent, id) = &made.subject else {
                continue;
            };
            let known = last.get(&(agent, id));
            if let Some((tool, index)) = known.filter(|_| made.name != name::PRE_TOOL_USE) {
                let calls = by_tool.get_mut(tool);
                if let Some(call) = calls.and_then(|calls| calls.get_mut(*index)) {
                    call.places.push(place);
                }
                continue;
            }
            let tool = Event::decode(&made.line).ok().and_then(|event| event.tool);
            let Some(tool) = tool.filter(|_| self.is_within(made.at)) else {
                continue;
            };
            let calls = by_tool.entry(tool.clone()).or_default();
            last.insert((agent, id), (tool, calls.len()));
            calls.push(TranscriptCall {
                at: made.at,
                places: vec![place],
            });
        }
        for (tool, unnamed) in &self.unnamed {
            let calls = by_tool.get(tool).map(Vec::as_slice).unwrap_or_default();
            for call in unnamed.of(calls) {
                recorded.extend(&call.places);
            }
        }
        recorded
    }

    /// Returns whether hooks were recording at `at`.
    fn is_within(&self, at: Timestamp) -> bool {
        self.span
            .is_some_and(|(first, last)| first <= at && at <= last)
    }

    /// Returns whether an event of `subject` at `at` is recorded. An event without an id counts as
    /// recorded if hooks were recording at that time.
    fn has(&self, subject: &Subject, at: Timestamp) -> bool {
        let is_within = || self.is_within(at);
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

/// Returns the ids that several of the calls have, for which the time tells which of them hooks
/// have recorded.
fn shared_ids(events: &[ImportedEvent]) -> HashSet<String> {
    let mut begun = HashSet::new();
    let mut shared = HashSet::new();
    for made in events {
        if let Subject::Call(agent, id) = &made.subject
            && made.name == name::PRE_TOOL_USE
            && !has_unique_id(id)
            && !begun.insert((agent, id))
        {
            shared.insert(id.clone());
        }
    }
    shared
}

/// The times of one tool's calls that hooks recorded without ids.
#[derive(Debug, Default)]
struct UnnamedCalls {
    begun: Vec<Timestamp>,
    ended: Vec<Timestamp>,
}

/// A call in the transcripts, and where its events are.
#[derive(Debug)]
struct TranscriptCall {
    at: Timestamp,
    places: Vec<usize>,
}

impl UnnamedCalls {
    /// Returns those of a tool's `calls` that these are. If the transcripts have more, chooses for
    /// each the call that began next to it, in their order.
    fn of<'a>(&self, calls: &'a [TranscriptCall]) -> Vec<&'a TranscriptCall> {
        let mut times = match self.begun.is_empty() {
            true => self.ended.clone(),
            false => self.begun.clone(),
        };
        times.sort();
        let mut found = Vec::new();
        let mut left = calls;
        for (number, at) in times.iter().enumerate() {
            let others = times.len() - number - 1;
            let away = |call: &TranscriptCall| call.at.age(*at).max(call.at.ahead(*at));
            while let [one, next, ..] = left
                && left.len() > others + 1
                && away(next) < away(one)
            {
                left = left.get(1..).unwrap_or_default();
            }
            let [one, rest @ ..] = left else {
                break;
            };
            found.push(one);
            left = rest;
        }
        found
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
