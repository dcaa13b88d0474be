//! Whether a session waits for a person, for what, and since when. Pure.
//!
//! Two sources are combined. Events say *what* a session waits for: they name the tool, the call
//! and the error. Claude Code's own status says *whether it still does*: no event reports that a
//! person answered No, or pressed Esc. If the two differ, the status decides, unless the event is
//! so recent that the new status may not be written yet.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::activity::Activity;
use super::call::{Call, CallState, Moment};
use super::line::EventKind;
use super::step::Step;
use super::time::Timestamp;
use super::trace::Trace;
use crate::claude::words::{
    Asks, ClientStatus, Dialog, FORM_ANSWERS, FORM_NOTICES, PERMISSION_NOTICE, StartSource,
};

/// How long after an event Claude Code's status may still be the old one. Claude Code usually
/// writes it within 130 ms before or after the event.
pub const SETTLING: Duration = Duration::from_millis(500);

/// What a session waits for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Need {
    /// Permission to run a tool.
    Permission,
    /// An answer to a question.
    Question,
    /// The approval of a plan.
    Plan,
    /// A prompt, after the turn failed.
    Error,
    /// A prompt: the turn is over.
    Prompt,
    /// Nothing: the session works, or it is over.
    #[default]
    None,
}

impl Need {
    /// All needs, the most urgent first.
    pub const ALL: [Self; 6] = [
        Self::Permission,
        Self::Question,
        Self::Plan,
        Self::Error,
        Self::Prompt,
        Self::None,
    ];

    /// Returns the need as one word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Permission => "permission",
            Self::Question => "question",
            Self::Plan => "plan",
            Self::Error => "error",
            Self::Prompt => "prompt",
            Self::None => "none",
        }
    }

    /// Returns true if a dialog is on the screen, so that the turn cannot go on.
    pub fn is_dialog(self) -> bool {
        matches!(self, Self::Permission | Self::Question | Self::Plan)
    }
}

/// Whether a session waits for a person.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attention {
    /// What the session waits for.
    pub state: Need,
    /// When the session began to wait.
    pub since: Option<Timestamp>,
    /// The tool that needs permission, or that asks the question.
    pub tool: Option<String>,
    /// The label of the tool's call, or the class of the error.
    pub what: Option<String>,
    /// The subagent that asks; `None` for the main thread.
    pub agent_id: Option<String>,
    /// How many background commands and subagents still run. For a session that waits for a prompt,
    /// one of them may start the next turn.
    pub background: usize,
}

/// Claude Code's own status of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AttentionStatus {
    /// The status; `None` if it is not written yet, or is an unknown word.
    pub status: Option<ClientStatus>,
    /// When the status last changed.
    pub since: Option<Timestamp>,
    /// True if nobody is asked, because Claude Code runs without a terminal.
    pub is_headless: bool,
}

impl AttentionStatus {
    /// Returns true if Claude Code shows a permission dialog or a question.
    pub fn shows_dialog(self) -> bool {
        matches!(
            self.status,
            Some(ClientStatus::Waiting(Dialog::Permission | Dialog::Question))
        )
    }
}

/// What the events alone show about whether a session waits for a person.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Witness {
    /// The oldest question to a person to which no event shows an answer.
    dialog: Option<Attention>,
    /// A question of an MCP server whose call is the only one of a server that runs.
    server_call: Option<Attention>,
    turn: Turn,
    /// The number of background commands that still run.
    commands: usize,
    /// The number of subagents that still run.
    agents: usize,
    /// The time of the last event that may have changed one of these values.
    changed: Option<Timestamp>,
}

/// The state of the main thread's turn.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
enum Turn {
    /// No turn is known, for example because the session does not belong to Claude Code.
    #[default]
    Unknown,
    /// The turn goes on.
    Open,
    /// The turn is over since this time, or no turn has begun.
    Over(Timestamp),
    /// The turn failed at this time, with this class of error.
    Failed(Timestamp, Option<String>),
}

