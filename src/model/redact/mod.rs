//! Secrets, found by their shape or by what stands before them, and replaced before a byte is written.
//!
//! One redactor for everything that is recorded, whatever its form: [`Redactor::text`] for plain text of any kind,
//! [`Redactor::json`] and [`Redactor::value`] for JSON, whose members' names tell more, [`Redactor::transcript_line`] for
//! a line of the client's transcript. In the place of a secret stands `[redacted:rule]`.
//!
//! A pass over the text looks at each byte once, through a small filter (`spots`); only where that says so, at a separator
//! or an option for the name before it (`context`), at a dash for a block (`pem`), and at a word's start for the beginning of a
//! key (`shapes`). It is plain code without a library, because a hook does it while a tool call waits.

mod context;
mod json;
mod names;
mod pem;
mod shapes;
mod spots;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::Value;

/// How often each rule found a secret.
pub type Counts = BTreeMap<String, u64>;

/// Replaces secrets, and counts them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Redactor {
    counts: Counts,
}

/// A secret in a text, from one byte to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Secret {
    start: usize,
    end: usize,
    rule: &'static str,
}

/// `text` without the secrets that could be recognised in it.
pub fn redact(text: &str) -> Cow<'_, str> {
    Redactor::default().text(text)
}

impl Redactor {
    /// How often each rule has found a secret so far.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// How often each rule has found a secret.
    pub fn into_counts(self) -> Counts {
        self.counts
    }

    /// `text` without the secrets that could be recognised in it. What it returns, it would return unchanged.
    pub fn text<'t>(&mut self, text: &'t str) -> Cow<'t, str> {
        let mut clean = Cow::Borrowed(text);
        // What stood beside a secret may be one itself, now that it stands beside a mark. Each pass leaves less of the
        // original text, so there is a last one.
        while let Some(cleaner) = self.pass(&clean) {
            clean = Cow::Owned(cleaner);
        }
        clean
    }

    /// A JSON text without the secrets in its strings: every other byte stays as it is. Behind a telling name a whole
    /// string is a secret. What is no JSON is redacted as text.
    pub fn json<'t>(&mut self, text: &'t str) -> Cow<'t, str> {
        json::redact(self, text, |_| false)
    }

    /// Takes the secrets out of a value, as [`Self::json`] does.
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

    /// A line of a transcript without its secrets. Ids and signatures stay, so that the client can still read it; a line
    /// without secrets comes back as it is, byte for byte.
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

    /// Takes a name or an id out that is a key or holds one. An id is no text: of one that is a single word only the whole is
    /// judged, so that no part of it is taken for what it is not.
    pub fn word(&mut self, word: &mut String) {
        // Hardly a name is as long as a key.
        if word.len() < shapes::SHORTEST {
            return;
        }
        let clean = match names::is_identifier(word) {
            false => self.text(word),
            true => match next_secret(word, 0) {
                Some(key) if key.end - key.start == word.len() => self.replaced(key.rule),
                _ => return,
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

    fn pass(&mut self, text: &str) -> Option<String> {
        let mut clean = String::new();
        let mut copied = 0;
        let mut glued = None;
        while let Some(secret) = glued.take().or_else(|| next_secret(text, copied)) {
            clean.push_str(text.get(copied..secret.start)?);
            self.mark(&mut clean, secret.rule);
            copied = secret.end;
            glued = secret_glued_at(text, copied);
        }
        if copied == 0 {
            return None;
        }
        clean.push_str(text.get(copied..)?);
        Some(clean)
    }

    /// Puts the mark of `rule` where a secret was.
    fn mark(&mut self, clean: &mut String, rule: &str) {
        clean.push_str("[redacted:");
        clean.push_str(rule);
        clean.push(']');
        *self.counts.entry(rule.to_owned()).or_default() += 1;
    }
}

/// The first secret in `text` from `from` on.
fn next_secret(text: &str, from: usize) -> Option<Secret> {
    let mut next = from;
    while let Some(spot) = spots::next(text.as_bytes(), next) {
        let found = (spot.at..spot.end).find_map(|at| secret_at(text, at, from));
        if found.is_some() {
            return found;
        }
        next = spot.end;
    }
    None
}

/// The secret that begins at `at`, right behind another. Once a mark stands there the next pass would find it; but of a
/// thousand keys in one word each pass would find one.
fn secret_glued_at(text: &str, at: usize) -> Option<Secret> {
    let found = secret_at(text.get(at..)?, 0, 0)?;
    let glued = Secret {
        start: at + found.start,
        end: at + found.end,
        ..found
    };
    Some(glued).filter(|_| found.start == 0)
}

/// The secret that is announced at `at`, of which `from` is the earliest beginning.
fn secret_at(text: &str, at: usize, from: usize) -> Option<Secret> {
    let bytes = text.as_bytes();
    let found = match *bytes.get(at)? {
        b'=' | b':' | b'>' => {
            context::after_separator(text, at).map(|named| by_shape(bytes, named))
        }
        b'-' => pem::block_at(text, at).or_else(|| context::after_option(text, at)),
        b'm' => context::netrc(text, at),
        b'I' => context::identified(text, at),
        _ => None,
    };
    let secret = found.or_else(|| shapes::key_at(bytes, at))?;
    let secret = Secret {
        start: secret.start.max(from),
        ..secret
    };
    let secret = context::without_announcement(text, secret);
    let is_left = !text.get(secret.start..secret.end).is_none_or(is_mark);
    is_left.then_some(secret)
}

/// A named secret under the rule of its own shape, if all of it has one.
fn by_shape(bytes: &[u8], named: Secret) -> Secret {
    let shaped = shapes::key_at(bytes, named.start);
    shaped
        .filter(|shaped| (shaped.start, shaped.end) == (named.start, named.end))
        .unwrap_or(named)
}

/// Whether nothing but a mark stands in the place of a secret.
fn is_mark(text: &str) -> bool {
    let Some(rule) = text
        .strip_prefix("[redacted")
        .and_then(|rest| rest.strip_suffix(']'))
    else {
        return text.is_empty();
    };
    rule.bytes()
        .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b':' | b'-'))
}
