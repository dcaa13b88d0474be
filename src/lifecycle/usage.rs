//! What a session used of the models, counted from the client's own transcript.
//!
//! A transcript is read on from where the last reading ended; how far that was, and what was counted, is in the
//! session's `usage.json`. It stays when the client deletes the transcript; lost before that, it is counted anew. It needs
//! no lock, since each writer replaces it by a count that is right for what that writer has read.

use std::cell::OnceCell;
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::Path;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::transcript::line::{Line, MADE_UP, Member, Message};
use super::transcript::{self, AgentFile, ClientFile, Search, SessionFiles, records};
use crate::model::redact::Redactor;
use crate::model::usage::{ModelUsage, Usage};
use crate::model::{Record, Timestamp};
use crate::store::lines::{Lines, Position};
use crate::store::{Environment, Error, Result, SessionDir, file};

/// The version of `usage.json`.
const VERSION: u64 = 1;
/// How much of a file is looked through at once.
const BATCH: usize = 1 << 20;
/// How many messages of a file may still grow: a message is repeated for each of its blocks, and in old clients' files
/// those of parallel subagents come in turns.
const GROWING: usize = 16;
/// Who wrote a subagent's message in an old client's transcript, which names no subagents.
const UNNAMED_AGENT: &str = "sidechain";

/// What the session used. `usage.json` is brought up to date if the transcript has grown; what cannot be read counts
/// as it was counted last.
///
/// # Errors
/// Where `usage.json` cannot be read or replaced, or the journal cannot be opened. One that is damaged is no error while
/// the transcript is there.
pub fn of_session(env: &Environment, dir: &SessionDir, record: &Record) -> Result<Usage> {
    of_files(&Search::new(env).files(dir, record, None), dir, record)
}

/// As [`of_session`], for whoever knows already where its transcripts may be.
///
/// # Errors
/// As [`of_session`].
pub fn of_transcripts(paths: Vec<PathBuf>, dir: &SessionDir, record: &Record) -> Result<Usage> {
    let files = SessionFiles::of(&record.session_id, paths, &[]);
    of_files(&files, dir, record)
}

/// As [`of_session`], for whoever knows the session's files already.
///
/// # Errors
/// As [`of_session`].
pub fn of_files(files: &SessionFiles, dir: &SessionDir, record: &Record) -> Result<Usage> {
    let (mut counted, damage) = match Counted::read(dir) {
        Err(damage @ Error::Content { .. }) => (Counted::default(), Some(damage)),
        read => (read?, None),
    };
    if !files.mains.is_empty() || !files.agents.is_empty() {
        let since = transcript::own_since(dir, record)?;
        if counted.read_on(files, since) {
            dir.replace_usage(&counted.encode())?;
        }
    }
    match damage {
        Some(damage) if counted.files.is_empty() => Err(damage),
        _ => Ok(counted.usage()),
    }
}

/// Counts what a session used that has not been counted since its last event, in the transcripts that its record names and
/// that `search` finds. For whoever looks at all sessions.
///
/// # Errors
/// As [`of_session`].
pub fn count_due(
    dir: &SessionDir,
    record: &Record,
    search: impl FnOnce() -> Vec<PathBuf>,
) -> Result<()> {
    let last = dir.last_activity();
    let written = dir.usage_written();
    let is_counted = |at: Timestamp| written.is_some_and(|written| written > at);
    let main = transcript::find_named(record, None);
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

/// What was counted of the session last; nothing where nothing was.
pub fn known(dir: &SessionDir) -> Option<Usage> {
    let counted = Counted::read(dir).ok()?;
    (!counted.files.is_empty()).then(|| counted.usage())
}

/// `usage.json`: what was counted of each file, by its name. The name and not the path, since a client that moves into a
/// worktree takes its transcript along.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Counted {
    v: u64,
    files: BTreeMap<String, FileCount>,
}

/// What was counted of one file.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct FileCount {
    /// Where it was last, for people.
    path: String,
    /// Device and inode.
    identity: (u64, u64),
    #[serde(flatten)]
    position: Position,
    /// The messages that may still grow, the oldest first.
    growing: VecDeque<Counting>,
    /// All messages before them, and what those cost, where each says so.
    sum: Usage,
    /// What the session cost so far, as the client said last.
    stated_cost: Option<f64>,
    /// Whether it begins with copies of another session's lines.
    has_copies: bool,
}

/// A message, as far as it is written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Counting {
    id: String,
    #[serde(flatten)]
    usage: ModelUsage,
    cost_usd: Option<f64>,
}

