//! ccsession answers two questions: which Claude Code session is this, and what did it do?
//!
//! Programs that embed this library start at [`sessions::Sessions`]. The documentation shows only
//! that type and the types that it returns. Everything else may change with any version.
//!
//! The top-level modules, called rooms, in reading order. A room may use the rooms in the last
//! column of its row, and whatever those may use. All may use `claude::words`:
//!
//! | room | what is in it | may know |
//! |---|---|---|
//! | [`model`] | what things are: ids, times, projects, events, records. Pure | nothing |
//! | `store` | where things are: the only room that opens files, reads the clock and the environment | `model` |
//! | `claude` | what is known of Claude Code itself: its words, versions, settings, transcripts | `store` |
//! | [`identity`] | which session a process belongs to: ancestry, liveness, the ladder | `claude` |
//! | `hook` | records what Claude Code reports. Never fails, prints nothing | `identity` |
//! | `history` | what Claude Code's transcripts add to what hooks recorded: events, tokens, coverage | `identity` |
//! | `archive` | keeps a session's transcripts and journal, and restores them | `history` |
//! | `search` | searches all of these for words and patterns | `archive` |
//! | `lifecycle` | begins and ends sessions from outside: clock-in, `run`, leases, limits | `identity` |
//! | `cleanup` | removes what is stale, and archives what has ended | `archive`, `lifecycle` |
//! | `ship` | sends what is new to the destinations in the settings | `archive`, `view` |
//! | `view` | timelines and statistics, made from `model` alone. Pure | `model` |
//! | `setup` | Claude Code's settings, the doctor | `hook`, `cleanup`, `ship` |
//! | `cli` | the commands, a file each | everything |
//!
//! All rooms after `hook` need the feature `cli`, so that a hook executable contains none of them.

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
