//! Where in a text to look closer: most of it costs two looks into small tables a byte, and a branch that is rarely taken.
//!
//! Four bytes in a row are told apart by kinds of bytes: letters whatever their case, digits, a few kinds of signs. Which fours can
//! stand where something begins or ends is one bit each in a table. Where the bit is set, the rules' own tables are asked. What is
//! found here is no secret yet, but where nothing is found, none is announced. A test holds the pass with the filter against the
//! one without.

use super::names::{self, Telling};
use super::pem;
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
/// The longer name of one may have these.
const PROGRAM_PART: u8 = 64;
/// A sign or a part of a word may begin with these.
const PART: u8 = 128;
/// Something else may begin here, if a word does.
const WORD: u8 = 8;
/// A name in letters that are not those of ASCII may begin here.
const FOREIGN: u8 = 16;
/// They may belong to something that begins before them.
const WITHIN: u8 = 32;

/// For each hash of four bytes what can begin with them.
static BEGINNINGS: [u8; 1 << HASH_BITS] = beginnings();
const HASH_BITS: u32 = 13;
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
        if let Some(offset) = shapes::window(prefix, anywhere) {
            mark_key(&mut marks, from(prefix, offset), WITHIN);
        }
        at += 1;
    }
    at = 0;
    while at < KEYS.len() {
        mark_key(&mut marks, KEYS[at], AT_START | WORD);
        at += 1;
    }
    mark_key(&mut marks, b".atlasv1.", ANYWHERE | PART);
    mark_key(&mut marks, b"msh", PART);
    mark_key(&mut marks, b"u002", PART);
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
    while at < RARE.len() {
        mark_key(&mut marks, from(RARE[at], RARE_AT[at]), WITHIN);
        at += 1;
    }
    at = 0;
    while let Some(name) = commands::name(at) {
        match is_told_by_start(name) {
            true => mark_key(&mut marks, name, PROGRAM),
            false => mark_key(&mut marks, from(name, rarest(name, true)), PROGRAM_PART),
        }
        at += 1;
    }
    at = 0;
    while at < names::FOREIGN.len() {
        let name = names::FOREIGN[at].as_bytes();
        if let Some(offset) = names::foreign_window(name) {
            mark_key(&mut marks, from(name, offset), FOREIGN);
        }
        at += 1;
    }
    marks
}

/// `bytes` from an offset on.
const fn from(bytes: &[u8], offset: usize) -> &[u8] {
    bytes.split_at(offset).1
}

/// Where in `bytes` the four begin that the fewest words have, by how rare their letters are. The last three may stand before a sign:
/// the four then ends with that.
#[allow(
    clippy::indexing_slicing,
    reason = "evaluated by the compiler: what is out of bounds does not build"
)]
pub(super) const fn rarest(bytes: &[u8], may_end: bool) -> usize {
    const SIGN_BEHIND: u32 = 2;
    let end = if may_end { 3 } else { 4 };
    let (mut best, mut most) = (0, 0);
    let mut at = 0;
    while at + end <= bytes.len() {
        let mut rarity = 0;
        let mut of = at;
        while of < at + 4 {
            rarity += if of < bytes.len() {
                rarity_of(bytes[of])
            } else {
                SIGN_BEHIND
            };
            of += 1;
        }
        if rarity > most && !is_common(bytes, at) {
            (best, most) = (at, rarity);
        }
        at += 1;
    }
    best
}

