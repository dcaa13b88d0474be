//! The pointer's two lines as text: the session id, then local civil time. `store` checks the file
//! itself.
//!
//! Of all forms, only the one that existing Python readers of the pointer accept is written. They
//! subtract the second line, which has no offset, from `datetime.now()`. Every form that existing
//! programs ever wrote can be read.

use std::fmt;

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, Timelike};

use super::id::{InvalidId, SessionId};
use super::time::{Timestamp, civil};

/// The beginning of a pointer's file name; the project's name follows.
pub const PREFIX: &str = "claude_session_";

/// The largest pointer file that is read, in bytes.
pub const MAX_BYTES: usize = 4096;

/// The time in a pointer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PointerTime {
    /// Civil time in an unnamed zone, the form that is written.
    Civil(NaiveDateTime),
    /// A point in time: the text had an offset or a `Z`.
    Instant(Timestamp),
}

/// Why a file's text is not a pointer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InvalidPointer {
    /// The text is not UTF-8.
    NotUtf8,
    /// The text has fewer than two lines.
    MissingLine,
    /// The first line is not a session id.
    Id(InvalidId),
    /// The second line is not a time.
    Time,
}

impl fmt::Display for InvalidPointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotUtf8 => f.write_str("it is not UTF-8"),
            Self::MissingLine => f.write_str("it has fewer than two lines"),
            Self::Id(why) => write!(f, "its first line is not a session id: {why}"),
            Self::Time => f.write_str("its second line is not a time"),
        }
    }
}

/// Returns the pointer's text for `id`, written at the local civil time `at`.
pub fn encode(id: &SessionId, at: NaiveDateTime) -> String {
    format!("{id}\n{}\n", civil(at))
}

/// Reads a pointer. Accepts LF or CRLF, surrounding blank lines and spaces, a missing last newline,
/// and further lines.
///
/// # Errors
/// Returns an [`InvalidPointer`] that names what is wrong.
pub fn decode(bytes: &[u8]) -> Result<(SessionId, PointerTime), InvalidPointer> {
    let text = std::str::from_utf8(bytes).map_err(|_| InvalidPointer::NotUtf8)?;
    let mut lines = text.trim().split('\n').map(str::trim_end);
    let (Some(id), Some(time)) = (lines.next(), lines.next()) else {
        return Err(InvalidPointer::MissingLine);
    };
    let id = id.parse().map_err(InvalidPointer::Id)?;
    let written = parse_written(time).ok_or(InvalidPointer::Time)?;
    Ok((id, written))
}

/// Parses ISO 8601 as Python's `datetime.fromisoformat` does, except for week dates.
fn parse_written(text: &str) -> Option<PointerTime> {
    const DATES: [&str; 2] = ["%Y-%m-%d", "%Y%m%d"];
    const TIMES: [&str; 4] = ["%H:%M:%S%.f", "%H:%M", "%H%M%S%.f", "%H%M"];
    if let Some(date) = DATES
        .iter()
        .find_map(|form| NaiveDate::parse_from_str(text, form).ok())
    {
        return Some(PointerTime::Civil(date.and_time(NaiveTime::MIN)));
    }
    for date in DATES {
        for time in TIMES {
            for separator in ['T', ' '] {
                let form = format!("{date}{separator}{time}");
                if let Some(civil) = parse_civil(text, &form) {
                    return Some(PointerTime::Civil(civil));
                }
                if let Some(instant) = parse_instant(text, &form) {
                    return Some(PointerTime::Instant(instant));
                }
            }
        }
    }
    None
}

fn parse_civil(text: &str, form: &str) -> Option<NaiveDateTime> {
    let time = NaiveDateTime::parse_from_str(text, form).ok()?;
    // chrono reads `:60` as a leap second; the Python readers reject it.
    (time.nanosecond() < 1_000_000_000).then_some(time)
}

