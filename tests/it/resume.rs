//! `resume`, which continues a past session. A script stands in for Claude Code.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use nix::sys::termios::{LocalFlags, tcgetattr};
use serde_json::{Value, json};

use super::support::states::{age, start_and_die};
use super::support::transcripts::put_lines;
use super::support::{CCSESSION, Run, Sandbox, as_client, event, text, wait_until, write_program};

const ID: &str = "3f2a0000-1111-4222-8333-444455556666";
const OTHER: &str = "4f2a0000-1111-4222-8333-444455556666";

/// Claude Code's folder for sessions started in a directory.
fn folder(sandbox: &Sandbox, dir: &Path) -> PathBuf {
    let name = dir
        .to_str()
        .unwrap()
        .replace(|c: char| !c.is_ascii_alphanumeric(), "-");
    sandbox.home().join(".claude/projects").join(name)
}

/// A session in `dir` that has ended, with a transcript and this title.
fn past(sandbox: &Sandbox, id: &str, dir: &Path, title: &str) -> PathBuf {
    fs::create_dir_all(dir).unwrap();
    let transcript = folder(sandbox, dir).join(format!("{id}.jsonl"));
    let prompt = json!({
        "type": "user", "uuid": "u1", "sessionId": id, "timestamp": "2026-11-20T10:00:00.000Z", "cwd": dir,
        "message": {"role": "user", "content": "Do it"},
    });
    let named = json!({"type": "custom-title", "customTitle": title, "sessionId": id});
    put_lines(&transcript, &[prompt, named]);
    for (name, more) in [
        ("SessionStart", json!({"source": "startup"})),
        ("SessionEnd", json!({"reason": "prompt_input_exit"})),
    ] {
        let mut payload = event(name, id, more);
        payload["cwd"] = json!(dir);
        payload["transcript_path"] = json!(transcript);
        let run = sandbox.hook(&payload).env("CLAUDE_PROJECT_DIR", dir);
        run.env("CLAUDE_PID", as_client()).silent();
    }
    transcript
}

/// With a Claude Code that says how it was started.
fn with_claude(sandbox: &Sandbox, run: Run) -> Run {
    let bin = sandbox.path("bin");
    fs::create_dir_all(&bin).unwrap();
    write_program(
        bin.join("claude"),
        "#!/bin/sh\necho \"$PWD|$*|$CLAUDE_CONFIG_DIR\"\n",
    );
    run.env("PATH", format!("{}:/usr/bin:/bin", bin.display()))
}

fn started(sandbox: &Sandbox, arguments: &[&str]) -> String {
    let run = sandbox.ccsession([&["resume"], arguments].concat());
    let output = with_claude(sandbox, run).output();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    text(&output.stdout)
}

#[test]
fn a_session_is_resumed_in_its_directory() {
    let sandbox = Sandbox::new();
    let dir = sandbox.path("it's here");
    past(&sandbox, ID, &dir, "webhook hunt");
    past(&sandbox, OTHER, &sandbox.path("api"), "release");
    let expected = format!("{}|--resume {ID}|\n", dir.display());
    for words in [
        &[ID][..],
        &["3f2a"],
        &["webhook hunt"],
        &["Webhook", "hunt"],
        &["hunt"],
    ] {
        assert_eq!(started(&sandbox, words), expected, "{words:?}");
    }
    let more = started(&sandbox, &["hunt", "--", "--model", "opus"]);
    assert_eq!(
        more,
        format!("{}|--resume {ID} --model opus|\n", dir.display())
    );
    let printed = sandbox.ccsession(["resume", "hunt", "--print"]).stdout();
    let quoted = dir.display().to_string().replace('\'', r"'\''");
    assert!(
        printed.starts_with(&format!(
            "cd '{quoted}' && claude --resume {ID}  # webhook hunt, "
        )),
        "{printed}"
    );
    // A shell takes the line as it is.
    let run = sandbox.run("/bin/sh").arg("-c").arg(&printed);
    with_claude(&sandbox, run).expect(0, &expected, "");
    let all = sandbox.ccsession(["resume", "--all", "--print"]).stdout();
    assert_eq!(all.lines().count(), 2, "{all}");
    let here = ["resume", "--project", dir.to_str().unwrap(), "--json"];
    let here = sandbox.ccsession(here).json();
    assert_eq!(here["sessions"].as_array().unwrap().len(), 1);
    assert_eq!(
        here["sessions"][0]["command"],
        json!(["claude", "--resume", ID])
    );
    assert_eq!(here["sessions"][0]["transcript"], "present");
}

