//! The folder of a session, `sessions/{id}/`. It contains the record, the owners, the imported
//! events, the token counts and the journal, which has its own module ([`super::journal`]). The
//! folder moves only when a cleanup sets it aside to remove it.

use std::cmp::Reverse;
use std::ffi::{OsStr, OsString};
#[cfg(feature = "cli")]
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::path::{Path, PathBuf};

use super::error::{Error, Result, Untrusted};
use super::file::{self, Meta};
use super::journal::compressed::Decompressor;
use super::journal::{self, Damage, Events, Journal, JournalLines};
use super::lock;
use super::write::{self, Durability};
use crate::model::record::EventDefaults;
#[cfg(feature = "cli")]
use crate::model::record::InvalidRecord;
use crate::model::{Event, Owner, Record, SessionId, Timestamp};

/// The largest record that is read or written, in bytes. It has room for many notes.
const MAX_RECORD: usize = 1 << 22;
/// The largest owner file that is read, in bytes.
const MAX_OWNER: usize = 4096;
/// The error for a record that a power failure has emptied.
const LOST: &str = "it is empty or torn, as a power failure leaves it; the session's next event, `ccsession import`, `run` or `clock-in` makes it again";
/// The largest `usage.json` that is read, in bytes. It has room for the transcripts of several
/// hundred thousand subagents.
const MAX_USAGE: usize = 256 << 20;
/// The largest file of open calls that is read, in bytes.
const MAX_OPEN_NOTE: usize = 1 << 20;
/// Largest note on the end of a journal that is read, in bytes.
const MAX_END_NOTE: usize = 1 << 20;
/// The largest `title.json` that is read, in bytes.
const MAX_TITLE_NOTE: usize = 1 << 16;
/// The most owners that are read. If a session has more, only these decide whether it is live.
const MAX_OWNERS: usize = 256;

/// The result of creating a session. If several hooks create the same session, one of them writes
/// the record, and one, maybe another, begins the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Creation {
    /// Whether the given record was written.
    pub record: bool,
    /// Whether the journal begins with the given event. If not, the caller must append it.
    pub journal: bool,
}

/// The folder of one session, which may not exist.
#[derive(Debug, Clone)]
pub struct SessionDir {
    path: PathBuf,
    journal: Journal,
}

impl SessionDir {
    pub(super) fn new(path: PathBuf, decompressor: Decompressor) -> Self {
        let journal = Journal::in_folder(&path, decompressor);
        Self { path, journal }
    }

    /// Returns the path of the folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the session's journal.
    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    /// Returns the path of the imported events: those that the journal lacks and that were made
    /// from Claude Code's transcript.
    pub fn imported(&self) -> PathBuf {
        self.path.join("transcript.jsonl")
    }

    /// Returns the path of `usage.json`, the token counts from Claude Code's transcripts.
    pub fn usage_path(&self) -> PathBuf {
        self.path.join("usage.json")
    }

    fn open_note_path(&self) -> PathBuf {
        self.path.join("open.json")
    }

    fn end_note_path(&self) -> PathBuf {
        self.path.join("present.json")
    }

    fn title_note_path(&self) -> PathBuf {
        self.path.join("title.json")
    }

    fn record_path(&self) -> PathBuf {
        self.path.join("session.json")
    }

    fn owners(&self) -> PathBuf {
        self.path.join("owners")
    }

    /// Reads the record. Returns `None` if the session was never recorded.
    ///
    /// # Errors
    /// Returns [`Error::Content`] if the record is damaged, written by a newer version, or about
    /// another session. Returns [`Error::Untrusted`] or [`Error::Io`] if the file cannot be trusted
    /// or read.
    pub fn record(&self) -> Result<Option<Record>> {
        let path = self.record_path();
        let Some(content) = file::read_own(&path, MAX_RECORD)? else {
            return Ok(None);
        };
        let record = Record::decode(&content.bytes);
        let why = match record.map_err(|why| why.to_string()) {
            Err(_) if file::is_lost(&content.bytes) => LOST.to_owned(),
            Ok(record) if self.is_of(&record.session_id) => return Ok(Some(record)),
            Ok(record) => format!("it belongs to session {}", record.session_id),
            Err(why) => why,
        };
        Err(Error::Content { path, why })
    }