/// The tokens of a message, as the API counts them.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Tokens<'a> {
    #[serde(borrow)]
    input_tokens: Member<'a>,
    #[serde(borrow)]
    output_tokens: Member<'a>,
    #[serde(borrow)]
    cache_read_input_tokens: Member<'a>,
    #[serde(borrow)]
    cache_creation_input_tokens: Member<'a>,
}

impl Counted {
    fn read(dir: &SessionDir) -> Result<Self> {
        let Some(bytes) = dir.usage()? else {
            return Ok(Self::default());
        };
        let damaged = |why: String| Error::Content {
            path: dir.usage_path(),
            why,
        };
        let known: Self = serde_json::from_slice(&bytes).map_err(|err| damaged(err.to_string()))?;
        if known.v != VERSION {
            return Err(damaged(format!("it is of version {}", known.v)));
        }
        Ok(known)
    }

    fn encode(&mut self) -> Vec<u8> {
        self.v = VERSION;
        let mut bytes = serde_json::to_vec(self).unwrap_or_default();
        bytes.push(b'\n');
        bytes
    }

    /// Reads what is new in a session's transcripts and in those of its subagents. Whether there was anything is the
    /// answer.
    fn read_on(&mut self, files: &SessionFiles, since: Option<Timestamp>) -> bool {
        let mut is_new = match files.mains.as_slice() {
            [main] if !self.has_places_of(&main.path) => {
                let none = BTreeSet::new();
                self.read_file(name_of(&main.path), &main.path, None, since, || &none)
            }
            mains => self.read_mains(mains, since),
        };
        for (AgentFile { path, agent_id }, _) in &files.agents {
            let none = BTreeSet::new();
            is_new |= self.read_file(name_of(path), path, Some(agent_id), since, || &none);
        }
        is_new
    }

    /// Whether several transcripts of this name were counted, each under the place where it is.
    fn has_places_of(&self, path: &Path) -> bool {
        let end = format!("/{}", name_of(path));
        self.files.keys().any(|key| key.ends_with(&end))
    }

    /// Reads several transcripts of one session: what is in a larger one, too, is not counted again.
    fn read_mains(&mut self, mains: &[ClientFile], since: Option<Timestamp>) -> bool {
        let mut is_new = false;
        let mut most = 0;
        for (number, main) in mains.iter().enumerate() {
            let larger = mains.get(..number).unwrap_or_default();
            let counted = OnceCell::new();
            let counted = || counted.get_or_init(|| messages_in(larger));
            is_new |= self.read_file(main.place.clone(), &main.path, None, since, counted);
            most = most.max(self.files.get(&main.place).map_or(0, FileCount::messages));
        }
        // It was counted under its name as long as it was the only one.
        for main in mains {
            let name = name_of(&main.path);
            let is_elsewhere = |count: &FileCount| {
                let path = Path::new(&count.path);
                mains.iter().any(|main| main.path == path) || count.messages() <= most
            };
            if self.files.get(&name).is_some_and(is_elsewhere) {
                self.files.remove(&name);
                is_new = true;
            }
        }
        is_new
    }

    /// Reads what is new in one file, but for the messages that are `counted` elsewhere. One that cannot be read keeps what was
    /// counted of it, and so does one that has lost some of it.
    fn read_file<'c>(
        &mut self,
        key: String,
        path: &Path,
        agent: Option<&str>,
        since: Option<Timestamp>,
        counted: impl Fn() -> &'c BTreeSet<String>,
    ) -> bool {
        let before = self.files.get(&key);
        match FileCount::of(path, before, agent, since, counted) {
            Ok(Some(count)) if before.is_none_or(|before| count.replaces(before)) => {
                self.files.insert(key, count);
                true
            }
            _ => false,
        }
    }

    fn usage(&self) -> Usage {
        let mut usage = Usage::default();
        let mut summed_cost = None;
        for file in self.files.values() {
            let growing = file.growing.iter().map(|message| &message.usage);
            for more in file.sum.by.iter().chain(growing) {
                usage.add(more);
            }
            let costs = file.growing.iter().map(|message| message.cost_usd);
            for cost in costs.chain([file.sum.cost_usd]).flatten() {
                *summed_cost.get_or_insert(0.0) += cost;
            }
        }
        let stated = self.files.values().filter_map(|file| file.stated_cost);
        usage.cost_usd = stated.reduce(f64::max).or(summed_cost);
        usage
    }
}

