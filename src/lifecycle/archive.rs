//! Archiving a session: what was said, for people; the client's transcript and the journal, for programs and for the
//! client itself, which deletes its own after a while.
//!
//! It can be done at any time and again: as long as nothing has changed, the archive that is there is the answer. One
//! that is there is only ever replaced by one that holds more.

mod copy;
mod restore;
mod talk;
mod text;

pub use restore::{Restored, open_part, restore};

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::lifecycle::transcript::{self, AgentFile, MAX_META, Search};
use crate::lifecycle::usage;
use crate::model::archive::{Kind, Manifest, Original, Part, Stem, VERSION};
use crate::model::project::to_hex;
use crate::model::redact::{Counts, Redactor, redact};
use crate::model::{Activity, Project, Record, SessionId, Timestamp, Trace};
use crate::store::archive::{Archive, Archives, Draft, Writer};
use crate::store::file::Look;
use crate::store::lines::Lines;
use crate::store::lock::CLI_PATIENCE;
use crate::store::log::{self, Line, Log};
use crate::store::packed::Unpacked;
use crate::store::session::Piece;
use crate::store::{self, Error, SessionDir, State, clock, file};
use copy::{Made, Making, copy, survey};
use talk::{Survey, Talk};
use text::Wanted;

/// How long a person waits for another archiving to end.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// How much of a subagent's id is in the name of its copy: with the longest focus and session id, and what such a name
/// waits under, it has 255 bytes at most.
const MAX_AGENT: usize = 24;

/// What is wanted of an archive.
#[derive(Debug, Default)]
pub struct Order {
    /// What the session was, in a sentence.
    pub description: Option<String>,
    /// Whether the text has the tool calls, too.
    pub tools: bool,
    /// The transcript, where several could be it.
    pub transcript: Option<PathBuf>,
}

/// A session's archive.
#[derive(Debug)]
pub struct Archived {
    /// Where it is.
    pub archive: Archive,
    /// What it holds.
    pub manifest: Manifest,
    /// Whether it was there already, with all that it would hold now.
    pub was_there: bool,
}

impl Archived {
    /// Where the text for people is.
    pub fn text(&self) -> Option<PathBuf> {
        let part = self.manifest.part(Kind::Text)?;
        Some(self.archive.part_path(&part.name))
    }
}

/// Why there is no archive.
#[derive(Debug)]
pub enum Refusal {
    /// The session has no record.
    Unknown(SessionId),
    /// Any of these may be its transcript.
    Several(SessionId, Vec<PathBuf>),
    /// Something could not be read or written.
    Store(Error),
}

impl From<Error> for Refusal {
    fn from(err: Error) -> Self {
        Self::Store(err)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(id) => write!(f, "could not find session `{id}`: it has no record"),
            Self::Several(id, paths) => {
                let paths: Vec<String> = paths.iter().map(|path| store::shown(path)).collect();
                write!(
                    f,
                    "could not choose the transcript of session {id}: {} could be it ({}); give one with --transcript",
                    paths.len(),
                    paths.join(", ")
                )
            }
            Self::Store(err) => err.fmt(f),
        }
    }
}

impl std::error::Error for Refusal {}

/// The archive of a session whose record says that it has one; nothing where that is not there any more.
///
/// # Errors
/// [`Error`] where it is there and cannot be read.
pub fn recorded(archives: &Archives, record: &Record) -> store::Result<Option<Archived>> {
    let place = record
        .archive
        .as_ref()
        .and_then(|archive| archive.get("place")?.as_str());
    let Some(archive) = place.and_then(|place| archives.at(place)) else {
        return Ok(None);
    };
    let manifest = archive.manifest()?;
    let manifest = manifest.filter(|manifest| manifest.session_id == record.session_id);
    Ok(manifest.map(|manifest| Archived {
        archive,
        manifest,
        was_there: true,
    }))
}

