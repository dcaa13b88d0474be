//! The files that an archive is made from, and whether an existing archive contains them already.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ffi::OsStr;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::thread;

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::mains::{MainTranscript, MainTranscripts, choose_among};
use super::text::TextScope;
use crate::archive::{has_all, has_rest, text};
use crate::claude::transcript::{AgentFile, ClientFile, Search, SessionFiles};
use crate::history::usage;
use crate::identity::title::title_for_copy;
use crate::model::archive::{ArchivePart, CopiedTranscript, Manifest, Original, PartKind, VERSION};
use crate::model::project::to_hex;
use crate::model::redact::{Counts, Redactor, redact};
use crate::model::{OpenActivity, Record, Timestamp, TraceBuilder};
use crate::store::archive::Draft;
use crate::store::file::Inspection;
use crate::store::journal::JournalFile;
use crate::store::lines::LineReader;
use crate::store::{self, Error, History, SessionDir, file};

use super::parts::ArchiveParts;
use super::{
    AGENT, ArchiveBase, ArchiveError, ArchiveRequest, ENDINGS, FILE, MAX_NAME, SessionArchive,
};

/// The files that an archive is made from.
pub(super) struct ArchiveSources {
    /// The files that Claude Code keeps of the session.
    pub(super) files: SessionFiles,
    /// The journal's files.
    journal: Vec<JournalFile>,
    /// The total size of the transcripts, in bytes.
    bytes: u64,
    fingerprint: String,
}

