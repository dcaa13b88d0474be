//! Finds the positions in a text where the rules must look. Most bytes cost two look-ups in small
//! tables and a share of one branch.
//!
//! The filter reduces bytes to kinds: letters of either case, digits, a few kinds of signs. A
//! *four* is the kinds of four bytes in a row. A table (`fours`) has a bit for each four with which
//! something secret can begin or end. If the bit is set, the filter asks the tables of the rules.
//!
//! A hit is not yet a secret, but without a hit there is none. A test compares the pass with the
//! filter and the pass without it. The filter knows neither values nor the text around a hit.

use super::beginnings::{
    ANYWHERE, AT_START, FOREIGN, PART, PROGRAM, PROGRAM_PART, RARE, RARE_AT, RARE_FOURS, WITHIN,
    WORD, beginning,
};
use super::foreign;
use super::fours::{ENDS, FOURS, PRODUCTS, SIGN, four_hash, four_product};
use super::hashes;
use super::keys;
use super::names::{self, SecretKind};
use super::pem;
use super::scan::is_word;
use super::shapes;
use super::shapes::{Alphabet, LOOKED_AT};
use super::urls;
use super::wallets;
use super::{byte_search, commands};

/// How many bytes are looked up before one branch decides about all of them.
const CHUNK: usize = 8;

/// A position that is worth a closer look.
#[derive(Debug, Clone, Copy)]
pub(super) struct Hit {
    pub(super) at: usize,
    /// If a name that announces a secret is known to end at this position, the kind of that secret.
    pub(super) telling: Option<SecretKind>,
}

impl Hit {
    fn at(at: usize) -> Option<Self> {
        Some(Self { at, telling: None })
    }
}

/// The ends of the last words that were examined in vain: one as a name, one as a program. The bits
/// of several fours in one word may be set, but the word is examined once.
#[derive(Debug, Default)]
struct Judged {
    name: usize,
    program: usize,
}

/// Returns the first position from `from` to `until` that is worth a closer look. The rules must
/// not look at anything before `barrier`. The last three bytes of a text are skipped, because no
/// secret is that short.
#[inline]
pub(super) fn next(bytes: &[u8], barrier: usize, from: usize, until: usize) -> Option<Hit> {
    let known = bytes.get(..until + 3).unwrap_or(bytes);
    let mut judged = Judged::default();
    // A word may begin at `from`, as if signs preceded it.
    let product = four_product(u32::from(SIGN) << 10 | u32::from(SIGN) << 5 | u32::from(SIGN));
    if from == 0 {
        return next_far(known, barrier, from, (from, product), bytes, &mut judged);
    }
    // The next hit is often near the last one, so look at a single chunk first.
    match next_near(known, barrier, from, product, bytes, &mut judged) {
        Ok(hit) => Some(hit),
        Err(product) => next_far(
            known,
            barrier,
            from,
            (from + CHUNK, product),
            bytes,
            &mut judged,
        ),
    }
}

/// Does the same as [`next`] for a single chunk from `from` on. If nothing there is worth a closer
/// look, the error is the product after the chunk.
fn next_near(
    known: &[u8],
    barrier: usize,
    from: usize,
    mut product: u32,
    bytes: &[u8],
    judged: &mut Judged,
) -> Result<Hit, u32> {
    let near = known.get(from..).unwrap_or_default().iter().take(CHUNK);
    for (at, byte) in (from..).zip(near) {
        if marked_by(&mut product, *byte) != 0
            && let Some(hit) = look(bytes, barrier, from, at, judged)
        {
            return Ok(hit);
        }
    }
    Err(product)
}

/// Does the same as [`next`] from `at` on. `product` encodes the kinds of the bytes before `at`.
#[inline(never)]
fn next_far(
    known: &[u8],
    barrier: usize,
    from: usize,
    (mut at, mut product): (usize, u32),
    bytes: &[u8],
    judged: &mut Judged,
) -> Option<Hit> {
    let rest = known.get(at..)?;
    let (chunks, tail) = rest.as_chunks::<CHUNK>();
    for chunk in chunks {
        // One branch decides about the whole chunk, because in most chunks no bit is set.
        let mut marked = 0;
        for (offset, byte) in chunk.iter().enumerate() {
            marked |= marked_by(&mut product, *byte) << offset;
        }
        while marked != 0 {
            let hit = look(
                bytes,
                barrier,
                from,
                at + marked.trailing_zeros() as usize,
                judged,
            );
            if hit.is_some() {
                return hit;
            }
            marked &= marked - 1;
        }
        at += CHUNK;
    }
    for (offset, byte) in tail.iter().enumerate() {
        if marked_by(&mut product, *byte) != 0 {
            let hit = look(bytes, barrier, from, at + offset, judged);
            if hit.is_some() {
                return hit;
            }
        }
    }
    None
}

