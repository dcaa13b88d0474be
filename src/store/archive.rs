//! The archives in the state directory. All files of one archive are in `archive/{project}/`.
//!
//! An archive appears in one step. Its parts are first written under temporary names, synced, and
//! renamed to `….new`. The manifest follows: once it exists as `….new`, the archive is complete.
//! This process or a later one then gives every file its final name, the manifest last. So a new
//! archive replaces the old one completely or not at all, and a killed process leaves no partial
//! file under a final name.
//!
//! Archiving a session lists no folder, so its cost does not depend on the number of archives.
//! Instead, `archive-ids/` contains the name of each session's archive. The file `archive.pending`
//! exists while an archive is made, and after a process was killed doing so.

use std::collections::BTreeSet;
#[cfg(feature = "cli")]
use std::ffi::OsString;
use std::fs::File;
#[cfg(feature = "cli")]
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::error::{Error, Result};
use super::file;
use super::lock::{self, Lock};
use super::state::StateDir;
use super::write::{self, Durability, FinishedFile, GrowingFile};
use crate::model::archive::{ArchivePart, MANIFEST, Manifest, PartKind, Stem};
use crate::model::project::to_hex;
use crate::model::record::InvalidRecord;
use crate::model::{ProjectName, SessionId};

/// The suffix of a complete file that does not have its final name yet.
const WAITING: &str = ".new";
/// The suffix of a manifest whose archive is being removed.
const GOING: &str = ".gone";
/// The suffix of a file with the path of the folder that contains a collected archive's parts.
#[cfg(feature = "cli")]
pub(super) const ELSEWHERE: &str = ".elsewhere";
/// The largest manifest that is read or written, in bytes. It is enough for about 500,000 parts.
pub(super) const MAX_MANIFEST: usize = 256 << 20;
/// The largest entry in `archive-ids/` that is read, in bytes. An entry contains the names of a
/// project and a manifest.
const MAX_PLACE: usize = 1024;
/// The longest path of a folder with a collected archive's parts, in bytes.
#[cfg(feature = "cli")]
const MAX_ELSEWHERE: usize = 1 << 16;
/// How long a command waits for the archive lock.
const PATIENCE: Duration = Duration::from_secs(60);
/// How many bytes of a part are read at once.
const PIECE: usize = 256 * 1024;

/// The archives in a state directory.
#[derive(Debug, Clone)]
pub struct Archives {
    state: Arc<Path>,
}

/// The existing archives, and the folders that could not be listed.
#[derive(Debug, Default)]
pub struct Listing {
    /// The complete archives, sorted by project and name.
    pub archives: Vec<Archive>,
    /// An error for each folder that could not be listed, or that is not private to this user.
    pub failed: Vec<Error>,
}

/// Archives and parts of archives without their manifest.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct LostArchives {
    /// The paths of manifests that should exist.
    pub manifests: BTreeSet<PathBuf>,
    /// The parts that belong to no manifest, neither an existing one nor one of `manifests`.
    pub parts: Vec<PathBuf>,
}

impl LostArchives {
    /// Returns whether nothing is lost.
    pub fn are_none(&self) -> bool {
        self.manifests.is_empty() && self.parts.is_empty()
    }
}

/// The location of one archive, which may not exist yet.
#[derive(Debug, Clone)]
pub struct Archive {
    archives: Archives,
    folder: PathBuf,
    stem: Stem,
}

/// An archive that is being made. Dropping it removes its files.
#[derive(Debug)]
pub struct Draft {
    archive: Archive,
    parts: Vec<(FinishedFile, ArchivePart)>,
}

/// A part that is being written.
#[derive(Debug)]
pub struct PartWriter {
    file: GrowingFile,
    digest: Sha256,
    part: ArchivePart,
}

/// A defect of a part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The file does not exist.
    Missing,
    /// The bytes differ from those that were written.
    Changed,
    /// The manifest lists a file name that no part of this archive can have.
    Foreign,
    /// The file cannot be trusted or read to its end, for this reason.
    Unreadable(String),
}

impl Archives {
    /// Returns the archives in the state directory, which may have none.
    pub fn of(state: &StateDir) -> Self {
        Self {
            state: state.root().into(),
        }
    }

    fn root(&self) -> PathBuf {
        self.state.join("archive")
    }

