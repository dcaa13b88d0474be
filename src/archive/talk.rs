//! Extracts the conversation of a session from its transcripts: each message once, in order. Marks
//! the messages that the user abandoned by going back.
//!
//! Claude Code only appends to a transcript. That the conversation continued from an earlier point
//! shows only later, in the parent ids of the records. So transcripts are read twice, first for a
//! plan and then for the text. Between the readings, each record takes a few bytes of memory.
//!
//! A message that is typed while the model works waits in Claude Code's queue. The transcript has a
//! queue record for each operation on the queue. Such a record may be the only one that contains
//! the message.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use super::text;
use crate::claude::transcript::said::{QueueEvent, Speaker, SpokenRecord, Utterance};
use crate::model::Timestamp;
use crate::store::Result;
use crate::store::archive::PartWriter;

/// The line before abandoned messages.
const LEFT: &str = "[rewound: what follows was abandoned]";
/// The line after abandoned messages.
const LEFT_END: &str = "[end of what was abandoned]";

/// What the first reading learned about a record.
#[derive(Debug)]
pub(super) struct RecordNode {
    key: u64,
    parent: Option<u64>,
    file: usize,
    what: NodeKind,
    /// True if it states that no record comes before it.
    is_first: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum NodeKind {
    Prompt,
    /// A prompt that begins like a command; Claude Code itself may have answered it.
    Command,
    Answer,
    Other,
}

/// Identifies a queue record: the index of its transcript, and its number among the queue records
/// there, from zero.
type QueuePosition = (usize, u64);

/// What the first reading collects.
#[derive(Debug, Default)]
pub(super) struct Survey {
    file: usize,
    nodes: Vec<RecordNode>,
    /// The last message or tool result, by the order of its transcript: a clock may be set back. Of
    /// several transcripts, the one that continued later counts.
    last: Option<LastTurn>,
    /// For each transcript, the operations on its queue. Each has the hash of the message's text if
    /// a person typed the message.
    operations: Vec<Vec<(QueueEvent, Option<u64>)>>,
    said: TextCounts,
}

/// The last message or tool result.
#[derive(Debug)]
struct LastTurn {
    at: Timestamp,
    file: usize,
    /// The index among all records.
    place: usize,
}

/// How often each text that a person typed occurs outside queue records.
#[derive(Debug, Default)]
struct TextCounts {
    prompted: HashMap<u64, u64>,
    attached: HashMap<u64, u64>,
}

/// The messages of one transcript that wait until the model receives them. Each has the queue
/// record that added it, and the hash of its text if a person typed it.
#[derive(Debug, Default)]
struct Queue(Vec<(QueuePosition, Option<u64>)>);

/// Which records of the transcripts go into the text, and how.
#[derive(Debug, Default)]
pub(super) struct TalkPlan {
    /// The records that were abandoned when the user went back, as hashes of their ids.
    left: HashSet<u64>,
    /// The queue records whose message is in no other record.
    queued: BTreeSet<QueuePosition>,
}

/// The text that a record contributes to the conversation.
#[derive(Debug)]
pub(super) struct RecordText {
    /// The record's id as a hash, if it has one.
    key: Option<u64>,
    is_queued: bool,
    /// The blocks of text. The flag is true for a message, false for a tool call and the like.
    blocks: Vec<(String, bool)>,
}

pub(super) fn hash(text: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

/// Returns the hash by which a message is recognized in several records. Ignores pictures, which
/// only one of the records may name.
fn key(said: &Utterance<'_>) -> u64 {
    let is_text = |line: &&str| !matches!(*line, "[image]" | "[document]");
    let lines: Vec<&str> = said.text.lines().filter(is_text).collect();
    hash(lines.join("\n").trim())
}

impl Survey {
    /// Starts the next transcript.
    pub(super) fn next_file(&mut self) {
        self.file += 1;
    }

    /// Adds what the first reading keeps of a record. The caller must keep the order of the
    /// transcript.
    pub(super) fn note(&mut self, note: RecordNote) {
        match note {
            RecordNote::Record(mut node, at) => {
                node.file = self.file;
                if let Some(at) = at {
                    let (file, place) = (self.file, self.nodes.len());
                    let is_last = |last: &LastTurn| last.file == file || at >= last.at;
                    if self.last.as_ref().is_none_or(is_last) {
                        self.last = Some(LastTurn { at, file, place });
                    }
                }
                self.nodes.push(node);
            }
            RecordNote::Prompted(text) => *self.said.prompted.entry(text).or_default() += 1,
            RecordNote::Attached(text) => *self.said.attached.entry(text).or_default() += 1,
            RecordNote::Queued(operation, text) => {
                self.operations.resize_with(self.file + 1, Vec::new);
                if let Some(of_file) = self.operations.last_mut() {
                    of_file.push((operation, text));
                }
            }
        }
    }

    /// Returns the plan for the second reading.
    pub(super) fn plan(mut self) -> TalkPlan {
        let mut queued = BTreeSet::new();
        for (file, operations) in self.operations.into_iter().enumerate() {
            let mut queue = Queue::default();
            for (number, (operation, text)) in (0..).zip(operations) {
                let place = (file, number);
                match operation {
                    QueueEvent::Added => queue.0.push((place, text)),
                    QueueEvent::Taken => queue.take(text, &mut self.said),
                    QueueEvent::Withdrawn => queue.0.clear(),
                    QueueEvent::Absorbed => {
                        queued.extend(queue.absorb(place, text, &mut self.said))
                    }
                }
            }
            // A typed message that still waited when Claude Code ended may be in no other record.
            queued.extend(queue.unsaid(&mut self.said));
        }
        let left = RecordTree::of(&self.nodes).left(self.last.map(|last| last.place));
        let left = left
            .into_iter()
            .filter_map(|place| Some(self.nodes.get(place)?.key));
        TalkPlan {
            left: left.collect(),
            queued,
        }
    }
}

/// Decrements the count of a text. Returns false if it was zero.
fn uses(counts: &mut HashMap<u64, u64>, text: u64) -> bool {
    let left = counts.get_mut(&text).filter(|left| **left > 0);
    left.is_some_and(|left| {
        *left -= 1;
        true
    })
}

impl Queue {
    /// Removes the message that left the queue as a separate prompt. Old versions of Claude Code do
    /// not state which message that was. Then it removes the first message that matches a prompt,
    /// else the first that no person typed, else the first.
    fn take(&mut self, text: Option<u64>, said: &mut TextCounts) {
        let is_it = |one: &Option<u64>| one.is_some_and(|one| uses(&mut said.prompted, one));
        let known = text.map(Some);
        let mut texts = self.0.iter().map(|(_, text)| text);
        let found = match known {
            Some(text) => texts.position(|one| *one == text),
            None => texts.position(is_it),
        };
        let of_nobody = || self.0.iter().position(|(_, text)| text.is_none());
        if let Some(found) = found
            .or_else(of_nobody)
            .or(Some(0))
            .filter(|found| *found < self.0.len())
        {
            self.0.remove(found);
        }
    }

    /// Removes the message that the model received while it worked, as the queue record at `place`
    /// states. If no other record contains the message, returns the position of the queue record
    /// that does.
    fn absorb(
        &mut self,
        place: QueuePosition,
        text: Option<u64>,
        said: &mut TextCounts,
    ) -> Option<QueuePosition> {
        if let Some(text) = text {
            let found = self.0.iter().position(|(_, one)| *one == Some(text));
            found.map(|found| self.0.remove(found));
            return (!uses(&mut said.attached, text)).then_some(place);
        }
        // Old versions of Claude Code do not state which message that was. Take the first that is
        // also an attachment, else the first that is in no other record.
        let mut waiting = self.0.iter();
        let is_attached = |(_, text): &(QueuePosition, Option<u64>)| {
            text.is_some_and(|text| uses(&mut said.attached, text))
        };
        if let Some(found) = waiting.position(is_attached) {
            self.0.remove(found);
            return None;
        }
        let prompted = &said.prompted;
        let is_unsaid = |(_, text): &(QueuePosition, Option<u64>)| {
            text.is_some_and(|text| prompted.get(&text).is_none_or(|left| *left == 0))
        };
        let found = self.0.iter().position(is_unsaid);
        let of_nobody = || self.0.iter().position(|(_, text)| text.is_none());
        let (place, text) = self.0.remove(found.or_else(of_nobody)?);
        text.map(|_| place)
    }

    /// Returns the queue records that added the remaining messages, without those whose message is
    /// also in another record.
    fn unsaid(self, said: &mut TextCounts) -> Vec<QueuePosition> {
        let mut is_said = |text| uses(&mut said.prompted, text) || uses(&mut said.attached, text);
        let waiting = self.0.into_iter();
        let unsaid = waiting.filter(|(_, text)| text.is_some_and(|text| !is_said(text)));
        unsaid.map(|(place, _)| place).collect()
    }
}

/// All records in order, and for each the index of its parent.
struct RecordTree<'a> {
    nodes: &'a [RecordNode],
    parents: Vec<Option<usize>>,
}

impl<'a> RecordTree<'a> {
    fn of(nodes: &'a [RecordNode]) -> Self {
        let mut places = HashMap::with_capacity(nodes.len());
        for (place, node) in nodes.iter().enumerate() {
            places.entry(node.key).or_insert(place);
        }
        let parent = |node: &RecordNode| places.get(&node.parent?).copied();
        Self {
            nodes,
            parents: nodes.iter().map(parent).collect(),
        }
    }

