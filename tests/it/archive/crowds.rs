//! Many archivings at once, and some that are killed at any moment.

use std::fs;
use std::time::Duration;

use serde_json::json;

use crate::support::archives::{begun, clock_out, files, said, write};
use crate::support::{ID, Run, Sandbox, text};

#[test]
fn many_at_once_give_one_archive() {
    let sandbox = Sandbox::archiving();
    let transcript = begun(&sandbox, json!({}));
    write(&transcript, said(&["one"]));
    let paths: Vec<String> = std::thread::scope(|scope| {
        let runs: Vec<Run> = (0..12)
            .map(|_| sandbox.ccsession(["clock-out", ID]))
            .collect();
        let running: Vec<_> = runs
            .into_iter()
            .map(|run| scope.spawn(|| run.stdout()))
            .collect();
        running.into_iter().map(|run| run.join().unwrap()).collect()
    });
    assert!(paths.iter().all(|path| *path == paths[0]), "{paths:?}");
    sandbox
        .ccsession(["archive", "verify"])
        .expect(0, "1 archive is complete and undamaged\n", "");
    assert_eq!(files(&sandbox).len(), 4);
}

/// In the older tools, nothing was written in one step. Kills `ccsession clock-out` at random moments, while the
/// transcript grows: there is always a whole archive or none, and never one with less in it than before.
#[test]
fn killed_at_any_moment_nothing_is_lost_and_nothing_half_is_there() {
    let rounds = if std::env::var_os("CCSESSION_TORTURE").is_some() {
        1000
    } else {
        60
    };
    let sandbox = Sandbox::archiving();
    let transcript = begun(&sandbox, json!({}));
    let words: Vec<String> = (0..200)
        .map(|number| format!("word {number} {}", "x".repeat(2000)))
        .collect();
    let mut messages = 0;
    for round in 0..rounds {
        let count = (round % 200) + 1;
        if round % 200 == 0 {
            let _ = fs::remove_dir_all(sandbox.state().join("archive"));
            messages = 0;
        }
        let texts: Vec<&str> = words[..count].iter().map(String::as_str).collect();
        write(&transcript, said(&texts));
        let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_ccsession"))
            .args(["clock-out", ID])
            .env_clear()
            .env("HOME", sandbox.home())
            .env("CCSESSION_STATE_DIR", sandbox.state())
            .env("CCSESSION_POINTER_DIR", sandbox.pointers())
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_micros((round as u64 * 7919) % 30_000));
        let _ = child.kill();
        child.wait().unwrap();
        let output = sandbox.ccsession(["archive", "verify"]).output();
        assert!(
            output.status.success(),
            "round {round}: {}",
            text(&output.stderr)
        );
        let listed = sandbox.ccsession(["archive", "list", "--json"]).json();
        if let Some(archive) = listed["archives"].as_array().unwrap().first() {
            let now = archive["manifest"]["messages"].as_u64().unwrap();
            assert!(now >= messages, "round {round}: {now} after {messages}");
            messages = now;
        }
    }
    let path = clock_out(&sandbox, &[]);
    let last = ((rounds - 1) % 200) + 1;
    assert!(fs::read_to_string(path).unwrap().ends_with(&format!(
        "End of session ({last} messages)\n{}",
        "=".repeat(80)
    )));
    assert!(
        files(&sandbox)
            .iter()
            .all(|path| !path.to_str().unwrap().ends_with(".new"))
    );
}
