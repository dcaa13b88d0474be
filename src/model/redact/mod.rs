//! Finds secrets by their shape or by what precedes them, and replaces each by `[redacted:rule]`,
//! called a redaction mark. This happens before a byte is written.
//!
//! One redactor serves everything that is recorded. [`Redactor::text`] takes plain text of any
//! kind. [`Redactor::json`] and [`Redactor::value`] take JSON, where the names of members tell
//! more. [`Redactor::transcript_line`] takes a line of Claude Code's transcript.
//!
//! One pass over the text (`scan`) reads each byte once. A small filter (`prefilter`, with its
//! tables in `fours` and `beginnings`) says where to look. There the pass looks for a key
//! (`shapes`, `keys`), a name that announces a secret (`names`, `foreign`), a program (`commands`),
//! a private key (`pem`) or a URL (`urls`). `values`, `looks` and `stand_ins` decide whether a
//! value is a secret.
//!
//! This is plain code without a library, because a hook runs it while a tool call waits. It knows
//! no file and no event.

mod beginnings;
mod byte_search;
mod commands;
mod foreign;
mod fours;
mod hashes;
mod json;
mod keys;
mod looks;
mod names;
mod pem;
mod prefilter;
mod scan;
mod shapes;
mod stand_ins;
mod tables;
#[cfg(test)]
mod tests;
mod texts;
mod urls;
mod values;
mod wallets;
mod words;

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::Value;

use scan::SecretScan;

/// How often each rule found a secret.
pub type Counts = BTreeMap<String, u64>;

/// Replaces secrets, and counts them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Redactor {
    counts: Counts,
}

/// The position of a secret in a text. `end` is the byte after the last one of the secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Secret {
    start: usize,
    end: usize,
    rule: &'static str,
}

/// The part of a text that a rule sees. It ends at the next redaction mark, or at the next secret
/// that was found, because a mark will replace that secret.
#[derive(Debug, Clone, Copy)]
struct View<'t> {
    text: &'t str,
    is_cut: bool,
    /// The end of the last secret or redaction mark. No rule looks at anything before it.
    barrier: usize,
}

impl<'t> View<'t> {
    fn whole(text: &'t str) -> Self {
        Self {
            text,
            is_cut: false,
            barrier: 0,
        }
    }

    fn bytes(self) -> &'t [u8] {
        self.text.as_bytes()
    }

    /// Returns the byte that the redacted text will have at `at`. Where a redaction mark will
    /// begin, this is `[`.
    fn byte(self, at: usize) -> Option<u8> {
        let byte = self.bytes().get(at).copied();
        byte.or_else(|| (self.is_cut && at == self.text.len()).then_some(b'['))
    }

    /// Returns whether a redaction mark begins at `at` or will begin there.
    fn touches(self, at: usize) -> bool {
        self.is_cut && at >= self.text.len()
    }
}

/// The beginning of a redaction mark, the `[redacted:rule]` that replaces a secret.
const MARK: &[u8] = b"[redacted";

/// Returns the length of the redaction mark at `at`, if there is one.
fn mark_at(bytes: &[u8], at: usize) -> Option<usize> {
    const LONGEST: usize = 64;
    let rest = bytes.get(at..)?.strip_prefix(MARK)?;
    let rule = rest.iter().take(LONGEST);
    let is_part =
        |b: &&u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(**b, b':' | b'-');
    let length = rule.take_while(is_part).count();
    (rest.get(length) == Some(&b']')).then_some(MARK.len() + length + 1)
}

/// Returns `text` with the secrets that the rules recognise redacted.
pub fn redact(text: &str) -> Cow<'_, str> {
    Redactor::default().text(text)
}

impl Redactor {
    /// Returns how often each rule has found a secret so far.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Returns how often each rule has found a secret.
    pub fn into_counts(self) -> Counts {
        self.counts
    }

