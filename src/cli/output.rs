//! The one writer to the terminal. A closed pipe is success: whoever reads has read enough.

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

/// Prints `text` on stdout as it is.
pub(super) fn print(text: &str) {
    match write_all(rustix::stdio::stdout(), text.as_bytes()) {
        Ok(()) => {}
        Err(Errno::PIPE) => std::process::exit(0),
        Err(errno) => {
            let err = std::io::Error::from(errno);
            complain(&format!("could not write the output: {err}"));
            std::process::exit(1);
        }
    }
}

/// Writes all bytes. Waits for room, since a pipe may be non-blocking.
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

/// Prints one line on stdout.
pub(super) fn line(text: &str) {
    print(&format!("{text}\n"));
}

/// Prints a value on stdout, as JSON for programs.
pub(super) fn json(value: &Value) {
    print_json(&format!("{value:#}\n"));
}

/// Prints a value on stdout, as [`json`], without building a tree of it first.
pub(super) fn json_of(value: &impl Serialize) -> Result<()> {
    let mut text = serde_json::to_string_pretty(value)?;
    text.push('\n');
    print_json(&text);
    Ok(())
}

/// Prints a JSON text on stdout: what it says is as it was, and on a terminal it moves no cursor.
pub(super) fn print_json(text: &str) {
    print(&escaped_json(text));
}

/// Prints JSON on stdout that somebody else wrote: byte by byte for programs, as [`print_json`] for people.
pub(super) fn print_recorded(text: &str) {
    match is_for_people() {
        true => print_json(text),
        false => print(text),
    }
}

/// How many columns the terminal has that a person reads stdout on; or as many as `COLUMNS` says; none where the output
/// goes elsewhere.
pub(super) fn width(screen: Screen) -> Option<usize> {
    let terminal = || {
        let size = rustix::termios::tcgetwinsize(rustix::stdio::stdout()).ok()?;
        Some(usize::from(size.ws_col)).filter(|columns| *columns > 0)
    };
    screen.columns.or_else(terminal)
}

/// Whether to write in colour.
pub(super) fn wants_colour(wanted: ColorArg, screen: Screen) -> bool {
    match wanted {
        ColorArg::Always => true,
        ColorArg::Never => false,
        ColorArg::Auto => is_for_people() && !screen.no_color,
    }
}

/// Whether to draw bars and lines.
pub(super) fn wants_bars(wanted: BarsArg, screen: Screen) -> bool {
    match wanted {
        BarsArg::Always => true,
        BarsArg::Never => false,
        BarsArg::Auto => !screen.is_plain,
    }
}

/// Prints `text` for people on stdout: as it is, or with plain characters for those that are `drawn`.
pub(super) fn print_drawn(text: &str, drawn: bool) {
    if drawn {
        print(text);
    } else {
        print(&plain(text));
    }
}

/// The text with a plain character for each that is drawn, so that columns stay where they are.
fn plain(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '└' | '·' => '-',
            '…' => '~',
            '→' => '>',
            c => c,
        })
        .collect()
}

/// Waits so long, or until nobody reads stdout any more. Whether somebody still does is the answer.
pub(super) fn wait(time: Duration) -> bool {
    let stdout = rustix::stdio::stdout();
    let mut polled = [PollFd::new(&stdout, PollFlags::empty())];
    let timeout = Timespec::try_from(time).ok();
    match rustix::event::poll(&mut polled, timeout.as_ref()) {
        Ok(0) | Err(Errno::INTR) => true,
        Ok(_) if is_closed(&polled) => false,
        // What cannot be asked does not answer at once each time.
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

/// Says on stderr why the command failed.
pub(super) fn complain(text: &str) {
    warn(&format!("ccsession: {text}"));
}

/// Says something on stderr, whatever is in it without moving a cursor. Where it cannot be said, the exit status still tells.
pub(super) fn warn(text: &str) {
    let text = escaped_lines(text);
    let _ = write_all(rustix::stdio::stderr(), format!("{text}\n").as_bytes());
}

/// Whether a person reads stdout.
pub(super) fn is_for_people() -> bool {
    std::io::stdout().is_terminal()
}

/// Whether a person reads stderr.
pub(super) fn are_warnings_for_people() -> bool {
    std::io::stderr().is_terminal()
}
