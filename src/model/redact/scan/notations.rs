//! Finds the value of a telling name in the notations of languages, formats and dumps: with a type, in the next cell, element or
//! line, one level down.
//!
//! Each rule reads on from the name, a bounded number of bytes. `announced` knows the plain ways, `values` judges.

use super::announced::judged;
use super::{MAX_NAME, NAMED, SecretScan, by_shape};
use crate::model::redact::looks::{self, Signs};
use crate::model::redact::names::SecretKind;
use crate::model::redact::stand_ins;
use crate::model::redact::values::{Form, Value, is_code, quote_at, skip_blanks};
use crate::model::redact::{Secret, View};

/// How long a type, a tag or a cell before the value may be, in bytes.
const LONGEST: usize = 96;
/// How far below a name its value may be, in bytes.
const BELOW: usize = 512;

impl<'t> SecretScan<'t> {
    /// Returns the secret of a telling name that no plain sign follows. `closed` is the end of the name with its quotes, `at` the
    /// first byte that is not blank behind it.
    pub(super) fn in_notation(
        &self,
        view: View<'t>,
        (start, end): (usize, usize),
        (closed, quotes): (usize, usize),
        at: usize,
        telling: SecretKind,
    ) -> Option<Secret> {
        if matches!(telling, SecretKind::Authorization | SecretKind::Cookie) {
            return None;
        }
        let bytes = view.bytes();
        let rest = bytes.get(at..)?;
        let quoted = |at: usize| Value::quoted(view, skip_blanks(bytes, at)).flatten();
        match rest {
            // `**Password**: value`.
            [b'*', ..] => {
                let stars = rest.iter().take(3).take_while(|b| **b == b'*').count();
                let colon = skip_blanks(bytes, at + stars);
                let at = match bytes.get(colon..)? {
                    [b':' | b'=', ..] => skip_blanks(bytes, colon + 1),
                    [b'|', ..] => return self.next_cell(view, start, colon, telling),
                    [b'`', ..] if colon > at + stars => {
                        return judged(view, quoted(colon)?.with(Form::Beside), telling);
                    }
                    [b'-', b' ', b'`', ..] => {
                        return judged(view, quoted(colon + 2)?.with(Form::Beside), telling);
                    }
                    _ => return None,
                };
                let value = match emphasised(view, at) {
                    Some(value) => value,
                    None => Value::read(view, at, Form::Line)?,
                };
                judged(view, value, telling)
            }
            [b'|', ..] => self.next_cell(view, start, at, telling),
            [b'-', b'>', b' ', ..] => {
                let value = Value::bare(view, skip_blanks(bytes, at + 2), Form::Loose)?;
                let end = value.is_whole().then(|| value.end(view))?;
                (value.text().len() >= 10).then_some(())?;
                self.judged_cell(view, value.start(), end, telling)
            }
            [0xe2, 0x94, 0x82 | 0x83, ..] | [0xe2, 0x95, 0x91, ..] => {
                self.next_cell(view, start, at, telling)
            }
            [b',' | b';', ..] if quotes == 0 => self.next_column(view, start, at, telling),
            // `char api_key[32] = "value"`.
            [b'[', ..] => {
                let size = rest.iter().skip(1).take(8);
                let size = size.take_while(|b| b.is_ascii_digit()).count();
                (rest.get(size + 1) == Some(&b']')).then_some(())?;
                let equals = skip_blanks(bytes, at + size + 2);
                (bytes.get(equals) == Some(&b'=')).then_some(())?;
                judged(view, quoted(equals + 1)?, telling)
            }
            [b'<', b'<', b'-', ..] => judged(view, quoted(at + 3)?, telling),
            [b'<', b'-', b' ', ..] => judged(view, quoted(at + 2)?, telling),
            [b'<', b'/', ..] => self.next_element(view, at, telling),
            [b'>', ..] if quotes > 0 => self.of_attribute(view, start, at, telling),
            [b'>', ..] if self.begins_tag(start) => self.judged_element(view, at, telling),
            [b'.', b'e', b'q', b'u', b'a', b'l', b's', b'(', ..] => {
                judged(view, quoted(at + 8)?.with(Form::Beside), telling)
            }
            [b'.', b'=', ..] => judged(view, quoted(at + 2)?, telling),
            [b'=' | b'!', b'=', ..] => {
                let length = rest.iter().take(3).take_while(|b| matches!(b, b'=' | b'!'));
                let value = quoted(at + length.count())?;
                judged(view, value.with(Form::Beside), telling)
            }
            // Jsonnet, and LDIF in base64.
            [b':', b':', b' ', ..] => {
                let value = Value::read(view, skip_blanks(bytes, at + 2), Form::Line)?;
                let is_one = value.is_quoted() || looks::looks_random(value.text());
                is_one.then(|| judged(view, value, telling))?
            }
            // PHP: `s:8:"password";s:24:"value"`.
            [b';', b's', b':', ..] => {
                let digits = rest.iter().skip(3).take(8);
                let digits = digits.take_while(|b| b.is_ascii_digit()).count();
                (rest.get(3 + digits) == Some(&b':')).then_some(())?;
                judged(view, quoted(at + 4 + digits)?, telling)
            }
            [b'{', ..] if quotes > 0 => self.below(view, start, at + 1, telling),
            // C++: `password{"value"}`.
            [b'{', b'"', ..] => judged(view, quoted(at + 1)?.with(Form::Beside), telling),
            // C#: `Password { get; set; } = "value"`.
            [b'{', b' ', ..] => {
                let close = rest.iter().take(48).position(|b| *b == b'}')?;
                let equals = skip_blanks(bytes, at + close + 1);
                (bytes.get(equals) == Some(&b'=')).then_some(())?;
                judged(view, quoted(equals + 1)?, telling)
            }
            // An element, escaped.
            [b'&', b'g', b't', b';', ..] => {
                let text = bytes.get(at + 4..)?;
                let near = text.get(..LONGEST).unwrap_or(text);
                let length = near.iter().position(|b| matches!(b, b'&' | b'\n'))?;
                (near.get(length..length + 5) == Some(b"&lt;/")).then_some(())?;
                self.judged_cell(view, at + 4, at + 4 + length, telling)
            }
            [b'\r' | b'\n' | b'\\', ..] if quotes > 0 => self.of_form(view, start, closed, telling),
            [b'\r' | b'\n', ..] => self.below_heading(view, start, at, telling),
            // A query of the registry of Windows.
            [b'R', b'E', b'G', b'_', ..] => {
                let kind = rest
                    .iter()
                    .take(16)
                    .position(|b| matches!(b, b' ' | b'\t'))?;
                let value = Value::bare(view, skip_blanks(bytes, at + kind), Form::Option)?;
                judged(view, value, telling)
            }
            [first, ..] if at > closed && first.is_ascii_alphabetic() => {
                if quotes == 0
                    && let Some(value) = typed(view, at)
                {
                    return judged(view, value, telling);
                }
                (self.begins_tag(start) || quotes > 0).then_some(())?;
                let tag = tag_end(view, at)?;
                match quotes {
                    0 => self.judged_element(view, tag, telling),
                    _ => self.of_attribute(view, start, tag, telling),
                }
            }
            // Clojure: `:password "value"`, `(def password "value")`.
            [b'"', ..] if at > end && quotes == 0 => {
                let before = self.before(start, 8);
                let is_keyword = matches!(before, [.., b':'] | [.., b'd', b'e', b'f', b' ']);
                is_keyword.then(|| judged(view, quoted(at)?, telling))?
            }
            // `API_KEY   value`, alone on its line.
            _ if (at > closed + 1 || bytes.get(closed) == Some(&b'\t'))
                && matches!(self.before(start, 1), [b'\n'] | [])
                && (start == 0 || start > self.barrier) =>
            {
                let value = Value::bare(view, at, Form::Line)?;
                (value.is_whole() && value.ends_line(view)).then_some(())?;
                self.judged_cell(view, at, value.end(view), telling)
            }
            _ => None,
        }
    }

