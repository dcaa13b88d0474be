//! What the measuring stands on: the places it writes to, the reference program, the interpreter,
//! the project it is started in.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// The CLI and a hook, built.
static PROGRAMS: OnceLock<(String, String)> = OnceLock::new();

/// Has `install.sh` build the programs as it installs them: by profiles of their own, which `cargo bench` has not.
pub(crate) fn build_programs() -> Result<(), String> {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let mut command = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/install.sh"));
    command
        .args(["--build-only", "--quiet"])
        .env("CARGO_TARGET_DIR", target)
        // It adds its own: what `just bench` set would be there twice, and all be built again.
        .env_remove("RUSTFLAGS")
        .stderr(Stdio::inherit());
    let output = command.output().map_err(|error| error.to_string())?;
    if !output.status.success() {
        return Err(format!("install.sh ended with {}", output.status));
    }
    let folder = String::from_utf8(output.stdout).map_err(|error| error.to_string())?;
    let [ccsession, hook] =
        ["ccsession", "session-event"].map(|name| format!("{}/{name}", folder.trim_end()));
    let _ = PROGRAMS.set((ccsession, hook));
    Ok(())
}

/// The path of the CLI.
pub(crate) fn ccsession() -> &'static str {
    &PROGRAMS.get().expect("the programs are built first").0
}

/// The path of a hook.
pub(crate) fn hook() -> &'static str {
    &PROGRAMS.get().expect("the programs are built first").1
}

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
    fs::copy(hook(), &first).unwrap();
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
