//! How much of an event is recorded, and that no secret is: known keys in every text of every recorded payload, at every
//! level.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use ccsession::model::Capture;
use ccsession::model::redact::{Redactor, redact};
use serde_json::{Value, json};

use crate::support::canaries::{canaries, fill};
use crate::support::torture::{ATTEMPTS, by_form};
use crate::support::transcripts::copy_tree;
use crate::support::within::Within;
use crate::support::{ID, Sandbox, data, event, json_lines, payload, walk};

const LEVELS: [Capture; 3] = [Capture::Metadata, Capture::Summary, Capture::Full];

/// Puts `text` into every member of `value` that holds what somebody said.
fn plant(value: &mut Value, name: &str, text: &str) {
    const IDS: [&str; 6] = [
        "agentId",
        "backgroundTaskId",
        "tool_name",
        "tool_use_id",
        "agentType",
        "type",
    ];
    match value {
        Value::String(said) if !IDS.contains(&name) => *said = format!("{said} {text}"),
        Value::Array(values) => values.iter_mut().for_each(|value| plant(value, name, text)),
        Value::Object(members) => members
            .iter_mut()
            .for_each(|(name, value)| plant(value, name, text)),
        _ => {}
    }
}

/// The payload with `text` in all that a person, a model or a tool can say in it.
fn planted(mut payload: Value, text: &str) -> Value {
    const SAID: [&str; 13] = [
        "prompt",
        "tool_input",
        "tool_response",
        "tool_calls",
        "error",
        "last_assistant_message",
        "compact_summary",
        "session_title",
        "description",
        "message",
        "command_args",
        "custom_instructions",
        "title",
    ];
    let members = payload.as_object_mut().unwrap();
    members.insert("session_title".to_owned(), "A title".into());
    for (name, value) in members {
        if SAID.contains(&name.as_str()) {
            plant(value, name, text);
        }
    }
    payload
}

/// What stands in the sandbox's files, all of it.
fn recorded(sandbox: &Sandbox) -> String {
    let files = sandbox.files();
    let read = |file: &String| fs::read_to_string(sandbox.path(file)).unwrap();
    files.iter().map(read).collect()
}

#[test]
fn no_secret_in_any_text_of_any_payload_is_recorded_at_any_level() {
    let canaries = canaries();
    assert!(canaries.len() >= 60);
    let text: String = canaries.iter().fold(String::new(), |mut all, (text, _)| {
        write!(all, "then {text}\nand ").unwrap();
        all
    });
    let mut events = 0;
    for entry in fs::read_dir(data("payloads/events")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let name = name.strip_suffix(".json").unwrap();
        let payload = planted(payload(name), &text);
        for level in LEVELS {
            let sandbox = Sandbox::just_swept();
            if level == Capture::Full {
                let hook = sandbox.hook(&payload);
                hook.env("CCSESSION_CAPTURE", "full").silent();
            } else {
                Within::new(&sandbox).capture(level).feed(&payload);
            }
            let recorded = recorded(&sandbox);
            for (text, secret) in &canaries {
                assert!(!recorded.contains(secret), "{name} at {level:?}: {text}");
            }
            assert_eq!(
                recorded.contains("[redacted:jwt]"),
                level == Capture::Full && has_bodies(&payload),
                "{name} at {level:?}"
            );
            events += 1;
        }
    }
    assert!(events >= 3 * 49, "{events}");
}

fn has_bodies(payload: &Value) -> bool {
    let is = |event: &str| payload["hook_event_name"] == event;
    let has = |name: &str| payload.get(name).is_some();
    !is("MessageDisplay")
        && (has("prompt")
            || has("last_assistant_message")
            || payload["tool_input"]
                .as_object()
                .is_some_and(|input| !input.is_empty())
            || is("PostToolUseFailure"))
}

/// Members that lead to files, or that a session is known by: they stay as they are.
const LOOKED_UP: [&str; 5] = ["session_id", "cwd", "transcript_path", "old_cwd", "new_cwd"];

