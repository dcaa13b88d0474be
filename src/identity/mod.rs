//! Identifies sessions by process: the processes above, a session's liveness and lineage, and the
//! ladder that answers "which session is this". It must not know what a hook's payload looks like,
//! nor how an answer is printed.

mod above;
pub mod client;
pub mod ladder;
pub mod lineage;
pub mod liveness;
pub mod open_calls;
pub mod present;
pub mod process;
pub mod roster;