/// The archive of a session whose record names none.
fn unrecorded(archives: &Archives, id: &SessionId) -> store::Result<Option<Archived>> {
    let Some(archive) = archives.of_session(id)? else {
        return Ok(None);
    };
    let manifest = archive.manifest().ok().flatten();
    let manifest = manifest.filter(|manifest| manifest.session_id == *id);
    Ok(manifest.map(|manifest| Archived {
        archive,
        manifest,
        was_there: true,
    }))
}

/// The archive of a session, whether its record names it or not: whoever made it may have been killed before the record said
/// so. One whose manifest cannot be read is left where it is, and counts as none: the session is archived again, beside it.
///
/// # Errors
/// [`Error`] where the archives cannot be listed.
pub fn known(archives: &Archives, record: &Record) -> store::Result<Option<Archived>> {
    match recorded(archives, record) {
        Ok(Some(known)) => Ok(Some(known)),
        Ok(None) | Err(_) => unrecorded(archives, &record.session_id),
    }
}

/// Where a session is archived for the first time. Names may be the same: of `2` with the focus `task-1`, and of `1-2`
/// with the focus `task`.
fn free(archives: &Archives, record: &Record) -> Archive {
    let day = clock::to_civil(record.started_at).date();
    let project = Project::at(record.project.root()).name();
    let focus = record.focus.as_deref().unwrap_or_default();
    let (mut named, mut number) = (focus.to_owned(), 1);
    loop {
        let stem = Stem::new(day, Some(&named), &record.session_id);
        let archive = archives.of_project(&project, stem);
        let is_free = match archive.manifest() {
            Ok(there) => there.is_none_or(|there| there.session_id == record.session_id),
            Err(_) => false,
        };
        if is_free {
            return archive;
        }
        number += 1;
        named = format!("{number} {focus}");
    }
}

/// Archives a session, waiting at most `patience` while another process archives.
///
/// # Errors
/// [`Refusal`]; then everything is as it was.
pub fn archive(
    search: &Search<'_>,
    state: &State,
    id: &SessionId,
    order: &Order,
    patience: Duration,
) -> Result<Archived, Refusal> {
    let archives = Archives::of(state);
    let lock = archives.lock(patience)?;
    // What could not be ended is another session's matter; the daily cleanup and the doctor name it.
    archives.finish_pending()?;
    let session = state.session(id);
    let record = session
        .record()?
        .ok_or_else(|| Refusal::Unknown(id.clone()))?;
    let known = known(&archives, &record)?;
    let sources = Sources::find(search, &session, &record, order)?;
    if let Some(known) = &known
        && sources.are_in(known, &record, order)?
    {
        note(
            state,
            &record,
            order,
            &known.archive,
            known.manifest.archived_at,
        )?;
        return Ok(Archived {
            archive: known.archive.clone(),
            manifest: known.manifest.clone(),
            was_there: true,
        });
    }
    let archive = match &known {
        Some(known) => known.archive.clone(),
        None => free(&archives, &record),
    };
    let now = clock::now();
    let (draft, manifest) =
        sources.draft(&archive, known.as_ref(), &session, &record, order, now)?;
    let archive = draft.complete(&manifest)?;
    note(state, &record, order, &archive, now)?;
    drop(lock);
    let line = Line::new("session archived").session(id);
    log::append(
        state,
        Log::Operations,
        &line.detail("messages", manifest.messages),
    )?;
    Ok(Archived {
        archive,
        manifest,
        was_there: false,
    })
}

/// Whether [`archive`] would make an archive now of the session with this record, or a new one. Nothing is written.
///
/// # Errors
/// As [`archive`].
pub fn is_due(search: &Search<'_>, state: &State, record: &Record) -> Result<bool, Refusal> {
    let order = Order::default();
    let known = known(&Archives::of(state), record)?;
    let sources = Sources::find(search, &state.session(&record.session_id), record, &order)?;
    match known {
        Some(known) => Ok(!sources.are_in(&known, record, &order)?),
        None => Ok(true),
    }
}

