//! Archives a session: the conversation as text for people, and the transcript and journal for
//! programs. Claude Code can use the transcript again, although it deletes its own copy after a
//! while.
//!
//! A session can be archived again at any time. If nothing has changed, the existing archive is the
//! result. It is only ever replaced by an archive that contains more.

mod copy;
pub mod expiring;
mod mains;
mod restore;
mod talk;
mod text;

pub use restore::{RestoreReport, open_part, restore};

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ffi::OsStr;
use std::fmt;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::claude::transcript::{self, AgentFile, ClientFile, MAX_META, Search, SessionFiles};
use crate::history::usage;
use crate::model::archive::{
    ArchivePart, CopiedTranscript, Manifest, Original, PartKind, Stem, VERSION,
};
use crate::model::project::to_hex;
use crate::model::redact::{Counts, Redactor, redact};
use crate::model::{OpenActivity, Project, Record, SessionId, Timestamp, TraceBuilder};
use crate::store::archive::{Archive, Archives, Draft, PartWriter};
use crate::store::file::Inspection;
use crate::store::journal::JournalFile;
use crate::store::journal::compressed::DecompressedFile;
use crate::store::lines::LineReader;
use crate::store::lock::CLI_PATIENCE;
use crate::store::log::{self, Log, LogLine};
use crate::store::{self, Error, History, SessionDir, StateDir, clock, file};
use copy::{BatchResult, CopyOptions, copy, copy_file, each_record, survey};
use mains::{MainTranscript, MainTranscripts, choose};
use talk::{Survey, TalkWriter};
use text::TextScope;

/// How long a command waits until another process has finished archiving.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// How many lines at a transcript's beginning are searched for its start time.
const OPENING: usize = 100;
/// How many characters of a subagent's id or a file's name are in its copy's name. With the longest
/// focus and session id, and the name of its temporary file, such a name has at most 255 bytes.
const MAX_NAME: usize = 24;
/// The beginning of the ending of a subagent's copy.
const AGENT: &str = ".agent-";
/// The beginning of the ending of another file's copy.
const FILE: &str = ".file-";
const ENDINGS: [&str; 2] = [AGENT, FILE];

/// A request to archive a session.
#[derive(Debug, Default)]
pub struct ArchiveRequest {
    /// A sentence that describes the session.
    pub description: Option<String>,
    /// Includes the tool calls in the text.
    pub tools: bool,
    /// The transcript to use, if there are several candidates.
    pub transcript: Option<PathBuf>,
}

/// A session's archive.
#[derive(Debug)]
pub struct SessionArchive {
    /// The archive's files.
    pub archive: Archive,
    /// The archive's manifest.
    pub manifest: Manifest,
    /// True if the archive already existed and was complete.
    pub was_there: bool,
}

impl SessionArchive {
    /// Returns the path of the text for people.
    pub fn text(&self) -> Option<PathBuf> {
        let part = self.manifest.part(PartKind::Text)?;
        Some(self.archive.part_path(&part.name))
    }
}

/// Why a session was not archived.
#[derive(Debug)]
pub enum ArchiveError {
    /// The session has no record.
    Unknown(SessionId),
    /// Something could not be read or written.
    Store(Error),
}

impl From<Error> for ArchiveError {
    fn from(err: Error) -> Self {
        Self::Store(err)
    }
}

impl fmt::Display for ArchiveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(id) => write!(f, "could not find session `{id}`: it has no record"),
            Self::Store(err) => err.fmt(f),
        }
    }
}

impl std::error::Error for ArchiveError {}

/// Returns the archive that a session's record names, or `None` if it does not exist any more.
///
/// # Errors
/// [`Error`] if it exists and cannot be read.
pub fn recorded(archives: &Archives, record: &Record) -> store::Result<Option<SessionArchive>> {
    let place = record
        .archive
        .as_ref()
        .and_then(|archive| archive.get("place")?.as_str());
    let Some(archive) = place.and_then(|place| archives.at(place)) else {
        return Ok(None);
    };
    let manifest = archive.manifest()?;
    let manifest = manifest.filter(|manifest| manifest.session_id == record.session_id);
    Ok(manifest.map(|manifest| SessionArchive {
        archive,
        manifest,
        was_there: true,
    }))
}

