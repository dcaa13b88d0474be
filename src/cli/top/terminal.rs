//! The terminal of the board: entering and leaving the full screen, and the signals that end or
//! interrupt it. Whatever ends the board, the terminal is restored.

use std::cell::RefCell;
use std::ffi::c_int;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ratatui::Terminal;
use ratatui::backend::TermionBackend;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use signal_hook::consts::{
    SIGALRM, SIGCONT, SIGHUP, SIGINT, SIGPROF, SIGQUIT, SIGTERM, SIGTSTP, SIGUSR1, SIGUSR2,
    SIGVTALRM, SIGWINCH, SIGXCPU,
};
use signal_hook::flag;
use signal_hook::low_level::{emulate_default_handler, pipe};

use crate::cli::output;
use crate::identity::process::ignores;

/// Switches to the alternate screen, clears it and hides the cursor.
const ENTER: &[u8] = b"\x1b[?1049h\x1b[2J\x1b[?25l";
/// Undoes [`ENTER`].
const LEAVE: &[u8] = b"\x1b[0m\x1b[?25h\x1b[?1049l";

/// The signals that end a program unless it handles them.
const ENDING: [c_int; 10] = [
    SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGALRM, SIGUSR1, SIGUSR2, SIGVTALRM, SIGPROF, SIGXCPU,
];

/// The terminal's settings from before the board; `Some` while the board is on the screen. Global,
/// so that a panic can restore them, too.
static BEFORE: Mutex<Option<Termios>> = Mutex::new(None);

/// The full screen. Dropping it restores the terminal.
pub(super) struct FullScreen {
    terminal: Terminal<TermionBackend<FrameWriter>>,
    frame: FrameWriter,
}

impl FullScreen {
    /// Takes over the terminal.
    ///
    /// # Errors
    /// Fails if the terminal is gone or cannot be set up.
    pub(super) fn enter() -> io::Result<Self> {
        let frame = FrameWriter::default();
        let terminal = Terminal::new(TermionBackend::new(frame.clone()))?;
        let screen = Self { terminal, frame };
        take_over()?;
        Ok(screen)
    }

    /// Takes over the terminal again, after another program may have used it.
    ///
    /// # Errors
    /// Fails if the terminal is gone or cannot be set up.
    pub(super) fn enter_again(&mut self) -> io::Result<()> {
        take_over()?;
        self.redraw()
    }

    /// Makes the next frame draw every cell, not only the changed ones.
    ///
    /// # Errors
    /// Fails if the terminal is gone.
    pub(super) fn redraw(&mut self) -> io::Result<()> {
        // Do not call `Terminal::clear`: it asks the terminal for the cursor's position and waits
        // for the answer.
        let size = self.terminal.size()?;
        self.terminal.resize(Rect::from((Position::ORIGIN, size)))
    }

    /// Returns the size in columns and lines.
    pub(super) fn size(&self) -> (usize, usize) {
        let size = self.terminal.size().unwrap_or_default();
        (usize::from(size.width), usize::from(size.height))
    }

    /// Draws a frame: only what differs from the last one, in one write.
    ///
    /// # Errors
    /// Fails if the terminal accepts no output, for example because it was closed.
    pub(super) fn draw(&mut self, render: impl FnOnce(&mut Buffer)) -> io::Result<()> {
        self.terminal.draw(|frame| render(frame.buffer_mut()))?;
        Ok(output::draw(&self.frame.bytes.take())?)
    }
}

impl Drop for FullScreen {
    fn drop(&mut self) {
        restore();
    }
}

/// Collects the bytes of a frame.
#[derive(Debug, Clone, Default)]
struct FrameWriter {
    bytes: Rc<RefCell<Vec<u8>>>,
}

impl Write for FrameWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Switches the terminal to the full screen, and makes it send each key at once. Keys such as
/// Ctrl-C and Ctrl-Z still send their signals.
fn take_over() -> io::Result<()> {
    let stdin = rustix::stdio::stdin();
    let now = tcgetattr(stdin)?;
    let mut raw = now.clone();
    raw.make_raw();
    raw.local_modes |= LocalModes::ISIG;
    if let Ok(mut before) = BEFORE.lock() {
        before.get_or_insert(now);
    }
    tcsetattr(stdin, OptionalActions::Drain, &raw)?;
    Ok(output::draw(ENTER)?)
}

/// Restores the terminal, if the board is on its screen.
pub(super) fn restore() {
    let before = BEFORE.try_lock().ok().and_then(|mut before| before.take());
    if let Some(before) = before {
        // If the terminal is gone, there is nothing to restore.
        let _ = output::draw(LEAVE);
        let _ = tcsetattr(rustix::stdio::stdin(), OptionalActions::Drain, &before);
    }
}

/// Restores the terminal before a panic is reported.
pub(super) fn restore_before_panics() {
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        restore();
        report(panic);
    }));
}

/// What a signal asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SignalKind {
    /// To end, by this signal.
    End(c_int),
    /// To stop until it is continued.
    Stop,
    /// To continue after being stopped.
    Continue,
    /// To draw for another size of the terminal.
    Resize,
}

/// Collects the signals that arrive, until [`Signals::next`] returns them.
#[derive(Debug)]
pub(super) struct Signals {
    came: Vec<(c_int, Arc<AtomicBool>)>,
    wake: UnixStream,
}

