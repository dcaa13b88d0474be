//! Where in a text to look closer: most of it costs two looks into small tables a byte, and a branch that is rarely taken.
//!
//! Four bytes in a row are told apart by kinds of bytes: letters whatever their case, digits, a few kinds of signs. Which fours can
//! stand where something begins or ends is one bit each in a table. Where the bit is set, the rules' own tables are asked. What is
//! found here is no secret yet, but where nothing is found, none is announced. A test holds the pass with the filter against the
//! one without.

use super::names::{self, Telling};
use super::scan::is_word;
use super::shapes::{self, Alphabet};
use super::urls;
use super::{commands, find};

/// A key may begin here if a word does.
pub(super) const AT_START: u8 = 1;
/// A key may begin here, whatever stands before it.
pub(super) const ANYWHERE: u8 = 2;
/// The short name of a program may begin here, if a word does.
const PROGRAM: u8 = 4;
/// The longer name of one may end with these.
const PROGRAM_END: u8 = 64;
/// A sign or a part of a word may begin with these.
const PART: u8 = 128;
/// Something else may begin here, if a word does.
const WORD: u8 = 8;
/// A name in letters that are not those of ASCII may begin here.
const FOREIGN: u8 = 16;
/// The beginning of a key may end with these, wherever in a word it stands.
const TAIL: u8 = 32;

/// For each hash of four bytes what can begin with them.
static BEGINNINGS: [u8; 1 << HASH_BITS] = beginnings();
const HASH_BITS: u32 = 14;
const MULTIPLIER: u32 = 0xfb49_5555;

/// Multiplicative hashing of three bytes and the kind of the fourth, its upper half: sign, digit, capital, small letter.
const fn hash(bytes: u32) -> usize {
    let bytes = bytes & 0xf0ff_ffff;
    (bytes.wrapping_mul(MULTIPLIER) >> (u32::BITS - HASH_BITS)) as usize
}

/// Whether a key may begin with these bytes: [`AT_START`] of a word, [`ANYWHERE`], or not.
#[inline(always)]
pub(super) fn beginning(bytes: [u8; 4]) -> u8 {
    let at = hash(u32::from_le_bytes(bytes));
    BEGINNINGS.get(at).copied().unwrap_or_default()
}

#[allow(
    clippy::indexing_slicing,
    reason = "evaluated by the compiler: what is out of bounds does not build"
)]
const fn beginnings() -> [u8; 1 << HASH_BITS] {
    let mut marks = [0; 1 << HASH_BITS];
    let mut at = 0;
    while let Some((prefix, anywhere)) = shapes::prefix(at) {
        let mark = if anywhere { ANYWHERE } else { AT_START };
        mark_key(&mut marks, prefix, mark);
        if anywhere {
            mark_key(&mut marks, tail(prefix), TAIL);
        }
        at += 1;
    }
    at = 0;
    while at < KEYS.len() {
        mark_key(&mut marks, KEYS[at], AT_START | WORD);
        at += 1;
    }
    mark_key(&mut marks, b".atlasv1.", ANYWHERE | PART);
    mark_key(&mut marks, b"u00", PART);
    mark_key(&mut marks, b"msh", PART);
    at = 0;
    while at < LITERALS.len() {
        mark_key(&mut marks, LITERALS[at], PART);
        at += 1;
    }
    at = 0;
    while at < WORDS.len() {
        mark_key(&mut marks, WORDS[at], WORD);
        at += 1;
    }
    at = 0;
    while let Some(name) = commands::name(at) {
        match name.len() {
            ..4 => mark_key(&mut marks, name, PROGRAM),
            length => mark_key(&mut marks, name.split_at(length - 3).1, PROGRAM_END),
        }
        at += 1;
    }
    at = 0;
    while at < names::FOREIGN.len() {
        mark_key(&mut marks, names::FOREIGN[at].as_bytes(), FOREIGN);
        at += 1;
    }
    marks
}

/// The last four bytes of a key's beginning: of many beginnings the first four are those of words.
const fn tail(prefix: &[u8]) -> &[u8] {
    prefix.split_at(prefix.len() - 4).1
}

