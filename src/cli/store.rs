//! `ccsession store`: makes a session the current one of a project, as its own start would.

use anyhow::Result;

use super::args::StoreArgs;
use super::context::Context;
use super::current::valid;
use super::status::Status;
use crate::identity::ladder::project_here;
use crate::store::log::{self, Log, LogLine};
use crate::store::project;
use crate::store::write::Durability;

pub(super) fn run(context: &Context, args: StoreArgs) -> Result<Status> {
    let id = valid(&args.id)?;
    let config = context.config()?;
    let (state, _) = context.state_or_fault();
    let project = match &args.project {
        Some(path) => project::existing(path)?,
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
    Ok(Status::Done)
}
