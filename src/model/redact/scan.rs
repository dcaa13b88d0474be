//! One pass over a text: words and what stands between them, from the first byte to the last.
//!
//! Each byte is taken in once. At a word's end the rules look at the word, a bounded number of bytes before it and behind it.
//! What they need to know of the text further back is kept along the way: the line's quotes and separators, the command that
//! runs, the table whose rows follow.
//!
//! # Why what is redacted is left alone
//! A secret that was found and a mark that was there before are the same to all that follows: no rule looks behind them, and
//! neither changes what is kept along the way. No rule looks into one ahead either, nor beyond: the text that a rule sees ends
//! there (`View`), and one that would need to see more refuses. What stands in a word before a secret is looked at as a word of its
//! own. So of the redacted text the pass sees what it saw of the original, except that rules which had refused meet a mark, and
//! refuse again.

use super::commands::{self, Program, Takes};
use super::filter;
use super::names::{self, Telling};
use super::tables::{Separator, Tables};
use super::values::{self, Form, Value, quote_at, skip_blanks};
use super::{MARK, Secret, View, mark_at, pem, shapes, urls};

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

/// Whether words are made of it.
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
pub(super) struct Scan<'t> {
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
    /// Where the name ends at which the filter stopped, and what it says.
    told: Option<(usize, Telling)>,
    /// The program whose arguments these are.
    command: Option<&'static Program>,
    /// Whether it reads its standard input for a secret.
    reads_secret: bool,
    /// Whether the word has come that the program's options need.
    has_word: bool,
    /// Whether the pairs of a cookie stand here.
    cookie: Option<Pairs>,
    /// What the name says that was given as a value: `name: DB_PASSWORD`, and for how many words that holds.
    given: Option<(Telling, u8)>,
    tables: Tables,
    /// Up to where neither a pipe nor a line's end follows an `echo`.
    without_pipe: usize,
    /// The next mark that was in the text before, once that was asked for.
    mark: Option<Secret>,
    /// Whether the text has a JSON Web Key, once that was asked for.
    has_web_key: Option<bool>,
}

impl<'t> Scan<'t> {
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

    /// The pass over the value of a cookie's header.
    pub(super) fn of_cookie(text: &'t str) -> Self {
        Self {
            cookie: Some(Pairs::Bare),
            ..Self::new(text)
        }
    }

    /// The pass that looks at every word.
    #[cfg(test)]
    pub(super) fn thorough(text: &'t str) -> Self {
        Self {
            slow: usize::MAX,
            ..Self::new(text)
        }
    }

    /// The next secret.
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
            if self.at < self.quiet && self.is_calm() && !self.is_in_command() {
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

    /// Whether nothing but a command that runs says how to take in what comes next.
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
        self.slow = hit + gap.max(names::foreign_at(rest)) + 1;
    }

    /// Whether nothing can be in the word from `start` to `end`: the filter has found nothing there, and it is no option.
    fn is_quiet(&self, start: usize, end: usize) -> bool {
        end <= self.quiet
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
            && let Some(at) = memchr::memrchr(b'\n', unknown)
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

    /// Where the next mark or the next of the secrets begins that are known, or the text ends.
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
        // Most texts have no such sign, and it costs least to look for that.
        let sign = memchr::memchr(b'[', bytes.get(from..).unwrap_or_default());
        let Some(sign) = sign else {
            return;
        };
        from += sign;
        while let Some(at) = memchr::memmem::find(bytes.get(from..).unwrap_or_default(), MARK) {
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
        if self.quiet > secret.end {
            // A word may begin there that the filter has seen as a part of another.
            self.quiet = secret.end;
            self.slow = secret.end + names::LONGEST_FOREIGN;
        }
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

    /// Takes in a byte between words that can matter.
    fn between(&mut self, byte: u8, class: Class, limit: usize) {
        let bytes = self.text.as_bytes();
        let at = self.at;
        self.at += 1;
        match class {
            Class::Line => {
                let goes_on = self.before(at, 1) == b"\\";
                self.end_line(goes_on);
                self.cell(limit);
            }
            Class::Quote => {
                self.cookie = match self.cookie {
                    Some(Pairs::Before(quote, opens)) if at >= opens => Some(Pairs::Within(quote)),
                    Some(Pairs::Before(..)) => self.cookie,
                    Some(Pairs::Within(quote)) if quote != byte => self.cookie,
                    _ => None,
                };
            }
            Class::Less => {
                self.cookie = None;
                let is_string = byte == b'<'
                    && self.view(limit).byte(at + 1) != Some(b'<')
                    && matches!(
                        self.before(at, 3),
                        b"<<" | [b' ' | b'\t' | b')', b'<', b'<']
                    );
                if is_string && self.reads_secret {
                    let view = self.view(limit);
                    let value =
                        Value::read(view, skip_blanks(view.bytes(), self.at), Form::Variable);
                    let value = value.filter(|value| value.is_secret(Telling::Password));
                    self.propose(value.map(|value| by_shape(view, value.secret(view, NAMED))));
                }
            }
            Class::Separator => self.cell(limit),
            Class::Stop => {
                let next = self.view(limit).byte(at + 1);
                let ends = match byte {
                    b'|' => true,
                    b'&' => next == Some(b'&'),
                    _ => next.is_none_or(|next| next.is_ascii_whitespace()),
                };
                if ends && (self.command.is_some() || self.reads_secret) && !self.is_quoted(at) {
                    self.end_command();
                }
                self.cell(limit);
            }
            Class::High => {
                let rest = bytes.get(at..limit).unwrap_or_default();
                let length = rest.iter().position(u8::is_ascii).unwrap_or(rest.len());
                self.at = at + length.max(1);
                let view = self.view(limit);
                let name = names::foreign_at(bytes.get(at..).unwrap_or_default());
                self.slow = self.slow.max(at + name + 1);
                // A colon of that width is one, too.
                let run = bytes.get(at..self.at).unwrap_or_default();
                let colon = matches!(run, [.., 0xef, 0xbc, 0x9a | 0x9d]);
                let end = self.at - if colon { 3 } else { 0 };
                let from = self.barrier.max(end.saturating_sub(MAX_NAME));
                let name = bytes.get(from..end).and_then(names::foreign);
                if let Some(name) = name {
                    let found = self.named(view, end - name, end, Telling::Password);
                    self.propose(found.map(|secret| without_announcement(view, secret)));
                }
            }
            // What the colour of a terminal ends with is glued to a word.
            Class::Escape => {
                let rest = bytes.get(at..).unwrap_or_default().iter().take(GAP);
                let length = rest.take_while(|byte| **byte != b'm').count();
                self.slow = self.slow.max(at + length + 2);
            }
            Class::Word | Class::Plain => {}
        }
    }

    /// Looks whether a cell begins here under a telling heading.
    fn cell(&mut self, limit: usize) {
        if !self.tables.is_active() {
            return;
        }
        self.know(self.at);
        let Some((telling, separator)) = self.tables.cell() else {
            return;
        };
        let view = self.view(limit);
        let bytes = view.bytes();
        let start = match separator {
            Separator::Tab => self.at,
            _ => skip_blanks(bytes, self.at),
        };
        let value = match Value::quoted(view, start) {
            Some(value) => value,
            None => separator
                .cell_end(view, start)
                .and_then(|end| Value::between(view, start, end)),
        };
        let value = value.filter(|value| value.is_secret(telling));
        self.propose(value.map(|value| by_shape(view, value.secret(view, NAMED))));
    }

    fn view(&self, limit: usize) -> View<'t> {
        View {
            text: self.text.get(..limit).unwrap_or(self.text),
            is_cut: limit < self.text.len(),
            barrier: self.barrier,
        }
    }

    fn end_line(&mut self, goes_on: bool) {
        self.cookie = None;
        if !goes_on {
            self.end_command();
        }
        if self.tables.is_active() {
            self.know(self.at - 1);
            let line = self
                .text
                .as_bytes()
                .get(self.line..self.at)
                .unwrap_or_default();
            self.tables.end_line(line);
            self.begin_line(self.at);
        }
    }

    /// A line ends by an escape, behind which `at` is.
    fn end_escaped_line(&mut self, at: usize) {
        self.cookie = None;
        self.end_command();
        if self.tables.is_active() {
            self.know(at - 2);
            let line = self
                .text
                .as_bytes()
                .get(self.line..at - 2)
                .unwrap_or_default();
            self.tables.end_line(line);
            self.begin_line(at);
        }
    }

    /// Forgets all that was kept: what stands behind a private key has nothing to do with what stands before it.
    fn reset(&mut self) {
        self.end_command();
        self.cookie = None;
        self.given = None;
        self.tables = Tables::default();
    }

    fn end_command(&mut self) {
        self.command = None;
        self.reads_secret = false;
        self.has_word = false;
    }

    /// Whether a string is open in the line at `at`.
    fn is_quoted(&mut self, at: usize) -> bool {
        self.know(at);
        self.open.iter().any(|open| *open)
    }

    /// At most so many bytes before `at`, none of them of a secret or behind one.
    fn before(&self, at: usize, most: usize) -> &'t [u8] {
        let from = self.barrier.max(at.saturating_sub(most));
        self.text.as_bytes().get(from..at).unwrap_or_default()
    }

