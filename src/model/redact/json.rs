//! Redacts the strings of a JSON text without rewriting the rest.
//!
//! Only a string that contains a secret is rewritten. The order of members, white space, numbers
//! and Claude Code's escapes stay; a value of `serde_json` would lose them. The other modules
//! decide what is secret in a string.

use std::borrow::Cow;

use serde::de::IgnoredAny;

use super::names::{self, SecretKind};
use super::scan::{self, SecretScan};
use super::{Redactor, byte_search, is_mark, keys, looks, pem, stand_ins, values};
use crate::model::text::without_lone_surrogates;

/// What the beginning of an object or array tells about its next string.
#[derive(Debug, Clone, Copy, Default)]
struct StringContext {
    is_array: bool,
    /// The kind of secret that the member's name announces. In an array, this is the name of the
    /// member that has the array.
    telling: Option<SecretKind>,
    /// The kind of secret that the plural name of an array announces for each of its strings.
    telling_each: Option<SecretKind>,
    /// True if a placeholder, or something else that stands for a secret, is left as it is.
    is_doubtful: bool,
    /// True if the member's value names the next member: `"name": "DB_PASSWORD", "value": "…"`.
    names_value: bool,
    /// The kind of secret that this name announces for the member `value`.
    telling_value: Option<SecretKind>,
    /// The kind of secret that the object's name announces for its member `value`.
    telling_below: Option<SecretKind>,
    /// The kind of secret that the object's name announces for each of its members.
    telling_all: Option<SecretKind>,
    /// True if the member contains an id.
    is_id: bool,
    /// True if the member has the name of a private number of a JSON Web Key, such as `d`.
    is_number: bool,
    /// True if the member's name announces [`SecretKind::Hardly`]: its value is a secret only if it
    /// cannot be anything else.
    is_hardly: bool,
    /// True if a private key has begun in an array of lines.
    in_block: bool,
    /// In an array of arguments: the kind of secret that the preceding option announces.
    option: Option<SecretKind>,
}

/// Redacts the strings of `text`, except ids: the values of members whose names `is_id` accepts.
pub(super) fn redact<'t>(
    redactor: &mut Redactor,
    text: &'t str,
    is_id: fn(&str) -> bool,
) -> Cow<'t, str> {
    if serde_json::from_str::<IgnoredAny>(text).is_ok() {
        return pass(redactor, text, is_id).map_or(Cow::Borrowed(text), Cow::Owned);
    }
    let clean = redactor.text(text);
    // Without the secrets, the text may have become JSON.
    if matches!(clean, Cow::Owned(_)) && serde_json::from_str::<IgnoredAny>(&clean).is_ok() {
        let cleaner = pass(redactor, &clean, is_id);
        return cleaner.map_or(clean, Cow::Owned);
    }
    clean
}