    /// Returns the format version of the record if it is too new for this version of ccsession.
    #[cfg(feature = "cli")]
    pub(super) fn newer_version(&self) -> Option<u64> {
        let content = file::read_own(&self.record_path(), MAX_RECORD).ok()??;
        match Record::decode(&content.bytes) {
            Err(InvalidRecord::Newer(version)) => Some(version),
            _ => None,
        }
    }

    /// Returns whether this is the folder of session `id`. A record in a copied folder is about
    /// another session.
    fn is_of(&self, id: &SessionId) -> bool {
        self.path.file_name() == Some(OsStr::new(id.as_str()))
    }

    /// Returns whether the session is in the project rooted at `root`, according to its record.
    pub fn is_in(&self, root: &Path) -> bool {
        matches!(self.record(), Ok(Some(record)) if record.is_in(root))
    }

    /// Reads the members of the record that hooks omit from events with the same values. Members
    /// that cannot be read are absent.
    ///
    /// Returns `None` if there is no record, or if a power failure has emptied its file.
    pub fn scope(&self) -> Option<EventDefaults> {
        match file::read_own(&self.record_path(), MAX_RECORD) {
            Ok(None) => None,
            Ok(Some(content)) => match serde_json::from_slice(&content.bytes) {
                Ok(scope) => Some(scope),
                Err(_) if file::is_lost(&content.bytes) => None,
                Err(_) => Some(EventDefaults::default()),
            },
            Err(_) => Some(EventDefaults::default()),
        }
    }

    /// Returns whether a power failure has emptied the file of the record.
    pub fn has_lost_record(&self) -> bool {
        let content = file::read_own(&self.record_path(), MAX_RECORD);
        matches!(content, Ok(Some(content)) if file::is_lost(&content.bytes))
    }

    /// Does the same as [`Self::record`], but a record that a power failure has emptied counts as
    /// missing. For callers that create the missing record.
    ///
    /// # Errors
    /// Fails as [`Self::record`] does, except for an emptied record.
    #[cfg(feature = "cli")]
    pub fn record_unless_lost(&self) -> Result<Option<Record>> {
        match self.record() {
            Err(_) if self.has_lost_record() => Ok(None),
            read => read,
        }
    }

    /// Creates the session's folder and record if they are missing, then its journal, beginning
    /// with `event`.
    ///
    /// The journal is created last, so that its existence proves that the rest exists. If the
    /// process is killed before, the next event completes the session.
    ///
    /// # Errors
    /// Returns [`Error::Io`] if a file or folder cannot be created.
    pub fn create(
        &self,
        record: &Record,
        event: &Event,
        durability: Durability,
    ) -> Result<Creation> {
        Ok(Creation {
            record: self.create_record(record, durability)?,
            journal: self.journal.begin(event)?,
        })
    }

    /// Creates the session's folder and record if they are missing, without a journal: for a
    /// session that no hook has recorded.
    ///
    /// A record that a power failure has emptied counts as missing. Replacing it takes the state
    /// directory's lock; a caller that holds the lock calls
    /// [`StateDir::replace_lost_record`](super::state::StateDir::replace_lost_record) before. Returns
    /// whether `record` was written.
    ///
    /// # Errors
    /// Returns [`Error::Io`] if the record cannot be written, or is too large to be read again.
    /// Nothing was created then.
    pub fn create_record(&self, record: &Record, durability: Durability) -> Result<bool> {
        let (path, bytes) = (self.record_path(), encoded(record, &self.record_path())?);
        if write::make_dir(&self.path).is_err() {
            write::make_dir(self.path.parent().unwrap_or(&self.path))?;
            write::make_dir(&self.path)?;
        }
        write::make_dir(&self.owners())?;
        let is_created = write::create(&path, &bytes, durability)?;
        if is_created || !self.has_lost_record() {
            return Ok(is_created);
        }
        let _lock = lock::of_session(&self.path);
        if !self.has_lost_record() {
            return Ok(false);
        }
        write::replace(&path, &bytes, durability)?;
        Ok(true)
    }