    /// Returns the path of the file that exists while an archive is made or removed.
    fn pending(&self) -> PathBuf {
        self.state.join("archive.pending")
    }

    /// Returns the path of the folder that maps sessions to archives.
    fn ids(&self) -> PathBuf {
        self.state.join("archive-ids")
    }

    /// Returns whether the archive folder exists. Checks that it can be trusted.
    ///
    /// # Errors
    /// Returns [`Error::Untrusted`] if the folder is a link, or is not private to this user.
    pub fn are_there(&self) -> Result<bool> {
        file::check_private_dir(&self.root())
    }

    /// Acquires the archive lock. Another process may be archiving a long session, so this waits
    /// for up to a minute.
    ///
    /// # Errors
    /// Returns [`Error::Locked`] if another process holds the lock too long, and
    /// [`Error::Untrusted`] if the archive folder is not private to this user.
    pub fn lock(&self) -> Result<Lock> {
        self.lock_within(PATIENCE)
    }

    /// Acquires the archive lock without waiting, for work that can be done later.
    ///
    /// # Errors
    /// Returns [`Error::Locked`] if another process holds the lock, and [`Error::Untrusted`] if the
    /// archive folder is not private to this user.
    pub fn try_lock(&self) -> Result<Lock> {
        self.lock_within(Duration::ZERO)
    }

    fn lock_within(&self, patience: Duration) -> Result<Lock> {
        write::make_private_dir(&self.root())?;
        lock::acquire(&self.state.join("archive.lock"), patience)
    }

    /// Returns the archive with this stem in a project. It may not exist.
    pub fn of_project(&self, project: &ProjectName, stem: Stem) -> Archive {
        self.archive(self.root().join(project.component()), stem)
    }

    fn archive(&self, folder: PathBuf, stem: Stem) -> Archive {
        Archive {
            archives: self.clone(),
            folder,
            stem,
        }
    }

    /// Returns the archive whose manifest has this path below the archive folder. Returns `None` if
    /// no manifest can have that path.
    pub fn at(&self, path: &str) -> Option<Archive> {
        let (project, name) = path.split_once('/')?;
        let is_one_name = !matches!(project, "" | "." | "..") && !name.contains('/');
        let stem = Stem::of_manifest(name).filter(|_| is_one_name)?;
        Some(self.archive(self.root().join(project), stem))
    }

    /// Lists all complete archives. A folder that cannot be listed does not hide the others.
    ///
    /// # Errors
    /// Returns [`Error::Untrusted`] or [`Error::Io`] if the archive folder itself cannot be listed.
    pub fn all(&self) -> Result<Listing> {
        let mut listing = Listing::default();
        for (folder, names) in self.folders(&mut listing.failed)? {
            let stems = names.iter().filter_map(|name| Stem::of_manifest(name));
            let archives = stems.map(|stem| self.archive(folder.clone(), stem));
            listing.archives.extend(archives);
        }
        listing.archives.sort_by_key(Archive::manifest_path);
        Ok(listing)
    }

    /// Returns the session's archive according to `archive-ids/`, without listing a folder.
    ///
    /// If `archive-ids/` is missing, it is first built from the names of all archives. The caller
    /// must check in the manifest that the archive is of this session.
    ///
    /// # Errors
    /// Returns [`Error::Untrusted`] or [`Error::Io`] if the archive folder itself cannot be listed.
    pub fn of_session(&self, id: &SessionId) -> Result<Option<Archive>> {
        let ids = self.ids();
        if !file::check_private_dir(&ids)? && self.index().is_err() {
            // If the index cannot be built, for example because the disk is full, search all
            // archives.
            let mut all = self.all()?.archives.into_iter();
            return Ok(all.find(|archive| archive.session_by_name().as_ref() == Some(id)));
        }
        let place = file::read_own(&ids.join(id.as_str()), MAX_PLACE)?;
        let place = place.and_then(|place| String::from_utf8(place.bytes).ok());
        Ok(place.and_then(|place| self.at(place.trim_end())))
    }

