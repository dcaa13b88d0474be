//! What is around a hook: its streams, its arguments and variables, its settings and its home.

use std::ffi::OsStr;
use std::fs::{self, Permissions};
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

use super::{HOOKS, Stdin, check_home, errors, feed, own_event};
use crate::support::namespaces::root;
use crate::support::states::{assert_sound, lived_in};
use crate::support::torture::in_parallel;
use crate::support::{ID, Run, Sandbox, json_lines};

#[test]
fn streams_that_are_closed_or_full_stop_nothing() {
    // The redirections, and whether the payload can be read.
    let rows = [
        ("<&-", false),
        ("</dev/null", false),
        ("<.", false),
        ("< /dev/null <&1", false),
        (">&-", true),
        ("2>&-", true),
        (">&- 2>&-", true),
        ("<&- >&- 2>&-", false),
        (">/dev/full", true),
        (">/dev/full 2>/dev/full", true),
        ("<&- >/dev/full 2>&-", false),
    ];
    in_parallel(HOOKS.len(), 3, |hook| {
        let hook = HOOKS[hook];
        for (redirections, is_read) in rows {
            // What is open for writing only says neither something nor that it has ended.
            if redirections.ends_with("<&1") && hook.event != "PreToolUse" {
                continue;
            }
            let sandbox = lived_in();
            for (number, more) in TALKATIVE.into_iter().enumerate() {
                let case = format!("{} {redirections} {more:?}", hook.name());
                let run = with_variables(hook.run_with(&sandbox, redirections), more);
                let ended = feed(run, Stdin::of(own_event(hook, ID)));
                assert_eq!(ended.output.status.to_string(), "exit status: 0", "{case}");
                if more.is_empty() {
                    ended.assert_silent(&case);
                }
                let log = sandbox.state().join("unattributed.jsonl");
                let recorded = if is_read {
                    sandbox.journal(ID)
                } else {
                    json_lines(&log)
                };
                assert_eq!(recorded.len(), number + 1, "{case}");
                assert_eq!(
                    (sandbox.session(ID).exists(), log.exists()),
                    (is_read, !is_read),
                    "{case}"
                );
            }
            assert_sound(&sandbox, redirections);
        }
    });
}

/// Variables with which a hook has something to say: nothing, a line for the model, a complaint.
const TALKATIVE: [&[(&str, &str)]; 3] = [
    &[],
    &[("CCSESSION_CONTEXT_LINE", "true")],
    &[("CCSESSION_TTL", "soon"), ("HOOK_DEBUG", "true")],
];

fn with_variables(run: Run, variables: &[(&str, &str)]) -> Run {
    variables
        .iter()
        .fold(run, |run, (name, value)| run.env(name, value))
}

#[test]
fn a_reader_that_has_gone_stops_nothing() {
    for hook in HOOKS {
        let sandbox = lived_in();
        for (number, more) in TALKATIVE.into_iter().enumerate() {
            let case = format!("{} {more:?}", hook.name());
            let mut run = with_variables(hook.run(&sandbox), more);
            let piped = run
                .command
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped());
            let mut child = piped.spawn().unwrap();
            drop((child.stdout.take(), child.stderr.take()));
            let mut stdin = child.stdin.take().unwrap();
            stdin.write_all(own_event(hook, ID).as_bytes()).unwrap();
            drop(stdin);
            assert_eq!(
                child.wait().unwrap().to_string(),
                "exit status: 0",
                "{case}"
            );
            assert_eq!(sandbox.journal(ID).len(), number + 1, "{case}");
        }
        assert_sound(&sandbox, &hook.name());
    }
}

