//! The ladder answers the question "which session is this". It asks its rungs in order; the first
//! one that has an answer wins, and the answer names the rung.
//!
//! The order is from explicit to implicit. If a rung finds several possible sessions, the ladder
//! stops there: no answer is better than a wrong one.

mod climb;

use std::path::Path;

use serde::Serialize;

use self::climb::Climb;
use super::above::Ancestry;
use super::process::Viewpoint;
use crate::model::{Project, ProjectName, SessionId, Timestamp};
use crate::store::{Environment, Host, StateDir, project};

/// The source of an answer. The order is that of the ladder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Rung {
    /// The id was given explicitly, as by `--session`.
    Explicit,
    /// `session_id` on a hook's stdin.
    Payload,
    /// `CLAUDE_CODE_SESSION_ID`, else `CCSESSION_ID`.
    Environment,
    /// The nearest Claude Code process among the ancestors of the process.
    Process,
    /// The only live session of the project.
    Project,
    /// The pointer file.
    Pointer,
    /// No rung answered.
    Unknown,
}

impl Rung {
    /// Returns the rung as one word.
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

/// How reliable an answer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Trust {
    /// The session is certain.
    Exact,
    /// Several sessions are possible.
    Ambiguous,
    /// The session is probable: the pointer names it, or it is the project's only live session
    /// although a variable names another one.
    LastKnown,
    /// Nothing is known.
    None,
}

impl Trust {
    /// Returns the trust as one word, as in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Ambiguous => "ambiguous",
            Self::LastKnown => "last_known",
            Self::None => "none",
        }
    }

    /// Returns the trust in human-readable words.
    pub fn for_people(self) -> &'static str {
        match self {
            Self::Exact | Self::Ambiguous => self.as_str(),
            Self::LastKnown => "last known",
            Self::None => "nothing is known",
        }
    }
}

/// A session that may be the answer to an ambiguous question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Candidate {
    /// The session.
    pub session_id: SessionId,
    /// The time of its last event.
    pub last_activity: Option<Timestamp>,
}

/// The sessions of a project that are live or may be live.
#[derive(Debug, Clone, Default)]
pub struct LiveSessions {
    /// The sessions, most recently active first.
    pub sessions: Vec<Candidate>,
    /// Human-readable warnings: which records could not be read, and how their sessions were
    /// treated.
    pub warnings: Vec<String>,
}

/// What a rung found, for `--explain`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RungReport {
    /// The rung.
    pub rung: Rung,
    /// What the rung found, and why it answered or was passed over.
    pub saw: String,
}

/// An answer, and how it was found.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The session; `None` if it is unknown or ambiguous.
    pub id: Option<SessionId>,
    /// The rung that answered.
    pub rung: Rung,
    /// How reliable the answer is.
    pub trust: Trust,
    /// The project that was asked about, if there is one.
    pub project: Option<Project>,
    /// The live sessions of the project, most recently active first, if there are several.
    pub candidates: Vec<Candidate>,
    /// What each rung found, in the order in which they were asked.
    pub steps: Vec<RungReport>,
    /// Human-readable warnings about records that could not be read.
    pub warnings: Vec<String>,
}

/// What a question is about.
#[derive(Debug, Clone, Default)]
pub enum About {
    /// This process, and the project of its working directory.
    #[default]
    Here,
    /// Another process, and the project of its working directory.
    Process(u32),
    /// This project.
    Project(Project),
    /// The pointer for projects with this name.
    Name(ProjectName),
}

/// A question, with what the caller already knows.
#[derive(Debug, Clone, Default)]
pub struct Question {
    /// The id given explicitly, as by `--session`.
    pub explicit: Option<SessionId>,
    /// The id on a hook's stdin.
    pub payload: Option<SessionId>,
    /// What the question is about.
    pub about: About,
}

/// Asks the rungs in order until one answers.
pub fn resolve(host: &Host<'_>, question: &Question) -> Answer {
    Climb::new(host, question).answer()
}

/// Returns the live sessions of a project.
pub fn live_in_project(host: &Host<'_>, project: &Project) -> LiveSessions {
    let question = Question {
        about: About::Project(project.clone()),
        ..Question::default()
    };
    Climb::new(host, &question).live_sessions(project)
}

/// Returns the session of `project` that was active last, whether it has ended or not.
pub fn last_of_project(host: &Host<'_>, project: &Project) -> Option<SessionId> {
    let state = host.state?;
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

/// Returns the project that a hook runs for: the one of `CLAUDE_PROJECT_DIR`, which Claude Code
/// sets for hooks, else of `fallback`, else of the working directory.
///
/// # Errors
/// Returns [`crate::store::Error::Io`] if the working directory is needed and was removed.
pub fn project_of_hook(
    env: &Environment,
    fallback: Option<&Path>,
) -> crate::store::Result<Project> {
    match env.claude_project_dir.as_deref().or(fallback) {
        Some(start) => Ok(project::discover(start)),
        None => Ok(project::discover(&project::current_dir()?)),
    }
}

/// Returns this process's project: the one of `CLAUDE_PROJECT_DIR` if the Claude Code process that
/// set it is an ancestor, else of the working directory.
///
/// # Errors
/// Returns [`crate::store::Error::Io`] if the working directory is needed and was removed.
pub fn project_here(env: &Environment, state: Option<&StateDir>) -> crate::store::Result<Project> {
    let Some(dir) = env.claude_project_dir.as_deref() else {
        return Ok(project::discover(&project::current_dir()?));
    };
    let viewpoint = Viewpoint::here();
    let above = Ancestry::of(
        std::process::id(),
        env.claude_pid,
        state.zip(viewpoint.as_ref()),
    );
    project_below(env, dir, &above)
}

fn project_below(env: &Environment, dir: &Path, above: &Ancestry) -> crate::store::Result<Project> {
    match above.vouches_for(dir, env) {
        true => Ok(project::discover(dir)),
        false => Ok(project::discover(&project::current_dir()?)),
    }
}
