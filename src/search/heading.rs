//! Finds by what a person recognises a session: its title, its project, the time when it began.

use std::path::PathBuf;

use super::places::TextPlace;
use crate::claude::transcript::said::{Speaker, SpokenRecord, each_record};
use crate::identity::title::{TitleSource, title};
use crate::model::archive::Manifest;
use crate::model::label::prompt_label;
use crate::model::record::ProjectRef;
use crate::model::redact::Redactor;
use crate::model::{Capture, Record, Timestamp};
use crate::store::blocks::{BlockBuffer, LineBlocks};
use crate::store::{Environment, SessionDir, project};

/// How many bytes of a transcript are searched for its first prompt.
const OPENING: usize = 1 << 16;
/// What a person recognises a session by.
#[derive(Debug, Clone, Default)]
pub struct SessionHeading {
    /// The title of the session.
    pub title: Option<String>,
    /// Who gave the title, if that is known.
    pub title_source: Option<TitleSource>,
    /// The project in which the session began.
    pub project: Option<ProjectRef>,
    /// When the session began.
    pub started_at: Option<Timestamp>,
}

/// What is recorded of a session: its record and its archive.
#[derive(Debug)]
pub(super) struct RecordedSession<'a> {
    pub(super) env: &'a Environment,
    pub(super) capture: Capture,
    /// The session's folder and its record.
    pub(super) record: Option<(SessionDir, Record)>,
    pub(super) manifest: Option<&'a Manifest>,
}

/// Returns the heading of a session. `mains` are the session's own transcripts.
pub(super) fn of<'a>(
    recorded: &RecordedSession<'_>,
    mains: impl Iterator<Item = &'a TextPlace>,
) -> SessionHeading {
    let opening = Opening::first(mains);
    let record = recorded.record.as_ref().map(|(_, record)| record);
    let started = record.map(|record| record.started_at);
    let started = started.or_else(|| Some(recorded.manifest?.started_at));
    let (title, title_source) = recorded.title(&opening).unzip();
    SessionHeading {
        title,
        title_source: title_source.flatten(),
        project: recorded.project().or_else(|| opening.project()),
        started_at: started.or(opening.at),
    }
}

/// Returns the project of the session, without looking for its title.
pub(super) fn project<'a>(
    recorded: &RecordedSession<'_>,
    mains: impl Iterator<Item = &'a TextPlace>,
) -> Option<ProjectRef> {
    let began_in = || Opening::first(mains).project();
    recorded.project().or_else(began_in)
}

impl RecordedSession<'_> {
    /// Returns the title on record or in the archive, without reading a transcript.
    pub(super) fn noted_title(&self) -> Option<(String, Option<TitleSource>)> {
        self.title(&Opening::default())
    }

    fn project(&self) -> Option<ProjectRef> {
        let recorded = self.record.as_ref();
        let recorded = recorded.map(|(_, record)| record.project.clone());
        recorded.or_else(|| Some(self.manifest?.project.clone()))
    }

    /// Returns the session's title: the one on record, else the one in the archive, else the first
    /// prompt.
    fn title(&self, opening: &Opening) -> Option<(String, Option<TitleSource>)> {
        let recorded = self.record.as_ref();
        let recorded =
            recorded.and_then(|(dir, record)| title(self.env, dir, record, self.capture));
        if let Some(title) = recorded {
            return Some((title.text, Some(title.source)));
        }
        if self.capture == Capture::Metadata {
            return None;
        }
        if let Some(title) = self.manifest.and_then(|manifest| manifest.title.clone()) {
            return Some((title, None));
        }
        let prompt = prompt_label(opening.prompt.as_deref()?, true, &mut Redactor::default());
        Some((prompt?, Some(TitleSource::Prompt)))
    }
}

/// The beginning of a transcript.
#[derive(Debug, Default)]
struct Opening {
    at: Option<Timestamp>,
    cwd: Option<String>,
    prompt: Option<String>,
}

impl Opening {
    /// Returns the beginning of the session's earliest transcript.
    fn first<'a>(mains: impl Iterator<Item = &'a TextPlace>) -> Self {
        let openings = mains.filter_map(Self::of);
        let first = openings.min_by_key(|opening| (opening.at.is_none(), opening.at));
        first.unwrap_or_default()
    }

    fn project(&self) -> Option<ProjectRef> {
        let dir = PathBuf::from(self.cwd.as_deref()?);
        let found = project::existing_or_gone(&dir).ok()?;
        Some(ProjectRef::from(&found))
    }

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
                // A command says little about the session.
                said.speaker == Speaker::User && !said.text.starts_with('/')
            });
            typed.map(|said| said.text.into_owned())
        };
        self.prompt = self.prompt.take().or_else(prompt);
    }
}
