//! Finds the value that a name such as `DB_PASSWORD` announces: where it begins, after which sign,
//! and in which form.
//!
//! `values`, `looks` and `stand_ins` decide whether the value is a secret.

use super::calls::{declared, listed_call, second_of_pair, wrapped};
use super::headers::{authorization, element};
use super::{GAP, MAX_NAME, NAMED, NEAR, Pairs, SecretScan, by_shape};
use crate::model::redact::looks;
use crate::model::redact::names::SecretKind;
use crate::model::redact::tables::HeadingCell;
use crate::model::redact::values::{self, Form, Value, quote_at, skip_blanks};
use crate::model::redact::{Secret, View, byte_search};

impl<'t> SecretScan<'t> {
    /// Returns the secret that the name from `start` to `end` announces.
    pub(super) fn named(
        &mut self,
        view: View<'t>,
        start: usize,
        end: usize,
        telling: SecretKind,
    ) -> Option<Secret> {
        let bytes = view.bytes();
        if self.before(start, 1) == b":" && self.is_in_other_name(bytes, start, end) {
            return None;
        }
        // The header `X-…-Key`.
        let telling = match (telling, bytes.get(start..end)?) {
            (SecretKind::Hardly, [b'x' | b'X', b'-', ..]) => SecretKind::Key,
            _ => telling,
        };
        // The name of a secret in a cluster: `existingSecret: my-release-2`.
        if telling == SecretKind::Secret && looks::has_part(bytes.get(start..end)?, b"xisting") {
            return None;
        }
        if telling == SecretKind::Several {
            self.several(view, start, end);
            return None;
        }
        if bytes.get(start..end) == Some(b"random_password") {
            return result(view, end);
        }
        let mut view = view;
        if bytes.get(start..end) == Some(b"Secret") {
            self.manifest(view, start, end);
            view = self.view(self.limit);
        }
        let bytes = view.bytes();
        if let Some(cell) = HeadingCell::at(view, self.before(start, MAX_NAME), end, telling) {
            self.know(start);
            self.tables.telling(cell, telling);
        }
        let (closed, quotes) = closed_name(bytes, end);
        let at = skip_blanks(bytes, closed);
        if matches!(bytes.get(at), Some(b',' | b')')) {
            self.columns(view, (start, closed), telling);
            view = self.view(self.limit);
        }
        if let Some([0xe2, 0x94 | 0x95, ..]) = bytes.get(at..) {
            self.boxed(view, start, telling);
            view = self.view(self.limit);
        }
        if self.begins_column(start, closed, bytes) {
            self.aligned(view, start, telling);
            view = self.view(self.limit);
        }
        let bytes = view.bytes();
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
            [b'>', ..] if self.before(start, 1) == b"<" => {
                let found = element(view, at, telling);
                return found.or_else(|| {
                    self.in_notation(view, (start, end), (closed, quotes), at, telling)
                });
            }
            [b'(', ..] if quotes == 0 && blanks == 0 => {
                return self.call(view, start, end, telling);
            }
            [b'<', b'<', b'<', ..] => {
                let value = Value::read(view, skip_blanks(bytes, at + 3), Form::Variable)?;
                return self.judged(view, value, telling);
            }
            [0xe2, 0x80, 0x93 | 0x94, b' ', ..] => return self.said(view, at + 4, telling),
            [b'-', b' ', ..] if quotes == 0 && blanks > 0 => {
                return self.said(view, at + 2, telling);
            }
            [b'(', note @ ..] if quotes == 0 && blanks > 0 => {
                let length = note
                    .iter()
                    .take(GAP)
                    .position(|b| matches!(b, b')' | b'\n'))?;
                let colon = at + 1 + length + 1;
                let is_note = bytes.get(colon - 1..)?.starts_with(b"): ");
                return is_note.then(|| self.said(view, colon + 2, telling))?;
            }
            [b',', ..] if quotes == 0 && bytes.get(start..end)?.starts_with(b"CURLOPT_") => {
                let value = Value::quoted(view, skip_blanks(bytes, at + 1))??;
                let is_pair = bytes.get(start..end)?.ends_with(b"USERPWD");
                let value = match is_pair {
                    true => value.from(value.text().find(':')? + 1)?,
                    false => value,
                };
                return self.judged(view, value.with(Form::Beside), telling);
            }
            [b',', ..] if quotes > 0 => {
                self.give(start, telling);
                return self.second(view, start, at + 1, telling);
            }
            [b'|', b'|', b'=', ..] | [b'?', b'?', b'=', ..] => {
                return self.default(view, at + 3, telling);
            }
            [b'|', b'|', ..] if self.before(start, 1) == b"|" => None,
            [b'|', b'|', ..] | [b'?', b'?', ..] => return self.default(view, at + 2, telling),
            // `the password "password" or "test"` has no bracket.
            [b'o', b'r', b' ', ..] if quotes > 1 && bytes.get(closed - 1) == Some(&b']') => {
                return self.default(view, at + 2, telling);
            }
            [b'.', b'e' | b'=', ..] => None,
            [b')', ..] | [b'.', ..] => {
                let closed = at + usize::from(rest.first() == Some(&b')'));
                if quotes > 0
                    && telling == SecretKind::Password
                    && let Some(secret) = self.filled(view, closed)
                {
                    return Some(secret);
                }
                return self.after_call(view, at, telling);
            }
            _ => None,
        };
        let Some((after, separator)) = separator else {
            if quotes > 0 || blanks == 0 {
                self.give(start, telling);
            }
            let found = self.in_notation(view, (start, end), (closed, quotes), at, telling);
            if found.is_some() {
                return found;
            }
            if blanks > 0 {
                return self.apart(view, start, end, at, telling);
            }
            return None;
        };
        // The token of a badge is as public as the page that shows it.
        if separator == Some(b'=') && self.before(start, 10) == b"badge.svg?" {
            return None;
        }
        let value = skip_blanks(bytes, after);
        let is_tight = separator == Some(b'=') && value == after && blanks == 0;
        match telling {
            SecretKind::Authorization => return self.credentials(view, value),
            SecretKind::Cookie => {
                self.cookie = Some(Pairs::at(bytes, value));
                return None;
            }
            _ => {}
        }
        if telling == SecretKind::Perhaps
            && separator == Some(b':')
            && let Some(secret) = self.login(view, value)
        {
            return Some(secret);
        }
        if let Some(literal) = wrapped(bytes, value) {
            let value = Value::quoted(view, literal)??;
            return self.judged(view, value.with(Form::Beside), telling);
        }
        if telling == SecretKind::Perhaps && bytes.get(start..end)?.ends_with(b"auth") {
            let pair = second_of_pair(view, value);
            if pair.is_some() {
                return pair;
            }
        }
        let opens = value + values::prefix_before_quote(bytes, value).unwrap_or_default();
        if quote_at(bytes, opens).is_none()
            && let Some(found) = self.in_form(view, start, (value, separator), telling)
        {
            return Some(found);
        }
        // In `print("Token: " + token)`, this quote closes the string in which the name is, and no
        // value follows.
        if let Some((quote, depth)) = quote_at(bytes, opens)
            && quotes == 0
            && closes_code(view.byte(opens + depth + 1))
            && self.closes(end, quote, depth)
        {
            return None;
        }
        if telling == SecretKind::Phrase
            && let Some(phrase) = phrase(view, value)
        {
            return Some(phrase);
        }
        let is_index =
            quotes == 1 && bytes.get(end) == Some(&b']') && self.before(start, 1) == b"[";
        let form = match separator {
            Some(b'=') if is_tight => {
                let name = bytes.get(start..end)?;
                let is_pair = self.before(start, 1) == b";";
                // In a connection string, braces may enclose the value.
                if is_pair
                    && let Some([b'{', inside @ ..]) = bytes.get(value..)
                    && let Some(length) = inside.iter().take(NEAR).position(|b| *b == b'}')
                {
                    let inside = Value::between(view, value + 1, value + 1 + length)?;
                    return self.judged(view, inside.with(Form::Beside), telling);
                }
                match name.iter().any(u8::is_ascii_lowercase) {
                    _ if is_pair => Form::Option,
                    true => Form::Tight,
                    false => Form::Variable,
                }
            }
            Some(b':') if value > after && self.begins_line(start) => Form::Line,
            // PHP prints an array so.
            Some(b'>') if is_index => Form::Line,
            _ => Form::Loose,
        };
        let value = Value::read(view, value, form)?;
        // A command of the shell, or a template.
        if value.is_quoted()
            && view.byte(value.start() - 1) == Some(b'`')
            && (value.text().contains("${") || form == Form::Variable && value.text().contains(' '))
        {
            return None;
        }
        if !value.is_quoted() && separator == Some(b'>') && !is_index {
            return None; // an arrow function
        }
        if separator == Some(b'>') && quotes == 0 && self.is_variant(bytes, start, end, &value) {
            return None;
        }
        self.judged(view, value, telling)
    }

    /// Returns whether the name from `start` to `end`, with a colon before it, is part of an ARN or ends the name
    /// of a type in quotes: `arn:aws:secretsmanager:eu-west-1:1:secret:a-b1`, `"AWS::SecretsManager::Secret"`.
    fn is_in_other_name(&self, bytes: &[u8], start: usize, end: usize) -> bool {
        let is_type = || {
            self.before(start, 2) == b"::" && matches!(bytes.get(end), Some(b'"' | b'\'' | b'`'))
        };
        let before = self.before(start, MAX_NAME);
        let ends = |b: &u8| b.is_ascii_whitespace() || matches!(b, b'"' | b'\'' | b'`' | b',');
        let from = before.iter().rposition(ends).map_or(0, |at| at + 1);
        let word = before.get(from..).unwrap_or_default();
        is_type() || word.starts_with(b"arn:aws")
    }

    /// Returns whether `value` is the text of a variant in a table, as in `DerivedSecret => "derived"`. The variant's
    /// name is from `start` to `end`.
    fn is_variant(&self, bytes: &[u8], start: usize, end: usize, value: &Value<'_>) -> bool {
        let name = bytes.get(start..end).unwrap_or_default();
        let is_path = self.before(start, 2) == b"::";
        let has_words = || {
            name.first().is_some_and(u8::is_ascii_uppercase)
                && !matches!(self.byte_before(start), Some(b':' | b'$' | b'@'))
                && name
                    .array_windows()
                    .any(|[one, next]| one.is_ascii_lowercase() && next.is_ascii_uppercase())
        };
        let is_words = |b: u8| b.is_ascii_lowercase() || matches!(b, b' ' | b'-' | b'\'' | b'.');
        (is_path || has_words()) && value.text().bytes().all(is_words)
    }

    /// Returns `value` as a secret, if it is one.
    pub(super) fn judged(
        &mut self,
        view: View<'t>,
        value: Value<'t>,
        telling: SecretKind,
    ) -> Option<Secret> {
        let value = formed(view, value)?;
        self.is_secret(&value, telling)
            .then(|| by_shape(view, value.secret(view, NAMED)))
    }

    /// Returns the secret that follows a name after blanks only: an option's argument, SQL, prose,
    /// a setting.
    pub(super) fn apart(
        &mut self,
        view: View<'t>,
        start: usize,
        end: usize,
        at: usize,
        telling: SecretKind,
    ) -> Option<Secret> {
        const VERBS: [&[u8]; 16] = [
            b"is ",
            b"was ",
            b"ist ",
            b"es ",
            b"est ",
            b"to ",
            b"equals ",
            b"set to ",
            b"is: ",
            b"ist: ",
            b"es: ",
            b"lautet ",
            b"lautet: ",
            "\u{e8} ".as_bytes(),
            "\u{e9} ".as_bytes(),
            b"from ",
        ];
        let bytes = view.bytes();
        let word = bytes.get(start..end)?;
        // In `get -field=password db/x`, the name is itself a value.
        if self.byte_before(start) == Some(b'=') {
            return None;
        }
        if telling == SecretKind::Phrase
            && let Some(phrase) = phrase(view, at)
        {
            return Some(phrase);
        }
        if matches!(telling, SecretKind::Password | SecretKind::Secret)
            && let Some(typed) = typed(view, at)
        {
            return Some(typed);
        }
        if let [b'-', ..] = word {
            let is_option = word.len() > 2;
            return match telling {
                SecretKind::Cookie if is_option => {
                    self.cookie = Some(Pairs::at(bytes, at));
                    None
                }
                SecretKind::Authorization => None,
                _ if !is_option => None,
                _ => match Value::quoted(view, at) {
                    Some(value) => self.judged(view, value?, telling),
                    None if values::is_prose(view, at) => None,
                    None => self.judged(view, Value::bare(view, at, Form::Option)?, telling),
                },
            };
        }
        let is_set = self.command.is_some_and(|command| command.sets)
            || matches!(
                word,
                b"requirepass" | b"masterauth" | b"rootpw" | b"bindpw" | b"rootbindpw" | b"wpa-psk"
            );
        let rest = bytes.get(at..)?;
        let may_be_verb = matches!(
            rest.first(),
            Some(b'i' | b'w' | b'e' | b't' | b's' | b'l' | b'f' | 0xc3)
        );
        let verb = VERBS
            .iter()
            .find(|verb| may_be_verb && rest.starts_with(verb));
        // A short name is also a common word.
        let is_command = word == b"PASS" && self.begins_line(start)
            || word == b"pass" && self.before(start, 5) == b"ftp> "
            || word == b"PSK" && self.before(start, 2) == b": " && rest.first() == Some(&b'"');
        let is_short = || {
            !is_command
                && !is_set
                && matches!(
                    word,
                    [.., b'p' | b'P', b'a' | b'A', b's' | b'S', b's' | b'S']
                        | [.., b'p' | b'P', b's' | b'S', b'k' | b'K']
                        | [.., b'p' | b'P', b'w' | b'W']
                )
        };
        if matches!(telling, SecretKind::Authorization | SecretKind::Cookie)
            || !is_set && verb.is_none() && is_short()
        {
            return None;
        }
        if telling == SecretKind::Perhaps
            && word.ends_with(b"auth")
            && values::may_be_quoted(bytes, at)
        {
            return listed_call(view, end, 1);
        }
        if verb.is_none()
            && let Some(value) = Value::quoted(view, at)
        {
            let value = value?;
            let is_sql = bytes.get(at) == Some(&b'\'') && !word.iter().any(u8::is_ascii_lowercase)
                || [b"with ", b"pted ", b"user ", b"role "]
                    .iter()
                    .any(|before| self.before(start, 5).eq_ignore_ascii_case(*before));
            let is_sql = is_sql || word == b"PSK" && is_command;
            let form = if is_sql { Form::Quoted } else { Form::Beside };
            return self.judged(view, value.with(form), telling);
        }
        // The name may continue with a number, or with a person or thing: `Unseal Key 1:`,
        // `password for bob:`.
        let digits = rest
            .iter()
            .take(3)
            .take_while(|b| b.is_ascii_digit())
            .count();
        if digits > 0 && rest.get(digits) == Some(&b':') {
            let value = Value::read(view, skip_blanks(bytes, at + digits + 1), Form::Loose)?;
            return self.judged(view, value, telling);
        }
        // In a kickstart file, an option precedes the password.
        if word == b"rootpw" && rest.starts_with(b"--") {
            let length = byte_search::first(b' ', rest.get(..NEAR).unwrap_or(rest))?;
            let value = Value::read(view, skip_blanks(bytes, at + length), Form::Option)?;
            return (!value.text().starts_with('-')).then(|| self.judged(view, value, telling))?;
        }
        if self.before(start, 10).ends_with(b"ollowing ") {
            return self.on_the_next_line(view, at, telling);
        }
        let is_generated = [
            &b"is generated "[..],
            b"was generated ",
            b"generated ",
            b"is set ",
            b"was set ",
        ]
        .iter()
        .any(|made| {
            rest.starts_with(made)
                && rest
                    .get(made.len()..)
                    .is_some_and(|rest| rest.starts_with(b"for "))
        });
        if is_generated || matches!(rest, [b'f' | b'F', b'o' | b'O', b'r' | b'R', b' ', ..]) {
            let near = rest.get(..NEAR).unwrap_or(rest);
            let mut signs = memchr::memchr3_iter(b':', b'=', b'\n', near);
            let colon = signs.find(|at| {
                matches!(near.get(*at..), Some([b'\n', ..] | [b':' | b'=', b' ', ..]))
            })?;
            let asked = near.get(..colon)?;
            // In `the secret key for user: "bob"`, the user follows.
            let is_other = [
                &b" user"[..],
                b" username",
                b" account",
                b" host",
                b" login",
                b" email",
                b" name",
            ]
            .iter()
            .any(|of| asked.ends_with(of));
            (near.get(colon) != Some(&b'\n')
                && byte_search::first(b'[', asked).is_none()
                && !is_other)
                .then_some(())?;
            let value = Value::read(view, skip_blanks(bytes, at + colon + 1), Form::Loose)?;
            return self.judged(view, value, telling);
        }
        let form = match (is_set, verb) {
            (true, None) => Form::Option,
            _ => Form::Prose,
        };
        let at = verb.map_or(at, |verb| {
            let at = skip_blanks(bytes, at + verb.len());
            // Skip the `now` of `is now`.
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
            Some(_) => value.without_stop().in_sentence(view),
            None => value,
        };
        // `**To force a password change**`.
        if !value.is_quoted()
            && let Some(word) = value.text().strip_suffix("**")
            && looks::is_numbered_name(word)
        {
            return None;
        }
        // In `the password from v to w`, two passwords follow.
        if verb == Some(&&b"from "[..]) {
            let behind = bytes.get(value.end(view)..).unwrap_or_default();
            let is_old = behind.starts_with(b" to ") && !looks::is_numbered_name(value.text());
            is_old.then_some(())?;
        }
        if !value.is_quoted() && telling == SecretKind::Hardly {
            return None;
        }
        // A file that passed a test, or a named parameter.
        if is_command && value.text().contains('/')
            || telling == SecretKind::Perhaps && value.text().trim_end_matches('=').contains('=')
        {
            return None;
        }
        // The id of a key that anyone may know.
        if word.ends_with(b"signingkey")
            && matches!(value.text().len(), 8 | 16 | 40)
            && value
                .text()
                .bytes()
                .all(|b| b.is_ascii_digit() || matches!(b, b'A'..=b'F'))
        {
            return None;
        }
        // In `set PSK identity`, a plain word follows the name; in `config user.password letmein`,
        // a value does.
        if form == Form::Option
            && looks::is_words(value.text())
            && !word.iter().any(|b| matches!(b, b'.' | b'_'))
        {
            return None;
        }
        let is_name = || {
            verb.is_none()
                && word != b"pass"
                && form == Form::Prose
                && telling == SecretKind::Password
                && looks::is_numbered_name(value.text())
        };
        (self.is_secret(&value, telling) && !is_name())
            .then(|| by_shape(view, value.secret(view, NAMED)))
    }

    /// Returns the value at `at` in a sentence, as in `password - …`, if it looks like a secret.
    pub(super) fn said(&self, view: View<'t>, at: usize, telling: SecretKind) -> Option<Secret> {
        let least = match telling {
            SecretKind::Password => 6,
            SecretKind::Key | SecretKind::Secret => 10,
            _ => return None,
        };
        let value = match Value::quoted(view, at) {
            Some(value) => value?.with(Form::Beside),
            None => Value::bare(view, at, Form::Prose)?.without_stop(),
        };
        let value = value.in_sentence(view);
        // The text of the sentence may continue without a blank.
        let length = value.text().bytes().take_while(u8::is_ascii).count();
        let value = match length == value.text().len() {
            true => value,
            false => {
                Value::between(view, value.start(), value.start() + length)?.with(Form::Beside)
            }
        };
        let text = value.text();
        let signs = looks::Signs::of(text);
        let is_secret = text.len() >= least
            && signs.has_letter()
            && (signs.has_digit() || looks::is_random_word(text))
            && (!looks::is_numbered_name(text) || signs.has_capital())
            && !looks::is_place(text)
            && value.with(Form::Beside).is_secret(telling);
        is_secret.then(|| by_shape(view, value.secret(view, NAMED)))
    }

    /// Returns the password of `user / password` at `at`.
    pub(super) fn login(&self, view: View<'t>, at: usize) -> Option<Secret> {
        const LONGEST: usize = 40;
        let rest = view.bytes().get(at..)?;
        let is_user =
            |b: &&u8| b.is_ascii_alphanumeric() || matches!(**b, b'.' | b'_' | b'-' | b'@');
        let user = rest.iter().take(LONGEST).take_while(is_user).count();
        (user > 0 && rest.get(user..user + 3) == Some(b" / ")).then_some(())?;
        self.said(view, at + user + 3, SecretKind::Password)
    }

    /// Returns the password alone on a line below the sentence that announces it. The rest of that
    /// sentence begins at `at`.
    fn on_the_next_line(&self, view: View<'t>, at: usize, telling: SecretKind) -> Option<Secret> {
        let rest = view.bytes().get(at..)?;
        let near = rest.get(..NEAR).unwrap_or(rest);
        let end = byte_search::first(b'\n', near)?;
        near.get(..end)?
            .trim_ascii_end()
            .ends_with(b":")
            .then_some(())?;
        let gap = rest
            .get(end..)?
            .iter()
            .take(GAP)
            .take_while(|b| b.is_ascii_whitespace());
        let start = at + end + gap.count();
        let value = Value::bare(view, start, Form::Line)?;
        value.ends_line(view).then_some(())?;
        self.said(view, start, telling)
    }

    /// Returns the default value after a call that ends with the name, as in
    /// `env::var("NAME").unwrap_or("…")`.
    pub(super) fn after_call(
        &mut self,
        view: View<'t>,
        at: usize,
        telling: SecretKind,
    ) -> Option<Secret> {
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

    /// Returns the default value at `at`, if it is a secret.
    pub(super) fn default(
        &mut self,
        view: View<'t>,
        at: usize,
        telling: SecretKind,
    ) -> Option<Secret> {
        let value = Value::quoted(view, skip_blanks(view.bytes(), at))??;
        let form = match telling {
            SecretKind::Password => Form::Quoted,
            _ => Form::Beside,
        };
        self.judged(view, value.with(form), telling)
    }

    /// Returns the second argument of a call, or the second element of a pair, if the first is a
    /// name that announces a secret.
    pub(super) fn second(
        &mut self,
        view: View<'t>,
        start: usize,
        at: usize,
        telling: SecretKind,
    ) -> Option<Secret> {
        const CALLS: [&str; 14] = [
            "define", "putenv", "setenv", "getenv", "env", "get", "fetch", "property", "default",
            "set", "header", "var", "config", "insert",
        ];
        let value = match Value::quoted(view, skip_blanks(view.bytes(), at)) {
            Some(value) => value?,
            None => return self.judged(view, declared(view, at)?, telling),
        };
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
        // In a list of names such as `"md5", "password", "scram-sha-256"`, another name follows.
        let text = value.text();
        if matches!(call.last(), None | Some(b',' | b'[' | b'{'))
            && text.contains(['-', '_'])
            && !text.bytes().any(|b| b.is_ascii_uppercase())
            && looks::is_numbered_name(text)
        {
            return None;
        }
        match telling {
            SecretKind::Authorization => {
                return authorization(view, skip_blanks(view.bytes(), at)).filter(|_| is_call);
            }
            SecretKind::Cookie => return None,
            _ => {}
        }
        let form = if is_call && telling == SecretKind::Password {
            Form::Quoted
        } else {
            Form::Beside
        };
        self.judged(view, value.with(form), telling)
    }

    /// Remembers for the next few words which kind of secret a value announces, as in
    /// `name: DB_PASSWORD`. The secret itself follows after `value:`.
    pub(super) fn give(&mut self, start: usize, telling: SecretKind) {
        const WORDS: u8 = 6;
        let before = self.before(start, MAX_NAME);
        // A parameter may be named by a path.
        let is_path =
            |b: &&u8| b.is_ascii_alphanumeric() || matches!(**b, b'/' | b'_' | b'-' | b'.');
        let path = before.iter().rev().take_while(is_path).count();
        let before = match before.get(before.len() - path..) {
            Some([b'/', ..]) => before.get(..before.len() - path).unwrap_or_default(),
            _ => before,
        };
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
                SecretKind::Authorization
                    | SecretKind::Cookie
                    | SecretKind::Hardly
                    | SecretKind::Several
            )
        {
            self.given = Some((telling, WORDS));
        }
    }

    /// Returns whether a string is open at `at` that the next quote closes. The quote is of the
    /// kind `quote` and has `depth` backslashes before it.
    pub(super) fn closes(&mut self, at: usize, quote: u8, depth: usize) -> bool {
        self.know(at);
        let kind = usize::from(quote == b'\'') + 2 * usize::from(depth > 0);
        quote != b'`' && self.open.get(kind).is_some_and(|open| *open)
    }

    /// Returns whether the line has only blanks, quotes or a list's `-` before `at`.
    pub(super) fn begins_line(&self, at: usize) -> bool {
        let before = self.before(at, MAX_NAME);
        let is_gap = |b: &&u8| matches!(**b, b' ' | b'\t' | b'-' | b'*' | b'"' | b'\'' | b'\\');
        let gap = before.iter().rev().take_while(is_gap).count();
        match before.get(..before.len() - gap) {
            Some([.., b'\n']) => true,
            Some([]) => self.barrier == 0 && before.len() < MAX_NAME,
            // A line also begins after an escaped line break.
            Some([.., b'\\', b'n']) => true,
            _ => false,
        }
    }
}

