//! One session's folder, `sessions/{id}/`: the record, the journal and the owners. It is never moved.

use std::cmp::Reverse;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use super::error::{Error, Result, Unsafe};
use super::file::Meta;
use super::lock::Lock;
use super::packed::{self, Source, Unpack};
use super::write::{self, Appended, Appending, Durability};
use super::{file, journal, lock};
use crate::model::record::Scope;
use crate::model::{Event, Owner, Record, SessionId, Timestamp};

/// The most bytes that a record may have: more notes than one command line holds. No larger one is written.
const MAX_RECORD: usize = 1 << 22;
/// The most bytes of an owner file that are read.
const MAX_OWNER: usize = 4096;
/// What is said of a record that a power failure has taken.
const LOST: &str = "it is empty or torn, as a power failure leaves it; the session's next event, or `ccsession import`, makes it again";
/// The most bytes of a usage count that are read: several hundred thousand subagents' files.
const MAX_USAGE: usize = 256 << 20;
/// The most bytes of a note on open calls that are read.
const MAX_OPEN_NOTE: usize = 1 << 20;
/// The most missing files that are named.
const MAX_MISSING: usize = 100;
/// The most parts of a journal that are asked for by name, where a listing has not shown them.
const MAX_BETWEEN: usize = 10_000;
/// The highest number of a journal's part; parts are large, so none comes near. A file of a higher number is none of ours.
const MAX_PARTS: u32 = 1_000_000;
/// How often a journal is left to backups that are made at this very moment, before one is appended to.
const MAX_BACKUPS: u32 = 4;
/// The most owners that are looked at: a session resumed this often is live if any of them is.
const MAX_OWNERS: usize = 256;

/// What a creation found missing. Of several hooks that create one session, one writes the record, and one begins the
/// journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Created {
    /// Whether the record is the one that was given.
    pub record: bool,
    /// Whether the journal begins with the event that was given; otherwise the event is still to be appended.
    pub journal: bool,
}

/// A file of what was recorded of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// Where it is now.
    pub path: PathBuf,
    /// Where it was before it was put aside and compressed.
    pub name: PathBuf,
    /// How many bytes it had then.
    pub size: u64,
    /// When it was last written.
    pub modified: Timestamp,
}

#[cfg(feature = "cli")]
impl Piece {
    /// How many lines it has, blank ones too; none where it is not there any more.
    ///
    /// # Errors
    /// [`Error::Unsafe`], [`Error::Io`], also where it is compressed and damaged.
    pub fn count_lines(&self) -> Result<u64> {
        let Some(mut source) = Source::open(&self.path, packed::UNPACK)? else {
            return Ok(0);
        };
        let mut piece = vec![0; 64 * 1024];
        let (mut count, mut is_unfinished) = (0, false);
        loop {
            match io::Read::read(&mut source, &mut piece) {
                Ok(0) => return Ok(count + u64::from(is_unfinished)),
                Ok(read) => {
                    let read = piece.get(..read).unwrap_or_default();
                    count += memchr::memchr_iter(b'\n', read).count() as u64;
                    is_unfinished = read.last() != Some(&b'\n');
                }
                Err(err) if err.kind() == io::ErrorKind::Interrupted => {}
                Err(err) => return Err(Error::io("read", &self.path)(err)),
            }
        }
    }
}

/// The folder of one session, which may not be there.
#[derive(Debug, Clone)]
pub struct SessionDir {
    path: PathBuf,
    /// How what is compressed in it is read.
    unpack: Option<Unpack>,
}