/// Marks all that four bytes can be of which the first are `prefix`.
#[allow(
    clippy::indexing_slicing,
    reason = "evaluated by the compiler: what is out of bounds does not build"
)]
const fn mark_key(marks: &mut [u8; 1 << HASH_BITS], prefix: &[u8], mark: u8) {
    let mut third = 0u8;
    while third < u8::MAX {
        // What is as short stands before hexadecimal digits, or an argument.
        let fits = match prefix.len() {
            2 => third.is_ascii_hexdigit() || matches!(third, b' ' | b'\t' | b'"' | b'\''),
            _ => prefix[2] == third,
        };
        let mut kind = 0u8;
        while fits && kind < 16 {
            let fourth = kind << 4;
            if prefix.len() < 4 || prefix[3] & 0xf0 == fourth {
                let window = u32::from_le_bytes([prefix[0], prefix[1], third, fourth]);
                marks[hash(window)] |= mark;
            }
            kind += 1;
        }
        third += 1;
    }
}

/// What keys begin with that have more than a beginning, and are looked for wherever in a word a part begins.
const KEYS: [&[u8]; 2] = [b"eyJ", b"LS0tLS1C"];

/// What else begins something where a word does.
#[rustfmt::skip]
const WORDS: &[&[u8]] = &[
    b"by ", b"by\t", b"BY ", b"BY\t", b"By ", b"Bearer", b"bearer", b"Basic ", b"echo ", b"printf ", b"machine ", b"Private-Lines",
    // Keys that are told by their parts.
    b"re_", b"pk_", b"at_", b"pat", b"A3-", b"00D", b"oauth:", b"AAAAA", b"b3BlbnNz",
];

/// Parts of keys and blocks, wherever they stand.
const LITERALS: [&[u8]; 9] = [
    b"-BEG", b"-END", b"-us0", b"AZDO", b"AzSe", b"AzFu", b"AzCa", b"NRAL", b"_mmk",
];

/// What begins or ends a name wherever it stands.
#[rustfmt::skip]
const PARTS: &[&[u8]] = &[
    // Names whose last letters many words end with, by what stands before those.
    b"auth", b"sscode", b"tpcode", b"facode", b"fa_", b"fa code", b"torcode", b"tor_", b"or code", b"eydata",
    b"amz_", b"mzsignature", b"mz signature", b"oog_", b"ogsignature", b"og signature", b"nar_", b"arlogin", b"ar login",
];

/// What a byte is to the filter: a letter, whatever its case, is its place in the alphabet.
const INITIAL: u8 = 26;
const DIGIT: u8 = 27;
const SIGN: u8 = 28;
const JOINT: u8 = 29;
const MARK: u8 = 30;
const ODD: u8 = 31;

static KINDS: [u8; 256] = kinds();

#[allow(
    clippy::indexing_slicing,
    reason = "evaluated by the compiler: what is out of bounds does not build"
)]
const fn kinds() -> [u8; 256] {
    let mut kinds = [SIGN; 256];
    let mut at = 0;
    while at < 256 {
        let byte = at as u8;
        kinds[at] = match byte {
            b'a'..=b'z' => byte - b'a',
            // A capital with which the tokens of some bots begin.
            b'M' | b'N' | b'O' => INITIAL,
            b'A'..=b'Z' => byte - b'A',
            b'0'..=b'9' => DIGIT,
            b'_' | b'-' => JOINT,
            b':' | b'/' | b'?' | b'&' | b';' | b'[' | b'$' => MARK,
            b'\\' | b'%' | b'~' | 0x1b | 128.. => ODD,
            _ => SIGN,
        };
        at += 1;
    }
    kinds
}

/// Kinds, a bit for each.
const ANY: u32 = u32::MAX;
const SIGNS: u32 = 1 << SIGN | 1 << JOINT | 1 << MARK | 1 << ODD;
const HEX: u32 = 0b11_1111 | 1 << DIGIT;
const ALNUM: u32 = (1 << SIGN) - 1;

/// The kind of `byte`.
#[allow(clippy::indexing_slicing, reason = "there is one for each byte")]
const fn one(byte: u8) -> u32 {
    1 << kinds()[byte as usize]
}

/// The kinds of a letter in both cases.
const fn both(byte: u8) -> u32 {
    one(byte.to_ascii_lowercase()) | one(byte.to_ascii_uppercase())
}

