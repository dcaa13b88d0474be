//! A stdin that never ends, or has much more than anybody sends: a hook drains it in time and with little memory.

use std::fs::{self, File};

use ccsession::store::journal::Damage;
use serde_json::json;

use super::{Ended, HOOKS, HUGE, Hook, Stdin, alone, feed, hooks_for, journaled, last_line};
use crate::support::files::{changes, snapshot};
use crate::support::states::{assert_sound, lived_in, make_state};
use crate::support::torture::{ATTEMPTS, in_parallel, is_torture};
use crate::support::{ID, Sandbox, event};

#[test]
fn a_stdin_that_is_never_closed_is_read_until_the_deadline_only() {
    let _turn = alone();
    let call = event(
        "PreToolUse",
        ID,
        json!({"tool_name": "Bash", "tool_use_id": "t1"}),
    )
    .to_string();
    let half = r#"{"session_id":"5b48472b-1111-4222-8333-444455556666","hook_event_name":"PreToolUse","tool_name":"Ba"#;
    // What stays open: nothing, half a payload, a whole one; how many lines there are of it, and whether it is whole.
    let cases = [
        ("", 0, None),
        (half, 1, Some(&json!(true))),
        (&call, 1, None),
    ];
    in_parallel(cases.len() * HOOKS.len(), 15, |number| {
        let hook = HOOKS[number % HOOKS.len()];
        let (bytes, lines, incomplete) = cases[number / HOOKS.len()];
        let case = format!("{}: {bytes:?} and no end", hook.name());
        let sandbox = lived_in();
        let before = snapshot(&sandbox);
        feed(hook.run(&sandbox), Stdin::of(bytes).left_open()).assert_silent_and_fed(&case);
        assert_sound(&sandbox, &case);
        if lines == 0 {
            assert_eq!(
                changes(&before, &snapshot(&sandbox)),
                ["state/unattributed.jsonl"],
                "{case}"
            );
            return;
        }
        let journal = sandbox.journal(ID);
        assert_eq!(journal.len(), lines, "{case}");
        assert_eq!(
            (&journal[0]["event"], journal[0].get("incomplete")),
            (&json!("PreToolUse"), incomplete),
            "{case}"
        );
        assert_eq!(
            journal[0].get("tool_use_id").is_some(),
            incomplete.is_none(),
            "{case}"
        );
    });
}

#[test]
fn a_stdin_that_never_ends_is_read_until_the_deadline_only() {
    let _turn = alone();
    let call = event("PreToolUse", ID, json!({"tool_name": "Bash"})).to_string();
    let open = |member: &str| call.strip_suffix('}').unwrap().to_owned() + member;
    let cases: [(&str, Stdin, bool); 7] = [
        ("yes", Stdin::endless("", "y\n"), false),
        ("blanks before", Stdin::endless("", " "), false),
        ("brackets", Stdin::endless("", "["), false),
        (
            "blanks after a payload",
            Stdin::endless(call.clone(), " "),
            true,
        ),
        (
            "an output",
            Stdin::endless(open(",\"tool_response\":\""), "x\\n"),
            true,
        ),
        (
            "members",
            Stdin::endless(open(""), ",\"tool_name\":\"Bash\""),
            true,
        ),
        ("numbers", Stdin::endless(open(",\"x\":[1"), ",2"), true),
    ];
    // A payload that came before is recorded, with what was read until then.
    let runs: Vec<(Hook, usize)> = if is_torture() {
        (0..cases.len())
            .flat_map(|case| HOOKS.map(|hook| (hook, case)))
            .collect()
    } else {
        // Each hook has one, and each is read once.
        (0..cases.len())
            .map(|case| (HOOKS[case % HOOKS.len()], case))
            .collect()
    };
    in_parallel(runs.len(), 4, |run| {
        let (hook, case) = runs[run];
        let (name, stdin, attributed) = &cases[case];
        let case = format!("{}: endless {name}", hook.name());
        let sandbox = lived_in();
        let before = snapshot(&sandbox);
        let stdin = Stdin::long(stdin.head.clone(), stdin.body.0.clone(), stdin.body.1, "");
        feed(hook.run(&sandbox), stdin).assert_silent(&case);
        assert_sound(&sandbox, &case);
        if *attributed {
            assert_eq!(sandbox.journal(ID).len(), 1, "{case}");
        } else {
            assert_eq!(
                changes(&before, &snapshot(&sandbox)),
                ["state/unattributed.jsonl"],
                "{case}"
            );
        }
    });
    // What is no pipe. All of them read it with the same code.
    let hooks = hooks_for(3);
    in_parallel(hooks.len(), 3, |hook| {
        let hook = hooks[hook];
        let case = format!("{}: /dev/zero", hook.name());
        let sandbox = lived_in();
        let before = snapshot(&sandbox);
        let mut run = hook.run(&sandbox);
        let output = run
            .command
            .stdin(File::open("/dev/zero").unwrap())
            .output()
            .unwrap();
        Ended {
            output,
            is_fed: true,
        }
        .assert_silent(&case);
        assert_eq!(
            changes(&before, &snapshot(&sandbox)),
            ["state/unattributed.jsonl"],
            "{case}"
        );
    });
}

