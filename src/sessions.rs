//! The front door for programs that embed this library: which session is this, store a project's session, read it back,
//! clean up.
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

use crate::identity::ladder::{self, Answer, Candidate, Question, Sight};
#[cfg(feature = "cli")]
use crate::lifecycle::cleanup;
use crate::model::{Config, SessionId};
#[cfg(feature = "cli")]
use crate::setup::retention::{self, Keeping};
use crate::store::pointer::Pointers;
use crate::store::write::Durability;
use crate::store::{Environment, Error, Places, Result, State, clock, config, project};

/// The sessions of this user on this machine: the environment, the places and the settings, read once.
#[derive(Debug)]
pub struct Sessions {
    env: Environment,
    places: Places,
    config: Config,
    state: Option<State>,
    fault: Option<Error>,
}

impl Sessions {
    /// As this process's environment and the configuration file say. A setting that cannot be used is the default, and a
    /// state directory that cannot be trusted is none: then answers come from the environment and the pointer.
    pub fn from_env() -> Self {
        let env = Environment::read();
        let places = Places::new(&env);
        let loaded = config::load(&places);
        #[cfg(feature = "cli")]
        let loaded = retention::settled(loaded, &Keeping::of_client(&env));
        Self::new(env, places, loaded.config)
    }

    /// With the state and the pointers in these directories, and every setting its default: for tests, and for programs
    /// that keep a state of their own.
    ///
    /// # Errors
    /// [`Error::Unsafe`] where the state directory is not this user's alone; [`Error::Io`] where it cannot be created.
    pub fn at(state: &Path, pointers: &Path) -> Result<Self> {
        let places = Places {
            state: Some(state.to_owned()),
            pointers: pointers.to_owned(),
            config: None,
        };
        State::create(&places)?;
        Ok(Self::new(Environment::read(), places, Config::default()))
    }

    fn new(env: Environment, places: Places, config: Config) -> Self {
        let (state, fault) = match State::open(&places) {
            Ok(state) => (state, None),
            Err(Error::NoStateDir) => (None, None),
            Err(err) => (None, Some(err)),
        };
        Self {
            env,
            places,
            config,
            state,
            fault,
        }
    }

    /// Which session is this: the first rung of the ladder that answers, and how far to trust it.
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
    /// assert_eq!((answer.rung, answer.trust), (Rung::Explicit, Trust::Exact));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn resolve(&self, question: &Question) -> Answer {
        ladder::resolve(&self.sight(), question)
    }

    /// The live sessions of the project that the directory `dir` belongs to, the most recently active first.
    ///
    /// # Errors
    /// [`Error::Io`] where `dir` is not there.
    pub fn live(&self, dir: &Path) -> Result<Vec<Candidate>> {
        Ok(ladder::live_in_project(&self.sight(), &project::existing(dir)?).sessions)
    }

    /// Makes `id` the current session of the project that the directory `dir` belongs to, in the pointer
    /// `/tmp/claude_session_{project}`: one atomic replacement, mode 0600, synchronised.
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
    /// [`Error::Unsafe`] where the pointers' directory is not safe or the present file is another user's, [`Error::Io`].
    /// Then the old pointer stands.
    pub fn store_session_id(&self, dir: &Path, id: &SessionId) -> Result<()> {
        let project = project::existing(dir)?;
        self.pointers()
            .store(&project.name(), id, Durability::Synced)
    }

    /// The session that the pointer names, if it is fresh: written within the last 24 hours, or the configured `ttl`.
    /// The last known one; [`Self::resolve`] knows more.
    ///
    /// # Errors
    /// [`Error::Io`] where `dir` is not there.
    pub fn stored_session_id(&self, dir: &Path) -> Result<Option<SessionId>> {
        let project = project::existing(dir)?;
        Ok(self.pointers().read(&project.name()).fresh().cloned())
    }

    /// Removes stale pointers and what processes that died left behind, and says what that was.
    ///
    /// ```
    /// # let dir = tempfile::tempdir()?;
    /// # let sessions = ccsession::sessions::Sessions::at(&dir.path().join("state"), dir.path())?;
    /// sessions.store_session_id(dir.path(), &"s-1".parse()?)?;
    /// let report = sessions.cleanup_stale_sessions()?;
    /// assert_eq!(report.pointers.len(), 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`cleanup::run`].
    #[cfg(feature = "cli")]
    pub fn cleanup_stale_sessions(&self) -> Result<cleanup::Report> {
        let keeps = Keeping::of_all(&self.env, None, self.state.as_ref()).days;
        let now = clock::now();
        let mode = cleanup::Mode::Asked;
        cleanup::run(&self.env, &self.places, &self.config, keeps, now, mode)
    }

    fn pointers(&self) -> Pointers<'_> {
        Pointers {
            dir: &self.places.pointers,
            state: self.state.as_ref(),
            ttl: self.config.ttl,
            now: clock::now(),
        }
    }

    fn sight(&self) -> Sight<'_> {
        Sight {
            env: &self.env,
            places: &self.places,
            config: &self.config,
            state: self.state.as_ref(),
            state_fault: self.fault.as_ref(),
            now: clock::now(),
        }
    }
}
