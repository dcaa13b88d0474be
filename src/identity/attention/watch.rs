//! Notices when live sessions begin to wait for a person, and when they go on.

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;
use std::time::Duration;

use super::reports::{SessionReports, WrittenSince};
use super::{Present, present_and_place};
use crate::claude::registry;
use crate::identity::journal_end::JournalEnd;
use crate::identity::liveness::{Assessment, Judge};
use crate::identity::present::LastPlace;
use crate::model::attention::{Attention, Need, SETTLING};
use crate::model::{Record, SessionId, Timestamp};
use crate::store::processors::on_all_processors;
use crate::store::{Environment, Result, SessionDir, clock, index};

/// How often a session without a reported change is examined. Its process may have been killed,
/// which no file shows. If the operating system does not report changes, this is also how soon they
/// are noticed.
const AGAIN: Duration = Duration::from_secs(10);
/// How often all files of a session without a reported change are read again, in case a report was
/// missed.
const THOROUGHLY: Duration = Duration::from_secs(60);

/// Watches the live sessions. Examining a session in which nothing happened takes a few system
/// calls, and none if the operating system reports changes.
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
    /// When they were listed; `None` if the next call has to list them again.
    listed: Option<Timestamp>,
}

/// What was found when a session was last examined.
#[derive(Debug)]
struct Seen {
    at: Timestamp,
    /// When all files of the session were last read.
    read: Timestamp,
    stamp: SessionStamp,
    /// Whether the operating system reports all writes since `stamp`.
    is_reported: bool,
    registry: Option<Registry>,
    record: Record,
    finding: Assessment,
    present: Present,
}

/// The folder with the status files of a session's Claude Code processes, and their pids.
#[derive(Debug, Clone)]
struct Registry {
    folder: PathBuf,
    pids: Vec<u32>,
}

/// What examining one session found.
#[derive(Debug)]
pub struct SessionLook {
    /// The session's record.
    pub record: Record,
    /// The session's state and owners.
    pub finding: Assessment,
    /// What the session does now.
    pub present: Present,
    /// The session's place: its directory and transcript.
    pub place: LastPlace,
    /// Whether the session has begun to wait for something, or stopped waiting, since it was last
    /// examined.
    is_news: bool,
}

/// When the files of a session last changed: its journal, and the status file of each of its
/// processes.
type SessionStamp = (Option<Timestamp>, Vec<Option<Timestamp>>);

/// A session that has begun to wait for a person, or has stopped waiting.
#[derive(Debug)]
pub struct AttentionChange {
    /// The session's record.
    pub record: Record,
    /// What the session waits for now.
    pub attention: Attention,
}

/// What may have happened in a session since it was last examined.
#[derive(Debug, Clone, Copy)]
enum PossibleChange {
    /// A file of the session may have been written.
    Writing,
    /// No file was written, but a process may have ended.
    Exit,
}

/// A session that has to be examined.
#[derive(Debug)]
struct DueLook {
    id: SessionId,
    stamp: SessionStamp,
    is_reported: bool,
    /// Whether no event and no status was written since the session was last examined.
    is_settled: bool,
}

/// The result of examining a session.
#[derive(Debug)]
enum LookResult {
    /// The session has no readable record.
    Nothing,
    /// Nothing has changed until this time. Only the processes were examined.
    Running(Timestamp),
    /// Nothing has changed until this time. The files were read.
    Same(Timestamp),
    /// Something may have changed; contains what was found.
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

    /// Examines the sessions, and returns those that have begun to wait for something, or have
    /// stopped waiting, since the last call. A session that is new to this watch is returned if it
    /// waits for anything but its first prompt.
    ///
    /// # Errors
    /// Fails if the live index cannot be listed.
    pub fn look(&mut self, env: &Environment, judge: &Judge<'_>) -> Result<Vec<AttentionChange>> {
        let looks = self.examine(env, judge)?;
        let news = looks.into_iter().filter(|look| look.is_news);
        Ok(news.map(AttentionChange::from).collect())
    }

