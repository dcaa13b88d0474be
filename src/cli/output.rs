//! The one writer to the terminal. A closed pipe is success: whoever reads has read enough.

use std::io::{IsTerminal, Write};
use std::time::Duration;

use anyhow::Result;
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use serde::Serialize;
use serde_json::Value;

use super::args::{BarsArg, ColorArg};
use crate::store::env::Screen;

/// Prints `text` on stdout as it is.
pub(super) fn print(text: &str) {
    let mut stdout = std::io::stdout().lock();
    let written = stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush());
    if let Err(err) = written {
        if err.kind() == std::io::ErrorKind::BrokenPipe {
            std::process::exit(0);
        }
        complain(&format!("could not write the output: {err}"));
        std::process::exit(1);
    }
}

/// Prints one line on stdout.
pub(super) fn line(text: &str) {
    print(&format!("{text}\n"));
}

/// Prints a value on stdout, as JSON for programs.
pub(super) fn json(value: &Value) {
    print(&format!("{value:#}\n"));
}

/// Prints a value on stdout, as [`json`], without building a tree of it first.
pub(super) fn json_of(value: &impl Serialize) -> Result<()> {
    let mut text = serde_json::to_string_pretty(value)?;
    text.push('\n');
    print(&text);
    Ok(())
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

/// Says a line on stderr. Where it cannot be said, the exit status still tells.
pub(super) fn warn(text: &str) {
    let _ = std::io::stderr().write_all(format!("{text}\n").as_bytes());
}

/// Whether a person reads stdout.
pub(super) fn is_for_people() -> bool {
    std::io::stdout().is_terminal()
}

/// Whether a person reads stderr.
pub(super) fn are_warnings_for_people() -> bool {
    std::io::stderr().is_terminal()
}
