//! The arguments of `ccsession archive`.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::cli::amount::above_zero;
use crate::cli::collected::FromArgs;
use crate::cli::pager::ScreenArgs;
use crate::cli::scope::ScopeArgs;

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum ArchiveVerb {
    /// List archives, newest first
    #[command(alias = "ls")]
    List(ArchiveListArgs),
    /// Print the text of an archive
    Show(ArchiveShowArgs),
    /// Search the text of archived sessions, long tool outputs included
    Search(ArchiveSearchArgs),
    /// Check every part of archives against its checksum
    Verify(ArchiveVerifyArgs),
    /// Restore a transcript so that Claude Code can resume its session
    Restore(ArchiveRestoreArgs),
    /// List archives made longer ago than a given time, and remove them with --yes
    Prune(ArchivePruneArgs),
}

impl ArchiveVerb {
    /// Returns the verb's `--from`, or `None` if the verb cannot read collected archives.
    pub(in crate::cli) fn collected(&self) -> Option<&FromArgs> {
        match self {
            Self::List(args) => Some(&args.from),
            Self::Show(args) => Some(&args.from),
            Self::Search(args) => Some(&args.from),
            Self::Verify(args) => Some(&args.from),
            Self::Restore(_) | Self::Prune(_) => None,
        }
    }
}

/// Which archives.
#[derive(Debug, Args)]
pub(in crate::cli) struct ArchiveFilter {
    #[command(flatten)]
    pub(in crate::cli) scope: ScopeArgs,
    /// Only archives of sessions with this role
    #[arg(long, value_name = "TEXT")]
    pub(in crate::cli) role: Option<String>,
    /// Only archives of sessions with this focus
    #[arg(long, value_name = "TEXT")]
    pub(in crate::cli) focus: Option<String>,
    /// Only archives of sessions that began since then: `today`, `monday`, `30d`, `2026-11`
    #[arg(long, short, value_name = "WHEN")]
    pub(in crate::cli) since: Option<String>,
    /// Only archives of sessions that began before then; `2026-11` excludes November
    #[arg(long, value_name = "WHEN")]
    pub(in crate::cli) until: Option<String>,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  ccsession archive list --since 30d")]
pub(in crate::cli) struct ArchiveListArgs {
    #[command(flatten)]
    pub(in crate::cli) chosen: ArchiveFilter,
    /// List at most N archives
    #[arg(long, short = 'n', value_name = "N", value_parser = above_zero)]
    pub(in crate::cli) limit: Option<NonZeroUsize>,
    #[command(flatten)]
    pub(in crate::cli) from: FromArgs,
    #[command(flatten)]
    pub(in crate::cli) screen: ScreenArgs,
    /// Print one JSON object
    #[arg(long, short)]
    pub(in crate::cli) json: bool,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  ccsession archive show 3f2a\n  ccsession archive show 3f2a --transcript | jq ."
)]
pub(in crate::cli) struct ArchiveShowArgs {
    /// The session's id or a unique prefix
    pub(in crate::cli) id: String,
    /// Print the transcript, as JSON lines
    #[arg(long, conflicts_with_all = ["journal", "manifest"])]
    pub(in crate::cli) transcript: bool,
    /// Print the journal, as JSON lines
    #[arg(long, conflicts_with = "manifest")]
    pub(in crate::cli) journal: bool,
    /// Print the manifest, as JSON
    #[arg(long)]
    pub(in crate::cli) manifest: bool,
    #[command(flatten)]
    pub(in crate::cli) from: FromArgs,
    /// Do not use a pager
    #[arg(long)]
    pub(in crate::cli) no_pager: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  ccsession archive search webhook --since 30d")]
pub(in crate::cli) struct ArchiveSearchArgs {
    /// The text to find; case is ignored
    pub(in crate::cli) text: String,
    #[command(flatten)]
    pub(in crate::cli) chosen: ArchiveFilter,
    /// Print only session ids
    #[arg(long)]
    pub(in crate::cli) ids: bool,
    #[command(flatten)]
    pub(in crate::cli) from: FromArgs,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  ccsession archive verify\n  ccsession archive verify --from fleet    # those that were collected"
)]
pub(in crate::cli) struct ArchiveVerifyArgs {
    /// Session ids or unique prefixes; all archives if none is given
    pub(in crate::cli) ids: Vec<String>,
    #[command(flatten)]
    pub(in crate::cli) from: FromArgs,
    /// Print one JSON object
    #[arg(long, short)]
    pub(in crate::cli) json: bool,
}

#[derive(Debug, Args)]
#[command(
    after_help = "An existing file is never replaced. The archived transcript was redacted, so the restored one lacks its secrets.\n\n\
    Examples:\n  ccsession archive restore 3f2a\n  ccsession archive restore 3f2a --to /tmp/restored"
)]
pub(in crate::cli) struct ArchiveRestoreArgs {
    /// The session's id or a unique prefix
    pub(in crate::cli) id: String,
    /// Restore below this folder instead of `~/.claude/projects`
    #[arg(long, value_name = "FOLDER")]
    pub(in crate::cli) to: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  ccsession archive prune --older-than 365d        # list them\n  ccsession archive prune --older-than 365d --yes  # remove them"
)]
pub(in crate::cli) struct ArchivePruneArgs {
    /// The age, such as `365d`; without it, `retention.archive` applies
    #[arg(long, value_name = "DURATION")]
    pub(in crate::cli) older_than: Option<String>,
    /// Remove the archives listed
    #[arg(long)]
    pub(in crate::cli) yes: bool,
    /// Print one JSON object
    #[arg(long, short)]
    pub(in crate::cli) json: bool,
}
