//! The feed of the board: the live sessions, observed as in `top`.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use serde::Serialize;

use super::feed::{Feed, Look, Source, Whole, event_of};
use super::handler::Failure;
use super::rows::BoardRow;
use super::threads::NoResult;
use crate::cli::board::{BoardSessions, Observer};
use crate::cli::context::Context;
use crate::cli::hints;
use crate::model::{SessionId, Timestamp};
use crate::store::file::Meta;
use crate::store::{StateDir, clock};

/// The shortest time between two looks.
const BETWEEN_LOOKS: Duration = Duration::from_millis(200);
/// Looks take at most about 1/20 of the time: each pause is this many times as long as the last
/// look.
const SHARE: u32 = 20;
/// How long calls and tokens are counted before the next look.
const COUNTING: Duration = Duration::from_millis(50);
/// How long a hint for an empty board is kept before it is computed again.
const BETWEEN_HINTS: Duration = Duration::from_secs(10);

/// What `/api/board` and the first event of the board's stream contain.
#[derive(Debug, Serialize)]
struct Board<'a> {
    v: u32,
    now: Timestamp,
    /// True if the last look succeeded.
    live: bool,
    /// Why the last look failed.
    fault: Option<&'a str>,
    /// If no session is live: why, and what to do.
    hint: Option<&'a str>,
    sessions: Vec<&'a BoardRow>,
}

/// What the later events of the stream contain.
#[derive(Debug, Serialize)]
struct ChangedRows<'a> {
    now: Timestamp,
    live: bool,
    fault: Option<&'a str>,
    hint: Option<&'a str>,
    changed: Vec<&'a BoardRow>,
    gone: Vec<SessionId>,
}

/// Starts the feed.
///
/// # Errors
/// Fails with [`NoResult::NoThread`] if the system starts no more threads.
pub(super) fn start() -> Result<Feed, NoResult> {
    Feed::start("board", None, |attendance| {
        let context = Context::new();
        let state = OnceCell::new();
        attendance.attend(&mut BoardSource::new(&context, &state));
    })
}

/// Looks at the live sessions, for the feed.
struct BoardSource<'a> {
    context: &'a Context,
    /// The state directory; empty until it exists.
    state: &'a OnceCell<StateDir>,
    observer: Option<Observer<'a>>,
    /// The configuration file's metadata from before the observer was created. A change means that
    /// the observer must be created again.
    settings: Option<Meta>,
    sessions: BoardSessions,
    rows: BTreeMap<SessionId, BoardRow>,
    fault: Option<String>,
    /// What to do if no session is live, and when this was computed.
    hint: Option<(String, Instant)>,
    pause: Duration,
}

impl<'a> BoardSource<'a> {
    fn new(context: &'a Context, state: &'a OnceCell<StateDir>) -> Self {
        Self {
            context,
            state,
            observer: None,
            settings: None,
            sessions: BoardSessions::default(),
            rows: BTreeMap::new(),
            fault: None,
            hint: None,
            pause: BETWEEN_LOOKS,
        }
    }

    /// Looks at the sessions. Returns true if some calls or tokens are still uncounted.
    fn observe(&mut self) -> anyhow::Result<bool> {
        let started = Instant::now();
        self.begin()?;
        let Some(observer) = &mut self.observer else {
            return Ok(false);
        };
        let sessions = &mut self.sessions;
        observer.look(sessions)?;
        observer.count_due_tokens(sessions);
        while started.elapsed() < COUNTING {
            if !observer.count_next(sessions) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Creates the observer once there is a state directory, and again if the settings have
    /// changed.
    fn begin(&mut self) -> anyhow::Result<()> {
        let settings = self.context.settings_meta();
        if settings != self.settings {
            self.observer = None;
            self.settings = settings;
        }
        if self.observer.is_none()
            && let Some(state) = self.context.state()?
        {
            let config = self.context.config()?;
            let state = self.state.get_or_init(|| state);
            let judge = self.context.judge(&config, state).telling_idle();
            self.observer = Some(Observer::new(&self.context.env, judge, config.capture));
        }
        Ok(())
    }

    /// Updates the rows. Returns the sessions with a changed row, and those that are no longer
    /// live.
    fn take_changes(&mut self) -> (BTreeSet<SessionId>, Vec<SessionId>) {
        let (mut changed, mut gone) = (BTreeSet::new(), Vec::new());
        for id in self.sessions.take_changed() {
            match self.sessions.get(&id).map(BoardRow::of_live) {
                Some(row) => {
                    if self.rows.get(&id) != Some(&row) {
                        self.rows.insert(id.clone(), row);
                        changed.insert(id);
                    }
                }
                None => gone.extend(self.rows.remove(&id).map(|_| id)),
            }
        }
        (changed, gone)
    }

    /// Computes the hint for an empty board, if there is none or it is old.
    fn renew_hint(&mut self) {
        let is_new = |(_, at): &(String, Instant)| at.elapsed() < BETWEEN_HINTS;
        if !self.rows.is_empty() {
            self.hint = None;
        } else if !self.hint.as_ref().is_some_and(is_new) {
            let all =
                |sessions: &str| Some(format!("`All sessions` shows the {sessions} on record"));
            let hint = hints::filled("no session is live", self.context, self.state.get(), all);
            self.hint = Some((hint, Instant::now()));
        }
    }

    fn hint(&self) -> Option<&str> {
        self.hint.as_ref().map(|(hint, _)| hint.as_str())
    }
}

impl Source for BoardSource<'_> {
    fn look(&mut self) -> Look {
        let started = Instant::now();
        let observed = self.observe();
        let has_more = *observed.as_ref().unwrap_or(&false);
        let fault = observed.err().map(|err| err.to_string());
        let (changed, gone) = self.take_changes();
        let hint_before = self.hint().map(str::to_owned);
        self.renew_hint();
        let is_same = changed.is_empty()
            && gone.is_empty()
            && fault == self.fault
            && hint_before.as_deref() == self.hint();
        self.fault = fault;
        self.pause = match has_more {
            true => Duration::ZERO,
            false => BETWEEN_LOOKS.max(started.elapsed() * SHARE),
        };
        if is_same {
            return Look::Same;
        }
        let rows = ChangedRows {
            now: clock::now(),
            live: self.fault.is_none(),
            fault: self.fault.as_deref(),
            hint: self.hint(),
            changed: changed.iter().filter_map(|id| self.rows.get(id)).collect(),
            gone,
        };
        Look::Changed(event_of("rows", &rows))
    }

    fn whole(&mut self) -> Result<Whole, Failure> {
        let board = Board {
            v: 1,
            now: clock::now(),
            live: self.fault.is_none(),
            fault: self.fault.as_deref(),
            hint: self.hint(),
            sessions: self.rows.values().collect(),
        };
        Ok(Whole::new("board", &board))
    }

    fn pause(&self) -> Duration {
        self.pause
    }
}
