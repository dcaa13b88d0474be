//! The entry point for programs that embed this library. It finds the current session, stores and
//! reads a project's session, and cleans up.
//!
//! ```
//! use ccsession::sessions::Sessions;
//!
//! let sessions = Sessions::from_env();
//! let answer = sessions.resolve(&Default::default());
//! match &answer.id {
//!     Some(id) => println!("{id}, by {}", answer.rung.as_str()),
//!     None => println!("unknown"),
//! }
//! ```

use std::path::Path;

#[cfg(feature = "cli")]
use crate::claude::retention::{self, Retention};
#[cfg(feature = "cli")]
use crate::cleanup;
use crate::identity::ladder::{self, Answer, LiveSessions, Question};
use crate::model::{Config, SessionId};
use crate::store::write::Durability;
use crate::store::{
    Decompressor, Environment, Error, Host, Places, Result, StateDir, clock, config, project,
};

/// The sessions of this user on this machine.
///
/// The environment, the directories and the settings are read once. The state directory is looked
/// up for each question, so one that is created later is found.
#[derive(Debug)]
pub struct Sessions {
    env: Environment,
    places: Places,
    config: Config,
}

impl Sessions {
    /// Reads this process's environment and the configuration file. An invalid setting becomes its
    /// default. If the state directory cannot be trusted, answers come from the environment and the
    /// pointer only.
    pub fn from_env() -> Self {
        let env = Environment::read();
        let places = Places::new(&env);
        let loaded = config::load(&places);
        #[cfg(feature = "cli")]
        let loaded = retention::settled(loaded, &Retention::of_client(&env));
        Self {
            env,
            places,
            config: loaded.config,
        }
    }

    /// Uses these directories for the state and the pointers, with default settings. This is for
    /// tests, and for programs that keep their own state. It reads neither this process's
    /// environment nor the transcripts of an installed Claude Code.
    ///
    /// # Errors
    /// Returns [`Error::Untrusted`] if other users can write to the state directory, and
    /// [`Error::Io`] if it cannot be created.
    pub fn at(state: &Path, pointers: &Path) -> Result<Self> {
        let places = Places {
            state: Some(state.to_owned()),
            pointers: pointers.to_owned(),
            config: None,
        };
        StateDir::create(&places, Decompressor::BUILT_IN)?;
        let env = Environment {
            // This folder never exists. Without this setting, the user's own Claude Code folder
            // would be searched.
            claude_config_dir: Some(state.join("no-client")),
            ..Environment::default()
        };
        Ok(Self {
            env,
            places,
            config: Config::default(),
        })
    }

