//! `ccsession completions`: prints the script for a shell, and answers that script at each press of
//! Tab.
//!
//! clap_complete finds out what is being typed. This module knows the values of an option by the
//! option's name, so that a new verb needs no further code.

mod candidates;
mod used;

use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;
use std::sync::Arc;

use anyhow::Result;
use clap::{Args, Command, CommandFactory, ValueEnum};
use clap_complete::engine::{ArgValueCompleter, CompletionCandidate, complete};
use clap_complete::env::{Bash, EnvCompleter, Fish, Zsh};

use super::args::Arguments;
use super::output;
use super::status::Status;
use crate::model::text::escaped;
use crate::store::env::{self, COMPLETE};
use crate::store::project;

/// A shell with completions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[non_exhaustive]
pub enum Shell {
    /// GNU Bash 4.4 or newer
    Bash,
    /// The Z shell
    Zsh,
    /// fish
    Fish,
}

#[derive(Debug, Args)]
#[command(
    after_help = "install.sh puts these scripts where the shells look for them. They complete verbs, options, session ids \
    and titles, projects, tools, subagents, roles, focuses, times and files.\n\n\
    Examples:\n  source <(ccsession completions bash)    # in ~/.bashrc\n  source <(ccsession completions zsh)     # in ~/.zshrc, after compinit\n  ccsession completions fish | source     # in config.fish"
)]
pub(super) struct CompletionsArgs {
    /// The shell
    pub(super) shell: Shell,
}

pub(super) fn run(args: CompletionsArgs) -> Result<Status> {
    output::print(&script(args.shell));
    Ok(Status::Done)
}

/// Returns the script that a shell sources.
pub fn script(shell: Shell) -> String {
    let (name, mut script) = ("ccsession", Vec::new());
    let completer: &dyn EnvCompleter = match shell {
        Shell::Bash => &Bash,
        Shell::Zsh => &Zsh,
        Shell::Fish => &Fish,
    };
    // Writing to memory cannot fail.
    let _ = completer.write_registration(COMPLETE, name, name, name, &mut script);
    let mut script = String::from_utf8_lossy(&script).trim().to_owned() + "\n";
    if shell == Shell::Zsh {
        // At the first Tab, zsh runs this script as the function `_ccsession`. So the script must
        // also answer that Tab.
        script += "\nif [ \"$funcstack[1]\" = \"_ccsession\" ]; then\n    _clap_dynamic_completer_ccsession \"$@\"\nfi\n";
    }
    script
}

/// Answers the script of a shell: prints the possible completions of the last word. If none is
/// known, prints nothing, and the shell goes on.
pub(super) fn answer(shell: &OsStr, mut words: Vec<OsString>) -> Status {
    let Some(shell) = shell
        .to_str()
        .and_then(|shell| Shell::from_str(shell, false).ok())
    else {
        return Status::Usage;
    };
    let index = match shell {
        Shell::Fish => words.len().saturating_sub(1),
        Shell::Bash | Shell::Zsh => env::completed_word().unwrap_or_default(),
    };
    // zsh omits an empty last word.
    if words.len() <= index {
        words.resize(index + 1, OsString::new());
    }
    let is_empty = words.get(index).is_some_and(|word| word.is_empty());
    let here = project::current_dir().ok();
    let mut others = words.clone();
    others.remove(index);
    let found = complete(&mut command(others), words, index, here.as_deref());
    let mut found = found.unwrap_or_default();
    found.retain(|candidate| is_one_line(candidate.get_value()));
    // Before anything is typed, options are offered only if there are no values.
    let is_option = |candidate: &CompletionCandidate| {
        candidate.get_value().as_encoded_bytes().starts_with(b"-")
    };
    if is_empty && !found.iter().all(is_option) {
        found.retain(|candidate| !is_option(candidate));
    }
    output::print(&written(shell, &found));
    Status::Done
}