/// Replaces every string of `value` but those behind the names `kept` by what `next` says.
fn replace_strings(value: &mut Value, name: &str, kept: &[&str], next: &mut dyn FnMut() -> String) {
    match value {
        Value::String(text) if !kept.contains(&name) => *text = next(),
        Value::Array(values) => values
            .iter_mut()
            .for_each(|value| replace_strings(value, name, kept, next)),
        Value::Object(members) => members
            .iter_mut()
            .for_each(|(name, value)| replace_strings(value, name, kept, next)),
        _ => {}
    }
}

/// The payload with a canary in the place of every string, each time another from `first` on, alone or behind a word.
fn full_of_canaries(
    payload: &Value,
    canaries: &[(String, String)],
    first: usize,
    keeps_event: bool,
) -> Value {
    let mut all = payload.clone();
    let members = all.as_object_mut().unwrap();
    for name in ["session_title", "source", "reason", "model", "task_id"] {
        members.insert(name.to_owned(), "any".into());
    }
    let mut kept = LOOKED_UP.to_vec();
    kept.extend(keeps_event.then_some("hook_event_name"));
    let mut next = first;
    replace_strings(&mut all, "", &kept, &mut || {
        let (text, _) = &canaries[next % canaries.len()];
        next += 1;
        match first.is_multiple_of(3) {
            true => format!("a {text}"),
            false => text.clone(),
        }
    });
    all
}

#[test]
fn no_secret_in_any_word_of_any_payload_is_recorded_at_any_level() {
    let canaries = canaries();
    for (seed, entry) in fs::read_dir(data("payloads/events")).unwrap().enumerate() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let payload = payload(name.strip_suffix(".json").unwrap());
        for (at, level) in LEVELS.into_iter().enumerate() {
            let sandbox = Sandbox::just_swept();
            let hook = Within::new(&sandbox).capture(level);
            for turn in 0..8 {
                let first = seed * 5 + at + turn * canaries.len() / 8;
                let mut payload = full_of_canaries(&payload, &canaries, first, turn % 4 != 3);
                payload["session_id"] = format!("s-{turn}").into();
                hook.feed(&payload);
            }
            let recorded = recorded(&sandbox);
            for (text, secret) in &canaries {
                assert!(!recorded.contains(secret), "{name} at {level:?}: {text}");
            }
        }
    }
}

