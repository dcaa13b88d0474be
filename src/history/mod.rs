//! What Claude Code's transcripts add to what hooks recorded: imported events, tokens, and how many calls hooks covered. It must
//! not know what becomes of a session.

pub mod coverage;
pub mod import;
pub mod usage;
