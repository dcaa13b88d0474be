//! Processes: which ones are above this one, which of them is the Claude Code client, and whether an owner on record
//! still runs.
//!
//! Each system says it in its own way: one file below for each.

#[cfg_attr(target_os = "linux", path = "process/linux.rs")]
#[cfg_attr(target_os = "macos", path = "process/macos.rs")]
#[cfg_attr(
    not(any(target_os = "linux", target_os = "macos")),
    path = "process/unseen.rs"
)]
mod system;

use std::path::PathBuf;

use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};

use crate::model::Owner;
use crate::model::record::VERSION;
use crate::store::Environment;

/// The most processes that are looked at on the way up; a deeper tree is cut off.
const MAX_DEPTH: usize = 64;
/// What Claude Code names its process, in its native builds and, on Linux, under Node.
const CLIENT: &str = "claude";

/// A process, told from another of the same pid by its start time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Process {
    /// Its id.
    pub pid: u32,
    /// Its parent's id; 0 at the top.
    pub parent: u32,
    /// When it started, in the system's own unit: on Linux clock ticks since boot, on macOS microseconds since 1970.
    pub start: u64,
    /// Whether it has the name of Claude Code's process.
    pub is_client: bool,
}

impl Process {
    /// When it started, at the latest: microseconds on the clock of [`crate::store::clock::of_processes`].
    pub fn started_by(&self) -> u64 {
        system::started_by(self.start)
    }
}

/// Whether an owner on record still runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Life {
    /// The very process runs.
    Alive,
    /// It does not; another process may have its pid.
    Dead,
    /// It cannot be seen from here: another machine, another pid namespace, no `/proc`. That is not dead.
    Unseen,
}

/// The kernel, pid namespace and machine that this process sees pids of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Viewpoint {
    boot: String,
    pidns: u64,
    machine: Option<String>,
}

impl Viewpoint {
    /// From where this process sees; nothing where processes cannot be seen.
    pub fn here() -> Option<Self> {
        Some(Self {
            boot: system::boot()?,
            pidns: system::namespace()?,
            machine: machine(),
        })
    }

    /// `process` as an owner, with what tells it from another of the same pid.
    pub fn owner(&self, process: Process) -> Owner {
        Owner {
            v: VERSION,
            pid: process.pid,
            start: process.start,
            boot: self.boot.clone(),
            pidns: self.pidns,
            machine: self.machine.clone(),
            root: None,
            launcher: false,
        }
    }

    /// Whether `owner` still runs.
    pub fn judge(&self, owner: &Owner) -> Life {
        if owner.boot != self.boot {
            // The name of a machine may change while it runs, so it is asked only where the boot does not say.
            return if owner.machine == self.machine {
                Life::Dead
            } else {
                Life::Unseen
            };
        }
        if owner.pidns != self.pidns {
            return Life::Unseen;
        }
        match process(owner.pid) {
            Some(process) if process.start == owner.start => Life::Alive,
            _ => Life::Dead,
        }
    }
}

/// The name of this machine, as the kernel has it.
pub fn machine() -> Option<String> {
    let name = rustix::system::uname();
    let name = name.nodename().to_str().ok()?;
    (!name.is_empty()).then(|| name.to_owned())
}

/// Whether there is a process of this pid, whoever it is.
pub fn exists(pid: u32) -> bool {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    pid.is_some_and(|pid| test_kill_process(pid) != Err(Errno::SRCH))
}

/// The process `pid`, if it runs and can be seen.
pub fn process(pid: u32) -> Option<Process> {
    system::process(pid)
}

/// Whether this process ignores the signal, as under `nohup`; no where that cannot be known.
pub fn ignores(signal: i32) -> bool {
    system::ignores(signal)
}

/// The process that started this one, or took it over.
pub fn parent() -> u32 {
    std::os::unix::process::parent_id()
}

/// The processes above this one, the nearest first.
pub fn ancestors() -> impl Iterator<Item = Process> {
    from(parent())
}

/// The directory that the process `pid` is in, where that can be seen.
pub fn working_dir(pid: u32) -> Option<PathBuf> {
    system::working_dir(pid)
}

/// The process `pid` and those above it, the nearest first.
pub fn from(pid: u32) -> impl Iterator<Item = Process> {
    let mut next = pid;
    let step = move || {
        let process = (next != 0).then(|| process(next))??;
        next = process.parent;
        Some(process)
    };
    std::iter::from_fn(step).take(MAX_DEPTH)
}

/// The client that runs this hook: the nearest ancestor that `CLAUDE_PID` names or that is Claude Code. A client that
/// sets no `CLAUDE_PID` may have inherited another's, so the nearer of the two counts.
pub fn client(env: &Environment) -> Option<Process> {
    ancestors().find(|process| env.claude_pid == Some(process.pid) || process.is_client)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_is_alive_and_another_start_is_another_process() {
        let here = Viewpoint::here().unwrap();
        let owner = here.owner(process(std::process::id()).unwrap());
        assert_eq!(here.judge(&owner), Life::Alive);
        assert_eq!(
            here.judge(&Owner {
                start: owner.start + 1,
                ..owner.clone()
            }),
            Life::Dead
        );
        assert_eq!(
            here.judge(&Owner {
                boot: "other".into(),
                ..owner.clone()
            }),
            Life::Dead
        );
        assert_eq!(
            here.judge(&Owner {
                pidns: owner.pidns + 1,
                ..owner.clone()
            }),
            Life::Unseen
        );
        let renamed = Owner {
            machine: Some("far away".into()),
            ..owner
        };
        assert_eq!(here.judge(&renamed), Life::Alive);
        assert_eq!(
            here.judge(&Owner {
                boot: "other".into(),
                ..renamed
            }),
            Life::Unseen
        );
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_way_up_ends_at_the_top() {
        let chain: Vec<_> = ancestors().collect();
        assert!(!chain.is_empty());
        assert_eq!(chain.last().unwrap().parent, 0);
    }
}
