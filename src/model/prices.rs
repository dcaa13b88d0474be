//! The user's own price table. A cost computed with it is an estimate.

use std::collections::BTreeMap;

use super::usage::ModelUsage;

/// The number of tokens to which a price applies.
const UNIT: f64 = 1_000_000.0;

/// What a model costs, in US dollars for a million tokens.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ModelPrice {
    /// Input tokens that were not in the cache.
    pub input: f64,
    /// Output tokens.
    pub output: f64,
    /// Input tokens that were read from the cache.
    pub cache_read: f64,
    /// Input tokens that were written to the cache.
    pub cache_write: f64,
}

/// Prices by model.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Prices {
    by_model: BTreeMap<String, ModelPrice>,
}

impl ModelPrice {
    /// The names of the four prices.
    pub const NAMES: [&str; 4] = ["input", "output", "cache_read", "cache_write"];
}

impl FromIterator<(String, ModelPrice)> for Prices {
    fn from_iter<I: IntoIterator<Item = (String, ModelPrice)>>(prices: I) -> Self {
        Self {
            by_model: prices.into_iter().collect(),
        }
    }
}

impl Prices {
    /// Returns what these tokens cost, or `None` if their model has no price. If the model's name
    /// begins with several names in the table, the longest one counts.
    pub fn cost(&self, used: &ModelUsage) -> Option<f64> {
        let matching = self.by_model.iter();
        let matching = matching.filter(|(name, _)| used.model.starts_with(name.as_str()));
        let (_, price) = matching.max_by_key(|(name, _)| name.len())?;
        let parts = [
            (used.input, price.input),
            (used.output, price.output),
            (used.cache_read, price.cache_read),
            (used.cache_creation, price.cache_write),
        ];
        let cost = |(tokens, price): (u64, f64)| tokens as f64 / UNIT * price;
        Some(parts.into_iter().map(cost).sum())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_name_counts_and_each_kind_of_token_has_its_price() {
        let price = |input| ModelPrice {
            input,
            output: 10.0,
            cache_read: 0.5,
            cache_write: 2.0,
        };
        let prices: Prices = [
            ("claude".to_owned(), price(1.0)),
            ("claude-opus-5".to_owned(), price(4.0)),
        ]
        .into_iter()
        .collect();
        let used = |model: &str| ModelUsage {
            model: model.to_owned(),
            input: 1_000_000,
            output: 200_000,
            cache_read: 4_000_000,
            cache_creation: 500_000,
            ..ModelUsage::default()
        };
        assert_eq!(
            prices.cost(&used("claude-opus-5-20260101")),
            Some(4.0 + 2.0 + 2.0 + 1.0)
        );
        assert_eq!(
            prices.cost(&used("claude-haiku")),
            Some(1.0 + 2.0 + 2.0 + 1.0)
        );
        assert_eq!(prices.cost(&used("other")), None);
        assert_eq!(Prices::default().cost(&used("claude")), None);
    }
}