/// For each hash of four kinds whether to look closer.
static FOURS: [u32; 1 << (FOUR_BITS - 5)] = fours();
const FOUR_BITS: u32 = 18;
/// Of a number that holds kinds of five bits each the last four count.
const FOUR_MULTIPLIER: u32 = 0x4_30f9 << 12;

const fn four_hash(kinds: u32) -> u32 {
    kinds.wrapping_mul(FOUR_MULTIPLIER) >> (u32::BITS - FOUR_BITS)
}

/// Marks all fours of these kinds.
#[allow(
    clippy::indexing_slicing,
    reason = "evaluated by the compiler: what is out of bounds does not build"
)]
const fn mark(fours: &mut [u32; 1 << (FOUR_BITS - 5)], kinds: [u32; 4]) {
    let [first, second, third, fourth] = kinds;
    let mut firsts = first;
    while firsts != 0 {
        let mut seconds = second;
        while seconds != 0 {
            let mut thirds = third;
            while thirds != 0 {
                let mut fourths = fourth;
                while fourths != 0 {
                    let pair = firsts.trailing_zeros() << 15 | seconds.trailing_zeros() << 10;
                    let four = pair | thirds.trailing_zeros() << 5 | fourths.trailing_zeros();
                    let hash = four_hash(four);
                    fours[(hash >> 5) as usize] |= 1 << (hash & 31);
                    fourths &= fourths - 1;
                }
                thirds &= thirds - 1;
            }
            seconds &= seconds - 1;
        }
        firsts &= firsts - 1;
    }
}

/// Marks what a word may begin with, behind a sign or an escape.
const fn mark_start(fours: &mut [u32; 1 << (FOUR_BITS - 5)], kinds: [u32; 3]) {
    let [first, second, third] = kinds;
    const ESCAPES: u32 =
        one(b'n') | one(b'r') | one(b't') | one(b'b') | one(b'f') | one(b'v') | 1 << DIGIT;
    mark(fours, [SIGNS, first, second, third]);
    mark(fours, [1 << ODD, ESCAPES, first, second]);
}

#[allow(
    clippy::indexing_slicing,
    reason = "evaluated by the compiler: what is out of bounds does not build"
)]
const fn start_of(word: &[u8], or: u32) -> [u32; 3] {
    let third = if word.len() > 2 { one(word[2]) } else { or };
    [one(word[0]), one(word[1]), third]
}

/// Whether a telling name is told by its last letters: many words end as some do, which [`PARTS`] tell.
#[allow(
    clippy::indexing_slicing,
    reason = "evaluated by the compiler: what is out of bounds does not build"
)]
const fn is_told_by_end(name: &[u8]) -> bool {
    const MANY: [&[u8]; 5] = [b"code", b"tion", b"ture", b"data", b"ogin"];
    let length = name.len();
    let mut at = 0;
    while length > 3 && at < MANY.len() {
        let of = MANY[at];
        let (first, second) = (name[length - 4] == of[0], name[length - 3] == of[1]);
        if first && second && name[length - 2] == of[2] && name[length - 1] == of[3] {
            return false;
        }
        at += 1;
    }
    true
}

/// Marks the end of a telling name, by its last three letters.
#[allow(
    clippy::indexing_slicing,
    reason = "evaluated by the compiler: what is out of bounds does not build"
)]
const fn mark_end(fours: &mut [u32; 1 << (FOUR_BITS - 5)], name: &[u8], behind: u32) {
    let length = name.len();
    if length < 3 || !is_told_by_end(name) {
        return;
    }
    let last = both(name[length - 1]);
    mark(
        fours,
        [both(name[length - 3]), both(name[length - 2]), last, behind],
    );
}