    /// The secret that a word has in it or announces.
    fn word(&mut self, view: View<'t>, start: usize, end: usize) -> Option<Secret> {
        let bytes = view.bytes();
        let start = self.without_escape(view, start, end);
        let word = bytes.get(start..end).filter(|word| !word.is_empty())?;
        let next = view.byte(end);
        // A key in it.
        if word.len() >= 14 || matches!(next, Some(b'/' | b'+' | b'=' | b'~' | b'$')) {
            // The first one counts.
            if let Some(key) = pem::bare_at(view, start) {
                return Some(key);
            }
            if let Some(key) = shapes::in_word(view, start, end, &mut self.point) {
                return Some(key);
            }
        }
        match next {
            Some(b':' | b'+')
                if let Some(colon) = urls::scheme_end(bytes, end)
                    && urls::ends_scheme(word) =>
            {
                return urls::userinfo(view, colon).map(|secret| by_shape(view, secret));
            }
            Some(b'~' | b':' | b'!' | b'%' | b'/') => {
                if let Some(key) = shapes::beside_word(view, start, end) {
                    return Some(key);
                }
            }
            _ => {}
        }
        let first = *word.first()?;
        if first == b'-' && word.len() > 1 || word == b"p" {
            if word.ends_with(b"-BEGIN")
                && let Some(block) = pem::block_before(view, start, end)
            {
                return Some(block);
            }
            if word.ends_with(b"-END")
                && let Some(rest) = pem::rest_before(view, self.barrier, start, end)
            {
                return Some(rest);
            }
            if let Some(secret) = self.argument(view, start, end) {
                return Some(secret);
            }
        }
        if (1..=20).contains(&word.len())
            && matches!(next, Some(b' ' | b'\t' | b'"' | b'\''))
            && let Some(secret) = self.program(view, start, end)
        {
            return Some(secret);
        }
        if self.cookie.is_some() && next == Some(b'=') {
            return self.pair_of_cookie(view, start, end);
        }
        if matches!(word, b"Bearer" | b"bearer") {
            self.slow = self.slow.max(skip_blanks(bytes, end) + 1);
            return bearer(view, end);
        }
        let from = self.barrier.max(end.saturating_sub(names::LONGEST));
        let name = bytes.get(from..end)?;
        // It may be the beginning of a name.
        if view.byte(end).is_some_and(|byte| !byte.is_ascii()) {
            self.slow = self.slow.max(end + names::LONGEST_FOREIGN);
        }
        let is_foreign = self
            .before(start, 1)
            .first()
            .is_some_and(|byte| !byte.is_ascii())
            && names::foreign(name).is_some();
        if is_foreign {
            return self.named(view, start, end, Telling::Password);
        }
        // A number is a part of the name before it, and looked at there.
        if word.iter().all(u8::is_ascii_digit) {
            return self.other(view, start, end);
        }
        let told = self.told.take().filter(|(at, _)| *at == end);
        match told.map_or_else(|| names::telling(name), |(_, telling)| Some(telling)) {
            Some(telling) => {
                // The name may go on behind blanks.
                self.slow = self.slow.max(skip_blanks(bytes, end) + 1);
                self.named(view, start, end, telling)
            }
            None => self.other(view, start, end),
        }
    }

