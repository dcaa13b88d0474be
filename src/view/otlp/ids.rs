//! The ids of traces, spans and log records. An id is a hash of what it identifies, so a span that
//! is sent again, even from another machine, has the same id.

use std::collections::HashSet;
use std::fmt;

use sha2::{Digest, Sha256};

/// The id of a trace: 16 bytes, not all zero.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TraceId(pub [u8; 16]);

/// The id of a span: 8 bytes, not all zero.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SpanId(pub [u8; 8]);

/// The `log.record.uid` of a log record.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordUid(pub [u8; 16]);

/// What an id identifies. The kind is part of the hash, so a turn and a call with the same key have
/// different ids.
#[derive(Debug, Clone, Copy)]
pub(super) enum IdKind {
    Trace,
    Turn,
    Call,
    Permission,
    Background,
    Run,
    Event,
    EndOfCall,
    Commit,
    Usage,
}

impl IdKind {
    /// Returns the text that is hashed for the kind.
    fn as_str(self) -> &'static str {
        match self {
            Self::Trace => "Trace",
            Self::Turn => "Turn",
            Self::Call => "Call",
            Self::Permission => "Permission",
            Self::Background => "Background",
            Self::Run => "Run",
            Self::Event => "Event",
            Self::EndOfCall => "EndOfCall",
            Self::Commit => "Commit",
            Self::Usage => "Usage",
        }
    }
}

/// Returns the hash that identifies something in a session by a list of texts, `parts`. Different
/// lists have different hashes, whatever characters the texts contain.
pub(super) fn digest(kind: IdKind, session: &str, parts: &[&str]) -> [u8; 32] {
    let mut hashed = Hashed::new(kind, session);
    parts.iter().for_each(|part| hashed.part(part));
    hashed.digest()
}

/// Hashes a list of texts and numbers one by one, without allocating memory for them.
pub(super) struct Hashed {
    hasher: Sha256,
    waiting: [u8; Self::ROOM],
    used: usize,
}

impl Hashed {
    /// The size in bytes of the buffer that collects input of the hash. Nearly all inputs are
    /// shorter.
    const ROOM: usize = 512;

    pub(super) fn new(kind: IdKind, session: &str) -> Self {
        let mut hashed = Self {
            hasher: Sha256::new(),
            waiting: [0; Self::ROOM],
            used: 0,
        };
        hashed.part(kind.as_str());
        hashed.part(session);
        hashed
    }

    /// Adds a text to the hash.
    pub(super) fn part(&mut self, part: &str) {
        let length = u64::try_from(part.len()).unwrap_or(u64::MAX);
        self.add(&length.to_le_bytes());
        self.add(part.as_bytes());
    }

    /// Adds a number to the hash as decimal text; an absent number counts as an empty text.
    pub(super) fn number(&mut self, number: Option<impl Into<i128>>) {
        let Some(number) = number else {
            return self.part("");
        };
        self.part(Decimal::of(number.into()).as_str());
    }

    fn add(&mut self, bytes: &[u8]) {
        if let Some(room) = self.waiting.get_mut(self.used..self.used + bytes.len()) {
            room.copy_from_slice(bytes);
            self.used += bytes.len();
            return;
        }
        self.flush();
        self.hasher.update(bytes);
    }

    fn flush(&mut self) {
        self.hasher
            .update(self.waiting.get(..self.used).unwrap_or_default());
        self.used = 0;
    }

    pub(super) fn digest(mut self) -> [u8; 32] {
        self.flush();
        self.hasher.finalize().into()
    }
}

/// A number in decimal digits, in a buffer on the stack.
pub(super) struct Decimal {
    digits: [u8; Self::ROOM],
    from: usize,
}

impl Decimal {
    /// The size of the buffer in bytes: the digits of any 64-bit number and its sign.
    const ROOM: usize = 20;

