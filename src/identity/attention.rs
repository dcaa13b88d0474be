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
use crate::store::processors::on_all_processors;
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
    /// Where it is.
    pub place: LastPlace,
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

/// A session that must be looked at.
#[derive(Debug)]
struct DueLook {
    id: SessionId,
    stamp: Stamp,
    /// Whether nothing was recorded since the last look.
    is_settled: bool,
}

/// The result of a look.
#[derive(Debug)]
enum Found {
    /// There is no record.
    Nothing,
    /// All is as before, at this time.
    Same(Timestamp),
    /// Anything may have changed.
    Changed(Box<(Seen, SessionLook)>),
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
        let due: Vec<DueLook> = ids
            .into_iter()
            .filter_map(|id| self.due(judge, id))
            .collect();
        // The first look reads all of them, and later ones those in which something happened.
        let found = on_all_processors(&due, |due| self.read(env, judge, due));
        let mut looks = Vec::new();
        for (due, found) in due.into_iter().zip(found) {
            match found {
                Found::Nothing => {}
                Found::Same(at) => {
                    if let Some(seen) = self.seen.get_mut(&due.id) {
                        seen.at = at;
                    }
                }
                Found::Changed(found) => {
                    let (seen, look) = *found;
                    self.seen.insert(due.id, seen);
                    looks.push(look);
                }
            }
        }
        Ok(looks)
    }

    /// Returns the sessions that the last look found live.
    pub fn live(&self) -> impl Iterator<Item = &SessionId> {
        let live = self
            .seen
            .iter()
            .filter(|(_, seen)| seen.finding.state.is_live());
        live.map(|(id, _)| id)
    }

    /// Returns a session that must be looked at: something may have happened in it.
    fn due(&self, judge: &Judge<'_>, id: SessionId) -> Option<DueLook> {
        let dir = judge.state.session(&id);
        let before = self.seen.get(&id);
        let stamp = stamp(&dir, before.and_then(|seen| seen.registry.as_ref()));
        let is_settled = before.is_some_and(|seen| seen.is_settled(&stamp));
        let is_fresh = before.is_some_and(|seen| seen.at.age(clock::now()) < AGAIN);
        (!is_settled || !is_fresh).then_some(DueLook {
            id,
            stamp,
            is_settled,
        })
    }

    /// Looks at a session.
    fn read(&self, env: &Environment, judge: &Judge<'_>, due: &DueLook) -> Found {
        let now = clock::now();
        let dir = judge.state.session(&due.id);
        let Ok(Some(record)) = dir.record() else {
            return Found::Nothing;
        };
        let judge = judge.again();
        let before = self.seen.get(&due.id);
        // Nothing was recorded, so the same calls are open. Only a process may be gone.
        if due.is_settled
            && let Some(seen) = before
            && seen.record == record
            && seen.finding.is_as(&judge.find_with(
                &due.id,
                &record,
                !seen.present.open_calls.is_empty(),
            ))
        {
            return Found::Same(now);
        }
        let finding = judge.find(&due.id, &record);
        let (present, place) = match finding.state.is_live() {
            true => present_and_place(env, &dir, &record, &finding, now),
            false => (Present::default(), LastPlace::default()),
        };
        let is_news = match before {
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
            stamp: due.stamp.clone(),
            registry,
            record: record.clone(),
            finding: finding.clone(),
            present: present.clone(),
        };
        let look = SessionLook {
            record,
            finding,
            present,
            place,
            is_news,
        };
        Found::Changed(Box::new((seen, look)))
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
