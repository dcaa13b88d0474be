//! Sessions that are archived, and their archives.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::{ID, Sandbox, event};

/// No archive.
pub(crate) const NONE: [PathBuf; 0] = [];

/// Starts the session [`ID`], which has no messages yet, and returns the path that its transcript will have.
pub(crate) fn begun(sandbox: &Sandbox, more: Value) -> PathBuf {
    let path = sandbox
        .home()
        .join(format!(".claude/projects/-shop/{ID}.jsonl"));
    let mut start = event(
        "SessionStart",
        ID,
        json!({"source": "startup", "transcript_path": path}),
    );
    start
        .as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    sandbox.hook(&start).silent();
    path
}

pub(crate) fn ended(sandbox: &Sandbox, reason: &str) {
    sandbox
        .hook(&event("SessionEnd", ID, json!({"reason": reason})))
        .silent();
}

pub(crate) fn write(path: &Path, content: impl AsRef<[u8]>) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

/// A transcript in which somebody said `texts`, one after the other.
pub(crate) fn said(texts: &[&str]) -> String {
    let line = |text: &&str| {
        let line =
            json!({"type": "user", "sessionId": ID, "message": {"role": "user", "content": text}});
        format!("{line}\n")
    };
    texts.iter().map(line).collect()
}

pub(crate) fn clock_out(sandbox: &Sandbox, more: &[&str]) -> PathBuf {
    let run = sandbox.ccsession(["clock-out", ID]);
    let run = more.iter().fold(run, |run, argument| run.arg(argument));
    PathBuf::from(run.stdout().trim_end())
}

/// All files in the project folders of the archive directory, sorted.
pub(crate) fn files(sandbox: &Sandbox) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let root = sandbox.state().join("archive");
    for project in fs::read_dir(root).into_iter().flatten() {
        let names = fs::read_dir(project.unwrap().path()).unwrap();
        found.extend(names.map(|entry| entry.unwrap().path()));
    }
    found.sort();
    found
}

pub(crate) fn manifest(sandbox: &Sandbox) -> Value {
    let found = files(sandbox);
    let manifests: Vec<_> = found
        .iter()
        .filter(|path| path.to_str().unwrap().ends_with(".manifest.json"))
        .collect();
    assert_eq!(manifests.len(), 1, "{found:?}");
    serde_json::from_slice(&fs::read(manifests[0]).unwrap()).unwrap()
}

pub(crate) fn decompressed(path: &Path) -> Vec<u8> {
    zstd::decode_all(fs::File::open(path).unwrap()).unwrap()
}

/// Makes the daily work of a cleanup due.
pub(crate) fn a_day_later(sandbox: &Sandbox) {
    let _ = fs::remove_file(sandbox.state().join("daily"));
}
