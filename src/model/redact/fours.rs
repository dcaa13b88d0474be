//! Makes the filter's table of *fours*. A four is the kinds of four bytes in a row. The table has a
//! bit for each four with which something secret may begin or end.
//!
//! The compiler makes the table from the rules' own tables. `prefilter` decides what a set bit
//! means.

use super::beginnings::{KEYS, LITERALS, RARE, RARE_AT, WORDS, from, is_told_by_start, rarest};
use super::commands;
use super::foreign;
use super::names;
use super::shapes;

/// Parts of names that announce a secret, by which the filter finds those names. They are for names
/// whose last letters many other words share.
#[rustfmt::skip]
pub(super) const PARTS: &[&[u8]] = &[
    // Many words end like these names, so the filter looks for a part further to the left.
    b"auth", b"sscode", b"tpcode", b"facode", b"fa_", b"fa code", b"torcode", b"tor_", b"or code", b"eydata",
    b"upcode", b"up_code", b"rycode", b"ry_code", b"tstring", b"t_string", b"tpseed", b"tp_seed", b"faseed", b"vesecreta", b"ve_secreta",
    b"skode", b"swort", b"nwort", b"_wort", b"hrase", b"hiave",
    b"amz_", b"mzsignature", b"mz signature", b"oog_", b"ogsignature", b"og signature", b"nar_", b"nar.", b"arlogin", b"ar login",
    b"frog", b"ycom", b"jwt_", b"eymat", b"ey_mat", b"eyco", b"ey c", b"ey_c",
];

/// The beginnings of hashes of passwords, and of the vault of Ansible.
const HASHES: &[&[u8]] = &[
    b"$y$j", b"$gy$", b"$apr", b"$arg", b"$scr", b"$pbk", b"$bcr", b"$sha", b"$krb", b"$P$B",
    b"$H$9", b"$S$D", b"$S$C", b"$S$E", b"$md5", b"$ANS",
];

/// The kinds of bytes, apart from letters. The kind of a letter is its position in the alphabet,
/// from 0, in either case.
pub(super) const INITIAL: u8 = 26;
pub(super) const DIGIT: u8 = 27;
pub(super) const SIGN: u8 = 28;
pub(super) const JOINT: u8 = 29;
pub(super) const MARK: u8 = 30;
pub(super) const ODD: u8 = 31;

/// The kind of each byte.
pub(super) const KINDS: [u8; 256] = kinds();

/// The [`four_product`] of each byte's kind.
pub(super) static PRODUCTS: [u32; 256] = products();

