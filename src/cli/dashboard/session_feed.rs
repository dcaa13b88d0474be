//! The feed of one session's page: its calls while they are made.
//!
//! The journal and the processes are read at each event, because that is cheap. The transcripts are
//! read only from time to time: for the tokens, the coverage, the commits and the relatives.

use std::time::{Duration, Instant};

use serde::Serialize;

use super::feed::{Feed, Look, Source, Whole, event_of};
use super::handler::Failure;
use super::threads::NoResult;
use crate::cli::context::{Context, no_record};
use crate::cli::gather::SessionSelection;
use crate::cli::page::{GatheredPages, PageEffort, pages};
use crate::cli::status::{self, Status};
use crate::model::text::escaped;
use crate::model::{SessionId, Timestamp};
use crate::store::file::{self, Meta};
use crate::store::{SessionDir, clock};
use crate::view::page::{PageChange, SessionPage};

/// How long to wait before checking again whether anything was written.
const BETWEEN_LOOKS: Duration = Duration::from_millis(100);
/// While events come, reading takes at most about 1/6 of the time: each pause is this many times as
/// long as the last reading.
const SHARE: u32 = 6;
/// How often a live session is read without an event: a process may have ended, or a call may have
/// begun to wait for a person.
const WITHOUT_EVENT: Duration = Duration::from_secs(1);
/// Reading without an event takes at most about 1/30 of the time: each pause is this many times as
/// long as the last reading.
const QUIET_SHARE: u32 = 30;
/// The shortest time between two readings of the transcripts.
const TRANSCRIPTS: Duration = Duration::from_secs(15);
/// Reading transcripts takes at most about 1/50 of the time: each pause is this many times as long
/// as the last reading.
const TRANSCRIPTS_SHARE: u32 = 50;
/// How long after a session's end it is read once more with its transcripts.
const AFTER_END: Duration = Duration::from_secs(1);
/// How long a feed without listeners keeps its thread.
const PATIENCE: Duration = Duration::from_secs(30);

/// What `/api/session/ID` answers, and the first event of its stream.
#[derive(Debug, Serialize)]
struct SessionAnswer<'a> {
    v: u32,
    now: Timestamp,
    /// What could not be read, in words for people.
    left_out: &'a [String],
    #[serde(flatten)]
    page: &'a SessionPage,
}

/// What the later events of the stream contain.
#[derive(Debug, Serialize)]
struct SessionChange<'a> {
    now: Timestamp,
    left_out: &'a [String],
    #[serde(flatten)]
    change: PageChange<'a>,
}

/// Starts the feed of a session.
///
/// # Errors
/// Fails with [`NoResult::NoThread`] if the system starts no more threads.
pub(super) fn start(id: SessionId) -> Result<Feed, NoResult> {
    Feed::start("session", Some(PATIENCE), |attendance| {
        attendance.attend(&mut SessionSource::new(id));
    })
}

/// Returns what `/api/session/ID` answers.
pub(super) fn answer(id: &SessionId) -> Result<String, Failure> {
    let read = read(id, PageEffort::Whole)?;
    Ok(read.whole().json)
}

/// A session as it was read.
struct SessionRead {
    page: SessionPage,
    left_out: Vec<String>,
    effort: PageEffort,
    /// The state of the files before they were read.
    stamp: Stamp,
}

/// The state of a session's files. It changes whenever anything about the session is written.
type Stamp = (Option<Meta>, Option<Timestamp>, Option<(u64, Timestamp)>);

impl SessionRead {
    fn whole(&self) -> Whole {
        let answer = SessionAnswer {
            v: 1,
            now: clock::now(),
            left_out: &self.left_out,
            page: &self.page,
        };
        Whole::new("session", &answer)
    }
}

fn read(id: &SessionId, effort: PageEffort) -> anyhow::Result<SessionRead> {
    let context = Context::new();
    let config = context.config()?;
    let state = context.state()?.ok_or_else(|| no_record(id))?;
    let dir = state.session(id);
    let stamp = stamp(&dir);
    dir.record()?.ok_or_else(|| no_record(id))?;
    let which = SessionSelection::One(id.clone());
    let GatheredPages {
        mut sessions,
        left_out,
        ..
    } = pages(&context, &config, &state, &which, effort)?;
    let page = sessions.pop().ok_or_else(|| no_record(id))?;
    Ok(SessionRead {
        page,
        left_out: left_out.iter().map(|text| escaped(text)).collect(),
        effort,
        stamp,
    })
}

fn is_live(read: &SessionRead) -> bool {
    matches!(read.page.facts.state, "active" | "idle")
}

