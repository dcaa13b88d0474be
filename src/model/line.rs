//! A fast reader of journal lines, of which there may be millions: it borrows from the bytes and
//! builds no tree.
//!
//! The lines that ccsession writes are flat and nearly always free of escapes. This reader reads
//! such lines member by member. It leaves any other line, damaged ones included, to
//! [`Event::decode`], so that both readers agree on what an event is.

use std::borrow::Cow;

use super::commit::CommitNote;
use super::event::{BadLine, BatchCall, Event, VERSION, name};
use super::id::{self, SessionId};
use super::time::Timestamp;

/// The kind of an event.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "each is Claude Code's event of that name")]
pub enum EventKind {
    SessionStart,
    RunStart,
    ClockIn,
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
    CwdChanged,
    StopFailure,
    Stop,
    SessionEnd,
    RunEnd,
    Notification,
    Elicitation,
    ElicitationResult,
    /// An event that does not affect calls and turns.
    #[default]
    Other,
}

impl From<&str> for EventKind {
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
            name::CWD_CHANGED => Self::CwdChanged,
            name::NOTIFICATION => Self::Notification,
            name::ELICITATION => Self::Elicitation,
            name::ELICITATION_RESULT => Self::ElicitationResult,
            name::RUN_START => Self::RunStart,
            name::RUN_END => Self::RunEnd,
            name::CLOCK_IN => Self::ClockIn,
            _ => Self::Other,
        }
    }
}

/// The members of an [`Event`] that views need.
#[derive(Debug, Clone, Default, PartialEq)]
#[allow(missing_docs, reason = "docs/formats.md describes the fields")]
pub struct JournalLine<'a> {
    pub kind: EventKind,
    pub event: &'a str,
    pub ts: Option<Timestamp>,
    pub mono: Option<u64>,
    pub pid: Option<u32>,
    pub tool: Option<&'a str>,
    pub tool_use_id: Option<&'a str>,
    pub agent_id: Option<&'a str>,
    pub agent_type: Option<&'a str>,
    pub prompt_id: Option<&'a str>,
    pub traceparent: Option<&'a str>,
    pub error: Option<&'a str>,
    pub duration_ms: Option<u64>,
    pub input_bytes: Option<u64>,
    pub output_bytes: Option<u64>,
    pub what: Option<Label<'a>>,
    pub source: Option<&'a str>,
    pub previous: Option<&'a str>,
    pub reason: Option<&'a str>,
    pub trigger: Option<&'a str>,
    pub model: Option<&'a str>,
    pub notification_type: Option<&'a str>,
    pub calls: Cow<'a, [BatchCall]>,
    pub background: Option<&'a str>,
    pub spawned_agent: Option<&'a str>,
    pub task_id: Option<&'a str>,
    pub cwd: Option<&'a str>,
    pub new_cwd: Option<&'a str>,
    pub transcript_path: Option<&'a str>,
    pub branch: Option<&'a str>,
    pub revision: Option<&'a str>,
    pub commits: Cow<'a, [CommitNote]>,
}

/// A label as a journal line contains it. Labels often contain escapes, and few readers need them,
/// so a label is unescaped only on request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Label<'a> {
    /// The label as text.
    Plain(&'a str),
    /// The label as JSON, including the quotes.
    Written(&'a str),
}

impl<'a> Label<'a> {
    /// Returns the label as text.
    pub fn text(self) -> Cow<'a, str> {
        match self {
            Self::Plain(text) => Cow::Borrowed(text),
            Self::Written(json) => Cow::Owned(serde_json::from_str(json).unwrap_or_default()),
        }
    }
}

