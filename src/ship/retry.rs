//! Decides whether a delivery is tried again, and after how long.

use std::time::Duration;

use crate::model::Timestamp;

/// How often a delivery is tried, and how long to wait between attempts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// The greatest number of attempts.
    pub attempts: u32,
    /// The longest wait before the second attempt. It doubles before each further attempt.
    pub first: Duration,
    /// The longest wait before any attempt. If a destination asks for a longer one, this run gives
    /// up.
    pub longest: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            attempts: 4,
            first: Duration::from_secs(1),
            longest: Duration::from_secs(30),
        }
    }
}

/// The longest wait that is accepted from an answer. If it asks for more, the destination's clock
/// may be wrong.
const MOST: Duration = Duration::from_secs(24 * 60 * 60);

impl RetryPolicy {
    /// Returns how long to wait after the attempt with this number, counted from one. Returns
    /// `None` after the last attempt. `random` chooses a time in the second half of the wait, so
    /// that many senders do not send at once.
    pub(super) fn wait(
        &self,
        attempt: u32,
        retry_after: Option<Duration>,
        random: u32,
    ) -> Option<Duration> {
        if attempt >= self.attempts {
            return None;
        }
        let doubled = 2_u32.saturating_pow(attempt.saturating_sub(1));
        let step = self.first.saturating_mul(doubled).min(self.longest);
        let spread = step.mul_f64(0.5 + 0.5 * f64::from(random) / f64::from(u32::MAX));
        match retry_after {
            Some(wanted) if wanted > self.longest => None,
            Some(wanted) => Some(wanted.max(spread.min(wanted.saturating_mul(2)))),
            None => Some(spread),
        }
    }
}

/// Reads a `Retry-After` header: seconds, or an HTTP date. Returns at most a day.
pub(super) fn retry_after(value: &str, now: Timestamp) -> Option<Duration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse::<u64>() {
        return Some(Duration::from_secs(seconds).min(MOST));
    }
    let date = chrono::DateTime::parse_from_rfc2822(value).ok()?;
    let after = date.to_utc() - now.to_utc();
    Some(after.to_std().unwrap_or_default().min(MOST))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn each_wait_is_up_to_twice_the_last_and_the_last_attempt_has_none() {
        let policy = RetryPolicy::default();
        let waits = |random| [1, 2, 3, 4].map(|attempt| policy.wait(attempt, None, random));
        assert_eq!(
            waits(u32::MAX),
            [Some(SECOND), Some(SECOND * 2), Some(SECOND * 4), None]
        );
        assert_eq!(
            waits(0),
            [Some(SECOND / 2), Some(SECOND), Some(SECOND * 2), None]
        );
        let patient = RetryPolicy {
            attempts: u32::MAX,
            ..policy
        };
        assert_eq!(patient.wait(4_000_000, None, u32::MAX), Some(SECOND * 30));
    }

    #[test]
    fn a_destination_gets_the_time_that_it_wants_or_the_run_ends() {
        let policy = RetryPolicy::default();
        let wait = |wanted| policy.wait(1, Some(SECOND * wanted), u32::MAX);
        assert_eq!(wait(0), Some(Duration::ZERO));
        assert_eq!(wait(7), Some(SECOND * 7));
        assert_eq!(wait(30), Some(SECOND * 30));
        assert_eq!(wait(31), None);
    }

    #[test]
    fn a_retry_time_is_seconds_or_a_date() {
        let now = Timestamp::from_unix(784_111_777, 0);
        let read = |value| retry_after(value, now);
        assert_eq!(read("120"), Some(SECOND * 120));
        assert_eq!(read(" 0 "), Some(Duration::ZERO));
        assert_eq!(read("99999999999"), Some(MOST));
        assert_eq!(read("Sun, 06 Nov 1994 08:50:07 GMT"), Some(SECOND * 30));
        assert_eq!(read("Sun, 06 Nov 1994 08:49:07 GMT"), Some(Duration::ZERO));
        assert_eq!(read("Sat, 06 Nov 2094 08:49:37 GMT"), Some(MOST));
        for nothing in [
            "",
            "-1",
            "soon",
            "1.5",
            "1994-11-06",
            "99999999999999999999",
        ] {
            assert_eq!(read(nothing), None, "{nothing}");
        }
    }
}
