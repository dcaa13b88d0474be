//! Whether a session is live, ended or abandoned: derived from its record, its owners and its journal each time, never
//! stored.

use std::cell::OnceCell;
use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use super::open_calls::open_calls;
use super::process::{self, Life, Viewpoint};
use crate::claude::words::EndReason;
use crate::model::line::{Kind, Line};
use crate::model::record::ABANDONED;
use crate::model::{Config, Owner, Record, SessionId, Timestamp};
use crate::store::index::ProcessNames;
use crate::store::{SessionDir, State, clock, index};

/// How much of a journal's end tells whether the session has ended: nearly always a little of it does, else thousands of
/// events, and some even where each holds what was said.
const TAILS: [u64; 2] = [64 << 10, 1 << 20];

/// What cannot be seen from here may still go on; after so long without an event nobody counts on it any more. The next
/// prompt in such a session makes it live again.
pub const LOST: Duration = Duration::from_secs(24 * 60 * 60);

/// How far in the future an event may seem to be: a clock that is a little off is nothing to doubt. One that was set back
/// by more keeps no session alive until its time comes again.
pub const MAX_AHEAD: Duration = Duration::from_secs(5 * 60);

/// What a session is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SessionState {
    /// Live, and something happened within the idle timeout or a call is open.
    Active,
    /// Live, and nothing happened for the idle timeout.
    Idle,
    /// Its last process said that it ended.
    Ended,
    /// No process has it any more, and none said so.
    Abandoned,
}

impl SessionState {
    /// Active or idle.
    pub fn is_live(self) -> bool {
        matches!(self, Self::Active | Self::Idle)
    }

    /// The state as one word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Idle => "idle",
            Self::Ended => "ended",
            Self::Abandoned => "abandoned",
        }
    }
}

/// How a session came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Departure {
    /// The session has no record.
    Unrecorded,
    /// Its last process reported the end.
    Ended,
    /// No process has it, and none reported an end. The time is that of the last event.
    Abandoned(Option<Timestamp>),
}

/// What was found of a session.
#[derive(Debug, Clone)]
pub struct Finding {
    /// What it is.
    pub state: SessionState,
    /// When its last event was.
    pub last_activity: Option<Timestamp>,
    /// The processes that have it now.
    pub owners: Vec<Owner>,
    /// How many owners are on record that cannot be seen from here.
    pub unseen: usize,
    /// How many owners are on record at all.
    pub known: usize,
    /// Whether nothing happened for the idle timeout.
    pub is_quiet: bool,
}

impl Finding {
    /// Whether a process that cannot be judged may have the session, and the session is not [`LOST`].
    pub fn may_go_on(&self, judge: &Judge<'_>) -> bool {
        let is_unseen = self.known == 0 || self.unseen > 0;
        let is_recent = |last| judge.is_within(last, LOST);
        is_unseen && self.last_activity.is_some_and(is_recent)
    }

    /// Whether the process of this pid, or any where there is none, may still have the session: what it has begun is not
    /// over.
    pub fn has(&self, pid: Option<u32>) -> bool {
        let mut clients = self
            .owners
            .iter()
            .filter(|owner| !owner.launcher)
            .peekable();
        let is_known = pid.is_some() && self.unseen == 0 && clients.peek().is_some();
        self.state.is_live() && (!is_known || clients.any(|owner| Some(owner.pid) == pid))
    }

    /// Whether the session, with this record, is in the project rooted at `root`: where its living client was started,
    /// else where it began.
    pub fn is_in(&self, record: &Record, root: &Path) -> bool {
        let mut roots = self
            .owners
            .iter()
            .filter_map(|owner| owner.root.as_deref())
            .peekable();
        if roots.peek().is_none() {
            return record.is_in(root);
        }
        roots.any(|own| own == root.to_string_lossy())
    }
}

/// From where, when and how sessions are judged.
#[derive(Debug)]
pub struct Judge<'a> {
    /// The state directory.
    pub state: &'a State,
    /// Whose processes can be seen.
    pub viewpoint: Option<Viewpoint>,
    /// The time at which the judging began. It may go on for long, as a cleanup does that archives years.
    pub now: Timestamp,
    /// After how long without an event a session is idle.
    pub idle_timeout: Duration,
    /// Whether idle sessions are told from active ones. That asks which calls are open; where it does not matter, a live
    /// session counts as active.
    pub tells_idle: bool,
}

impl<'a> Judge<'a> {
    /// Who judges at `now` by what this process sees.
    pub fn new(state: &'a State, config: &Config, now: Timestamp) -> Self {
        Self {
            state,
            viewpoint: Viewpoint::here(),
            now,
            idle_timeout: config.session_timeout,
            tells_idle: false,
        }
    }

    /// The same, telling idle sessions from active ones.
    pub fn telling_idle(self) -> Self {
        Self {
            tells_idle: true,
            ..self
        }
    }

    /// Whether `at` is in the future by more than a clock can be off.
    pub fn is_to_come(&self, at: Timestamp) -> bool {
        // What happened since the judging began is not to come.
        at.ahead(self.now) > MAX_AHEAD && at.ahead(clock::now()) > MAX_AHEAD
    }

