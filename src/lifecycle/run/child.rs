//! The command that a launcher started: it has the terminal and every signal, and the launcher waits.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus};
use std::sync::{Mutex, PoisonError};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, getpgrp, kill_process, waitid};
use rustix::termios::tcgetpgrp;
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};
use signal_hook::iterator::Signals;

use super::Outcome;
use crate::identity::process::{self, Viewpoint};
use crate::model::{Owner, SessionId};
use crate::store::lock::LAUNCHER_PATIENCE;
use crate::store::{Error, State, file, lease};

/// The hidden verb by which this program is started to become the command.
pub const VERB: &str = "become-command";

/// Signals that are passed on, unless the caller had them ignored: then the command ignores them, too. Those that stop and continue reach the whole process group anyway.
const FORWARDED: [i32; 6] = [SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2];

/// Variables by which Claude Code tells its children whose they are. A command with an id of its own is nobody's.
const OF_THE_CALLER: [&str; 12] = [
    "CLAUDECODE",
    "CLAUDE_CODE_SESSION_ID",
    "CLAUDE_PID",
    "CLAUDE_PROJECT_DIR",
    "CLAUDE_ENV_FILE",
    "CLAUDE_CODE_ENTRYPOINT",
    "CLAUDE_CODE_CHILD_SESSION",
    "CLAUDE_CODE_CHILD_NOTES_DIR",
    "CLAUDE_CODE_SESSION_ATTENDED",
    "CLAUDE_CODE_MESSAGING_SOCKET",
    "CLAUDE_CODE_MESSAGING_TOKEN",
    "CLAUDE_JOB_DIR",
];

/// Starts `command` as the session `id`, held by `holder`. The answer is how it ended.
///
/// What is started is this program again ([`become_command`]): it enters itself into the lease and then becomes the
/// command. So there is no moment at which the command runs and, were the launcher killed, nobody would hold the id.
///
/// # Errors
/// Where it could not be started or waited for.
pub(super) fn run(command: &[OsString], id: &SessionId, holder: &Owner) -> io::Result<Outcome> {
    // Before the command is there, so that no signal is lost on the way.
    let forwarded = FORWARDED
        .into_iter()
        .filter(|signal| !process::ignores(*signal));
    let signals = Signals::new(forwarded)?;
    #[expect(
        clippy::disallowed_methods,
        reason = "what a launcher is for is to start a command"
    )]
    let mut this = Command::new(std::env::current_exe()?);
    this.args([VERB, id.as_str(), &holder.file_name(), "--"])
        .args(command)
        .env("CCSESSION_ID", id.as_str());
    for variable in OF_THE_CALLER {
        this.env_remove(variable);
    }
    attend(this.spawn()?, signals).map(outcome)
}

/// Enters this process into the lease of `id`, if `holder` still has it, and becomes the command. It returns only where
/// that was not possible: the error, and the status that a shell would end with.
pub fn become_command(
    state: &State,
    id: &SessionId,
    holder: &str,
    command: &[OsString],
) -> (io::Error, i32) {
    const NOT_FOUND: i32 = 127;
    const NOT_STARTED: i32 = 126;
    if let Err(err) = enter(state, id, holder) {
        return (err, NOT_STARTED);
    }
    let Some((program, arguments)) = command.split_first() else {
        return (io::ErrorKind::InvalidInput.into(), NOT_STARTED);
    };
    #[expect(
        clippy::disallowed_methods,
        reason = "what a launcher is for is to start a command"
    )]
    let err = Command::new(program).args(arguments).exec();
    match err.kind() {
        io::ErrorKind::NotFound => (io::Error::other("there is no such command"), NOT_FOUND),
        _ => (err, NOT_STARTED),
    }
}

fn enter(state: &State, id: &SessionId, holder: &str) -> io::Result<()> {
    let other = |err: Error| io::Error::other(err.to_string());
    let _lock = state.lock(LAUNCHER_PATIENCE).map_err(other)?;
    let present = lease::read(state, id).map_err(other)?;
    let Some(mut held) = present.filter(|held| held.holder.file_name() == holder) else {
        return Err(io::Error::other("the session is held by another by now"));
    };
    held.child = process::process(std::process::id())
        .and_then(|process| Some(Viewpoint::here()?.owner(process)));
    lease::write(state, &held).map_err(other)
}

/// Passes signals on until the child has ended.
fn attend(mut child: Child, mut signals: Signals) -> io::Result<ExitStatus> {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let Some(pid) = pid else {
        return child.wait();
    };
    let handle = signals.handle();
    // Once the child is reaped its pid may be another's.
    let running = Mutex::new(true);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for signal in signals.forever() {
                let running = running.lock().unwrap_or_else(PoisonError::into_inner);
                if *running
                    && !has_it_already(signal)
                    && let Some(signal) = named(signal)
                {
                    let _ = kill_process(pid, signal);
                }
            }
        });
        let ended = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        let seen = rustix::io::retry_on_intr(|| waitid(WaitId::Pid(pid), ended));
        *running.lock().unwrap_or_else(PoisonError::into_inner) = false;
        handle.close();
        seen?;
        child.wait()
    })
}

/// What a key on the terminal sends goes to every process in its foreground, the child among them.
fn has_it_already(signal: i32) -> bool {
    let is_in_foreground = || {
        let terminal = file::terminal()?;
        Some(tcgetpgrp(terminal).ok()? == getpgrp())
    };
    matches!(signal, SIGINT | SIGQUIT) && is_in_foreground() == Some(true)
}

fn named(signal: i32) -> Option<Signal> {
    Signal::from_named_raw(signal)
}

fn outcome(status: ExitStatus) -> Outcome {
    match (status.code(), status.signal()) {
        (Some(0), _) => Outcome::Completed,
        (Some(code), _) => Outcome::Failed(code),
        (None, signal) => Outcome::Killed(signal.unwrap_or_default()),
    }
}