    /// Adds the archives missing from `archive-ids/`, by the session id at the end of their names.
    /// Removes entries of archives that no longer exist. The caller must hold the lock.
    ///
    /// # Errors
    /// Returns [`Error::Untrusted`] or [`Error::Io`] if the archive folder cannot be listed, or an
    /// entry cannot be read or written.
    pub fn index(&self) -> Result<()> {
        if !self.are_there()? {
            return Ok(());
        }
        let ids = self.ids();
        write::make_private_dir(&ids)?;
        let known: BTreeSet<_> = file::names(&ids)?.collect();
        for entry in known.iter().map(|name| ids.join(name)) {
            let place = file::read_own(&entry, MAX_PLACE)?;
            let place = place.and_then(|place| String::from_utf8(place.bytes).ok());
            let named = place.and_then(|place| self.at(place.trim_end()));
            let is_there = |named: Archive| file::look(&named.manifest_path());
            if named.map(is_there).transpose()?.flatten().is_none() {
                write::remove(&entry)?;
            }
        }
        for archive in self.all()?.archives {
            let Some(id) = archive.session_by_name() else {
                continue;
            };
            if !known.contains(std::ffi::OsStr::new(id.as_str())) {
                archive.enter(&id)?;
            }
        }
        Ok(())
    }

    /// Finds manifests that are missing, although `recorded` or `archive-ids/` names them, and parts
    /// without a manifest. `recorded` are places as [`Archive::place`] returns them. The caller must
    /// have finished what was interrupted.
    ///
    /// # Errors
    /// Returns [`Error::Untrusted`] or [`Error::Io`] if the archive folder or the index cannot be
    /// listed or read.
    #[cfg(feature = "cli")]
    pub fn lost(&self, recorded: impl IntoIterator<Item = String>) -> Result<LostArchives> {
        let mut lost = LostArchives::default();
        let mut places: Vec<String> = recorded.into_iter().collect();
        let ids = self.ids();
        if file::check_private_dir(&ids)? {
            for entry in file::names(&ids)?.map(|name| ids.join(name)) {
                let place = file::read_own(&entry, MAX_PLACE)?;
                let place = place.and_then(|place| String::from_utf8(place.bytes).ok());
                places.extend(place.map(|place| place.trim_end().to_owned()));
            }
        }
        let mut stems: BTreeSet<(PathBuf, String)> = BTreeSet::new();
        for archive in places.iter().filter_map(|place| self.at(place)) {
            let manifest = archive.manifest_path();
            let is_going = || Ok::<_, Error>(file::look(&archive.going())?.is_some());
            if file::look(&manifest)?.is_none() && !is_going()? {
                lost.manifests.insert(manifest);
                stems.insert((archive.folder, archive.stem.with("")));
            }
        }
        for (folder, names) in self.folders(&mut Vec::new())? {
            let own = |name: &String| {
                let name = name.strip_suffix(WAITING).or(name.strip_suffix(GOING));
                name.and_then(Stem::of_manifest)
            };
            let known = names
                .iter()
                .filter_map(|name| Stem::of_manifest(name).or_else(|| own(name)));
            stems.extend(known.map(|stem| (folder.clone(), stem.with(""))));
            let has_manifest = |name: &str| {
                let beginnings = name
                    .match_indices('.')
                    .filter_map(|(dot, _)| name.get(..dot));
                beginnings
                    .rev()
                    .any(|stem| stems.contains(&(folder.clone(), stem.to_owned())))
            };
            let parts = names
                .into_iter()
                .filter(|name| is_part(name) && !has_manifest(name));
            lost.parts.extend(parts.map(|name| folder.join(name)));
        }
        lost.parts.sort();
        Ok(lost)
    }

    /// Lists the project folders and the file names in each. Adds errors about single folders to
    /// `failed`.
    fn folders(&self, failed: &mut Vec<Error>) -> Result<Vec<(PathBuf, Vec<String>)>> {
        let root = self.root();
        if !self.are_there()? {
            return Ok(Vec::new());
        }
        let mut folders = Vec::new();
        for folder in file::names(&root)?.map(|name| root.join(name)) {
            let names = || {
                // Skip files beside the project folders.
                let is_dir = file::look(&folder)?.is_some_and(|found| found.is_dir());
                let is_folder = is_dir && file::check_private_dir(&folder)?;
                is_folder.then(|| file::names(&folder)).transpose()
            };
            match names() {
                Ok(Some(names)) => {
                    let names = names.filter_map(|name| name.into_string().ok()).collect();
                    folders.push((folder, names));
                }
                Ok(None) => {}
                Err(err) => failed.push(err),
            }
        }
        Ok(folders)
    }

