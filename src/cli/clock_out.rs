//! `ccsession clock-out`: archives a session.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use serde_json::{Value, json};

use super::amount::{bytes, plural};
use super::archive::find;
use super::choose::find_session;
use super::context::Context;
use super::output;
use super::status::{self, Status, refusal};
use super::timeline::here;
use crate::archive::{ArchiveError, ArchiveRequest, SessionArchive, archive};
use crate::claude::transcript::Search;
use crate::lifecycle::recorded_end;
use crate::model::SessionId;
use crate::model::archive::PartKind;
use crate::store::archive::Archives;
use crate::store::{Decompressor, StateDir, shown, tombstones};

#[derive(Debug, Args)]
#[command(
    after_help = "Prints the path of the archived text. Running it again adds what was said since. A live session keeps running.\n\n\
    Examples:\n  ccsession clock-out\n  ccsession clock-out 3f2a --description login-fixed"
)]
pub(super) struct ClockOutArgs {
    /// The session: a unique prefix of its id, or its title; without it, this shell's or the project's last
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
    #[arg(long, short)]
    pub(super) json: bool,
}

pub(super) fn run(context: &Context, args: ClockOutArgs) -> Result<Status> {
    let state = context.state()?;
    let archived = match &args.id {
        None => archived(context, &here(context, state.as_ref())?, &args)?,
        Some(given) => match find_session(context, state.as_ref(), given) {
            Ok(id) => archived(context, &id, &args)?,
            Err(err) if status::of(&err) == Status::NotFound => {
                gone(state.as_ref(), given)?.ok_or(err)?
            }
            Err(err) => return Err(err),
        },
    };
    print(&args, &archived)?;
    Ok(Status::Done)
}

fn archived(context: &Context, id: &SessionId, args: &ClockOutArgs) -> Result<SessionArchive> {
    let state = StateDir::create(&context.places, Decompressor::BUILT_IN)?;
    // If no cleanup has run since the session ended, the session's record lacks the end. Record it
    // now, so that the archive has it, too.
    recorded_end::note(&context.judge(&context.config()?, &state), id)?;
    let request = ArchiveRequest {
        description: args.description.clone(),
        tools: args.tools,
        transcript: args.transcript.clone(),
    };
    let search = Search::new(&context.env);
    let lock = Archives::of(&state).lock()?;
    archive(&search, &state, id, &request, lock).map_err(|err| match err {
        ArchiveError::Unknown(_) => refusal(Status::NotFound, err.to_string()),
        ArchiveError::Store(_) => err.into(),
    })
}

/// Returns the archive of a session that is no longer on record.
///
/// # Errors
/// Fails if the session and its archive were pruned.
fn gone(state: Option<&StateDir>, given: &str) -> Result<Option<SessionArchive>> {
    let Some(state) = state else {
        return Ok(None);
    };
    if let Some(archived) = find(&Archives::of(state), given)? {
        return Ok(Some(archived));
    }
    match tombstones::of(state, given).as_slice() {
        [] => Ok(None),
        [(id, at), ..] => {
            let when = crate::store::clock::local_text(*at);
            let text = format!("could not archive session {id}: it was pruned on {when}");
            Err(refusal(Status::Pruned, text))
        }
    }
}

/// Archives the session with this id, and returns what `--json` prints.
pub(super) fn json_of(context: &Context, id: &SessionId) -> Result<Value> {
    let args = ClockOutArgs {
        id: None,
        description: None,
        tools: false,
        transcript: None,
        json: true,
    };
    Ok(to_json(&archived(context, id, &args)?))
}

fn to_json(archived: &SessionArchive) -> Value {
    let manifest = &archived.manifest;
    json!({
        "v": 1,
        "session_id": manifest.session_id,
        "text": archived.text(),
        "manifest": archived.archive.manifest_path(),
        "was_there": archived.was_there,
        "messages": manifest.messages,
        "transcript": manifest.transcript.path,
        "redacted": manifest.redacted,
        "left_out": manifest.transcript.left_out,
    })
}

fn print(args: &ClockOutArgs, archived: &SessionArchive) -> Result<()> {
    let manifest = &archived.manifest;
    if args.json {
        return output::json_of(&to_json(archived));
    }
    if manifest.part(PartKind::Transcript).is_none() {
        output::complain(&format!(
            "found no transcript of session {}; the archive contains what hooks recorded of it",
            manifest.session_id
        ));
    }
    let left_out = manifest.transcript.left_out;
    if left_out > 0 {
        output::complain(&format!(
            "left out {} of session {}: longer than 64 MiB, or in a file that cannot be read",
            plural(left_out, "line"),
            manifest.session_id
        ));
    }
    if output::are_warnings_for_people() {
        let size = manifest.parts.iter().map(|part| part.bytes).sum();
        let did = if archived.was_there {
            "was archived already"
        } else {
            "archived"
        };
        output::warn(&format!(
            "{did}: {}, {}, {}",
            plural(manifest.messages, "message"),
            plural(manifest.parts.len() as u64, "file"),
            bytes(size)
        ));
    }
    let text = archived
        .text()
        .unwrap_or_else(|| archived.archive.manifest_path());
    output::line(&shown(&text));
    Ok(())
}
