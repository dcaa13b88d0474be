//! Replaces the content of another program's file and keeps everything else: owner, group, mode,
//! extended attributes, hard links, and a mount on the file.
//!
//! The new content is usually written to a new file, synced, and atomically renamed. If that would
//! lose one of these properties, the content is written into the existing file, and a reader may
//! briefly see only a part of it.

use std::fs::{File, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Gid, OFlags, Stat, XattrFlags};
use rustix::io::Errno;
use tempfile::NamedTempFile;

use super::{
    Durability, Exchange, RenameOutcome, TEMPORARY, keep_name, prepared, remove, rename_to_free,
    sweep_beside,
};
use crate::store::error::{Error, Result};
use crate::store::file::Meta;
use crate::store::{clock, file};

/// The largest extended attribute, and the largest list of their names, in bytes. These are the
/// kernel's limits.
const MAX_ATTRIBUTE: usize = 64 << 10;

/// The result of a change that is made only if the file still has the expected content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "the file may be as another program left it"]
pub enum GuardedChange {
    /// The file was changed.
    Done,
    /// Another program wrote, removed or replaced the file meanwhile. That change is kept.
    Overtaken,
}

/// The new content for a file, in a temporary file beside it.
#[derive(Debug)]
pub struct NextContent<'b> {
    path: PathBuf,
    bytes: &'b [u8],
    temporary: NamedTempFile,
    /// Whether the temporary file matches the old one in everything but content.
    is_alike: bool,
}

impl<'b> NextContent<'b> {
    /// Prepares new content for the file at `path`, which must not be a link. If the file does not
    /// exist, the new one gets permission bits `mode`.
    ///
    /// # Errors
    /// Returns [`Error::Io`] if the file cannot be inspected, or the temporary file cannot be
    /// written. The file is unchanged then.
    pub fn of(path: &Path, bytes: &'b [u8], mode: u32) -> Result<Self> {
        let present = match rustix::fs::lstat(path) {
            Ok(stat) => Some(stat),
            Err(Errno::NOENT | Errno::NOTDIR) => None,
            Err(errno) => return Err(Error::io("inspect", path)(errno)),
        };
        let mode = present.as_ref().map_or(mode, file::permissions);
        // A cleanup visits this folder only after a first complete install.
        sweep_beside(path);
        let temporary = prepared(path, bytes, Durability::Synced, mode)?;
        let is_alike = present
            .as_ref()
            .is_none_or(|stat| made_alike(path, stat, &temporary, mode).unwrap_or(false));
        Ok(Self {
            path: path.to_owned(),
            bytes,
            temporary,
            is_alike,
        })
    }

    /// Creates the file with the new content, if it does not exist yet. Returns whether it was
    /// created.
    ///
    /// # Errors
    /// Returns [`Error::Io`] if the file cannot be renamed or synced.
    pub fn create(self) -> Result<bool> {
        let created = rename_to_free(self.temporary.path(), &self.path);
        if matches!(created, Ok(RenameOutcome::Done)) {
            // The temporary name no longer exists and needs no removal.
            let _ = self.temporary.into_temp_path().keep();
            keep_name(&self.path, Durability::Synced)?;
        }
        let created = created.map_err(|err| self::named("create", &self.path, err))?;
        Ok(created == RenameOutcome::Done)
    }

    /// Replaces the existing file if its content is `expected`.
    ///
    /// The two files swap names, and then the content of the old one is checked: until the swap,
    /// another program could write to it.
    ///
    /// # Errors
    /// Returns [`Error::Io`] if the file cannot be read or replaced. A part of the content can
    /// remain only if it had to be written into the existing file.
    pub fn put(self, expected: &[u8]) -> Result<GuardedChange> {
        if !says(&self.path, expected)? {
            return Ok(GuardedChange::Overtaken);
        }
        if !self.is_alike {
            return overwrite(&self.path, self.bytes).map(|()| GuardedChange::Done);
        }
        let ours = self.temporary.path();
        match super::exchange(ours, &self.path) {
            Ok(Exchange::Done) if says(ours, expected)? => self.keep_name(),
            Ok(Exchange::Done) => self.take_back().map(|()| GuardedChange::Overtaken),
            Ok(Exchange::Unsupported) => match rustix::fs::rename(ours, &self.path) {
                Ok(()) => {
                    let kept = self.keep_name();
                    let _ = self.temporary.into_temp_path().keep();
                    kept
                }
                Err(errno) => self.put_into(errno),
            },
            Err(Error::Io { source, .. }) => match Errno::from_io_error(&source) {
                Some(errno) => self.put_into(errno),
                None => Err(Error::io("replace", &self.path)(source)),
            },
            Err(err) => Err(err),
        }
    }