impl<'a> JournalLine<'a> {
    /// Reads one line of a journal and passes it to `reader`.
    ///
    /// # Errors
    /// Fails as [`Event::decode`] does; `reader` is then not called.
    pub fn read(line: &[u8], reader: impl FnOnce(&JournalLine<'_>)) -> Result<(), BadLine> {
        let mut flat = JournalLine::default();
        match flat.fill(line) {
            Some(()) => reader(&flat),
            None => reader(&JournalLine::from(&Event::decode(line)?)),
        }
        Ok(())
    }

    /// Fills this empty line from `line`, if [`Event::encode`] could have written `line` and the
    /// members that are read have no escapes. Returns `None` if [`Event::decode`] must decide.
    fn fill(&mut self, line: &'a [u8]) -> Option<()> {
        let text = std::str::from_utf8(line).ok()?;
        let mut cursor = Cursor { text, at: 0 };
        let mut seen = 0_u64;
        let mut next = 0;
        cursor.expect(b'{')?;
        loop {
            match cursor.member(next) {
                Some(place) => {
                    next = place + 1;
                    // A member occurs twice. `Event::decode` decides about such a line.
                    if seen & 1 << place != 0 {
                        return None;
                    }
                    seen |= 1 << place;
                    self.member(MEMBERS.get(place)?.0, &mut cursor)?;
                }
                None => cursor.unknown_member()?,
            }
            match cursor.next()? {
                b',' => {}
                b'}' => break,
                _ => return None,
            }
        }
        let has_version = seen & 1 == 1;
        (cursor.at == line.len() && has_version && !self.event.is_empty()).then_some(())
    }

    /// Reads the value of a member.
    fn member(&mut self, member: LineMember, cursor: &mut Cursor<'a>) -> Option<()> {
        match member {
            LineMember::V => return (cursor.number()? == VERSION).then_some(()),
            LineMember::Ts => self.ts = Some(Timestamp::parse(cursor.string()?).ok()?),
            LineMember::Mono => self.mono = Some(cursor.number()?),
            LineMember::Event => {
                self.event = cursor.string()?;
                self.kind = self.event.into();
            }
            LineMember::Session => return id::is_valid(cursor.string()?).then_some(()),
            LineMember::Pid => self.pid = Some(u32::try_from(cursor.number()?).ok()?),
            LineMember::Tool => self.tool = Some(cursor.string()?),
            LineMember::ToolUseId => self.tool_use_id = Some(cursor.string()?),
            LineMember::AgentId => self.agent_id = Some(cursor.string()?),
            LineMember::AgentType => self.agent_type = Some(cursor.string()?),
            LineMember::PromptId => self.prompt_id = Some(cursor.string()?),
            LineMember::TraceParent => self.traceparent = Some(cursor.string()?),
            LineMember::Error => self.error = Some(cursor.string()?),
            LineMember::DurationMs => self.duration_ms = Some(cursor.number()?),
            LineMember::InputBytes => self.input_bytes = Some(cursor.number()?),
            LineMember::OutputBytes => self.output_bytes = Some(cursor.number()?),
            LineMember::What => self.what = Some(cursor.label()?),
            LineMember::Source => self.source = Some(cursor.string()?),
            LineMember::Previous => {
                let previous = cursor.string()?;
                self.previous = Some(previous).filter(|it| id::is_valid(it));
                return self.previous.map(drop);
            }
            LineMember::Reason => self.reason = Some(cursor.string()?),
            LineMember::Trigger => self.trigger = Some(cursor.string()?),
            LineMember::Model => self.model = Some(cursor.string()?),
            LineMember::NotificationType => self.notification_type = Some(cursor.string()?),
            LineMember::Calls => {
                self.calls = Cow::Owned(serde_json::from_str(cursor.any_value()?).ok()?)
            }
            LineMember::Commits => {
                self.commits = Cow::Owned(serde_json::from_str(cursor.any_value()?).ok()?)
            }
            LineMember::Background => self.background = Some(cursor.string()?),
            LineMember::SpawnedAgent => self.spawned_agent = Some(cursor.string()?),
            LineMember::TaskId => self.task_id = Some(cursor.string()?),
            LineMember::Cwd => self.cwd = Some(cursor.string()?),
            LineMember::TranscriptPath => self.transcript_path = Some(cursor.string()?),
            LineMember::Branch => self.branch = Some(cursor.string()?),
            LineMember::Revision => self.revision = Some(cursor.string()?),
            LineMember::OtherFlag => cursor.boolean()?,
            LineMember::OtherText => cursor.other_text()?,
        }
        Some(())
    }
}

/// A member of a line.
#[derive(Debug, Clone, Copy)]
enum LineMember {
    V,
    Ts,
    Mono,
    Event,
    Session,
    Pid,
    Tool,
    ToolUseId,
    AgentId,
    AgentType,
    PromptId,
    TraceParent,
    Error,
    DurationMs,
    InputBytes,
    OutputBytes,
    What,
    Source,
    Previous,
    Reason,
    Trigger,
    Model,
    NotificationType,
    Calls,
    Background,
    SpawnedAgent,
    TaskId,
    Cwd,
    TranscriptPath,
    Branch,
    Revision,
    Commits,
    /// A member that is true or false, and that no view needs.
    OtherFlag,
    /// A member with a text that no view needs.
    OtherText,
}

/// The members of a line in the order in which they are written, each with its exact text.
const MEMBERS: [(LineMember, MemberName); 36] = [
    (LineMember::V, MemberName::of("\"v\":")),
    (LineMember::Ts, MemberName::of("\"ts\":")),
    (LineMember::Mono, MemberName::of("\"mono\":")),
    (LineMember::Event, MemberName::of("\"event\":")),
    (LineMember::Session, MemberName::of("\"session_id\":")),
    (LineMember::Pid, MemberName::of("\"pid\":")),
    (LineMember::OtherText, MemberName::of("\"rung\":")),
    (LineMember::Tool, MemberName::of("\"tool\":")),
    (LineMember::ToolUseId, MemberName::of("\"tool_use_id\":")),
    (LineMember::AgentId, MemberName::of("\"agent_id\":")),
    (LineMember::AgentType, MemberName::of("\"agent_type\":")),
    (LineMember::PromptId, MemberName::of("\"prompt_id\":")),
    (LineMember::TraceParent, MemberName::of("\"traceparent\":")),
    (LineMember::Cwd, MemberName::of("\"cwd\":")),
    (
        LineMember::TranscriptPath,
        MemberName::of("\"transcript_path\":"),
    ),
    (LineMember::Branch, MemberName::of("\"branch\":")),
    (LineMember::Revision, MemberName::of("\"revision\":")),
    (LineMember::Commits, MemberName::of("\"commits\":")),
    (LineMember::OtherFlag, MemberName::of("\"ok\":")),
    (LineMember::Error, MemberName::of("\"error\":")),
    (LineMember::DurationMs, MemberName::of("\"duration_ms\":")),
    (LineMember::InputBytes, MemberName::of("\"input_bytes\":")),
    (LineMember::OutputBytes, MemberName::of("\"output_bytes\":")),
    (LineMember::What, MemberName::of("\"what\":")),
    (LineMember::Source, MemberName::of("\"source\":")),
    (LineMember::Previous, MemberName::of("\"previous\":")),
    (LineMember::Reason, MemberName::of("\"reason\":")),
    (LineMember::Trigger, MemberName::of("\"trigger\":")),
    (LineMember::Model, MemberName::of("\"model\":")),
    (LineMember::Calls, MemberName::of("\"calls\":")),
    (
        LineMember::NotificationType,
        MemberName::of("\"notification_type\":"),
    ),
    (LineMember::Background, MemberName::of("\"background\":")),
    (
        LineMember::SpawnedAgent,
        MemberName::of("\"spawned_agent\":"),
    ),
    (LineMember::TaskId, MemberName::of("\"task_id\":")),
    (LineMember::OtherFlag, MemberName::of("\"incomplete\":")),
    (LineMember::OtherText, MemberName::of("\"origin\":")),
];

/// Rare members of an [`Event`] that must have a certain type. A line that has one is left to
/// [`Event::decode`].
const OTHERS_TO_JUDGE: [&str; 4] = ["old_cwd", "new_cwd", "from_model", "to_model"];

/// A member's name as it is written in a line. Its first and last eight bytes are kept as numbers,
/// which are fast to compare.
#[derive(Debug, Clone, Copy)]
struct MemberName {
    written: &'static str,
    head: u64,
    mask: u64,
    /// The last eight bytes of a name that has more than eight.
    tail: u64,
}

impl MemberName {
    const fn of(written: &'static str) -> Self {
        let mut head = [0; 8];
        let mut mask = [0; 8];
        let (mut from, mut head_left, mut mask_left) =
            (written.as_bytes(), head.as_mut_slice(), mask.as_mut_slice());
        while let ([byte, rest @ ..], [place, places @ ..], [bit, bits @ ..]) =
            (from, head_left, mask_left)
        {
            *place = *byte;
            *bit = 0xff;
            (from, head_left, mask_left) = (rest, places, bits);
        }
        let tail = match written.as_bytes().last_chunk() {
            Some(last) => u64::from_le_bytes(*last),
            None => 0,
        };
        Self {
            written,
            head: u64::from_le_bytes(head),
            mask: u64::from_le_bytes(mask),
            tail,
        }
    }

