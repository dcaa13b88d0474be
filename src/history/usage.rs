//! Counts the tokens that a session used, from Claude Code's own transcript.
//!
//! Each reading continues where the last one ended. The session's `usage.json` stores the position
//! and the counts, and outlives the transcript. If that file is lost while the transcript exists,
//! everything is counted again. The file needs no lock: each writer replaces it with a count that
//! is right for the lines that this writer has read.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::claude::transcript::line::{LazyMember, MADE_UP, Message, TranscriptLine};
use crate::claude::transcript::{self, AgentFile, Search, SessionFiles, records};
use crate::model::redact::Redactor;
use crate::model::usage::{ModelUsage, Usage, UsageByMessage, UsedMessage};
use crate::model::{Record, Timestamp};
use crate::store::lines::{LineReader, ReadPosition};
use crate::store::{Environment, Error, Result, SessionDir, file};

/// The version of `usage.json`.
const VERSION: u64 = 2;
/// The model of a message that names none.
const UNKNOWN_MODEL: &str = "unknown";
/// How many bytes of a transcript are searched at once.
const BATCH: usize = 1 << 20;
/// The agent id for a subagent's message in an old transcript, which names no subagents.
const UNNAMED_AGENT: &str = "sidechain";

/// Returns the tokens that the session used and their cost. Updates `usage.json` if the transcript
/// has grown. A transcript that cannot be read keeps its last count.
///
/// # Errors
/// Fails if `usage.json` cannot be read or replaced, or the journal cannot be opened. A damaged
/// `usage.json` is not an error while the transcript exists.
pub fn of_session(env: &Environment, dir: &SessionDir, record: &Record) -> Result<Usage> {
    of_files(&Search::new(env).files(dir, record, None), dir, record)
}

/// Does the same as [`of_session`] for a caller that already knows where the transcripts may be.
///
/// # Errors
/// Fails if `usage.json` cannot be read or replaced, or the journal cannot be opened.
pub fn of_transcripts(paths: Vec<PathBuf>, dir: &SessionDir, record: &Record) -> Result<Usage> {
    let files = SessionFiles::of(&record.session_id, paths, &[]);
    of_files(&files, dir, record)
}

/// Does the same as [`of_session`] for a caller that already has the session's files.
///
/// # Errors
/// Fails if `usage.json` cannot be read or replaced, or the journal cannot be opened.
pub fn of_files(files: &SessionFiles, dir: &SessionDir, record: &Record) -> Result<Usage> {
    Ok(counted(files, dir, record)?.summary.usage)
}

/// Does the same as [`of_session`], but returns the tokens of each message.
///
/// # Errors
/// Fails if `usage.json` cannot be read or replaced, or the journal cannot be opened.
pub fn messages_of_session(
    env: &Environment,
    dir: &SessionDir,
    record: &Record,
) -> Result<UsageByMessage> {
    messages(&Search::new(env).files(dir, record, None), dir, record)
}

/// Does the same as [`of_transcripts`], but returns the tokens of each message.
///
/// # Errors
/// Fails if `usage.json` cannot be read or replaced, or the journal cannot be opened.
pub fn messages_of_transcripts(
    paths: Vec<PathBuf>,
    dir: &SessionDir,
    record: &Record,
) -> Result<UsageByMessage> {
    let files = SessionFiles::of(&record.session_id, paths, &[]);
    messages(&files, dir, record)
}

fn messages(files: &SessionFiles, dir: &SessionDir, record: &Record) -> Result<UsageByMessage> {
    let mut counted = counted(files, dir, record)?;
    counted.since = transcript::own_since(dir, record)?;
    let usage = counted.usage();
    let own = counted.messages.values().filter(|it| counted.is_own(it));
    let mut messages: Vec<UsedMessage> = own.map(UsedMessage::from).collect();
    messages.sort_by_key(|message| message.at);
    Ok(UsageByMessage {
        messages,
        cost_usd: usage.cost_usd,
    })
}

fn counted(files: &SessionFiles, dir: &SessionDir, record: &Record) -> Result<UsageFile> {
    let (mut counted, damage) = match UsageFile::read(dir) {
        Err(damage @ Error::Content { .. }) => (UsageFile::default(), Some(damage)),
        read => (read?, None),
    };
    if !files.mains.is_empty() || !files.agents.is_empty() {
        let since = transcript::own_since(dir, record)?;
        if counted.read_on(files, since) {
            dir.replace_usage(&counted.encode())?;
        }
    }
    match damage {
        Some(damage) if !counted.summary.has_counted() => Err(damage),
        _ => Ok(counted),
    }
}