    /// Finds out which session this is: the first rung of the ladder that answers, and how far to
    /// trust it.
    ///
    /// ```
    /// use ccsession::identity::ladder::{Question, Rung, Trust};
    /// # let dir = tempfile::tempdir()?;
    /// # let sessions = ccsession::sessions::Sessions::at(&dir.path().join("state"), dir.path())?;
    /// let asked = Question {
    ///     explicit: Some("5b48472b-1111-4222-8333-444455556666".parse()?),
    ///     ..Question::default()
    /// };
    /// let answer = sessions.resolve(&asked);
    /// // No session with this id is on record there.
    /// assert_eq!((answer.rung, answer.trust), (Rung::Explicit, Trust::None));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn resolve(&self, question: &Question) -> Answer {
        let (state, fault) = self.state();
        ladder::resolve(&self.host(state.as_ref(), fault.as_ref()), question)
    }

    /// Returns the live sessions of the project to which the directory `dir` belongs, the most
    /// recently active first. Also returns which records could not be read.
    ///
    /// # Errors
    /// Returns [`Error::Io`] if `dir` does not exist. Returns another error if the state directory
    /// cannot be used, because the live sessions are unknown then.
    pub fn live(&self, dir: &Path) -> Result<LiveSessions> {
        let project = project::existing(dir)?;
        let state = StateDir::open(&self.places, Decompressor::BUILT_IN)?;
        let host = self.host(state.as_ref(), None);
        Ok(ladder::live_in_project(&host, &project))
    }

    /// Makes `id` the current session of the project that the directory `dir` belongs to. Replaces
    /// the pointer `/tmp/claude_session_{project}` atomically, with mode 0600, and syncs it.
    ///
    /// ```
    /// # let dir = tempfile::tempdir()?;
    /// # let sessions = ccsession::sessions::Sessions::at(&dir.path().join("state"), dir.path())?;
    /// let id = "5b48472b-1111-4222-8333-444455556666".parse()?;
    /// sessions.store_session_id(dir.path(), &id)?;
    /// assert_eq!(sessions.stored_session_id(dir.path())?, Some(id));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Returns [`Error::Untrusted`] if the pointers' directory is not safe or the present pointer is
    /// another user's, and [`Error::Io`] if the new one cannot be written. The old pointer stays
    /// then.
    pub fn store_session_id(&self, dir: &Path, id: &SessionId) -> Result<()> {
        let project = project::existing(dir)?;
        let (state, _) = self.state();
        self.host(state.as_ref(), None)
            .pointers()
            .store(&project.name(), id, Durability::Synced)
    }

    /// Returns the session that the pointer names, if the pointer is fresh: written within the last
    /// 24 hours, or the configured `ttl`. This may only be the last known session.
    /// [`Self::resolve`] uses better evidence if there is any.
    ///
    /// # Errors
    /// Returns [`Error::Io`] if `dir` does not exist.
    pub fn stored_session_id(&self, dir: &Path) -> Result<Option<SessionId>> {
        let project = project::existing(dir)?;
        let (state, _) = self.state();
        let pointers = self.host(state.as_ref(), None).pointers();
        Ok(pointers.read(&project.name()).fresh().cloned())
    }

    /// Does what `ccsession cleanup` does, and returns a report. It may take long.
    ///
    /// Each call removes stale pointers and what dead processes left behind. If the settings ask
    /// for it, it archives sessions that have ended. Once a day it compresses the journals of
    /// sessions that ended long ago. Then it also removes sessions and archives that are older than
    /// the settings allow.
    ///
    /// ```
    /// # let dir = tempfile::tempdir()?;
    /// # let sessions = ccsession::sessions::Sessions::at(&dir.path().join("state"), dir.path())?;
    /// sessions.store_session_id(dir.path(), &"s-1".parse()?)?;
    /// let report = sessions.cleanup_stale_sessions()?;
    /// assert_eq!(report.count(ccsession::cleanup::task::TaskKind::Pointers), 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Fails as [`cleanup::run`] does.
    #[cfg(feature = "cli")]
    pub fn cleanup_stale_sessions(&self) -> Result<cleanup::CleanupReport> {
        let (state, fault) = self.state();
        let host = self.host(state.as_ref(), fault.as_ref());
        let keeps = Retention::of_all(&self.env, None, host.state).days;
        cleanup::run(&host, keeps, cleanup::CleanupMode::Asked)
    }

    /// Returns the state directory as it is now, or why it cannot be used.
    fn state(&self) -> (Option<StateDir>, Option<Error>) {
        match StateDir::open(&self.places, Decompressor::BUILT_IN) {
            Ok(state) => (state, None),
            Err(err) => (None, Some(err)),
        }
    }

    fn host<'s>(&'s self, state: Option<&'s StateDir>, fault: Option<&'s Error>) -> Host<'s> {
        Host {
            env: &self.env,
            places: &self.places,
            config: &self.config,
            state,
            state_fault: fault,
            now: clock::now(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::ladder::Rung;
    use crate::model::{Event, Record};

    #[test]
    fn only_what_was_given_is_looked_at() {
        let dir = tempfile::tempdir().unwrap();
        let sessions = Sessions::at(&dir.path().join("state"), dir.path()).unwrap();
        assert!(sessions.env.claude_session_id.is_none() && sessions.env.home.is_none());
        assert_eq!(sessions.resolve(&Question::default()).id, None);
    }

    #[test]
    fn a_state_that_is_made_later_is_seen() {
        let dir = tempfile::tempdir().unwrap();
        let places = Places {
            state: Some(dir.path().join("state")),
            pointers: dir.path().to_owned(),
            config: None,
        };
        let sessions = Sessions {
            env: Environment::default(),
            places,
            config: Config::default(),
        };
        assert_eq!(sessions.live(dir.path()).unwrap().sessions, []);
        let state = StateDir::create(&sessions.places, Decompressor::BUILT_IN).unwrap();
        let project = project::existing(dir.path()).unwrap();
        let id: SessionId = "s-1".parse().unwrap();
        let now = clock::now();
        let record = Record::new(id.clone(), &project, now);
        let event = Event {
            v: 1,
            ts: Some(now),
            event: "SessionStart".to_owned(),
            ..Event::default()
        };
        state
            .session(&id)
            .create(&record, &event, crate::store::write::Durability::Cached)
            .unwrap();
        crate::store::index::add_to_project(&state, &project.key(), &id).unwrap();
        let live = sessions.live(dir.path()).unwrap().sessions;
        assert_eq!(live.len(), 1);
        let question = Question {
            about: ladder::About::Project(project),
            ..Question::default()
        };
        assert_eq!(sessions.resolve(&question).rung, Rung::Project);
    }

    #[test]
    fn without_a_state_directory_asking_for_live_sessions_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let sessions = Sessions {
            env: Environment::default(),
            places: Places {
                state: None,
                pointers: dir.path().to_owned(),
                config: None,
            },
            config: Config::default(),
        };
        assert!(matches!(sessions.live(dir.path()), Err(Error::NoStateDir)));
    }
}
