//! Finds the secrets of programs: in arguments, in options and on the standard input.
//!
//! `commands` lists the programs and their options.

use super::{NAMED, NEAR, Pairs, SecretScan, by_shape};
use crate::model::redact::commands::{self, OptionForm, ProgramEntry};
use crate::model::redact::looks;
use crate::model::redact::names::{self, SecretKind};
use crate::model::redact::values::{self, Form, Value, skip_blanks};
use crate::model::redact::{Secret, View, byte_search};

impl<'t> SecretScan<'t> {
    /// Returns the secret that `echo` writes to the standard input of a program. The word `echo`
    /// ends at `end`.
    pub(super) fn piped(&mut self, view: View<'t>, start: usize, end: usize) -> Option<Secret> {
        const LONGEST: usize = 256;
        let bytes = view.bytes();
        matches!(view.byte(end), Some(b' ' | b'\t')).then_some(())?;
        if let Some(secret) = self.substituted(view, start, end) {
            return Some(secret);
        }
        // Remember where no pipe is, so that no byte is searched twice, however many `echo` precede
        // the pipe.
        let most = bytes.len().min(end + LONGEST);
        let from = self.without_pipe.clamp(end, most);
        let found = byte_search::first_of([b'|', b'\n'], bytes.get(from..most)?);
        self.without_pipe = from + found.unwrap_or(most - from);
        let pipe = self.without_pipe;
        (found.is_some() && bytes.get(pipe) == Some(&b'|')).then_some(())?;
        // Many `echo` may precede one pipe, so the answer is remembered.
        let seen = self.reader.filter(|of| (of.0, of.1) == (pipe, bytes.len()));
        let (_, _, reader) = *self.reader.insert(match seen {
            Some(seen) => seen,
            None => (pipe, bytes.len(), reader_behind(view, pipe)),
        });
        let reader = reader?;
        let mut at = skip_blanks(bytes, end);
        // Skip options, and the format of `printf`.
        for _ in 0..3 {
            let word = bytes.get(at..pipe)?;
            let is_form = matches!(word, [b'\'' | b'"', b'%', ..] | [b'%', ..]);
            if matches!(word, [b'-', ..]) || is_form {
                at = skip_blanks(bytes, at + word.iter().position(|b| *b == b' ')?);
            }
        }
        let value = Value::read(view, at, Form::Variable)?;
        (value.start() < pipe).then_some(())?;
        let value = match value.text().find(':') {
            Some(colon) if reader == Reader::Pairs => value.from(colon + 1)?,
            Some(colon) if reader == Reader::Encoder => {
                let value = value.from(colon + 1)?;
                let signs = looks::Signs::of(value.text());
                let is_word =
                    signs.is_alnum() && !signs.has_digit() && !looks::is_random_word(value.text());
                (!is_word && !value.text().starts_with("//")).then_some(value)?
            }
            None if reader == Reader::Encoder => return None,
            _ => value,
        };
        let secret = value.secret(view, NAMED);
        (secret.end <= pipe && self.is_secret(&value, SecretKind::Password))
            .then(|| by_shape(view, secret))
    }

    /// Returns the secret that `echo` writes in place of a value, as in `NAME=$(echo …)` and
    /// `--password-file <(echo …)`. The word `echo` is from `start` to `end`.
    fn substituted(&self, view: View<'t>, start: usize, end: usize) -> Option<Secret> {
        const KINDS: [&[u8]; 8] = [
            b"file",
            b"command",
            b"cmd",
            b"eval",
            b"helper",
            b"Helper",
            b"Command",
            b"user-pass",
        ];
        let before = self.before(start, 48);
        let is_gap = |b: &&u8| {
            matches!(
                **b,
                b'(' | b'<' | b'$' | b'"' | b'\'' | b'`' | b' ' | b'=' | b':'
            )
        };
        let gap = before.iter().rev().take_while(is_gap).count();
        let (name, gap) = before.split_at_checked(before.len() - gap)?;
        let is_begun = matches!(gap, [.., b'"' | b'\'' | b'`'] | [.., b'$' | b'<', b'(']);
        (is_begun && gap.len() > 1).then_some(())?;
        let is_pair = name.ends_with(b"user-pass");
        let kind = KINDS.iter().find_map(|kind| name.strip_suffix(*kind));
        let kind = kind.map(|name| {
            name.strip_suffix(b"-")
                .or_else(|| name.strip_suffix(b"_"))
                .unwrap_or(name)
        });
        let telling = match kind {
            _ if is_pair => SecretKind::Password,
            Some(name) => names::telling(name)?,
            None => names::telling(name)?,
        };
        let bytes = view.bytes();
        let mut at = skip_blanks(bytes, end);
        for _ in 0..2 {
            if let [b'-', letter, b' ', ..] = bytes.get(at..)?
                && letter.is_ascii_alphabetic()
            {
                at = skip_blanks(bytes, at + 2);
            }
        }
        let value = Value::read(view, at, Form::Variable)?;
        let value = match is_pair {
            true => value.from(value.text().find("\\n")? + 2)?,
            false => value,
        };
        value
            .is_secret(telling)
            .then(|| by_shape(view, value.secret(view, NAMED)))
    }

