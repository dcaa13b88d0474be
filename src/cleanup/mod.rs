//! Cleaning up: stale pointers, temporary files of processes that died, and index entries of sessions and processes
//! that are gone. Safe at any moment beside everything else, and cheap: what it looks at does not grow with the number
//! of ended sessions.

pub mod compression;

use std::cell::OnceCell;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Map, Value};

use self::compression::Quiet;
use crate::archive::expiring::expiring;
use crate::archive::{self, Order, Refusal, archive};
use crate::claude::dirs::claude_dir;
use crate::claude::transcript::{self, Search};
use crate::history::usage;
use crate::identity::liveness::{Departure, Finding, Judge, LOST, SessionState, has_gone_process};
use crate::identity::process::Life;
use crate::identity::roster::{self, Archiving, Left};
use crate::lifecycle::{ending, lease, limits};
use crate::model::{Config, Owner, Project, Record, SessionId, Timestamp};
use crate::store::archive::Archives;
use crate::store::archive_queue::{self, QueueEntry};
use crate::store::index::ProcessNames;
use crate::store::lock::CLI_PATIENCE;
use crate::store::log::{self, Line, Log};
use crate::store::pointer::{Pointers, Swept, Why};
use crate::store::write::{ORPHANED, TEMPORARY};
use crate::store::{
    Decompressor, Environment, Error, Places, Result, SessionDir, State, env_file, file, index,
    tombstones, write,
};

/// How long after its last event a transcript is looked for that is not where it began: some daily cleanups.
const SEARCHED: Duration = Duration::from_secs(3 * 24 * 60 * 60);

/// How long after its end a session's transcript may grow. The client has been seen to write its last line 170 ms after the
/// hook of the end; a machine that is busy takes longer.
const GROWS: Duration = Duration::from_secs(10);

/// How old an event must be for a clock that was wrong then to have been corrected.
const SETTLED: Duration = Duration::from_secs(10 * 60);

/// What a cleanup did, or would do.
#[derive(Debug, Default)]
pub struct Report {
    /// Pointers that were removed.
    pub pointers: Vec<Swept>,
    /// Temporary files that were removed.
    pub orphans: Vec<Swept>,
    /// Processes that had died, and whose index entries were removed.
    pub processes: Vec<Owner>,
    /// Sessions that were found ended or abandoned and taken off the live index, and how each is gone.
    pub retired: BTreeMap<SessionId, Departure>,
    /// Live sessions that were on no list of live ones, and are again.
    pub listed: Vec<SessionId>,
    /// Sessions that were archived, and how each is gone, unless it goes on.
    pub archived: BTreeMap<SessionId, Option<Departure>>,
    /// Sessions whose journal was compressed.
    pub compressed: Vec<Quiet>,
    /// Owners that had died, of sessions that ended long ago, and were removed.
    pub owners: Vec<(SessionId, Owner)>,
    /// Sessions and archives that were kept long enough, and removed.
    pub pruned: Vec<Pruned>,
    /// Sessions whose lease was given back, because its holder had died.
    pub leases: Vec<SessionId>,
    /// What could not be done, and is left to the next cleanup.
    pub failed: Vec<String>,
    /// Why the state directory was left alone, where it was.
    pub state_left_alone: Option<Error>,
    /// On a dry run: the records of sessions that would be put away, with the ends that would be noted then.
    foreseen: BTreeMap<SessionId, Record>,
}

impl Report {
    /// Says it once: what a mark and its age speak for is tried twice.
    fn fail(&mut self, err: &Error) {
        let why = err.to_string();
        if !self.failed.contains(&why) {
            self.failed.push(why);
        }
    }

    /// The value of a step that worked. One that failed is noted, and keeps no other from being taken.
    fn done<T>(&mut self, step: Result<T>) -> Option<T> {
        step.map_err(|err| self.fail(&err)).ok()
    }
}

/// How a cleanup is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// As somebody asked for it: what was put off is tried, too.
    Asked,
    /// As it was due: what was put off waits.
    Due,
    /// Nothing is changed: only what would be is said.
    DryRun,
}

