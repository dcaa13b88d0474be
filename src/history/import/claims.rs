//! Decides which session owns a line. A fork's transcript begins with copies of another session's
//! lines, with the same `uuid`s. The first session that has a line owns it, and sessions are read
//! from the oldest to the newest.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{DefaultHasher, Hash, Hasher};

/// A session, by its index in the reading order.
pub(super) type SourceIndex = usize;

/// Which session owns each line. Only a 64-bit hash of each `uuid` is kept. With ten million lines,
/// the odds that any two collide are one to 300,000.
#[derive(Debug, Default)]
pub(super) struct Claims {
    owners: HashMap<u64, SourceIndex>,
}

/// The owner of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LineOwner {
    /// The session owns the line.
    Own,
    /// The session owns the line and has had it before.
    Repeated,
    /// The line is a copy of another session's line.
    CopyOf(SourceIndex),
}

impl Claims {
    /// Claims the line `uuid` for the session with the index `place`, unless an earlier session
    /// owns it.
    pub(super) fn claim(&mut self, uuid: &str, place: SourceIndex) -> LineOwner {
        match self.owners.entry(hash(uuid)) {
            Entry::Vacant(free) => {
                free.insert(place);
                LineOwner::Own
            }
            Entry::Occupied(taken) if *taken.get() == place => LineOwner::Repeated,
            Entry::Occupied(taken) => LineOwner::CopyOf(*taken.get()),
        }
    }
}

/// Hashes a text without a random seed, so that each run of an import has the same result.
pub(super) fn hash(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}
