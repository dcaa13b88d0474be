//! Paths and streams from outside: a path in a payload or in the environment is believed only where Claude Code puts such
//! files, and a reader that does not read never blocks a hook.

use std::fs::{self, File};
use std::io::{PipeReader, PipeWriter, Read, pipe};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::fs::OFlags;
use serde_json::{Value, json};

use crate::support::archives::{begun, clock_out, decompressed, files, said, write};
use crate::support::terminal::on_a_terminal;
use crate::support::{ID, PATIENCE, Sandbox, end_of, event};

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
fn an_env_file_is_created_where_the_client_puts_it_and_other_lines_stay() {
    let sandbox = Sandbox::just_swept();
    let file = env_folder(&sandbox).join("sessionstart-hook-0.sh");
    let text = format!("export CLAUDE_CODE_SESSION_ID={ID}\n");
    start_with_env_file(&sandbox, &file);
    assert_eq!(fs::read_to_string(&file).unwrap(), text);
    start_with_env_file(&sandbox, &file);
    assert_eq!(fs::read_to_string(&file).unwrap(), text);
    fs::write(&file, format!("export PATH=/opt:$PATH\n{text}true")).unwrap();
    start_with_env_file(&sandbox, &file);
    assert_eq!(
        fs::read_to_string(&file).unwrap(),
        format!("export PATH=/opt:$PATH\ntrue\n{text}")
    );
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
fn any_other_file_named_by_claude_env_file_is_left_alone() {
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
fn even_root_leaves_another_users_env_file_alone() {
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

// Transcripts

const SECRET: &str = "dear diary";

/// A session that says that its transcript is at `path`, archived: all that its archive holds.
fn archived_with(sandbox: &Sandbox, id: &str, path: &Path) -> String {
    let start = json!({"source": "startup", "transcript_path": path});
    sandbox.hook(&event("SessionStart", id, start)).silent();
    let moved = json!({"transcript_path": path});
    sandbox.hook(&event("Stop", id, moved)).silent();
    for arguments in [
        &["stats", id][..],
        &["stats", "--all"],
        &["cleanup"],
        &["show", id],
    ] {
        let output = sandbox.ccsession(arguments).output();
        assert_eq!(output.status.code(), Some(0), "{arguments:?} {output:?}");
    }
    sandbox.ccsession(["clock-out", id]).output();
    let mut held = String::new();
    for path in files(sandbox) {
        let bytes = match path.extension().is_some_and(|it| it == "zst") {
            true => decompressed(&path),
            false => fs::read(&path).unwrap(),
        };
        held += &String::from_utf8_lossy(&bytes);
    }
    held
}

#[test]
fn a_transcript_is_believed_only_where_a_client_puts_them() {
    let sandbox = Sandbox::just_swept();
    let home = sandbox.home();
    let projects = home.join(".claude/projects");
    let line = json!({"type": "user", "sessionId": "other", "message": {"role": "user", "content": SECRET}});
    let line = format!("{line}\n");
    for name in [
        "diary",
        "diary.jsonl",
        ".claude/settings.json",
        ".claude/notes.jsonl",
        ".claude/projects/notes.jsonl",
        ".claude/projects/-x/notes.jsonl",
        ".claude/projects/-x/deep/er.jsonl",
        "projects/-x/notes.jsonl",
    ] {
        write(&home.join(name), &line);
    }
    let diary = home.join("diary");
    let below = projects.join("-y");
    fs::create_dir_all(&below).unwrap();
    let link = |name: &str, target: &Path| {
        let path = below.join(name);
        symlink(target, &path).unwrap();
        path
    };
    let linked = link("link.jsonl", &diary);
    let process = link("process.jsonl", Path::new("/proc/self/environ"));
    let folder = projects.join("-linked");
    symlink(&home, &folder).unwrap();
    let fifo = below.join("fifo.jsonl");
    let status = Command::new("mkfifo").arg(&fifo).status().unwrap();
    assert!(status.success());
    for (number, path) in [
        home.join("diary"),
        home.join("diary.jsonl"),
        home.join(".claude/settings.json"),
        home.join(".claude/notes.jsonl"),
        projects.join("notes.jsonl"),
        projects.join("-x/notes.jsonl"),
        projects.join("-x/deep/er.jsonl"),
        home.join("projects/-x/notes.jsonl"),
        projects.join("-x/../../../diary"),
        projects.join("-x/../../../diary.jsonl"),
        linked,
        process,
        folder.join("diary.jsonl"),
        fifo,
        "/proc/self/environ".into(),
        "/proc/self/root/etc/passwd".into(),
        "/dev/zero".into(),
        "/etc/passwd".into(),
        PathBuf::from("diary"),
    ]
    .iter()
    .enumerate()
    {
        let id = format!("s-{number}");
        let held = archived_with(&sandbox, &id, path);
        assert!(!held.contains(SECRET), "{}", path.display());
        assert!(!held.contains("HOME="), "{}", path.display());
        assert!(!held.contains("root:x:"), "{}", path.display());
    }
}

#[test]
fn a_payload_cannot_pretend_that_its_transcript_was_imported() {
    let sandbox = Sandbox::just_swept();
    let diary = sandbox.home().join("diary");
    write(&diary, SECRET);
    for source in ["transcript", "run", "clock-in"] {
        let start = json!({"source": source, "transcript_path": diary});
        sandbox.hook(&event("SessionStart", source, start)).silent();
        assert_eq!(sandbox.record(source)["source"], Value::Null);
        let held = archived_with(&sandbox, source, &diary);
        assert!(!held.contains(SECRET), "{source}");
    }
}

/// What people give is believed, and what clients with another folder of their own, or on another disk, say.
#[test]
fn a_transcript_that_a_person_gives_or_another_client_keeps_is_archived() {
    let sandbox = Sandbox::just_swept();
    let given = sandbox.path("copy.jsonl");
    write(&given, said(&["given"]));
    begun(&sandbox, json!({}));
    let arguments = ["clock-out", ID, "--transcript", given.to_str().unwrap()];
    let text = sandbox.ccsession(arguments).stdout();
    assert!(
        fs::read_to_string(text.trim_end())
            .unwrap()
            .contains("given")
    );

    let elsewhere = sandbox.path("work/projects/-shop/s-2.jsonl");
    write(&elsewhere, said(&["elsewhere"]).replace(ID, "s-2"));
    assert!(archived_with(&sandbox, "s-2", &elsewhere).contains("elsewhere"));

    let disk = sandbox.path("disk");
    fs::create_dir(&disk).unwrap();
    let folder = sandbox.home().join(".claude/projects/-large");
    fs::create_dir_all(folder.parent().unwrap()).unwrap();
    symlink(&disk, &folder).unwrap();
    write(
        &disk.join("s-3.jsonl"),
        said(&["on a disk"]).replace(ID, "s-3"),
    );
    let held = archived_with(&sandbox, "s-3", &folder.join("s-3.jsonl"));
    assert!(held.contains("on a disk"));
}

/// A tool under sudo leaves root's files, and another user may have left a link.
#[test]
fn foreign_files_beside_a_transcript_do_not_stop_the_rest() {
    let sandbox = Sandbox::just_swept();
    let transcript = begun(&sandbox, json!({}));
    write(&transcript, said(&["a word"]));
    let folder = transcript.with_extension("");
    let mut foreign = Vec::new();
    for name in ["a", "b"] {
        let agent = folder.join(format!("subagents/agent-{name}.jsonl"));
        write(&agent, said(&[&format!("of agent {name}")]));
        let output = folder.join(format!("tool-results/{name}.txt"));
        write(&output, format!("output {name}\n"));
        foreign = vec![agent, output];
    }
    let linked = folder.join("tool-results/linked.txt");
    symlink("/etc/passwd", linked).unwrap();
    symlink("/etc", folder.join("tool-results/folder")).unwrap();
    for path in &foreign {
        if chown(path, Some(1001), Some(1001)).is_err() {
            // To whoever is not root, a file that others may write to is as foreign.
            fs::set_permissions(path, fs::Permissions::from_mode(0o666)).unwrap();
        }
    }
    let output = sandbox.ccsession(["clock-out", ID]).output();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("left out 2 lines"), "{said}");
    let copies = files(&sandbox).into_iter();
    let copies = copies.filter(|path| path.extension().is_some_and(|it| it == "zst"));
    let held: String = copies
        .map(|path| String::from_utf8_lossy(&decompressed(&path)).into_owned())
        .collect();
    for (what, is_held) in [
        ("of agent a", true),
        ("output a", true),
        ("of agent b", false),
        ("output b", false),
        ("root:x:", false),
    ] {
        assert_eq!(held.contains(what), is_held, "{what}");
    }
}

// What is restored

fn archived_and_deleted(sandbox: &Sandbox) -> PathBuf {
    let transcript = begun(sandbox, json!({}));
    write(&transcript, said(&["a word"]));
    clock_out(sandbox, &[]);
    fs::remove_file(&transcript).unwrap();
    transcript
}

#[test]
fn nothing_is_restored_through_a_link() {
    let sandbox = Sandbox::just_swept();
    let transcript = archived_and_deleted(&sandbox);
    let folder = transcript.parent().unwrap();
    let elsewhere = sandbox.path("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    fs::remove_dir(folder).unwrap();
    symlink(&elsewhere, folder).unwrap();
    let restore = ["archive", "restore", ID];
    let why = sandbox.ccsession(restore).refused(1);
    assert!(why.contains("it is a symbolic link"), "{why}");
    assert_eq!(fs::read_dir(&elsewhere).unwrap().count(), 0);
    // A folder that a person gives may be one.
    let given = sandbox.path("given");
    symlink(&elsewhere, &given).unwrap();
    let to = ["archive", "restore", ID, "--to", given.to_str().unwrap()];
    sandbox.ccsession(to).stdout();
    assert!(elsewhere.join("-shop").join(format!("{ID}.jsonl")).exists());
}

#[test]
fn root_restores_nothing_into_another_users_folder() {
    for foreign in ["home", "home/.claude", "home/.claude/projects/-shop"] {
        let sandbox = Sandbox::just_swept();
        let transcript = archived_and_deleted(&sandbox);
        if foreign == "home" {
            fs::remove_dir_all(sandbox.home().join(".claude")).unwrap();
        }
        if chown(sandbox.path(foreign), Some(1001), Some(1001)).is_err() {
            println!("skipped: only root can give a folder away");
            return;
        }
        let why = sandbox.ccsession(["archive", "restore", ID]).refused(1);
        assert!(why.contains("belongs to another user"), "{why}");
        assert!(!transcript.exists(), "{foreign}");
    }
}

// The configuration

#[test]
fn a_configuration_that_others_can_change_is_ignored() {
    let check = |why: &str, spoil: &dyn Fn(&Path)| {
        let sandbox = Sandbox::just_swept();
        let config = sandbox.home().join(".config/ccsession/config.toml");
        write(&config, "capture = \"full\"\n");
        spoil(&config);
        sandbox.hook(&start()).silent();
        let prompt = json!({"prompt": SECRET});
        sandbox
            .hook(&event("UserPromptSubmit", ID, prompt))
            .silent();
        let journal = fs::read_to_string(sandbox.session(ID).join("events.jsonl")).unwrap();
        assert!(!journal.contains(SECRET), "{journal}");
        let said = sandbox.ccsession(["list"]).refused(1);
        assert!(said.contains(why), "{said}");
    };
    check("others may write to it", &|config| {
        fs::set_permissions(config, fs::Permissions::from_mode(0o666)).unwrap();
    });
    if rustix::process::geteuid().is_root() {
        check("it belongs to another user (uid 1001)", &|config| {
            chown(config, Some(1001), Some(1001)).unwrap();
        });
    }
    let sandbox = Sandbox::just_swept();
    let config = sandbox.path("dotfiles.toml");
    write(&config, "capture = \"full\"\n");
    let link = sandbox.home().join(".config/ccsession/config.toml");
    fs::create_dir_all(link.parent().unwrap()).unwrap();
    symlink(&config, link).unwrap();
    sandbox.hook(&start()).silent();
    let prompt = json!({"prompt": SECRET});
    sandbox
        .hook(&event("UserPromptSubmit", ID, prompt))
        .silent();
    let journal = fs::read_to_string(sandbox.session(ID).join("events.jsonl")).unwrap();
    assert!(journal.contains(SECRET), "{journal}");
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
fn a_full_pipe_does_not_block_a_hook() {
    let sandbox = Sandbox::just_swept();
    check_full_pipe(&sandbox, "CCSESSION_CONTEXT_LINE", &start().to_string());
    check_full_pipe(&sandbox, "HOOK_DEBUG", "garbage");
}

/// Whoever made the pipe may have made it so that a write into a full one does not wait.
#[test]
fn a_nonblocking_pipe_loses_no_output() {
    let sandbox = Sandbox::just_swept();
    let transcript = begun(&sandbox, json!({}));
    let long = said(&["word ".repeat(60_000).as_str()]);
    write(&transcript, &long);
    clock_out(&sandbox, &[]);
    let (mut reader, writer) = pipe().unwrap();
    let flags = rustix::fs::fcntl_getfl(&writer).unwrap();
    rustix::fs::fcntl_setfl(&writer, flags | OFlags::NONBLOCK).unwrap();
    let show = ["archive", "show", ID, "--transcript"];
    let mut command = sandbox.ccsession(show).command;
    let mut child = command.stdout(Stdio::from(writer)).spawn().unwrap();
    drop(command);
    let mut printed = String::new();
    reader.read_to_string(&mut printed).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(printed == long, "{}", printed.len());
}

// Terminals

/// What moves a cursor, hides or reorders text, and what a name around it looks like.
const HOSTILE: &str = "a\u{9b}2J\u{7f}\u{202e}b\u{200b}\u{2066}c\u{feff}\u{e0041}\u{1b}[31m";

#[test]
fn terminal_output_including_json_cannot_move_the_cursor() {
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
        "current --live --json",
        "current --format {name}{role}{focus}",
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
        "search a --no-pager --color never --hits all",
        "search a --json",
        "archive prune --older 1d --json",
    ] {
        let run = sandbox.ccsession(with_id(command).split(' '));
        let printed = on_a_terminal(run, 24, 200).terminal;
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

#[test]
fn what_a_hook_says_of_a_payload_moves_no_cursor() {
    let sandbox = Sandbox::just_swept();
    let odd = json!({"hook_event_name": HOSTILE, "session_id": 1, "cwd": HOSTILE});
    let run = sandbox.hook(&odd).env("CCSESSION_TTL", HOSTILE);
    let output = run.env("HOOK_DEBUG", "true").output();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("31m"), "the test shows nothing: {said:?}");
    let is_harmless = |c: char| !c.is_control() && c != '\u{202e}' || c == '\n';
    assert_eq!(said.chars().find(|c| !is_harmless(*c)), None, "{said:?}");
}

// TZ

#[test]
fn a_time_zone_that_is_a_pipe_or_a_device_stops_no_program() {
    let sandbox = Sandbox::just_swept();
    let fifo = sandbox.path("fifo").display().to_string();
    let status = Command::new("mkfifo").arg(&fifo).status().unwrap();
    assert!(status.success());
    let huge = sandbox.path("huge").display().to_string();
    File::create(&huge).unwrap().set_len(1 << 40).unwrap();
    for zone in [
        &fifo,
        &format!(":{fifo}"),
        "/dev/zero",
        "../../../dev/zero",
        &huge,
    ] {
        let done = sandbox
            .hook(&start())
            .env("TZ", zone)
            .output_within(PATIENCE);
        assert!(done.is_some_and(|done| done.status.success()), "{zone}");
        let shown = sandbox.ccsession(["show", ID]).env("TZ", zone);
        let shown = shown.output_within(PATIENCE);
        let shown = shown.filter(|shown| shown.status.success()).unwrap();
        let utc = sandbox.ccsession(["show", ID]).env("TZ", "UTC0").stdout();
        let started = |text: &str| {
            text.lines()
                .find(|line| line.contains("started"))
                .map(str::to_owned)
        };
        assert!(started(&utc).is_some(), "{utc}");
        assert_eq!(
            started(&String::from_utf8(shown.stdout).unwrap()),
            started(&utc),
            "{zone}"
        );
    }
}