/// What was kept for long enough.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pruned {
    /// The record and the journal of this session.
    Session(SessionId),
    /// Its archive.
    Archive(SessionId),
}

impl fmt::Display for Pruned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Session(id) => write!(f, "session {id}"),
            Self::Archive(id) => write!(f, "the archive of session {id}"),
        }
    }
}

/// Cleans up. The client keeps transcripts for `keeps` days.
///
/// # Errors
/// Where the pointer directory is not safe or cannot be listed, or the state directory is not safe. What fails on the
/// way is left to the next cleanup.
pub fn run(
    env: &Environment,
    places: &Places,
    config: &Config,
    keeps: f64,
    now: Timestamp,
    mode: Mode,
) -> Result<Report> {
    let (state, broken) = match State::open(places, Decompressor::BUILT_IN) {
        Ok(state) => (state, None),
        Err(err) => (None, Some(err)),
    };
    let pointers = Pointers {
        dir: &places.pointers,
        state: state.as_ref(),
        ttl: config.ttl,
        now,
    };
    let sweeping = pointers.sweep(mode == Mode::DryRun)?;
    let swept = sweeping.swept.into_iter();
    let (orphans, removed) = swept.partition(|swept| swept.why == Why::Orphaned);
    let mut report = Report {
        pointers: removed,
        orphans,
        state_left_alone: broken,
        ..Report::default()
    };
    sweeping.failed.iter().for_each(|err| report.fail(err));
    if let Some(state) = &state {
        let sweep = Sweep {
            env,
            config,
            judge: Judge::new(state, config, now),
            mode,
            transcripts: OnceCell::new(),
            search: Search::new(env),
        };
        sweep.state(&pointers, keeps, &mut report);
    }
    Ok(report)
}

/// What of a cleanup is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// All of it, and this process is the one that does it.
    All,
    /// Sessions that have ended are to be archived.
    Archiving,
    /// Nothing.
    Nothing,
}

/// What is due: all once in an interval, or where a client is gone that said nothing.
///
/// # Errors
/// Where the state directory is not safe or the stamp cannot be written.
pub fn claim(places: &Places, config: &Config, now: Timestamp) -> Result<Due> {
    // Without a state directory there is no stamp, and little to look at: that is always due.
    let Ok(Some(state)) = State::open(places, Decompressor::BUILT_IN) else {
        return Ok(Due::All);
    };
    let auto = config.archive_auto;
    let rest = match auto && archive_queue::is_any_due(&state, now) {
        true => Due::Archiving,
        false => Due::Nothing,
    };
    let is_lost = || auto && has_gone_process(&state, &ProcessNames::default());
    if !state.sweep_is_due(config.cleanup_interval, now) && !is_lost() {
        return Ok(rest);
    }
    match state.claim_sweep(state.last_sweep()) {
        Ok(true) => Ok(Due::All),
        // Whoever has the lock is likely to sweep.
        Ok(false) | Err(Error::Locked { .. }) => Ok(rest),
        Err(err) => Err(err),
    }
}

/// Archives the sessions that have ended and are not put off, and nothing else.
///
/// # Errors
/// Where the state directory is not safe.
pub fn archive_ended(
    env: &Environment,
    places: &Places,
    config: &Config,
    now: Timestamp,
) -> Result<Report> {
    let mut report = Report::default();
    if let Some(state) = State::open(places, Decompressor::BUILT_IN)? {
        let sweep = Sweep {
            env,
            config,
            judge: Judge::new(&state, config, now),
            mode: Mode::Due,
            transcripts: OnceCell::new(),
            search: Search::new(env),
        };
        sweep.put_away_ended(&mut report);
    }
    Ok(report)
}

/// What a line of the log says of a cleanup that could not do something.
pub const FAILED: &str = "cleanup failed";
/// The most failures of one cleanup that are logged.
const MAX_LOGGED: usize = 20;

/// Logs what a cleanup could not do, each once a day. That it could not be logged is nothing that could be said.
pub fn log_failures(state: &State, failed: &[String], now: Timestamp) {
    if failed.is_empty() {
        return;
    }
    let known = failures_of_a_day(state, now);
    let new = failed.iter().filter(|why| !known.contains(why));
    for why in new.take(MAX_LOGGED) {
        let line = Line::new(FAILED).detail("why", why.as_str());
        let _ = log::append(state, Log::Operations, &line);
    }
}

