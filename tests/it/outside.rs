//! Paths and streams that come from outside: what a payload or the environment names is believed only where Claude Code puts
//! such files, and nobody who does not read keeps a hook.

use std::fs::{self, File};
use std::io::{PipeReader, PipeWriter, pipe};
use std::os::unix::fs::{MetadataExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::fs::OFlags;
use serde_json::{Value, json};

use crate::archive::{begun, said, write};
use crate::support::{CCSESSION, ID, PATIENCE, Sandbox, end_of, event};

fn start() -> Value {
    event("SessionStart", ID, json!({"source": "startup"}))
}

// CLAUDE_ENV_FILE

/// Where the client puts such files.
fn env_folder(sandbox: &Sandbox) -> PathBuf {
    let folder = sandbox.home().join(".claude/session-env").join(ID);
    fs::create_dir_all(&folder).unwrap();
    folder
}

fn start_with_env_file(sandbox: &Sandbox, file: &Path) {
    let run = sandbox.hook(&start()).env("CLAUDE_ENV_FILE", file);
    run.without_env("CLAUDE_CODE_SESSION_ID").silent();
}

#[test]
fn an_env_file_where_the_client_puts_it_is_made_and_replaced() {
    let sandbox = Sandbox::just_swept();
    let file = env_folder(&sandbox).join("sessionstart-hook-0.sh");
    let text = format!("export CLAUDE_CODE_SESSION_ID={ID}\n");
    start_with_env_file(&sandbox, &file);
    assert_eq!(fs::read_to_string(&file).unwrap(), text);
    start_with_env_file(&sandbox, &file);
    assert_eq!(fs::read_to_string(&file).unwrap(), text);
    assert_eq!(fs::read_dir(file.parent().unwrap()).unwrap().count(), 1);
}

/// With something else at `CLAUDE_ENV_FILE`, the hook is silent and leaves it.
#[track_caller]
fn check_env_file_left(file: &Path, sandbox: &Sandbox) {
    let look = || {
        let found = fs::symlink_metadata(file).ok();
        found.map(|it| (it.ino(), it.mode(), it.uid(), it.size(), it.rdev()))
    };
    let before = look();
    start_with_env_file(sandbox, file);
    assert_eq!(look(), before, "{}", file.display());
    assert!(sandbox.session(ID).join("session.json").exists());
}

#[test]
fn whatever_else_claude_env_file_names_is_left() {
    let sandbox = Sandbox::just_swept();
    let folder = env_folder(&sandbox);
    let profile = sandbox.home().join(".bashrc");
    fs::write(&profile, "alias ll=ls\n").unwrap();
    let missing = sandbox.home().join(".bash_login");
    let named = |name: &str| folder.join(format!("{name}-hook-0.sh"));
    symlink(&profile, named("link")).unwrap();
    symlink(sandbox.path("nothing"), named("dangling")).unwrap();
    fs::hard_link(&profile, named("hardlink")).unwrap();
    fs::create_dir(named("directory")).unwrap();
    fs::write(named("large"), vec![b'x'; 100_000]).unwrap();
    let status = Command::new("mkfifo").arg(named("fifo")).status().unwrap();
    assert!(status.success());
    let elsewhere = sandbox.path("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    fs::write(elsewhere.join("sessionstart-hook-0.sh"), "theirs\n").unwrap();
    let linked = folder.with_file_name("linked");
    symlink(&elsewhere, &linked).unwrap();
    let mut files = ["link", "dangling", "hardlink", "directory", "large", "fifo"]
        .map(named)
        .to_vec();
    files.extend([
        profile,
        missing,
        linked.join("sessionstart-hook-0.sh"),
        folder.join("../../../.bashrc"),
        "/dev/null".into(),
        "/dev/full".into(),
        "/proc/self/environ".into(),
        "/proc/self/fd/0".into(),
        "/proc/sys/kernel/ns_last_pid".into(),
        sandbox.path("no/such/folder/sessionstart-hook-0.sh"),
    ]);
    for file in &files {
        check_env_file_left(file, &sandbox);
    }
    let link = fs::read_link(named("link")).unwrap();
    assert_eq!(fs::read_to_string(link).unwrap(), "alias ll=ls\n");
}

/// Root bypasses what keeps others from a file: it is told by its owner.
#[test]
fn another_users_env_file_is_left_by_root_too() {
    let sandbox = Sandbox::just_swept();
    let folder = env_folder(&sandbox);
    let file = folder.join("sessionstart-hook-0.sh");
    fs::write(&file, "theirs\n").unwrap();
    if chown(&file, Some(1001), Some(1001)).is_err() {
        println!("skipped: only root can give a file away");
        return;
    }
    check_env_file_left(&file, &sandbox);
    assert_eq!(fs::read_to_string(&file).unwrap(), "theirs\n");
    fs::remove_file(&file).unwrap();
    chown(&folder, Some(1001), Some(1001)).unwrap();
    check_env_file_left(&file, &sandbox);
}

// Streams

/// A pipe that is full and that nobody reads.
fn full_pipe() -> (PipeReader, PipeWriter) {
    let (reader, writer) = pipe().unwrap();
    let flags = rustix::fs::fcntl_getfl(&writer).unwrap();
    rustix::fs::fcntl_setfl(&writer, flags | OFlags::NONBLOCK).unwrap();
    while rustix::io::write(&writer, &[b'x'; 4096]).is_ok() {}
    while rustix::io::write(&writer, b"x").is_ok() {}
    rustix::fs::fcntl_setfl(&writer, flags).unwrap();
    (reader, writer)
}

/// A hook ends where nobody reads what it says.
#[track_caller]
fn check_full_pipe(sandbox: &Sandbox, variable: &str, payload: &str) {
    let (_reader, writer) = full_pipe();
    let mut command = sandbox.hook(&start()).env(variable, "true").command;
    let input = sandbox.path("input");
    fs::write(&input, payload).unwrap();
    command
        .stdin(File::open(&input).unwrap())
        .stdout(Stdio::from(writer.try_clone().unwrap()))
        .stderr(Stdio::from(writer));
    let ended = end_of(command.spawn().unwrap(), PATIENCE).expect("it waits for ever");
    assert_eq!(ended.status.code(), Some(0));
}

#[test]
fn a_full_pipe_does_not_hold_a_hook() {
    let sandbox = Sandbox::just_swept();
    check_full_pipe(&sandbox, "CCSESSION_CONTEXT_LINE", &start().to_string());
    check_full_pipe(&sandbox, "HOOK_DEBUG", "garbage");
}

// Terminals

/// What moves a cursor, hides or reorders text, and what a name around it looks like.
const HOSTILE: &str = "a\u{9b}2J\u{7f}\u{202e}b\u{200b}\u{2066}c\u{feff}\u{e0041}\u{1b}[31m";

/// What a command prints on a terminal.
fn on_a_terminal(sandbox: &Sandbox, command: &str) -> String {
    let run = sandbox.run("script").arg("-qec");
    let output = run.arg(format!("{CCSESSION} {command}")).arg("/dev/null");
    String::from_utf8_lossy(&output.output().stdout).into_owned()
}

#[test]
fn nothing_that_is_printed_on_a_terminal_moves_its_cursor_json_neither() {
    let script = Command::new("script")
        .args(["-qec", "true", "/dev/null"])
        .output();
    if !script.is_ok_and(|output| output.status.success()) {
        println!("skipped: script is missing");
        return;
    }
    let sandbox = Sandbox::just_swept();
    let transcript = begun(
        &sandbox,
        json!({"session_title": HOSTILE, "model": HOSTILE}),
    );
    write(&transcript, said(&[HOSTILE]));
    let call = json!({"tool_name": format!("Bash{HOSTILE}"), "tool_use_id": "t1", "tool_input": {"description": HOSTILE}, "agent_type": HOSTILE});
    for name in ["PreToolUse", "PostToolUse"] {
        sandbox.hook(&event(name, ID, call.clone())).silent();
    }
    let clock_in = ["clock-in", "--session", ID, "--role", HOSTILE];
    sandbox.ccsession(clock_in).output();
    sandbox
        .ccsession(["clock-out", ID, "--description", HOSTILE])
        .stdout();
    let edited = sandbox.record(ID);
    let mut edited = edited.as_object().unwrap().clone();
    for key in ["name", "role", "focus", "model", "cwd"] {
        edited.insert(key.to_owned(), json!(HOSTILE));
    }
    let record = sandbox.session(ID).join("session.json");
    write(&record, serde_json::to_string(&edited).unwrap());
    let with_id = |command: &str| command.replace("ID", ID);
    for command in [
        "list --json",
        "list",
        "show ID --json",
        "show ID",
        "current --json",
        "current --all --json",
        "current --format '{name}{role}{focus}'",
        "timeline ID",
        "timeline ID --json",
        "timeline ID --jsonl",
        "stats --all",
        "stats --all --json",
        "stats --all --csv",
        "metrics",
        "metrics --json",
        "metrics --prometheus",
        "import --dry-run --json",
        "cleanup --dry-run --json",
        "doctor --json",
        "doctor",
        "config --json",
        "clock-in --session ID --json",
        "clock-out ID --json",
        "archive list",
        "archive list --json",
        "archive verify --json",
        "archive show ID --no-pager",
        "archive show ID --manifest",
        "archive show ID --journal",
        "archive show ID --transcript",
        "archive search a",
        "archive prune --older 1d --json",
    ] {
        let printed = on_a_terminal(&sandbox, &with_id(command));
        let is_harmless = |c: char| {
            !c.is_control() && !"\u{202e}\u{200b}\u{2066}\u{feff}\u{e0041}".contains(c)
                || matches!(c, '\n' | '\r' | '\t')
        };
        let bad = printed.chars().find(|c| !is_harmless(*c));
        assert_eq!(bad, None, "{command}: {printed:?}");
    }
    // Programs that read it have what was said.
    let row = sandbox.ccsession(["show", ID, "--json"]).json();
    assert!(row.to_string().contains('\u{9b}'), "{row}");
}