    /// Returns whether an archive is only partly made or partly removed. The process that does it
    /// may still run, or was killed.
    ///
    /// # Errors
    /// Returns [`Error::Untrusted`] or [`Error::Io`] if the archive folder itself cannot be listed.
    pub fn is_interrupted(&self) -> Result<bool> {
        let is_left = |name: &String| name.ends_with(WAITING) || name.ends_with(GOING);
        let folders = self.folders(&mut Vec::new())?;
        Ok(folders.iter().any(|(_, names)| names.iter().any(is_left)))
    }

    /// Does the same as [`Self::finish_interrupted`], but only if `archive.pending` exists. After a
    /// power failure or another version, that file may be missing; the daily cleanup handles those
    /// cases.
    ///
    /// # Errors
    /// Returns [`Error::Untrusted`] or [`Error::Io`] if the archive folder itself cannot be listed.
    pub fn finish_pending(&self) -> Result<Vec<Error>> {
        match file::look(&self.pending())? {
            Some(_) => self.finish_interrupted(),
            None => Ok(Vec::new()),
        }
    }

    /// Completes or removes the archives that killed processes left unfinished. The caller must
    /// hold the lock.
    ///
    /// Complete archives get their final names. Removals are completed. Temporary files and parts
    /// without a manifest are removed. A failure does not stop the rest; returns all failures.
    ///
    /// # Errors
    /// Returns [`Error::Untrusted`] or [`Error::Io`] if the archive folder itself cannot be listed.
    pub fn finish_interrupted(&self) -> Result<Vec<Error>> {
        let mut failed = Vec::new();
        for (folder, names) in self.folders(&mut failed)? {
            let manifests = |ending: &str| -> Vec<Archive> {
                let stem = |name: &String| Stem::of_manifest(name.strip_suffix(ending)?);
                let stems = names.iter().filter_map(stem);
                stems
                    .map(|stem| self.archive(folder.clone(), stem))
                    .collect()
            };
            let mut stuck = Vec::new();
            for archive in manifests(WAITING) {
                if let Err(err) = archive.settle() {
                    failed.push(err);
                    stuck.push(archive.stem);
                }
            }
            let ended = manifests(GOING).into_iter();
            failed.extend(ended.filter_map(|archive| archive.end_removal().err()));
            let is_manifest = |name: &str| name.ends_with(&format!("{MANIFEST}{WAITING}"));
            let is_left = |name: &&String| {
                // The lock is held, so no process still writes these files. If a manifest cannot be
                // read now, keep its parts.
                write::is_temporary(name.as_ref())
                    || name.ends_with(WAITING)
                        && !is_manifest(name)
                        && !stuck.iter().any(|stem| stem.is_of(name))
            };
            let left = names.iter().filter(is_left);
            failed.extend(left.filter_map(|name| write::remove(&folder.join(name)).err()));
        }
        // Remove it even after failures: the daily cleanup tries again, not every process that
        // archives.
        write::remove(&self.pending())?;
        Ok(failed)
    }

    /// Returns an error for each unfinished archive whose manifest cannot be read. Changes nothing.
    ///
    /// # Errors
    /// Returns [`Error::Untrusted`] or [`Error::Io`] if the archive folder itself cannot be listed.
    pub fn stuck(&self) -> Result<Vec<Error>> {
        let mut failed = Vec::new();
        for (folder, names) in self.folders(&mut failed)? {
            let is_waiting = |name: &&String| {
                let manifest = name.strip_suffix(WAITING).or(name.strip_suffix(GOING));
                manifest.and_then(Stem::of_manifest).is_some()
            };
            let waiting = names.iter().filter(is_waiting);
            failed.extend(waiting.filter_map(|name| read_manifest(&folder.join(name)).err()));
        }
        Ok(failed)
    }
}

/// Returns whether a part of an archive may have this name: it begins with a date, and ends as parts
/// do.
#[cfg(feature = "cli")]
fn is_part(name: &str) -> bool {
    let date = name.get(..11).unwrap_or_default().bytes().enumerate();
    let is_dated = name.len() > 11
        && date.into_iter().all(|(place, byte)| match place {
            4 | 7 | 10 => byte == b'-',
            _ => byte.is_ascii_digit(),
        });
    let endings = [".txt", ".zst", ".meta.json"];
    is_dated && endings.iter().any(|ending| name.ends_with(ending))
}