    /// Where the word begins, behind the rest of an escape that it is glued to.
    fn without_escape(&mut self, view: View<'_>, start: usize, end: usize) -> usize {
        let bytes = view.bytes();
        let before = self.before(start, 1);
        let word = bytes.get(start..end).unwrap_or_default();
        let is_hex = |from: usize, to: usize| {
            word.get(from..to)
                .is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
        };
        let length = match (before, word) {
            (b"\\", [b'n' | b'r', ..]) => {
                self.end_escaped_line(start + 1);
                1
            }
            (b"\\", [b't' | b'b' | b'f' | b'v' | b'0', ..]) => 1,
            (b"\\", [b'x', ..]) if is_hex(1, 3) => 3,
            (b"\\", [b'u', ..]) if is_hex(1, 5) => 5,
            (b"%", _) if is_hex(0, 2) => 2,
            (b"[" | b";", [b'0'..=b'9', ..]) => {
                // The colour of a terminal.
                let digits = word.iter().take_while(|b| b.is_ascii_digit()).count();
                let before = self.before(start, 16);
                let codes = before
                    .iter()
                    .rev()
                    .take_while(|b| b.is_ascii_digit() || **b == b';');
                let escape = before
                    .get(..before.len() - codes.count())
                    .unwrap_or_default();
                match word.get(digits) == Some(&b'm') && escape.ends_with(b"\x1b[") {
                    true => digits + 1,
                    false => 0,
                }
            }
            _ => 0,
        };
        start + length
    }

    /// A word that is neither telling nor an option.
    fn other(&mut self, view: View<'t>, start: usize, end: usize) -> Option<Secret> {
        let bytes = view.bytes();
        let word = bytes.get(start..end)?;
        match *word {
            [b'B', b'a', b's', b'i', b'c'] => basic(view, end),
            [b'b' | b'B', b'y' | b'Y'] => self.identified(view, start, end),
            [b'v' | b'V', b'a', b'l', b'u', b'e'] if self.given.is_some() => {
                let (telling, _) = self.given.take()?;
                self.named(view, start, end, telling)
            }
            [b'e', b'c', b'h', b'o'] | [b'p', b'r', b'i', b'n', b't', b'f'] => {
                self.piped(view, end)
            }
            [b'm', b'a', b'c', b'h', b'i', b'n', b'e'] => netrc(view, end),
            [b'd' | b'p' | b'q' | b'k'] | [b'd', b'p' | b'q'] | [b'q', b'i'] => {
                self.web_key(view, start, end)
            }
            _ if word == pem::LINES => {
                let at = end + usize::from(view.byte(end) == Some(b':'));
                pem::lines_at(view, skip_blanks(bytes, at))
            }
            _ if view.byte(end) == Some(b'=') => self.query(view, start, end),
            _ => None,
        }
    }

    /// The value of a name in a URL's query.
    fn query(&self, view: View<'t>, start: usize, end: usize) -> Option<Secret> {
        const LEAST: usize = 8;
        let before = self.before(start, 6);
        let is_query = matches!(before, [.., b'?' | b'&'])
            || before.ends_with(b"&amp;")
            || before.ends_with(b"u0026");
        let word = view.bytes().get(start..end)?;
        let word = word.strip_prefix(b"u0026").unwrap_or(word);
        if !is_query || !names::is_of_query(word) {
            return None;
        }
        let value = Value::bare(view, end + 1, Form::Tight)?;
        let text = value.text();
        let digits = text.bytes().filter(u8::is_ascii_digit).count();
        let is_secret = text.len() >= LEAST
            && digits > 0
            && (digits >= 2 || text.len() >= 16)
            && text.bytes().any(|b| b.is_ascii_alphabetic())
            && !names::is_stand_in(text)
            && !names::is_numbered_name(text)
            && !values::is_code(text, names::Signs::of(text), value.next());
        is_secret.then(|| by_shape(view, value.secret(view, NAMED)))
    }

    /// A private number of a JSON Web Key.
    fn web_key(&mut self, view: View<'t>, start: usize, end: usize) -> Option<Secret> {
        let bytes = view.bytes();
        let quote = quote_at(bytes, end)?;
        let colon = skip_blanks(bytes, end + quote.1 + 1);
        (self.before(start, 1) == [quote.0] && view.byte(colon) == Some(b':')).then_some(())?;
        let value = Value::quoted(view, skip_blanks(bytes, colon + 1))??;
        let is_number = is_web_number(value.text());
        let text = self.text.as_bytes();
        let has_web_key = || {
            memchr::memmem::find(text, b"\"kty").is_some()
                || memchr::memmem::find(text, b"\"kty\\").is_some()
        };
        (is_number && *self.has_web_key.get_or_insert_with(has_web_key))
            .then(|| value.secret(view, pem::RULE))
    }

    /// The password of SQL's `IDENTIFIED BY 'password'`, where `by` ends at `end`.
    fn identified(&self, view: View<'t>, start: usize, end: usize) -> Option<Secret> {
        let bytes = view.bytes();
        let mut at = skip_blanks(bytes, end);
        if bytes
            .get(at..at + 9)
            .is_some_and(|word| word.eq_ignore_ascii_case(b"password "))
        {
            at = skip_blanks(bytes, at + 9);
        }
        (at > end).then_some(())?;
        let value = Value::quoted(view, at)??;
        let value = match bytes.get(at) {
            Some(b'\'') => value,
            // In prose a name may stand there.
            Some(b'"') => value.with(Form::Beside),
            _ => return None,
        };
        let before = self.before(start, MAX_NAME);
        let is_identified = |f: usize| {
            let word = f.checked_sub(6).and_then(|at| before.get(at..at + 10));
            word.is_some_and(|word| word.eq_ignore_ascii_case(b"identified"))
        };
        memchr::memchr2_iter(b'f', b'F', before)
            .any(is_identified)
            .then_some(())?;
        value
            .is_secret(Telling::Password)
            .then(|| value.secret(view, NAMED))
    }

