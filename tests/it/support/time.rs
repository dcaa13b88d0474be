//! Moments and time zones.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use chrono::{DateTime, Datelike, NaiveDate, Weekday};

pub(crate) const MINUTE: i64 = 60;

pub(crate) const HOUR: i64 = 60 * MINUTE;

pub(crate) const DAY: i64 = 24 * HOUR;

/// The format of a pointer's second line. Parsing with it accepts other forms, too, so a parsed time is formatted and compared.
pub(crate) const CIVIL: &str = "%Y-%m-%dT%H:%M:%S%.6f";

/// Microseconds since the epoch.
pub(crate) fn now_micros() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(now.as_micros()).unwrap()
}

/// The civil time that clocks `ahead` seconds ahead of UTC showed `age` seconds ago.
pub(crate) fn civil(age: i64, ahead: i64) -> String {
    let micros = now_micros() + (ahead - age) * 1_000_000;
    let time = DateTime::from_timestamp_micros(micros).unwrap();
    time.naive_utc().format(CIVIL).to_string()
}

/// Whether this machine knows time zones by name; prints a note if it does not.
pub(crate) fn knows_zones() -> bool {
    let knows = ["Asia/Tokyo", "America/St_Johns"]
        .iter()
        .all(|name| Path::new("/usr/share/zoneinfo").join(name).exists());
    if !knows {
        println!("skipped: there are no time zones in /usr/share/zoneinfo");
    }
    knows
}

pub(crate) const TOKYO: i64 = 9 * HOUR;

/// How many seconds clocks in St. John's are ahead of UTC: minus three and a half hours, plus one hour from two
/// o'clock on the second Sunday in March to two o'clock on the first Sunday in November.
pub(crate) fn st_johns() -> i64 {
    const STANDARD: i64 = -(3 * HOUR + 30 * MINUTE);
    let now = now_micros() / 1_000_000;
    let year = DateTime::from_timestamp(now, 0).unwrap().year();
    let two_o_clock = |month, nth| {
        let sunday = NaiveDate::from_weekday_of_month_opt(year, month, Weekday::Sun, nth).unwrap();
        sunday.and_hms_opt(2, 0, 0).unwrap().and_utc().timestamp()
    };
    let summer = two_o_clock(3, 2) - STANDARD..two_o_clock(11, 1) - STANDARD - HOUR;
    STANDARD + if summer.contains(&now) { HOUR } else { 0 }
}
