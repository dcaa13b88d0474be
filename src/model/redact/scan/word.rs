//! Asks the rules about one word.
//!
//! This module decides which rules fit the word, and in which order. It does not see the bytes
//! between words.

use super::arguments::login_at;
use super::calls::listed_call;
use super::headers::{basic, bearer, netrc};
use super::{COOKIE, NAMED, SecretScan, by_shape};
use super::{groups, notations};
use crate::model::redact::commands::{self, ProgramEntry};
use crate::model::redact::foreign;
use crate::model::redact::hashes;
use crate::model::redact::keys;
use crate::model::redact::looks;
use crate::model::redact::names::{self, SecretKind};
use crate::model::redact::pem;
use crate::model::redact::stand_ins;
use crate::model::redact::urls;
use crate::model::redact::values::{self, Form, Value, quote_at, skip_blanks};
use crate::model::redact::wallets;
use crate::model::redact::{Secret, View};

impl<'t> SecretScan<'t> {
    /// Returns the secret that the word from `start` to `end` contains or announces.
    pub(super) fn word(&mut self, view: View<'t>, start: usize, end: usize) -> Option<Secret> {
        // If a rule finds a secret after the word, `view` ends there for the next rules.
        let mut view = view;
        let before = self.byte_before(start);
        let start = match before {
            Some(b'\\' | b'%' | b'[' | b';') => self.without_escape(view, start, end),
            _ => start,
        };
        let word = view
            .bytes()
            .get(start..end)
            .filter(|word| !word.is_empty())?;
        let mut next = view.byte(end);
        if before == Some(b'+')
            && let Some(key) = keys::signed(view, start)
        {
            return Some(key);
        }
        if matches!(before, Some(b'$' | b'{'))
            && let Some(hash) = hashes::before(view, start)
        {
            return Some(hash);
        }
        // Look for a key in the word. The first one counts.
        if word.len() >= 14
            || matches!(
                next,
                Some(b'/' | b'+' | b'=' | b'~' | b'$' | b':' | b'|' | b' ')
            )
        {
            if let Some(key) = pem::bare_at(view, start) {
                return Some(key);
            }
            if let Some(key) = keys::in_word(view, start, end, &mut self.point) {
                if !self.is_ahead(&mut view, end, key) {
                    return Some(key);
                }
                next = view.byte(end);
            }
        }
        match next {
            Some(b':' | b'+')
                if let Some(colon) = urls::scheme_end(view.bytes(), end)
                    && urls::ends_scheme(word) =>
            {
                return urls::userinfo(view, colon).map(|secret| by_shape(view, secret));
            }
            Some(b':') if let Some(secret) = urls::network_login(view, start, end) => {
                return Some(by_shape(view, secret));
            }
            // Most words before these signs are too short or too long for the key.
            Some(b'~' | b':' | b'!' | b'%') if word.len() < 5 => {}
            Some(b'/') if word.len() != 1 => {}
            Some(b'~' | b':' | b'!' | b'%' | b'/') => {
                if let Some(key) = keys::beside_word(view, start, end) {
                    return Some(key);
                }
            }
            _ => {}
        }
        let first = *word.first()?;
        let is_armour = matches!(
            word,
            [.., b'-', b'B', b'E', b'G', b'I', b'N'] | [.., b'-', b'E', b'N', b'D']
        );
        let is_option = first == b'-' && word.len() > 1
            || word == b"p"
            || before == Some(b'/') && word.len() <= 4 && self.command.is_some();
        if is_option || is_armour {
            if matches!(word, [.., b'-', b'B', b'E', b'G', b'I', b'N'])
                && let Some(block) = pem::block_before(view, start, end)
            {
                return Some(block);
            }
            if matches!(word, [.., b'-', b'E', b'N', b'D'])
                && let Some(rest) = pem::rest_before(view, self.barrier, start, end)
            {
                return Some(rest);
            }
            if is_option && let Some(secret) = self.argument(view, start, end) {
                if !self.is_ahead(&mut view, end, secret) {
                    return Some(secret);
                }
                next = view.byte(end);
            }
        }
        if let Some(behind @ (b' ' | b'\t' | b'"' | b'\'')) = next
            && let Some(known) = commands::known(word)
            && let Some(secret) = self.program(view, start, end, known, behind)
        {
            if !self.is_ahead(&mut view, end, secret) {
                return Some(secret);
            }
            next = view.byte(end);
        }
        let bytes = view.bytes();
        let is_call = match next {
            Some(b'(') => true,
            // Without brackets, only a function that is not a method is told by its name.
            Some(b' ') => {
                matches!(bytes.get(end + 1), Some(b'"' | b'\''))
                    && commands::known(word).is_some_and(ProgramEntry::is_only_call)
            }
            _ => false,
        };
        if is_call
            && let Some(position) = commands::call(word)
            && let Some(secret) = listed_call(view, end, position)
        {
            if !self.is_ahead(&mut view, end, secret) {
                return Some(secret);
            }
            next = view.byte(end);
        }
        let bytes = view.bytes();
        if self.assigns
            && next == Some(b'=')
            && let Some(secret) = self.assigned(view, end)
        {
            return Some(secret);
        }
        if self.has_parameters
            && next == Some(b'=')
            && let Some(secret) = self.parameter(view, start, end)
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
        // The word may begin a name that announces a secret and has letters beyond ASCII.
        if next.is_some_and(|byte| !byte.is_ascii()) {
            self.slow = self.slow.max(end + foreign::LONGEST);
        }
        let may_end_foreign = before.is_some_and(|byte| !byte.is_ascii())
            || before == Some(b' ') && matches!(word, b"API" | b"api");
        if may_end_foreign && let Some((_, telling)) = foreign::before(name) {
            return self.named(view, start, end, telling);
        }
        // A number belongs to the name before it, and was examined with that name.
        if first.is_ascii_digit() && word.iter().all(u8::is_ascii_digit) {
            return self.other(view, start, end);
        }
        let told = self.told.filter(|(at, _)| *at == end);
        match told.map_or_else(|| names::telling(name), |(_, telling)| Some(telling)) {
            Some(telling) => {
                // A name that announces a secret may continue after the blanks.
                self.slow = self.slow.max(skip_blanks(bytes, end) + 1);
                self.named(view, start, end, telling)
            }
            None => self.other(view, start, end),
        }
    }

