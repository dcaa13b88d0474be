//! Starts the command of a launcher and waits for it. The command has the terminal, and receives
//! every signal.

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
use signal_hook::consts::{
    SIGALRM, SIGCHLD, SIGCONT, SIGHUP, SIGINT, SIGIO, SIGPROF, SIGQUIT, SIGSYS, SIGTERM, SIGTRAP,
    SIGUSR1, SIGUSR2, SIGVTALRM, SIGXCPU, SIGXFSZ,
};
use signal_hook::iterator::Signals;

use super::RunOutcome;
use super::bystander::Bystander;
use super::gate::{self, FailureReport, FailureReporter, Gate};
use super::program;
use crate::claude::arguments;
use crate::identity::process::{self, Viewpoint};
use crate::identity::roster;
use crate::lifecycle::lease;
use crate::model::{Owner, Project, SessionId};
use crate::store::{self, Error, StateDir, file};

/// The hidden verb with which a launcher starts this program again, to become the command.
pub const VERB: &str = "become-command";

/// The signals that the launcher passes on to the command, unless the launcher was started with the
/// signal ignored: all whose default ends a process. Not among them are those that a process cannot
/// survive, that report its own faults (`SIGSEGV`, `SIGABRT`, `SIGPIPE`, `SIGXFSZ`), and real-time
/// signals.
pub(super) const FORWARDED: [i32; 13] = [
    SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGALRM, SIGVTALRM, SIGPROF, SIGIO,
    SIGXCPU, SIGTRAP, SIGSYS,
];

/// How long a signal to a process group may take to reach all its processes. timeout(1), for
/// example, signals its child first, and then the group.
const TO_REACH_ALL: Duration = Duration::from_millis(50);

/// The variables that Claude Code sets for its child processes. They are about the caller's
/// session, so the command must not inherit them.
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

/// Starts to catch the signals that are meant for the command. A signal that arrives before the
/// command exists is passed on later.
///
/// # Errors
/// Fails if a signal handler cannot be installed.
pub(super) fn listen() -> io::Result<Signals> {
    // Block the signals meanwhile: `signal_hook` would lose one that arrives before its first
    // handler is installed.
    let _kept = BlockedSignals::forwarded()?;
    let forwarded = FORWARDED
        .into_iter()
        .filter(|signal| !process::ignores(*signal));
    // A file that grows too large must lead to an error, not to the launcher's end. If the signal is
    // ignored, it does, and the command must find it ignored, too.
    let too_large = Some(SIGXFSZ).filter(|signal| !process::ignores(*signal));
    Signals::new(forwarded.chain([SIGCHLD, SIGCONT]).chain(too_large))
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

    /// Takes over the signals that the launcher blocked before it started this process. Dropping
    /// the result unblocks them.
    pub(super) fn inherited(blocked: &[i32]) -> io::Result<Self> {
        let mut mask = SigSet::thread_get_mask()?;
        for signal in blocked {
            mask.remove((*signal).try_into()?);
        }
        Ok(Self { mask })
    }

    /// Returns the signals that [`Self::forwarded`] has blocked and that were not blocked before.
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

/// How the process ended that was to become the command.
pub(super) struct CommandEnd {
    pub(super) outcome: RunOutcome,
    /// False if the process said why it could not become the command, and ended.
    pub(super) was_started: bool,
}

/// Starts `command` as the session `id`, held by `holder`, and returns how it ended.
///
/// Starts this program again ([`become_command`]). That process enters itself into the lease and
/// then becomes the command. So the id is held as long as the command runs, even if the launcher is
/// killed.
///
/// # Errors
/// Fails if the command could not be started or waited for.
pub(super) fn run(
    command: &[OsString],
    id: &SessionId,
    holder: &Owner,
    signals: Signals,
    mut bystander: Bystander,
) -> io::Result<CommandEnd> {
    #[expect(
        clippy::disallowed_methods,
        reason = "a launcher exists to start a command"
    )]
    let mut this = Command::new(own_program()?);
    for variable in OF_THE_CALLER {
        this.env_remove(variable);
    }
    let mut gate = Gate::closed()?;
    let failure = FailureReport::new()?;
    // The new process inherits the blocked signals, so a signal to it stays pending until it is
    // ready.
    let kept = BlockedSignals::forwarded()?;
    let start = Start {
        holder: holder.file_name(),
        gate: gate.name(),
        failure: failure.name(),
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
    let outcome = attend(child, signals, &mut bystander)?;
    Ok(CommandEnd {
        outcome,
        was_started: !failure.has_come(),
    })
}

/// What a launcher passes to the process that becomes the command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start {
    /// The launcher's owner file name. The command is started only if the lease still names it as
    /// the holder.
    pub holder: String,
    /// The number of the file descriptor on which the process waits until the launcher lets the
    /// command start (see `gate.rs`).
    pub gate: String,
    /// The number of the file descriptor on which the process reports that it does not become the
    /// command.
    pub failure: String,
    /// The signals that the launcher has blocked, and that the process must unblock.
    pub blocked: Vec<i32>,
}

impl Start {
    /// Returns the arguments between the hidden verb and the command.
    fn words(&self, id: &SessionId) -> Vec<String> {
        let blocked = self
            .blocked
            .iter()
            .map(|signal| format!("--blocked={signal}"));
        let named = [
            id.to_string(),
            self.holder.clone(),
            self.gate.clone(),
            self.failure.clone(),
        ];
        named.into_iter().chain(blocked).collect()
    }
}

/// Returns the path of this program. On Linux, it is the running file even if an upgrade has
/// replaced the installed one.
pub(super) fn own_program() -> io::Result<PathBuf> {
    if cfg!(target_os = "linux") {
        Ok(PathBuf::from("/proc/self/exe"))
    } else {
        std::env::current_exe()
    }
}

/// Passes signals on to the child until it has ended.
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
        arrived.remove(&SIGXFSZ);
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

/// Reaps every child that has ended, and returns how the command ended, if it did. There may be
/// other children: orphans that this process has adopted as the first process of a container, or
/// children from before this program was executed.
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

/// Stops this process when its command has stopped, if they are in the foreground of a terminal. A
/// full-screen program stops itself at Ctrl-Z; the shell shows its prompt only if the launcher
/// stops, too.
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

/// Enters this process into the lease of `id`, if the launcher still holds the lease. Then waits
/// until the launcher opens the gate, and executes the command in place of this program. Returns
/// only on failure: the error, and the exit status that a shell would use. The launcher is told of
/// the failure.
pub fn become_command(
    state: &StateDir,
    id: &SessionId,
    start: &Start,
    command: &[OsString],
) -> (io::Error, i32) {
    let reporter = FailureReporter::of(&start.failure);
    let failed = not_become(state, id, start, command);
    reporter.fail();
    failed
}

fn not_become(
    state: &StateDir,
    id: &SessionId,
    start: &Start,
    command: &[OsString],
) -> (io::Error, i32) {
    const NOT_FOUND: i32 = 127;
    const NOT_STARTED: i32 = 126;
    let is_client = arguments::is_client(command);
    // Keep the signals blocked: none may end this process between creating a temporary file and
    // renaming it.
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
    if err.kind() != io::ErrorKind::NotFound {
        return (err, NOT_STARTED);
    }
    match program::missing_loader(program, store::env::program_path()) {
        Some(why) => (io::Error::other(why), NOT_STARTED),
        None => (io::Error::other("there is no such command"), NOT_FOUND),
    }
}

/// Makes the command a second holder of the id, so that the id stays held if the launcher is
/// killed. Also registers the command as an owner of the session, unless it is Claude Code, whose
/// hooks do that.
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
