//! Reads a session's transcripts line by line. Determines which session and which thread a line
//! belongs to, and what it says about the session. [`super::events`] turns the line into events.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use super::calls::Calls;
use super::claims::{Claims, LineOwner, SourceIndex};
use super::events::{ImportedEvent, Subject};
use super::merge::Copies;
use super::thread::{FirstPrompt, Thread, ThreadAgent, Threads};
use crate::claude::messages::{ended_tasks, is_task_notification};
use crate::claude::transcript::line::{AgentMeta, ForkOrigin, TranscriptLine};
use crate::claude::transcript::{self, AgentFile, MAX_META, records};
use crate::claude::words::is_clients_own_agent;
use crate::model::event::name;
use crate::model::project::is_place;
use crate::model::{Capture, SessionId, Timestamp};
use crate::store::lines::{LineReader, NextLine};
use crate::store::{Result, file};

/// How many lines at the beginning of a subagent's transcript are searched for its type.
const OPENING: usize = 100;

/// What a session's lines say about the session itself.
#[derive(Debug, Default)]
pub(super) struct SessionFacts {
    pub(super) started_at: Option<Timestamp>,
    pub(super) cwd: Option<String>,
    /// The directory that the first lines name, even if it is not an absolute path; for the message
    /// that says why a session is skipped.
    pub(super) nowhere: Option<String>,
    pub(super) branch: Option<String>,
    pub(super) model: Option<String>,
    pub(super) agent_type: Option<String>,
    pub(super) title: Option<String>,
    /// The session that a fork was made from, if a line names it.
    pub(super) forked_from: Option<SessionId>,
    /// The session from which lines were copied.
    pub(super) copied_from: Option<SourceIndex>,
    /// The id of another session, if a line claims to belong to it.
    pub(super) names: Option<String>,
}

/// How many lines were skipped, by reason.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct SkippedLines {
    /// Copies of another session's lines, or repeated lines.
    pub copies: u64,
    /// Lines that are not JSON objects, or have no type, or are first and have no time.
    pub damaged: u64,
    /// Lines of more than 64 MiB.
    pub too_long: u64,
    /// Lines that name another session.
    pub foreign: u64,
    /// Lines of types that become no event.
    pub other: u64,
}

impl SkippedLines {
    /// Adds the counts of `more`.
    pub(super) fn add(&mut self, more: &Self) {
        self.copies += more.copies;
        self.damaged += more.damaged;
        self.too_long += more.too_long;
        self.foreign += more.foreign;
        self.other += more.other;
    }
}

/// Reads one session's transcripts, and collects the events.
#[derive(Debug)]
pub(super) struct SessionReader<'a> {
    pub(super) id: &'a SessionId,
    pub(super) place: SourceIndex,
    pub(super) capture: Capture,
    /// Lines before this time are copies from another session.
    pub(super) since: Option<Timestamp>,
    /// The session's directory, if it is on record.
    pub(super) cwd: Option<String>,
    pub(super) claims: &'a mut Claims,
    /// The id of the subagent that each call started, by the call's id.
    pub(super) spawned: HashMap<String, String>,
    /// The type of subagent that each call requested, by the call's id.
    pub(super) asked_kinds: HashMap<String, String>,
    /// The subagents whose own files state their type.
    pub(super) typed_agents: HashSet<String>,
    pub(super) calls: Calls,
    /// All subagents: each one's id, first prompt, and hash of its last message.
    pub(super) agents: Vec<(String, FirstPrompt, Option<u64>)>,
    /// Those of `agents` that Claude Code seems to run internally.
    pub(super) clients_own: HashSet<String>,
    /// The background tasks whose end some line reports to the model.
    pub(super) notified: HashSet<String>,
    /// When Claude Code queued a report on the end of a background task, by the task's id.
    pub(super) queued: HashMap<String, Timestamp>,
    /// The ids of calls that looked refused but were interrupted.
    pub(super) broken_off: HashSet<String>,
    pub(super) facts: SessionFacts,
    pub(super) made: Vec<ImportedEvent>,
    pub(super) copies: Copies,
    pub(super) skipped: SkippedLines,
}

