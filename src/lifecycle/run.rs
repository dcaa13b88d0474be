//! Running a command as a session, for those who start Claude Code themselves and own its ids.
//!
//! The record exists before the command starts, and one launcher at a time holds the id. On the way out, whatever
//! happened, the id is given back, the record's end says what became of the command, and what was current before is
//! current again.

mod child;
mod claude;

pub use child::{VERB, become_command};

use std::ffi::OsString;
use std::fmt;
use std::io;
use std::path::Path;

use crate::identity::ladder::{Question, Rung, Sight, project_here, resolve};
use crate::identity::liveness::Judge;
use crate::identity::process::{self, Viewpoint};
use crate::lifecycle::lease::{self, Taking};
use crate::lifecycle::transcript;
use crate::model::event::{self, name};
use crate::model::text::one_line;
use crate::model::{Capture, Config, Event, Owner, Project, Record, SessionId, Timestamp};
use crate::store::lease::Lease;
use crate::store::lock::LAUNCHER_PATIENCE;
use crate::store::log::{self, Line, Log};
use crate::store::pointer::{Pointers, Reading};
use crate::store::write::{Appended, Durability};
use crate::store::{self, Environment, Error, Places, State, clock, index, journal, project};

/// The longest command name, role, focus and session name that are kept, in characters.
const MAX_TEXT: usize = 120;

/// What is to be run, and as which session.
#[derive(Debug, Default)]
pub struct Order {
    /// The id; a new one without.
    pub id: Option<SessionId>,
    /// Whether the id must be one that is known.
    pub resume: bool,
    /// What the session is called.
    pub name: Option<String>,
    /// Who it is.
    pub role: Option<String>,
    /// What it is for.
    pub focus: Option<String>,
    /// The command and its arguments.
    pub command: Vec<OsString>,
}

/// What became of the command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It ended with status 0.
    Completed,
    /// It ended with this status; as of a shell's, 127 says that there is no such command, 126 that it cannot be started.
    Failed(i32),
    /// This signal ended it.
    Killed(i32),
}

impl Outcome {
    /// The exit status that a shell would pass on.
    pub fn status(&self) -> i32 {
        match self {
            Self::Completed => 0,
            Self::Failed(status) => *status,
            Self::Killed(signal) => 128 + signal,
        }
    }

    /// The outcome as the record has it.
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

/// Why nothing was run.
#[derive(Debug)]
pub enum Refusal {
    /// Another launcher, or the command of one that was killed, holds the id.
    Held(Box<Lease>),
    /// A client that was started otherwise has the session.
    Live(SessionId, u32),
    /// No session of this id is known.
    Unknown(SessionId),
    /// Claude Code takes no such id.
    NoUuid(SessionId),
    /// The command says itself which session it wants, by this option.
    OwnChoice(&'static str),
    /// Something could not be read or written.
    Store(Error),
    /// The system refused.
    System(io::Error),
}

impl From<Error> for Refusal {
    fn from(err: Error) -> Self {
        Self::Store(err)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Held(lease) => {
                let (id, command) = (&lease.session_id, store::shown(Path::new(&lease.command)));
                let pid = lease.holder.pid;
                let since = clock::local_text(lease.since);
                write!(
                    f,
                    "could not run as session {id}: process {pid} holds it, for `{command}` since {since}; wait for it, or take another id"
                )
            }
            Self::Live(id, pid) => write!(
                f,
                "could not run as session {id}: it is live in process {pid}; end that first, or take another id"
            ),
            Self::Unknown(id) => write!(
                f,
                "could not resume session {id}: none of this id is known; see `ccsession list --all`"
            ),
            Self::NoUuid(id) => write!(
                f,
                "could not give `{id}` to claude: it takes only UUIDs; leave --session-id away for a new one"
            ),
            Self::OwnChoice(option) => write!(
                f,
                "could not choose the session: the command has its own `{option}`; give the id as `ccsession run --session-id ID` or `--resume ID`"
            ),
            Self::Store(err) => err.fmt(f),
            Self::System(err) => write!(f, "could not run the command: {err}"),
        }
    }
}

impl std::error::Error for Refusal {}

/// What a run stands in.
#[derive(Debug, Clone, Copy)]
pub struct Surroundings<'a> {
    /// The environment.
    pub env: &'a Environment,
    /// Where things are.
    pub places: &'a Places,
    /// The settings.
    pub config: &'a Config,
}

