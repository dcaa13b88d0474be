//! Reads one JSON object that arrives in pieces. Keeps the few members that a plan requests, and
//! counts the bytes of the rest.
//!
//! A payload may have any size, and important members may follow a tool output of any size. So only
//! kept members are held in memory, and their size is bounded. The nesting takes one bit a level,
//! for at most 128 levels. This module checks the structure only; `serde_json` decodes the text of
//! a kept value later.
//!
//! The search for a string's end is a hand-written loop over words of eight bytes. A library would
//! first detect the processor's features, which takes longer than reading a small payload.

/// The most objects and arrays that may be nested.
const MAX_DEPTH: usize = 128;
/// The longest member name that the plan is asked about, in bytes.
const MAX_KEY: usize = 64;
/// The most objects of an array whose members are read. Further ones are skipped.
const MAX_ELEMENTS: usize = 1024;

/// What to do with a member of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MemberAction {
    /// Ignore it.
    Skip,
    /// Keep the first bytes of its text, at most this many.
    Keep(usize),
    /// Read the members of the object, or of the objects in the array.
    Enter,
    /// Keep the first bytes of its text, at most this many, and read the members as with `Enter`.
    EnterAndKeep(usize),
}

impl MemberAction {
    fn enters(self) -> bool {
        matches!(self, Self::Enter | Self::EnterAndKeep(_))
    }
}

/// Decides what to do with the member `key` of an object. The object is the value of the member
/// `parent`, or an element of that value; at the top, `parent` is empty.
pub(super) type MemberPlan = fn(parent: &str, key: &str) -> MemberAction;

/// A member that was read to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ScannedMember {
    /// The name of the member that contains this member's object; empty at the top.
    pub(super) parent: String,
    /// The index of this member's object in its array; 0 if it is not in an array.
    pub(super) element: usize,
    pub(super) key: String,
    /// The kept beginning of the member's JSON text.
    pub(super) text: Vec<u8>,
    /// The size of the member's whole JSON text, in bytes.
    pub(super) size: u64,
}

impl ScannedMember {
    /// Returns whether the whole text was kept.
    pub(super) fn is_whole(&self) -> bool {
        self.text.len() as u64 == self.size
    }
}

/// How far the object has been read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    /// The object has not ended yet.
    Open,
    /// The object has ended.
    Complete,
    /// The input is not a JSON object.
    Broken,
}

/// Which token may come next, outside of strings and scalars.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expect {
    Start,
    Value,
    ValueOrEnd,
    Key,
    KeyOrEnd,
    Colon,
    CommaOrEnd,
    Nothing,
    Broken,
}

/// The token that the next byte belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Inside {
    Structure,
    Key { escaped: bool },
    Text { escaped: bool },
    Scalar,
}

/// An open object whose members are read: the one at the top, or one that the plan entered.
#[derive(Debug)]
struct Frame {
    depth: usize,
    name: String,
    element: usize,
}

/// A member whose value is being read.
#[derive(Debug)]
struct PendingMember {
    depth: usize,
    want: MemberAction,
    elements: usize,
    member: ScannedMember,
}

/// The result of one step of reading: how many bytes it took, and whether a value ends with them.
struct ScanStep {
    bytes: usize,
    ends_value: bool,
}

impl ScanStep {
    const ONE: Self = Self {
        bytes: 1,
        ends_value: false,
    };
}

/// The incremental reader of one JSON object.
#[derive(Debug)]
pub(super) struct Scanner {
    plan: MemberPlan,
    expect: Expect,
    inside: Inside,
    /// One bit for each open container, with the innermost in the lowest bit: 1 for an object, 0
    /// for an array.
    containers: u128,
    depth: usize,
    size: u64,
    key: Vec<u8>,
    frames: Vec<Frame>,
    pending: Vec<PendingMember>,
    members: Vec<ScannedMember>,
}

impl Scanner {
    pub(super) fn new(plan: MemberPlan) -> Self {
        Self {
            plan,
            expect: Expect::Start,
            inside: Inside::Structure,
            containers: 0,
            depth: 0,
            size: 0,
            key: Vec::new(),
            frames: Vec::new(),
            pending: Vec::new(),
            members: Vec::new(),
        }
    }

