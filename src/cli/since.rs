//! A point in time as a person gives it to `--since`.

use anyhow::Result;
use chrono::{NaiveDate, NaiveTime};

use super::status::{Status, refusal};
use crate::model::Timestamp;
use crate::model::config::duration;
use crate::model::text::escaped;
use crate::store::clock;

/// How long ago, or a local date, or a time in RFC 3339.
pub(super) fn since(when: &str, now: Timestamp) -> Result<Timestamp> {
    if let Ok(age) = duration(when) {
        let age = i64::try_from(age.as_micros()).unwrap_or(i64::MAX);
        return Ok(Timestamp::from_micros(now.micros().saturating_sub(age)));
    }
    let midnight = || {
        let date: NaiveDate = when.parse().ok()?;
        Some(clock::from_civil(date.and_time(NaiveTime::MIN), now))
    };
    Timestamp::parse(when)
        .ok()
        .or_else(midnight)
        .ok_or_else(|| {
            let when = escaped(when);
            let text = format!(
                "could not use --since `{when}`: it is no duration such as `30d` and no date"
            );
            refusal(Status::Usage, text)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn since_is_how_long_ago_or_a_date() {
        let now = Timestamp::parse("2026-11-20T12:00:00Z").unwrap();
        let day_before = Timestamp::parse("2026-11-19T12:00:00Z").unwrap();
        assert_eq!(since("1d", now).unwrap(), day_before);
        assert_eq!(since("24h", now).unwrap(), day_before);
        assert_eq!(since("2026-11-19T13:00:00+01:00", now).unwrap(), day_before);
        assert!(since("2026-11-19", now).unwrap() < now);
        assert!(since("yesterday", now).is_err());
    }
}
