//! Runs a command as a session, for programs that start Claude Code themselves and choose the
//! session ids.
//!
//! The record exists before the command starts, and only one launcher at a time holds the id.
//! However the command ends, three things follow. The lease of the id ends, the outcome is written
//! to the record, and the pointer names the session again that was current before.

mod bystander;
mod child;
mod gate;
mod program;

pub use bystander::{VERB as LISTEN, listen};
pub use child::{Start, VERB, become_command};
pub use program::Obstacle;

use std::ffi::OsString;
use std::fmt;
use std::io;
use std::path::Path;

use self::bystander::Bystander;
use crate::claude::{arguments, transcript};
use crate::identity::ladder::{Question, Rung, resolve};
use crate::identity::liveness::Judge;
use crate::identity::process::{self, Viewpoint};
use crate::identity::roster::{self, ArchiveDecision};
use crate::lifecycle::lease::{self, LeaseAttempt};
use crate::lifecycle::limits::{self, LimitReached};
use crate::lifecycle::purpose::Purpose;
use crate::model::event::{self, name};
use crate::model::purpose::MAX_TEXT;
use crate::model::text::one_line;
use crate::model::{Capture, Event, Owner, Project, Record, SessionId, Timestamp};
use crate::store::exclusion::{self, Exclusion};
use crate::store::lease::Lease;
use crate::store::lock::LAUNCHER_PATIENCE;
use crate::store::log::{self, Log, LogLine};
use crate::store::pointer::Pointers;
use crate::store::write::{AppendOutcome, Durability};
use crate::store::{
    self, Decompressor, Error, Host, SessionDir, StateDir, clock, file, index, machine_id,
    machine_name, project, reason, remote,
};

/// The `outcome` in the record of a session whose command was not started, and the `reason` in its
/// event `RunEnd`.
const NOT_STARTED: &str = "not started";

/// A request to run a command.
#[derive(Debug, Default)]
pub struct RunRequest {
    /// The session's id, or `None` for a new one.
    pub id: Option<SessionId>,
    /// True to require that a session with this id exists.
    pub resume: bool,
    /// What the session is for.
    pub purpose: Purpose,
    /// The command and its arguments.
    pub command: Vec<OsString>,
}

/// How the command ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunOutcome {
    /// The command ended with status 0.
    Completed,
    /// The command ended with this exit status. As in a shell, 127 means that the command does not
    /// exist, 126 that it cannot be started.
    Failed(i32),
    /// This signal ended the command.
    Killed(i32),
}

impl RunOutcome {
    /// Returns the exit status with which a shell would report the outcome.
    pub fn status(&self) -> i32 {
        match self {
            Self::Completed => 0,
            Self::Failed(status) => *status,
            Self::Killed(signal) => 128 + signal,
        }
    }

    /// Returns the outcome as the record stores it.
    fn as_str(&self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Failed(_) => "failed",
            Self::Killed(_) => "killed",
        }
    }

    fn reason(&self) -> String {
        match self {
            Self::Killed(signal) => format!("signal:{signal}"),
            other => format!("exit:{}", other.status()),
        }
    }
}

/// Why the command was not run.
#[derive(Debug)]
pub enum RunError {
    /// Another launcher, or the command of a killed one, holds the id.
    Held(Box<Lease>),
    /// A Claude Code process that no launcher started owns the session. The number is its pid.
    Live(SessionId, u32),
    /// No session has this id.
    Unknown(SessionId),
    /// Claude Code accepts only UUIDs, and this id is not one.
    NoUuid(SessionId),
    /// The limit of live sessions is reached.
    Full(LimitReached),
    /// The command already contains this option, which chooses another session.
    OwnChoice(&'static str),
    /// The project is excluded from recording.
    Excluded(Exclusion),
    /// The command cannot be started.
    NotStarted(OsString, Obstacle),
    /// Something could not be read or written.
    Store(Error),
    /// The operating system refused an operation.
    System(io::Error),
}

impl From<Error> for RunError {
    fn from(err: Error) -> Self {
        Self::Store(err)
    }
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Held(lease) => {
                let (id, command) = (&lease.session_id, store::shown(Path::new(&lease.command)));
                let pid = lease.holder.pid;
                let since = clock::local_text(lease.since);
                write!(
                    f,
                    "could not run as session {id}: process {pid} holds it, for `{command}` since {since}; wait for it, or use another id"
                )
            }
            Self::Live(id, pid) => write!(
                f,
                "could not run as session {id}: it is live in process {pid}; end it first, or use another id"
            ),
            Self::Unknown(id) => write!(
                f,
                "could not resume session {id}: no session with this id is known; see `ccsession list --all`"
            ),
            Self::NoUuid(id) => write!(
                f,
                "could not give `{id}` to claude: it accepts only UUIDs; omit --session-id to get a new one"
            ),
            Self::OwnChoice(option) => write!(
                f,
                "could not choose the session: the command has its own `{option}`; give the id as `ccsession run --session-id ID` or `--resume ID`"
            ),
            Self::Full(full) => full.fmt(f),
            Self::Excluded(why) => write!(
                f,
                "could not run the command as a session: this project is not recorded, because {why}; run the command itself, or remove the exclusion"
            ),
            Self::NotStarted(program, obstacle) => {
                let program = store::shown(Path::new(program));
                write!(f, "could not run `{program}`: {}", obstacle.as_str())
            }
            Self::Store(err) => err.fmt(f),
            Self::System(err) => write!(f, "could not run the command: {}", reason(err)),
        }
    }
}

