//! Values that are secrets by what stands before them: a telling name and `=` or `:`, an option, a header, an element, the
//! user in a URL, the words of a command, of a `.netrc` or of SQL.
//!
//! Text is of any kind here: shell, `.env`, YAML, JSON within a string, code, prose. A value in quotes is believed more
//! readily than one without, because code is full of `token = next()` and `password: String`.

use super::names::{self, Telling};
use super::shapes::starts_word;
use super::{Secret, is_mark, pem};

const NAMED: &str = "named-secret";
const AUTHORIZATION: &str = "authorization";
const URL: &str = "url-password";
const COOKIE: &str = "cookie";

/// The longest name that is looked at.
const MAX_NAME: usize = 64;
/// How much of a value is looked at to tell whether it is a secret.
const JUDGED: usize = 512;
/// How much of a line is looked at to tell whether a quote opens a string.
const LINE: usize = 256;
/// The least length of a secret behind a name.
const LEAST: usize = 3;

/// How a value is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// In quotes, or between tags.
    Quoted,
    /// `NAME=value`, the name in capitals: an environment variable.
    Variable,
    /// `name=value`.
    Tight,
    /// `name: value`, `name = value`.
    Loose,
    /// `name: value`, alone on its line.
    Line,
    /// `--name value`.
    Option,
}

/// A name, and where it stands.
struct Name<'t> {
    text: &'t [u8],
    start: usize,
}

/// The secret behind the separator at `at`.
pub(super) fn after_separator(text: &str, at: usize) -> Option<Secret> {
    let bytes = text.as_bytes();
    let byte = |at: usize| bytes.get(at).copied();
    let before = at.checked_sub(1).and_then(byte);
    match (byte(at)?, byte(at + 1)) {
        (b'>', _) => element(text, at),
        (b':', Some(b'/')) if byte(at + 2) == Some(b'/') => url_password(text, at + 3),
        (b':', Some(b':' | b'=')) | (b'=', Some(b'=' | b'~')) => None,
        (b'=', Some(b'>')) => named(text, at, at + 2),
        (b'=', _) if before == Some(b'=') => None,
        _ => named(text, at, at + 1),
    }
}

/// The secret behind the option that begins at `at`.
pub(super) fn after_option(text: &str, at: usize) -> Option<Secret> {
    let bytes = text.as_bytes();
    if let Some(secret) = argument(text, at) {
        return Some(secret);
    }
    let name = bytes.get(at..)?.strip_prefix(b"--")?;
    let length = name
        .iter()
        .take(MAX_NAME)
        .take_while(|b| is_name_byte(**b))
        .count();
    let telling = names::telling(name.get(..length)?)?;
    let after = at + 2 + length;
    // Within a list of arguments: `"--name", "value"`.
    let list = ["\",", "',", "\\\","]
        .iter()
        .find(|end| text.get(after..).is_some_and(|rest| rest.starts_with(*end)));
    let after = after + list.map_or(0, |end| end.len());
    let start = skip_blanks(bytes, after);
    if list.is_none() && start == after {
        return None;
    }
    if telling == Telling::Cookie {
        return cookie(text, start);
    }
    if let Some((start, end)) = quoted(text, start) {
        return judged(text, start, end, telling, Form::Quoted);
    }
    if list.is_some() || is_prose(bytes, start) {
        return None;
    }
    judged_unquoted(text, start, telling, Form::Option)
}

/// `secret` without what announces another one at its end, as in `A=x,password: y` and `A=x/Bearer y`: it must not be gone when
/// the other is looked for.
pub(super) fn without_announcement(text: &str, secret: Secret) -> Secret {
    let bytes = text.as_bytes();
    let value = text.get(secret.start..secret.end).unwrap_or_default();
    let announcement = if value.ends_with("Bearer") || value.ends_with("bearer") {
        Some(secret.end - "Bearer".len())
    } else if value.ends_with([':', '=']) {
        name_before(bytes, secret.end - 1)
            .filter(|name| names::telling(name.text).is_some())
            .map(|name| name.start)
    } else {
        None
    };
    let end = announcement.filter(|start| *start > secret.start);
    Secret {
        end: end.unwrap_or(secret.end),
        ..secret
    }
}