#[allow(
    clippy::indexing_slicing,
    reason = "evaluated by the compiler: what is out of bounds does not build"
)]
const fn fours() -> [u32; 1 << (FOUR_BITS - 5)] {
    let mut fours = [0; 1 << (FOUR_BITS - 5)];
    let mut at = 0;
    while let Some((prefix, anywhere)) = shapes::prefix(at) {
        if anywhere {
            let four = tail(prefix);
            mark(
                &mut fours,
                [one(four[0]), one(four[1]), one(four[2]), one(four[3])],
            );
        } else {
            mark_start(&mut fours, start_of(prefix, HEX));
        }
        at += 1;
    }
    at = 0;
    while at < KEYS.len() {
        mark_start(&mut fours, start_of(KEYS[at], 0));
        at += 1;
    }
    at = 0;
    while at < WORDS.len() {
        mark_start(&mut fours, start_of(WORDS[at], 0));
        at += 1;
    }
    at = 0;
    while let Some(name) = commands::name(at) {
        match name.len() {
            ..4 => mark_start(&mut fours, start_of(name, 1 << SIGN)),
            // Of most names more words have the beginning than the end.
            length => {
                let end = name.split_at(length - 3).1;
                mark(
                    &mut fours,
                    [one(end[0]), one(end[1]), one(end[2]), 1 << SIGN],
                );
            }
        }
        at += 1;
    }
    at = 0;
    while at < PARTS.len() {
        let part = PARTS[at];
        let fourth = if part.len() > 3 { both(part[3]) } else { ANY };
        mark(
            &mut fours,
            [both(part[0]), both(part[1]), both(part[2]), fourth],
        );
        at += 1;
    }
    at = 0;
    while at < LITERALS.len() {
        let literal = LITERALS[at];
        mark(
            &mut fours,
            [
                one(literal[0]),
                one(literal[1]),
                one(literal[2]),
                one(literal[3]),
            ],
        );
        at += 1;
    }
    mark_start(&mut fours, [1 << INITIAL, ALNUM, ALNUM]);
    mark(&mut fours, [one(b'.'), one(b'a'), one(b't'), one(b'l')]);
    // `by '`, and the numbers of a JSON Web Key.
    mark_start(&mut fours, [one(b'b'), one(b'y'), 1 << SIGN]);
    let (quotes, behind) = (1 << SIGN | 1 << ODD, SIGNS);
    mark(
        &mut fours,
        [
            1 << SIGN,
            one(b'd') | one(b'p') | one(b'q') | one(b'k'),
            quotes,
            behind,
        ],
    );
    mark(
        &mut fours,
        [1 << SIGN, one(b'd'), one(b'p') | one(b'q'), quotes],
    );
    mark(&mut fours, [1 << SIGN, one(b'q'), one(b'i'), quotes]);
    // Of a number: `1/123…:`. What stands behind a number or a key: `:AA`, `:APA91b`, `:fx`, `Q~`.
    mark_start(&mut fours, [1 << DIGIT, 1 << MARK, 1 << DIGIT]);
    mark(&mut fours, [1 << DIGIT, 1 << MARK, one(b'a'), one(b'a')]);
    mark(&mut fours, [ANY, 1 << MARK, one(b'a'), one(b'p')]);
    mark(&mut fours, [HEX, 1 << MARK, one(b'f'), one(b'x')]);
    mark(&mut fours, [1 << DIGIT, one(b'q'), 1 << ODD, ANY]);
    mark(&mut fours, [one(b'm'), one(b's'), one(b'h'), ALNUM]);
    // 32 hexadecimal digits, 8 and 8.
    mark(&mut fours, [HEX, one(b'-'), HEX, HEX]);
    mark(
        &mut fours,
        [ALNUM | 1 << JOINT, one(b':'), one(b'/'), one(b'/')],
    );
    // Escapes, and colours.
    mark(&mut fours, [one(b'u'), 1 << DIGIT, 1 << DIGIT, ANY]);
    mark(&mut fours, [1 << ODD, one(b'u'), 1 << DIGIT, ANY]);
    mark(&mut fours, [1 << ODD, one(b'x'), HEX, HEX]);
    mark(&mut fours, [1 << ODD, 1 << DIGIT, HEX, ANY]);
    mark(&mut fours, [1 << ODD, one(b'['), ANY, ANY]);
    // Names, and what may stand behind one: any sign, a number, or which one of several it is.
    let mut behind = SIGNS | 1 << DIGIT;
    at = 0;
    while at < names::SUFFIXES.len() {
        behind |= both(names::SUFFIXES[at].as_bytes()[0]);
        at += 1;
    }
    at = 0;
    while at < names::ENDINGS.len() {
        mark_end(&mut fours, names::ENDINGS[at].0.as_bytes(), behind);
        at += 1;
    }
    at = 0;
    while at < names::WORDS.len() {
        mark_end(&mut fours, names::WORDS[at].0.as_bytes(), behind);
        at += 1;
    }
    mark_end(&mut fours, b"pat", behind);
    mark_end(&mut fours, b"key", behind);
    mark(&mut fours, [ANY, both(b'p'), both(b'w'), behind]);
    at = 0;
    while at < names::QUERY.len() {
        let name = names::QUERY[at].as_bytes();
        let third = if name.len() > 2 {
            both(name[2])
        } else {
            1 << SIGN
        };
        mark(&mut fours, [one(b'?'), both(name[0]), both(name[1]), third]);
        at += 1;
    }
    at = 0;
    while at < names::FOREIGN.len() {
        let name = names::FOREIGN[at].as_bytes();
        mark(
            &mut fours,
            [one(name[0]), one(name[1]), one(name[2]), one(name[3])],
        );
        at += 1;
    }
    // Of four blanks texts are full.
    let blanks =
        four_hash((SIGN as u32) << 15 | (SIGN as u32) << 10 | (SIGN as u32) << 5 | SIGN as u32);
    assert!(fours[(blanks >> 5) as usize] >> (blanks & 31) & 1 == 0);
    fours
}

