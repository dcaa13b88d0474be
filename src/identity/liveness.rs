//! Judges whether a session is live, ended or abandoned. The state is derived each time from its
//! record, owners and journal, and never stored.

use std::cell::OnceCell;
use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

#[cfg(feature = "cli")]
use super::journal_end::JournalEnd;
use super::open_calls::open_calls;
#[cfg(feature = "cli")]
use super::present::LastPlace;
use super::process::{self, Life, Viewpoint};
use crate::claude::words::EndReason;
use crate::model::event::TRANSCRIPT;
use crate::model::line::{EventKind, JournalLine};
use crate::model::record::ABANDONED;
use crate::model::{Config, Owner, Record, SessionId, Timestamp};
use crate::store::index::ProcessNames;
use crate::store::{Host, SessionDir, StateDir, clock, index, is_of_another_machine};

/// How many bytes at the end of a journal are searched for the event that ended the session. If the
/// first size is not enough, the second is tried, then the third. The first is enough for nearly
/// every ended session, and the second for the others. The third contains thousands of events, and
/// still some if each contains whole messages.
const TAILS: [u64; 3] = [1 << 10, 64 << 10, 1 << 20];

/// How long after the last event an owner that cannot be seen counts as gone. The next prompt makes
/// its session live again.
pub const LOST: Duration = Duration::from_secs(24 * 60 * 60);

/// How far in the future an event may seem to be, because clocks differ slightly. An event further
/// in the future, after a clock was set back, does not keep its session alive.
pub const MAX_AHEAD: Duration = Duration::from_secs(5 * 60);

/// The state of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SessionState {
    /// Live, and an event happened within the idle timeout or a call is open.
    Active,
    /// Live, and no event happened for the idle timeout.
    Idle,
    /// The session's last process reported the end.
    Ended,
    /// No process owns the session, and none reported the end.
    Abandoned,
    /// Like abandoned, but known only from an import: no hook on this machine has recorded the
    /// session.
    Imported,
}

impl SessionState {
    /// Returns whether the session is active or idle.
    pub fn is_live(self) -> bool {
        matches!(self, Self::Active | Self::Idle)
    }

    /// Returns whether no process owns the session, and none reported the end.
    pub fn is_silent(self) -> bool {
        matches!(self, Self::Abandoned | Self::Imported)
    }

    /// Returns the state as one word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Idle => "idle",
            Self::Ended => "ended",
            Self::Abandoned => "abandoned",
            Self::Imported => "imported",
        }
    }
}

/// How a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Departure {
    /// The session has no record.
    Unrecorded,
    /// The session's last process reported the end.
    Ended,
    /// No process owns the session, and none reported the end. Contains the time of the last event.
    Abandoned(Option<Timestamp>),
}

/// The judged state of a session, and what it was derived from.
#[derive(Debug, Clone)]
pub struct Assessment {
    /// The state.
    pub state: SessionState,
    /// The time of the last event.
    pub last_activity: Option<Timestamp>,
    /// The processes that own it now.
    pub owners: Vec<Owner>,
    /// How many recorded owners cannot be seen from here, for example because they run in another
    /// container.
    pub unseen: usize,
    /// How many owners are on record, dead ones included.
    pub known: usize,
    /// Whether no event happened for the idle timeout.
    pub is_quiet: bool,
    /// Whether the session is known only from an import, so that no process of this machine can own
    /// it.
    pub is_only_imported: bool,
}

impl Assessment {
    /// Returns whether a process that cannot be seen may own the session, and the last event is
    /// less than [`LOST`] ago.
    pub fn may_go_on(&self, judge: &Judge<'_>) -> bool {
        let is_unseen = self.known == 0 && !self.is_only_imported || self.unseen > 0;
        let is_recent = |last| judge.is_within(last, LOST);
        is_unseen && self.last_activity.is_some_and(is_recent)
    }

    /// Returns whether process `pid` may still own the session. If it does not, the calls that it
    /// made will never end. Without a `pid`, returns whether any process may own it.
    pub fn has(&self, pid: Option<u32>) -> bool {
        let mut clients = self
            .owners
            .iter()
            .filter(|owner| !owner.launcher)
            .peekable();
        let is_known = pid.is_some() && self.unseen == 0 && clients.peek().is_some();
        self.state.is_live() && (!is_known || clients.any(|owner| Some(owner.pid) == pid))
    }

