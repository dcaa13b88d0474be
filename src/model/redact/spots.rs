//! Where in a text a secret may be announced: the places at which the rules look closer.
//!
//! Every byte of a text costs two looks into small tables and one branch that is rarely taken; only behind it a name is read
//! or a prefix compared. What is found here is no secret yet, but what is not found here is none. That holds for a text
//! and also for its form as a JSON string, so that strings without a spot need not be decoded.

use super::{names, shapes};

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
            b'=' | b':' | b'>' | b'-' | b'\\' | b'%' | b'~' | b'\x1b' => ALWAYS,
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
    let before = from.checked_sub(1).and_then(|at| bytes.get(at));
    let [_, mut matters] = class(before.copied().unwrap_or(b' '));
    let rest = bytes.get(from..)?;
    for (offset, window) in rest.windows(4).enumerate() {
        let &[first, second, third, fourth] = window else {
            break;
        };
        let [is, matters_next] = class(first);
        let prefix = shapes::beginning(first, second, third, fourth);
        if (is | prefix) & matters != 0 {
            let at = from + offset;
            let spot = if prefix & matters != 0 {
                Some(Spot { at, end: at + 1 })
            } else {
                spot_at(bytes, at, [first, second, third, fourth])
            };
            if let Some(spot) = spot.filter(|spot| spot.at >= from) {
                return Some(spot);
            }
        }
        matters = matters_next;
    }
    None
}

/// The spot at a byte that is looked at closer.
fn spot_at(bytes: &[u8], at: usize, window: [u8; 4]) -> Option<Spot> {
    let before = at.checked_sub(1).and_then(|at| bytes.get(at)).copied();
    let is_spot = match window {
        [b':', b'A', b'A', _] => true,
        [b':', b'/', b'/', _] => has_userinfo(bytes, at + 3),
        [b':', b'\\', b'/', _] => true,
        [b':', b':' | b'=', ..] | [b'=', b'=' | b'~', ..] => false,
        [b'=', ..] if before == Some(b'=') => false,
        [b'=' | b':' | b'>', ..] => follows_telling_name(bytes, at),
        [b'-', b'u', b's', _] => true,
        [b'-', b'-', b'-', b'-'] => bytes.get(at + 4..at + 6) == Some(b"-B"),
        [b'-', b'-', b'-', _] => false,
        [b'-', b'-', ..] => before == Some(b'"') || is_option(bytes, at + 2),
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
        [b'\\', b'n' | b'r' | b't' | b'b' | b'f' | b'v' | b'0', ..] => {
            return escape(at).filter(|_| may_begin(bytes, at + 2));
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
    let window = bytes.get(at..at + 4).and_then(<[u8]>::first_chunk);
    window.is_some_and(|&[first, second, third, fourth]| {
        shapes::beginning(first, second, third, fourth) != 0
            || class(first).first() == Some(&AT_START)
    })
}

/// Whether the first word of a bot's token can begin at `at`.
fn begins_long_word(bytes: &[u8], at: usize) -> bool {
    let word = bytes.get(at..at + shapes::LEAST_ID);
    word.is_some_and(|word| word.iter().all(u8::is_ascii_alphanumeric))
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
    match end.map(|end| rest.get(end..).unwrap_or_default()) {
        Some([b'@', ..] | [b'\\', b'u', ..]) => true,
        _ => false,
    }
}

/// Whether the option's name that begins at `at` can be a telling one.
fn is_option(bytes: &[u8], at: usize) -> bool {
    let rest = bytes.get(at..).unwrap_or_default();
    let is_name = |b: &&u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
    let length = rest.iter().take_while(is_name).take(64).count();
    names::may_tell(rest.get(..length).unwrap_or_default())
}

/// Whether a name that can be telling ends before the separator at `at`, perhaps in quotes, perhaps an index.
fn follows_telling_name(bytes: &[u8], at: usize) -> bool {
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
            _ => return names::may_tell(name),
        };
    }
}
