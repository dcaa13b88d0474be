//! Points in time: UTC, in microseconds. Civil time (without a zone) is stored only in pointers.

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, NaiveDate, NaiveDateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};

/// A point in time: microseconds since 1970-01-01T00:00:00Z, within years 0 to 9999.
///
/// Written as RFC 3339 with six digits and `Z`: `2026-11-20T14:27:52.467733Z`.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(try_from = "String", into = "String")]
pub struct Timestamp(i64);

const YEAR_0: i64 = -62_167_219_200_000_000;
const YEAR_9999_END: i64 = 253_402_300_799_999_999;

/// The error for a text that is not an RFC 3339 time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidTime;

impl fmt::Display for InvalidTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("it is not an RFC 3339 time")
    }
}

impl std::error::Error for InvalidTime {}

impl Timestamp {
    /// The latest representable time.
    pub const MAX: Self = Self(YEAR_9999_END);

    /// Returns the time `micros` microseconds after the epoch, clamped to years 0 to 9999.
    pub fn from_micros(micros: i64) -> Self {
        Self(micros.clamp(YEAR_0, YEAR_9999_END))
    }

    /// Returns the time `secs` seconds and `nanos` nanoseconds after the epoch.
    pub fn from_unix(secs: i64, nanos: i64) -> Self {
        Self::from_micros(secs.saturating_mul(1_000_000).saturating_add(nanos / 1_000))
    }

    /// Returns the microseconds since the epoch.
    pub fn micros(self) -> i64 {
        self.0
    }

    /// Returns the beginning of the second that this time is in.
    pub fn whole_second(self) -> Self {
        Self(self.0 - self.0.rem_euclid(1_000_000))
    }

    /// Returns how long before `now` this time was, or zero for a time after `now`.
    pub fn age(self, now: Self) -> Duration {
        Duration::from_micros(u64::try_from(now.0 - self.0).unwrap_or(0))
    }

    /// Returns the time that is `time` after this one.
    pub fn after(self, time: Duration) -> Self {
        let micros = i64::try_from(time.as_micros()).unwrap_or(i64::MAX);
        Self::from_micros(self.0.saturating_add(micros))
    }

    /// Returns how far after `now` this time is, or zero for a time before `now`.
    pub fn ahead(self, now: Self) -> Duration {
        now.age(self)
    }

    /// Converts the time to chrono's type, for callers that need time zones.
    pub fn to_utc(self) -> DateTime<Utc> {
        DateTime::from_timestamp_micros(self.0).unwrap_or_default()
    }

    /// Parses RFC 3339 with any offset and number of digits.
    ///
    /// # Errors
    /// Returns [`InvalidTime`] for any other text.
    pub fn parse(text: &str) -> Result<Self, InvalidTime> {
        if let Some(time) = parse_as_written(text.as_bytes()) {
            return Ok(time);
        }
        let time = DateTime::parse_from_rfc3339(text).map_err(|_| InvalidTime)?;
        Ok(Self::from_micros(time.timestamp_micros()))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.to_utc().to_rfc3339_opts(SecondsFormat::Micros, true))
    }
}

impl TryFrom<String> for Timestamp {
    type Error = InvalidTime;

    fn try_from(text: String) -> Result<Self, InvalidTime> {
        Self::parse(&text)
    }
}

impl From<Timestamp> for String {
    fn from(time: Timestamp) -> Self {
        time.to_string()
    }
}

impl From<DateTime<Utc>> for Timestamp {
    fn from(time: DateTime<Utc>) -> Self {
        Self::from_micros(time.timestamp_micros())
    }
}

/// Parses the one form in which ccsession writes times. This is fast, because each line of a
/// journal has a time.
fn parse_as_written(text: &[u8]) -> Option<Timestamp> {
    let &[
        y1,
        y2,
        y3,
        y4,
        b'-',
        m1,
        m2,
        b'-',
        d1,
        d2,
        b'T',
        h1,
        h2,
        b':',
        n1,
        n2,
        b':',
        s1,
        s2,
        b'.',
        f1,
        f2,
        f3,
        f4,
        f5,
        f6,
        b'Z',
    ] = text
    else {
        return None;
    };
    let number = |digits: &[u8]| {
        digits.iter().try_fold(0_u32, |number, digit| {
            digit
                .is_ascii_digit()
                .then(|| number * 10 + u32::from(digit - b'0'))
        })
    };
    let year = i32::try_from(number(&[y1, y2, y3, y4])?).ok()?;
    let day = NaiveDate::from_ymd_opt(year, number(&[m1, m2])?, number(&[d1, d2])?)?;
    let (hour, minute, second) = (number(&[h1, h2])?, number(&[n1, n2])?, number(&[s1, s2])?);
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let minutes = (i64::from(day.to_epoch_days()) * 24 + i64::from(hour)) * 60 + i64::from(minute);
    let seconds = minutes * 60 + i64::from(second);
    let micros = number(&[f1, f2, f3, f4, f5, f6])?;
    Some(Timestamp(seconds * 1_000_000 + i64::from(micros)))
}

/// Formats civil time as the pointer has it: `2026-11-20T14:27:52.467733`, always six digits, no
/// offset.
pub fn civil(time: NaiveDateTime) -> String {
    time.format("%Y-%m-%dT%H:%M:%S%.6f").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_six_digits_and_reads_any_offset() {
        let time = Timestamp::parse("2026-11-20T14:27:52.467733Z").unwrap();
        assert_eq!(time.to_string(), "2026-11-20T14:27:52.467733Z");
        assert_eq!(
            Timestamp::parse("2026-11-20T23:27:52.467733+09:00"),
            Ok(time)
        );
        assert_eq!(
            Timestamp::from_micros(0).to_string(),
            "1970-01-01T00:00:00.000000Z"
        );
        assert_eq!(Timestamp::parse("yesterday"), Err(InvalidTime));
    }

    #[test]
    fn the_short_way_of_reading_agrees_with_the_long_one() {
        for text in [
            "0000-01-01T00:00:00.000000Z",
            "2024-02-29T23:59:59.999999Z",
            "2023-02-29T00:00:00.000000Z",
            "2026-13-01T00:00:00.000000Z",
            "2026-11-20T24:00:00.000000Z",
            "2026-11-20T14:27:60.000000Z",
            "2026-11-20T14:2x:00.000000Z",
        ] {
            let long = DateTime::parse_from_rfc3339(text).map(|time| time.with_timezone(&Utc));
            let short = parse_as_written(text.as_bytes()).map(Timestamp::to_utc);
            assert!(short.is_none() || short == long.ok(), "{text}");
        }
    }

    #[test]
    fn the_clock_may_be_anywhere() {
        for micros in [i64::MIN, -1, 0, 1, i64::MAX] {
            let time = Timestamp::from_micros(micros);
            assert_eq!(Timestamp::parse(&time.to_string()), Ok(time));
            assert_eq!(time.age(time), Duration::ZERO);
        }
    }

    #[test]
    fn ages_are_never_negative() {
        let early = Timestamp::from_unix(10, 0);
        let late = Timestamp::from_unix(12, 0);
        assert_eq!(early.age(late), Duration::from_secs(2));
        assert_eq!(late.age(early), Duration::ZERO);
        assert_eq!(late.ahead(early), Duration::from_secs(2));
        assert_eq!(early.after(Duration::from_secs(2)), late);
        assert_eq!(late.after(Duration::MAX), Timestamp::MAX);
    }
}
