//! Clocks a session in: sets its role and focus, before or while it is live, and reports other
//! sessions with the same focus.
//!
//! All of it happens under the lock. So if two sessions claim the same focus exclusively, only one
//! gets it.

use std::fmt;

use serde::Serialize;

use crate::identity::ladder::project_here;
use crate::identity::liveness::{Judge, SessionState};
use crate::identity::roster::{self, OpenOutcome};
use crate::lifecycle::limits::{self, IDLE, LimitReached};
use crate::lifecycle::purpose::Purpose;
use crate::lifecycle::run::{began, caller, new_id, new_record};
use crate::model::event::{self, name};
use crate::model::purpose::{FocusSource, with_notes};
use crate::model::text::{escaped, one_line};
use crate::model::{Capture, Event, Project, Record, SessionId, Timestamp};
use crate::store::exclusion::{self, Exclusion};
use crate::store::lock::LAUNCHER_PATIENCE;
use crate::store::log::{self, Log, LogLine};
use crate::store::write::Durability;
use crate::store::{self, Decompressor, Error, Host, SessionDir, StateDir, clock, index, project};

/// The `source` in the record of a session that a clock-in created.
const SOURCE: &str = "clock-in";

/// The most characters of another session's role or focus that a message shows.
const MAX_SHOWN: usize = 60;

/// A request to clock in.
#[derive(Debug, Default)]
pub struct ClockInRequest {
    /// The session. `None` means this shell's session, or else a new one.
    pub id: Option<SessionId>,
    /// What the session is for.
    pub purpose: Purpose,
    /// The notes to add.
    pub notes: Vec<String>,
    /// True to fail if another live session of the project has the same focus.
    pub exclusive: bool,
}

/// The result of a clock-in.
#[derive(Debug)]
pub struct ClockIn {
    /// The record after the clock-in.
    pub record: Record,
    /// Where the session's focus comes from.
    pub focus_source: FocusSource,
    /// True if the clock-in created the session.
    pub created: bool,
    /// The session's state after the clock-in.
    pub state: SessionState,
    /// True if a process owns the session or may own it.
    pub is_owned: bool,
    /// Other live sessions of the project with the same focus.
    pub conflicts: Vec<Conflict>,
}

/// Another live session of the project with the same focus.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Conflict {
    /// The other session.
    pub session_id: SessionId,
    /// The other session's role, if it has one.
    pub role: Option<String>,
    /// The focus that both sessions have.
    pub focus: String,
    /// When the other session began.
    pub started_at: Timestamp,
    /// The age of the other session, in seconds.
    pub age_seconds: u64,
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |text: &str| escaped(&one_line(text, MAX_SHOWN));
        let role = self.role.as_deref().map_or("no role".to_owned(), shown);
        let (focus, since) = (shown(&self.focus), clock::local_text(self.started_at));
        write!(
            f,
            "another session ({role}) has worked on `{focus}` since {since}"
        )
    }
}

/// Why a clock-in was refused. Nothing was changed.
#[derive(Debug)]
pub enum ClockInError {
    /// An exclusive focus was requested, and these sessions have it already.
    Shared(Vec<Conflict>),
    /// The limit of live sessions is reached.
    Full(LimitReached),
    /// The project is excluded from recording.
    Excluded(Exclusion),
    /// Something could not be read or written.
    Store(Error),
}

impl From<Error> for ClockInError {
    fn from(err: Error) -> Self {
        Self::Store(err)
    }
}

impl fmt::Display for ClockInError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shared(conflicts) => {
                f.write_str("could not clock in")?;
                for (number, conflict) in conflicts.iter().enumerate() {
                    f.write_str(if number == 0 { ": " } else { ", " })?;
                    conflict.fmt(f)?;
                }
                f.write_str("; omit --exclusive, or choose another focus")
            }
            Self::Full(full) => full.fmt(f),
            Self::Excluded(why) => write!(
                f,
                "could not clock in: this project is not recorded, because {why}; use another directory, or remove the exclusion"
            ),
            Self::Store(err) => err.fmt(f),
        }
    }
}

impl std::error::Error for ClockInError {}

