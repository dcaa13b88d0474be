//! Archives: what they contain, that each is either complete or absent, and that a transcript can be restored from one.

mod content;
mod crowds;
mod ends;
mod kept;
mod removal;

use crate::support::terminal::with_stderr_on_a_terminal;
use crate::support::transcripts::copy_tree;
use crate::support::{Sandbox, data};

const RUN_A: &str = "2f09356b-a939-40a2-8915-584394440829";
const RUN_C: &str = "65dd02b6-7134-4576-a982-e8658c4175aa";

/// A sandbox with a recorded transcript and the session that it is of on record.
fn recorded(name: &str) -> Sandbox {
    let sandbox = Sandbox::archiving();
    copy_tree(
        &data(&format!("transcripts/{name}")),
        &sandbox.home().join(".claude/projects"),
    );
    sandbox.ccsession(["import"]).stdout();
    sandbox
}

/// `golden` with the times that differ from run to run as they are in `text`.
fn check_golden(text: &str, golden: &str) {
    let exported = text
        .lines()
        .find(|line| line.starts_with("Exported: "))
        .unwrap();
    let at = exported.strip_prefix("Exported: ").unwrap();
    chrono::NaiveDateTime::parse_from_str(at, "%Y-%m-%dT%H:%M:%S%.6f").unwrap();
    assert_eq!(text, golden.replace("Exported: {now}", exported));
}

#[test]
fn an_ambiguous_archive_lists_the_candidates() {
    let sandbox = recorded("a");
    copy_tree(
        &data("transcripts/c"),
        &sandbox.home().join(".claude/projects"),
    );
    sandbox.ccsession(["import"]).stdout();
    for id in [RUN_A, RUN_C] {
        sandbox.ccsession(["clock-out", id]).output();
    }
    // Both begin with nothing.
    for verb in ["show", "restore"] {
        let run = sandbox.ccsession(["archive", verb, ""]);
        let said = with_stderr_on_a_terminal(run);
        let lines: Vec<&str> = said.terminal.lines().map(str::trim).collect();
        assert_eq!(said.status, Some(4), "{lines:?}");
        for id in [RUN_A, RUN_C] {
            let is_its = |line: &&str| line.starts_with(&format!("{id}  shop  2026-11-20 "));
            assert_eq!(
                lines.iter().take(2).filter(|line| is_its(line)).count(),
                1,
                "{lines:?}"
            );
        }
        assert_eq!(
            lines[2],
            "ccsession: could not choose an archive: `` matches 2 sessions; use a longer prefix"
        );
    }
}
