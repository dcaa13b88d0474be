//! Converts very many times to local time quickly, because the time zone is looked up only once for
//! each quarter of an hour.

use chrono::{NaiveDate, NaiveDateTime};

use crate::model::Timestamp;

const MINUTE: i64 = 60 * 1_000_000;
const HOUR: i64 = 60 * MINUTE;
/// The interval in microseconds within which the offset from UTC is constant: clocks change only at
/// the full quarters of an hour of UTC.
const QUARTER: i64 = 15 * MINUTE;

/// A local clock that remembers the offset from UTC for the last quarter of an hour.
#[derive(Debug)]
pub struct WallClock<F> {
    to_civil: F,
    /// The last quarter of an hour that was looked up, and how many microseconds the local clock
    /// was ahead of UTC in it.
    known: Option<(i64, i64)>,
}

impl<F: Fn(Timestamp) -> NaiveDateTime> WallClock<F> {
    /// Creates a clock. `to_civil` converts a time to local time by the time zone.
    pub fn new(to_civil: F) -> Self {
        Self {
            to_civil,
            known: None,
        }
    }

    /// Returns the local hour of the day, from 0 to 23.
    pub fn hour(&mut self, time: Timestamp) -> usize {
        let hours = (time.micros() + self.ahead(time)).div_euclid(HOUR);
        usize::try_from(hours.rem_euclid(24)).unwrap_or_default()
    }

    /// Returns the local date.
    pub fn day(&self, time: Timestamp) -> NaiveDate {
        (self.to_civil)(time).date()
    }

    fn ahead(&mut self, time: Timestamp) -> i64 {
        let quarter = time.micros().div_euclid(QUARTER);
        match self.known {
            Some((known, ahead)) if known == quarter => ahead,
            _ => {
                let civil = (self.to_civil)(time).and_utc();
                let ahead = civil.timestamp_micros() - time.micros();
                self.known = Some((quarter, ahead));
                ahead
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::{TimeDelta, Timelike};
    use proptest::prelude::*;

    use super::*;

    /// The moment at which summer time ends, as in the half-hour zone of Lord Howe Island.
    const END_OF_SUMMER: i64 = 1_775_314_800 * 1_000_000;

    fn lord_howe(time: Timestamp) -> NaiveDateTime {
        let minutes = if time.micros() < END_OF_SUMMER {
            660
        } else {
            630
        };
        time.to_utc().naive_utc() + TimeDelta::minutes(minutes)
    }

    #[test]
    fn clocks_that_are_set_are_noticed() {
        let mut clock = WallClock::new(lord_howe);
        let at = |minutes: i64| Timestamp::from_micros(END_OF_SUMMER + minutes * MINUTE);
        assert_eq!(clock.hour(at(-1)), 1);
        assert_eq!(clock.hour(at(0)), 1);
        assert_eq!(clock.hour(at(29)), 1);
        assert_eq!(clock.hour(at(30)), 2);
        assert_eq!(clock.hour(at(-1)), 1);
    }

    proptest! {
        #[test]
        fn hours_are_those_of_the_zone(micros in proptest::collection::vec(END_OF_SUMMER - 9 * HOUR..END_OF_SUMMER + 9 * HOUR, 1..50)) {
            let mut clock = WallClock::new(lord_howe);
            for time in micros.into_iter().map(Timestamp::from_micros) {
                prop_assert_eq!(clock.hour(time), lord_howe(time).hour() as usize);
            }
        }
    }
}
