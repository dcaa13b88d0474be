//! `install.sh`: in whose home it works, and who may write to what it installs. It installs the programs of this build: the
//! stand-in for cargo builds nothing.

use std::fs;
use std::io::Read;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use crate::support::{CCSESSION, Run, SESSION_EVENT, Sandbox, text};

const HOOKS: [&str; 4] = [
    "session-event",
    "session-start",
    "pre-tool-use",
    "post-tool-use",
];

fn put_script(path: &Path, script: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// A sandbox with what stands for a toolchain and a build.
fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    put_script(&sandbox.path("tools/cargo"), "exit 0");
    put_script(&sandbox.path("tools/rustc"), "echo 'host: here'");
    let built = sandbox.path("target/here/installed");
    fs::create_dir_all(&built).unwrap();
    // install.sh copies what a link leads to. Debug programs are large.
    symlink(CCSESSION, built.join("ccsession")).unwrap();
    symlink(SESSION_EVENT, built.join("session-event")).unwrap();
    sandbox
}

/// `install.sh` under this umask.
fn installer(sandbox: &Sandbox, umask: &str, arguments: &[&str]) -> Run {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("install.sh");
    let path = format!("{}:/usr/bin:/bin", sandbox.path("tools").display());
    let run = sandbox.run("/bin/sh").arg("-c");
    let run = run
        .arg(format!("umask {umask}; exec sh \"$0\" \"$@\""))
        .arg(script);
    let run = arguments
        .iter()
        .fold(run, |run, argument| run.arg(argument));
    run.env("PATH", path)
        .env("CARGO_TARGET_DIR", sandbox.path("target"))
        .without_env("CCSESSION_LIBEXEC")
}

/// What stands for a cargo that names the crates, and lets a few seconds pass for them: those of [`QUICK_SECONDS`]. Where nobody
/// counts them, it waits a moment for somebody who does.
const SLOW_CARGO: &str = r#"
pass() {
    before=$(wc -l <"$SECONDS_PASSED") tries=0
    while [ $(($(wc -l <"$SECONDS_PASSED") - before)) -lt 2 ] && [ "$((tries += 1))" -le "$TRIES" ]; do /bin/sleep 0.01; done
}
artifact() {
    printf '{"reason":"compiler-artifact","package_id":"registry+https://index#%s@1.0.0",' "$1"
    printf '"target":{"kind":["%s"],"name":"%s"},"executable":null,"fresh":false}\n' "$2" "$1"
}
case $1 in
    tree) printf 'serde v1.0.0\nccsession v0.1.0 (/here)\nserde v1.0.0 (*)\n' ;;
    rustc)
        artifact serde custom-build; artifact serde lib; pass
        artifact ccsession lib; artifact "$3" bin; pass ;;
esac"#;

/// As many tries as a machine under any load needs.
const LONG: u32 = 6000;

/// What stands for sleep(1): a second passes at once, and is counted.
const QUICK_SECONDS: &str = r#"echo >>"$SECONDS_PASSED"; exec /bin/sleep 0.02"#;

/// `install.sh` whose build takes some seconds. Where nobody says how far it is, `tries` of 10 ms are enough.
fn slow_build(sandbox: &Sandbox, tries: u32, arguments: &[&str]) -> Run {
    put_script(&sandbox.path("tools/cargo"), SLOW_CARGO);
    put_script(&sandbox.path("tools/sleep"), QUICK_SECONDS);
    let passed = sandbox.path("passed");
    fs::write(&passed, "").unwrap();
    installer(sandbox, "022", arguments)
        .env("SECONDS_PASSED", passed)
        .env("TRIES", tries.to_string())
}

/// Runs with stdout on a terminal.
fn on_a_terminal(mut run: Run) -> String {
    let terminal = nix::pty::openpty(None, None).unwrap();
    run.command
        .stdin(Stdio::null())
        .stdout(Stdio::from(terminal.slave));
    let mut child = run.command.spawn().unwrap();
    drop(run);
    let mut said = Vec::new();
    // Once nobody has the other end, the system says so with an error.
    let _ = fs::File::from(terminal.master).read_to_end(&mut said);
    assert_eq!(child.wait().unwrap().code(), Some(0));
    text(&said)
}

