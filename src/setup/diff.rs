//! Shows a change of a text file as a unified diff that is safe on any terminal.
//!
//! The diff is for people, not for `patch`: control characters are escaped, and line endings are
//! not shown.

use std::fmt::Write;
use std::ops::Range;

use imara_diff::{Algorithm, Diff, Hunk, InternedInput, Token};

use crate::model::text::escaped;

/// How many unchanged lines are shown before and after a change: as many as `diff -u` shows.
const CONTEXT: u32 = 3;

/// Returns the unified diff from `before` to `after`, both named `name`. It is empty if they are
/// the same.
///
/// An empty text stands for a file that does not exist.
pub fn unified(before: &str, after: &str, name: &str) -> String {
    let input = InternedInput::new(before, after);
    let changes: Vec<Hunk> = Diff::compute(Algorithm::MyersMinimal, &input)
        .hunks()
        .collect();
    let mut text = String::new();
    // Show changes together if the unchanged lines around them meet.
    for together in changes.chunk_by(|one, next| next.before.start - one.before.end <= 2 * CONTEXT)
    {
        if text.is_empty() {
            let name = escaped(name);
            text = format!("--- {name}\n+++ {name}\n");
        }
        show(&mut text, &input, together);
    }
    text
}

/// Shows changes that lie close together, with the unchanged lines around and between them.
fn show(text: &mut String, input: &InternedInput<&str>, changes: &[Hunk]) {
    let (Some(first), Some(last)) = (changes.first(), changes.last()) else {
        return;
    };
    let lines_before = u32::try_from(input.before.len()).unwrap_or(u32::MAX);
    let above = CONTEXT.min(first.before.start);
    let below = CONTEXT.min(lines_before - last.before.end);
    let before = first.before.start - above..last.before.end + below;
    let after = first.after.start - above..last.after.end + below;
    // Writing to a string cannot fail.
    let _ = writeln!(text, "@@ -{} +{} @@", counted(&before), counted(&after));
    let mut lines = |sign, tokens: &[Token], range: Range<u32>| {
        for line in tokens
            .get(range.start as usize..range.end as usize)
            .iter()
            .copied()
            .flatten()
        {
            let line = input.interner[*line];
            let _ = writeln!(text, "{sign}{}", shown(line));
            if !line.ends_with('\n') {
                text.push_str("\\ No newline at end of file\n");
            }
        }
    };
    let mut done = before.start;
    for change in changes {
        lines(' ', &input.before, done..change.before.start);
        lines('-', &input.before, change.before.clone());
        lines('+', &input.after, change.after.clone());
        done = change.before.end;
    }
    lines(' ', &input.before, done..before.end);
}

/// Formats a range of lines as `diff -u` counts them.
fn counted(lines: &Range<u32>) -> String {
    match lines.end - lines.start {
        0 => format!("{},0", lines.start),
        1 => format!("{}", lines.start + 1),
        len => format!("{},{len}", lines.start + 1),
    }
}

/// Returns a line without its ending. Keeps tabs, and escapes everything else that could control a
/// terminal.
fn shown(line: &str) -> String {
    let ended = line
        .strip_suffix("\r\n")
        .or_else(|| line.strip_suffix('\n'));
    let parts: Vec<_> = ended.unwrap_or(line).split('\t').map(escaped).collect();
    parts.join("\t")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_texts_have_no_diff() {
        assert_eq!(unified("", "", "f"), "");
        assert_eq!(unified("a\n", "a\n", "f"), "");
    }

    #[test]
    fn three_lines_around_a_change_are_shown() {
        let before = "1\n2\n3\n4\n5\n6\n7\n8\n9\n";
        let after = before.replace('5', "five");
        let expected = "--- f\n+++ f\n@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+five\n 6\n 7\n 8\n";
        assert_eq!(unified(before, &after, "f"), expected);
    }

    #[test]
    fn changes_far_apart_are_hunks_of_their_own() {
        let before = "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n";
        let after = before.replace("1\n2", "one\n2").replace("10", "ten");
        let expected = "--- f\n+++ f\n@@ -1,4 +1,4 @@\n-1\n+one\n 2\n 3\n 4\n\
                        @@ -7,4 +7,4 @@\n 7\n 8\n 9\n-10\n+ten\n";
        assert_eq!(unified(before, &after, "f"), expected);
    }

    #[test]
    fn changes_whose_context_meets_are_one_hunk() {
        let before = "1\n2\n3\n4\n5\n6\n7\n8\n";
        let after = "one\n2\n3\n4\n5\n6\n7\neight\n";
        let expected =
            "--- f\n+++ f\n@@ -1,8 +1,8 @@\n-1\n+one\n 2\n 3\n 4\n 5\n 6\n 7\n-8\n+eight\n";
        assert_eq!(unified(before, after, "f"), expected);
    }

    #[test]
    fn a_new_file_is_all_additions_and_a_deleted_one_all_removals() {
        assert_eq!(
            unified("", "{\n}\n", "f"),
            "--- f\n+++ f\n@@ -0,0 +1,2 @@\n+{\n+}\n"
        );
        assert_eq!(
            unified("{\n}\n", "", "f"),
            "--- f\n+++ f\n@@ -1,2 +0,0 @@\n-{\n-}\n"
        );
    }

    #[test]
    fn a_missing_last_newline_is_said() {
        let expected = "--- f\n+++ f\n@@ -1 +1 @@\n-{}\n\\ No newline at end of file\n\
                        +{\"a\":1}\n\\ No newline at end of file\n";
        assert_eq!(unified("{}", "{\"a\":1}", "f"), expected);
        let expected = "--- f\n+++ f\n@@ -1 +1 @@\n-a\n\\ No newline at end of file\n+a\n";
        assert_eq!(unified("a", "a\n", "f"), expected);
    }

    #[test]
    fn windows_line_endings_send_no_carriage_return_to_the_terminal() {
        let expected = "--- f\n+++ f\n@@ -1,2 +1,3 @@\n {\n+\t1\n }\n";
        assert_eq!(unified("{\r\n}\r\n", "{\r\n\t1\r\n}\r\n", "f"), expected);
    }

    #[test]
    fn what_a_terminal_could_obey_is_escaped() {
        let diff = unified("", "\u{1b}[2J\tx\u{7f}\u{9b}\u{202e}y\rz\n", "a\u{1b}b\n");
        let expected = "--- a\\u{1b}b\\u{a}\n+++ a\\u{1b}b\\u{a}\n@@ -0,0 +1 @@\n\
                        +\\u{1b}[2J\tx\\u{7f}\\u{9b}\\u{202e}y\\u{d}z\n";
        assert_eq!(diff, expected);
    }
}
