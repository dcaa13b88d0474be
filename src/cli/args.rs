//! The command line as clap reads it. Help texts are imperative and without a full stop.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Tell which Claude Code session this is, and keep the record of what it did
#[derive(Debug, Parser)]
#[command(
    name = "ccsession",
    version,
    arg_required_else_help = true,
    disable_help_subcommand = true
)]
#[command(
    after_help = "Exit status: 0 done, an honest `unknown` included; 1 failed; 3 nothing found; 4 several could be meant; \
    5 the doctor found a fault; 6 with --strict, only the last known session; 7 pruned; 64 wrong usage; 75 held by another. Never 2. `run` passes its command's status on."
)]
pub(super) struct Arguments {
    #[command(subcommand)]
    pub(super) verb: Verb,
}

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Print the id of the session that this shell, script or project is in, or `unknown`
    Current(CurrentArgs),
    /// Make a session the current one of a project
    Store(StoreArgs),
    /// List the live sessions
    List(ListArgs),
    /// Show what is known of one session
    Show(ShowArgs),
    /// Show what a session did: its calls in order, below the prompts that they serve
    Timeline(TimelineArgs),
    /// Count calls, failures, durations, hours and tokens of one session or many
    Stats(StatsArgs),
    /// Archive a session: its messages, its transcript, its journal
    ClockOut(ClockOutArgs),
    /// Look into archives, verify them, put transcripts back
    #[command(subcommand)]
    Archive(ArchiveVerb),
    /// Count sessions by state, calls, failures and what went wrong, for a monitoring system
    Metrics(MetricsArgs),
    /// Remove what is stale, and print how many pointers that were
    Cleanup(CleanupArgs),
    /// Show where everything is, each setting, and where it comes from
    Config(ConfigArgs),
    /// Say what a session is for: this shell's, that of an id, or a new one; and who else works on that
    ClockIn(ClockInArgs),
    /// Run a command as a session, with an id of its own that nobody else has meanwhile
    Run(RunArgs),
    /// Become the command of a run
    #[command(name = crate::lifecycle::run::VERB, hide = true)]
    Become(BecomeArgs),
    /// Take what was done before from Claude Code's own transcripts
    Import(ImportArgs),
    /// Register the hooks in Claude Code's settings
    Install(InstallArgs),
    /// Take the hooks out of Claude Code's settings again
    Uninstall(UninstallArgs),
    /// Check the installation and say how to mend what is wrong
    Doctor(DoctorArgs),
    /// Be the hook for any event: read its JSON on stdin, record it, stay silent
    Hook {
        /// The event's name, where stdin does not say it
        event: Option<OsString>,
    },
}

#[derive(Debug, Args)]
#[command(after_help = super::format::HELP)]
pub(super) struct CurrentArgs {
    /// Ask about the project of this directory
    #[arg(long, value_name = "PATH", conflicts_with = "name")]
    pub(super) project: Option<PathBuf>,
    /// Ask for the pointer of projects with this bare name
    #[arg(long, value_name = "NAME")]
    pub(super) name: Option<OsString>,
    /// Take this id: it is the session
    #[arg(long, value_name = "ID")]
    pub(super) session: Option<String>,
    /// Read a hook's JSON on stdin, and take its session id
    #[arg(long)]
    pub(super) hook_input: bool,
    /// Print the most recently active session where several could be meant
    #[arg(long)]
    pub(super) guess: bool,
    /// Print the project's last session, ended or not
    #[arg(long, conflicts_with_all = ["guess", "session", "hook_input", "name"])]
    pub(super) last: bool,
    /// Print every live session of the project, the most recently active first
    #[arg(long, conflicts_with_all = ["guess", "last", "session", "hook_input", "name", "explain"])]
    pub(super) all: bool,
    /// Ask for the session of this process
    #[arg(long, value_name = "PID", conflicts_with_all = ["project", "name", "session", "hook_input"])]
    pub(super) pid: Option<u32>,
    /// End with status 3 if unknown, 4 if ambiguous, 6 if only the last known
    #[arg(long)]
    pub(super) strict: bool,
    /// Print every rung of the ladder, what it saw and why it was passed over
    #[arg(long)]
    pub(super) explain: bool,
    /// Print a text with fields such as {short} filled in, for prompts and status bars
    #[arg(long, value_name = "TEXT", conflicts_with_all = ["explain", "json"])]
    pub(super) format: Option<String>,
    /// Print one JSON object
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
pub(super) struct StoreArgs {
    /// The session's id
    pub(super) id: String,
    /// Store it for the project of this directory
    #[arg(long, value_name = "PATH")]
    pub(super) project: Option<PathBuf>,
}

/// A session's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum StateArg {
    /// Live, and something happened within the idle timeout or a call is open
    Active,
    /// Live, and nothing happened for the idle timeout
    Idle,
    /// Its last process said that it ended
    Ended,
    /// No process has it any more, and none said so
    Abandoned,
}