    /// Converts a number, which must fit in 64 bits, signed or unsigned.
    pub(super) fn of(number: i128) -> Self {
        let mut decimal = Self {
            digits: [b'0'; Self::ROOM],
            from: Self::ROOM,
        };
        // The number has at most 64 bits, and 64-bit arithmetic is faster.
        let mut rest = u64::try_from(number.unsigned_abs()).unwrap_or(u64::MAX);
        loop {
            decimal.push(b'0' + (rest % 10) as u8);
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        if number < 0 {
            decimal.push(b'-');
        }
        decimal
    }

    fn push(&mut self, byte: u8) {
        self.from = self.from.saturating_sub(1);
        if let Some(place) = self.digits.get_mut(self.from) {
            *place = byte;
        }
    }

    pub(super) fn as_str(&self) -> &str {
        let digits = self.digits.get(self.from..).unwrap_or_default();
        std::str::from_utf8(digits).unwrap_or_default()
    }
}

impl TraceId {
    pub(super) fn of(digest: [u8; 32]) -> Self {
        let mut id = [0; 16];
        id.copy_from_slice(digest.first_chunk::<16>().unwrap_or(&[1; 16]));
        Self(id)
    }
}

impl SpanId {
    pub(super) fn of(digest: [u8; 32]) -> Self {
        let mut id = [0; 8];
        id.copy_from_slice(digest.first_chunk::<8>().unwrap_or(&[1; 8]));
        Self(id)
    }
}

impl RecordUid {
    pub(super) fn of(digest: [u8; 32]) -> Self {
        Self(TraceId::of(digest).0)
    }
}

/// Creates the ids of a session's spans and keeps them unique: if an id is already taken, a number
/// is added to the hash.
#[derive(Debug, Default)]
pub(super) struct SpanIds {
    taken: HashSet<SpanId>,
}

impl SpanIds {
    pub(super) fn next(&mut self, kind: IdKind, session: &str, parts: &[&str]) -> SpanId {
        let mut id = SpanId::of(digest(kind, session, parts));
        let mut number = 0_u64;
        while !self.taken.insert(id) {
            number += 1;
            let count = number.to_string();
            let parts = [parts, &[&count]].concat();
            id = SpanId::of(digest(kind, session, &parts));
        }
        id
    }
}

/// Appends bytes in lower-case hex.
pub(super) fn push_hex(text: &mut String, bytes: &[u8]) {
    let digit = |half: u8| match half {
        0..=9 => char::from(b'0' + half),
        _ => char::from(b'a' + half - 10),
    };
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 0xf]);
    text.extend(digits.map(digit));
}

/// Returns bytes in lower-case hex.
pub(super) fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    push_hex(&mut text, bytes);
    text
}

macro_rules! shown_in_hex {
    ($($id:ident),*) => {$(
        impl fmt::Display for $id {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&hex(&self.0))
            }
        }

        impl fmt::Debug for $id {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&hex(&self.0))
            }
        }
    )*};
}

shown_in_hex!(TraceId, SpanId, RecordUid);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_told_apart() {
        let of = |parts: &[&str]| digest(IdKind::Call, "s-1", parts);
        assert_ne!(of(&["ab", "c"]), of(&["a", "bc"]));
        assert_ne!(of(&["a"]), of(&["a", ""]));
        assert_ne!(of(&["a"]), digest(IdKind::Turn, "s-1", &["a"]));
    }

    #[test]
    fn numbers_are_hashed_as_their_digits_and_long_parts_as_a_whole() {
        for number in [
            0,
            7,
            10,
            -3,
            i128::from(i64::MIN),
            i128::from(i64::MAX),
            i128::from(u64::MAX),
        ] {
            assert_eq!(Decimal::of(number).as_str(), number.to_string());
        }
        let long = "x".repeat(600);
        let mut hashed = Hashed::new(IdKind::Event, "s-1");
        hashed.number(Some(12_u64));
        hashed.number(None::<u64>);
        hashed.part(&long);
        hashed.part("y");
        let mut bytes = Vec::new();
        for part in ["Event", "s-1", "12", "", &long, "y"] {
            bytes.extend_from_slice(&(part.len() as u64).to_le_bytes());
            bytes.extend_from_slice(part.as_bytes());
        }
        assert_eq!(hashed.digest(), <[u8; 32]>::from(Sha256::digest(&bytes)));
    }

    #[test]
    fn an_id_is_the_same_everywhere_and_equal_things_get_different_ids() {
        let id = SpanIds::default().next(IdKind::Call, "s-1", &["toolu_1"]);
        assert_eq!(id.to_string(), "1ea60fa9cceaf04e");
        let mut ids = SpanIds::default();
        let first = ids.next(IdKind::Call, "s-1", &["toolu_1"]);
        let second = ids.next(IdKind::Call, "s-1", &["toolu_1"]);
        assert_eq!(first, id);
        assert_ne!(first, second);
    }
}
