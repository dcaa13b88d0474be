//! Searches one file: the messages of a transcript, the text of another file, the labels of a
//! journal.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::PathBuf;

use super::calls::{self, CallFacts};
use super::hits::{HitKind, HitSource, KeptHit, SearchHit, SearchRole, SessionHits};
use super::messages::{SearchedMessage, messages, sources};
use super::places::SearchText;
use super::query::SearchQuery;
use super::scan::{LINES, SearchFilter};
use crate::claude::transcript::everywhere::ClientFileKind;
use crate::claude::transcript::said::SpokenRecord;
use crate::model::activity::Prompt;
use crate::model::call::CallState;
use crate::model::redact::Redactor;
use crate::model::text::one_line;
use crate::model::{OpenActivity, Timestamp, Trace};
use crate::store::Result;
use crate::store::blocks::{BlockBuffer, LineBlocks};

/// The longest name of a tool that is shown, in characters.
const MAX_TOOL: usize = 120;

/// A file that is being searched.
pub(super) struct SearchedFile<'a> {
    query: &'a SearchQuery,
    filter: &'a SearchFilter,
    pub(super) text: &'a SearchText,
    pub(super) path: PathBuf,
    /// The number of the file, and the number of the next hit in it.
    order: (usize, u64),
    source: HitSource,
    agent: Option<&'a str>,
    redactor: Redactor,
    /// The calls in the file. Read when the first of them is needed.
    calls: Option<HashMap<String, CallFacts>>,
    pub(super) found: SessionHits,
    pub(super) left_out: Vec<String>,
}

impl<'a> SearchedFile<'a> {
    pub(super) fn new(
        query: &'a SearchQuery,
        filter: &'a SearchFilter,
        number: usize,
        text: &'a SearchText,
    ) -> Self {
        Self {
            query,
            filter,
            text,
            path: text.place.path(),
            order: (number, 0),
            source: text.place.source(),
            agent: match &text.kind {
                ClientFileKind::Agent(agent) => Some(agent),
                ClientFileKind::Main | ClientFileKind::Other => None,
            },
            redactor: Redactor::default(),
            calls: None,
            found: SessionHits::default(),
            left_out: Vec::new(),
        }
    }

    pub(super) fn record(&mut self, record: &SpokenRecord<'_>) {
        let at = record.timestamp.time();
        let may_have_all = |json| self.query.may_be_in_json(json);
        if !self.filter.has_time(at) || !sources(record).any(may_have_all) {
            return;
        }
        for (place, message) in messages(record, self.agent.is_some()).iter().enumerate() {
            self.message(record, at, place, message);
        }
    }

    fn message(
        &mut self,
        record: &SpokenRecord<'_>,
        at: Option<Timestamp>,
        place: usize,
        message: &SearchedMessage<'_>,
    ) {
        let is_of_call = matches!(message.kind, HitKind::Call | HitKind::Result);
        if !self.filter.has_role(message.role) || self.filter.is_of_calls() && !is_of_call {
            return;
        }
        // If no words are searched for, each call is listed once: its result is not listed.
        if self.query.is_of_everything() && message.kind != HitKind::Call {
            return;
        }
        let text = message.text();
        if !self.query.is_in(&text) {
            return;
        }
        let text = match self.source {
            // Archives are redacted already.
            HitSource::Archive => text.into_owned(),
            HitSource::Transcript | HitSource::Journal => {
                let redacted = message.redacted(&mut self.redactor);
                // A match inside a secret does not count.
                if redacted != *text && !self.query.is_in(&redacted) {
                    return;
                }
                redacted
            }
        };
        let mut tool = message.tool.as_deref().map(str::to_owned);
        let mut is_failed = message.is_failed;
        if self.filter.is_of_calls() {
            let facts = self.call(message.call.as_deref());
            tool = tool.or(facts.tool);
            is_failed |= facts.is_failed;
            if !self.filter.has_tool(tool.as_deref()) || self.filter.failed && !is_failed {
                return;
            }
        }
        let key = match record.uuid.text() {
            Some(uuid) => hash((&*uuid, place)),
            None => hash((at, &*text)),
        };
        let hit = SearchHit {
            at,
            role: message.role,
            kind: message.kind,
            tool: tool.map(|tool| one_line(&tool, MAX_TOOL)),
            failed: is_failed,
            agent_id: self.agent.map(|agent| one_line(agent, MAX_TOOL)),
            tool_use_id: message.call.as_deref().map(|id| one_line(id, MAX_TOOL)),
            text: self.query.excerpt(&text),
            source: self.source,
            path: self.path.clone(),
        };
        let same = hash(text.trim());
        let kept = self.kept(key, hit);
        match message.is_queued {
            true => self.found.add_queued(kept, same),
            false => self.found.add(kept, same, self.filter.keep),
        }
    }

