//! The state directory. It is private (mode 0700), which is checked when it is opened.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::error::{Error, Result};
use super::journal::compressed::Decompressor;
use super::lock::{self, Lock};
use super::places::Places;
use super::session::{SessionDir, SetAside};
use super::{file, write};
use crate::model::{Record, SessionId, Timestamp};

/// The result of changing a session's record.
#[derive(Debug, Clone, PartialEq)]
pub enum RecordUpdate {
    /// The record was replaced by this one.
    Replaced(Record),
    /// Nothing had to change; this is the record.
    Unchanged(Record),
    /// The session has no record.
    Missing,
}

/// The content of the file that dates the daily work, until the work is done.
const BEGUN: &[u8] = b"begun\n";

/// An existing state directory that was checked.
#[derive(Debug, Clone)]
pub struct StateDir {
    root: PathBuf,
    /// The way to read the compressed parts of journals.
    decompressor: Decompressor,
}

impl StateDir {
    /// Opens the state directory. Returns `None` if it does not exist, which means that nothing was
    /// recorded. `decompressor` reads compressed parts of journals.
    ///
    /// # Errors
    /// Returns [`Error::NoStateDir`] if no path for the directory is known. Returns
    /// [`Error::Untrusted`] if the directory is not private to this user, or would have to be
    /// created where another user can write. Returns [`Error::Io`] if it cannot be inspected. In
    /// all these cases it is unknown what was recorded.
    pub fn open(places: &Places, decompressor: Decompressor) -> Result<Option<Self>> {
        let root = places.state.as_deref().ok_or(Error::NoStateDir)?;
        if !file::check_private_dir(root)? {
            write::check_could_make(root)?;
            return Ok(None);
        }
        Ok(Some(Self {
            root: root.to_owned(),
            decompressor,
        }))
    }

    /// Opens the state directory, and creates it if it is missing.
    ///
    /// # Errors
    /// Fails if [`Self::open`] fails, and returns [`Error::Io`] if the directory cannot be created.
    pub fn create(places: &Places, decompressor: Decompressor) -> Result<Self> {
        let root = places.state.as_deref().ok_or(Error::NoStateDir)?;
        write::make_private_dir(root)?;
        Ok(Self {
            root: root.to_owned(),
            decompressor,
        })
    }

    /// Returns the state directory at `root`, which the caller has created.
    #[cfg(feature = "cli")]
    pub(super) fn at(root: PathBuf, decompressor: Decompressor) -> Self {
        Self { root, decompressor }
    }

    /// Returns the path of the state directory.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Lists the state directory and its folders, for a search for temporary files of killed
    /// processes. Omits `sessions` and `archive`, which a cleanup searches separately.
    ///
    /// # Errors
    /// Returns [`Error::Io`] if the state directory cannot be listed.
    pub fn folders(&self) -> Result<Vec<PathBuf>> {
        let is_folder = |name: &OsString| name != "sessions" && name != "archive";
        let paths = file::names(&self.root)?
            .filter(is_folder)
            .map(|name| self.root.join(name));
        let is_dir = |path: &PathBuf| matches!(file::look(path), Ok(Some(found)) if found.is_dir());
        let mut folders: Vec<PathBuf> = paths.filter(is_dir).collect();
        folders.push(self.root.clone());
        Ok(folders)
    }

    /// Returns the folder of one session, which may not exist.
    pub fn session(&self, id: &SessionId) -> SessionDir {
        SessionDir::new(self.sessions().join(id.as_str()), self.decompressor)
    }

    /// Reads a session's record under the lock, and replaces it if `change` returns a new one.
    /// Hooks do not call this, except to stop or resume a recording.
    ///
    /// # Errors
    /// Returns [`Error::Locked`] if the lock is not available within `patience`. Fails if the
    /// record cannot be read or replaced; the old record stays then.
    pub fn update_record(
        &self,
        id: &SessionId,
        patience: Duration,
        change: impl FnOnce(&Record) -> Option<Record>,
    ) -> Result<RecordUpdate> {
        let lock = self.lock(patience)?;
        self.update_record_locked(&lock, id, change)
    }

    /// Does the same as [`Self::update_record`] for a caller that holds the lock.
    ///
    /// # Errors
    /// Fails if the record cannot be read or replaced; the old record stays then.
    pub fn update_record_locked(
        &self,
        _held: &Lock,
        id: &SessionId,
        change: impl FnOnce(&Record) -> Option<Record>,
    ) -> Result<RecordUpdate> {
        let session = self.session(id);
        let Some(present) = session.record()? else {
            return Ok(RecordUpdate::Missing);
        };
        match change(&present) {
            None => Ok(RecordUpdate::Unchanged(present)),
            Some(changed) => {
                session.replace_record(&changed)?;
                Ok(RecordUpdate::Replaced(changed))
            }
        }
    }

    /// Replaces a record that a power failure has emptied. Returns whether it was one. The caller
    /// must hold the lock.
    ///
    /// # Errors
    /// Returns [`Error::Io`] if the record cannot be written, or is too large to be read again.
    #[cfg(feature = "cli")]
    pub fn replace_lost_record(&self, _held: &Lock, record: &Record) -> Result<bool> {
        let session = self.session(&record.session_id);
        let is_lost = session.has_lost_record();
        if is_lost {
            session.replace_record(record)?;
        }
        Ok(is_lost)
    }

