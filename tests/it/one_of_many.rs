//! One thing that cannot be read, listed, verified or archived stops nothing else: it is named, it is on record where nobody
//! reads stderr, and it is tried again, but not at each start.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::archive::{a_day_later, clock_out, files, said, write};
use crate::support::{ID, Sandbox, event, text};

const OTHER: &str = "6c58472b-1111-4222-8333-444455556666";

fn transcript(sandbox: &Sandbox, id: &str) -> PathBuf {
    sandbox
        .home()
        .join(format!(".claude/projects/-shop/{id}.jsonl"))
}

/// A session that said `words` and has ended.
fn over(sandbox: &Sandbox, id: &str, words: &str) {
    let path = transcript(sandbox, id);
    write(&path, said(&[words]).replace(ID, id));
    let start = json!({"source": "startup", "transcript_path": path});
    sandbox.hook(&event("SessionStart", id, start)).silent();
    let end = json!({"reason": "other"});
    sandbox.hook(&event("SessionEnd", id, end)).silent();
}

/// Two sessions that are archived: [`ID`] and [`OTHER`].
fn two_archived() -> Sandbox {
    let sandbox = Sandbox::just_swept();
    for (id, words) in [(ID, "needle one"), (OTHER, "needle two")] {
        over(&sandbox, id, words);
        sandbox.ccsession(["clock-out", id]).stdout();
    }
    sandbox
}

/// The file of the archive of `id` whose name ends so.
fn archived(sandbox: &Sandbox, id: &str, ending: &str) -> PathBuf {
    let end = format!("{id}{ending}");
    let is_it = |path: &PathBuf| path.to_string_lossy().ends_with(&end);
    files(sandbox).into_iter().find(is_it).unwrap()
}

#[track_caller]
fn check_waiting(name: &str, make: impl Fn(&Path)) {
    let sandbox = two_archived();
    let third = "7d58472b-1111-4222-8333-444455556666";
    over(&sandbox, third, "needle three");
    let manifest = archived(&sandbox, ID, ".manifest.json");
    let waiting = manifest.with_file_name(name);
    make(&waiting);

    let archived_too = sandbox.ccsession(["clock-out", third]).output();
    assert_eq!(archived_too.status.code(), Some(0), "{archived_too:?}");
    for verb in [
        &["list"][..],
        &["search", "needle"],
        &["verify"],
        &["show", ID],
    ] {
        let run = sandbox.ccsession(["archive"].iter().chain(verb)).output();
        assert_eq!(run.status.code(), Some(0), "{verb:?}: {run:?}");
        assert!(text(&run.stderr).contains(name), "{verb:?}: {run:?}");
    }
    a_day_later(&sandbox);
    let cleanup = sandbox.ccsession(["cleanup"]).output();
    assert_eq!(cleanup.status.code(), Some(1), "{cleanup:?}");
    assert!(text(&cleanup.stderr).contains(name), "{cleanup:?}");
    assert!(waiting.exists(), "it is kept");
}

#[test]
fn a_manifest_that_waits_and_cannot_be_read_is_one_sessions_matter() {
    const NAME: &str = "2026-01-01-general-s-9.manifest.json";
    let newer = r#"{"v":2,"session_id":"s-9"}"#;
    for ending in [".new", ".gone"] {
        let name = format!("{NAME}{ending}");
        check_waiting(&name, |path| write(path, newer));
        check_waiting(&name, |path| write(path, "\0\0\0\0"));
        check_waiting(&name, |path| fs::create_dir(path).unwrap());
        check_waiting(&name, |path| {
            std::os::unix::fs::symlink("/etc/passwd", path).unwrap();
        });
    }
}