impl SessionDir {
    pub(super) fn new(path: PathBuf, unpack: Option<Unpack>) -> Self {
        Self { path, unpack }
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The journal that is being written.
    pub fn journal(&self) -> PathBuf {
        self.path.join("events.jsonl")
    }

    /// The events that the client's own transcript has and the journal has not.
    pub fn imported(&self) -> PathBuf {
        self.path.join("transcript.jsonl")
    }

    /// What was counted of the client's own transcript.
    pub fn usage_path(&self) -> PathBuf {
        self.path.join("usage.json")
    }

    fn open_note_path(&self) -> PathBuf {
        self.path.join("open.json")
    }

    fn record_path(&self) -> PathBuf {
        self.path.join("session.json")
    }

    fn owners(&self) -> PathBuf {
        self.path.join("owners")
    }

    /// Reads the record; nothing where the session was never recorded.
    ///
    /// # Errors
    /// [`Error::Content`] where it is corrupt, from a newer version or another session's, [`Error::Unsafe`], [`Error::Io`].
    pub fn record(&self) -> Result<Option<Record>> {
        let path = self.record_path();
        let Some(content) = file::read_own(&path, MAX_RECORD)? else {
            return Ok(None);
        };
        let record = Record::decode(&content.bytes);
        let why = match record.map_err(|why| why.to_string()) {
            Err(_) if file::is_lost(&content.bytes) => LOST.to_owned(),
            Ok(record) if self.is_of(&record.session_id) => return Ok(Some(record)),
            Ok(record) => format!("it is the record of session {}", record.session_id),
            Err(why) => why,
        };
        Err(Error::Content { path, why })
    }

    /// Whether this is the folder of the session `id`: a folder that somebody copied is not.
    fn is_of(&self, id: &SessionId) -> bool {
        self.path.file_name() == Some(OsStr::new(id.as_str()))
    }

    /// Whether the session is on record as one of the project rooted at `root`.
    pub fn is_in(&self, root: &Path) -> bool {
        matches!(self.record(), Ok(Some(record)) if record.is_in(root))
    }

    /// Reads the part of the record that events are compared with; what cannot be read is absent. Nothing where the session
    /// has no record, or a power failure has left no more than its name: see [`Self::create_record`].
    pub fn scope(&self) -> Option<Scope> {
        match file::read_own(&self.record_path(), MAX_RECORD) {
            Ok(None) => None,
            Ok(Some(content)) if file::is_lost(&content.bytes) => None,
            Ok(Some(content)) => Some(serde_json::from_slice(&content.bytes).unwrap_or_default()),
            Err(_) => Some(Scope::default()),
        }
    }

    /// Whether a power failure has left no more of the record than its name.
    pub fn has_lost_record(&self) -> bool {
        let content = file::read_own(&self.record_path(), MAX_RECORD);
        matches!(content, Ok(Some(content)) if file::is_lost(&content.bytes))
    }

    /// Creates the session's folder and its record, each only where missing, and then its journal, beginning with
    /// `event`.
    ///
    /// The journal comes last: that it is there tells every later event that the rest is, too. What a killed process
    /// left half-done is completed by the next event.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn create(
        &self,
        record: &Record,
        event: &Event,
        durability: Durability,
    ) -> Result<Created> {
        Ok(Created {
            record: self.create_record(record, durability)?,
            journal: write::begin(&self.journal(), &journal::framed(&event.encode()))?,
        })
    }

