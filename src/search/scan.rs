//! Searches all places on all processors. Each thread takes the next file, the largest first.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Read;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::calls::{self, CallFacts};
use super::hits::{FoundSession, HitKind, HitSource, KeptHit, SearchHit, SearchRole, SessionHits};
use super::messages::{SearchedMessage, messages};
use super::places::{SearchPlaces, SearchText, TextPlace};
use super::query::SearchQuery;
use crate::claude::transcript::everywhere::ClientFileKind;
use crate::claude::transcript::said::{SpokenRecord, each_record};
use crate::model::call::CallState;
use crate::model::redact::Redactor;
use crate::model::text::one_line;
use crate::model::{OpenActivity, SessionId, Timestamp, Trace, TraceBuilder};
use crate::store::blocks::{BlockBuffer, LineBlocks};
use crate::store::lines::MAX_LINE;
use crate::store::{History, Result, SessionDir, shown};

/// How many bytes of a transcript are read at once. They stay in the processor's cache.
const LINES: usize = 1 << 18;
/// How many bytes of another file are read at once. All words must be in them.
const TEXT: usize = 4 << 20;
/// The longest name of a tool that is shown, in characters.
const MAX_TOOL: usize = 120;

/// Which messages count.
#[derive(Debug, Clone, Default)]
pub struct SearchFilter {
    /// Only messages of this role.
    pub role: Option<SearchRole>,
    /// Only calls of these tools and their results.
    pub tools: Vec<String>,
    /// Only calls that failed or were denied, and their results.
    pub failed: bool,
    /// Only messages since then.
    pub since: Option<Timestamp>,
    /// How many hits of a session are returned. All are counted.
    pub keep: usize,
}

impl SearchFilter {
    fn is_of_calls(&self) -> bool {
        self.failed || !self.tools.is_empty()
    }

    fn has_tool(&self, tool: Option<&str>) -> bool {
        let is_it = |wanted: &String| tool.is_some_and(|tool| tool.eq_ignore_ascii_case(wanted));
        self.tools.is_empty() || self.tools.iter().any(is_it)
    }

    fn has_role(&self, role: SearchRole) -> bool {
        self.role.is_none_or(|wanted| wanted == role)
    }

    fn has_time(&self, at: Option<Timestamp>) -> bool {
        self.since
            .is_none_or(|since| at.is_some_and(|at| at >= since))
    }
}

/// What was found.
#[derive(Debug, Default)]
pub struct SearchResult {
    /// The sessions with hits, the one with the latest hit first.
    pub sessions: Vec<FoundSession>,
    /// What could not be read, and why, in words for people.
    pub left_out: Vec<String>,
    /// What was not searched although it could be read.
    pub notes: Vec<String>,
}

/// Searches all places.
pub fn search(
    places: &SearchPlaces<'_>,
    query: &SearchQuery,
    filter: &SearchFilter,
) -> SearchResult {
    let texts = places.texts();
    let next = AtomicUsize::new(0);
    let work = || {
        let mut worker = Worker::new(query, filter);
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(text) = texts.get(number) else {
                return worker;
            };
            worker.search(number, text);
        }
    };
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let (mut found, mut left_out, mut notes) = thread::scope(|scope| {
        // If the system allows no more threads, this one does all the work.
        let others: Vec<_> = (1..threads.min(texts.len()))
            .map_while(|_| thread::Builder::new().spawn_scoped(scope, work).ok())
            .collect();
        let Worker {
            mut found,
            mut left_out,
            mut notes,
            ..
        } = work();
        for other in others {
            // A panic ends the process, so there is a result.
            if let Ok(other) = other.join() {
                left_out.extend(other.left_out);
                notes.extend(other.notes);
                for (id, hits) in other.found {
                    found.entry(id).or_default().merge(hits, filter.keep);
                }
            }
        }
        (found, left_out, notes)
    });
    left_out.sort();
    notes.sort();
    let finished = found
        .drain()
        .filter_map(|(id, hits)| hits.finish(id, filter.keep));
    let mut sessions: Vec<FoundSession> = finished.collect();
    sessions.sort_by(|one, other| {
        other
            .last
            .cmp(&one.last)
            .then_with(|| one.id.cmp(&other.id))
    });
    SearchResult {
        sessions,
        left_out,
        notes,
    }
}

/// One thread's part of the work.
struct Worker<'a> {
    query: &'a SearchQuery,
    filter: &'a SearchFilter,
    found: HashMap<SessionId, SessionHits>,
    left_out: Vec<String>,
    notes: Vec<String>,
    lines: BlockBuffer,
    texts: BlockBuffer,
    memory: TraceBuilder,
}

impl<'a> Worker<'a> {
    fn new(query: &'a SearchQuery, filter: &'a SearchFilter) -> Self {
        Self {
            query,
            filter,
            found: HashMap::new(),
            left_out: Vec::new(),
            notes: Vec::new(),
            lines: BlockBuffer::default(),
            texts: BlockBuffer::default(),
            memory: TraceBuilder::with_labels(),
        }
    }

