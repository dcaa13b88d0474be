//! Lineage: the sessions that a session came from, and those that came from it. Each query reads
//! all records.

use std::collections::{HashMap, HashSet};

use serde::Serialize;

use super::liveness::{Judge, SessionState};
use crate::model::{Record, SessionId, Timestamp};
use crate::store::{Result, StateDir};

/// The most relatives that [`lineage`] returns, besides the ancestors of the requested session.
const MAX_OTHERS: usize = 200;

/// How a session is related to its parent in the lineage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Relation {
    /// The session has no known parent.
    First,
    /// The parent's process continued with the session (`/clear`, `/branch`).
    After,
    /// The session was started from within the parent's process tree.
    Within,
}

/// A session of a lineage.
#[derive(Debug, Clone, Serialize)]
pub struct Kin {
    /// The session.
    pub session_id: SessionId,
    /// How the session is related to its parent.
    pub relation: Relation,
    /// Within how many sessions, one inside the other, this one was started. Continuing another
    /// session adds no depth.
    pub depth: usize,
    /// The session's state, or `None` without a record.
    pub state: Option<SessionState>,
    /// How the session began, according to its record.
    pub source: Option<String>,
    /// When the session began.
    pub started_at: Option<Timestamp>,
}

/// The requested session and its relatives.
#[derive(Debug, Default)]
pub struct Lineage {
    /// The sessions from the first one down, each followed by its descendants.
    pub kin: Vec<Kin>,
    /// How many relatives were omitted because of the limit.
    pub more: usize,
}

/// Returns the session and its relatives: all its ancestors, and the other relatives up to a limit.
/// Unreadable records are skipped.
///
/// # Errors
/// Returns [`crate::store::Error::Io`] if the records cannot be listed.
pub fn lineage(judge: &Judge<'_>, id: &SessionId) -> Result<Lineage> {
    let records = all_records(judge.state)?;
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

/// How a relative is related to the requested session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kinship {
    /// The session continued the relative in the same process.
    Before,
    /// The session was started from within the relative's process tree.
    Around,
    /// The relative continued the session in the same process.
    After,
    /// The relative was started from within the session's process tree.
    Within,
}

impl Kinship {
    /// Returns the name in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Before => "before",
            Self::Around => "around",
            Self::After => "after",
            Self::Within => "within",
        }
    }
}

/// The records of all sessions, for finding the relatives of many sessions.
#[derive(Debug)]
pub struct Families {
    records: HashMap<SessionId, Record>,
    /// For each session, the sessions whose records name it as their parent, by start time.
    below: HashMap<SessionId, Vec<SessionId>>,
}

impl Families {
    /// Reads all records. Unreadable ones are skipped.
    ///
    /// # Errors
    /// Returns [`crate::store::Error::Io`] if the records cannot be listed.
    pub fn read(state: &StateDir) -> Result<Self> {
        let records = all_records(state)?;
        let mut children: Vec<&Record> = records.values().collect();
        children.sort_by_key(|record| (record.started_at, &record.session_id));
        let mut below: HashMap<SessionId, Vec<SessionId>> = HashMap::new();
        for child in children {
            if let (_, Some(id)) = above(child) {
                let children = below.entry(id.clone()).or_default();
                children.push(child.session_id.clone());
            }
        }
        Ok(Self { records, below })
    }

    /// Returns the session that `id` came from, then those that came from `id`. A relative without
    /// a record was deleted.
    pub fn nearest(&self, id: &SessionId) -> Vec<(Kinship, &SessionId, Option<&Record>)> {
        let up = self.records.get(id).map(above);
        let up = up.and_then(|(relation, id)| {
            let kinship = match relation {
                Relation::Within => Kinship::Around,
                Relation::First | Relation::After => Kinship::Before,
            };
            Some((kinship, id?))
        });
        let down = self.below.get(id).into_iter().flatten().map(|id| {
            let relation = self.records.get(id).map(|record| above(record).0);
            match relation {
                Some(Relation::Within) => (Kinship::Within, id),
                _ => (Kinship::After, id),
            }
        });
        up.into_iter()
            .chain(down)
            .filter(|(_, other)| *other != id)
            .map(|(kinship, id)| (kinship, id, self.records.get(id)))
            .collect()
    }
}

/// Returns the records of all sessions.
fn all_records(state: &StateDir) -> Result<HashMap<SessionId, Record>> {
    let read = |id: SessionId| {
        let record = state.session(&id).record().ok()??;
        Some((id, record))
    };
    Ok(state.session_ids()?.filter_map(read).collect())
}

/// Returns the parent that a record names, and the relation to it.
fn above(record: &Record) -> (Relation, Option<&SessionId>) {
    match (&record.previous, &record.parent) {
        (Some(previous), _) => (Relation::After, Some(previous)),
        (None, Some(parent)) => (Relation::Within, Some(parent)),
        (None, None) => (Relation::First, None),
    }
}

/// Returns the first session in the lineage of `id`, and a set of `id`, its ancestors and that
/// first session. If the records form a circle, the first session is the one at which the circle
/// closes.
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

/// Returns `first` and its descendants with their depths, each followed by its own descendants:
/// those started within it, then those that continued it, each group by start time.
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
        // `waiting` is a stack, so the session to show first must be pushed last.
        next.sort_by_key(|record| (is_within(record), std::cmp::Reverse(record.started_at)));
        waiting.extend(
            next.into_iter()
                .map(|record| (&record.session_id, depth + usize::from(is_within(record)))),
        );
    }
    found
}
