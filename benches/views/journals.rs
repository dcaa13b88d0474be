//! Generates a state directory full of invented sessions: the same each time, byte for byte.

use std::fmt::{self, Write};
use std::fs;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use chrono::DateTime;
use serde_json::json;

/// 2026-01-05T08:00:00Z, in microseconds.
const BEGIN: i64 = 1_767_600_000_000_000;
const HOUR: i64 = 3_600_000_000;
/// The tools, the common ones several times.
const TOOLS: [&str; 16] = [
    "Bash",
    "Bash",
    "Bash",
    "Bash",
    "Bash",
    "Read",
    "Read",
    "Read",
    "Read",
    "Edit",
    "Edit",
    "Edit",
    "Grep",
    "Write",
    "Agent",
    "mcp__db__query",
];
/// How many calls a prompt causes.
const CALLS_OF_A_PROMPT: u64 = 25;

/// Sessions and their journals.
pub(crate) struct Journals {
    pub(crate) state: PathBuf,
    ids: Vec<String>,
    first: String,
    events: usize,
    bytes: usize,
}

impl Journals {
    /// Writes `sessions` sessions with `events` events each to the new directory `state`.
    pub(crate) fn write(state: &Path, sessions: usize, events: usize) -> Self {
        make_dir(state);
        make_dir(&state.join("sessions"));
        let mut journals = Self {
            state: state.to_owned(),
            ids: Vec::new(),
            first: String::new(),
            events: 0,
            bytes: 0,
        };
        for number in 0..sessions {
            let mut session = Session::new(number);
            while session.events + 2 < events {
                session.call();
            }
            session.end();
            let dir = state.join("sessions").join(&session.id);
            make_dir(&dir);
            make_dir(&dir.join("owners"));
            put(&dir.join("session.json"), &session.record());
            put(&dir.join("events.jsonl"), &session.text);
            journals.events += session.events;
            journals.bytes += session.text.len();
            if number == 0 {
                journals.first = dir.join("events.jsonl").to_str().unwrap().to_owned();
            }
            journals.ids.push(session.id);
        }
        journals
    }

    pub(crate) fn first_id(&self) -> &str {
        self.ids.first().expect("there is a session")
    }

    pub(crate) fn first_journal(&self) -> &str {
        &self.first
    }

    /// Returns a pattern for all journals, which a shell and DuckDB both understand.
    pub(crate) fn pattern(&self) -> String {
        format!("{}/sessions/*/events.jsonl", self.state.display())
    }
}

impl fmt::Display for Journals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { events, bytes, .. } = self;
        let (sessions, each) = (self.ids.len(), bytes / events);
        write!(
            f,
            "{events} events in {sessions} journals, {bytes} bytes, {each} an event"
        )
    }
}

/// One session while it is generated.
struct Session {
    id: String,
    number: i64,
    random: Random,
    /// The time of the last event, in microseconds since the session's beginning.
    time: i64,
    text: String,
    events: usize,
    calls: u64,
}

impl Session {
    fn new(number: usize) -> Self {
        let mut random = Random(number as u64);
        let id = format!(
            "{:08x}-0000-4000-8000-{:012x}",
            random.below(1 << 32),
            random.below(1 << 48)
        );
        let mut session = Self {
            id,
            number: i64::try_from(number).unwrap(),
            random,
            time: 0,
            text: String::new(),
            events: 0,
            calls: 0,
        };
        session.event("SessionStart", "\"source\":\"startup\"");
        session.event("UserPromptSubmit", "\"input_bytes\":120");
        session
    }

    /// Adds an event. No two events of a session have the same time, so that every reader sees the
    /// same order.
    fn event(&mut self, event: &str, more: &str) {
        self.time += 150 + self.random.below(700).cast_signed();
        let at = BEGIN + self.number * 3 * HOUR + self.time;
        let ts = DateTime::from_timestamp_micros(at).unwrap();
        let (mono, pid, id) = (1_000_000_000 + at - BEGIN, 1000 + self.number, &self.id);
        let ts = ts.format("%Y-%m-%dT%H:%M:%S%.6fZ");
        write!(
            self.text,
            "\n{{\"v\":1,\"ts\":\"{ts}\",\"mono\":{mono},\"event\":\"{event}\",\"session_id\":\"{id}\",\"pid\":{pid},{more}}}\n"
        )
        .unwrap();
        self.events += 1;
    }

    /// Adds a call. One in sixteen fails; one in 256 is interrupted and never comes back.
    fn call(&mut self) {
        let tool = TOOLS.get(self.random.below(16) as usize).unwrap();
        let size = self.random.below(900);
        let call = format!(
            "\"tool\":\"{tool}\",\"tool_use_id\":\"toolu_01{:022x}\"",
            self.random.below(1 << 63)
        );
        self.event("PreToolUse", &format!("{call},\"input_bytes\":{size}"));
        let magnitude = 2 + self.random.below(13);
        let duration = (1 << magnitude) + self.random.below(1 << magnitude);
        self.time += (duration * 1000).cast_signed() + 3000 + self.random.below(6000).cast_signed();
        let output = self.random.below(20_000);
        match self.random.below(256) {
            0 => {}
            1..17 => self.event(
                "PostToolUseFailure",
                &format!("{call},\"ok\":false,\"error\":\"exit:1\",\"duration_ms\":{duration}"),
            ),
            _ => self.event(
                "PostToolUse",
                &format!("{call},\"ok\":true,\"duration_ms\":{duration},\"output_bytes\":{output}"),
            ),
        }
        self.calls += 1;
        if self.calls.is_multiple_of(CALLS_OF_A_PROMPT) {
            self.event("Stop", "\"input_bytes\":0");
            self.time += 1_000_000 + self.random.below(100_000_000).cast_signed();
            self.event("UserPromptSubmit", "\"input_bytes\":120");
        }
    }

    fn end(&mut self) {
        self.event("Stop", "\"input_bytes\":0");
        self.event("SessionEnd", "\"reason\":\"prompt_input_exit\"");
    }

    fn record(&self) -> String {
        let started = DateTime::from_timestamp_micros(BEGIN + self.number * 3 * HOUR).unwrap();
        let started = started.format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string();
        let root = format!("/home/dev/shop{}", self.number % 7);
        json!({
            "v": 1, "session_id": self.id, "project": {"name": "shop", "root": root}, "cwd": root,
            "source": "startup", "started_at": started,
        })
        .to_string()
    }
}

/// SplitMix64: gives the same numbers on every machine.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (bits ^ (bits >> 31)) % bound
    }
}

fn make_dir(path: &Path) {
    fs::DirBuilder::new().mode(0o700).create(path).unwrap();
}

fn put(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}
