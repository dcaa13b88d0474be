//! Reads the command line of `claude`: whether it starts a session, whether it chooses one, and how
//! to pass it an id.
//!
//! Parsing follows Claude Code (commander.js). An option with a value takes the next word, whatever
//! that is. An option with an optional value takes it unless it begins with a dash. An option with
//! several values takes all words up to the next dash.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use crate::model::SessionId;

/// Options of `claude` by which a command line itself determines the session's id. ccsession adds
/// no id then.
const OWN: [&str; 8] = [
    "--session-id",
    "--resume",
    "-r",
    "--continue",
    "-c",
    "--fork-session",
    "--from-pr",
    "--teleport",
];

/// Options of `claude` with exactly one value, from version 2.1.329 and older ones, including
/// options that `--help` hides.
const WITH_A_VALUE: [&str; 70] = [
    "--ablation",
    "--advisor",
    "--agent",
    "--agent-color",
    "--agent-id",
    "--agent-name",
    "--agent-type",
    "--agents",
    "--append-subagent-system-prompt",
    "--append-subagent-system-prompt-file",
    "--append-system-prompt",
    "--append-system-prompt-file",
    "--autocompact",
    "--client-data-url",
    "--correlation-id",
    "--cwd",
    "--debug-file",
    "--deep-link-cwd-b64",
    "--deep-link-last-fetch",
    "--deep-link-repo",
    "--effort",
    "--environment",
    "--fallback-model",
    "--fast-mode",
    "--inherit-permission-mode",
    "--initialize-fields",
    "--input-format",
    "--json-schema",
    "--lead-verify-key",
    "--managed-settings",
    "--max-budget-usd",
    "--max-cost-usd",
    "--max-thinking-tokens",
    "--max-turns",
    "--model",
    "--name",
    "-n",
    "--output-format",
    "--parent-session-id",
    "--permission-mode",
    "--permission-prompt-tool",
    "--permission-prompts",
    "--plan-mode-instructions",
    "--plugin-dir",
    "--plugin-dir-no-mcp",
    "--plugin-url",
    "--prefill",
    "--prefill-b64",
    "--project-config-root",
    "--remote-control-session-name-prefix",
    "--resume-drops-turn",
    "--resume-session-at",
    "--rewind-files",
    "--runner-declares",
    "--sdk-url",
    "--session-began-as-copy",
    "--session-id",
    "--setting-sources",
    "--settings",
    "--system-prompt",
    "--system-prompt-file",
    "--system-prompt-snapshot",
    "--task-budget",
    "--team-name",
    "--teammate-mode",
    "--thinking",
    "--thinking-display",
    "--watch-artifact",
    "--watch-artifact-no-autoreact",
    "--workload",
];

/// Options of `claude` with one value or more.
const WITH_SEVERAL_VALUES: [&str; 11] = [
    "--add-dir",
    "--allowed-tools",
    "--allowedTools",
    "--betas",
    "--channels",
    "--dangerously-load-development-channels",
    "--disallowed-tools",
    "--disallowedTools",
    "--file",
    "--mcp-config",
    "--tools",
];

/// Options of `claude` whose value may be missing.
const WITH_AN_OPTIONAL_VALUE: [&str; 13] = [
    "--cloud",
    "--debug",
    "-d",
    "--from-pr",
    "--prompt-suggestions",
    "--rc",
    "--remote",
    "--remote-control",
    "--resume",
    "-r",
    "--teleport",
    "--worktree",
    "-w",
];

/// Subcommands of `claude` that start no session, from version 2.1.329 and older ones.
const VERBS: [&str; 24] = [
    "agents",
    "attach",
    "auth",
    "auto-mode",
    "config",
    "doctor",
    "gateway",
    "import",
    "install",
    "kill",
    "logs",
    "mcp",
    "migrate-installer",
    "plugin",
    "plugins",
    "project",
    "purge",
    "respawn",
    "rm",
    "setup-token",
    "stop",
    "ultrareview",
    "update",
    "upgrade",
];

/// Which of the following words an option takes as its values.
#[derive(Clone, Copy, PartialEq, Eq)]
enum OptionValues {
    None,
    One,
    OneUnlessDashed,
    AllUntilDashed,
}

impl OptionValues {
    fn of(option: &str) -> Self {
        if WITH_A_VALUE.contains(&option) {
            Self::One
        } else if WITH_SEVERAL_VALUES.contains(&option) {
            Self::AllUntilDashed
        } else if WITH_AN_OPTIONAL_VALUE.contains(&option) {
            Self::OneUnlessDashed
        } else {
            Self::None
        }
    }
}

