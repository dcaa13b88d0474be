//! Counts the calls of one session while its journal grows. Reads only what was added.

use super::facts::CallCounts;
use crate::model::call::CallState;
use crate::model::line::EventKind;
use crate::model::{Call, JournalLine, OpenActivity, Timestamp, Trace, TraceBuilder};
use crate::store::{History, SessionDir};

/// How many events are kept in memory at most, before those of finished turns are counted and
/// dropped.
const MANY: usize = 500;

/// The calls of a session, counted as far as its journal was read.
#[derive(Debug)]
pub(in crate::cli) struct CallCounter {
    many: usize,
    /// The counts of the turns whose events were dropped.
    before: CallCounts,
    trace: TraceBuilder,
    /// The position and the time of the last line that was read.
    last: Option<(u64, Option<Timestamp>)>,
    /// The size and the modification time of the file with imported events.
    imported: Option<(u64, Timestamp)>,
}

impl Default for CallCounter {
    fn default() -> Self {
        Self::dropping_from(MANY)
    }
}

impl CallCounter {
    fn dropping_from(many: usize) -> Self {
        Self {
            many,
            before: CallCounts::default(),
            trace: TraceBuilder::default(),
            last: None,
            imported: None,
        }
    }

    /// Reads what was added to the journal, and returns the counts.
    pub(in crate::cli) fn read(&mut self, dir: &SessionDir) -> CallCounts {
        let imported = dir.imported_stamp();
        if imported != self.imported {
            *self = Self::dropping_from(self.many);
        }
        self.imported = imported;
        if self.go_on(dir).is_none() {
            // The journal was replaced, or a part of it is missing, so everything is read again.
            *self = Self::dropping_from(self.many);
            self.imported = imported;
            if self.go_on(dir).is_none() {
                return counted_in_all(dir);
            }
        }
        let trace = std::mem::take(&mut self.trace).finish();
        let counts = self.before.plus(counted(&trace));
        self.trace = trace.reopen();
        counts
    }

    /// Reads on after the last line that was read. Returns `None` if that line is no longer there.
    fn go_on(&mut self, dir: &SessionDir) -> Option<()> {
        if self.last.is_none()
            && self.imported.is_some()
            && let Ok(imported) = dir.imported_lines()
        {
            imported.for_each(|line| self.trace.push(line));
        }
        let known = self.last;
        let from = known.map_or(0, |(position, _)| position);
        let (lines, _) = dir.journal().lines_from(from).ok()??;
        let mut is_first = true;
        let mut is_same = known.is_none();
        lines.for_each_at(|position, line| {
            if std::mem::take(&mut is_first) && known.is_some() {
                is_same = known == Some((position, line.ts));
                return;
            }
            self.last = Some((position, line.ts));
            self.push(line);
        });
        is_same.then_some(())
    }

    /// Adds an event. A prompt closes the calls of the turn before it, so the events of that turn
    /// can be dropped, unless a subagent still has an open call.
    fn push(&mut self, line: &JournalLine<'_>) {
        self.trace.push(line);
        let is_prompt = line.kind == EventKind::UserPromptSubmit && line.agent_id.is_none();
        if !is_prompt || self.trace.len() < self.many {
            return;
        }
        let trace = std::mem::take(&mut self.trace).finish();
        let is_over = OpenActivity::of(&trace).open_calls().next().is_none();
        if is_over {
            self.before = self.before.plus(counted(&trace));
            self.trace = trace.recycle();
            self.trace.push(line);
        } else {
            self.trace = trace.reopen();
        }
    }
}

impl CallCounts {
    fn plus(self, more: Self) -> Self {
        Self {
            calls: self.calls + more.calls,
            failed: self.failed + more.failed,
        }
    }
}

fn counted(trace: &Trace) -> CallCounts {
    let activity = OpenActivity::of(trace).leave_open();
    let failed = |call: &&Call<'_>| call.state == CallState::Failed;
    CallCounts {
        calls: activity.calls.len() as u64,
        failed: activity.calls.iter().filter(failed).count() as u64,
    }
}

