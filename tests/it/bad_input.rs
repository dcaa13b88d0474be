//! Whatever input a hook gets, and whatever is missing in its environment: it prints nothing, ends in time with status 0,
//! records correctly and once what can be recorded, and leaves everything else as it was.

mod environment;
mod limits;
mod payloads;
mod places;
mod stdin;

use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::sync::Mutex;

use serde_json::{Value, json};

use crate::support::states::make_state;
use crate::support::torture::is_torture;
use crate::support::within::Within;
use crate::support::{
    CCSESSION, ID, PATIENCE, POST_TOOL_USE, PRE_TOOL_USE, Run, SESSION_EVENT, SESSION_START,
    Sandbox, as_client, end_of, event, json_lines, mode, text,
};

/// The size of a payload that is much too large. A debug build reads about 100 MB a second where it has a processor to
/// itself, and a hook that must share one stops reading at its deadline.
const HUGE: usize = if cfg!(debug_assertions) { 32 } else { 100 } << 20;

/// A program that is a hook.
#[derive(Clone, Copy)]
pub(crate) struct Hook {
    program: &'static str,
    arguments: &'static [&'static str],
    /// The event it takes a payload for that names none.
    fallback: &'static str,
    /// An event that an install registers it for.
    event: &'static str,
}

const HOOKS: [Hook; 5] = [
    Hook {
        program: SESSION_START,
        arguments: &[],
        fallback: "SessionStart",
        event: "SessionStart",
    },
    Hook {
        program: PRE_TOOL_USE,
        arguments: &[],
        fallback: "PreToolUse",
        event: "PreToolUse",
    },
    Hook {
        program: POST_TOOL_USE,
        arguments: &[],
        fallback: "PostToolUse",
        event: "PostToolUse",
    },
    Hook {
        program: SESSION_EVENT,
        arguments: &[],
        fallback: "SessionEvent",
        event: "Stop",
    },
    Hook {
        program: CCSESSION,
        arguments: &["hook"],
        fallback: "SessionEvent",
        event: "UserPromptSubmit",
    },
];

impl Hook {
    /// The hook as the client starts it.
    fn run(self, sandbox: &Sandbox) -> Run {
        let mut run = sandbox.run(self.program).env("CLAUDE_PID", as_client());
        run.command.args(self.arguments);
        run
    }

    /// The hook, started by a shell that does `first` and then becomes it.
    fn run_after(self, sandbox: &Sandbox, first: &str) -> Run {
        let script = format!("{first}\nexec \"$0\" \"$@\"");
        let mut run = sandbox.run("/bin/sh").env("CLAUDE_PID", as_client());
        run.command
            .args(["-c", &script, self.program])
            .args(self.arguments);
        run
    }

    /// The hook, as the last command of a script that a shell runs with these redirections.
    fn run_with(self, sandbox: &Sandbox, redirections: &str) -> Run {
        let script = format!("exec \"$0\" \"$@\" {redirections}");
        let mut run = sandbox.run("/bin/sh").env("CLAUDE_PID", as_client());
        run.command
            .args(["-c", &script, self.program])
            .args(self.arguments);
        run
    }

    fn name(self) -> String {
        let program = Path::new(self.program)
            .file_name()
            .unwrap()
            .to_string_lossy();
        [&*program]
            .iter()
            .chain(self.arguments)
            .copied()
            .collect::<Vec<_>>()
            .join(" ")
    }
}

/// The hooks that one case of many is tried with: in turn, and with all of them in the long form.
fn hooks_for(case: usize) -> Vec<Hook> {
    if is_torture() {
        HOOKS.to_vec()
    } else {
        vec![HOOKS[case % HOOKS.len()]]
    }
}

/// Records what `bytes` say as `hook`, for the case `number` of many: one of the hooks, in turn, is a real one, which must be
/// silent, and all are in the long form.
fn take(hook: Hook, sandbox: &Sandbox, number: usize, bytes: Vec<u8>, case: &str) {
    if is_torture() || HOOKS[number % HOOKS.len()].program == hook.program {
        feed(hook.run(sandbox), Stdin::of(bytes)).assert_silent_and_fed(case);
    } else {
        Within::new(sandbox).feed_as(hook.fallback, &bytes);
    }
}