/// Updates `usage.json` if the session had events, or its transcript has grown, since the last
/// count. Reads the transcripts that the record names and that `search` finds. Made for callers
/// that examine all sessions: a session without news costs only a look at a few files.
///
/// # Errors
/// Fails if `usage.json` cannot be read or replaced, or the journal cannot be opened.
pub fn count_due(
    env: &Environment,
    dir: &SessionDir,
    record: &Record,
    search: impl FnOnce() -> Vec<PathBuf>,
) -> Result<()> {
    let last = dir.last_activity();
    let written = dir.usage_written();
    let is_counted = |at: Timestamp| written.is_some_and(|written| written > at);
    let main = transcript::find_named(env, record, None);
    let changed = match &main {
        Some(main) => file::look(main)?.map(|found| found.meta.modified),
        None => None,
    };
    if last.into_iter().chain(changed).all(is_counted) {
        return Ok(());
    }
    let paths: Vec<PathBuf> = main.into_iter().chain(search()).collect();
    match paths.is_empty() {
        true => Ok(()),
        false => of_transcripts(paths, dir, record).map(drop),
    }
}

/// Returns the last count for the session, or `None` if it was never counted.
pub fn known(dir: &SessionDir) -> Option<Usage> {
    let bytes = dir.usage().ok()??;
    // The sum is in the first line, so the messages need not be read.
    let summary = bytes.split(|byte| *byte == b'\n').next()?;
    let known: UsageHeader = decode(dir, summary).ok()?;
    known.has_counted().then_some(known.usage)
}

/// The two lines of `usage.json`.
#[derive(Debug, Default)]
struct UsageFile {
    summary: UsageHeader,
    /// The messages, each by the hash of its id.
    messages: BTreeMap<u64, PartialMessage>,
    /// Messages before this time are copies from another session.
    since: Option<Timestamp>,
    /// The number of the next file.
    next: u32,
}

/// The first line of `usage.json`.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
struct UsageHeader {
    v: u64,
    /// The sum over all messages.
    usage: Usage,
    /// How far each file was read, by its path.
    files: BTreeMap<String, FileProgress>,
    /// The pairs of agent and model that wrote messages. A message refers to its writer by the
    /// index.
    writers: Vec<MessageAuthor>,
}

/// The writer of a message. The session itself sorts before its subagents.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct MessageAuthor {
    agent_id: Option<String>,
    model: String,
}

/// How far a file was read.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct FileProgress {
    /// The device and the inode of the file, to detect that another file replaced it.
    identity: (u64, u64),
    #[serde(flatten)]
    position: ReadPosition,
    /// The number by which messages refer to this file.
    number: u32,
    /// The session's cost in dollars that Claude Code stated last in this file.
    stated_cost: Option<f64>,
}

/// A message of a model, which may still grow: Claude Code writes it in several lines.
#[derive(Debug, Clone, PartialEq)]
struct PartialMessage {
    /// The earliest time of the message's lines.
    at: Option<Timestamp>,
    /// The number of the file that contains the message, or `None` if several files do.
    file: Option<u32>,
    writer: MessageAuthor,
    /// The numbers of tokens: input, output, read from the cache, written to the cache.
    tokens: [u64; 4],
    cost_usd: Option<f64>,
}

/// A message as the second line of `usage.json` contains it: the members of [`PartialMessage`],
/// after the hash of its id, and with the index of its writer instead of the writer.
type MessageRow = (
    u64,
    Option<Timestamp>,
    Option<u32>,
    usize,
    [u64; 4],
    Option<f64>,
);

/// The member `usage` of a message in a transcript: its tokens, as the Claude API counts them.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct MessageTokens<'a> {
    #[serde(borrow)]
    input_tokens: LazyMember<'a>,
    #[serde(borrow)]
    output_tokens: LazyMember<'a>,
    #[serde(borrow)]
    cache_read_input_tokens: LazyMember<'a>,
    #[serde(borrow)]
    cache_creation_input_tokens: LazyMember<'a>,
}

/// Reads the first line of `usage.json`.
fn decode(dir: &SessionDir, summary: &[u8]) -> Result<UsageHeader> {
    let damaged = |why: String| Error::Content {
        path: dir.usage_path(),
        why,
    };
    let known: UsageHeader =
        serde_json::from_slice(summary).map_err(|err| damaged(err.to_string()))?;
    match known.v {
        VERSION => Ok(known),
        other => Err(damaged(format!("its version {other} is unknown"))),
    }
}

impl UsageHeader {
    fn has_counted(&self) -> bool {
        !self.files.is_empty()
    }
}