/// Runs a command as a session, to its end. What could not be put back afterwards is told to `complain`.
///
/// # Errors
/// [`Refusal`]; then nothing was run, and everything is as it was.
pub fn run(
    surroundings: &Surroundings<'_>,
    order: &Order,
    complain: impl FnMut(&Error),
) -> Result<Outcome, Refusal> {
    let is_client = claude::is_client(&order.command);
    if let Some(option) = claude::own_choice(&order.command).filter(|_| is_client) {
        return Err(Refusal::OwnChoice(option));
    }
    let state = State::create(surroundings.places)?;
    let project = project_here(surroundings.env, None)?;
    let id = match &order.id {
        Some(id) => id.clone(),
        None => new_id(),
    };
    if is_client && !claude::is_acceptable(&id) {
        return Err(Refusal::NoUuid(id));
    }
    let transcript = transcript::find(surroundings.env, &state.session(&id), &id);
    let is_recorded = state.session(&id).record()?.is_some();
    if order.resume && transcript.is_none() && !is_recorded {
        return Err(Refusal::Unknown(id));
    }
    let mut held = Held::take(surroundings, &state, &project, id, order, is_client)?;
    held.begin(order)?;
    let command = if is_client {
        claude::with_id(&order.command, &held.lease.session_id, transcript.is_some())
    } else {
        order.command.clone()
    };
    let ended = child::run(&command, &held.lease.session_id, &held.lease.holder);
    held.finish(ended.as_ref().ok(), complain);
    ended.map_err(Refusal::System)
}

/// An id that no session ever had.
fn new_id() -> SessionId {
    loop {
        if let Ok(id) = uuid::Uuid::new_v4().to_string().parse() {
            return id;
        }
    }
}

/// The name of a command, without its folder.
fn name_of(command: &[OsString]) -> String {
    let name = command.first().map(Path::new).and_then(Path::file_name);
    one_line(&name.unwrap_or_default().to_string_lossy(), MAX_TEXT)
}

/// A session's id, held; given back when this is dropped.
struct Held<'a> {
    surroundings: &'a Surroundings<'a>,
    state: &'a State,
    project: &'a Project,
    lease: Lease,
    parent: Option<SessionId>,
    /// What the pointer said before it was moved; nothing where it was not.
    before: Option<Reading>,
    is_over: bool,
}

impl<'a> Held<'a> {
    fn take(
        surroundings: &'a Surroundings<'a>,
        state: &'a State,
        project: &'a Project,
        id: SessionId,
        order: &Order,
        is_client: bool,
    ) -> Result<Self, Refusal> {
        let now = clock::now();
        let judge = judge(surroundings, state, now);
        let lease = Lease::new(id, own(project)?, name_of(&order.command), now);
        match lease::take(&judge, &lease)? {
            Taking::Taken | Taking::TakenOver(_) => {}
            Taking::Refused(other) => return Err(Refusal::Held(Box::new(other))),
        }
        let held = Self {
            parent: caller(surroundings, state).filter(|parent| *parent != lease.session_id),
            surroundings,
            state,
            project,
            lease,
            before: None,
            is_over: false,
        };
        // Two clients would write to one transcript.
        match held.client(&judge).filter(|_| is_client) {
            Some(pid) => Err(Refusal::Live(held.lease.session_id.clone(), pid)),
            None => Ok(held),
        }
    }

    /// The client that has the session, if one does.
    fn client(&self, judge: &Judge<'_>) -> Option<u32> {
        let id = &self.lease.session_id;
        let record = self.state.session(id).record().ok()??;
        let owners = judge.find(id, &record).owners;
        owners
            .iter()
            .find(|owner| !owner.launcher)
            .map(|owner| owner.pid)
    }

