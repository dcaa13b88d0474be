//! The ancestors of a process: its parent, the parent's parent and so on, up to the nearest client.
//! A client is a process of Claude Code.
//!
//! A client identifies itself to the processes that it starts by environment variables. A terminal
//! server, a daemon or a background command keeps the variables after the client is gone. So such a
//! variable is believed only if the client that set it is an ancestor of the process.

use std::ffi::OsStr;
use std::path::Path;

use super::process::{self, Process, Viewpoint};
use crate::model::SessionId;
use crate::store::index::{ProcessEntry, ProcessNames};
use crate::store::{Environment, StateDir, project};

/// The most ancestors that are examined.
const MAX_DEPTH: usize = 4096;

/// A process and its ancestors.
#[derive(Debug)]
pub(super) struct Ancestry {
    /// The process itself and its ancestors, nearest first, up to the nearest client. Without a
    /// client: all that can be seen.
    pub(super) processes: Vec<Process>,
    /// The nearest client: an ancestor, or the process itself.
    pub(super) client: Option<ClientAbove>,
    /// Whether there are further ancestors that cannot be seen.
    pub(super) is_cut: bool,
}

/// A client that is an ancestor of a process.
#[derive(Debug)]
pub(super) struct ClientAbove {
    pub(super) pid: u32,
    /// The client's entry in the process index.
    pub(super) entry: Option<ProcessEntry>,
    /// When the client started its child process from which the process descends, as late as it can
    /// have been. `None` if the process is the client itself.
    began: Option<u64>,
}

impl ClientAbove {
    /// Returns the session that the client was in when it started the process or its ancestor. Also
    /// returns whether the client has left that session since. A background command, for example,
    /// goes on after a `/clear`, which moves its client to another session.
    pub(super) fn session(&self) -> Option<(&SessionId, bool)> {
        let entry = self.entry.as_ref()?;
        let then = match self.began {
            Some(began) => entry.session_at(began)?,
            None => &entry.session_id,
        };
        Some((then, *then != entry.session_id))
    }
}

/// Where a variable of a process comes from.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Setter {
    /// This ancestor set it: the nearest client, or a process between.
    Seen(Process),
    /// A process that has ended since set it.
    Gone,
}

impl Ancestry {
    /// Finds the ancestors of the process `pid`. `named` is that process's `CLAUDE_PID`, if known.
    /// With `state`, looks up clients in the process index.
    pub(super) fn of(pid: u32, named: Option<u32>, state: Option<(&StateDir, &Viewpoint)>) -> Self {
        let on_record = ProcessNames::default();
        let entry_of = |process: Process| {
            let (state, viewpoint) = state?;
            on_record.entry(state, &viewpoint.owner(process))
        };
        let mut above = Self {
            processes: Vec::new(),
            client: None,
            is_cut: true,
        };
        let mut next = pid;
        while above.processes.len() < MAX_DEPTH {
            if next == 0 {
                above.is_cut = false;
                return above;
            }
            let Some(process) = process::process(next) else {
                return above;
            };
            let entry = entry_of(process);
            let is_hinted =
                || named == Some(process.pid) || process.is_client && !is_script(process);
            if entry.is_some() || is_hinted() {
                above.client = Some(ClientAbove {
                    pid: process.pid,
                    entry,
                    began: above.processes.last().map(Process::started_by),
                });
                above.is_cut = false;
            }
            above.processes.push(process);
            if above.client.is_some() {
                return above;
            }
            next = process.parent;
        }
        above
    }

    /// Returns whether the process with this pid and start time is one of [`Self::processes`].
    pub(super) fn has(&self, pid: u32, start: u64) -> bool {
        self.processes
            .iter()
            .any(|process| (process.pid, process.start) == (pid, start))
    }

    /// Returns whether the process `pid` is the parent of the nearest client, as a launcher is.
    pub(super) fn is_launched_by(&self, pid: u32) -> bool {
        let client = self.client.as_ref().and(self.processes.last());
        client.is_some_and(|client| client.parent == pid)
    }

    /// Returns whether the nearest client set `CLAUDE_PROJECT_DIR`, whose value is `project_dir`.
    /// If it did, the variable says where that client was started.
    pub(super) fn vouches_for(&self, project_dir: &Path, env: &Environment) -> bool {
        let Some(client) = &self.client else {
            return false;
        };
        let root = client
            .entry
            .as_ref()
            .and_then(|entry| entry.owner.root.as_deref());
        match root {
            Some(root) => project::discover(project_dir).root().to_string_lossy() == root,
            None => env.claude_pid == Some(client.pid),
        }
    }

    /// Finds the process that set `variable` to `value`: the nearest ancestor that did not inherit
    /// this value. Returns `None` if the variables of an ancestor cannot be read.
    pub(super) fn setter(&self, variable: &str, value: &OsStr) -> Option<Setter> {
        for process in self.processes.iter().skip(1) {
            if process::variable(process.pid, variable)?.as_deref() != Some(value) {
                // The system's first process adopts orphans, so it is not proven to be the origin.
                let is_first = process.pid == 1 || process.parent == 0;
                return Some(if is_first {
                    Setter::Gone
                } else {
                    Setter::Seen(*process)
                });
            }
        }
        Some(Setter::Gone)
    }

    /// Returns the pid of the client that set `variable` to `value`, if it is not in the process
    /// index. It is an ancestor below the nearest recorded client, and not a shell.
    pub(super) fn unknown_client(&self, variable: &str, value: &OsStr) -> Option<u32> {
        match self.setter(variable, value)? {
            Setter::Seen(process) => {
                let is_between = Some(&process) != self.processes.last();
                (is_between && !process.is_shell).then_some(process.pid)
            }
            Setter::Gone => None,
        }
    }
}

/// Returns whether a process that is named like Claude Code is a shell that runs a script of that
/// name.
fn is_script(process: Process) -> bool {
    process::program(process.pid).is_some_and(|program| process::is_shell(&program))
}