    /// Returns the secret that begins at `at`, behind the separator of a telling name, in a form that needs a closer look.
    pub(super) fn in_form(
        &self,
        view: View<'t>,
        start: usize,
        (at, separator): (usize, Option<u8>),
        telling: SecretKind,
    ) -> Option<Secret> {
        let bytes = view.bytes();
        let rest = bytes.get(at..)?;
        let form = match self.begins_line(start) {
            true => Form::Line,
            false => Form::Loose,
        };
        let found = |value: Value<'t>| judged(view, value, telling);
        let quoted = |at: usize| Value::quoted(view, at).flatten();
        match rest {
            [b'*', ..] => {
                let value = match emphasised(view, at) {
                    Some(value) => value,
                    // `**Password:** value`.
                    None => {
                        let stars = rest.iter().take(3).take_while(|b| **b == b'*').count();
                        matches!(rest.get(stars), Some(b' ' | b'\t')).then_some(())?;
                        let at = skip_blanks(bytes, at + stars);
                        match emphasised(view, at) {
                            Some(value) => value,
                            None => Value::read(view, at, form)?,
                        }
                    }
                };
                found(value)
            }
            // YAML: a tag, an anchor, a block.
            [b'&', ..] if let Some(value) = typed(view, at) => found(value),
            [b'!', b'!', ..] | [b'&', ..] if separator == Some(b':') => {
                let word = rest.iter().skip(2).take(MAX_NAME);
                let is_word = |b: &&u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-');
                let at = at + 2 + word.take_while(is_word).count();
                (bytes.get(at) == Some(&b' ')).then_some(())?;
                found(Value::read(view, skip_blanks(bytes, at), form)?)
            }
            [b'|' | b'>', ..] if separator == Some(b':') => {
                let head = rest.iter().skip(1).take(4);
                let head = head.take_while(|b| matches!(b, b'-' | b'+' | b'0'..=b'9'));
                let line = line_break(bytes, at + 1 + head.count())?;
                let at = skip_blanks(bytes, line);
                (at > line).then_some(())?;
                found(Value::bare(view, at, Form::Line)?)
            }
            [b'(', ..] => {
                let at = space_end(bytes, at + 1);
                found(quoted(at)?)
            }
            [b'[', ..] => {
                let value = quoted(space_end(bytes, at + 1))?;
                found(value.with(Form::Beside))
            }
            // LDAP: `{SSHA}value`.
            [b'{', b'A'..=b'Z', ..]
                if let Some(end) = rest.iter().take(16).position(|b| *b == b'}') =>
            {
                let value = Value::bare(view, at + end + 1, Form::Line)?;
                looks::looks_random(value.text()).then(|| found(value))?
            }
            [b'{', ..] => self.below(view, start, at + 1, telling),
            // `<b>Password:</b> value`.
            [b'<', b'/', ..] => {
                let close = tag_end(view, at + 2)?;
                let next = skip_blanks(bytes, close + 1);
                match bytes.get(next) {
                    Some(b'<') => self.next_element(view, at, telling),
                    _ => found(Value::bare(view, next, Form::Loose)?),
                }
            }
            // PHP: `string(24) "value"`.
            [b's', b't', b'r', b'i', b'n', b'g', b' ', b'\'', ..] => found(quoted(at + 7)?),
            [b's', b't', b'r', b'i', b'n', b'g', b'(', b'0'..=b'9', ..] => {
                let close = rest.iter().take(16).position(|b| *b == b')')?;
                (rest.get(close + 1) == Some(&b' ')).then_some(())?;
                found(quoted(at + close + 2)?)
            }
            [b'\n' | b'\r' | b'\\', ..] | [] => {
                let line = match rest {
                    [b'\\', b'\n', ..] => at + 2,
                    [b'\\', b'\r', b'\n', ..] => at + 3,
                    _ => line_break(bytes, at)?,
                };
                let next = space_end(bytes, line);
                if let Some([b's', b't', b'r', b'i', b'n', b'g', b'(', ..]) = bytes.get(next..) {
                    return self.in_form(view, start, (next, separator), telling);
                }
                match Value::quoted(view, next) {
                    Some(value) if next > line => {
                        let value = value?;
                        let is_closed = quote_end(bytes, value.end(view)) > value.end(view);
                        (is_closed && !value.text().contains(' ')).then(|| found(value))?
                    }
                    Some(_) => None,
                    None => {
                        let found = self.below(view, start, line, telling);
                        found.or_else(|| self.alone(view, next, telling))
                    }
                }
            }
            _ => {
                if let Some(value) = wrapped(view, at) {
                    return found(value);
                }
                // `name: Type = "value"`.
                (separator == Some(b':')).then_some(())?;
                found(typed(view, at)?)
            }
        }
    }