/// Whether four letters are those of words that are common although their letters are not.
#[rustfmt::skip]
#[allow(
    clippy::indexing_slicing,
    reason = "evaluated by the compiler: what is out of bounds does not build"
)]
const fn is_common(bytes: &[u8], at: usize) -> bool {
    const COMMON: &[[u8; 4]] = &[
        *b"acka", *b"back", *b"buil", *b"ckag", *b"code", *b"comp", *b"cond", *b"etry", *b"gate", *b"hook", *b"http", *b"kagi", *b"keys", *b"lace", *b"link",
        *b"mini", *b"node", *b"none", *b"open", *b"pack", *b"patc", *b"perm", *b"plac", *b"ring", *b"role", *b"shot", *b"sign",
        *b"snap", *b"ttps", *b"uild", *b"util",
    ];
    let mut of = 0;
    while at + 4 <= bytes.len() && of < COMMON.len() {
        let [first, second, third, fourth] = COMMON[of];
        let is_begun = bytes[at] == first && bytes[at + 1] == second;
        if is_begun && bytes[at + 2] == third && bytes[at + 3] == fourth {
            return true;
        }
        of += 1;
    }
    false
}

/// How rare a byte is in texts: the logarithm of one in so many.
const fn rarity_of(byte: u8) -> u32 {
    match byte {
        b'M' | b'N' | b'O' => 7,
        _ => match byte.to_ascii_lowercase() {
            b'e' | b't' | b'a' | b'o' | b'i' | b'n' | b's' | b'r' => 2,
            b'h' | b'l' | b'd' | b'c' | b'u' => 3,
            b'0'..=b'9' => 1,
            b'm' | b'p' | b'f' | b'g' => 4,
            b'w' | b'y' | b'b' | b'v' => 5,
            b'k' => 6,
            b'x' => 7,
            b'q' | b'j' | b'z' => 8,
            _ => 4,
        },
    }
}

/// Whether a program's name is found by its beginning: a short one, and those with which many words end.
const fn is_told_by_start(name: &[u8]) -> bool {
    matches!(name, [_, _] | b"age" | b"now" | b"hub")
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
        // Behind what is shorter any character of ASCII may stand, or a tab.
        let mut kind = 0u8;
        while fits && kind < 16 {
            let is_kind = match prefix.len() {
                4.. => prefix[3] >> 4 == kind,
                _ => kind == 0 || kind > 1 && kind < 8,
            };
            if is_kind {
                let window = u32::from_le_bytes([prefix[0], prefix[1], third, kind << 4]);
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
    b"by ", b"by\t", b"BY ", b"BY\t", b"By ",
    // Keys that are told by their parts.
    b"re_", b"pk_", b"at_", b"pat", b"A3-", b"00D", b"AAAAA",
];

/// The same, found by the four of their bytes that the fewest words have.
#[rustfmt::skip]
const RARE: &[&[u8]] = &[
    b"Bearer", b"bearer", b"Basic ", b"echo ", b"printf ", b"machine ", b"Private-Lines", b"oauth:", b"b3BlbnNz",
];

/// Where in each of [`RARE`] those four stand, and which they are.
const RARE_AT: [usize; RARE.len()] = rare_at();
const RARE_FOURS: [u32; RARE.len()] = rare_fours();

#[allow(
    clippy::indexing_slicing,
    reason = "evaluated by the compiler: what is out of bounds does not build"
)]
const fn rare_at() -> [usize; RARE.len()] {
    let mut places = [0; RARE.len()];
    let mut at = 0;
    while at < RARE.len() {
        places[at] = rarest(RARE[at], false);
        at += 1;
    }
    places
}

#[allow(
    clippy::indexing_slicing,
    reason = "evaluated by the compiler: what is out of bounds does not build"
)]
const fn rare_fours() -> [u32; RARE.len()] {
    let mut fours = [0; RARE.len()];
    let mut at = 0;
    while at < RARE.len() {
        let (word, from) = (RARE[at], RARE_AT[at]);
        fours[at] =
            u32::from_le_bytes([word[from], word[from + 1], word[from + 2], word[from + 3]]);
        at += 1;
    }
    fours
}

/// Parts of keys and blocks, wherever they stand.
const LITERALS: [&[u8]; 9] = [
    b"-BEG", b"-END", b"-us0", b"AZDO", b"AzSe", b"AzFu", b"AzCa", b"NRAL", b"_mmk",
];

