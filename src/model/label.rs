//! Makes labels for people, which the journal stores as the member `what`. The label of a tool call
//! comes from inputs that are safe to show, that of a prompt from its beginning.

use super::redact::Redactor;
use super::text::{one_line, without_last_word};

/// The longest label, in characters.
pub const MAX_CHARS: usize = 160;

/// How many bytes at the beginning of a text are used for a label.
pub const PART: usize = 4 * MAX_CHARS;

/// The longest session name, in characters.
const MAX_NAME: usize = 120;

/// The tool inputs from which a label may be made, the most specific first. All other inputs stay
/// out of the journal.
pub const INPUTS: [&str; 7] = [
    "file_path",
    "notebook_path",
    "description",
    "pattern",
    "url",
    "skill",
    "subagent_type",
];

/// Returns the label for the first of [`INPUTS`] that `input` has, with secrets redacted. Returns
/// `None` if it has none of them.
pub fn label<'a>(
    input: impl Fn(&str) -> Option<&'a str>,
    redactor: &mut Redactor,
) -> Option<String> {
    let (key, value) = INPUTS
        .iter()
        .find_map(|key| input(key).map(|value| (*key, value)))?;
    let shown = if key == "url" { host(value) } else { value };
    let line = one_line(&redactor.text(shown), MAX_CHARS);
    (!line.is_empty()).then_some(line)
}

/// Returns the part of a text that is used for a label. `is_whole` says whether `text` is complete.
/// A text that was cut loses its last word, which may be half of a secret.
pub fn beginning(text: &str, is_whole: bool) -> &str {
    let kept = text
        .get(..text.floor_char_boundary(PART))
        .unwrap_or_default();
    match is_whole && kept.len() == text.len() {
        true => kept,
        false => without_last_word(kept),
    }
}

/// Returns the label of a prompt: its beginning on one line, with secrets redacted. Returns `None`
/// if the prompt has no text. `is_whole` says whether `prompt` is complete.
pub fn prompt_label(prompt: &str, is_whole: bool, redactor: &mut Redactor) -> Option<String> {
    bounded(prompt, is_whole, MAX_CHARS, redactor)
}

/// Returns a session's name from a title that somebody gave it, with secrets redacted. Returns
/// `None` if the title has no text.
pub fn session_name(title: &str) -> Option<String> {
    bounded(title, true, MAX_NAME, &mut Redactor::default())
}

/// Returns at most `max` characters of a text on one line. A text that was cut ends in `…`.
fn bounded(text: &str, is_whole: bool, max: usize, redactor: &mut Redactor) -> Option<String> {
    let kept = beginning(text, is_whole);
    let is_cut = !is_whole || kept.len() < text.len();
    let line = one_line(&redactor.text(kept), max);
    if line.is_empty() {
        return None;
    }
    if !is_cut || line.ends_with('…') {
        return Some(line);
    }
    let room: String = line.chars().take(max.saturating_sub(1)).collect();
    Some(format!("{}…", room.trim_end()))
}

/// Returns the host of a URL. The path and the query may contain anything, so they are dropped.
fn host(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#', '\\']).next().unwrap_or_default();
    authority.rsplit('@').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(inputs: &[(&str, &'static str)]) -> Option<String> {
        let input = |key: &str| {
            let mut inputs = inputs.iter();
            inputs
                .find(|(name, _)| *name == key)
                .map(|(_, value)| *value)
        };
        label(input, &mut Redactor::default())
    }

    #[test]
    fn only_listed_inputs_are_shown() {
        assert_eq!(
            of(&[("command", "rm -rf /"), ("description", "Clean up")]).as_deref(),
            Some("Clean up")
        );
        assert_eq!(of(&[("command", "rm -rf /")]), None);
        assert_eq!(of(&[("description", " \n ")]), None);
    }

    #[test]
    fn only_the_host_of_a_url_is_shown() {
        assert_eq!(
            of(&[("url", "https://bob:pw@example.com:8080/a?token=x")]).as_deref(),
            Some("example.com:8080")
        );
        assert_eq!(
            of(&[("url", "example.com/secret")]).as_deref(),
            Some("example.com")
        );
    }
}
