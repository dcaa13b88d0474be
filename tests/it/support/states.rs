//! State directories in which something has happened.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use serde_json::{Map, Value, json};

use super::{SESSION_START, Sandbox, as_client, event, mode};

/// The session that is on record before any bad input.
pub(crate) const OLD: &str = "old-1";

/// A state directory in which no sweep is due, so that nothing runs beside the test.
pub(crate) fn make_state(path: &Path) {
    fs::create_dir_all(path).unwrap();
    fs::set_permissions(path, Permissions::from_mode(0o700)).unwrap();
    fs::write(path.join("sweep"), "").unwrap();
    fs::set_permissions(path.join("sweep"), Permissions::from_mode(0o600)).unwrap();
}

/// A sandbox in which the session [`OLD`] is on record, owns the pointer, and belongs to the test as its client.
pub(crate) fn lived_in() -> Sandbox {
    let sandbox = Sandbox::new();
    make_state(&sandbox.state());
    sandbox
        .hook(&event("SessionStart", OLD, json!({"source": "startup"})))
        .env("CLAUDE_PID", as_client())
        .silent();
    sandbox
}

/// Asserts that nothing is half-written: no temporary file, every file private, every line and every file as it should
/// be.
#[track_caller]
pub(crate) fn assert_sound(sandbox: &Sandbox, case: &str) {
    for name in sandbox.files() {
        assert!(!name.contains("/.ccsession-"), "{case}: {name} is left");
        let path = sandbox.path(&name);
        assert_eq!(mode(&path), 0o600, "{case}: {name}");
        let bytes = fs::read(&path).unwrap();
        let is_json = |text: &[u8]| serde_json::from_slice::<Map<String, Value>>(text).is_ok();
        let whole = if name.ends_with(".jsonl") {
            bytes
                .split(|&b| b == b'\n')
                .all(|line| line.is_empty() || is_json(line))
        } else if name.starts_with("pointers/") {
            ccsession::model::pointer::decode(&bytes).is_ok()
                && bytes.iter().filter(|&&b| b == b'\n').count() == 2
        } else if ["session.json", "/owners/", "/procs/"]
            .iter()
            .any(|part| name.contains(part))
        {
            is_json(&bytes)
        } else {
            bytes.is_empty()
        };
        assert!(whole, "{case}: {name}: {}", String::from_utf8_lossy(&bytes));
    }
}

/// Stamps that a cleanup was made just now.
pub(crate) fn no_sweep(sandbox: &Sandbox) {
    fs::write(sandbox.state().join("sweep"), "").unwrap();
}

/// Starts a session of this process.
pub(crate) fn start(sandbox: &Sandbox, id: &str) {
    sandbox
        .hook(&event("SessionStart", id, json!({"source": "startup"})))
        .env("CLAUDE_PID", as_client())
        .silent();
}

/// Starts a session whose client dies: the client is a `/bin/sh` that exits at once.
pub(crate) fn start_and_die(sandbox: &Sandbox, id: &str) {
    let payload = event("SessionStart", id, json!({"source": "startup"}));
    let script = format!("CLAUDE_PID=$$ {SESSION_START}; exit $?");
    let run = sandbox.run("/bin/sh").arg("-c").arg(script);
    run.stdin(payload.to_string()).silent();
}

/// Makes the last event of a session `seconds` old.
pub(crate) fn age(sandbox: &Sandbox, id: &str, seconds: u64) {
    age_file(&sandbox.session(id).join("events.jsonl"), seconds);
}

/// Makes a file `seconds` old.
pub(crate) fn age_file(path: &Path, seconds: u64) {
    let file = File::options().append(true).open(path).unwrap();
    let then = SystemTime::now() - Duration::from_secs(seconds);
    file.set_modified(then).unwrap();
}
