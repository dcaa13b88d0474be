//! The front page, `ccsession --help`: the verbs, grouped by purpose. clap prints the pages of the
//! verbs.

use std::ffi::OsString;
use std::fmt::Write as _;

use clap::{Command, CommandFactory};

use super::args::Arguments;

/// The groups of verbs. Each heading says what a user wants to do.
const GROUPS: [(&str, &[&str]); 4] = [
    ("Which session is this?", &["current", "store"]),
    (
        "What do sessions do, and what did they do?",
        &[
            "list",
            "top",
            "dashboard",
            "show",
            "timeline",
            "who",
            "stats",
            "report",
            "export",
            "metrics",
            "pull",
            "ship",
        ],
    ),
    (
        "Begin, name, keep and find sessions",
        &[
            "run",
            "clock-in",
            "clock-out",
            "search",
            "archive",
            "resume",
            "import",
        ],
    ),
    (
        "Set up and maintain",
        &[
            "install",
            "uninstall",
            "doctor",
            "config",
            "cleanup",
            "delete",
            "completions",
            "hook",
            "help",
            "version",
        ],
    ),
];

/// Returns whether a command line asks for the front page, or is empty.
pub(super) fn is_front(arguments: &[OsString]) -> bool {
    let first = arguments.get(1);
    first.is_none_or(|first| first == "--help" || first == "-h")
}

/// Returns the verbs at the beginning of a command line, whose help page a message can name.
pub(super) fn verbs_of<'a>(command: &'a Command, arguments: &[OsString]) -> Vec<&'a str> {
    let mut at = command;
    let words = arguments.iter().skip(1);
    let verbs = words.map_while(|word| {
        at = at
            .find_subcommand(word)
            .filter(|verb| !verb.is_hide_set())?;
        Some(at.get_name())
    });
    verbs.collect()
}

/// Returns the command with the front page as its help.
pub(super) fn front() -> Command {
    let command = Arguments::command();
    let verbs = verbs(&command);
    command.help_template(format!(
        "{{about}}\n\n{{usage-heading}} {{usage}}\n{verbs}\nOptions:\n{{options}}{{after-help}}"
    ))
}

fn verbs(command: &Command) -> String {
    let mut text = String::new();
    for (heading, verbs) in GROUPS {
        let _ = write!(text, "\n{heading}\n");
        for verb in verbs {
            let about = command.find_subcommand(verb).and_then(Command::get_about);
            let about = about.map(ToString::to_string).unwrap_or_default();
            let _ = writeln!(text, "  {verb:<11} {about}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use clap::FromArgMatches;

    use super::*;

    #[test]
    fn every_verb_is_in_one_group() {
        let command = Arguments::command();
        let visible = command
            .get_subcommands()
            .filter(|verb| !verb.is_hide_set())
            .map(Command::get_name);
        let mut visible: Vec<&str> = visible.collect();
        let mut grouped: Vec<&str> = GROUPS
            .iter()
            .flat_map(|(_, verbs)| *verbs)
            .copied()
            .collect();
        visible.sort_unstable();
        grouped.sort_unstable();
        assert_eq!(grouped, visible);
    }

    #[test]
    fn the_front_page_fits_a_terminal_of_80_columns() {
        for line in verbs(&Arguments::command()).lines() {
            assert!(line.chars().count() <= 80, "{line}");
        }
    }

    /// Returns the command lines below `Examples:` in a page of help.
    fn examples(command: &Command) -> Vec<String> {
        let after = command.get_after_help().map(ToString::to_string);
        let after = after.unwrap_or_default();
        let Some((_, examples)) = after.split_once("Examples:\n") else {
            return Vec::new();
        };
        let lines = examples.lines().take_while(|line| line.starts_with("  "));
        let call = |line: &str| {
            let call = line.split("  #").next().unwrap_or_default();
            let start = call.find("ccsession ")?;
            Some(call[start..].trim().trim_end_matches(')').to_owned())
        };
        lines.filter_map(call).collect()
    }

    #[test]
    fn every_verb_has_an_example_that_is_understood() {
        let command = Arguments::command();
        let mut pages: Vec<&Command> = command.get_subcommands().collect();
        pages.extend(command.get_subcommands().flat_map(Command::get_subcommands));
        for page in pages {
            let has_none =
                page.is_hide_set() || page.get_name() == "hook" || page.has_subcommands();
            let examples = examples(page);
            assert!(has_none || !examples.is_empty(), "{}", page.get_name());
            for example in examples {
                let call = example.split(['|', '>']).next().unwrap_or_default();
                let words = call.split_whitespace().map(|word| word.trim_matches('\''));
                let parsed = Arguments::command().try_get_matches_from(words);
                let parsed = parsed.and_then(|matches| Arguments::from_arg_matches(&matches));
                assert!(parsed.is_ok(), "{example}: {parsed:?}");
            }
        }
    }
}