/// A word of a command line.
#[derive(Debug, PartialEq, Eq)]
enum Word {
    /// An option, without its value.
    Option(String),
    /// A subcommand, or the prompt.
    Operand(String),
}

/// Returns the words of a command line of `claude` up to `--`, without the values of options.
fn words(arguments: &[OsString]) -> Vec<Word> {
    let mut rest = arguments
        .iter()
        .map(|argument| argument.to_string_lossy())
        .take_while(|argument| argument != "--")
        .peekable();
    let mut words = Vec::new();
    while let Some(word) = rest.next() {
        let last = match bundle(&word) {
            _ if !is_dashed(&word) => {
                words.push(Word::Operand(word.into_owned()));
                continue;
            }
            Some(options) => {
                let last = options
                    .last()
                    .cloned()
                    .filter(|_| !has_value(&options, &word));
                words.extend(options.into_iter().map(Word::Option));
                last
            }
            None => {
                let (name, value) = word
                    .split_once('=')
                    .map_or((&*word, None), |(name, value)| (name, Some(value)));
                words.push(Word::Option(name.to_owned()));
                value.is_none().then(|| name.to_owned())
            }
        };
        match last.as_deref().map_or(OptionValues::None, OptionValues::of) {
            OptionValues::None => {}
            OptionValues::One => drop(rest.next()),
            OptionValues::OneUnlessDashed => drop(rest.next_if(|next| !is_dashed(next))),
            OptionValues::AllUntilDashed => {
                rest.next();
                while rest.next_if(|next| !is_dashed(next)).is_some() {}
            }
        }
    }
    words
}

fn is_dashed(word: &str) -> bool {
    word.len() > 1 && word.starts_with('-')
}

/// Splits a word such as `-pc` or `-rID` into short options. The first option with a value is the
/// last, because the rest of the word is its value. Returns `None` for any other word, and for a
/// word with spaces, which is a prompt.
fn bundle(word: &str) -> Option<Vec<String>> {
    let letters = word.strip_prefix('-')?;
    if letters.starts_with('-') || word.contains(char::is_whitespace) {
        return None;
    }
    let mut options = Vec::new();
    for letter in letters.chars().take_while(char::is_ascii_alphabetic) {
        let option = format!("-{letter}");
        let is_last = OptionValues::of(&option) != OptionValues::None;
        options.push(option);
        if is_last {
            break;
        }
    }
    Some(options)
}

/// Returns true if the last of the short options in `word` has its value in the same word.
fn has_value(options: &[String], word: &str) -> bool {
    options.len() + 1 < word.chars().count()
}

/// Returns true if this command is Claude Code, about to start a session.
pub(crate) fn is_client(command: &[OsString]) -> bool {
    let Some((program, arguments)) = command.split_first() else {
        return false;
    };
    if Path::new(program).file_name() != Some(OsStr::new("claude")) {
        return false;
    }
    let words = words(arguments);
    // After `-p`, Claude Code takes even the name of a subcommand as a prompt.
    let mut before = words
        .iter()
        .take_while(|word| matches!(word, Word::Option(_)));
    let prints =
        before.any(|word| matches!(word, Word::Option(name) if name == "-p" || name == "--print"));
    let operand = words.iter().find_map(|word| match word {
        Word::Operand(operand) => Some(operand.as_str()),
        Word::Option(_) => None,
    });
    prints || !operand.is_some_and(|operand| VERBS.contains(&operand))
}

/// Returns the option by which the command itself determines its session, or `None` if it has none.
pub(crate) fn own_choice(command: &[OsString]) -> Option<&'static str> {
    let words = words(command.get(1..).unwrap_or_default());
    words.iter().find_map(|word| match word {
        Word::Option(name) => OWN.into_iter().find(|own| own == name),
        Word::Operand(_) => None,
    })
}

/// Returns true if Claude Code accepts this id: it accepts only UUIDs.
pub(crate) fn is_acceptable(id: &SessionId) -> bool {
    uuid::Uuid::try_parse(id.as_str()).is_ok() && id.as_str().len() == 36
}