impl Archive {
    /// Returns the path of the manifest.
    pub fn manifest_path(&self) -> PathBuf {
        self.folder.join(self.stem.manifest())
    }

    /// Returns whether the archive's name allows a session id that starts with `given`.
    pub fn may_be_of(&self, given: &str) -> bool {
        let stem = self.stem.with("");
        // An older version did not replace the dots of an id.
        let is_in = |given: &str| stem.contains(&format!("-{given}"));
        !given.is_empty() && (is_in(given) || is_in(&Stem::named(given)))
    }

    /// Returns the path of the part with this name. The parts of a collected archive are not
    /// copied, so they are in the directory that was collected.
    pub fn part_path(&self, name: &str) -> PathBuf {
        let own = self.own_path(name);
        match file::look(&own) {
            Ok(None) => self.elsewhere().map_or(own, |folder| folder.join(name)),
            _ => own,
        }
    }

    /// Returns the path of the manifest to show to people and programs. For a collected archive, it
    /// is the path in the directory that was collected.
    pub fn shown_path(&self) -> PathBuf {
        match self.elsewhere() {
            Some(folder) => folder.join(self.stem.manifest()),
            None => self.manifest_path(),
        }
    }

    fn own_path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Returns the folder of the parts of a collected archive; `None` for any other archive.
    #[cfg(feature = "cli")]
    fn elsewhere(&self) -> Option<PathBuf> {
        let noted = file::read_own(&self.own_path(&self.stem.with(ELSEWHERE)), MAX_ELSEWHERE);
        Some(PathBuf::from(OsString::from_vec(noted.ok()??.bytes)))
    }

    #[cfg(not(feature = "cli"))]
    #[allow(clippy::unused_self, reason = "only the CLI reads collected archives")]
    fn elsewhere(&self) -> Option<PathBuf> {
        None
    }

    /// Opens the part with this name for reading. Also finds the parts of a collected archive.
    fn open_part(&self, name: &str) -> Result<Option<File>> {
        match file::open_own(&self.own_path(name))? {
            #[cfg(feature = "cli")]
            None if self.elsewhere().is_some() => {
                let opened = file::open_plain(&self.part_path(name))?;
                Ok(opened.map(|(file, _)| file))
            }
            opened => Ok(opened),
        }
    }

    /// Returns the path below the archive folder: `{project}/{name of the manifest}`.
    pub fn place(&self) -> String {
        let project = self.folder.file_name().unwrap_or_default();
        format!("{}/{}", project.to_string_lossy(), self.stem.manifest())
    }

    /// Reads the manifest; returns `None` if it does not exist.
    ///
    /// # Errors
    /// Returns [`Error::Untrusted`] or [`Error::Io`] if the file cannot be trusted or read, and
    /// [`Error::Content`] if it is damaged or a newer version wrote it.
    pub fn manifest(&self) -> Result<Option<Manifest>> {
        read_manifest(&self.manifest_path())
    }

    /// Returns the session whose id is at the end of the archive's name. If the name is ambiguous,
    /// reads the manifest.
    fn session_by_name(&self) -> Option<SessionId> {
        // `2026-11-28-general-{id}`: a UUID has 36 characters.
        const UUID: usize = 36;
        let stem = self.stem.with("");
        let place = stem.len().checked_sub(UUID);
        let end = place.and_then(|at| stem.split_at_checked(at));
        let is_uuid = |(focus, end): &(&str, &str)| {
            focus.ends_with('-') && end.split('-').map(str::len).eq([8, 4, 4, 4, 12])
        };
        match end.filter(is_uuid) {
            Some((_, id)) => id.parse().ok(),
            None => Some(self.manifest().ok()??.session_id),
        }
    }

    /// Records in `archive-ids/` that this is the session's archive.
    fn enter(&self, id: &SessionId) -> Result<()> {
        let ids = self.archives.ids();
        write::make_private_dir(&ids)?;
        let entry = format!("{}\n", self.place());
        write::replace(&ids.join(id.as_str()), entry.as_bytes(), Durability::Cached)
    }