    /// Creates the session's folder and its record, each only where missing, and no journal: of a session that no hook
    /// has heard of. A record of which a power failure has left no more than the name counts as missing. Whether the record is
    /// the one that was given is the answer.
    ///
    /// # Errors
    /// [`Error::Io`], also where the record would be too large to be read; then nothing was created.
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
        // Where the caller has the lock, or a stopped process, it is not waited for long.
        let _lock = self.lock();
        if !self.has_lost_record() {
            return Ok(false);
        }
        write::replace(&path, &bytes, durability)?;
        Ok(true)
    }

    fn lock(&self) -> Result<Lock> {
        let state = self.path.ancestors().nth(2).unwrap_or(&self.path);
        lock::acquire(&state.join("lock"), lock::HOOK_PATIENCE)
    }

    /// Replaces the record. See [`super::state::State::update_record`], which holds the lock.
    ///
    /// # Errors
    /// [`Error::Io`], also if the new record would be too large to be read again; the old record stays.
    pub(crate) fn replace_record(&self, record: &Record) -> Result<()> {
        let path = self.record_path();
        let bytes = encoded(record, &path)?;
        write::replace(&path, &bytes, Durability::Synced)
    }

    /// Sets the session aside, to be looked at once more and removed: no hook writes to it from now on.
    ///
    /// # Errors
    /// [`Error::Io`]. The caller holds the lock.
    pub fn set_aside(&self) -> Result<Aside> {
        let aside = Aside {
            place: self.path.clone(),
            is_going: false,
        };
        write::rename(&self.path, &aside.path())?;
        Ok(aside)
    }

    /// What shows that a hook has written to the session: when that was last, and the processes that have it.
    pub fn trace_of_hooks(&self) -> TraceOfHooks {
        TraceOfHooks::of(&self.path)
    }

    /// Adds an owner. A process that is on record stays as it is: where it was started does not change; only the command of
    /// a launcher may have become a client. A file of its name that says something else is another boot's, or was left by
    /// a process that was killed while it wrote; it is replaced.
    ///
    /// # Errors
    /// [`Error::Io`].
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

    /// Removes an owner. Whether it was there is the answer.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn remove_owner(&self, owner: &Owner) -> Result<bool> {
        write::remove(&self.owners().join(owner.file_name()))
    }

    /// The owners on record, dead ones too. What cannot be read is left out. Of very many not all are read: first come those
    /// of whose pid and start it is said that it `runs`, then those that started last.
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

    /// Returns whether any owner is on record.
    pub fn has_owners(&self) -> bool {
        file::names(&self.owners()).is_ok_and(|mut names| names.next().is_some())
    }

    /// When the last event was recorded: the journal's modification time, else, where no hook was armed, that of the
    /// imported events.
    pub fn last_activity(&self) -> Option<Timestamp> {
        let modified = |path: &Path| Some(file::look(path).ok()??.meta.modified);
        modified(&self.journal()).or_else(|| modified(&self.imported()))
    }

    /// Appends an event to the journal. A missing journal means a session first heard of now. A journal that has another name,
    /// as after a backup by hard links, goes on in a new file first: the backup stays as it is.
    ///
    /// # Errors
    /// As [`write::append`]: [`Error::Unsafe`], or [`Error::Io`], after which a fragment may be in the file.
    ///
    /// # Durability
    /// No fsync. Killing the process loses at most this record, and no other; a power failure may lose the last seconds.
    pub fn append(&self, event: &Event) -> Result<Appended> {
        let journal = self.journal();
        let bytes = journal::framed(&event.encode());
        for _ in 0..MAX_BACKUPS {
            match Appending::open(&journal)? {
                None => return Ok(Appended::Missing),
                Some(file) if !file.has_other_names() => return file.append(&bytes),
                // Where that fails, the event is worth more than the copy.
                Some(_) if self.leave_to_backup().is_err() => break,
                Some(_) => {}
            }
        }
        write::append(&journal, &bytes)
    }

    /// Lets a journal that has another name go on in a new file.
    fn leave_to_backup(&self) -> Result<()> {
        // Who holds the lock may be about to do the same. Where that takes too long, both do: one part more, and no loss.
        let _lock = self.lock();
        let found = file::look(&self.journal())?;
        if found.is_some_and(|found| found.names > 1) {
            self.go_on_in_new(None, exchange)?;
        }
        Ok(())
    }

    /// Lets the journal go on in a new file where it is larger than `limit` bytes. Whether it did is the answer.
    ///
    /// The new file and the old one exchange their names, so that there is a journal at every moment. A process that
    /// opened the old one before writes its record there: nothing is lost, and no record is split.
    ///
    /// # Errors
    /// [`Error::Io`]; the journal is as it was. The caller holds the lock.
    pub fn rotate(&self, limit: u64) -> Result<bool> {
        let journal = self.journal();
        if file::look(&journal)?.is_none_or(|found| found.meta.size <= limit) {
            return Ok(false);
        }
        self.go_on_in_new(None, exchange)
    }

    /// Puts a journal aside to which nothing was added for long, so that it can be compressed: it goes on in a new file, which
    /// is as old. Whether it did is the answer; where the file system cannot exchange names, it stays where it is.
    ///
    /// # Errors
    /// As [`Self::rotate`]. The caller holds the lock.
    pub fn put_aside(&self) -> Result<bool> {
        let journal = self.journal();
        let Some(found) = file::look(&journal)?.filter(|found| found.meta.size > 0) else {
            return Ok(false);
        };
        let modified = found.meta.modified;
        self.go_on_in_new(Some(modified), |journal, full| {
            if !write::exchange(journal, full)? {
                return Ok(false);
            }
            // An event that came just before is the last activity.
            let last = file::look(full)?.map_or(modified, |full| full.meta.modified);
            let is_unused = file::look(journal)?.is_some_and(|found| found.meta.size == 0);
            if last > modified && is_unused {
                write::set_modified(journal, last)?;
            }
            Ok(true)
        })
    }

    /// Lets the journal go on in a new file, as old as `modified` if that is given: `exchange` gives the journal the name of
    /// a full part and the empty file there the journal's, and says whether it did.
    fn go_on_in_new(
        &self,
        modified: Option<Timestamp>,
        exchange: impl Fn(&Path, &Path) -> Result<bool>,
    ) -> Result<bool> {
        // After the last one: a number that is missing stays so.
        let last = self.numbers()?.last().copied().unwrap_or(0);
        for number in last + 1..=MAX_PARTS {
            let full = self.rotated(number);
            if write::create_small(&full, b"")? {
                let dated = modified.map(|modified| write::set_modified(&full, modified));
                let exchanged = dated
                    .transpose()
                    .and_then(|_| exchange(&self.journal(), &full));
                if !matches!(exchanged, Ok(true))
                    && file::look(&full)?.is_some_and(|full| full.meta.size == 0)
                {
                    // Otherwise each later event would leave another one.
                    write::remove(&full)?;
                }
                return exchanged;
            }
        }
        Ok(false)
    }

    /// The journal's part of this number, which is full; the first one is the oldest.
    fn rotated(&self, number: u32) -> PathBuf {
        self.path.join(format!("events.{number}.jsonl"))
    }

    /// Where that part is once it is compressed.
    fn packed(&self, number: u32) -> PathBuf {
        let ending = packed::ENDING;
        self.path.join(format!("events.{number}.jsonl{ending}"))
    }

    /// The journal's part of this number as it is now, compressed or not. Where it is both, the plain one counts: it
    /// goes last. A plain one is never made of a compressed one, so none is overlooked.
    fn part(&self, number: u32) -> Result<Option<(PathBuf, Meta)>> {
        for path in [self.rotated(number), self.packed(number)] {
            if let Some(found) = file::look(&path)? {
                return Ok(Some((path, found.meta)));
            }
        }
        Ok(None)
    }

    /// The numbers of the journal's full parts that are there, in order.
    fn numbers(&self) -> Result<Vec<u32>> {
        let number = |name: OsString| {
            let plain = name.to_str()?;
            let plain = plain.strip_suffix(packed::ENDING).unwrap_or(plain);
            let number = plain.strip_prefix("events.")?.strip_suffix(".jsonl")?;
            let number: u32 = number.parse().ok()?;
            // Written in one way only.
            let is_ours = (1..=MAX_PARTS).contains(&number);
            (is_ours && format!("events.{number}.jsonl") == plain).then_some(number)
        };
        let mut numbers: Vec<u32> = file::names(&self.path)?.filter_map(number).collect();
        numbers.sort_unstable();
        numbers.dedup();
        // A listing may miss what is created while it is made. So what is between is asked for by its name, and what has
        // come since.
        let last = numbers.last().copied().unwrap_or(0);
        let between: Vec<u32> = (1..last)
            .filter(|number| numbers.binary_search(number).is_err())
            .take(MAX_BETWEEN)
            .collect();
        for number in between.into_iter().chain(last + 1..=MAX_PARTS) {
            if self.part(number)?.is_some() {
                numbers.push(number);
            } else if number > last {
                break;
            }
        }
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// As [`Self::numbers`], for whoever reads many sessions' ends: the folder is not listed where neither of the first two
    /// is there.
    fn numbers_if_any(&self) -> Result<Vec<u32>> {
        for number in [1, 2] {
            if self.part(number)?.is_some() {
                return self.numbers();
            }
        }
        Ok(Vec::new())
    }

    /// Where the journal's full parts are, and what is known of each, the oldest first: those before the one that is
    /// `newest`.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub(super) fn rotated_before(&self, newest: (u64, u64)) -> Result<Vec<(PathBuf, Meta)>> {
        let mut parts = Vec::new();
        for number in self.numbers()? {
            match self.part(number)? {
                Some((_, meta)) if meta.identity == newest => break,
                Some(part) => parts.push(part),
                None => {}
            }
        }
        parts.retain(is_full);
        Ok(parts)
    }

    /// The journal's full parts that should be there where these are, and are not.
    fn missing(&self, numbers: &[u32]) -> Vec<PathBuf> {
        let last = numbers.last().copied().unwrap_or(0);
        let missing = (1..last).filter(|number| numbers.binary_search(number).is_err());
        let missing = missing.map(|number| self.rotated(number));
        missing.take(MAX_MISSING).collect()
    }

    /// Opens the journal's files, the oldest first, and says the numbers of the full ones.
    fn open(&self, numbers: impl Fn(&Self) -> Result<Vec<u32>>) -> Result<(Vec<Source>, Vec<u32>)> {
        loop {
            // The newest comes first: if it is rotated meanwhile, it is found among the full ones, and the last of them.
            let newest = file::opened_own(&self.journal())?;
            let numbers = numbers(self)?;
            let Some((newest, stat)) = newest else {
                let (files, _) = self.open_before(None, &numbers)?;
                return Ok((files, numbers));
            };
            let identity = Meta::from(&stat).identity;
            let (mut files, has_newest) = self.open_before(Some(identity), &numbers)?;
            if has_newest {
                return Ok((files, numbers));
            }
            let stat = rustix::fs::fstat(&newest);
            let names = stat.map_err(Error::io("inspect", &self.journal()))?;
            let names = file::names_of(&names);
            let is_it = || {
                let found = file::look(&self.journal())?;
                Ok::<_, Error>(found.is_some_and(|found| found.meta.identity == identity))
            };
            // Without a name here it was compressed meanwhile, and is among the full ones in another form.
            if names == 1 || is_it()? {
                files.push(Source::Plain(newest));
                return Ok((files, numbers));
            }
        }
    }

    /// Opens the full parts of these numbers up to the one that is `newest`. Whether that is among them is told, too.
    fn open_before(
        &self,
        newest: Option<(u64, u64)>,
        numbers: &[u32],
    ) -> Result<(Vec<Source>, bool)> {
        let mut files = Vec::new();
        for number in numbers {
            let path = self.rotated(*number);
            if let Some((file, stat)) = file::opened_own(&path)? {
                let part = Some(Meta::from(&stat).identity);
                let named = file::look(&path)?.map(|found| found.meta.identity);
                // One without content, or whose name another has by now, is not full: it is about to become the journal.
                if stat.st_size > 0 && (named == part || part == newest) {
                    files.push(Source::Plain(file));
                }
                if part == newest {
                    return Ok((files, true));
                }
                if named.is_some() {
                    continue;
                }
                // It was compressed at this very moment.
            }
            files.extend(Source::open(&self.packed(*number), self.unpack)?);
        }
        Ok((files, false))
    }

    /// Reads the journal and the imported events for views: what they need of each.
    ///
    /// # Errors
    /// [`Error::Unsafe`], [`Error::Io`].
    pub fn lines(&self) -> Result<journal::Lines> {
        self.lines_and(file::open_own(&self.imported())?)
    }

    fn lines_and(&self, imported: Option<File>) -> Result<journal::Lines> {
        let (mut files, numbers) = self.open(Self::numbers)?;
        files.extend(imported.map(Source::Plain));
        Ok(journal::Lines::of(files).without(self.missing(&numbers)))
    }

    /// Reads the journal alone for views, without the imported events.
    ///
    /// # Errors
    /// [`Error::Unsafe`], [`Error::Io`].
    pub fn journal_lines(&self) -> Result<journal::Lines> {
        self.lines_and(None)
    }

    /// Reads the imported events alone for views.
    ///
    /// # Errors
    /// [`Error::Unsafe`], [`Error::Io`].
    pub fn imported_lines(&self) -> Result<journal::Lines> {
        let file = file::open_own(&self.imported())?.map(Source::Plain);
        Ok(journal::Lines::of(file.into_iter().collect()))
    }

    /// Counts the damage in each file that [`Self::lines`] reads, for those that have any.
    ///
    /// # Errors
    /// [`Error::Unsafe`], [`Error::Io`].
    pub fn damage_by_file(&self) -> Result<Vec<(PathBuf, journal::Damage)>> {
        let mut damaged = Vec::new();
        for path in self.files_of_lines()? {
            let file = Source::open(&path, self.unpack)?;
            let lines = journal::Lines::of(file.into_iter().collect());
            let mut damage = lines.for_each(|_| {});
            if path != self.journal() {
                // Nobody writes to it any more, so what has no end is torn.
                damage.torn += std::mem::take(&mut damage.in_flight);
            }
            if damage != journal::Damage::default() {
                damaged.push((path, damage));
            }
        }
        Ok(damaged)
    }

    /// The files that [`Self::lines`] reads, as far as they are there; the imported events are the last.
    fn files_of_lines(&self) -> Result<Vec<PathBuf>> {
        let is_there = |path: &PathBuf| matches!(file::look(path), Ok(Some(_)));
        let mut files = Vec::new();
        for number in self.numbers()? {
            files.extend(self.part(number)?.map(|(path, _)| path));
        }
        let rest = [self.journal(), self.imported()];
        files.extend(rest.into_iter().filter(is_there));
        Ok(files)
    }

    /// What [`Self::lines`] reads, file by file, as it was before the journal was put aside and its parts were compressed: that
    /// changes nothing of what is on record.
    ///
    /// # Errors
    /// [`Error::Unsafe`], [`Error::Io`], [`Error::Content`] where a compressed part is damaged.
    #[cfg(feature = "cli")]
    pub fn pieces(&self) -> Result<Vec<Piece>> {
        let mut pieces = Vec::new();
        for number in self.numbers()? {
            let Some((path, meta)) = self.part(number)?.filter(is_full) else {
                continue;
            };
            let size = match packed::is_packed(&path) {
                true => packed::size(&path)?.unwrap_or(0),
                false => meta.size,
            };
            pieces.push(Piece {
                name: self.rotated(number),
                size,
                modified: meta.modified,
                path,
            });
        }
        for path in [self.journal(), self.imported()] {
            let Some(meta) = file::look(&path)?.map(|found| found.meta) else {
                continue;
            };
            let last = pieces.last_mut();
            let before = last.filter(|last| meta.size == 0 && last.modified == meta.modified);
            if let Some(before) = before.filter(|_| path == self.journal()) {
                before.name = path;
                continue;
            }
            pieces.push(Piece {
                name: path.clone(),
                size: meta.size,
                modified: meta.modified,
                path,
            });
        }
        Ok(pieces)
    }

    /// The plain files of a journal that could be compressed: of at least `least` bytes, and last written when `is_old` says
    /// yes. The journal that is being written is among them, as the last.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn compressible(
        &self,
        least: u64,
        is_old: impl Fn(Timestamp) -> bool,
    ) -> Result<Vec<PathBuf>> {
        let numbers = self.numbers()?.into_iter();
        let paths = numbers.map(|number| self.rotated(number));
        let mut found = Vec::new();
        for path in paths.chain([self.journal()]) {
            let meta = file::look(&path)?.map(|found| found.meta);
            let is_worth_it = |meta: &Meta| meta.size >= least && is_old(meta.modified);
            found.extend(meta.filter(is_worth_it).map(|_| path));
        }
        Ok(found)
    }

    /// Compresses one of the journal's full parts. Whether it did is the answer: not where something was written meanwhile.
    /// Whoever is killed at whatever moment, nothing is lost and nothing is read twice.
    ///
    /// # Errors
    /// [`Error::Unsafe`], [`Error::Io`], as where the disk is full; then the part is as it was.
    #[cfg(feature = "cli")]
    pub fn compress(&self, part: &Path) -> Result<bool> {
        let mut packed = part.as_os_str().to_owned();
        packed.push(packed::ENDING);
        packed::compress(part, Path::new(&packed))
    }

    /// What keeps each compressed part from being read to its end, of those that are damaged.
    ///
    /// # Errors
    /// [`Error::Io`] where the folder cannot be listed.
    pub fn unreadable(&self) -> Result<Vec<Error>> {
        let mut unreadable = Vec::new();
        for number in self.numbers()? {
            let Some((path, _)) = self
                .part(number)?
                .filter(|(path, _)| packed::is_packed(path))
            else {
                continue;
            };
            let read = Source::open(&path, self.unpack).and_then(|source| {
                let copied = source.map(|mut source| io::copy(&mut source, &mut io::sink()));
                copied.transpose().map_err(Error::io("decompress", &path))
            });
            unreadable.extend(read.err());
        }
        Ok(unreadable)
    }

    /// Reads the journal: all that each event says.
    ///
    /// # Errors
    /// [`Error::Unsafe`], [`Error::Io`].
    pub fn events(&self) -> Result<journal::Events> {
        self.journal_lines().map(journal::Events::of)
    }

    /// Reads the journal's last lines, at most `bytes` of it.
    ///
    /// # Errors
    /// [`Error::Unsafe`], [`Error::Io`].
    pub fn last_lines(&self, bytes: u64) -> Result<journal::Lines> {
        let (files, _) = self.open(Self::numbers_if_any)?;
        journal::Lines::of_tail(files, bytes).map_err(Error::io("read", &self.journal()))
    }

    /// Reads the journal from a place on at which a line starts, `position` bytes after its beginning, and says how many
    /// bytes it has: the same whether its parts are compressed or not. Nothing where that cannot be told.
    ///
    /// # Errors
    /// [`Error::Unsafe`], [`Error::Io`].
    pub(crate) fn lines_from(&self, position: u64) -> Result<Option<(journal::Lines, u64)>> {
        let (files, numbers) = self.open(Self::numbers_if_any)?;
        if !self.missing(&numbers).is_empty() {
            return Ok(None);
        }
        journal::Lines::of_rest(files, position).map_err(Error::io("read", &self.journal()))
    }

    /// The size of the imported events and when they were last replaced; nothing where there are none.
    pub(crate) fn imported_stamp(&self) -> Option<(u64, Timestamp)> {
        let meta = file::look(&self.imported()).ok()??.meta;
        Some((meta.size, meta.modified))
    }

    /// Reads what was noted of the session's open calls; nothing where nothing was, or where it cannot be read: it is
    /// derived from the journal.
    pub(crate) fn open_note(&self) -> Option<Vec<u8>> {
        let content = file::read_own(&self.open_note_path(), MAX_OPEN_NOTE).ok()??;
        Some(content.bytes)
    }

    /// Replaces what was noted of the session's open calls.
    ///
    /// # Errors
    /// [`Error::Io`]; the old note stays.
    pub(crate) fn replace_open_note(&self, bytes: &[u8]) -> Result<()> {
        write::replace(&self.open_note_path(), bytes, Durability::Cached)
    }

    /// Reads what was counted of the session's transcript; nothing where nothing was.
    ///
    /// # Errors
    /// [`Error::Content`] where it is too large, so that it is counted again; [`Error::Unsafe`], [`Error::Io`].
    pub fn usage(&self) -> Result<Option<Vec<u8>>> {
        match file::read_own(&self.usage_path(), MAX_USAGE) {
            Err(Error::Unsafe {
                path,
                why: why @ Unsafe::TooLarge(_),
            }) => Err(Error::Content {
                path,
                why: why.to_string(),
            }),
            read => Ok(read?.map(|content| content.bytes)),
        }
    }

    /// When the session's transcript was last counted; nothing where it never was.
    pub fn usage_written(&self) -> Option<Timestamp> {
        let found = file::look(&self.usage_path()).ok()??;
        Some(found.meta.modified)
    }

    /// Replaces what was counted of the session's transcript. It can be counted anew, so it is not synchronised.
    ///
    /// # Errors
    /// [`Error::Io`]; the old count stays.
    pub fn replace_usage(&self, bytes: &[u8]) -> Result<()> {
        write::replace(&self.usage_path(), bytes, Durability::Cached)
    }

    /// Replaces the imported events, the last of which happened at `last`, by `lines`; none remove the file. What is the
    /// same already stays as it is. Whether anything changed is the answer.
    ///
    /// # Errors
    /// [`Error::Unsafe`], [`Error::Io`]; the old events stay.
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

    /// Whether the imported events are these.
    ///
    /// # Errors
    /// [`Error::Unsafe`], [`Error::Io`].
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
    /// [`Error::Unsafe`], [`Error::Io`].
    pub fn imported_events(&self) -> Result<journal::Events> {
        journal::read(&self.imported())
    }
}

