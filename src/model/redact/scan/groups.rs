//! Finds several secrets that one word announces: lists and maps below a plural, the data of a Kubernetes Secret, rows of SQL.
//! Also a value that stands before its name.
//!
//! Each rule reads on from the word, a bounded number of bytes, and hands over its secrets from the last to the first.

use super::announced::judged;
use super::notations::{is_value_name, line_break, quote_end, space_end};
use super::word::is_cookie_secret;
use super::{COOKIE, MAX_NAME, NAMED, SecretScan, by_shape};
use crate::model::redact::byte_search;
use crate::model::redact::looks;
use crate::model::redact::names::{self, SecretKind};
use crate::model::redact::stand_ins;
use crate::model::redact::values::{Form, Value, quote_at, skip_blanks};
use crate::model::redact::{Secret, View};

/// How far a group is read, in bytes.
const LONGEST: usize = 4096;
/// After so many cells in a row that are no secrets, a column is not read on. So a text that repeats a heading costs
/// little.
const MISSES: usize = 4;
/// How many lines of a list or map may have no secret.
const IDLE_LINES: usize = 8;
/// How many of its values are judged.
const MOST: usize = 64;

impl<'t> SecretScan<'t> {
    /// Keeps the secrets in the list or map that the plural from `start` to `end` announces.
    pub(super) fn several(&mut self, view: View<'t>, start: usize, end: usize) {
        let bytes = view.bytes();
        let word = bytes.get(start..end).unwrap_or_default();
        let of = bytes.get(end.saturating_sub(5)..end).unwrap_or_default();
        let is_password = of.eq_ignore_ascii_case(b"words") || word.ends_with(b"rases");
        let telling = match is_password {
            true => SecretKind::Password,
            false => SecretKind::Key,
        };
        let closed = end + quote_at(bytes, end).map_or(0, |(_, depth)| depth + 1);
        let sign = skip_blanks(bytes, closed);
        let at = match bytes.get(sign..) {
            Some([b'=', b'>', ..] | [b':', b'=', ..]) => sign + 2,
            Some([b':' | b'=', ..]) => sign + 1,
            _ => return,
        };
        let mut at = skip_blanks(bytes, at);
        // `new Set([`, `vec![`, `[]string{`.
        let call = bytes.get(at..).unwrap_or_default().iter().take(24);
        let call = call.take_while(|b| {
            b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b':' | b'!' | b' ')
        });
        let open = at + call.count();
        if open > at && matches!(bytes.get(open), Some(b'[' | b'{' | b'(')) {
            at = open;
        }
        if matches!(bytes.get(at..), Some([b'(', b'[' | b'{', ..])) {
            at += 1;
        }
        let judge = |value: &Value<'t>, is_member: bool| {
            const LEAST: usize = 10;
            let text = value.text();
            let least = if is_password || is_member { 6 } else { LEAST };
            text.len() >= least
                && (is_password || !looks::is_numbered_name(text))
                && !looks::is_uuid(text)
                && !looks::is_place(text)
                && value.with(Form::Beside).is_secret(telling)
        };
        let found = match bytes.get(at..) {
            Some([b'[' | b'{' | b'(', ..]) => members(view, at + 1, &judge),
            Some(_) => match line_break(bytes, at) {
                Some(line) => lines(view, line, self.indent(start), true, &judge).0,
                None => return,
            },
            None => return,
        };
        self.keep_all(found);
    }

    /// Keeps the values of the Kubernetes Secret that the word at `start` to `end` belongs to: `Secret` in `kind: Secret`, or
    /// `apiVersion`, with which it may begin.
    pub(super) fn manifest(&mut self, view: View<'t>, start: usize, end: usize) {
        let bytes = view.bytes();
        let is_kind = bytes.get(start..end) == Some(b"Secret");
        if is_kind {
            let before = self.before(start, 16);
            let gap = |b: &&u8| matches!(b, b' ' | b'"' | b'\'' | b'\\');
            let blanks = before.iter().rev().take_while(gap).count();
            let before = before.get(..before.len() - blanks).unwrap_or_default();
            let Some(before) = before.strip_suffix(b":") else {
                return;
            };
            let quotes = before.iter().rev().take_while(gap).count();
            if !before
                .get(..before.len() - quotes)
                .is_some_and(|b| b.ends_with(b"kind"))
            {
                return;
            }
        }
        let most = bytes.len().min(end + LONGEST);
        let Some(near) = bytes.get(end..most) else {
            return;
        };
        let judge = |value: &Value<'t>, _: bool| {
            value.text().len() >= 2
                && value.text() != "Opaque"
                && !stand_ins::is_stand_in(value.text())
        };
        let is_indented = self.indent(start);
        let mut found = Vec::new();
        let mut from = 0;
        // The next object is another manifest.
        let next: &[u8] = if is_kind { b"kind" } else { b"apiVersion" };
        let stop = byte_search::part(next, near).unwrap_or(near.len());
        let near = near.get(..stop).unwrap_or_default();
        let stop = byte_search::part(b"\n---", near).unwrap_or(near.len());
        let near = near.get(..stop).unwrap_or_default();
        let says = |kind: &[u8]| byte_search::part(kind, near).is_some();
        let is_secret = is_kind
            || says(b"\nkind: Secret\n")
            || near.ends_with(b"\nkind: Secret")
            || says(b"\"kind\":\"Secret\"")
            || says(b"\"kind\": \"Secret\"")
            || says(b"\\nkind: Secret\\n");
        if !is_secret {
            return;
        }
        while let Some(place) = near
            .get(from..)
            .and_then(|rest| byte_search::part(b"ata", rest))
        {
            let at = from + place;
            from = at + 3;
            let word = near.get(..at).unwrap_or_default();
            let word = match word {
                [.., b's', b't', b'r', b'i', b'n', b'g', b'D'] => at - 7,
                [.., b'd'] => at - 1,
                _ => continue,
            };
            let before = near.get(..word).and_then(<[u8]>::last);
            if !matches!(before, Some(b'\n' | b'"' | b' ' | b'n' | b',' | b'{')) {
                continue;
            }
            let behind = end + at + 3;
            let closed = quote_end(bytes, behind);
            if bytes.get(closed) != Some(&b':') {
                continue;
            }
            let value = skip_blanks(bytes, closed + 1);
            match bytes.get(value..) {
                Some([b'{', ..]) => {
                    let members = members(view, value + 1, &judge);
                    from = members.last().map_or(from, |last| last.end - end).max(from);
                    found.extend(members);
                }
                Some(_) => {
                    if let Some(line) = line_break(bytes, value) {
                        let (values, last) = lines(view, line, is_indented, false, &judge);
                        from = (last - end).max(from);
                        found.extend(values);
                    }
                }
                None => {}
            }
            if found.len() >= MOST {
                break;
            }
        }
        self.keep_all(found);
    }

    /// Keeps the secrets in the rows of `(name, password) VALUES ('bob', '…'), …`, and remembers the columns of
    /// `COPY users (name, password) FROM stdin;`. The first telling name among the columns is from `start` to `closed`.
    pub(super) fn columns(
        &mut self,
        view: View<'t>,
        (start, closed): (usize, usize),
        telling: SecretKind,
    ) {
        const COLUMNS: usize = 32;
        const LONGEST_LIST: usize = 512;
        let bytes = view.bytes();
        if !matches!(bytes.get(skip_blanks(bytes, closed)), Some(b',' | b')')) {
            return;
        }
        let is_name = |b: &u8| {
            b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'"' | b'`' | b'[' | b']')
        };
        let is_part = |b: &u8| is_name(b) || matches!(b, b',' | b' ' | b'\n');
        let before = self.before(start, LONGEST_LIST);
        let list = before.iter().rev().take_while(|b| is_part(b)).count();
        let list = match before.split_at_checked(before.len() - list) {
            Some(([.., b'('], list)) => list,
            _ => return,
        };
        let first = list.iter().filter(|b| **b == b',').count();
        let mut tellings = [None; COLUMNS];
        let Some(place) = tellings.get_mut(first) else {
            return;
        };
        *place = Some(telling);
        let near = bytes.get(closed..bytes.len().min(closed + LONGEST_LIST));
        let near = near.unwrap_or_default();
        let rest = near.iter().take_while(|b| is_part(b)).count();
        if near.get(rest) != Some(&b')') {
            return;
        }
        let others = near.get(..rest).unwrap_or_default().split(|b| *b == b',');
        let mut columns = first + 1;
        for name in others.skip(1) {
            let name = name.trim_ascii();
            let end = name.iter().rposition(|b| b.is_ascii_alphanumeric());
            let name = name.get(..end.map_or(0, |end| end + 1)).unwrap_or_default();
            if let Some(place) = tellings.get_mut(columns) {
                *place = names::telling(name).filter(|telling| is_of_column(*telling));
            }
            columns += 1;
        }
        let at = space_end(bytes, closed + rest + 1);
        let word = |word: &[u8]| {
            let of = bytes.get(at..at + word.len());
            of.is_some_and(|of| of.eq_ignore_ascii_case(word))
        };
        if word(b"from stdin") {
            self.tables.copy(tellings, columns);
            return;
        }
        if !word(b"values") {
            return;
        }
        let mut found = Vec::new();
        let most = bytes.len().min(at + LONGEST);
        let mut at = space_end(bytes, at + 6);
        while at < most && bytes.get(at) == Some(&b'(') && found.len() < MOST {
            at = space_end(bytes, at + 1);
            let mut column = 0;
            loop {
                let telling = tellings.get(column).copied().flatten();
                match Value::quoted(view, at) {
                    Some(None) => break,
                    Some(Some(value)) => {
                        if let Some(telling) = telling
                            && !value.text().contains(' ')
                            && value.is_secret(telling)
                        {
                            found.push(by_shape(view, value.secret(view, NAMED)));
                        }
                        at = quote_end(bytes, value.end(view));
                    }
                    None => {}
                }
                let rest = bytes.get(at..most).unwrap_or_default();
                let next = rest.iter().position(|b| matches!(b, b',' | b')' | b';'));
                let Some(next) = next else { break };
                at += next;
                if bytes.get(at) != Some(&b',') {
                    break;
                }
                at = space_end(bytes, at + 1);
                column += 1;
            }
            if bytes.get(at) != Some(&b')') {
                break;
            }
            at = space_end(bytes, at + 1);
            if bytes.get(at) == Some(&b',') {
                at = space_end(bytes, at + 1);
            }
        }
        self.keep_all(found);
    }

    /// Returns whether the name from `start` to `end` is the heading of a column that blanks set off.
    pub(super) fn begins_column(&self, start: usize, end: usize, bytes: &[u8]) -> bool {
        let ends = matches!(
            bytes.get(end..).unwrap_or_default(),
            [b'\n', ..] | [b' ', b' ', ..] | [b'\r', b'\n', ..]
        );
        ends && matches!(self.before(start, 2), [b' ', b' '])
    }

    /// Keeps the secrets in the column below the heading at `start`, if the columns are set off by blanks.
    pub(super) fn aligned(&mut self, view: View<'t>, start: usize, telling: SecretKind) {
        const LONGEST_LINE: usize = 256;
        let bytes = view.bytes();
        let before = self.before(start, LONGEST_LINE);
        let offset = before.iter().rev().take_while(|b| **b != b'\n').count();
        let heading = before.get(before.len() - offset..).unwrap_or_default();
        let is_heading =
            |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b' ' | b'_' | b'-' | b'#' | b'.');
        let is_whole = offset < before.len() || start == offset;
        let first = heading.first().is_some_and(u8::is_ascii_alphanumeric);
        if !is_whole || !first || !heading.iter().all(is_heading) {
            return;
        }
        let most = bytes.len().min(start + LONGEST);
        let mut found = Vec::new();
        let mut misses = 0;
        let mut at = start;
        while let Some(end) = byte_search::first(b'\n', bytes.get(at..most).unwrap_or_default()) {
            let line = at + end + 1;
            let rest = bytes.get(line..most).unwrap_or_default();
            let length = match byte_search::first(b'\n', rest) {
                Some(length) => length,
                None if most == bytes.len() => rest.len(),
                None => break, // The row goes on behind what is read.
            };
            let row = rest.get(..length).unwrap_or_default();
            let is_rule = row.iter().all(|b| matches!(b, b'-' | b' ' | b'='));
            let cell = row.get(offset..).unwrap_or_default();
            let begins = !matches!(cell.first(), None | Some(b' '))
                && row.get(offset.saturating_sub(1)) == Some(&b' ');
            if row.is_empty() || found.len() >= MOST || !is_rule && !begins {
                break;
            }
            if !is_rule {
                let width = cell.iter().take_while(|b| !b.is_ascii_whitespace()).count();
                let start = line + offset;
                if start + width >= bytes.len() && view.touches(start + width) {
                    break;
                }
                let secret = self.judged_cell(view, start, start + width, telling);
                misses = if secret.is_some() { 0 } else { misses + 1 };
                found.extend(secret);
            }
            if misses >= MISSES {
                break;
            }
            at = line;
        }
        self.keep_all(found);
    }

    /// Keeps the secrets in the column below the heading at `start`, if the table is drawn with `│`.
    pub(super) fn boxed(&mut self, view: View<'t>, start: usize, telling: SecretKind) {
        const LONGEST_LINE: usize = 512;
        let is_bar = |at: usize, text: &[u8]| {
            matches!(
                text.get(at..),
                Some([0xe2, 0x94, 0x82 | 0x83, ..] | [0xe2, 0x95, 0x91, ..])
            )
        };
        let bars = |text: &[u8]| (0..text.len()).filter(|at| is_bar(*at, text)).count();
        let bytes = view.bytes();
        let before = self.before(start, LONGEST_LINE);
        let length = before.iter().rev().take_while(|b| **b != b'\n').count();
        let line = before.get(before.len() - length..).unwrap_or_default();
        let column = bars(line);
        let most = bytes.len().min(start + LONGEST);
        let mut misses = 0;
        let mut found = Vec::new();
        let mut at = start;
        while let Some(end) = byte_search::first(b'\n', bytes.get(at..most).unwrap_or_default()) {
            at += end + 1;
            let rest = bytes.get(at..most).unwrap_or_default();
            let length = byte_search::first(b'\n', rest).unwrap_or(rest.len());
            let row = rest.get(..length).unwrap_or_default();
            let first = row.trim_ascii_start();
            if !matches!(first, [0xe2, 0x94 | 0x95, ..]) || found.len() >= MOST || misses >= MISSES
            {
                break;
            }
            let mut places = (0..row.len()).filter(|at| is_bar(*at, row));
            let Some(bar) = places.nth(column.saturating_sub(1)) else {
                continue;
            };
            let Some(next) = places.next() else {
                continue;
            };
            let cell = row.get(bar + 3..next).unwrap_or_default();
            let left = cell.len() - cell.trim_ascii_start().len();
            let from = at + bar + 3 + left;
            let end = from + cell.trim_ascii().len();
            let secret = self.judged_cell(view, from, end, telling);
            misses = if secret.is_some() { 0 } else { misses + 1 };
            found.extend(secret);
        }
        self.keep_all(found);
    }

    /// Returns the password in a line of a `.pgpass` whose port is from `start` to `end`: `host:5432:database:user:password`.
    pub(super) fn line_of_pgpass(
        &self,
        view: View<'t>,
        start: usize,
        end: usize,
    ) -> Option<Secret> {
        let before = self.before(start, MAX_NAME).strip_suffix(b":")?;
        let is_field = |b: &&u8| !b.is_ascii_whitespace() && **b != b':';
        let host = before.iter().rev().take_while(is_field).count();
        let is_line = match before.get(..before.len() - host)? {
            [.., b'\n'] => true,
            [] => self.barrier == 0 && start <= MAX_NAME,
            _ => false,
        };
        (host > 0 && is_line).then_some(())?;
        let bytes = view.bytes();
        let mut at = end;
        for _ in 0..2 {
            let rest = bytes.get(at..)?.strip_prefix(b":")?;
            let field = rest.iter().take(MAX_NAME).take_while(is_field).count();
            (field > 0).then_some(())?;
            at += 1 + field;
        }
        (bytes.get(at) == Some(&b':')).then_some(())?;
        let value = Value::bare(view, at + 1, Form::Variable)?;
        (value.ends_line(view)).then(|| judged(view, value, SecretKind::Password))?
    }

    /// Returns the value of a cookie in a line of Netscape's format, whose first or second flag is from `start` to `end`.
    pub(super) fn line_of_cookies(
        &self,
        view: View<'t>,
        start: usize,
        end: usize,
    ) -> Option<Secret> {
        (self.before(start, 1) == b"\t").then_some(())?;
        let bytes = view.bytes();
        let rest = bytes.get(end..)?.strip_prefix(b"\t/")?;
        let near = rest.get(..512).unwrap_or(rest);
        let mut fields = near.split(|b| *b == b'\t');
        let path = fields.next()?;
        let flag = fields.next()?;
        let expiry = fields.next()?;
        let name = fields.next()?;
        let is_line = matches!(flag, b"TRUE" | b"FALSE")
            && expiry.iter().all(u8::is_ascii_digit)
            && !path.contains(&b'\n')
            && !name.contains(&b'\n');
        is_line.then_some(())?;
        let at = end + 2 + path.len() + flag.len() + expiry.len() + name.len() + 4;
        let value = Value::bare(view, at, Form::Variable)?;
        let text = value.text();
        let name = std::str::from_utf8(name).ok()?;
        is_cookie_secret(name, text).then(|| by_shape(view, value.secret(view, COOKIE)))
    }

    /// Returns the value of the member `value` that ends at `end`, if the name that makes it a secret follows it.
    pub(super) fn value_before_name(
        &self,
        view: View<'t>,
        start: usize,
        end: usize,
    ) -> Option<Secret> {
        const MEMBERS: usize = 6;
        let bytes = view.bytes();
        let closed = quote_end(bytes, end);
        let sign = skip_blanks(bytes, closed);
        matches!(bytes.get(sign), Some(b':' | b'=')).then_some(())?;
        let at = skip_blanks(bytes, sign + 1);
        let value = Value::read(view, at, Form::Line)?;
        (value.is_whole() && value.text().len() >= 3).then_some(())?;
        let is_list = self.before(start, 2) == b"- ";
        let mut at = value.end(view);
        if value.is_quoted() {
            at = quote_end(bytes, at);
        }
        for _ in 0..MEMBERS {
            let next = space_end(bytes, at);
            at = match bytes.get(next)? {
                b',' => space_end(bytes, next + 1),
                _ if next > at
                    && (bytes.get(sign) == Some(&b'=')
                        || bytes.get(at..next)?.contains(&b'\n')) =>
                {
                    next
                }
                _ => return None,
            };
            let quotes = quote_end(bytes, at);
            let rest = bytes.get(quotes..)?;
            let length = rest.iter().take(MAX_NAME);
            let length = length.take_while(|b| b.is_ascii_alphanumeric() || **b == b'_');
            let name = rest.get(..length.count())?;
            (!name.is_empty() && name != b"value").then_some(())?;
            let sign = skip_blanks(bytes, quote_end(bytes, quotes + name.len()));
            matches!(bytes.get(sign), Some(b':' | b'=')).then_some(())?;
            at = skip_blanks(bytes, sign + 1);
            let other = Value::read(view, at, Form::Line)?;
            other.is_whole().then_some(())?;
            let telling = match name {
                b"name" | b"Name" | b"key" | b"Key" | b"id" => {
                    names::telling(other.text().as_bytes()).filter(|telling| is_of_column(*telling))
                }
                b"sensitive" | b"secret" | b"isSecret" | b"masked"
                    if other.text().starts_with("true") =>
                {
                    Some(SecretKind::Secret)
                }
                _ => None,
            };
            if let Some(telling) = telling {
                let form = if is_list || !value.is_quoted() {
                    Form::Line
                } else {
                    Form::Quoted
                };
                let value = match value.is_quoted() {
                    true => value.with(form),
                    false => value,
                };
                (!value.text().contains(' ')).then_some(())?;
                return judged(view, value, telling);
            }
            at = other.end(view);
            if other.is_quoted() {
                at = quote_end(bytes, at);
            }
        }
        None
    }

    /// Returns whether the member at `start` is the first one of an object.
    pub(super) fn begins_object(&self, start: usize) -> bool {
        let before = self.before(start, MAX_NAME);
        let is_gap = |b: &&u8| b.is_ascii_whitespace() || matches!(**b, b'"' | b'\\');
        before.iter().rev().find(|b| !is_gap(b)) == Some(&b'{')
    }

    /// Returns the least indentation of the lines that belong to the line of `start`.
    fn indent(&self, start: usize) -> usize {
        let before = self.before(start, MAX_NAME);
        let line = before.iter().rev().take_while(|b| **b != b'\n').count();
        let line = before.get(before.len() - line..).unwrap_or_default();
        line.iter().take_while(|b| **b == b' ').count()
    }

    /// Keeps secrets that are in order.
    fn keep_all(&mut self, found: Vec<Secret>) {
        for secret in found.into_iter().rev() {
            self.propose(Some(secret));
        }
    }
}

