//! One pass: sends a destination what is new in all sessions, on all processors. A pass only reads
//! journals, and holds no lock that a hook takes.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use super::batch::{Halt, ItemKind, Packer, Portion, Tally};
use super::cursor::{Cursor, CursorState, SessionCursor};
use super::facts::SessionFacts;
use super::increment::{Increment, IncrementReader, SentItems};
use super::mark::{Counts, Mark, SessionKey, UnderWay};
use super::pieces::Pieces;
use super::{Form, Outlet, Protocol, Signal};
use crate::identity::liveness::Judge;
use crate::model::{Event, Record, SessionId, Timestamp};
use crate::store::journal::JournalExtent;
use crate::store::processors::with_helpers;
use crate::store::{Environment, Error, Extent, Host, SessionDir, StateDir, exclusion};
use crate::view::otlp::{LogRecord, OtlpSession, Resource, Span, Teller, json, protobuf};

/// How far in the future an event may be. If it is further, some clock was wrong.
pub const MAX_AHEAD: Duration = Duration::from_secs(24 * 60 * 60);

/// Everything that a pass needs.
pub struct Pass<'a> {
    /// The environment, the settings and the directories of this user.
    pub host: Host<'a>,
    /// The state directory.
    pub state: &'a StateDir,
    /// In which form the destination accepts data.
    pub form: &'a Form,
    /// Selects the sessions that are sent.
    pub selects: &'a (dyn Fn(&Record) -> bool + Sync),
    /// Only sessions that began at this time or later are sent from their beginning.
    pub since: Option<Timestamp>,
    /// True to skip what the destination refuses, so that the rest is sent.
    pub skips_refused: bool,
    /// How many sessions may be read at the same time.
    pub threads: usize,
    /// Gathers the facts that are sent with a session's events. The flag is true if the session is
    /// over.
    pub facts: &'a (dyn Fn(&SessionDir, Record, bool) -> SessionFacts + Sync),
    /// Encodes an event for a destination that accepts events one by one.
    pub event: &'a (dyn Fn(&Record, &Event) -> Vec<u8> + Sync),
    /// Creates a connection that delivers batches to the destination.
    pub outlet: &'a (dyn Fn() -> Result<Box<dyn Outlet>, String> + Sync),
    /// Set to true to end the pass after the present batch.
    pub stop: &'a AtomicBool,
    /// Called with two numbers: how many sessions are done, and how many there are.
    pub progress: &'a (dyn Fn(usize, usize) + Sync),
}

/// What the destination has, and where changes of that are recorded.
#[derive(Debug)]
pub enum Notebook<'a> {
    /// In the cursor's file.
    Kept(&'a mut Cursor),
    /// Nowhere, for a dry run.
    InMemory(Box<CursorState>),
}

/// The result of a pass.
#[derive(Debug, Default)]
pub struct PassResult {
    /// How much was sent, rejected and refused.
    pub tally: Tally,
    /// How many sessions had something new that was sent.
    pub sessions: u64,
    /// How many sessions have something that was not sent.
    pub behind: u64,
    /// How many sessions were removed before they were sent completely.
    pub lost: u64,
    /// What was left out and why, in words for people.
    pub left_out: Vec<String>,
    /// How many sessions have events in the future, and the latest.
    pub in_future: (u64, Option<Timestamp>),
    /// Why the destination accepted nothing more.
    pub halt: Option<Halt>,
    /// Why the cursor could not be written.
    pub fault: Option<Error>,
}

impl Notebook<'_> {
    /// Returns what the destination has.
    pub fn state(&self) -> &CursorState {
        match self {
            Self::Kept(cursor) => &cursor.state,
            Self::InMemory(state) => state,
        }
    }

    fn note(&mut self, sessions: Vec<(SessionKey, SessionCursor)>) -> Result<(), Error> {
        match self {
            Self::Kept(cursor) => cursor.note(sessions),
            Self::InMemory(state) => {
                state.sessions.extend(sessions);
                Ok(())
            }
        }
    }

    fn forget(&mut self, keys: &[SessionKey]) -> Result<(), Error> {
        match self {
            Self::Kept(cursor) => cursor.forget(keys),
            Self::InMemory(state) => {
                state.sessions.retain(|key, _| !keys.contains(key));
                Ok(())
            }
        }
    }
}