/// Returns the archive of a session whose record names none.
fn unrecorded(archives: &Archives, id: &SessionId) -> store::Result<Option<SessionArchive>> {
    let Some(archive) = archives.of_session(id)? else {
        return Ok(None);
    };
    let manifest = archive.manifest().ok().flatten();
    let manifest = manifest.filter(|manifest| manifest.session_id == *id);
    Ok(manifest.map(|manifest| SessionArchive {
        archive,
        manifest,
        was_there: true,
    }))
}

/// Returns the archive of a session, even if its record does not name it. The process that wrote it
/// may have been killed before it updated the record. An archive whose manifest cannot be read
/// counts as none and stays: the session is archived again, beside it.
///
/// # Errors
/// [`Error`] if the archives cannot be listed.
pub fn known(archives: &Archives, record: &Record) -> store::Result<Option<SessionArchive>> {
    match recorded(archives, record) {
        Ok(Some(known)) => Ok(Some(known)),
        Ok(None) | Err(_) => unrecorded(archives, &record.session_id),
    }
}

/// Returns a free name for a session's first archive. Two sessions may have the same name: session
/// `2` with the focus `task-1`, and session `1-2` with the focus `task`.
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

/// Archives a session. Waits at most `patience` while another process archives.
///
/// # Errors
/// [`ArchiveError`]. Everything is as it was then.
pub fn archive(
    search: &Search<'_>,
    state: &StateDir,
    id: &SessionId,
    request: &ArchiveRequest,
    patience: Duration,
) -> Result<SessionArchive, ArchiveError> {
    let archives = Archives::of(state);
    let lock = archives.lock(patience)?;
    // An unfinished archive of another session does not stop this one. The daily cleanup and the
    // doctor report it.
    archives.finish_pending()?;
    let session = state.session(id);
    let record = session
        .record()?
        .ok_or_else(|| ArchiveError::Unknown(id.clone()))?;
    let known = known(&archives, &record)?;
    let sources = ArchiveSources::find(search, &session, &record, request)?;
    let mains = choose(&sources.files.mains, known.as_ref())?;
    if let Some(known) = &known
        && sources.are_in(known, &mains, &record, request)?
    {
        note(
            state,
            &record,
            request,
            &known.archive,
            known.manifest.archived_at,
        )?;
        return Ok(SessionArchive {
            archive: known.archive.clone(),
            manifest: known.manifest.clone(),
            was_there: true,
        });
    }
    let archive = match &known {
        Some(known) => known.archive.clone(),
        None => free(&archives, &record),
    };
    let base = ArchiveBase {
        archive: &archive,
        before: known.as_ref(),
        mains: &mains,
    };
    let now = clock::now();
    let (draft, manifest) = sources.draft(&base, &session, &record, request, now)?;
    let archive = draft.complete(&manifest)?;
    note(state, &record, request, &archive, now)?;
    drop(lock);
    let line = LogLine::new("session archived").session(id);
    log::append(
        state,
        Log::Operations,
        &line.detail("messages", manifest.messages),
    )?;
    Ok(SessionArchive {
        archive,
        manifest,
        was_there: false,
    })
}

/// Returns whether [`archive`] would write an archive for this record now. Writes nothing.
///
/// # Errors
/// As [`archive`].
pub fn is_due(
    search: &Search<'_>,
    state: &StateDir,
    record: &Record,
) -> Result<bool, ArchiveError> {
    let request = ArchiveRequest::default();
    let known = known(&Archives::of(state), record)?;
    let sources =
        ArchiveSources::find(search, &state.session(&record.session_id), record, &request)?;
    match known {
        Some(known) => {
            let mains = choose(&sources.files.mains, Some(&known))?;
            Ok(!sources.are_in(&known, &mains, record, &request)?)
        }
        None => Ok(true),
    }
}

/// Returns whether the archive with this manifest contains each of Claude Code's files, judged by
/// names and sizes.
pub fn has_all(manifest: &Manifest, files: &SessionFiles) -> bool {
    let is_copy =
        |part: &&ArchivePart| matches!(part.kind, PartKind::Transcript | PartKind::Subagent);
    let mut copies = manifest.parts.iter().filter(is_copy);
    let mains = files
        .mains
        .iter()
        .all(|main| has_main(manifest, main, files));
    // Older archives do not record how long each file was.
    if copies.any(|part| part.original_bytes.is_none()) {
        return manifest.transcript.bytes >= files.bytes();
    }
    mains && has_rest(manifest, files)
}

