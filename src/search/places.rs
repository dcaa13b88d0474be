//! The files to search: those of all sessions, wherever they are. Each text occurs once.

use std::collections::{BTreeSet, HashMap};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::heading::{self, RecordedSession, SessionHeading};
use super::hits::HitSource;
use crate::archive::open_part;
use crate::claude::dirs::projects_dir;
use crate::claude::transcript::everywhere::{ClientFileKind, ClientFiles, OwnedFile};
use crate::claude::transcript::{SessionFiles, find_named};
use crate::identity::title::TitleSource;
use crate::model::archive::{ArchivePart, Manifest, PartKind};
use crate::model::record::ProjectRef;
use crate::model::{Capture, SessionId, Timestamp};
use crate::store::archive::{Archive, Archives};
use crate::store::lines::LineReader;
use crate::store::{Environment, Error, Result, SessionDir, StateDir, blocks, shown};

/// About how many times larger a part of an archive is after decompression. The estimate is for
/// sorting, because the largest files are searched first.
const COMPRESSION: u64 = 6;

/// All files that can be searched.
#[derive(Debug)]
pub struct SearchPlaces<'a> {
    env: &'a Environment,
    capture: Capture,
    state: Option<&'a StateDir>,
    /// The files, sorted by session.
    texts: Vec<SearchText>,
    /// What could not be read, and why, in words for people.
    pub left_out: Vec<String>,
    /// What was not searched although it could be read.
    pub notes: Vec<String>,
}

/// Which sessions are searched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SearchScope {
    /// The sessions of this machine.
    Here,
    /// Sessions collected from other machines, for which Claude Code has no files here.
    Collected,
}

/// A file to search.
#[derive(Debug)]
pub(super) struct SearchText {
    pub(super) session: SessionId,
    pub(super) kind: ClientFileKind,
    pub(super) place: TextPlace,
    /// About how many bytes must be read.
    size: u64,
    /// When the file was last written.
    pub(super) modified: Option<Timestamp>,
}

/// The title of a session, as it is on record or in its archive.
#[derive(Debug)]
pub(super) struct NotedTitle {
    pub(super) text: String,
    /// Who gave the title, if that is known.
    pub(super) source: Option<TitleSource>,
    /// When the session's files were last written.
    pub(super) at: Option<Timestamp>,
    /// The first of the session's files.
    pub(super) path: PathBuf,
    /// The kind of that file.
    pub(super) found_in: HitSource,
}

#[derive(Debug)]
pub(super) enum TextPlace {
    /// A file of Claude Code: its path, and its path below the folder of all projects.
    Client(PathBuf, String),
    /// A part of an archive.
    Part(Arc<(Archive, Manifest)>, ArchivePart),
    /// The journal of a session that has no transcript.
    Journal(SessionDir),
}

impl TextPlace {
    pub(super) fn path(&self) -> PathBuf {
        match self {
            Self::Client(path, _) => path.clone(),
            Self::Part(archive, part) => archive.0.part_path(&part.name),
            Self::Journal(dir) => dir.journal().path().to_owned(),
        }
    }

    pub(super) fn source(&self) -> HitSource {
        match self {
            Self::Client(..) => HitSource::Transcript,
            Self::Part(..) => HitSource::Archive,
            Self::Journal(_) => HitSource::Journal,
        }
    }

    /// Returns the name of the file. Its copy in an archive has the same name.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Client(_, place) => place.clone(),
            Self::Part(_, part) => part.original.clone().unwrap_or_else(|| part.name.clone()),
            Self::Journal(_) => String::new(),
        }
    }

    /// Opens the file for reading its decompressed text. Returns `None` for a journal, and if
    /// Claude Code has deleted the file meanwhile.
    pub(super) fn open(&self) -> Result<Option<Box<dyn Read>>> {
        match self {
            Self::Client(path, _) => {
                let opened = blocks::open(path)?;
                Ok(opened.map(|opened| Box::new(opened) as Box<dyn Read>))
            }
            Self::Part(archive, part) => match open_part(&archive.0, part)? {
                Some(opened) => Ok(Some(opened)),
                None => {
                    let missing = std::io::Error::from(std::io::ErrorKind::NotFound);
                    Err(Error::io("open", &self.path())(missing))
                }
            },
            Self::Journal(_) => Ok(None),
        }
    }
}