#[allow(
    clippy::indexing_slicing,
    reason = "evaluated by the compiler: what is out of bounds does not build"
)]
pub(super) const fn products() -> [u32; 256] {
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
pub(super) const fn kinds() -> [u8; 256] {
    let mut kinds = [SIGN; 256];
    let mut at = 0;
    while at < 256 {
        let byte = at as u8;
        kinds[at] = match byte {
            b'a'..=b'z' => byte - b'a',
            // The tokens of some bots begin with these capitals, and so do private keys in base64.
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

/// Sets of kinds, as one bit for each kind.
pub(super) const ANY: u32 = u32::MAX;
pub(super) const SIGNS: u32 = 1 << SIGN | 1 << JOINT | 1 << MARK | 1 << ODD;
pub(super) const HEX: u32 = 0b11_1111 | 1 << DIGIT;
pub(super) const ALNUM: u32 = (1 << SIGN) - 1;

/// Returns the set with the kind of `byte`.
#[allow(clippy::indexing_slicing, reason = "KINDS has an entry for each byte")]
pub(super) const fn one(byte: u8) -> u32 {
    1 << KINDS[byte as usize]
}

/// Returns the set with the kinds of a letter in upper and in lower case.
pub(super) const fn both(byte: u8) -> u32 {
    one(byte.to_ascii_lowercase()) | one(byte.to_ascii_uppercase())
}

/// One bit for each hash of a four: whether the filter must look closer there.
pub(super) static FOURS: [u32; 1 << (FOUR_BITS - 5)] = fours();
pub(super) const FOUR_BITS: u32 = 17;
/// The multiplier of [`four_product`]. With it, the product depends only on the last four kinds.
pub(super) const FOUR_MULTIPLIER: u32 = 0x2_d9b9 << 12;

/// Returns the product of `kinds`, a number in which each kind takes five bits. To append a kind,
/// shift the product by five bits and add the product of the new kind. The fifth kind from the end
/// then drops out.
pub(super) const fn four_product(kinds: u32) -> u32 {
    kinds.wrapping_mul(FOUR_MULTIPLIER)
}

pub(super) const fn four_hash(product: u32) -> u32 {
    product >> (u32::BITS - FOUR_BITS)
}

/// Sets the bit of every four that takes one kind from each of these sets.
#[allow(
    clippy::indexing_slicing,
    reason = "evaluated by the compiler: what is out of bounds does not build"
)]
pub(super) const fn mark(fours: &mut [u32; 1 << (FOUR_BITS - 5)], kinds: [u32; 4]) {
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

/// Sets the bit of the four with which `bytes` begins.
#[allow(
    clippy::indexing_slicing,
    reason = "evaluated by the compiler: what is out of bounds does not build"
)]
pub(super) const fn mark_bytes(fours: &mut [u32; 1 << (FOUR_BITS - 5)], bytes: &[u8]) {
    // If there are only three bytes, any sign may follow them.
    let last = if bytes.len() > 3 {
        one(bytes[3])
    } else {
        1 << SIGN
    };
    mark(fours, [one(bytes[0]), one(bytes[1]), one(bytes[2]), last]);
}

/// Sets the bits for the beginning of a word, after a sign or after an escape such as `\n`.
pub(super) const fn mark_start(fours: &mut [u32; 1 << (FOUR_BITS - 5)], kinds: [u32; 3]) {
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
pub(super) const fn start_of(word: &[u8], or: u32) -> [u32; 3] {
    let third = if word.len() > 2 { one(word[2]) } else { or };
    [one(word[0]), one(word[1]), third]
}

/// Returns whether the filter finds a name that announces a secret by its last letters. It finds
/// the other names by [`PARTS`], because many words end like them.
#[allow(
    clippy::indexing_slicing,
    reason = "evaluated by the compiler: what is out of bounds does not build"
)]
pub(super) const fn is_told_by_end(name: &[u8]) -> bool {
    const MANY: [&[u8]; 16] = [
        b"ring", b"seed", b"reta", b"code", b"tion", b"ture", b"data", b"ogin", b"kode", b"wort",
        b"rase", b"iave", b"tapi", b"team", b"rial", b"tent",
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

/// Sets the bits for the end of a name that announces a secret: its last three letters.
#[allow(
    clippy::indexing_slicing,
    reason = "evaluated by the compiler: what is out of bounds does not build"
)]
pub(super) const fn mark_end(fours: &mut [u32; 1 << (FOUR_BITS - 5)], name: &[u8], behind: u32) {
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
pub(super) const fn fours() -> [u32; 1 << (FOUR_BITS - 5)] {
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
    // The number of a bot in base64: two digits have only a few second characters in base64. Then
    // private keys in base64, long and short ones.
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
    // `by '`, and the names of the private numbers of a JSON Web Key.
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
    mark(
        &mut fours,
        [
            1 << SIGN,
            one(b'd') | one(b'p') | one(b'q') | one(b'k'),
            1 << MARK,
            1 << SIGN,
        ],
    );
    mark(
        &mut fours,
        [1 << SIGN, one(b'd'), one(b'p') | one(b'q'), 1 << MARK],
    );
    mark(&mut fours, [1 << SIGN, one(b'q'), one(b'i'), 1 << MARK]);
    // Hashes of passwords: `$6$…`, `$2b$…`, `$y$…`, `$argon2id$…`, `{SSHA}…`.
    mark(
        &mut fours,
        [1 << MARK, 1 << DIGIT, 1 << MARK, ALNUM | 1 << SIGN],
    );
    mark(&mut fours, [1 << MARK, 1 << DIGIT, ALNUM, 1 << MARK]);
    at = 0;
    while at < HASHES.len() {
        mark_bytes(&mut fours, HASHES[at]);
        at += 1;
    }
    mark(&mut fours, [1 << SIGN, one(b's'), one(b's'), one(b'h')]);
    mark(&mut fours, [1 << SIGN, one(b's'), one(b'h'), one(b'a')]);
    // The accounts of a local chain, and lists of numbers.
    mark(&mut fours, [1 << DIGIT, 1 << SIGN, 1 << SIGN, 1 << DIGIT]);
    mark(&mut fours, [1 << SIGN, 1 << MARK, 1 << DIGIT, 1 << DIGIT]);
    // A network after a user and a password.
    mark_bytes(&mut fours, b"tcp(");
    mark_bytes(&mut fours, b"nix(");
    mark_bytes(&mut fours, b"sql(");
    // A port after the address of a server in brackets.
    mark(&mut fours, [1 << SIGN, one(b':'), 1 << DIGIT, 1 << DIGIT]);
    // The beginning of `1/123…:`. Then what follows a number or a key: `:AA`, `:APA91b`, `:fx`,
    // `Q~`.
    mark_start(&mut fours, [1 << DIGIT, 1 << MARK, 1 << DIGIT]);
    mark(&mut fours, [1 << DIGIT, 1 << MARK, one(b'a'), one(b'a')]);
    mark(&mut fours, [ANY, 1 << MARK, one(b'a'), one(b'p')]);
    mark(&mut fours, [HEX, 1 << MARK, one(b'f'), one(b'x')]);
    mark(&mut fours, [1 << DIGIT, one(b'q'), 1 << ODD, ANY]);
    mark(&mut fours, [one(b'm'), one(b's'), one(b'h'), ALNUM]);
    // Three hexadecimal numbers, of 32, 8 and 8 digits, with dashes between them.
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
    mark(&mut fours, [ALNUM, one(b':'), one(b'\\'), one(b'/')]);
    // Escapes, and the colour codes of terminals.
    mark(&mut fours, [one(b'u'), 1 << DIGIT, 1 << DIGIT, 1 << DIGIT]);
    mark(&mut fours, [1 << ODD, one(b'u'), 1 << DIGIT, ANY]);
    mark(&mut fours, [1 << ODD, one(b'x'), HEX, HEX]);
    mark(&mut fours, [1 << ODD, 1 << DIGIT, HEX, ANY]);
    mark(
        &mut fours,
        [1 << ODD, one(b'['), 1 << DIGIT | 1 << ODD, ANY],
    );
    // Names that announce a secret, and what may follow such a name: any sign, a number, or a
    // suffix.
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
    while at < foreign::NAMES.len() {
        let name = foreign::NAMES[at].0.as_bytes();
        if let Some(offset) = foreign::window(name) {
            mark_bytes(&mut fours, from(name, offset));
        }
        at += 1;
    }
    // Texts are full of blanks, so the filter must not stop at four blanks.
    let blanks = four_hash(four_product(
        (SIGN as u32) << 15 | (SIGN as u32) << 10 | (SIGN as u32) << 5 | SIGN as u32,
    ));
    assert!(fours[(blanks >> 5) as usize] >> (blanks & 31) & 1 == 0);
    fours
}

/// The last three letters of names that announce a secret, and the first three of [`PARTS`]. An
/// entry is for two letters in either case; it has a bit for each third letter.
pub(super) static ENDS: [u32; 1 << 10] = ends();

#[allow(
    clippy::indexing_slicing,
    reason = "evaluated by the compiler: what is out of bounds does not build"
)]
pub(super) const fn ends() -> [u32; 1 << 10] {
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
pub(super) const fn end(ends: &mut [u32; 1 << 10], name: &[u8]) {
    let length = name.len();
    if length > 2 && is_told_by_end(name) {
        let place = (name[length - 3] as usize & 31) << 5 | name[length - 2] as usize & 31;
        ends[place] |= 1 << (name[length - 1] & 31);
    }
}
