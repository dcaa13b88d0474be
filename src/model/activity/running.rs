//! The set of running calls. Finding or ending one stays fast, even if many calls never end.
//!
//! Most sessions have few running calls. Those are searched linearly, the last one first. If there
//! are more, the oldest ones are moved to sorted sets, one for each combination of members by which
//! an event can name a call.

use std::collections::BTreeSet;

use super::by_process::{ProcessKey, is_of};
use crate::model::Call;

/// The most calls that are searched linearly.
pub(super) const FEW: usize = 64;

type CallIdKey<'a> = Option<&'a str>;
type AgentKey<'a> = Option<&'a str>;
type ToolKey<'a> = Option<&'a str>;

/// The members by which an event without a call id names a call.
#[derive(Debug, Clone, Copy)]
pub(super) struct ToolUse<'a> {
    pub(super) agent: AgentKey<'a>,
    pub(super) tool: ToolKey<'a>,
    pub(super) pid: ProcessKey,
}

/// Which calls an event ends.
#[derive(Debug, Clone, Copy)]
pub(super) enum CallScope<'k> {
    /// The calls of one thread (`None` for the main thread) in this process, or in any process if
    /// the process is unknown.
    Thread(AgentKey<'k>, ProcessKey),
    /// The calls of all threads in this process, or in any process if the process is unknown.
    Process(ProcessKey),
}

/// The running calls, by their indices in the list of all calls.
#[derive(Debug)]
pub(super) struct Running<'a> {
    few: usize,
    recent: Vec<usize>,
    lasting: LastingCalls<'a>,
}

/// The calls that are no longer searched linearly. Each set is sorted by members that an event may
/// contain.
#[derive(Debug, Default)]
struct LastingCalls<'a> {
    by_id: BTreeSet<(CallIdKey<'a>, AgentKey<'a>, usize)>,
    by_thread: BTreeSet<(AgentKey<'a>, ProcessKey, usize)>,
    by_process: BTreeSet<(ProcessKey, usize)>,
    /// Calls without an id.
    unnamed: BTreeSet<(AgentKey<'a>, ToolKey<'a>, ProcessKey, usize)>,
    /// Calls for which no permission was requested.
    unasked: BTreeSet<(AgentKey<'a>, ToolKey<'a>, ProcessKey, usize)>,
    unasked_by_size: BTreeSet<(AgentKey<'a>, ToolKey<'a>, ProcessKey, u64, usize)>,
}

impl<'a> Running<'a> {
    /// Creates an empty collection that searches up to `few` calls linearly.
    pub(super) fn new(few: usize) -> Self {
        Self {
            few,
            recent: Vec::new(),
            lasting: LastingCalls::default(),
        }
    }

