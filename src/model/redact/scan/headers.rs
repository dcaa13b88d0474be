//! Finds secrets in headers, in `.netrc`, in elements of XML and in SQL.
//!
//! Each function reads on from one position, and needs nothing from the pass.

use super::{AUTHORIZATION, MAX_NAME, NAMED, SecretScan, by_shape};
use crate::model::redact::keys;
use crate::model::redact::looks;
use crate::model::redact::names::SecretKind;
use crate::model::redact::pem;
use crate::model::redact::shapes;
use crate::model::redact::stand_ins;
use crate::model::redact::values::{self, Form, Value, quote_at, skip_blanks};
use crate::model::redact::{Secret, View};

impl<'t> SecretScan<'t> {
    /// Returns the password of SQL's `IDENTIFIED BY 'password'`, where `by` ends at `end`.
    pub(super) fn identified(
        &mut self,
        view: View<'t>,
        start: usize,
        end: usize,
    ) -> Option<Secret> {
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
            // In prose, double quotes may enclose a name.
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
        self.is_secret(&value, SecretKind::Password)
            .then(|| value.secret(view, NAMED))
    }
}

impl<'t> SecretScan<'t> {
    /// Returns the credentials in a header's value at `at`. If they are named parameters, the next
    /// words show which of them are secret.
    pub(super) fn credentials(&mut self, view: View<'t>, at: usize) -> Option<Secret> {
        if has_parameters(view, at) {
            self.has_parameters = true;
            return None;
        }
        authorization(view, at)
    }

    /// Returns the secret in the parameter of a header whose name is from `start` to `end`.
    pub(super) fn parameter(&self, view: View<'t>, start: usize, end: usize) -> Option<Secret> {
        const NAMES: [&[u8]; 7] = [
            b"mac",
            b"response",
            b"signature",
            b"token",
            b"sig",
            b"secret",
            b"password",
        ];
        const LEAST: usize = 8;
        let name = view.bytes().get(start..end)?;
        let is_secret = |ending: &&[u8]| {
            let end = name.get(name.len().saturating_sub(ending.len())..);
            end.is_some_and(|end| end.eq_ignore_ascii_case(ending))
        };
        NAMES.iter().any(is_secret).then_some(())?;
        let value = Value::read(view, end + 1, Form::Loose)?;
        let text = value.text();
        let is_random = text.bytes().any(|b| b.is_ascii_digit()) || looks::is_random_word(text);
        (text.len() >= LEAST && is_random && !stand_ins::is_stand_in(text))
            .then(|| value.secret(view, AUTHORIZATION))
    }

    /// Returns the password of SQL's `IDENTIFIED BY password`, without quotes. The word `IDENTIFIED`
    /// ends at `end`.
    pub(super) fn identified_bare(&self, view: View<'t>, end: usize) -> Option<Secret> {
        const LEAST: usize = 6;
        matches!(
            view.bytes().get(end..)?,
            [b' ', b'B', b'Y', b' ', ..] | [b' ', b'b', b'y', b' ', ..]
        )
        .then_some(())?;
        let at = end + 4;
        if values::may_be_quoted(view.bytes(), at) && quote_at(view.bytes(), at).is_some() {
            return None;
        }
        let value = Value::bare(view, at, Form::Loose)?;
        // In prose, any name may follow.
        let is_statement = view.byte(end + 1) == Some(b'B') || value.next() == Some(b';');
        (is_statement && value.text().len() >= LEAST && value.is_secret(SecretKind::Password))
            .then(|| by_shape(view, value.secret(view, NAMED)))
    }

    /// Returns the password of an account that a server's configuration has in a place without a
    /// telling name: `]:587 user:secret`, `on >secret`, `: EAP "secret"`. The word is from `start`
    /// to `end`.
    pub(super) fn configured(&self, view: View<'t>, start: usize, end: usize) -> Option<Secret> {
        const LEAST: usize = 6;
        let bytes = view.bytes();
        let rest = bytes.get(end..)?;
        let value = match (bytes.get(start..end)?, rest) {
            (b"on", [b' ', b'>', ..]) => {
                let value = Value::bare(view, end + 2, Form::Option)?;
                let signs = looks::Signs::of(value.text());
                (signs.has_digit() && signs.has_letter() && !signs.has(b'/')).then_some(value)?
            }
            (b"PRAGMA" | b"pragma" | b"option", [b' ', b'k' | b'r', ..]) => {
                let name = [&b" key"[..], b" rekey"]
                    .iter()
                    .find_map(|name| rest.strip_prefix(*name))?;
                let at = skip_blanks(bytes, bytes.len() - name.len());
                let at = at + usize::from(view.byte(at) == Some(b'='));
                Value::quoted(view, skip_blanks(bytes, at))??
            }
            (b"EAP" | b"XAUTH", [b' ', b'"', ..]) if self.before(start, 2) == b": " => {
                Value::quoted(view, end + 1)??
            }
            ([b'0'..=b'9', ..], [b' ', ..]) if self.before(start, 2) == b"]:" => {
                let value = Value::bare(view, end + 1, Form::Loose)?;
                value.from(value.text().find(':')? + 1)?
            }
            _ => return None,
        };
        (value.text().len() >= LEAST && value.is_secret(SecretKind::Password))
            .then(|| by_shape(view, value.secret(view, NAMED)))
    }
}