impl std::error::Error for RunError {}

/// Runs a command as a session, and returns when it has ended. Passes errors that do not prevent
/// the run to `complain`.
///
/// # Errors
/// Returns a [`RunError`] if the command was not run. Then the record, the lease and the pointer
/// are as before.
pub fn run(
    host: &Host<'_>,
    request: &RunRequest,
    complain: &dyn Fn(&Error),
) -> Result<RunOutcome, RunError> {
    let is_client = arguments::is_client(&request.command);
    if let Some(option) = arguments::own_choice(&request.command).filter(|_| is_client) {
        return Err(RunError::OwnChoice(option));
    }
    // Listen for signals first. A signal that ended this process later would leave a lease behind.
    let signals = child::listen().map_err(RunError::System)?;
    let bystander = Bystander::start().map_err(RunError::System)?;
    let state = StateDir::create(host.places, Decompressor::BUILT_IN)?;
    let host = Host {
        state: Some(&state),
        ..*host
    };
    // Ignore `CLAUDE_PROJECT_DIR`: it is about the caller's session.
    let here = project::current_dir()?;
    let project = project::discover(&here);
    if let Some(why) = exclusion::of(host.env, &host.config.exclude, Some(&here), &project) {
        return Err(RunError::Excluded(why));
    }
    let id = request.id.clone().unwrap_or_else(new_id);
    if is_client && !arguments::is_acceptable(&id) {
        return Err(RunError::NoUuid(id));
    }
    let mut held = HeldSession::take(host, &state, &project, id.clone(), request, complain)?;
    // From here on, no other launcher uses the id, so what is read about the session stays true.
    let session = state.session(&id);
    // A session whose record a power failure has taken still has its journal.
    let has_journal = || file::look(session.journal().path()).is_ok_and(|found| found.is_some());
    let is_unknown = request.resume && session.record_unless_lost()?.is_none() && !has_journal();
    // Search for a transcript only if needed, because that is slow: for Claude Code, which can
    // continue it, and for an unknown session.
    let is_used = (is_client || is_unknown) && transcript::find(host.env, &session, &id).is_some();
    if is_unknown && !is_used {
        return Err(RunError::Unknown(id));
    }
    held.refuse_second_client(is_client)?;
    held.refuse_what_cannot_start(&request.command)?;
    held.begin(request)?;
    let command = if is_client {
        arguments::with_id(&request.command, &id, is_used)
    } else {
        request.command.clone()
    };
    let end = child::run(&command, &id, &held.lease.holder, signals, bystander)
        .map_err(RunError::System)?;
    // A session that was on record before stays as it was. In a new one, the attempt is recorded.
    let is_undone = !end.was_started && held.before.is_some();
    held.finish(Some(&end.outcome).filter(|_| !is_undone));
    Ok(end.outcome)
}

/// Returns a new random id.
pub(super) fn new_id() -> SessionId {
    loop {
        if let Ok(id) = uuid::Uuid::new_v4().to_string().parse() {
            return id;
        }
    }
}

