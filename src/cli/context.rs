//! What every verb needs: the environment, the directories, the time and, on request, settings and
//! state.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::output;
use super::status::{Status, refusal};
use crate::identity::liveness::Judge;
use crate::model::text::escaped;
use crate::model::when::{self, Period};
use crate::model::{Config, JournalLine, Project, SessionId, Timestamp, TraceBuilder};
use crate::store::config::{Complaint, LoadedConfig, load};
use crate::store::file::{self, Meta};
use crate::store::journal::Damage;
use crate::store::{
    Decompressor, Environment, Error, History, Host, MachineHash, Places, SessionDir, StateDir,
    clock, project, shown,
};

/// Everything around a command: the environment, the directories and the time.
#[derive(Debug)]
pub(super) struct Context {
    pub(super) env: Environment,
    pub(super) places: Places,
    /// The state directory of this machine, even while sessions collected from other machines are
    /// read.
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

    /// Returns the settings. An invalid setting is an error, because a command must not continue
    /// with a value that the user did not choose.
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

    /// If `is_wanted`, returns the hash function that replaces the names and ids of machines.
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

    /// Returns the state directory if it can be trusted, or else what is wrong with it. Use this
    /// for questions that can be answered without a state directory.
    pub(super) fn state_or_fault(&self) -> (Option<StateDir>, Option<Error>) {
        match self.state() {
            Ok(state) => (state, None),
            Err(err) => (None, Some(err)),
        }
    }

    /// Returns a [`Host`] with these settings and this state directory.
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

/// Returns the one project that the user named, by a path or a name. If nothing exists at the path,
/// recorded sessions identify the project.
pub(super) fn project_asked(state: Option<&StateDir>, path: &Path) -> Result<Project> {
    let why = match project::existing(path) {
        Ok(project) => return Ok(project),
        Err(why) => why,
    };
    let gone = project::existing_or_gone(path)?;
    let mut named: BTreeSet<PathBuf> = BTreeSet::new();
    if let Some(state) = state {
        for id in state.session_ids()? {
            let session = state.session(&id);
            if session.is_in(gone.root()) {
                return Ok(gone);
            }
            if let Ok(Some(record)) = session.record()
                && path == Path::new(&record.project.name)
            {
                named.insert(record.project.root());
            }
        }
    }
    let several = named.len();
    match (named.pop_first(), several) {
        (None, _) => Err(unknown_project(path, why)),
        (Some(root), 1) => Ok(Project::at(root)),
        (Some(root), several) => {
            let text = format!(
                "could not choose a project: {several} have the name `{}`; give the directory, such as `{}`",
                shown(path),
                shown(&root)
            );
            Err(refusal(Status::Ambiguous, text))
        }
    }
}

/// Returns the error for a path at which nothing exists, and that is neither the directory nor the
/// name of a project on record.
pub(super) fn unknown_project(path: &Path, why: Error) -> anyhow::Error {
    match &why {
        Error::Io { source, .. }
            if matches!(
                source.kind(),
                ErrorKind::NotFound | ErrorKind::NotADirectory
            ) =>
        {
            let text = format!(
                "could not find `{}`: no project with this name or directory is on record",
                shown(path)
            );
            refusal(Status::Failed, text)
        }
        _ => why.into(),
    }
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

/// Returns a warning for each missing file of a journal. The events in such a file are not shown.
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

/// Returns a warning that a session without a record was skipped. Returns `None` if the session has
/// no events either.
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
    moment("--since", text, now)
}

/// Parses `--since` and `--until`. A day, a month or a year means its beginning in both, so that
/// `--since 2026-10 --until 2026-11` is October.
pub(super) fn period(since: Option<&str>, until: Option<&str>, now: Timestamp) -> Result<Period> {
    let parse = |option: &str, text: Option<&str>| {
        let at = text.map(|text| moment(option, text, now));
        at.transpose()
    };
    let period = Period {
        since: parse("--since", since)?,
        until: parse("--until", until)?,
    };
    if let (Some(began), Some(ended)) = (period.since, period.until)
        && began >= ended
    {
        let text = format!(
            "invalid --until `{}`: it is not after --since `{}`; a day, a month or a year ends where the next one begins",
            escaped(until.unwrap_or_default()),
            escaped(since.unwrap_or_default())
        );
        return Err(refusal(Status::Usage, text));
    }
    Ok(period)
}

fn moment(option: &str, text: &str, now: Timestamp) -> Result<Timestamp> {
    clock::moment(text, now).ok_or_else(|| {
        let text = escaped(text);
        let expected = format!("invalid {option} `{text}`: expected {}", when::FORMS);
        refusal(Status::Usage, expected)
    })
}
