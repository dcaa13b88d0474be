//! The tests that drive the real executables. A topic is a file, a large one a folder besides; [`support`] is the sandbox that
//! all of them use.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]
#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "tests set up and look at files and processes themselves"
)]

mod archive;
mod archive_agents;
mod archive_files;
mod archive_text;
mod attention;
mod backup;
mod bad_input;
mod bundle;
mod calls;
mod capture;
mod cleanup;
mod cli;
mod clock_in;
mod clock_out;
mod collected;
mod collector;
mod completions;
mod compression;
mod corpus;
mod current;
mod dashboard;
mod delete;
mod docs;
mod doctor;
mod due;
mod exclude;
mod export;
mod faults;
mod fleet;
mod follow;
mod full_disk;
mod fuzz;
mod generated;
mod grafana;
mod hooks;
mod hostile;
mod identity;
mod import;
mod install;
mod installer;
mod interrupted;
mod journal;
mod kept;
mod killed;
mod lake;
mod limits;
mod metrics;
mod one_of_many;
mod orphans;
mod otlp;
mod outside;
mod pointer;
mod power;
mod pull;
mod python;
mod quarantine;
mod races;
mod registration;
mod registry;
mod report;
mod resume;
mod retention;
mod roster;
mod rotation;
mod run;
mod scarce;
mod scope;
mod search;
mod ship;
mod stats;
mod stats_by;
mod support;
mod timeline;
mod timer;
mod titles;
mod top;
mod walls;
mod who;

/// The directory that sandboxes are made in.
fn scratch() -> &'static std::path::Path {
    support::scratch_in_memory()
}
