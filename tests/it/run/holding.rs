//! One holder of an id at a time. After a holder is killed, the id stays with its command; once that ends, anybody may take it.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};

use super::{
    OTHER, assert_put_back, clean_up, command_in, counts, kill, lease, lease_path, started, with_id,
};
use crate::support::torture::is_torture;
use crate::support::{ID, Sandbox, json_lines, text, wait_until};

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
    kill(first.id(), Signal::TERM);
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
    let lease = lease_path(&sandbox, ID);
    crate::support::files::write_private(&lease, "{}");
    let said = with_id(&sandbox, ID, "echo run").refused(1);
    assert!(said.contains("could not read"), "{said}");
    let doctor = text(&sandbox.ccsession(["doctor"]).output().stdout);
    assert!(
        doctor.contains("until then `ccsession run` cannot use the session's id"),
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
    let lease = lease_path(&sandbox, ID);
    wait_until(|| fs::read_to_string(&lease).unwrap().contains("\"child\":{"));
    kill(first.id(), Signal::KILL);
    assert_eq!(first.wait().unwrap().signal(), Some(9));
    with_id(&sandbox, ID, "echo run").refused(75);

    let command: u32 = fs::read_to_string(pid_file)
        .unwrap()
        .trim()
        .parse()
        .unwrap();
    kill(command, Signal::KILL);
    wait_until(|| with_id(&sandbox, ID, "true").output().status.success());
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
fn a_command_whose_launcher_was_killed_keeps_its_session() {
    let sandbox = Sandbox::just_swept();
    let mut other = started(with_id(&sandbox, OTHER, "echo; exec sleep 60"));
    let answer = sandbox.path("answer");
    let script = format!(
        "echo; until [ -e {0}.go ]; do sleep 0.01; done
         {{ $CCSESSION current; env -u CCSESSION_ID $CCSESSION current; }} > {0}.new; mv {0}.new {0}; exec sleep 60",
        answer.display()
    );
    let mut killed = started(with_id(&sandbox, ID, &script));
    kill(killed.id(), Signal::KILL);
    killed.wait().unwrap();
    fs::write(answer.with_extension("go"), "").unwrap();
    wait_until(|| answer.exists());
    assert_eq!(
        fs::read_to_string(&answer).unwrap(),
        format!("{ID}\n{ID}\n")
    );
    let state = |id: &str| sandbox.ccsession(["show", id, "--json"]).json()["state"].clone();
    assert_eq!(state(ID), "active");
    kill(command_in(&lease(&sandbox, ID)), Signal::KILL);
    kill(other.id(), Signal::TERM);
    other.wait().unwrap();
}

#[test]
fn what_a_killed_holder_leaves_is_cleaned_up() {
    let sandbox = Sandbox::just_swept();
    let go = sandbox.path("go");
    let script = format!("echo; until [ -e {} ]; do sleep 0.01; done", go.display());
    let mut first = started(with_id(&sandbox, ID, &script));
    kill(first.id(), Signal::KILL);
    first.wait().unwrap();
    fs::write(go, "").unwrap();
    clean_up(&sandbox);
    assert_eq!(counts(&sandbox)["crashed"], 1);
    let shown = sandbox.ccsession(["show", ID, "--json"]).json();
    assert_eq!(shown["state"], "abandoned", "{shown}");
}

/// It has said that its command ended, and left the session, and not noted the end in the record yet.
#[test]
fn a_launcher_that_was_killed_after_its_command_leaves_a_session_that_has_ended() {
    let sandbox = Sandbox::just_swept();
    with_id(&sandbox, ID, "exit 3").output();
    let ended = sandbox.record(ID);
    assert_eq!(ended["end_reason"], "exit:3");
    let mut record = ended.clone();
    for name in ["ended_at", "end_reason", "outcome", "exit_status"] {
        record[name] = Value::Null;
    }
    let path = sandbox.session(ID).join("session.json");
    crate::support::files::write_private(&path, &record.to_string());
    let state = || sandbox.ccsession(["show", ID, "--json"]).json()["state"].clone();
    assert_eq!(state(), "ended");
    sandbox.ccsession(["clock-out", ID]).output();
    assert_eq!(sandbox.record(ID)["end_reason"], ended["end_reason"]);
    assert_eq!(sandbox.record(ID)["ended_at"], ended["ended_at"]);
    assert_eq!(state(), "ended");
}

#[test]
fn of_concurrent_cleanups_one_counts_what_a_killed_holder_left() {
    let sandbox = Sandbox::just_swept();
    let mut killed = started(with_id(&sandbox, ID, "echo; exec sleep 60"));
    let mut lease = lease(&sandbox, ID);
    kill(killed.id(), Signal::KILL);
    killed.wait().unwrap();
    kill(command_in(&lease), Signal::KILL);
    let left_behind = 20;
    for number in 0..left_behind {
        let id = format!("s-{number}");
        lease["session_id"] = json!(id);
        crate::support::files::write_private(&lease_path(&sandbox, &id), &lease.to_string());
    }
    fs::remove_file(lease_path(&sandbox, ID)).unwrap();
    std::thread::scope(|scope| {
        for _cleanup in 0..8 {
            scope.spawn(|| sandbox.ccsession(["cleanup", "--quiet"]).silent());
        }
    });
    clean_up(&sandbox);
    assert_eq!(counts(&sandbox)["crashed"], left_behind);
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
    clean_up(&sandbox);
    // And every id can be had again.
    for number in 0..ids {
        with_id(&sandbox, &format!("s-{number}"), "true").silent();
    }
}