#[test]
fn every_word_of_an_event_and_of_a_record_is_redacted_and_counted() {
    let key = |seed| {
        format!(
            "ghp_{}",
            fill("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdef0123456789", 36, seed)
        )
    };
    let sandbox = Sandbox::just_swept();
    let hook = |name: &str, more: Value| {
        sandbox.hook(&event(name, ID, more)).silent();
        sandbox.journal(ID).pop().unwrap()
    };
    let start = hook(
        "SessionStart",
        json!({"source": key(1), "model": key(2), "agent_type": key(3), "session_title": key(4)}),
    );
    let mark = "[redacted:github]";
    for word in ["source", "model", "agent_type"] {
        assert_eq!(
            (&start[word], &sandbox.record(ID)[word]),
            (&mark.into(), &mark.into())
        );
    }
    assert_eq!(sandbox.record(ID)["name"], mark);
    assert_eq!(start["redacted"], json!({"github": 3}));
    let batch = hook(
        "PostToolBatch",
        json!({"agent_id": key(5), "tool_calls": [{"tool_name": key(6), "tool_use_id": key(7)}, {"tool_name": "Read"}]}),
    );
    assert_eq!(
        batch["calls"],
        json!([{"tool": mark, "tool_use_id": mark}, {"tool": "Read", "tool_use_id": null}])
    );
    assert_eq!(batch["redacted"], json!({"github": 3}));
    let aws = format!("AKIA{}", fill("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 16, 1));
    let other = hook(&aws, json!({"trigger": format!("by {}", key(8))}));
    assert_eq!(
        (&other["event"], &other["trigger"]),
        (&"[redacted:aws]".into(), &format!("by {mark}").into())
    );
}

#[test]
fn no_secret_in_any_word_of_a_transcript_is_imported() {
    const KEPT: [&str; 9] = [
        "type",
        "subtype",
        "role",
        "uuid",
        "parentUuid",
        "sessionId",
        "timestamp",
        "cwd",
        "stop_reason",
    ];
    for (at, (text, secret)) in canaries().into_iter().enumerate() {
        let sandbox = Sandbox::just_swept();
        let projects = sandbox.home().join(".claude/projects");
        let run = ["a", "c"][at % 2];
        copy_tree(&data(&format!("payloads/transcripts/{run}")), &projects);
        walk(&projects, &mut |path| {
            let mut lines = json_lines(path);
            let of = lines[0].clone();
            lines.extend(["custom-title", "agent-setting"].map(|kind| {
                json!({"type": kind, "customTitle": "x", "agentSetting": "x", "sessionId": of["sessionId"],
                    "timestamp": of["timestamp"]})
            }));
            let mut clean = String::new();
            for line in &mut lines {
                replace_strings(line, "", &KEPT, &mut || text.clone());
                writeln!(clean, "{line}").unwrap();
            }
            fs::write(path, clean).unwrap();
        });
        let said = sandbox.ccsession(["import"]).stdout();
        assert!(said.starts_with("imported 1 session"), "{said}");
        let recorded = recorded(&sandbox);
        assert!(!recorded.contains(&secret), "{text}");
        assert!(recorded.contains("[redacted:"), "{text}");
        let again = sandbox.ccsession(["import"]).stdout();
        assert!(again.starts_with("imported 0 sessions"), "{text}: {again}");
    }
}

#[test]
fn each_secret_alone_is_recorded_nowhere() {
    let sandbox = Sandbox::just_swept();
    let canaries = canaries();
    let hook = Within::new(&sandbox).capture(Capture::Full);
    for (text, _) in &canaries {
        let call = event(
            "PostToolUse",
            ID,
            json!({"tool_name": "Bash", "tool_input": {"command": text, "description": text}, "tool_response": text}),
        );
        hook.feed(&call);
        let prompt = event(
            "UserPromptSubmit",
            ID,
            json!({"prompt": text, "session_title": text}),
        );
        hook.feed(&prompt);
        let failure = event("StopFailure", ID, json!({"error": text}));
        hook.feed(&failure);
    }
    let recorded = recorded(&sandbox);
    for (text, secret) in &canaries {
        assert!(!recorded.contains(secret), "{text}");
    }
    for line in sandbox.journal(ID) {
        let counts = line
            .get("redacted")
            .map(|counts| counts.as_object().unwrap().len());
        assert_eq!(
            counts,
            (line["event"] != "StopFailure").then_some(1),
            "{line}"
        );
    }
}

#[test]
fn half_of_a_secret_at_the_bound_is_not_recorded() {
    let sandbox = Sandbox::just_swept();
    let bound = 64 * 1024;
    let secret = fill("ABCDEFGHJKMNPQRSTUVWXYZ23456789", 40, 3);
    for (before, length) in [
        ("ghp_", 44),
        ("PASSWORD=", 49),
        ("postgres://bob:", 56),
        ("Bearer ", 47),
    ] {
        for left in (1..length + 8).step_by(5) {
            let text = format!(
                "{}{before}{secret}@host and more",
                "a ".repeat(bound / 2 - left / 2 - 8)
            );
            let call = event(
                "PostToolUse",
                ID,
                json!({"tool_response": {"stdout": text, "stderr": "x"}}),
            );
            sandbox
                .hook(&call)
                .env("CCSESSION_CAPTURE", "full")
                .silent();
        }
    }
    let part = &secret[..4];
    for line in sandbox.journal(ID) {
        assert_eq!(line["cut"], json!(["output"]));
        assert!(
            !line.to_string().contains(part),
            "{}",
            &line.to_string()[bound - 200..]
        );
    }
}

#[test]
fn at_level_full_what_was_said_is_in_the_journal() {
    let sandbox = Sandbox::just_swept();
    let hook = |payload: &Value| {
        sandbox
            .hook(payload)
            .env("CCSESSION_CAPTURE", "full")
            .silent();
        sandbox
            .journal(payload["session_id"].as_str().unwrap())
            .pop()
            .unwrap()
    };
    let call = payload("PostToolUse-Edit");
    let line = hook(&call);
    assert_eq!(
        (&line["input"], &line["output"]),
        (&call["tool_input"], &call["tool_response"])
    );
    assert_eq!((line.get("cut"), line.get("redacted")), (None, None));

    let failure = hook(&payload("PostToolUseFailure-Bash"));
    assert_eq!(failure["error"], "exit:3");
    assert_eq!(failure["error_text"], "Exit code 3\nto-out\nto-err");

    let prompt = hook(&event(
        "UserPromptSubmit",
        ID,
        json!({"prompt": "Use PASSWORD=hunter2 and \u{1f600}"}),
    ));
    assert_eq!(
        prompt["prompt"],
        "Use PASSWORD=[redacted:named-secret] and \u{1f600}"
    );
    assert_eq!(
        prompt["what"],
        "Use PASSWORD=[redacted:named-secret] and \u{1f600}"
    );
    assert_eq!(prompt["redacted"], json!({"named-secret": 2}));
    let stop = payload("Stop");
    assert_eq!(hook(&stop)["message"], stop["last_assistant_message"]);

    sandbox.hook(&call).silent();
    let line = sandbox
        .journal(call["session_id"].as_str().unwrap())
        .pop()
        .unwrap();
    assert_eq!((line.get("input"), line.get("output")), (None, None));
}

#[test]
fn a_huge_output_is_cut_and_the_line_stays_one_object() {
    let sandbox = Sandbox::just_swept();
    let output = json!({"lines": vec!["PASSWORD=abc \"quoted\" \\ größe"; 100_000], "last": 1});
    let input = json!({"content": "x".repeat(1 << 20), "file_path": "/home/dev/shop/a"});
    let call = event(
        "PostToolUse",
        ID,
        json!({"tool_input": input, "tool_response": output, "duration_ms": 5, "prompt": "p ".repeat(1 << 20),
            "last_assistant_message": "m ".repeat(1 << 20)}),
    );
    // A hook that gets no processor stops reading at its deadline: then it is tried again.
    let read_to_its_end = || {
        sandbox
            .hook(&call)
            .env("CCSESSION_CAPTURE", "full")
            .silent();
        let line = sandbox.journal(ID).pop().unwrap();
        line.get("incomplete").is_none().then_some(line)
    };
    let line = (0..ATTEMPTS).find_map(|_| read_to_its_end());
    let line = line.expect("the hook never reads to the end");
    let journal = sandbox.session(ID).join("events.jsonl");
    assert_eq!(line["cut"], json!(["input", "output", "prompt", "message"]));
    assert_eq!(line["duration_ms"], 5);
    assert!(line["output"]["lines"].as_array().unwrap().len() > 1000);
    let text = fs::read_to_string(journal).unwrap();
    let bytes = text.lines().last().unwrap().len();
    assert!((120 << 10..130 << 10).contains(&bytes), "{bytes}");
}

/// Texts as sessions are full of them, and none of them a secret.
fn ordinary_text() -> String {
    let hex = "0123456789abcdef";
    let base64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let alnum = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let mut text = String::new();
    let mut state = 1u64;
    let mut random = |alphabet: &str, length: usize| -> String {
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 33) as usize
        };
        let characters = alphabet.as_bytes();
        (0..length)
            .map(|_| characters[next() % characters.len()] as char)
            .collect()
    };
    while text.len() < by_form(3 << 20, 10 << 20) {
        let uuid = [8, 4, 4, 4, 12].map(|length| random(hex, length)).join("-");
        let (sha1, sha256) = (random(hex, 40), random(hex, 64));
        let (integrity, signature) = (random(base64, 86), random(base64, 700));
        let (image, id) = (random(base64, 4000), random(alnum, 24));
        write!(
            text,
            r#"The author of the keyboard driver asked its secretary for a token of thanks; the password reset page works.
{{"uuid":"{uuid}","parentUuid":null,"sessionId":"{uuid}","requestId":"req_01{id}","timestamp":"2026-11-20T16:10:34.383Z"}}
{{"type":"tool_use","id":"toolu_01{id}","name":"Bash","input":{{"command":"git show {sha1} --stat | head -n 20"}}}}
{{"id":"msg_01{id}","usage":{{"input_tokens":1050,"output_tokens":50,"max_tokens":4096}},"signature":"{signature}=="}}
commit {sha1}
Author: Dev <dev@example.com> https://github.com/dev/shop/compare/{sha1}...main?expand=1&page=2#diff-{sha256}
    "integrity": "sha512-{integrity}==", "resolved": "https://registry.npmjs.org/@scope/name/-/name-1.2.3.tgz",
 checksum = "{sha256}"   # sha256:{sha256} image@sha256:{sha256}
pub fn login(user: &str, password: &str, token: Option<Token>) -> Result<Session, AuthError> {{
    let token = self.tokens.next().ok_or_else(|| Error::missing("token"))?; let secret = Secret::from(key);
    if password.is_empty() || token == Token::None {{ return Err(AuthError::Password); }}
def connect(host, user, password=None, *, auth=None, token=token, secret=settings.secret): ...
interface Login {{ user: string; password: string; apiKey?: string | null; onToken: (token: string) => void }}
!function(e,t){{var n=e.token,r=t.password;n=r?i(n):o;return n.map((e=>e.auth)),{{token:n,auth:r}}}}(window,document);
pub log_passwd: __u32, pub pw_passwd: *mut c_char, AccessToken: WBEM_128BITS, pub const MAX_PASSWORD: u32 = 256u32;
const AUTH_SHARED_KEY: DOT11_AUTH_ALGORITHM = DOT11_AUTH_ALGO_SHARED_KEY; Token: '#f8f8f2', TYPE_PASS = 0x100,
{{"input_token": "Marker", "output_token": "EngineDefaults.Marker"}} print("Token: " + repr(token), password=password_bytes)
  password: ${{DB_PASSWORD}}
  token: {{{{ .Values.token }}}}
export API_KEY="$(pass show api)" PASSWORD=$PASSWORD TOKEN=<your token> PWD=/home/dev/shop
curl -H "Authorization: Bearer $TOKEN" http://localhost:8080/health?v=1.2.3&t=12:30
<img src="data:image/png;base64,{image}">
  12→    let map = HashMap::new(); // task-list, disk-usage-0123456789abcdef, risk-{sha1}
-rw-r--r-- 1 dev dev 4096 Nov 20 16:21 /home/dev/shop/src/auth/token_store.rs:120:9: warning: unused `secret`
"#
        )
        .unwrap();
    }
    text
}

#[test]
fn megabytes_of_ordinary_text_are_changed_nowhere() {
    let text = ordinary_text();
    for line in text.lines() {
        let clean = redact(line);
        assert!(matches!(clean, Cow::Borrowed(_)), "{line}\n -> {clean}");
    }
    assert!(matches!(redact(&text), Cow::Borrowed(_)));
}

#[test]
fn real_transcripts_and_payloads_are_changed_nowhere() {
    let mut lines = 0;
    each_line(&data("payloads"), &mut |line| {
        lines += 1;
        for redact in [Redactor::transcript_line, Redactor::json, Redactor::text] {
            let mut redactor = Redactor::default();
            let clean = redact(&mut redactor, line);
            assert!(matches!(clean, Cow::Borrowed(_)), "{line}\n -> {clean}");
        }
    });
    assert!(lines > 500, "{lines}");
}

fn each_line(dir: &Path, visit: &mut dyn FnMut(&str)) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            each_line(&path, visit);
        } else {
            fs::read_to_string(&path)
                .unwrap()
                .lines()
                .for_each(&mut *visit);
        }
    }
}

#[test]
fn secrets_in_a_transcript_are_redacted_and_the_rest_of_the_line_stays() {
    let canaries = canaries();
    let mut changed = 0;
    each_line(&data("payloads/transcripts"), &mut |line| {
        let mut before: Value = serde_json::from_str(line).unwrap();
        let Some(content) = before.pointer_mut("/message/content") else {
            return;
        };
        let (text, secret) = &canaries[changed % canaries.len()];
        plant(content, "content", text);
        if serde_json::from_str::<Value>(line).unwrap() == before {
            return;
        }
        let clean = Redactor::default()
            .transcript_line(&before.to_string())
            .into_owned();
        let after: Value = serde_json::from_str(&clean).unwrap();
        assert!(!clean.contains(secret), "{text}: {clean}");
        assert_eq!(after["uuid"], before["uuid"]);
        changed += 1;
    });
    assert!(changed > 30, "{changed}");
}
