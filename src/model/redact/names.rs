//! Names after which a secret stands, and which of the values that follow one are no secrets.

/// What a name says of the value behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Telling {
    /// A person's secret: any word can be one.
    Password,
    /// A machine's secret: long, and no word.
    Key,
    /// The header: a scheme may stand before the secret.
    Authorization,
    /// A secret only if it looks like one.
    Perhaps,
}

use Telling::{Authorization, Key, Password, Perhaps};

/// The ends of telling names, in lower case, without the characters that join words: `apikey` is `API_KEY`, `x-api-key` and `apiKey`,
/// too.
const ENDINGS: &[(&str, Telling)] = &[
    ("password", Password),
    ("passwd", Password),
    ("passphrase", Password),
    ("pwd", Password),
    ("sshpass", Password),
    ("secret", Key),
    ("secretid", Key),
    ("token", Key),
    ("apikey", Key),
    ("accesskey", Key),
    ("secretkey", Key),
    ("privatekey", Key),
    ("encryptionkey", Key),
    ("signingkey", Key),
    ("accountkey", Key),
    ("masterkey", Key),
    ("authkey", Key),
    ("appkey", Key),
    ("servicekey", Key),
    ("sharedkey", Key),
    ("storagekey", Key),
    ("subscriptionkey", Key),
    ("deploykey", Key),
    ("licensekey", Key),
    ("hmackey", Key),
    ("amzsignature", Key),
    ("authorization", Authorization),
    ("auth", Perhaps),
    ("bearer", Perhaps),
    ("credential", Perhaps),
    ("credentials", Perhaps),
];

/// Words that stand behind a telling name without being its secret: types, literals, and what prose goes on with.
const PLAIN: &[&str] = &[
    "any",
    "and",
    "are",
    "argument",
    "async",
    "await",
    "base64",
    "bearer",
    "basic",
    "bool",
    "boolean",
    "byte",
    "bytes",
    "can",
    "char",
    "const",
    "copy",
    "default",
    "disabled",
    "empty",
    "enabled",
    "env",
    "example",
    "expired",
    "false",
    "field",
    "file",
    "flag",
    "float",
    "for",
    "from",
    "function",
    "has",
    "hashed",
    "header",
    "here",
    "hidden",
    "impl",
    "input",
    "int",
    "int32",
    "int64",
    "integer",
    "invalid",
    "invalid_token",
    "is",
    "len",
    "length",
    "list",
    "missing",
    "must",
    "mut",
    "never",
    "new",
    "nil",
    "none",
    "not",
    "null",
    "number",
    "object",
    "oauth2",
    "option",
    "optional",
    "parameter",
    "prompt",
    "query",
    "redacted",
    "required",
    "return",
    "self",
    "sha256",
    "should",
    "stdin",
    "str",
    "string",
    "text",
    "that",
    "the",
    "this",
    "true",
    "uint32",
    "uint64",
    "undefined",
    "unknown",
    "unset",
    "utf8",
    "uuid",
    "value",
    "var",
    "varchar",
    "void",
    "was",
    "will",
    "with",
    "yield",
];

/// What `name` says of the value behind it; nothing where it is any name.
pub(super) fn telling(name: &[u8]) -> Option<Telling> {
    // The shell's own.
    if matches!(name, b"PWD" | b"OLDPWD") {
        return None;
    }
    if name.len() > 5 && has_ending(name, "pass") && matches!(last(name, 5), Some(b'_' | b'-')) {
        return Some(Password);
    }
    let last = name.last()?.to_ascii_lowercase();
    let (_, telling) = *ENDINGS
        .iter()
        .find(|(ending, _)| ending.as_bytes().last() == Some(&last) && has_ending(name, ending))?;
    Some(telling)
}

fn last(name: &[u8], back: usize) -> Option<u8> {
    name.get(name.len().checked_sub(back)?).copied()
}

fn has_ending(name: &[u8], ending: &str) -> bool {
    let mut rest = name
        .iter()
        .rev()
        .filter(|byte| !matches!(byte, b'_' | b'-' | b'.' | b' '));
    ending.bytes().rev().all(|wanted| {
        rest.next()
            .is_some_and(|byte| byte.to_ascii_lowercase() == wanted)
    })
}

/// Whether `value` stands for a secret without being one: a variable, a placeholder, asterisks, a name, a word.
pub(super) fn is_stand_in(value: &str) -> bool {
    let word = value.trim_end_matches(['.', ',', ';', '!', '?']);
    is_reference(value)
        || is_one_character(value)
        || is_name(word)
        || PLAIN.iter().any(|plain| plain.eq_ignore_ascii_case(word))
}

/// Whether it is itself a telling name, such as `user.api_key`. `mysecretpassword` may be somebody's.
fn is_name(word: &str) -> bool {
    let joined = |b: u8| b.is_ascii_uppercase() || matches!(b, b'_' | b'-' | b'.');
    is_identifier(word)
        && telling(word.as_bytes()).is_some()
        && (word.bytes().any(joined) || ENDINGS.iter().any(|(ending, _)| *ending == word))
}

/// `$NAME`, `${…}`, `$(…)`, `{{…}}`, `{name}`, `<name>`, `%s`, `%(name)s`.
fn is_reference(value: &str) -> bool {
    let variable = value.strip_prefix('$').is_some_and(is_identifier);
    let closed = |open: char, close: char| value.starts_with(open) && value.ends_with(close);
    // `<your` of `<your password>`, too.
    let placeholder = value
        .strip_prefix('<')
        .is_some_and(|rest| is_identifier(rest.trim_end_matches('>')));
    variable
        || placeholder
        || ["${", "$(", "{{", "%(", "%{", "%s", "%v"]
            .iter()
            .any(|begin| value.starts_with(begin))
        || closed('<', '>')
        || closed('{', '}')
        || closed('%', '%')
}

fn is_one_character(value: &str) -> bool {
    let mut characters = value.chars();
    let first = characters.next();
    characters.all(|c| Some(c) == first)
}

pub(super) fn is_identifier(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'))
}

/// Long, of letters and digits, and of many different ones.
pub(super) fn looks_random(value: &str) -> bool {
    let bytes = value.as_bytes();
    let mut seen = 0u128;
    for byte in bytes.iter().filter(|byte| byte.is_ascii()) {
        seen |= 1 << byte;
    }
    bytes.len() >= 16
        && seen.count_ones() >= 8
        && bytes.iter().any(u8::is_ascii_digit)
        && bytes.iter().any(u8::is_ascii_alphabetic)
        && !bytes.contains(&b' ')
}
