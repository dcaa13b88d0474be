//! The pointer, `/tmp/claude_session_{project name}`: a project's current session, for anybody who can read a file.
//!
//! It is a mirror. What is exact is in the state directory, and where the two disagree, that wins.
//!
//! # Security
//! The directory is shared with strangers. A pointer is believed only if it is a regular file of ours, with one name,
//! that nobody else may write to; it is opened without following links or blocking. Nothing of another user's is ever
//! replaced or removed, by root neither.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::FileType;

use super::clock;
use super::error::{Error, Result, Unsafe};
use super::file::{self, Look, Meta};
use super::lock::{HOOK_PATIENCE, Lock};
use super::state::State;
use super::write::{self, Durability, ORPHANED, Renamed, TEMPORARY};
use crate::model::pointer::{self, MAX_BYTES, Malformed, PREFIX, Written};
use crate::model::{ProjectName, SessionId, Timestamp};

/// A pointer from further ahead than this is not fresh.
const MAX_AHEAD: Duration = Duration::from_secs(5 * 60);
/// The most names in the directory that one sweep looks at.
const MAX_NAMES: usize = 100_000;
/// So many names are looked at while the lock is held once: about a millisecond's work.
const TURN: usize = 64;
/// A pointer on its way out has this name for a moment.
const LEAVING: &str = ".ccsession-gone-";

/// Where pointers are, and what judging one needs.
#[derive(Debug, Clone, Copy)]
pub struct Pointers<'a> {
    /// The directory: `/tmp`.
    pub dir: &'a Path,
    /// Whose lock orders stores against removals; without one, removals alone take care.
    pub state: Option<&'a State>,
    /// How long a pointer is fresh.
    pub ttl: Duration,
    /// The time now.
    pub now: Timestamp,
}

/// What is at a pointer's path.
#[derive(Debug)]
pub enum Reading {
    /// Nothing.
    Absent,
    /// A pointer.
    Pointer {
        /// The session it names.
        id: SessionId,
        /// When it was written.
        written: Timestamp,
        /// Whether it still counts.
        standing: Standing,
        /// The file.
        meta: Meta,
    },
    /// A file of ours whose text is not a pointer.
    Malformed(Malformed, Meta),
    /// Something that must not be believed.
    Refused(Error),
}

/// Whether a pointer still counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Written within the TTL; exactly the TTL ago counts.
    Fresh,
    /// Written longer ago.
    Stale,
    /// Written more than five minutes from now: somebody's clock is wrong.
    Ahead,
}

impl Reading {
    /// The session of a fresh pointer.
    pub fn fresh(&self) -> Option<&SessionId> {
        match self {
            Self::Pointer {
                id,
                standing: Standing::Fresh,
                ..
            } => Some(id),
            _ => None,
        }
    }
}

/// A file that a sweep removed, or would remove.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Swept {
    /// Which file.
    pub path: PathBuf,
    /// Why it goes.
    pub why: Why,
}

/// What a sweep did.
#[derive(Debug, Default)]
pub struct Sweeping {
    /// The files that were removed, or would be.
    pub swept: Vec<Swept>,
    /// Why nothing could be removed, where the lock does not work.
    pub failed: Vec<Error>,
}

/// Why a file goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// A pointer older than the TTL.
    Stale,
    /// No pointer, and untouched for longer than the TTL.
    Unreadable,
    /// A temporary file that its process left behind.
    Orphaned,
}

/// What became of a pointer that was to be removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Removal {
    /// It was removed.
    Done,
    /// There is none, or not the one that was to be removed.
    NotDue,
    /// Another process removed or replaced it meanwhile.
    Changed,
}

/// Whose turn it is in a sweep: pointers are looked at and removed while the lock is held, some at a time.
#[derive(Debug)]
enum Turn {
    /// Nobody's now.
    Over,
    /// The sweep's, for so many names more.
    Mine { left: usize, _lock: Option<Lock> },
    /// Nobody's any more: the lock could not be had.
    Nobodys,
}

impl Turn {
    /// Goes on to the next name.
    fn go_on(&mut self) {
        match self {
            Self::Mine { left: 0, .. } => *self = Self::Over,
            Self::Mine { left, .. } => *left -= 1,
            Self::Over | Self::Nobodys => {}
        }
    }
}

