//! Claude Code's settings: registering the hooks, taking them out again, and finding out what is wrong.
//!
//! [`edit`] and [`diff`] are pure, text in and text out; [`settings`] reads and writes the files. Beside them [`timer`], the
//! cleanup by systemd.

pub mod diff;
pub mod doctor;
pub mod edit;
pub mod ours;
pub mod programs;
pub mod settings;
mod shell;
pub mod timer;
