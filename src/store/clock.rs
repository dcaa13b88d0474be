//! The only clock: the current time, the boot clock, and conversion between UTC and local civil
//! time.

use chrono::{Local, NaiveDateTime};
use rustix::time::{ClockId, clock_gettime};

use crate::model::{Timestamp, when};

/// Returns the current time.
pub fn now() -> Timestamp {
    let time = clock_gettime(ClockId::Realtime);
    Timestamp::from_unix(time.tv_sec, time.tv_nsec)
}

/// Returns the microseconds since boot, by a clock that also runs while the machine sleeps and is
/// never set.
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

/// Returns the present time in microseconds, by the clock that the system uses for the start times
/// of processes.
pub fn of_processes() -> u64 {
    if cfg!(target_os = "macos") {
        u64::try_from(now().micros()).unwrap_or(0)
    } else {
        since_boot()
    }
}

/// Converts `time` to local time in the time zone of `TZ`.
pub fn to_civil(time: Timestamp) -> NaiveDateTime {
    time.to_utc().with_timezone(&Local).naive_local()
}

/// Converts `civil` from local time. In an hour that occurs twice, when the clock is set back,
/// returns the time nearest to `hint`. In an hour that is skipped, returns the time an hour later.
pub fn from_civil(civil: NaiveDateTime, hint: Timestamp) -> Timestamp {
    when::from_civil(&Local, civil, hint)
}

/// Returns the point in time that a text such as `monday` means at `now`, in the time zone of `TZ`.
/// See [`when::moment`].
pub fn moment(text: &str, now: Timestamp) -> Option<Timestamp> {
    when::moment(text, now, &Local)
}

/// Formats `time` for people: in local time, to the second.
pub fn local_text(time: Timestamp) -> String {
    to_civil(time).format("%Y-%m-%d %H:%M:%S").to_string()
}
