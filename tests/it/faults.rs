//! One system call fails, or the hook is killed at it. Whichever call it is, the hook prints nothing, what was there stays, and
//! the next hook and the next cleanup repair the rest. strace injects the faults; without it the tests are skipped.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::process::ExitStatusExt;

use serde_json::{Value, json};

use crate::support::files::{Snapshot, snapshot};
use crate::support::states::{OLD, assert_sound, lived_in};
use crate::support::torture::{in_parallel, is_torture};
use crate::support::tracing::{age_leftovers, can_inject, traced};
use crate::support::{
    PRE_TOOL_USE, Run, SESSION_EVENT, SESSION_START, Sandbox, as_client, event, json_lines, text,
};

/// The session that begins under a fault.
const NEW: &str = "new-1";

/// The errors that a call is made to fail with: those of a full or broken disk, of missing rights and descriptors.
const ERRORS: [&str; 5] = ["ENOSPC", "EIO", "EACCES", "EMFILE", "EROFS"];
const MORE_ERRORS: [&str; 4] = ["EINTR", "EDQUOT", "ENOMEM", "EPERM"];

/// The calls that change something.
const CHANGING: [&str; 17] = [
    "write",
    "fsync",
    "rename",
    "renameat",
    "renameat2",
    "link",
    "linkat",
    "mkdir",
    "mkdirat",
    "chmod",
    "fchmodat",
    "fchmod",
    "unlink",
    "unlinkat",
    "rmdir",
    "flock",
    "ftruncate",
];

/// The other calls that a file system, a device or a full table of descriptors can make fail.
const READING: [&str; 15] = [
    "open",
    "openat",
    "close",
    "read",
    "poll",
    "ppoll",
    "stat",
    "lstat",
    "fstat",
    "newfstatat",
    "statx",
    "lseek",
    "fcntl",
    "getrandom",
    "getdents64",
];

/// A hook at work.
#[derive(Clone, Copy)]
struct Scenario {
    program: &'static str,
    event: &'static str,
    id: &'static str,
}

const SCENARIOS: [Scenario; 4] = [
    Scenario {
        program: SESSION_START,
        event: "SessionStart",
        id: NEW,
    },
    Scenario {
        program: PRE_TOOL_USE,
        event: "PreToolUse",
        id: NEW,
    },
    Scenario {
        program: PRE_TOOL_USE,
        event: "PreToolUse",
        id: OLD,
    },
    Scenario {
        program: SESSION_EVENT,
        event: "SessionEnd",
        id: OLD,
    },
];

/// One call of a scenario: `nth` among the calls of this name that the process makes.
#[derive(Clone)]
struct Point {
    call: String,
    nth: usize,
    /// As strace shows it.
    line: String,
}

impl Scenario {
    fn payload(self) -> Value {
        event(
            self.event,
            self.id,
            json!({"source": "clear", "reason": "other", "tool_name": "Bash", "tool_use_id": "t1"}),
        )
    }

    /// The hook without any fault.
    fn run(self, sandbox: &Sandbox) -> Run {
        let run = sandbox.run(self.program).env("CLAUDE_PID", as_client());
        run.stdin(self.payload().to_string())
    }

    /// Every call that the hook itself makes, in order. What comes before its own first one is the loader's.
    fn points(self) -> Vec<Point> {
        let sandbox = lived_in();
        let trace = sandbox.path("trace");
        let mut run = sandbox.run("strace").env("CLAUDE_PID", as_client());
        run.command
            .args(["-f", "-qq", "-s", "300", "-o"])
            .arg(&trace)
            .arg(self.program);
        run.stdin(self.payload().to_string()).silent();
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        let mut points = Vec::new();
        let mut is_own = false;
        for line in fs::read_to_string(trace).unwrap().lines() {
            let line = line
                .trim_start_matches(|c: char| c.is_ascii_digit())
                .trim_start();
            let Some((call, _)) = line.split_once('(') else {
                continue;
            };
            let nth = counts.entry(call.to_owned()).or_default();
            *nth += 1;
            is_own |= line.contains("F_GETFD");
            let may_fail = CHANGING.contains(&call) || READING.contains(&call);
            if is_own && may_fail {
                points.push(Point {
                    call: call.to_owned(),
                    nth: *nth,
                    line: line.to_owned(),
                });
            }
        }
        assert!(points.len() > 10, "{}: {}", self.event, points.len());
        points
    }