/// `name=value`, with the separator at `at` and the value, or blanks before it, at `after`.
fn named(text: &str, at: usize, after: usize) -> Option<Secret> {
    let bytes = text.as_bytes();
    let name = name_before(bytes, at)?;
    if name.text == pem::LINES {
        return pem::lines_at(text, after);
    }
    let telling = names::telling(name.text).or_else(|| told(bytes, &name))?;
    let start = skip_blanks(bytes, after);
    match telling {
        Telling::Authorization => return authorization(text, start),
        Telling::Cookie => return cookie(text, start),
        _ => {}
    }
    if let Some((value, end)) = quoted(text, start) {
        if closes_a_string(bytes, &name, start, value) {
            return None;
        }
        return judged(text, value, end, telling, Form::Quoted);
    }
    if after > at + 1 {
        return None; // an arrow function
    }
    let form = match (bytes.get(at), start > after) {
        (Some(b'='), false) if !name.text.iter().any(u8::is_ascii_lowercase) => Form::Variable,
        (Some(b'='), false) => Form::Tight,
        (Some(b':'), true) if begins_line(bytes, name.start) => Form::Line,
        _ => Form::Loose,
    };
    judged_unquoted(text, start, telling, form)
}

/// What is said of the value of a name that says nothing by itself.
fn told(bytes: &[u8], name: &Name<'_>) -> Option<Telling> {
    let text = bytes.get(..name.start + name.text.len())?;
    if names::is_signature(text) {
        return Some(Telling::Perhaps);
    }
    let is_value = matches!(name.text, b"value" | b"Value");
    let before = names::before_value(text).filter(|_| is_value)?;
    let name = name_before(before, before.len())?;
    let telling = names::telling(name.text)?;
    let rest = bytes.get(..name.start)?;
    let rest = rest.get(rest.len().saturating_sub(MAX_NAME)..)?;
    let end = rest
        .iter()
        .rposition(|b| !matches!(b, b' ' | b'"' | b'\'' | b'\\' | b':' | b'='))?;
    let is_named = ["name", "Name", "key", "Key"].iter().any(|word| {
        rest.get(..=end)
            .is_some_and(|rest| rest.ends_with(word.as_bytes()))
    });
    is_named.then_some(telling)
}

/// The secrets in the pairs of a cookie's header, from the first to the last.
pub(super) fn cookie(text: &str, at: usize) -> Option<Secret> {
    const LONGEST: usize = 4096;
    const ATTRIBUTES: [&str; 3] = ["domain", "path", "expires"];
    let ends = |b: u8| matches!(b, b'\n' | b'\r' | b'"' | b'\'' | b'`' | b'\\' | b'<' | b'>');
    let start = quote_at(text.as_bytes(), at).map_or(at, |(_, depth)| at + depth + 1);
    let rest = text.get(start..)?;
    let line = rest.get(..rest.floor_char_boundary(LONGEST))?;
    let line = line.get(..line.bytes().position(ends).unwrap_or(line.len()))?;
    let mut found: Option<(usize, usize)> = None;
    let mut pair_at = start;
    for pair in line.split(';') {
        let end = pair_at + pair.trim_end().len();
        if let Some((name, value)) = pair.trim_end().split_once('=') {
            let name = name.trim_start();
            let is_secret = names::is_identifier(name)
                && !ATTRIBUTES.iter().any(|of| name.eq_ignore_ascii_case(of))
                && names::looks_random(value)
                && !names::is_constant(value)
                && !is_mark(value);
            if is_secret {
                found = Some((found.map_or(end - value.len(), |(first, _)| first), end));
            }
        }
        pair_at += pair.len() + 1;
    }
    found.map(|(start, end)| Secret {
        start,
        end,
        rule: COOKIE,
    })
}

