//! Tells what a value looks like: a word, a number, a path, an identifier, a constant, or random.
//!
//! This module does not know names or secrets.

use super::byte_search;

/// The length of the longest word. Longer runs of letters belong to keys.
const LONGEST_WORD: usize = 15;

/// The set of characters that occur in a text. Most questions about the text need nothing else.
#[derive(Debug, Clone, Copy)]
pub(super) struct Signs {
    pub(super) seen: u128,
    pub(super) is_ascii: bool,
    /// The lower six bits of each byte beyond ASCII that occurs, as a bit for each value.
    high: u64,
}

/// Returns the set of some characters.
#[allow(
    clippy::indexing_slicing,
    reason = "evaluated by the compiler: what is out of bounds does not build"
)]
pub(super) const fn signs_of(characters: &[u8]) -> u128 {
    let (mut signs, mut at) = (0, 0);
    while at < characters.len() {
        signs |= 1 << characters[at];
        at += 1;
    }
    signs
}

const DIGITS: u128 = 0x3ff << b'0';
const CAPITALS: u128 = 0x3ff_ffff << b'A';
const SMALL: u128 = 0x3ff_ffff << b'a';

impl Signs {
    pub(super) fn of(text: &str) -> Self {
        // One half of ASCII, the other half, and all other bytes.
        let (mut low, mut high, mut others) = (0u64, 0u64, 0u64);
        for byte in text.bytes() {
            let bit = 1 << (byte & 63);
            match byte >> 6 {
                0 => low |= bit,
                1 => high |= bit,
                _ => others |= bit,
            }
        }
        Self {
            seen: u128::from(high) << 64 | u128::from(low),
            is_ascii: others == 0,
            high: others,
        }
    }

    pub(super) fn has(self, sign: u8) -> bool {
        self.seen >> (sign & 127) & 1 != 0
    }

    pub(super) fn has_digit(self) -> bool {
        self.seen & DIGITS != 0
    }

    pub(super) fn has_capital(self) -> bool {
        self.seen & CAPITALS != 0
    }

    pub(super) fn has_small(self) -> bool {
        self.seen & SMALL != 0
    }

    pub(super) fn has_letter(self) -> bool {
        self.seen & (SMALL | CAPITALS) != 0
    }

    /// Returns whether the text has one of `signs`.
    pub(super) fn has_any(self, signs: u128) -> bool {
        self.seen & signs != 0
    }

    /// Returns whether the text has only letters and digits of ASCII.
    pub(super) fn is_alnum(self) -> bool {
        self.is_ascii && self.seen & !(DIGITS | SMALL | CAPITALS) == 0
    }

    /// Returns false only if the text surely does not contain `character`, which is beyond ASCII.
    #[inline]
    pub(super) fn may_have(self, character: char) -> bool {
        let mut bytes = [0; 4];
        let bytes = character.encode_utf8(&mut bytes).bytes();
        bytes.fold(!self.is_ascii, |may, byte| {
            may && self.high >> (byte & 63) & 1 != 0
        })
    }

    /// Returns the number of different characters.
    fn count(self) -> u32 {
        self.seen.count_ones()
    }
}

/// Returns whether `text` contains `part`.
pub(super) fn has_part(text: &[u8], part: &[u8]) -> bool {
    byte_search::part(part, text).is_some()
}

pub(super) fn is_identifier(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'))
}

/// Returns true if `value` consists of words, as prose and names do: `EngineDefaults.Marker`,
/// `not fully specified`.
///
/// A random key does not consist of words: its letters change case everywhere, or nowhere.
pub(super) fn is_words(value: &str) -> bool {
    let is_mark = |b: u8| {
        matches!(
            b,
            b' ' | b'.' | b'_' | b'-' | b':' | b'/' | b',' | b';' | b'\'' | b'(' | b')'
        )
    };
    value.bytes().all(|b| b.is_ascii_alphabetic() || is_mark(b)) && has_words(value)
}

/// Returns true if `value` is a name with a number in it, such as that of a type or an algorithm.
pub(super) fn is_numbered_name(value: &str) -> bool {
    is_numbered_name_of(value.as_bytes())
}

