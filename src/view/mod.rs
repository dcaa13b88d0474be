//! What people and programs see of sessions: timelines and statistics, made from `model` alone. Pure: no files, no clock, no
//! time zone; whoever asks brings them.

pub mod event;
pub mod json;
pub mod metrics;
pub mod stats;
pub mod timeline;