    fn what(&self, place: usize) -> NodeKind {
        self.nodes
            .get(place)
            .map_or(NodeKind::Other, |node| node.what)
    }

    /// Returns the record at index `place` and its ancestors, up to the first. Stops if they form a
    /// cycle.
    fn up(&self, place: usize) -> impl Iterator<Item = usize> {
        let next = |place: &usize| self.parents.get(*place).copied().flatten();
        std::iter::successors(Some(place), next).take(self.nodes.len())
    }

    /// Returns the records that were abandoned when the user went back.
    ///
    /// The conversation consists of the record at index `last` and its ancestors. Any other prompt
    /// was abandoned if the conversation continued with a later prompt instead. Then all
    /// descendants of the abandoned prompt were abandoned, too.
    fn left(&self, last: Option<usize>) -> Vec<usize> {
        let Some(last) = last else {
            return Vec::new();
        };
        // For each record of the conversation, the last prompt after it.
        let mut behind: HashMap<usize, Option<usize>> = HashMap::new();
        let (mut newest, mut root) = (None, last);
        for place in self.up(last) {
            if behind.insert(place, newest).is_some() {
                break;
            }
            if matches!(self.what(place), NodeKind::Prompt | NodeKind::Command) {
                newest = newest.max(Some(place));
            }
            root = place;
        }
        let answered = self.answered();
        // Whether each record was abandoned, as far as known.
        let mut known: HashMap<usize, bool> = behind.keys().map(|place| (*place, false)).collect();
        // For each other record that descends from the conversation, the last prompt after the
        // record at which its branch left the conversation.
        let mut newest_of: HashMap<usize, Option<usize>> = HashMap::new();
        let mut walked = vec![None; self.nodes.len()];
        let mut all = Vec::new();
        for start in 0..self.nodes.len() {
            let mut path = Vec::new();
            let mut is_left = false;
            let mut newest = None;
            for place in self.up(start) {
                if let Some(found) = known.get(&place) {
                    is_left = *found;
                    newest = behind.get(&place).or(newest_of.get(&place)).copied();
                    break;
                }
                // In a cycle, stop before the second round.
                let before = walked.get_mut(place).and_then(|it| it.replace(start));
                if before == Some(start) {
                    break;
                }
                path.push(place);
            }
            for place in path.into_iter().rev() {
                let is_prompt = match self.what(place) {
                    NodeKind::Prompt => true,
                    NodeKind::Command => answered.contains(&place),
                    NodeKind::Answer | NodeKind::Other => false,
                };
                is_left = is_left || is_prompt && self.was_replaced(place, newest, root, &answered);
                known.insert(place, is_left);
                newest_of.extend(newest.map(|newest| (place, newest)));
                all.extend(is_left.then_some(place));
            }
        }
        all
    }

