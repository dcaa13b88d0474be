//! Finds the commits that were made in a session's working tree, for the events that record what is
//! checked out. Does not determine which session made a commit: that takes the journals of all
//! sessions.

use std::path::Path;
use std::time::Duration;

use crate::model::Timestamp;
use crate::model::commit::CommitNote;
use crate::model::line::EventKind;
use crate::model::record::Head;
use crate::store::{SessionDir, reflog};

/// How many bytes at the end of the reflog are read.
const REFLOG: usize = 64 << 10;
/// How many bytes at the end of the journal are searched for the last event that could record
/// commits.
const JOURNAL: u64 = 32 << 10;
/// The most commits that one event records. If there are more, the newest ones are recorded.
const MOST: usize = 64;
/// Commits older than this are not recorded; `who` finds them in the reflog. Most repositories have
/// only older commits, and then the hook need not search the journal.
const OLD: Duration = Duration::from_secs(24 * 3600);

/// Returns what is checked out in the working tree at `root`, and the commits that were made there
/// since the session's last event that could record commits.
pub(super) fn head_and_commits(
    session: &SessionDir,
    root: &Path,
    now: Timestamp,
) -> Option<(Head, Vec<CommitNote>)> {
    let (head, moves) = reflog::head_and_last_moves(root, REFLOG)?;
    let mut commits: Vec<CommitNote> = moves.iter().filter_map(|it| it.commit()).collect();
    commits.retain(|commit| commit.ts.age(now) < OLD);
    if !commits.is_empty() {
        let since = last_noted(session).unwrap_or(Timestamp::MAX);
        commits.retain(|commit| commit.ts >= since);
        commits.drain(..commits.len().saturating_sub(MOST));
    }
    Some((head, commits))
}

/// Returns the time, in whole seconds, of the session's last event that could record commits. In a
/// long turn, that event may be before the searched end of the journal; then returns the start of
/// the session.
fn last_noted(session: &SessionDir) -> Option<Timestamp> {
    let mut last = None;
    let lines = session.journal().last_lines(JOURNAL).ok()?;
    lines.for_each(|line| {
        let is_told = matches!(
            line.kind,
            EventKind::UserPromptSubmit | EventKind::Stop | EventKind::SessionEnd
        );
        if is_told && line.agent_id.is_none() {
            last = line.ts.or(last);
        }
    });
    let last = last.or_else(|| Some(session.record().ok()??.started_at))?;
    Some(last.whole_second())
}