    /// Makes the session there, live and current, before its command starts.
    fn begin(&mut self, order: &Order) -> Result<(), Refusal> {
        let id = &self.lease.session_id;
        let session = self.state.session(id);
        let now = self.lease.since;
        let event = Event {
            source: Some("run".to_owned()),
            what: (self.surroundings.config.capture != Capture::Metadata)
                .then(|| self.lease.command.clone()),
            ..self.event(name::RUN_START, now)
        };
        let mut fresh = Record::new(id.clone(), self.project, now);
        fresh.source = Some("run".to_owned());
        fresh.head = project::head(self.project.root());
        fresh.machine = process::machine();
        fresh.parent.clone_from(&self.parent);
        fresh.cwd = project::current_dir()
            .ok()
            .map(|dir| dir.to_string_lossy().into_owned());
        describe(&mut fresh, order);
        let created = session.create(&fresh, &event)?;
        if !created.journal {
            self.append(&event)?;
        }
        if !created.record {
            self.rewrite(|record| {
                record.ended_at = None;
                record.end_reason = None;
                record.outcome = None;
                record.exit_status = None;
                describe(record, order);
            })?;
        }
        session.add_owner(&self.lease.holder)?;
        index::set_session_of_process(self.state, &self.lease.holder, id)?;
        index::add_to_project(self.state, &self.project.key(), id)?;
        self.log("run started", |line| line)?;
        self.become_current()?;
        Ok(())
    }

    /// Moves the pointer, unless this was started from within a session: that one stays the project's current.
    fn become_current(&mut self) -> Result<(), Error> {
        if self.parent.is_some() {
            return Ok(());
        }
        let pointers = self.pointers(clock::now());
        let name = self.project.name();
        let before = pointers.read(&name);
        pointers.store(&name, &self.lease.session_id, Durability::Cached)?;
        self.before = Some(before);
        Ok(())
    }

    /// Puts everything back; what cannot be is told.
    fn finish(&mut self, outcome: Option<&Outcome>, mut complain: impl FnMut(&Error)) {
        self.is_over = true;
        for step in self.put_back(outcome) {
            if let Err(err) = step {
                complain(&err);
            }
        }
    }

    /// Every step is taken, whatever became of the others.
    fn put_back(&self, outcome: Option<&Outcome>) -> Vec<store::Result<()>> {
        let id = &self.lease.session_id;
        let holder = &self.lease.holder;
        let now = clock::now();
        let mut steps = Vec::new();
        if let Some(outcome) = outcome {
            steps.push(self.append(&Event {
                ok: Some(*outcome == Outcome::Completed),
                reason: Some(outcome.reason()),
                ..self.event(name::RUN_END, now)
            }));
            steps.push(self.rewrite(|record| {
                record.ended_at = Some(now);
                record.end_reason = Some(outcome.reason());
                record.outcome = Some(outcome.as_str().to_owned());
                record.exit_status = Some(outcome.status().into());
            }));
            steps.push(self.log("run ended", |line| line.detail("outcome", outcome.as_str())));
        }
        steps.push(self.state.session(id).remove_owner(holder).map(drop));
        steps.push(index::forget_process(self.state, holder).map(drop));
        if !judge(self.surroundings, self.state, now).is_owned(id, false) {
            steps.push(index::remove_from_project(
                self.state,
                &self.project.key(),
                id,
            ));
        }
        steps.push(self.restore_pointer());
        steps.push(lease::release(self.state, id, holder));
        steps
    }

