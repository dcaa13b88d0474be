//! What can go wrong with a file, in words for people: `could not X `path`: why`.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// A file operation that failed.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The operating system said no.
    Io {
        /// What was tried, as an infinitive.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
    /// The file or directory is there, but must not be trusted.
    Unsafe {
        /// Which one.
        path: PathBuf,
        /// Why not.
        why: Unsafe,
    },
    /// The file's content is not what it should be.
    Content {
        /// Which file.
        path: PathBuf,
        /// What it is instead.
        why: String,
    },
    /// There is no place for state: no absolute HOME, no XDG_STATE_HOME, no CCSESSION_STATE_DIR.
    NoStateDir,
    /// Somebody else held the lock for too long.
    Locked {
        /// The lock file.
        path: PathBuf,
    },
}

/// Why a file or directory that is there must not be trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unsafe {
    /// A symbolic link where none may be.
    Symlink,
    /// A FIFO, a socket, a device or a directory where a regular file should be.
    NotRegular,
    /// Something else where a directory should be.
    NotDirectory,
    /// It belongs to another user.
    ForeignOwner(u32),
    /// It has more than one name.
    HardLinked,
    /// Others may write to it.
    WritableByOthers(u32),
    /// Others may look into a directory that must be private.
    OpenToOthers(u32),
    /// Everybody may write to the directory and replace each other's files.
    NotSticky,
    /// It is larger than it can rightly be.
    TooLarge(u64),
    /// Another process holds a lease on it; opening it would block.
    Leased,
    /// Claude Code would not have put it there.
    Misplaced,
}

impl fmt::Display for Unsafe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Symlink => f.write_str("it is a symbolic link"),
            Self::NotRegular => f.write_str("it is not a regular file"),
            Self::NotDirectory => f.write_str("it is not a directory"),
            Self::ForeignOwner(uid) => write!(f, "it belongs to another user (uid {uid})"),
            Self::HardLinked => f.write_str("it has more than one hard link"),
            Self::WritableByOthers(mode) => write!(
                f,
                "others may write to it (mode {mode:04o}); run chmod go-w on it"
            ),
            Self::OpenToOthers(mode) => write!(
                f,
                "others may enter it (mode {mode:04o}); run chmod 700 on it"
            ),
            Self::NotSticky => f.write_str(
                "everybody may write to it and it is not sticky (as chmod 1777 makes it)",
            ),
            Self::TooLarge(size) => write!(f, "it is too large ({size} bytes)"),
            Self::Leased => f.write_str("another process holds a lease on it"),
            Self::Misplaced => f.write_str("it is not where Claude Code puts such files"),
        }
    }
}

/// The result of a file operation.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// An [`Error::Io`] of `action` on `path`, made for `map_err`.
    pub(crate) fn io<E: Into<io::Error>>(
        action: &'static str,
        path: &Path,
    ) -> impl FnOnce(E) -> Self {
        move |source| Self::Io {
            action,
            path: path.to_owned(),
            source: source.into(),
        }
    }
}

impl Error {
    /// The file or directory that it is about; nothing but a place for state has none.
    #[cfg(feature = "cli")]
    pub fn path(&self) -> &Path {
        match self {
            Self::Io { path, .. }
            | Self::Unsafe { path, .. }
            | Self::Content { path, .. }
            | Self::Locked { path } => path,
            Self::NoStateDir => Path::new(""),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { action, path, source } => write!(f, "could not {action} `{}`: {source}", shown(path)),
            Self::Unsafe { path, why } => write!(f, "could not trust `{}`: {why}", shown(path)),
            Self::Content { path, why } => write!(f, "could not read `{}`: {why}", shown(path)),
            Self::NoStateDir => f.write_str(
                "could not find a state directory: HOME is not an absolute path; set HOME or CCSESSION_STATE_DIR",
            ),
            Self::Locked { path } => {
                write!(f, "could not lock `{}`: another process holds it; try again", shown(path))
            }
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            _ => None,
        }
    }
}

/// A path for people: what could move a cursor is escaped.
pub(crate) fn shown(path: &Path) -> String {
    crate::model::text::escaped(&path.to_string_lossy())
}
