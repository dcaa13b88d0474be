//! Whether a session is live, ended or abandoned: derived from its record, its owners and its journal each time, never
//! stored.

use std::collections::HashSet;
use std::path::Path;
use std::time::Duration;

use super::process::{Life, Viewpoint};
use crate::model::event::name;
use crate::model::{Event, Owner, Record, SessionId, Timestamp};
use crate::store::{SessionDir, State, index};

/// How much of a journal's end tells whether the session has ended: hundreds of events.
const TAIL: u64 = 256 * 1024;

/// What a session is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SessionState {
    /// Live, and something happened within the idle timeout or a call is open.
    Active,
    /// Live, and nothing happened for the idle timeout.
    Idle,
    /// Its last process said that it ended.
    Ended,
    /// No process has it any more, and none said so.
    Abandoned,
}

impl SessionState {
    /// Active or idle.
    pub fn is_live(self) -> bool {
        matches!(self, Self::Active | Self::Idle)
    }

    /// The state as one word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Idle => "idle",
            Self::Ended => "ended",
            Self::Abandoned => "abandoned",
        }
    }
}

/// What was found of a session.
#[derive(Debug, Clone)]
pub struct Finding {
    /// What it is.
    pub state: SessionState,
    /// When its last event was.
    pub last_activity: Option<Timestamp>,
    /// The processes that have it now.
    pub owners: Vec<Owner>,
    /// How many owners are on record that cannot be seen from here.
    pub unseen: usize,
    /// How many owners are on record at all.
    pub known: usize,
}

impl Finding {
    /// Whether the session, with this record, is in the project rooted at `root`: where its living client was started,
    /// else where it began.
    pub fn is_in(&self, record: &Record, root: &Path) -> bool {
        let mut roots = self
            .owners
            .iter()
            .filter_map(|owner| owner.root.as_deref())
            .peekable();
        if roots.peek().is_none() {
            return record.is_in(root);
        }
        roots.any(|own| own == root.to_string_lossy())
    }
}

/// From where, when and how sessions are judged.
#[derive(Debug)]
pub struct Judge<'a> {
    /// The state directory.
    pub state: &'a State,
    /// Whose processes can be seen.
    pub viewpoint: Option<Viewpoint>,
    /// The time now.
    pub now: Timestamp,
    /// After how long without an event a session is idle.
    pub idle_timeout: Duration,
}

impl Judge<'_> {
    /// Judges a session that has a record.
    pub fn find(&self, id: &SessionId, record: &Record) -> Finding {
        let dir = self.state.session(id);
        let (owners, unseen, known) = self.owners(id, &dir);
        let last_activity = dir.last_activity();
        let quiet = last_activity.is_none_or(|last| last.age(self.now) >= self.idle_timeout);
        let state = if !owners.is_empty() {
            if quiet && open_calls(&dir) == 0 {
                SessionState::Idle
            } else {
                SessionState::Active
            }
        } else if unseen > 0 && !quiet {
            // An end is the end of one owner; another, which cannot be seen from here, may go on.
            SessionState::Active
        } else if has_ended(&dir, record) {
            SessionState::Ended
        } else if known == 0 && !quiet {
            SessionState::Active
        } else {
            SessionState::Abandoned
        };
        Finding {
            state,
            last_activity,
            owners,
            unseen,
            known,
        }
    }

    /// Whether a process has the session, or may have it: one that cannot be seen from here is not dead.
    pub fn is_owned(&self, id: &SessionId) -> bool {
        let (alive, unseen, _) = self.owners(id, &self.state.session(id));
        !alive.is_empty() || unseen > 0
    }

    /// The owners that run, the number of those that cannot be seen, and the number on record.
    fn owners(&self, id: &SessionId, dir: &SessionDir) -> (Vec<Owner>, usize, usize) {
        let list = dir.owner_list();
        let known = list.len();
        let Some(viewpoint) = &self.viewpoint else {
            return (Vec::new(), known, known);
        };
        let mut alive = Vec::new();
        let mut unseen = 0;
        for owner in list {
            match viewpoint.judge(&owner) {
                Life::Alive if self.is_still_in(&owner, id) => alive.push(owner),
                Life::Alive | Life::Dead => {}
                Life::Unseen => unseen += 1,
            }
        }
        (alive, unseen, known)
    }

    /// A running client that went on to another session (`/clear`, `/resume`) is no owner of this one any more.
    fn is_still_in(&self, owner: &Owner, id: &SessionId) -> bool {
        index::session_of_process(self.state, owner).is_none_or(|now_in| now_in == *id)
    }
}

