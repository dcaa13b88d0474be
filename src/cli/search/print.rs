//! The hits of a search, for people and for programs.

use serde::Serialize;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::cli::amount::{grouped, plural};
use crate::identity::title::TitleSource;
use crate::model::record::ProjectRef;
use crate::model::text::escaped;
use crate::model::{SessionId, Timestamp};
use crate::search::{FoundSession, HitKind, SearchHit, SearchQuery, SearchRole, SessionHeading};
use crate::store::clock;
use crate::view::timeline::text::cut;

/// The largest width of the column that says who wrote a message.
const MAX_WHO: usize = 24;
/// The smallest width of the column with the text of a hit.
const MIN_TEXT: usize = 20;
const BOLD: &str = "1";
const MATCH: &str = "1;31";
const FAILED: &str = "31";

/// How hits are shown.
#[derive(Debug, Clone, Copy)]
pub(super) struct SearchLayout {
    /// How many columns a line may have. `None` does not limit them.
    pub(super) width: Option<usize>,
    pub(super) colour: bool,
    /// Whether characters beyond ASCII may be used, such as `…`.
    pub(super) drawn: bool,
}

impl SearchLayout {
    /// Returns a session and its hits, line by line.
    pub(super) fn session(
        self,
        query: &SearchQuery,
        heading: &SessionHeading,
        found: &FoundSession,
    ) -> String {
        let (dot, ellipsis) = if self.drawn {
            ("·", "…")
        } else {
            ("-", "...")
        };
        let mut text = String::new();
        if let Some(title) = &heading.title {
            let title = self.cut(&escaped(title), self.width.unwrap_or(usize::MAX));
            text += &format!("{}\n", self.painted(&title, BOLD));
        }
        let day = heading.started_at.or(found.last);
        let day = day.map(|at| clock::to_civil(at).date().to_string());
        let project = heading
            .project
            .as_ref()
            .map(|project| escaped(&project.name));
        let known = [project, day, Some(found.id.to_string())];
        let known: Vec<String> = known.into_iter().flatten().collect();
        text += &format!("{}\n", known.join(&format!(" {dot} ")));
        let names: Vec<String> = found
            .hits
            .iter()
            .map(|hit| cut(&who(hit), MAX_WHO))
            .collect();
        let widest = names
            .iter()
            .map(|name| name.width())
            .max()
            .unwrap_or_default();
        for (hit, name) in found.hits.iter().zip(&names) {
            text += &self.hit(query, hit, name, widest);
        }
        let more = found.count.saturating_sub(found.hits.len() as u64);
        if more > 0 {
            text += &format!("  {ellipsis} and {} more\n", grouped(more));
        }
        text
    }

    /// Returns the line that counts the sessions that are not shown.
    pub(super) fn more_sessions(self, count: usize) -> String {
        let ellipsis = if self.drawn { "…" } else { "..." };
        format!(
            "\n{ellipsis} and {} more\n",
            plural(count as u64, "session")
        )
    }

    fn hit(self, query: &SearchQuery, hit: &SearchHit, name: &str, widest: usize) -> String {
        let time = hit
            .at
            .map(|at| clock::to_civil(at).format("%Y-%m-%d %H:%M").to_string());
        let time = time.unwrap_or_else(|| " ".repeat(16));
        let gap = " ".repeat(widest.saturating_sub(name.width()));
        let name = match hit.failed {
            true => self.painted(name, FAILED),
            false => name.to_owned(),
        };
        let taken = 2 + 16 + 2 + widest + 2;
        let room = self.width.map_or(usize::MAX, |width| {
            width.saturating_sub(taken).max(MIN_TEXT)
        });
        let text = self.around(query, &hit.text, room);
        format!(
            "  {time}  {name}{gap}  {}\n",
            self.highlighted(query, &text)
        )
    }

    /// Cuts a text to at most `room` columns around its first match.
    fn around(self, query: &SearchQuery, text: &str, room: usize) -> String {
        let first = query.places(text).into_iter().next().unwrap_or_default();
        let before = text.get(..first.start).unwrap_or_default();
        let with_match = text.get(..first.end).unwrap_or_default();
        if with_match.width() < room {
            return self.cut(text, room);
        }
        // Up to a third of the room goes to the text before the match.
        let mut columns = 0;
        let near = before.char_indices().rev().take_while(|(_, c)| {
            columns += c.width().unwrap_or(0);
            columns <= room / 3
        });
        let start = near.last().map_or(first.start, |(start, _)| start);
        let rest = text.get(start..).unwrap_or_default();
        let mark = if self.drawn { "…" } else { "~" };
        format!("{mark}{}", self.cut(rest, room.saturating_sub(1)))
    }