impl Signals {
    /// Installs the handlers. If a signal that ends the program comes again before it was handled,
    /// it ends the process at once: restoring the terminal may hang.
    ///
    /// # Errors
    /// Fails if the system refuses a handler or a socket.
    pub(super) fn listen() -> io::Result<Self> {
        let (wake, waker) = UnixStream::pair()?;
        wake.set_nonblocking(true)?;
        let mut came = Vec::new();
        let signals = ENDING.into_iter().chain([SIGTSTP, SIGCONT, SIGWINCH]);
        for signal in signals.filter(|signal| !ignores(*signal)) {
            let is_here = Arc::new(AtomicBool::new(false));
            if ENDING.contains(&signal) {
                flag::register_conditional_default(signal, Arc::clone(&is_here))?;
            }
            flag::register(signal, Arc::clone(&is_here))?;
            pipe::register(signal, waker.try_clone()?)?;
            came.push((signal, is_here));
        }
        Ok(Self { came, wake })
    }

    /// Removes and returns one signal that has arrived.
    pub(super) fn next(&mut self) -> Option<SignalKind> {
        while self.wake.read(&mut [0; 64]).is_ok_and(|read| read > 0) {}
        let mut came = self.came.iter();
        let (signal, _) = came.find(|(_, is_here)| is_here.swap(false, Ordering::SeqCst))?;
        Some(match *signal {
            SIGTSTP => SignalKind::Stop,
            SIGCONT => SignalKind::Continue,
            SIGWINCH => SignalKind::Resize,
            signal => SignalKind::End(signal),
        })
    }

    /// Removes a signal that has arrived.
    fn forget(&self, signal: c_int) {
        let mut came = self.came.iter();
        if let Some((_, is_here)) = came.find(|(known, _)| *known == signal) {
            is_here.store(false, Ordering::SeqCst);
        }
    }

    /// Restores the terminal and stops this process as SIGTSTP would have. Returns when the process
    /// is continued.
    pub(super) fn stop(&self) {
        restore();
        let _ = emulate_default_handler(SIGTSTP);
        self.forget(SIGCONT);
    }
}

/// Restores the terminal and ends this process as the signal would have.
pub(super) fn end_by(signal: c_int) {
    restore();
    let _ = emulate_default_handler(signal);
}

/// What [`wait`] found.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Input {
    /// Neither a key nor a signal, or only a signal.
    Nothing,
    Keys(Vec<u8>),
    /// The terminal is gone.
    Closed,
}

/// Waits for keys, a signal or the end of `time`.
pub(super) fn wait(signals: &Signals, time: Duration) -> Input {
    let stdin = rustix::stdio::stdin();
    let mut polled = [
        PollFd::new(&stdin, PollFlags::IN),
        PollFd::new(&signals.wake, PollFlags::IN),
    ];
    let timeout = Timespec::try_from(time).ok();
    match rustix::event::poll(&mut polled, timeout.as_ref()) {
        Ok(0) | Err(Errno::INTR) => return Input::Nothing,
        Ok(_) => {}
        Err(_) => return Input::Closed,
    }
    let [of_stdin, _] = polled;
    if of_stdin.revents().is_empty() {
        return Input::Nothing;
    }
    let mut bytes = [0; 1024];
    match rustix::io::read(stdin, &mut bytes) {
        Ok(0) => Input::Closed,
        Ok(read) => Input::Keys(bytes.get(..read).unwrap_or_default().to_vec()),
        Err(Errno::INTR | Errno::AGAIN) => Input::Nothing,
        Err(_) => Input::Closed,
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::process::{Command, Stdio};

    use super::*;

    /// Tells the test below that it is the program that panics.
    const CHILD: &str = "CCSESSION_TEST_PANICS";

    #[test]
    #[expect(
        clippy::disallowed_methods,
        reason = "a test starts itself again, with a terminal"
    )]
    fn a_panic_on_the_board_leaves_the_terminal_as_it_was() {
        if std::env::var_os(CHILD).is_some() {
            // As in the program, where a panic exits without dropping anything.
            crate::cli::report_panics_as_failures();
            restore_before_panics();
            let _screen = FullScreen::enter().unwrap();
            panic!("on the board");
        }
        let terminal = nix::pty::openpty(None, None).unwrap();
        let modes = || format!("{:?}", tcgetattr(&terminal.slave).unwrap());
        let before = modes();
        let side = || Stdio::from(terminal.slave.try_clone().unwrap());
        let mut child = Command::new(std::env::current_exe().unwrap());
        let name = "cli::top::terminal::tests::a_panic_on_the_board_leaves_the_terminal_as_it_was";
        // What the board writes goes past the harness; its report must not.
        child.args(["--exact", name, "--nocapture", "--test-threads", "1"]);
        child.env(CHILD, "1").stdin(side()).stdout(side());
        let output = child.stderr(Stdio::piped()).spawn().unwrap();
        let output = output.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            !output.status.success() && said.contains("please report it"),
            "{said}"
        );
        assert_eq!(modes(), before);
        // The command holds the other side of the terminal.
        drop(child);
        drop(terminal.slave);
        let mut written = Vec::new();
        // Once nobody has the other side, the system says so with an error.
        let _ = File::from(terminal.master).read_to_end(&mut written);
        let find = |bytes: &[u8]| memchr::memmem::rfind(&written, bytes);
        let (entered, left) = (find(ENTER).unwrap(), find(LEAVE).unwrap());
        assert!(entered < left);
    }
}
