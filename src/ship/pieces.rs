//! Encodes the items of a session in pieces of about the same size, one after the other.

/// How many items the first piece has, while their size is unknown.
const FIRST: usize = 8;
/// The most items that a piece has.
const MOST: usize = 2048;

/// Collects items until there are enough for a piece.
pub(super) struct Pieces<T, E> {
    items: Vec<T>,
    encode: E,
    next: usize,
    bytes: usize,
    /// How many items are still to be skipped.
    skipped: u64,
}

impl<T, E: Fn(&[T]) -> Vec<u8>> Pieces<T, E> {
    /// Creates a collector that encodes items by `encode`, about this many `bytes` at a time. It
    /// skips the first `skipped` items.
    pub(super) fn new(bytes: usize, skipped: u64, encode: E) -> Self {
        Self {
            items: Vec::new(),
            encode,
            next: FIRST,
            bytes,
            skipped,
        }
    }

    /// Adds an item. Returns a piece if one is complete, with the number of its items.
    pub(super) fn push(&mut self, item: T) -> Option<(Vec<u8>, u64)> {
        if self.skipped > 0 {
            self.skipped -= 1;
            return None;
        }
        self.items.push(item);
        if self.items.len() < self.next {
            return None;
        }
        self.end()
    }

    /// Returns the last piece, unless it has no items.
    pub(super) fn end(&mut self) -> Option<(Vec<u8>, u64)> {
        let items = self.items.len();
        if items == 0 {
            return None;
        }
        let body = (self.encode)(&self.items);
        self.items.clear();
        let each = body.len() / items;
        self.next = (self.bytes / each.max(1)).clamp(1, MOST);
        Some((body, items as u64))
    }
}
