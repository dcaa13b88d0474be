//! Offers values for options: sessions, projects and texts that are on record.

use std::cmp::Reverse;
use std::collections::HashSet;
use std::ffi::OsStr;

use clap::CommandFactory;
use clap_complete::engine::{CompletionCandidate, PathCompleter, ValueCompleter};

use super::super::args::Arguments;
use super::super::context::Context;
use super::super::list::span;
use super::super::title::title;
use crate::identity::ladder::project_here;
use crate::model::{Capture, Record, SessionId};
use crate::store::StateDir;
use crate::store::archive::Archives;
use crate::store::processors::on_all_processors;

/// How many sessions are offered at most, the most recent ones.
const MANY: usize = 100;
/// How many of the most recent sessions are searched for titles, projects, roles and focuses.
const RECENT: usize = 500;

/// The times that are offered. Many more forms can be typed; see [`crate::model::when`].
const TIMES: [&str; 14] = [
    "today",
    "yesterday",
    "1h",
    "3h",
    "24h",
    "7d",
    "30d",
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
];

type Completer = fn(&OsStr) -> Vec<CompletionCandidate>;

/// Returns the function that finds the values of an option or argument, judged by its name. Returns
/// `None` if the name does not say what the values are.
pub(super) fn of(verb: &str, arg: &str) -> Option<Completer> {
    Some(match (verb, arg) {
        ("archive show" | "archive restore" | "archive verify", "id" | "ids") => archived,
        // The user makes up a new id.
        ("run", "session_id") => return None,
        // In `search`, a role says who wrote a message, and the parser knows the possible roles.
        ("search", "role") => return None,
        // These verbs find a session by its title, too.
        (
            "show" | "timeline" | "stats" | "search" | "export" | "report" | "dashboard"
            | "clock-out" | "delete",
            "id" | "ids" | "session",
        ) => by_id_or_title,
        ("resume", "words") => by_id_or_title,
        (_, "id" | "ids" | "session" | "session_id" | "resume") => sessions,
        (_, "project") => projects,
        (_, "role") => |typed| texts(typed, |record| record.role),
        (_, "focus") => |typed| texts(typed, |record| record.focus),
        (_, "since") => |typed| plain(typed, &TIMES),
        ("help", "verb") => verbs,
        _ => return None,
    })
}

fn state() -> Option<(Context, StateDir)> {
    let context = Context::new();
    let state = context.state().ok()??;
    Some((context, state))
}

/// Returns at most `most` sessions whose ids begin with `begin`, the most recently active first.
fn last(state: &StateDir, begin: &str, most: usize) -> Vec<SessionId> {
    let ids = state.session_ids().into_iter().flatten();
    let ids = ids.filter(|id| id.as_str().starts_with(begin));
    let mut ids: Vec<SessionId> = ids.collect();
    ids.sort_by_cached_key(|id| Reverse(state.session(id).last_activity()));
    ids.truncate(most);
    ids
}

/// Puts the sessions of the current directory's project first. The others follow, because an id or
/// a title can name a session of any project.
fn here_first(context: &Context, state: &StateDir, ids: &mut [SessionId]) {
    if let Ok(here) = project_here(&context.env, Some(state)) {
        ids.sort_by_cached_key(|id| !state.session(id).is_in(here.root()));
    }
}

fn record(state: &StateDir, id: &SessionId) -> Option<Record> {
    state.session(id).record().ok()?
}

fn sessions(typed: &OsStr) -> Vec<CompletionCandidate> {
    let (Some((context, state)), Some(typed)) = (state(), typed.to_str()) else {
        return Vec::new();
    };
    // If the settings cannot be read, no text of a session is shown.
    let capture = context.config().map_or(Capture::Metadata, |it| it.capture);
    let candidate = |id: &SessionId| {
        let record = record(&state, id)?;
        let title = title(&context.env, &state, &record, capture);
        let title = title.map(|title| title.text);
        let called = title.as_ref().or(record.focus.as_ref());
        let called = called.or(record.role.as_ref());
        let last = state.session(id).last_activity();
        let age = last.map(|last| format!("{} ago", span(last, context.now)));
        Some(session(
            id,
            [called.cloned(), Some(record.project.name), age],
        ))
    };
    let mut ids = last(&state, typed, RECENT);
    here_first(&context, &state, &mut ids);
    ids.truncate(MANY);
    in_order(ids.iter().filter_map(candidate).collect())
}

/// Offers what [`sessions`] does, and the titles that begin with the typed text. If several
/// sessions have a title, the most recent of them describes it.
fn by_id_or_title(typed: &OsStr) -> Vec<CompletionCandidate> {
    let mut found = sessions(typed);
    found.extend(titles(typed).unwrap_or_default());
    in_order(found)
}

