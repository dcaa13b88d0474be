//! What can go wrong with a file, in words for people: `could not X `path`: why`.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use super::file::Unsafe;

/// A file operation that failed.
#[derive(Debug)]
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

    /// The kind of the underlying io error, where there is one.
    pub fn kind(&self) -> Option<io::ErrorKind> {
        match self {
            Self::Io { source, .. } => Some(source.kind()),
            _ => None,
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
