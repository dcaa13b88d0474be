//! Restores a transcript so that Claude Code can resume its session.

use std::io::{BufReader, Read};
use std::path::{Component, Path, PathBuf};

use super::SessionArchive;
use crate::claude::dirs::projects_dir;
use crate::model::archive::{ArchivePart, PartKind};
use crate::store::archive::Archive;
use crate::store::write::{self, GuestFile};
use crate::store::{Environment, Error, Result, file};

/// How many bytes are decompressed at once.
const PIECE: usize = 256 * 1024;

/// The result of a restore.
#[derive(Debug, Default)]
pub struct RestoreReport {
    /// The files that were written.
    pub written: Vec<PathBuf>,
    /// The files that existed already. They stay as they are.
    pub kept: Vec<PathBuf>,
}

/// Restores the transcripts of an archive, below `folder` or at their original places. Never
/// replaces an existing file. Writes the session's own transcript last, so that Claude Code finds
/// the session complete.
///
/// # Errors
/// Returns [`Error`] if the archive has no transcript, or if reading or writing fails. Files
/// already written stay.
///
/// # Security
/// Follows no link below the folder, and writes to no other user's folder.
pub fn restore(
    env: &Environment,
    archived: &SessionArchive,
    folder: Option<&Path>,
) -> Result<RestoreReport> {
    let lacking = |why: &str| Error::Content {
        path: archived.archive.manifest_path(),
        why: why.to_owned(),
    };
    let home = || {
        projects_dir(env).ok_or_else(|| {
            lacking("Claude Code's folder cannot be found: HOME is not an absolute path")
        })
    };
    let is_given = folder.is_some();
    let folder = match folder {
        Some(folder) => folder.to_owned(),
        None => home()?,
    };
    if !is_given {
        check_clients(&folder)?;
    }
    let of = |kind: PartKind| {
        archived
            .manifest
            .parts
            .iter()
            .filter(move |part| part.kind == kind)
    };
    let mut transcripts: Vec<&ArchivePart> = of(PartKind::Transcript).collect();
    // The session's own transcript is the first in the list, and must be written last.
    transcripts.reverse();
    let rest = of(PartKind::File)
        .chain(of(PartKind::Meta))
        .chain(of(PartKind::Subagent));
    let parts: Vec<&ArchivePart> = rest.chain(transcripts).collect();
    if parts.is_empty() {
        return Err(lacking("the archive contains no transcript"));
    }
    let mut restored = RestoreReport::default();
    for part in parts {
        let place = place(part).ok_or_else(|| lacking("a part does not name its original file"))?;
        let path = folder.join(place);
        file::check_own_way(&folder, &path, is_given)?;
        if file::look(&path)?.is_some() {
            restored.kept.push(path);
        } else if restore_part(&archived.archive, part, &path)? {
            restored.written.push(path);
        } else {
            restored.kept.push(path);
        }
    }
    Ok(restored)
}

/// Copies transcripts into Claude Code's folder of all projects. Each of `files` is a path below
/// that folder, and the file to copy there. An existing file is replaced only if the new file
/// begins with it and is longer. The sessions' own transcripts are written last, because Claude
/// Code looks for them.
///
/// # Errors
/// Returns [`Error`] if reading or writing fails. Files already written stay.
///
/// # Security
/// Follows no link below the folder, and writes to no other user's folder.
pub fn put_transcripts(env: &Environment, files: &[(PathBuf, PathBuf)]) -> Result<RestoreReport> {
    let mut put = RestoreReport::default();
    let Some(folder) = projects_dir(env) else {
        return Err(Error::Content {
            path: PathBuf::from("~/.claude/projects"),
            why: "Claude Code's folder cannot be found: HOME is not an absolute path".to_owned(),
        });
    };
    check_clients(&folder)?;
    let mut files: Vec<&(PathBuf, PathBuf)> = files.iter().collect();
    files.sort_by_key(|(place, _)| (place.iter().count() == 2, place));
    for (place, from) in files {
        let path = folder.join(place);
        file::check_own_way(&folder, &path, false)?;
        match file::look(&path)? {
            None => {}
            Some(found) if !found.is_file() => {
                put.kept.push(path);
                continue;
            }
            Some(_) => match continued(&path, from)? {
                Continuation::Longer => {}
                Continuation::Known => continue,
                Continuation::Other => {
                    put.kept.push(path);
                    continue;
                }
            },
        }
        let Some(mut source) = file::open_own(from)? else {
            continue;
        };
        make_dirs(&path)?;
        let mut growing = GuestFile::begin(&path)?;
        let mut piece = vec![0; PIECE];
        loop {
            let read = file::read_some(&mut source, &mut piece).map_err(Error::io("read", from))?;
            match piece.get(..read).filter(|read| !read.is_empty()) {
                Some(read) => growing.write(read)?,
                None => break,
            }
        }
        growing.replace()?;
        put.written.push(path);
    }
    Ok(put)
}