    /// Whether what happened at `last` was less than `time` ago.
    fn is_within(&self, last: Timestamp, time: Duration) -> bool {
        last.age(self.now) < time && !self.is_to_come(last)
    }

    /// Judges a session that has a record. Of its journal only the end is read, and that only where no process has it; to
    /// tell idle from active, what was added since the open calls were last noted.
    pub fn find(&self, id: &SessionId, record: &Record) -> Finding {
        let dir = self.state.session(id);
        self.find_by(
            id,
            || !self.tells_idle || !open_calls(&dir).is_empty(),
            || last_word(&dir, record),
        )
    }

    /// As [`Self::find`], of a session whose events whoever asks has read: nothing is read again.
    pub fn find_heard(&self, id: &SessionId, heard: &LastWord, has_open_calls: bool) -> Finding {
        self.find_by(id, || has_open_calls, || *heard)
    }

    fn find_by(
        &self,
        id: &SessionId,
        has_open_calls: impl Fn() -> bool,
        last_word: impl FnOnce() -> LastWord,
    ) -> Finding {
        let dir = self.state.session(id);
        let mut owners = self.owners(id, &dir);
        let last_activity = dir.last_activity();
        let is_recent = |last| self.is_within(last, self.idle_timeout);
        let quiet = !last_activity.is_some_and(is_recent);
        let live = || {
            if quiet && !has_open_calls() {
                SessionState::Idle
            } else {
                SessionState::Active
            }
        };
        let state = if !owners.clients.is_empty() {
            live()
        } else if owners.unseen > 0 && !quiet {
            // An end is the end of one owner; another, which cannot be seen from here, may go on.
            SessionState::Active
        } else {
            match (last_word().end, owners.launchers.is_empty()) {
                (Some(End::MovedOn), _) => {
                    owners.launchers.clear();
                    SessionState::Ended
                }
                (_, false) => live(),
                (Some(End::Over), true) => SessionState::Ended,
                (None, true) if owners.known == 0 && !quiet => SessionState::Active,
                (None, true) => SessionState::Abandoned,
            }
        };
        owners.clients.append(&mut owners.launchers);
        Finding {
            state,
            last_activity,
            owners: owners.clients,
            unseen: owners.unseen,
            known: owners.known,
            is_quiet: quiet,
        }
    }

    /// Returns how the session ended; `None` if it is live, may still be live in a process that cannot be seen from here, or
    /// has a record that this version cannot read.
    pub fn departure(&self, id: &SessionId) -> Option<Departure> {
        let Some(record) = self.state.session(id).record().ok()? else {
            return Some(Departure::Unrecorded);
        };
        let finding = self.find(id, &record);
        match finding.state {
            SessionState::Active | SessionState::Idle => None,
            SessionState::Ended => Some(Departure::Ended),
            SessionState::Abandoned if finding.may_go_on(self) => None,
            SessionState::Abandoned => Some(Departure::Abandoned(finding.last_activity)),
        }
    }

    /// The same judge at the present moment: what happened since the judging began counts.
    pub fn again(&self) -> Judge<'a> {
        Judge {
            viewpoint: self.viewpoint.clone(),
            now: clock::now().max(self.now),
            ..*self
        }
    }

    /// Whether no process is on record as having the session and nothing happened for the idle timeout: then it is not live,
    /// whatever else is known of it.
    pub fn is_at_rest(&self, id: &SessionId) -> bool {
        let dir = self.state.session(id);
        let is_recent = |last| self.is_within(last, self.idle_timeout);
        !dir.last_activity().is_some_and(is_recent) && !dir.has_owners()
    }

    /// Whether a process has the session, or may have it: one that cannot be seen from here is not dead. A launcher counts
    /// unless the client has `moved_on` to another session.
    pub fn is_owned(&self, id: &SessionId, moved_on: bool) -> bool {
        let owners = self.owners(id, &self.state.session(id));
        let is_held = !owners.launchers.is_empty() && !moved_on;
        !owners.clients.is_empty() || owners.unseen > 0 || is_held
    }

    fn owners(&self, id: &SessionId, dir: &SessionDir) -> Owners {
        let list = dir.owner_list(process::runs);
        let mut owners = Owners {
            known: list.len(),
            ..Owners::default()
        };
        let goes_on = OnceCell::new();
        for owner in list {
            match self.life_by(&owner, dir, &goes_on) {
                Life::Alive if owner.launcher => owners.launchers.push(owner),
                Life::Alive if self.is_still_in(&owner, id) => owners.clients.push(owner),
                Life::Alive | Life::Dead => {}
                Life::Unseen => owners.unseen += 1,
            }
        }
        owners
    }

    /// Whether an owner of the session in `dir` still runs.
    ///
    /// A machine runs one boot at a time, so an owner of an earlier one is dead; unless something happened in its session
    /// since this boot began, and nobody of this boot is on record who could have done it: then a machine of the same
    /// identity, a copy of this one's disk, runs beside it.
    pub fn life(&self, owner: &Owner, dir: &SessionDir) -> Life {
        self.life_by(owner, dir, &OnceCell::new())
    }

    /// As [`Self::life`], with a place to keep what is the same for all owners of a session.
    fn life_by(&self, owner: &Owner, dir: &SessionDir, goes_on: &OnceCell<bool>) -> Life {
        let Some(viewpoint) = &self.viewpoint else {
            return Life::Unseen;
        };
        let goes_on = || *goes_on.get_or_init(|| goes_on_beside(viewpoint, dir));
        match viewpoint.judge(owner) {
            Life::Dead if !viewpoint.is_of_this_boot(owner) && goes_on() => Life::Unseen,
            life => life,
        }
    }

    /// A running client that went on to another session (`/clear`, `/resume`) is no owner of this one any more.
    fn is_still_in(&self, owner: &Owner, id: &SessionId) -> bool {
        index::session_of_process(self.state, owner).is_none_or(|now_in| now_in == *id)
    }
}