/// The text of a record, which is not larger than one that is read.
fn encoded(record: &Record, path: &Path) -> Result<Vec<u8>> {
    let bytes = record.encode();
    if bytes.len() > MAX_RECORD {
        let why = "it would be too large to be read again; its notes are too many";
        return Err(Error::io("write", path)(io::Error::other(why)));
    }
    Ok(bytes)
}

/// What shows that a hook has written to a session's folder.
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

/// How the folder of a session is called that was set aside, and of one that is being removed.
const LEAVING: &str = ".leaving-";
const GOING: &str = ".gone-";

/// A session that was set aside. A cleanup that is killed leaves it: once its removal has begun, the next one goes on; before
/// that, the session comes back.
#[derive(Debug)]
pub struct Aside {
    /// Where the session was.
    place: PathBuf,
    is_going: bool,
}

impl Aside {
    /// The one whose folder has this name among all `sessions`, if it is one's.
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

    /// Where it is now.
    pub fn path(&self) -> PathBuf {
        let prefix = if self.is_going { GOING } else { LEAVING };
        let mut name = OsString::from(prefix);
        name.push(self.place.file_name().unwrap_or_default());
        self.place.with_file_name(name)
    }

    /// As [`SessionDir::trace_of_hooks`], where it is now.
    pub fn trace_of_hooks(&self) -> TraceOfHooks {
        TraceOfHooks::of(&self.path())
    }