impl UsageFile {
    fn read(dir: &SessionDir) -> Result<Self> {
        let Some(bytes) = dir.usage()? else {
            return Ok(Self::default());
        };
        let mut lines = bytes.splitn(2, |byte| *byte == b'\n');
        let summary = decode(dir, lines.next().unwrap_or_default())?;
        let rows = serde_json::from_slice(lines.next().unwrap_or_default());
        let rows: Vec<MessageRow> = rows.map_err(|err| Error::Content {
            path: dir.usage_path(),
            why: err.to_string(),
        })?;
        let message = |(id, at, file, writer, tokens, cost_usd): MessageRow| {
            let writer = summary.writers.get(writer)?.clone();
            let message = PartialMessage {
                at,
                file,
                writer,
                tokens,
                cost_usd,
            };
            Some((id, message))
        };
        let messages = rows.into_iter().filter_map(message).collect();
        let numbers = summary.files.values().map(|file| file.number);
        Ok(Self {
            next: numbers.max().map_or(0, |last| last.saturating_add(1)),
            summary,
            messages,
            since: None,
        })
    }

    fn encode(&mut self) -> Vec<u8> {
        let writers: BTreeSet<&MessageAuthor> =
            self.messages.values().map(|it| &it.writer).collect();
        let places: BTreeMap<&MessageAuthor, usize> = writers.iter().copied().zip(0..).collect();
        let place = |writer: &MessageAuthor| places.get(writer).copied();
        let rows: Vec<MessageRow> = self
            .messages
            .iter()
            .map(|(id, it)| {
                let writer = place(&it.writer).unwrap_or_default();
                (*id, it.at, it.file, writer, it.tokens, it.cost_usd)
            })
            .collect();
        self.summary.v = VERSION;
        self.summary.writers = writers.into_iter().cloned().collect();
        let mut bytes = serde_json::to_vec(&self.summary).unwrap_or_default();
        bytes.push(b'\n');
        bytes.extend(serde_json::to_vec(&rows).unwrap_or_default());
        bytes.push(b'\n');
        bytes
    }

    /// Counts the lines that were added to the transcripts of a session and its subagents. Returns
    /// whether the counts or positions have changed.
    fn read_on(&mut self, files: &SessionFiles, since: Option<Timestamp>) -> bool {
        self.since = since;
        let mut is_new = false;
        for main in &files.mains {
            is_new |= self.read_file(&main.path, None);
        }
        for (AgentFile { path, agent_id }, _) in &files.agents {
            is_new |= self.read_file(path, Some(agent_id));
        }
        let usage = self.usage();
        is_new |= self.summary.has_counted() && usage != self.summary.usage;
        self.summary.usage = usage;
        is_new
    }

    /// Counts the lines that were added to one file. Returns whether the counts or the position
    /// have changed. An unreadable file keeps its count. A file that only repeats known messages,
    /// such as a backup, is not added to the known files.
    fn read_file(&mut self, path: &Path, agent: Option<&str>) -> bool {
        let name = path.to_string_lossy().into_owned();
        let before = self.summary.files.get(&name).cloned();
        let is_first = self.summary.files.is_empty();
        match self.read_lines(path, before.as_ref(), agent) {
            Ok(Some((reading, has_more)))
                if before.as_ref() != Some(&reading)
                    && (has_more || is_first || before.is_some()) =>
            {
                self.next = self.next.max(reading.number.saturating_add(1));
                self.summary.files.insert(name, reading);
                true
            }
            _ => false,
        }
    }

    /// Counts the messages in the file at `path`, from where the reading `before` ended. Starts at
    /// the beginning if the file was replaced or rewritten. Returns how far it was read, and
    /// whether the counts have changed; `None` if the file does not exist.
    fn read_lines(
        &mut self,
        path: &Path,
        before: Option<&FileProgress>,
        agent: Option<&str>,
    ) -> Result<Option<(FileProgress, bool)>> {
        let Some(mut lines) = LineReader::open(path)? else {
            return Ok(None);
        };
        let mut reading = FileProgress {
            number: self.next,
            ..FileProgress::default()
        };
        let mut is_rewritten = before.is_some();
        if let Some(before) = before {
            reading = before.clone();
            if before.identity == lines.meta().identity && lines.go_on(&before.position)? {
                is_rewritten = false;
            }
        }
        let known = match is_rewritten {
            true => self.count_of(reading.number),
            false => 0,
        };
        let (mut seen, mut has_more) = (HashSet::new(), false);
        loop {
            let (batch, _) = lines.next_lines(BATCH)?;
            if batch.is_empty() {
                break;
            }
            let words = ["\"usage\"", "cost-state"];
            for line in words.iter().flat_map(|word| lines_with(word, &batch)) {
                records::read(line, |line| match line.kind.text().as_deref() {
                    Some("cost-state") => {
                        reading.stated_cost = line.total_cost_usd.get().or(reading.stated_cost);
                    }
                    Some("assistant") => {
                        if let Some((id, message)) = message(line, agent, reading.number) {
                            has_more |= self.count(id, message);
                            seen.insert(id);
                        }
                    }
                    _ => {}
                });
            }
        }
        // A rewritten file is counted again: drop the messages that it no longer has. A file with
        // fewer messages than before was probably cut off or overwritten, and keeps its count.
        if is_rewritten && seen.len() >= known {
            let number = Some(reading.number);
            self.messages
                .retain(|id, message| message.file != number || seen.contains(id));
        }
        reading.identity = lines.meta().identity;
        reading.position = lines.position()?;
        Ok(Some((reading, has_more)))
    }