/// How much there is to search.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct PlaceCounts {
    /// The number of sessions.
    pub sessions: u64,
    /// The number of Claude Code's files.
    pub files: u64,
    /// The number of archives.
    pub archives: u64,
    /// The number of journals of sessions without a transcript and an archive.
    pub journals: u64,
}

impl<'a> SearchPlaces<'a> {
    /// Finds all files that can be searched. One that cannot be read does not hide the others.
    ///
    /// # Errors
    /// Fails if the sessions or archives on record cannot be listed.
    pub fn find(
        env: &'a Environment,
        state: Option<&'a StateDir>,
        scope: SearchScope,
        capture: Capture,
    ) -> Result<Self> {
        let client = projects_dir(env).map(|projects| ClientFiles::below(&projects));
        let ClientFiles {
            files,
            links,
            failed,
        } = client.unwrap_or_default();
        let mut places = Self {
            env,
            capture,
            state,
            texts: Vec::new(),
            left_out: failed.iter().map(left_out).collect(),
            notes: Vec::new(),
        };
        for link in links {
            let text = format!("left out `{}`: it is a symbolic link", shown(&link));
            places.notes.push(text);
        }
        if let Some(state) = state {
            places.add_archives(state, &files)?;
        }
        places.texts.extend(files.into_iter().map(SearchText::from));
        if let Some(state) = state {
            places.add_recorded(env, scope, state)?;
        }
        places
            .texts
            .sort_by(|one, other| one.session.cmp(&other.session));
        Ok(places)
    }

    /// Adds each part of an archive, unless Claude Code still has the original in full.
    fn add_archives(&mut self, state: &StateDir, files: &[OwnedFile]) -> Result<()> {
        let there: HashMap<&str, &OwnedFile> = files
            .iter()
            .map(|owned| (owned.file.place.as_str(), owned))
            .collect();
        let listing = Archives::of(state).all()?;
        self.left_out.extend(listing.failed.iter().map(left_out));
        for archive in listing.archives {
            let manifest = match archive.manifest() {
                Ok(Some(manifest)) => manifest,
                Ok(None) => continue,
                Err(err) => {
                    self.left_out.push(left_out(&err));
                    continue;
                }
            };
            let has_transcript = manifest.part(PartKind::Transcript).is_some();
            let has_record = state
                .session(&manifest.session_id)
                .last_activity()
                .is_some();
            let archived = Arc::new((archive, manifest));
            for part in &archived.1.parts {
                let kind = match part.kind {
                    PartKind::Transcript => ClientFileKind::Main,
                    PartKind::Subagent => ClientFileKind::Agent(agent_of(part)),
                    PartKind::File => ClientFileKind::Other,
                    // The text of an archive without a transcript contains what the journal
                    // recorded.
                    PartKind::Text if !has_transcript && !has_record => ClientFileKind::Other,
                    PartKind::Text | PartKind::Meta | PartKind::Journal => continue,
                };
                let original = part.original.as_deref().and_then(|place| there.get(place));
                if original.is_some_and(|original| has_all(original, part)) {
                    continue;
                }
                self.texts.push(SearchText {
                    session: archived.1.session_id.clone(),
                    kind,
                    size: part.bytes.saturating_mul(COMPRESSION),
                    modified: Some(archived.1.archived_at),
                    place: TextPlace::Part(Arc::clone(&archived), part.clone()),
                });
            }
        }
        Ok(())
    }

