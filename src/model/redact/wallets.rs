//! Finds secrets by what stands around them: the private keys of wallets, whose digits alone are those of any hash, and the
//! password of a network in the text of a QR code.

use super::shapes::Alphabet::Hex;
use super::values::quote_at;
use super::{Secret, View, keys};

const RULE: &str = "private-key";

/// The length of a private key, in hexadecimal digits.
const DIGITS: usize = 64;

/// Returns the key in hexadecimal at `at`, perhaps behind a blank or in quotes.
pub(super) fn key_at(view: View<'_>, at: usize) -> Option<Secret> {
    let bytes = view.bytes();
    let at = at + usize::from(bytes.get(at) == Some(&b' '));
    let start = quote_at(bytes, at).map_or(at, |(_, depth)| at + depth + 1);
    let rest = bytes.get(start..)?;
    let prefix = if rest.starts_with(b"0x") { 2 } else { 0 };
    let digits = rest.get(prefix..)?;
    let end = start + prefix + DIGITS;
    (keys::run(digits, Hex, DIGITS + 1) == DIGITS && !view.touches(end)).then_some(Secret {
        start,
        end,
        rule: RULE,
    })
}

/// Returns the length of a list of 64 bytes in decimal, without its brackets: the file of a key pair of Solana.
pub(super) fn list(text: &[u8]) -> Option<usize> {
    const NUMBERS: usize = 64;
    let mut at = 0;
    for number in 1..=NUMBERS {
        let rest = text.get(at..)?;
        let digits = rest.iter().take(4);
        let digits = digits.take_while(|b| b.is_ascii_digit()).count();
        let (digits, behind) = rest.split_at_checked(digits)?;
        std::str::from_utf8(digits).ok()?.parse::<u8>().ok()?;
        at += digits.len();
        match behind {
            [b']', ..] => return (number == NUMBERS).then_some(at),
            [b',', b' ', ..] => at += 2,
            [b',', ..] => at += 1,
            _ => return None,
        }
    }
    None
}

/// Returns the list of bytes that begins with the number at `start`, behind a bracket.
pub(super) fn list_at(view: View<'_>, start: usize) -> Option<Secret> {
    let length = list(view.bytes().get(start..)?)?;
    Some(Secret {
        start,
        end: start + length,
        rule: RULE,
    })
}

/// Returns the password in `WIFI:T:WPA;S:name;P:password;;`. The word `WIFI` ends at `end`.
pub(super) fn wifi(view: View<'_>, end: usize) -> Option<Secret> {
    const LONGEST: usize = 160;
    let rest = view.bytes().get(end..)?;
    let near = rest.get(..LONGEST).unwrap_or(rest);
    let name = memchr::memmem::find(near, b";P:").or_else(|| memchr::memmem::find(near, b":P:"))?;
    let start = name + 3;
    let password = near.get(start..)?;
    let mut was_escape = false;
    let length = password.iter().position(|byte| {
        let ends = matches!(byte, b';' | b'\n') && !was_escape;
        was_escape = *byte == b'\\' && !was_escape;
        ends
    })?;
    (length > 0 && password.get(length) == Some(&b';')).then_some(Secret {
        start: end + start,
        end: end + start + length,
        rule: "wifi",
    })
}