/// So many bytes are looked at at once.
const CHUNK: usize = 16;

/// A place that is worth a closer look.
#[derive(Debug, Clone, Copy)]
pub(super) struct Hit {
    pub(super) at: usize,
    /// What the name says that ends there, if that is known.
    pub(super) telling: Option<Telling>,
}

impl Hit {
    fn at(at: usize) -> Option<Self> {
        Some(Self { at, telling: None })
    }
}

/// The first place before `until` that is worth a closer look. What stands before `from` is done, and what stands before `barrier` is
/// not to be looked at. The last three bytes hold none: no secret is that short.
#[inline(never)]
pub(super) fn next(bytes: &[u8], barrier: usize, from: usize, until: usize) -> Option<Hit> {
    let known = bytes.get(..until + 3).unwrap_or(bytes);
    let rest = known.get(from..)?;
    // At `from` a word may begin.
    let mut kinds = u32::from(SIGN) << 10 | u32::from(SIGN) << 5 | u32::from(SIGN);
    let (chunks, tail) = rest.as_chunks::<CHUNK>();
    let mut at = from;
    for chunk in chunks {
        // One branch for all of them: most have none.
        let mut marked = 0;
        for (offset, byte) in chunk.iter().enumerate() {
            marked |= marked_by(&mut kinds, *byte) << offset;
        }
        while marked != 0 {
            let hit = look(bytes, barrier, from, at + marked.trailing_zeros() as usize);
            if hit.is_some() {
                return hit;
            }
            marked &= marked - 1;
        }
        at += CHUNK;
    }
    for (offset, byte) in tail.iter().enumerate() {
        if marked_by(&mut kinds, *byte) != 0 {
            let hit = look(bytes, barrier, from, at + offset);
            if hit.is_some() {
                return hit;
            }
        }
    }
    None
}

/// Whether the four is marked that `byte` is the last of: a bit.
#[inline(always)]
fn marked_by(kinds: &mut u32, byte: u8) -> u32 {
    let kind = KINDS.get(usize::from(byte)).copied().unwrap_or_default();
    *kinds = *kinds << 5 | u32::from(kind);
    let hash = four_hash(*kinds);
    let bits = FOURS.get((hash >> 5) as usize).copied();
    bits.unwrap_or_default() >> (hash & 31) & 1
}

/// What the first of a marked four says, or the second.
const SIGN_FIRST: u8 = 1;
const SIGN_SECOND: u8 = 2;
/// A word may begin with the second that is told by more than four bytes.
const LETTER: u8 = 4;
/// A quote, and a letter that names a number of a JSON Web Key.
const NUMBER: u8 = 8;

static LOOKS: [u8; 256] = looks();