/// What a hook finds on its stdin.
struct Stdin {
    head: Vec<u8>,
    /// Written so many times after the head; `usize::MAX` has no end.
    body: (Vec<u8>, usize),
    tail: Vec<u8>,
    is_closed: bool,
}

impl Stdin {
    fn of(bytes: impl Into<Vec<u8>>) -> Self {
        Self::long(bytes, "", 0, "")
    }

    fn long(
        head: impl Into<Vec<u8>>,
        body: impl Into<Vec<u8>>,
        times: usize,
        tail: impl Into<Vec<u8>>,
    ) -> Self {
        Self {
            head: head.into(),
            body: (body.into(), times),
            tail: tail.into(),
            is_closed: true,
        }
    }

    fn endless(head: impl Into<Vec<u8>>, body: &str) -> Self {
        Self::long(head, body.repeat(1 + 65536 / body.len()), usize::MAX, "")
    }

    fn left_open(self) -> Self {
        Self {
            is_closed: false,
            ..self
        }
    }

    fn len(&self) -> usize {
        self.head.len() + self.body.0.len() * self.body.1 + self.tail.len()
    }
}

/// How a hook ended.
struct Ended {
    output: Output,
    /// Whether all of stdin was taken from the client.
    is_fed: bool,
}

fn feed(mut run: Run, stdin: Stdin) -> Ended {
    run.command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = run.command.spawn().unwrap();
    let mut pipe = child.stdin.take().unwrap();
    let (ended, end) = std::sync::mpsc::channel::<()>();
    let client = std::thread::spawn(move || {
        let mut written = pipe.write_all(&stdin.head);
        for _ in 0..stdin.body.1 {
            written = written.and_then(|()| pipe.write_all(&stdin.body.0));
            if written.is_err() {
                break;
            }
        }
        written = written.and_then(|()| pipe.write_all(&stdin.tail));
        if !stdin.is_closed {
            let _ = end.recv();
        }
        written.is_ok()
    });
    let output = end_of(child, PATIENCE).expect("a hook that never ends");
    drop(ended);
    Ended {
        output,
        is_fed: client.join().unwrap(),
    }
}

impl Ended {
    /// What every hook owes.
    #[track_caller]
    fn assert_silent(&self, case: &str) {
        let output = &self.output;
        let got = (
            output.status.to_string(),
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
        );
        assert_eq!(
            got,
            ("exit status: 0".to_owned(), "".into(), "".into()),
            "{case}"
        );
    }

    /// As [`Self::assert_silent`], and the client was never told that nobody reads.
    #[track_caller]
    fn assert_silent_and_fed(&self, case: &str) {
        self.assert_silent(case);
        assert!(self.is_fed, "{case}: the pipe broke");
    }
}

/// The last line of a log, without when and by which process.
#[track_caller]
fn last_line(sandbox: &Sandbox, log: &str) -> Value {
    let mut line = json_lines(&sandbox.state().join(log)).pop().unwrap();
    for varying in ["ts", "pid"] {
        line.as_object_mut().unwrap().remove(varying);
    }
    line
}

fn errors(sandbox: &Sandbox) -> Vec<String> {
    let path = sandbox.state().join("hook-errors.jsonl");
    if !path.exists() {
        return Vec::new();
    }
    let what = |line: &Value| line["what"].as_str().unwrap().to_owned();
    json_lines(&path).iter().map(what).collect()
}

/// The session's journal lines, without what differs from run to run.
#[track_caller]
fn journaled(sandbox: &Sandbox, id: &str) -> Vec<Value> {
    let mut lines = sandbox.journal(id);
    for line in &mut lines {
        let line = line.as_object_mut().unwrap();
        assert_eq!(line.remove("session_id").unwrap(), id);
        for varying in ["v", "ts", "mono", "pid"] {
            line.remove(varying).unwrap();
        }
    }
    lines
}

/// The ids of all sessions on record.
fn sessions(state: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(state.join("sessions")) else {
        return Vec::new();
    };
    let mut ids: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    ids.sort();
    ids
}

