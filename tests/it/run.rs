//! `ccsession run`: a command as a session, one holder of an id at a time, and everything put back afterwards.

mod client;
mod holding;
mod pointer;
mod signals;

use std::fs;
use std::io::Read;
use std::path::PathBuf;
use std::process::{Child, Stdio};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::{
    CCSESSION, ID, PATIENCE, Run, Sandbox, copy_program, text, wait_until, write_program,
};

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
    assert_eq!(said_by(&mut child, &mut [0]), 1);
    child
}

/// Reads what the child says next, and fails where it says nothing within [`PATIENCE`].
#[track_caller]
fn said_by(child: &mut Child, bytes: &mut [u8]) -> usize {
    let stdout = child.stdout.as_mut().unwrap();
    let mut polled = [PollFd::new(stdout, PollFlags::IN)];
    let patience = Timespec::try_from(PATIENCE).unwrap();
    if poll(&mut polled, Some(&patience)).unwrap() == 0 {
        let _ = child.kill();
        panic!("it says nothing");
    }
    child.stdout.as_mut().unwrap().read(bytes).unwrap()
}

fn kill(pid: u32, signal: Signal) {
    let pid = rustix::process::Pid::from_raw(pid.try_into().unwrap()).unwrap();
    rustix::process::kill_process(pid, signal).unwrap();
}

fn lease_path(sandbox: &Sandbox, id: &str) -> PathBuf {
    sandbox.state().join("leases").join(id)
}

fn lease(sandbox: &Sandbox, id: &str) -> Value {
    serde_json::from_slice(&fs::read(lease_path(sandbox, id)).unwrap()).unwrap()
}

/// The process of the command that a lease is held for.
fn command_in(lease: &Value) -> u32 {
    lease["child"]["pid"].as_u64().unwrap().try_into().unwrap()
}

/// The leases that are there. What a process leaves behind that is killed while it writes one is none.
fn leases(sandbox: &Sandbox) -> Vec<String> {
    let files = sandbox.files().into_iter();
    let is_lease = |file: &String| {
        let name = file.strip_prefix("state/leases/");
        name.is_some_and(|name| !name.starts_with(".ccsession-tmp-"))
    };
    files.filter(is_lease).collect()
}

fn counts(sandbox: &Sandbox) -> Value {
    let bytes = fs::read(sandbox.state().join("lease-counts.json")).unwrap();
    serde_json::from_slice(&bytes).unwrap()
}

