//! The ladder: which session is this. The first rung that answers wins, and the answer says which rung it was.
//!
//! Explicit beats implicit: nothing overrides a rung above it. Where several sessions could be meant, the ladder stops:
//! no identity beats a wrong one.

mod climb;

use std::path::Path;

use serde::Serialize;

use self::climb::Climb;
use super::above::Above;
use super::liveness::Judge;
use super::process::Viewpoint;
use crate::model::{Config, Project, ProjectName, SessionId, Timestamp};
use crate::store::{Environment, Places, State, project};

/// Where an answer came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Rung {
    /// Somebody gave the id.
    Explicit,
    /// `session_id` on a hook's stdin.
    Payload,
    /// `CLAUDE_CODE_SESSION_ID`, else `CCSESSION_ID`.
    Environment,
    /// The nearest process above that is a client on record.
    Process,
    /// The one live session of the project.
    Project,
    /// The pointer file.
    Pointer,
    /// No rung answered.
    Unknown,
}

impl Rung {
    /// The rung as one word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Explicit => "explicit",
            Self::Payload => "payload",
            Self::Environment => "environment",
            Self::Process => "process",
            Self::Project => "project",
            Self::Pointer => "pointer",
            Self::Unknown => "unknown",
        }
    }
}

/// How far an answer can be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Trust {
    /// It is this session.
    Exact,
    /// It is one of several.
    Ambiguous,
    /// It is likely this session: it was when the pointer was written, or it is the one live session of the project while a
    /// variable names another.
    LastKnown,
    /// Nothing is known.
    None,
}

impl Trust {
    /// The trust as one word, as in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Ambiguous => "ambiguous",
            Self::LastKnown => "last_known",
            Self::None => "none",
        }
    }

    /// The trust in words.
    pub fn for_people(self) -> &'static str {
        match self {
            Self::Exact | Self::Ambiguous => self.as_str(),
            Self::LastKnown => "last known",
            Self::None => "nothing is known",
        }
    }
}

/// A session that an ambiguous question could mean.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Candidate {
    /// Its id.
    pub session_id: SessionId,
    /// When its last event was.
    pub last_activity: Option<Timestamp>,
}

/// The sessions of a project that are live, or may be.
#[derive(Debug, Clone, Default)]
pub struct Live {
    /// The sessions, the most recently active first.
    pub sessions: Vec<Candidate>,
    /// Which records could not be read, and what became of their sessions, in words for people.
    pub warnings: Vec<String>,
}

/// What a rung saw, for `--explain`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    /// Which rung.
    pub rung: Rung,
    /// What it saw, and why it answered or was passed over.
    pub saw: String,
}

/// The answer, and how it was found.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The session; none where it is unknown or ambiguous.
    pub id: Option<SessionId>,
    /// The rung that answered.
    pub rung: Rung,
    /// How far to trust it.
    pub trust: Trust,
    /// The project that was asked about, where there is one.
    pub project: Option<Project>,
    /// The live sessions of the project, the most recently active first, where there are several.
    pub candidates: Vec<Candidate>,
    /// What each rung saw, from the top.
    pub steps: Vec<Step>,
    /// Which records could not be read on the way, in words for people.
    pub warnings: Vec<String>,
}

/// What is asked about.
#[derive(Debug, Clone, Default)]
pub enum About {
    /// This process, and the project of the directory it is in.
    #[default]
    Here,
    /// Another process, and the project of the directory it is in.
    Process(u32),
    /// This project.
    Project(Project),
    /// The pointer of projects with this bare name.
    Name(ProjectName),
}

/// What the caller already knows.
#[derive(Debug, Clone, Default)]
pub struct Question {
    /// The id that somebody gave.
    pub explicit: Option<SessionId>,
    /// The id on a hook's stdin.
    pub payload: Option<SessionId>,
    /// What is asked about.
    pub about: About,
}

/// Everything the ladder looks at.
#[derive(Debug)]
pub struct Sight<'a> {
    /// The environment.
    pub env: &'a Environment,
    /// Where things are.
    pub places: &'a Places,
    /// The settings.
    pub config: &'a Config,
    /// The state directory, where there is one.
    pub state: Option<&'a State>,
    /// Why there is no state directory, where one is there and cannot be used.
    pub state_fault: Option<&'a crate::store::Error>,
    /// The time now.
    pub now: Timestamp,
}

impl<'a> Sight<'a> {
    /// Who judges sessions by what is seen; nobody without a state directory.
    pub fn judge(&self) -> Option<Judge<'a>> {
        self.state
            .map(|state| Judge::new(state, self.config, self.now))
    }
}

/// Climbs down the ladder until a rung answers.
pub fn resolve(sight: &Sight<'_>, question: &Question) -> Answer {
    Climb::new(sight, question).answer()
}

/// The live sessions of a project.
pub fn live_in_project(sight: &Sight<'_>, project: &Project) -> Live {
    let question = Question {
        about: About::Project(project.clone()),
        ..Question::default()
    };
    Climb::new(sight, &question).live_sessions(project)
}

/// The last session of a project, ended or not: the one with the latest event.
pub fn last_of_project(sight: &Sight<'_>, project: &Project) -> Option<SessionId> {
    let state = sight.state?;
    let ids = state.session_ids().ok()?;
    let of_project = ids.filter_map(|id| {
        let dir = state.session(&id);
        let record = dir.record().ok()??;
        record
            .is_in(project.root())
            .then(|| (dir.last_activity().unwrap_or(record.started_at), id))
    });
    of_project.max().map(|(_, id)| id)
}

/// The project that a hook is run for: that of `CLAUDE_PROJECT_DIR`, which its client sets, else of `fallback`, else of the
/// working directory.
///
/// # Errors
/// [`crate::store::Error::Io`] where only the working directory is left, and it is gone.
pub fn project_of_hook(
    env: &Environment,
    fallback: Option<&Path>,
) -> crate::store::Result<Project> {
    match env.claude_project_dir.as_deref().or(fallback) {
        Some(start) => Ok(project::discover(start)),
        None => Ok(project::discover(&project::current_dir()?)),
    }
}

/// The project that this process is in: that of `CLAUDE_PROJECT_DIR` where the client that set it is above, else of the
/// working directory.
///
/// # Errors
/// As [`project_of_hook`].
pub fn project_here(env: &Environment, state: Option<&State>) -> crate::store::Result<Project> {
    let Some(dir) = env.claude_project_dir.as_deref() else {
        return Ok(project::discover(&project::current_dir()?));
    };
    let viewpoint = Viewpoint::here();
    let above = Above::of(
        std::process::id(),
        env.claude_pid,
        state.zip(viewpoint.as_ref()),
    );
    project_below(env, dir, &above)
}

fn project_below(env: &Environment, dir: &Path, above: &Above) -> crate::store::Result<Project> {
    match above.vouches_for(dir, env) {
        true => Ok(project::discover(dir)),
        false => Ok(project::discover(&project::current_dir()?)),
    }
}
