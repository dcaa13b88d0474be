//! Which session a user means: by its id, by the beginning of it, or by its title.

use anyhow::Result;

use super::context::Context;
use super::list::span;
use super::output;
use super::status::{Status, refusal};
use super::title::title;
use crate::model::label::session_name;
use crate::model::text::escaped;
use crate::model::{Capture, Record, SessionId, Timestamp, id};
use crate::store::StateDir;

/// The most candidates that are listed.
const MAX_LISTED: usize = 10;
/// The fewest characters that may stand for a longer title.
const MIN_BEGINNING: usize = 3;

/// Returns the session whose id or title is `given`, or the only one whose id or title begins with
/// it.
pub(super) fn find_session(
    context: &Context,
    state: Option<&StateDir>,
    given: &str,
) -> Result<SessionId> {
    let is_id = id::is_prefix(given);
    let Some(state) = state else {
        return Err(not_found(given, is_id, None));
    };
    let mut found = matching(context, state, given)?;
    match (found.pop(), found.is_empty()) {
        (None, _) => {
            let near = nearest(context, state, given);
            Err(not_found(given, is_id, near.as_ref()))
        }
        (Some(only), true) => Ok(only),
        (Some(last), false) => {
            found.push(last);
            Err(ambiguous(context, state, given, &found))
        }
    }
}

/// Returns the sessions that `given` may mean. An id comes before a title, and a whole id or title
/// before the beginning of one.
pub(super) fn matching(context: &Context, state: &StateDir, given: &str) -> Result<Vec<SessionId>> {
    let mut by_id: Vec<SessionId> = Vec::new();
    if id::is_prefix(given) {
        let ids = state.session_ids()?;
        by_id.extend(ids.filter(|id| id.as_str().starts_with(given)));
        if let Some(exact) = by_id.iter().position(|id| id.as_str() == given) {
            return Ok(vec![by_id.swap_remove(exact)]);
        }
        if by_id.len() == 1 {
            return Ok(by_id);
        }
    }
    let capture = context.config()?.capture;
    let titled = by_title(context, state, given, capture)?;
    Ok(if titled.is_empty() { by_id } else { titled })
}

/// Returns the sessions with this title, or else those whose title begins with it.
fn by_title(
    context: &Context,
    state: &StateDir,
    given: &str,
    capture: Capture,
) -> Result<Vec<SessionId>> {
    let (mut whole, mut beginning) = (Vec::new(), Vec::new());
    let Some(wanted) = session_name(given).map(|name| name.to_lowercase()) else {
        return Ok(whole);
    };
    let may_be_beginning = wanted.chars().count() >= MIN_BEGINNING;
    for id in state.session_ids()? {
        let Ok(Some(record)) = state.session(&id).record() else {
            continue;
        };
        let Some(title) = title(&context.env, state, &record, capture) else {
            continue;
        };
        let title = title.text.to_lowercase();
        if title == wanted {
            whole.push(id);
        } else if may_be_beginning && title.starts_with(&wanted) {
            beginning.push(id);
        }
    }
    Ok(if whole.is_empty() { beginning } else { whole })
}

fn not_found(given: &str, is_id: bool, near: Option<&SessionCandidate>) -> anyhow::Error {
    let given = escaped(given);
    let see = match near {
        Some(near) => near.guess(),
        None => "see `ccsession list --all`".to_owned(),
    };
    match is_id {
        true => refusal(
            Status::NotFound,
            format!(
                "could not find session `{given}`: no session on record has this id or title; {see}"
            ),
        ),
        false => refusal(
            Status::Usage,
            format!(
                "could not use `{given}`: it is neither a session id nor a title on record; {see}"
            ),
        ),
    }
}

/// Returns the session that was probably meant: the last one whose title contains what was given, or
/// else the one whose id begins most like it.
fn nearest(context: &Context, state: &StateDir, given: &str) -> Option<SessionCandidate> {
    let capture = context.config().ok()?.capture;
    let wanted = session_name(given)?.to_lowercase();
    let alike = |id: &SessionId| {
        let both = id.as_str().chars().zip(given.chars());
        both.take_while(|(one, other)| one == other).count()
    };
    let is_long = wanted.chars().count() >= MIN_BEGINNING;
    let near = state.session_ids().ok()?.filter_map(|id| {
        let candidate = SessionCandidate::read(context, state, &id, capture)?;
        let is_named = is_long && candidate.title.to_lowercase().contains(&wanted);
        let rank = (is_named, alike(&id), candidate.last);
        (is_named || rank.1 >= MIN_BEGINNING).then_some((rank, candidate))
    });
    let (_, nearest) = near.max_by_key(|(rank, _)| *rank)?;
    Some(nearest)
}

/// A session that may have been meant.
struct SessionCandidate {
    record: Record,
    last: Timestamp,
    title: String,
}

impl SessionCandidate {
    fn read(context: &Context, state: &StateDir, id: &SessionId, capture: Capture) -> Option<Self> {
        let dir = state.session(id);
        let record = dir.record().ok()??;
        let title = title(&context.env, state, &record, capture);
        Some(Self {
            last: dir.last_activity().unwrap_or(record.started_at),
            title: title.map(|title| title.text).unwrap_or_default(),
            record,
        })
    }

    /// Asks whether this session was meant.
    fn guess(&self) -> String {
        let project = escaped(&self.record.project.name);
        let title = match self.title.as_str() {
            "" => String::new(),
            title => format!(", {title}"),
        };
        let id = &self.record.session_id;
        format!("did you mean `{id}` ({project}{title})?")
    }

    /// Returns the beginning of its id, its project, its age and its title.
    fn line(&self, now: Timestamp) -> String {
        let Record {
            session_id,
            project,
            ..
        } = &self.record;
        let last = span(self.last, now);
        format!(
            "  {session_id}  {}  {last} ago  {}",
            project.name, self.title
        )
        .trim_end()
        .to_owned()
    }
}

/// Shows people the candidates, a line each.
pub(super) fn list_candidates(lines: &[String]) {
    if !output::are_warnings_for_people() {
        return;
    }
    for line in lines.iter().take(MAX_LISTED) {
        output::warn(line);
    }
    let more = lines.len().saturating_sub(MAX_LISTED);
    if more > 0 {
        output::warn(&format!("  … and {more} more"));
    }
}

/// Refuses to choose among several sessions, and lists them, the most recently active first.
fn ambiguous(context: &Context, state: &StateDir, given: &str, ids: &[SessionId]) -> anyhow::Error {
    let capture = context.config().map_or(Capture::Metadata, |it| it.capture);
    let mut candidates: Vec<SessionCandidate> = ids
        .iter()
        .filter_map(|id| SessionCandidate::read(context, state, id, capture))
        .collect();
    candidates.sort_by_key(|candidate| std::cmp::Reverse(candidate.last));
    let lines = candidates
        .iter()
        .map(|candidate| candidate.line(context.now));
    list_candidates(&lines.collect::<Vec<_>>());
    let is_beginning = ids.iter().all(|id| id.as_str().starts_with(given));
    let instead = match is_beginning {
        true => "a longer prefix",
        false => "a session id",
    };
    let text = format!(
        "could not choose a session: `{}` matches {}; use {instead}",
        escaped(given),
        ids.len()
    );
    refusal(Status::Ambiguous, text)
}