/// What is there, whose and with which mode.
fn all_below(dir: &Path) -> Vec<(PathBuf, u32, u32)> {
    let mut found = Vec::new();
    let mut dirs = vec![dir.to_owned()];
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            let meta = fs::symlink_metadata(&path).unwrap();
            if meta.is_dir() {
                dirs.push(path.clone());
            }
            found.push((path, meta.uid(), meta.mode()));
        }
    }
    found.sort();
    found
}

#[test]
fn nothing_is_installed_in_another_users_home() {
    let sandbox = sandbox();
    let home = sandbox.home();
    if chown(&home, Some(1001), Some(1001)).is_err() {
        println!("skipped: only root can give a home away");
        return;
    }
    let prefix = sandbox.path("prefix");
    let below = home.join("deep/er");
    for arguments in [
        &[][..],
        &["--no-register"],
        &["--uninstall"],
        &["--prefix", prefix.to_str().unwrap()],
        &["--no-register", "--prefix", below.to_str().unwrap()],
    ] {
        let output = installer(&sandbox, "022", arguments).output();
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{arguments:?} {said}");
        assert!(
            said.contains("belongs to another user (uid 1001)"),
            "{said}"
        );
        assert_eq!(all_below(&home), []);
        assert!(!prefix.exists());
    }
    let elsewhere = ["--no-register", "--prefix", prefix.to_str().unwrap()];
    let output = installer(&sandbox, "022", &elsewhere).output();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(all_below(&home), []);
}

#[test]
fn only_the_user_can_change_what_is_installed_under_any_umask() {
    for umask in ["000", "002", "022", "077"] {
        let sandbox = sandbox();
        // As an older install, or another program, may have left them.
        let local = sandbox.home().join(".local");
        let libexec = local.join("libexec/ccsession");
        fs::create_dir_all(&libexec).unwrap();
        fs::create_dir_all(local.join("bin")).unwrap();
        for open in ["", "bin", "libexec", "libexec/ccsession"] {
            let open = local.join(open);
            fs::set_permissions(open, fs::Permissions::from_mode(0o777)).unwrap();
        }
        let output = installer(&sandbox, umask, &[]).output();
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        let said = text(&output.stdout);
        assert!(!said.contains("could not show"), "{umask}: {output:?}");
        for (path, _, mode) in all_below(&sandbox.home()) {
            assert_eq!(mode & 0o002, 0, "{umask}: {}", path.display());
        }
        assert!(
            said.contains(&format!("closed {} to others", local.display())),
            "{said}"
        );
        for hook in HOOKS {
            assert_eq!(crate::support::mode(&libexec.join(hook)), 0o755);
        }
    }
}

#[test]
fn a_directory_in_a_programs_place_is_refused_before_anything_is_made() {
    for taken in ["bin/ccsession", "libexec/ccsession/pre-tool-use"] {
        let sandbox = sandbox();
        let prefix = sandbox.home().join(".local");
        fs::create_dir_all(prefix.join(taken)).unwrap();
        let before = all_below(&sandbox.home());
        let output = installer(&sandbox, "022", &[]).output();
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("it is a directory"), "{said}");
        assert_eq!(all_below(&sandbox.home()), before);
    }
}

#[test]
fn nothing_is_written_through_a_link_in_a_programs_place() {
    let sandbox = sandbox();
    let theirs = sandbox.path("theirs");
    fs::write(&theirs, "kept").unwrap();
    let bin = sandbox.home().join(".local/bin");
    fs::create_dir_all(&bin).unwrap();
    for name in ["ccsession", "ccsession.new"] {
        symlink(&theirs, bin.join(name)).unwrap();
    }
    let output = installer(&sandbox, "022", &["--no-register"]).output();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(fs::read_to_string(&theirs).unwrap(), "kept");
    assert!(
        fs::symlink_metadata(bin.join("ccsession"))
            .unwrap()
            .is_file()
    );
}

