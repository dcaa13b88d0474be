//! Chooses the transcripts that an archive contains. A session may have several, and so may each of
//! its subagents: Claude Code continued it in another folder, or someone copied a file. The
//! transcript with the most records counts as the session's own. Others are included if they have
//! records that it lacks.
//!
//! Claude Code has been seen to replace a transcript by a new, empty one. So a transcript in the
//! previous archive is kept if no file of Claude Code contains its text any more.

use std::cmp::Reverse;
use std::collections::HashSet;

use super::SessionArchive;
use super::talk::hash;
use crate::claude::transcript::ClientFile;
use crate::claude::transcript::said::each_record;
use crate::model::archive::{ArchivePart, PartKind};
use crate::model::redact::Redactor;
use crate::store::journal::compressed::DecompressedFile;
use crate::store::lines::LineReader;
use crate::store::{Error, Result};

/// How many bytes of a transcript are read at once.
const BATCH: usize = 1 << 20;

/// A transcript that goes into an archive.
#[derive(Debug, Clone, Copy)]
pub(super) enum MainTranscript<'a> {
    /// One of Claude Code's files.
    There(&'a ClientFile),
    /// A part of the previous archive, because no file of Claude Code contains all of it any more.
    Archived(&'a ArchivePart),
}

/// The transcripts that an archive contains.
#[derive(Debug, Default)]
pub(super) struct MainTranscripts<'a> {
    /// The transcripts to archive, the session's own first.
    pub(super) kept: Vec<MainTranscript<'a>>,
    /// Files that are not archived, because the transcripts in `kept` have all their records.
    pub(super) copies: Vec<&'a ClientFile>,
    /// True if one of Claude Code's files has something that the previous archive lacks.
    pub(super) has_news: bool,
}

impl MainTranscripts<'_> {
    /// Returns true if `kept` is not empty and all its transcripts come from the previous archive.
    pub(super) fn are_gone(&self) -> bool {
        let is_there = |main: &MainTranscript<'_>| matches!(main, MainTranscript::There(_));
        !self.kept.is_empty() && !self.kept.iter().any(is_there)
    }
}

/// Chooses among Claude Code's `files` and the transcripts in the previous archive, `before`.
///
/// # Errors
/// Returns [`Error`] if one of them cannot be read.
pub(super) fn choose<'a>(
    files: &'a [ClientFile],
    before: Option<&'a SessionArchive>,
) -> Result<MainTranscripts<'a>> {
    let parts = before.map_or_else(Vec::new, |before| transcripts(before));
    choose_among(&files.iter().collect::<Vec<_>>(), parts, before)
}

/// Chooses among `files` and `parts` of the previous archive, `before`.
///
/// # Errors
/// Returns [`Error`] if one of them cannot be read.
pub(super) fn choose_among<'a>(
    files: &[&'a ClientFile],
    parts: Vec<&'a ArchivePart>,
    before: Option<&'a SessionArchive>,
) -> Result<MainTranscripts<'a>> {
    let mut mains = MainTranscripts::default();
    if files.is_empty() {
        mains.kept = parts.into_iter().map(MainTranscript::Archived).collect();
        return Ok(mains);
    }
    let (mut begun, mut rest) = (HashSet::new(), Vec::new());
    for part in &parts {
        match file_that_goes_on(files, part)? {
            Some(file) => {
                mains.has_news |= part.original_bytes != Some(file.size);
                begun.insert(file.path.as_path());
            }
            None => rest.push(*part),
        }
    }
    if rest.is_empty() && files.len() == 1 {
        mains.has_news |= begun.is_empty();
        mains.kept = files.iter().copied().map(MainTranscript::There).collect();
        return Ok(mains);
    }
    let mut archived = HashSet::new();
    let mut all = Vec::new();
    for part in parts {
        let keys = before.map_or(Ok(HashSet::new()), |before| keys_of(before, part))?;
        archived.extend(keys.iter().copied());
        if rest.iter().any(|left| left.name == part.name) {
            all.push((
                MainTranscript::Archived(part),
                part.original_bytes.unwrap_or(0),
                keys,
            ));
        }
    }
    for file in files.iter().copied() {
        let keys = match LineReader::open(&file.path)? {
            Some(mut lines) => keys(&mut lines, true)?,
            None => HashSet::new(),
        };
        mains.has_news |= !begun.contains(file.path.as_path()) && !keys.is_subset(&archived);
        all.push((MainTranscript::There(file), file.size, keys));
    }
    // The most records come first, then the most bytes. If both are equal, prefer Claude Code's
    // file to the archived one.
    all.sort_by_key(|(main, size, keys)| {
        Reverse((keys.len(), *size, matches!(main, MainTranscript::There(_))))
    });
    let mut held = HashSet::new();
    for (main, _, keys) in all {
        let is_first = mains.kept.is_empty();
        match main {
            _ if is_first || !keys.is_subset(&held) => mains.kept.push(main),
            MainTranscript::There(file) => mains.copies.push(file),
            MainTranscript::Archived(_) => {}
        }
        held.extend(keys);
    }
    Ok(mains)
}