/// Returns whether named parameters follow the scheme in a header's value at `at`, as in
/// `Digest username="bob", response="…"`.
fn has_parameters(view: View<'_>, at: usize) -> bool {
    const LONGEST: usize = 160;
    let bytes = view.bytes();
    let at = quote_at(bytes, at).map_or(at, |(_, depth)| at + depth + 1);
    let rest = bytes.get(at..).unwrap_or_default();
    let is_name = |b: &&u8| b.is_ascii_alphanumeric() || matches!(**b, b'-' | b'_');
    let scheme = rest.iter().take(24).take_while(is_name).count();
    let rest = match rest.get(scheme..) {
        Some([b' ', rest @ ..]) if scheme > 0 => rest,
        _ => return false,
    };
    let name = rest.iter().take(24).take_while(is_name).count();
    match rest.get(name..) {
        Some([b'=', b'"' | b'\\' | b'\'', ..]) => name > 0,
        Some([b'=', rest @ ..]) if name > 0 => {
            let mut value = rest.iter().take(LONGEST);
            let end =
                value.find(|b| matches!(b, b',' | b' ' | b'"' | b'\'' | b'\n' | b'\r' | b'\\'));
            end == Some(&b',')
        }
        _ => false,
    }
}

/// Returns the text of `<name>text</…`, if it is a secret. The first tag ends at `at`.
pub(super) fn element(view: View<'_>, at: usize, telling: SecretKind) -> Option<Secret> {
    const LONGEST: usize = 512;
    let bytes = view.bytes();
    if matches!(telling, SecretKind::Cookie | SecretKind::Authorization) {
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

/// Returns the token after `Bearer`, which ends at `end`.
pub(super) fn bearer(view: View<'_>, end: usize) -> Option<Secret> {
    const LEAST: usize = 16;
    // As the protocol of a web socket.
    let is_list = view.bytes().get(end..end + 2) == Some(b", ");
    (is_list || view.byte(end) == Some(b' ')).then_some(())?;
    let end = end + usize::from(is_list);
    let rest = view.bytes().get(end + 1..)?;
    let token = rest.get(..LEAST)?;
    let is_token = token.iter().all(|b| shapes::Alphabet::Parts.has(*b)) && keys::is_no_word(token);
    let is_random = |token: &[u8]| str::from_utf8(token).is_ok_and(looks::looks_random);
    let is_token = is_token && (!is_list || is_random(rest.get(..2 * LEAST).unwrap_or(token)));
    is_token.then(|| Secret {
        start: end + 1,
        end: end + 1 + keys::run(rest, shapes::Alphabet::Parts, usize::MAX),
        rule: AUTHORIZATION,
    })
}

/// Returns the credentials after `Basic`, which ends at `end`: a user and a password in base64.
pub(super) fn basic(view: View<'_>, end: usize) -> Option<Secret> {
    const LONGEST: usize = 64;
    (view.byte(end) == Some(b' ')).then_some(())?;
    let rest = view.bytes().get(end + 1..)?;
    let length = keys::run(rest, shapes::Alphabet::Base64, usize::MAX);
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

/// Returns the password in a line of a `.netrc`: `machine host login user password word`. The word
/// `machine` ends at `end`.
pub(super) fn netrc(view: View<'_>, end: usize) -> Option<Secret> {
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
                let is_secret = value.text() != "pass" && value.is_secret(SecretKind::Password);
                return is_secret.then(|| by_shape(view, value.secret(view, NAMED)));
            }
            _ => return None,
        }
    }
    None
}

/// Returns the credentials in a header's value at `at`, after the scheme if there is one.
pub(super) fn authorization(view: View<'_>, at: usize) -> Option<Secret> {
    let bytes = view.bytes();
    let quote = quote_at(bytes, at);
    let start = quote.map_or(at, |(_, depth)| at + depth + 1);
    let rest = bytes.get(start..)?;
    // A setting may repeat the name of the header.
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
    // In prose, this is the next word of the sentence; in code, it is an expression.
    let is_word = looks::is_words(value);
    let is_closed =
        matches!(next, None | Some(b'"' | b'\'' | b'\r' | b'\n' | b'\\')) && !value.ends_with('.');
    // In `OAuth realm="…"`, a named parameter follows the scheme.
    let is_parameter = value.strip_suffix('=').is_some_and(looks::is_identifier)
        && matches!(next, Some(b'"' | b'\'' | b'\\'));
    let is_secret = match (quote, has_scheme) {
        _ if is_parameter || value.starts_with("--") || looks::is_place(value) => false,
        (Some(_), true) => true,
        (Some(_), false) => !(looks::is_words(value) && value.contains(['_', '.'])),
        (None, true) => !is_word || is_closed,
        (None, false) => {
            value.bytes().any(|b| b.is_ascii_digit())
                && (!looks::is_numbered_name(value)
                    || value.bytes().any(|b| b.is_ascii_uppercase()))
                && !values::is_code(value, looks::Signs::of(value), next)
        }
    };
    (is_secret && value.len() >= values::LEAST && !stand_ins::is_stand_in(value))
        .then(|| credentials.secret(view, AUTHORIZATION))
}
