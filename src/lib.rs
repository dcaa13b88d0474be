//! ccsession: which Claude Code session is this, and what did it do.
//!
//! Programs that embed it start at [`sessions::Sessions`]. The documentation shows that door and the
//! types that it hands out; everything else may change with any version.
//!
//! The rooms, in reading order; arrows point one way, from the bottom up:
//!
//! | room | what is in it | may know |
//! |---|---|---|
//! | [`model`] | what things are: ids, times, projects, events, records. Pure | nothing |
//! | `store` | where they live: the only room that opens files, reads the clock and the environment | `model` |
//! | `claude` | what is known of Claude Code itself: its words, versions, settings, transcripts | `store` |
//! | [`identity`] | whose process am I: ancestry, liveness, the ladder | `claude` |
//! | `hook` | what Claude Code says, and what is recorded of it. Never fails, never speaks | `identity` |
//! | `history` | what Claude Code's transcripts add to what hooks recorded: events, tokens, coverage | `identity` |
//! | `archive` | keeping a session's transcripts and journal, and giving them back | `history` |
//! | `search` | words and patterns in all of that | `archive` |
//! | `lifecycle` | beginning and ending sessions from outside: clock-in, `run`, leases, limits | `identity` |
//! | `cleanup` | removing what is stale, and archiving what has ended | `archive`, `lifecycle` |
//! | `ship` | sending what is new to the destinations of the settings | `archive`, `view` |
//! | `view` | timelines and statistics, made from `model` alone. Pure | `model` |
//! | `setup` | Claude Code's settings, the doctor | `hook`, `cleanup` |
//! | `cli` | a verb is a file | everything |
//!
//! The last ten are behind the feature `cli`: a hook executable links none of them.

#![forbid(unsafe_code)]

#[cfg(feature = "cli")]
pub mod cleanup;
pub mod identity;
pub mod model;
pub mod sessions;

pub use store::{Error, Result, Untrusted};

// The programs, tests and benches of this package use these rooms. No other program should.
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod archive;
#[doc(hidden)]
pub mod claude;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod cli;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod history;
#[doc(hidden)]
pub mod hook;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod lifecycle;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod search;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod setup;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod ship;
#[doc(hidden)]
pub mod store;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod view;
