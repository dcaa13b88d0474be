//! Recognises values that stand for a secret without being one: a word of prose, a placeholder, a
//! variable, a name, asterisks.
//!
//! This module judges a value alone. It knows neither the value's form nor the name before it.

use super::foreign;
use super::looks::{Signs, has_words, is_identifier, signs_of};
use super::names::SecretKind::{Hardly, Key, Password, Phrase};
use super::names::{ending, ending_by, hint, telling};
use super::shapes::Alphabet;
use super::texts;
use super::words::{LONGEST_PLAIN, WordList};

/// Words that may follow a name that announces a secret, but are not secrets: types, literals, and
/// words of prose. In alphabetical order.
#[rustfmt::skip]
const PLAIN: &[&str] = &[
    "aes256", "and", "anonymous", "any", "are", "arg", "argon2", "argon2id", "argument", "async", "auth", "await", "base64",
    "basic", "bcrypt", "bearer", "bigint", "blob", "bool", "boolean", "byte", "bytea", "bytes", "can", "cancel", "changed",
    "char", "configmap", "confirm", "const", "copy", "correct", "count", "default", "disabled", "ed25519", "email", "empty",
    "enabled", "encrypted", "enter", "env", "es256", "example", "expired", "external", "false", "field", "fieldref", "file",
    "flag", "float", "for", "forgot", "format", "from", "function", "generator", "get", "given", "has", "hashed", "header",
    "here", "hidden", "hide", "hs256", "http", "https", "id", "impl", "incorrect", "index", "input", "instead", "int",
    "int32", "int64", "integer", "internal", "into", "invalid", "invalid_token", "is", "jsonb", "key", "keychain",
    "keyring", "keys", "len", "length", "limit", "list", "localhost", "login", "logout", "manager", "masked", "match",
    "md5", "mismatch", "missing", "must", "mut", "name", "never", "new", "nil", "none", "not", "nothing", "null",
    "nullable", "nullptr", "number", "oauth2", "object", "off", "ok", "omitted", "on", "option", "optional", "parameter",
    "pbkdf2", "pkcs12", "pkcs8", "plaintext", "policy", "private", "prompt", "protected", "provided", "public", "query",
    "read", "readonly", "redacted", "removed", "required", "reset", "return", "rotated", "rotation", "rs256", "save",
    "scrypt", "secretref", "self", "set", "sha1", "sha256", "sha512", "should", "show", "size", "smallint", "static",
    "stdin", "store", "str", "strength", "string", "stripped", "strong", "submit", "text", "that", "the", "this", "through",
    "todo", "true", "type", "uint32", "uint64", "undef", "undefined", "unknown", "unset", "user", "username", "utf16",
    "utf8", "uuid", "valid", "value", "var", "varchar", "vault", "via", "void", "was", "weak", "when", "while", "will",
    "with", "without", "write", "wrong", "x509", "yes", "yield",
];

/// Words that occur in placeholders. In alphabetical order.
#[rustfmt::skip]
const PLACEHOLDERS: &[&str] = &[
    "changeit", "changeme", "dummy", "example", "fill", "fixme", "goes", "here", "insert", "placeholder", "put", "redacted",
    "replace", "replaceme", "sample", "tbd", "todo", "xxx", "xxxx", "xxxxx", "xxxxxx", "xxxxxxx", "xxxxxxxx", "your",
    "yourapikey", "yourpassword", "yours", "yoursecret", "yourtoken",
];

/// Returns whether `value` stands for a secret without being one: a variable, a placeholder, asterisks, a name, a word.
pub(super) fn is_stand_in(value: &str) -> bool {
    is_stand_in_of(value, Signs::of(value))
}

pub(super) fn is_stand_in_of(value: &str, signs: Signs) -> bool {
    // The end of a line that is typed.
    if signs.has(b'\\')
        && let Some(line) = value.strip_suffix("\\n")
    {
        let line = line.trim_end_matches("\\r");
        return !line.is_empty() && is_stand_in(line);
    }
    // Most words have no signs. Such a word is neither a reference nor a sentence, and it is a
    // placeholder only as a whole.
    let is_alnum = signs.is_alnum();
    let word = match is_alnum {
        true => value,
        false => {
            let is_stop = |b: u8| matches!(b, b'.' | b',' | b';' | b'!' | b'?' | b':');
            let end = value.bytes().rposition(|b| !is_stop(b));
            value.get(..end.map_or(0, |end| end + 1)).unwrap_or(value)
        }
    };
    !is_alnum
        && (is_reference(value, signs)
            || is_elided(value.as_bytes(), signs)
            || is_version(value, signs)
            || texts::is_text(value, signs)
            || signs.has(b'@')
                && value
                    .strip_suffix('@')
                    .is_some_and(|user| is_plain(user.trim_start_matches('-').as_bytes())))
        || is_one_character(value, signs)
        || !signs.has_any(NO_PLAIN) && is_plain(word.as_bytes())
        || is_name(word, signs)
        || is_alnum && is_title(word)
        || (!is_alnum || PLACEHOLDER_WORDS.has(word.as_bytes())) && is_placeholder(value, signs)
        || !is_alnum && is_about_secrets(value, signs)
}