/// What the events so far show about one Claude Code process.
#[derive(Default)]
struct Standing {
    turn: Turn,
    /// The time of a notification that a dialog is open, if no later event shows that it was
    /// answered.
    notice: Option<Moment>,
    /// The time of a question of an MCP server, if it is not answered yet.
    elicitation: Option<Moment>,
}

impl Witness {
    /// Reads the events in `trace`. `activity` is the activity that was computed from them.
    /// `has_it` must return whether the process with this pid still owns the session.
    pub fn of(
        trace: &Trace,
        activity: &Activity<'_>,
        has_it: impl Fn(Option<u32>) -> bool,
    ) -> Self {
        let mut clients: BTreeMap<Option<u32>, Standing> = BTreeMap::new();
        let mut changed = None;
        for step in trace.steps() {
            if clients.entry(step.pid).or_default().read(trace, step) {
                changed = Some(step.ts);
            }
        }
        clients.retain(|pid, _| has_it(*pid));
        let notice = clients.values().find_map(|client| client.notice);
        let elicitation = clients.values().find_map(|client| client.elicitation);
        let turns = || clients.values().map(|client| &client.turn);
        // The session works if one of its processes does. A compaction is work, too.
        let compacts = activity
            .compactions
            .last()
            .is_some_and(|it| it.ended.is_none());
        let turn = if compacts || turns().any(|turn| *turn == Turn::Open) {
            Turn::Open
        } else {
            let known = turns().filter(|turn| **turn != Turn::Unknown);
            known
                .max_by_key(|turn| turn.ended())
                .cloned()
                .unwrap_or_default()
        };
        Self {
            dialog: dialog(activity, notice, elicitation),
            server_call: server_call(activity),
            turn,
            commands: commands(activity),
            agents: activity
                .agents
                .iter()
                .filter(|agent| agent.ended.is_none())
                .count(),
            changed,
        }
    }

    /// Returns whether the session waits for a person: what the events show, confirmed or corrected
    /// by `statuses`. There is one status for each running process of the session, but old versions
    /// of Claude Code write none.
    pub fn attention(self, statuses: &[AttentionStatus], now: Timestamp) -> Attention {
        let background = self.commands + self.agents;
        let decided = statuses
            .iter()
            .filter_map(|status| Some((self.confirmed(status, now)?, status)));
        let most_urgent = decided.min_by_key(|(attention, _)| {
            // The order: a dialog, then a process that works, then one that has nothing to do.
            let is_working = attention.state == Need::None;
            (!attention.state.is_dialog(), !is_working, attention.state)
        });
        match most_urgent {
            Some((attention, status)) => {
                let runs = status.status == Some(ClientStatus::Shell);
                Attention {
                    background: background.max(usize::from(runs)),
                    ..attention
                }
            }
            None => {
                let is_headless = statuses.iter().any(|status| status.is_headless);
                Attention {
                    background,
                    ..self.by_events(is_headless)
                }
            }
        }
    }

    /// Returns whether the session waits, according to the events alone.
    fn by_events(&self, is_headless: bool) -> Attention {
        match &self.dialog {
            Some(dialog) if !is_headless => dialog.clone(),
            _ => self.between_turns(None),
        }
    }

    /// Returns whether the session waits for a prompt, according to the events of the turn.
    /// `idle_since` is `Some` if Claude Code's status says that no turn runs.
    fn between_turns(&self, idle_since: Option<Timestamp>) -> Attention {
        let (state, since, what) = match &self.turn {
            Turn::Failed(at, why) => (Need::Error, Some(*at), why.clone()),
            Turn::Over(at) => (Need::Prompt, Some(*at), None),
            // If Claude Code is idle nevertheless, the turn was interrupted: no event reports that.
            Turn::Open | Turn::Unknown => match idle_since {
                Some(at) => (Need::Prompt, Some(at), None),
                None => (Need::None, None, None),
            },
        };
        Attention {
            state,
            since,
            what,
            ..Attention::default()
        }
    }

