//! Where in a text to look closer: most of it costs a few looks into small tables a byte, and a branch that is rarely taken.
//!
//! What is found here is no secret yet, but where nothing is found, none is announced: the tables are made from those of the
//! rules. A test holds the pass with the filter against the one without.

use super::commands;
use super::names;
use super::shapes;

/// A key may begin here if a word does.
pub(super) const AT_START: u8 = 1;
/// A key may begin here, whatever stands before it.
pub(super) const ANYWHERE: u8 = 2;
/// Something else than a key may begin here.
const OTHER_AT_START: u8 = 4;
const OTHER_ANYWHERE: u8 = 8;

/// A program's name may begin here, if a word does.
const PROGRAM: u8 = 16;

/// For each hash of four bytes what can begin with them; the same by another hash, so that few beginnings are found where there
/// are none.
static BEGINNINGS: [[u8; 1 << HASH_BITS]; 2] = beginnings();
const HASH_BITS: u32 = 14;
const MULTIPLIERS: [u32; 2] = [0xfb49_5555, 0x85eb_ca6b];

/// Multiplicative hashing of three bytes and the kind of the fourth, its upper half: sign, digit, capital, small letter.
const fn hash(bytes: u32, multiplier: u32) -> usize {
    let bytes = bytes & 0xf0ff_ffff;
    (bytes.wrapping_mul(multiplier) >> (u32::BITS - HASH_BITS)) as usize
}

/// Whether a key may begin with these bytes: [`AT_START`] of a word, [`ANYWHERE`], or not.
#[inline(always)]
pub(super) fn beginning(bytes: [u8; 4]) -> u8 {
    begins(u32::from_le_bytes(bytes), 0) & (AT_START | ANYWHERE)
}

#[inline(always)]
fn begins(bytes: u32, by: usize) -> u8 {
    let [first, second] = &BEGINNINGS;
    let (table, multiplier) = match by {
        0 => (first, MULTIPLIERS[0]),
        _ => (second, MULTIPLIERS[1]),
    };
    table
        .get(hash(bytes, multiplier))
        .copied()
        .unwrap_or_default()
}

/// What else begins something at a word's start.
#[rustfmt::skip]
const WORDS: &[&[u8]] = &[
    b"Bearer", b"bearer", b"Basic ", b"by \"", b"by '", b"by `", b"BY \"", b"BY '", b"BY `", b"By '", b"by P", b"by p", b"BY P", b"BY p",
    b"echo ", b"printf ", b"machine ", b"Private-Lines", b"PuTTY",
    b"d\":", b"p\":", b"q\":", b"k\":", b"dp\"", b"dq\"", b"qi\"", b"d\\\"", b"p\\\"", b"q\\\"", b"k\\\"", b"dp\\", b"dq\\", b"qi\\",
    b"d\" ", b"p\" ", b"q\" ", b"k\" ", b"d':", b"p':", b"q':", b"k':",
    // Keys that are told by their parts.
    b"re_", b"pk_", b"at_", b"pat", b"A3-", b"00D", b"oauth:", b"AAAAA", b"b3BlbnNz", b"MII", b"MIG", b"MIH",
];

/// What else begins something anywhere.
#[rustfmt::skip]
const SIGNS: &[&[u8]] = &[
    b"://", b":AA", b":APA", b":fx", b"-BEG", b"-END", b"u00", b"\\u0", b"AZDO", b"AzSe", b"AzFu", b"AzCa", b"NRAL", b"_mmk", b"msh", b"-us0", b"-us1", b"-us2", b"-us3",
    // Names that end as many words do.
    b"Auth", b"auth", b"AUTH", b"X-Am", b"X-Go", b"x-am", b"x-go", b"key-", b"otp_", b"OTP_", b"otpC", b"otp-", b"mfa_", b"MFA_", b"mfaC", b"2fa_", b"2FA_", b"2faC",
    b"ssco", b"SSCO", b"ssCo", b"sona",
];

