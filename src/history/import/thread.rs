//! One line of conversation in a transcript, the main one or a subagent's: whether its turn has ended, and how it began.

use std::collections::HashMap;
use std::path::Path;

use super::claims::hash;
use super::merge::UNNAMED;
use crate::claude::transcript::line::{Line, Member};
use crate::claude::transcript::records;
use crate::model::Timestamp;
use crate::store::Result;
use crate::store::lines::{Found, Lines};

/// How much of a line's `uuid` names a subagent that has no name.
const NAME: usize = 8;

/// A subagent.
#[derive(Debug, Clone)]
pub(super) struct Agent {
    pub(super) id: String,
    /// Its type, as `general-purpose`.
    pub(super) kind: Option<String>,
}

/// A conversation, as far as it was read.
#[derive(Debug, Default)]
pub(super) struct Thread {
    /// Whose it is; nobody's for the main one.
    pub(super) agent: Option<Agent>,
    /// The prompt that it is at work on.
    pub(super) prompt_id: Option<String>,
    pub(super) turn_is_open: bool,
    /// What it was asked first, and when.
    pub(super) asked: Option<Asked>,
    /// What was said last, as a hash.
    pub(super) said: Option<u64>,
    /// Whether the client runs it for itself: it is no subagent then.
    pub(super) is_clients_own: bool,
    /// The prompt that came last.
    prompted: Option<String>,
    /// The time of its first line so far.
    first: Option<Timestamp>,
    /// Where the event of its beginning is.
    place: usize,
    /// How many calls of this turn are open.
    open: usize,
    /// When the last word was said, if it can have been the turn's.
    last_word: Option<Timestamp>,
    /// The calls whose results do not tell whether they were refused or broken off.
    doubtful: Vec<Doubtful>,
}

/// A call that was refused or broken off: the client has the same words for both.
#[derive(Debug)]
struct Doubtful {
    id: String,
    /// Whether its client would have said that it was refused.
    is_rather_broken_off: bool,
}

/// What a subagent was asked.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) at: Timestamp,
    /// Its texts, as hashes.
    pub(super) texts: Vec<u64>,
}

impl Thread {
    pub(super) fn of(agent: Agent) -> Self {
        Self {
            agent: Some(agent),
            ..Self::default()
        }
    }

    pub(super) fn agent_id(&self) -> Option<&str> {
        self.agent.as_ref().map(|agent| agent.id.as_str())
    }

    /// Takes note of a line, and returns whether it is the first one that was read. The event of its beginning will be at
    /// `place`.
    pub(super) fn begin(&mut self, at: Timestamp, place: usize) -> bool {
        let is_first = self.first.is_none();
        if is_first {
            self.place = place;
        }
        self.first = Some(self.first.map_or(at, |first| first.min(at)));
        is_first
    }

    /// Where the event of its beginning is, and when it began.
    pub(super) fn beginning(&self) -> Option<(usize, Timestamp)> {
        self.agent.as_ref()?;
        Some((self.place, self.first?))
    }

    /// Returns whether a prompt is another than the last one; a prompt may have several lines.
    pub(super) fn is_new_prompt(&mut self, line: &Line<'_>) -> bool {
        let id = line.prompt_id.owned();
        let is_new = id.is_none() || id != self.prompted;
        self.prompted = id;
        is_new
    }

    /// A call of this thread begins.
    pub(super) fn call_begins(&mut self) {
        self.open += 1;
        self.last_word = None;
    }

    /// A call of this thread ends.
    pub(super) fn call_ends(&mut self) {
        self.open = self.open.saturating_sub(1);
        self.last_word = None;
    }

    /// The assistant said something, maybe its turn's last word: not while a call is open.
    pub(super) fn word(&mut self, at: Timestamp, may_be_last: bool) {
        self.last_word = Some(at).filter(|_| may_be_last && self.open == 0);
    }

    /// The client says that the turn has ended.
    pub(super) fn ended(&mut self, at: Timestamp) {
        self.last_word = Some(at);
    }

