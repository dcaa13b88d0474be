//! The archive: `archive/{project}/` in the state directory, the files of one session beside each other.
//!
//! An archive comes to be in one step. Its parts are written under temporary names and made durable; under `….new` they
//! wait for the manifest, and once that is there as `….new`, the archive is complete: whoever comes next, this process or
//! a later one, gives every file its final name, the manifest last. So an archive that is made anew replaces the one
//! before whole or not at all, and a process that is killed leaves nothing half under a final name.

use std::ffi::OsString;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::error::{Error, Result};
use super::file;
use super::lock::{self, Lock};
use super::state::State;
use super::write::{self, Durability, Growing, TEMPORARY};
use crate::model::archive::{Kind, MANIFEST, Manifest, Part, Stem};
use crate::model::project::to_hex;
use crate::model::record::Unreadable;
use crate::model::{ProjectName, SessionId};

/// What a file is called that waits for its final name.
const WAITING: &str = ".new";
/// What the manifest of an archive is called whose parts are being removed.
const GOING: &str = ".gone";
/// The most bytes of a manifest that are read: some ten thousand parts.
const MAX_MANIFEST: usize = 16 << 20;
/// How much of a part is read at once.
const PIECE: usize = 256 * 1024;

/// All archives.
#[derive(Debug, Clone)]
pub struct Archives {
    root: PathBuf,
    lock: PathBuf,
}

/// An archive that is there.
#[derive(Debug, Clone)]
pub struct Archive {
    folder: PathBuf,
    stem: Stem,
}

/// An archive that is being made; dropped, nothing of it is left.
#[derive(Debug)]
pub struct Draft {
    archive: Archive,
    parts: Vec<(Growing, Part)>,
}

/// A part that is being written.
#[derive(Debug)]
pub struct Writer {
    file: Growing,
    digest: Sha256,
    part: Part,
}

/// What is wrong with a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It is not there.
    Missing,
    /// Its bytes are not those that were written.
    Changed,
    /// It is named as no part of this archive is.
    Foreign,
}

impl Archives {
    /// Those in the state directory, which may have none.
    pub fn of(state: &State) -> Self {
        Self {
            root: state.path("archive"),
            lock: state.path("archive.lock"),
        }
    }

    /// Whether there are any; the folder was checked then.
    ///
    /// # Errors
    /// [`Error::Unsafe`] where the folder is a link, or not ours alone.
    pub fn are_there(&self) -> Result<bool> {
        file::check_private_dir(&self.root)
    }

    /// Keeps others from changing the archive meanwhile, waiting at most `patience`.
    ///
    /// # Errors
    /// [`Error::Locked`]; [`Error::Unsafe`] where the folder is not ours alone.
    pub fn lock(&self, patience: Duration) -> Result<Lock> {
        write::make_private_dir(&self.root)?;
        lock::acquire(&self.lock, patience)
    }

    /// The archive of this stem among those of a project; it may not be there.
    pub fn of_project(&self, project: &ProjectName, stem: Stem) -> Archive {
        Archive {
            folder: self.root.join(project.component()),
            stem,
        }
    }

    /// The archive whose manifest is at this path below the folder; nothing where no manifest can be.
    pub fn at(&self, path: &str) -> Option<Archive> {
        let (project, name) = path.split_once('/')?;
        let is_one_name = !matches!(project, "" | "." | "..") && !name.contains('/');
        let stem = Stem::of_manifest(name).filter(|_| is_one_name)?;
        Some(Archive {
            folder: self.root.join(project),
            stem,
        })
    }

    /// Every archive that is complete, in the order of projects and names.
    ///
    /// # Errors
    /// [`Error::Unsafe`], [`Error::Io`] where a folder cannot be listed.
    pub fn all(&self) -> Result<Vec<Archive>> {
        let mut found = Vec::new();
        for folder in self.folders()? {
            let names = file::names(&folder)?.filter_map(|name| name.into_string().ok());
            let stems = names.filter_map(|name| Stem::of_manifest(&name));
            found.extend(stems.map(|stem| Archive {
                folder: folder.clone(),
                stem,
            }));
        }
        found.sort_by_key(Archive::manifest_path);
        Ok(found)
    }

    /// Every archive that may be a session's, by its name, which ends in the id; the manifest tells.
    ///
    /// # Errors
    /// As [`Self::all`].
    pub fn of_session(&self, id: &SessionId) -> Result<Vec<Archive>> {
        let mut all = self.all()?;
        let end = format!("-{id}");
        all.retain(|archive| archive.stem.with("").ends_with(&end));
        Ok(all)
    }

