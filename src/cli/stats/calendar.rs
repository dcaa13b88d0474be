//! Draws when sessions began and calls were made: a calendar and a clock, for a terminal.

use std::collections::BTreeMap;

use chrono::{Datelike, Days, NaiveDate, Weekday};

use crate::cli::amount::grouped;
use crate::view::stats::Day;

/// The characters for a day in the calendar, from no session to the most sessions.
const SHADES: [char; 5] = ['·', '░', '▒', '▓', '█'];
/// The bars for an hour in the clock, from the fewest calls to the most.
const HEIGHTS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/// How many weeks are drawn at most.
const MAX_WEEKS: usize = 26;
/// The width of a week, in columns.
const WEEK: usize = 2;
/// The width of the weekday names before the first week, in columns.
const MARGIN: usize = 5;
/// The narrowest screen on which a calendar or a clock is drawn, in columns.
pub(super) const LEAST_WIDTH: usize = 28;

/// Draws a column for each week and a row for each weekday, up to the last day with a session. The
/// darker a day, the more sessions began on it.
pub(super) fn calendar(days: &[Day], width: usize) -> String {
    let counts: BTreeMap<NaiveDate, u64> = days
        .iter()
        .filter_map(|day| Some((day.day.parse().ok()?, day.sessions)))
        .collect();
    let (Some((first, _)), Some((last, _))) = (counts.first_key_value(), counts.last_key_value())
    else {
        return String::new();
    };
    let room = (width.saturating_sub(MARGIN) / WEEK).clamp(1, MAX_WEEKS);
    let weeks = weeks(*first, *last, room);
    let most = weeks
        .iter()
        .flat_map(|monday| monday.iter_days().take(7))
        .filter_map(|day| counts.get(&day).copied())
        .max()
        .unwrap_or_default();
    let mut text = format!("{:<MARGIN$}{}\n", "", months(&weeks).trim_end());
    for weekday in 0..7 {
        let name = match weekday {
            0 => Weekday::Mon.to_string(),
            2 => Weekday::Wed.to_string(),
            4 => Weekday::Fri.to_string(),
            _ => String::new(),
        };
        let mut line = format!("{name:<MARGIN$}");
        for monday in &weeks {
            let day = monday.checked_add_days(Days::new(weekday));
            let cell = match day.filter(|day| day <= last) {
                Some(day) => shade(counts.get(&day).copied().unwrap_or_default(), most),
                None => ' ',
            };
            line.push(cell);
            line.push(' ');
        }
        text += line.trim_end();
        text.push('\n');
    }
    let earlier = counts.range(..weeks.first().copied().unwrap_or(*first));
    let earlier: u64 = earlier.map(|(_, sessions)| sessions).sum();
    let before = match earlier {
        0 => String::new(),
        earlier => format!(", and {} before", grouped(earlier)),
    };
    text + &format!(
        "sessions a day, {} to {}{before}\n",
        SHADES[0],
        legend(most)
    )
}

/// Returns the Mondays of the last `room` weeks from `first` to `last`.
fn weeks(first: NaiveDate, last: NaiveDate, room: usize) -> Vec<NaiveDate> {
    let monday = |day: NaiveDate| day.week(Weekday::Mon).first_day();
    let first = monday(first);
    let mut weeks: Vec<NaiveDate> = std::iter::successors(Some(monday(last)), |week| {
        week.checked_sub_days(Days::new(7))
    })
    .take_while(|week| *week >= first)
    .take(room)
    .collect();
    weeks.reverse();
    weeks
}

/// Returns the names of the months, each above the first of its weeks.
fn months(weeks: &[NaiveDate]) -> String {
    let mut text = String::new();
    let mut shown = None;
    for (place, monday) in weeks.iter().enumerate() {
        // The name of a month goes above its first week: the first one whose Sunday lies in that
        // month.
        let sunday = monday.checked_add_days(Days::new(6)).unwrap_or(*monday);
        let month = (sunday.year(), sunday.month());
        let is_free = text.chars().count() <= place * WEEK;
        if shown != Some(month) && is_free {
            text = format!(
                "{text:<width$}{} ",
                sunday.format("%b"),
                width = place * WEEK
            );
            shown = Some(month);
        }
    }
    text
}

