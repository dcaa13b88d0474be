//! Records an event: appends a line to the session's journal, and creates the record when the
//! session begins. A start, a prompt and an end also update the owners, the indexes and the
//! pointer.
//!
//! The steps are independent: if one fails, the failure is logged, and the others still run.

mod excluded;
mod new_session;
mod pointer;
mod session_end;

use std::cell::OnceCell;
use std::ffi::OsStr;
use std::path::Path;
use std::time::Duration;

use serde_json::json;

use pointer::PointerMove;

use super::commits::head_and_commits;
use super::wire::{Payload, SessionClaim};
use super::{Problem, detached};
use crate::claude::words::StartSource;
use crate::identity::client::{self, EventHints};
use crate::identity::ladder::{Question, Rung, Trust, project_of_hook, resolve};
use crate::identity::liveness::has_gone_process;
use crate::identity::process::{Chain, Process, Viewpoint};
use crate::model::event::name;
use crate::model::record::EventDefaults;
use crate::model::redact::{Redactor, redact};
use crate::model::{Config, Event, Owner, Project, SessionId, Timestamp};
use crate::store::config::{Complaint, LoadedConfig};
use crate::store::exclusion::Exclusion;
use crate::store::index::ProcessNames;
use crate::store::log::{self, Log, LogLine};
use crate::store::write::AppendOutcome;
use crate::store::{
    Decompressor, Environment, Host, Places, Result, SessionDir, StateDir, archive_queue, clock,
    env_file, index, project, unrecorded,
};

const NO_ID: &str = "the payload has no session_id";

/// Records the event of `payload` at the time `now`, and returns the failures.
pub(super) fn record(
    env: &Environment,
    places: &Places,
    settings: LoadedConfig,
    payload: &Payload,
    event_name: String,
    now: Timestamp,
) -> Vec<Problem> {
    if event_name == name::MESSAGE_DISPLAY {
        return Vec::new();
    }
    let mut recording = Recording {
        env,
        places,
        config: settings.config,
        payload,
        event_name,
        now,
        session: None,
        rung: None,
        previous: None,
        above: Chain::default(),
        exclusion: OnceCell::new(),
        problems: Vec::new(),
    };
    for complaint in &settings.complaints {
        // Accept unknown keys: another version may know them.
        if !matches!(complaint, Complaint::UnknownKey { .. }) {
            recording.note(complaint.to_string());
        }
    }
    match payload.claim() {
        SessionClaim::Session(id) => recording.attributed(&id),
        SessionClaim::Missing => recording.by_the_ladder(),
        SessionClaim::NoPayload => recording.unattributed(NO_ID),
        SessionClaim::Invalid(size) => recording.unattributed(&format!(
            "its session_id ({size} bytes) is not a session id"
        )),
    }
    recording.problems
}

struct Recording<'a> {
    env: &'a Environment,
    places: &'a Places,
    config: Config,
    payload: &'a Payload,
    event_name: String,
    now: Timestamp,
    session: Option<SessionId>,
    /// The rung of the ladder that found the session, if the payload has no id.
    rung: Option<Rung>,
    /// The session that the client process was in before, if this event starts another one in it.
    previous: Option<SessionId>,
    /// The parent process of this one, its parent, and so on.
    above: Chain,
    /// Why the project is excluded from recording, or `None` if it is not. Determined at most once.
    exclusion: OnceCell<Option<Exclusion>>,
    problems: Vec<Problem>,
}

/// Where an event happened: the project in which Claude Code was started, and the client process.
/// Either may be unknown.
struct EventContext {
    project: Option<Project>,
    client: Option<SessionProcess>,
    /// The process index as it was before this event.
    on_record: ProcessNames,
}

/// The client process that owns the session.
struct SessionProcess {
    owner: Owner,
    /// The sessions within which the client was started, the nearest first.
    around: Vec<OuterSession>,
}

