//! The older Python tools and ccsession: each reads what the other writes, and where their readers differ, a table says why.
//!
//! `interop.py` takes the documented steps of those tools. Without Python 3.7 these tests say that they were skipped.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use chrono::{DateTime, NaiveDateTime};
use serde_json::json;

use crate::support::pointers::{in_utc, put};
use crate::support::time::{TOKYO, civil, knows_zones, now_micros, st_johns};
use crate::support::{ID, Sandbox, event, text};

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// A Python that can run `interop.py`.
pub(crate) struct Python {
    program: PathBuf,
    version: (u32, u32),
}

impl Python {
    /// A command of `interop.py` under the time zone `zone`.
    pub(crate) fn command(&self, zone: &str, arguments: &[&str]) -> Command {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/interop.py");
        let mut command = Command::new(&self.program);
        command.arg(script).args(arguments).env("TZ", zone);
        command
    }

    #[track_caller]
    fn run(&self, zone: &str, arguments: &[&str]) -> String {
        let output = self.command(zone, arguments).output().unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
        text(&output.stdout)
    }
}

/// The Pythons to be found, each version once; says so where there is none.
pub(crate) fn pythons() -> Vec<Python> {
    let mut found: Vec<Python> = Vec::new();
    for program in ["/usr/bin/python3", "python3"] {
        let program = PathBuf::from(program);
        let mut python = Python {
            program,
            version: (0, 0),
        };
        let Ok(output) = python.command("", &["version"]).output() else {
            continue;
        };
        let Ok(version) = serde_json::from_slice(&output.stdout) else {
            continue;
        };
        python.version = version;
        // The first version with datetime.fromisoformat.
        if version >= (3, 7) && found.iter().all(|other| other.version != version) {
            found.push(python);
        }
    }
    if found.is_empty() {
        println!("skipped: there is no Python 3.7 or newer");
    }
    found
}

fn zones() -> [(&'static str, i64); 3] {
    [
        ("Asia/Tokyo", TOKYO),
        ("America/St_Johns", st_johns()),
        ("UTC", 0),
    ]
}

/// What a reader makes of a pointer.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Answer {
    /// The session.
    Id(String),
    /// Unknown, and the file was removed.
    Stale,
    /// Unknown, and the file was left.
    Unknown,
}

use Answer::{Stale, Unknown};

fn id(id: &str) -> Answer {
    Answer::Id(id.to_owned())
}

fn answer(said: &str, is_there: bool) -> Answer {
    match (said, is_there) {
        ("unknown", true) => Unknown,
        ("unknown", false) => Stale,
        _ => id(said),
    }
}

/// What is at a pointer's path, and what we make of it.
struct Case {
    name: &'static str,
    content: Vec<u8>,
    /// How many seconds ago the file was modified.
    age: i64,
    /// What is done to the file then.
    change: fn(&Path),
    ours: Answer,
}

