//! The items of a session, encoded in pieces of about the same size.

/// How many items the first piece has, when nothing is known of their size.
const FIRST: usize = 8;
/// The most items that a piece has.
const MOST: usize = 2048;

/// The encoded pieces of some items, each with the number of its items.
pub(super) struct Pieces<'i, T, E> {
    left: &'i [T],
    encode: E,
    next: usize,
    bytes: usize,
}

impl<'i, T, E: Fn(&'i [T]) -> Vec<u8>> Pieces<'i, T, E> {
    /// Encodes `items` by `encode`, about so many `bytes` at a time.
    pub(super) fn new(items: &'i [T], bytes: usize, encode: E) -> Self {
        Self {
            left: items,
            encode,
            next: FIRST,
            bytes,
        }
    }
}

impl<'i, T, E: Fn(&'i [T]) -> Vec<u8>> Iterator for Pieces<'i, T, E> {
    type Item = (Vec<u8>, u64);

    fn next(&mut self) -> Option<Self::Item> {
        if self.left.is_empty() {
            return None;
        }
        let (piece, left) = self.left.split_at(self.next.min(self.left.len()));
        self.left = left;
        let body = (self.encode)(piece);
        let each = body.len() / piece.len();
        self.next = (self.bytes / each.max(1)).clamp(1, MOST);
        Some((body, piece.len() as u64))
    }
}
