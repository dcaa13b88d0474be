//! The command that a launcher started. It has the terminal and gets every signal, while the
//! launcher waits.

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

use super::RunOutcome;
use super::bystander::Bystander;
use super::gate::{self, Gate};
use crate::claude::arguments;
use crate::identity::process::{self, Viewpoint};
use crate::identity::roster;
use crate::lifecycle::lease;
use crate::model::{Owner, Project, SessionId};
use crate::store::{Error, StateDir, file};

/// The hidden verb that starts this program to become the command.
pub const VERB: &str = "become-command";

/// Signals that are passed on. If the caller ignored one, the command ignores it, too.
pub(super) const FORWARDED: [i32; 6] = [SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2];

/// How long a signal to a group may take to reach each of its processes. timeout(1) signals its
/// child first, and then the group.
const TO_REACH_ALL: Duration = Duration::from_millis(50);

/// Variables by which Claude Code marks its children. A command with its own id must not inherit
/// them.
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

/// Starts to catch the signals that are meant for the command. A signal that comes before the
/// command exists is delivered later.
///
/// # Errors
/// Fails if the system refuses.
pub(super) fn listen() -> io::Result<Signals> {
    // Until its first handler is installed, `signal_hook` would lose a signal.
    let _kept = BlockedSignals::forwarded()?;
    let forwarded = FORWARDED
        .into_iter()
        .filter(|signal| !process::ignores(*signal));
    Signals::new(forwarded.chain([SIGCHLD, SIGCONT]))
}

/// Blocks the forwarded signals. Dropping this restores the old mask, which delivers the signals
/// that arrived meanwhile.
pub(super) struct BlockedSignals {
    mask: SigSet,
}

impl BlockedSignals {
    pub(super) fn forwarded() -> io::Result<Self> {
        let mut set = SigSet::empty();
        for signal in FORWARDED {
            set.add(signal.try_into()?);
        }
        let mask = set.thread_swap_mask(SigmaskHow::SIG_BLOCK)?;
        Ok(Self { mask })
    }

    /// Takes over the signals that the launcher blocked before it started this process, so that
    /// dropping this unblocks them.
    pub(super) fn inherited(blocked: &[i32]) -> io::Result<Self> {
        let mut mask = SigSet::thread_get_mask()?;
        for signal in blocked {
            mask.remove((*signal).try_into()?);
        }
        Ok(Self { mask })
    }

    /// Returns the forwarded signals that were not already blocked before.
    fn signals(&self) -> Vec<i32> {
        let is_new = |signal: &i32| {
            let signal = nix::sys::signal::Signal::try_from(*signal);
            signal.is_ok_and(|signal| !self.mask.contains(signal))
        };
        FORWARDED.into_iter().filter(is_new).collect()
    }
}

impl Drop for BlockedSignals {
    fn drop(&mut self) {
        let _ = self.mask.thread_set_mask();
    }
}

/// Starts `command` as the session `id`, held by `holder`, and returns how it ended.
///
/// Starts this program again ([`become_command`]). That process enters itself into the lease and
/// then becomes the command. So a holder is always registered while the command runs, even if the
/// launcher is killed.
///
/// # Errors
/// Fails if the command could not be started or waited for.
pub(super) fn run(
    command: &[OsString],
    id: &SessionId,
    holder: &Owner,
    signals: Signals,
    mut bystander: Bystander,
) -> io::Result<RunOutcome> {
    #[expect(
        clippy::disallowed_methods,
        reason = "a launcher exists to start a command"
    )]
    let mut this = Command::new(own_program()?);
    for variable in OF_THE_CALLER {
        this.env_remove(variable);
    }
    let mut gate = Gate::closed()?;
    // The process inherits the block, so every signal that reaches it waits.
    let kept = BlockedSignals::forwarded()?;
    let start = Start {
        holder: holder.file_name(),
        gate: gate.name(),
        blocked: kept.signals(),
    };
    this.arg(VERB)
        .args(start.words(id))
        .arg("--")
        .args(command)
        .env("CCSESSION_ID", id.as_str());
    let child = this.spawn();
    drop(kept);
    let child = Pid::from_child(&child?);
    bystander.forget_all_but(|| process::pending_signals(pid_of(child), &FORWARDED));
    gate.open();
    attend(child, signals, &mut bystander)
}

