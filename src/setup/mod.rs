//! Claude Code's settings: registering the hooks, taking them out again, and finding out what is wrong.
//!
//! [`edit`], [`client`] and [`diff`] are pure, text in and text out; [`settings`] reads and writes the files.
//! Beside them [`timer`], the cleanup by systemd, and [`retention`], how long the client keeps transcripts.

pub mod client;
pub mod client_settings;
pub mod diff;
pub mod doctor;
pub mod edit;
pub mod ours;
pub mod programs;
pub mod retention;
pub mod settings;
mod shell;
pub mod timer;