/// Returns whether the archive contains one of the session's own transcripts: by its place or, if
/// it was moved, as a part whose file no longer exists.
fn has_main(manifest: &Manifest, main: &ClientFile, files: &SessionFiles) -> bool {
    let is_place = |place: &str| files.mains.iter().any(|main| main.place == place);
    let parts = manifest
        .parts
        .iter()
        .filter(|part| part.kind == PartKind::Transcript);
    let parts = parts.map(|part| {
        (
            part.original.as_deref().unwrap_or_default(),
            part.original_bytes,
        )
    });
    let copies = manifest.transcript.copies.iter();
    let copies = copies.map(|copied| (copied.original.as_str(), Some(copied.bytes)));
    parts
        .chain(copies)
        .any(|(place, bytes)| (place == main.place || !is_place(place)) && bytes >= Some(main.size))
}

/// Returns whether the archive contains all other files.
fn has_rest(manifest: &Manifest, files: &SessionFiles) -> bool {
    let known = PartIndex::of(manifest);
    let is_there = |part: &&ArchivePart, file: &ClientFile| part.original_bytes >= Some(file.size);
    let mut agents = files.agents.iter();
    let mut others = files.others.iter();
    agents.all(|(agent, file)| known.agent(agent).any(|part| is_there(&part, file)))
        && others.all(|file| known.file(file).any(|part| is_there(&part, file)))
}

/// Notes in the record that the session is archived.
fn note(
    state: &StateDir,
    record: &Record,
    request: &ArchiveRequest,
    archive: &Archive,
    at: Timestamp,
) -> store::Result<()> {
    let said = Some(json!({"place": archive.place(), "at": at}));
    let description = request
        .description
        .as_deref()
        .map(|said| redact(said).into_owned());
    let is_new = |known: &Record| {
        known.archive != said || description.is_some() && known.description != description
    };
    if !is_new(record) {
        return Ok(());
    }
    let changed = |present: &Record| {
        is_new(present).then(|| Record {
            archive: said.clone(),
            description: description.clone().or_else(|| present.description.clone()),
            ..present.clone()
        })
    };
    state
        .update_record(&record.session_id, CLI_PATIENCE, changed)
        .map(drop)
}

/// Where an archive is written, and what exists already.
struct ArchiveBase<'a> {
    archive: &'a Archive,
    before: Option<&'a SessionArchive>,
    /// The transcripts that it will contain.
    mains: &'a MainTranscripts<'a>,
}

impl ArchiveBase<'_> {
    /// Returns the path of the session's own transcript, now or when it was archived.
    fn path(&self) -> Option<String> {
        match self.mains.kept.first()? {
            MainTranscript::There(file) => Some(file.path.to_string_lossy().into_owned()),
            MainTranscript::Archived(_) => self.before?.manifest.transcript.path.clone(),
        }
    }
}

/// The files that an archive is made from.
struct ArchiveSources {
    /// Claude Code's files.
    files: SessionFiles,
    /// The journal's files.
    journal: Vec<JournalFile>,
    /// The total size of the transcripts, in bytes.
    bytes: u64,
    fingerprint: String,
}

impl ArchiveSources {
    fn find(
        search: &Search<'_>,
        session: &SessionDir,
        record: &Record,
        request: &ArchiveRequest,
    ) -> Result<Self, ArchiveError> {
        let given = request
            .transcript
            .as_deref()
            .map(file::canonical)
            .transpose()?;
        let files = search.files(session, record, given.as_deref());
        let mut sources = Self {
            bytes: files.bytes(),
            files,
            journal: session.pieces()?,
            fingerprint: String::new(),
        };
        sources.fingerprint = sources.digest()?;
        Ok(sources)
    }

