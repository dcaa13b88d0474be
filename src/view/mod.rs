//! The output for people and programs: timelines and statistics, made from `model` alone. Pure: no
//! files, no clock, no time zone; the caller passes them in.

pub mod chrome_trace;
pub mod commit_makers;
pub mod event;
pub mod json;
pub mod metrics;
pub mod otlp;
pub mod page;
pub mod stats;
pub mod subtree;
pub mod tables;
pub mod timeline;