/// What a launcher tells the process that becomes the command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start {
    /// The holder that the process must find in the lease.
    pub holder: String,
    /// The number of the file descriptor that is the launcher's gate.
    pub gate: String,
    /// The signals that the launcher has blocked for the process.
    pub blocked: Vec<i32>,
}

impl Start {
    /// Returns the arguments of the hidden verb, before the command.
    fn words(&self, id: &SessionId) -> Vec<String> {
        let blocked = self
            .blocked
            .iter()
            .map(|signal| format!("--blocked={signal}"));
        let named = [id.to_string(), self.holder.clone(), self.gate.clone()];
        named.into_iter().chain(blocked).collect()
    }
}

/// Returns the path of this program. On Linux it leads to the running file, so an upgrade meanwhile
/// does not matter.
pub(super) fn own_program() -> io::Result<PathBuf> {
    if cfg!(target_os = "linux") {
        Ok(PathBuf::from("/proc/self/exe"))
    } else {
        std::env::current_exe()
    }
}

/// Passes signals on until the child has ended.
fn attend(child: Pid, mut signals: Signals, bystander: &mut Bystander) -> io::Result<RunOutcome> {
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

fn pid_of(process: Pid) -> u32 {
    process.as_raw_nonzero().get().unsigned_abs()
}

fn group_of(process: Pid) -> Option<u32> {
    process::process(pid_of(process)).map(|process| process.group)
}

/// Reaps every child that has ended, and returns how the command ended, if it did. Other children
/// are orphans that this process adopted, for example as a container's first process, or children
/// started before this program was.
fn hear_of_children(child: Pid, bystander: &mut Bystander) -> io::Result<Option<RunOutcome>> {
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

/// Stops this process with its command. Full-screen programs stop themselves at Ctrl-Z, and the
/// shell shows its prompt only if the launcher stops, too.
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

fn outcome(status: WaitStatus) -> RunOutcome {
    match (status.exit_status(), status.terminating_signal()) {
        (Some(0), _) => RunOutcome::Completed,
        (Some(code), _) => RunOutcome::Failed(code),
        (None, signal) => RunOutcome::Killed(signal.unwrap_or_default()),
    }
}

/// Enters this process into the lease of `id`, if the launcher still holds it, and becomes the
/// command once the launcher opens its gate. Returns only on failure: the error, and the exit
/// status that a shell would use.
pub fn become_command(
    state: &StateDir,
    id: &SessionId,
    start: &Start,
    command: &[OsString],
) -> (io::Error, i32) {
    const NOT_FOUND: i32 = 127;
    const NOT_STARTED: i32 = 126;
    let is_client = arguments::is_client(command);
    // No signal may end this process between creating a temporary file and renaming it, either.
    let kept = match BlockedSignals::inherited(&start.blocked) {
        Ok(kept) => kept,
        Err(err) => return (err, NOT_STARTED),
    };
    if let Err(err) = enter(state, id, &start.holder, is_client) {
        return (err, NOT_STARTED);
    }
    gate::wait(&start.gate);
    drop(kept);
    let Some((program, arguments)) = command.split_first() else {
        return (io::ErrorKind::InvalidInput.into(), NOT_STARTED);
    };
    #[expect(
        clippy::disallowed_methods,
        reason = "a launcher exists to start a command"
    )]
    let err = Command::new(program).args(arguments).exec();
    match err.kind() {
        io::ErrorKind::NotFound => (io::Error::other("there is no such command"), NOT_FOUND),
        _ => (err, NOT_STARTED),
    }
}

/// Makes the command a holder of the id beside its launcher, so that the id stays held if the
/// launcher is killed. Does not register Claude Code as an owner, because its hooks do that.
fn enter(state: &StateDir, id: &SessionId, holder: &str, is_client: bool) -> io::Result<()> {
    let other = |err: Error| io::Error::other(err.to_string());
    let this = process::process(std::process::id());
    let this = this.and_then(|process| Some(Viewpoint::here()?.recorded(process)));
    let entered = lease::change(state, id, holder, |lease| lease.child.clone_from(&this));
    let Some(lease) = entered.map_err(other)? else {
        return Err(io::Error::other("another process now holds the session"));
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
