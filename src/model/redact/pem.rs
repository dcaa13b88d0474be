//! Finds private keys: in PEM armour, in armour that is encoded in base64 again, and in base64
//! without armour.
//!
//! The lines may be joined in any way, and a key may lack its first line or its end. `keys` finds
//! all other keys.

use super::keys::run;
use super::shapes::Alphabet;
use super::{Secret, View};

const BEGIN: &[u8] = b"-----BEGIN";
const END: &[u8] = b"-----END";
const DASHES: &[u8] = b"-----";
const LABEL: &[u8] = b"PRIVATE KEY";
pub(super) const RULE: &str = "private-key";
/// The longest label of a block, as in `-----BEGIN {label}-----`.
const MAX_LABEL: usize = 64;
/// The fewest letters and digits of a private key block. A first line alone, as in prose, is not a
/// key.
const LEAST: usize = 16;
/// The shortest line in a private key block whose first line is missing, in characters.
pub(super) const LEAST_LINE: usize = 40;

/// Returns the private key block whose first line begins with the last characters of the word from
/// `start` to `end`.
pub(super) fn block_before(view: View<'_>, start: usize, end: usize) -> Option<Secret> {
    let bytes = view.bytes();
    bytes.get(start..end).filter(|word| word.ends_with(BEGIN))?;
    let begin = end - BEGIN.len();
    let body = header(bytes.get(begin..)?)?;
    let from = bytes.len() - body.len();
    // More dashes may precede those of the last line, as in `k.pem-9------END`.
    let dashes = memchr::memmem::find(body, DASHES).map(|at| {
        let more = body.get(at + DASHES.len()..).unwrap_or_default().iter();
        at + more
            .take(DASHES.len())
            .take_while(|byte| **byte == b'-')
            .count()
    });
    let armour = armour(body, view.is_cut);
    let (size, kept) = match dashes.map(|at| (at, body.get(at..).unwrap_or_default())) {
        Some((at, rest)) if rest.starts_with(END) => (at + closing_line(rest), at),
        _ => (armour, armour),
    };
    let inner = body.get(..kept)?;
    let letters = inner.iter().filter(|byte| byte.is_ascii_alphanumeric());
    (letters.take(LEAST).count() == LEAST).then_some(Secret {
        start: begin,
        end: from + size,
        rule: RULE,
    })
}

/// The name before the lines of a private key in PuTTY's format.
pub(super) const LINES: &[u8] = b"Private-Lines";

/// Returns the lines of a private key in PuTTY's format. The number of lines is at `at`.
pub(super) fn lines_at(view: View<'_>, at: usize) -> Option<Secret> {
    const MOST_DIGITS: usize = 4;
    let body = view.bytes().get(at..)?;
    let digits = body.iter().take(MOST_DIGITS);
    let digits = digits.take_while(|byte| byte.is_ascii_digit()).count();
    let first = digits + gap(body.get(digits..)?);
    let lines = body.get(first..)?;
    let is_key = digits > 0 && first > digits && run(lines, Alphabet::Base64, LEAST) == LEAST;
    let size = lines
        .get(..armour(lines, view.is_cut))?
        .trim_ascii_end()
        .len();
    is_key.then_some(Secret {
        start: at + first,
        end: at + first + size,
        rule: RULE,
    })
}

/// Returns the private key in base64 without armour that begins at `at`, where a word begins. The
/// key's first bytes identify it.
pub(super) fn bare_at(view: View<'_>, at: usize) -> Option<Secret> {
    const OPENSSH: &[u8] = b"b3BlbnNzaC1rZXktdjE";
    let text = view.bytes().get(at..)?;
    let is_key = match text.first()? {
        b'M' => {
            run(text, Alphabet::Base64, LEAST_LINE) == LEAST_LINE
                && is_private(&decoded::<9>(text)?)
        }
        b'b' => text.starts_with(OPENSSH),
        _ => false,
    };
    is_key.then(|| Secret {
        start: at,
        end: at + armour(text, view.is_cut).max(run(text, Alphabet::Base64, usize::MAX)),
        rule: RULE,
    })
}

/// Returns whether `der` begins a private key: a sequence whose first element is a version. In a
/// certificate, the first element is another sequence.
fn is_private(der: &[u8]) -> bool {
    let inside = match der {
        [0x30, 0x82, _, _, inside @ ..] => inside,
        [0x30, 0x81, _, inside @ ..] => inside,
        [0x30, 0x20..=0x7f, inside @ ..] => inside,
        _ => return false,
    };
    matches!(inside, [2, 1, 0 | 1 | 3, ..])
}

