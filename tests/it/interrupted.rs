//! No interrupted command leaves a temporary file forever, not even in the client's folders.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde_json::json;

use crate::support::archives::{a_day_later, begun, clock_out, said, write};
use crate::support::files::write_private;
use crate::support::tracing::can_inject;
use crate::support::{CCSESSION, ID, Sandbox, walk};

fn temporary(sandbox: &Sandbox) -> Vec<PathBuf> {
    let mut found = Vec::new();
    walk(&sandbox.home(), &mut |path| {
        if path.to_string_lossy().contains("/.ccsession-tmp-") {
            found.push(path.to_owned());
        }
    });
    found
}

/// Killed at the moment at which the bytes are written and the file has not got its name yet.
fn killed_at_fsync(sandbox: &Sandbox, arguments: &[&str]) {
    let mut run = sandbox.run("strace");
    run.command
        .args([
            "-f",
            "-qq",
            "-o",
            "/dev/null",
            "-e",
            "inject=fsync:signal=SIGKILL:when=1",
        ])
        .arg(CCSESSION)
        .args(arguments);
    run.output();
}

#[test]
fn a_restore_that_is_killed_leaves_nothing_in_the_clients_folder() {
    if !can_inject() {
        return;
    }
    let sandbox = Sandbox::just_swept();
    let transcript = begun(&sandbox, json!({}));
    write(&transcript, said(&["one"]));
    clock_out(&sandbox, &[]);
    fs::remove_file(&transcript).unwrap();
    killed_at_fsync(&sandbox, &["archive", "restore", ID]);
    assert!(!transcript.exists());
    assert_eq!(temporary(&sandbox), [""; 0].map(PathBuf::from));
    sandbox.ccsession(["archive", "restore", ID]).stdout();
    assert_eq!(fs::read_to_string(&transcript).unwrap(), said(&["one"]));
}

#[test]
fn a_killed_metrics_run_leaves_nothing_beside_its_file() {
    if !can_inject() {
        return;
    }
    let sandbox = Sandbox::just_swept();
    let out = sandbox.home().join("metrics.prom");
    let arguments = ["metrics", "--prometheus", "--output", out.to_str().unwrap()];
    killed_at_fsync(&sandbox, &arguments);
    assert_eq!(temporary(&sandbox), [""; 0].map(PathBuf::from));
    sandbox.ccsession(arguments).silent();
    assert!(out.exists());
}

/// Where a file must have a name while it is written, and what other versions left.
#[test]
fn temporary_files_in_the_clients_folders_are_removed_once_a_day() {
    let sandbox = Sandbox::just_swept();
    let transcript = begun(&sandbox, json!({}));
    write(&transcript, said(&["one"]));
    let claude = sandbox.home().join(".claude");
    let in_project = ["install", "--scope", "project"];
    crate::support::settings::client(&sandbox, "echo '2.1.329 (Claude Code)'");
    crate::support::settings::libexec(&sandbox.path("libexec"));
    crate::support::settings::ccsession(&sandbox, in_project).stdout();
    let left = [
        claude.clone(),
        claude.join("projects/-shop"),
        claude.join("session-env/s-1"),
        sandbox.home().join(".config/systemd/user"),
        sandbox.project().join(".claude"),
    ];
    let left = left.map(|folder| folder.join(".ccsession-tmp-0123456789abcdef"));
    let (old, new) = (&left, claude.join(".ccsession-tmp-of-one-that-runs"));
    for path in old {
        write(path, "a part of something");
        let file = fs::File::options().append(true).open(path).unwrap();
        let day = SystemTime::now() - Duration::from_secs(86_400);
        file.set_modified(day).unwrap();
    }
    write(&new, "a part of something");
    a_day_later(&sandbox);
    sandbox.ccsession(["cleanup"]).stdout();
    assert_eq!(temporary(&sandbox), [new]);
    assert!(left.iter().all(|path| !path.exists()), "{left:?}");
    assert!(transcript.exists());
}

