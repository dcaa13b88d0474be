//! The hooks: read what Claude Code reports on stdin, and record it.
//!
//! A hook never disturbs Claude Code. Whatever comes in and whatever fails, it ends within a second
//! with status 0 and prints nothing. Exit status 2 would veto the user's tool call, and what
//! `SessionStart` prints becomes the model's context. Errors go to stderr under `HOOK_DEBUG=true`,
//! and to `hook-errors.jsonl` otherwise.

mod body;
mod commits;
mod detached;
mod recording;
mod scan;
mod stdin;
mod wire;

pub use wire::is_event_name;

use std::ffi::OsStr;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Resource, getrlimit};

use crate::model::event::name;
use crate::model::text::escaped;
use crate::model::{SessionId, Timestamp};
use crate::store::config::{self, LoadedConfig};
use crate::store::log::{self, Log, LogLine};
use crate::store::{Decompressor, Environment, Places, StateDir, clock, write};

/// Marks every hook executable with its version, so that the doctor can read it without running the
/// hook.
#[used]
pub static VERSION_MARK: &str = concat!("ccsession hook ", env!("CARGO_PKG_VERSION"));

/// How long a hook waits for a reader of its output. Together with the wait for its input it stays
/// below one second.
const SAYING: Duration = Duration::from_millis(100);
/// A writable pipe has room for this many bytes (POSIX's smallest `PIPE_BUF`). A longer write could
/// block forever.
const PIPE_PIECE: usize = 512;

/// Runs a hook executable, from its first instruction to its exit status.
///
/// A C `main` calls it: what Rust's start-up code does before `main` (reading `/proc/self/maps`,
/// preparing for a stack overflow) takes as long as recording an event. A hook needs only two parts
/// of that start-up, and does them here. A closed pipe must not kill it, and no file may become its
/// stdout or stderr.
///
/// All hooks are one program, which `install.sh` installs once under four names: the pages that one
/// event's hook loads are in memory for the next one. The name counts only if the payload does not
/// name its event.
pub fn main() -> i32 {
    run(None);
    0
}

/// Returns the event that this executable is named for.
fn named_for() -> &'static str {
    let program = std::env::args_os().next().unwrap_or_default();
    match Path::new(&program).file_name().and_then(OsStr::to_str) {
        Some("session-start") => name::SESSION_START,
        Some("pre-tool-use") => name::PRE_TOOL_USE,
        Some("post-tool-use") => name::POST_TOOL_USE,
        _ => "SessionEvent",
    }
}

/// Runs a hook: reads stdin and records the event. If the payload does not name the event,
/// `fallback` does, or else the executable's name.
pub fn run(fallback: Option<&str>) {
    let started = Instant::now();
    let stderr = be_silent();
    let env = Environment::read();
    let places = Places::new(&env);
    let settings = cautious(&env, config::load(&places));
    let mut scan = scan::Scanner::new(wire::plan_for(settings.config.capture));
    stdin::read(started + stdin::PATIENCE, |piece| scan.feed(piece));
    let fallback = fallback.unwrap_or_else(|| named_for());
    let problems = record(&env, &places, settings, scan, fallback, clock::now());
    report(&env, &places, &problems, stderr);
}

/// Records one payload as a hook does, at the time `now`, but in this process.
///
/// A hook executable adds what only a process has: stdin with its deadline, closed streams and
/// resource limits. The client is searched for among the processes above this one. `fallback` names
/// the event if the payload does not.
pub fn record_payload(
    env: &Environment,
    settings: LoadedConfig,
    payload: &[u8],
    fallback: &str,
    now: Timestamp,
) {
    let places = Places::new(env);
    let settings = cautious(env, settings);
    let mut scan = scan::Scanner::new(wire::plan_for(settings.config.capture));
    scan.feed(payload);
    let problems = record(env, &places, settings, scan, fallback, now);
    report(env, &places, &problems, None);
}

/// Captures the least if the place of the configuration file is unknown.
fn cautious(env: &Environment, mut settings: LoadedConfig) -> LoadedConfig {
    if env.relative.contains(&"CCSESSION_CONFIG") {
        settings.capture_least();
    }
    settings
}