#[test]
fn a_transcript_that_claude_code_has_deleted_comes_back_from_its_archive() {
    let sandbox = Sandbox::new();
    let transcript = past(&sandbox, ID, &sandbox.path("shop"), "webhook hunt");
    sandbox.ccsession(["clock-out", ID]).stdout();
    fs::remove_file(&transcript).unwrap();
    let printed = sandbox.ccsession(["resume", ID, "--print"]).stdout();
    assert!(
        printed.starts_with(&format!("ccsession archive restore {ID} && cd ")),
        "{printed}"
    );
    assert!(!transcript.exists(), "printing changes nothing");
    let said = started(&sandbox, &["hunt"]);
    assert!(said.contains(&format!("|--resume {ID}|")), "{said}");
    assert!(transcript.exists());
    // Without an archive there is nothing to resume.
    let gone = past(&sandbox, OTHER, &sandbox.path("api"), "release");
    fs::remove_file(&gone).unwrap();
    let why = sandbox.ccsession(["resume", OTHER]).refused(3);
    assert!(
        why.contains("has no transcript of it, and no archive has one"),
        "{why}"
    );
    let all = sandbox.ccsession(["resume", "--all", "--print"]).stdout();
    assert!(!all.contains(OTHER), "{all}");
}

#[test]
fn a_session_whose_archive_has_no_transcript_is_not_offered() {
    let sandbox = Sandbox::new();
    sandbox.ccsession(["run", "--", "true"]).output();
    let transcript = past(&sandbox, ID, &sandbox.path("shop"), "webhook hunt");
    fs::remove_file(&transcript).unwrap();
    let archived = sandbox.ccsession(["clock-out", ID]).output();
    assert_eq!(archived.status.code(), Some(0));
    let gone = "2 sessions match; none has a transcript";
    for form in [&[][..], &["--print"], &["--json"]] {
        let run = sandbox.ccsession([&["resume", "3f2a"], form].concat());
        let output = run.output();
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(3), "{form:?} {said}");
        assert!(said.contains("no archive has one"), "{form:?} {said}");
        let run = sandbox.ccsession([&["resume", "--all", "shop"], form].concat());
        let output = run.output();
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(3), "{form:?} {said}");
        assert!(said.contains(gone), "{form:?} {said}");
    }
    past(&sandbox, OTHER, &sandbox.path("api"), "release");
    let all = sandbox.ccsession(["resume", "--all", "--print"]).stdout();
    assert_eq!(all.lines().count(), 1, "{all}");
    assert!(all.contains(OTHER), "{all}");
}

#[test]
fn a_session_that_cannot_be_resumed_is_named_with_a_remedy() {
    let sandbox = Sandbox::new();
    let none = sandbox.ccsession(["resume"]).refused(3);
    assert!(
        none.contains("could not find a session to resume: start `claude`"),
        "{none}"
    );
    let dir = sandbox.path("shop-1");
    past(&sandbox, ID, &dir, "one");
    past(&sandbox, OTHER, &sandbox.path("shop-2"), "two");
    let several = sandbox.ccsession(["resume"]).refused(4);
    assert!(several.contains("name one, or use --print"), "{several}");
    let several = sandbox.ccsession(["resume", "shop-"]).refused(4);
    assert!(several.contains("the words match 2"), "{several}");
    sandbox
        .ccsession(["resume", "nothing", "like", "it"])
        .refused(3);
    // No Claude Code.
    let run = sandbox.ccsession(["resume", ID]).env("PATH", "/nowhere");
    let output = run.output();
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    assert!(said.contains("there is no `claude` on the PATH"), "{said}");
    // No directory.
    fs::remove_dir(&dir).unwrap();
    let gone = sandbox.ccsession(["resume", ID]).refused(1);
    let command = format!("claude --resume {ID}");
    assert!(
        gone.contains("is gone; create it") && gone.contains(&command),
        "{gone}"
    );
    // A live one.
    let start = event("SessionStart", OTHER, json!({"source": "resume"}));
    sandbox.hook(&start).env("CLAUDE_PID", as_client()).silent();
    let live = sandbox.ccsession(["resume", OTHER]).refused(75);
    assert!(live.contains("it is live already"), "{live}");
}