    /// Removes this archive from `archive-ids/`, unless the session's entry names another one.
    fn forget(&self, id: &SessionId) -> Result<()> {
        let entry = self.archives.ids().join(id.as_str());
        let place = file::read_own(&entry, MAX_PLACE)?;
        if place.is_some_and(|place| place.bytes.trim_ascii_end() == self.place().as_bytes()) {
            write::remove(&entry)?;
        }
        Ok(())
    }

    /// Begins to create or replace the archive. The caller must hold the lock.
    ///
    /// # Errors
    /// Returns [`Error::Untrusted`] if a folder is not private to this user, and [`Error::Io`] if a
    /// folder or file cannot be created.
    pub fn draft(&self) -> Result<Draft> {
        if !file::check_private_dir(&self.folder)? {
            write::make_private_dir(&self.folder)?;
            // Sync the parent folders, or a power failure could remove the new folder with the
            // archive in it.
            let root = self.archives.root();
            write::sync_dir(&root)?;
            write::sync_dir(&self.archives.state)?;
        }
        write::create_small(&self.archives.pending(), b"")?;
        Ok(Draft {
            archive: self.clone(),
            parts: Vec::new(),
        })
    }

    /// Creates or replaces this archive by moving its complete files from the folder `from`, which
    /// must be on the same file system. `bytes` is the encoded manifest. The caller must hold the
    /// lock.
    ///
    /// # Errors
    /// Returns [`Error::Io`] if a file cannot be moved or written. The next process then completes
    /// or undoes the change.
    #[cfg(feature = "cli")]
    pub(super) fn adopt(&self, from: &Path, manifest: &Manifest, bytes: &[u8]) -> Result<()> {
        drop(self.draft()?);
        for part in manifest
            .parts
            .iter()
            .filter(|part| self.stem.is_of(&part.name))
        {
            let part_from = from.join(&part.name);
            if file::look(&part_from)?.is_some() {
                write::rename(&part_from, &self.waiting(&part.name))?;
            }
        }
        let waiting = self.waiting(&self.stem.manifest());
        write::replace(&waiting, bytes, Durability::Synced)?;
        write::sync_dir(&self.folder)?;
        self.settle()?;
        write::remove(&self.archives.pending()).map(drop)
    }

    /// Returns whether every part exists with its recorded size. Does not read the parts.
    #[cfg(feature = "cli")]
    pub(super) fn has_all_parts(&self, manifest: &Manifest) -> bool {
        manifest.parts.iter().all(|part| {
            let found = file::look(&self.own_path(&part.name)).ok().flatten();
            found.is_some_and(|found| found.is_file() && found.meta.size == part.bytes)
        })
    }

    /// Reads every part, and returns the defective ones by name.
    pub fn verify(&self, manifest: &Manifest) -> Vec<(String, Fault)> {
        let fault = |part: &ArchivePart| {
            let fault = self.fault_of(part);
            let fault = fault.unwrap_or_else(|err| Some(Fault::Unreadable(err.to_string())));
            fault.map(|fault| (part.name.clone(), fault))
        };
        manifest.parts.iter().filter_map(fault).collect()
    }

    fn fault_of(&self, part: &ArchivePart) -> Result<Option<Fault>> {
        if !self.stem.is_of(&part.name) {
            return Ok(Some(Fault::Foreign));
        }
        let path = self.part_path(&part.name);
        let Some(mut file) = self.open_part(&part.name)? else {
            return Ok(Some(Fault::Missing));
        };
        let mut digest = Sha256::new();
        let mut piece = vec![0; PIECE];
        let mut bytes = 0;
        loop {
            let read = file::read_some(&mut file, &mut piece).map_err(Error::io("read", &path))?;
            let Some(read_bytes) = piece.get(..read).filter(|read| !read.is_empty()) else {
                break;
            };
            digest.update(read_bytes);
            bytes += read as u64;
        }
        let is_same = bytes == part.bytes && to_hex(&digest.finalize()) == part.sha256;
        Ok((!is_same).then_some(Fault::Changed))
    }

    /// Opens a part for reading; returns `None` if it does not exist.
    ///
    /// # Errors
    /// Returns [`Error::Content`] if no part of this archive can have that name, and
    /// [`Error::Untrusted`] or [`Error::Io`] if the file cannot be trusted or opened.
    pub fn open(&self, part: &ArchivePart) -> Result<Option<File>> {
        if !self.stem.is_of(&part.name) {
            return Err(Error::Content {
                path: self.manifest_path(),
                why: format!(
                    "it names `{}`, which cannot be a part of this archive",
                    part.name.escape_default()
                ),
            });
        }
        self.open_part(&part.name)
    }

