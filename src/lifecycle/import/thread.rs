//! One line of conversation in a transcript, the main one or a subagent's: which calls are open, and whether its turn
//! has ended.

use std::collections::HashMap;

use super::claims::hash;
use super::merge::UNNAMED;
use crate::lifecycle::transcript::line::{Line, Member};
use crate::model::Timestamp;

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
    /// The prompt that came last.
    prompted: Option<String>,
    has_begun: bool,
    /// The tools of all calls so far, and whether each is open.
    calls: HashMap<String, (String, bool)>,
    /// How many calls of this turn are open.
    open: usize,
    /// When the last word was said, if it can have been the turn's.
    last_word: Option<Timestamp>,
}

impl Thread {
    pub(super) fn of(agent: Agent) -> Self {
        Self {
            agent: Some(agent),
            ..Self::default()
        }
    }

    pub(super) fn agent_id(&self) -> Option<String> {
        self.agent.as_ref().map(|agent| agent.id.clone())
    }

    /// Whether this is its first line.
    pub(super) fn begin(&mut self) -> bool {
        !std::mem::replace(&mut self.has_begun, true)
    }

    /// Whether a prompt is another than the last one; a prompt may have several lines.
    pub(super) fn is_new_prompt(&mut self, line: &Line<'_>) -> bool {
        let id = line.prompt_id.owned();
        let is_new = id.is_none() || id != self.prompted;
        self.prompted = id;
        is_new
    }

    /// A call begins. Whether it is a new one is the answer.
    pub(super) fn open_call(&mut self, id: &str, tool: &str) -> bool {
        if self.calls.contains_key(id) {
            return false;
        }
        self.calls.insert(id.to_owned(), (tool.to_owned(), true));
        self.open += 1;
        self.last_word = None;
        true
    }

    /// A call ends. Its tool is the answer; nothing for one that is not open.
    pub(super) fn close_call(&mut self, id: &str) -> Option<String> {
        let (tool, is_open) = self.calls.get_mut(id)?;
        if !std::mem::take(is_open) {
            return None;
        }
        let tool = tool.clone();
        self.open = self.open.saturating_sub(1);
        self.last_word = None;
        Some(tool)
    }

    /// The assistant said something, maybe its turn's last word: not while a call is open.
    pub(super) fn said(&mut self, at: Timestamp, may_be_last: bool) {
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
    /// Which of `side` a line is of, by its uuid's hash.
    chains: HashMap<u64, usize>,
}

impl Threads {
    /// The threads of a file that is `own`'s.
    pub(super) fn new(own: Thread) -> Self {
        Self {
            own,
            side: Vec::new(),
            chains: HashMap::new(),
        }
    }

    /// All of them, the subagents' first.
    pub(super) fn into_all(self) -> impl Iterator<Item = Thread> {
        self.side.into_iter().chain([self.own])
    }

    /// The thread that a line is of.
    pub(super) fn of(&mut self, line: &Line<'_>) -> &mut Thread {
        if self.own.agent.is_some() || !line.is_sidechain.is_true() {
            return &mut self.own;
        }
        let hashed = |member: Member<'_>| member.text().map(|uuid| hash(&uuid));
        let known = hashed(line.parent_uuid).and_then(|parent| self.chains.get(&parent).copied());
        let index = known.unwrap_or_else(|| {
            // Such lines name no subagent: it is called after its first line.
            let first = || line.uuid.text().unwrap_or_default();
            let id = line
                .agent_id
                .owned()
                .unwrap_or_else(|| format!("{UNNAMED}{:.8}", first()));
            self.side.push(Thread::of(Agent { id, kind: None }));
            self.side.len() - 1
        });
        if let Some(uuid) = hashed(line.uuid) {
            self.chains.insert(uuid, index);
        }
        self.side.get_mut(index).unwrap_or(&mut self.own)
    }
}
