//! A session's transcripts are read line by line: whose a line is, what it says of the session, and of which thread it is.
//! What happened in it is [`super::events`]'s.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use super::calls::Calls;
use super::claims::{Claim, Claims, Place};
use super::events::{Made, Subject};
use super::merge::Copies;
use super::thread::{Agent, Asked, Thread, Threads};
use crate::claude::messages::{ended_tasks, is_task_notification};
use crate::claude::transcript::line::{AgentMeta, Line, Origin};
use crate::claude::transcript::{self, AgentFile, MAX_META, records};
use crate::claude::words::is_clients_own_agent;
use crate::model::event::name;
use crate::model::project::is_place;
use crate::model::{Capture, SessionId, Timestamp};
use crate::store::lines::{Found, Lines};
use crate::store::{Result, file};

/// How many lines at its beginning tell a subagent's type.
const OPENING: usize = 100;

/// What the lines say of the session itself.
#[derive(Debug, Default)]
pub(super) struct Facts {
    pub(super) started_at: Option<Timestamp>,
    pub(super) cwd: Option<String>,
    /// A directory that lines name which is no absolute path.
    pub(super) nowhere: Option<String>,
    pub(super) branch: Option<String>,
    pub(super) model: Option<String>,
    pub(super) agent_type: Option<String>,
    pub(super) title: Option<String>,
    /// The session that a fork says it was made from.
    pub(super) forked_from: Option<SessionId>,
    /// The session that the copies among the lines are from.
    pub(super) copied_from: Option<Place>,
    /// A session that lines name which is not this one.
    pub(super) names: Option<String>,
}

/// Lines that were passed over.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Skipped {
    /// Copies of another session's lines, or lines that are there twice.
    pub copies: u64,
    /// Lines that are no JSON object, or have no type.
    pub damaged: u64,
    /// Lines of more than 64 MiB.
    pub too_long: u64,
    /// Lines that name another session.
    pub foreign: u64,
    /// Lines of types that no event is made of.
    pub other: u64,
}

impl Skipped {
    /// Adds the numbers of `more`.
    pub(super) fn add(&mut self, more: &Self) {
        self.copies += more.copies;
        self.damaged += more.damaged;
        self.too_long += more.too_long;
        self.foreign += more.foreign;
        self.other += more.other;
    }
}

/// One session that is being read.
#[derive(Debug)]
pub(super) struct Reading<'a> {
    pub(super) id: &'a SessionId,
    pub(super) place: Place,
    pub(super) capture: Capture,
    /// Lines before this are copies of another session's.
    pub(super) since: Option<Timestamp>,
    /// Where the session is, if that is on record.
    pub(super) cwd: Option<String>,
    pub(super) claims: &'a mut Claims,
    /// The subagents that calls started, by the call.
    pub(super) spawned: HashMap<String, String>,
    pub(super) calls: Calls,
    /// The subagents: what each was asked, and said last.
    pub(super) agents: Vec<(String, Asked, Option<u64>)>,
    /// Those of them that the client seems to run for itself.
    pub(super) clients_own: HashSet<String>,
    /// The background tasks of which a line tells the model the end.
    pub(super) notified: HashSet<String>,
    /// When the client heard of the end of others.
    pub(super) queued: HashMap<String, Timestamp>,
    /// The calls that seemed to be refused, and were broken off.
    pub(super) broken_off: HashSet<String>,
    pub(super) facts: Facts,
    pub(super) made: Vec<Made>,
    pub(super) copies: Copies,
    pub(super) skipped: Skipped,
}

