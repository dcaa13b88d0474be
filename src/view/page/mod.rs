//! The data of a web page, which is either the report or the dashboard. The scripts in `src/web`
//! read it as JSON. `src/web/src/types.ts` has the same types: change both together.
//!
//! All values are owned, so that a page can be compared with its previous state. Every text is one
//! line of bounded length without control characters. A moment is a pair of microseconds: the wall
//! clock's time, and the time since the session's first event, which does not jump when the clock
//! is set.

mod bare;
mod changes;
mod columns;
mod parts;

use serde::Serialize;

pub use changes::PageChange;
pub use columns::CallColumns;
pub use parts::{PageAgent, PageCompaction, PageMoment, PagePrompt, PageRun, PageSegment};

use super::stats::StatsSummary;
use super::subtree::Subtrees;
use crate::model::attention::Attention;
use crate::model::text::one_line;
use crate::model::usage::ModelUsage;
use crate::model::{Activity, SessionId, Timestamp};

/// The version of the page's data. It changes only if a member changes its meaning.
const VERSION: u32 = 1;

/// The longest text on a page, in characters. The labels of calls are shorter.
const MAX_TEXT: usize = 200;

/// The kind of page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum PageMode {
    /// The report: a file that never changes.
    Report,
    /// The dashboard: its data changes while a browser shows it.
    Dashboard,
}

/// All data of a page.
#[derive(Debug, Serialize)]
#[allow(missing_docs, reason = "docs/report.md describes the members")]
pub struct PageData {
    pub v: u32,
    pub made_at: Timestamp,
    pub made_by: String,
    pub mode: PageMode,
    /// True if the content was removed, so that only structure and times remain.
    pub metadata: bool,
    /// Sentences for people about what is not on the page.
    pub left_out: Vec<String>,
    /// The statistics over all these sessions, as in `stats --json`; `None` if only one session was
    /// requested.
    pub stats: Option<StatsSummary>,
    /// The sessions, the latest first.
    pub sessions: Vec<SessionPage>,
}

impl PageData {
    /// Creates the data of a page that shows these sessions, in the given order.
    pub fn new(mode: PageMode, made_at: Timestamp, sessions: Vec<SessionPage>) -> Self {
        Self {
            v: VERSION,
            made_at,
            made_by: concat!("ccsession ", env!("CARGO_PKG_VERSION")).to_owned(),
            mode,
            metadata: false,
            left_out: Vec::new(),
            stats: None,
            sessions,
        }
    }
}

/// The data of one session.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[allow(missing_docs, reason = "docs/report.md describes the members")]
pub struct SessionPage {
    pub session_id: String,
    #[serde(flatten)]
    pub facts: SessionFacts,
    /// The moments of the first and the last event; `None` if there is no event.
    pub span: Option<(PageMoment, PageMoment)>,
    /// True if the calls, prompts, subagents, compactions and segments were left out because the
    /// page would have too many calls.
    pub calls_left_out: bool,
    pub calls: CallColumns,
    pub prompts: Vec<PagePrompt>,
    pub agents: Vec<PageAgent>,
    pub compactions: Vec<PageCompaction>,
    pub segments: Vec<PageSegment>,
    /// The statistics over this session, as in `stats --json`.
    pub stats: StatsSummary,
    pub events: u64,
    pub duplicates: u64,
}

/// What is known about a session besides its events.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[allow(missing_docs, reason = "docs/report.md describes the members")]
pub struct SessionFacts {
    pub title: Option<PageTitle>,
    pub project: Option<PageProject>,
    pub state: &'static str,
    pub role: Option<String>,
    pub focus: Option<String>,
    pub notes: Vec<PageNote>,
    /// The branch that is checked out now or, once the session has ended, was checked out at its
    /// end.
    pub branch: Option<String>,
    pub model: Option<String>,
    pub source: Option<String>,
    pub started_at: Timestamp,
    pub ended_at: Option<Timestamp>,
    pub last_activity: Option<Timestamp>,
    pub outcome: Option<String>,
    pub exit_status: Option<i64>,
    pub attention: Attention,
    pub commits: Vec<PageCommit>,
    /// Related sessions: the one that this session came from, and the first ones that came from
    /// this session.
    pub lineage: Vec<PageKin>,
    /// How many more sessions came from this one than `lineage` lists.
    pub lineage_more: usize,
    /// Tokens by agent and model, as in `stats --json`.
    pub tokens: Vec<PageTokens>,
    pub cost_usd: Option<f64>,
    /// How many calls the transcript has, and how many of these hooks recorded; `None` if unknown.
    pub coverage: Option<PageCoverage>,
    pub damage: PageDamage,
}

/// The title of a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "as those of SessionFacts")]
pub struct PageTitle {
    pub text: String,
    /// What the title is from, as in `list --json`.
    pub source: String,
}

/// A project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "as those of SessionFacts")]
pub struct PageProject {
    pub name: String,
    pub root: String,
}

/// A note that a person attached to a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "as those of SessionFacts")]
pub struct PageNote {
    pub at: Timestamp,
    pub text: String,
}

