//! The command that a launcher started: it has the terminal and every signal, and the launcher waits.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Command, ExitStatus};

use nix::sys::signal::{SigSet, SigmaskHow};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, getpgrp, getpid, kill_process, waitid};
use rustix::termios::tcgetpgrp;
use signal_hook::consts::{SIGCHLD, SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};
use signal_hook::iterator::Signals;

use super::{Outcome, claude};
use crate::identity::process::{self, Viewpoint};
use crate::lifecycle::lease;
use crate::model::{Owner, SessionId};
use crate::store::{Error, State, file, index};

/// The hidden verb by which this program is started to become the command.
pub const VERB: &str = "become-command";

/// Signals that are passed on, unless the caller had them ignored: then the command ignores them, too.
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

/// Takes the signals that are the command's, from now on: what comes before it is there reaches it afterwards.
///
/// # Errors
/// Where the system refused.
pub(super) fn listen() -> io::Result<Signals> {
    // While a first handler is being set up, the registry would take the signal and forget it.
    let _kept = KeptBack::forwarded()?;
    let forwarded = FORWARDED
        .into_iter()
        .filter(|signal| !process::ignores(*signal));
    Signals::new(forwarded.chain([SIGCHLD, SIGCONT]))
}

/// The signals that are passed on, kept back until this is dropped; then those that came are delivered.
struct KeptBack {
    mask: SigSet,
}

impl KeptBack {
    fn forwarded() -> io::Result<Self> {
        let mut set = SigSet::empty();
        for signal in FORWARDED {
            set.add(signal.try_into()?);
        }
        let mask = set.thread_swap_mask(SigmaskHow::SIG_BLOCK)?;
        Ok(Self { mask })
    }
}

impl Drop for KeptBack {
    fn drop(&mut self) {
        let _ = self.mask.thread_set_mask();
    }
}

/// Starts `command` as the session `id`, held by `holder`. The answer is how it ended.
///
/// What is started is this program again ([`become_command`]): it enters itself into the lease and then becomes the
/// command. So there is no moment at which the command runs and, were the launcher killed, nobody would hold the id.
///
/// # Errors
/// Where it could not be started or waited for.
pub(super) fn run(
    command: &[OsString],
    id: &SessionId,
    holder: &Owner,
    signals: Signals,
) -> io::Result<Outcome> {
    #[expect(
        clippy::disallowed_methods,
        reason = "what a launcher is for is to start a command"
    )]
    let mut this = Command::new(own_program()?);
    this.args([VERB, id.as_str(), &holder.file_name(), "--"])
        .args(command)
        .env("CCSESSION_ID", id.as_str());
    for variable in OF_THE_CALLER {
        this.env_remove(variable);
    }
    let mut child = this.spawn()?;
    if let Some(pid) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        attend(pid, signals)?;
    }
    child.wait().map(outcome)
}

/// This program's file. On Linux by the process, so that an upgrade meanwhile does not matter.
fn own_program() -> io::Result<PathBuf> {
    if cfg!(target_os = "linux") {
        Ok(PathBuf::from("/proc/self/exe"))
    } else {
        std::env::current_exe()
    }
}

/// Passes signals on until the child has ended. It is not reaped before, so its pid is nobody else's.
fn attend(child: Pid, mut signals: Signals) -> io::Result<()> {
    loop {
        for signal in signals.wait() {
            match signal {
                SIGCHLD if has_ended(child)? => return Ok(()),
                SIGCHLD => stop_with(child),
                _ if has_it_already(signal) => {}
                _ => pass_on(child, signal),
            }
        }
    }
}

fn has_ended(child: Pid) -> io::Result<bool> {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    let seen = rustix::io::retry_on_intr(|| waitid(WaitId::Pid(child), options))?;
    Ok(seen.is_some())
}

/// A command that stops itself in the foreground of a terminal, as full-screen programs do at Ctrl-Z, gives the shell its
/// prompt back only if this stops, too.
fn stop_with(child: Pid) {
    let options = WaitIdOptions::STOPPED | WaitIdOptions::NOHANG;
    let stopped = waitid(WaitId::Pid(child), options);
    if matches!(stopped, Ok(Some(_))) && is_in_foreground() {
        let _ = kill_process(getpid(), Signal::STOP);
    }
}

fn pass_on(child: Pid, signal: i32) {
    if let Some(signal) = Signal::from_named_raw(signal) {
        let _ = kill_process(child, signal);
    }
}

/// What a key on the terminal sends goes to every process in its foreground, the child among them.
fn has_it_already(signal: i32) -> bool {
    matches!(signal, SIGINT | SIGQUIT) && is_in_foreground()
}

fn is_in_foreground() -> bool {
    let group = file::terminal().and_then(|terminal| tcgetpgrp(terminal).ok());
    group == Some(getpgrp())
}

fn outcome(status: ExitStatus) -> Outcome {
    match (status.code(), status.signal()) {
        (Some(0), _) => Outcome::Completed,
        (Some(code), _) => Outcome::Failed(code),
        (None, signal) => Outcome::Killed(signal.unwrap_or_default()),
    }
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
    let is_client = claude::is_client(command);
    if let Err(err) = enter(state, id, holder, is_client) {
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

/// The command holds the id with its launcher, and alone should that be killed. A client makes itself an owner, by its
/// hooks.
fn enter(state: &State, id: &SessionId, holder: &str, is_client: bool) -> io::Result<()> {
    // A signal ends this afterwards, not between a temporary file and its name.
    let _kept = KeptBack::forwarded()?;
    let other = |err: Error| io::Error::other(err.to_string());
    let this = process::process(std::process::id());
    let this = this.and_then(|process| Some(Viewpoint::here()?.owner(process)));
    let entered = lease::change(state, id, holder, |lease| lease.child.clone_from(&this));
    let Some(lease) = entered.map_err(other)? else {
        return Err(io::Error::other("the session is held by another by now"));
    };
    if let (Some(this), false) = (this, is_client) {
        let own = Owner {
            root: lease.holder.root,
            launcher: true,
            ..this
        };
        state.session(id).add_owner(&own).map_err(other)?;
        index::set_session_of_process(state, &own, id).map_err(other)?;
    }
    Ok(())
}