    fn digest(&self) -> store::Result<String> {
        let add = |digest: &mut Sha256, name: &[u8], size: u64, modified: Timestamp| {
            digest.update(name);
            digest.update(format!("\0{size}\0{}\0", modified.micros()));
        };
        let name = |path: &Path| path.file_name().unwrap_or_default().as_bytes().to_vec();
        let mut digest = Sha256::new();
        // Several transcripts differ only in their places, because each is named after the session.
        let by_place = self.files.mains.len() > 1;
        for main in &self.files.mains {
            let name = match by_place {
                true => main.place.clone().into_bytes(),
                false => name(&main.path),
            };
            add(&mut digest, &name, main.size, main.modified);
        }
        for (agent, file) in &self.files.agents {
            add(&mut digest, &name(&agent.path), file.size, file.modified);
        }
        // Use the size and time before compression: compressing a journal must not change the
        // fingerprint.
        for piece in &self.journal {
            add(&mut digest, &name(&piece.name), piece.size, piece.modified);
        }
        for path in self.files.agents.iter().map(|(agent, _)| agent.meta()) {
            if let Some(Inspection { meta, .. }) = file::look(&path)?.filter(Inspection::is_file) {
                add(&mut digest, &name(&path), meta.size, meta.modified);
            }
        }
        for file in &self.files.others {
            add(&mut digest, file.place.as_bytes(), file.size, file.modified);
        }
        let mut fingerprint = to_hex(&digest.finalize());
        fingerprint.truncate(32);
        Ok(fingerprint)
    }

    /// Returns whether the existing archive contains all sources and satisfies the request.
    ///
    /// An archive with a transcript is never replaced by one with less of it, because Claude Code
    /// deletes its own copy. Nor is it replaced by one with the same transcript and a shorter
    /// journal, which is what an interrupted removal leaves behind.
    fn are_in(
        &self,
        known: &SessionArchive,
        mains: &MainTranscripts<'_>,
        record: &Record,
        request: &ArchiveRequest,
    ) -> store::Result<bool> {
        let manifest = &known.manifest;
        if mains.are_gone()
            || manifest.transcript.bytes > self.bytes && self.all_in(manifest, mains)
        {
            return Ok(true);
        }
        let described = request.description.as_deref().map(redact);
        let is_same = manifest.transcript.fingerprint == self.fingerprint
            && (described.is_none() || described.as_deref() == manifest.description.as_deref())
            && (manifest.tools || !request.tools)
            && manifest.focus == record.focus
            && manifest.role == record.role
            && manifest.ended_at == record.ended_at;
        if is_same {
            return Ok(true);
        }
        let has_no_more = self.bytes == manifest.transcript.bytes && !mains.has_news;
        Ok(has_no_more && self.has_less_of_the_journal(known)?)
    }

    fn has_less_of_the_journal(&self, known: &SessionArchive) -> store::Result<bool> {
        let part = known.manifest.part(PartKind::Journal);
        part.map_or(Ok(false), |part| has_fewer(&self.journal, part))
    }

    /// Returns whether the archive contains everything that the files contain.
    fn all_in(&self, manifest: &Manifest, mains: &MainTranscripts<'_>) -> bool {
        let tells_sizes =
            |part: &ArchivePart| part.kind != PartKind::Subagent || part.original_bytes.is_some();
        match manifest.parts.iter().all(tells_sizes) {
            true => !mains.has_news && has_rest(manifest, &self.files),
            false => has_all(manifest, &self.files),
        }
    }