#[allow(
    clippy::indexing_slicing,
    reason = "evaluated by the compiler: what is out of bounds does not build"
)]
const fn looks() -> [u8; 256] {
    let mut looks = [0; 256];
    let mut at = 0;
    while at < 256 {
        looks[at] = match at as u8 {
            b'\\' | 0x1b | b'%' | b'?' | b'&' | b';' => SIGN_FIRST,
            b':' | b'-' | b'Q' => SIGN_SECOND,
            b'M' | b'N' | b'O' | b'0' | b'1' | b'2' => LETTER,
            b'"' | b'\'' | b'd' | b'p' | b'q' | b'k' => NUMBER,
            _ => 0,
        };
        at += 1;
    }
    looks
}

/// The place to look at closer, if there is one, where a marked four ends with the byte at `last`.
#[inline(never)]
fn look(bytes: &[u8], barrier: usize, from: usize, last: usize) -> Option<Hit> {
    // At `from` a word may begin.
    let second = last.checked_sub(2).filter(|second| *second >= from)?;
    let rest = bytes.get(second..)?;
    let (four, at) = match second.checked_sub(1).filter(|first| *first >= from) {
        Some(first) => (*bytes.get(first..)?.first_chunk()?, first),
        None => {
            let [second, third, fourth] = *rest.first_chunk()?;
            ([b' ', second, third, fourth], from)
        }
    };
    let [first, letters @ ..] = four;
    // Most are none, and nothing else is asked of them.
    let window = rest.first_chunk().copied().unwrap_or_default();
    let (what, what_word) = (beginning(four), beginning(window));
    let look = |byte: u8| LOOKS.get(usize::from(byte)).copied().unwrap_or_default();
    let (of_first, of_second) = (look(first), look(letters[0]));
    let begins_word = !first.is_ascii_alphanumeric();
    let word = match begins_word {
        true => what_word & (AT_START | ANYWHERE | PROGRAM | WORD) | of_second & LETTER,
        false => 0,
    };
    let part = what & (FOREIGN | TAIL | PROGRAM_END | PART);
    let sign = of_first & SIGN_FIRST | of_second & SIGN_SECOND | of_first & of_second & NUMBER;
    if word | part | sign == 0 && !is_end([first, letters[0], letters[1]]) {
        return None;
    }
    if begins_word {
        if begins(rest) {
            return Hit::at(second);
        }
        if is_sign(bytes, at, four) {
            return Hit::at(at);
        }
    }
    if is_part(bytes, at, four) {
        return Hit::at(at);
    }
    if what & PROGRAM_END != 0 && is_program_before(bytes, from, last) {
        return Hit::at(last - 1);
    }
    if what & TAIL != 0
        && let Some(length) = shapes::ends(bytes.get(..=last)?)
    {
        return Hit::at(from.max(last + 1 - length));
    }
    let [letters @ .., _] = four;
    name_end(bytes, barrier, letters, last)
}

/// Whether something begins with the sign at `at`.
fn is_sign(bytes: &[u8], at: usize, four: [u8; 4]) -> bool {
    let rest = || bytes.get(at..).unwrap_or_default();
    match four {
        // Behind an escape a word may begin.
        [b'\\', b'n' | b'r' | b't' | b'b' | b'f' | b'v' | b'0', ..] => {
            rest().get(2..).is_some_and(begins)
        }
        [b'\\', b'x', third, fourth] => third.is_ascii_hexdigit() && fourth.is_ascii_hexdigit(),
        [b'\\', b'u', b'0', _] | [0x1b, b'[', ..] => true,
        [b'%', b'0'..=b'7', second, _] => second.is_ascii_hexdigit(),
        [b'-', b'B', b'E', b'G'] | [b'-', b'E', b'N', b'D'] => true,
        [b'-', b'u', b's', b'0'..=b'9'] | [b'_', b'm', b'm', b'k'] => true,
        [b'.', b'a', b't', b'l'] => rest().starts_with(b".atlasv1."),
        [b'?' | b'&' | b';', ..] => {
            let name = rest().get(1..).unwrap_or_default();
            let length = name
                .iter()
                .take(LONGEST)
                .take_while(|byte| is_word(**byte))
                .count();
            name.get(length) == Some(&b'=') && name.get(..length).is_some_and(names::is_of_query)
        }
        _ => false,
    }
}

