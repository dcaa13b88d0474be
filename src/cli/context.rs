//! What every verb needs: the environment, the places, the time and, on request, settings and
//! state.

use std::path::{Path, PathBuf};

use anyhow::Result;

use super::output;
use super::status::{Status, refusal};
use crate::identity::liveness::Judge;
use crate::model::{Config, JournalLine, Project, SessionId, Timestamp, TraceBuilder, when};
use crate::store::config::{Complaint, LoadedConfig, load};
use crate::store::file::{self, Meta};
use crate::store::journal::Damage;
use crate::store::{
    Decompressor, Environment, Error, History, Host, MachineHash, Places, SessionDir, StateDir,
    clock, project, shown,
};

/// The surroundings of a command.
#[derive(Debug)]
pub(super) struct Context {
    pub(super) env: Environment,
    pub(super) places: Places,
    /// The state directory of this machine, also while collected sessions are read.
    pub(super) own_state: Option<PathBuf>,
    pub(super) now: Timestamp,
}

impl Context {
    pub(super) fn new() -> Self {
        let env = Environment::read();
        let places = Places::new(&env);
        Self {
            env,
            own_state: places.state.clone(),
            places,
            now: clock::now(),
        }
    }

    /// Returns the settings. An invalid one is an error: the CLI never continues with another value
    /// than requested.
    pub(super) fn config(&self) -> Result<Config> {
        Ok(self.loaded()?.config)
    }

    /// Returns the settings as [`Self::config`] does, with the source of each.
    pub(super) fn loaded(&self) -> Result<LoadedConfig> {
        let loaded = load(&self.places);
        for complaint in &loaded.complaints {
            if !matches!(complaint, Complaint::UnknownKey { .. }) {
                return Err(refusal(Status::Failed, complaint.to_string()));
            }
        }
        Ok(loaded)
    }

    /// Returns the metadata of the configuration file, which changes whenever the file does.
    /// Returns `None` if there is no file.
    pub(super) fn settings_meta(&self) -> Option<Meta> {
        let path = file::canonical(self.places.config.as_deref()?).ok()?;
        Some(file::look(&path).ok()??.meta)
    }

    /// Returns the state directory, or `None` if nothing was recorded yet. It is an error if that
    /// cannot be determined.
    pub(super) fn state(&self) -> Result<Option<StateDir>, Error> {
        StateDir::open(&self.places, Decompressor::BUILT_IN)
    }

    /// Returns what replaces the names and ids of machines by hashes in an output, if `is_wanted`.
    pub(super) fn machine_hash(&self, is_wanted: bool) -> Result<Option<MachineHash>> {
        if !is_wanted {
            return Ok(None);
        }
        let places = Places {
            state: self.own_state.clone(),
            ..self.places.clone()
        };
        let state = StateDir::create(&places, Decompressor::BUILT_IN)?;
        Ok(Some(MachineHash::of(state.root())?))
    }

    /// Returns the state directory if it can be trusted, or else what is wrong with it. For
    /// questions that have an answer without it.
    pub(super) fn state_or_fault(&self) -> (Option<StateDir>, Option<Error>) {
        match self.state() {
            Ok(state) => (state, None),
            Err(err) => (None, Some(err)),
        }
    }

    /// Returns the host with these settings and this state directory.
    pub(super) fn host<'a>(&'a self, config: &'a Config, state: Option<&'a StateDir>) -> Host<'a> {
        Host {
            env: &self.env,
            places: &self.places,
            config,
            state,
            state_fault: None,
            now: self.now,
        }
    }

    pub(super) fn judge<'a>(&self, config: &Config, state: &'a StateDir) -> Judge<'a> {
        let judge = Judge::new(state, config, self.now);
        match self.places.state == self.own_state {
            true => judge,
            false => judge.of_collected(),
        }
    }
}

/// Returns the project at a path that the user named. If the path no longer exists, recorded
/// sessions identify the project.
pub(super) fn project_asked(state: Option<&StateDir>, path: &Path) -> Result<Project> {
    let why = match project::existing(path) {
        Ok(project) => return Ok(project),
        Err(why) => why,
    };
    let project = project::existing_or_gone(path)?;
    if let Some(state) = state {
        let mut ids = state.session_ids()?;
        if ids.any(|id| state.session(&id).is_in(project.root())) {
            return Ok(project);
        }
    }
    Err(why.into())
}

/// Reads the session's history for a view of single calls. Warns of each file that is missing or
/// unreadable.
pub(super) fn history(
    dir: &SessionDir,
    mut reader: impl FnMut(&JournalLine<'_>),
) -> Result<History> {
    let trace = TraceBuilder::with_labels();
    let history = History::read(dir, trace, |_, line| reader(line))?;
    let unreadable = unreadable(dir, history.damage);
    for text in missing(&history).chain(unreadable) {
        output::complain(&text);
    }
    Ok(history)
}

/// Returns a warning for each missing file of a journal. What was recorded in it is not shown.
pub(super) fn missing(history: &History) -> impl Iterator<Item = String> + '_ {
    history.missing.iter().map(|path| {
        let path = shown(path);
        format!("could not find `{path}`: a journal file is missing; the rest was read")
    })
}

/// Returns a warning for each file of a session's events that could not be read to its end.
pub(super) fn unreadable(dir: &SessionDir, damage: Damage) -> Vec<String> {
    let mut why = Vec::new();
    if damage.unreadable > 0 {
        why = dir.journal().unreadable().unwrap_or_else(|err| vec![err]);
    }
    why.extend(damage.or_retry(dir.path()).err());
    let said = |err| format!("{err}; the rest of that file was skipped, everything else was read");
    why.into_iter().map(said).collect()
}

/// Returns a warning that a session without a record was skipped; `None` if it has no events
/// either.
pub(super) fn unrecorded(dir: &SessionDir, id: &SessionId) -> Option<String> {
    dir.last_activity()?;
    Some(format!(
        "could not find the record of session `{id}`; skipped"
    ))
}

/// Returns the error for a session whose folder exists without a record.
pub(super) fn no_record(id: &SessionId) -> anyhow::Error {
    let text = format!("could not find session `{id}`: it has no record");
    refusal(Status::NotFound, text)
}

/// Parses a point in time as a person names it: see [`when::FORMS`].
pub(super) fn since(text: &str, now: Timestamp) -> Result<Timestamp> {
    clock::moment(text, now).ok_or_else(|| {
        let text = crate::model::text::escaped(text);
        let expected = format!("invalid --since `{text}`: expected {}", when::FORMS);
        refusal(Status::Usage, expected)
    })
}
