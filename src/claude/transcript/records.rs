//! Finds the records in a line of a transcript.
//!
//! Claude Code writes one JSON object a line. A crash, a full disk or two writers at once may leave
//! something else: several records on one line, half a record followed by a whole one, zeros, or a
//! byte order mark. Every reader of transcripts uses this module, so that a whole record is read
//! whatever surrounds it.

use serde::Deserialize;

use super::line::{LazyMember, TranscriptLine};

/// How much of a damaged line is read in total, as a multiple of its length. If an object has no
/// end, each object in it is tried in turn, and each attempt may read the rest of the line.
const MAX_EFFORT: usize = 16;
/// How many bytes are read in total of any damaged line, even a very short one.
const LEAST_EFFORT: usize = 1 << 16;
const BYTE_ORDER_MARK: char = '\u{feff}';

/// A stretch of a line. All stretches together make up the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordPart<'a> {
    /// A whole record.
    Record(&'a str),
    /// The text before, between and after records.
    Rest(&'a str),
}

impl RecordPart<'_> {
    /// Returns true if the stretch is lost data: more than spaces, zeros, byte order marks and the
    /// separators of a list.
    pub fn is_damage(self) -> bool {
        let is_blank = |c: char| {
            c.is_ascii_whitespace() || matches!(c, '\0' | BYTE_ORDER_MARK | '[' | ',' | ']')
        };
        matches!(self, Self::Rest(rest) if !rest.chars().all(is_blank))
    }
}

/// Reads all records of a line, and returns the number of damaged stretches.
pub fn read(line: &[u8], mut record: impl FnMut(&TranscriptLine<'_>)) -> u64 {
    read_as(line, |json| match TranscriptLine::decode(json) {
        Some(line) => {
            record(&line);
            true
        }
        None => false,
    })
}

/// Reads a line as [`read`] does, for a reader with its own record type. `record` gets the JSON
/// text of each record, and returns whether it could be decoded. A line that is one record, as
/// nearly all are, is decoded once.
pub fn read_as(line: &[u8], mut record: impl FnMut(&str) -> bool) -> u64 {
    // Invalid UTF-8 is replaced, so that it does not spoil the record around it.
    let line = String::from_utf8_lossy(line);
    // The check for `{` is needed, because the decoder would also accept a list.
    if line.trim_ascii_start().starts_with('{') && record(&line) {
        return 0;
    }
    let mut damaged = 0;
    for part in split(&line) {
        let is_lost = match part {
            RecordPart::Record(json) => !record(json),
            RecordPart::Rest(_) => part.is_damage(),
        };
        damaged += u64::from(is_lost);
    }
    damaged
}

/// Divides a line into its records and the rest.
pub fn split(line: &str) -> Vec<RecordPart<'_>> {
    let mut parts = Vec::new();
    let mut effort = (line.len() * MAX_EFFORT).max(LEAST_EFFORT);
    let (mut rest_from, mut from) = (0, 0);
    while let Some(start) = next_object(line, from).filter(|_| effort > 0) {
        match object_at(line, start) {
            Ok(end) if is_record(line, start, end) => {
                push_rest(&mut parts, line, rest_from, start);
                parts.extend(line.get(start..end).map(RecordPart::Record));
                (rest_from, from) = (end, end);
                effort = effort.saturating_sub(end - start);
            }
            // This object is a part of a record whose beginning or end is lost.
            Ok(end) => {
                from = end;
                effort = effort.saturating_sub(end - start);
            }
            // A truncated record may contain a whole one, which was written after the first half.
            Err(read) => {
                from = start + 1;
                effort = effort.saturating_sub(read.max(1));
            }
        }
    }
    push_rest(&mut parts, line, rest_from, line.len());
    parts
}

fn push_rest<'a>(parts: &mut Vec<RecordPart<'a>>, line: &'a str, from: usize, to: usize) {
    let rest = line.get(from..to).filter(|rest| !rest.is_empty());
    parts.extend(rest.map(RecordPart::Rest));
}

/// Returns the start of the next object that has a member, at or after `from`.
fn next_object(line: &str, mut from: usize) -> Option<usize> {
    loop {
        let rest = line.as_bytes().get(from..)?;
        let start = from + memchr::memchr(b'{', rest)?;
        let inside = line.get(start + 1..)?.trim_ascii_start();
        if inside.starts_with('"') {
            return Some(start);
        }
        from = start + 1;
    }
}

/// Returns the end of the object that begins at `start`. The error is the number of bytes that were
/// read without finding an end.
fn object_at(line: &str, start: usize) -> Result<usize, usize> {
    let rest = line.get(start..).unwrap_or_default();
    let mut values = serde_json::Deserializer::from_str(rest).into_iter::<serde::de::IgnoredAny>();
    match values.next() {
        Some(Ok(_)) => Ok(start + values.byte_offset()),
        Some(Err(err)) => Err(err.column()),
        None => Err(rest.len()),
    }
}

