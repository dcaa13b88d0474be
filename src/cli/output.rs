//! Writes to stdout and stderr, for all verbs. If stdout is a closed pipe, the command ends with
//! success, because its reader has read enough.

use std::io::IsTerminal;
use std::os::fd::BorrowedFd;
use std::time::Duration;

use anyhow::Result;
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use serde::Serialize;
use serde_json::Value;

use super::args::{BarsArg, ColorArg};
use crate::model::text::{escaped_json, escaped_lines};
use crate::store::env::Screen;
use crate::store::reason;

/// Prints `text` on stdout as it is.
pub(super) fn print(text: &str) {
    match write_all(rustix::stdio::stdout(), text.as_bytes()) {
        Ok(()) => {}
        Err(Errno::PIPE) => std::process::exit(0),
        Err(errno) => {
            let err = std::io::Error::from(errno);
            complain(&format!("could not write the output: {}", reason(&err)));
            std::process::exit(1);
        }
    }
}

/// Writes all bytes. Waits while a non-blocking pipe is full.
fn write_all(stream: BorrowedFd<'_>, mut bytes: &[u8]) -> rustix::io::Result<()> {
    while !bytes.is_empty() {
        match rustix::io::write(stream, bytes) {
            Ok(written) => bytes = bytes.get(written..).unwrap_or_default(),
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => {
                let mut polled = [PollFd::new(&stream, PollFlags::OUT)];
                match rustix::event::poll(&mut polled, None) {
                    Ok(_) | Err(Errno::INTR) => {}
                    Err(errno) => return Err(errno),
                }
            }
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

/// Writes bytes to stdout that draw on a terminal.
///
/// # Errors
/// Fails if the terminal accepts no output, for example after it was closed.
pub(super) fn draw(bytes: &[u8]) -> rustix::io::Result<()> {
    write_all(rustix::stdio::stdout(), bytes)
}

/// Prints one line on stdout.
pub(super) fn line(text: &str) {
    print(&format!("{text}\n"));
}

/// Prints a value on stdout, as JSON for programs.
pub(super) fn json(value: &Value) {
    print_json(&format!("{value:#}\n"));
}

/// Prints a value on stdout as [`json`] does, but serializes it directly.
pub(super) fn json_of(value: &impl Serialize) -> Result<()> {
    let mut text = serde_json::to_string_pretty(value)?;
    text.push('\n');
    print_json(&text);
    Ok(())
}

/// Prints a JSON text on stdout. Control characters are escaped, which does not change its meaning.
pub(super) fn print_json(text: &str) {
    print(&escaped_json(text));
}

/// Prints JSON that another program wrote on stdout. On a terminal, escapes control characters as
/// [`print_json`] does; for programs, prints the text unchanged.
pub(super) fn print_recorded(text: &str) {
    match is_for_people() {
        true => print_json(text),
        false => print(text),
    }
}

/// Returns `COLUMNS`, or else the width of the terminal on stdout. Returns `None` if there is
/// neither.
pub(super) fn width(screen: Screen) -> Option<usize> {
    let terminal = || {
        let size = rustix::termios::tcgetwinsize(rustix::stdio::stdout()).ok()?;
        Some(usize::from(size.ws_col)).filter(|columns| *columns > 0)
    };
    screen.columns.or_else(terminal)
}

/// Returns how many lines the terminal on stdout has; `None` if stdout is not a terminal.
pub(super) fn height() -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(rustix::stdio::stdout()).ok()?;
    Some(usize::from(size.ws_row)).filter(|rows| *rows > 0)
}

/// Returns whether to write in colour.
pub(super) fn wants_colour(wanted: ColorArg, screen: Screen) -> bool {
    match wanted {
        ColorArg::Always => true,
        ColorArg::Never => false,
        ColorArg::Auto => is_for_people() && !screen.no_color,
    }
}

/// Returns whether to draw bars and lines.
pub(super) fn wants_bars(wanted: BarsArg, screen: Screen) -> bool {
    match wanted {
        BarsArg::Always => true,
        BarsArg::Never => false,
        BarsArg::Auto => !screen.is_plain,
    }
}

/// Prints `text` on stdout, for people. Unless `drawn`, replaces the characters of bars and lines,
/// such as `└` and `→`, by plain ones.
pub(super) fn print_drawn(text: &str, drawn: bool) {
    if drawn {
        print(text);
    } else {
        print(&plain(text));
    }
}

/// Replaces each character of a bar or line by a plain one, so that columns stay aligned.
pub(super) fn plain(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '└' | '·' => '-',
            '…' => '~',
            '→' => '>',
            c => c,
        })
        .collect()
}

/// Waits for `time`, or until the reader closes stdout. Returns whether stdout is still open.
pub(super) fn wait(time: Duration) -> bool {
    let stdout = rustix::stdio::stdout();
    let mut polled = [PollFd::new(&stdout, PollFlags::empty())];
    let timeout = Timespec::try_from(time).ok();
    match rustix::event::poll(&mut polled, timeout.as_ref()) {
        Ok(0) | Err(Errno::INTR) => true,
        Ok(_) if is_closed(&polled) => false,
        // If stdout cannot be polled, wait all the same, so that the caller does not loop without a
        // pause.
        Ok(_) | Err(_) => {
            std::thread::sleep(time);
            true
        }
    }
}

fn is_closed(polled: &[PollFd<'_>]) -> bool {
    polled
        .iter()
        .any(|polled| polled.revents().intersects(PollFlags::ERR | PollFlags::HUP))
}

/// Prints an error or a warning on stderr, after the program's name.
pub(super) fn complain(text: &str) {
    warn(&format!("ccsession: {text}"));
}

/// Prints text on stderr, with control characters escaped. A failure to print is ignored, because
/// the exit status also says what happened.
pub(super) fn warn(text: &str) {
    let text = escaped_lines(text);
    let _ = write_all(rustix::stdio::stderr(), format!("{text}\n").as_bytes());
}

/// Asks a person a question on a terminal, and returns whether the answer is yes. Just Enter means
/// yes. Without a terminal, asks nothing and returns false.
pub(super) fn ask(question: &str) -> bool {
    if !is_for_people() || !std::io::stdin().is_terminal() {
        return false;
    }
    print(&format!("{question} [Y/n] "));
    let mut answer = String::new();
    let read = std::io::stdin().read_line(&mut answer);
    let answer = answer.trim().to_lowercase();
    read.is_ok_and(|bytes| bytes > 0) && matches!(answer.as_str(), "" | "y" | "yes")
}

/// Asks a person on a terminal to confirm what cannot be undone. Returns true only for a yes.
pub(super) fn confirm(question: &str) -> bool {
    if !is_for_people() || !std::io::stdin().is_terminal() {
        return false;
    }
    print(&format!("{question} [y/N] "));
    let mut answer = String::new();
    let read = std::io::stdin().read_line(&mut answer);
    read.is_ok() && matches!(answer.trim().to_lowercase().as_str(), "y" | "yes")
}

/// Returns whether stdout is a terminal.
pub(super) fn is_for_people() -> bool {
    std::io::stdout().is_terminal()
}

/// Returns whether stderr is a terminal.
pub(super) fn are_warnings_for_people() -> bool {
    std::io::stderr().is_terminal()
}