/// Returns the private key that begins at `at` and whose armour is encoded in base64 once more.
pub(super) fn in_base64(view: View<'_>, at: usize) -> Option<Secret> {
    let text = view.bytes().get(at..)?;
    text.starts_with(b"LS0tLS1C").then_some(())?;
    let begin = decoded::<36>(text)?;
    let is_key = begin.starts_with(BEGIN) && memchr::memmem::find(&begin, b"PRIVATE").is_some();
    is_key.then(|| Secret {
        start: at,
        end: at + armour(text, view.is_cut).max(run(text, Alphabet::Base64, usize::MAX)),
        rule: RULE,
    })
}

/// Decodes the first bytes of base64.
pub(super) fn decoded<const SIZE: usize>(text: &[u8]) -> Option<[u8; SIZE]> {
    let mut bytes = [0; SIZE];
    let groups = text.as_chunks::<4>().0;
    let (places, _) = bytes.as_chunks_mut::<3>();
    if groups.len() < places.len() {
        return None;
    }
    for (place, group) in places.iter_mut().zip(groups) {
        let mut word = 0u32;
        for byte in group {
            word = word << 6 | u32::from(digit(*byte)?);
        }
        let [_, first, second, third] = word.to_be_bytes();
        *place = [first, second, third];
    }
    Some(bytes)
}

/// Returns the value of a digit of base64.
pub(super) fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' | b'-' => Some(62),
        b'/' | b'_' => Some(63),
        _ => None,
    }
}

/// Returns the lines of a private key block that has lost its first line. The word from `start` to
/// `end` begins the last line. The search goes back from there, at most to `barrier`.
pub(super) fn rest_before(
    view: View<'_>,
    barrier: usize,
    start: usize,
    end: usize,
) -> Option<Secret> {
    const LONGEST: usize = 16 << 10;
    let bytes = view.bytes();
    let last = end.checked_sub(END.len()).filter(|at| *at >= start)?;
    let closing = bytes.get(last..)?;
    let closing = closing.get(..MAX_LABEL).unwrap_or(closing);
    let label = closing.split(|byte| matches!(byte, b'\n' | b'[')).next()?;
    (closing.starts_with(END) && memchr::memmem::find(label, LABEL).is_some()).then_some(())?;
    let from = barrier.max(start.saturating_sub(LONGEST));
    let mut text = bytes.get(from..start)?;
    let mut first = None;
    let mut letters = 0;
    loop {
        // Go backwards: first a gap, then a line number, the sign of a diff, or base64.
        while let Some(rest) = without_gap(text) {
            text = rest;
        }
        let length = text
            .iter()
            .rev()
            .take_while(|byte| Alphabet::Base64.has(**byte))
            .count();
        let (before, word) = text.split_at_checked(text.len() - length)?;
        let is_number = word.iter().all(u8::is_ascii_digit) && word.len() < 8;
        let is_key = word.len() >= LEAST_LINE
            || first.is_none() && word.len() >= 2
            || is_number
            || word == b"+";
        if word.is_empty() || !is_key || before.ends_with(b"-") {
            break;
        }
        if !is_number && word.len() > 1 {
            first = Some(from + before.len());
            letters += word.len();
        }
        text = before;
    }
    // If the block has its first line, another rule finds it.
    let is_rest = !text.ends_with(DASHES) && letters >= LEAST_LINE;
    let size = bytes.get(..start)?;
    let mut size = size;
    while let Some(rest) = without_gap(size) {
        size = rest;
    }
    let sign = usize::from(size.ends_with(b"+") && size.len() > first.unwrap_or_default() + 1);
    (is_rest).then_some(Secret {
        start: first?,
        end: size.len() - sign,
        rule: RULE,
    })
}

/// Returns `text` without its last sign, if that sign belongs to a gap between lines.
fn without_gap(text: &[u8]) -> Option<&[u8]> {
    match text {
        [rest @ .., b'\\', b'n' | b'r' | b't'] => Some(rest),
        [
            rest @ ..,
            b' ' | b'\t' | b'\n' | b'\r' | b'|' | b'"' | b'\'' | b',' | b'\\' | b'>',
        ] => Some(rest),
        [rest @ .., 0xe2, 0x86, 0x92] => Some(rest),
        _ => None,
    }
}

/// Returns whether `text` opens a private key block and does not close it. The block may go on in
/// the next text, for example if each line is a separate string of a JSON array.
pub(super) fn is_open(text: &str) -> bool {
    let last = memchr::memmem::rfind(text.as_bytes(), BEGIN);
    let block = last.and_then(|at| text.as_bytes().get(at..));
    block.is_some_and(|block| {
        header(block).is_some_and(|body| memchr::memmem::find(body, END).is_none())
    })
}

/// Returns whether a private key block ends in `text`.
pub(super) fn ends(text: &str) -> bool {
    memchr::memmem::find(text.as_bytes(), END).is_some()
}