    /// The secret that an `echo` which ends at `end` writes into a program's standard input.
    fn piped(&mut self, view: View<'t>, end: usize) -> Option<Secret> {
        const LONGEST: usize = 256;
        let bytes = view.bytes();
        matches!(view.byte(end), Some(b' ' | b'\t')).then_some(())?;
        // What an `echo` before this one has looked at is not looked at again.
        let most = bytes.len().min(end + LONGEST);
        let from = self.without_pipe.clamp(end, most);
        let found = find::first_of([b'|', b'\n'], bytes.get(from..most)?);
        self.without_pipe = from + found.unwrap_or(most - from);
        let pipe = self.without_pipe;
        (found.is_some() && bytes.get(pipe) == Some(&b'|')).then_some(())?;
        let after = bytes.get(pipe + 1..)?;
        let after = after.get(..LONGEST).unwrap_or(after);
        let command = after
            .split(|b| matches!(b, b'\n' | b'|' | b';' | b'['))
            .next()?;
        // Of a word that goes on with a mark it is not known which it was.
        let after = match view.byte(pipe + 1 + command.len()) {
            Some(b'[') => {
                let blank = command.iter().rposition(|b| matches!(b, b' ' | b'\t'));
                command.get(..blank?)?
            }
            _ => command,
        };
        let words = || {
            after
                .split(|b| matches!(b, b' ' | b'\t' | b'"' | b'\'' | b'\\'))
                .filter(|word| !word.is_empty())
                .take(12)
        };
        let reads = words().enumerate().any(|(at, word)| {
            at < 4
                && commands::known(word).is_some_and(|known| known.reads_secret)
                && commands::STDIN.iter().any(|(program, needed)| {
                    program.as_bytes() == word
                        && (needed.is_empty()
                            || words()
                                .skip(at + 1)
                                .any(|word| contains(word, needed.as_bytes())))
                })
        });
        reads.then_some(())?;
        let mut at = skip_blanks(bytes, end);
        // Options, and the form of `printf`.
        for _ in 0..3 {
            let word = bytes.get(at..pipe)?;
            let is_form = matches!(word, [b'\'' | b'"', b'%', ..] | [b'%', ..]);
            if matches!(word, [b'-', ..]) || is_form {
                at = skip_blanks(bytes, at + word.iter().position(|b| *b == b' ')?);
            }
        }
        let value = Value::read(view, at, Form::Variable)?;
        (value.start() < pipe).then_some(())?;
        let is_pair = contains(after, b"chpasswd");
        let value = match value.text().find(':') {
            Some(colon) if is_pair => value.from(colon + 1)?,
            _ => value,
        };
        let secret = value.secret(view, NAMED);
        (secret.end <= pipe && value.is_secret(Telling::Password)).then(|| by_shape(view, secret))
    }

    /// A secret in the pairs of a cookie.
    fn pair_of_cookie(&self, view: View<'t>, start: usize, end: usize) -> Option<Secret> {
        const ATTRIBUTES: [&str; 4] = ["domain", "path", "expires", "max-age"];
        let name = view.text.get(start..end)?;
        let value = Value::bare(view, end + 1, Form::Loose)?;
        let text = value.text();
        let is_secret = !ATTRIBUTES.iter().any(|of| name.eq_ignore_ascii_case(of))
            && (names::looks_random(text) || text.len() >= values::LEAST && is_session(name))
            && !names::is_stand_in(text)
            && !names::is_constant(text);
        is_secret.then(|| by_shape(view, value.secret(view, COOKIE)))
    }

    /// Takes in a program's name, where a command may begin.
    fn program(&mut self, view: View<'t>, start: usize, end: usize) -> Option<Secret> {
        let bytes = view.bytes();
        let word = bytes.get(start..end)?;
        let is_listed = matches!(view.byte(end), Some(b'"' | b'\''));
        if !(matches!(view.byte(end), Some(b' ' | b'\t')) || is_listed)
            || self
                .before(start, 1)
                .first()
                .is_some_and(|b| matches!(b, b'=' | b':' | b'@' | b'$' | b'#'))
        {
            return None;
        }
        let known = commands::known(word)?;
        // What only sets a name to a value may be another's word: `az keyvault secret set`.
        if let Some(program) = known.program
            && !(program.options.is_empty() && self.command.is_some())
        {
            self.command = Some(program);
            self.has_word = false;
        }
        self.reads_secret |= known.reads_secret;
        if is_listed {
            return None;
        }
        known.places().find_map(|place| at_place(view, end, place))
    }

    /// The secret behind or in the option from `start` to `end`.
    fn argument(&mut self, view: View<'t>, start: usize, end: usize) -> Option<Secret> {
        let bytes = view.bytes();
        let program = self.command?;
        let start = match self.before(start, 1) {
            b"/" if view.byte(end) == Some(b':') => start - 1,
            _ => start,
        };
        let word = bytes.get(start..end)?;
        let is_curl = program.names.first() == Some(&"curl");
        let cluster = if is_curl { clustered(word) } else { None };
        for (option, takes) in program.options {
            let option = option.as_bytes();
            if option.get(1) != word.get(1) && cluster.is_none() {
                continue;
            }
            if program.only_after.is_some() && !self.has_word && !option.starts_with(b"--") {
                continue;
            }
            let rest = match word.strip_prefix(option) {
                Some(rest) => rest,
                None => match cluster {
                    Some((letter, rest)) if option.len() == 2 && option.ends_with(&[letter]) => {
                        rest
                    }
                    _ => continue,
                },
            };
            let secret = self.taken(view, end, rest, option, *takes);
            if secret.is_some() {
                return secret;
            }
        }
        None
    }

    /// The secret of an option that takes it in one form: `rest` stands behind the option in the word that ends at `end`.
    fn taken(
        &mut self,
        view: View<'t>,
        end: usize,
        rest: &[u8],
        option: &[u8],
        takes: Takes,
    ) -> Option<Secret> {
        let bytes = view.bytes();
        let is_long = option.len() > 2 || takes == Takes::Pass;
        let inside = end - rest.len();
        let (at, is_attached) = match view.byte(end) {
            _ if !rest.is_empty() => (inside, true),
            Some(b' ' | b'\t') => (skip_blanks(bytes, end), false),
            Some(b'=') if is_long => (end + 1, false),
            Some(b':') if option.starts_with(b"/") => (end, false),
            Some(b'"' | b'\'') if bytes.get(end + 1) == Some(&b',') => {
                (skip_blanks(bytes, end + 2), false)
            }
            _ => (end, true),
        };
        let fits = match takes {
            Takes::Apart | Takes::Pass | Takes::Assignment => !is_attached,
            Takes::Attached => is_attached,
            _ => !(is_attached && is_long),
        };
        if !fits {
            return None;
        }
        if takes == Takes::Cookie {
            self.cookie = Some(Pairs::at(bytes, at));
            // Right behind the letter its first name stands.
            return None;
        }
        let value = Value::read(view, at, Form::Variable)?;
        let text = value.text();
        if text.starts_with('-') && !is_attached {
            return None;
        }
        let secret = match takes {
            Takes::Apart | Takes::Attached | Takes::Either => value,
            Takes::Pair => value.from(text.find(':')? + 1)?,
            Takes::Percent => value.from(text.find('%')? + 1)?,
            Takes::Comma => value.from(text.find(',')? + 1)?,
            Takes::Assignment => value.from(text.find('=')? + 1)?,
            Takes::Pass => value.from(text.strip_prefix("pass:").map(|_| 5)?)?,
            Takes::Cookie => return None,
        };
        let word = secret.text();
        let is_number = names::is_number(word) && word.len() < 6;
        // Letters that mean another thing with other words.
        let is_doubtful = matches!(
            option,
            b"-v"
                | b"-b"
                | b"-t"
                | b"-r"
                | b"-s"
                | b"-a"
                | b"-k"
                | b"-c"
                | b"--value"
                | b"--secret"
        );
        let is_secret = word != "pass"
            && !is_number
            && !is_port(word)
            && (takes != Takes::Apart
                || !is_doubtful
                || word.bytes().any(|b| b.is_ascii_digit()) && word.len() >= 6)
            && secret.is_secret(Telling::Password);
        is_secret.then(|| by_shape(view, secret.secret(view, NAMED)))
    }

