//! The only clock: the current time, the boot clock, and conversion between UTC and local civil
//! time.

use std::path::Path;
use std::sync::OnceLock;

use chrono::{Local, NaiveDateTime, Utc};
use rustix::time::{ClockId, clock_gettime};

use super::{env, file};
use crate::model::{Timestamp, when};

/// Where chrono looks for the file of a time zone.
const ZONES: [&str; 4] = [
    "/usr/share/zoneinfo",
    "/share/zoneinfo",
    "/etc/zoneinfo",
    "/usr/share/lib/zoneinfo",
];
/// The largest file that is accepted as a time zone, in bytes. Real ones have a few kilobytes.
const MAX_ZONE: u64 = 1 << 18;

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
    match is_zone_readable() {
        true => time.to_utc().with_timezone(&Local).naive_local(),
        false => time.to_utc().naive_utc(),
    }
}

/// Converts `civil` from local time. In an hour that occurs twice, when the clock is set back,
/// returns the time nearest to `hint`. In an hour that is skipped, returns the time an hour later.
pub fn from_civil(civil: NaiveDateTime, hint: Timestamp) -> Timestamp {
    match is_zone_readable() {
        true => when::from_civil(&Local, civil, hint),
        false => when::from_civil(&Utc, civil, hint),
    }
}

/// Returns the point in time that a text such as `monday` means at `now`, in the time zone of `TZ`.
/// See [`when::moment`].
pub fn moment(text: &str, now: Timestamp) -> Option<Timestamp> {
    match is_zone_readable() {
        true => when::moment(text, now, &Local),
        false => when::moment(text, now, &Utc),
    }
}

/// Returns true if chrono may open the file that `TZ` names. Otherwise local time is UTC.
///
/// # Security
/// chrono opens whatever `TZ` names, waits for the writer of a FIFO, and reads a device without an
/// end. So the first file that it would open is inspected before, once in a process.
fn is_zone_readable() -> bool {
    static IS_READABLE: OnceLock<bool> = OnceLock::new();
    *IS_READABLE.get_or_init(|| env::time_zone().is_none_or(|zone| is_readable(&zone)))
}

/// Returns true if `zone`, a value of `TZ`, names a small regular file or none.
fn is_readable(zone: &str) -> bool {
    let name = Path::new(zone.strip_prefix(':').unwrap_or(zone));
    // An absolute path replaces the folder.
    let paths = ZONES.iter().map(|folder| Path::new(folder).join(name));
    let mut found = paths.filter_map(|path| file::look_through(&path).ok().flatten());
    found
        .next()
        .is_none_or(|found| found.is_file() && found.meta.size <= MAX_ZONE)
}

/// Formats `time` for people: in local time, to the second.
pub fn local_text(time: Timestamp) -> String {
    to_civil(time).format("%Y-%m-%d %H:%M:%S").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_small_regular_file_is_read_as_a_time_zone() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
        for (name, size) in [("small", MAX_ZONE), ("large", MAX_ZONE + 1)] {
            let file = tempfile::NamedTempFile::new_in(dir.path()).unwrap();
            file.as_file().set_len(size).unwrap();
            file.persist(path(name)).unwrap();
        }
        std::os::unix::fs::symlink("/dev/zero", path("link")).unwrap();
        let check = |zone: &str, expected: bool| assert_eq!(is_readable(zone), expected, "{zone}");
        for (name, expected) in [
            ("small", true),
            ("large", false),
            ("link", false),
            ("none", true),
            (".", false),
        ] {
            check(&path(name), expected);
            check(&format!(":{}", path(name)), expected);
        }
        check("/dev/zero", false);
        // Without the folder, chrono does not find the device either.
        let is_missing = !Path::new("/usr/share/zoneinfo").exists();
        check("../../../dev/zero", is_missing);
        for zone in ["Europe/Berlin", "UTC", "CET-1CEST,M3.5.0,M10.5.0/3"] {
            check(zone, true);
        }
    }
}
