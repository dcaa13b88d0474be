//! Owners that died and whose pids are reused, and owners that cannot be seen. These tests run in separate pid namespaces, and
//! are skipped where those are not allowed.

use std::path::Path;
use std::time::Duration;

use serde_json::{Deserializer, Value, json};

use super::{Call, Client, answer, check, check_state, current_in, outside, repository};
use crate::support::namespaces::with_own_pids;
use crate::support::states::age;
use crate::support::{
    CCSESSION, PRE_TOOL_USE, Run, SESSION_EVENT, SESSION_START, Sandbox, event, json_lines,
};

fn run_with_own_pids(sandbox: &Sandbox, words: &[&str]) -> Option<Run> {
    let mut run = sandbox.run("unshare");
    run.command.args(with_own_pids(words)?);
    Some(run)
}

/// A client starts the session `old`, is killed, and another process is given its pid.
const REUSE: &str = r#"
put() { printf '%s' "$2" >"$1.json"; }
put old "$OLD"; put new "$NEW"; put stop "$STOP"; put call "$CALL"
sh -c 'cut -d" " -f22 "/proc/$$/stat" >start
    echo $$
    CLAUDE_PID=$$ "$START" <old.json
    "$CCSESSION" current --json
    kill -9 $$' &
old=$!
wait $old 2>/dev/null || :
# What started in one tick of the clock with one pid would be one process.
until [ "$(cut -d' ' -f22 /proc/self/stat)" -gt "$(cat start)" ]; do :; done
echo $((old - 1)) >/proc/sys/kernel/ns_last_pid
sh -c 'echo $$
    "$CCSESSION" current --json
    CLAUDE_CODE_SESSION_ID=old "$CCSESSION" current --json
    CCSESSION_ID=old sh -c "\"\$CCSESSION\" current --json; exit"
    "$EVENT" <stop.json
    CLAUDE_PID=$$ "$EVENT" <stop.json
    CLAUDE_CODE_SESSION_ID=old CLAUDE_PID=$$ "$PRE" <call.json
    "$CCSESSION" list --all --json
    CLAUDE_PID=$$ "$START" <new.json
    "$CCSESSION" current --json
    CLAUDE_CODE_SESSION_ID=old "$CCSESSION" current --json
    "$EVENT" <stop.json
    "$CCSESSION" list --all --json
    :'
exit
"#;

#[test]
fn a_reused_pid_does_not_belong_to_its_last_owner() {
    let sandbox = Sandbox::just_swept();
    let Some(run) = run_with_own_pids(&sandbox, &["sh", "-ec", REUSE]) else {
        return;
    };
    let start = |id, source| event("SessionStart", id, json!({"source": source})).to_string();
    let said = run
        .env("OLD", start("old", "startup"))
        .env("NEW", start("new", "clear"))
        .env("STOP", json!({"hook_event_name": "Stop"}).to_string())
        .env(
            "CALL",
            json!({"hook_event_name": "PreToolUse", "tool_name": "Bash"}).to_string(),
        )
        .env("START", SESSION_START)
        .env("EVENT", SESSION_EVENT)
        .env("PRE", PRE_TOOL_USE)
        .env("CCSESSION", CCSESSION)
        .stdout();
    let said: Vec<Value> = Deserializer::from_str(&said)
        .into_iter()
        .map(Result::unwrap)
        .collect();
    let [
        old_pid,
        alive,
        new_pid,
        unasked,
        by_variable,
        by_ours,
        list,
        now,
        now_by_variable,
        last,
    ] = &said[..]
    else {
        panic!("{said:#?}")
    };
    assert!(old_pid.is_u64());
    assert_eq!(old_pid, new_pid, "the pid was not used again");
    check(alive, Some("old"), "process", "exact");
    for answer in [unasked, by_variable, by_ours] {
        check(answer, None, "unknown", "none");
    }
    for answer in [now, now_by_variable] {
        check(answer, Some("new"), "process", "exact");
    }
    let states = |list: &Value| -> Vec<String> {
        let sessions = list["sessions"].as_array().unwrap().iter();
        let mut states: Vec<String> = sessions
            .map(|session| {
                format!("{} {}", session["session_id"], session["state"]).replace('"', "")
            })
            .collect();
        states.sort();
        states
    };
    assert_eq!(states(list), ["old abandoned"]);
    assert_eq!(states(last), ["new active", "old abandoned"]);

    assert_eq!(sandbox.journal("old").len(), 1);
    let new = sandbox.journal("new");
    assert_eq!((new.len(), &new[1]["rung"]), (2, &json!("process")));
    assert_eq!(
        json_lines(&sandbox.state().join("unattributed.jsonl")).len(),
        3
    );
    let record = sandbox.record("new");
    assert_eq!(
        (&record["previous"], &record["parent"]),
        (&json!(null), &json!(null))
    );
}

