//! Pointers: the file `/tmp/claude_session_{project name}` names a project's current session, for
//! any program that can read a file.
//!
//! A pointer is a copy. If it contradicts the state directory, the state directory is right.
//!
//! # Security
//! Other users can write to the directory. A pointer is believed only if it is a regular file of
//! this user, with one hard link, to which nobody else may write. It is opened without following
//! links or blocking. Another user's file is never replaced or removed, not even by root.

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

/// How far in the future the time of a pointer may be. A later one is not believed.
const MAX_AHEAD: Duration = Duration::from_secs(5 * 60);
/// The most names that a sweep reads from the directory.
const MAX_NAMES: usize = 100_000;
/// How many names a sweep handles before it releases the lock. That takes about a millisecond.
const TURN: usize = 64;
/// The prefix of a pointer's name for the moment between moving it aside and removing it.
const LEAVING: &str = ".ccsession-gone-";

/// The pointer directory, and the settings that decide whether a pointer is believed.
#[derive(Debug, Clone, Copy)]
pub struct Pointers<'a> {
    /// The directory that contains the pointers, usually `/tmp`.
    pub dir: &'a Path,
    /// The state directory, whose lock serializes changes of pointers. Without it, only the checks
    /// of each removal prevent races.
    pub state: Option<&'a StateDir>,
    /// How long after it was written a pointer is fresh.
    pub ttl: Duration,
    pub now: Timestamp,
}

/// The result of reading a pointer.
#[derive(Debug)]
pub enum PointerReading {
    /// No file exists.
    Absent,
    /// A well-formed pointer.
    Pointer {
        /// The session that the pointer names.
        id: SessionId,
        /// When the pointer was written.
        written: Timestamp,
        /// Whether the pointer is fresh.
        standing: Freshness,
        /// The file's metadata.
        meta: Meta,
    },
    /// A file of this user whose text is not a pointer.
    Malformed(InvalidPointer, Meta),
    /// A file or directory that must not be trusted, or could not be read.
    Refused(Error),
}

/// The freshness of a pointer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// The pointer was written at most [`Pointers::ttl`] ago.
    Fresh,
    /// The pointer was written longer ago.
    Stale,
    /// The pointer says that it was written more than five minutes in the future, so a clock was
    /// wrong.
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
    /// Why the file is removed.
    pub why: SweepReason,
}

/// The result of a sweep, which removes stale pointers.
#[derive(Debug, Default)]
pub struct SweepReport {
    /// The files that were removed, or would be.
    pub swept: Vec<SweptFile>,
    /// The error that prevented the sweep from acquiring the lock, if any. Then no pointer was
    /// removed. A lock that another process holds is not an error.
    pub failed: Vec<Error>,
}

/// Why a sweep removes a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SweepReason {
    /// A pointer older than the TTL.
    Stale,
    /// The file is not a valid pointer, and has not been modified for longer than
    /// [`Pointers::ttl`].
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

