//! Cleaning up the state directory, step by step: each plans tasks and carries them out.

use std::cell::OnceCell;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use super::compression::{self, QuietSession};
use super::report::CleanupReport;
use super::task::{Task, TaskKind};
use super::{CleanupMode, plan};
use crate::archive::expiring::expiring;
use crate::archive::{self, ArchiveError, ArchiveRequest, archive};
use crate::claude::dirs::claude_dir;
use crate::claude::transcript::{self, Search};
use crate::history::usage;
use crate::identity::liveness::{Assessment, Departure, Judge, LOST};
use crate::identity::roster::{self, ArchiveDecision, LeaveOutcome};
use crate::lifecycle::{ending, lease, limits};
use crate::model::{Config, Project, Record, SessionId, Timestamp};
use crate::store::archive::Archives;
use crate::store::archive_queue::{self, QueueEntry};
use crate::store::lock::CLI_PATIENCE;
use crate::store::log::{self, Log, LogLine};
use crate::store::pointer::Pointers;
use crate::store::write::ORPHANED;
use crate::store::{
    Environment, Error, Result, SessionDir, StateDir, env_file, file, index, tombstones, write,
};

/// How long after its last event to look everywhere for a transcript that is not where it began: some daily cleanups.
const SEARCHED: Duration = Duration::from_secs(3 * 24 * 60 * 60);

/// How long after its end a session's transcript may grow. Claude Code was seen to write its last line 170 ms after the hook of
/// the end; a busy machine takes longer.
const GROWS: Duration = Duration::from_secs(10);

/// How old an event must be to be sure that a wrong clock has been corrected since.
const SETTLED: Duration = Duration::from_secs(10 * 60);

/// A cleanup of the state directory under way.
pub(super) struct Sweep<'a> {
    env: &'a Environment,
    config: &'a Config,
    judge: Judge<'a>,
    mode: CleanupMode,
    /// All transcripts by name, once one had to be looked for.
    transcripts: OnceCell<BTreeMap<SessionId, Vec<PathBuf>>>,
    search: Search<'a>,
}

/// What became of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TaskOutcome {
    /// It was performed or, on a dry run, is due.
    Yes,
    /// Nothing was left to do: another process did it, or the session was resumed.
    NotNeeded,
}

impl TaskOutcome {
    fn of(is_done: bool) -> Self {
        match is_done {
            true => Self::Yes,
            false => Self::NotNeeded,
        }
    }
}

impl<'a> Sweep<'a> {
    pub(super) fn new(
        env: &'a Environment,
        config: &'a Config,
        state: &'a StateDir,
        now: Timestamp,
        mode: CleanupMode,
    ) -> Self {
        Self {
            env,
            config,
            judge: Judge::new(state, config, now),
            mode,
            transcripts: OnceCell::new(),
            search: Search::new(env),
        }
    }

    fn is_dry_run(&self) -> bool {
        self.mode == CleanupMode::DryRun
    }

    /// Performs a task by `act` and reports it; on a dry run, only reports it. A failure is reported, and stops no other task.
    fn carry_out(
        &self,
        task: Task,
        report: &mut CleanupReport,
        act: impl FnOnce() -> Result<TaskOutcome>,
    ) {
        let done = match self.is_dry_run() {
            true => Ok(TaskOutcome::Yes),
            false => act(),
        };
        if report.done(done) == Some(TaskOutcome::Yes) {
            report.add(task);
        }
    }

    pub(super) fn state(&self, pointers: &Pointers<'_>, keeps: f64, report: &mut CleanupReport) {
        let (judge, state, dry_run) = (&self.judge, self.judge.state, self.is_dry_run());
        self.forget_dead_processes(report);
        for err in index::unlistable(state) {
            report.fail(&err);
        }
        let candidates = report.done(index::live_candidates(state));
        for (key, id) in candidates.unwrap_or_default() {
            self.remove_temporary(state.session(&id).path(), report);
            if let Some(how) = judge.departure(&id) {
                let task = Task::Retire {
                    id: id.clone(),
                    how,
                };
                self.carry_out(task, report, || self.retire(&id, &key, how));
            }
            if let Ok(Some(record)) = state.session(&id).record() {
                self.remove_forgotten_owners(&id, &record, report);
            }
        }
        self.put_away_ended(report);
        let (released, failed) = lease::sweep(judge, pointers, dry_run);
        let released = released.into_iter().map(Task::ReturnLease);
        released.for_each(|task| report.add(task));
        failed.iter().for_each(|err| report.fail(err));
        if !dry_run {
            report.done(limits::warn(judge, self.config));
        }
        for dir in report.done(state.folders()).unwrap_or_default() {
            self.remove_temporary(&dir, report);
        }
        let is_daily = match dry_run {
            true => state.daily_is_due(judge.now),
            false => state.claim_daily(judge.now),
        };
        if report.done(is_daily) == Some(true) {
            self.daily(keeps, report);
        }
        let removed = report.count(TaskKind::Pointers);
        if removed > 0 && !dry_run {
            let line = LogLine::new("pointers removed").detail("count", removed);
            report.done(log::append(state, Log::Operations, &line));
        }
    }