/// Every case, for clocks that are `ahead` of UTC.
fn cases(ahead: i64) -> Vec<Case> {
    let mut cases = Vec::new();
    let mut add = |name, content: &[u8], age, ours| {
        let case = Case {
            name,
            content: content.to_vec(),
            age,
            change: |_| {},
            ours,
        };
        cases.push(case);
    };
    let fresh = || id("s-1");
    let hour_ago = civil(HOUR, ahead);
    let formatted = |age: i64, form: &str| {
        let micros = now_micros() + (ahead - age) * 1_000_000;
        let time = DateTime::from_timestamp_micros(micros).unwrap();
        time.format(form).to_string()
    };

    // Lines.
    let mut lines = |name, content: String, ours| add(name, content.as_bytes(), HOUR, ours);
    lines("as written", format!("s-1\n{hour_ago}\n"), fresh());
    lines("no last newline", format!("s-1\n{hour_ago}"), fresh());
    lines("CRLF", format!("s-1\r\n{hour_ago}\r\n"), fresh());
    lines("CR alone", format!("s-1\r{hour_ago}\r"), Unknown);
    lines("third line", format!("s-1\n{hour_ago}\nroot=/x\n"), fresh());
    lines("more lines", format!("s-1\n{hour_ago}\n\n\nx\n"), fresh());
    lines(
        "blank lines first",
        format!("\n\n s-1\n{hour_ago}\n"),
        fresh(),
    );
    lines(
        "blank line between",
        format!("s-1\n\n{hour_ago}\n"),
        Unknown,
    );
    lines("spaces at the end", format!("s-1\n{hour_ago}  \n"), fresh());
    lines(
        "spaces after the time, then a line",
        format!("s-1\n{hour_ago} \nx\n"),
        fresh(),
    );
    lines(
        "spaces after the id",
        format!("s-1 \n{hour_ago}\n"),
        fresh(),
    );
    lines(
        "spaces before the time",
        format!("s-1\n  {hour_ago}\n"),
        fresh(),
    );
    lines("one line", "s-1\n".to_owned(), Unknown);
    lines("a time alone", format!("\n{hour_ago}\n"), Unknown);
    lines("empty", String::new(), Unknown);
    lines("white space", " \n \n \n".to_owned(), Unknown);
    lines("an epoch second", "1795189162.123".to_owned(), Unknown);
    lines("JSON", "{\"session_id\":\n\"s-1\"}\n".to_owned(), Unknown);
    lines(
        "words",
        "corrupted\ncontent\nextra\nlines".to_owned(),
        Unknown,
    );
    lines(
        "byte order mark",
        format!("\u{feff}s-1\n{hour_ago}\n"),
        Unknown,
    );
    lines(
        "too large",
        format!("s-1\n{hour_ago}\n{}", "x\n".repeat(2100)),
        Unknown,
    );

    // Ids.
    let long = "x".repeat(128);
    lines("the longest id", format!("{long}\n{hour_ago}\n"), id(&long));
    lines("an id too long", format!("{long}x\n{hour_ago}\n"), Unknown);
    lines("the id unknown", format!("unknown\n{hour_ago}\n"), Unknown);
    lines(
        "an id that leads elsewhere",
        format!("../../x\n{hour_ago}\n"),
        Unknown,
    );
    lines("an id with a space", format!("a b\n{hour_ago}\n"), Unknown);
    lines(
        "an id that moves the cursor",
        format!("\u{1b}[2Js-1\n{hour_ago}\n"),
        Unknown,
    );
    lines("an id with a NUL", format!("s\0-1\n{hour_ago}\n"), Unknown);
    lines(
        "an id that is not ASCII",
        format!("größe\n{hour_ago}\n"),
        Unknown,
    );

    // Forms of the time.
    let mut form = |name, form, ours| {
        let content = format!("s-1\n{}\n", formatted(HOUR, form));
        add(name, content.as_bytes(), HOUR, ours);
    };
    form("no fraction", "%Y-%m-%dT%H:%M:%S", fresh());
    form("one digit", "%Y-%m-%dT%H:%M:%S.4", fresh());
    form("three digits", "%Y-%m-%dT%H:%M:%S%.3f", fresh());
    form("nine digits", "%Y-%m-%dT%H:%M:%S%.9f", fresh());
    form("a comma", "%Y-%m-%dT%H:%M:%S,%6f", Unknown);
    form("a space", "%Y-%m-%d %H:%M:%S%.6f", fresh());
    form("another separator", "%Y-%m-%d_%H:%M:%S%.6f", Unknown);
    form("minutes", "%Y-%m-%dT%H:%M", fresh());
    form("hours", "%Y-%m-%dT%H", Unknown);
    form("basic", "%Y%m%dT%H%M%S%.6f", fresh());
    form("basic minutes", "%Y%m%dT%H%M", fresh());
    form("no zeros", "%Y-%-m-%-dT%H:%M:1%.6f", fresh());
    form("twice signed", "+%Y-%m-%dT%H:%M:%S%.6f", fresh());
    form("a leap second", "%Y-%m-%dT%H:%M:60", Unknown);
    form("a day too many", "%Y-02-30T%H:%M:%S", Unknown);
    form("a month too many", "%Y-13-01T%H:%M:%S", Unknown);
    form("a word after it", "%Y-%m-%dT%H:%M:%S%.6f or so", Unknown);
    let mut today = |name, form, ours| {
        let content = format!("s-1\n{}\n", formatted(0, form));
        add(name, content.as_bytes(), 0, ours);
    };
    today("a date", "%Y-%m-%d", fresh());
    today("a basic date", "%Y%m%d", fresh());
    today("a week's day", "%G-W%V-%u", Unknown);
    let universal = formatted(HOUR + ahead, "%Y-%m-%dT%H:%M:%S%.6f");
    let east = formatted(HOUR + ahead - TOKYO, "%Y-%m-%dT%H:%M:%S%.6f");
    let mut offset = |name, time: &str, offset| {
        add(
            name,
            format!("s-1\n{time}{offset}\n").as_bytes(),
            HOUR,
            fresh(),
        );
    };
    offset("Z", &universal, "Z");
    offset("an offset of nothing", &universal, "+00:00");
    offset("an offset", &east, "+09:00");
    offset("a basic offset", &east, "+0900");

    // Ages.
    let mut aged = |name, age: i64, ours| {
        add(
            name,
            format!("s-1\n{}\n", civil(age, ahead)).as_bytes(),
            age.max(0),
            ours,
        );
    };
    aged("now", 0, fresh());
    aged("a minute short of a day", DAY - MINUTE, fresh());
    aged("a second more than a day", DAY + 1, Stale);
    aged("a month", 30 * DAY, Stale);
    aged("twenty years", 20 * 365 * DAY, Stale);
    aged("four minutes ahead", -4 * MINUTE, fresh());
    aged("six minutes ahead", -6 * MINUTE, Unknown);
    aged("ten years ahead", -3650 * DAY, Unknown);
    add("the year 1", b"s-1\n0001-01-01T00:00:00\n", HOUR, Stale);
    add("the year 0", b"s-1\n0000-01-01T00:00:00\n", HOUR, Stale);
    add(
        "the year 9999",
        b"s-1\n9999-12-31T23:59:59.999999\n",
        HOUR,
        Unknown,
    );
    add(
        "not UTF-8",
        &[b"s-\xff\n", hour_ago.as_bytes()].concat(),
        HOUR,
        Unknown,
    );

    // Clocks of other zones.
    let mut elsewhere = |name, age, hours: i64, ours| {
        // No zone is further from UTC than these.
        let zone = (ahead + hours * HOUR).clamp(-12 * HOUR, 14 * HOUR);
        let content = format!("s-1\n{}\n", civil(age, zone));
        add(name, content.as_bytes(), age, ours);
    };
    elsewhere("written just now in the east", MINUTE, 9, fresh());
    elsewhere("written just now in the west", MINUTE, -9, fresh());
    elsewhere("written 20 hours ago in the west", 20 * HOUR, -9, fresh());
    elsewhere("written 26 hours ago in the east", 26 * HOUR, 9, Stale);

    // What is not a plain file of ours alone.
    let mut changed = |name, change, ours| {
        let case = Case {
            name,
            content: format!("s-1\n{hour_ago}\n").into_bytes(),
            age: HOUR,
            change,
            ours,
        };
        cases.push(case);
    };
    changed("readable by all", |path| chmod(path, 0o644), fresh());
    changed("writable by the group", |path| chmod(path, 0o660), Unknown);
    changed("writable by all", |path| chmod(path, 0o666), Unknown);
    changed(
        "a symbolic link",
        |path| symlink(moved(path), path).unwrap(),
        Unknown,
    );
    changed(
        "a hard link",
        |path| fs::hard_link(moved(path), path).unwrap(),
        Unknown,
    );
    changed(
        "a dangling link",
        |path| {
            let target = moved(path);
            symlink(&target, path).unwrap();
            fs::remove_file(target).unwrap();
        },
        Unknown,
    );
    changed(
        "a directory",
        |path| {
            fs::remove_file(path).unwrap();
            fs::create_dir(path).unwrap();
        },
        Unknown,
    );
    cases
}

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// Moves the file at `path` to where nobody looks for a pointer.
fn moved(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap().to_str().unwrap();
    let target = path.with_file_name(format!("elsewhere {name}"));
    fs::rename(path, &target).unwrap();
    target
}

