//! What is done to sessions from outside: running a command as one, and cleaning up after those that are gone.

pub mod archive;
pub mod cleanup;
pub mod ending;
pub mod import;
pub mod lease;
pub mod run;
pub mod transcript;
pub mod usage;