/// Redacts the strings of a JSON text. Returns `None` if there was nothing to redact.
fn pass(redactor: &mut Redactor, text: &str, is_id: fn(&str) -> bool) -> Option<String> {
    let bytes = text.as_bytes();
    let mut clean = String::new();
    let mut copied = 0;
    let mut open = vec![StringContext::default()];
    // Whether the text has a JSON Web Key; `None` until a string needs to know.
    let mut has_web_key = None;
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let Some(around) = open.last_mut() else {
            break;
        };
        match byte {
            b'{' => {
                let object = StringContext {
                    telling_below: around.telling.filter(|of| is_person_or_machine(*of)),
                    telling_all: around
                        .telling_each
                        .filter(|_| !around.is_array)
                        .map(|_| SecretKind::Perhaps),
                    ..StringContext::default()
                };
                open.push(object);
            }
            b'[' => {
                let array = StringContext {
                    is_array: true,
                    telling: around.telling.or(around.telling_each),
                    is_doubtful: around.is_doubtful || around.telling.is_none(),
                    is_id: around.is_id,
                    ..StringContext::default()
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
                if !is_name && around.names_value {
                    let inside = bytes.get(at + 1..end.saturating_sub(1));
                    around.telling_value = inside.and_then(telling);
                }
                let string = decoded(raw);
                if around.is_number && !is_name {
                    around.is_number = *has_web_key
                        .get_or_insert_with(|| memchr::memmem::find(bytes, b"\"kty\"").is_some());
                }
                let redacted = if is_name {
                    around.member(&string);
                    around.is_id = is_id(&string);
                    redactor.text(&string)
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
                if around.telling == Some(SecretKind::Password) && is_long_number(number) {
                    clean.push_str(text.get(copied..at).unwrap_or_default());
                    let mark = redactor.replaced(scan::NAMED).into_owned();
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

impl StringContext {
    /// Records what the name of the next member tells about its value.
    fn member(&mut self, name: &str) {
        let named = self.telling_value.take();
        self.telling = telling(name.as_bytes());
        self.is_hardly = names::telling(name.as_bytes()) == Some(SecretKind::Hardly);
        self.is_number = matches!(name, "d" | "p" | "q" | "dp" | "dq" | "qi" | "k");
        self.is_doubtful = false;
        if matches!(name, "value" | "Value") && self.telling.is_none() {
            self.telling = named;
            self.is_doubtful = true;
        }
        if self.telling.is_none() && VALUES.contains(&name) {
            self.telling = self.telling_below;
            self.is_doubtful = true;
        }
        if self.telling.is_none() && self.telling_all.is_some() {
            self.telling = self.telling_all;
            self.is_doubtful = true;
        }
        self.names_value = matches!(name, "name" | "Name" | "key" | "Key");
        let one = name.strip_suffix(['s', 'S']);
        let telling_one = one.and_then(|one| telling(one.as_bytes()));
        self.telling_each = telling_one.map(|telling| match telling {
            SecretKind::Password => SecretKind::Password,
            // `tokens` and similar names often have other values than secrets.
            _ => SecretKind::Perhaps,
        });
    }
}

/// The members that hold the value of the name one level above.
const VALUES: [&str; 6] = [
    "value",
    "Value",
    "stringValue",
    "StringValue",
    "plaintext",
    "plainText",
];

fn is_person_or_machine(telling: SecretKind) -> bool {
    matches!(
        telling,
        SecretKind::Password | SecretKind::Key | SecretKind::Secret
    )
}

/// Returns the kind of secret that a member's name announces, except [`SecretKind::Hardly`].
fn telling(name: &[u8]) -> Option<SecretKind> {
    names::telling(name)
        .filter(|telling| !matches!(telling, SecretKind::Hardly | SecretKind::Several))
}

impl Redactor {
    /// Redacts a string that is a value, given what is known from `around` it.
    fn string<'t>(&mut self, string: &'t str, around: &mut StringContext) -> Cow<'t, str> {
        if around.is_id {
            return self.id(string);
        }
        let option = around.option.take();
        let telling = around
            .telling
            .or(option.filter(|_| !string.starts_with('-')));
        if telling == Some(SecretKind::Cookie) {
            return self.scanned(string, SecretScan::of_cookie(string));
        }
        if around.is_number && scan::is_web_number(string) {
            return self.replaced(pem::RULE);
        }
        if around.is_hardly && looks::is_surely_random(string) {
            return self.replaced(whole_key(string).unwrap_or(scan::NAMED));
        }
        let is_doubtful = around.is_doubtful;
        let is_secret = |string: &str| match telling {
            Some(SecretKind::Cookie) => false,
            Some(telling @ (SecretKind::Perhaps | SecretKind::Code | SecretKind::Phrase)) => {
                values::is_string_secret(string, telling)
            }
            Some(_) if is_doubtful => !stand_ins::is_stand_in(string),
            Some(SecretKind::Authorization) => true,
            Some(telling) => !values::is_label(string, telling),
            None => false,
        };
        // A string that looks like a label may no longer look like one without the secrets in it.
        let is_rest_secret =
            || matches!(super::redact(string), Cow::Owned(rest) if is_secret(&rest));
        let is_secret = is_secret(string) || telling.is_some() && is_rest_secret();
        if is_secret && !is_mark(string) {
            let shaped = whole_key(string);
            return self.replaced(shaped.unwrap_or(scan::NAMED));
        }
        if around.is_array {
            around.option = string
                .strip_prefix("--")
                .and_then(|name| self::telling(name.as_bytes()));
            if is_line_of_a_block(string, around) {
                return match is_mark(string) {
                    true => Cow::Borrowed(string),
                    false => self.replaced(pem::RULE),
                };
            }
        }
        self.text(string)
    }

    /// Redacts an id. An id is one word, and secret only if it cannot be anything else.
    fn id<'t>(&mut self, string: &'t str) -> Cow<'t, str> {
        match whole_key(string) {
            Some(rule) => self.replaced(rule),
            None if string.contains(char::is_whitespace) => self.text(string),
            None => Cow::Borrowed(string),
        }
    }
}

/// Returns whether a string in an array is a line of a private key.
fn is_line_of_a_block(string: &str, around: &mut StringContext) -> bool {
    around.in_block &= !pem::ends(string) && (is_mark(string) || pem::is_line(string));
    let is_within = around.in_block;
    around.in_block |= pem::is_open(string);
    is_within
}

/// Returns the rule that recognises all of `string` as one key.
fn whole_key(string: &str) -> Option<&'static str> {
    keys::whole(string).map(|key| key.rule)
}

/// Returns the end of the string that begins at `at`, in valid JSON.
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

/// Returns the end of the number that begins at `at`.
fn number_end(bytes: &[u8], at: usize) -> usize {
    let rest = bytes.get(at..).unwrap_or_default();
    let is_part = |b: &&u8| matches!(**b, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E');
    at + rest.iter().take_while(is_part).count()
}

/// Returns whether a number can be a person's secret. Counts and lengths with such a name are
/// shorter.
fn is_long_number(number: &str) -> bool {
    number.len() >= 6 && number.bytes().all(|b| b.is_ascii_digit())
}

/// Returns the number of bytes before the first quote or backslash.
fn plain(bytes: &[u8]) -> usize {
    byte_search::first_of([b'"', b'\\'], bytes).unwrap_or(bytes.len())
}

fn is_followed_by_colon(text: &str, at: usize) -> bool {
    let rest = text.get(at..).unwrap_or_default();
    rest.trim_ascii_start().starts_with(':')
}

/// Returns the text of a JSON string. Half of a surrogate pair becomes U+FFFD; programs that cut
/// texts may leave one.
fn decoded(raw: &str) -> Cow<'_, str> {
    let inside = raw.get(1..raw.len().saturating_sub(1)).unwrap_or_default();
    if !inside.contains('\\') {
        return Cow::Borrowed(inside);
    }
    let text =
        serde_json::from_str(raw).or_else(|_| serde_json::from_str(&without_lone_surrogates(raw)));
    Cow::Owned(text.unwrap_or_else(|_| inside.to_owned()))
}
