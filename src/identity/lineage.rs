//! Lineage: which sessions a session came from and which came from it. Read from all records, for people who ask.

use std::collections::{HashMap, HashSet};

use serde::Serialize;

use super::liveness::{Judge, SessionState};
use crate::model::{Record, SessionId, Timestamp};
use crate::store::Result;

/// The most sessions of a lineage that are found, besides those on the way down to the one asked about.
const MAX_OTHERS: usize = 200;

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

/// The session that was asked about, and its relatives.
#[derive(Debug, Default)]
pub struct Lineage {
    /// From the first one down, each followed by what hangs on it.
    pub kin: Vec<Kin>,
    /// How many more there are.
    pub more: usize,
}

/// The session and its relatives: all on the way from the first one down to it, and of the others as many as may be. A
/// record that cannot be read is left out.
///
/// # Errors
/// [`crate::store::Error::Io`] where the records cannot be listed.
pub fn lineage(judge: &Judge<'_>, id: &SessionId) -> Result<Lineage> {
    let read = |id: SessionId| {
        let record = judge.state.session(&id).record().ok()??;
        Some((id, record))
    };
    let records: HashMap<SessionId, Record> = judge.state.session_ids()?.filter_map(read).collect();
    let (first, way) = way_up(&records, id);
    let mut lineage = Lineage::default();
    let mut others = 0;
    for (id, depth) in downwards(&records, first) {
        if !way.contains(id) {
            if others == MAX_OTHERS {
                lineage.more += 1;
                continue;
            }
            others += 1;
        }
        let record = records.get(id);
        lineage.kin.push(Kin {
            session_id: id.clone(),
            relation: record.map_or(Relation::First, |record| above(record).0),
            depth,
            state: record.map(|record| judge.find(id, record).state),
            source: record.and_then(|record| record.source.clone()),
            started_at: record.map(|record| record.started_at),
        });
    }
    Ok(lineage)
}

/// The session that a record says it hangs on, and how.
fn above(record: &Record) -> (Relation, Option<&SessionId>) {
    match (&record.previous, &record.parent) {
        (Some(previous), _) => (Relation::After, Some(previous)),
        (None, Some(parent)) => (Relation::Within, Some(parent)),
        (None, None) => (Relation::First, None),
    }
}

/// The first session of the lineage that `id` is in, and all on the way up to it, both ends included. Records that name
/// each other in a circle have no first one; then it is where the circle closes.
fn way_up<'a>(
    records: &'a HashMap<SessionId, Record>,
    id: &'a SessionId,
) -> (&'a SessionId, HashSet<&'a SessionId>) {
    let mut first = id;
    let mut way = HashSet::new();
    while way.insert(first)
        && let Some(next) = records.get(first).and_then(|record| above(record).1)
    {
        first = next;
    }
    (first, way)
}

/// `first` and all sessions below it, each with its depth and followed by what hangs on it: what was started within it,
/// then what went on after it, each by its start.
fn downwards<'a>(
    records: &'a HashMap<SessionId, Record>,
    first: &'a SessionId,
) -> Vec<(&'a SessionId, usize)> {
    let mut below: HashMap<&SessionId, Vec<&Record>> = HashMap::new();
    for record in records.values() {
        if let (_, Some(above)) = above(record) {
            below.entry(above).or_default().push(record);
        }
    }
    let is_within = |record: &Record| above(record).0 == Relation::Within;
    let mut found = Vec::new();
    let mut seen = HashSet::new();
    let mut waiting = vec![(first, 0)];
    while let Some((id, depth)) = waiting.pop() {
        if !seen.insert(id) {
            continue;
        }
        found.push((id, depth));
        let mut next = below.remove(id).unwrap_or_default();
        // The last one waiting comes first.
        next.sort_by_key(|record| (is_within(record), std::cmp::Reverse(record.started_at)));
        waiting.extend(
            next.into_iter()
                .map(|record| (&record.session_id, depth + usize::from(is_within(record)))),
        );
    }
    found
}
