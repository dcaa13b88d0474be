//! A hostile user on the same machine: a file that somebody else put where we look is never believed, never makes us hang,
//! and is never changed. Nor is any file of ours that it links to.
//!
//! The attacker is uid 65534; the victim is root and then an ordinary user. `setpriv` switches to both, so these tests need
//! root on Linux; elsewhere they say that they were skipped. The tests do not rely on the kernel's protection of sticky
//! directories (`fs.protected_*`).

use std::ffi::OsStr;
use std::fmt::Debug;
use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::pointers::{at_once, put};
use crate::support::time::civil;
use crate::support::tracing::can_inject;
use crate::support::{
    CCSESSION, ID, PATIENCE, Run, Sandbox, copy_program, end_of, event, hook_for, text, wait_until,
};

const ATTACKER: u32 = 65534;
const ROOT: u32 = 0;
const SOMEBODY: u32 = 1000;

/// A sandbox that the attacker and the victim can reach, with the programs in it.
struct Stage {
    sandbox: Sandbox,
    /// On the disk, since ours are there: they are linked, not copied.
    programs: TempDir,
    victim: u32,
}

impl Stage {
    /// A stage for a victim; says why where there can be none.
    fn for_victim(victim: u32) -> Option<Self> {
        let stage = Self {
            sandbox: Sandbox::new(),
            programs: TempDir::new().unwrap(),
            victim,
        };
        let cannot = |why: &str| {
            println!("skipped: {why}");
            None
        };
        if fs::metadata(stage.path("")).unwrap().uid() != ROOT {
            return cannot("only root can be two other users");
        }
        for name in ["attacker", "victim"] {
            fs::create_dir(stage.path(name)).unwrap();
        }
        for name in ["", "attacker", "victim", "home", "shop"] {
            fs::set_permissions(stage.path(name), Permissions::from_mode(0o755)).unwrap();
        }
        fs::set_permissions(&stage.programs, Permissions::from_mode(0o755)).unwrap();
        chown(stage.path("attacker"), Some(ATTACKER), Some(ATTACKER)).unwrap();
        for name in ["home", "shop", "victim"] {
            chown(stage.path(name), Some(victim), Some(victim)).unwrap();
        }
        fs::set_permissions(stage.sandbox.pointers(), Permissions::from_mode(0o1777)).unwrap();
        for event in ["SessionStart", "PreToolUse", "PostToolUse", "Stop"] {
            stage.add_program(hook_for(event));
        }
        stage.add_program(CCSESSION);
        for user in [ATTACKER, victim] {
            let mut command = stage.as_user(user, stage.program(CCSESSION)).command;
            let ran = command.arg("--version").stdout(Stdio::null()).status();
            if !ran.is_ok_and(|status| status.success()) {
                return cannot(
                    "setpriv is missing, or other users cannot enter the temporary directory",
                );
            }
        }
        Some(stage)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.sandbox.path(name)
    }

    /// Where the victim can run a program of ours: its own place may be closed to others.
    fn program(&self, program: &str) -> PathBuf {
        self.programs
            .path()
            .join(Path::new(program).file_name().unwrap())
    }

    fn add_program(&self, program: &str) {
        let copy = self.program(program);
        if fs::hard_link(program, &copy).is_err() {
            copy_program(program, &copy);
        }
    }

    fn as_user(&self, user: u32, program: impl AsRef<OsStr>) -> Run {
        let run = match user {
            // The tests are root themselves.
            ROOT => self.sandbox.run(program),
            _ => {
                let setpriv = self.sandbox.run("setpriv");
                let setpriv = setpriv
                    .arg(format!("--reuid={user}"))
                    .arg(format!("--regid={user}"));
                setpriv.arg("--clear-groups").arg(program)
            }
        };
        run.env("TZ", "UTC0")
            .env("CCSESSION_STATE_DIR", self.state())
    }

    fn state(&self) -> PathBuf {
        self.path("victim/state")
    }

    fn pointer(&self) -> PathBuf {
        self.sandbox.pointer("shop")
    }

