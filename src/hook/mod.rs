//! What Claude Code says, and what is recorded of it.
//!
//! A hook is total: whatever comes in and whatever fails, it ends within a second with status 0 and says nothing. Exit
//! status 2 would veto the user's tool call, and what `SessionStart` prints becomes the model's context. What went wrong
//! goes to stderr under `HOOK_DEBUG=true`, and to `hook-errors.jsonl` otherwise.

mod detached;
mod recording;
mod scan;
mod stdin;
mod wire;

use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use crate::model::SessionId;
use crate::store::log::{self, Line, Log};
use crate::store::{Environment, Places, State};

/// Stands in every hook's executable, so that the doctor can tell its version without running it.
#[used]
pub static VERSION_MARK: &str = concat!("ccsession hook ", env!("CARGO_PKG_VERSION"));

/// Runs a hook to its end: reads stdin, records the event, returns success. `fallback` is the event's name where the
/// payload does not say it.
pub fn run(fallback: &str) -> ExitCode {
    let started = Instant::now();
    be_silent();
    let mut scan = scan::Scan::new(wire::plan);
    stdin::read(started + stdin::PATIENCE, |piece| scan.feed(piece));
    let env = Environment::read();
    let places = Places::new(&env);
    let problems = recording::record(&env, &places, &wire::Payload::new(&scan), fallback);
    report(&env, &places, &problems);
    ExitCode::SUCCESS
}

/// The session id on stdin, as a hook would read it: for scripts that are hooks themselves. Nothing where stdin holds
/// no payload with a valid id.
pub fn session_id_on_stdin() -> Option<SessionId> {
    let mut scan = scan::Scan::new(wire::plan);
    stdin::read(Instant::now() + stdin::PATIENCE, |piece| scan.feed(piece));
    match wire::Payload::new(&scan).claim() {
        wire::Claim::Session(id) => Some(id),
        wire::Claim::Missing | wire::Claim::Invalid(_) => None,
    }
}

/// A panic ends silently with status 0, and a write over the file size limit is an error instead of a signal.
fn be_silent() {
    std::panic::set_hook(Box::new(|_| std::process::exit(0)));
    #[cfg(target_os = "linux")]
    const SIGXFSZ: i32 = 25;
    #[cfg(target_os = "linux")]
    let _ = signal_hook::flag::register(SIGXFSZ, Arc::new(AtomicBool::new(false)));
}

/// Something that a hook could not do, or did and logs.
#[derive(Debug)]
struct Problem {
    session: Option<SessionId>,
    text: String,
}

fn report(env: &Environment, places: &Places, problems: &[Problem]) {
    if problems.is_empty() {
        return;
    }
    if env.hook_debug {
        let lines: String = problems
            .iter()
            .map(|problem| format!("ccsession: {}\n", problem.text))
            .collect();
        // Where stderr is closed or full there is nobody to tell.
        let _ = std::io::stderr().write_all(lines.as_bytes());
        return;
    }
    let Ok(Some(state)) = State::open(places) else {
        return;
    };
    for problem in problems {
        let mut line = Line::new(&problem.text);
        if let Some(id) = &problem.session {
            line = line.session(id);
        }
        let _ = log::append(&state, Log::HookErrors, &line);
    }
}