/// The password in `curl -u user:password` and `sshpass -p password`, where the option begins at `at`.
fn argument(text: &str, at: usize) -> Option<Secret> {
    let bytes = text.as_bytes();
    let (before, option) = bytes.split_at_checked(at)?;
    let (start, is_pair) = if option.starts_with(b"-p") && before.ends_with(b"sshpass ") {
        (skip_blanks(bytes, at + 2), false)
    } else {
        let option = ["-u ", "--user ", "--user=", "--proxy-user "]
            .iter()
            .find(|name| option.starts_with(name.as_bytes()))?;
        is_of_curl(before).then_some(())?;
        (skip_blanks(bytes, at + option.len()), true)
    };
    let (start, end) = match quoted(text, start) {
        Some(inside) => inside,
        None => (
            start,
            unquoted_end(bytes, start, Form::Variable, usize::MAX),
        ),
    };
    let value = text.get(start..end)?;
    let (user, password) = match is_pair {
        true => value.split_once(':')?,
        false => ("", value),
    };
    let is_secret =
        is_password(password) && !names::is_number(password) && !user.starts_with("[redacted");
    is_secret.then_some(Secret {
        start: end - password.len(),
        end,
        rule: NAMED,
    })
}

/// Whether `word` can be a password where nothing else can stand.
fn is_password(word: &str) -> bool {
    word.len() >= LEAST && word != "pass" && !names::is_stand_in(word)
}

/// Whether what follows `before` is an argument of `curl`.
fn is_of_curl(before: &[u8]) -> bool {
    const LONGEST: usize = 512;
    let near = before
        .get(before.len().saturating_sub(LONGEST)..)
        .unwrap_or(before);
    let Some(at) = near.windows(5).rposition(|word| word == b"curl ") else {
        return false;
    };
    let begins = at
        .checked_sub(1)
        .and_then(|at| near.get(at))
        .is_none_or(|b| !b.is_ascii_alphanumeric());
    let between = near.get(at..).unwrap_or_default();
    let goes_on = !between.windows(2).any(|two| {
        two == b"&&" || two.ends_with(b"|") || two.ends_with(b"\n") && !two.starts_with(b"\\")
    });
    begins && goes_on
}

/// The password in a line of a `.netrc` that begins at `at`: `machine host login user password word`.
pub(super) fn netrc(text: &str, at: usize) -> Option<Secret> {
    const MOST_PAIRS: usize = 3;
    const LONGEST: usize = 1024;
    starts_word(text.as_bytes(), at).then_some(())?;
    let rest = text.get(at..)?.strip_prefix("machine ")?;
    let rest = rest.get(..rest.floor_char_boundary(LONGEST))?;
    let begin = text.len().min(at + "machine ".len());
    let mut words = pem::words(rest).skip(1);
    let mut has_login = false;
    for _ in 0..MOST_PAIRS {
        let (_, name) = words.next()?;
        let (offset, word) = words.next()?;
        match name {
            "login" => has_login = true,
            "account" => {}
            "password" if has_login && is_password(word) => {
                return Some(Secret {
                    start: begin + offset,
                    end: begin + offset + word.len(),
                    rule: NAMED,
                });
            }
            _ => return None,
        }
    }
    None
}

/// The password of SQL's `IDENTIFIED BY 'password'` that begins at `at`.
pub(super) fn identified(text: &str, at: usize) -> Option<Secret> {
    starts_word(text.as_bytes(), at).then_some(())?;
    let rest = text.get(at..)?.strip_prefix("IDENTIFIED ")?;
    let rest = match rest.strip_prefix("WITH ") {
        Some(rest) => rest.split_once(' ')?.1,
        None => rest,
    };
    let rest = rest.strip_prefix("BY ")?;
    let rest = rest.strip_prefix("PASSWORD ").unwrap_or(rest);
    let (start, end) = quoted(text, text.len() - rest.len())?;
    judged(text, start, end, Telling::Password, Form::Quoted)
}

/// The secret from `start` to `end`, if it is one.
fn judged(text: &str, start: usize, end: usize, telling: Telling, form: Form) -> Option<Secret> {
    let seen = text.floor_char_boundary(end.min(start + JUDGED));
    let next = text.as_bytes().get(seen).copied();
    is_secret(text.get(start..seen)?, next, telling, form).then_some(Secret {
        start,
        end,
        rule: NAMED,
    })
}