    /// What a telling name from `start` to `end` announces.
    fn named(
        &mut self,
        view: View<'t>,
        start: usize,
        end: usize,
        telling: Telling,
    ) -> Option<Secret> {
        let bytes = view.bytes();
        if self
            .tables
            .may_be_heading(view, self.before(start, 3), end, telling)
        {
            self.know(start);
            self.tables
                .telling(view, self.before(start, 3), end, telling);
        }
        let (closed, quotes) = closed_name(bytes, end);
        let at = skip_blanks(bytes, closed);
        let blanks = at - closed;
        let rest = bytes.get(at..)?;
        let pair = |length: usize| Some((at + length, rest.first().copied()));
        let separator = match rest {
            [b'=', b'=' | b'~', ..] | [b':', b':', ..] => None,
            [b'=', b'>', ..] => Some((at + 2, Some(b'>'))),
            [b'=', ..] => pair(1),
            [b':', b'/', b'/', ..] => None,
            [b':', b'=', ..] => pair(2),
            [b':', ..] => pair(1),
            [b'?', b'=' | b':', ..] | [b'+', b'=', ..] if rest.get(1) != Some(&b'?') => {
                match rest {
                    [b'?', b':', b' ', b'\'' | b'"', ..] if quotes > 0 => {
                        return self.default(view, at + 2, telling);
                    }
                    _ => pair(2),
                }
            }
            [b'\\', b'u', b'0', b'0', b'3', b'd' | b'D', ..] => Some((at + 6, Some(b'='))),
            [b'%', b'3', b'd' | b'D' | b'a' | b'A', ..] => Some((at + 3, Some(b'='))),
            [0xef, 0xbc, 0x9a | 0x9d, ..] => Some((at + 3, Some(b':'))),
            [b'>', ..] if self.before(start, 1) == b"<" => return element(view, at, telling),
            [b',', ..] if quotes > 0 => {
                let second = self.second(view, start, at + 1, telling);
                if second.is_none() {
                    self.give(start, telling);
                }
                return second;
            }
            [b'|', b'|', ..] | [b'?', b'?', ..] => return self.default(view, at + 2, telling),
            [b'o', b'r', b' ', ..] if quotes > 0 => return self.default(view, at + 2, telling),
            [b')', ..] | [b'.', ..] => return self.after_call(view, at, telling),
            _ => None,
        };
        let Some((after, separator)) = separator else {
            if quotes > 0 || blanks == 0 {
                self.give(start, telling);
            }
            if blanks > 0 {
                return self.apart(view, start, end, at, telling);
            }
            return None;
        };
        let value = skip_blanks(bytes, after);
        let is_tight = separator == Some(b'=') && value == after && blanks == 0;
        match telling {
            Telling::Authorization => return authorization(view, value),
            Telling::Cookie => {
                self.cookie = Some(Pairs::at(bytes, value));
                return None;
            }
            _ => {}
        }
        // The quote that closes a string of which the name is the end, as in `print("Token: " + token)`.
        if let Some((quote, depth)) = quote_at(bytes, value)
            && quotes == 0
            && self.closes(end, quote, depth)
            && closes_code(view.byte(value + depth + 1))
        {
            return None;
        }
        let form = match separator {
            Some(b'=') if is_tight => {
                let name = bytes.get(start..end)?;
                let is_pair = self.before(start, 1) == b";";
                match name.iter().any(u8::is_ascii_lowercase) {
                    true if is_pair => Form::Option,
                    true => Form::Tight,
                    false => Form::Variable,
                }
            }
            Some(b':') if value > after && self.begins_line(start) => Form::Line,
            _ => Form::Loose,
        };
        let value = Value::read(view, value, form)?;
        if !value.is_quoted() && separator == Some(b'>') {
            return None; // an arrow function
        }
        self.judged(view, value, telling)
    }

    /// `value` if it is a secret.
    fn judged(&self, view: View<'t>, value: Value<'t>, telling: Telling) -> Option<Secret> {
        let value = match value.is_quoted() {
            true => value,
            false => {
                let form = match value.form() {
                    Form::Line if !value.ends_line(view) => Form::Loose,
                    form => form,
                };
                if form == Form::Loose && value.is_assigned(view) {
                    return None;
                }
                value.with(form)
            }
        };
        value
            .is_secret(telling)
            .then(|| by_shape(view, value.secret(view, NAMED)))
    }

