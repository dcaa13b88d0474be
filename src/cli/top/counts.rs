//! Counts the calls of one session while its journal grows. Only what was added is read.

use super::facts::CallCounts;
use crate::model::call::CallState;
use crate::model::line::EventKind;
use crate::model::{Call, JournalLine, OpenActivity, Timestamp, Trace, TraceBuilder};
use crate::store::{History, SessionDir};

/// From this number of events on, those of turns that are over are counted and dropped.
const MANY: usize = 500;

/// The calls of a session, counted as far as its journal was read.
#[derive(Debug, Default)]
pub(super) struct CallCounter {
    /// Those of the turns whose events were dropped.
    before: CallCounts,
    trace: TraceBuilder,
    /// Position and time of the last line that was read.
    last: Option<(u64, Option<Timestamp>)>,
    /// Size and modification time of the imported events.
    imported: Option<(u64, Timestamp)>,
}

impl CallCounter {
    /// Reads what was added to the journal, and returns the counts.
    pub(super) fn read(&mut self, dir: &SessionDir) -> CallCounts {
        let imported = dir.imported_stamp();
        if imported != self.imported {
            *self = Self::default();
        }
        self.imported = imported;
        if self.go_on(dir).is_none() {
            // The journal is not the same, or a part is missing. So everything is read.
            *self = Self::default();
            self.imported = imported;
            if self.go_on(dir).is_none() {
                return counted_in_all(dir);
            }
        }
        let trace = std::mem::take(&mut self.trace).finish();
        let counts = self.before.plus(counted(&trace));
        self.trace = trace.reopen();
        counts
    }

    /// Reads on from the last line. Returns `None` if it is not where it was.
    fn go_on(&mut self, dir: &SessionDir) -> Option<()> {
        if self.last.is_none()
            && self.imported.is_some()
            && let Ok(imported) = dir.imported_lines()
        {
            imported.for_each(|line| self.trace.push(line));
        }
        let known = self.last;
        let from = known.map_or(0, |(position, _)| position);
        let (lines, _) = dir.journal().lines_from(from).ok()??;
        let mut is_first = true;
        let mut is_same = known.is_none();
        lines.for_each_at(|position, line| {
            if std::mem::take(&mut is_first) && known.is_some() {
                is_same = known == Some((position, line.ts));
                return;
            }
            self.last = Some((position, line.ts));
            self.push(line);
        });
        is_same.then_some(())
    }

    /// Takes in an event. A prompt closes the calls of the turn before it, so that turn can be
    /// dropped, unless a subagent still has an open call.
    fn push(&mut self, line: &JournalLine<'_>) {
        self.trace.push(line);
        let is_prompt = line.kind == EventKind::UserPromptSubmit && line.agent_id.is_none();
        if !is_prompt || self.trace.len() < MANY {
            return;
        }
        let trace = std::mem::take(&mut self.trace).finish();
        let is_over = OpenActivity::of(&trace).open_calls().next().is_none();
        if is_over {
            self.before = self.before.plus(counted(&trace));
            self.trace = trace.recycle();
            self.trace.push(line);
        } else {
            self.trace = trace.reopen();
        }
    }
}

impl CallCounts {
    fn plus(self, more: Self) -> Self {
        Self {
            calls: self.calls + more.calls,
            failed: self.failed + more.failed,
        }
    }
}

fn counted(trace: &Trace) -> CallCounts {
    let activity = OpenActivity::of(trace).leave_open();
    let failed = |call: &&Call<'_>| call.state == CallState::Failed;
    CallCounts {
        calls: activity.calls.len() as u64,
        failed: activity.calls.iter().filter(failed).count() as u64,
    }
}

fn counted_in_all(dir: &SessionDir) -> CallCounts {
    let history = History::read(dir, TraceBuilder::default(), |_, _| {});
    history.map_or_else(|_| CallCounts::default(), |history| counted(&history.trace))
}