    /// Returns `text` with the secrets that the rules recognise redacted. Redacting the result
    /// again changes nothing.
    pub fn text<'t>(&mut self, text: &'t str) -> Cow<'t, str> {
        self.scanned(text, SecretScan::new(text))
    }

    fn scanned<'t>(&mut self, text: &'t str, mut scan: SecretScan<'t>) -> Cow<'t, str> {
        let Some(first) = scan.next_secret() else {
            return Cow::Borrowed(text);
        };
        let mut clean = String::with_capacity(text.len() + 64);
        let mut copied = 0;
        let mut next = Some(first);
        // Most secrets are found by the same rule as the secret before.
        let (mut rule, mut count) = (first.rule, 0);
        while let Some(secret) = next {
            // If a rule cuts a character in two, no text may be lost.
            let start = text.floor_char_boundary(secret.start);
            clean.push_str(text.get(copied..start).unwrap_or_default());
            push_mark(&mut clean, secret.rule);
            if secret.rule != rule {
                self.count(rule, count);
                (rule, count) = (secret.rule, 0);
            }
            count += 1;
            copied = text.ceil_char_boundary(secret.end);
            next = scan.next_secret();
        }
        self.count(rule, count);
        clean.push_str(text.get(copied..).unwrap_or_default());
        Cow::Owned(clean)
    }

    /// Returns a JSON text with the secrets in its strings redacted. Every other byte stays as it
    /// is.
    ///
    /// After a name that announces a secret, the whole string is a secret. A text that is not JSON
    /// is redacted as plain text.
    pub fn json<'t>(&mut self, text: &'t str) -> Cow<'t, str> {
        json::redact(self, text, |_| false)
    }

    /// Redacts the secrets in a value, as [`Self::json`] does.
    pub fn value(&mut self, value: &mut Value) {
        let text = value.to_string();
        let clean = match self.json(&text) {
            Cow::Owned(clean) => serde_json::from_str(&clean).ok(),
            Cow::Borrowed(_) => None,
        };
        if let Some(clean) = clean {
            *value = clean;
        }
    }

    /// Returns a line of a transcript with its secrets redacted. A line without secrets is returned
    /// byte for byte.
    ///
    /// Ids and signatures stay, so that Claude Code can still read the line.
    pub fn transcript_line<'t>(&mut self, line: &'t str) -> Cow<'t, str> {
        const IDS: [&str; 16] = [
            "uuid",
            "parentUuid",
            "logicalParentUuid",
            "leafUuid",
            "sessionId",
            "session_id",
            "promptId",
            "agentId",
            "messageId",
            "sourceToolAssistantUUID",
            "sourceToolUseID",
            "requestId",
            "id",
            "signature",
            "tool_use_id",
            "toolUseID",
        ];
        json::redact(self, line, |name| IDS.contains(&name))
    }

    /// Redacts `word` if it is a key, or the key within it.
    ///
    /// A single word, such as an id, is judged only as a whole, because a part of it means nothing.
    pub fn word(&mut self, word: &mut String) {
        // Nearly all names are shorter than a key.
        if word.len() < shapes::SHORTEST {
            return;
        }
        let clean = match looks::is_identifier(word) {
            false => self.text(word),
            true => match keys::whole(word) {
                Some(key) => self.replaced(key.rule),
                None => return,
            },
        };
        if let Cow::Owned(clean) = clean {
            *word = clean;
        }
    }

    fn replaced(&mut self, rule: &str) -> Cow<'static, str> {
        let mut mark = String::new();
        self.mark(&mut mark, rule);
        Cow::Owned(mark)
    }

    /// Appends the redaction mark of `rule`, and counts it.
    fn mark(&mut self, clean: &mut String, rule: &str) {
        push_mark(clean, rule);
        self.count(rule, 1);
    }

    /// Counts `more` secrets that `rule` found.
    fn count(&mut self, rule: &str, more: u64) {
        match self.counts.get_mut(rule) {
            Some(count) => *count += more,
            None => {
                self.counts.insert(rule.to_owned(), more);
            }
        }
    }
}

fn push_mark(clean: &mut String, rule: &str) {
    clean.push_str("[redacted:");
    clean.push_str(rule);
    clean.push(']');
}

/// Returns whether `text` consists of one redaction mark.
fn is_mark(text: &str) -> bool {
    mark_at(text.as_bytes(), 0) == Some(text.len())
}
