//! Merges a new import with earlier ones. A transcript that was cut off, deleted, or replaced by an
//! older copy removes no recorded event. A new reading adds missing events, and corrects those that
//! it has read again.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::claims::{SourceIndex, hash};
use super::events::{ImportedEvent, Subject};
use crate::model::event::name;
use crate::model::{Event, Timestamp};

/// The prefix of names for subagents that an old version of Claude Code wrote into the session's
/// own transcript. It gave them no ids, so the name comes from the first line, which a transcript
/// may have lost.
pub(super) const UNNAMED: &str = "side-";

/// The times of lines that are copies, each with the session that owns the line.
pub(super) type Copies = HashMap<Timestamp, SourceIndex>;

fn thread(agent: Option<&str>) -> u64 {
    hash(agent.unwrap_or_default())
}

/// Merges the events `made` by a new reading with those on record `before`, ordered by time. Omits
/// copies of a session in `settled`, because they are on record there.
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
        .filter_map(|(made, _)| made.notifies.clone())
        .collect();
    // A fuller reading may have found a prompt that reports the end of the task. Then the earlier
    // notice is dropped.
    let is_told = |made: &ImportedEvent| matches!(&made.subject, Subject::Notice(task) if prompted.contains(task));
    let places = all.into_iter().enumerate();
    let is_kept = |place: &usize| chosen.contains(place) && !refuted.contains(place);
    places
        .filter(|(place, (made, _))| is_kept(place) && !is_told(made))
        .map(|(_, (made, _))| made)
        .collect()
}

/// Unifies the names of an unnamed subagent that two readings name differently, because only one
/// had its first line. The reading that saw the earlier beginning decides. What identifies the
/// subagent in both readings is a call, or the time of an event if no other subagent has that time.
fn rename(made: &mut [ImportedEvent], before: &mut [ImportedEvent]) {
    let now = UnnamedAgents::of(made);
    let then = UnnamedAgents::of(before);
    let mut names: HashMap<String, String> = HashMap::new();
    for (mark, name) in &now.marks {
        let (Some(name), Some(Some(old))) = (name, then.marks.get(mark)) else {
            continue;
        };
        // Two names in one reading are two subagents, and the later reading knows best.
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
    /// What identifies a subagent: its calls, and the times of its events. `None` marks what
    /// several subagents share.
    marks: BTreeMap<AgentMark, Option<String>>,
    /// The time of each subagent's first event.
    began: HashMap<String, Timestamp>,
}

/// A mark that identifies an unnamed subagent.
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

/// Completes events with what an earlier reading learned about them from other lines.
fn complement(made: &mut [ImportedEvent], before: &[ImportedEvent]) {
    let before: HashMap<EventKey<'_>, &ImportedEvent> = before
        .iter()
        .map(|before| (EventKey::of(before), before))
        .collect();
    for made in made {
        let known = before.get(&EventKey::of(made)).filter(|known| {
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

/// Which reading made an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum ImportPass {
    Now,
    Before,
}

/// An identity that only one event can have.
#[derive(PartialEq, Eq, Hash)]
enum EventKey<'a> {
    Start,
    Prompt(&'a str),
    TurnEnd(&'a str),
    Notice(&'a str),
    Agent(&'a str, &'a str),
    /// An event of a call: the hash of its agent, its id, and whether it begins the call.
    Call(u64, &'a str, bool),
    /// Any other event: its name and time.
    At(&'a str, Timestamp),
}

impl<'a> EventKey<'a> {
    fn of(made: &'a ImportedEvent) -> Self {
        match &made.subject {
            Subject::Start => Self::Start,
            Subject::Prompt(Some(id)) => Self::Prompt(id),
            Subject::TurnEnd(Some(id)) => Self::TurnEnd(id),
            Subject::Notice(task) => Self::Notice(task),
            Subject::Agent(agent) => Self::Agent(agent, &made.name),
            Subject::Call(agent, id) => {
                let begins = made.name == name::PRE_TOOL_USE;
                Self::Call(thread(agent.as_deref()), id, begins)
            }
            _ => Self::At(&made.name, made.at),
        }
    }
}

/// Chooses among events with the same identity. The new reading wins, but of beginnings the first
/// counts and of ends the last, because an incomplete transcript begins later and ends earlier.
fn chosen(all: &[(ImportedEvent, ImportPass)]) -> HashSet<usize> {
    let mut chosen: HashMap<EventKey<'_>, (usize, ImportPass)> = HashMap::new();
    for (place, (made, found)) in all.iter().enumerate() {
        chosen
            .entry(EventKey::of(made))
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

/// Returns the ends that one reading concluded and that the other refutes, because it saw more of
/// that turn or subagent.
fn refuted(all: &[(ImportedEvent, ImportPass)], chosen: &HashSet<usize>) -> HashSet<usize> {
    let mut refuted = HashSet::new();
    // Which reading saw the next event of each thread, or `None` before the next turn begins.
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