/// Whether what stands at `at` can belong to something, wherever in a word it stands.
fn is_part(bytes: &[u8], at: usize, four: [u8; 4]) -> bool {
    let rest = || bytes.get(at..).unwrap_or_default();
    match four {
        [before, b':', b'/', b'/'] => before != b'.' && has_user(rest()),
        [_, b':', b'A', b'P'] | [_, b':', b'f', b'x'] | [b'u', b'0', b'0', _] => true,
        [b'0'..=b'9', b'Q', b'~', _] | [b'0'..=b'9', b':', b'A', b'A'] => true,
        [b'A', b'Z', b'D', b'O'] | [b'N', b'R', b'A', b'L'] => true,
        [b'A', b'z', b'S', b'e'] | [b'A', b'z', b'F', b'u'] | [b'A', b'z', b'C', b'a'] => true,
        [b'm', b's', b'h', _] => rest().get(25..28) == Some(b"jsn"),
        [_, b'-', ..] => {
            let before = at.checked_sub(31).and_then(|from| bytes.get(from..=at));
            let is_hex = |digits: &[u8]| digits.iter().all(u8::is_ascii_hexdigit);
            rest().get(10) == Some(&b'-') && before.is_some_and(is_hex)
        }
        _ => beginning(four) & FOREIGN != 0 && names::foreign_at(rest()) > 0,
    }
}

/// The longest word that is looked at whole.
const LONGEST: usize = 64;

/// For the first two of three letters, without their case, the third ones: the ends of telling names, and the [`PARTS`] of some.
static ENDS: [u32; 1 << 10] = ends();

#[allow(
    clippy::indexing_slicing,
    reason = "evaluated by the compiler: what is out of bounds does not build"
)]
const fn ends() -> [u32; 1 << 10] {
    let mut ends = [0; 1 << 10];
    let mut at = 0;
    while at < names::ENDINGS.len() {
        end(&mut ends, names::ENDINGS[at].0.as_bytes());
        at += 1;
    }
    at = 0;
    while at < names::WORDS.len() {
        end(&mut ends, names::WORDS[at].0.as_bytes());
        at += 1;
    }
    end(&mut ends, b"pat");
    end(&mut ends, b"key");
    at = 0;
    while at < PARTS.len() {
        let part = PARTS[at];
        let place = (part[0] as usize & 31) << 5 | part[1] as usize & 31;
        ends[place] |= 1 << (part[2] & 31);
        at += 1;
    }
    ends
}

#[allow(
    clippy::indexing_slicing,
    reason = "evaluated by the compiler: what is out of bounds does not build"
)]
const fn end(ends: &mut [u32; 1 << 10], name: &[u8]) {
    let length = name.len();
    if length > 2 && is_told_by_end(name) {
        let place = (name[length - 3] as usize & 31) << 5 | name[length - 2] as usize & 31;
        ends[place] |= 1 << (name[length - 1] & 31);
    }
}

/// Whether a telling name may have these letters.
fn is_end([first, second, third]: [u8; 3]) -> bool {
    let is_short = matches!((second, third), (b'p' | b'P', b'w' | b'W'));
    let place = usize::from(first & 31) << 5 | usize::from(second & 31);
    is_short || ENDS.get(place).copied().unwrap_or_default() >> (third & 31) & 1 != 0
}

/// Where the telling name ends that has these letters before the byte at `last`.
fn name_end(bytes: &[u8], barrier: usize, letters: [u8; 3], last: usize) -> Option<Hit> {
    is_end(letters).then_some(())?;
    let from = last - usize::from(!bytes.get(last).copied().is_some_and(is_word));
    let word = bytes.get(from..)?.iter().take(LONGEST);
    let length = word.take_while(|byte| is_word(**byte)).count();
    let end = from + length;
    let name = bytes.get(barrier.max(end.saturating_sub(names::LONGEST))..end)?;
    let telling = names::telling(name);
    (length == LONGEST || telling.is_some()).then_some(Hit { at: end, telling })
}

/// Whether something can begin with `rest`, where a word does.
fn begins(rest: &[u8]) -> bool {
    let Some(window) = rest.first_chunk::<4>() else {
        return false;
    };
    let what = beginning(*window);
    what & (AT_START | ANYWHERE) != 0 && shapes::begins(rest)
        || what & PROGRAM != 0 && is_program(rest)
        || is_other(rest, *window, what)
}