/// Returns the record of a session that a ccsession command creates, rather than a hook.
pub(super) fn new_record(id: SessionId, project: &Project, source: &str, now: Timestamp) -> Record {
    let mut record = Record::new(id, project, now);
    record.source = Some(source.to_owned());
    let (head, remote) = remote::head_and_remote(project.root());
    record.head = head;
    record.remote = remote.map(|remote| remote.url);
    record.machine = machine_name();
    record.machine_id = machine_id();
    record.cwd = project::current_dir()
        .ok()
        .map(|dir| dir.to_string_lossy().into_owned());
    record
}

/// Returns when a session began whose record has to be created: at its first event, or else `now`.
pub(super) fn began(session: &SessionDir, now: Timestamp) -> Timestamp {
    let first = session.journal().events().ok();
    let first = first.and_then(|mut events| events.find_map(|event| event.ts));
    first.map_or(now, |first| first.min(now))
}

/// Returns whether the session has a record and is live.
fn is_live(judge: &Judge<'_>, id: &SessionId) -> store::Result<bool> {
    let record = judge.state.session(id).record_unless_lost()?;
    Ok(record.is_some_and(|record| judge.find(id, &record).state.is_live()))
}

/// Returns the name of a command, without its folder.
fn name_of(command: &[OsString]) -> String {
    let name = command.first().map(Path::new).and_then(Path::file_name);
    one_line(&name.unwrap_or_default().to_string_lossy(), MAX_TEXT)
}

/// The members of a record that a run changes before its command starts.
#[derive(Clone)]
struct FormerMembers {
    end: SessionEnd,
    name: Option<String>,
    role: Option<String>,
    focus: Option<String>,
}

impl FormerMembers {
    /// Removes the end from a record, so that the session continues, and notes what else a run
    /// changes.
    fn take(record: &mut Record) -> Self {
        Self {
            end: SessionEnd::take(record),
            name: record.name.clone(),
            role: record.role.clone(),
            focus: record.focus.clone(),
        }
    }

    /// Returns `record` with these members.
    fn put(&self, record: &Record) -> Record {
        let Self {
            name, role, focus, ..
        } = self.clone();
        Record {
            name,
            role,
            focus,
            ..self.end.put(record)
        }
    }
}

/// The members of a record that describe the session's end.
#[derive(Clone)]
struct SessionEnd {
    at: Option<Timestamp>,
    reason: Option<String>,
    outcome: Option<String>,
    status: Option<i64>,
}

impl SessionEnd {
    fn of(outcome: &RunOutcome, at: Timestamp) -> Self {
        Self {
            at: Some(at),
            reason: Some(outcome.reason()),
            outcome: Some(outcome.as_str().to_owned()),
            status: Some(outcome.status().into()),
        }
    }

    /// Returns how a new session ended whose command could not be started.
    fn not_started(at: Timestamp) -> Self {
        Self {
            at: Some(at),
            reason: None,
            outcome: Some(NOT_STARTED.to_owned()),
            status: None,
        }
    }

    /// Removes the end from a record, so that the session continues.
    fn take(record: &mut Record) -> Self {
        Self {
            at: record.ended_at.take(),
            reason: record.end_reason.take(),
            outcome: record.outcome.take(),
            status: record.exit_status.take(),
        }
    }

    /// Returns `record` with this end.
    fn put(&self, record: &Record) -> Record {
        let end = self.clone();
        Record {
            ended_at: end.at,
            end_reason: end.reason,
            outcome: end.outcome,
            exit_status: end.status,
            ..record.clone()
        }
    }
}

/// A session whose id this launcher holds. Dropping it ends the lease.
struct HeldSession<'a> {
    host: Host<'a>,
    state: &'a StateDir,
    project: &'a Project,
    complain: &'a dyn Fn(&Error),
    lease: Lease,
    parent: Option<SessionId>,
    /// True once `RunStart` was recorded or the record was changed.
    has_begun: bool,
    /// What the record contained before this run, if the session was on record.
    before: Option<FormerMembers>,
    is_over: bool,
}

impl<'a> HeldSession<'a> {
    fn take(
        host: Host<'a>,
        state: &'a StateDir,
        project: &'a Project,
        id: SessionId,
        request: &RunRequest,
        complain: &'a dyn Fn(&Error),
    ) -> Result<Self, RunError> {
        let now = clock::now();
        let judge = Judge::new(state, host.config, now);
        let wanted = Lease::new(id, own(project)?, name_of(&request.command), now);
        match lease::take(&judge, wanted)? {
            LeaseAttempt::Refused(other) => Err(RunError::Held(Box::new(other))),
            LeaseAttempt::Taken(lease) => Ok(Self {
                parent: caller(&host).filter(|parent| *parent != lease.session_id),
                host,
                state,
                project,
                complain,
                lease,
                has_begun: false,
                before: None,
                is_over: false,
            }),
        }
    }

