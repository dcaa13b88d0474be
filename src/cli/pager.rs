//! Shows long texts to people with the program of their choice.

use std::io::Write;
use std::process::{Child, Command, Stdio};

use super::output;
use crate::store::env;

/// Prints text with a pager, or without one.
#[derive(Debug)]
pub(super) struct Pager {
    child: Option<Child>,
    is_read: bool,
}

impl Pager {
    /// Starts the pager if it is wanted and people read the output.
    pub(super) fn start(is_wanted: bool) -> Self {
        let is_needed = is_wanted && output::is_for_people();
        Self {
            child: is_needed.then(start_program).flatten(),
            is_read: true,
        }
    }

    /// Prints text that is safe to show.
    pub(super) fn print(&mut self, text: &str) {
        match self.child.as_mut().and_then(|child| child.stdin.as_mut()) {
            Some(stdin) => self.is_read &= stdin.write_all(text.as_bytes()).is_ok(),
            None => output::print(text),
        }
    }

    /// Waits until the text was read. Returns false if its reader has left early.
    pub(super) fn end(self) -> bool {
        if let Some(mut child) = self.child {
            drop(child.stdin.take());
            // Ignore how the pager ended: its user has read enough.
            let _ = child.wait();
        }
        self.is_read
    }
}

/// Starts the program that `PAGER` names, or else `less`. Returns `None` if it cannot be started.
fn start_program() -> Option<Child> {
    let given = env::pager().unwrap_or_else(|| "less -F -R -X".to_owned());
    let mut words = given.split_whitespace();
    #[expect(
        clippy::disallowed_methods,
        reason = "what a person reads long texts with is theirs to choose"
    )]
    let mut command = Command::new(words.next()?);
    command.args(words).stdin(Stdio::piped()).spawn().ok()
}