    /// Returns true if `text` begins with this name. Most names have at most sixteen bytes, which
    /// two comparisons of eight bytes cover.
    fn begins(&self, text: &[u8]) -> bool {
        let length = self.written.len();
        let tail = || {
            let end = text.get(length.saturating_sub(8)..length)?;
            Some(u64::from_le_bytes(*end.first_chunk()?))
        };
        let head = text.first_chunk().map(|head| u64::from_le_bytes(*head));
        head.is_some_and(|head| head & self.mask == self.head)
            && (length <= 8 || tail() == Some(self.tail))
            && (length <= 16 || text.starts_with(self.written.as_bytes()))
    }
}

impl<'a> From<&'a Event> for JournalLine<'a> {
    fn from(event: &'a Event) -> Self {
        Self {
            kind: event.event.as_str().into(),
            event: &event.event,
            ts: event.ts,
            mono: event.mono,
            pid: event.pid,
            tool: event.tool.as_deref(),
            tool_use_id: event.tool_use_id.as_deref(),
            agent_id: event.agent_id.as_deref(),
            agent_type: event.agent_type.as_deref(),
            prompt_id: event.prompt_id.as_deref(),
            traceparent: event.traceparent.as_deref(),
            error: event.error.as_deref(),
            duration_ms: event.duration_ms,
            input_bytes: event.input_bytes,
            output_bytes: event.output_bytes,
            what: event.what.as_deref().map(Label::Plain),
            source: event.source.as_deref(),
            previous: event.previous.as_ref().map(SessionId::as_str),
            reason: event.reason.as_deref(),
            trigger: event.trigger.as_deref(),
            model: event.model.as_deref(),
            notification_type: event.notification_type.as_deref(),
            calls: Cow::Borrowed(&event.calls),
            background: event.background.as_deref(),
            spawned_agent: event.spawned_agent.as_deref(),
            task_id: event.task_id.as_deref(),
            cwd: event.cwd.as_deref(),
            new_cwd: event.new_cwd.as_deref(),
            transcript_path: event.transcript_path.as_deref(),
            branch: event.branch.as_deref(),
            revision: event.revision.as_deref(),
            commits: Cow::Borrowed(&event.commits),
        }
    }
}

