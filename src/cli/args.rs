//! The command line as clap reads it. Help texts are imperative and without a full stop.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

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
    Never 2. `run` passes on the status of its command.\n\nSee `ccsession VERB --help` for options and examples."
)]
pub(super) struct Arguments {
    #[command(subcommand)]
    pub(super) verb: Verb,
}

impl Arguments {
    /// Parses a command line.
    ///
    /// The parser of all verbs takes most of the time that `current` needs. So the verbs that prompts and timers call have one of their
    /// own. Whatever that refuses goes to the whole one, whose messages know the other verbs.
    pub(super) fn parse_from_words(words: Vec<OsString>) -> Result<Self, clap::Error> {
        let is_frequent = words
            .get(1)
            .is_some_and(|verb| verb == "current" || verb == "cleanup");
        if is_frequent && let Ok(frequent) = FrequentArguments::try_parse_from(&words) {
            let verb = match frequent.verb {
                FrequentVerb::Current(args) => Verb::Current(args),
                FrequentVerb::Cleanup(args) => Verb::Cleanup(args),
            };
            return Ok(Self { verb });
        }
        Self::try_parse_from(words)
    }
}

#[derive(Debug, Parser)]
struct FrequentArguments {
    #[command(subcommand)]
    verb: FrequentVerb,
}

#[derive(Debug, Subcommand)]
enum FrequentVerb {
    Current(CurrentArgs),
    Cleanup(CleanupArgs),
}

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Print the session id of this shell, script or project
    Current(CurrentArgs),
    /// Make a session the current one of a project
    Store(StoreArgs),
    /// List live sessions
    List(ListArgs),
    /// Show everything known about one session
    Show(ShowArgs),
    /// Show a session's calls in order, under the prompts they serve
    Timeline(TimelineArgs),
    /// Count calls, failures, durations, hours and tokens
    Stats(StatsArgs),
    /// Archive a session: messages, transcript and journal
    ClockOut(ClockOutArgs),
    /// List, read, search, verify, restore or prune archives
    #[command(subcommand)]
    Archive(ArchiveVerb),
    /// Print counters for a monitoring system
    Metrics(MetricsArgs),
    /// Remove stale state and print the number of pointers removed
    Cleanup(CleanupArgs),
    /// Show every path and setting, and where each comes from
    Config(ConfigArgs),
    /// Give a session a role and a focus; list others with the same focus
    ClockIn(ClockInArgs),
    /// Run a command in a session of its own
    Run(RunArgs),
    /// Become the command of a run
    #[command(name = crate::lifecycle::run::VERB, hide = true)]
    Become(BecomeArgs),
    /// Import past sessions from Claude Code's transcripts
    Import(ImportArgs),
    /// Register the hooks in Claude Code's settings
    Install(InstallArgs),
    /// Remove the hooks from Claude Code's settings
    Uninstall(UninstallArgs),
    /// Check the installation and say how to fix what is wrong
    Doctor(DoctorArgs),
    /// Handle any hook event (JSON on stdin); prints nothing
    Hook {
        /// The event's name, if stdin does not contain it
        event: Option<OsString>,
    },
}

