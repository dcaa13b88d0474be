//! The purpose of a session: role, focus and notes as the record contains them, and the focus that
//! a branch's name suggests.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::redact::redact;
use super::text::one_line;
use super::time::Timestamp;

/// The longest name, role, focus and command that are kept, in characters.
pub const MAX_TEXT: usize = 120;

/// The longest note that is kept, in characters.
const MAX_NOTE: usize = 2000;

/// The most digits of an issue's number. A longer number is not an issue's.
const MAX_NUMBER: usize = 10;

/// The focus if none is given or found.
pub const GENERAL: &str = "general";

/// The words that name a kind of work, before the `/` in a branch's name.
const KINDS: [&str; 21] = [
    "bug", "bugfix", "build", "chore", "ci", "doc", "docs", "feat", "feature", "fix", "hotfix",
    "lint", "perf", "refactor", "release", "revert", "spike", "style", "task", "test", "tests",
];

/// The source of a focus.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum FocusSource {
    /// The user gave it.
    Given,
    /// The record contained it already.
    Kept,
    /// The name of the branch suggested it.
    Branch,
    /// No focus was given or found.
    Default,
}

impl FocusSource {
    /// Returns the source in words for people.
    pub fn for_people(self) -> &'static str {
        match self {
            Self::Given => "as given",
            Self::Kept => "kept",
            Self::Branch => "from the branch",
            Self::Default => "by default",
        }
    }
}

/// Turns a text about a session into one safe line without secrets. Returns `None` if nothing is
/// left of it.
pub fn said(text: &str) -> Option<String> {
    Some(one_line(&redact(text), MAX_TEXT)).filter(|text| !text.is_empty())
}

/// Returns the focus and its source: the given one, else the recorded one, else that of the branch,
/// else [`GENERAL`].
pub fn focus(
    given: Option<&str>,
    kept: Option<&str>,
    branch: Option<&str>,
) -> (String, FocusSource) {
    let given = given.and_then(said).map(|text| (text, FocusSource::Given));
    let kept = kept.filter(|text| !text.trim().is_empty());
    let kept = || Some((kept?.to_owned(), FocusSource::Kept));
    let by_branch = || Some((focus_of_branch(branch?)?, FocusSource::Branch));
    given
        .or_else(kept)
        .or_else(by_branch)
        .unwrap_or_else(|| (GENERAL.to_owned(), FocusSource::Default))
}

/// Returns the focus from a branch's name: `issue-12` for `12-fix-it`, `fix/#12` or `issue/12`, and
/// `feat: login` for `feat/login`. Returns `None` for any other name.
pub fn focus_of_branch(branch: &str) -> Option<String> {
    if let Some(number) = issue(branch) {
        return Some(format!("issue-{number}"));
    }
    let (kind, rest) = branch.split_once('/')?;
    let is_kind = KINDS.contains(&kind.to_ascii_lowercase().as_str());
    let rest = said(rest).filter(|_| is_kind)?;
    said(&format!("{kind}: {rest}"))
}

/// Returns the number of the issue in a branch's name, if it has one.
fn issue(branch: &str) -> Option<&str> {
    let leading = number_at(branch).filter(|number| !is_date(branch, number));
    leading
        .or_else(|| {
            let marks = branch.match_indices('#');
            marks
                .filter_map(|(at, mark)| number_at(branch.get(at + mark.len()..)?))
                .next()
        })
        .or_else(|| after_word(branch))
}

/// Returns the issue's number after the word `issue` or `issues`.
fn after_word(branch: &str) -> Option<&str> {
    let lower = branch.to_ascii_lowercase();
    lower.match_indices("issue").find_map(|(at, word)| {
        let before = branch.get(..at)?.chars().next_back();
        if before.is_some_and(char::is_alphanumeric) {
            return None;
        }
        let rest = branch.get(at + word.len()..)?;
        let rest = rest.strip_prefix(['s', 'S']).unwrap_or(rest);
        number_at(rest.strip_prefix(['-', '/', '_']).unwrap_or(rest))
    })
}

/// Returns the number that `text` begins with, if it is a separate word.
fn number_at(text: &str) -> Option<&str> {
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, rest) = text.split_at_checked(end)?;
    let is_number = (1..=MAX_NUMBER).contains(&number.len());
    let is_word = rest.is_empty() || rest.starts_with(['-', '_', '/']);
    (is_number && is_word).then_some(number)
}

/// Returns true if `branch`, which begins with `number`, begins with a date.
fn is_date(branch: &str, number: &str) -> bool {
    let month = branch
        .get(number.len()..)
        .and_then(|rest| number_at(rest.get(1..)?));
    number.len() == 4 && month.is_some_and(|month| month.len() == 2)
}

/// Adds `more` to a record's notes, with the time `at`, and returns all notes. If the record had
/// something other than a list, that becomes the first entry and is returned as well. A text that
/// is empty after cleaning is dropped.
pub fn with_notes(
    present: Option<Value>,
    more: &[String],
    at: Timestamp,
) -> (Option<Value>, Option<Value>) {
    let written = more.iter().map(|text| one_line(&redact(text), MAX_NOTE));
    let mut written = written.filter(|text| !text.is_empty()).peekable();
    if written.peek().is_none() {
        return (present, None);
    }
    let (mut notes, other) = match present {
        None => (Vec::new(), None),
        Some(Value::Array(notes)) => (notes, None),
        Some(other) => (vec![other.clone()], Some(other)),
    };
    notes.extend(written.map(|text| json!({"at": at, "text": text})));
    (Some(Value::Array(notes)), other)
}

