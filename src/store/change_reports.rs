//! Directories that the operating system watches for changes, so that unchanged ones need not be
//! read again.
//!
//! A report is only a hint. There are none on a file system that other machines may write to, on
//! systems other than Linux, or if the user already watches too many directories. So callers must
//! still read everything from time to time.

use std::ffi::OsString;
use std::path::Path;

#[cfg(target_os = "linux")]
use linux as system;
#[cfg(not(target_os = "linux"))]
use none as system;

/// A directory that the system watches for changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ReportedDir(i32);

/// A change in a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The directory that changed.
    pub dir: ReportedDir,
    /// The name of the entry that was written, created, renamed or removed; empty if the directory
    /// itself was moved or removed.
    pub name: OsString,
}

/// Why changes in a directory are not reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotReported {
    /// The directory does not exist.
    Missing,
    /// The operating system does not report changes in the directory.
    Unavailable,
}

/// The changes since the last call of [`ChangeReports::take`].
#[derive(Debug, PartialEq, Eq)]
pub enum Changes {
    /// These changes, and no others.
    Known(Vec<Change>),
    /// Some reports were lost, so anything may have changed.
    Lost,
}

/// The watched directories, and the reports about them.
#[derive(Debug)]
pub struct ChangeReports(system::Reports);

impl Default for ChangeReports {
    fn default() -> Self {
        Self(system::Reports::new())
    }
}

impl ChangeReports {
    /// Starts watching `dir`. The same directory may be added again.
    ///
    /// # Errors
    /// Returns why changes in `dir` cannot be reported.
    pub fn add(&self, dir: &Path) -> Result<ReportedDir, NotReported> {
        self.0.add(dir)
    }

    /// Stops watching `dir`.
    pub fn remove(&self, dir: ReportedDir) {
        self.0.remove(dir);
    }

    /// Returns the changes since the last call.
    pub fn take(&self) -> Changes {
        self.0.take()
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use std::ffi::OsString;
    use std::mem::MaybeUninit;
    use std::os::fd::OwnedFd;
    use std::os::unix::ffi::OsStringExt;
    use std::path::Path;

    use rustix::fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags};
    use rustix::io::Errno;

    use super::{Change, Changes, NotReported, ReportedDir};

    /// The file systems to which only this machine writes, as statfs(2) numbers them: ext, tmpfs,
    /// Btrfs, XFS, overlayfs, ZFS, F2FS.
    const LOCAL: [i64; 7] = [
        0xEF53,
        0x0102_1994,
        0x9123_683E,
        0x5846_5342,
        0x794C_7630,
        0x2FC1_2FC1,
        0xF2F5_2010,
    ];
    /// How many bytes of reports are read at once. A report takes 16 bytes and a name.
    const BUFFER: usize = 16 * 1024;

    #[derive(Debug)]
    pub(super) struct Reports(Option<OwnedFd>);

    fn why(errno: Errno) -> NotReported {
        match errno {
            Errno::NOENT | Errno::NOTDIR => NotReported::Missing,
            _ => NotReported::Unavailable,
        }
    }

    impl Reports {
        pub(super) fn new() -> Self {
            Self(inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK).ok())
        }