    /// Replaces the record. The caller must hold the lock; see
    /// [`super::state::StateDir::update_record`].
    ///
    /// # Errors
    /// Returns [`Error::Io`] if the record cannot be written, or is too large to be read again. The
    /// old record stays then.
    pub(crate) fn replace_record(&self, record: &Record) -> Result<()> {
        self.put_record(record, Durability::Synced)
    }

    pub(super) fn put_record(&self, record: &Record, durability: Durability) -> Result<()> {
        let path = self.record_path();
        let bytes = encoded(record, &path)?;
        write::replace(&path, &bytes, durability)
    }

    /// Renames the session's folder, so that no hook writes to it while it is checked again and
    /// removed. The caller must hold the lock.
    ///
    /// # Errors
    /// Returns [`Error::Io`] if the folder cannot be renamed.
    pub fn set_aside(&self) -> Result<SetAside> {
        let aside = SetAside {
            place: self.path.clone(),
            is_going: false,
        };
        write::rename(&self.path, &aside.path())?;
        Ok(aside)
    }

    /// Takes a snapshot of the file metadata and owners, which a hook changes when it writes to the
    /// session.
    pub fn trace_of_hooks(&self) -> TraceOfHooks {
        TraceOfHooks::of(&self.path)
    }

    /// Adds an owner.
    ///
    /// If the process is already an owner, its file stays, because it never changes. There is one
    /// exception: the command of a launcher may turn out to be Claude Code. A file with other
    /// content is replaced: it is from another boot, or from a process that was killed while
    /// writing.
    ///
    /// # Errors
    /// Returns [`Error::Io`] if the owner's file cannot be written.
    pub fn add_owner(&self, owner: &Owner) -> Result<()> {
        let path = self.owners().join(owner.file_name());
        if write::create_small(&path, &owner.encode())? {
            return Ok(());
        }
        let present = file::read_own(&path, MAX_OWNER)?;
        let present = present.and_then(|present| Owner::decode(&present.bytes));
        let is_known =
            |present: Owner| present.is_process_of(owner) && present.launcher <= owner.launcher;
        if present.is_some_and(is_known) {
            return Ok(());
        }
        write::replace(&path, &owner.encode(), Durability::Cached)
    }

    /// Removes an owner. Returns whether it existed.
    ///
    /// # Errors
    /// Returns [`Error::Io`] if the owner's file cannot be removed.
    pub fn remove_owner(&self, owner: &Owner) -> Result<bool> {
        write::remove(&self.owners().join(owner.file_name()))
    }

    /// Reads the recorded owners, including dead ones. Omits unreadable files.
    ///
    /// If there are more than 256 owner files, reads only 256: first those whose process is
    /// running, then those that started last. `runs` must return whether the process with this pid
    /// and start time is running.
    pub fn owner_list(&self, runs: impl Fn(u32, u64) -> bool) -> Vec<Owner> {
        let Ok(names) = file::names(&self.owners()) else {
            return Vec::new();
        };
        let mut names: Vec<OsString> = names.collect();
        if names.len() > MAX_OWNERS {
            names.sort_by_cached_key(|name| {
                let (pid, start) = Owner::of_file_name(name)?;
                Some(Reverse((runs(pid, start), start)))
            });
        }
        let read = |name| {
            let content = file::read_own(&self.owners().join(name), MAX_OWNER).ok()??;
            Owner::decode(&content.bytes)
        };
        let names = names.into_iter().take(MAX_OWNERS);
        names.filter_map(read).collect()
    }

    /// Returns the owner that was recorded last.
    pub fn last_owner(&self) -> Option<Owner> {
        let names = file::names(&self.owners()).ok()?;
        let paths = names.map(|name| self.owners().join(name));
        let dated = paths.filter_map(|path| Some((file::look(&path).ok()??.meta.modified, path)));
        let (_, path) = dated.max()?;
        Owner::decode(&file::read_own(&path, MAX_OWNER).ok()??.bytes)
    }

    /// Returns when the record was last written.
    pub fn record_changed(&self) -> Option<Timestamp> {
        Some(file::look(&self.record_path()).ok()??.meta.modified)
    }

