//! The pointer as everybody sees it: its bytes, its name, how long it counts, what is refused, and what a cleanup removes.
//! These tests write pointers in UTC and read them under `TZ=UTC0`.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, Permissions};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use chrono::{DateTime, NaiveDateTime};
use serde_json::{Value, json};

use ccsession::model::{ProjectName, Timestamp};
use ccsession::store::clock;
use ccsession::store::pointer::{Freshness, PointerReading, Pointers};
use ccsession::store::write::Durability;

use crate::support::pointers::{at_once, in_utc, place, put, set_age, set_aside};
use crate::support::time::{
    CIVIL, DAY, HOUR, MINUTE, TOKYO, civil, knows_zones, now_micros, st_johns,
};
use crate::support::{ID, Run, Sandbox, event, json_lines, mode, text};

/// Makes the state directory as a first session would.
fn make_state(sandbox: &Sandbox) {
    fs::create_dir(sandbox.state()).unwrap();
    fs::set_permissions(sandbox.state(), Permissions::from_mode(0o700)).unwrap();
}

fn entries(dir: &Path) -> Vec<OsString> {
    let mut names: Vec<OsString> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    names.sort();
    names
}

/// The line of `--explain` for the pointer.
fn explained(sandbox: &Sandbox) -> String {
    let output = at_once("", || {
        in_utc(sandbox, ["current", "--name", "shop", "--explain"])
    });
    assert_eq!(
        (output.status.code(), text(&output.stderr)),
        (Some(0), String::new())
    );
    let said = text(&output.stdout);
    said.lines()
        .find_map(|line| line.strip_prefix("pointer     "))
        .unwrap_or_else(|| panic!("{said}"))
        .to_owned()
}

// What is written

#[track_caller]
fn check_stored(zone: &str, ahead: i64) {
    let sandbox = Sandbox::new();
    let before = now_micros();
    sandbox.ccsession(["store", ID]).env("TZ", zone).silent();
    let after = now_micros();

    let path = sandbox.pointer("shop");
    let content = fs::read_to_string(&path).unwrap();
    let time = content
        .strip_prefix(&format!("{ID}\n"))
        .and_then(|rest| rest.strip_suffix('\n'))
        .unwrap_or_else(|| panic!("{zone}: {content:?}"));
    let parsed = NaiveDateTime::parse_from_str(time, CIVIL).unwrap();
    assert_eq!(parsed.format(CIVIL).to_string(), time, "{zone}");
    assert_eq!(time.len(), "2026-11-20T14:27:52.467733".len(), "{zone}");
    let written = parsed.and_utc().timestamp_micros() - ahead * 1_000_000;
    assert!(
        (before..=after).contains(&written),
        "{zone}: {time} is not the civil time"
    );
    assert_eq!(mode(&path), 0o600, "{zone}");
    assert_eq!(
        entries(&sandbox.pointers()),
        ["claude_session_shop"],
        "{zone}"
    );
}

#[test]
fn is_two_lines_of_id_and_local_civil_time() {
    check_stored("", 0);
    check_stored("UTC0", 0);
    check_stored("JST-9", TOKYO);
    check_stored("NST3:30NDT,M3.2.0,M11.1.0", st_johns());
    if knows_zones() {
        check_stored("UTC", 0);
        check_stored("Asia/Tokyo", TOKYO);
        check_stored(":Asia/Tokyo", TOKYO);
        check_stored("America/St_Johns", st_johns());
    }
}

#[test]
fn only_its_owner_can_access_it_under_any_umask() {
    for umask in ["0000", "0022", "0777"] {
        let sandbox = Sandbox::new();
        let script = format!(
            "umask {umask}; exec {} store {ID}",
            crate::support::CCSESSION
        );
        sandbox.run("/bin/sh").arg("-c").arg(script).silent();
        assert_eq!(mode(&sandbox.pointer("shop")), 0o600, "{umask}");
    }
}

#[test]
fn a_second_store_replaces_the_first() {
    let sandbox = Sandbox::new();
    for id in ["s-1", "s-2"] {
        sandbox.ccsession(["store", id]).silent();
        sandbox
            .ccsession(["current", "--name", "shop"])
            .expect(0, &format!("{id}\n"), "");
    }
    assert_eq!(entries(&sandbox.pointers()), ["claude_session_shop"]);
}

#[test]
fn a_store_replaces_a_link_and_not_what_it_leads_to() {
    let sandbox = Sandbox::new();
    let target = sandbox.path("notes");
    fs::write(&target, "mine").unwrap();
    symlink(&target, sandbox.pointer("shop")).unwrap();
    sandbox.ccsession(["store", ID]).silent();
    assert_eq!(fs::read_to_string(&target).unwrap(), "mine");
    assert!(
        fs::symlink_metadata(sandbox.pointer("shop"))
            .unwrap()
            .is_file()
    );
    sandbox
        .ccsession(["current", "--name", "shop"])
        .expect(0, &format!("{ID}\n"), "");
}