#[test]
fn claude_code_gets_the_limit_of_open_files_that_the_user_has() {
    let sandbox = Sandbox::new();
    past(&sandbox, ID, &sandbox.path("shop-1"), "one");
    let script = format!("ulimit -Sn 200; exec {CCSESSION} resume {ID}");
    let run = with_claude(&sandbox, sandbox.run("/bin/sh").arg("-c").arg(script));
    write_program(
        sandbox.path("bin").join("claude"),
        "#!/bin/sh\nulimit -Sn\n",
    );
    assert_eq!(text(&run.output().stdout), "200\n");
}

#[test]
fn another_directory_of_claude_code_is_passed_on() {
    let sandbox = Sandbox::new();
    let dir = sandbox.path("shop");
    let transcript = past(&sandbox, ID, &dir, "one");
    let other = sandbox.path("work/.claude");
    let moved = other.join(
        transcript
            .strip_prefix(sandbox.home().join(".claude"))
            .unwrap(),
    );
    fs::create_dir_all(moved.parent().unwrap()).unwrap();
    fs::rename(&transcript, &moved).unwrap();
    let mut start = event("SessionStart", ID, json!({"source": "resume"}));
    start["transcript_path"] = json!(moved);
    let end = event(
        "SessionEnd",
        ID,
        json!({"reason": "other", "transcript_path": moved}),
    );
    for payload in [start, end] {
        sandbox
            .hook(&payload)
            .env("CLAUDE_PID", as_client())
            .silent();
    }
    let said = started(&sandbox, &[ID]);
    assert_eq!(
        said,
        format!("{}|--resume {ID}|{}\n", dir.display(), other.display())
    );
}

/// Makes the owners of a session those of an earlier boot.
fn from_boot(sandbox: &Sandbox, id: &str, boot: &str) {
    for entry in fs::read_dir(sandbox.session(id).join("owners")).unwrap() {
        let path = entry.unwrap().path();
        let mut owner: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        owner["boot"] = json!(boot);
        fs::write(&path, owner.to_string()).unwrap();
    }
}

#[test]
fn sessions_open_when_the_machine_went_down_are_found() {
    let sandbox = Sandbox::new();
    let none = sandbox.ccsession(["resume", "--lost"]).refused(3);
    assert!(
        none.contains("could not find a session that was open"),
        "{none}"
    );
    let ended = "5f2a0000-1111-4222-8333-444455556666";
    past(&sandbox, ended, &sandbox.path("shop"), "ended properly");
    let earlier = "6f2a0000-1111-4222-8333-444455556666";
    let killed = "7f2a0000-1111-4222-8333-444455556666";
    let lay = |id: &str, seconds: u64| {
        start_and_die(&sandbox, id);
        put_lines(
            &folder(&sandbox, &sandbox.project()).join(format!("{id}.jsonl")),
            &[
                json!({"type": "custom-title", "customTitle": format!("title of {id}"), "sessionId": id}),
            ],
        );
        let path = folder(&sandbox, &sandbox.project()).join(format!("{id}.jsonl"));
        let mut record = sandbox.record(id);
        record["transcript_path"] = json!(path);
        fs::write(sandbox.session(id).join("session.json"), record.to_string()).unwrap();
        age(&sandbox, id, seconds);
    };
    for (id, seconds) in [(ID, 4000), (OTHER, 5000), (earlier, 500_000), (killed, 100)] {
        lay(id, seconds);
    }
    for (id, boot) in [
        (ended, "before"),
        (ID, "before"),
        (OTHER, "before"),
        (earlier, "long-before"),
    ] {
        from_boot(&sandbox, id, boot);
    }
    let lost = |more: &[&str]| -> Vec<String> {
        let run = sandbox.ccsession([&["resume", "--lost", "--json"], more].concat());
        let sessions = run.json()["sessions"].clone();
        let ids = sessions.as_array().unwrap().iter();
        ids.map(|it| it["session_id"].as_str().unwrap().to_owned())
            .collect()
    };
    // Not the one that ended, nor the one that was killed since.
    assert_eq!(lost(&[]), [ID, OTHER]);
    assert_eq!(lost(&["--all"]), [ID, OTHER, earlier]);
    // The machine went down for every project.
    let api = sandbox.path("api");
    past(
        &sandbox,
        "8f2a0000-1111-4222-8333-444455556666",
        &api,
        "other",
    );
    let run = sandbox.ccsession(["resume", "--lost", "--json"]).dir(&api);
    assert_eq!(run.json()["sessions"].as_array().unwrap().len(), 2);
    assert_eq!(lost(&["--project", "."]), [ID, OTHER]);
    let none = ["resume", "--lost", "--project", "../api"];
    sandbox.ccsession(none).refused(3);
    let printed = sandbox.ccsession(["resume", "--lost"]).stdout();
    let commands: Vec<&str> = printed.lines().collect();
    assert_eq!(commands.len(), 2, "{printed}");
    assert!(
        commands[0].contains(&format!("claude --resume {ID}  # title of {ID}, 1h ")),
        "{printed}"
    );
    // One that was taken up again is not lost any more.
    let start = event("SessionStart", ID, json!({"source": "resume"}));
    sandbox.hook(&start).env("CLAUDE_PID", as_client()).silent();
    assert_eq!(lost(&[]), [OTHER]);
}