fn shade(count: u64, most: u64) -> char {
    let steps = SHADES.len() as u64 - 1;
    let place = count.saturating_mul(steps).div_ceil(most.max(1));
    let place = usize::try_from(place).unwrap_or_default();
    SHADES.get(place).copied().unwrap_or(' ')
}

fn legend(most: u64) -> String {
    format!("█ ({})", grouped(most))
}

/// Draws a bar for each hour of the day. The higher it is, the more calls began in that hour.
pub(super) fn clock(hours: &[u64; 24]) -> String {
    let most = hours.iter().copied().max().unwrap_or_default();
    let bars: String = hours
        .iter()
        .map(|calls| match calls {
            0 => ' ',
            calls => {
                let steps = HEIGHTS.len() as u64 - 1;
                let place = calls.saturating_mul(steps).div_ceil(most.max(1));
                let place = usize::try_from(place).unwrap_or_default();
                HEIGHTS.get(place).copied().unwrap_or(' ')
            }
        })
        .collect();
    let margin = " ".repeat(MARGIN);
    format!(
        "{margin}{}\n{margin}0     6     12    18   23\ncalls an hour of the day, █ is {}\n",
        bars.trim_end(),
        grouped(most)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn days(counts: &[(&str, u64)]) -> Vec<Day> {
        let day = |(day, sessions): &(&str, u64)| Day {
            day: (*day).to_owned(),
            sessions: *sessions,
        };
        counts.iter().map(day).collect()
    }

    #[test]
    fn a_calendar_has_a_column_for_each_week() {
        let drawn = calendar(
            &days(&[("2026-10-28", 1), ("2026-11-02", 8), ("2026-11-20", 3)]),
            80,
        );
        let expected = [
            "     Nov",
            "Mon  · █ · ·",
            "     · · · ·",
            "Wed  ░ · · ·",
            "     · · · ·",
            "Fri  · · · ▒",
            "     · · ·",
            "     · · ·",
            "sessions a day, · to █ (8)",
            "",
        ];
        let expected = expected.join("\n");
        assert_eq!(drawn, expected);
    }

    #[test]
    fn a_calendar_fits_and_says_what_came_before() {
        let drawn = calendar(&days(&[("2025-01-06", 5), ("2026-11-20", 2)]), 40);
        assert!(
            drawn.lines().all(|line| line.chars().count() <= 40),
            "{drawn}"
        );
        assert!(
            drawn.ends_with("sessions a day, · to █ (2), and 5 before\n"),
            "{drawn}"
        );
        let year = calendar(&days(&[("2025-01-06", 5), ("2026-11-20", 2)]), 200);
        let widest = year.lines().map(|line| line.chars().count()).max();
        assert_eq!(widest, Some(MARGIN + MAX_WEEKS * WEEK - 1));
        for month in ["Jun", "Jul", "Aug", "Sep", "Oct", "Nov"] {
            assert!(year.contains(month), "{month}\n{year}");
        }
        assert_eq!(calendar(&[], 80), "");
        assert_eq!(calendar(&days(&[("2026-11-20", 1)]), 80).lines().count(), 9);
    }

    #[test]
    fn a_clock_has_a_bar_for_each_hour_with_calls() {
        let mut hours = [0; 24];
        hours[9] = 1;
        hours[10] = 700;
        hours[23] = 350;
        let drawn = clock(&hours);
        let expected = [
            "              ▂█            ▅",
            "     0     6     12    18   23",
            "calls an hour of the day, █ is 700",
            "",
        ];
        let expected = expected.join("\n");
        assert_eq!(drawn, expected);
    }
}