    fn forget_dead_processes(&self, report: &mut CleanupReport) {
        let state = self.judge.state;
        let dead = report.done(plan::dead_processes(&self.judge));
        for owner in dead.unwrap_or_default() {
            let task = Task::ForgetProcess(owner.clone());
            let forget = || index::forget_process(state, &owner).map(TaskOutcome::of);
            self.carry_out(task, report, forget);
        }
    }

    /// The day's long work. That it is done is stamped at its end: where this process is killed, a later cleanup goes on.
    fn daily(&self, keeps: f64, report: &mut CleanupReport) {
        let state = self.judge.state;
        if !self.is_dry_run() {
            let ended = end_interrupted(state, report);
            report.done(ended);
            self.put_back_set_aside(report);
        }
        self.sweep_clients_folders(report);
        let looked = self.look_at_each(report);
        report.done(looked);
        self.keep_up(report);
        let saved = self.save_expiring(keeps, report);
        report.done(saved);
        self.prune(report);
        if !self.is_dry_run() {
            report.done(state.end_daily());
        }
    }

    /// Removes the temporary files that an install, a restore or a hook has left in other programs' folders when it was killed.
    fn sweep_clients_folders(&self, report: &mut CleanupReport) {
        let claude = claude_dir(self.env);
        let below = |name: &str| {
            let folder = claude.as_ref().map(|claude| claude.join(name));
            let names = folder.iter().flat_map(|folder| file::names(folder));
            let names: Vec<_> = names.flatten().collect();
            names
                .into_iter()
                .filter_map(move |name| Some(folder.as_ref()?.join(name)))
        };
        let mut folders: BTreeSet<PathBuf> = claude.iter().cloned().collect();
        folders.extend(below(env_file::FOLDER));
        folders.extend(transcript::folders(self.env));
        folders.extend(folders_of_installs(self.judge.state));
        let config = self.env.xdg_config_home.clone();
        let config = config.or_else(|| Some(self.env.home.as_ref()?.join(".config")));
        folders.extend(config.map(|config| config.join("systemd/user")));
        for folder in folders {
            // What cannot be listed is the client's.
            if file::names(&folder).is_ok() {
                self.remove_temporary(&folder, report);
            }
        }
    }

    /// What is done for every session ever recorded, so once a day: what was left behind in its folder goes, and the owners that
    /// tell nothing any more; its tokens are counted; its journal is compressed; and if it is live, it is on the indexes again, where an entry that was
    /// lost would hide it.
    fn look_at_each(&self, report: &mut CleanupReport) -> Result<()> {
        let (judge, state) = (&self.judge, self.judge.state);
        let (mut live, mut quiet) = (Vec::new(), Vec::new());
        for id in state.session_ids()? {
            let dir = state.session(&id);
            self.remove_temporary(dir.path(), report);
            let record = match dir.record() {
                Ok(Some(record)) => record,
                Ok(None) if !self.is_dry_run() => {
                    report.done(remove_what_is_left(judge, &dir));
                    continue;
                }
                _ => continue,
            };
            // A session that ended is on no list of live ones any more.
            if !self.is_dry_run() {
                self.count_tokens(&record);
            }
            quiet.extend(compression::due(judge, &id));
            if judge.is_at_rest(&id) {
                continue;
            }
            self.remove_forgotten_owners(&id, &record, report);
            let finding = judge.find(&id, &record);
            if finding.state.is_live() {
                live.push((record, finding));
            }
        }
        let listed = self.list_live(live, report);
        report.done(listed);
        self.compress(quiet, report);
        Ok(())
    }