    fn cut(self, text: &str, width: usize) -> String {
        let text = cut(text, width);
        match self.drawn {
            true => text,
            false => text.replace('…', "~"),
        }
    }

    fn highlighted(self, query: &SearchQuery, text: &str) -> String {
        if !self.colour {
            return text.to_owned();
        }
        let mut painted = String::new();
        let mut at = 0;
        for place in query.places(text) {
            painted += text.get(at..place.start).unwrap_or_default();
            painted += &self.painted(text.get(place.clone()).unwrap_or_default(), MATCH);
            at = place.end;
        }
        painted + text.get(at..).unwrap_or_default()
    }

    fn painted(self, text: &str, colour: &str) -> String {
        match self.colour {
            true => format!("\u{1b}[{colour}m{text}\u{1b}[0m"),
            false => text.to_owned(),
        }
    }
}

/// Returns who wrote a message, in a word or two.
fn who(hit: &SearchHit) -> String {
    let tool = hit.tool.as_deref().unwrap_or("tool");
    match (hit.kind, hit.role) {
        (HitKind::Message, SearchRole::Assistant) if hit.agent_id.is_some() => {
            "subagent".to_owned()
        }
        (HitKind::Message, SearchRole::User) => "user".to_owned(),
        (HitKind::Message, SearchRole::Assistant) => "assistant".to_owned(),
        (HitKind::Message, SearchRole::Tool | SearchRole::Notice) => "notice".to_owned(),
        (HitKind::Summary, _) => "summary".to_owned(),
        (HitKind::Output, _) => "output".to_owned(),
        (HitKind::File, _) => "file".to_owned(),
        (HitKind::Title, _) => "title".to_owned(),
        (HitKind::Label, SearchRole::User) => "user".to_owned(),
        (HitKind::Call | HitKind::Label | HitKind::Result, _) if hit.failed => {
            format!("{tool} failed")
        }
        (HitKind::Call | HitKind::Label, _) => tool.to_owned(),
        (HitKind::Result, _) => format!("{tool} result"),
    }
}

/// What `--json` prints.
#[derive(Serialize)]
pub(super) struct SearchOutput<'a> {
    v: u64,
    sessions: Vec<FoundSessionView<'a>>,
    /// How many further sessions have hits.
    more: usize,
    left_out: &'a [String],
}

#[derive(Serialize)]
struct FoundSessionView<'a> {
    session_id: &'a SessionId,
    title: Option<TitleView<'a>>,
    project: Option<&'a ProjectRef>,
    started_at: Option<Timestamp>,
    count: u64,
    hits: Vec<HitView<'a>>,
}

#[derive(Serialize)]
struct TitleView<'a> {
    text: &'a str,
    source: Option<TitleSource>,
}

#[derive(Serialize)]
struct HitView<'a> {
    #[serde(flatten)]
    hit: &'a SearchHit,
    matches: Vec<[usize; 2]>,
}

impl<'a> SearchOutput<'a> {
    pub(super) fn new(
        query: &SearchQuery,
        found: &'a [(SessionHeading, FoundSession)],
        more: usize,
        left_out: &'a [String],
    ) -> Self {
        let sessions = found.iter().map(|(heading, found)| FoundSessionView {
            session_id: &found.id,
            title: heading.title.as_deref().map(|text| TitleView {
                text,
                source: heading.title_source,
            }),
            project: heading.project.as_ref(),
            started_at: heading.started_at,
            count: found.count,
            hits: found
                .hits
                .iter()
                .map(|hit| HitView::new(query, hit))
                .collect(),
        });
        Self {
            v: 1,
            sessions: sessions.collect(),
            more,
            left_out,
        }
    }
}

impl<'a> HitView<'a> {
    fn new(query: &SearchQuery, hit: &'a SearchHit) -> Self {
        let characters = |end: usize| {
            let before = hit.text.get(..end).unwrap_or_default();
            before.chars().count()
        };
        let places = query.places(&hit.text).into_iter();
        Self {
            hit,
            matches: places
                .map(|place| [characters(place.start), characters(place.end)])
                .collect(),
        }
    }
}
