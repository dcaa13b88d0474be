//! How long each hook took, from the durations that Claude Code writes into transcripts.

use std::collections::BTreeMap;
use std::ops::AddAssign;

use serde::Serialize;

use super::percentile::nearest_rank;

/// The durations of each hook's runs. Several worker threads collect separately; their durations
/// are then merged.
#[derive(Debug, Default)]
pub struct HookTallies {
    by: BTreeMap<(String, String), Vec<u64>>,
}

/// Statistics of one hook's durations, in milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "docs/json.md describes the fields")]
pub struct HookStats {
    pub event: String,
    pub command: String,
    pub runs: u64,
    pub p50_ms: Option<u64>,
    pub p95_ms: Option<u64>,
    pub max_ms: Option<u64>,
    pub total_ms: u64,
}

impl HookTallies {
    /// Adds the duration of one run of the hook that is configured with this event and command.
    pub fn add(&mut self, event: String, command: String, duration_ms: u64) {
        self.by
            .entry((event, command))
            .or_default()
            .push(duration_ms);
    }

    /// Returns the statistics of all hooks, the hook with the longest total duration first.
    pub fn summary(self) -> Vec<HookStats> {
        let stats = |((event, command), mut durations): ((String, String), Vec<u64>)| HookStats {
            event,
            command,
            runs: durations.len() as u64,
            max_ms: durations.iter().copied().max(),
            total_ms: durations.iter().copied().fold(0, u64::saturating_add),
            p95_ms: nearest_rank(&mut durations, 95),
            p50_ms: nearest_rank(&mut durations, 50),
        };
        let mut all: Vec<HookStats> = self.by.into_iter().map(stats).collect();
        all.sort_by_key(|hook| std::cmp::Reverse(hook.total_ms));
        all
    }
}

impl AddAssign for HookTallies {
    fn add_assign(&mut self, other: Self) {
        for (key, mut more) in other.by {
            self.by.entry(key).or_default().append(&mut more);
        }
    }
}
