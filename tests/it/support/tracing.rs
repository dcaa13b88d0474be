//! Programs under strace: calls that fail, and kills at a call.

use std::fs;
use std::process::Command;
use std::sync::OnceLock;
use std::time::{Duration, SystemTime};

use serde_json::Value;

use super::{Run, Sandbox, as_client};

/// Whether strace is there and may trace. With `--seccomp-bpf` only the calls that are traced stop a program.
pub(crate) fn can_inject() -> bool {
    static CAN: OnceLock<bool> = OnceLock::new();
    let can = *CAN.get_or_init(|| {
        let tried = Command::new("strace")
            .args([
                "-f",
                "-qq",
                "--seccomp-bpf",
                "-o",
                "/dev/null",
                "-e",
                "trace=uname",
                "-e",
                "inject=uname:error=EIO",
                "true",
            ])
            .output();
        tried.is_ok_and(|output| output.status.success())
    });
    if !can {
        println!("skipped: strace is missing or may not trace");
    }
    can
}

/// The hook `program` under strace, which injects `fault` and prints nothing itself.
pub(crate) fn traced(sandbox: &Sandbox, program: &str, fault: &str, payload: &Value) -> Run {
    let (call, _) = fault.split_once(':').unwrap();
    let mut run = sandbox.run("strace").env("CLAUDE_PID", as_client());
    // With a filter no other call stops the program, but strace sends no signal either.
    if !fault.contains("signal=") {
        run.command.arg("--seccomp-bpf");
    }
    run.command
        .args(["-f", "-qq", "-o", "/dev/null"])
        .args(["-e", &format!("trace={call}")])
        .args(["-e", &format!("inject={fault}"), program]);
    run.stdin(payload.to_string())
}

/// Makes leftovers old enough for a cleanup to remove them.
#[track_caller]
pub(crate) fn age_leftovers(sandbox: &Sandbox) {
    let old = SystemTime::now() - Duration::from_secs(11 * 60);
    for name in sandbox.files() {
        let path = sandbox.path(&name);
        if name.contains("/.ccsession-tmp-") {
            let file = fs::File::options().append(true).open(path).unwrap();
            file.set_modified(old).unwrap();
        } else if let Some((dir, rest)) = name.split_once(".ccsession-gone-") {
            // The name says when the pointer was set aside, by the boot clock: the new name says before the last boot.
            let [pid, _, pointer] = rest.splitn(3, '-').collect::<Vec<_>>()[..] else {
                panic!("{name}");
            };
            let older = format!("{dir}.ccsession-gone-{pid}-{}-{pointer}", u64::MAX);
            fs::rename(path, sandbox.path(&older)).unwrap();
        }
    }
}
