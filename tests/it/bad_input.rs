//! Whatever comes in, and whatever is missing around it: a hook says nothing, ends in time with status 0, records what
//! can be recorded, once and rightly, and leaves everything else as it was.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, Permissions};
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use ccsession::store::journal::Damage;
use serde_json::{Value, json};

use crate::support::files::{Snapshot, changes, snapshot};
use crate::support::namespaces::{in_own_mounts, root};
use crate::support::states::{OLD, assert_sound, lived_in, make_state};
use crate::support::torture::{ATTEMPTS, in_parallel, is_torture};
use crate::support::within::Within;
use crate::support::{
    CCSESSION, ID, PATIENCE, POST_TOOL_USE, PRE_TOOL_USE, Run, SESSION_EVENT, SESSION_START,
    Sandbox, as_client, end_of, event, json_lines, mode, payload, text,
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

// What comes on stdin.

/// Payloads that name no session.
fn nameless() -> Vec<(String, Vec<u8>)> {
    const TEXTS: &str = r#"
HTML                   | <!DOCTYPE html><html><body>502 Bad Gateway</body></html>
text                   | Error: connect ECONNREFUSED 127.0.0.1:443
an array               | []
an array of payloads   | [{"session_id":"s-1"}]
a string               | "x"
null                   | null
a number               | -1.5e3
true                   | true
an empty object        | {}
an open object         | {
half a name            | {"session
a name without a value | {"session_id":
half a value           | {"session_id":"s-
single quotes          | {'session_id':'s-1'}
no quotes              | {session_id:"s-1"}
a comment              | /* x */ {"session_id":"s-1"}
other names            | {"sessionId":"s-1","SESSION_ID":"s-1","session_id ":"s-1","":"s-1"}
further inside         | {"tool_input":{"session_id":"s-1"},"x":[{"session_id":"s-1"}]}
after what is no JSON  | {"x":@,"session_id":"s-1"}
"#;
    let deep = |open: &str, levels: usize| open.repeat(levels).into_bytes();
    let payload = br#"{"session_id":"s-1","hook_event_name":"Stop"}"#;
    let utf16 = r#"{"session_id":"s-1"}"#.encode_utf16();
    let mut cases: Vec<(String, Vec<u8>)> = rows(TEXTS)
        .map(|[name, text]| (name.to_owned(), text.into()))
        .collect();
    let more: [(&str, Vec<u8>); 13] = [
        ("nothing", Vec::new()),
        ("line breaks", b"\r\n\n".to_vec()),
        (
            "a byte order mark",
            [b"\xef\xbb\xbf", &payload[..]].concat(),
        ),
        ("UTF-16", utf16.flat_map(u16::to_le_bytes).collect()),
        ("NULs", vec![0; 100_000]),
        ("a NUL first", [b"\0", &payload[..]].concat()),
        ("no UTF-8", b"\xff\xfe\xc0\x80".to_vec()),
        ("no UTF-8 between", b"{\xff\"session_id\":\"s-1\"}".to_vec()),
        ("a key that is no UTF-8", b"{\"session_id\xff\":1}".to_vec()),
        (
            "a key of 1 MB",
            [b"{\"", &deep("session_id", 100_000)[..], b"\":1}"].concat(),
        ),
        (
            "129 levels",
            [&deep(r#"{"a":"#, 129)[..], br#"1,"session_id":"s-1"}"#].concat(),
        ),
        ("a million levels", deep(r#"{"a":"#, 1_000_000)),
        ("a million arrays", deep("[", 1_000_000)),
    ];
    cases.extend(more.map(|(name, bytes)| (name.to_owned(), bytes)));
    cases
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

/// JSON values that are no session id.
fn no_ids() -> Vec<Vec<u8>> {
    const VALUES: &str = r#"
7 -1 1e999 [] ["s-1"] {} {"id":"s-1"} null true s-1 "" "unknown" "../../x" ".." "." "/" "/etc/passwd" "a/b" "a\\b" "-rf" "_a"
".hidden" "~" "a\n" "\na" "a\nb" "a\u0000b" "\u0000" "a\u0020b" "\u0020a" "a\u0020" "\u001b[2J" "a\u001b]0;x\u0007" "é" "ａ" "a:b"
"a%2fb" "$(id)" "`id`" "a;b" "a\u202eb" "\ufeffa" "\ud800" "a\q" "a\u00"
"#;
    let quoted = |text: &str| format!("\"{text}\"").into_bytes();
    let listed = VALUES
        .split_ascii_whitespace()
        .map(|value| value.as_bytes().to_vec());
    let raw = [&b"\"a\xff\""[..], b"\"a\nb\"", b"\"a\0\"", b"\"a\tb\""].map(<[u8]>::to_vec);
    let long = [
        quoted(&"x".repeat(129)),
        quoted(&"x".repeat(1 << 20)),
        "9".repeat(10_000).into_bytes(),
    ];
    listed.chain(raw).chain(long).collect()
}

/// Every payload without a valid id: its name, its bytes, what is noted of it, and the event if it names one.
fn unattributable() -> Vec<(String, Vec<u8>, String, Option<&'static str>)> {
    let nothing = "the payload has no session_id".to_owned();
    let mut cases: Vec<_> = nameless()
        .into_iter()
        .map(|(name, bytes)| (name, bytes, nothing.clone(), None))
        .collect();
    for value in no_ids() {
        let mut bytes = b"{\"session_id\":".to_vec();
        bytes.extend_from_slice(&value);
        bytes.extend_from_slice(b",\"hook_event_name\":\"Stop\"}");
        let name = String::from_utf8_lossy(&value)
            .chars()
            .take(40)
            .collect::<String>();
        let why = format!("its session_id ({} bytes) is not a session id", value.len());
        cases.push((format!("the id {name:?}"), bytes, why, Some("Stop")));
    }
    cases
}

#[test]
fn what_names_no_session_is_counted_and_changes_nothing_else() {
    let cases = unattributable();
    assert!(cases.len() > 80, "{}", cases.len());
    in_parallel(HOOKS.len(), 2, |hook| {
        let hook = HOOKS[hook];
        let sandbox = lived_in();
        for (number, (name, bytes, why, said)) in cases.iter().enumerate() {
            let case = format!("{}: {name}", hook.name());
            let before = snapshot(&sandbox);
            take(hook, &sandbox, number, bytes.clone(), &case);
            assert_eq!(
                changes(&before, &snapshot(&sandbox)),
                ["state/unattributed.jsonl"],
                "{case}"
            );
            let line = last_line(&sandbox, "unattributed.jsonl");
            let event = said.unwrap_or(hook.fallback);
            assert_eq!(
                line,
                json!({"v": 1, "what": why, "event": event, "bytes": bytes.len()}),
                "{case}"
            );
        }
        let lines = json_lines(&sandbox.state().join("unattributed.jsonl"));
        assert_eq!(lines.len(), cases.len(), "{}", hook.name());
        assert_sound(&sandbox, &hook.name());
    });
}

#[test]
fn debugging_says_why_an_event_has_no_session() {
    let sandbox = lived_in();
    for hook in HOOKS {
        for (bytes, why) in [
            ("", "the payload has no session_id"),
            ("<html>", "the payload has no session_id"),
            (
                r#"{"session_id":"../../x"}"#,
                "its session_id (9 bytes) is not a session id",
            ),
        ] {
            let output = hook
                .run(&sandbox)
                .env("HOOK_DEBUG", "true")
                .stdin(bytes)
                .output();
            assert_eq!(
                (output.status.code(), text(&output.stdout)),
                (Some(0), String::new())
            );
            let said = text(&output.stderr);
            assert!(said.contains(why), "{}: {bytes:?}: {said:?}", hook.name());
        }
    }
}

/// Stands in a payload for the id of the case's own session.
const OWN: &[u8] = b"@ID";

fn with_id(payload: &[u8], id: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = payload;
    while let Some(at) = rest.windows(OWN.len()).position(|window| window == OWN) {
        bytes.extend_from_slice(&rest[..at]);
        bytes.extend_from_slice(id.as_bytes());
        rest = &rest[at + OWN.len()..];
    }
    bytes.extend_from_slice(rest);
    bytes
}

/// A payload of a tool call in the case's own session, with `rest` after its opening members.
fn call(rest: impl AsRef<[u8]>) -> Vec<u8> {
    let mut bytes = br#"{"session_id":"@ID","hook_event_name":"PreToolUse""#.to_vec();
    bytes.extend_from_slice(rest.as_ref());
    bytes
}

/// Payloads that name their session, and have something else wrong with them: what is recorded of each.
fn attributable() -> Vec<(String, Vec<u8>, Value)> {
    // What follows the opening members, and what is recorded besides the event's name.
    const TEXTS: &str = r#"
nothing wrong               | ,"tool_name":"Bash"}                       | {"tool":"Bash"}
blanks                      | , "tool_name" : "Bash" }                   | {"tool":"Bash"}
more after it               | } and more {"session_id":"s-9"}            | {}
the end is missing          |                                            | {"incomplete":true}
a comma too many            | ,}                                         | {"incomplete":true}
the wrong bracket           | ]                                          | {"incomplete":true}
a name without a value      | ,"tool_name"}                              | {"incomplete":true}
what is no value            | ,"tool_name":@}                            | {"incomplete":true}
an open string              | ,"tool_name":"Bash                         | {"incomplete":true}
an open escape              | ,"tool_name":"Bash\                        | {"incomplete":true}
a name twice                | ,"tool_name":"Read","tool_name":"Bash"}    | {"tool":"Bash"}
a lone surrogate            | ,"tool_name":"\ud800","tool_use_id":"t1"}  | {"tool_use_id":"t1"}
surrogates the wrong way    | ,"tool_name":"\udc00\ud800"}               | {}
a surrogate pair            | ,"tool_name":"\ud83d\ude00"}               | {"tool":"😀"}
an unknown escape           | ,"tool_name":"\q"}                         | {}
an escape sequence          | ,"tool_name":"\u001b[2J\u0000\n\u202e"}    | {"tool":"\u001b[2J\u0000\n\u202e"}
paths as names              | ,"tool_name":"../x","tool_use_id":"../y"}  | {"tool":"../x","tool_use_id":"../y"}
a subagent's hostile id     | ,"agent_id":"../../x"}                     | {"agent_id":"../../x"}
empty names                 | ,"tool_name":"","tool_use_id":""}          | {}
an infinite number          | ,"duration_ms":1e999}                      | {}
a negative duration         | ,"duration_ms":-1}                         | {}
a duration                  | ,"duration_ms":38}                         | {"duration_ms":38}
a hostile path              | ,"cwd":"/nowhere/../..\n\u001b[2J\u0000"}  | {}
a relative path             | ,"cwd":"../../.."}                         | {}
a device as transcript      | ,"transcript_path":"/dev/zero"}            | {}
a label with escapes        | ,"tool_input":{"skill":"\u001b[1m\nx"}}   | {"input_bytes":24,"what":"[1m x"}
"#;
    let cut = || json!({"incomplete": true});
    let levels = |levels: usize| {
        let (open, close) = (r#"{"a":"#.repeat(levels - 1), "}".repeat(levels - 1));
        call(format!(r#","x":{open}1{close},"tool_name":"Bash"}}"#))
    };
    let deep = |open: &str| call(format!(r#","x":{}"#, open.repeat(1_000_000)));
    let long = "x".repeat(1 << 20);
    let mut cases: Vec<(String, Vec<u8>, Value)> = rows(TEXTS)
        .map(|[name, rest, line]| {
            (
                name.to_owned(),
                call(rest),
                serde_json::from_str(line).unwrap(),
            )
        })
        .collect();
    let label = json!({"input_bytes": (1 << 20) + 18, "what": format!("{}…", "x".repeat(159))});
    let twice = br#"{"session_id":"s-9","hook_event_name":"Stop","session_id":"@ID","hook_event_name":"PreToolUse"}"#;
    let more = [
        ("the id twice", twice.to_vec(), json!({})),
        ("a NUL between", call("\0,\"tool_name\":\"Bash\"}"), cut()),
        (
            "a NUL in a name",
            call(b",\"tool_name\":\"Ba\0sh\"}"),
            json!({}),
        ),
        (
            "NULs after it",
            [call("}"), vec![0; 1000]].concat(),
            json!({}),
        ),
        (
            "a line break in a name",
            call(",\"tool_name\":\"Ba\nsh\"}"),
            json!({}),
        ),
        ("no UTF-8 between", call(b"\xff}"), cut()),
        (
            "no UTF-8 in a name",
            call(b",\"tool_name\":\"Ba\xffsh\"}"),
            json!({}),
        ),
        (
            "no UTF-8 in what is skipped",
            call(b",\"x\":\"\xc0\x80\xff\"}"),
            json!({}),
        ),
        ("128 levels", levels(128), json!({"tool": "Bash"})),
        ("129 levels", levels(129), cut()),
        ("a million levels", deep(r#"{"a":"#), cut()),
        ("a million arrays", deep("["), cut()),
        (
            "a name of 1 MB",
            call(format!(r#","tool_name":"{long}"}}"#)),
            json!({}),
        ),
        (
            "ids of 1 MB",
            call(format!(r#","tool_use_id":"{long}","agent_id":"{long}"}}"#)),
            json!({}),
        ),
        (
            "paths of 1 MB",
            call(format!(r#","cwd":"/{long}","transcript_path":"/{long}"}}"#)),
            json!({}),
        ),
        (
            "a deep path",
            call(format!(r#","cwd":"{}"}}"#, "/a".repeat(8000))),
            json!({}),
        ),
        (
            "100,000 digits",
            call(format!(r#","duration_ms":{}}}"#, "9".repeat(100_000))),
            json!({}),
        ),
        (
            "a label of 1 MB",
            call(format!(r#","tool_input":{{"description":"{long}"}}}}"#)),
            label,
        ),
    ];
    cases.extend(more.map(|(name, bytes, line)| (name.to_owned(), bytes, line)));
    for (_, _, line) in &mut cases {
        line["event"] = "PreToolUse".into();
    }
    // The name of an event that is none: the executable's own is taken.
    for name in [
        r#""../../x""#,
        r#""""#,
        r#""a b""#,
        r#""\u001b[2J""#,
        r#""Stop\u0000""#,
        "7",
        "[]",
        "{}",
        "null",
        &format!("\"{long}\""),
    ] {
        let bytes = format!(r#"{{"session_id":"@ID","hook_event_name":{name}}}"#);
        cases.push((
            format!("the event {name:.20}"),
            bytes.into_bytes(),
            json!({"event": null}),
        ));
    }
    cases
}

#[test]
fn what_names_its_session_is_recorded_once_whatever_else_is_wrong() {
    let cases = attributable();
    in_parallel(HOOKS.len(), 2, |hook| {
        let hook = HOOKS[hook];
        let sandbox = lived_in();
        let old = fs::read(sandbox.session(OLD).join("events.jsonl")).unwrap();
        let mut expected_sessions = vec![OLD.to_owned()];
        for (number, (name, bytes, expected)) in cases.iter().enumerate() {
            let case = format!("{}: {name}", hook.name());
            let id = format!("s-{number:03}");
            take(hook, &sandbox, number, with_id(bytes, &id), &case);
            let mut expected = expected.clone();
            if expected["event"].is_null() {
                expected["event"] = hook.fallback.into();
            }
            if expected["event"] == "PostToolUse" {
                expected["ok"] = true.into();
            }
            assert_eq!(journaled(&sandbox, &id), [expected], "{case}");
            assert_eq!(errors(&sandbox), [""; 0], "{case}");
            expected_sessions.push(id);
        }
        assert_eq!(
            sessions(&sandbox.state()),
            expected_sessions,
            "{}",
            hook.name()
        );
        assert!(
            !sandbox.state().join("unattributed.jsonl").exists(),
            "{}",
            hook.name()
        );
        assert_eq!(
            fs::read(sandbox.session(OLD).join("events.jsonl")).unwrap(),
            old
        );
        assert_sound(&sandbox, &hook.name());
    });
}

/// A payload with every member that a hook looks at.
fn every_member() -> Value {
    let mut payload = payload("PostToolUse-Bash");
    let more = json!({
        "agent_id": "a1", "agent_type": "Explore", "is_interrupt": false, "source": "startup", "reason": "other", "trigger": "auto",
        "model": "m-1", "from_model": "m-1", "to_model": "m-2", "notification_type": "idle_prompt", "task_id": "b1", "prompt": "hello",
        "error": "Exit code 3", "old_cwd": "/a", "new_cwd": "/b", "session_title": "a title",
        "tool_calls": [{"tool_name": "Read", "tool_input": {}, "tool_use_id": "t1", "tool_response": "1"}],
    });
    payload
        .as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    for (name, value) in [
        ("file_path", "/x"),
        ("notebook_path", "/x"),
        ("pattern", "x"),
        ("url", "https://x/"),
        ("skill", "x"),
        ("subagent_type", "x"),
    ] {
        payload["tool_input"][name] = value.into();
    }
    for (name, value) in [
        ("backgroundTaskId", json!("b1")),
        ("agentId", json!("a1")),
        ("isAsync", json!(true)),
    ] {
        payload["tool_response"][name] = value;
    }
    payload
}

/// The places of all members of a payload, as JSON pointers.
fn places(payload: &Value) -> Vec<String> {
    let mut found = Vec::new();
    for (name, value) in payload.as_object().unwrap() {
        found.push(format!("/{name}"));
        let inner = value.as_object().map(|inner| (format!("/{name}"), inner));
        let in_array = || Some((format!("/{name}/0"), value.get(0)?.as_object()?));
        if let Some((above, inner)) = inner.or_else(in_array) {
            found.extend(inner.keys().map(|name| format!("{above}/{name}")));
        }
    }
    found
}

#[test]
fn a_member_of_the_wrong_type_harms_nothing_else() {
    // What JSON has, and numbers that no program's own type holds: put in as text.
    let digits = "9".repeat(400);
    let values = [
        "7",
        "-1.5",
        "[]",
        "[[{}]]",
        "{}",
        r#"{"a":[{"b":null}]}"#,
        "null",
        "true",
        "1e999",
        &digits,
        r#""""#,
    ];
    let base = every_member();
    // What an event has a use of its own for; everything else means the same to all of them.
    let own = [
        (
            "SessionStart",
            &[
                "/source",
                "/model",
                "/cwd",
                "/session_title",
                "/agent_type",
                "/transcript_path",
            ][..],
        ),
        ("SessionEnd", &["/reason", "/cwd"]),
        ("UserPromptSubmit", &["/prompt", "/task_id"]),
        ("PostToolUseFailure", &["/error", "/is_interrupt"]),
        ("StopFailure", &["/error"]),
        (
            "PostToolBatch",
            &[
                "/tool_calls",
                "/tool_calls/0/tool_name",
                "/tool_calls/0/tool_use_id",
                "/tool_calls/0/tool_response",
            ],
        ),
    ];
    let own = own
        .iter()
        .flat_map(|(event, places)| places.iter().map(|place| (place.to_string(), *event)));
    let common = places(&base)
        .into_iter()
        .map(|place| (place, "PostToolUse"));
    let cases: Vec<(String, &str, &str)> = common
        .chain(own)
        .flat_map(|(place, event)| values.map(|value| (place.clone(), event, value)))
        .collect();
    assert!(cases.len() > 600, "{}", cases.len());
    in_parallel(HOOKS.len(), 2, |own| {
        let sandbox = Sandbox::new();
        make_state(&sandbox.state());
        let (mut known, mut unknown) = (0, 0);
        for (number, (place, event, value)) in cases.iter().enumerate() {
            if !is_torture() && number % HOOKS.len() != own {
                continue;
            }
            let hook = HOOKS[own];
            let case = format!("{}: {event} with {value:.20} at {place}", hook.name());
            let id = format!("s-{number}");
            let mut payload = base.clone();
            payload["session_id"] = id.as_str().into();
            payload["hook_event_name"] = (*event).into();
            *payload.pointer_mut(place).unwrap() = "@VALUE".into();
            let bytes = payload.to_string().replace("\"@VALUE\"", value);
            take(hook, &sandbox, number / HOOKS.len(), bytes.into(), &case);
            if place == "/session_id" {
                unknown += 1;
                continue;
            }
            known += 1;
            let named = if place == "/hook_event_name" {
                hook.fallback
            } else {
                event
            };
            let mut events = sandbox.events(&id);
            let read = events.next().map(|event| (event.event, event.incomplete));
            assert_eq!(
                (read, events.next()),
                (Some((named.to_owned(), false)), None),
                "{case}"
            );
            assert_eq!(events.damage(), Damage::default(), "{case}");
            sandbox.record(&id);
        }
        assert_eq!(sessions(&sandbox.state()).len(), known);
        assert_eq!(
            json_lines(&sandbox.state().join("unattributed.jsonl")).len(),
            unknown
        );
        assert_eq!(errors(&sandbox), [""; 0]);
        assert_sound(&sandbox, "every member");
    });
}

#[test]
fn a_payload_that_breaks_off_anywhere_never_names_a_wrong_session() {
    let mut rest = payload("PostToolUse-Bash");
    let id = rest.as_object_mut().unwrap().remove("session_id").unwrap();
    let id = id.as_str().unwrap();
    // With the id first, as the client writes it.
    let opening = format!("{{\"session_id\":\"{id}\"");
    let text = format!("{opening},{}", &rest.to_string()[1..]);
    let event = "\"hook_event_name\":\"PostToolUse\"";
    let event_known = text.find(event).unwrap() + event.len();
    in_parallel(HOOKS.len(), 2, |own| {
        let hook = HOOKS[own];
        let sandbox = Sandbox::new();
        make_state(&sandbox.state());
        let (mut known, mut unknown) = (0, 0);
        for cut in 0..=text.len() {
            if !is_torture() && cut % HOOKS.len() != own {
                continue;
            }
            let case = format!("{}: cut after {cut} bytes", hook.name());
            let bytes = text.as_bytes()[..cut].to_vec();
            take(hook, &sandbox, cut / HOOKS.len(), bytes, &case);
            if cut < opening.len() {
                unknown += 1;
                assert_eq!(sessions(&sandbox.state()), [""; 0], "{case}");
                continue;
            }
            known += 1;
            let lines = sandbox.journal(id);
            let last = &lines[lines.len() - 1];
            let named = if cut < event_known {
                hook.fallback
            } else {
                "PostToolUse"
            };
            let incomplete = (cut < text.len()).then_some(&Value::Bool(true));
            assert_eq!(lines.len(), known, "{case}");
            assert_eq!(
                (&last["event"], last.get("incomplete")),
                (&json!(named), incomplete),
                "{case}"
            );
            assert_eq!(last["session_id"], id, "{case}");
        }
        assert_eq!(sessions(&sandbox.state()), [id]);
        assert_eq!(
            json_lines(&sandbox.state().join("unattributed.jsonl")).len(),
            unknown
        );
        assert_eq!(errors(&sandbox), [""; 0]);
        assert_sound(&sandbox, "cut");
    });
}

#[test]
fn a_hostile_directory_becomes_one_harmless_pointer() {
    let long = "n".repeat(300);
    for (cwd, name) in [
        ("/nowhere/shop".to_owned(), "shop".to_owned()),
        ("/nowhere/a\nb".to_owned(), "a-b~7e18f737311b".to_owned()),
        ("/nowhere/\u{1b}[2J".to_owned(), String::new()),
        ("/nowhere/a\0b".to_owned(), String::new()),
        ("/".to_owned(), "~e3b0c44298fc".to_owned()),
        ("/nowhere/..".to_owned(), "~e3b0c44298fc".to_owned()),
        (format!("/nowhere/{long}"), String::new()),
        ("/nowhere/größe 日本".to_owned(), "größe 日本".to_owned()),
        ("../../etc".to_owned(), "shop".to_owned()),
        (String::new(), "shop".to_owned()),
    ] {
        let sandbox = Sandbox::new();
        make_state(&sandbox.state());
        sandbox
            .hook(&event(
                "SessionStart",
                ID,
                json!({"source": "startup", "cwd": cwd}),
            ))
            .silent();
        let pointers: Vec<String> = fs::read_dir(sandbox.pointers())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        let [pointer] = &pointers[..] else {
            panic!("{cwd:?}: {pointers:?}");
        };
        let component = pointer.strip_prefix("claude_session_").unwrap();
        assert!(
            name.is_empty() || component == name,
            "{cwd:?}: {component:?}"
        );
        assert!(
            component.len() <= 200 && !component.chars().any(char::is_control),
            "{cwd:?}: {component:?}"
        );
        assert_eq!(
            fs::read_dir(sandbox.project()).unwrap().count(),
            0,
            "{cwd:?}"
        );
        assert_sound(&sandbox, &cwd);
    }
}

#[test]
fn a_stdin_that_is_never_closed_is_read_until_the_deadline_only() {
    let _turn = alone();
    let call = event(
        "PreToolUse",
        ID,
        json!({"tool_name": "Bash", "tool_use_id": "t1"}),
    )
    .to_string();
    let half = r#"{"session_id":"5b48472b-1111-4222-8333-444455556666","hook_event_name":"PreToolUse","tool_name":"Ba"#;
    // What stays open: nothing, half a payload, a whole one; how many lines there are of it, and whether it is whole.
    let cases = [
        ("", 0, None),
        (half, 1, Some(&json!(true))),
        (&call, 1, None),
    ];
    in_parallel(cases.len() * HOOKS.len(), 15, |number| {
        let hook = HOOKS[number % HOOKS.len()];
        let (bytes, lines, incomplete) = cases[number / HOOKS.len()];
        let case = format!("{}: {bytes:?} and no end", hook.name());
        let sandbox = lived_in();
        let before = snapshot(&sandbox);
        feed(hook.run(&sandbox), Stdin::of(bytes).left_open()).assert_silent_and_fed(&case);
        assert_sound(&sandbox, &case);
        if lines == 0 {
            assert_eq!(
                changes(&before, &snapshot(&sandbox)),
                ["state/unattributed.jsonl"],
                "{case}"
            );
            return;
        }
        let journal = sandbox.journal(ID);
        assert_eq!(journal.len(), lines, "{case}");
        assert_eq!(
            (&journal[0]["event"], journal[0].get("incomplete")),
            (&json!("PreToolUse"), incomplete),
            "{case}"
        );
        assert_eq!(
            journal[0].get("tool_use_id").is_some(),
            incomplete.is_none(),
            "{case}"
        );
    });
}

#[test]
fn a_stdin_that_never_ends_is_read_until_the_deadline_only() {
    let _turn = alone();
    let call = event("PreToolUse", ID, json!({"tool_name": "Bash"})).to_string();
    let open = |member: &str| call.strip_suffix('}').unwrap().to_owned() + member;
    let cases: [(&str, Stdin, bool); 7] = [
        ("yes", Stdin::endless("", "y\n"), false),
        ("blanks before", Stdin::endless("", " "), false),
        ("brackets", Stdin::endless("", "["), false),
        (
            "blanks after a payload",
            Stdin::endless(call.clone(), " "),
            true,
        ),
        (
            "an output",
            Stdin::endless(open(",\"tool_response\":\""), "x\\n"),
            true,
        ),
        (
            "members",
            Stdin::endless(open(""), ",\"tool_name\":\"Bash\""),
            true,
        ),
        ("numbers", Stdin::endless(open(",\"x\":[1"), ",2"), true),
    ];
    // A payload that came before is recorded, with what was read until then.
    let runs: Vec<(Hook, usize)> = if is_torture() {
        (0..cases.len())
            .flat_map(|case| HOOKS.map(|hook| (hook, case)))
            .collect()
    } else {
        let first = HOOKS.map(|hook| (hook, 0));
        let others = (1..cases.len()).map(|case| (HOOKS[case % HOOKS.len()], case));
        first.into_iter().chain(others).collect()
    };
    in_parallel(runs.len(), 4, |run| {
        let (hook, case) = runs[run];
        let (name, stdin, attributed) = &cases[case];
        let case = format!("{}: endless {name}", hook.name());
        let sandbox = lived_in();
        let before = snapshot(&sandbox);
        let stdin = Stdin::long(stdin.head.clone(), stdin.body.0.clone(), stdin.body.1, "");
        feed(hook.run(&sandbox), stdin).assert_silent(&case);
        assert_sound(&sandbox, &case);
        if *attributed {
            assert_eq!(sandbox.journal(ID).len(), 1, "{case}");
        } else {
            assert_eq!(
                changes(&before, &snapshot(&sandbox)),
                ["state/unattributed.jsonl"],
                "{case}"
            );
        }
    });
    in_parallel(HOOKS.len(), 3, |hook| {
        let hook = HOOKS[hook];
        let case = format!("{}: /dev/zero", hook.name());
        let sandbox = lived_in();
        let before = snapshot(&sandbox);
        let mut run = hook.run(&sandbox);
        let output = run
            .command
            .stdin(File::open("/dev/zero").unwrap())
            .output()
            .unwrap();
        Ended {
            output,
            is_fed: true,
        }
        .assert_silent(&case);
        assert_eq!(
            changes(&before, &snapshot(&sandbox)),
            ["state/unattributed.jsonl"],
            "{case}"
        );
    });
}

/// A hook that may have 32 MiB of memory of its own, whatever is in it. Where the system has no such limit, it goes
/// without.
const LITTLE_MEMORY: &str = "ulimit -c 0; ulimit -d 32768 2>/dev/null || :";

#[test]
fn a_huge_payload_is_read_to_its_end_in_little_memory() {
    let _turn = alone();
    let head = r#"{"session_id":"5b48472b-1111-4222-8333-444455556666","hook_event_name":"PostToolUse","tool_name":"Bash","tool_input":{"description":"List files"},"tool_response":{"stdout":""#;
    let tail = r#""},"tool_use_id":"t1","duration_ms":38}"#;
    let bodies = [
        "x".repeat(1 << 20),
        r"drwxr-xr-x 4 20001 20001 4096 Nov 20 16:21 .\n".repeat(1 << 14),
    ];
    for (number, hook) in HOOKS.into_iter().enumerate() {
        let case = hook.name();
        let body = &bodies[number % bodies.len()];
        let times = HUGE / body.len();
        let expected = json!({
            "event": "PostToolUse", "tool": "Bash", "tool_use_id": "t1", "ok": true, "duration_ms": 38, "input_bytes": 28,
            "output_bytes": times * body.len() + 13, "what": "List files",
        });
        // A processor that is taken away for long makes any reader late: then it is tried again.
        for attempt in 0.. {
            let sandbox = Sandbox::new();
            make_state(&sandbox.state());
            let ended = feed(
                hook.run_after(&sandbox, LITTLE_MEMORY),
                Stdin::long(head, body.as_str(), times, tail),
            );
            ended.assert_silent(&case);
            assert_sound(&sandbox, &case);
            let lines = journaled(&sandbox, ID);
            if attempt < ATTEMPTS && (!ended.is_fed || lines[0].get("incomplete").is_some()) {
                continue;
            }
            ended.assert_silent_and_fed(&case);
            assert_eq!(lines, [expected], "{case}");
            break;
        }
    }
}

/// Feeds each hook with `stdin`, in little memory, and asserts that the event is recorded in one line that a reader
/// takes.
#[track_caller]
fn check_flood(name: &str, hooks: &[Hook], stdin: impl Fn() -> Stdin) {
    for hook in hooks {
        let case = format!("{}: {name} ({} bytes)", hook.name(), stdin().len());
        let sandbox = Sandbox::new();
        make_state(&sandbox.state());
        feed(hook.run_after(&sandbox, LITTLE_MEMORY), stdin()).assert_silent(&case);
        assert_sound(&sandbox, &case);
        let mut events = sandbox.events(ID);
        assert!(events.next().is_some(), "{case}");
        assert_eq!(
            (events.next(), events.damage()),
            (None, Damage::default()),
            "{case}"
        );
        let size = fs::metadata(sandbox.session(ID).join("events.jsonl"))
            .unwrap()
            .len();
        assert!(size < 1 << 20, "{case}: its line has {size} bytes");
    }
}

/// The opening of a payload whose next member follows.
const OPENING: &str =
    r#"{"session_id":"5b48472b-1111-4222-8333-444455556666","hook_event_name":"PostToolBatch""#;

#[test]
fn a_flood_of_members_is_not_held() {
    let _turn = alone();
    let path = "x".repeat(15_000);
    check_flood("one member again and again", &hooks_for(1), || {
        Stdin::long(OPENING, format!(r#","cwd":"/{path}""#), 5000, "}")
    });
}

#[test]
fn a_flood_of_calls_is_not_held() {
    let _turn = alone();
    check_flood("empty calls", &hooks_for(2), || {
        let last = r#"{"tool_name":"Read","tool_use_id":"t1"}]}"#;
        Stdin::long(
            format!(r#"{OPENING},"tool_calls":["#),
            "{},".repeat(1 << 12),
            400,
            last,
        )
    });
}

#[test]
fn a_flood_of_named_calls_is_one_line_that_can_be_read_again() {
    let _turn = alone();
    let (name, id) = ("N".repeat(500), "t".repeat(500));
    check_flood("named calls", &hooks_for(2), || {
        let call = format!(r#"{{"tool_name":"{name}","tool_use_id":"{id}"}},"#);
        Stdin::long(format!(r#"{OPENING},"tool_calls":["#), call, 3000, "{}]}")
    });
}

#[test]
fn a_flood_of_brackets_is_drained() {
    let _turn = alone();
    let mib = |text: &str| text.repeat((1 << 20) / text.len());
    for (number, body) in [mib("["), mib(r#"{"a":"#), vec_of_nul()]
        .into_iter()
        .enumerate()
    {
        for hook in hooks_for(number) {
            let case = format!("{}: flood {number}", hook.name());
            let sandbox = Sandbox::new();
            make_state(&sandbox.state());
            let stdin = Stdin::long("", body.as_str(), 100, "");
            let size = stdin.len();
            feed(hook.run_after(&sandbox, LITTLE_MEMORY), stdin).assert_silent_and_fed(&case);
            assert_eq!(
                sandbox.files(),
                ["state/sweep", "state/unattributed.jsonl"],
                "{case}"
            );
            assert_eq!(
                last_line(&sandbox, "unattributed.jsonl")["bytes"],
                size,
                "{case}"
            );
        }
    }
}

fn vec_of_nul() -> String {
    "\0".repeat(1 << 20)
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

#[test]
fn streams_that_are_closed_or_full_stop_nothing() {
    // The redirections, and whether the payload can be read.
    let rows = [
        ("<&-", false),
        ("</dev/null", false),
        ("<.", false),
        ("< /dev/null <&1", false),
        (">&-", true),
        ("2>&-", true),
        (">&- 2>&-", true),
        ("<&- >&- 2>&-", false),
        (">/dev/full", true),
        (">/dev/full 2>/dev/full", true),
        ("<&- >/dev/full 2>&-", false),
    ];
    in_parallel(HOOKS.len(), 3, |hook| {
        let hook = HOOKS[hook];
        for (redirections, is_read) in rows {
            // What is open for writing only says neither something nor that it has ended.
            if redirections.ends_with("<&1") && hook.event != "PreToolUse" {
                continue;
            }
            let sandbox = lived_in();
            for (number, more) in TALKATIVE.into_iter().enumerate() {
                let case = format!("{} {redirections} {more:?}", hook.name());
                let run = with_variables(hook.run_with(&sandbox, redirections), more);
                let ended = feed(run, Stdin::of(own_event(hook, ID)));
                assert_eq!(ended.output.status.to_string(), "exit status: 0", "{case}");
                if more.is_empty() {
                    ended.assert_silent(&case);
                }
                let log = sandbox.state().join("unattributed.jsonl");
                let recorded = if is_read {
                    sandbox.journal(ID)
                } else {
                    json_lines(&log)
                };
                assert_eq!(recorded.len(), number + 1, "{case}");
                assert_eq!(
                    (sandbox.session(ID).exists(), log.exists()),
                    (is_read, !is_read),
                    "{case}"
                );
            }
            assert_sound(&sandbox, redirections);
        }
    });
}

/// Variables with which a hook has something to say: nothing, a line for the model, a complaint.
const TALKATIVE: [&[(&str, &str)]; 3] = [
    &[],
    &[("CCSESSION_CONTEXT_LINE", "true")],
    &[("CCSESSION_TTL", "soon"), ("HOOK_DEBUG", "true")],
];

fn with_variables(run: Run, variables: &[(&str, &str)]) -> Run {
    variables
        .iter()
        .fold(run, |run, (name, value)| run.env(name, value))
}

#[test]
fn a_reader_that_has_gone_stops_nothing() {
    for hook in HOOKS {
        let sandbox = lived_in();
        for (number, more) in TALKATIVE.into_iter().enumerate() {
            let case = format!("{} {more:?}", hook.name());
            let mut run = with_variables(hook.run(&sandbox), more);
            let piped = run
                .command
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped());
            let mut child = piped.spawn().unwrap();
            drop((child.stdout.take(), child.stderr.take()));
            let mut stdin = child.stdin.take().unwrap();
            stdin.write_all(own_event(hook, ID).as_bytes()).unwrap();
            drop(stdin);
            assert_eq!(
                child.wait().unwrap().to_string(),
                "exit status: 0",
                "{case}"
            );
            assert_eq!(sandbox.journal(ID).len(), number + 1, "{case}");
        }
        assert_sound(&sandbox, &hook.name());
    }
}

#[test]
fn arguments_and_variables_of_any_bytes_are_taken_as_they_are() {
    let bad = OsStr::from_bytes(b"\xff\xfe=\x01\n");
    for hook in HOOKS {
        let case = hook.name();
        let sandbox = lived_in();
        let odd = sandbox
            .path("\u{1}odd")
            .join(OsStr::from_bytes(b"p\xff\xfe"));
        fs::create_dir_all(&odd).unwrap();
        let mut run = hook.run(&sandbox);
        run.command
            .arg(bad)
            .args(vec![OsStr::from_bytes(b"--\xff"); 1000]);
        for name in [
            "XDG_STATE_HOME",
            "XDG_CONFIG_HOME",
            "CCSESSION_CONFIG",
            "CCSESSION_LIBEXEC",
            "CCSESSION_ID",
            "CLAUDE_CODE_SESSION_ID",
            "CLAUDE_ENV_FILE",
            "CLAUDE_CONFIG_DIR",
            "HOOK_DEBUG",
            "LANG",
            "TZ",
            "TMPDIR",
        ] {
            run = run.env(name, bad);
        }
        run.command.env(OsStr::from_bytes(b"\xff"), bad);
        run = run.env("CLAUDE_PROJECT_DIR", &odd);
        for number in 0..10_000 {
            run = run.env(&format!("VARIABLE_{number}"), "x".repeat(50));
        }
        feed(run, Stdin::of(own_event(hook, ID))).assert_silent_and_fed(&case);
        assert_eq!(sandbox.journal(ID).len(), 1, "{case}");
        let why = "it is not an absolute path";
        let noted = ["CCSESSION_CONFIG", "CCSESSION_LIBEXEC"]
            .map(|variable| format!("could not use {variable}: {why}"));
        assert_eq!(errors(&sandbox), noted, "{case}");
        let root = sandbox.record(ID)["project"]["root_hex"]
            .as_str()
            .unwrap()
            .to_owned();
        assert_eq!(
            ccsession::model::project::from_hex(&root).unwrap(),
            odd.as_os_str().as_bytes(),
            "{case}"
        );
    }
}

/// A setting that cannot be used is said or logged, and its default taken.
#[test]
fn settings_that_are_no_settings_are_logged_and_defaults_taken() {
    let bad = OsStr::from_bytes(b"\xff\xfe");
    for hook in HOOKS {
        let case = hook.name();
        let sandbox = lived_in();
        let config = sandbox.path("config.toml");
        fs::write(&config, [0xff; 100]).unwrap();
        let mut run = hook.run(&sandbox).env("CCSESSION_CONFIG", &config);
        for name in [
            "CCSESSION_TTL",
            "CCSESSION_CAPTURE",
            "CCSESSION_CLEANUP_INTERVAL",
            "SESSION_TIMEOUT_SECS",
        ] {
            run = run.env(name, bad);
        }
        feed(run, Stdin::of(own_event(hook, ID))).assert_silent_and_fed(&case);
        assert_eq!(sandbox.journal(ID).len(), 1, "{case}");
        let errors = errors(&sandbox);
        for part in [
            "could not read `",
            "could not use ttl from $CCSESSION_TTL: ",
            "capture",
            "cleanup_interval",
            "SESSION_TIMEOUT_SECS",
        ] {
            assert!(
                errors.iter().any(|error| error.contains(part)),
                "{}: {part}: {errors:?}",
                hook.name()
            );
        }
        assert_sound(&sandbox, &case);
    }
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

#[test]
fn without_a_usable_home_there_is_no_state_and_the_pointer_alone() {
    const NO_PLACE: &str = "could not find a state directory: HOME is not an absolute path";
    let sandbox = Sandbox::new;
    check_home(&sandbox(), &[("HOME", None)], None, NO_PLACE);
    check_home(&sandbox(), &[("HOME", Some("".as_ref()))], None, NO_PLACE);
    check_home(
        &sandbox(),
        &[("HOME", Some("home".as_ref()))],
        None,
        NO_PLACE,
    );
    check_home(
        &sandbox(),
        &[("HOME", Some("../home".as_ref()))],
        None,
        NO_PLACE,
    );
    check_home(
        &sandbox(),
        &[("HOME", None), ("XDG_STATE_HOME", Some("x".as_ref()))],
        None,
        NO_PLACE,
    );

    let file = sandbox();
    fs::write(file.path("file"), "").unwrap();
    check_home(
        &file,
        &[("HOME", Some(file.path("file").as_ref()))],
        None,
        "Not a directory",
    );

    let closed = sandbox();
    fs::set_permissions(closed.home(), Permissions::from_mode(0o500)).unwrap();
    if root() {
        println!("skipped: nothing is closed to root");
    } else {
        check_home(&closed, &[], None, "Permission denied");
    }
}

#[test]
fn the_first_usable_place_is_the_state_directory() {
    type Variables = Vec<(&'static str, Option<OsString>)>;
    let check = |variables: &dyn Fn(&Sandbox) -> Variables, place: &str| {
        let sandbox = Sandbox::new();
        let variables = variables(&sandbox);
        let variables: Vec<_> = variables
            .iter()
            .map(|(name, value)| (*name, value.as_deref()))
            .collect();
        let place = sandbox
            .path("")
            .join(OsStr::from_bytes(place.replace('@', "\u{0}").as_bytes()));
        check_home(&sandbox, &variables, Some(&place), "");
    };
    let path = |sandbox: &Sandbox, name: &str| Some(sandbox.path(name).into_os_string());
    check(&|_| vec![], "home/.local/state/ccsession");
    check(
        &|s| vec![("HOME", path(s, "nowhere"))],
        "nowhere/.local/state/ccsession",
    );
    check(
        &|_| vec![("XDG_STATE_HOME", Some("relative".into()))],
        "home/.local/state/ccsession",
    );
    check(
        &|_| vec![("XDG_STATE_HOME", Some("".into()))],
        "home/.local/state/ccsession",
    );
    check(
        &|s| vec![("XDG_STATE_HOME", path(s, "xdg"))],
        "xdg/ccsession",
    );
    check(
        &|s| vec![("HOME", None), ("XDG_STATE_HOME", path(s, "xdg"))],
        "xdg/ccsession",
    );
    check(
        &|_| vec![("CCSESSION_STATE_DIR", Some("relative".into()))],
        "home/.local/state/ccsession",
    );
    check(
        &|_| vec![("CCSESSION_STATE_DIR", Some("".into()))],
        "home/.local/state/ccsession",
    );
    check(
        &|s| {
            vec![
                ("CCSESSION_STATE_DIR", path(s, "a/b/c")),
                ("XDG_STATE_HOME", path(s, "xdg")),
            ]
        },
        "a/b/c",
    );

    let sandbox = Sandbox::new();
    let home = sandbox.path("").join(OsStr::from_bytes(b"h\xff\n"));
    fs::create_dir(&home).unwrap();
    check_home(
        &sandbox,
        &[("HOME", Some(home.as_os_str()))],
        Some(&home.join(".local/state/ccsession")),
        "",
    );
}

/// Runs every hook with a state directory that must not be used, and asserts that nothing in the sandbox changed but
/// the pointer of a start, and that debugging says why.
#[track_caller]
fn check_unusable_state(prepare: impl Fn(&Sandbox) -> PathBuf, why: &str) {
    for hook in HOOKS {
        let sandbox = Sandbox::new();
        let state = prepare(&sandbox);
        let case = format!("{}: {why}", hook.name());
        let before = (tree(&sandbox), mode(&state));
        let run = || hook.run(&sandbox).env("CCSESSION_STATE_DIR", &state);
        feed(run(), Stdin::of(own_event(hook, ID))).assert_silent_and_fed(&case);
        let is_moving = ["SessionStart", "UserPromptSubmit"].contains(&hook.event);
        let pointer = sandbox.pointer("shop");
        assert_eq!(pointer.exists(), is_moving, "{case}");
        let _ = fs::remove_file(&pointer);
        feed(run(), Stdin::of("no payload")).assert_silent_and_fed(&case);
        assert_eq!((tree(&sandbox), mode(&state)), before, "{case}");
        let output = run()
            .env("HOOK_DEBUG", "true")
            .stdin(own_event(hook, ID))
            .output();
        let said = format!("ccsession: {}\n", why.replace('@', state.to_str().unwrap()));
        assert_eq!(
            (
                output.status.code(),
                text(&output.stdout),
                text(&output.stderr)
            ),
            (Some(0), String::new(), said),
            "{case}"
        );
    }
}

#[test]
fn a_state_directory_that_is_not_ours_alone_is_not_used() {
    let with_mode = |mode| {
        move |sandbox: &Sandbox| {
            make_state(&sandbox.state());
            fs::set_permissions(sandbox.state(), Permissions::from_mode(mode)).unwrap();
            sandbox.state()
        }
    };
    for open in [0o755, 0o750, 0o701, 0o777, 0o1777, 0o710] {
        let why = format!(
            "could not trust `@`: others may enter it (mode {open:04o}); run chmod 700 on it"
        );
        check_unusable_state(with_mode(open), &why);
    }
    let file = |sandbox: &Sandbox| {
        fs::write(sandbox.state(), "mine").unwrap();
        sandbox.state()
    };
    check_unusable_state(file, "could not trust `@`: it is not a directory");
    let link = |sandbox: &Sandbox| {
        make_state(&sandbox.path("elsewhere"));
        symlink(sandbox.path("elsewhere"), sandbox.state()).unwrap();
        sandbox.state()
    };
    check_unusable_state(link, "could not trust `@`: it is a symbolic link");
    let dangling = |sandbox: &Sandbox| {
        symlink(sandbox.path("nowhere"), sandbox.state()).unwrap();
        sandbox.state()
    };
    check_unusable_state(dangling, "could not trust `@`: it is a symbolic link");
    if root() {
        let foreign = |sandbox: &Sandbox| {
            make_state(&sandbox.state());
            std::os::unix::fs::chown(sandbox.state(), Some(54321), None).unwrap();
            sandbox.state()
        };
        check_unusable_state(
            foreign,
            "could not trust `@`: it belongs to another user (uid 54321)",
        );
    } else {
        println!("skipped: only root can give a directory away");
        let roots = |_: &Sandbox| PathBuf::from("/usr");
        let owner = fs::metadata("/usr").unwrap().uid();
        check_unusable_state(
            roots,
            &format!("could not trust `@`: it belongs to another user (uid {owner})"),
        );
    }
}

#[test]
fn nothing_is_made_in_another_users_home() {
    if !root() {
        println!("skipped: only root can make a home of another user's");
        return;
    }
    for hook in HOOKS {
        let case = hook.name();
        let sandbox = Sandbox::new();
        std::os::unix::fs::chown(sandbox.home(), Some(54321), None).unwrap();
        let before = tree(&sandbox);
        let run = || hook.run(&sandbox).without_env("CCSESSION_STATE_DIR");
        feed(run(), Stdin::of(own_event(hook, ID))).assert_silent_and_fed(&case);
        let output = run()
            .env("HOOK_DEBUG", "true")
            .stdin(own_event(hook, ID))
            .output();
        let said = format!(
            "ccsession: could not trust `{}`: it belongs to another user (uid 54321)\n",
            sandbox.home().display()
        );
        assert_eq!(text(&output.stderr), said, "{case}");
        let _ = fs::remove_file(sandbox.pointer("shop"));
        assert_eq!(tree(&sandbox), before, "{case}");
    }
}

/// Runs every hook with a pointer directory that must not be used: the event is recorded, the pointer is not, and the
/// errors' log says why of the events that would have moved it.
#[track_caller]
fn check_unusable_pointers(prepare: impl Fn(&Sandbox) -> PathBuf, why: &str) {
    for hook in HOOKS {
        let sandbox = Sandbox::new();
        make_state(&sandbox.state());
        let pointers = prepare(&sandbox);
        let case = format!("{}: {why}", hook.name());
        let run = || hook.run(&sandbox).env("CCSESSION_POINTER_DIR", &pointers);
        feed(run(), Stdin::of(own_event(hook, ID))).assert_silent_and_fed(&case);
        assert_eq!(sandbox.journal(ID).len(), 1, "{case}");
        let is_moving = ["SessionStart", "UserPromptSubmit"].contains(&hook.event);
        let why = why.replace('@', pointers.to_str().unwrap());
        let expected = if is_moving { vec![why.clone()] } else { vec![] };
        assert_eq!(errors(&sandbox), expected, "{case}");
        if is_moving {
            assert_eq!(
                last_line(&sandbox, "hook-errors.jsonl")["session_id"],
                ID,
                "{case}"
            );
        }
        feed(
            run(),
            Stdin::of(event("SessionEnd", ID, json!({})).to_string()),
        )
        .assert_silent_and_fed(&case);
        let output = run()
            .env("HOOK_DEBUG", "true")
            .stdin(own_event(hook, ID))
            .output();
        let said = if is_moving {
            format!("ccsession: {why}\n")
        } else {
            String::new()
        };
        assert_eq!(
            (
                output.status.code(),
                text(&output.stdout),
                text(&output.stderr)
            ),
            (Some(0), String::new(), said),
            "{case}"
        );
        assert_sound(&sandbox, &case);
        assert!(!sandbox.pointer("shop").exists(), "{case}");
    }
}

#[test]
fn a_pointer_directory_that_is_unsafe_or_missing_is_not_used() {
    check_unusable_pointers(
        |s| s.path("gone"),
        "could not inspect `@`: No such file or directory (os error 2)",
    );
    let file = |sandbox: &Sandbox| {
        fs::write(sandbox.path("file"), "").unwrap();
        sandbox.path("file")
    };
    check_unusable_pointers(file, "could not trust `@`: it is not a directory");
    let open = |sandbox: &Sandbox| {
        fs::create_dir(sandbox.path("open")).unwrap();
        fs::set_permissions(sandbox.path("open"), Permissions::from_mode(0o777)).unwrap();
        sandbox.path("open")
    };
    check_unusable_pointers(
        open,
        "could not trust `@`: everybody may write to it and it is not sticky (as chmod 1777 makes it)",
    );
    if root() {
        let foreign = |sandbox: &Sandbox| {
            fs::create_dir(sandbox.path("foreign")).unwrap();
            std::os::unix::fs::chown(sandbox.path("foreign"), Some(54321), None).unwrap();
            sandbox.path("foreign")
        };
        check_unusable_pointers(
            foreign,
            "could not trust `@`: it belongs to another user (uid 54321)",
        );
    }
}

#[test]
fn a_working_directory_that_is_gone_stops_nothing() {
    let gone = "mkdir gone && cd gone && rmdir ../gone";
    for hook in HOOKS {
        let case = hook.name();
        let sandbox = lived_in();
        let named = event(
            hook.event,
            ID,
            json!({"source": "startup", "cwd": sandbox.path("shop/gone")}),
        );
        feed(hook.run_after(&sandbox, gone), Stdin::of(named.to_string()))
            .assert_silent_and_fed(&case);
        assert_eq!(sandbox.journal(ID).len(), 1, "{case}");
        assert_eq!(sandbox.record(ID)["project"]["name"], "gone", "{case}");
        assert_eq!(errors(&sandbox), [""; 0], "{case}");

        // A session that is known needs no directory; of one that is new, nothing is known without one.
        feed(
            hook.run_after(&sandbox, gone),
            Stdin::of(own_event(hook, ID)),
        )
        .assert_silent_and_fed(&case);
        assert_eq!(sandbox.journal(ID).len(), 2, "{case}");
        feed(
            hook.run_after(&sandbox, gone),
            Stdin::of(own_event(hook, "s-2")),
        )
        .assert_silent_and_fed(&case);
        assert_sound(&sandbox, &case);
        let errors = errors(&sandbox);
        let why = "could not find `.`: No such file or directory (os error 2)";
        assert!(
            errors.iter().any(|error| error == why),
            "{case}: {errors:?}"
        );
    }
}

// What the system refuses.

#[test]
fn a_limit_on_the_size_of_files_kills_nothing() {
    for hook in HOOKS {
        let sandbox = lived_in();
        let before = snapshot(&sandbox);
        for payload in [
            own_event(hook, OLD),
            own_event(hook, ID),
            "no payload".to_owned(),
        ] {
            let case = format!("{}: {payload}", hook.name());
            feed(hook.run_after(&sandbox, "ulimit -f 0"), Stdin::of(payload))
                .assert_silent_and_fed(&case);
            let after = snapshot(&sandbox);
            for (name, bytes) in &before {
                assert_eq!(after.get(name), Some(bytes), "{case}: {name}");
            }
            assert_sound(&sandbox, &case);
        }
        // And what could not be recorded then stands in the way of nothing.
        let start = event("SessionStart", ID, json!({"source": "resume"}));
        sandbox.hook(&start).env("CLAUDE_PID", as_client()).silent();
        assert_eq!(sandbox.journal(ID).len(), 1, "{}", hook.name());
        assert_eq!(
            fs::read_dir(sandbox.session(ID).join("owners"))
                .unwrap()
                .count(),
            1,
            "{}",
            hook.name()
        );
        sandbox.record(ID);
        assert_sound(&sandbox, &hook.name());
    }
}

#[test]
fn a_record_that_was_cut_short_is_noted_and_keeps_off_the_next() {
    for hook in HOOKS {
        let case = hook.name();
        let sandbox = lived_in();
        let journal = sandbox.session(OLD).join("events.jsonl");
        // The limit is in units of 512 bytes, in some shells of 1024: the journal ends shortly before one.
        let size = fs::metadata(&journal).unwrap().len();
        let filler = json!({"v": 1, "event": "Filler", "what": "x".repeat(2048 - 20 - 36 - usize::try_from(size).unwrap())});
        let mut text = fs::read_to_string(&journal).unwrap();
        text.push_str(&format!("\n{filler}\n"));
        fs::write(&journal, &text).unwrap();
        assert_eq!(text.len(), 2048 - 20);
        let script = "[ \"$(ulimit -f 4; ulimit -f)\" = 4 ] || exit 9\nulimit -f 4";
        feed(
            hook.run_after(&sandbox, script),
            Stdin::of(own_event(hook, OLD)),
        )
        .assert_silent_and_fed(&case);
        let bytes = fs::read(&journal).unwrap();
        if bytes.len() != 2048 {
            println!("skipped: this shell's unit for ulimit -f is not 512 bytes");
            return;
        }
        let noted = format!(
            "could not append all to `{}`: no storage space",
            journal.display()
        );
        assert_eq!(errors(&sandbox), [noted], "{case}");
        feed(hook.run(&sandbox), Stdin::of(own_event(hook, OLD))).assert_silent_and_fed(&case);
        let mut events = sandbox.events(OLD);
        let read: Vec<String> = events.by_ref().map(|event| event.event).collect();
        assert_eq!(read, ["SessionStart", "Filler", hook.event], "{case}");
        assert_eq!(
            events.damage(),
            Damage {
                torn: 1,
                ..Damage::default()
            },
            "{case}"
        );
    }
}

#[test]
fn one_free_descriptor_is_enough() {
    for hook in HOOKS {
        let case = hook.name();
        let sandbox = lived_in();
        feed(
            hook.run_after(&sandbox, "ulimit -n 4"),
            Stdin::of(own_event(hook, ID)),
        )
        .assert_silent_and_fed(&case);
        assert_eq!(sandbox.journal(ID).len(), 1, "{case}");
        sandbox.record(ID);
        assert_eq!(errors(&sandbox), [""; 0], "{case}");
        let is_moving = ["SessionStart", "UserPromptSubmit"].contains(&hook.event);
        let named = if is_moving { ID } else { OLD };
        assert_eq!(
            fs::read_to_string(sandbox.pointer("shop"))
                .unwrap()
                .lines()
                .next(),
            Some(named),
            "{case}"
        );
        assert_sound(&sandbox, &case);
    }
}

#[test]
fn an_end_that_cannot_remove_the_pointer_says_so() {
    let sandbox = lived_in();
    let end = event("SessionEnd", OLD, json!({"reason": "other"})).to_string();
    feed(HOOKS[3].run_after(&sandbox, "ulimit -n 4"), Stdin::of(end))
        .assert_silent_and_fed("one descriptor");
    assert_eq!(sandbox.journal(OLD).len(), 2);
    assert!(
        !sandbox.pointer("shop").exists() || !errors(&sandbox).is_empty(),
        "the pointer is left, and nothing says why"
    );
}

#[test]
fn too_little_memory_is_no_reason_to_speak() {
    // From what is too little to load a program to what is enough for all of it, in KiB. The CLI is not asked: Rust's own
    // start needs memory before it could promise anything.
    let hooks = &HOOKS[..4];
    let step = if is_torture() { 4 } else { 16 };
    let started = AtomicUsize::new(0);
    in_parallel(hooks.len(), 2, |own| {
        let hook = hooks[own];
        let sandbox = Sandbox::new();
        make_state(&sandbox.state());
        for (number, limit) in (1024..10_240).step_by(step).enumerate() {
            if !is_torture() && number % hooks.len() != own {
                continue;
            }
            let case = format!("{} in {limit} KiB", hook.name());
            let script = format!("ulimit -c 0; ulimit -v {limit} 2>/dev/null || exit 77");
            let stdin = Stdin::of(own_event(hook, &format!("s-{limit}")));
            let ended = feed(hook.run_after(&sandbox, &script), stdin);
            if !is_not_started(&ended.output) {
                ended.assert_silent(&case);
                started.fetch_add(1, Ordering::Relaxed);
            }
        }
        assert_sound(&sandbox, &hook.name());
    });
    if started.into_inner() == 0 {
        println!("skipped: memory cannot be limited here");
    }
}

/// Whether the system, its loader or the C library ended the program before its first instruction, or there was not one
/// page of heap for it to prepare in: then it aborts, in silence.
fn is_not_started(output: &Output) -> bool {
    use std::os::unix::process::ExitStatusExt;
    let said = String::from_utf8_lossy(&output.stderr);
    let by_the_loader = [
        "error while loading shared libraries",
        "Fatal glibc error",
        "cannot allocate",
    ];
    match (output.status.code(), output.status.signal()) {
        (Some(77), _) => said.is_empty(),
        (Some(126 | 127), _) => {
            by_the_loader.iter().any(|words| said.contains(words)) || said.is_empty()
        }
        (None, Some(6 | 9 | 11)) => said.is_empty(),
        _ => false,
    }
}

#[test]
fn read_only_directories_are_left_alone_and_said() {
    for hook in HOOKS {
        for (read_only, said) in [
            ("state", false),
            ("pointers", true),
            ("state pointers", false),
        ] {
            for id in [OLD, ID] {
                let case = format!("{}: {read_only} read-only, session {id}", hook.name());
                let sandbox = lived_in();
                let before = snapshot(&sandbox);
                let mounts: String = read_only
                    .split(' ')
                    .map(|dir| format!("mount --bind '{0}' '{0}' && mount -o remount,ro,bind '{0}' || exit 9\n", sandbox.path(dir).display()))
                    .collect();
                // The start of another session, or a prompt, would move the pointer; what is not moved fails nothing.
                let script = format!(
                    "{mounts}exec '{}' {}",
                    hook.program,
                    hook.arguments.join(" ")
                );
                let Some(run) = in_own_mounts(&sandbox, &script) else {
                    return;
                };
                feed(run, Stdin::of(own_event(hook, id))).assert_silent_and_fed(&case);
                let after = snapshot(&sandbox);
                assert_sound(&sandbox, &case);
                if read_only.contains("pointers") {
                    assert_eq!(
                        after["pointers/claude_session_shop"],
                        before["pointers/claude_session_shop"],
                        "{case}"
                    );
                }
                if read_only.contains("state") {
                    let kept = |snapshot: &Snapshot| {
                        snapshot
                            .clone()
                            .into_iter()
                            .filter(|(name, _)| name.starts_with("state/"))
                            .collect::<Snapshot>()
                    };
                    assert_eq!(changes(&kept(&before), &kept(&after)), [""; 0], "{case}");
                } else {
                    let expected = if id == OLD { 2 } else { 1 };
                    assert_eq!(sandbox.journal(id).len(), expected, "{case}");
                }
                let fails = said
                    && (hook.event == "SessionStart"
                        || (hook.event == "UserPromptSubmit" && id == ID));
                let errors = errors(&sandbox);
                assert_eq!(
                    errors
                        .iter()
                        .filter(|error| error.contains("Read-only file system (os error 30)"))
                        .count(),
                    usize::from(fails),
                    "{case}: {errors:?}"
                );
            }
        }
    }
}

/// Runs every hook on a file system of its own, which `fill` has filled, and asserts that what was there stands.
#[track_caller]
fn check_full(options: &str, fill: &str) {
    for hook in HOOKS {
        for id in [OLD, ID] {
            let case = format!("{}: {options}, session {id}", hook.name());
            let sandbox = lived_in();
            let before = snapshot(&sandbox);
            let place = sandbox.path("full");
            fs::create_dir(&place).unwrap();
            // State and pointers move to the small file system, and back after the hook has run three times.
            let script = format!(
                "mount -t tmpfs -o mode=0700,{options} none '{place}' || exit 9
                cp -Rp '{state}' '{pointers}' '{place}' || exit 9
                cd '{place}' && {fill}
                cd '{project}'
                export CCSESSION_STATE_DIR='{place}/state' CCSESSION_POINTER_DIR='{place}/pointers'
                payload=$(cat)
                for n in 1 2 3; do printf %s \"$payload\" | '{program}' {arguments} || exit 8; done
                rm -f '{place}'/filler*
                printf %s \"$payload\" | '{program}' {arguments} || exit 8
                rm -rf '{state}' '{pointers}'
                cp -Rp '{place}/state' '{state}' && cp -Rp '{place}/pointers' '{pointers}' || exit 9",
                place = place.display(),
                state = sandbox.state().display(),
                pointers = sandbox.pointers().display(),
                project = sandbox.project().display(),
                program = hook.program,
                arguments = hook.arguments.join(" "),
            );
            let Some(run) = in_own_mounts(&sandbox, &script) else {
                return;
            };
            let ended = feed(run, Stdin::of(own_event(hook, id)));
            let got = (
                ended.output.status.to_string(),
                text(&ended.output.stdout),
                text(&ended.output.stderr),
            );
            assert_eq!(
                got,
                ("exit status: 0".to_owned(), String::new(), String::new()),
                "{case}"
            );
            let after = snapshot(&sandbox);
            sandbox.assert_no_leftovers();
            let record = format!("state/sessions/{OLD}/session.json");
            assert_eq!(after[&record], before[&record], "{case}");
            let journal = format!("state/sessions/{OLD}/events.jsonl");
            assert!(after[&journal].starts_with(&before[&journal]), "{case}");
            let pointer = &after["pointers/claude_session_shop"];
            let (named, _) = ccsession::model::pointer::decode(pointer).unwrap();
            assert!([OLD, id].contains(&named.as_str()), "{case}: {named}");
            // The last run, with room again, is whole, whatever the three before it left: nothing that is torn is
            // taken for an event, and nothing for another.
            let mut events = sandbox.events(id);
            let read: Vec<String> = events.by_ref().map(|event| event.event).collect();
            assert_eq!(
                read.last().map(String::as_str),
                Some(hook.event),
                "{case}: {read:?}"
            );
            let damage = events.damage();
            assert_eq!(
                damage,
                Damage {
                    torn: damage.torn,
                    ..Damage::default()
                },
                "{case}"
            );
            assert!(
                read.len() as u64 + damage.torn <= 5,
                "{case}: {read:?} {damage:?}"
            );
            sandbox.record(id);
            let owners = sandbox.session(id).join("owners");
            for owner in fs::read_dir(owners).unwrap() {
                let bytes = fs::read(owner.unwrap().path()).unwrap();
                assert!(
                    serde_json::from_slice::<Value>(&bytes).is_ok(),
                    "{case}: {:?}",
                    text(&bytes)
                );
            }
        }
    }
}

#[test]
fn a_full_file_system_loses_nothing_that_was_there() {
    check_full(
        "size=64k,nr_inodes=200",
        "dd if=/dev/zero of=filler bs=4096 2>/dev/null",
    );
}

#[test]
fn a_file_system_without_inodes_loses_nothing_that_was_there() {
    check_full(
        "size=1m,nr_inodes=64",
        "for n in $(seq 200); do true >filler$n; done 2>/dev/null",
    );
}
