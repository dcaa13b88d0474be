//! Settings with our hooks in them, a stand-in for Claude Code, and what the doctor finds.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::states::no_sweep;
use super::{ID, Run, Sandbox, event, write_program, write_programs};

/// The names of the executables.
pub(crate) const EXECUTABLES: [&str; 4] = [
    "session-start",
    "pre-tool-use",
    "post-tool-use",
    "session-event",
];

/// The content of a file that passes for an executable of this version.
pub(crate) const OF_THIS_VERSION: &str = concat!(
    "#!/bin/sh\n# ccsession hook ",
    env!("CARGO_PKG_VERSION"),
    "\n"
);

/// A sandbox with the newest client and with executables to register.
pub(crate) fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    fs::set_permissions(sandbox.home(), fs::Permissions::from_mode(0o700)).unwrap();
    let (client, libexec) = (sandbox.path("client"), sandbox.path("libexec"));
    fs::create_dir(&client).unwrap();
    fs::create_dir(&libexec).unwrap();
    let mut programs = executables(&libexec);
    programs.push((
        client.join("claude"),
        "#!/bin/sh\necho '2.1.329 (Claude Code)'\n",
    ));
    write_programs(&programs);
    sandbox
}

/// Puts a stand-in for Claude Code, this shell script, on the PATH.
pub(crate) fn client(sandbox: &Sandbox, script: &str) {
    let dir = sandbox.path("client");
    fs::create_dir_all(&dir).unwrap();
    write_program(dir.join("claude"), &format!("#!/bin/sh\n{script}\n"));
}

/// Takes Claude Code off the PATH.
pub(crate) fn no_client(sandbox: &Sandbox) {
    fs::remove_dir_all(sandbox.path("client")).unwrap();
}

/// Puts executables that pass for this version's hooks into the folder `dir`.
pub(crate) fn libexec(dir: &Path) {
    fs::create_dir_all(dir).unwrap();
    write_programs(&executables(dir));
}

fn executables(dir: &Path) -> Vec<(PathBuf, &'static str)> {
    EXECUTABLES
        .map(|name| (dir.join(name), OF_THIS_VERSION))
        .into()
}

/// The CLI with the sandbox's client, if any, as the only one on the PATH, and with the sandbox's executables.
pub(crate) fn ccsession<const N: usize>(sandbox: &Sandbox, arguments: [&str; N]) -> Run {
    sandbox
        .ccsession(arguments)
        .env("PATH", sandbox.path("client"))
        .env("CCSESSION_LIBEXEC", sandbox.path("libexec"))
}

/// The user's settings file.
pub(crate) fn user_settings(sandbox: &Sandbox) -> PathBuf {
    sandbox.home().join(".claude/settings.json")
}

/// Writes a settings file with this text.
pub(crate) fn put(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// A sandbox in which nothing is wrong: installed, and one session was recorded.
pub(crate) fn healthy() -> Sandbox {
    let sandbox = sandbox();
    ccsession(&sandbox, ["install"]).stdout();
    record_one(&sandbox);
    sandbox
}

/// Starts a session without launching a background cleanup.
pub(crate) fn record_one(sandbox: &Sandbox) {
    no_sweep(sandbox);
    let start = event("SessionStart", ID, json!({"source": "startup"}));
    sandbox.hook(&start).silent();
}

pub(crate) fn doctor(sandbox: &Sandbox) -> Run {
    ccsession(sandbox, ["doctor", "--json"])
}

/// Every finding. The status must say whether there is a fault, and stderr must be empty.
#[track_caller]
pub(crate) fn findings(run: Run) -> Vec<Value> {
    let output = run.output();
    assert_eq!(crate::support::text(&output.stderr), "");
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    let findings = answer["findings"].as_array().unwrap().clone();
    for finding in &findings {
        let keys: Vec<&String> = finding.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["check", "found", "grade", "remedy"]);
        assert_eq!(
            finding["grade"] == "ok",
            finding["remedy"].is_null(),
            "{finding}"
        );
    }
    let ok = findings.iter().all(|finding| finding["grade"] != "fault");
    assert_eq!((&answer["v"], &answer["ok"]), (&json!(1), &json!(ok)));
    assert_eq!(output.status.code(), Some(if ok { 0 } else { 5 }));
    findings
}

/// Asserts that these are all the findings that are not ok: grade, check, what was found, remedy.
#[track_caller]
pub(crate) fn check(run: Run, expected: &[(&str, &str, &str, &str)]) {
    let mut found = findings(run);
    found.retain(|finding| finding["grade"] != "ok");
    let expected: Vec<Value> = expected
        .iter()
        .map(|(grade, check, found, remedy)| {
            json!({"grade": grade, "check": check, "found": found, "remedy": remedy})
        })
        .collect();
    assert_eq!(found, expected);
}
