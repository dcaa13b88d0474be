//! Signals and the terminal: the command gets what it would without a launcher.

use std::fs;
use std::os::unix::process::CommandExt;
use std::process::{Child, Stdio};
use std::time::Duration;

use ccsession::identity::process::ignores;
use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::json;

use super::{
    OTHER, assert_put_back, command_in, kill, lease, lease_path, leases, said_by, started, with_id,
};
use crate::support::torture::is_torture;
use crate::support::{CCSESSION, ID, Sandbox, text, wait_until};

/// The signals that a launcher passes on.
const NAMED: [(Signal, &str); 11] = [
    (Signal::HUP, "HUP"),
    (Signal::INT, "INT"),
    (Signal::QUIT, "QUIT"),
    (Signal::TERM, "TERM"),
    (Signal::USR1, "USR1"),
    (Signal::USR2, "USR2"),
    (Signal::VTALARM, "VTALRM"),
    (Signal::PROF, "PROF"),
    (Signal::XCPU, "XCPU"),
    (Signal::TRAP, "TRAP"),
    (Signal::SYS, "SYS"),
];

#[test]
fn signals_are_passed_on_once() {
    let sandbox = Sandbox::just_swept();
    for (signal, name) in NAMED {
        if ignores(signal.as_raw()) {
            println!(
                "skipped: whatever is started from here ignores {name}, as a shell's background jobs do"
            );
            continue;
        }
        let script = format!(
            "trap 'echo {name}' {name}; trap 'exit 7' ALRM; echo; while :; do sleep 0.01; done"
        );
        let mut child = started(with_id(&sandbox, ID, &script));
        kill(child.id(), signal);
        let mut said = [0; 32];
        let read = said_by(&mut child, &mut said);
        assert_eq!(text(&said[..read]), format!("{name}\n"));
        kill(command_in(&lease(&sandbox, ID)), Signal::ALARM);
        let ended = child.wait_with_output().unwrap();
        assert_eq!(
            (ended.status.code(), text(&ended.stdout)),
            (Some(7), String::new()),
            "{name}"
        );
    }
    assert_put_back(&sandbox);
}

/// A run in a process group of its own, whose command says the name of each signal that it gets.
fn in_own_group(sandbox: &Sandbox, launcher: &[&str]) -> Option<Child> {
    if NAMED.iter().any(|(signal, _)| ignores(signal.as_raw())) {
        println!("skipped: whatever is started from here ignores signals, as under nohup or perf");
        return None;
    }
    let names = NAMED.map(|(_, name)| name).join(" ");
    let script = format!(
        "for name in {names}; do trap \"echo $name\" $name; done
        trap 'exit 7' ALRM; echo; while :; do sleep 0.01; done"
    );
    let words = [
        launcher,
        &[
            CCSESSION,
            "run",
            "--session-id",
            ID,
            "--",
            "/bin/sh",
            "-c",
            &script,
        ],
    ]
    .concat();
    let mut run = sandbox.run(words[0]);
    run.command.args(&words[1..]).process_group(0);
    let mut child = started(run);
    // The launcher passes on once it attends to signals; the command may have begun before.
    let launcher = lease(sandbox, ID)["holder"]["pid"].as_u64().unwrap();
    kill(u32::try_from(launcher).unwrap(), Signal::USR1);
    assert_eq!(next_line(&mut child), "USR1");
    Some(child)
}

fn next_line(child: &mut Child) -> String {
    let mut said = Vec::new();
    while said.last() != Some(&b'\n') {
        let mut byte = [0];
        assert_eq!(said_by(child, &mut byte), 1, "it ends");
        said.extend(byte);
    }
    text(&said).trim_end().to_owned()
}

#[test]
fn a_signal_to_the_whole_group_reaches_the_command_once() {
    let sandbox = Sandbox::just_swept();
    let Some(mut child) = in_own_group(&sandbox, &[]) else {
        return;
    };
    let group = Pid::from_child(&child);
    for (place, (signal, name)) in NAMED.into_iter().enumerate() {
        kill_process_group(group, signal).unwrap();
        assert_eq!(next_line(&mut child), name);
        // What comes to the launcher alone is passed on after what came before it.
        for step in [1, 2] {
            let (marker, name) = NAMED[(place + step) % NAMED.len()];
            kill(child.id(), marker);
            assert_eq!(next_line(&mut child), name);
        }
    }
    kill(command_in(&lease(&sandbox, ID)), Signal::ALARM);
    assert_eq!(child.wait().unwrap().code(), Some(7));
    assert_put_back(&sandbox);
}

/// timeout(1) signals the process that it started, and then its group, which is its own.
#[test]
fn a_signal_from_within_the_group_arrives_once() {
    let sandbox = Sandbox::just_swept();
    let Some(mut child) = in_own_group(&sandbox, &["timeout", "--preserve-status", "60"]) else {
        return;
    };
    // It passes on what it is sent itself, in that way.
    kill(child.id(), Signal::INT);
    assert_eq!(next_line(&mut child), "INT");
    let launcher = lease(&sandbox, ID)["holder"]["pid"].as_u64().unwrap();
    for (marker, name) in [(Signal::USR1, "USR1"), (Signal::USR2, "USR2")] {
        kill(u32::try_from(launcher).unwrap(), marker);
        assert_eq!(next_line(&mut child), name);
    }
    kill(command_in(&lease(&sandbox, ID)), Signal::ALARM);
    assert_eq!(child.wait().unwrap().code(), Some(7));
    assert_put_back(&sandbox);
}

