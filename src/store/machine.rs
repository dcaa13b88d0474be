//! Which machine this is: its name, which may change, and its id, which does not.
//!
//! The id is the system's own, so that records here can be joined with what other programs report
//! about this machine. It is confidential, see machine-id(5): only the owner may read files that
//! contain it, and what leaves the machine can contain a hash instead.

use std::sync::OnceLock;

use super::file;

/// Where systemd and D-Bus keep the id.
#[cfg(target_os = "linux")]
const PLACES: [&str; 2] = ["/etc/machine-id", "/var/lib/dbus/machine-id"];
/// Other systems have no file with the id, so the machine's name must do there.
#[cfg(not(target_os = "linux"))]
const PLACES: [&str; 0] = [];

/// Returns the system's id for this machine, or `None` if it has none. It is read once.
pub fn machine_id() -> Option<String> {
    static ID: OnceLock<Option<String>> = OnceLock::new();
    ID.get_or_init(|| id_in(&PLACES)).clone()
}

/// Returns the first machine id in the files at `places`. A file that was not filled yet has none.
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

/// Returns the kernel's name for this machine.
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
}
