//! The pointer, `/tmp/claude_session_{project name}`: a project's current session, for any program
//! that can read a file.
//!
//! It is a copy. The state directory is authoritative if the two disagree.
//!
//! # Security
//! The directory is shared with strangers. A pointer is believed only if it is a regular file of
//! ours, with one hard link, that nobody else may write to. It is opened without following links or
//! blocking. Another user's file is never replaced or removed, not even by root.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::FileType;

use super::clock;
use super::error::{Error, Result, Untrusted};
use super::file::{self, Inspection, Meta};
use super::lock::{HOOK_PATIENCE, Lock};
use super::state::StateDir;
use super::write::{self, Durability, ORPHANED, RenameOutcome};
use crate::model::pointer::{self, InvalidPointer, MAX_BYTES, PREFIX, PointerTime};
use crate::model::{ProjectName, SessionId, Timestamp};

/// A pointer dated further into the future than this is not fresh.
const MAX_AHEAD: Duration = Duration::from_secs(5 * 60);
/// Most names that one sweep reads from the directory.
const MAX_NAMES: usize = 100_000;
/// Names that a sweep handles before it releases the lock: about a millisecond of work.
const TURN: usize = 64;
/// Prefix of a pointer's name for the moment between moving it aside and removing it.
const LEAVING: &str = ".ccsession-gone-";

/// The pointer directory, and what it takes to judge a pointer.
#[derive(Debug, Clone, Copy)]
pub struct Pointers<'a> {
    /// The directory that contains the pointers: `/tmp`.
    pub dir: &'a Path,
    /// The state directory whose lock serialises stores and removals. Without it, only the
    /// removals' own checks prevent races.
    pub state: Option<&'a StateDir>,
    /// How long a pointer stays fresh.
    pub ttl: Duration,
    pub now: Timestamp,
}

/// The result of reading a pointer's path.
#[derive(Debug)]
pub enum PointerReading {
    /// No file exists.
    Absent,
    /// A well-formed pointer.
    Pointer {
        /// The session it names.
        id: SessionId,
        /// When it was written.
        written: Timestamp,
        /// Whether it is fresh.
        standing: Freshness,
        /// The file's metadata.
        meta: Meta,
    },
    /// A file of ours whose text is not a pointer.
    Malformed(InvalidPointer, Meta),
    /// A file or directory that must not be believed or could not be read.
    Refused(Error),
}

/// The freshness of a pointer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// Written within the TTL, inclusive.
    Fresh,
    /// Written before the TTL.
    Stale,
    /// Written more than five minutes from now: some clock is wrong.
    Ahead,
}

impl PointerReading {
    /// Returns the session of a fresh pointer.
    pub fn fresh(&self) -> Option<&SessionId> {
        match self {
            Self::Pointer {
                id,
                standing: Freshness::Fresh,
                ..
            } => Some(id),
            _ => None,
        }
    }
}

/// A file that a sweep removed, or would remove.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SweptFile {
    /// Where the file was.
    pub path: PathBuf,
    /// Why it is removed.
    pub why: SweepReason,
}

/// The outcome of a sweep.
#[derive(Debug, Default)]
pub struct SweepReport {
    /// The files that were removed, or would be.
    pub swept: Vec<SweptFile>,
    /// Why no pointer could be removed, if the lock failed for a reason other than being held.
    pub failed: Vec<Error>,
}

/// Why a sweep removes a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SweepReason {
    /// A pointer older than the TTL.
    Stale,
    /// Not a valid pointer, and unmodified for longer than the TTL.
    Unreadable,
    /// A temporary file, or a pointer moved aside, whose process died.
    Orphaned,
}

/// The outcome of removing a pointer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Removal {
    /// The pointer was removed.
    Done,
    /// No pointer exists, or it does not meet the condition.
    NotDue,
    /// Another process removed or replaced it meanwhile.
    Changed,
}

