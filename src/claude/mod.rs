//! Everything known about Claude Code itself: when Claude Code changes, this folder changes. It
//! must not know what ccsession records, nor which process is asking.
//!
//! [`words`] uses nothing else, so that `model` can use it. The other modules may use `model` and
//! `store`.

pub mod messages;
pub mod words;

#[cfg(feature = "cli")]
pub mod arguments;
#[cfg(feature = "cli")]
pub mod commands;
#[cfg(feature = "cli")]
pub mod dirs;
#[cfg(feature = "cli")]
pub mod leftovers;
#[cfg(feature = "cli")]
pub mod registry;
#[cfg(feature = "cli")]
pub mod resuming;
#[cfg(feature = "cli")]
pub mod retention;
#[cfg(feature = "cli")]
pub mod settings;
#[cfg(feature = "cli")]
pub mod transcript;
#[cfg(feature = "cli")]
pub mod versions;