/// Returns the parser of the command line, with the known values of every option. `others` are all
/// words except the one that is being typed.
fn command(others: Vec<OsString>) -> Command {
    let others: Arc<[OsString]> = others.into();
    let all = Arguments::command();
    all.mut_subcommands(|verb| {
        let name = verb.get_name().to_owned();
        with_candidates(verb, &name, &others).mut_subcommands(|below| {
            let path = format!("{name} {}", below.get_name());
            with_candidates(below, &path, &others)
        })
    })
}

fn with_candidates(command: Command, verb: &str, others: &Arc<[OsString]>) -> Command {
    command.mut_args(|arg| {
        let id = arg.get_id().as_str();
        let recorded = || candidates::of(verb, id).map(ArgValueCompleter::new);
        match used::of(verb, id, others).or_else(recorded) {
            Some(candidates) => arg.add(candidates),
            None => arg,
        }
    })
}

/// Returns whether a shell can insert a text into its command line.
fn is_one_line(text: &OsStr) -> bool {
    text.to_str().is_some_and(|text| escaped(text) == text)
}

/// Formats candidates as the shell's script reads them.
fn written(shell: Shell, candidates: &[CompletionCandidate]) -> String {
    let mut text = String::new();
    for candidate in candidates {
        let value = candidate.get_value().to_string_lossy();
        let help = candidate.get_help().map(ToString::to_string);
        let help = help.as_deref().and_then(|help| help.lines().next());
        let help = help.map(escaped).unwrap_or_default();
        let _ = match shell {
            Shell::Bash if text.is_empty() => write!(text, "{}", quoted(&value)),
            Shell::Bash => write!(text, "\u{b}{}", quoted(&value)),
            Shell::Zsh => {
                let value = value.replace('\\', "\\\\").replace(':', "\\:");
                writeln!(text, "{value}:{}", help.replace('\\', "\\\\"))
            }
            Shell::Fish => writeln!(text, "{value}\t{help}"),
        };
    }
    text
}

/// Quotes a value, because bash inserts it into the line as it is.
fn quoted(value: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "_-./:@%+=,".contains(c);
    let quoted = value.chars().map(|c| match is_plain(c) {
        true => c.to_string(),
        false => format!("\\{c}"),
    });
    quoted.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_bash_inserts_is_one_word_and_runs_nothing() {
        assert_eq!(quoted("3f2a-9c1e"), "3f2a-9c1e");
        assert_eq!(quoted("~/src"), "\\~/src");
        assert_eq!(quoted("code review"), "code\\ review");
        assert_eq!(quoted("$(rm x);`y`'"), "\\$\\(rm\\ x\\)\\;\\`y\\`\\'");
    }

    #[test]
    fn candidates_are_written_as_each_script_reads_them() {
        let help = |help: &str| Some(help.to_owned().into());
        let found = [
            CompletionCandidate::new("a:b").help(help("first\nmore")),
            CompletionCandidate::new("c d"),
        ];
        assert_eq!(written(Shell::Bash, &found), "a:b\u{b}c\\ d");
        assert_eq!(written(Shell::Zsh, &found), "a\\:b:first\nc d:\n");
        assert_eq!(written(Shell::Fish, &found), "a:b\tfirst\nc d\t\n");
        assert!(!is_one_line(OsStr::new("a\nb")));
        assert!(!is_one_line(OsStr::new("a\u{1b}b")));
    }

    #[test]
    fn every_session_project_and_time_has_candidates() {
        fn walk(command: &Command, found: &mut Vec<String>) {
            for arg in command.get_arguments() {
                if arg.get::<ArgValueCompleter>().is_some() {
                    found.push(format!("{} {}", command.get_name(), arg.get_id()));
                }
            }
            command.get_subcommands().for_each(|verb| walk(verb, found));
        }
        let mut found = Vec::new();
        walk(&command(Vec::new()), &mut found);
        for expected in [
            "show id",
            "timeline id",
            "restore id",
            "current session",
            "run resume",
            "list project",
            "stats since",
            "clock-in role",
            "help verb",
            "timeline tool",
            "timeline agent",
        ] {
            assert!(
                found.iter().any(|it| it == expected),
                "{expected}: {found:?}"
            );
        }
    }
}