/// What a command says that counts a signal: it ends some time after the first, so that a second
/// one would be said, too.
const COUNTS: &str = "n=0; i=0; trap 'echo USR1; n=1; i=0' USR1; echo ready
    while [ $i -lt 300 ]; do [ $n = 1 ] && [ $i -ge 15 ] && exit 7; i=$((i + 1)); sleep 0.01; done";

#[test]
fn a_signal_to_the_whole_group_while_the_command_starts_reaches_it_once() {
    let sandbox = Sandbox::just_swept();
    let rounds = if is_torture() { 300 } else { 24 };
    let mut heard = 0;
    for round in 0..rounds {
        let mut run = with_id(&sandbox, &format!("s-{round}"), COUNTS);
        let command = run.command.process_group(0).stdin(Stdio::null());
        let child = command.stdout(Stdio::piped()).spawn().unwrap();
        // Spread over the time from the first instruction to the loop in the script.
        std::thread::sleep(Duration::from_micros(round * 40_000 / rounds));
        kill_process_group(Pid::from_child(&child), Signal::USR1).unwrap();
        let ended = child.wait_with_output().unwrap();
        let said = text(&ended.stdout);
        match ended.status.code() {
            // It came to the command before the trap was set, or to the launcher before it listened.
            None | Some(138) => assert!(!said.contains("USR1"), "{round}: {said}"),
            code => {
                heard += 1;
                assert_eq!(
                    (code, said.matches("USR1").count()),
                    (Some(7), 1),
                    "{round}"
                );
            }
        }
    }
    println!("{heard} of {rounds} came to the script");
}

/// The launcher is held up where the system has started the command's process and the launcher
/// does not know of it yet.
#[test]
fn a_signal_to_the_whole_group_before_the_launcher_knows_of_the_command_reaches_it_once() {
    if !crate::support::tracing::can_inject() {
        return;
    }
    let sandbox = Sandbox::just_swept();
    let mut traced = sandbox.run("strace");
    // In a group of its own, or the signal would end it.
    traced.command.args(["-DD", "-qq", "-o", "/dev/null"]);
    traced.command.args(["-e", "trace=clone,clone3,vfork"]);
    let delay = "inject=clone,clone3,vfork:delay_exit=1000000";
    traced.command.args(["-e", delay, CCSESSION, "run"]);
    traced
        .command
        .args(["--session-id", ID, "--", "/bin/sh", "-c", COUNTS]);
    let command = traced.command.process_group(0).stdin(Stdio::null());
    let child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mask = |status: &str, name: &str| {
        let mask = status.lines().find_map(|line| line.strip_prefix(name));
        u64::from_str_radix(mask.unwrap_or("0").trim(), 16).unwrap()
    };
    let usr1 = 1 << (Signal::USR1.as_raw() - 1);
    wait_until(|| {
        if !lease_path(&sandbox, ID).is_file() || lease(&sandbox, ID)["child"].is_null() {
            return false;
        }
        let command = command_in(&lease(&sandbox, ID));
        let status = fs::read_to_string(format!("/proc/{command}/status")).unwrap_or_default();
        let is_idle = status.contains("(sleeping)");
        is_idle && (mask(&status, "SigBlk:") | mask(&status, "SigCgt:")) & usr1 != 0
    });
    kill_process_group(Pid::from_child(&child), Signal::USR1).unwrap();
    let ended = child.wait_with_output().unwrap();
    // The command was held back, so the signal ended it before its script could say anything.
    assert_eq!(
        (ended.status.code(), text(&ended.stdout)),
        (Some(138), String::new())
    );
    assert_eq!(sandbox.record(ID)["exit_status"], 138);
}

/// The command's orphans come to a launcher that is the first process of a pid namespace.
#[test]
fn as_the_first_process_it_reaps_orphans_and_passes_the_status_on() {
    let sandbox = Sandbox::just_swept();
    let script = r#"for i in 1 2 3; do (sleep 0.01 & echo $! >>"$PIDS"); done
        is_there() { for pid in $(cat "$PIDS"); do [ ! -e /proc/$pid ] || return 0; done; return 1; }
        tries=0; while is_there; do tries=$((tries + 1)); [ $tries -lt 2000 ] || exit 9; sleep 0.01; done
        exit 7"#;
    let words = [
        CCSESSION,
        "run",
        "--session-id",
        ID,
        "--",
        "/bin/sh",
        "-c",
        script,
    ];
    let Some(words) = crate::support::namespaces::with_own_pids(&words) else {
        return;
    };
    let mut run = sandbox.run("unshare");
    run.command.args(words);
    run.env("PIDS", sandbox.path("pids")).expect(7, "", "");
    assert_eq!(sandbox.record(ID)["exit_status"], 7);
}

