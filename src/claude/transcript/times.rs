//! Reads the times in transcripts. Claude Code writes RFC 3339; tools that copy or convert
//! transcripts write other forms.

use chrono::NaiveDateTime;

use crate::model::Timestamp;

/// Seconds since 1970 with more than this are milliseconds. As seconds, this is in the year 5138.
const MOST_SECONDS: f64 = 1e11;
/// The forms of a date and a time without an offset, once a comma in it is a point.
const FORMS: [&str; 3] = [
    "%Y-%m-%dT%H:%M:%S%.f",
    "%Y-%m-%d %H:%M:%S%.f",
    "%Y-%m-%dT%H:%M",
];
/// How long a date is, in bytes. An offset comes after it.
const DATE: usize = "2026-11-20".len();

/// Reads a time. One without an offset is UTC.
pub(super) fn read(text: &str) -> Option<Timestamp> {
    let strict = Timestamp::parse(text).ok();
    strict
        .or_else(|| iso_8601(text.trim()))
        .or_else(|| since_1970(text))
}

/// Reads a number of seconds or milliseconds since 1970.
pub(super) fn since_1970(number: &str) -> Option<Timestamp> {
    let number: f64 = number.trim().parse().ok().filter(|n: &f64| n.is_finite())?;
    let factor = match number.abs() > MOST_SECONDS {
        true => 1e3,
        false => 1e6,
    };
    // A float that is out of range becomes the nearest integer.
    Some(Timestamp::from_micros((number * factor).round() as i64))
}

fn iso_8601(text: &str) -> Option<Timestamp> {
    let (civil, seconds_east) = match text.strip_suffix(['Z', 'z']) {
        Some(civil) => (civil, 0),
        None => {
            let time = text.get(DATE..)?;
            match time.rfind(['+', '-']) {
                Some(place) => (text.get(..DATE + place)?, offset(time.get(place..)?)?),
                None => (text, 0),
            }
        }
    };
    let civil = civil.trim_end().replacen(',', ".", 1);
    let parsed = |form| NaiveDateTime::parse_from_str(&civil, form).ok();
    let micros = FORMS
        .into_iter()
        .find_map(parsed)?
        .and_utc()
        .timestamp_micros();
    Some(Timestamp::from_micros(micros - seconds_east * 1_000_000))
}

/// Reads `+02`, `+0200` or `+02:00`, in seconds.
fn offset(text: &str) -> Option<i64> {
    let (sign, digits) = match text.split_at_checked(1)? {
        ("-", digits) => (-1, digits.replacen(':', "", 1)),
        (_, digits) => (1, digits.replacen(':', "", 1)),
    };
    let number = |digits: &str| digits.parse::<u8>().ok().map(i64::from);
    let (hours, minutes) = match digits.len() {
        2 => (number(&digits)?, 0),
        4 => (number(digits.get(..2)?)?, number(digits.get(2..)?)?),
        _ => return None,
    };
    (hours < 24 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_tools_write_times_in_other_forms() {
        let time = Timestamp::parse("2026-11-20T12:00:01.500Z").unwrap();
        for text in [
            "2026-11-20T12:00:01.5Z",
            "2026-11-20T12:00:01,500Z",
            "2026-11-20T12:00:01.500+0000",
            "2026-11-20T14:00:01.500+02",
            "2026-11-20T14:00:01.500+02:00",
            "2026-11-20T08:30:01.500-0330",
            "2026-11-20 12:00:01.500",
            "2026-11-20T12:00:01.500",
            "1795176001.5",
            "1795176001500",
        ] {
            assert_eq!(read(text), Some(time), "{text}");
        }
        assert_eq!(
            read("2026-11-20T12:00Z"),
            Timestamp::parse("2026-11-20T12:00:00Z").ok()
        );
        for text in [
            "",
            "yesterday",
            "2026-11-20",
            "2026-11-20T12:00:01+25",
            "20:00",
            "NaN",
            "é-é-é-é-é-é",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