/// A folder that is not the script's to change.
#[test]
fn users_who_could_change_the_settings_are_reported() {
    let sandbox = sandbox();
    let claude = sandbox.home().join(".claude");
    fs::create_dir(&claude).unwrap();
    fs::set_permissions(&claude, fs::Permissions::from_mode(0o777)).unwrap();
    let output = installer(&sandbox, "022", &[]).output();
    let said = text(&output.stdout);
    let found = format!("FAULT access: everybody may write to {}", claude.display());
    assert!(said.contains(&found), "{said}");
    assert_eq!(crate::support::mode(&claude), 0o777);
}

#[test]
fn a_terminal_shows_how_far_the_build_is() {
    let sandbox = sandbox();
    let said = on_a_terminal(slow_build(&sandbox, LONG, &["--no-register"]));
    assert!(
        said.contains("building ccsession: 2 crates; the first time takes about "),
        "{said}"
    );
    for progress in ["\r1 of 2 crates, 0:0", "\r2 of 2 crates, 0:0"] {
        assert!(said.contains(progress), "{progress:?}: {said:?}");
    }
    assert!(said.contains(" so far, about "), "{said:?}");
    // What comes after the progress begins at the left of an empty line.
    let (_, after) = said.rsplit_once('\r').unwrap();
    assert!(
        said.contains(&format!("{}\rinstalled ", " ".repeat(60))),
        "{after}"
    );
}

#[test]
fn a_pipe_gets_lines_without_control_characters_and_at_the_end_what_to_type() {
    let sandbox = sandbox();
    let output = slow_build(&sandbox, LONG, &[])
        .env("CCSESSION_ARCHIVE_AUTO", "true")
        .output();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let said = text(&output.stdout);
    assert!(
        said.chars().all(|c| c == '\n' || !c.is_control()),
        "{said:?}"
    );
    assert!(!said.contains("{\""), "{said}");
    let shown = [
        "$ ccsession current\n",
        "$ ccsession list\n",
        "$ ccsession timeline\n",
    ];
    assert!(shown.iter().all(|command| said.contains(command)), "{said}");
    let (_, next) = said.split_once("\nWhat to do next:\n").unwrap();
    let bin = sandbox.home().join(".local/bin");
    let first = next.lines().next().unwrap();
    assert!(
        first.contains(&format!("add {} to your PATH", bin.display())),
        "{next}"
    );
    for verb in ["import", "doctor", "list"] {
        assert!(
            next.contains(&format!("{}/ccsession {verb} ", bin.display())),
            "{next}"
        );
    }
    // What `ccsession install` says is said once.
    for once in [
        "a redacted copy",
        "type `ccsession list`",
        "What to do next",
    ] {
        let times = said.matches(once).count();
        assert_eq!(
            times,
            usize::from(!once.starts_with("type")),
            "{once}: {said}"
        );
    }
}

#[test]
fn a_build_that_fails_says_why_and_installs_nothing() {
    let sandbox = sandbox();
    put_script(
        &sandbox.path("tools/cargo"),
        "[ \"$1\" != rustc ] || { echo 'error: no such crate' >&2; exit 101; }",
    );
    let before = all_below(&sandbox.path("target"));
    let output = installer(&sandbox, "022", &[]).output();
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.starts_with("error: no such crate\n"), "{said}");
    assert!(said.contains("nothing was installed"), "{said}");
    assert_eq!(all_below(&sandbox.home()), []);
    assert_eq!(all_below(&sandbox.path("target")), before);
}

#[test]
fn quiet_says_nothing() {
    let sandbox = sandbox();
    slow_build(&sandbox, 20, &["--quiet"]).expect(0, "", "");
    assert!(sandbox.home().join(".local/bin/ccsession").is_file());
    assert!(sandbox.home().join(".claude/settings.json").is_file());
    installer(&sandbox, "022", &["--quiet", "--uninstall"]).expect(0, "", "");
    assert_eq!(
        fs::read_dir(sandbox.home().join(".local/bin"))
            .unwrap()
            .count(),
        0
    );
}

