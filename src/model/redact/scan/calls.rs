//! Finds secrets among the arguments of calls, as in `setPassword("…")` and `jwt.sign(payload, "…")`.
//!
//! `commands` lists the functions whose names do not tell. Only literals are secrets.

use super::{NAMED, SecretScan, by_shape};
use crate::model::redact::commands;
use crate::model::redact::looks;
use crate::model::redact::names::SecretKind;
use crate::model::redact::values::{Form, Value, quote_at, skip_blanks};
use crate::model::redact::{Secret, View};

/// How many arguments of a call are examined.
const MOST: usize = 4;
/// How long an argument may be, in bytes.
const LONGEST: usize = 160;
/// The functions and types that only wrap a literal.
const WRAPPERS: [&[u8]; 19] = [
    b"Some",
    b"Ok",
    b"Just",
    b"Field",
    b"SecretStr",
    b"SecretString",
    b"Secret",
    b"String",
    b"string",
    b"str",
    b"from",
    b"new",
    b"of",
    b"atob",
    b"stringify",
    b"byte",
    b"bytes",
    b"b64decode",
    b"default",
];

impl<'t> SecretScan<'t> {
    /// Returns the secret among the arguments of the function whose telling name is from `start` to
    /// `end`. A `(` follows.
    pub(super) fn call(
        &self,
        view: View<'t>,
        start: usize,
        end: usize,
        telling: SecretKind,
    ) -> Option<Secret> {
        let word = view.bytes().get(start..end)?;
        if let Some(position) = commands::call(word) {
            return listed_call(view, end, position);
        }
        let arguments = literals(view, end, MOST - 1)?;
        let is_pair = telling == SecretKind::Perhaps;
        let telling = match telling {
            // `HTTPBasicAuth("user", "secret")`.
            SecretKind::Perhaps if arguments.get(1)?.is_some() => SecretKind::Password,
            SecretKind::Password | SecretKind::Key | SecretKind::Secret | SecretKind::Phrase => {
                telling
            }
            _ => return None,
        };
        let arguments = arguments.into_iter().skip(usize::from(is_pair)).flatten();
        let mut arguments = arguments.rev();
        let secret = arguments.find(|value| is_argument(value, telling))?;
        Some(by_shape(view, secret.secret(view, NAMED)))
    }

    /// Returns what a test types into the field with the name that ends before `at`, as in
    /// `getByLabel('Password').fill('…')`.
    pub(super) fn filled(&self, view: View<'t>, at: usize) -> Option<Secret> {
        const FILLS: [&[u8]; 12] = [
            b"fill",
            b"type",
            b"send_keys",
            b"sendKeys",
            b"setValue",
            b"set",
            b"val",
            b"fill_in",
            b"input",
            b"setText",
            b"enterText",
            b"typeText",
        ];
        let rest = view.bytes().get(at..)?;
        let rest = rest.strip_prefix(b".")?;
        let length = rest
            .iter()
            .take(16)
            .take_while(|b| b.is_ascii_alphanumeric() || **b == b'_');
        let length = length.count();
        let is_fill = FILLS.contains(&rest.get(..length)?) && rest.get(length) == Some(&b'(');
        let value = is_fill.then(|| Value::quoted(view, at + 1 + length + 1))???;
        is_argument(&value, SecretKind::Password).then(|| by_shape(view, value.secret(view, NAMED)))
    }
}

/// Returns the secret at `position` among the arguments of a listed function. Its name ends at `end`.
pub(super) fn listed_call(view: View<'_>, end: usize, position: usize) -> Option<Secret> {
    let arguments = literals(view, end, position + 1)?;
    let value = arguments.get(position).copied()??;
    is_argument(&value, SecretKind::Password).then(|| by_shape(view, value.secret(view, NAMED)))
}

/// Returns whether a literal among the arguments of a call is a secret, and not a name or a word.
fn is_argument(value: &Value<'_>, telling: SecretKind) -> bool {
    const LEAST: usize = 6;
    let text = value.text();
    let is_name = || {
        text.contains(['_', '-', '.']) && looks::is_numbered_name(text)
            || text.starts_with(['#', '.', '[', '/', '@', ':'])
            || text.contains([' ', '(', '\n'])
            || text.contains('/')
                && !(looks::looks_random(text) && looks::Signs::of(text).has_capital())
    };
    text.len() >= LEAST && !is_name() && value.with(Form::Beside).is_secret(telling)
}