    /// Adds the last of `calls`, which must be running.
    pub(super) fn push(&mut self, calls: &[Call<'a>]) {
        self.recent.push(calls.len().saturating_sub(1));
        if self.recent.len() > self.few {
            for place in self.recent.drain(..self.recent.len().div_ceil(2)) {
                if let Some(call) = calls.get(place) {
                    self.lasting.insert(place, call);
                }
            }
        }
    }

    /// Removes a call. Its id, agent, tool and process must be those with which it was added.
    pub(super) fn remove(&mut self, place: usize, calls: &[Call<'a>]) {
        if let Some(at) = self.recent.iter().rposition(|other| *other == place) {
            self.recent.remove(at);
        } else if let Some(call) = calls.get(place).filter(|_| !self.lasting.is_empty()) {
            self.lasting.remove(place, call);
        }
    }

    /// Returns the index of the last running call with an id and an agent. Both arguments describe
    /// them: `is_it` is used for the calls that are searched linearly, `key` for the others.
    pub(super) fn find(
        &self,
        is_it: impl Fn(usize) -> bool,
        key: impl FnOnce() -> (CallIdKey<'a>, AgentKey<'a>),
    ) -> Option<usize> {
        let recent = self.recent.iter().copied().rev().find(|it| is_it(*it));
        recent.or_else(|| {
            if self.lasting.is_empty() {
                return None;
            }
            let (id, agent) = key();
            let same = self
                .lasting
                .by_id
                .range((id, agent, 0)..=(id, agent, usize::MAX));
            same.last().map(|(_, _, place)| *place)
        })
    }

    /// Returns the index of the oldest running call of this tool and thread that has no id.
    pub(super) fn oldest_unnamed(&self, calls: &[Call<'a>], of: ToolUse<'a>) -> Option<usize> {
        oldest(&self.lasting.unnamed, of).or_else(|| {
            self.recent.iter().copied().find(|place| {
                calls
                    .get(*place)
                    .is_some_and(|call| call.tool_use_id.is_none() && is_of_tool(call, of))
            })
        })
    }

    /// Returns the index of the oldest running call of this tool and thread without a permission
    /// request, if possible of one with an input of `size` bytes. From then on, the call counts as
    /// one with a request.
    pub(super) fn ask(
        &mut self,
        calls: &[Call<'a>],
        of: ToolUse<'a>,
        size: Option<u64>,
    ) -> Option<usize> {
        let could_be = |place: &usize| {
            calls
                .get(*place)
                .is_some_and(|call| call.asked.is_none() && is_of_tool(call, of))
        };
        let is_as_long = |place: &usize| {
            let call = calls.get(*place);
            size.is_some() && call.is_some_and(|it| it.input_bytes == size)
        };
        let recent = || self.recent.iter().copied().filter(could_be);
        let lasting = &self.lasting;
        let place = size
            .and_then(|size| lasting.oldest_unasked_of(of.agent, of.tool, of.pid, size))
            .or_else(|| recent().find(is_as_long))
            .or_else(|| oldest(&lasting.unasked, of))
            .or_else(|| recent().next())?;
        if let Some(call) = calls.get(place).filter(|_| !self.lasting.is_empty()) {
            self.lasting.asked(place, call);
        }
        Some(place)
    }

    /// Removes the calls that an event of this thread or process ends, and returns their indices.
    pub(super) fn take(&mut self, calls: &[Call<'a>], whose: CallScope<'_>) -> Vec<usize> {
        let is_it = |place: &usize| {
            calls.get(*place).is_some_and(|call| match whose {
                CallScope::Thread(agent, pid) => call.agent_id == agent && is_of(call.pid, pid),
                CallScope::Process(pid) => is_of(call.pid, pid),
            })
        };
        let mut taken = Vec::new();
        if !self.lasting.is_empty() {
            taken = self.lasting.of(whose);
            for place in &taken {
                if let Some(call) = calls.get(*place) {
                    self.lasting.remove(*place, call);
                }
            }
        }
        self.recent.retain(|place| {
            let is_over = is_it(place);
            if is_over {
                taken.push(*place);
            }
            !is_over
        });
        taken
    }
}

fn is_of_tool(call: &Call<'_>, of: ToolUse<'_>) -> bool {
    call.agent_id == of.agent && call.tool == of.tool && is_of(call.pid, of.pid)
}

/// Returns the index of the oldest call of this tool and thread in a set.
fn oldest<'a>(
    set: &BTreeSet<(AgentKey<'a>, ToolKey<'a>, ProcessKey, usize)>,
    ToolUse { agent, tool, pid }: ToolUse<'a>,
) -> Option<usize> {
    let of = |pid| {
        let mut same = set.range((agent, tool, pid, 0)..=(agent, tool, pid, usize::MAX));
        same.next().map(|key| key.3)
    };
    match pid {
        Some(_) => [of(pid), of(None)].into_iter().flatten().min(),
        None => {
            let all = set.range((agent, tool, None, 0)..);
            let same = all.take_while(|key| (key.0, key.1) == (agent, tool));
            same.map(|key| key.3).min()
        }
    }
}

impl<'a> LastingCalls<'a> {
    fn is_empty(&self) -> bool {
        self.by_process.is_empty()
    }

    fn insert(&mut self, place: usize, call: &Call<'a>) {
        let (id, agent, tool, pid) = (call.tool_use_id, call.agent_id, call.tool, call.pid);
        self.by_id.insert((id, agent, place));
        self.by_thread.insert((agent, pid, place));
        self.by_process.insert((pid, place));
        if id.is_none() {
            self.unnamed.insert((agent, tool, pid, place));
        }
        if call.asked.is_none() {
            self.unasked.insert((agent, tool, pid, place));
            if let Some(size) = call.input_bytes {
                self.unasked_by_size.insert((agent, tool, pid, size, place));
            }
        }
    }

    fn remove(&mut self, place: usize, call: &Call<'a>) {
        let (id, agent, tool, pid) = (call.tool_use_id, call.agent_id, call.tool, call.pid);
        self.by_id.remove(&(id, agent, place));
        self.by_thread.remove(&(agent, pid, place));
        self.by_process.remove(&(pid, place));
        self.unnamed.remove(&(agent, tool, pid, place));
        self.asked(place, call);
    }

    fn asked(&mut self, place: usize, call: &Call<'a>) {
        let (agent, tool, pid) = (call.agent_id, call.tool, call.pid);
        self.unasked.remove(&(agent, tool, pid, place));
        if let Some(size) = call.input_bytes {
            self.unasked_by_size
                .remove(&(agent, tool, pid, size, place));
        }
    }

    fn oldest_unasked_of(
        &self,
        agent: AgentKey<'a>,
        tool: ToolKey<'a>,
        pid: ProcessKey,
        size: u64,
    ) -> Option<usize> {
        let set = &self.unasked_by_size;
        let of = |pid| {
            let from = (agent, tool, pid, size, 0);
            let mut same = set.range(from..=(agent, tool, pid, size, usize::MAX));
            same.next().map(|key| key.4)
        };
        match pid {
            Some(_) => [of(pid), of(None)].into_iter().flatten().min(),
            None => {
                let all = set.range((agent, tool, None, 0, 0)..);
                let same = all.take_while(|key| (key.0, key.1) == (agent, tool));
                same.filter(|key| key.3 == size).map(|key| key.4).min()
            }
        }
    }

    /// Returns the indices of the calls that an event of this thread or process ends.
    fn of(&self, whose: CallScope<'_>) -> Vec<usize> {
        match whose {
            CallScope::Thread(agent, Some(pid)) => {
                let of = |pid| {
                    let same = self
                        .by_thread
                        .range((agent, pid, 0)..=(agent, pid, usize::MAX));
                    same.map(|key| key.2)
                };
                of(Some(pid)).chain(of(None)).collect()
            }
            CallScope::Thread(agent, None) => {
                let all = self.by_thread.range((agent, None, 0)..);
                let same = all.take_while(|key| key.0 == agent);
                same.map(|key| key.2).collect()
            }
            CallScope::Process(Some(pid)) => {
                let of = |pid| {
                    let same = self.by_process.range((pid, 0)..=(pid, usize::MAX));
                    same.map(|key| key.1)
                };
                of(Some(pid)).chain(of(None)).collect()
            }
            CallScope::Process(None) => self.by_process.iter().map(|key| key.1).collect(),
        }
    }
}