/// A session within which this Claude Code was started: a process of that session is above it.
struct OuterSession {
    id: SessionId,
    /// True if the process of that session is a launcher, and is the client's direct parent.
    is_launcher: bool,
}

/// Whether a session was on record before this event.
#[derive(Clone, Copy, PartialEq, Eq)]
enum PriorRecord {
    Before,
    First,
    /// The session has a journal, but its record is lost.
    WithoutRecord,
    /// The session is not recorded: its project is excluded, or somebody deleted it.
    Stopped,
}

impl Recording<'_> {
    fn note(&mut self, text: String) {
        self.problems.push(Problem {
            session: self.session.clone(),
            text,
        });
    }

    /// Returns the value if the step succeeded; otherwise logs its error.
    fn done<T>(&mut self, step: Result<T>) -> Option<T> {
        step.map_err(|err| self.note(err.to_string())).ok()
    }

    /// Finds the session of a payload without an id, as older versions of Claude Code send it. The
    /// ladder is asked, and only an exact answer is used. For a start it is not asked, because the
    /// new session is not on record yet.
    fn by_the_ladder(&mut self) {
        if self.event_name == name::SESSION_START {
            return self.unattributed(NO_ID);
        }
        let state = StateDir::open(self.places, Decompressor::NONE)
            .ok()
            .flatten();
        let host = self.host(state.as_ref());
        let answer = resolve(&host, &Question::default());
        match (answer.trust, answer.id) {
            (Trust::Exact, Some(id)) => {
                self.rung = Some(answer.rung);
                self.attributed(&id);
            }
            (Trust::Ambiguous, _) => {
                let several = answer.candidates.len();
                self.unattributed(&format!("{NO_ID}, and {several} sessions could be meant"));
            }
            _ => self.unattributed(NO_ID),
        }
    }

    fn unattributed(&mut self, why: &str) {
        let event = redact(&self.event_name).into_owned();
        if self.env.hook_debug {
            self.note(format!("could not attribute {event}: {why}"));
        }
        let Some(state) = self.done(StateDir::create(self.places, Decompressor::NONE)) else {
            return;
        };
        let line = LogLine::new(why)
            .detail("event", event)
            .detail("bytes", self.payload.size);
        let written = log::append(&state, Log::Unattributed, &line);
        self.done(written);
    }

    fn attributed(&mut self, id: &SessionId) {
        self.session = Some(id.clone());
        let state = self.done(StateDir::create(self.places, Decompressor::NONE));
        let state = state.as_ref();
        if self.payload.is_subagent() || is_tool_event(&self.event_name) {
            if let Some(state) = state {
                self.tool_event(state, id);
            }
            return;
        }
        let context = self.context(state, id);
        if self.is_stopped(state, id, &context) {
            return;
        }
        match self.event_name.as_str() {
            name::SESSION_START => self.session_start(state, id, &context),
            name::SESSION_END => self.session_end(state, id, &context),
            name::USER_PROMPT_SUBMIT => self.prompt(state, id, &context),
            _ => self.other(state, id, &context),
        }
    }

    /// Records an event of a tool call. This is the hot path: unless the session is new, it only
    /// appends a line to the journal.
    fn tool_event(&mut self, state: &StateDir, id: &SessionId) {
        let mut event = self.event(id);
        let prior = self.append(state, id, &mut event);
        if matches!(prior, PriorRecord::First | PriorRecord::WithoutRecord) {
            // For an excluded or deleted session there usually is a file that says so. Then the
            // search for the project can be saved.
            if prior == PriorRecord::First && unrecorded::of(state, id).is_some() {
                self.session = None;
                return;
            }
            let context = self.context(Some(state), id);
            if prior == PriorRecord::First && !self.may_begin(state, id, &context) {
                return;
            }
            self.create_missing(state, id, &context, event, "late", prior);
            self.join(state, id, &context);
        }
    }

    /// Appends the event to the session's journal, if there is one. The line omits what the record
    /// already says; afterwards `event` is complete again, because the caller may have to create
    /// the journal with it.
    fn append(&mut self, state: &StateDir, id: &SessionId, event: &mut Event) -> PriorRecord {
        let session = state.session(id);
        let scope = session.scope();
        if scope
            .as_ref()
            .is_some_and(|known| known.stopped_at.is_some())
            && !self.goes_on(state, id)
        {
            return PriorRecord::Stopped;
        }
        let known = scope.as_ref().map(|known| take_known(event, known));
        let appended = session.journal().append(event);
        if let Some(known) = known {
            event.cwd = known.cwd.or(event.cwd.take());
            event.transcript_path = known.transcript_path.or(event.transcript_path.take());
        }
        match self.rotate_if_full(state, &session, appended) {
            Some(AppendOutcome::Missing) => PriorRecord::First,
            Some(AppendOutcome::Done { .. }) if scope.is_none() => PriorRecord::WithoutRecord,
            Some(AppendOutcome::Done { .. }) | None => PriorRecord::Before,
        }
    }

    /// Creates the record and the journal of a new session, or the lost record of a known one. The
    /// new record states `source` as the way the session began.
    fn create_missing(
        &mut self,
        state: &StateDir,
        id: &SessionId,
        context: &EventContext,
        event: Event,
        source: &str,
        prior: PriorRecord,
    ) {
        match prior {
            PriorRecord::Before | PriorRecord::Stopped => {}
            PriorRecord::First => self.begin(state, id, context, event, source),
            PriorRecord::WithoutRecord => self.rebuild_record(state, id, context, source),
        }
    }

    fn session_start(&mut self, state: Option<&StateDir>, id: &SessionId, context: &EventContext) {
        let source = self.payload.text("source").unwrap_or_default();
        // Write the record first. It is the only file that is synced to the disk, because a session
        // that continues after a power failure needs it. A lost pointer does not matter: the client
        // process is gone, too, and the next start writes the pointer again.
        if let Some(state) = state {
            if let (StartSource::Clear | StartSource::Resume | StartSource::Fork, Some(client)) =
                (StartSource::of(&source), &context.client)
            {
                self.previous = session_before(state, client, id);
            }
            if !self.journal(state, id, context, &source).is_recorded() {
                return;
            }
            self.join(state, id, context);
        }
        if StartSource::of(&source) == StartSource::Compact {
            self.refresh_pointer(state, id, context);
        } else {
            self.move_pointer(state, id, context, PointerMove::ForStart);
        }
        self.provide_id(id);
        if let Some(state) = state {
            self.sweep_if_due(state, context);
        }
        self.tell_model(id);
    }

    fn prompt(&mut self, state: Option<&StateDir>, id: &SessionId, context: &EventContext) {
        if let Some(state) = state {
            if !self.journal(state, id, context, "late").is_recorded() {
                return;
            }
            self.join(state, id, context);
        }
        if self.payload.is_task_notification() {
            self.refresh_pointer(state, id, context);
        } else {
            self.move_pointer(state, id, context, PointerMove::IfNeeded);
        }
    }

    fn other(&mut self, state: Option<&StateDir>, id: &SessionId, context: &EventContext) {
        if let Some(state) = state {
            match self.journal(state, id, context, "late") {
                PriorRecord::Before => {}
                PriorRecord::First | PriorRecord::WithoutRecord => self.join(state, id, context),
                PriorRecord::Stopped => return,
            }
        }
        self.refresh_pointer(state, id, context);
    }

    /// Appends the event to the session's journal. Creates the journal and the record if the
    /// session is new; the record then states `source` as the way the session began.
    fn journal(
        &mut self,
        state: &StateDir,
        id: &SessionId,
        context: &EventContext,
        source: &str,
    ) -> PriorRecord {
        let mut event = self.event(id);
        let session = state.session(id);
        let checkout = self
            .project_with_commits(context)
            .and_then(|here| head_and_commits(&session, here.root(), self.now));
        if let Some((head, commits)) = checkout {
            let mut branch = head.branch;
            branch
                .iter_mut()
                .for_each(|branch| Redactor::default().word(branch));
            (event.branch, event.revision) = (branch, head.revision);
            event.commits = commits;
        }
        let prior = self.append(state, id, &mut event);
        if prior == PriorRecord::First && !self.may_begin(state, id, context) {
            return PriorRecord::Stopped;
        }
        self.create_missing(state, id, context, event, source, prior);
        prior
    }

    /// Returns the project in which the session works now, if the event is one that records what is
    /// checked out there.
    fn project_with_commits(&self, context: &EventContext) -> Option<Project> {
        let with_commits = [name::USER_PROMPT_SUBMIT, name::STOP, name::SESSION_END];
        if !with_commits.contains(&self.event_name.as_str()) {
            return None;
        }
        // Most sessions work in the root of their project; then the search for the project can be
        // saved.
        let is_there = |cwd: &String| {
            let project = context.project.as_ref();
            project.is_some_and(|project| project.root() == Path::new(cwd))
        };
        let elsewhere = self.payload.cwd().filter(|cwd| !is_there(cwd));
        let here = elsewhere.map(|cwd| project::discover(Path::new(&cwd)));
        here.or_else(|| context.project.clone())
    }

    /// Logs a failed append, and rotates a full journal. If another process holds the lock, a later
    /// event rotates it.
    fn rotate_if_full(
        &mut self,
        state: &StateDir,
        session: &SessionDir,
        appended: Result<AppendOutcome>,
    ) -> Option<AppendOutcome> {
        let appended = self.done(appended);
        let limit = self.config.journal_limit;
        if matches!(appended, Some(AppendOutcome::Done { size_before }) if size_before >= limit)
            && let Ok(_lock) = state.lock(Duration::ZERO)
        {
            let rotated = session.journal().rotate(limit);
            self.done(rotated);
        }
        appended
    }

    fn event(&self, id: &SessionId) -> Event {
        let mut event = self.payload.event(&self.event_name, self.config.capture);
        event.ts = Some(self.now);
        event.mono = Some(clock::since_boot());
        event.session_id = Some(id.clone());
        event.pid = client::own_pid(self.env, &self.above);
        event.previous = self.previous.clone();
        event.traceparent = self.env.traceparent.clone();
        event.rung = self.rung.map(|rung| rung.as_str().to_owned());
        event
    }

    fn host<'s>(&'s self, state: Option<&'s StateDir>) -> Host<'s> {
        Host {
            env: self.env,
            places: self.places,
            config: &self.config,
            state,
            state_fault: None,
            now: self.now,
        }
    }

    fn context(&mut self, state: Option<&StateDir>, id: &SessionId) -> EventContext {
        let cwd = self.payload.cwd();
        let project = project_of_hook(self.env, cwd.as_deref().map(Path::new));
        let project = self.done(project);
        let on_record = ProcessNames::default();
        let client = self.client(state, id, project.as_ref(), &on_record);
        EventContext {
            project,
            client,
            on_record,
        }
    }

    fn client(
        &self,
        state: Option<&StateDir>,
        id: &SessionId,
        project: Option<&Project>,
        on_record: &ProcessNames,
    ) -> Option<SessionProcess> {
        let viewpoint = Viewpoint::here()?;
        let source = self.payload.text("source").unwrap_or_default();
        let hints = EventHints {
            id,
            source: &source,
        };
        let process = client::of_hook(self.env, state, &viewpoint, hints, &self.above, on_record)?;
        let mut owner = viewpoint.recorded(process);
        owner.root = project.map(|project| project.root().to_string_lossy().into_owned());
        let around = state.map_or_else(Vec::new, |state| {
            let above = self.above.above(process);
            around(state, &viewpoint, &owner, process, above, on_record)
        });
        Some(SessionProcess { owner, around })
    }

    /// Passes the session id to Bash calls through `CLAUDE_ENV_FILE`, if Claude Code is too old to
    /// pass it itself. Only this hook uses that file. A resumed session keeps the file, so the hook
    /// replaces the content instead of appending to it.
    fn provide_id(&mut self, id: &SessionId) {
        // Do not skip this for another id: the variable may be inherited, for example from a
        // terminal server that was started within another session.
        if self.env.claude_session_id.as_deref() == Some(OsStr::new(id.as_str())) {
            return;
        }
        if let Some(path) = &self.env.claude_env_file {
            let line = format!("export CLAUDE_CODE_SESSION_ID={id}");
            let written = env_file::provide(path, &line);
            self.done(written);
        }
    }

    fn sweep_if_due(&mut self, state: &StateDir, context: &EventContext) {
        // Do not wait for the next interval if a session has to be archived: Claude Code may delete
        // its transcripts.
        let is_to_be_archived = || {
            self.config.archive_auto
                && (archive_queue::is_any_due(state, self.now)
                    || has_gone_process(state, &context.on_record))
        };
        if state.sweep_is_due(self.config.cleanup_interval, self.now) || is_to_be_archived() {
            let started = detached::start_sweep();
            self.done(started);
        }
    }

    /// Prints the id for the model, if the user asked for it.
    fn tell_model(&self, id: &SessionId) {
        if !self.config.context_line {
            return;
        }
        let context = format!("The id of this Claude Code session is {id}.");
        let output = json!({"hookSpecificOutput": {"hookEventName": name::SESSION_START, "additionalContext": context}});
        super::say(std::io::stdout(), &format!("{output}\n"));
    }

    fn log(&mut self, state: &StateDir, id: &SessionId, project: &Project, what: &str) {
        let line = LogLine::new(what)
            .session(id)
            .detail("project", project.name().display());
        let written = log::append(state, Log::Operations, &line);
        self.done(written);
        if self.env.hook_debug {
            self.note(format!("[SESSION_MANAGER] {what}: {id}"));
        }
    }
}

