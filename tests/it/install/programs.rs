//! The registered programs run, and a program that cannot be registered is named.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use serde_json::{Value, json};

use super::{handlers, read};
use crate::support::files::everything;
use crate::support::settings::{OF_THIS_VERSION, ccsession, libexec, put, sandbox, user_settings};
use crate::support::{ID, SESSION_START, Sandbox, event};

/// Runs what a settings file registers for SessionStart, as a client of before and of after 2.1.132 does.
fn run_as_registered(sandbox: &Sandbox) {
    let settings: Value = serde_json::from_str(&read(&user_settings(sandbox))).unwrap();
    let handler = &settings["hooks"]["SessionStart"][0]["hooks"][0];
    let command = handler["command"].as_str().unwrap();
    let mut runs = vec![sandbox.run("/bin/sh").arg("-c").arg(command)];
    if handler["args"] == json!([]) {
        runs.push(sandbox.run(command));
    }
    for (count, run) in (1..).zip(runs) {
        let start = event("SessionStart", ID, json!({"source": "startup"}));
        run.stdin(start.to_string()).silent();
        assert_eq!(sandbox.journal(ID).len(), count);
    }
}

#[test]
fn what_is_registered_runs() {
    let sandbox = sandbox();
    let hooks = Path::new(SESSION_START).parent().unwrap();
    ccsession(&sandbox, ["install"])
        .env("CCSESSION_LIBEXEC", hooks)
        .stdout();
    run_as_registered(&sandbox);
}

#[test]
fn a_path_with_spaces_is_quoted_for_the_shell_and_runs() {
    let sandbox = sandbox();
    let hooks = sandbox.path("it's a folder");
    symlink(Path::new(SESSION_START).parent().unwrap(), &hooks).unwrap();
    let path = user_settings(&sandbox);
    put(&path, "{}");
    ccsession(&sandbox, ["install"])
        .env("CCSESSION_LIBEXEC", &hooks)
        .stdout();
    let settings: Value = serde_json::from_str(&read(&path)).unwrap();
    let quoted = format!(
        "'{}/session-start'",
        hooks.to_str().unwrap().replace('\'', r"'\''")
    );
    assert_eq!(
        settings["hooks"]["SessionStart"],
        json!([{"hooks": [{"type": "command", "command": quoted, "timeout": 5}]}])
    );
    assert_eq!(handlers(&settings).len(), 20);
    run_as_registered(&sandbox);
    let again = ccsession(&sandbox, ["install"])
        .env("CCSESSION_LIBEXEC", &hooks)
        .stdout();
    assert!(again.ends_with("already; nothing was changed\n"), "{again}");
    ccsession(&sandbox, ["uninstall"])
        .env("CCSESSION_LIBEXEC", &hooks)
        .stdout();
    assert_eq!(read(&path), "{}");
}

#[test]
fn executables_that_cannot_be_registered_are_named_with_the_remedy() {
    let refused = |spoil: &dyn Fn(&Path), why: &str| {
        let sandbox = sandbox();
        let hook = sandbox.path("libexec/post-tool-use");
        spoil(&hook);
        let before = everything(&sandbox.path(""));
        let said = format!(
            "ccsession: could not register `{}`: {why}; run install.sh, or set CCSESSION_LIBEXEC",
            hook.display()
        );
        assert_eq!(ccsession(&sandbox, ["install"]).refused(1), said);
        assert_eq!(
            ccsession(&sandbox, ["install", "--dry-run"]).refused(1),
            said
        );
        assert_eq!(everything(&sandbox.path("")), before);
    };
    refused(&|hook| fs::remove_file(hook).unwrap(), "it is not there");
    refused(
        &|hook| {
            fs::remove_file(hook).unwrap();
            symlink("nowhere", hook).unwrap();
        },
        "it is not there",
    );
    refused(
        &|hook| fs::set_permissions(hook, fs::Permissions::from_mode(0o644)).unwrap(),
        "it cannot be run",
    );
    refused(
        &|hook| {
            fs::remove_file(hook).unwrap();
            fs::create_dir(hook).unwrap();
        },
        "it cannot be run",
    );
    let other = OF_THIS_VERSION.replace(env!("CARGO_PKG_VERSION"), "0.0.1");
    refused(
        &|hook| fs::write(hook, &other).unwrap(),
        "it is of another version",
    );
    refused(
        &|hook| fs::write(hook, "").unwrap(),
        "it is of another version",
    );
}

#[cfg(target_os = "linux")]
#[test]
fn a_path_that_json_cannot_hold_is_refused() {
    use std::os::unix::ffi::OsStrExt;
    let sandbox = sandbox();
    let hooks = sandbox
        .path("")
        .join(std::ffi::OsStr::from_bytes(b"lib\xff"));
    libexec(&hooks);
    let run = ccsession(&sandbox, ["install"]).env("CCSESSION_LIBEXEC", &hooks);
    let said = format!(
        "ccsession: could not register the hooks in `{}`: the path is not UTF-8; set CCSESSION_LIBEXEC",
        hooks.display()
    );
    assert_eq!(run.refused(1), said);
    assert!(!sandbox.home().join(".claude").exists());
}
