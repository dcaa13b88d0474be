//! Where in a text a secret may be announced: the places at which the rules look closer.
//!
//! Every byte of a text costs two looks into small tables and one branch that is rarely taken; only behind it a name is read
//! or a prefix compared. What is found here is no secret yet, but what is not found here is none. That holds for a text
//! and also for its form as a JSON string, so that strings without a spot need not be decoded.

use super::names::{self, Telling};
use super::{pem, shapes};

/// A place to look at: every byte from `at` to `end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Spot {
    pub(super) at: usize,
    pub(super) end: usize,
}

/// A byte that is looked at wherever it stands.
const ALWAYS: u8 = 1 << 7;
/// A byte that is looked at where a word begins.
const AT_START: u8 = 1 << 6;

/// How far behind an escape a word may begin: four characters, each of them written as an escape.
const ESCAPE: usize = 26;
/// The most quotes and the like between a name and its separator.
const MOST_QUOTES: usize = 64;

/// For each byte what it is, and what of the next one matters.
static CLASSES: [[u8; 2]; 256] = classes();

#[allow(
    clippy::indexing_slicing,
    reason = "evaluated by the compiler: what is out of bounds does not build"
)]
const fn classes() -> [[u8; 2]; 256] {
    let mut classes = [[0, 0]; 256];
    let mut byte = 0;
    while byte < 256 {
        let is = match byte as u8 {
            b'=' | b':' | b'>' | b'-' | b'%' | b'~' | b'\x1b' => ALWAYS,
            b'M' | b'N' | b'O' => AT_START,
            _ => 0,
        };
        let matters = match (byte as u8).is_ascii_alphanumeric() {
            true => ALWAYS | shapes::ANYWHERE,
            false => ALWAYS | AT_START | shapes::ANYWHERE | shapes::AT_START,
        };
        classes[byte] = [is, matters];
        byte += 1;
    }
    classes
}

fn class(byte: u8) -> [u8; 2] {
    CLASSES.get(usize::from(byte)).copied().unwrap_or_default()
}

/// The first spot from `from` on. The last three bytes hold none: no secret is that short.
pub(super) fn next(bytes: &[u8], from: usize) -> Option<Spot> {
    // An escape before it may reach over it.
    let mut at = from.saturating_sub(ESCAPE);
    while let Some(conspicuous) = conspicuous(bytes, at) {
        if let Some(spot) = spot_at(bytes, conspicuous).filter(|spot| spot.end > from) {
            return Some(Spot {
                at: spot.at.max(from),
                ..spot
            });
        }
        at = conspicuous + 1;
    }
    None
}

/// The first byte from `from` on that is worth a closer look. Nothing else is done with most bytes, so nothing else is done here.
#[inline(never)]
fn conspicuous(bytes: &[u8], from: usize) -> Option<usize> {
    let rest = bytes.get(from..)?;
    let [mut before, mut byte] = before(bytes, from);
    for (offset, window) in rest.array_windows::<4>().enumerate() {
        let [is, _] = class(window[0]);
        if (is | shapes::beginning(*window)) & matters(before, byte) != 0 {
            return Some(from + offset);
        }
        (before, byte) = (byte, window[0]);
    }
    None
}

/// The two bytes before `at`.
fn before(bytes: &[u8], at: usize) -> [u8; 2] {
    let byte = |back| at.checked_sub(back).and_then(|at| bytes.get(at)).copied();
    [byte(2).unwrap_or(b' '), byte(1).unwrap_or(b' ')]
}

/// What matters of a byte behind these two: behind the letter of an escape a word may begin.
#[inline(always)]
fn matters(before: u8, byte: u8) -> u8 {
    let [_, matters] = class(byte);
    let escaped = u8::from(before == b'\\').wrapping_neg();
    matters | escaped & (AT_START | shapes::AT_START)
}

/// The spot at a byte that is looked at closer.
fn spot_at(bytes: &[u8], at: usize) -> Option<Spot> {
    let window = *bytes.get(at..)?.first_chunk::<4>()?;
    let [before, byte] = before(bytes, at);
    let matters = matters(before, byte);
    let [is, _] = class(window[0]);
    let is_sign = is & matters != 0 || window[0] == b'\\';
    let sign = is_sign.then(|| spot_at_sign(bytes, at, window)).flatten();
    sign.or_else(|| {
        let begins = shapes::beginning(window) & matters != 0 && shapes::may_begin_at(bytes, at);
        begins.then_some(Spot { at, end: at + 1 })
    })
}