impl Reading<'_> {
    /// Reads the session's own transcript. A subagent's is read by [`Self::agent`], after it.
    ///
    /// # Errors
    /// Where the file cannot be opened or read; what was read before stays.
    pub(super) fn main(&mut self, path: &Path) -> Result<()> {
        self.file(path, Thread::default())
    }

    /// Reads a subagent's transcript.
    ///
    /// # Errors
    /// As [`Self::main`].
    pub(super) fn agent(&mut self, agent: &AgentFile) -> Result<()> {
        let kind = agent_type(agent);
        let agent_id = agent.agent_id.clone();
        self.file(&agent.path, Thread::of(Agent { id: agent_id, kind }))
    }

    /// Learns which call started a subagent, where the client says so in a file of its own.
    pub(super) fn meta(&mut self, agent: &AgentFile) {
        let _ = with_meta(agent, |meta| {
            let call = meta.tool_use_id.owned()?;
            self.spawned.insert(call, agent.agent_id.clone());
            Some(())
        });
    }

    fn file(&mut self, path: &Path, own: Thread) -> Result<()> {
        let Some(mut lines) = Lines::open(path)? else {
            return Ok(());
        };
        let mut threads = Threads::new(own);
        let read = loop {
            match lines.next_line() {
                Ok(None) => break Ok(()),
                Ok(Some(Found::TooLong)) => self.skipped.too_long += 1,
                Ok(Some(Found::Line(bytes))) => {
                    let damaged = records::read(bytes, |line| self.line(line, path, &mut threads));
                    self.skipped.damaged += damaged;
                }
                // What is not whole the client may still be writing.
                Ok(Some(Found::Unfinished(bytes))) => {
                    records::read(bytes, |line| self.line(line, path, &mut threads));
                }
                Err(err) => break Err(err),
            }
        };
        for thread in threads.into_all() {
            self.end_of(thread);
        }
        read
    }

    fn line(&mut self, line: &Line<'_>, path: &Path, threads: &mut Threads) {
        let Some(kind) = line.kind.text() else {
            self.skipped.damaged += 1;
            return;
        };
        if !matches!(
            &*kind,
            "user"
                | "assistant"
                | "system"
                | "attachment"
                | "queue-operation"
                | "custom-title"
                | "agent-setting"
        ) {
            self.skipped.other += 1;
            return;
        }
        let session = line.session_id.text();
        if let Some(other) = session.filter(|session| **session != *self.id.as_str()) {
            self.facts.names = Some(other.into_owned());
            self.skipped.foreign += 1;
            return;
        }
        if self.is_copy(line) {
            self.skipped.copies += 1;
            return;
        }
        match &*kind {
            "custom-title" => {
                self.facts.title = line.custom_title.owned().or(self.facts.title.take());
            }
            "agent-setting" => {
                self.facts.agent_type = line.agent_setting.owned().or(self.facts.agent_type.take());
            }
            "queue-operation" => self.queued(line),
            _ => match line.at() {
                Some(at) => self.said(&kind, line, at, path, threads),
                None => self.skipped.damaged += 1,
            },
        }
    }

    /// Whether the line is another session's, or was there before.
    fn is_copy(&mut self, line: &Line<'_>) -> bool {
        let origin: Option<Origin<'_>> = line.forked_from.get();
        let origin = origin.and_then(|origin| origin.session_id.text()?.parse().ok());
        if let Some(origin) = origin.filter(|origin| origin != self.id) {
            self.facts.forked_from = Some(origin);
            return true;
        }
        if let (Some(since), Some(at)) = (self.since, line.at())
            && at < since
        {
            return true;
        }
        match line
            .uuid
            .text()
            .map(|uuid| self.claims.claim(&uuid, self.place))
        {
            Some(Claim::CopyOf(other)) => {
                self.facts.copied_from = Some(other);
                self.copies.extend(line.at().map(|at| (at, other)));
                true
            }
            Some(Claim::Repeated) => true,
            Some(Claim::Own) | None => false,
        }
    }

    /// The client heard that a background task has ended.
    fn queued(&mut self, line: &Line<'_>) {
        self.skipped.other += 1;
        let text = line.content.text();
        let text = text.filter(|text| is_task_notification(text));
        for task in text.iter().flat_map(|text| ended_tasks(text)) {
            if let Some(at) = line.at() {
                self.queued.entry(task).or_insert(at);
            }
        }
    }

    /// A line of a conversation.
    fn said(
        &mut self,
        kind: &str,
        line: &Line<'_>,
        at: Timestamp,
        path: &Path,
        threads: &mut Threads,
    ) {
        if kind == "attachment" {
            self.skipped.other += 1;
            return self.attachment(line, at, threads.of(line, path));
        }
        let facts = &mut self.facts;
        facts.started_at = Some(facts.started_at.map_or(at, |start| start.min(at)));
        if facts.cwd.is_none() {
            let cwd = line.cwd.owned();
            facts.nowhere = facts.nowhere.take().or_else(|| cwd.clone());
            facts.cwd = cwd.filter(|cwd| is_place(cwd));
            facts.branch = line.git_branch.owned().filter(|branch| branch != "HEAD");
        }
        let thread = threads.of(line, path);
        if thread.agent.is_some() {
            thread.prompt_id = line.prompt_id.owned().or(thread.prompt_id.take());
        }
        if thread.begin(at, self.made.len())
            && let Some(agent) = &thread.agent
        {
            thread.is_clients_own |= is_clients_own_agent(&agent.id);
            let started = self.event(name::SUBAGENT_START, at, thread, line);
            self.make(Subject::Agent(agent.id.clone()), started);
        }
        match kind {
            "user" => self.user(line, at, thread),
            "assistant" => self.assistant(line, at, thread),
            _ => self.system(line, at, thread),
        }
    }
}

fn with_meta<T>(agent: &AgentFile, read: impl FnOnce(AgentMeta<'_>) -> Option<T>) -> Option<T> {
    let content = file::read_own(&agent.meta(), MAX_META).ok()??;
    read(serde_json::from_slice(&content.bytes).ok()?)
}

/// A subagent's type: what its `.meta.json` says, else its first lines.
fn agent_type(agent: &AgentFile) -> Option<String> {
    with_meta(agent, |meta| meta.agent_type.owned())
        .or_else(|| transcript::first(&agent.path, OPENING, |line| line.attribution_agent.owned()))
}