impl Pointers<'_> {
    /// The path of the pointer of projects with this name.
    pub fn path(&self, name: &ProjectName) -> PathBuf {
        let mut file_name = OsString::from(PREFIX);
        file_name.push(name.component());
        self.dir.join(file_name)
    }

    /// Reads and judges the pointer of projects with this name.
    pub fn read(&self, name: &ProjectName) -> Reading {
        match file::check_shared_dir(self.dir) {
            Ok(()) => self.read_path(&self.path(name)),
            Err(err) => Reading::Refused(err),
        }
    }

    fn read_path(&self, path: &Path) -> Reading {
        let content = match file::read_shared(path, MAX_BYTES) {
            Ok(Some(content)) => content,
            Ok(None) => return Reading::Absent,
            Err(err) => return Reading::Refused(err),
        };
        match pointer::decode(&content.bytes) {
            Ok((id, written)) => {
                let written = written_at(written, content.meta.modified);
                Reading::Pointer {
                    id,
                    written,
                    standing: self.standing(written),
                    meta: content.meta,
                }
            }
            Err(why) => Reading::Malformed(why, content.meta),
        }
    }

    fn standing(&self, written: Timestamp) -> Standing {
        if written.ahead(self.now) > MAX_AHEAD {
            Standing::Ahead
        } else if written.age(self.now) > self.ttl {
            Standing::Stale
        } else {
            Standing::Fresh
        }
    }

    /// Makes `id` the current session of projects with this name.
    ///
    /// # Errors
    /// [`Error::Unsafe`] where the directory is not safe or the present file is another user's; [`Error::Io`]. Then the
    /// old pointer stands.
    ///
    /// # Security
    /// The new file is 0600 from the start, has an unpredictable name that no sweep of `claude_session_*` matches, and
    /// gets its own name by a rename. Afterwards the name is looked at: what it leads to is ours.
    pub fn store(&self, name: &ProjectName, id: &SessionId, durability: Durability) -> Result<()> {
        file::check_shared_dir(self.dir)?;
        let path = self.path(name);
        let present = refuse_foreign(&path)?;
        let text = pointer::encode(id, clock::to_civil(self.now));
        let temporary = write::prepared(&path, text.as_bytes(), durability, 0o600)?;
        // A holder that was stopped must not stop this: after a while it goes on without the lock.
        let _lock = self.state.and_then(|state| state.lock(HOOK_PATIENCE).ok());
        let placed = if present {
            temporary.persist(&path)
        } else {
            temporary.persist_noclobber(&path)
        };
        match placed {
            Ok(_) => {}
            // Somebody was quicker. If it was another store of ours, its session started at the same moment.
            Err(err) if !present && err.error.kind() == std::io::ErrorKind::AlreadyExists => {
                refuse_foreign(&path)?;
                let replaced = err.file.persist(&path);
                replaced.map_err(|err| Error::io("replace", &path)(err.error))?;
            }
            Err(err) => return Err(Error::io("replace", &path)(err.error)),
        }
        // Whoever tidies up the directory may have removed our temporary file, and somebody else have taken its name.
        refuse_foreign(&path)?;
        write::keep_name(&path, durability)
    }

    /// Makes `id` the current session of projects with this name, if the pointer names `instead_of` or there is none.
    ///
    /// # Errors
    /// As [`Self::store`].
    pub fn put_back(
        &self,
        name: &ProjectName,
        instead_of: &SessionId,
        id: &SessionId,
    ) -> Result<()> {
        file::check_shared_dir(self.dir)?;
        let path = self.path(name);
        let text = pointer::encode(id, clock::to_civil(self.now));
        let temporary = write::prepared(&path, text.as_bytes(), Durability::Cached, 0o600)?;
        let _lock = self.state.and_then(|state| state.lock(HOOK_PATIENCE).ok());
        let placed = match self.read_path(&path) {
            Reading::Pointer { id: named, .. } if named == *instead_of => {
                temporary.persist(&path).map(drop)
            }
            Reading::Absent => temporary.persist_noclobber(&path).map(drop),
            _ => return Ok(()),
        };
        match placed {
            Err(err) if err.error.kind() != std::io::ErrorKind::AlreadyExists => {
                Err(Error::io("replace", &path)(err.error))
            }
            _ => refuse_foreign(&path).map(drop),
        }
    }

    /// Removes the pointer of projects with this name if it names `id`.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Locked`].
    pub fn remove_if_names(&self, name: &ProjectName, id: &SessionId) -> Result<Removal> {
        self.remove_if(&self.path(name), |path| match self.read_path(path) {
            Reading::Pointer {
                id: named, meta, ..
            } if named == *id => Ok(Some(meta)),
            Reading::Refused(err @ Error::Io { .. }) => Err(err),
            _ => Ok(None),
        })
    }

    /// Removes the pointer of projects with this name if it is stale.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Locked`].
    pub fn remove_if_stale(&self, name: &ProjectName) -> Result<Removal> {
        self.remove_if(&self.path(name), |path| match self.doom(path)? {
            Some((Why::Stale, meta)) => Ok(Some(meta)),
            _ => Ok(None),
        })
    }

    /// Why a sweep would remove the file at `path`, if it would, and which file that is.
    fn doom(&self, path: &Path) -> Result<Option<(Why, Meta)>> {
        let (why, meta) = match self.read_path(path) {
            Reading::Pointer {
                standing: Standing::Stale,
                meta,
                ..
            } => (Why::Stale, meta),
            Reading::Malformed(_, meta) => (Why::Unreadable, meta),
            // A regular file of ours that cannot be believed (its mode, its size, its links) goes by its age alone.
            Reading::Refused(Error::Unsafe { .. }) => match file::look(path)? {
                Some(found) if is_file_of_ours(&found) => (Why::Unreadable, found.meta),
                _ => return Ok(None),
            },
            Reading::Refused(err) => return Err(err),
            Reading::Pointer { .. } | Reading::Absent => return Ok(None),
        };
        // A modification time from the future says that the clock was set back: no age can be believed.
        let old = match why {
            Why::Stale => meta.modified <= self.now,
            Why::Unreadable | Why::Orphaned => meta.modified.age(self.now) > self.ttl,
        };
        Ok(old.then_some((why, meta)))
    }

    /// Removes the file at `path` if it is the one that `doomed` returns, and never a file that was put there meanwhile.
    fn remove_if(
        &self,
        path: &Path,
        doomed: impl Fn(&Path) -> Result<Option<Meta>>,
    ) -> Result<Removal> {
        if doomed(path)?.is_none() {
            return Ok(Removal::NotDue);
        }
        let _lock = self.lock()?;
        match doomed(path)? {
            Some(judged) => take_out(path, judged),
            None => Ok(Removal::Changed),
        }
    }

    /// The lock by which stores and removals take turns.
    fn lock(&self) -> Result<Option<Lock>> {
        let lock = self.state.map(|state| state.lock(HOOK_PATIENCE));
        lock.transpose()
    }

    /// Removes every stale pointer of ours, and what was left behind by processes that were killed; with `dry_run`, only says
    /// which. What another process changes meanwhile is left to the next sweep.
    ///
    /// # Errors
    /// [`Error::Unsafe`] where the directory is not safe, [`Error::Io`] where it cannot be listed.
    pub fn sweep(&self, dry_run: bool) -> Result<Sweeping> {
        file::check_shared_dir(self.dir)?;
        let mut sweeping = Sweeping::default();
        let mut turn = Turn::Over;
        for name in file::first_names(self.dir, MAX_NAMES)? {
            turn.go_on();
            let path = self.dir.join(&name);
            let why = if name.as_bytes().starts_with(PREFIX.as_bytes()) {
                // What cannot be looked at or removed now is left to the next sweep.
                self.sweep_pointer(&path, dry_run, &mut turn, &mut sweeping.failed)
                    .unwrap_or(None)
            } else if name.as_bytes().starts_with(TEMPORARY.as_bytes()) {
                self.sweep_temporary(&path, dry_run)
            } else if name.as_bytes().starts_with(LEAVING.as_bytes()) {
                self.sweep_leaving(&path, dry_run)
            } else {
                None
            };
            sweeping.swept.extend(why.map(|why| Swept { path, why }));
        }
        Ok(sweeping)
    }

    fn sweep_pointer(
        &self,
        path: &Path,
        dry_run: bool,
        turn: &mut Turn,
        failed: &mut Vec<Error>,
    ) -> Result<Option<Why>> {
        let mut doomed = self.doom(path)?;
        if dry_run || doomed.is_none() {
            return Ok(doomed.map(|(why, _)| why));
        }
        if matches!(turn, Turn::Over) {
            *turn = match self.lock() {
                Ok(_lock) => Turn::Mine { left: TURN, _lock },
                // Whoever holds the lock now would be waited for at each pointer; the next sweep has these.
                Err(err) => {
                    if !matches!(err, Error::Locked { .. }) && failed.is_empty() {
                        failed.push(err);
                    }
                    Turn::Nobodys
                }
            };
            doomed = self.doom(path)?;
        }
        match (turn, doomed) {
            (Turn::Mine { .. }, Some((why, judged))) => {
                Ok((take_out(path, judged)? == Removal::Done).then_some(why))
            }
            _ => Ok(None),
        }
    }

    fn sweep_temporary(&self, path: &Path, dry_run: bool) -> Option<Why> {
        let found = file::look(path).ok()??;
        let orphaned = is_file_of_ours(&found) && found.meta.modified.age(self.now) > ORPHANED;
        (orphaned && (dry_run || write::remove(path).unwrap_or(false))).then_some(Why::Orphaned)
    }

    /// A pointer whose remover died half-way: back to its place if it still counts and the place is free.
    fn sweep_leaving(&self, path: &Path, dry_run: bool) -> Option<Why> {
        let found = file::look(path).ok()??;
        if !is_file_of_ours(&found) || !was_left_aside(path) {
            return None;
        }
        if self.read_path(path).fresh().is_some() {
            let place = place_of(path)?;
            if dry_run || matches!(write::rename_to_free(path, &place), Ok(Renamed::Done)) {
                return None;
            }
        }
        (dry_run || write::remove(path).unwrap_or(false)).then_some(Why::Orphaned)
    }
}

