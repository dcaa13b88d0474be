//! Turns a line of a conversation into the event that a hook would have recorded at that moment.
//!
//! Assistant text and tool output are never copied, at any capture level: the transcript contains
//! them already. Only the label of a prompt is kept.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use super::calls::ResultMatch;
use super::claims::hash;
use super::reading::SessionReader;
use super::thread::{FirstPrompt, Thread};
use crate::claude::messages::{
    denial, ended_tasks, error_class, is_clients_own_prompt, is_interruption, is_task_notification,
    is_word, outcome_in,
};
use crate::claude::transcript::line::{
    Attachment, Block, CompactMetadata, LazyMember, MADE_UP, Message, Permission, ResultDetails,
    TranscriptLine, blocks, text_of,
};
use crate::claude::transcript::said::wrapping::{is_local_command, pieces, typed};
use crate::model::event::{
    self, CallOutcome, TASK_NOTIFICATION, TRANSCRIPT, name, task_id_of, tasks_in,
};
use crate::model::label::{self, beginning, label, prompt_label};
use crate::model::redact::Redactor;
use crate::model::{Capture, Event, Timestamp};

/// How the result of a call begins that failed before its tool ran. Claude Code writes it.
const TOOL_ERROR: &str = "<tool_use_error>";
/// How the result of a call begins that the user rejected or interrupted.
const REJECTED: &str = "The user doesn't want to proceed with this tool use";
/// The words before the reason that the user gave for a rejection. An interruption has no reason.
const USERS_WORDS: &str = "the user said:";
/// The beginning of `toolUseResult` in results that the tool or the permission prompt produced.
const MADE_BY_TOOL: &str = "Error: ";
/// The newest known version of Claude Code that does not record whether a rejected call had already
/// begun to run.
const LAST_SILENT: [u32; 3] = [2, 1, 322];

/// What an event is about. It decides whether a hook has recorded the same event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Subject {
    /// The session's start.
    Start,
    /// A prompt, with its id.
    Prompt(Option<String>),
    /// The end of a turn, with the id of its prompt.
    TurnEnd(Option<String>),
    /// The start or end of a subagent, with its id.
    Agent(String),
    /// A call, with the id of the subagent that made it, if one did, and its own id.
    Call(Option<String>, String),
    /// A compaction, with the id of the current prompt.
    Compaction(Option<String>),
    /// The end of a background task that no prompt reports, with the task's id.
    Notice(String),
    /// An event that this version would not create; another version imported it.
    Other,
}

impl Subject {
    /// Returns the subagent that the event is about.
    pub(super) fn agent(&self) -> Option<&str> {
        match self {
            Self::Agent(agent) | Self::Call(Some(agent), _) => Some(agent),
            _ => None,
        }
    }

    /// Redacts secrets in the subject's ids. The event's ids are redacted too, so the two still
    /// match when the event is read again.
    fn redact_words(&mut self) {
        let (first, second) = match self {
            Self::Prompt(id) | Self::TurnEnd(id) | Self::Compaction(id) => (id.as_mut(), None),
            Self::Agent(id) | Self::Notice(id) => (Some(id), None),
            Self::Call(agent, id) => (agent.as_mut(), Some(id)),
            Self::Start | Self::Other => (None, None),
        };
        for id in first.into_iter().chain(second) {
            Redactor::default().word(id);
        }
    }
}

/// An event that an import creates, encoded as a journal line, with what is needed to compare it.
#[derive(Debug)]
pub(super) struct ImportedEvent {
    pub(super) at: Timestamp,
    pub(super) subject: Subject,
    /// The event's name.
    pub(super) name: String,
    /// True for the end of a turn or subagent without an error. Such an end may only be inferred,
    /// because no further lines follow.
    pub(super) is_concluded: bool,
    /// The ids of a call and of the subagent that it started, if the event contains both.
    pub(super) spawns: Option<(String, String)>,
    /// The background task whose end the event reports.
    pub(super) notifies: Vec<String>,
    pub(super) line: Vec<u8>,
}