static PLAIN_WORDS: WordList<{ PLAIN.len() }> = WordList::of(PLAIN);
static PLACEHOLDER_WORDS: WordList<{ PLACEHOLDERS.len() }> = WordList::of(PLACEHOLDERS);

/// Returns whether `word` is a label with a capital, as `Secreto`.
fn is_title(word: &str) -> bool {
    let is_title = match word.as_bytes() {
        [first, rest @ ..] => first.is_ascii_uppercase() && rest.iter().all(u8::is_ascii_lowercase),
        [] => false,
    };
    is_title && texts::is_label(word.as_bytes())
}

/// Returns true if `word` is one of [`PLAIN`] or its plural.
fn is_plain(word: &[u8]) -> bool {
    PLAIN_WORDS.has(word)
        || matches!(word, [singular @ .., b's' | b'S'] if PLAIN_WORDS.has(singular))
}

/// Returns whether `value` consists of words of which one occurs in placeholders, as in
/// `your-api-key-here`.
fn is_placeholder(value: &str, signs: Signs) -> bool {
    const MOST_DIGITS: usize = 3;
    if signs.may_have('…') && value.contains('…') {
        return true;
    }
    let is_one = |word: &[u8]| word.len() >= 3 && PLACEHOLDER_WORDS.has(word);
    // This finds placeholders such as `change-me`.
    if signs.has_any(const { signs_of(b"-_ ") }) && value.len() <= LONGEST_PLAIN + 2 {
        let mut letters = value.bytes().filter(|b| !matches!(b, b'-' | b'_' | b' '));
        let (first, second) = (letters.next(), letters.next());
        let pair = first.zip(second);
        if pair.is_some_and(|(first, second)| PLACEHOLDER_WORDS.may_begin(first, second)) {
            let mut joined = [0; LONGEST_PLAIN + 2];
            let mut length = 0;
            let letters = first.into_iter().chain(second).chain(letters);
            for (place, letter) in joined.iter_mut().zip(letters) {
                *place = letter;
                length += 1;
            }
            if joined.get(..length).is_some_and(is_one) {
                return true;
            }
        }
    }
    has_placeholder(value.as_bytes())
        && (!signs.has_digit() || value.bytes().filter(u8::is_ascii_digit).count() <= MOST_DIGITS)
        && has_words(value)
}

/// Returns whether `value` is a version or a range of versions: `^9.0.2`, `~1.2`, `>=2.0`, `0.5.3`.
fn is_version(value: &str, signs: Signs) -> bool {
    const SIGNS: u128 = signs_of(b"0123456789.^~<>=*");
    const LONGEST: usize = 16;
    let is_point = |at: usize| value.as_bytes().get(at) == Some(&b'.');
    signs.is_ascii
        && signs.seen & !SIGNS == 0
        && signs.has(b'.')
        && signs.has_digit()
        && value.len() <= LONGEST
        && !is_point(value.len() - 1)
        && value
            .split('.')
            .all(|part| part.bytes().filter(u8::is_ascii_digit).count() <= 3)
        && (value.starts_with(['^', '~', '<', '>', '='])
            || value.ends_with(".*")
            || value.matches('.').count() == 2)
}

/// Returns whether `value` contains one of [`PLACEHOLDERS`] between signs.
fn has_placeholder(value: &[u8]) -> bool {
    let mut words = value.split(|byte| !Alphabet::Alnum.has(*byte));
    words.any(|word| word.len() >= 3 && PLACEHOLDER_WORDS.has(word))
}

/// Returns whether `value` is a sentence about secrets, as in a help text or an error, and not a secret itself.
fn is_about_secrets(value: &str, signs: Signs) -> bool {
    if !signs.has(b' ') || signs.has_digit() && !has_counts_only(value) {
        return false;
    }
    let is_sentence =
        value.starts_with(|c: char| c.is_uppercase()) || value.ends_with(['.', '?', '…']);
    is_sentence
        && value.split_ascii_whitespace().any(|word| {
            let word = match signs.is_ascii || word.is_ascii() {
                true => trimmed(word),
                false => word.trim_matches(|c: char| is_sign(c) || !c.is_alphanumeric()),
            };
            is_plain(word.as_bytes())
                || texts::is_label(word.as_bytes())
                || ending(word.as_bytes()).is_some_and(|(_, telling)| telling != Hardly)
                || !word.is_ascii() && foreign::before(word.as_bytes()).is_some()
                || word == "passe"
        })
}