/// The lock during a sweep. The sweep holds it for a limited number of names, and then releases it
/// for others.
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
    /// Counts a name, and releases the lock after [`TURN`] names.
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

    /// Reads the pointer for projects with this name, and decides whether it is believed.
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
    /// The new file has mode 0600 from the start. Its temporary name is unpredictable, and does not
    /// match `claude_session_*`, which other tools clean up. After the rename to the final name,
    /// the owner is checked again.
    pub fn store(&self, name: &ProjectName, id: &SessionId, durability: Durability) -> Result<()> {
        file::check_shared_dir(self.dir)?;
        let path = self.path(name);
        let present = refuse_foreign(&path)?;
        let text = pointer::encode(id, clock::to_civil(self.now));
        let temporary = write::prepared(&path, text.as_bytes(), durability, 0o600)?;
        // After a while, continue without the lock: a stopped holder must not block a hook.
        let _lock = self.state.and_then(|state| state.lock(HOOK_PATIENCE).ok());
        let placed = if present {
            temporary.persist(&path)
        } else {
            temporary.persist_noclobber(&path)
        };
        match placed {
            Ok(_) => {}
            // Another process has created the pointer meanwhile. If it is a hook of this user, both
            // sessions started at the same moment.
            Err(err) if !present && err.error.kind() == std::io::ErrorKind::AlreadyExists => {
                refuse_foreign(&path)?;
                let replaced = err.file.persist(&path);
                replaced.map_err(|err| Error::io("replace", &path)(err.error))?;
            }
            Err(err) => return Err(Error::io("replace", &path)(err.error)),
        }
        // A program that cleans up `/tmp` may have removed the temporary file, and another user may
        // have created one with its name.
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

    /// Returns why a sweep would remove the file at `path`, and the file's metadata. Returns `None`
    /// if it would keep the file.
    fn doom(&self, path: &Path) -> Result<Option<(SweepReason, Meta)>> {
        let (why, meta) = match self.read_path(path) {
            PointerReading::Pointer {
                standing: Freshness::Stale,
                meta,
                ..
            } => (SweepReason::Stale, meta),
            PointerReading::Malformed(_, meta) => (SweepReason::Unreadable, meta),
            // If a regular file of this user is refused for its mode, size or links, only its age
            // decides.
            PointerReading::Refused(Error::Untrusted { .. }) => match file::look(path)? {
                Some(found) if is_file_of_ours(&found) => (SweepReason::Unreadable, found.meta),
                _ => return Ok(None),
            },
            PointerReading::Refused(err) => return Err(err),
            PointerReading::Pointer { .. } | PointerReading::Absent => return Ok(None),
        };
        // Keep a stale pointer with a modification time in the future: the clock was set back, so
        // no age is reliable.
        let old = match why {
            SweepReason::Stale => meta.modified <= self.now,
            SweepReason::Unreadable | SweepReason::Orphaned => {
                meta.modified.age(self.now) > self.ttl
            }
        };
        Ok(old.then_some((why, meta)))
    }

    /// Removes the file at `path` if `doomed` returns its metadata. Never removes a file that
    /// another process has put there meanwhile.
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

    /// Acquires the lock that serializes changes of pointers.
    fn lock(&self) -> Result<Option<Lock>> {
        let lock = self.state.map(|state| state.lock(HOOK_PATIENCE));
        lock.transpose()
    }

    /// Removes all stale pointers of this user, and files that killed processes left behind. With
    /// `dry_run`, only reports them. Files that another process changes meanwhile are left to the
    /// next sweep.
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
                // Ignore a failure: the next sweep tries the file again.
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
                // Do not try the lock again for each pointer, which would take too long. The next
                // sweep removes these.
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

    /// Handles a pointer that was moved aside by a process that then died. A fresh one gets its
    /// name back if that is free; any other is removed.
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

/// Removes the pointer at `path` if it is still the file that was checked (`judged`).
///
/// A check before the removal is not enough, because another process may write the pointer in
/// between. So the caller must hold the lock. Other programs write pointers without a lock, so the
/// file is first moved aside and checked again. If it is another file than `judged`, it is moved
/// back.
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
        // Another program has written an even newer pointer meanwhile.
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

/// Returns whether the process that moved a pointer aside to `path` must be dead, because that was
/// long ago or before the last boot. The time of the move is in the name: the file's own times are
/// older.
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

/// Returns the original path of a pointer that was moved aside to `path`. The name contains it.
fn place_of(path: &Path) -> Option<PathBuf> {
    let name = path.file_name()?.as_bytes();
    let start = name
        .windows(PREFIX.len())
        .position(|window| window == PREFIX.as_bytes())?;
    Some(path.with_file_name(OsStr::from_bytes(name.get(start..)?)))
}

/// Returns when the pointer was written.
///
/// The text of the pointer may be a local time without a time zone. If the file's modification time
/// differs from it by the difference of two time zones, the text was written in another zone or
/// before a clock change. Then returns the modification time.
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

/// Returns whether the text of a pointer was probably written in another time zone.
///
/// `difference` is the file's modification time minus the time that the text means in this zone.
/// `ahead` is the offset from UTC that the writer's zone must have if both times are the same
/// moment. Both are in microseconds. Zones differ by up to 26 hours. A difference above 14 hours is
/// accepted only if some zone has the offset `ahead`.
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