    /// The CLI as the victim runs it.
    fn ccsession(&self, arguments: &[&str]) -> Run {
        let run = self.as_user(self.victim, self.program(CCSESSION));
        arguments
            .iter()
            .fold(run, |run, argument| run.arg(argument))
    }

    /// Asserts what the victim's command answers, at once.
    #[track_caller]
    fn answers(&self, arguments: &[&str], status: i32, stdout: &str, stderr: &str) {
        let output = at_once("", || self.ccsession(arguments));
        assert_eq!(
            (
                output.status.code(),
                text(&output.stdout),
                text(&output.stderr)
            ),
            (Some(status), stdout.to_owned(), stderr.to_owned()),
            "{arguments:?}"
        );
    }

    /// Asserts that the victim's hook of this event says nothing, at once.
    #[track_caller]
    fn hook_is_silent(&self, name: &str, more: Value, environment: &[(&str, &Path)]) {
        let payload = event(name, ID, more).to_string();
        let output = at_once(&payload, || {
            let run = self.as_user(self.victim, self.program(hook_for(name)));
            environment
                .iter()
                .fold(run, |run, (name, value)| run.env(name, value))
        });
        assert_eq!(
            (
                output.status.code(),
                text(&output.stdout),
                text(&output.stderr)
            ),
            (Some(0), String::new(), String::new()),
            "{name}"
        );
    }

    /// Every kind of event of a session.
    #[track_caller]
    fn hooks_are_silent(&self, environment: &[(&str, &Path)]) {
        let call = || json!({"tool_name": "Bash", "tool_use_id": "t1"});
        self.hook_is_silent("SessionStart", json!({"source": "startup"}), environment);
        self.hook_is_silent("UserPromptSubmit", json!({"prompt": "hello"}), environment);
        self.hook_is_silent("PreToolUse", call(), environment);
        self.hook_is_silent("PostToolUse", call(), environment);
        self.hook_is_silent("Stop", json!({}), environment);
    }

    /// Makes the victim's state directory with a stamp that says that a sweep was just made, so that no hook leaves one
    /// behind.
    fn make_state(&self) {
        fs::create_dir(self.state()).unwrap();
        fs::set_permissions(self.state(), Permissions::from_mode(0o700)).unwrap();
        put(&self.state().join("sweep"), "", 0);
        for path in [self.state(), self.state().join("sweep")] {
            chown(path, Some(self.victim), Some(self.victim)).unwrap();
        }
    }

    /// Puts a file of this user's there.
    fn put(&self, user: u32, path: &Path, content: &str) {
        put(path, content, 0);
        chown(path, Some(user), Some(user)).unwrap();
    }

    /// What the attacker's shell does, with `$P` for the pointer's path, `$NOW` for the time in it, `$OWN` for a folder
    /// of the attacker's, and `$OTHER` for another pointer of the victim's.
    #[track_caller]
    fn attack(&self, script: &str) {
        let script = format!("umask 022; {script}");
        let run = self.as_user(ATTACKER, "/bin/sh").arg("-ec").arg(script);
        run.dir(self.path("attacker"))
            .env("P", self.pointer())
            .env("OWN", self.path("attacker"))
            .env("OTHER", self.sandbox.pointer("other"))
            .env("NOW", civil(0, 0))
            .silent();
    }
}

/// Everything below a directory: what it is, whose, how large, when it changed, and where it leads.
fn scene(dir: &Path) -> Vec<(PathBuf, impl Debug + PartialEq)> {
    let mut found = Vec::new();
    let mut dirs = vec![dir.to_owned()];
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            let meta = fs::symlink_metadata(&path).unwrap();
            if meta.is_dir() {
                dirs.push(path.clone());
            }
            let seen = (
                (meta.mode(), meta.uid(), meta.ino(), meta.nlink()),
                (meta.size(), meta.ctime(), meta.ctime_nsec()),
                fs::read_link(&path).ok(),
            );
            found.push((path, seen));
        }
    }
    found.sort_by(|(a, _), (b, _)| a.cmp(b));
    found
}