    /// Counts a message, or a further line of a known one. Returns whether that changed the count.
    fn count(&mut self, id: u64, message: PartialMessage) -> bool {
        match self.messages.entry(id) {
            Entry::Vacant(free) => {
                free.insert(message);
                true
            }
            Entry::Occupied(mut known) => known.get_mut().grow(message),
        }
    }

    /// Returns how many messages are only in the file with this number.
    fn count_of(&self, number: u32) -> usize {
        let messages = self.messages.values();
        messages.filter(|it| it.file == Some(number)).count()
    }

    /// Returns whether a message is the session's own rather than a copy from another session.
    fn is_own(&self, message: &PartialMessage) -> bool {
        message.at.is_none() || message.at >= self.since
    }

    fn usage(&self) -> Usage {
        let mut by: BTreeMap<&MessageAuthor, ModelUsage> = BTreeMap::new();
        let mut summed_cost = None;
        for message in self.messages.values().filter(|it| self.is_own(it)) {
            let used = UsedMessage::from(message).used;
            match by.entry(&message.writer) {
                Entry::Vacant(free) => {
                    free.insert(used);
                }
                Entry::Occupied(mut sum) => sum.get_mut().add(&used),
            }
            if let Some(cost) = message.cost_usd {
                *summed_cost.get_or_insert(0.0) += cost;
            }
        }
        let mut usage = Usage {
            by: by.into_values().collect(),
            ..Usage::default()
        };
        // For a fork, the cost that Claude Code states may include the cost of the session that it
        // was made from, so do not use it.
        let has_copies = !self.messages.values().all(|it| self.is_own(it));
        let files = self.summary.files.values().filter(|_| !has_copies);
        let stated = files.filter_map(|file| file.stated_cost);
        usage.cost_usd = stated.reduce(f64::max).or(summed_cost);
        usage
    }
}

impl From<&PartialMessage> for UsedMessage {
    fn from(message: &PartialMessage) -> Self {
        let [input, output, cache_read, cache_creation] = message.tokens;
        Self {
            at: message.at,
            used: ModelUsage {
                model: message.writer.model.clone(),
                agent_id: message.writer.agent_id.clone(),
                messages: 1,
                input,
                output,
                cache_read,
                cache_creation,
            },
            cost_usd: message.cost_usd,
        }
    }
}

impl PartialMessage {
    /// Merges another line of the same message. Returns whether that changed anything.
    ///
    /// The output tokens grow from line to line, so all numbers are taken from the line with the
    /// most output. Numbers of different lines are not mixed: some servers first report the whole
    /// input as uncached, and in the last line only the uncached part. If the lines name several
    /// writers, the session itself counts as the writer, because subagents begin with a copy of its
    /// messages.
    fn grow(&mut self, other: Self) -> bool {
        let mut grown = self.clone();
        let progress = |[input, output, cache_read, cache_creation]: [u64; 4]| {
            (output, cache_read, cache_creation, input)
        };
        if progress(other.tokens) > progress(self.tokens) {
            grown.tokens = other.tokens;
        }
        grown.at = self.at.into_iter().chain(other.at).min();
        grown.writer = self.writer.clone().min(other.writer);
        grown.cost_usd = other.cost_usd.or(self.cost_usd);
        if grown == *self {
            return false;
        }
        grown.file = self.file.filter(|file| other.file == Some(*file));
        *self = grown;
        true
    }
}

/// Returns the lines of a batch that contain this word. The last line may have no line break yet;
/// it is then read again with the next batch.
fn lines_with<'b>(word: &str, batch: &'b [u8]) -> impl Iterator<Item = &'b [u8]> {
    let mut begin = 0;
    std::iter::from_fn(move || {
        let rest = batch.get(begin..)?;
        let found = memchr::memmem::find(rest, word.as_bytes())?;
        let end = memchr::memchr(b'\n', rest.get(found..)?).map_or(rest.len(), |end| found + end);
        let start = memchr::memrchr(b'\n', rest.get(..found)?).map_or(0, |at| at + 1);
        begin += end + 1;
        rest.get(start..end)
    })
}