/// The spot at a byte that announces something by itself.
fn spot_at_sign(bytes: &[u8], at: usize, window: [u8; 4]) -> Option<Spot> {
    let before = at.checked_sub(1).and_then(|at| bytes.get(at)).copied();
    let is_spot = match window {
        [b':', b'A', b'A', _] => true,
        [b':', b'/', b'/', _] => has_userinfo(bytes, at + 3),
        [b':', b'\\', b'/', _] => true,
        [b':', b':' | b'=', ..] | [b'=', b'=' | b'~', ..] => false,
        [b'=', ..] if before == Some(b'=') => false,
        [b'>', ..] => may_be_element(bytes, at),
        [b'=' | b':', ..] => may_be_named(bytes, at),
        [b'-', b'u', b's' | b' ', _] => true,
        [b'-', b'p', ..] => bytes.get(..at).is_some_and(|b| b.ends_with(b"sshpass ")),
        [b'-', b'-', b'-', b'-'] => bytes.get(at + 4..at + 6) == Some(b"-B"),
        [b'-', b'-', b'-', _] => false,
        [b'-', b'-', ..] => begins_string(bytes, at) || is_option(bytes, at + 2),
        [b'M' | b'N' | b'O', ..] => begins_long_word(bytes, at),
        [b'~', ..] if before == Some(b'Q') => {
            return Some(Spot {
                at: at - 1,
                end: at,
            });
        }
        [b'\\', b'u', b'0', b'0'] => return escape(at),
        [b'\\', b'u' | b'x', ..] | [b'%', ..] => {
            let ends = at + 3..at + ESCAPE;
            return escape(at).filter(|_| ends.into_iter().any(|end| may_begin(bytes, end)));
        }
        [b'\x1b', ..] => return escape(at),
        _ => false,
    };
    is_spot.then_some(Spot { at, end: at + 1 })
}

fn escape(at: usize) -> Option<Spot> {
    Some(Spot {
        at,
        end: at + ESCAPE,
    })
}

/// Whether a key may begin at `at`, if a word does.
fn may_begin(bytes: &[u8], at: usize) -> bool {
    let window = bytes.get(at..).and_then(<[u8]>::first_chunk::<4>);
    window.is_some_and(|window| {
        shapes::beginning(*window) != 0 && shapes::may_begin_at(bytes, at)
            || matches!(window[0], b'M' | b'N' | b'O') && begins_long_word(bytes, at)
    })
}

/// Whether the first word of a bot's token can begin at `at`: a long one, and a point behind it, which may be escaped.
fn begins_long_word(bytes: &[u8], at: usize) -> bool {
    let rest = bytes.get(at..).unwrap_or_default();
    // Most words are short.
    let last = rest.get(shapes::LEAST_ID - 1);
    last.is_some_and(u8::is_ascii_alphanumeric) && {
        let word = rest.iter().take(shapes::MOST_ID + 1);
        let end = word.take_while(|byte| byte.is_ascii_alphanumeric()).count();
        end >= shapes::LEAST_ID && matches!(rest.get(end), Some(b'.' | b'\\'))
    }
}

/// Whether a JSON string can begin before `at`.
fn begins_string(bytes: &[u8], at: usize) -> bool {
    let before = bytes.get(..at).unwrap_or_default();
    matches!(before, [.., b'"']) && !matches!(before, [.., b'\\', b'"'])
}

/// Whether a user can stand before the host of the URL whose authority begins at `at`.
fn has_userinfo(bytes: &[u8], at: usize) -> bool {
    let rest = bytes.get(at..).unwrap_or_default();
    let end = rest.iter().position(|byte| {
        byte.is_ascii_whitespace()
            || matches!(
                byte,
                b'@' | b'/' | b'?' | b'#' | b'"' | b'\'' | b'`' | b'<' | b'>' | b'\\'
            )
    });
    let end = end.and_then(|end| rest.get(end..));
    matches!(end, Some([b'@', ..] | [b'\\', b'u', ..]))
}

/// Whether the option's name that begins at `at` can be a telling one.
fn is_option(bytes: &[u8], at: usize) -> bool {
    let rest = bytes.get(at..).unwrap_or_default();
    let is_name = |b: &&u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
    let length = rest.iter().take_while(is_name).take(64).count();
    let name = rest.get(..length).unwrap_or_default();
    names::telling(name).is_some() || matches!(name, b"user" | b"proxy-user")
}

