//! The archive: `archive/{project}/` in the state directory, the files of one session beside each other.
//!
//! An archive comes to be in one step. Its parts are written under temporary names and made durable; under `….new` they
//! wait for the manifest, and once that is there as `….new`, the archive is complete: whoever comes next, this process or
//! a later one, gives every file its final name, the manifest last. So an archive that is made anew replaces the one
//! before whole or not at all, and a process that is killed leaves nothing half under a final name.
//!
//! What archiving one session costs does not depend on how many there are: no folder is listed for it. Which archives a
//! session has says `archive-ids/`; that somebody is at work, or was killed at it, says `archive.pending`.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::error::{Error, Result};
use super::file;
use super::lock::{self, Lock};
use super::state::State;
use super::write::{self, Closed, Durability, Growing, TEMPORARY};
use crate::model::archive::{Kind, MANIFEST, Manifest, Part, Stem};
use crate::model::project::to_hex;
use crate::model::record::Unreadable;
use crate::model::{ProjectName, SessionId};

/// What a file is called that waits for its final name.
const WAITING: &str = ".new";
/// What the manifest of an archive is called whose parts are being removed.
const GOING: &str = ".gone";
/// The most bytes that a manifest may have: some five hundred thousand parts. No larger one is written.
const MAX_MANIFEST: usize = 256 << 20;
/// The most bytes of an entry in `archive-ids/` that are read: a project's name and a manifest's.
const MAX_PLACE: usize = 1024;
/// How much of a part is read at once.
const PIECE: usize = 256 * 1024;

/// All archives.
#[derive(Debug, Clone)]
pub struct Archives {
    state: Arc<Path>,
}

/// The archives that are there, as far as they can be told.
#[derive(Debug, Default)]
pub struct Listing {
    /// Those that are complete, in the order of projects and names.
    pub archives: Vec<Archive>,
    /// Why the others could not be listed: folders that are not ours alone, or that the system does not list.
    pub failed: Vec<Error>,
}

/// An archive that is there.
#[derive(Debug, Clone)]
pub struct Archive {
    archives: Archives,
    folder: PathBuf,
    stem: Stem,
}

/// An archive that is being made; dropped, nothing of it is left.
#[derive(Debug)]
pub struct Draft {
    archive: Archive,
    parts: Vec<(Closed, Part)>,
}

/// A part that is being written.
#[derive(Debug)]
pub struct Writer {
    file: Growing,
    digest: Sha256,
    part: Part,
}

/// What is wrong with a part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// It is not there.
    Missing,
    /// Its bytes are not those that were written.
    Changed,
    /// It is named as no part of this archive is.
    Foreign,
    /// It must not be trusted, or cannot be read to its end: why.
    Unreadable(String),
}

impl Archives {
    /// Those in the state directory, which may have none.
    pub fn of(state: &State) -> Self {
        Self {
            state: state.root().into(),
        }
    }

    fn root(&self) -> PathBuf {
        self.state.join("archive")
    }

    /// The file that is there while an archive is made or removed.
    fn pending(&self) -> PathBuf {
        self.state.join("archive.pending")
    }

    /// The folder that says where each session's archive is.
    fn ids(&self) -> PathBuf {
        self.state.join("archive-ids")
    }

    /// Whether there are any; the folder was checked then.
    ///
    /// # Errors
    /// [`Error::Unsafe`] where the folder is a link, or not ours alone.
    pub fn are_there(&self) -> Result<bool> {
        file::check_private_dir(&self.root())
    }

    /// Keeps others from changing the archive meanwhile, waiting at most `patience`.
    ///
    /// # Errors
    /// [`Error::Locked`]; [`Error::Unsafe`] where the folder is not ours alone.
    pub fn lock(&self, patience: Duration) -> Result<Lock> {
        write::make_private_dir(&self.root())?;
        lock::acquire(&self.state.join("archive.lock"), patience)
    }

    /// The archive of this stem among those of a project; it may not be there.
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