#[track_caller]
fn check_bad_id(id: &str, why: &str) {
    let sandbox = Sandbox::new();
    let path = place(&sandbox, "shop", ID, HOUR);
    let before = (
        fs::read(&path).unwrap(),
        fs::metadata(&path).unwrap().modified().unwrap(),
    );
    let shown = id.replace('\n', "\\u{a}").replace('\u{1b}', "\\u{1b}");
    let said = in_utc(&sandbox, ["store", "--", id]).refused(64);
    assert_eq!(
        said,
        format!("ccsession: could not use `{shown}` as a session id: {why}")
    );
    let after = (
        fs::read(&path).unwrap(),
        fs::metadata(&path).unwrap().modified().unwrap(),
    );
    assert_eq!(after, before, "{id:?}");
    assert_eq!(
        entries(&sandbox.pointers()),
        ["claude_session_shop"],
        "{id:?}"
    );
}

#[test]
fn store_refuses_a_bad_id_and_leaves_the_old_pointer() {
    const ALPHABET: &str =
        "it may hold only letters, digits, `.`, `_` and `-`, and starts with a letter or a digit";
    check_bad_id("", "it is empty");
    check_bad_id("unknown", "`unknown` means that there is no session");
    check_bad_id(&"x".repeat(129), "it is longer than 128 bytes");
    for id in [
        "../../x",
        ".a",
        "-a",
        "_a",
        "a b",
        "a/b",
        "a\n2099-01-01T00:00:00",
        "\u{1b}[2J",
        "é",
    ] {
        check_bad_id(id, ALPHABET);
    }
}

#[test]
fn a_store_that_fails_leaves_what_was_there_and_no_temporary_file() {
    let sandbox = Sandbox::new();
    let path = sandbox.pointer("shop");
    fs::create_dir(&path).unwrap();
    let said = sandbox.ccsession(["store", ID]).refused(1);
    let shown = path.display();
    assert_eq!(
        said,
        format!("ccsession: could not replace `{shown}`: Is a directory")
    );
    assert!(path.is_dir());
    sandbox.assert_no_leftovers();

    let sandbox = Sandbox::new();
    fs::remove_dir(sandbox.pointers()).unwrap();
    let said = sandbox.ccsession(["store", ID]).refused(1);
    assert!(said.starts_with("ccsession: could not inspect `"), "{said}");
}

/// A limit of zero bytes for every file stands for a disk that is full.
#[test]
fn a_store_that_cannot_write_leaves_the_old_pointer() {
    let sandbox = Sandbox::just_swept();
    let path = place(&sandbox, "shop", "s-1", HOUR);
    let before = fs::read(&path).unwrap();
    let limited = |program: &str, arguments: &str| {
        let script = format!("ulimit -f 0; exec {program} {arguments}");
        sandbox
            .run("/bin/sh")
            .arg("-c")
            .arg(script)
            .env("TZ", "UTC0")
    };
    let start = event("SessionStart", ID, json!({"source": "startup"}));
    limited(crate::support::SESSION_START, "")
        .stdin(start.to_string())
        .silent();
    assert_eq!(fs::read(&path).unwrap(), before);
    sandbox.assert_no_leftovers();

    let output = limited(crate::support::CCSESSION, &format!("store {ID}")).output();
    assert_eq!(fs::read(&path).unwrap(), before);
    sandbox.assert_no_leftovers();
    assert_eq!(
        output.status.code(),
        Some(1),
        "an error, and not a signal: {output:?}"
    );
}

// How it is named

#[track_caller]
fn check_name(name: &[u8], file: &[u8]) {
    let sandbox = Sandbox::new();
    let dir = sandbox.path("projects").join(OsStr::from_bytes(name));
    fs::create_dir_all(&dir).unwrap();
    let shown = String::from_utf8_lossy(name);
    sandbox.ccsession(["store", ID]).dir(&dir).silent();
    let mut expected = OsString::from("claude_session_");
    expected.push(OsStr::from_bytes(file));
    assert_eq!(entries(&sandbox.pointers()), [expected], "{shown}");
    sandbox
        .ccsession(["current"])
        .dir(&dir)
        .expect(0, &format!("{ID}\n"), "");
    check_asked_by_name(&sandbox, name, ID);
}

#[track_caller]
fn check_asked_by_name(sandbox: &Sandbox, name: &[u8], answer: &str) {
    let mut option = OsString::from("--name=");
    option.push(OsStr::from_bytes(name));
    in_utc(sandbox, [OsStr::new("current"), &option]).expect(0, &format!("{answer}\n"), "");
}

#[test]
fn a_name_is_the_path_that_others_use_or_a_safe_one() {
    for plain in [
        "shop",
        "two words",
        "größe",
        "日本語",
        "-rf",
        "~x",
        "a.b",
        ".hidden",
        "100%",
    ] {
        check_name(plain.as_bytes(), plain.as_bytes());
    }
    check_name(&[b'x'; 200], &[b'x'; 200]);
    check_name(
        &[b'x'; 201],
        format!("{}~84a0678c9093", "x".repeat(100)).as_bytes(),
    );
    check_name(
        "ü".repeat(101).as_bytes(),
        format!("{}~2bb4522ea029", "-".repeat(100)).as_bytes(),
    );
    check_name(b"a\nb", b"a-b~7e18f737311b");
    check_name(b"a\x7fb", b"a-b~4ef992561c6e");
    check_name(b"tab\there", b"tab-here~5b8765931ded");
    check_name(b"\x1b[2Jx", b"--2Jx~b56a87a0bf7c");
    if cfg!(target_os = "linux") {
        check_name(b"\xff\xfe", b"\xff\xfe");
    }
}