/// Returns the sessions within which the client was started, the nearest first. They belong to
/// recorded processes `above` the client.
fn around(
    state: &StateDir,
    viewpoint: &Viewpoint,
    owner: &Owner,
    client: Process,
    above: impl Iterator<Item = Process>,
    on_record: &ProcessNames,
) -> Vec<OuterSession> {
    let own = owner.file_name();
    if on_record.list(state).iter().all(|name| **name == *own) {
        return Vec::new();
    }
    above
        .filter_map(|above| {
            let entry = on_record.entry(state, &viewpoint.owner(above))?;
            Some(OuterSession {
                is_launcher: entry.owner.launcher && above.pid == client.parent,
                id: entry.session_id,
            })
        })
        .collect()
}

/// Returns the session that the client process was in before `id`.
fn session_before(state: &StateDir, client: &SessionProcess, id: &SessionId) -> Option<SessionId> {
    index::session_of_process(state, &client.owner).filter(|last| last != id)
}

/// Removes from the event the values that the session's record also has, and returns them. That
/// keeps journal lines short.
fn take_known(event: &mut Event, known: &EventDefaults) -> EventDefaults {
    let is = |known: &Option<String>, value: &mut String| known.as_ref() == Some(value);
    EventDefaults {
        cwd: event.cwd.take_if(|cwd| is(&known.cwd, cwd)),
        transcript_path: event
            .transcript_path
            .take_if(|path| is(&known.transcript_path, path)),
        stopped_at: None,
    }
}

fn is_tool_event(event: &str) -> bool {
    matches!(
        event,
        name::PRE_TOOL_USE
            | name::POST_TOOL_USE
            | name::POST_TOOL_USE_FAILURE
            | name::POST_TOOL_BATCH
    )
}