    fn remove_forgotten_owners(&self, id: &SessionId, record: &Record, report: &mut CleanupReport) {
        let session = self.judge.state.session(id);
        for owner in plan::forgotten_owners(&self.judge, id, record) {
            let task = Task::RemoveOwner {
                id: id.clone(),
                owner: owner.clone(),
            };
            let remove = || session.remove_owner(&owner).map(TaskOutcome::of);
            self.carry_out(task, report, remove);
        }
    }

    fn remove_temporary(&self, dir: &Path, report: &mut CleanupReport) {
        let paths = report.done(plan::temporary_files(dir, self.judge.now));
        for path in paths.unwrap_or_default() {
            let task = Task::RemoveTemporary(path.clone());
            self.carry_out(task, report, || write::remove(&path).map(TaskOutcome::of));
        }
    }

    /// Compresses the journals that are due, all at once: hooks that still write to any of them are waited for once.
    fn compress(&self, quiet: Vec<QuietSession>, report: &mut CleanupReport) {
        let (state, now) = (self.judge.state, self.judge.now);
        let compressed = match self.is_dry_run() || quiet.is_empty() {
            true => quiet,
            false => {
                let failed = |why| report.fail_text(why);
                let compressed = compression::compress(state, quiet, now, failed);
                let line = LogLine::new("journals compressed").detail("count", compressed.len());
                report.done(log::append(state, Log::Operations, &line));
                compressed
            }
        };
        let tasks = compressed.into_iter().map(Task::Compress);
        tasks.for_each(|task| report.add(task));
    }

    /// Takes a session that is over off the live index, and queues it for archiving.
    fn retire(&self, id: &SessionId, key: &str, how: Departure) -> Result<TaskOutcome> {
        let state = self.judge.state;
        let archiving = ArchiveDecision::by(self.is_kept(how));
        if roster::leave(&self.judge, id, [key.to_owned()], archiving)? == LeaveOutcome::Resumed {
            return Ok(TaskOutcome::NotNeeded);
        }
        if matches!(how, Departure::Abandoned(_)) {
            let line = LogLine::new("session abandoned");
            log::append(state, Log::Operations, &line.session(id))?;
        }
        if let Ok(Some(record)) = state.session(id).record() {
            self.count_tokens(&record);
        }
        Ok(TaskOutcome::Yes)
    }

    /// Puts live sessions back on the indexes. The most recently active session of a process comes first, and the first entry
    /// stays.
    fn list_live(
        &self,
        mut live: Vec<(Record, Assessment)>,
        report: &mut CleanupReport,
    ) -> Result<()> {
        let state = self.judge.state;
        live.sort_by_key(|(_, finding)| Reverse(finding.last_activity));
        let listed: BTreeSet<_> = index::live_candidates(state)?.into_iter().collect();
        for (record, finding) in live {
            let project = Project::at(record.project.root());
            let entry = (project.key(), record.session_id);
            let is_listed = listed.contains(&entry);
            let id = entry.1;
            let restore = || roster::restore(state, &id, &project, &finding.owners);
            if !is_listed {
                let task = Task::List(id.clone());
                self.carry_out(task, report, || restore().map(|()| TaskOutcome::Yes));
            } else if !self.is_dry_run() {
                // The entry of one of its processes may be lost.
                report.done(restore());
            }
        }
        Ok(())
    }

    /// Whether a session that is gone like this is marked to be put away.
    fn is_kept(&self, how: Departure) -> bool {
        how != Departure::Unrecorded && self.config.archive_auto
    }