impl ImportedEvent {
    /// Wraps an event that happened at `at`.
    fn new(subject: Subject, at: Timestamp, event: &Event) -> Self {
        Self {
            at,
            subject,
            name: event.event.clone(),
            is_concluded: matches!(event.event.as_str(), name::STOP | name::SUBAGENT_STOP)
                && event.error.is_none(),
            spawns: event.tool_use_id.clone().zip(event.spawned_agent.clone()),
            notifies: event
                .task_id
                .iter()
                .flat_map(|ids| tasks_in(ids))
                .map(str::to_owned)
                .collect(),
            line: event.encode(),
        }
    }

    /// Renames the event's subagents, as `names` says.
    pub(super) fn rename(&mut self, names: &HashMap<String, String>) {
        let is_renamed = |agent: Option<&str>| agent.is_some_and(|agent| names.contains_key(agent));
        let spawned = self.spawns.as_ref().map(|(_, agent)| agent.as_str());
        if !is_renamed(self.subject.agent()) && !is_renamed(spawned) {
            return;
        }
        let Ok(mut event) = Event::decode(&self.line) else {
            return;
        };
        for agent in [&mut event.agent_id, &mut event.spawned_agent]
            .into_iter()
            .flatten()
        {
            if let Some(name) = names.get(agent) {
                agent.clone_from(name);
            }
        }
        if let Some(renamed) = Self::again(&event) {
            *self = renamed;
        }
    }

    /// Wraps an event that an earlier import created. Returns `None` if it has no time.
    pub(super) fn again(event: &Event) -> Option<Self> {
        let (agent, prompt) = (event.agent_id.clone(), || event.prompt_id.clone());
        let subject = match (event.event.as_str(), &event.tool_use_id, agent) {
            (_, Some(call), agent) => Subject::Call(agent, call.clone()),
            (_, None, Some(agent)) => Subject::Agent(agent),
            (name::SESSION_START, ..) => Subject::Start,
            (name::USER_PROMPT_SUBMIT, ..) => Subject::Prompt(prompt()),
            (name::STOP | name::STOP_FAILURE, ..) => Subject::TurnEnd(prompt()),
            (name::TASK_NOTIFICATION, ..) => match &event.task_id {
                Some(task) => Subject::Notice(task.clone()),
                None => Subject::Other,
            },
            (name::PRE_COMPACT | name::POST_COMPACT, ..) => Subject::Compaction(prompt()),
            _ => Subject::Other,
        };
        Some(Self::new(subject, event.ts?, event))
    }
}