        pub(super) fn add(&self, dir: &Path) -> Result<ReportedDir, NotReported> {
            let reports = self.0.as_ref().ok_or(NotReported::Unavailable)?;
            let kind = rustix::fs::statfs(dir).map_err(why)?.f_type;
            #[allow(
                clippy::useless_conversion,
                reason = "the type depends on the processor"
            )]
            let kind = i64::from(kind);
            if !LOCAL.contains(&kind) {
                return Err(NotReported::Unavailable);
            }
            let flags = WatchFlags::MODIFY
                | WatchFlags::CREATE
                | WatchFlags::MOVED_TO
                | WatchFlags::MOVED_FROM
                | WatchFlags::DELETE
                | WatchFlags::DELETE_SELF
                | WatchFlags::MOVE_SELF
                | WatchFlags::ONLYDIR;
            let added = inotify::add_watch(reports, dir, flags).map_err(why)?;
            Ok(ReportedDir(added))
        }

        pub(super) fn remove(&self, dir: ReportedDir) {
            if let Some(reports) = &self.0 {
                // Ignore a failure: a removed directory is no longer watched anyway.
                let _ = inotify::remove_watch(reports, dir.0);
            }
        }

        pub(super) fn take(&self) -> Changes {
            let mut changes = Vec::new();
            let Some(reports) = &self.0 else {
                return Changes::Known(changes);
            };
            let mut buffer = [MaybeUninit::uninit(); BUFFER];
            let mut reader = Reader::new(reports, &mut buffer);
            loop {
                let event = match reader.next() {
                    Ok(event) => event,
                    Err(Errno::INTR) => continue,
                    Err(Errno::AGAIN) => return Changes::Known(changes),
                    Err(_) => return Changes::Lost,
                };
                if event.events().contains(ReadFlags::QUEUE_OVERFLOW) {
                    // Later reports need not be read: the caller now reads everything.
                    return Changes::Lost;
                }
                let name = event.file_name().map(|name| name.to_bytes().to_vec());
                let change = Change {
                    dir: ReportedDir(event.wd()),
                    name: OsString::from_vec(name.unwrap_or_default()),
                };
                // A growing journal causes the same report again and again. Keep one of them.
                if changes.last() != Some(&change) {
                    changes.push(change);
                }
            }
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod none {
    use std::path::Path;

    use super::{Changes, NotReported, ReportedDir};

    #[derive(Debug)]
    pub(super) struct Reports;

    impl Reports {
        pub(super) fn new() -> Self {
            Self
        }

        pub(super) fn add(&self, _: &Path) -> Result<ReportedDir, NotReported> {
            Err(NotReported::Unavailable)
        }

        pub(super) fn remove(&self, _: ReportedDir) {}

        pub(super) fn take(&self) -> Changes {
            Changes::Known(Vec::new())
        }
    }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    #![allow(
        clippy::disallowed_methods,
        clippy::panic,
        clippy::unwrap_used,
        reason = "test code, which writes as other programs do"
    )]

    use std::fs;

    use super::*;

    fn names(changes: Changes) -> Vec<String> {
        match changes {
            Changes::Known(changes) => changes
                .into_iter()
                .map(|change| change.name.into_string().unwrap())
                .collect(),
            Changes::Lost => panic!("lost"),
        }
    }

    #[test]
    fn what_is_written_renamed_and_removed_is_reported_until_the_directory_is_given_up() {
        let dir = tempfile::tempdir().unwrap();
        let reports = ChangeReports::default();
        let Ok(reported) = reports.add(dir.path()) else {
            return; // on a file system of which nothing is reported
        };
        assert_eq!(reports.add(dir.path()), Ok(reported), "named again");
        assert_eq!(reports.take(), Changes::Known(Vec::new()));
        fs::write(dir.path().join("a"), "1").unwrap();
        fs::rename(dir.path().join("a"), dir.path().join("b")).unwrap();
        fs::remove_file(dir.path().join("b")).unwrap();
        assert_eq!(names(reports.take()), ["a", "b"]);
        reports.remove(reported);
        fs::write(dir.path().join("c"), "1").unwrap();
        let after = names(reports.take());
        assert!(!after.contains(&"c".to_owned()), "{after:?}");
    }

    #[test]
    fn a_directory_that_is_removed_is_reported() {
        let dir = tempfile::tempdir().unwrap();
        let reports = ChangeReports::default();
        if reports.add(dir.path()).is_err() {
            return; // on a file system of which nothing is reported
        }
        dir.close().unwrap();
        assert!(names(reports.take()).contains(&String::new()));
        let nowhere = reports.add(Path::new("/nowhere"));
        assert_eq!(nowhere, Err(NotReported::Missing));
    }
}