/// Heavy tests take turns, so that each has the processors that its time limit counts on.
static HEAVY: Mutex<()> = Mutex::new(());

fn alone() -> std::sync::MutexGuard<'static, ()> {
    HEAVY
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// The rows of a table whose columns are separated by `|` between blanks.
fn rows<const N: usize>(table: &'static str) -> impl Iterator<Item = [&'static str; N]> {
    let row = |line: &'static str| {
        let mut cells = line.splitn(N, '|').map(str::trim);
        std::array::from_fn(|_| {
            cells
                .next()
                .unwrap_or_else(|| panic!("a short row: {line}"))
        })
    };
    table.lines().filter(|line| !line.is_empty()).map(row)
}

/// A payload of a tool call in the case's own session, with `rest` after its opening members.
fn call(rest: impl AsRef<[u8]>) -> Vec<u8> {
    let mut bytes = br#"{"session_id":"@ID","hook_event_name":"PreToolUse""#.to_vec();
    bytes.extend_from_slice(rest.as_ref());
    bytes
}

// What is around a hook.

/// The payload of an event that each hook is registered for.
fn own_event(hook: Hook, id: &str) -> String {
    event(
        hook.event,
        id,
        json!({"source": "startup", "prompt": "hello", "tool_name": "Bash", "tool_use_id": "t1"}),
    )
    .to_string()
}

/// Runs every hook with these variables and asserts that its events are in the state directory at `expected`, that
/// nothing else was made but the pointer of a start, and that debugging says `why` where there is no such directory.
#[track_caller]
fn check_home(
    sandbox: &Sandbox,
    variables: &[(&str, Option<&OsStr>)],
    expected: Option<&Path>,
    why: &str,
) {
    let case = format!("{variables:?}");
    let prepared = |hook: Hook| {
        let mut run = hook.run(sandbox).without_env("CCSESSION_STATE_DIR");
        for (name, value) in variables {
            run = match value {
                Some(value) => run.env(name, value),
                None => run.without_env(name),
            };
        }
        run
    };
    let before = tree(sandbox);
    // The start is last: by then there is a state directory, which says that no sweep is due.
    for (number, hook) in HOOKS.into_iter().rev().enumerate() {
        let case = format!("{}: {case}", hook.name());
        feed(prepared(hook), Stdin::of(own_event(hook, ID))).assert_silent_and_fed(&case);
        if let Some(state) = expected {
            let lines = json_lines(&state.join("sessions").join(ID).join("events.jsonl"));
            assert_eq!(lines.len(), number + 1, "{case}");
            assert_eq!(mode(state), 0o700, "{case}");
            make_state(state);
        }
        let output = prepared(hook).env("HOOK_DEBUG", "true").stdin("").output();
        assert_eq!(
            (output.status.code(), text(&output.stdout)),
            (Some(0), String::new()),
            "{case}"
        );
        if expected.is_none() {
            assert!(
                text(&output.stderr).contains(why),
                "{case}: {}",
                text(&output.stderr)
            );
        }
    }
    let pointer = sandbox.pointer("shop");
    assert_eq!(
        fs::read_to_string(&pointer).unwrap().lines().next(),
        Some(ID),
        "{case}"
    );
    let is_new = |path: &&PathBuf| {
        let in_state =
            expected.is_some_and(|state| path.starts_with(state) || state.starts_with(path));
        !before.contains(*path) && !in_state && **path != pointer
    };
    let after = tree(sandbox);
    assert_eq!(
        after.iter().filter(is_new).collect::<Vec<_>>(),
        Vec::<&PathBuf>::new(),
        "{case}"
    );
}

/// Everything in the sandbox.
fn tree(sandbox: &Sandbox) -> Vec<PathBuf> {
    fn walk(dir: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(dir).unwrap() {
            let entry = entry.unwrap();
            found.push(entry.path());
            if entry.file_type().unwrap().is_dir() {
                walk(&entry.path(), found);
            }
        }
    }
    let mut found = Vec::new();
    walk(&sandbox.path(""), &mut found);
    found
}