#[derive(Debug, Args)]
pub(super) struct ListArgs {
    /// List only the sessions of this directory's project
    #[arg(long, value_name = "PATH")]
    pub(super) project: Option<PathBuf>,
    /// List the ended and abandoned ones, too
    #[arg(long)]
    pub(super) all: bool,
    /// List only sessions in this state; may be given several times
    #[arg(long, value_enum, value_name = "STATE", conflicts_with = "all")]
    pub(super) state: Vec<StateArg>,
    /// Print one JSON object
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
pub(super) struct ShowArgs {
    /// The session's id, or its beginning if only one begins so
    pub(super) id: String,
    /// Print one JSON object
    #[arg(long)]
    pub(super) json: bool,
}

/// When to draw bars and lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum BarsArg {
    /// Unless a screen reader, the locale or the terminal asks for words
    Auto,
    /// Always
    Always,
    /// Never: words and numbers
    Never,
}

/// When to write in colour.
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
    after_help = "A row is a call: when it began, its part of the turn (░ waiting, █ running, ┄ running on in the background), how \
    long it ran, how it ended, the tool, its label. What a subagent did is indented below the call that started it."
)]
pub(super) struct TimelineArgs {
    /// The session's id, or its beginning if only one begins so; without it, this shell's session, or the project's last
    pub(super) id: Option<String>,
    /// Print each event as it comes, of this session or, without an id, of all
    #[arg(long, short, conflicts_with_all = ["since", "json"])]
    pub(super) follow: bool,
    /// Show only calls that began within this time (`2h`), or since this time (`2026-11-20T14:00:00Z`) or date
    #[arg(long, value_name = "WHEN")]
    pub(super) since: Option<String>,
    /// Show only calls of this tool; may be given several times
    #[arg(long, value_name = "NAME")]
    pub(super) tool: Vec<String>,
    /// Show only calls that failed, were denied or never came back
    #[arg(long)]
    pub(super) failed: bool,
    /// Show only calls of this subagent, by id, its beginning, or type; `main` for the main thread
    #[arg(long, value_name = "AGENT")]
    pub(super) agent: Option<String>,
    /// When to write in colour
    #[arg(long, value_enum, value_name = "WHEN", default_value = "auto")]
    pub(super) color: ColorArg,
    /// When to draw bars and lines
    #[arg(long, value_enum, value_name = "WHEN", default_value = "auto")]
    pub(super) bars: BarsArg,
    /// Print one JSON object
    #[arg(long)]
    pub(super) json: bool,
    /// Print one JSON object a call, each on a line; with --follow one an event, as it is on record
    #[arg(long, conflicts_with = "json")]
    pub(super) jsonl: bool,
}

#[derive(Debug, Args)]
pub(super) struct StatsArgs {
    /// Count only this session: its id, or its beginning if only one begins so
    pub(super) id: Option<String>,
    /// Count the sessions of this directory's project, instead of the project here
    #[arg(long, value_name = "PATH", conflicts_with = "id")]
    pub(super) project: Option<PathBuf>,
    /// Count every session on record
    #[arg(long, conflicts_with_all = ["id", "project"])]
    pub(super) all: bool,
    /// Count only what began within this time (`7d`), or since this date (`2026-11-01`)
    #[arg(long, value_name = "WHEN")]
    pub(super) since: Option<String>,
    /// When to draw bars
    #[arg(long, value_enum, value_name = "WHEN", default_value = "auto")]
    pub(super) bars: BarsArg,
    /// Print one JSON object
    #[arg(long)]
    pub(super) json: bool,
    /// Print one line for each tool, its values separated by commas
    #[arg(long, conflicts_with = "json")]
    pub(super) csv: bool,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Prints the path of the text. Done again, it prints the same path; what has changed since is archived anew. A live \
    session goes on"
)]
pub(super) struct ClockOutArgs {
    /// The session's id, or its beginning if only one begins so; without it, this shell's session, or the project's last
    pub(super) id: Option<String>,
    /// What the session was, in a sentence
    #[arg(long, value_name = "TEXT")]
    pub(super) description: Option<String>,
    /// Write tool calls and their results into the text, too
    #[arg(long)]
    pub(super) tools: bool,
    /// Take this transcript, too, whatever it is called
    #[arg(long, value_name = "FILE")]
    pub(super) transcript: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Subcommand)]
