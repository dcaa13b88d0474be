//! Merges the events of a new import with those of earlier imports. New events are added, and
//! events that are read again are corrected. None is removed because its transcript was cut off,
//! deleted, or replaced by an older copy.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::claims::{SourceIndex, hash};
use super::events::{ImportedEvent, Subject};
use crate::model::call::has_unique_id;
use crate::model::event::name;
use crate::model::{Event, Timestamp};

/// The prefix of names for unnamed subagents. Old versions of Claude Code wrote them without ids
/// into the session's own transcript. The rest of the name is from the subagent's first line, which
/// a transcript may have lost.
pub(super) const UNNAMED: &str = "side-";

/// For each line that is a copy: its time, and the session that owns the line.
pub(super) type Copies = HashMap<Timestamp, SourceIndex>;

fn thread(agent: Option<&str>) -> u64 {
    hash(agent.unwrap_or_default())
}

/// Merges the events `made` by a new reading with those on record `before`, and returns them
/// ordered by time. Removes earlier events that turn out to be copies from a session in `settled`:
/// that session has them on record.
pub(super) fn merge(
    mut made: Vec<ImportedEvent>,
    before: Vec<ImportedEvent>,
    copies: &Copies,
    settled: &HashSet<SourceIndex>,
) -> Vec<ImportedEvent> {
    let is_own = |made: &ImportedEvent| {
        let copied_from = copies.get(&made.at);
        !copied_from.is_some_and(|origin| settled.contains(origin))
    };
    let mut before = before;
    rename(&mut made, &mut before);
    complement(&mut made, &before);
    let old = before.into_iter().filter(is_own);
    let new = made.into_iter().map(|made| (made, ImportPass::Now));
    let mut all: Vec<(ImportedEvent, ImportPass)> = new
        .chain(old.map(|made| (made, ImportPass::Before)))
        .collect();
    all.sort_by_key(|(made, found)| (made.at, made.subject != Subject::Start, *found));
    let chosen = chosen(&all);
    let refuted = refuted(&all, &chosen);
    let prompted: HashSet<String> = all
        .iter()
        .filter(|(made, _)| matches!(made.subject, Subject::Prompt(_)))
        .flat_map(|(made, _)| made.notifies.iter().cloned())
        .collect();
    // A task's end counts only once. If a prompt reports it, drop the separate event that an
    // earlier reading made for it.
    let is_told = |made: &ImportedEvent| matches!(&made.subject, Subject::Notice(task) if prompted.contains(task));
    let places = all.into_iter().enumerate();
    let is_kept = |place: &usize| chosen.contains(place) && !refuted.contains(place);
    places
        .filter(|(place, (made, _))| is_kept(place) && !is_told(made))
        .map(|(_, (made, _))| made)
        .collect()
}

/// Gives an unnamed subagent the same name in both readings. The names differ if only one reading
/// had the subagent's first line; the reading with the earlier beginning then decides. A subagent
/// is recognized by a call, or by the time of an event if no other subagent has an event at that
/// time.
fn rename(made: &mut [ImportedEvent], before: &mut [ImportedEvent]) {
    let now = UnnamedAgents::of(made);
    let then = UnnamedAgents::of(before);
    let mut names: HashMap<String, String> = HashMap::new();
    for (mark, name) in &now.marks {
        let (Some(name), Some(Some(old))) = (name, then.marks.get(mark)) else {
            continue;
        };
        // If the new reading uses both names, they are two subagents.
        if name == old || now.began.contains_key(old) {
            continue;
        }
        let is_earlier = now.began.get(name) < then.began.get(old);
        let (from, to) = match is_earlier || then.began.contains_key(name) {
            true => (old, name),
            false => (name, old),
        };
        names.entry(from.clone()).or_insert_with(|| to.clone());
    }
    if names.is_empty() {
        return;
    }
    for event in made.iter_mut().chain(before) {
        event.rename(&names);
    }
}

/// The unnamed subagents in one reading.
#[derive(Default)]
struct UnnamedAgents {
    /// By what each subagent can be recognized, with its name; `None` if several subagents share
    /// it.
    marks: BTreeMap<AgentMark, Option<String>>,
    /// The time of each subagent's first event.
    began: HashMap<String, Timestamp>,
}

/// By what an unnamed subagent can be recognized in another reading: one of its calls, or the time
/// of one of its events.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum AgentMark {
    Call(String),
    At(Timestamp),
}

impl UnnamedAgents {
    fn of(events: &[ImportedEvent]) -> Self {
        let mut unnamed = Self::default();
        for made in events {
            let Some(agent) = made.subject.agent() else {
                continue;
            };
            if !agent.starts_with(UNNAMED) {
                continue;
            }
            let began = unnamed.began.entry(agent.to_owned()).or_insert(made.at);
            *began = made.at.min(*began);
            let call = match &made.subject {
                Subject::Call(_, call) => Some(AgentMark::Call(call.clone())),
                _ => None,
            };
            for mark in call.into_iter().chain([AgentMark::At(made.at)]) {
                let name = unnamed
                    .marks
                    .entry(mark)
                    .or_insert_with(|| Some(agent.to_owned()));
                if name.as_deref() != Some(agent) {
                    *name = None;
                }
            }
        }
        unnamed
    }
}

