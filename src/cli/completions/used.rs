//! Offers the tools and subagents that a session has used, for options that filter its calls. The
//! session is the one named on the command line, or else the one that the verb would take.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::sync::Arc;

use clap::CommandFactory;
use clap_complete::engine::{ArgValueCompleter, CompletionCandidate};

use super::super::args::Arguments;
use super::super::choose::matching;
use super::super::context::Context;
use super::super::timeline::here;
use super::candidates::in_order;
use crate::model::{Activity, OpenActivity, SessionId, TraceBuilder};
use crate::store::{History, StateDir};

/// The word that stands for the main thread.
const MAIN: &str = "main";

/// The offered values, each with a description.
type Offers = Vec<(String, Option<String>)>;

/// Returns the completer for this option, if the option selects calls that a session has made.
/// `words` are all words of the command line except the one that is being typed.
pub(super) fn of(verb: &str, arg: &str, words: &Arc<[OsString]>) -> Option<ArgValueCompleter> {
    let used = match (verb, arg) {
        ("timeline" | "search" | "export", "tool") => tools,
        ("timeline" | "export", "agent") => agents,
        _ => return None,
    };
    let words = Arc::clone(words);
    Some(ArgValueCompleter::new(move |typed: &OsStr| {
        offered(&words, typed, used).unwrap_or_default()
    }))
}

fn offered(
    words: &[OsString],
    typed: &OsStr,
    used: fn(&Activity<'_>) -> Offers,
) -> Option<Vec<CompletionCandidate>> {
    let typed = typed.to_str()?;
    let context = Context::new();
    let state = context.state().ok()??;
    let id = session(&context, &state, words)?;
    let history = History::read(&state.session(&id), TraceBuilder::default(), |_, _| {}).ok()?;
    let offers = used(&OpenActivity::of(&history.trace).leave_open());
    let offers = offers
        .into_iter()
        .filter(|(value, _)| value.starts_with(typed));
    let candidates =
        offers.map(|(value, what)| CompletionCandidate::new(value).help(what.map(Into::into)));
    Some(in_order(candidates.collect()))
}

/// Returns the session that the words name, or else the one that the verb uses if none is named.
fn session(context: &Context, state: &StateDir, words: &[OsString]) -> Option<SessionId> {
    // Ignore errors, because the option at the end still lacks its value.
    let parser = Arguments::command().ignore_errors(true);
    let parsed = parser.try_get_matches_from(words).ok()?;
    let (_, parsed) = parsed.subcommand()?;
    let given = ["id", "session"].iter().find_map(|arg| {
        let given = parsed.try_get_one::<String>(arg).ok()?;
        given.cloned()
    });
    match given {
        Some(given) => matching(context, state, &given).ok()?.pop(),
        None => here(context, Some(state)).ok(),
    }
}

/// Returns the tools of a session's calls, the most used first.
fn tools(activity: &Activity<'_>) -> Offers {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for tool in activity.calls.iter().filter_map(|call| call.tool) {
        *counts.entry(tool).or_default() += 1;
    }
    let mut counts: Vec<(&str, usize)> = counts.into_iter().collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let offer = |(tool, count): (&str, usize)| (tool.to_owned(), Some(format!("{count} calls")));
    counts.into_iter().map(offer).collect()
}

/// Returns the main thread, the types of a session's subagents, and their ids.
fn agents(activity: &Activity<'_>) -> Offers {
    let mut offers: Offers = vec![(MAIN.to_owned(), Some("the main thread".to_owned()))];
    for kind in activity.agents.iter().filter_map(|agent| agent.agent_type) {
        if !offers.iter().any(|(value, _)| value == kind) {
            offers.push((kind.to_owned(), Some("all of this type".to_owned())));
        }
    }
    let ids = activity.agents.iter();
    offers.extend(ids.map(|it| (it.agent_id.to_owned(), it.agent_type.map(str::to_owned))));
    offers
}
