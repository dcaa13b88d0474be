//! The names of an archive's files, and its manifest.
//!
//! An archive is a group of files in one directory, each named `{date}-{focus}-{id}` plus an
//! ending. The manifest lists the other files, with their sizes and digests. It is written last, so
//! files without a manifest are an incomplete archive, which is ignored.

use std::fmt;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::id::SessionId;
use super::record::{InvalidRecord, ProjectRef, check_version};
use super::redact::Counts;
use super::time::Timestamp;
use super::usage::Usage;

/// The version of manifests that this program writes.
pub const VERSION: u64 = 1;
/// The ending of a manifest's name.
pub const MANIFEST: &str = ".manifest.json";
/// The word in a file's name for a session without a focus.
pub const GENERAL: &str = "general";

/// The longest focus in a file's name, in bytes.
const MAX_FOCUS: usize = 64;

/// The common beginning of the names of an archive's files: `{date}-{focus}-{id}`.
///
/// An ending begins with a dot, and an id may contain dots. So the part `.2.jsonl.zst` of session
/// `x` would have the same name as the part `.jsonl.zst` of session `x.2`. To prevent this, each
/// dot of an id is written as `~`, which no id contains. For the same reason, a focus never
/// contains `.agent-` or `.file-`, because an ending may begin with these.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stem(String);

impl Stem {
    /// Returns the stem for a session that began on the local day `date`. The focus is made safe
    /// for a file's name; the manifest keeps the original.
    pub fn new(date: NaiveDate, focus: Option<&str>, id: &SessionId) -> Self {
        let mut focus = safe_focus(focus.unwrap_or_default());
        for (kind, other) in [(".agent-", "-agent-"), (".file-", "-file-")] {
            // The text to replace may end with the `-` that follows the focus in the name.
            focus = format!("{focus}-").replace(kind, other);
            focus.pop();
        }
        Self(format!("{date}-{focus}-{}", Self::named(id.as_str())))
    }

    /// Returns the stem of the archive whose manifest has this file name, or `None` if no manifest
    /// can have it.
    pub fn of_manifest(name: &str) -> Option<Self> {
        let stem = name.strip_suffix(MANIFEST)?;
        let is_safe =
            |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-' | b'~');
        let is_stem = !stem.starts_with('.') && !stem.is_empty() && stem.bytes().all(is_safe);
        is_stem.then(|| Self(stem.to_owned()))
    }

    /// Returns an id, or the beginning of one, as it is written in a file name.
    pub fn named(id: &str) -> String {
        id.replace('.', "~")
    }

    /// Returns the name of the file with this ending.
    pub fn with(&self, ending: &str) -> String {
        format!("{self}{ending}")
    }

    /// Returns the manifest's name.
    pub fn manifest(&self) -> String {
        self.with(MANIFEST)
    }

    /// Returns whether a file of this name may be a part of the archive. A name that leads to
    /// another directory is rejected.
    pub fn is_of(&self, name: &str) -> bool {
        name.strip_prefix(self.0.as_str())
            .is_some_and(|rest| rest.starts_with('.') && !rest.contains(['/', '\0']))
    }
}

impl fmt::Display for Stem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Makes a focus safe for a file's name. It keeps ASCII letters, digits, `.` and `_`, and replaces
/// any other characters by one `-`.
fn safe_focus(focus: &str) -> String {
    let mut safe = String::new();
    for c in focus.chars() {
        match c {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '_' | '.' => safe.push(c),
            _ if safe.ends_with('-') => {}
            _ => safe.push('-'),
        }
        if safe.len() == MAX_FOCUS {
            break;
        }
    }
    match safe.trim_matches(['-', '.']) {
        "" => GENERAL.to_owned(),
        safe => safe.to_owned(),
    }
}

/// The manifest: the contents of an archive.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "docs/formats.md describes the fields")]
pub struct Manifest {
    pub v: u64,
    pub session_id: SessionId,
    pub project: ProjectRef,
    /// What the session was called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    pub role: Option<String>,
    pub focus: Option<String>,
    pub description: Option<String>,
    pub started_at: Timestamp,
    pub ended_at: Option<Timestamp>,
    pub archived_at: Timestamp,
    pub messages: u64,
    /// True if the archived text of the session contains the tool calls.
    pub tools: bool,
    /// The files from which the archive was made.
    pub transcript: Original,
    pub parts: Vec<ArchivePart>,
    /// How many secrets each rule removed from the copies.
    pub redacted: Counts,
    pub usage: Option<Usage>,
    /// A copy of the record at the time of archiving.
    pub record: Map<String, Value>,
    /// Members that another version wrote and this one does not know.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// The files from which an archive was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Original {
    /// The path of the session's transcript; null if there was none.
    pub path: Option<String>,
    /// The total size of that transcript and its subagents' transcripts, in bytes.
    pub bytes: u64,
    /// A digest of the names, sizes and times of all files. It shows whether a file has changed
    /// since.
    pub fingerprint: String,
    /// The number of lines that were too long to be copied.
    pub left_out: u64,
    /// Other transcripts of the session. They were not copied, because the copied ones contain all
    /// their lines.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub copies: Vec<CopiedTranscript>,
}

/// A transcript that is not copied, because other transcripts contain everything in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CopiedTranscript {
    /// The path of the file, as in [`ArchivePart::original`].
    pub original: String,
    /// The size of the file in bytes.
    pub bytes: u64,
}