impl SessionReader<'_> {
    pub(super) fn user(&mut self, line: &TranscriptLine<'_>, at: Timestamp, thread: &mut Thread) {
        let Some(message) = line.message.get::<Message<'_>>() else {
            return;
        };
        let is_result = |block: &&Block<'_>| block.kind.text().as_deref() == Some("tool_result");
        let blocks = blocks(message.content);
        let results: Vec<&Block<'_>> = blocks.iter().filter(is_result).collect();
        for result in &results {
            // The line's details do not say which result they belong to, so use them only if the
            // line has a single result.
            let details = if results.len() == 1 {
                line.tool_use_result
            } else {
                LazyMember::default()
            };
            self.result(line, result, details, at, thread);
        }
        let mut texts = blocks.iter().filter_map(|block| block.text.text());
        let whole = message.content.text();
        if texts.any(|text| is_interruption(&text))
            || whole.is_some_and(|text| is_interruption(&text))
        {
            let names_message = line.interrupted_message_id.text().is_some();
            self.broken_off.extend(thread.broken_off(names_message));
        }
        let is_by_client = [
            line.is_meta,
            line.is_compact_summary,
            line.is_visible_in_transcript_only,
        ];
        if thread.agent.is_some() && results.is_empty() && thread.asked.is_none() {
            let mut texts: Vec<_> = blocks
                .iter()
                .filter_map(|block| block.text.text())
                .collect();
            texts.extend(message.content.text());
            let first = texts.first().map(|text| text.trim());
            thread.is_clients_own |= first.is_some_and(is_clients_own_prompt);
            let texts = texts.iter().map(|text| hash(text)).collect();
            thread.asked = Some(FirstPrompt { at, texts });
        }
        if results.is_empty()
            && thread.agent.is_none()
            && !is_by_client.into_iter().any(LazyMember::is_true)
        {
            let whole = message.content.text().into_iter();
            let texts = whole.chain(blocks.iter().filter_map(text_block));
            // Text for the model alone does not tell what a message is.
            let texts: Vec<_> = texts.filter(|text| !pieces(text).is_empty()).collect();
            if !texts.is_empty() || has_picture(&blocks) {
                self.prompt(line, &texts, at, thread);
            }
        }
    }

    fn prompt(
        &mut self,
        line: &TranscriptLine<'_>,
        texts: &[Cow<'_, str>],
        at: Timestamp,
        thread: &mut Thread,
    ) {
        let texts: Vec<&str> = texts.iter().map(|text| text.trim_start()).collect();
        if texts.first().is_some_and(|text| is_interruption(text)) {
            self.turn_ends(thread, name::STOP, Some("interrupted".to_owned()), at);
            return;
        }
        if texts.first().is_some_and(|text| is_local_command(text)) {
            return;
        }
        let notices = texts.iter().filter(|text| is_task_notification(text));
        let ended: Vec<String> = notices.flat_map(|text| ended_tasks(text)).collect();
        if !thread.is_new_prompt(line) {
            for task in ended {
                self.task_ends(task, at, thread);
            }
            return;
        }
        self.end_turn(thread);
        thread.begin_turn(line.prompt_id.owned());
        let mut event = self.event(name::USER_PROMPT_SUBMIT, at, thread, line);
        // Claude Code writes this word where no branch is checked out.
        event.branch = line.git_branch.owned().filter(|branch| branch != "HEAD");
        if texts.iter().any(|text| is_task_notification(text)) {
            event.source = Some(TASK_NOTIFICATION.to_owned());
            event.task_id = task_id_of(&ended);
            self.notified.extend(ended);
        } else if self.capture != Capture::Metadata {
            let typed: Vec<_> = texts.iter().map(|text| typed(text)).collect();
            let mut redactor = Redactor::default();
            event.what = prompt_label(&typed.join("\n"), true, &mut redactor);
            event.redacted = redactor.into_counts();
        }
        self.make(Subject::Prompt(thread.prompt_id.clone()), event);
    }

    /// Handles an attachment, a message in the middle of a turn, which may report that background
    /// tasks ended.
    pub(super) fn attachment(&mut self, line: &TranscriptLine<'_>, at: Timestamp, thread: &Thread) {
        let told: Attachment<'_> = line.attachment.get().unwrap_or_default();
        if told.kind.text().as_deref() != Some("queued_command") {
            return;
        }
        let text = text_of(told.prompt).filter(|text| is_task_notification(text));
        for task in text.iter().flat_map(|text| ended_tasks(text)) {
            self.task_ends(task, at, thread);
        }
    }

    fn task_ends(&mut self, task: String, at: Timestamp, thread: &Thread) {
        if !self.notified.insert(task.clone()) {
            return;
        }
        let mut event = self.event(
            name::TASK_NOTIFICATION,
            at,
            thread,
            &TranscriptLine::default(),
        );
        event.source = Some(TASK_NOTIFICATION.to_owned());
        event.task_id = Some(task.clone());
        self.make(Subject::Notice(task), event);
    }

    /// Adds the ends of background tasks that Claude Code queued but never reported to the model.
    pub(super) fn tasks_end(&mut self) {
        let mut queued: Vec<_> = std::mem::take(&mut self.queued).into_iter().collect();
        queued.sort();
        for (task, at) in queued {
            self.task_ends(task, at, &Thread::default());
        }
    }

    pub(super) fn assistant(
        &mut self,
        line: &TranscriptLine<'_>,
        at: Timestamp,
        thread: &mut Thread,
    ) {
        let Some(message) = line.message.get::<Message<'_>>() else {
            return;
        };
        if line.is_api_error_message.is_true() {
            if thread.agent.is_none() {
                let named = line.error.owned().filter(|error| is_word(error));
                let error = named.unwrap_or_else(|| "other".to_owned());
                self.turn_ends(thread, name::STOP_FAILURE, Some(error), at);
            }
            return;
        }
        // Skip the answer that Claude Code makes up after an interrupted turn when the session is
        // resumed.
        if message.model.text().as_deref() == Some(MADE_UP) {
            return;
        }
        thread.goes_on();
        if thread.agent.is_none() && self.facts.model.is_none() {
            self.facts.model = message.model.owned();
        }
        let mut calls = 0;
        for block in blocks(message.content) {
            if block.kind.text().as_deref() == Some("tool_use") {
                calls += 1;
                self.call(line, &block, at, thread);
            }
        }
        let stop = message.stop_reason.text();
        // Old versions of Claude Code do not write why the model stopped.
        let may_be_last = matches!(stop.as_deref(), None | Some("end_turn" | "stop_sequence"));
        if calls == 0 {
            thread.word(at, may_be_last);
        }
        thread.said = text_of(message.content).map(|text| hash(&text));
    }

    fn call(
        &mut self,
        line: &TranscriptLine<'_>,
        block: &Block<'_>,
        at: Timestamp,
        thread: &mut Thread,
    ) {
        let (Some(id), Some(tool)) = (block.id.owned(), block.name.owned()) else {
            return;
        };
        if !self.calls.begin(&id, &tool, thread) {
            return;
        }
        // If the result is on an earlier line, the call began at its own time.
        let early = self.calls.early_at(&id, thread.agent_id());
        let at = early.map_or(at, |early| line.at().unwrap_or(at).min(early));
        thread.call_begins();
        if matches!(&*tool, "Agent" | "Task") {
            let asks: SpawnInput<'_> = block.input.get().unwrap_or_default();
            if let Some(prompt) = asks.prompt.text() {
                self.calls.spawns(&id, thread.agent_id(), at, hash(&prompt));
            }
            if let Some(mut kind) = asks.subagent_type.owned() {
                Redactor::default().word(&mut kind);
                self.asked_kinds.insert(id.clone(), kind);
            }
        }
        let mut event = self.event(name::PRE_TOOL_USE, at, thread, line);
        event.tool = Some(tool);
        event.tool_use_id = Some(id.clone());
        // If the call has no result, only this event can name the subagent.
        event.spawned_agent = self.spawned.get(&id).cloned();
        event.input_bytes = block.input.size();
        let mut redactor = Redactor::default();
        event.what = self.what(block.input, &mut redactor);
        event.redacted = redactor.into_counts();
        self.make(Subject::Call(event.agent_id.clone(), id.clone()), event);
        if let Some(result) = self.calls.early(&id, thread.agent_id()) {
            thread.call_ends();
            self.make_result(id, result);
        }
    }

    fn make_result(&mut self, id: String, mut result: Event) {
        result.spawned_agent = result
            .spawned_agent
            .or_else(|| self.spawned.get(&id).cloned());
        self.make(Subject::Call(result.agent_id.clone(), id), result);
    }

    fn what(&self, input: LazyMember<'_>, redactor: &mut Redactor) -> Option<String> {
        if self.capture == Capture::Metadata {
            return None;
        }
        let inputs: HashMap<LazyMember<'_>, LazyMember<'_>> = input.get()?;
        let inputs: HashMap<_, _> = inputs
            .iter()
            .filter_map(|(key, value)| Some((key.text()?, value)))
            .collect();
        let texts: Vec<(&str, _)> = label::INPUTS
            .into_iter()
            .filter_map(|key| Some((key, inputs.get(key)?.text()?)))
            .collect();
        let input = |key: &str| {
            let (_, text) = texts.iter().find(|(name, _)| *name == key)?;
            Some(beginning(text, true))
        };
        label(input, redactor)
    }

    fn result(
        &mut self,
        line: &TranscriptLine<'_>,
        block: &Block<'_>,
        details: LazyMember<'_>,
        at: Timestamp,
        thread: &mut Thread,
    ) {
        let Some(id) = block.tool_use_id.owned() else {
            return;
        };
        let how = how_it_came(line, block, details);
        if how == CallReturn::Never {
            self.calls.has_no_result(&id, thread.agent_id());
            return;
        }
        let told: ResultDetails<'_> = details.get().unwrap_or_default();
        let (name, error) = outcome(line, block, &told);
        let mut event = self.event(name, at, thread, line);
        event.ok = error.is_none().then_some(true);
        if name == name::POST_TOOL_USE {
            event.output_bytes = details.size().or_else(|| block.content.size());
        } else {
            event.ok = (name == name::POST_TOOL_USE_FAILURE).then_some(false);
        }
        event.error = error;
        event.duration_ms = told
            .total_duration_ms
            .get()
            .or_else(|| told.duration_ms.get());
        event.spawned_agent = told.agent_id.owned();
        let agent = || {
            told.is_async
                .is_true()
                .then(|| told.agent_id.owned())
                .flatten()
        };
        event.background = told.background_task_id.owned().or_else(agent);
        event.tool_use_id = Some(id.clone());
        let text = text_of(block.content).map(|text| hash(&text));
        let ended = self.calls.end(&id, thread.agent_id(), &mut event, text);
        match ended {
            ResultMatch::Own | ResultMatch::Others => self.make_result(id.clone(), event),
            // The call may be on a later line, in another session, or on a line that was skipped.
            ResultMatch::Early | ResultMatch::Again => {}
        }
        if matches!(ended, ResultMatch::Own) {
            thread.call_ends();
        }
        if let CallReturn::Doubtful {
            is_rather_broken_off,
        } = how
        {
            thread.doubt(id, is_rather_broken_off);
        }
    }

    /// Removes the `PermissionDenied` events of calls that turned out to be interrupted, not
    /// refused. Call this after all lines were read.
    pub(super) fn take_back_refusals(&mut self) {
        let broken_off = std::mem::take(&mut self.broken_off);
        let is_taken_back = |made: &ImportedEvent| {
            made.name == name::PERMISSION_DENIED
                && matches!(&made.subject, Subject::Call(_, id) if broken_off.contains(id))
        };
        self.made.retain(|made| !is_taken_back(made));
    }

    pub(super) fn system(&mut self, line: &TranscriptLine<'_>, at: Timestamp, thread: &mut Thread) {
        match line.subtype.text().as_deref() {
            Some("stop_hook_summary" | "turn_duration") => thread.ended(at),
            Some("compact_boundary") => {
                let told: Option<CompactMetadata<'_>> = line.compact_metadata.get();
                let trigger = told.and_then(|told| told.trigger.owned());
                for name in [name::PRE_COMPACT, name::POST_COMPACT] {
                    let mut event = self.event(name, at, thread, line);
                    event.trigger = trigger.clone();
                    self.make(Subject::Compaction(thread.prompt_id.clone()), event);
                }
            }
            _ => self.skipped.other += 1,
        }
    }

    /// Adds the end of the turn if the lines read so far tell when it ended.
    fn end_turn(&mut self, thread: &mut Thread) {
        if let Some(at) = thread.ended_at() {
            self.turn_ends(thread, name::STOP, None, at);
        }
    }

    fn turn_ends(&mut self, thread: &mut Thread, name: &str, error: Option<String>, at: Timestamp) {
        if !std::mem::take(&mut thread.turn_is_open) {
            return;
        }
        let mut event = self.event(name, at, thread, &TranscriptLine::default());
        event.error = error;
        self.make(Subject::TurnEnd(thread.prompt_id.clone()), event);
    }

    /// Adds what is missing of a thread after the last line of its file: its end and its true
    /// beginning.
    pub(super) fn end_of(&mut self, mut thread: Thread) {
        self.broken_off.extend(thread.broken_off(false));
        // The thread began with its earliest line, which need not be the first in the file.
        if let Some((place, first)) = thread.beginning()
            && let Some(made) = self.made.get_mut(place).filter(|made| first < made.at)
            && let Ok(mut event) = Event::decode(&made.line)
        {
            event.ts = Some(first);
            *made = ImportedEvent::new(made.subject.clone(), first, &event);
        }
        match (thread.agent.clone(), thread.ended_at()) {
            (None, _) => self.end_turn(&mut thread),
            (Some(agent), Some(at)) => {
                let event =
                    self.event(name::SUBAGENT_STOP, at, &thread, &TranscriptLine::default());
                self.make(Subject::Agent(agent.id), event);
            }
            (Some(_), None) => {}
        }
        if let (Some(agent), Some(asked)) = (thread.agent, thread.asked) {
            self.agents.push((agent.id, asked, thread.said));
            if thread.is_clients_own {
                self.clients_own
                    .extend(self.agents.last().map(|(id, ..)| id.clone()));
            }
        }
    }

    /// Links subagents to the calls that started them, and removes subagents that Claude Code runs
    /// internally. Call this after all lines were read.
    ///
    /// All events of a call name the subagent that it started, because an incomplete transcript may
    /// lack one of them. A subagent without a type gets the type that its call requested, because
    /// older versions of Claude Code write the type nowhere else.
    pub(super) fn link_agents(&mut self) {
        let told = self.made.iter().filter_map(|made| made.spawns.clone());
        let mut spawned: HashMap<String, String> = told.collect();
        let known: HashSet<&String> = spawned.values().collect();
        let agents: Vec<_> = std::mem::take(&mut self.agents)
            .into_iter()
            .filter(|(id, ..)| !known.contains(id))
            .collect();
        let taken = spawned.keys().cloned().collect();
        spawned.extend(self.calls.of_agents(&agents, taken));
        let kinds: HashMap<&str, &String> = spawned
            .iter()
            .filter(|(_, agent)| !self.typed_agents.contains(*agent))
            .filter_map(|(call, agent)| Some((agent.as_str(), self.asked_kinds.get(call)?)))
            .collect();
        for made in &mut self.made {
            let started = match &made.subject {
                Subject::Call(_, id) if made.spawns.is_none() && !self.calls.is_shared(id) => {
                    spawned.get(id)
                }
                _ => None,
            };
            let kind = made.subject.agent().and_then(|agent| kinds.get(agent));
            if (started.is_some() || kind.is_some())
                && let Ok(mut event) = Event::decode(&made.line)
            {
                event.spawned_agent = event.spawned_agent.or(started.cloned());
                event.agent_type = event.agent_type.or(kind.copied().cloned());
                *made = ImportedEvent::new(made.subject.clone(), made.at, &event);
            }
        }
        let known: HashSet<&String> = spawned.values().collect();
        let is_own =
            |agent: &str| self.clients_own.contains(agent) && !known.contains(&agent.to_owned());
        let is_kept = |made: &ImportedEvent| !made.subject.agent().is_some_and(is_own);
        self.made.retain(is_kept);
    }

    /// Adds the session's start. Call this after all lines were read.
    pub(super) fn start(&mut self) {
        if let Some(at) = self.facts.started_at {
            let thread = Thread::default();
            let mut event =
                self.event(name::SESSION_START, at, &thread, &TranscriptLine::default());
            event.source = Some(TRANSCRIPT.to_owned());
            event.model = self.facts.model.clone();
            self.make(Subject::Start, event);
            // The start precedes all other events of the same time.
            self.made.rotate_right(1);
        }
    }

    pub(super) fn event(
        &self,
        name: &str,
        at: Timestamp,
        thread: &Thread,
        line: &TranscriptLine<'_>,
    ) -> Event {
        let agent = thread.agent.as_ref();
        let known = self.cwd.as_ref().or(self.facts.cwd.as_ref());
        Event {
            v: event::VERSION,
            ts: Some(at),
            event: name.to_owned(),
            session_id: Some(self.id.clone()),
            agent_id: agent.map(|agent| agent.id.clone()),
            agent_type: agent.and_then(|agent| agent.kind.clone()),
            prompt_id: thread.prompt_id.clone(),
            cwd: line.cwd.owned().filter(|cwd| Some(cwd) != known),
            origin: Some(TRANSCRIPT.to_owned()),
            ..Event::default()
        }
    }

    pub(super) fn make(&mut self, mut subject: Subject, mut event: Event) {
        event.redact_words();
        subject.redact_words();
        if let Some(at) = event.ts {
            self.made.push(ImportedEvent::new(subject, at, &event));
        }
    }
}