impl Pass<'_> {
    /// Sends what is new of the sessions that may have something new.
    ///
    /// # Errors
    /// Fails if the sessions cannot be listed, or the cursor cannot be written.
    pub fn run(&self, notebook: &mut Notebook<'_>) -> Result<PassResult, Error> {
        let present: Vec<SessionId> = self.state.session_ids()?.collect();
        let lost = self.forget_gone(notebook, &present)?;
        let candidates = self.candidates(notebook.state(), present);
        let total = candidates.len();
        let done = AtomicUsize::new(0);
        let next = AtomicUsize::new(0);
        let shared = Mutex::new(notebook);
        let has_halted = AtomicBool::new(false);
        let work = || {
            let mut worker = PassWorker::new(self, &shared, &has_halted);
            let mut outlet = match (self.outlet)() {
                Ok(outlet) => outlet,
                Err(why) => {
                    worker.halt(Halt {
                        why,
                        is_passing: false,
                        retry_after: None,
                    });
                    return worker.end();
                }
            };
            while !worker.must_stop()
                && let Some(id) = candidates.get(next.fetch_add(1, Ordering::Relaxed))
            {
                worker.session(outlet.as_mut(), id);
                (self.progress)(done.fetch_add(1, Ordering::Relaxed) + 1, total);
            }
            if !worker.must_stop() {
                worker.flush(outlet.as_mut());
            }
            worker.end()
        };
        let helpers = self.threads.clamp(1, total.max(1)) - 1;
        let mut result = with_helpers(helpers, &work, |mut result, other| {
            result.add(other);
            result
        });
        if let Some(fault) = result.fault {
            return Err(fault);
        }
        result.lost = lost;
        let notebook = shared
            .into_inner()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        result.behind = self.note_unsent(notebook, &candidates)?;
        result.left_out.sort();
        Ok(result)
    }

    /// Forgets sessions that no longer exist. Returns how many of them had not been sent
    /// completely.
    fn forget_gone(
        &self,
        notebook: &mut Notebook<'_>,
        present: &[SessionId],
    ) -> Result<u64, Error> {
        let mut keys: HashSet<SessionKey> = present.iter().map(SessionKey::from).collect();
        for aside in self.state.set_aside()? {
            let id: Option<SessionId> = aside.session().parse().ok();
            keys.extend(id.as_ref().map(SessionKey::from));
        }
        let known = notebook.state().sessions.iter();
        let gone = known.filter(|(key, _)| !keys.contains(key));
        let mut lost = 0;
        let mut forgotten = Vec::new();
        for (key, cursor) in gone {
            lost += u64::from(cursor.under_way.is_some() || !cursor.has.is_over);
            forgotten.push(key.clone());
        }
        notebook.forget(&forgotten)?;
        Ok(lost)
    }

    /// Returns the sessions that may have something new, in the order in which they began.
    fn candidates(&self, state: &CursorState, present: Vec<SessionId>) -> Vec<SessionId> {
        let mut found: Vec<(Option<Timestamp>, SessionId)> = Vec::new();
        for id in present {
            let dir = self.state.session(&id);
            let known = state.sessions.get(&SessionKey::from(&id));
            if known.is_some_and(|it| it.is_complete() && it.has.stamp == dir.events_stamp()) {
                continue;
            }
            // Ignore an unreadable record, because reading the session reports it.
            let record = dir.record().ok().flatten();
            found.push((record.map(|record| record.started_at), id));
        }
        found.sort_unstable();
        found.into_iter().map(|(_, id)| id).collect()
    }

    /// Records which sessions were not sent at all, so that they count as lost if they are removed.
    /// Returns how many sessions have something that was not sent.
    fn note_unsent(
        &self,
        notebook: &mut Notebook<'_>,
        candidates: &[SessionId],
    ) -> Result<u64, Error> {
        let mut behind = 0;
        let mut unknown = Vec::new();
        for id in candidates {
            let key = SessionKey::from(id);
            let dir = self.state.session(id);
            match notebook.state().sessions.get(&key) {
                Some(it) => {
                    behind +=
                        u64::from(it.under_way.is_some() || it.has.stamp != dir.events_stamp());
                }
                None if matches!(dir.record(), Ok(Some(record)) if self.is_sent(&record)) => {
                    behind += 1;
                    unknown.push((key, SessionCursor::default()));
                }
                None => {}
            }
        }
        notebook.note(unknown)?;
        Ok(behind)
    }

    /// Returns whether a session is selected, and its project is not excluded.
    fn is_sent(&self, record: &Record) -> bool {
        let env: &Environment = self.host.env;
        (self.selects)(record)
            && exclusion::of_record(env, &self.host.config.exclude, record).is_none()
    }
}