/// Whether each of these transcripts, of which the `main` one is the session's own, is in the archive with this manifest, as
/// far as their `sizes` tell.
pub fn has_all(manifest: &Manifest, main: Option<&Path>, sizes: &BTreeMap<PathBuf, u64>) -> bool {
    let is_copy = |part: &&Part| matches!(part.kind, Kind::Transcript | Kind::Subagent);
    let mut copies = manifest.parts.iter().filter(is_copy);
    // Not every archive says how long each was.
    if copies.any(|part| part.original_bytes.is_none()) {
        return manifest.transcript.bytes >= sizes.values().sum();
    }
    sizes.iter().all(|(path, size)| {
        let is_main = Some(path.as_path()) == main;
        let is_its = |part: &&Part| match part.kind {
            Kind::Transcript => is_main,
            Kind::Subagent => !is_main && name_of(part) == path.file_name(),
            Kind::Text | Kind::Meta | Kind::Journal => false,
        };
        let mut copies = manifest.parts.iter().filter(is_its);
        copies.any(|part| part.original_bytes >= Some(*size))
    })
}

/// Notes in the record that the session is archived.
fn note(
    state: &State,
    record: &Record,
    order: &Order,
    archive: &Archive,
    at: Timestamp,
) -> store::Result<()> {
    let said = Some(json!({"place": archive.place(), "at": at}));
    let description = order
        .description
        .as_deref()
        .map(|said| redact(said).into_owned());
    let is_new = |known: &Record| {
        known.archive != said || description.is_some() && known.description != description
    };
    if !is_new(record) {
        return Ok(());
    }
    let _lock = state.lock(CLI_PATIENCE)?;
    let session = state.session(&record.session_id);
    if let Some(mut record) = session.record()?.filter(is_new) {
        record.archive = said;
        if description.is_some() {
            record.description.clone_from(&description);
        }
        session.replace_record(&record)?;
    }
    Ok(())
}

/// What an archive is made from.
struct Sources {
    /// The session's transcript.
    main: Option<PathBuf>,
    /// Those of its subagents.
    agents: Vec<AgentFile>,
    /// The journal's files.
    journal: Vec<Piece>,
    /// How many bytes each of the transcripts has.
    sizes: BTreeMap<PathBuf, u64>,
    /// How many they have together.
    bytes: u64,
    fingerprint: String,
}

impl Sources {
    fn find(
        search: &Search<'_>,
        session: &SessionDir,
        record: &Record,
        order: &Order,
    ) -> Result<Self, Refusal> {
        let id = &record.session_id;
        let candidates = match &order.transcript {
            Some(path) => vec![file::canonical(path)?],
            None => search.candidates(session, record),
        };
        if candidates.len() > 1 {
            return Err(Refusal::Several(id.clone(), candidates));
        }
        let main = candidates.into_iter().next();
        let mut agents = main
            .as_deref()
            .map(transcript::agents_below)
            .unwrap_or_default();
        if let Some(folder) = main.as_deref().and_then(Path::parent) {
            let mut beside = transcript::agents_beside(folder);
            agents.extend(beside.remove(id.as_str()).unwrap_or_default());
        }
        let mut sources = Self {
            main,
            agents,
            journal: session.pieces()?,
            sizes: BTreeMap::new(),
            bytes: 0,
            fingerprint: String::new(),
        };
        sources.measure()?;
        Ok(sources)
    }

    fn transcripts(&self) -> impl Iterator<Item = &PathBuf> {
        let agents = self.agents.iter().map(|agent| &agent.path);
        self.main.iter().chain(agents)
    }

    fn measure(&mut self) -> store::Result<()> {
        let add = |digest: &mut Sha256, path: &Path, size: u64, modified: Timestamp| {
            let name = path.file_name().unwrap_or_default();
            digest.update(name.as_bytes());
            digest.update(format!("\0{size}\0{}\0", modified.micros()));
        };
        let mut digest = Sha256::new();
        let mut sizes = BTreeMap::new();
        for path in self.transcripts() {
            if let Some(Look { meta, .. }) = file::look(path)? {
                add(&mut digest, path, meta.size, meta.modified);
                sizes.insert(path.clone(), meta.size);
            }
        }
        // By what each was: that it was compressed makes no archive anew.
        for piece in &self.journal {
            add(&mut digest, &piece.name, piece.size, piece.modified);
        }
        for path in self.agents.iter().map(AgentFile::meta) {
            if let Some(Look { meta, .. }) = file::look(&path)?.filter(Look::is_file) {
                add(&mut digest, &path, meta.size, meta.modified);
            }
        }
        let mut fingerprint = to_hex(&digest.finalize());
        fingerprint.truncate(32);
        self.bytes = sizes.values().sum();
        (self.sizes, self.fingerprint) = (sizes, fingerprint);
        Ok(())
    }

