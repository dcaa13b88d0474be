//! Finds a word in a list with few comparisons.
//!
//! It does not know what the words mean.

/// The length of the longest word in a list.
pub(super) const LONGEST_PLAIN: usize = 16;

/// Returns each word as a number. The numbers are in the order of the words.
#[allow(
    clippy::indexing_slicing,
    reason = "evaluated by the compiler: what is out of bounds does not build"
)]
pub(super) const fn numbers<const COUNT: usize>(words: &[&str]) -> [u128; COUNT] {
    let mut numbers = [0; COUNT];
    let mut at = 0;
    while at < COUNT {
        let word = words[at].as_bytes();
        let mut byte = 0;
        while byte < word.len() {
            numbers[at] |= (word[byte] as u128) << (120 - 8 * byte);
            byte += 1;
        }
        at += 1;
    }
    numbers
}

/// Returns the lengths of the words with each first letter, a bit for each length.
#[allow(
    clippy::indexing_slicing,
    reason = "evaluated by the compiler: what is out of bounds does not build"
)]
pub(super) const fn lengths(words: &[&str]) -> [u32; 32] {
    let mut lengths = [0; 32];
    let mut at = 0;
    while at < words.len() {
        let word = words[at].as_bytes();
        lengths[(word[0] & 31) as usize] |= 1 << word.len();
        at += 1;
    }
    lengths
}

/// Returns whether `word` is one of `words`, whatever its case. For most, no word has that first letter and that length.
#[inline]
pub(super) fn is_one_of(words: &[u128], lengths: &[u32; 32], word: &[u8]) -> bool {
    let Some(first) = word.first() else {
        return false;
    };
    let lengths = lengths.get(usize::from(first & 31)).copied();
    word.len() <= LONGEST_PLAIN
        && lengths.unwrap_or_default() >> word.len() & 1 != 0
        && is_among(words, word)
}

fn is_among(words: &[u128], word: &[u8]) -> bool {
    let mut number = 0u128;
    for byte in word {
        number = number << 8 | u128::from(byte.to_ascii_lowercase());
    }
    let number = number << (8 * (LONGEST_PLAIN - word.len()));
    words.binary_search(&number).is_ok()
}