    /// What stands behind a telling name without any sign between them: an option's argument, SQL, prose, a setting.
    fn apart(
        &mut self,
        view: View<'t>,
        start: usize,
        end: usize,
        at: usize,
        telling: Telling,
    ) -> Option<Secret> {
        const VERBS: [&[u8]; 8] = [
            b"is ", b"was ", b"ist ", b"es ", b"est ", b"to ", b"equals ", b"set to ",
        ];
        let bytes = view.bytes();
        let word = bytes.get(start..end)?;
        if word.starts_with(b"-") {
            let is_option = word.len() > 2;
            return match telling {
                Telling::Cookie if is_option => {
                    self.cookie = Some(Pairs::at(bytes, at));
                    None
                }
                Telling::Authorization => None,
                _ if !is_option => None,
                _ => match Value::quoted(view, at) {
                    Some(value) => self.judged(view, value?, telling),
                    None if values::is_prose(view, at) => None,
                    None => self.judged(view, Value::bare(view, at, Form::Option)?, telling),
                },
            };
        }
        let is_set = self.command.is_some_and(|command| command.sets)
            || word == b"requirepass"
            || word == b"masterauth";
        let rest = bytes.get(at..)?;
        let may_be_verb = matches!(rest.first(), Some(b'i' | b'w' | b'e' | b't' | b's'));
        let verb = VERBS
            .iter()
            .find(|verb| may_be_verb && rest.starts_with(verb));
        // A short name is a word like others.
        let is_short = word.len() >= 2
            && [&b"pass"[..], b"psk", b"pw"].iter().any(|short| {
                word.get(word.len().saturating_sub(short.len())..)
                    .is_some_and(|end| end.eq_ignore_ascii_case(short))
            });
        if matches!(telling, Telling::Authorization | Telling::Cookie)
            || is_short && !is_set && verb.is_none()
        {
            return None;
        }
        if let Some(value) = Value::quoted(view, at) {
            let value = value?;
            let is_sql = bytes.get(at) == Some(&b'\'') && !word.iter().any(u8::is_ascii_lowercase)
                || [b"with ", b"pted ", b"user ", b"role "]
                    .iter()
                    .any(|before| self.before(start, 5).eq_ignore_ascii_case(*before));
            let form = if is_sql { Form::Quoted } else { Form::Beside };
            return self.judged(view, value.with(form), telling);
        }
        // A number, as of a share of a key, and what is asked for: `Unseal Key 1:`, `password for bob:`.
        let digits = rest
            .iter()
            .take(3)
            .take_while(|b| b.is_ascii_digit())
            .count();
        if digits > 0 && rest.get(digits) == Some(&b':') {
            let value = Value::read(view, skip_blanks(bytes, at + digits + 1), Form::Loose)?;
            return self.judged(view, value, telling);
        }
        if matches!(rest, [b'f' | b'F', b'o' | b'O', b'r' | b'R', b' ', ..]) {
            let near = rest.get(..NEAR).unwrap_or(rest);
            let mut signs = memchr::memchr3_iter(b':', b'=', b'\n', near);
            let colon = signs.find(|at| {
                matches!(near.get(*at..), Some([b'\n', ..] | [b':' | b'=', b' ', ..]))
            })?;
            let asked = near.get(..colon)?;
            (near.get(colon) != Some(&b'\n') && find::first(b'[', asked).is_none()).then_some(())?;
            let value = Value::read(view, skip_blanks(bytes, at + colon + 1), Form::Loose)?;
            return self.judged(view, value, telling);
        }
        let form = match (is_set, verb) {
            (true, None) => Form::Option,
            _ => Form::Prose,
        };
        let at = verb.map_or(at, |verb| {
            let at = skip_blanks(bytes, at + verb.len());
            // `is now`, `is: `.
            at + match bytes.get(at..).unwrap_or_default() {
                [b'n', b'o', b'w', b' ', ..] => 4,
                _ => 0,
            }
        });
        if form == Form::Option && values::is_prose(view, at) {
            return None;
        }
        let value = match Value::quoted(view, at) {
            Some(value) => value?.with(Form::Beside),
            None => Value::bare(view, at, form)?,
        };
        let value = match verb {
            Some(_) => value.without_stop(),
            None => value,
        };
        if !value.is_quoted() && telling == Telling::Hardly {
            return None;
        }
        // Of `set PSK identity` a word follows, of `config user.password letmein` a value.
        if form == Form::Option
            && names::is_words(value.text())
            && !word.iter().any(|b| matches!(b, b'.' | b'_'))
        {
            return None;
        }
        if verb.is_none()
            && form == Form::Prose
            && telling == Telling::Password
            && names::is_numbered_name(value.text())
        {
            return None;
        }
        value
            .is_secret(telling)
            .then(|| by_shape(view, value.secret(view, NAMED)))
    }

    /// The value of `name` where a call closes behind it, as in `env::var("NAME").unwrap_or("…")`.
    fn after_call(&self, view: View<'t>, at: usize, telling: Telling) -> Option<Secret> {
        let bytes = view.bytes();
        let at = skip_blanks(bytes, at + usize::from(view.byte(at) == Some(b')')));
        let rest = bytes.get(at..)?;
        const DEFAULTS: [&[u8]; 6] = [
            b"||",
            b"??",
            b"?:",
            b"or ",
            b".unwrap_or(",
            b".unwrap_or_else(|_| ",
        ];
        matches!(rest.first(), Some(b'|' | b'?' | b'o' | b'.')).then_some(())?;
        let default = DEFAULTS.iter().find(|default| rest.starts_with(default))?;
        self.default(view, at + default.len(), telling)
    }

    /// What a value is where a variable has none.
    fn default(&self, view: View<'t>, at: usize, telling: Telling) -> Option<Secret> {
        let value = Value::quoted(view, skip_blanks(view.bytes(), at))??;
        let form = match telling {
            Telling::Password => Form::Quoted,
            _ => Form::Beside,
        };
        self.judged(view, value.with(form), telling)
    }

    /// The second of two arguments, or of a pair, of which the first is a telling name.
    fn second(&self, view: View<'t>, start: usize, at: usize, telling: Telling) -> Option<Secret> {
        const CALLS: [&str; 14] = [
            "define", "putenv", "setenv", "getenv", "env", "get", "fetch", "property", "default",
            "set", "header", "var", "config", "insert",
        ];
        let value = Value::quoted(view, skip_blanks(view.bytes(), at))??;
        let before = self.before(start, 24);
        let quotes = before
            .iter()
            .rev()
            .take_while(|b| matches!(b, b'"' | b'\'' | b'\\' | b'`' | b' '));
        let call = before.get(..before.len() - quotes.count())?;
        let is_option = view.bytes().get(start) == Some(&b'-');
        if is_option {
            return (!value.text().starts_with('-')).then(|| self.judged(view, value, telling))?;
        }
        let is_call = call.strip_suffix(b"(").is_some_and(|call| {
            CALLS.iter().any(|of| {
                let end = call.get(call.len().saturating_sub(of.len())..);
                end.is_some_and(|end| end.eq_ignore_ascii_case(of.as_bytes()))
            })
        });
        match telling {
            Telling::Authorization => {
                return authorization(view, skip_blanks(view.bytes(), at)).filter(|_| is_call);
            }
            Telling::Cookie => return None,
            _ => {}
        }
        let form = if is_call && telling == Telling::Password {
            Form::Quoted
        } else {
            Form::Beside
        };
        self.judged(view, value.with(form), telling)
    }

