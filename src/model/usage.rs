//! The tokens that a session used, counted from Claude Code's own transcript.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use super::time::Timestamp;
use super::when::Period;

/// The tokens and cost of a session, by agent and model.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Usage {
    /// One entry for each agent and model, the main thread's first.
    pub by: Vec<ModelUsage>,
    /// The cost in US dollars, if Claude Code itself reports it. It is never computed from prices.
    pub cost_usd: Option<f64>,
}

/// The tokens of one model that one agent of a session used.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelUsage {
    /// The model's name in the API.
    pub model: String,
    /// The subagent; `None` for the main thread.
    pub agent_id: Option<String>,
    /// The number of messages that the model wrote.
    pub messages: u64,
    /// Input tokens that were not in the cache.
    pub input: u64,
    /// Output tokens, thinking included.
    pub output: u64,
    /// Input tokens that were read from the cache.
    pub cache_read: u64,
    /// Input tokens that were written to the cache.
    pub cache_creation: u64,
}

/// What a session used, by message.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct UsageByMessage {
    /// The messages, the earliest first.
    pub messages: Vec<UsedMessage>,
    /// The session's cost in US dollars, if Claude Code itself reports it.
    pub cost_usd: Option<f64>,
}

impl UsageByMessage {
    /// Returns the sum over the messages that began in the period. A cost that Claude Code reports
    /// only for the whole session is not included.
    pub fn within(&self, period: Period) -> Usage {
        let mut sum = Usage::default();
        let counted = self.messages.iter().filter(|it| period.may_have(it.at));
        for message in counted {
            sum.add(&message.used);
            if let Some(cost) = message.cost_usd {
                *sum.cost_usd.get_or_insert(0.0) += cost;
            }
        }
        sum
    }

    /// Returns what each agent used of each model on each day. Only messages that began in the
    /// period count.
    pub fn by_day(&self, period: Period) -> Vec<UsageOfDay> {
        let mut days: BTreeMap<_, ModelUsage> = BTreeMap::new();
        let is_counted = |it: &&UsedMessage| period.may_have(it.at);
        for UsedMessage { at, used, .. } in self.messages.iter().filter(is_counted) {
            let day = at.map(|at| at.to_utc().date_naive());
            let key = (used.agent_id.as_deref(), used.model.as_str(), day);
            match days.get_mut(&key) {
                Some(sum) => sum.add(used),
                None => {
                    days.insert(key, used.clone());
                }
            }
        }
        let of_day = |((_, _, day), used)| UsageOfDay { day, used };
        days.into_iter().map(of_day).collect()
    }
}

/// The tokens of one model that one agent used on one day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageOfDay {
    /// The day in UTC; `None` if the messages do not say when they began.
    pub day: Option<NaiveDate>,
    /// The tokens.
    pub used: ModelUsage,
}

/// The tokens of one message.
#[derive(Debug, Clone, PartialEq)]
pub struct UsedMessage {
    /// When the message began; `None` if its line in the transcript does not say.
    pub at: Option<Timestamp>,
    /// The tokens of the message.
    pub used: ModelUsage,
    /// The cost of the message in US dollars, if Claude Code reports it.
    pub cost_usd: Option<f64>,
}

impl Usage {
    /// Adds `more` to the entry of the same agent and model. If there is none, inserts one in
    /// order.
    pub fn add(&mut self, more: &ModelUsage) {
        let key = |entry: &ModelUsage| (entry.agent_id.clone(), entry.model.clone());
        let place = self.by.binary_search_by_key(&key(more), key);
        match place {
            Ok(found) => {
                if let Some(entry) = self.by.get_mut(found) {
                    entry.add(more);
                }
            }
            Err(place) => self.by.insert(place, more.clone()),
        }
    }

    /// Returns the sum over all agents and models; its `model` is empty.
    pub fn total(&self) -> ModelUsage {
        let mut sum = Self::default();
        for entry in &self.by {
            sum.add(&ModelUsage {
                model: String::new(),
                agent_id: None,
                ..entry.clone()
            });
        }
        sum.by.pop().unwrap_or_default()
    }
}

impl ModelUsage {
    /// Adds the numbers of `more`. Another program wrote them and they may be huge, so the sums
    /// saturate.
    pub fn add(&mut self, more: &Self) {
        let sum = |known: &mut u64, more: u64| *known = known.saturating_add(more);
        sum(&mut self.messages, more.messages);
        sum(&mut self.input, more.input);
        sum(&mut self.output, more.output);
        sum(&mut self.cache_read, more.cache_read);
        sum(&mut self.cache_creation, more.cache_creation);
    }
}
