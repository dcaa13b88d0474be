//! What is sent of a session besides its events.

use crate::claude::transcript;
use crate::cli::title::title;
use crate::history::usage;
use crate::identity::present::LastPlace;
use crate::model::{Capture, Record};
use crate::ship::facts::SessionFacts;
use crate::store::machine::{machine_id, machine_name};
use crate::store::{Environment, SessionDir, StateDir, remote};
use crate::view::otlp::{OtlpMachine, Remote};

/// Gathers the facts of a session. Its tokens are counted only once it is over, because until then
/// they change all the time.
pub(in crate::cli) fn facts(
    (env, state, capture): (&Environment, &StateDir, Capture),
    dir: &SessionDir,
    record: Record,
    is_over: bool,
) -> SessionFacts {
    let title = title(env, state, &record, capture);
    let now = LastPlace::read(dir).with_transcript(record.clone());
    let used = || {
        let moved = now.transcript_path.as_deref();
        let named = transcript::believed(env, &record, moved.into_iter());
        // If the tokens cannot be counted, they are left out; `stats` says why.
        usage::of_transcripts(named.collect(), dir, &record).ok()
    };
    let usage = if is_over { used() } else { None };
    let here = OtlpMachine {
        name: machine_name(),
        id: machine_id(),
    };
    let remote = match &record.remote {
        Some(url) => Remote::parse(url),
        // Old records and those of imported sessions lack the URL of the remote repository.
        None => remote::remote(&record.project.root()),
    };
    SessionFacts {
        title: title.map(|title| title.text),
        machine: OtlpMachine::of(&record, &here),
        remote,
        usage,
        record,
    }
}
