//! Removes sessions and archives that are older than the retention limits.

use std::collections::BTreeSet;
use std::time::Duration;

use super::{Sweep, TaskOutcome};
use crate::archive::{self, ArchiveError};
use crate::cleanup::report::CleanupReport;
use crate::cleanup::task::{Task, TaskKind};
use crate::identity::liveness::LOST;
use crate::model::{Record, SessionId, Timestamp};
use crate::store::archive::{Archive, Archives};
use crate::store::lock::{CLI_PATIENCE, Lock};
use crate::store::{Result, archive_queue, tombstones};

/// The age from which the time of an event is trusted: by then, a wrong system clock has been
/// corrected.
const SETTLED: Duration = Duration::from_secs(10 * 60);

impl Sweep<'_> {
    /// Removes what is older than its limit. A session is removed only if it is archived.
    pub(super) fn prune(&self, report: &mut CleanupReport) {
        let age = self.age(report);
        // On a dry run: the sessions that would have a new archive.
        let mut newly_archived = report.sessions(TaskKind::Archived);
        if let Some(keep) = self.host.config.retention_sessions {
            let pruned = self.prune_sessions(keep, &age, &mut newly_archived, report);
            report.done(pruned);
        }
        if let Some(keep) = self.host.config.retention_archive {
            let pruned = self.prune_archives(keep, &age, &newly_archived, report);
            report.done(pruned);
        }
    }

    /// Returns a function that tells how old something is, by a cautious clock.
    ///
    /// That clock is at most a day ahead of the newest event older than [`SETTLED`]. So nothing
    /// counts as old if the system's clock is far ahead during one cleanup. After a long absence,
    /// everything is kept for one more day.
    fn age(&self, report: &mut CleanupReport) -> impl Fn(Timestamp) -> Duration + use<> {
        let (state, now) = (self.judge.state, self.judge.now);
        let ids = report.done(state.session_ids()).into_iter().flatten();
        let last_of = |id: SessionId| {
            let session = state.session(&id);
            let record = session.record().ok().flatten();
            session.last_activity().max(record?.ended_at)
        };
        let is_settled = move |at: &Timestamp| at.age(now) >= SETTLED;
        let last = ids.filter_map(last_of).filter(is_settled).max();
        let settled = last.map_or(now, |last| now.min(last.after(LOST)));
        move |at| match is_settled(&at) {
            true => at.age(settled),
            false => at.age(now),
        }
    }

    fn prune_sessions(
        &self,
        keep: Duration,
        age: &impl Fn(Timestamp) -> Duration,
        newly_archived: &mut BTreeSet<SessionId>,
        report: &mut CleanupReport,
    ) -> Result<()> {
        let state = self.judge.state;
        let archives = Archives::of(state);
        for id in state.session_ids()? {
            let is_archived = self.is_dry_run() && newly_archived.contains(&id);
            let is_old = |record: &Record| {
                let end = record.ended_at;
                end.is_some_and(|end| age(end) > keep)
                    && (is_archived || has_whole_archive(&archives, record))
            };
            // A session whose record cannot be read is kept.
            let record = self.foreseen_record(&id, report).ok().flatten();
            let record = record.filter(is_old);
            let Some(record) = record.filter(|_| self.judge.departure(&id).is_some()) else {
                continue;
            };
            if self.is_dry_run() {
                match archive::is_due(&self.search, state, &record) {
                    Ok(true) => newly_archived.insert(id.clone()),
                    Ok(false) => false,
                    Err(_) => continue,
                };
            }
            let task = Task::PruneSession(id.clone());
            // If another process holds the lock for too long, pruning ends instead of waiting for
            // each session.
            let lock = match self.is_dry_run() {
                true => None,
                false => Some(archives.lock()?),
            };
            let act = || {
                lock.map_or(Ok(TaskOutcome::NotNeeded), |lock| {
                    self.archive_and_remove(&id, lock, is_old)
                })
            };
            self.carry_out(task, report, act);
        }
        Ok(())
    }

    /// Archives what a session added since its last archive, and removes it. A session that cannot
    /// be archived stays.
    fn archive_and_remove(
        &self,
        id: &SessionId,
        lock: Lock,
        is_old: impl Fn(&Record) -> bool,
    ) -> Result<TaskOutcome> {
        match self.archive_under(lock, id) {
            Ok(_) => self.remove_session(id, is_old),
            Err(ArchiveError::Store(err)) => Err(err),
            Err(ArchiveError::Unknown(_)) => Ok(TaskOutcome::NotNeeded),
        }
    }

    /// Removes a session if it is still old and over: archiving may have taken long, and somebody
    /// may have resumed it. Hooks take no lock. So the session's folder is renamed first, and then
    /// checked once more.
    fn remove_session(
        &self,
        id: &SessionId,
        is_old: impl Fn(&Record) -> bool,
    ) -> Result<TaskOutcome> {
        let state = self.judge.state;
        let queued = archive_queue::entries(state)?
            .into_iter()
            .find(|entry| entry.id == *id);
        let _lock = state.lock(CLI_PATIENCE)?;
        let judge = self.judge.again();
        let session = state.session(id);
        let is_still_old = session.record()?.is_some_and(|record| is_old(&record));
        let seen = session.trace_of_hooks();
        if !is_still_old || judge.departure(id).is_none() {
            return Ok(TaskOutcome::NotNeeded);
        }
        let aside = session.set_aside()?;
        if aside.trace_of_hooks() != seen {
            aside.put_back()?;
            return Ok(TaskOutcome::NotNeeded);
        }
        if let Err(err) = tombstones::add(state, id, "session pruned") {
            aside.put_back()?;
            return Err(err);
        }
        aside.remove()?;
        queued.map_or(Ok(()), |entry| archive_queue::dequeue(state, &entry))?;
        Ok(TaskOutcome::Yes)
    }

    /// Finishes removals that a killed cleanup began. A session whose folder was only renamed comes
    /// back.
    pub(super) fn put_back_set_aside(&self, report: &mut CleanupReport) {
        let state = self.judge.state;
        let found = |report: &mut CleanupReport| report.done(state.set_aside()).unwrap_or_default();
        if found(report).is_empty() {
            return;
        }
        // The cleanup that renamed the folder may still be running. Then it holds the lock.
        let Some(_lock) = report.done(state.lock(CLI_PATIENCE)) else {
            return;
        };
        for aside in found(report) {
            report.done(aside.settle());
        }
    }

    fn prune_archives(
        &self,
        keep: Duration,
        age: &impl Fn(Timestamp) -> Duration,
        newly_archived: &BTreeSet<SessionId>,
        report: &mut CleanupReport,
    ) -> Result<()> {
        let state = self.judge.state;
        let archives = Archives::of(state);
        let listing = archives.all()?;
        listing.failed.iter().for_each(|err| report.fail(err));
        let old_manifest = |archive: &Archive| {
            let manifest = archive.manifest().ok().flatten()?;
            let is_new = self.is_dry_run() && newly_archived.contains(&manifest.session_id);
            let is_old = !is_new && age(manifest.archived_at) > keep;
            is_old.then_some(manifest)
        };
        let old = listing.archives.into_iter().filter_map(|archive| {
            let id = old_manifest(&archive)?.session_id;
            Some((archive, id))
        });
        let old: Vec<_> = old.collect();
        let _lock = match old.is_empty() || self.is_dry_run() {
            true => None,
            false => Some(archives.lock()?),
        };
        for (archive, id) in old {
            self.carry_out(Task::PruneArchive(id.clone()), report, || {
                // The session may have been archived again since the list was made.
                let Some(manifest) = old_manifest(&archive) else {
                    return Ok(TaskOutcome::NotNeeded);
                };
                tombstones::add(state, &id, "archive pruned")?;
                archive.remove(&manifest)?;
                Ok(TaskOutcome::Yes)
            });
        }
        Ok(())
    }
}

/// Returns whether the session's archive exists, with every part as it was written.
fn has_whole_archive(archives: &Archives, record: &Record) -> bool {
    let Ok(Some(archived)) = archive::recorded(archives, record) else {
        return false;
    };
    archived.archive.verify(&archived.manifest).is_empty()
}