/// Returns whether a name of this kind can be that of a column, or the value of `name`.
fn is_of_column(telling: SecretKind) -> bool {
    !matches!(
        telling,
        SecretKind::Authorization
            | SecretKind::Cookie
            | SecretKind::Hardly
            | SecretKind::Several
            | SecretKind::Code
    )
}

/// Returns the secrets among the members of a list or map in brackets, which begins at `at`. `judge` is told whether a value has a name.
fn members<'t>(
    view: View<'t>,
    at: usize,
    judge: &impl Fn(&Value<'t>, bool) -> bool,
) -> Vec<Secret> {
    let bytes = view.bytes();
    let most = bytes.len().min(at + LONGEST);
    let mut found = Vec::new();
    let mut at = at;
    for _ in 0..2 * MOST {
        at = space_end(bytes, at);
        if at >= most {
            break;
        }
        let mut is_member = false;
        let value = match Value::quoted(view, at) {
            Some(Some(value)) => {
                at = quote_end(bytes, value.end(view));
                value
            }
            Some(None) => break,
            // A name without quotes, or a number.
            None => {
                let rest = bytes.get(at..most).unwrap_or_default();
                let length = rest
                    .iter()
                    .take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'));
                let length = length.count();
                if length == 0 {
                    break;
                }
                at += length;
                let sign = skip_blanks(bytes, at);
                if bytes.get(sign) == Some(&b',') {
                    at = sign + 1;
                    continue;
                }
                match Value::between(view, at, at) {
                    Some(value) => value,
                    None => break,
                }
            }
        };
        let mut value = value;
        let sign = skip_blanks(bytes, at);
        let length = match bytes.get(sign..) {
            Some([b'=', b'>', ..]) => 2,
            Some([b':' | b'=', ..]) => 1,
            _ => 0,
        };
        if length > 0 {
            at = space_end(bytes, sign + length);
            match Value::quoted(view, at) {
                Some(Some(of)) => {
                    at = quote_end(bytes, of.end(view));
                    value = of;
                    is_member = true;
                }
                _ => break,
            }
        }
        if judge(&value, is_member) {
            found.push(by_shape(view, value.secret(view, NAMED)));
        }
        let next = space_end(bytes, at);
        match bytes.get(next) {
            Some(b',') => at = next + 1,
            Some(b']' | b'}' | b')') | None => break,
            // HCL separates the members by lines.
            Some(_) if next > at => at = next,
            Some(_) => break,
        }
    }
    found
}

