//! Processes: the ancestors of this one, which of them is Claude Code, and whether a recorded owner
//! still runs.
//!
//! Each operating system has a submodule.

#[cfg_attr(target_os = "linux", path = "process/linux.rs")]
#[cfg_attr(target_os = "macos", path = "process/macos.rs")]
#[cfg_attr(
    not(any(target_os = "linux", target_os = "macos")),
    path = "process/unseen.rs"
)]
mod system;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::sync::OnceLock;

use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};
use rustix::termios::tcgetpgrp;

use crate::model::Owner;
use crate::model::project::fingerprint;
use crate::model::record::VERSION;
use crate::store::{self, machine_name};

/// The most ancestors of a hook that are examined.
const MAX_DEPTH: usize = 4096;
/// The names of shells. Claude Code runs its commands in a shell, which is then between the two.
const SHELLS: [&str; 13] = [
    "ash", "bash", "busybox", "csh", "dash", "fish", "ksh", "ksh93", "mksh", "rbash", "sh", "tcsh",
    "zsh",
];

/// A process. The start time distinguishes it from others with the same pid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Process {
    /// The process id.
    pub pid: u32,
    /// The parent's pid; 0 at the top.
    pub parent: u32,
    /// The process group id; 0 if unknown, as in another pid namespace.
    pub group: u32,
    /// The start time in the system's own unit: on Linux clock ticks since boot, on macOS
    /// microseconds since 1970.
    pub start: u64,
    /// Whether the process is named like Claude Code. This is a hint, not a proof.
    pub is_client: bool,
    /// Whether the process is named like a shell.
    pub is_shell: bool,
}

impl Process {
    /// Returns the latest time at which the process can have started, in microseconds on the clock
    /// of [`crate::store::clock::of_processes`].
    pub fn started_by(&self) -> u64 {
        system::started_by(self.start)
    }
}

/// Whether a recorded owner still runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Life {
    /// The same process runs.
    Alive,
    /// The process does not run, though another one may have its pid.
    Dead,
    /// The process cannot be seen from here: another machine, another pid namespace, or no `/proc`.
    /// It may still run.
    Unseen,
}

/// From where this process sees others: its boot, pid namespace and machine. Only processes of the
/// same three can be seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Viewpoint {
    boot: String,
    pidns: u64,
    machine: Option<String>,
    /// Read on first use, because few callers need it.
    machine_id: OnceLock<Option<String>>,
}

impl Viewpoint {
    /// Returns the viewpoint of this process, or `None` if processes cannot be seen.
    pub fn here() -> Option<Self> {
        Some(Self {
            boot: system::boot()?,
            pidns: system::namespace()?,
            machine: machine_name(),
            machine_id: OnceLock::new(),
        })
    }

    /// Returns `process` as an owner to be recorded: with everything that distinguishes it from
    /// processes on all machines.
    pub fn recorded(&self, process: Process) -> Owner {
        Owner {
            machine_id: self.machine_id().clone(),
            ..self.owner(process)
        }
    }

    /// Returns `process` as an owner to look up: with what distinguishes it from other processes on
    /// this machine.
    pub fn owner(&self, process: Process) -> Owner {
        Owner {
            v: VERSION,
            pid: process.pid,
            start: process.start,
            boot: self.boot.clone(),
            pidns: self.pidns,
            machine: self.machine.clone(),
            machine_id: None,
            root: None,
            launcher: false,
        }
    }

    /// Returns whether `owner` is from this machine's present boot.
    pub fn is_of_this_boot(&self, owner: &Owner) -> bool {
        owner.boot == self.boot
    }

    fn machine_id(&self) -> &Option<String> {
        self.machine_id.get_or_init(machine_id)
    }

    /// Returns whether `owner` is from this machine. Compares the machines' names only if an id is
    /// missing, because two machines can have the same name and a machine can be renamed.
    fn is_of_this_machine(&self, owner: &Owner) -> bool {
        match (&owner.machine_id, self.machine_id()) {
            (Some(theirs), Some(ours)) => theirs == ours,
            _ => owner.machine == self.machine,
        }
    }