/// The secret without quotes that begins at `start`, if it is one.
fn judged_unquoted(text: &str, start: usize, telling: Telling, form: Form) -> Option<Secret> {
    let bytes = text.as_bytes();
    let seen = unquoted_end(bytes, start, form, JUDGED);
    let form = match form {
        Form::Line if !ends_line(bytes, seen) => Form::Loose,
        form => form,
    };
    // `name: Type = value`, `a.name = b.name = value`.
    let is_assigned = matches!(form, Form::Loose)
        && bytes.get(skip_blanks(bytes, seen)) == Some(&b'=')
        && text.get(start..seen).is_some_and(names::is_identifier);
    if is_assigned {
        return None;
    }
    judged(text, start, seen, telling, form).map(|secret| Secret {
        end: unquoted_end(bytes, start, form, usize::MAX),
        ..secret
    })
}

fn is_secret(value: &str, next: Option<u8>, telling: Telling, form: Form) -> bool {
    if value.len() < LEAST || names::is_stand_in(value) {
        return false;
    }
    if telling == Telling::Perhaps {
        return names::looks_random(value) && !is_code(value, next);
    }
    let has = |is: fn(&u8) -> bool| value.bytes().any(|b| is(&b));
    let digit = has(u8::is_ascii_digit);
    let letter = has(u8::is_ascii_alphabetic);
    let sign = has(|b| {
        matches!(
            b,
            b'!' | b'#' | b'$' | b'%' | b'^' | b'*' | b'+' | b'~' | b'@'
        )
    });
    let number = names::is_number(value);
    let word = !digit && !sign;
    match (form, telling) {
        (Form::Quoted, Telling::Password) => true,
        (Form::Quoted, _) => {
            let is_named = telling == Telling::Key && names::is_words(value);
            !is_named && !number && !is_thing(value)
        }
        (Form::Variable, _) => {
            !number && !value.contains("os.environ") && !value.contains("process.env")
        }
        _ if number || names::is_place(value) || is_code(value, next) => false,
        (Form::Tight, Telling::Password) => {
            !word || !is_argument(next) && !names::is_part_of_name(value)
        }
        (Form::Line | Form::Option, Telling::Password) => {
            !word || !value.bytes().any(|b| b.is_ascii_uppercase() || b == b'.')
        }
        (Form::Tight | Form::Option, _) => {
            digit || value.len() >= 16 && !is_argument(next) && !names::is_identifier(value)
        }
        (_, Telling::Password) => sign || digit,
        (Form::Loose, Telling::Key) if names::is_numbered_name(value) => false,
        _ => digit && letter && value.len() >= 8,
    }
}

/// Whether a value in quotes is something that is not secret, whatever it is called.
fn is_thing(value: &str) -> bool {
    names::is_place(value)
        || names::is_constant(value)
        || names::is_colour(value)
        || names::is_pattern(value)
}

/// Whether it is an expression: a call, a path of names, a type with parameters, a reference.
fn is_code(value: &str, next: Option<u8>) -> bool {
    let dotted = value.contains('.')
        && value
            .bytes()
            .all(|b| b.is_ascii_alphabetic() || matches!(b, b'.' | b'_'));
    let is_pointer = value.strip_prefix('*').is_some_and(|rest| {
        let plain = !rest.bytes().any(|b| b.is_ascii_digit());
        names::is_identifier(rest) && (plain || is_argument(next))
    });
    matches!(next, Some(b'(' | b'[' | b'<' | b'{'))
        || value.starts_with(['(', '[', '{', '<', '&', '|', '!', '=', '`', '\\'])
        || value.starts_with("--")
        || is_pointer
        || value.starts_with('*') && value.ends_with('*')
        || names::is_type_of_number(value)
        || names::is_constant(value)
        || ["::", "->", "=>", "(", "?.", "[", "++"]
            .iter()
            .any(|part| value.contains(part))
        || dotted
}