/// Returns the bit of the four that ends with `byte`. `product` encodes the kinds of the bytes
/// before.
#[inline(always)]
fn marked_by(product: &mut u32, byte: u8) -> u32 {
    let of = PRODUCTS.get(usize::from(byte)).copied().unwrap_or_default();
    *product = (*product << 5).wrapping_add(of);
    let hash = four_hash(*product);
    let bits = FOURS.get((hash >> 5) as usize).copied();
    bits.unwrap_or_default() >> (hash & 31) & 1
}

/// The byte is a sign with which something may begin. It is the first byte of a four or, for
/// [`SIGN_SECOND`], the second.
const SIGN_FIRST: u8 = 1;
const SIGN_SECOND: u8 = 2;
/// The byte is a letter that may begin a word which only more than four bytes identify.
const LETTER: u8 = 4;
/// The byte is a quote, or a letter that names a number of a JSON Web Key.
const NUMBER: u8 = 8;
/// The byte is a dash, which may be between two hexadecimal numbers, the second of eight digits.
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
            b'\\' | 0x1b | b'%' | b'?' | b'&' | b';' | b'$' | b'{' => SIGN_FIRST,
            b':' | b'Q' | b'[' | b')' => SIGN_SECOND,
            b'-' => DASH,
            b'M' | b'N' | b'O' | b'0' | b'1' | b'2' => LETTER,
            b'"' | b'\'' | b'd' | b'p' | b'q' | b'k' => NUMBER,
            _ => 0,
        };
        at += 1;
    }
    looks
}

