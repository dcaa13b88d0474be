//! What Claude Code's transcripts add to the hooks' records: imported events, tokens, and how many
//! calls the hooks covered. It must not know how sessions start, end or are archived.

pub mod coverage;
pub mod import;
pub mod past;
pub mod usage;
