//! Shows long texts in the pager that the user has chosen.

use std::io::Write;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use clap::Args;
use signal_hook::consts::SIGINT;

use super::output;
use crate::store::env::{self, Screen};

/// The options that decide how a verb uses the screen.
#[derive(Debug, Clone, Copy, Args)]
pub(in crate::cli) struct ScreenArgs {
    /// Print plain text: words and numbers, no bars, lines or colour, no pager
    #[arg(long)]
    pub(super) plain: bool,
    /// Do not use a pager
    #[arg(long)]
    pub(super) no_pager: bool,
}

impl ScreenArgs {
    /// Returns the screen that the environment describes, changed by these options.
    pub(super) fn screen(self) -> Screen {
        let screen = Screen::read();
        Screen {
            no_color: screen.no_color || self.plain,
            is_plain: screen.is_plain || self.plain,
            ..screen
        }
    }

    /// Prints `text` for people, with bars and lines as they are if `drawn`, else with plain
    /// characters. If the text is longer than the terminal, a pager shows it.
    pub(super) fn print(self, text: &str, drawn: bool) {
        let text = match drawn {
            true => text.to_owned(),
            false => output::plain(text),
        };
        let is_long = || {
            let lines = text.lines().count();
            output::height().is_some_and(|height| lines > height)
        };
        let is_wanted = !self.no_pager && !self.screen().is_plain && is_long();
        let mut pager = Pager::start(is_wanted);
        pager.print(&text);
        pager.end();
    }
}

/// Prints text to a pager or, if none runs, to stdout.
#[derive(Debug)]
pub(super) struct Pager {
    child: Option<Child>,
    is_read: bool,
}

impl Pager {
    /// Starts the pager if it is wanted and people read the output.
    pub(super) fn start(is_wanted: bool) -> Self {
        let is_needed = is_wanted && output::is_for_people();
        let child = is_needed.then(start_program).flatten();
        if child.is_some() {
            // An interrupt is meant for the pager, where it ends a search. It must not end this
            // program.
            let _ = signal_hook::flag::register(SIGINT, Arc::default());
        }
        Self {
            child,
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

    /// Waits until the pager has ended. Returns false if the pager read only a part of the text.
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
    let given = env::pager().unwrap_or_else(|| "less".to_owned());
    let mut words = given.split_whitespace();
    #[expect(
        clippy::disallowed_methods,
        reason = "what a person reads long texts with is theirs to choose"
    )]
    let mut command = Command::new(words.next()?);
    if !env::has_less_options() {
        // F: a short text needs no key. R: colours are shown. X: the screen is not cleared.
        command.env("LESS", "FRX");
    }
    command.args(words).stdin(Stdio::piped()).spawn().ok()
}
