//! The processes above a process, up to the nearest client: a process of Claude Code.
//!
//! A client identifies itself by variables to the processes that it starts. Some keep the variables
//! after the client is gone: a terminal server, a daemon, a background command. So a client's
//! variable counts only if that client is above the process.

use std::ffi::OsStr;
use std::path::Path;

use super::process::{self, Process, Viewpoint};
use crate::model::SessionId;
use crate::store::index::{ProcessEntry, ProcessNames};
use crate::store::{Environment, StateDir, project};

/// The greatest number of processes that are visited on the way up. A deeper tree is cut off there.
const MAX_DEPTH: usize = 4096;

/// A process and the processes above it.
#[derive(Debug)]
pub(super) struct Ancestry {
    /// The process itself and those above it, nearest first: up to the nearest client, or all that
    /// can be seen.
    pub(super) processes: Vec<Process>,
    /// The nearest client above.
    pub(super) client: Option<ClientAbove>,
    /// Whether some processes above cannot be seen.
    pub(super) is_cut: bool,
}

/// A client above a process.
#[derive(Debug)]
pub(super) struct ClientAbove {
    pub(super) pid: u32,
    /// The client's entry in the process index.
    pub(super) entry: Option<ProcessEntry>,
    /// The latest time at which the client can have started the branch of the process tree that
    /// leads to the process. `None` if the process is the client itself.
    began: Option<u64>,
}

impl ClientAbove {
    /// Returns the session that the client was in when it started the branch that leads to the
    /// process. Also returns whether the client has left that session since: a background command
    /// outlives the `/clear` that moves its client to another session.
    pub(super) fn session(&self) -> Option<(&SessionId, bool)> {
        let entry = self.entry.as_ref()?;
        let then = match self.began {
            Some(began) => entry.session_at(began)?,
            None => &entry.session_id,
        };
        Some((then, *then != entry.session_id))
    }
}

/// The process that set a variable.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Setter {
    /// This process, which is the client or on the way to it.
    Seen(Process),
    /// A process that cannot be seen, because it has ended since.
    Gone,
}

impl Ancestry {
    /// Finds the processes above the process `pid`. `named` is that process's `CLAUDE_PID`, if
    /// known.
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

    /// Returns whether the process is the nearest client or on the way to it.
    pub(super) fn has(&self, pid: u32, start: u64) -> bool {
        self.processes
            .iter()
            .any(|process| (process.pid, process.start) == (pid, start))
    }

    /// Returns whether the process started the nearest client, as a launcher does.
    pub(super) fn is_launched_by(&self, pid: u32) -> bool {
        let client = self.client.as_ref().and(self.processes.last());
        client.is_some_and(|client| client.parent == pid)
    }

    /// Returns whether the client above set `CLAUDE_PROJECT_DIR`, whose value is `project_dir`. The
    /// variable then says where that client started.
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

    /// Finds the process that set `variable` to `value`: the first process above that did not start
    /// with this value. Returns `None` if the variables of a process cannot be seen.
    pub(super) fn setter(&self, variable: &str, value: &OsStr) -> Option<Setter> {
        for process in self.processes.iter().skip(1) {
            if process::variable(process.pid, variable)?.as_deref() != Some(value) {
                // The system's first process adopts orphans, so it need not have started this
                // branch.
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

    /// Returns the unrecorded client that set `variable` to `value`: a process that is not a shell,
    /// on the way to the nearest recorded client.
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

/// Returns whether a process with the client's name is a shell that runs a script of that name.
fn is_script(process: Process) -> bool {
    process::program(process.pid).is_some_and(|program| process::is_shell(&program))
}
