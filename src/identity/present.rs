//! Finds where a session is now. The record says where it began. A session may move, into a
//! worktree or another folder, and its transcript moves with it.

use std::path::Path;

use crate::model::line::EventKind;
use crate::model::{JournalLine, Record};
use crate::store::{SessionDir, project};

/// Bytes at a journal's end that are searched for the last event of the main thread.
const TAIL: u64 = 64 << 10;

/// Replaces the record's directory, transcript and branch by those in the last event.
///
/// The branch of a live session is the one checked out there now. For a session that is over, it is
/// looked up only if the session had moved. An unreadable journal leaves the record unchanged.
pub fn now_at(dir: &SessionDir, mut record: Record, is_live: bool) -> Record {
    let (mut cwd, mut transcript) = (None, None);
    if let Ok(lines) = dir.journal().last_lines(TAIL) {
        // A hook omits what equals the record.
        lines.for_each(|line| {
            if tells(line) {
                cwd = line.new_cwd.or(line.cwd).map(str::to_owned);
                transcript = line.transcript_path.map(str::to_owned);
            }
        });
    }
    let has_moved = cwd.is_some();
    record.cwd = cwd.or(record.cwd);
    record.transcript_path = transcript.or(record.transcript_path);
    if (is_live || has_moved)
        && let Some(cwd) = record.cwd.as_deref().map(Path::new)
        && cwd.is_dir()
        && let Some(head) = project::head(project::discover(cwd).root())
    {
        record.head = Some(head);
    }
    record
}

/// Returns whether the event says where the main thread is. A subagent may be in its own worktree.
fn tells(line: &JournalLine<'_>) -> bool {
    let is_client_s = !matches!(
        line.kind,
        EventKind::ClockIn | EventKind::RunStart | EventKind::RunEnd
    );
    is_client_s && line.agent_id.is_none()
}