    /// Removes the archive, unless it was removed or replaced since `manifest` was read. The caller
    /// must hold the lock.
    ///
    /// The manifest is renamed first, so that the archive no longer exists for readers. It is
    /// removed last: if the process is killed, the renamed manifest lists the parts that are left.
    ///
    /// # Errors
    /// Fails if the manifest cannot be read, or a file cannot be removed.
    pub fn remove(&self, manifest: &Manifest) -> Result<()> {
        if self.manifest()?.as_ref() != Some(manifest) {
            return Ok(());
        }
        let (going, pending) = (self.going(), self.archives.pending());
        write::create_small(&pending, b"")?;
        write::rename(&self.manifest_path(), &going)?;
        self.remove_parts(&manifest.parts)?;
        self.forget(&manifest.session_id)?;
        write::remove(&going)?;
        write::remove(&pending).map(drop)
    }

    /// Completes the removal of an archive whose manifest was already renamed.
    fn end_removal(&self) -> Result<()> {
        let going = self.going();
        if let Some(manifest) = read_manifest(&going)? {
            self.remove_parts(&manifest.parts)?;
            self.forget(&manifest.session_id)?;
        }
        write::remove(&going).map(drop)
    }

    fn going(&self) -> PathBuf {
        self.folder.join(format!("{}{GOING}", self.stem.manifest()))
    }

    fn remove_parts(&self, parts: &[ArchivePart]) -> Result<()> {
        for part in parts.iter().filter(|part| self.stem.is_of(&part.name)) {
            write::remove(&self.own_path(&part.name))?;
        }
        Ok(())
    }

    fn waiting(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}{WAITING}"))
    }

    /// Gives every file of a complete archive its final name, the manifest last. Removes parts that
    /// only the old archive had. If it was interrupted, another call continues.
    fn settle(&self) -> Result<()> {
        let waiting = self.waiting(&self.stem.manifest());
        let Some(manifest) = read_manifest(&waiting)? else {
            return Ok(());
        };
        let before = self.manifest().ok().flatten();
        for part in manifest
            .parts
            .iter()
            .filter(|part| self.stem.is_of(&part.name))
        {
            let from = self.waiting(&part.name);
            if file::look(&from)?.is_some() {
                write::rename(&from, &self.own_path(&part.name))?;
            }
        }
        let mut left = before.map(|before| before.parts).unwrap_or_default();
        left.retain(|old| manifest.parts.iter().all(|part| part.name != old.name));
        self.remove_parts(&left)?;
        // Ignore a failure: the daily cleanup adds the missing entry.
        let _ = self.enter(&manifest.session_id);
        write::rename(&waiting, &self.manifest_path())?;
        write::sync_dir(&self.folder)
    }
}

impl Draft {
    /// Begins to write a part whose name has this ending.
    ///
    /// # Errors
    /// Returns [`Error::Io`] if the file cannot be created.
    pub fn part(&self, kind: PartKind, ending: &str) -> Result<PartWriter> {
        let name = self.archive.stem.with(ending);
        let path = self.archive.own_path(&name);
        let part = ArchivePart {
            name,
            kind,
            bytes: 0,
            sha256: String::new(),
            lines: 0,
            original: None,
            original_bytes: None,
            mark: None,
        };
        Ok(PartWriter {
            file: GrowingFile::beside(&path)?,
            digest: Sha256::new(),
            part,
        })
    }

    /// Copies a part of the existing archive unchanged. Keeps the recorded checksum, so that damage
    /// is still detected. Does nothing if the part is missing.
    ///
    /// # Errors
    /// Returns [`Error::Content`] if no part of this archive can have that name, and
    /// [`Error::Untrusted`] or [`Error::Io`] if the part cannot be read or written.
    pub fn carry_over(&mut self, part: &ArchivePart) -> Result<()> {
        let Some(mut file) = self.archive.open(part)? else {
            return Ok(());
        };
        let path = self.archive.own_path(&part.name);
        let mut copy = GrowingFile::beside(&path)?;
        let mut piece = vec![0; PIECE];
        loop {
            let read = file::read_some(&mut file, &mut piece).map_err(Error::io("read", &path))?;
            match piece.get(..read).filter(|read| !read.is_empty()) {
                Some(read) => copy.write(read)?,
                None => break,
            }
        }
        self.parts.push((copy.close()?, part.clone()));
        Ok(())
    }

