//! Finds the session that a user means by its id, by the beginning of its id, or by its title.

use anyhow::Result;

use super::context::Context;
use super::list::span;
use super::output;
use super::status::{Status, refusal};
use super::title::title;
use crate::identity::liveness::SessionState;
use crate::model::label::session_name;
use crate::model::text::escaped;
use crate::model::{Capture, Record, SessionId, Timestamp, id};
use crate::store::StateDir;
use crate::store::processors::on_all_processors;

/// The most candidates that are listed.
const MAX_LISTED: usize = 10;
/// The fewest characters that must match before another session is suggested.
const MIN_BEGINNING: usize = 3;

/// Returns the session whose id or title is `given`, or the only session whose id or title begins
/// with `given`.
pub(super) fn find_session(
    context: &Context,
    state: Option<&StateDir>,
    given: &str,
) -> Result<SessionId> {
    let is_id = id::is_prefix(given);
    let Some(state) = state else {
        return Err(not_found(given, is_id, None));
    };
    let (mut found, titles) = search(context, state, given)?;
    match (found.pop(), found.is_empty()) {
        (None, _) => {
            let near = nearest(context, state, given, &titles);
            Err(not_found(given, is_id, near.as_ref()))
        }
        (Some(only), true) => Ok(only),
        (Some(last), false) => {
            found.push(last);
            Err(ambiguous(context, state, given, &found))
        }
    }
}

/// Returns the sessions that `given` may mean. Ids are tried before titles, and a whole id or title
/// before the beginning of one.
pub(super) fn matching(context: &Context, state: &StateDir, given: &str) -> Result<Vec<SessionId>> {
    Ok(search(context, state, given)?.0)
}

/// The titles of all sessions on record, in lower case.
type Titles = Vec<(SessionId, String)>;

/// Finds sessions as [`matching`] does. Also returns the titles, if they had to be read.
fn search(context: &Context, state: &StateDir, given: &str) -> Result<(Vec<SessionId>, Titles)> {
    let mut by_id: Vec<SessionId> = Vec::new();
    if id::is_prefix(given) {
        let ids: Vec<SessionId> = state.session_ids()?.collect();
        let of = |is_it: &dyn Fn(&str) -> bool| -> Vec<SessionId> {
            let found = ids.iter().filter(|id| is_it(id.as_str()));
            found.cloned().collect()
        };
        by_id = of(&|id| id.starts_with(given));
        if by_id.is_empty() {
            // Some programs show ids in upper case.
            by_id = of(&|id| {
                let start = id.get(..given.len());
                start.is_some_and(|start| start.eq_ignore_ascii_case(given))
            });
        }
        if let Some(exact) = by_id
            .iter()
            .position(|id| id.as_str().eq_ignore_ascii_case(given))
        {
            return Ok((vec![by_id.swap_remove(exact)], Vec::new()));
        }
        if by_id.len() == 1 {
            return Ok((by_id, Vec::new()));
        }
    }
    let Some(wanted) = session_name(given).map(|name| name.to_lowercase()) else {
        return Ok((by_id, Vec::new()));
    };
    let titles = titles(context, state, context.config()?.capture)?;
    let titled = by_title(&titles, &wanted);
    let found = if titled.is_empty() { by_id } else { titled };
    Ok((found, titles))
}

fn titles(context: &Context, state: &StateDir, capture: Capture) -> Result<Titles> {
    let ids: Vec<SessionId> = state.session_ids()?.collect();
    let titles = on_all_processors(&ids, |id| {
        let record = state.session(id).record().ok()??;
        let title = title(&context.env, state, &record, capture)?;
        Some(title.text.to_lowercase())
    });
    let titled = ids.into_iter().zip(titles);
    Ok(titled
        .map(|(id, title)| (id, title.unwrap_or_default()))
        .collect())
}

/// Returns the sessions with the title `wanted`, or else those whose title begins with it.
fn by_title(titles: &Titles, wanted: &str) -> Vec<SessionId> {
    let of = |is_it: &dyn Fn(&str) -> bool| -> Vec<SessionId> {
        let found = titles.iter().filter(|(_, title)| is_it(title));
        found.map(|(id, _)| id.clone()).collect()
    };
    let whole = of(&|title| title == wanted);
    let may_be_beginning = wanted.chars().count() >= MIN_BEGINNING;
    if whole.is_empty() && may_be_beginning {
        return of(&|title| title.starts_with(wanted));
    }
    whole
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

/// Returns the session that was probably meant. It is a session whose title contains `given`, or
/// else the one whose id begins most like `given`.
fn nearest(
    context: &Context,
    state: &StateDir,
    given: &str,
    titles: &Titles,
) -> Option<SessionCandidate> {
    let capture = context.config().ok()?.capture;
    let wanted = session_name(given)?.to_lowercase();
    let alike = |id: &SessionId| {
        let both = id.as_str().chars().zip(given.chars());
        both.take_while(|(one, other)| one == other).count()
    };
    let is_long = wanted.chars().count() >= MIN_BEGINNING;
    let near = titles.iter().filter_map(|(id, title)| {
        let (is_named, alike) = (is_long && title.contains(&wanted), alike(id));
        let last = || state.session(id).last_activity();
        (is_named || alike >= MIN_BEGINNING).then(|| ((is_named, alike, last()), id))
    });
    let (_, nearest) = near.max_by_key(|(rank, _)| *rank)?;
    SessionCandidate::read(context, state, nearest, capture)
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

    /// Returns the question whether this session was meant.
    fn guess(&self) -> String {
        let project = escaped(&self.record.project.name);
        let title = match self.title.as_str() {
            "" => String::new(),
            title => format!(", {title}"),
        };
        let id = &self.record.session_id;
        format!("did you mean `{id}` ({project}{title})?")
    }

    /// Returns a line for a list: id, state, time since the last activity, project and title.
    fn line(&self, state: SessionState, now: Timestamp) -> String {
        let Record {
            session_id,
            project,
            ..
        } = &self.record;
        let (state, last) = (state.as_str(), span(self.last, now));
        format!(
            "  {session_id}  {state}  {last} ago  {}  {}",
            project.name, self.title
        )
        .trim_end()
        .to_owned()
    }
}

/// Prints the candidates on stderr, a line each.
pub(super) fn list_candidates(lines: impl ExactSizeIterator<Item = String>) {
    let more = lines.len().saturating_sub(MAX_LISTED);
    for line in lines.take(MAX_LISTED) {
        output::warn(&line);
    }
    if more > 0 {
        output::warn(&format!("  … and {more} more"));
    }
}

/// Returns the error for several matching sessions. Lists them on stderr, the most recently active
/// first.
fn ambiguous(context: &Context, state: &StateDir, given: &str, ids: &[SessionId]) -> anyhow::Error {
    if let Ok(config) = context.config() {
        let read = |id: &SessionId| SessionCandidate::read(context, state, id, config.capture);
        let mut candidates: Vec<SessionCandidate> = ids.iter().filter_map(read).collect();
        candidates.sort_by_key(|candidate| std::cmp::Reverse(candidate.last));
        let judge = context.judge(&config, state).telling_idle();
        list_candidates(candidates.iter().map(|candidate| {
            let finding = judge.find(&candidate.record.session_id, &candidate.record);
            candidate.line(finding.state, context.now)
        }));
    }
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