#[test]
fn arguments_and_variables_of_any_bytes_are_taken_as_they_are() {
    let bad = OsStr::from_bytes(b"\xff\xfe=\x01\n");
    for hook in HOOKS {
        let case = hook.name();
        let sandbox = lived_in();
        let odd = sandbox
            .path("\u{1}odd")
            .join(OsStr::from_bytes(b"p\xff\xfe"));
        fs::create_dir_all(&odd).unwrap();
        let mut run = hook.run(&sandbox);
        run.command
            .arg(bad)
            .args(vec![OsStr::from_bytes(b"--\xff"); 1000]);
        for name in [
            "XDG_STATE_HOME",
            "XDG_CONFIG_HOME",
            "CCSESSION_CONFIG",
            "CCSESSION_LIBEXEC",
            "CCSESSION_ID",
            "CLAUDE_CODE_SESSION_ID",
            "CLAUDE_ENV_FILE",
            "CLAUDE_CONFIG_DIR",
            "HOOK_DEBUG",
            "LANG",
            "TZ",
            "TMPDIR",
        ] {
            run = run.env(name, bad);
        }
        run.command.env(OsStr::from_bytes(b"\xff"), bad);
        run = run.env("CLAUDE_PROJECT_DIR", &odd);
        for number in 0..10_000 {
            run = run.env(&format!("VARIABLE_{number}"), "x".repeat(50));
        }
        feed(run, Stdin::of(own_event(hook, ID))).assert_silent_and_fed(&case);
        assert_eq!(sandbox.journal(ID).len(), 1, "{case}");
        let why = "it is not an absolute path";
        let noted = ["CCSESSION_CONFIG", "CCSESSION_LIBEXEC"]
            .map(|variable| format!("could not use {variable}: {why}"));
        assert_eq!(errors(&sandbox), noted, "{case}");
        let root = sandbox.record(ID)["project"]["root_hex"]
            .as_str()
            .unwrap()
            .to_owned();
        assert_eq!(
            ccsession::model::project::from_hex(&root).unwrap(),
            odd.as_os_str().as_bytes(),
            "{case}"
        );
    }
}

/// A setting that cannot be used is said or logged, and its default taken.
#[test]
fn invalid_settings_are_logged_and_defaults_used() {
    let bad = OsStr::from_bytes(b"\xff\xfe");
    for hook in HOOKS {
        let case = hook.name();
        let sandbox = lived_in();
        let config = sandbox.path("config.toml");
        fs::write(&config, [0xff; 100]).unwrap();
        let mut run = hook.run(&sandbox).env("CCSESSION_CONFIG", &config);
        for name in [
            "CCSESSION_TTL",
            "CCSESSION_CAPTURE",
            "CCSESSION_CLEANUP_INTERVAL",
            "SESSION_TIMEOUT_SECS",
        ] {
            run = run.env(name, bad);
        }
        feed(run, Stdin::of(own_event(hook, ID))).assert_silent_and_fed(&case);
        assert_eq!(sandbox.journal(ID).len(), 1, "{case}");
        let errors = errors(&sandbox);
        for part in [
            "could not read `",
            "could not use ttl from $CCSESSION_TTL: ",
            "capture",
            "cleanup_interval",
            "SESSION_TIMEOUT_SECS",
        ] {
            assert!(
                errors.iter().any(|error| error.contains(part)),
                "{}: {part}: {errors:?}",
                hook.name()
            );
        }
        assert_sound(&sandbox, &case);
    }
}

#[test]
fn without_a_usable_home_there_is_no_state_and_the_pointer_alone() {
    const NO_PLACE: &str = "could not find a state directory: HOME is not an absolute path";
    let sandbox = Sandbox::new;
    check_home(&sandbox(), &[("HOME", None)], None, NO_PLACE);
    check_home(&sandbox(), &[("HOME", Some("".as_ref()))], None, NO_PLACE);
    check_home(
        &sandbox(),
        &[("HOME", Some("home".as_ref()))],
        None,
        NO_PLACE,
    );
    check_home(
        &sandbox(),
        &[("HOME", Some("../home".as_ref()))],
        None,
        NO_PLACE,
    );
    check_home(
        &sandbox(),
        &[("HOME", None), ("XDG_STATE_HOME", Some("x".as_ref()))],
        None,
        NO_PLACE,
    );

    let file = sandbox();
    fs::write(file.path("file"), "").unwrap();
    check_home(
        &file,
        &[("HOME", Some(file.path("file").as_ref()))],
        None,
        "Not a directory",
    );

    let closed = sandbox();
    fs::set_permissions(closed.home(), Permissions::from_mode(0o500)).unwrap();
    if root() {
        println!("skipped: nothing is closed to root");
    } else {
        check_home(&closed, &[], None, "Permission denied");
    }
}