    /// The pointer says again what it said before, unless it is another's by now.
    fn restore_pointer(&self) -> store::Result<()> {
        let Some(before) = &self.before else {
            return Ok(());
        };
        let name = self.project.name();
        let pointers = self.pointers(clock::now());
        match pointers.read(&name) {
            Reading::Absent => {}
            Reading::Pointer { id, .. } if id == self.lease.session_id => {}
            _ => return Ok(()),
        }
        match before {
            // Written at the time it was written at: it does not get fresher by this.
            Reading::Pointer { id, written, .. } if self.may_be_live(id) => {
                self.pointers(*written).store(&name, id, Durability::Cached)
            }
            _ => pointers
                .remove_if_names(&name, &self.lease.session_id)
                .map(drop),
        }
    }

    /// Whether a session could still be current. One that has ended meanwhile is not.
    fn may_be_live(&self, id: &SessionId) -> bool {
        let judge = judge(self.surroundings, self.state, clock::now());
        match self.state.session(id).record() {
            Ok(Some(record)) => judge.find(id, &record).state.is_live(),
            Ok(None) => true,
            Err(_) => false,
        }
    }

    fn pointers(&self, now: Timestamp) -> Pointers<'a> {
        Pointers {
            dir: &self.surroundings.places.pointers,
            state: Some(self.state),
            ttl: self.surroundings.config.ttl,
            now,
        }
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
        let path = self.state.session(&self.lease.session_id).journal();
        match journal::append(&path, event)? {
            Appended::Done { .. } => Ok(()),
            Appended::Missing => Err(Error::io("find", &path)(io::Error::from(
                io::ErrorKind::NotFound,
            ))),
        }
    }

    /// Changes the record, under the lock.
    fn rewrite(&self, change: impl FnOnce(&mut Record)) -> store::Result<()> {
        let _lock = self.state.lock(LAUNCHER_PATIENCE)?;
        let session = self.state.session(&self.lease.session_id);
        if let Some(mut record) = session.record()? {
            change(&mut record);
            session.replace_record(&record)?;
        }
        Ok(())
    }

    fn log(&self, what: &str, detailed: impl FnOnce(Line<'_>) -> Line<'_>) -> store::Result<()> {
        let line = Line::new(what)
            .session(&self.lease.session_id)
            .detail("command", self.lease.command.as_str());
        log::append(self.state, Log::Operations, &detailed(line))
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        if !self.is_over {
            self.finish(None, |_| {});
        }
    }
}

/// This process, as a holder.
fn own(project: &Project) -> Result<Owner, Refusal> {
    let unseen = || {
        let why = "processes cannot be seen here, so nobody could tell when the id is free again";
        Refusal::System(io::Error::new(io::ErrorKind::Unsupported, why))
    };
    let process = process::process(std::process::id()).ok_or_else(unseen)?;
    let mut owner = Viewpoint::here().ok_or_else(unseen)?.owner(process);
    owner.root = Some(project.root().to_string_lossy().into_owned());
    owner.launcher = true;
    Ok(owner)
}

/// The session that this was called from, if that is certain.
fn caller(surroundings: &Surroundings<'_>, state: &State) -> Option<SessionId> {
    let sight = Sight {
        env: surroundings.env,
        places: surroundings.places,
        config: surroundings.config,
        state: Some(state),
        state_fault: None,
        now: clock::now(),
    };
    let answer = resolve(&sight, &Question::default());
    answer
        .id
        .filter(|_| matches!(answer.rung, Rung::Environment | Rung::Process))
}

fn judge<'s>(surroundings: &Surroundings<'_>, state: &'s State, now: Timestamp) -> Judge<'s> {
    Judge {
        state,
        viewpoint: Viewpoint::here(),
        now,
        idle_timeout: surroundings.config.session_timeout,
    }
}

/// Enters what the caller says of the session; what it does not say stays.
fn describe(record: &mut Record, order: &Order) {
    let said = |text: &Option<String>| {
        let text = text.as_ref().map(|text| one_line(text, MAX_TEXT));
        text.filter(|text| !text.is_empty())
    };
    for (field, text) in [
        (&mut record.name, &order.name),
        (&mut record.role, &order.role),
        (&mut record.focus, &order.focus),
    ] {
        if let Some(text) = said(text) {
            *field = Some(text);
        }
    }
}