/// Cleans up until nobody holds an id: a process that was killed may take a moment to die.
#[track_caller]
fn clean_up(sandbox: &Sandbox) {
    wait_until(|| {
        sandbox.ccsession(["cleanup", "--quiet"]).silent();
        leases(sandbox).is_empty()
    });
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
fn consecutive_runs_have_their_own_ids_and_leave_nothing_set() {
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
    for (id, command, status, why) in [
        (ID, "/no/such/command", 127, "there is no such command"),
        (OTHER, "/tmp", 126, "Permission denied"),
    ] {
        let run = sandbox.ccsession(["run", "--session-id", id, "--", command]);
        let said = format!("ccsession: could not run `{command}`: {why}");
        assert_eq!(run.refused(status), said);
        let record = sandbox.record(id);
        assert_eq!(
            json!([record["outcome"], record["exit_status"]]),
            json!(["failed", status])
        );
    }
    assert_put_back(&sandbox);
}

/// All that is on record of a session.
fn on_record(sandbox: &Sandbox, id: &str) -> (Value, Vec<Value>, Value) {
    let listed = sandbox.ccsession(["list", "--all", "--json"]).json();
    (sandbox.record(id), sandbox.journal(id), listed)
}

#[test]
fn a_command_that_cannot_start_leaves_a_session_as_it_was() {
    let sandbox = Sandbox::just_swept();
    with_id(&sandbox, ID, "exit 3").expect(3, "", "");
    let plain = sandbox.path("plain");
    fs::write(&plain, "no program").unwrap();
    let before = on_record(&sandbox, ID);
    for (command, status) in [
        ("/no/such/command", 127),
        ("no-such-command", 127),
        ("/tmp", 126),
        (plain.to_str().unwrap(), 126),
    ] {
        for option in ["--session-id", "--resume"] {
            sandbox
                .ccsession(["run", option, ID, "--", command])
                .refused(status);
            assert_eq!(on_record(&sandbox, ID), before, "{command}");
        }
    }
    assert_put_back(&sandbox);
}

/// What only the system finds out: the program exists and may be executed.
#[test]
fn a_command_that_the_system_does_not_start_leaves_a_session_as_it_was() {
    let sandbox = Sandbox::just_swept();
    let run = |more: &[&str], command: &str| {
        let arguments = [&["run", "--session-id", ID][..], more, &["--", command]].concat();
        sandbox.ccsession(arguments)
    };
    run(&["--name", "first", "--role", "r1"], "false").expect(1, "", "");
    let script = sandbox.path("script");
    write_program(&script, "#!/no/such/interpreter -x\n");
    let busy = sandbox.path("busy");
    copy_program("/bin/true", &busy);
    let held = fs::File::options().append(true).open(&busy).unwrap();
    let before = sandbox.record(ID);
    for (command, why) in [
        (
            &script,
            "its interpreter `/no/such/interpreter` does not exist",
        ),
        (&busy, "Text file busy"),
    ] {
        let command = command.to_str().unwrap();
        let said = run(&["--name", "other", "--role", "other"], command).refused(126);
        assert!(said.contains(why), "{said}");
        assert_eq!(sandbox.record(ID), before, "{command}");
        let reason = sandbox.journal(ID).last().unwrap()["reason"].clone();
        assert_eq!(reason, "not started", "{command}");
    }
    drop(held);
    // Of a new session, the attempt is recorded.
    let script = script.to_str().unwrap();
    let run = sandbox.ccsession(["run", "--session-id", OTHER, "--", script]);
    run.refused(126);
    assert_eq!(sandbox.record(OTHER)["exit_status"], 126);
    assert_put_back(&sandbox);
}

/// Where the system starts no more processes.
#[test]
fn if_no_process_can_be_started_an_ended_session_stays_ended() {
    let sandbox = Sandbox::just_swept();
    if !can_limit_processes(&sandbox) {
        println!("skipped: no prlimit, or its limit does not bind this user");
        return;
    }
    with_id(&sandbox, ID, "exit 3").expect(3, "", "");
    let before = on_record(&sandbox, ID);
    for id in [ID, OTHER] {
        let mut run = sandbox.run("prlimit");
        run.command.args([
            "--nproc=1",
            CCSESSION,
            "run",
            "--session-id",
            id,
            "--",
            "true",
        ]);
        let said = run.refused(1);
        assert!(said.contains("could not run the command"), "{said}");
    }
    assert_eq!(on_record(&sandbox, ID), before);
    assert!(!sandbox.session(OTHER).exists());
    assert_put_back(&sandbox);
}

fn can_limit_processes(sandbox: &Sandbox) -> bool {
    let mut trial = sandbox.run("prlimit");
    trial
        .command
        .args(["--nproc=1", "sh", "-c", "(:) && (:)"])
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    trial.command.status().is_ok_and(|status| !status.success())
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
fn where_nothing_could_be_run_everything_is_as_it_was() {
    let sandbox = Sandbox::just_swept();
    with_id(&sandbox, ID, "exit 3").expect(3, "", "");
    let before = sandbox.record(ID);
    // The index of processes cannot be written: what would tell the command its session is missing.
    let procs = sandbox.state().join("procs");
    fs::remove_dir(&procs).unwrap();
    crate::support::files::write_private(&procs, "");
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
fn the_project_is_where_the_command_runs() {
    let sandbox = Sandbox::just_swept();
    let elsewhere = sandbox.path("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    with_id(&sandbox, ID, "true")
        .env("CLAUDE_PROJECT_DIR", elsewhere)
        .silent();
    assert_eq!(sandbox.record(ID)["project"]["name"], "shop");
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
