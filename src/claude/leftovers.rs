//! Finds what Claude Code keeps of a session: everything in its directory that is named after the
//! session's id.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::dirs::claude_dir;
use crate::model::SessionId;
use crate::store::{Environment, Result, file, write};

/// How many levels of folders a removal descends at most.
const MAX_DEPTH: usize = 16;

/// Returns the files and folders that are named after the session, sorted: its transcript, the
/// folder beside that, to-do lists, copies of edited files and others. Skips links.
pub fn of(env: &Environment, id: &SessionId) -> Vec<PathBuf> {
    let Some(root) = claude_dir(env) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for folder in below(&root) {
        let is_projects = folder.file_name() == Some(OsStr::new("projects"));
        for path in below(&folder) {
            if is_projects {
                found.extend(below(&path).filter(|path| is_of(path, id)));
            } else if is_of(&path, id) {
                found.push(path);
            }
        }
    }
    found.retain(|path| matches!(file::look(path), Ok(Some(found)) if !found.is_link()));
    found.sort();
    found
}

fn below(folder: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    let is_dir = matches!(file::look(folder), Ok(Some(found)) if found.is_dir());
    let names = is_dir.then(|| file::names(folder).ok()).flatten();
    let folder = folder.to_owned();
    names
        .into_iter()
        .flatten()
        .map(move |name| folder.join(name))
}

/// Returns true if the file's name is the id, alone or followed by `.` or `-`.
fn is_of(path: &Path, id: &SessionId) -> bool {
    let name = path.file_name().and_then(OsStr::to_str);
    let rest = name.and_then(|name| name.strip_prefix(id.as_str()));
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '-']))
}

/// Removes a file, or a folder with everything in it. Links are removed, not followed.
///
/// # Errors
/// Returns [`crate::store::Error::Io`] if something cannot be removed. What is left can be removed
/// by another call.
pub fn remove(path: &Path) -> Result<()> {
    remove_to(path, MAX_DEPTH)
}

fn remove_to(path: &Path, depth: usize) -> Result<()> {
    let is_dir = file::look(path)?.is_some_and(|found| found.is_dir());
    if !is_dir || depth == 0 {
        return write::remove(path).map(drop);
    }
    for name in file::names(path)? {
        remove_to(&path.join(name), depth - 1)?;
    }
    write::remove_empty_dir(path).map(drop)
}
