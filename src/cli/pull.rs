//! `ccsession pull`: copies the sessions of other machines, over the user's own ssh.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use anyhow::Result;
use clap::{Args, ValueHint};
use serde::Serialize;

use super::amount::{bytes, plural};
use super::context::Context;
use super::output;
use super::status::{Status, refusal};
use crate::model::text::{escaped, one_line};
use crate::store::collected::transfer::{self, Contents, Received, TransferError};
use crate::store::{lock, project, reason, write};

/// The hidden verb that a machine runs to send its sessions.
pub(super) const SEND: &str = "__send";
/// The command that runs on the other machine. ssh starts no login shell, so the command adds the
/// usual directories of ccsession to the search path.
const REMOTE: &str =
    "PATH=\"$HOME/.local/bin:$HOME/.cargo/bin:/usr/local/bin:$PATH\" exec ccsession __send";
/// The option of the hidden verb that also sends archives.
const ARCHIVES: &str = " --archives";
/// How many bytes are written at once.
const PIECE: usize = 1 << 18;
/// The exit status of a shell that does not find a program.
const NOT_FOUND: i32 = 127;
/// How many characters of a line from another machine a message shows.
const MAX_SHOWN: usize = 80;

#[derive(Debug, Args)]
#[command(
    after_help = "Each HOST is what you would give to ssh: a name from its configuration, or user@host. ccsession must be installed \
    there; nothing else is. Only what is new since the last time is copied.\n\n\
    Examples:\n  ccsession pull anna bert --into fleet\n  ccsession stats --since 7d --from fleet\n  ccsession pull anna --archives --into fleet    # to search what was said there"
)]
pub(super) struct PullArgs {
    /// The machines, as ssh knows them
    #[arg(required = true, value_name = "HOST", value_hint = ValueHint::Hostname)]
    hosts: Vec<String>,
    /// Where to keep the copies: a directory for each machine below this one
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    into: PathBuf,
    /// Copy the archives, too
    #[arg(long)]
    archives: bool,
    /// Print one JSON object
    #[arg(long, short)]
    json: bool,
}

#[derive(Debug, Args)]
pub(super) struct SendArgs {
    /// Send the archives, too
    #[arg(long)]
    archives: bool,
}

fn contents(archives: bool) -> Contents {
    match archives {
        true => Contents::WithArchives,
        false => Contents::Sessions,
    }
}

/// What was copied from a machine, or why nothing was.
#[derive(Debug, Serialize)]
struct PulledHost<'a> {
    host: &'a str,
    #[serde(flatten)]
    received: Option<Received>,
    error: Option<String>,
}

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct PullOutput<'a> {
    v: u32,
    hosts: Vec<PulledHost<'a>>,
}

pub(super) fn run(args: &PullArgs) -> Result<Status> {
    for host in &args.hosts {
        check_host(host)?;
    }
    let into = project::current_dir()?.join(&args.into);
    let mut hosts = Vec::new();
    for host in &args.hosts {
        let (received, error) = match pull(host, &into, contents(args.archives)) {
            Ok(received) => (Some(received), None),
            Err(why) => (None, Some(why)),
        };
        if let Some(why) = &error {
            output::complain(&format!("could not copy the sessions of {host}: {why}"));
        }
        for text in received.iter().flat_map(|received| &received.left_out) {
            output::complain(&format!("{host}: {}; skipped", escaped(text)));
        }
        for text in received.iter().flat_map(|received| &received.notes) {
            output::complain(&format!("{host}: {text}"));
        }
        if let (Some(received), false) = (&received, args.json) {
            output::line(&sentence(host, received));
        }
        hosts.push(PulledHost {
            host,
            received,
            error,
        });
    }
    let has_failed = hosts.iter().any(|host| host.error.is_some());
    if args.json {
        output::json_of(&PullOutput { v: 1, hosts })?;
    }
    Ok(match has_failed {
        true => Status::Failed,
        false => Status::Done,
    })
}