    /// Puts it back.
    ///
    /// # Errors
    /// [`Error::Io`], also where a hook has begun the session again meanwhile; it stays aside, and nothing is lost.
    pub fn put_back(&self) -> Result<()> {
        write::rename(&self.path(), &self.place)
    }

    /// Removes it.
    ///
    /// # Errors
    /// [`Error::Io`]; what is left is removed by [`Self::settle`].
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

    /// Ends what a killed cleanup began.
    ///
    /// # Errors
    /// As [`Self::put_back`] and [`Self::remove`].
    pub fn settle(self) -> Result<()> {
        match self.is_going {
            true => self.remove(),
            false => self.put_back(),
        }
    }
}

/// Whether a part has anything to say, as in [`SessionDir::open_before`]. A compressed one that is empty is damaged.
fn is_full((path, meta): &(PathBuf, Meta)) -> bool {
    meta.size > 0 || packed::is_packed(path)
}

/// Gives the full journal at `journal` the name of the empty file at `full`, and an empty one its name.
fn exchange(journal: &Path, full: &Path) -> Result<bool> {
    if write::exchange(journal, full)? {
        return Ok(true);
    }
    // For a moment there is no journal: an event that comes then begins one.
    write::rename(journal, full)?;
    write::begin(journal, b"").map(|_| true)
}