fn counted_in_all(dir: &SessionDir) -> CallCounts {
    let history = History::read(dir, TraceBuilder::default(), |_, _| {});
    history.map_or_else(|_| CallCounts::default(), |history| counted(&history.trace))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::{Event, Project, Record};
    use crate::store::write::Durability;
    use crate::store::{Decompressor, Places, StateDir};

    fn event(kind: &str, at: u64) -> Event {
        let micros = 1_800_000_000_000_000 + i64::try_from(at).unwrap() * 1000;
        Event {
            v: 1,
            ts: Some(Timestamp::from_micros(micros)),
            mono: Some(5_000_000_000 + at * 1000),
            event: kind.to_owned(),
            pid: Some(7),
            ..Event::default()
        }
    }

    fn any_event() -> impl Strategy<Value = Event> {
        let kinds = prop::sample::select(vec![
            "PreToolUse",
            "PreToolUse",
            "PreToolUse",
            "PostToolUse",
            "PostToolUse",
            "PostToolUseFailure",
            "PermissionRequest",
            "UserPromptSubmit",
            "UserPromptSubmit",
            "Stop",
            "SubagentStart",
            "SubagentStop",
        ]);
        let agents = prop::option::weighted(0.4, Just("a1"));
        (kinds, 0..6u32, agents).prop_map(|(kind, call, agent)| {
            let is_call = kind.contains("Tool");
            let is_of_agent = kind.starts_with("Subagent");
            let agent = agent.filter(|_| is_call).or(is_of_agent.then_some("a1"));
            Event {
                tool: is_call.then(|| "Bash".to_owned()),
                tool_use_id: is_call.then(|| format!("t{call}")),
                agent_id: agent.map(str::to_owned),
                ..event(kind, 0)
            }
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn counting_events_as_they_arrive_equals_counting_the_whole_journal(
            pieces in prop::collection::vec((prop::collection::vec(any_event(), 0..40), any::<bool>()), 1..8),
        ) {
            let root = tempfile::tempdir().unwrap();
            let places = Places {
                state: Some(root.path().join("state")),
                pointers: root.path().to_owned(),
                config: None,
            };
            let id: crate::model::SessionId = "s-1".parse().unwrap();
            let now = Timestamp::from_micros(1_800_000_000_000_000);
            let dir = StateDir::create(&places, Decompressor::BUILT_IN).unwrap().session(&id);
            let record = Record::new(id, &Project::at(root.path().to_owned()), now);
            dir.create(&record, &event("SessionStart", 0), Durability::Cached).unwrap();
            let mut counter = CallCounter::dropping_from(10);
            let (mut at, mut turn) = (0, 0);
            // A subagent's calls outlast turns, but not the subagent.
            let mut of_agent = Vec::new();
            for (events, is_rotated) in pieces {
                for event in events {
                    at += 20_000;
                    turn += u32::from(event.event == "UserPromptSubmit");
                    if event.event == "SubagentStop" {
                        of_agent.clear();
                    }
                    let tool_use_id = match (&event.tool_use_id, event.agent_id.is_some()) {
                        (None, _) => None,
                        (Some(call), false) => Some(format!("{turn}-{call}")),
                        (Some(_), true) if event.event == "PreToolUse" => {
                            of_agent.push(format!("a-{at}"));
                            of_agent.last().cloned()
                        }
                        (Some(_), true) => match of_agent.pop() {
                            Some(open) => Some(open),
                            None => continue,
                        },
                    };
                    let clocks = self::event("", at);
                    let event = Event { ts: clocks.ts, mono: clocks.mono, tool_use_id, ..event };
                    dir.journal().append(&event).unwrap();
                }
                if is_rotated {
                    let _ = dir.journal().rotate(0).unwrap();
                }
                prop_assert_eq!(counter.read(&dir), counted_in_all(&dir));
            }
        }
    }
}
