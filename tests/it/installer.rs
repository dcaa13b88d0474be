//! `install.sh`: in whose home it works, and who may write to what it puts down. The programs are those of this build: what
//! stands for cargo builds nothing.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};

use crate::support::{CCSESSION, Run, SESSION_EVENT, Sandbox, copy_program, text};

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
    let built = sandbox.path("target/here/release");
    fs::create_dir_all(&built).unwrap();
    copy_program(CCSESSION, built.join("ccsession"));
    for hook in HOOKS {
        copy_program(SESSION_EVENT, built.join(hook));
    }
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
fn what_is_installed_is_the_users_alone_to_change_under_any_umask() {
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
fn who_else_could_change_the_settings_is_said() {
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
