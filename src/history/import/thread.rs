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

/// How many characters of its first line's `uuid` an unnamed subagent is named by.
const NAME: usize = 8;

/// A subagent.
#[derive(Debug, Clone)]
pub(super) struct ThreadAgent {
    pub(super) id: String,
    /// Its type, such as `general-purpose`.
    pub(super) kind: Option<String>,
}

/// What the lines read so far say about a thread.
#[derive(Debug, Default)]
pub(super) struct Thread {
    /// The subagent, or `None` for the main thread.
    pub(super) agent: Option<ThreadAgent>,
    /// The id of the prompt that the thread is working on; becomes part of its events.
    pub(super) prompt_id: Option<String>,
    pub(super) turn_is_open: bool,
    /// How many turns began before the current one.
    pub(super) turn: usize,
    /// The first prompt.
    pub(super) asked: Option<FirstPrompt>,
    /// The hash of the last message in the thread.
    pub(super) said: Option<u64>,
    /// True if Claude Code runs the thread internally, so that it does not count as a subagent.
    pub(super) is_clients_own: bool,
    /// The id of the last line that is a prompt, to detect that the next line continues the same
    /// prompt.
    prompted: Option<String>,
    /// The earliest time of all lines so far.
    first: Option<Timestamp>,
    /// The time of the last event.
    last: Option<Timestamp>,
    /// The index of the event for its beginning.
    place: usize,
    /// How many calls of this turn are open.
    open: usize,
    /// The time of the last message, if that message can be the last of its turn.
    last_word: Option<Timestamp>,
    /// The calls whose results do not say whether they were refused or interrupted.
    doubtful: Vec<DoubtfulCall>,
}

/// A call that was refused or interrupted: Claude Code writes the same words for both.
#[derive(Debug)]
struct DoubtfulCall {
    id: String,
    /// True if the call was probably interrupted: the version of Claude Code that wrote it would
    /// have recorded a refusal.
    is_rather_broken_off: bool,
}

/// The first prompt of a subagent.
#[derive(Debug)]
pub(super) struct FirstPrompt {
    pub(super) at: Timestamp,
    /// The hashes of the texts that the prompt consists of.
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

    /// Records a line of the thread. Returns true for the first one; the caller then adds the event
    /// of the thread's beginning at index `place`.
    pub(super) fn begin(&mut self, at: Timestamp, place: usize) -> bool {
        let is_first = self.first.is_none();
        if is_first {
            self.place = place;
        }
        self.first = Some(self.first.map_or(at, |first| first.min(at)));
        is_first
    }

    /// Returns the time of an event of a line with the time `at`. The order of the lines counts, so
    /// that no event is earlier than the one before it, even if the clock was set back.
    pub(super) fn not_before_last(&self, at: Timestamp) -> Timestamp {
        at.max(self.last.unwrap_or(at))
            .max(self.last_word.unwrap_or(at))
    }

    /// Notes that there is an event at `at`.
    pub(super) fn has_event(&mut self, at: Timestamp) {
        self.last = self.last.max(Some(at));
    }

    /// Returns where the event of the subagent's beginning is, and when it began.
    pub(super) fn beginning(&self) -> Option<(usize, Timestamp)> {
        self.agent.as_ref()?;
        Some((self.place, self.first?))
    }

    /// Returns whether the line begins a new prompt. Several lines can belong to one prompt.
    pub(super) fn is_new_prompt(&mut self, line: &TranscriptLine<'_>) -> bool {
        let id = line.prompt_id.owned();
        let is_new = id.is_none() || id != self.prompted;
        self.prompted = id;
        is_new
    }

    /// Records that a call of this thread begins.
    pub(super) fn call_begins(&mut self) {
        self.open += 1;
        self.last_word = None;
    }

    /// Records that a call of this thread ends.
    pub(super) fn call_ends(&mut self) {
        self.open = self.open.saturating_sub(1);
        self.last_word = None;
    }

    /// Records a message of the assistant. The turn may end with it if no call is open and
    /// `may_be_last`.
    pub(super) fn word(&mut self, at: Timestamp, may_be_last: bool) {
        self.last_word = Some(at).filter(|_| may_be_last && self.open == 0);
    }

    /// Records that a line of Claude Code reports the end of the turn at `at`.
    pub(super) fn ended(&mut self, at: Timestamp) {
        self.last_word = Some(at);
    }

    /// Returns when the turn ended, or `None` if the lines read so far do not tell.
    pub(super) fn ended_at(&self) -> Option<Timestamp> {
        self.last_word
    }

    /// Records a call that was refused or interrupted; the following lines tell which.
    pub(super) fn doubt(&mut self, id: String, is_rather_broken_off: bool) {
        self.doubtful.push(DoubtfulCall {
            id,
            is_rather_broken_off,
        });
    }

    /// Records that the assistant continues. That proves that the earlier calls were refused,
    /// because an interrupted call ends the turn.
    pub(super) fn goes_on(&mut self) {
        self.doubtful.clear();
    }

    /// Returns the calls that were interrupted rather than refused. Call this when the turn was
    /// interrupted or the file ends.
    ///
    /// Set `names_message` if the interruption names the message that it stopped. Then all doubtful
    /// calls were interrupted: Claude Code names that message only if a call was running, and not
    /// if a call was refused.
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
        self.turn += 1;
        self.open = 0;
        self.last_word = None;
    }
}

/// The threads of one transcript file: the main one, and those of subagents that an old version of
/// Claude Code wrote into the same file.
pub(super) struct Threads {
    own: Thread,
    side: Vec<Thread>,
    /// The index in `side` of each subagent's thread, by the subagent's name.
    places: HashMap<String, usize>,
    chains: Option<Chains>,
    /// The time of the file's last line.
    pub(super) last: Option<Timestamp>,
}

impl Threads {
    /// Creates the threads of a file whose main thread is `own`.
    pub(super) fn new(own: Thread) -> Self {
        Self {
            own,
            side: Vec::new(),
            places: HashMap::new(),
            chains: None,
            last: None,
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
            // The line names no subagent. Name it after the first line of its conversation; several
            // conversations may be interleaved.
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

/// Which line each line of a file's subagents answers, by their `uuid`s. The whole file is read in
/// advance, because a line may come before the line that it answers.
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

    /// Returns the first line of the conversation that `line` belongs to, as a name for the
    /// subagent.
    fn first_of(&self, line: &TranscriptLine<'_>) -> String {
        let mut name = name_of(&line.uuid.text().unwrap_or_default());
        let mut next = hashed(line.parent_uuid);
        // In a damaged file, the links may form a cycle. Without one, a conversation has at most
        // this many links.
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
