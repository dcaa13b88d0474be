//! Following journals while they grow: each look gives the lines that have come since the last one.
//!
//! A look is a few system calls a session, so that looking some times a second costs next to nothing: no watch to set up,
//! none to overflow, and it works on every file system. What is there in a journal is known by its size, and a journal
//! that was rotated is found again by its identity, so that no line is lost and none comes twice.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::time::Duration;

use super::error::{Error, Result};
use super::file::{self, Meta};
use super::lines::{Found, Lines, Position};
use super::packed::{self, Source};
use super::session::SessionDir;
use super::state::State;
use super::{clock, index};
use crate::model::{SessionId, Timestamp};

/// How much of a session's end is read at first: some hundred events.
const END: u64 = 64 * 1024;
/// How many files of a journal are looked at. A process that opened one before it was rotated writes to it once more, a
/// moment later.
const MAX_PARTS: usize = 4;
/// For how many more looks a session that is live no longer is looked at each time: what comes after its end comes soon.
const LINGER: u64 = 240;
/// How many sessions that are live no longer are looked at, all in turn: one may go on without being started again.
const IN_TURN: usize = 500;
/// Within this time after a change of a directory another one may leave the same time.
const SAME_TIME: Duration = Duration::from_secs(1);

/// What is new in the journals of one session or of all.
#[derive(Debug)]
pub struct Follower {
    state: State,
    followed: BTreeMap<SessionId, Followed>,
    scope: Scope,
    looks: u64,
}

#[derive(Debug)]
enum Scope {
    One,
    All {
        /// When the folder of all sessions had last changed; none where it may have changed since.
        listed: Option<Timestamp>,
    },
}

#[derive(Debug)]
struct Followed {
    tail: Tail,
    /// Until which look it is looked at each time.
    until: u64,
    /// Whether it could not be read at the last look.
    has_failed: bool,
}

impl Follower {
    /// Follows one session, from some hundred events before its end.
    ///
    /// # Errors
    /// [`Error::Io`] where the journal cannot be looked at.
    pub fn of_one(state: &State, id: &SessionId) -> Result<Self> {
        let tail = Tail::ending(state.session(id), END)?;
        Ok(Self {
            state: state.clone(),
            followed: BTreeMap::from([(id.clone(), Followed::new(tail))]),
            scope: Scope::One,
            looks: 0,
        })
    }

    /// Follows all sessions, each from its beginning.
    pub fn of_all(state: &State) -> Self {
        Self {
            state: state.clone(),
            followed: BTreeMap::new(),
            scope: Scope::All { listed: None },
            looks: 0,
        }
    }

    /// As [`Self::of_all`], those that are there already from their ends.
    ///
    /// # Errors
    /// [`Error::Io`] where sessions cannot be listed.
    pub fn of_all_from_now(state: &State) -> Result<Self> {
        let mut follower = Self::of_all(state);
        for id in state.session_ids()? {
            // One that cannot be looked at is left to the first look, which says so.
            if let Ok(tail) = Tail::at_end(state.session(&id)) {
                follower.followed.insert(id, Followed::new(tail));
            }
        }
        Ok(follower)
    }

    /// Gives `reader` every line that has come since the last look, without its line break; of each session in order. What
    /// could not be read is the answer, once for each session, and looked at again the next time.
    ///
    /// # Errors
    /// [`Error::Io`] where sessions cannot be listed.
    pub fn look(&mut self, mut reader: impl FnMut(&SessionId, &[u8])) -> Result<Vec<Error>> {
        self.looks += 1;
        self.find_sessions()?;
        let turns = self.followed.len().div_ceil(IN_TURN).max(1) as u64;
        let turn = self.looks % turns;
        let mut failed = Vec::new();
        for (place, (id, followed)) in self.followed.iter_mut().enumerate() {
            if followed.until < self.looks && place as u64 % turns != turn {
                continue;
            }
            let looked = followed.tail.look(&mut |line| reader(id, line));
            let had_failed = std::mem::replace(&mut followed.has_failed, looked.is_err());
            failed.extend(looked.err().filter(|_| !had_failed));
        }
        Ok(failed)
    }

    /// Finds sessions that are new or live.
    fn find_sessions(&mut self) -> Result<()> {
        let Scope::All { listed } = &mut self.scope else {
            return Ok(());
        };
        let mut due: Vec<SessionId> = index::live_candidates(&self.state)?
            .into_iter()
            .map(|(_, id)| id)
            .collect();
        // One that has begun and ended since the last look is in no index.
        let changed = self.state.sessions_changed()?;
        if changed.is_none() || changed != *listed {
            let is_new = |id: &SessionId| !self.followed.contains_key(id);
            due.extend(self.state.session_ids()?.filter(is_new));
            let now = clock::now();
            *listed = changed.filter(|changed| changed.age(now) > SAME_TIME);
        }
        for id in due {
            let new = || Followed::new(Tail::at_start(self.state.session(&id)));
            let followed = self.followed.entry(id.clone()).or_insert_with(new);
            followed.until = self.looks + LINGER;
        }
        Ok(())
    }
}

impl Followed {
    fn new(tail: Tail) -> Self {
        Self {
            tail,
            until: 0,
            has_failed: false,
        }
    }
}

/// One session's journal, from a place in it on.
#[derive(Debug)]
struct Tail {
    session: SessionDir,
    /// The files that are followed, the oldest first: the last one is the journal, or was at the last look.
    parts: Vec<Part>,
}

