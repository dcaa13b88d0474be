//! All files below a directory of ours, for whoever sums them up.

use std::ffi::OsStr;
use std::path::Path;

use super::error::Result;
use super::file::{self, Meta};

/// How deep directories are looked into. Ours are three deep; a deeper one is somebody's mistake.
const MAX_DEPTH: usize = 16;

/// Shows `visit` the name of each regular file below `dir`, and what is known of it. Links are neither followed nor shown;
/// what goes meanwhile is passed over. No directory has no files.
///
/// # Errors
/// [`super::Error::Io`] where a directory cannot be listed.
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
