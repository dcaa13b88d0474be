//! `ccsession run`: a command as a session, one holder of an id at a time, and everything put back afterwards.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::bad_input::is_torture;
use crate::support::{CCSESSION, ID, Run, SESSION_START, Sandbox, event, json_lines, text};

const OTHER: &str = "6c59583c-1111-4222-8333-444455556666";

/// `ccsession run` with these options, for a shell script.
fn run(sandbox: &Sandbox, options: &[&str], script: &str) -> Run {
    let mut run = sandbox.ccsession(["run"].iter().chain(options));
    run.command.args(["--", "/bin/sh", "-c", script]);
    run.env("CCSESSION", CCSESSION)
}

fn with_id(sandbox: &Sandbox, id: &str, script: &str) -> Run {
    run(sandbox, &["--session-id", id], script)
}

/// Started and left running, once it has said so.
fn started(run: Run) -> Child {
    let mut run = run;
    let mut child = run
        .command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = [0];
    std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut first).unwrap();
    child
}

#[track_caller]
fn wait_for(what: impl Fn() -> bool) {
    let started = Instant::now();
    while !what() {
        assert!(started.elapsed() < Duration::from_secs(20));
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn kill(pid: u32, signal: rustix::process::Signal) {
    let pid = rustix::process::Pid::from_raw(pid.try_into().unwrap()).unwrap();
    rustix::process::kill_process(pid, signal).unwrap();
}

fn leases(sandbox: &Sandbox) -> Vec<String> {
    let files = sandbox.files();
    files
        .into_iter()
        .filter(|file| file.starts_with("state/leases/"))
        .collect()
}

fn counts(sandbox: &Sandbox) -> Value {
    let bytes = fs::read(sandbox.state().join("lease-counts.json")).unwrap();
    serde_json::from_slice(&bytes).unwrap()
}

/// Nothing says any more that something is run.
#[track_caller]
fn assert_put_back(sandbox: &Sandbox) {
    let left: Vec<String> = sandbox
        .files()
        .into_iter()
        .filter(|file| {
            ["leases/", "procs/", "projects/", "/owners/", "pointers/"]
                .iter()
                .any(|place| file.contains(place))
        })
        .collect();
    assert_eq!(left, [""; 0]);
    sandbox.ccsession(["current"]).expect(0, "unknown\n", "");
    sandbox.assert_no_leftovers();
}

#[test]
fn two_tasks_one_after_the_other_each_with_its_temporary_id_and_nothing_left_set_in_between() {
    let sandbox = Sandbox::just_swept();
    let mut ids = Vec::new();
    for _task in 0..2 {
        let said = run(&sandbox, &[], "echo $CCSESSION_ID; $CCSESSION current").stdout();
        let lines: Vec<&str> = said.lines().collect();
        assert_eq!(lines[0], lines[1]);
        assert_eq!(lines[0].len(), 36);
        ids.push(lines[0].to_owned());
        assert_put_back(&sandbox);
    }
    assert_ne!(ids[0], ids[1]);
    for id in ids {
        let record = sandbox.record(&id);
        assert_eq!(
            json!([
                record["source"],
                record["outcome"],
                record["exit_status"],
                record["previous"],
                record["parent"]
            ]),
            json!(["run", "completed", 0, null, null])
        );
    }
}

#[test]
fn the_record_is_there_before_the_command_and_says_what_it_is_for() {
    let sandbox = Sandbox::just_swept();
    let options = [
        "--session-id",
        "task-7",
        "--name",
        "Seven",
        "--role",
        "tester",
        "--focus",
        " issue\n12 ",
    ];
    let script = "cat $CCSESSION_STATE_DIR/sessions/$CCSESSION_ID/session.json";
    let seen: Value = run(&sandbox, &options, script).json();
    assert_eq!(
        json!([
            seen["name"],
            seen["role"],
            seen["focus"],
            seen["ended_at"],
            seen["outcome"]
        ]),
        json!(["Seven", "tester", "issue 12", null, null])
    );
    let record = sandbox.record("task-7");
    assert_eq!(
        json!([record["outcome"], record["end_reason"]]),
        json!(["completed", "exit:0"])
    );
    let events: Vec<Value> = sandbox
        .journal("task-7")
        .iter()
        .map(|line| json!([line["event"], line["ok"]]))
        .collect();
    assert_eq!(events, [json!(["RunStart", null]), json!(["RunEnd", true])]);
    // Gone on with, it keeps what is not said anew, and has no end until it ends.
    let seen = run(&sandbox, &["--resume", "task-7", "--role", "fixer"], script).json();
    assert_eq!(
        json!([
            seen["name"],
            seen["role"],
            seen["ended_at"],
            seen["exit_status"]
        ]),
        json!(["Seven", "fixer", null, null])
    );
    assert_eq!(seen["started_at"], record["started_at"]);
}

#[test]
fn the_commands_status_is_passed_on_and_recorded() {
    let sandbox = Sandbox::just_swept();
    for (number, (script, status, outcome, reason)) in [
        ("exit 0", 0, "completed", "exit:0"),
        ("exit 3", 3, "failed", "exit:3"),
        ("exit 255", 255, "failed", "exit:255"),
        ("kill -TERM $$", 143, "killed", "signal:15"),
        ("kill -KILL $$", 137, "killed", "signal:9"),
    ]
    .into_iter()
    .enumerate()
    {
        let id = format!("s-{number}");
        with_id(&sandbox, &id, script).expect(status, "", "");
        let record = sandbox.record(&id);
        assert_eq!(
            json!([
                record["outcome"],
                record["exit_status"],
                record["end_reason"]
            ]),
            json!([outcome, status, reason])
        );
    }
    for (command, status, why) in [
        ("/no/such/command", 127, "there is no such command"),
        ("/tmp", 126, "Permission denied (os error 13)"),
    ] {
        let run = sandbox.ccsession(["run", "--session-id", ID, "--", command]);
        let said = format!("ccsession: could not run `{command}`: {why}");
        assert_eq!(run.refused(status), said);
        let record = sandbox.record(ID);
        assert_eq!(
            json!([record["outcome"], record["exit_status"]]),
            json!(["failed", status])
        );
    }
    assert_put_back(&sandbox);
}

#[test]
fn what_cannot_be_meant_is_refused_and_nothing_is_run() {
    let sandbox = Sandbox::just_swept();
    for (options, status, why) in [
        (
            vec!["--session-id", "../x"],
            64,
            "could not use `../x` as a session id",
        ),
        (
            vec!["--session-id", "unknown"],
            64,
            "could not use `unknown` as a session id",
        ),
        (vec!["--resume", ID], 3, "could not resume session 5b48472b"),
        (
            vec!["--resume", ID, "--session-id", ID],
            64,
            "cannot be used with",
        ),
    ] {
        let said = run(&sandbox, &options, "echo run").refused(status);
        assert!(said.contains(why), "{said}");
    }
    sandbox.ccsession(["run"]).refused(64);
    sandbox.ccsession(["run", "--"]).refused(64);
    assert_eq!(leases(&sandbox), [""; 0]);
    assert!(!sandbox.state().join("sessions").exists());
}

#[test]
fn a_held_id_is_refused_naming_the_holder() {
    let sandbox = Sandbox::just_swept();
    let mut first = started(with_id(&sandbox, ID, "echo; exec sleep 60"));
    let said = with_id(&sandbox, ID, "echo run").refused(75);
    let holder = format!(
        "ccsession: could not run as session {ID}: process {} holds it, for `sh` since ",
        first.id()
    );
    assert!(said.starts_with(&holder), "{said}");
    with_id(&sandbox, OTHER, "echo run").expect(0, "run\n", "");
    kill(first.id(), rustix::process::Signal::TERM);
    assert_eq!(first.wait().unwrap().code(), Some(143));
    with_id(&sandbox, ID, "echo run").expect(0, "run\n", "");
    assert_eq!(
        counts(&sandbox),
        json!({"v": 1, "refused": 1, "taken_over": 0, "crashed": 0})
    );
    let doctor = text(&sandbox.ccsession(["doctor"]).output().stdout);
    assert!(
        doctor.contains("0 held; so far 1 refused, 0 left behind"),
        "{doctor}"
    );
    // One that cannot be understood is neither believed nor removed.
    let lease = sandbox.state().join("leases").join(ID);
    crate::cli::write_private(&lease, "{}");
    let said = with_id(&sandbox, ID, "echo run").refused(1);
    assert!(said.contains("could not read"), "{said}");
    let doctor = text(&sandbox.ccsession(["doctor"]).output().stdout);
    assert!(
        doctor.contains("until then its id cannot be run"),
        "{doctor}"
    );
    fs::remove_file(lease).unwrap();
    assert_put_back(&sandbox);
}

#[test]
fn a_killed_holders_id_is_its_commands_until_that_ends_and_then_taken_over() {
    let sandbox = Sandbox::just_swept();
    let pid_file = sandbox.path("pid");
    let script = format!("echo $$ > {}; echo; exec sleep 60", pid_file.display());
    let mut first = started(with_id(&sandbox, ID, &script));
    let lease = sandbox.state().join("leases").join(ID);
    wait_for(|| fs::read_to_string(&lease).unwrap().contains("\"child\":{"));
    kill(first.id(), rustix::process::Signal::KILL);
    assert_eq!(first.wait().unwrap().signal(), Some(9));
    with_id(&sandbox, ID, "echo run").refused(75);

    let command: u32 = fs::read_to_string(pid_file)
        .unwrap()
        .trim()
        .parse()
        .unwrap();
    kill(command, rustix::process::Signal::KILL);
    wait_for(|| with_id(&sandbox, ID, "true").output().status.success());
    let counts = counts(&sandbox);
    assert_eq!(
        json!([counts["taken_over"], counts["crashed"]]),
        json!([1, 1])
    );
    let log = json_lines(&sandbox.state().join("log.jsonl"));
    assert!(
        log.iter()
            .any(|line| line["what"] == "lease taken over" && line["holder"] == first.id())
    );
}

#[test]
fn what_a_killed_holder_leaves_is_cleaned_up() {
    let sandbox = Sandbox::just_swept();
    let mut first = started(with_id(&sandbox, ID, "echo; exec cat"));
    // The command ends when its stdin does: here that is /dev/null, so it has ended or will at once.
    kill(first.id(), rustix::process::Signal::KILL);
    first.wait().unwrap();
    wait_for(|| {
        sandbox.ccsession(["cleanup", "--quiet"]).silent();
        leases(&sandbox).is_empty()
    });
    assert_eq!(counts(&sandbox)["crashed"], 1);
    assert_eq!(
        sandbox.ccsession(["show", ID, "--json"]).json()["state"],
        "abandoned"
    );
}

#[test]
fn of_cleanups_at_once_one_counts_what_a_killed_holder_left() {
    let sandbox = Sandbox::just_swept();
    let mut killed = started(with_id(&sandbox, ID, "echo; exec sleep 60"));
    let path = sandbox.state().join("leases").join(ID);
    let mut lease: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    kill(killed.id(), rustix::process::Signal::KILL);
    killed.wait().unwrap();
    let command = u32::try_from(lease["child"]["pid"].as_u64().unwrap()).unwrap();
    kill(command, rustix::process::Signal::KILL);
    let left_behind = 20;
    for number in 0..left_behind {
        let id = format!("s-{number}");
        lease["session_id"] = json!(id);
        crate::cli::write_private(&path.with_file_name(&id), &lease.to_string());
    }
    fs::remove_file(path).unwrap();
    std::thread::scope(|scope| {
        for _cleanup in 0..8 {
            scope.spawn(|| sandbox.ccsession(["cleanup", "--quiet"]).silent());
        }
    });
    // The command may have taken a moment to die.
    wait_for(|| {
        sandbox.ccsession(["cleanup", "--quiet"]).silent();
        leases(&sandbox).is_empty()
    });
    assert_eq!(counts(&sandbox)["crashed"], left_behind);
}

#[test]
fn signals_are_passed_on_once() {
    use rustix::process::Signal;
    let sandbox = Sandbox::just_swept();
    for (signal, name) in [
        (Signal::HUP, "HUP"),
        (Signal::INT, "INT"),
        (Signal::QUIT, "QUIT"),
        (Signal::TERM, "TERM"),
        (Signal::USR1, "USR1"),
        (Signal::USR2, "USR2"),
    ] {
        let script = format!(
            "trap 'echo {name}' {name}; trap 'exit 7' ALRM; echo; while :; do sleep 0.01; done"
        );
        let mut child = started(with_id(&sandbox, ID, &script));
        kill(child.id(), signal);
        let mut said = [0; 32];
        let read = std::io::Read::read(child.stdout.as_mut().unwrap(), &mut said).unwrap();
        assert_eq!(text(&said[..read]), format!("{name}\n"));
        let lease = fs::read(sandbox.state().join("leases").join(ID)).unwrap();
        let lease: Value = serde_json::from_slice(&lease).unwrap();
        kill(
            u32::try_from(lease["child"]["pid"].as_u64().unwrap()).unwrap(),
            Signal::ALARM,
        );
        let ended = child.wait_with_output().unwrap();
        assert_eq!(
            (ended.status.code(), text(&ended.stdout)),
            (Some(7), String::new()),
            "{name}"
        );
    }
    assert_put_back(&sandbox);
}

#[test]
fn what_the_caller_ignores_the_command_ignores() {
    use rustix::process::Signal;
    let sandbox = Sandbox::just_swept();
    let script = format!(
        "trap '' HUP; exec {CCSESSION} run --session-id {ID} -- /bin/sh -c 'echo; sleep 0.3; echo lives'"
    );
    let child = started(sandbox.run("/bin/sh").arg("-c").arg(script));
    kill(child.id(), Signal::HUP);
    let lease = fs::read(sandbox.state().join("leases").join(ID)).unwrap();
    let lease: Value = serde_json::from_slice(&lease).unwrap();
    let command = u32::try_from(lease["child"]["pid"].as_u64().unwrap()).unwrap();
    kill(command, Signal::HUP);
    let ended = child.wait_with_output().unwrap();
    assert_eq!(
        (ended.status.code(), text(&ended.stdout)),
        (Some(0), "lives\n".to_owned())
    );
}

#[test]
fn a_command_whose_launcher_was_killed_is_told_its_own_session() {
    let sandbox = Sandbox::just_swept();
    let mut other = started(with_id(&sandbox, OTHER, "echo; exec sleep 60"));
    let answer = sandbox.path("answer");
    let script = format!(
        "echo; until [ -e {0}.go ]; do sleep 0.01; done
         {{ $CCSESSION current; env -u CCSESSION_ID $CCSESSION current; }} > {0}.new; mv {0}.new {0}; sleep 60",
        answer.display()
    );
    let mut killed = started(with_id(&sandbox, ID, &script));
    kill(killed.id(), rustix::process::Signal::KILL);
    killed.wait().unwrap();
    fs::write(answer.with_extension("go"), "").unwrap();
    wait_for(|| answer.exists());
    assert_eq!(
        fs::read_to_string(&answer).unwrap(),
        format!("{ID}\n{ID}\n")
    );
    let state = |id: &str| sandbox.ccsession(["show", id, "--json"]).json()["state"].clone();
    assert_eq!(state(ID), "active");
    let lease = fs::read(sandbox.state().join("leases").join(ID)).unwrap();
    let lease: Value = serde_json::from_slice(&lease).unwrap();
    let command = u32::try_from(lease["child"]["pid"].as_u64().unwrap()).unwrap();
    kill(command, rustix::process::Signal::KILL);
    kill(other.id(), rustix::process::Signal::TERM);
    other.wait().unwrap();
}

#[test]
fn a_caller_that_asks_nobody_how_its_children_end_changes_nothing() {
    let sandbox = Sandbox::just_swept();
    let script = "trap '' CHLD; exec $CCSESSION run --session-id $0 -- /bin/sh -c 'exit 5'";
    let run = sandbox.run("/bin/sh").arg("-c").arg(script).arg(ID);
    run.env("CCSESSION", CCSESSION).expect(5, "", "");
    assert_eq!(sandbox.record(ID)["exit_status"], 5);
    assert_put_back(&sandbox);
}

#[test]
fn where_nothing_could_be_run_everything_is_as_it_was() {
    let sandbox = Sandbox::just_swept();
    with_id(&sandbox, ID, "exit 3").expect(3, "", "");
    let before = sandbox.record(ID);
    // The index of processes cannot be written: what would tell the command its session is missing.
    let procs = sandbox.state().join("procs");
    fs::remove_dir(&procs).unwrap();
    crate::cli::write_private(&procs, "");
    for id in [ID, OTHER] {
        let refused = with_id(&sandbox, id, "echo run").output();
        assert_eq!(
            (refused.status.code(), text(&refused.stdout)),
            (Some(1), String::new())
        );
    }
    fs::remove_file(&procs).unwrap();
    assert_eq!(sandbox.record(ID), before);
    let record = sandbox.record(OTHER);
    assert_eq!(
        json!([record["outcome"], record["exit_status"]]),
        json!(["not started", null])
    );
    assert_put_back(&sandbox);
}

#[test]
fn a_pointer_that_cannot_be_moved_stops_nothing() {
    let sandbox = Sandbox::just_swept();
    fs::create_dir(sandbox.pointer("shop")).unwrap();
    let output = with_id(&sandbox, ID, "echo run").output();
    assert_eq!(
        (output.status.code(), text(&output.stdout)),
        (Some(0), "run\n".to_owned())
    );
    let said = text(&output.stderr);
    assert!(said.starts_with("ccsession: could not"), "{said}");
    assert_eq!(sandbox.record(ID)["outcome"], "completed");
}

#[test]
fn a_session_that_was_left_by_a_clear_is_live_while_it_is_run() {
    let sandbox = Sandbox::just_swept();
    for (name, more) in [
        ("SessionStart", json!({"source": "startup"})),
        ("SessionEnd", json!({"reason": "clear"})),
    ] {
        sandbox.hook(&event(name, ID, more)).silent();
    }
    let script = "$CCSESSION current; $CCSESSION list --state active | wc -l";
    let said = run(&sandbox, &["--resume", ID], script).stdout();
    assert_eq!(said.split_whitespace().collect::<Vec<_>>(), [ID, "2"]);
    assert_put_back(&sandbox);
}

#[test]
fn a_signal_in_the_first_moments_leaves_nothing_behind() {
    let sandbox = Sandbox::just_swept();
    sandbox.ccsession(["store", OTHER]).silent();
    let pointer = fs::read(sandbox.pointer("shop")).unwrap();
    let (rounds, step) = if is_torture() { (300, 100) } else { (40, 600) };
    for round in 0..rounds {
        let mut run = with_id(&sandbox, &format!("s-{round}"), "sleep 60");
        let mut child = run.command.stdin(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_micros(round * step));
        kill(child.id(), rustix::process::Signal::TERM);
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
fn a_signal_while_the_handlers_are_set_up_is_heard() {
    if !crate::faults::can_inject() {
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
    wait_for(is_being_set);
    let children = format!("/proc/{0}/task/{0}/children", strace.id());
    let launcher = fs::read_to_string(children).unwrap();
    kill(
        launcher.trim().parse().unwrap(),
        rustix::process::Signal::TERM,
    );
    let sent = Instant::now();
    assert_eq!(strace.wait().unwrap().code(), Some(143));
    assert!(sent.elapsed() < Duration::from_secs(30));
    assert_put_back(&sandbox);
}

#[test]
fn of_runs_that_overlap_the_last_one_restores_what_was_before_the_first() {
    let sandbox = Sandbox::just_swept();
    sandbox.ccsession(["store", "s-before"]).silent();
    let before = fs::read(sandbox.pointer("shop")).unwrap();
    let pointed = || {
        text(&fs::read(sandbox.pointer("shop")).unwrap())
            .lines()
            .next()
            .unwrap()
            .to_owned()
    };
    let mut first = started(with_id(&sandbox, ID, "echo; exec sleep 60"));
    let mut second = started(with_id(&sandbox, OTHER, "echo; exec sleep 60"));
    assert_eq!(pointed(), OTHER);
    kill(first.id(), rustix::process::Signal::TERM);
    first.wait().unwrap();
    assert_eq!(pointed(), OTHER);
    kill(second.id(), rustix::process::Signal::TERM);
    second.wait().unwrap();
    assert_eq!(fs::read(sandbox.pointer("shop")).unwrap(), before);
    // One that is killed has it restored by the cleanup.
    let mut killed = started(with_id(&sandbox, ID, "echo; exec cat"));
    kill(killed.id(), rustix::process::Signal::KILL);
    killed.wait().unwrap();
    wait_for(|| {
        sandbox.ccsession(["cleanup", "--quiet"]).silent();
        leases(&sandbox).is_empty()
    });
    assert_eq!(fs::read(sandbox.pointer("shop")).unwrap(), before);
}

#[test]
fn a_command_within_a_live_session_does_not_end_it() {
    let sandbox = Sandbox::just_swept();
    let start = event("SessionStart", ID, json!({"source": "startup"}));
    sandbox
        .hook(&start)
        .env("CLAUDE_PID", crate::support::as_client())
        .silent();
    with_id(&sandbox, ID, "exit 9").expect(9, "", "");
    let record = sandbox.record(ID);
    assert_eq!(
        json!([record["ended_at"], record["outcome"]]),
        json!([null, null])
    );
    assert_eq!(
        sandbox.ccsession(["show", ID, "--json"]).json()["state"],
        "active"
    );
}

#[test]
fn the_project_is_where_the_command_runs() {
    let sandbox = Sandbox::just_swept();
    let elsewhere = sandbox.path("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    with_id(&sandbox, ID, "true")
        .env("CLAUDE_PROJECT_DIR", elsewhere)
        .silent();
    assert_eq!(sandbox.record(ID)["project"]["name"], "shop");
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

#[test]
fn the_pointer_says_afterwards_what_it_said_before() {
    let sandbox = Sandbox::just_swept();
    let pointer = sandbox.pointer("shop");
    let show = "cat $CCSESSION_POINTER_DIR/claude_session_shop; rm -rf gone";
    // Before there was none.
    let within = with_id(&sandbox, ID, show).stdout();
    assert_eq!(within.lines().next(), Some(ID));
    assert!(!pointer.exists());
    // Before it named a live session, of a client elsewhere: it does again, and is no fresher than it was.
    let start = event("SessionStart", "s-1", json!({"source": "startup"}));
    sandbox.hook(&start).silent();
    let before = fs::read(&pointer).unwrap();
    let within = with_id(&sandbox, ID, show).stdout();
    assert_eq!(within.lines().next(), Some(ID));
    assert_eq!(fs::read(&pointer).unwrap(), before);
    // It ended meanwhile: then there is none.
    let end = event("SessionEnd", "s-1", json!({"reason": "other"}));
    fs::write(sandbox.path("end.json"), end.to_string()).unwrap();
    let script = format!(
        "{} < {}",
        crate::support::SESSION_EVENT,
        sandbox.path("end.json").display()
    );
    with_id(&sandbox, ID, &script).silent();
    assert_eq!(
        sandbox.ccsession(["show", "s-1", "--json"]).json()["state"],
        "ended"
    );
    assert!(!pointer.exists());
    // Another session has become current meanwhile: it stays.
    with_id(&sandbox, ID, "$CCSESSION store s-2").silent();
    assert_eq!(
        text(&fs::read(&pointer).unwrap()).lines().next(),
        Some("s-2")
    );
}

#[test]
fn a_nested_run_restores_the_outer_one_and_names_it_as_parent() {
    let sandbox = Sandbox::just_swept();
    let script = format!(
        "$CCSESSION current
         $CCSESSION run --session-id {OTHER} -- /bin/sh -c '$CCSESSION current; cat $CCSESSION_POINTER_DIR/claude_session_shop | head -n 1'
         $CCSESSION current; echo $CCSESSION_ID
         env -u CCSESSION_ID $CCSESSION current"
    );
    let said = with_id(&sandbox, ID, &script).stdout();
    assert_eq!(
        said.lines().collect::<Vec<_>>(),
        [ID, OTHER, ID, ID, ID, ID]
    );
    assert_eq!(sandbox.record(OTHER)["parent"], ID);
    assert_put_back(&sandbox);
}

#[test]
fn a_run_in_another_project_than_its_parents_is_current_there() {
    let sandbox = Sandbox::just_swept();
    let elsewhere = sandbox.path("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    let script = format!(
        "cd {}
         $CCSESSION run --session-id {OTHER} -- /bin/sh -c 'cd $CCSESSION_POINTER_DIR; head -qn 1 claude_session_*'",
        elsewhere.display()
    );
    let said = with_id(&sandbox, ID, &script).stdout();
    assert_eq!(said.lines().collect::<Vec<_>>(), [OTHER, ID]);
    assert_eq!(sandbox.record(OTHER)["parent"], ID);
    assert_put_back(&sandbox);
}

#[test]
fn nothing_of_the_callers_identity_reaches_the_command() {
    let sandbox = Sandbox::just_swept();
    let run = run(&sandbox, &["--session-id", ID], "env")
        .env("CLAUDE_CODE_SESSION_ID", OTHER)
        .env("CLAUDECODE", "1")
        .env("CLAUDE_PID", "1")
        .env("CLAUDE_CODE_ENTRYPOINT", "cli")
        .env("CLAUDE_ENV_FILE", "/dev/null")
        .env("ANTHROPIC_MODEL", "kept");
    let said = run.stdout();
    assert!(!said.contains("CLAUDE"), "{said}");
    assert!(
        said.contains(&format!("CCSESSION_ID={ID}\n")) && said.contains("ANTHROPIC_MODEL=kept\n")
    );
    assert_eq!(sandbox.record(ID)["parent"], OTHER);
}

/// A client that treats ids as Claude Code does: a transcript makes an id used.
const CLIENT: &str = r#"#!/bin/sh
transcript=$HOME/.claude/projects/shop/$2.jsonl
case $1 in
    --session-id) [ ! -e "$transcript" ] || { echo "Error: Session ID $2 is already in use." >&2; exit 1; } ;;
    --resume) [ -e "$transcript" ] || { echo "No conversation found with session ID: $2" >&2; exit 1; } ;;
    *) echo "no id: $*"; exit 0 ;;
esac
mkdir -p "$HOME/.claude/projects/shop"
[ "$3" = unsaid ] || echo line >> "$transcript"
echo "$*"
[ "$3" != crash ] || kill -9 $$
"#;

#[test]
fn the_client_is_told_its_id_in_the_way_that_it_takes() {
    let sandbox = Sandbox::just_swept();
    let client = sandbox.path("bin/claude");
    fs::create_dir(sandbox.path("bin")).unwrap();
    fs::write(&client, CLIENT).unwrap();
    fs::set_permissions(&client, fs::Permissions::from_mode(0o755)).unwrap();
    let claude = |options: &[&str], arguments: &[&str]| {
        let mut run = sandbox.ccsession(["run"].iter().chain(options));
        run.command.arg("--").arg(&client).args(arguments);
        run
    };
    let fresh = format!("--session-id {ID} hello\n");
    let resumed = format!("--resume {ID} hello\n");
    // It ended before it wrote anything; so the id is still a new one to it.
    claude(&["--session-id", ID], &["unsaid"]).expect(
        0,
        &format!("--session-id {ID} unsaid\n"),
        "",
    );
    claude(&["--resume", ID], &["hello"]).expect(0, &fresh, "");
    claude(&["--session-id", ID], &["hello"]).expect(0, &resumed, "");
    claude(&["--resume", ID], &["hello"]).expect(0, &resumed, "");
    // After a crash, too, and of an id that only the client has ever heard of.
    claude(&["--session-id", OTHER], &["crash"]).expect(
        137,
        &format!("--session-id {OTHER} crash\n"),
        "",
    );
    claude(&["--session-id", OTHER], &["hello"]).expect(
        0,
        &format!("--resume {OTHER} hello\n"),
        "",
    );
    let foreign = "7d6a694d-1111-4222-8333-444455556666";
    fs::write(
        sandbox
            .home()
            .join(format!(".claude/projects/shop/{foreign}.jsonl")),
        "x\n",
    )
    .unwrap();
    claude(&["--resume", foreign], &["hello"]).expect(
        0,
        &format!("--resume {foreign} hello\n"),
        "",
    );
    // Its verbs start no session.
    claude(&[], &["mcp", "list"]).expect(0, "no id: mcp list\n", "");
    for (options, arguments, why) in [
        (
            &["--session-id", "s-1"][..],
            &["hello"][..],
            "it takes only UUIDs",
        ),
        (
            &[],
            &["-p", "--resume", ID],
            "the command has its own `--resume`",
        ),
        (&[], &["--continue"], "the command has its own `--continue`"),
    ] {
        let said = claude(options, arguments).refused(64);
        assert!(said.contains(why), "{said}");
    }
    assert_put_back(&sandbox);
}

#[test]
fn a_session_that_is_live_in_a_client_is_not_started_in_a_second_one() {
    let sandbox = Sandbox::just_swept();
    let start = event("SessionStart", ID, json!({"source": "startup"}));
    sandbox
        .hook(&start)
        .env("CLAUDE_PID", crate::support::as_client())
        .silent();
    let said = sandbox
        .ccsession(["run", "--session-id", ID, "--", "claude"])
        .refused(75);
    let pid = std::process::id();
    assert!(
        said.contains(&format!("it is live in process {pid}")),
        "{said}"
    );
    assert_eq!(leases(&sandbox), [""; 0]);
    // Any other command may be run as part of it.
    with_id(&sandbox, ID, "echo run").expect(0, "run\n", "");
    assert_eq!(
        sandbox.ccsession(["show", ID, "--json"]).json()["state"],
        "active"
    );
}

#[test]
fn a_shell_that_becomes_a_client_is_a_client() {
    let sandbox = Sandbox::just_swept();
    let start = event("SessionStart", ID, json!({"source": "startup"})).to_string();
    // The shell is the command of the run; what its hook names as the client is this very process.
    let script = format!(
        "CLAUDE_PID=$$; export CLAUDE_PID; printf %s '{start}' | {SESSION_START}; cat {}/sessions/{ID}/owners/$$-*",
        sandbox.state().display()
    );
    let owner: Value = with_id(&sandbox, ID, &script).json();
    assert_eq!(owner.get("launcher"), None);
    assert_put_back(&sandbox);
}

/// Holds the id, and notices if another does at the same time.
const HOLD: &str = r#"
mkdir "$HOLDS/$CCSESSION_ID" || echo "$CCSESSION_ID" >> "$HOLDS/clashes"
sleep 0.02
rmdir "$HOLDS/$CCSESSION_ID"
"#;

#[test]
fn of_many_runs_at_once_each_id_is_held_by_one() {
    let (runs, ids) = if is_torture() { (200, 20) } else { (40, 4) };
    let sandbox = Sandbox::just_swept();
    let holds = sandbox.path("holds");
    fs::create_dir(&holds).unwrap();
    let statuses: Vec<Option<i32>> = std::thread::scope(|scope| {
        let run = |number: usize| {
            let id = format!("s-{}", number % ids);
            with_id(&sandbox, &id, HOLD)
                .env("HOLDS", &holds)
                .output()
                .status
                .code()
        };
        let threads: Vec<_> = (0..runs)
            .map(|number| scope.spawn(move || run(number)))
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    let (done, refused) = (
        statuses.iter().filter(|status| **status == Some(0)).count(),
        statuses
            .iter()
            .filter(|status| **status == Some(75))
            .count(),
    );
    assert_eq!(done + refused, runs, "{statuses:?}");
    assert!(done >= ids, "{done}");
    assert!(!holds.join("clashes").exists());
    assert_eq!(counts(&sandbox)["refused"], refused);
    println!("{runs} runs of {ids} ids: {done} held, {refused} refused");
    assert_put_back(&sandbox);
}

#[test]
fn no_lease_is_left_behind_by_holders_that_are_killed() {
    let (runs, ids) = if is_torture() { (200, 20) } else { (24, 4) };
    let sandbox = Sandbox::just_swept();
    let holds = sandbox.path("holds");
    fs::create_dir(&holds).unwrap();
    std::thread::scope(|scope| {
        for number in 0..runs {
            let (sandbox, holds) = (&sandbox, &holds);
            scope.spawn(move || {
                let id = format!("s-{}", number % ids);
                let mut run = with_id(sandbox, &id, HOLD).env("HOLDS", holds);
                let mut child = run
                    .command
                    .stdin(Stdio::null())
                    .stderr(Stdio::null())
                    .spawn()
                    .unwrap();
                // Some before the command is there, some while it runs, some not at all.
                std::thread::sleep(Duration::from_millis(
                    u64::try_from(number % 7).unwrap() * 4,
                ));
                if number % 3 != 0 {
                    let _ = child.kill();
                }
                child.wait().unwrap();
            });
        }
    });
    assert!(!holds.join("clashes").exists());
    wait_for(|| {
        sandbox.ccsession(["cleanup", "--quiet"]).silent();
        leases(&sandbox).is_empty()
    });
    // And every id can be had again.
    for number in 0..ids {
        with_id(&sandbox, &format!("s-{number}"), "true").silent();
    }
    std::io::stdout().flush().unwrap();
}