    /// Returns whether both assessments are equal, given that no event was recorded between them.
    pub fn is_as(&self, other: &Self) -> bool {
        let known = |it: &Self| (it.state, it.is_quiet, it.unseen);
        known(self) == known(other) && self.owners == other.owners
    }

    /// Returns whether the session is in the project rooted at `root`. The project is the one in
    /// which its running owners were started, or else the one in its record.
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

/// Judges the states of sessions, by what this process can see, the time and the settings.
#[derive(Debug)]
pub struct Judge<'a> {
    /// The state directory.
    pub state: &'a StateDir,
    /// The processes that can be seen, or `None` if none can.
    pub viewpoint: Option<Viewpoint>,
    /// The time at which judging began. That may be long ago, as in a cleanup that archives years.
    pub now: Timestamp,
    /// Time without an event after which a session is idle.
    pub idle_timeout: Duration,
    /// Whether to distinguish idle from active sessions. That requires reading which calls are
    /// open; without it, a live session counts as active.
    pub tells_idle: bool,
    /// Whether the sessions were collected from other machines and may be live there.
    pub is_of_collected: bool,
}

impl<'a> Judge<'a> {
    /// Returns a judge of the host's sessions, or `None` if the host has no usable state directory.
    pub fn of(host: &Host<'a>) -> Option<Self> {
        let state = host.state?;
        Some(Self::new(state, host.config, host.now))
    }

    /// Creates a judge for the time `now` that sees the processes that this process can see.
    pub fn new(state: &'a StateDir, config: &Config, now: Timestamp) -> Self {
        Self {
            state,
            viewpoint: Viewpoint::here(),
            now,
            idle_timeout: config.session_timeout,
            tells_idle: false,
            is_of_collected: false,
        }
    }

    /// Returns the same judge, for sessions that were collected from other machines.
    pub fn of_collected(self) -> Self {
        Self {
            is_of_collected: true,
            ..self
        }
    }

    /// Returns the same judge, distinguishing idle from active sessions.
    pub fn telling_idle(self) -> Self {
        Self {
            tells_idle: true,
            ..self
        }
    }

    /// Returns whether `at` is more than [`MAX_AHEAD`] in the future.
    pub fn is_to_come(&self, at: Timestamp) -> bool {
        // `self.now` may be long ago, so compare with the present time, too.
        at.ahead(self.now) > MAX_AHEAD && at.ahead(clock::now()) > MAX_AHEAD
    }

    /// Returns whether `last` was less than `time` ago.
    fn is_within(&self, last: Timestamp, time: Duration) -> bool {
        last.age(self.now) < time && !self.is_to_come(last)
    }

    /// Judges a session that has a record.
    ///
    /// Reads only the end of the journal, and only if no process owns the session. To distinguish
    /// idle from active, also finds out which calls are open.
    pub fn find(&self, id: &SessionId, record: &Record) -> Assessment {
        let dir = self.state.session(id);
        self.find_by(
            (id, &dir),
            || !self.tells_idle || !open_calls(&dir).is_empty(),
            || last_word(&dir, record),
        )
    }

    /// Does the same as [`Self::find`]. If that requires reading the end of the journal, also
    /// returns the session's place.
    #[cfg(feature = "cli")]
    pub fn find_and_place(
        &self,
        id: &SessionId,
        record: &Record,
        end: &JournalEnd<'_>,
    ) -> (Assessment, Option<LastPlace>) {
        let dir = end.dir();
        let mut place = None;
        let finding = self.find_by(
            (id, dir),
            || !self.tells_idle || !end.open_calls().is_empty(),
            || {
                let mut found = LastPlace::default();
                let word = hear_the_end(dir, LastWord::new(record), |line| found.hear(line));
                place = Some(found);
                word
            },
        );
        (finding, place)
    }

    /// Does the same as [`Self::find`] for a caller that knows whether calls are open.
    pub fn find_with(&self, id: &SessionId, record: &Record, has_open_calls: bool) -> Assessment {
        let dir = self.state.session(id);
        self.find_by(
            (id, &dir),
            || !self.tells_idle || has_open_calls,
            || last_word(&dir, record),
        )
    }