    fn search(&mut self, number: usize, text: &SearchText) {
        let mut file = SearchedFile::new(self.query, self.filter, number, text);
        let read = match (&text.place, &text.kind) {
            (TextPlace::Journal(dir), _) => self.journal(&mut file, dir),
            (_, ClientFileKind::Other) => self.file(&mut file),
            (_, ClientFileKind::Main | ClientFileKind::Agent(_)) => self.transcript(&mut file),
        };
        if let Err(err) = read {
            self.left_out
                .push(format!("{err}; the rest of it was left out"));
        }
        self.left_out.append(&mut file.left_out);
        if file.found.is_empty() {
            return;
        }
        let found = self.found.entry(text.session.clone()).or_default();
        found.merge(file.found, self.filter.keep);
    }

    fn transcript(&mut self, file: &mut SearchedFile<'_>) -> Result<()> {
        let Some(source) = file.text.place.open()? else {
            return Ok(());
        };
        let mut lines = LineBlocks::of(source, &file.path, LINES, std::mem::take(&mut self.lines));
        while let Some(block) = lines.next_block()? {
            let each = |line: &[u8]| each_record(line, |record| file.record(record));
            self.query.candidates(block, each);
        }
        self.note_long_lines(file, &lines);
        self.lines = lines.into_buffer();
        file.name_tools()
    }

    fn file(&mut self, file: &mut SearchedFile<'_>) -> Result<()> {
        let is_wanted = self.filter.has_role(SearchRole::Tool) && !self.filter.is_of_calls();
        let Some(source) = file.text.place.open()?.filter(|_| is_wanted) else {
            return Ok(());
        };
        let mut blocks = LineBlocks::of(source, &file.path, TEXT, std::mem::take(&mut self.texts));
        let mut number = 0;
        while let Some(block) = blocks.next_block()? {
            // A picture, or another file that is no text.
            if number == 0 && memchr::memchr(0, block).is_some() {
                break;
            }
            file.block(number, block);
            number += 1;
        }
        self.note_long_lines(file, &blocks);
        self.texts = blocks.into_buffer();
        Ok(())
    }

    fn journal(&mut self, file: &mut SearchedFile<'_>, dir: &SessionDir) -> Result<()> {
        if !self.filter.has_role(SearchRole::Tool) {
            return Ok(());
        }
        let history = History::read(dir, std::mem::take(&mut self.memory), |_, _| {})?;
        for path in &history.missing {
            let text = format!(
                "could not find `{}`: a journal file is missing",
                shown(path)
            );
            self.left_out.push(text);
        }
        let trace = history.trace;
        file.activity(&trace);
        self.memory = trace.recycle();
        Ok(())
    }

    fn note_long_lines(&mut self, file: &SearchedFile<'_>, lines: &LineBlocks<impl Read>) {
        if lines.too_long() > 0 {
            self.notes.push(format!(
                "left out lines of `{}` that are longer than {} MiB",
                shown(&file.path),
                MAX_LINE >> 20
            ));
        }
    }
}

/// A file that is being searched.
struct SearchedFile<'a> {
    query: &'a SearchQuery,
    filter: &'a SearchFilter,
    text: &'a SearchText,
    path: PathBuf,
    /// The number of the file, and of the next hit in it.
    order: (usize, u64),
    source: HitSource,
    agent: Option<&'a str>,
    redactor: Redactor,
    /// The calls of the file, read when the first one is asked for.
    calls: Option<HashMap<String, CallFacts>>,
    found: SessionHits,
    left_out: Vec<String>,
}

impl<'a> SearchedFile<'a> {
    fn new(
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
            source: match &text.place {
                TextPlace::Client(..) => HitSource::Transcript,
                TextPlace::Part(..) => HitSource::Archive,
                TextPlace::Journal(_) => HitSource::Journal,
            },
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

    fn record(&mut self, record: &SpokenRecord<'_>) {
        let at = record.timestamp.text();
        let at = at.and_then(|at| Timestamp::parse(&at).ok());
        if !self.filter.has_time(at) {
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
        let text = message.text();
        if !self.query.is_in(&text) {
            return;
        }
        let text = match self.source {
            // Archives are without secrets already.
            HitSource::Archive => text.into_owned(),
            HitSource::Transcript | HitSource::Journal => {
                let redacted = message.redacted(&mut self.redactor);
                // What is only in a secret is not found.
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

    /// Searches a block of a file that is not a transcript.
    fn block(&mut self, number: u64, block: &[u8]) {
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

    /// Searches the labels of calls.
    fn activity(&mut self, trace: &Trace) {
        let activity = OpenActivity::of(trace).leave_open();
        for call in &activity.calls {
            let Some(label) = call.what.filter(|label| self.query.is_in(label)) else {
                continue;
            };
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

    /// Returns what the file knows of a call.
    fn call(&mut self, id: Option<&str>) -> CallFacts {
        if self.calls.is_none() {
            let read = self.read_calls(None);
            self.calls = Some(read.unwrap_or_else(|err| {
                self.left_out
                    .push(format!("{err}; its calls were left out"));
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

    /// Names the tools of the results that are kept.
    fn name_tools(&mut self) -> Result<()> {
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
