//! Variables that a client set, in processes that are not below that client: terminal servers, daemons and commands that outlive
//! it. They count for nothing, and no guess in their place counts as exact.

use std::fs;
use std::io::Read;
use std::process::Stdio;

use serde_json::{Value, json};

use super::{Call, Client, answer, check, current_in, left_over, outside, repository};
use crate::support::{Sandbox, event};

struct Stage {
    sandbox: Sandbox,
    shop: std::path::PathBuf,
    api: std::path::PathBuf,
}

fn stage() -> Stage {
    let sandbox = Sandbox::just_swept();
    let shop = repository(&sandbox.project());
    let api = repository(&sandbox.path("api"));
    Stage { sandbox, shop, api }
}

impl Stage {
    /// What a command in the project `api` is answered that a client left behind with these variables: they were there before
    /// whoever started it was gone.
    #[track_caller]
    fn orphan(&self, variables: &[(&str, &str)]) -> Value {
        let mut shell = self.sandbox.run("/bin/sh");
        for (name, value) in variables {
            shell = shell.env(name, value);
        }
        answer(&left_over(shell, &Call::current(&[], &self.api)))
    }

    /// The same of somebody who works there, with the variables set by a shell.
    #[track_caller]
    fn person(&self, variables: &[(&str, &str)]) -> Value {
        let mut call = Call::current(&[], &self.api);
        for (name, value) in variables {
            call = call.env(name, value);
        }
        answer(&outside(&self.sandbox, &call))
    }
}

#[test]
fn an_orphan_of_another_session_is_not_in_the_projects_only_session() {
    let stage = stage();
    let mut a = Client::in_session(&stage.sandbox, "a", &stage.shop);
    let _b = Client::in_session(&stage.sandbox, "b", &stage.api);
    let pid = a.say("echo $$").trim().to_owned();
    let shop = stage.shop.to_str().unwrap().to_owned();
    let api = stage.api.to_str().unwrap().to_owned();
    let stale: [&[(&str, &str)]; 7] = [
        &[("CLAUDE_CODE_SESSION_ID", "a")],
        &[("CCSESSION_ID", "a")],
        &[("CLAUDE_PID", &pid)],
        &[("CLAUDE_PROJECT_DIR", &shop)],
        // Of an earlier session of this very project, as of a hook of a client before 2.1.160.
        &[("CLAUDE_PROJECT_DIR", &api), ("CLAUDECODE", "1")],
        &[("CLAUDE_PROJECT_DIR", &api)],
        &[("CLAUDECODE", "1")],
    ];
    for variables in stale {
        check(&stage.orphan(variables), None, "project", "ambiguous");
        let expected = ("b", "project", "last_known");
        let given = stage.person(variables);
        check(&given, Some(expected.0), expected.1, expected.2);
    }
    // Without a variable, and with those of its own session, it is as exact as ever.
    check(&stage.orphan(&[]), Some("b"), "project", "exact");
    let own = [("CLAUDE_CODE_SESSION_ID", "b"), ("CLAUDECODE", "1")];
    check(&stage.orphan(&own), Some("b"), "project", "exact");

    // Nor once the other one has ended, or was killed.
    a.end("a", "other", &stage.shop);
    let variables = [("CLAUDE_CODE_SESSION_ID", "a"), ("CLAUDE_PID", &*pid)];
    check(&stage.orphan(&variables), None, "project", "ambiguous");
    a.begin("a", "resume", &stage.shop);
    a.kill();
    check(&stage.orphan(&variables), None, "project", "ambiguous");
}

