//! The data types: ids, times, projects, events, records, configuration. Pure: this folder opens no
//! file, and reads no clock and no environment. Callers pass in the time and the roots.

pub mod activity;
pub mod archive;
pub mod attention;
mod boots;
pub mod call;
pub mod commit;
pub mod config;
pub mod duration;
pub mod event;
pub mod exclude;
pub mod id;
pub mod label;
pub mod line;
pub mod pointer;
pub mod prices;
pub mod project;
pub mod purpose;
pub mod record;
pub mod redact;
pub mod remote;
pub mod step;
pub mod text;
pub mod time;
pub mod trace;
pub mod traceparent;
pub mod usage;
pub mod when;

pub use activity::{Activity, OpenActivity};
pub use call::Call;
pub use config::{Capture, Config};
pub use event::Event;
pub use exclude::Exclusions;
pub use id::SessionId;
pub use line::JournalLine;
pub use project::{Project, ProjectName};
pub use record::{Owner, Record};
pub use time::Timestamp;
pub use trace::{Trace, TraceBuilder};
pub use usage::Usage;
