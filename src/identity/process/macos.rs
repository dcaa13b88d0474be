//! Processes on macOS, by `proc_pidinfo` and `sysctl`.
//!
//! What the system says of another user's process has no start time. Such a process is on the way up, and nobody's
//! client.

use std::ffi::{OsString, c_char};
use std::path::PathBuf;

use proc_pidinfo::{Pid, ProcBSDInfo, ProcBSDShortInfo, proc_pidinfo};
use sysctl::Sysctl;

use super::Process;
use crate::claude::words::PROCESS_NAME;

/// A process that has ended and only waits for its parent to ask (`SZOMB`).
const ZOMBIE: u32 = 5;

/// The boot session's UUID.
pub(super) fn boot() -> Option<String> {
    sysctl::Ctl::new("kern.bootsessionuuid")
        .ok()?
        .value_string()
        .ok()
}

/// What the system has is not to be had without its own libraries; the machine's name must do.
pub(super) fn machine_id() -> Option<String> {
    None
}

/// There are no pid namespaces.
#[allow(clippy::unnecessary_wraps, reason = "elsewhere there may be none")]
pub(super) fn namespace() -> Option<u64> {
    Some(0)
}

/// The process `pid`, if it runs and can be seen.
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

/// It is not asked: only its own user could say.
pub(super) fn working_dir(_pid: u32) -> Option<PathBuf> {
    None
}

/// The leader of this process's session.
pub(super) fn session_leader() -> u32 {
    let leader = rustix::process::getsid(None).ok();
    leader.map_or(0, |pid| pid.as_raw_nonzero().get().unsigned_abs())
}

/// It is not asked.
pub(super) fn program(_pid: u32) -> Option<String> {
    None
}

/// It is not asked.
pub(super) fn variable(_pid: u32, _name: &str) -> Option<Option<OsString>> {
    None
}

/// It cannot be asked.
pub(super) fn ignores(_signal: i32) -> bool {
    false
}

/// launchd does.
pub(super) fn reaps_orphans() -> bool {
    true
}

/// When a process with this `start` had started: microseconds since 1970.
pub(super) fn started_by(start: u64) -> u64 {
    start
}

/// Whether the C string in `field` is `name`.
fn is(field: &[c_char], name: &str) -> bool {
    let bytes = field
        .iter()
        .map(|c| c.to_ne_bytes()[0])
        .take_while(|byte| *byte != 0);
    bytes.eq(name.bytes())
}
