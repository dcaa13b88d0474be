//! When a cleanup is due: the age of its stamps decides, whatever their content. Nothing depends on how the cleanup ends.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use crate::support::archives::{NONE, begun, files, said, write};
use crate::support::{ID, SESSION_START, Sandbox, event};

const MINUTE: i64 = 60;
const DAY: i64 = 24 * 60 * MINUTE;

/// By how much the time of a file may lie behind the clock's: the kernel notes it by its last tick.
const COARSE: Duration = Duration::from_millis(20);

/// Makes a stamp that many seconds old; one from the future is of a clock that was set back.
fn age(stamp: &Path, seconds: i64) {
    let file = fs::File::options().write(true).open(stamp).unwrap();
    let by = Duration::from_secs(seconds.unsigned_abs());
    let time = match seconds < 0 {
        true => SystemTime::now() + by,
        false => SystemTime::now() - by,
    };
    file.set_modified(time).unwrap();
}

/// What a stamp could hold: the older tool's, with and without an offset, and none at all.
const CONTENTS: [&str; 5] = [
    "",
    "2026-11-20T14:00:00.000000",
    "2026-11-20T14:00:00+00:00",
    "2026-11-20T14:00:00Z",
    "[garbage\u{0}",
];

/// In the older tools, a stamp with an offset stopped all cleanups for ever, and garbage made one each time.
#[test]
fn a_cleanup_is_due_by_the_age_of_its_stamp_whatever_is_in_it() {
    for content in CONTENTS {
        for (seconds, is_due) in [
            (0, false),
            (4 * MINUTE, false),
            (6 * MINUTE, true),
            (400 * DAY, true),
            (-60 * MINUTE, true),
        ] {
            let sandbox = Sandbox::just_swept();
            let pointer = sandbox.pointer("gone");
            write(&pointer, "s-gone\n2026-01-01T00:00:00.000000\n");
            age(&pointer, 40 * DAY);
            let stamp = sandbox.state().join("sweep");
            write(&stamp, content);
            age(&stamp, seconds);
            let removed = sandbox.ccsession(["cleanup", "--if-due"]).stdout();
            assert_eq!(
                removed,
                format!("{}\n", u8::from(is_due)),
                "{content:?} {seconds}"
            );
            assert_eq!(pointer.exists(), !is_due);
            // Whatever it was, it is a stamp again.
            sandbox
                .ccsession(["cleanup", "--if-due"])
                .expect(0, "0\n", "");
        }
    }
}

/// The same, of the work that is done once a day.
#[test]
fn the_days_work_is_due_by_the_age_of_its_stamp_whatever_is_in_it() {
    for content in CONTENTS {
        for (seconds, is_due) in [
            (0, false),
            (DAY - MINUTE, false),
            (DAY + MINUTE, true),
            (-DAY, true),
        ] {
            let sandbox = Sandbox::archiving();
            let transcript = begun(&sandbox, json!({}));
            write(&transcript, said(&["one"]));
            let stamp = sandbox.state().join("daily");
            write(&stamp, content);
            age(&stamp, seconds);
            // Of a live session, only the day's work makes an archive.
            sandbox.ccsession(["cleanup"]).expect(0, "0\n", "");
            assert_eq!(files(&sandbox) != NONE, is_due, "{content:?} {seconds}");
        }
    }
}

#[test]
fn the_first_cleanup_is_due_and_stamps() {
    let sandbox = Sandbox::archiving();
    let transcript = begun(&sandbox, json!({}));
    write(&transcript, said(&["one"]));
    for stamp in ["sweep", "daily"] {
        let _ = fs::remove_file(sandbox.state().join(stamp));
    }
    let before = SystemTime::now();
    sandbox
        .ccsession(["cleanup", "--if-due"])
        .expect(0, "0\n", "");
    assert_eq!(files(&sandbox).len(), 4);
    for stamp in ["sweep", "daily"] {
        let stamp = fs::metadata(sandbox.state().join(stamp)).unwrap();
        let modified = stamp.modified().unwrap();
        assert!(modified >= before - COARSE, "{modified:?} {before:?}");
        assert_eq!(stamp.permissions().mode() & 0o777, 0o600);
    }
}

/// The older tool promised that a clock-in succeeds even if the cleanup fails, and its test made none fail.
#[test]
fn a_start_and_a_clock_in_do_not_depend_on_a_cleanup() {
    let sandbox = Sandbox::archiving();
    let transcript = begun(&sandbox, json!({}));
    write(&transcript, said(&["one"]));
    let end = event("SessionEnd", ID, json!({"reason": "other"}));
    sandbox.hook(&end).silent();
    let folder = sandbox.state().join("archive");
    fs::create_dir(&folder).unwrap();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).unwrap();
    let output = sandbox.ccsession(["cleanup"]).output();
    assert_eq!(output.status.code(), Some(1), "it fails");
    fs::remove_file(sandbox.state().join("sweep")).unwrap();
    let start = event("SessionStart", "s-next", json!({"source": "startup"}));
    sandbox.hook(&start).silent();
    let clock_in = ["clock-in", "--session", "s-next", "--focus", "x", "--json"];
    let said: Value = sandbox.ccsession(clock_in).json();
    assert_eq!(json!([said["focus"], said["created"]]), json!(["x", false]));
    assert!(
        sandbox.state().join("ended").join(ID).exists(),
        "still to be archived"
    );
    assert_eq!(files(&sandbox), NONE);
}

/// A busy machine may be slower than a hook waits, so one round of several is enough; without waiting each leaves a zombie.
#[test]
fn a_cleanup_leaves_no_zombie_if_process_1_does_not_reap() {
    let sandbox = Sandbox::new();
    let script = r#"
        until grep -q cat /proc/1/comm; do sleep 0.01; done
        for round in 1 2 3 4 5 6 7 8 9 10; do
            rm -f "$STAMP"
            printf '%s' "$PAYLOAD" | "$HOOK"
            [ -e "$STAMP" ] || echo "no cleanup in round $round"
            grep -q '(ccsession)' /proc/[0-9]*/stat 2>/dev/null || { echo none; break; }
        done >"$SAID"
        : >"$GATE""#;
    let gate = sandbox.path("gate");
    let made = std::process::Command::new("mkfifo").arg(&gate).status();
    assert!(made.unwrap().success());
    let first = format!("({script}) & exec cat \"$GATE\"");
    let Some(words) = crate::support::namespaces::with_own_pids(&["/bin/sh", "-c", &first]) else {
        return;
    };
    let start = event("SessionStart", ID, json!({"source": "startup"}));
    let mut run = sandbox.run("unshare");
    run.command.args(words);
    run.env("PAYLOAD", start.to_string())
        .env("HOOK", SESSION_START)
        .env("STAMP", sandbox.state().join("sweep"))
        .env("GATE", &gate)
        .env("SAID", sandbox.path("said"))
        .expect(0, "", "");
    let said = fs::read_to_string(sandbox.path("said")).unwrap();
    assert_eq!(said.lines().last(), Some("none"), "{said}");
}
