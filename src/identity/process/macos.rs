//! Processes on macOS, by `proc_pidinfo` and `sysctl`.
//!
//! The system reports no start time for the process of another user. Such a process is listed as an
//! ancestor, but never counts as Claude Code.

use std::collections::BTreeSet;
use std::ffi::{OsString, c_char};
use std::os::fd::OwnedFd;
use std::path::PathBuf;

use proc_pidinfo::{Pid, ProcBSDInfo, ProcBSDShortInfo, proc_pidinfo};
use sysctl::Sysctl;

use super::Process;
use crate::claude::words::PROCESS_NAME;

/// The status of a process that has ended and not been reaped (`SZOMB`).
const ZOMBIE: u32 = 5;

/// Returns the boot session's UUID.
pub(super) fn boot() -> Option<String> {
    sysctl::Ctl::new("kern.bootsessionuuid")
        .ok()?
        .value_string()
        .ok()
}

/// Returns a constant, because macOS has no pid namespaces.
#[allow(clippy::unnecessary_wraps, reason = "elsewhere there may be none")]
pub(super) fn namespace() -> Option<u64> {
    Some(0)
}

/// Returns the process `pid` if it runs and can be seen.
pub(super) fn process(pid: u32) -> Option<Process> {
    if let Ok(Some(info)) = proc_pidinfo::<ProcBSDInfo>(Pid(pid)) {
        return (info.pbi_status != ZOMBIE).then(|| Process {
            pid,
            parent: info.pbi_ppid.0,
            group: info.pbi_pgid,
            start: info
                .pbi_start_tvsec
                .saturating_mul(1_000_000)
                .saturating_add(info.pbi_start_tvusec),
            is_client: is(&info.pbi_name, PROCESS_NAME) || is(&info.pbi_comm, PROCESS_NAME),
            is_shell: super::SHELLS
                .iter()
                .any(|shell| is(&info.pbi_name, shell) || is(&info.pbi_comm, shell)),
        });
    }
    let info = proc_pidinfo::<ProcBSDShortInfo>(Pid(pid)).ok()??;
    (info.pbsi_status != ZOMBIE).then(|| Process {
        pid,
        parent: info.pbsi_ppid.0,
        group: 0,
        start: 0,
        is_client: false,
        is_shell: false,
    })
}

/// Returns `None`, because only the user of the process may see it.
pub(super) fn working_dir(_pid: u32) -> Option<PathBuf> {
    None
}

/// Returns the pid of the leader of this process's session (setsid(2)).
pub(super) fn session_leader() -> u32 {
    let leader = rustix::process::getsid(None).ok();
    leader.map_or(0, |pid| pid.as_raw_nonzero().get().unsigned_abs())
}

/// Returns `None`; not implemented.
pub(super) fn program(_pid: u32) -> Option<String> {
    None
}

/// Returns `None`; not implemented.
pub(super) fn variable(_pid: u32, _name: &str) -> Option<Option<OsString>> {
    None
}

/// Returns an empty set, because macOS does not report pending signals.
pub(super) fn pending_signals(_pid: u32, _signals: &[i32]) -> BTreeSet<i32> {
    BTreeSet::new()
}

/// Returns `None`; not implemented.
pub(super) fn open_file_of(_pid: u32, _number: &str) -> Option<OwnedFd> {
    None
}

/// Returns `None`; not implemented.
#[cfg(feature = "cli")]
pub(super) fn writing_end_of(_pid: u32, _number: &str) -> Option<OwnedFd> {
    None
}

/// Returns false, because macOS does not report ignored signals.
pub(super) fn ignores(_signal: i32) -> bool {
    false
}

/// Returns true: launchd reaps orphans.
pub(super) fn reaps_orphans() -> bool {
    true
}

/// Returns when a process with this `start` started, in microseconds since 1970.
pub(super) fn started_by(start: u64) -> u64 {
    start
}

/// Returns whether the NUL-terminated text in `field` is `name`.
fn is(field: &[c_char], name: &str) -> bool {
    let bytes = field
        .iter()
        .map(|c| c.to_ne_bytes()[0])
        .take_while(|byte| *byte != 0);
    bytes.eq(name.bytes())
}