    /// Returns the value that stands alone on the line at `at`, if it can be nothing but a secret.
    fn alone(&self, view: View<'t>, at: usize, telling: SecretKind) -> Option<Secret> {
        let value = Value::bare(view, at, Form::Line)?;
        let text = value.text();
        let is_one = value.is_whole()
            && value.ends_line(view)
            && looks::looks_random(text)
            && !looks::is_uuid(text);
        is_one.then(|| judged(view, value, telling))?
    }

    /// Returns the secret below a heading that a telling name ends: `### Password`, an empty line, the value.
    fn below_heading(
        &self,
        view: View<'t>,
        start: usize,
        at: usize,
        telling: SecretKind,
    ) -> Option<Secret> {
        let before = self.before(start, MAX_NAME);
        let line = before.iter().rev().take_while(|b| **b != b'\n').count();
        let line = before.get(before.len() - line..)?;
        matches!(line, [b'#', ..]).then_some(())?;
        let bytes = view.bytes();
        let line = line_break(bytes, at)?;
        let mut next = line_break(bytes, line).unwrap_or(line);
        let is_block = bytes.get(next..)?.starts_with(b"```");
        (is_block || next > line).then_some(())?;
        if is_block {
            let rest = bytes.get(next..)?.iter().take(24);
            next += rest.take_while(|b| **b != b'\n').count() + 1;
        }
        let value = match bytes.get(next) {
            Some(b'`') => Value::quoted(view, next)??,
            _ => Value::bare(view, next, Form::Line)?,
        };
        let end = value.is_whole().then(|| value.end(view))?;
        let is_line = line_break(bytes, quote_end(bytes, end)).is_some()
            || !view.is_cut && quote_end(bytes, end) == bytes.len();
        is_line.then(|| self.judged_cell(view, value.start(), end, telling))?
    }