/// Returns whether `character` is an ASCII sign, an arrow, a mathematical sign or a full-width sign.
/// The tables of the standard library take longer to tell these.
fn is_sign(character: char) -> bool {
    match character {
        '\0'..='\x7f' => !character.is_ascii_alphanumeric(),
        _ => {
            matches!(character, '\u{2190}'..='\u{22ff}' | '\u{ff01}'..='\u{ff0f}' | '\u{ff1a}'..='\u{ff20}')
        }
    }
}

/// Returns whether all digits of a sentence are in small numbers, as in `at least 8 characters`, `8-64`, `(2)`, `v2`.
fn has_counts_only(sentence: &str) -> bool {
    const MOST_DIGITS: usize = 4;
    const LEAST_WORDS: usize = 3;
    let (mut words, mut has_version) = (0, false);
    sentence.split_ascii_whitespace().all(|word| {
        words += 1;
        if let [b'v' | b'V', b'0'..=b'9'] = word.as_bytes() {
            has_version = true;
            return true;
        }
        let digits = word.bytes().filter(u8::is_ascii_digit).count();
        digits <= MOST_DIGITS && (digits == 0 || !word.bytes().any(|b| b.is_ascii_alphabetic()))
    }) && (words >= LEAST_WORDS || has_version)
}

/// The ASCII signs that occur in no identifier, except those that may end a sentence.
const NO_IDENTIFIER: u128 = signs_of(b" \t\n\r\"#$%&'()*+/<=>@[\\]^`{|}~");

/// The ASCII signs that occur in no word of [`PLAIN`], except those that may end a sentence.
const NO_PLAIN: u128 = NO_IDENTIFIER | signs_of(b"-");

/// Returns an ASCII word without the signs around it.
fn trimmed(word: &str) -> &str {
    let is_alnum = |byte: &u8| byte.is_ascii_alphanumeric();
    let start = word.as_bytes().iter().position(is_alnum);
    let end = word.as_bytes().iter().rposition(is_alnum);
    let range = start.zip(end).map_or(0..0, |(start, end)| start..end + 1);
    word.get(range).unwrap_or_default()
}

/// Returns true if `word` is itself a name that announces a secret, such as `user.api_key`.
/// `mysecretpassword` is not such a name, because it may be a password.
fn is_name(word: &str, signs: Signs) -> bool {
    let bytes = word.as_bytes();
    if !signs.is_ascii && foreign::length_at(bytes) == bytes.len() {
        return true;
    }
    // Most values have a sign that does not occur in identifiers.
    if signs.has_any(NO_IDENTIFIER) {
        return false;
    }
    let (digits, one) = match bytes {
        [one @ .., last] if last.is_ascii_digit() => (true, one),
        _ => (false, bytes),
    };
    // A key's name with a version: `api_token_v2`.
    let version = one.strip_suffix(b"v").unwrap_or(one);
    if digits
        && let [base @ .., b'_' | b'-'] = version
        && ending(base).is_some_and(|(_, telling)| telling == Key)
        && is_identifier(word)
    {
        return true;
    }
    let (of_word, of_one) = (hint(bytes), if digits { hint(one) } else { 0 });
    if of_word == 0 && of_one == 0 || !is_identifier(word) {
        return false;
    }
    let joined = |b: &u8| b.is_ascii_uppercase() || matches!(b, b'_' | b'-' | b'.');
    let is_whole = |name: &[u8], ending: &str| name.eq_ignore_ascii_case(ending.as_bytes());
    if digits {
        // `Password1` may be somebody's password, `user.password1` is a path of names.
        let is_path = one.contains(&b'.') && !one.iter().any(u8::is_ascii_digit);
        if is_path
            && ending_by(one, of_one).is_some_and(|(ending, _)| {
                one.strip_suffix(ending.as_bytes())
                    .is_some_and(|path| path.ends_with(b"."))
            })
        {
            return true;
        }
        return ending_by(one, of_one).is_some_and(|(ending, telling)| {
            one == ending.as_bytes() && !matches!(telling, Password | Phrase)
        }) || ending_by(bytes, of_word).is_some();
    }
    match ending_by(bytes, of_word) {
        Some((ending, _)) => bytes.iter().any(joined) || is_whole(bytes, ending),
        None => bytes.iter().any(joined) && telling(bytes).is_some(),
    }
}

/// Returns true if `word` is the name of a secret's property, such as `password_bytes`.
pub(super) fn is_part_of_name(word: &str) -> bool {
    let mut parts = word.split(['_', '.']);
    is_identifier(word)
        && word.contains(['_', '.'])
        && !word.bytes().any(|b| b.is_ascii_digit())
        && parts.any(|part| ending(part.as_bytes()).is_some_and(|(ending, _)| ending == part))
}