    /// Searches one block of a file that is not a transcript. `number` is the index of the block.
    pub(super) fn block(&mut self, number: u64, block: &[u8]) {
        let text = String::from_utf8_lossy(block);
        let at = self
            .text
            .modified
            .filter(|_| self.source == HitSource::Transcript);
        if !self.filter.has_time(at) || !self.query.is_in(&text) {
            return;
        }
        let text = match self.source {
            HitSource::Archive => text,
            HitSource::Transcript | HitSource::Journal => {
                self.redactor.text(&text).into_owned().into()
            }
        };
        if !self.query.is_in(&text) {
            return;
        }
        let name = self.text.place.name();
        let key = hash((&name, number));
        let hit = SearchHit {
            text: self.query.excerpt(&text),
            at,
            ..self.hit_of_tool(HitKind::File)
        };
        let kept = self.kept(key, hit);
        self.found.add(kept, key, self.filter.keep);
    }

    /// Searches the labels of the calls and prompts in a journal.
    pub(super) fn activity(&mut self, trace: &Trace) {
        let activity = OpenActivity::of(trace).leave_open();
        if self.filter.has_role(SearchRole::User) && !self.filter.is_of_calls() {
            for prompt in &activity.prompts {
                self.prompt(prompt);
            }
        }
        if !self.filter.has_role(SearchRole::Tool) {
            return;
        }
        for call in &activity.calls {
            let label = call.what.unwrap_or_default();
            if !self.query.is_in(label) {
                continue;
            }
            let failed = matches!(
                call.state,
                CallState::Failed | CallState::Denied | CallState::Abandoned
            );
            let at = Some(call.began.ts);
            let is_wanted = self.filter.has_tool(call.tool) && (failed || !self.filter.failed);
            if !is_wanted || !self.filter.has_time(at) {
                continue;
            }
            let hit = SearchHit {
                at,
                tool: call.tool.map(|tool| one_line(tool, MAX_TOOL)),
                failed,
                agent_id: call.agent_id.map(|agent| one_line(agent, MAX_TOOL)),
                tool_use_id: call.tool_use_id.map(|id| one_line(id, MAX_TOOL)),
                text: self.query.excerpt(label),
                ..self.hit_of_tool(HitKind::Label)
            };
            let key = hash((call.tool_use_id, at, label));
            let kept = self.kept(key, hit);
            self.found.add(kept, key, self.filter.keep);
        }
    }

    fn prompt(&mut self, prompt: &Prompt<'_>) {
        let at = Some(prompt.at.ts);
        let is_typed = prompt.notifies.is_none() && self.filter.has_time(at);
        let Some(label) = prompt
            .what
            .filter(|label| is_typed && self.query.is_in(label))
        else {
            return;
        };
        let hit = SearchHit {
            at,
            role: SearchRole::User,
            text: self.query.excerpt(label),
            ..self.hit_of_tool(HitKind::Label)
        };
        let key = hash((prompt.prompt_id, at, label));
        let kept = self.kept(key, hit);
        self.found.add(kept, hash(label), self.filter.keep);
    }

    fn hit_of_tool(&self, kind: HitKind) -> SearchHit {
        SearchHit {
            at: None,
            role: SearchRole::Tool,
            kind,
            tool: None,
            failed: false,
            agent_id: None,
            tool_use_id: None,
            text: String::new(),
            source: self.source,
            path: self.path.clone(),
        }
    }

    fn kept(&mut self, key: u64, hit: SearchHit) -> KeptHit {
        self.order.1 += 1;
        KeptHit {
            key,
            order: self.order,
            hit,
        }
    }

    /// Returns what the transcript says about a call.
    fn call(&mut self, id: Option<&str>) -> CallFacts {
        if self.calls.is_none() {
            let read = self.read_calls(None);
            self.calls = Some(read.unwrap_or_else(|err| {
                self.left_out.push(format!("{err}; its calls were skipped"));
                HashMap::new()
            }));
        }
        let facts = self.calls.as_ref().and_then(|calls| calls.get(id?));
        facts.cloned().unwrap_or_default()
    }

    fn read_calls(&self, ids: Option<&[String]>) -> Result<HashMap<String, CallFacts>> {
        let Some(source) = self.text.place.open()? else {
            return Ok(HashMap::new());
        };
        let mut lines = LineBlocks::of(source, &self.path, LINES, BlockBuffer::default());
        calls::read(&mut lines, ids)
    }

    /// Adds the tool's name to the kept hits that lack one.
    pub(super) fn name_tools(&mut self) -> Result<()> {
        self.found.trim(self.filter.keep);
        let ids: Vec<String> = self
            .found
            .kept_mut()
            .filter(|hit| hit.tool.is_none())
            .filter_map(|hit| hit.tool_use_id.clone())
            .collect();
        if ids.is_empty() {
            return Ok(());
        }
        let calls = self.read_calls(Some(&ids))?;
        for hit in self.found.kept_mut().filter(|hit| hit.tool.is_none()) {
            let facts = hit.tool_use_id.as_ref().and_then(|id| calls.get(id));
            let tool = facts.and_then(|facts| facts.tool.as_deref());
            hit.tool = tool.map(|tool| one_line(tool, MAX_TOOL));
        }
        Ok(())
    }
}

fn hash(what: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    what.hash(&mut hasher);
    hasher.finish()
}
