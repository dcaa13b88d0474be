//! `ccsession clock-in`: what a session is for, who else works on it, and that neither hostile text nor a broken neighbour
//! changes that.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::support::files::write_private;
use crate::support::states::start;
use crate::support::{ID, Run, Sandbox, as_client, event, json_lines, mode, text};

const OTHER: &str = "6c59583c-1111-4222-8333-444455556666";

fn clock_in(sandbox: &Sandbox, options: &[&str]) -> Run {
    sandbox.ccsession(["clock-in"].iter().chain(options))
}

/// Clocks in as `--json` answers.
#[track_caller]
fn answer(sandbox: &Sandbox, options: &[&str]) -> Value {
    clock_in(sandbox, options).arg("--json").json()
}

fn check_out(sandbox: &Sandbox, branch: &str) {
    let git = sandbox.project().join(".git");
    fs::create_dir_all(&git).unwrap();
    fs::write(git.join("HEAD"), format!("ref: refs/heads/{branch}\n")).unwrap();
}

fn record_path(sandbox: &Sandbox, id: &str) -> std::path::PathBuf {
    sandbox.session(id).join("session.json")
}

fn edit(sandbox: &Sandbox, id: &str, change: impl FnOnce(&mut Value)) {
    let mut record = sandbox.record(id);
    change(&mut record);
    fs::write(record_path(sandbox, id), record.to_string()).unwrap();
}

/// An hour ago, as a record has it.
fn hours_ago(hours: i64) -> Value {
    json!((chrono::Local::now() - chrono::TimeDelta::hours(hours)).to_rfc3339())
}

/// Every file with its content.
fn content(sandbox: &Sandbox) -> Vec<(String, Vec<u8>)> {
    let files = sandbox.files().into_iter();
    files
        .map(|file| {
            let bytes = fs::read(sandbox.path(&file)).unwrap();
            (file, bytes)
        })
        .collect()
}

#[test]
fn a_new_session_is_on_record_before_its_client_starts() {
    let sandbox = Sandbox::just_swept();
    let said = answer(&sandbox, &["--role", "reviewer", "--focus", "the cart"]);
    let id = said["session_id"].as_str().unwrap();
    assert_eq!(id.len(), 36);
    assert_eq!(
        said,
        json!({
            "v": 1, "session_id": id, "role": "reviewer", "focus": "the cart",
            "focus_source": "given", "created": true, "conflicts": [],
        })
    );
    let record = sandbox.record(id);
    assert_eq!(
        json!([
            record["source"],
            record["role"],
            record["focus"],
            record["project"]["name"],
            record["transcript_path"],
            record["notes"],
            record["ended_at"]
        ]),
        json!(["clock-in", "reviewer", "the cart", "shop", null, null, null])
    );
    assert!(record["started_at"].is_string() && record["cwd"].is_string());
    assert_eq!(mode(&record_path(&sandbox, id)), 0o600);
    let journal = sandbox.journal(id);
    let line = json!([
        journal[0]["event"],
        journal[0]["source"],
        journal[0]["what"]
    ]);
    assert_eq!(
        (journal.len(), line),
        (1, json!(["ClockIn", "clock-in", "the cart"]))
    );
    let listed = sandbox.ccsession(["list", "--json"]).json();
    assert_eq!(listed["sessions"][0]["state"], "active");
    sandbox.assert_no_leftovers();
}

#[test]
fn the_client_that_comes_finds_the_record_and_keeps_role_and_focus() {
    let sandbox = Sandbox::just_swept();
    clock_in(&sandbox, &["--session", ID, "--role", "fixer", "--quiet"]).expect(
        0,
        &format!("{ID}\n"),
        "",
    );
    let before = sandbox.record(ID);
    start(&sandbox, ID);
    assert_eq!(sandbox.record(ID), before);
    let shown = sandbox.ccsession(["show", ID, "--json"]).json();
    assert_eq!(
        json!([
            shown["state"],
            shown["owners"].as_array().unwrap().len(),
            shown["session"]["role"]
        ]),
        json!(["active", 1, "fixer"])
    );
    // What was before the client came is no part of the time that it had the session.
    assert_eq!(shown["events"], json!({"ClockIn": 1, "SessionStart": 1}));
    let view = sandbox.ccsession(["timeline", ID, "--json"]).json();
    let segments = view["segments"].as_array().unwrap();
    assert_eq!(
        (segments.len(), &segments[0]["source"]),
        (1, &json!("startup"))
    );
}

