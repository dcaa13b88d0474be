//! What each reader of the project must guarantee for any bytes. A target of `fuzz/` calls one of these checks endlessly;
//! `cargo test` calls each with mutations of a few seeds.
//!
//! A check panics if something is wrong.

use std::borrow::Cow;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::sync::OnceLock;

use ccsession::claude::transcript::line::{Message, blocks, text_of};
use ccsession::claude::transcript::records;
use ccsession::claude::transcript::said::SpokenRecord;
use ccsession::model::activity::OpenActivity;
use ccsession::model::archive::{Manifest, Stem};
use ccsession::model::config::{ConfigKey, duration};
use ccsession::model::line::JournalLine;
use ccsession::model::pointer::{self, PointerTime};
use ccsession::model::purpose::{focus_of_branch, said as said_of};
use ccsession::model::redact::{Redactor, redact};
use ccsession::model::text::{escaped, one_line, without_last_word, without_lone_surrogates};
use ccsession::model::trace::TraceBuilder;
use ccsession::model::{Config, Event, Owner, ProjectName, Record, SessionId};
use ccsession::setup::edit::{self, HookEntry, Uninstalled};
use ccsession::store::{Places, config as stored};
use serde_json::Value;

/// A file of journal lines: each is read or named as damaged, what is read is written as it was, the fast reader and the
/// thorough one agree, and any order of events folds into calls.
pub(crate) fn journal_line(data: &[u8]) {
    let mut trace = TraceBuilder::default();
    for line in data.split(|&byte| byte == b'\n') {
        let decoded = Event::decode(line);
        let mut is_read = false;
        let fast = JournalLine::read(line, |line| {
            is_read = true;
            trace.push(line);
        });
        assert_eq!(decoded.is_ok(), fast.is_ok());
        assert_eq!(decoded.is_ok(), is_read);
        let Ok(mut event) = decoded else { continue };
        let written = event.encode();
        assert!(!written.contains(&b'\n'));
        if !has_float(line) {
            assert_eq!(Event::decode(&written).as_ref(), Ok(&event));
        }
        event.redact_words();
        let once = event.encode();
        event.redact_words();
        assert_eq!(event.encode(), once);
    }
    let trace = trace.finish();
    let open = OpenActivity::of(&trace).open_calls().count();
    assert!(open <= trace.steps().len() * 2 + 1024);
}

/// A number with a fraction, or one too large for 64 bits, is read as the nearest one, and may be written as another.
fn has_float(json: &[u8]) -> bool {
    fn is_in(value: &Value) -> bool {
        match value {
            Value::Number(number) => number.is_f64(),
            Value::Array(items) => items.iter().any(is_in),
            Value::Object(members) => members.values().any(is_in),
            _ => false,
        }
    }
    serde_json::from_slice(json).is_ok_and(|value| is_in(&value))
}

/// A record, an owner and a manifest: what can be read is written as it was, and its names are safe.
pub(crate) fn record(data: &[u8]) {
    if let Ok(mut record) = Record::decode(data) {
        let again = Record::decode(&record.encode()).expect("what is written can be read");
        if !has_float(data) {
            assert_eq!(again, record);
        }
        let _ = (record.project.root(), record.scope().cwd);
        record.redact_words();
        let once = record.clone();
        record.redact_words();
        assert_eq!(record, once);
    }
    if let Some(owner) = Owner::decode(data) {
        assert_eq!(Owner::decode(&owner.encode()), Some(owner.clone()));
        let name = owner.file_name();
        let named = Owner::of_file_name(OsStr::new(&name));
        assert_eq!(named, Some((owner.pid, owner.start)));
    }
    if let Ok(manifest) = Manifest::decode(data) {
        let again = Manifest::decode(&manifest.encode()).expect("what is written can be read");
        if !has_float(data) {
            assert_eq!(again, manifest);
        }
    }
}

/// A pointer: an id that is read is one, and is written as it was.
pub(crate) fn pointer(data: &[u8]) {
    let Ok((id, written)) = pointer::decode(data) else {
        return;
    };
    assert!(SessionId::is_valid_text(id.as_str()));
    if let PointerTime::Civil(at) = written {
        let text = pointer::encode(&id, at);
        let (again, time) = pointer::decode(text.as_bytes()).expect("what is written can be read");
        assert_eq!(again, id);
        assert!(matches!(time, PointerTime::Civil(_)));
    }
}

trait Valid {
    fn is_valid_text(text: &str) -> bool;
}

impl Valid for SessionId {
    fn is_valid_text(text: &str) -> bool {
        let mut bytes = text.bytes();
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        bytes
            .next()
            .is_some_and(|first| first.is_ascii_alphanumeric())
            && bytes.all(plain)
            && text.len() <= 128
    }
}

