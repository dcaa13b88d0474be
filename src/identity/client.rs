//! Which process is the client that runs a hook.
//!
//! A name and a variable are hints, and both can mislead: an old client runs by the name of its version, a script has the
//! client's name, and a client that sets no `CLAUDE_PID` passes on the one that it inherited. What the kernel knows of the
//! hook, and what is on record of the sessions, decides between them.

use rustix::stdio::stdin;

use super::open_calls::recent_open_calls;
use super::process::{self, Chain, Process, Viewpoint};
use crate::claude::words::StartSource;
use crate::model::SessionId;
use crate::store::index::{ProcessEntry, ProcessNames};
use crate::store::{Environment, State, file};

/// The event of a hook, as far as it tells whose it is.
#[derive(Debug, Clone, Copy)]
pub struct Told<'a> {
    /// The session that it is of.
    pub id: &'a SessionId,
    /// Of a start, what it began by.
    pub source: &'a str,
}

/// Finds the client that runs this hook, by all that tells it: one of the processes `above` it. `on_record` are those on record.
pub fn of_hook(
    env: &Environment,
    state: Option<&State>,
    viewpoint: &Viewpoint,
    told: Told<'_>,
    above: &Chain,
    on_record: &ProcessNames,
) -> Option<Process> {
    let is_hinted = |process: &Process| env.claude_pid == Some(process.pid) || process.is_client;
    let below: Vec<Process> = above.iter().take_while(|one| !is_hinted(one)).collect();
    // Nothing hints at an old client that is run by the name of its version, and outlives what started it.
    let hinted = above.iter().nth(below.len());
    let entry = |state: &State, process: Process| on_record.entry(state, &viewpoint.owner(process));
    choose(&below, hinted, state, told, entry)
}

/// The client, which is `hinted`, if one is, or one of those `below` it. `entry` is what is on record of a process.
fn choose(
    below: &[Process],
    hinted: Option<Process>,
    state: Option<&State>,
    told: Told<'_>,
    entry: impl Fn(&State, Process) -> Option<ProcessEntry>,
) -> Option<Process> {
    // The questions come in the order of what they cost.
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

/// What `CLAUDE_PID` says of this hook's client, where it is that client's word: one that does not set it passes on what it
/// inherited. Every tool event asks this, so a hook that its client started directly looks at no other process.
pub fn own_pid(env: &Environment, above: &Chain) -> Option<u32> {
    let named = env.claude_pid?;
    (process::parent() == named || !is_inherited(named, above)).then_some(named)
}

/// Whether another client is nearer than the process `named`.
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

/// The process that started the session of processes which the hook is in, if it is one of these and no shell. Clients since
/// 2.1.160 start each hook in a session of its own, and talk to it by a socket.
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

/// Whether a client is in another session, which it has not left: what begins then is another client's. It leaves one before
/// it begins another; only a `/clear` is never a client's first, and so believed unless the other session is in the middle of
/// a call.
fn is_elsewhere(state: &State, entry: &ProcessEntry, told: Told<'_>) -> bool {
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