/// A child that does not outlive its test.
struct Started(Child);

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs on a terminal, types once the list is there, and returns the status and what the program
/// printed on stdout.
fn typed(mut run: Run, keys: &[u8]) -> (Option<i32>, String) {
    let terminal = nix::pty::openpty(None, None).unwrap();
    let slave = File::from(terminal.slave);
    run.command
        .stdin(Stdio::from(slave.try_clone().unwrap()))
        .stdout(Stdio::piped())
        .stderr(Stdio::from(slave));
    let mut child = Started(run.command.spawn().unwrap());
    drop(run);
    let mut master = File::from(terminal.master);
    let mut screen = Vec::new();
    let mut piece = [0; 4096];
    while !text(&screen).contains("two") {
        let read = master.read(&mut piece).unwrap();
        screen.extend_from_slice(&piece[..read]);
    }
    // Before that, the terminal itself would take an interrupt.
    wait_until(|| {
        let modes = tcgetattr(&master).unwrap().local_flags;
        !modes.contains(LocalFlags::ICANON)
    });
    master.write_all(keys).unwrap();
    let drain = std::thread::spawn(move || {
        let mut rest = Vec::new();
        let _ = master.read_to_end(&mut rest);
    });
    let mut said = String::new();
    let mut stdout = child.0.stdout.take().unwrap();
    stdout.read_to_string(&mut said).unwrap();
    let status = child.0.wait().unwrap();
    drain.join().unwrap();
    (status.code(), said)
}

#[test]
fn on_a_terminal_a_person_picks() {
    let sandbox = Sandbox::new();
    past(&sandbox, ID, &sandbox.path("shop"), "one");
    past(&sandbox, OTHER, &sandbox.path("api"), "two");
    let run = || {
        let run = sandbox.ccsession(["resume", "--all"]);
        with_claude(&sandbox, run.env("TERM", "xterm"))
    };
    let (status, said) = typed(run(), b"one\r");
    assert_eq!(status, Some(0));
    assert!(said.contains(&format!("--resume {ID}")), "{said}");
    let (status, said) = typed(run(), b"\x1b[B\r");
    assert_eq!(status, Some(0));
    assert!(said.contains("--resume "), "{said}");
    // Escape picks none; an interrupt ends the program as it ends any other.
    let (status, said) = typed(run(), b"\x1b");
    assert_eq!((status, said.as_str()), (Some(3), ""));
    let (status, said) = typed(run(), b"\x03");
    assert_eq!((status, said.as_str()), (None, ""));
}

#[test]
fn a_printed_command_moves_no_cursor_and_leads_to_the_directory() {
    let sandbox = Sandbox::new();
    let dir = sandbox.path("it's \u{1b}[2J\u{9b}2J\u{202e}y!");
    past(&sandbox, ID, &dir, "webhook hunt");
    let printed = sandbox.ccsession(["resume", ID, "--print"]).stdout();
    let is_harmless = |c: char| !c.is_control() && c != '\u{202e}' || c == '\n';
    assert_eq!(
        printed.chars().find(|c| !is_harmless(*c)),
        None,
        "{printed:?}"
    );
    let run = sandbox.run("bash").arg("-c").arg(&printed);
    let started = with_claude(&sandbox, run).output();
    let expected = format!("{}|--resume {ID}|\n", dir.display());
    assert_eq!(text(&started.stdout), expected, "{printed:?}");
}