impl FileCount {
    /// What the file at `path` holds; nothing where there is none. It is read from where `before` ends, or from its start
    /// if it is another file by now, or was rewritten.
    fn of<'c>(
        path: &Path,
        before: Option<&Self>,
        agent: Option<&str>,
        since: Option<Timestamp>,
        counted: impl Fn() -> &'c BTreeSet<String>,
    ) -> Result<Option<Self>> {
        let Some(mut lines) = Lines::open(path)? else {
            return Ok(None);
        };
        let mut count = Self::default();
        if let Some(before) = before.filter(|before| before.identity == lines.meta().identity)
            && lines.go_on(&before.position)?
        {
            count = before.clone();
        }
        loop {
            let (batch, _) = lines.next_lines(BATCH)?;
            if batch.is_empty() {
                break;
            }
            let words: &[&str] = match since {
                // Each line tells by its time whose it is.
                Some(_) => &["\n"],
                None => &["\"usage\"", "cost-state"],
            };
            for line in words.iter().flat_map(|word| lines_with(word, &batch)) {
                records::read(line, |line| count.line(line, agent, since, &counted));
            }
        }
        count.path = path.to_string_lossy().into_owned();
        count.identity = lines.meta().identity;
        count.position = lines.position()?;
        Ok(Some(count))
    }

    /// Whether this is more, or more recent, than what was counted `before` of a file of this name: it may have been cut
    /// off, or another may be an older copy.
    fn replaces(&self, before: &Self) -> bool {
        if self == before {
            return false;
        }
        match self.messages().cmp(&before.messages()) {
            Ordering::Less => false,
            Ordering::Greater => true,
            Ordering::Equal => {
                self.path == before.path || !transcript::is_there(Path::new(&before.path))
            }
        }
    }

    fn messages(&self) -> u64 {
        let before = self.sum.by.iter().map(|used| used.messages).sum::<u64>();
        before + self.growing.len() as u64
    }

    fn line<'c>(
        &mut self,
        line: &Line<'_>,
        agent: Option<&str>,
        since: Option<Timestamp>,
        counted: &impl Fn() -> &'c BTreeSet<String>,
    ) {
        if since.is_some_and(|since| line.at().is_some_and(|at| at < since)) {
            self.has_copies = true;
            return;
        }
        match line.kind.text().as_deref() {
            // What it says may include what a fork's origin cost.
            Some("cost-state") if !self.has_copies => {
                self.stated_cost = line.total_cost_usd.get().or(self.stated_cost);
            }
            Some("assistant") => {
                let message = message(line, agent);
                if let Some(message) = message.filter(|message| !counted().contains(&message.id)) {
                    self.count(message);
                }
            }
            _ => {}
        }
    }

    fn count(&mut self, message: Counting) {
        let mut growing = self.growing.iter_mut();
        if let Some(known) = growing.find(|known| known.id == message.id) {
            known.grow(&message);
            return;
        }
        self.growing.push_back(message);
        if self.growing.len() > GROWING
            && let Some(whole) = self.growing.pop_front()
        {
            self.sum.add(&whole.usage);
            if let Some(cost) = whole.cost_usd {
                *self.sum.cost_usd.get_or_insert(0.0) += cost;
            }
        }
    }
}

impl Counting {
    /// Each line of a message has the numbers so far: the last and greatest are the message's.
    fn grow(&mut self, later: &Self) {
        let (known, later_usage) = (&mut self.usage, &later.usage);
        known.input = known.input.max(later_usage.input);
        known.output = known.output.max(later_usage.output);
        known.cache_read = known.cache_read.max(later_usage.cache_read);
        known.cache_creation = known.cache_creation.max(later_usage.cache_creation);
        self.cost_usd = later.cost_usd.or(self.cost_usd);
    }
}

