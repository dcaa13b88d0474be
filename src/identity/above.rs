//! What is above a process: the nearest client, and the processes on the way to it.
//!
//! A client tells what it starts whose it is, by variables. Whatever lives on inherits them: a terminal server, a daemon, a
//! command whose client is gone. So a variable that a client set counts only with that client above.

use std::ffi::OsStr;
use std::path::Path;

use super::process::{self, Process, Viewpoint};
use crate::model::SessionId;
use crate::store::index::{ProcessEntry, ProcessNames};
use crate::store::{Environment, State, project};

/// The most processes that are looked at on the way up. A deeper tree is cut off there.
const MAX_DEPTH: usize = 4096;

/// A process and what is above it.
#[derive(Debug)]
pub(super) struct Above {
    /// The process itself and those above it, the nearest first: up to the nearest client, or all that can be seen.
    pub(super) processes: Vec<Process>,
    /// The nearest client above.
    pub(super) client: Option<Client>,
    /// Whether there are processes above that cannot be seen.
    pub(super) is_cut: bool,
}

/// A client above a process.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) pid: u32,
    /// What is on record of it.
    pub(super) entry: Option<ProcessEntry>,
    /// When it started what leads to the process, at the latest; nothing where that is the client itself.
    began: Option<u64>,
}

impl Client {
    /// The session that it was in when it started what leads to the process, and whether it has left that one since: a
    /// command in the background outlives the `/clear` that moves its client to another session.
    pub(super) fn session(&self) -> Option<(&SessionId, bool)> {
        let entry = self.entry.as_ref()?;
        let then = match self.began {
            Some(began) => entry.session_at(began)?,
            None => &entry.session_id,
        };
        Some((then, *then != entry.session_id))
    }
}

/// Who gave a variable its value.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Setter {
    /// This process, which is on the way to the client, or is it.
    Seen(Process),
    /// Nobody who can be seen: the first process that had it was started by somebody who is gone.
    Gone,
}

impl Above {
    /// Looks up from the process `pid`. `named` is what `CLAUDE_PID` says, where the environment is that of the process.
    pub(super) fn of(pid: u32, named: Option<u32>, state: Option<(&State, &Viewpoint)>) -> Self {
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
                above.client = Some(Client {
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

    /// Whether the process is on the way to the nearest client, or is it.
    pub(super) fn has(&self, pid: u32, start: u64) -> bool {
        self.processes
            .iter()
            .any(|process| (process.pid, process.start) == (pid, start))
    }

    /// Whether the process started the nearest client, as a launcher does.
    pub(super) fn is_launched_by(&self, pid: u32) -> bool {
        let client = self.client.as_ref().and(self.processes.last());
        client.is_some_and(|client| client.parent == pid)
    }

    /// Whether `CLAUDE_PROJECT_DIR` is the client's that is above: it says where that one was started.
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

    /// Finds who set `variable` to `value`: the first process above that does not have it. Nothing where that cannot be
    /// seen.
    pub(super) fn setter(&self, variable: &str, value: &OsStr) -> Option<Setter> {
        for process in self.processes.iter().skip(1) {
            if process::variable(process.pid, variable)?.as_deref() != Some(value) {
                // What is left behind is taken over by the first process of all.
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

    /// The client that set `CLAUDE_CODE_SESSION_ID` to `value` without being known as one: a process that is no shell, on the
    /// way to the nearest known client.
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

/// Whether a process that has the client's name is a shell that runs a script of that name.
fn is_script(process: Process) -> bool {
    process::program(process.pid).is_some_and(|program| process::is_shell(&program))
}
