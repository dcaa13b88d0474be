//! One journal line as a reader of a million needs it: borrowed from the bytes, and read without building a tree.
//!
//! The lines that this program writes are flat and nearly always free of escapes. Those are read here, member by member.
//! Anything else, damage included, is left to [`Event::decode`], so that both readers agree on what is an event.

use std::borrow::Cow;

use super::event::{BadLine, BatchCall, Event, VERSION, name};
use super::id;
use super::time::Timestamp;

/// What kind of event a line is of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "each is Claude Code's event of that name")]
pub enum Kind {
    SessionStart,
    RunStart,
    UserPromptSubmit,
    PreCompact,
    SubagentStart,
    PreToolUse,
    PermissionRequest,
    PermissionDenied,
    PostToolUse,
    PostToolUseFailure,
    PostToolBatch,
    SubagentStop,
    PostCompact,
    StopFailure,
    Stop,
    SessionEnd,
    RunEnd,
    /// An event that calls and turns do not depend on.
    #[default]
    Other,
}

impl From<&str> for Kind {
    fn from(event: &str) -> Self {
        match event {
            name::PRE_TOOL_USE => Self::PreToolUse,
            name::POST_TOOL_USE => Self::PostToolUse,
            name::POST_TOOL_BATCH => Self::PostToolBatch,
            name::POST_TOOL_USE_FAILURE => Self::PostToolUseFailure,
            name::USER_PROMPT_SUBMIT => Self::UserPromptSubmit,
            name::STOP => Self::Stop,
            name::STOP_FAILURE => Self::StopFailure,
            name::SESSION_START => Self::SessionStart,
            name::SESSION_END => Self::SessionEnd,
            name::PERMISSION_REQUEST => Self::PermissionRequest,
            name::PERMISSION_DENIED => Self::PermissionDenied,
            name::SUBAGENT_START => Self::SubagentStart,
            name::SUBAGENT_STOP => Self::SubagentStop,
            name::PRE_COMPACT => Self::PreCompact,
            name::POST_COMPACT => Self::PostCompact,
            name::RUN_START => Self::RunStart,
            name::RUN_END => Self::RunEnd,
            _ => Self::Other,
        }
    }
}

/// A text of a line, borrowed unless it was written with escapes.
pub type Text<'a> = Option<Cow<'a, str>>;

/// What views need of one event. The members are those of [`Event`].
#[derive(Debug, Clone, Default, PartialEq)]
#[allow(
    missing_docs,
    reason = "the fields are described in ARCHITECTURE.md, as the line's format"
)]
pub struct Line<'a> {
    pub kind: Kind,
    pub event: Cow<'a, str>,
    pub ts: Option<Timestamp>,
    pub mono: Option<u64>,
    pub pid: Option<u32>,
    pub tool: Text<'a>,
    pub tool_use_id: Text<'a>,
    pub agent_id: Text<'a>,
    pub agent_type: Text<'a>,
    pub prompt_id: Text<'a>,
    pub error: Text<'a>,
    pub duration_ms: Option<u64>,
    pub input_bytes: Option<u64>,
    pub output_bytes: Option<u64>,
    pub what: Text<'a>,
    pub source: Text<'a>,
    pub reason: Text<'a>,
    pub trigger: Text<'a>,
    pub model: Text<'a>,
    pub calls: Vec<BatchCall>,
    pub background: Text<'a>,
    pub spawned_agent: Text<'a>,
    pub task_id: Text<'a>,
}

impl<'a> Line<'a> {
    /// Reads one line of a journal.
    ///
    /// # Errors
    /// As [`Event::decode`].
    pub fn decode(line: &'a [u8]) -> Result<Self, BadLine> {
        match Self::flat(line) {
            Some(read) => Ok(read),
            None => Event::decode(line).map(Self::from),
        }
    }

    /// The line, if it is one that [`Event::encode`] could have written; nothing where another reader must look.
    fn flat(line: &'a [u8]) -> Option<Self> {
        let mut cursor = Cursor {
            text: std::str::from_utf8(line).ok()?,
            at: 0,
        };
        let mut read = Self::default();
        let mut seen = 0_u32;
        let mut version = 0;
        cursor.expect(b'{')?;
        loop {
            let key = cursor.plain_string()?;
            cursor.expect(b':')?;
            let member = read.member(key, &mut version, &mut cursor)?;
            // A member that comes twice is one of those lines that only the other reader judges.
            if seen & member != 0 {
                return None;
            }
            seen |= member;
            match cursor.next()? {
                b',' => {}
                b'}' => break,
                _ => return None,
            }
        }
        let is_event = version == VERSION && !read.event.is_empty();
        (cursor.at == line.len() && is_event).then_some(read)
    }