    /// Confirms or corrects the events by Claude Code's status. Returns `None` if the status is
    /// unknown.
    fn confirmed(&self, status: &AttentionStatus, now: Timestamp) -> Option<Attention> {
        let is_newer = |changed: Timestamp| status.since.is_none_or(|since| changed > since);
        let is_settling = |changed: Timestamp| is_newer(changed) && changed.age(now) < SETTLING;
        if self.changed.is_some_and(is_settling) {
            return Some(self.by_events(status.is_headless));
        }
        let since = status.since.unwrap_or(now);
        Some(match status.status? {
            // A subagent may work in the background while the main thread waits for a prompt.
            ClientStatus::Busy if self.agents > 0 => self.between_turns(None),
            ClientStatus::Busy => Attention::default(),
            ClientStatus::Idle | ClientStatus::Shell => self.between_turns(Some(since)),
            ClientStatus::Waiting(Dialog::Menu) => self.between_turns(Some(since)),
            ClientStatus::Waiting(Dialog::Question) => {
                let asked = self.dialog_as(Dialog::Question);
                let asked = asked.or_else(|| self.server_call.clone());
                let asked = asked.unwrap_or_default();
                Attention {
                    state: Need::Question,
                    // Hooks learn of the question of an MCP server only after some seconds.
                    since: Some(asked.since.map_or(since, |at| at.min(since))),
                    ..asked
                }
            }
            ClientStatus::Waiting(Dialog::Permission) => {
                self.dialog_as(Dialog::Permission).unwrap_or(Attention {
                    state: Need::Permission,
                    since: Some(since),
                    ..Attention::default()
                })
            }
        })
    }

    /// Returns the open question that the events show, if the dialog on the screen is of the same
    /// kind.
    fn dialog_as(&self, asked: Dialog) -> Option<Attention> {
        let is_question = asked == Dialog::Question;
        let dialog = self.dialog.as_ref()?;
        ((dialog.state == Need::Question) == is_question).then(|| dialog.clone())
    }

    /// Adds a question from before the first event that was read, unless the events already show
    /// one.
    pub fn or_dialog(self, asked: Option<Attention>) -> Self {
        Self {
            dialog: self.dialog.or(asked),
            ..self
        }
    }

    /// Returns whether the events show an open question.
    pub fn has_dialog(&self) -> bool {
        self.dialog.is_some()
    }
}

impl Turn {
    /// Returns when the turn ended.
    fn ended(&self) -> Option<Timestamp> {
        match self {
            Self::Over(at) | Self::Failed(at, _) => Some(*at),
            Self::Open | Self::Unknown => None,
        }
    }
}

impl Standing {
    /// Returns the state with this turn and no open question.
    fn in_turn(turn: Turn) -> Self {
        Self {
            turn,
            ..Self::default()
        }
    }

    /// Updates the state by one event. Returns true if the event may have changed what the session
    /// waits for.
    fn read(&mut self, trace: &Trace, step: &Step) -> bool {
        let word = trace.text(step.word);
        let is_main = trace.text(step.agent_id).is_none();
        let is_mcp = || {
            trace
                .text(step.tool)
                .is_some_and(|it| it.starts_with("mcp__"))
        };
        match step.kind {
            EventKind::SessionStart if word.map(StartSource::of) == Some(StartSource::Compact) => {}
            EventKind::SessionStart => *self = Self::in_turn(Turn::Over(step.ts)),
            EventKind::SessionEnd => *self = Self::default(),
            EventKind::UserPromptSubmit | EventKind::PreToolUse if is_main => {
                // A tool is about to run, so earlier questions were answered.
                *self = Self::in_turn(Turn::Open);
            }
            EventKind::Stop if is_main => *self = Self::in_turn(Turn::Over(step.ts)),
            EventKind::StopFailure if is_main => {
                let why = word.map(str::to_owned);
                *self = Self::in_turn(Turn::Failed(step.ts, why));
            }
            EventKind::PostToolUse
            | EventKind::PostToolUseFailure
            | EventKind::PermissionDenied => {
                self.notice = None;
                if is_mcp() {
                    self.elicitation = None;
                }
            }
            EventKind::PostToolBatch | EventKind::SubagentStop => self.notice = None,
            EventKind::PermissionRequest
            | EventKind::PreToolUse
            | EventKind::PreCompact
            | EventKind::PostCompact => {}
            EventKind::Notification if word == Some(PERMISSION_NOTICE) => {
                self.notice = Some(step.moment());
            }
            EventKind::Notification if word.is_some_and(|it| FORM_NOTICES.contains(&it)) => {
                self.elicitation.get_or_insert(step.moment());
            }
            EventKind::Notification if word.is_some_and(|it| FORM_ANSWERS.contains(&it)) => {
                self.elicitation = None;
            }
            EventKind::Elicitation => self.elicitation = Some(step.moment()),
            EventKind::ElicitationResult => self.elicitation = None,
            _ => return false,
        }
        true
    }
}