    /// Returns how many bytes were read, including those after the object.
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    pub(super) fn progress(&self) -> Progress {
        match self.expect {
            Expect::Nothing => Progress::Complete,
            Expect::Broken => Progress::Broken,
            _ => Progress::Open,
        }
    }

    /// Returns the members that were read. If an object repeats a name, the last one counts.
    pub(super) fn into_members(self) -> Vec<ScannedMember> {
        self.members
    }

    /// Reads the next piece of the input. Bytes after the object are only counted.
    pub(super) fn feed(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while let Some(&first) = rest.first() {
            if matches!(self.expect, Expect::Broken | Expect::Nothing) {
                self.size += rest.len() as u64;
                return;
            }
            let step = self.step(first, rest);
            let (read, left) = rest.split_at_checked(step.bytes).unwrap_or((rest, &[]));
            self.keep(read);
            self.size += read.len() as u64;
            if step.ends_value {
                self.end_value();
            }
            rest = left;
        }
    }

    fn step(&mut self, first: u8, rest: &[u8]) -> ScanStep {
        match self.inside {
            Inside::Structure => self.structure(first),
            Inside::Key { escaped } => self.key(rest, escaped),
            Inside::Text { escaped: true } => {
                self.inside = Inside::Text { escaped: false };
                ScanStep::ONE
            }
            Inside::Text { escaped: false } => self.text(rest),
            Inside::Scalar if is_scalar(first) => ScanStep::ONE,
            Inside::Scalar => {
                self.inside = Inside::Structure;
                ScanStep {
                    bytes: 0,
                    ends_value: true,
                }
            }
        }
    }

    fn structure(&mut self, byte: u8) -> ScanStep {
        use Expect::{Broken, Colon, CommaOrEnd, Key, KeyOrEnd, Start, Value, ValueOrEnd};
        match (byte, self.expect) {
            (b' ' | b'\t' | b'\n' | b'\r', _) => {}
            (b'{', Start | Value | ValueOrEnd) => self.open(true),
            (b'[', Value | ValueOrEnd) => self.open(false),
            (b'"', Value | ValueOrEnd) => {
                self.begin_value();
                self.inside = Inside::Text { escaped: false };
            }
            (b'"', Key | KeyOrEnd) => {
                self.key.clear();
                self.inside = Inside::Key { escaped: false };
            }
            (b':', Colon) => self.expect = Value,
            (b',', CommaOrEnd) => self.expect = if self.in_object() { Key } else { Value },
            (b'}', KeyOrEnd | CommaOrEnd) if self.in_object() => return self.close(),
            (b']', ValueOrEnd | CommaOrEnd) if !self.in_object() => return self.close(),
            (byte, Value | ValueOrEnd) if is_scalar(byte) => {
                self.begin_value();
                self.inside = Inside::Scalar;
            }
            _ => self.expect = Broken,
        }
        ScanStep::ONE
    }

    /// Reads a member's name, or the part of it in this piece. Names are not decoded, so a name
    /// with an escape never matches the plan.
    fn key(&mut self, rest: &[u8], escaped: bool) -> ScanStep {
        let end = if escaped {
            None
        } else {
            rest.iter().position(is_special)
        };
        let (bytes, inside) = match end.map(|end| (end, rest.get(end))) {
            Some((end, Some(b'"'))) => (end, Inside::Structure),
            Some((end, _)) => (end + 1, Inside::Key { escaped: true }),
            None if escaped => (1, Inside::Key { escaped: false }),
            None => (rest.len(), Inside::Key { escaped: false }),
        };
        let room = (MAX_KEY + 1).saturating_sub(self.key.len());
        self.key.extend(rest.iter().take(bytes.min(room)));
        self.inside = inside;
        if inside == Inside::Structure {
            self.expect = Expect::Colon;
            return ScanStep {
                bytes: bytes + 1,
                ends_value: false,
            };
        }
        ScanStep {
            bytes,
            ends_value: false,
        }
    }