/// One of a record's notes.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Note {
    /// When the note was written.
    pub at: Timestamp,
    /// The text of the note.
    pub text: String,
}

/// Returns a record's notes, the oldest first. A note of another shape is returned as its JSON.
pub fn notes(present: Option<&Value>) -> Vec<Result<Note, &Value>> {
    let listed = match present {
        None => &[],
        Some(Value::Array(notes)) => notes.as_slice(),
        Some(other) => std::slice::from_ref(other),
    };
    let read = |note| Note::deserialize(note).map_err(|_| note);
    listed.iter().map(read).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_branch_says_its_issue_or_its_kind_of_work_or_nothing() {
        for (branch, focus) in [
            ("#12", Some("issue-12")),
            ("12", Some("issue-12")),
            ("12-fix-x", Some("issue-12")),
            ("issue-12", Some("issue-12")),
            ("issue/12", Some("issue-12")),
            ("Issue/12-login", Some("issue-12")),
            ("issues/12", Some("issue-12")),
            ("issue_12", Some("issue-12")),
            ("issue12", Some("issue-12")),
            ("fix/#12-login", Some("issue-12")),
            ("fix/issue-12", Some("issue-12")),
            ("feat/x", Some("feat: x")),
            ("fix/x", Some("fix: x")),
            ("fix/ci-337", Some("fix: ci-337")),
            ("feat/auth/login", Some("feat: auth/login")),
            ("Docs/readme", Some("Docs: readme")),
            ("feat/\u{1b}[31m", Some("feat: [31m")),
            ("feat/\u{7}", None),
            ("feat/", None),
            ("main", None),
            ("master", None),
            ("develop", None),
            ("alice/login", None),
            ("2026-11-20-notes", None),
            ("12.1-stable", None),
            ("12abc", None),
            ("tissue-12", None),
            ("issue-12a", None),
            ("123456789012-x", None),
            ("#", None),
            ("", None),
        ] {
            assert_eq!(focus_of_branch(branch).as_deref(), focus, "{branch:?}");
        }
    }

    #[test]
    fn a_given_focus_beats_the_recorded_one_which_beats_the_branch() {
        let (given, kept, branch) = (Some(" a\nb "), Some("kept"), Some("feat/x"));
        let of = |given, kept, branch| {
            let (text, source) = focus(given, kept, branch);
            (text, source)
        };
        let is = |text: &str, source| (text.to_owned(), source);
        assert_eq!(of(given, kept, branch), is("a b", FocusSource::Given));
        assert_eq!(
            of(Some("\u{1b}"), kept, branch),
            is("kept", FocusSource::Kept)
        );
        assert_eq!(of(None, None, branch), is("feat: x", FocusSource::Branch));
        for branch in [Some("main"), None] {
            assert_eq!(of(None, None, branch), is("general", FocusSource::Default));
        }
    }

    #[test]
    fn a_note_is_added_and_what_was_there_stays() {
        let at = Timestamp::from_unix(1_800_000_000, 0);
        let note = |text: &str| json!({"at": at, "text": text});
        let more = ["two\nlines".to_owned(), "\u{7} ".to_owned()];
        let added = |present| with_notes(present, &more, at);
        assert_eq!(added(None), (Some(json!([note("two lines")])), None));
        let one = json!([note("one")]);
        assert_eq!(
            added(Some(one)).0,
            Some(json!([note("one"), note("two lines")]))
        );
        let text = json!("as a text");
        let (notes, other) = added(Some(text.clone()));
        assert_eq!(notes, Some(json!([text, note("two lines")])));
        assert_eq!(other, Some(text.clone()));
        assert_eq!(
            with_notes(Some(text.clone()), &[], at),
            (Some(text.clone()), None)
        );
        let read = super::notes(notes.as_ref());
        assert_eq!(read[0], Err(&text));
        assert_eq!(read[1].as_ref().unwrap().text, "two lines");
    }

    #[test]
    fn no_secret_is_kept() {
        let secret = format!("ghp_{}", "a1B2".repeat(9));
        assert!(!said(&format!("rotate {secret}")).unwrap().contains(&secret));
        let (notes, _) = with_notes(
            None,
            std::slice::from_ref(&secret),
            Timestamp::from_unix(0, 0),
        );
        assert!(!notes.unwrap().to_string().contains(&secret));
    }

    proptest! {
        #[test]
        fn a_focus_is_one_bounded_line(branch in any::<String>(), given in any::<String>()) {
            for (text, _) in [focus(Some(&given), None, None), focus(None, None, Some(&branch))] {
                prop_assert!(!text.is_empty());
                prop_assert!(text.chars().count() <= MAX_TEXT);
                prop_assert_eq!(one_line(&text, MAX_TEXT), text);
            }
        }
    }
}