#[allow(
    clippy::indexing_slicing,
    reason = "evaluated by the compiler: what is out of bounds does not build"
)]
const fn beginnings() -> [[u8; 1 << HASH_BITS]; 2] {
    let mut marks = [[0; 1 << HASH_BITS]; 2];
    let mut at = 0;
    while let Some((prefix, anywhere)) = shapes::prefix(at) {
        let mark = if anywhere { ANYWHERE } else { AT_START };
        mark_all(&mut marks, prefix, mark);
        at += 1;
    }
    mark_all(&mut marks, b"eyJ", AT_START);
    mark_all(&mut marks, b".atlasv1.", ANYWHERE);
    mark_all(&mut marks, b"LS0tLS1C", AT_START);
    at = 0;
    while at < WORDS.len() {
        mark_all(&mut marks, WORDS[at], OTHER_AT_START);
        at += 1;
    }
    at = 0;
    while at < SIGNS.len() {
        mark_all(&mut marks, SIGNS[at], OTHER_ANYWHERE);
        at += 1;
    }
    // A program's name, and what stands behind a short one.
    at = 0;
    while let Some(name) = commands::name(at) {
        let mut short = [0; 4];
        if name.len() < 4 {
            let mut byte = 0;
            while byte < name.len() {
                short[byte] = name[byte];
                byte += 1;
            }
            short[name.len()] = b' ';
            let mut end = 0;
            while end < 3 {
                short[name.len()] = [b' ', b'"', b'\''][end];
                mark_all(&mut marks, short.split_at(name.len() + 1).0, PROGRAM);
                end += 1;
            }
        } else {
            mark_all(&mut marks, name, PROGRAM);
        }
        at += 1;
    }
    // A name in a URL's query.
    at = 0;
    while at < names::QUERY.len() {
        let name = names::QUERY[at].as_bytes();
        let mut before = 0;
        while before < 3 {
            let sign = [b'?', b'&', b';'][before];
            let mut case = 0;
            while case < 4 {
                let mut begin = [sign, b'=', b'=', b'='];
                let mut byte = 0;
                while byte < 3 && byte < name.len() {
                    begin[byte + 1] = match (case, byte) {
                        (0, _) | (2, 1..) | (3, 2) => name[byte],
                        _ => name[byte].to_ascii_uppercase(),
                    };
                    byte += 1;
                }
                mark_all(&mut marks, &begin, OTHER_ANYWHERE);
                case += 1;
            }
            before += 1;
        }
        at += 1;
    }
    // A name in another language.
    at = 0;
    while at < names::FOREIGN.len() {
        mark_all(&mut marks, names::FOREIGN[at].as_bytes(), OTHER_ANYWHERE);
        at += 1;
    }
    // Two bytes, whatever the third is.
    let mut third = 0u8;
    loop {
        if third.is_ascii_digit() {
            let mut first = b'0';
            while first <= b'2' {
                mark_all(&mut marks, &[first, b'/', third, b'0'], OTHER_AT_START);
                first += 1;
            }
        }
        if third.is_ascii_hexdigit() {
            mark_all(&mut marks, &[b'\\', b'x', third, b'0'], OTHER_ANYWHERE);
            mark_all(&mut marks, &[b'\\', b'x', third, b'A'], OTHER_ANYWHERE);
            mark_all(&mut marks, &[b'\\', b'x', third, b'a'], OTHER_ANYWHERE);
        }
        // The first bytes of a private key in base64.
        if third.is_ascii_alphanumeric() {
            let mut second = b'C';
            while second <= b'H' {
                mark_all(&mut marks, &[b'M', second, third, b'C'], OTHER_AT_START);
                second += 1;
            }
        }
        // Whatever is no letter can stand behind a short name.
        if !third.is_ascii_alphabetic() {
            mark_all(&mut marks, &[b'p', b'w', third], OTHER_ANYWHERE);
            mark_all(&mut marks, &[b'P', b'W', third], OTHER_ANYWHERE);
        }
        if third.is_ascii_uppercase() {
            mark_all(&mut marks, &[b'p', b'w', third, b'a'], OTHER_ANYWHERE);
            mark_all(&mut marks, &[b'p', b'w', third, b'r'], OTHER_ANYWHERE);
        }
        if third == u8::MAX {
            break;
        }
        third += 1;
    }
    // Of four blanks texts are full.
    assert!(marks[0][hash(u32::from_le_bytes(*b"    "), MULTIPLIERS[0])] == 0);
    marks
}