    /// Adds the recorded sessions that have no transcript in the usual folders. Adds a transcript
    /// in another folder, or else the journal.
    fn add_recorded(
        &mut self,
        env: &Environment,
        scope: SearchScope,
        state: &StateDir,
    ) -> Result<()> {
        let is_main = |text: &&SearchText| text.kind == ClientFileKind::Main;
        let known: BTreeSet<SessionId> = self
            .texts
            .iter()
            .filter(is_main)
            .map(|text| text.session.clone())
            .collect();
        for id in state.session_ids()?.filter(|id| !known.contains(id)) {
            let dir = state.session(&id);
            let record = match dir.record() {
                Ok(record) => record,
                Err(err) => {
                    self.left_out.push(left_out(&err));
                    None
                }
            };
            let record = record.filter(|_| scope == SearchScope::Here);
            let named = record.and_then(|record| find_named(env, &record, None));
            if let Some(path) = named {
                let files = SessionFiles::of(&id, vec![path], &[]);
                let owned = |kind, file| OwnedFile {
                    session: id.clone(),
                    kind,
                    file,
                };
                let mains = files
                    .mains
                    .into_iter()
                    .map(|file| owned(ClientFileKind::Main, file));
                let agents = files.agents.into_iter();
                let agents =
                    agents.map(|(agent, file)| owned(ClientFileKind::Agent(agent.agent_id), file));
                let others = files.others.into_iter();
                let others = others.map(|file| owned(ClientFileKind::Other, file));
                let all = mains.chain(agents).chain(others);
                self.texts.extend(all.map(SearchText::from));
                continue;
            }
            if let Some(modified) = dir.last_activity() {
                self.texts.push(SearchText {
                    session: id,
                    kind: ClientFileKind::Main,
                    place: TextPlace::Journal(dir),
                    size: 1 << 20,
                    modified: Some(modified),
                });
            }
        }
        Ok(())
    }

    /// Returns the files to search, the largest first.
    pub(super) fn texts(&self) -> Vec<&SearchText> {
        let mut texts: Vec<&SearchText> = self.texts.iter().collect();
        texts.sort_by(|one, other| {
            let by_size = other.size.cmp(&one.size);
            by_size.then_with(|| one.place.path().cmp(&other.place.path()))
        });
        texts
    }

    /// Returns the sessions whose ids begin with `given`, or only the one with this id.
    pub fn sessions(&self, given: &str) -> Vec<SessionId> {
        let ids = self.texts.iter().map(|text| &text.session);
        let found: BTreeSet<&SessionId> = ids.filter(|id| id.as_str().starts_with(given)).collect();
        match found.iter().find(|id| id.as_str() == given) {
            Some(exact) => vec![(*exact).clone()],
            None => found.into_iter().cloned().collect(),
        }
    }

    /// Keeps only the files of this session.
    pub fn retain_session(&mut self, id: &SessionId) {
        self.texts.retain(|text| text.session == *id);
    }

    /// Keeps only the files that were written at or after `since`.
    pub fn retain_since(&mut self, since: Timestamp) {
        self.texts
            .retain(|text| text.modified.is_none_or(|modified| modified >= since));
    }

    /// Keeps only the files of sessions whose project `fits` accepts.
    pub fn retain_projects(&mut self, fits: impl Fn(&ProjectRef) -> bool) {
        let ids: BTreeSet<SessionId> = self.texts.iter().map(|text| text.session.clone()).collect();
        let is_in = |id: &SessionId| self.asked_of(id, |it, mains| heading::project(it, mains));
        let fitting: BTreeSet<SessionId> = ids
            .into_iter()
            .filter(|id| is_in(id).is_some_and(|project| fits(&project)))
            .collect();
        self.texts.retain(|text| fitting.contains(&text.session));
    }