    /// Returns where the word really begins, after the rest of an escape.
    pub(super) fn without_escape(&mut self, view: View<'_>, start: usize, end: usize) -> usize {
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
                // The code of a terminal's colour.
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

    /// Returns the secret of a word that is neither a name that announces a secret nor an option.
    pub(super) fn other(&mut self, view: View<'t>, start: usize, end: usize) -> Option<Secret> {
        let bytes = view.bytes();
        let word = bytes.get(start..end)?;
        match *word {
            [b'B', b'a', b's', b'i', b'c'] => basic(view, end),
            [b'b' | b'B', b'y' | b'Y'] => self.identified(view, start, end),
            [b'W', b'I', b'F', b'I'] if view.byte(end) == Some(b':') => wallets::wifi(view, end),
            [b'a', b'c', b'c', b'o', b'u', b'n', b't', b's']
                if bytes
                    .get(end..)
                    .is_some_and(|rest| rest.starts_with(b": [")) =>
            {
                wallets::key_at(view, end + 3)
            }
            [.., b'W', b'a', b'l', b'l', b'e', b't'] if view.byte(end) == Some(b'(') => {
                wallets::key_at(view, end + 1)
            }
            [b'0'..=b'9'] if self.before(start, 1) == b"(" && view.byte(end) == Some(b')') => {
                wallets::key_at(view, end + 2)
            }
            [b'0'..=b'9', ..] if self.before(start, 1) == b"[" => wallets::list_at(view, start),
            _ if self.given.is_some()
                && !self.begins_object(start)
                && groups::may_hold_value(word)
                && groups::is_member(bytes, end) =>
            {
                let (telling, _) = self.given.take()?;
                self.named(view, start, end, telling)
            }
            [b'v' | b'V', b'a', b'l', b'u', b'e'] | [b'c', b'o', b'n', b't', b'e', b'n', b't'] => {
                self.value_before_name(view, start, end)
            }
            [b's', b'e', b'n', b's', b'i', b't', b'i', b'v', b'e'] => {
                const WORDS: u8 = 6;
                let at = skip_blanks(bytes, notations::quote_end(bytes, end));
                let rest = bytes.get(at + 1..)?;
                let is_true = matches!(bytes.get(at), Some(b':' | b'='))
                    && rest.trim_ascii_start().starts_with(b"true");
                if is_true {
                    self.given = Some((SecretKind::Secret, WORDS));
                }
                None
            }
            [b'5', b'4', b'3', b'2' | b'3'] | [b'6', b'4', b'3', b'2'] => {
                self.line_of_pgpass(view, start, end)
            }
            [b'T', b'R', b'U', b'E'] | [b'F', b'A', b'L', b'S', b'E'] => {
                self.line_of_cookies(view, start, end)
            }
            [b'a', b'p', b'i', b'V', b'e', b'r', b's', b'i', b'o', b'n'] => {
                self.manifest(view, start, end);
                None
            }
            [b'e', b'c', b'h', b'o'] | [b'p', b'r', b'i', b'n', b't', b'f'] => {
                self.piped(view, start, end)
            }
            [b'm', b'a', b'c', b'h', b'i', b'n', b'e'] => netrc(view, end),
            [b'd' | b'p' | b'q' | b'k'] | [b'd', b'p' | b'q'] | [b'q', b'i'] => {
                self.web_key(view, start, end)
            }
            [b'o', b'n' | b'p', ..]
            | [b'p' | b'P', ..]
            | [b'E' | b'X', b'A', ..]
            | [b'0'..=b'9', ..]
                if let Some(secret) = self.configured(view, start, end) =>
            {
                Some(secret)
            }
            // `log in with bob / password`.
            [b'i', b'n'] | [b'l', b'o', b'g', b'i', b'n']
                if bytes
                    .get(end..)
                    .is_some_and(|rest| rest.starts_with(b" with ")) =>
            {
                let is_login = word.len() > 2
                    || matches!(self.before(start, 4), b"log " | b"Log " | b"ign " | b"ged ");
                is_login.then(|| self.login(view, end + 6))?
            }
            [b't', b'h', b'i', b'n']
                if view.byte(end) == Some(b':') && self.before(start, 7) == b"oracle:" =>
            {
                login_at(view, end + 1, b'/', &[])
            }
            _ if word == b"IDENTIFIED" || word == b"identified" => self.identified_bare(view, end),
            _ if word == pem::LINES => {
                let at = end + usize::from(view.byte(end) == Some(b':'));
                pem::lines_at(view, skip_blanks(bytes, at))
            }
            _ if view.byte(end) == Some(b'=') => self.query(view, start, end),
            _ => None,
        }
    }

    /// Returns the value of a parameter in the query of a URL, if it is a secret. The parameter's
    /// name is from `start` to `end`.
    pub(super) fn query(&self, view: View<'t>, start: usize, end: usize) -> Option<Secret> {
        const LEAST: usize = 8;
        const WEAK: [&[u8]; 6] = [b"state", b"nonce", b"st", b"pin", b"crumb", b"appid"];
        const LEAST_WEAK: usize = 20;
        let before = self.before(start, 6);
        let is_query = matches!(
            before,
            [.., b'?' | b'&']
                | [.., b'&', b'a', b'm', b'p', b';']
                | [.., b'u', b'0', b'0', b'2', b'6']
        );
        let word = view.bytes().get(start..end)?;
        let word = word.strip_prefix(b"u0026").unwrap_or(word);
        if !is_query || !names::is_of_query(word) {
            return None;
        }
        let value = Value::bare(view, end + 1, Form::Tight)?;
        let text = value.text();
        let is_weak = WEAK.iter().any(|of| word.eq_ignore_ascii_case(of));
        if text.len() < if is_weak { LEAST_WEAK } else { LEAST } || text.contains("%20") {
            return None;
        }
        let signs = looks::Signs::of(text);
        let digits = || digits_of(text);
        let is_secret = digits() > 0
            && signs.has_letter()
            && (text.len() >= 16 || digits() >= 2)
            && (!is_weak || looks::looks_random_of(text, signs))
            && !stand_ins::is_stand_in_of(text, signs)
            && !looks::is_numbered_name(text)
            && !values::is_code(text, signs, value.next());
        is_secret.then(|| by_shape(view, value.secret(view, NAMED)))
    }

    /// Returns a private number of a JSON Web Key. Its name is from `start` to `end`.
    pub(super) fn web_key(&mut self, view: View<'t>, start: usize, end: usize) -> Option<Secret> {
        let bytes = view.bytes();
        // In JavaScript, the name needs no quotes.
        let colon = match quote_at(bytes, end) {
            Some(quote) => {
                (self.before(start, 1) == [quote.0]).then_some(())?;
                skip_blanks(bytes, end + quote.1 + 1)
            }
            None => end,
        };
        (view.byte(colon) == Some(b':')).then_some(())?;
        let value = Value::quoted(view, skip_blanks(bytes, colon + 1))??;
        let is_number = is_web_number(value.text());
        let text = self.text.as_bytes();
        let has_web_key = || {
            memchr::memmem::find(text, b"\"kty").is_some()
                || memchr::memmem::find(text, b"\"kty\\").is_some()
                || memchr::memmem::find(text, b"kty: ").is_some()
        };
        (is_number && *self.has_web_key.get_or_insert_with(has_web_key))
            .then(|| value.secret(view, pem::RULE))
    }

    /// Returns the value of a pair in a cookie, if it is a secret.
    pub(super) fn pair_of_cookie(
        &self,
        view: View<'t>,
        start: usize,
        end: usize,
    ) -> Option<Secret> {
        let name = view.text.get(start..end)?;
        let value = Value::bare(view, end + 1, Form::Loose)?;
        is_cookie_secret(name, value.text()).then(|| by_shape(view, value.secret(view, COOKIE)))
    }
}

/// Counts the digits of a value in a URL, apart from those that encode a byte.
fn digits_of(value: &str) -> usize {
    let codes = value
        .as_bytes()
        .windows(3)
        .filter(|of| of.starts_with(b"%"));
    let of_codes = codes.flat_map(|of| of.iter().filter(|b| b.is_ascii_digit()));
    let digits = value.bytes().filter(u8::is_ascii_digit).count();
    digits.saturating_sub(of_codes.count())
}

/// Returns whether the value of a cookie of this name is a secret.
pub(super) fn is_cookie_secret(name: &str, text: &str) -> bool {
    const ATTRIBUTES: [&str; 4] = ["domain", "path", "expires", "max-age"];
    !ATTRIBUTES.iter().any(|of| name.eq_ignore_ascii_case(of))
        && (looks::looks_random(text) || text.len() >= values::LEAST && is_session(name))
        && !stand_ins::is_stand_in(text)
        && !looks::is_constant(text)
}

/// Returns whether a cookie with this name usually contains the id of a session.
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

/// Returns whether `text` can be a number of a JSON Web Key: long, in base64 for URLs.
pub(in crate::model::redact) fn is_web_number(text: &str) -> bool {
    const LEAST: usize = 20;
    text.len() >= LEAST
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'='))
        && keys::is_no_word(text.as_bytes())
}