    /// Remembers the program `known`, whose name is from `start` to `end`. Returns the secret that
    /// is at a fixed position among the program's arguments.
    ///
    /// `next` is the byte after the name: a blank, or the quote that closes the name in a list of
    /// arguments.
    pub(super) fn program(
        &mut self,
        view: View<'t>,
        start: usize,
        end: usize,
        known: &ProgramEntry,
        next: u8,
    ) -> Option<Secret> {
        let is_listed = matches!(next, b'"' | b'\'');
        if matches!(
            self.byte_before(start),
            Some(b'=' | b':' | b'@' | b'$' | b'#')
        ) {
            return None;
        }
        // A program without options may be an argument of another: `set` in `az keyvault secret
        // set`.
        if let Some(program) = known.program
            && !(program.options.is_empty() && self.command.is_some())
        {
            self.command = Some(program);
            self.has_word = false;
        }
        self.reads_secret |= known.reads_secret();
        if is_listed {
            return None;
        }
        // In `CREATE LOGIN bob`, this is no command of a mail server.
        if known.is_named("LOGIN") && !matches!(self.before(start, 2), [b'0'..=b'9', b' ']) {
            return None;
        }
        known
            .places()
            .find_map(|place| match at_place(view, end, place)? {
                Place::Secret(secret) => Some(secret),
                Place::Assignments => {
                    self.assigns = true;
                    None
                }
            })
    }

    /// Returns the value of `NAME=secret` among the arguments of a program that stores secrets. The
    /// name ends at `end`.
    pub(super) fn assigned(&self, view: View<'t>, end: usize) -> Option<Secret> {
        let value = Value::read(view, end + 1, Form::Variable)?;
        let value = match value.is_quoted() {
            true => value,
            false => value.with(Form::Loose),
        };
        let text = value.text();
        (text.len() >= 8 && value.is_secret(SecretKind::Secret) && !looks::is_place(text))
            .then(|| by_shape(view, value.secret(view, NAMED)))
    }

    /// Returns the secret in the option from `start` to `end`, or after it.
    pub(super) fn argument(&mut self, view: View<'t>, start: usize, end: usize) -> Option<Secret> {
        let bytes = view.bytes();
        let program = self.command?;
        let start = match self.before(start, 1) {
            b"/" if view.byte(end) == Some(b':') || self.before(start, 2) == b" /" => start - 1,
            _ => start,
        };
        let word = bytes.get(start..end)?;
        let is_curl = program.names.first() == Some(&"curl");
        let cluster = if is_curl { clustered(word) } else { None };
        for (option, takes) in program.options {
            let option = option.as_bytes();
            if program.only_after.is_some() && !self.has_word && !option.starts_with(b"--") {
                continue;
            }
            let letter = option.get(1);
            let rest = match cluster {
                Some((of, rest)) if option.len() == 2 && letter == Some(&of) => Some(rest),
                _ => None,
            };
            // Most options differ from the word in this letter.
            let is_alike = letter == word.get(1);
            let rest = is_alike
                .then(|| word.strip_prefix(option))
                .flatten()
                .or(rest);
            let Some(rest) = rest else {
                continue;
            };
            let secret = self.taken(view, end, rest, option, *takes);
            if secret.is_some() {
                return secret;
            }
        }
        None
    }