/// Returns the text of a block of text.
fn text_block<'a>(block: &Block<'a>) -> Option<Cow<'a, str>> {
    let is_text = block.kind.text().as_deref() == Some("text");
    is_text.then(|| block.text.text()).flatten()
}

/// Returns true if the blocks contain a picture or a document.
fn has_picture(blocks: &[Block<'_>]) -> bool {
    let is_one =
        |block: &Block<'_>| matches!(block.kind.text().as_deref(), Some("image" | "document"));
    blocks.iter().any(is_one)
}

/// How a call came back, by its result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CallReturn {
    /// The call has an end: the tool's result, or a refusal.
    Back,
    /// The call has no end: it was interrupted while it ran, or its Claude Code process ended. It
    /// stays open until its turn is over, just as when hooks record it, because no hook reports its
    /// end.
    Never,
    /// The call was refused or interrupted; the following lines tell which. If they do not, it
    /// counts as interrupted if `is_rather_broken_off`: this version of Claude Code would have
    /// recorded a refusal.
    Doubtful { is_rather_broken_off: bool },
}

fn how_it_came(
    line: &TranscriptLine<'_>,
    block: &Block<'_>,
    details: LazyMember<'_>,
) -> CallReturn {
    let text = block.is_error.is_true().then(|| text_of(block.content));
    let text = text.flatten().unwrap_or_default();
    let kind = line.tool_denial_kind.text();
    match kind.as_deref() {
        Some("interrupted") => CallReturn::Never,
        // The call never ran, but nobody refused it: another call of the same message failed, or
        // the turn was over before.
        Some("cancelled") if text.starts_with(TOOL_ERROR) => CallReturn::Back,
        Some("cancelled") => CallReturn::Never,
        Some("user-rejected") if !is_surely_refused(line, &text, details) => CallReturn::Doubtful {
            is_rather_broken_off: !is_silent(line),
        },
        None if text.starts_with(REJECTED) && !is_surely_refused(line, &text, details) => {
            CallReturn::Doubtful {
                is_rather_broken_off: false,
            }
        }
        // Such a text goes on with "interrupted: …", "skipped", "did not complete" or "result not
        // in this copy".
        _ if is_interruption(&text) || text.starts_with("[Tool call ") => CallReturn::Never,
        _ => CallReturn::Back,
    }
}