pub(super) enum ArchiveVerb {
    /// List the archives, the newest first
    List(ArchiveListArgs),
    /// Print the text of an archive
    Show(ArchiveShowArgs),
    /// Print the lines of archived texts and long outputs of tools that hold a text
    Search(ArchiveSearchArgs),
    /// Read every part of archives, and say what is missing or changed
    Verify(ArchiveVerifyArgs),
    /// Put a transcript back where Claude Code can resume its session
    Restore(ArchiveRestoreArgs),
    /// Say which archives are older than wanted, and with --yes remove them
    Prune(ArchivePruneArgs),
}

/// Which archives.
#[derive(Debug, Args)]
pub(super) struct Chosen {
    /// Only those of this directory's project, or of projects with this name
    #[arg(long, value_name = "PATH")]
    pub(super) project: Option<PathBuf>,
    /// Only those of sessions with this role
    #[arg(long, value_name = "TEXT")]
    pub(super) role: Option<String>,
    /// Only those of sessions with this focus
    #[arg(long, value_name = "TEXT")]
    pub(super) focus: Option<String>,
    /// Only those of sessions that began within this time (`30d`), or since this date (`2026-11-01`)
    #[arg(long, value_name = "WHEN")]
    pub(super) since: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct ArchiveListArgs {
    #[command(flatten)]
    pub(super) chosen: Chosen,
    /// Print one JSON object
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
pub(super) struct ArchiveShowArgs {
    /// The session's id, or its beginning if only one begins so
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
    /// Do not page on a terminal
    #[arg(long)]
    pub(super) no_pager: bool,
}

#[derive(Debug, Args)]
pub(super) struct ArchiveSearchArgs {
    /// What to look for, in any case of letters
    pub(super) text: String,
    #[command(flatten)]
    pub(super) chosen: Chosen,
    /// Print only the ids of the sessions
    #[arg(long)]
    pub(super) ids: bool,
}

#[derive(Debug, Args)]
pub(super) struct ArchiveVerifyArgs {
    /// The sessions' ids, or their beginnings; without any, all archives
    pub(super) ids: Vec<String>,
    /// Print one JSON object
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
#[command(
    after_help = "A file that is there is never replaced. Secrets were taken out of the archived transcript, so they are not in what is \
    put back"
)]
pub(super) struct ArchiveRestoreArgs {
    /// The session's id, or its beginning if only one begins so
    pub(super) id: String,
    /// Put it below this folder, as below `~/.claude/projects`
    #[arg(long, value_name = "FOLDER")]
    pub(super) to: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct ArchivePruneArgs {
    /// Those archived longer ago than this; without it, `retention.archive`
    #[arg(long, value_name = "DURATION")]
    pub(super) older_than: Option<String>,
    /// Remove them
    #[arg(long)]
    pub(super) yes: bool,
    /// Print one JSON object
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
pub(super) struct MetricsArgs {
    /// Print one JSON object
    #[arg(long)]
    pub(super) json: bool,
    /// Print the text that Prometheus reads
    #[arg(long, conflicts_with = "json")]
    pub(super) prometheus: bool,
    /// Write to this file instead, whole or not at all, for everybody to read
    #[arg(long, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct CleanupArgs {
    /// Take pointers older than this for stale, instead of the configured `ttl`
    #[arg(long, value_name = "DURATION")]
    pub(super) ttl: Option<String>,
    /// Say on stderr what would be done, and why, and change nothing
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Do nothing if a cleanup was made within `cleanup_interval`
    #[arg(long)]
    pub(super) if_due: bool,
    /// Print nothing but warnings
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
    after_help = "Without --focus a session keeps the one it has; else the branch says it (`issue-12` of 12-mend-it, #12 or issue/12, \
    `feat: login` of feat/login), else it is `general`. A new id is for `claude --session-id ID`"
)]
pub(super) struct ClockInArgs {
    /// Who the session is
    #[arg(long, value_name = "TEXT")]
    pub(super) role: Option<String>,
    /// What the session is for
    #[arg(long, value_name = "TEXT")]
    pub(super) focus: Option<String>,
    /// Take the session of this id, known or new; without it this shell's, else a new one
    #[arg(long, value_name = "ID")]
    pub(super) session: Option<String>,
    /// Add a note to the session's record; may be given several times
    #[arg(long, value_name = "TEXT")]
    pub(super) note: Vec<String>,
    /// Do nothing, and end with status 75, if another live session of the project has this focus
    #[arg(long)]
    pub(super) exclusive: bool,
    /// Print the session's id alone
    #[arg(long)]
    pub(super) quiet: bool,
    /// Print one JSON object
    #[arg(long, conflicts_with = "quiet")]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
pub(super) struct RunArgs {
    /// Take this id; without it, a new one
    #[arg(long, value_name = "ID", conflicts_with = "resume")]
    pub(super) session_id: Option<String>,
    /// Go on with this session
    #[arg(long, value_name = "ID")]
    pub(super) resume: Option<String>,
    /// What the session is called
    #[arg(long, value_name = "TEXT")]
    pub(super) name: Option<String>,
    /// Who it is
    #[arg(long, value_name = "TEXT")]
    pub(super) role: Option<String>,
    /// What it is for; without it, what the branch says
    #[arg(long, value_name = "TEXT")]
    pub(super) focus: Option<String>,
    /// The command and its arguments; to `claude` the id is given as it takes it
    #[arg(last = true, required = true, value_name = "COMMAND")]
    pub(super) command: Vec<OsString>,
}

#[derive(Debug, Args)]
pub(super) struct BecomeArgs {
    pub(super) id: String,
    pub(super) holder: String,
    #[arg(last = true, required = true)]
    pub(super) command: Vec<OsString>,
}

#[derive(Debug, Args)]
pub(super) struct ImportArgs {
    /// One transcript, a project's folder of them, or the folder of all; without it, Claude Code's own
    pub(super) path: Option<PathBuf>,
    /// Import only sessions of this directory's project
    #[arg(long, value_name = "PATH")]
    pub(super) project: Option<PathBuf>,
    /// Import only sessions that were at work within this time (`30d`), or since this date (`2026-11-01`)
    #[arg(long, value_name = "WHEN")]
    pub(super) since: Option<String>,
    /// Say what would be imported, and import nothing
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Print one JSON object
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
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
    /// `.claude/settings.json`: everybody in this project
    Project,
    /// `.claude/settings.local.json`: you in this project
    Local,
}

#[derive(Debug, Args)]
pub(super) struct InstallArgs {
    /// Which settings file
    #[arg(long, value_enum, default_value = "user")]
    pub(super) scope: ScopeArg,
    /// Let systemd clean up every five minutes, too, by a timer of yours
    #[arg(long)]
    pub(super) timer: bool,
    /// Print the change as a diff, and make none
    #[arg(long)]
    pub(super) dry_run: bool,
}

#[derive(Debug, Args)]
pub(super) struct UninstallArgs {
    /// Which settings file; with `user`, the timer goes, too
    #[arg(long, value_enum, default_value = "user")]
    pub(super) scope: ScopeArg,
    /// Take away the timer alone, and leave the hooks
    #[arg(long, conflicts_with = "scope")]
    pub(super) timer: bool,
    /// Take the hooks out of every settings file that an install is on record for
    #[arg(long, conflicts_with_all = ["scope", "timer"])]
    pub(super) all: bool,
    /// Print the change as a diff, and make none
    #[arg(long)]
    pub(super) dry_run: bool,
}

#[derive(Debug, Args)]
pub(super) struct DoctorArgs {
    /// Print one JSON object
    #[arg(long)]
    pub(super) json: bool,
}
