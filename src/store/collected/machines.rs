//! Distinguishes machines with the same name, and reports shared ids and wrong clocks.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::super::error::Result;
use super::super::state::StateDir;
use super::super::write::Durability;
use crate::model::project::fingerprint;
use crate::model::text::one_line;
use crate::model::{Record, SessionId, Timestamp};

/// How many digits of a hash follow a machine's name if another machine has the same name.
const DIGITS: usize = 6;
/// How far an event may be in the future before its machine's clock counts as wrong.
const PATIENCE: Duration = Duration::from_secs(60 * 60);
/// The most characters of a machine's name that a message shows.
const MAX_SHOWN: usize = 60;
/// The most machines that a message names.
const MAX_NAMED: usize = 5;

/// A merged session, with its machine's name and id and the time of its last event.
#[derive(Debug)]
pub(super) struct MergedSession {
    pub(super) id: SessionId,
    /// The name of the machine, if the session or the collected directory states it.
    pub(super) machine: Option<String>,
    pub(super) machine_id: Option<String>,
    /// The time of the last event.
    pub(super) last: Option<Timestamp>,
}

/// If several machines have the same name, appends a short hash of the machine's id to it in the
/// records. Returns messages about shared ids and wrong clocks.
pub(super) fn tell_apart(
    state: &StateDir,
    sessions: &[MergedSession],
    now: Timestamp,
) -> Result<Vec<String>> {
    let mut ids: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let mut names: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let mut ahead: BTreeMap<&str, (u64, Timestamp)> = BTreeMap::new();
    for session in sessions {
        let name = session.machine.as_deref().unwrap_or("unknown");
        if let (Some(name), Some(id)) = (&session.machine, session.machine_id.as_deref()) {
            ids.entry(name).or_default().insert(id);
            names.entry(id).or_default().insert(name);
        }
        if let Some(last) = session.last.filter(|last| is_ahead(*last, now)) {
            let (count, latest) = ahead.entry(name).or_insert((0, last));
            *count += 1;
            *latest = last.max(*latest);
        }
    }
    let mut notes = Vec::new();
    for names in names.values().filter(|names| names.len() > 1) {
        notes.push(format!(
            "{} share one machine id, as after a disk was copied or a machine renamed; they count as different machines",
            listed(names)
        ));
    }
    for (name, (count, latest)) in ahead {
        let sessions = if count == 1 { "session" } else { "sessions" };
        notes.push(format!(
            "the clock of `{}` was ahead: {count} {sessions} have events up to {latest}; their times are shown as recorded",
            one_line(name, MAX_SHOWN)
        ));
    }
    for session in sessions {
        let (Some(name), Some(id)) = (&session.machine, &session.machine_id) else {
            continue;
        };
        if ids.get(name.as_str()).is_none_or(|ids| ids.len() < 2) {
            continue;
        }
        let mut hash = fingerprint("ccsession: machine", id);
        hash.truncate(DIGITS);
        let dir = state.session(&session.id);
        if let Ok(Some(record)) = dir.record() {
            let record = Record {
                machine: Some(format!("{name}~{hash}")),
                ..record
            };
            dir.put_record(&record, Durability::Cached)?;
        }
    }
    Ok(notes)
}

/// Returns whether the time is more than [`PATIENCE`] in the future.
pub(super) fn is_ahead(last: Timestamp, now: Timestamp) -> bool {
    now.age(last) > PATIENCE
}

fn listed(names: &BTreeSet<&str>) -> String {
    let quoted: Vec<String> = names
        .iter()
        .map(|name| format!("`{}`", one_line(name, MAX_SHOWN)))
        .collect();
    match quoted.get(..MAX_NAMED) {
        Some(first) if quoted.len() > MAX_NAMED => {
            format!(
                "{} and {} others",
                first.join(", "),
                quoted.len() - MAX_NAMED
            )
        }
        _ => quoted.join(", "),
    }
}