/// Returns the open question: the oldest of a call that needs permission, else that of an MCP
/// server, else the one that a notification reports.
fn dialog(
    activity: &Activity<'_>,
    notice: Option<Moment>,
    elicitation: Option<Moment>,
) -> Option<Attention> {
    let running = || activity.open_calls();
    let asked = running().filter_map(|call| Some((call.asked?, call)));
    if let Some((at, call)) = asked.min_by_key(|(at, _)| at.at) {
        return Some(question_of(call, at.ts));
    }
    if let Some(at) = elicitation {
        return Some(Attention {
            state: Need::Question,
            since: Some(at.ts),
            ..server_call(activity).unwrap_or_default()
        });
    }
    let at = notice?;
    let mut calls = running();
    Some(match (calls.next(), calls.next()) {
        (Some(call), None) => question_of(call, at.ts),
        _ => since(at.ts),
    })
}

/// Returns the running call of an MCP server, as a question of that server since an unknown time.
/// Returns `None` if several such calls run, because it is unknown which of them asks.
fn server_call(activity: &Activity<'_>) -> Option<Attention> {
    let is_servers = |call: &&Call<'_>| call.tool.is_some_and(|it| it.starts_with("mcp__"));
    let mut calls = activity.open_calls().filter(is_servers);
    let call = calls.next().filter(|_| calls.next().is_none())?;
    Some(Attention {
        state: Need::Question,
        since: None,
        ..question_of(call, call.began.ts)
    })
}

/// Returns the question to a person about a call that cannot run yet.
fn question_of(call: &Call<'_>, at: Timestamp) -> Attention {
    let owned = |text: Option<&str>| text.map(str::to_owned);
    Attention {
        state: need_of(call.tool),
        tool: owned(call.tool),
        what: owned(call.what),
        agent_id: owned(call.agent_id),
        ..since(at)
    }
}

/// Returns a question of which only the time is known.
fn since(at: Timestamp) -> Attention {
    Attention {
        state: Need::Permission,
        since: Some(at),
        ..Attention::default()
    }
}

/// Returns what a call of `tool` needs before it can go on.
pub fn need_of(tool: Option<&str>) -> Need {
    match tool.and_then(Asks::of) {
        Some(Asks::Question) => Need::Question,
        Some(Asks::Plan) => Need::Plan,
        None => Need::Permission,
    }
}