    /// Reads to the end of a string, or of the piece. Skips escapes within one step, because a step
    /// for each escape would cost more than all the bytes between them.
    fn text(&mut self, rest: &[u8]) -> ScanStep {
        let mut at = 0;
        loop {
            at += plain(rest.get(at..).unwrap_or_default());
            match rest.get(at) {
                Some(b'"') => {
                    self.inside = Inside::Structure;
                    return ScanStep {
                        bytes: at + 1,
                        ends_value: true,
                    };
                }
                Some(_) if at + 1 < rest.len() => at += 2,
                escape => {
                    let escaped = escape.is_some();
                    self.inside = Inside::Text { escaped };
                    return ScanStep {
                        bytes: rest.len(),
                        ends_value: false,
                    };
                }
            }
        }
    }

    fn in_object(&self) -> bool {
        self.containers & 1 == 1
    }

    fn open(&mut self, object: bool) {
        if self.depth == MAX_DEPTH {
            self.expect = Expect::Broken;
            return;
        }
        let enter = self.depth == 0 || self.begin_value();
        self.containers = self.containers << 1 | u128::from(object);
        self.depth += 1;
        self.expect = if object {
            Expect::KeyOrEnd
        } else {
            Expect::ValueOrEnd
        };
        if enter && object {
            self.enter();
        }
    }

    fn enter(&mut self) {
        let (name, element) = match self.pending.last_mut() {
            None => (String::new(), 0),
            Some(pending) if pending.elements == MAX_ELEMENTS => return,
            Some(pending) => {
                pending.elements += 1;
                (pending.member.key.clone(), pending.elements - 1)
            }
        };
        self.frames.push(Frame {
            depth: self.depth,
            name,
            element,
        });
    }

    fn close(&mut self) -> ScanStep {
        if self
            .frames
            .last()
            .is_some_and(|frame| frame.depth == self.depth)
        {
            self.frames.pop();
        }
        self.containers >>= 1;
        self.depth -= 1;
        ScanStep {
            bytes: 1,
            ends_value: true,
        }
    }

    /// Begins a value. Returns whether the plan requests the members of the value, if it turns out
    /// to be an object.
    fn begin_value(&mut self) -> bool {
        let Some(frame) = self.frames.last() else {
            return false;
        };
        if frame.depth != self.depth {
            let around = self.pending.last();
            return around
                .is_some_and(|array| array.want.enters() && array.depth + 1 == self.depth);
        }
        let key = std::str::from_utf8(&self.key).unwrap_or_default();
        let want = (self.plan)(&frame.name, key);
        if want == MemberAction::Skip {
            return false;
        }
        let member = ScannedMember {
            parent: frame.name.clone(),
            element: frame.element,
            key: key.to_owned(),
            text: Vec::new(),
            size: 0,
        };
        self.pending.push(PendingMember {
            depth: self.depth,
            want,
            elements: 0,
            member,
        });
        want.enters()
    }

    fn keep(&mut self, read: &[u8]) {
        for pending in &mut self.pending {
            pending.member.size += read.len() as u64;
            if let MemberAction::Keep(limit) | MemberAction::EnterAndKeep(limit) = pending.want {
                let room = limit.saturating_sub(pending.member.text.len());
                let kept = read.get(..room).unwrap_or(read);
                pending.member.text.extend_from_slice(kept);
            }
        }
    }

    fn end_value(&mut self) {
        self.expect = if self.depth == 0 {
            Expect::Nothing
        } else {
            Expect::CommaOrEnd
        };
        let Some(done) = self.pending.pop_if(|pending| pending.depth == self.depth) else {
            return;
        };
        let is_same = |member: &&mut ScannedMember| {
            member.key == done.member.key
                && member.element == done.member.element
                && member.parent == done.member.parent
        };
        let same = self.members.iter_mut().rev().find(is_same);
        match same {
            Some(member) => *member = done.member,
            None => self.members.push(done.member),
        }
    }
}