/// Marks all that four bytes can be of which the first are `prefix`.
#[allow(
    clippy::indexing_slicing,
    reason = "evaluated by the compiler: what is out of bounds does not build"
)]
const fn mark_all(marks: &mut [[u8; 1 << HASH_BITS]; 2], prefix: &[u8], mark: u8) {
    if prefix.len() >= 3 {
        mark_fourth(marks, prefix, prefix[2], mark);
        return;
    }
    // What is as short stands before hexadecimal digits.
    let mut third = b'0';
    while third <= b'f' {
        if third.is_ascii_hexdigit() {
            mark_fourth(marks, prefix, third, mark);
        }
        third += 1;
    }
}

#[allow(
    clippy::indexing_slicing,
    reason = "evaluated by the compiler: what is out of bounds does not build"
)]
const fn mark_fourth(marks: &mut [[u8; 1 << HASH_BITS]; 2], prefix: &[u8], third: u8, mark: u8) {
    let mut kind = 0u8;
    while kind < 16 {
        let fourth = kind << 4;
        if prefix.len() < 4 || prefix[3] & 0xf0 == fourth {
            let window = u32::from_le_bytes([prefix[0], prefix[1], third, fourth]);
            marks[0][hash(window, MULTIPLIERS[0])] |= mark;
            marks[1][hash(window, MULTIPLIERS[1])] |= mark;
        }
        kind += 1;
    }
}

/// The longest name of a program.
const LONGEST_PROGRAM: usize = 20;

/// For each hash of four letters whether a telling name can end with them; the same by another hash.
static ENDS: [[u8; 1 << END_BITS]; 2] = ends();
const END_BITS: u32 = 13;
/// Of each byte what is the same in small letters and capitals.
const LETTERS: u32 = 0x1f1f_1f1f;

const fn end_hash(bytes: u32, multiplier: u32) -> usize {
    let letters = bytes & LETTERS;
    (letters.wrapping_mul(multiplier) >> (u32::BITS - END_BITS)) as usize
}

/// Endings that the filter tells by something else, because many words end so.
const TOLD_OTHERWISE: [&[u8]; 5] = [b"code", b"tion", b"ture", b"data", b"ogin"];

#[allow(
    clippy::indexing_slicing,
    reason = "evaluated by the compiler: what is out of bounds does not build"
)]
const fn ends() -> [[u8; 1 << END_BITS]; 2] {
    let mut ends = [[0; 1 << END_BITS]; 2];
    let mut at = 0;
    while at < names::ENDINGS.len() {
        mark_end(&mut ends, names::ENDINGS[at].0.as_bytes());
        at += 1;
    }
    at = 0;
    while at < names::WORDS.len() {
        mark_end(&mut ends, names::WORDS[at].0.as_bytes());
        at += 1;
    }
    mark_end(&mut ends, b"pat");
    mark_end(&mut ends, b"key");
    ends
}

#[allow(
    clippy::indexing_slicing,
    reason = "evaluated by the compiler: what is out of bounds does not build"
)]
const fn mark_end(ends: &mut [[u8; 1 << END_BITS]; 2], word: &[u8]) {
    let length = word.len();
    if length < 3 {
        return;
    }
    let mut other = 0;
    while length > 3 && other < TOLD_OTHERWISE.len() {
        let of = TOLD_OTHERWISE[other];
        if word[length - 4] == of[0]
            && word[length - 3] == of[1]
            && word[length - 2] == of[2]
            && word[length - 1] == of[3]
        {
            return;
        }
        other += 1;
    }
    let mut first = 0;
    while first < 32 {
        // Before three letters anything can stand.
        if length == 3 || word[length - 4] & 31 == first {
            let letters =
                u32::from_le_bytes([first, word[length - 3], word[length - 2], word[length - 1]]);
            ends[0][end_hash(letters, MULTIPLIERS[0])] = ENDING;
            ends[1][end_hash(letters, MULTIPLIERS[1])] = ENDING;
        }
        first += 1;
    }
}

