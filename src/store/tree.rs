//! Walks all files below a directory of ours, for callers that sum them up.

use std::ffi::OsStr;
use std::path::Path;

use super::error::Result;
use super::file::{self, Meta};

/// Deepest level of directories that is read. Ours are three deep; a deeper one is a mistake.
const MAX_DEPTH: usize = 16;

/// Passes the name and metadata of each regular file below `dir` to `visit`. Links are neither
/// followed nor passed. Files that disappear meanwhile are skipped. A missing directory has no
/// files.
///
/// # Errors
/// Returns [`super::Error::Io`] if a directory cannot be listed.
pub fn files_below(dir: &Path, visit: &mut impl FnMut(&OsStr, &Meta)) -> Result<()> {
    let is_dir = file::look(dir)?.is_some_and(|found| found.is_dir());
    if is_dir {
        descend(dir, MAX_DEPTH, visit)?;
    }
    Ok(())
}

fn descend(dir: &Path, depth: usize, visit: &mut impl FnMut(&OsStr, &Meta)) -> Result<()> {
    for name in file::names(dir)? {
        let path = dir.join(&name);
        match file::look(&path)? {
            Some(found) if found.is_file() => visit(&name, &found.meta),
            Some(found) if found.is_dir() && depth > 0 => descend(&path, depth - 1, visit)?,
            _ => {}
        }
    }
    Ok(())
}
