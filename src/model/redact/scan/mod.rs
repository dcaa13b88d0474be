//! One pass over a text, from the first byte to the last: words, and the bytes between them.
//!
//! The pass reads each byte once. At the end of a word, the rules look at the word, and at a
//! limited number of bytes before and after it. The pass keeps what they need to know of earlier
//! text: the quotes and separators of the line, the current command, the table whose rows follow.
//! The rules are in `word`, `gaps`, `announced`, `arguments` and `headers`.
//!
//! Each rule looks at a word once. A secret that it finds after the word is kept, and the next
//! rules see the text up to that secret. If a secret begins within the word, the part before it
//! becomes a separate word.
//!
//! # Why does redacting a redacted text change nothing?
//! A redaction mark is the `[redacted:rule]` that replaces a secret. For the text after it, a
//! secret that was found is the same as a mark that was there before. No rule looks back beyond
//! either, and neither changes what the pass keeps. Nor does a rule look into or beyond a secret or
//! a mark ahead: the text that a rule sees ends there (`View`), and a rule that needs more finds
//! nothing. So in the redacted text the pass sees what it saw in the original. Only a rule that
//! found nothing meets a mark, and again finds nothing.

mod announced;
mod arguments;
mod calls;
mod gaps;
mod groups;
mod headers;
mod notations;
mod word;

use arguments::Reader;

use crate::model::redact::commands::Program;
use crate::model::redact::foreign;
use crate::model::redact::keys;
use crate::model::redact::names::SecretKind;
use crate::model::redact::prefilter;
use crate::model::redact::tables::{Separator, Tables};
use crate::model::redact::values::{Value, Verdict, quote_at};
use crate::model::redact::{MARK, Secret, View, byte_search, mark_at};

pub(super) use word::is_web_number;

pub(super) const NAMED: &str = "named-secret";
pub(super) const AUTHORIZATION: &str = "authorization";
pub(super) const COOKIE: &str = "cookie";

/// How many bytes of a text are searched back for a name.
const MAX_NAME: usize = 64;
/// How many bytes between two words are searched at once.
const GAP: usize = 64;
/// How many bytes after a word another word may still belong to it.
const NEAR: usize = 96;

/// How the pass classifies a byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Class {
    Word,
    Plain,
    Line,
    Quote,
    Less,
    Separator,
    Stop,
    High,
    Escape,
}

static CLASSES: [Class; 256] = classes();

#[allow(
    clippy::indexing_slicing,
    reason = "evaluated by the compiler: what is out of bounds does not build"
)]
const fn classes() -> [Class; 256] {
    let mut classes = [Class::Plain; 256];
    let mut at = 0;
    while at < 256 {
        let byte = at as u8;
        classes[at] = match byte {
            b'_' | b'-' | b'.' => Class::Word,
            b'\n' => Class::Line,
            b'"' | b'\'' => Class::Quote,
            b'<' | b'>' => Class::Less,
            b',' | b'\t' => Class::Separator,
            b';' | b'|' | b'&' => Class::Stop,
            128..=255 => Class::High,
            0x1b => Class::Escape,
            _ if byte.is_ascii_alphanumeric() => Class::Word,
            _ => Class::Plain,
        };
        at += 1;
    }
    classes
}

#[inline(always)]
fn class(byte: u8) -> Class {
    CLASSES
        .get(usize::from(byte))
        .copied()
        .unwrap_or(Class::Plain)
}

/// Returns whether `byte` can be part of a word.
#[inline(always)]
pub(super) fn is_word(byte: u8) -> bool {
    class(byte) == Class::Word
}

/// How the pairs of a cookie are quoted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pairs {
    /// In quotes of this kind, which will open at this position.
    Before(u8, usize),
    /// In quotes of this kind, which are open.
    Within(u8),
    /// Without quotes, up to the end of the line.
    Bare,
}

impl Pairs {
    fn at(bytes: &[u8], at: usize) -> Self {
        quote_at(bytes, at).map_or(Self::Bare, |(quote, depth)| Self::Before(quote, at + depth))
    }
}

