//! What a session used of the models: tokens, counted from the client's own transcript.

use serde::{Deserialize, Serialize};

/// What a session used, by agent and model.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Usage {
    /// One entry for each agent and model, the main thread's first.
    pub by: Vec<ModelUsage>,
    /// What it cost, in US dollars, where the client itself says so. It is never computed from prices.
    pub cost_usd: Option<f64>,
}

/// What one agent of a session used of one model.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelUsage {
    /// The model, as the API names it.
    pub model: String,
    /// The subagent; none for the main thread.
    pub agent_id: Option<String>,
    /// How many messages the model wrote.
    pub messages: u64,
    /// Tokens that were read anew.
    pub input: u64,
    /// Tokens that were written, thinking included.
    pub output: u64,
    /// Tokens that were read from the cache.
    pub cache_read: u64,
    /// Tokens that were put into the cache.
    pub cache_creation: u64,
}

impl Usage {
    /// Adds to the entry of the same agent and model; a new one is made where it belongs in the order.
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

    /// The sum over all agents and models; its `model` is empty.
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
    /// Adds the numbers of `more`. They come from a file that others write: none is too great.
    fn add(&mut self, more: &Self) {
        let sum = |known: &mut u64, more: u64| *known = known.saturating_add(more);
        sum(&mut self.messages, more.messages);
        sum(&mut self.input, more.input);
        sum(&mut self.output, more.output);
        sum(&mut self.cache_read, more.cache_read);
        sum(&mut self.cache_creation, more.cache_creation);
    }
}
