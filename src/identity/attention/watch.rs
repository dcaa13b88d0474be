//! Notices when live sessions begin to wait for a person, and when they go on.

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;
use std::time::Duration;

use super::reports::{SessionReports, WrittenSince};
use super::{Present, present_and_place};
use crate::claude::registry;
use crate::identity::liveness::{Assessment, Judge};
use crate::identity::present::LastPlace;
use crate::model::attention::{Attention, Need, SETTLING};
use crate::model::{Record, SessionId, Timestamp};
use crate::store::processors::on_all_processors;
use crate::store::{Environment, Result, SessionDir, clock, index};

/// How often a session that seems unchanged is looked at: its process may have been killed, which
/// leaves no trace. Where the system does not report changes, they are noticed then, too.
const AGAIN: Duration = Duration::from_secs(10);
/// How often everything about such a session is read again where the system does.
const THOROUGHLY: Duration = Duration::from_secs(60);

/// Watches the live sessions. A look at one in which nothing happened takes a few system calls, and
/// none where the system reports what is written.
#[derive(Debug, Default)]
pub struct Watch {
    /// The only session that is watched; `None` for all.
    only: Option<SessionId>,
    seen: HashMap<SessionId, Seen>,
    candidates: LiveCandidates,
    reports: SessionReports,
}

/// The sessions that may be live.
#[derive(Debug, Default)]
struct LiveCandidates {
    ids: BTreeSet<SessionId>,
    /// When they were listed; `None` if that must be done again at the next look.
    listed: Option<Timestamp>,
}

/// What the last look at a session found.
#[derive(Debug)]
struct Seen {
    at: Timestamp,
    /// When everything about it was read.
    read: Timestamp,
    stamp: SessionStamp,
    /// Whether the system reports what is written after the stamp.
    is_reported: bool,
    registry: Option<Registry>,
    record: Record,
    finding: Assessment,
    present: Present,
}

/// Where the processes of a session write about themselves, and which they are.
#[derive(Debug, Clone)]
struct Registry {
    folder: PathBuf,
    pids: Vec<u32>,
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
type SessionStamp = (Option<Timestamp>, Vec<Option<Timestamp>>);

/// A session that has begun to wait, or has stopped waiting.
#[derive(Debug)]
pub struct AttentionChange {
    /// The session's record.
    pub record: Record,
    /// What it waits for now.
    pub attention: Attention,
}

/// What may have happened in a session since the last look.
#[derive(Debug, Clone, Copy)]
enum PossibleChange {
    /// Something was written.
    Writing,
    /// Nothing was written, but a process may be gone.
    Exit,
}

/// A session that must be looked at.
#[derive(Debug)]
struct DueLook {
    id: SessionId,
    stamp: SessionStamp,
    is_reported: bool,
    /// Whether nothing was recorded since the last look.
    is_settled: bool,
}

/// The result of a look.
#[derive(Debug)]
enum LookResult {
    /// There is no record.
    Nothing,
    /// All is as before, at this time. Nothing but the processes was looked at.
    Running(Timestamp),
    /// All is as before, at this time.
    Same(Timestamp),
    /// Anything may have changed.
    Changed(Box<(Seen, SessionLook)>),
}

impl Watch {
    /// Watches all live sessions.
    pub fn of_all() -> Self {
        Self::default()
    }

    /// Watches one session while it is live.
    pub fn of_one(id: SessionId) -> Self {
        Self {
            only: Some(id),
            ..Self::default()
        }
    }

    /// Looks at the sessions, and returns those that began to wait for something, or stopped, since
    /// the last look. A session that no look has seen before is returned if it waits for more than
    /// its first prompt.
    ///
    /// # Errors
    /// Those of [`index::live_candidates`].
    pub fn look(&mut self, env: &Environment, judge: &Judge<'_>) -> Result<Vec<AttentionChange>> {
        let looks = self.examine(env, judge)?;
        let news = looks.into_iter().filter(|look| look.is_news);
        Ok(news.map(AttentionChange::from).collect())
    }

