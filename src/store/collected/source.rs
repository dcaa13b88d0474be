//! Finds collected state directories, and the machine that each comes from.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::super::error::{Error, Result};
use super::super::file;
use super::super::machine::is_id;
use super::super::write::{self, Durability};
use crate::model::Record;

/// Where the state directory may be, relative to the directory that the user names.
const BELOW: [&str; 3] = ["", "ccsession", ".local/state/ccsession"];
/// The file in a copied state directory that says from which machine it was copied.
const MACHINE: &str = "machine.json";
/// The largest `machine.json` that is read, in bytes.
const MAX_MACHINE: usize = 4096;
/// The longest accepted name of a machine, in bytes.
const MAX_NAME: usize = 255;

/// The name and the id of a machine, as far as they are known.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// The name that people know the machine by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The operating system's machine id, 32 hex digits; see machine-id(5).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
}

/// A state directory, and the machine that it was collected from.
#[derive(Debug, Clone)]
pub(super) struct Source {
    pub(super) state: PathBuf,
    /// The name of the directory. It serves as the machine's name for sessions without one.
    pub(super) directory: String,
    pub(super) machine: Machine,
}

/// The content of `machine.json`: the machine from which `pull` copied the state directory.
#[derive(Debug, Serialize, Deserialize)]
struct MachineNote {
    v: u64,
    #[serde(flatten)]
    machine: Machine,
}

impl Machine {
    /// Returns this machine.
    pub fn here() -> Self {
        Self {
            name: super::super::machine_name(),
            id: super::super::machine_id(),
        }
    }

    /// Removes a name or id that cannot be one, such as a name with control characters.
    ///
    /// # Security
    /// Everything that another machine reports about itself must pass through this.
    pub fn checked(self) -> Self {
        let is_name = |name: &String| {
            !name.is_empty() && name.len() <= MAX_NAME && !name.chars().any(char::is_control)
        };
        Self {
            name: self.name.filter(is_name),
            id: self.id.filter(|id| is_id(id)),
        }
    }

    /// Returns whether neither the name nor the id is known.
    pub fn is_unknown(&self) -> bool {
        self.name.is_none() && self.id.is_none()
    }

    /// Reads from which machine the state directory at `state` was copied. Returns an unknown
    /// machine if no file says so.
    ///
    /// # Errors
    /// Returns [`Error::Untrusted`] or [`Error::Io`] if the file cannot be trusted or read.
    pub fn of_copy(state: &Path) -> Result<Self> {
        let noted = file::read_any(&state.join(MACHINE), MAX_MACHINE)?;
        let noted =
            noted.and_then(|noted| serde_json::from_slice::<MachineNote>(&noted.bytes).ok());
        Ok(noted
            .map(|noted| noted.machine.checked())
            .unwrap_or_default())
    }

    /// Writes to the state directory at `state` that it was copied from this machine.
    ///
    /// # Errors
    /// Returns [`Error::Io`] if the file cannot be written.
    pub fn note_copy(&self, state: &Path) -> Result<()> {
        let note = MachineNote {
            v: 1,
            machine: self.clone(),
        };
        let mut bytes = serde_json::to_vec(&note).unwrap_or_default();
        bytes.push(b'\n');
        write::replace(&state.join(MACHINE), &bytes, Durability::Cached)
    }
}

impl Source {
    /// Adds this source's machine to a record that does not name one. Machines may share a state
    /// directory, so a record with another machine's name does not get this machine's id.
    pub(super) fn attributed(&self, record: Record) -> Record {
        let is_its = record.machine.is_none() || record.machine == self.machine.name;
        let known_id = self.machine.id.clone().filter(|_| is_its);
        let known_name = || self.machine.name.clone();
        Record {
            machine_id: record.machine_id.or(known_id),
            machine: record.machine.or_else(known_name),
            ..record
        }
    }
}

/// Returns the state directory that `dir` is or contains, or else those of its subdirectories.
pub(super) fn sources_in(dir: &Path) -> Result<Vec<Source>> {
    let own = source_at(dir)?;
    if let Some(source) = own {
        return Ok(vec![source]);
    }
    let mut names: Vec<_> = file::names(dir)?.collect();
    names.sort();
    let mut sources = Vec::new();
    for name in names {
        sources.extend(source_at(&dir.join(name))?);
    }
    if sources.is_empty() {
        return Err(Error::Content {
            path: dir.to_owned(),
            why: "it is not a state directory, and none of its subdirectories is one; copy \
                  `~/.local/state/ccsession` of a machine into it"
                .to_owned(),
        });
    }
    Ok(sources)
}

/// Returns the state directory that `dir` is or, if `dir` is a home directory, contains.
fn source_at(dir: &Path) -> Result<Option<Source>> {
    for below in BELOW {
        let state = match below {
            "" => dir.to_owned(),
            _ => dir.join(below),
        };
        let sessions = file::look(&state.join("sessions"))?;
        if sessions.is_some_and(|found| found.is_dir()) {
            let name = file::canonical(dir).unwrap_or_else(|_| dir.to_owned());
            let name = name.file_name().unwrap_or(OsStr::new("unknown"));
            return Ok(Some(Source {
                directory: name.to_string_lossy().into_owned(),
                machine: Machine::of_copy(&state).unwrap_or_default(),
                state,
            }));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_gives_a_name_and_an_id_or_nothing() {
        let said = |name: &str, id: &str| Machine {
            name: Some(name.to_owned()),
            id: Some(id.to_owned()),
        };
        let id = "0123456789abcdef0123456789abcdef";
        assert_eq!(said("anna", id).checked(), said("anna", id));
        for (name, id) in [("", "x"), ("a\u{1b}[2J", "../../x"), ("a\nb", "")] {
            assert!(said(name, id).checked().is_unknown(), "{name:?}");
        }
        assert!(said(&"x".repeat(256), "").checked().is_unknown());
    }
}
