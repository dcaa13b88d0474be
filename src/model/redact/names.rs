//! Names after which a secret stands, and which of the values that follow one are no secrets.

/// What a name says of the value behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Telling {
    /// A person's secret: any word can be one.
    Password,
    /// A machine's secret: long, and no word.
    Key,
    /// Either's: what is called a secret may be a word, but is mostly none.
    Secret,
    /// The header: a scheme may stand before the secret.
    Authorization,
    /// The header: pairs of a name and a value, of which some are secret.
    Cookie,
    /// A secret only if it looks like one.
    Perhaps,
}

use Telling::{Authorization, Cookie, Key, Password, Perhaps, Secret};

/// The ends of telling names, in lower case, without the characters that join words: `apikey` is `API_KEY`, `x-api-key` and `apiKey`,
/// too.
const ENDINGS: &[(&str, Telling)] = &[
    ("password", Password),
    ("passwd", Password),
    ("passphrase", Password),
    ("pwd", Password),
    ("sshpass", Password),
    ("secret", Secret),
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
    ("cookie", Cookie),
    ("auth", Perhaps),
    ("bearer", Perhaps),
    ("credential", Perhaps),
    ("credentials", Perhaps),
];

/// The longest word that is taken for one; longer runs of letters are those of keys.
const LONGEST_WORD: usize = 15;

/// Words that stand behind a telling name without being its secret: types, literals, and what prose goes on with.
const PLAIN: &[&str] = &[
    "any",
    "and",
    "are",
    "arg",
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

/// What a telling name may go on with: which one of several secrets it is.
const SUFFIXES: [&str; 13] = [
    "prod",
    "production",
    "dev",
    "test",
    "stage",
    "staging",
    "live",
    "old",
    "new",
    "base",
    "confirm",
    "confirmation",
    "value",
];

/// The end of a personal access token's name; in small letters it is that of a pattern or a path.
const ACCESS_TOKEN: &str = "_PAT";

/// The most digits that a telling name may go on with.
const MOST_DIGITS: usize = 4;

/// What `name` says of the value behind it; nothing where it is any name. `DB_PASSWORD_PROD2` and `passwordConfirm` are telling by
/// what stands before the suffix.
pub(super) fn telling(name: &[u8]) -> Option<Telling> {
    let name = without_number(name);
    let hint = hint(name);
    let whole = match hint & AS_ENDING {
        0 => None,
        _ => ending(name),
    };
    match hint & AS_SUFFIX {
        0 => whole,
        _ => whole.or_else(|| ending(without_suffix(name)?)),
    }
}

/// It may end as one of [`ENDINGS`].
const AS_ENDING: u8 = 1;
/// It may end as one of [`SUFFIXES`].
const AS_SUFFIX: u8 = 2;

/// What the last three characters of a name let it be. Most names are told apart by them.
fn hint(name: &[u8]) -> u8 {
    let [.., second, third, last] = *name else {
        return 0;
    };
    if is_joint(third) || is_joint(last) {
        return AS_ENDING | AS_SUFFIX;
    }
    let row = HINTS.get(usize::from(third & 31));
    let [as_ending, as_suffix] = row
        .and_then(|row| row.get(usize::from(last & 31)))
        .copied()
        .unwrap_or_default();
    let seconds = if is_joint(second) {
        u32::MAX
    } else {
        1 << (second & 31)
    };
    let is = |bits: u32, hint: u8| if bits & seconds == 0 { 0 } else { hint };
    is(as_ending, AS_ENDING) | is(as_suffix, AS_SUFFIX)
}

/// For the last two letters of a name, without their case, which letters stand before them in [`ENDINGS`] and in [`SUFFIXES`].
static HINTS: [[[u32; 2]; 32]; 32] = hints();

#[allow(
    clippy::indexing_slicing,
    reason = "evaluated by the compiler: what is out of bounds does not build"
)]
const fn hints() -> [[[u32; 2]; 32]; 32] {
    let mut hints = [[[0; 2]; 32]; 32];
    let mut at = 0;
    while at < ENDINGS.len() {
        mark_last(&mut hints, ENDINGS[at].0.as_bytes(), 0);
        at += 1;
    }
    mark_last(&mut hints, b"pass", 0);
    mark_last(&mut hints, ACCESS_TOKEN.as_bytes(), 0);
    at = 0;
    while at < SUFFIXES.len() {
        mark_last(&mut hints, SUFFIXES[at].as_bytes(), 1);
        at += 1;
    }
    hints
}

#[allow(
    clippy::indexing_slicing,
    reason = "evaluated by the compiler: what is out of bounds does not build"
)]
const fn mark_last(hints: &mut [[[u32; 2]; 32]; 32], word: &[u8], of: usize) {
    let (second, third, last) = (
        word[word.len() - 3] & 31,
        word[word.len() - 2] & 31,
        word[word.len() - 1] & 31,
    );
    hints[third as usize][last as usize][of] |= 1 << second;
}

