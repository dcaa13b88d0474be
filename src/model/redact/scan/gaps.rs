//! Handles the bytes between two words: ends of lines and commands, quotes, cells of tables,
//! letters that are not ASCII.
//!
//! This module keeps what the next words need, and has no rule for a word.

use super::{Class, GAP, MAX_NAME, NAMED, Pairs, SecretScan, by_shape, without_announcement};
use crate::model::redact::foreign;
use crate::model::redact::looks;
use crate::model::redact::names::SecretKind;
use crate::model::redact::tables::{Separator, Tables};
use crate::model::redact::values::{Form, Value, skip_blanks};

impl<'t> SecretScan<'t> {
    /// Handles a byte between words that may affect what follows.
    pub(super) fn between(&mut self, byte: u8, class: Class, limit: usize) {
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
                if byte == b'<' {
                    self.given = None;
                }
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
                    let value = value.filter(|value| self.is_secret(value, SecretKind::Password));
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
                if ends && (self.is_in_command() || self.assigns) && !self.is_quoted(at) {
                    self.end_command();
                }
                self.cell(limit);
            }
            Class::High => {
                let rest = bytes.get(at..limit).unwrap_or_default();
                let length = rest.iter().position(u8::is_ascii).unwrap_or(rest.len());
                self.at = at + length.max(1);
                let view = self.view(limit);
                let name = foreign::length_at(bytes.get(at..).unwrap_or_default());
                self.slow = self.slow.max(at + name + 1);
                // A full-width colon or equals sign is a separator, too.
                let run = bytes.get(at..self.at).unwrap_or_default();
                let colon = matches!(run, [.., 0xef, 0xbc, 0x9a | 0x9d]);
                let end = self.at - if colon { 3 } else { 0 };
                let from = self.barrier.max(end.saturating_sub(MAX_NAME));
                let name = bytes.get(from..end).and_then(foreign::before);
                // In `密码是 x`, a verb or a particle follows the name.
                const PARTICLES: [&str; 8] = ["是", "为", "為", "は", "が", "는", "은", "："];
                let verb = run.len() >= 3
                    && PARTICLES.iter().any(|of| {
                        let run = bytes.get(from..end);
                        run.is_some_and(|run| run.ends_with(of.as_bytes()))
                    });
                let before = if verb { bytes.get(from..end - 3) } else { None };
                if name.is_none()
                    && let Some((_, telling)) = before.and_then(foreign::before)
                {
                    let at = skip_blanks(view.bytes(), self.at);
                    let at = at + usize::from(view.byte(at) == Some(b':'));
                    let found = self.said(view, skip_blanks(view.bytes(), at), telling);
                    self.propose(found.map(|secret| without_announcement(view, secret)));
                }
                if let Some((name, telling)) = name {
                    let found = self.named(view, end - name, end, telling);
                    self.propose(found.map(|secret| without_announcement(view, secret)));
                }
            }
            // There is no blank between a terminal's colour and the word after it.
            Class::Escape => {
                let rest = bytes.get(at..).unwrap_or_default().iter().take(GAP);
                let length = rest.take_while(|byte| **byte != b'm').count();
                self.slow = self.slow.max(at + length + 2);
            }
            Class::Word | Class::Plain => {}
        }
    }

    /// Proposes the table cell that begins at `self.at` as a secret, if its heading announces one
    /// and the cell looks like one.
    pub(super) fn cell(&mut self, limit: usize) {
        if !self.tables.is_active() {
            return;
        }
        self.know(self.at);
        let Some((telling, separator, is_strict)) = self.tables.cell() else {
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
        let value = value.filter(|value| match is_strict {
            true => {
                !looks::is_numbered_name(value.text())
                    && self.is_secret(&value.with(Form::Beside), telling)
            }
            false => self.is_secret(value, telling),
        });
        self.propose(value.map(|value| by_shape(view, value.secret(view, NAMED))));
    }

    pub(super) fn end_line(&mut self, goes_on: bool) {
        self.cookie = None;
        self.has_parameters = false;
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

    /// Ends the line at the escaped line break before `at`.
    pub(super) fn end_escaped_line(&mut self, at: usize) {
        self.cookie = None;
        self.has_parameters = false;
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

    /// Forgets everything that was kept. The text after a private key has nothing to do with the
    /// text before it.
    pub(super) fn reset(&mut self) {
        self.end_command();
        self.cookie = None;
        self.has_parameters = false;
        self.given = None;
        self.tables = Tables::default();
    }

    pub(super) fn end_command(&mut self) {
        self.command = None;
        self.reads_secret = false;
        self.has_word = false;
        self.assigns = false;
    }
}
