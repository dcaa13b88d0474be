//! The strings of a JSON text, redacted where they stand.
//!
//! Nothing but a string that holds a secret is written anew: the order of members, white space and numbers stay, and so
//! does the client's way to escape. A value of `serde_json` would lose all of that.

use std::borrow::Cow;

use serde::de::IgnoredAny;

use super::names::{self, Telling};
use super::{Redactor, context, is_mark, pem, shapes, spots};
use crate::model::text::without_lone_surrogates;

const NAMED: &str = "named-secret";
const PRIVATE_KEY: &str = "private-key";

/// What is known of the strings that come next.
#[derive(Debug, Clone, Copy, Default)]
struct Around {
    is_array: bool,
    /// What the member's name says; in an array, that of the member which the array is.
    telling: Option<Telling>,
    /// What its name says of the strings in it, if it is an array.
    telling_each: Option<Telling>,
    /// Whether that is believed only of what is no stand-in.
    is_doubtful: bool,
    /// Whether the member's value is the name of what comes next: `"name": "DB_PASSWORD", "value": "…"`.
    names_value: bool,
    /// What that name says.
    telling_value: Option<Telling>,
    /// Whether the member's name is one of those that hold ids.
    is_id: bool,
    /// In an array of lines: whether a private key is open.
    in_block: bool,
    /// In an array of arguments: what the option before says.
    option: Option<Telling>,
}

/// Redacts the strings of `text`, but not the ids behind names for which `is_id`, until there is nothing left to redact.
pub(super) fn redact<'t>(
    redactor: &mut Redactor,
    text: &'t str,
    is_id: fn(&str) -> bool,
) -> Cow<'t, str> {
    // Of most lines this is all that is done.
    let Some(first) = spots::next(text.as_bytes(), 0) else {
        return Cow::Borrowed(text);
    };
    if serde_json::from_str::<IgnoredAny>(text).is_err() {
        return redactor.text(text);
    }
    let mut clean = Cow::Borrowed(text);
    let mut unsuspicious = first.at;
    while let Some(cleaner) = pass(redactor, &clean, unsuspicious, is_id) {
        clean = Cow::Owned(cleaner);
        unsuspicious = 0;
    }
    clean
}

/// Redacts the strings of a text that has no spot before `unsuspicious`; nothing where there was nothing to redact.
fn pass(
    redactor: &mut Redactor,
    text: &str,
    unsuspicious: usize,
    is_id: fn(&str) -> bool,
) -> Option<String> {
    let bytes = text.as_bytes();
    let mut clean = String::new();
    let mut copied = 0;
    let mut open = vec![Around::default()];
    let mut spots = Spots {
        bytes,
        next: unsuspicious,
    };
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let Some(around) = open.last_mut() else {
            break;
        };
        match byte {
            b'{' => open.push(Around::default()),
            b'[' => {
                let array = Around {
                    is_array: true,
                    telling: around.telling.or(around.telling_each),
                    is_doubtful: around.is_doubtful || around.telling.is_none(),
                    is_id: around.is_id,
                    ..Around::default()
                };
                open.push(array);
            }
            b'}' | b']' => {
                open.pop();
            }
            b'"' => {
                let end = string_end(bytes, at);
                let raw = text.get(at..end).unwrap_or_default();
                let is_name = !around.is_array && is_followed_by_colon(text, end);
                let has_spot = spots.are_within(at, end);
                if !is_name && around.names_value {
                    let inside = bytes.get(at + 1..end.saturating_sub(1));
                    around.telling_value = inside.and_then(names::telling);
                }
                if !is_name && !has_spot && !around.concerns_any_string() {
                    at = end;
                    continue;
                }
                let string = decoded(raw);
                let redacted = if is_name {
                    around.member(&string);
                    around.is_id = is_id(&string);
                    match has_spot {
                        true => redactor.text(&string),
                        false => Cow::Borrowed(&*string),
                    }
                } else {
                    redactor.string(&string, around)
                };
                if let Cow::Owned(redacted) = redacted {
                    clean.push_str(text.get(copied..at).unwrap_or_default());
                    clean.push_str(&serde_json::Value::String(redacted).to_string());
                    copied = end;
                }
                at = end;
                continue;
            }
            b'0'..=b'9' | b'-' => {
                let end = number_end(bytes, at);
                let number = text.get(at..end).unwrap_or_default();
                if around.telling == Some(Telling::Password) && is_long_number(number) {
                    clean.push_str(text.get(copied..at).unwrap_or_default());
                    let mark = redactor.replaced(NAMED).into_owned();
                    clean.push_str(&serde_json::Value::String(mark).to_string());
                    copied = end;
                }
                at = end;
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    if copied == 0 {
        return None;
    }
    clean.push_str(text.get(copied..)?);
    Some(clean)
}

impl Around {
    /// A member begins that is named so.
    fn member(&mut self, name: &str) {
        let named = self.telling_value.take();
        self.telling = names::telling(name.as_bytes());
        self.is_doubtful = false;
        if matches!(name, "value" | "Value") && self.telling.is_none() {
            self.telling = named;
            self.is_doubtful = true;
        }
        self.names_value = matches!(name, "name" | "Name" | "key" | "Key");
        let one = name.strip_suffix(['s', 'S']);
        let telling_one = one.and_then(|one| names::telling(one.as_bytes()));
        self.telling_each = telling_one.map(|telling| match telling {
            Telling::Password => Telling::Password,
            // There are many kinds of tokens.
            _ => Telling::Perhaps,
        });
    }

    /// Whether a string can be a secret here that shows nothing of it.
    fn concerns_any_string(&self) -> bool {
        self.telling.is_some() || self.option.is_some() || self.in_block
    }
}

/// The spots of a JSON text, each found when it is asked for.
struct Spots<'t> {
    bytes: &'t [u8],
    /// The first one that is not behind what was asked for last.
    next: usize,
}

impl Spots<'_> {
    /// Whether there is one from `start` to `end`. What is asked for never begins before what was asked for earlier.
    fn are_within(&mut self, start: usize, end: usize) -> bool {
        if self.next <= start {
            self.next = spots::next(self.bytes, start).map_or(usize::MAX, |spot| spot.at);
        }
        self.next < end
    }
}

