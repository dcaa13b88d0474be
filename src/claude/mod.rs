//! What is known of Claude Code itself: when it changes, this folder changes. It must not know what this program records, nor
//! whose process is asking.
//!
//! [`words`] stands alone, below `model`; the rest may know `model` and `store`.

pub mod messages;
pub mod words;

#[cfg(feature = "cli")]
pub mod arguments;
#[cfg(feature = "cli")]
pub mod commands;
#[cfg(feature = "cli")]
pub mod dirs;
#[cfg(feature = "cli")]
pub mod retention;
#[cfg(feature = "cli")]
pub mod settings;
#[cfg(feature = "cli")]
pub mod transcript;
#[cfg(feature = "cli")]
pub mod versions;
