//! Archives sessions: ended ones, live ones, and those whose transcripts Claude Code will soon
//! delete.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::{Sweep, TaskOutcome};
use crate::archive::expiring::expiring;
use crate::archive::{self, ArchiveError, ArchiveRequest, SessionArchive, archive};
use crate::claude::transcript;
use crate::cleanup::CleanupMode;
use crate::cleanup::report::CleanupReport;
use crate::cleanup::task::{Task, TaskKind};
use crate::identity::liveness::Departure;
use crate::lifecycle::recorded_end;
use crate::model::{Record, SessionId, Timestamp};
use crate::store::archive::Archives;
use crate::store::archive_queue::{self, QueueEntry};
use crate::store::lock::Lock;
use crate::store::log::{self, Log, LogLine};
use crate::store::{Error, Result, exclusion, index};

/// How long a transcript may grow after the end of its session. In a measurement, Claude Code wrote
/// the last line 170 ms after the SessionEnd hook; a busy machine takes longer.
const GROWS: Duration = Duration::from_secs(10);

/// The outcome of an attempt to archive a session.
enum ArchivingOutcome {
    /// Everything that could be done is done.
    Done,
    /// Another process is archiving, or Claude Code may still write: the next cleanup tries again.
    Later,
    /// The reason why it failed.
    Failed(String),
}

