//! The ids of traces, spans and log records. They are hashes of what they name: whoever sends the
//! same thing again, from any machine, sends it with the same id.

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

impl IdKind {
    /// Returns the kind as it is hashed.
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

/// Returns the hash of something in a session. The parts are told apart whatever is in them.
pub(super) fn digest(kind: IdKind, session: &str, parts: &[&str]) -> [u8; 32] {
    /// Nearly everything that is hashed is shorter.
    const USUAL: usize = 512;
    let mut bytes = Vec::with_capacity(USUAL);
    for part in [kind.as_str(), session].iter().chain(parts) {
        let length = u64::try_from(part.len()).unwrap_or(u64::MAX);
        bytes.extend_from_slice(&length.to_le_bytes());
        bytes.extend_from_slice(part.as_bytes());
    }
    Sha256::digest(&bytes).into()
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