    /// Fails if a Claude Code process already owns the session, because two would write to the same
    /// transcript.
    fn refuse_second_client(&self, is_client: bool) -> Result<(), RunError> {
        let id = &self.lease.session_id;
        let record = self.state.session(id).record_unless_lost()?;
        let Some(record) = record.filter(|_| is_client) else {
            return Ok(());
        };
        let owners = self.judge().find(id, &record).owners;
        match owners.iter().find(|owner| !owner.launcher) {
            Some(client) => Err(RunError::Live(id.clone(), client.pid)),
            None => Ok(()),
        }
    }

    /// Fails if the session is on record and the command cannot be started. A new session is
    /// created even then, to record the attempt.
    fn refuse_what_cannot_start(&self, command: &[OsString]) -> Result<(), RunError> {
        if self
            .state
            .session(&self.lease.session_id)
            .record_unless_lost()?
            .is_none()
        {
            return Ok(());
        }
        let program = command.first().cloned().unwrap_or_default();
        match program::obstacle(&program, store::env::program_path()) {
            Some(obstacle) => Err(RunError::NotStarted(program, obstacle)),
            None => Ok(()),
        }
    }

    /// Makes the session live and current before its command starts.
    fn begin(&mut self, request: &RunRequest) -> Result<(), RunError> {
        self.enter(request)?;
        // Run the command even if the log or the pointer cannot be written.
        self.told(self.log("run started", |line| line));
        self.told(self.become_current());
        Ok(())
    }

    /// Creates the session or reopens its record, and makes the launcher an owner. Fails if the
    /// limit of live sessions is reached.
    fn enter(&mut self, request: &RunRequest) -> Result<(), RunError> {
        let id = &self.lease.session_id.clone();
        let session = self.state.session(id);
        let lock = self.state.lock(LAUNCHER_PATIENCE)?;
        let (judge, now) = (self.judge(), clock::now());
        if !is_live(&judge, id)? {
            limits::make_room(&judge, self.host.config, id, &lock)?.map_err(RunError::Full)?;
        }
        let event = Event {
            source: Some("run".to_owned()),
            what: (self.host.config.capture != Capture::Metadata)
                .then(|| self.lease.command.clone()),
            ..self.event(name::RUN_START, now)
        };
        let mut fresh = new_record(id.clone(), self.project, "run", began(&session, now));
        fresh.parent.clone_from(&self.parent);
        request.purpose.enter(&mut fresh);
        let before = &mut self.before;
        let state = self.state;
        let is_lost = state.replace_lost_record(&lock, &fresh)?;
        let reopen = || {
            if is_lost {
                return Ok(());
            }
            let reopened = state.update_record_locked(&lock, id, |record| {
                let mut record = record.clone();
                *before = Some(FormerMembers::take(&mut record));
                request.purpose.enter(&mut record);
                Some(record)
            });
            reopened.map(drop)
        };
        let opened = roster::open_or_create(&session, &fresh, &event, Durability::Synced, reopen);
        self.has_begun = opened.is_ok() || is_lost || self.before.is_some();
        opened?;
        roster::join(state, id, self.project, Some(&self.lease.holder))?;
        Ok(())
    }

    /// Makes the pointer name the session, unless another session of the same project started this
    /// one. Then that one stays current.
    fn become_current(&self) -> store::Result<()> {
        let is_of_project = |id| self.state.session(id).is_in(self.project.root());
        if self.parent.as_ref().is_some_and(is_of_project) {
            return Ok(());
        }
        let pointers = self.pointers(clock::now());
        lease::point(&pointers, &self.project.name(), self.state, &self.lease)
    }

