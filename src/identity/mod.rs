//! Identifies sessions: the ancestors of a process, a session's liveness and lineage, and the
//! ladder that answers "which session is this". It must not know what a hook's payload looks like,
//! nor how an answer is printed.

mod above;
#[doc(hidden)]
#[cfg(feature = "cli")]
pub mod attention;
#[doc(hidden)]
pub mod client;
#[doc(hidden)]
#[cfg(feature = "cli")]
pub mod journal_end;
pub mod ladder;
#[doc(hidden)]
pub mod lineage;
#[doc(hidden)]
pub mod liveness;
#[doc(hidden)]
#[cfg(feature = "cli")]
pub mod lost;
#[doc(hidden)]
pub mod open_calls;
#[doc(hidden)]
pub mod present;
#[doc(hidden)]
pub mod process;
#[doc(hidden)]
pub mod roster;
#[doc(hidden)]
#[cfg(feature = "cli")]
pub mod title;