    /// Returns whether `owner` still runs. Looks only at processes, so it cannot detect a copy of
    /// this machine that has the same identity; [`crate::identity::liveness::Judge::life`] can.
    pub fn judge(&self, owner: &Owner) -> Life {
        if !self.is_of_this_boot(owner) {
            return if self.is_of_this_machine(owner) {
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

/// Returns a hash that identifies this machine, or `None` if the system has no machine id.
fn machine_id() -> Option<String> {
    Some(fingerprint("ccsession: machine", &store::machine_id()?))
}

/// Returns whether a process of any user has this pid.
pub fn exists(pid: u32) -> bool {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    pid.is_some_and(|pid| test_kill_process(pid) != Err(Errno::SRCH))
}

/// Returns whether a process with this pid and start time runs here.
pub fn runs(pid: u32, start: u64) -> bool {
    exists(pid) && process(pid).is_some_and(|process| process.start == start)
}

/// Returns the process `pid` if it runs and can be seen.
pub fn process(pid: u32) -> Option<Process> {
    system::process(pid)
}

/// Returns whether this process ignores the signal, as under `nohup`; false if unknown.
pub fn ignores(signal: i32) -> bool {
    system::ignores(signal)
}

/// Returns which of `signals` are pending for process `pid`: it received them, but has them
/// blocked. Returns an empty set if that is unknown.
pub fn pending_signals(pid: u32, signals: &[i32]) -> BTreeSet<i32> {
    system::pending_signals(pid, signals)
}

/// Opens the file that process `pid` has open as this file descriptor, if it can be seen.
pub fn open_file_of(pid: u32, number: &str) -> Option<OwnedFd> {
    system::open_file_of(pid, number)
}

/// Opens the pipe that process `pid` has open for writing as this file descriptor, if it can be
/// seen.
#[cfg(feature = "cli")]
pub fn writing_end_of(pid: u32, number: &str) -> Option<OwnedFd> {
    system::writing_end_of(pid, number)
}

/// Returns whether some process reaps orphaned processes when they end; true if unknown.
pub fn reaps_orphans() -> bool {
    system::reaps_orphans()
}

/// Returns the pid of the process that started or adopted this one.
pub fn parent() -> u32 {
    std::os::unix::process::parent_id()
}

/// Returns the working directory of process `pid`, if it can be seen.
pub fn working_dir(pid: u32) -> Option<PathBuf> {
    system::working_dir(pid)
}

/// The ancestors of this process. Each is inspected once, when it is first needed.
#[derive(Debug, Default)]
pub struct Chain(RefCell<Vec<Process>>);

impl Chain {
    /// Returns all ancestors of this process, nearest first.
    pub fn iter(&self) -> impl Iterator<Item = Process> {
        (0..MAX_DEPTH).map_while(|place| self.get(place))
    }

    /// Returns the ancestors of `process`, nearest first.
    pub fn above(&self, process: Process) -> impl Iterator<Item = Process> {
        self.iter().skip_while(move |one| *one != process).skip(1)
    }

    fn get(&self, place: usize) -> Option<Process> {
        let mut seen = self.0.borrow_mut();
        while seen.len() <= place {
            let next = seen.last().map_or_else(parent, |last| last.parent);
            let next = (next != 0).then(|| process(next))??;
            seen.push(next);
        }
        seen.get(place).copied()
    }
}

/// Returns the pid of the leader of this process's session (setsid(2)). It is 0 if unknown, for
/// example because this process has entered another pid namespace since.
pub fn session_leader() -> u32 {
    system::session_leader()
}

/// Returns whether this process is in the foreground of `terminal`.
pub fn is_in_foreground(terminal: Option<impl AsFd>) -> bool {
    let group = terminal.and_then(|terminal| tcgetpgrp(terminal).ok());
    // Do not call getpgrp(2): it returns 0 for a group in another pid namespace.
    let own = process(std::process::id()).map(|own| own.group);
    group.is_some_and(|group| Some(group.as_raw_nonzero().get().unsigned_abs()) == own)
}

/// Returns the name of the program that process `pid` runs, if it can be seen.
pub fn program(pid: u32) -> Option<String> {
    system::program(pid)
}

/// Returns whether a process or program with this name is a shell.
pub fn is_shell(name: &str) -> bool {
    SHELLS.contains(&name.trim_start_matches('-'))
}

/// Returns the value that the environment variable `name` had when process `pid` started. The outer
/// `None` means that the environment cannot be read, the inner one that the variable was not set.
pub fn variable(pid: u32, name: &str) -> Option<Option<OsString>> {
    system::variable(pid, name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_is_alive_and_another_start_is_another_process() {
        let here = Viewpoint::here().unwrap();
        let owner = here.recorded(process(std::process::id()).unwrap());
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
    }

    /// Machines are compared by id. Without one, as on records of older versions, the name decides.
    #[cfg(target_os = "linux")]
    #[test]
    fn an_owner_of_another_boot_is_dead_only_on_the_same_machine() {
        let here = |name: &str, id: Option<&str>| Viewpoint {
            machine: Some(name.into()),
            machine_id: OnceLock::from(id.map(str::to_owned)),
            ..Viewpoint::here().unwrap()
        };
        let process = process(std::process::id()).unwrap();
        for (theirs, ours, life) in [
            (("dev", Some("1")), ("dev", Some("1")), Life::Dead),
            (("old name", Some("1")), ("dev", Some("1")), Life::Dead),
            (("dev", Some("2")), ("dev", Some("1")), Life::Unseen),
            (("dev", None), ("dev", Some("1")), Life::Dead),
            (("other", None), ("dev", Some("1")), Life::Unseen),
            (("dev", Some("1")), ("dev", None), Life::Dead),
            (("dev", None), ("dev", None), Life::Dead),
            (("other", None), ("dev", None), Life::Unseen),
        ] {
            let owner = here(theirs.0, theirs.1).recorded(process);
            let here = here(ours.0, ours.1);
            assert_eq!(here.judge(&owner), Life::Alive);
            let owner = Owner {
                boot: "other".into(),
                ..owner
            };
            assert_eq!(here.judge(&owner), life, "{theirs:?} {ours:?}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_walk_up_the_process_tree_ends_at_the_top() {
        let chain: Vec<_> = Chain::default().iter().collect();
        assert!(!chain.is_empty());
        assert_eq!(chain.last().unwrap().parent, 0);
    }
}