/// Whether what follows says that the value was an argument of a call or a part of an expression.
fn is_argument(next: Option<u8>) -> bool {
    matches!(next, Some(b',' | b')' | b';' | b'}' | b']' | b'|'))
}

/// Whether prose goes on at `at`: a small word, and small words behind it.
fn is_prose(bytes: &[u8], at: usize) -> bool {
    let is_word = |word: &[u8]| {
        let word = word.strip_suffix(b",").unwrap_or(word);
        !word.is_empty() && word.iter().all(|b| b.is_ascii_alphabetic() || *b == b'\'')
    };
    let rest = bytes.get(at..).unwrap_or_default();
    let line = rest.get(..MAX_NAME).unwrap_or(rest);
    let line = line.split(|b| *b == b'\n').next().unwrap_or_default();
    let mut words = line.split(|b| *b == b' ');
    words
        .next()
        .is_some_and(|word| is_word(word) && !word.iter().any(u8::is_ascii_uppercase))
        && words.next().is_some_and(is_word)
        && words.next().is_some_and(is_word)
}

/// The credentials of a header, behind its scheme if it has one.
fn authorization(text: &str, at: usize) -> Option<Secret> {
    let bytes = text.as_bytes();
    let opened = quote_at(bytes, at).map(|(_, depth)| at + depth + 1);
    let start = opened.unwrap_or(at);
    let rest = bytes.get(start..)?;
    let is_scheme = |b: &&u8| b.is_ascii_alphanumeric() || **b == b'-';
    let scheme = rest.iter().take(20).take_while(is_scheme).count();
    let has_scheme = scheme > 0 && rest.get(scheme) == Some(&b' ');
    let start = match has_scheme {
        true => skip_blanks(bytes, start + scheme),
        false => start,
    };
    let ends = |b: &u8| {
        b.is_ascii_whitespace() || matches!(b, b'"' | b'\'' | b'`' | b'\\' | b',' | b'<' | b'>')
    };
    let end_within = |most: usize| {
        let rest = bytes.get(start..).unwrap_or_default();
        let rest = rest.get(..most).unwrap_or(rest);
        start + rest.iter().position(ends).unwrap_or(rest.len())
    };
    let seen = text.floor_char_boundary(end_within(JUDGED));
    let value = text.get(start..seen)?;
    let next = bytes.get(seen).copied();
    // In prose a word of the sentence stands there, in code an expression.
    let is_word = names::is_words(value);
    let is_closed =
        matches!(next, None | Some(b'"' | b'\'' | b'\r' | b'\n' | b'\\')) && !value.ends_with('.');
    // Of `OAuth realm="…"`: what follows has a name of its own.
    let is_parameter = value.strip_suffix('=').is_some_and(names::is_identifier)
        && matches!(next, Some(b'"' | b'\'' | b'\\'));
    let is_secret = match (opened, has_scheme) {
        _ if is_parameter || value.starts_with("--") || names::is_place(value) => false,
        (Some(_), true) => true,
        (Some(_), false) => !(names::is_words(value) && value.contains(['_', '.'])),
        (None, true) => !is_word || is_closed,
        (None, false) => value.bytes().any(|b| b.is_ascii_digit()) && !is_code(value, next),
    };
    (is_secret && value.len() >= LEAST && !names::is_stand_in(value)).then(|| Secret {
        start,
        end: end_within(usize::MAX),
        rule: AUTHORIZATION,
    })
}

/// The `secret` of `scheme://user:secret@host`, where `user` begins at `start`.
fn url_password(text: &str, start: usize) -> Option<Secret> {
    let rest = text.get(start..)?;
    let is_end = |b: u8| {
        b.is_ascii_whitespace()
            || matches!(
                b,
                b'/' | b'?' | b'#' | b'"' | b'\'' | b'`' | b'<' | b'>' | b'\\'
            )
    };
    let length = rest.bytes().position(is_end).unwrap_or(rest.len());
    let authority = rest.get(..length)?;
    let (userinfo, _) = authority.rsplit_once('@')?;
    if is_mark(userinfo) {
        return None;
    }
    let (user, password) = userinfo.split_once(':').unwrap_or((userinfo, ""));
    // A token in the place of a user.
    if matches!(password, "" | "x-oauth-basic") && names::looks_random(user) {
        return Some(Secret {
            start,
            end: start + userinfo.len(),
            rule: URL,
        });
    }
    let is_secret = !password.is_empty() && !names::is_stand_in(password);
    let start = start + user.len() + 1;
    is_secret.then_some(Secret {
        start,
        end: start + password.len(),
        rule: URL,
    })
}