/// A commit that a session made, or perhaps made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "as those of SessionFacts")]
pub struct PageCommit {
    pub id: String,
    pub at: Timestamp,
    pub how: &'static str,
    pub certainty: &'static str,
    pub replaced_by: Option<String>,
    pub tool_use_id: Option<String>,
}

/// A session that another one came from, or that came from it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "as those of SessionFacts")]
pub struct PageKin {
    pub relation: &'static str,
    pub session_id: String,
    pub title: Option<PageTitle>,
    /// The session's state; `None` if the session has no record.
    pub state: Option<&'static str>,
    pub source: Option<String>,
    pub started_at: Option<Timestamp>,
}

/// The tokens of one model that one agent used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "as those of SessionFacts")]
pub struct PageTokens {
    pub agent_type: Option<String>,
    #[serde(flatten)]
    pub used: ModelUsage,
}

/// How much of a session hooks recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "as those of SessionFacts")]
pub struct PageCoverage {
    pub calls: u64,
    pub recorded: u64,
}

/// Lines of the journal that are not events.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "as those of SessionFacts")]
pub struct PageDamage {
    pub torn: u64,
    pub foreign: u64,
    pub newer: u64,
    pub unreadable: u64,
}

impl SessionPage {
    /// Creates the page of a session.
    pub fn new(
        session_id: &SessionId,
        facts: SessionFacts,
        activity: &Activity<'_>,
        subtrees: &Subtrees<'_>,
        stats: StatsSummary,
    ) -> Self {
        let zero = activity.span.map_or(0, |(first, _)| first.at);
        let moment = |moment| PageMoment::new(moment, zero);
        Self {
            session_id: session_id.as_str().to_owned(),
            facts,
            span: activity
                .span
                .map(|(first, last)| (moment(first), moment(last))),
            calls_left_out: false,
            calls: CallColumns::of(&activity.calls, zero),
            prompts: activity
                .prompts
                .iter()
                .map(|prompt| PagePrompt::new(prompt, zero))
                .collect(),
            agents: activity
                .agents
                .iter()
                .map(|agent| PageAgent::new(activity, agent, subtrees, zero))
                .collect(),
            compactions: activity
                .compactions
                .iter()
                .map(|compaction| PageCompaction::new(compaction, zero))
                .collect(),
            segments: activity
                .segments
                .iter()
                .map(|segment| PageSegment::new(segment, zero))
                .collect(),
            stats: shown_stats(stats),
            events: activity.events,
            duplicates: activity.duplicates,
        }
    }

    /// Removes the calls, prompts, subagents, compactions and segments, but keeps the statistics.
    pub fn leave_out_calls(&mut self) {
        self.calls_left_out = true;
        self.calls = CallColumns::default();
        self.prompts = Vec::new();
        self.agents = Vec::new();
        self.compactions = Vec::new();
        self.segments = Vec::new();
    }
}

/// The placeholder in the built page's template that the data replaces.
const PLACE: &str = "{\"data\":null}";

/// Returns the HTML of a page: the built page `template` with the data in it.
///
/// # Errors
/// Fails if the data cannot be written as JSON.
pub fn document(template: &str, data: &PageData) -> serde_json::Result<String> {
    let json = island(&serde_json::to_string(data)?);
    Ok(template.replacen(PLACE, &json, 1))
}

/// Makes the tools' names in statistics safe for a page, as [`shown`] does.
pub fn shown_stats(mut stats: StatsSummary) -> StatsSummary {
    for tool in &mut stats.tools {
        tool.tool = shown(&tool.tool);
    }
    stats
}

/// Returns a text in a form that is safe on a page: one line without control characters, of at most
/// `MAX_TEXT` characters.
pub fn shown(text: &str) -> String {
    one_line(text, MAX_TEXT)
}

/// Escapes a JSON text for an HTML script element. The JSON value stays the same, but nothing in
/// the text can end the element, begin a comment, break a line of JavaScript or be invisible.
pub fn island(json: &str) -> String {
    let mut safe = String::with_capacity(json.len() + json.len() / 64);
    for c in crate::model::text::escaped_json(json).chars() {
        match c {
            '<' => safe.push_str("\\u003c"),
            '>' => safe.push_str("\\u003e"),
            '&' => safe.push_str("\\u0026"),
            '\u{2028}' => safe.push_str("\\u2028"),
            '\u{2029}' => safe.push_str("\\u2029"),
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_an_island_ends_it() {
        let said = "</script><!--<script> ]]> & \u{2028}\u{2029}\u{202e} é";
        let json = serde_json::to_string(said).unwrap();
        let safe = island(&json);
        assert!(!safe.contains(['<', '>', '&', '\u{2028}', '\u{2029}', '\u{202e}']));
        assert_eq!(serde_json::from_str::<String>(&safe).unwrap(), said);
    }

    #[test]
    fn a_text_on_a_page_is_one_bounded_line() {
        assert_eq!(shown("a\u{202e}b\nc"), "a b c");
        assert_eq!(shown(&"x".repeat(5000)).chars().count(), MAX_TEXT);
    }
}
