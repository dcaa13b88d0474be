//! Decides which projects a verb is about, by one rule for all verbs that read several sessions.
//!
//! A verb about the present is about every project, so that it hides no session that waits for a
//! person. A verb about the past is about the project of the current directory. If that project has
//! no session on record, such a verb is about every project. `--project` chooses other projects,
//! and `--all` every project.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Result;
use clap::Args;

use super::choose::find_session;
use super::collected::FromArgs;
use super::context::{Context, no_record, unknown_project};
use super::gather::SessionSelection;
use super::output;
use crate::identity::ladder::project_here;
use crate::model::record::ProjectRef;
use crate::model::{Project, SessionId};
use crate::store::processors::on_all_processors;
use crate::store::{Environment, Error, StateDir, file, index, project, shown};

/// The options with which a user chooses projects, the same for every verb.
#[derive(Debug, Default, Args)]
pub(super) struct ScopeArgs {
    /// Only the project of this directory, or projects with this name
    #[arg(long, short, value_name = "PATH")]
    pub(super) project: Option<PathBuf>,
    /// Every project: leave nothing out
    #[arg(long, short, conflicts_with = "project")]
    pub(super) all: bool,
}

impl ScopeArgs {
    /// Returns whether the user chose projects.
    pub(super) fn is_given(&self) -> bool {
        self.project.is_some() || self.all
    }
}

/// Whether a verb is about the present or the past. That decides which projects it is about if the
/// user chooses none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Timeframe {
    /// The present: every project.
    Now,
    /// The past: the current directory's project if it has sessions on record, else every project.
    Past,
}

impl Timeframe {
    /// Returns the timeframe of a verb about the past that can read collected sessions. Collected
    /// sessions belong to no project on this machine, so with `--from` every project is meant.
    pub(super) fn past_of(from: &FromArgs) -> Self {
        match from.is_given() {
            true => Self::Now,
            false => Self::Past,
        }
    }
}

/// The projects that a verb is about.
#[derive(Debug)]
pub(super) enum Scope {
    /// The current directory's project, because the user chose none.
    Here(Project),
    /// The projects that the user named.
    Named(NamedProjects),
    /// Every project.
    Every {
        /// The current directory's project, if it has no session on record and therefore every
        /// project is meant.
        instead_of: Option<Project>,
    },
}

/// The projects that `--project` chose, by a path or a name.
#[derive(Debug)]
pub(super) struct NamedProjects {
    /// The root directories of the projects. The first one is where the path leads.
    roots: Vec<PathBuf>,
    /// The path that the user gave, if nothing exists there. It may be the name of a project.
    name: Option<PathBuf>,
    /// The path and the reason why it leads nowhere. `None` if the path exists, or if it is the
    /// project root or project name of a session on record.
    unknown: Option<(PathBuf, Error)>,
}

impl Scope {
    /// Returns the projects that these options mean, for a verb that reads only sessions on record.
    ///
    /// # Errors
    /// Fails if the named project neither exists nor has a session on record.
    pub(super) fn of(
        context: &Context,
        state: Option<&StateDir>,
        args: &ScopeArgs,
        time: Timeframe,
    ) -> Result<Self> {
        let scope = Self::of_texts(context, state, args, time)?;
        scope.known()
    }

    /// Acts as [`Self::of`], but accepts a project that is not known, for a verb that also reads
    /// archives or transcripts. If that verb finds nothing, it must call [`Self::known`].
    pub(super) fn of_texts(
        context: &Context,
        state: Option<&StateDir>,
        args: &ScopeArgs,
        time: Timeframe,
    ) -> Result<Self> {
        if let Some(path) = &args.project {
            return Ok(Self::Named(NamedProjects::find(state, path)?));
        }
        let every = Self::Every { instead_of: None };
        let (Some(state), false, Timeframe::Past) = (state, args.all, time) else {
            return Ok(every);
        };
        // A current directory that was removed belongs to no project.
        let Ok(here) = project_here(&context.env, Some(state)) else {
            return Ok(every);
        };
        Ok(match has_sessions(state, &here)? {
            true => Self::Here(here),
            false => Self::Every {
                instead_of: Some(here),
            },
        })
    }

    /// Returns this scope, if its projects are known.
    ///
    /// # Errors
    /// Fails if the named project neither exists nor has a session on record.
    pub(super) fn known(self) -> Result<Self> {
        match self {
            Self::Named(NamedProjects {
                unknown: Some((path, why)),
                ..
            }) => Err(unknown_project(&path, why)),
            scope => Ok(scope),
        }
    }

    /// Returns the roots of the projects, or `None` for every project.
    pub(super) fn roots(&self) -> Option<Vec<PathBuf>> {
        match self {
            Self::Here(project) => Some(vec![project.root().to_owned()]),
            Self::Named(named) => Some(named.roots.clone()),
            Self::Every { .. } => None,
        }
    }