/// Sends the sessions of this machine to stdout, for `pull` on another one.
pub(super) fn send(context: &Context, args: &SendArgs) -> Result<Status> {
    let state = context.state()?;
    let root = state.as_ref().map(|state| state.root());
    let sent = transfer::send(
        root,
        contents(args.archives),
        io::stdin().lock(),
        &mut io::BufWriter::with_capacity(PIECE, io::stdout().lock()),
    );
    match sent {
        Ok(()) => Ok(Status::Done),
        // The receiving side reports why it no longer reads.
        Err(err) if err.kind() == io::ErrorKind::BrokenPipe => Ok(Status::Failed),
        Err(err) => {
            let text = format!("could not send the sessions: {}", reason(&err));
            Err(refusal(Status::Failed, text))
        }
    }
}

/// Refuses a name that ssh would take as an option, or that cannot be the name of a directory.
fn check_host(host: &str) -> Result<()> {
    let is_name = !host.starts_with(['-', '.']) && !host.contains(['/', '\0']) && !host.is_empty();
    let is_plain = !host.chars().any(|it| it.is_control() || it.is_whitespace());
    if is_name && is_plain {
        return Ok(());
    }
    let text = format!(
        "invalid HOST `{}`: expected a name that ssh knows, or user@host",
        escaped(host)
    );
    Err(refusal(Status::Usage, text))
}

fn pull(host: &str, into: &Path, contents: Contents) -> Result<Received, String> {
    let dir = into.join(host);
    let here = |err: crate::store::Error| err.to_string();
    write::make_private_dir(&dir).map_err(here)?;
    let _lock = lock::acquire(&dir.join("lock"), lock::CLI_PATIENCE).map_err(here)?;
    let mut child = start(host, contents)?;
    let done = transfer(&mut child, &dir, contents);
    // Stop reading, so that the other machine stops sending.
    drop(child.stdout.take());
    let ended = child.wait().map_err(|err| reason(&err).to_string())?;
    done.map_err(|err| explain(host, &err, ended))
}

fn start(host: &str, contents: Contents) -> Result<Child, String> {
    #[expect(
        clippy::disallowed_methods,
        reason = "which ssh a person uses, and how it is configured, is theirs to choose"
    )]
    let mut command = Command::new("ssh");
    let remote = match contents {
        Contents::Sessions => REMOTE.to_owned(),
        Contents::WithArchives => format!("{REMOTE}{ARCHIVES}"),
    };
    command.args(["-T", "--", host, &remote]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    command
        .spawn()
        .map_err(|err| format!("could not start `ssh`: {}", reason(&err)))
}

fn transfer(child: &mut Child, dir: &Path, contents: Contents) -> Result<Received, TransferError> {
    let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
        return Err(TransferError::BrokenOff);
    };
    // The sender reads the whole list of existing files before it sends any.
    let mut stdin = io::BufWriter::new(stdin);
    match transfer::write_held(dir, contents, &mut stdin) {
        // If the sender stopped reading, its answer explains more than this error.
        Ok(()) | Err(TransferError::BrokenOff) => {}
        Err(err) => return Err(err),
    }
    let _ = stdin.flush();
    drop(stdin);
    transfer::receive(dir, contents, stdout)
}

/// Returns a sentence that says why a transfer ended early, and what to do.
fn explain(host: &str, err: &TransferError, ended: ExitStatus) -> String {
    let again = "what was copied is kept; run it again to go on";
    match err {
        TransferError::Here(err) => format!("{err}; {again}"),
        TransferError::OtherVersion(version) => format!(
            "it sends version {version} of the transfer format, which is unknown here; install the same ccsession on both"
        ),
        _ if ended.code() == Some(NOT_FOUND) => {
            "ccsession is not installed there, or too old".to_owned()
        }
        // ssh itself has said why.
        _ if ended.code() == Some(255) => format!("ssh failed; try `ssh {host} true`"),
        TransferError::NotUs(Some(line)) => format!(
            "it answered `{}` instead of sending sessions; the ccsession there may be too old",
            one_line(&escaped(line), MAX_SHOWN)
        ),
        TransferError::NotUs(None) => {
            "it sent nothing; the ccsession there may be too old".to_owned()
        }
        TransferError::BrokenOff => format!("the connection ended early; {again}"),
    }
}

fn sentence(host: &str, received: &Received) -> String {
    let sessions = plural(received.sessions, "session");
    match received.files {
        0 => format!("{host}: {sessions}, nothing new"),
        files => format!(
            "{host}: {sessions}, {} new or changed ({})",
            plural(files, "file"),
            bytes(received.bytes)
        ),
    }
}
