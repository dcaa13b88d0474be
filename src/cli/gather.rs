//! Reads the requested sessions on all processors at once. Each thread takes the next session that
//! no other has taken. The caller decides what to count.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::Result;

use super::context::{missing, unreadable, unrecorded};
use crate::claude::words::PROCESS_NAME;
use crate::identity::liveness::{Assessment, Judge, LastWord};
use crate::model::commit::CommitNote;
use crate::model::{Activity, JournalLine, OpenActivity, Record, SessionId, Trace, TraceBuilder};
use crate::store::history::LineOrigin;
use crate::store::journal::Damage;
use crate::store::processors::{helpers, with_helpers};
use crate::store::{Error, History, SessionDir, index};
use crate::view::commit_makers::{OwnCommands, Suspect};

/// The sessions to read.
#[derive(Debug)]
pub(super) enum SessionSelection {
    /// The session with this id.
    One(SessionId),
    /// The sessions of the projects with these root directories.
    Projects(Vec<PathBuf>),
    /// Every recorded session.
    All,
    /// The sessions with these ids.
    These(Vec<SessionId>),
}

/// Something to count in sessions. Each thread has its own counter, and the counters are added up.
pub(super) trait Count: Send {
    /// True if calls need their labels.
    const WITH_LABELS: bool = false;

    /// True if the counter reads single events. Then calls have their labels, too.
    const WITH_EVENTS: bool = false;

    /// True to end the turns and subagents that no process can end any more. Such calls always
    /// count as ended.
    const CLOSES_ALL: bool = false;

    /// True if the sessions must be counted in the order in which they began.
    const IN_ORDER: bool = false;

    /// Counts a session. The error says, in words for people, what could not be counted.
    fn session(&mut self, session: &GatheredSession<'_>) -> Result<(), String>;

    /// Called after each requested session, whether or not it was counted. `place` is the index of
    /// the session.
    fn pass(&mut self, _place: usize) {}

    /// Adds the counts of another thread.
    fn add(&mut self, other: Self);
}

/// A session that was read.
#[derive(Debug)]
pub(super) struct GatheredSession<'a> {
    /// The index of the session among the requested ones.
    pub(super) place: usize,
    pub(super) id: &'a SessionId,
    pub(super) dir: &'a SessionDir,
    pub(super) record: &'a Record,
    pub(super) trace: &'a Trace,
    pub(super) activity: Activity<'a>,
    /// The path of the transcript in the last event that reports one.
    pub(super) moved: Option<&'a str>,
    /// What the session's events report about commits.
    pub(super) noted: &'a NotedCommits,
    /// The lines of the journal that are not events.
    pub(super) damage: Damage,
    judge: &'a Judge<'a>,
    last_word: LastWord,
    has_open_calls: bool,
}

/// What a session's events report about commits: the commits, the directories in which the session
/// was, and the commands that it ran.
#[derive(Debug, Default)]
pub(super) struct NotedCommits {
    /// Each commit with the directory of its event. `None` means the directory in the record.
    pub(super) commits: Vec<(CommitNote, Option<String>)>,
    /// The directories in events that differ from the one in the record.
    pub(super) dirs: Vec<String>,
    /// The commands that the session ran apart from calls.
    pub(super) commands: OwnCommands,
}

impl NotedCommits {
    /// How many different directories are kept at most.
    const MAX_DIRS: usize = 100;

    /// Adds what an event reports.
    pub(super) fn hear(&mut self, line: &JournalLine<'_>) {
        self.commands.hear(line, PROCESS_NAME);
        let commits = line.commits.iter().cloned();
        let cwd = || line.cwd.map(str::to_owned);
        self.commits.extend(commits.map(|it| (it, cwd())));
        if let Some(cwd) = line.cwd
            && self.dirs.len() < Self::MAX_DIRS
            && !self.dirs.iter().any(|dir| dir == cwd)
        {
            self.dirs.push(cwd.to_owned());
        }
    }
}

impl GatheredSession<'_> {
    /// Returns the session's current state.
    pub(super) fn finding(&self) -> Assessment {
        self.judge
            .find_heard(self.id, &self.last_word, self.has_open_calls)
    }

    /// Returns what is needed to decide whether the session made a commit.
    pub(super) fn suspect(&self) -> Suspect<'_, '_> {
        let is_live = self.finding().state.is_live();
        Suspect::new(self.record, &self.activity, &self.noted.commands, is_live)
    }
}

/// The result of [`gather`].
#[derive(Debug)]
pub(super) struct GatherResult<C> {
    pub(super) counts: C,
    /// Journal files with lines that are not events.
    pub(super) damaged: Vec<(PathBuf, Damage)>,
    /// What could not be read or counted, and why, in words for people.
    pub(super) left_out: Vec<String>,
    /// Why the only requested session could not be read.
    unread: Option<Error>,
}