    /// Returns the secret in the next cell of a drawn row whose first cell ends with the name.
    fn next_cell(
        &self,
        view: View<'t>,
        start: usize,
        bar: usize,
        telling: SecretKind,
    ) -> Option<Secret> {
        let bytes = view.bytes();
        let before = self.before(start, LONGEST);
        let is_name = |b: &&u8| {
            b.is_ascii_alphanumeric()
                || matches!(**b, b' ' | b'_' | b'-' | b'.' | b'`' | b'*' | b'"' | b'\'')
        };
        let name = before.iter().rev().take_while(is_name).count();
        match before.get(..before.len() - name)? {
            [.., b'|' | b'\n'] | [.., 0x94, 0x82 | 0x83] | [.., 0x95, 0x91] => {}
            [] if self.barrier == 0 && start < LONGEST => {}
            _ => return None,
        }
        let width = match bytes.get(bar..)? {
            [b'|', b'|', ..] if before.ends_with(b"||") => 2,
            [b'|', b'|', ..] => return None,
            [b'|', ..] => 1,
            _ => 3,
        };
        let from = skip_blanks(bytes, bar + width);
        let rest = bytes.get(from..)?;
        let near = rest.get(..BELOW).unwrap_or(rest);
        let end = near
            .iter()
            .enumerate()
            .position(|(at, b)| match b {
                b'|' | b'\n' => true,
                // A drawn bar; other characters begin with the same byte.
                0xe2 => matches!(
                    near.get(at + 1..at + 3),
                    Some([0x94, 0x82 | 0x83] | [0x95, 0x91])
                ),
                _ => false,
            })
            .or_else(|| (near.len() == rest.len() && !view.is_cut).then_some(near.len()))?;
        let cell = near.get(..end)?.trim_ascii_end();
        let marks = |b: &&u8| matches!(**b, b'`' | b'*' | b'"');
        let left = cell.iter().take(3).take_while(marks).count();
        let right = cell.iter().rev().take(left).take_while(marks).count();
        let end = from + cell.len() - right;
        self.judged_cell(view, from + left, end, telling)
    }

