//! Formats numbers for people, and parses numbers that people type.

use std::num::NonZeroUsize;

/// Formats a number with a comma between groups of three digits.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Parses the number of an option that sets a limit, such as `--limit`. Zero is refused.
pub(super) fn above_zero(text: &str) -> Result<NonZeroUsize, &'static str> {
    text.parse().map_err(|_| "expected a number above 0")
}

/// Formats a number with the noun that it counts.
pub(super) fn plural(count: u64, noun: &str) -> String {
    let ending = if count == 1 { "" } else { "s" };
    format!("{} {noun}{ending}", grouped(count))
}

/// Formats a number in at most six characters: `9,999`, `12.3k`, `4.1M`.
pub(super) fn brief(number: u64) -> String {
    const UNITS: [(u64, &str); 4] = [
        (1_000_000_000_000, "T"),
        (1_000_000_000, "G"),
        (1_000_000, "M"),
        (1_000, "k"),
    ];
    let unit = UNITS.iter().find(|(unit, _)| number >= *unit);
    match unit {
        Some((unit, name)) if number >= 10_000 => {
            let tenths = number / (unit / 10);
            format!("{}.{}{name}", grouped(tenths / 10), tenths % 10)
        }
        _ => grouped(number),
    }
}

/// Formats a size for people.
pub(super) fn bytes(size: u64) -> String {
    const UNITS: [(u64, &str); 3] = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    match UNITS.iter().find(|(unit, _)| size >= *unit) {
        Some((unit, name)) => format!("{}.{} {name}", size / unit, size % unit * 10 / unit),
        None => format!("{size} B"),
    }
}

/// Draws a bar that shows how much of `whole` is `part`. The bar for all of it has `width` columns.
/// A `part` above zero is always visible.
pub(super) fn bar(part: u64, whole: u64, width: u64) -> String {
    let length = u128::from(part) * u128::from(width) / u128::from(whole.max(1));
    let length = usize::try_from(length).unwrap_or_default();
    "█".repeat(length.max(usize::from(part > 0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_by_three_digits() {
        let cases = [
            (0, "0"),
            (999, "999"),
            (1000, "1,000"),
            (1_234_567, "1,234,567"),
        ];
        for (number, text) in cases {
            assert_eq!(grouped(number), text);
        }
    }

    #[test]
    fn great_numbers_are_short() {
        let cases = [
            (9_999, "9,999"),
            (10_000, "10.0k"),
            (999_999, "999.9k"),
            (4_190_000, "4.1M"),
            (u64::MAX, "18,446,744.0T"),
        ];
        for (number, text) in cases {
            assert_eq!(brief(number), text);
        }
    }

    #[test]
    fn a_bar_is_as_long_as_its_part() {
        assert_eq!(bar(0, 10, 4), "");
        assert_eq!(bar(1, 100, 4), "█");
        assert_eq!(bar(10, 10, 4), "████");
        assert_eq!(bar(u64::MAX, u64::MAX, 2), "██");
        assert_eq!(bar(0, 0, 2), "");
    }
}
