//! Cuts and redacts the bodies (inputs, outputs, prompts) that the journal keeps under `capture =
//! "full"`.
//!
//! A body that is too long is cut to the beginning of its JSON text. The open strings and
//! containers are then closed, so that the rest is valid JSON with the members before the cut. A
//! string that was cut also loses its last word, which may be half of a secret.

use serde_json::Value;

use super::scan::ScannedMember;
use crate::model::redact::Redactor;
use crate::model::text::{without_last_word, without_lone_surrogates};

/// The largest body that the journal keeps, in bytes of JSON text.
pub(super) const MAX_BYTES: usize = 64 * 1024;
/// The most that all bodies of one event may take together, in bytes. Readers treat a journal line
/// above 1 MiB as torn. Also, readers that look only at the end of a journal must find a few lines
/// there.
const MAX_TOGETHER: usize = 2 * MAX_BYTES;

/// Collects the bodies of one event within one budget of bytes.
pub(super) struct Bodies<'r> {
    redactor: &'r mut Redactor,
    room: usize,
    cut: Vec<String>,
}

impl<'r> Bodies<'r> {
    pub(super) fn new(redactor: &'r mut Redactor) -> Self {
        Self {
            redactor,
            room: MAX_TOGETHER,
            cut: Vec::new(),
        }
    }

    /// Returns the redacted body `name` of the event, cut to what is left of the budget.
    pub(super) fn take(&mut self, name: &str, member: &ScannedMember) -> Option<Value> {
        let text = String::from_utf8_lossy(&member.text);
        let whole = member.is_whole().then(|| read(&text)).flatten();
        let mut is_cut = whole.is_none();
        let mut body = whole.or_else(|| beginning(&text, MAX_BYTES));
        if let Some(body) = &mut body {
            self.redactor.value(body);
        }
        // The text may have grown: `[redacted:…]` can be longer than the secret, and a number can
        // be written with more digits. So measure it again.
        let most = MAX_BYTES.min(self.room);
        let text = body.as_ref().map_or_else(String::new, Value::to_string);
        if text.len() > most {
            is_cut = true;
            body = beginning(&text, most);
        }
        self.room = self.room.saturating_sub(text.len().min(most));
        if is_cut {
            self.cut.push(name.to_owned());
        }
        body
    }

    /// Returns the names of the bodies that were cut.
    pub(super) fn into_cut(self) -> Vec<String> {
        self.cut
    }
}

fn read(text: &str) -> Option<Value> {
    let read = serde_json::from_str(text);
    read.or_else(|_| serde_json::from_str(&without_lone_surrogates(text)))
        .ok()
}

/// Cuts a JSON text to at most `most` bytes, and returns it as a value.
fn beginning(text: &str, most: usize) -> Option<Value> {
    let cut = text.get(..text.floor_char_boundary(most))?;
    read(&closed(cut)?)
}

/// Turns the beginning of a JSON text into valid JSON by closing what is open. Drops an incomplete
/// number and a name without a value. Drops the last word of an incomplete string.
fn closed(cut: &str) -> Option<String> {
    let mut open = Vec::new();
    // The last position at which a value was complete, and the number of containers open there.
    let mut whole = (0, 0);
    let mut at = 0;
    while let Some(&byte) = cut.as_bytes().get(at) {
        let start = at;
        at += 1;
        match byte {
            b'{' | b'[' => {
                open.push(byte);
                whole = (at, open.len());
            }
            b'}' | b']' => {
                open.pop();
                whole = (at, open.len());
            }
            b'"' => match string_end(cut, at) {
                Some(end) => {
                    at = end;
                    let is_name = open.last() == Some(&b'{') && !follows_colon(cut, start);
                    if !is_name {
                        whole = (at, open.len());
                    }
                }
                None if open.last() == Some(&b'{') && !follows_colon(cut, start) => break,
                None => return Some(with_text(cut, start, &open)),
            },
            // A comma proves that the number or word before it is complete.
            b',' => whole = (start, open.len()),
            _ => {}
        }
    }
    let (end, depth) = whole;
    open.truncate(depth);
    let text = cut.get(..end).filter(|text| !text.is_empty())?;
    Some(format!("{text}{}", closing(&open)))
}

/// Closes a text that was cut within a string. The string begins at `start`.
fn with_text(cut: &str, start: usize, open: &[u8]) -> String {
    let raw = cut.get(start..).unwrap_or_default();
    let text: String = unescaped(raw).unwrap_or_default();
    let shown = Value::String(without_last_word(&text).to_owned());
    let before = cut.get(..start).unwrap_or_default();
    format!("{before}{shown}{}", closing(open))
}

