//! Finds the title of a session: given by a person or by Claude Code, or the beginning of its first
//! prompt.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::present::LastPlace;
use crate::claude::transcript;
use crate::claude::transcript::titles::{self, TitlesRead, TranscriptTitles};
use crate::model::event::{TASK_NOTIFICATION, name};
use crate::model::{Capture, Record, Timestamp};
use crate::store::lines::ReadPosition;
use crate::store::{Environment, SessionDir};

/// The version of `title.json` that this program writes.
const VERSION: u64 = 1;
/// How many bytes a transcript may grow before `title.json` is written again, if no title has
/// changed.
const NOTED_EVERY: u64 = 256 << 10;
/// How many events at a session's beginning are searched for its first prompt.
const FIRST_EVENTS: usize = 400;

/// Where the title of a session comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum TitleSource {
    /// A person, with `/rename` in Claude Code.
    Rename,
    /// A person, at the start of the session.
    Name,
    /// Claude Code.
    Client,
    /// Nobody; it is the beginning of the first prompt.
    Prompt,
    /// Unknown: only the archive still has the title.
    Archive,
}

impl TitleSource {
    /// Returns the source as one word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rename => "rename",
            Self::Name => "name",
            Self::Client => "client",
            Self::Prompt => "prompt",
            Self::Archive => "archive",
        }
    }
}

/// The title of a session, as one line without control characters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Title {
    /// The words.
    pub text: String,
    /// Where the title comes from.
    pub source: TitleSource,
}

/// The content of `title.json`: the titles found so far, so that no part of a transcript is read
/// twice.
#[derive(Debug, Serialize, Deserialize)]
struct TitleNote {
    v: u64,
    /// The transcript that was read, with its size and modification time then. `None` if there was
    /// no transcript.
    transcript: Option<TranscriptStamp>,
    #[serde(flatten)]
    titles: TranscriptTitles,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct TranscriptStamp {
    path: PathBuf,
    size: u64,
    modified: Timestamp,
    #[serde(flatten)]
    position: ReadPosition,
}

/// Returns the title of a session. `record` may be as stored, or contain the session's present
/// place.
///
/// The order of preference: the title that a person gave last, the name from the start of the
/// session, Claude Code's own title, the first prompt. With `capture = "metadata"`, only the name
/// from the start is used, and no transcript is read. A transcript that cannot be read is ignored.
pub fn title(
    env: &Environment,
    dir: &SessionDir,
    record: &Record,
    capture: Capture,
) -> Option<Title> {
    let titles = match capture {
        Capture::Metadata => TranscriptTitles::default(),
        Capture::Summary | Capture::Full => titles_of(env, dir, record),
    };
    best(record, titles)
}

/// Returns the title for a copy of the session, such as an archive. Reads it from this transcript,
/// whatever the setting `capture`, and ignores `title.json`.
pub fn title_for_copy(
    transcript: Option<&Path>,
    dir: &SessionDir,
    record: &Record,
) -> Option<Title> {
    let read = |path: &Path| titles::read(path, &record.session_id, None).ok().flatten();
    let read = transcript.and_then(read);
    let mut titles = read.map(|read| read.titles).unwrap_or_default();
    titles.prompt = titles.prompt.or_else(|| first_prompt(dir));
    best(record, titles)
}

fn best(record: &Record, titles: TranscriptTitles) -> Option<Title> {
    let name = record.name.clone().filter(|name| !name.is_empty());
    let of = |text: Option<String>, source| {
        Some(Title {
            text: text?,
            source,
        })
    };
    of(titles.given, TitleSource::Rename)
        .or_else(|| of(name, TitleSource::Name))
        .or_else(|| of(titles.made, TitleSource::Client))
        .or_else(|| of(titles.prompt, TitleSource::Prompt))
}

/// Returns the titles in the transcript. Continues from `title.json`, and updates that file.
fn titles_of(env: &Environment, dir: &SessionDir, record: &Record) -> TranscriptTitles {
    let noted = TitleNote::read(dir);
    let known = noted.as_ref().and_then(|note| note.transcript.as_ref());
    let found = find(env, dir, record);
    if let (Some(known), Some(found)) = (known, &found)
        && known.is_of(found)
    {
        return noted.map(|note| note.titles).unwrap_or_default();
    }
    let before = noted.as_ref().map(|note| note.titles.clone());
    let mut titles = before.clone().unwrap_or_default();
    let mut stamp = None;
    if let Some(found) = found {
        let is_same = |known: &&TranscriptStamp| known.path == found.path;
        let known = known.filter(is_same).map(|known| TitlesRead {
            titles: titles.clone(),
            position: known.position.clone(),
        });
        if let Ok(Some(read)) = titles::read(&found.path, &record.session_id, known) {
            titles = read.titles;
            stamp = Some(TranscriptStamp {
                position: read.position,
                ..found
            });
        }
    }
    if titles.prompt.is_none() {
        titles.prompt = first_prompt(dir);
    }
    let grown = |known: &TranscriptStamp| {
        let offset = stamp.as_ref().map_or(0, |stamp| stamp.position.offset);
        offset.abs_diff(known.position.offset) >= NOTED_EVERY
    };
    let is_new = stamp.is_some() && known.is_none_or(grown);
    if is_new || before.unwrap_or_default() != titles {
        let note = TitleNote {
            v: VERSION,
            transcript: stamp.or_else(|| known.cloned()),
            titles: titles.clone(),
        };
        // Ignore a failure: the next call writes the file.
        let _ = serde_json::to_vec(&note).map(|bytes| dir.replace_title_note(&bytes));
    }
    titles
}

/// Finds the session's transcript, and returns its present size and modification time.
fn find(env: &Environment, dir: &SessionDir, record: &Record) -> Option<TranscriptStamp> {
    let there = |record: &Record| transcript::find_inspected(env, record);
    let (path, meta) =
        there(record).or_else(|| there(&LastPlace::read(dir).with_transcript(record.clone())))?;
    Some(TranscriptStamp {
        path,
        size: meta.size,
        modified: meta.modified,
        position: ReadPosition::default(),
    })
}

/// Returns the label of the first prompt that hooks or an import recorded.
fn first_prompt(dir: &SessionDir) -> Option<String> {
    let recorded = dir.journal().events().into_iter().flatten();
    let imported = dir.imported_events().into_iter().flatten();
    let first = recorded.take(FIRST_EVENTS);
    first
        .chain(imported.take(FIRST_EVENTS))
        .filter(|event| event.event == name::USER_PROMPT_SUBMIT && event.agent_id.is_none())
        .filter(|event| event.source.as_deref() != Some(TASK_NOTIFICATION))
        .find_map(|event| event.what)
}

impl TitleNote {
    fn read(dir: &SessionDir) -> Option<Self> {
        let note: Self = serde_json::from_slice(&dir.title_note()?).ok()?;
        (note.v == VERSION).then_some(note)
    }
}

impl TranscriptStamp {
    /// Returns whether `found` is this transcript, unchanged.
    fn is_of(&self, found: &Self) -> bool {
        self.path == found.path && self.size == found.size && self.modified == found.modified
    }
}