    /// Notes a telling name that is itself a value: `name: DB_PASSWORD`, so that what is behind `value:` is its secret.
    fn give(&mut self, start: usize, telling: Telling) {
        const WORDS: u8 = 4;
        let before = self.before(start, 16);
        let gap = before
            .iter()
            .rev()
            .take_while(|b| matches!(b, b' ' | b'"' | b'\'' | b'\\' | b':' | b'='))
            .count();
        let before_gap = before.get(..before.len() - gap).unwrap_or_default();
        let is_given = gap > 0
            && ["name", "Name", "key", "Key"]
                .iter()
                .any(|word| before_gap.ends_with(word.as_bytes()));
        if is_given
            && !matches!(
                telling,
                Telling::Authorization | Telling::Cookie | Telling::Hardly
            )
        {
            self.given = Some((telling, WORDS));
        }
    }

    /// Whether a quote of this kind that comes next closes a string.
    fn closes(&mut self, at: usize, quote: u8, depth: usize) -> bool {
        self.know(at);
        let kind = usize::from(quote == b'\'') + 2 * usize::from(depth > 0);
        quote != b'`' && self.open.get(kind).is_some_and(|open| *open)
    }

    /// Whether only blanks, a list's `-` or quotes stand before `at` in its line.
    fn begins_line(&self, at: usize) -> bool {
        let before = self.before(at, MAX_NAME);
        let is_gap = |b: &&u8| matches!(**b, b' ' | b'\t' | b'-' | b'"' | b'\'' | b'\\');
        let gap = before.iter().rev().take_while(is_gap).count();
        match before.get(..before.len() - gap) {
            Some([.., b'\n']) => true,
            Some([]) => self.barrier == 0 && before.len() < MAX_NAME,
            // An escaped line break.
            Some([.., b'\\', b'n']) => true,
            _ => false,
        }
    }
}

/// A named secret under the rule of its own shape, if all of it has one.
pub(super) fn by_shape(view: View<'_>, named: Secret) -> Secret {
    let text = view.text.get(named.start..named.end);
    let shaped = text.and_then(shapes::whole);
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

/// Where the name ends behind its quotes and brackets, and how many those are.
fn closed_name(bytes: &[u8], end: usize) -> (usize, usize) {
    const MOST: usize = 8;
    let rest = bytes.get(end..).unwrap_or_default().iter().take(MOST);
    let mut length = rest
        .take_while(|b| matches!(b, b'"' | b'\'' | b'`' | b'\\' | b']'))
        .count();
    let tail = bytes
        .get(end + length.saturating_sub(1)..)
        .unwrap_or_default();
    if matches!(tail, [b'\\', b'u' | b'n' | b'r' | b't', ..]) {
        length -= 1;
    }
    (end + length, length)
}

fn closes_code(first: Option<u8>) -> bool {
    first.is_none_or(|first| {
        matches!(
            first,
            b' ' | b','
                | b')'
                | b';'
                | b'.'
                | b'+'
                | b'\''
                | b'"'
                | b']'
                | b'}'
                | b':'
                | b'\\'
                | b'\n'
                | b'%'
                | b'<'
        )
    })
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

/// Whether it maps ports or addresses, as `8080:80`.
fn is_port(word: &str) -> bool {
    word.bytes()
        .all(|b| b.is_ascii_digit() || matches!(b, b':' | b'.' | b'/' | b'-'))
}

/// Whether a cookie of this name is that of a session.
fn is_session(name: &str) -> bool {
    [
        "sid",
        "sessionid",
        "session",
        "session_id",
        "connect.sid",
        "phpsessid",
        "jsessionid",
        "auth",
        "token",
    ]
    .iter()
    .any(|of| name.eq_ignore_ascii_case(of))
}

/// Whether it can be a number of a JSON Web Key: long, in base64 for URLs.
pub(super) fn is_web_number(text: &str) -> bool {
    const LEAST: usize = 20;
    text.len() >= LEAST
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'='))
        && shapes::is_no_word(text.as_bytes())
}

/// The letters of [`commands::CURL_FLAGS`], a bit for each.
const CURL_FLAGS: u128 = names::signs_of(commands::CURL_FLAGS);

/// The letter of an option of curl's that ends a word of several, and what stands behind it.
fn clustered(word: &[u8]) -> Option<(u8, &[u8])> {
    let letters = word.strip_prefix(b"-")?;
    let is_flag = |b: &&u8| b.is_ascii() && CURL_FLAGS >> **b & 1 != 0;
    let flags = letters.iter().take_while(is_flag).count();
    let (letter, rest) = letters.get(flags..)?.split_first()?;
    (flags > 0).then_some((*letter, rest))
}

/// The secret in its place among the arguments that begin at `at`.
fn at_place(view: View<'_>, at: usize, place: &[&str]) -> Option<Secret> {
    let bytes = view.bytes();
    let mut at = at;
    for wanted in place.get(1..)? {
        at = skip_blanks(bytes, at);
        // Options stand anywhere.
        for _ in 0..2 {
            let rest = bytes.get(at..)?;
            if rest.first() == Some(&b'-') && !wanted.starts_with('-') {
                let length = rest.iter().take(NEAR).position(|b| *b == b' ')?;
                at = skip_blanks(bytes, at + length);
            }
        }
        let value = Value::read(view, at, Form::Variable).filter(Value::is_whole)?;
        match *wanted {
            "*" => {
                let text = value.text();
                let digits = text.bytes().filter(u8::is_ascii_digit).count();
                let is_token =
                    text.len() >= 8 && digits > 0 && !text.contains('=') && !names::is_place(text)
                        || text.len() >= 16 && names::looks_random(text);
                return (is_token && value.is_secret(Telling::Password))
                    .then(|| by_shape(view, value.secret(view, NAMED)));
            }
            "**" => {
                let text = value.text();
                let is_word = text.starts_with(['/', '-']) || values::is_prose(view, at);
                return (!is_word && value.is_secret(Telling::Password))
                    .then(|| by_shape(view, value.secret(view, NAMED)));
            }
            "_" => {}
            wanted => {
                let text = value.text();
                let is_begun = wanted.ends_with('.') && text.starts_with(wanted);
                let is_flags = wanted.len() > 2
                    && wanted.starts_with('-')
                    && text.starts_with('-')
                    && wanted.bytes().all(|b| text.as_bytes().contains(&b));
                let is_flag = wanted.len() == 2
                    && wanted.starts_with('-')
                    && text.starts_with('-')
                    && wanted.bytes().all(|b| text.as_bytes().contains(&b))
                    && !text.contains('n');
                (text == wanted || is_begun || is_flags || is_flag).then_some(())?;
            }
        }
        at = value.end(view) + usize::from(value.is_quoted());
        if value.text().is_empty() {
            return None;
        }
    }
    None
}

