//! Lets a person pick one of several lines on a terminal, by typing parts of it.

use std::io::{self, IsTerminal};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Result;
use dialoguer::FuzzySelect;
use dialoguer::console::Term;
use signal_hook::consts::SIGINT;
use signal_hook::low_level::emulate_default_handler;

use super::output;
use crate::view::timeline::text::cut;

/// The most lines that are on the screen at once.
const MAX_LINES: usize = 15;
/// The width of the pointer before each line, in columns.
const MARK: usize = 2;

/// Returns whether there is a terminal on which a person can pick.
pub(super) fn is_possible() -> bool {
    io::stdin().is_terminal() && output::are_warnings_for_people()
}

/// Returns the index of the line that the person picked; `None` if they picked none. The list
/// appears on stderr. An interrupt ends the program as usual.
pub(super) fn pick(prompt: &str, lines: &[String], typed: &str) -> Result<Option<usize>> {
    let width = usize::from(Term::stderr().size().1).max(20);
    let lines: Vec<String> = lines.iter().map(|line| cut(line, width - MARK)).collect();
    let interrupted = Arc::new(AtomicBool::new(false));
    let handler = signal_hook::flag::register(SIGINT, Arc::clone(&interrupted));
    let picked = FuzzySelect::new()
        .with_prompt(prompt)
        .with_initial_text(typed)
        .items(lines)
        .default(0)
        .max_length(MAX_LINES)
        .report(false)
        .interact_opt();
    if let Ok(handler) = handler {
        signal_hook::low_level::unregister(handler);
    }
    if interrupted.load(Ordering::Relaxed) {
        let _ = Term::stderr().show_cursor();
        let _ = emulate_default_handler(SIGINT);
    }
    Ok(picked?)
}