    /// Returns the secret of `option`, which has the form `takes`. `rest` is what follows the
    /// option in its word, which ends at `end`.
    pub(super) fn taken(
        &mut self,
        view: View<'t>,
        end: usize,
        rest: &[u8],
        option: &[u8],
        takes: OptionForm,
    ) -> Option<Secret> {
        let bytes = view.bytes();
        let is_long = option.len() > 2 || takes == OptionForm::Pass;
        let inside = end - rest.len();
        let (at, is_attached) = match view.byte(end) {
            _ if !rest.is_empty() => (inside, true),
            Some(b' ' | b'\t') => (skip_blanks(bytes, end), false),
            Some(b'=') if is_long || matches!(takes, OptionForm::Apart | OptionForm::Either) => {
                (end + 1, false)
            }
            Some(b':') if option.starts_with(b"/") || takes == OptionForm::Pair => (end, false),
            Some(b'"' | b'\'') if bytes.get(end + 1) == Some(&b',') => {
                (skip_blanks(bytes, end + 2), false)
            }
            _ => (end, true),
        };
        let fits = match takes {
            OptionForm::Apart | OptionForm::Pass | OptionForm::Assignment => !is_attached,
            OptionForm::Attached => is_attached,
            _ => !(is_attached && is_long),
        };
        if !fits {
            return None;
        }
        if takes == OptionForm::Cookie {
            self.cookie = Some(Pairs::at(bytes, at));
            // The name of the first pair may follow the option's letter at once.
            return None;
        }
        let value = Value::read(view, at, Form::Variable)?;
        let text = value.text();
        if text.as_bytes().first() == Some(&b'-') && !is_attached {
            return None;
        }
        let secret = match takes {
            OptionForm::Apart | OptionForm::Attached | OptionForm::Either => value,
            OptionForm::Pair => match text.find(':') {
                Some(colon) => value.from(colon + 1)?,
                None if looks::looks_random(text) => value,
                None => return None,
            },
            OptionForm::Percent => value.from(text.find('%')? + 1)?,
            OptionForm::Comma => value.from(text.find(',')? + 1)?,
            OptionForm::Assignment => value.from(text.find('=')? + 1)?,
            OptionForm::Pass => value.from(text.strip_prefix("pass:").map(|_| 5)?)?,
            OptionForm::Cookie => return None,
        };
        let word = secret.text();
        let is_number = looks::is_number(word) && word.len() < 6;
        // These options often have other meanings, too.
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
            && (takes != OptionForm::Apart
                || !is_doubtful
                || word.bytes().any(|b| b.is_ascii_digit()) && word.len() >= 6
                || looks::is_random_word(word))
            && self.is_secret(&secret, SecretKind::Password);
        is_secret.then(|| by_shape(view, secret.secret(view, NAMED)))
    }
}

/// What a program reads from its standard input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reader {
    Secret,
    /// `user:secret`.
    Pairs,
    /// `user:secret`, or anything else: the program encodes it.
    Encoder,
}

/// Returns what the program after the pipe at `pipe` reads. Returns `None` if it reads no secret
/// from its standard input.
fn reader_behind(view: View<'_>, pipe: usize) -> Option<Reader> {
    const LONGEST: usize = 256;
    let after = view.bytes().get(pipe + 1..)?;
    let after = after.get(..LONGEST).unwrap_or(after);
    let ends = |b: &u8| matches!(b, b'\n' | b'|' | b';' | b'[');
    let command = after.get(..after.iter().position(ends).unwrap_or(after.len()))?;
    // If a redaction mark follows, the word may have been longer.
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
    };
    let has = |needed: &str, behind: usize| {
        needed.is_empty()
            // Search for the bytes first: mostly, the needed word is nowhere in the command.
            || contains(after, needed.as_bytes())
                && words()
                    .take(12)
                    .skip(behind)
                    .any(|word| contains(word, needed.as_bytes()))
    };
    // A pair that is encoded becomes a header.
    if contains(after, b"base64") && !contains(after, b" -d") && !contains(after, b"--d") {
        return Some(Reader::Encoder);
    }
    let reads = words().take(4).enumerate().any(|(at, word)| {
        commands::known(word).is_some_and(|known| known.stdin().any(|needed| has(needed, at + 1)))
    });
    reads.then(|| match contains(after, b"chpasswd") {
        true => Reader::Pairs,
        false => Reader::Secret,
    })
}

