//! Formats output for people and programs, such as timelines and statistics, from the data of
//! `model`. Pure: reads no files, no clock and no time zone; the caller passes in what is needed.

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
