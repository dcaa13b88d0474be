//! Files and trees of files: made, copied, compared.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use super::{Sandbox, mode};

/// Writes a file as this program does: readable only by its owner, whatever the umask.
pub(crate) fn write_private(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

/// Copies a folder with the permissions and the times of what is in it, as `cp -Rp` does, but without a process.
pub(crate) fn copy_as_it_is(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let from = entry.unwrap().path();
        let to = to.join(from.file_name().unwrap());
        let meta = fs::symlink_metadata(&from).unwrap();
        if meta.is_dir() {
            copy_as_it_is(&from, &to);
        } else if meta.is_symlink() {
            symlink(fs::read_link(&from).unwrap(), &to).unwrap();
        } else {
            fs::write(&to, fs::read(&from).unwrap()).unwrap();
            fs::set_permissions(&to, meta.permissions()).unwrap();
            keep_time(&meta, &to);
        }
    }
    let meta = fs::metadata(from).unwrap();
    fs::set_permissions(to, meta.permissions()).unwrap();
    keep_time(&meta, to);
}

fn keep_time(meta: &fs::Metadata, to: &Path) {
    let times = fs::FileTimes::new();
    let times = times.set_accessed(meta.accessed().unwrap());
    let times = times.set_modified(meta.modified().unwrap());
    fs::File::open(to).unwrap().set_times(times).unwrap();
}

pub(crate) type Snapshot = BTreeMap<String, Vec<u8>>;

/// The content of every file in the state and the pointer directory.
pub(crate) fn snapshot(sandbox: &Sandbox) -> Snapshot {
    let read = |name: String| {
        let bytes = fs::read(sandbox.path(&name)).unwrap();
        (name, bytes)
    };
    sandbox.files().into_iter().map(read).collect()
}

/// The files that were added, changed or removed.
pub(crate) fn changes(before: &Snapshot, after: &Snapshot) -> Vec<String> {
    let names = before.keys().chain(after.keys());
    let mut changed: Vec<String> = names
        .filter(|name| before.get(*name) != after.get(*name))
        .cloned()
        .collect();
    changed.sort();
    changed.dedup();
    changed
}

/// Every file, folder and link below `dir`, each with a text that changes if it is changed.
pub(crate) fn everything(dir: &Path) -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let meta = fs::symlink_metadata(&path).unwrap();
        let what = if meta.is_dir() {
            found.extend(everything(&path));
            format!("folder {:o}", mode(&path))
        } else if meta.is_symlink() {
            format!("link to {}", fs::read_link(&path).unwrap().display())
        } else {
            let text = String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
            format!("{:o} {:?} {text}", mode(&path), meta.modified().unwrap())
        };
        found.insert(path, what);
    }
    found
}