    /// The calls at which faults are injected: in the short form those that change something.
    fn chosen(self) -> Vec<Point> {
        let changes = |point: &Point| {
            let creates = ["O_CREAT", "O_APPEND", "O_RDWR"]
                .iter()
                .any(|flag| point.line.contains(flag));
            let opens =
                point.call.starts_with("open") && creates && !point.line.contains("/dev/null");
            opens
                || CHANGING.contains(&point.call.as_str())
                || (point.call == "close" && point.nth.is_multiple_of(5))
        };
        let points = self.points();
        points
            .into_iter()
            .filter(|point| is_torture() || changes(point))
            .collect()
    }
}

/// The pointer's file, and the journal of the old session, and its record.
const POINTER: &str = "pointers/claude_session_shop";

fn old_file(name: &str) -> String {
    format!("state/sessions/{OLD}/{name}")
}

/// Asserts what holds after any fault: the old session's record and events stand, and the pointer is the old one, the
/// new one, or for an end none.
#[track_caller]
fn check_standing(sandbox: &Sandbox, before: &Snapshot, scenario: Scenario, case: &str) {
    let after = snapshot(sandbox);
    assert_eq!(
        after.get(&old_file("session.json")),
        before.get(&old_file("session.json")),
        "{case}"
    );
    let journal = old_file("events.jsonl");
    assert!(after[&journal].starts_with(&before[&journal]), "{case}");
    match after.get(POINTER) {
        Some(bytes) if *bytes == before[POINTER] => {}
        Some(bytes) => {
            let lines: Vec<String> = text(bytes).lines().map(str::to_owned).collect();
            assert_eq!(
                (lines.len(), lines[0].as_str(), scenario.event),
                (2, NEW, "SessionStart"),
                "{case}"
            );
        }
        None => assert_eq!(scenario.event, "SessionEnd", "{case}"),
    }
}

/// How many events of the scenario's session are recorded beyond the start of the old one.
fn recorded(sandbox: &Sandbox, scenario: Scenario) -> usize {
    let path = sandbox.session(scenario.id).join("events.jsonl");
    let lines = if path.exists() {
        json_lines(&path).len()
    } else {
        0
    };
    lines - usize::from(scenario.id == OLD)
}

fn is_said(sandbox: &Sandbox) -> bool {
    let exists = |name: &str| sandbox.state().join(name).exists();
    exists("hook-errors.jsonl") || exists("unattributed.jsonl")
}

/// What there is when the hook has run twice and nothing went wrong: every file, with the project's key left out. Not
/// logs and stamps; and whether another session may be live is a cleanup's to say.
fn settled(sandbox: &Sandbox, scenario: Scenario) -> BTreeSet<String> {
    let project = |name: String| {
        let mut parts: Vec<&str> = name.split('/').collect();
        if parts.get(1) == Some(&"projects") {
            parts[2] = "key";
        }
        parts.join("/")
    };
    let logs = ["hook-errors.jsonl", "unattributed.jsonl", "daily", "lock"];
    let is_left_out = |name: &String| {
        let others = name.starts_with("state/projects/") && !name.ends_with(scenario.id);
        others || logs.iter().any(|log| name == &format!("state/{log}"))
    };
    let files = sandbox.files().into_iter();
    files
        .filter(|name| !is_left_out(name))
        .map(project)
        .collect()
}

/// Runs the hook again, without a fault, and asserts that nothing is missing then.
#[track_caller]
fn check_mended(sandbox: &Sandbox, scenario: Scenario, reference: &BTreeSet<String>, case: &str) {
    let before = recorded(sandbox, scenario);
    // A tool call joins a session only where it begins it. A prompt always does.
    let payload = match scenario.event {
        "PreToolUse" => event("UserPromptSubmit", scenario.id, json!({"prompt": "hello"})),
        _ => scenario.payload(),
    };
    sandbox
        .hook(&payload)
        .env("CLAUDE_PID", as_client())
        .silent();
    assert_eq!(recorded(sandbox, scenario), before + 1, "{case}");
    assert_sound(sandbox, case);
    assert_eq!(&settled(sandbox, scenario), reference, "{case}");
}

/// What [`settled`] is after a scenario that nothing disturbed.
fn reference(scenario: Scenario) -> BTreeSet<String> {
    let sandbox = lived_in();
    scenario.run(&sandbox).silent();
    let payload = match scenario.event {
        "PreToolUse" => event("UserPromptSubmit", scenario.id, json!({"prompt": "hello"})),
        _ => scenario.payload(),
    };
    sandbox
        .hook(&payload)
        .env("CLAUDE_PID", as_client())
        .silent();
    settled(&sandbox, scenario)
}

