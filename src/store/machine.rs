//! Which machine this is: its name, which may change, and its id, which does not.
//!
//! The id is that of the operating system, so that it matches what other programs report about this
//! machine. It is confidential, see machine-id(5). So files that contain it are readable only by
//! their owner, and exported data can contain a hash instead.

use std::sync::OnceLock;

use super::file;
use crate::model::Record;

/// The files in which systemd and D-Bus store the machine id.
#[cfg(target_os = "linux")]
const PLACES: [&str; 2] = ["/etc/machine-id", "/var/lib/dbus/machine-id"];
/// Other systems store the id in no file. There, machines are distinguished by name.
#[cfg(not(target_os = "linux"))]
const PLACES: [&str; 0] = [];

/// Returns the operating system's id of this machine, or `None` if it has none. Reads the file only
/// once.
pub fn machine_id() -> Option<String> {
    static ID: OnceLock<Option<String>> = OnceLock::new();
    ID.get_or_init(|| id_in(&PLACES)).clone()
}

/// Returns the machine id from the first of these files that contains one. A new system may not
/// have written it yet.
fn id_in(places: &[&str]) -> Option<String> {
    let mut found = places.iter().filter_map(|path| file::read_kernel(path));
    found.find(|id| is_id(id))
}

/// Returns whether a text is a machine id: 32 hex digits, not all of them zero.
pub(super) fn is_id(text: &str) -> bool {
    text.len() == 32
        && text.bytes().all(|byte| byte.is_ascii_hexdigit())
        && text.bytes().any(|byte| byte != b'0')
}

/// What identifies a machine: the id of its system, and its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MachineIdentity {
    id: Option<String>,
    name: Option<String>,
}

impl MachineIdentity {
    /// Returns the identity of this machine.
    pub fn here() -> Self {
        Self {
            id: machine_id(),
            name: machine_name(),
        }
    }

    /// Returns the identity of the machine on which the session of this record began.
    pub fn of(record: &Record) -> Self {
        Self {
            id: record.machine_id.clone(),
            name: record.machine.clone(),
        }
    }

    /// Returns whether both are known to be different machines. Compares the names only if an id is
    /// missing, because two machines can have the same name and a machine can be renamed.
    pub fn differs_from(&self, other: &Self) -> bool {
        match (&self.id, &other.id) {
            (Some(one), Some(other)) => one != other,
            _ => matches!((&self.name, &other.name), (Some(one), Some(other)) if one != other),
        }
    }
}

/// Returns whether a session began on another machine, according to its record.
pub fn is_of_another_machine(record: &Record) -> bool {
    match (&record.machine_id, machine_id()) {
        (Some(id), Some(here)) => *id != here,
        // Without ids, compare names. Ask for this machine's name each time, because it may change.
        _ => MachineIdentity::of(record).differs_from(&MachineIdentity::here()),
    }
}

/// Returns this machine's host name.
pub fn machine_name() -> Option<String> {
    let name = rustix::system::uname();
    let name = name.nodename().to_str().ok()?;
    (!name.is_empty()).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(
        clippy::disallowed_methods,
        reason = "a test writes the file that it reads"
    )]
    fn the_first_file_with_an_id_counts() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = dir.path().join(name);
            std::fs::write(&path, text).unwrap();
            path.to_str().unwrap().to_owned()
        };
        let id = "0123456789abcdef0123456789ABCDEF";
        let good = write("good", &format!("{id}\n"));
        let none = dir.path().join("none").to_str().unwrap().to_owned();
        for bad in [
            "",
            "uninitialized\n",
            "00000000000000000000000000000000\n",
            "0123\n",
        ] {
            let bad = write("bad", bad);
            assert_eq!(id_in(&[&none, &bad]), None);
            assert_eq!(id_in(&[&none, &bad, &good]).as_deref(), Some(id));
        }
        assert_eq!(id_in(&[]), None);
    }

    #[test]
    fn machines_are_told_apart_by_id_and_else_by_name() {
        let machine = |id: Option<&str>, name: Option<&str>| MachineIdentity {
            id: id.map(str::to_owned),
            name: name.map(str::to_owned),
        };
        for (one, other, differ) in [
            ((Some("1"), Some("dev")), (Some("1"), Some("dev")), false),
            ((Some("1"), Some("old")), (Some("1"), Some("dev")), false),
            ((Some("2"), Some("dev")), (Some("1"), Some("dev")), true),
            ((None, Some("dev")), (Some("1"), Some("dev")), false),
            ((None, Some("web")), (Some("1"), Some("dev")), true),
            ((None, None), (Some("1"), Some("dev")), false),
            ((None, None), (None, None), false),
        ] {
            let (one, other) = (machine(one.0, one.1), machine(other.0, other.1));
            assert_eq!(one.differs_from(&other), differ, "{one:?} {other:?}");
            assert_eq!(other.differs_from(&one), differ, "{other:?} {one:?}");
        }
    }
}