fn goes_on_beside(viewpoint: &Viewpoint, dir: &SessionDir) -> bool {
    let is_since_boot = |last: Timestamp| {
        let age = last.age(clock::now()).as_micros();
        age < u128::from(clock::since_boot())
    };
    let is_of_this_boot = |owner: &Owner| viewpoint.is_of_this_boot(owner);
    dir.last_activity().is_some_and(is_since_boot)
        && !dir.owner_list(process::runs).iter().any(is_of_this_boot)
        && !ends_by_an_end(dir)
}

/// Whether the last that was heard of a session's life is that it ended.
fn ends_by_an_end(dir: &SessionDir) -> bool {
    hear_the_end(dir, LastWord::default()).end.is_some()
}

fn is_moving_on(reason: &str) -> bool {
    EndReason::of(reason).is_moving_on()
}

/// The owners of a session, as they are found.
#[derive(Default)]
struct Owners {
    /// Clients that run.
    clients: Vec<Owner>,
    /// Launchers that run.
    launchers: Vec<Owner>,
    /// How many cannot be seen from here.
    unseen: usize,
    /// How many are on record.
    known: usize,
}

/// How a session's last client left it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// It ended.
    Over,
    /// It went on to another session.
    MovedOn,
}

/// The last word on a session's life, as its journal's lines and its record have it: whether it ended. A late event after
/// the end reopens nothing; a start or a prompt does.
#[derive(Debug, Clone, Copy, Default)]
pub struct LastWord {
    end: Option<End>,
    /// A record that the CLI closed after the last event stays closed.
    closed: Option<Timestamp>,
    /// Whether a line said it: then no earlier one matters.
    is_said: bool,
}

impl LastWord {
    /// What the record says, before any line is heard.
    pub fn new(record: &Record) -> Self {
        let is_said = record.end_reason.as_deref() != Some(ABANDONED);
        Self {
            end: (record.ended_at.is_some() && is_said).then_some(End::Over),
            closed: record.ended_at,
            is_said: false,
        }
    }

    /// Hears the journal's next line. Imported events are no word on a session's life.
    pub fn hear(&mut self, line: &Line<'_>) {
        match line.kind {
            Kind::SessionEnd if line.reason.is_some_and(is_moving_on) => {
                self.end = Some(End::MovedOn)
            }
            // A launcher that was killed right after its command ended has noted no end in the record.
            Kind::SessionEnd | Kind::RunEnd => self.end = Some(End::Over),
            Kind::SessionStart | Kind::UserPromptSubmit | Kind::RunStart
                if !self.is_before_end(line) =>
            {
                self.end = None;
            }
            _ => return,
        }
        self.is_said = true;
    }

    fn is_before_end(&self, line: &Line<'_>) -> bool {
        matches!((line.ts, self.closed), (Some(at), Some(end)) if at <= end)
    }
}

fn last_word(dir: &SessionDir, record: &Record) -> LastWord {
    hear_the_end(dir, LastWord::new(record))
}

/// What `before` becomes by the end of a journal.
fn hear_the_end(dir: &SessionDir, before: LastWord) -> LastWord {
    let mut word = before;
    for bytes in TAILS {
        word = before;
        if let Ok(lines) = dir.journal().last_lines(bytes) {
            lines.for_each(|line| word.hear(line));
        }
        if word.is_said {
            break;
        }
    }
    word
}

/// Whether a process that is said to have a session is gone: its session may be abandoned. Only pids are looked at, so one
/// that is used again hides that its last owner is gone.
pub fn has_gone_process(state: &State, on_record: &ProcessNames) -> bool {
    let is_gone = |name: &OsString| {
        let pid = name.to_str()?.split_once('-')?.0.parse().ok()?;
        if process::exists(pid) {
            return None;
        }
        let owner = index::entry_of_name(state, name)?.owner;
        (Viewpoint::here()?.judge(&owner) == Life::Dead).then_some(())
    };
    let mut names = on_record.list(state).iter();
    names.any(|name| is_gone(name).is_some())
}