/// A hook that may have 32 MiB of memory of its own, whatever is in it. Where the system has no such limit, it goes
/// without.
const LITTLE_MEMORY: &str = "ulimit -c 0; ulimit -d 32768 2>/dev/null || :";

#[test]
fn a_huge_payload_is_read_to_its_end_in_little_memory() {
    let _turn = alone();
    let head = r#"{"session_id":"5b48472b-1111-4222-8333-444455556666","hook_event_name":"PostToolUse","tool_name":"Bash","tool_input":{"description":"List files"},"tool_response":{"stdout":""#;
    let tail = r#""},"tool_use_id":"t1","duration_ms":38}"#;
    let bodies = [
        "x".repeat(1 << 20),
        r"drwxr-xr-x 4 20001 20001 4096 Nov 20 16:21 .\n".repeat(1 << 14),
    ];
    for (number, hook) in HOOKS.into_iter().enumerate() {
        let case = hook.name();
        let body = &bodies[number % bodies.len()];
        let times = HUGE / body.len();
        let expected = json!({
            "event": "PostToolUse", "tool": "Bash", "tool_use_id": "t1", "ok": true, "duration_ms": 38, "input_bytes": 28,
            "output_bytes": times * body.len() + 13, "what": "List files",
        });
        // A processor that is taken away for long makes any reader late: then it is tried again.
        for attempt in 0.. {
            let sandbox = Sandbox::new();
            make_state(&sandbox.state());
            let ended = feed(
                hook.run_after(&sandbox, LITTLE_MEMORY),
                Stdin::long(head, body.as_str(), times, tail),
            );
            ended.assert_silent(&case);
            assert_sound(&sandbox, &case);
            let lines = journaled(&sandbox, ID);
            if attempt < ATTEMPTS && (!ended.is_fed || lines[0].get("incomplete").is_some()) {
                continue;
            }
            ended.assert_silent_and_fed(&case);
            assert_eq!(lines, [expected], "{case}");
            break;
        }
    }
}

/// Feeds each hook with `stdin`, in little memory, and asserts that the event is recorded in one line that a reader
/// takes.
#[track_caller]
fn check_flood(name: &str, hooks: &[Hook], stdin: impl Fn() -> Stdin) {
    for hook in hooks {
        let case = format!("{}: {name} ({} bytes)", hook.name(), stdin().len());
        let sandbox = Sandbox::new();
        make_state(&sandbox.state());
        feed(hook.run_after(&sandbox, LITTLE_MEMORY), stdin()).assert_silent(&case);
        assert_sound(&sandbox, &case);
        let mut events = sandbox.events(ID);
        assert!(events.next().is_some(), "{case}");
        assert_eq!(
            (events.next(), events.damage()),
            (None, Damage::default()),
            "{case}"
        );
        let size = fs::metadata(sandbox.session(ID).join("events.jsonl"))
            .unwrap()
            .len();
        assert!(size < 1 << 20, "{case}: its line has {size} bytes");
    }
}

/// The opening of a payload whose next member follows.
const OPENING: &str =
    r#"{"session_id":"5b48472b-1111-4222-8333-444455556666","hook_event_name":"PostToolBatch""#;

#[test]
fn a_flood_of_members_is_not_kept_in_memory() {
    let _turn = alone();
    let path = "x".repeat(15_000);
    check_flood("one member again and again", &hooks_for(1), || {
        Stdin::long(OPENING, format!(r#","cwd":"/{path}""#), 5000, "}")
    });
}

#[test]
fn a_flood_of_calls_is_not_kept_in_memory() {
    let _turn = alone();
    check_flood("empty calls", &hooks_for(2), || {
        let last = r#"{"tool_name":"Read","tool_use_id":"t1"}]}"#;
        Stdin::long(
            format!(r#"{OPENING},"tool_calls":["#),
            "{},".repeat(1 << 12),
            400,
            last,
        )
    });
}

#[test]
fn a_flood_of_named_calls_is_one_readable_line() {
    let _turn = alone();
    let (name, id) = ("N".repeat(500), "t".repeat(500));
    check_flood("named calls", &hooks_for(2), || {
        let call = format!(r#"{{"tool_name":"{name}","tool_use_id":"{id}"}},"#);
        Stdin::long(format!(r#"{OPENING},"tool_calls":["#), call, 3000, "{}]}")
    });
}

#[test]
fn a_flood_of_brackets_is_drained() {
    let _turn = alone();
    let mib = |text: &str| text.repeat((1 << 20) / text.len());
    for (number, body) in [mib("["), mib(r#"{"a":"#), vec_of_nul()]
        .into_iter()
        .enumerate()
    {
        for hook in hooks_for(number) {
            let case = format!("{}: flood {number}", hook.name());
            let sandbox = Sandbox::new();
            make_state(&sandbox.state());
            let stdin = Stdin::long("", body.as_str(), 100, "");
            let size = stdin.len();
            feed(hook.run_after(&sandbox, LITTLE_MEMORY), stdin).assert_silent_and_fed(&case);
            assert_eq!(
                sandbox.files(),
                ["state/sweep", "state/unattributed.jsonl"],
                "{case}"
            );
            assert_eq!(
                last_line(&sandbox, "unattributed.jsonl")["bytes"],
                size,
                "{case}"
            );
        }
    }
}

fn vec_of_nul() -> String {
    "\0".repeat(1 << 20)
}
