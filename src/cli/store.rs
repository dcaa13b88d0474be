//! `ccsession store`: makes a session the current one of a project, as the start of a session does.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;

use super::context::{Context, project_asked};
use super::current::valid;
use super::output;
use super::status::Status;
use crate::identity::ladder::project_here;
use crate::store::log::{self, Log, LogLine};
use crate::store::write::Durability;

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  ccsession store 3f2a9c1e-8b7d-4f6a-9e21-5c0d7a4b8e13")]
pub(super) struct StoreArgs {
    /// The session's id
    pub(super) id: String,
    /// Store the id for the project of this directory, or with this name
    #[arg(long, short, value_name = "PATH")]
    pub(super) project: Option<PathBuf>,
}

pub(super) fn run(context: &Context, args: StoreArgs) -> Result<Status> {
    let id = valid(&args.id)?;
    let config = context.config()?;
    let (state, _) = context.state_or_fault();
    let project = match &args.project {
        Some(path) => project_asked(state.as_ref(), path)?,
        None => project_here(&context.env, state.as_ref())?,
    };
    let pointers = context.host(&config, state.as_ref()).pointers();
    pointers.store(&project.name(), &id, Durability::Synced)?;
    if let Some(state) = &state {
        let line = LogLine::new("pointer stored")
            .session(&id)
            .detail("project", project.name().display());
        log::append(state, Log::Operations, &line)?;
    }
    // A program may store the id of a session that no hook recorded, so only a person is warned.
    let record = state.as_ref().map(|state| state.session(&id).record());
    if matches!(record, None | Some(Ok(None))) && output::are_warnings_for_people() {
        output::warn(&format!(
            "session `{id}` is not on record; see `ccsession list --all`"
        ));
    }
    Ok(Status::Done)
}