fn is_numbered_name_of(value: &[u8]) -> bool {
    const MOST_DIGITS: usize = 3;
    const MOST_NUMBERS: usize = 2;
    let (mut digits, mut numbers, mut has_joint) = (0, 0, false);
    for byte in value {
        match byte {
            b'0'..=b'9' => {
                digits += 1;
                numbers += usize::from(digits == 1);
                if digits > MOST_DIGITS || numbers > MOST_NUMBERS {
                    return false;
                }
                continue;
            }
            b'_' | b'-' | b'.' => has_joint = true,
            _ if byte.is_ascii_alphabetic() => {}
            _ => return false,
        }
        digits = 0;
    }
    // A long name without `_`, `-` or the like consists of whole words.
    let is_long = value.len() >= 24 && !has_joint;
    has_words_of(value, if is_long { 5 } else { MEAN })
}

/// Returns whether the letters of `value` form words, each in capitals or with at most a leading capital.
pub(super) fn has_words(value: &str) -> bool {
    has_words_of(value.as_bytes(), MEAN)
}

/// The least mean length of the words, in letters.
const MEAN: usize = 3;

fn has_words_of(value: &[u8], mean: usize) -> bool {
    let (mut letters, mut words) = (0, 0);
    each_word(value, |length| {
        letters += length;
        words += 1;
        length <= LONGEST_WORD
    }) && letters > 0
        && letters >= mean * words
}

/// Calls `is_word` with the length of each word in a name; `HTTPServer` has two words. Returns
/// false as soon as `is_word` refuses a length.
fn each_word(name: &[u8], mut is_word: impl FnMut(usize) -> bool) -> bool {
    let mut length = 0;
    for (at, &byte) in name.iter().enumerate() {
        // Most bytes are small letters.
        if byte.is_ascii_lowercase() {
            length += 1;
            continue;
        }
        let is_small = |at: usize| name.get(at).is_some_and(u8::is_ascii_lowercase);
        let is_capital = byte.is_ascii_uppercase();
        if !is_capital || is_small(at.wrapping_sub(1)) || is_small(at + 1) {
            if length > 0 && !is_word(length) {
                return false;
            }
            length = 0;
        }
        length += usize::from(is_capital);
    }
    length == 0 || is_word(length)
}

/// Returns whether `value` has only letters, of both cases, that form no words: a random key without
/// a digit.
pub(super) fn is_letters_key(value: &str, signs: Signs) -> bool {
    const LEAST: usize = 12;
    const LEAST_WORDS: usize = 4;
    const LEAST_ODD: usize = 2;
    let is_mixed = signs.has_capital() && signs.has_small() && !signs.has_digit();
    if value.len() < LEAST || !signs.is_alnum() || !is_mixed {
        return false;
    }
    let bytes = value.as_bytes();
    let (mut words, mut odd, mut at) = (0, 0, 0);
    each_word(bytes, |length| {
        let word = bytes.get(at..at + length).unwrap_or_default();
        words += 1;
        odd += usize::from(is_unspeakable(word));
        at += length;
        true
    });
    let has_mean = |mean: usize| value.len() >= mean * words;
    words >= LEAST_WORDS && (!has_mean(MEAN) || !has_mean(MEAN + 1) && odd >= LEAST_ODD)
}

/// Returns whether a word has no vowel, or five consonants in a row.
fn is_unspeakable(word: &[u8]) -> bool {
    const MOST: usize = 4;
    let (mut run, mut longest, mut has_vowel) = (0, 0, false);
    for (at, byte) in word.iter().enumerate() {
        let is_vowel = match byte.to_ascii_lowercase() {
            b'a' | b'e' | b'i' | b'o' | b'u' => true,
            b'y' => at > 0,
            _ => false,
        };
        has_vowel |= is_vowel;
        run = if is_vowel { 0 } else { run + 1 };
        longest = longest.max(run);
    }
    word.len() > 2 && !has_vowel || longest > MOST
}

/// Returns whether `value` looks like the name of a constant or a type in C: `NAME_OF_A_CONSTANT`.
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

/// Returns whether `value` is the type of a number: `u32`, `__u64`, `int16_t`, `float32`.
pub(super) fn is_type_of_number(value: &str) -> bool {
    if !matches!(value.as_bytes(), [.., b'0'..=b'9' | b't']) {
        return false;
    }
    let name = value.trim_start_matches('_');
    let name = name.strip_suffix("_t").unwrap_or(name);
    let digits = name.trim_start_matches(|c: char| c.is_ascii_alphabetic());
    let kind = name.get(..name.len() - digits.len()).unwrap_or_default();
    matches!(
        kind,
        "u" | "i" | "s" | "f" | "c" | "int" | "uint" | "sint" | "float" | "complex"
    ) && matches!(digits, "8" | "16" | "32" | "64" | "128" | "256")
}