/// The lock during a sweep. The sweep holds it for a limited number of names, then releases it.
#[derive(Debug)]
enum SweepLock {
    /// The lock is not held.
    Over,
    /// The sweep holds the lock for `left` more names.
    Mine { left: usize, _lock: Option<Lock> },
    /// The lock could not be acquired; the sweep does not try again.
    Nobodys,
}

impl SweepLock {
    /// Counts one name, and releases the lock when the turn is over.
    fn go_on(&mut self) {
        match self {
            Self::Mine { left: 0, .. } => *self = Self::Over,
            Self::Mine { left, .. } => *left -= 1,
            Self::Over | Self::Nobodys => {}
        }
    }
}

impl Pointers<'_> {
    /// Returns the pointer path for projects with this name.
    pub fn path(&self, name: &ProjectName) -> PathBuf {
        let mut file_name = OsString::from(PREFIX);
        file_name.push(name.component());
        self.dir.join(file_name)
    }

    /// Reads and judges the pointer for projects with this name.
    pub fn read(&self, name: &ProjectName) -> PointerReading {
        match file::check_shared_dir(self.dir) {
            Ok(()) => self.read_path(&self.path(name)),
            Err(err) => PointerReading::Refused(err),
        }
    }

    fn read_path(&self, path: &Path) -> PointerReading {
        let content = match file::read_shared(path, MAX_BYTES) {
            Ok(Some(content)) => content,
            Ok(None) => return PointerReading::Absent,
            Err(err) => return PointerReading::Refused(err),
        };
        match pointer::decode(&content.bytes) {
            Ok((id, written)) => {
                let written = written_at(written, content.meta.modified);
                PointerReading::Pointer {
                    id,
                    written,
                    standing: self.standing(written),
                    meta: content.meta,
                }
            }
            Err(why) => PointerReading::Malformed(why, content.meta),
        }
    }

    fn standing(&self, written: Timestamp) -> Freshness {
        if written.ahead(self.now) > MAX_AHEAD {
            Freshness::Ahead
        } else if written.age(self.now) > self.ttl {
            Freshness::Stale
        } else {
            Freshness::Fresh
        }
    }

    /// Makes `id` the current session of projects with this name.
    ///
    /// # Errors
    /// Returns [`Error::Untrusted`] if the directory is not safe, or the existing file is another
    /// user's. Returns [`Error::Io`] if the pointer cannot be written. The old pointer then stays,
    /// unless only a check or sync after the rename failed.
    ///
    /// # Security
    /// The new file is 0600 from the start. Its temporary name is unpredictable and does not match
    /// `claude_session_*`, which other tools sweep. A rename gives it its final name, and
    /// afterwards the owner is checked again.
    pub fn store(&self, name: &ProjectName, id: &SessionId, durability: Durability) -> Result<()> {
        file::check_shared_dir(self.dir)?;
        let path = self.path(name);
        let present = refuse_foreign(&path)?;
        let text = pointer::encode(id, clock::to_civil(self.now));
        let temporary = write::prepared(&path, text.as_bytes(), durability, 0o600)?;
        // A stopped lock holder must not block this, so it continues without the lock after a
        // while.
        let _lock = self.state.and_then(|state| state.lock(HOOK_PATIENCE).ok());
        let placed = if present {
            temporary.persist(&path)
        } else {
            temporary.persist_noclobber(&path)
        };
        match placed {
            Ok(_) => {}
            // Another process created the pointer first. If it was another store of ours, both
            // sessions started at the same moment.
            Err(err) if !present && err.error.kind() == std::io::ErrorKind::AlreadyExists => {
                refuse_foreign(&path)?;
                let replaced = err.file.persist(&path);
                replaced.map_err(|err| Error::io("replace", &path)(err.error))?;
            }
            Err(err) => return Err(Error::io("replace", &path)(err.error)),
        }
        // A cleaner of the directory may have removed our temporary file, and another user may have
        // taken its name.
        refuse_foreign(&path)?;
        write::keep_name(&path, durability)
    }

    /// Makes `id` the current session of projects with this name, if the pointer names `instead_of`
    /// or does not exist.
    ///
    /// # Errors
    /// Returns [`Error::Untrusted`] if the directory is not safe, or the existing file is another
    /// user's. Returns [`Error::Io`] if the pointer cannot be written.
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
            PointerReading::Pointer { id: named, .. } if named == *instead_of => {
                temporary.persist(&path).map(drop)
            }
            PointerReading::Absent => temporary.persist_noclobber(&path).map(drop),
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
    /// Returns [`Error::Locked`] if another process holds the lock too long, and [`Error::Io`] if
    /// the pointer cannot be removed.
    pub fn remove_if_names(&self, name: &ProjectName, id: &SessionId) -> Result<Removal> {
        self.remove_if(&self.path(name), |path| self.names(path, id))
    }

    /// Acts as [`Self::remove_if_names`], for a caller that holds the lock of the state directory.
    ///
    /// # Errors
    /// [`Error::Io`].
    #[cfg(feature = "cli")]
    pub fn remove_if_names_locked(
        &self,
        _held: &Lock,
        name: &ProjectName,
        id: &SessionId,
    ) -> Result<Removal> {
        let path = self.path(name);
        match self.names(&path, id)? {
            Some(judged) => take_out(&path, judged),
            None => Ok(Removal::NotDue),
        }
    }

    /// Returns the metadata of the pointer at `path`, if it names the session `id`.
    fn names(&self, path: &Path, id: &SessionId) -> Result<Option<Meta>> {
        match self.read_path(path) {
            PointerReading::Pointer {
                id: named, meta, ..
            } if named == *id => Ok(Some(meta)),
            PointerReading::Refused(err @ Error::Io { .. }) => Err(err),
            _ => Ok(None),
        }
    }

    /// Removes the pointer of projects with this name if it is stale.
    ///
    /// # Errors
    /// Returns [`Error::Locked`] if another process holds the lock too long, and [`Error::Io`] if
    /// the pointer cannot be removed.
    pub fn remove_if_stale(&self, name: &ProjectName) -> Result<Removal> {
        self.remove_if(&self.path(name), |path| match self.doom(path)? {
            Some((SweepReason::Stale, meta)) => Ok(Some(meta)),
            _ => Ok(None),
        })
    }

    /// Returns why a sweep would remove the file at `path`, and the file's metadata; `None` if it
    /// would not.
    fn doom(&self, path: &Path) -> Result<Option<(SweepReason, Meta)>> {
        let (why, meta) = match self.read_path(path) {
            PointerReading::Pointer {
                standing: Freshness::Stale,
                meta,
                ..
            } => (SweepReason::Stale, meta),
            PointerReading::Malformed(_, meta) => (SweepReason::Unreadable, meta),
            // A regular file of ours that is refused for its mode, size or links is judged by age
            // alone.
            PointerReading::Refused(Error::Untrusted { .. }) => match file::look(path)? {
                Some(found) if is_file_of_ours(&found) => (SweepReason::Unreadable, found.meta),
                _ => return Ok(None),
            },
            PointerReading::Refused(err) => return Err(err),
            PointerReading::Pointer { .. } | PointerReading::Absent => return Ok(None),
        };
        // A modification time in the future means that the clock was set back, so no age is
        // reliable.
        let old = match why {
            SweepReason::Stale => meta.modified <= self.now,
            SweepReason::Unreadable | SweepReason::Orphaned => {
                meta.modified.age(self.now) > self.ttl
            }
        };
        Ok(old.then_some((why, meta)))
    }

    /// Removes the file at `path` if `doomed` returns its metadata. A file that was put there
    /// meanwhile is never removed.
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

    /// Acquires the lock that serialises stores and removals.
    fn lock(&self) -> Result<Option<Lock>> {
        let lock = self.state.map(|state| state.lock(HOOK_PATIENCE));
        lock.transpose()
    }

    /// Removes all stale pointers of ours, and files that killed processes left behind. With
    /// `dry_run`, it only reports them. Files that another process changes meanwhile are left to
    /// the next sweep.
    ///
    /// # Errors
    /// Returns [`Error::Untrusted`] if the directory is not safe, and [`Error::Io`] if it cannot be
    /// listed.
    pub fn sweep(&self, dry_run: bool) -> Result<SweepReport> {
        file::check_shared_dir(self.dir)?;
        let mut sweeping = SweepReport::default();
        let mut turn = SweepLock::Over;
        for name in file::first_names(self.dir, MAX_NAMES)? {
            turn.go_on();
            let path = self.dir.join(&name);
            let why = if name.as_bytes().starts_with(PREFIX.as_bytes()) {
                // The next sweep retries what cannot be inspected or removed now.
                self.sweep_pointer(&path, dry_run, &mut turn, &mut sweeping.failed)
                    .unwrap_or(None)
            } else if write::is_temporary(&name) {
                self.sweep_temporary(&path, dry_run)
            } else if name.as_bytes().starts_with(LEAVING.as_bytes()) {
                self.sweep_leaving(&path, dry_run)
            } else {
                None
            };
            sweeping
                .swept
                .extend(why.map(|why| SweptFile { path, why }));
        }
        Ok(sweeping)
    }

    fn sweep_pointer(
        &self,
        path: &Path,
        dry_run: bool,
        turn: &mut SweepLock,
        failed: &mut Vec<Error>,
    ) -> Result<Option<SweepReason>> {
        let mut doomed = self.doom(path)?;
        if dry_run || doomed.is_none() {
            return Ok(doomed.map(|(why, _)| why));
        }
        if matches!(turn, SweepLock::Over) {
            *turn = match self.lock() {
                Ok(_lock) => SweepLock::Mine { left: TURN, _lock },
                // Waiting for the holder at each pointer would take too long; the next sweep
                // removes these.
                Err(err) => {
                    if !matches!(err, Error::Locked { .. }) && failed.is_empty() {
                        failed.push(err);
                    }
                    SweepLock::Nobodys
                }
            };
            doomed = self.doom(path)?;
        }
        match (turn, doomed) {
            (SweepLock::Mine { .. }, Some((why, judged))) => {
                Ok((take_out(path, judged)? == Removal::Done).then_some(why))
            }
            _ => Ok(None),
        }
    }

    fn sweep_temporary(&self, path: &Path, dry_run: bool) -> Option<SweepReason> {
        let found = file::look(path).ok()??;
        let is_orphan = write::is_orphan(&found, self.now);
        (is_orphan && (dry_run || write::remove(path).unwrap_or(false)))
            .then_some(SweepReason::Orphaned)
    }

    /// Handles a pointer whose remover died midway. A fresh one returns to its place if that is
    /// free; any other is removed.
    fn sweep_leaving(&self, path: &Path, dry_run: bool) -> Option<SweepReason> {
        let found = file::look(path).ok()??;
        if !is_file_of_ours(&found) || !was_left_aside(path) {
            return None;
        }
        if self.read_path(path).fresh().is_some() {
            let place = place_of(path)?;
            if dry_run || matches!(write::rename_to_free(path, &place), Ok(RenameOutcome::Done)) {
                return None;
            }
        }
        (dry_run || write::remove(path).unwrap_or(false)).then_some(SweepReason::Orphaned)
    }
}

