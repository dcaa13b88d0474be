//! Programs on a terminal.

use std::fs::File;
use std::io::Read;
use std::process::Stdio;

use super::{Run, text};

/// A program's output, and its status.
pub(crate) struct Told {
    pub(crate) status: Option<i32>,
    pub(crate) stdout: String,
    /// What the terminal got.
    pub(crate) terminal: String,
}

/// Runs with stderr on a terminal.
pub(crate) fn with_stderr_on_a_terminal(mut run: Run) -> Told {
    let terminal = nix::pty::openpty(None, None).unwrap();
    run.command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::from(terminal.slave));
    let output = run.command.output().unwrap();
    drop(run);
    let mut told = Vec::new();
    // Once nobody has the other end, the system says so with an error.
    let _ = File::from(terminal.master).read_to_end(&mut told);
    Told {
        status: output.status.code(),
        stdout: text(&output.stdout),
        terminal: text(&told),
    }
}

/// Runs on a terminal of this size, with no keyboard. Returns what the terminal got.
pub(crate) fn on_a_terminal(mut run: Run, rows: u16, columns: u16) -> Told {
    let size = nix::pty::Winsize {
        ws_row: rows,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    let terminal = nix::pty::openpty(Some(&size), None).unwrap();
    let stderr = terminal.slave.try_clone().unwrap();
    // `less` would wait for a key.
    if !run.command.get_envs().any(|(name, _)| name == "PAGER") {
        run.command.env("PAGER", "cat");
    }
    run.command
        .stdin(Stdio::null())
        .stdout(Stdio::from(terminal.slave))
        .stderr(Stdio::from(stderr));
    let mut child = run.command.spawn().unwrap();
    // This closes our copies of the program's end of the terminal, so that reading comes to an end.
    drop(run);
    let mut told = Vec::new();
    let _ = File::from(terminal.master).read_to_end(&mut told);
    let status = child.wait().unwrap();
    Told {
        status: status.code(),
        stdout: String::new(),
        terminal: text(&told).replace("\r\n", "\n"),
    }
}