    /// Returns whether the conversation continued with a later prompt instead of the one at index
    /// `place`. If that descends from the conversation, `newest` is the last prompt after the record
    /// at which the branch left the conversation.
    fn was_replaced(
        &self,
        place: usize,
        newest: Option<Option<usize>>,
        root: usize,
        answered: &HashSet<usize>,
    ) -> bool {
        if let Some(newest) = newest {
            return newest > Some(place);
        }
        // If both are the first prompt of the same transcript, the user went back to the beginning.
        let (Some(mine), Some(its)) = (self.nodes.get(place), self.nodes.get(root)) else {
            return false;
        };
        let has_parent = self.parents.get(place).is_some_and(Option::is_some);
        let are_first = mine.is_first && its.is_first && mine.file == its.file;
        !has_parent
            && root > place
            && its.what == NodeKind::Prompt
            && are_first
            && answered.contains(&place)
    }

    /// Returns the prompts that the model answered.
    fn answered(&self) -> HashSet<usize> {
        let mut seen = HashSet::new();
        let mut found = HashSet::new();
        for (place, _) in self
            .nodes
            .iter()
            .enumerate()
            .filter(|(_, node)| node.what == NodeKind::Answer)
        {
            for above in self.up(place) {
                if !seen.insert(above) {
                    break;
                }
                if matches!(self.what(above), NodeKind::Prompt | NodeKind::Command) {
                    found.insert(above);
                    break;
                }
            }
        }
        found
    }
}

/// What the first reading keeps of a record.
#[derive(Debug)]
pub(super) enum RecordNote {
    /// A record that has an id. The time is given for a message or a tool result.
    Record(RecordNode, Option<Timestamp>),
    /// The hash of a prompt that a person typed.
    Prompted(u64),
    /// The hash of a message that a person typed and Claude Code recorded as an attachment.
    Attached(u64),
    /// An operation on the queue, and the hash of the message if a person typed it.
    Queued(QueueEvent, Option<u64>),
}

/// Returns what the first reading keeps of a record.
pub(super) fn notes(told: &SpokenRecord<'_>) -> Vec<RecordNote> {
    if let Some((operation, said)) = told.queued() {
        return vec![RecordNote::Queued(operation, said.as_ref().map(key))];
    }
    let kind = told.kind.text();
    let is_user = kind.as_deref() == Some("user");
    let typed = match is_user && !told.is_result() || kind.as_deref() == Some("attachment") {
        true => told.said(),
        false => Vec::new(),
    };
    let typed: Vec<&Utterance<'_>> = typed
        .iter()
        .filter(|said| said.speaker == Speaker::User)
        .collect();
    let mut notes = Vec::new();
    for said in &typed {
        let text = key(said);
        notes.push(match is_user {
            true => RecordNote::Prompted(text),
            false => RecordNote::Attached(text),
        });
    }
    let what = match (kind.as_deref(), typed.first()) {
        (Some("user"), Some(said)) if said.text.starts_with(['/', '!', '#']) => NodeKind::Command,
        (Some("user"), Some(_)) => NodeKind::Prompt,
        (Some("assistant"), _) if told.is_main() => NodeKind::Answer,
        _ => NodeKind::Other,
    };
    if let Some(uuid) = told.uuid.text() {
        let (parent, is_first) = told.parent();
        let node = RecordNode {
            key: hash(&*uuid),
            parent: parent.map(|parent| hash(&*parent)),
            file: 0,
            what,
            is_first,
        };
        let at = told
            .is_turn()
            .then(|| told.timestamp.time().unwrap_or_default());
        notes.push(RecordNote::Record(node, at));
    }
    notes
}

/// Returns the text that a record contributes to the conversation, or `None` if it has none.
pub(super) fn heard(told: &SpokenRecord<'_>, wanted: text::TextScope) -> Option<RecordText> {
    let queued = told.queued();
    let is_queued = queued.is_some();
    let said = match queued {
        Some((_, said)) => said.into_iter().collect(),
        None => told.said(),
    };
    let mut blocks: Vec<(String, bool)> = said
        .iter()
        .filter_map(|said| Some((text::block(said, wanted)?, said.speaker.is_heard())))
        .collect();
    if wanted == text::TextScope::Tools && !is_queued {
        blocks.extend(text::calls(told).into_iter().map(|block| (block, false)));
    }
    // Pass on every queue record, even without text: [`TalkWriter`] numbers them by counting.
    (is_queued || !blocks.is_empty()).then(|| RecordText {
        key: told.uuid.text().map(|uuid| hash(&*uuid)),
        is_queued,
        blocks,
    })
}

/// Writes the conversation, in the second reading.
#[derive(Debug, Default)]
pub(super) struct TalkWriter {
    plan: TalkPlan,
    file: usize,
    operations: u64,
    seen: HashSet<u64>,
    is_left: bool,
    /// How many messages were written.
    pub(super) messages: u64,
}

impl TalkWriter {
    pub(super) fn new(plan: TalkPlan) -> Self {
        Self {
            plan,
            ..Self::default()
        }
    }

