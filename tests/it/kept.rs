//! Nothing is removed without a second check: a session that looked dead may have come back since, and one wrong reading of the
//! clock makes nothing old.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant, SystemTime};

use ccsession::cleanup::task::TaskKind;
use ccsession::cleanup::{self, CleanupMode};
use ccsession::model::Config;
use ccsession::store::lock::CLI_PATIENCE;
use ccsession::store::{Decompressor, Environment, Host, Places, StateDir, clock};
use serde_json::{Value, json};

use crate::support::archives::{begun, clock_out, ended, said, write};
use crate::support::{ID, Sandbox, as_client, event};

/// The session [`ID`], archived and over.
fn archived() -> Sandbox {
    let sandbox = Sandbox::just_swept();
    let transcript = begun(&sandbox, json!({}));
    write(&transcript, said(&["one"]));
    ended(&sandbox, "other");
    clock_out(&sandbox, &[]);
    sandbox
}

/// Waits until a process has opened the file at `path`.
#[track_caller]
fn wait_until_open(pid: u32, path: &Path) {
    let started = Instant::now();
    let is_open = || {
        let fds = fs::read_dir(format!("/proc/{pid}/fd"))
            .into_iter()
            .flatten();
        fds.flatten()
            .any(|fd| fs::read_link(fd.path()).is_ok_and(|target| target == path))
    };
    while !is_open() {
        assert!(started.elapsed() < Duration::from_secs(60), "{path:?}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_session_that_is_resumed_while_it_is_archived_to_be_removed_stays() {
    let sandbox = archived();
    let lock = sandbox.state().join("archive.lock");
    let held = fs::File::options().write(true).open(&lock).unwrap();
    fs2::FileExt::lock_exclusive(&held).unwrap();
    let mut cleanup = sandbox
        .ccsession(["cleanup", "--quiet"])
        .env("CCSESSION_RETENTION_SESSIONS", "1us");
    let mut child = cleanup.command.spawn().unwrap();
    wait_until_open(child.id(), &fs::canonicalize(&lock).unwrap());
    for payload in [
        event("SessionStart", ID, json!({"source": "resume"})),
        event("UserPromptSubmit", ID, json!({"prompt": "go on"})),
    ] {
        sandbox
            .hook(&payload)
            .env("CLAUDE_PID", as_client())
            .silent();
    }
    fs2::FileExt::unlock(&held).unwrap();
    child.wait().unwrap();
    let listed = sandbox.ccsession(["list", "--json"]).json();
    assert_eq!(listed["sessions"][0]["session_id"], ID);
    assert_eq!(listed["sessions"][0]["state"], "active");
    assert_eq!(sandbox.journal(ID).len(), 4);
    sandbox.assert_no_leftovers();
}

#[test]
fn a_cleanup_waits_for_another_process_that_archives_a_long_session() {
    let sandbox = archived();
    let lock = sandbox.state().join("archive.lock");
    let held = fs::File::options().write(true).open(&lock).unwrap();
    fs2::FileExt::lock_exclusive(&held).unwrap();
    let mut cleanup = sandbox
        .ccsession(["cleanup", "--json"])
        .env("CCSESSION_RETENTION_ARCHIVE", "1us");
    let child = cleanup.command.stdout(Stdio::piped()).spawn().unwrap();
    wait_until_open(child.id(), &fs::canonicalize(&lock).unwrap());
    // Longer than a command waits for any other lock.
    std::thread::sleep(CLI_PATIENCE + Duration::from_millis(200));
    fs2::FileExt::unlock(&held).unwrap();
    let done = child.wait_with_output().unwrap();
    assert!(done.status.success(), "{done:?}");
    let report: Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!(report["pruned"], 1, "{report}");
    let left = sandbox.ccsession(["archive", "list", "--json"]).json();
    assert_eq!(left["archives"], json!([]));
}

/// A cleanup that was killed between setting a session aside and looking at it, or while it removed it.
#[test]
fn a_session_set_aside_comes_back_and_one_whose_removal_began_is_removed() {
    for (name, comes_back) in [(".leaving-", true), (".gone-", false)] {
        let sandbox = archived();
        let aside = sandbox.state().join("sessions").join(format!("{name}{ID}"));
        fs::rename(sandbox.session(ID), &aside).unwrap();
        let doctor = sandbox.ccsession(["doctor"]).output();
        let doctor = String::from_utf8(doctor.stdout).unwrap();
        assert!(
            doctor.contains("was being removed by a cleanup that was killed"),
            "{doctor}"
        );
        sandbox.ccsession(["cleanup"]).stdout();
        assert!(!aside.exists(), "{name}");
        assert_eq!(sandbox.session(ID).exists(), comes_back, "{name}");
    }
}

#[test]
fn a_clock_that_is_wrong_once_removes_nothing() {
    let sandbox = archived();
    let journal = sandbox.session(ID).join("events.jsonl");
    let journal = fs::File::options().append(true).open(journal).unwrap();
    let hour = SystemTime::now() - Duration::from_secs(3600);
    journal.set_modified(hour).unwrap();
    let places = Places {
        state: Some(sandbox.state()),
        pointers: sandbox.pointers(),
        config: None,
    };
    let env = Environment {
        claude_config_dir: Some(sandbox.home().join(".claude")),
        ..Environment::default()
    };
    let day = Duration::from_secs(86_400);
    let mut config = Config::default();
    config.retention_sessions = Some(day * 30);
    config.retention_archive = Some(day * 60);
    config.archive_auto = false;
    let ahead = clock::now().after(day * 400);
    let state = StateDir::open(&places, Decompressor::BUILT_IN).unwrap();
    let host = Host {
        env: &env,
        places: &places,
        config: &config,
        state: state.as_ref(),
        state_fault: None,
        now: ahead,
    };
    let report = cleanup::run(&host, 30.0, CleanupMode::Asked).unwrap();
    assert_eq!(
        report.count(TaskKind::PrunedSessions) + report.count(TaskKind::PrunedArchives),
        0
    );
    assert!(sandbox.session(ID).exists());
}

/// A session that is run again and again, and whose launchers are killed, has ever more dead owners on record.
#[test]
fn a_living_owner_is_found_among_many_dead_ones_and_a_cleanup_removes_the_dead() {
    let sandbox = Sandbox::just_swept();
    let start = event("SessionStart", ID, json!({"source": "startup"}));
    sandbox.hook(&start).env("CLAUDE_PID", as_client()).silent();
    let owners = sandbox.session(ID).join("owners");
    let living = fs::read_dir(&owners)
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    let owner: serde_json::Value = serde_json::from_slice(&fs::read(&living).unwrap()).unwrap();
    for number in 1..=600_u64 {
        let mut dead = owner.clone();
        // No process of this pid has started so late.
        dead["start"] = json!(owner["start"].as_u64().unwrap() + number);
        dead["launcher"] = json!(number % 2 == 0);
        let name = format!("{}-{}", dead["pid"], dead["start"]);
        write(&owners.join(name), dead.to_string());
    }
    let state = || sandbox.ccsession(["list", "--json"]).json()["sessions"][0]["state"].clone();
    assert_eq!(state(), "active");
    for _ in 0..4 {
        sandbox.ccsession(["cleanup"]).stdout();
    }
    assert!(living.exists());
    assert_eq!(fs::read_dir(&owners).unwrap().count(), 2);
    assert_eq!(state(), "active");
}