/// Counts the background commands that still run.
fn commands(activity: &Activity<'_>) -> usize {
    let is_command = |call: &&Call<'_>| {
        call.state == CallState::Backgrounded
            && call.spawned_agent.is_none()
            && call.background_ended.is_none()
    };
    activity.calls.iter().filter(is_command).count()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::{Event, JournalLine, OpenActivity, TraceBuilder};

    fn event(name: &str, at: u32) -> Event {
        let micros = 1_800_000_000_000_000 + i64::from(at) * 1_000_000;
        Event {
            v: 1,
            ts: Some(Timestamp::from_micros(micros)),
            mono: Some(u64::from(at) * 1_000_000),
            event: name.to_owned(),
            pid: Some(7),
            ..Event::default()
        }
    }

    fn call(name: &str, id: &str, at: u32) -> Event {
        Event {
            tool: Some("Bash".to_owned()),
            tool_use_id: Some(id.to_owned()).filter(|id| !id.is_empty()),
            ..event(name, at)
        }
    }

    fn witness(events: &[Event]) -> Witness {
        let mut trace = TraceBuilder::with_labels();
        events
            .iter()
            .for_each(|event| trace.push(&JournalLine::from(event)));
        let trace = trace.finish();
        let activity = OpenActivity::of(&trace).leave_open();
        Witness::of(&trace, &activity, |_| true)
    }

    fn turn() -> Vec<Event> {
        vec![
            event("SessionStart", 1),
            event("UserPromptSubmit", 2),
            call("PreToolUse", "t1", 3),
            call("PermissionRequest", "", 4),
            call("PostToolUse", "t1", 5),
            call("PreToolUse", "t2", 6),
            call("PermissionRequest", "", 7),
            call("PostToolUse", "t2", 8),
            event("Stop", 9),
            event("Notification", 10),
        ]
    }

    #[test]
    fn each_moment_of_a_turn_has_its_need() {
        let needs: Vec<&str> = (1..=turn().len())
            .map(|count| {
                let now = Timestamp::from_micros(1_900_000_000_000_000);
                let first = turn().into_iter().take(count).collect::<Vec<_>>();
                witness(&first).attention(&[], now).state.as_str()
            })
            .collect();
        let (ask, work) = ("permission", "none");
        assert_eq!(
            needs,
            [
                "prompt", work, work, ask, work, work, ask, work, "prompt", "prompt"
            ]
        );
    }

    proptest! {
        #[test]
        fn the_order_of_arrival_does_not_matter(
            (count, events) in (1..=10usize).prop_flat_map(|count| {
                let first: Vec<Event> = turn().into_iter().take(count).collect();
                (Just(count), Just(first).prop_shuffle())
            }),
        ) {
            let first: Vec<Event> = turn().into_iter().take(count).collect();
            prop_assert_eq!(witness(&events), witness(&first));
        }
    }

    #[test]
    fn a_new_event_counts_more_than_a_status_that_may_not_be_written_yet() {
        let asked: Vec<Event> = turn().into_iter().take(4).collect();
        let at = asked[3].ts.unwrap();
        let before = Timestamp::from_micros(at.micros() - 1_000_000);
        let later = |millis: i64| Timestamp::from_micros(at.micros() + millis * 1000);
        let need = |now, since| {
            let busy = AttentionStatus {
                status: Some(ClientStatus::Busy),
                since: Some(since),
                is_headless: false,
            };
            witness(&asked).attention(&[busy], now).state
        };
        assert_eq!(need(later(400), before), Need::Permission);
        // A permission that a hook granted: Claude Code never shows a dialog.
        assert_eq!(need(later(600), before), Need::None);
        // A status that is newer than the event.
        assert_eq!(need(later(400), later(100)), Need::None);
    }

    #[test]
    fn two_processes_of_one_session_wait_only_if_neither_works() {
        let other = |name: &str, at| Event {
            pid: Some(8),
            ..event(name, at)
        };
        let mut events = turn();
        events.push(other("SessionStart", 11));
        events.push(other("UserPromptSubmit", 12));
        let now = Timestamp::from_micros(1_900_000_000_000_000);
        assert_eq!(witness(&events).attention(&[], now).state, Need::None);
        let status = |status, since| AttentionStatus {
            status: Some(status),
            since: Some(Timestamp::from_micros(since)),
            is_headless: false,
        };
        let statuses = [
            status(ClientStatus::Idle, 1_850_000_000_000_000),
            status(ClientStatus::Busy, 1_850_000_000_000_000),
        ];
        assert_eq!(witness(&events).attention(&statuses, now).state, Need::None);
        let statuses = [
            status(ClientStatus::Busy, 1_850_000_000_000_000),
            status(
                ClientStatus::Waiting(Dialog::Question),
                1_850_000_000_000_000,
            ),
        ];
        let waits = witness(&events).attention(&statuses, now);
        assert_eq!((waits.state, waits.tool), (Need::Question, None));
    }
}