    /// Returns how much there is to search.
    pub fn counts(&self) -> PlaceCounts {
        let mut counts = PlaceCounts::default();
        let (mut sessions, mut archives) = (BTreeSet::new(), BTreeSet::new());
        for text in &self.texts {
            sessions.insert(&text.session);
            match &text.place {
                TextPlace::Client(..) => counts.files += 1,
                TextPlace::Part(archive, _) => {
                    archives.insert(archive.0.manifest_path());
                }
                TextPlace::Journal(_) => counts.journals += 1,
            }
        }
        counts.sessions = sessions.len() as u64;
        counts.archives = archives.len() as u64;
        counts
    }

    /// Returns the heading of a session, from its record, its archive, or the beginning of its
    /// transcript.
    pub fn heading(&self, id: &SessionId) -> SessionHeading {
        self.asked_of(id, |recorded, mains| heading::of(recorded, mains))
    }

    /// Returns the sessions that have files to search.
    pub(super) fn ids(&self) -> Vec<SessionId> {
        let mut ids: Vec<SessionId> = self.texts.iter().map(|text| text.session.clone()).collect();
        // The files are sorted by session.
        ids.dedup();
        ids
    }

    /// Returns a session's title on record or in its archive, who gave it, and when the session was
    /// last written.
    pub(super) fn title(&self, id: &SessionId) -> Option<NotedTitle> {
        let (text, source) = self.asked_of(id, |recorded, _| recorded.noted_title())?;
        let texts = || self.texts.iter().filter(|text| text.session == *id);
        let place = &texts().next()?.place;
        Some(NotedTitle {
            text,
            source,
            at: texts().filter_map(|text| text.modified).max(),
            path: place.path(),
            found_in: place.source(),
        })
    }

    /// Calls `ask` with what is recorded of a session, and with the session's own transcripts.
    fn asked_of<T>(
        &self,
        id: &SessionId,
        ask: impl FnOnce(&RecordedSession<'_>, &mut dyn Iterator<Item = &TextPlace>) -> T,
    ) -> T {
        let dir = self.state.map(|state| state.session(id));
        let start = self.texts.partition_point(|text| text.session < *id);
        let rest = self.texts.get(start..).unwrap_or_default();
        let texts = || rest.iter().take_while(|text| text.session == *id);
        let manifest = texts().find_map(|text| match &text.place {
            TextPlace::Part(archive, _) => Some(&archive.1),
            TextPlace::Client(..) | TextPlace::Journal(_) => None,
        });
        let recorded = RecordedSession {
            env: self.env,
            capture: self.capture,
            record: dir.and_then(|dir| {
                let record = dir.record().ok()??;
                Some((dir, record))
            }),
            manifest,
        };
        let mains = texts().filter(|text| text.kind == ClientFileKind::Main);
        ask(&recorded, &mut mains.map(|text| &text.place))
    }
}

impl From<OwnedFile> for SearchText {
    fn from(owned: OwnedFile) -> Self {
        Self {
            session: owned.session,
            kind: owned.kind,
            size: owned.file.size,
            modified: Some(owned.file.modified),
            place: TextPlace::Client(owned.file.path, owned.file.place),
        }
    }
}

fn left_out(err: &Error) -> String {
    format!("{err}; skipped")
}

/// Returns the id of the subagent whose transcript was copied into this part.
fn agent_of(part: &ArchivePart) -> String {
    let original = Path::new(part.original.as_deref().unwrap_or_default());
    let stem = original.file_stem().unwrap_or_default().to_string_lossy();
    stem.trim_start_matches("agent-").to_owned()
}

/// Returns true if Claude Code's file still contains everything that was copied into the part.
fn has_all(owned: &OwnedFile, part: &ArchivePart) -> bool {
    let Some(size) = part.original_bytes.filter(|size| *size <= owned.file.size) else {
        return false;
    };
    match &part.mark {
        None => size == owned.file.size,
        Some(mark) => {
            let lines = LineReader::open(&owned.file.path).ok().flatten();
            let now = lines.and_then(|lines| lines.mark_at(size).ok());
            now.as_ref() == Some(mark)
        }
    }
}