/// The state of the pass.
#[derive(Debug)]
pub(super) struct SecretScan<'t> {
    text: &'t str,
    /// The position of the next byte. Everything before it is done.
    at: usize,
    /// The position at which the current line begins.
    line: usize,
    /// The end of the last secret or redaction mark. No rule looks at anything before it.
    barrier: usize,
    /// Secrets that were found after `at`. The last one in the list begins first.
    pending: Vec<Secret>,
    /// Where the pass stops next: at the next redaction mark or pending secret, whichever begins
    /// first, or else at the end of the text.
    limit: usize,
    /// Which quotes of the line are open, by kind and by the backslashes before them.
    open: [bool; 4],
    /// The end of the current word, and the position of a `.` in it.
    word_end: usize,
    point: usize,
    /// The position up to which the quotes, separators and words of the line are counted.
    known: usize,
    /// The position up to which the rules look at every word.
    slow: usize,
    /// The position up to which the filter has found nothing. The rules look only at the options of
    /// commands.
    quiet: usize,
    /// The position up to which the rules look at every word although the filter found nothing. A
    /// secret ends shortly before it.
    loud: usize,
    /// The end of the name at which the filter stopped, and the kind of secret that the name
    /// announces.
    told: Option<(usize, SecretKind)>,
    /// The program whose arguments the pass is reading.
    command: Option<&'static Program>,
    /// True if the program reads a secret from its standard input.
    reads_secret: bool,
    /// True if the word that must precede the program's options has occurred.
    has_word: bool,
    /// True if the arguments `NAME=value` of the program have secrets.
    assigns: bool,
    /// True if the pass is among the parameters of the header `Authorization`.
    has_parameters: bool,
    /// How the pairs of a cookie are quoted, while the pass is among them.
    cookie: Option<Pairs>,
    /// The kind of secret that a value has announced, as in `name: DB_PASSWORD`, and for how many
    /// more words this is remembered.
    given: Option<(SecretKind, u8)>,
    tables: Tables,
    /// The beginning and the length of the last long value that turned out to be a stand-in.
    stand_in: (usize, usize),
    /// The position up to which there is no pipe and no end of the line after an `echo`.
    without_pipe: usize,
    /// The last pipe after an `echo`, the end of the text that was seen, and what [`Self::piped`]
    /// found after that pipe.
    reader: Option<(usize, usize, Option<Reader>)>,
    /// The next redaction mark that was already in the text.
    mark: Option<Secret>,
    /// Whether the text has a JSON Web Key; `None` until a rule needs to know.
    has_web_key: Option<bool>,
}