    /// Returns the value from `start` to `end` if it is surely no label and no text.
    pub(super) fn judged_cell(
        &self,
        view: View<'t>,
        start: usize,
        end: usize,
        telling: SecretKind,
    ) -> Option<Secret> {
        const LEAST: usize = 6;
        (start < end && end - start >= LEAST).then_some(())?;
        let value = Value::between(view, start, end)?.with(Form::Beside);
        let text = value.text();
        let is_name = looks::is_numbered_name(text)
            && (telling != SecretKind::Password || text.len() < 10)
            || looks::is_identifier(text) && text.contains('.');
        let is_code = is_code(text, Signs::of(text), None);
        (!is_name && !is_code).then(|| judged(view, value, telling))?
    }

    /// Returns the secret in the next column of a row of separated values that the name begins.
    fn next_column(
        &self,
        view: View<'t>,
        start: usize,
        at: usize,
        telling: SecretKind,
    ) -> Option<Secret> {
        let bytes = view.bytes();
        let begins = match self.before(start, 1) {
            [b'\n'] => true,
            [] => self.barrier == 0,
            _ => false,
        };
        let separator = *bytes.get(at)?;
        begins.then_some(())?;
        let rest = bytes.get(at + 1..)?;
        let near = rest.get(..BELOW).unwrap_or(rest);
        let end = near
            .iter()
            .position(|b| *b == separator || b.is_ascii_whitespace())
            .or_else(|| (near.len() == rest.len() && !view.is_cut).then_some(near.len()))?;
        let is_cell = matches!(near.get(end), None | Some(b'\n' | b'\r'))
            || near.get(end) == Some(&separator);
        is_cell.then(|| self.judged_cell(view, at + 1, at + 1 + end, telling))?
    }

    /// Returns whether the name at `start` is that of a tag, perhaps behind a namespace.
    fn begins_tag(&self, start: usize) -> bool {
        let before = self.before(start, 32);
        match before {
            [.., b'<'] => true,
            [space @ .., b':'] => {
                let name = space.iter().rev();
                let name = name.take_while(|b| b.is_ascii_alphanumeric() || **b == b'_');
                let name = name.count();
                name > 0
                    && space
                        .get(..space.len() - name)
                        .is_some_and(|b| b.ends_with(b"<"))
            }
            _ => false,
        }
    }

    /// Returns the text of an element whose tag ends at `at`, or of the element within it, if it is a secret.
    fn judged_element(&self, view: View<'t>, at: usize, telling: SecretKind) -> Option<Secret> {
        let value = element_text(view, at + 1, 1)?;
        value
            .is_secret(telling)
            .then(|| by_shape(view, value.secret(view, NAMED)))
    }

    /// Returns the text of the element behind the one that the name fills: `<key>password</key><string>value</string>`.
    fn next_element(&self, view: View<'t>, at: usize, telling: SecretKind) -> Option<Secret> {
        let bytes = view.bytes();
        let close = tag_end(view, at + 2)?;
        let next = space_end(bytes, close + 1);
        matches!(bytes.get(next..)?, [b'<', first, ..] if first.is_ascii_alphabetic())
            .then_some(())?;
        let open = tag_end(view, next + 1)?;
        let value = element_text(view, open + 1, 1)?.with(Form::Beside);
        // A cell of a table may be a heading.
        let is_cell = matches!(bytes.get(next + 1..next + 3), Some(b"td" | b"th" | b"dd"));
        match is_cell {
            true => self.judged_cell(view, value.start(), value.end(view), telling),
            false => judged(view, value, telling),
        }
    }

    /// Returns the text of an element that an attribute names: `<entry key="db.password">value</entry>`.
    fn of_attribute(
        &self,
        view: View<'t>,
        start: usize,
        at: usize,
        telling: SecretKind,
    ) -> Option<Secret> {
        let before = self.before(start, MAX_NAME);
        let name = before.iter().rev();
        let name = name.take_while(|b| !matches!(b, b'"' | b'\'' | b'<' | b'>' | b'\n'));
        let before = before.get(..before.len() - name.count())?;
        let (_, before) = before.split_last()?;
        let before = before.strip_suffix(b"=")?;
        ["name", "Name", "key", "Key"]
            .iter()
            .any(|of| before.ends_with(of.as_bytes()))
            .then_some(())?;
        let value = element_text(view, at + 1, 1)?.with(Form::Beside);
        judged(view, value, telling)
    }