    /// Writes everything but the manifest. Copies from the previous archive what Claude Code no
    /// longer has of subagents.
    fn draft(
        &self,
        base: &ArchiveBase<'_>,
        session: &SessionDir,
        record: &Record,
        request: &ArchiveRequest,
        now: Timestamp,
    ) -> store::Result<(Draft, Manifest)> {
        let said = request.description.as_ref().or(record.description.as_ref());
        let description = said.map(|said| redact(said).into_owned());
        let head = redact(&text::head(record, description.as_deref(), now)).into_owned();
        // Count the tokens in parallel, because that reads the transcripts separately.
        let (parts, usage) = thread::scope(|scope| {
            let count = || usage::of_files(&self.files, session, record).ok();
            let usage = thread::Builder::new().spawn_scoped(scope, count);
            let parts = self.parts(base, session, request, &head)?;
            let usage = match usage {
                Ok(usage) => usage.join().ok().flatten(),
                // The system allows no more threads.
                Err(_) => count(),
            };
            store::Result::Ok((parts, usage))
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
            tools: request.tools,
            transcript: Original {
                path: base.path(),
                bytes: self.bytes,
                fingerprint: self.fingerprint.clone(),
                left_out: parts.left_out,
                copies: base.mains.copies.iter().map(|file| copied(file)).collect(),
            },
            parts: parts.in_order(),
            redacted: parts.redacted,
            usage: usage.filter(|usage| !usage.by.is_empty()),
            record: as_map(record),
            extra: Map::new(),
        };
        Ok((parts.draft, manifest))
    }

    /// Writes the parts. The text begins with `head`.
    fn parts(
        &self,
        base: &ArchiveBase<'_>,
        session: &SessionDir,
        request: &ArchiveRequest,
        head: &str,
    ) -> store::Result<ArchiveParts> {
        let ArchiveBase {
            archive,
            before,
            mains,
        } = *base;
        let mut parts = ArchiveParts {
            draft: archive.draft()?,
            redacted: Counts::new(),
            messages: 0,
            left_out: 0,
            main: None,
        };
        let mut text = parts.draft.part(PartKind::Text, ".txt")?;
        text::add(&mut text, head)?;
        let wanted = if request.tools {
            TextScope::Tools
        } else {
            TextScope::Messages
        };
        if mains.kept.is_empty() {
            let history = History::read(session, TraceBuilder::with_labels(), |_, _| {})?;
            let activity = OpenActivity::of(&history.trace).close(|_| false);
            text::add(&mut text, &text::of_activity(&activity))?;
        } else {
            parts.copy_mains(mains, before, &mut text, wanted)?;
        }
        text::add(&mut text, &text::end(parts.messages))?;
        parts.draft.add(text)?;
        let known =
            before.map_or_else(PartIndex::default, |before| PartIndex::of(&before.manifest));
        for (ending, (agent, file)) in self.agents_by_ending(&known) {
            let mut copies = known.agent(agent);
            if !copies.any(|part| part.original_bytes > Some(file.size)) {
                if opened(&agent.path)?.is_none() {
                    parts.left_out += 1;
                    continue;
                }
                let mut writer = parts.draft.part(PartKind::Subagent, &ending)?;
                writer.set_original(file.place.clone(), Some(file.size));
                parts.copy_transcript(&agent.path, writer, None)?;
            }
            parts.copy_meta(agent, file, &ending.replace(".jsonl.zst", ".meta.json"))?;
        }
        for (ending, file) in self.others_by_ending(&known) {
            parts.copy_other(file, &ending)?;
        }
        if let Some(before) = before {
            parts.take_over(before)?;
        }
        match before.and_then(|before| before.manifest.part(PartKind::Journal)) {
            Some(part) if has_fewer(&self.journal, part)? => parts.draft.carry_over(part)?,
            _ => parts.copy_journal(&self.journal)?,
        }
        Ok(parts)
    }

    /// Returns the subagents by the ending of their copy's name. No other part has that ending, in
    /// the archive `before` either.
    fn agents_by_ending(
        &self,
        before: &PartIndex<'_>,
    ) -> BTreeMap<String, &(AgentFile, ClientFile)> {
        let mut by_ending = BTreeMap::new();
        for agent in &self.files.agents {
            let is_its = |part: &ArchivePart| name_of(part) == agent.0.path.file_name();
            let name = (AGENT, agent.0.agent_id.as_str(), ".jsonl.zst");
            let ending = free_ending(name, before, is_its, &by_ending);
            by_ending.insert(ending, agent);
        }
        by_ending
    }

    /// Returns the other files in the same way.
    fn others_by_ending(&self, before: &PartIndex<'_>) -> BTreeMap<String, &ClientFile> {
        let mut by_ending = BTreeMap::new();
        for file in &self.files.others {
            let is_its = |part: &ArchivePart| part.original.as_deref() == Some(&file.place);
            let name = file.path.file_name().unwrap_or_default().to_string_lossy();
            let ending = free_ending((FILE, &name, ".zst"), before, is_its, &by_ending);
            by_ending.insert(ending, file);
        }
        by_ending
    }
}

/// The parts of an archive, by their original and by the ending of their name. Indexed, because a
/// session may have ten thousand.
#[derive(Default)]
struct PartIndex<'a> {
    agents: HashMap<&'a OsStr, Vec<&'a ArchivePart>>,
    files: HashMap<&'a str, Vec<&'a ArchivePart>>,
    endings: HashMap<&'a str, Vec<&'a ArchivePart>>,
}