/// Removes the pointer at `path` if it is the file that was judged.
///
/// Looking again before unlinking is not enough: a store may come between the look and the unlink. So stores and removals
/// take turns by the lock, which the caller holds; and, for writers that know no lock, the file is first moved aside, looked
/// at again, and moved back if it is not the one that was judged.
fn take_out(path: &Path, judged: Meta) -> Result<Removal> {
    let aside = aside(path);
    if write::rename_to_free(path, &aside)? != Renamed::Done {
        return Ok(Removal::Changed);
    }
    let is_removed = match file::look(&aside) {
        Ok(Some(found)) if found.meta == judged => write::remove(&aside),
        other => other.map(|_| false),
    };
    if matches!(is_removed, Ok(true)) {
        return Ok(Removal::Done);
    }
    if write::rename_to_free(&aside, path)? != Renamed::Done {
        // A still newer pointer has arrived.
        write::remove(&aside)?;
    }
    is_removed.map(|_| Removal::Changed)
}

fn is_file_of_ours(found: &Look) -> bool {
    found.kind == FileType::RegularFile && found.owner == file::me()
}

/// Refuses where the file at `path` is another user's. Returns whether there is one at all.
fn refuse_foreign(path: &Path) -> Result<bool> {
    match file::look(path)? {
        Some(found) if found.owner != file::me() => Err(Error::Unsafe {
            path: path.to_owned(),
            why: Unsafe::ForeignOwner(found.owner),
        }),
        found => Ok(found.is_some()),
    }
}