#[test]
fn a_build_alone_prints_the_folder_of_the_programs_and_installs_nothing() {
    let sandbox = sandbox();
    let programs = sandbox.path("target/here/programs");
    let said = format!("{}\n", programs.display());
    let output = installer(&sandbox, "022", &["--build-only"]).output();
    assert_eq!(
        (output.status.code(), text(&output.stdout)),
        (Some(0), said)
    );
    assert_eq!(all_below(&sandbox.home()), []);
    let inode = |name: &str| fs::metadata(programs.join(name)).unwrap().ino();
    for hook in HOOKS {
        assert_eq!(inode(hook), inode("session-event"), "{hook}");
    }
    assert_ne!(inode("ccsession"), inode("session-event"));
}

#[test]
fn a_second_uninstall_says_that_there_is_nothing() {
    let sandbox = sandbox();
    installer(&sandbox, "022", &["--quiet"]).expect(0, "", "");
    let prefix = sandbox.home().join(".local");
    let said = text(&installer(&sandbox, "022", &["--uninstall"]).output().stdout);
    assert!(
        said.contains(&format!("removed ccsession from {}\n", prefix.display())),
        "{said}"
    );
    let nothing = format!("ccsession is not installed in {}\n", prefix.display());
    installer(&sandbox, "022", &["--uninstall"]).expect(0, &nothing, "");
}

#[test]
fn completions_and_manual_pages_are_installed_where_they_are_found_and_removed() {
    let sandbox = sandbox();
    let share = sandbox.home().join(".local/share");
    let theirs = share.join("man/man1/other.1");
    fs::create_dir_all(theirs.parent().unwrap()).unwrap();
    fs::write(&theirs, "theirs").unwrap();
    // Shells run what is there.
    let open = share.join("man");
    fs::set_permissions(&open, fs::Permissions::from_mode(0o777)).unwrap();
    installer(&sandbox, "000", &["--quiet"]).expect(0, "", "");
    let contrib = Path::new(env!("CARGO_MANIFEST_DIR")).join("contrib");
    for (file, place) in [
        (
            "completions/ccsession.bash",
            "bash-completion/completions/ccsession",
        ),
        ("completions/_ccsession", "zsh/site-functions/_ccsession"),
        (
            "completions/ccsession.fish",
            "fish/vendor_completions.d/ccsession.fish",
        ),
        ("man/ccsession.1", "man/man1/ccsession.1"),
        ("man/ccsession-clock-in.1", "man/man1/ccsession-clock-in.1"),
    ] {
        let place = share.join(place);
        assert_eq!(
            fs::read(&place).unwrap(),
            fs::read(contrib.join(file)).unwrap()
        );
        assert_eq!(crate::support::mode(&place), 0o644);
    }
    for (path, _, mode) in all_below(&share) {
        assert_eq!(mode & 0o002, 0, "{}", path.display());
    }
    installer(&sandbox, "022", &["--quiet", "--uninstall"]).expect(0, "", "");
    let left: Vec<_> = all_below(&share)
        .into_iter()
        .map(|(path, ..)| path)
        .collect();
    assert_eq!(left, [share.join("man"), share.join("man/man1"), theirs]);
}

#[test]
fn a_completion_that_cannot_be_written_stops_nothing_else() {
    let sandbox = sandbox();
    let share = sandbox.home().join(".local/share");
    fs::create_dir_all(share.join("fish/vendor_completions.d/ccsession.fish")).unwrap();
    let output = installer(&sandbox, "022", &["--no-register"]).output();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let said = text(&output.stdout);
    assert!(
        said.contains("ccsession.fish; the programs are installed"),
        "{said}"
    );
    assert!(share.join("man/man1/ccsession.1").is_file());
}