    /// Returns whether `finding` is still true for a session in which no file was written since.
    /// Checks only the time and the owners. Returns false if that is not enough to know.
    pub fn still_run(&self, finding: &Assessment) -> bool {
        let is_recent = |last| self.is_within(last, self.idle_timeout);
        let is_quiet = !finding.last_activity.is_some_and(is_recent);
        let runs = |owner: &Owner| {
            let viewpoint = self.viewpoint.as_ref();
            viewpoint.is_some_and(|it| it.judge(owner) == Life::Alive)
        };
        is_quiet == finding.is_quiet
            && finding.unseen == 0
            && (finding.known == 0 || !finding.owners.is_empty())
            && finding.owners.iter().all(runs)
    }

    /// Does the same as [`Self::find`] for a caller that has already read the events. Does not read
    /// the journal again.
    pub fn find_heard(&self, id: &SessionId, heard: &LastWord, has_open_calls: bool) -> Assessment {
        let dir = self.state.session(id);
        self.find_by((id, &dir), || has_open_calls, || *heard)
    }

    fn find_by(
        &self,
        (id, dir): (&SessionId, &SessionDir),
        has_open_calls: impl Fn() -> bool,
        last_word: impl FnOnce() -> LastWord,
    ) -> Assessment {
        let mut owners = self.owners(id, dir);
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
        let mut is_only_imported = false;
        let state = if !owners.clients.is_empty() {
            live()
        } else if owners.unseen > 0 && !quiet {
            // Ignore a reported end: it is about one owner, and an owner that cannot be seen may
            // continue.
            SessionState::Active
        } else {
            let word = last_word();
            // If a session that ran elsewhere has an owner on this machine, it was resumed here.
            is_only_imported = owners.known == 0
                && (word.is_imported || word.is_of_another_machine && !self.is_of_collected);
            match (word.end, owners.launchers.is_empty()) {
                (Some(LastExit::MovedOn), _) => {
                    owners.launchers.clear();
                    SessionState::Ended
                }
                (_, false) => live(),
                (Some(LastExit::Over), true) => SessionState::Ended,
                (None, true) if is_only_imported || word.is_imported => SessionState::Imported,
                (None, true) if owners.known == 0 && !quiet => SessionState::Active,
                (None, true) => SessionState::Abandoned,
            }
        };
        owners.clients.append(&mut owners.launchers);
        Assessment {
            state,
            last_activity,
            owners: owners.clients,
            unseen: owners.unseen,
            known: owners.known,
            is_quiet: quiet,
            is_only_imported,
        }
    }

    /// Returns how the session ended.
    ///
    /// Returns `None` if it is live, or may be live in a process that cannot be seen from here.
    /// Also returns `None` if this version cannot read its record.
    pub fn departure(&self, id: &SessionId) -> Option<Departure> {
        let Some(record) = self.state.session(id).record().ok()? else {
            return Some(Departure::Unrecorded);
        };
        let finding = self.find(id, &record);
        match finding.state {
            SessionState::Active | SessionState::Idle => None,
            SessionState::Ended => Some(Departure::Ended),
            state if state.is_silent() && finding.may_go_on(self) => None,
            SessionState::Abandoned | SessionState::Imported => {
                Some(Departure::Abandoned(finding.last_activity))
            }
        }
    }

    /// Returns the same judge with the present time, so that events since `self.now` are not in the
    /// future.
    pub fn again(&self) -> Judge<'a> {
        Judge {
            viewpoint: self.viewpoint.clone(),
            now: clock::now().max(self.now),
            ..*self
        }
    }

    /// Returns whether no owner is on record and no event happened for the idle timeout. Such a
    /// session is not live.
    pub fn is_at_rest(&self, id: &SessionId) -> bool {
        let dir = self.state.session(id);
        let is_recent = |last| self.is_within(last, self.idle_timeout);
        !dir.last_activity().is_some_and(is_recent) && !dir.has_owners()
    }

    /// Returns whether a process owns the session or may own it. A recorded owner that cannot be
    /// seen may still run. A launcher counts unless its client has `moved_on` to another session.
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

    /// Returns whether an owner of the session in `dir` still runs.
    ///
    /// An owner from an earlier boot of this machine is dead, with one exception: a copy of the
    /// machine's disk may run as another machine with the same identity. So the owner counts as
    /// unseen if an event happened since this boot began, but no owner of this boot is on record.
    pub fn life(&self, owner: &Owner, dir: &SessionDir) -> Life {
        self.life_by(owner, dir, &OnceCell::new())
    }

    /// Does the same as [`Self::life`], and caches in `goes_on` what is the same for all owners of
    /// a session.
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

    /// Returns whether a running client is still in this session. After `/clear` or `/resume` it
    /// owns another one.
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

