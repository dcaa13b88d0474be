//! Reads values: finds where a value ends, and decides whether it is a secret, given the kind of
//! name before it.
//!
//! The first bytes of a value decide. Only a secret is read to its end, so the work is bounded. A
//! value that touches a redaction mark is refused; `scan` says why. This module does not look for
//! values.

use super::looks::{self, Signs, signs_of};
use super::names::SecretKind;
use super::{Secret, View, byte_search, mark_at, stand_ins, texts};

/// How many bytes of a value are examined.
const JUDGED: usize = 96;
/// How many bytes of a line are searched for prose, or skipped as blanks.
const PROSE: usize = 64;
/// Signs that occur in no word.
const NO_WORD: u128 = signs_of(b"!#$%^*+~@");
/// The length of the shortest secret after a name, in bytes.
pub(super) const LEAST: usize = 3;

/// The length of the shortest secret that has only letters, and no words.
const LEAST_MIXED: usize = 12;

/// How a value is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// In quotes, or between tags.
    Quoted,
    /// In quotes, where any quoted word is usual: as a second argument, or as a default.
    Beside,
    /// `NAME=value`, the name in capitals: an environment variable.
    Variable,
    /// `name=value`.
    Tight,
    /// `name: value`, `name = value`.
    Loose,
    /// `name: value`, with nothing else on the line.
    Line,
    /// `--name value`.
    Option,
    /// `name value`, `name is value`.
    Prose,
}

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Secret,
    /// It stands for a secret, whatever name announces it.
    StandIn,
    SomethingElse,
}

/// A value, or its beginning.
#[derive(Debug, Clone, Copy)]
pub(super) struct Value<'t> {
    /// The part of the value that is examined.
    text: &'t str,
    start: usize,
    /// The end of the examined part.
    seen: usize,
    /// True if the value, too, ends at `seen`.
    is_whole: bool,
    /// The quote around the value, and the number of backslashes before the quote.
    quote: Option<(u8, usize)>,
    form: Form,
    /// The byte after the examined part.
    next: Option<u8>,
}

/// For each byte, whether it can end a value without quotes or the examined part of it.
static MATTERS: [bool; 256] = matters();

#[allow(
    clippy::indexing_slicing,
    reason = "evaluated by the compiler: what is out of bounds does not build"
)]
const fn matters() -> [bool; 256] {
    const BYTES: &[u8] = b" \t\n\r\"'`<>\\&;,|)}]=:%\xe2\xef";
    let mut matters = [false; 256];
    let mut at = 0;
    while at < BYTES.len() {
        matters[BYTES[at] as usize] = true;
        at += 1;
    }
    matters
}

fn matters_at(byte: u8) -> bool {
    MATTERS.get(usize::from(byte)).copied().unwrap_or_default()
}

/// Returns whether `byte`, the byte at `at`, ends a value without quotes.
fn ends_bare(view: View<'_>, at: usize, byte: u8, form: Form) -> bool {
    let bytes = view.bytes();
    match byte {
        b' ' | b'\t' | b'\n' | b'\r' | b'"' | b'\'' | b'`' | b'<' | b'>' => true,
        b'\\' => matches!(
            view.byte(at + 1),
            Some(b'n' | b'r' | b't' | b'"' | b'\'' | b'u') | None
        ),
        b'&' | b';' | b',' | b'|' | b')' | b'}' | b']' => {
            form != Form::Variable || ends_variable(view, at)
        }
        0xe2 => matches!(bytes.get(at + 1..at + 3), Some([0x86, 0x92])),
        _ => false,
    }
}

/// Returns whether the sign at `at` ends the value of an environment variable. The value may
/// contain any sign; it ends before a blank, a quote or another name.
fn ends_variable(view: View<'_>, at: usize) -> bool {
    const LONGEST: usize = 24;
    let rest = view.bytes().get(at + 1..).unwrap_or_default();
    match view.byte(at + 1) {
        None
        | Some(
            b' ' | b'\t' | b'\n' | b'\r' | b'"' | b'\'' | b'`' | b'\\' | b'&' | b'|' | b';' | b')'
            | b'.' | b',',
        ) => true,
        _ => {
            let name = rest.iter().take(LONGEST);
            let name = name
                .take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'))
                .count();
            name > 0 && matches!(rest.get(name), Some(b'=' | b':'))
        }
    }
}

