//! One pass over a text: words and what stands between them, from the first byte to the last.
//!
//! The pass takes in each byte once. At a word's end the rules look at the word, and at a bounded number of bytes before and
//! behind it. The pass keeps what they need to know of the text further back: the line's quotes and separators, the command
//! that runs, the table whose rows follow. It knows no rule: `word`, `gaps`, `announced`, `arguments` and `headers` do.
//!
//! # Why does redacted text stay as it is?
//! To all that follows, a secret that was found is the same as a mark that was there before. No rule looks behind either, and
//! neither changes what the pass keeps. No rule looks into one ahead, nor beyond: the text that a rule sees ends there
//! (`View`), and a rule that needs more refuses. What stands in a word before a secret is looked at as a word of its own. So in
//! the redacted text the pass sees what it saw in the original. Only a rule that had refused meets a mark, and refuses again.

mod announced;
mod arguments;
mod gaps;
mod headers;
mod word;

use crate::model::redact::commands::Program;
use crate::model::redact::filter;
use crate::model::redact::foreign;
use crate::model::redact::keys;
use crate::model::redact::names::SecretKind;
use crate::model::redact::tables::{Separator, Tables};
use crate::model::redact::values::quote_at;
use crate::model::redact::{MARK, Secret, View, find, mark_at};

pub(super) use word::is_web_number;

pub(super) const NAMED: &str = "named-secret";
pub(super) const AUTHORIZATION: &str = "authorization";
pub(super) const COOKIE: &str = "cookie";

/// The longest name that is looked at.
const MAX_NAME: usize = 64;
/// How much of what stands between two words is looked at at once.
const GAP: usize = 64;
/// How far behind a word another one may stand that belongs to it.
const NEAR: usize = 96;

/// What a byte is to the pass.
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

/// Returns whether words are made of it.
#[inline(always)]
pub(super) fn is_word(byte: u8) -> bool {
    class(byte) == Class::Word
}

/// The pairs of a cookie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pairs {
    /// They stand in a quote that opens there.
    Before(u8, usize),
    /// They stand in such quotes.
    Within(u8),
    /// They stand in none, up to the line's end.
    Bare,
}

impl Pairs {
    fn at(bytes: &[u8], at: usize) -> Self {
        quote_at(bytes, at).map_or(Self::Bare, |(quote, depth)| Self::Before(quote, at + depth))
    }
}