/// The text of `<name>text</…`, where the first tag ends at `at`.
fn element(view: View<'_>, at: usize, telling: Telling) -> Option<Secret> {
    const LONGEST: usize = 512;
    let bytes = view.bytes();
    if matches!(telling, Telling::Cookie | Telling::Authorization) {
        return None;
    }
    let rest = bytes.get(at + 1..)?;
    let near = rest.get(..LONGEST).unwrap_or(rest);
    let length = near.iter().position(|b| matches!(b, b'<' | b'\n'))?;
    let end = at + 1 + length;
    matches!(
        bytes.get(end..)?,
        [b'<', b'/', ..] | [b'<', b'\\', b'/', ..]
    )
    .then_some(())?;
    let value = Value::between(view, at + 1, end)?;
    value
        .is_secret(telling)
        .then(|| by_shape(view, value.secret(view, NAMED)))
}

/// The token behind `Bearer`.
fn bearer(view: View<'_>, end: usize) -> Option<Secret> {
    const LEAST: usize = 16;
    (view.byte(end) == Some(b' ')).then_some(())?;
    let rest = view.bytes().get(end + 1..)?;
    let token = rest.get(..LEAST)?;
    let is_token =
        token.iter().all(|b| shapes::Alphabet::Parts.has(*b)) && shapes::is_no_word(token);
    is_token.then(|| Secret {
        start: end + 1,
        end: end + 1 + shapes::run(rest, shapes::Alphabet::Parts, usize::MAX),
        rule: AUTHORIZATION,
    })
}

/// The credentials behind `Basic`: a name and a password in base64.
fn basic(view: View<'_>, end: usize) -> Option<Secret> {
    const LONGEST: usize = 64;
    (view.byte(end) == Some(b' ')).then_some(())?;
    let rest = view.bytes().get(end + 1..)?;
    let length = shapes::run(rest, shapes::Alphabet::Base64, usize::MAX);
    let near = rest.get(..length.min(LONGEST))?;
    let mut word = 0u32;
    let (mut has_colon, mut is_text) = (false, true);
    for (at, byte) in near.iter().take_while(|b| **b != b'=').enumerate() {
        word = word << 6 | u32::from(pem::digit(*byte)?);
        if at % 4 == 3 {
            let [_, bytes @ ..] = word.to_be_bytes();
            has_colon |= bytes.contains(&b':');
            is_text &= bytes.iter().all(|b| matches!(b, b' '..=b'~'));
            word = 0;
        }
    }
    let is_whole = !view.touches(end + 1 + length);
    (length >= 8 && has_colon && is_text && is_whole).then_some(Secret {
        start: end + 1,
        end: end + 1 + length,
        rule: AUTHORIZATION,
    })
}

/// The password in a line of a `.netrc`, where `machine` ends at `end`: `machine host login user password word`.
fn netrc(view: View<'_>, end: usize) -> Option<Secret> {
    const MOST_PAIRS: usize = 3;
    let bytes = view.bytes();
    (view.byte(end) == Some(b' ')).then_some(())?;
    let mut at = end;
    let mut word = || {
        let rest = bytes.get(at..)?;
        let gap = rest
            .iter()
            .take(MAX_NAME)
            .take_while(|b| b.is_ascii_whitespace() || **b == b'\\' || **b == b'"')
            .count();
        let escaped = matches!(
            rest.get(gap.saturating_sub(1)..),
            Some([b'\\', b'n' | b't', ..])
        );
        at += gap + usize::from(escaped);
        let value = Value::bare(view, at, Form::Variable).filter(Value::is_whole)?;
        at = value.end(view);
        Some(value)
    };
    word()?;
    let mut has_login = false;
    for _ in 0..MOST_PAIRS {
        let name = word()?;
        let value = word()?;
        match name.text() {
            "login" => has_login = true,
            "account" => {}
            "password" if has_login => {
                let is_secret = value.text() != "pass" && value.is_secret(Telling::Password);
                return is_secret.then(|| by_shape(view, value.secret(view, NAMED)));
            }
            _ => return None,
        }
    }
    None
}

/// The credentials of a header, behind its scheme if it has one.
fn authorization(view: View<'_>, at: usize) -> Option<Secret> {
    let bytes = view.bytes();
    let quote = quote_at(bytes, at);
    let start = quote.map_or(at, |(_, depth)| at + depth + 1);
    let rest = bytes.get(start..)?;
    // The name of the header, as in a setting of it.
    let rest = match rest
        .get(..15)
        .is_some_and(|name| name.eq_ignore_ascii_case(b"authorization: "))
    {
        true => rest.get(15..)?,
        false => rest,
    };
    let start = bytes.len() - rest.len();
    let is_scheme = |b: &&u8| b.is_ascii_alphanumeric() || **b == b'-';
    let scheme = rest.iter().take(20).take_while(is_scheme).count();
    let has_scheme = scheme > 0 && rest.get(scheme) == Some(&b' ');
    let start = match has_scheme {
        true => skip_blanks(bytes, start + scheme),
        false => start,
    };
    let credentials = Value::bare(view, start, Form::Variable)?;
    let value = credentials.text();
    let next = credentials.next();
    // In prose a word of the sentence stands there, in code an expression.
    let is_word = names::is_words(value);
    let is_closed =
        matches!(next, None | Some(b'"' | b'\'' | b'\r' | b'\n' | b'\\')) && !value.ends_with('.');
    // Of `OAuth realm="…"`: what follows has a name of its own.
    let is_parameter = value.strip_suffix('=').is_some_and(names::is_identifier)
        && matches!(next, Some(b'"' | b'\'' | b'\\'));
    let is_secret = match (quote, has_scheme) {
        _ if is_parameter || value.starts_with("--") || names::is_place(value) => false,
        (Some(_), true) => true,
        (Some(_), false) => !(names::is_words(value) && value.contains(['_', '.'])),
        (None, true) => !is_word || is_closed,
        (None, false) => {
            value.bytes().any(|b| b.is_ascii_digit())
                && !values::is_code(value, names::Signs::of(value), next)
        }
    };
    (is_secret && value.len() >= values::LEAST && !names::is_stand_in(value))
        .then(|| credentials.secret(view, AUTHORIZATION))
}
