//! A session as a row of the board, for the page and for programs.

use serde::Serialize;

use crate::cli::board::{BoardSession, Group, SessionFacts};
use crate::cli::context::Context;
use crate::cli::list::needs;
use crate::cli::title::title;
use crate::identity::attention::present;
use crate::identity::liveness::{Judge, SessionState};
use crate::identity::present::now_at;
use crate::model::attention::Need;
use crate::model::text::one_line;
use crate::model::{Capture, Record, SessionId, Timestamp};
use crate::store::{Result, StateDir, clock};

/// The longest text of a row, in characters.
const LONGEST: usize = 400;

/// A row. Each text is on one safe line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct BoardRow {
    session_id: SessionId,
    title: Option<String>,
    project: RowProject,
    branch: Option<String>,
    role: Option<String>,
    focus: Option<String>,
    state: &'static str,
    /// The column of the board; `None` for a session that is not live.
    column: Option<&'static str>,
    /// What the session does now, or what it asks.
    doing: Option<String>,
    /// What the session waits for: a person's answer, or a prompt.
    waits_for: Option<String>,
    /// When the session began what it does now. For a session that is over, when it ended.
    since: Timestamp,
    /// When the session came into its column. The earliest is at the top.
    entered_at: Option<Timestamp>,
    started_at: Timestamp,
    last_at: Timestamp,
    ended_at: Option<Timestamp>,
    /// The number of calls. This and the next two numbers are `None` until they are counted, and
    /// for a session that is not live.
    calls: Option<u64>,
    failed: Option<u64>,
    tokens: Option<u64>,
    /// How many of the session's subagents run now.
    subagents: Option<u64>,
}

/// A project in a row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct RowProject {
    name: String,
    directory: String,
}

impl BoardRow {
    /// Returns the row of a live session.
    pub(super) fn of_live(session: &BoardSession) -> Self {
        let facts = &session.facts;
        let attention = &facts.attention;
        let waits = attention.state != Need::None;
        let agents = facts.open_calls.iter().filter(|call| {
            let tool = call.tool.as_deref();
            tool.is_some_and(|tool| matches!(tool, "Agent" | "Task"))
        });
        Self {
            session_id: facts.id.clone(),
            title: facts.has_title.then(|| facts.title.clone()),
            project: RowProject {
                name: facts.project.clone(),
                directory: facts.root.clone(),
            },
            branch: facts.branch.clone(),
            role: facts.role.clone(),
            focus: facts.focus.clone(),
            state: match facts.is_idle {
                true => SessionState::Idle.as_str(),
                false => SessionState::Active.as_str(),
            },
            column: Some(column(session.group)),
            doing: facts.doing(),
            waits_for: waits.then(|| needs(attention)),
            since: session.since(),
            entered_at: Some(session.entered),
            started_at: facts.started,
            last_at: facts.last_activity,
            ended_at: None,
            calls: session.counts.map(|counts| counts.calls),
            failed: session.counts.map(|counts| counts.failed),
            tokens: session.tokens,
            subagents: Some(agents.count() as u64),
        }
    }

    /// Returns the row of a session that is over. Reads nothing but its record.
    fn of_past(record: &Record, title: Option<&str>, state: SessionState, last: Timestamp) -> Self {
        let shown = |text: &Option<String>| text.as_deref().map(safe);
        let branch = record.head.as_ref().and_then(|head| head.branch.as_deref());
        Self {
            session_id: record.session_id.clone(),
            title: title.map(safe),
            project: RowProject {
                name: safe(&record.project.name),
                directory: safe(&record.project.root),
            },
            branch: branch.map(safe),
            role: shown(&record.role),
            focus: shown(&record.focus),
            state: state.as_str(),
            column: None,
            doing: None,
            waits_for: None,
            since: record.ended_at.unwrap_or(last),
            entered_at: None,
            started_at: record.started_at,
            last_at: last,
            ended_at: record.ended_at,
            calls: None,
            failed: None,
            tokens: None,
            subagents: None,
        }
    }
}

/// Returns the rows of all sessions on record: the live ones, then the others, each most recently
/// active first. Counts neither calls nor tokens.
///
/// # Errors
/// Fails if the sessions cannot be listed.
pub(super) fn all_rows(
    context: &Context,
    state: &StateDir,
    judge: &Judge<'_>,
    capture: Capture,
) -> Result<Vec<BoardRow>> {
    let mut rows = Vec::new();
    for id in state.session_ids()? {
        let dir = state.session(&id);
        // A session whose record cannot be read is skipped; `doctor` names it.
        let Ok(Some(record)) = dir.record() else {
            continue;
        };
        let finding = judge.find(&id, &record);
        let title = title(&context.env, state, &record, capture);
        let title = title.as_ref().map(|title| title.text.as_str());
        if !finding.state.is_live() {
            let last = finding.last_activity.unwrap_or(record.started_at);
            let record = now_at(&dir, record, false);
            rows.push(BoardRow::of_past(&record, title, finding.state, last));
            continue;
        }
        let now = clock::now();
        let present = present(&context.env, &dir, &record, &finding, now);
        let record = now_at(&dir, record, true);
        let pids = finding.owners.iter().map(|owner| owner.pid).collect();
        let is_idle = finding.state == SessionState::Idle;
        let facts = SessionFacts::new(&record, title, pids, finding.last_activity);
        let facts = facts.with_present(is_idle, present.attention, present.open_calls);
        rows.push(BoardRow::of_live(&BoardSession::new(facts, None, now)));
    }
    rows.sort_by(|one, other| {
        let is_past = one.column.is_none().cmp(&other.column.is_none());
        is_past
            .then_with(|| other.last_at.cmp(&one.last_at))
            .then_with(|| one.session_id.cmp(&other.session_id))
    });
    Ok(rows)
}

/// Returns the name of the column of the board.
fn column(group: Group) -> &'static str {
    match group {
        Group::NeedsYou => "needs",
        Group::Working => "working",
        Group::Done => "done",
        Group::Idle => "idle",
    }
}

fn safe(text: &str) -> String {
    one_line(text, LONGEST)
}