/// Reads each requested session and counts it. `counts` creates the counter of each thread. If
/// several sessions are requested, an unreadable one is skipped and named in the result.
///
/// # Errors
/// Fails if the sessions cannot be listed, or the only requested one cannot be read.
pub(super) fn gather<C: Count>(
    judge: &Judge<'_>,
    which: &SessionSelection,
    counts: impl Fn() -> C + Sync,
) -> Result<GatherResult<C>> {
    let state = judge.state;
    let mut ids: Vec<SessionId> = match which {
        SessionSelection::One(id) => vec![id.clone()],
        SessionSelection::These(ids) => ids.clone(),
        SessionSelection::Projects(_) | SessionSelection::All => state.session_ids()?.collect(),
    };
    if C::IN_ORDER {
        // Ignore a record that cannot be read: reading the session reports it.
        let began = |id: &SessionId| Some(state.session(id).record().ok()??.started_at);
        ids.sort_by_cached_key(|id| (began(id), id.clone()));
    }
    let live: HashSet<SessionId> = match which {
        SessionSelection::Projects(_) => index::live_candidates(state)?
            .into_iter()
            .map(|(_, id)| id)
            .collect(),
        SessionSelection::One(_) | SessionSelection::All | SessionSelection::These(_) => {
            HashSet::new()
        }
    };
    let next = AtomicUsize::new(0);
    let work = || {
        let mut worker = GatherWorker {
            judge,
            which,
            live: &live,
            gathered: GatherResult::new(counts()),
            memory: match (C::WITH_EVENTS, C::WITH_LABELS) {
                (true, _) => TraceBuilder::with_events(),
                (false, true) => TraceBuilder::with_labels(),
                (false, false) => TraceBuilder::default(),
            },
        };
        loop {
            let place = next.fetch_add(1, Ordering::Relaxed);
            let Some(id) = ids.get(place) else {
                break;
            };
            worker.session(place, id);
            worker.gathered.counts.pass(place);
        }
        worker.gathered
    };
    let mut gathered = with_helpers(helpers(ids.len()), &work, |mut gathered, other| {
        gathered.add(other);
        gathered
    });
    if let Some(err) = gathered.unread {
        return Err(err.into());
    }
    gathered.sort();
    Ok(gathered)
}

impl<C> GatherResult<C> {
    /// Creates an empty result.
    pub(super) fn new(counts: C) -> Self {
        Self {
            counts,
            damaged: Vec::new(),
            left_out: Vec::new(),
            unread: None,
        }
    }

    /// Returns the number of lines that are not events. A line that is still being written does not
    /// count.
    pub(super) fn damaged_lines(&self) -> u64 {
        let lines = self.damaged.iter().flat_map(|(_, damage)| damage.named());
        lines.map(|(count, _)| count).sum()
    }

    /// Sorts the messages, so that their order does not depend on the threads.
    fn sort(&mut self) {
        self.damaged.sort_by(|one, other| one.0.cmp(&other.0));
        self.left_out.sort();
    }
}

impl<C: Count> GatherResult<C> {
    fn add(&mut self, other: Self) {
        self.counts.add(other.counts);
        self.damaged.extend(other.damaged);
        self.left_out.extend(other.left_out);
    }
}

/// One thread's share of the work.
struct GatherWorker<'a, C> {
    judge: &'a Judge<'a>,
    which: &'a SessionSelection,
    /// The sessions that may be live.
    live: &'a HashSet<SessionId>,
    gathered: GatherResult<C>,
    /// The buffers of the last session's events, reused for the next.
    memory: TraceBuilder,
}

impl<C: Count> GatherWorker<'_, C> {
    fn session(&mut self, place: usize, id: &SessionId) {
        let dir = self.judge.state.session(id);
        let counted = match dir.record() {
            Ok(Some(record)) if self.is_wanted(id, &record) => self.count(place, &dir, &record),
            Ok(Some(_)) => Ok(()),
            Ok(None) => {
                self.gathered.left_out.extend(unrecorded(&dir, id));
                Ok(())
            }
            Err(err) => Err(err),
        };
        match (counted, self.which) {
            (Ok(()), _) => {}
            (Err(err), SessionSelection::One(_)) => self.gathered.unread = Some(err),
            (Err(err), _) => {
                let why = format!("{err}; skipped");
                self.gathered.left_out.push(why);
            }
        }
    }

    /// Returns whether the session was requested. The directory in which it started counts only
    /// while the session runs. So the state of sessions that do not run need not be determined.
    fn is_wanted(&self, id: &SessionId, record: &Record) -> bool {
        match self.which {
            SessionSelection::One(_) | SessionSelection::All | SessionSelection::These(_) => true,
            SessionSelection::Projects(roots) if self.live.contains(id) => {
                let finding = self.judge.find(id, record);
                roots.iter().any(|root| finding.is_in(record, root))
            }
            SessionSelection::Projects(roots) => roots.iter().any(|root| record.is_in(root)),
        }
    }

    fn count(&mut self, place: usize, dir: &SessionDir, record: &Record) -> Result<(), Error> {
        let id = &record.session_id;
        let mut moved: Option<String> = None;
        let mut last_word = LastWord::new(record);
        let memory = std::mem::take(&mut self.memory);
        let mut noted = NotedCommits::default();
        let history = History::read(dir, memory, |origin, line| {
            noted.hear(line);
            if origin != LineOrigin::Journal {
                return;
            }
            last_word.hear(line);
            if let Some(path) = line
                .transcript_path
                .filter(|path| moved.as_deref() != Some(path))
            {
                moved = Some(path.to_owned());
            }
        })?;
        self.gathered.left_out.extend(missing(&history));
        let History { trace, damage, .. } = history;
        if damage != Damage::default() {
            self.gathered.damaged.extend(dir.damage_by_file()?);
            self.gathered.left_out.extend(unreadable(dir, damage));
        }
        let activity = OpenActivity::of(&trace);
        let has_open_calls = activity.open_calls().next().is_some();
        let activity = if has_open_calls || C::CLOSES_ALL && activity.is_open() {
            let finding = self.judge.find_heard(id, &last_word, has_open_calls);
            activity.close(|pid| finding.has(pid))
        } else {
            activity.leave_open()
        };
        let heard = GatheredSession {
            place,
            id,
            dir,
            record,
            trace: &trace,
            activity,
            moved: moved.as_deref(),
            noted: &noted,
            damage,
            judge: self.judge,
            last_word,
            has_open_calls,
        };
        if let Err(why) = self.gathered.counts.session(&heard) {
            self.gathered.left_out.push(why);
        }
        self.memory = trace.recycle();
        Ok(())
    }
}
