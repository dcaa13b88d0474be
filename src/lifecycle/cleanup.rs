//! Cleaning up: stale pointers, temporary files of processes that died, and index entries of sessions and processes
//! that are gone. Safe at any moment beside everything else, and cheap: what it looks at does not grow with the number
//! of ended sessions.

use std::cell::OnceCell;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::identity::liveness::{Finding, Judge, LOST, SessionState, has_gone_process};
use crate::identity::process::Life;
use crate::lifecycle::archive::{self, Order, Refusal, archive};
use crate::lifecycle::compression::{self, Quiet};
use crate::lifecycle::endangered::endangered;
use crate::lifecycle::transcript::Search;
use crate::lifecycle::{ending, lease, limits, transcript, usage};
use crate::model::{Config, Owner, Project, Record, SessionId, Timestamp};
use crate::store::archive::Archives;
use crate::store::lock::CLI_PATIENCE;
use crate::store::log::{self, Line, Log};
use crate::store::pointer::{ORPHANED, Pointers, Swept, Why};
use crate::store::write::TEMPORARY;
use crate::store::{
    Environment, Error, Places, Result, SessionDir, State, ended, file, index, tombstones, write,
};

/// How long after its last event a transcript is looked for that is not where it began: some daily cleanups.
const SEARCHED: Duration = Duration::from_secs(3 * 24 * 60 * 60);

/// How long after its end a session's transcript may grow. The client has been seen to write its last line 170 ms after the
/// hook of the end; a machine that is busy takes longer.
const GROWS: Duration = Duration::from_secs(10);

