//! Cleans up the state directory, step by step. Each step plans tasks and carries them out.

mod archiving;
mod pruning;

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
use crate::claude::dirs::claude_dir;
use crate::claude::transcript::{self, Search};
use crate::history::usage;
use crate::identity::liveness::{Assessment, Departure, Judge};
use crate::identity::roster::{self, ArchiveDecision, LeaveOutcome};
use crate::lifecycle::lease::{self, LeaseReturn};
use crate::lifecycle::limits;
use crate::model::{Project, Record, SessionId, Timestamp};
use crate::store::archive::Archives;
use crate::store::log::{self, Log, LogLine};
use crate::store::pointer::Pointers;
use crate::store::write::ORPHANED;
use crate::store::{Host, Result, SessionDir, StateDir, env_file, file, index, unrecorded, write};

/// How long after its last event a session's transcript is searched for in every folder, if it is
/// not at its recorded path.
const SEARCHED: Duration = Duration::from_secs(3 * 24 * 60 * 60);

/// A running cleanup of the state directory.
pub(super) struct Sweep<'a> {
    host: &'a Host<'a>,
    judge: Judge<'a>,
    mode: CleanupMode,
    /// All transcripts by session id. Filled when a transcript has to be searched for.
    transcripts: OnceCell<BTreeMap<SessionId, Vec<PathBuf>>>,
    search: Search<'a>,
}