/// Removes the pointer at `path` if it is the file that was judged.
///
/// A check before the unlink is not enough, because a store may come in between. The caller
/// therefore holds the lock that stores take, too. Some writers know no lock, so the file is first
/// moved aside and checked again. If it is not the judged file, it is moved back.
fn take_out(path: &Path, judged: Meta) -> Result<Removal> {
    let aside = aside(path);
    if write::rename_to_free(path, &aside)? != RenameOutcome::Done {
        return Ok(Removal::Changed);
    }
    let is_removed = match file::look(&aside) {
        Ok(Some(found)) if found.meta == judged => write::remove(&aside),
        other => other.map(|_| false),
    };
    if matches!(is_removed, Ok(true)) {
        return Ok(Removal::Done);
    }
    if write::rename_to_free(&aside, path)? != RenameOutcome::Done {
        // An even newer pointer has arrived.
        write::remove(&aside)?;
    }
    is_removed.map(|_| Removal::Changed)
}

fn is_file_of_ours(found: &Inspection) -> bool {
    found.kind == FileType::RegularFile && found.owner == file::me()
}

/// Returns an error if the file at `path` is another user's. Otherwise returns whether it exists.
fn refuse_foreign(path: &Path) -> Result<bool> {
    match file::look(path)? {
        Some(found) if found.owner != file::me() => Err(Error::Untrusted {
            path: path.to_owned(),
            why: Untrusted::ForeignOwner(found.owner),
        }),
        found => Ok(found.is_some()),
    }
}