/// Returns true if the object between `start` and `end` is a whole record. It may also be a part of
/// a damaged record.
fn is_record(line: &str, start: usize, end: usize) -> bool {
    /// The members that distinguish a record from a message or a block; those have a type, too.
    #[derive(Default, Deserialize)]
    #[serde(default, rename_all = "camelCase")]
    struct RecordHead<'a> {
        #[serde(borrow, rename = "type")]
        kind: LazyMember<'a>,
        #[serde(borrow)]
        session_id: LazyMember<'a>,
        #[serde(borrow)]
        uuid: LazyMember<'a>,
        #[serde(borrow)]
        timestamp: LazyMember<'a>,
        #[serde(borrow)]
        leaf_uuid: LazyMember<'a>,
        #[serde(borrow)]
        message_id: LazyMember<'a>,
    }
    let head: RecordHead<'_> = line
        .get(start..end)
        .and_then(|json| serde_json::from_str(json).ok())
        .unwrap_or_default();
    if head.kind.text().is_none() {
        return false;
    }
    // Claude Code puts the session's id into every record of a conversation, and never deeper in
    // it.
    if head.session_id.text().is_some() {
        return true;
    }
    let behind = line.get(end..).unwrap_or_default().trim_ascii_start();
    let goes_on = behind.starts_with([',', '}', ']']);
    let names = [head.uuid, head.timestamp, head.leaf_uuid, head.message_id];
    !goes_on && names.into_iter().any(|name| name.text().is_some())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const USER: &str = r#"{"parentUuid":null,"type":"user","message":{"role":"user","content":[{"type":"text","text":"a {\"b\"} c"}]},"uuid":"u1","sessionId":"s-1","timestamp":"2026-11-20T12:00:01.000Z"}"#;
    const ANSWER: &str = r#"{"type":"assistant","message":{"id":"m1","type":"message","content":[{"type":"text","text":"yes"}],"usage":{"input_tokens":1}},"uuid":"u2","sessionId":"s-1","timestamp":"2026-11-20T12:00:02.000Z"}"#;
    const SUMMARY: &str = r#"{"type":"summary","summary":"A title","leafUuid":"u1"}"#;

    fn records(line: &[u8]) -> (Vec<String>, u64) {
        let mut found = Vec::new();
        let damaged = read_as(line, |json| {
            let is_one = serde_json::from_str::<serde_json::Value>(json).is_ok();
            found.extend(is_one.then(|| json.trim().to_owned()));
            is_one
        });
        (found, damaged)
    }

    #[track_caller]
    fn check(line: impl AsRef<[u8]>, expected: &[&str], damaged: u64) {
        let (found, lost) = records(line.as_ref());
        assert_eq!(found, expected);
        assert_eq!(lost, damaged);
    }

    #[test]
    fn whole_records_are_read_whatever_stands_around_them() {
        let zeros = "\0".repeat(4096);
        check(USER, &[USER], 0);
        check(format!("{USER}\r"), &[USER], 0);
        check(
            format!("{USER}{ANSWER}{SUMMARY}"),
            &[USER, ANSWER, SUMMARY],
            0,
        );
        check(format!("{USER} \r\t{ANSWER}"), &[USER, ANSWER], 0);
        check(
            format!("\u{feff}{USER}\u{feff}{ANSWER}"),
            &[USER, ANSWER],
            0,
        );
        check(
            format!("{zeros}{USER}{zeros}{ANSWER}{zeros}"),
            &[USER, ANSWER],
            0,
        );
        check(format!("[{USER},{ANSWER}]"), &[USER, ANSWER], 0);
        check(format!("2026-11-20 log: {USER} # end"), &[USER], 2);
        check("[1]", &[], 1);
        check(zeros, &[], 0);
        check("", &[], 0);
        check("{}", &["{}"], 0);
        check("no record", &[], 1);
        check(&USER[..USER.len() - 1], &[], 1);
    }

    #[test]
    fn a_record_behind_half_of_another_is_read_wherever_that_was_cut() {
        for half in [USER, ANSWER, SUMMARY] {
            for cut in 1..half.len() {
                check(format!("{}{ANSWER}", &half[..cut]), &[ANSWER], 1);
                check(
                    format!("{}{USER}{SUMMARY}", &half[..cut]),
                    &[USER, SUMMARY],
                    1,
                );
                check(format!("{}\0\0{ANSWER}", &half[..cut]), &[ANSWER], 1);
                check(format!("{ANSWER}{}", &half[..cut]), &[ANSWER], 1);
                check(format!("{}{ANSWER}", &half[cut..]), &[ANSWER], 1);
                check(format!("{ANSWER}{}", &half[cut..]), &[ANSWER], 1);
                let within = format!("{}{ANSWER}{}", &half[..cut], &half[cut..]);
                let (found, _) = records(within.as_bytes());
                assert!(found.contains(&ANSWER.to_owned()), "{within}");
            }
        }
    }

    #[test]
    fn invalid_utf_8_spoils_only_itself() {
        let mut line = USER.replace("a {", "a X{").into_bytes();
        let place = line.iter().position(|byte| *byte == b'X').unwrap();
        line[place] = 0xe9;
        check(&line, &[&USER.replace("a {", "a \u{fffd}{")], 0);
        line.extend_from_slice(b"\xff\xfe");
        line.extend_from_slice(ANSWER.as_bytes());
        check(&line, &[&USER.replace("a {", "a \u{fffd}{"), ANSWER], 1);
    }

    #[test]
    fn deep_nesting_does_not_slow_the_search() {
        let nested = r#"{"a":"#.repeat(200_000);
        assert_eq!(records(format!("{nested}{ANSWER}").as_bytes()).1, 1);
    }

    proptest! {
        #[test]
        fn the_parts_are_the_line(
            pieces in proptest::collection::vec(
                prop_oneof![Just(USER.to_owned()), Just(SUMMARY.to_owned()), "[{}\",:\\[\\]a\0 ]{0,12}"], 0..8)
        ) {
            let line = pieces.concat();
            let text = |part| match part {
                RecordPart::Record(text) | RecordPart::Rest(text) => text,
            };
            let all: String = split(&line).into_iter().map(text).collect();
            prop_assert_eq!(all, line);
        }

        #[test]
        fn no_bytes_stop_it(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            read(&bytes, |_| {});
        }
    }
}