#[test]
fn without_a_client_it_is_live_until_the_idle_timeout() {
    let sandbox = Sandbox::just_swept();
    clock_in(&sandbox, &["--session", ID]).stdout();
    let state = || sandbox.ccsession(["show", ID, "--json"]).json()["state"].clone();
    assert_eq!(state(), "active");
    crate::support::states::age(&sandbox, ID, 3601);
    assert_eq!(state(), "abandoned");
    // Clocked in again, it is live again.
    assert_eq!(answer(&sandbox, &["--session", ID])["created"], false);
    assert_eq!(state(), "active");
}

#[test]
fn a_clock_in_updates_this_shells_session_and_keeps_what_is_not_given() {
    let sandbox = Sandbox::just_swept();
    start(&sandbox, ID);
    check_out(&sandbox, "feat/login");
    let said = answer(&sandbox, &["--role", "fixer"]);
    assert_eq!(
        json!([
            said["session_id"],
            said["created"],
            said["focus"],
            said["focus_source"]
        ]),
        json!([ID, false, "feat: login", "branch"])
    );
    check_out(&sandbox, "main");
    let said = answer(&sandbox, &[]);
    assert_eq!(
        json!([said["role"], said["focus"], said["focus_source"]]),
        json!(["fixer", "feat: login", "kept"])
    );
    let said = answer(&sandbox, &["--focus", "issue-7", "--role", ""]);
    assert_eq!(
        json!([said["role"], said["focus"], said["focus_source"]]),
        json!(["fixer", "issue-7", "given"])
    );
    let record = sandbox.record(ID);
    assert_eq!(
        json!([record["source"], record["role"]]),
        json!(["startup", "fixer"])
    );
}

#[test]
fn the_projects_only_live_session_may_be_anothers_and_is_not_changed() {
    let sandbox = Sandbox::just_swept();
    clock_in(&sandbox, &["--session", ID, "--role", "first"]).stdout();
    let said = answer(&sandbox, &["--role", "second", "--focus", "x"]);
    assert_eq!(said["created"], true);
    assert_eq!(sandbox.record(ID)["role"], "first");
}

#[test]
fn a_variable_names_the_session_of_this_shell() {
    let sandbox = Sandbox::just_swept();
    let said = clock_in(&sandbox, &["--json"])
        .env("CCSESSION_ID", ID)
        .json();
    assert_eq!(
        json!([said["session_id"], said["created"]]),
        json!([ID, true])
    );
    let said = clock_in(&sandbox, &["--json", "--session", OTHER, "--focus", "x"])
        .env("CCSESSION_ID", ID)
        .json();
    assert_eq!(said["session_id"], OTHER);
    assert_eq!(sandbox.record(OTHER)["parent"], ID);
}

#[test]
fn the_focus_comes_from_the_branch_by_gits_files_alone() {
    for (branch, focus, source) in [
        ("#12", "issue-12", "branch"),
        ("12-fix-x", "issue-12", "branch"),
        ("issue/12", "issue-12", "branch"),
        ("fix/ci-337", "fix: ci-337", "branch"),
        ("main", "general", "default"),
        ("master", "general", "default"),
    ] {
        let sandbox = Sandbox::just_swept();
        check_out(&sandbox, branch);
        // There is no git to run.
        let said = clock_in(&sandbox, &["--json"])
            .env("PATH", "/nowhere")
            .json();
        assert_eq!(
            json!([said["focus"], said["focus_source"]]),
            json!([focus, source])
        );
    }
    let detached = Sandbox::just_swept();
    check_out(&detached, "main");
    let head = detached.project().join(".git/HEAD");
    fs::write(head, format!("{}\n", "1".repeat(40))).unwrap();
    assert_eq!(answer(&detached, &[])["focus"], "general");
    assert_eq!(
        answer(&Sandbox::just_swept(), &[])["focus_source"],
        "default"
    );
}

