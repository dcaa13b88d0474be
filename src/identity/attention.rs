//! Finds out what a session does now, and whether it waits for a person: from its events, and from
//! what its running processes say about themselves.

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;
use std::time::Duration;

use super::liveness::{Assessment, Judge, SessionState};
use super::open_calls::{OpenCall, open_calls, recent};
use super::present::LastPlace;
use crate::claude::registry;
use crate::model::attention::{Attention, AttentionStatus, Need, SETTLING, Witness, need_of};
use crate::model::{Activity, OpenActivity, Record, SessionId, Timestamp, Trace};
use crate::store::{Environment, Result, SessionDir, clock, index};

/// How often [`Watch`] looks at a session that seems unchanged: its process may have been killed,
/// which leaves no trace.
const AGAIN: Duration = Duration::from_secs(10);

/// What a session does now.
#[derive(Debug, Clone, Default)]
pub struct Present {
    /// Whether it waits for a person.
    pub attention: Attention,
    /// The calls that have begun and not ended, oldest first.
    pub open_calls: Vec<OpenCall>,
}

/// Returns what a session does now, at `now`, by the end of its journal. One that is over does
/// nothing.
pub fn present(
    env: &Environment,
    dir: &SessionDir,
    record: &Record,
    finding: &Assessment,
    now: Timestamp,
) -> Present {
    if !finding.state.is_live() {
        return Present::default();
    }
    present_and_place(env, dir, record, finding, now).0
}

/// Acts as [`present`] for a live session, and returns where it is. Both take one look at the
/// journal.
pub fn present_and_place(
    env: &Environment,
    dir: &SessionDir,
    record: &Record,
    finding: &Assessment,
    now: Timestamp,
) -> (Present, LastPlace) {
    let statuses = statuses(env, record, finding);
    let mut place = LastPlace::default();
    let trace = recent(dir, |line| place.hear(line)).unwrap_or_default();
    let activity = OpenActivity::of(&trace).close(|pid| finding.has(pid));
    let mut open: Vec<OpenCall> = activity.open_calls().map(OpenCall::from).collect();
    let mut witness = Witness::of(&trace, &activity, |pid| finding.has(pid));
    let is_asking = statuses.iter().any(|status| status.shows_dialog());
    let is_long_call = finding.is_quiet && finding.state == SessionState::Active;
    // A call that began before the events that were read may still run, or ask. The note knows.
    if is_long_call || is_asking && !witness.has_dialog() {
        open = open_calls(dir);
        let asked = open.iter().find(|call| call.asked.is_some());
        witness = witness.or_dialog(asked.map(question));
    }
    let present = Present {
        attention: witness.attention(&statuses, now),
        open_calls: open,
    };
    (present, place)
}