    /// Returns whether any owner is on record.
    pub fn has_owners(&self) -> bool {
        file::names(&self.owners()).is_ok_and(|mut names| names.next().is_some())
    }

    /// Returns a number that changes whenever the record, the journal or the imported events
    /// change.
    #[cfg(feature = "cli")]
    pub fn events_stamp(&self) -> u64 {
        let mut stamp = DefaultHasher::new();
        for path in [self.journal.path(), &self.imported(), &self.record_path()] {
            let meta = file::look(path).ok().flatten().map(|found| found.meta);
            meta.map(|meta| (meta.size, meta.modified.micros(), meta.identity.1))
                .hash(&mut stamp);
        }
        stamp.finish()
    }

    /// Returns when the last event was recorded: the modification time of the journal or, without a
    /// journal, of the imported events.
    pub fn last_activity(&self) -> Option<Timestamp> {
        let modified = |path: &Path| Some(file::look(path).ok()??.meta.modified);
        modified(self.journal.path()).or_else(|| modified(&self.imported()))
    }

    /// Reads the imported events, but only the members of each event that a journal line has.
    ///
    /// # Errors
    /// Returns [`Error::Untrusted`] or [`Error::Io`] if the file cannot be trusted or opened.
    pub fn imported_lines(&self) -> Result<JournalLines> {
        journal::of_file(&self.imported())
    }

    /// Reads the imported events in the first `length` bytes of their file.
    ///
    /// # Errors
    /// Returns [`Error::Untrusted`] or [`Error::Io`] if the file cannot be trusted or opened.
    #[cfg(feature = "cli")]
    pub(super) fn imported_lines_within(&self, length: u64) -> Result<JournalLines> {
        journal::beginning_of_file(&self.imported(), length)
    }

    /// Counts the damage in each file of the journal and in the imported events. Omits files
    /// without damage.
    ///
    /// # Errors
    /// Returns [`Error::Untrusted`] or [`Error::Io`] if a file cannot be trusted or opened.
    pub fn damage_by_file(&self) -> Result<Vec<(PathBuf, Damage)>> {
        let mut damaged = self.journal.damage_by_file()?;
        let mut damage = self.imported_lines()?.for_each(|_| {});
        // No process appends to this file, so an unfinished last line is torn.
        damage.torn += std::mem::take(&mut damage.in_flight);
        if damage != Damage::default() {
            damaged.push((self.imported(), damage));
        }
        Ok(damaged)
    }

    /// Lists the files of the journal, as [`Journal::pieces`] does, and the imported events.
    ///
    /// # Errors
    /// Returns [`Error::Untrusted`] or [`Error::Io`] if a file cannot be trusted or read, and
    /// [`Error::Content`] if a compressed part of the journal is damaged.
    #[cfg(feature = "cli")]
    pub fn pieces(&self) -> Result<Vec<journal::JournalFile>> {
        let mut pieces = self.journal.pieces()?;
        let path = self.imported();
        if let Some(found) = file::look(&path)? {
            pieces.push(journal::JournalFile {
                name: path.clone(),
                size: found.meta.size,
                modified: found.meta.modified,
                path,
            });
        }
        Ok(pieces)
    }

    /// Returns the size in bytes and the modification time of the imported events, or `None` if
    /// there are none.
    pub(crate) fn imported_stamp(&self) -> Option<(u64, Timestamp)> {
        let meta = file::look(&self.imported()).ok()??.meta;
        Some((meta.size, meta.modified))
    }

    /// Reads the cache of the session's open calls. Returns `None` if it does not exist or cannot
    /// be read; then it is computed again from the journal.
    pub(crate) fn open_note(&self) -> Option<Vec<u8>> {
        let content = file::read_own(&self.open_note_path(), MAX_OPEN_NOTE).ok()??;
        Some(content.bytes)
    }

    /// Replaces the cache of the session's open calls.
    ///
    /// # Errors
    /// Returns [`Error::Io`] if the file cannot be written; the old one then stays.
    pub(crate) fn replace_open_note(&self, bytes: &[u8]) -> Result<()> {
        write::replace(&self.open_note_path(), bytes, Durability::Cached)
    }