/// The text of `<name>text</…`, where the first tag ends at `at`.
fn element(text: &str, at: usize) -> Option<Secret> {
    let bytes = text.as_bytes();
    let name = name_before(bytes, at)?;
    let telling = names::telling(name.text).filter(|telling| *telling != Telling::Cookie)?;
    let opens = name.start.checked_sub(1).and_then(|at| bytes.get(at)) == Some(&b'<');
    opens.then_some(())?;
    let length = bytes
        .get(at + 1..)?
        .iter()
        .position(|b| matches!(b, b'<' | b'\n'))?;
    let end = at + 1 + length;
    let closes = bytes.get(end..)?.starts_with(b"</");
    closes.then_some(())?;
    judged(text, at + 1, end, telling, Form::Quoted)
}

/// Whether the quote at `quote` closes a string that `name` is the end of, as in `print("Token: " + token)`, and opens none. The
/// value would begin at `value`.
fn closes_a_string(bytes: &[u8], name: &Name<'_>, quote: usize, value: usize) -> bool {
    let is_rest_of_code = bytes.get(value).is_none_or(|first| {
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
        )
    });
    let is_quoted = matches!(
        bytes.get(name.start + name.text.len()),
        Some(b'"' | b'\'' | b'`' | b'\\')
    );
    if !is_rest_of_code || is_quoted {
        return false;
    }
    let Some((kind, depth)) = quote_at(bytes, quote) else {
        return false;
    };
    let before = bytes.get(..name.start).unwrap_or_default();
    let before = before
        .get(before.len().saturating_sub(LINE)..)
        .unwrap_or(before);
    let line = before.rsplit(|b| *b == b'\n').next().unwrap_or_default();
    let is_letter = |at: Option<usize>| {
        at.and_then(|at| line.get(at))
            .is_some_and(u8::is_ascii_alphabetic)
    };
    let is_quote = |at: usize| {
        let backslashes = line.get(..at).unwrap_or_default().iter().rev();
        let apostrophe =
            kind == b'\'' && is_letter(at.checked_sub(1)) && is_letter(at.checked_add(1));
        backslashes.take(8).take_while(|b| **b == b'\\').count() == depth && !apostrophe
    };
    let quotes = line
        .iter()
        .enumerate()
        .filter(|(at, byte)| **byte == kind && is_quote(*at));
    quotes.count() % 2 == 1
}

/// The name that ends before the separator at `at`, perhaps quoted, perhaps an index (`env["NAME"] =`).
fn name_before(bytes: &[u8], at: usize) -> Option<Name<'_>> {
    let back = |end: usize, is: fn(u8) -> bool, most: usize| {
        let before = bytes.get(..end).unwrap_or_default();
        let length = before
            .iter()
            .rev()
            .take(most)
            .take_while(|b| is(**b))
            .count();
        end - length
    };
    let is_quote = |b: u8| matches!(b, b'"' | b'\'' | b'`' | b'\\');
    let mut end = at;
    // `:=` and `?:`.
    if end
        .checked_sub(1)
        .and_then(|before| bytes.get(before))
        .is_some_and(|b| matches!(b, b':' | b'?'))
    {
        end -= 1;
    }
    end = back(end, |b| matches!(b, b' ' | b'\t'), 32);
    let indexed = end.checked_sub(1).and_then(|before| bytes.get(before)) == Some(&b']');
    if indexed {
        end -= 1;
    }
    end = back(end, is_quote, 8);
    let start = back(end, is_name_byte, MAX_NAME);
    if indexed {
        let open = back(start, is_quote, 8).checked_sub(1)?;
        (bytes.get(open) == Some(&b'[')).then_some(())?;
    }
    let text = bytes.get(start..end)?;
    (!text.is_empty()).then_some(Name { text, start })
}

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.')
}

