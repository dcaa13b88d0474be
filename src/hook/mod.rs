//! The hooks: executables that read the events that Claude Code reports on stdin, and record them.
//!
//! A hook never disturbs Claude Code. Whatever comes in and whatever fails, it ends within a second
//! with status 0 and prints nothing. With exit status 2, a hook would block the user's tool call,
//! and what a `SessionStart` hook prints becomes the model's context. Errors go to stderr with
//! `HOOK_DEBUG=true`, and to `hook-errors.jsonl` otherwise.

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

/// The version, as a text that `ccsession doctor` finds in a hook executable without running it.
#[used]
pub static VERSION_MARK: &str = concat!("ccsession hook ", env!("CARGO_PKG_VERSION"));

/// How long a hook waits for a slow reader of its output. Together with the wait for stdin, this
/// must stay below one second.
const SAYING: Duration = Duration::from_millis(100);
/// How many bytes are written to a pipe at once. If poll(2) calls a pipe writable, it has room for
/// this many bytes (POSIX's smallest `PIPE_BUF`); a longer write could block forever.
const PIPE_PIECE: usize = 512;

/// Runs a hook executable, from its first instruction to its exit status.
///
/// A C `main` calls this function, because Rust's own start-up code before `main` (reading
/// `/proc/self/maps`, preparing for a stack overflow) takes as long as recording an event. A hook
/// needs only two parts of that start-up, which it does itself: a closed pipe must not kill it, and
/// no file that it opens may become its stdout or stderr.
///
/// All hooks are one executable, which `install.sh` installs under four names. So the pages that
/// the hook of one event loads are still in memory for the next event. The executable's name
/// matters only if the payload does not name its event.
pub fn main() -> i32 {
    run(None);
    0
}

/// Returns the event that the name of this executable stands for.
fn named_for() -> &'static str {
    let program = std::env::args_os().next().unwrap_or_default();
    match Path::new(&program).file_name().and_then(OsStr::to_str) {
        Some("session-start") => name::SESSION_START,
        Some("pre-tool-use") => name::PRE_TOOL_USE,
        Some("post-tool-use") => name::POST_TOOL_USE,
        _ => "SessionEvent",
    }
}

/// Runs a hook: reads stdin and records the event. If the payload does not name the event, uses
/// `fallback`, or else the executable's name.
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

/// Records one payload as a hook does, but within this process and at the given time `now`.
///
/// Unlike [`run`], does not read stdin, and does not handle closed streams and resource limits.
/// Searches for the client among the parent processes of this one. `fallback` names the event if
/// the payload does not.
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

/// Captures as little as possible if the path of the configuration file is relative, so that the
/// user's settings are unknown.
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

/// Makes a panic end the process silently with status 0. Opens streams that are closed, so that no
/// file that is opened later becomes stdout or stderr. Returns the original stderr if it was
/// redirected.
fn be_silent() -> Option<OwnedFd> {
    std::panic::set_hook(Box::new(|_| std::process::exit(0)));
    write::open_closed_streams();
    survive_limits()
}

/// Prevents resource limits from killing the hook. A write beyond the file size limit becomes an
/// error, and running out of memory ends the hook silently with status 0. Returns the original
/// stderr if it was redirected.
fn survive_limits() -> Option<OwnedFd> {
    const SIGABRT: i32 = 6;
    survive_file_limit();
    if [Resource::As, Resource::Data]
        .into_iter()
        .all(|memory| getrlimit(memory).current.is_none())
    {
        return None;
    }
    // When memory runs out, the standard library writes to stderr and aborts. So redirect stderr,
    // and turn the abort into status 0.
    let stderr = write::lead_stderr_away();
    let always = Arc::new(AtomicBool::new(true));
    let _ = signal_hook::flag::register_conditional_shutdown(SIGABRT, 0, always);
    stderr
}

/// Makes a write beyond the file size limit an error, so that a temporary file can still be
/// removed.
pub(crate) fn survive_file_limit() {
    // This number is right for Linux (x86, ARM) and macOS.
    const SIGXFSZ: i32 = 25;
    if getrlimit(Resource::Fsize).current.is_some() {
        let _ = signal_hook::flag::register(SIGXFSZ, Arc::default());
    }
}

/// Writes to stdout or stderr. If the reader is gone, does nothing; no SIGPIPE may kill the hook.
/// Waits for a slow reader at most [`SAYING`], and then drops the rest of the text.
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
