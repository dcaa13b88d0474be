//! `tests/corpus/run` compares what the program makes of transcripts with its own count. These tests run it on the recorded
//! transcripts, and with a program that prints something wrong. Without Python 3.10 they say that they were skipped.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::support::{CCSESSION, Sandbox, data, text, write_program};

/// Returns the Python itself, since `python3` may be a script that looks for it each time.
fn python() -> Option<PathBuf> {
    const WHERE: &str = "import sys; print(sys.executable); sys.exit(sys.version_info < (3, 10))";
    let output = Command::new("python3").args(["-c", WHERE]).output();
    let found = output.ok().filter(|output| output.status.success());
    if found.is_none() {
        println!("skipped: there is no Python 3.10");
    }
    found.map(|output| text(&output.stdout).trim_end().into())
}

/// Compares the recorded transcripts with what the program in the directory `bin` makes of them.
fn compare(python: &Path, bin: &Path) -> Output {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/run");
    let mut command = Command::new(python);
    command.env("PYTHONDONTWRITEBYTECODE", "1").arg(script);
    command.arg(data("transcripts")).arg("--bin").arg(bin);
    command.output().unwrap()
}

#[test]
fn the_program_agrees_with_an_independent_count_of_recorded_transcripts() {
    let Some(python) = python() else {
        return;
    };
    let output = compare(&python, Path::new(CCSESSION).parent().unwrap());
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
    let Some(python) = python() else {
        return;
    };
    // Together only those of which none could be reported for another.
    let together: [&[(&str, &str, &str)]; 3] = [
        &[
            (
                "timeline",
                r#"sed 's/"state": *"ok"/"state":"failed"/'"#,
                "its result says ok",
            ),
            (
                "stats --all --by day",
                r#"sed 's/"input": *[0-9]*/"input":1/'"#,
                "stats --all --by day: ",
            ),
            (
                "clock-out",
                r#"{ read -r path; sed -i '/^\[assistant\]$/{n;s/[aeiou]/x/g;}' "$path"; echo "$path"; }"#,
                "not in the text as the",
            ),
            (
                "import",
                r#"{ cat; date +%N >>"$CCSESSION_STATE_DIR/log.jsonl"; }"#,
                "a second import changed",
            ),
        ],
        &[
            (
                "stats",
                r#"sed 's/"output": *[0-9]*/"output":1/'"#,
                "tokens are",
            ),
            (
                "archive restore",
                r#"while read -r path; do sed -i '$d' "$path"; done"#,
                "lines and not",
            ),
        ],
        &[(
            "stats --all --since",
            r#"sed 's/"calls": *[0-9]*/"calls":1/'"#,
            "--by tool: ",
        )],
    ];
    for cases in together {
        let sandbox = Sandbox::new();
        let wrong = sandbox.path("bin/ccsession");
        fs::create_dir_all(wrong.parent().unwrap()).unwrap();
        let filtered = |(verb, filter, _): &(&str, &str, &str)| {
            format!("'{verb}'*) \"{CCSESSION}\" \"$@\" | {filter} ;;\n")
        };
        let filtered: String = cases.iter().map(filtered).collect();
        let script = format!(
            "#!/bin/sh\ncase \"$*\" in\n{filtered}*) exec \"{CCSESSION}\" \"$@\" ;;\nesac\n"
        );
        write_program(&wrong, &script);
        let output = compare(&python, wrong.parent().unwrap());
        let said = text(&output.stdout) + &text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{said}");
        for (verb, _, told) in cases {
            assert!(said.contains(told), "{verb}: {said}");
        }
    }
}