/// How a new file relates to the existing one.
enum Continuation {
    /// The new file begins with the existing one, and is longer.
    Longer,
    /// The existing file begins with all of the new one.
    Known,
    /// Neither file begins with the other.
    Other,
}

/// Returns how the file at `from` relates to the existing one at `here`.
fn continued(here: &Path, from: &Path) -> Result<Continuation> {
    let open = |path: &Path| file::open_own(path);
    let (Some(one), Some(other)) = (open(here)?, open(from)?) else {
        return Ok(Continuation::Other);
    };
    let (mut one, mut other) = (BufReader::new(one).bytes(), BufReader::new(other).bytes());
    loop {
        match (one.next().transpose(), other.next().transpose()) {
            (Err(err), _) => return Err(Error::io("read", here)(err)),
            (_, Err(err)) => return Err(Error::io("read", from)(err)),
            (Ok(_), Ok(None)) => return Ok(Continuation::Known),
            (Ok(None), Ok(Some(_))) => return Ok(Continuation::Longer),
            (Ok(Some(ours)), Ok(Some(theirs))) if ours == theirs => {}
            (Ok(Some(_)), Ok(Some(_))) => return Ok(Continuation::Other),
        }
    }
}

/// Checks that Claude Code's folder of all projects belongs to this user. Under `sudo -E` it does
/// not. If the folder does not exist, checks whether this user may create it.
fn check_clients(projects: &Path) -> Result<()> {
    let claude = projects.parent().unwrap_or(projects);
    match file::canonical(claude) {
        Ok(claude) => file::check_own_way(&claude, &claude.join("x"), false),
        Err(_) => write::check_could_make(claude),
    }
}

/// Returns a part's original path, relative to Claude Code's folder of all projects. Returns `None`
/// if the path is missing or leads out of that folder.
fn place(part: &ArchivePart) -> Option<&Path> {
    let place = Path::new(part.original.as_deref()?);
    let is_below = place
        .components()
        .all(|part| matches!(part, Component::Normal(_)));
    (is_below && place.components().next().is_some()).then_some(place)
}

/// Decompresses a part into a new file at `path`. Returns false if a file exists there already.
fn restore_part(archive: &Archive, part: &ArchivePart, path: &Path) -> Result<bool> {
    let source = archive.part_path(&part.name);
    let failed = |action| move |err| Error::io::<std::io::Error>(action, &source)(err);
    let gone = std::io::Error::from(std::io::ErrorKind::NotFound);
    let Some(mut text) = open_part(archive, part)? else {
        return Err(failed("open")(gone));
    };
    make_dirs(path)?;
    let mut growing = GuestFile::begin(path)?;
    let mut piece = vec![0; PIECE];
    let failed = failed("decompress");
    loop {
        match file::read_some(&mut text, &mut piece) {
            Ok(0) => break,
            Ok(read) => growing.write(piece.get(..read).unwrap_or_default())?,
            Err(err) => return Err(failed(err)),
        }
    }
    growing.end()
}

/// Creates the folders above `path` that do not exist.
fn make_dirs(path: &Path) -> Result<()> {
    let mut missing = Vec::new();
    for dir in path.ancestors().skip(1) {
        if file::look(dir)?.is_some() {
            break;
        }
        missing.push(dir);
    }
    for dir in missing.into_iter().rev() {
        write::make_plain_dir(dir)?;
    }
    Ok(())
}

/// Returns a stream of a part's decompressed text, or `None` if the part does not exist.
///
/// # Errors
/// Returns [`Error`] if the part cannot be opened or decompressed.
pub fn open_part(archive: &Archive, part: &ArchivePart) -> Result<Option<Box<dyn Read>>> {
    let Some(opened) = archive.open(part)? else {
        return Ok(None);
    };
    if !part.name.ends_with(".zst") {
        return Ok(Some(Box::new(BufReader::new(opened))));
    }
    // An older version of ccsession wrote zero bytes for an empty file.
    if part.bytes == 0 {
        return Ok(Some(Box::new(std::io::empty())));
    }
    let path = archive.part_path(&part.name);
    let decoder = zstd::stream::read::Decoder::new(opened);
    let decoder = decoder.map_err(|err| Error::io("decompress", &path)(err))?;
    Ok(Some(Box::new(decoder)))
}