impl ArchiveSources {
    pub(super) fn find(
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
        // Every transcript has the session's name, so several of them differ only in their folders.
        let by_place = self.files.mains.len() > 1;
        for main in &self.files.mains {
            let name = match by_place {
                true => main.place.clone().into_bytes(),
                false => name(&main.path),
            };
            add(&mut digest, &name, main.size, main.modified);
        }
        let names: BTreeSet<_> = self
            .files
            .agents
            .iter()
            .map(|(it, _)| name(&it.path))
            .collect();
        let by_place = names.len() < self.files.agents.len();
        for (agent, file) in &self.files.agents {
            let name = match by_place {
                true => file.place.clone().into_bytes(),
                false => name(&agent.path),
            };
            add(&mut digest, &name, file.size, file.modified);
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
    pub(super) fn are_in(
        &self,
        known: &SessionArchive,
        mains: &MainTranscripts<'_>,
        record: &Record,
        request: &ArchiveRequest,
    ) -> store::Result<bool> {
        let manifest = &known.manifest;
        if mains.are_gone()
            || manifest.transcript.bytes > self.bytes && self.all_in(known, mains)?
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

    /// Returns whether the archive contains everything that Claude Code's files contain.
    fn all_in(&self, known: &SessionArchive, mains: &MainTranscripts<'_>) -> store::Result<bool> {
        let manifest = &known.manifest;
        let tells_sizes =
            |part: &ArchivePart| part.kind != PartKind::Subagent || part.original_bytes.is_some();
        Ok(match manifest.parts.iter().all(tells_sizes) {
            true => {
                !mains.has_news
                    && has_rest(manifest, &self.files)
                    && !self.have_agents_news(known)?
            }
            false => has_all(manifest, &self.files),
        })
    }

    /// Returns whether a subagent's transcript has records that the archive lacks. Reads only the
    /// transcripts that are not archived in their full length, because Claude Code only appends.
    fn have_agents_news(&self, known: &SessionArchive) -> store::Result<bool> {
        let parts = PartIndex::of(&known.manifest);
        let copies = &known.manifest.transcript.copies;
        let copies: HashMap<&str, u64> = copies
            .iter()
            .map(|copied| (copied.original.as_str(), copied.bytes))
            .collect();
        let is_as_archived = |(agent, file): &&(AgentFile, ClientFile)| {
            let is_part = |part: &ArchivePart| {
                part.original.as_deref() == Some(&file.place)
                    && part.original_bytes >= Some(file.size)
            };
            parts.agent(agent).any(is_part) || copies.get(file.place.as_str()) == Some(&file.size)
        };
        let agents = self.files.agents.iter();
        for (agent, file) in agents.filter(|agent| !is_as_archived(agent)) {
            let its = parts.agent(agent).collect();
            if opened(&file.path)?.is_some() && choose_among(&[file], its, Some(known))?.has_news {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Writes all parts of a new archive, and returns a manifest that is not yet written. Copies
    /// from the previous archive the subagents and other files that Claude Code no longer has.
    pub(super) fn draft(
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
                // The system allows no more threads, so count in this one.
                Err(_) => count(),
            };
            store::Result::Ok((parts, usage))
        })?;
        let main = base.path().map(PathBuf::from);
        let title = title_for_copy(main.as_deref(), session, record);
        let manifest = Manifest {
            v: VERSION,
            session_id: record.session_id.clone(),
            project: record.project.clone(),
            title: title.map(|title| title.text),
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
                copies: base
                    .mains
                    .copies
                    .iter()
                    .map(|file| copied(file))
                    .chain(parts.copies.iter().cloned())
                    .collect(),
            },
            parts: parts.in_order(),
            redacted: parts.redacted,
            usage: usage.filter(|usage| !usage.by.is_empty()),
            record: as_map(record),
            extra: Map::new(),
        };
        Ok((parts.draft, manifest))
    }

    /// Writes all parts of the archive. `head` begins the text for people.
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
            copies: Vec::new(),
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
        let agents = self.agents(&known, before)?;
        parts.left_out += agents.unreadable;
        parts.copies = agents.copies.iter().map(|file| copied(file)).collect();
        for (part, original) in &agents.archived {
            let mut part = (*part).clone();
            part.original = Some(original.clone());
            parts.draft.carry_over(&part)?;
        }
        for (ending, file) in Self::agents_by_ending(&known, &agents) {
            let Some(agent) = AgentFile::at(file.path.clone()) else {
                continue;
            };
            let mut writer = parts.draft.part(PartKind::Subagent, &ending)?;
            writer.set_original(file.place.clone(), Some(file.size));
            parts.copy_transcript(&agent.path, writer, None)?;
            parts.copy_meta(&agent, file, &ending.replace(".jsonl.zst", ".meta.json"))?;
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

    /// Chooses the subagents' transcripts that the archive contains, among Claude Code's files and
    /// those in the previous archive, `before`, whose parts are `known`.
    fn agents<'a>(
        &'a self,
        known: &PartIndex<'a>,
        before: Option<&'a SessionArchive>,
    ) -> store::Result<ChosenAgents<'a>> {
        let mut by_name: BTreeMap<&OsStr, Vec<&ClientFile>> = known
            .agents
            .keys()
            .map(|name| (*name, Vec::new()))
            .collect();
        let mut chosen = ChosenAgents::default();
        for (agent, file) in &self.files.agents {
            if known.agent(agent).any(|part| was_cut(file, part)) {
                // Only the archived transcript stays.
                continue;
            }
            match opened(&agent.path)? {
                Some(_) => by_name.entry(name(&agent.path)).or_default().push(file),
                None => chosen.unreadable += 1,
            }
        }
        for (name, files) in by_name {
            let parts = known.agents.get(name).cloned().unwrap_or_default();
            let kept = choose_among(&files, parts, before)?;
            chosen.copies.extend(kept.copies);
            let (mut places, mut archived) = (BTreeSet::new(), Vec::new());
            for agent in kept.kept {
                match agent {
                    MainTranscript::There(file) => {
                        places.insert((file.place.clone(), places.len()));
                        chosen.there.push(file);
                    }
                    MainTranscript::Archived(part) => archived.push(part),
                }
            }
            // Claude Code's own files keep their places.
            for part in archived {
                let place = place_among(&MainTranscript::Archived(part), &places);
                places.insert((place.clone(), places.len()));
                chosen.archived.push((part, place));
            }
        }
        Ok(chosen)
    }

    /// Returns Claude Code's files among the chosen transcripts of subagents, each with the ending
    /// that its copy's file name gets. No ending occurs twice, or belongs to another file's copy in
    /// the previous archive, `before`, or to a copy that stays.
    fn agents_by_ending<'a>(
        before: &PartIndex<'_>,
        agents: &ChosenAgents<'a>,
    ) -> BTreeMap<String, &'a ClientFile> {
        let stays: HashSet<&str> = agents
            .archived
            .iter()
            .map(|(it, _)| it.name.as_str())
            .collect();
        let mut by_ending = BTreeMap::new();
        for file in &agents.there {
            let is_its = |part: &ArchivePart| {
                name_of(part) == Some(name(&file.path)) && !stays.contains(part.name.as_str())
            };
            let stem = file.path.file_stem().unwrap_or_default().to_string_lossy();
            let id = stem.trim_start_matches("agent-");
            let ending = free_ending((AGENT, id, ".jsonl.zst"), before, is_its, &by_ending);
            by_ending.insert(ending, *file);
        }
        by_ending
    }

    /// Returns the other files, each with the ending that its copy's file name gets. The endings
    /// are unique in the same sense as those of [`Self::agents_by_ending`].
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

