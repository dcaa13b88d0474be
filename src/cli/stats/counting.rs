//! Counts each session for `stats`: the sums of its events, and its use of the models.

use chrono::NaiveDateTime;
use serde::Serialize;

use crate::claude::transcript;
use crate::cli::gather::{Count, GatheredSession};
use crate::history::usage;
use crate::model::activity::Agent;
use crate::model::usage::{ModelUsage, UsageByMessage};
use crate::model::when::Period;
use crate::model::{SessionId, Timestamp, Usage};
use crate::store::{Environment, clock};
use crate::view::stats::{Stats, WallClock};

/// The counts of one worker thread of `stats`.
#[derive(Debug)]
pub(super) struct StatsCounter<'a> {
    env: &'a Environment,
    /// True if a single session was requested. Only then is a missing transcript worth a search in
    /// the folders of all projects.
    is_one: bool,
    period: Period,
    clock: WallClock<fn(Timestamp) -> NaiveDateTime>,
    pub(super) stats: Stats,
    pub(super) tokens: Vec<AgentTokens>,
    /// The cost of each session for which Claude Code states one.
    pub(super) costs: Vec<f64>,
}

/// What one agent of a session used of one model.
#[derive(Debug, Serialize)]
pub(super) struct AgentTokens {
    session_id: SessionId,
    /// The subagent's type, or `None` for the main thread.
    pub(super) agent_type: Option<String>,
    #[serde(flatten)]
    pub(super) used: ModelUsage,
}

impl<'a> StatsCounter<'a> {
    /// Creates empty counts for what began in the period.
    pub(super) fn new(env: &'a Environment, is_one: bool, period: Period) -> Self {
        Self {
            env,
            is_one,
            period,
            clock: WallClock::new(clock::to_civil),
            stats: Stats::default(),
            tokens: Vec::new(),
            costs: Vec::new(),
        }
    }

    /// Sorts the tokens and the costs, so that the output does not depend on which thread read
    /// which session.
    pub(super) fn sort(&mut self) {
        self.tokens
            .sort_by(|one, other| one.session_id.cmp(&other.session_id));
        self.costs.sort_by(f64::total_cmp);
    }

    fn add_usage(&mut self, id: &SessionId, used: Usage, agents: &[Agent<'_>]) {
        let agent_type = |used: &ModelUsage| {
            let agent_id = used.agent_id.as_deref()?;
            let agent = agents.iter().find(|agent| agent.agent_id == agent_id)?;
            agent.agent_type.map(str::to_owned)
        };
        self.costs.extend(used.cost_usd);
        self.tokens
            .extend(used.by.into_iter().map(|used| AgentTokens {
                session_id: id.clone(),
                agent_type: agent_type(&used),
                used,
            }));
    }
}

/// Returns the tokens and the cost of a session in the period. If it is the only requested session
/// (`is_one`), looks for its transcript in the folders of all projects.
pub(in crate::cli) fn used(
    env: &Environment,
    is_one: bool,
    period: Period,
    session: &GatheredSession<'_>,
) -> Result<Usage, String> {
    if !period.is_all_time() {
        return Ok(messages(env, is_one, session)?.within(period));
    }
    let (dir, record) = (session.dir, session.record);
    let used = if is_one {
        usage::of_session(env, dir, record)
    } else {
        let named = transcript::believed(env, record, session.moved.into_iter());
        usage::of_transcripts(named.collect(), dir, record)
    };
    let id = session.id;
    used.map_err(|err| format!("{err}; the tokens of session `{id}` were left out"))
}

/// Returns the tokens of each message of a session. If it is the only requested session (`is_one`),
/// looks for its transcript in the folders of all projects.
pub(in crate::cli) fn messages(
    env: &Environment,
    is_one: bool,
    session: &GatheredSession<'_>,
) -> Result<UsageByMessage, String> {
    let (dir, record) = (session.dir, session.record);
    let used = if is_one {
        usage::messages_of_session(env, dir, record)
    } else {
        let named = transcript::believed(env, record, session.moved.into_iter());
        usage::messages_of_transcripts(named.collect(), dir, record)
    };
    let id = session.id;
    used.map_err(|err| format!("{err}; the tokens of session `{id}` were left out"))
}

impl Count for StatsCounter<'_> {
    fn session(&mut self, session: &GatheredSession<'_>) -> Result<(), String> {
        let activity = &session.activity;
        let clock = &mut self.clock;
        if self.stats.add(session.trace, activity, self.period, clock) {
            let used = used(self.env, self.is_one, self.period, session)?;
            self.add_usage(session.id, used, &activity.agents);
        }
        Ok(())
    }

    fn add(&mut self, other: Self) {
        self.stats += other.stats;
        self.tokens.extend(other.tokens);
        self.costs.extend(other.costs);
    }
}
