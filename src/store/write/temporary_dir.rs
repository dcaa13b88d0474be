//! A temporary directory that is removed, with everything in it, once it is no longer used.

use std::path::Path;

use tempfile::{Builder, TempDir};

use crate::store::error::{Error, Result};

/// A private directory with a unique name. Dropping it removes it with everything in it.
#[derive(Debug)]
pub struct TemporaryDir {
    dir: TempDir,
}

impl TemporaryDir {
    /// Creates the directory, mode 0700, in `parent`. Its name begins with `prefix`.
    ///
    /// # Errors
    /// Returns [`Error::Io`] if the directory cannot be created.
    pub fn create(parent: &Path, prefix: &str) -> Result<Self> {
        let dir = Builder::new().prefix(prefix).tempdir_in(parent);
        let dir = dir.map_err(Error::io("create a directory in", parent))?;
        Ok(Self { dir })
    }

    /// Returns the path of the directory.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }
}