impl<'t> Value<'t> {
    /// Returns the value that begins at `at`, with or without quotes. Returns `None` if the value
    /// touches a redaction mark.
    pub(super) fn read(view: View<'t>, at: usize, form: Form) -> Option<Self> {
        match Self::quoted(view, at) {
            Some(quoted) => quoted,
            None => Self::bare(view, at, form),
        }
    }

    /// Returns the value in the quotes at `at`. The outer `None` means that no quote is at `at`.
    /// The inner `None` means that the value touches a redaction mark.
    ///
    /// A value without a closing quote ends with its line, because it may have been cut.
    #[inline]
    pub(super) fn quoted(view: View<'t>, at: usize) -> Option<Option<Self>> {
        let prefix = prefix_before_quote(view.bytes(), at)?;
        let quote = quote_at(view.bytes(), at + prefix)?;
        let opens = at + prefix;
        // Three quotes open a string of Python and of other languages.
        let three = view.bytes().get(opens..opens + 3);
        let is_triple =
            quote.1 == 0 && quote.0 != b'`' && three.is_some_and(|of| of == [quote.0; 3]);
        let width = if is_triple { 3 } else { quote.1 + 1 };
        let value = Self::in_quotes(view, opens + width, quote);
        let marks = view.bytes().get(at..at + prefix).unwrap_or_default();
        Some(value.filter(|value| !is_composed(value.text, quote.0, marks)))
    }

    fn in_quotes(view: View<'t>, start: usize, quote: (u8, usize)) -> Option<Self> {
        let (seen, is_whole) = match quoted_end(view, start, quote, JUDGED) {
            ValueEnd::Cut(_) => return None,
            ValueEnd::At(end) => (end, true),
            ValueEnd::Beyond(end) => (end, false),
        };
        let seen = view.text.floor_char_boundary(seen).max(start);
        view.text.get(start..seen).map(|text| Self {
            text,
            start,
            seen,
            is_whole,
            quote: Some(quote),
            form: Form::Quoted,
            next: view.byte(seen),
        })
    }

    /// Returns the value without quotes that begins at `start`. Text after its second separator is
    /// not examined.
    pub(super) fn bare(view: View<'t>, start: usize, form: Form) -> Option<Self> {
        let bytes = view.bytes();
        let mut separators = 0;
        let rest = bytes.get(start..).unwrap_or_default();
        // Include one more byte, because it may end the value.
        let near = rest.get(..=JUDGED).unwrap_or(rest);
        let mut end = None;
        for (at, &byte) in (start..).zip(near) {
            // Most bytes do not end a value.
            if !matters_at(byte) {
                continue;
            }
            match byte {
                b'=' | b':' => {
                    separators += u8::from(!matches!(view.byte(at + 1), Some(b'=') | None));
                }
                // `=` and `:`, encoded as in a URL, are separators, too.
                b'%' if matches!(
                    bytes.get(at + 1..at + 3),
                    Some(b"3D" | b"3d" | b"3A" | b"3a")
                ) =>
                {
                    separators += 1;
                }
                0xef if matches!(bytes.get(at + 1..at + 3), Some([0xbc, 0x9a | 0x9d])) => {
                    separators += 1;
                }
                byte if ends_bare(view, at, byte, form) => {
                    end = Some((at, true));
                    break;
                }
                _ => {}
            }
            if separators >= 2 {
                end = Some((at, false));
                break;
            }
        }
        let (at, is_whole) = match end {
            Some(end) => end,
            None if rest.len() > JUDGED => (start + JUDGED, false),
            None if view.is_cut => return None,
            None => (bytes.len(), true),
        };
        let seen = view.text.floor_char_boundary(at).max(start);
        view.text.get(start..seen).map(|text| Self {
            text,
            start,
            seen,
            is_whole,
            quote: None,
            form,
            // A closing tag ends the value, as a quote does.
            next: match (view.byte(seen), view.byte(seen + 1)) {
                (Some(b'<'), Some(b'/')) => Some(b'"'),
                (next, _) => next,
            },
        })
    }

