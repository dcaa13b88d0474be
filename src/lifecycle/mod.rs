//! Starting and ending sessions from outside: clock-in, `run`, leases, the limit of live sessions,
//! and the end in a record. It must not know how sessions are archived or cleaned up.

pub mod clock_in;
pub mod lease;
pub mod limits;
pub mod purpose;
pub mod recorded_end;
pub mod run;
