//! Finds a word in a list with few comparisons.
//!
//! It does not know what the words mean.

/// The length of the longest word in a list.
pub(super) const LONGEST_PLAIN: usize = 16;

/// A list of words, in order. Each begins with a small letter, and has a second character.
pub(super) struct WordList<const COUNT: usize> {
    /// Each word as a number. The numbers are in the order of the words.
    numbers: [u128; COUNT],
    /// The lengths of the words with each first letter, a bit for each length.
    lengths: [u32; 32],
    /// The second letters of the words with each first letter, a bit for each letter.
    seconds: [u32; 32],
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
    /// Returns whether a word of the list begins with these two letters. Most words are ruled out by them.
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