/// Asked by its pid, what a client left behind is as little the project's one session as when it asks itself.
#[test]
fn an_orphan_asked_about_by_its_pid_is_not_in_the_projects_only_session() {
    let stage = stage();
    let _a = Client::in_session(&stage.sandbox, "a", &stage.shop);
    let _b = Client::in_session(&stage.sandbox, "b", &stage.api);
    let check = |variables: &[(&str, &str)], id: Option<&str>, trust: &str| {
        let mut run = stage.sandbox.run("/bin/sh").dir(&stage.api);
        for (name, value) in variables {
            run = run.env(name, value);
        }
        let mut command = run.command;
        let command = command.args(["-c", "echo; read -r _"]);
        let mut orphan = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        // It runs, and not what started it.
        orphan
            .stdout
            .as_mut()
            .unwrap()
            .read_exact(&mut [0])
            .unwrap();
        let pid = orphan.id().to_string();
        let call = Call::current(&["--pid", &pid], &stage.shop);
        let given = answer(&outside(&stage.sandbox, &call));
        drop(orphan.stdin.take());
        orphan.wait().unwrap();
        check(&given, id, "project", trust);
    };
    let shop = stage.shop.to_str().unwrap();
    check(&[], Some("b"), "exact");
    check(&[("CLAUDE_CODE_SESSION_ID", "b")], Some("b"), "exact");
    check(&[("CLAUDE_CODE_SESSION_ID", "a")], None, "ambiguous");
    check(&[("CCSESSION_ID", "a")], None, "ambiguous");
    check(&[("CLAUDE_PID", "1")], None, "ambiguous");
    check(&[("CLAUDE_PROJECT_DIR", shop)], None, "ambiguous");
    check(&[("CLAUDECODE", "1")], None, "ambiguous");
}

/// The pointer, too, names the last session of the project.
#[test]
fn an_orphan_is_not_told_the_pointer() {
    let stage = stage();
    stage
        .sandbox
        .ccsession(["store", "s-7"])
        .dir(&stage.api)
        .silent();
    let variables = [("CLAUDE_CODE_SESSION_ID", "a"), ("CLAUDECODE", "1")];
    let _a = Client::in_session(&stage.sandbox, "a", &stage.shop);
    check(&stage.orphan(&variables), None, "unknown", "none");
    check(
        &stage.person(&variables),
        Some("s-7"),
        "pointer",
        "last_known",
    );
    check(&stage.orphan(&[]), Some("s-7"), "pointer", "last_known");
}

/// Events without an id are recorded only where the answer is exact.
#[test]
fn an_event_of_an_orphan_belongs_to_no_session() {
    let stage = stage();
    let _a = Client::in_session(&stage.sandbox, "a", &stage.shop);
    let _b = Client::in_session(&stage.sandbox, "b", &stage.api);
    let stop = json!({"hook_event_name": "Stop", "cwd": stage.api});
    for shell in [
        stage
            .sandbox
            .run("/bin/sh")
            .env("CLAUDE_CODE_SESSION_ID", "a"),
        stage.sandbox.run("/bin/sh").env("CLAUDECODE", "1"),
    ] {
        assert_eq!(left_over(shell, &Call::hook(&stop, &stage.api)), "");
    }
    assert_eq!(stage.sandbox.journal("a").len(), 1);
    assert_eq!(stage.sandbox.journal("b").len(), 1);
}

#[test]
fn the_project_is_where_a_process_runs_and_not_where_another_client_started() {
    let stage = stage();
    let mut a = Client::in_session(&stage.sandbox, "a", &stage.shop);
    let shop = stage.shop.to_str().unwrap().to_owned();
    let root = |answer: &Value| answer["project"]["root"].as_str().unwrap().to_owned();
    let of_shop = [("CLAUDE_PROJECT_DIR", &*shop)];
    for given in [stage.orphan(&of_shop), stage.person(&of_shop)] {
        check(&given, None, "unknown", "none");
        assert_eq!(root(&given), stage.api.to_str().unwrap());
    }
    // Below that client it is the client's.
    let hook = Call::current(&[], &stage.api).env("CLAUDE_PROJECT_DIR", &shop);
    let given = answer(&a.run(&hook));
    check(&given, Some("a"), "process", "exact");
    assert_eq!(root(&given), shop);
    // Below a client that was started elsewhere, with what it inherited, it is not.
    let mut b = Client::in_session(&stage.sandbox, "b", &stage.api);
    let given = answer(&b.run(&hook));
    check(&given, Some("b"), "process", "exact");
    assert_eq!(root(&given), stage.api.to_str().unwrap());
}