/// A telling name may end here.
const ENDING: u8 = 1 << 7;
/// A byte that is looked at wherever it stands.
const ALWAYS: u8 = 1 << 6;

/// What a byte is to the filter.
const SMALL: u8 = 0;
const CAPITAL: u8 = 1;
const DIGIT: u8 = 2;
const SIGN: u8 = 3;
const CONSPICUOUS: u8 = 4;
/// A capital with which the tokens of some bots begin.
const INITIAL: u8 = 5;

static KINDS: [u8; 256] = kinds();

#[allow(
    clippy::indexing_slicing,
    reason = "evaluated by the compiler: what is out of bounds does not build"
)]
const fn kinds() -> [u8; 256] {
    let mut kinds = [SIGN; 256];
    let mut at = 0;
    while at < 256 {
        kinds[at] = match at as u8 {
            b'a'..=b'z' => SMALL,
            b'M' | b'N' | b'O' => INITIAL,
            b'A'..=b'Z' => CAPITAL,
            b'0'..=b'9' => DIGIT,
            b'%' | b'~' | b'\\' | b'-' | 0x1b => CONSPICUOUS,
            _ => SIGN,
        };
        at += 1;
    }
    kinds
}

/// For what a byte is and what the one before it is: what matters there.
static MATTERS: [u8; 64] = matters();

#[allow(
    clippy::indexing_slicing,
    reason = "evaluated by the compiler: what is out of bounds does not build"
)]
const fn matters() -> [u8; 64] {
    let mut matters = [0; 64];
    let mut at = 0;
    while at < 64 {
        let (before, this) = (at as u8 / 8, at as u8 % 8);
        let mut of = ANYWHERE | OTHER_ANYWHERE;
        let begins = matches!(before, SIGN | CONSPICUOUS);
        if begins {
            of |= AT_START | OTHER_AT_START | PROGRAM;
        }
        let capital = before == CAPITAL || before == INITIAL;
        let other = this == DIGIT || this == SIGN || this == CONSPICUOUS;
        if before == SMALL && this != SMALL || capital && other {
            of |= ENDING;
        }
        if this == CONSPICUOUS || this == INITIAL && begins {
            of |= ALWAYS;
        }
        matters[at] = of;
        at += 1;
    }
    matters
}

#[inline(always)]
fn kind(byte: u8) -> u8 {
    KINDS.get(usize::from(byte)).copied().unwrap_or(SIGN)
}

/// What seems to be between the bytes before and these.
#[inline(always)]
fn seems(before: u32, bytes: u32, kind_before: u8, kind: u8) -> u8 {
    let [ends, _] = &ENDS;
    let end = ends.get(end_hash(before, MULTIPLIERS[0])).copied();
    let at = usize::from(kind_before << 3 | kind);
    let matters = MATTERS.get(at & 63).copied().unwrap_or_default();
    (begins(bytes, 0) | end.unwrap_or_default() | ALWAYS) & matters
}

