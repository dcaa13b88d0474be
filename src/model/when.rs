//! A point in time as a person names it: `yesterday`, `monday`, `14:30`, `3h`, `2026-11`. The
//! caller passes in the current time and the zone.

use chrono::{
    DateTime, Datelike, Days, MappedLocalTime, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta,
    TimeZone, Utc, Weekday,
};

use super::Timestamp;
use super::config::duration;

/// The forms that [`moment`] reads, for messages.
pub const FORMS: &str = "`today`, `yesterday`, a weekday (`monday`), a time (`14:30`), how long ago (`3h`, `2w`), \
    a date (`2026-11-01`), a month (`2026-11`), a year (`2026`), or a time of RFC 3339 (`2026-11-20T14:00:00Z`)";

/// A period of time. Either end may be open.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Period {
    /// The beginning, which belongs to the period. `None` if that end is open.
    pub since: Option<Timestamp>,
    /// The end, which does not belong to the period. `None` if that end is open. So a day ends
    /// where the next one begins, and adjoining periods share nothing.
    pub until: Option<Timestamp>,
}

impl Period {
    /// Returns true if `at` is in the period.
    pub fn has(self, at: Timestamp) -> bool {
        self.since.is_none_or(|since| at >= since) && self.until.is_none_or(|until| at < until)
    }

    /// Returns true if `at` is in the period. An unknown time is only in the period without ends.
    pub fn may_have(self, at: Option<Timestamp>) -> bool {
        at.map_or(self.is_all_time(), |at| self.has(at))
    }

    /// Returns true if both ends are open.
    pub fn is_all_time(self) -> bool {
        self == Self::default()
    }
}

/// Returns the point in time that `text` names at `now` in `zone`, or `None` if it names none.
///
/// A day, a month or a year means its beginning. A weekday means the most recent one, which may be
/// today. A time of day that is still to come today means yesterday.
pub fn moment(text: &str, now: Timestamp, zone: &impl TimeZone) -> Option<Timestamp> {
    let text = text.trim().to_lowercase();
    let text = text.strip_suffix(" ago").unwrap_or(&text);
    ago(text, now)
        .or_else(|| day(text, now, zone))
        .or_else(|| time_of_day(text, now, zone))
        .or_else(|| Timestamp::parse(&text.to_uppercase()).ok())
        .or_else(|| date_and_time(text, now, zone))
}

/// Converts `civil` from the civil time of `zone`. In an hour that the clocks repeat, it returns
/// the time nearest to `hint`. In an hour that they skip, it returns the time one hour later.
pub fn from_civil(zone: &impl TimeZone, civil: NaiveDateTime, hint: Timestamp) -> Timestamp {
    match zone.from_local_datetime(&civil) {
        MappedLocalTime::Single(time) => utc(&time),
        MappedLocalTime::Ambiguous(first, second) => {
            let distance = |time: Timestamp| time.micros().abs_diff(hint.micros());
            let (first, second) = (utc(&first), utc(&second));
            if distance(first) <= distance(second) {
                first
            } else {
                second
            }
        }
        MappedLocalTime::None => {
            let later = civil
                .checked_add_signed(TimeDelta::hours(1))
                .and_then(|later| zone.from_local_datetime(&later).latest());
            later.map_or(hint, |time| utc(&time))
        }
    }
}

fn utc<Z: TimeZone>(time: &DateTime<Z>) -> Timestamp {
    Timestamp::from(time.with_timezone(&Utc))
}

fn ago(text: &str, now: Timestamp) -> Option<Timestamp> {
    let age = duration(text).ok()?;
    let age = i64::try_from(age.as_micros()).unwrap_or(i64::MAX);
    Some(Timestamp::from_micros(now.micros().saturating_sub(age)))
}