/// A position in the line. Each step returns `None` if it does not find what it reads.
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

    /// Reads the next member's name and returns its index in [`MEMBERS`]. The search begins at
    /// index `next`, because members come in order.
    fn member(&mut self, next: usize) -> Option<usize> {
        let rest = self.text.as_bytes().get(self.at..)?;
        let is_it = |(_, key): &(LineMember, MemberName)| key.begins(rest);
        let (before, after) = MEMBERS.split_at_checked(next)?;
        let in_order = after.iter().position(is_it).map(|place| next + place);
        let place = in_order.or_else(|| before.iter().position(is_it))?;
        self.at += MEMBERS.get(place)?.1.written.len();
        Some(place)
    }

    /// Skips a member that is not in [`MEMBERS`], whatever its value.
    fn unknown_member(&mut self) -> Option<()> {
        let name = self.string()?;
        let is_known =
            |(_, key): &(LineMember, MemberName)| key.written.trim_matches(['"', ':']) == name;
        if OTHERS_TO_JUDGE.contains(&name) || MEMBERS.iter().any(is_known) {
            return None;
        }
        self.expect(b':')?;
        self.any_value().map(drop)
    }

    /// Reads a string without escapes.
    #[inline]
    fn string(&mut self) -> Option<&'a str> {
        self.expect(b'"')?;
        let start = self.at;
        let end = start + first_special(self.text.as_bytes().get(start..)?);
        self.at = end;
        self.expect(b'"')?;
        self.text.get(start..end)
    }

    fn label(&mut self) -> Option<Label<'a>> {
        let start = self.at;
        if let Some(plain) = self.string() {
            return Some(Label::Plain(plain));
        }
        self.at = start;
        let written = self.any_value()?;
        written.starts_with('"').then_some(Label::Written(written))
    }

    /// Skips a string that no view needs. A string with escapes is still validated.
    fn other_text(&mut self) -> Option<()> {
        let start = self.at;
        if self.string().is_some() {
            return Some(());
        }
        self.at = start;
        self.skip_string()?;
        let written = self.text.get(start..self.at)?;
        serde_json::from_str::<String>(written).ok().map(drop)
    }

    /// Skips a string, whatever is in it.
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

    /// Reads a whole number that is written in its usual form.
    fn number(&mut self) -> Option<u64> {
        /// A number with at most this many digits cannot overflow. A longer one is left to
        /// [`Event::decode`].
        const MOST: usize = 19;
        let rest = self.text.as_bytes().get(self.at..)?;
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let has_leading_zero = digits > 1 && rest.first() == Some(&b'0');
        if digits == 0 || digits > MOST || has_leading_zero {
            return None;
        }
        self.at += digits;
        let add = |number: u64, digit: &u8| number * 10 + u64::from(digit - b'0');
        // If a fraction or an exponent follows, reading fails at the comma that is expected next.
        Some(rest.iter().take(digits).fold(0, add))
    }

    fn boolean(&mut self) -> Option<()> {
        let rest = self.text.get(self.at..)?;
        let word = ["true", "false"]
            .into_iter()
            .find(|word| rest.starts_with(word))?;
        self.at += word.len();
        Some(())
    }

    /// Skips any value, validates it and returns its text.
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