fn victims() -> impl Iterator<Item = Stage> {
    [ROOT, SOMEBODY].into_iter().filter_map(Stage::for_victim)
}

// In the pointers' directory

/// What the attacker can put at a pointer's path.
const PLANTS: [(&str, &str); 16] = [
    (
        "a pointer that all may read",
        r#"printf 'attacker\n%s\n' "$NOW" >"$P"; chmod 644 "$P""#,
    ),
    (
        "a pointer that all may write",
        r#"printf 'attacker\n%s\n' "$NOW" >"$P"; chmod 666 "$P""#,
    ),
    (
        "a pointer of its own alone",
        r#"printf 'attacker\n%s\n' "$NOW" >"$P"; chmod 600 "$P""#,
    ),
    (
        "a stale pointer",
        r#"printf 'attacker\n2020-01-01T00:00:00\n' >"$P"; touch -d 2020-01-01 "$P""#,
    ),
    (
        "garbage from long ago",
        r#"echo garbage >"$P"; touch -d 2020-01-01 "$P""#,
    ),
    (
        "a hard link to a pointer",
        r#"printf 'attacker\n%s\n' "$NOW" >"$OWN/x"; ln "$OWN/x" "$P""#,
    ),
    (
        "a link to a pointer of its own",
        r#"printf 'attacker\n%s\n' "$NOW" >"$OWN/x"; ln -s "$OWN/x" "$P""#,
    ),
    (
        "a link to another pointer of the victim's",
        r#"ln -s "$OTHER" "$P""#,
    ),
    ("a link to nothing", r#"ln -s "$OWN/nothing" "$P""#),
    ("a link to itself", r#"ln -s "$P" "$P""#),
    ("a link to endless zeros", r#"ln -s /dev/zero "$P""#),
    ("a link to stdin", r#"ln -s /proc/self/fd/0 "$P""#),
    (
        "a link to a FIFO",
        r#"mkfifo "$OWN/x"; ln -s "$OWN/x" "$P""#,
    ),
    ("a FIFO", r#"mkfifo -m 666 "$P""#),
    (
        "a directory",
        r#"mkdir "$P"; printf 'attacker\n%s\n' "$NOW" >"$P/claude_session_shop""#,
    ),
    (
        "a very large file",
        r#"printf 'attacker\n%s\n' "$NOW" >"$P"; truncate -s 50G "$P""#,
    ),
];

/// With something of the attacker's at the pointer's path, everything of the victim's goes on without the pointer.
#[track_caller]
fn check_planted(stage: &Stage) {
    let places = [stage.sandbox.pointers(), stage.path("attacker")];
    let before = places.each_ref().map(|dir| scene(dir));
    let path = stage.pointer();

    stage.answers(&["current"], 0, "unknown\n", "");
    stage.answers(&["current", "--name", "shop"], 0, "unknown\n", "");
    stage.answers(&["cleanup"], 0, "0\n", "");
    let why = format!(
        "ccsession: could not trust `{}`: it belongs to another user (uid {ATTACKER})\n",
        path.display()
    );
    stage.answers(&["store", "s-7"], 1, "", &why);

    stage.hooks_are_silent(&[]);
    // The pointer is a mirror: what is exact is in the state.
    stage.answers(&["current"], 0, &format!("{ID}\n"), "");
    stage.answers(&["current", "--name", "shop"], 0, "unknown\n", "");
    stage.hook_is_silent("SessionEnd", json!({"reason": "other"}), &[]);
    stage.answers(&["current"], 0, "unknown\n", "");
    stage.answers(&["cleanup"], 0, "0\n", "");
    assert_eq!(places.each_ref().map(|dir| scene(dir)), before);
}

fn prepared(stage: Stage) -> Stage {
    stage.make_state();
    let other = format!("s-other\n{}\n", civil(0, 0));
    stage.put(stage.victim, &stage.sandbox.pointer("other"), &other);
    stage
}

#[test]
fn a_file_that_another_user_planted_is_not_believed_and_stays() {
    for (name, script) in PLANTS {
        for stage in victims().map(prepared) {
            println!("{name}, before uid {}", stage.victim);
            stage.attack(script);
            check_planted(&stage);
        }
    }
}

/// A hard link to a file of the victim's, as kernels without `protected_hardlinks` allow, is not the attacker's file: it
/// is not believed, and replaced like any other of ours.
#[test]
fn a_hard_link_to_another_of_our_pointers_is_not_believed() {
    for stage in victims().map(prepared) {
        let other = stage.sandbox.pointer("other");
        fs::hard_link(&other, stage.pointer()).unwrap();
        stage.answers(&["current", "--name", "shop"], 0, "unknown\n", "");
        stage.answers(&["cleanup"], 0, "0\n", "");
        stage.answers(&["store", "s-7"], 0, "", "");
        stage.answers(&["current", "--name", "shop"], 0, "s-7\n", "");
        stage.answers(&["current", "--name", "other"], 0, "s-other\n", "");
    }
}

/// A Python that the attacker can run; says so where there is none.
fn attackers_python(stage: &Stage) -> Option<&'static str> {
    let runs = |program: &&str| {
        let mut command = stage.as_user(ATTACKER, program).command;
        let status = command.args(["-c", ""]).stderr(Stdio::null()).status();
        status.is_ok_and(|status| status.success())
    };
    let found = ["/usr/bin/python3", "python3"].into_iter().find(runs);
    if found.is_none() {
        println!("skipped: there is no Python that another user can run");
    }
    found
}

/// A program of the attacker's that goes on until it is dropped.
struct Attack(Child);

impl Attack {
    /// Starts a Python script, and waits until it says that it is ready.
    fn start(stage: &Stage, script: &str) -> Option<Self> {
        let python = attackers_python(stage)?;
        let run = stage.as_user(ATTACKER, python).arg("-c").arg(script);
        let mut command: Command = run.dir(stage.path("attacker")).command;
        command
            .env("P", stage.pointer())
            .env("NOW", civil(0, 0))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        let stdout = child.stdout.take().unwrap();
        BufReader::new(stdout).read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n");
        Some(Self(child))
    }
}

impl Drop for Attack {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

const HOLD: &str = r#"
import fcntl, os, signal, sys
signal.signal(signal.SIGIO, signal.SIG_IGN)
file = open(os.environ["P"], "w")
file.write("attacker\n%s\n" % os.environ["NOW"])
file.flush()
os.fchmod(file.fileno(), 0o644)
HOW
print("ready", flush=True)
sys.stdin.read()
"#;

/// A lease keeps an ordinary open waiting for as long as the kernel's lease-break-time, 45 seconds.
#[test]
fn a_lease_or_a_lock_of_another_user_hangs_nothing() {
    for how in [
        "fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_WRLCK)",
        "fcntl.flock(file, fcntl.LOCK_EX)",
        "fcntl.lockf(file, fcntl.LOCK_EX)",
    ] {
        for stage in victims().map(prepared) {
            let Some(_attack) = Attack::start(&stage, &HOLD.replace("HOW", how)) else {
                return;
            };
            println!("{how}, before uid {}", stage.victim);
            check_planted(&stage);
        }
    }
}

const SWAP: &str = r#"
import contextlib, os
P, NOW = os.environ["P"], os.environ["NOW"]
def plain(mode):
    with open(P, "x") as file:
        file.write("attacker\n%s\n" % NOW)
    os.chmod(P, mode)
kinds = [
    lambda: plain(0o644),
    lambda: plain(0o666),
    lambda: os.symlink(P.replace("shop", "other"), P),
    lambda: os.symlink("/dev/zero", P),
    lambda: os.mkfifo(P),
    lambda: os.mkdir(P),
]
said, test = False, os.getppid()
while os.getppid() == test:
    for kind in kinds:
        with contextlib.suppress(OSError):
            kind()
        if not said:
            print("ready", flush=True)
            said = True
        with contextlib.suppress(OSError):
            (os.rmdir if os.path.isdir(P) and not os.path.islink(P) else os.unlink)(P)
"#;

#[test]
fn a_file_that_changes_during_the_check_is_not_believed() {
    let rounds = match std::env::var_os("CCSESSION_TORTURE") {
        Some(form) if form == "full" => 1000,
        _ => 60,
    };
    for stage in victims().map(prepared) {
        let Some(attack) = Attack::start(&stage, SWAP) else {
            return;
        };
        for _ in 0..rounds {
            stage.answers(&["current", "--name", "shop"], 0, "unknown\n", "");
            stage.answers(&["cleanup"], 0, "0\n", "");
        }
        // A store wins where the place is free for a moment, and the attacker cannot take it away then.
        let stored = (0..rounds).any(|_| {
            let output = at_once("", || stage.ccsession(&["store", "s-7"]));
            output.status.success()
        });
        let answer = if stored { "s-7\n" } else { "unknown\n" };
        stage.answers(&["current", "--name", "shop"], 0, answer, "");
        drop(attack);
        stage.answers(&["current", "--name", "other"], 0, "s-other\n", "");
        stage.sandbox.assert_no_leftovers();
    }
}

#[test]
fn a_crowd_of_another_users_files_is_looked_at_and_left() {
    for stage in victims().map(prepared) {
        for n in 0..5000 {
            let path = stage.sandbox.pointer(&format!("crowd-{n}"));
            stage.put(ATTACKER, &path, "attacker\n2020-01-01T00:00:00\n");
        }
        stage.answers(&["cleanup"], 0, "0\n", "");
        let names = fs::read_dir(stage.sandbox.pointers()).unwrap();
        assert_eq!(names.count(), 5001);
    }
}

/// In a directory where others may rename our files, a pointer of ours may be another project's.
#[track_caller]
fn check_unsafe_dir(stage: &Stage, attack: &str, why: &str) {
    stage.attack(attack);
    let dir = stage.sandbox.pointers();
    let before = scene(&dir);
    stage.answers(&["current"], 0, "unknown\n", "");
    stage.answers(&["current", "--name", "shop"], 0, "unknown\n", "");
    let refused = format!("ccsession: could not trust `{}`: {why}\n", dir.display());
    stage.answers(&["store", "s-7"], 1, "", &refused);
    stage.answers(&["cleanup"], 1, "", &refused);
    stage.hooks_are_silent(&[]);
    stage.answers(&["current"], 0, &format!("{ID}\n"), "");
    stage.hook_is_silent("SessionEnd", json!({"reason": "other"}), &[]);
    assert_eq!(scene(&dir), before);
}

#[test]
fn a_directory_where_others_can_rename_our_pointers_is_not_used() {
    const STEAL: &str = r#"mv "$OTHER" "$P""#;
    const OPEN: &str = "everybody may write to it and it is not sticky (as chmod 1777 makes it)";
    for stage in victims().map(prepared) {
        fs::set_permissions(stage.sandbox.pointers(), Permissions::from_mode(0o777)).unwrap();
        check_unsafe_dir(&stage, STEAL, OPEN);
    }
    for stage in victims().map(prepared) {
        chown(stage.sandbox.pointers(), Some(ATTACKER), Some(ATTACKER)).unwrap();
        let why = format!("it belongs to another user (uid {ATTACKER})");
        check_unsafe_dir(&stage, STEAL, &why);
    }
}

/// A sweep of temporary files may remove ours between its making and its rename, and the attacker then take its name. Only
/// root's rename would succeed: a sticky directory keeps everybody else's from another user's file.
#[test]
fn a_temporary_file_whose_name_was_taken_is_not_a_pointer() {
    if !can_inject() {
        return;
    }
    for stage in victims().map(prepared) {
        let fault = "inject=/^rename:delay_enter=1000000:when=1";
        let options = ["-f", "-qq", "-o", "/dev/null", "-e", fault];
        let run = stage.as_user(stage.victim, "strace");
        let run = options.iter().fold(run, |run, option| run.arg(option));
        let mut command = run
            .arg(stage.program(CCSESSION))
            .arg("store")
            .arg("s-7")
            .command;
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = child.spawn().unwrap();
        let is_temporary = |path: &PathBuf| path.to_string_lossy().contains(".ccsession-tmp-");
        let temporary = || {
            let names = fs::read_dir(stage.sandbox.pointers()).unwrap();
            names.map(|entry| entry.unwrap().path()).find(is_temporary)
        };
        wait_until(|| temporary().is_some());
        let path = temporary().unwrap();
        fs::remove_file(&path).unwrap();
        stage.put(ATTACKER, &path, &format!("attacker\n{}\n", civil(0, 0)));
        let stored = end_of(child, PATIENCE).unwrap();
        assert_eq!(stored.status.code(), Some(1), "uid {}", stage.victim);
        stage.answers(&["current", "--name", "shop"], 0, "unknown\n", "");
    }
}

#[test]
fn nobody_can_foresee_or_share_a_temporary_name() {
    if !can_inject() {
        return;
    }
    let Some(stage) = Stage::for_victim(ROOT).map(prepared) else {
        return;
    };
    let opens = || {
        let trace = stage.path("trace");
        let options = ["-f", "-qq", "-e", "trace=openat", "-o"];
        let run = stage.as_user(ROOT, "strace");
        let run = options.iter().fold(run, |run, option| run.arg(option));
        let run = run.arg(&trace);
        run.arg(stage.program(CCSESSION))
            .arg("store")
            .arg("s-7")
            .silent();
        let trace = fs::read_to_string(trace).unwrap();
        let made = trace.lines().find(|line| line.contains("/.ccsession-tmp-"));
        made.unwrap().to_owned()
    };
    let name = |line: &str| {
        let (_, rest) = line.split_once(".ccsession-tmp-").unwrap();
        rest.split_once('"').unwrap().0.to_owned()
    };
    let (one, other) = (opens(), opens());
    for line in [&one, &other] {
        assert!(line.contains("O_CREAT|O_EXCL"), "{line}");
        // Each character is one of 62: more than 64 bits.
        assert_eq!(name(line).len(), 16, "{line}");
    }
    assert_ne!(name(&one), name(&other));
}

// Above the project

/// A project below a directory that the attacker prepared, which must keep its own name.
#[track_caller]
fn check_planted_git(prepare: impl Fn(&Stage, &Path)) {
    for stage in victims().map(prepared) {
        let above = stage.path("above");
        let project = above.join("project");
        fs::create_dir_all(&project).unwrap();
        for dir in [&above, &project] {
            fs::set_permissions(dir, Permissions::from_mode(0o755)).unwrap();
        }
        chown(&project, Some(stage.victim), Some(stage.victim)).unwrap();
        prepare(&stage, &above);

        let store = at_once("", || stage.ccsession(&["store", "s-7"]).dir(&project));
        assert_eq!(
            (store.status.code(), text(&store.stderr)),
            (Some(0), String::new())
        );
        assert!(stage.sandbox.pointer("project").exists());
        assert!(!stage.sandbox.pointer("above").exists());
        let json = at_once("", || stage.ccsession(&["current", "--json"]).dir(&project));
        let answer: Value = serde_json::from_slice(&json.stdout).unwrap();
        assert_eq!(answer["session_id"], "s-7");
        assert_eq!(answer["project"]["root"], project.to_str().unwrap());

        stage.hook_is_silent(
            "SessionStart",
            json!({"source": "startup", "cwd": project}),
            &[],
        );
        let record = fs::read(stage.state().join("sessions").join(ID).join("session.json"));
        let record: Value = serde_json::from_slice(&record.unwrap()).unwrap();
        assert_eq!(record["project"]["name"], "project");
        assert_eq!(record["project"]["root"], project.to_str().unwrap());
    }
}

#[test]
fn a_planted_repository_above_renames_no_project() {
    let attackers = |above: &Path| chown(above, Some(ATTACKER), Some(ATTACKER)).unwrap();
    let open =
        |above: &Path, mode| fs::set_permissions(above, Permissions::from_mode(mode)).unwrap();
    check_planted_git(|stage, above| {
        attackers(above);
        stage.attack("mkdir ../above/.git");
    });
    check_planted_git(|stage, above| {
        attackers(above);
        stage.attack("mkdir ../above/.git; echo 'ref: refs/heads/x' >../above/.git/HEAD");
    });
    check_planted_git(|stage, above| {
        attackers(above);
        stage.attack("echo 'gitdir: /' >../above/.git");
    });
    check_planted_git(|stage, above| {
        attackers(above);
        stage.attack("ln -s /etc ../above/.git");
    });
    check_planted_git(|stage, above| {
        attackers(above);
        stage.attack("mkfifo ../above/.git");
    });
    // Whoever owns a directory can give what is ours in it another name.
    for (what, rename) in [
        ("mkdir", "mv ../above/ours ../above/.git"),
        ("touch", "mv ../above/ours ../above/.git"),
        ("ln -s /etc", "mv ../above/ours ../above/.git"),
        ("mkdir", "ln -s ours ../above/.git"),
    ] {
        check_planted_git(|stage, above| {
            attackers(above);
            open(above, 0o777);
            let make = format!("{what} ../above/ours");
            let run = stage.as_user(stage.victim, "/bin/sh").arg("-ec").arg(make);
            run.dir(stage.path("attacker")).silent();
            open(above, 0o755);
            stage.attack(rename);
        });
    }
    // In a directory such as /tmp, even one of root's or our own is nobody's project.
    for owner in [ATTACKER, ROOT, SOMEBODY] {
        check_planted_git(|_, above| {
            open(above, 0o1777);
            fs::create_dir(above.join(".git")).unwrap();
            chown(above.join(".git"), Some(owner), Some(owner)).unwrap();
        });
    }
}

// Where the state should be

/// An environment that leads to a home alone: an empty variable is none.
fn at_home(home: &Path) -> [(&str, &Path); 2] {
    [("HOME", home), ("CCSESSION_STATE_DIR", Path::new(""))]
}

#[test]
fn nothing_is_made_in_the_home_of_another_user() {
    for prepare in ["true", "mkdir -p .local/state", "chmod 777 ."] {
        for stage in victims() {
            let home = stage.path("attacker");
            stage.attack(prepare);
            let before = scene(&home);
            let output = |arguments: &[&str]| {
                at_once("", || {
                    let run = stage.ccsession(arguments).env("HOME", &home);
                    run.without_env("CCSESSION_STATE_DIR")
                })
            };
            let command = |arguments: &[&str]| {
                let output = output(arguments);
                assert_eq!(text(&output.stderr), "", "{arguments:?}");
                assert_eq!(output.status.code(), Some(0), "{arguments:?}");
                text(&output.stdout)
            };
            let refused = |arguments: &[&str], printed: &str| {
                let output = output(arguments);
                let why = text(&output.stderr);
                assert!(why.contains("belongs to another user"), "{why}");
                assert_eq!(output.status.code(), Some(1), "{arguments:?}");
                assert_eq!(text(&output.stdout), printed, "{arguments:?}");
            };
            let environment = at_home(&home);
            assert_eq!(command(&["current"]), "unknown\n");
            stage.hooks_are_silent(&environment);
            assert_eq!(command(&["current"]), format!("{ID}\n"));
            assert_eq!(command(&["store", "s-7"]), "");
            assert_eq!(command(&["current"]), "s-7\n");
            // The pointers are cleaned up, and nothing is known of the rest.
            refused(&["cleanup"], "0\n");
            refused(&["cleanup", "--if-due"], "0\n");
            refused(&["list", "--json"], "");
            assert_eq!(scene(&home), before, "{prepare}");
        }
    }
}

#[test]
fn a_home_that_cannot_be_entered_is_not_an_error() {
    for stage in victims() {
        let home = stage.path("attacker");
        stage.attack("mkdir -m 700 .local");
        let before = scene(&home);
        let environment = at_home(&home);
        let current = || {
            let run = stage.ccsession(&["current"]).env("HOME", &home);
            run.without_env("CCSESSION_STATE_DIR")
        };
        current().expect(0, "unknown\n", "");
        stage.hooks_are_silent(&environment);
        current().expect(0, &format!("{ID}\n"), "");
        assert_eq!(scene(&home), before);
    }
}

/// A state directory that must not be trusted is none: the pointer alone answers.
#[track_caller]
fn check_unsafe_state(why: &str, prepare: impl Fn(&Stage, &Path)) {
    for stage in victims() {
        let state = stage.state();
        prepare(&stage, &state);
        let dirs = [stage.path("attacker"), stage.path("victim")];
        let before = dirs.each_ref().map(|dir| scene(dir));

        stage.answers(&["current"], 0, "unknown\n", "");
        stage.hooks_are_silent(&[]);
        stage.answers(&["current"], 0, &format!("{ID}\n"), "");
        stage.answers(&["current", "--name", "shop"], 0, &format!("{ID}\n"), "");
        let explained = at_once("", || stage.ccsession(&["current", "--explain"]));
        assert!(text(&explained.stdout).contains(why), "{explained:?}");
        stage.answers(&["store", "s-7"], 0, "", "");
        stage.answers(&["current"], 0, "s-7\n", "");
        let refused = format!("ccsession: could not trust `{}`: {why}", state.display());
        let only = format!("{refused}; only pointers were cleaned up\n");
        stage.answers(&["cleanup"], 1, "0\n", &only);
        stage.answers(&["list"], 1, "", &(refused + "\n"));
        assert_eq!(dirs.each_ref().map(|dir| scene(dir)), before, "{why}");
    }
}

/// A state directory that says that the attacker's session is the one live session of the victim's project, and that the
/// process that runs the test is in it.
fn plant_state(stage: &Stage, state: &Path, mode: u32) {
    let key = ccsession::model::Project::at(stage.sandbox.project()).key();
    let session = state.join("sessions/attacker");
    fs::create_dir_all(&session).unwrap();
    fs::create_dir_all(state.join("projects").join(&key)).unwrap();
    let record = json!({
        "v": 1, "session_id": "attacker", "started_at": "2026-11-20T14:27:52.467733Z",
        "project": {"name": "shop", "root": stage.sandbox.project()},
    });
    stage.put(ATTACKER, &session.join("session.json"), &record.to_string());
    stage.put(ATTACKER, &session.join("events.jsonl"), "");
    stage.put(
        ATTACKER,
        &state.join("projects").join(&key).join("attacker"),
        "",
    );
    let mut dirs = vec![state.to_owned()];
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(&dir).unwrap().map(Result::unwrap) {
            if entry.file_type().unwrap().is_dir() {
                dirs.push(entry.path());
            }
        }
        fs::set_permissions(&dir, Permissions::from_mode(mode)).unwrap();
        chown(&dir, Some(ATTACKER), Some(ATTACKER)).unwrap();
    }
}

#[test]
fn a_state_directory_of_another_user_is_not_used() {
    let foreign = format!("it belongs to another user (uid {ATTACKER})");
    for mode in [0o700, 0o755, 0o777] {
        check_unsafe_state(&foreign, |stage, state| plant_state(stage, state, mode));
    }
    check_unsafe_state("it is a symbolic link", |stage, state| {
        let target = stage.path("attacker/state");
        plant_state(stage, &target, 0o755);
        symlink(target, state).unwrap();
    });
    check_unsafe_state("it is not a directory", |stage, state| {
        stage.attack("mkfifo x");
        fs::rename(stage.path("attacker/x"), state).unwrap();
    });
}

#[test]
fn a_state_directory_that_others_can_enter_is_not_used() {
    for mode in [0o755, 0o750, 0o711, 0o1777] {
        let why = format!("others may enter it (mode {mode:04o}); run chmod 700 on it");
        check_unsafe_state(&why, |stage, state| {
            plant_state(stage, state, 0o755);
            fs::set_permissions(state, Permissions::from_mode(mode)).unwrap();
            chown(state, Some(stage.victim), Some(stage.victim)).unwrap();
        });
    }
}