/// Returns whether `value` is a number, a version or a time, perhaps with the sign that ends an
/// expression: `0x04`, `3.30`, `12:30;`.
pub(super) fn is_number(value: &str) -> bool {
    let bytes = value.as_bytes();
    let ends = |b: &u8| matches!(b, b',' | b';' | b')');
    // Most values begin with something else.
    if let Some(first) = bytes.first()
        && !matches!(first, b'0'..=b'9' | b'.' | b':' | b'-' | b'/' | b'T' | b'Z')
        && !ends(first)
    {
        return false;
    }
    let end = bytes.iter().rposition(|b| !ends(b)).map_or(0, |at| at + 1);
    let value = value.get(..end).unwrap_or_default();
    let hexadecimal = value
        .strip_prefix("0x")
        .is_some_and(|digits| digits.len() <= 16 && digits.bytes().all(|b| b.is_ascii_hexdigit()));
    let digits = value.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    let is_date = || {
        matches!(
            value.as_bytes(),
            [_, _, _, _, b'-' | b'/', _, _, b'-' | b'/', _, _, ..]
        )
    };
    let is_time = !digits
        && value
            .bytes()
            .all(|b| b.is_ascii_digit() || matches!(b, b':' | b'.' | b'-' | b'/' | b'T' | b'Z'))
        && (value.contains(':') || is_date());
    let is_range = value.len() <= 7
        && value.split_once('-').is_some_and(|(from, to)| {
            !to.is_empty() && from.bytes().chain(to.bytes()).all(|b| b.is_ascii_digit())
        });
    hexadecimal || is_time || is_range || digits && (value.len() < 6 || value.contains('.'))
}

/// Returns whether `value` is a colour such as `#ffffff`.
pub(super) fn is_colour(value: &str) -> bool {
    value.strip_prefix('#').is_some_and(|digits| {
        matches!(digits.len(), 3 | 6 | 8) && digits.bytes().all(|b| b.is_ascii_hexdigit())
    })
}

/// Returns true if `value` contains an escape or a group of a regular expression.
pub(super) fn is_pattern(value: &str) -> bool {
    // Search for all parts in one pass. A search for each would read the value eight times.
    let bytes = value.as_bytes();
    bytes
        .array_windows()
        .enumerate()
        .any(|(at, pair)| match pair {
            b"(?" => bytes.get(at + 2) == Some(&b':'),
            [b'\\', escaped] => matches!(escaped, b'w' | b'd' | b's' | b'W' | b'S' | b'b'),
            _ => pair == b"[^",
        })
}

/// Returns whether `value` is a path or a URL: `/a/b`, `https://a.b/c`, `projects/12/secrets/a-name/versions/1`.
pub(super) fn is_place(value: &str) -> bool {
    if is_short_path(value) {
        return true;
    }
    // A step of a path is a number, a version or a name. Base64 has slashes, too, but mixes single
    // letters with digits.
    let is_step = |step: &[u8]| {
        let number = match step {
            [b'v', number @ ..] => number,
            _ => step,
        };
        number.iter().all(u8::is_ascii_digit)
            || is_numbered_name_of(step) && each_word(step, |length| length > 1)
    };
    let bytes = value.as_bytes();
    let mut steps = bytes.split(|b| *b == b'/');
    // Base64 may begin with a slash, like a path.
    let is_base64 = value.len() >= 32
        && value
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'/' | b'+' | b'='))
        && Signs::of(value).has_capital()
        && Signs::of(value).has_digit();
    if is_base64
        && !value
            .trim_matches('/')
            .split('/')
            .all(|step| is_step(step.as_bytes()))
    {
        return false;
    }
    let begins = match bytes {
        [b'f' | b'h', ..] => ["file:", "http://", "https://"]
            .iter()
            .any(|start| value.starts_with(start)),
        _ => begins_path(bytes),
    };
    let last_step = || {
        let end = bytes.iter().position(|b| matches!(b, b'#' | b'?'));
        let place = value.get(..end.unwrap_or(value.len())).unwrap_or_default();
        let slash = place.bytes().rposition(|b| b == b'/');
        place
            .get(slash.map_or(0, |slash| slash + 1)..)
            .unwrap_or_default()
    };
    begins && !looks_random(last_step())
        || byte_search::all(b'/', bytes).nth(1).is_some() && steps.all(is_step)
}

