//! The reasons why a settings file is not edited, in words for people.
//!
//! This module must not know how files are read or edited.

use std::fmt;

use crate::model::text::one_line;

/// The largest file that is read or written, in bytes. Usual files have a few thousand.
pub const MAX_BYTES: usize = 1024 * 1024;

/// The deepest nesting that is read, in levels. `serde_json` has the same limit, which it counts as
/// 128.
pub const MAX_DEPTH: usize = 127;

/// Why a settings file is not edited. Displayed as the `why` of `could not edit `path`: why`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum EditRefusal {
    /// The file has, or would have, more than [`MAX_BYTES`].
    TooLarge {
        /// The size.
        bytes: usize,
    },
    /// The file contains a comment.
    Comment(TextPosition),
    /// The file has a comma after the last member or element.
    TrailingComma(TextPosition),
    /// The file is not JSON for another reason.
    NotJson {
        /// Where the parser stopped.
        at: TextPosition,
        /// The parser's message.
        why: String,
    },
    /// The file is nested deeper than [`MAX_DEPTH`].
    TooDeep(TextPosition),
    /// The hooks, or a part of them, exist twice, so it is unclear which one to edit.
    DuplicateKey {
        /// Where the second key is.
        at: TextPosition,
        /// The repeated key.
        key: String,
    },
    /// A part of `hooks` does not have the type that Claude Code expects. Claude Code would ignore
    /// the whole file.
    WrongShape {
        /// Where the part is. If it is missing, where it should be.
        at: TextPosition,
        /// The path of the part, such as `hooks.Stop[0]`.
        path: String,
        /// What the part should be, with an article.
        expected: &'static str,
    },
    /// The result of the edit is wrong: a bug in ccsession, found before anything was written.
    Unverified {
        /// What is wrong with the result.
        why: String,
    },
}

impl EditRefusal {
    /// Returns what the user can do, in the imperative and without a full stop.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "make the file smaller",
            Self::Comment(_) => "remove the comment: Claude Code reads strict JSON only",
            Self::TrailingComma(_) => "remove the comma: Claude Code reads strict JSON only",
            Self::NotJson { .. } => "correct the file: Claude Code cannot read it either",
            Self::TooDeep(_) => "nest the settings less deeply",
            Self::DuplicateKey { .. } => "remove one of the two",
            Self::WrongShape { .. } => "correct it: Claude Code may ignore the whole file for it",
            Self::Unverified { .. } => "report this with the file; nothing was written",
        }
    }
}

impl fmt::Display for EditRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge { bytes } => write!(f, "{bytes} bytes are more than {MAX_BYTES}"),
            Self::Comment(at) => write!(f, "comment at {at}"),
            Self::TrailingComma(at) => write!(f, "trailing comma at {at}"),
            Self::NotJson { at, why } => write!(f, "not JSON at {at}: {why}"),
            Self::TooDeep(at) => write!(f, "nested deeper than {MAX_DEPTH} levels at {at}"),
            Self::DuplicateKey { at, key } => {
                write!(f, "duplicate key `{}` at {at}", one_line(key, SHOWN))
            }
            Self::WrongShape { at, path, expected } => {
                let path = one_line(path, SHOWN);
                write!(f, "{path} at {at} is not {expected}")
            }
            Self::Unverified { why } => write!(f, "ccsession's own edit would be wrong: {why}"),
        }
    }
}

impl std::error::Error for EditRefusal {}

/// How many characters of a key or a path a message shows.
const SHOWN: usize = 80;

/// A position in a text. Both numbers begin at 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TextPosition {
    pub line: usize,
    /// The number of the character within the line.
    pub column: usize,
}

impl TextPosition {
    pub(super) fn of(text: &str, offset: usize) -> Self {
        let before = text.get(..offset).unwrap_or(text);
        let (line, column) = match before.rsplit_once('\n') {
            Some((above, line)) => (above.matches('\n').count() + 2, line),
            None => (1, before),
        };
        let column = column.chars().count() + 1;
        Self { line, column }
    }
}

impl fmt::Display for TextPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}
