//! Notes the commits that were made where a session works, for the events that say what is checked
//! out. It does not ask who made them: only all journals together can tell.

use std::path::Path;
use std::time::Duration;

use crate::model::Timestamp;
use crate::model::commit::CommitNote;
use crate::model::line::EventKind;
use crate::model::record::Head;
use crate::store::{SessionDir, reflog};

/// How much of the reflog's end is read, in bytes.
const REFLOG: usize = 64 << 10;
/// How much of the journal's end is searched for the last event that noted commits, in bytes.
const JOURNAL: u64 = 32 << 10;
/// The most commits that one event notes; of more, the last ones.
const MOST: usize = 64;
/// Commits that are older than this are not noted. Most repositories have only such commits, and
/// then the journal is not searched. The reflog still has them when somebody asks.
const OLD: Duration = Duration::from_secs(24 * 3600);

/// Returns what is checked out in the working tree at `root`, and the commits that were made there
/// since the session's last event that could note them.
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

/// Returns the time of the last event that could note commits, in whole seconds. In a long turn it
/// may be further back than is searched; then the session's beginning counts.
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