/// Records the scanned payload and returns what went wrong.
fn record(
    env: &Environment,
    places: &Places,
    settings: LoadedConfig,
    scan: scan::Scanner,
    fallback: &str,
    now: Timestamp,
) -> Vec<Problem> {
    let payload = wire::Payload::new(scan);
    let event = payload.event_name().unwrap_or_else(|| fallback.to_owned());
    let mut problems = recording::record(env, places, settings, &payload, event, now);
    problems.extend(env.relative.iter().map(|variable| Problem {
        session: None,
        text: format!("could not use {variable}: it is not an absolute path"),
    }));
    problems
}

/// Reads the session id from stdin as a hook would, for scripts that are hooks themselves. Returns
/// `None` if stdin holds no payload with a valid id.
pub fn session_id_on_stdin() -> Option<SessionId> {
    let mut scan = scan::Scanner::new(wire::plan);
    stdin::read(Instant::now() + stdin::PATIENCE, |piece| scan.feed(piece));
    match wire::Payload::new(scan).claim() {
        wire::SessionClaim::Session(id) => Some(id),
        wire::SessionClaim::Missing
        | wire::SessionClaim::NoPayload
        | wire::SessionClaim::Invalid(_) => None,
    }
}

/// Makes a panic end silently with status 0, and keeps files that are opened later out of closed
/// streams. Returns the original stderr if it was redirected.
fn be_silent() -> Option<OwnedFd> {
    std::panic::set_hook(Box::new(|_| std::process::exit(0)));
    write::open_closed_streams();
    survive_limits()
}

/// Keeps resource limits from killing the hook. A write beyond the file size limit becomes an
/// error, and running out of memory ends the hook silently with status 0.
fn survive_limits() -> Option<OwnedFd> {
    const SIGABRT: i32 = 6;
    survive_file_limit();
    if [Resource::As, Resource::Data]
        .into_iter()
        .all(|memory| getrlimit(memory).current.is_none())
    {
        return None;
    }
    // When memory runs out, the standard library writes to stderr and aborts.
    let stderr = write::lead_stderr_away();
    let always = Arc::new(AtomicBool::new(true));
    let _ = signal_hook::flag::register_conditional_shutdown(SIGABRT, 0, always);
    stderr
}

/// Makes a write beyond the file size limit an error, so that a temporary file can still be
/// removed.
pub(crate) fn survive_file_limit() {
    // The same number on Linux (x86, ARM) and macOS.
    const SIGXFSZ: i32 = 25;
    if getrlimit(Resource::Fsize).current.is_some() {
        let _ = signal_hook::flag::register(SIGXFSZ, Arc::default());
    }
}

/// Writes to stdout or stderr. A missing reader is not an error and must not kill the hook by a
/// signal. The hook waits for a slow reader at most [`SAYING`]; what does not fit by then is
/// dropped.
fn say(stream: impl AsFd, text: &str) {
    const SIGPIPE: i32 = 13;
    let deadline = Instant::now() + SAYING;
    let _ = signal_hook::flag::register(SIGPIPE, Arc::default());
    for piece in text.as_bytes().chunks(PIPE_PIECE) {
        let Some(left) = deadline.checked_duration_since(Instant::now()) else {
            return;
        };
        let mut polled = [PollFd::new(&stream, PollFlags::OUT)];
        let timeout = Timespec::try_from(left).ok();
        if !matches!(poll(&mut polled, timeout.as_ref()), Ok(1..)) {
            return;
        }
        if rustix::io::write(&stream, piece).is_err() {
            return;
        }
    }
}

/// A failure of a hook, or an action that it logs.
#[derive(Debug)]
struct Problem {
    session: Option<SessionId>,
    text: String,
}

fn report(env: &Environment, places: &Places, problems: &[Problem], stderr: Option<OwnedFd>) {
    if problems.is_empty() {
        return;
    }
    if env.hook_debug {
        let lines: String = problems
            .iter()
            .map(|problem| format!("ccsession: {}\n", escaped(&problem.text)))
            .collect();
        return match stderr {
            Some(stderr) => say(stderr, &lines),
            None => say(std::io::stderr(), &lines),
        };
    }
    let Ok(Some(state)) = StateDir::open(places, Decompressor::NONE) else {
        return;
    };
    for problem in problems {
        let mut line = LogLine::new(&problem.text);
        if let Some(id) = &problem.session {
            line = line.session(id);
        }
        let _ = log::append(&state, Log::HookErrors, &line);
    }
}