impl<'a> PartIndex<'a> {
    fn of(manifest: &'a Manifest) -> Self {
        let mut known = Self::default();
        for part in &manifest.parts {
            let name = part.name.as_str();
            let endings = ENDINGS.into_iter();
            for ending in endings.filter_map(|begin| name.get(name.rfind(begin)?..)) {
                known.endings.entry(ending).or_default().push(part);
            }
            match (part.kind, name_of(part), part.original.as_deref()) {
                (PartKind::Subagent, Some(name), _) => {
                    known.agents.entry(name).or_default().push(part)
                }
                (PartKind::File, _, Some(place)) => {
                    known.files.entry(place).or_default().push(part)
                }
                _ => {}
            }
        }
        known
    }

    /// Returns the copies of a subagent's transcript.
    fn agent(&self, agent: &AgentFile) -> impl Iterator<Item = &'a ArchivePart> {
        let found = agent
            .path
            .file_name()
            .and_then(|name| self.agents.get(name));
        found.into_iter().flatten().copied()
    }

    /// Returns the copies of another of Claude Code's files.
    fn file(&self, file: &ClientFile) -> impl Iterator<Item = &'a ArchivePart> {
        let found = self.files.get(file.place.as_str());
        found.into_iter().flatten().copied()
    }
}

/// Opens a file beside a session's transcript. Returns `None` if it does not exist or can never be
/// read: another user may own it, for example after a tool ran under `sudo`.
fn opened(path: &Path) -> store::Result<Option<LineReader>> {
    match LineReader::open(path) {
        Err(Error::Untrusted { .. }) => Ok(None),
        Err(Error::Io { source, .. }) if source.kind() == ErrorKind::PermissionDenied => Ok(None),
        opened => opened,
    }
}

/// Returns an ending for a copy that no other part has, in the archive `before` either.
fn free_ending<T>(
    (kind, name, ending): (&str, &str, &str),
    before: &PartIndex<'_>,
    is_its: impl Fn(&ArchivePart) -> bool,
    taken: &BTreeMap<String, T>,
) -> String {
    let is_safe = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    let name: String = name.chars().filter(is_safe).take(MAX_NAME).collect();
    let mut free = format!("{kind}{name}{ending}");
    for number in 2.. {
        let mut named = before.endings.get(free.as_str()).into_iter().flatten();
        if !named.any(|part| !is_its(part)) && !taken.contains_key(&free) {
            break;
        }
        free = format!("{kind}{name}.{number}{ending}");
    }
    free
}

fn copied(file: &ClientFile) -> CopiedTranscript {
    CopiedTranscript {
        original: file.place.clone(),
        bytes: file.size,
    }
}

/// Returns whether the files together have fewer lines than the part that was made from them.
fn has_fewer(pieces: &[JournalFile], part: &ArchivePart) -> store::Result<bool> {
    let mut count = 0;
    for piece in pieces {
        count += piece.count_lines()?;
    }
    Ok(count < part.lines)
}

/// Returns where a transcript will be restored: its original place, or a name beside that if
/// another part takes it.
fn place_among(main: &MainTranscript<'_>, taken: &BTreeSet<(String, usize)>) -> String {
    let place = match main {
        MainTranscript::There(file) => file.place.clone(),
        MainTranscript::Archived(part) => part.original.clone().unwrap_or_default(),
    };
    let is_taken = |place: &String| taken.iter().any(|(other, _)| other == place);
    let mut free = place.clone();
    for number in 2.. {
        if !is_taken(&free) {
            break;
        }
        free = format!("{place}.{number}");
    }
    free
}

/// Returns the name of the file that a part is a copy of.
fn name_of(part: &ArchivePart) -> Option<&OsStr> {
    Path::new(part.original.as_deref()?).file_name()
}