/// Clocks a session in. Passes problems that do not prevent that to `warn`.
///
/// # Errors
/// Returns [`ClockInError`] if the clock-in is refused or fails. Then no session was created, and
/// no session's purpose has changed.
pub fn clock_in(
    host: &Host<'_>,
    request: &ClockInRequest,
    warn: &dyn Fn(&str),
) -> Result<ClockIn, ClockInError> {
    let state = StateDir::create(host.places, Decompressor::BUILT_IN)?;
    let host = &Host {
        state: Some(&state),
        ..*host
    };
    let wanted = ClockInTarget::new(host, request)?;
    let here = project::current_dir().ok();
    let here = here
        .as_deref()
        .filter(|here| here.starts_with(wanted.project.root()));
    if let Some(why) = exclusion::of(host.env, &host.config.exclude, here, &wanted.project) {
        return Err(ClockInError::Excluded(why));
    }
    // Wait long for the lock: hundreds of sessions may clock in at once, and all should succeed.
    let lock = state.lock(LAUNCHER_PATIENCE)?;
    let judge = Judge::new(&state, host.config, clock::now());
    let session = state.session(&wanted.id);
    let present = session.record_unless_lost()?;
    let mut entry = wanted.entry(&judge, present, request);
    let mut conflicts = Vec::new();
    if request.exclusive {
        // Look for conflicts first, because a refused request must not retire other sessions.
        conflicts = others(&judge, &entry.record, warn)?;
        if !conflicts.is_empty() {
            return Err(ClockInError::Shared(conflicts));
        }
    }
    if entry.becomes_live {
        limits::make_room(&judge, host.config, &wanted.id, &lock)?.map_err(ClockInError::Full)?;
    }
    if !request.exclusive {
        conflicts = others(&judge, &entry.record, warn)?;
    }
    let event = wanted.event(&judge, host.config.capture, &entry.record);
    let fresh = entry.record.clone();
    let is_lost = state.replace_lost_record(&lock, &fresh)?;
    let merge = || {
        if is_lost {
            return Ok(());
        }
        // A hook may have created the session just now.
        let merged = state.update_record_locked(&lock, &wanted.id, |present| {
            entry = wanted.entry(&judge, Some(present.clone()), request);
            Some(entry.record.clone())
        });
        merged.map(drop)
    };
    let opened = roster::open_or_create(&session, &fresh, &event, Durability::Synced, merge)?;
    let finding = judge.find(&wanted.id, &entry.record);
    if finding.state.is_live() {
        roster::join(&state, &wanted.id, &project_of(&entry.record), None)?;
    }
    let created = opened == OpenOutcome::Created;
    wanted.log(&state, &entry.record, created);
    if let Some(other) = &entry.other_notes {
        warn(&format!(
            "the notes of session {} were not a list; `{}` is kept as the first note",
            wanted.id,
            escaped(&one_line(&other.to_string(), MAX_SHOWN))
        ));
    }
    Ok(ClockIn {
        focus_source: entry.focus_source,
        created,
        state: finding.state,
        is_owned: judge.is_owned(&wanted.id, false),
        conflicts,
        record: entry.record,
    })
}

fn project_of(record: &Record) -> Project {
    Project::at(record.project.root())
}

/// The session to clock in, and what a record would contain if it has to be created.
struct ClockInTarget {
    id: SessionId,
    project: Project,
    parent: Option<SessionId>,
}

/// The record to write.
struct RecordDraft {
    record: Record,
    focus_source: FocusSource,
    /// True if the session was not live before and is afterwards.
    becomes_live: bool,
    /// The former value of the notes field, if it was not a list of notes.
    other_notes: Option<serde_json::Value>,
}

impl ClockInTarget {
    fn new(host: &Host<'_>, request: &ClockInRequest) -> store::Result<Self> {
        let caller = caller(host);
        let (id, parent) = match (&request.id, caller) {
            (None, Some(own)) => {
                let project = project_here(host.env, host.state)?;
                return Ok(Self {
                    id: own,
                    project,
                    parent: None,
                });
            }
            (Some(id), caller) => (id.clone(), caller.filter(|caller| caller != id)),
            (None, None) => (new_id(), None),
        };
        // Ignore `CLAUDE_PROJECT_DIR`: it is about the caller's session.
        let project = project::discover(&project::current_dir()?);
        Ok(Self {
            id,
            project,
            parent,
        })
    }

