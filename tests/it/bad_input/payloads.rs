//! Payloads that name no session, or have something else wrong with them: each is counted or recorded correctly, and once.

use std::fs;

use ccsession::store::journal::Damage;
use serde_json::{Value, json};

use super::{HOOKS, call, errors, journaled, last_line, rows, sessions, take};
use crate::support::files::{changes, snapshot};
use crate::support::states::{OLD, assert_sound, lived_in, make_state};
use crate::support::torture::{in_parallel, is_torture};
use crate::support::{ID, Sandbox, event, json_lines, payload, text};

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
fn a_payload_without_a_session_is_counted_and_changes_nothing_else() {
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
    let mut done = 0;
    // Some payloads are megabytes, and this crate is not optimised.
    for at in memchr::memmem::find_iter(payload, OWN) {
        bytes.extend_from_slice(&payload[done..at]);
        bytes.extend_from_slice(id.as_bytes());
        done = at + OWN.len();
    }
    bytes.extend_from_slice(&payload[done..]);
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
fn a_payload_with_a_session_is_recorded_once_whatever_else_is_wrong() {
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
