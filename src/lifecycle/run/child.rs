//! The command that a launcher started: it has the terminal and every signal, and the launcher waits.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use nix::sys::signal::{SigSet, SigmaskHow};
use rustix::process::{Pid, Signal, WaitOptions, WaitStatus, getpid, kill_process, wait};
use signal_hook::consts::{SIGCHLD, SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};
use signal_hook::iterator::Signals;

use super::Outcome;
use super::bystander::Bystander;
use crate::claude::arguments;
use crate::identity::process::{self, Viewpoint};
use crate::identity::roster;
use crate::lifecycle::lease;
use crate::model::{Owner, Project, SessionId};
use crate::store::{Error, State, file};

/// The hidden verb by which this program is started to become the command.
pub const VERB: &str = "become-command";

/// Signals that are passed on, unless the caller had them ignored: then the command ignores them, too.
pub(super) const FORWARDED: [i32; 6] = [SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2];

/// How long it may take until a signal to a whole group has reached every process of it: timeout(1) signals its child
/// first, and then the group.
const TO_REACH_ALL: Duration = Duration::from_millis(50);

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
    mut bystander: Bystander,
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
    let child = Pid::from_child(&this.spawn()?);
    bystander.forget();
    attend(child, signals, &mut bystander)
}

/// This program's file. On Linux by the process, so that an upgrade meanwhile does not matter.
pub(super) fn own_program() -> io::Result<PathBuf> {
    if cfg!(target_os = "linux") {
        Ok(PathBuf::from("/proc/self/exe"))
    } else {
        std::env::current_exe()
    }
}

/// Passes signals on until the child has ended.
fn attend(child: Pid, mut signals: Signals, bystander: &mut Bystander) -> io::Result<Outcome> {
    loop {
        let mut arrived: BTreeSet<i32> = signals.wait().collect();
        if FORWARDED.iter().any(|signal| arrived.contains(signal)) {
            thread::sleep(TO_REACH_ALL);
            arrived.extend(signals.pending());
        }
        if arrived.remove(&SIGCHLD)
            && let Some(outcome) = hear_of_children(child, bystander)?
        {
            return Ok(outcome);
        }
        arrived.remove(&SIGCONT);
        if arrived.is_empty() {
            continue;
        }
        let had = bystander.heard(&arrived);
        let is_in_group = group_of(child).is_some_and(|group| Some(group) == group_of(getpid()));
        for signal in arrived {
            if !(is_in_group && had.contains(&signal)) {
                pass_on(child, signal);
            }
        }
    }
}

fn group_of(pid: Pid) -> Option<u32> {
    let pid = pid.as_raw_nonzero().get().unsigned_abs();
    process::process(pid).map(|process| process.group)
}

/// Reaps whatever child has ended, and returns how the command ended, if it did. Others are orphans, where this is the
/// first process of a container or takes them otherwise, and what was started before this program was.
fn hear_of_children(child: Pid, bystander: &mut Bystander) -> io::Result<Option<Outcome>> {
    let options = WaitOptions::NOHANG | WaitOptions::UNTRACED;
    loop {
        let heard = rustix::io::retry_on_intr(|| wait(options))?;
        match heard {
            None => return Ok(None),
            Some((pid, status)) if pid == child && status.stopped() => stop_with_command(),
            Some((pid, status)) if pid == child => return Ok(Some(outcome(status))),
            Some((pid, status)) => {
                if !status.stopped() {
                    bystander.note_reaped(pid);
                }
            }
        }
    }
}

/// A command that stops itself in the foreground of a terminal, as full-screen programs do at Ctrl-Z, gives the shell its
/// prompt back only if this stops, too.
fn stop_with_command() {
    if process::is_in_foreground(file::terminal()) {
        let _ = kill_process(getpid(), Signal::STOP);
    }
}

fn pass_on(child: Pid, signal: i32) {
    if let Some(signal) = Signal::from_named_raw(signal) {
        let _ = kill_process(child, signal);
    }
}

fn outcome(status: WaitStatus) -> Outcome {
    match (status.exit_status(), status.terminating_signal()) {
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
    let is_client = arguments::is_client(command);
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
    let this = this.and_then(|process| Some(Viewpoint::here()?.recorded(process)));
    let entered = lease::change(state, id, holder, |lease| lease.child.clone_from(&this));
    let Some(lease) = entered.map_err(other)? else {
        return Err(io::Error::other("another process holds the session by now"));
    };
    if let (Some(this), false) = (this, is_client) {
        let own = Owner {
            root: lease.holder.root,
            launcher: true,
            ..this
        };
        let project = Project::at(Path::new(own.root.as_deref().unwrap_or("/")).to_owned());
        roster::join(state, id, &project, Some(&own)).map_err(other)?;
    }
    Ok(())
}