/// The letters of [`commands::CURL_FLAGS`], a bit for each.
const CURL_FLAGS: u128 = looks::signs_of(commands::CURL_FLAGS);

/// Returns the last option in a word that joins several of curl's options, and the text after it.
fn clustered(word: &[u8]) -> Option<(u8, &[u8])> {
    let letters = word.strip_prefix(b"-")?;
    let is_flag = |b: &&u8| b.is_ascii() && CURL_FLAGS >> **b & 1 != 0;
    let flags = letters.iter().take_while(is_flag).count();
    let (letter, rest) = letters.get(flags..)?.split_first()?;
    (flags > 0).then_some((*letter, rest))
}

/// What is at a position among the arguments of a program.
enum Place {
    Secret(Secret),
    /// The following arguments `NAME=value` have secrets.
    Assignments,
}

/// Returns what is among the arguments from `at` on. `place`, one of [`commands::PLACES`], says
/// where it is.
fn at_place(view: View<'_>, at: usize, place: &[&str]) -> Option<Place> {
    const MOST_OPTIONS: usize = 3;
    let bytes = view.bytes();
    let mut at = at;
    for (number, wanted) in place.iter().enumerate().skip(1) {
        at = skip_blanks(bytes, at);
        let wants_option = wanted.as_bytes().first() == Some(&b'-');
        // Options may come between the arguments.
        for _ in 0..MOST_OPTIONS {
            let rest = bytes.get(at..)?;
            if rest.first() != Some(&b'-') || wants_option {
                break;
            }
            let length = byte_search::first(b' ', rest.get(..NEAR).unwrap_or(rest))?;
            at = skip_blanks(bytes, at + length);
        }
        // Most arguments are another word than the one in `place`, or a shorter option. No option
        // has a letter twice.
        let is_open = matches!(
            wanted.as_bytes(),
            [b'_'] | [b'_', b'.'] | [b'*', ..] | [b':' | b'/' | b'=' | b'\\', ..]
        );
        let near = bytes.get(at..at + wanted.len()).unwrap_or_default();
        let may_fit = near.first() == wanted.as_bytes().first()
            && match wants_option {
                true => !near.contains(&b' '),
                false => near == wanted.as_bytes(),
            };
        if !is_open && !may_fit && !values::may_be_quoted(bytes, at) {
            return None;
        }
        match *wanted {
            "=" => return Some(Place::Assignments),
            // The address of a server may have several colons.
            "_" | "_." => {
                let word = argument_at(view, at)?;
                (*wanted == "_" || byte_search::first(b'.', bytes.get(at..word)?).is_some())
                    .then_some(())?;
                at = word;
                continue;
            }
            ":" | "/" => {
                let sign = *wanted.as_bytes().first()?;
                return login_at(view, at, sign, place).map(Place::Secret);
            }
            word if !is_open
                && near == word.as_bytes()
                && matches!(bytes.get(at + word.len()), Some(b' ' | b'\t')) =>
            {
                at += word.len();
                continue;
            }
            _ => {}
        }
        let value = Value::read(view, at, Form::Variable).filter(Value::is_whole)?;
        let text = value.text();
        match *wanted {
            "*" => {
                let digits = text.bytes().filter(u8::is_ascii_digit).count();
                let is_pair = text.trim_end_matches('=').contains('=');
                let is_token = text.len() >= 8 && digits > 0 && !is_pair && !looks::is_place(text)
                    || text.len() >= 16 && looks::looks_random(text)
                    || looks::is_random_word(text);
                return (is_token && value.is_secret(SecretKind::Password))
                    .then(|| Place::Secret(by_shape(view, value.secret(view, NAMED))));
            }
            "**" => {
                // A digit before a password says how it is encoded.
                if text.len() == 1
                    && text.bytes().all(|b| b.is_ascii_digit())
                    && view.byte(value.end(view)) == Some(b' ')
                {
                    let value = Value::read(view, value.end(view) + 1, Form::Variable)?;
                    return value
                        .is_secret(SecretKind::Password)
                        .then(|| Place::Secret(by_shape(view, value.secret(view, NAMED))));
                }
                let is_word = text.starts_with(['/', '-', '\\', '<', '|', '>', '&', '#'])
                    || values::is_prose(view, at)
                    || looks::is_number(text) && text.len() < 6;
                if is_word || !value.is_secret(SecretKind::Password) {
                    return None;
                }
                let mut secret = value.secret(view, NAMED);
                if place.get(number + 1) == Some(&"**") {
                    let behind = secret.end + usize::from(value.is_quoted());
                    let second = Value::read(view, skip_blanks(bytes, behind), Form::Variable)?;
                    secret.end = second.secret(view, NAMED).end;
                }
                return Some(Place::Secret(by_shape(view, secret)));
            }
            "\\r" => {
                let text = text
                    .strip_suffix("\\r")
                    .or_else(|| text.strip_suffix("\\n"))?;
                let is_secret = !text.contains([' ', '\\'])
                    && text.len() >= 6
                    && value.is_secret(SecretKind::Password)
                    && (looks::is_random_word(text) || text.bytes().any(|b| b.is_ascii_digit()))
                    && text.bytes().any(|b| b.is_ascii_alphabetic())
                    && !looks::is_place(text);
                return is_secret.then(|| {
                    Place::Secret(Secret {
                        start: value.start(),
                        end: value.start() + text.len(),
                        rule: NAMED,
                    })
                });
            }
            wanted => {
                let (text, wanted) = (text.as_bytes(), wanted.as_bytes());
                let fits = match (wanted, text) {
                    // The letters of several options may form one word, in any order.
                    ([b'-', letters @ ..], [b'-', of @ ..]) if letters.len() < 3 => {
                        (letters.len() > 1 || !of.contains(&b'n'))
                            && letters.iter().all(|letter| of.contains(letter))
                    }
                    ([.., b'.'] | [b'/', ..], _) => text.starts_with(wanted),
                    _ => text == wanted,
                };
                fits.then_some(())?;
            }
        }
        at = value.end(view) + usize::from(value.is_quoted());
        if value.text().is_empty() {
            return None;
        }
    }
    None
}