    /// Puts away the sessions that are marked as ended. One that could not be put away waits, and is tried again later.
    pub(super) fn put_away_ended(&self, report: &mut CleanupReport) {
        let state = self.judge.state;
        let marks = report
            .done(archive_queue::entries(state))
            .unwrap_or_default();
        let mut marked: BTreeMap<SessionId, Option<QueueEntry>> = marks
            .into_iter()
            .filter(|mark| self.mode != CleanupMode::Due || mark.is_due(self.judge.now))
            .map(|mark| (mark.id.clone(), Some(mark)))
            .collect();
        if self.is_dry_run() {
            for task in report.of(TaskKind::Retired) {
                if let Task::Retire { id, how, .. } = task
                    && self.is_kept(*how)
                {
                    marked.entry(id.clone()).or_insert(None);
                }
            }
        }
        for (id, mark) in marked {
            let put = match state.session(&id).record() {
                // Once the record can be read, it is to be archived.
                Err(err) => ArchivingOutcome::Failed(err.to_string()),
                Ok(_) => match self.judge.departure(&id) {
                    // It was resumed, and will be marked again.
                    None | Some(Departure::Unrecorded) => ArchivingOutcome::Done,
                    Some(how) => match self.put_away(&id, how, report) {
                        ArchivingOutcome::Done if self.may_grow(&id, how) => {
                            ArchivingOutcome::Later
                        }
                        put => put,
                    },
                },
            };
            let Some(mark) = mark.filter(|_| !self.is_dry_run()) else {
                continue;
            };
            match put {
                ArchivingOutcome::Done => report.done(archive_queue::dequeue(state, &mark)),
                ArchivingOutcome::Failed(why) => {
                    report.done(archive_queue::postpone(state, &mark, &why, self.judge.now))
                }
                ArchivingOutcome::Later => None,
            };
        }
    }

    /// Whether the client may still write to the transcript of a session that has ended: then the next cleanup looks again.
    /// A clock that was set back lets none wait for longer.
    fn may_grow(&self, id: &SessionId, how: Departure) -> bool {
        let is_new =
            |last: Timestamp| last.age(self.judge.now).max(last.ahead(self.judge.now)) < GROWS;
        let last = self.judge.state.session(id).last_activity();
        self.is_kept(how) && how == Departure::Ended && last.is_some_and(is_new)
    }

    /// Archives what has been said since in sessions that go on: the client deletes transcripts that were not written to for
    /// long, live sessions' too. One that has no transcript yet has said nothing.
    fn keep_up(&self, report: &mut CleanupReport) {
        if self.config.archive_auto {
            let state = self.judge.state;
            let candidates = report.done(index::live_candidates(state));
            let candidates = candidates.unwrap_or_default().into_iter();
            let mut ids: BTreeSet<SessionId> = candidates.map(|(_, id)| id).collect();
            ids.extend(report.sessions(TaskKind::Listed));
            let retired = report.sessions(TaskKind::Retired);
            ids.retain(|id| !retired.contains(id));
            for id in ids {
                let dir = state.session(&id);
                if transcript::find(self.env, &dir, &id).is_none() {
                    continue;
                }
                if let Ok(Some(_)) = dir.record() {
                    self.archive(&id, None, report);
                }
            }
        }
    }

    /// Archives what the client deletes soon and no mark tells of: sessions that were imported, or ended while nothing was
    /// archived, and what was said since one was archived.
    fn save_expiring(&self, keeps: f64, report: &mut CleanupReport) -> Result<()> {
        if self.config.archive_auto {
            let soon = expiring(self.env, &self.judge, self.config, keeps)?;
            for id in soon.iter().map(|expiring| &expiring.id) {
                match self.judge.departure(id) {
                    Some(how) => self.put_away(id, how, report),
                    None => self.archive(id, None, report),
                };
            }
        }
        Ok(())
    }

    /// Removes what was kept for long enough: of sessions only those that are archived.
    fn prune(&self, report: &mut CleanupReport) {
        let age = self.age(report);
        // On a dry run: those whose archive would be a new one.
        let mut anew = report.sessions(TaskKind::Archived);
        if let Some(keep) = self.config.retention_sessions {
            let pruned = self.prune_sessions(keep, &age, &mut anew, report);
            report.done(pruned);
        }
        if let Some(keep) = self.config.retention_archive {
            let pruned = self.prune_archives(keep, &age, &anew, report);
            report.done(pruned);
        }
    }

