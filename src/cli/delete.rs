//! `ccsession delete`: removes everything that ccsession keeps of sessions.

use std::collections::BTreeSet;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use serde_json::json;

use super::amount::plural;
use super::choose::find_session;
use super::context::{Context, project_asked};
use super::output;
use super::status::{Status, refusal};
use crate::claude::leftovers;
use crate::cleanup::deletion::{self, DeletionStep, Obstruction};
use crate::identity::liveness::Judge;
use crate::model::SessionId;
use crate::model::text::shell_word;
use crate::ship::cursor;
use crate::store::{Host, StateDir, shown};

#[derive(Debug, Args)]
#[command(
    after_help = "A deleted session does not come back: hooks and `import` pass over it. `ccsession import --again ID` brings it back.\n\n\
    Examples:\n  ccsession delete 5b48 --dry-run\n  ccsession delete --project ~/clients/acme --yes"
)]
pub(super) struct DeleteArgs {
    /// The sessions: unique prefixes of their ids, or titles
    pub(super) id: Vec<String>,
    /// Delete all sessions of the project of this directory, or with this name
    #[arg(long, short, value_name = "PATH")]
    pub(super) project: Option<PathBuf>,
    /// Print what would be removed; remove nothing
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Do not ask for confirmation
    #[arg(long, short)]
    pub(super) yes: bool,
    /// Remove what Claude Code itself keeps of the sessions, too
    #[arg(long)]
    pub(super) transcripts: bool,
    /// Print one JSON object
    #[arg(long, short)]
    pub(super) json: bool,
}

/// What will be deleted of one session.
struct PlannedDeletion {
    id: SessionId,
    steps: Vec<DeletionStep>,
    /// The files and folders that Claude Code itself keeps of the session.
    remains: Vec<PathBuf>,
}

pub(super) fn run(context: &Context, args: DeleteArgs) -> Result<Status> {
    if args.id.is_empty() && args.project.is_none() {
        let text = "could not delete a session: name it by its id or title, or a project with --project; \
            `ccsession list --all` lists the sessions";
        return Err(refusal(Status::Usage, text));
    }
    let config = context.config()?;
    let state = context.state()?;
    let ids = ids(context, state.as_ref(), &args)?;
    let Some(state) = &state else {
        return Err(refusal(
            Status::NotFound,
            "could not find a session: nothing is on record",
        ));
    };
    let host = context.host(&config, Some(state));
    let judge = context.judge(&config, state);
    let mut planned = Vec::new();
    for id in ids {
        if let Some(why) = deletion::obstruction(&judge, &id)? {
            return Err(obstructed(&id, &why));
        }
        planned.push(PlannedDeletion {
            steps: deletion::plan(&host, state, &id)?,
            remains: leftovers::of(&context.env, &id),
            id,
        });
    }
    let is_asked = !args.yes && !args.dry_run;
    if (args.dry_run || is_asked) && !args.json {
        planned.iter().for_each(|one| say_plan(&args, one));
    }
    let holders: BTreeSet<String> = planned
        .iter()
        .flat_map(|one| cursor::holders(state, &one.id))
        .collect();
    let sessions = plural(planned.len() as u64, "session");
    if is_asked && !output::confirm(&format!("delete {sessions}?")) {
        let text = format!(
            "did not delete {sessions}: nobody confirmed it; add --yes, or --dry-run to see what would be removed"
        );
        return Err(refusal(Status::Usage, text));
    }
    let mut status = Status::Done;
    if !args.dry_run {
        // One session that cannot be deleted does not keep the others.
        planned.retain(|one| {
            let outcome = delete(&args, &host, &judge, one);
            if let Some(failed) = outcome.failed {
                status = failed;
            }
            outcome.is_deleted
        });
    }
    let sessions = plural(planned.len() as u64, "session");
    report(&args, &planned, &sessions);
    if !holders.is_empty() && !args.json {
        let holders = holders.into_iter().collect::<Vec<_>>().join(", ");
        output::warn(&format!(
            "what `ccsession ship` has sent to {holders} stays there"
        ));
    }
    Ok(status)
}

/// What became of one deletion.
struct DeletionOutcome {
    is_deleted: bool,
    /// The status of this program, if something failed.
    failed: Option<Status>,
}

