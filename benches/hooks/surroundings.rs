//! What the measuring stands on: the places it writes to, the reference program, the interpreter,
//! the project it is started in.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// A directory of this run's own, removed when the value is dropped.
pub(crate) fn temp_dir(parent: &Path) -> TempDir {
    tempfile::Builder::new()
        .prefix("ccsession-bench-")
        .tempdir_in(parent)
        .unwrap()
}

/// A directory of this run's own on disk, on ext4 in a block group of its own.
///
/// ext4 does not hand out again an inode deleted in the last minutes, it searches past it. So the
/// thousands that a run or the tests remove make the next run create files slowly for five minutes
/// (measured: 300 µs instead of 5), unless it is elsewhere. `chattr +T` on a directory spreads
/// what is made in it; where there is no such thing the trap is not known to exist.
pub(crate) fn temp_dir_on_disk(parent: &Path) -> TempDir {
    let mut chattr = Command::new("chattr");
    chattr.arg("+T").arg(parent).stderr(Stdio::null());
    let _ = chattr.status();
    temp_dir(parent)
}

/// What a session start has the disk do, done without a process: two files in a new directory, and
/// a third one synced and renamed. The median is the disk's share in `session-start, disk`.
pub(crate) fn disk_share(disk: &Path) -> Duration {
    const ROUNDS: usize = 51;
    let place = disk.join("share");
    fs::create_dir(&place).unwrap();
    let write = |path: &Path| {
        let mut file = File::create(path).unwrap();
        file.write_all(&[b'x'; 300]).unwrap();
        file
    };
    let mut times: Vec<Duration> = (0..ROUNDS)
        .map(|round| {
            let session = place.join(round.to_string());
            let begin = Instant::now();
            fs::create_dir(&session).unwrap();
            write(&session.join("record"));
            write(&session.join("journal"));
            write(&place.join("new")).sync_all().unwrap();
            fs::rename(place.join("new"), place.join("pointer")).unwrap();
            begin.elapsed()
        })
        .collect();
    times.sort_unstable();
    times.get(ROUNDS / 2).copied().unwrap_or_default()
}

/// Compiles `nop.c`, statically where the system has static programs (macOS has none).
pub(crate) fn compile_nop(target: &Path) -> Result<String, String> {
    let nop = target.join("nop.exe").to_str().unwrap().to_owned();
    let mut cc = Command::new("cc");
    cc.args([
        "-O2",
        concat!(env!("CARGO_MANIFEST_DIR"), "/benches/nop.c"),
        "-o",
        &nop,
    ]);
    if cfg!(target_os = "linux") {
        cc.arg("-static");
    }
    let output = cc
        .output()
        .map_err(|error| format!("could not run `cc`: {error}"))?;
    let why = String::from_utf8_lossy(&output.stderr);
    let hint = "is the static C library installed (libc6-dev, glibc-static)?";
    if output.status.success() {
        Ok(nop)
    } else {
        Err(format!("{}\n{hint}", why.trim()))
    }
}

/// The interpreter itself: `python3` on the PATH may be a shell script that looks for it (pyenv),
/// and would be charged to Python.
pub(crate) fn python() -> Option<String> {
    let ask = ["-c", "import sys; print(sys.executable, end='')"];
    let output = Command::new("python3")
        .args(ask)
        .stderr(Stdio::null())
        .output()
        .ok()?;
    String::from_utf8(output.stdout)
        .ok()
        .filter(|path| !path.is_empty())
}

/// Puts the hooks into the new directory `dir` as `install.sh` does: one file under four names.
pub(crate) fn install_hooks(dir: &Path) {
    let first = dir.join("session-event");
    fs::create_dir(dir).unwrap();
    fs::copy(crate::HOOK, &first).unwrap();
    for name in ["session-start", "pre-tool-use", "post-tool-use"] {
        fs::hard_link(&first, dir.join(name)).unwrap();
    }
}

/// Makes a git work tree and enters it, as Claude Code does before it starts a hook. Not with
/// `Command::current_dir`, which costs a static program the cheap way to spawn.
pub(crate) fn enter_project(project: &Path) {
    fs::create_dir_all(project.join(".git/refs/heads")).unwrap();
    fs::write(project.join(".git/HEAD"), "ref: refs/heads/main\n").unwrap();
    fs::write(
        project.join(".git/refs/heads/main"),
        "0123456789".repeat(4) + "\n",
    )
    .unwrap();
    std::env::set_current_dir(project).unwrap();
}