    /// Returns the value from `start` to `end`, which tags or separators enclose.
    pub(super) fn between(view: View<'t>, start: usize, end: usize) -> Option<Self> {
        let seen = view
            .text
            .floor_char_boundary(end.min(start + JUDGED))
            .max(start);
        let text = view.text.get(start..seen)?;
        Some(Self {
            text,
            start,
            seen: end,
            is_whole: true,
            quote: None,
            form: Form::Quoted,
            next: view.byte(end),
        })
    }

    pub(super) fn text(&self) -> &'t str {
        self.text
    }

    pub(super) fn start(&self) -> usize {
        self.start
    }

    /// Returns whether the examined part is the whole value.
    pub(super) fn is_whole(&self) -> bool {
        self.is_whole
    }

    pub(super) fn form(&self) -> Form {
        self.form
    }

    /// Returns the value without the signs that end a sentence.
    pub(super) fn without_stop(self) -> Self {
        if self.is_quoted() || !self.is_whole {
            return self;
        }
        let text = self.text.trim_end_matches(['.', ',', '!', '?', ':']);
        Self {
            text,
            seen: self.start + text.len(),
            ..self
        }
    }

    /// Returns the value with the comma after it read as a part of the sentence.
    pub(super) fn in_sentence(self, view: View<'_>) -> Self {
        let is_comma = self.next == Some(b',') && view.byte(self.seen + 1) == Some(b' ');
        match is_comma && self.is_whole {
            true => Self {
                next: Some(b' '),
                ..self
            },
            false => self,
        }
    }

    pub(super) fn is_quoted(&self) -> bool {
        self.quote.is_some()
    }

    /// Returns the byte after the examined part.
    pub(super) fn next(&self) -> Option<u8> {
        self.next
    }

    pub(super) fn with(self, form: Form) -> Self {
        Self { form, ..self }
    }

    /// Returns the value from `offset` on.
    pub(super) fn from(self, offset: usize) -> Option<Self> {
        Some(Self {
            text: self.text.get(offset..)?,
            start: self.start + offset,
            ..self
        })
    }

    /// Returns all of the value as a secret.
    pub(super) fn secret(&self, view: View<'_>, rule: &'static str) -> Secret {
        Secret {
            start: self.start,
            end: self.end(view),
            rule,
        }
    }

    /// Returns the end of the value, which may be after the examined part.
    pub(super) fn end(&self, view: View<'_>) -> usize {
        if self.is_whole {
            return self.seen;
        }
        let bytes = view.bytes();
        if let Some(quote) = self.quote {
            let (ValueEnd::At(end) | ValueEnd::Beyond(end) | ValueEnd::Cut(end)) =
                quoted_end(view, self.seen.max(self.start), quote, usize::MAX);
            return end;
        }
        let mut at = self.seen;
        while let Some(&byte) = bytes.get(at) {
            if matters_at(byte) && ends_bare(view, at, byte, self.form) {
                break;
            }
            at += 1;
        }
        at
    }

    /// Returns true if the value is a secret, given the kind of secret that the name before it
    /// announces.
    pub(super) fn is_secret(&self, telling: SecretKind) -> bool {
        self.verdict(telling) == Verdict::Secret
    }

    /// Judges the value, given the kind of name that announces it.
    pub(super) fn verdict(&self, telling: SecretKind) -> Verdict {
        let value = self.text;
        // A value without quotes that begins with one of these signs is an expression.
        let is_bare = !self.is_quoted() && !matches!(self.form, Form::Variable | Form::Quoted);
        let is_code = is_bare
            && telling != SecretKind::Phrase
            && matches!(
                value.as_bytes(),
                [
                    b'(' | b'[' | b'{' | b'<' | b'&' | b'|' | b'!' | b'`' | b'\\',
                    ..
                ] | [b'.', b'*', ..]
            );
        let is_option = !self.is_quoted() && matches!(value.as_bytes(), [b'-', b'-', ..]);
        let is_equation = value.as_bytes().first() == Some(&b'=');
        if value.len() < LEAST || is_equation || is_option || is_code {
            return Verdict::SomethingElse;
        }
        let signs = Signs::of(value);
        // The cheapest check comes first.
        if !self.may_be_secret(telling, signs) || signs.has(b'/') && self.is_path(telling) {
            return Verdict::SomethingElse;
        }
        match stand_ins::is_stand_in_of(value, signs) {
            true => Verdict::StandIn,
            false if self.is_no_code(telling, signs) => Verdict::Secret,
            false => Verdict::SomethingElse,
        }
    }

    /// Returns whether the value is a path, and its form and the name before it are such that a
    /// path is not a secret.
    fn is_path(&self, telling: SecretKind) -> bool {
        !matches!(self.form, Form::Quoted | Form::Beside | Form::Variable)
            && !matches!(
                telling,
                SecretKind::Perhaps | SecretKind::Hardly | SecretKind::Code | SecretKind::Phrase
            )
            && looks::is_place(self.text)
    }

    /// Returns whether the value has the characters that such a secret has.
    fn may_be_secret(&self, telling: SecretKind, signs: Signs) -> bool {
        let length = self.text.len();
        let (digit, letter) = (signs.has_digit(), signs.has_letter());
        let word = !digit && !signs.has_any(NO_WORD);
        let is_mixed = || length >= LEAST_MIXED && looks::is_mixed(self.text, signs);
        // A random key of letters only.
        if !digit
            && matches!(telling, SecretKind::Key | SecretKind::Secret)
            && looks::is_letters_key(self.text, signs)
        {
            return true;
        }
        match (self.form, telling) {
            (_, SecretKind::Perhaps) => digit && letter && length >= 16,
            (_, SecretKind::Hardly) => digit && letter && length >= 20,
            (_, SecretKind::Code) => digit,
            (_, SecretKind::Phrase) => length >= 16,
            // A word of another language. A machine's key has only ASCII.
            (_, SecretKind::Key) if !digit && !signs.is_ascii => false,
            (Form::Quoted | Form::Variable, _) => true,
            (Form::Beside, SecretKind::Password) => (!word || is_mixed()) && !signs.has(b' '),
            (Form::Beside, _) => (digit || is_mixed()) && letter && length >= 8 && !signs.has(b' '),
            (Form::Tight, SecretKind::Password) => !word || !is_argument(self.next),
            (Form::Line | Form::Option, SecretKind::Password) => {
                !word || !signs.has_capital() && !signs.has(b'.') || is_mixed()
            }
            (Form::Tight | Form::Option, _) => digit || length >= 16 && !is_argument(self.next),
            (Form::Prose, SecretKind::Password) => {
                (!word || is_mixed())
                    && (letter || !digit)
                    && length >= 6
                    && !is_argument(self.next)
                    && !signs.has_any(const { signs_of(b"(=") })
            }
            (Form::Prose, _) => digit && letter && length >= 12,
            (Form::Loose, SecretKind::Password) => !word || is_mixed(),
            _ => (digit || is_mixed()) && letter && length >= 8,
        }
    }

    /// Returns true if the value is not an expression, a name, a path or a number.
    fn is_no_code(&self, telling: SecretKind, signs: Signs) -> bool {
        let value = self.text;
        let next = self.next.filter(|_| !self.is_quoted());
        match telling {
            SecretKind::Perhaps => {
                let is_place = signs.has(b'/') && looks::is_place(value);
                let is_encoded = signs.has(b'%') && looks::has_part(value.as_bytes(), b"%3A");
                return looks::looks_random_of(value, signs)
                    && !looks::is_uuid(value)
                    && !is_code(value, signs, next)
                    && !is_place
                    && !is_encoded;
            }
            SecretKind::Hardly => {
                let is_hex = || {
                    value.len() >= 32
                        && value.bytes().all(|b| b.is_ascii_hexdigit())
                        && looks::looks_random_of(value, signs)
                };
                return looks::is_surely_random(value) && !is_code(value, signs, next)
                    || self.form == Form::Variable && is_hex();
            }
            SecretKind::Code => {
                return matches!(value.len(), 4..=10)
                    && value.bytes().all(|b| b.is_ascii_digit())
                    && (value.len() >= 6 || self.is_quoted())
                    || looks::looks_random_of(value, signs) && !is_code(value, signs, next);
            }
            SecretKind::Phrase => {
                const LEAST_WORDS: usize = 6;
                let words = value.split_ascii_whitespace();
                return words.count() >= LEAST_WORDS || looks::looks_random_of(value, signs);
            }
            _ => {}
        }
        if (self.form, telling) == (Form::Quoted, SecretKind::Password) && !signs.has(b':') {
            return true;
        }
        let number = looks::is_number(value);
        let word = !signs.has_digit() && !signs.has_any(NO_WORD);
        match (self.form, telling) {
            (Form::Quoted | Form::Variable, SecretKind::Password) => !number || !signs.has(b':'),
            (Form::Quoted, _) => {
                let is_named = telling == SecretKind::Key
                    && looks::is_words(value)
                    && !looks::is_letters_key(value, signs);
                !is_named && !number && !is_thing(value, signs)
            }
            (Form::Beside, SecretKind::Password) => !number && !is_thing(value, signs),
            (Form::Beside, _) => !is_thing(value, signs) && !looks::is_numbered_name(value),
            (Form::Variable, _) => !number && !is_thing(value, signs),
            // A path was excluded before.
            _ if number || is_code(value, signs, next) => false,
            (Form::Loose | Form::Line, _) if signs.has(b'.') && looks::is_member(value) => false,
            (_, SecretKind::Password) if signs.has(b'-') && looks::is_range(value) => false,
            (Form::Tight, SecretKind::Password) => !word || !stand_ins::is_part_of_name(value),
            (Form::Option, SecretKind::Key) if signs.has(b'/') && looks::is_steps(value) => false,
            (Form::Tight | Form::Option, SecretKind::Key | SecretKind::Secret) => {
                signs.has_digit()
                    || !looks::is_identifier(value)
                    || looks::is_letters_key(value, signs)
                    || looks::is_mixed(value, signs)
            }
            (Form::Prose, SecretKind::Password) => {
                !signs.has(b'/') || looks::looks_random_of(value, signs)
            }
            (Form::Prose, SecretKind::Key | SecretKind::Secret) => {
                let is_strong = signs.has_any(NO_WORD) && signs.has_digit() && !signs.has(b'/');
                (is_strong || looks::looks_random_of(value, signs)) && !looks::is_uuid(value)
            }
            (Form::Loose, SecretKind::Key) => {
                !looks::is_numbered_name(value) || looks::is_letters_key(value, signs)
            }
            _ => true,
        }
    }

    /// Returns whether the line ends after the value.
    pub(super) fn ends_line(&self, view: View<'_>) -> bool {
        let at = skip_blanks(view.bytes(), self.seen);
        matches!(view.byte(at), None | Some(b'\n' | b'\r' | b'#' | b'\\'))
    }

    /// Returns true if another value is assigned to this one: `name: Type = value`, `a.name = b.name = value`.
    pub(super) fn is_assigned(&self, view: View<'_>) -> bool {
        view.byte(skip_blanks(view.bytes(), self.seen)) == Some(b'=')
            && looks::is_identifier(self.text)
    }
}

