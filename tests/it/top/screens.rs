//! The board on terminals of all kinds: sizes, colours, character sets, and terminals that cannot show it.

use super::{SIZE, at_work, script};
use crate::support::Sandbox;
use crate::support::clients::Client;
use crate::support::tmux::Tmux;

#[test]
fn it_fits_the_terminal_after_each_resize() {
    let sandbox = Sandbox::new();
    let _client = at_work(&sandbox, "s-1", "Run the tests");
    let Some(terminal) = Tmux::start(&sandbox, SIZE, &script("")) else {
        return;
    };
    for (width, height) in [(120, 40), (40, 12), (200, 60), (12, 2), (80, 24)] {
        let size = [width.to_string(), height.to_string()];
        terminal.tmux(&["resize-window", "-x", &size[0], "-y", &size[1]]);
        // The last line is the board's, and nothing of another size is left.
        let rules = if height >= 14 { vec![width] } else { vec![] };
        terminal.wait_for(|screen| {
            let last = screen.lines().last().unwrap_or_default();
            let is_whole = screen.lines().count() == height && last.starts_with("Enter");
            let of_screen = screen.lines().filter(|line| line.starts_with('─'));
            let of_screen: Vec<usize> = of_screen.map(|line| line.chars().count()).collect();
            is_whole && of_screen == rules && screen.contains("BRANCH") == (width >= 116)
        });
    }
}

#[test]
fn without_colours_there_are_none_and_with_them_there_are() {
    let sandbox = Sandbox::new();
    let _client = at_work(&sandbox, "s-1", "Run the tests");
    let has_colour = |script: &str| {
        let terminal = Tmux::start(&sandbox, SIZE, script)?;
        terminal.wait_for_text("q quit");
        let screen = terminal.coloured();
        let mut codes = screen
            .split("\x1b[")
            .filter_map(|part| part.split_once('m'));
        let is_colour = |code: &str| matches!(code.parse(), Ok(30..=38 | 90..=97));
        Some(codes.any(|(codes, _)| codes.split(';').any(is_colour)))
    };
    let Some(by_default) = has_colour(&script("")) else {
        return;
    };
    assert!(by_default);
    assert_eq!(has_colour(&script("--color never")), Some(false));
    assert_eq!(
        has_colour(&format!("export NO_COLOR=1\n{}", script(""))),
        Some(false)
    );
}

#[test]
fn in_a_locale_without_other_letters_it_draws_with_ascii() {
    let sandbox = Sandbox::new();
    let _client = at_work(&sandbox, "s-1", "Prüfe das 日本語");
    let script = format!("export LC_ALL=C\n{}", script(""));
    let Some(terminal) = Tmux::start(&sandbox, SIZE, &script) else {
        return;
    };
    let screen = terminal.wait_for_text("WORKING (1)");
    assert!(screen.is_ascii(), "{screen}");
    assert!(screen.contains("----------") && screen.contains("Bash: Pr?fe das ???"));
}

#[test]
fn where_no_board_can_be_shown_it_says_what_to_do() {
    let sandbox = Sandbox::new();
    let _client = Client::start(&sandbox, "s-1");
    let said = sandbox.ccsession(["top"]).refused(1);
    assert_eq!(
        said,
        "ccsession: could not show the board: it needs a terminal for input and output; use `ccsession list`"
    );
    for (term, is_shown) in [("dumb", false), ("", false), ("vt100", true)] {
        let script = format!("export TERM={term}\n{}", script(""));
        let Some(terminal) = Tmux::start(&sandbox, SIZE, &script) else {
            return;
        };
        if is_shown {
            terminal.wait_for_text("DONE (1)");
        } else {
            let screen = terminal.wait_for_text("status 1");
            let screen: String = screen.lines().collect();
            assert!(screen.contains("use `ccsession list`"), "{screen}");
        }
    }
}
