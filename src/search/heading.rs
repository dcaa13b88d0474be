//! What a person knows a session by: its title, its project, its beginning.

use std::path::PathBuf;

use super::places::TextPlace;
use crate::claude::transcript::said::{Speaker, SpokenRecord, each_record};
use crate::model::archive::Manifest;
use crate::model::record::ProjectRef;
use crate::model::redact::redact;
use crate::model::text::one_line;
use crate::model::{Record, Timestamp};
use crate::store::blocks::{BlockBuffer, LineBlocks};
use crate::store::project;

/// How many bytes of a transcript are searched for its first prompt.
const OPENING: usize = 1 << 16;
/// The longest title, in characters.
const MAX_TITLE: usize = 80;

/// What a person knows a session by.
#[derive(Debug, Clone, Default)]
pub struct SessionHeading {
    /// The session's name, else its first prompt.
    pub title: Option<String>,
    /// The project that it began in.
    pub project: Option<ProjectRef>,
    /// When it began.
    pub started_at: Option<Timestamp>,
}

/// Returns what is known of the session with this record, this manifest and these transcripts of
/// its own.
pub(super) fn of<'a>(
    record: Option<&Record>,
    manifest: Option<&Manifest>,
    mains: impl Iterator<Item = &'a TextPlace>,
) -> SessionHeading {
    let openings = mains.filter_map(Opening::of);
    let opening = openings.min_by_key(|opening| (opening.at.is_none(), opening.at));
    let opening = opening.unwrap_or_default();
    let recorded = record.map(|record| record.project.clone());
    let archived = || manifest.map(|manifest| manifest.project.clone());
    let began_in = || {
        let dir = opening.cwd.as_deref().map(PathBuf::from)?;
        let found = project::existing_or_gone(&dir).ok()?;
        Some(ProjectRef::from(&found))
    };
    let started = record.map(|record| record.started_at);
    let started = started.or_else(|| manifest.map(|manifest| manifest.started_at));
    SessionHeading {
        title: title(record, &opening),
        project: recorded.or_else(archived).or_else(began_in),
        started_at: started.or(opening.at),
    }
}

/// Returns the title of a session, on one safe line without secrets.
fn title(record: Option<&Record>, opening: &Opening) -> Option<String> {
    let name = record.and_then(|record| record.name.as_deref());
    let title = name.or(opening.prompt.as_deref())?;
    let title = one_line(&redact(title), MAX_TITLE);
    Some(title).filter(|title| !title.is_empty())
}

/// The beginning of a transcript.
#[derive(Debug, Default)]
struct Opening {
    at: Option<Timestamp>,
    cwd: Option<String>,
    prompt: Option<String>,
}

impl Opening {
    fn of(place: &TextPlace) -> Option<Self> {
        let source = place.open().ok()??;
        let mut lines = LineBlocks::of(source, &place.path(), OPENING, BlockBuffer::default());
        let mut opening = Self::default();
        for line in lines.next_block().ok()??.split(|byte| *byte == b'\n') {
            each_record(line, |record| opening.hear(record));
            if opening.prompt.is_some() && opening.cwd.is_some() {
                break;
            }
        }
        Some(opening)
    }

    fn hear(&mut self, record: &SpokenRecord<'_>) {
        let at = || Timestamp::parse(&record.timestamp.text()?).ok();
        self.at = self.at.or_else(at);
        self.cwd = self.cwd.take().or_else(|| record.cwd.owned());
        let prompt = || {
            let mut said = record.said().into_iter();
            let typed = said.find(|said| {
                // A command says little.
                said.speaker == Speaker::User && !said.text.starts_with('/')
            });
            typed.map(|said| said.text.into_owned())
        };
        self.prompt = self.prompt.take().or_else(prompt);
    }
}
