//! Archives: what they hold, that they are whole or not there, and that a transcript comes back from one.

mod content;
mod crowds;
mod ends;
mod kept;
mod removal;

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