/// What begins or ends a name wherever it stands.
#[rustfmt::skip]
const PARTS: &[&[u8]] = &[
    // Names whose last letters many words end with, by what stands before those.
    b"auth", b"sscode", b"tpcode", b"facode", b"fa_", b"fa code", b"torcode", b"tor_", b"or code", b"eydata",
    b"skode", b"swort", b"nwort", b"_wort", b"hrase", b"hiave",
    b"amz_", b"mzsignature", b"mz signature", b"oog_", b"ogsignature", b"og signature", b"nar_", b"arlogin", b"ar login",
];

/// What a byte is to the filter: a letter, whatever its case, is its place in the alphabet.
const INITIAL: u8 = 26;
const DIGIT: u8 = 27;
const SIGN: u8 = 28;
const JOINT: u8 = 29;
const MARK: u8 = 30;
const ODD: u8 = 31;

/// The kind of each byte.
const KINDS: [u8; 256] = kinds();

/// The same, multiplied for [`four_hash`].
static PRODUCTS: [u32; 256] = products();

#[allow(
    clippy::indexing_slicing,
    reason = "evaluated by the compiler: what is out of bounds does not build"
)]
const fn products() -> [u32; 256] {
    let mut products = [0; 256];
    let mut at = 0;
    while at < 256 {
        products[at] = four_product(KINDS[at] as u32);
        at += 1;
    }
    products
}

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
            // A capital with which the tokens of some bots begin, and keys in base64.
            b'M' | b'N' | b'O' => INITIAL,
            b'A'..=b'Z' => byte - b'A',
            b'0'..=b'9' => DIGIT,
            b'_' | b'-' => JOINT,
            b':' | b'/' | b'[' | b'$' => MARK,
            b'\\' | b'%' | b'~' | b'?' | b'&' | b';' | 0x1b | 128.. => ODD,
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
    1 << KINDS[byte as usize]
}

/// The kinds of a letter in both cases.
const fn both(byte: u8) -> u32 {
    one(byte.to_ascii_lowercase()) | one(byte.to_ascii_uppercase())
}

/// For each hash of four kinds whether to look closer.
static FOURS: [u32; 1 << (FOUR_BITS - 5)] = fours();
const FOUR_BITS: u32 = 17;
/// Of a number that holds kinds of five bits each the last four count.
const FOUR_MULTIPLIER: u32 = 0x2_d9b9 << 12;

/// A number that holds kinds of five bits each, multiplied. Another kind is appended by a shift and an addition of its own product,
/// and the fifth from the end is gone then.
const fn four_product(kinds: u32) -> u32 {
    kinds.wrapping_mul(FOUR_MULTIPLIER)
}

