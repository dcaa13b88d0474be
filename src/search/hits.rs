//! Collects what was found, by session. Each message occurs once, in the order of time, and only as
//! many are kept as will be shown.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;

use serde::Serialize;

use crate::model::{SessionId, Timestamp};

/// Who wrote a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SearchRole {
    /// A person.
    User,
    /// The model.
    Assistant,
    /// A tool: its input and its output.
    Tool,
    /// Claude Code.
    Notice,
}

/// The kind of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum HitKind {
    /// Words of a person, the model or Claude Code.
    Message,
    /// The summary that replaces messages before a compaction.
    Summary,
    /// The output of a command that a person started.
    Output,
    /// The input of a tool.
    Call,
    /// The output of a tool.
    Result,
    /// Another file beside a transcript, such as an output that was too long for the transcript.
    File,
    /// The label of a call or a prompt, from a journal.
    Label,
    /// The title of the session.
    Title,
}

/// Where a text was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum HitSource {
    /// Claude Code's files.
    Transcript,
    /// An archive.
    Archive,
    /// A journal.
    Journal,
}

/// A message that contains what was searched for.
#[derive(Debug, Clone, Serialize)]
pub struct SearchHit {
    /// When the message was written.
    pub at: Option<Timestamp>,
    /// Who wrote the message.
    pub role: SearchRole,
    /// The kind of the message.
    pub kind: HitKind,
    /// The tool, if the message is a call or its result and the tool is known.
    pub tool: Option<String>,
    /// True if the call failed or was denied. For a [`HitKind::Call`], this is known only if the
    /// search is for failed calls or for tools.
    pub failed: bool,
    /// The id of the subagent in whose transcript the message is.
    pub agent_id: Option<String>,
    /// The id of the call.
    pub tool_use_id: Option<String>,
    /// The line with the match, redacted and safe to show.
    pub text: String,
    /// What kind of file the message was found in.
    pub source: HitSource,
    /// The file in which the message was found.
    pub path: PathBuf,
}

/// The hits of one session.
#[derive(Debug)]
pub struct FoundSession {
    /// The session.
    pub id: SessionId,
    /// How many messages match; `hits` may have fewer.
    pub count: u64,
    /// The time of the last matching message.
    pub last: Option<Timestamp>,
    /// The first matching messages, in the order of time.
    pub hits: Vec<SearchHit>,
}

/// A hit, with what identifies it and what orders it.
#[derive(Debug)]
pub(super) struct KeptHit {
    /// A hash that identifies the message: of its record's id, and of its index in the record.
    pub(super) key: u64,
    /// The order of hits with the same time: the number of the file, and of the hit in the file.
    pub(super) order: (usize, u64),
    pub(super) hit: SearchHit,
}

/// Collects the hits of one session.
#[derive(Debug, Default)]
pub(super) struct SessionHits {
    /// The earliest hits. Sorted and shortened from time to time.
    kept: Vec<KeptHit>,
    /// The keys of all hits, for counting each message once.
    keys: HashSet<u64>,
    /// The hashes of the messages of people that are in records of their own.
    said: HashSet<u64>,
    /// Hits in messages that waited in Claude Code's queue while the model worked, by the hash of
    /// the message. Such a message may also be in a record of its own.
    queued: HashMap<u64, KeptHit>,
    last: Option<Timestamp>,
}

impl SessionHits {
    /// Adds a hit, unless the message is a copy of one that was added. `text` is the hash of the
    /// whole message. At least `keep` hits are kept, and all are counted.
    pub(super) fn add(&mut self, kept: KeptHit, text: u64, keep: usize) {
        if !self.keys.insert(kept.key) {
            return;
        }
        if kept.hit.role == SearchRole::User {
            self.said.insert(text);
        }
        self.last = self.last.max(kept.hit.at);
        self.kept.push(kept);
        // Sort rarely, because sorting after every hit would take long.
        if self.kept.len() / 4 > keep.saturating_add(16) {
            self.trim(keep);
        }
    }

    /// Adds a hit in a message that waited in Claude Code's queue. `text` is the hash of the
    /// message.
    pub(super) fn add_queued(&mut self, kept: KeptHit, text: u64) {
        self.queued.entry(text).or_insert(kept);
    }

    /// Adds a hit in the session's title. The session was last written `at`.
    pub(super) fn add_title(&mut self, hit: SearchHit, at: Option<Timestamp>) {
        self.last = self.last.max(at);
        let kept = KeptHit {
            key: 0,
            order: (0, 0),
            hit,
        };
        self.keys.insert(kept.key);
        self.kept.push(kept);
    }

    /// Returns true if no hit was added.
    pub(super) fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.queued.is_empty()
    }

    /// Returns how many hits were added so far.
    pub(super) fn count(&self) -> u64 {
        self.keys.len() as u64
    }

    /// Returns the hits that are kept at present.
    pub(super) fn kept_mut(&mut self) -> impl Iterator<Item = &mut SearchHit> {
        self.kept.iter_mut().map(|kept| &mut kept.hit)
    }

    /// Adds the hits of the same session that another thread found.
    pub(super) fn merge(&mut self, other: Self, keep: usize) {
        self.keys.extend(other.keys);
        self.said.extend(other.said);
        self.queued.extend(other.queued);
        self.last = self.last.max(other.last);
        self.kept.extend(other.kept);
        self.kept.sort_by_key(|kept| (kept.key, kept.order));
        self.kept.dedup_by_key(|kept| kept.key);
        self.trim(keep);
    }

    /// Keeps only the `keep` earliest hits.
    pub(super) fn trim(&mut self, keep: usize) {
        let time = |kept: &KeptHit| (kept.hit.at.is_none(), kept.hit.at, kept.order);
        self.kept.sort_by_key(time);
        self.kept.truncate(keep);
    }

    /// Returns the session with its hits, or `None` without any.
    pub(super) fn finish(mut self, id: SessionId, keep: usize) -> Option<FoundSession> {
        let queued = std::mem::take(&mut self.queued);
        for (text, kept) in queued {
            if !self.said.contains(&text) {
                self.add(kept, text, keep);
            }
        }
        self.trim(keep);
        (!self.keys.is_empty()).then(|| FoundSession {
            id,
            count: self.count(),
            last: self.last,
            hits: self.kept.into_iter().map(|kept| kept.hit).collect(),
        })
    }
}