    /// Reads the note on the end of the journal. Returns `None` if it does not exist or cannot be
    /// read: it is derived from the journal.
    pub fn end_note(&self) -> Option<Vec<u8>> {
        let content = file::read_own(&self.end_note_path(), MAX_END_NOTE).ok()??;
        Some(content.bytes)
    }

    /// Replaces the note on the end of the journal.
    ///
    /// # Errors
    /// [`Error::Io`]; the old note stays.
    pub fn replace_end_note(&self, bytes: &[u8]) -> Result<()> {
        write::replace(&self.end_note_path(), bytes, Durability::Cached)
    }

    /// Reads the cache of the session's titles. Returns `None` if it does not exist or cannot be
    /// read; then it is computed again from the transcript.
    pub fn title_note(&self) -> Option<Vec<u8>> {
        let content = file::read_own(&self.title_note_path(), MAX_TITLE_NOTE).ok()??;
        Some(content.bytes)
    }

    /// Replaces the cache of the session's titles.
    ///
    /// # Errors
    /// Returns [`Error::Io`] if the file cannot be written; the old one then stays.
    pub fn replace_title_note(&self, bytes: &[u8]) -> Result<()> {
        write::replace(&self.title_note_path(), bytes, Durability::Cached)
    }

    /// Reads `usage.json`, the token counts from the session's transcripts. Returns `None` if the
    /// tokens were never counted.
    ///
    /// # Errors
    /// Returns [`Error::Content`] if the file is too large; the caller should count again. Returns
    /// [`Error::Untrusted`] or [`Error::Io`] if it cannot be trusted or read.
    pub fn usage(&self) -> Result<Option<Vec<u8>>> {
        match file::read_own(&self.usage_path(), MAX_USAGE) {
            Err(Error::Untrusted {
                path,
                why: why @ Untrusted::TooLarge(_),
            }) => Err(Error::Content {
                path,
                why: why.to_string(),
            }),
            read => Ok(read?.map(|content| content.bytes)),
        }
    }

    /// Returns when the tokens of the session were last counted, or `None` if they never were.
    pub fn usage_written(&self) -> Option<Timestamp> {
        let found = file::look(&self.usage_path()).ok()??;
        Some(found.meta.modified)
    }

    /// Replaces `usage.json`. Does not sync it, because the tokens can be counted again.
    ///
    /// # Errors
    /// Returns [`Error::Io`] if the file cannot be written; the old count then stays.
    pub fn replace_usage(&self, bytes: &[u8]) -> Result<()> {
        write::replace(&self.usage_path(), bytes, Durability::Cached)
    }

    /// Replaces the imported events with `lines`, the last of which happened at `last`. Returns
    /// whether the file was changed or removed.
    ///
    /// Removes the file if `lines` is empty. Leaves it unchanged if the lines are the same.
    ///
    /// # Errors
    /// Returns [`Error::Untrusted`] or [`Error::Io`] if the file cannot be trusted or written; the
    /// old events then stay.
    pub fn replace_imported(&self, lines: &[u8], last: Timestamp) -> Result<bool> {
        let path = self.imported();
        if lines.is_empty() {
            return write::remove(&path);
        }
        if self.has_imported(lines)? {
            return Ok(false);
        }
        write::replace_as_of(&path, lines, last)?;
        Ok(true)
    }

    /// Returns whether the imported events equal `lines`.
    ///
    /// # Errors
    /// Returns [`Error::Untrusted`] or [`Error::Io`] if the file cannot be trusted or read.
    pub fn has_imported(&self, lines: &[u8]) -> Result<bool> {
        let path = self.imported();
        let size = file::look(&path)?.map_or(0, |found| found.meta.size);
        if size != lines.len() as u64 {
            return Ok(false);
        }
        let present = file::read_own(&path, lines.len())?;
        Ok(present.map_or(lines.is_empty(), |present| present.bytes == lines))
    }

    /// Reads the imported events.
    ///
    /// # Errors
    /// Returns [`Error::Untrusted`] or [`Error::Io`] if the file cannot be trusted or opened.
    pub fn imported_events(&self) -> Result<Events> {
        self.imported_lines().map(Events::of)
    }
}