/// What a newer version archived when it was killed can be ended by it later.
#[test]
fn the_parts_that_an_unreadable_manifest_may_name_are_kept() {
    let sandbox = two_archived();
    let manifest = archived(&sandbox, ID, ".manifest.json");
    let stem = "2026-01-01-general-s-9";
    let waiting = manifest.with_file_name(format!("{stem}.manifest.json.new"));
    let part = manifest.with_file_name(format!("{stem}.txt.new"));
    let stray = manifest.with_file_name("2026-01-01-general-s-8.txt.new");
    write(&waiting, r#"{"v":2}"#);
    write(&part, "text");
    write(&stray, "of no manifest");
    sandbox.ccsession(["archive", "list"]).output();
    assert!(waiting.exists() && part.exists());
    assert!(!stray.exists());
}

#[test]
fn search_goes_on_past_an_archive_that_lacks_a_part() {
    let sandbox = two_archived();
    fs::remove_file(archived(&sandbox, OTHER, ".txt")).unwrap();
    let run = sandbox.ccsession(["archive", "search", "needle"]).output();
    assert_eq!(run.status.code(), Some(1));
    assert!(text(&run.stdout).contains("needle one"), "{run:?}");
    assert!(text(&run.stderr).contains("is missing"), "{run:?}");
}

#[test]
fn verify_goes_on_past_a_part_that_must_not_be_trusted() {
    use std::os::unix::fs::PermissionsExt;
    let sandbox = two_archived();
    let part = archived(&sandbox, ID, ".txt");
    fs::set_permissions(&part, fs::Permissions::from_mode(0o620)).unwrap();
    fs::remove_file(archived(&sandbox, OTHER, ".txt")).unwrap();
    let run = sandbox.ccsession(["archive", "verify", "--json"]).output();
    assert_eq!(run.status.code(), Some(1));
    let report: serde_json::Value = serde_json::from_slice(&run.stdout).unwrap();
    let mut faults: Vec<&str> = report["faults"]
        .as_array()
        .unwrap()
        .iter()
        .map(|fault| fault["fault"].as_str().unwrap())
        .collect();
    faults.sort_unstable();
    assert_eq!(faults, ["missing", "unreadable"]);
    assert!(
        text(&run.stderr).contains("others may write to it"),
        "{run:?}"
    );
}

#[test]
fn a_damaged_manifest_is_a_fault_and_the_session_is_archived_again_beside_it() {
    let sandbox = two_archived();
    let damaged = archived(&sandbox, ID, ".manifest.json");
    fs::OpenOptions::new()
        .write(true)
        .open(&damaged)
        .unwrap()
        .set_len(100)
        .unwrap();
    let said = sandbox.ccsession(["archive", "verify"]).refused(1);
    assert!(said.contains(damaged.to_str().unwrap()), "{said}");
    let before = fs::read(&damaged).unwrap();
    let anew = clock_out(&sandbox, &[]);
    assert!(anew.exists());
    assert_ne!(anew.with_extension("manifest.json"), damaged);
    assert_eq!(fs::read(&damaged).unwrap(), before);
    assert_eq!(clock_out(&sandbox, &[]), anew, "once");
}

#[test]
fn a_folder_of_archives_that_is_not_ours_alone_is_named_and_hides_no_other() {
    use std::os::unix::fs::PermissionsExt;
    let sandbox = two_archived();
    let open = sandbox.state().join("archive/open");
    fs::create_dir(&open).unwrap();
    fs::set_permissions(&open, fs::Permissions::from_mode(0o755)).unwrap();
    let run = sandbox.ccsession(["archive", "list"]).output();
    assert_eq!(run.status.code(), Some(0));
    assert!(text(&run.stdout).contains(ID) && text(&run.stdout).contains(OTHER));
    assert!(text(&run.stderr).contains("/archive/open"), "{run:?}");
}

/// What is asked of one session does not depend on how many archives there are: no folder of archives is listed for it.
#[test]
fn archiving_one_session_lists_no_archives() {
    if !crate::faults::can_inject() {
        return;
    }
    let sandbox = two_archived();
    let third = "7d58472b-1111-4222-8333-444455556666";
    over(&sandbox, third, "three");
    let trace = sandbox.path("trace");
    let mut run = sandbox.run("strace");
    run.command
        .args(["-f", "-qq", "-y", "-e", "trace=getdents64", "-o"])
        .arg(&trace)
        .args([crate::support::CCSESSION, "clock-out", third]);
    run.stdout();
    let listed = fs::read_to_string(&trace).unwrap();
    assert!(!listed.contains("/state/archive"), "{listed}");
}

/// An index is derived: where it is lost, what it says is found by the archives' names.
#[test]
fn a_lost_index_of_archives_makes_no_second_archive() {
    let sandbox = two_archived();
    let first = clock_out(&sandbox, &[]);
    let mut record = sandbox.record(ID);
    record["archive"] = serde_json::Value::Null;
    record["focus"] = json!("named since");
    write(
        &sandbox.session(ID).join("session.json"),
        record.to_string(),
    );
    fs::remove_dir_all(sandbox.state().join("archive-ids")).unwrap();
    fs::remove_file(transcript(&sandbox, ID)).unwrap();
    assert_eq!(clock_out(&sandbox, &[]), first);
}
