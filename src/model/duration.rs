//! Durations in words, as the documents write them: `24h`, `90d`, `3m 20s`. Settings and `--since`
//! accept what this file writes.

use std::time::Duration;

/// Seconds in a day, an hour and a minute.
const DAY: u64 = 24 * HOUR;
const HOUR: u64 = 60 * MINUTE;
const MINUTE: u64 = 60;
/// From this many days on, a duration is written with days: `30h`, but `2d 3h`.
const MIN_DAYS: u64 = 2;

/// Formats a duration exactly.
pub fn text(duration: Duration) -> String {
    units(duration).join(" ")
}

/// Formats a duration in its one or two largest units, in whole seconds: `3m 20s`, `4d 2h`, `0s`.
pub fn brief(duration: Duration) -> String {
    let mut units = units(Duration::from_secs(duration.as_secs()));
    units.truncate(2);
    units.join(" ")
}

/// Returns the parts of a duration, the largest first.
fn units(duration: Duration) -> Vec<String> {
    let seconds = duration.as_secs();
    let days = match seconds / DAY {
        days if days >= MIN_DAYS => days,
        _ => 0,
    };
    let below = seconds - days * DAY;
    let rest = duration.subsec_nanos();
    let units = [
        (days, "d"),
        (below / HOUR, "h"),
        (below % HOUR / MINUTE, "m"),
        (below % MINUTE, "s"),
        (u64::from(rest / 1_000_000), "ms"),
        (u64::from(rest % 1_000_000 / 1_000), "us"),
        (u64::from(rest % 1_000), "ns"),
    ];
    let some = units.into_iter().filter(|(count, _)| *count > 0);
    let some: Vec<String> = some.map(|(count, unit)| format!("{count}{unit}")).collect();
    match some.is_empty() {
        true => vec!["0s".to_owned()],
        false => some,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::config;

    #[test]
    fn durations_are_as_the_documents_write_them() {
        let cases = [
            (0, "0s", "0s"),
            (59, "59s", "59s"),
            (90, "1m 30s", "1m 30s"),
            (300, "5m", "5m"),
            (HOUR, "1h", "1h"),
            (HOUR + 61, "1h 1m 1s", "1h 1m"),
            (DAY, "24h", "24h"),
            (30 * HOUR, "30h", "30h"),
            (2 * DAY, "2d", "2d"),
            (4 * DAY + 2 * HOUR + 5, "4d 2h 5s", "4d 2h"),
            (365 * DAY, "365d", "365d"),
        ];
        for (seconds, exact, short) in cases {
            let duration = Duration::from_secs(seconds);
            assert_eq!(text(duration), exact);
            assert_eq!(brief(duration), short);
        }
        assert_eq!(text(Duration::from_micros(1_500_250)), "1s 500ms 250us");
        assert_eq!(brief(Duration::from_millis(900)), "0s");
    }

    proptest! {
        #[test]
        fn what_is_written_reads_as_the_same_duration(seconds in 0..10_u64.pow(11), nanos in 1_u32..1_000_000_000) {
            let duration = Duration::new(seconds, nanos);
            prop_assert_eq!(config::duration(&text(duration)), Ok(duration));
        }
    }
}
