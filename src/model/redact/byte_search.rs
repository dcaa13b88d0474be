//! Searches a text for a byte, for one of two bytes, or for several in a row.
//!
//! Before its first search, memchr asks the processor what it can do. In a virtual machine, each
//! such question interrupts the machine; together they take longer than a hook needs for a small
//! payload. So this module searches a small text itself, eight bytes at a time, and leaves only long
//! texts to memchr.

/// The longest text that is searched without memchr, in bytes. In a longer text, memchr saves more
/// time than its questions to the processor cost.
const SMALL: usize = 16 * 1024;

const ONES: u64 = u64::from_ne_bytes([1; 8]);
const LOW: u64 = u64::from_ne_bytes([0x7f; 8]);

/// Returns where `wanted` occurs first.
pub(super) fn first(wanted: u8, text: &[u8]) -> Option<usize> {
    match text.len() <= SMALL {
        true => forward(text, |word| places(wanted, word)),
        false => memchr::memchr(wanted, text),
    }
}

/// Returns where one of the two bytes occurs first.
pub(super) fn first_of(wanted: [u8; 2], text: &[u8]) -> Option<usize> {
    let [one, other] = wanted;
    match text.len() <= SMALL {
        true => forward(text, |word| places(one, word) | places(other, word)),
        false => memchr::memchr2(one, other, text),
    }
}

/// Returns where all of `part` occurs first.
pub(super) fn part(part: &[u8], text: &[u8]) -> Option<usize> {
    if text.len() > SMALL {
        return memchr::memmem::find(text, part);
    }
    let is_there = |at: &usize| text.get(*at..).is_some_and(|rest| rest.starts_with(part));
    all(*part.first()?, text).find(is_there)
}

/// Returns where `wanted` occurs last.
pub(super) fn last(wanted: u8, text: &[u8]) -> Option<usize> {
    if text.len() > SMALL {
        return memchr::memrchr(wanted, text);
    }
    let (rest, words) = text.as_rchunks();
    let mut end = text.len();
    for word in words.iter().rev() {
        let found = places(wanted, u64::from_le_bytes(*word));
        if found != 0 {
            return Some(end - 1 - found.leading_zeros() as usize / 8);
        }
        end -= word.len();
    }
    rest.iter().rposition(|byte| *byte == wanted)
}

/// Returns each place where `wanted` occurs, in order.
pub(super) fn all(wanted: u8, text: &[u8]) -> impl Iterator<Item = usize> {
    let mut from = 0;
    std::iter::from_fn(move || {
        let at = from + first(wanted, text.get(from..)?)?;
        from = at + 1;
        Some(at)
    })
}

fn forward(text: &[u8], places: impl Fn(u64) -> u64) -> Option<usize> {
    let (words, rest) = text.as_chunks();
    let mut at = 0;
    for word in words {
        let found = places(u64::from_le_bytes(*word));
        if found != 0 {
            return Some(at + found.trailing_zeros() as usize / 8);
        }
        at += word.len();
    }
    let found = match text.last_chunk() {
        // Search the last eight bytes of the text, without those that were searched already. This
        // is faster than copying the rest.
        Some(last) => {
            let searched = 8 * (last.len() - rest.len()) as u32;
            let found = places(u64::from_le_bytes(*last)).checked_shr(searched);
            found.unwrap_or_default()
        }
        None => {
            let mut word = [0; 8];
            word.get_mut(..rest.len())?.copy_from_slice(rest);
            places(u64::from_le_bytes(word))
        }
    };
    let place = found.trailing_zeros() as usize / 8;
    (place < rest.len()).then_some(at + place)
}

/// Returns the highest bit of each byte of `word` that is `wanted`.
fn places(wanted: u8, word: u64) -> u64 {
    let other = word ^ (ONES * u64::from(wanted));
    !(((other & LOW) + LOW) | other | LOW)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn finds_what_a_search_byte_by_byte_finds(
            text in proptest::collection::vec(prop_oneof![Just(b'['), Just(b'Z'), Just(0), Just(0x80), any::<u8>()], 0..40),
        ) {
            for wanted in [b'[', b'Z', 0, 0x80, 0xff] {
                let is = |byte: &u8| *byte == wanted;
                prop_assert_eq!(first(wanted, &text), text.iter().position(is));
                prop_assert_eq!(last(wanted, &text), text.iter().rposition(is));
                let pair = [wanted, b'Z'];
                prop_assert_eq!(part(&pair, &text), text.windows(2).position(|two| two == pair));
                let places: Vec<usize> = (0..text.len()).filter(|at| is(&text[*at])).collect();
                prop_assert_eq!(all(wanted, &text).collect::<Vec<_>>(), places);
                let is_either = |byte: &u8| is(byte) || *byte == b'"';
                prop_assert_eq!(first_of([wanted, b'"'], &text), text.iter().position(is_either));
            }
        }
    }

    #[test]
    fn long_texts_are_searched_like_short_ones() {
        for length in [SMALL - 1, SMALL, SMALL + 1] {
            let mut text = vec![b'.'; length];
            assert_eq!((first(b'[', &text), last(b'[', &text)), (None, None));
            text[7] = b'[';
            text[length - 2] = b'[';
            assert_eq!(first(b'[', &text), Some(7));
            assert_eq!(first_of([b'"', b'['], &text), Some(7));
            assert_eq!(part(b"..[", &text), Some(5));
            assert_eq!(last(b'[', &text), Some(length - 2));
            assert_eq!(all(b'[', &text).collect::<Vec<_>>(), [7, length - 2]);
        }
    }
}