    /// Returns the field of a form in several parts: `name="password"`, an empty line, the value.
    fn of_form(
        &self,
        view: View<'t>,
        start: usize,
        at: usize,
        telling: SecretKind,
    ) -> Option<Secret> {
        let bytes = view.bytes();
        let before = self.before(start, MAX_NAME);
        let is_field = before
            .iter()
            .rposition(|b| *b == b'=')
            .is_some_and(|equals| before.get(..equals).is_some_and(|b| b.ends_with(b"name")));
        is_field.then_some(())?;
        let line = line_break(bytes, at)?;
        let at = line_break(bytes, line)?;
        let value = Value::bare(view, at, Form::Variable)?;
        judged(view, value, telling)
    }

    /// Returns the secret one level below the name: the member `value` or `default` of the block that begins at `at`.
    fn below(
        &self,
        view: View<'t>,
        start: usize,
        at: usize,
        telling: SecretKind,
    ) -> Option<Secret> {
        const MOST: usize = 16;
        let bytes = view.bytes();
        let is_braced = at > 0 && bytes.get(at - 1) == Some(&b'{');
        let indent = match is_braced {
            true => 0,
            false => {
                let before = self.before(start, MAX_NAME);
                let line = before.iter().rev().take_while(|b| **b != b'\n').count();
                let line = before.get(before.len() - line..)?;
                let blanks = |b: &u8| matches!(b, b' ' | b'\t' | b'"' | b'\'' | b'-');
                line.iter().all(blanks).then_some(())?;
                line.iter().take_while(|b| **b == b' ').count() + 1
            }
        };
        let most = bytes.len().min(at + BELOW);
        let mut at = at;
        for _ in 0..MOST {
            let member = space_end(bytes, at);
            if !is_braced {
                let line = bytes.get(at..member)?;
                let blanks = line.iter().rev().take_while(|b| **b == b' ').count();
                (blanks >= indent).then_some(())?;
            }
            (member < most).then_some(())?;
            let quote = quote_at(bytes, member);
            let name = quote.map_or(member, |(_, depth)| member + depth + 1);
            let rest = bytes.get(name..)?;
            let length = rest.iter().take(MAX_NAME);
            let length = length.take_while(|b| b.is_ascii_alphanumeric() || **b == b'_');
            let length = length.count();
            (length > 0).then_some(())?;
            let behind = name + length + quote.map_or(0, |(_, depth)| depth + 1);
            let sign = skip_blanks(bytes, behind);
            matches!(bytes.get(sign), Some(b':' | b'=')).then_some(())?;
            let value = skip_blanks(bytes, sign + 1);
            if is_value_name(rest.get(..length)?) {
                let value = Value::read(view, value, Form::Line)?;
                let is_default = matches!(rest.first(), Some(b'd' | b'D'));
                let value = match value.is_quoted() {
                    true if value.text().contains([' ', '{']) => return None,
                    true if is_default => value.with(Form::Beside),
                    _ => value,
                };
                return judged(view, value, telling);
            }
            // The next member.
            at = match Value::quoted(view, value) {
                Some(other) => {
                    let other = other?;
                    let end = other.end(view);
                    quote_end(bytes, end)
                }
                None => {
                    let rest = bytes.get(value..most)?;
                    let length = rest.iter().position(|b| {
                        matches!(b, b'\n' | b'{' | b'[' | b'}') || *b == b',' && is_braced
                    });
                    value + length?
                }
            };
            let next = skip_blanks(bytes, at);
            at = match bytes.get(next)? {
                b',' | b';' => next + 1,
                b'\n' | b'\r' | b'\\' => next,
                b'#' => next + bytes.get(next..most)?.iter().position(|b| *b == b'\n')?,
                _ => return None,
            };
        }
        None
    }
}

/// Returns whether a member of this name holds the value of the name above.
pub(super) fn is_value_name(name: &[u8]) -> bool {
    const NAMES: [&[u8]; 10] = [
        b"value",
        b"Value",
        b"default",
        b"Default",
        b"defaultValue",
        b"DefaultValue",
        b"stringValue",
        b"StringValue",
        b"plaintext",
        b"plainText",
    ];
    NAMES.contains(&name)
}