/// The first place from `from` on and before `until` that is worth a closer look. What stands before `from` is done. The last three bytes hold none:
/// no secret is that short.
#[inline(never)]
pub(super) fn next(bytes: &[u8], from: usize, until: usize) -> Option<usize> {
    let bytes = bytes.get(..until + 3).unwrap_or(bytes);
    const BEFORE: usize = 4;
    // The first ones have too little before them.
    let mut at = from;
    while at == from || at < BEFORE {
        let window = *bytes.get(at..)?.first_chunk()?;
        let mut before = [b' '; BEFORE];
        let known = bytes.get(from..at).unwrap_or_default();
        for (place, byte) in before.iter_mut().rev().zip(known.iter().rev()) {
            *place = *byte;
        }
        if is_hit(
            bytes,
            at,
            before,
            window,
            seems(
                u32::from_le_bytes(before),
                u32::from_le_bytes(window),
                kind(before[3]),
                kind(window[0]),
            ),
        ) {
            return Some(at);
        }
        at += 1;
    }
    let start = at - BEFORE;
    let rest = bytes.get(start..)?;
    let mut before = kind(*rest.get(BEFORE - 1)?);
    for (offset, window) in rest.array_windows::<8>().enumerate() {
        let both = u64::from_le_bytes(*window);
        let this = kind(window[BEFORE]);
        let seeming = seems(both as u32, (both >> 32) as u32, before, this);
        // Most dashes stand behind letters.
        let is_dash = window[BEFORE] == b'-' && !window[..BEFORE].iter().all(u8::is_ascii_hexdigit);
        if seeming != 0 && !(is_dash && seeming == ALWAYS) {
            let (before, behind) = (
                (both as u32).to_le_bytes(),
                ((both >> 32) as u32).to_le_bytes(),
            );
            if is_hit(bytes, at + offset, before, behind, seeming) {
                return Some(at + offset);
            }
        }
        before = this;
    }
    None
}

/// Whether what seems to be at `at` can be.
#[inline(never)]
fn is_hit(bytes: &[u8], at: usize, before: [u8; 4], window: [u8; 4], seeming: u8) -> bool {
    let [_, ends] = &ENDS;
    let ends = ends
        .get(end_hash(u32::from_le_bytes(before), MULTIPLIERS[1]))
        .copied();
    let seeming =
        seeming & (begins(u32::from_le_bytes(window), 1) | ends.unwrap_or_default() | ALWAYS);
    if seeming & !(PROGRAM | ALWAYS) != 0 {
        return true;
    }
    let is_program = || {
        let rest = bytes.get(at..).unwrap_or_default();
        let word = rest.iter().take(LONGEST_PROGRAM + 1);
        let length = word.take_while(|byte| super::scan::is_word(**byte)).count();
        let (word, rest) = rest.split_at_checked(length).unwrap_or_default();
        matches!(rest.first(), Some(b' ' | b'\t' | b'"' | b'\'')) && commands::known(word).is_some()
    };
    match window {
        [b'%', first, second, _] => matches!(first, b'0'..=b'7') && second.is_ascii_hexdigit(),
        [b'~', ..] => before[3] == b'Q',
        [b'M' | b'N' | b'O', ..] if seeming & PROGRAM == 0 => {
            let id = bytes.get(at..at + shapes::MOST_ID + 1).unwrap_or_default();
            let point = id
                .get(shapes::LEAST_ID..)
                .and_then(|end| end.iter().position(|byte| *byte == b'.'));
            point.is_some_and(|point| {
                id.iter()
                    .take(shapes::LEAST_ID + point)
                    .all(u8::is_ascii_alphanumeric)
            })
        }
        [0x1b, next, ..] => next == b'[',
        // 32 digits, 8 and 8.
        [b'-', digits @ ..] if digits.iter().chain(&before).all(u8::is_ascii_hexdigit) => {
            let digits = at.checked_sub(32).and_then(|from| bytes.get(from..at));
            let next = bytes.get(at + 9) == Some(&b'-');
            next && digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
        }
        // Behind an escape a word may begin.
        [b'\\', b'n' | b'r' | b't' | b'b' | b'f' | b'v' | b'0', ..] => {
            let window = bytes
                .get(at + 2..)
                .and_then(|rest| rest.first_chunk().copied());
            window
                .map(u32::from_le_bytes)
                .is_some_and(|window| begins(window, 0) & begins(window, 1) != 0)
        }
        _ => seeming & PROGRAM != 0 && is_program(),
    }
}
