//! Processes on Linux, from `/proc`.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::io::Read;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use super::Process;
use crate::claude::words::PROCESS_NAME;
use crate::store::file;

/// Returns the kernel's boot id.
pub(super) fn boot() -> Option<String> {
    file::read_kernel("/proc/sys/kernel/random/boot_id")
}

/// Returns the inode of this process's pid namespace.
pub(super) fn namespace() -> Option<u64> {
    rustix::fs::stat("/proc/self/ns/pid")
        .ok()
        .map(|stat| stat.st_ino)
}

/// Returns the process `pid` if it runs and can be seen.
pub(super) fn process(pid: u32) -> Option<Process> {
    parse_stat(pid, &file::read_kernel(&format!("/proc/{pid}/stat"))?)
}

/// Returns the working directory of process `pid`.
pub(super) fn working_dir(pid: u32) -> Option<PathBuf> {
    let dir = file::link_target(Path::new(&format!("/proc/{pid}/cwd")))?;
    // The kernel appends ` (deleted)` to the path of a removed directory, so that path does not
    // exist.
    file::look(&dir).ok().flatten().map(|_| dir)
}

/// Returns the pid of the leader of this process's session (setsid(2)).
pub(super) fn session_leader() -> u32 {
    const SESSION: usize = 3;
    let stat = file::read_kernel("/proc/self/stat");
    let session = stat.as_deref().and_then(|stat| {
        let fields = stat.rsplit_once(')')?.1;
        fields.split_ascii_whitespace().nth(SESSION)?.parse().ok()
    });
    session.unwrap_or(0)
}

/// Returns the name of the program that process `pid` runs.
pub(super) fn program(pid: u32) -> Option<String> {
    let program = file::link_target(Path::new(&format!("/proc/{pid}/exe")))?;
    Some(program.file_name()?.to_string_lossy().into_owned())
}

/// Returns the value that the environment variable `name` had when process `pid` started.
pub(super) fn variable(pid: u32, name: &str) -> Option<Option<OsString>> {
    const MOST: u64 = 4 << 20;
    let path = format!("/proc/{pid}/environ");
    let file = file::open(Path::new(&path), OFlags::RDONLY).ok()??;
    let mut bytes = Vec::new();
    file.take(MOST).read_to_end(&mut bytes).ok()?;
    let begin = [name.as_bytes(), b"="].concat();
    let mut entries = bytes.split(|byte| *byte == 0);
    let value = entries.find_map(|entry| entry.strip_prefix(begin.as_slice()));
    Some(value.map(|value| OsStr::from_bytes(value).to_owned()))
}

/// Returns when a process with this `start` started, as late as it can have been, in microseconds
/// since boot. The kernel counts whole ticks, so this is the end of the tick.
pub(super) fn started_by(start: u64) -> u64 {
    let ticks = rustix::param::clock_ticks_per_second().max(1);
    start.saturating_add(1).saturating_mul(1_000_000) / ticks
}

/// Returns whether this process ignores the signal, as under `nohup`.
pub(super) fn ignores(signal: i32) -> bool {
    let status = file::read_kernel("/proc/self/status");
    status.is_some_and(|status| has_signal(&status, "SigIgn:", signal))
}

/// Returns which of `signals` are pending for process `pid`.
pub(super) fn pending_signals(pid: u32, signals: &[i32]) -> BTreeSet<i32> {
    let status = file::read_kernel(&format!("/proc/{pid}/status")).unwrap_or_default();
    let is_pending = |signal: &&i32| {
        let masks = ["ShdPnd:", "SigPnd:"];
        masks.iter().any(|mask| has_signal(&status, mask, **signal))
    };
    signals.iter().filter(is_pending).copied().collect()
}

/// Opens the file that process `pid` has open as this file descriptor.
pub(super) fn open_file_of(pid: u32, number: &str) -> Option<OwnedFd> {
    let path = format!("/proc/{pid}/fd/{number}");
    let file = file::open(Path::new(&path), OFlags::RDONLY).ok()?;
    file.map(OwnedFd::from)
}