/// `name` without the number that it ends with.
fn without_number(name: &[u8]) -> &[u8] {
    let digits = name.iter().rev().take(MOST_DIGITS);
    match digits.take_while(|b| b.is_ascii_digit()).count() {
        0 => name,
        digits => trimmed(name.get(..name.len() - digits).unwrap_or_default()),
    }
}

/// `name` without the suffix that it ends with.
fn without_suffix(name: &[u8]) -> Option<&[u8]> {
    SUFFIXES.iter().find_map(|suffix| {
        let start = name.len().checked_sub(suffix.len())?;
        let (before, end) = name.split_at_checked(start)?;
        let is_camel = end.first().is_some_and(u8::is_ascii_uppercase)
            && before.last().is_some_and(u8::is_ascii_lowercase);
        let is_joined = matches!(before.last(), Some(b'_' | b'-'));
        let is_suffix = end.eq_ignore_ascii_case(suffix.as_bytes()) && (is_camel || is_joined);
        is_suffix.then_some(trimmed(before))
    })
}

/// What is said of `value` by what stands before it, as in `"name": "DB_PASSWORD", "value": "…"`: the text up to that word's end.
/// Nothing where the name is another.
pub(super) fn before_value(name: &[u8]) -> Option<&[u8]> {
    const MOST: usize = 64;
    let word = ["value", "Value"]
        .iter()
        .find_map(|word| name.strip_suffix(word.as_bytes()))?;
    let mut rest = word;
    for _ in 0..MOST {
        rest = match rest {
            [rest @ .., b'\\', b'n' | b'r' | b't'] => rest,
            [
                rest @ ..,
                b' ' | b'\t' | b'\n' | b'\r' | b'"' | b'\'' | b',' | b'\\',
            ] => rest,
            _ => break,
        };
    }
    (rest.len() < word.len()).then_some(rest)
}

/// Whether `name` is that of a signature in a URL's query.
pub(super) fn is_signature(name: &[u8]) -> bool {
    name.strip_suffix(b"sig").is_some_and(|before| {
        matches!(before, [.., b'?' | b'&' | b';']) || before.ends_with(b"u0026")
    })
}

/// `name` without the characters at its end that join words.
fn trimmed(name: &[u8]) -> &[u8] {
    match name {
        [rest @ .., b'_' | b'-'] => rest,
        _ => name,
    }
}

