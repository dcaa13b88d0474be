//! Observes the live sessions. If nothing happened in a session, looking at it costs a few system
//! calls. Otherwise, only what was added since the last look is read.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet, VecDeque};
use std::time::{Duration, Instant};

use super::counts::CallCounter;
use super::facts::SessionFacts;
use super::sessions::BoardSessions;
use crate::history::usage;
use crate::identity::attention::{SessionLook, Watch};
use crate::identity::liveness::{Judge, SessionState};
use crate::identity::present::Heads;
use crate::identity::title::title;
use crate::model::config::Capture;
use crate::model::usage::Usage;
use crate::model::{Record, SessionId};
use crate::store::processors::on_all_processors;
use crate::store::{Environment, Result, clock};

/// The shortest time between two counts of a session's tokens.
const BETWEEN_TOKENS: Duration = Duration::from_secs(15);

/// Observes the live sessions.
#[derive(Debug)]
pub(in crate::cli) struct Observer<'a> {
    env: &'a Environment,
    judge: Judge<'a>,
    capture: Capture,
    watch: Watch,
    sessions: HashMap<SessionId, ObservedSession>,
    /// The sessions whose calls are to be counted.
    calls: VecDeque<SessionId>,
    /// The sessions whose tokens were never counted.
    first_tokens: VecDeque<SessionId>,
    /// The sessions whose tokens are to be counted again, and when.
    tokens: HashMap<SessionId, Instant>,
}

#[derive(Debug)]
struct ObservedSession {
    record: Record,
    counter: CallCounter,
    tokens_counted: Option<Instant>,
}

impl ObservedSession {
    fn new(record: Record) -> Self {
        Self {
            record,
            counter: CallCounter::default(),
            tokens_counted: None,
        }
    }
}

impl<'a> Observer<'a> {
    /// Creates an observer. `judge` decides the state of each session. `capture` decides whether
    /// prompts may be read for a title.
    pub(in crate::cli) fn new(env: &'a Environment, judge: Judge<'a>, capture: Capture) -> Self {
        Self {
            env,
            judge,
            capture,
            watch: Watch::of_all(),
            sessions: HashMap::new(),
            calls: VecDeque::new(),
            first_tokens: VecDeque::new(),
            tokens: HashMap::new(),
        }
    }

    /// Looks at the sessions, and returns those that may have changed on the board.
    ///
    /// # Errors
    /// Fails if [`Watch::examine`] does.
    pub(in crate::cli) fn look(&mut self, board: &mut BoardSessions) -> Result<Vec<SessionId>> {
        let looks = self.watch.examine(self.env, &self.judge)?;
        // No session is new or changed. If there are as many live sessions as before, none is gone
        // either.
        if looks.is_empty() && self.watch.live().count() == board.len() {
            return Ok(Vec::new());
        }
        let changed = looks.iter().map(|look| look.record.session_id.clone());
        let changed = changed.collect();
        let live = looks
            .into_iter()
            .filter(|look| look.finding.state.is_live());
        let live: Vec<SessionLook> = live.collect();
        let heads = Heads::default();
        let found = on_all_processors(&live, |look| self.facts(look, &heads));
        let mut facts = Vec::with_capacity(found.len());
        for (record, fact) in found {
            self.note(record);
            facts.push(fact);
        }
        board.observe(facts, clock::now());
        let live: HashSet<SessionId> = self.watch.live().cloned().collect();
        self.sessions.retain(|id, _| live.contains(id));
        self.tokens.retain(|id, _| live.contains(id));
        board.keep(&live);
        Ok(changed)
    }

    /// Returns what the board shows of a session, and the session's present record.
    fn facts(&self, look: &SessionLook, heads: &Heads) -> (Record, SessionFacts) {
        let dir = self.judge.state.session(&look.record.session_id);
        let record = heads.now_at(look.place.clone(), look.record.clone(), true);
        let finding = &look.finding;
        let pids = finding.owners.iter().map(|owner| owner.pid).collect();
        let title = title(self.env, &dir, &record, self.capture);
        let title = title.as_ref().map(|title| title.text.as_str());
        let facts = SessionFacts::new(&record, title, pids, finding.last_activity).with_present(
            finding.state == SessionState::Idle,
            look.present.attention.clone(),
            look.present.open_calls.clone(),
        );
        (record, facts)
    }

    /// Remembers a session's record, and that its calls and tokens must be counted.
    fn note(&mut self, record: Record) {
        let id = record.session_id.clone();
        if !self.calls.contains(&id) {
            self.calls.push_back(id.clone());
        }
        match self.sessions.entry(id.clone()) {
            Entry::Vacant(entry) => {
                entry.insert(ObservedSession::new(record));
                self.first_tokens.push_back(id);
            }
            Entry::Occupied(mut entry) => {
                let known = entry.get_mut();
                known.record = record;
                if let Some(counted) = known.tokens_counted {
                    let due = self.tokens.entry(id);
                    due.or_insert(counted + BETWEEN_TOKENS);
                }
            }
        }
    }

    /// Counts the calls of one session in which something happened. If there is none, counts the
    /// tokens of one session for the first time. Returns false if there was nothing to count.
    pub(in crate::cli) fn count_next(&mut self, board: &mut BoardSessions) -> bool {
        if let Some(id) = self.calls.pop_front() {
            self.count_calls(&id, board);
            return true;
        }
        match self.first_tokens.pop_front() {
            Some(id) => {
                self.count_tokens(&id, board);
                true
            }
            None => false,
        }
    }

    fn count_calls(&mut self, id: &SessionId, board: &mut BoardSessions) {
        if let Some(session) = self.sessions.get_mut(id) {
            let dir = self.judge.state.session(id);
            board.set_counts(id, session.counter.read(&dir));
            // Until the tokens are counted again, the last count is shown.
            if session.tokens_counted.is_none()
                && let Some(count) = usage::known(&dir).as_ref().and_then(tokens)
            {
                board.set_tokens(id, count);
            }
        }
    }

    /// Counts the tokens of one session again, if that is due. Returns whether it did.
    pub(in crate::cli) fn count_due_tokens(&mut self, board: &mut BoardSessions) -> bool {
        let now = Instant::now();
        let due = self.tokens.iter().filter(|(_, at)| **at <= now);
        let Some(id) = due.min_by_key(|(_, at)| **at).map(|(id, _)| id.clone()) else {
            return false;
        };
        self.tokens.remove(&id);
        self.count_tokens(&id, board);
        true
    }

    fn count_tokens(&mut self, id: &SessionId, board: &mut BoardSessions) {
        if let Some(session) = self.sessions.get_mut(id) {
            let dir = self.judge.state.session(id);
            // Without a transcript, the session keeps the last count.
            let usage = usage::of_session(self.env, &dir, &session.record).ok();
            if let Some(count) = usage.as_ref().and_then(tokens) {
                board.set_tokens(id, count);
            }
            session.tokens_counted = Some(Instant::now());
        }
    }
}

/// Returns how many tokens were sent, written to the cache and received in total. Returns `None` if
/// the session has no message yet.
fn tokens(usage: &Usage) -> Option<u64> {
    let total = usage.total();
    let sent = total.input.saturating_add(total.cache_creation);
    (total.messages > 0).then(|| sent.saturating_add(total.output))
}
