//! Finds out what a session does now, and whether it waits for a person. The sources are its
//! events, and the status files of its running Claude Code processes.

mod reports;
mod watch;

use super::journal_end::{EndWords, JournalEnd};
use super::liveness::{Assessment, SessionState};
use super::open_calls::OpenCall;
use super::present::LastPlace;
use crate::claude::registry;
use crate::model::attention::{Attention, AttentionStatus, Witness, need_of};
use crate::model::{Activity, Record, Timestamp, Trace};
use crate::store::{Environment, SessionDir};
pub use watch::{AttentionChange, SessionLook, Watch};

/// What a session does now.
#[derive(Debug, Clone, Default)]
pub struct Present {
    /// Whether it waits for a person.
    pub attention: Attention,
    /// The calls that have begun and not ended, oldest first.
    pub open_calls: Vec<OpenCall>,
}

/// Returns what a session does at `now`, according to the end of its journal. A session that is not
/// live does nothing.
pub fn present(
    env: &Environment,
    dir: &SessionDir,
    record: &Record,
    finding: &Assessment,
    now: Timestamp,
) -> Present {
    if !finding.state.is_live() {
        return Present::default();
    }
    present_and_place(env, &JournalEnd::of(dir, now), record, finding).0
}

/// Does the same as [`present`] for a live session, and also returns the session's place
/// ([`LastPlace`]). Reads the end of the journal only once for both.
pub fn present_and_place(
    env: &Environment,
    end: &JournalEnd<'_>,
    record: &Record,
    finding: &Assessment,
) -> (Present, LastPlace) {
    let statuses = statuses(env, record, finding);
    let EndWords {
        mut open,
        mut witness,
        place,
    } = end.words(|pid| finding.has(pid));
    let is_asking = statuses.iter().any(|status| status.shows_dialog());
    let is_long_call = finding.is_quiet && finding.state == SessionState::Active;
    // A call from before the journal's end may still run, or wait for a person. `open_calls` finds
    // it.
    if is_long_call || is_asking && !witness.has_dialog() {
        open = end.open_calls();
        let asked = open.iter().find(|call| call.asked.is_some());
        witness = witness.or_dialog(asked.map(question));
    }
    let present = Present {
        attention: witness.attention(&statuses, end.now()),
        open_calls: open,
    };
    (present, place)
}

/// Returns whether a session waits for a person, for a caller that has read all of its events:
/// `trace`, and the `activity` that was computed from it.
pub fn of_events(
    env: &Environment,
    record: &Record,
    finding: &Assessment,
    (trace, activity): (&Trace, &Activity<'_>),
    now: Timestamp,
) -> Attention {
    if !finding.state.is_live() {
        return Attention::default();
    }
    let witness = Witness::of(trace, activity, |pid| finding.has(pid));
    witness.attention(&statuses(env, record, finding), now)
}

/// Reads the status files of the session's running Claude Code processes.
fn statuses(env: &Environment, record: &Record, finding: &Assessment) -> Vec<AttentionStatus> {
    let clients = finding.owners.iter().filter(|owner| !owner.launcher);
    let mut clients = clients.peekable();
    let folder = clients.peek().and_then(|_| registry::folder(env, record));
    let Some(folder) = folder else {
        return Vec::new();
    };
    clients
        .filter_map(|owner| registry::read(&folder, owner, &record.session_id))
        .collect()
}

fn question(call: &OpenCall) -> Attention {
    Attention {
        state: need_of(call.tool.as_deref()),
        since: call.asked,
        tool: call.tool.clone(),
        what: call.what.clone(),
        agent_id: call.agent_id.clone(),
        background: 0,
    }
}