impl Redactor {
    /// A string that is a value.
    fn string<'t>(&mut self, string: &'t str, around: &mut Around) -> Cow<'t, str> {
        if around.is_id {
            return self.id(string);
        }
        let option = around.option.take();
        let telling = around
            .telling
            .or(option.filter(|_| !string.starts_with('-')));
        if telling == Some(Telling::Cookie)
            && let Some(cookie) = context::cookie(string, 0)
        {
            let before = string.get(..cookie.start).unwrap_or_default();
            let after = string.get(cookie.end..).unwrap_or_default();
            return Cow::Owned(format!("{before}{}{after}", self.replaced(cookie.rule)));
        }
        let is_secret = match telling {
            Some(Telling::Cookie) => false,
            Some(_) if around.is_doubtful && names::is_stand_in(string) => false,
            Some(Telling::Perhaps) => names::looks_random(string),
            Some(_) => true,
            None => false,
        };
        if is_secret && !is_mark(string) {
            let shaped = whole_key(string);
            return self.replaced(shaped.unwrap_or(NAMED));
        }
        if around.is_array {
            around.option = string
                .strip_prefix("--")
                .and_then(|name| names::telling(name.as_bytes()));
            if is_line_of_a_block(string, around) {
                return match is_mark(string) {
                    true => Cow::Borrowed(string),
                    false => self.replaced(PRIVATE_KEY),
                };
            }
        }
        self.text(string)
    }

    /// An id is no text, but one word: it is a secret only if it is nothing else.
    fn id<'t>(&mut self, string: &'t str) -> Cow<'t, str> {
        match whole_key(string) {
            Some(rule) => self.replaced(rule),
            None if string.contains(char::is_whitespace) => self.text(string),
            None => Cow::Borrowed(string),
        }
    }
}

/// Whether a string in an array is a line within a private key of which each line is a string.
fn is_line_of_a_block(string: &str, around: &mut Around) -> bool {
    around.in_block &= !pem::ends(string) && pem::is_line(string);
    let is_within = around.in_block;
    around.in_block |= pem::is_open(string);
    is_within
}

/// The rule of the key that all of `string` is.
fn whole_key(string: &str) -> Option<&'static str> {
    let key = shapes::key_at(string.as_bytes(), 0)?;
    (key.start == 0 && key.end == string.len()).then_some(key.rule)
}

/// Where the string that begins at `at` ends, in valid JSON.
fn string_end(bytes: &[u8], at: usize) -> usize {
    let mut at = at + 1;
    loop {
        let rest = bytes.get(at..).unwrap_or_default();
        at += plain(rest);
        match bytes.get(at) {
            Some(b'"') => return at + 1,
            Some(b'\\') => at += 2,
            _ => return bytes.len(),
        }
    }
}

/// Where the number that begins at `at` ends.
fn number_end(bytes: &[u8], at: usize) -> usize {
    let rest = bytes.get(at..).unwrap_or_default();
    let is_part = |b: &&u8| matches!(**b, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E');
    at + rest.iter().take_while(is_part).count()
}

/// Whether it can be a person's secret: other numbers behind such a name are short.
fn is_long_number(number: &str) -> bool {
    number.len() >= 6 && number.bytes().all(|b| b.is_ascii_digit())
}

/// How many bytes stand before the first quote or backslash. Eight are looked at at once: a byte is zero if it borrows when one
/// is taken from it, and the lowest one that is marked is right.
fn plain(bytes: &[u8]) -> usize {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const HIGH: u64 = u64::from_ne_bytes([0x80; 8]);
    let zeros = |word: u64| word.wrapping_sub(ONES) & !word & HIGH;
    let (words, rest) = bytes.as_chunks::<8>();
    for (at, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let marked =
            zeros(word ^ (ONES * u64::from(b'"'))) | zeros(word ^ (ONES * u64::from(b'\\')));
        if marked != 0 {
            return at * 8 + marked.trailing_zeros() as usize / 8;
        }
    }
    let end = rest.iter().position(|b| matches!(b, b'"' | b'\\'));
    bytes.len() - rest.len() + end.unwrap_or(rest.len())
}

fn is_followed_by_colon(text: &str, at: usize) -> bool {
    let rest = text.get(at..).unwrap_or_default();
    rest.trim_ascii_start().starts_with(':')
}

/// The text of a JSON string. Half a character, as a client that cuts texts can write, becomes U+FFFD.
fn decoded(raw: &str) -> Cow<'_, str> {
    let inside = raw.get(1..raw.len().saturating_sub(1)).unwrap_or_default();
    if !inside.contains('\\') {
        return Cow::Borrowed(inside);
    }
    let text =
        serde_json::from_str(raw).or_else(|_| serde_json::from_str(&without_lone_surrogates(raw)));
    Cow::Owned(text.unwrap_or_else(|_| inside.to_owned()))
}