/// Where the Python reader answers something else than we do: what it answers, and why we do not.
fn differences() -> BTreeMap<&'static str, (Answer, &'static str)> {
    const NO_ID: &str = "it is no session id: it could lead a path elsewhere or move a cursor";
    const OFFSET: &str = "Python cannot subtract it from its naive clock; it is exact, so we do";
    const FUTURE: &str = "the clock was wrong when it was written, or is now: no age can be told";
    const ZONE: &str = "the text was written under another zone, so the file's time counts";
    const OTHERS: &str = "somebody else may have written it";
    const FORM: &str = "no tool ever wrote it, and it is not worth the code";
    const SPACE: &str = "white space around a line is no part of it";
    let fresh = || id("s-1");
    let long = "x".repeat(129);
    [
        ("spaces after the time, then a line", Unknown, SPACE),
        ("spaces after the id", id("s-1 "), SPACE),
        ("spaces before the time", Unknown, SPACE),
        ("CR alone", fresh(), FORM),
        ("a comma", fresh(), FORM),
        ("another separator", fresh(), FORM),
        ("hours", fresh(), FORM),
        ("a week's day", fresh(), FORM),
        (
            "no zeros",
            Unknown,
            "our library reads digits, however many",
        ),
        ("twice signed", Unknown, "our library reads a sign"),
        ("byte order mark", id("\u{feff}s-1"), NO_ID),
        ("an id too long", id(&long), NO_ID),
        ("an id that leads elsewhere", id("../../x"), NO_ID),
        ("an id with a space", id("a b"), NO_ID),
        ("an id that moves the cursor", id("\u{1b}[2Js-1"), NO_ID),
        ("an id with a NUL", id("s\0-1"), NO_ID),
        ("an id that is not ASCII", id("größe"), NO_ID),
        (
            "too large",
            fresh(),
            "a pointer is small: what is not must not be read to its end",
        ),
        ("Z", Unknown, OFFSET),
        ("an offset of nothing", Unknown, OFFSET),
        ("an offset", Unknown, OFFSET),
        ("a basic offset", Unknown, OFFSET),
        ("six minutes ahead", fresh(), FUTURE),
        ("ten years ahead", fresh(), FUTURE),
        ("the year 9999", fresh(), FUTURE),
        (
            "the year 0",
            Unknown,
            "Python's calendar begins with the year 1; either way it is not fresh",
        ),
        ("written 20 hours ago in the west", Stale, ZONE),
        ("written 26 hours ago in the east", fresh(), ZONE),
        ("writable by the group", fresh(), OTHERS),
        ("writable by all", fresh(), OTHERS),
        ("a symbolic link", fresh(), OTHERS),
        ("a hard link", fresh(), OTHERS),
    ]
    .into_iter()
    .map(|(name, answer, why)| (name, (answer, why)))
    .collect()
}