/// Returns whether `text` can be a line within a private key block, perhaps one that a diff adds or
/// removes.
pub(super) fn is_line(text: &str) -> bool {
    armour(text.as_bytes(), false) == text.len()
}

/// Returns the text after the first line of the private key block with which `text` begins.
fn header(text: &[u8]) -> Option<&[u8]> {
    let label = text.strip_prefix(BEGIN)?;
    let near = label.get(..MAX_LABEL + DASHES.len()).unwrap_or(label);
    let end = memchr::memmem::find(near, DASHES)?;
    let (label, rest) = label.split_at_checked(end)?;
    const STATIC_KEY: &[u8] = b"OpenVPN ";
    memchr::memmem::find(label, LABEL).or_else(|| memchr::memmem::find(label, STATIC_KEY))?;
    rest.strip_prefix(DASHES)
}

/// Returns the length of the line with which `text` begins, the last one of a private key block.
fn closing_line(text: &[u8]) -> usize {
    let label = text.get(END.len()..).unwrap_or_default();
    let near = label.get(..MAX_LABEL + DASHES.len()).unwrap_or(label);
    let end = memchr::memmem::find(near, DASHES);
    end.map_or(END.len(), |at| END.len() + at + DASHES.len())
}

/// Returns how much of `text` can be the inside of a private key block: header lines and words of
/// base64, with line breaks, escaped line breaks and line numbers between them.
///
/// Text after the end of an incomplete key does not belong to it. Nor does a word before a
/// redaction mark, because nobody knows where that word ended.
pub(super) fn armour(text: &[u8], is_cut: bool) -> usize {
    let mut end = 0;
    let mut was_long = false;
    let mut at = 0;
    loop {
        let rest = text.get(at..).unwrap_or_default();
        at += gap(rest);
        let rest = text.get(at..).unwrap_or_default();
        if rest.is_empty() {
            return if is_cut { end } else { text.len() };
        }
        // The line begins with the sign of a diff, which adds or removes it.
        let sign =
            usize::from(matches!(rest.first(), Some(b'-' | b'>')) && rest.get(1) != Some(&b'-'));
        let body = rest.get(sign..).unwrap_or_default();
        let length = run(body, Alphabet::Base64, usize::MAX);
        let is_base64 = length > 0 && gap_or_end(body.get(length..).unwrap_or_default(), is_cut);
        let word = body.get(..length).unwrap_or_default();
        let is_number = is_base64 && length < LEAST && word.iter().all(u8::is_ascii_digit);
        let is_long = is_base64 && length >= LEAST;
        let header = match is_base64 {
            true if is_long || is_number || was_long || word == b"+" => None,
            _ => match header_word(rest, is_cut) {
                Some(header) => Some(header),
                None => return end,
            },
        };
        if header.is_none() && !is_number {
            was_long = is_long || word == b"+" && was_long;
        }
        at += header.unwrap_or(sign + length);
        end = at;
    }
}

/// Returns the length of the next word of the header lines, which precede the base64 of an
/// encrypted key.
fn header_word(rest: &[u8], is_cut: bool) -> Option<usize> {
    const WORDS: [&[u8]; 6] = [
        b"Proc-Type:",
        b"4,ENCRYPTED",
        b"DEK-Info:",
        b"Comment:",
        b"Version:",
        b"-",
    ];
    let word = WORDS.iter().find(|word| {
        rest.starts_with(word) && gap_or_end(rest.get(word.len()..).unwrap_or_default(), is_cut)
    });
    if let Some(word) = word {
        return Some(word.len());
    }
    let is_cipher = rest.starts_with(b"AES-") || rest.starts_with(b"DES-");
    let is_part = |b: &&u8| b.is_ascii_alphanumeric() || matches!(**b, b'-' | b',');
    is_cipher.then(|| rest.iter().take(MAX_LABEL).take_while(is_part).count())
}

fn gap_or_end(text: &[u8], is_cut: bool) -> bool {
    text.is_empty() && !is_cut || gap_of_one(text) > 0
}

/// Returns the length of the gap with which `text` begins: white space, escaped or not, quotes and
/// arrows.
fn gap(text: &[u8]) -> usize {
    let mut at = 0;
    loop {
        match gap_of_one(text.get(at..).unwrap_or_default()) {
            0 => return at,
            length => at += length,
        }
    }
}

fn gap_of_one(text: &[u8]) -> usize {
    match text {
        [
            b' ' | b'\t' | b'\n' | b'\r' | b'|' | b'"' | b'\'' | b',',
            ..,
        ] => 1,
        [b'\\', b'n' | b'r' | b't', ..] => 2,
        [b'\\', ..] => 1,
        // An arrow.
        [0xe2, 0x86, 0x92, ..] => 3,
        _ => 0,
    }
}