fn parse_instant(text: &str, form: &str) -> Option<Timestamp> {
    let text = text
        .strip_suffix('Z')
        .map_or_else(|| text.to_owned(), |rest| format!("{rest}+00:00"));
    let time = DateTime::parse_from_str(&text, &format!("{form}%z")).ok()?;
    (time.nanosecond() < 1_000_000_000).then(|| Timestamp::from_micros(time.timestamp_micros()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn noon() -> NaiveDateTime {
        NaiveDate::from_ymd_opt(2026, 11, 20)
            .unwrap()
            .and_hms_micro_opt(14, 27, 52, 467_733)
            .unwrap()
    }

    #[track_caller]
    fn reads(bytes: &[u8]) -> PointerTime {
        let (id, written) = decode(bytes)
            .unwrap_or_else(|why| panic!("{why}: {:?}", String::from_utf8_lossy(bytes)));
        assert_eq!(id.as_str(), "s-1");
        written
    }

    #[test]
    fn is_exactly_two_lines_of_id_and_civil_time() {
        let id = "5b48472b-1111-4222-8333-444455556666".parse().unwrap();
        assert_eq!(
            encode(&id, noon()),
            "5b48472b-1111-4222-8333-444455556666\n2026-11-20T14:27:52.467733\n"
        );
    }

    #[test]
    fn accepts_what_was_ever_written() {
        let exact = PointerTime::Civil(noon());
        for form in [
            "s-1\n2026-11-20T14:27:52.467733\n",
            "s-1\n2026-11-20T14:27:52.467733",
            "s-1\r\n2026-11-20T14:27:52.467733\r\n",
            "\n\ns-1\n2026-11-20 14:27:52.467733\nroot=/x\n",
            "s-1\n2026-11-20T14:27:52.467733000\n",
            "s-1  \n2026-11-20T14:27:52.467733 \n",
            "s-1\n20261120T142752.467733\n",
        ] {
            assert_eq!(reads(form.as_bytes()), exact, "{form:?}");
        }
        let whole = PointerTime::Civil(noon().with_nanosecond(0).unwrap());
        assert_eq!(reads(b"s-1\n2026-11-20T14:27:52\n"), whole);
        let instant =
            PointerTime::Instant(Timestamp::parse("2026-11-20T14:27:52.467733Z").unwrap());
        assert_eq!(reads(b"s-1\n2026-11-20T14:27:52.467733Z\n"), instant);
        assert_eq!(reads(b"s-1\n2026-11-20T10:57:52.467733-03:30\n"), instant);
        assert_eq!(reads(b"s-1\n2026-11-20T23:27:52.467733+0900\n"), instant);
    }

    #[test]
    fn names_what_is_wrong() {
        let check = |bytes: &[u8], why| {
            assert_eq!(
                decode(bytes),
                Err(why),
                "{:?}",
                String::from_utf8_lossy(bytes)
            )
        };
        check(b"", InvalidPointer::MissingLine);
        check(b"s-1\n", InvalidPointer::MissingLine);
        check(b"s-1\n\xff\xfe\n", InvalidPointer::NotUtf8);
        check(
            b"\xef\xbb\xbfs-1\n2026-11-20T14:27:52\n",
            InvalidPointer::Id(InvalidId::BadByte),
        );
        check(
            b"unknown\n2026-11-20T14:27:52\n",
            InvalidPointer::Id(InvalidId::Unknown),
        );
        check(b"s-1\n1732112872.46\n", InvalidPointer::Time);
        check(b"s-1\n2026-11-20T14:27:60\n", InvalidPointer::Time);
        check(b"s-1\n2026-13-20T14:27:52\n", InvalidPointer::Time);
        check(b"s-1\nnot a time\n", InvalidPointer::Time);
    }

    proptest! {
        #[test]
        fn decoding_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = decode(&bytes);
        }

        #[test]
        fn what_is_written_is_read_back(id in "[A-Za-z0-9][A-Za-z0-9._-]{0,60}", secs in 0i64..4_000_000_000, micros in 0u32..1_000_000) {
            prop_assume!(id != "unknown");
            let id: SessionId = id.parse().unwrap();
            let at = DateTime::from_timestamp(secs, micros * 1000).unwrap().naive_utc();
            prop_assert_eq!(decode(encode(&id, at).as_bytes()), Ok((id, PointerTime::Civil(at))));
        }
    }
}