/// One thread's share of a pass.
struct PassWorker<'p, 'm, 'n> {
    pass: &'p Pass<'p>,
    notebook: &'p Mutex<&'m mut Notebook<'n>>,
    has_halted: &'p AtomicBool,
    judge: Judge<'p>,
    reader: Option<IncrementReader>,
    packer: Packer,
    result: PassResult,
}

/// Why no more of a session is sent.
enum Stop {
    /// A part of the session was refused or cannot be sent yet, or the pass ends.
    Here,
    /// The session cannot be read.
    Fault(Error),
}

impl From<Error> for Stop {
    fn from(err: Error) -> Self {
        Self::Fault(err)
    }
}

impl<'p, 'm, 'n> PassWorker<'p, 'm, 'n> {
    fn new(
        pass: &'p Pass<'p>,
        notebook: &'p Mutex<&'m mut Notebook<'n>>,
        has_halted: &'p AtomicBool,
    ) -> Self {
        let host = &pass.host;
        let latest = host.now.after(MAX_AHEAD);
        Self {
            pass,
            notebook,
            has_halted,
            judge: Judge::new(pass.state, host.config, host.now),
            reader: Some(IncrementReader::new(
                host.config.capture,
                pass.form.spans.into(),
                latest,
            )),
            packer: Packer::new(pass.form, pass.skips_refused),
            result: PassResult::default(),
        }
    }

    /// Returns whether nothing more should be sent.
    fn must_stop(&self) -> bool {
        self.pass.stop.load(Ordering::Relaxed) || self.has_halted.load(Ordering::Relaxed)
    }

    fn halt(&mut self, halt: Halt) {
        self.has_halted.store(true, Ordering::Relaxed);
        self.result.halt.get_or_insert(halt);
    }

    /// Sends what is new of a session.
    fn session(&mut self, outlet: &mut dyn Outlet, id: &SessionId) {
        let dir = self.pass.state.session(id);
        match self.send(outlet, id, &dir) {
            Ok(()) | Err(Stop::Here) => {}
            Err(Stop::Fault(err)) => {
                let why = format!("{err}; the session was not sent");
                self.result.left_out.push(why);
            }
        }
    }

    fn send(
        &mut self,
        outlet: &mut dyn Outlet,
        id: &SessionId,
        dir: &SessionDir,
    ) -> Result<(), Stop> {
        let Some(record) = dir.record()? else {
            return Ok(());
        };
        if !self.pass.is_sent(&record) {
            return Ok(());
        }
        let key = SessionKey::from(id);
        let known = self.lock().state().sessions.get(&key).cloned();
        let known = known.unwrap_or_default();
        let is_over = !self.judge.find(id, &record).state.is_live();
        let stamp = dir.events_stamp();
        let has = &known.has;
        if has.stamp == stamp && has.is_over == is_over && known.under_way.is_none() {
            return Ok(());
        }
        let began = record.started_at;
        let facts = (self.pass.facts)(dir, record, is_over);
        let now = Mark {
            extent: Extent::of(dir)?,
            is_over,
            facts: facts.digest(),
            usage: facts.usage_digest(),
            stamp,
        };
        let is_before = self.pass.since.is_some_and(|since| began < since);
        if known.is_new() && is_before {
            let cursor = SessionCursor {
                has: now,
                under_way: None,
            };
            self.note(vec![(key, cursor)]);
            return Ok(());
        }
        let mut has = known.has;
        // If a part of an earlier increment was sent, complete that increment first: its items were
        // counted.
        if let Some(UnderWay { to, sent, by }) = known.under_way
            && by == env!("CARGO_PKG_VERSION")
            && (&to.facts, &to.usage) == (&now.facts, &now.usage)
        {
            self.increment(outlet, (id, dir, &facts), (&has, &to), sent)?;
            has = to;
        }
        if has != now {
            self.increment(outlet, (id, dir, &facts), (&has, &now), Counts::default())?;
        }
        Ok(())
    }