    /// Reads the value of the member `key`. Which bit stands for the member is the answer.
    fn member(&mut self, key: &str, version: &mut u64, cursor: &mut Cursor<'a>) -> Option<u32> {
        let bit = match key {
            "v" => {
                *version = cursor.number()?;
                1
            }
            "ts" => {
                self.ts = Some(Timestamp::parse(cursor.plain_string()?).ok()?);
                1 << 1
            }
            "mono" => {
                self.mono = Some(cursor.number()?);
                1 << 2
            }
            "event" => {
                let event = cursor.plain_string()?;
                self.kind = event.into();
                self.event = Cow::Borrowed(event);
                1 << 3
            }
            "session_id" => id::is_valid(cursor.plain_string()?).then_some(1 << 4)?,
            "pid" => {
                self.pid = Some(u32::try_from(cursor.number()?).ok()?);
                1 << 5
            }
            "tool" => {
                self.tool = Some(cursor.string()?);
                1 << 6
            }
            "tool_use_id" => {
                self.tool_use_id = Some(cursor.string()?);
                1 << 7
            }
            "agent_id" => {
                self.agent_id = Some(cursor.string()?);
                1 << 8
            }
            "agent_type" => {
                self.agent_type = Some(cursor.string()?);
                1 << 9
            }
            "prompt_id" => {
                self.prompt_id = Some(cursor.string()?);
                1 << 10
            }
            "error" => {
                self.error = Some(cursor.string()?);
                1 << 11
            }
            "duration_ms" => {
                self.duration_ms = Some(cursor.number()?);
                1 << 12
            }
            "input_bytes" => {
                self.input_bytes = Some(cursor.number()?);
                1 << 13
            }
            "output_bytes" => {
                self.output_bytes = Some(cursor.number()?);
                1 << 14
            }
            "what" => {
                self.what = Some(cursor.string()?);
                1 << 15
            }
            "source" => {
                self.source = Some(cursor.string()?);
                1 << 16
            }
            "reason" => {
                self.reason = Some(cursor.string()?);
                1 << 17
            }
            "trigger" => {
                self.trigger = Some(cursor.string()?);
                1 << 18
            }
            "model" => {
                self.model = Some(cursor.string()?);
                1 << 19
            }
            "background" => {
                self.background = Some(cursor.string()?);
                1 << 20
            }
            "spawned_agent" => {
                self.spawned_agent = Some(cursor.string()?);
                1 << 21
            }
            "task_id" => {
                self.task_id = Some(cursor.string()?);
                1 << 22
            }
            "ok" => {
                cursor.boolean()?;
                1 << 23
            }
            "calls" => {
                self.calls = cursor.array_of_calls()?;
                1 << 24
            }
            "rung" | "cwd" | "transcript_path" | "old_cwd" | "new_cwd" | "from_model"
            | "to_model" | "notification_type" | "origin" => {
                cursor.string()?;
                0
            }
            "previous" => id::is_valid(cursor.plain_string()?).then_some(0)?,
            "incomplete" => {
                cursor.boolean()?;
                0
            }
            _ => {
                cursor.any_value()?;
                0
            }
        };
        Some(bit)
    }
}

impl<'a> From<Event> for Line<'a> {
    fn from(event: Event) -> Self {
        let text = |text: Option<String>| text.map(Cow::Owned);
        Self {
            kind: event.event.as_str().into(),
            event: Cow::Owned(event.event),
            ts: event.ts,
            mono: event.mono,
            pid: event.pid,
            tool: text(event.tool),
            tool_use_id: text(event.tool_use_id),
            agent_id: text(event.agent_id),
            agent_type: text(event.agent_type),
            prompt_id: text(event.prompt_id),
            error: text(event.error),
            duration_ms: event.duration_ms,
            input_bytes: event.input_bytes,
            output_bytes: event.output_bytes,
            what: text(event.what),
            source: text(event.source),
            reason: text(event.reason),
            trigger: text(event.trigger),
            model: text(event.model),
            calls: event.calls,
            background: text(event.background),
            spawned_agent: text(event.spawned_agent),
            task_id: text(event.task_id),
        }
    }
}