const fn four_hash(product: u32) -> u32 {
    product >> (u32::BITS - FOUR_BITS)
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
                    let hash = four_hash(four_product(four));
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

/// Marks the first four of `bytes`.
#[allow(
    clippy::indexing_slicing,
    reason = "evaluated by the compiler: what is out of bounds does not build"
)]
const fn mark_bytes(fours: &mut [u32; 1 << (FOUR_BITS - 5)], bytes: &[u8]) {
    // Where there are but three, a sign stands behind them.
    let last = if bytes.len() > 3 {
        one(bytes[3])
    } else {
        1 << SIGN
    };
    mark(fours, [one(bytes[0]), one(bytes[1]), one(bytes[2]), last]);
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
    const MANY: [&[u8]; 9] = [
        b"code", b"tion", b"ture", b"data", b"ogin", b"kode", b"wort", b"rase", b"iave",
    ];
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
        match shapes::window(prefix, anywhere) {
            Some(offset) => mark_bytes(&mut fours, from(prefix, offset)),
            None => mark_start(&mut fours, start_of(prefix, HEX)),
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
    while at < RARE.len() {
        mark_bytes(&mut fours, from(RARE[at], RARE_AT[at]));
        at += 1;
    }
    at = 0;
    while let Some(name) = commands::name(at) {
        match is_told_by_start(name) {
            true => mark_start(&mut fours, start_of(name, 1 << SIGN)),
            false => mark_bytes(&mut fours, from(name, rarest(name, true))),
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
        mark_bytes(&mut fours, LITERALS[at]);
        at += 1;
    }
    // A bot's number in base64: of two digits the second character has few forms. Private keys in base64, the long ones and the
    // short ones.
    const SECOND_OF_ID: u32 = one(b'd') | one(b't') | one(b'j') | one(b'z');
    const LETTERS: u32 = (1 << INITIAL) - 1;
    mark_start(&mut fours, [1 << INITIAL, SECOND_OF_ID, ALNUM]);
    mark_start(
        &mut fours,
        [1 << INITIAL, one(b'i'), LETTERS & 0b1111_1111_0000],
    );
    mark(
        &mut fours,
        [1 << INITIAL, LETTERS & 0b1111_1100, ALNUM, one(b'c')],
    );
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
        [
            ALNUM | 1 << JOINT | 1 << SIGN,
            one(b':'),
            one(b'/'),
            one(b'/'),
        ],
    );
    // Escapes, and colours.
    mark(&mut fours, [one(b'u'), 1 << DIGIT, 1 << DIGIT, 1 << DIGIT]);
    mark(&mut fours, [1 << ODD, one(b'u'), 1 << DIGIT, ANY]);
    mark(&mut fours, [1 << ODD, one(b'x'), HEX, HEX]);
    mark(&mut fours, [1 << ODD, 1 << DIGIT, HEX, ANY]);
    mark(
        &mut fours,
        [1 << ODD, one(b'['), 1 << DIGIT | 1 << ODD, ANY],
    );
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
        if let Some(offset) = names::foreign_window(name) {
            mark_bytes(&mut fours, from(name, offset));
        }
        at += 1;
    }
    // Of four blanks texts are full.
    let blanks = four_hash(four_product(
        (SIGN as u32) << 15 | (SIGN as u32) << 10 | (SIGN as u32) << 5 | SIGN as u32,
    ));
    assert!(fours[(blanks >> 5) as usize] >> (blanks & 31) & 1 == 0);
    fours
}

