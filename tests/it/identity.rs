//! Which session a process belongs to, asked of the real executables by real processes: clients that live side by side, start
//! over, end and are killed; shells between them and a hook; processes that outlive them; pids that are reused.
//!
//! Two things must never happen: an event in another session's journal, or another session's id in an answer that claims to be
//! exact.

mod lineage;
mod nested;
mod places;
mod reuse;
mod simulation;
mod strays;

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use serde_json::{Value, json};

use crate::support::{CCSESSION, Run, Sandbox, copy_program, event, hook_for, text};

/// A program that somebody runs somewhere, with what comes in on its stdin.
#[derive(Clone)]
struct Call {
    program: String,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    dir: PathBuf,
    /// How many shells stand between it and who runs it.
    depth: usize,
    stdin: String,
}

impl Call {
    fn new(program: &str, dir: &Path) -> Self {
        Self {
            program: program.to_owned(),
            arguments: Vec::new(),
            environment: Vec::new(),
            dir: dir.to_owned(),
            depth: 0,
            stdin: String::new(),
        }
    }

    /// The hook that an install registers for the payload's event.
    fn hook(payload: &Value, dir: &Path) -> Self {
        let event = payload["hook_event_name"].as_str().unwrap();
        Self {
            stdin: payload.to_string(),
            ..Self::new(hook_for(event), dir)
        }
    }

    /// `ccsession current --json`, with more arguments.
    fn current(arguments: &[&str], dir: &Path) -> Self {
        let mut call = Self::new(CCSESSION, dir);
        call.arguments = [&["current", "--json"], arguments]
            .concat()
            .into_iter()
            .map(str::to_owned)
            .collect();
        call
    }

    fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        let value = value.as_ref().to_str().unwrap().to_owned();
        self.environment.push((name.to_owned(), value));
        self
    }

    fn through(self, depth: usize) -> Self {
        Self { depth, ..self }
    }

    /// As a shell's words; each shell between waits, so that it stays there.
    fn words(&self) -> String {
        const BETWEEN: [&str; 4] = ["sh", "-c", r#""$@"; exit $?"#, "sh"];
        let between = std::iter::repeat_n(BETWEEN, self.depth).flatten();
        let command = [&*self.program];
        let arguments = self.arguments.iter().map(String::as_str);
        between
            .chain(command)
            .chain(arguments)
            .map(quoted)
            .collect::<Vec<_>>()
            .join(" ")
    }

    /// What a shell does before: into the directory, with these variables.
    fn surroundings(&self) -> String {
        let variables: String = self
            .environment
            .iter()
            .map(|(name, value)| format!("export {name}={}; ", quoted(value)))
            .collect();
        format!("cd {} && {variables}", quoted(self.dir.to_str().unwrap()))
    }
}

fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// A Claude Code client: a shell that lives until it is told to end, and does one thing after another. What it runs are its
/// children, and `CLAUDE_PID` is its own pid.
struct Client {
    shell: Child,
    commands: Option<ChildStdin>,
    said: BufReader<ChildStdout>,
    /// A FIFO by which a process that is left behind is told that its parent is gone.
    gate: PathBuf,
}

impl Client {
    fn start(sandbox: &Sandbox) -> Self {
        Self::from_run(sandbox, sandbox.run("/bin/sh"))
    }

    /// A client by its process's name alone, as versions that set no `CLAUDE_PID` are.
    fn by_name(sandbox: &Sandbox) -> Self {
        let program = sandbox.path("claude");
        if !program.exists() {
            copy_program("/bin/sh", &program);
        }
        Self::from_run(sandbox, sandbox.run(&program))
    }

    fn from_run(sandbox: &Sandbox, run: Run) -> Self {
        let mut command = run.command;
        // Never in the foreground of a terminal, wherever the tests are run.
        command
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut shell = command.spawn().unwrap();
        let commands = shell.stdin.take();
        let said = BufReader::new(shell.stdout.take().unwrap());
        let gate = sandbox.path(&format!("gate-{}", shell.id()));
        let mut client = Self {
            shell,
            commands,
            said,
            gate,
        };
        let gate = quoted(client.gate.to_str().unwrap());
        assert_eq!(client.say(&format!("exec 2>&1; mkfifo {gate}")), "");
        client
    }

    /// Runs a script in the client itself, and returns what it said.
    #[track_caller]
    fn say(&mut self, script: &str) -> String {
        const END: &str = "@end\n";
        let commands = self.commands.as_mut().unwrap();
        write!(commands, "{script}\necho; echo @end\n").unwrap();
        let mut said = String::new();
        while !said.ends_with(&format!("\n{END}")) {
            let read = self.said.read_line(&mut said).unwrap();
            assert!(read > 0, "the client ended: {said}");
        }
        said.truncate(said.len() - END.len() - 1);
        said
    }

    fn as_client(call: &Call) -> String {
        format!("{}CLAUDE_PID=$$ exec", call.surroundings())
    }

    /// Runs a child, and returns what it said.
    #[track_caller]
    fn run(&mut self, call: &Call) -> String {
        self.run_together(std::slice::from_ref(call))
    }