/// Where one is in the line. Each step that does not find what it reads answers nothing.
struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    fn next(&mut self) -> Option<u8> {
        let byte = *self.text.as_bytes().get(self.at)?;
        self.at += 1;
        Some(byte)
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        (self.next()? == byte).then_some(())
    }

    /// A string without escapes.
    fn plain_string(&mut self) -> Option<&'a str> {
        self.expect(b'"')?;
        let start = self.at;
        let end = start + first_special(self.text.as_bytes().get(start..)?);
        self.at = end;
        self.expect(b'"')?;
        self.text.get(start..end)
    }

    fn string(&mut self) -> Option<Cow<'a, str>> {
        let start = self.at;
        if let Some(plain) = self.plain_string() {
            return Some(Cow::Borrowed(plain));
        }
        self.at = start;
        self.skip_string()?;
        let written = self.text.get(start..self.at)?;
        serde_json::from_str(written).ok().map(Cow::Owned)
    }

    /// Goes to the end of a string, whatever is in it.
    fn skip_string(&mut self) -> Option<()> {
        self.expect(b'"')?;
        loop {
            self.at += first_special(self.text.as_bytes().get(self.at..)?);
            match self.next()? {
                b'"' => return Some(()),
                b'\\' => self.at += 1,
                _ => return None,
            }
        }
    }

    /// A whole number as it is usually written.
    fn number(&mut self) -> Option<u64> {
        let start = self.at;
        let mut number = 0_u64;
        while let Some(digit @ b'0'..=b'9') = self.peek() {
            number = number
                .checked_mul(10)?
                .checked_add(u64::from(digit - b'0'))?;
            self.at += 1;
        }
        let digits = self.at - start;
        let has_leading_zero = digits > 1 && self.text.as_bytes().get(start) == Some(&b'0');
        // What goes on with a point or an exponent fails at the comma that is expected next.
        (digits > 0 && !has_leading_zero).then_some(number)
    }

    fn boolean(&mut self) -> Option<bool> {
        let rest = self.text.get(self.at..)?;
        let (word, value) = if rest.starts_with("true") {
            ("true", true)
        } else {
            ("false", false)
        };
        rest.starts_with(word).then(|| self.at += word.len())?;
        Some(value)
    }

    fn array_of_calls(&mut self) -> Option<Vec<BatchCall>> {
        let written = self.any_value()?;
        serde_json::from_str(written).ok()
    }

    /// Any value, checked to be one.
    fn any_value(&mut self) -> Option<&'a str> {
        let start = self.at;
        let mut depth = 0_u32;
        loop {
            match self.peek()? {
                b'"' => self.skip_string()?,
                b'{' | b'[' => {
                    depth += 1;
                    self.at += 1;
                }
                b'}' | b']' if depth > 0 => {
                    depth -= 1;
                    self.at += 1;
                }
                b',' | b'}' if depth == 0 => break,
                _ => self.at += 1,
            }
        }
        let written = self.text.get(start..self.at)?;
        serde_json::from_str::<serde::de::IgnoredAny>(written).ok()?;
        Some(written)
    }
}

