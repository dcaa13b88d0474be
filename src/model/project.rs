//! A project: a root directory and its name. `store` finds the root; this file has the rules that
//! need no file system.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

/// The longest project name that is used as it is, in bytes.
const MAX_PLAIN: usize = 200;
/// How many bytes of a longer or unsafe project name are kept.
const MAX_HINT: usize = 100;

/// A project: its canonical root directory, which gives it its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Project {
    root: PathBuf,
}

impl Project {
    /// Returns the project rooted at `root`, which must be absolute and canonical.
    pub fn at(root: PathBuf) -> Self {
        Self { root }
    }

    /// Returns the root directory.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Returns the last component of the root, which is empty for `/`. An imported session may have
    /// a root on another system. Its last component then follows the rules of that system.
    pub fn name(&self) -> ProjectName {
        let name = match self.root.to_str().filter(|root| is_windows_path(root)) {
            Some(root) => OsStr::new(root.trim_end_matches(SEPARATORS))
                .as_bytes()
                .rsplit(|byte| matches!(byte, b'\\' | b'/'))
                .next()
                .map(OsStr::from_bytes),
            None => self.root.file_name(),
        };
        ProjectName(name.unwrap_or_default().to_owned())
    }

    /// Returns a folder name for the root: 16 hex digits of its FNV-1a hash. Two projects with the
    /// same name have different keys. If two roots ever share a key, the sessions' records
    /// distinguish them.
    pub fn key(&self) -> String {
        const OFFSET_BASIS: u64 = 0xcbf2_9ce4_8422_2325;
        const PRIME: u64 = 0x0000_0100_0000_01b3;
        let bytes = self.root.as_os_str().as_bytes().iter();
        let hash = bytes.fold(OFFSET_BASIS, |hash, &byte| {
            (hash ^ u64::from(byte)).wrapping_mul(PRIME)
        });
        format!("{hash:016x}")
    }
}

/// The separators of path components on Windows.
const SEPARATORS: [char; 2] = ['\\', '/'];

/// Returns true if `cwd` can be the directory of a session: an absolute path on this system, or on
/// Windows, because transcripts may be imported from there.
pub fn is_place(cwd: &str) -> bool {
    cwd.starts_with('/') || is_windows_path(cwd)
}

/// Returns true if `path` is an absolute Windows path: with a drive (`C:\…`), or a share
/// (`\\server\…`).
fn is_windows_path(path: &str) -> bool {
    let has_drive = || {
        let (drive, rest) = path.split_once(':')?;
        let is_letter = drive.len() == 1 && drive.starts_with(|c: char| c.is_ascii_alphabetic());
        (is_letter && rest.starts_with(SEPARATORS)).then_some(())
    };
    path.starts_with("\\\\") || has_drive().is_some()
}

/// A project's name, which may contain any bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProjectName(OsString);

impl ProjectName {
    /// Creates a name from any bytes.
    pub fn new(name: OsString) -> Self {
        Self(name)
    }

    /// Returns the name for people, with invalid UTF-8 replaced.
    pub fn display(&self) -> String {
        self.0.to_string_lossy().into_owned()
    }

    /// Returns the name as one safe path component, for pointers and archives.
    ///
    /// A name that is one path component without control bytes and at most 200 bytes long is used
    /// as it is, because other programs that write the pointer use that path. Any other name
    /// becomes `{safe ASCII prefix}~{12 hex digits}`.
    pub fn component(&self) -> OsString {
        let bytes = self.0.as_bytes();
        let plain = !matches!(bytes, b"" | b"." | b"..")
            && bytes.len() <= MAX_PLAIN
            && !bytes.iter().any(|&b| b == b'/' || b.is_ascii_control());
        if plain {
            return self.0.clone();
        }
        let safe = |&b: &u8| {
            if b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-') {
                b
            } else {
                b'-'
            }
        };
        let mut name: Vec<u8> = bytes.iter().take(MAX_HINT).map(safe).collect();
        name.push(b'~');
        name.extend_from_slice(hex(&Sha256::digest(bytes), 12).as_bytes());
        OsString::from_vec(name)
    }
}

impl From<&OsStr> for ProjectName {
    fn from(name: &OsStr) -> Self {
        Self(name.to_owned())
    }
}

fn hex(bytes: &[u8], digits: usize) -> String {
    let digit = |value: u8| char::from_digit(value.into(), 16).unwrap_or_default();
    let pairs = bytes
        .iter()
        .map(|byte| [digit(byte >> 4), digit(byte & 0xf)]);
    pairs.flatten().take(digits).collect()
}

/// Returns a hash that recognises `text` without revealing it, in 16 hex digits. The same text has
/// another hash for each `purpose`.
pub fn fingerprint(purpose: &str, text: &str) -> String {
    hex(&Sha256::digest(format!("{purpose}\n{text}")), 16)
}

/// Returns all of `bytes` in hex, for paths that are not UTF-8.
pub fn to_hex(bytes: &[u8]) -> String {
    hex(bytes, usize::MAX)
}

/// Returns the bytes that [`to_hex`] encoded, or `None` for any other text.
pub fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digit = |b: &u8| {
        char::from(*b)
            .to_digit(16)
            .and_then(|d| u8::try_from(d).ok())
    };
    let digits: Option<Vec<u8>> = text.as_bytes().iter().map(digit).collect();
    let pair = |pair: &[u8]| match pair {
        [high, low] => Some(high << 4 | low),
        _ => None,
    };
    digits?.chunks(2).map(pair).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn component(name: &[u8]) -> Vec<u8> {
        ProjectName::from(OsStr::from_bytes(name))
            .component()
            .into_vec()
    }

    #[test]
    fn an_ordinary_name_is_the_path_that_others_use() {
        for name in ["shop", "dir.with_odd chars", "größe", "日本", "~x", "-"] {
            assert_eq!(component(name.as_bytes()), name.as_bytes());
        }
        assert_eq!(component(&[b'x'; 200]).len(), 200);
        assert_eq!(component(b"\xff\xfe"), b"\xff\xfe");
    }

    #[test]
    fn any_other_name_is_made_safe_and_stays_distinct() {
        assert_eq!(component(b"a/b"), b"a-b~c14cddc033f6");
        assert_eq!(component(b""), b"~e3b0c44298fc");
        assert_eq!(component(&[b'x'; 201]).len(), 113);
        assert_ne!(component(b"a\nb"), component(b"a\tb"));
        assert_ne!(component(b"."), component(b".."));
    }

    #[test]
    fn projects_of_one_name_have_different_keys() {
        let (a, b) = (Project::at("/a/shop".into()), Project::at("/b/shop".into()));
        assert_eq!(a.name(), b.name());
        assert_ne!(a.key(), b.key());
        assert_eq!(a.key().len(), 16);
        assert_eq!(Project::at("foobar".into()).key(), "85944171f73967e8");
        assert_eq!(Project::at("/".into()).name().display(), "");
    }

    proptest! {
        #[test]
        fn every_name_is_one_short_component(name in proptest::collection::vec(any::<u8>(), 0..400)) {
            let safe = component(&name);
            prop_assert!(!safe.is_empty() && safe.len() <= 200);
            prop_assert!(!safe.iter().any(|&b| b == b'/' || b.is_ascii_control()));
            prop_assert!(safe != b"." && safe != b"..");
        }

        #[test]
        fn hex_is_reversible(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            prop_assert_eq!(from_hex(&to_hex(&bytes)), Some(bytes));
        }
    }
}