    /// Runs children side by side.
    #[track_caller]
    fn run_together(&mut self, calls: &[Call]) -> String {
        let script: String = calls
            .iter()
            .map(|call| {
                let (before, words) = (Self::as_client(call), call.words());
                format!("({before} {words}) <<'@@' &\n{}\n@@\n", call.stdin)
            })
            .collect();
        self.say(&(script + "wait"))
    }

    /// Runs a process that is left behind: whoever started it is gone before it looks around.
    #[track_caller]
    fn leave_behind(&mut self, call: &Call) -> String {
        const STARTER: &str = r#"gate=$1; shift; { read -r _ <"$gate"; "$@"; } <&3 3<&- &"#;
        let (before, words, stdin) = (Self::as_client(call), call.words(), &call.stdin);
        let gate = quoted(self.gate.to_str().unwrap());
        let starter = quoted(STARTER);
        // What it says ends when it ends.
        self.say(&format!(
            "{{ ({before} sh -c {starter} sh {gate} {words}); echo >{gate}; }} 3<<'@@' | cat\n{stdin}\n@@\n"
        ))
    }

    /// Runs the hook of an event with an id, which must be silent.
    #[track_caller]
    fn hook(&mut self, name: &str, id: &str, more: Value, dir: &Path) {
        let call = Call::hook(&event(name, id, more), dir);
        assert_eq!(self.run(&call), "");
    }

    /// Starts a session in a directory.
    #[track_caller]
    fn begin(&mut self, id: &str, source: &str, dir: &Path) {
        self.hook(
            "SessionStart",
            id,
            json!({"source": source, "cwd": dir}),
            dir,
        );
    }

    #[track_caller]
    fn end(&mut self, id: &str, reason: &str, dir: &Path) {
        self.hook("SessionEnd", id, json!({"reason": reason, "cwd": dir}), dir);
    }

    /// A client that has just started a session.
    #[track_caller]
    fn in_session(sandbox: &Sandbox, id: &str, dir: &Path) -> Self {
        let mut client = Self::start(sandbox);
        client.begin(id, "startup", dir);
        client
    }

    /// What a Bash call in a directory is answered.
    #[track_caller]
    fn current_in(&mut self, dir: &Path) -> Value {
        answer(&self.run(&Call::current(&[], dir)))
    }

    /// Dies without a word, and is buried.
    fn kill(mut self) {
        self.shell.kill().unwrap();
        self.shell.wait().unwrap();
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        drop(self.commands.take());
        let _ = self.shell.kill();
        let _ = self.shell.wait();
    }
}

fn answer(said: &str) -> Value {
    serde_json::from_str(said).unwrap_or_else(|_| panic!("no answer: {said}"))
}

/// Runs a process outside any session: whoever started it is gone before it looks around.
#[track_caller]
fn outside(sandbox: &Sandbox, call: &Call) -> String {
    left_over(sandbox.run("/bin/sh"), call)
}

/// As [`outside`], of a shell that was started with an environment of its own.
#[track_caller]
fn left_over(shell: Run, call: &Call) -> String {
    let script = format!(
        "exec 3<&0 2>&1; ({} {{ read -r _; {}; }} <&3 3<&-) &",
        call.surroundings(),
        call.words()
    );
    let mut command = shell.command;
    command
        .process_group(0)
        .args(["-c", &script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut starter = command.spawn().unwrap();
    let mut stdin = starter.stdin.take().unwrap();
    let mut stdout = starter.stdout.take().unwrap();
    assert!(starter.wait().unwrap().success());
    // At once: a program that reads nothing may have ended before more comes.
    stdin
        .write_all(format!("\n{}\n", call.stdin).as_bytes())
        .unwrap();
    drop(stdin);
    let mut said = Vec::new();
    stdout.read_to_end(&mut said).unwrap();
    text(&said)
}

/// What a shell outside any session is answered in a directory.
#[track_caller]
fn current_in(sandbox: &Sandbox, dir: &Path) -> Value {
    answer(&outside(sandbox, &Call::current(&[], dir)))
}

#[track_caller]
fn check(answer: &Value, id: Option<&str>, rung: &str, trust: &str) {
    assert_eq!(
        (&answer["session_id"], &answer["rung"], &answer["trust"]),
        (&json!(id), &json!(rung), &json!(trust)),
        "{answer}"
    );
}

/// What `list --all` says of a session.
#[track_caller]
fn listed(sandbox: &Sandbox, id: &str) -> Value {
    let list = sandbox.ccsession(["list", "--all", "--json"]).json();
    let sessions = list["sessions"].as_array().unwrap();
    let found = sessions.iter().find(|session| session["session_id"] == id);
    found
        .unwrap_or_else(|| panic!("{id} is not in {list}"))
        .clone()
}

#[track_caller]
fn check_state(sandbox: &Sandbox, id: &str, state: &str) {
    assert_eq!(listed(sandbox, id)["state"], state, "{id}");
}

/// Two projects of one name, with a subfolder each.
fn twins(sandbox: &Sandbox) -> [PathBuf; 2] {
    ["one/shop", "two/shop"].map(|name| repository(&sandbox.path(name)))
}

fn repository(root: &Path) -> PathBuf {
    fs::create_dir_all(root.join(".git")).unwrap();
    fs::create_dir_all(root.join("src/deep")).unwrap();
    root.to_owned()
}