/// Returns whether a JSON string looks like a secret, if the member's name announces the kind
/// `telling`.
pub(super) fn is_string_secret(string: &str, telling: SecretKind) -> bool {
    !holds_mark(string.as_bytes())
        && Value::between(View::whole(string), 0, string.len())
            .is_some_and(|value| value.is_secret(telling))
}

/// Returns whether a JSON string is not a secret although the member's name announces one. It is
/// not if it is a reference, a placeholder, a label in some language, a time or a type. Every other
/// string is a secret, even prose.
pub(super) fn is_label(string: &str, telling: SecretKind) -> bool {
    let is_time = looks::is_number(string) && string.contains(':');
    let is_key = telling == SecretKind::Key;
    let is_place = is_key && looks::is_place(string);
    let is_word = is_key && !string.is_ascii() && !string.bytes().any(|b| b.is_ascii_digit());
    is_time
        || is_place
        || is_word
        || stand_ins::is_stand_in(string) && !stand_ins::is_one_letter(string)
}

/// Where a value in quotes ends.
enum ValueEnd {
    At(usize),
    /// The value is not closed before this position.
    Beyond(usize),
    /// A redaction mark begins at this position, before a quote closes the value.
    Cut(usize),
}

fn quoted_end(view: View<'_>, start: usize, (quote, depth): (u8, usize), most: usize) -> ValueEnd {
    let bytes = view.bytes();
    let rest = bytes.get(start..).unwrap_or_default();
    let near = rest.get(..most).unwrap_or(rest);
    let mut from = 0;
    while let Some(found) =
        byte_search::first_of([quote, b'\n'], near.get(from..).unwrap_or_default())
    {
        let end = from + found;
        if near.get(end) == Some(&b'\n') {
            return ValueEnd::At(start + end);
        }
        // Before most quotes, there are no backslashes.
        let backslashes = match near.get(from..end).unwrap_or_default() {
            before @ [.., b'\\'] => before.iter().rev().take_while(|b| **b == b'\\').count(),
            _ => 0,
        };
        if backslashes == depth || depth == 0 && backslashes % 2 == 0 {
            return ValueEnd::At(start + end - if depth == 0 { 0 } else { backslashes });
        }
        from = end + 1;
    }
    match view.is_cut {
        _ if near.len() < rest.len() => ValueEnd::Beyond(start + most),
        true => ValueEnd::Cut(bytes.len()),
        false => ValueEnd::At(bytes.len()),
    }
}

