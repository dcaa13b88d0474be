//! Files on disk: pointers, records, journals, indexes, logs. Only this module opens files. In it,
//! one file knows the clock ([`clock`]), one the environment ([`mod@env`]) and one the lock
//! ([`lock`]).
//!
//! Pick the one you need: - [`mod@pointer`]: the files in `/tmp` that name current sessions, and
//! the removal of stale ones; - [`state`]: the state directory, and in it each session's folder
//! ([`session`]) and journal ([`journal`], [`follow`]), and who holds its id ([`lease`]); -
//! [`project`]: the root of the project that a directory belongs to; - [`mod@file`] and
//! [`mod@write`]: how a file is opened and checked, and how it is changed.

pub mod archive;
pub mod archive_queue;
pub mod blocks;
#[cfg(feature = "cli")]
pub mod bundle;
#[cfg(feature = "cli")]
pub mod change_reports;
pub mod clock;
#[cfg(feature = "cli")]
pub mod collected;
pub mod config;
#[cfg(feature = "cli")]
pub mod connection;
pub mod env;
pub mod env_file;
mod error;
pub mod exclusion;
#[cfg(feature = "cli")]
pub mod extent;
pub mod file;
pub mod follow;
pub mod history;
mod host;
pub mod index;
pub mod journal;
pub mod lease;
pub mod lines;
pub mod lock;
pub mod log;
pub mod machine;
#[cfg(feature = "cli")]
pub mod machine_hash;
pub mod places;
pub mod pointer;
pub mod processors;
pub mod project;
pub mod reflog;
pub mod remote;
pub mod session;
#[cfg(feature = "cli")]
pub mod socket;
pub mod state;
pub mod tombstones;
pub mod traces;
pub mod tree;
pub mod unrecorded;
pub mod write;

#[cfg(feature = "cli")]
pub use collected::CollectedState;
pub use env::Environment;
#[cfg(feature = "cli")]
pub(crate) use error::reason;
pub(crate) use error::shown;
pub use error::{Error, Result, Untrusted};
#[cfg(feature = "cli")]
pub use extent::Extent;
pub use history::History;
pub use host::Host;
pub use journal::Journal;
pub use journal::compressed::Decompressor;
pub use machine::{MachineIdentity, is_of_another_machine, machine_id, machine_name};
#[cfg(feature = "cli")]
pub use machine_hash::MachineHash;
pub use places::Places;
pub use session::SessionDir;
pub use state::StateDir;