#[test]
fn what_the_caller_ignores_the_command_ignores() {
    let sandbox = Sandbox::just_swept();
    let script = format!(
        "trap '' HUP; exec {CCSESSION} run --session-id {ID} -- /bin/sh -c 'echo; sleep 0.3; echo lives'"
    );
    let child = started(sandbox.run("/bin/sh").arg("-c").arg(script));
    kill(child.id(), Signal::HUP);
    kill(command_in(&lease(&sandbox, ID)), Signal::HUP);
    let ended = child.wait_with_output().unwrap();
    assert_eq!(
        (ended.status.code(), text(&ended.stdout)),
        (Some(0), "lives\n".to_owned())
    );
}

#[test]
fn a_caller_that_ignores_sigchld_changes_nothing() {
    let sandbox = Sandbox::just_swept();
    let script = "trap '' CHLD; exec $CCSESSION run --session-id $0 -- /bin/sh -c 'exit 5'";
    let run = sandbox.run("/bin/sh").arg("-c").arg(script).arg(ID);
    run.env("CCSESSION", CCSESSION).expect(5, "", "");
    assert_eq!(sandbox.record(ID)["exit_status"], 5);
    assert_put_back(&sandbox);
}

#[test]
fn a_signal_in_the_first_moments_leaves_nothing_behind() {
    let sandbox = Sandbox::just_swept();
    sandbox.ccsession(["store", OTHER]).silent();
    let pointer = fs::read(sandbox.pointer("shop")).unwrap();
    let (rounds, step) = if is_torture() { (300, 100) } else { (40, 600) };
    for round in 0..rounds {
        let mut run = with_id(&sandbox, &format!("s-{round}"), "exec sleep 60");
        let mut child = run.command.stdin(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_micros(round * step));
        kill(child.id(), Signal::TERM);
        child.wait().unwrap();
    }
    assert_eq!(leases(&sandbox), [""; 0]);
    assert_eq!(fs::read(sandbox.pointer("shop")).unwrap(), pointer);
    let live = sandbox
        .ccsession([
            "list",
            "--json",
            "--state",
            "active",
            "--state",
            "abandoned",
        ])
        .json();
    assert_eq!(live["sessions"], json!([]));
}

#[test]
fn a_signal_during_the_setup_of_handlers_is_not_lost() {
    if !crate::support::tracing::can_inject() {
        return;
    }
    let sandbox = Sandbox::just_swept();
    let trace = sandbox.path("trace");
    let mut traced = sandbox.run("strace").arg("-qq").arg("-o").arg(&trace);
    traced.command.args(["-e", "trace=rt_sigaction"]);
    traced
        .command
        .args(["-e", "inject=rt_sigaction:delay_exit=50000", CCSESSION]);
    traced
        .command
        .args(["run", "--session-id", ID, "--", "sleep", "60"]);
    let mut strace = traced.command.stdin(Stdio::null()).spawn().unwrap();
    let is_being_set = || {
        let trace = fs::read_to_string(&trace).unwrap_or_default();
        trace.contains("SIGTERM, {sa_handler=0x")
    };
    wait_until(is_being_set);
    let children = format!("/proc/{0}/task/{0}/children", strace.id());
    let launcher = fs::read_to_string(children).unwrap();
    kill(launcher.trim().parse().unwrap(), Signal::TERM);
    assert_eq!(strace.wait().unwrap().code(), Some(143));
    assert_put_back(&sandbox);
}

/// A pseudo-terminal with `ccsession run` in its foreground, and Ctrl-C typed.
const TYPE_CONTROL_C: &str = r#"
import os, pty, sys, time
pid, fd = pty.fork()
if pid == 0:
    os.execv(sys.argv[1], sys.argv[1:])
said = b""
while b"ready" not in said:
    said += os.read(fd, 1024)
os.write(fd, b"\x03")
time.sleep(0.3)
os.write(fd, b"\n")
try:
    while True:
        more = os.read(fd, 1024)
        if not more:
            break
        said += more
except OSError:
    pass
print(said.count(b"interrupted"), os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), b"is a tty" in said)
"#;

#[test]
fn the_terminal_stays_the_commands_and_a_typed_interrupt_reaches_it_once() {
    if ignores(Signal::INT.as_raw()) {
        println!(
            "skipped: whatever is started from here ignores interrupts, as a shell's background jobs do"
        );
        return;
    }
    let sandbox = Sandbox::just_swept();
    if sandbox
        .run("python3")
        .arg("--version")
        .output()
        .status
        .code()
        != Some(0)
    {
        println!("skipped: no python3");
        return;
    }
    let script =
        "test -t 0 && echo is a tty; trap 'echo interrupted' INT; echo ready; read line; exit 5";
    let mut run = sandbox
        .run("python3")
        .arg("-c")
        .arg(TYPE_CONTROL_C)
        .arg(CCSESSION);
    run.command
        .args(["run", "--session-id", ID, "--", "/bin/sh", "-c", script]);
    assert_eq!(run.stdout().trim(), "1 5 True");
    assert_put_back(&sandbox);
}
