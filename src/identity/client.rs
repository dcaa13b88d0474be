//! Finds the client, which is the Claude Code process, that runs a hook.
//!
//! A process's name and `CLAUDE_PID` are only hints, and both can mislead. Some old versions of
//! Claude Code run under their version number as a name. A script may be named `claude`. A client
//! that sets no `CLAUDE_PID` passes on an inherited one. Where hints mislead, the kernel's view of
//! the hook or the recorded sessions decide.

use rustix::stdio::stdin;

use super::open_calls::recent_open_calls;
use super::process::{self, Chain, Process, Viewpoint};
use crate::claude::words::StartSource;
use crate::model::SessionId;
use crate::store::index::{ProcessEntry, ProcessNames};
use crate::store::{Environment, StateDir, file};

/// The part of a hook's event that helps to identify the client.
#[derive(Debug, Clone, Copy)]
pub struct EventHints<'a> {
    /// The session of the event.
    pub id: &'a SessionId,
    /// How the session began, if the event is its start.
    pub source: &'a str,
}

/// Finds the client that runs this hook among the hook's ancestors `above`. `on_record` lists the
/// processes in the process index.
pub fn of_hook(
    env: &Environment,
    state: Option<&StateDir>,
    viewpoint: &Viewpoint,
    told: EventHints<'_>,
    above: &Chain,
    on_record: &ProcessNames,
) -> Option<Process> {
    let is_hinted = |process: &Process| env.claude_pid == Some(process.pid) || process.is_client;
    let below: Vec<Process> = above.iter().take_while(|one| !is_hinted(one)).collect();
    // An old client that is named by its version gives no hint. It is found only below a process
    // that gives one.
    let hinted = above.iter().nth(below.len());
    let entry =
        |state: &StateDir, process: Process| on_record.entry(state, &viewpoint.owner(process));
    choose(&below, hinted, state, told, entry)
}

/// Chooses the client: the `hinted` process, or one of the processes `below` it, nearer to the
/// hook. `entry` looks up a process in the process index.
fn choose(
    below: &[Process],
    hinted: Option<Process>,
    state: Option<&StateDir>,
    told: EventHints<'_>,
    entry: impl Fn(&StateDir, Process) -> Option<ProcessEntry>,
) -> Option<Process> {
    // Ask the cheaper questions first.
    let may_have_starter = !below.is_empty() && file::is_socket(stdin());
    if let Some(nearer) = may_have_starter.then(|| starter(below)).flatten() {
        return Some(nearer);
    }
    let hinted = hinted?;
    let Some(state) = state else {
        return Some(hinted);
    };
    let is_in_it = |process: &&Process| {
        let entry = entry(state, **process);
        entry.is_some_and(|entry| entry.session_id == *told.id && !entry.owner.launcher)
    };
    if let Some(known) = below.iter().find(is_in_it) {
        return Some(*known);
    }
    let Some(between) = below.iter().find(|process| !process.is_shell) else {
        return Some(hinted);
    };
    match entry(state, hinted) {
        Some(entry) if is_elsewhere(state, &entry, told) => Some(*between),
        _ => Some(hinted),
    }
}

/// Returns `CLAUDE_PID` if this hook's client set the variable itself, rather than inherit it.
///
/// Every tool event calls this, so it has a fast path: a hook whose parent is that process inspects
/// no process.
pub fn own_pid(env: &Environment, above: &Chain) -> Option<u32> {
    let named = env.claude_pid?;
    (process::parent() == named || !is_inherited(named, above)).then_some(named)
}

/// Returns whether another client is nearer to this hook than the process `named`.
fn is_inherited(named: u32, above: &Chain) -> bool {
    let is_named = |process: &Process| process.pid == named;
    let mut chain = Vec::new();
    for process in above.iter() {
        chain.push(process);
        if is_named(&process) || process.is_client {
            break;
        }
    }
    match chain.split_last() {
        Some((last, between)) if is_named(last) => {
            let is_direct = between.iter().all(|process| process.is_shell);
            !is_direct && !starter(&chain).as_ref().is_some_and(is_named)
        }
        Some((last, _)) if last.is_client => true,
        _ => starter(&chain).is_some() && file::is_socket(stdin()),
    }
}

/// Returns the parent of the leader of this hook's process session (setsid(2)), if it is in `below`
/// and not a shell. That is the client: since version 2.1.160, Claude Code starts each hook in a
/// separate process session, and talks to it through a socket.
fn starter(below: &[Process]) -> Option<Process> {
    let leader = process::session_leader();
    let starter = if leader == std::process::id() {
        below.first()?
    } else {
        let place = below.iter().position(|process| process.pid == leader)?;
        below.get(place + 1)?
    };
    (!starter.is_shell).then_some(*starter)
}

/// Returns whether a client is still in another session than the event's. The event then comes from
/// another client.
///
/// A client leaves one session before it begins another. A start by `/clear` counts as this
/// client's, because it is never the first start in a client, unless the other session has an open
/// call.
fn is_elsewhere(state: &StateDir, entry: &ProcessEntry, told: EventHints<'_>) -> bool {
    if entry.session_id == *told.id || entry.owner.launcher {
        return false;
    }
    let other = state.session(&entry.session_id);
    let has_not_left = || {
        let mut owners = other.owner_list(process::runs).into_iter();
        owners.any(|owner| owner.is_process_of(&entry.owner))
    };
    (StartSource::of(told.source) != StartSource::Clear || !recent_open_calls(&other).is_empty())
        && has_not_left()
}