/// One file of a journal.
#[derive(Debug)]
struct Part {
    path: PathBuf,
    identity: (u64, u64),
    place: Place,
    /// As it was when it was last read to its end.
    read: Option<Meta>,
}

/// Where reading goes on.
#[derive(Debug)]
enum Place {
    /// Where the line begins that this byte is in.
    Near(u64),
    /// Where the line begins that is so many bytes before the end, in a part that is compressed.
    BeforeEnd(u64),
    /// Where it ended.
    After(Position),
}

impl Tail {
    fn at_start(session: SessionDir) -> Self {
        let parts = Vec::new();
        Self { session, parts }
    }

    fn at_end(session: SessionDir) -> Result<Self> {
        let mut tail = Self::at_start(session);
        let path = tail.session.journal();
        if let Some(found) = file::look(&path)? {
            tail.parts.push(Part {
                read: Some(found.meta),
                ..Part::before_end(path, found.meta, 0)
            });
        }
        Ok(tail)
    }

    /// Begins so many bytes before the end of the journal and of the full part before it. One that was put aside empty counts
    /// for none.
    fn ending(session: SessionDir, bytes: u64) -> Result<Self> {
        let mut tail = Self::at_start(session);
        let path = tail.session.journal();
        if let Some(found) = file::look(&path)? {
            let mut before = tail.session.rotated_before(found.meta.identity)?;
            let wanted = if found.meta.size == 0 { 2 } else { 1 };
            let parts = before.split_off(before.len().saturating_sub(wanted));
            let parts = parts.into_iter().chain([(path, found.meta)]);
            tail.parts = parts
                .map(|(path, meta)| Part::before_end(path, meta, bytes))
                .collect();
        }
        Ok(tail)
    }

    fn look(&mut self, reader: &mut impl FnMut(&[u8])) -> Result<()> {
        self.follow_rotation()?;
        for part in &mut self.parts {
            part.read_on(reader)?;
        }
        let surplus = self.parts.len().saturating_sub(MAX_PARTS);
        self.parts.drain(..surplus);
        Ok(())
    }

    /// Finds the journal again where another file has its name now.
    fn follow_rotation(&mut self) -> Result<()> {
        let path = self.session.journal();
        let Some(found) = file::look(&path)? else {
            return Ok(());
        };
        let newest = found.meta.identity;
        let last = self.parts.last_mut();
        if last.as_ref().is_some_and(|last| last.identity == newest) {
            return Ok(());
        }
        let mut rotated = self.session.rotated_before(newest)?.into_iter();
        if let Some(last) = last {
            match rotated.find(|(_, meta)| meta.identity == last.identity) {
                Some((path, _)) => last.path = path,
                // Another journal: the session was forgotten and has come again.
                None => self.parts.clear(),
            }
        }
        let between = rotated.map(|(path, meta)| Part::new(path, meta.identity));
        self.parts.extend(between);
        self.parts.push(Part::new(path, newest));
        Ok(())
    }
}

impl Part {
    fn new(path: PathBuf, identity: (u64, u64)) -> Self {
        Self {
            path,
            identity,
            place: Place::Near(0),
            read: None,
        }
    }

    fn before_end(path: PathBuf, meta: Meta, bytes: u64) -> Self {
        let place = match packed::is_packed(&path) {
            true => Place::BeforeEnd(bytes),
            false => Place::Near(meta.size.saturating_sub(bytes)),
        };
        Self {
            place,
            ..Self::new(path, meta.identity)
        }
    }

    /// Reads the lines that have ended since the last time. A file that was rewritten is read from its start.
    fn read_on(&mut self, reader: &mut impl FnMut(&[u8])) -> Result<()> {
        let found = file::look(&self.path)?.map(|found| found.meta);
        // Under this name may be another file already; the next look finds out.
        let is_it = |meta: &Meta| meta.identity == self.identity;
        if found == self.read || !found.as_ref().is_some_and(is_it) {
            return Ok(());
        }
        if packed::is_packed(&self.path) {
            self.read = found;
            return self.read_packed(reader);
        }
        let Some(mut lines) = Lines::open(&self.path)?.filter(|lines| is_it(&lines.meta())) else {
            return Ok(());
        };
        match &self.place {
            Place::Near(offset) => lines.go_near(*offset)?,
            Place::After(position) => drop(lines.go_on(position)?),
            Place::BeforeEnd(_) => {}
        }
        loop {
            match lines.next_line()? {
                Some(Found::Line(line)) => reader(line),
                Some(Found::TooLong) => {}
                Some(Found::Unfinished(_)) | None => break,
            }
        }
        self.read = Some(lines.meta());
        self.place = Place::After(lines.position()?);
        Ok(())
    }

    /// Reads the lines of a part that is compressed.
    fn read_packed(&self, reader: &mut impl FnMut(&[u8])) -> Result<()> {
        let failed = Error::io("decompress", &self.path);
        let Some(source) = Source::open(&self.path, packed::UNPACK)? else {
            return Ok(());
        };
        let size = source.size().ok().flatten().unwrap_or(0);
        let start = match self.place {
            Place::BeforeEnd(bytes) => size.saturating_sub(bytes),
            Place::Near(_) | Place::After(_) => 0,
        };
        let mut source = BufReader::new(source);
        let (mut line, mut end) = (Vec::new(), 0);
        loop {
            line.clear();
            match source.read_until(b'\n', &mut line) {
                Ok(0) => return Ok(()),
                Ok(length) => end += length as u64,
                Err(err) => return Err(failed(err)),
            }
            if end > start && line.pop_if(|last| *last == b'\n').is_some() {
                reader(&line);
            }
        }
    }
}