/// The outcome of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TaskOutcome {
    /// The task was performed or, on a dry run, is due.
    Yes,
    /// Nothing was left to do: another process did it, or somebody resumed the session.
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
    pub(super) fn new(host: &'a Host<'a>, judge: Judge<'a>, mode: CleanupMode) -> Self {
        Self {
            host,
            judge,
            mode,
            transcripts: OnceCell::new(),
            search: Search::new(host.env),
        }
    }

    fn is_dry_run(&self) -> bool {
        self.mode == CleanupMode::DryRun
    }

    /// Performs a task by `act` and reports it. On a dry run, only reports it. A failure is reported,
    /// and stops no other task.
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
        self.archive_queued(report);
        self.return_leases(pointers, report);
        if !dry_run {
            report.done(limits::warn(judge, self.host.config));
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

    /// Gives back the session ids whose holders have exited.
    fn return_leases(&self, pointers: &Pointers<'_>, report: &mut CleanupReport) {
        let judge = &self.judge;
        if !self.is_dry_run() {
            let failed = lease::remove_lost(judge.state);
            failed.iter().for_each(|err| report.fail(err));
        }
        for lease in report.done(lease::of_dead(judge)).unwrap_or_default() {
            let task = Task::ReturnLease(lease.session_id.clone());
            self.carry_out(task, report, || {
                let returned = lease::give_back(judge, pointers, &lease)?;
                Ok(TaskOutcome::of(returned == LeaseReturn::Done))
            });
        }
    }

    /// Does the daily work. Only at the end it records that the work is done. So if this process is
    /// killed, a later cleanup does the rest.
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
        self.archive_live(report);
        let archived = self.archive_expiring(keeps, report);
        report.done(archived);
        self.prune(report);
        if !self.is_dry_run() {
            report.done(unrecorded::remove_old(state, self.judge.now));
            report.done(state.end_daily());
        }
    }

    /// Removes temporary files from other programs' folders, where a killed install, restore or hook
    /// left them.
    fn sweep_clients_folders(&self, report: &mut CleanupReport) {
        let claude = claude_dir(self.host.env);
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
        folders.extend(transcript::folders(self.host.env));
        folders.extend(folders_of_installs(self.judge.state));
        let config = self.host.env.xdg_config_home.clone();
        let config = config.or_else(|| Some(self.host.env.home.as_ref()?.join(".config")));
        folders.extend(config.map(|config| config.join("systemd/user")));
        for folder in folders {
            // A folder that cannot be listed is Claude Code's to repair.
            if file::names(&folder).is_ok() {
                self.remove_temporary(&folder, report);
            }
        }
    }

    /// Examines every session on record, which is why it runs once a day. Removes temporary files
    /// and owners that are no longer needed, counts tokens and compresses journals. Puts a live
    /// session back on an index that has lost it.
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
            // No other step counts the tokens of a session whose end a hook reported.
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
        let walk = report.done(plan::temporary_files(dir, self.judge.now));
        let walk = walk.unwrap_or_default();
        walk.failed.iter().for_each(|err| report.fail(err));
        for path in walk.found {
            let task = Task::RemoveTemporary(path.clone());
            self.carry_out(task, report, || write::remove(&path).map(TaskOutcome::of));
        }
    }

    /// Compresses the journals that are due. All of them first continue in new files. Then one wait
    /// is enough for the hooks that still write to the old files.
    fn compress(&self, due: Vec<QuietSession>, report: &mut CleanupReport) {
        let (state, now) = (self.judge.state, self.judge.now);
        if due.is_empty() {
            return;
        }
        let due = match self.is_dry_run() {
            true => due,
            false => compression::set_aside(state, due, now, |err| report.fail(err)),
        };
        for quiet in due {
            let task = Task::Compress(quiet.clone());
            let compress = || compression::compress(state, &quiet.id, now).map(TaskOutcome::of);
            self.carry_out(task, report, compress);
        }
        if !self.is_dry_run() {
            let count = report.count(TaskKind::Compressed);
            let line = LogLine::new("journals compressed").detail("count", count);
            report.done(log::append(state, Log::Operations, &line));
        }
    }

    /// Takes a session off the live index once it is over, and queues it for archiving.
    fn retire(&self, id: &SessionId, key: &str, how: Departure) -> Result<TaskOutcome> {
        let state = self.judge.state;
        let archiving = ArchiveDecision::by(self.archives_after(how));
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

    /// Counts the tokens of a session while its transcript exists; Claude Code deletes it some day.
    /// A failure is ignored: the next command that shows tokens counts them again.
    fn count_tokens(&self, record: &Record) {
        let (id, now) = (&record.session_id, self.judge.now);
        let dir = self.judge.state.session(id);
        let search = || {
            let is_long_ago = |last: Timestamp| last.age(now) >= SEARCHED;
            if dir.last_activity().is_none_or(is_long_ago) {
                return Vec::new();
            }
            let all = || transcript::by_name(self.host.env);
            let paths = self.transcripts.get_or_init(all).get(id);
            paths.cloned().unwrap_or_default()
        };
        let _ = usage::count_due(self.host.env, &dir, record, search);
    }

    /// Puts live sessions back on the live index and the process index. If several sessions belong
    /// to one process, the most recently active one gets the process's entry.
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
                // The session is on the live index, but the process index may lack one of its
                // processes.
                report.done(restore());
            }
        }
        Ok(())
    }
}

/// Finishes archives that killed processes left unfinished, and adds archives that are missing from
/// `archive-ids/`. If another process is archiving, leaves both to that process.
fn end_interrupted(state: &StateDir, report: &mut CleanupReport) -> Result<()> {
    let archives = Archives::of(state);
    // If the folder is not safe, archiving reports it.
    if matches!(archives.are_there(), Ok(true))
        && let Ok(_lock) = archives.try_lock()
    {
        let failed = archives.finish_interrupted()?;
        failed.iter().for_each(|err| report.fail(err));
        archives.index()?;
    }
    Ok(())
}

/// Removes the empty session folder that a killed removal left. Keeps a new one, because a hook may
/// be about to write the record into it.
fn remove_what_is_left(judge: &Judge<'_>, dir: &SessionDir) -> Result<()> {
    let is_old = |found: file::Inspection| found.meta.modified.age(judge.now) > ORPHANED;
    if file::look(dir.path())?.is_some_and(is_old) {
        write::remove_empty_dir(dir.path())?;
    }
    Ok(())
}

/// Returns the folders of the settings files in which hooks were registered.
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
