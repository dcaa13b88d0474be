//! The session id: the `session_id` of Claude Code, validated only here.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A valid session id: `[A-Za-z0-9][A-Za-z0-9._-]{0,127}`, and never the word `unknown`.
///
/// It is safe as one path component: it contains no separator and starts with a letter or a digit.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SessionId(String);

/// The longest session id, in bytes.
pub const MAX_LEN: usize = 128;

/// What commands print if no session id is known. This word is never an id.
pub const UNKNOWN: &str = "unknown";

/// Why a text is not a session id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InvalidId {
    /// The text is empty.
    Empty,
    /// The text has more than [`MAX_LEN`] bytes.
    TooLong,
    /// The text has a byte outside `[A-Za-z0-9._-]`, or its first byte is not a letter or a digit.
    BadByte,
    /// The text is the word `unknown`, which means that there is no id.
    Unknown,
}

impl fmt::Display for InvalidId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "it is empty",
            Self::TooLong => "it is longer than 128 bytes",
            Self::BadByte => "it may hold only letters, digits, `.`, `_` and `-`, and starts with a letter or a digit",
            Self::Unknown => "`unknown` means that there is no session",
        })
    }
}

impl std::error::Error for InvalidId {}

impl SessionId {
    /// Returns the id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Returns true if `text` can be the beginning of a session id.
pub fn is_prefix(text: &str) -> bool {
    check_bytes(text).is_ok()
}

/// Returns true if `text` is a session id.
pub fn is_valid(text: &str) -> bool {
    check(text).is_ok()
}

fn check(text: &str) -> Result<(), InvalidId> {
    check_bytes(text)?;
    if text == UNKNOWN {
        return Err(InvalidId::Unknown);
    }
    Ok(())
}

fn check_bytes(text: &str) -> Result<(), InvalidId> {
    let first = text.bytes().next().ok_or(InvalidId::Empty)?;
    if text.len() > MAX_LEN {
        return Err(InvalidId::TooLong);
    }
    let allowed = |b: u8| b.is_ascii_alphanumeric() | (b == b'.') | (b == b'_') | (b == b'-');
    // Without an early exit, the compiler can check many bytes in one step.
    let all_allowed = text.bytes().fold(true, |all, b| all & allowed(b));
    if !first.is_ascii_alphanumeric() || !all_allowed {
        return Err(InvalidId::BadByte);
    }
    Ok(())
}

impl FromStr for SessionId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        check(text)?;
        Ok(Self(text.to_owned()))
    }
}

impl TryFrom<String> for SessionId {
    type Error = InvalidId;

    fn try_from(text: String) -> Result<Self, InvalidId> {
        text.parse()
    }
}

impl From<SessionId> for String {
    fn from(id: SessionId) -> Self {
        id.0
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Result<(), InvalidId>) {
        assert_eq!(text.parse::<SessionId>().map(|_| ()), expected, "{text:?}");
    }

    #[test]
    fn only_the_documented_alphabet_is_an_id() {
        check("5b48472b-1111-4222-8333-444455556666", Ok(()));
        check("ses_01HN123ABC789XYZ", Ok(()));
        check("a", Ok(()));
        check("0..", Ok(()));
        check(&"x".repeat(128), Ok(()));
        check(&"x".repeat(129), Err(InvalidId::TooLong));
        check("", Err(InvalidId::Empty));
        check("unknown", Err(InvalidId::Unknown));
        for bad in [
            "..", ".a", "-a", "_a", "a/b", "a b", "a\n", "a\0b", "é", "a:b", "../../x",
        ] {
            check(bad, Err(InvalidId::BadByte));
        }
    }
}