/// What Pythons before 3.11 do not read as a time.
const SINCE_3_11: [&str; 8] = [
    "one digit",
    "nine digits",
    "a comma",
    "basic",
    "basic minutes",
    "a basic date",
    "a week's day",
    "a basic offset",
];

fn plant(dir: &Path, cases: &[Case]) {
    for (n, case) in cases.iter().enumerate() {
        let path = dir.join(format!("claude_session_{n}"));
        put(&path, &case.content, case.age);
        (case.change)(&path);
    }
}

#[test]
fn both_readers_agree_but_for_the_listed_differences() {
    if !knows_zones() {
        return;
    }
    let differences = differences();
    for python in pythons() {
        for (zone, ahead) in zones() {
            let cases = cases(ahead);
            assert!(cases.len() >= 60, "{}", cases.len());
            for name in differences.keys() {
                assert!(cases.iter().any(|case| case.name == *name), "{name}");
            }

            let theirs = Sandbox::new();
            plant(&theirs.pointers(), &cases);
            let said = python.run(zone, &["read", theirs.pointers().to_str().unwrap()]);
            let said: BTreeMap<String, (String, bool)> = serde_json::from_str(&said).unwrap();

            let ours = Sandbox::new();
            plant(&ours.pointers(), &cases);
            for (n, case) in cases.iter().enumerate() {
                let context = format!("{} in {zone}, {:?}", case.name, python.version);
                let name = n.to_string();
                let current = ours.ccsession(["current", "--name", &name]);
                let line = current.env("TZ", zone).stdout();
                let is_there = fs::symlink_metadata(ours.pointer(&name)).is_ok();
                let our_answer = answer(line.trim_end_matches('\n'), is_there);
                assert_eq!(our_answer, case.ours, "we: {context}");

                let listed = differences.get(case.name);
                if let Some((listed, why)) = listed {
                    assert_ne!(*listed, case.ours, "no difference: {context}: {why}");
                }
                let is_too_new = python.version < (3, 11) && SINCE_3_11.contains(&case.name);
                let expected = if is_too_new {
                    &Unknown
                } else {
                    listed.map_or(&case.ours, |(listed, _)| listed)
                };
                let (said, is_there) = &said[&name];
                assert_eq!(answer(said, *is_there), *expected, "Python: {context}");
            }
        }
    }
}