#[derive(Debug, Args)]
#[command(after_help = super::format::HELP)]
pub(super) struct CurrentArgs {
    /// Use the project of this directory
    #[arg(long, value_name = "PATH", conflicts_with = "name")]
    pub(super) project: Option<PathBuf>,
    /// Use the pointer of projects with this name
    #[arg(long, value_name = "NAME")]
    pub(super) name: Option<OsString>,
    /// Use this session id
    #[arg(long, value_name = "ID")]
    pub(super) session: Option<String>,
    /// Read a hook's JSON on stdin and use its session id
    #[arg(long)]
    pub(super) hook_input: bool,
    /// If several sessions match, print the most recently active one
    #[arg(long)]
    pub(super) guess: bool,
    /// Print the project's last session, even if it has ended
    #[arg(long, conflicts_with_all = ["guess", "session", "hook_input", "name"])]
    pub(super) last: bool,
    /// Print every live session of the project, most recently active first
    #[arg(long, conflicts_with_all = ["guess", "last", "session", "hook_input", "name", "explain"])]
    pub(super) all: bool,
    /// Print the session of this process
    #[arg(long, value_name = "PID", conflicts_with_all = ["project", "name", "session", "hook_input"])]
    pub(super) pid: Option<u32>,
    /// Exit with 3 if unknown, 4 if ambiguous, 6 if only the last known
    #[arg(long)]
    pub(super) strict: bool,
    /// Print each source that was asked, what it knew, and why it did not answer
    #[arg(long)]
    pub(super) explain: bool,
    /// Print TEXT with fields such as {short} filled in, for prompts and status bars
    #[arg(long, value_name = "TEXT", conflicts_with_all = ["explain", "json"])]
    pub(super) format: Option<String>,
    /// Print one JSON object
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  ccsession store 3f2a9c1e-8b7d-4f6a-9e21-5c0d7a4b8e13")]
pub(super) struct StoreArgs {
    /// The session's id
    pub(super) id: String,
    /// Store the id for the project of this directory
    #[arg(long, value_name = "PATH")]
    pub(super) project: Option<PathBuf>,
}

/// A session's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum StateArg {
    /// Live, with an event within the idle timeout or an open call
    Active,
    /// Live, with no event within the idle timeout
    Idle,
    /// Its last process reported the end
    Ended,
    /// Its processes are gone, and none reported an end
    Abandoned,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  ccsession list --waiting                # which one needs me?\n  ccsession list --all                    # ended ones, too\n  ccsession list --project . --json"
)]
pub(super) struct ListArgs {
    /// List only the sessions of this directory's project
    #[arg(long, value_name = "PATH")]
    pub(super) project: Option<PathBuf>,
    /// Include ended and abandoned sessions
    #[arg(long)]
    pub(super) all: bool,
    /// List only sessions in this state; repeatable
    #[arg(long, value_enum, value_name = "STATE", conflicts_with = "all")]
    pub(super) state: Vec<StateArg>,
    /// List only sessions that wait for a person: for permission, an answer, or the next prompt
    #[arg(long, short, conflicts_with_all = ["all", "state"])]
    pub(super) waiting: bool,
    /// Print one JSON object
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  ccsession show 3f2a")]
pub(super) struct ShowArgs {
    /// The session's id or a unique prefix
    pub(super) id: String,
    /// Print one JSON object
    #[arg(long)]
    pub(super) json: bool,
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

#[derive(Debug, Args)]
#[command(
    after_help = "Each row is a call: its start, its part of the turn (░ waiting, █ running, ┄ running in the background), its \
    duration, its outcome, the tool, its label. Calls of a subagent are indented under the call that started it.\n\n\
    Examples:\n  ccsession timeline                      # this session, or the project's last\n  ccsession timeline --failed --since 2h  # what went wrong lately\n  ccsession timeline --follow             # events as they come"
)]
pub(super) struct TimelineArgs {
    /// The session's id or a unique prefix; without it, this shell's session or the project's last
    pub(super) id: Option<String>,
    /// Print events as they come: of this session or, without ID, of all
    #[arg(long, short, conflicts_with_all = ["since", "json"])]
    pub(super) follow: bool,
    /// With --follow, run this shell command once for each session that begins to wait for a person
    #[arg(long, value_name = "COMMAND", requires = "follow")]
    pub(super) notify: Option<String>,
    /// Show only calls since then: a duration (`2h`), a date, or a time (`2026-11-20T14:00:00Z`)
    #[arg(long, value_name = "WHEN")]
    pub(super) since: Option<String>,
    /// Show only calls of this tool; repeatable
    #[arg(long, value_name = "NAME")]
    pub(super) tool: Vec<String>,
    /// Show only calls that failed, were denied or never returned
    #[arg(long)]
    pub(super) failed: bool,
    /// Show only calls of this subagent, by id prefix or type; `main` is the main thread
    #[arg(long, value_name = "AGENT")]
    pub(super) agent: Option<String>,
    /// When to use colour
    #[arg(long, value_enum, value_name = "WHEN", default_value = "auto")]
    pub(super) color: ColorArg,
    /// When to draw bars and lines
    #[arg(long, value_enum, value_name = "WHEN", default_value = "auto")]
    pub(super) bars: BarsArg,
    /// Print one JSON object
    #[arg(long)]
    pub(super) json: bool,
    /// Print a JSON line for each call; with --follow, for each event as recorded
    #[arg(long, conflicts_with = "json")]
    pub(super) jsonl: bool,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  ccsession stats                         # this project\n  ccsession stats --all --since 7d\n  ccsession stats --csv"
)]
pub(super) struct StatsArgs {
    /// Count only this session; a unique prefix of its id is enough
    pub(super) id: Option<String>,
    /// Count the sessions of this directory's project
    #[arg(long, value_name = "PATH", conflicts_with = "id")]
    pub(super) project: Option<PathBuf>,
    /// Count every session on record
    #[arg(long, conflicts_with_all = ["id", "project"])]
    pub(super) all: bool,
    /// Count only what began since then: a duration (`7d`) or a date (`2026-11-01`)
    #[arg(long, value_name = "WHEN")]
    pub(super) since: Option<String>,
    /// When to draw bars
    #[arg(long, value_enum, value_name = "WHEN", default_value = "auto")]
    pub(super) bars: BarsArg,
    /// Print one JSON object
    #[arg(long)]
    pub(super) json: bool,
    /// Print a line of comma-separated values for each tool
    #[arg(long, conflicts_with = "json")]
    pub(super) csv: bool,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Prints the path of the archived text. Running it again adds what was said since. A live session keeps running.\n\n\
    Examples:\n  ccsession clock-out\n  ccsession clock-out 3f2a --description login-fixed"
)]
pub(super) struct ClockOutArgs {
    /// The session's id or a unique prefix; without it, this shell's session or the project's last
    pub(super) id: Option<String>,
    /// Describe the session in a sentence
    #[arg(long, value_name = "TEXT")]
    pub(super) description: Option<String>,
    /// Include tool calls and their results in the text
    #[arg(long)]
    pub(super) tools: bool,
    /// Also archive this transcript, whatever its name
    #[arg(long, value_name = "FILE")]
    pub(super) transcript: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Subcommand)]
