//! Creates a socket file through which only processes of this user can connect.

use std::fmt;
use std::io;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use rustix::fs::{FileType, Mode};
use rustix::process::umask;

use super::error::{Error, reason};
use super::{file, write};

/// A socket file, which is removed when this is dropped.
#[derive(Debug)]
pub struct SocketFile {
    path: PathBuf,
    /// The device and inode of the file: only this file is removed, in case another has its name by
    /// then.
    identity: Option<(u64, u64)>,
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if self.identity.is_some() && identity(&self.path) == self.identity {
            let _ = write::remove(&self.path);
        }
    }
}

/// Why a socket file cannot be created.
#[derive(Debug)]
#[non_exhaustive]
pub enum SocketRefusal {
    /// The directory belongs to another user, or others may write to it.
    OpenDir,
    /// Another file has the name.
    NameTaken,
    /// Another process listens on the socket of that name.
    InUse,
    /// A file operation failed.
    Store(Error),
    /// The system cannot listen on the socket.
    System(io::Error),
}

impl fmt::Display for SocketRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OpenDir => f.write_str(
                "its directory must be yours, and nobody else may write to it; choose another one, or run `chmod go-w` on it",
            ),
            Self::NameTaken => f.write_str("another file has this name; choose another name"),
            Self::InUse => f.write_str("another process listens there; choose another name"),
            Self::Store(err) => err.fmt(f),
            Self::System(err) if err.kind() == io::ErrorKind::InvalidInput => {
                f.write_str("the path is too long for a socket; choose one of at most 100 bytes")
            }
            Self::System(err) => f.write_str(&reason(err)),
        }
    }
}

impl std::error::Error for SocketRefusal {}

impl From<Error> for SocketRefusal {
    fn from(err: Error) -> Self {
        Self::Store(err)
    }
}

/// Creates a socket file and listens on it.
///
/// # Errors
/// Returns [`SocketRefusal`] if the socket cannot be created safely, or another process listens on
/// it.
///
/// # Security
/// Only this user can write to the directory, and the file has mode 0600 from the first moment.
/// That needs a change of the umask, which affects the whole process, so no other thread may create
/// files meanwhile.
pub fn listen(path: &Path) -> Result<(UnixListener, SocketFile), SocketRefusal> {
    let dir = match path.parent() {
        Some(dir) if dir.as_os_str().is_empty() => Path::new("."),
        Some(dir) => dir,
        None => return Err(SocketRefusal::NameTaken),
    };
    let dir = file::look(&file::canonical(dir)?)?;
    if !dir.is_some_and(|it| it.is_dir() && it.owner == file::me() && it.mode & 0o022 == 0) {
        return Err(SocketRefusal::OpenDir);
    }
    match file::look(path)? {
        None => {}
        Some(found) if found.kind != FileType::Socket || found.owner != file::me() => {
            return Err(SocketRefusal::NameTaken);
        }
        Some(_) if UnixStream::connect(path).is_ok() => return Err(SocketRefusal::InUse),
        // A killed process has left the file behind.
        Some(_) => drop(write::remove(path)?),
    }
    let before = umask(Mode::from_raw_mode(0o177));
    let bound = UnixListener::bind(path);
    umask(before);
    let listener = bound.map_err(SocketRefusal::System)?;
    let socket = SocketFile {
        path: path.to_owned(),
        identity: identity(path),
    };
    Ok((listener, socket))
}

fn identity(path: &Path) -> Option<(u64, u64)> {
    let found = file::look(path).ok()??;
    Some(found.meta.identity)
}
