//! `ccsession top`: a board of all live sessions that stays up to date.
//!
//! `model` is the state of the board and what keys do; `view` draws it. Both are pure. `cli::board`
//! observes the sessions. `showing` runs these three on the terminal.

mod canvas;
mod columns;
mod keys;
mod model;
mod showing;
mod terminal;
mod text_page;
mod timeline_text;
mod view;

#[cfg(test)]
mod tests;

use std::io::IsTerminal;

use anyhow::Result;
use clap::Args;

use super::args::ColorArg;
use super::context::Context;
use super::hints::say_not_recorded;
use super::output;
use super::status::{Status, refusal};
use crate::store::env::Screen;
use canvas::Skin;
use showing::{Departed, Showing, Sight};

#[derive(Debug, Args)]
#[command(
    after_help = "The board has four groups: sessions that need you, that work, that are done, and that are idle. Keys: up and down select a \
    session, Enter opens its timeline, / filters, s sorts, c copies the command that resumes it, ? shows all keys, q quits.\n\n\
    Examples:\n  ccsession top                           # who needs me?\n  ccsession top --color never             # without colours\n  \
    ccsession list --waiting                # for scripts: those that need you, and those that are done"
)]
pub(super) struct TopArgs {
    /// When to use colour
    #[arg(long, value_enum, value_name = "WHEN", default_value = "auto")]
    pub(super) color: ColorArg,
}

pub(super) fn run(context: &Context, args: TopArgs) -> Result<Status> {
    let screen = Screen::read();
    if !std::io::stdin().is_terminal() || !output::is_for_people() {
        let text = "could not show the board: it needs a terminal for input and output; use `ccsession list`";
        return Err(refusal(Status::Failed, text));
    }
    if !screen.has_cursor {
        let text = "could not show the board: according to TERM, this terminal cannot position text; use `ccsession list`, or set TERM";
        return Err(refusal(Status::Failed, text));
    }
    let config = context.config()?;
    // Report a fault of the state directory before the board opens, because the board would hide
    // the message.
    let mut state = context.state()?;
    say_not_recorded(&context.host(&config, state.as_ref()), None);
    terminal::restore_before_panics();
    let mut showing = Showing::begin(Skin {
        colour: output::wants_colour(args.color, screen),
        is_plain: screen.is_plain,
        is_ascii: screen.is_ascii,
    })?;
    if state.is_none() {
        let departed = showing.without_sessions(|| Ok(context.state()?.is_some()))?;
        if departed != Departed::Recorded {
            return Ok(Status::Done);
        }
        state = context.state()?;
    }
    if let Some(state) = &state {
        showing.of_sessions(&Sight {
            context,
            config: &config,
            state,
        });
    }
    Ok(Status::Done)
}
