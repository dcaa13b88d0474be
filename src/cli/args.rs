//! The verbs of the command line, as clap parses them. The arguments of a verb are in the verb's
//! own module. Help texts are imperative and have no full stop.

use std::ffi::OsString;

use clap::{Parser, Subcommand, ValueEnum};

use super::archive::args::ArchiveVerb;
use super::cleanup::CleanupArgs;
use super::clock_in::ClockInArgs;
use super::clock_out::ClockOutArgs;
use super::collected::FromArgs;
use super::completions::CompletionsArgs;
use super::config::ConfigArgs;
use super::current::CurrentArgs;
use super::dashboard::DashboardArgs;
use super::delete::DeleteArgs;
use super::doctor::DoctorArgs;
use super::export::ExportArgs;
use super::import::ImportArgs;
use super::install::{InstallArgs, UninstallArgs};
use super::list::ListArgs;
use super::metrics::MetricsArgs;
use super::pull::{PullArgs, SendArgs};
use super::report::ReportArgs;
use super::resume::ResumeArgs;
use super::run::{BecomeArgs, RunArgs};
use super::search::SearchArgs;
use super::ship::ShipArgs;
use super::show::ShowArgs;
use super::stats::StatsArgs;
use super::store::StoreArgs;
use super::timeline::TimelineArgs;
use super::top::TopArgs;
use super::who::WhoArgs;

/// Find out which Claude Code session this is, and what each session did
#[derive(Debug, Parser)]
#[command(
    name = "ccsession",
    version,
    arg_required_else_help = true,
    disable_help_subcommand = true
)]
#[command(
    after_help = "Exit status: 0 success, including the answer `unknown`; 1 failure; 3 nothing found; 4 several sessions match; \
    5 the doctor found a fault; 6 with --strict, only the last known session; 7 pruned; 64 wrong usage; 75 held by another process. \
    Never 2. `run` passes on the status of its command.\n\n`ls` and `ps` mean `list`; `log` means `timeline`, and `tail` and `watch` its `--follow`; `gc` means `cleanup`; \
    `id` and `whoami` mean `current`.\n\nSee `ccsession help VERB` for options and examples."
)]
pub(super) struct Arguments {
    #[command(subcommand)]
    pub(super) verb: Verb,
}

impl Arguments {
    /// Parses a command line.
    ///
    /// Building the parser of all verbs would take most of the time that `current` needs. So each
    /// verb that prompts, status bars and timers call also has a parser for that verb alone. Words
    /// that such a parser refuses go to the parser of all verbs, whose messages can name other
    /// verbs.
    pub(super) fn parse_from_words(words: &[OsString]) -> Result<Self, clap::Error> {
        let verb = match words.get(1).and_then(|verb| verb.to_str()) {
            Some("current") => alone(words, |CurrentVerb::Current(args)| Verb::Current(args)),
            Some("list") => alone(words, |ListVerb::List(args)| Verb::List(args)),
            Some("cleanup") => alone(words, |CleanupVerb::Cleanup(args)| Verb::Cleanup(args)),
            _ => None,
        };
        verb.map_or_else(|| Self::try_parse_from(words), |verb| Ok(Self { verb }))
    }
}

/// Parses a command line with the parser of one verb.
fn alone<V: Subcommand>(words: &[OsString], verb: impl Fn(V) -> Verb) -> Option<Verb> {
    let parsed = OneVerb::<V>::try_parse_from(words).ok()?;
    Some(verb(parsed.verb))
}

#[derive(Debug, Parser)]
struct OneVerb<V: Subcommand> {
    #[command(subcommand)]
    verb: V,
}

#[derive(Debug, Subcommand)]
enum CurrentVerb {
    Current(CurrentArgs),
}

#[derive(Debug, Subcommand)]
enum ListVerb {
    List(ListArgs),
}