/// Returns `.ccsession-gone-{pid}-{microseconds}-{the pointer's name}` in the same directory.
fn aside(path: &Path) -> PathBuf {
    let mut name = OsString::from(format!(
        "{LEAVING}{}-{}-",
        std::process::id(),
        clock::since_boot()
    ));
    name.push(path.file_name().unwrap_or_default());
    path.with_file_name(name)
}

/// Returns whether the remover of the pointer moved aside to `path` must be dead: the move was long
/// ago or before the last boot. The time is in the name, because the file's own times are from when
/// it was a pointer.
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

/// Returns the original path of a pointer that was moved aside to `path`.
fn place_of(path: &Path) -> Option<PathBuf> {
    let name = path.file_name()?.as_bytes();
    let start = name
        .windows(PREFIX.len())
        .position(|window| window == PREFIX.as_bytes())?;
    Some(path.with_file_name(OsStr::from_bytes(name.get(start..)?)))
}

/// Returns when the pointer was written.
///
/// Its text may be a local time without a zone. If the file's modification time differs from it by
/// a zone offset, the text is from another zone or from across a clock change. The modification
/// time then counts.
fn written_at(written: PointerTime, modified: Timestamp) -> Timestamp {
    let civil = match written {
        PointerTime::Instant(time) => return time,
        PointerTime::Civil(civil) => civil,
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

/// Returns whether the text of a pointer was written in another time zone.
///
/// `difference` is the file's time minus the time that the text means here. `ahead` is the writer's
/// offset from UTC, if text and file are equally old. Both are in microseconds. Zones differ by up
/// to 26 hours. A difference above 14 hours counts only if some zone has the offset `ahead`.
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

    /// Checks a text written in a zone `written_in` seconds ahead of UTC and read in the zone
    /// `read_in`. The file is `older` seconds older than its text says.
    #[track_caller]
    fn check(written_in: i64, older: i64, read_in: i64, by_file: bool) {
        let ahead = written_in - older;
        let difference = read_in - ahead;
        let found = is_by_zones(difference * 1_000_000, ahead * 1_000_000);
        assert_eq!(found, by_file, "{written_in} {older} {read_in}");
    }

    const HOUR: i64 = 3600;

    #[test]
    fn a_pointer_from_another_zone_is_dated_by_its_file() {
        let zones = || (-48..=56).map(|quarters| quarters * 900);
        for (written_in, read_in) in zones().flat_map(|one| zones().map(move |it| (one, it))) {
            for older in [0, 1, -2] {
                check(written_in, older, read_in, written_in != read_in);
            }
        }
    }

    #[test]
    fn a_time_that_no_zone_explains_is_taken_from_the_text() {
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
    fn a_time_with_an_offset_is_exact() {
        let (at, modified) = (Timestamp::from_micros(1_000_000), clock::now());
        assert_eq!(written_at(PointerTime::Instant(at), modified), at);
    }

    #[test]
    fn the_place_of_a_pointer_set_aside_is_in_its_name() {
        let pointer = Path::new("/tmp/claude_session_shop");
        assert_eq!(place_of(&aside(pointer)).as_deref(), Some(pointer));
    }
}