/// The subagents' transcripts that an archive contains.
#[derive(Default)]
struct ChosenAgents<'a> {
    /// Claude Code's files.
    there: Vec<&'a ClientFile>,
    /// Parts of the previous archive, because no file of Claude Code contains all of them any more,
    /// and where each will be restored.
    archived: Vec<(&'a ArchivePart, String)>,
    /// Files that are not archived, because the others have all their records.
    copies: Vec<&'a ClientFile>,
    /// How many files can never be read.
    unreadable: u64,
}

/// Finds parts of an archive by their original file, or by the ending of their name. A session may
/// have ten thousand parts, too many to search one by one.
#[derive(Default)]
pub(super) struct PartIndex<'a> {
    agents: HashMap<&'a OsStr, Vec<&'a ArchivePart>>,
    files: HashMap<&'a str, Vec<&'a ArchivePart>>,
    endings: HashMap<&'a str, Vec<&'a ArchivePart>>,
}

impl<'a> PartIndex<'a> {
    pub(super) fn of(manifest: &'a Manifest) -> Self {
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

    /// Returns the parts that are copies of a subagent's transcript.
    pub(super) fn agent(&self, agent: &AgentFile) -> impl Iterator<Item = &'a ArchivePart> {
        let found = agent
            .path
            .file_name()
            .and_then(|name| self.agents.get(name));
        found.into_iter().flatten().copied()
    }

    /// Returns the parts that are copies of a file other than a transcript.
    pub(super) fn file(&self, file: &ClientFile) -> impl Iterator<Item = &'a ArchivePart> {
        let found = self.files.get(file.place.as_str());
        found.into_iter().flatten().copied()
    }
}

/// Returns whether a subagent's transcript is shorter than when `part` was copied from it. Then only
/// a part of it is left, or it was overwritten.
fn was_cut(file: &ClientFile, part: &ArchivePart) -> bool {
    part.original.as_deref() == Some(&file.place) && part.original_bytes > Some(file.size)
}

/// Opens a file beside a session's transcript. Returns `None` if it does not exist or can never be
/// read: another user may own it, for example after a tool ran under `sudo`.
pub(super) fn opened(path: &Path) -> store::Result<Option<LineReader>> {
    match LineReader::open(path) {
        Err(Error::Untrusted { .. }) => Ok(None),
        Err(Error::Io { source, .. }) if source.kind() == ErrorKind::PermissionDenied => Ok(None),
        opened => opened,
    }
}

/// Returns an ending for the name of a copy, made of the given kind, name and ending. Adds a number
/// if another file's copy has that ending, in the new archive or in the previous one, `before`.
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

/// Returns whether the journal's files together have fewer lines than `part`, the archived journal.
fn has_fewer(pieces: &[JournalFile], part: &ArchivePart) -> store::Result<bool> {
    let mut count = 0;
    for piece in pieces {
        count += piece.count_lines()?;
    }
    Ok(count < part.lines)
}

/// Returns where a transcript will be restored: its original path or, if another part takes that,
/// the path with a number added.
pub(super) fn place_among(main: &MainTranscript<'_>, taken: &BTreeSet<(String, usize)>) -> String {
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

fn name(path: &Path) -> &OsStr {
    path.file_name().unwrap_or_default()
}

/// Returns the name of the file that a part is a copy of.
pub(super) fn name_of(part: &ArchivePart) -> Option<&OsStr> {
    Path::new(part.original.as_deref()?).file_name()
}

/// Returns the record as JSON, with secrets redacted.
fn as_map(record: &Record) -> Map<String, Value> {
    let mut value = serde_json::to_value(record).unwrap_or_default();
    Redactor::default().value(&mut value);
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}
