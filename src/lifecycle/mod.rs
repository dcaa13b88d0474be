//! Beginning and ending sessions from outside: saying what one is for, running a command as one, holding its id, how many may
//! be live, and the end that its record says. It must not know what is archived or cleaned up.

pub mod clock_in;
pub mod ending;
pub mod lease;
pub mod limits;
pub mod purpose;
pub mod run;