    /// Adds a finished part. Syncs and closes its file, because an archive may have more parts than
    /// a process may have open files.
    ///
    /// # Errors
    /// Returns [`Error::Io`] if the file cannot be written.
    pub fn add(&mut self, writer: PartWriter) -> Result<()> {
        let PartWriter {
            file,
            digest,
            mut part,
        } = writer;
        part.sha256 = to_hex(&digest.finalize());
        self.parts.push((file.close()?, part));
        Ok(())
    }

    /// Returns the parts added so far.
    pub fn parts(&self) -> Vec<ArchivePart> {
        self.parts.iter().map(|(_, part)| part.clone()).collect()
    }

    /// Makes the draft the session's archive, with this manifest. The caller must hold the lock.
    ///
    /// # Errors
    /// Returns [`Error::Io`] if a file cannot be written or renamed. An existing archive then stays
    /// as it was. Only if the new manifest was already written, the next process completes the
    /// replacement.
    pub fn complete(self, manifest: &Manifest) -> Result<Archive> {
        let Self { archive, parts } = self;
        let bytes = manifest.encode();
        if bytes.len() > MAX_MANIFEST {
            let why = format!("its {} parts are too many to be read again", parts.len());
            let path = archive.manifest_path();
            return Err(Error::io("write", &path)(std::io::Error::other(why)));
        }
        let named = parts
            .into_iter()
            .try_for_each(|(file, part)| file.replace(&archive.waiting(&part.name)));
        let waiting = archive.waiting(&archive.stem.manifest());
        let complete = named
            .and_then(|()| write::replace(&waiting, &bytes, Durability::Synced))
            .and_then(|()| write::sync_dir(&archive.folder));
        if let Err(err) = complete {
            // Remove the manifest first: while it exists, so must all files that it lists. Ignore
            // failures: the next process removes the files.
            let is_gone = write::remove(&waiting).is_ok();
            for part in manifest.parts.iter().filter(|_| is_gone) {
                let _ = write::remove(&archive.waiting(&part.name));
            }
            return Err(err);
        }
        archive.settle()?;
        write::remove(&archive.archives.pending())?;
        Ok(archive)
    }
}

impl PartWriter {
    /// Records where the original of a copy was and, for a transcript or a file, its size in bytes.
    pub fn set_original(&mut self, original: String, bytes: Option<u64>) {
        (self.part.original, self.part.original_bytes) = (Some(original), bytes);
    }

    /// Records the digest of the transcript's last bytes, which distinguishes a continued
    /// transcript from a rewritten one.
    pub fn set_mark(&mut self, mark: String) {
        self.part.mark = Some(mark);
    }

    /// Returns the name of the part.
    pub fn name(&self) -> &str {
        &self.part.name
    }

    /// Returns the size of a copy's original in bytes, if it was recorded.
    pub fn original_bytes(&self) -> Option<u64> {
        self.part.original_bytes
    }

    /// Wraps an I/O error that concerns this part.
    pub fn failure(&self, action: &'static str, source: std::io::Error) -> Error {
        Error::io(action, Path::new(&self.part.name))(source)
    }

    /// Returns whether nothing was written.
    pub fn is_empty(&self) -> bool {
        self.part.bytes == 0
    }

    /// Appends bytes that contain `lines` lines.
    ///
    /// # Errors
    /// Returns [`Error::Io`] if the file cannot be written.
    pub fn write(&mut self, bytes: &[u8], lines: u64) -> Result<()> {
        self.file.write(bytes)?;
        self.digest.update(bytes);
        self.part.bytes += bytes.len() as u64;
        self.part.lines += lines;
        Ok(())
    }
}

fn read_manifest(path: &Path) -> Result<Option<Manifest>> {
    let Some(content) = file::read_own(path, MAX_MANIFEST)? else {
        return Ok(None);
    };
    let read = Manifest::decode(&content.bytes);
    read.map(Some).map_err(|err: InvalidRecord| Error::Content {
        path: path.to_owned(),
        why: err.to_string(),
    })
}