/// Returns whether a rejected call certainly never began to run.
fn is_surely_refused(line: &TranscriptLine<'_>, text: &str, details: LazyMember<'_>) -> bool {
    line.permission_decision.json().is_some()
        || line.tool_denial_before_run.is_true()
        || text.contains(USERS_WORDS)
        || details
            .text()
            .is_some_and(|text| text.starts_with(MADE_BY_TOOL))
}

/// Returns whether the Claude Code version that wrote the line does not record whether a rejected
/// call had begun to run.
fn is_silent(line: &TranscriptLine<'_>) -> bool {
    let version = line.version.text().unwrap_or_default();
    let numbers = version.split('.').map(|number| number.parse().ok());
    let numbers: Option<Vec<u32>> = numbers.collect();
    numbers.is_some_and(|numbers| numbers.as_slice() <= LAST_SILENT.as_slice())
}

/// The input of a call that starts a subagent.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
struct SpawnInput<'a> {
    #[serde(borrow)]
    prompt: LazyMember<'a>,
    #[serde(borrow)]
    subagent_type: LazyMember<'a>,
}

/// Returns the name of the event that ends a call, and the class of the call's error.
fn outcome(
    line: &TranscriptLine<'_>,
    block: &Block<'_>,
    told: &ResultDetails<'_>,
) -> (&'static str, Option<String>) {
    let text = block.is_error.is_true().then(|| text_of(block.content));
    let text = text.flatten();
    let decision: Option<Permission<'_>> = line.permission_decision.get();
    let decision = decision.and_then(|permission| permission.decision.text());
    let kind = line.tool_denial_kind.text();
    let said = kind.as_deref().and_then(denial);
    let said = said.or_else(|| text.as_deref().and_then(outcome_in));
    if matches!(decision.as_deref(), Some("reject" | "deny")) || said == Some(CallOutcome::Denied) {
        return (name::PERMISSION_DENIED, None);
    }
    if told.interrupted.is_true() {
        return (name::POST_TOOL_USE_FAILURE, Some("interrupted".to_owned()));
    }
    if block.is_error.is_true() {
        let class = error_class(text.as_deref().unwrap_or_default());
        return (name::POST_TOOL_USE_FAILURE, Some(class));
    }
    (name::POST_TOOL_USE, None)
}
