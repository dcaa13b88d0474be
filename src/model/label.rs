//! `what`: a short label of a tool call for people, from inputs that are safe to show.

use super::redact::{Redactor, redact};
use super::text::one_line;

/// The longest label, in characters.
pub const MAX_CHARS: usize = 160;

/// The longest session name, in characters.
const MAX_NAME: usize = 120;

/// The inputs that a label may be made from, the most specific first. All other inputs stay out of
/// the journal.
pub const INPUTS: [&str; 7] = [
    "file_path",
    "notebook_path",
    "description",
    "pattern",
    "url",
    "skill",
    "subagent_type",
];

/// Returns the label for the first of [`INPUTS`] that `input` has, without secrets, or `None` if it
/// has none.
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

/// Returns a session's name from the title that the user gave it.
pub fn session_name(title: &str) -> String {
    one_line(&redact(title), MAX_NAME)
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
    fn of_a_url_only_the_host() {
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
