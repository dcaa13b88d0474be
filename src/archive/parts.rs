//! Writes the parts of an archive: transcripts, files beside them, the journal.

use std::collections::{BTreeSet, HashSet};
use std::ffi::OsStr;
use std::path::Path;

use super::copy::{BatchResult, CopyOptions, copy, copy_file, nothing, survey};
use super::mains::{MainTranscript, MainTranscripts};
use super::sources::{name_of, opened, place_among};
use super::talk::{Survey, TalkWriter};
use super::text::TextScope;
use super::{OPENING, SessionArchive, mains};
use crate::claude::transcript::{self, AgentFile, ClientFile, MAX_META};
use crate::model::archive::{ArchivePart, CopiedTranscript, PartKind};
use crate::model::redact::{Counts, Redactor};
use crate::store::archive::{Draft, PartWriter};
use crate::store::journal::JournalFile;
use crate::store::journal::compressed::DecompressedFile;
use crate::store::lines::LineReader;
use crate::store::{self, file};

/// The parts of an archive while it is written.
pub(super) struct ArchiveParts {
    pub(super) draft: Draft,
    pub(super) redacted: Counts,
    pub(super) messages: u64,
    pub(super) left_out: u64,
    /// The subagents' transcripts that are not copied, because others have all their records.
    pub(super) copies: Vec<CopiedTranscript>,
    /// The name of the part that is the session's own transcript.
    pub(super) main: Option<String>,
}

impl ArchiveParts {
    /// Returns the parts that are finished, the session's own transcript before its other
    /// transcripts.
    pub(super) fn in_order(&self) -> Vec<ArchivePart> {
        let mut parts = self.draft.parts();
        let is_further = |part: &ArchivePart| {
            part.kind == PartKind::Transcript && Some(&part.name) != self.main.as_ref()
        };
        parts.sort_by_key(is_further);
        parts
    }

    /// Copies the session's own transcripts, oldest first. Their messages go into `text`.
    pub(super) fn copy_mains(
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

    /// Copies a file that is not a transcript, for example the output of a tool. Skips a file that
    /// cannot be read.
    pub(super) fn copy_other(&mut self, file: &ClientFile, ending: &str) -> store::Result<()> {
        let Some(mut lines) = opened(&file.path)? else {
            self.left_out += 1;
            return Ok(());
        };
        let mut writer = self.draft.part(PartKind::File, ending)?;
        writer.set_original(file.place.clone(), Some(file.size));
        copy_file(&mut lines, |made| self.take(made, &mut writer))?;
        self.add(writer)
    }

    /// Adds a compressed part. An empty part becomes an empty Zstandard frame, because zero bytes
    /// cannot be decompressed.
    pub(super) fn add(&mut self, mut writer: PartWriter) -> store::Result<()> {
        if writer.is_empty() {
            let nothing = nothing().map_err(|err| writer.failure("compress", err))?;
            writer.write(&nothing, 0)?;
        }
        self.draft.add(writer)
    }

    /// Copies a transcript. Its messages go into `text`, if given.
    pub(super) fn copy_transcript(
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

    /// Copies Claude Code's `.meta.json` file about a subagent. Skips a file that cannot be read.
    pub(super) fn copy_meta(
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

    /// Copies from the previous archive the notes on subagents and other files that this one lacks.
    /// Claude Code deletes each file on its own when it is old, while the session goes on.
    pub(super) fn take_over(&mut self, before: &SessionArchive) -> store::Result<()> {
        let present = self.draft.parts();
        let names: HashSet<&str> = present.iter().map(|part| part.name.as_str()).collect();
        let places: HashSet<Option<&str>> = present
            .iter()
            .map(|part| part.original.as_deref())
            .collect();
        let originals: HashSet<Option<&OsStr>> = present.iter().map(name_of).collect();
        // A note stays with its transcript. Other transcripts may have the same file name.
        let stays = |part: &ArchivePart| {
            let transcript = part.name.strip_suffix(".meta.json");
            transcript.is_some_and(|stem| names.contains(format!("{stem}.jsonl.zst").as_str()))
        };
        let is_present = |part: &ArchivePart| {
            let is_other = part.kind == PartKind::File || stays(part);
            names.contains(part.name.as_str())
                || places.contains(&part.original.as_deref())
                || !is_other && originals.contains(&name_of(part))
        };
        let is_clients = |part: &&ArchivePart| matches!(part.kind, PartKind::Meta | PartKind::File);
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

    /// Copies the journal's files into one part. They need no redaction, because they were redacted
    /// when they were written.
    pub(super) fn copy_journal(&mut self, pieces: &[JournalFile]) -> store::Result<()> {
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