/// Returns the command with the id added. Claude Code refuses `--session-id` for an id that has a
/// transcript, and `--resume` for an id that has none.
pub(crate) fn with_id(command: &[OsString], id: &SessionId, is_used: bool) -> Vec<OsString> {
    let option = if is_used { "--resume" } else { "--session-id" };
    let mut with_id: Vec<OsString> = command.iter().take(1).cloned().collect();
    with_id.extend([option.into(), id.as_str().into()]);
    with_id.extend(command.iter().skip(1).cloned());
    with_id
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<OsString> {
        text.split_whitespace().map(OsString::from).collect()
    }

    fn quoted(command: &[&str]) -> Vec<OsString> {
        command.iter().map(OsString::from).collect()
    }

    #[test]
    fn a_client_is_known_by_its_name() {
        for client in [
            "claude",
            "/opt/bin/claude -p hello",
            "claude --model opus",
            "claude mcpx",
            "claude -p mcp",
            "claude --append-system-prompt mcp",
            "claude --add-dir mcp list",
            "claude --allowedTools Bash mcp",
        ] {
            assert!(is_client(&words(client)), "{client}");
        }
        for other in [
            "",
            "make",
            "claude-code",
            "npx claude",
            "claude mcp list",
            "claude doctor",
            "claude --model opus mcp list",
            "claude --verbose doctor",
        ] {
            assert!(!is_client(&words(other)), "{other}");
        }
    }

    #[test]
    fn an_option_that_chooses_the_session_is_found() {
        for (command, option) in [
            ("claude -p --resume x", "--resume"),
            ("claude -c", "-c"),
            ("claude --session-id=x hello", "--session-id"),
            ("claude -pc", "-c"),
            ("claude -rx", "-r"),
        ] {
            assert_eq!(own_choice(&words(command)), Some(option), "{command}");
        }
        for none in [
            "claude",
            "claude -p --model opus",
            "claude -- --resume",
            "claude --resumed",
        ] {
            assert_eq!(own_choice(&words(none)), None, "{none}");
        }
    }

    #[test]
    fn an_option_value_is_never_taken_for_an_option() {
        for command in [
            &["--append-system-prompt", "- be concise\n- cite files", "-p"][..],
            &["--append-system-prompt", "--continue where you stopped"],
            &["--append-system-prompt", "--continue"],
            &["--append-system-prompt", "-c"],
            &["--append-system-prompt=-c"],
            &["--system-prompt", "-r"],
            &["--model", "-c"],
            &["--mcp-config", "-c", "b.json"],
            &["--allowedTools", "Bash(git:*)", "Read", "hello"],
            &["-nrefactor"],
            &["-n", "-c"],
            &["-pn", "-r"],
            &["-drc"],
            &["-d", "rc"],
            &["-wcr"],
            &["-p", "- cite files"],
            &["-p", "-c is my favourite option"],
            &["-p", "-"],
            &["-é"],
            &["--", "-c"],
            &["--print", "--", "--resume"],
        ] {
            let command = quoted(&[&["claude"], command].concat());
            assert_eq!(own_choice(&command), None, "{command:?}");
        }
    }

    #[test]
    fn an_option_is_found_after_the_values_of_others() {
        for (command, option) in [
            (&["--append-system-prompt", "-c", "-r"][..], "-r"),
            (&["--append-system-prompt=x", "-c"], "-c"),
            (&["--add-dir", "a", "b", "-c"], "-c"),
            (&["--debug", "--continue"], "--continue"),
            (&["-d", "-c"], "-c"),
            (&["hello", "-c"], "-c"),
            (&["-rshop-5b48472b-1111"], "-r"),
            (&["-hvpc"], "-c"),
            (&["--worktree", "tree", "--from-pr=7"], "--from-pr"),
        ] {
            let command = quoted(&[&["claude"], command].concat());
            assert_eq!(own_choice(&command), Some(option), "{command:?}");
        }
    }

    #[test]
    fn the_id_comes_before_everything_else() {
        let id: SessionId = "5b48472b-1111-4222-8333-444455556666".parse().unwrap();
        let fresh = with_id(&words("claude -p hello"), &id, false);
        assert_eq!(fresh, words(&format!("claude --session-id {id} -p hello")));
        let used = with_id(&words("claude -p hello"), &id, true);
        assert_eq!(used, words(&format!("claude --resume {id} -p hello")));
    }

    #[test]
    fn only_uuids_are_acceptable() {
        let is_acceptable = |id: &str| super::is_acceptable(&id.parse().unwrap());
        assert!(is_acceptable("5b48472b-1111-4222-8333-444455556666"));
        assert!(is_acceptable("5B48472B-1111-4222-8333-444455556666"));
        assert!(!is_acceptable("5b48472b111142228333444455556666"));
        assert!(!is_acceptable("s-1"));
    }
}
