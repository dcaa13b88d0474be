//! Archives a session: the conversation as text for people, and the transcript and journal for
//! programs. Claude Code deletes its transcripts after a while, but can resume a session whose
//! archived transcript was restored.
//!
//! A session can be archived again at any time. If nothing has changed, the existing archive stays
//! as it is. Only an archive that contains more ever replaces it.

mod copy;
pub mod expiring;
mod mains;
mod parts;
mod restore;
mod sources;
mod talk;
mod text;

pub use restore::{RestoreReport, open_part, put_transcripts, restore};

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::path::PathBuf;

use serde_json::json;

use crate::claude::transcript::{AgentFile, ClientFile, Search, SessionFiles};
use crate::model::archive::{ArchivePart, Manifest, PartKind, Stem};
use crate::model::redact::redact;
use crate::model::{Project, Record, SessionId, Timestamp};
use crate::store::archive::{Archive, Archives, LostArchives};
use crate::store::lock::{CLI_PATIENCE, Lock};
use crate::store::log::{self, Log, LogLine};
use crate::store::processors::on_all_processors;
use crate::store::{self, Error, StateDir, clock, tombstones};
use mains::{MainTranscript, MainTranscripts, choose};
use sources::{ArchiveSources, PartIndex};

/// How many lines at a transcript's beginning are searched for its start time.
const OPENING: usize = 100;
/// How many characters of a subagent's id or of a file's name are in the name of the archived copy.
/// The limit keeps the longest such name, with the addition for a temporary file, within 255 bytes.
const MAX_NAME: usize = 24;
/// In the file name of an archived subagent transcript, this text precedes the subagent's id.
const AGENT: &str = ".agent-";
/// In the file name of any other archived file, this text precedes the original file's name.
const FILE: &str = ".file-";
const ENDINGS: [&str; 2] = [AGENT, FILE];

/// A request to archive a session.
#[derive(Debug, Default)]
pub struct ArchiveRequest {
    /// A sentence that describes the session.
    pub description: Option<String>,
    /// True to include the tool calls in the text for people.
    pub tools: bool,
    /// The transcript to archive. `None` archives every transcript that can be found.
    pub transcript: Option<PathBuf>,
}

/// A session's archive.
#[derive(Debug)]
pub struct SessionArchive {
    /// Where the archive's files are.
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

    /// Returns whether the archive contains the session's own transcript, without which Claude Code
    /// cannot resume it.
    pub fn has_transcript(&self) -> bool {
        self.manifest.part(PartKind::Transcript).is_some()
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
/// Returns [`Error`] if the archive's manifest exists and cannot be read.
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

/// Finds the archive of a session in the index of all archives.
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

/// Returns the archive of a session, even if the session's record does not name it: the process
/// that wrote the archive may have been killed before it updated the record. An archive whose
/// manifest cannot be read counts as missing, but it stays. A new archive of the session gets
/// another name.
///
/// # Errors
/// Returns [`Error`] if the archives cannot be listed.
pub fn known(archives: &Archives, record: &Record) -> store::Result<Option<SessionArchive>> {
    match recorded(archives, record) {
        Ok(Some(known)) => Ok(Some(known)),
        Ok(None) | Err(_) => unrecorded(archives, &record.session_id),
    }
}

/// Finds archives that a record or the index names and whose manifest is missing, and parts without
/// a manifest. An archive that was pruned is not missing.
///
/// # Errors
/// Returns [`Error`] if the sessions or the archives cannot be listed.
pub fn lost(state: &StateDir) -> store::Result<LostArchives> {
    let ids: Vec<SessionId> = state.session_ids()?.collect();
    let place = |id: &SessionId| {
        let record = state.session(id).record().ok()??;
        let place = record.archive?.get("place")?.as_str()?.to_owned();
        Some((place, id.clone()))
    };
    let places = on_all_processors(&ids, place);
    let places: Vec<(String, SessionId)> = places.into_iter().flatten().collect();
    let pruned: HashSet<SessionId> = match places.is_empty() {
        true => HashSet::new(),
        false => tombstones::of(state, "")
            .into_iter()
            .map(|(id, _)| id)
            .collect(),
    };
    let places = places.into_iter().filter(|(_, id)| !pruned.contains(id));
    Archives::of(state).lost(places.map(|(place, _)| place))
}

/// Chooses a name for a session's first archive that no other session's archive has. The name joins
/// the focus and the id, so two sessions may want the same one: session `2` with the focus
/// `task-1`, and session `1-2` with the focus `task`.
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

/// Archives a session. `lock` is the lock of the archives.
///
/// # Errors
/// Returns [`ArchiveError`] if the session has no record, or if something cannot be read or
/// written. An existing archive stays usable.
pub fn archive(
    search: &Search<'_>,
    state: &StateDir,
    id: &SessionId,
    request: &ArchiveRequest,
    lock: Lock,
) -> Result<SessionArchive, ArchiveError> {
    let archives = Archives::of(state);
    // First finish what an interrupted process left. If the unfinished archive of another session
    // cannot be finished, this one is still written; the daily cleanup and the doctor report the
    // other.
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
/// Fails as [`archive`] does.
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

/// Returns whether the archive contains the transcript `main` in full. A part counts as its copy if
/// both have the same path, or if no file is at the part's path any more: `main` may have been
/// moved.
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

/// Returns whether the archive contains all subagent transcripts and other files in full.
fn has_rest(manifest: &Manifest, files: &SessionFiles) -> bool {
    let known = PartIndex::of(manifest);
    let places = files.agents.iter().map(|(_, file)| file.place.as_str());
    let places: HashSet<&str> = places.collect();
    let copies = manifest.transcript.copies.iter();
    let copies: HashMap<&str, u64> = copies
        .map(|copied| (copied.original.as_str(), copied.bytes))
        .collect();
    let is_there = |part: &ArchivePart, file: &ClientFile| part.original_bytes >= Some(file.size);
    // As in `has_main`: a part of another path counts if no file has that path any more.
    let is_its = |part: &ArchivePart, file: &ClientFile| {
        let place = part.original.as_deref().unwrap_or_default();
        place == file.place || !places.contains(place)
    };
    let has_agent = |(agent, file): &(AgentFile, ClientFile)| {
        let mut parts = known.agent(agent);
        parts.any(|part| is_its(part, file) && is_there(part, file))
            || copies.get(file.place.as_str()) >= Some(&file.size)
    };
    let mut others = files.others.iter();
    files.agents.iter().all(has_agent)
        && others.all(|file| known.file(file).any(|part| is_there(part, file)))
}

/// Writes the archive's place and time, and the description, into the session's record.
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
    /// The transcripts that the new archive will contain.
    mains: &'a MainTranscripts<'a>,
}

impl ArchiveBase<'_> {
    /// Returns the path of the session's own transcript. If that file is gone, returns its path at
    /// the time it was archived.
    fn path(&self) -> Option<String> {
        match self.mains.kept.first()? {
            MainTranscript::There(file) => Some(file.path.to_string_lossy().into_owned()),
            MainTranscript::Archived(_) => self.before?.manifest.transcript.path.clone(),
        }
    }
}