/// As with clients of before 2.1.214, whose process nothing names, and of an imported or lost record.
#[test]
fn a_session_without_a_process_on_record_is_not_that_of_a_stray_variable() {
    let stage = stage();
    let start = event(
        "SessionStart",
        "a",
        json!({"source": "startup", "cwd": stage.shop}),
    );
    assert_eq!(
        outside(&stage.sandbox, &Call::hook(&start, &stage.shop)),
        ""
    );
    let other = Client::start(&stage.sandbox);
    let pid = other.shell.id().to_string();
    for id in ["a", "on-no-record"] {
        let variables = [("CLAUDE_CODE_SESSION_ID", id), ("CLAUDE_PID", &*pid)];
        check(&stage.orphan(&variables), None, "unknown", "none");
    }
    // What no process speaks against is all that is known.
    let variables = [("CLAUDE_CODE_SESSION_ID", "a")];
    check(&stage.orphan(&variables), Some("a"), "environment", "exact");
}

#[test]
fn the_variable_of_a_pruned_session_is_ignored() {
    let stage = stage();
    crate::support::files::write_private(
        &stage.sandbox.state().join("tombstones.jsonl"),
        "{\"v\":1,\"ts\":\"2026-11-01T10:00:00.000000Z\",\"what\":\"session\",\"session_id\":\"gone\",\"pid\":1}\n",
    );
    let variables = [("CLAUDE_CODE_SESSION_ID", "gone")];
    check(&stage.orphan(&variables), None, "unknown", "none");
    check(&stage.person(&variables), None, "unknown", "none");
}

/// The second variable speaks where the first one is another's.
#[test]
fn an_orchestrators_variable_counts_if_the_clients_is_stale() {
    let stage = stage();
    let mut a = Client::in_session(&stage.sandbox, "a", &stage.shop);
    a.end("a", "other", &stage.shop);
    let variables = [("CLAUDE_CODE_SESSION_ID", "a"), ("CCSESSION_ID", "task-7")];
    check(
        &stage.orphan(&variables),
        Some("task-7"),
        "environment",
        "exact",
    );
}

#[test]
fn a_client_is_seen_through_any_number_of_shells() {
    let stage = stage();
    let mut a = Client::in_session(&stage.sandbox, "a", &stage.shop);
    let _b = Client::in_session(&stage.sandbox, "b", &stage.api);
    let call = Call::current(&[], &stage.api).through(150);
    check(&answer(&a.run(&call)), Some("a"), "process", "exact");
    let call = call.env("CLAUDE_CODE_SESSION_ID", "a");
    check(&answer(&a.run(&call)), Some("a"), "environment", "exact");
}

/// Where `/proc` does not show what is above, nothing that is guessed is exact.
#[test]
fn a_process_with_hidden_ancestors_is_not_in_the_projects_only_session() {
    if !rustix::process::geteuid().is_root() {
        println!("skipped: only root can hide processes");
        return;
    }
    let stage = stage();
    let mut a = Client::in_session(&stage.sandbox, "a", &stage.shop);
    let _b = Client::in_session(&stage.sandbox, "b", &stage.api);
    let hide = "mount -t tmpfs none /proc && exec \"$@\"";
    let inner = Call::current(&[], &stage.api);
    let mut words = ["--mount", "sh", "-c", hide, "sh", &inner.program]
        .map(str::to_owned)
        .to_vec();
    words.extend(inner.arguments.clone());
    let call = Call {
        arguments: words,
        ..Call::new("unshare", &stage.api)
    };
    let given = a.run(&call);
    if given.contains("unshare") || given.contains("mount") && !given.contains("trust") {
        println!("skipped: no mount namespaces: {given}");
        return;
    }
    assert_ne!(answer(&given)["session_id"], "b", "{given}");
    assert_ne!(answer(&given)["trust"], "exact", "{given}");
    check(
        &current_in(&stage.sandbox, &stage.api),
        Some("b"),
        "project",
        "exact",
    );
    let _ = fs::metadata("/proc/self").unwrap();
}