impl SessionReader<'_> {
    /// Reads the session's own transcript. Call this before [`Self::agent`].
    ///
    /// # Errors
    /// Fails if the file cannot be opened or read. Events from the part that was read are kept.
    pub(super) fn main(&mut self, path: &Path) -> Result<()> {
        self.file(path, Thread::default())
    }

    /// Reads a subagent's transcript.
    ///
    /// # Errors
    /// Fails if the file cannot be opened or read. Events from the part that was read are kept.
    pub(super) fn agent(&mut self, agent: &AgentFile) -> Result<()> {
        let kind = agent_type(agent);
        let agent_id = agent.agent_id.clone();
        if kind.is_some() {
            self.typed_agents.insert(agent_id.clone());
        }
        self.file(&agent.path, Thread::of(ThreadAgent { id: agent_id, kind }))
    }

    /// Reads which call started a subagent, if Claude Code wrote that to the subagent's
    /// `.meta.json`.
    pub(super) fn meta(&mut self, agent: &AgentFile) {
        let _ = with_meta(agent, |meta| {
            let call = meta.tool_use_id.owned()?;
            self.spawned.insert(call, agent.agent_id.clone());
            Some(())
        });
    }

    fn file(&mut self, path: &Path, own: Thread) -> Result<()> {
        let Some(mut lines) = LineReader::open(path)? else {
            return Ok(());
        };
        let mut threads = Threads::new(own);
        let read = loop {
            match lines.next_line() {
                Ok(None) => break Ok(()),
                Ok(Some(NextLine::TooLong)) => self.skipped.too_long += 1,
                Ok(Some(NextLine::Line(bytes))) => {
                    let damaged = records::read(bytes, |line| self.line(line, path, &mut threads));
                    self.skipped.damaged += damaged;
                }
                // Claude Code may still be writing this line, so it does not count as damaged.
                Ok(Some(NextLine::Unfinished(bytes))) => {
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

    fn line(&mut self, line: &TranscriptLine<'_>, path: &Path, threads: &mut Threads) {
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
            // A line without a time was written after the one before it.
            _ => match line.at().or(threads.last) {
                Some(at) => {
                    threads.last = Some(at);
                    self.said(&kind, line, at, path, threads);
                }
                None => self.skipped.damaged += 1,
            },
        }
    }

    /// Returns whether the line is copied from another session or was already read.
    fn is_copy(&mut self, line: &TranscriptLine<'_>) -> bool {
        let origin: Option<ForkOrigin<'_>> = line.forked_from.get();
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
            Some(LineOwner::CopyOf(other)) => {
                self.facts.copied_from = Some(other);
                self.copies.extend(line.at().map(|at| (at, other)));
                true
            }
            Some(LineOwner::Repeated) => true,
            Some(LineOwner::Own) | None => false,
        }
    }

    /// Records the time at which Claude Code queued a report on the end of a background task.
    fn queued(&mut self, line: &TranscriptLine<'_>) {
        self.skipped.other += 1;
        let text = line.content.text();
        let text = text.filter(|text| is_task_notification(text));
        for task in text.iter().flat_map(|text| ended_tasks(text)) {
            if let Some(at) = line.at() {
                self.queued.entry(task).or_insert(at);
            }
        }
    }

    /// Handles a line of a conversation.
    fn said(
        &mut self,
        kind: &str,
        line: &TranscriptLine<'_>,
        at: Timestamp,
        path: &Path,
        threads: &mut Threads,
    ) {
        if kind == "attachment" {
            self.skipped.other += 1;
            let thread = threads.of(line, path);
            return self.attachment(line, thread.not_before_last(at), thread);
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
        let at = thread.not_before_last(at);
        let before = self.made.len();
        match kind {
            "user" => self.user(line, at, thread),
            "assistant" => self.assistant(line, at, thread),
            _ => self.system(line, at, thread),
        }
        if self.made.len() > before {
            thread.has_event(at);
        }
    }
}

fn with_meta<T>(agent: &AgentFile, read: impl FnOnce(AgentMeta<'_>) -> Option<T>) -> Option<T> {
    let content = file::read_own(&agent.meta(), MAX_META).ok()??;
    read(serde_json::from_slice(&content.bytes).ok()?)
}

/// Returns a subagent's type from its `.meta.json`, or else from its first lines.
fn agent_type(agent: &AgentFile) -> Option<String> {
    with_meta(agent, |meta| meta.agent_type.owned())
        .or_else(|| transcript::first(&agent.path, OPENING, |line| line.attribution_agent.owned()))
}