pub(super) enum ArchiveVerb {
    /// List archives, newest first
    List(ArchiveListArgs),
    /// Print the text of an archive
    Show(ArchiveShowArgs),
    /// Search the text of archived sessions, long tool outputs included
    Search(ArchiveSearchArgs),
    /// Check every part of archives against its checksum
    Verify(ArchiveVerifyArgs),
    /// Restore a transcript so that Claude Code can resume its session
    Restore(ArchiveRestoreArgs),
    /// List archives beyond an age, and remove them with --yes
    Prune(ArchivePruneArgs),
}

/// Which archives.
#[derive(Debug, Args)]
pub(super) struct ArchiveFilter {
    /// Only archives of this directory's project, or of projects with this name
    #[arg(long, value_name = "PATH")]
    pub(super) project: Option<PathBuf>,
    /// Only archives of sessions with this role
    #[arg(long, value_name = "TEXT")]
    pub(super) role: Option<String>,
    /// Only archives of sessions with this focus
    #[arg(long, value_name = "TEXT")]
    pub(super) focus: Option<String>,
    /// Only archives of sessions that began since then: a duration (`30d`) or a date (`2026-11-01`)
    #[arg(long, value_name = "WHEN")]
    pub(super) since: Option<String>,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  ccsession archive list --since 30d")]
pub(super) struct ArchiveListArgs {
    #[command(flatten)]
    pub(super) chosen: ArchiveFilter,
    /// Print one JSON object
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  ccsession archive show 3f2a\n  ccsession archive show 3f2a --transcript | jq ."
)]
pub(super) struct ArchiveShowArgs {
    /// The session's id or a unique prefix
    pub(super) id: String,
    /// Print the transcript, as JSON lines
    #[arg(long, conflicts_with_all = ["journal", "manifest"])]
    pub(super) transcript: bool,
    /// Print the journal, as JSON lines
    #[arg(long, conflicts_with = "manifest")]
    pub(super) journal: bool,
    /// Print the manifest, as JSON
    #[arg(long)]
    pub(super) manifest: bool,
    /// Do not use a pager
    #[arg(long)]
    pub(super) no_pager: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  ccsession archive search webhook --since 30d")]
pub(super) struct ArchiveSearchArgs {
    /// The text to find; case is ignored
    pub(super) text: String,
    #[command(flatten)]
    pub(super) chosen: ArchiveFilter,
    /// Print only session ids
    #[arg(long)]
    pub(super) ids: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  ccsession archive verify")]
pub(super) struct ArchiveVerifyArgs {
    /// Session ids or unique prefixes; all archives if none is given
    pub(super) ids: Vec<String>,
    /// Print one JSON object
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
#[command(
    after_help = "An existing file is never replaced. The archived transcript was redacted, so the restored one lacks its secrets.\n\n\
    Examples:\n  ccsession archive restore 3f2a\n  ccsession archive restore 3f2a --to /tmp/restored"
)]
pub(super) struct ArchiveRestoreArgs {
    /// The session's id or a unique prefix
    pub(super) id: String,
    /// Restore below this folder instead of `~/.claude/projects`
    #[arg(long, value_name = "FOLDER")]
    pub(super) to: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  ccsession archive prune --older-than 365d        # list them\n  ccsession archive prune --older-than 365d --yes  # remove them"
)]
pub(super) struct ArchivePruneArgs {
    /// The age, such as `365d`; without it, `retention.archive` applies
    #[arg(long, value_name = "DURATION")]
    pub(super) older_than: Option<String>,
    /// Remove the archives listed
    #[arg(long)]
    pub(super) yes: bool,
    /// Print one JSON object
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  ccsession metrics --json\n  ccsession metrics --prometheus --output /tmp/ccsession.prom"
)]
pub(super) struct MetricsArgs {
    /// Print one JSON object
    #[arg(long)]
    pub(super) json: bool,
    /// Print in the Prometheus text format
    #[arg(long, conflicts_with = "json")]
    pub(super) prometheus: bool,
    /// Write atomically to this file, readable by everyone
    #[arg(long, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  ccsession cleanup --dry-run\n  ccsession cleanup --if-due --quiet      # for cron"
)]
pub(super) struct CleanupArgs {
    /// Treat pointers older than this as stale, instead of the `ttl` setting
    #[arg(long, value_name = "DURATION")]
    pub(super) ttl: Option<String>,
    /// Print to stderr what would be done, and why; change nothing
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Do nothing if a cleanup ran within `cleanup_interval`
    #[arg(long)]
    pub(super) if_due: bool,
    /// Print only warnings
    #[arg(long)]
    pub(super) quiet: bool,
    /// Print one JSON object
    #[arg(long, conflicts_with = "quiet")]
    pub(super) json: bool,
    /// Leave the session of the process that started this
    #[arg(long, hide = true)]
    pub(super) detach: bool,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Without --focus, a session keeps its focus. A new one gets it from the branch (`issue-12` from 12-fix-it, #12 or issue/12; \
    `feat: login` from feat/login), or `general`. Pass a new id to `claude --session-id ID`.\n\n\
    Examples:\n  ccsession clock-in --role reviewer --focus login\n  ccsession clock-in --focus deploy --exclusive"
)]
pub(super) struct ClockInArgs {
    /// The session's role, such as `reviewer`
    #[arg(long, value_name = "TEXT")]
    pub(super) role: Option<String>,
    /// What the session works on
    #[arg(long, value_name = "TEXT")]
    pub(super) focus: Option<String>,
    /// The session, known or new; without it this shell's, else a new one
    #[arg(long, value_name = "ID")]
    pub(super) session: Option<String>,
    /// Add a note to the session's record; repeatable
    #[arg(long, value_name = "TEXT")]
    pub(super) note: Vec<String>,
    /// Exit with 75, changing nothing, if another live session of the project has this focus
    #[arg(long)]
    pub(super) exclusive: bool,
    /// Print only the session id
    #[arg(long)]
    pub(super) quiet: bool,
    /// Print one JSON object
    #[arg(long, conflicts_with = "quiet")]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  ccsession run --focus nightly -- claude -p hello\n  ccsession run --resume 3f2a9c1e -- claude"
)]
pub(super) struct RunArgs {
    /// Use this id instead of a new one
    #[arg(long, value_name = "ID", conflicts_with = "resume")]
    pub(super) session_id: Option<String>,
    /// Resume this session
    #[arg(long, value_name = "ID")]
    pub(super) resume: Option<String>,
    /// The session's name
    #[arg(long, value_name = "TEXT")]
    pub(super) name: Option<String>,
    /// The session's role, such as `reviewer`
    #[arg(long, value_name = "TEXT")]
    pub(super) role: Option<String>,
    /// What the session works on; taken from the branch if omitted
    #[arg(long, value_name = "TEXT")]
    pub(super) focus: Option<String>,
    /// The command and its arguments; `claude` receives the id as `--session-id` or `--resume`
    #[arg(last = true, required = true, value_name = "COMMAND")]
    pub(super) command: Vec<OsString>,
}