#[test]
fn people_and_programs_are_told_the_same() {
    let sandbox = Sandbox::just_swept();
    start(&sandbox, ID);
    clock_in(
        &sandbox,
        &["--role", "fixer", "--note", "one", "--note", "two"],
    )
    .expect(
        0,
        &format!(
            "SESSION    {ID}\n\
             role       fixer\n\
             focus      general (by default)\n\
             notes      2\n\
             state      active\n\
             conflicts  0\n"
        ),
        "",
    );
    let new = clock_in(&sandbox, &["--session", OTHER, "--focus", "x"]).stdout();
    assert!(
        new.contains("\nrole       -\nfocus      x (as given)\n"),
        "{new}"
    );
    assert!(
        new.contains("\nstate      live until ")
            && new.ends_with("as long as Claude Code runs it\nconflicts  0\n"),
        "{new}"
    );
}

#[test]
fn notes_are_added_and_shown_with_their_times() {
    let sandbox = Sandbox::just_swept();
    clock_in(
        &sandbox,
        &["--session", ID, "--note", "first\nline", "--note", "\u{7}"],
    )
    .stdout();
    clock_in(&sandbox, &["--session", ID, "--note", "second"]).stdout();
    let notes = sandbox.record(ID)["notes"].clone();
    let texts: Vec<&Value> = notes
        .as_array()
        .unwrap()
        .iter()
        .map(|note| &note["text"])
        .collect();
    assert_eq!(texts, ["first line", "second"]);
    assert!(notes[0]["at"].as_str().unwrap().ends_with('Z'));
    let shown = sandbox
        .ccsession(["show", ID])
        .env("TZ", "XYZ-11:30")
        .stdout();
    let at: chrono::DateTime<chrono::Utc> = notes[1]["at"].as_str().unwrap().parse().unwrap();
    let local = at + chrono::TimeDelta::minutes(11 * 60 + 30);
    let row = format!("{}  second\n", local.format("%Y-%m-%d %H:%M:%S"));
    let line = shown
        .lines()
        .rfind(|line| line.starts_with("note "))
        .unwrap();
    assert_eq!(line.trim_start_matches("note").trim_start(), row.trim_end());
    assert_eq!(
        sandbox.ccsession(["show", ID, "--json"]).json()["session"]["notes"],
        notes
    );
}

#[test]
fn notes_of_another_shape_are_named_and_kept() {
    let sandbox = Sandbox::just_swept();
    clock_in(&sandbox, &["--session", ID]).stdout();
    for old in [json!("by hand\u{1b}[2J"), json!({"todo": ["x"]}), json!(7)] {
        edit(&sandbox, ID, |record| record["notes"] = old.clone());
        clock_in(&sandbox, &["--session", ID, "--role", "r"]).stdout();
        assert_eq!(
            sandbox.record(ID)["notes"],
            old,
            "without a note they are nobody's business"
        );
        let output = clock_in(&sandbox, &["--session", ID, "--note", "new", "--quiet"]).output();
        let said = text(&output.stderr);
        assert!(
            said.starts_with(&format!(
                "ccsession: the notes of session {ID} were not a list; `"
            )),
            "{said}"
        );
        assert!(!said.contains('\u{1b}') && output.status.success());
        let notes = sandbox.record(ID)["notes"].clone();
        assert_eq!((&notes[0], &notes[1]["text"]), (&old, &json!("new")));
        let shown = sandbox.ccsession(["show", ID]).stdout();
        assert_eq!(shown.matches("\nnote ").count(), 2, "{shown}");
    }
}

#[test]
fn more_notes_than_fit_the_record_are_refused_and_nothing_is_lost() {
    let sandbox = Sandbox::just_swept();
    clock_in(&sandbox, &["--session", ID, "--note", "first"]).stdout();
    edit(&sandbox, ID, |record| {
        record["description"] = json!("x".repeat((1 << 22) - 2500))
    });
    let before = sandbox.record(ID);
    let long = "long ".repeat(1000);
    let said = clock_in(&sandbox, &["--session", ID, "--note", &long]).refused(1);
    assert!(
        said.contains("could not write `") && said.contains("too large to be read again"),
        "{said}"
    );
    assert_eq!(sandbox.record(ID), before);
}

