//! The bystander: a second process in the launcher's process group that only listens for signals.
//!
//! A signal may reach the launcher alone (`kill PID`, `docker stop`). Then the launcher must pass
//! it on to the command. Or it may reach the whole group, including the command (`kill -- -PGID`,
//! timeout(1), systemd, a key on the terminal). The launcher alone cannot distinguish the two. But
//! if the bystander received the signal, too, so did the command.

use std::collections::BTreeSet;
use std::io::{self, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::Pid;
use signal_hook::consts::{SIGTSTP, SIGTTIN, SIGTTOU};
use signal_hook::iterator::Signals;

use super::child::{BlockedSignals, FORWARDED, own_program};
use crate::identity::process;

/// The hidden verb that starts this program as a bystander.
pub const VERB: &str = "listen-in-group";

/// How long the launcher waits for the bystander's answer. A stopped bystander never answers.
const PATIENCE: Timespec = Timespec {
    tv_sec: 2,
    tv_nsec: 0,
};

/// The bystander, as the launcher sees it.
pub(super) struct Bystander {
    process: Child,
    questions: Option<ChildStdin>,
    answers: ChildStdout,
    is_reaped: bool,
    /// Signals that the bystander has received, but not yet this process.
    ahead: BTreeSet<i32>,
}

impl Bystander {
    /// Starts the bystander, and waits until it listens.
    ///
    /// # Errors
    /// Fails if the system cannot start another process; then it could not start the command
    /// either.
    pub(super) fn start() -> io::Result<Self> {
        #[expect(
            clippy::disallowed_methods,
            reason = "the command's group needs a second process that listens"
        )]
        let mut this = Command::new(own_program()?);
        // The bystander inherits the blocked signals, so that no signal ends it before it listens.
        let _kept = BlockedSignals::forwarded()?;
        let mut process = this
            .arg(VERB)
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let pipes = process.stdin.take().zip(process.stdout.take());
        let (questions, mut answers) = pipes.ok_or(io::ErrorKind::BrokenPipe)?;
        answers.read_exact(&mut [0; 2])?;
        Ok(Self {
            process,
            questions: Some(questions),
            answers,
            is_reaped: false,
            ahead: BTreeSet::new(),
        })
    }

    /// Forgets the signals that arrived before the command existed. Later ones are also pending for
    /// the command; `waiting` returns those.
    pub(super) fn forget_all_but(&mut self, waiting: impl FnOnce() -> BTreeSet<i32>) {
        let heard: BTreeSet<i32> = self.ask().into_iter().flatten().collect();
        // Ask before calling `waiting`: a signal that arrives in between is part of the bystander's
        // next answer.
        self.ahead = waiting().intersection(&heard).copied().collect();
    }

    /// Must be called for each child that was reaped. If it was the bystander, another process may
    /// have its pid now, which must not be killed.
    pub(super) fn note_reaped(&mut self, child: Pid) {
        self.is_reaped |= child == Pid::from_child(&self.process);
    }

    /// Returns which of the signals `arrived` reached the whole process group. Returns none if the
    /// bystander has ended or is stopped.
    pub(super) fn heard(&mut self, arrived: &BTreeSet<i32>) -> BTreeSet<i32> {
        if let Some(heard) = self.ask() {
            self.ahead.extend(heard);
        } else {
            self.questions = None;
        }
        let both = self.ahead.intersection(arrived).copied().collect();
        self.ahead = self.ahead.difference(&both).copied().collect();
        both
    }

    /// Asks the bystander which signals it has received since the last question. Returns `None` if
    /// it does not answer. The answer includes all signals from before the question, because a
    /// process handles its signals before it reads on.
    fn ask(&mut self) -> Option<Vec<i32>> {
        self.questions.as_mut()?.write_all(b"?").ok()?;
        let mut fds = [PollFd::new(&self.answers, PollFlags::IN)];
        let ready = rustix::io::retry_on_intr(|| poll(&mut fds, Some(&PATIENCE))).ok()?;
        let mut answer = [0; 2];
        (ready > 0).then(|| self.answers.read_exact(&mut answer).ok())??;
        let bits = u16::from_le_bytes(answer);
        let is_heard = |place: &usize| bits & (1 << place) != 0;
        let signals = FORWARDED.iter().enumerate();
        Some(
            signals
                .filter(|(place, _)| is_heard(place))
                .map(|(_, signal)| *signal)
                .collect(),
        )
    }
}

impl Drop for Bystander {
    fn drop(&mut self) {
        // The bystander ends when its stdin is closed, unless it is stopped.
        drop(self.questions.take());
        if !self.is_reaped {
            let _ = self.process.kill();
            let _ = self.process.wait();
        }
    }
}

/// Runs the bystander until stdin is closed. Answers each byte on stdin with two bytes on stdout:
/// one bit for each of `FORWARDED`, set if the signal has arrived since the last answer.
///
/// # Errors
/// Fails if a handler cannot be installed, or stdout cannot be written.
pub fn listen() -> io::Result<()> {
    let heard = FORWARDED
        .into_iter()
        .filter(|signal| !process::ignores(*signal));
    // The bystander must not stop with its group, because the launcher waits for its answers.
    let unstoppable = [SIGTSTP, SIGTTIN, SIGTTOU];
    let mut signals = Signals::new(heard.chain(unstoppable))?;
    drop(BlockedSignals::inherited(&FORWARDED)?);
    let (mut stdin, mut stdout) = (io::stdin().lock(), io::stdout().lock());
    let mut say = |bits: u16| {
        let written = stdout.write_all(&bits.to_le_bytes());
        written.and_then(|()| stdout.flush())
    };
    say(0)?;
    while stdin.read_exact(&mut [0]).is_ok() {
        let arrived: BTreeSet<i32> = signals.pending().collect();
        let bits = FORWARDED.iter().enumerate().map(|(place, signal)| {
            if arrived.contains(signal) {
                1 << place
            } else {
                0
            }
        });
        say(bits.sum())?;
    }
    Ok(())
}