/// `.ccsession-gone-{pid}-{microseconds}-{the pointer's name}` in the same directory.
fn aside(path: &Path) -> PathBuf {
    let mut name = OsString::from(format!(
        "{LEAVING}{}-{}-",
        std::process::id(),
        clock::since_boot()
    ));
    name.push(path.file_name().unwrap_or_default());
    path.with_file_name(name)
}

/// Whether the pointer at `path` was set aside so long ago, or before the last boot, that its remover must be dead. Its
/// name says when; what its own times say is when it was a pointer.
fn was_left_aside(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let at = name
        .strip_prefix(LEAVING)
        .and_then(|rest| rest.split('-').nth(1)?.parse().ok());
    let elapsed = |at: u64| {
        clock::since_boot()
            .checked_sub(at)
            .map(Duration::from_micros)
    };
    at.is_none_or(|at| elapsed(at).is_none_or(|elapsed| elapsed > ORPHANED))
}

/// The place that a pointer set aside at `path` came from.
fn place_of(path: &Path) -> Option<PathBuf> {
    let name = path.file_name()?.as_bytes();
    let start = name
        .windows(PREFIX.len())
        .position(|window| window == PREFIX.as_bytes())?;
    Some(path.with_file_name(OsStr::from_bytes(name.get(start..)?)))
}