    /// Whether the archive that is there has all of them, and says what is wanted of it. One with a transcript is never
    /// replaced by one with less of it: the client deletes its own. Nor is one by one that has no more of it and less of the
    /// journal: of a session whose removal was interrupted, the rest is no news.
    fn are_in(&self, known: &Archived, record: &Record, order: &Order) -> store::Result<bool> {
        let manifest = &known.manifest;
        if self.is_cut(manifest) || manifest.transcript.bytes > self.bytes && self.all_in(manifest)
        {
            return Ok(true);
        }
        let described = order.description.as_deref().map(redact);
        let is_same = manifest.transcript.fingerprint == self.fingerprint
            && (described.is_none() || described.as_deref() == manifest.description.as_deref())
            && (manifest.tools || !order.tools)
            && manifest.focus == record.focus
            && manifest.role == record.role
            && manifest.ended_at == record.ended_at;
        if is_same {
            return Ok(true);
        }
        Ok(self.bytes == manifest.transcript.bytes && self.has_less_of_the_journal(known)?)
    }

    fn has_less_of_the_journal(&self, known: &Archived) -> store::Result<bool> {
        let part = known.manifest.part(Kind::Journal);
        part.map_or(Ok(false), |part| has_fewer(&self.journal, part))
    }

    /// Whether the session's own transcript is gone, or shorter than the one that was archived.
    fn is_cut(&self, manifest: &Manifest) -> bool {
        let size = self.main.as_ref().and_then(|main| self.sizes.get(main));
        let archived = manifest.part(Kind::Transcript);
        archived.is_some_and(|part| size.is_none() || part.original_bytes > size.copied())
    }

    fn all_in(&self, manifest: &Manifest) -> bool {
        has_all(manifest, self.main.as_deref(), &self.sizes)
    }

    /// Writes everything but the manifest. What the archive before has of subagents of which the client has nothing any more
    /// is taken over.
    fn draft(
        &self,
        archive: &Archive,
        before: Option<&Archived>,
        session: &SessionDir,
        record: &Record,
        order: &Order,
        now: Timestamp,
    ) -> store::Result<(Draft, Manifest)> {
        let said = order.description.as_ref().or(record.description.as_ref());
        let description = said.map(|said| redact(said).into_owned());
        let head = redact(&text::head(record, description.as_deref(), now)).into_owned();
        // The tokens are counted in a reading of its own.
        let (parts, usage) = thread::scope(|scope| {
            let count = || usage::of_transcript(self.main.as_deref(), session, record).ok();
            let usage = scope.spawn(count);
            let parts = self.parts(archive, before, session, order, &head)?;
            store::Result::Ok((parts, usage.join().ok().flatten()))
        })?;
        let manifest = Manifest {
            v: VERSION,
            session_id: record.session_id.clone(),
            project: record.project.clone(),
            role: record.role.clone(),
            focus: record.focus.clone(),
            description,
            started_at: record.started_at,
            ended_at: record.ended_at,
            archived_at: now,
            messages: parts.messages,
            tools: order.tools,
            transcript: Original {
                path: self
                    .main
                    .as_ref()
                    .map(|main| main.to_string_lossy().into_owned()),
                bytes: self.bytes,
                fingerprint: self.fingerprint.clone(),
                left_out: parts.left_out,
            },
            parts: parts.draft.parts(),
            redacted: parts.redacted,
            usage: usage.filter(|usage| !usage.by.is_empty()),
            record: as_map(record),
            extra: Map::new(),
        };
        Ok((parts.draft, manifest))
    }

