//! Bundles: files that contain sessions, to be moved to another machine and back.
//!
//! A bundle is a tar file, compressed with Zstandard, so any machine can list it. Its first entry
//! ([`BundleHead`]) lists the sessions. Its last entry (`Checksums`) contains the checksum of every
//! file. A reader uses nothing in a bundle before all checksums match.

mod arrive;
mod read;
mod write;

use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::collected::Machine;
use super::collected::transfer::{Contents, kept_path};
use super::error::Error;
use crate::model::project::to_hex;
use crate::model::{SessionId, Timestamp};

pub use arrive::{ArchiveArrival, SessionArrival};
pub use read::{StagedBundle, is_bundle};
pub use write::BundleWriter;

/// The version of bundles that this program writes.
pub const VERSION: u64 = 1;
/// The name of the first entry.
const HEAD: &str = "bundle.json";
/// The name of the last entry.
const CHECKSUMS: &str = "checksums.json";
/// The folder of Claude Code's transcripts in a bundle.
const TRANSCRIPTS: &str = "transcripts";
/// The largest first or last entry, in bytes.
const MAX_ENTRY: u64 = 256 << 20;
/// The longest path in a bundle, in bytes.
const MAX_PATH: usize = 4096;
/// How many bytes are read or written at once.
const PIECE: usize = 1 << 18;

/// The first entry of a bundle: what the bundle contains.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BundleHead {
    /// The version of the format.
    pub v: u64,
    /// The program and version that made the bundle.
    pub made_by: String,
    /// When the bundle was made.
    pub made_at: Timestamp,
    /// The machine on which the bundle was made.
    #[serde(default)]
    pub machine: Machine,
    /// The sessions that the bundle contains.
    pub sessions: Vec<BundledSession>,
    /// Whether the bundle contains Claude Code's transcripts of these sessions.
    pub transcripts: bool,
}

/// A session in a bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BundledSession {
    /// The session's id.
    pub id: SessionId,
    /// The session's title.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Whether the session was live, so that the bundle contains only a part of it.
    pub live: bool,
}

/// The size and the checksum of each file of a bundle.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Checksums {
    files: Vec<FileSum>,
    /// The SHA-256, in hexadecimal, of one line for each file: `{sha256} {bytes} {path}`.
    whole: String,
}

impl Checksums {
    fn of(files: Vec<FileSum>) -> Self {
        let mut digest = Sha256::new();
        for FileSum {
            path,
            bytes,
            sha256,
        } in &files
        {
            digest.update(format!("{sha256} {bytes} {path}\n"));
        }
        let whole = to_hex(&digest.finalize());
        Self { files, whole }
    }
}

/// The size and the SHA-256 of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct FileSum {
    path: String,
    bytes: u64,
    sha256: String,
}

/// Why a bundle is refused. Nothing was taken over from it.
#[derive(Debug)]
pub enum BundleError {
    /// The file is not a bundle.
    NotABundle,
    /// The bundle has this version, which this program does not know.
    OtherVersion(u64),
    /// The bundle is incomplete.
    Truncated,
    /// This file of the bundle was changed or damaged. `None` if it is unknown which file.
    Changed(Option<String>),
    /// The bundle contains this path, which is not allowed in a bundle.
    Foreign(String),
    /// A file on this machine could not be read or written.
    Here(Error),
}

impl From<Error> for BundleError {
    fn from(err: Error) -> Self {
        Self::Here(err)
    }
}

impl fmt::Display for BundleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotABundle => f.write_str("it is not a bundle"),
            Self::OtherVersion(version) => write!(
                f,
                "it has bundle version {version}, this program knows {VERSION}; update ccsession here"
            ),
            Self::Truncated => f.write_str("it is incomplete; copy it again"),
            Self::Changed(Some(path)) => {
                write!(
                    f,
                    "its file `{path}` was changed or damaged; copy the bundle again"
                )
            }
            Self::Changed(None) => f.write_str("it was changed or damaged; copy it again"),
            Self::Foreign(path) => {
                write!(f, "it names `{path}`, which is not a file of a session")
            }
            Self::Here(err) => err.fmt(f),
        }
    }
}

impl std::error::Error for BundleError {}

/// Returns the path if it may be in a bundle: it names a file of a session, of an archive or of
/// Claude Code. Otherwise returns `None`.
///
/// # Security
/// Importing a bundle writes to no other paths, whoever made the bundle.
fn bundled_path(path: &str) -> Option<PathBuf> {
    if path.len() > MAX_PATH || path.contains(char::is_control) {
        return None;
    }
    match path.split_once('/') {
        Some((TRANSCRIPTS, place)) => {
            transcript_place(place).map(|place| Path::new(TRANSCRIPTS).join(place))
        }
        // Leave out owners: a process of another machine owns nothing on this one.
        _ if path.contains("/owners/") => None,
        _ => kept_path(path, Contents::WithArchives),
    }
}

/// Returns a path below Claude Code's `projects` folder, or `None` if it could lead out of that
/// folder.
fn transcript_place(place: &str) -> Option<PathBuf> {
    let is_plain = place
        .split('/')
        .all(|part| !matches!(part, "" | "." | ".."));
    // Every transcript is in the folder of a project.
    (is_plain && place.contains('/')).then(|| PathBuf::from(place))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bundle_has_the_files_of_sessions_and_no_others() {
        for path in [
            "sessions/s-1/session.json",
            "sessions/s-1/events.2.jsonl.zst",
            "archive/shop/2026-11-20-x-s-1.manifest.json",
            "transcripts/-home-dev-shop/s-1.jsonl",
            "transcripts/-home-dev-shop/s-1/subagents/agent-a.jsonl",
        ] {
            assert_eq!(bundled_path(path), Some(path.into()));
        }
        for path in [
            "",
            "bundle.json",
            "/etc/passwd",
            "../x",
            "sessions/../x",
            "sessions/s-1/owners/1-2",
            "sessions/s-1/open.json",
            "sessions/s-1/../../x",
            "archive/shop/x.elsewhere",
            "transcripts",
            "transcripts/",
            "transcripts/x.jsonl",
            "transcripts/../x/y",
            "transcripts/x/../../y",
            "transcripts//x/y",
            "transcripts/x/./y",
            "transcripts/x/y/",
            "transcripts/x/y\n",
            "machine.json",
            "config.toml",
        ] {
            assert_eq!(bundled_path(path), None, "{path}");
        }
    }
}
