//! One thing that cannot be read, listed, verified or archived stops nothing else. It is named, it is logged if nobody reads
//! stderr, and it is tried again, but not at each start.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::support::archives::{a_day_later, clock_out, files, said, write};
use crate::support::tracing::{age_leftovers, can_inject};
use crate::support::{CCSESSION, ID, Sandbox, event, text};

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
fn an_unreadable_waiting_manifest_affects_only_its_session() {
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
fn an_archive_folder_that_others_can_change_is_named_and_hides_no_other() {
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
    if !crate::support::tracing::can_inject() {
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

/// What cannot be listed: a link that leads to itself, also for root, whom no mode keeps out.
fn unlistable(path: &Path) {
    std::os::unix::fs::symlink(path, path).unwrap();
}

fn marks(sandbox: &Sandbox) -> Vec<PathBuf> {
    let marks = fs::read_dir(sandbox.state().join("ended"));
    let marks = marks.into_iter().flatten();
    marks.map(|mark| mark.unwrap().path()).collect()
}

/// A user's settings, and no cleanup that a start leaves behind.
fn archiving(sandbox: &Sandbox, arguments: &[&str]) -> std::process::Output {
    let run = sandbox.ccsession(arguments);
    run.env("CCSESSION_ARCHIVE_AUTO", "true").output()
}

fn has_ended(sandbox: &Sandbox, id: &str) {
    over(sandbox, id, "words");
    let mark = sandbox.state().join("ended").join(id);
    fs::create_dir_all(mark.parent().unwrap()).unwrap();
    write(&mark, "");
    let old = std::time::SystemTime::now() - std::time::Duration::from_secs(60);
    let journal = sandbox.session(id).join("events.jsonl");
    let journal = fs::File::options().append(true).open(journal).unwrap();
    // The client writes no more.
    journal.set_modified(old).unwrap();
}

#[test]
fn a_session_folder_that_cannot_be_listed_keeps_no_other_from_being_archived() {
    let sandbox = Sandbox::just_swept();
    has_ended(&sandbox, ID);
    unlistable(&sandbox.session("s-loop"));
    let keys = fs::read_dir(sandbox.state().join("projects"));
    assert!(keys.is_err() || keys.unwrap().next().is_none());
    write(
        &sandbox.state().join("projects/0123456789abcdef/s-loop"),
        "",
    );
    let run = archiving(&sandbox, &["cleanup"]);
    assert_eq!(run.status.code(), Some(1), "{run:?}");
    assert!(text(&run.stderr).contains("/sessions/s-loop`"), "{run:?}");
    assert!(archived(&sandbox, ID, ".manifest.json").exists());
    assert_eq!(marks(&sandbox), [""; 0].map(PathBuf::from));
    // The day's work was done to its end, too.
    assert_eq!(fs::read(sandbox.state().join("daily")).unwrap(), b"");
    let doctor = sandbox.ccsession(["doctor"]).output();
    assert!(
        text(&doctor.stdout).contains("/sessions/s-loop`"),
        "{doctor:?}"
    );
}

#[test]
fn an_unlistable_folder_does_not_stop_the_cleanup_of_others() {
    for name in ["procs", "leases", "projects/0123456789abcdef"] {
        let sandbox = Sandbox::just_swept();
        has_ended(&sandbox, ID);
        let path = sandbox.state().join(name);
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        unlistable(&path);
        let run = archiving(&sandbox, &["cleanup"]);
        assert_eq!(run.status.code(), Some(1), "{name}: {run:?}");
        assert!(text(&run.stderr).contains(name), "{name}: {run:?}");
        assert!(archived(&sandbox, ID, ".manifest.json").exists(), "{name}");
    }
}

#[test]
fn a_temporary_file_that_cannot_be_looked_at_keeps_no_other_from_being_removed() {
    if !can_inject() {
        return;
    }
    let sandbox = Sandbox::just_swept();
    let names = ["a", "b", "c"].map(|end| format!(".ccsession-tmp-{end}"));
    let paths = names.map(|name| sandbox.state().join(name));
    for path in &paths {
        write(path, "half");
    }
    age_leftovers(&sandbox);
    let [_, refused, _] = &paths;
    let calls = "newfstatat,statx,lstat";
    let mut run = sandbox.run("strace");
    run.command.args(["-qq", "-o", "/dev/null"]);
    run.command.arg("-P").arg(refused);
    run.command.arg("-e").arg(format!("trace={calls}"));
    run.command
        .arg("-e")
        .arg(format!("inject={calls}:error=EIO"));
    let run = run.arg(CCSESSION).arg("cleanup").output();
    assert_eq!(run.status.code(), Some(1), "{run:?}");
    let why = format!("could not inspect `{}`: ", refused.display());
    assert!(text(&run.stderr).contains(&why), "{run:?}");
    assert_eq!(paths.map(|path| path.exists()), [false, true, false]);
}

/// What a mark says of a session that waits.
fn waiting(sandbox: &Sandbox, id: &str) -> serde_json::Value {
    let mark = fs::read(sandbox.state().join("ended").join(id)).unwrap();
    serde_json::from_slice(&mark).unwrap()
}

/// When a mark is due again, in seconds from now.
fn due_in(sandbox: &Sandbox, id: &str) -> u64 {
    let mark = sandbox.state().join("ended").join(id);
    let due = fs::metadata(mark).unwrap().modified().unwrap();
    let left = due.duration_since(std::time::SystemTime::now());
    left.unwrap_or_default().as_secs()
}

#[test]
fn a_session_that_cannot_be_archived_is_retried_after_an_hour_then_daily() {
    let sandbox = Sandbox::just_swept();
    has_ended(&sandbox, ID);
    has_ended(&sandbox, OTHER);
    write(&sandbox.session(ID).join("session.json"), "{bad");
    archiving(&sandbox, &["cleanup"]);
    assert!(archived(&sandbox, OTHER, ".manifest.json").exists());
    assert_eq!(marks(&sandbox), [sandbox.state().join("ended").join(ID)]);
    assert_eq!(waiting(&sandbox, ID)["tries"], 1);
    let hour = due_in(&sandbox, ID);
    assert!((3000..=3600).contains(&hour), "{hour}");
    let doctor = sandbox.ccsession(["doctor"]);
    let doctor = doctor.env("CCSESSION_ARCHIVE_AUTO", "true").output();
    let said = text(&doctor.stdout);
    assert!(
        said.contains(&format!("session {ID} has ended and is not archived")),
        "{said}"
    );

    // What is due by itself leaves it alone; who asks for a cleanup has it tried.
    for (arguments, tries) in [(&["cleanup", "--if-due"][..], 1), (&["cleanup"], 2)] {
        let _ = fs::remove_file(sandbox.state().join("sweep"));
        archiving(&sandbox, arguments);
        assert_eq!(waiting(&sandbox, ID)["tries"], tries, "{arguments:?}");
    }
    let day = due_in(&sandbox, ID);
    assert!((86_000..=86_400).contains(&day), "{day}");

    // It ends once more: that is news.
    let end = json!({"reason": "other"});
    let hook = sandbox.hook(&event("SessionEnd", ID, end));
    hook.env("CCSESSION_ARCHIVE_AUTO", "true").output();
    assert_eq!(fs::read(&marks(&sandbox)[0]).unwrap(), b"");
}

#[test]
fn a_waiting_mark_does_not_make_each_start_run_a_cleanup() {
    let places = |sandbox: &Sandbox| ccsession::store::Places {
        state: Some(sandbox.state()),
        pointers: sandbox.pointers(),
        config: None,
    };
    let sandbox = Sandbox::just_swept();
    has_ended(&sandbox, ID);
    let state = ccsession::store::StateDir::open(
        &places(&sandbox),
        ccsession::store::Decompressor::BUILT_IN,
    )
    .unwrap()
    .unwrap();
    let now = ccsession::store::clock::now();
    let is_due = |hours: u64| {
        let then = now.after(std::time::Duration::from_secs(hours * 3600));
        ccsession::store::archive_queue::is_any_due(&state, then)
    };
    assert!(is_due(0));
    write(&sandbox.session(ID).join("session.json"), "{bad");
    archiving(&sandbox, &["cleanup"]);
    assert!(!is_due(0));
    assert!(is_due(2));
}

/// A cleanup that a hook has left behind has no stderr: what it could not do is on record, once a day, and the doctor says so.
#[test]
fn failures_of_a_background_cleanup_are_recorded_once() {
    let sandbox = Sandbox::just_swept();
    has_ended(&sandbox, ID);
    unlistable(&sandbox.session("s-loop"));
    write(
        &sandbox.state().join("projects/0123456789abcdef/s-loop"),
        "",
    );
    for _ in 0..2 {
        let _ = fs::remove_file(sandbox.state().join("sweep"));
        archiving(&sandbox, &["cleanup", "--if-due", "--quiet", "--detach"]);
    }
    let log = crate::support::json_lines(&sandbox.state().join("log.jsonl"));
    let failed: Vec<&str> = log
        .iter()
        .filter(|line| line["what"] == "cleanup failed")
        .map(|line| line["why"].as_str().unwrap())
        .collect();
    assert_eq!(failed.len(), 1, "{failed:?}");
    assert!(failed[0].contains("s-loop"), "{failed:?}");
    let doctor = text(&sandbox.ccsession(["doctor"]).output().stdout);
    assert!(
        doctor.contains("cleanups failed 1 times in the last 24 hours; the last: could not list"),
        "{doctor}"
    );
}

/// The day's work that was begun and never done is due again after an hour, not after a day.
#[test]
fn the_daily_work_of_a_killed_cleanup_is_done_an_hour_later() {
    let sandbox = Sandbox::just_swept();
    let stamp = sandbox.state().join("daily");
    for (minutes, is_done) in [(30, false), (61, true)] {
        write(&stamp, "begun\n");
        let at = std::time::SystemTime::now() - std::time::Duration::from_secs(minutes * 60);
        fs::File::options()
            .append(true)
            .open(&stamp)
            .unwrap()
            .set_modified(at)
            .unwrap();
        sandbox.ccsession(["cleanup"]).stdout();
        assert_eq!(fs::read(&stamp).unwrap().is_empty(), is_done, "{minutes}");
    }
}