/// Returns the length of a string literal's prefix at `at`, such as `b` in `b"…"`, if a quote may
/// follow. Without a prefix the length is 0.
#[inline]
pub(super) fn prefix_before_quote(bytes: &[u8], at: usize) -> Option<usize> {
    match bytes.get(at..)? {
        [b'"' | b'\'' | b'`' | b'\\', ..] => Some(0),
        [
            b'b' | b'r' | b'f' | b'u' | b'B' | b'R' | b'F' | b'U' | b'L' | b'N' | b'@' | b'$',
            b'"' | b'\'',
            ..,
        ] => Some(1),
        [first, second, b'"' | b'\'', ..] => {
            let prefix = [first.to_ascii_lowercase(), second.to_ascii_lowercase()];
            matches!(
                &prefix,
                b"rb" | b"rf" | b"br" | b"fr" | b"u8" | b"@$" | b"$@"
            )
            .then_some(2)
        }
        _ => None,
    }
}

/// Returns whether a program puts a string together from others: one with the prefix `f`, or `$` before double quotes,
/// or in backticks. In a shell, `$'…'` is a literal.
fn is_composed(string: &str, quote: u8, prefix: &[u8]) -> bool {
    /// A longer string may have been cut before the closing brace.
    const WHOLE: usize = 90;
    let bytes = string.as_bytes();
    let composes = |b: &u8| matches!(b, b'f' | b'F') || *b == b'$' && quote == b'"';
    match prefix.iter().any(composes) {
        true => byte_search::first(b'{', bytes).is_some_and(|at| {
            bytes.len() > WHOLE || bytes.get(at..).is_some_and(|rest| rest.contains(&b'}'))
        }),
        false => quote == b'`' && looks::has_part(bytes, b"${"),
    }
}