    /// The archive whose manifest is at this path below the folder; nothing where no manifest can be.
    pub fn at(&self, path: &str) -> Option<Archive> {
        let (project, name) = path.split_once('/')?;
        let is_one_name = !matches!(project, "" | "." | "..") && !name.contains('/');
        let stem = Stem::of_manifest(name).filter(|_| is_one_name)?;
        Some(self.archive(self.root().join(project), stem))
    }

    /// Every archive that is complete. A folder that cannot be listed hides no other.
    ///
    /// # Errors
    /// [`Error::Unsafe`], [`Error::Io`] where the folder of all folders cannot be listed.
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

    /// The archive that a session has as `archive-ids/` says, and no folder is listed. Where that is not there, it is made
    /// of the archives' names first. The manifest tells whether it is the session's.
    ///
    /// # Errors
    /// As [`Self::all`].
    pub fn of_session(&self, id: &SessionId) -> Result<Option<Archive>> {
        let ids = self.ids();
        if !file::check_private_dir(&ids)? && self.index().is_err() {
            // The disk is full, say.
            let mut all = self.all()?.archives.into_iter();
            return Ok(all.find(|archive| archive.session_by_name().as_ref() == Some(id)));
        }
        let place = file::read_own(&ids.join(id.as_str()), MAX_PLACE)?;
        let place = place.and_then(|place| String::from_utf8(place.bytes).ok());
        Ok(place.and_then(|place| self.at(place.trim_end())))
    }

    /// Enters every archive into `archive-ids/` that is missing there, by its name, which ends in the session's id, and takes
    /// out what is not there any more. The caller holds the lock.
    ///
    /// # Errors
    /// As [`Self::all`], and where an entry cannot be written.
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

    /// The folders of all projects and the names in each. Why one cannot be listed is added to `failed`.
    fn folders(&self, failed: &mut Vec<Error>) -> Result<Vec<(PathBuf, Vec<String>)>> {
        let root = self.root();
        if !self.are_there()? {
            return Ok(Vec::new());
        }
        let mut folders = Vec::new();
        for folder in file::names(&root)?.map(|name| root.join(name)) {
            let names = || {
                // What is no folder is none of a project's.
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

    /// Whether a killed process, or one that runs, has left something to be ended.
    ///
    /// # Errors
    /// [`Error::Io`] where the folder of all folders cannot be listed.
    pub fn is_interrupted(&self) -> Result<bool> {
        let is_left = |name: &String| name.ends_with(WAITING) || name.ends_with(GOING);
        let folders = self.folders(&mut Vec::new())?;
        Ok(folders.iter().any(|(_, names)| names.iter().any(is_left)))
    }

    /// As [`Self::finish_interrupted`], where a process that was killed at an archive has left its mark. What a power failure
    /// or another version left without a mark is found by the daily cleanup.
    ///
    /// # Errors
    /// As [`Self::finish_interrupted`].
    pub fn finish_pending(&self) -> Result<Vec<Error>> {
        match file::look(&self.pending())? {
            Some(_) => self.finish_interrupted(),
            None => Ok(Vec::new()),
        }
    }

    /// Ends what a killed process began: gives complete archives their final names, removes the rest of those that were
    /// being removed, what waits for a manifest that never came, and temporary files. What of that cannot be done is returned
    /// and keeps nothing else from being done. The caller holds the lock.
    ///
    /// # Errors
    /// As [`Self::all`].
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
                // Whoever writes one of these holds the lock. What a manifest may name that cannot be read now stays.
                name.starts_with(TEMPORARY)
                    || name.ends_with(WAITING)
                        && !is_manifest(name)
                        && !stuck.iter().any(|stem| stem.is_of(name))
            };
            let left = names.iter().filter(is_left);
            failed.extend(left.filter_map(|name| write::remove(&folder.join(name)).err()));
        }
        // What failed now is tried again once a day, and not by everybody who archives.
        write::remove(&self.pending())?;
        Ok(failed)
    }