/// Returns the record as JSON, without the secrets that someone wrote into its notes.
fn as_map(record: &Record) -> Map<String, Value> {
    let mut value = serde_json::to_value(record).unwrap_or_default();
    Redactor::default().value(&mut value);
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

/// The parts of an archive while it is written.
struct ArchiveParts {
    draft: Draft,
    redacted: Counts,
    messages: u64,
    left_out: u64,
    /// The name of the part that is the session's own transcript.
    main: Option<String>,
}

impl ArchiveParts {
    /// Returns the parts so far, the session's own transcript before its further ones.
    fn in_order(&self) -> Vec<ArchivePart> {
        let mut parts = self.draft.parts();
        let is_further = |part: &ArchivePart| {
            part.kind == PartKind::Transcript && Some(&part.name) != self.main.as_ref()
        };
        parts.sort_by_key(is_further);
        parts
    }

    /// Copies the session's own transcripts, oldest first. Their messages go into `text`.
    fn copy_mains(
        &mut self,
        mains: &MainTranscripts<'_>,
        before: Option<&SessionArchive>,
        text: &mut PartWriter,
        wanted: TextScope,
    ) -> store::Result<()> {
        let mut opened = Vec::new();
        for (number, main) in mains.kept.iter().enumerate() {
            let decompressed = match (main, before) {
                (MainTranscript::Archived(part), Some(before)) => mains::opened(before, part)?,
                _ => None,
            };
            let decompressed = decompressed.map(|(decompressed, _)| decompressed);
            let path = match main {
                MainTranscript::There(file) => Some(file.path.clone()),
                MainTranscript::Archived(_) => decompressed
                    .as_ref()
                    .map(|decompressed| decompressed.path().to_owned()),
            };
            let began = path
                .as_deref()
                .and_then(|path| transcript::first(path, OPENING, |line| line.at()));
            opened.push((began, number, main, path, decompressed));
        }
        opened.sort_by_key(|(began, number, ..)| (*began, *number));
        let mut survey_of_all = Survey::default();
        for (.., path, _) in &opened {
            if let Some(mut lines) = path.as_deref().map(LineReader::open).transpose()?.flatten() {
                survey(&mut lines, |note| survey_of_all.note(note))?;
            }
            survey_of_all.next_file();
        }
        let mut talk = TalkWriter::new(survey_of_all.plan());
        let mut places = BTreeSet::new();
        for number in 0..mains.kept.len() {
            if let Some((_, _, main, ..)) = opened.iter().find(|(_, its, ..)| *its == number) {
                places.insert((place_among(main, &places), number));
            }
        }
        let place_of = |number: usize| {
            let place = places.iter().find(|(_, its)| *its == number);
            place.map(|(place, _)| place.clone()).unwrap_or_default()
        };
        let mut names: BTreeSet<String> = BTreeSet::new();
        names.extend(mains.kept.iter().filter_map(|main| match main {
            MainTranscript::Archived(part) => Some(part.name.clone()),
            MainTranscript::There(_) => None,
        }));
        for (_, number, main, path, _) in &opened {
            let place = place_of(*number);
            let name = match main {
                MainTranscript::There(file) => {
                    let mut writer = self.draft.part(PartKind::Transcript, ".jsonl.zst")?;
                    for further in 2.. {
                        if names.insert(writer.name().to_owned()) {
                            break;
                        }
                        let ending = format!(".{further}.jsonl.zst");
                        writer = self.draft.part(PartKind::Transcript, &ending)?;
                    }
                    let name = writer.name().to_owned();
                    writer.set_original(place, Some(file.size));
                    self.copy_transcript(&file.path, writer, Some((&mut talk, text, wanted)))?;
                    name
                }
                MainTranscript::Archived(part) => {
                    let mut part = (*part).clone();
                    part.original = Some(place);
                    self.draft.carry_over(&part)?;
                    if let Some(mut lines) =
                        path.as_deref().map(LineReader::open).transpose()?.flatten()
                    {
                        let making = CopyOptions {
                            redact: false,
                            text: Some(wanted),
                        };
                        copy(&mut lines, making, |made| {
                            made.heard
                                .iter()
                                .try_for_each(|heard| talk.write(heard, text))
                        })?;
                    }
                    part.name
                }
            };
            if *number == 0 {
                self.main = Some(name);
            }
            talk.next_file();
        }
        talk.end(text)?;
        self.messages = talk.messages;
        Ok(())
    }

    /// Copies another of Claude Code's files. A file that cannot be read is left out of the
    /// archive.
    fn copy_other(&mut self, file: &ClientFile, ending: &str) -> store::Result<()> {
        let Some(mut lines) = opened(&file.path)? else {
            self.left_out += 1;
            return Ok(());
        };
        let mut writer = self.draft.part(PartKind::File, ending)?;
        writer.set_original(file.place.clone(), Some(file.size));
        copy_file(&mut lines, |made| self.take(made, &mut writer))?;
        self.add(writer)
    }

    /// Adds a compressed part. An empty one gets the compressed form of nothing, because zero bytes
    /// cannot be decompressed.
    fn add(&mut self, mut writer: PartWriter) -> store::Result<()> {
        if writer.is_empty() {
            let nothing = copy::nothing().map_err(|err| writer.failure("compress", err))?;
            writer.write(&nothing, 0)?;
        }
        self.draft.add(writer)
    }

    /// Copies a transcript. Its messages go into `text`, if given.
    fn copy_transcript(
        &mut self,
        path: &Path,
        mut writer: PartWriter,
        mut text: Option<(&mut TalkWriter, &mut PartWriter, TextScope)>,
    ) -> store::Result<()> {
        let making = CopyOptions {
            redact: true,
            text: text.as_ref().map(|(.., wanted)| *wanted),
        };
        if let Some(mut lines) = LineReader::open(path)? {
            copy(&mut lines, making, |made| {
                if let Some((talk, text, _)) = &mut text {
                    for heard in &made.heard {
                        talk.write(heard, text)?;
                    }
                }
                self.take(made, &mut writer)
            })?;
            if let Some(size) = writer.original_bytes() {
                writer.set_mark(lines.mark_at(size)?);
            }
        }
        self.add(writer)
    }

    /// Copies what Claude Code noted about a subagent. A note that cannot be read is left out of
    /// the archive.
    fn copy_meta(
        &mut self,
        agent: &AgentFile,
        file: &ClientFile,
        ending: &str,
    ) -> store::Result<()> {
        let path = agent.meta();
        let Ok(Some(content)) = file::read_own(&path, MAX_META) else {
            return Ok(());
        };
        let mut redactor = Redactor::default();
        let text = String::from_utf8_lossy(&content.bytes);
        let clean = redactor.transcript_line(&text);
        let mut writer = self.draft.part(PartKind::Meta, ending)?;
        let place = Path::new(&file.place).with_extension("meta.json");
        writer.set_original(place.to_string_lossy().into_owned(), None);
        writer.write(clean.as_bytes(), clean.lines().count() as u64)?;
        self.count(redactor.into_counts());
        self.draft.add(writer)
    }

    /// Copies from the previous archive the subagents and other files that this one lacks. Claude
    /// Code deletes each of its files when it is old, and keeps using the others.
    fn take_over(&mut self, before: &SessionArchive) -> store::Result<()> {
        let present = self.draft.parts();
        let names: HashSet<&str> = present.iter().map(|part| part.name.as_str()).collect();
        let places: HashSet<Option<&str>> = present
            .iter()
            .map(|part| part.original.as_deref())
            .collect();
        let originals: HashSet<Option<&OsStr>> = present.iter().map(name_of).collect();
        let is_present = |part: &ArchivePart| {
            let is_its = match part.kind {
                PartKind::File => places.contains(&part.original.as_deref()),
                _ => originals.contains(&name_of(part)),
            };
            names.contains(part.name.as_str()) || is_its
        };
        let is_clients = |part: &&ArchivePart| {
            matches!(
                part.kind,
                PartKind::Subagent | PartKind::Meta | PartKind::File
            )
        };
        let lost = before.manifest.parts.iter().filter(is_clients);
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
    fn copy_journal(&mut self, pieces: &[JournalFile]) -> store::Result<()> {
        let mut writer = self.draft.part(PartKind::Journal, ".events.jsonl.zst")?;
        let making = CopyOptions {
            redact: false,
            text: None,
        };
        for JournalFile { path, .. } in pieces {
            let decompressed = DecompressedFile::of(path)?;
            let path = decompressed
                .as_ref()
                .map_or(path.as_path(), DecompressedFile::path);
            if let Some(mut lines) = LineReader::open(path)? {
                copy(&mut lines, making, |made| self.take(made, &mut writer))?;
            }
        }
        self.draft.add(writer)
    }

    fn take(&mut self, made: BatchResult, writer: &mut PartWriter) -> store::Result<()> {
        self.left_out += made.left_out;
        self.count(made.redacted);
        writer.write(&made.compressed, made.lines)
    }
}