    /// Waits until the file's new name is on disk.
    fn keep_name(&self) -> Result<GuardedChange> {
        keep_name(&self.path, Durability::Synced).map(|()| GuardedChange::Done)
    }

    /// Undoes the exchange: the old file gets its name back. If other programs have put a newer
    /// file there meanwhile, the newest one keeps the name.
    fn take_back(&self) -> Result<()> {
        let aside = self.temporary.path();
        let identity = |path: &Path| Ok(file::look(path)?.map(|found| found.meta.identity));
        let ours = rustix::fs::fstat(self.temporary.as_file());
        let ours = ours.map_err(Error::io("inspect", aside))?;
        let mut put = Some(Meta::from(&ours).identity);
        loop {
            let next = identity(aside)?;
            let _ = super::exchange(aside, &self.path)?;
            if identity(aside)? == put {
                return Ok(());
            }
            put = next;
        }
    }

    /// Writes into the existing file if it cannot be replaced because it is a mount point, as in a
    /// container.
    fn put_into(&self, errno: Errno) -> Result<GuardedChange> {
        match errno {
            Errno::BUSY | Errno::XDEV => {
                overwrite(&self.path, self.bytes).map(|()| GuardedChange::Done)
            }
            errno => Err(Error::io("replace", &self.path)(errno)),
        }
    }
}

/// Returns whether `path` is a regular file with content `expected`.
fn says(path: &Path, expected: &[u8]) -> Result<bool> {
    if !file::look(path)?.is_some_and(|found| found.is_file()) {
        return Ok(false);
    }
    let content = file::read_any(path, expected.len());
    match content {
        Ok(content) => Ok(content.is_some_and(|content| content.bytes == expected)),
        // A file that is longer than `expected`, for example.
        Err(Error::Untrusted { .. }) => Ok(false),
        Err(err) => Err(err),
    }
}

/// Returns the error with the path of the file that the user knows, instead of that of a temporary
/// file.
fn named(action: &'static str, path: &Path, err: Error) -> Error {
    match err {
        Error::Io { source, .. } => Error::io(action, path)(source),
        other => other,
    }
}

/// Gives the new file the group and the attributes of the file that it will replace. Returns
/// whether the two now match.
fn made_alike(path: &Path, stat: &Stat, new: &NamedTempFile, mode: u32) -> std::io::Result<bool> {
    if stat.st_nlink > 1 || stat.st_uid != file::me() {
        return Ok(false);
    }
    let own = rustix::fs::fstat(new.as_file())?;
    if own.st_gid != stat.st_gid {
        rustix::fs::fchown(new.as_file(), None, Some(Gid::from_raw(stat.st_gid)))?;
    }
    let attributes = attributes(path)?;
    for (name, value) in &attributes {
        rustix::fs::fsetxattr(new.as_file(), name.as_slice(), value, XattrFlags::empty())?;
    }
    let inherited = self::attributes(new.path())?;
    for (name, _) in inherited.iter().filter(|one| !attributes.contains(one)) {
        rustix::fs::fremovexattr(new.as_file(), name.as_slice())?;
    }
    // Set the mode again: copying an access list may have changed the bits of the group.
    new.as_file()
        .set_permissions(Permissions::from_mode(mode))?;
    Ok(self::attributes(new.path())? == attributes)
}

type Attributes = Vec<(Vec<u8>, Vec<u8>)>;

/// Returns the extended attributes of the file at `path`, including access lists. Returns an empty
/// list if the file system has none.
fn attributes(path: &Path) -> std::io::Result<Attributes> {
    let mut names = vec![0; MAX_ATTRIBUTE];
    let length = match rustix::fs::llistxattr(path, names.as_mut_slice()) {
        Ok(length) => length,
        Err(Errno::NOTSUP | Errno::NOSYS) => 0,
        Err(errno) => return Err(errno.into()),
    };
    names.truncate(length);
    let mut found = Vec::new();
    for name in names
        .split(|byte| *byte == 0)
        .filter(|name| !name.is_empty())
    {
        let mut value = vec![0; MAX_ATTRIBUTE];
        let length = rustix::fs::lgetxattr(path, name, value.as_mut_slice())?;
        value.truncate(length);
        found.push((name.to_owned(), value));
    }
    found.sort();
    Ok(found)
}

