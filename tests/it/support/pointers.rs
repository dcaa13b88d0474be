//! Pointer files of any age.

use std::ffi::OsStr;
use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::{Duration, SystemTime};

use ccsession::store::clock;

use super::time::civil;
use super::{Run, Sandbox};

/// Writes a file of ours, modified `age` seconds ago.
pub(crate) fn put(path: &Path, content: impl AsRef<[u8]>, age: i64) {
    fs::write(path, content).unwrap();
    // Whatever the umask of whoever runs the tests.
    fs::set_permissions(path, Permissions::from_mode(0o600)).unwrap();
    set_age(path, age);
}

pub(crate) fn set_age(path: &Path, age: i64) {
    let age = Duration::from_secs(u64::try_from(age).unwrap());
    let file = File::open(path).unwrap();
    file.set_modified(SystemTime::now() - age).unwrap();
}

/// Writes a pointer of this age into the sandbox.
pub(crate) fn place(sandbox: &Sandbox, name: &str, id: &str, age: i64) -> PathBuf {
    let path = sandbox.pointer(name);
    put(&path, format!("{id}\n{}\n", civil(age, 0)), age.max(0));
    path
}

pub(crate) fn in_utc<A: AsRef<OsStr>>(
    sandbox: &Sandbox,
    arguments: impl IntoIterator<Item = A>,
) -> Run {
    sandbox.ccsession(arguments).env("TZ", "UTC0")
}

/// Runs `command`, which no planted file may block: a lease blocks whoever opens the file for 45 seconds, and a FIFO blocks
/// forever.
#[track_caller]
pub(crate) fn at_once(stdin: &str, command: impl Fn() -> Run) -> Output {
    let output = command()
        .stdin(stdin)
        .output_within(Duration::from_secs(30));
    output.unwrap_or_else(|| panic!("{:?} is held", command().command))
}

/// The beginning of the name of a pointer that was set aside `minutes` ago. If the machine was started later than that, the
/// time in the name is a day ahead of the boot clock, so that it means before the last boot.
pub(crate) fn set_aside(minutes: u64) -> String {
    const DAY: u64 = 24 * 60 * 60 * 1_000_000;
    let now = clock::since_boot();
    let at = now.checked_sub(minutes * 60_000_000).unwrap_or(now + DAY);
    format!(".ccsession-gone-4711-{at}-")
}
