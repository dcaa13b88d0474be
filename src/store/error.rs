//! Errors of file operations. As text, they have the form `could not X `path`: why`.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// A failed file operation.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused an operation.
    Io {
        /// The attempted action, as an infinitive such as `open`.
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The file or directory exists but must not be trusted.
    Untrusted {
        /// The file or directory.
        path: PathBuf,
        /// Why it must not be trusted.
        why: Untrusted,
    },
    /// The file's content is invalid.
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong with the content.
        why: String,
    },
    /// No state directory is defined: no absolute HOME, no XDG_STATE_HOME, no CCSESSION_STATE_DIR.
    NoStateDir,
    /// Another process held the lock for too long.
    Locked {
        /// The lock file.
        path: PathBuf,
    },
}

/// Why an existing file or directory must not be trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Untrusted {
    /// The file is a symbolic link where none is allowed.
    Symlink,
    /// The file is not a regular file but, for example, a FIFO, a socket, a device or a directory.
    NotRegular,
    /// The path is not a directory.
    NotDirectory,
    /// The file belongs to the user with this id.
    ForeignOwner(u32),
    /// The file has more than one hard link.
    HardLinked,
    /// Other users may write to the file. Contains the permission bits.
    WritableByOthers(u32),
    /// Other users may read or write the file, although it contains secrets. Contains the
    /// permission bits.
    ReadableByOthers(u32),
    /// Other users may enter a directory that must be private. Contains the permission bits.
    OpenToOthers(u32),
    /// Everybody may write to the directory, and it is not sticky: users can replace each other's
    /// files.
    NotSticky,
    /// The file is larger than allowed. Contains the size in bytes.
    TooLarge(u64),
    /// Another process has a file lease on the file (see fcntl(2)), so opening it would block.
    Leased,
    /// The file is in a place where Claude Code would not have put it.
    Misplaced,
}

impl fmt::Display for Untrusted {
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
            Self::ReadableByOthers(mode) => write!(
                f,
                "others may read it (mode {mode:04o}); run chmod 600 on it"
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
    /// Returns a function for `map_err` that converts a system error to an [`Error::Io`] about
    /// `action` and `path`.
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
    /// Returns the file or directory that the error is about; an empty path for
    /// [`Error::NoStateDir`].
    #[cfg(feature = "cli")]
    pub fn path(&self) -> &Path {
        match self {
            Self::Io { path, .. }
            | Self::Untrusted { path, .. }
            | Self::Content { path, .. }
            | Self::Locked { path } => path,
            Self::NoStateDir => Path::new(""),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { action, path, source } => write!(f, "could not {action} `{}`: {}", shown(path), reason(source)),
            Self::Untrusted { path, why } => write!(f, "could not trust `{}`: {why}", shown(path)),
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

/// Returns the system's message, without the error number and without the name of a temporary file,
/// which would confuse the user.
pub(crate) fn reason(err: &io::Error) -> String {
    let text = err.to_string();
    match text.split_once(" (os error ") {
        Some((words, _)) => words.to_owned(),
        None => text,
    }
}

/// Formats a path for a terminal: characters that could move the cursor are escaped.
pub(crate) fn shown(path: &Path) -> String {
    crate::model::text::escaped(&path.to_string_lossy())
}