/// A client in a pid namespace of its own.
fn unseen_client(sandbox: &Sandbox) -> Option<Client> {
    let run = run_with_own_pids(sandbox, &["sh"])?;
    Some(Client::from_run(sandbox, run))
}

const STOP: &str = r#"{"hook_event_name": "Stop"}"#;

fn stop(dir: &Path) -> Call {
    Call::hook(&serde_json::from_str(STOP).unwrap(), dir)
}

#[test]
fn an_owner_in_another_pid_namespace_is_not_dead_while_something_happens() {
    let sandbox = Sandbox::just_swept();
    let project = repository(&sandbox.project());
    let Some(mut inside) = unseen_client(&sandbox) else {
        return;
    };
    inside.begin("inside", "startup", &project);
    check(
        &inside.current_in(&project),
        Some("inside"),
        "process",
        "exact",
    );
    check_state(&sandbox, "inside", "active");
    check(
        &current_in(&sandbox, &project),
        Some("inside"),
        "project",
        "exact",
    );
    let by_variable = Call::current(&[], &project).env("CLAUDE_CODE_SESSION_ID", "inside");
    check(
        &answer(&outside(&sandbox, &by_variable)),
        Some("inside"),
        "environment",
        "exact",
    );

    let mut other = Client::in_session(&sandbox, "other", &project);
    check(
        &current_in(&sandbox, &project),
        None,
        "project",
        "ambiguous",
    );
    check(
        &inside.current_in(&project),
        Some("inside"),
        "process",
        "exact",
    );
    check(
        &other.current_in(&project),
        Some("other"),
        "process",
        "exact",
    );

    age(&sandbox, "inside", 59 * 60);
    check_state(&sandbox, "inside", "active");
    age(&sandbox, "inside", 61 * 60);
    check_state(&sandbox, "inside", "abandoned");
    check(
        &current_in(&sandbox, &project),
        Some("other"),
        "project",
        "exact",
    );
    // Whoever can see it knows better.
    let list = Call {
        arguments: ["list", "--all", "--json"].map(str::to_owned).to_vec(),
        ..Call::new(CCSESSION, &project)
    };
    let list = answer(&inside.run(&list));
    let of_inside = list["sessions"]
        .as_array()
        .unwrap()
        .iter()
        .find(|session| session["session_id"] == "inside");
    assert_eq!(of_inside.unwrap()["state"], "idle");

    // An event by its process, and it is live again for everybody.
    assert_eq!(inside.run(&stop(&project)), "");
    assert_eq!(sandbox.journal("inside")[1]["rung"], "process");
    check_state(&sandbox, "inside", "active");
    check(
        &current_in(&sandbox, &project),
        None,
        "project",
        "ambiguous",
    );

    inside.end("inside", "other", &project);
    check_state(&sandbox, "inside", "ended");
    check(
        &current_in(&sandbox, &project),
        Some("other"),
        "project",
        "exact",
    );
}

/// A session that a cleanup took off the live ones goes on with a tool call.
#[track_caller]
fn check_goes_on(sandbox: &Sandbox, mut run: impl FnMut(&Call) -> String) {
    let project = repository(&sandbox.project());
    let start = event("SessionStart", "s-1", json!({"source": "startup"}));
    assert_eq!(run(&Call::hook(&start, &project)), "");
    let _other = Client::in_session(sandbox, "other", &project);
    check(&current_in(sandbox, &project), None, "project", "ambiguous");
    age(sandbox, "s-1", 61 * 60);
    check_state(sandbox, "s-1", "abandoned");
    sandbox.ccsession(["cleanup"]).expect(0, "0\n", "");
    check(
        &current_in(sandbox, &project),
        Some("other"),
        "project",
        "exact",
    );

    let call = event("PostToolUse", "s-1", json!({"tool_name": "Bash"}));
    assert_eq!(run(&Call::hook(&call, &project)), "");
    check_state(sandbox, "s-1", "active");
    check(&current_in(sandbox, &project), None, "project", "ambiguous");
}

#[test]
fn a_session_that_was_thought_abandoned_and_goes_on_is_live_again() {
    // As where processes cannot be seen: its client is not known.
    let sandbox = Sandbox::just_swept();
    check_goes_on(&sandbox, |call| outside(&sandbox, call));

    let sandbox = Sandbox::just_swept();
    if let Some(mut inside) = unseen_client(&sandbox) {
        check_goes_on(&sandbox, |call| inside.run(call));
    }
}

