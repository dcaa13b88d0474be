//! A thread of conversation in a transcript, the main one or a subagent's. Tracks how it began and
//! whether its turn has ended.

use std::collections::HashMap;
use std::path::Path;

use super::claims::hash;
use super::merge::UNNAMED;
use crate::claude::transcript::line::{LazyMember, TranscriptLine};
use crate::claude::transcript::records;
use crate::model::Timestamp;
use crate::store::Result;
use crate::store::lines::{LineReader, NextLine};

/// How many characters of a line's `uuid` name an unnamed subagent.
const NAME: usize = 8;

/// A subagent.
#[derive(Debug, Clone)]
pub(super) struct ThreadAgent {
    pub(super) id: String,
    /// Its type, such as `general-purpose`.
    pub(super) kind: Option<String>,
}

/// A thread, as far as it was read.
#[derive(Debug, Default)]
pub(super) struct Thread {
    /// The subagent, or `None` for the main thread.
    pub(super) agent: Option<ThreadAgent>,
    /// The id of the current prompt.
    pub(super) prompt_id: Option<String>,
    pub(super) turn_is_open: bool,
    /// The first prompt.
    pub(super) asked: Option<FirstPrompt>,
    /// The hash of the last message.
    pub(super) said: Option<u64>,
    /// True if Claude Code runs it internally, so that it is not a subagent.
    pub(super) is_clients_own: bool,
    /// The id of the most recent prompt.
    prompted: Option<String>,
    /// The earliest time of a line so far.
    first: Option<Timestamp>,
    /// The index of the event for its beginning.
    place: usize,
    /// How many calls of this turn are open.
    open: usize,
    /// The time of the last message, if it can be the last of its turn.
    last_word: Option<Timestamp>,
    /// The calls whose results do not say whether they were refused or interrupted.
    doubtful: Vec<DoubtfulCall>,
}

/// A call that was refused or interrupted: Claude Code writes the same words for both.
#[derive(Debug)]
struct DoubtfulCall {
    id: String,
    /// True if its version of Claude Code would have recorded a refusal.
    is_rather_broken_off: bool,
}

/// The first prompt of a subagent.
#[derive(Debug)]
pub(super) struct FirstPrompt {
    pub(super) at: Timestamp,
    /// The hashes of its texts.
    pub(super) texts: Vec<u64>,
}

impl Thread {
    pub(super) fn of(agent: ThreadAgent) -> Self {
        Self {
            agent: Some(agent),
            ..Self::default()
        }
    }

    pub(super) fn agent_id(&self) -> Option<&str> {
        self.agent.as_ref().map(|agent| agent.id.as_str())
    }

    /// Notes a line, and returns whether it is the first that was read. The event of the thread's
    /// beginning will be at `place`.
    pub(super) fn begin(&mut self, at: Timestamp, place: usize) -> bool {
        let is_first = self.first.is_none();
        if is_first {
            self.place = place;
        }
        self.first = Some(self.first.map_or(at, |first| first.min(at)));
        is_first
    }

    /// Returns where the event of the subagent's beginning is, and when it began.
    pub(super) fn beginning(&self) -> Option<(usize, Timestamp)> {
        self.agent.as_ref()?;
        Some((self.place, self.first?))
    }

    /// Returns whether the prompt differs from the last one. A prompt may have several lines.
    pub(super) fn is_new_prompt(&mut self, line: &TranscriptLine<'_>) -> bool {
        let id = line.prompt_id.owned();
        let is_new = id.is_none() || id != self.prompted;
        self.prompted = id;
        is_new
    }

    /// Notes that a call of this thread begins.
    pub(super) fn call_begins(&mut self) {
        self.open += 1;
        self.last_word = None;
    }

    /// Notes that a call of this thread ends.
    pub(super) fn call_ends(&mut self) {
        self.open = self.open.saturating_sub(1);
        self.last_word = None;
    }

    /// Notes a message of the assistant. It may be the turn's last one, unless a call is open.
    pub(super) fn word(&mut self, at: Timestamp, may_be_last: bool) {
        self.last_word = Some(at).filter(|_| may_be_last && self.open == 0);
    }

    /// Notes that Claude Code states the end of the turn.
    pub(super) fn ended(&mut self, at: Timestamp) {
        self.last_word = Some(at);
    }

    /// Returns when the turn ended, as far as the lines tell.
    pub(super) fn ended_at(&self) -> Option<Timestamp> {
        self.last_word
    }

    /// Notes a call that was refused or interrupted; the following lines decide.
    pub(super) fn doubt(&mut self, id: String, is_rather_broken_off: bool) {
        self.doubtful.push(DoubtfulCall {
            id,
            is_rather_broken_off,
        });
    }

