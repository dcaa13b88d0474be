//! Lineage: which sessions a session came from and which came from it. Read from all records, for people who ask.

use std::collections::{HashMap, HashSet};

use serde::Serialize;

use super::liveness::{Judge, SessionState};
use crate::model::{Record, SessionId, Timestamp};
use crate::store::Result;

/// The most relatives that are found.
const MAX_KIN: usize = 200;
/// The most sessions above the one asked about that are found.
const MAX_ABOVE: usize = 50;

/// How a session is related to the one it hangs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Relation {
    /// It hangs on none that is known.
    First,
    /// The same process went on with it (`/clear`, `/branch`).
    After,
    /// It was started from within the other's process tree.
    Within,
}

/// A session of a lineage.
#[derive(Debug, Clone, Serialize)]
pub struct Kin {
    /// Its id.
    pub session_id: SessionId,
    /// How it is related to the one it hangs on.
    pub relation: Relation,
    /// Within how many others it was started; what goes on after one is as deep as that.
    pub depth: usize,
    /// What it is; nothing where it has no record.
    pub state: Option<SessionState>,
    /// How it began, as its record has it.
    pub source: Option<String>,
    /// When it began.
    pub started_at: Option<Timestamp>,
}

/// The session and its relatives, from the first one down: those above it up to a bound, and those below them, the nearest
/// first, up to another. A record that cannot be read is left out.
///
/// # Errors
/// [`crate::store::Error::Io`] where the records cannot be listed.
pub fn lineage(judge: &Judge<'_>, id: &SessionId) -> Result<Vec<Kin>> {
    let read = |id: SessionId| {
        let record = judge.state.session(&id).record().ok()??;
        Some((id, record))
    };
    let records: HashMap<SessionId, Record> = judge.state.session_ids()?.filter_map(read).collect();
    let mut below: HashMap<&SessionId, Vec<&Record>> = HashMap::new();
    for record in records.values() {
        if let (_, Some(above)) = above(record) {
            below.entry(above).or_default().push(record);
        }
    }
    let mut found = Vec::new();
    let mut seen = HashSet::new();
    let mut waiting = vec![(top(&records, id), 0)];
    while let Some((id, depth)) = waiting.pop() {
        if found.len() == MAX_KIN || !seen.insert(id) {
            continue;
        }
        let record = records.get(id);
        found.push(Kin {
            session_id: id.clone(),
            relation: record.map_or(Relation::First, |record| above(record).0),
            depth,
            state: record.map(|record| judge.find(id, record).state),
            source: record.and_then(|record| record.source.clone()),
            started_at: record.map(|record| record.started_at),
        });
        let mut next = below.remove(id).unwrap_or_default();
        // The last one waiting comes first: what was started within it, then what went on after it, each by its start.
        next.sort_by_key(|record| {
            let is_within = above(record).0 == Relation::Within;
            (is_within, std::cmp::Reverse(record.started_at))
        });
        waiting.extend(next.into_iter().map(|record| {
            let deeper = usize::from(above(record).0 == Relation::Within);
            (&record.session_id, depth + deeper)
        }));
    }
    Ok(found)
}

/// The session that a record says it hangs on, and how.
fn above(record: &Record) -> (Relation, Option<&SessionId>) {
    match (&record.previous, &record.parent) {
        (Some(previous), _) => (Relation::After, Some(previous)),
        (None, Some(parent)) => (Relation::Within, Some(parent)),
        (None, None) => (Relation::First, None),
    }
}

/// The first session of the lineage that `id` is in. Records that name each other in a circle have none, then it is where
/// the circle closes.
fn top<'a>(records: &'a HashMap<SessionId, Record>, id: &'a SessionId) -> &'a SessionId {
    let mut seen = HashSet::new();
    let mut id = id;
    while let Some(next) = records.get(id).and_then(|record| above(record).1)
        && seen.insert(id)
        && seen.len() <= MAX_ABOVE
    {
        id = next;
    }
    id
}