    /// Starts the next transcript, in the order of the first reading.
    pub(super) fn next_file(&mut self) {
        self.file += 1;
        self.operations = 0;
    }

    /// Writes a record's text. Skips a record that was written before, and a queue record whose
    /// message is in another record.
    pub(super) fn write(&mut self, heard: &RecordText, writer: &mut PartWriter) -> Result<()> {
        if heard.is_queued {
            let place = (self.file, self.operations);
            self.operations += 1;
            if !self.plan.queued.contains(&place) {
                return Ok(());
            }
        }
        if heard.blocks.is_empty() || heard.key.is_some_and(|key| !self.seen.insert(key)) {
            return Ok(());
        }
        if let Some(key) = heard.key {
            self.mark(self.plan.left.contains(&key), writer)?;
        }
        for (block, is_message) in &heard.blocks {
            text::add(writer, block)?;
            self.messages += u64::from(*is_message);
        }
        Ok(())
    }

    /// Ends the text, and with it a stretch of abandoned messages.
    pub(super) fn end(&mut self, writer: &mut PartWriter) -> Result<()> {
        self.mark(false, writer)
    }

    fn mark(&mut self, is_left: bool, writer: &mut PartWriter) -> Result<()> {
        if self.is_left == is_left {
            return Ok(());
        }
        self.is_left = is_left;
        let mark = if is_left { LEFT } else { LEFT_END };
        text::add(writer, &format!("{mark}\n\n"))
    }
}