/// Returns the secrets among the items or members on the lines from `at` on that are indented more than `indent`, or, in a list,
/// as much. Also returns where those lines end.
fn lines<'t>(
    view: View<'t>,
    at: usize,
    indent: usize,
    may_be_list: bool,
    judge: &impl Fn(&Value<'t>, bool) -> bool,
) -> (Vec<Secret>, usize) {
    let bytes = view.bytes();
    let most = bytes.len().min(at + LONGEST);
    let mut found = Vec::new();
    let mut at = at;
    let mut level = None;
    let mut read = 0;
    while at < most && found.len() < MOST && read < found.len() + IDLE_LINES {
        read += 1;
        let from = skip_blanks(bytes, at);
        let depth = from - at;
        let rest = bytes.get(from..most).unwrap_or_default();
        let is_item = matches!(rest, [b'-', b' ', ..]);
        let is_within = depth > indent || is_item && may_be_list && depth == indent;
        if !is_within {
            break;
        }
        let is_of_level = depth == *level.get_or_insert(depth);
        let rest = match is_item {
            true => rest.get(2..).unwrap_or_default(),
            false => rest,
        };
        let from = from + if is_item { 2 } else { 0 };
        let name = rest
            .iter()
            .take_while(|b| {
                b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b'"' | b'\'' | b'@')
            })
            .count();
        let is_member = rest.get(name) == Some(&b':')
            && matches!(rest.get(name + 1), Some(b' ' | b'\n' | b'\r'));
        let start = match is_member {
            true => skip_blanks(bytes, from + name + 1),
            false => from,
        };
        if is_of_level && (is_member || is_item && may_be_list) {
            let Some(value) = Value::read(view, start, Form::Line) else {
                break;
            };
            let is_block = matches!(bytes.get(start), Some(b'|' | b'>'));
            if !is_block && value.ends_line(view) || value.is_quoted() {
                if judge(&value, is_member) {
                    found.push(by_shape(view, value.secret(view, NAMED)));
                }
                at = value.end(view);
            }
        } else if is_of_level {
            break;
        }
        let rest = bytes.get(at.max(from)..most).unwrap_or_default();
        let Some(end) = byte_search::first(b'\n', rest) else {
            at = most;
            break;
        };
        at = at.max(from) + end + 1;
    }
    (found, at)
}

/// Returns whether a value may follow the name that ends at `end`.
pub(super) fn is_member(bytes: &[u8], end: usize) -> bool {
    let sign = skip_blanks(bytes, quote_end(bytes, end));
    matches!(
        bytes.get(sign),
        Some(b':' | b'=' | b'>' | b',' | b'|' | 0xef)
    )
}

/// Returns whether the word is the name of a member that may hold a value.
pub(super) fn may_hold_value(word: &[u8]) -> bool {
    is_value_name(word)
        || matches!(
            word,
            b"content" | b"result" | b"secretValue" | b"secret_value"
        )
        || word.ends_with(b"Value")
        || word.ends_with(b"_value")
}