    fn folders(&self) -> Result<Vec<PathBuf>> {
        if !self.are_there()? {
            return Ok(Vec::new());
        }
        let mut folders: Vec<PathBuf> = file::names(&self.root)?
            .map(|name| self.root.join(name))
            .collect();
        folders.retain(|folder| matches!(file::check_private_dir(folder), Ok(true)));
        Ok(folders)
    }

    /// Whether a killed process, or one that runs, has left something to be ended.
    ///
    /// # Errors
    /// [`Error::Io`] where a folder cannot be listed.
    pub fn is_interrupted(&self) -> Result<bool> {
        let is_left = |name: OsString| {
            let name = name.as_encoded_bytes();
            name.ends_with(WAITING.as_bytes()) || name.ends_with(GOING.as_bytes())
        };
        for folder in self.folders()? {
            if file::names(&folder)?.any(is_left) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Ends what a killed process began: gives complete archives their final names, removes the rest of those that were
    /// being removed, what waits for a manifest that never came, and temporary files. The caller holds the lock.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn finish_interrupted(&self) -> Result<()> {
        for folder in self.folders()? {
            let names = file::names(&folder)?.filter_map(|name| name.into_string().ok());
            let names: Vec<String> = names.collect();
            let manifests = |ending: &str| -> Vec<Archive> {
                let stem = |name: &String| Stem::of_manifest(name.strip_suffix(ending)?);
                let stems = names.iter().filter_map(stem);
                let archive = |stem| Archive {
                    folder: folder.clone(),
                    stem,
                };
                stems.map(archive).collect()
            };
            for archive in manifests(WAITING) {
                archive.settle()?;
            }
            for archive in manifests(GOING) {
                archive.end_removal()?;
            }
            let is_manifest = |name: &str| name.ends_with(&format!("{MANIFEST}{WAITING}"));
            let is_left = |name: &&String| {
                // Whoever writes one of these holds the lock.
                name.starts_with(TEMPORARY) || name.ends_with(WAITING) && !is_manifest(name)
            };
            for name in names.iter().filter(is_left) {
                write::remove(&folder.join(name))?;
            }
        }
        Ok(())
    }
}

impl Archive {
    /// Where its manifest is.
    pub fn manifest_path(&self) -> PathBuf {
        self.folder.join(self.stem.manifest())
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

    /// Begins to make it, or to make it anew.
    ///
    /// # Errors
    /// [`Error::Unsafe`] where a folder is not ours alone.
    pub fn draft(&self) -> Result<Draft> {
        write::make_private_dir(&self.folder)?;
        Ok(Draft {
            archive: self.clone(),
            parts: Vec::new(),
        })
    }

    /// Reads every part, and says what is wrong with which.
    ///
    /// # Errors
    /// [`Error::Io`] where a part cannot be read to its end.
    pub fn verify(&self, manifest: &Manifest) -> Result<Vec<(String, Fault)>> {
        let mut faults = Vec::new();
        for part in &manifest.parts {
            if let Some(fault) = self.fault_of(part)? {
                faults.push((part.name.clone(), fault));
            }
        }
        Ok(faults)
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
            let read = file.read(&mut piece).map_err(Error::io("read", &path))?;
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
        let going = self.going();
        write::rename(&self.manifest_path(), &going)?;
        self.remove_parts(&manifest.parts)?;
        write::remove(&going).map(drop)
    }

    /// Ends the removal of an archive whose manifest has lost its name.
    fn end_removal(&self) -> Result<()> {
        let going = self.going();
        if let Some(manifest) = read_manifest(&going)? {
            self.remove_parts(&manifest.parts)?;
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
            let read = file.read(&mut piece).map_err(Error::io("read", &path))?;
            match piece.get(..read).filter(|read| !read.is_empty()) {
                Some(read) => copy.write(read)?,
                None => break,
            }
        }
        copy.sync()?;
        self.parts.push((copy, part.clone()));
        Ok(())
    }

    /// Takes a part that is written to its end. It is on the disk then.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn add(&mut self, writer: Writer) -> Result<()> {
        let Writer {
            file,
            digest,
            mut part,
        } = writer;
        file.sync()?;
        part.sha256 = to_hex(&digest.finalize());
        self.parts.push((file, part));
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
        let named = parts
            .into_iter()
            .try_for_each(|(file, part)| file.replace(&archive.waiting(&part.name)));
        let waiting = archive.waiting(&archive.stem.manifest());
        let complete = named
            .and_then(|()| write::replace(&waiting, &manifest.encode(), Durability::Synced))
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
        Ok(archive)
    }
}

impl Writer {
    /// Says where the original of a copy was and, of a transcript, its size.
    pub fn set_original(&mut self, original: String, bytes: Option<u64>) {
        (self.part.original, self.part.original_bytes) = (Some(original), bytes);
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