fn transcripts(archived: &SessionArchive) -> Vec<&ArchivePart> {
    let parts = archived.manifest.parts.iter();
    parts
        .filter(|part| part.kind == PartKind::Transcript)
        .collect()
}

/// Returns the file that `part` was copied from, if Claude Code has only appended to that file
/// since. The digest of its beginning shows that.
fn file_that_goes_on<'a>(
    files: &[&'a ClientFile],
    part: &ArchivePart,
) -> Result<Option<&'a ClientFile>> {
    let (Some(mark), Some(size)) = (&part.mark, part.original_bytes) else {
        return Ok(None);
    };
    for file in files.iter().copied().filter(|file| file.size >= size) {
        if let Some(lines) = LineReader::open(&file.path)?
            && lines.mark_at(size)? == *mark
        {
            return Ok(Some(file));
        }
    }
    Ok(None)
}

fn keys_of(archived: &SessionArchive, part: &ArchivePart) -> Result<HashSet<u64>> {
    match opened(archived, part)? {
        Some((_decompressed, mut lines)) => keys(&mut lines, false),
        None => Ok(HashSet::new()),
    }
}

/// Decompresses a part of an archive into a temporary file and opens it. Keep the first result as
/// long as the lines are read: dropping it deletes that file. Returns `None` for an empty part.
///
/// # Errors
/// Returns [`Error`] if the part is missing or cannot be decompressed.
pub(super) fn opened(
    archived: &SessionArchive,
    part: &ArchivePart,
) -> Result<Option<(DecompressedFile, LineReader)>> {
    if part.bytes == 0 {
        return Ok(None);
    }
    let path = archived.archive.part_path(&part.name);
    let Some(decompressed) = DecompressedFile::of(&path)? else {
        return Err(Error::Content {
            path,
            why: "it is missing, or not compressed".to_owned(),
        });
    };
    let lines = LineReader::open(decompressed.path())?;
    Ok(lines.map(|lines| (decompressed, lines)))
}

/// Returns a hash for each record of a transcript: of its id or, without an id, of its line.
/// `redact` removes secrets from the line first, so that the hash equals that of an archived copy.
/// Skips an unfinished last line, because it is still being written.
fn keys(lines: &mut LineReader, redact: bool) -> Result<HashSet<u64>> {
    let mut redactor = Redactor::default();
    let mut keys = HashSet::new();
    loop {
        let (batch, _) = lines.next_lines(BATCH)?;
        if batch.is_empty() {
            return Ok(keys);
        }
        for line in batch.split_inclusive(|byte| *byte == b'\n') {
            let (line, is_whole) = match line.strip_suffix(b"\n") {
                Some(line) => (line, true),
                None => (line, false),
            };
            let mut ids = 0;
            each_record(line, |told| {
                if let Some(uuid) = told.uuid.text() {
                    keys.insert(hash(&*uuid));
                    ids += 1;
                }
            });
            if ids == 0 && is_whole && !line.is_empty() {
                let text = String::from_utf8_lossy(line);
                keys.insert(match redact {
                    true => hash(&*redactor.transcript_line(&text)),
                    false => hash(&*text),
                });
            }
        }
    }
}