/// Returns the secret that Terraform made for a resource `random_password`, which is named at `end`.
fn result(view: View<'_>, end: usize) -> Option<Secret> {
    const LONGEST: usize = 1024;
    let bytes = view.bytes();
    let near = bytes.get(end..bytes.len().min(end + LONGEST))?;
    let name = byte_search::part(b"\"result\"", near)?;
    let colon = skip_blanks(bytes, end + name + 8);
    (bytes.get(colon) == Some(&b':')).then_some(())?;
    let value = Value::quoted(view, skip_blanks(bytes, colon + 1))??;
    value
        .is_secret(SecretKind::Password)
        .then(|| value.secret(view, NAMED))
}

/// Returns `value` as a secret, if it is one.
pub(super) fn judged<'t>(view: View<'t>, value: Value<'t>, telling: SecretKind) -> Option<Secret> {
    let value = formed(view, value)?;
    value
        .is_secret(telling)
        .then(|| by_shape(view, value.secret(view, NAMED)))
}

/// Returns `value` in the form that the text behind it suggests, unless another value is assigned to it.
fn formed<'t>(view: View<'t>, value: Value<'t>) -> Option<Value<'t>> {
    if value.is_quoted() {
        return Some(value);
    }
    let form = match value.form() {
        Form::Line if !value.ends_line(view) => Form::Loose,
        form => form,
    };
    (form != Form::Loose || !value.is_assigned(view)).then(|| value.with(form))
}

