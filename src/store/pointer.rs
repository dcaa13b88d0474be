//! The pointer, `/tmp/claude_session_{project name}`: a project's current session, for anybody who can read a file.
//!
//! It is a mirror. What is exact is in the state directory, and where the two disagree, that wins.
//!
//! # Security
//! The directory is shared with strangers. A pointer is believed only if it is a regular file of ours, with one name,
//! that nobody else may write to; it is opened without following links or blocking. Nothing of another user's is ever
//! replaced or removed, by root neither.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::FileType;

use super::clock;
use super::error::{Error, Result, Unsafe};
use super::file::{self, Meta};
use super::lock::HOOK_PATIENCE;
use super::state::State;
use super::write::{self, Durability, TEMPORARY};
use crate::model::pointer::{self, MAX_BYTES, Malformed, PREFIX, Written};
use crate::model::{ProjectName, SessionId, Timestamp};

/// A pointer from further ahead than this is not fresh.
const MAX_AHEAD: Duration = Duration::from_secs(5 * 60);
/// A temporary file that is older belongs to a process that died.
const ORPHANED: Duration = Duration::from_secs(10 * 60);
/// The most names in the directory that one sweep looks at.
const MAX_NAMES: usize = 100_000;
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

    fn meta(&self) -> Option<Meta> {
        match self {
            Self::Pointer { meta, .. } | Self::Malformed(_, meta) => Some(*meta),
            Self::Absent | Self::Refused(_) => None,
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

impl Pointers<'_> {
    /// The path of the pointer of projects with this name.
    pub fn path(&self, name: &ProjectName) -> PathBuf {
        let mut file_name = OsString::from(PREFIX);
        file_name.push(name.component());
        self.dir.join(file_name)
    }

    /// Reads and judges the pointer of projects with this name.
    pub fn read(&self, name: &ProjectName) -> Reading {
        self.read_path(&self.path(name))
    }

    fn read_path(&self, path: &Path) -> Reading {
        let content = match file::read_own(path, MAX_BYTES) {
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
    /// gets its own name by a rename.
    pub fn store(&self, name: &ProjectName, id: &SessionId, durability: Durability) -> Result<()> {
        file::check_shared_dir(self.dir)?;
        let path = self.path(name);
        refuse_foreign(&path)?;
        let text = pointer::encode(id, clock::to_civil(self.now));
        let temporary = write::prepared(&path, text.as_bytes(), durability, 0o600)?;
        // A holder that was stopped must not stop this: after a while it goes on without the lock.
        let _lock = self.state.and_then(|state| state.lock(HOOK_PATIENCE).ok());
        temporary
            .persist(&path)
            .map(drop)
            .map_err(|err| Error::io("replace", &path)(err.error))
    }

    /// Removes the pointer of projects with this name if it names `id`. Whether it did is the answer.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Locked`].
    pub fn remove_if_names(&self, name: &ProjectName, id: &SessionId) -> Result<bool> {
        let names = |reading: &Reading| matches!(reading, Reading::Pointer { id: named, .. } if named == id);
        self.remove_if(&self.path(name), names)
    }

    /// Removes the pointer of projects with this name if it is stale. Whether it was is the answer.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Locked`].
    pub fn remove_if_stale(&self, name: &ProjectName) -> Result<bool> {
        self.remove_if(&self.path(name), |reading| {
            self.doom(reading) == Some(Why::Stale)
        })
    }

    /// Why a sweep would remove what was read, if it would.
    fn doom(&self, reading: &Reading) -> Option<Why> {
        match reading {
            // A modification time from the future says that the clock was set back: no age can be believed.
            Reading::Pointer {
                standing: Standing::Stale,
                meta,
                ..
            } if meta.modified <= self.now => Some(Why::Stale),
            Reading::Malformed(_, meta) if meta.modified.age(self.now) > self.ttl => {
                Some(Why::Unreadable)
            }
            _ => None,
        }
    }

    /// Removes the file at `path` if `doomed` says so, and never a file that was put there meanwhile.
    ///
    /// Checking again before unlinking is not enough: a store may come between the check and the unlink. So stores and
    /// removals take turns by the lock; and, for writers that know no lock, the file is first moved aside, looked at
    /// again, and moved back if it is not the one that was judged.
    fn remove_if(&self, path: &Path, doomed: impl Fn(&Reading) -> bool) -> Result<bool> {
        if !doomed(&self.read_for_removal(path)?) {
            return Ok(false);
        }
        let _lock = self
            .state
            .map(|state| state.lock(HOOK_PATIENCE))
            .transpose()?;
        let judged = self.read_for_removal(path)?;
        if !doomed(&judged) {
            return Ok(false);
        }
        let aside = aside(path);
        if !write::rename_to_free(path, &aside)? {
            return Ok(false);
        }
        let moved = file::look(&aside)?.map(|found| found.meta);
        if moved == judged.meta() {
            return write::remove(&aside);
        }
        if !write::rename_to_free(&aside, path)? {
            // A still newer pointer has arrived.
            write::remove(&aside)?;
        }
        Ok(false)
    }

    /// Reads for a removal, of which a system that refuses to read is the end.
    fn read_for_removal(&self, path: &Path) -> Result<Reading> {
        match self.read_path(path) {
            Reading::Refused(err @ Error::Io { .. }) => Err(err),
            reading => Ok(reading),
        }
    }

    /// Removes every stale pointer of ours, and what was left behind by processes that died; with `dry_run`, only says
    /// which. What another process changes meanwhile is left to the next sweep.
    ///
    /// # Errors
    /// [`Error::Unsafe`] where the directory is not safe, [`Error::Io`] where it cannot be listed.
    pub fn sweep(&self, dry_run: bool) -> Result<Vec<Swept>> {
        file::check_shared_dir(self.dir)?;
        let mut swept = Vec::new();
        for name in file::names(self.dir)?.take(MAX_NAMES) {
            let path = self.dir.join(&name);
            let gone = if name.as_bytes().starts_with(PREFIX.as_bytes()) {
                self.sweep_pointer(&path, dry_run)
            } else if name.as_bytes().starts_with(TEMPORARY.as_bytes()) {
                self.sweep_temporary(&path, dry_run)
            } else if name.as_bytes().starts_with(LEAVING.as_bytes()) {
                self.sweep_leaving(&path, dry_run)
            } else {
                None
            };
            swept.extend(gone.map(|why| Swept { path, why }));
        }
        Ok(swept)
    }

    fn sweep_pointer(&self, path: &Path, dry_run: bool) -> Option<Why> {
        let why = match self.read_path(path) {
            Reading::Refused(_) => return self.sweep_refused(path, dry_run),
            reading => self.doom(&reading)?,
        };
        let gone = dry_run
            || self
                .remove_if(path, |reading| self.doom(reading) == Some(why))
                .unwrap_or(false);
        gone.then_some(why)
    }

    /// A regular file of ours that cannot be believed (its mode, its size, its links) goes by its age alone.
    fn sweep_refused(&self, path: &Path, dry_run: bool) -> Option<Why> {
        self.is_old_file_of_ours(path, self.ttl)?;
        (dry_run || write::remove(path).unwrap_or(false)).then_some(Why::Unreadable)
    }

    fn sweep_temporary(&self, path: &Path, dry_run: bool) -> Option<Why> {
        self.is_old_file_of_ours(path, ORPHANED)?;
        (dry_run || write::remove(path).unwrap_or(false)).then_some(Why::Orphaned)
    }

    /// A pointer whose remover died half-way: back to its place if it still counts and the place is free.
    fn sweep_leaving(&self, path: &Path, dry_run: bool) -> Option<Why> {
        self.is_old_file_of_ours(path, ORPHANED)?;
        if !dry_run
            && self.read_path(path).fresh().is_some()
            && let Some(place) = place_of(path)
            && write::rename_to_free(path, &place).unwrap_or(false)
        {
            return None;
        }
        (dry_run || write::remove(path).unwrap_or(false)).then_some(Why::Orphaned)
    }

    fn is_old_file_of_ours(&self, path: &Path, age: Duration) -> Option<()> {
        let found = file::look(path).ok()??;
        let ours = found.kind == FileType::RegularFile && found.owner == file::me();
        (ours && found.meta.modified.age(self.now) > age).then_some(())
    }
}

fn refuse_foreign(path: &Path) -> Result<()> {
    match file::look(path)? {
        Some(found) if found.owner != file::me() => Err(Error::Unsafe {
            path: path.to_owned(),
            why: Unsafe::ForeignOwner(found.owner),
        }),
        _ => Ok(()),
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

/// The place that a pointer set aside at `path` came from.
fn place_of(path: &Path) -> Option<PathBuf> {
    let name = path.file_name()?.to_str()?;
    let start = name.find(PREFIX)?;
    Some(path.with_file_name(name.get(start..)?))
}

/// When the pointer was written. Civil time names no zone: where the file's modification time differs from it by what
/// zones differ by, the pointer was written under another zone (or across a change of the clocks), and the file knows.
fn written_at(written: Written, modified: Timestamp) -> Timestamp {
    const QUARTER: u64 = 15 * 60 * 1_000_000;
    const TOLERANCE: u64 = 2 * 1_000_000;
    const WIDEST: u64 = 14 * 60 * 60 * 1_000_000;
    let time = match written {
        Written::Instant(time) => return time,
        Written::Civil(civil) => clock::from_civil(civil, modified),
    };
    let difference = modified.micros().abs_diff(time.micros());
    let off_quarter = (difference + TOLERANCE) % QUARTER;
    let by_zones =
        difference > TOLERANCE && difference <= WIDEST + TOLERANCE && off_quarter <= 2 * TOLERANCE;
    if by_zones { modified } else { time }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(seconds_before: i64, by_file: bool) {
        let modified = clock::now();
        let time = Timestamp::from_micros(modified.micros() - seconds_before * 1_000_000);
        let expected = if by_file { modified } else { time };
        assert_eq!(
            written_at(Written::Civil(clock::to_civil(time)), modified),
            expected,
            "{seconds_before}"
        );
    }

    #[test]
    fn a_difference_as_between_zones_goes_by_the_file() {
        check(9 * 3600, true);
        check(-9 * 3600 + 1, true);
        check(12 * 3600 + 1800 - 2, true);
        check(-900, true);
        check(14 * 3600, true);
    }

    #[test]
    fn any_other_difference_goes_by_the_text() {
        check(0, false);
        check(2, false);
        check(360, false);
        check(9 * 3600 + 5, false);
        check(25 * 3600, false);
        check(-15 * 3600, false);
    }

    #[test]
    fn the_place_of_a_pointer_set_aside_is_in_its_name() {
        let pointer = Path::new("/tmp/claude_session_shop");
        assert_eq!(place_of(&aside(pointer)).as_deref(), Some(pointer));
    }
}
