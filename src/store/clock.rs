//! The one clock: now, the boot clock, and the step between UTC and local civil time.

use chrono::{DateTime, Local, MappedLocalTime, NaiveDateTime, TimeZone, Utc};
use rustix::time::{ClockId, clock_gettime};

use crate::model::Timestamp;

/// The time now.
pub fn now() -> Timestamp {
    let time = clock_gettime(ClockId::Realtime);
    Timestamp::from_unix(time.tv_sec, time.tv_nsec)
}

/// Microseconds on a clock that starts at boot, goes on during sleep and is never adjusted.
pub fn since_boot() -> u64 {
    #[cfg(target_os = "linux")]
    const BOOT_CLOCK: ClockId = ClockId::Boottime;
    #[cfg(not(target_os = "linux"))]
    const BOOT_CLOCK: ClockId = ClockId::Monotonic;
    let time = clock_gettime(BOOT_CLOCK);
    let micros = time
        .tv_sec
        .saturating_mul(1_000_000)
        .saturating_add(time.tv_nsec / 1_000);
    u64::try_from(micros).unwrap_or(0)
}

/// Microseconds on the clock that the system notes processes' starts by.
pub fn of_processes() -> u64 {
    if cfg!(target_os = "macos") {
        u64::try_from(now().micros()).unwrap_or(0)
    } else {
        since_boot()
    }
}

/// `time` as local civil time, under the process's `TZ`.
pub fn to_civil(time: Timestamp) -> NaiveDateTime {
    time.to_utc().with_timezone(&Local).naive_local()
}

/// The point in time that `civil` meant in the local zone. Where an hour was repeated, the reading nearest to `hint`;
/// where it was skipped, the one an hour on.
pub fn from_civil(civil: NaiveDateTime, hint: Timestamp) -> Timestamp {
    let utc = |time: DateTime<Local>| Timestamp::from(time.with_timezone(&Utc));
    match Local.from_local_datetime(&civil) {
        MappedLocalTime::Single(time) => utc(time),
        MappedLocalTime::Ambiguous(first, second) => {
            let distance = |time: Timestamp| time.micros().abs_diff(hint.micros());
            let (first, second) = (utc(first), utc(second));
            if distance(first) <= distance(second) {
                first
            } else {
                second
            }
        }
        MappedLocalTime::None => {
            let later = civil + chrono::TimeDelta::hours(1);
            Local.from_local_datetime(&later).latest().map_or(hint, utc)
        }
    }
}

/// `time` for people: local, to the second.
pub fn local_text(time: Timestamp) -> String {
    to_civil(time).format("%Y-%m-%d %H:%M:%S").to_string()
}