/// Whether a secret can stand behind the `=` or `:` at `at`.
fn may_be_named(bytes: &[u8], at: usize) -> bool {
    let name = name_before(bytes, at);
    let is_arrow = bytes.get(at + 1) == Some(&b'>');
    let after = at + 1 + usize::from(is_arrow);
    let Some(telling) = names::telling(name).or_else(|| told(name)) else {
        return is_list(name, bytes.get(after..)) || name.ends_with(pem::LINES);
    };
    let rest = bytes.get(after..).unwrap_or_default();
    let blanks = rest
        .iter()
        .take_while(|b| matches!(b, b' ' | b'\t'))
        .count();
    let value = rest.get(blanks..).unwrap_or_default();
    match value {
        // The line ends.
        [b'\n' | b'\r', ..] | [b'\\', b'n' | b'r', ..] => return telling == Telling::Authorization,
        [b'"' | b'\'' | b'`' | b'\\', ..] => return true,
        [
            b'b' | b'r' | b'f' | b'u' | b'B' | b'R' | b'F' | b'U',
            b'"' | b'\'' | b'\\',
            ..,
        ] => {
            return true;
        }
        _ => {}
    }
    if matches!(telling, Telling::Authorization | Telling::Cookie) {
        return true;
    }
    let is_tight = blanks == 0 && bytes.get(at) == Some(&b'=');
    let is_small = name.last().is_some_and(u8::is_ascii_lowercase);
    // A variable's value may be any.
    is_tight && !is_small || !is_arrow && may_be_unquoted(value, telling, is_tight)
}

/// What is said of the value of a name that says nothing by itself.
fn told(name: &[u8]) -> Option<Telling> {
    match name.last() {
        Some(b'g') => names::is_signature(name).then_some(Telling::Perhaps),
        Some(b'e') => names::telling(names::before_value(name)?),
        _ => None,
    }
}

/// Whether it can be the name of an array of secrets.
fn is_list(name: &[u8], rest: Option<&[u8]>) -> bool {
    let [name @ .., b's' | b'S'] = name else {
        return false;
    };
    let mut rest = rest.unwrap_or_default().iter();
    let begin = rest.find(|b| !b.is_ascii_whitespace());
    begin == Some(&b'[') && names::telling(name).is_some()
}

/// Whether the value without quotes that `rest` begins with can be a secret.
fn may_be_unquoted(rest: &[u8], telling: Telling, is_tight: bool) -> bool {
    const JUDGED: usize = 64;
    let (mut is_word, mut is_small) = (true, true);
    let mut length = 0;
    for (at, byte) in rest.iter().enumerate() {
        match byte {
            _ if at >= JUDGED => return true,
            b'"' | b'\'' | b'`' | b' ' | b'\t' | b'\n' | b'\r' => break,
            b'\\' if matches!(rest.get(at + 1), Some(b'n' | b'r' | b't' | b'"')) => break,
            b'0'..=b'9' | b'!' | b'#' | b'$' | b'%' | b'^' | b'*' | b'+' | b'~' | b'@' | b'\\' => {
                is_word = false;
            }
            b'A'..=b'Z' | b'.' => is_small = false,
            _ => {}
        }
        length = at + 1;
    }
    match telling {
        _ if !is_word => true,
        Telling::Perhaps => false,
        _ if is_tight => telling == Telling::Password || length >= 16,
        Telling::Password => is_small,
        _ => false,
    }
}

/// Whether the tag that ends at `at` can be that of an element with a secret.
fn may_be_element(bytes: &[u8], at: usize) -> bool {
    const LONGEST: usize = 4096;
    let name = name_before(bytes, at);
    if names::telling(name).is_none() {
        return false;
    }
    let is_name = |b: &&u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
    let length = name.iter().rev().take(64).take_while(is_name).count();
    let opens = name
        .get(..name.len() - length)
        .is_some_and(|before| before.ends_with(b"<"));
    let rest = bytes.get(at + 1..).unwrap_or_default();
    let mut text = rest.iter().take(LONGEST);
    let end = text.position(|b| matches!(b, b'<' | b'\n'));
    opens
        && match end.map(|end| rest.get(end..).unwrap_or_default()) {
            Some([b'<', b'/' | b'\\', ..]) => true,
            Some(_) => false,
            None => rest.len() >= LONGEST,
        }
}

/// The text up to the end of the name before the separator at `at`, which is perhaps in quotes, perhaps an index.
fn name_before(bytes: &[u8], at: usize) -> &[u8] {
    let mut name = bytes.get(..at).unwrap_or_default();
    if let [rest @ .., b':' | b'?'] = name {
        name = rest;
    }
    let mut quotes = 0;
    loop {
        name = match name {
            [rest @ .., b' ' | b'\t' | b'\n' | b'\r'] => rest,
            // An escaped tab.
            [rest @ .., b'\\', b't'] => rest,
            [rest @ .., b'"' | b'\'' | b'`' | b'\\' | b']'] if quotes < MOST_QUOTES => {
                quotes += 1;
                rest
            }
            _ => return name,
        };
    }
}
