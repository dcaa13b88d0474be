//! Whose line a line is. A fork's transcript begins with copies of another's lines, with the same `uuid`s: a line is the
//! session's that has it first, and sessions are read from the oldest to the newest.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{DefaultHasher, Hash, Hasher};

/// A session, by its place in the order in which they are read.
pub(super) type Place = usize;

/// Who has which line. Of a `uuid` only a hash of 64 bits is kept: with ten million lines, the odds that any two
/// have the same are one to 300,000.
#[derive(Debug, Default)]
pub(super) struct Claims {
    owners: HashMap<u64, Place>,
}

/// Whose a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Claim {
    /// The session's own.
    Own,
    /// The session's own, and it had it before.
    Repeated,
    /// A copy of a line of another session.
    CopyOf(Place),
}

impl Claims {
    /// Claims the line `uuid` for the session at `place`.
    pub(super) fn claim(&mut self, uuid: &str, place: Place) -> Claim {
        match self.owners.entry(hash(uuid)) {
            Entry::Vacant(free) => {
                free.insert(place);
                Claim::Own
            }
            Entry::Occupied(taken) if *taken.get() == place => Claim::Repeated,
            Entry::Occupied(taken) => Claim::CopyOf(*taken.get()),
        }
    }
}

/// The same in each run: an import must not depend on chance.
pub(super) fn hash(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}