/// Returns the message in a line and the hash of its id. Returns `None` if no model wrote the
/// message.
fn message(
    line: &TranscriptLine<'_>,
    agent: Option<&str>,
    file: u32,
) -> Option<(u64, PartialMessage)> {
    let message: Message<'_> = line.message.get()?;
    let tokens: MessageTokens<'_> = message.usage.get()?;
    // Some gateways leave out the model.
    let named = message.model.owned().filter(|model| !model.is_empty());
    let mut model = named.unwrap_or_else(|| UNKNOWN_MODEL.to_owned());
    if model == MADE_UP {
        return None;
    }
    let unnamed = || {
        line.is_sidechain
            .is_true()
            .then(|| UNNAMED_AGENT.to_owned())
    };
    let mut agent_id = agent
        .map(str::to_owned)
        .or_else(|| line.agent_id.owned())
        .or_else(unnamed);
    let id = message.id.text().or_else(|| line.uuid.text())?;
    for word in std::iter::once(&mut model).chain(&mut agent_id) {
        Redactor::default().word(word);
    }
    let tokens = [
        tokens.input_tokens,
        tokens.output_tokens,
        tokens.cache_read_input_tokens,
        tokens.cache_creation_input_tokens,
    ];
    let counting = PartialMessage {
        at: line.at(),
        file: Some(file),
        writer: MessageAuthor { agent_id, model },
        tokens: tokens.map(|number| number.get().unwrap_or(0)),
        cost_usd: line.cost_usd.get(),
    };
    Some((hash(&id), counting))
}

/// Returns the first 64 bits of the SHA-256 of `id`. `usage.json` stores them, so they must be the
/// same in each version of this program. A collision within a session is practically impossible.
fn hash(id: &str) -> u64 {
    let digest: [u8; 32] = Sha256::digest(id.as_bytes()).into();
    let [first, ..] = digest.as_chunks::<8>().0 else {
        return 0;
    };
    u64::from_le_bytes(*first)
}