/// No cleanup knows where metrics are published; the next ones do.
#[test]
fn temporary_files_beside_a_metrics_file_are_removed_by_the_next_run() {
    let sandbox = Sandbox::just_swept();
    let out = sandbox.path("metrics/ccsession.prom");
    let (old, new) = (
        out.with_file_name(".ccsession-tmp-0123456789abcdef"),
        out.with_file_name(".ccsession-tmp-of-one-that-runs"),
    );
    for path in [&old, &new] {
        write(path, "a part of something");
    }
    let file = fs::File::options().append(true).open(&old).unwrap();
    let day = SystemTime::now() - Duration::from_secs(86_400);
    file.set_modified(day).unwrap();
    let arguments = ["metrics", "--prometheus", "--output", out.to_str().unwrap()];
    sandbox.ccsession(arguments).silent();
    assert!(out.exists() && new.exists() && !old.exists());
}

/// Whatever folders the state has, now and in later versions: what was left in any of them goes.
#[test]
fn temporary_files_anywhere_in_the_state_are_removed_by_a_cleanup() {
    let sandbox = Sandbox::archiving();
    let transcript = begun(&sandbox, json!({}));
    write(&transcript, said(&["one"]));
    clock_out(&sandbox, &[]);
    sandbox
        .ccsession(["run", "--session-id", "s-1", "--", "true"])
        .silent();
    crate::support::settings::client(&sandbox, "echo '2.1.329 (Claude Code)'");
    crate::support::settings::libexec(&sandbox.path("libexec"));
    // Of what is changed the version before is kept.
    write(&sandbox.home().join(".claude/settings.json"), "{}\n");
    for arguments in [
        ["install", "--scope", "user"],
        ["install", "--scope", "local"],
    ] {
        crate::support::settings::ccsession(&sandbox, arguments).stdout();
    }
    let mut folders = BTreeSet::from([sandbox.state()]);
    walk(&sandbox.state(), &mut |path| {
        let above = path.parent().unwrap().ancestors();
        folders.extend(
            above
                .take_while(|dir| dir.starts_with(sandbox.state()))
                .map(Path::to_owned),
        );
    });
    for name in ["backups", "installs", "archive-ids", "projects"] {
        assert!(
            folders.contains(&sandbox.state().join(name)),
            "{name}: {folders:?}"
        );
    }
    // No file is written under a temporary name here: these hold folders, and entries that are created at once.
    let is_written_in = |folder: &&PathBuf| {
        let rest = folder.strip_prefix(sandbox.state()).unwrap();
        rest != Path::new("sessions")
            && rest != Path::new("archive")
            && !rest.starts_with("projects")
    };
    let day = SystemTime::now() - Duration::from_secs(24 * 60 * 60);
    for folder in folders.iter().filter(is_written_in) {
        let left = folder.join(".ccsession-tmp-0123456789abcdef");
        write_private(&left, "a part of something");
        fs::File::options()
            .append(true)
            .open(&left)
            .unwrap()
            .set_modified(day)
            .unwrap();
    }
    a_day_later(&sandbox);
    sandbox.ccsession(["cleanup"]).stdout();
    let mut left = Vec::new();
    walk(&sandbox.state(), &mut |path| {
        left.extend(
            path.to_str()
                .filter(|path| path.contains("/.ccsession-tmp-"))
                .map(str::to_owned),
        );
    });
    assert_eq!(left, [""; 0]);
}

/// No cleanup knows of the folder before an install in it was completed.
#[test]
fn a_temporary_file_of_a_killed_install_is_removed_by_the_next() {
    let sandbox = Sandbox::just_swept();
    let left = sandbox
        .project()
        .join(".claude/.ccsession-tmp-0123456789abcdef");
    write(&left, "a part of something");
    let file = fs::File::options().append(true).open(&left).unwrap();
    let day = SystemTime::now() - Duration::from_secs(86_400);
    file.set_modified(day).unwrap();
    crate::support::settings::client(&sandbox, "echo '2.1.329 (Claude Code)'");
    crate::support::settings::libexec(&sandbox.path("libexec"));
    let install = ["install", "--scope", "project"];
    crate::support::settings::ccsession(&sandbox, install).stdout();
    assert!(!left.exists());
}
