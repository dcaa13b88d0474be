//! Directories that others can change, or that are unsafe, read-only, full or missing: they are left alone and reported.

use std::ffi::{OsStr, OsString};
use std::fs::{self, Permissions};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::PathBuf;

use ccsession::store::journal::Damage;
use serde_json::{Value, json};

use super::{HOOKS, Stdin, check_home, errors, feed, last_line, own_event, tree};
use crate::support::files::{Snapshot, changes, snapshot};
use crate::support::namespaces::{in_own_mounts, root};
use crate::support::states::{OLD, assert_sound, lived_in, make_state};
use crate::support::{ID, Sandbox, event, mode, text};

#[test]
fn the_first_usable_place_is_the_state_directory() {
    type Variables = Vec<(&'static str, Option<OsString>)>;
    let check = |variables: &dyn Fn(&Sandbox) -> Variables, place: &str| {
        let sandbox = Sandbox::new();
        let variables = variables(&sandbox);
        let variables: Vec<_> = variables
            .iter()
            .map(|(name, value)| (*name, value.as_deref()))
            .collect();
        let place = sandbox
            .path("")
            .join(OsStr::from_bytes(place.replace('@', "\u{0}").as_bytes()));
        check_home(&sandbox, &variables, Some(&place), "");
    };
    let path = |sandbox: &Sandbox, name: &str| Some(sandbox.path(name).into_os_string());
    check(&|_| vec![], "home/.local/state/ccsession");
    check(
        &|s| vec![("HOME", path(s, "nowhere"))],
        "nowhere/.local/state/ccsession",
    );
    check(
        &|_| vec![("XDG_STATE_HOME", Some("relative".into()))],
        "home/.local/state/ccsession",
    );
    check(
        &|_| vec![("XDG_STATE_HOME", Some("".into()))],
        "home/.local/state/ccsession",
    );
    check(
        &|s| vec![("XDG_STATE_HOME", path(s, "xdg"))],
        "xdg/ccsession",
    );
    check(
        &|s| vec![("HOME", None), ("XDG_STATE_HOME", path(s, "xdg"))],
        "xdg/ccsession",
    );
    check(
        &|_| vec![("CCSESSION_STATE_DIR", Some("relative".into()))],
        "home/.local/state/ccsession",
    );
    check(
        &|_| vec![("CCSESSION_STATE_DIR", Some("".into()))],
        "home/.local/state/ccsession",
    );
    check(
        &|s| {
            vec![
                ("CCSESSION_STATE_DIR", path(s, "a/b/c")),
                ("XDG_STATE_HOME", path(s, "xdg")),
            ]
        },
        "a/b/c",
    );

    let sandbox = Sandbox::new();
    let home = sandbox.path("").join(OsStr::from_bytes(b"h\xff\n"));
    fs::create_dir(&home).unwrap();
    check_home(
        &sandbox,
        &[("HOME", Some(home.as_os_str()))],
        Some(&home.join(".local/state/ccsession")),
        "",
    );
}

/// Runs every hook with a state directory that must not be used, and asserts that nothing in the sandbox changed but
/// the pointer of a start, and that debugging says why.
#[track_caller]
fn check_unusable_state(prepare: impl Fn(&Sandbox) -> PathBuf, why: &str) {
    for hook in HOOKS {
        let sandbox = Sandbox::new();
        let state = prepare(&sandbox);
        let case = format!("{}: {why}", hook.name());
        let before = (tree(&sandbox), mode(&state));
        let run = || hook.run(&sandbox).env("CCSESSION_STATE_DIR", &state);
        feed(run(), Stdin::of(own_event(hook, ID))).assert_silent_and_fed(&case);
        let is_moving = ["SessionStart", "UserPromptSubmit"].contains(&hook.event);
        let pointer = sandbox.pointer("shop");
        assert_eq!(pointer.exists(), is_moving, "{case}");
        let _ = fs::remove_file(&pointer);
        feed(run(), Stdin::of("no payload")).assert_silent_and_fed(&case);
        assert_eq!((tree(&sandbox), mode(&state)), before, "{case}");
        let output = run()
            .env("HOOK_DEBUG", "true")
            .stdin(own_event(hook, ID))
            .output();
        let said = format!("ccsession: {}\n", why.replace('@', state.to_str().unwrap()));
        assert_eq!(
            (
                output.status.code(),
                text(&output.stdout),
                text(&output.stderr)
            ),
            (Some(0), String::new(), said),
            "{case}"
        );
    }
}

#[test]
fn a_state_directory_that_others_can_change_is_not_used() {
    let with_mode = |mode| {
        move |sandbox: &Sandbox| {
            make_state(&sandbox.state());
            fs::set_permissions(sandbox.state(), Permissions::from_mode(mode)).unwrap();
            sandbox.state()
        }
    };
    for open in [0o755, 0o750, 0o701, 0o777, 0o1777, 0o710] {
        let why = format!(
            "could not trust `@`: others may enter it (mode {open:04o}); run chmod 700 on it"
        );
        check_unusable_state(with_mode(open), &why);
    }
    let file = |sandbox: &Sandbox| {
        fs::write(sandbox.state(), "mine").unwrap();
        sandbox.state()
    };
    check_unusable_state(file, "could not trust `@`: it is not a directory");
    let link = |sandbox: &Sandbox| {
        make_state(&sandbox.path("elsewhere"));
        symlink(sandbox.path("elsewhere"), sandbox.state()).unwrap();
        sandbox.state()
    };
    check_unusable_state(link, "could not trust `@`: it is a symbolic link");
    let dangling = |sandbox: &Sandbox| {
        symlink(sandbox.path("nowhere"), sandbox.state()).unwrap();
        sandbox.state()
    };
    check_unusable_state(dangling, "could not trust `@`: it is a symbolic link");
    if root() {
        let foreign = |sandbox: &Sandbox| {
            make_state(&sandbox.state());
            std::os::unix::fs::chown(sandbox.state(), Some(54321), None).unwrap();
            sandbox.state()
        };
        check_unusable_state(
            foreign,
            "could not trust `@`: it belongs to another user (uid 54321)",
        );
    } else {
        println!("skipped: only root can give a directory away");
        let roots = |_: &Sandbox| PathBuf::from("/usr");
        let owner = fs::metadata("/usr").unwrap().uid();
        check_unusable_state(
            roots,
            &format!("could not trust `@`: it belongs to another user (uid {owner})"),
        );
    }
}

#[test]
fn nothing_is_made_in_another_users_home() {
    if !root() {
        println!("skipped: only root can make a home of another user's");
        return;
    }
    for hook in HOOKS {
        let case = hook.name();
        let sandbox = Sandbox::new();
        std::os::unix::fs::chown(sandbox.home(), Some(54321), None).unwrap();
        let before = tree(&sandbox);
        let run = || hook.run(&sandbox).without_env("CCSESSION_STATE_DIR");
        feed(run(), Stdin::of(own_event(hook, ID))).assert_silent_and_fed(&case);
        let output = run()
            .env("HOOK_DEBUG", "true")
            .stdin(own_event(hook, ID))
            .output();
        let said = format!(
            "ccsession: could not trust `{}`: it belongs to another user (uid 54321)\n",
            sandbox.home().display()
        );
        assert_eq!(text(&output.stderr), said, "{case}");
        let _ = fs::remove_file(sandbox.pointer("shop"));
        assert_eq!(tree(&sandbox), before, "{case}");
    }
}

/// Runs every hook with a pointer directory that must not be used: the event is recorded, the pointer is not, and the
/// errors' log says why of the events that would have moved it.
#[track_caller]
fn check_unusable_pointers(prepare: impl Fn(&Sandbox) -> PathBuf, why: &str) {
    for hook in HOOKS {
        let sandbox = Sandbox::new();
        make_state(&sandbox.state());
        let pointers = prepare(&sandbox);
        let case = format!("{}: {why}", hook.name());
        let run = || hook.run(&sandbox).env("CCSESSION_POINTER_DIR", &pointers);
        feed(run(), Stdin::of(own_event(hook, ID))).assert_silent_and_fed(&case);
        assert_eq!(sandbox.journal(ID).len(), 1, "{case}");
        let is_moving = ["SessionStart", "UserPromptSubmit"].contains(&hook.event);
        let why = why.replace('@', pointers.to_str().unwrap());
        let expected = if is_moving { vec![why.clone()] } else { vec![] };
        assert_eq!(errors(&sandbox), expected, "{case}");
        if is_moving {
            assert_eq!(
                last_line(&sandbox, "hook-errors.jsonl")["session_id"],
                ID,
                "{case}"
            );
        }
        feed(
            run(),
            Stdin::of(event("SessionEnd", ID, json!({})).to_string()),
        )
        .assert_silent_and_fed(&case);
        let output = run()
            .env("HOOK_DEBUG", "true")
            .stdin(own_event(hook, ID))
            .output();
        let said = if is_moving {
            format!("ccsession: {why}\n")
        } else {
            String::new()
        };
        assert_eq!(
            (
                output.status.code(),
                text(&output.stdout),
                text(&output.stderr)
            ),
            (Some(0), String::new(), said),
            "{case}"
        );
        assert_sound(&sandbox, &case);
        assert!(!sandbox.pointer("shop").exists(), "{case}");
    }
}

#[test]
fn a_pointer_directory_that_is_unsafe_or_missing_is_not_used() {
    check_unusable_pointers(
        |s| s.path("gone"),
        "could not inspect `@`: No such file or directory",
    );
    let file = |sandbox: &Sandbox| {
        fs::write(sandbox.path("file"), "").unwrap();
        sandbox.path("file")
    };
    check_unusable_pointers(file, "could not trust `@`: it is not a directory");
    let open = |sandbox: &Sandbox| {
        fs::create_dir(sandbox.path("open")).unwrap();
        fs::set_permissions(sandbox.path("open"), Permissions::from_mode(0o777)).unwrap();
        sandbox.path("open")
    };
    check_unusable_pointers(
        open,
        "could not trust `@`: everybody may write to it and it is not sticky (as chmod 1777 makes it)",
    );
    if root() {
        let foreign = |sandbox: &Sandbox| {
            fs::create_dir(sandbox.path("foreign")).unwrap();
            std::os::unix::fs::chown(sandbox.path("foreign"), Some(54321), None).unwrap();
            sandbox.path("foreign")
        };
        check_unusable_pointers(
            foreign,
            "could not trust `@`: it belongs to another user (uid 54321)",
        );
    }
}

#[test]
fn a_working_directory_that_is_gone_stops_nothing() {
    let gone = "mkdir gone && cd gone && rmdir ../gone";
    for hook in HOOKS {
        let case = hook.name();
        let sandbox = lived_in();
        let named = event(
            hook.event,
            ID,
            json!({"source": "startup", "cwd": sandbox.path("shop/gone")}),
        );
        feed(hook.run_after(&sandbox, gone), Stdin::of(named.to_string()))
            .assert_silent_and_fed(&case);
        assert_eq!(sandbox.journal(ID).len(), 1, "{case}");
        assert_eq!(sandbox.record(ID)["project"]["name"], "gone", "{case}");
        assert_eq!(errors(&sandbox), [""; 0], "{case}");

        // A session that is known needs no directory; of one that is new, nothing is known without one.
        feed(
            hook.run_after(&sandbox, gone),
            Stdin::of(own_event(hook, ID)),
        )
        .assert_silent_and_fed(&case);
        assert_eq!(sandbox.journal(ID).len(), 2, "{case}");
        feed(
            hook.run_after(&sandbox, gone),
            Stdin::of(own_event(hook, "s-2")),
        )
        .assert_silent_and_fed(&case);
        assert_sound(&sandbox, &case);
        let errors = errors(&sandbox);
        let why = "could not find `.`: No such file or directory";
        assert!(
            errors.iter().any(|error| error == why),
            "{case}: {errors:?}"
        );
    }
}

#[test]
fn read_only_directories_are_left_alone_and_said() {
    for hook in HOOKS {
        for (read_only, said) in [
            ("state", false),
            ("pointers", true),
            ("state pointers", false),
        ] {
            for id in [OLD, ID] {
                let case = format!("{}: {read_only} read-only, session {id}", hook.name());
                let sandbox = lived_in();
                let before = snapshot(&sandbox);
                let mounts: String = read_only
                    .split(' ')
                    .map(|dir| format!("mount --bind '{0}' '{0}' && mount -o remount,ro,bind '{0}' || exit 9\n", sandbox.path(dir).display()))
                    .collect();
                // The start of another session, or a prompt, would move the pointer; what is not moved fails nothing.
                let script = format!(
                    "{mounts}exec '{}' {}",
                    hook.program,
                    hook.arguments.join(" ")
                );
                let Some(run) = in_own_mounts(&sandbox, &script) else {
                    return;
                };
                feed(run, Stdin::of(own_event(hook, id))).assert_silent_and_fed(&case);
                let after = snapshot(&sandbox);
                assert_sound(&sandbox, &case);
                if read_only.contains("pointers") {
                    assert_eq!(
                        after["pointers/claude_session_shop"],
                        before["pointers/claude_session_shop"],
                        "{case}"
                    );
                }
                if read_only.contains("state") {
                    let kept = |snapshot: &Snapshot| {
                        snapshot
                            .clone()
                            .into_iter()
                            .filter(|(name, _)| name.starts_with("state/"))
                            .collect::<Snapshot>()
                    };
                    assert_eq!(changes(&kept(&before), &kept(&after)), [""; 0], "{case}");
                } else {
                    let expected = if id == OLD { 2 } else { 1 };
                    assert_eq!(sandbox.journal(id).len(), expected, "{case}");
                }
                let fails = said
                    && (hook.event == "SessionStart"
                        || (hook.event == "UserPromptSubmit" && id == ID));
                let errors = errors(&sandbox);
                assert_eq!(
                    errors
                        .iter()
                        .filter(|error| error.contains("Read-only file system"))
                        .count(),
                    usize::from(fails),
                    "{case}: {errors:?}"
                );
            }
        }
    }
}

/// Runs every hook on a file system of its own, which `fill` has filled, and asserts that what was there stands.
#[track_caller]
fn check_full(options: &str, fill: &str) {
    for hook in HOOKS {
        for id in [OLD, ID] {
            let case = format!("{}: {options}, session {id}", hook.name());
            let sandbox = lived_in();
            let before = snapshot(&sandbox);
            let place = sandbox.path("full");
            fs::create_dir(&place).unwrap();
            // State and pointers move to the small file system, and back after the hook has run three times.
            let script = format!(
                "mount -t tmpfs -o mode=0700,{options} none '{place}' || exit 9
                cp -Rp '{state}' '{pointers}' '{place}' || exit 9
                cd '{place}' && {fill}
                cd '{project}'
                export CCSESSION_STATE_DIR='{place}/state' CCSESSION_POINTER_DIR='{place}/pointers'
                payload=$(cat)
                for n in 1 2 3; do printf %s \"$payload\" | '{program}' {arguments} || exit 8; done
                rm -f '{place}'/filler*
                printf %s \"$payload\" | '{program}' {arguments} || exit 8
                rm -rf '{state}' '{pointers}'
                cp -Rp '{place}/state' '{state}' && cp -Rp '{place}/pointers' '{pointers}' || exit 9",
                place = place.display(),
                state = sandbox.state().display(),
                pointers = sandbox.pointers().display(),
                project = sandbox.project().display(),
                program = hook.program,
                arguments = hook.arguments.join(" "),
            );
            let Some(run) = in_own_mounts(&sandbox, &script) else {
                return;
            };
            let ended = feed(run, Stdin::of(own_event(hook, id)));
            let got = (
                ended.output.status.to_string(),
                text(&ended.output.stdout),
                text(&ended.output.stderr),
            );
            assert_eq!(
                got,
                ("exit status: 0".to_owned(), String::new(), String::new()),
                "{case}"
            );
            let after = snapshot(&sandbox);
            sandbox.assert_no_leftovers();
            let record = format!("state/sessions/{OLD}/session.json");
            assert_eq!(after[&record], before[&record], "{case}");
            let journal = format!("state/sessions/{OLD}/events.jsonl");
            assert!(after[&journal].starts_with(&before[&journal]), "{case}");
            let pointer = &after["pointers/claude_session_shop"];
            let (named, _) = ccsession::model::pointer::decode(pointer).unwrap();
            assert!([OLD, id].contains(&named.as_str()), "{case}: {named}");
            // The last run, with room again, is whole, whatever the three before it left: nothing that is torn is
            // taken for an event, and nothing for another.
            let mut events = sandbox.events(id);
            let read: Vec<String> = events.by_ref().map(|event| event.event).collect();
            assert_eq!(
                read.last().map(String::as_str),
                Some(hook.event),
                "{case}: {read:?}"
            );
            let damage = events.damage();
            assert_eq!(
                damage,
                Damage {
                    torn: damage.torn,
                    ..Damage::default()
                },
                "{case}"
            );
            assert!(
                read.len() as u64 + damage.torn <= 5,
                "{case}: {read:?} {damage:?}"
            );
            sandbox.record(id);
            let owners = sandbox.session(id).join("owners");
            for owner in fs::read_dir(owners).unwrap() {
                let bytes = fs::read(owner.unwrap().path()).unwrap();
                assert!(
                    serde_json::from_slice::<Value>(&bytes).is_ok(),
                    "{case}: {:?}",
                    text(&bytes)
                );
            }
        }
    }
}

#[test]
fn a_full_file_system_loses_nothing_that_was_there() {
    check_full(
        "size=64k,nr_inodes=200",
        "dd if=/dev/zero of=filler bs=4096 2>/dev/null",
    );
}

#[test]
fn a_file_system_without_inodes_loses_nothing_that_was_there() {
    check_full(
        "size=1m,nr_inodes=64",
        "for n in $(seq 200); do true >filler$n; done 2>/dev/null",
    );
}