/// What a file is called.
fn name_of(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

/// The ids of all messages in these files, as far as they can be read.
fn messages_in(files: &[ClientFile]) -> BTreeSet<String> {
    let mut ids = BTreeSet::new();
    for file in files {
        let Ok(Some(mut lines)) = Lines::open(&file.path) else {
            continue;
        };
        while let Ok((batch, _)) = lines.next_lines(BATCH) {
            if batch.is_empty() {
                break;
            }
            for line in lines_with("\"usage\"", &batch) {
                records::read(line, |line| {
                    ids.extend(message(line, None).map(|message| message.id))
                });
            }
        }
    }
    ids
}

/// The lines of a batch with this word in them. The last one may have no line break yet: what is whole of it is read again
/// once it has one.
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

/// The message in a line, if a model wrote it.
fn message(line: &Line<'_>, agent: Option<&str>) -> Option<Counting> {
    let message: Message<'_> = line.message.get()?;
    let tokens: Tokens<'_> = message.usage.get()?;
    let model = message.model.owned().filter(|model| model != MADE_UP)?;
    let unnamed = || {
        line.is_sidechain
            .is_true()
            .then(|| UNNAMED_AGENT.to_owned())
    };
    let number = |member: Member<'_>| member.get().unwrap_or(0);
    let mut id = message.id.owned().or_else(|| line.uuid.owned())?;
    Redactor::default().word(&mut id);
    let mut counting = Counting {
        id,
        usage: ModelUsage {
            model,
            agent_id: agent
                .map(str::to_owned)
                .or_else(|| line.agent_id.owned())
                .or_else(unnamed),
            messages: 1,
            input: number(tokens.input_tokens),
            output: number(tokens.output_tokens),
            cache_read: number(tokens.cache_read_input_tokens),
            cache_creation: number(tokens.cache_creation_input_tokens),
        },
        cost_usd: line.cost_usd.get(),
    };
    counting.usage.redact_words();
    Some(counting)
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
    use crate::store::{Places, State};

    const ID: &str = "5b48472b-1111-4222-8333-444455556666";

    /// A session with a record, and a place for its transcript.
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
            let state = State::create(&places).unwrap();
            let started = Timestamp::parse("2026-11-20T12:00:00Z").unwrap();
            let id: SessionId = ID.parse().unwrap();
            let mut record =
                Record::new(id.clone(), &Project::at("/home/dev/shop".into()), started);
            record.source = Some(source.to_owned());
            let path = dir.path().join(format!("{ID}.jsonl"));
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

        fn transcript(&self) -> PathBuf {
            self.dir.path().join(format!("{ID}.jsonl"))
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
    fn what_the_client_makes_up_is_not_counted() {
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
    fn a_forks_copies_are_not_its_own() {
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
            // An import names the session that it has seen the copies of.
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
        let below = session.dir.path().join(ID).join("subagents/agent-a1.jsonl");
        put(
            &below,
            format!("{}\n", line("m2", "12:00:02", 5)).as_bytes(),
        );
        let mut beside = line("m3", "12:00:03", 3);
        beside["sessionId"] = ID.into();
        put(
            &session.dir.path().join("agent-a2.jsonl"),
            format!("{beside}\n").as_bytes(),
        );
        let mut anothers = line("m4", "12:00:04", 1);
        anothers["sessionId"] = "other".into();
        put(
            &session.dir.path().join("agent-a3.jsonl"),
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
    fn what_is_gone_or_cut_off_stays_counted_and_what_was_rewritten_is_counted_anew() {
        let session = Session::new("startup");
        session.write(&[line("m1", "12:00:01", 7), line("m2", "12:00:02", 5)]);
        assert_eq!(session.usage().total().output, 12);
        // The same size, by the same inode, and then shorter.
        session.write(&[line("m1", "12:00:01", 7), line("m3", "12:00:02", 4)]);
        assert_eq!(session.usage().total().output, 11);
        session.write(&[line("m1", "12:00:01", 7)]);
        assert_eq!(session.usage().total().output, 11);
        fs::remove_file(session.transcript()).unwrap();
        assert_eq!(session.usage().total().output, 11);
    }

    #[test]
    fn an_older_copy_elsewhere_takes_nothing_away() {
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
    fn a_damaged_count_is_an_error_where_it_cannot_be_made_anew() {
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
            .join("elsewhere")
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

    /// A transcript of a recorded run, and how many messages of each agent were counted in it by hand.
    #[track_caller]
    fn check_run(path: &str, expected: &[(Option<&str>, u64)], cost: f64) {
        // In copies of our own: the files of a checkout may be another user's, and those are never read.
        let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/transcripts");
        let dir = TempDir::new().unwrap();
        copy_tree(&data, dir.path());
        let main = dir.path().join(path);
        let mut counted = Counted::default();
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
    fn what_has_not_grown_is_not_written_again() {
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
            let mut anew = Counted::default();
            anew.read_on(&session.files(), None);
            assert_eq!(session.usage(), anew.usage(), "{cut}");
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
            let mut anew = Counted::default();
            anew.read_on(&session.files(), None);
            prop_assert_eq!(session.usage(), anew.usage());
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