impl<'t> SecretScan<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self {
            text,
            at: 0,
            line: 0,
            barrier: 0,
            pending: Vec::new(),
            limit: text.len(),
            open: [false; 4],
            word_end: 0,
            point: 0,
            known: 0,
            slow: 0,
            quiet: 0,
            loud: 0,
            told: None,
            command: None,
            reads_secret: false,
            has_word: false,
            assigns: false,
            has_parameters: false,
            cookie: None,
            given: None,
            tables: Tables::default(),
            stand_in: (0, 0),
            without_pipe: 0,
            reader: None,
            mark: None,
            has_web_key: None,
        }
    }

    /// Returns a pass over the value of a `Cookie` header.
    pub(super) fn of_cookie(text: &'t str) -> Self {
        Self {
            cookie: Some(Pairs::Bare),
            ..Self::new(text)
        }
    }

    /// Returns a pass without the filter, in which the rules look at every word.
    #[cfg(test)]
    pub(super) fn thorough(text: &'t str) -> Self {
        Self {
            slow: usize::MAX,
            ..Self::new(text)
        }
    }

    /// Returns the next secret.
    pub(super) fn next_secret(&mut self) -> Option<Secret> {
        let bytes = self.text.as_bytes();
        if self.at == 0 {
            self.find_mark(0);
        }
        loop {
            let limit = self.limit;
            if self.at >= self.slow && self.at < limit && self.is_calm() {
                self.look_ahead(limit);
            }
            if (self.loud..self.quiet).contains(&self.at) && self.is_calm() && !self.is_in_command()
            {
                // `know` counts the quotes and separators of this part later.
                self.at = self.quiet;
            }
            // Go to the next word.
            while let Some(&byte) = bytes.get(self.at) {
                match class(byte) {
                    _ if self.at >= limit => break,
                    Class::Word => break,
                    Class::Plain => self.at += 1,
                    class => {
                        self.between(byte, class, limit);
                        if self.limit != limit {
                            break;
                        }
                    }
                }
            }
            let limit = self.limit;
            if self.at >= limit {
                if let Some(secret) = self.pending.pop_if(|secret| secret.start <= limit) {
                    self.pass_over(secret);
                    return Some(secret);
                }
                self.pass_over(self.mark?);
                continue;
            }
            let start = self.at;
            if start >= self.word_end {
                let rest = bytes.get(start..).unwrap_or_default();
                let length = rest.iter().position(|byte| !is_word(*byte));
                self.word_end = start + length.unwrap_or(rest.len());
            }
            let end = self.word_end.min(limit);
            if end == start {
                continue;
            }
            if self.is_quiet(start, end) {
                self.take_in(start, end);
                self.at = end;
                continue;
            }
            let view = self.view(limit);
            let found = self.word(view, start, end);
            match found.and_then(|secret| replaced_part(view, secret)) {
                Some(secret) if secret.start <= start => {
                    self.pass_over(secret);
                    return Some(secret);
                }
                // The part of the word before the secret becomes a separate word.
                Some(secret) if secret.start < end => self.keep(secret),
                found => {
                    if let Some(secret) = found {
                        self.keep(secret);
                    }
                    self.take_in(start, end);
                    self.at = end;
                }
            }
        }
    }

    /// Returns whether the pass keeps nothing that could affect the next words, apart from a
    /// command.
    fn is_calm(&self) -> bool {
        self.cookie.is_none()
            && !self.assigns
            && !self.has_parameters
            && self.given.is_none()
            && self.pending.is_empty()
            && !self.tables.is_active()
    }

    fn is_in_command(&self) -> bool {
        self.command.is_some() || self.reads_secret
    }

    /// Asks the filter where to look next, before `limit`.
    fn look_ahead(&mut self, limit: usize) {
        let bytes = self.text.as_bytes();
        let Some(hit) = prefilter::next(bytes, self.barrier, self.at, limit) else {
            self.quiet = limit;
            self.slow = limit;
            return;
        };
        self.told = hit.telling.map(|telling| (hit.at, telling));
        let hit = hit.at;
        let before = bytes.get(self.at..hit).unwrap_or_default();
        let gap = before.iter().rposition(|byte| !is_word(*byte));
        self.quiet = self.at + gap.map_or(0, |gap| gap + 1);
        let behind = bytes.get(hit..).unwrap_or_default().iter().take(GAP);
        let gap = match bytes.get(hit) {
            // The code of a terminal's colour.
            Some(0x1b) => behind.take_while(|byte| **byte != b'm').count() + 1,
            _ => behind.take_while(|byte| !is_word(**byte)).count(),
        };
        let rest = bytes.get(hit..).unwrap_or_default();
        self.slow = hit + gap.max(foreign::length_at(rest)) + 1;
    }

    /// Returns whether the rules can skip the word from `start` to `end`. They can if the filter
    /// found nothing there and the word is not an option.
    fn is_quiet(&self, start: usize, end: usize) -> bool {
        start >= self.loud
            && end <= self.quiet
            && self.is_calm()
            && match self.text.as_bytes().get(start..end) {
                Some([b'-', ..] | [b'p']) => false,
                _ => match self.byte_before(start) {
                    Some(b'\\') => false,
                    Some(b'/') => !self.is_in_command(),
                    _ => true,
                },
            }
    }

    /// Counts the quotes, the separators and the words of the line up to `to`.
    fn know(&mut self, to: usize) {
        let bytes = self.text.as_bytes();
        if to <= self.known {
            return;
        }
        // Only the last line in this part matters.
        let unknown = bytes.get(self.known..to).unwrap_or_default();
        if unknown.len() > GAP
            && let Some(at) = byte_search::last(b'\n', unknown)
        {
            self.begin_line(self.known + at + 1);
        }
        let mut at = self.known;
        while let Some(&byte) = bytes.get(at).filter(|_| at < to) {
            match class(byte) {
                Class::Word => {
                    let rest = bytes.get(at..to).unwrap_or_default();
                    let length = rest.iter().position(|byte| !is_word(*byte));
                    if matches!(byte, b'n' | b'r')
                        && at > self.line
                        && self.byte_before(at) == Some(b'\\')
                    {
                        self.begin_line(at + 1);
                    }
                    self.tables.word();
                    at += length.unwrap_or(rest.len());
                    continue;
                }
                Class::Quote => {
                    let escaped = self.byte_before(at) == Some(b'\\');
                    let kind = usize::from(byte == b'\'') + 2 * usize::from(escaped);
                    // The apostrophe of `it's` follows two letters. It does not open a string,
                    // because the text after it may be a secret.
                    let is_apostrophe = byte == b'\''
                        && self.open.get(kind) == Some(&false)
                        && matches!(self.before(at, 2), [before, last] if before.is_ascii_alphabetic() && last.is_ascii_alphabetic());
                    if !is_apostrophe && let Some(open) = self.open.get_mut(kind) {
                        *open = !*open;
                    }
                }
                Class::Separator | Class::Stop if self.open.first() == Some(&false) => {
                    if let Some(separator) = Separator::of(byte) {
                        self.tables.separator(separator);
                    }
                }
                Class::Line => self.begin_line(at + 1),
                _ => {}
            }
            at += 1;
        }
        self.known = to;
    }

    fn begin_line(&mut self, at: usize) {
        self.open = [false; 4];
        self.tables.begin_line();
        self.line = at;
        self.known = at;
    }

    /// Finds the next redaction mark from `from` on.
    fn find_mark(&mut self, from: usize) {
        let bytes = self.text.as_bytes();
        self.mark = None;
        let mut from = from;
        while let Some(at) = byte_search::part(MARK, bytes.get(from..).unwrap_or_default()) {
            let start = from + at;
            if let Some(length) = mark_at(bytes, start) {
                self.mark = Some(Secret {
                    start,
                    end: start + length,
                    rule: NAMED,
                });
                break;
            }
            from = start + 1;
        }
        self.limit = self.mark.map_or(bytes.len(), |mark| mark.start);
    }

    fn pass_over(&mut self, secret: Secret) {
        self.know(secret.start);
        self.at = secret.end;
        self.known = secret.end;
        self.barrier = secret.end;
        // The filter's answer about this name depended on text before the new barrier.
        self.told = None;
        // For the filter, the next word was a part of a longer one.
        self.loud = secret.end + foreign::LONGEST;
        self.tables.secret();
        if self.mark.is_some_and(|mark| mark.start < secret.end) {
            self.find_mark(secret.end);
        }
        let mark = self.mark.map_or(self.text.len(), |mark| mark.start);
        let next = self.pending.last();
        self.limit = next.map_or(mark, |secret| secret.start.min(mark));
    }

    /// Keeps what the next words need to know of this one.
    fn take_in(&mut self, start: usize, end: usize) {
        if let Some((telling, words)) = self.given {
            let left = words.checked_sub(1);
            self.given = left.map(|left| (telling, left));
        }
        let word = self.text.as_bytes().get(start..end).unwrap_or_default();
        if let Some(program) = self.command
            && let Some(needed) = program.only_after
        {
            self.has_word |= word == needed.as_bytes();
        }
        if let [.., b'-', b'E', b'N', b'D'] = word {
            self.reset();
            self.begin_line(end);
        }
    }

    /// Adds a secret to the pending ones, if it begins before all of them.
    fn propose(&mut self, secret: Option<Secret>) {
        let limit = self.limit;
        if let Some(secret) =
            secret.filter(|secret| secret.start < limit && secret.end > secret.start)
        {
            self.keep(secret);
        }
    }

    /// Adds a secret that begins before all pending ones.
    fn keep(&mut self, secret: Secret) {
        self.limit = secret.start;
        self.pending.push(secret);
    }

    /// If a secret begins after the word, which ends at `end`: adds the secret, and lets `view` end
    /// there for the next rules. Returns false if the secret begins within the word.
    ///
    /// The earlier rules need not look again, because they found nothing with more in view.
    fn is_ahead(&mut self, view: &mut View<'t>, end: usize, secret: Secret) -> bool {
        let Some(secret) = replaced_part(*view, secret).filter(|secret| secret.start >= end) else {
            return false;
        };
        self.keep(secret);
        *view = self.view(secret.start);
        true
    }

    fn view(&self, limit: usize) -> View<'t> {
        View {
            text: self.text.get(..limit).unwrap_or(self.text),
            is_cut: limit < self.text.len(),
            barrier: self.barrier,
        }
    }

    /// Returns whether `value` is a secret, given the kind of name that announces it.
    ///
    /// A long stand-in is judged once, however many names announce it.
    fn is_secret(&mut self, value: &Value<'_>, telling: SecretKind) -> bool {
        const LONG: usize = 16;
        let text = (value.start(), value.text().len());
        if text == self.stand_in {
            return false;
        }
        let verdict = value.verdict(telling);
        if verdict == Verdict::StandIn && text.1 >= LONG {
            self.stand_in = text;
        }
        verdict == Verdict::Secret
    }

    /// Returns whether a string is open in the line at `at`.
    fn is_quoted(&mut self, at: usize) -> bool {
        self.know(at);
        self.open.iter().any(|open| *open)
    }

    /// Returns at most `most` bytes before `at`, but none of the last secret or redaction mark.
    fn before(&self, at: usize, most: usize) -> &'t [u8] {
        let from = self.barrier.max(at.saturating_sub(most));
        self.text.as_bytes().get(from..at).unwrap_or_default()
    }

    /// Returns the byte before `at`, unless it belongs to the last secret or redaction mark.
    fn byte_before(&self, at: usize) -> Option<u8> {
        let before = at.checked_sub(1).filter(|before| *before >= self.barrier)?;
        self.text.as_bytes().get(before).copied()
    }
}