/// Encodes a record. Returns an error if it is too large to be read again.
fn encoded(record: &Record, path: &Path) -> Result<Vec<u8>> {
    let bytes = record.encode();
    if bytes.len() > MAX_RECORD {
        let why = "it would be too large to be read again; its notes are too many";
        return Err(Error::io("write", path)(io::Error::other(why)));
    }
    Ok(bytes)
}

/// A snapshot of what a hook changes when it writes to a session's folder. If two snapshots are
/// equal, no hook wrote in between.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceOfHooks(Vec<Option<Meta>>, Vec<OsString>);

impl TraceOfHooks {
    fn of(folder: &Path) -> Self {
        let files = ["events.jsonl", "session.json"].map(|name| folder.join(name));
        let look = |path: &PathBuf| Some(file::look(path).ok()??.meta);
        let owners = file::names(&folder.join("owners"));
        let mut owners: Vec<_> = owners.into_iter().flatten().collect();
        owners.sort();
        Self(files.iter().map(look).collect(), owners)
    }
}

/// The prefixes of folders that were set aside (`LEAVING`) and that are being removed (`GOING`).
const LEAVING: &str = ".leaving-";
const GOING: &str = ".gone-";

/// A session folder that was set aside.
///
/// If the cleanup is killed, the next one completes the removal if it had begun, and otherwise puts
/// the session back.
#[derive(Debug)]
pub struct SetAside {
    /// The session's original path.
    place: PathBuf,
    is_going: bool,
}

impl SetAside {
    /// Parses the name of a folder in `sessions`. Returns `None` if the folder was not set aside.
    pub(super) fn at(sessions: &Path, name: &OsStr) -> Option<Self> {
        let name = name.to_str()?;
        let (id, is_going) = match (name.strip_prefix(LEAVING), name.strip_prefix(GOING)) {
            (Some(id), _) => (id, false),
            (_, Some(id)) => (id, true),
            (None, None) => return None,
        };
        let id: SessionId = id.parse().ok()?;
        let place = sessions.join(id.as_str());
        Some(Self { place, is_going })
    }

    /// Returns the id of the session.
    pub fn session(&self) -> std::borrow::Cow<'_, str> {
        self.place.file_name().unwrap_or_default().to_string_lossy()
    }

    /// Returns the present path of the folder.
    pub fn path(&self) -> PathBuf {
        let prefix = if self.is_going { GOING } else { LEAVING };
        let mut name = OsString::from(prefix);
        name.push(self.place.file_name().unwrap_or_default());
        self.place.with_file_name(name)
    }

    /// Takes a snapshot of the folder at its present path, like [`SessionDir::trace_of_hooks`].
    pub fn trace_of_hooks(&self) -> TraceOfHooks {
        TraceOfHooks::of(&self.path())
    }

    /// Moves the session back to its original path.
    ///
    /// # Errors
    /// Returns [`Error::Io`] if the folder cannot be renamed, for example because a hook has begun
    /// the session again meanwhile. The session then stays aside, and nothing is lost.
    pub fn put_back(&self) -> Result<()> {
        write::rename(&self.path(), &self.place)
    }

    /// Removes the session.
    ///
    /// # Errors
    /// Returns [`Error::Io`] if a file cannot be removed; [`Self::settle`] removes what is left.
    pub fn remove(mut self) -> Result<()> {
        if !self.is_going {
            let leaving = self.path();
            self.is_going = true;
            write::rename(&leaving, &self.path())?;
        }
        let path = self.path();
        let owners = path.join("owners");
        for dir in [&owners, &path] {
            for path in file::names(dir)?.map(|name| dir.join(name)) {
                if path != owners {
                    write::remove(&path)?;
                }
            }
            write::remove_empty_dir(dir)?;
        }
        Ok(())
    }

    /// Completes the work of a killed cleanup: removes the session if the removal had begun, and
    /// otherwise puts it back.
    ///
    /// # Errors
    /// Returns [`Error::Io`] if the folder can neither be put back nor removed.
    pub fn settle(self) -> Result<()> {
        match self.is_going {
            true => self.remove(),
            false => self.put_back(),
        }
    }
}