fn stamp(dir: &SessionDir) -> Stamp {
    let journal = file::look(dir.journal().path()).ok().flatten();
    let journal = journal.map(|found| found.meta);
    (journal, dir.record_changed(), dir.imported_stamp())
}

/// Reads one session again and again.
struct SessionSource {
    id: SessionId,
    /// The session as it was last read.
    read: Option<SessionRead>,
    /// Why the last reading failed.
    fault: Option<Failure>,
    /// When the session may be read again after something was written.
    next: Instant,
    /// When the session is read again although nothing was written.
    next_quiet: Instant,
    /// When the session is read again with its transcripts.
    next_whole: Instant,
}

impl SessionSource {
    fn new(id: SessionId) -> Self {
        let now = Instant::now();
        Self {
            id,
            read: None,
            fault: None,
            next: now,
            next_quiet: now,
            next_whole: now,
        }
    }

    /// Returns whether the session must be read again.
    fn is_due(&self, now: Instant) -> bool {
        let Some(read) = self.read.as_ref().filter(|_| self.fault.is_none()) else {
            return now >= self.next;
        };
        if is_live(read) && now >= self.next_quiet {
            return true;
        }
        // After the session's end nothing more is written, so the transcripts are read one last
        // time.
        if read.effort == PageEffort::Brief && now >= self.next_whole {
            return true;
        }
        now >= self.next && {
            let state = Context::new().state().ok().flatten();
            state.is_none_or(|state| stamp(&state.session(&self.id)) != read.stamp)
        }
    }

    /// Reads the session. Keeps what the transcripts said, unless they are due to be read again.
    fn read_again(&mut self, started: Instant) -> anyhow::Result<SessionRead> {
        let before = self.read.as_ref().filter(|_| started < self.next_whole);
        let Some(before) = before else {
            let read = read(&self.id, PageEffort::Whole)?;
            let took = started.elapsed();
            self.next_whole = Instant::now() + TRANSCRIPTS.max(took * TRANSCRIPTS_SHARE);
            return Ok(read);
        };
        let mut read = read(&self.id, PageEffort::Brief)?;
        let (known, facts) = (&before.page.facts, &mut read.page.facts);
        facts.coverage = known.coverage;
        facts.commits.clone_from(&known.commits);
        facts.lineage.clone_from(&known.lineage);
        facts.lineage_more = known.lineage_more;
        Ok(read)
    }
}

impl Source for SessionSource {
    fn look(&mut self) -> Look {
        let started = Instant::now();
        if !self.is_due(started) {
            return Look::Same;
        }
        let read = self.read_again(started);
        let (now, took) = (Instant::now(), started.elapsed());
        self.next = now + BETWEEN_LOOKS.max(took * SHARE);
        self.next_quiet = now + WITHOUT_EVENT.max(took * QUIET_SHARE);
        let read = match read {
            Ok(read) => read,
            Err(err) => {
                let is_gone = status::of(&err) == Status::NotFound;
                let fault = Failure::from(err);
                let is_known = self.fault.as_ref() == Some(&fault);
                let fault = self.fault.insert(fault);
                return match (is_gone, is_known) {
                    (true, _) => Look::Over(event_of("gone", &fault.json())),
                    (false, true) => Look::Same,
                    (false, false) => Look::Changed(event_of("fault", &fault.json())),
                };
            }
        };
        if read.effort == PageEffort::Brief && !is_live(&read) {
            // Read again soon after the session's end. By then, the tokens and a session that
            // continues this one are known.
            self.next_whole = self.next_whole.min(now + AFTER_END.max(took * SHARE));
        }
        let had_fault = self.fault.take().is_some();
        let before = self.read.replace(read);
        match (&before, &self.read) {
            (Some(before), Some(read)) if !had_fault => {
                if before.page == read.page && before.left_out == read.left_out {
                    return Look::Same;
                }
                let change = SessionChange {
                    now: clock::now(),
                    left_out: &read.left_out,
                    change: PageChange::between(&before.page, &read.page),
                };
                Look::Changed(event_of("change", &change))
            }
            // The listeners only know that the session could not be read, so they get everything.
            (_, Some(read)) if had_fault => Look::Changed(read.whole().event()),
            _ => Look::Same,
        }
    }

    fn whole(&mut self) -> Result<Whole, Failure> {
        match (&self.fault, &self.read) {
            (None, Some(read)) => Ok(read.whole()),
            (Some(fault), _) => Err(fault.clone()),
            (None, None) => Err(Failure::from(no_record(&self.id))),
        }
    }

    fn pause(&self) -> Duration {
        BETWEEN_LOOKS
    }
}