    /// Examines the sessions, and returns those in which something may have changed since the last
    /// call. A session that is over is returned one last time.
    ///
    /// # Errors
    /// Fails if the live index cannot be listed.
    pub fn examine(&mut self, env: &Environment, judge: &Judge<'_>) -> Result<Vec<SessionLook>> {
        let now = clock::now();
        let written = self.reports.take();
        self.list(judge, &written, now)?;
        let due: Vec<DueLook> = self
            .doubtful(&written, now)
            .into_iter()
            .filter_map(|(id, doubt)| self.due(judge, id, doubt, now))
            .collect();
        // The first call reads all sessions, which is worth all processors; later calls read only
        // those in which something happened.
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

    /// Returns the sessions that were live when they were last examined.
    pub fn live(&self) -> impl Iterator<Item = &SessionId> {
        let live = self
            .seen
            .iter()
            .filter(|(_, seen)| seen.finding.state.is_live());
        live.map(|(id, _)| id)
    }

    /// Lists the sessions that may be live, unless the last list is recent and no change was
    /// reported.
    fn list(&mut self, judge: &Judge<'_>, written: &WrittenSince, now: Timestamp) -> Result<()> {
        let is_recent = |at| is_within(at, AGAIN, now);
        let is_known = self.candidates.listed.is_some_and(is_recent);
        if is_known && !written.is_unknown && !written.has_index {
            return Ok(());
        }
        // Start watching before listing, so that no change in between is missed.
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

    /// Returns the sessions in which something may have happened since they were last examined,
    /// ordered by id.
    fn doubtful(&self, written: &WrittenSince, now: Timestamp) -> Vec<(SessionId, PossibleChange)> {
        let known = self.seen.iter();
        let mut found: Vec<(SessionId, PossibleChange)> = known
            .filter_map(|(id, seen)| {
                seen.doubt(id, written, now)
                    .map(|doubt| (id.clone(), doubt))
            })
            .collect();
        // All sessions in `seen` are candidates. So with equal counts there is no new candidate.
        if self.seen.len() < self.candidates.ids.len() {
            let ids = self.candidates.ids.iter();
            let new = ids.filter(|id| !self.seen.contains_key(id));
            found.extend(new.map(|id| (id.clone(), PossibleChange::Writing)));
        }
        found.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        found
    }

    /// Returns the session as due if it has to be examined, or `None` if a check of its files shows
    /// that nothing happened.
    fn due(
        &mut self,
        judge: &Judge<'_>,
        id: SessionId,
        doubt: PossibleChange,
        now: Timestamp,
    ) -> Option<DueLook> {
        let before = self.seen.get_mut(&id);
        let registry = before.as_ref().and_then(|seen| seen.registry.as_ref());
        // The first examination finds the folder of the status files. Until then, not all changes
        // are reported.
        let folder = registry.map(|registry| registry.folder.as_path());
        let is_reported = self.reports.add_session(judge.state, &id, folder) && before.is_some();
        let stamp = match (&before, doubt) {
            // No change was reported, so the times are as before.
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

    /// Examines a session.
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
        // No event was recorded, so the same calls are open. Only a process may have ended.
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
            true => present_and_place(env, &JournalEnd::of(&dir, now), &record, &finding),
            false => (Present::default(), LastPlace::default()),
        };
        let is_news = match before {
            Some(seen) => {
                let (was, is) = (&seen.present.attention, &present.attention);
                (was.state, was.since) != (is.state, is.since)
            }
            // A new session that waits for its first prompt is no news: the person has just started
            // it.
            None => !matches!(present.attention.state, Need::None | Need::Prompt),
        };
        let registry = Registry::of(env, &record, &finding);
        // Changes count as reported only if the folder was watched before it was read. That is true
        // only if the folder is the same as before.
        let folder = |registry: &Registry| registry.folder.clone();
        let is_same_folder = before.is_some_and(|seen| {
            seen.registry.as_ref().map(folder) == registry.as_ref().map(folder)
        });
        // The stamp was taken before the files were read, so the next call notices a change in
        // between.
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
    /// Returns what may have happened in session `id` since then; `None` if nothing.
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

    /// Returns whether no file was written since, and all files were complete then.
    fn is_settled(&self, stamp: &SessionStamp) -> bool {
        self.stamp == *stamp && self.is_complete()
    }

    /// Returns whether the files were complete when the session was examined. Shortly after an
    /// event, Claude Code may not have written its status yet.
    fn is_complete(&self) -> bool {
        let is_complete = |at: Timestamp| at.age(self.at) > SETTLING;
        self.stamp.0.is_none_or(is_complete)
    }

    /// Returns whether the session was examined less than [`AGAIN`] ago.
    fn is_fresh(&self, now: Timestamp) -> bool {
        is_within(self.at, AGAIN, now)
    }
}

impl Registry {
    /// Returns the folder and the pids for the status files of a session's processes.
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

/// Returns whether `at` was less than `time` ago. A time in the future, after the clock was set
/// back, counts as long ago.
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