/// Deletes one session, and reports what cannot be removed.
fn delete(
    args: &DeleteArgs,
    host: &Host<'_>,
    judge: &Judge<'_>,
    one: &PlannedDeletion,
) -> DeletionOutcome {
    let not_deleted = |why: &anyhow::Error, status| {
        output::complain(&format!("{why:#}"));
        DeletionOutcome {
            is_deleted: false,
            failed: Some(status),
        }
    };
    match deletion::delete(host, judge, &one.id, &one.steps) {
        Ok(None) => {}
        Ok(Some(why)) => return not_deleted(&obstructed(&one.id, &why), Status::Held),
        Err(err) => {
            let why = anyhow::Error::from(err);
            let why = why.context(format!("could not delete session {} completely", one.id));
            return not_deleted(&why, Status::Failed);
        }
    }
    let remains = one.remains.iter().filter(|_| args.transcripts);
    let failed: Vec<_> = remains
        .filter_map(|path| leftovers::remove(path).err())
        .collect();
    for err in &failed {
        output::complain(&err.to_string());
    }
    DeletionOutcome {
        is_deleted: true,
        failed: (!failed.is_empty()).then_some(Status::Failed),
    }
}

fn ids(
    context: &Context,
    state: Option<&StateDir>,
    args: &DeleteArgs,
) -> Result<BTreeSet<SessionId>> {
    let mut ids = BTreeSet::new();
    for given in &args.id {
        let found = match find_session(context, state, given) {
            // A killed deletion may have left only traces of the session.
            Err(why) => match (given.parse::<SessionId>(), state) {
                (Ok(id), Some(state)) if has_traces(context, state, &id)? => id,
                _ => return Err(why),
            },
            Ok(found) => found,
        };
        ids.insert(found);
    }
    if let (Some(path), Some(state)) = (&args.project, state) {
        let project = project_asked(Some(state), path)?;
        let of_project = state
            .session_ids()?
            .filter(|id| state.session(id).is_in(project.root()));
        ids.extend(of_project);
        if ids.is_empty() {
            let text = format!("could not find a session of {}", shown(project.root()));
            return Err(refusal(Status::NotFound, text));
        }
    }
    Ok(ids)
}

fn has_traces(context: &Context, state: &StateDir, id: &SessionId) -> Result<bool> {
    let config = context.config()?;
    let steps = deletion::plan(&context.host(&config, Some(state)), state, id)?;
    Ok(!steps.is_empty())
}

fn obstructed(id: &SessionId, why: &Obstruction) -> anyhow::Error {
    let why = match why {
        Obstruction::Live => {
            "it is live; end it first, or wait until a cleanup finds that it is over".to_owned()
        }
        Obstruction::Held => "`ccsession run` holds its id; end that command first".to_owned(),
        Obstruction::Unreadable(err) => format!("it may be live: {err}"),
    };
    refusal(
        Status::Held,
        format!("could not delete session {id}: {why}"),
    )
}

fn say_plan(args: &DeleteArgs, one: &PlannedDeletion) {
    output::warn(&format!("session {}:", one.id));
    for step in &one.steps {
        output::warn(&format!("  would {step}"));
    }
    for path in one.remains.iter().filter(|_| args.transcripts) {
        output::warn(&format!(
            "  would remove {}, which is Claude Code's",
            shown(path)
        ));
    }
}

fn report(args: &DeleteArgs, planned: &[PlannedDeletion], sessions: &str) {
    let remains = || {
        let of_one = |one: &PlannedDeletion| one.remains.clone();
        let all = planned.iter().flat_map(of_one);
        all.filter(|_| !args.transcripts)
    };
    if args.json {
        let one = |one: &PlannedDeletion| {
            let steps: Vec<String> = one.steps.iter().map(ToString::to_string).collect();
            json!({"session_id": one.id, "removed": steps, "claude_code": one.remains})
        };
        let all: Vec<_> = planned.iter().map(one).collect();
        output::json(
            &json!({"v": 1, "sessions": all, "transcripts": args.transcripts, "dry_run": args.dry_run}),
        );
        return;
    }
    let did = if args.dry_run {
        "would delete"
    } else {
        "deleted"
    };
    output::line(&format!("{did} {sessions}"));
    let paths: Vec<String> = remains()
        .map(|path| shell_word(path.as_os_str().as_bytes()))
        .collect();
    if !paths.is_empty() {
        output::warn(&format!(
            "Claude Code itself keeps prompts in history.jsonl, and these files; to remove the files:\nrm -r -- {}",
            paths.join(" ")
        ));
    }
}