/// What `name` says by its end.
fn ending(name: &[u8]) -> Option<Telling> {
    if !may_tell(name) {
        return None;
    }
    if name.ends_with(ACCESS_TOKEN.as_bytes()) {
        return Some(Perhaps);
    }
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

/// Whether a name that ends as `name` does can be telling, judged by its last four letters.
fn may_tell(name: &[u8]) -> bool {
    let mut letters = name.iter().rev().filter(|byte| !is_joint(**byte));
    let mut next = || letters.next().map_or(0, u8::to_ascii_lowercase);
    let (last, third) = (next(), next());
    // Most names are told apart by two letters.
    if !matches!(
        (third, last),
        (b'r' | b'w' | b'i', b'd')
            | (b's' | b'r' | b'i', b'e')
            | (b's' | b'l', b's')
            | (b'e', b't' | b'n' | b'y' | b'r')
            | (b'o', b'n')
            | (b't', b'h')
            | (b'a', b'l' | b't')
    ) {
        return false;
    }
    let (second, first) = (next(), next());
    let letters = [first, second, third, last];
    second == b'p' && third == b'w' && last == b'd'
        || ENDS.contains(&letters)
        || name.ends_with(ACCESS_TOKEN.as_bytes())
}

/// The last four letters of each of [`ENDINGS`].
const ENDS: [[u8; 4]; 26] = [
    *b"word", *b"sswd", *b"rase", *b"pass", *b"cret", *b"etid", *b"oken", *b"ikey", *b"skey",
    *b"tkey", *b"ekey", *b"nkey", *b"gkey", *b"rkey", *b"hkey", *b"pkey", *b"dkey", *b"ykey",
    *b"ckey", *b"okie", *b"ture", *b"tion", *b"auth", *b"arer", *b"tial", *b"ials",
];

fn is_joint(byte: u8) -> bool {
    matches!(byte, b'_' | b'-' | b'.' | b' ')
}

fn last(name: &[u8], back: usize) -> Option<u8> {
    name.get(name.len().checked_sub(back)?).copied()
}

fn has_ending(name: &[u8], ending: &str) -> bool {
    let mut rest = name.iter().rev().filter(|byte| !is_joint(**byte));
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
        || is_plain(word)
        || is_about_secrets(value)
}

/// Whether it is one of [`PLAIN`], or several of them.
fn is_plain(word: &str) -> bool {
    let singular = word.strip_suffix('s').unwrap_or(word);
    PLAIN
        .iter()
        .any(|plain| plain.eq_ignore_ascii_case(word) || plain.eq_ignore_ascii_case(singular))
}

/// Whether it is a sentence that speaks of secrets, as a help text or an error does, and not a sentence that is one.
fn is_about_secrets(value: &str) -> bool {
    let is_sentence = value.starts_with(|c: char| c.is_ascii_uppercase()) || value.ends_with('.');
    let digits = value.bytes().any(|b| b.is_ascii_digit());
    is_sentence
        && !digits
        && value.split_ascii_whitespace().nth(2).is_some()
        && value.split_ascii_whitespace().any(|word| {
            let word = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
            is_plain(word) || ending(word.as_bytes()).is_some()
        })
}

/// Whether it is itself a telling name, such as `user.api_key`. `mysecretpassword` may be somebody's.
fn is_name(word: &str) -> bool {
    let joined = |b: u8| b.is_ascii_uppercase() || matches!(b, b'_' | b'-' | b'.');
    // `Password1` is somebody's, too.
    let ends_in_digit = word.ends_with(|c: char| c.is_ascii_digit());
    let telling = match ends_in_digit {
        true => ending(word.as_bytes()),
        false => telling(word.as_bytes()),
    };
    let one = word.strip_suffix(|c: char| c.is_ascii_digit());
    let is_numbered = |(ending, telling): &(&str, Telling)| {
        one.is_some_and(|one| one == *ending) && *telling != Password
    };
    ENDINGS.iter().any(is_numbered)
        || is_identifier(word)
            && telling.is_some()
            && (word.bytes().any(joined) || ENDINGS.iter().any(|(ending, _)| *ending == word))
}

/// Whether it is the name of something that belongs to a secret: `password_bytes`.
pub(super) fn is_part_of_name(word: &str) -> bool {
    let mut parts = word.split(['_', '.']);
    is_identifier(word)
        && word.contains(['_', '.'])
        && !word.bytes().any(|b| b.is_ascii_digit())
        && parts.any(|part| ENDINGS.iter().any(|(ending, _)| *ending == part))
}

/// `$NAME`, `$$NAME`, `${…}`, `$(…)`, `{{…}}`, `{name}`, `[name]`, `<name>`, `%s`, `%(name)s`, and what is masked.
fn is_reference(value: &str) -> bool {
    let variable = value
        .strip_prefix('$')
        .is_some_and(|rest| is_identifier(rest.trim_start_matches('$')));
    let bracketed = value
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .is_some_and(|rest| is_identifier(rest) && !rest.bytes().any(|b| b.is_ascii_digit()));
    let closed = |open: char, close: char| value.starts_with(open) && value.ends_with(close);
    // `<your` of `<your password>`, too.
    let placeholder = value
        .strip_prefix('<')
        .is_some_and(|rest| is_identifier(rest.trim_end_matches('>')));
    variable
        || placeholder
        || bracketed
        || value.contains("***")
        || ["&lt;", "${", "$(", "{{", "%(", "%{", "%s", "%v"]
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

/// Whether it is made of words, as prose and the names of things are: `EngineDefaults.Marker`, `not fully specified`. Letters of a
/// random key are no words: they change their case at every turn, or never.
pub(super) fn is_words(value: &str) -> bool {
    let is_mark = |b: u8| {
        matches!(
            b,
            b' ' | b'.' | b'_' | b'-' | b':' | b'/' | b',' | b';' | b'\'' | b'(' | b')'
        )
    };
    value.bytes().all(|b| b.is_ascii_alphabetic() || is_mark(b)) && has_words(value)
}

/// Whether it is a name with a number in it: of a type, a constant, an algorithm.
pub(super) fn is_numbered_name(value: &str) -> bool {
    const MOST_DIGITS: usize = 3;
    const MOST_NUMBERS: usize = 2;
    let numbers = || {
        value
            .split(|c: char| !c.is_ascii_digit())
            .filter(|run| !run.is_empty())
    };
    is_identifier(value)
        && numbers().count() <= MOST_NUMBERS
        && numbers().all(|run| run.len() <= MOST_DIGITS)
        && has_words(value)
}

/// Whether the letters of `value` are in runs as words are, each in capitals or with none but a leading one.
fn has_words(value: &str) -> bool {
    const MEAN: usize = 3;
    let (mut letters, mut words) = (0, 0);
    each_word(value.as_bytes(), |length| {
        letters += length;
        words += 1;
        length <= LONGEST_WORD
    }) && letters > 0
        && letters >= MEAN * words
}

/// Tells the lengths of the words in a name: `HTTPServer` is two. Stops at the first that `is_word` refuses.
fn each_word(name: &[u8], mut is_word: impl FnMut(usize) -> bool) -> bool {
    let mut length = 0;
    for (at, &byte) in name.iter().enumerate() {
        let before = at.checked_sub(1).and_then(|at| name.get(at));
        let begins = byte.is_ascii_uppercase()
            && (before.is_some_and(u8::is_ascii_lowercase)
                || name.get(at + 1).is_some_and(u8::is_ascii_lowercase));
        if length > 0 && (begins || !byte.is_ascii_alphabetic()) {
            if !is_word(length) {
                return false;
            }
            length = 0;
        }
        length += usize::from(byte.is_ascii_alphabetic());
    }
    length == 0 || is_word(length)
}

/// `NAME_OF_A_CONSTANT`, as constants and the types of C are called.
pub(super) fn is_constant(value: &str) -> bool {
    let is_word = |part: &&str| {
        let word = part.trim_matches(|c: char| c.is_ascii_digit());
        let digits = word.bytes().filter(u8::is_ascii_digit).count();
        word.len() >= 3 && digits <= 1
    };
    value.starts_with(|c: char| c.is_ascii_uppercase() || c == '_')
        && value
            .bytes()
            .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
        && value.split('_').filter(is_word).count() >= 2
}

/// A number's type, as `u32`, `__u64`, `int16_t`, `float32`.
pub(super) fn is_type_of_number(value: &str) -> bool {
    let name = value.trim_start_matches('_');
    let name = name.strip_suffix("_t").unwrap_or(name);
    let digits = name.trim_start_matches(|c: char| c.is_ascii_alphabetic());
    let kind = name.get(..name.len() - digits.len()).unwrap_or_default();
    matches!(
        kind,
        "u" | "i" | "s" | "f" | "c" | "int" | "uint" | "sint" | "float" | "complex"
    ) && matches!(digits, "8" | "16" | "32" | "64" | "128" | "256")
}

/// `0x04`, `12`, `3.30`: a number or a version, perhaps with what ends an expression.
pub(super) fn is_number(value: &str) -> bool {
    let value = value.trim_end_matches([',', ';', ')']);
    let hexadecimal = value
        .strip_prefix("0x")
        .is_some_and(|digits| digits.len() <= 16 && digits.bytes().all(|b| b.is_ascii_hexdigit()));
    let digits = value.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    hexadecimal || digits && (value.len() < 6 || value.contains('.'))
}

/// `#ffffff`.
pub(super) fn is_colour(value: &str) -> bool {
    value.strip_prefix('#').is_some_and(|digits| {
        matches!(digits.len(), 3 | 6 | 8) && digits.bytes().all(|b| b.is_ascii_hexdigit())
    })
}

/// Whether it is a regular expression.
pub(super) fn is_pattern(value: &str) -> bool {
    ["(?:", "[^", "\\w", "\\d", "\\s", "\\W", "\\S", "\\b"]
        .iter()
        .any(|part| value.contains(part))
}

/// Whether it says where something is: `/a/b`, `https://a.b/c`, `projects/12/secrets/a-name/versions/1`.
pub(super) fn is_place(value: &str) -> bool {
    // A step is a number, a version or of words; base64 has steps, too, but single letters in them.
    let is_step = |step: &str| {
        let number = step.strip_prefix('v').unwrap_or(step);
        number.bytes().all(|b| b.is_ascii_digit())
            || is_numbered_name(step) && each_word(step.as_bytes(), |length| length > 1)
    };
    let place = value.split(['#', '?']).next().unwrap_or_default();
    let steps = value.split('/').count();
    ["/", "./", "../", "~/", "file:", "http://", "https://"]
        .iter()
        .any(|start| value.starts_with(start))
        && !looks_random(place.rsplit('/').next().unwrap_or_default())
        || steps >= 3 && value.split('/').all(is_step)
}

/// Long, of letters and digits, and of many different ones.
pub(super) fn looks_random(value: &str) -> bool {
    let bytes = value.as_bytes();
    let mut seen = 0u128;
    for byte in bytes.iter().filter(|byte| byte.is_ascii()) {
        seen |= 1 << byte;
    }
    let is_alphabet = ["abcdefghij", "ABCDEFGHIJ"]
        .iter()
        .any(|run| value.contains(run));
    bytes.len() >= 16
        && seen.count_ones() >= 8
        && !is_alphabet
        && bytes.iter().any(u8::is_ascii_digit)
        && bytes.iter().any(u8::is_ascii_alphabetic)
        && !bytes.contains(&b' ')
        && !is_numbered_name(value)
}