/// Runs the scenario with each fault at each chosen call, and `check`s what is left.
fn with_every_fault(
    faults: impl Fn(usize, &Point) -> Vec<String>,
    check: impl Fn(&Sandbox, Scenario, &Point, Run, &BTreeSet<String>, &str) + Sync,
) -> usize {
    let mut runs = Vec::new();
    for scenario in SCENARIOS {
        let reference = reference(scenario);
        for (number, point) in scenario.chosen().into_iter().enumerate() {
            for fault in faults(number, &point) {
                runs.push((scenario, point.clone(), fault, reference.clone()));
            }
        }
    }
    in_parallel(runs.len(), 3, |run| {
        let (scenario, point, fault, reference) = &runs[run];
        let case = format!(
            "{} of {}: {fault} at {}",
            scenario.event, scenario.id, point.line
        );
        let sandbox = lived_in();
        let injected = format!("{}:{fault}:when={}", point.call, point.nth);
        let run = traced(&sandbox, scenario.program, &injected, &scenario.payload());
        check(&sandbox, *scenario, point, run, reference, &case);
    });
    runs.len()
}

#[test]
fn a_failing_system_call_costs_at_most_what_it_was_for() {
    if !can_inject() {
        return;
    }
    let faults = |number: usize, _: &Point| {
        let all: Vec<&str> = if is_torture() {
            ERRORS.into_iter().chain(MORE_ERRORS).collect()
        } else {
            vec![
                ERRORS[number % ERRORS.len()],
                ERRORS[(number + 2) % ERRORS.len()],
            ]
        };
        all.into_iter()
            .map(|error| format!("error={error}"))
            .collect()
    };
    let runs = with_every_fault(faults, |sandbox, scenario, point, run, reference, case| {
        let before = snapshot(sandbox);
        let output = run.output();
        let got = (
            output.status.to_string(),
            text(&output.stdout),
            text(&output.stderr),
        );
        assert_eq!(
            got,
            ("exit status: 0".to_owned(), String::new(), String::new()),
            "{case}"
        );
        check_standing(sandbox, &before, scenario, case);
        if point.call.starts_with("unlink") {
            // What cannot be removed is left to the next cleanup.
            age_leftovers(sandbox);
            sandbox.ccsession(["cleanup", "--quiet"]).silent();
        }
        assert_sound(sandbox, case);
        let recorded = recorded(sandbox, scenario);
        assert!(
            recorded == 1 || (recorded == 0 && is_said(sandbox)),
            "{case}: the event is lost and nothing says so"
        );
        check_mended(sandbox, scenario, reference, case);
    });
    println!("{runs} faults");
}

/// A signal, or a file system that is nearly full, can have a write take less than it was given.
#[test]
fn a_partial_write_is_completed() {
    if !can_inject() {
        return;
    }
    for part in [1, 10, 100] {
        let sandbox = lived_in();
        let call = event(
            "PreToolUse",
            OLD,
            json!({"tool_name": "Bash", "tool_use_id": "t7"}),
        );
        let fault = format!("write:retval={part}:when=1");
        traced(&sandbox, PRE_TOOL_USE, &fault, &call).silent();
        let journal = json_lines(&sandbox.session(OLD).join("events.jsonl"));
        let recorded = journal.iter().filter(|line| line["tool_use_id"] == "t7");
        assert_eq!(recorded.count(), 1, "{part}");
        assert!(!is_said(&sandbox), "{part}");
    }
}

#[test]
fn whatever_a_kill_leaves_is_repaired() {
    if !can_inject() {
        return;
    }
    let faults = |_: usize, _: &Point| vec!["signal=SIGKILL".to_owned()];
    let runs = with_every_fault(faults, |sandbox, scenario, _, run, reference, case| {
        let before = snapshot(sandbox);
        let output = run.output();
        assert_eq!(
            (
                output.status.signal(),
                text(&output.stdout),
                text(&output.stderr)
            ),
            (Some(9), String::new(), String::new()),
            "{case}"
        );
        check_standing(sandbox, &before, scenario, case);
        age_leftovers(sandbox);
        sandbox.ccsession(["cleanup", "--quiet"]).silent();
        sandbox.assert_no_leftovers();
        check_standing(sandbox, &before, scenario, case);
        check_mended(sandbox, scenario, reference, case);
    });
    println!("{runs} kills");
}