/// Returns whether the session's journal ends with its end: no start or prompt follows.
fn ends_by_an_end(dir: &SessionDir) -> bool {
    hear_the_end(dir, LastWord::default(), |_| {}).end.is_some()
}

fn is_moving_on(reason: &str) -> bool {
    EndReason::of(reason).is_moving_on()
}

/// A session's owners, sorted by kind.
#[derive(Default)]
struct Owners {
    /// The running Claude Code processes that are in the session.
    clients: Vec<Owner>,
    /// The running launchers that hold the session's id.
    launchers: Vec<Owner>,
    /// How many owners cannot be seen from here.
    unseen: usize,
    /// How many owners are on record, including dead ones.
    known: usize,
}

/// How the last Claude Code process of a session left it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LastExit {
    /// The session ended.
    Over,
    /// The process went on with another session.
    MovedOn,
}

/// Whether a session has ended, according to the last start, prompt or end in its record and
/// journal. Other events after the end do not reopen the session; a start or a prompt does.
#[derive(Debug, Clone, Copy, Default)]
pub struct LastWord {
    end: Option<LastExit>,
    /// When the session ended according to its record. Only a later start or prompt reopens it.
    closed: Option<Timestamp>,
    /// Whether a journal line was decisive, so that earlier lines need not be read.
    is_said: bool,
    /// Whether an import created the record and the journal has no line.
    is_imported: bool,
    /// Whether the session began on another machine.
    is_of_another_machine: bool,
}

impl LastWord {
    /// Starts with what the record says, before any line is read.
    pub fn new(record: &Record) -> Self {
        let is_said = record.end_reason.as_deref() != Some(ABANDONED);
        Self {
            end: (record.ended_at.is_some() && is_said).then_some(LastExit::Over),
            closed: record.ended_at,
            is_said: false,
            is_imported: record.source.as_deref() == Some(TRANSCRIPT),
            is_of_another_machine: is_of_another_machine(record),
        }
    }

    /// Updates this with the next line of the journal. Do not pass imported events: they do not
    /// show whether a session has ended.
    pub fn hear(&mut self, line: &JournalLine<'_>) {
        self.is_imported = false;
        match line.kind {
            EventKind::SessionEnd if line.reason.is_some_and(is_moving_on) => {
                self.end = Some(LastExit::MovedOn)
            }
            // `RunEnd` counts, too: a launcher that was killed right after appending it has not
            // written the end to the record.
            EventKind::SessionEnd | EventKind::RunEnd => self.end = Some(LastExit::Over),
            EventKind::SessionStart | EventKind::UserPromptSubmit | EventKind::RunStart
                if !self.is_before_end(line) =>
            {
                self.end = None;
            }
            _ => return,
        }
        self.is_said = true;
    }

    fn is_before_end(&self, line: &JournalLine<'_>) -> bool {
        matches!((line.ts, self.closed), (Some(at), Some(end)) if at <= end)
    }
}

fn last_word(dir: &SessionDir, record: &Record) -> LastWord {
    hear_the_end(dir, LastWord::new(record), |_| {})
}

/// Updates `before` with the lines at the end of the journal. Also passes these lines to `reader`.
/// It may start again from an earlier line, but always goes on in order to the last line.
fn hear_the_end(
    dir: &SessionDir,
    before: LastWord,
    mut reader: impl FnMut(&JournalLine<'_>),
) -> LastWord {
    let mut word = before;
    for bytes in TAILS {
        word = before;
        let Ok(lines) = dir.journal().last_lines(bytes) else {
            break;
        };
        let is_whole = lines.is_whole();
        lines.for_each(|line| {
            word.hear(line);
            reader(line);
        });
        if word.is_said || is_whole {
            break;
        }
    }
    word
}

/// Returns whether a process in the process index has died, so that its session may be abandoned.
/// Only pids are checked, so a reused pid hides a dead process.
pub fn has_gone_process(state: &StateDir, on_record: &ProcessNames) -> bool {
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
