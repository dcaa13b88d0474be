//! What the system refuses: sizes, descriptors, memory.

use std::fs;
use std::process::Output;
use std::sync::atomic::{AtomicUsize, Ordering};

use ccsession::store::journal::Damage;
use serde_json::json;

use super::{HOOKS, Stdin, errors, feed, own_event};
use crate::support::files::snapshot;
use crate::support::states::{OLD, assert_sound, lived_in, make_state};
use crate::support::torture::{in_parallel, is_torture};
use crate::support::{ID, Sandbox, as_client, event};

// What the system refuses.

#[test]
fn a_limit_on_the_size_of_files_kills_nothing() {
    for hook in HOOKS {
        let sandbox = lived_in();
        let before = snapshot(&sandbox);
        for payload in [
            own_event(hook, OLD),
            own_event(hook, ID),
            "no payload".to_owned(),
        ] {
            let case = format!("{}: {payload}", hook.name());
            feed(hook.run_after(&sandbox, "ulimit -f 0"), Stdin::of(payload))
                .assert_silent_and_fed(&case);
            let after = snapshot(&sandbox);
            for (name, bytes) in &before {
                assert_eq!(after.get(name), Some(bytes), "{case}: {name}");
            }
            assert_sound(&sandbox, &case);
        }
        // And what could not be recorded then stands in the way of nothing.
        let start = event("SessionStart", ID, json!({"source": "resume"}));
        sandbox.hook(&start).env("CLAUDE_PID", as_client()).silent();
        assert_eq!(sandbox.journal(ID).len(), 1, "{}", hook.name());
        assert_eq!(
            fs::read_dir(sandbox.session(ID).join("owners"))
                .unwrap()
                .count(),
            1,
            "{}",
            hook.name()
        );
        sandbox.record(ID);
        assert_sound(&sandbox, &hook.name());
    }
}

#[test]
fn a_record_cut_short_is_counted_and_does_not_join_the_next() {
    for hook in HOOKS {
        let case = hook.name();
        let sandbox = lived_in();
        let journal = sandbox.session(OLD).join("events.jsonl");
        // The limit is in units of 512 bytes, in some shells of 1024: the journal ends shortly before one.
        let size = fs::metadata(&journal).unwrap().len();
        let filler = json!({"v": 1, "event": "Filler", "what": "x".repeat(2048 - 20 - 36 - usize::try_from(size).unwrap())});
        let mut text = fs::read_to_string(&journal).unwrap();
        text.push_str(&format!("\n{filler}\n"));
        fs::write(&journal, &text).unwrap();
        assert_eq!(text.len(), 2048 - 20);
        let script = "[ \"$(ulimit -f 4; ulimit -f)\" = 4 ] || exit 9\nulimit -f 4";
        feed(
            hook.run_after(&sandbox, script),
            Stdin::of(own_event(hook, OLD)),
        )
        .assert_silent_and_fed(&case);
        let bytes = fs::read(&journal).unwrap();
        if bytes.len() != 2048 {
            println!("skipped: this shell's unit for ulimit -f is not 512 bytes");
            return;
        }
        let noted = format!(
            "could not append all to `{}`: no storage space",
            journal.display()
        );
        assert_eq!(errors(&sandbox), [noted], "{case}");
        feed(hook.run(&sandbox), Stdin::of(own_event(hook, OLD))).assert_silent_and_fed(&case);
        let mut events = sandbox.events(OLD);
        let read: Vec<String> = events.by_ref().map(|event| event.event).collect();
        assert_eq!(read, ["SessionStart", "Filler", hook.event], "{case}");
        assert_eq!(
            events.damage(),
            Damage {
                torn: 1,
                ..Damage::default()
            },
            "{case}"
        );
    }
}

#[test]
fn one_free_descriptor_is_enough() {
    for hook in HOOKS {
        let case = hook.name();
        let sandbox = lived_in();
        feed(
            hook.run_after(&sandbox, "ulimit -n 4"),
            Stdin::of(own_event(hook, ID)),
        )
        .assert_silent_and_fed(&case);
        assert_eq!(sandbox.journal(ID).len(), 1, "{case}");
        sandbox.record(ID);
        assert_eq!(errors(&sandbox), [""; 0], "{case}");
        let is_moving = ["SessionStart", "UserPromptSubmit"].contains(&hook.event);
        let named = if is_moving { ID } else { OLD };
        assert_eq!(
            fs::read_to_string(sandbox.pointer("shop"))
                .unwrap()
                .lines()
                .next(),
            Some(named),
            "{case}"
        );
        assert_sound(&sandbox, &case);
    }
}

#[test]
fn an_end_that_cannot_remove_the_pointer_says_so() {
    let sandbox = lived_in();
    let end = event("SessionEnd", OLD, json!({"reason": "other"})).to_string();
    feed(HOOKS[3].run_after(&sandbox, "ulimit -n 4"), Stdin::of(end))
        .assert_silent_and_fed("one descriptor");
    assert_eq!(sandbox.journal(OLD).len(), 2);
    assert!(
        !sandbox.pointer("shop").exists() || !errors(&sandbox).is_empty(),
        "the pointer is left, and nothing says why"
    );
}

#[test]
fn with_too_little_memory_a_hook_stays_silent() {
    // From what is too little to load a program to what is enough for all of it, in KiB. The CLI is not asked: Rust's own
    // start needs memory before it could promise anything.
    let hooks = &HOOKS[..4];
    let step = if is_torture() { 4 } else { 16 };
    let started = AtomicUsize::new(0);
    in_parallel(hooks.len(), 2, |own| {
        let hook = hooks[own];
        let sandbox = Sandbox::new();
        make_state(&sandbox.state());
        for (number, limit) in (1024..10_240).step_by(step).enumerate() {
            if !is_torture() && number % hooks.len() != own {
                continue;
            }
            let case = format!("{} in {limit} KiB", hook.name());
            let script = format!("ulimit -c 0; ulimit -v {limit} 2>/dev/null || exit 77");
            let stdin = Stdin::of(own_event(hook, &format!("s-{limit}")));
            let ended = feed(hook.run_after(&sandbox, &script), stdin);
            if !is_not_started(&ended.output) {
                ended.assert_silent(&case);
                started.fetch_add(1, Ordering::Relaxed);
            }
        }
        assert_sound(&sandbox, &hook.name());
    });
    if started.into_inner() == 0 {
        println!("skipped: memory cannot be limited here");
    }
}

/// Whether the system, its loader or the C library ended the program before its first instruction, or there was not one
/// page of heap for it to prepare in: then it aborts, in silence.
fn is_not_started(output: &Output) -> bool {
    use std::os::unix::process::ExitStatusExt;
    let said = String::from_utf8_lossy(&output.stderr);
    let by_the_loader = [
        "error while loading shared libraries",
        "Fatal glibc error",
        "cannot allocate",
    ];
    match (output.status.code(), output.status.signal()) {
        (Some(77), _) => said.is_empty(),
        (Some(126 | 127), _) => {
            by_the_loader.iter().any(|words| said.contains(words)) || said.is_empty()
        }
        (None, Some(6 | 9 | 11)) => said.is_empty(),
        _ => false,
    }
}