/// A Bash call in a pid namespace of its own does not see its client, nor any other session's.
#[test]
fn a_call_that_sees_no_process_above_goes_by_the_variable_or_the_project() {
    let sandbox = Sandbox::just_swept();
    let project = repository(&sandbox.project());
    let mut client = Client::in_session(&sandbox, "s-1", &project);
    let Some(words) = with_own_pids(&[CCSESSION, "current", "--json"]) else {
        return;
    };
    let call = Call {
        arguments: words,
        ..Call::new("unshare", &project)
    };
    let with_variable = call.clone().env("CLAUDE_CODE_SESSION_ID", "s-1");
    check(&answer(&client.run(&call)), Some("s-1"), "project", "exact");
    check(
        &answer(&client.run(&with_variable)),
        Some("s-1"),
        "environment",
        "exact",
    );
    let _other = Client::in_session(&sandbox, "s-2", &project);
    check(&answer(&client.run(&call)), None, "project", "ambiguous");
    check(
        &answer(&client.run(&with_variable)),
        Some("s-1"),
        "environment",
        "exact",
    );
}

/// Makes every owner of the session one of another boot.
fn move_to_another_boot(sandbox: &Sandbox, id: &str) {
    for owner in std::fs::read_dir(sandbox.session(id).join("owners")).unwrap() {
        let path = owner.unwrap().path();
        let mut owner: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        owner["boot"] = "00000000-0000-4000-8000-000000000000".into();
        crate::support::files::write_private(&path, &owner.to_string());
    }
}

/// As long ago as this machine was booted, and a minute.
fn before_boot() -> Duration {
    let since_boot = Duration::from_micros(ccsession::store::clock::since_boot());
    since_boot + Duration::from_secs(60)
}

#[test]
fn an_owner_of_an_earlier_boot_is_dead() {
    let sandbox = Sandbox::just_swept();
    let project = repository(&sandbox.project());
    drop(Client::in_session(&sandbox, "s-1", &project));
    move_to_another_boot(&sandbox, "s-1");
    age(&sandbox, "s-1", before_boot().as_secs());
    check_state(&sandbox, "s-1", "abandoned");
    check(&current_in(&sandbox, &project), None, "unknown", "none");

    // Gone on with in this boot, it ends with the client of this boot.
    let mut client = Client::start(&sandbox);
    client.begin("s-1", "resume", &project);
    check_state(&sandbox, "s-1", "active");
    client.end("s-1", "other", &project);
    check_state(&sandbox, "s-1", "ended");
    client.begin("s-1", "resume", &project);
    client.kill();
    check_state(&sandbox, "s-1", "abandoned");
}

/// A machine runs one boot at a time: what happens now in a session of another boot happens on another machine, and be it
/// a copy of this one's disk.
#[test]
fn a_session_that_goes_on_in_another_boot_is_not_dead() {
    let sandbox = Sandbox::just_swept();
    let project = repository(&sandbox.project());
    let mut client = Client::in_session(&sandbox, "s-1", &project);
    move_to_another_boot(&sandbox, "s-1");
    check_state(&sandbox, "s-1", "active");
    sandbox.ccsession(["cleanup"]).expect(0, "0\n", "");
    check_state(&sandbox, "s-1", "active");
    assert_eq!(sandbox.record("s-1")["ended_at"], Value::Null);
    client.hook("Stop", "s-1", json!({}), &project);
    check_state(&sandbox, "s-1", "active");
    client.hook("SessionEnd", "s-1", json!({"reason": "other"}), &project);
    check_state(&sandbox, "s-1", "ended");
}

#[test]
fn an_owner_is_recorded_with_what_tells_its_machine() {
    let sandbox = Sandbox::just_swept();
    let project = repository(&sandbox.project());
    let _client = Client::in_session(&sandbox, "s-1", &project);
    let [owner] = std::fs::read_dir(sandbox.session("s-1").join("owners"))
        .unwrap()
        .map(|owner| std::fs::read_to_string(owner.unwrap().path()).unwrap())
        .collect::<Vec<_>>()
        .try_into()
        .unwrap();
    let read: Value = serde_json::from_str(&owner).unwrap();
    let Ok(id) = std::fs::read_to_string("/etc/machine-id") else {
        return;
    };
    // Never the identity itself.
    assert!(id.trim().is_empty() || !owner.contains(id.trim()));
    if id.trim().len() == 32 {
        assert_eq!(
            read["machine_id"].as_str().map(str::len),
            Some(16),
            "{owner}"
        );
    }
}