    /// Writes the parts, of which the text begins with `head`.
    fn parts(
        &self,
        archive: &Archive,
        before: Option<&Archived>,
        session: &SessionDir,
        order: &Order,
        head: &str,
    ) -> store::Result<Parts> {
        let mut parts = Parts {
            draft: archive.draft()?,
            redacted: Counts::new(),
            messages: 0,
            left_out: 0,
        };
        let mut text = parts.draft.part(Kind::Text, ".txt")?;
        text::add(&mut text, head)?;
        let wanted = if order.tools {
            Wanted::Tools
        } else {
            Wanted::Messages
        };
        match &self.main {
            Some(main) => {
                let mut writer = parts.draft.part(Kind::Transcript, ".jsonl.zst")?;
                writer.set_original(place_of(main, main), self.sizes.get(main).copied());
                let mut plan = Survey::default();
                if let Some(mut lines) = Lines::open(main)? {
                    survey(&mut lines, |note| plan.note(note))?;
                }
                let mut talk = Talk::new(plan.plan());
                parts.copy_transcript(main, writer, Some((&mut talk, &mut text, wanted)))?;
                talk.end(&mut text)?;
                parts.messages = talk.messages;
            }
            None => {
                let mut trace = Trace::with_labels();
                session.lines()?.for_each(|line| trace.push(line));
                trace.order();
                let mut activity = Activity::of(&trace);
                activity.close(|_| false);
                text::add(&mut text, &text::of_activity(&activity))?;
            }
        }
        text::add(&mut text, &text::end(parts.messages))?;
        parts.draft.add(text)?;
        for (ending, agent) in self.agents_by_ending(before) {
            let main = self.main.as_deref().unwrap_or(&agent.path);
            let size = self.sizes.get(&agent.path).copied();
            let longer = |part: &Part| {
                let is_its = name_of(part) == agent.path.file_name();
                is_its && part.kind == Kind::Subagent && part.original_bytes > size
            };
            if !before.is_some_and(|before| before.manifest.parts.iter().any(longer)) {
                let mut writer = parts.draft.part(Kind::Subagent, &ending)?;
                writer.set_original(place_of(main, &agent.path), size);
                parts.copy_transcript(&agent.path, writer, None)?;
            }
            parts.copy_meta(agent, main, &ending.replace(".jsonl.zst", ".meta.json"))?;
        }
        if let Some(before) = before {
            parts.take_over(before)?;
        }
        match before.and_then(|before| before.manifest.part(Kind::Journal)) {
            Some(part) if has_fewer(&self.journal, part)? => parts.draft.carry_over(part)?,
            _ => parts.copy_journal(&self.journal)?,
        }
        Ok(parts)
    }

    /// The subagents, each with an ending for its copy that no other part has, one of the archive `before` neither.
    fn agents_by_ending(&self, before: Option<&Archived>) -> BTreeMap<String, &AgentFile> {
        let mut by_ending = BTreeMap::new();
        for agent in &self.agents {
            let is_safe = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
            let id = agent.agent_id.chars().filter(is_safe);
            let id: String = id.take(MAX_AGENT).collect();
            let mut ending = format!(".agent-{id}.jsonl.zst");
            for number in 2.. {
                let is_others = |part: &Part| {
                    part.name.ends_with(&ending) && name_of(part) != agent.path.file_name()
                };
                let is_taken =
                    before.is_some_and(|before| before.manifest.parts.iter().any(is_others));
                if !is_taken && !by_ending.contains_key(&ending) {
                    break;
                }
                ending = format!(".agent-{id}.{number}.jsonl.zst");
            }
            by_ending.insert(ending, agent);
        }
        by_ending
    }
}

/// Whether the files have fewer lines together than the part that was made from them.
fn has_fewer(pieces: &[Piece], part: &Part) -> store::Result<bool> {
    let mut count = 0;
    for piece in pieces {
        count += piece.count_lines()?;
    }
    Ok(count < part.lines)
}