/// Returns the value in quotes behind a type at `at`: `String = "value"`, `Option<&str> = "value"`, `As String = "value"`.
fn typed(view: View<'_>, at: usize) -> Option<Value<'_>> {
    let bytes = view.bytes();
    let start = at;
    let rest = bytes.get(at..)?;
    let near = rest.get(..LONGEST).unwrap_or(rest);
    let mut blanks = 0;
    let is_type = |b: &u8| {
        b.is_ascii_alphanumeric()
            || matches!(
                b,
                b'_' | b'.'
                    | b'<'
                    | b'>'
                    | b'&'
                    | b'\''
                    | b'['
                    | b']'
                    | b'?'
                    | b':'
                    | b'|'
                    | b'*'
                    | b'!'
                    | b'('
                    | b')'
            )
    };
    let mut end = None;
    for (at, byte) in near.iter().enumerate() {
        match byte {
            b' ' => blanks += 1,
            // SQL: `password VARCHAR(50) DEFAULT 'value'`.
            b'\'' if near.get(..at).is_some_and(|of| of.ends_with(b"DEFAULT ")) => {
                let value = Value::quoted(view, start + at)??;
                return Some(value.with(Form::Beside));
            }
            b'=' => {
                end = Some(at);
                break;
            }
            _ if is_type(byte) => {}
            b',' if near
                .get(..at)
                .is_some_and(|of| of.contains(&b'<') || of.contains(&b'[')) => {}
            _ => return None,
        }
    }
    const MOST_BLANKS: usize = 6;
    let end = end.filter(|end| *end > 1 && blanks <= MOST_BLANKS)?;
    let is_joined = near.get(..end)?.windows(3).any(|three| three == b" | ");
    let words = near
        .get(..end)?
        .split(|b| *b == b' ')
        .filter(|word| !word.is_empty());
    // `As String`, `&'static str`, `mut str`.
    (is_joined || words.count() <= 3).then_some(())?;
    // An attribute has no blank before its sign.
    matches!(near.get(end - 1), Some(b' ' | b':')).then_some(())?;
    (near.get(end + 1) != Some(&b'=')).then_some(())?;
    let at = skip_blanks(bytes, at + end + 1);
    let value = match Value::quoted(view, at) {
        Some(value) => value?,
        None => wrapped(view, at)?,
    };
    Some(value.with(Form::Beside))
}

/// Returns the value in quotes that a type holds: `Some("value")`, `String::from("value")`.
fn wrapped(view: View<'_>, at: usize) -> Option<Value<'_>> {
    const TYPES: [&str; 9] = [
        "Some(",
        "from(",
        "Secret(",
        "SecretStr(",
        "SecretString(",
        "Optional(",
        "Just(",
        "new(",
        "String(",
    ];
    const LONGEST_NAME: usize = 32;
    let bytes = view.bytes();
    bytes.get(at).filter(|b| b.is_ascii_alphabetic())?;
    let rest = bytes.get(at..)?.iter().take(LONGEST_NAME);
    let is_name = |b: &&u8| b.is_ascii_alphanumeric() || matches!(**b, b'_' | b':' | b'.');
    let end = at + rest.take_while(is_name).count() + 1;
    let name = bytes.get(at..end)?;
    TYPES
        .iter()
        .any(|of| name.ends_with(of.as_bytes()))
        .then_some(())?;
    let value = Value::quoted(view, end)??;
    let name = value.text().trim_end_matches(|c: char| c.is_ascii_digit());
    (!stand_ins::is_stand_in(name)).then_some(())?;
    Some(value.with(Form::Beside))
}

/// Returns the value between stars at `at`: `**value**`.
fn emphasised(view: View<'_>, at: usize) -> Option<Value<'_>> {
    let bytes = view.bytes();
    let rest = bytes.get(at..)?;
    let stars = rest.iter().take(3).take_while(|b| **b == b'*').count();
    (stars > 0 && !matches!(rest.get(stars), None | Some(b' ' | b'\n' | b'*'))).then_some(())?;
    let near = rest.get(stars..)?;
    let near = near.get(..LONGEST).unwrap_or(near);
    let length = near.iter().position(|b| matches!(b, b'*' | b'\n'))?;
    let is_closed = (0..stars).all(|of| near.get(length + of) == Some(&b'*'));
    is_closed.then_some(())?;
    let (start, end) = (at + stars, at + stars + length);
    match Value::quoted(view, start) {
        Some(value) => value,
        None => Some(Value::between(view, start, end)?.with(Form::Beside)),
    }
}

/// Returns the end of the tag that continues at `at`: the place of its `>`.
fn tag_end(view: View<'_>, at: usize) -> Option<usize> {
    let rest = view.bytes().get(at..)?;
    let near = rest.get(..BELOW).unwrap_or(rest);
    let end = near.iter().position(|b| matches!(b, b'<' | b'>'))?;
    let is_end = near.get(end) == Some(&b'>') && near.get(end.wrapping_sub(1)) != Some(&b'/');
    (is_end || near.first() == Some(&b'>')).then_some(at + end)
}

/// Returns the text of the element whose content begins at `at`. It may be in a section `CDATA`, or, `deeper`, in an element within.
fn element_text(view: View<'_>, at: usize, deeper: usize) -> Option<Value<'_>> {
    const CDATA: &[u8] = b"<![CDATA[";
    let bytes = view.bytes();
    let start = space_end(bytes, at);
    let rest = bytes.get(start..)?;
    if let Some(text) = rest.strip_prefix(CDATA) {
        let near = text.get(..BELOW).unwrap_or(text);
        let length = near.iter().position(|b| *b == b']')?;
        (near.get(length..length + 3) == Some(b"]]>")).then_some(())?;
        let start = start + CDATA.len();
        return Value::between(view, start, start + length);
    }
    if let [b'<', first, ..] = rest
        && first.is_ascii_alphabetic()
    {
        let name = rest.get(1..)?.iter().take(MAX_NAME);
        let length = name
            .take_while(|b| b.is_ascii_alphanumeric() || **b == b':')
            .count();
        let name = rest.get(1..=length)?;
        let name = name.rsplit(|b| *b == b':').next()?;
        let is_value = [
            "value", "string", "text", "code", "tt", "b", "strong", "kbd",
        ]
        .iter()
        .any(|of| name.eq_ignore_ascii_case(of.as_bytes()));
        (is_value && deeper > 0).then_some(())?;
        return element_text(view, tag_end(view, start + 1)? + 1, deeper - 1);
    }
    let near = rest.get(..BELOW).unwrap_or(rest);
    let length = near.iter().position(|b| *b == b'<')?;
    matches!(
        near.get(length..)?,
        [b'<', b'/', ..] | [b'<', b'\\', b'/', ..]
    )
    .then_some(())?;
    let text = near.get(..length)?.trim_ascii_end();
    (!text.contains(&b'\n')).then_some(())?;
    Value::between(view, start, start + text.len())
}

/// Returns where the next line begins, if the line ends at `at`, perhaps with an escape.
pub(super) fn line_break(bytes: &[u8], at: usize) -> Option<usize> {
    let at = skip_blanks(bytes, at);
    match bytes.get(at..)? {
        [b'\n', ..] => Some(at + 1),
        [b'\r', b'\n', ..] | [b'\\', b'n', ..] => Some(at + 2),
        [b'\\', b'r', b'\\', b'n', ..] => Some(at + 4),
        _ => None,
    }
}

/// Returns the end of the white space at `at`, and of escapes for line breaks in it.
pub(super) fn space_end(bytes: &[u8], at: usize) -> usize {
    let mut at = at;
    for _ in 0..MAX_NAME {
        at += match bytes.get(at..) {
            Some([b' ' | b'\t' | b'\n' | b'\r', ..]) => 1,
            Some([b'\\', b'n' | b'r' | b't', ..]) => 2,
            _ => return at,
        };
    }
    at
}

/// Returns the end of the quote at `at`, if there is one.
pub(super) fn quote_end(bytes: &[u8], at: usize) -> usize {
    quote_at(bytes, at).map_or(at, |(_, depth)| at + depth + 1)
}