/// A line of a transcript: all its parts together are the line, whole records are found whatever stands around them, and
/// what is kept of it is JSON again.
pub(crate) fn transcript_line(data: &[u8]) {
    let mut found = 0;
    let damaged = records::read(data, |line| {
        found += 1;
        let _ = (line.at(), text_of(line.content));
        if let Some(message) = line.message.get::<Message<'_>>() {
            let _ = (blocks(message.content).len(), text_of(message.content));
        }
    });
    let text = String::from_utf8_lossy(data);
    let parts = records::split(&text);
    let whole: String = parts
        .iter()
        .map(|part| match part {
            records::RecordPart::Record(text) | records::RecordPart::Rest(text) => *text,
        })
        .collect();
    assert_eq!(whole, text);
    assert!(damaged <= parts.len() as u64 + 1);
    let _ = records::read_as(data, |json| {
        if let Ok(record) = serde_json::from_str::<SpokenRecord<'_>>(json) {
            let _ = (record.said().len(), record.queued(), record.parent());
        }
        let mended = without_lone_surrogates(json);
        assert_eq!(mended.len(), json.len());
        true
    });
}

/// The text of a settings file: an installation that is not refused adds what is wanted and can be taken back, byte for
/// byte, and both say the same when they are asked again.
pub(crate) fn settings(data: &[u8]) {
    const OURS: &str = "/opt/ccsession/libexec/";
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let owned = |command: &str| command.starts_with(OURS);
    let wanted: Vec<HookEntry<'_>> = ["SessionStart", "PreToolUse", "Stop"]
        .into_iter()
        .map(|event| HookEntry {
            event,
            command: format!("{OURS}session-event"),
            exec_form: true,
            timeout: 5,
        })
        .collect();
    let before = edit::registered(text, owned);
    let installed = match edit::install(Some(text), &wanted, None, owned) {
        Ok(installed) => installed,
        Err(refusal) => {
            let _ = (refusal.to_string(), refusal.remedy());
            return;
        }
    };
    let registered = edit::registered(&installed.text, owned).expect("what is written can be read");
    assert_eq!(registered.len(), wanted.len());
    let again = edit::install(Some(&installed.text), &wanted, Some(&installed.undo), owned)
        .expect("what is written can be read");
    assert!(!again.changed);
    assert_eq!(again.text, installed.text);
    // What was ours before goes, too: only then the file of before is not what is left.
    let had_ours = before.is_ok_and(|before| !before.is_empty());
    let left = edit::uninstall(&installed.text, Some(&installed.undo), owned)
        .expect("what is written can be read");
    match left {
        Uninstalled::Unchanged => assert_eq!(installed.text, text),
        Uninstalled::Text(after) => {
            if !had_ours {
                assert_eq!(after, text);
            }
            assert!(edit::registered(&after, owned).is_ok_and(|left| left.is_empty()));
        }
        Uninstalled::Delete => assert!(text.trim().is_empty() || had_ours),
    }
}

/// Names from outside: each becomes one safe path component, or one safe line.
pub(crate) fn names(data: &[u8]) {
    let name = ProjectName::new(OsString::from_vec(data.to_vec()));
    let component = name.component();
    let bytes = component.as_bytes();
    assert!(!matches!(bytes, b"" | b"." | b"..") && bytes.len() <= 240);
    assert!(
        !bytes
            .iter()
            .any(|&byte| byte == b'/' || byte.is_ascii_control())
    );
    let text = String::from_utf8_lossy(data);
    if let Ok(id) = text.parse::<SessionId>() {
        assert!(SessionId::is_valid_text(id.as_str()));
    }
    let id: SessionId = "s-1".parse().expect("it is an id");
    let day = chrono::NaiveDate::from_ymd_opt(2026, 11, 20).expect("it is a day");
    let stem = Stem::new(day, Some(&text), &id);
    let manifest = stem.manifest();
    assert!(manifest.len() < 255 && !manifest.contains('/'));
    assert_eq!(Stem::of_manifest(&manifest), Some(stem));
    for safe in [
        Some(one_line(&text, 120)),
        focus_of_branch(&text),
        said_of(&text),
    ]
    .into_iter()
    .flatten()
    {
        assert!(safe.chars().count() <= 120 && !safe.chars().any(char::is_control));
        assert_eq!(one_line(&safe, 120), safe);
    }
    assert!(!escaped(&text).chars().any(char::is_control));
    assert!(text.starts_with(without_last_word(&text)));
}