    /// What waits to be ended and cannot be: why. Nothing is changed.
    ///
    /// # Errors
    /// As [`Self::all`].
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

impl Archive {
    /// Where its manifest is.
    pub fn manifest_path(&self) -> PathBuf {
        self.folder.join(self.stem.manifest())
    }

    /// Whether it may be the archive of a session whose id begins so, as its name says.
    pub fn may_be_of(&self, given: &str) -> bool {
        let stem = self.stem.with("");
        // An older version wrote an id's points as they are.
        let is_in = |given: &str| stem.contains(&format!("-{given}"));
        !given.is_empty() && (is_in(given) || is_in(&Stem::named(given)))
    }

    /// Where the part of this name is.
    pub fn part_path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Where it is below the folder of all: `{project}/{name of the manifest}`.
    pub fn place(&self) -> String {
        let project = self.folder.file_name().unwrap_or_default();
        format!("{}/{}", project.to_string_lossy(), self.stem.manifest())
    }

    /// Its manifest; nothing where there is none.
    ///
    /// # Errors
    /// [`Error::Unsafe`], [`Error::Io`]; [`Error::Content`] where it is no manifest that this version understands.
    pub fn manifest(&self) -> Result<Option<Manifest>> {
        read_manifest(&self.manifest_path())
    }

    /// The session that the archive's name ends in; where that may be read in several ways, its manifest tells.
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

    /// Notes in `archive-ids/` that this is the session's archive.
    fn enter(&self, id: &SessionId) -> Result<()> {
        let ids = self.archives.ids();
        write::make_private_dir(&ids)?;
        let entry = format!("{}\n", self.place());
        write::replace(&ids.join(id.as_str()), entry.as_bytes(), Durability::Cached)
    }

    /// Takes this archive out of `archive-ids/`, unless the session has another one.
    fn forget(&self, id: &SessionId) -> Result<()> {
        let entry = self.archives.ids().join(id.as_str());
        let place = file::read_own(&entry, MAX_PLACE)?;
        if place.is_some_and(|place| place.bytes.trim_ascii_end() == self.place().as_bytes()) {
            write::remove(&entry)?;
        }
        Ok(())
    }

    /// Begins to make it, or to replace it. The caller holds the lock.
    ///
    /// # Errors
    /// [`Error::Unsafe`] where a folder is not ours alone.
    pub fn draft(&self) -> Result<Draft> {
        if !file::check_private_dir(&self.folder)? {
            write::make_private_dir(&self.folder)?;
            // Else a power failure could leave the archive without its folder.
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

    /// Reads every part, and says what is wrong with which.
    pub fn verify(&self, manifest: &Manifest) -> Vec<(String, Fault)> {
        let fault = |part: &Part| {
            let fault = self.fault_of(part);
            let fault = fault.unwrap_or_else(|err| Some(Fault::Unreadable(err.to_string())));
            fault.map(|fault| (part.name.clone(), fault))
        };
        manifest.parts.iter().filter_map(fault).collect()
    }

    fn fault_of(&self, part: &Part) -> Result<Option<Fault>> {
        if !self.stem.is_of(&part.name) {
            return Ok(Some(Fault::Foreign));
        }
        let path = self.part_path(&part.name);
        let Some(mut file) = file::open_own(&path)? else {
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

    /// Opens a part for reading; nothing where it is not there.
    ///
    /// # Errors
    /// [`Error::Unsafe`], [`Error::Io`].
    pub fn open(&self, part: &Part) -> Result<Option<File>> {
        if !self.stem.is_of(&part.name) {
            return Err(Error::Content {
                path: self.manifest_path(),
                why: format!(
                    "it names `{}`, which is no part of it",
                    part.name.escape_default()
                ),
            });
        }
        file::open_own(&self.part_path(&part.name))
    }

    /// Removes it, unless it is gone or was made anew since this `manifest` was read. The manifest loses its name first,
    /// since without one it is none, and goes last: where the process is killed, it tells the next one what is left. The caller
    /// holds the lock.
    ///
    /// # Errors
    /// As [`Self::manifest`].
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

    /// Ends the removal of an archive whose manifest has lost its name.
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

    fn remove_parts(&self, parts: &[Part]) -> Result<()> {
        for part in parts.iter().filter(|part| self.stem.is_of(&part.name)) {
            write::remove(&self.part_path(&part.name))?;
        }
        Ok(())
    }

    fn waiting(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}{WAITING}"))
    }

    /// Gives every file of a complete archive its final name, and removes parts that only the one before had; the manifest
    /// comes last. Repeated, it goes on where it ended.
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
                write::rename(&from, &self.part_path(&part.name))?;
            }
        }
        let mut left = before.map(|before| before.parts).unwrap_or_default();
        left.retain(|old| manifest.parts.iter().all(|part| part.name != old.name));
        self.remove_parts(&left)?;
        // Derived, so no reason to have no archive: the daily cleanup enters it, too.
        let _ = self.enter(&manifest.session_id);
        write::rename(&waiting, &self.manifest_path())?;
        write::sync_dir(&self.folder)
    }
}

impl Draft {
    /// Begins a part with this ending.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn part(&self, kind: Kind, ending: &str) -> Result<Writer> {
        let name = self.archive.stem.with(ending);
        let path = self.archive.part_path(&name);
        let part = Part {
            name,
            kind,
            bytes: 0,
            sha256: String::new(),
            lines: 0,
            original: None,
            original_bytes: None,
            mark: None,
        };
        Ok(Writer {
            file: Growing::beside(&path)?,
            digest: Sha256::new(),
            part,
        })
    }