    /// Returns the session's record after the clock-in, built from `present` if there is one.
    fn entry(
        &self,
        judge: &Judge<'_>,
        present: Option<Record>,
        request: &ClockInRequest,
    ) -> RecordDraft {
        let mut becomes_live = true;
        let mut record = match present {
            Some(mut present) => {
                let is_retired = present.end_reason.as_deref() == Some(IDLE);
                if is_retired && !judge.find(&self.id, &present).state.is_live() {
                    // Remove the end: the session was only retired to make room, and nobody
                    // reported an end.
                    (present.ended_at, present.end_reason) = (None, None);
                }
                // The event of the clock-in makes a session live again that never had an owner, but
                // not one whose Claude Code died.
                let finding = judge.find(&self.id, &present);
                let is_dead = finding.known > 0 && finding.unseen == 0;
                becomes_live = finding.state.is_silent() && !is_dead;
                present
            }
            None => {
                let began = began(&judge.state.session(&self.id), judge.now);
                let mut fresh = new_record(self.id.clone(), &self.project, SOURCE, began);
                fresh.parent.clone_from(&self.parent);
                fresh
            }
        };
        let focus_source = request.purpose.enter(&mut record);
        let (notes, other_notes) = with_notes(record.notes.take(), &request.notes, judge.now);
        record.notes = notes;
        RecordDraft {
            record,
            focus_source,
            becomes_live,
            other_notes,
        }
    }

    fn event(&self, judge: &Judge<'_>, capture: Capture, record: &Record) -> Event {
        Event {
            v: event::VERSION,
            ts: Some(judge.now),
            mono: Some(clock::since_boot()),
            event: name::CLOCK_IN.to_owned(),
            session_id: Some(self.id.clone()),
            source: Some(SOURCE.to_owned()),
            what: record
                .focus
                .clone()
                .filter(|_| capture != Capture::Metadata),
            ..Event::default()
        }
    }

    /// Logs the operation. A failure to log does not undo it.
    fn log(&self, state: &StateDir, record: &Record, created: bool) {
        let what = if created {
            "session created"
        } else {
            "session clocked in"
        };
        let line = LogLine::new(what)
            .session(&self.id)
            .detail("project", record.project.name.as_str())
            .detail("role", record.role.as_deref())
            .detail("focus", record.focus.as_deref());
        let _ = log::append(state, Log::Operations, &line);
    }
}

/// Returns the other live sessions of the record's project that have its focus, oldest first.
fn others(judge: &Judge<'_>, own: &Record, warn: &dyn Fn(&str)) -> store::Result<Vec<Conflict>> {
    let project = project_of(own);
    let mut found = Vec::new();
    for id in index::sessions_of_project(judge.state, &project.key())? {
        let dir = judge.state.session(&id);
        if id == own.session_id {
            continue;
        }
        let Some(record) = readable(judge, &dir, warn) else {
            continue;
        };
        let focus = record
            .focus
            .clone()
            .filter(|focus| own.focus.as_ref() == Some(focus));
        let Some(focus) = focus else {
            continue;
        };
        let finding = judge.find(&id, &record);
        if finding.state.is_live() && finding.is_in(&record, project.root()) {
            found.push(Conflict {
                session_id: id,
                focus,
                started_at: record.started_at,
                age_seconds: record.started_at.age(judge.now).as_secs(),
                role: record.role,
            });
        }
    }
    found.sort_by_key(|conflict| conflict.started_at);
    Ok(found)
}

/// Returns the record in `dir` if it can be read and trusted. Otherwise warns about the record and
/// leaves it unchanged.
fn readable(judge: &Judge<'_>, dir: &SessionDir, warn: &dyn Fn(&str)) -> Option<Record> {
    match dir.record() {
        Ok(Some(record)) if judge.is_to_come(record.started_at) => {
            let path = dir.path().join("session.json");
            warn(&format!(
                "could not trust `{}`: its session starts at {}, in the future; skipped",
                store::shown(&path),
                clock::local_text(record.started_at)
            ));
            None
        }
        Ok(record) => record,
        Err(err) => {
            warn(&format!("{err}; skipped"));
            None
        }
    }
}