/// What a cleanup did, or would do.
#[derive(Debug, Default)]
pub struct Report {
    /// Pointers that were removed.
    pub pointers: Vec<Swept>,
    /// Temporary files that were removed.
    pub orphans: Vec<Swept>,
    /// Processes that had died, and whose index entries were removed.
    pub processes: Vec<Owner>,
    /// Sessions that were found ended or abandoned and taken off the live ones, and how each is gone.
    pub retired: BTreeMap<SessionId, Gone>,
    /// Live sessions that were on no list of live ones, and are again.
    pub listed: Vec<SessionId>,
    /// Sessions that were archived, and how each is gone, unless it goes on.
    pub archived: BTreeMap<SessionId, Option<Gone>>,
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

/// Cleans up; with `dry_run`, only says what would go. The client keeps transcripts for `keeps` days.
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
    dry_run: bool,
) -> Result<Report> {
    let (state, broken) = match State::open(places) {
        Ok(state) => (state, None),
        Err(err) => (None, Some(err)),
    };
    let pointers = Pointers {
        dir: &places.pointers,
        state: state.as_ref(),
        ttl: config.ttl,
        now,
    };
    let (orphans, removed) = pointers
        .sweep(dry_run)?
        .into_iter()
        .partition(|swept| swept.why == Why::Orphaned);
    let mut report = Report {
        pointers: removed,
        orphans,
        state_left_alone: broken,
        ..Report::default()
    };
    if let Some(state) = &state {
        let sweep = Sweep {
            env,
            config,
            judge: Judge::new(state, config, now),
            dry_run,
            transcripts: OnceCell::new(),
            search: Search::new(env),
        };
        sweep.state(&pointers, keeps, &mut report)?;
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
    let Ok(Some(state)) = State::open(places) else {
        return Ok(Due::All);
    };
    let auto = config.archive_auto;
    let rest = match auto && ended::is_any(&state) {
        true => Due::Archiving,
        false => Due::Nothing,
    };
    let is_lost = || auto && has_gone_process(&state);
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

/// Archives the sessions that have ended, and nothing else.
///
/// # Errors
/// Where the state directory is not safe or cannot be read.
pub fn archive_ended(
    env: &Environment,
    places: &Places,
    config: &Config,
    now: Timestamp,
) -> Result<Report> {
    let mut report = Report::default();
    if let Some(state) = State::open(places)? {
        let sweep = Sweep {
            env,
            config,
            judge: Judge::new(&state, config, now),
            dry_run: false,
            transcripts: OnceCell::new(),
            search: Search::new(env),
        };
        sweep.put_away_ended(&mut report)?;
    }
    Ok(report)
}

/// How the state directory is cleaned up.
struct Sweep<'a> {
    env: &'a Environment,
    config: &'a Config,
    judge: Judge<'a>,
    dry_run: bool,
    /// All transcripts by their names, once one had to be looked for.
    transcripts: OnceCell<BTreeMap<SessionId, PathBuf>>,
    search: Search<'a>,
}

impl Sweep<'_> {
    fn state(&self, pointers: &Pointers<'_>, keeps: f64, report: &mut Report) -> Result<()> {
        let (judge, state, dry_run) = (&self.judge, self.judge.state, self.dry_run);
        for entry in index::processes(state)? {
            if judge.life(&entry.owner, &state.session(&entry.session_id)) == Life::Dead
                && (dry_run || index::forget_process(state, &entry.owner)?)
            {
                report.processes.push(entry.owner);
            }
        }
        for (key, id) in index::live_candidates(state)? {
            sweep_orphans(state.session(&id).path(), judge.now, dry_run, report)?;
            self.retire(&key, &id, report)?;
        }
        self.put_away_ended(report)?;
        report.leases = lease::sweep(judge, pointers, dry_run)?;
        if !dry_run {
            limits::warn(judge, self.config)?;
        }
        for dir in ["", "procs", "leases"].map(|name| state.root().join(name)) {
            sweep_orphans(&dir, judge.now, dry_run, report)?;
        }
        let is_daily = match dry_run {
            true => state.daily_is_due(judge.now)?,
            false => state.claim_daily(judge.now)?,
        };
        if is_daily {
            if !dry_run {
                end_interrupted(state, report)?;
            }
            self.look_at_each(report)?;
            self.keep_up(report)?;
            self.save_endangered(keeps, report)?;
            self.prune(report)?;
        }
        let removed = report.pointers.len();
        if removed > 0 && !dry_run {
            log::append(
                state,
                Log::Operations,
                &Line::new("pointers removed").detail("count", removed),
            )?;
        }
        Ok(())
    }

    /// What is done for every session ever recorded, so once a day: what was left behind in its folder goes, and the owners that
    /// tell nothing any more; its tokens are counted; its journal is compressed; and if it is live, it is on the indexes again, where an entry that was
    /// lost would hide it.
    fn look_at_each(&self, report: &mut Report) -> Result<()> {
        let (judge, state) = (&self.judge, self.judge.state);
        let mut live = Vec::new();
        for id in state.session_ids()? {
            let dir = state.session(&id);
            sweep_orphans(dir.path(), judge.now, self.dry_run, report)?;
            let record = match dir.record() {
                Ok(Some(record)) => record,
                Ok(None) if !self.dry_run => {
                    remove_what_is_left(judge, &dir)?;
                    continue;
                }
                _ => continue,
            };
            // A session that ended is on no list of live ones any more.
            if !self.dry_run {
                self.count_tokens(&record);
            }
            report.compressed.extend(compression::due(judge, &id));
            if judge.is_at_rest(&id) {
                continue;
            }
            for owner in forgotten_owners(judge, &id, &record) {
                if !self.dry_run {
                    dir.remove_owner(&owner)?;
                }
                report.owners.push((id.clone(), owner));
            }
            let finding = judge.find(&id, &record);
            if finding.state.is_live() {
                live.push((record, finding));
            }
        }
        index_live(judge, live, self.dry_run, report)?;
        self.compress(report)
    }

    /// Compresses the journals that are due.
    fn compress(&self, report: &mut Report) -> Result<()> {
        if self.dry_run || report.compressed.is_empty() {
            return Ok(());
        }
        let (state, now) = (self.judge.state, self.judge.now);
        let due = std::mem::take(&mut report.compressed);
        let failed = |why| report.failed.push(why);
        report.compressed = compression::compress(state, due, now, failed);
        let line = Line::new("journals compressed").detail("count", report.compressed.len());
        log::append(state, Log::Operations, &line)
    }

    /// Takes a session that is gone off the live ones, and marks it to be put away: marked first, so that a cleanup that is
    /// killed in between forgets nothing.
    fn retire(&self, key: &str, id: &SessionId, report: &mut Report) -> Result<()> {
        let (judge, state) = (&self.judge, self.judge.state);
        let Some(how) = gone(judge, id) else {
            return Ok(());
        };
        report.retired.insert(id.clone(), how);
        if self.dry_run {
            return Ok(());
        }
        if self.is_kept(how) {
            ended::mark(state, id)?;
        }
        index::remove_from_project(state, key, id)?;
        if gone(judge, id).is_none() {
            // It was resumed at this very moment.
            index::add_to_project(state, key, id)?;
            report.retired.remove(id);
            return Ok(());
        }
        if matches!(how, Gone::Abandoned(_)) {
            let line = Line::new("session abandoned");
            log::append(state, Log::Operations, &line.session(id))?;
        }
        if let Ok(Some(record)) = state.session(id).record() {
            self.count_tokens(&record);
        }
        Ok(())
    }

    /// Whether a session that is gone like this is marked to be put away.
    fn is_kept(&self, how: Gone) -> bool {
        how != Gone::Unrecorded && self.config.archive_auto
    }

    /// Puts away the sessions that are marked as ended.
    fn put_away_ended(&self, report: &mut Report) -> Result<()> {
        let state = self.judge.state;
        let mut marked: BTreeSet<SessionId> = ended::all(state)?.into_iter().collect();
        if self.dry_run {
            let retired = report.retired.iter();
            let kept = retired.filter(|(_, how)| self.is_kept(**how));
            marked.extend(kept.map(|(id, _)| id.clone()));
        }
        for id in marked {
            if state.session(&id).record().is_err() {
                // Once somebody has mended it, it is to be archived.
                continue;
            }
            let is_done = match gone(&self.judge, &id) {
                // It was resumed, and will be marked again.
                None | Some(Gone::Unrecorded) => true,
                Some(how) => self.put_away(&id, how, report) && !self.may_grow(&id, how),
            };
            if is_done && !self.dry_run {
                ended::unmark(state, &id)?;
            }
        }
        Ok(())
    }

    /// Whether the client may still write to the transcript of a session that has ended: then the next cleanup looks again.
    /// A clock that was set back lets none wait for longer.
    fn may_grow(&self, id: &SessionId, how: Gone) -> bool {
        let is_new =
            |last: Timestamp| last.age(self.judge.now).max(last.ahead(self.judge.now)) < GROWS;
        let last = self.judge.state.session(id).last_activity();
        self.is_kept(how) && how == Gone::Ended && last.is_some_and(is_new)
    }

    /// Archives what has been said since in sessions that go on: the client deletes transcripts that were not written to for
    /// long, live sessions' too. One that has no transcript yet has said nothing.
    fn keep_up(&self, report: &mut Report) -> Result<()> {
        if self.config.archive_auto {
            let state = self.judge.state;
            let candidates = index::live_candidates(state)?.into_iter();
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
        Ok(())
    }

    /// Archives what the client deletes soon and no mark tells of: sessions that were imported, or ended while nothing was
    /// archived, and what was said since one was archived.
    fn save_endangered(&self, keeps: f64, report: &mut Report) -> Result<()> {
        if self.config.archive_auto {
            let soon = endangered(self.env, &self.judge, self.config, keeps)?;
            for id in soon.iter().map(|endangered| &endangered.id) {
                match gone(&self.judge, id) {
                    Some(how) => self.put_away(id, how, report),
                    None => self.archive(id, None, report),
                };
            }
        }
        Ok(())
    }

    /// Removes what was kept for long enough: of sessions only those that are archived.
    fn prune(&self, report: &mut Report) -> Result<()> {
        let (state, now) = (self.judge.state, self.judge.now);
        let archives = Archives::of(state);
        // On a dry run: those whose archive would be a new one.
        let mut anew: BTreeSet<SessionId> = report.archived.keys().cloned().collect();
        if let Some(keep) = self.config.retention_sessions {
            for id in state.session_ids()? {
                let is_archived = self.dry_run && anew.contains(&id);
                let is_old = |record: &Record| {
                    let end = record.ended_at;
                    end.is_some_and(|end| end.age(now) > keep)
                        && (is_archived || is_whole(&archives, record))
                };
                // One that cannot be read is kept.
                let foreseen = report.foreseen.get(&id).cloned();
                let record = foreseen.or_else(|| state.session(&id).record().ok().flatten());
                let record = record.filter(is_old);
                let Some(record) = record.filter(|_| gone(&self.judge, &id).is_some()) else {
                    continue;
                };
                if self.dry_run {
                    match archive::is_due(&self.search, state, &record) {
                        Ok(true) => anew.insert(id.clone()),
                        Ok(false) => false,
                        Err(_) => continue,
                    };
                } else {
                    // It may have gone on since it was archived. What cannot be archived stays.
                    let order = Order::default();
                    if archive(&self.search, state, &id, &order, CLI_PATIENCE).is_err() {
                        continue;
                    }
                    tombstones::add(state, &id, "session pruned")?;
                    state.session(&id).remove()?;
                    ended::unmark(state, &id)?;
                }
                report.pruned.push(Pruned::Session(id));
            }
        }
        let Some(keep) = self.config.retention_archive else {
            return Ok(());
        };
        let listing = archives.all()?;
        listing.failed.iter().for_each(|err| report.fail(err));
        for archive in listing.archives {
            let Ok(Some(manifest)) = archive.manifest() else {
                continue;
            };
            let is_anew = self.dry_run && anew.contains(&manifest.session_id);
            if is_anew || manifest.archived_at.age(now) <= keep {
                continue;
            }
            if !self.dry_run {
                let _lock = archives.lock(CLI_PATIENCE)?;
                tombstones::add(state, &manifest.session_id, "archive pruned")?;
                archive.remove(&manifest)?;
            }
            report.pruned.push(Pruned::Archive(manifest.session_id));
        }
        Ok(())
    }

    /// Notes a session's end and archives it. Whether all that could be done is the answer.
    fn put_away(&self, id: &SessionId, how: Gone, report: &mut Report) -> bool {
        let noted = match self.dry_run {
            true => ending::foreseen(&self.judge, id),
            false => ending::note(&self.judge, id),
        };
        match noted {
            Ok(Some(record)) if self.dry_run => {
                report.foreseen.insert(id.clone(), record);
            }
            Ok(_) => {}
            Err(err) => {
                report.fail(&err);
                return false;
            }
        }
        !self.config.archive_auto || self.archive(id, Some(how), report)
    }

    /// Counts the tokens of a session while its transcript is there: the client deletes it some day. What fails is left to
    /// whoever asks for them.
    fn count_tokens(&self, record: &Record) {
        let (id, now) = (&record.session_id, self.judge.now);
        let dir = self.judge.state.session(id);
        let search = || {
            if dir.last_activity()?.age(now) >= SEARCHED {
                return None;
            }
            let all = || transcript::by_name(self.env);
            let path = self.transcripts.get_or_init(all).get(id)?;
            transcript::is_there(path).then(|| path.clone())
        };
        let _ = usage::count_due(&dir, record, search);
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

    /// Archives a session, which is gone like this or goes on. Whether all that could be done is the answer.
    fn archive(&self, id: &SessionId, how: Option<Gone>, report: &mut Report) -> bool {
        let state = self.judge.state;
        let is_new = match self.dry_run {
            true => self.is_due(id, report),
            false => archive(&self.search, state, id, &Order::default(), Duration::ZERO)
                .map(|archived| !archived.was_there),
        };
        match is_new {
            Ok(is_new) => {
                report.archived.extend(is_new.then(|| (id.clone(), how)));
                true
            }
            // Whoever archives now is likely a cleanup, too.
            Err(Refusal::Store(Error::Locked { .. })) => false,
            Err(Refusal::Store(err)) => {
                report.fail(&err);
                false
            }
            // A person has to say which transcript it is.
            Err(Refusal::Several(..) | Refusal::Unknown(_)) if self.dry_run => true,
            Err(err @ (Refusal::Several(..) | Refusal::Unknown(_))) => {
                let line = Line::new("session not archived").session(id);
                let logged = line.detail("why", err.to_string());
                log::append(state, Log::Operations, &logged).is_ok()
            }
        }
    }
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

/// How a session is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gone {
    /// It has no record.
    Unrecorded,
    /// Somebody said that it ended.
    Ended,
    /// Nobody did, and no process has it any more; it was last heard of then.
    Abandoned(Option<Timestamp>),
}

/// How the session is gone, if it is. One that has a record which another version may understand is not.
pub(super) fn gone(judge: &Judge<'_>, id: &SessionId) -> Option<Gone> {
    let Some(record) = judge.state.session(id).record().ok()? else {
        return Some(Gone::Unrecorded);
    };
    let finding = judge.find(id, &record);
    match finding.state {
        SessionState::Active | SessionState::Idle => None,
        SessionState::Ended => Some(Gone::Ended),
        SessionState::Abandoned if finding.may_go_on(judge) => None,
        SessionState::Abandoned => Some(Gone::Abandoned(finding.last_activity)),
    }
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
        let entry = (Project::at(record.project.root()).key(), record.session_id);
        if !listed.contains(&entry) {
            report.listed.push(entry.1.clone());
        }
        if dry_run {
            continue;
        }
        let (key, id) = entry;
        index::add_to_project(judge.state, &key, &id)?;
        for owner in &finding.owners {
            if index::session_of_process(judge.state, owner).is_none() {
                index::set_session_of_process(judge.state, owner, &id)?;
            }
        }
    }
    Ok(())
}

/// The owners on record, all of them dead, of a session that ended long ago: they tell nothing any more. Those of an abandoned
/// one do: that its client is gone, so that nobody below another client is taken for part of it.
pub fn forgotten_owners(judge: &Judge<'_>, id: &SessionId, record: &Record) -> Vec<Owner> {
    let dir = judge.state.session(id);
    let is_long_ago = |last: Timestamp| last.age(judge.now) >= LOST;
    if !dir.last_activity().is_some_and(is_long_ago) {
        return Vec::new();
    }
    let mut owners = dir.owner_list();
    owners.retain(|owner| judge.life(owner, &dir) == Life::Dead);
    if owners.is_empty() || judge.find(id, record).state != SessionState::Ended {
        return Vec::new();
    }
    owners
}

fn sweep_orphans(dir: &Path, now: Timestamp, dry_run: bool, report: &mut Report) -> Result<()> {
    for name in file::names(dir)? {
        if !name
            .to_str()
            .is_some_and(|name| name.starts_with(TEMPORARY))
        {
            continue;
        }
        let path = dir.join(name);
        // A dry run leaves what it has seen.
        let is_seen = dry_run && report.orphans.iter().any(|swept| swept.path == path);
        let old = file::look(&path)?.is_some_and(|found| found.meta.modified.age(now) > ORPHANED);
        if old && !is_seen && (dry_run || write::remove(&path)?) {
            report.orphans.push(Swept {
                path,
                why: Why::Orphaned,
            });
        }
    }
    Ok(())
}