/// Returns `named` with the rule of a key, if it is a key as a whole.
pub(super) fn by_shape(view: View<'_>, named: Secret) -> Secret {
    let text = view.text.get(named.start..named.end);
    let shaped = text.and_then(keys::whole);
    match shaped {
        Some(shaped) => Secret {
            rule: shaped.rule,
            ..named
        },
        None => named,
    }
}

/// Returns the part of `secret` that will be replaced; `None` if nothing is left.
fn replaced_part(view: View<'_>, secret: Secret) -> Option<Secret> {
    let secret = without_announcement(view, secret);
    (secret.end > secret.start).then_some(secret)
}

/// Returns `secret` without a word at its end that announces the next secret, as in `A=x/Bearer y`.
/// The pass needs that word to find the next secret.
fn without_announcement(view: View<'_>, secret: Secret) -> Secret {
    let value = view
        .bytes()
        .get(secret.start..secret.end)
        .unwrap_or_default();
    let scheme = value.len().saturating_sub("Bearer".len());
    let is_announced = value
        .get(scheme..)
        .is_some_and(|end| end.eq_ignore_ascii_case(b"bearer"))
        && value
            .get(..scheme)
            .and_then(<[u8]>::last)
            .is_some_and(|b| !b.is_ascii_alphanumeric());
    match is_announced {
        true => Secret {
            end: secret.start + scheme,
            ..secret
        },
        false => secret,
    }
}
