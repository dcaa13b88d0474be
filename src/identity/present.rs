//! Finds the directory in which a session works now. The record contains the one in which it began.
//! A session may move to a worktree or another folder, and its transcript moves with it.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Mutex;

use serde::{Deserialize, Serialize};

use crate::model::line::EventKind;
use crate::model::record::Head;
use crate::model::{JournalLine, Record};
use crate::store::{SessionDir, project};

/// How many bytes at the end of a journal are searched for the last event of the main thread. The
/// second number is tried only if the first is not enough, which is rare.
const TAILS: [u64; 2] = [1 << 10, 64 << 10];

/// The directory and the transcript of a session, according to the last event of its main thread.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastPlace {
    is_said: bool,
    /// The directory; `None` if it is the one in the record.
    cwd: Option<String>,
    /// The transcript; `None` if it is the one in the record.
    transcript: Option<String>,
}

impl LastPlace {
    /// Reads the end of a session's journal. If it cannot be read, the place is that of the record.
    pub fn read(dir: &SessionDir) -> Self {
        let mut place = Self::default();
        for bytes in TAILS {
            let Ok(lines) = dir.journal().last_lines(bytes) else {
                break;
            };
            let is_whole = lines.is_whole();
            lines.for_each(|line| place.hear(line));
            if place.is_said || is_whole {
                break;
            }
        }
        place
    }

    /// Updates the place with the next line of the journal. Ignores events of subagents, because a
    /// subagent may work in its own worktree.
    pub fn hear(&mut self, line: &JournalLine<'_>) {
        let is_client_s = !matches!(
            line.kind,
            EventKind::ClockIn | EventKind::RunStart | EventKind::RunEnd
        );
        if is_client_s && line.agent_id.is_none() {
            // `None` means that the value equals that of the record: a hook omits it then.
            self.is_said = true;
            self.cwd = line.new_cwd.or(line.cwd).map(str::to_owned);
            self.transcript = line.transcript_path.map(str::to_owned);
        }
    }

    /// Replaces the transcript in the record by this one.
    pub fn with_transcript(self, mut record: Record) -> Record {
        record.transcript_path = self.transcript.or(record.transcript_path);
        record
    }
}

/// A cache of what is checked out in directories, for callers that examine many sessions.
#[derive(Debug, Default)]
pub struct Heads(Mutex<HashMap<String, Option<Head>>>);

impl Heads {
    /// Does the same as the function [`now_at`] for a caller that already knows the session's
    /// place.
    pub fn now_at(&self, place: LastPlace, mut record: Record, is_live: bool) -> Record {
        let has_moved = place.cwd.is_some();
        record.cwd = place.cwd.or(record.cwd);
        record.transcript_path = place.transcript.or(record.transcript_path);
        if (is_live || has_moved)
            && let Some(cwd) = record.cwd.as_deref()
            && let Some(head) = self.at(cwd)
        {
            record.head = Some(head);
        }
        record
    }

    /// Returns what is checked out in the directory `cwd`, or `None` if it is not in a repository.
    fn at(&self, cwd: &str) -> Option<Head> {
        let known = |heads: &Self| heads.0.lock().ok()?.get(cwd).cloned();
        known(self).unwrap_or_else(|| {
            let dir = Path::new(cwd);
            let head = || project::head(project::discover(dir).root());
            let head = dir.is_dir().then(head).flatten();
            if let Ok(mut heads) = self.0.lock() {
                heads.insert(cwd.to_owned(), head.clone());
            }
            head
        })
    }
}

/// Replaces the directory, the transcript and the branch in the record by the present ones.
///
/// The directory and the transcript are those of the last event. The branch of a live session is
/// the one that is checked out there now. For a session that is over, the branch is looked up only
/// if the session has moved. If the journal cannot be read, the record stays as it is.
pub fn now_at(dir: &SessionDir, record: Record, is_live: bool) -> Record {
    Heads::default().now_at(LastPlace::read(dir), record, is_live)
}