/// Returns false only if the value that begins at `at` is certainly not in quotes.
pub(super) fn may_be_quoted(bytes: &[u8], at: usize) -> bool {
    prefix_before_quote(bytes, at).is_some()
}

/// Returns the quote at `at`, and the number of backslashes before it, if there is one.
pub(super) fn quote_at(bytes: &[u8], at: usize) -> Option<(u8, usize)> {
    const MOST: usize = 8;
    let rest = bytes.get(at..)?;
    let depth = match rest.first()? {
        b'\\' => rest.iter().take(MOST).take_while(|b| **b == b'\\').count(),
        _ => 0,
    };
    let quote = *rest.get(depth)?;
    matches!(quote, b'"' | b'\'' | b'`').then_some((quote, depth))
}

pub(super) fn skip_blanks(bytes: &[u8], at: usize) -> usize {
    let is_blank = |b: &&u8| matches!(b, b' ' | b'\t');
    if bytes.get(at).filter(is_blank).is_none() {
        return at;
    }
    let rest = bytes.get(at..).unwrap_or_default();
    at + rest.iter().take(PROSE).take_while(is_blank).count()
}

fn holds_mark(bytes: &[u8]) -> bool {
    byte_search::all(b'[', bytes).any(|at| mark_at(bytes, at).is_some())
}