    /// Records the end, ends the lease and restores the pointer. `outcome` is `None` if the command
    /// did not run. A failed step does not stop the others.
    fn finish(&mut self, outcome: Option<&RunOutcome>) {
        self.is_over = true;
        let id = &self.lease.session_id;
        let now = clock::now();
        if self.has_begun {
            let reason = outcome.map_or_else(|| NOT_STARTED.to_owned(), RunOutcome::reason);
            self.told(self.append(&Event {
                ok: Some(outcome == Some(&RunOutcome::Completed)),
                reason: Some(reason),
                ..self.event(name::RUN_END, now)
            }));
        }
        if let Some(outcome) = outcome {
            self.told(self.log("run ended", |line| line.detail("outcome", outcome.as_str())));
        }
        self.leave();
        // If a Claude Code process still owns the session, its hook will report the end.
        if self.has_begun && !self.judge().is_owned(id, false) {
            let ended = |record: &Record| match (outcome, &self.before) {
                (Some(outcome), _) => SessionEnd::of(outcome, now).put(record),
                (None, Some(before)) => before.put(record),
                (None, None) => SessionEnd::not_started(now).put(record),
            };
            let patience = LAUNCHER_PATIENCE;
            self.told(
                self.state
                    .update_record(id, patience, |record| Some(ended(record))),
            );
            let archiving = ArchiveDecision::by(self.host.config.archive_auto);
            let key = self.project.key();
            self.told(roster::leave(&self.judge(), id, [key], archiving));
        }
        let pointers = self.pointers(now);
        let name = self.project.name();
        let holder = &self.lease.holder;
        self.told(lease::release(&self.judge(), &pointers, &name, id, holder));
    }

    /// Removes this process and its command from the session's owners.
    fn leave(&self) {
        let id = &self.lease.session_id;
        let lease = store::lease::read(self.state, id).ok().flatten();
        let child = lease.and_then(|lease| lease.child);
        for owner in [Some(&self.lease.holder), child.as_ref()]
            .into_iter()
            .flatten()
        {
            self.told(self.state.session(id).remove_owner(owner));
            self.told(index::forget_process(self.state, owner));
        }
    }

    /// Passes the error to `complain` if the step failed.
    fn told<T>(&self, step: store::Result<T>) {
        if let Err(err) = step {
            (self.complain)(&err);
        }
    }

    fn judge(&self) -> Judge<'a> {
        Judge::new(self.state, self.host.config, clock::now())
    }

    fn pointers(&self, now: Timestamp) -> Pointers<'a> {
        Host { now, ..self.host }.pointers()
    }

    fn event(&self, event: &str, now: Timestamp) -> Event {
        Event {
            v: event::VERSION,
            ts: Some(now),
            mono: Some(clock::since_boot()),
            event: event.to_owned(),
            session_id: Some(self.lease.session_id.clone()),
            pid: Some(self.lease.holder.pid),
            ..Event::default()
        }
    }

    fn append(&self, event: &Event) -> store::Result<()> {
        let session = self.state.session(&self.lease.session_id);
        match session.journal().append(event)? {
            AppendOutcome::Done { .. } => Ok(()),
            AppendOutcome::Missing => Err(Error::io("find", session.journal().path())(
                io::Error::from(io::ErrorKind::NotFound),
            )),
        }
    }

    fn log(
        &self,
        what: &str,
        detailed: impl FnOnce(LogLine<'_>) -> LogLine<'_>,
    ) -> store::Result<()> {
        let line = LogLine::new(what)
            .session(&self.lease.session_id)
            .detail("command", self.lease.command.as_str());
        log::append(self.state, Log::Operations, &detailed(line))
    }
}

impl Drop for HeldSession<'_> {
    fn drop(&mut self) {
        if !self.is_over {
            self.finish(None);
        }
    }
}

/// Returns this process as the holder of a lease.
fn own(project: &Project) -> Result<Owner, RunError> {
    let unseen = || {
        let why = "processes cannot be seen on this system, so it would stay unknown when the id is free again";
        RunError::System(io::Error::new(io::ErrorKind::Unsupported, why))
    };
    let process = process::process(std::process::id()).ok_or_else(unseen)?;
    let mut owner = Viewpoint::here().ok_or_else(unseen)?.recorded(process);
    owner.root = Some(project.root().to_string_lossy().into_owned());
    owner.launcher = true;
    Ok(owner)
}

/// Returns the session from which this command was called, if that is certain. Being the only live
/// session of the project does not make it certain.
pub(super) fn caller(host: &Host<'_>) -> Option<SessionId> {
    let host = Host {
        now: clock::now(),
        ..*host
    };
    let answer = resolve(&host, &Question::default());
    answer
        .id
        .filter(|_| matches!(answer.rung, Rung::Environment | Rung::Process))
}