    /// Returns whether `project` is one of the projects of this scope.
    pub(super) fn has(&self, project: &ProjectRef) -> bool {
        let is_named = || match self {
            Self::Named(NamedProjects {
                name: Some(name), ..
            }) => name == Path::new(&project.name),
            _ => false,
        };
        self.roots()
            .is_none_or(|roots| roots.contains(&project.root()) || is_named())
    }

    /// Returns the sessions of these projects.
    pub(super) fn selection(&self) -> SessionSelection {
        match self.roots() {
            Some(roots) => SessionSelection::Projects(roots),
            None => SessionSelection::All,
        }
    }

    /// Returns the project, or the first of several. `None` means every project.
    pub(super) fn project(&self) -> Option<Project> {
        self.roots()?.into_iter().next().map(Project::at)
    }

    /// Returns whether there may be sessions that only `--all` would add.
    pub(super) fn is_narrow(&self) -> bool {
        !matches!(self, Self::Every { .. })
    }

    /// Returns whether the current directory's project is meant, because the user chose none.
    pub(super) fn is_here(&self) -> bool {
        matches!(self, Self::Here(_))
    }

    /// If the user chose no project, says on a terminal which projects the answer is about.
    pub(super) fn say(&self, env: &Environment) {
        if let Some(text) = self.note(env)
            && output::are_warnings_for_people()
        {
            output::warn(&text);
        }
    }

    fn note(&self, env: &Environment) -> Option<String> {
        match self {
            Self::Here(project) => Some(format!(
                "these are the sessions of {}; use --all for those of every project",
                below_home(env, project.root())
            )),
            Self::Every {
                instead_of: Some(project),
            } => Some(format!(
                "no session of {} is on record; these are the sessions of every project",
                below_home(env, project.root())
            )),
            Self::Named(_) | Self::Every { instead_of: None } => None,
        }
    }
}

impl NamedProjects {
    fn find(state: Option<&StateDir>, path: &Path) -> Result<Self> {
        let why = match project::existing(path) {
            Ok(project) => {
                return Ok(Self {
                    roots: vec![project.root().to_owned()],
                    name: None,
                    unknown: None,
                });
            }
            Err(why) => why,
        };
        let gone = project::existing_or_gone(path)?;
        let mut roots = vec![gone.root().to_owned()];
        let mut is_known = false;
        for id in state
            .map(StateDir::session_ids)
            .transpose()?
            .into_iter()
            .flatten()
        {
            let Some(Ok(Some(record))) = state.map(|state| state.session(&id).record()) else {
                continue;
            };
            let root = record.project.root();
            let has_name = path == Path::new(&record.project.name);
            is_known |= has_name || root == gone.root();
            if has_name && !roots.contains(&root) {
                roots.push(root);
            }
        }
        Ok(Self {
            roots,
            name: Some(path.to_owned()),
            unknown: (!is_known).then(|| (path.to_owned(), why)),
        })
    }
}

/// Returns the sessions that a command line selects: the one with this id or title, or else those
/// of the returned scope.
pub(super) fn selected(
    context: &Context,
    state: Option<&StateDir>,
    id: Option<&str>,
    args: &ScopeArgs,
    from: &FromArgs,
) -> Result<(SessionSelection, Option<Scope>)> {
    if let Some(given) = id {
        let id = one(context, state, given)?;
        return Ok((SessionSelection::One(id), None));
    }
    let scope = Scope::of(context, state, args, Timeframe::past_of(from))?;
    Ok((scope.selection(), Some(scope)))
}

/// Returns the session that the user named. Fails if its record cannot be read, because no other
/// session was requested.
fn one(context: &Context, state: Option<&StateDir>, given: &str) -> Result<SessionId> {
    let id = find_session(context, state, given)?;
    let record = state.map(|state| state.session(&id).record()).transpose()?;
    record.flatten().ok_or_else(|| no_record(&id))?;
    Ok(id)
}

/// Returns whether a session of the project is on record.
fn has_sessions(state: &StateDir, project: &Project) -> Result<bool> {
    let live = index::sessions_of_project(state, &project.key())?;
    let is_recorded = |id: &SessionId| matches!(state.session(id).record(), Ok(Some(_)));
    if live.iter().any(is_recorded) {
        return Ok(true);
    }
    let ids: Vec<SessionId> = state.session_ids()?.collect();
    let is_found = AtomicBool::new(false);
    on_all_processors(&ids, |id| {
        if !is_found.load(Ordering::Relaxed) && state.session(id).is_in(project.root()) {
            is_found.store(true, Ordering::Relaxed);
        }
    });
    Ok(is_found.into_inner())
}

/// Returns a path for people, with `~` for the home directory.
fn below_home(env: &Environment, path: &Path) -> String {
    let home = env
        .home
        .as_deref()
        .and_then(|home| file::canonical(home).ok());
    match home.and_then(|home| path.strip_prefix(home).ok()) {
        Some(rest) if rest.as_os_str().is_empty() => "~".to_owned(),
        Some(rest) => format!("~/{}", shown(rest)),
        None => shown(path),
    }
}