/// Returns the position that is worth a closer look, if the four that ends with the byte at `last`
/// leads to one. The bit of that four is set.
#[inline(never)]
fn look(
    bytes: &[u8],
    barrier: usize,
    from: usize,
    last: usize,
    judged: &mut Judged,
) -> Option<Hit> {
    // A word may begin at `from`, as if a sign preceded it.
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
    // These two look-ups rule out most fours whose bit is set.
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
    let of_unquoted = match letters {
        [_, b':', b' '] | [_, _, b':'] => of_second & NUMBER,
        _ => 0,
    };
    if word | part | sign | of_unquoted == 0 && !is_end([first, letters[0], letters[1]]) {
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
    let has_slashes = match four {
        [_, b':', b'/', b'/'] => true,
        [_, b':', b'\\', b'/'] => rest.starts_with(b":\\/\\/"),
        _ => false,
    };
    if let [last, b':', ..] = four
        && has_slashes
        && (is_word(last) || last == b'+')
        && has_user(rest)
    {
        return Hit::at(from.max(urls::last_word_end(bytes, at)));
    }
    if is_part(bytes, at, four) {
        return Hit::at(at);
    }
    if what & PROGRAM_PART != 0 && is_program_around(bytes, from, last - 1, &mut judged.program) {
        return Hit::at(last - 1);
    }
    if what & WITHIN != 0 {
        if let Some(start) = urls::login_around(bytes, last) {
            return Hit::at(from.max(start));
        }
        let key = shapes::around(bytes, from, last);
        if let Some(start) = key.or_else(|| rare_around(bytes, from, last)) {
            return Hit::at(from.max(start));
        }
    }
    if what & FOREIGN != 0
        && let Some(start) = foreign::around(bytes, at)
    {
        return Hit::at(from.max(start));
    }
    let [letters @ .., _] = four;
    name_end(bytes, barrier, letters, last, &mut judged.name)
}

/// Returns the beginning of the word of [`RARE`] whose four rarest bytes end with the byte at
/// `last`.
fn rare_around(bytes: &[u8], from: usize, last: usize) -> Option<usize> {
    let four = u32::from_le_bytes(*bytes.get(..=last)?.last_chunk()?);
    let alike = RARE_FOURS.iter().enumerate();
    let mut alike = alike.filter(|(_, of)| **of == four);
    alike.find_map(|(of, _)| {
        let start = last.checked_sub(3 + RARE_AT.get(of)?)?;
        let is_there = bytes.get(start..)?.starts_with(RARE.get(of)?);
        (is_there && begins_word(bytes, from, start)).then_some(start)
    })
}

/// Returns whether a word begins at `at`, perhaps after an escape such as `\n`. Only the text from
/// `from` on counts.
pub(super) fn begins_word(bytes: &[u8], from: usize, at: usize) -> bool {
    match bytes.get(from..at) {
        None => false,
        Some([.., b'\\', b'n' | b'r' | b't' | b'b' | b'f' | b'v' | b'0']) => true,
        Some(before) => !before.last().is_some_and(u8::is_ascii_alphanumeric),
    }
}

/// Returns whether something begins with the sign at `at`.
fn is_sign(bytes: &[u8], at: usize, four: [u8; 4]) -> bool {
    let rest = || bytes.get(at..).unwrap_or_default();
    match four {
        // A word may begin after an escape.
        [b'\\', b'n' | b'r' | b't' | b'b' | b'f' | b'v' | b'0', ..] => {
            rest().get(2..).is_some_and(begins)
        }
        [b'\\', b'x', third, fourth] => third.is_ascii_hexdigit() && fourth.is_ascii_hexdigit(),
        [b'\\', b'u', b'0', _] | [0x1b, b'[', ..] => true,
        [b'%', b'0'..=b'7', second, _] => second.is_ascii_hexdigit(),
        [b'-', b'B', b'E', b'G'] | [b'-', b'E', b'N', b'D'] => true,
        [b'-', b'u', b's', b'0'..=b'9'] | [b'_', b'm', b'm', b'k'] => true,
        [b']', b':', b'0'..=b'9', b'0'..=b'9'] => true,
        [b'.', b'a', b't', b'l'] => rest().starts_with(b".atlasv1."),
        [b'$' | b'{', ..] => hashes::length(rest(), false).is_some(),
        [_, b'[', b'0'..=b'9', b'0'..=b'9'] => rest()
            .get(2..)
            .is_some_and(|list| wallets::list(list).is_some()),
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

/// Returns whether the four bytes at `at` can be part of a key or an escape, anywhere in a word.
fn is_part(bytes: &[u8], at: usize, four: [u8; 4]) -> bool {
    let rest = || bytes.get(at..).unwrap_or_default();
    match four {
        [_, b':', b'A', b'P'] | [_, b':', b'f', b'x'] => true,
        [b'u', b'0', b'0', b'2'] => true,
        [b'0'..=b'9', b'Q', b'~', _] => rest()
            .get(3..3 + LOOKED_AT)
            .is_some_and(|key| Alphabet::Parts.has_all(key)),
        [b'0'..=b'9', b':', b'A', b'A'] => true,
        // An account of a local chain: `(0) 0x…`.
        [b'0'..=b'9', b')', b' ', b'0'] => rest().get(4) == Some(&b'x'),
        [b'+', b'A', b'C', b'R'] | [b'+', b'A', b'S', b't' | b'b'] => true,
        [b'+', b'A', b'B', b'a'] | [b'+', b'A', b'E', b'h'] | [b'+', b'A', b'R', b'm'] => true,
        [b'A', b'Z', b'D', b'O'] | [b'N', b'R', b'A', b'L'] | [b'J', b'Q', b'Q', b'J'] => true,
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

/// Returns whether `rest` begins with a line of base64, as a private key without armour does.
fn is_base64_line(rest: &[u8]) -> bool {
    keys::run(rest, Alphabet::Base64, pem::LEAST_LINE) == pem::LEAST_LINE
}

/// How much of a word is searched for its end, in bytes.
const LONGEST: usize = 64;

/// Returns whether a name that announces a secret may end with these letters.
fn is_end([first, second, third]: [u8; 3]) -> bool {
    let is_short = matches!((second, third), (b'p' | b'P', b'w' | b'W'));
    let place = usize::from(first & 31) << 5 | usize::from(second & 31);
    is_short || ENDS.get(place).copied().unwrap_or_default() >> (third & 31) & 1 != 0
}

/// Returns the end of the name that has these letters before the byte at `last`, if it announces a
/// secret.
///
/// `judged` is the end of the last name that was examined and announces none.
fn name_end(
    bytes: &[u8],
    barrier: usize,
    letters: [u8; 3],
    last: usize,
    judged: &mut usize,
) -> Option<Hit> {
    is_end(letters).then_some(())?;
    let from = last - usize::from(!bytes.get(last).copied().is_some_and(is_word));
    if from <= *judged {
        return None;
    }
    let length = word_length(bytes.get(from..)?, LONGEST);
    let end = from + length;
    let name = bytes.get(barrier.max(end.saturating_sub(names::LONGEST))..end)?;
    let telling = names::telling(name);
    let hit = (length == LONGEST || telling.is_some()).then_some(Hit { at: end, telling });
    if hit.is_none() {
        *judged = end;
    }
    hit
}

/// Returns the length of the word that `bytes` begins with, at most `most`.
#[inline]
fn word_length(bytes: &[u8], most: usize) -> usize {
    let near = bytes.get(..most).unwrap_or(bytes);
    let end = near.iter().position(|byte| !is_word(*byte));
    end.unwrap_or(near.len())
}

/// Returns whether `rest`, which begins a word, can begin anything that the rules look for.
fn begins(rest: &[u8]) -> bool {
    let Some(window) = rest.first_chunk::<4>() else {
        return false;
    };
    let what = beginning(*window);
    what & (AT_START | ANYWHERE) != 0 && shapes::begins(rest)
        || what & PROGRAM != 0 && is_program(rest)
        || is_other(rest, *window, what)
}

/// Returns whether `text` begins with a quote, perhaps after backslashes.
#[inline]
fn begins_quote(text: &[u8]) -> bool {
    match text {
        [b'"' | b'\'' | b'`', ..] => true,
        [b'\\', behind, ..] => matches!(behind, b'"' | b'\'' | b'`' | b'\\'),
        _ => false,
    }
}

/// Returns whether `rest` can begin anything that the rules look for, other than a key or a program.
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
        // The name of a number and its closing quote, perhaps an escaped one.
        [b'd' | b'p' | b'q' | b'k', behind @ ..] if begins_quote(&behind) => true,
        [b'd' | b'p' | b'q' | b'k', b':', b' ', b'"' | b'\'']
        | [b'd', b'p' | b'q', b':', b' ']
        | [b'q', b'i', b':', b' '] => true,
        [b'd', b'p' | b'q', behind @ ..] | [b'q', b'i', behind @ ..] if begins_quote(&behind) => {
            true
        }
        [b'0'..=b'2', b'/', b'0'..=b'9', _] => true,
        [b'M' | b'N' | b'O', ..] => {
            let id = rest.get(..=keys::MOST_ID).unwrap_or(rest);
            let point = id.iter().position(|byte| !Alphabet::Alnum.has(*byte));
            let is_id =
                point.is_some_and(|point| point >= keys::LEAST_ID && id.get(point) == Some(&b'.'));
            // A private key in base64 may begin with these bytes.
            is_id || window[0] == b'M' && is_base64_line(rest)
        }
        _ if what & WORD == 0 => false,
        [b'e', b'y', b'J', _] => is_long(14),
        [b'L', b'S', b'0', b't'] => true,
        [b'r', b'e', b'_', _] | [b'p', b'k', b'_', _] | [b'a', b't', b'_', _] => is_long(26),
        [b'p', b'a', b't', _] => is_long(50),
        [b'A', b'3', b'-', _] => is_long(36),
        [b'0', b'0', b'D', _] => rest.get(15) == Some(&b'!') || rest.get(18) == Some(&b'!'),
        [b'A', b'A', b'A', b'A'] => rest.get(4) == Some(&b'A'),
        [b'W', b'I', b'F', b'I'] => rest.get(4) == Some(&b':'),
        _ => false,
    }
}

/// Returns whether a user may precede the host of a URL. `rest` begins right after the scheme.
fn has_user(rest: &[u8]) -> bool {
    let near = rest.get(3..).unwrap_or_default();
    let near = near.get(..urls::LONGEST).unwrap_or(near);
    byte_search::first(b'@', near).is_some_and(|sign| {
        let mut user = near.iter().take(sign);
        !user.any(|byte| byte.is_ascii_whitespace() || matches!(byte, b'"' | b'`' | b'<' | b'>'))
    })
}

/// Returns whether the word around `at` is the name of a program, and an argument follows.
///
/// `judged` is the end of the last word that was examined and is not such a name.
fn is_program_around(bytes: &[u8], from: usize, at: usize, judged: &mut usize) -> bool {
    const LONGEST: usize = 20;
    if at <= *judged {
        return false;
    }
    let length = word_length(bytes.get(at..).unwrap_or_default(), LONGEST + 1);
    let end = at + length;
    let next = bytes.get(end);
    if !matches!(next, Some(b' ' | b'\t' | b'"' | b'\'' | b'(')) {
        return false;
    }
    let before = bytes.get(from..end).unwrap_or_default();
    let least = before.len().saturating_sub(LONGEST + 2);
    let near = before.get(least..).unwrap_or_default();
    let gap = near.iter().rposition(|byte| !is_word(*byte));
    let (before, word) = before
        .split_at_checked(least + gap.map_or(0, |gap| gap + 1))
        .unwrap_or_default();
    let is_known = |word: &[u8]| match next {
        Some(b'(') => commands::call(word).is_some(),
        _ => commands::known(word).is_some_and(|known| {
            !known.is_only_call() || matches!(bytes.get(end + 1), Some(b'"' | b'\''))
        }),
    };
    // The first letter of the word may belong to an escape.
    let is_escaped = matches!(before, [.., b'\\']);
    let is_one = is_known(word) || is_escaped && word.get(1..).is_some_and(is_known);
    if !is_one {
        *judged = end;
    }
    is_one
}

/// Returns whether `rest` begins with the name of a program, and an argument follows.
fn is_program(rest: &[u8]) -> bool {
    const LONGEST: usize = 20;
    let length = word_length(rest, LONGEST + 1);
    let (word, behind) = rest.split_at_checked(length).unwrap_or_default();
    matches!(behind.first(), Some(b' ' | b'\t' | b'"' | b'\'')) && commands::known(word).is_some()
}
