//! What is interrupted leaves no temporary file for ever, in the client's folders neither.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use serde_json::json;

use crate::archive::{a_day_later, begun, clock_out, said, write};
use crate::faults::can_inject;
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
fn a_file_of_metrics_that_is_killed_leaves_nothing_beside_it() {
    if !can_inject() {
        return;
    }
    let sandbox = Sandbox::just_swept();
    let out = sandbox.home().join("metrics.prom");
    let arguments = ["metrics", "--output", out.to_str().unwrap()];
    killed_at_fsync(&sandbox, &arguments);
    assert_eq!(temporary(&sandbox), [""; 0].map(PathBuf::from));
    sandbox.ccsession(arguments).silent();
    assert!(out.exists());
}

/// Where a file must have a name while it is written, and what other versions left.
#[test]
fn what_was_left_in_the_clients_folders_goes_with_the_days_work() {
    let sandbox = Sandbox::just_swept();
    let transcript = begun(&sandbox, json!({}));
    write(&transcript, said(&["one"]));
    let claude = sandbox.home().join(".claude");
    let in_project = ["install", "--scope", "project"];
    crate::install::client(&sandbox, "echo '2.1.329 (Claude Code)'");
    crate::install::libexec(&sandbox.path("libexec"));
    crate::install::ccsession(&sandbox, in_project).stdout();
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
fn what_was_left_beside_a_file_of_metrics_goes_with_the_next_one() {
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
    let arguments = ["metrics", "--output", out.to_str().unwrap()];
    sandbox.ccsession(arguments).silent();
    assert!(out.exists() && new.exists() && !old.exists());
}