/// Returns the beginning of a day, a month or a year.
fn day(text: &str, now: Timestamp, zone: &impl TimeZone) -> Option<Timestamp> {
    let today = civil(zone, now).date();
    let date = match text {
        "today" => today,
        "yesterday" => today.pred_opt()?,
        _ => weekday(text, today).or_else(|| date(text))?,
    };
    let midnight = date.and_time(NaiveTime::MIN);
    // Where clocks go back at midnight, a day begins twice. The first beginning counts.
    let before = zone
        .from_local_datetime(&midnight)
        .earliest()
        .map(|time| utc(&time));
    Some(before.unwrap_or_else(|| from_civil(zone, midnight, now)))
}

/// Returns the last day up to `today` that is this weekday. Three letters of its name are enough.
fn weekday(text: &str, today: NaiveDate) -> Option<NaiveDate> {
    if !text.chars().all(|c| c.is_ascii_alphabetic()) {
        return None;
    }
    let wanted: Weekday = text.parse().ok()?;
    let ago = today.weekday().days_since(wanted);
    today.checked_sub_days(Days::new(ago.into()))
}

/// Returns the first day of `2026-11-20`, `2026-11` or `2026`.
fn date(text: &str) -> Option<NaiveDate> {
    let mut parts = text.split('-');
    let mut part = |digits: usize| {
        let part = parts.next()?;
        let is_number = part.len() == digits && part.bytes().all(|byte| byte.is_ascii_digit());
        Some(is_number.then(|| part.parse::<u32>().ok()).flatten())
    };
    let (year, month, day) = (part(4)??, part(2), part(2));
    let year = i32::try_from(year).ok()?;
    let or_first = |part: Option<Option<u32>>| part.unwrap_or(Some(1));
    match parts.next() {
        None => NaiveDate::from_ymd_opt(year, or_first(month)?, or_first(day)?),
        Some(_) => None,
    }
}

/// Returns the last time at which the clocks showed a time such as `14:30`.
fn time_of_day(text: &str, now: Timestamp, zone: &impl TimeZone) -> Option<Timestamp> {
    let time = ["%H:%M", "%H:%M:%S"]
        .into_iter()
        .find_map(|form| NaiveTime::parse_from_str(text, form).ok())?;
    let today = civil(zone, now).date();
    let at = from_civil(zone, today.and_time(time), now);
    match at > now {
        true => Some(from_civil(zone, today.pred_opt()?.and_time(time), now)),
        false => Some(at),
    }
}

fn date_and_time(text: &str, now: Timestamp, zone: &impl TimeZone) -> Option<Timestamp> {
    let forms = ["%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S"];
    let spaced = text.replacen('t', " ", 1);
    let civil = forms
        .into_iter()
        .find_map(|form| NaiveDateTime::parse_from_str(&spaced, form).ok())?;
    Some(from_civil(zone, civil, now))
}

fn civil(zone: &impl TimeZone, time: Timestamp) -> NaiveDateTime {
    time.to_utc().with_timezone(zone).naive_local()
}

#[cfg(test)]
mod tests {
    use chrono_tz::Tz;
    use proptest::prelude::*;

    use super::*;

    const BERLIN: Tz = Tz::Europe__Berlin;

    #[track_caller]
    fn check(zone: Tz, now: &str, cases: &[(&str, &str)]) {
        let now = Timestamp::parse(now).unwrap();
        for (text, expected) in cases {
            let expected = Timestamp::parse(expected).unwrap();
            assert_eq!(moment(text, now, &zone), Some(expected), "{text}");
        }
    }

    #[test]
    fn times_are_named_as_people_say_them() {
        // A Friday, 13:00 in Berlin.
        let cases = [
            ("today", "2026-11-19T23:00:00Z"),
            ("Yesterday", "2026-11-18T23:00:00Z"),
            ("friday", "2026-11-19T23:00:00Z"),
            ("monday", "2026-11-15T23:00:00Z"),
            ("SAT", "2026-11-13T23:00:00Z"),
            ("2026-11-20", "2026-11-19T23:00:00Z"),
            ("2026-11", "2026-10-31T23:00:00Z"),
            ("2026-07", "2026-06-30T22:00:00Z"),
            ("2026", "2025-12-31T23:00:00Z"),
            ("3h", "2026-11-20T09:00:00Z"),
            ("90m", "2026-11-20T10:30:00Z"),
            ("2w", "2026-11-06T12:00:00Z"),
            ("1h 30m ago", "2026-11-20T10:30:00Z"),
            ("12:59", "2026-11-20T11:59:00Z"),
            ("9:05", "2026-11-20T08:05:00Z"),
            ("13:00:00", "2026-11-20T12:00:00Z"),
            // This evening is still to come.
            ("14:30", "2026-11-19T13:30:00Z"),
            ("2026-11-01 14:30", "2026-11-01T13:30:00Z"),
            ("2026-11-01T14:30:05", "2026-11-01T13:30:05Z"),
            ("2026-11-19T13:00:00+01:00", "2026-11-19T12:00:00Z"),
            ("2026-11-19T13:00:00.5z", "2026-11-19T13:00:00.5Z"),
        ];
        check(BERLIN, "2026-11-20T12:00:00Z", &cases);
    }