impl Sweep<'_> {
    /// Archives the queued sessions. One that fails stays in the queue, and is tried again later.
    pub(in crate::cleanup) fn archive_queued(&self, report: &mut CleanupReport) {
        let state = self.judge.state;
        let entries = report.done(archive_queue::entries(state));
        let mut queued: BTreeMap<SessionId, Option<QueueEntry>> = entries
            .unwrap_or_default()
            .into_iter()
            .filter(|entry| self.mode != CleanupMode::Due || entry.is_due(self.judge.now))
            .map(|entry| (entry.id.clone(), Some(entry)))
            .collect();
        if self.is_dry_run() {
            // A real run would have put the sessions that it retired into the queue.
            for task in report.of(TaskKind::Retired) {
                if let Task::Retire { id, how, .. } = task
                    && self.archives_after(*how)
                {
                    queued.entry(id.clone()).or_insert(None);
                }
            }
        }
        for (id, entry) in queued {
            let attempt = self.archive_ended(&id, report);
            let Some(entry) = entry.filter(|_| !self.is_dry_run()) else {
                continue;
            };
            match attempt {
                ArchivingOutcome::Done => report.done(archive_queue::dequeue(state, &entry)),
                ArchivingOutcome::Failed(why) => {
                    report.done(archive_queue::postpone(state, &entry, &why, self.judge.now))
                }
                ArchivingOutcome::Later => None,
            };
        }
    }

    /// Archives a queued session unless it was resumed.
    fn archive_ended(&self, id: &SessionId, report: &mut CleanupReport) -> ArchivingOutcome {
        // A record that cannot be read now may be readable later.
        if let Err(err) = self.judge.state.session(id).record() {
            return ArchivingOutcome::Failed(err.to_string());
        }
        match self.judge.departure(id) {
            // The session was resumed, so its next end queues it again.
            None | Some(Departure::Unrecorded) => ArchivingOutcome::Done,
            Some(how) => match self.end_and_archive(id, how, report) {
                ArchivingOutcome::Done if self.may_grow(id, how) => ArchivingOutcome::Later,
                attempt => attempt,
            },
        }
    }

    /// Returns whether Claude Code may still write to the transcript of a session that has ended.
    /// If the clock was set back, the last activity may be far in the future. It then counts as
    /// old, so that no session waits for the clock to catch up.
    fn may_grow(&self, id: &SessionId, how: Departure) -> bool {
        let now = self.judge.now;
        let is_new = |last: Timestamp| last.age(now).max(last.ahead(now)) < GROWS;
        let last = self.judge.state.session(id).last_activity();
        self.archives_after(how) && how == Departure::Ended && last.is_some_and(is_new)
    }

    /// Archives what was added to live sessions. Claude Code deletes every transcript that has not
    /// changed for a long time, even that of a live session.
    pub(super) fn archive_live(&self, report: &mut CleanupReport) {
        if !self.host.config.archive_auto {
            return;
        }
        let state = self.judge.state;
        let candidates = report.done(index::live_candidates(state));
        let candidates = candidates.unwrap_or_default().into_iter();
        let mut ids: BTreeSet<SessionId> = candidates.map(|(_, id)| id).collect();
        ids.extend(report.sessions(TaskKind::Listed));
        let retired = report.sessions(TaskKind::Retired);
        ids.retain(|id| !retired.contains(id));
        for id in ids {
            let dir = state.session(&id);
            // A session without a transcript has no messages yet.
            if transcript::find(self.host.env, &dir, &id).is_none() {
                continue;
            }
            if let Ok(Some(_)) = dir.record() {
                self.archive(&id, None, report);
            }
        }
    }

    /// Archives sessions whose transcripts Claude Code will soon delete and that are not queued.
    /// These are imported sessions, those that ended while archiving was off, and those with
    /// messages since they were archived.
    pub(super) fn archive_expiring(&self, keeps: f64, report: &mut CleanupReport) -> Result<()> {
        if self.host.config.archive_auto {
            let soon = expiring(self.host, &self.judge, keeps)?;
            for id in soon.iter().map(|expiring| &expiring.id) {
                match self.judge.departure(id) {
                    Some(how) => self.end_and_archive(id, how, report),
                    None => self.archive(id, None, report),
                };
            }
        }
        Ok(())
    }

    /// Records a session's end in its record, and archives the session if archiving is on.
    fn end_and_archive(
        &self,
        id: &SessionId,
        how: Departure,
        report: &mut CleanupReport,
    ) -> ArchivingOutcome {
        let noted = match self.is_dry_run() {
            true => recorded_end::foreseen(&self.judge, id)
                .map(|noted| TaskOutcome::of(noted.is_some())),
            false => {
                recorded_end::note(&self.judge, id).map(|noted| TaskOutcome::of(noted.is_some()))
            }
        };
        match noted {
            Ok(TaskOutcome::Yes) => report.add(Task::NoteEnd(id.clone())),
            Ok(TaskOutcome::NotNeeded) => {}
            Err(err) => {
                report.fail(&err);
                return ArchivingOutcome::Failed(err.to_string());
            }
        }
        match self.host.config.archive_auto {
            true => self.archive(id, Some(how), report),
            false => ArchivingOutcome::Done,
        }
    }

    /// Archives a session. `how` says how it ended; `None` means that it is live.
    fn archive(
        &self,
        id: &SessionId,
        how: Option<Departure>,
        report: &mut CleanupReport,
    ) -> ArchivingOutcome {
        let state = self.judge.state;
        // A session of an excluded project is archived only if a user asks for it.
        if let Ok(Some(record)) = state.session(id).record()
            && exclusion::of_record(self.host.env, &self.host.config.exclude, &record).is_some()
        {
            return ArchivingOutcome::Done;
        }
        let is_new = match self.is_dry_run() {
            true => self.has_news(id, report),
            false => Archives::of(state)
                .try_lock()
                .map_err(ArchiveError::from)
                .and_then(|lock| self.archive_under(lock, id))
                .map(|archived| !archived.was_there),
        };
        match is_new {
            Ok(is_new) => {
                if is_new {
                    let id = id.clone();
                    report.add(Task::Archive { id, how });
                }
                ArchivingOutcome::Done
            }
            // The process that is archiving is probably a cleanup, too, and archives this session.
            Err(ArchiveError::Store(Error::Locked { .. })) => ArchivingOutcome::Later,
            Err(ArchiveError::Store(err)) => {
                report.fail(&err);
                ArchivingOutcome::Failed(err.to_string())
            }
            Err(ArchiveError::Unknown(_)) if self.is_dry_run() => ArchivingOutcome::Done,
            Err(err @ ArchiveError::Unknown(_)) => {
                let line = LogLine::new("session not archived").session(id);
                let why = err.to_string();
                let line = line.detail("why", why.as_str());
                match report.done(log::append(state, Log::Operations, &line)) {
                    Some(()) => ArchivingOutcome::Done,
                    None => ArchivingOutcome::Failed(why),
                }
            }
        }
    }

    /// Archives a session under the lock of the archives.
    pub(super) fn archive_under(
        &self,
        lock: Lock,
        id: &SessionId,
    ) -> std::result::Result<SessionArchive, ArchiveError> {
        let request = ArchiveRequest::default();
        archive(&self.search, self.judge.state, id, &request, lock)
    }

    /// For a dry run, returns whether archiving the session would change its archive.
    fn has_news(
        &self,
        id: &SessionId,
        report: &CleanupReport,
    ) -> std::result::Result<bool, ArchiveError> {
        let record = self.foreseen_record(id, report)?;
        record.map_or(Ok(false), |record| {
            archive::is_due(&self.search, self.judge.state, &record)
        })
    }

    /// Returns the record as it will be after the tasks reported so far. On a dry run, the
    /// session's end may be reported but not yet written.
    pub(super) fn foreseen_record(
        &self,
        id: &SessionId,
        report: &CleanupReport,
    ) -> Result<Option<Record>> {
        match self.is_dry_run() && report.contains(&Task::NoteEnd(id.clone())) {
            true => recorded_end::foreseen(&self.judge, id),
            false => self.judge.state.session(id).record(),
        }
    }

    /// Returns whether a session that ended this way is archived automatically.
    pub(super) fn archives_after(&self, how: Departure) -> bool {
        how != Departure::Unrecorded && self.host.config.archive_auto
    }
}