#[cfg(test)]
#[allow(
    clippy::disallowed_methods,
    reason = "the tests put transcripts where a client would"
)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    use std::path::PathBuf;

    use proptest::prelude::*;
    use serde_json::{Value, json};
    use tempfile::TempDir;

    use super::*;
    use crate::model::{Project, SessionId};
    use crate::store::{Decompressor, Places, StateDir};

    const ID: &str = "5b48472b-1111-4222-8333-444455556666";

    /// A session with a record, and a folder for its transcript.
    struct Session {
        dir: TempDir,
        record: Record,
        session: SessionDir,
    }

    impl Session {
        fn new(source: &str) -> Self {
            let dir = TempDir::new().unwrap();
            let places = Places {
                state: Some(dir.path().join("state")),
                pointers: dir.path().to_owned(),
                config: None,
            };
            let state = StateDir::create(&places, Decompressor::BUILT_IN).unwrap();
            let started = Timestamp::parse("2026-11-20T12:00:00Z").unwrap();
            let id: SessionId = ID.parse().unwrap();
            let mut record =
                Record::new(id.clone(), &Project::at("/home/dev/shop".into()), started);
            record.source = Some(source.to_owned());
            let path = dir.path().join(format!("projects/-shop/{ID}.jsonl"));
            record.transcript_path = Some(path.to_string_lossy().into_owned());
            let session = state.session(&id);
            session
                .create(
                    &record,
                    &crate::model::Event::default(),
                    crate::store::write::Durability::Cached,
                )
                .unwrap();
            Self {
                dir,
                record,
                session,
            }
        }

        /// Claude Code's folder for the project.
        fn folder(&self) -> PathBuf {
            self.dir.path().join("projects/-shop")
        }

        fn transcript(&self) -> PathBuf {
            self.folder().join(format!("{ID}.jsonl"))
        }

        fn files(&self) -> SessionFiles {
            SessionFiles::of(&self.record.session_id, vec![self.transcript()], &[])
        }

        fn write(&self, lines: &[Value]) {
            let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
            put(&self.transcript(), text.as_bytes());
        }

        fn usage(&self) -> Usage {
            of_session(&Environment::default(), &self.session, &self.record).unwrap()
        }
    }

    fn put(path: &Path, bytes: &[u8]) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    }

    fn line(id: &str, at: &str, output: u64) -> Value {
        json!({"type": "assistant", "timestamp": format!("2026-11-20T{at}Z"), "uuid": id,
            "message": {"id": id, "model": "opus", "usage": {"input_tokens": 10, "output_tokens": output,
                "cache_read_input_tokens": 3, "cache_creation_input_tokens": 2}}})
    }

    #[test]
    fn a_message_counts_as_its_last_line_says_and_not_as_estimated_before() {
        let with = |input: u64, output: u64, cache_read: u64| {
            let mut line = line("m1", "12:00:01", output);
            let usage = &mut line["message"]["usage"];
            usage["input_tokens"] = input.into();
            usage["cache_read_input_tokens"] = cache_read.into();
            line
        };
        let mut lines = [with(8781, 0, 0), with(39, 576, 41_536)];
        // A second reading, or a copy in another file, may see them in any order.
        for _ in 0..2 {
            let session = Session::new("startup");
            session.write(&lines);
            let total = session.usage().total();
            assert_eq!((total.messages, total.output), (1, 576));
            assert_eq!((total.input, total.cache_read), (39, 41_536));
            lines.reverse();
        }
    }

    #[test]
    fn a_message_of_several_lines_is_counted_once_with_its_greatest_numbers() {
        let session = Session::new("startup");
        let lines = [
            line("m1", "12:00:01", 1),
            line("m1", "12:00:02", 9),
            line("m2", "12:00:03", 5),
        ];
        session.write(&lines);
        let total = session.usage().total();
        assert_eq!((total.messages, total.input, total.output), (2, 20, 14));
        assert_eq!((total.cache_read, total.cache_creation), (6, 4));
        assert_eq!(known(&session.session), Some(session.usage()));
    }

    #[test]
    fn a_message_is_counted_once_wherever_it_is_repeated() {
        let session = Session::new("startup");
        // There are more messages between its lines than any cache of recent messages keeps.
        let mut lines = vec![line("m0", "12:00:01", 1)];
        lines.extend((1..100).map(|number| line(&format!("m{number}"), "12:00:02", 1)));
        lines.push(line("m0", "12:00:03", 90));
        lines.push(line("m1", "12:00:04", 0));
        session.write(&lines);
        let counted = || {
            let total = session.usage().total();
            (total.messages, total.output)
        };
        assert_eq!(counted(), (100, 189));
        // A subagent that begins with a copy of the conversation.
        let below = session.folder().join(ID).join("subagents/agent-a1.jsonl");
        let copies = [
            line("m0", "12:00:01", 95),
            line("m1", "12:00:02", 1),
            line("own", "12:00:05", 5),
        ];
        let text: String = copies.iter().map(|line| format!("{line}\n")).collect();
        put(&below, text.as_bytes());
        assert_eq!(counted(), (101, 199));
        let of_agent = session.usage().by.pop().unwrap();
        assert_eq!(
            (of_agent.agent_id.as_deref(), of_agent.messages),
            (Some("a1"), 1)
        );
        // It was continued in another folder, with the earlier lines.
        let moved = session.dir.path().join("moved").join(format!("{ID}.jsonl"));
        let lines = [line("m0", "12:00:01", 1), line("later", "12:01:00", 7)];
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        put(&moved, text.as_bytes());
        let usage = of_transcripts(vec![moved.clone()], &session.session, &session.record).unwrap();
        assert_eq!((usage.total().messages, usage.total().output), (102, 206));
        assert_eq!(counted(), (102, 206));
        assert_eq!(known(&session.session), Some(session.usage()));
    }

    #[test]
    fn messages_that_the_client_made_up_are_not_counted() {
        let session = Session::new("startup");
        let mut made_up = line("m1", "12:00:01", 1);
        made_up["message"]["model"] = MADE_UP.into();
        session.write(&[
            made_up,
            json!({"type": "user", "message": {"content": "hello"}}),
        ]);
        assert_eq!(session.usage(), Usage::default());
    }

    #[test]
    fn a_message_without_a_model_is_counted_as_one_of_an_unknown_model() {
        let session = Session::new("startup");
        let mut lines: Vec<Value> = ["m1", "m2", "m3"].map(|id| line(id, "12:00:01", 1)).into();
        lines[0]["message"]["model"] = Value::Null;
        lines[1]["message"]["model"] = "".into();
        lines[2]["message"].as_object_mut().unwrap().remove("model");
        session.write(&lines);
        let usage = session.usage();
        assert_eq!(usage.total().messages, 3);
        assert_eq!(usage.by.len(), 1);
        assert_eq!(usage.by[0].model, UNKNOWN_MODEL);
    }

    #[test]
    fn a_fork_is_not_charged_for_copied_messages() {
        let lines = [
            line("m1", "11:00:00", 7),
            json!({"type": "cost-state", "totalCostUSD": 1.5}),
            line("m2", "12:00:01", 5),
        ];
        // A fork's stated cost may include its origin's.
        let cases = [
            ("fork", 5, None),
            ("transcript", 5, None),
            ("resume", 12, Some(1.5)),
            ("late", 12, Some(1.5)),
        ];
        for (source, output, cost) in cases {
            let mut session = Session::new(source);
            // An import names the session whose copies it has seen.
            session.record.previous = (source == "transcript").then(|| "s-1".parse().unwrap());
            session.write(&lines);
            let usage = session.usage();
            assert_eq!(
                (usage.total().output, usage.cost_usd),
                (output, cost),
                "{source}"
            );
        }
    }

    #[test]
    fn a_cost_is_what_the_client_says() {
        let session = Session::new("startup");
        let mut old = [line("m1", "12:00:01", 7), line("m2", "12:00:02", 7)];
        old[0]["costUSD"] = 0.25.into();
        old[1]["costUSD"] = 0.5.into();
        session.write(&old);
        assert_eq!(session.usage().cost_usd, Some(0.75));
        let session = Session::new("startup");
        session.write(&[
            json!({"type": "cost-state", "totalCostUSD": 0.1}),
            json!({"type": "cost-state", "totalCostUSD": 0.2}),
        ]);
        assert_eq!(session.usage().cost_usd, Some(0.2));
    }

    #[test]
    fn subagents_are_counted_by_themselves() {
        let session = Session::new("startup");
        session.write(&[line("m1", "12:00:01", 7)]);
        let below = session.folder().join(ID).join("subagents/agent-a1.jsonl");
        put(
            &below,
            format!("{}\n", line("m2", "12:00:02", 5)).as_bytes(),
        );
        let mut beside = line("m3", "12:00:03", 3);
        beside["sessionId"] = ID.into();
        put(
            &session.folder().join("agent-a2.jsonl"),
            format!("{beside}\n").as_bytes(),
        );
        let mut anothers = line("m4", "12:00:04", 1);
        anothers["sessionId"] = "other".into();
        put(
            &session.folder().join("agent-a3.jsonl"),
            format!("{anothers}\n").as_bytes(),
        );
        let by: Vec<_> = session
            .usage()
            .by
            .into_iter()
            .map(|entry| (entry.agent_id, entry.output))
            .collect();
        let agent = |id: &str| Some(id.to_owned());
        assert_eq!(by, [(None, 7), (agent("a1"), 5), (agent("a2"), 3)]);
    }

    #[test]
    fn removed_lines_stay_counted_and_a_rewritten_transcript_is_counted_again() {
        let session = Session::new("startup");
        session.write(&[line("m1", "12:00:01", 7), line("m2", "12:00:02", 5)]);
        assert_eq!(session.usage().total().output, 12);
        // First the same size and the same inode, then shorter.
        session.write(&[line("m1", "12:00:01", 7), line("m3", "12:00:02", 4)]);
        assert_eq!(session.usage().total().output, 11);
        session.write(&[line("m1", "12:00:01", 7)]);
        assert_eq!(session.usage().total().output, 11);
        fs::remove_file(session.transcript()).unwrap();
        assert_eq!(session.usage().total().output, 11);
    }

    #[test]
    fn an_older_copy_elsewhere_lowers_no_count() {
        let session = Session::new("startup");
        session.write(&[line("m1", "12:00:01", 7), line("m2", "12:00:02", 5)]);
        let of =
            |main: &Path| of_transcripts(vec![main.to_owned()], &session.session, &session.record);
        assert_eq!(of(&session.transcript()).unwrap().total().output, 12);
        let copy = session.dir.path().join("copy").join(format!("{ID}.jsonl"));
        put(&copy, format!("{}\n", line("m1", "12:00:01", 7)).as_bytes());
        assert_eq!(of(&copy).unwrap().total().output, 12);
        assert_eq!(of(&session.transcript()).unwrap().total().output, 12);
    }

    #[test]
    fn a_damaged_count_that_cannot_be_recomputed_is_an_error() {
        let session = Session::new("startup");
        let path = session.session.path().join("usage.json");
        for damaged in [&b"{bad"[..], b"", b"{\"v\":7,\"files\":{}}"] {
            put(&path, damaged);
            let refused = of_session(&Environment::default(), &session.session, &session.record);
            let said = refused.unwrap_err().to_string();
            assert!(said.contains("usage.json"), "{said}");
            session.write(&[line("m1", "12:00:01", 7)]);
            assert_eq!(session.usage().total().output, 7);
            fs::remove_file(session.transcript()).unwrap();
        }
    }

    #[test]
    fn a_transcript_that_moved_is_not_counted_twice() {
        let mut session = Session::new("startup");
        session.write(&[line("m1", "12:00:01", 7)]);
        assert_eq!(session.usage().total().output, 7);
        let moved = session
            .dir
            .path()
            .join("projects/-elsewhere")
            .join(format!("{ID}.jsonl"));
        put(&moved, &fs::read(session.transcript()).unwrap());
        fs::remove_file(session.transcript()).unwrap();
        session.record.transcript_path = Some(moved.to_string_lossy().into_owned());
        session.session.replace_record(&session.record).unwrap();
        assert_eq!(session.usage().total().output, 7);
    }

    fn copy_tree(from: &Path, to: &Path) {
        for entry in fs::read_dir(from).unwrap() {
            let (path, name) = entry
                .map(|entry| (entry.path(), entry.file_name()))
                .unwrap();
            if path.is_dir() {
                fs::create_dir(to.join(&name)).unwrap();
                copy_tree(&path, &to.join(&name));
            } else {
                put(&to.join(&name), &fs::read(&path).unwrap());
            }
        }
    }

    /// Checks a transcript of a recorded run against the messages of each agent, counted by hand.
    #[track_caller]
    fn check_run(path: &str, expected: &[(Option<&str>, u64)], cost: f64) {
        // Use copies of our own: another user may own the files of a checkout, and those are never
        // read.
        let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/transcripts");
        let dir = TempDir::new().unwrap();
        copy_tree(&data, dir.path());
        let main = dir.path().join(path);
        let mut counted = UsageFile::default();
        assert!(counted.read_on(
            &SessionFiles::of(&"x".parse().unwrap(), vec![main], &[]),
            None
        ));
        let usage = counted.usage();
        let messages = |entry: &ModelUsage| (entry.agent_id.clone(), entry.messages);
        let by: Vec<_> = usage.by.iter().map(messages).collect();
        let expected: Vec<_> = expected
            .iter()
            .map(|(agent, messages)| (agent.map(str::to_owned), *messages))
            .collect();
        assert_eq!(by, expected);
        for entry in &usage.by {
            let n = entry.messages;
            assert_eq!(entry.model, "claude-opus-5-5");
            assert_eq!((entry.input, entry.output), (1000 * n, 50 * n));
            assert_eq!((entry.cache_read, entry.cache_creation), (0, 0));
        }
        assert!((usage.cost_usd.unwrap() - cost).abs() < 1e-9);
    }

    #[test]
    fn the_real_transcripts_hold_what_was_counted_by_hand() {
        check_run(
            "a/-home-dev-shop/2f09356b-a939-40a2-8915-584394440829.jsonl",
            &[(None, 5)],
            0.025,
        );
        check_run(
            "c/-home-dev-shop/65dd02b6-7134-4576-a982-e8658c4175aa.jsonl",
            &[
                (None, 6),
                (Some("a1ec96ab38d8edbe4"), 4),
                (Some("a25279885f68ea376"), 2),
                (Some("a4292a7076ba15185"), 2),
                (Some("a48babcda4d87725f"), 2),
                (Some("aa9adf9ad5f33cc4a"), 2),
            ],
            0.09,
        );
    }

    #[test]
    fn an_unchanged_count_is_not_rewritten() {
        let session = Session::new("startup");
        session.write(&[line("m1", "12:00:01", 7)]);
        let inode = || {
            let path = session.session.path().join("usage.json");
            fs::metadata(path).unwrap().ino()
        };
        session.usage();
        let written = inode();
        session.usage();
        assert_eq!(inode(), written);
    }

    #[test]
    fn a_real_transcript_can_be_cut_anywhere() {
        let run =
            "tests/data/transcripts/a/-home-dev-shop/2f09356b-a939-40a2-8915-584394440829.jsonl";
        let whole = fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(run)).unwrap();
        let session = Session::new("startup");
        for cut in (0..whole.len()).step_by(97) {
            put(&session.transcript(), &whole[..cut]);
            let mut fresh = UsageFile::default();
            fresh.read_on(&session.files(), None);
            assert_eq!(session.usage(), fresh.usage(), "{cut}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn reading_on_is_as_reading_from_the_start(
            messages in proptest::collection::vec((0u8..40, 0u64..100), 0..60),
            cuts in proptest::collection::vec(0usize..20_000, 0..8),
        ) {
            let text: String = messages
                .iter()
                .map(|(id, output)| format!("{}\n", line(&format!("m{id}"), "12:00:01", *output)))
                .collect();
            let session = Session::new("startup");
            let mut cuts: Vec<usize> = cuts.into_iter().filter(|cut| *cut < text.len()).collect();
            cuts.sort_unstable();
            for cut in cuts {
                put(&session.transcript(), &text.as_bytes()[..cut]);
                session.usage();
            }
            put(&session.transcript(), text.as_bytes());
            let mut fresh = UsageFile::default();
            fresh.read_on(&session.files(), None);
            prop_assert_eq!(session.usage(), fresh.usage());
        }

        #[test]
        fn no_bytes_stop_the_count(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let session = Session::new("startup");
            let mut text = bytes;
            text.extend_from_slice(format!("\n{}\n", line("m1", "12:00:01", u64::MAX)).as_bytes());
            put(&session.transcript(), &text);
            prop_assert_eq!(session.usage().total().output, u64::MAX);
        }
    }
}
