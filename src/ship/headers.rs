//! The headers that a destination requires in each request, from a file that only this user can
//! read. Their values are secrets: no function here shows them, not even in an error.

use std::fmt;
use std::path::{Path, PathBuf};

use ureq::http::{HeaderMap, HeaderName, HeaderValue};

use crate::store::{Error, file};

/// The largest headers file, in bytes.
const MAX_BYTES: usize = 64 << 10;
/// The shortest value that is hidden, in bytes. A shorter one is hardly a secret, and hiding it
/// would garble messages.
const SHORTEST_SECRET: usize = 4;

/// Headers with secret values.
#[derive(Default)]
pub(super) struct Headers {
    map: HeaderMap,
    /// The values and the last word of each, the longest first.
    secrets: Vec<String>,
}

impl Headers {
    /// Reads a file of `Name: value` lines. Skips empty lines and lines that begin with `#`.
    ///
    /// # Errors
    /// Fails with the number of the wrong line, but never with its content.
    ///
    /// # Security
    /// The file must belong to this user or to root, and nobody else may read it.
    pub(super) fn read(path: &Path) -> Result<Self, Error> {
        let wrong = |why: String| Error::Content {
            path: path.to_owned(),
            why,
        };
        let content = file::read_secret(path, MAX_BYTES)?;
        let content = content.ok_or_else(|| wrong("it does not exist; write a line `Name: value` for each header into it, with mode 600".to_owned()))?;
        let text = std::str::from_utf8(&content.bytes);
        let text = text.map_err(|_| wrong("it is not UTF-8".to_owned()))?;
        let mut headers = Self::default();
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            headers
                .add(line)
                .map_err(|why| wrong(format!("line {number} {why}")))?;
        }
        headers
            .secrets
            .sort_unstable_by_key(|secret| std::cmp::Reverse(secret.len()));
        Ok(headers)
    }

    fn add(&mut self, line: &str) -> Result<(), &'static str> {
        const FORM: &str = "is not a header: expected `Name: value`";
        let (name, value) = line.split_once(':').ok_or(FORM)?;
        let name = HeaderName::from_bytes(name.trim().as_bytes()).map_err(|_| FORM)?;
        if OURS.contains(&name.as_str()) {
            return Err("sets a header that ccsession sets itself; remove it");
        }
        let value = value.trim();
        let mut header = HeaderValue::from_str(value).map_err(|_| FORM)?;
        header.set_sensitive(true);
        self.map.append(name, header);
        let last = value.rsplit(char::is_whitespace).next().unwrap_or_default();
        let secrets = [value, last].into_iter();
        let secrets = secrets.filter(|secret| secret.len() >= SHORTEST_SECRET);
        self.secrets.extend(secrets.map(str::to_owned));
        Ok(())
    }

    pub(super) fn map(&self) -> &HeaderMap {
        &self.map
    }

    pub(super) fn is_empty(&self) -> bool {
        self.map.is_empty()
    }

    /// Returns `text`, which the destination wrote, without any secret that it repeats.
    pub(super) fn hide(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for secret in &self.secrets {
            if text.contains(secret.as_str()) {
                text = text.replace(secret.as_str(), "[redacted]");
            }
        }
        text
    }
}

/// Headers that ccsession itself sets, because they describe the request.
const OURS: [&str; 8] = [
    "accept",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "host",
    "transfer-encoding",
];

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.map.keys()).finish()
    }
}

/// Reads the headers of a destination. Returns none if the destination has no headers file.
///
/// # Errors
/// Fails as [`Headers::read`] does.
pub(super) fn read(path: Option<&PathBuf>) -> Result<Headers, Error> {
    path.map_or_else(|| Ok(Headers::default()), |path| Headers::read(path))
}
