//! Finds the best archive of each session in collected state directories. Only the manifests are
//! copied. The parts are read from the collected directories.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::super::archive::{ELSEWHERE, MAX_MANIFEST};
use super::super::error::{Error, Result};
use super::super::file;
use super::super::write::{self, Durability};
use super::source::Source;
use crate::model::archive::{Manifest, Stem};
use crate::model::{SessionId, Timestamp};

/// An archive in a collected state directory.
struct FoundArchive {
    folder: PathBuf,
    project: OsString,
    stem: Stem,
    manifest: Vec<u8>,
    rank: Rank,
}

/// Ranks the archives of one session; the highest wins. An archive with all its parts ranks first,
/// then the latest, then the one with the most messages, then the most bytes. The manifest's bytes
/// break ties, so that the order of the directories does not matter.
type Rank = (bool, Timestamp, u64, u64, Vec<u8>);

/// Enters the best archive of each session into the state directory at `root`. Returns a message
/// for each file or folder that was skipped.
///
/// # Errors
/// Returns [`Error::Io`] if a manifest cannot be written.
pub(super) fn merge(sources: &[Source], root: &Path) -> Result<Vec<String>> {
    let mut left_out = Vec::new();
    let mut best: BTreeMap<SessionId, FoundArchive> = BTreeMap::new();
    for source in sources {
        for (project, folder) in folders(source, &mut left_out) {
            let names = match file::names(&folder) {
                Ok(names) => names,
                Err(err) => {
                    left_out.push(format!("{err}; skipped"));
                    continue;
                }
            };
            for stem in names.filter_map(|name| Stem::of_manifest(name.to_str()?)) {
                match found(&project, &folder, stem) {
                    Ok(Some((id, found))) => {
                        let known = best.get(&id);
                        if known.is_none_or(|known| known.rank < found.rank) {
                            best.insert(id, found);
                        }
                    }
                    Ok(None) => {}
                    Err(err) => left_out.push(format!("{err}; skipped")),
                }
            }
        }
    }
    for found in best.into_values() {
        enter(&found, root)?;
    }
    Ok(left_out)
}

/// Returns the name and the path of each project folder in a collected archive folder.
fn folders(source: &Source, left_out: &mut Vec<String>) -> Vec<(OsString, PathBuf)> {
    let root = source.state.join("archive");
    let is_dir = |path: &Path| file::look(path).is_ok_and(|it| it.is_some_and(|it| it.is_dir()));
    if !is_dir(&root) {
        return Vec::new();
    }
    match file::names(&root) {
        Ok(names) => names
            .map(|name| (name.clone(), root.join(name)))
            .filter(|(_, folder)| is_dir(folder))
            .collect(),
        Err(err) => {
            left_out.push(format!("{err}; skipped"));
            Vec::new()
        }
    }
}

fn found(
    project: &OsString,
    folder: &Path,
    stem: Stem,
) -> Result<Option<(SessionId, FoundArchive)>> {
    let path = folder.join(stem.manifest());
    let Some(content) = file::read_plain(&path, MAX_MANIFEST)? else {
        return Ok(None);
    };
    let manifest = Manifest::decode(&content.bytes).map_err(|why| Error::Content {
        path,
        why: why.to_string(),
    })?;
    let is_there = |name: &str, bytes: u64| {
        let found = file::look(&folder.join(name)).ok().flatten();
        stem.is_of(name) && found.is_some_and(|it| it.is_file() && it.meta.size == bytes)
    };
    let mut parts = manifest.parts.iter();
    let rank = (
        parts.all(|part| is_there(&part.name, part.bytes)),
        manifest.archived_at,
        manifest.messages,
        manifest.parts.iter().map(|part| part.bytes).sum(),
        content.bytes.clone(),
    );
    let found = FoundArchive {
        folder: folder.to_owned(),
        project: project.clone(),
        stem,
        manifest: content.bytes,
        rank,
    };
    Ok(Some((manifest.session_id, found)))
}

/// Copies the manifest, and writes the path of the folder with the parts to a file beside it.
fn enter(found: &FoundArchive, root: &Path) -> Result<()> {
    use std::os::unix::ffi::OsStrExt;

    let archive = root.join("archive");
    write::make_dir(&archive)?;
    let folder = archive.join(&found.project);
    write::make_dir(&folder)?;
    let elsewhere = folder.join(found.stem.with(ELSEWHERE));
    let place = file::canonical(&found.folder)?;
    write::replace(&elsewhere, place.as_os_str().as_bytes(), Durability::Cached)?;
    write::replace(
        &folder.join(found.stem.manifest()),
        &found.manifest,
        Durability::Cached,
    )
}