/// Returns the number of bytes before the first quote or backslash. Checks eight bytes at a time,
/// because most of what a hook reads is tool output.
fn plain(text: &[u8]) -> usize {
    const EACH: u64 = u64::MAX / 0xff;
    const HIGHEST: u64 = EACH << 7;
    // Sets the highest bit of each byte that equals `byte`. May also set it in bytes above the
    // first match, which do not matter.
    let marks = |word: u64, byte: u8| {
        let zero_where_it_is = word ^ (EACH * u64::from(byte));
        zero_where_it_is.wrapping_sub(EACH) & !zero_where_it_is & HIGHEST
    };
    let (words, rest) = text.as_chunks::<8>();
    for (index, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let found = marks(word, b'"') | marks(word, b'\\');
        if found != 0 {
            return 8 * index + found.trailing_zeros() as usize / 8;
        }
    }
    let before = rest.iter().position(is_special).unwrap_or(rest.len());
    8 * words.len() + before
}

/// Returns whether the byte is a quote, which ends a string, or a backslash, which begins an
/// escape.
fn is_special(byte: &u8) -> bool {
    matches!(byte, b'"' | b'\\')
}

fn is_scalar(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'+' | b'.')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    /// Keeps every member of the top and of what `input`, `calls`, `both` enter.
    fn plan(parent: &str, key: &str) -> MemberAction {
        match (parent, key) {
            ("", "input" | "calls") => MemberAction::Enter,
            ("", "both") => MemberAction::EnterAndKeep(8),
            ("", "short") => MemberAction::Keep(4),
            ("", "skipped") => MemberAction::Skip,
            _ => MemberAction::Keep(usize::MAX),
        }
    }

    fn scan(bytes: &[u8], piece: usize) -> Scanner {
        let mut scan = Scanner::new(plan);
        for piece in bytes.chunks(piece) {
            scan.feed(piece);
        }
        scan
    }

    fn kept(scan: &Scanner) -> Vec<(String, usize, String, Value)> {
        let value =
            |member: &ScannedMember| serde_json::from_slice(&member.text).unwrap_or(Value::Null);
        let entered = |member: &&ScannedMember| {
            !(member.parent.is_empty() && matches!(&*member.key, "input" | "calls"))
        };
        let row = |member: &ScannedMember| {
            (
                member.parent.clone(),
                member.element,
                member.key.clone(),
                value(member),
            )
        };
        scan.members.iter().filter(entered).map(row).collect()
    }

    #[test]
    fn keeps_what_is_asked_for_and_counts_it() {
        let text =
            br#"{"a": "x\"y", "skipped": {"a": [1, {"a": 2}]}, "input": {"a": 1, "b": {"c": 2}},
            "calls": [{"a": 1}, 7, [{"a": 9}], {"a": 2}], "short": "0123456789", "n": -1.5e3 }"#;
        for piece in 1..text.len() {
            let scan = scan(text, piece);
            assert_eq!(scan.progress(), Progress::Complete);
            let rows = kept(&scan);
            let short: Vec<String> = rows
                .iter()
                .map(|(p, e, k, v)| format!("{p}{e}{k}={v}"))
                .collect();
            assert_eq!(
                short,
                [
                    r#"0a="x\"y""#,
                    "input0a=1",
                    r#"input0b={"c":2}"#,
                    "calls0a=1",
                    "calls1a=2",
                    "0short=null",
                    "0n=-1500.0"
                ],
                "in pieces of {piece}"
            );
            let short = scan
                .members
                .iter()
                .find(|member| member.key == "short")
                .unwrap();
            assert_eq!(
                (short.text.as_slice(), short.size, short.is_whole()),
                (&b"\"012"[..], 12, false)
            );
        }
    }

    #[test]
    fn a_nested_object_and_its_members_can_both_be_kept() {
        let scan = scan(br#"{"both": {"a": [1, 2], "b": {"a": 3}}, "z": 0}"#, 5);
        let rows: Vec<_> = scan
            .members
            .iter()
            .map(|m| (m.parent.as_str(), m.key.as_str(), m.text.as_slice(), m.size))
            .collect();
        assert_eq!(
            rows,
            [
                ("both", "a", &b"[1, 2]"[..], 6),
                ("both", "b", br#"{"a": 3}"#, 8),
                ("", "both", br#"{"a": [1"#, 28),
                ("", "z", b"0", 1),
            ]
        );
    }

    #[track_caller]
    fn check(text: &str, progress: Progress) {
        assert_eq!(scan(text.as_bytes(), 3).progress(), progress, "{text}");
    }

    #[test]
    fn tells_open_complete_and_broken_apart() {
        check("", Progress::Open);
        check("  {", Progress::Open);
        check(r#"{"a":"#, Progress::Open);
        check(r#"{"a":1"#, Progress::Open);
        check("{}", Progress::Complete);
        check("{} and more", Progress::Complete);
        for broken in [
            "[]",
            "x",
            "\"a\"",
            "1",
            "{]",
            "{,}",
            "{1:2}",
            r#"{"a" 1}"#,
            r#"{"a":}"#,
            r#"{"a":[}"#,
            "\0",
            "\u{feff}{}",
        ] {
            check(broken, Progress::Broken);
        }
    }

    #[test]
    fn nesting_is_followed_to_128_levels() {
        let nested = |levels: usize| format!("{}{}", r#"{"a":"#.repeat(levels), "1");
        check(&nested(MAX_DEPTH), Progress::Open);
        check(&nested(MAX_DEPTH + 1), Progress::Broken);
        check(
            &format!("{{\"a\":{}", "[".repeat(MAX_DEPTH)),
            Progress::Broken,
        );
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 64, 6, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                proptest::collection::btree_map("[a-z]{1,3}|input|calls", inner, 0..6)
                    .prop_map(|map| map.into_iter().collect::<Value>()),
            ]
        })
    }

    proptest! {
        #[test]
        fn agrees_with_serde_json(
            map in proptest::collection::btree_map("[a-z]{1,3}|input|calls|skipped", any_json(), 0..8),
            pretty in any::<bool>(),
            piece in 1usize..50,
        ) {
            let value: Value = map.into_iter().collect();
            let text = if pretty { serde_json::to_vec_pretty(&value) } else { serde_json::to_vec(&value) }.unwrap();
            let scan = scan(&text, piece);
            prop_assert_eq!(scan.progress(), Progress::Complete);
            let mut expected = Vec::new();
            for (key, value) in value.as_object().unwrap() {
                match (key.as_str(), value) {
                    ("skipped", _) => {}
                    ("input" | "calls", Value::Object(inner)) => {
                        expected.extend(inner.iter().map(|(k, v)| (key.clone(), 0, k.clone(), v.clone())));
                    }
                    ("input" | "calls", Value::Array(elements)) => {
                        let objects = elements.iter().filter_map(Value::as_object).enumerate();
                        let rows = objects.flat_map(|(e, o)| o.iter().map(move |(k, v)| (key.clone(), e, k.clone(), v.clone())));
                        expected.extend(rows);
                    }
                    ("input" | "calls", _) => {}
                    _ => expected.push((String::new(), 0, key.clone(), value.clone())),
                }
            }
            prop_assert_eq!(kept(&scan), expected);
        }

        #[test]
        fn the_first_special_byte_is_found(
            bytes in proptest::collection::vec(prop_oneof![any::<u8>(), 0x20u8..0x24, 0x5au8..0x5e, 0xa0u8..0xa4, 0xdau8..0xde], 0..40),
        ) {
            prop_assert_eq!(plain(&bytes), bytes.iter().position(is_special).unwrap_or(bytes.len()));
        }

        #[test]
        fn any_bytes_in_any_pieces_are_read_alike(bytes in proptest::collection::vec(any::<u8>(), 0..200), piece in 1usize..20) {
            let (whole, pieces) = (scan(&bytes, 1000), scan(&bytes, piece));
            prop_assert_eq!(whole.progress(), pieces.progress());
            prop_assert_eq!(whole.size(), bytes.len() as u64);
            prop_assert_eq!(whole.members, pieces.members);
        }
    }
}
