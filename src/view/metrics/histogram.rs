//! A histogram of durations. The bounds of its buckets never change, so that counts stay comparable
//! over years and between machines.

use std::ops::AddAssign;
use std::time::Duration;

use serde::Serialize;

/// The upper bounds of the buckets in milliseconds, each inclusive. The lowest is for reading a
/// cached file. The highest two are for the longest command that Claude Code waits for (10
/// minutes), and for a subagent that works for half an hour.
const BOUNDS: [u64; 16] = [
    10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000, 120_000, 300_000,
    600_000, 1_800_000,
];

/// The number of durations in each bucket, and of those above the last bound.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Histogram {
    buckets: [u64; BOUNDS.len()],
    longer: u64,
    sum: Duration,
}

/// The content of a histogram for programs, in seconds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Durations {
    /// The number of durations.
    pub count: u64,
    /// The sum of all durations, in seconds.
    pub sum: f64,
    /// For each bound, in ascending order: the number of durations up to it. The infinite bound is
    /// omitted, because its number is `count`.
    pub buckets: Vec<Bucket>,
}

/// A bound, and the number of durations up to it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Bucket {
    /// The bound, inclusive, in seconds.
    pub le: f64,
    /// The number of durations up to this bound.
    pub count: u64,
}

impl Histogram {
    pub(super) fn add(&mut self, duration: Duration) {
        let place = BOUNDS.partition_point(|bound| Duration::from_millis(*bound) < duration);
        *self.buckets.get_mut(place).unwrap_or(&mut self.longer) += 1;
        self.sum = self.sum.saturating_add(duration);
    }

    pub(super) fn summary(&self) -> Durations {
        let mut count = 0;
        let within = BOUNDS.iter().zip(&self.buckets).map(|(bound, more)| {
            count += more;
            Bucket {
                le: seconds(Duration::from_millis(*bound)),
                count,
            }
        });
        let buckets = within.collect();
        Durations {
            count: count + self.longer,
            sum: seconds(self.sum),
            buckets,
        }
    }
}

impl AddAssign for Histogram {
    fn add_assign(&mut self, other: Self) {
        for (bucket, more) in self.buckets.iter_mut().zip(other.buckets) {
            *bucket += more;
        }
        self.longer += other.longer;
        self.sum = self.sum.saturating_add(other.sum);
    }
}

impl AddAssign<&Durations> for Durations {
    fn add_assign(&mut self, other: &Self) {
        self.count += other.count;
        self.sum += other.sum;
        for (bucket, more) in self.buckets.iter_mut().zip(&other.buckets) {
            bucket.count += more.count;
        }
    }
}

/// Converts a duration to seconds, to the microsecond.
pub(super) fn seconds(duration: Duration) -> f64 {
    duration.as_micros() as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(millis: &[u64]) -> Durations {
        let mut histogram = Histogram::default();
        for millis in millis {
            histogram.add(Duration::from_millis(*millis));
        }
        histogram.summary()
    }

    #[test]
    fn a_value_at_a_bound_counts_within_it() {
        let durations = of(&[0, 10, 11, 1_000, 1_001, 1_800_000, 1_800_001]);
        let within = |le: f64| {
            let bucket = durations.buckets.iter().find(|bucket| bucket.le == le);
            bucket.map(|bucket| bucket.count)
        };
        assert_eq!(within(0.01), Some(2));
        assert_eq!(within(0.025), Some(3));
        assert_eq!(within(1.0), Some(4));
        assert_eq!(within(2.5), Some(5));
        assert_eq!(within(1800.0), Some(6));
        assert_eq!((durations.count, durations.sum), (7, 3_602.023));
    }

    #[test]
    fn a_microsecond_over_a_bound_is_over_it() {
        let mut histogram = Histogram::default();
        histogram.add(Duration::from_micros(10_001));
        assert_eq!(histogram.summary().buckets[0].count, 0);
    }

    #[test]
    fn bounds_grow() {
        assert!(BOUNDS.is_sorted_by(|one, next| one < next));
    }

    proptest! {
        #[test]
        fn each_bucket_holds_what_is_not_longer(millis in proptest::collection::vec(0u64..4_000_000, 0..40)) {
            let durations = of(&millis);
            prop_assert_eq!(durations.count, millis.len() as u64);
            for (bucket, bound) in durations.buckets.iter().zip(BOUNDS) {
                let within = millis.iter().filter(|millis| **millis <= bound).count();
                prop_assert_eq!(bucket.count, within as u64);
            }
        }
    }
}
