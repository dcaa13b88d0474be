//! The ids of traces, spans and log records. They are hashes of what they name: whoever sends the
//! same thing again, from any machine, sends it with the same id.

use std::collections::HashSet;
use std::fmt::{self, Write};

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

/// What an id is of. Each kind has ids of its own.
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

/// Returns the hash of something in a session. The parts are told apart whatever is in them.
pub(super) fn digest(kind: IdKind, session: &str, parts: &[&str]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    let kind = format!("{kind:?}");
    for part in [kind.as_str(), session].iter().chain(parts) {
        hasher.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    hasher.finalize().into()
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

/// The ids of a session's spans. Of two that would be equal, the later one gets a number.
#[derive(Debug, Default)]
pub(super) struct SpanIds {
    taken: HashSet<SpanId>,
}

impl SpanIds {
    pub(super) fn next(&mut self, kind: IdKind, session: &str, parts: &[&str]) -> SpanId {
        let mut number = 0_u64;
        loop {
            let count = number.to_string();
            let mut parts = parts.to_vec();
            if number > 0 {
                parts.push(&count);
            }
            let id = SpanId::of(digest(kind, session, &parts));
            if self.taken.insert(id) {
                return id;
            }
            number += 1;
        }
    }
}

/// Formats bytes in lower-case hex.
pub(super) struct Hex<'a>(pub(super) &'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const DIGITS: [char; 16] = [
            '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f',
        ];
        let digit = |half: u8| DIGITS.get(usize::from(half)).copied().unwrap_or_default();
        self.0.iter().try_for_each(|byte| {
            f.write_char(digit(byte >> 4))?;
            f.write_char(digit(byte & 0xf))
        })
    }
}

macro_rules! shown_in_hex {
    ($($id:ident),*) => {$(
        impl fmt::Display for $id {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&Hex(&self.0), f)
            }
        }

        impl fmt::Debug for $id {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&Hex(&self.0), f)
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
    fn an_id_is_the_same_everywhere_and_of_two_equal_things_each_has_one() {
        let id = SpanIds::default().next(IdKind::Call, "s-1", &["toolu_1"]);
        assert_eq!(id.to_string(), "1ea60fa9cceaf04e");
        let mut ids = SpanIds::default();
        let first = ids.next(IdKind::Call, "s-1", &["toolu_1"]);
        let second = ids.next(IdKind::Call, "s-1", &["toolu_1"]);
        assert_eq!(first, id);
        assert_ne!(first, second);
    }
}