/// Returns the end of the quotes and brackets that close the name which ends at `end`, and how many
/// there are.
fn closed_name(bytes: &[u8], end: usize) -> (usize, usize) {
    const MOST: usize = 8;
    let closes = |b: &&u8| matches!(b, b'"' | b'\'' | b'`' | b'\\' | b']');
    let mut rest = bytes.get(end..).unwrap_or_default().iter().take(MOST);
    // Nothing closes most names.
    if !rest.clone().next().is_some_and(|b| closes(&b)) {
        return (end, 0);
    }
    let mut length = rest.by_ref().take_while(closes).count();
    let tail = bytes
        .get(end + length.saturating_sub(1)..)
        .unwrap_or_default();
    if matches!(tail, [b'\\', b'u' | b'n' | b'r' | b't', ..]) {
        length -= 1;
    }
    (end + length, length)
}

/// Returns the words of a wallet's phrase at `at`: twelve or more short words in small letters, one blank apart.
fn phrase(view: View<'_>, at: usize) -> Option<Secret> {
    const LEAST: usize = 12;
    const MOST: usize = 24;
    let bytes = view.bytes();
    // `is: `, as in `the phrase is: …`.
    let verb = match bytes.get(at..)? {
        [b'i', b's', b':', b' ', ..] => 4,
        [b'i', b's', b' ', ..] => 3,
        _ => 0,
    };
    let start = at + verb;
    let (mut end, mut words) = (start, 0);
    while words < MOST {
        let from = if words == 0 { end } else { end + 1 };
        let is_apart = words == 0 || bytes.get(end) == Some(&b' ');
        let letters = bytes.get(from..).unwrap_or_default().iter().take(9);
        let length = letters.take_while(|b| b.is_ascii_lowercase()).count();
        if !is_apart || !(3..=8).contains(&length) {
            break;
        }
        (end, words) = (from + length, words + 1);
    }
    (words >= LEAST && !view.touches(end)).then_some(Secret {
        start,
        end,
        rule: NAMED,
    })
}

/// Returns the value behind the type of its disguise, as in the settings of routers: `password 7 0822455D0A16`,
/// `secret 0 word1`, `set password ENC base64`.
fn typed(view: View<'_>, at: usize) -> Option<Secret> {
    const LEAST: usize = 6;
    let rest = view.bytes().get(at..)?;
    let start = match rest {
        [b'0' | b'5'..=b'9', b' ', ..] => at + 2,
        [b'E', b'N', b'C', b' ', ..] => at + 4,
        _ => return None,
    };
    let value = Value::bare(view, start, Form::Variable)?;
    let text = value.text();
    let is_one = match rest.first()? {
        b'0' => text.bytes().any(|b| b.is_ascii_digit()) && value.ends_line(view),
        b'E' => text.len() >= 2 * LEAST && looks::Signs::of(text).has_digit(),
        _ => {
            text.len() % 2 == 0
                && text
                    .bytes()
                    .all(|b| b.is_ascii_digit() || matches!(b, b'A'..=b'F'))
        }
    };
    (is_one && text.len() >= LEAST).then(|| value.secret(view, NAMED))
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
