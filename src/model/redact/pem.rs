//! Private keys in PEM armour: the block, however its lines are joined, and also one that breaks off before its end.

use super::Secret;

const BEGIN: &str = "-----BEGIN";
const END: &str = "-----END";
const RULE: &str = "private-key";
/// The longest label of a block, as in `-----BEGIN {label}-----`.
const MAX_LABEL: usize = 64;
/// The least that a block must hold: a mention of its first line is no key.
const LEAST: usize = 16;

/// The block that begins at `at`.
pub(super) fn block_at(text: &str, at: usize) -> Option<Secret> {
    let body = header(text.get(at..)?)?;
    let begin = text.len() - body.len();
    let end = match body.find("-----") {
        Some(end) if body.get(end..).is_some_and(|rest| rest.starts_with(END)) => {
            begin + end + closing_line(body.get(end..)?)
        }
        _ => begin + armour(body),
    };
    let inner = text.get(begin..end)?;
    let size = inner.bytes().filter(u8::is_ascii_alphanumeric).count();
    (size >= LEAST).then_some(Secret {
        start: at,
        end,
        rule: RULE,
    })
}

/// What stands before the lines of a private key in PuTTY's form.
pub(super) const LINES: &[u8] = b"Private-Lines";

/// The lines of a private key in PuTTY's form, where their number stands at `at`.
pub(super) fn lines_at(text: &str, at: usize) -> Option<Secret> {
    let body = text.get(at..)?;
    let mut words = words(body);
    let (_, number) = words.next()?;
    let (first, word) = words.next()?;
    let lines = body.get(first..)?;
    let lines = lines.get(..armour(lines))?.trim_end();
    let is_key = number.bytes().all(|b| b.is_ascii_digit())
        && word.bytes().filter(u8::is_ascii_alphanumeric).count() >= LEAST;
    is_key.then_some(Secret {
        start: at + first,
        end: at + first + lines.len(),
        rule: RULE,
    })
}

/// Whether a block begins in `text` and does not end there, as where each line is a text of its own.
pub(super) fn is_open(text: &str) -> bool {
    let last = text.rfind(BEGIN).and_then(|at| text.get(at..));
    last.is_some_and(|block| header(block).is_some_and(|body| !body.contains(END)))
}

/// Whether a block ends in `text`.
pub(super) fn ends(text: &str) -> bool {
    text.contains(END)
}

/// Whether `text` can be a line within a block, perhaps marked as added or removed.
pub(super) fn is_line(text: &str) -> bool {
    armour(text) == text.len()
}

/// What follows the first line of a block that `text` begins with.
fn header(text: &str) -> Option<&str> {
    let label = text.strip_prefix(BEGIN)?;
    let end = label.find("-----").filter(|end| *end <= MAX_LABEL)?;
    let (label, rest) = label.split_at_checked(end)?;
    label.contains("PRIVATE KEY").then_some(())?;
    rest.strip_prefix("-----")
}

/// How long the line is that closes a block.
fn closing_line(text: &str) -> usize {
    let label = text.get(END.len()..).unwrap_or_default();
    let dashes = label.find("-----").filter(|at| *at <= MAX_LABEL);
    dashes.map_or(END.len(), |at| END.len() + at + "-----".len())
}

/// How much of `text` can be the inside of a block: words of base64 and the lines before them, with numbers of lines, line
/// breaks and escaped line breaks between them. What follows a key that breaks off stays.
fn armour(text: &str) -> usize {
    let mut end = 0;
    let mut was_long = false;
    for (at, word) in words(text) {
        let is_base64 = word
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'='));
        let is_long = is_base64 && word.len() >= LEAST;
        let is_number = word.bytes().all(|b| b.is_ascii_digit());
        let is_last = is_base64 && was_long;
        if !(is_long || is_number || is_last || is_header_word(word)) {
            break;
        }
        if !is_number {
            was_long = is_long;
        }
        end = at + word.len();
    }
    let rest = text.get(end..).unwrap_or_default();
    if words(rest).next().is_none() {
        text.len()
    } else {
        end
    }
}

/// A part of the lines that stand before the base64 of an encrypted key.
fn is_header_word(word: &str) -> bool {
    matches!(word, "Proc-Type:" | "4,ENCRYPTED" | "DEK-Info:" | "+" | "-")
        || word.starts_with("AES-")
        || word.starts_with("DES-")
        || word == "[redacted:private-key]"
}

/// The runs between white space, arrows and escaped white space, each with its place.
pub(super) fn words(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut rest = 0;
    std::iter::from_fn(move || {
        loop {
            let tail = text.get(rest..)?;
            let first = tail.chars().next()?;
            let gap = gap(tail);
            if gap > 0 {
                rest += gap;
                continue;
            }
            let inside = tail.char_indices().skip(1).map(|(at, _)| at);
            let length = inside
                .take_while(|at| tail.get(*at..).is_some_and(|tail| self::gap(tail) == 0))
                .last()
                .map_or(first.len_utf8(), |at| {
                    at + tail
                        .get(at..)
                        .and_then(|c| c.chars().next())
                        .map_or(0, char::len_utf8)
                });
            let start = rest;
            rest += length;
            return Some((start, tail.get(..length)?));
        }
    })
}

/// How long the white space is that `text` begins with, written out or escaped.
fn gap(text: &str) -> usize {
    match text.as_bytes() {
        [b'\\', b'n' | b'r' | b't', ..] => 2,
        [b'\\', ..] => 1,
        _ => {
            let first = text.chars().next();
            let is_gap = |c: &char| c.is_whitespace() || matches!(c, '→' | '|' | '"' | '\'' | ',');
            first.filter(is_gap).map_or(0, char::len_utf8)
        }
    }
}