#[test]
fn our_civil_time_is_pythons() {
    let parsed = |text: &str| NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f").unwrap();
    let mut zones = vec!["", "UTC0", "JST-9", "NST3:30NDT,M3.2.0,M11.1.0"];
    if knows_zones() {
        zones.extend(["UTC", ":Asia/Tokyo", "America/St_Johns", "Europe/Dublin"]);
    }
    for python in pythons() {
        for zone in &zones {
            let sandbox = Sandbox::new();
            let before = python.run(zone, &["now"]);
            sandbox.ccsession(["store", ID]).env("TZ", zone).silent();
            let after = python.run(zone, &["now"]);
            let pointer = fs::read_to_string(sandbox.pointer("shop")).unwrap();
            let between = parsed(pointer.lines().nth(1).unwrap());
            assert!(
                (parsed(before.trim())..=parsed(after.trim())).contains(&between),
                "{zone}: {before}{between}\n{after}"
            );
        }
    }
}

#[test]
fn what_python_writes_we_read_in_every_zone() {
    if !knows_zones() {
        return;
    }
    for python in pythons() {
        for (writer, _) in zones() {
            let sandbox = Sandbox::new();
            let dir = sandbox.pointers();
            python.run(writer, &["write", dir.to_str().unwrap(), "shop", "s-py"]);
            for (reader, _) in zones() {
                let current = sandbox.ccsession(["current", "--strict"]);
                current.env("TZ", reader).expect(6, "s-py\n", "");
                let cleanup = sandbox.ccsession(["cleanup"]);
                cleanup.env("TZ", reader).expect(0, "0\n", "");
            }
        }
    }
}

#[test]
fn what_we_write_python_reads_in_every_zone() {
    if !knows_zones() {
        return;
    }
    for python in pythons() {
        for (writer, _) in zones() {
            let sandbox = Sandbox::just_swept();
            let start = event("SessionStart", "s-hook", json!({"source": "startup"}));
            sandbox.hook(&start).env("TZ", writer).silent();
            let other = sandbox.path("größe, 2");
            fs::create_dir(&other).unwrap();
            sandbox
                .ccsession(["store", "s-cli"])
                .dir(&other)
                .env("TZ", writer)
                .silent();
            for (reader, _) in zones() {
                let said = python.run(reader, &["read", sandbox.pointers().to_str().unwrap()]);
                let said: serde_json::Value = serde_json::from_str(&said).unwrap();
                let expected = json!({"shop": ["s-hook", true], "größe, 2": ["s-cli", true]});
                assert_eq!(said, expected, "written in {writer}, read in {reader}");
            }
        }
    }
}

#[test]
fn both_writers_replace_each_others_pointers() {
    for python in pythons() {
        let sandbox = Sandbox::new();
        let dir = sandbox.pointers();
        for round in 0..3 {
            let theirs = format!("s-py-{round}");
            python.run("UTC0", &["write", dir.to_str().unwrap(), "shop", &theirs]);
            in_utc(&sandbox, ["current"]).expect(0, &format!("{theirs}\n"), "");
            let ours = format!("s-us-{round}");
            in_utc(&sandbox, ["store", &ours]).silent();
            let said = python.run("UTC0", &["read", dir.to_str().unwrap()]);
            assert_eq!(said.trim(), format!("{{\"shop\": [\"{ours}\", true]}}"));
        }
    }
}
