//! Registers the hooks in Claude Code's settings, removes them again, and finds out what is wrong.
//!
//! [`edit`] and [`diff`] are pure, text in and text out; [`settings`] reads and writes the files.
//! [`timer`] makes systemd run the cleanup.

pub mod diff;
pub mod doctor;
pub mod edit;
pub mod ours;
pub mod programs;
pub mod settings;
mod shell;
pub mod timer;