#[test]
fn a_name_that_is_not_a_path_component_cannot_leave_the_directory() {
    let cases: [(&[u8], &str); 6] = [
        (b"a/b", "a-b~c14cddc033f6"),
        (b"/etc/passwd", "-etc-passwd~74acf3184453"),
        (b"../../etc", "..-..-etc~74ccf3c5b4c1"),
        (b"..", "..~5ec1f7e700f3"),
        (b".", ".~cdb4ee2aea69"),
        (b"", "~e3b0c44298fc"),
    ];
    for (name, file) in cases {
        let sandbox = Sandbox::new();
        place(&sandbox, file, ID, HOUR);
        check_asked_by_name(&sandbox, name, ID);
    }
    let sandbox = Sandbox::new();
    sandbox.ccsession(["store", ID, "--project", "/"]).silent();
    assert_eq!(
        entries(&sandbox.pointers()),
        ["claude_session_~e3b0c44298fc"]
    );
}

// How long it counts

#[track_caller]
fn check_standing(seconds_later: i64, micros: i64, expected: Freshness) {
    let sandbox = Sandbox::new();
    let name = ProjectName::new("shop".into());
    let stored = clock::now();
    let dir = sandbox.pointers();
    let at = |now| Pointers {
        dir: &dir,
        state: None,
        ttl: Duration::from_secs(24 * 60 * 60),
        now,
    };
    at(stored)
        .store(&name, &ID.parse().unwrap(), Durability::Cached)
        .unwrap();
    let later = Timestamp::from_micros(stored.micros() + seconds_later * 1_000_000 + micros);
    match at(later).read(&name) {
        PointerReading::Pointer { standing, .. } => {
            assert_eq!(standing, expected, "{seconds_later} s and {micros} µs")
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn is_fresh_for_exactly_a_day_and_from_five_minutes_before() {
    check_standing(DAY, 0, Freshness::Fresh);
    check_standing(DAY, 1, Freshness::Stale);
    check_standing(0, 0, Freshness::Fresh);
    check_standing(-5 * MINUTE, 0, Freshness::Fresh);
    check_standing(-5 * MINUTE, -1, Freshness::Ahead);
}

/// What `question` says of a pointer of this age. Up to the second only where a clock can be passed in, above: a program
/// takes its time, and the pointer gets older.
fn asked_at(sandbox: &Sandbox, age: i64, question: &dyn Fn() -> Run) -> String {
    place(sandbox, "shop", "s-1", age);
    question().stdout()
}

#[track_caller]
fn check_ttl(ttl: i64, configure: impl Fn(&Sandbox, Run) -> Run) {
    let sandbox = Sandbox::new();
    let current = || configure(&sandbox, in_utc(&sandbox, ["current", "--name", "shop"]));
    let cleanup = || configure(&sandbox, in_utc(&sandbox, ["cleanup"]));
    assert_eq!(asked_at(&sandbox, ttl - 4 * MINUTE, &current), "s-1\n");
    assert_eq!(asked_at(&sandbox, ttl - 4 * MINUTE, &cleanup), "0\n");
    assert!(sandbox.pointer("shop").exists());
    assert_eq!(asked_at(&sandbox, ttl + 1, &current), "unknown\n");
    assert!(
        !sandbox.pointer("shop").exists(),
        "a stale pointer is removed when it is read"
    );
    assert_eq!(asked_at(&sandbox, ttl + 1, &cleanup), "1\n");
    assert!(!sandbox.pointer("shop").exists());
}

fn configured(sandbox: &Sandbox, text: &str) {
    let dir = sandbox.home().join(".config/ccsession");
    fs::create_dir_all(&dir).unwrap();
    fs::write(dir.join("config.toml"), text).unwrap();
}

#[test]
fn is_stale_after_the_ttl_wherever_it_is_configured() {
    check_ttl(DAY, |_, run| run);
    check_ttl(90 * MINUTE, |_, run| run.env("CCSESSION_TTL", "90m"));
    check_ttl(2 * HOUR, |sandbox, run| {
        configured(sandbox, "ttl = \"2h\"\n");
        run
    });
    check_ttl(10 * MINUTE, |sandbox, run| {
        configured(sandbox, "ttl = \"2h\"\n");
        run.env("CCSESSION_TTL", "10m")
    });
}

#[test]
fn cleanup_may_be_given_another_ttl() {
    let sandbox = Sandbox::new();
    let cleanup = || in_utc(&sandbox, ["cleanup", "--ttl", "3h"]).env("CCSESSION_TTL", "5m");
    assert_eq!(asked_at(&sandbox, 3 * HOUR - 4 * MINUTE, &cleanup), "0\n");
    assert_eq!(asked_at(&sandbox, 3 * HOUR + 1, &cleanup), "1\n");
    for bad in ["", "0s", "soon", "-1h", "5"] {
        let said = in_utc(&sandbox, ["cleanup", &format!("--ttl={bad}")]).refused(64);
        assert_eq!(
            said,
            format!(
                "ccsession: could not use --ttl: `{bad}` is not a duration above zero, such as `90s`, `5m` or `24h`"
            )
        );
    }
}

#[test]
fn a_pointer_from_the_future_is_unknown_and_never_removed() {
    for ahead in [6 * MINUTE, 25 * HOUR, 3650 * DAY] {
        let sandbox = Sandbox::new();
        let path = place(&sandbox, "shop", "s-1", -ahead);
        for file_age in [0, 30 * DAY] {
            set_age(&path, file_age);
            in_utc(&sandbox, ["current", "--name", "shop"]).expect(0, "unknown\n", "");
            let why = explained(&sandbox);
            assert!(
                why.starts_with("passed over: it names s-1 and is from the future, "),
                "{why}"
            );
            in_utc(&sandbox, ["cleanup"]).expect(0, "0\n", "");
            assert!(path.exists(), "{ahead} s ahead, the file {file_age} s old");
        }
    }
    let sandbox = Sandbox::new();
    place(&sandbox, "shop", "s-1", -4 * MINUTE);
    in_utc(&sandbox, ["current", "--name", "shop"]).expect(0, "s-1\n", "");
}

/// A file that claims to be from the future says that the clock was set back, so that no age can be believed.
#[test]
fn a_stale_pointer_in_a_file_from_the_future_is_left() {
    let sandbox = Sandbox::new();
    let path = place(&sandbox, "shop", "s-1", 25 * HOUR);
    let file = File::open(&path).unwrap();
    file.set_modified(SystemTime::now() + Duration::from_secs(3000))
        .unwrap();
    in_utc(&sandbox, ["current", "--name", "shop"]).expect(0, "unknown\n", "");
    in_utc(&sandbox, ["cleanup"]).expect(0, "0\n", "");
    assert!(path.exists());
}

/// A pointer whose text was written under a clock `ahead` of UTC and whose file is `age` old, read in UTC.
#[track_caller]
fn check_other_zone(ahead: i64, age: i64, is_fresh: bool) {
    let sandbox = Sandbox::new();
    let path = sandbox.pointer("shop");
    put(&path, format!("s-1\n{}\n", civil(age, ahead)), age);
    in_utc(&sandbox, ["cleanup"]).expect(0, if is_fresh { "0\n" } else { "1\n" }, "");
    put(&path, format!("s-1\n{}\n", civil(age, ahead)), age);
    let answer = if is_fresh { "s-1\n" } else { "unknown\n" };
    in_utc(&sandbox, ["current", "--name", "shop"]).expect(0, answer, "");
    assert_eq!(path.exists(), is_fresh);
}

#[test]
fn a_pointer_written_under_another_zone_is_judged_by_its_file() {
    check_other_zone(TOKYO, MINUTE, true);
    check_other_zone(TOKYO, 23 * HOUR, true);
    check_other_zone(TOKYO, 25 * HOUR, false);
    check_other_zone(-3 * HOUR - 30 * MINUTE, MINUTE, true);
    check_other_zone(-3 * HOUR - 30 * MINUTE, 23 * HOUR, true);
    check_other_zone(-3 * HOUR - 30 * MINUTE, 25 * HOUR, false);
    check_other_zone(14 * HOUR, 23 * HOUR, true);
    check_other_zone(-12 * HOUR, 23 * HOUR, true);
    check_other_zone(-12 * HOUR, 25 * HOUR, false);
    // A quarter of an hour is the smallest step that zones make; any other difference is no zone's.
    check_other_zone(-2 * HOUR - 5 * MINUTE, 23 * HOUR, false);
    check_other_zone(2 * HOUR + 5 * MINUTE, 25 * HOUR, true);
}

#[test]
fn what_one_zone_stores_every_other_reads() {
    let zones = [
        "",
        "UTC0",
        "JST-9",
        "NST3:30NDT,M3.2.0,M11.1.0",
        "<+0545>-5:45",
        // The first and the last on earth are 26 hours apart.
        "<+14>-14",
        "<-12>12",
    ];
    for writer in zones {
        for reader in zones {
            let sandbox = Sandbox::new();
            sandbox.ccsession(["store", ID]).env("TZ", writer).silent();
            let current = sandbox.ccsession(["current", "--name", "shop"]);
            current.env("TZ", reader).expect(0, &format!("{ID}\n"), "");
            let cleanup = sandbox.ccsession(["cleanup"]);
            cleanup.env("TZ", reader).expect(0, "0\n", "");
        }
    }
}

/// The point in time that a civil time in St. John's meant, where the file was modified ten seconds later.
#[track_caller]
fn check_night(civil: &str, meant: &str) {
    let sandbox = Sandbox::new();
    let path = sandbox.pointer("shop");
    fs::write(&path, format!("s-1\n{civil}\n")).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    let meant_secs = DateTime::parse_from_rfc3339(meant).unwrap().timestamp();
    let modified = Duration::from_secs(u64::try_from(meant_secs + 10).unwrap());
    File::open(&path)
        .unwrap()
        .set_modified(UNIX_EPOCH + modified)
        .unwrap();
    let explain = sandbox.ccsession(["current", "--name", "shop", "--explain"]);
    let said = explain
        .env("TZ", "NST3:30NDT,M3.2.0,M11.1.0")
        .env("CCSESSION_TTL", "36500d")
        .stdout();
    assert!(said.contains(&format!("s-1, written {meant} (")), "{said}");
}

#[test]
fn when_clocks_change_the_files_time_decides_which_hour_was_meant() {
    check_night("2025-11-02T01:30:00.000000", "2025-11-02T04:00:00.000000Z");
    check_night("2025-11-02T01:30:00.000000", "2025-11-02T05:00:00.000000Z");
    check_night("2025-11-02T00:30:00.000000", "2025-11-02T03:00:00.000000Z");
    check_night("2025-03-09T02:30:00.000000", "2025-03-09T06:00:00.000000Z");
    check_night("2025-03-09T03:30:00.000000", "2025-03-09T06:00:00.000000Z");
    check_night("2025-03-09T01:30:00.000000", "2025-03-09T05:00:00.000000Z");
}

// What is refused

/// Whether what is planted at a pointer's path answers `unknown` at once, with this reason, and stays.
#[track_caller]
fn check_refused(reason: &str, plant: impl FnOnce(&Path, &Sandbox)) {
    let sandbox = Sandbox::new();
    let path = sandbox.pointer("shop");
    plant(&path, &sandbox);
    let there = fs::symlink_metadata(&path).unwrap();
    let answer = at_once("", || in_utc(&sandbox, ["current", "--name", "shop"]));
    assert_eq!(
        (answer.status.code(), text(&answer.stdout)),
        (Some(0), "unknown\n".to_owned()),
        "{reason}"
    );
    let shown = path.display();
    assert_eq!(
        explained(&sandbox),
        format!("passed over: could not trust `{shown}`: {reason} ({shown})")
    );
    let cleaned = at_once("", || in_utc(&sandbox, ["cleanup"]));
    assert_eq!(text(&cleaned.stdout), "0\n", "{reason}");

    let stop = event("Stop", ID, json!({})).to_string();
    let hook = || sandbox.run(crate::support::SESSION_EVENT);
    let silent = at_once(&stop, hook);
    assert_eq!(
        (silent.status.code(), silent.stdout, silent.stderr),
        (Some(0), Vec::new(), Vec::new()),
        "{reason}"
    );
    let still = fs::symlink_metadata(&path).unwrap();
    assert_eq!(still.file_type(), there.file_type(), "{reason}");
    assert_eq!(still.modified().unwrap(), there.modified().unwrap());
}

fn good() -> String {
    format!("s-1\n{}\n", civil(HOUR, 0))
}

fn mkfifo(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

#[test]
fn anything_but_our_own_plain_file_is_unknown_with_a_reason() {
    check_refused("it is not a regular file", |path, _| mkfifo(path));
    check_refused("it is not a regular file", |path, _| {
        drop(UnixListener::bind(path).unwrap())
    });
    check_refused("it is not a regular file", |path, _| {
        fs::create_dir(path).unwrap()
    });
    check_refused("it is a symbolic link", |path, sandbox| {
        put(&sandbox.path("good"), good(), HOUR);
        symlink(sandbox.path("good"), path).unwrap();
    });
    check_refused("it is a symbolic link", |path, sandbox| {
        symlink(sandbox.path("nothing"), path).unwrap()
    });
    check_refused("it is a symbolic link", |path, _| {
        symlink(path, path).unwrap()
    });
    check_refused("it is a symbolic link", |path, _| {
        symlink("/dev/zero", path).unwrap()
    });
    check_refused("it has more than one hard link", |path, sandbox| {
        put(path, good(), HOUR);
        fs::hard_link(path, sandbox.path("other name")).unwrap();
    });
    check_refused("it is too large (4097 bytes)", |path, _| {
        put(path, format!("{:<4097}", good()), HOUR)
    });
    check_refused("it is too large (53687091200 bytes)", |path, _| {
        put(path, good(), 0);
        let file = File::options().write(true).open(path).unwrap();
        file.set_len(50 << 30).unwrap();
    });
    for open in [0o660, 0o602, 0o666] {
        let reason = format!("others may write to it (mode {open:04o}); run chmod go-w on it");
        check_refused(&reason, |path, _| {
            put(path, good(), HOUR);
            fs::set_permissions(path, Permissions::from_mode(open)).unwrap();
        });
    }
}

#[test]
fn a_pointer_that_others_may_read_or_of_the_maximal_size_is_believed() {
    let sandbox = Sandbox::new();
    let path = place(&sandbox, "shop", "s-1", HOUR);
    let current = || in_utc(&sandbox, ["current", "--name", "shop"]);
    fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
    current().expect(0, "s-1\n", "");
    put(&path, format!("{:<4096}", good()), HOUR);
    current().expect(0, "s-1\n", "");
    put(&path, format!("{:x<4096}", good()), HOUR);
    current().expect(0, "s-1\n", "");
}

#[test]
fn an_invalid_pointer_is_refused_with_the_wrong_line() {
    let cases: [(&[u8], &str); 6] = [
        (b"", "it has fewer than two lines"),
        (b"s-1\n", "it has fewer than two lines"),
        (b"s-1\n\xff\n", "it is not UTF-8"),
        (b"s-1\nsoon\n", "its second line is not a time"),
        (
            b"unknown\n2026-11-20T14:27:52\n",
            "its first line is not a session id: `unknown` means that there is no session",
        ),
        (
            b"a b\n2026-11-20T14:27:52\n",
            "its first line is not a session id: it may hold only letters, digits, `.`, `_` and `-`, and starts with a letter or a digit",
        ),
    ];
    for (content, why) in cases {
        let sandbox = Sandbox::new();
        let path = sandbox.pointer("shop");
        put(&path, content, 0);
        assert_eq!(
            explained(&sandbox),
            format!("passed over: {why} ({})", path.display())
        );
    }
}

#[test]
fn a_hook_under_hook_debug_says_why_it_does_not_believe_the_pointer() {
    let sandbox = Sandbox::new();
    let path = place(&sandbox, "shop", ID, HOUR);
    fs::set_permissions(&path, Permissions::from_mode(0o666)).unwrap();
    let prompt = sandbox
        .hook(&event("UserPromptSubmit", ID, json!({"prompt": "hello"})))
        .env("HOOK_DEBUG", "true");
    let output = prompt.output();
    assert_eq!((output.status.code(), output.stdout.len()), (Some(0), 0));
    let said = text(&output.stderr);
    assert!(
        said.contains("others may write to it (mode 0666)"),
        "{said:?}"
    );
}

// What a cleanup takes away

#[track_caller]
fn check_unreadable(plant: impl Fn(&Path, &Sandbox)) {
    let sandbox = Sandbox::new();
    let path = sandbox.pointer("shop");
    plant(&path, &sandbox);
    set_age(&path, DAY - MINUTE);
    in_utc(&sandbox, ["current", "--name", "shop"]).expect(0, "unknown\n", "");
    in_utc(&sandbox, ["cleanup"]).expect(0, "0\n", "");
    assert!(path.exists(), "another tool may own it");
    set_age(&path, DAY + MINUTE);
    in_utc(&sandbox, ["current", "--name", "shop"]).expect(0, "unknown\n", "");
    assert!(path.exists(), "a reader removes only what is stale");
    in_utc(&sandbox, ["cleanup"]).expect(0, "1\n", "");
    assert!(!path.exists());
}

#[test]
fn what_cannot_be_read_is_kept_until_its_file_is_older_than_the_ttl() {
    let contents: [&[u8]; 8] = [
        b"",
        b"garbage",
        b"1795189162.123",
        b"s-1\nnot a time\n",
        b"a b\n2026-11-20T14:27:52\n",
        b"\0\0\0\0",
        b"\xff\xfe\n2026-11-20T14:27:52\n",
        &[b'x'; 5000],
    ];
    for content in contents {
        check_unreadable(|path, _| put(path, content, 0));
    }
    check_unreadable(|path, _| {
        put(path, good(), 0);
        fs::set_permissions(path, Permissions::from_mode(0o666)).unwrap();
    });
    check_unreadable(|path, sandbox| {
        put(path, good(), 0);
        fs::hard_link(path, sandbox.path("other name")).unwrap();
    });
}

#[test]
fn young_files_of_other_tools_are_left_alone() {
    let sandbox = Sandbox::new();
    let names = ["startup_last.txt", "x.json", "shop_k3j2.tmp", ""];
    for name in names {
        put(&sandbox.pointer(name), "1795189162.123", 23 * HOUR);
    }
    let others = ["claude_sessions", "claude_correlation_shop_Bash", ".hidden"];
    for name in others {
        put(&sandbox.pointers().join(name), "x", 30 * DAY);
    }
    in_utc(&sandbox, ["cleanup"]).expect(0, "0\n", "");
    assert_eq!(
        entries(&sandbox.pointers()).len(),
        names.len() + others.len()
    );
}

fn touch_long_ago(path: &Path) {
    let touched = Command::new("touch")
        .args(["-h", "-t", "202001010000"])
        .arg(path)
        .status();
    assert!(touched.unwrap().success());
}

#[test]
fn only_regular_files_are_ever_removed() {
    let sandbox = Sandbox::new();
    let stale = sandbox.path("stale");
    put(&stale, format!("s-1\n{}\n", civil(25 * HOUR, 0)), 25 * HOUR);
    let at = |prefix: &str, kind: &str| sandbox.pointers().join(format!("{prefix}{kind}"));
    let aside = set_aside(11) + "claude_session_";
    let prefixes = ["claude_session_", ".ccsession-tmp-", &aside];
    for prefix in prefixes {
        fs::create_dir(at(prefix, "empty")).unwrap();
        fs::create_dir(at(prefix, "full")).unwrap();
        put(&at(prefix, "full").join("claude_session_x"), "x", 30 * DAY);
        mkfifo(&at(prefix, "fifo"));
        symlink(&stale, at(prefix, "link")).unwrap();
        symlink(sandbox.path("nothing"), at(prefix, "dangling")).unwrap();
        drop(UnixListener::bind(at(prefix, "socket")).unwrap());
    }
    let names = entries(&sandbox.pointers());
    assert_eq!(names.len(), 18);
    names
        .iter()
        .for_each(|name| touch_long_ago(&sandbox.pointers().join(name)));

    in_utc(&sandbox, ["cleanup", "--dry-run"]).expect(0, "0\n", "");
    in_utc(&sandbox, ["cleanup"]).expect(0, "0\n", "");
    assert_eq!(entries(&sandbox.pointers()), names);
    for prefix in prefixes {
        assert!(at(prefix, "full").join("claude_session_x").exists());
        let fifo = fs::symlink_metadata(at(prefix, "fifo")).unwrap();
        assert!(fifo.file_type().is_fifo());
    }
    assert!(stale.exists());
}

#[test]
fn temporary_files_are_removed_once_their_process_must_be_dead() {
    let sandbox = Sandbox::new();
    let old = sandbox.pointers().join(".ccsession-tmp-0123456789abcdef");
    let young = sandbox.pointers().join(".ccsession-tmp-fedcba9876543210");
    let other = sandbox.pointers().join(".ccsession-else");
    put(&old, "s-1\n", 11 * MINUTE);
    put(&young, "s-1\n", 9 * MINUTE);
    put(&other, "s-1\n", 30 * DAY);
    let shown = old.display();
    in_utc(&sandbox, ["cleanup", "--dry-run"]).expect(
        0,
        "0\n",
        &format!("would remove {shown}: left behind by a process that was killed\n"),
    );
    assert!(old.exists());
    let report = in_utc(&sandbox, ["cleanup", "--json"]).json();
    assert_eq!(
        report,
        json!({"v": 1, "removed": 0, "orphans": 1, "processes": 0, "retired": 0, "listed": 0, "archived": 0, "compressed": 0, "owners": 0, "pruned": 0, "leases": 0, "dry_run": false})
    );
    assert!(!old.exists() && young.exists() && other.exists());
}

/// What a cleanup leaves of a pointer that is `age` old and that another cleanup set aside when it died.
#[track_caller]
fn check_set_aside(name: &[u8], minutes: u64, age: i64, taken: bool, left: &[(bool, &str)]) {
    let sandbox = Sandbox::new();
    let prefix = set_aside(minutes);
    let called = |is_aside: bool| {
        let prefix = if is_aside { prefix.as_bytes() } else { b"" };
        let bytes = [prefix, b"claude_session_", name].concat();
        sandbox.pointers().join(OsStr::from_bytes(&bytes))
    };
    put(&called(true), format!("aside\n{}\n", civil(age, 0)), age);
    if taken {
        put(&called(false), format!("newer\n{}\n", civil(0, 0)), 0);
    }
    let report = in_utc(&sandbox, ["cleanup", "--json"]).json();
    let found: Vec<(PathBuf, String)> = entries(&sandbox.pointers())
        .into_iter()
        .map(|name| sandbox.pointers().join(name))
        .map(|path| (path.clone(), fs::read_to_string(path).unwrap()))
        .map(|(path, text)| (path, text.lines().next().unwrap().to_owned()))
        .collect();
    let expected: Vec<(PathBuf, String)> = left
        .iter()
        .map(|(is_aside, id)| (called(*is_aside), (*id).to_owned()))
        .collect();
    assert_eq!(found, expected);
    let gone = left.iter().all(|(_, id)| *id != "aside");
    assert_eq!(
        (&report["removed"], &report["orphans"]),
        (&json!(0), &json!(usize::from(gone)))
    );
}

#[test]
fn a_fresh_pointer_that_a_dead_cleanup_set_aside_comes_back() {
    check_set_aside(b"shop", 11, HOUR, false, &[(false, "aside")]);
    check_set_aside("größe".as_bytes(), 11, HOUR, false, &[(false, "aside")]);
    check_set_aside(b"a claude_session_ b", 11, HOUR, false, &[(false, "aside")]);
    check_set_aside(b"shop", 11, HOUR, true, &[(false, "newer")]);
    check_set_aside(b"shop", 11, 25 * HOUR, false, &[]);
    check_set_aside(b"shop", 11, 25 * HOUR, true, &[(false, "newer")]);
    check_set_aside(b"shop", 0, HOUR, false, &[(true, "aside")]);
    check_set_aside(b"shop", 0, 25 * HOUR, false, &[(true, "aside")]);
    if cfg!(target_os = "linux") {
        check_set_aside(b"\xff\xfe", 11, HOUR, false, &[(false, "aside")]);
    }
}

/// Stale pointers, and one that is fresh.
fn stale(count: usize) -> Sandbox {
    let sandbox = Sandbox::new();
    for n in 0..count {
        place(&sandbox, &format!("stale-{n:02}"), "s-1", 25 * HOUR);
    }
    place(&sandbox, "fresh", "s-2", HOUR);
    sandbox
}

#[test]
fn cleanup_prints_how_many_pointers_it_removed() {
    let sandbox = stale(3);
    in_utc(&sandbox, ["cleanup"]).expect(0, "3\n", "");
    assert_eq!(entries(&sandbox.pointers()), ["claude_session_fresh"]);
    in_utc(&sandbox, ["cleanup"]).expect(0, "0\n", "");

    let sandbox = stale(2);
    let report = in_utc(&sandbox, ["cleanup", "--json"]).json();
    assert_eq!(
        report,
        json!({"v": 1, "removed": 2, "orphans": 0, "processes": 0, "retired": 0, "listed": 0, "archived": 0, "compressed": 0, "owners": 0, "pruned": 0, "leases": 0, "dry_run": false})
    );

    let sandbox = stale(2);
    in_utc(&sandbox, ["cleanup", "--quiet"]).expect(0, "", "");
    assert_eq!(entries(&sandbox.pointers()), ["claude_session_fresh"]);
}

#[test]
fn a_dry_run_names_what_it_would_remove_and_removes_nothing() {
    let sandbox = stale(11);
    put(&sandbox.pointer("garbage"), "garbage", 25 * HOUR);
    put(&sandbox.pointers().join(".ccsession-tmp-1"), "", HOUR);
    let aside = set_aside(11) + "claude_session_x";
    put(&sandbox.pointers().join(&aside), "garbage", 25 * HOUR);
    let before = entries(&sandbox.pointers());
    let output = in_utc(&sandbox, ["cleanup", "--dry-run"]).output();
    assert_eq!(
        (output.status.code(), text(&output.stdout)),
        (Some(0), "12\n".to_owned())
    );
    let would = |name: &str, why: &str| {
        let path = sandbox.pointers().join(name);
        format!("would remove {}: {why}", path.display())
    };
    let dead = "left behind by a process that was killed";
    let mut expected = vec![
        would(&aside, dead),
        would(".ccsession-tmp-1", dead),
        would(
            "claude_session_garbage",
            "not a pointer, and unchanged for longer than the ttl",
        ),
    ];
    expected.extend((0..11).map(|n| would(&format!("claude_session_stale-{n:02}"), "stale")));
    let said = text(&output.stderr);
    let mut said: Vec<&str> = said.lines().collect();
    said.sort_unstable();
    assert_eq!(said, expected);
    let report = in_utc(&sandbox, ["cleanup", "--dry-run", "--json"]).output();
    assert_eq!(
        serde_json::from_slice::<Value>(&report.stdout).unwrap(),
        json!({"v": 1, "removed": 12, "orphans": 2, "processes": 0, "retired": 0, "listed": 0, "archived": 0, "compressed": 0, "owners": 0, "pruned": 0, "leases": 0, "dry_run": true})
    );
    assert_eq!(entries(&sandbox.pointers()), before);
}

#[test]
fn more_than_ten_at_once_are_a_warning() {
    let warning = "ccsession: warning: removed 11 stale pointers at once; see `ccsession doctor`\n";
    in_utc(&stale(10), ["cleanup"]).expect(0, "10\n", "");
    in_utc(&stale(11), ["cleanup"]).expect(0, "11\n", warning);
    in_utc(&stale(11), ["cleanup", "--quiet"]).expect(0, "", warning);
}

/// In the older tools, the interval between cleanups was read and never used.
#[test]
fn a_cleanup_if_due_runs_once_per_interval() {
    let sandbox = stale(2);
    make_state(&sandbox);
    let if_due = || in_utc(&sandbox, ["cleanup", "--if-due"]);
    if_due().expect(0, "2\n", "");
    place(&sandbox, "stale", "s-1", 25 * HOUR);
    if_due().expect(0, "0\n", "");
    assert!(sandbox.pointer("stale").exists());
    set_age(&sandbox.state().join("sweep"), 6 * MINUTE);
    if_due()
        .env("CCSESSION_CLEANUP_INTERVAL", "7m")
        .expect(0, "0\n", "");
    if_due().expect(0, "1\n", "");
    place(&sandbox, "stale", "s-1", 25 * HOUR);
    in_utc(&sandbox, ["cleanup"]).expect(0, "1\n", "");
}

#[test]
fn a_cleanup_that_removed_something_is_logged() {
    let sandbox = stale(3);
    make_state(&sandbox);
    in_utc(&sandbox, ["cleanup"]).expect(0, "3\n", "");
    in_utc(&sandbox, ["cleanup"]).expect(0, "0\n", "");
    let lines = json_lines(&sandbox.state().join("log.jsonl"));
    let said: Vec<(&Value, &Value)> = lines
        .iter()
        .map(|line| (&line["what"], &line["count"]))
        .collect();
    assert_eq!(said, [(&json!("pointers removed"), &json!(3))]);
}
