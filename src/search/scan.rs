//! Searches all files on all processors. Each thread takes the next file, the largest first.

use std::collections::HashMap;
use std::io::Read;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::file::SearchedFile;
use super::hits::{FoundSession, HitKind, SearchHit, SearchRole, SessionHits};
use super::places::{SearchPlaces, SearchText, TextPlace};
use super::query::SearchQuery;
use crate::claude::transcript::everywhere::ClientFileKind;
use crate::claude::transcript::said::each_record;
use crate::identity::title::TitleSource;
use crate::model::when::Period;
use crate::model::{SessionId, Timestamp, TraceBuilder};
use crate::store::blocks::{BlockBuffer, LineBlocks};
use crate::store::lines::MAX_LINE;
use crate::store::processors::on_all_processors;
use crate::store::{History, Result, SessionDir, shown};

/// How many bytes of a transcript are read at once: few enough to stay in the processor's cache.
pub(super) const LINES: usize = 1 << 17;
/// How many bytes of any other file are read at once. A hit must have all words in one such block.
const TEXT: usize = 4 << 20;

/// Which messages the search accepts.
#[derive(Debug, Clone, Default)]
pub struct SearchFilter {
    /// Only messages of this role.
    pub role: Option<SearchRole>,
    /// Only calls of these tools and their results.
    pub tools: Vec<String>,
    /// Only calls that failed or were denied, and their results.
    pub failed: bool,
    /// Only messages in this period.
    pub period: Period,
    /// How many hits of a session are returned at most. All hits are counted.
    pub keep: usize,
}

impl SearchFilter {
    pub(super) fn is_of_calls(&self) -> bool {
        self.failed || !self.tools.is_empty()
    }

    pub(super) fn has_tool(&self, tool: Option<&str>) -> bool {
        let is_it = |wanted: &String| tool.is_some_and(|tool| tool.eq_ignore_ascii_case(wanted));
        self.tools.is_empty() || self.tools.iter().any(is_it)
    }

    pub(super) fn has_role(&self, role: SearchRole) -> bool {
        self.role.is_none_or(|wanted| wanted == role)
    }

    pub(super) fn has_time(&self, at: Option<Timestamp>) -> bool {
        self.period.may_have(at)
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

/// Searches all files.
pub fn search(
    places: &SearchPlaces<'_>,
    query: &SearchQuery,
    filter: &SearchFilter,
) -> SearchResult {
    let texts = places.texts();
    let next = AtomicUsize::new(0);
    let work = || {
        let mut worker = ScanWorker::new(query, filter);
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
        // If the system allows no more threads, this thread does all the work.
        let others: Vec<_> = (1..threads.min(texts.len()))
            .map_while(|_| thread::Builder::new().spawn_scoped(scope, work).ok())
            .collect();
        let ScanWorker {
            mut found,
            mut left_out,
            mut notes,
            ..
        } = work();
        for other in others {
            // There is always a result, because a panic ends the process.
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
    add_titles(places, query, filter, &mut found);
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

/// Adds the sessions whose title matches, unless other hits were found in them: the title of such a
/// session is shown above its hits anyway.
fn add_titles(
    places: &SearchPlaces<'_>,
    query: &SearchQuery,
    filter: &SearchFilter,
    found: &mut HashMap<SessionId, SessionHits>,
) {
    if filter.role.is_some() || filter.is_of_calls() || query.is_of_everything() {
        return;
    }
    let mut others = places.ids();
    others.retain(|id| !found.contains_key(id));
    let titles = on_all_processors(&others, |id| {
        let title = places.title(id)?;
        // A title has no time, so the session's time decides. All these sessions were written since
        // the beginning of the period.
        let is_in_time = || {
            let began = places.heading(id).started_at;
            let until = filter.period.until;
            began.is_none_or(|began| until.is_none_or(|until| began < until))
        };
        (query.is_in(&title.text) && is_in_time()).then_some(title)
    });
    for (id, title) in others.into_iter().zip(titles) {
        let Some(title) = title else {
            continue;
        };
        let hit = SearchHit {
            at: None,
            role: match title.source {
                Some(TitleSource::Rename | TitleSource::Name | TitleSource::Prompt) => {
                    SearchRole::User
                }
                Some(TitleSource::Client | TitleSource::Archive) | None => SearchRole::Notice,
            },
            kind: HitKind::Title,
            tool: None,
            failed: false,
            agent_id: None,
            tool_use_id: None,
            text: query.excerpt(&title.text),
            source: title.found_in,
            path: title.path,
        };
        found.entry(id).or_default().add_title(hit, title.at);
    }
}

/// One thread's share of the work.
struct ScanWorker<'a> {
    query: &'a SearchQuery,
    filter: &'a SearchFilter,
    found: HashMap<SessionId, SessionHits>,
    left_out: Vec<String>,
    notes: Vec<String>,
    lines: BlockBuffer,
    texts: BlockBuffer,
    memory: TraceBuilder,
}

impl<'a> ScanWorker<'a> {
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
            self.left_out.push(format!("{err}; the rest was skipped"));
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
            // This is a picture, or another file that is not text.
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
        if !self.filter.has_role(SearchRole::Tool) && !self.filter.has_role(SearchRole::User) {
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
