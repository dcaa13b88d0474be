//! Tells what can begin with four given bytes, or contain them. `prefilter` and `keys` look this up
//! to skip text without secrets.
//!
//! The compiler makes the table from the rules' own tables. This module does not know what its
//! answers are used for.

use super::commands;
use super::foreign;
use super::shapes;

/// A key may begin with these bytes if they begin a word.
pub(super) const AT_START: u8 = 1;
/// A key may begin with these bytes, also within a word.
pub(super) const ANYWHERE: u8 = 2;
/// A short name of a program may begin with these bytes if they begin a word.
pub(super) const PROGRAM: u8 = 4;
/// A longer name of a program may contain these bytes.
pub(super) const PROGRAM_PART: u8 = 64;
/// These bytes may be a part of a key or of an escape, anywhere in a word.
pub(super) const PART: u8 = 128;
/// Something other than a key or a program may begin with these bytes if they begin a word.
pub(super) const WORD: u8 = 8;
/// A name that announces a secret, in letters that are not ASCII, may contain these bytes.
pub(super) const FOREIGN: u8 = 16;
/// Something that begins before these bytes may contain them.
pub(super) const WITHIN: u8 = 32;

/// For each hash of four bytes: what can begin with those bytes or contain them, as bits like
/// [`AT_START`].
pub(super) static BEGINNINGS: [u8; 1 << HASH_BITS] = beginnings();
pub(super) const HASH_BITS: u32 = 13;
pub(super) const MULTIPLIER: u32 = 0xfb49_5555;

/// Returns the multiplicative hash of three bytes and the upper half of the fourth. The upper half
/// of a byte tells signs, digits and letters apart.
pub(super) const fn hash(bytes: u32) -> usize {
    let bytes = bytes & 0xf0ff_ffff;
    (bytes.wrapping_mul(MULTIPLIER) >> (u32::BITS - HASH_BITS)) as usize
}

/// Returns what may begin with these bytes or contain them: [`AT_START`] and the other bits.
#[inline(always)]
pub(super) fn beginning(bytes: [u8; 4]) -> u8 {
    let at = hash(u32::from_le_bytes(bytes));
    BEGINNINGS.get(at).copied().unwrap_or_default()
}

#[allow(
    clippy::indexing_slicing,
    reason = "evaluated by the compiler: what is out of bounds does not build"
)]
pub(super) const fn beginnings() -> [u8; 1 << HASH_BITS] {
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
    mark_key(&mut marks, b"tcp(", WITHIN);
    mark_key(&mut marks, b"nix(", WITHIN);
    mark_key(&mut marks, b"sql(", WITHIN);
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
    while at < foreign::NAMES.len() {
        let name = foreign::NAMES[at].0.as_bytes();
        if let Some(offset) = foreign::window(name) {
            mark_key(&mut marks, from(name, offset), FOREIGN);
        }
        at += 1;
    }
    marks
}

/// Returns `bytes` from `offset` on.
pub(super) const fn from(bytes: &[u8], offset: usize) -> &[u8] {
    bytes.split_at(offset).1
}

/// Returns the offset of the four bytes in a row that are rarest in usual texts. With `may_end`,
/// the last three bytes and a sign after them also count as four.
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

/// Returns whether the four letters at `at` are common in texts, although each letter is rare.
#[rustfmt::skip]
#[allow(
    clippy::indexing_slicing,
    reason = "evaluated by the compiler: what is out of bounds does not build"
)]
pub(super) const fn is_common(bytes: &[u8], at: usize) -> bool {
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

/// Returns how rare a byte is in texts, on a roughly logarithmic scale: the rarer, the greater.
pub(super) const fn rarity_of(byte: u8) -> u32 {
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

/// Returns whether the filter finds a program by the beginning of its name. This is so for short
/// names, and for names with which many other words end.
pub(super) const fn is_told_by_start(name: &[u8]) -> bool {
    matches!(name, [_, _] | b"age" | b"now" | b"hub")
}

/// Sets the bit `mark` in the entries of all groups of four bytes that begin with `prefix`.
#[allow(
    clippy::indexing_slicing,
    reason = "evaluated by the compiler: what is out of bounds does not build"
)]
pub(super) const fn mark_key(marks: &mut [u8; 1 << HASH_BITS], prefix: &[u8], mark: u8) {
    // The compiler evaluates this for hundreds of prefixes, so it takes the only byte that fits.
    let (mut third, last) = match prefix.len() {
        2 => (0u8, u8::MAX),
        _ => (prefix[2], prefix[2] + 1),
    };
    while third < last {
        // After a prefix of two bytes, hexadecimal digits follow, or an argument of a program.
        let fits = match prefix.len() {
            2 => third.is_ascii_hexdigit() || matches!(third, b' ' | b'\t' | b'"' | b'\''),
            _ => prefix[2] == third,
        };
        // After a prefix of three bytes, any ASCII character may follow.
        let (mut kind, last_kind) = match prefix.len() {
            4.. => (prefix[3] >> 4, (prefix[3] >> 4) + 1),
            _ => (0u8, 16),
        };
        while fits && kind < last_kind {
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

/// The beginnings of keys that are identified only together with their other parts. They count
/// wherever a part of a word begins.
pub(super) const KEYS: [&[u8]; 2] = [b"eyJ", b"LS0tLS1C"];

/// Other beginnings of what the rules look for. They count only where a word begins.
#[rustfmt::skip]
pub(super) const WORDS: &[&[u8]] = &[
    b"by ", b"by\t", b"BY ", b"BY\t", b"By ",
    // Keys that `keys` recognises by their parts.
    b"re_", b"pk_", b"at_", b"pat", b"A3-", b"00D", b"AAAAA", b"WIFI:",
];

/// Words that the filter finds by their four rarest bytes.
#[rustfmt::skip]
pub(super) const RARE: &[&[u8]] = &[
    b"Bearer", b"bearer", b"Basic ", b"echo ", b"printf ", b"machine ", b"Private-Lines", b"oauth:", b"b3BlbnNz", b"accounts: [", b"Wallet(",
    b"value", b"Value", b"sensitive", b"apiVersion",
    b"content=", b"TRUE\t", b"FALSE\t", b"5432:", b"5433:", b"6432:",
    b"IDENTIFIED BY ", b"identified by ", b"thin:", b"on >", b"in with ", b"login with ", b"PRAGMA key", b"PRAGMA rekey", b"pragma key", b"pragma rekey",
    b"option key ", b"EAP \"", b"XAUTH \"",
];

/// For each of [`RARE`], the offset of its four rarest bytes.
pub(super) const RARE_AT: [usize; RARE.len()] = rare_at();
pub(super) const RARE_FOURS: [u32; RARE.len()] = rare_fours();

#[allow(
    clippy::indexing_slicing,
    reason = "evaluated by the compiler: what is out of bounds does not build"
)]
pub(super) const fn rare_at() -> [usize; RARE.len()] {
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
pub(super) const fn rare_fours() -> [u32; RARE.len()] {
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

/// Parts of keys and of private key blocks. They count anywhere in a word.
pub(super) const LITERALS: [&[u8]; 16] = [
    b"+ACR", b"+ASt", b"+ABa", b"+ASb", b"+AEh", b"+ARm", b"JQQJ", b"-BEG", b"-END", b"-us0",
    b"AZDO", b"AzSe", b"AzFu", b"AzCa", b"NRAL", b"_mmk",
];