/// Returns whether `value` refers to a secret or is masked: `$NAME`, `$$NAME`, `${…}`, `$(…)`,
/// `{{…}}`, `{name}`, `[name]`, `<name>`, `%s`, `%(name)s`, `process.env.NAME`, `****`.
fn is_reference(value: &str, signs: Signs) -> bool {
    let bytes = value.as_bytes();
    let Some(first) = bytes.first() else {
        return false;
    };
    let closed = |close: u8| bytes.last() == Some(&close);
    let begins = match first {
        b'$' => {
            let rest = value.trim_start_matches('$');
            let name = rest.strip_prefix("env:").unwrap_or(rest);
            let name = name.trim_end_matches([';', ',', ')', '"']);
            is_identifier(name) && !is_mixed(name)
                || rest.starts_with(['{', '(', '['])
                || rest.is_empty()
        }
        b'[' => value
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
            .is_some_and(|rest| {
                rest.bytes()
                    .all(|b| b.is_ascii_alphabetic() || matches!(b, b'_' | b'-' | b' ' | b'.'))
            }),
        // `<your` of `<your password>` counts, too.
        b'<' => {
            closed(b'>')
                || value
                    .strip_prefix('<')
                    .is_some_and(|rest| is_identifier(rest.trim_end_matches('>')))
        }
        b'{' => {
            // Maven encrypts passwords so.
            let is_encrypted = || value.ends_with("=}") && signs.has_digit() && value.len() >= 24;
            closed(b'}') && !is_encrypted()
                || value.starts_with("{{")
                || value.strip_prefix('{').is_some_and(is_identifier)
        }
        b'%' => {
            closed(b'%')
                || ["%(", "%{", "%s", "%v", "%d"]
                    .iter()
                    .any(|begin| value.starts_with(begin))
        }
        b'&' => value.starts_with("&lt;"),
        b'@' | b'#' => ["@{", "#{", "@/", "@Microsoft.KeyVault("]
            .iter()
            .any(|begin| value.starts_with(begin)),
        b'*' => bytes.iter().all(|b| *b == b'*'),
        b'p' | b'o' | b'i' | b's' | b'E' | b'v' | b'e' | b'a' => [
            "process.env",
            "os.environ",
            "import.meta.env",
            "secrets.",
            "ENV[",
            "env.",
            "vault:",
            "env:",
            "ssm:",
            "sm://",
            "secretref:",
            "op://",
            "arn:aws",
            "env(",
        ]
        .iter()
        .any(|begin| begin.as_bytes().first() == Some(first) && value.starts_with(begin)),
        _ => false,
    };
    begins || signs.may_have('•') && value.contains("•••")
}

/// Returns whether something in `value` is left out or filled in later: it has `***`, `...` or `{{`.
fn is_elided(value: &[u8], signs: Signs) -> bool {
    // All of them in one pass: a search for each would take longer.
    signs.has_any(const { signs_of(b"*.{") })
        && value
            .array_windows()
            .enumerate()
            .any(|(at, [first, second])| {
                first == second
                    && match first {
                        b'{' => true,
                        b'*' | b'.' => value.get(at + 2) == Some(first),
                        _ => false,
                    }
            })
}

/// Returns whether the letters of a name change case as in no name of a variable.
fn is_mixed(name: &str) -> bool {
    const LEAST: usize = 8;
    let signs = Signs::of(name);
    name.len() >= LEAST
        && signs.is_alnum()
        && signs.has_capital()
        && signs.has_small()
        && !has_words(name)
}

/// Returns whether `value` repeats one character, perhaps with joints between: `xxxx`, `xxxx-xxxx`.
fn is_one_character(value: &str, signs: Signs) -> bool {
    match signs.is_ascii {
        true => {
            let others = signs.seen & !const { signs_of(b"-_") };
            others & others.wrapping_sub(1) == 0
        }
        false => {
            let mut characters = value.chars();
            let first = characters.next();
            characters.all(|c| Some(c) == first)
        }
    }
}

/// Returns whether `value` is a single letter or digit, as in a short example.
pub(super) fn is_one_letter(value: &str) -> bool {
    value.len() == 1 && value.bytes().all(|b| b.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::super::foreign;
    use super::*;

    #[test]
    fn no_sign_is_a_letter_or_a_digit() {
        for character in '\0'..=char::MAX {
            assert!(!is_sign(character) || !character.is_alphanumeric());
        }
    }

    #[test]
    fn the_lists_are_in_order() {
        assert!(
            foreign::NAMES
                .iter()
                .all(|(name, _)| name.len() <= foreign::LONGEST)
        );
        for list in [PLAIN, PLACEHOLDERS] {
            assert!(list.is_sorted_by(|a, b| a < b), "{list:?}");
            assert!(list.iter().all(|word| word.len() <= LONGEST_PLAIN));
        }
    }
}