fn begins_path(value: &[u8]) -> bool {
    matches!(
        value,
        [b'/', ..] | [b'.', b'/', ..] | [b'.', b'.', b'/', ..] | [b'~', b'/', ..]
    )
}

/// Returns whether `value` begins like a path and is too short to contain anything random. Most
/// paths are that short.
fn is_short_path(value: &str) -> bool {
    value.len() <= LEAST_RANDOM && begins_path(value.as_bytes())
}

/// The length of the shortest text that looks random.
const LEAST_RANDOM: usize = 16;

/// Returns whether `value` is long and consists of many different letters and digits.
pub(super) fn looks_random(value: &str) -> bool {
    looks_random_of(value, Signs::of(value))
}

pub(super) fn looks_random_of(value: &str, signs: Signs) -> bool {
    let is_alphabet =
        || has_part(value.as_bytes(), b"abcdefghij") || has_part(value.as_bytes(), b"ABCDEFGHIJ");
    value.len() >= LEAST_RANDOM
        && signs.count() >= 8
        && signs.has_digit()
        && signs.has_letter()
        && !signs.has(b' ')
        && !is_numbered_name(value)
        && !is_alphabet()
}

/// Returns whether `value` is a path of names in a program, as `local.db_password2`.
pub(super) fn is_member(value: &str) -> bool {
    const ROOTS: [&str; 12] = [
        "local", "var", "data", "module", "self", "this", "config", "settings", "env", "options",
        "params", "args",
    ];
    let mut names = value.split('.');
    let is_root = names.next().is_some_and(|root| ROOTS.contains(&root));
    let mut rest = value.split('.');
    (is_root || value.contains('_') && !value.bytes().any(|b| b.is_ascii_uppercase()))
        && value.contains('.')
        && !value.contains('-')
        && is_identifier(value)
        && rest.all(|name| {
            name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
                && name.bytes().filter(u8::is_ascii_digit).count() <= 3
        })
}

/// Returns whether `value` is a range of numbers, as `8-64`.
pub(super) fn is_range(value: &str) -> bool {
    value.len() <= 9
        && value.split('-').count() == 2
        && value
            .split('-')
            .all(|number| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()))
}

/// Returns whether `value` has letters whose case changes as in no name, and no signs.
pub(super) fn is_mixed(value: &str, signs: Signs) -> bool {
    let value = value.trim_end_matches('=');
    signs.has_capital()
        && signs.has_small()
        && value.bytes().all(|b| b.is_ascii_alphanumeric())
        && !has_words(value)
}

/// Returns whether `value` has only letters, which form no words: `hdhrTPVRIHzHh`.
pub(super) fn is_random_word(value: &str) -> bool {
    const LEAST: usize = 12;
    let signs = Signs::of(value);
    is_letters_key(value, signs)
        || value.len() >= LEAST && !signs.has_digit() && is_mixed(value, signs)
}

/// Returns whether `value` is an element of a list, as in an expression: `Jobs[-1].JobId`.
pub(super) fn is_element(value: &str) -> bool {
    let Some((list, rest)) = value.split_once('[') else {
        return false;
    };
    let index = rest
        .split_once(']')
        .map(|(index, _)| index.trim_start_matches('-'));
    is_identifier(list) && index.is_some_and(|index| index.bytes().all(|b| b.is_ascii_digit()))
}

/// Returns whether `value` consists of names with slashes between them, as in `prod/db2`.
pub(super) fn is_steps(value: &str) -> bool {
    const LONGEST: usize = 32;
    value.len() <= LONGEST
        && !Signs::of(value).has_capital()
        && value.split('/').all(is_identifier)
        && value.split('/').any(has_words)
}

/// Returns whether `value` has the form of a UUID.
pub(super) fn is_uuid(value: &str) -> bool {
    value.len() == 36
        && value
            .bytes()
            .enumerate()
            .all(|(at, b)| match matches!(at, 8 | 13 | 18 | 23) {
                true => b == b'-',
                false => b.is_ascii_hexdigit(),
            })
}

/// Returns whether `value` looks as only a secret can: long, with letters of both cases and digits.
pub(super) fn is_surely_random(value: &str) -> bool {
    const LEAST: usize = 20;
    let signs = Signs::of(value);
    value.len() >= LEAST
        && signs.has_capital()
        && signs.has_small()
        && !signs.has_any(const { signs_of(b" /:(.${") })
        && looks_random_of(value, signs)
}