    /// Sends what is new in a session between two marks, except the items that were sent already.
    fn increment(
        &mut self,
        outlet: &mut dyn Outlet,
        (id, dir, facts): (&SessionId, &SessionDir, &SessionFacts),
        (has, to): (&Mark, &Mark),
        sent: Counts,
    ) -> Result<(), Stop> {
        let mut portion = Portion {
            key: SessionKey::from(id),
            has: has.clone(),
            to: to.clone(),
            sent,
            is_last: false,
        };
        if self.pass.form.protocol == Protocol::Observability {
            return self.events(outlet, (dir, facts), portion);
        }
        let Some(mut reader) = self.reader.take() else {
            return Ok(());
        };
        let mut marks = (has, to);
        let nothing = Mark::default();
        let done = loop {
            let read = reader.read(dir, facts, marks, |session, had| {
                self.telemetry(outlet, portion.clone(), session, had)
            });
            match read {
                Ok(Increment::New(done)) => break done,
                // The session was deleted, and began again.
                Ok(Increment::OtherJournal) if *marks.0 != nothing => {
                    marks.0 = &nothing;
                    portion.has = Mark::default();
                    portion.sent = Counts::default();
                }
                Ok(Increment::OtherJournal) => break Err(Stop::Here),
                Ok(Increment::Newer(lines)) => {
                    self.result.left_out.push(format!(
                        "session {id} has {lines} events of a newer version of ccsession; update ccsession here to send it"
                    ));
                    break Err(Stop::Here);
                }
                Ok(Increment::InFuture(time)) => {
                    let (count, latest) = self.result.in_future;
                    self.result.in_future = (count + 1, latest.max(Some(time)));
                    break Err(Stop::Here);
                }
                Err(err) => break Err(Stop::Fault(err)),
            }
        };
        self.reader = Some(reader);
        done
    }