/// Overwrites the content of the file at `path`, keeping the file itself.
fn overwrite(path: &Path, bytes: &[u8]) -> Result<()> {
    let flags = OFlags::WRONLY | OFlags::NOFOLLOW;
    let file = file::open(path, flags)?.ok_or_else(|| Error::io("write", path)(Errno::NOENT))?;
    let write = |mut file: File| {
        file.write_all(bytes)?;
        file.set_len(bytes.len() as u64)?;
        file.sync_all()
    };
    write(file).map_err(Error::io("write", path))
}

/// Removes the file at `path` if its content is `expected`. A file that is a mount point is emptied
/// instead.
///
/// # Errors
/// Returns [`Error::Io`] if the file can neither be removed nor emptied.
pub fn remove_or_empty(path: &Path, expected: &[u8]) -> Result<GuardedChange> {
    if !says(path, expected)? {
        return Ok(GuardedChange::Overtaken);
    }
    // Move the file aside, and check it again when no other program can open it by its path.
    let name = format!("{TEMPORARY}{}-{}", std::process::id(), clock::since_boot());
    let aside = path.with_file_name(name);
    match rename_to_free(path, &aside) {
        Ok(RenameOutcome::Done) if says(&aside, expected)? => {
            remove(&aside).map(|_| GuardedChange::Done)
        }
        Ok(RenameOutcome::Done) => {
            if rename_to_free(&aside, path)? != RenameOutcome::Done {
                // Another program has written an even newer file meanwhile.
                remove(&aside)?;
            }
            Ok(GuardedChange::Overtaken)
        }
        Ok(RenameOutcome::Taken | RenameOutcome::Missing) => Ok(GuardedChange::Overtaken),
        Err(Error::Io { source, .. })
            if source.raw_os_error() == Some(Errno::BUSY.raw_os_error()) =>
        {
            overwrite(path, b"").map(|()| GuardedChange::Done)
        }
        Err(err) => Err(self::named("remove", path, err)),
    }
}

#[cfg(test)]
#[expect(
    clippy::disallowed_methods,
    reason = "the tests look at the files themselves"
)]
mod tests {
    use std::fs;
    use std::os::unix::fs::MetadataExt;

    use tempfile::TempDir;

    use super::*;

    fn names(dir: &TempDir) -> usize {
        fs::read_dir(dir.path()).unwrap().count()
    }

    #[test]
    fn a_file_is_replaced_and_keeps_its_mode() {
        let dir = TempDir::new().unwrap();
        let path = dir.path().join("a");
        fs::write(&path, "old").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        let before = fs::metadata(&path).unwrap();
        let next = NextContent::of(&path, b"new", 0o600).unwrap();
        assert_eq!(next.put(b"old").unwrap(), GuardedChange::Done);
        let after = fs::metadata(&path).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(after.mode(), before.mode());
        assert_ne!(after.ino(), before.ino());
        assert_eq!(names(&dir), 1);
    }

    #[test]
    fn a_file_with_two_names_keeps_both() {
        let dir = TempDir::new().unwrap();
        let (path, other) = (dir.path().join("a"), dir.path().join("b"));
        fs::write(&path, "a long old text").unwrap();
        fs::hard_link(&path, &other).unwrap();
        let next = NextContent::of(&path, b"new", 0o600).unwrap();
        assert_eq!(next.put(b"a long old text").unwrap(), GuardedChange::Done);
        assert_eq!(fs::read(&other).unwrap(), b"new");
        assert_eq!(fs::metadata(&path).unwrap().nlink(), 2);
        assert_eq!(names(&dir), 2);
    }

    #[test]
    fn a_file_keeps_its_attributes() {
        let dir = TempDir::new().unwrap();
        let path = dir.path().join("a");
        fs::write(&path, "old").unwrap();
        let set = rustix::fs::setxattr(&path, "user.test", b"value", XattrFlags::empty());
        if set.is_err() {
            return; // A file system without them.
        }
        let next = NextContent::of(&path, b"new", 0o600).unwrap();
        assert_eq!(next.put(b"old").unwrap(), GuardedChange::Done);
        let found = attributes(&path).unwrap();
        assert!(found.contains(&(b"user.test".to_vec(), b"value".to_vec())));
        assert_eq!(fs::read(&path).unwrap(), b"new");
    }

