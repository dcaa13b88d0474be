//! Computes what is new in a session for a destination: what the session did up to one [`Mark`],
//! without what it did up to an earlier one. Both are computed from the events, so sent items need
//! not be stored.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use super::destination::SpansSetting;
use super::facts::SessionFacts;
use super::mark::Mark;
use crate::model::commit::CommitNote;
use crate::model::{Capture, OpenActivity, Timestamp, TraceBuilder};
use crate::store::{Error, Extent, History, SessionDir};
use crate::view::otlp::{
    LogRecord, OtlpSession, RecordUid, Span, SpanId, SpanPolicy, Teller, TraceId,
};

/// What is new in a session for a destination.
#[derive(Debug)]
pub enum Increment<R> {
    /// These items are new.
    New(R),
    /// The cursor belongs to another journal: the session was deleted, and began again.
    OtherJournal,
    /// The session has this many events of a newer version of ccsession, which this one cannot
    /// understand.
    Newer(u64),
    /// The session has an event at this time, which is in the future.
    InFuture(Timestamp),
}

/// Computes what is new in sessions.
#[derive(Debug)]
pub struct IncrementReader {
    capture: Capture,
    policy: SpanPolicy,
    /// The latest time that an event may have.
    latest: Timestamp,
    /// The buffers of the last session's events, reused for the next.
    memory: TraceBuilder,
}

impl From<SpansSetting> for SpanPolicy {
    fn from(setting: SpansSetting) -> Self {
        match setting {
            SpansSetting::Auto => Self::Auto,
            SpansSetting::Always => Self::Always,
            SpansSetting::Never => Self::Never,
        }
    }
}

/// The most events whose buffers are kept for the next session.
const MOST_KEPT: usize = 10_000;

/// What a destination has of a session: the digest of each item, by its id.
#[derive(Debug, Default)]
pub struct SentItems {
    spans: HashMap<(TraceId, SpanId), u64>,
    logs: HashMap<RecordUid, u64>,
}

impl IncrementReader {
    /// Creates a reader. `capture` decides how much the items contain, and `policy` which spans
    /// there are. No event may be later than `latest`.
    pub fn new(capture: Capture, policy: SpanPolicy, latest: Timestamp) -> Self {
        Self {
            capture,
            policy,
            latest,
            memory: TraceBuilder::with_events(),
        }
    }

    /// Passes to `reader` the session in `dir` as it was at `to`, and the items that were sent up
    /// to `has`. For the same marks and facts, the items and their order are always the same.
    ///
    /// # Errors
    /// Returns [`Error::Untrusted`] or [`Error::Io`] if the journal cannot be read.
    pub fn read<R>(
        &mut self,
        dir: &SessionDir,
        facts: &SessionFacts,
        (has, to): (&Mark, &Mark),
        reader: impl for<'s> FnOnce(&OtlpSession<'s, 's>, &SentItems) -> R,
    ) -> Result<Increment<R>, Error> {
        let policy = self.policy;
        let sent = if has.extent.is_empty() {
            SentItems::default()
        } else {
            let former = facts.as_of(has);
            match self.fold(dir, &former, has, |session| SentItems::of(session, policy))? {
                Increment::New(sent) => sent,
                Increment::OtherJournal => return Ok(Increment::OtherJournal),
                Increment::Newer(lines) => return Ok(Increment::Newer(lines)),
                Increment::InFuture(time) => return Ok(Increment::InFuture(time)),
            }
        };
        self.fold(dir, facts, to, |session| reader(session, &sent))
    }

    /// Computes what the session did up to `mark`.
    fn fold<R>(
        &mut self,
        dir: &SessionDir,
        facts: &SessionFacts,
        mark: &Mark,
        reader: impl for<'s> FnOnce(&OtlpSession<'s, 's>) -> R,
    ) -> Result<Increment<R>, Error> {
        let extent: &Extent = &mark.extent;
        let memory = std::mem::take(&mut self.memory);
        let mut commits: Vec<CommitNote> = Vec::new();
        let history = History::read_within(dir, extent, memory, |_, line| {
            commits.extend(line.commits.iter().cloned());
        })?;
        let Some(History { trace, damage, .. }) = history else {
            self.memory = TraceBuilder::with_events();
            return Ok(Increment::OtherJournal);
        };
        let last = trace.steps().iter().map(|step| step.ts).max();
        let increment = if damage.newer > 0 {
            Increment::Newer(damage.newer)
        } else if let Some(time) = last.filter(|last| *last > self.latest) {
            Increment::InFuture(time)
        } else {
            let activity = OpenActivity::of(&trace);
            let activity = match mark.is_over {
                true => activity.close(|_| false),
                false => activity.leave_open(),
            };
            Increment::New(reader(&OtlpSession {
                record: &facts.record,
                title: facts.title.as_deref(),
                machine: &facts.machine,
                remote: facts.remote.as_ref(),
                trace: &trace,
                activity: &activity,
                commits: &commits,
                usage: facts.usage.as_ref(),
                capture: self.capture,
            }))
        };
        // The buffers of a large session are too large to be kept for the others.
        self.memory = match trace.steps().len() > MOST_KEPT {
            true => TraceBuilder::with_events(),
            false => trace.recycle(),
        };
        Ok(increment)
    }
}

impl SentItems {
    fn of<'s>(session: &OtlpSession<'s, 's>, policy: SpanPolicy) -> Self {
        let mut sent = Self::default();
        let teller = Teller::of(session, policy);
        teller.each_span(|span| {
            sent.spans.insert(span.id(), digest(&span));
        });
        teller.each_log(|record| {
            sent.logs.insert(record.id(), digest(&record));
        });
        sent
    }

    /// Returns whether the destination has this span as it is now.
    pub fn has_span(&self, span: &Span<'_>) -> bool {
        !self.spans.is_empty() && self.spans.get(&span.id()) == Some(&digest(span))
    }

    /// Returns whether the destination has this record as it is now.
    pub fn has_log(&self, record: &LogRecord<'_>) -> bool {
        !self.logs.is_empty() && self.logs.get(&record.id()) == Some(&digest(record))
    }
}

fn digest(item: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    item.hash(&mut hasher);
    hasher.finish()
}