    /// How long something is kept already: by a clock that is not more than a day after the newest event on record that is older
    /// than a few minutes. One that is wrong for one cleanup makes nothing old; whoever was away for long keeps everything for
    /// a day longer.
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
        anew: &mut BTreeSet<SessionId>,
        report: &mut CleanupReport,
    ) -> Result<()> {
        let state = self.judge.state;
        let archives = Archives::of(state);
        for id in state.session_ids()? {
            let is_archived = self.is_dry_run() && anew.contains(&id);
            let is_old = |record: &Record| {
                let end = record.ended_at;
                end.is_some_and(|end| age(end) > keep)
                    && (is_archived || is_whole(&archives, record))
            };
            // One that cannot be read is kept.
            let record = self.record_then(&id, report).ok().flatten();
            let record = record.filter(is_old);
            let Some(record) = record.filter(|_| self.judge.departure(&id).is_some()) else {
                continue;
            };
            let is_removed = if self.is_dry_run() {
                match archive::is_due(&self.search, state, &record) {
                    Ok(true) => anew.insert(id.clone()),
                    Ok(false) => false,
                    Err(_) => continue,
                };
                true
            } else {
                // It may have gone on since it was archived. What cannot be archived stays.
                match archive(
                    &self.search,
                    state,
                    &id,
                    &ArchiveRequest::default(),
                    CLI_PATIENCE,
                ) {
                    Ok(_) => report.done(self.remove_session(&id, is_old)) == Some(true),
                    Err(ArchiveError::Store(err)) if !matches!(err, Error::Locked { .. }) => {
                        report.fail(&err);
                        false
                    }
                    Err(_) => false,
                }
            };
            if is_removed {
                report.add(Task::PruneSession(id));
            }
        }
        Ok(())
    }

    /// Removes a session that was kept for long enough, if that is still so: archiving it may have taken long, and it may have
    /// been resumed. Returns whether it was removed. Hooks know no lock, so it is set aside first and looked at once more.
    fn remove_session(&self, id: &SessionId, is_old: impl Fn(&Record) -> bool) -> Result<bool> {
        let state = self.judge.state;
        let mark = archive_queue::entries(state)?
            .into_iter()
            .find(|mark| mark.id == *id);
        let _lock = state.lock(CLI_PATIENCE)?;
        let judge = self.judge.again();
        let session = state.session(id);
        let is_still_old = session.record()?.is_some_and(|record| is_old(&record));
        let seen = session.trace_of_hooks();
        if !is_still_old || judge.departure(id).is_none() {
            return Ok(false);
        }
        let aside = session.set_aside()?;
        if aside.trace_of_hooks() != seen {
            aside.put_back()?;
            return Ok(false);
        }
        if let Err(err) = tombstones::add(state, id, "session pruned") {
            aside.put_back()?;
            return Err(err);
        }
        aside.remove()?;
        mark.map_or(Ok(()), |mark| archive_queue::dequeue(state, &mark))?;
        Ok(true)
    }

    /// Ends what a cleanup began that was killed while it removed sessions: what was only set aside comes back.
    fn put_back_set_aside(&self, report: &mut CleanupReport) {
        let state = self.judge.state;
        let found = |report: &mut CleanupReport| report.done(state.set_aside()).unwrap_or_default();
        if found(report).is_empty() {
            return;
        }
        // Who holds the lock may be the one that set it aside.
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
        anew: &BTreeSet<SessionId>,
        report: &mut CleanupReport,
    ) -> Result<()> {
        let state = self.judge.state;
        let archives = Archives::of(state);
        let listing = archives.all()?;
        listing.failed.iter().for_each(|err| report.fail(err));
        for archive in listing.archives {
            let Ok(Some(manifest)) = archive.manifest() else {
                continue;
            };
            let is_anew = self.is_dry_run() && anew.contains(&manifest.session_id);
            if is_anew || age(manifest.archived_at) <= keep {
                continue;
            }
            let remove = || {
                let _lock = archives.lock(CLI_PATIENCE)?;
                tombstones::add(state, &manifest.session_id, "archive pruned")?;
                archive.remove(&manifest)
            };
            if self.is_dry_run() || report.done(remove()).is_some() {
                report.add(Task::PruneArchive(manifest.session_id));
            }
        }
        Ok(())
    }

    /// Notes a session's end and archives it.
    fn put_away(
        &self,
        id: &SessionId,
        how: Departure,
        report: &mut CleanupReport,
    ) -> ArchivingOutcome {
        let task = Task::NoteEnd(id.clone());
        let noted = match self.is_dry_run() {
            true => ending::foreseen(&self.judge, id).map(|noted| TaskOutcome::of(noted.is_some())),
            false => ending::note(&self.judge, id).map(|noted| TaskOutcome::of(noted.is_some())),
        };
        match noted {
            Ok(TaskOutcome::Yes) => report.add(task),
            Ok(TaskOutcome::NotNeeded) => {}
            Err(err) => {
                report.fail(&err);
                return ArchivingOutcome::Failed(err.to_string());
            }
        }
        match self.config.archive_auto {
            true => self.archive(id, Some(how), report),
            false => ArchivingOutcome::Done,
        }
    }

    /// Counts the tokens of a session while its transcript is there: the client deletes it some day. What fails is left to
    /// whoever asks for them.
    fn count_tokens(&self, record: &Record) {
        let (id, now) = (&record.session_id, self.judge.now);
        let dir = self.judge.state.session(id);
        let search = || {
            let is_long_ago = |last: Timestamp| last.age(now) >= SEARCHED;
            if dir.last_activity().is_none_or(is_long_ago) {
                return Vec::new();
            }
            let all = || transcript::by_name(self.env);
            let paths = self.transcripts.get_or_init(all).get(id);
            paths.cloned().unwrap_or_default()
        };
        let _ = usage::count_due(self.env, &dir, record, search);
    }

    /// Returns the record of a session as it is once the tasks so far are performed: on a dry run, an end may still have to be
    /// noted.
    fn record_then(&self, id: &SessionId, report: &CleanupReport) -> Result<Option<Record>> {
        match self.is_dry_run() && report.contains(&Task::NoteEnd(id.clone())) {
            true => ending::foreseen(&self.judge, id),
            false => self.judge.state.session(id).record(),
        }
    }

    /// Returns, on a dry run, whether archiving the session would change its archive.
    fn is_due(
        &self,
        id: &SessionId,
        report: &CleanupReport,
    ) -> std::result::Result<bool, ArchiveError> {
        let state = self.judge.state;
        let record = self.record_then(id, report)?;
        record.map_or(Ok(false), |record| {
            archive::is_due(&self.search, state, &record)
        })
    }

    /// Archives a session, which is gone like this or goes on.
    fn archive(
        &self,
        id: &SessionId,
        how: Option<Departure>,
        report: &mut CleanupReport,
    ) -> ArchivingOutcome {
        let state = self.judge.state;
        let is_new = match self.is_dry_run() {
            true => self.is_due(id, report),
            false => archive(
                &self.search,
                state,
                id,
                &ArchiveRequest::default(),
                Duration::ZERO,
            )
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
            // Whoever archives now is likely a cleanup, too.
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
}

/// What became of a session that was to be put away.
enum ArchivingOutcome {
    /// All that could be done is.
    Done,
    /// Another process archives now, or the client may still write: the next cleanup looks again.
    Later,
    /// Something was in the way: what.
    Failed(String),
}

/// Ends what killed processes began in archives, and enters archives that `archive-ids/` lacks. A process that archives now
/// does so, too.
fn end_interrupted(state: &StateDir, report: &mut CleanupReport) -> Result<()> {
    let archives = Archives::of(state);
    // Where the folder is not safe, whoever archives says so.
    if matches!(archives.are_there(), Ok(true))
        && let Ok(_lock) = archives.lock(Duration::ZERO)
    {
        let failed = archives.finish_interrupted()?;
        failed.iter().for_each(|err| report.fail(err));
        archives.index()?;
    }
    Ok(())
}

/// Removes the empty folder of a session whose removal was killed. One that has just been made is a hook's, which is about
/// to put the record there.
fn remove_what_is_left(judge: &Judge<'_>, dir: &SessionDir) -> Result<()> {
    let is_old = |found: file::Inspection| found.meta.modified.age(judge.now) > ORPHANED;
    if file::look(dir.path())?.is_some_and(is_old) {
        write::remove_empty_dir(dir.path())?;
    }
    Ok(())
}

/// Whether the session's archive is there, with every part as it was written.
fn is_whole(archives: &Archives, record: &Record) -> bool {
    let Ok(Some(archived)) = archive::recorded(archives, record) else {
        return false;
    };
    archived.archive.verify(&archived.manifest).is_empty()
}

/// The folders of the settings files that hooks were registered in.
fn folders_of_installs(state: &StateDir) -> Vec<PathBuf> {
    const MAX_RECORD: usize = 1 << 20;
    let dir = state.root().join("installs");
    let names = file::names(&dir).into_iter().flatten();
    let folder = |name| {
        let content = file::read_own(&dir.join(name), MAX_RECORD).ok()??;
        let record: Value = serde_json::from_slice(&content.bytes).ok()?;
        let settings = Path::new(record.get("settings")?.as_str()?);
        settings.parent().map(Path::to_owned)
    };
    names.filter_map(folder).collect()
}