/// Returns whether a value in quotes is a path, a constant, a colour or a pattern. These are never
/// secrets, whatever name precedes them.
fn is_thing(value: &str, signs: Signs) -> bool {
    signs.has(b'/') && looks::is_place(value)
        || signs.has(b'_') && looks::is_constant(value)
        || signs.has(b'#') && looks::is_colour(value)
        || signs.has_any(const { signs_of(b"\\[(") }) && looks::is_pattern(value)
        || signs.has(b'[') && looks::is_element(value)
}

/// Returns true if `value` is an expression: a call, a path of names, a type with parameters, a
/// reference.
pub(super) fn is_code(value: &str, signs: Signs, next: Option<u8>) -> bool {
    let bytes = value.as_bytes();
    let dotted = || {
        bytes
            .iter()
            .all(|b| b.is_ascii_alphabetic() || matches!(b, b'.' | b'_'))
    };
    let is_pointer = || {
        value.strip_prefix('*').is_some_and(|rest| {
            let plain = !rest.bytes().any(|b| b.is_ascii_digit());
            looks::is_identifier(rest)
                && (plain || is_argument(next) || looks::is_numbered_name(rest))
        })
    };
    // All parts in one pass: a search for each would read the value four times.
    let has_joint = || {
        let mut pairs = bytes.array_windows();
        pairs.any(|pair| matches!(pair, b"::" | b"->" | b"=>" | b"?."))
    };
    matches!(next, Some(b'(' | b'[' | b'<' | b'{'))
        || signs.has(b'{') && texts::is_literal(value)
        || signs.has(b'(')
        || signs.has(b'[')
        || matches!(
            bytes,
            [b'{' | b'<' | b'&' | b'|' | b'!' | b'=' | b'`' | b'\\', ..] | [b'-', b'-', ..]
        )
        || signs.has(b'*') && (is_pointer() || matches!(bytes, [b'*', .., b'*'] | [b'*']))
        || value.len() <= 12 && looks::is_type_of_number(value)
        || signs.has(b'_') && looks::is_constant(value)
        || signs.has(b'.') && dotted()
        || signs.has_any(const { signs_of(b":>?") }) && has_joint()
        || signs.has(b'+') && is_increment(value)
}

/// Returns true if `value` is `name++`. In base64, more characters would follow the signs.
fn is_increment(value: &str) -> bool {
    value.strip_suffix("++").is_some_and(looks::is_identifier)
}

/// Returns whether the next byte shows that the value is an argument of a call or part of an expression.
fn is_argument(next: Option<u8>) -> bool {
    matches!(next, Some(b',' | b')' | b';' | b'}' | b']' | b'|'))
}

/// Returns whether prose continues at `at`: three words, the first without capitals. A line that a
/// redaction mark cuts counts as prose.
pub(super) fn is_prose(view: View<'_>, at: usize) -> bool {
    const WORDS: usize = 3;
    let rest = view.bytes().get(at..).unwrap_or_default();
    let mut line = rest.get(..PROSE).unwrap_or(rest);
    if view.is_cut && line.len() == rest.len() && byte_search::first(b'\n', line).is_none() {
        return true;
    }
    for number in 0..WORDS {
        let letters = line.iter();
        let letters = letters.take_while(|b| b.is_ascii_alphabetic() || **b == b'\'');
        let (word, behind) = line.split_at_checked(letters.count()).unwrap_or_default();
        let behind = behind.strip_prefix(b",").unwrap_or(behind);
        if word.is_empty() || number == 0 && word.iter().any(u8::is_ascii_uppercase) {
            return false;
        }
        line = match behind {
            [b' ', next @ ..] => next,
            [] | [b'\n', ..] => return number + 1 == WORDS,
            _ => return false,
        };
    }
    true
}