/// How many bytes there are before the first one that ends or interrupts a JSON string: a quote, a backslash, a control
/// character. Eight at a time, by the usual arithmetic on whole words.
fn first_special(bytes: &[u8]) -> usize {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const HIGH: u64 = u64::from_ne_bytes([0x80; 8]);
    let has_zero = |word: u64| word.wrapping_sub(ONES) & !word & HIGH;
    let is_special = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..0x20);
    let (words, _) = bytes.as_chunks::<8>();
    for (at, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let quote = has_zero(word ^ (ONES * u64::from(b'"')));
        let escape = has_zero(word ^ (ONES * u64::from(b'\\')));
        let control = word.wrapping_sub(ONES * 0x20) & !word & HIGH;
        let found = quote | escape | control;
        if found != 0 {
            // A borrow may mark a byte after the first one wrongly, never one before it.
            return at * 8 + found.trailing_zeros() as usize / 8;
        }
    }
    let rest = words.len() * 8;
    let tail = bytes.get(rest..).unwrap_or_default();
    rest + tail.iter().position(is_special).unwrap_or(tail.len())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::event::Outcome;

    fn text() -> impl Strategy<Value = Option<String>> {
        proptest::option::of(prop_oneof!["[ -~]{0,40}", any::<String>()])
    }

    prop_compose! {
        fn event()(
            micros in any::<i64>(), mono in any::<Option<u64>>(), pid in any::<Option<u32>>(),
            event in "[A-Za-z]{1,20}|PreToolUse|PostToolUse|Stop", tool in text(), tool_use_id in text(), agent_id in text(),
            (prompt_id, cwd, what, error, source) in (text(), text(), text(), text(), text()),
            (duration_ms, ok, incomplete) in (any::<Option<u64>>(), any::<Option<bool>>(), any::<bool>()),
            calls in proptest::collection::vec((text(), text(), any::<bool>()), 0..3),
            extra in proptest::collection::btree_map("x[a-z]{0,4}", any::<(u8, String)>(), 0..3),
        ) -> Event {
            let call = |(tool_use_id, tool, is_failed): (Option<String>, Option<String>, bool)| BatchCall {
                tool_use_id, tool, outcome: is_failed.then_some(Outcome::Failed),
            };
            Event {
                v: VERSION,
                ts: Some(Timestamp::from_micros(micros)),
                mono, pid, event, tool, tool_use_id, agent_id, prompt_id, cwd, what, error, source, duration_ms, ok, incomplete,
                session_id: Some("s-1".parse().unwrap()),
                calls: calls.into_iter().map(call).collect(),
                extra: extra.into_iter().map(|(key, value)| (key, serde_json::json!(value))).collect(),
                ..Event::default()
            }
        }
    }

    #[test]
    fn what_a_hook_writes_is_read_without_a_tree() {
        let line = br#"{"v":1,"ts":"2026-11-20T14:27:52.467733Z","mono":17,"event":"PostToolBatch","session_id":"s-1","pid":24,"cwd":"/a","calls":[{"tool_use_id":"t1","tool":"Bash"}],"new":{"a":[1,"}"]},"what":"a\"b"}"#;
        let read = Line::flat(line).unwrap();
        assert_eq!((read.kind, read.pid), (Kind::PostToolBatch, Some(24)));
        assert_eq!(read.what.as_deref(), Some("a\"b"));
        assert_eq!(read.calls.len(), 1);
    }

    #[test]
    fn what_is_not_quite_a_line_is_left_to_the_other_reader() {
        for line in [
            r#"{"v":1,"event":"Stop","event":"Stop"}"#,
            r#"{"v":2,"event":"Stop"}"#,
            r#"{"v":1,"event":""}"#,
            r#"{"v":1,"event":"Stop","pid":-1}"#,
            r#"{"v":1,"event":"Stop","mono":1.5}"#,
            r#"{"v":1,"event":"Stop","mono":01}"#,
            r#"{"v":1,"event":"Stop","tool":null}"#,
            r#"{"v":1,"event":"Stop"} "#,
            r#"{"v":1,"event":"Stop","x":[1,}"#,
            r#"{"v":1, "event":"Stop"}"#,
            "{\"v\":1,\"event\":\"Stop\",\"tool\":\"a\tb\"}",
            r#"{"v":1,"event":"Stop","session_id":"../x"}"#,
            "{}",
            "[]",
            "",
            "null",
        ] {
            assert_eq!(Line::flat(line.as_bytes()), None, "{line}");
        }
    }

    #[test]
    fn strings_end_where_they_end() {
        for length in 0..40 {
            let text = "é~".repeat(40);
            let mut bytes = text.as_bytes()[..length].to_vec();
            for special in [b'"', b'\\', 0, 0x1f] {
                bytes.truncate(length);
                bytes.push(special);
                bytes.extend(*b"0123456789\"");
                assert_eq!(first_special(&bytes), length);
            }
        }
    }

    proptest! {
        #[test]
        fn both_readers_agree_on_what_is_written(event in event()) {
            let line = event.encode();
            prop_assert_eq!(Line::decode(&line), Ok(Line::from(event)));
        }

        #[test]
        fn both_readers_agree_on_what_was_damaged(event in event(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
            let mut line = event.encode();
            let at = at.index(line.len());
            line[at] = byte;
            prop_assert_eq!(Line::decode(&line), Event::decode(&line).map(Line::from));
        }
    }
}