    /// Notes that the assistant continues. The earlier calls were refused then, because an
    /// interrupted call ends the turn.
    pub(super) fn goes_on(&mut self) {
        self.doubtful.clear();
    }

    /// Returns the calls that were interrupted, when the turn is interrupted or nothing follows.
    ///
    /// With `names_message`, the interruption names the message that it stopped, and all of them
    /// were interrupted. Claude Code names that message only if a call was running, and not if a
    /// call was refused.
    pub(super) fn broken_off(&mut self, names_message: bool) -> Vec<String> {
        let is_so = |call: &DoubtfulCall| names_message || call.is_rather_broken_off;
        let doubtful = std::mem::take(&mut self.doubtful);
        let broken_off = doubtful.into_iter().filter(is_so);
        broken_off.map(|call| call.id).collect()
    }

    /// Begins a turn, and stops waiting for calls that are still open.
    pub(super) fn begin_turn(&mut self, prompt_id: Option<String>) {
        self.prompt_id = prompt_id;
        self.turn_is_open = true;
        self.open = 0;
        self.last_word = None;
    }
}

/// The threads of one file: its own, and those of subagents that an old version wrote into the same
/// file.
pub(super) struct Threads {
    own: Thread,
    side: Vec<Thread>,
    /// The index in `side` of each thread, by name.
    places: HashMap<String, usize>,
    chains: Option<Chains>,
}

impl Threads {
    /// Creates the threads of a file whose own thread is `own`.
    pub(super) fn new(own: Thread) -> Self {
        Self {
            own,
            side: Vec::new(),
            places: HashMap::new(),
            chains: None,
        }
    }

    /// Returns all threads, the subagents' first.
    pub(super) fn into_all(self) -> impl Iterator<Item = Thread> {
        self.side.into_iter().chain([self.own])
    }

    /// Returns the thread that a line of the transcript at `path` belongs to.
    pub(super) fn of(&mut self, line: &TranscriptLine<'_>, path: &Path) -> &mut Thread {
        if self.own.agent.is_some() || !line.is_sidechain.is_true() {
            return &mut self.own;
        }
        let id = line.agent_id.owned().unwrap_or_else(|| {
            // The line names no subagent. The first line of its conversation serves as a name,
            // because conversations may be interleaved.
            let read = || Chains::read(path).unwrap_or_default();
            let chains = self.chains.get_or_insert_with(read);
            format!("{UNNAMED}{}", chains.first_of(line))
        });
        let place = *self.places.entry(id).or_insert_with_key(|id| {
            let id = id.clone();
            self.side.push(Thread::of(ThreadAgent { id, kind: None }));
            self.side.len() - 1
        });
        self.side.get_mut(place).unwrap_or(&mut self.own)
    }
}

/// How the lines of a file's subagents follow one another, by their `uuid`s. The file is read in
/// advance, because a line may precede the one that it answers.
#[derive(Debug, Default)]
struct Chains {
    links: HashMap<u64, Link>,
}

#[derive(Debug)]
struct Link {
    parent: Option<u64>,
    name: String,
}

impl Chains {
    fn read(path: &Path) -> Result<Self> {
        let mut chains = Self::default();
        let Some(mut lines) = LineReader::open(path)? else {
            return Ok(chains);
        };
        while let Some(found) = lines.next_line()? {
            if let NextLine::Line(bytes) | NextLine::Unfinished(bytes) = found {
                records::read(bytes, |line| chains.add(line));
            }
        }
        Ok(chains)
    }

    fn add(&mut self, line: &TranscriptLine<'_>) {
        if !line.is_sidechain.is_true() {
            return;
        }
        if let Some(uuid) = line.uuid.text() {
            let link = Link {
                parent: hashed(line.parent_uuid),
                name: name_of(&uuid),
            };
            self.links.entry(hash(&uuid)).or_insert(link);
        }
    }

    /// Returns the name of the first line of the conversation that `line` belongs to.
    fn first_of(&self, line: &TranscriptLine<'_>) -> String {
        let mut name = name_of(&line.uuid.text().unwrap_or_default());
        let mut next = hashed(line.parent_uuid);
        // No chain is longer than the number of links. A longer one would be a cycle.
        for _ in 0..=self.links.len() {
            let Some(link) = next.and_then(|uuid| self.links.get(&uuid)) else {
                break;
            };
            name.clone_from(&link.name);
            next = link.parent;
        }
        name
    }
}

fn hashed(uuid: LazyMember<'_>) -> Option<u64> {
    uuid.text().map(|uuid| hash(&uuid))
}

fn name_of(uuid: &str) -> String {
    uuid.chars().take(NAME).collect()
}