    #[test]
    fn a_file_keeps_its_group() {
        let dir = TempDir::new().unwrap();
        let path = dir.path().join("a");
        fs::write(&path, "old").unwrap();
        if rustix::fs::chown(&path, None, Some(Gid::from_raw(20_001))).is_err() {
            return; // Only root may give a file to any group.
        }
        let next = NextContent::of(&path, b"new", 0o600).unwrap();
        assert_eq!(next.put(b"old").unwrap(), GuardedChange::Done);
        assert_eq!(fs::metadata(&path).unwrap().gid(), 20_001);
    }

    #[test]
    fn a_new_file_takes_no_name_that_is_taken() {
        let dir = TempDir::new().unwrap();
        let path = dir.path().join("a");
        let next = NextContent::of(&path, b"new", 0o640).unwrap();
        fs::write(&path, "theirs").unwrap();
        assert!(!next.create().unwrap());
        assert_eq!(fs::read(&path).unwrap(), b"theirs");
        fs::remove_file(&path).unwrap();
        assert!(
            NextContent::of(&path, b"new", 0o640)
                .unwrap()
                .create()
                .unwrap()
        );
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o640);
        assert_eq!(names(&dir), 1);
    }

    /// Replaces the file as another program does, such as an editor.
    fn others_put(dir: &TempDir, text: &str) {
        let aside = dir.path().join("theirs");
        fs::write(&aside, text).unwrap();
        fs::rename(aside, dir.path().join("a")).unwrap();
    }

    #[test]
    fn a_change_before_the_exchange_stays() {
        let dir = TempDir::new().unwrap();
        let path = dir.path().join("a");
        fs::write(&path, "old").unwrap();
        let next = NextContent::of(&path, b"new", 0o600).unwrap();
        others_put(&dir, "theirs");
        assert_eq!(next.put(b"old").unwrap(), GuardedChange::Overtaken);
        assert_eq!(fs::read(&path).unwrap(), b"theirs");
        assert_eq!(
            remove_or_empty(&path, b"old").unwrap(),
            GuardedChange::Overtaken
        );
        assert_eq!(fs::read(&path).unwrap(), b"theirs");
        assert_eq!(names(&dir), 1);
    }

    #[test]
    fn of_changes_during_the_exchange_the_newest_stays() {
        for newer in [None, Some("newer")] {
            let dir = TempDir::new().unwrap();
            let path = dir.path().join("a");
            fs::write(&path, "old").unwrap();
            let next = NextContent::of(&path, b"new", 0o600).unwrap();
            others_put(&dir, "theirs");
            if super::super::exchange(next.temporary.path(), &path).unwrap()
                == Exchange::Unsupported
            {
                return; // A file system without exchanges.
            }
            if let Some(newer) = newer {
                others_put(&dir, newer);
            }
            next.take_back().unwrap();
            drop(next);
            let expected = newer.unwrap_or("theirs");
            assert_eq!(fs::read_to_string(&path).unwrap(), expected);
            assert_eq!(names(&dir), 1);
        }
    }

    #[test]
    fn a_file_with_other_content_is_not_removed() {
        let dir = TempDir::new().unwrap();
        let path = dir.path().join("a");
        fs::write(&path, "old").unwrap();
        assert_eq!(
            remove_or_empty(&path, b"ol").unwrap(),
            GuardedChange::Overtaken
        );
        assert_eq!(
            remove_or_empty(&path, b"older").unwrap(),
            GuardedChange::Overtaken
        );
        assert_eq!(remove_or_empty(&path, b"old").unwrap(), GuardedChange::Done);
        assert_eq!(
            remove_or_empty(&path, b"old").unwrap(),
            GuardedChange::Overtaken
        );
        assert_eq!(names(&dir), 0);
    }

    #[test]
    fn content_that_is_dropped_leaves_no_file() {
        let dir = TempDir::new().unwrap();
        let path = dir.path().join("a");
        fs::write(&path, "old").unwrap();
        drop(NextContent::of(&path, b"new", 0o600).unwrap());
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(names(&dir), 1);
    }
}