/// What cleanups that a hook has left behind could not do within a day, the last last.
pub fn failures_of_a_day(state: &State, now: Timestamp) -> Vec<String> {
    let failure = |line: Map<String, Value>| {
        let text = |name: &str| line.get(name).and_then(Value::as_str);
        let at = Timestamp::parse(text("ts")?).ok()?;
        let is_recent = text("what") == Some(FAILED) && at.age(now) < LOST;
        is_recent.then(|| text("why").map(str::to_owned)).flatten()
    };
    let lines = log::read(state, Log::Operations).into_iter();
    lines.filter_map(failure).collect()
}

/// How the state directory is cleaned up.
struct Sweep<'a> {
    env: &'a Environment,
    config: &'a Config,
    judge: Judge<'a>,
    mode: Mode,
    /// All transcripts by their names, once one had to be looked for.
    transcripts: OnceCell<BTreeMap<SessionId, Vec<PathBuf>>>,
    search: Search<'a>,
}

impl Sweep<'_> {
    fn is_dry_run(&self) -> bool {
        self.mode == Mode::DryRun
    }

    fn state(&self, pointers: &Pointers<'_>, keeps: f64, report: &mut Report) {
        let (judge, state, dry_run) = (&self.judge, self.judge.state, self.is_dry_run());
        self.forget_dead_processes(report);
        for err in index::unlistable(state) {
            report.fail(&err);
        }
        let candidates = report.done(index::live_candidates(state));
        for (key, id) in candidates.unwrap_or_default() {
            sweep_orphans(state.session(&id).path(), judge.now, dry_run, report);
            let retired = self.retire(&key, &id, report);
            report.done(retired);
            if let Ok(Some(record)) = state.session(&id).record() {
                self.remove_forgotten_owners(&id, &record, report);
            }
        }
        self.put_away_ended(report);
        let (released, failed) = lease::sweep(judge, pointers, dry_run);
        report.leases = released;
        failed.iter().for_each(|err| report.fail(err));
        if !dry_run {
            report.done(limits::warn(judge, self.config));
        }
        for dir in report.done(state.folders()).unwrap_or_default() {
            sweep_orphans(&dir, judge.now, dry_run, report);
        }
        let is_daily = match dry_run {
            true => state.daily_is_due(judge.now),
            false => state.claim_daily(judge.now),
        };
        if report.done(is_daily) == Some(true) {
            self.daily(keeps, report);
        }
        let removed = report.pointers.len();
        if removed > 0 && !dry_run {
            let line = Line::new("pointers removed").detail("count", removed);
            report.done(log::append(state, Log::Operations, &line));
        }
    }

    fn forget_dead_processes(&self, report: &mut Report) {
        let (judge, state) = (&self.judge, self.judge.state);
        for entry in report.done(index::processes(state)).unwrap_or_default() {
            let session = state.session(&entry.session_id);
            if judge.life(&entry.owner, &session) == Life::Dead
                && (self.is_dry_run()
                    || report.done(index::forget_process(state, &entry.owner)) == Some(true))
            {
                report.processes.push(entry.owner);
            }
        }
    }

    /// The day's long work. That it is done is stamped at its end: where this process is killed, a later cleanup goes on.
    fn daily(&self, keeps: f64, report: &mut Report) {
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
    fn sweep_clients_folders(&self, report: &mut Report) {
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
                sweep_orphans(&folder, self.judge.now, self.is_dry_run(), report);
            }
        }
    }

    /// What is done for every session ever recorded, so once a day: what was left behind in its folder goes, and the owners that
    /// tell nothing any more; its tokens are counted; its journal is compressed; and if it is live, it is on the indexes again, where an entry that was
    /// lost would hide it.
    fn look_at_each(&self, report: &mut Report) -> Result<()> {
        let (judge, state) = (&self.judge, self.judge.state);
        let mut live = Vec::new();
        for id in state.session_ids()? {
            let dir = state.session(&id);
            sweep_orphans(dir.path(), judge.now, self.is_dry_run(), report);
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
            report.compressed.extend(compression::due(judge, &id));
            if judge.is_at_rest(&id) {
                continue;
            }
            self.remove_forgotten_owners(&id, &record, report);
            let finding = judge.find(&id, &record);
            if finding.state.is_live() {
                live.push((record, finding));
            }
        }
        let indexed = index_live(judge, live, self.is_dry_run(), report);
        report.done(indexed);
        self.compress(report);
        Ok(())
    }

    fn remove_forgotten_owners(&self, id: &SessionId, record: &Record, report: &mut Report) {
        let dir = self.judge.state.session(id);
        for owner in forgotten_owners(&self.judge, id, record) {
            // A dry run leaves what it has seen.
            let is_seen = |(of, seen): &(SessionId, Owner)| of == id && *seen == owner;
            if report.owners.iter().any(is_seen) {
                continue;
            }
            if self.is_dry_run() || report.done(dir.remove_owner(&owner)) == Some(true) {
                report.owners.push((id.clone(), owner));
            }
        }
    }

    /// Compresses the journals that are due.
    fn compress(&self, report: &mut Report) {
        if self.is_dry_run() || report.compressed.is_empty() {
            return;
        }
        let (state, now) = (self.judge.state, self.judge.now);
        let due = std::mem::take(&mut report.compressed);
        let failed = |why| report.failed.push(why);
        report.compressed = compression::compress(state, due, now, failed);
        let line = Line::new("journals compressed").detail("count", report.compressed.len());
        report.done(log::append(state, Log::Operations, &line));
    }

    /// Takes a session that is gone off the live ones, and marks it to be put away: marked first, so that a cleanup that is
    /// killed in between forgets nothing.
    fn retire(&self, key: &str, id: &SessionId, report: &mut Report) -> Result<()> {
        let (judge, state) = (&self.judge, self.judge.state);
        let Some(how) = judge.departure(id) else {
            return Ok(());
        };
        report.retired.insert(id.clone(), how);
        if self.is_dry_run() {
            return Ok(());
        }
        let archiving = Archiving::by(self.is_kept(how));
        if roster::leave(judge, id, [key.to_owned()], archiving)? == Left::Resumed {
            report.retired.remove(id);
            return Ok(());
        }
        if matches!(how, Departure::Abandoned(_)) {
            let line = Line::new("session abandoned");
            log::append(state, Log::Operations, &line.session(id))?;
        }
        if let Ok(Some(record)) = state.session(id).record() {
            self.count_tokens(&record);
        }
        Ok(())
    }

    /// Whether a session that is gone like this is marked to be put away.
    fn is_kept(&self, how: Departure) -> bool {
        how != Departure::Unrecorded && self.config.archive_auto
    }

    /// Puts away the sessions that are marked as ended. One that could not be put away waits, and is tried again later.
    fn put_away_ended(&self, report: &mut Report) {
        let state = self.judge.state;
        let marks = report
            .done(archive_queue::entries(state))
            .unwrap_or_default();
        let mut marked: BTreeMap<SessionId, Option<QueueEntry>> = marks
            .into_iter()
            .filter(|mark| self.mode != Mode::Due || mark.is_due(self.judge.now))
            .map(|mark| (mark.id.clone(), Some(mark)))
            .collect();
        if self.is_dry_run() {
            let retired = report.retired.iter();
            let kept = retired.filter(|(_, how)| self.is_kept(**how));
            let kept: Vec<_> = kept.map(|(id, _)| id.clone()).collect();
            for id in kept {
                marked.entry(id).or_insert(None);
            }
        }
        for (id, mark) in marked {
            let put = match state.session(&id).record() {
                // Once the record can be read, it is to be archived.
                Err(err) => PutAway::Failed(err.to_string()),
                Ok(_) => match self.judge.departure(&id) {
                    // It was resumed, and will be marked again.
                    None | Some(Departure::Unrecorded) => PutAway::Done,
                    Some(how) => match self.put_away(&id, how, report) {
                        PutAway::Done if self.may_grow(&id, how) => PutAway::Later,
                        put => put,
                    },
                },
            };
            let Some(mark) = mark.filter(|_| !self.is_dry_run()) else {
                continue;
            };
            match put {
                PutAway::Done => report.done(archive_queue::dequeue(state, &mark)),
                PutAway::Failed(why) => {
                    report.done(archive_queue::postpone(state, &mark, &why, self.judge.now))
                }
                PutAway::Later => None,
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
    fn keep_up(&self, report: &mut Report) {
        if self.config.archive_auto {
            let state = self.judge.state;
            let candidates = report.done(index::live_candidates(state));
            let candidates = candidates.unwrap_or_default().into_iter();
            let mut ids: BTreeSet<SessionId> = candidates.map(|(_, id)| id).collect();
            ids.extend(report.listed.iter().cloned());
            ids.retain(|id| !report.retired.contains_key(id));
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
    fn save_expiring(&self, keeps: f64, report: &mut Report) -> Result<()> {
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
    fn prune(&self, report: &mut Report) {
        let age = self.age(report);
        // On a dry run: those whose archive would be a new one.
        let mut anew: BTreeSet<SessionId> = report.archived.keys().cloned().collect();
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
    fn age(&self, report: &mut Report) -> impl Fn(Timestamp) -> Duration + use<> {
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
        report: &mut Report,
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
            let foreseen = report.foreseen.get(&id).cloned();
            let record = foreseen.or_else(|| state.session(&id).record().ok().flatten());
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
                match archive(&self.search, state, &id, &Order::default(), CLI_PATIENCE) {
                    Ok(_) => report.done(self.remove_session(&id, is_old)) == Some(true),
                    Err(Refusal::Store(err)) if !matches!(err, Error::Locked { .. }) => {
                        report.fail(&err);
                        false
                    }
                    Err(_) => false,
                }
            };
            if is_removed {
                report.pruned.push(Pruned::Session(id));
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
    fn put_back_set_aside(&self, report: &mut Report) {
        let state = self.judge.state;
        let found = |report: &mut Report| report.done(state.set_aside()).unwrap_or_default();
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
        report: &mut Report,
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
                report.pruned.push(Pruned::Archive(manifest.session_id));
            }
        }
        Ok(())
    }

    /// Notes a session's end and archives it.
    fn put_away(&self, id: &SessionId, how: Departure, report: &mut Report) -> PutAway {
        let noted = match self.is_dry_run() {
            true => ending::foreseen(&self.judge, id),
            false => ending::note(&self.judge, id),
        };
        match noted {
            Ok(Some(record)) if self.is_dry_run() => {
                report.foreseen.insert(id.clone(), record);
            }
            Ok(_) => {}
            Err(err) => {
                report.fail(&err);
                return PutAway::Failed(err.to_string());
            }
        }
        match self.config.archive_auto {
            true => self.archive(id, Some(how), report),
            false => PutAway::Done,
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

    /// On a dry run: whether an archive of the session would be a new one.
    fn is_due(&self, id: &SessionId, report: &Report) -> std::result::Result<bool, Refusal> {
        let state = self.judge.state;
        let record = match report.foreseen.get(id) {
            Some(record) => Some(record.clone()),
            None => state.session(id).record()?,
        };
        record.map_or(Ok(false), |record| {
            archive::is_due(&self.search, state, &record)
        })
    }

    /// Archives a session, which is gone like this or goes on.
    fn archive(&self, id: &SessionId, how: Option<Departure>, report: &mut Report) -> PutAway {
        let state = self.judge.state;
        let is_new = match self.is_dry_run() {
            true => self.is_due(id, report),
            false => archive(&self.search, state, id, &Order::default(), Duration::ZERO)
                .map(|archived| !archived.was_there),
        };
        match is_new {
            Ok(is_new) => {
                report.archived.extend(is_new.then(|| (id.clone(), how)));
                PutAway::Done
            }
            // Whoever archives now is likely a cleanup, too.
            Err(Refusal::Store(Error::Locked { .. })) => PutAway::Later,
            Err(Refusal::Store(err)) => {
                report.fail(&err);
                PutAway::Failed(err.to_string())
            }
            Err(Refusal::Unknown(_)) if self.is_dry_run() => PutAway::Done,
            Err(err @ Refusal::Unknown(_)) => {
                let line = Line::new("session not archived").session(id);
                let why = err.to_string();
                let line = line.detail("why", why.as_str());
                match report.done(log::append(state, Log::Operations, &line)) {
                    Some(()) => PutAway::Done,
                    None => PutAway::Failed(why),
                }
            }
        }
    }
}

/// What became of a session that was to be put away.
enum PutAway {
    /// All that could be done is.
    Done,
    /// Another process archives now, or the client may still write: the next cleanup looks again.
    Later,
    /// Something was in the way: what.
    Failed(String),
}

/// Ends what killed processes began in archives, and enters archives that `archive-ids/` lacks. A process that archives now
/// does so, too.
fn end_interrupted(state: &State, report: &mut Report) -> Result<()> {
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
    let is_old = |found: file::Look| found.meta.modified.age(judge.now) > ORPHANED;
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

/// Enters live sessions into the indexes. The most recently active session of a process comes first, and the first entry
/// stays.
fn index_live(
    judge: &Judge<'_>,
    mut live: Vec<(Record, Finding)>,
    dry_run: bool,
    report: &mut Report,
) -> Result<()> {
    live.sort_by_key(|(_, finding)| Reverse(finding.last_activity));
    let listed: BTreeSet<_> = index::live_candidates(judge.state)?.into_iter().collect();
    for (record, finding) in live {
        let project = Project::at(record.project.root());
        let entry = (project.key(), record.session_id);
        if !listed.contains(&entry) {
            report.listed.push(entry.1.clone());
        }
        if dry_run {
            continue;
        }
        roster::restore(judge.state, &entry.1, &project, &finding.owners)?;
    }
    Ok(())
}

/// The owners on record that are dead and tell nothing any more: of a session that ended long ago all of them; of one that goes
/// on, or is abandoned, all but the last to start. That one tells that its client is gone, so that nobody below another client
/// is taken for part of it.
pub fn forgotten_owners(judge: &Judge<'_>, id: &SessionId, record: &Record) -> Vec<Owner> {
    let dir = judge.state.session(id);
    let mut dead = dir.owner_list(|_, _| false);
    dead.retain(|owner| judge.life(owner, &dir) == Life::Dead);
    if dead.is_empty() {
        return dead;
    }
    let is_long_ago = |last: Timestamp| last.age(judge.now) >= LOST;
    if !dir.last_activity().is_some_and(is_long_ago)
        || judge.find(id, record).state != SessionState::Ended
    {
        dead.sort_by_key(|owner| (owner.launcher, owner.start));
        // A client's is evidence of more than a launcher's.
        let first_launcher = dead.iter().position(|owner| owner.launcher);
        let kept = first_launcher.filter(|at| *at > 0).unwrap_or(dead.len()) - 1;
        dead.remove(kept);
    }
    dead
}

/// The folders of the settings files that hooks were registered in.
fn folders_of_installs(state: &State) -> Vec<PathBuf> {
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

fn sweep_orphans(dir: &Path, now: Timestamp, dry_run: bool, report: &mut Report) {
    let Some(names) = report.done(file::names(dir)) else {
        return;
    };
    for name in names {
        if !name
            .to_str()
            .is_some_and(|name| name.starts_with(TEMPORARY))
        {
            continue;
        }
        let path = dir.join(name);
        // A dry run leaves what it has seen.
        let is_seen = dry_run && report.orphans.iter().any(|swept| swept.path == path);
        let is_old = |found: file::Look| {
            let is_ours = found.is_file() && found.owner == file::me();
            is_ours && found.meta.modified.age(now) > ORPHANED
        };
        let found = report.done(file::look(&path)).flatten();
        let is_old = found.is_some_and(is_old) && !is_seen;
        if is_old && (dry_run || report.done(write::remove(&path)) == Some(true)) {
            report.orphans.push(Swept {
                path,
                why: Why::Orphaned,
            });
        }
    }
}