    #[test]
    fn a_day_with_a_clock_change_begins_at_its_own_midnight() {
        // Clocks go from 2:00 to 3:00 in the night to March 29.
        let spring = [
            ("today", "2026-03-28T23:00:00Z"),
            ("yesterday", "2026-03-27T23:00:00Z"),
            ("sunday", "2026-03-28T23:00:00Z"),
            ("monday", "2026-03-22T23:00:00Z"),
            ("2:30", "2026-03-29T01:30:00Z"),
            ("24h", "2026-03-28T10:00:00Z"),
        ];
        check(BERLIN, "2026-03-29T10:00:00Z", &spring);
        // They go from 3:00 back to 2:00 in the night to October 25. The hour is named twice.
        let autumn = [
            ("today", "2026-10-24T22:00:00Z"),
            ("monday", "2026-10-18T22:00:00Z"),
            ("2:30", "2026-10-25T01:30:00Z"),
            ("2026-11", "2026-10-31T23:00:00Z"),
        ];
        check(BERLIN, "2026-10-25T10:00:00Z", &autumn);
    }

    #[test]
    fn a_day_may_begin_at_one_oclock_or_twice() {
        // In Cairo, April 24 begins at 1:00. In Havana, November 1 begins twice.
        let cairo = [("today", "2026-04-23T22:00:00Z")];
        check(Tz::Africa__Cairo, "2026-04-24T10:00:00Z", &cairo);
        let havana = [("today", "2026-11-01T04:00:00Z")];
        check(Tz::America__Havana, "2026-11-01T20:00:00Z", &havana);
    }

    #[test]
    fn a_period_has_its_beginning_and_not_its_end() {
        let at = |micros| Some(Timestamp::from_micros(micros));
        let period = Period {
            since: at(10),
            until: at(20),
        };
        for (micros, expected) in [(9, false), (10, true), (19, true), (20, false)] {
            assert_eq!(period.may_have(at(micros)), expected, "{micros}");
        }
        assert!(!period.may_have(None));
        assert!(Period::default().may_have(None));
    }

    #[test]
    fn what_does_not_name_a_time_is_refused() {
        let now = Timestamp::parse("2026-11-20T12:00:00Z").unwrap();
        for text in [
            "",
            "soon",
            "yesterdya",
            "0h",
            "26",
            "2026-13",
            "2026-11-31",
            "2026-1",
            "2026-11-01-02",
            "25:00",
            "14",
            "-3h",
            "monday 14:30",
        ] {
            assert_eq!(moment(text, now, &BERLIN), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_and_no_time_is_too_odd(text in ".*", now in any::<i64>()) {
            let _ = moment(&text, Timestamp::from_micros(now), &BERLIN);
        }

        #[test]
        fn words_never_name_a_time_to_come(now in 0_i64..4_000_000_000, word in 0_usize..12) {
            let words = ["today", "yesterday", "mon", "tue", "wed", "thu", "fri", "sat", "sun", "00:00", "23:59", "3h"];
            let now = Timestamp::from_unix(now, 0);
            let at = moment(words[word], now, &BERLIN).unwrap();
            prop_assert!(at <= now);
            prop_assert!(at.age(now).as_secs() <= 7 * 25 * 3600);
        }
    }
}