/// Returns the number of bytes before the first one that ends or interrupts a JSON string: a quote,
/// a backslash or a control character. Checks eight bytes at a time with arithmetic on a 64-bit
/// word.
#[inline]
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
            // The subtraction's borrow may wrongly flag a byte after the first match, but never one
            // before it.
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
    use crate::model::event::CallOutcome;

    fn text() -> impl Strategy<Value = Option<String>> {
        proptest::option::of(prop_oneof!["[ -~]{0,40}", any::<String>()])
    }

    prop_compose! {
        fn event()(
            micros in any::<i64>(), mono in any::<Option<u64>>(), pid in any::<Option<u32>>(),
            event in "[A-Za-z]{1,20}|PreToolUse|PostToolUse|Stop", tool in text(), tool_use_id in text(), agent_id in text(),
            (prompt_id, cwd, what, error, source) in (text(), text(), text(), text(), text()),
            (branch, revision) in (text(), text()),
            (duration_ms, ok, incomplete) in (any::<Option<u64>>(), any::<Option<bool>>(), any::<bool>()),
            calls in proptest::collection::vec((text(), text(), any::<bool>()), 0..3),
            commits in proptest::collection::vec((any::<String>(), any::<i32>(), "[a-z-]{0,9}", text()), 0..3),
            extra in proptest::collection::btree_map("x[a-z]{0,4}", any::<(u8, String)>(), 0..3),
        ) -> Event {
            let call = |(tool_use_id, tool, is_failed): (Option<String>, Option<String>, bool)| BatchCall {
                tool_use_id, tool, outcome: is_failed.then_some(CallOutcome::Failed),
            };
            let commit = |(id, seconds, how, replaces): (String, i32, String, Option<String>)| CommitNote {
                id, ts: Timestamp::from_unix(seconds.into(), 0), how: how.into(), replaces,
            };
            Event {
                commits: commits.into_iter().map(commit).collect(),
                v: VERSION,
                ts: Some(Timestamp::from_micros(micros)),
                mono, pid, event, tool, tool_use_id, agent_id, prompt_id, cwd, branch, revision, what, error, source, duration_ms, ok, incomplete,
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
        let mut read = JournalLine::default();
        read.fill(line).unwrap();
        assert_eq!((read.kind, read.pid), (EventKind::PostToolBatch, Some(24)));
        assert_eq!(read.what.unwrap().text(), "a\"b");
        assert_eq!(read.calls.len(), 1);
    }

    #[test]
    fn an_unusual_line_is_left_to_the_other_reader() {
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
            r#"{"v":1,"event":"Stop","cwd":"\q"}"#,
            "{\"v\":1,\"event\":\"Stop\",\"cwd\":\"\\\0\"}",
            "",
            "null",
        ] {
            assert_eq!(JournalLine::default().fill(line.as_bytes()), None, "{line}");
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

    /// Checks that both readers find the same in a line.
    fn check(line: &[u8]) -> Result<(), TestCaseError> {
        let event = Event::decode(line);
        let read = JournalLine::read(line, |read| {
            let event = event.as_ref().map(JournalLine::from);
            let mut read = read.clone();
            read.calls = Cow::Owned(read.calls.into_owned());
            read.commits = Cow::Owned(read.commits.into_owned());
            let label = read.what.take().map(|what| what.text().into_owned());
            let expected = event.map(|line| {
                (
                    line.what.map(|what| what.text().into_owned()),
                    JournalLine { what: None, ..line },
                )
            });
            assert_eq!(Ok((label, read)), expected);
        });
        prop_assert_eq!(read.err(), event.err());
        Ok(())
    }

    /// Returns an event with every member. A new member does not compile until it is here.
    fn full() -> Event {
        let text = |text: &str| Some(text.to_owned());
        Event {
            v: VERSION,
            ts: Some(Timestamp::from_micros(1_800_000_000_000_000)),
            mono: Some(1),
            event: name::POST_TOOL_USE.to_owned(),
            session_id: Some("s-1".parse().unwrap()),
            pid: Some(2),
            rung: text("rung"),
            tool: text("tool"),
            tool_use_id: text("tool_use_id"),
            agent_id: text("agent_id"),
            agent_type: text("agent_type"),
            prompt_id: text("prompt_id"),
            traceparent: text("traceparent"),
            cwd: text("cwd"),
            transcript_path: text("transcript_path"),
            branch: text("branch"),
            revision: text("revision"),
            commits: vec![CommitNote::default()],
            ok: Some(true),
            error: text("error"),
            duration_ms: Some(3),
            input_bytes: Some(4),
            output_bytes: Some(5),
            what: text("what"),
            source: text("source"),
            previous: Some("s-0".parse().unwrap()),
            reason: text("reason"),
            trigger: text("trigger"),
            model: text("model"),
            calls: vec![BatchCall::default()],
            old_cwd: text("old_cwd"),
            new_cwd: text("new_cwd"),
            from_model: text("from_model"),
            to_model: text("to_model"),
            notification_type: text("notification_type"),
            background: text("background"),
            spawned_agent: text("spawned_agent"),
            task_id: text("task_id"),
            origin: text("origin"),
            input: Some("input".into()),
            output: Some("output".into()),
            prompt: Some("prompt".into()),
            message: Some("message".into()),
            error_text: Some("error_text".into()),
            cut: vec!["input".to_owned()],
            redacted: [("rule".to_owned(), 6)].into(),
            incomplete: true,
            extra: [("extra".to_owned(), 7.into())].into_iter().collect(),
        }
    }

    #[test]
    fn both_readers_agree_on_every_member() {
        let full = full();
        check(&full.encode()).unwrap();
        let usual = Event {
            old_cwd: None,
            new_cwd: None,
            from_model: None,
            to_model: None,
            ..full
        };
        let line = usual.encode();
        check(&line).unwrap();
        assert_eq!(
            JournalLine::default().fill(&line),
            Some(()),
            "it is not fast"
        );
    }

    proptest! {
        #[test]
        fn both_readers_agree_on_what_is_written(event in event()) {
            let line = event.encode();
            check(&line)?;
        }

        #[test]
        fn both_readers_agree_on_what_was_damaged(event in event(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
            let mut line = event.encode();
            let at = at.index(line.len());
            line[at] = byte;
            check(&line)?;
        }
    }
}