/// What a text for the redactor is made of: one byte is one of these, so that neighbours of all kinds come about.
const TOKENS: [&str; 96] = [
    " ",
    "\n",
    "\t",
    "=",
    ":",
    ":=",
    "=>",
    "\"",
    "'",
    "`",
    "{",
    "}",
    "[",
    "]",
    "(",
    ")",
    ",",
    ";",
    "/",
    "\\",
    "\\n",
    "\\\"",
    "@",
    "#",
    "&",
    "?",
    "|",
    "<",
    ">",
    "$",
    "%",
    "-",
    "--",
    "_",
    ".",
    "..",
    "a",
    "x9",
    "0",
    "7",
    "deadbeef",
    "Z2hwXzEyMzQ1Njc4OTA",
    "hunter2hunter2",
    "correct-horse",
    "[redacted:",
    "[redacted:named-secret]",
    "redacted",
    "password",
    "PASSWORD",
    "passwd",
    "pwd",
    "secret",
    "token",
    "Token",
    "api_key",
    "API-KEY",
    "apikey",
    "Authorization",
    "Bearer",
    "Basic",
    "Cookie",
    "cookie: a=",
    "Set-Cookie",
    "curl -u ",
    "sshpass -p",
    "mysql -p",
    "IDENTIFIED BY",
    "AWS_SECRET_ACCESS_KEY",
    "AKIAIOSFODNN7EXAMPLE",
    "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
    "sk-ant-api03-",
    "sk_live_",
    "xoxb-",
    "AIza",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIx.c2ln",
    "glpat-",
    "-----BEGIN PRIVATE KEY-----",
    "-----END PRIVATE KEY-----",
    "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC",
    "https://",
    "postgres://bob:",
    "://",
    "user:pw@host",
    "-us1",
    "export ",
    "null",
    "true",
    "None",
    "process.env.",
    "os.environ",
    "client-key-data",
    "LS0tLS1CRUdJTi",
    "é",
    "日本",
    "\u{200b}",
    "\0",
];

/// Texts by the grammar of [`TOKENS`]: what the redactor returns it would return unchanged, as text, as JSON and as a line
/// of a transcript; JSON stays JSON.
pub(crate) fn redactor(data: &[u8]) {
    let text: String = data
        .iter()
        .map(|&byte| TOKENS[usize::from(byte) % TOKENS.len()])
        .collect();
    let clean = redact(&text);
    assert_eq!(redact(&clean), clean);
    let json = serde_json::json!({"message": {"content": text}, "password": text, "n": [text, 1]})
        .to_string();
    let clean: Cow<'_, str> = Redactor::default().json(&json);
    assert!(serde_json::from_str::<Value>(&clean).is_ok());
    assert_eq!(Redactor::default().json(&clean), clean);
    let line: Cow<'_, str> = Redactor::default().transcript_line(&json);
    assert_eq!(Redactor::default().transcript_line(&line), line);
    let mut word = text;
    Redactor::default().word(&mut word);
    let once = word.clone();
    Redactor::default().word(&mut word);
    assert_eq!(word, once);
}

/// A configuration: any file is read or complained of, a value that is taken is one that can be said again, and where it
/// cannot be told what was to be captured, it is the least.
pub(crate) fn config(data: &[u8]) {
    static DIR: OnceLock<tempfile::TempDir> = OnceLock::new();
    let text = String::from_utf8_lossy(data);
    let _ = duration(&text);
    let mut config = Config::default();
    for key in ConfigKey::ALL {
        let is_taken = config.set(key, &text).is_ok();
        let value = config.get(key);
        if is_taken {
            config.set(key, &value).expect("what is said can be set");
            assert_eq!(config.get(key), value);
        }
        let _ = config.set_inherited(key, &text);
    }
    // A file is slow beside the rest.
    if data.first().is_some_and(|first| first % 8 != 0) {
        return;
    }
    let dir = DIR.get_or_init(|| {
        tempfile::tempdir_in("/dev/shm")
            .or_else(|_| tempfile::tempdir())
            .expect("a directory")
    });
    let path = dir.path().join("config.toml");
    let _ = fs::remove_file(&path);
    fs::write(&path, data).expect("a file");
    let places = Places {
        state: None,
        pointers: dir.path().to_owned(),
        config: Some(path),
    };
    let loaded = stored::load(&places);
    let is_file_bad = loaded
        .complaints
        .iter()
        .any(stored::Complaint::is_about_capture);
    if is_file_bad {
        assert_eq!(loaded.config.get(ConfigKey::Capture), "metadata");
    }
    for complaint in &loaded.complaints {
        assert!(!complaint.to_string().is_empty());
    }
}