/// The kind of a part of an archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PartKind {
    /// The conversation as text for people.
    Text,
    /// A transcript of Claude Code, redacted and compressed. The first is the session's main one;
    /// each further one has lines that the others lack.
    Transcript,
    /// A subagent's transcript, redacted and compressed.
    Subagent,
    /// What Claude Code writes about a subagent (`.meta.json`), redacted.
    Meta,
    /// Another file of the session, such as a long output of a tool, redacted and compressed.
    File,
    /// The journal, compressed.
    Journal,
}

/// A file of an archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArchivePart {
    /// The file's name.
    pub name: String,
    /// The kind of its contents.
    pub kind: PartKind,
    /// The size of the file in bytes.
    pub bytes: u64,
    /// The SHA-256 of the file, in hexadecimal.
    pub sha256: String,
    /// The number of lines in the decompressed file.
    pub lines: u64,
    /// For a copy: the path of the original, relative to Claude Code's folder of all projects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub original: Option<String>,
    /// For a copy of a transcript or a file: the size of the original in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub original_bytes: Option<u64>,
    /// For a copy of a transcript: a digest of the last bytes of the original. If the transcript
    /// has only grown since, the same bytes are still at that position.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mark: Option<String>,
}

impl Manifest {
    /// Reads a manifest.
    ///
    /// # Errors
    /// Returns [`InvalidRecord`] if a newer version wrote the manifest, or if this is not a
    /// manifest.
    pub fn decode(bytes: &[u8]) -> Result<Self, InvalidRecord> {
        check_version(bytes)?;
        serde_json::from_slice(bytes).map_err(|err| InvalidRecord::Malformed(err.to_string()))
    }

    /// Returns the manifest's text.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec_pretty(self).unwrap_or_default();
        bytes.push(b'\n');
        bytes
    }

    /// Returns the first part of this kind, if there is one.
    pub fn part(&self, kind: PartKind) -> Option<&ArchivePart> {
        self.parts.iter().find(|part| part.kind == kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_focus_is_a_safe_part_of_a_name() {
        for (focus, safe) in [
            ("fix/ci-337", "fix-ci-337"),
            ("../../etc", "etc"),
            ("feat: x", "feat-x"),
            ("a\u{0}\n\tb", "a-b"),
            ("", "general"),
            ("---", "general"),
            ("...", "general"),
            ("日本", "general"),
            ("v1.2_3", "v1.2_3"),
        ] {
            assert_eq!(safe_focus(focus), safe, "{focus:?}");
        }
        assert_eq!(safe_focus(&"x/".repeat(5000)).len(), MAX_FOCUS - 1);
    }

    /// Returns all endings that a part may have, with names that an id or a focus can be made of.
    fn endings() -> Vec<String> {
        let mut endings: Vec<String> = [".txt", ".jsonl.zst", ".2.jsonl.zst", ".events.jsonl.zst"]
            .map(str::to_owned)
            .to_vec();
        for name in ["a", "2", "a-b"] {
            endings.push(format!(".agent-{name}.jsonl.zst"));
            endings.push(format!(".agent-{name}.2.jsonl.zst"));
            endings.push(format!(".agent-{name}.meta.json"));
            endings.push(format!(".file-{name}.zst"));
            endings.push(format!(".file-{name}.2.zst"));
        }
        endings.push(MANIFEST.to_owned());
        endings
    }

    #[test]
    fn no_two_archives_share_a_part_name() {
        let date = NaiveDate::from_ymd_opt(2026, 11, 20).unwrap();
        let ids = [
            "s",
            "s.2",
            "s.txt",
            "s.events",
            "s.agent-a",
            "s.file-a",
            "s.agent-a.2",
            "a",
            "2",
            "s.manifest",
            "s.agent",
            "b",
        ];
        let focuses = [
            "x",
            "x-s.agent",
            "x-s.file",
            "x-s.agent-a",
            "x-s.2",
            "x-s.events",
            "x-s",
        ];
        let mut names = std::collections::BTreeMap::new();
        for id in ids {
            for focus in focuses {
                let id: SessionId = id.parse().unwrap();
                let stem = Stem::new(date, Some(focus), &id);
                assert_eq!(Stem::of_manifest(&stem.manifest()), Some(stem.clone()));
                for ending in endings() {
                    let name = stem.with(&ending);
                    let other = names.insert(name.clone(), stem.clone());
                    // Stems of the same name are made unique when they are created.
                    assert!(other.is_none_or(|other| other == stem), "{name}");
                }
            }
        }
    }

    #[test]
    fn a_stem_never_leaves_its_directory() {
        let id: SessionId = "2f09356b".parse().unwrap();
        let date = NaiveDate::from_ymd_opt(2026, 11, 20).unwrap();
        let stem = Stem::new(date, Some("../x"), &id);
        assert_eq!(stem.manifest(), "2026-11-20-x-2f09356b.manifest.json");
        assert_eq!(Stem::of_manifest(&stem.manifest()), Some(stem.clone()));
        assert!(stem.is_of("2026-11-20-x-2f09356b.txt"));
        for name in [
            "2026-11-20-x-2f09356b",
            "2026-11-20-x-2f09356b./../../y",
            "y.txt",
            "",
        ] {
            assert!(!stem.is_of(name), "{name}");
        }
        for name in [
            "../x.manifest.json",
            ".manifest.json",
            "a/b.manifest.json",
            ".x.manifest.json",
        ] {
            assert_eq!(Stem::of_manifest(name), None, "{name}");
        }
    }
}