/// Returns the end of the argument at `at`, which may be in quotes.
fn argument_at(view: View<'_>, at: usize) -> Option<usize> {
    const LONGEST: usize = 128;
    if values::may_be_quoted(view.bytes(), at) && values::quote_at(view.bytes(), at).is_some() {
        let value = Value::quoted(view, at)??;
        return (value.is_whole() && !value.text().is_empty()).then(|| value.end(view) + 1);
    }
    let rest = view.bytes().get(at..)?;
    let near = rest.get(..LONGEST).unwrap_or(rest);
    let length = near
        .iter()
        .position(|b| matches!(b, b' ' | b'\t' | b'\n' | b'\r' | b'"' | b'\'' | b'|' | b';'))?;
    (length > 0).then_some(at + length)
}

/// Returns the secret of `user:secret@host` at `at`, where `sign` is between the user and the
/// secret. The host may be missing.
pub(super) fn login_at(view: View<'_>, at: usize, sign: u8, place: &[&str]) -> Option<Secret> {
    let value = Value::quoted(view, at).unwrap_or_else(|| Value::bare(view, at, Form::Variable))?;
    let (start, end) = (value.start(), value.end(view));
    let text = view.text.get(start..end)?;
    let user = byte_search::first(sign, text.as_bytes())?;
    let rest = text.get(user + 1..)?;
    let host = byte_search::last(b'@', rest.as_bytes());
    let needs_host = place.first().is_some_and(|name| name.starts_with("CONN"));
    let secret = rest.get(..host.unwrap_or(rest.len()))?;
    let secret = secret.split(' ').next()?;
    let start = start + user + 1;
    let value = Value::between(view, start, start + secret.len())?;
    let is_secret = user > 0
        && (!needs_host || host.is_some())
        && !secret.starts_with('/')
        && value.with(Form::Beside).is_secret(SecretKind::Password);
    is_secret.then(|| by_shape(view, value.secret(view, NAMED)))
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    byte_search::part(part, text).is_some()
}

/// Returns whether `word` maps ports or addresses, as `8080:80` does.
fn is_port(word: &str) -> bool {
    word.bytes()
        .all(|b| b.is_ascii_digit() || matches!(b, b':' | b'.' | b'/' | b'-'))
}
