//! What is done to sessions from outside: saying what one is for, running a command as one, and cleaning up after those
//! that are gone.

pub mod archive;
pub mod cleanup;
pub mod clock_in;
pub mod compression;
pub mod coverage;
pub mod endangered;
pub mod ending;
pub mod import;
pub mod lease;
pub mod limits;
pub mod purpose;
pub mod run;
pub mod usage;
