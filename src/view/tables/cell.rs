//! One cell of a table, and a row as a line of CSV or of JSON.

use std::fmt::Write as _;

use chrono::{NaiveDate, SecondsFormat};

use crate::model::Timestamp;
use crate::model::text::{escaped, escaped_json};

/// The value of one cell.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Cell<'a> {
    /// An absent value: `null` in JSON, an empty cell in CSV.
    Nothing,
    /// A text.
    Text(&'a str),
    /// A count, a size in bytes or a duration in milliseconds.
    Number(u64),
    /// An amount in US dollars.
    Amount(f64),
    /// A time in UTC, with milliseconds.
    Time(Timestamp),
    /// A day in UTC.
    Day(NaiveDate),
    /// A yes or no, written `true` or `false`.
    Flag(bool),
}

impl<'a> Cell<'a> {
    pub(super) fn text(text: &'a str) -> Self {
        Self::Text(text)
    }

    pub(super) fn of_text(text: Option<&'a str>) -> Self {
        text.map_or(Self::Nothing, Self::Text)
    }

    pub(super) fn of_number(number: Option<u64>) -> Self {
        number.map_or(Self::Nothing, Self::Number)
    }

    pub(super) fn of_time(time: Option<Timestamp>) -> Self {
        time.map_or(Self::Nothing, Self::Time)
    }
}

/// Returns a text as a CSV cell (RFC 4180) without line breaks.
///
/// # Security
/// A spreadsheet would run a text that begins with `=`, `+`, `-` or `@` as a formula. The text
/// comes from other programs, so an apostrophe is put before it.
pub fn csv_cell(text: &str) -> String {
    let mut cell = escaped(text);
    if cell.starts_with(['=', '+', '-', '@']) {
        cell.insert(0, '\'');
    }
    if cell.contains(['"', ',']) {
        cell = format!("\"{}\"", cell.replace('"', "\"\""));
    }
    cell
}

/// Returns a row as a line of comma-separated values.
pub fn csv_line(row: &[Cell<'_>]) -> String {
    let mut line = String::new();
    for (place, cell) in row.iter().enumerate() {
        if place > 0 {
            line.push(',');
        }
        // Writing to a `String` cannot fail.
        let _ = match cell {
            Cell::Nothing => Ok(()),
            Cell::Text(text) => line.write_str(&csv_cell(text)),
            Cell::Number(number) => write!(line, "{number}"),
            Cell::Amount(amount) => write!(line, "{amount}"),
            Cell::Time(time) => line.write_str(&to_millis(*time)),
            Cell::Day(day) => write!(line, "{day}"),
            Cell::Flag(flag) => write!(line, "{flag}"),
        };
    }
    line.push('\n');
    line
}

/// Returns a row as a JSON object on one line. `names` are the names of the columns.
pub fn json_line(names: impl Iterator<Item = &'static str>, row: &[Cell<'_>]) -> String {
    let mut line = String::from("{");
    for (place, (name, cell)) in names.zip(row).enumerate() {
        if place > 0 {
            line.push(',');
        }
        let text = |text: &str| serde_json::Value::from(text).to_string();
        // Writing to a `String` cannot fail.
        let _ = write!(line, "\"{name}\":");
        let _ = match cell {
            Cell::Nothing => line.write_str("null"),
            Cell::Text(said) => line.write_str(&escaped_json(&text(said))),
            Cell::Number(number) => write!(line, "{number}"),
            Cell::Amount(amount) => write!(line, "{}", serde_json::Value::from(*amount)),
            Cell::Time(time) => line.write_str(&text(&to_millis(*time))),
            Cell::Day(day) => write!(line, "\"{day}\""),
            Cell::Flag(flag) => write!(line, "{flag}"),
        };
    }
    line.push_str("}\n");
    line
}

fn to_millis(time: Timestamp) -> String {
    time.to_utc().to_rfc3339_opts(SecondsFormat::Millis, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_quoted_if_needed_and_never_a_formula() {
        let cases = [
            ("Bash", "Bash"),
            ("a,b", "\"a,b\""),
            ("say \"hi\"", "\"say \"\"hi\"\"\""),
            ("=1+1", "'=1+1"),
            ("+1", "'+1"),
            ("-1", "'-1"),
            ("@a,b", "\"'@a,b\""),
            ("a\nb", "a\\u{a}b"),
            ("\t=1", "\\u{9}=1"),
            ("\r=1", "\\u{d}=1"),
            ("", ""),
        ];
        for (text, cell) in cases {
            assert_eq!(csv_cell(text), cell);
        }
    }

    #[test]
    fn a_row_is_one_line_in_both_forms() {
        let time = Timestamp::parse("2026-11-20T14:27:52.467733Z").unwrap();
        let row = [
            Cell::Nothing,
            Cell::Text("a \"b\",\nc\u{202e}"),
            Cell::Number(u64::MAX),
            Cell::Amount(0.25),
            Cell::Time(time),
            Cell::Flag(true),
        ];
        assert_eq!(
            csv_line(&row),
            ",\"a \"\"b\"\",\\u{a}c\\u{202e}\",18446744073709551615,0.25,2026-11-20T14:27:52.467Z,true\n"
        );
        let names = ["a", "b", "c", "d", "e", "f"];
        assert_eq!(
            json_line(names.into_iter(), &row),
            "{\"a\":null,\"b\":\"a \\\"b\\\",\\nc\\u202e\",\"c\":18446744073709551615,\"d\":0.25,\
             \"e\":\"2026-11-20T14:27:52.467Z\",\"f\":true}\n"
        );
    }
}