#[derive(Debug, Subcommand)]
enum CleanupVerb {
    Cleanup(CleanupArgs),
}

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Print the session id of this shell, script or project
    #[command(aliases = ["id", "whoami"])]
    Current(CurrentArgs),
    /// Make a session the current one of a project
    Store(StoreArgs),
    /// List live sessions
    #[command(aliases = ["ls", "ps"])]
    List(ListArgs),
    /// Show all live sessions on a board that stays up to date
    Top(TopArgs),
    /// Show all sessions in a browser, live
    Dashboard(DashboardArgs),
    /// Show everything known about one session
    Show(ShowArgs),
    /// Show a session's calls in order, under the prompts they serve
    #[command(aliases = ["log", "logs"])]
    Timeline(TimelineArgs),
    /// Count calls, failures, durations, hours and tokens
    Stats(StatsArgs),
    /// Write what sessions did into one HTML file, to look at or to send
    Report(ReportArgs),
    /// Archive a session: messages, transcript and journal
    ClockOut(ClockOutArgs),
    /// List, read, search, verify, restore or prune archives
    #[command(subcommand)]
    Archive(ArchiveVerb),
    /// Find what was said and done
    #[command(aliases = ["grep", "find"])]
    Search(SearchArgs),
    /// Say which session made a commit or edited a file
    Who(WhoArgs),
    /// Write what sessions did for other programs or machines
    Export(ExportArgs),
    /// Print counters for a monitoring system
    Metrics(MetricsArgs),
    /// Copy the sessions of other machines, over ssh
    Pull(PullArgs),
    /// Send the sessions of this machine to a `pull`
    #[command(name = super::pull::SEND, hide = true)]
    Send(SendArgs),
    /// Send what is new of all sessions to collectors
    Ship(ShipArgs),
    /// Remove stale state and print the number of pointers removed
    #[command(alias = "gc")]
    Cleanup(CleanupArgs),
    /// Remove everything that is kept of a session
    #[command(alias = "rm")]
    Delete(DeleteArgs),
    /// Show every path and setting, and where each comes from
    Config(ConfigArgs),
    /// Give a session a role and a focus; list others with the same focus
    ClockIn(ClockInArgs),
    /// Run a command in a session of its own
    Run(RunArgs),
    /// Become the command of a run
    #[command(name = crate::lifecycle::run::VERB, hide = true)]
    Become(BecomeArgs),
    /// Take up a past session again
    Resume(ResumeArgs),
    /// Import past sessions from transcripts, or from a bundle
    Import(ImportArgs),
    /// Register the hooks in Claude Code's settings
    Install(InstallArgs),
    /// Remove the hooks from Claude Code's settings
    Uninstall(UninstallArgs),
    /// Check the installation and say how to fix what is wrong
    Doctor(DoctorArgs),
    /// Print the completions of a shell
    Completions(CompletionsArgs),
    /// Handle any hook event (JSON on stdin); prints nothing
    Hook {
        /// The event's name, if stdin does not contain it
        event: Option<OsString>,
    },
    /// Print this help, or the help of a verb
    #[command(after_help = "Examples:\n  ccsession help archive search")]
    Help {
        /// The verb
        verb: Vec<OsString>,
    },
    /// Print the version
    #[command(after_help = "Examples:\n  ccsession version")]
    Version,
}

impl Verb {
    /// Returns the verb's `--from`, or `None` if the verb cannot read collected sessions.
    pub(super) fn collected(&self) -> Option<&FromArgs> {
        match self {
            Self::List(args) => Some(&args.from),
            Self::Show(args) => Some(&args.from),
            Self::Timeline(args) => Some(&args.from),
            Self::Stats(args) => Some(&args.from),
            Self::Report(args) => Some(&args.from),
            Self::Export(args) => Some(&args.from),
            Self::Metrics(args) => Some(&args.from),
            Self::Search(args) => Some(&args.from),
            Self::Archive(verb) => verb.collected(),
            _ => None,
        }
    }
}

/// When to draw bars and lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum BarsArg {
    /// Unless a screen reader, the locale or the terminal calls for plain text
    Auto,
    /// Always
    Always,
    /// Never: plain text
    Never,
}

/// When to use colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum ColorArg {
    /// On a terminal, unless NO_COLOR is set
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use clap::{Command, CommandFactory};

    use super::*;

    /// Returns the long name of each option, below the verb and its letter.
    fn letters<'a>(command: &'a Command, found: &mut Vec<(&'a str, char, &'a str)>) {
        for arg in command.get_arguments() {
            if let (Some(letter), Some(long)) = (arg.get_short(), arg.get_long()) {
                found.push((command.get_name(), letter, long));
            }
        }
        for verb in command.get_subcommands() {
            letters(verb, found);
        }
    }

    #[test]
    fn a_letter_means_the_same_for_every_verb() {
        let command = Arguments::command();
        let mut found = Vec::new();
        letters(&command, &mut found);
        let mut meanings: BTreeMap<char, &str> = BTreeMap::new();
        for (verb, letter, long) in found {
            let meaning = meanings.entry(letter).or_insert(long);
            assert_eq!(*meaning, long, "-{letter} of {verb}");
        }
        for (letter, long) in [
            ('a', "all"),
            ('f', "follow"),
            ('j', "json"),
            ('n', "limit"),
            ('p', "project"),
            ('s', "since"),
        ] {
            assert_eq!(meanings.get(&letter), Some(&long), "-{letter}");
        }
    }

    /// Asserts that an option has its letter wherever it is.
    fn check_options(command: &Command) {
        for long in [
            "all", "json", "limit", "project", "since", "follow", "quiet",
        ] {
            let option = command
                .get_arguments()
                .find(|arg| arg.get_long() == Some(long));
            assert!(
                option.is_none_or(|option| option.get_short().is_some()),
                "--{long} of {}",
                command.get_name()
            );
        }
        command.get_subcommands().for_each(check_options);
    }

    #[test]
    fn an_option_has_its_letter_for_every_verb() {
        check_options(&Arguments::command());
    }

    #[test]
    fn a_parser_for_a_few_verbs_answers_like_the_full_parser() {
        for line in [
            "current",
            "current --json --strict",
            "current --format {id} --project /a",
            "current --format",
            "current --no-such",
            "current extra",
            "current --help",
            "current --version",
            "cleanup",
            "cleanup --if-due",
            "cleanup --dry-run --json",
            "cleanup --if-due=7",
            "curent",
        ] {
            let words: Vec<OsString> = ["ccsession"]
                .into_iter()
                .chain(line.split(' '))
                .map(OsString::from)
                .collect();
            let answer = |parsed: Result<Arguments, clap::Error>| match parsed {
                Ok(arguments) => format!("{arguments:?}"),
                Err(err) => err.to_string(),
            };
            let (few, all) = (
                Arguments::parse_from_words(&words),
                Arguments::try_parse_from(words),
            );
            assert_eq!(answer(few), answer(all), "{line}");
        }
    }
}