/// Whether the last word on the session's life is that it ended. A late event after the end reopens nothing; a start or
/// a prompt does.
fn has_ended(dir: &SessionDir, record: &Record) -> bool {
    let mut ended = record.ended_at.is_some();
    let Ok(events) = dir.last_events(TAIL) else {
        return ended;
    };
    for event in events {
        match event.event.as_str() {
            name::SESSION_END => ended = true,
            name::SESSION_START | name::USER_PROMPT_SUBMIT
                if ended && !is_before_end(&event, record) =>
            {
                ended = false
            }
            _ => {}
        }
    }
    ended
}

/// A record that the CLI closed after the last event stays closed.
fn is_before_end(event: &Event, record: &Record) -> bool {
    matches!((event.ts, record.ended_at), (Some(at), Some(end)) if at <= end)
}

/// How many calls have begun and not ended, by the whole journal.
pub fn open_calls(dir: &SessionDir) -> usize {
    dir.events().map_or(0, open_calls_in)
}

fn open_calls_in(events: impl Iterator<Item = Event>) -> usize {
    let mut open: HashSet<(Option<String>, String)> = HashSet::new();
    for event in events {
        let call = event.tool_use_id.map(|id| (event.agent_id.clone(), id));
        match (event.event.as_str(), call) {
            (name::PRE_TOOL_USE, Some(call)) => {
                open.insert(call);
            }
            (
                name::POST_TOOL_USE | name::POST_TOOL_USE_FAILURE | name::PERMISSION_DENIED,
                Some(call),
            ) => {
                open.remove(&call);
            }
            (name::POST_TOOL_BATCH, _) => {
                for id in event.calls.into_iter().filter_map(|call| call.tool_use_id) {
                    open.remove(&(event.agent_id.clone(), id));
                }
            }
            (name::STOP | name::STOP_FAILURE | name::USER_PROMPT_SUBMIT, _) => {
                open.retain(|(agent, _)| agent.is_some())
            }
            (name::SUBAGENT_STOP, _) if event.agent_id.is_some() => {
                open.retain(|(agent, _)| *agent != event.agent_id);
            }
            (name::SESSION_END, _) => open.clear(),
            _ => {}
        }
    }
    open.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(event: &str, tool_use_id: Option<&str>, agent: Option<&str>) -> Event {
        Event {
            event: event.to_owned(),
            tool_use_id: tool_use_id.map(str::to_owned),
            agent_id: agent.map(str::to_owned),
            ..Event::default()
        }
    }

    #[track_caller]
    fn check(events: &[Event], open: usize) {
        assert_eq!(open_calls_in(events.iter().cloned()), open);
    }

    #[test]
    fn a_call_is_open_until_something_ends_it() {
        let pre = event(name::PRE_TOOL_USE, Some("t1"), None);
        check(std::slice::from_ref(&pre), 1);
        check(
            &[pre.clone(), event(name::POST_TOOL_USE, Some("t1"), None)],
            0,
        );
        check(
            &[pre.clone(), event(name::POST_TOOL_USE, Some("t2"), None)],
            1,
        );
        check(&[pre.clone(), event(name::STOP, None, None)], 0);
        check(&[pre, event(name::SESSION_END, None, None)], 0);
    }

    #[test]
    fn the_end_of_a_turn_leaves_a_background_agents_calls_open() {
        let pre = event(name::PRE_TOOL_USE, Some("t1"), Some("a1"));
        check(&[pre.clone(), event(name::STOP, None, None)], 1);
        check(
            &[pre.clone(), event(name::SUBAGENT_STOP, None, Some("a2"))],
            1,
        );
        check(&[pre, event(name::SUBAGENT_STOP, None, Some("a1"))], 0);
    }
}