/// Where a file is, from the client's folder of the project on: the folder that the `main` transcript is in.
fn place_of(main: &Path, path: &Path) -> String {
    let projects = main.parent().and_then(Path::parent).unwrap_or(main);
    let place = path.strip_prefix(projects).unwrap_or(path);
    place.to_string_lossy().into_owned()
}

/// What the file was called that a part is a copy of.
fn name_of(part: &Part) -> Option<&OsStr> {
    Path::new(part.original.as_deref()?).file_name()
}

/// The record without secrets that somebody wrote into its notes.
fn as_map(record: &Record) -> Map<String, Value> {
    let mut value = serde_json::to_value(record).unwrap_or_default();
    Redactor::default().value(&mut value);
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

/// The parts of an archive, as they are made.
struct Parts {
    draft: Draft,
    redacted: Counts,
    messages: u64,
    left_out: u64,
}

impl Parts {
    /// Copies a transcript; its messages go into the `text`, where there is one.
    fn copy_transcript(
        &mut self,
        path: &Path,
        mut writer: Writer,
        mut text: Option<(&mut Talk, &mut Writer, Wanted)>,
    ) -> store::Result<()> {
        let making = Making {
            redact: true,
            text: text.as_ref().map(|(.., wanted)| *wanted),
        };
        if let Some(mut lines) = Lines::open(path)? {
            copy(&mut lines, making, |made| {
                if let Some((talk, text, _)) = &mut text {
                    for heard in &made.heard {
                        talk.write(heard, text)?;
                    }
                }
                self.take(made, &mut writer)
            })?;
        }
        self.draft.add(writer)
    }

    /// Copies what the client noted of a subagent. What cannot be read is no reason to have no archive.
    fn copy_meta(&mut self, agent: &AgentFile, main: &Path, ending: &str) -> store::Result<()> {
        let path = agent.meta();
        let Ok(Some(content)) = file::read_own(&path, MAX_META) else {
            return Ok(());
        };
        let mut redactor = Redactor::default();
        let text = String::from_utf8_lossy(&content.bytes);
        let clean = redactor.transcript_line(&text);
        let mut writer = self.draft.part(Kind::Meta, ending)?;
        writer.set_original(place_of(main, &path), None);
        writer.write(clean.as_bytes(), clean.lines().count() as u64)?;
        self.count(redactor.into_counts());
        self.draft.add(writer)
    }

    /// Takes over what the archive before has of subagents and this one has not: the client deletes each of its files when it
    /// is old, and goes on with the others.
    fn take_over(&mut self, before: &Archived) -> store::Result<()> {
        let present = self.draft.parts();
        let is_present = |part: &Part| {
            let is_same = |other: &Part| other.name == part.name || name_of(other) == name_of(part);
            present.iter().any(is_same)
        };
        let of_agents = |part: &&Part| matches!(part.kind, Kind::Subagent | Kind::Meta);
        let lost = before.manifest.parts.iter().filter(of_agents);
        for part in lost.filter(|part| !is_present(part)) {
            self.draft.carry_over(part)?;
        }
        Ok(())
    }

    fn count(&mut self, redacted: Counts) {
        for (rule, count) in redacted {
            *self.redacted.entry(rule).or_default() += count;
        }
    }

    /// Copies the journal's files as one. They were redacted when they were written.
    fn copy_journal(&mut self, pieces: &[Piece]) -> store::Result<()> {
        let mut writer = self.draft.part(Kind::Journal, ".events.jsonl.zst")?;
        let making = Making {
            redact: false,
            text: None,
        };
        for Piece { path, .. } in pieces {
            let unpacked = Unpacked::of(path)?;
            let path = unpacked.as_ref().map_or(path.as_path(), Unpacked::path);
            if let Some(mut lines) = Lines::open(path)? {
                copy(&mut lines, making, |made| self.take(made, &mut writer))?;
            }
        }
        self.draft.add(writer)
    }

    fn take(&mut self, made: Made, writer: &mut Writer) -> store::Result<()> {
        self.left_out += made.left_out;
        self.count(made.redacted);
        writer.write(&made.compressed, made.lines)
    }
}