/// Returns the literals among the first `most` arguments of a call. Its name ends at `end`, and `(`
/// or a blank follows. Returns `None` if a redaction mark is among them.
fn literals(view: View<'_>, end: usize, most: usize) -> Option<[Option<Value<'_>>; MOST]> {
    let bytes = view.bytes();
    let mut found = [None; MOST];
    let mut at = end + 1;
    for place in found.iter_mut().take(most) {
        let gap = bytes.get(at..)?.iter().take(LONGEST);
        at += gap.take_while(|b| b.is_ascii_whitespace()).count();
        if let Some(start) = literal_at(bytes, at) {
            let (_, depth) = quote_at(bytes, start + prefix(bytes, start))?;
            let value = Value::quoted(view, start)??;
            *place = value.is_whole().then_some(value);
            at = value.end(view) + depth + 1;
        }
        match argument_end(view, at)? {
            (end, true) => at = end + 1,
            (_, false) => break,
        }
    }
    Some(found)
}

/// Returns the length of the prefix of a string literal, such as `b`.
fn prefix(bytes: &[u8], at: usize) -> usize {
    usize::from(bytes.get(at).is_some_and(u8::is_ascii_alphabetic))
}

/// Returns the end of the argument at `at`, and whether another one follows.
fn argument_end(view: View<'_>, at: usize) -> Option<(usize, bool)> {
    let rest = view.bytes().get(at..)?;
    let mut depth = 0usize;
    for (offset, byte) in rest.iter().take(LONGEST).enumerate() {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => match depth.checked_sub(1) {
                Some(less) => depth = less,
                None => return Some((at + offset, false)),
            },
            b',' if depth == 0 => return Some((at + offset, true)),
            b';' if depth == 0 => return Some((at + offset, false)),
            _ => {}
        }
    }
    (!view.is_cut || rest.len() > LONGEST).then_some((at, false))
}

/// Returns where the literal at `at` begins, after the functions that wrap it.
pub(super) fn literal_at(bytes: &[u8], at: usize) -> Option<usize> {
    if is_literal(bytes, at) {
        return Some(at);
    }
    wrapped(bytes, at)
}

fn is_literal(bytes: &[u8], at: usize) -> bool {
    let at = match bytes.get(at..) {
        Some(
            [
                b'b' | b'r' | b'f' | b'u' | b'B' | b'R' | b'F' | b'U' | b'N',
                b'"' | b'\'',
                ..,
            ],
        ) => at + 1,
        _ => at,
    };
    quote_at(bytes, at).is_some()
}

/// Returns where the literal in `Some("…")` begins, if such an expression is at `at`.
pub(super) fn wrapped(bytes: &[u8], at: usize) -> Option<usize> {
    const LONGEST: usize = 48;
    let rest = bytes.get(at..)?;
    let rest = rest.get(..LONGEST).unwrap_or(rest);
    let is_name =
        |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b':' | b'[' | b']');
    let mut from = 0;
    // As in `z.string().default("…")`.
    for _ in 0..3 {
        let length = rest.get(from..)?.iter().take_while(|b| is_name(b)).count();
        let open = from + length;
        (rest.get(open) == Some(&b'(')).then_some(())?;
        if is_literal(bytes, at + open + 1) {
            let name = rest.get(from..open)?;
            let last = name
                .rsplit(|b| !b.is_ascii_alphanumeric() && *b != b'_')
                .next()?;
            return WRAPPERS.contains(&last).then_some(at + open + 1);
        }
        from = match rest.get(open + 1) {
            Some(b')') => open + 2,
            _ => return None,
        };
    }
    None
}

/// Returns the default in the other arguments of an option's declaration, as in
/// `add_argument("--password", default="…")`. They begin at `at`.
pub(super) fn declared(view: View<'_>, at: usize) -> Option<Value<'_>> {
    const NAMES: [&[u8]; 6] = [
        b"default=",
        b"default: ",
        b"default = ",
        b"with: ",
        b"with => ",
        b"text: ",
    ];
    const LONGEST: usize = 96;
    let bytes = view.bytes();
    let rest = bytes.get(at..)?;
    let rest = rest.get(..LONGEST).unwrap_or(rest);
    let length = rest.iter().position(|b| *b == b'\n').unwrap_or(rest.len());
    let rest = rest.get(..length)?;
    let mut words = 0;
    for (offset, byte) in rest.iter().enumerate() {
        let begins = matches!(byte, b'd' | b'w' | b't')
            && offset
                .checked_sub(1)
                .is_none_or(|before| !rest.get(before).is_some_and(u8::is_ascii_alphanumeric));
        if !begins {
            continue;
        }
        words += 1;
        let found = rest.get(offset..)?;
        if let Some(name) = NAMES.iter().find(|name| found.starts_with(name)) {
            return Value::quoted(view, skip_blanks(bytes, at + offset + name.len()))?;
        }
        if words > 8 {
            break;
        }
    }
    None
}

/// Returns the second of two literals in brackets, as in `auth=("user", "secret")`.
pub(super) fn second_of_pair(view: View<'_>, at: usize) -> Option<Secret> {
    matches!(view.byte(at), Some(b'(' | b'[')).then_some(())?;
    listed_call(view, at, 1)
}
