//! Programs whose stderr is a terminal.

use std::fs::File;
use std::io::Read;
use std::process::Stdio;

use super::{Run, text};

/// What a program printed, and its status.
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
