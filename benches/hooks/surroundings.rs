//! The basis of the measurement: the directories, the reference program, the interpreter, and the
//! project in which everything starts.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// The built CLI and hook.
static PROGRAMS: OnceLock<(String, String)> = OnceLock::new();

/// Builds the programs with `install.sh`, as it installs them. They have their own profiles, which
/// `cargo bench` does not use.
pub(crate) fn build_programs() -> Result<(), String> {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let mut command = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/install.sh"));
    command
        .args(["--build-only", "--quiet"])
        .env("CARGO_TARGET_DIR", target)
        // `install.sh` sets its own flags. Added to those of `just bench` they would be there twice, and
        // everything would be built again.
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

/// Returns the path of the CLI.
pub(crate) fn ccsession() -> &'static str {
    &PROGRAMS.get().expect("the programs are built first").0
}

/// Returns the path of a hook.
pub(crate) fn hook() -> &'static str {
    &PROGRAMS.get().expect("the programs are built first").1
}

/// Creates a directory for this run, which is removed when the value is dropped.
pub(crate) fn temp_dir(parent: &Path) -> TempDir {
    tempfile::Builder::new()
        .prefix("ccsession-bench-")
        .tempdir_in(parent)
        .unwrap()
}

/// Creates a directory for this run on disk, and on ext4 in a separate block group.
///
/// ext4 does not reuse an inode that was deleted in the last minutes, but searches past it. A run
/// or the tests remove thousands of files. So the next run creates files slowly for five minutes
/// (measured: 300 µs instead of 5), unless it uses another block group. `chattr +T` on a directory
/// spreads the directories created in it. Other file systems are not known to have this trap.
pub(crate) fn temp_dir_on_disk(parent: &Path) -> TempDir {
    let mut chattr = Command::new("chattr");
    chattr.arg("+T").arg(parent).stderr(Stdio::null());
    let _ = chattr.status();
    temp_dir(parent)
}

/// Measures the disk operations of a session start without a process: two files in a new directory,
/// and a third one synced and renamed. The median is the disk's share in `session-start, disk`.
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

/// Compiles `nop.c`, statically if the system supports static programs (macOS does not).
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

/// Returns the path of the interpreter itself. `python3` on the PATH may be a shell script that
/// searches for it (pyenv), and its time would count as Python's.
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

/// Installs the hooks in the new directory `dir` as `install.sh` does: one file under four names.
pub(crate) fn install_hooks(dir: &Path) {
    let first = dir.join("session-event");
    fs::create_dir(dir).unwrap();
    fs::copy(hook(), &first).unwrap();
    for name in ["session-start", "pre-tool-use", "post-tool-use"] {
        fs::hard_link(&first, dir.join(name)).unwrap();
    }
}

/// Creates a git work tree and enters it, as Claude Code does before it starts a hook. Does not use
/// `Command::current_dir`, because that prevents the cheap way to spawn a static program.
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
