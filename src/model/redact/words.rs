//! Finds a word in a list with few comparisons.
//!
//! It does not know what the words mean.

/// The length of the longest word in a list.
pub(super) const LONGEST_PLAIN: usize = 16;

/// A list of words, in order. Each begins with a small letter.
pub(super) struct WordList<const COUNT: usize> {
    /// Each word as a number. The numbers are in the order of the words.
    numbers: [u128; COUNT],
    /// The lengths of the words with each first letter, a bit for each length.
    lengths: [u32; 32],
    /// The last letters of the words with each first letter, a bit for each letter.
    lasts: [u32; 32],
    /// Where the words with each first letter begin.
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
            lasts: [0; 32],
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
            list.lasts[first] |= 1 << letter(word[word.len() - 1]);
            // Of all later letters, too, until one of their words comes.
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
    /// Returns whether a word of the list has this first letter and this length, which is at most 31.
    #[inline]
    pub(super) fn has_length(&self, first: u8, length: usize) -> bool {
        let lengths = self.lengths.get(letter(first)).copied();
        lengths.unwrap_or_default() >> (length & 31) & 1 != 0
    }

    /// Returns whether `word` is in the list, whatever its case.
    ///
    /// For most words, none in the list has the same first letter, last letter and length.
    #[inline]
    pub(super) fn has(&self, word: &[u8]) -> bool {
        let (Some(&first), Some(&last)) = (word.first(), word.last()) else {
            return false;
        };
        let lasts = self.lasts.get(letter(first)).copied();
        word.len() <= LONGEST_PLAIN
            && self.has_length(first, word.len())
            && lasts.unwrap_or_default() >> letter(last) & 1 != 0
            && self.is_among(letter(first), word)
    }

    fn is_among(&self, first: usize, word: &[u8]) -> bool {
        let mut letters = [0; LONGEST_PLAIN];
        for (letter, byte) in letters.iter_mut().zip(word) {
            *letter = byte.to_ascii_lowercase();
        }
        let number = u128::from_be_bytes(letters);
        let start = |first: usize| self.starts.get(first).copied().map(usize::from);
        let alike = start(first).zip(start(first + 1));
        let alike = alike.and_then(|(start, end)| self.numbers.get(start..end));
        alike.is_some_and(|alike| alike.binary_search(&number).is_ok())
    }
}