/// So many bytes are looked at at once.
const CHUNK: usize = 8;

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
    let mut product = four_product(u32::from(SIGN) << 10 | u32::from(SIGN) << 5 | u32::from(SIGN));
    let (chunks, tail) = rest.as_chunks::<CHUNK>();
    let mut at = from;
    for chunk in chunks {
        // One branch for all of them: most have none.
        let mut marked = 0;
        for (offset, byte) in chunk.iter().enumerate() {
            marked |= marked_by(&mut product, *byte) << offset;
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
        if marked_by(&mut product, *byte) != 0 {
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
fn marked_by(product: &mut u32, byte: u8) -> u32 {
    let of = PRODUCTS.get(usize::from(byte)).copied().unwrap_or_default();
    *product = (*product << 5).wrapping_add(of);
    let hash = four_hash(*product);
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
/// A sign between hexadecimal numbers, the next of which is eight characters long.
const DASH: u8 = 16;

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
            b':' | b'Q' => SIGN_SECOND,
            b'-' => DASH,
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
    let part = what & (FOREIGN | WITHIN | PROGRAM_PART | PART);
    let of_number = u8::from(bytes.get(at + 10) == Some(&b'-')) * (of_second & DASH);
    let sign =
        of_first & SIGN_FIRST | of_second & SIGN_SECOND | of_first & of_second & NUMBER | of_number;
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
    if let [last, b':', b'/', b'/'] = four
        && (is_word(last) || last == b'+')
        && has_user(rest)
    {
        return Hit::at(from.max(urls::last_word_end(bytes, at)));
    }
    if is_part(bytes, at, four) {
        return Hit::at(at);
    }
    if what & PROGRAM_PART != 0 && is_program_around(bytes, from, last - 1) {
        return Hit::at(last - 1);
    }
    if what & WITHIN != 0 {
        let key = shapes::around(bytes, from, last);
        if let Some(start) = key.or_else(|| rare_around(bytes, from, last)) {
            return Hit::at(from.max(start));
        }
    }
    if what & FOREIGN != 0
        && let Some(start) = names::foreign_around(bytes, at)
    {
        return Hit::at(from.max(start));
    }
    let [letters @ .., _] = four;
    name_end(bytes, barrier, letters, last)
}

/// Where the word of [`RARE`] begins whose four end with the byte at `last`.
fn rare_around(bytes: &[u8], from: usize, last: usize) -> Option<usize> {
    let four = u32::from_le_bytes(*bytes.get(..=last)?.last_chunk()?);
    let of = RARE_FOURS.iter().position(|of| *of == four)?;
    let start = last.checked_sub(3 + RARE_AT.get(of)?)?;
    let is_there = bytes.get(start..)?.starts_with(RARE.get(of)?);
    (is_there && begins_word(bytes, from, start)).then_some(start)
}

/// Whether a word begins at `at`, perhaps behind an escape. What stands before `from` is not looked at.
pub(super) fn begins_word(bytes: &[u8], from: usize, at: usize) -> bool {
    match bytes.get(from..at) {
        None => false,
        Some([.., b'\\', b'n' | b'r' | b't' | b'b' | b'f' | b'v' | b'0']) => true,
        Some(before) => !before.last().is_some_and(u8::is_ascii_alphanumeric),
    }
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
        [_, b':', b'A', b'P'] | [_, b':', b'f', b'x'] => true,
        [b'u', b'0', b'0', b'2'] => true,
        [b'0'..=b'9', b'Q', b'~', _] | [b'0'..=b'9', b':', b'A', b'A'] => true,
        [b'A', b'Z', b'D', b'O'] | [b'N', b'R', b'A', b'L'] => true,
        [b'A', b'z', b'S', b'e'] | [b'A', b'z', b'F', b'u'] | [b'A', b'z', b'C', b'a'] => true,
        [b'm', b's', b'h', _] => rest().get(25..28) == Some(b"jsn"),
        [b'M', b'C'..=b'H', _, b'C'] => is_base64_line(rest()),
        [_, b'-', ..] => {
            let before = at.checked_sub(31).and_then(|from| bytes.get(from..=at));
            let is_hex = |digits: &[u8]| digits.iter().all(u8::is_ascii_hexdigit);
            rest().get(10) == Some(&b'-') && before.is_some_and(is_hex)
        }
        _ => false,
    }
}

/// Whether a line of base64 begins `rest`, as that of a private key without armour.
fn is_base64_line(rest: &[u8]) -> bool {
    shapes::run(rest, Alphabet::Base64, pem::LEAST_LINE) == pem::LEAST_LINE
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
        rest.get(..least)
            .is_some_and(|word| word.iter().all(|byte| is_word(*byte)))
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
            is_id || window[0] == b'M' && is_base64_line(rest)
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

/// Whether a user may stand before the host of the URL, behind the scheme of which `rest` begins.
fn has_user(rest: &[u8]) -> bool {
    let near = rest.get(3..).unwrap_or_default();
    let near = near.get(..urls::LONGEST).unwrap_or(near);
    find::first(b'@', near).is_some_and(|sign| {
        let mut user = near.iter().take(sign);
        !user.any(|byte| {
            byte.is_ascii_whitespace() || matches!(byte, b'"' | b'\'' | b'`' | b'<' | b'>')
        })
    })
}

/// Whether the word with the byte at `at` is the name of a program, and an argument stands behind it.
fn is_program_around(bytes: &[u8], from: usize, at: usize) -> bool {
    const LONGEST: usize = 20;
    let rest = bytes.get(at..).unwrap_or_default();
    let ahead = rest.iter().take(LONGEST + 1);
    let end = at + ahead.take_while(|byte| is_word(**byte)).count();
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
