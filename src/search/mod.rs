//! Searches what was said and done in all sessions on this machine: Claude Code's transcripts, the
//! archives, and the labels of calls in the journals.
//!
//! A line of a transcript is JSON, so a match in its bytes proves nothing, and text in it may be
//! escaped. The bytes are only filtered: a line that cannot contain a match is never decoded
//! (`literals`). The words are then searched for in the messages, as a person sees them.

mod calls;
mod file;
mod heading;
mod hits;
mod literals;
mod messages;
mod places;
mod query;
mod scan;

pub use heading::SessionHeading;
pub use hits::{FoundSession, HitKind, HitSource, SearchHit, SearchRole};
pub use places::{PlaceCounts, SearchPlaces, SearchScope};
pub use query::{InvalidQuery, SearchQuery};
pub use scan::{SearchFilter, SearchResult, search};