/// Opens the pipe that process `pid` has open for writing as this file descriptor.
#[cfg(feature = "cli")]
pub(super) fn writing_end_of(pid: u32, number: &str) -> Option<OwnedFd> {
    let path = format!("/proc/{pid}/fd/{number}");
    let file = file::open(Path::new(&path), OFlags::WRONLY).ok()?;
    file.map(OwnedFd::from)
}

/// Returns whether the process with pid 1 handles, blocks or ignores SIGCHLD. A process that reaps
/// orphans does one of these. `sleep infinity`, the first process of many containers, does not.
pub(super) fn reaps_orphans() -> bool {
    let status = file::read_kernel("/proc/1/status");
    status.is_none_or(|status| takes_note_of_children(&status))
}

fn takes_note_of_children(status: &str) -> bool {
    let child = rustix::process::Signal::CHILD.as_raw();
    let masks = ["SigBlk:", "SigIgn:", "SigCgt:"];
    masks.iter().any(|mask| has_signal(status, mask, child))
}

/// Returns whether the signal mask `name` in the text of `/proc/PID/status` contains the signal.
fn has_signal(status: &str, name: &str, signal: i32) -> bool {
    let mask = status
        .lines()
        .find_map(|line| line.strip_prefix(name))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    let bit = u32::try_from(signal - 1)
        .ok()
        .and_then(|place| 1_u64.checked_shl(place));
    mask.zip(bit).is_some_and(|(mask, bit)| mask & bit != 0)
}

/// Parses `pid (comm) state ppid … starttime …`. The name in parentheses may contain anything, so
/// fields are counted from the last parenthesis. A zombie does not count as running.
fn parse_stat(pid: u32, stat: &str) -> Option<Process> {
    const GROUP: usize = 2;
    const START: usize = 19;
    let (head, fields) = stat.rsplit_once(')')?;
    let name = head.split_once('(').map(|(_, name)| name);
    let mut fields = fields.split_ascii_whitespace();
    let state = fields.next()?;
    let parent = fields.next()?.parse().ok()?;
    let group = fields.next()?.parse().ok()?;
    let start = fields.nth(START - GROUP - 1)?.parse().ok()?;
    (!matches!(state, "Z" | "X")).then_some(Process {
        pid,
        parent,
        group,
        start,
        is_client: name == Some(PROCESS_NAME),
        is_shell: name.is_some_and(super::is_shell),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_name_may_hold_parentheses_and_numbers() {
        let stat = "42 (a) S 1 (b) 9) S 7 42 42 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 98536 1 1";
        assert_eq!(
            parse_stat(42, stat),
            Some(Process {
                pid: 42,
                parent: 7,
                group: 42,
                start: 98536,
                is_client: false,
                is_shell: false,
            })
        );
        assert_eq!(parse_stat(42, "42 (x"), None);
        let named = |name: &str| parse_stat(42, &stat.replace("a) S 1 (b) 9", name)).unwrap();
        assert!(named("claude").is_client);
        assert!(named("-bash").is_shell && !named("bash (x").is_shell);
        assert!(!named("claude (x").is_client && !named("my claude").is_client);
        assert_eq!(parse_stat(42, &stat.replace(") S 7", ") Z 7")), None);
    }

    #[test]
    fn the_first_process_reaps_if_it_takes_note_of_children() {
        let status = |blocked: &str, ignored: &str, caught: &str| {
            format!("Name:\tx\nSigBlk:\t{blocked}\nSigIgn:\t{ignored}\nSigCgt:\t{caught}\n")
        };
        let none = "0000000000000000";
        let child = "0000000000010000";
        assert!(!takes_note_of_children(&status(none, none, none)));
        assert!(!takes_note_of_children(&status(
            none,
            "0000000000001000",
            "00000000000004e8"
        )));
        for masks in [
            [child, none, none],
            [none, child, none],
            [none, none, child],
        ] {
            assert!(takes_note_of_children(&status(
                masks[0], masks[1], masks[2]
            )));
        }
    }

    #[test]
    fn this_process_started_before_now_and_not_long_ago() {
        let this = process(std::process::id()).unwrap();
        let now = crate::store::clock::since_boot();
        let age = now.saturating_sub(this.started_by());
        assert!(age < 3_600_000_000, "{age}");
        assert!(this.started_by() < now + 10_000);
    }
}
