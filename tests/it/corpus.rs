//! `tests/corpus/run` compares what the program makes of transcripts with its own count. These tests run it on the recorded
//! transcripts, and with a program that prints something wrong. Without Python 3.10 they say that they were skipped.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use crate::support::{CCSESSION, Sandbox, data, text};

fn has_python() -> bool {
    let old = "import sys; sys.exit(sys.version_info < (3, 10))";
    let found = Command::new("python3").args(["-c", old]).status();
    let has = found.is_ok_and(|status| status.success());
    if !has {
        println!("skipped: there is no Python 3.10");
    }
    has
}

/// Compares the recorded transcripts with what the program in the directory `bin` makes of them.
fn compare(bin: &Path) -> Output {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/run");
    let mut command = Command::new("python3");
    command.env("PYTHONDONTWRITEBYTECODE", "1").arg(script);
    command.arg(data("transcripts")).arg("--bin").arg(bin);
    command.output().unwrap()
}

#[test]
fn the_program_agrees_with_an_independent_count_of_recorded_transcripts() {
    if !has_python() {
        return;
    }
    let output = compare(Path::new(CCSESSION).parent().unwrap());
    let said = text(&output.stdout) + &text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    for row in [
        " 2  sessions",
        "16  calls\n",
        " 7  files restored",
        " 0  differences",
    ] {
        assert!(said.contains(row), "{row}: {said}");
    }
}

#[test]
fn wrong_output_of_the_program_is_reported() {
    if !has_python() {
        return;
    }
    for (verb, filter, told) in [
        (
            "timeline",
            r#"sed 's/"state": *"ok"/"state":"failed"/'"#,
            "its result says ok",
        ),
        (
            "stats",
            r#"sed 's/"output": *[0-9]*/"output":1/'"#,
            "tokens are",
        ),
        (
            "stats --all --by day",
            r#"sed 's/"input": *[0-9]*/"input":1/'"#,
            "stats --all --by day: ",
        ),
        (
            "stats --all --since",
            r#"sed 's/"calls": *[0-9]*/"calls":1/'"#,
            "--by tool: ",
        ),
        (
            "clock-out",
            r#"{ read -r path; sed -i '/^\[assistant\]$/{n;s/[aeiou]/x/g;}' "$path"; echo "$path"; }"#,
            "not in the text as the",
        ),
        (
            "archive restore",
            r#"while read -r path; do sed -i '$d' "$path"; done"#,
            "lines and not",
        ),
        (
            "import",
            r#"{ cat; date +%N >>"$CCSESSION_STATE_DIR/log.jsonl"; }"#,
            "a second import changed",
        ),
    ] {
        let sandbox = Sandbox::new();
        let wrong = sandbox.path("bin/ccsession");
        fs::create_dir_all(wrong.parent().unwrap()).unwrap();
        let script = format!(
            "#!/bin/sh\ncase \"$*\" in\n'{verb}'*) \"{CCSESSION}\" \"$@\" | {filter} ;;\n*) exec \"{CCSESSION}\" \"$@\" ;;\nesac\n"
        );
        fs::write(&wrong, script).unwrap();
        fs::set_permissions(&wrong, Permissions::from_mode(0o755)).unwrap();
        let output = compare(wrong.parent().unwrap());
        let said = text(&output.stdout) + &text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{verb}: {said}");
        assert!(said.contains(told), "{verb}: {said}");
    }
}
