//! Copies a session's folder. Its files may belong to any user.

use std::ffi::OsStr;
use std::io;
use std::path::Path;

use super::super::error::{Error, Result};
use super::super::file;
use super::super::write::{self, GrowingFile};

/// The most owners of a session that are copied.
pub(super) const MAX_OWNERS: usize = 256;
/// The name of the folder with a session's owners.
pub(super) const OWNERS: &str = "owners";
/// The files of a session that are replaced as a whole, unlike the journal.
const WHOLE: [&str; 4] = [
    "session.json",
    "transcript.jsonl",
    "usage.json",
    "title.json",
];

/// Copies the files of a session from the folder `from` to `to`, which is created. Returns a
/// message for each file that could not be read.
///
/// # Errors
/// Returns [`Error::Io`] if the copy cannot be written.
pub(super) fn copy_session(from: &Path, to: &Path) -> Result<Vec<String>> {
    write::make_dir(to)?;
    let mut left_out = Vec::new();
    copy_files(from, to, usize::MAX, is_kept, &mut left_out)?;
    if file::look(&from.join(OWNERS)).is_ok_and(|found| found.is_some_and(|it| it.is_dir())) {
        write::make_dir(&to.join(OWNERS))?;
        let (from, to) = (from.join(OWNERS), to.join(OWNERS));
        copy_files(&from, &to, MAX_OWNERS, |_| true, &mut left_out)?;
    }
    Ok(left_out)
}

/// Returns whether to copy a session's file with this name. Files derived from a whole journal are
/// not copied, because merging may change the journal.
pub(super) fn is_kept(name: &str) -> bool {
    let is_journal = || {
        let name = name.strip_suffix(".zst").unwrap_or(name);
        name.starts_with("events.") && name.ends_with(".jsonl")
    };
    WHOLE.contains(&name) || is_journal()
}

fn copy_files(
    from: &Path,
    to: &Path,
    most: usize,
    is_wanted: impl Fn(&str) -> bool,
    left_out: &mut Vec<String>,
) -> Result<()> {
    let names = match file::first_names(from, most) {
        Ok(names) => names,
        Err(err) => {
            left_out.push(format!("{err}; skipped"));
            return Ok(());
        }
    };
    for name in names {
        if write::is_temporary(&name) || !name.to_str().is_some_and(&is_wanted) {
            continue;
        }
        if let Some(why) = copy_file(&from.join(&name), &to.join(&name))? {
            left_out.push(format!("{why}; skipped"));
        }
    }
    Ok(())
}

/// Copies a file and its modification time. Returns the error if it cannot be read.
fn copy_file(from: &Path, to: &Path) -> Result<Option<Error>> {
    let (mut source, meta) = match file::open_plain(from) {
        Ok(Some(opened)) => opened,
        // The file was rotated or removed since the folder was listed.
        Ok(None) => return Ok(None),
        Err(err) => return Ok(Some(err)),
    };
    let mut target = GrowingFile::beside(to)?;
    if let Err(err) = io::copy(&mut source, target.file()) {
        return Ok(Some(Error::io("copy", from)(err)));
    }
    target.set_modified(meta.modified)?;
    target.create(to)?;
    Ok(None)
}

/// Removes a copy of a session.
pub(super) fn discard(folder: &Path) -> Result<()> {
    for dir in [&folder.join(OWNERS), folder] {
        for name in file::names(dir)? {
            if name != OsStr::new(OWNERS) {
                write::remove(&dir.join(name))?;
            }
        }
        write::remove_empty_dir(dir)?;
    }
    Ok(())
}