/// When the pointer was written. Civil time names no zone: where the file's modification time differs from it by what
/// zones differ by, the pointer was written under another zone (or across a change of the clocks), and the file knows.
fn written_at(written: Written, modified: Timestamp) -> Timestamp {
    let civil = match written {
        Written::Instant(time) => return time,
        Written::Civil(civil) => civil,
    };
    let time = clock::from_civil(civil, modified);
    let difference = modified.micros().saturating_sub(time.micros());
    let in_utc = civil.and_utc().timestamp_micros();
    let ahead = in_utc.saturating_sub(modified.micros());
    if is_by_zones(difference, ahead) {
        modified
    } else {
        time
    }
}

/// Returns whether a pointer was written under another zone, by the difference between its file's time and what its text means
/// here, and by how far clocks were ahead of UTC where it was written, if it was when the file was; in microseconds. Zones differ
/// by up to 26 hours; beyond 14, the text must be what clocks in some zone that exists showed.
fn is_by_zones(difference: i64, ahead: i64) -> bool {
    const QUARTER: i64 = 15 * 60 * 1_000_000;
    const TOLERANCE: i64 = 2 * 1_000_000;
    const HOUR: i64 = 4 * QUARTER;
    let within = |hours: std::ops::RangeInclusive<i64>, it: i64| {
        (hours.start() * HOUR - TOLERANCE..=hours.end() * HOUR + TOLERANCE).contains(&it)
    };
    let is_other = !within(0..=0, difference);
    let is_quarter = difference.saturating_add(TOLERANCE).rem_euclid(QUARTER) <= 2 * TOLERANCE;
    is_other && is_quarter && (within(-14..=14, difference) || within(-12..=14, ahead))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a zone so many seconds ahead of UTC wrote, the file being so much older than the text says, read in another zone.
    #[track_caller]
    fn check(written_in: i64, older: i64, read_in: i64, by_file: bool) {
        let ahead = written_in - older;
        let difference = read_in - ahead;
        let found = is_by_zones(difference * 1_000_000, ahead * 1_000_000);
        assert_eq!(found, by_file, "{written_in} {older} {read_in}");
    }

    const HOUR: i64 = 3600;

    #[test]
    fn what_any_zone_wrote_goes_by_the_file_in_any_other() {
        let zones = || (-48..=56).map(|quarters| quarters * 900);
        for (written_in, read_in) in zones().flat_map(|one| zones().map(move |it| (one, it))) {
            for older in [0, 1, -2] {
                check(written_in, older, read_in, written_in != read_in);
            }
        }
    }

    #[test]
    fn what_no_zone_can_have_written_goes_by_the_text() {
        check(0, 0, 0, false);
        check(0, 2, 0, false);
        check(0, 360, 0, false);
        check(9 * HOUR, 5, 0, false);
        check(15 * HOUR, 0, 0, false);
        check(-15 * HOUR, 0, 0, false);
        for older in [24 * HOUR, 24 * HOUR + 1, -24 * HOUR, 25 * HOUR] {
            check(0, older, 0, false);
            check(9 * HOUR, older, 9 * HOUR, false);
            check(-8 * HOUR, older, -8 * HOUR, false);
        }
    }

    #[test]
    fn a_text_with_an_offset_says_when() {
        let (at, modified) = (Timestamp::from_micros(1_000_000), clock::now());
        assert_eq!(written_at(Written::Instant(at), modified), at);
    }

    #[test]
    fn the_place_of_a_pointer_set_aside_is_in_its_name() {
        let pointer = Path::new("/tmp/claude_session_shop");
        assert_eq!(place_of(&aside(pointer)).as_deref(), Some(pointer));
    }
}