    /// Takes a part of the archive that is there, as it is; what it is said to be stays, so that damage shows. Where it is
    /// missing, nothing is taken.
    ///
    /// # Errors
    /// [`Error::Content`] where it is no part of this archive; else as [`Self::add`].
    pub fn carry_over(&mut self, part: &Part) -> Result<()> {
        let Some(mut file) = self.archive.open(part)? else {
            return Ok(());
        };
        let path = self.archive.part_path(&part.name);
        let mut copy = Growing::beside(&path)?;
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

    /// Takes a part that is written to its end. It is on the disk then, and closed: an archive may have more parts than a
    /// process may have open files.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn add(&mut self, writer: Writer) -> Result<()> {
        let Writer {
            file,
            digest,
            mut part,
        } = writer;
        part.sha256 = to_hex(&digest.finalize());
        self.parts.push((file.close()?, part));
        Ok(())
    }

    /// The parts so far.
    pub fn parts(&self) -> Vec<Part> {
        self.parts.iter().map(|(_, part)| part.clone()).collect()
    }

    /// Makes it the session's archive, with this manifest. The caller holds the lock.
    ///
    /// # Errors
    /// [`Error::Io`]; then the archive before, if there was one, is as it was.
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
            // The manifest goes first: what it names is complete as long as it is there. What cannot be removed now, the
            // next process removes.
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

impl Writer {
    /// Says where the original of a copy was and, of a transcript or a file, its size.
    pub fn set_original(&mut self, original: String, bytes: Option<u64>) {
        (self.part.original, self.part.original_bytes) = (Some(original), bytes);
    }

    /// Says what tells a transcript that goes on from one that was rewritten.
    pub fn set_mark(&mut self, mark: String) {
        self.part.mark = Some(mark);
    }

    /// What the part is called.
    pub fn name(&self) -> &str {
        &self.part.name
    }

    /// The size of the original of a copy, where it was said.
    pub fn original_bytes(&self) -> Option<u64> {
        self.part.original_bytes
    }

    /// What failed on this part.
    pub fn failure(&self, action: &'static str, source: std::io::Error) -> Error {
        Error::io(action, Path::new(&self.part.name))(source)
    }

    /// Whether nothing was written.
    pub fn is_empty(&self) -> bool {
        self.part.bytes == 0
    }

    /// Adds bytes that hold so many lines.
    ///
    /// # Errors
    /// [`Error::Io`].
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
    read.map(Some).map_err(|err: Unreadable| Error::Content {
        path: path.to_owned(),
        why: err.to_string(),
    })
}