    /// Sends the items of a session that the destination lacks, except those in `portion` that were
    /// sent already.
    fn telemetry<'s>(
        &mut self,
        outlet: &mut dyn Outlet,
        mut portion: Portion,
        session: &OtlpSession<'s, 's>,
        had: &SentItems,
    ) -> Result<(), Stop> {
        let pass = self.pass;
        let (protocol, signals) = (pass.form.protocol, &pass.form.signals);
        let teller = Teller::of(session, pass.form.spans.into());
        let resource = Resource::of(session);
        let piece = self.packer.piece();
        let before = portion.sent;
        self.packer.begin(portion.clone());
        let mut done = Ok(());
        if signals.contains(&Signal::Traces) {
            let mut pieces = Pieces::new(piece, before.spans, |some: &[Span<'_>]| match protocol {
                Protocol::OtlpProtobuf => protobuf::traces(&[(&resource, some)]),
                _ => json::traces(&[(&resource, some)]).into_bytes(),
            });
            let mut add = |piece: Option<(Vec<u8>, u64)>, done: &mut Result<(), Stop>| {
                if let (Ok(()), Some(piece)) = (&done, piece) {
                    *done = self.push(outlet, &mut portion, ItemKind::Span, piece);
                }
            };
            teller.each_span(|span| {
                if done.is_ok() && !had.has_span(&span) {
                    add(pieces.push(span), &mut done);
                }
            });
            add(pieces.end(), &mut done);
        }
        if signals.contains(&Signal::Logs) {
            let mut pieces = Pieces::new(
                piece,
                before.logs,
                |some: &[LogRecord<'_>]| match protocol {
                    Protocol::OtlpProtobuf => protobuf::logs(&[(&resource, some)]),
                    _ => json::logs(&[(&resource, some)]).into_bytes(),
                },
            );
            let mut add = |piece: Option<(Vec<u8>, u64)>, done: &mut Result<(), Stop>| {
                if let (Ok(()), Some(piece)) = (&done, piece) {
                    *done = self.push(outlet, &mut portion, ItemKind::Log, piece);
                }
            };
            teller.each_log(|record| {
                if done.is_ok() && !had.has_log(&record) {
                    add(pieces.push(record), &mut done);
                }
            });
            add(pieces.end(), &mut done);
        }
        done?;
        self.packer.end();
        self.result.sessions += u64::from(portion.sent != before);
        Ok(())
    }

    /// Sends the events that hooks recorded, one by one.
    fn events(
        &mut self,
        outlet: &mut dyn Outlet,
        (dir, facts): (&SessionDir, &SessionFacts),
        mut portion: Portion,
    ) -> Result<(), Stop> {
        let journal = dir.journal();
        let to = portion.to.extent.journal.clone();
        let mut events = journal.events_between(&portion.has.extent.journal, &to)?;
        if events.is_none() {
            portion.has = Mark::default();
            portion.sent = Counts::default();
            events = journal.events_between(&JournalExtent::default(), &to)?;
        }
        let Some(mut events) = events else {
            return Err(Stop::Here);
        };
        self.packer.begin(portion.clone());
        let skipped = usize::try_from(portion.sent.logs).unwrap_or(usize::MAX);
        let mut count = 0_u64;
        for event in events.by_ref().skip(skipped) {
            let body = (self.pass.event)(&facts.record, &event);
            count += 1;
            self.push(outlet, &mut portion, ItemKind::Log, (body, 1))?;
        }
        events.damage().or_retry(dir.path())?;
        self.packer.end();
        self.result.sessions += u64::from(count > 0);
        Ok(())
    }

    /// Adds some items of a session. If enough is collected, delivers it.
    fn push(
        &mut self,
        outlet: &mut dyn Outlet,
        portion: &mut Portion,
        kind: ItemKind,
        (body, items): (Vec<u8>, u64),
    ) -> Result<(), Stop> {
        self.packer.push(kind, &body, items);
        portion.sent.add(kind, items);
        if !self.packer.is_full() {
            return Ok(());
        }
        if self.must_stop() || !self.flush(outlet) {
            return Err(Stop::Here);
        }
        self.packer.begin(portion.clone());
        Ok(())
    }

    /// Delivers what was collected. Returns whether more of the last session may follow.
    fn flush(&mut self, outlet: &mut dyn Outlet) -> bool {
        if self.packer.is_empty() {
            return true;
        }
        let progress = self.packer.deliver(outlet);
        self.note(progress.sessions);
        if let Some(halt) = progress.halt {
            self.halt(halt);
            return false;
        }
        progress.is_open
    }

    /// Records what the destination has.
    fn note(&mut self, sessions: Vec<(SessionKey, SessionCursor)>) {
        let noted = self.lock().note(sessions);
        if let Err(err) = noted {
            // If this cannot be recorded, the same would be sent again and again, so stop.
            self.has_halted.store(true, Ordering::Relaxed);
            self.result.fault.get_or_insert(err);
        }
    }

    fn lock(&self) -> MutexGuard<'p, &'m mut Notebook<'n>> {
        self.notebook
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Ends the work, and returns its result.
    fn end(self) -> PassResult {
        PassResult {
            tally: self.packer.tally,
            ..self.result
        }
    }
}

impl PassResult {
    fn add(&mut self, other: Self) {
        self.tally.add(other.tally);
        self.sessions += other.sessions;
        self.left_out.extend(other.left_out);
        let (count, latest) = other.in_future;
        self.in_future = (self.in_future.0 + count, self.in_future.1.max(latest));
        self.halt = self.halt.take().or(other.halt);
        self.fault = self.fault.take().or(other.fault);
    }
}