#[test]
fn another_session_with_the_same_focus_is_shown_with_its_role_and_age() {
    let sandbox = Sandbox::just_swept();
    clock_in(
        &sandbox,
        &["--session", ID, "--role", "first", "--focus", "cart"],
    )
    .stdout();
    edit(&sandbox, ID, |record| record["started_at"] = hours_ago(1));
    clock_in(&sandbox, &["--session", "s-other", "--focus", "Cart"]).stdout();
    let output = clock_in(&sandbox, &["--session", OTHER, "--focus", "cart", "--json"]).output();
    assert!(output.status.success());
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    let [conflict] = said["conflicts"].as_array().unwrap().as_slice() else {
        panic!("{said}");
    };
    assert_eq!(
        json!([conflict["session_id"], conflict["role"], conflict["focus"]]),
        json!([ID, "first", "cart"])
    );
    assert!(
        (3600..3660).contains(&conflict["age_seconds"].as_u64().unwrap()),
        "{conflict}"
    );
    assert!(conflict["started_at"].as_str().unwrap().ends_with('Z'));
    let warned = text(&output.stderr);
    assert!(
        warned.starts_with("ccsession: another session (first) has worked on `cart` since 20"),
        "{warned}"
    );
    assert!(
        warned.ends_with(&format!(" (1h ago): {ID}\n")) || warned.contains(" (1h 1s ago)"),
        "{warned}"
    );
    assert_eq!(warned.lines().count(), 1);
    assert_eq!(
        sandbox.record(OTHER)["focus"],
        "cart",
        "it is written all the same"
    );
}

