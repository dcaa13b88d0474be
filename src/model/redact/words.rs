//! Finds a word in a list with few comparisons.
//!
//! This module does not know what the words mean.

/// The length of the longest word in any list, in bytes.
pub(super) const LONGEST_PLAIN: usize = 16;

/// A list of words in alphabetical order. Each word begins with a small letter, and has a second
/// character.
pub(super) struct WordList<const COUNT: usize> {
    /// Each word as a number, in the order of the words.
    numbers: [u128; COUNT],
    /// For each first letter, the lengths of the words that begin with it, a bit for each length.
    lengths: [u32; 32],
    /// For each first letter, the second letters of the words that begin with it, a bit for each
    /// letter.
    seconds: [u32; 32],
    /// For each first letter, the index of the first word that begins with it.
    starts: [u16; 33],
}

#[allow(
    clippy::indexing_slicing,
    reason = "evaluated by the compiler: what is out of bounds does not build"
)]
impl<const COUNT: usize> WordList<COUNT> {
    pub(super) const fn of(words: &[&str]) -> Self {
        let mut list = Self {
            numbers: [0; COUNT],
            lengths: [0; 32],
            seconds: [0; 32],
            starts: [0; 33],
        };
        let mut at = 0;
        while at < COUNT {
            let word = words[at].as_bytes();
            let mut byte = 0;
            while byte < word.len() {
                list.numbers[at] |= (word[byte] as u128) << (120 - 8 * byte);
                byte += 1;
            }
            let first = letter(word[0]);
            list.lengths[first] |= 1 << word.len();
            list.seconds[first] |= 1 << letter(word[1]);
            // The words of every later first letter begin after this word, unless more words come
            // before them.
            let mut after = first + 1;
            while after < list.starts.len() {
                list.starts[after] = at as u16 + 1;
                after += 1;
            }
            at += 1;
        }
        list
    }
}

const fn letter(byte: u8) -> usize {
    (byte & 31) as usize
}

impl<const COUNT: usize> WordList<COUNT> {
    /// Returns whether a word of the list begins with these two letters. This rules out most words.
    #[inline]
    pub(super) fn may_begin(&self, first: u8, second: u8) -> bool {
        let seconds = self.seconds.get(letter(first)).copied();
        seconds.unwrap_or_default() >> letter(second) & 1 != 0
    }

    /// Returns whether `word` is in the list, whatever its case.
    #[inline]
    pub(super) fn has(&self, word: &[u8]) -> bool {
        let [first, second, ..] = *word else {
            return false;
        };
        let lengths = self.lengths.get(letter(first)).copied();
        self.may_begin(first, second)
            && word.len() <= LONGEST_PLAIN
            && lengths.unwrap_or_default() >> word.len() & 1 != 0
            && self.is_among(letter(first), word)
    }

    fn is_among(&self, first: usize, word: &[u8]) -> bool {
        let number = small(last_bytes(word)) << (8 * (LONGEST_PLAIN - word.len()));
        let start = |first: usize| self.starts.get(first).copied().map(usize::from);
        let alike = start(first).zip(start(first + 1));
        let alike = alike.and_then(|(start, end)| self.numbers.get(start..end));
        alike.is_some_and(|alike| alike.binary_search(&number).is_ok())
    }
}

/// Returns the last 16 bytes of `text` as a number. The last byte is the lowest.
#[inline]
pub(super) fn last_bytes(text: &[u8]) -> u128 {
    if let Some(last) = text.last_chunk() {
        return u128::from_be_bytes(*last);
    }
    // Read two pieces that may overlap, which is faster than a loop over so few bytes.
    if let (Some(first), Some(last)) = (text.first_chunk(), text.last_chunk()) {
        let (first, last) = (u64::from_be_bytes(*first), u64::from_be_bytes(*last));
        // Keep the bytes of the first piece that are not in the last one.
        let rest = first.checked_shr(8 * (16 - text.len()) as u32);
        return u128::from(rest.unwrap_or_default()) << 64 | u128::from(last);
    }
    text.iter()
        .fold(0, |number, byte| number << 8 | u128::from(*byte))
}

/// Returns `letters` with capitals turned into small letters.
#[inline]
fn small(letters: u128) -> u128 {
    const ONES: u128 = u128::from_ne_bytes([1; 16]);
    const LOW: u128 = ONES * 0x7f;
    let low = letters & LOW;
    let from_a = low + ONES * (0x80 - b'A' as u128);
    let behind_z = low + ONES * (0x7f - b'Z' as u128);
    letters | (from_a & !behind_z & !letters & !LOW) >> 2
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn reading_and_lowercasing_many_bytes_equals_one_by_one(text in proptest::collection::vec(any::<u8>(), 0..20)) {
            let last = text.iter().skip(text.len().saturating_sub(16));
            let read = last.clone().fold(0, |number, byte| number << 8 | u128::from(*byte));
            let lower = last.fold(0, |number, byte| number << 8 | u128::from(byte.to_ascii_lowercase()));
            prop_assert_eq!(last_bytes(&text), read);
            prop_assert_eq!(small(last_bytes(&text)), lower);
        }
    }
}