/// Completes events with members that an earlier reading found in lines that are now missing.
fn complement(made: &mut [ImportedEvent], before: &[ImportedEvent]) {
    let mut keys = EventKeys::default();
    let before: HashMap<_, &ImportedEvent> = before
        .iter()
        .map(|before| (keys.next(before, ImportPass::Before), before))
        .collect();
    let mut keys = EventKeys::default();
    for made in made {
        let key = keys.next(made, ImportPass::Now);
        let known = before.get(&key).filter(|known| {
            (known.at, &known.name) == (made.at, &made.name) && known.line != made.line
        });
        let decode = |line: &[u8]| Event::decode(line).ok();
        if let Some(known) = known.and_then(|known| decode(&known.line))
            && let Some(mut event) = decode(&made.line)
        {
            event.model = event.model.or(known.model);
            event.agent_type = event.agent_type.or(known.agent_type);
            event.prompt_id = event.prompt_id.or(known.prompt_id);
            event.spawned_agent = event.spawned_agent.or(known.spawned_agent);
            made.line = event.encode();
        }
    }
}

/// Removes the events that another session also has. Returns whether there were any.
pub(super) fn leave_out_copies(made: &mut Vec<ImportedEvent>, theirs: &[ImportedEvent]) -> bool {
    let mut keys = EventKeys::default();
    let keys_of = theirs.iter().map(|made| keys.next(made, ImportPass::Now));
    let theirs: HashSet<EventKey> = keys_of.collect();
    let (before, mut keys) = (made.len(), EventKeys::default());
    made.retain(|made| {
        let key = keys.next(made, ImportPass::Now);
        key == EventKey::Start || !theirs.contains(&key)
    });
    made.len() < before
}

/// Which reading made an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum ImportPass {
    Now,
    Before,
}

/// An identity that only one event can have.
#[derive(Clone, PartialEq, Eq, Hash)]
enum EventKey {
    Start,
    Prompt(u64),
    TurnEnd(u64),
    Notice(u64),
    Agent(u64, u64),
    /// An event of a call: its agent, its id, how many calls had that id before, and whether the
    /// event begins the call.
    Call(u64, u64, usize, bool),
    /// Any other event: its name, its time, and how many others of both came before.
    At(u64, Timestamp, usize),
}

/// Gives the events of a reading their keys, in their order. Texts are hashed.
#[derive(Default)]
struct EventKeys {
    /// How many calls have begun, by agent and id. Only of ids that several calls may have.
    calls: HashMap<(ImportPass, u64, u64), usize>,
    /// How many events have a name and a time.
    events: HashMap<(ImportPass, u64, Timestamp), usize>,
}

impl EventKeys {
    fn next(&mut self, made: &ImportedEvent, pass: ImportPass) -> EventKey {
        match &made.subject {
            Subject::Start => EventKey::Start,
            Subject::Prompt(Some(id)) => EventKey::Prompt(hash(id)),
            Subject::TurnEnd(Some(id)) => EventKey::TurnEnd(hash(id)),
            Subject::Notice(task) => EventKey::Notice(hash(task)),
            Subject::Agent(agent) => EventKey::Agent(hash(agent), hash(&made.name)),
            Subject::Call(agent, id) => {
                let (agent, begins) = (thread(agent.as_deref()), made.name == name::PRE_TOOL_USE);
                let number = if has_unique_id(id) {
                    0
                } else {
                    let begun = self.calls.entry((pass, agent, hash(id))).or_default();
                    *begun += usize::from(begins);
                    begun.saturating_sub(1)
                };
                EventKey::Call(agent, hash(id), number, begins)
            }
            _ => {
                let name = hash(&made.name);
                let earlier = self.events.entry((pass, name, made.at)).or_default();
                *earlier += 1;
                EventKey::At(name, made.at, *earlier - 1)
            }
        }
    }
}

/// Chooses one of the events with the same key, and returns the indices of the chosen ones. The new
/// reading wins, with two exceptions: the earliest beginning and the latest end win, because an
/// incomplete transcript begins later and ends earlier.
fn chosen(all: &[(ImportedEvent, ImportPass)]) -> HashSet<usize> {
    let mut chosen: HashMap<EventKey, (usize, ImportPass)> = HashMap::new();
    let mut keys = EventKeys::default();
    for (place, (made, found)) in all.iter().enumerate() {
        chosen
            .entry(keys.next(made, *found))
            .and_modify(|known| {
                let is_better = if is_beginning(made) {
                    false
                } else {
                    let is_later = all.get(known.0).is_some_and(|(last, _)| last.at < made.at);
                    is_end(made) && is_later || *found < known.1
                };
                if is_better {
                    *known = (place, *found);
                }
            })
            .or_insert((place, *found));
    }
    chosen.into_values().map(|(place, _)| place).collect()
}

/// Returns the indices of inferred ends that are wrong: one reading saw no further lines of the
/// turn or subagent, but the other did.
fn refuted(all: &[(ImportedEvent, ImportPass)], chosen: &HashSet<usize>) -> HashSet<usize> {
    let mut refuted = HashSet::new();
    // For each thread: which reading saw the next event of the same turn, if there is one.
    let mut next: HashMap<u64, Option<ImportPass>> = HashMap::new();
    for (place, (made, found)) in all.iter().enumerate().rev() {
        if !chosen.contains(&place)
            || matches!(made.subject, Subject::Compaction(_) | Subject::Notice(_))
        {
            continue;
        }
        let thread = thread(made.subject.agent());
        let after = next.get(&thread).copied().flatten();
        if made.is_concluded && after.is_some_and(|after| after != *found) {
            refuted.insert(place);
            continue;
        }
        let begins_turn = matches!(made.subject, Subject::Prompt(_));
        next.insert(thread, Some(*found).filter(|_| !begins_turn));
    }
    refuted
}

fn is_beginning(made: &ImportedEvent) -> bool {
    made.subject == Subject::Start || made.name == name::SUBAGENT_START
}

fn is_end(made: &ImportedEvent) -> bool {
    matches!(made.subject, Subject::TurnEnd(_)) || made.name == name::SUBAGENT_STOP
}
