//! Hides machines in exported data: replaces their names and ids by hashes that depend on a secret
//! of this installation.

use std::path::Path;

use super::error::{Error, Result};
use super::file;
use super::write::{self, Durability};
use crate::model::project::{fingerprint, from_hex, to_hex};
use crate::model::{Owner, Record};

/// The file in the state directory that contains the secret.
const SALT: &str = "machine-salt";
/// The length of the secret in bytes.
const LENGTH: usize = 32;

/// Hashes the names and ids of machines. As long as the secret is kept, a machine always has the
/// same hash.
///
/// # Security
/// Without the secret, nobody can find out a name by hashing likely names.
#[derive(Debug)]
pub struct MachineHash {
    salt: String,
}

impl MachineHash {
    /// Reads the secret in the state directory at `root`, which must exist, or creates it.
    ///
    /// # Errors
    /// Returns [`Error::Content`] if the file contains anything else, and [`Error::Untrusted`] or
    /// [`Error::Io`] if it cannot be trusted, read or created.
    pub fn of(root: &Path) -> Result<Self> {
        let path = root.join(SALT);
        let mut salt = [0; LENGTH];
        getrandom::fill(&mut salt)
            .map_err(|err| Error::io("make", &path)(std::io::Error::from(err)))?;
        let new = format!("{}\n", to_hex(&salt));
        let read = || file::read_own(&path, new.len());
        let content = match read()? {
            Some(content) => Some(content),
            None => {
                write::create(&path, new.as_bytes(), Durability::Synced)?;
                read()?
            }
        };
        let text = content.and_then(|content| String::from_utf8(content.bytes).ok());
        let salt = text.map(|text| text.trim_end().to_owned());
        let is_one = |salt: &String| from_hex(salt).is_some_and(|bytes| bytes.len() == LENGTH);
        let salt = salt.filter(is_one).ok_or_else(|| Error::Content {
            path,
            why: format!(
                "it does not contain {} hex digits; remove it, but then later hashes differ",
                2 * LENGTH
            ),
        })?;
        Ok(Self { salt })
    }

    /// Returns the hash of a name or an id.
    pub fn hash(&self, text: &str) -> String {
        fingerprint(
            "ccsession: hidden machine",
            &format!("{}\n{text}", self.salt),
        )
    }

    /// Returns the record with the name and id of its machine replaced by hashes.
    pub fn hidden(&self, record: &Record) -> Record {
        let hash = |text: &String| self.hash(text);
        Record {
            machine: record.machine.as_ref().map(hash),
            machine_id: record.machine_id.as_ref().map(hash),
            ..record.clone()
        }
    }

    /// Replaces the name and id of an owner's machine by hashes.
    pub fn hide_owner(&self, owner: &mut Owner) {
        for text in [&mut owner.machine, &mut owner.machine_id]
            .into_iter()
            .flatten()
        {
            *text = self.hash(text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_the_same_here_and_another_elsewhere() {
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let hash = |dir: &Path| MachineHash::of(dir).unwrap().hash("anna");
        assert_eq!(hash(one.path()), hash(one.path()));
        assert_ne!(hash(one.path()), hash(other.path()));
        assert_eq!(hash(one.path()).len(), 16);
        assert_ne!(
            hash(one.path()),
            MachineHash::of(one.path()).unwrap().hash("bert")
        );
        write::replace(&one.path().join(SALT), b"short\n", Durability::Cached).unwrap();
        assert!(MachineHash::of(one.path()).is_err());
    }
}
