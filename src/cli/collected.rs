//! `--from`: reads sessions that were collected from other machines instead of this machine's.

use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, ValueHint};

use super::args::Verb;
use super::context::Context;
use super::output;
use super::status::{Status, refusal};
use crate::store::{CollectedState, Environment};

#[derive(Debug, Default, Args)]
pub(super) struct FromArgs {
    /// Read the sessions collected in these directories instead of this machine's: state
    /// directories, or directories of those, one for each machine
    #[arg(long, value_name = "DIR", num_args = 1.., value_hint = ValueHint::DirPath)]
    pub(super) from: Vec<PathBuf>,
}

impl FromArgs {
    /// Returns whether collected sessions are read. They belong to no project on this machine.
    pub(super) fn is_given(&self) -> bool {
        !self.from.is_empty()
    }
}

/// Merges the collected sessions that `verb` reads, and makes them the state of `context`. Keep the
/// result as long as `context` is used, because dropping it deletes the merged sessions.
///
/// # Errors
/// Fails if a directory has no sessions, or the merged sessions cannot be stored.
pub(super) fn open(context: &mut Context, verb: &Verb) -> Result<Option<CollectedState>> {
    let Some(args) = verb.collected().filter(|args| args.is_given()) else {
        return Ok(None);
    };
    let cache = cache_dir(&context.env)?;
    let collected = CollectedState::merge(&cache, &args.from, context.now)?;
    for text in collected.left_out() {
        output::complain(text);
    }
    context.places.state = Some(collected.root());
    Ok(Some(collected))
}

/// Returns the directory for files that are needed only while a command runs.
pub(super) fn cache_dir(env: &Environment) -> Result<PathBuf> {
    let default = || Some(env.home.as_ref()?.join(".cache"));
    let base = env.xdg_cache_home.clone().or_else(default);
    let base = base.ok_or_else(|| {
        let text = "could not merge the sessions: HOME is not an absolute path, so there is no place for them; set it, or XDG_CACHE_HOME";
        refusal(Status::Failed, text)
    })?;
    Ok(base.join("ccsession"))
}