/// Decodes the text of a string that was cut. The cut may be within an escape, so the last few
/// bytes are dropped until the rest decodes.
fn unescaped(raw: &str) -> Option<String> {
    const LONGEST_ESCAPE: usize = r"\ud83d\ude00".len();
    (0..LONGEST_ESCAPE).find_map(|less| {
        let kept = raw.get(..raw.len().checked_sub(less)?)?;
        let text = format!("{}\"", without_lone_surrogates(kept));
        serde_json::from_str(&text).ok()
    })
}

fn closing(open: &[u8]) -> String {
    let close = |byte: &u8| if *byte == b'{' { '}' } else { ']' };
    open.iter().rev().map(close).collect()
}

/// Returns the position after the closing quote of the string whose content begins at `at`.
fn string_end(text: &str, at: usize) -> Option<usize> {
    let mut escaped = false;
    let end = text.as_bytes().get(at..)?.iter().position(|&byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    })?;
    Some(at + end + 1)
}

fn follows_colon(text: &str, at: usize) -> bool {
    let before = text.get(..at).unwrap_or_default();
    before.trim_ascii_end().ends_with(':')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn member(text: &str, keep: usize) -> ScannedMember {
        ScannedMember {
            parent: String::new(),
            element: 0,
            key: "tool_input".to_owned(),
            text: text.as_bytes().iter().copied().take(keep).collect(),
            size: text.len() as u64,
        }
    }

    #[track_caller]
    fn check(cut: &str, expected: Option<&str>) {
        assert_eq!(closed(cut).as_deref(), expected, "{cut}");
    }

    #[test]
    fn a_cut_text_is_closed_where_it_is_whole() {
        check(r#"{"a":1,"b":2"#, Some(r#"{"a":1}"#));
        check(r#"{"a":[1,{"b":true},"#, Some(r#"{"a":[1,{"b":true}]}"#));
        check(r#"{"a":"x","b"#, Some(r#"{"a":"x"}"#));
        check(r#"{"a":"x","b":"#, Some(r#"{"a":"x"}"#));
        check(r#"{"a":"one two thr"#, Some(r#"{"a":"one two "}"#));
        check(r#"{"a":["x","two wo"#, Some(r#"{"a":["x","two "]}"#));
        check(r#"{"a":"one \u00"#, Some(r#"{"a":"one "}"#));
        check(r#"{"a""#, Some("{}"));
        check(r#""one two"#, Some(r#""one ""#));
        check("{", Some("{}"));
        check("12", None);
        check("", None);
    }

    #[test]
    fn bodies_are_bounded_each_and_together() {
        let mut redactor = Redactor::default();
        let mut bodies = Bodies::new(&mut redactor);
        let long = json!({"a": "pwd=x1z ".repeat(8000)}).to_string();
        let mut total = 0;
        for name in ["input", "output", "prompt", "message", "error_text"] {
            let body = bodies.take(name, &member(&long, usize::MAX));
            total += body.map_or(0, |body| body.to_string().len());
        }
        assert!(
            total <= MAX_TOGETHER && total > MAX_TOGETHER - 1024,
            "{total}"
        );
        assert_eq!(
            bodies.into_cut(),
            ["input", "output", "prompt", "message", "error_text"]
        );
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 5, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                proptest::collection::btree_map(any::<String>(), inner, 0..5)
                    .prop_map(|map| map.into_iter().collect::<Value>()),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_cut_anywhere_is_still_json(value in any_json(), keep in any::<proptest::sample::Index>()) {
            let text = value.to_string();
            let keep = keep.index(text.len() + 1);
            let mut redactor = Redactor::default();
            let mut bodies = Bodies::new(&mut redactor);
            let body = bodies.take("input", &member(&text, keep));
            if keep == text.len() {
                prop_assert!(body.is_some());
            } else if value.is_object() && keep > 0 {
                prop_assert!(body.is_some_and(|body| body.is_object()));
                prop_assert_eq!(bodies.into_cut(), ["input"]);
            }
        }

        #[test]
        fn a_secret_that_is_cut_is_redacted_whole(before in 0usize..400, keep in 0usize..500, wide in any::<bool>()) {
            let secret = format!("ghp_{}", "a1B2c3D4e5".repeat(4));
            let gap = if wide { "x" } else { " " };
            let text = json!({"a": format!("{} {gap}{secret} after", "z ".repeat(before / 2))}).to_string();
            let mut redactor = Redactor::default();
            let body = Bodies::new(&mut redactor).take("input", &member(&text, keep));
            prop_assert!(!body.is_some_and(|body| body.to_string().contains("gh")));
        }
    }
}
