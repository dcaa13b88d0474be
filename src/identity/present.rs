//! Finds where a session is now. The record says where it began. A session may move, into a
//! worktree or another folder, and its transcript moves with it.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Mutex;

use crate::model::line::EventKind;
use crate::model::record::Head;
use crate::model::{JournalLine, Record};
use crate::store::{SessionDir, project};

/// Bytes at a journal's end that are searched for the last event of the main thread. Nearly always
/// it is among the last few.
const TAILS: [u64; 2] = [1 << 10, 64 << 10];

/// Where a session is, according to the last event of its main thread.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LastPlace {
    is_said: bool,
    /// The directory; `None` if it is the one in the record.
    cwd: Option<String>,
    /// The transcript; `None` if it is the one in the record.
    transcript: Option<String>,
}

impl LastPlace {
    /// Reads the end of a session's journal. If it cannot be read, the session counts as not moved.
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

    /// Takes in the journal's next line. A subagent may be in its own worktree, so its events do
    /// not count.
    pub fn hear(&mut self, line: &JournalLine<'_>) {
        let is_client_s = !matches!(
            line.kind,
            EventKind::ClockIn | EventKind::RunStart | EventKind::RunEnd
        );
        if is_client_s && line.agent_id.is_none() {
            // A hook omits what equals the record.
            self.is_said = true;
            self.cwd = line.new_cwd.or(line.cwd).map(str::to_owned);
            self.transcript = line.transcript_path.map(str::to_owned);
        }
    }

    /// Replaces the record's transcript by that of the last event.
    pub fn with_transcript(self, mut record: Record) -> Record {
        record.transcript_path = self.transcript.or(record.transcript_path);
        record
    }
}

/// What is checked out in the directories of several sessions, each looked up once.
#[derive(Debug, Default)]
pub struct Heads(Mutex<HashMap<String, Option<Head>>>);

impl Heads {
    /// Acts as [`now_at`], given where the session is.
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

    /// Returns what is checked out in the directory `cwd`, or `None` if that is unknown.
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

/// Replaces the record's directory, transcript and branch by those in the last event.
///
/// The branch of a live session is the one checked out there now. For a session that is over, it is
/// looked up only if the session had moved. An unreadable journal leaves the record unchanged.
pub fn now_at(dir: &SessionDir, record: Record, is_live: bool) -> Record {
    Heads::default().now_at(LastPlace::read(dir), record, is_live)
}
