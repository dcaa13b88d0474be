//! Scripts in separate namespaces: mounts, process ids.

use std::process::Command;

use super::{Run, Sandbox, as_client};

pub(crate) fn root() -> bool {
    rustix::process::geteuid().is_root()
}

/// A command that runs a shell script as root of its own mount namespace; `None` where that is not allowed.
pub(crate) fn in_own_mounts(sandbox: &Sandbox, script: &str) -> Option<Run> {
    let flags = if root() { "-m" } else { "-Urm" };
    let tried = Command::new("unshare")
        .args([flags, "sh", "-c", "mount -t tmpfs none /mnt"])
        .output();
    if !tried.is_ok_and(|output| output.status.success()) {
        println!("skipped: unshare or mount is missing or not allowed");
        return None;
    }
    let mut run = sandbox.run("unshare").env("CLAUDE_PID", as_client());
    run.command.args([flags, "sh", "-c", script]);
    Some(run)
}

/// A command line that runs `words` as the first process of a pid namespace; `None` where that is not allowed, or where the
/// next pid cannot be chosen.
pub(crate) fn with_own_pids(words: &[&str]) -> Option<Vec<String>> {
    const TRIAL: &str = "echo 100 >/proc/sys/kernel/ns_last_pid && test $(sh -c 'echo $$') = 101";
    let flags: &[&str] = if rustix::process::geteuid().is_root() {
        &[]
    } else {
        &["--user", "--map-root-user"]
    };
    let enter = [flags, &["--pid", "--fork", "--kill-child", "--mount-proc"]].concat();
    let trial = Command::new("unshare")
        .args(&enter)
        .args(["sh", "-c", TRIAL])
        .output();
    if !trial.is_ok_and(|output| output.status.success()) {
        println!(
            "skipped: a pid namespace in which pids can be chosen is not allowed, or unshare is missing"
        );
        return None;
    }
    Some(
        enter
            .iter()
            .chain(words)
            .map(|&word| word.to_owned())
            .collect(),
    )
}