fn titles(typed: &OsStr) -> Option<Vec<CompletionCandidate>> {
    let (context, state) = state()?;
    let typed = typed.to_str().filter(|typed| !typed.is_empty())?;
    let typed = typed.to_lowercase();
    let capture = context.config().ok()?.capture;
    let mut ids = last(&state, "", RECENT);
    here_first(&context, &state, &mut ids);
    let titled = on_all_processors(&ids, |id| {
        let record = record(&state, id)?;
        let title = title(&context.env, &state, &record, capture)?;
        let is_meant = title.text.to_lowercase().starts_with(&typed);
        is_meant.then(|| {
            (
                title.text,
                record.project.name,
                state.session(id).last_activity(),
            )
        })
    });
    let mut seen = HashSet::new();
    let titled = titled.into_iter().flatten();
    let candidates = titled.filter(|(title, ..)| seen.insert(title.clone()));
    let candidates = candidates.take(MANY).map(|(title, project, last)| {
        let age = last.map(|last| format!("{} ago", span(last, context.now)));
        let about: Vec<String> = std::iter::once(project).chain(age).collect();
        CompletionCandidate::new(title).help(Some(about.join(", ").into()))
    });
    Some(candidates.collect())
}

fn archived(typed: &OsStr) -> Vec<CompletionCandidate> {
    let (Some((context, state)), Some(typed)) = (state(), typed.to_str()) else {
        return Vec::new();
    };
    let capture = context.config().map_or(Capture::Metadata, |it| it.capture);
    let shows_titles = capture != Capture::Metadata;
    let archives = Archives::of(&state).all().unwrap_or_default().archives;
    let archives = archives.iter().filter(|archive| archive.may_be_of(typed));
    let manifests = archives.filter_map(|archive| archive.manifest().ok()?);
    let mut manifests: Vec<_> = manifests
        .filter(|manifest| manifest.session_id.as_str().starts_with(typed))
        .collect();
    manifests.sort_by_key(|manifest| Reverse(manifest.started_at));
    let candidates = manifests.into_iter().take(MANY).map(|manifest| {
        let age = format!("{} ago", span(manifest.started_at, context.now));
        let called = manifest.description.or(manifest.title);
        let about = [
            called.filter(|_| shows_titles),
            Some(manifest.project.name),
            Some(age),
        ];
        session(&manifest.session_id, about)
    });
    in_order(candidates.collect())
}

/// Returns a session as a candidate, described by its title, its project and its age.
fn session(id: &SessionId, about: [Option<String>; 3]) -> CompletionCandidate {
    let about: Vec<String> = about.into_iter().flatten().collect();
    CompletionCandidate::new(id.as_str()).help(Some(about.join(", ").into()))
}

/// Numbers the candidates, so that they are offered in this order and not alphabetically.
pub(super) fn in_order(candidates: Vec<CompletionCandidate>) -> Vec<CompletionCandidate> {
    let candidates = candidates.into_iter().enumerate();
    candidates
        .map(|(place, candidate)| candidate.display_order(Some(place)))
        .collect()
}

/// Returns the project roots of the most recent sessions, and the folders that match the typed
/// text.
fn projects(typed: &OsStr) -> Vec<CompletionCandidate> {
    let mut found = texts(typed, |record| Some(record.project.root));
    found.extend(PathCompleter::dir().complete(typed));
    found
}

/// Returns the different values of one field of the records, from the most recent sessions.
fn texts(typed: &OsStr, field: impl Fn(Record) -> Option<String>) -> Vec<CompletionCandidate> {
    let Some((_, state)) = state() else {
        return Vec::new();
    };
    let ids = last(&state, "", RECENT);
    let mut seen = HashSet::new();
    let found = ids.iter().filter_map(|id| field(record(&state, id)?));
    let found: Vec<String> = found.filter(|text| seen.insert(text.clone())).collect();
    let found: Vec<&str> = found.iter().map(String::as_str).collect();
    plain(typed, &found)
}

fn plain(typed: &OsStr, texts: &[&str]) -> Vec<CompletionCandidate> {
    let typed = typed.to_str().unwrap_or_default();
    let found = texts.iter().filter(|text| text.starts_with(typed));
    in_order(found.map(|text| CompletionCandidate::new(*text)).collect())
}

fn verbs(typed: &OsStr) -> Vec<CompletionCandidate> {
    let command = Arguments::command();
    let verbs = command.get_subcommands().filter(|verb| !verb.is_hide_set());
    let names: Vec<&str> = verbs.map(clap::Command::get_name).collect();
    plain(typed, &names)
}