#[derive(Debug, Args)]
pub(super) struct BecomeArgs {
    pub(super) id: String,
    pub(super) holder: String,
    pub(super) gate: String,
    #[arg(long)]
    pub(super) blocked: Vec<i32>,
    #[arg(last = true, required = true)]
    pub(super) command: Vec<OsString>,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  ccsession import --dry-run\n  ccsession import --since 30d")]
pub(super) struct ImportArgs {
    /// A transcript, a folder of them, or the folder of all projects; Claude Code's own if omitted
    pub(super) path: Option<PathBuf>,
    /// Import only sessions of this directory's project
    #[arg(long, value_name = "PATH")]
    pub(super) project: Option<PathBuf>,
    /// Import only sessions active since then: a duration (`30d`) or a date (`2026-11-01`)
    #[arg(long, value_name = "WHEN")]
    pub(super) since: Option<String>,
    /// Print what would be imported; import nothing
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Print one JSON object
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  ccsession config\n  ccsession config --example > config.toml")]
pub(super) struct ConfigArgs {
    /// Print a commented configuration file
    #[arg(long, conflicts_with = "json")]
    pub(super) example: bool,
    /// Print one JSON object
    #[arg(long)]
    pub(super) json: bool,
}

/// Which of Claude Code's settings files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum ScopeArg {
    /// `~/.claude/settings.json`: every project of yours
    User,
    /// `.claude/settings.json`: everyone in this project
    Project,
    /// `.claude/settings.local.json`: you in this project
    Local,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  ccsession install --dry-run\n  ccsession install --scope project"
)]
pub(super) struct InstallArgs {
    /// Which settings file
    #[arg(long, value_enum, default_value = "user")]
    pub(super) scope: ScopeArg,
    /// Also add a systemd user timer that cleans up every five minutes
    #[arg(long)]
    pub(super) timer: bool,
    /// Print the change as a diff; change nothing
    #[arg(long)]
    pub(super) dry_run: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  ccsession uninstall\n  ccsession uninstall --all --dry-run")]
pub(super) struct UninstallArgs {
    /// Which settings file; `user` also removes the timer
    #[arg(long, value_enum, default_value = "user")]
    pub(super) scope: ScopeArg,
    /// Remove only the timer, not the hooks
    #[arg(long, conflicts_with = "scope")]
    pub(super) timer: bool,
    /// Remove the hooks from every settings file with a recorded install
    #[arg(long, conflicts_with_all = ["scope", "timer"])]
    pub(super) all: bool,
    /// Print the change as a diff; change nothing
    #[arg(long)]
    pub(super) dry_run: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  ccsession doctor")]
pub(super) struct DoctorArgs {
    /// Print one JSON object
    #[arg(long)]
    pub(super) json: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parser_of_a_few_verbs_answers_as_that_of_all() {
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
                Arguments::parse_from_words(words.clone()),
                Arguments::try_parse_from(words),
            );
            assert_eq!(answer(few), answer(all), "{line}");
        }
    }
}