/// Whether something else than a key or a program can begin with `rest`.
#[inline]
fn is_other(rest: &[u8], window: [u8; 4], what: u8) -> bool {
    let is_long = |least: usize| {
        rest.iter()
            .take(least)
            .filter(|byte| is_word(**byte))
            .count()
            == least
    };
    match window {
        [b'b' | b'B', b'y' | b'Y', b' ' | b'\t', _] => {
            let mut behind = rest.iter().skip(2).take(LONGEST);
            let next = behind.find(|byte| !matches!(byte, b' ' | b'\t'));
            matches!(next, Some(b'"' | b'\'' | b'`' | b'p' | b'P'))
        }
        [b'd' | b'p' | b'q' | b'k', b'"' | b'\'' | b'`' | b'\\', ..] => true,
        [b'd', b'p' | b'q', b'"' | b'\'' | b'`' | b'\\', _] => true,
        [b'q', b'i', b'"' | b'\'' | b'`' | b'\\', _] => true,
        [b'0'..=b'2', b'/', b'0'..=b'9', _] => true,
        [b'M' | b'N' | b'O', ..] => {
            let id = rest.get(..=shapes::MOST_ID).unwrap_or(rest);
            let point = id.iter().position(|byte| !Alphabet::Alnum.has(*byte));
            let is_id = point
                .is_some_and(|point| point >= shapes::LEAST_ID && id.get(point) == Some(&b'.'));
            // The first bytes of a private key in base64.
            is_id || window[0] == b'M' && shapes::run(rest, Alphabet::Base64, 40) == 40
        }
        _ if what & WORD == 0 => false,
        [b'e', b'y', b'J', _] => is_long(14),
        [b'L', b'S', b'0', b't'] => true,
        [b'r', b'e', b'_', _] | [b'p', b'k', b'_', _] | [b'a', b't', b'_', _] => is_long(26),
        [b'p', b'a', b't', _] => is_long(50),
        [b'A', b'3', b'-', _] => is_long(36),
        [b'0', b'0', b'D', _] => rest.get(15) == Some(&b'!') || rest.get(18) == Some(&b'!'),
        _ => WORDS.iter().any(|word| rest.starts_with(word)),
    }
}

/// Whether a user may stand before the host of the URL whose scheme ends with the first byte of `rest`.
fn has_user(rest: &[u8]) -> bool {
    let near = rest.get(4..).unwrap_or_default();
    let near = near.get(..urls::LONGEST).unwrap_or(near);
    find::first(b'@', near).is_some_and(|sign| {
        let mut user = near.iter().take(sign);
        !user.any(|byte| {
            byte.is_ascii_whitespace() || matches!(byte, b'"' | b'\'' | b'`' | b'<' | b'>')
        })
    })
}

/// Whether the word that ends at `end` is the name of a program, and an argument stands behind it.
fn is_program_before(bytes: &[u8], from: usize, end: usize) -> bool {
    const LONGEST: usize = 20;
    if !matches!(bytes.get(end), Some(b' ' | b'\t' | b'"' | b'\'')) {
        return false;
    }
    let before = bytes.get(from..end).unwrap_or_default();
    let back = before.iter().rev().take(LONGEST + 2);
    let length = back.take_while(|byte| is_word(**byte)).count();
    let (before, word) = before
        .split_at_checked(before.len() - length)
        .unwrap_or_default();
    let is_known = |word: &[u8]| commands::known(word).is_some();
    // The first letter may be that of an escape.
    let is_escaped = before.ends_with(b"\\");
    is_known(word) || is_escaped && word.get(1..).is_some_and(is_known)
}

/// Whether the short name of a program stands there, and an argument behind it.
fn is_program(rest: &[u8]) -> bool {
    const LONGEST: usize = 20;
    let length = rest
        .iter()
        .take(LONGEST + 1)
        .take_while(|byte| is_word(**byte))
        .count();
    let (word, behind) = rest.split_at_checked(length).unwrap_or_default();
    matches!(behind.first(), Some(b' ' | b'\t' | b'"' | b'\'')) && commands::known(word).is_some()
}
