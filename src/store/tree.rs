//! Visits all files below a directory of ccsession, for callers that sum up their sizes.

use std::ffi::OsStr;
use std::path::Path;

use super::error::Result;
use super::file::{self, Meta};

/// The deepest level of directories that is read. ccsession's own are three levels deep, so a
/// deeper one is a mistake.
const MAX_DEPTH: usize = 16;

/// Passes the name and metadata of each regular file below `dir` to `visit`. Ignores links, and
/// files that disappear meanwhile. Does nothing if `dir` does not exist.
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
