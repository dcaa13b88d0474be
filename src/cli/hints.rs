//! Hints for empty answers on a terminal: other sessions on record, past sessions that can be
//! imported, or how to begin a first session.

use super::amount::plural;
use super::context::Context;
use super::output;
use crate::history::past::UnrecordedPast;
use crate::identity::ladder::project_here;
use crate::model::Project;
use crate::store::config::load;
use crate::store::project::current_dir;
use crate::store::{Host, StateDir, exclusion};

/// Returns `nothing`, a sentence for an empty answer, and adds hints. If sessions are on record,
/// `elsewhere` gets their number in words, such as `3 sessions`, and returns how to see them.
pub(super) fn filled(
    nothing: &str,
    context: &Context,
    state: Option<&StateDir>,
    elsewhere: impl FnOnce(&str) -> Option<String>,
) -> String {
    let ids = state.and_then(|state| state.session_ids().ok());
    let on_record = ids.map_or(0, Iterator::count) as u64;
    let exclude = load(&context.places).config.exclude;
    let past = UnrecordedPast::of(&context.env, state, &exclude);
    let see = (on_record > 0).then(|| elsewhere(&plural(on_record, "session")));
    let import = past.map(|past| {
        let past = plural(past.sessions, "past session");
        format!("`ccsession import` brings in {past}")
    });
    let is_new = on_record == 0 && import.is_none();
    let start = is_new.then(|| {
        "start `claude`; if nothing is recorded then, `ccsession doctor` says why".to_owned()
    });
    let remedies = [see.flatten(), import, start];
    let remedies: Vec<String> = remedies.into_iter().flatten().collect();
    match remedies.is_empty() {
        true => nothing.to_owned(),
        false => format!("{nothing}: {}", remedies.join("; ")),
    }
}

/// Returns which options would select a longer period; `None` if the user gave neither.
pub(super) fn wider(since: &Option<String>, until: &Option<String>) -> Option<&'static str> {
    match (since, until) {
        (Some(_), Some(_)) => Some("an earlier --since or a later --until"),
        (Some(_), None) => Some("an earlier --since"),
        (None, Some(_)) => Some("a later --until"),
        (None, None) => None,
    }
}

/// Returns a sentence that says why no session of the project is recorded; `None` if they are
/// recorded. Without a `project`, the sentence is about the one of the current directory.
pub(super) fn not_recorded(host: &Host<'_>, project: Option<&Project>) -> Option<String> {
    let here = match project {
        Some(project) => project.clone(),
        None => project_here(host.env, host.state).ok()?,
    };
    let start = current_dir()
        .ok()
        .filter(|dir| dir.starts_with(here.root()));
    let why = exclusion::of(host.env, &host.config.exclude, start.as_deref(), &here)?;
    Some(format!("this project is not recorded: {why}"))
}

/// Prints [`not_recorded`] if stderr is a terminal.
pub(super) fn say_not_recorded(host: &Host<'_>, project: Option<&Project>) {
    if output::are_warnings_for_people()
        && let Some(said) = not_recorded(host, project)
    {
        output::complain(&said);
    }
}

/// Prints [`filled`] if stdout is a terminal, and nothing otherwise.
pub(super) fn say_nothing(
    nothing: &str,
    context: &Context,
    state: Option<&StateDir>,
    elsewhere: impl FnOnce(&str) -> Option<String>,
) {
    if output::is_for_people() {
        output::line(&filled(nothing, context, state, elsewhere));
    }
}
