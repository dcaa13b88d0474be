//! Finds the secrets of programs: in arguments, in options and on the standard input.
//!
//! `commands` lists the programs and their options.

use super::{NAMED, NEAR, Pairs, SecretScan, by_shape};
use crate::model::redact::commands::{self, OptionForm, ProgramEntry};
use crate::model::redact::looks;
use crate::model::redact::names::SecretKind;
use crate::model::redact::values::{self, Form, Value, skip_blanks};
use crate::model::redact::{Secret, View, byte_search};

impl<'t> SecretScan<'t> {
    /// Returns the secret that `echo` writes to the standard input of a program. The word `echo`
    /// ends at `end`.
    pub(super) fn piped(&mut self, view: View<'t>, end: usize) -> Option<Secret> {
        const LONGEST: usize = 256;
        let bytes = view.bytes();
        matches!(view.byte(end), Some(b' ' | b'\t')).then_some(())?;
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
        let is_pair = reader?;
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
            Some(colon) if is_pair => value.from(colon + 1)?,
            _ => value,
        };
        let secret = value.secret(view, NAMED);
        (secret.end <= pipe && self.is_secret(&value, SecretKind::Password))
            .then(|| by_shape(view, secret))
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
        known
            .places()
            .find_map(|place| self.at_place(view, end, place))
    }

    /// Returns the secret that `place`, one of [`commands::PLACES`], marks among the arguments from `at` on.
    fn at_place(&mut self, view: View<'t>, at: usize, place: &[&str]) -> Option<Secret> {
        let bytes = view.bytes();
        let mut at = at;
        for wanted in place.get(1..)? {
            at = skip_blanks(bytes, at);
            let wants_option = wanted.as_bytes().first() == Some(&b'-');
            // Options may come between the arguments.
            for _ in 0..2 {
                let rest = bytes.get(at..)?;
                if rest.first() != Some(&b'-') || wants_option {
                    break;
                }
                let length = byte_search::first(b' ', rest.get(..NEAR).unwrap_or(rest))?;
                at = skip_blanks(bytes, at + length);
            }
            // Most arguments are another word than the one that is wanted, or a shorter option. No option has a letter twice.
            let is_open = matches!(wanted.as_bytes(), [b'_'] | [b'*', ..]);
            let near = bytes.get(at..at + wanted.len()).unwrap_or_default();
            let may_fit = near.first() == wanted.as_bytes().first()
                && match wants_option {
                    true => !near.contains(&b' '),
                    false => near == wanted.as_bytes(),
                };
            if !is_open && !may_fit && !values::may_be_quoted(bytes, at) {
                return None;
            }
            let value = Value::read(view, at, Form::Variable).filter(Value::is_whole)?;
            match *wanted {
                "*" => {
                    let text = value.text();
                    let digits = text.bytes().filter(u8::is_ascii_digit).count();
                    let is_token = text.len() >= 8
                        && digits > 0
                        && !text.contains('=')
                        && !looks::is_place(text)
                        || text.len() >= 16 && looks::looks_random(text);
                    return (is_token && self.is_secret(&value, SecretKind::Password))
                        .then(|| by_shape(view, value.secret(view, NAMED)));
                }
                "**" => {
                    let text = value.text();
                    let is_word = text.starts_with(['/', '-']) || values::is_prose(view, at);
                    return (!is_word && self.is_secret(&value, SecretKind::Password))
                        .then(|| by_shape(view, value.secret(view, NAMED)));
                }
                "_" => {}
                wanted => {
                    let (text, wanted) = (value.text().as_bytes(), wanted.as_bytes());
                    let fits = match (wanted, text) {
                        // The letters of several options may form one word, in any order.
                        ([b'-', letters @ ..], [b'-', of @ ..]) => {
                            (letters.len() > 1 || !of.contains(&b'n'))
                                && letters.iter().all(|letter| of.contains(letter))
                        }
                        ([.., b'.'], _) => text.starts_with(wanted),
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

    /// Returns the secret in the option from `start` to `end`, or after it.
    pub(super) fn argument(&mut self, view: View<'t>, start: usize, end: usize) -> Option<Secret> {
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
            Some(b'=') if is_long => (end + 1, false),
            Some(b':') if option.starts_with(b"/") => (end, false),
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
            OptionForm::Pair => value.from(text.find(':')? + 1)?,
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
                || word.bytes().any(|b| b.is_ascii_digit()) && word.len() >= 6)
            && self.is_secret(&secret, SecretKind::Password);
        is_secret.then(|| by_shape(view, secret.secret(view, NAMED)))
    }
}

/// Returns whether the program after the pipe at `pipe` reads a pair of a name and a secret.
/// Returns `None` if it reads no secret from its standard input.
fn reader_behind(view: View<'_>, pipe: usize) -> Option<bool> {
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
    let reads = words().take(4).enumerate().any(|(at, word)| {
        commands::known(word).is_some_and(|known| known.stdin().any(|needed| has(needed, at + 1)))
    });
    reads.then(|| contains(after, b"chpasswd"))
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

fn contains(text: &[u8], part: &[u8]) -> bool {
    byte_search::part(part, text).is_some()
}

/// Returns whether `word` maps ports or addresses, as `8080:80` does.
fn is_port(word: &str) -> bool {
    word.bytes()
        .all(|b| b.is_ascii_digit() || matches!(b, b':' | b'.' | b'/' | b'-'))
}