    /// When its turn ended, by the lines so far.
    pub(super) fn ended_at(&self) -> Option<Timestamp> {
        self.last_word
    }

    /// A call was refused or broken off: what follows tells.
    pub(super) fn doubt(&mut self, id: String, is_rather_broken_off: bool) {
        self.doubtful.push(Doubtful {
            id,
            is_rather_broken_off,
        });
    }

    /// The assistant goes on. The calls before were refused: where one is broken off, so is the turn.
    pub(super) fn goes_on(&mut self) {
        self.doubtful.clear();
    }

    /// The turn is interrupted, or nothing follows. Returns the calls that were broken off: all of them where the interruption
    /// names the message that it broke off, as it does while a call runs, and not where a call is refused.
    pub(super) fn broken_off(&mut self, names_message: bool) -> Vec<String> {
        let is_so = |call: &Doubtful| names_message || call.is_rather_broken_off;
        let doubtful = std::mem::take(&mut self.doubtful);
        let broken_off = doubtful.into_iter().filter(is_so);
        broken_off.map(|call| call.id).collect()
    }

    /// A turn begins: what is still open is not waited for.
    pub(super) fn begin_turn(&mut self, prompt_id: Option<String>) {
        self.prompt_id = prompt_id;
        self.turn_is_open = true;
        self.open = 0;
        self.last_word = None;
    }
}

/// The threads of one file: its own, and those of subagents that an old client wrote into the same file.
pub(super) struct Threads {
    own: Thread,
    side: Vec<Thread>,
    /// Where in `side` the thread of this name is.
    places: HashMap<String, usize>,
    chains: Option<Chains>,
}

impl Threads {
    /// The threads of a file that is `own`'s.
    pub(super) fn new(own: Thread) -> Self {
        Self {
            own,
            side: Vec::new(),
            places: HashMap::new(),
            chains: None,
        }
    }

    /// All of them, the subagents' first.
    pub(super) fn into_all(self) -> impl Iterator<Item = Thread> {
        self.side.into_iter().chain([self.own])
    }

    /// The thread that a line of the transcript at `path` is of.
    pub(super) fn of(&mut self, line: &Line<'_>, path: &Path) -> &mut Thread {
        if self.own.agent.is_some() || !line.is_sidechain.is_true() {
            return &mut self.own;
        }
        let id = line.agent_id.owned().unwrap_or_else(|| {
            // Such a line names no subagent: it is called after the first line of its conversation, which several at once
            // have in turns.
            let read = || Chains::read(path).unwrap_or_default();
            let chains = self.chains.get_or_insert_with(read);
            format!("{UNNAMED}{}", chains.first_of(line))
        });
        let place = *self.places.entry(id).or_insert_with_key(|id| {
            let id = id.clone();
            self.side.push(Thread::of(Agent { id, kind: None }));
            self.side.len() - 1
        });
        self.side.get_mut(place).unwrap_or(&mut self.own)
    }
}

/// How the lines of a file's subagents follow one another, by their `uuid`s: read before anything is made of them, since a
/// line may stand before the one that it answers.
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
        let Some(mut lines) = Lines::open(path)? else {
            return Ok(chains);
        };
        while let Some(found) = lines.next_line()? {
            if let Found::Line(bytes) | Found::Unfinished(bytes) = found {
                records::read(bytes, |line| chains.add(line));
            }
        }
        Ok(chains)
    }

    fn add(&mut self, line: &Line<'_>) {
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

    /// The name of the first line of the conversation that `line` is of.
    fn first_of(&self, line: &Line<'_>) -> String {
        let mut name = name_of(&line.uuid.text().unwrap_or_default());
        let mut next = hashed(line.parent_uuid);
        // No chain is longer than all links: one that is goes in a circle.
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

fn hashed(uuid: Member<'_>) -> Option<u64> {
    uuid.text().map(|uuid| hash(&uuid))
}

fn name_of(uuid: &str) -> String {
    uuid.chars().take(NAME).collect()
}