#[test]
fn only_live_sessions_of_the_same_project_conflict() {
    let sandbox = Sandbox::just_swept();
    let elsewhere = sandbox.path("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    clock_in(&sandbox, &["--session", "s-elsewhere", "--focus", "cart"])
        .dir(&elsewhere)
        .stdout();
    clock_in(&sandbox, &["--session", "s-ended", "--focus", "cart"]).stdout();
    sandbox
        .hook(&event("SessionEnd", "s-ended", json!({"reason": "other"})))
        .silent();
    clock_in(&sandbox, &["--session", "s-idle", "--focus", "cart"]).stdout();
    crate::support::states::age(&sandbox, "s-idle", 7200);
    assert_eq!(
        answer(&sandbox, &["--session", ID, "--focus", "cart"])["conflicts"],
        json!([])
    );
    // Through a link it is the same project.
    let link = sandbox.path("link");
    symlink(sandbox.project(), &link).unwrap();
    let output = clock_in(&sandbox, &["--session", OTHER, "--focus", "cart", "--json"])
        .dir(&link)
        .output();
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(said["conflicts"][0]["session_id"], ID);
    // A session is no conflict with itself.
    clock_in(&sandbox, &["--session", ID, "--focus", "alone"]).stdout();
    assert_eq!(
        answer(&sandbox, &["--session", ID, "--exclusive"])["conflicts"],
        json!([])
    );
}

#[test]
fn an_exclusive_clock_in_with_a_conflict_is_refused_and_writes_nothing() {
    let sandbox = Sandbox::just_swept();
    clock_in(
        &sandbox,
        &["--session", ID, "--role", "first", "--focus", "cart"],
    )
    .stdout();
    clock_in(
        &sandbox,
        &[
            "--session",
            OTHER,
            "--role",
            "second",
            "--focus",
            "tax",
            "--note",
            "n",
        ],
    )
    .stdout();
    let before = content(&sandbox);
    for id in ["s-new", OTHER] {
        let options = [
            "--session",
            id,
            "--focus",
            "cart",
            "--role",
            "x",
            "--note",
            "x",
            "--exclusive",
        ];
        let said = clock_in(&sandbox, &options).refused(75);
        assert!(
            said.starts_with(
                "ccsession: could not clock in: another session (first) has worked on `cart` since "
            ),
            "{said}"
        );
        assert!(
            said.ends_with("; omit --exclusive, or choose another focus"),
            "{said}"
        );
        assert_eq!(content(&sandbox), before);
    }
    clock_in(
        &sandbox,
        &["--session", "s-new", "--focus", "else", "--exclusive"],
    )
    .stdout();
}

#[test]
fn of_exclusive_ones_at_the_same_moment_one_wins() {
    let rounds = if crate::support::torture::is_torture() {
        100
    } else {
        3
    };
    for _round in 0..rounds {
        let sandbox = Sandbox::just_swept();
        // Each of these is looked at, so that it takes a while to find that nobody has the focus.
        for number in 0..30 {
            let id = format!("s-{number}");
            clock_in(&sandbox, &["--session", &id, "--focus", &id]).stdout();
        }
        let options = ["--focus", "cart", "--exclusive", "--quiet"];
        let children: Vec<_> = (0..8)
            .map(|_| {
                let mut run = clock_in(&sandbox, &options);
                run.command
                    .stdin(Stdio::null())
                    .stdout(Stdio::piped())
                    .stderr(Stdio::piped());
                run.command.spawn().unwrap()
            })
            .collect();
        let mut statuses: Vec<i32> = children
            .into_iter()
            .map(|child| child.wait_with_output().unwrap().status.code().unwrap())
            .collect();
        statuses.sort_unstable();
        assert_eq!(statuses, [0, 75, 75, 75, 75, 75, 75, 75]);
        assert_eq!(
            fs::read_dir(sandbox.state().join("sessions"))
                .unwrap()
                .count(),
            31
        );
    }
}

/// In the older tools, an id was whatever somebody gave, of any length.
#[test]
fn wrong_usage_is_refused_and_nothing_is_made() {
    let sandbox = Sandbox::new();
    let long = "s".repeat(129);
    for (options, why) in [
        (
            vec!["--session", "../x"],
            "could not use `../x` as a session id",
        ),
        (
            vec!["--session", "unknown"],
            "could not use `unknown` as a session id",
        ),
        (vec!["--session", ""], "could not use `` as a session id"),
        (vec!["--session", &long], "it is longer than 128 bytes"),
        (vec!["--quiet", "--json"], "cannot be used with"),
        (vec!["--role"], "a value is required"),
        (vec!["extra"], "unexpected argument"),
    ] {
        let said = clock_in(&sandbox, &options).refused(64);
        assert!(said.contains(why), "{said}");
    }
    assert_eq!(sandbox.files(), [""; 0]);
}

/// In the older tools, focus and role came as they were, into paths and logs.
#[test]
fn hostile_text_is_kept_as_one_safe_line_and_names_no_file() {
    let long = "word ".repeat(2048);
    for (given, kept) in [
        ("fix/ci-337", "fix/ci-337"),
        ("../../etc", "../../etc"),
        ("a\u{1b}[31m\r\nb\u{7f}", "a [31m b"),
        ("\u{202e}gnp.exe", "gnp.exe"),
        ("---", "---"),
        ("größe 日本", "größe 日本"),
    ] {
        let sandbox = Sandbox::just_swept();
        let (role, focus) = (format!("--role={given}"), format!("--focus={given}"));
        let said = answer(&sandbox, &["--session", ID, &role, &focus]);
        assert_eq!(json!([said["role"], said["focus"]]), json!([kept, kept]));
        let record = sandbox.record(ID);
        assert_eq!(
            json!([record["role"], record["focus"]]),
            json!([kept, kept])
        );
        // The folders of projects are named by hashes, which may hold anything.
        let mut files: Vec<String> = sandbox.files();
        files.retain(|file| !file.starts_with("state/projects/"));
        assert!(
            files
                .iter()
                .all(|file| !file.contains("etc") && !file.contains("337")),
            "{files:?}"
        );
        let log = json_lines(&sandbox.state().join("log.jsonl"));
        assert_eq!(log.len(), 1, "no line of the log is forged");
    }
    let sandbox = Sandbox::just_swept();
    let said = answer(
        &sandbox,
        &["--session", ID, "--focus", &long, "--role", &long],
    );
    for field in ["focus", "role"] {
        let kept = said[field].as_str().unwrap();
        assert!(kept.chars().count() <= 120 && kept.ends_with('…'), "{kept}");
    }
    // Empty, and what nothing is left of, is not said at all.
    for nothing in ["", "  ", "\u{1b}\u{7}\n"] {
        let sandbox = Sandbox::just_swept();
        let said = answer(&sandbox, &["--focus", nothing, "--role", nothing]);
        assert_eq!(
            json!([said["role"], said["focus"], said["focus_source"]]),
            json!([null, "general", "default"])
        );
    }
}

#[test]
fn no_secret_is_recorded() {
    let sandbox = Sandbox::just_swept();
    let secret = format!("ghp_{}", "a1B2".repeat(9));
    let said = format!("rotate {secret}");
    clock_in(
        &sandbox,
        &[
            "--session",
            ID,
            "--role",
            &said,
            "--focus",
            &said,
            "--note",
            &said,
        ],
    )
    .stdout();
    for (file, bytes) in content(&sandbox) {
        assert!(!String::from_utf8_lossy(&bytes).contains(&secret), "{file}");
    }
}

/// In the older tools, one record that is an array made every clock-in of the project fail.
#[test]
fn a_record_that_is_an_array_is_named_skipped_and_kept() {
    check_bad_neighbour("[]\n", "could not read `");
}

#[test]
fn a_record_of_a_newer_version_is_named_skipped_and_kept() {
    check_bad_neighbour("{\"v\": 9, \"focus\": \"cart\"}\n", "update ccsession here");
}

#[test]
fn a_record_whose_focus_is_not_text_is_named_skipped_and_kept() {
    let sandbox = Sandbox::just_swept();
    clock_in(&sandbox, &["--session", OTHER, "--focus", "cart"]).stdout();
    let mut record = sandbox.record(OTHER);
    record["focus"] = json!({"is": "cart"});
    check_bad_neighbour(&record.to_string(), "could not read `");
}

/// A time to come would be a session that never ages.
#[test]
fn a_record_from_the_future_is_named_skipped_and_kept() {
    let sandbox = Sandbox::just_swept();
    clock_in(&sandbox, &["--session", OTHER, "--focus", "cart"]).stdout();
    let mut record = sandbox.record(OTHER);
    record["started_at"] = hours_ago(-2);
    check_bad_neighbour(&record.to_string(), "in the future; skipped");
}

#[track_caller]
fn check_bad_neighbour(bad: &str, why: &str) {
    let sandbox = Sandbox::just_swept();
    clock_in(&sandbox, &["--session", OTHER, "--focus", "cart"]).stdout();
    write_private(&record_path(&sandbox, OTHER), bad);
    let output = clock_in(
        &sandbox,
        &["--session", ID, "--focus", "cart", "--exclusive", "--json"],
    )
    .output();
    let (said, warned): (Value, _) = (
        serde_json::from_slice(&output.stdout).unwrap(),
        text(&output.stderr),
    );
    assert_eq!(
        (output.status.code(), &said["conflicts"]),
        (Some(0), &json!([]))
    );
    let named = record_path(&sandbox, OTHER);
    assert!(
        warned.contains(named.to_str().unwrap()) && warned.contains(why),
        "{warned}"
    );
    assert_eq!(warned.lines().count(), 1, "{warned}");
    assert_eq!(fs::read_to_string(named).unwrap(), bad);
}

/// In the older tools, `focus: null` broke whoever took it for a text. Here it is what every session has that nobody named.
#[test]
fn a_record_with_a_null_focus_conflicts_with_nobody_and_can_get_one() {
    let sandbox = Sandbox::just_swept();
    clock_in(&sandbox, &["--session", OTHER, "--focus", "general"]).stdout();
    edit(&sandbox, OTHER, |record| record["focus"] = Value::Null);
    assert_eq!(
        answer(&sandbox, &["--session", ID, "--exclusive"])["conflicts"],
        json!([])
    );
    let said = clock_in(&sandbox, &["--session", OTHER, "--json"]).output();
    let said: Value = serde_json::from_slice(&said.stdout).unwrap();
    assert_eq!(
        json!([said["focus"], said["focus_source"]]),
        json!(["general", "default"])
    );
}

#[test]
fn a_session_whose_own_record_cannot_be_read_is_refused_and_left() {
    let sandbox = Sandbox::just_swept();
    clock_in(&sandbox, &["--session", ID]).stdout();
    write_private(&record_path(&sandbox, ID), "[]");
    let before = content(&sandbox);
    let said = clock_in(&sandbox, &["--session", ID, "--role", "x"]).refused(1);
    assert!(said.contains("could not read `"), "{said}");
    assert_eq!(content(&sandbox), before);
}

/// In the older tools, clocking in also removed old sessions, unarchived.
#[test]
fn clocking_in_removes_no_session_however_old() {
    let sandbox = Sandbox::just_swept();
    clock_in(&sandbox, &["--session", OTHER]).stdout();
    edit(&sandbox, OTHER, |record| {
        record["started_at"] = hours_ago(80)
    });
    crate::support::states::age(&sandbox, OTHER, 80 * 3600);
    let before: Vec<_> = content(&sandbox)
        .into_iter()
        .filter(|(file, _)| file.contains(OTHER))
        .collect();
    clock_in(&sandbox, &["--session", ID]).stdout();
    let after: Vec<_> = content(&sandbox)
        .into_iter()
        .filter(|(file, _)| file.contains(OTHER))
        .collect();
    assert_eq!(after, before);
}

/// In the older tools, an id that was there already was silently overwritten.
#[test]
fn a_known_id_is_updated_and_never_overwritten() {
    let sandbox = Sandbox::just_swept();
    start(&sandbox, ID);
    edit(&sandbox, ID, |record| {
        record["model"] = json!("opus");
        record["transcript_path"] = json!("/t.jsonl");
        record["colour"] = json!("blue");
    });
    let before = sandbox.record(ID);
    assert_eq!(
        answer(&sandbox, &["--session", ID, "--role", "r", "--focus", "f"])["created"],
        false
    );
    let mut expected = before;
    (expected["role"], expected["focus"]) = (json!("r"), json!("f"));
    assert_eq!(sandbox.record(ID), expected);
}

#[test]
fn an_ended_session_can_be_clocked_in_and_stays_ended() {
    let sandbox = Sandbox::just_swept();
    start(&sandbox, ID);
    sandbox
        .hook(&event("SessionEnd", ID, json!({"reason": "other"})))
        .env("CLAUDE_PID", as_client())
        .silent();
    let said = clock_in(&sandbox, &["--session", ID, "--note", "done"]).stdout();
    assert!(said.contains("\nstate      ended\n"), "{said}");
    assert_eq!(
        sandbox.ccsession(["list", "--json"]).json()["sessions"],
        json!([])
    );
    sandbox
        .ccsession(["run", "--session-id", "s-run", "--", "/bin/false"])
        .expect(1, "", "");
    clock_in(&sandbox, &["--session", "s-run", "--note", "why"]).stdout();
    let record = sandbox.record("s-run");
    assert_eq!(
        json!([record["outcome"], record["exit_status"]]),
        json!(["failed", 1])
    );
}

#[test]
fn a_run_also_takes_its_focus_from_the_branch_and_keeps_that_of_a_clock_in() {
    let sandbox = Sandbox::just_swept();
    check_out(&sandbox, "12-login");
    sandbox
        .ccsession(["run", "--session-id", ID, "--", "/bin/true"])
        .silent();
    assert_eq!(sandbox.record(ID)["focus"], "issue-12");
    clock_in(
        &sandbox,
        &[
            "--session",
            OTHER,
            "--role",
            "r",
            "--focus",
            "cart",
            "--note",
            "n",
        ],
    )
    .stdout();
    sandbox
        .ccsession([
            "run",
            "--session-id",
            OTHER,
            "--name",
            "N\n1",
            "--",
            "/bin/true",
        ])
        .silent();
    let record = sandbox.record(OTHER);
    assert_eq!(
        json!([
            record["source"],
            record["name"],
            record["role"],
            record["focus"],
            record["notes"][0]["text"],
            record["outcome"]
        ]),
        json!(["clock-in", "N 1", "r", "cart", "n", "completed"])
    );
}

#[test]
fn a_clock_in_is_logged_and_printed_when_debugging() {
    let sandbox = Sandbox::just_swept();
    let run = |session: &str| {
        clock_in(&sandbox, &["--session", session, "--focus", "f", "--quiet"])
            .env("HOOK_DEBUG", "true")
    };
    let said = |what: &str| format!("ccsession: [SESSION_MANAGER] {what} {ID}\n");
    run(ID).expect(0, &format!("{ID}\n"), &said("session created"));
    run(ID).expect(0, &format!("{ID}\n"), &said("session clocked in"));
    let metadata = clock_in(&sandbox, &["--session", OTHER, "--focus", "g"])
        .env("CCSESSION_CAPTURE", "metadata");
    metadata.stdout();
    assert!(sandbox.journal(OTHER)[0].get("what").is_none());
}

#[test]
fn without_a_state_directory_a_clock_in_fails() {
    let sandbox = Sandbox::new();
    let run = clock_in(&sandbox, &[])
        .without_env("CCSESSION_STATE_DIR")
        .env("HOME", "relative");
    let said = run.refused(1);
    assert!(said.contains("could not find a state directory"), "{said}");
    // Missing folders are made.
    let deep = sandbox.path("a/b/c");
    clock_in(&sandbox, &["--session", ID])
        .env("CCSESSION_STATE_DIR", &deep)
        .stdout();
    assert!(Path::new(&deep).join("sessions").join(ID).is_dir());
    assert_eq!(mode(&deep), 0o700);
}