/// The pass, as far as it has come.
#[derive(Debug)]
pub(super) struct SecretScan<'t> {
    text: &'t str,
    /// All before is done.
    at: usize,
    /// Where the line begins.
    line: usize,
    /// The end of the last secret or mark: nothing looks behind it.
    barrier: usize,
    /// Secrets that were found further on, the next one last.
    pending: Vec<Secret>,
    /// Which quotes of the line are open, by kind and by the backslashes before them.
    open: [bool; 4],
    /// Where the word ends that is looked at, and a point in it.
    word_end: usize,
    point: usize,
    /// Up to where the line's quotes, separators and words are taken in.
    known: usize,
    /// Up to where every word is looked at.
    slow: usize,
    /// Up to where the filter has found nothing: but for a command's options no word before is looked at.
    quiet: usize,
    /// Up to where every word is looked at all the same, because a secret was found before it.
    loud: usize,
    /// Where the name ends at which the filter stopped, and what it says.
    told: Option<(usize, SecretKind)>,
    /// The program whose arguments these are.
    command: Option<&'static Program>,
    /// Whether it reads its standard input for a secret.
    reads_secret: bool,
    /// Whether the word has come that the program's options need.
    has_word: bool,
    /// Whether the pairs of a cookie stand here.
    cookie: Option<Pairs>,
    /// What the name says that was given as a value: `name: DB_PASSWORD`, and for how many words that holds.
    given: Option<(SecretKind, u8)>,
    tables: Tables,
    /// Up to where neither a pipe nor a line's end follows an `echo`.
    without_pipe: usize,
    /// The next mark that was in the text before, once that was asked for.
    mark: Option<Secret>,
    /// Whether the text has a JSON Web Key, once that was asked for.
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
            cookie: None,
            given: None,
            tables: Tables::default(),
            without_pipe: 0,
            mark: None,
            has_web_key: None,
        }
    }

    /// Returns the pass over the value of a cookie's header.
    pub(super) fn of_cookie(text: &'t str) -> Self {
        Self {
            cookie: Some(Pairs::Bare),
            ..Self::new(text)
        }
    }

    /// Returns the pass that looks at every word.
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
            let limit = self.limit();
            if self.at >= self.slow && self.at < limit && self.is_calm() {
                self.look_ahead(limit);
            }
            if (self.loud..self.quiet).contains(&self.at) && self.is_calm() && !self.is_in_command()
            {
                // Nothing is to be kept but what can be found out later.
                self.at = self.quiet;
            }
            // Between words.
            while let Some(&byte) = bytes.get(self.at) {
                match class(byte) {
                    _ if self.at >= limit => break,
                    Class::Word => break,
                    Class::Plain => self.at += 1,
                    class => {
                        self.between(byte, class, limit);
                        if self.limit() != limit {
                            break;
                        }
                    }
                }
            }
            let limit = self.limit();
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
            let found = found
                .map(|secret| without_announcement(view, secret))
                .filter(|secret| secret.end > secret.start);
            match found {
                Some(secret) if secret.start <= start => {
                    self.pass_over(secret);
                    return Some(secret);
                }
                // Further on: what else the word announces, or the part of it before, stands before that.
                Some(secret) => self.pending.push(secret),
                None => {
                    self.take_in(start, end);
                    self.at = end;
                }
            }
        }
    }

    /// Returns whether nothing but a command that runs says how to take in what comes next.
    fn is_calm(&self) -> bool {
        self.cookie.is_none()
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
        let Some(hit) = filter::next(bytes, self.barrier, self.at, limit) else {
            self.quiet = limit;
            self.slow = limit;
            return;
        };
        self.told = hit.telling.map(|telling| (hit.at, telling));
        let hit = hit.at;
        let before = bytes.get(self.at..hit).unwrap_or_default();
        let word = before.iter().rev().take_while(|byte| is_word(**byte));
        self.quiet = hit - word.count();
        let behind = bytes.get(hit..).unwrap_or_default().iter().take(GAP);
        let gap = match bytes.get(hit) {
            // The colour of a terminal.
            Some(0x1b) => behind.take_while(|byte| **byte != b'm').count() + 1,
            _ => behind.take_while(|byte| !is_word(**byte)).count(),
        };
        let rest = bytes.get(hit..).unwrap_or_default();
        self.slow = hit + gap.max(foreign::length_at(rest)) + 1;
    }

    /// Returns whether nothing can be in the word from `start` to `end`: the filter has found nothing there, and it is no option.
    fn is_quiet(&self, start: usize, end: usize) -> bool {
        start >= self.loud
            && end <= self.quiet
            && self.is_calm()
            && match self.text.as_bytes().get(start..end) {
                Some([b'-', ..] | [b'p']) => false,
                _ => self.before(start, 1) != b"\\",
            }
    }

    /// Takes in the quotes, the separators and the words of the line up to `to`.
    fn know(&mut self, to: usize) {
        let bytes = self.text.as_bytes();
        if to <= self.known {
            return;
        }
        // Of many lines only the last one counts.
        let unknown = bytes.get(self.known..to).unwrap_or_default();
        if unknown.len() > GAP
            && let Some(at) = find::last(b'\n', unknown)
        {
            self.begin_line(self.known + at + 1);
        }
        let mut at = self.known;
        while let Some(&byte) = bytes.get(at).filter(|_| at < to) {
            match class(byte) {
                Class::Word => {
                    let rest = bytes.get(at..to).unwrap_or_default();
                    let length = rest.iter().position(|byte| !is_word(*byte));
                    if at > self.barrier.max(self.line)
                        && matches!(byte, b'n' | b'r')
                        && bytes.get(at - 1) == Some(&b'\\')
                    {
                        self.begin_line(at + 1);
                    }
                    self.tables.word();
                    at += length.unwrap_or(rest.len());
                    continue;
                }
                Class::Quote => {
                    let escaped = self.before(at, 1) == b"\\";
                    let kind = usize::from(byte == b'\'') + 2 * usize::from(escaped);
                    // Of `it's`: what stands behind may be a secret, and is not looked at.
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

    /// Returns where the next mark or the next of the secrets begins that are known, or the text ends.
    fn limit(&self) -> usize {
        let mark = self.mark.map_or(self.text.len(), |mark| mark.start);
        let next = self.pending.last();
        next.map_or(mark, |secret| secret.start.min(mark))
    }

    /// Looks for the next mark, from `from` on.
    fn find_mark(&mut self, from: usize) {
        let bytes = self.text.as_bytes();
        self.mark = None;
        let mut from = from;
        while let Some(at) = find::part(MARK, bytes.get(from..).unwrap_or_default()) {
            let start = from + at;
            if let Some(length) = mark_at(bytes, start) {
                self.mark = Some(Secret {
                    start,
                    end: start + length,
                    rule: NAMED,
                });
                return;
            }
            from = start + 1;
        }
    }

    fn pass_over(&mut self, secret: Secret) {
        self.know(secret.start);
        self.at = secret.end;
        self.known = secret.end;
        self.barrier = secret.end;
        // A word may begin there that the filter has seen as a part of another.
        self.loud = secret.end + foreign::LONGEST;
        self.tables.secret();
        if self.mark.is_some_and(|mark| mark.start < secret.end) {
            self.find_mark(secret.end);
        }
    }

    /// Keeps what is to be known of a word for what follows.
    fn take_in(&mut self, start: usize, end: usize) {
        self.given = self
            .given
            .and_then(|(telling, words)| Some((telling, words.checked_sub(1)?)));
        let word = self.text.as_bytes().get(start..end).unwrap_or_default();
        if let Some(program) = self.command
            && let Some(needed) = program.only_after
        {
            self.has_word |= word == needed.as_bytes();
        }
        if word.ends_with(b"-END") {
            self.reset();
            self.begin_line(end);
        }
    }

    /// Adds a secret to those that are known, if it begins before them.
    fn propose(&mut self, secret: Option<Secret>) {
        let limit = self.limit();
        self.pending
            .extend(secret.filter(|secret| secret.start < limit && secret.end > secret.start));
    }

    fn view(&self, limit: usize) -> View<'t> {
        View {
            text: self.text.get(..limit).unwrap_or(self.text),
            is_cut: limit < self.text.len(),
            barrier: self.barrier,
        }
    }

    /// Returns whether a string is open in the line at `at`.
    fn is_quoted(&mut self, at: usize) -> bool {
        self.know(at);
        self.open.iter().any(|open| *open)
    }

    /// Returns at most so many bytes before `at`, none of them of a secret or behind one.
    fn before(&self, at: usize, most: usize) -> &'t [u8] {
        let from = self.barrier.max(at.saturating_sub(most));
        self.text.as_bytes().get(from..at).unwrap_or_default()
    }
}

/// A named secret under the rule of its own shape, if all of it has one.
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

/// `secret` without what announces another one at its end, as in `A=x/Bearer y`: it must not be gone when the other is looked
/// for.
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