    /// Looks at the sessions, and returns those of which anything may have changed since the last
    /// look. Of one that is over, a last look is returned.
    ///
    /// # Errors
    /// Those of [`index::live_candidates`].
    pub fn examine(&mut self, env: &Environment, judge: &Judge<'_>) -> Result<Vec<SessionLook>> {
        let now = clock::now();
        let written = self.reports.take();
        self.list(judge, &written, now)?;
        let due: Vec<DueLook> = self
            .doubtful(&written, now)
            .into_iter()
            .filter_map(|(id, doubt)| self.due(judge, id, doubt, now))
            .collect();
        // The first look reads all of them, and later ones those in which something happened.
        let found = on_all_processors(&due, |due| self.read(env, judge, due));
        let mut looks = Vec::new();
        for (due, found) in due.into_iter().zip(found) {
            let (at, is_read) = match found {
                LookResult::Nothing => continue,
                LookResult::Running(at) => (at, false),
                LookResult::Same(at) => (at, true),
                LookResult::Changed(found) => {
                    let (seen, look) = *found;
                    self.seen.insert(due.id, seen);
                    looks.push(look);
                    continue;
                }
            };
            if let Some(seen) = self.seen.get_mut(&due.id) {
                seen.at = at;
                seen.is_reported = due.is_reported;
                if is_read {
                    seen.read = at;
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

    /// Lists the sessions that may be live, unless they are the same as before.
    fn list(&mut self, judge: &Judge<'_>, written: &WrittenSince, now: Timestamp) -> Result<()> {
        let is_recent = |at| is_within(at, AGAIN, now);
        let is_known = self.candidates.listed.is_some_and(is_recent);
        if is_known && !written.is_unknown && !written.has_index {
            return Ok(());
        }
        // Reported from before the list is made, so that nothing is missed between.
        let is_reported = self.reports.add_index(judge.state);
        let listed = index::live_candidates(judge.state)?;
        let ids = listed.into_iter().map(|(_, id)| id);
        let is_wanted = |id: &SessionId| self.only.as_ref().is_none_or(|only| only == id);
        self.candidates.ids = ids.filter(is_wanted).collect();
        self.candidates.listed = is_reported.then_some(now);
        self.seen.retain(|id, _| self.candidates.ids.contains(id));
        self.reports.keep(&self.candidates.ids);
        Ok(())
    }

    /// Returns the sessions in which something may have happened since the last look, in the order
    /// of their ids.
    fn doubtful(&self, written: &WrittenSince, now: Timestamp) -> Vec<(SessionId, PossibleChange)> {
        let known = self.seen.iter();
        let mut found: Vec<(SessionId, PossibleChange)> = known
            .filter_map(|(id, seen)| {
                seen.doubt(id, written, now)
                    .map(|doubt| (id.clone(), doubt))
            })
            .collect();
        // Every session that was seen is a candidate, so usually there is no other one.
        if self.seen.len() < self.candidates.ids.len() {
            let ids = self.candidates.ids.iter();
            let new = ids.filter(|id| !self.seen.contains_key(id));
            found.extend(new.map(|id| (id.clone(), PossibleChange::Writing)));
        }
        found.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        found
    }

    /// Returns a session that must be looked at: something happened in it, or may have.
    fn due(
        &mut self,
        judge: &Judge<'_>,
        id: SessionId,
        doubt: PossibleChange,
        now: Timestamp,
    ) -> Option<DueLook> {
        let before = self.seen.get_mut(&id);
        let registry = before.as_ref().and_then(|seen| seen.registry.as_ref());
        // Until the first look has found where its processes write, not everything is reported.
        let folder = registry.map(|registry| registry.folder.as_path());
        let is_reported = self.reports.add_session(judge.state, &id, folder) && before.is_some();
        let stamp = match (&before, doubt) {
            // The system has reported no change.
            (Some(before), PossibleChange::Exit) => before.stamp.clone(),
            _ => stamp(&judge.state.session(&id), registry),
        };
        let Some(before) = before else {
            return Some(DueLook {
                id,
                stamp,
                is_reported,
                is_settled: false,
            });
        };
        let is_settled = before.is_settled(&stamp);
        if is_settled && before.is_fresh(now) {
            before.is_reported = is_reported;
            return None;
        }
        Some(DueLook {
            id,
            stamp,
            is_reported,
            is_settled,
        })
    }

    /// Looks at a session.
    fn read(&self, env: &Environment, judge: &Judge<'_>, due: &DueLook) -> LookResult {
        let now = clock::now();
        let judge = judge.again();
        let before = self.seen.get(&due.id);
        if due.is_settled
            && let Some(seen) = before
            && seen.is_reported
            && is_within(seen.read, THOROUGHLY, now)
            && judge.still_run(&seen.finding)
        {
            return LookResult::Running(now);
        }
        let dir = judge.state.session(&due.id);
        let Ok(Some(record)) = dir.record() else {
            return LookResult::Nothing;
        };
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
            return LookResult::Same(now);
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
        let registry = Registry::of(env, &record, &finding);
        // What is reported was asked for before anything was read, but only of the same folder.
        let folder = |registry: &Registry| registry.folder.clone();
        let is_same_folder = before.is_some_and(|seen| {
            seen.registry.as_ref().map(folder) == registry.as_ref().map(folder)
        });
        // The stamp is older than what was read, so a change meanwhile is noticed at the next look.
        let seen = Seen {
            at: now,
            read: now,
            stamp: due.stamp.clone(),
            is_reported: due.is_reported && is_same_folder,
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
        LookResult::Changed(Box::new((seen, look)))
    }
}

impl Seen {
    /// Returns what may have happened in session `id` since this look; `None` if nothing.
    fn doubt(
        &self,
        id: &SessionId,
        written: &WrittenSince,
        now: Timestamp,
    ) -> Option<PossibleChange> {
        let is_said =
            |registry: &Registry| registry.pids.iter().any(|it| written.pids.contains(it));
        let may_be_written = !self.is_reported
            || !self.is_complete()
            || written.is_unknown
            || written.sessions.contains(id)
            || self.registry.as_ref().is_some_and(is_said);
        if may_be_written {
            return Some(PossibleChange::Writing);
        }
        let is_read = is_within(self.read, THOROUGHLY, now);
        let doubt = if is_read {
            PossibleChange::Exit
        } else {
            PossibleChange::Writing
        };
        (!self.is_fresh(now)).then_some(doubt)
    }

    /// Returns whether nothing has been written since, and what was written is complete.
    fn is_settled(&self, stamp: &SessionStamp) -> bool {
        self.stamp == *stamp && self.is_complete()
    }

    /// Returns whether what was written is complete: shortly after an event, the status may not be
    /// written yet.
    fn is_complete(&self) -> bool {
        let is_complete = |at: Timestamp| at.age(self.at) > SETTLING;
        self.stamp.0.is_none_or(is_complete)
    }

    /// Returns whether the last look was a moment ago.
    fn is_fresh(&self, now: Timestamp) -> bool {
        is_within(self.at, AGAIN, now)
    }
}

impl Registry {
    /// Returns where the processes of a session write about themselves.
    fn of(env: &Environment, record: &Record, finding: &Assessment) -> Option<Self> {
        let clients = finding.owners.iter().filter(|owner| !owner.launcher);
        Some(Self {
            folder: registry::folder(env, record)?,
            pids: clients.map(|owner| owner.pid).collect(),
        })
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

/// Returns whether `at` was less than `time` ago. If the clock was set back, it counts as long ago.
fn is_within(at: Timestamp, time: Duration, now: Timestamp) -> bool {
    at <= now && at.age(now) < time
}

fn stamp(dir: &SessionDir, registry: Option<&Registry>) -> SessionStamp {
    let written = registry.map(|registry| {
        let changed = |pid: &u32| registry::changed(&registry.folder, *pid);
        registry.pids.iter().map(changed).collect()
    });
    (dir.last_activity(), written.unwrap_or_default())
}