    /// Returns the ids of all sessions on record, in no order.
    ///
    /// # Errors
    /// Returns [`Error::Io`] if the folder cannot be listed.
    pub fn session_ids(&self) -> Result<impl Iterator<Item = SessionId> + use<>> {
        let names = file::names(&self.sessions())?;
        Ok(names.filter_map(|name| name.to_str()?.parse().ok()))
    }

    /// Returns the sessions that a cleanup has set aside for removal and that still exist.
    ///
    /// # Errors
    /// Returns [`Error::Io`] if the folder cannot be listed.
    pub fn set_aside(&self) -> Result<Vec<SetAside>> {
        let sessions = self.sessions();
        let names = file::names(&sessions)?;
        Ok(names
            .filter_map(|name| SetAside::at(&sessions, &name))
            .collect())
    }

    /// Returns when a session was last added or removed. That is the modification time of the
    /// folder `sessions`; `None` if it does not exist.
    ///
    /// # Errors
    /// Returns [`Error::Io`] if the folder cannot be inspected.
    pub(super) fn sessions_changed(&self) -> Result<Option<Timestamp>> {
        Ok(file::look(&self.sessions())?.map(|found| found.meta.modified))
    }

    /// Acquires the lock. Waits at most `patience`.
    ///
    /// # Errors
    /// Returns [`Error::Locked`] if another process holds the lock too long, and [`Error::Io`] if
    /// the lock file cannot be opened.
    pub fn lock(&self, patience: Duration) -> Result<Lock> {
        lock::acquire(&self.path("lock"), patience)
    }

    /// Does the same as [`Self::lock`] for a caller that must not create files. Returns `None` if
    /// there is no lock file, because then no process holds the lock.
    ///
    /// # Errors
    /// Returns [`Error::Locked`] if another process holds the lock, and [`Error::Io`] if the lock
    /// file cannot be opened.
    pub fn try_lock(&self, patience: Duration) -> Result<Option<Lock>> {
        let path = self.path("lock");
        let is_there = file::look(&path)?.is_some();
        is_there.then(|| lock::acquire(&path, patience)).transpose()
    }

    /// Returns when the last cleanup began: the modification time of its stamp file.
    pub fn last_sweep(&self) -> Option<Timestamp> {
        file::look(&self.path("sweep"))
            .ok()
            .flatten()
            .map(|found| found.meta.modified)
    }

    /// Returns whether the last cleanup was longer than `interval` ago. If its time is in the
    /// future, the clock was set back, and a cleanup is due, too.
    pub fn sweep_is_due(&self, interval: Duration, now: Timestamp) -> bool {
        self.last_sweep()
            .is_none_or(|last| last.age(now) > interval || last > now)
    }

    /// Records that a cleanup begins now. `last` is the time of the last one that the caller has
    /// seen. If several processes call this with the same `last`, returns true only for one of
    /// them.
    ///
    /// # Errors
    /// Returns [`Error::Io`] if the stamp cannot be written.
    pub fn claim_sweep(&self, last: Option<Timestamp>) -> Result<bool> {
        let _lock = self.lock(lock::HOOK_PATIENCE)?;
        if self.last_sweep() != last {
            return Ok(false);
        }
        write::replace(&self.path("sweep"), b"", write::Durability::Cached)?;
        Ok(true)
    }

    /// Records that the daily work begins, if it is due. It is the part of a cleanup that examines
    /// every session. Returns whether it was due.
    ///
    /// # Errors
    /// Returns [`Error::Io`] if the stamp cannot be written.
    pub fn claim_daily(&self, now: Timestamp) -> Result<bool> {
        let is_due = self.daily_is_due(now)?;
        if is_due {
            write::replace(&self.path("daily"), BEGUN, write::Durability::Cached)?;
        }
        Ok(is_due)
    }

    /// Records that the daily work is done.
    ///
    /// # Errors
    /// Returns [`Error::Io`] if the stamp cannot be written.
    pub fn end_daily(&self) -> Result<()> {
        write::replace(&self.path("daily"), b"", write::Durability::Cached)
    }

    /// Returns whether the daily work is due: a day after it was done, or an hour after it began if
    /// it was not finished.
    ///
    /// # Errors
    /// Returns [`Error::Io`] if the stamp cannot be inspected.
    pub fn daily_is_due(&self, now: Timestamp) -> Result<bool> {
        const DAY: Duration = Duration::from_secs(24 * 60 * 60);
        const HOUR: Duration = Duration::from_secs(60 * 60);
        let path = self.path("daily");
        let is_begun = |stamp: &file::Inspection| {
            let size = stamp.meta.size == BEGUN.len() as u64;
            size && matches!(file::read_own(&path, BEGUN.len()), Ok(Some(read)) if read.bytes == BEGUN)
        };
        Ok(file::look(&path)?.is_none_or(|stamp| {
            let pause = if is_begun(&stamp) { HOUR } else { DAY };
            let last = stamp.meta.modified;
            last.age(now) >= pause || last > now
        }))
    }

    /// Returns the path of a file or folder in the state directory.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    fn sessions(&self) -> PathBuf {
        self.path("sessions")
    }
}
