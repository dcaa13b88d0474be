//! `ccsession run`: runs a command as a session.

use std::ffi::OsString;
use std::path::Path;

use clap::Args;

use super::context::Context;
use super::current::valid;
use super::output;
use super::status::{self, Status};
use crate::lifecycle::purpose::Purpose;
use crate::lifecycle::run::{self, RunError, RunOutcome, RunRequest, Start};
use crate::store::{Error, reason, shown};

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
    pub(super) failure: String,
    #[arg(long)]
    pub(super) blocked: Vec<i32>,
    #[arg(last = true, required = true)]
    pub(super) command: Vec<OsString>,
}

/// Runs the command, and returns its exit status.
pub(super) fn run(context: &Context, args: RunArgs) -> u8 {
    match attempt(context, args) {
        Ok(outcome) => u8::try_from(outcome.status()).unwrap_or(u8::MAX),
        Err(err) => {
            output::complain(&err.to_string());
            match err.downcast_ref::<RunError>() {
                Some(RunError::NotStarted(_, obstacle)) => obstacle.status(),
                _ => status_of(&err) as u8,
            }
        }
    }
}

fn attempt(context: &Context, args: RunArgs) -> anyhow::Result<RunOutcome> {
    let config = context.config()?;
    let given = args.session_id.as_ref().or(args.resume.as_ref());
    let request = RunRequest {
        id: given.map(|id| valid(id)).transpose()?,
        resume: args.resume.is_some(),
        purpose: Purpose {
            name: args.name,
            role: args.role,
            focus: args.focus,
        },
        command: args.command,
    };
    let host = context.host(&config, None);
    let complain = |err: &Error| output::complain(&err.to_string());
    let outcome = run::run(&host, &request, &complain)?;
    Ok(outcome)
}

fn status_of(err: &anyhow::Error) -> Status {
    match err.downcast_ref::<RunError>() {
        Some(RunError::Held(_) | RunError::Live(..)) => Status::Held,
        Some(RunError::Unknown(_)) => Status::NotFound,
        Some(RunError::NoUuid(_) | RunError::OwnChoice(_)) => Status::Usage,
        Some(
            RunError::Full(_)
            | RunError::Excluded(_)
            | RunError::NotStarted(..)
            | RunError::Store(_)
            | RunError::System(_),
        ) => Status::Failed,
        None => status::of(err),
    }
}

/// Enters this process, which `ccsession run` has started, into the session's lease. Then becomes
/// the command. Returns an exit status only if that fails.
pub(super) fn become_command(context: &Context, args: BecomeArgs) -> u8 {
    let (Ok(Some(state)), Ok(id)) = (context.state(), valid(&args.id)) else {
        output::complain("could not run the command: the state directory can no longer be used");
        return Status::Failed as u8;
    };
    let start = Start {
        holder: args.holder,
        gate: args.gate,
        failure: args.failure,
        blocked: args.blocked,
    };
    let (err, status) = run::become_command(&state, &id, &start, &args.command);
    let program = args.command.first().map(Path::new).map(shown);
    output::complain(&format!(
        "could not run `{}`: {}",
        program.unwrap_or_default(),
        reason(&err)
    ));
    u8::try_from(status).unwrap_or(u8::MAX)
}
