//! Readers that exit early, streams that are closed, text that contains terminal control sequences.

use std::fs;
use std::process::Stdio;

use serde_json::json;

use super::{edit_record, record_path, start_in, swept};
use crate::support::files::write_private;
use crate::support::{ID, Sandbox, as_client, event, text};

/// Command lines that print, fail to find, and fail to understand, each with its exit status.
const TALKATIVE: [(&[&str], i32); 9] = [
    (&["--help"], 0),
    (&["list", "--help"], 0),
    (&["--version"], 0),
    (&["current"], 0),
    (&["list", "--json"], 0),
    (&["config"], 0),
    (&["config", "--example"], 0),
    (&["show", "nope"], 3),
    (&["list", "--nope"], 64),
];

/// Runs it with these streams instead of pipes; the exit status is the answer.
#[track_caller]
fn status(sandbox: &Sandbox, arguments: &[&str], stdout: Stdio, stderr: Stdio) -> i32 {
    let mut command = sandbox.ccsession(arguments).command;
    command.stdin(Stdio::null()).stdout(stdout).stderr(stderr);
    command.status().unwrap().code().unwrap()
}

/// A pipe that nobody reads any more.
fn unread() -> Stdio {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    writer.into()
}

#[test]
fn a_reader_that_stops_early_is_not_a_failure() {
    let sandbox = Sandbox::new();
    for (arguments, expected) in TALKATIVE {
        let ended = status(&sandbox, arguments, unread(), Stdio::null());
        assert_eq!(ended, expected, "{arguments:?}");
    }
}

#[test]
fn a_failure_keeps_its_status_where_nobody_hears_why() {
    let sandbox = Sandbox::new();
    for (arguments, expected) in TALKATIVE {
        let ended = status(&sandbox, arguments, Stdio::null(), unread());
        assert_eq!(ended, expected, "{arguments:?}");
    }
}

#[test]
fn closed_streams_are_not_a_failure() {
    let sandbox = Sandbox::new();
    for (arguments, expected) in TALKATIVE {
        let script = format!(
            "{} {} <&- >&- 2>&-",
            crate::support::CCSESSION,
            arguments.join(" ")
        );
        sandbox
            .run("/bin/sh")
            .arg("-c")
            .arg(script)
            .expect(expected, "", "");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn an_answer_that_could_not_be_written_is_a_failure() {
    let sandbox = Sandbox::new();
    let full = || Stdio::from(fs::File::options().write(true).open("/dev/full").unwrap());
    for (arguments, expected) in TALKATIVE {
        let unwritten = if expected == 0 { 1 } else { expected };
        let ended = status(&sandbox, arguments, full(), Stdio::null());
        assert_eq!(ended, unwritten, "{arguments:?}");
        let said = sandbox.ccsession(arguments).output_to(full());
        let is_said = said.contains("could not write the output: No space left on device");
        assert_eq!(is_said, expected == 0, "{arguments:?}: {said}");
        let ended = status(&sandbox, arguments, Stdio::null(), full());
        assert_eq!(ended, expected, "{arguments:?}");
    }
}

/// What a stranger can bring into a name: colours, a cleared screen, a second line, reversed and hidden text, C1.
const HOSTILE: &str = "a\u{1b}[31m\u{202e}b\u{9b}2J\u{200b}\u{2028}\r\nc\u{7f}";

#[track_caller]
fn check_safe(output: &std::process::Output) {
    for stream in [&output.stdout, &output.stderr] {
        let said = text(stream);
        let hostile = said
            .chars()
            .find(|c| *c != '\n' && HOSTILE.contains(*c) && !c.is_ascii_graphic());
        assert_eq!(hostile, None, "{said:?}");
    }
}

#[test]
fn nothing_that_a_terminal_obeys_comes_through() {
    let sandbox = swept();
    let dir = sandbox.path(HOSTILE);
    fs::create_dir_all(dir.join(".git")).unwrap();
    fs::create_dir_all(dir.join(".claude")).unwrap();
    fs::write(dir.join(".claude/settings.json"), format!("{{{HOSTILE}")).unwrap();
    fs::write(
        dir.join(".git/HEAD"),
        format!("ref: refs/heads/{}\n", HOSTILE.replace(['\n', '\r'], "")),
    )
    .unwrap();
    start_in(&sandbox, ID, &dir);
    let odd = event(
        HOSTILE,
        ID,
        json!({"source": HOSTILE, "model": HOSTILE, "transcript_path": HOSTILE, "tool_name": HOSTILE}),
    );
    sandbox
        .hook(&odd)
        .env("CLAUDE_PID", as_client())
        .dir(&dir)
        .silent();
    edit_record(&sandbox, ID, |record| {
        for key in [
            "name",
            "role",
            "focus",
            "source",
            "model",
            "transcript_path",
        ] {
            record[key] = json!(HOSTILE);
        }
        record["notes"] = json!([{"at": record["started_at"], "text": HOSTILE}, HOSTILE]);
    });
    let line = json!({"v": 1, "ts": HOSTILE, "what": HOSTILE, "session_id": ID});
    let error = json!({"v": 1, "ts": chrono::Local::now().to_rfc3339(), "what": HOSTILE});
    for (name, line) in [("log.jsonl", line), ("hook-errors.jsonl", error)] {
        write_private(&sandbox.state().join(name), &format!("\n{line}\n"));
    }
    for arguments in [
        &["list"][..],
        &["list", "--all"],
        &["show", ID],
        &["doctor"],
        &["config"],
        &["current", "--explain"],
        &["clock-in", "--session", ID],
        &["clock-in", "--session", "s-2", "--focus", HOSTILE],
        &["install", "--scope", "project"],
        &["uninstall", "--scope", "project"],
    ] {
        let run = sandbox
            .ccsession(arguments)
            .dir(&dir)
            .env("CLAUDE_CONFIG_DIR", dir.join("x"));
        let output = run.output();
        let shows_it =
            text(&output.stdout).contains("[31m") || text(&output.stderr).contains("[31m");
        assert!(
            shows_it || arguments[0] == "current",
            "the test shows nothing: {output:?}"
        );
        check_safe(&output);
    }
    fs::write(
        record_path(&sandbox, ID),
        json!({"v": 1, "session_id": HOSTILE}).to_string(),
    )
    .unwrap();
    check_safe(&sandbox.ccsession(["list", "--all"]).output());
    check_safe(&sandbox.ccsession(["show", ID]).output());
}
