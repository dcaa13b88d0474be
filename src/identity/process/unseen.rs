//! Systems on which processes cannot be seen. Decisions that need a process rely on the time of the
//! last event instead.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::path::PathBuf;

use super::Process;

pub(super) fn boot() -> Option<String> {
    None
}

pub(super) fn namespace() -> Option<u64> {
    None
}

pub(super) fn process(_pid: u32) -> Option<Process> {
    None
}

pub(super) fn working_dir(_pid: u32) -> Option<PathBuf> {
    None
}

pub(super) fn session_leader() -> u32 {
    0
}

pub(super) fn program(_pid: u32) -> Option<String> {
    None
}

pub(super) fn variable(_pid: u32, _name: &str) -> Option<Option<OsString>> {
    None
}

pub(super) fn pending_signals(_pid: u32, _signals: &[i32]) -> BTreeSet<i32> {
    BTreeSet::new()
}

pub(super) fn open_file_of(_pid: u32, _number: &str) -> Option<OwnedFd> {
    None
}

/// Returns `None`; not implemented.
#[cfg(feature = "cli")]
pub(super) fn writing_end_of(_pid: u32, _number: &str) -> Option<OwnedFd> {
    None
}

pub(super) fn ignores(_signal: i32) -> bool {
    false
}

pub(super) fn reaps_orphans() -> bool {
    true
}

pub(super) fn started_by(start: u64) -> u64 {
    start
}