fn skip_blanks(bytes: &[u8], at: usize) -> usize {
    let rest = bytes.get(at..).unwrap_or_default();
    at + rest
        .iter()
        .take_while(|b| matches!(b, b' ' | b'\t'))
        .count()
}

/// Whether only blanks, a list's `-` or `export` stand before `at` in its line.
fn begins_line(bytes: &[u8], at: usize) -> bool {
    let before = bytes.get(..at).unwrap_or_default();
    let is_gap = |b: &&u8| matches!(**b, b' ' | b'\t' | b'-' | b'"' | b'\'' | b'\\');
    let gap = before
        .iter()
        .rev()
        .take(MAX_NAME)
        .take_while(is_gap)
        .count();
    match before.get(..before.len() - gap) {
        Some([.., b'\n'] | []) => true,
        // An escaped line break, of which the gap has the backslash.
        Some([.., b'n']) => gap == 0,
        _ => false,
    }
}

fn ends_line(bytes: &[u8], at: usize) -> bool {
    let at = skip_blanks(bytes, at);
    matches!(bytes.get(at), None | Some(b'\n' | b'\r' | b'#' | b'\\'))
}

/// The quote at `at`, and the number of backslashes before it.
fn quote_at(bytes: &[u8], at: usize) -> Option<(u8, usize)> {
    let rest = bytes.get(at..)?;
    let depth = rest.iter().take(8).take_while(|b| **b == b'\\').count();
    let quote = *rest.get(depth)?;
    matches!(quote, b'"' | b'\'' | b'`').then_some((quote, depth))
}

/// Where the text in the quotes at `at` begins and ends. One that is not closed in its line ends with the line: it may
/// have been cut off.
fn quoted(text: &str, at: usize) -> Option<(usize, usize)> {
    let bytes = text.as_bytes();
    // A literal's prefix, as in `b"…"`.
    let prefixed = matches!(
        bytes.get(at),
        Some(b'b' | b'r' | b'f' | b'u' | b'B' | b'R' | b'F' | b'U')
    );
    let at = at + usize::from(prefixed && matches!(bytes.get(at + 1), Some(b'"' | b'\'')));
    let (quote, depth) = quote_at(bytes, at)?;
    let start = at + depth + 1;
    let mut backslashes = 0;
    for (offset, &byte) in bytes.get(start..)?.iter().enumerate() {
        let end = start + offset;
        let closes = backslashes == depth || depth == 0 && backslashes % 2 == 0;
        match byte {
            b'\\' => {
                backslashes += 1;
                continue;
            }
            b'\n' => return Some((start, end)),
            _ if byte == quote && closes => {
                return Some((start, end - if depth == 0 { 0 } else { backslashes }));
            }
            _ => backslashes = 0,
        }
    }
    Some((start, bytes.len()))
}

/// Where the value without quotes that begins at `start` ends, of which at most so many bytes are looked at. A variable's may
/// hold everything but white space and quotes.
fn unquoted_end(bytes: &[u8], start: usize, form: Form, most: usize) -> usize {
    let rest = bytes.get(start..).unwrap_or_default();
    let rest = rest.get(..most).unwrap_or(rest);
    let ends = |at: usize, byte: u8| match byte {
        b'"' | b'\'' | b'`' => true,
        b'\\' => matches!(rest.get(at + 1), Some(b'n' | b'r' | b't' | b'"' | b'\'')),
        b'&' | b';' | b',' | b'|' | b'<' | b'>' | b')' | b'}' | b']' => form != Form::Variable,
        byte => byte.is_ascii_whitespace(),
    };
    let end = rest.iter().enumerate().find(|(at, byte)| ends(*at, **byte));
    start + end.map_or(rest.len(), |(at, _)| at)
}
