//! What is done to sessions from outside: for now, cleaning up after those that are gone.

pub mod cleanup;