/// Returns whether a session waits for a person, for a caller that has read all of its events.
/// `activity` is `trace`, folded and closed.
pub fn of_events(
    env: &Environment,
    record: &Record,
    finding: &Assessment,
    (trace, activity): (&Trace, &Activity<'_>),
    now: Timestamp,
) -> Attention {
    if !finding.state.is_live() {
        return Attention::default();
    }
    let witness = Witness::of(trace, activity, |pid| finding.has(pid));
    witness.attention(&statuses(env, record, finding), now)
}

/// Returns what the session's running processes say about themselves.
fn statuses(env: &Environment, record: &Record, finding: &Assessment) -> Vec<AttentionStatus> {
    let clients = finding.owners.iter().filter(|owner| !owner.launcher);
    let mut clients = clients.peekable();
    let folder = clients.peek().and_then(|_| registry::folder(env, record));
    let Some(folder) = folder else {
        return Vec::new();
    };
    clients
        .filter_map(|owner| registry::read(&folder, owner, &record.session_id))
        .collect()
}

fn question(call: &OpenCall) -> Attention {
    Attention {
        state: need_of(call.tool.as_deref()),
        since: call.asked,
        tool: call.tool.clone(),
        what: call.what.clone(),
        agent_id: call.agent_id.clone(),
        background: 0,
    }
}

/// Notices when live sessions begin to wait for a person, and when they go on. A look at a session
/// in which nothing happened takes a few system calls.
#[derive(Debug, Default)]
pub struct Watch {
    seen: HashMap<SessionId, Seen>,
}

/// What the last look at a session found.
#[derive(Debug)]
struct Seen {
    at: Timestamp,
    stamp: Stamp,
    /// Where its processes write about themselves, and which they are.
    registry: Option<(PathBuf, Vec<u32>)>,
    record: Record,
    finding: Assessment,
    present: Present,
}

/// What a look at one session found.
#[derive(Debug)]
pub struct SessionLook {
    /// The session's record.
    pub record: Record,
    /// Its state and owners.
    pub finding: Assessment,
    /// What it does now.
    pub present: Present,
    /// Whether it began to wait for something, or stopped, since the look before.
    is_news: bool,
}

/// When anything about a session last changed.
type Stamp = (Option<Timestamp>, Vec<Option<Timestamp>>);

/// A session that has begun to wait, or has stopped waiting.
#[derive(Debug)]
pub struct AttentionChange {
    /// The session's record.
    pub record: Record,
    /// What it waits for now.
    pub attention: Attention,
}

impl Watch {
    /// Looks at the live sessions that `is_wanted` accepts, and returns those that began to wait
    /// for something, or stopped, since the last look. A session that no look has seen before is
    /// returned if it waits for more than its first prompt.
    ///
    /// # Errors
    /// Those of [`index::live_candidates`].
    pub fn look(
        &mut self,
        env: &Environment,
        judge: &Judge<'_>,
        is_wanted: impl Fn(&SessionId) -> bool,
    ) -> Result<Vec<AttentionChange>> {
        let looks = self.examine(env, judge, is_wanted)?;
        let news = looks.into_iter().filter(|look| look.is_news);
        Ok(news.map(AttentionChange::from).collect())
    }

    /// Looks at the live sessions that `is_wanted` accepts, and returns those of which anything may
    /// have changed since the last look. Of one that is over, a last look is returned.
    ///
    /// # Errors
    /// Those of [`index::live_candidates`].
    pub fn examine(
        &mut self,
        env: &Environment,
        judge: &Judge<'_>,
        is_wanted: impl Fn(&SessionId) -> bool,
    ) -> Result<Vec<SessionLook>> {
        let ids: BTreeSet<SessionId> = index::live_candidates(judge.state)?
            .into_iter()
            .map(|(_, id)| id)
            .filter(|id| is_wanted(id))
            .collect();
        self.seen.retain(|id, _| ids.contains(id));
        Ok(ids
            .into_iter()
            .filter_map(|id| self.look_at(env, judge, id))
            .collect())
    }

    /// Returns the sessions that the last look found live.
    pub fn live(&self) -> impl Iterator<Item = &SessionId> {
        let live = self
            .seen
            .iter()
            .filter(|(_, seen)| seen.finding.state.is_live());
        live.map(|(id, _)| id)
    }

    fn look_at(
        &mut self,
        env: &Environment,
        judge: &Judge<'_>,
        id: SessionId,
    ) -> Option<SessionLook> {
        let dir = judge.state.session(&id);
        let now = clock::now();
        let before = self.seen.get_mut(&id);
        let stamp = stamp(
            &dir,
            before.as_ref().and_then(|seen| seen.registry.as_ref()),
        );
        let is_settled = before.as_ref().is_some_and(|seen| seen.is_settled(&stamp));
        if is_settled && before.as_ref().is_some_and(|seen| seen.at.age(now) < AGAIN) {
            return None;
        }
        let record = dir.record().ok()??;
        let judge = judge.again();
        // Nothing was recorded, so the same calls are open. Only a process may be gone.
        if is_settled
            && let Some(seen) = before
            && seen.record == record
            && seen.finding.is_as(&judge.find_with(
                &id,
                &record,
                !seen.present.open_calls.is_empty(),
            ))
        {
            seen.at = now;
            return None;
        }
        let finding = judge.find(&id, &record);
        let present = present(env, &dir, &record, &finding, now);
        let is_news = match self.seen.get(&id) {
            Some(seen) => {
                let (was, is) = (&seen.present.attention, &present.attention);
                (was.state, was.since) != (is.state, is.since)
            }
            // The person who has just started a session knows that it wants a prompt.
            None => !matches!(present.attention.state, Need::None | Need::Prompt),
        };
        let clients = finding.owners.iter().filter(|owner| !owner.launcher);
        let registry = registry::folder(env, &record)
            .map(|folder| (folder, clients.map(|owner| owner.pid).collect()));
        // The stamp is older than what was read, so a change meanwhile is noticed at the next look.
        let seen = Seen {
            at: now,
            stamp,
            registry,
            record: record.clone(),
            finding: finding.clone(),
            present: present.clone(),
        };
        self.seen.insert(id, seen);
        Some(SessionLook {
            record,
            finding,
            present,
            is_news,
        })
    }
}

impl Seen {
    /// Returns whether nothing has been written since, and what was written is complete: shortly
    /// after an event, the status may not be written yet.
    fn is_settled(&self, stamp: &Stamp) -> bool {
        let is_complete = |at: Timestamp| at.age(self.at) > SETTLING;
        self.stamp == *stamp && stamp.0.is_none_or(is_complete)
    }
}

impl From<SessionLook> for AttentionChange {
    fn from(look: SessionLook) -> Self {
        Self {
            record: look.record,
            attention: look.present.attention,
        }
    }
}

fn stamp(dir: &SessionDir, registry: Option<&(PathBuf, Vec<u32>)>) -> Stamp {
    let written = registry.map(|(folder, pids)| {
        let changed = pids.iter().map(|pid| registry::changed(folder, *pid));
        changed.collect()
    });
    (dir.last_activity(), written.unwrap_or_default())
}
